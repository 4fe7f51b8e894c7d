//! What a database holds: tables, columns, keys, as its catalogue describes them.
//!
//! Left out: the store's own tables, and what a change of tables has put aside. Foreign keys of several columns are left
//! out too, and a primary key of several columns counts as none.

use std::collections::HashMap;

use indexmap::IndexMap;
use loggia_model::Scalar;
use loggia_model::schema::{Action, Column, ForeignKey, Table};

use super::change::CONSTRAINT;
use super::connection::{Connection, Failure};
use super::{defaults, journal, types};
use crate::answer::Rows;
use crate::change::{Index, KEY_INDEX, quoted};
use crate::store::{Finding, Weight};

/// The store's own tables.
const OWN: &str =
    "('loggia_schema_version', 'loggia_migrations', 'loggia_writers', 'loggia_leases', 'loggia_ddl')";

/// Which of the rows of a view of the catalogue, as `x`, are meant.
fn meant(only: Option<&str>) -> String {
    let one = only.map_or("", |_| " AND x.TABLE_NAME = ?");
    format!(
        "x.TABLE_SCHEMA = DATABASE() AND x.TABLE_NAME NOT IN {OWN} AND LEFT(x.TABLE_NAME, {}) <> '{}'{one}",
        journal::HIDDEN.len(),
        journal::HIDDEN
    )
}

const COLUMNS: &str = "SELECT x.TABLE_NAME, x.COLUMN_NAME, x.DATA_TYPE, x.COLUMN_TYPE, x.CHARACTER_MAXIMUM_LENGTH, \
     x.NUMERIC_PRECISION, x.NUMERIC_SCALE, x.DATETIME_PRECISION, x.IS_NULLABLE, x.COLUMN_DEFAULT, x.EXTRA, \
     x.COLLATION_NAME, x.COLUMN_COMMENT FROM information_schema.COLUMNS AS x";
const TABLES: &str =
    "SELECT x.TABLE_NAME, x.TABLE_COMMENT, x.TABLE_TYPE = 'VIEW' FROM information_schema.TABLES AS x";
/// Every column of every index, in order.
const INDEXES: &str =
    "SELECT x.TABLE_NAME, x.INDEX_NAME, x.NON_UNIQUE, x.COLUMN_NAME FROM information_schema.STATISTICS AS x";
/// Every column of every foreign key, in order.
const KEYS: &str = "SELECT x.TABLE_NAME, x.CONSTRAINT_NAME, x.COLUMN_NAME, x.REFERENCED_TABLE_NAME, x.REFERENCED_COLUMN_NAME, \
     r.UPDATE_RULE, r.DELETE_RULE FROM information_schema.KEY_COLUMN_USAGE AS x \
     JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r ON r.CONSTRAINT_SCHEMA = x.CONSTRAINT_SCHEMA \
     AND r.TABLE_NAME = x.TABLE_NAME AND r.CONSTRAINT_NAME = x.CONSTRAINT_NAME";
/// Not those that lead into other databases.
const HERE: &str = "x.REFERENCED_TABLE_SCHEMA = DATABASE()";

/// All tables by name, and all views; or the one table of a name.
pub(super) async fn tables(
    connection: &mut Connection,
    only: Option<&str>,
) -> Result<IndexMap<String, Table>, Failure> {
    let meant = meant(only);
    let only: Vec<_> = only.into_iter().map(Scalar::from).collect();
    let shown = match only.as_slice() {
        [] => "('BASE TABLE', 'VIEW')",
        _ => "('BASE TABLE')",
    };
    let query = format!("{TABLES} WHERE {meant} AND x.TABLE_TYPE IN {shown} ORDER BY 3, 1");
    let found = connection.ask(&query, &only).await?;
    let mut tables: IndexMap<String, Table> = IndexMap::new();
    for row in found.iter() {
        let view = row[2] == Scalar::Int(1);
        let table = Table {
            // Of a view, the server says that it is one.
            comment: filled(&row[1]).filter(|_| !view),
            view,
            ..Table::default()
        };
        tables.insert(text(&row[0]).unwrap_or_default().to_owned(), table);
    }
    let query = format!("{COLUMNS} WHERE {meant} ORDER BY 1, x.ORDINAL_POSITION");
    let columns = connection.ask(&query, &only).await?;
    let ours = connection.server().collation();
    let is_mariadb = connection.server().is_mariadb;
    for row in columns.iter() {
        let Some(table) = text(&row[0]).and_then(|name| tables.get_mut(name)) else {
            continue;
        };
        let column = self::column(row, ours, is_mariadb);
        if !column.name.starts_with(journal::HIDDEN) {
            table.columns.push(column);
        }
    }
    let rules = connection.ask(&rules(is_mariadb, &only), &only).await?;
    read_rules(&rules, &mut tables);
    let query = format!("{KEYS} WHERE {meant} AND {HERE} ORDER BY 1, 2, x.ORDINAL_POSITION");
    let keys = connection.ask(&query, &only).await?;
    for (table, key) in self::keys(&keys) {
        if let Some(table) = tables.get_mut(&table) {
            table.foreign_keys.push(key);
        }
    }
    let query = format!("{INDEXES} WHERE {meant} ORDER BY 1, 2, x.SEQ_IN_INDEX");
    let indexes = connection.ask(&query, &only).await?;
    read_indexes(&indexes, &mut tables);
    // Views that do not work have no columns.
    tables.retain(|_, table| !table.view || !table.columns.is_empty());
    for table in tables.values_mut() {
        // In the order of the columns: names of constraints say nothing.
        let place = |key: &ForeignKey| table.columns.iter().position(|column| column.name == key.column);
        table.foreign_keys.sort_by_key(place);
    }
    Ok(tables)
}

/// The query of the rules of all tables that are meant, with the table of each.
fn rules(is_mariadb: bool, only: &[Scalar]) -> String {
    let table = if is_mariadb {
        "k.TABLE_NAME"
    } else {
        "t.TABLE_NAME"
    };
    let joined = if is_mariadb {
        ""
    } else {
        " JOIN information_schema.TABLE_CONSTRAINTS AS t ON t.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA \
          AND t.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK'"
    };
    let one = match only {
        [] => String::new(),
        _ => format!(" AND {table} = ?"),
    };
    format!(
        "SELECT {table}, k.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS AS k{joined} \
         WHERE k.CONSTRAINT_SCHEMA = DATABASE(){one}"
    )
}

fn text(cell: &Scalar) -> Option<&str> {
    cell.as_text()
}

fn filled(cell: &Scalar) -> Option<String> {
    text(cell).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(cell: &Scalar) -> Option<u32> {
    match cell {
        Scalar::Int(number) => u32::try_from(*number).ok(),
        _ => None,
    }
}

/// A row of [`COLUMNS`].
fn column(row: &[Scalar], ours: &str, is_mariadb: bool) -> Column {
    let extra = text(&row[10]).unwrap_or_default().to_ascii_lowercase();
    let collation = text(&row[11]);
    let whole = text(&row[3]).unwrap_or_default();
    let found = types::Found {
        name: text(&row[2]).unwrap_or_default(),
        whole,
        length: number(&row[4]),
        precision: number(&row[5]),
        scale: number(&row[6]),
        fraction: number(&row[7]),
        ours: collation == Some(ours),
    };
    let mut column = Column {
        name: text(&row[1]).unwrap_or_default().to_owned(),
        data_type: found.name.to_owned(),
        nullable: text(&row[8]) == Some("YES"),
        generated: extra.contains("virtual generated") || extra.contains("stored generated"),
        auto_increment: extra.contains("auto_increment"),
        collation: collation.filter(|name| *name != ours).map(str::to_owned),
        choices: types::choices(whole).into_iter().map(Into::into).collect(),
        comment: filled(&row[12]),
        ..Column::default()
    };
    types::read(&found, &mut column);
    if !column.auto_increment && !column.generated {
        let default = defaults::Found {
            text: text(&row[9]),
            expression: is_mariadb || extra.contains("default_generated"),
        };
        // What is no text yet may become a decimal by its rule: both are written alike.
        column.default = defaults::read(&default, column.kind);
    }
    column
}

/// A rule is of one column; it names that.
fn read_rules(rows: &Rows, tables: &mut IndexMap<String, Table>) {
    for row in rows.iter() {
        let (Some(table), Some(clause)) = (text(&row[0]), text(&row[1])) else {
            continue;
        };
        let Some(table) = tables.get_mut(table) else {
            continue;
        };
        let named: Vec<_> = clause.split('`').skip(1).step_by(2).collect();
        if named.windows(2).any(|pair| pair[0] != pair[1]) {
            // Of several columns, or with a quote in its name, which would be written twice.
            let whole = clause.replace("``", "\u{1}");
            let mut names = whole
                .split('`')
                .skip(1)
                .step_by(2)
                .map(|name| name.replace('\u{1}', "`"));
            if let Some(first) = names.next()
                && names.all(|name| name == first)
            {
                read_rule(table, &first, clause);
            }
        } else if let Some(name) = named.first() {
            read_rule(table, name, clause);
        }
    }
    for column in tables.values_mut().flat_map(|table| &mut table.columns) {
        // Only texts have a collation that matters.
        if !column.kind.is_textual() {
            column.collation = None;
        }
    }
}

fn read_rule(table: &mut Table, name: &str, clause: &str) {
    if let Some(column) = table.columns.iter_mut().find(|column| column.name == name) {
        types::read_rule(clause, column);
        if column.kind.is_textual()
            && let Some(values) = types::listed(clause)
        {
            column.choices = values.into_iter().map(Into::into).collect();
        }
    }
}

/// What is not shown of the tables that are there, by table.
pub(super) async fn left_out(connection: &mut Connection) -> Result<Vec<(String, String)>, Failure> {
    let query = format!(
        "SELECT x.TABLE_NAME, x.REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE AS x \
         WHERE {} AND x.REFERENCED_TABLE_NAME IS NOT NULL AND x.ORDINAL_POSITION = 2 ORDER BY 1, 2",
        meant(None)
    );
    let rows = connection.ask_once(&query, &[]).await?;
    let found = rows.iter().filter_map(|row| {
        let (table, target) = (text(&row[0])?, text(&row[1])?);
        let what = format!("its foreign key of several columns to {target} makes no relation");
        Some((table.to_owned(), what))
    });
    Ok(found.collect())
}

/// The names of an index's columns; NULL: an expression.
struct FoundIndex<'r> {
    table: &'r str,
    name: &'r str,
    unique: bool,
    columns: Vec<Option<&'r str>>,
}

/// Rows of [`INDEXES`], put together.
fn indexes(rows: &Rows) -> Vec<FoundIndex<'_>> {
    let mut indexes: Vec<FoundIndex<'_>> = Vec::new();
    for row in rows.iter() {
        let (Some(table), Some(name)) = (text(&row[0]), text(&row[1])) else {
            continue;
        };
        let column = text(&row[3]);
        match indexes.last_mut() {
            Some(last) if (last.table, last.name) == (table, name) => last.columns.push(column),
            _ => indexes.push(FoundIndex {
                table,
                name,
                unique: row[2] == Scalar::Int(0),
                columns: vec![column],
            }),
        }
    }
    indexes
}

fn read_indexes(rows: &Rows, tables: &mut IndexMap<String, Table>) {
    for index in indexes(rows) {
        let Some(table) = tables.get_mut(index.table) else {
            continue;
        };
        let whole: Option<Vec<String>> = index.columns.iter().map(|name| name.map(str::to_owned)).collect();
        if let Some(columns) = whole.filter(|columns| index.unique && columns.len() > 1) {
            // The primary key first.
            let at = if index.name == "PRIMARY" {
                0
            } else {
                table.uniques.len()
            };
            table.uniques.insert(at, columns);
        }
        let name = match index.columns.as_slice() {
            [Some(name)] => Some((*name).to_owned()),
            [None] => of_expression(table, index.table, index.name),
            _ => None,
        };
        let keys = &table.foreign_keys;
        // The server makes an index for a foreign key by itself, and calls it as the constraint or the column.
        let points = |column: &Column| {
            let made = [&*column.name, CONSTRAINT]
                .iter()
                .any(|ending| index.name.ends_with(ending));
            (made || index.name.contains("_ibfk_")) && keys.iter().any(|key| key.column == column.name)
        };
        if let Some(name) = name
            && let Some(column) = table.columns.iter_mut().find(|column| column.name == name)
        {
            column.unique |= index.unique;
            column.indexed |= !index.unique && !index.name.ends_with(KEY_INDEX) && !points(column);
            if index.name == "PRIMARY" {
                column.primary_key = true;
                column.nullable = false;
            }
        }
    }
}

/// The column that an index of ours is for, by its name.
fn of_expression(found: &Table, table: &str, index: &str) -> Option<String> {
    let named = |column: &&Column| {
        [".unique", ".index"]
            .iter()
            .any(|ending| crate::lower::ddl::short_name(table, &column.name, ending, 64) == index)
    };
    let column = found.columns.iter().find(named)?;
    Some(column.name.clone())
}

/// Foreign keys of one column among rows of [`KEYS`], each with the table that it belongs to.
fn keys(rows: &Rows) -> Vec<(String, ForeignKey)> {
    let rows: Vec<_> = rows.iter().collect();
    let several = |row: &&[Scalar]| rows.iter().filter(|other| other[..2] == row[..2]).count() > 1;
    let action = |cell: &Scalar| text(cell).and_then(Action::parse).unwrap_or_default();
    let single = rows.iter().filter(|row| !several(row));
    single
        .filter_map(|row| {
            let key = ForeignKey {
                column: text(&row[2])?.to_owned(),
                foreign_table: text(&row[3])?.to_owned(),
                foreign_column: text(&row[4])?.to_owned(),
                on_update: action(&row[5]),
                on_delete: action(&row[6]),
            };
            Some((text(&row[0])?.to_owned(), key))
        })
        .collect()
}

/// The foreign keys that point to a table, each with the table that it belongs to.
pub(super) async fn pointing_to(
    connection: &mut Connection,
    table: &str,
) -> Result<Vec<(String, ForeignKey)>, Failure> {
    let query = format!(
        "{KEYS} WHERE {} AND {HERE} AND x.REFERENCED_TABLE_NAME = ? ORDER BY 1, 2, x.ORDINAL_POSITION",
        meant(None)
    );
    let rows = connection.ask(&query, &[Scalar::from(table)]).await?;
    Ok(keys(&rows))
}

/// The columns of an index, by the name that a failure tells: alone, or behind that of its table.
pub(super) async fn columns_of_index(
    connection: &mut Connection,
    table: &str,
    index: &str,
) -> Result<Vec<String>, Failure> {
    let query = format!(
        "{INDEXES} WHERE {} ORDER BY 1, 2, x.SEQ_IN_INDEX",
        meant(Some(table))
    );
    let rows = connection.ask(&query, &[Scalar::from(table)]).await?;
    let bare = index.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
    let found = indexes(&rows);
    let named = |name: &str| found.iter().find(|found| found.name == name);
    let Some(found) = named(index).or_else(|| bare.and_then(named)) else {
        return Ok(Vec::new());
    };
    let columns: Vec<_> = found
        .columns
        .iter()
        .flatten()
        .map(|name| (*name).to_owned())
        .collect();
    if !columns.is_empty() {
        return Ok(columns);
    }
    let name = found.name.to_owned();
    let tables = tables(connection, Some(table)).await?;
    let of_expression = tables
        .get(table)
        .and_then(|found| of_expression(found, table, &name));
    Ok(of_expression.into_iter().collect())
}

/// Whether a table or view has this name, in any case.
pub(super) async fn is_taken(connection: &mut Connection, name: &str) -> Result<bool, Failure> {
    const QUERY: &str = "SELECT COUNT(*) FROM information_schema.TABLES AS x \
         WHERE x.TABLE_SCHEMA = DATABASE() AND LOWER(x.TABLE_NAME) = LOWER(?)";
    let rows = connection.ask(QUERY, &[Scalar::from(name)]).await?;
    Ok(rows.count() > 0)
}

/// The last key that each table has counted.
pub(super) async fn counters(connection: &mut Connection) -> Result<IndexMap<String, i64>, Failure> {
    let query = format!(
        "SELECT x.TABLE_NAME, x.AUTO_INCREMENT - 1 FROM information_schema.TABLES AS x \
         WHERE {} AND x.AUTO_INCREMENT > 1",
        meant(None)
    );
    let rows = connection.ask(&query, &[]).await?;
    let counters = rows.iter().filter_map(|row| match row {
        [Scalar::Text(table), Scalar::Int(last)] => Some((table.clone(), *last)),
        _ => None,
    });
    Ok(counters.collect())
}

/// Whether there is such a table.
pub(super) async fn has_table(connection: &mut Connection, name: &str) -> Result<bool, Failure> {
    const QUERY: &str = "SELECT COUNT(*) FROM information_schema.TABLES AS x \
         WHERE x.TABLE_SCHEMA = DATABASE() AND x.TABLE_NAME = ?";
    let rows = connection.ask(QUERY, &[Scalar::from(name)]).await?;
    Ok(rows.count() > 0)
}

/// The indexes of a table that cover a column.
pub(super) async fn indexes_of(
    connection: &mut Connection,
    table: &str,
    column: &str,
) -> Result<Vec<Index>, Failure> {
    let query = format!(
        "{INDEXES} WHERE {} ORDER BY 1, 2, x.SEQ_IN_INDEX",
        meant(Some(table))
    );
    let rows = connection.ask(&query, &[Scalar::from(table)]).await?;
    let dialect = connection.dialect();
    let ours = [".unique", ".index"].map(|ending| dialect.index_name(table, column, ending));
    let covers = |index: &FoundIndex<'_>| {
        index.columns.contains(&Some(column)) || ours.iter().any(|name| name == index.name)
    };
    let indexes = indexes(&rows).into_iter().filter(covers).map(|index| Index {
        // That it is the primary key is part of the table.
        drop: (index.name != "PRIMARY").then(|| {
            format!(
                "ALTER TABLE {} DROP INDEX {}",
                quoted(dialect, table),
                quoted(dialect, index.name)
            )
        }),
        name: index.name.to_owned(),
        unique: index.unique,
        alone: index.columns.len() == 1,
    });
    Ok(indexes.collect())
}

/// The names of the foreign keys of one column.
pub(super) async fn constraints_of(
    connection: &mut Connection,
    table: &str,
    column: &str,
) -> Result<Vec<String>, Failure> {
    let query = format!(
        "{KEYS} WHERE {} AND x.COLUMN_NAME = ? ORDER BY 2",
        meant(Some(table))
    );
    let values = [Scalar::from(table), Scalar::from(column)];
    let rows = connection.ask(&query, &values).await?;
    let names = rows.iter().filter_map(|row| text(&row[1]).map(str::to_owned));
    Ok(names.collect())
}

/// Rows that point nowhere, which the server lets in only where somebody has switched its checks off.
pub(super) async fn check(connection: &mut Connection) -> Result<Vec<Finding>, Failure> {
    let tables = tables(connection, None).await?;
    let dialect = connection.dialect();
    let mut dangling: HashMap<(&str, &str), u64> = HashMap::new();
    for (name, table) in &tables {
        for key in &table.foreign_keys {
            let [table, column, foreign_table, foreign_column] =
                [name, &key.column, &key.foreign_table, &key.foreign_column]
                    .map(|name| quoted(dialect, name));
            let query = format!(
                "SELECT COUNT(*) FROM {table} AS p WHERE p.{column} IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM {foreign_table} AS t WHERE t.{foreign_column} = p.{column})"
            );
            let count = connection.ask_once(&query, &[]).await?.count();
            *dangling.entry((name, &key.foreign_table)).or_default() += count;
        }
    }
    let mut dangling: Vec<_> = dangling.into_iter().filter(|(_, count)| *count > 0).collect();
    dangling.sort_unstable();
    Ok(dangling
        .into_iter()
        .map(|((table, parent), count)| Finding {
            table: Some(table.to_owned()),
            what: format!("{count} row(s) point to nothing in {parent}"),
            weight: Weight::Bad,
        })
        .collect())
}
