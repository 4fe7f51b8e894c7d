//! What a database holds: tables, columns, keys, as its catalogue describes them.
//!
//! Meant are the tables that a name without a schema reaches. Left out: foreign and temporary tables, those of
//! extensions, and the store's own. Foreign keys of several columns are left out too, and a primary key of several
//! columns counts as none.

use std::collections::HashMap;

use futures_util::future::{try_join, try_join4};
use indexmap::IndexMap;
use loggia_model::Scalar;
use loggia_model::schema::{Action, Column, ForeignKey, Table};

use super::connection::{Connection, Failure};
use super::dialect::POSTGRES;
use super::{defaults, types};
use crate::Versions;
use crate::answer::Rows;
use crate::change::{Index, KEY_INDEX, quoted};
use crate::lower::Dialect as _;
use crate::store::{Finding, Weight};

/// Which tables are meant, as `c`.
const MEANT: &str = "c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
     AND pg_table_is_visible(c.oid) AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
     AND c.relname NOT IN ('loggia_schema_version', 'loggia_migrations', 'loggia_writers', \
     'loggia_leases') \
     AND NOT EXISTS (SELECT 1 FROM pg_depend AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')";

/// Columns in the order of their tables, which come in the order in which they were made.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, COALESCE(b.typname, t.typname)::text, \
     COALESCE(b.typtype, t.typtype)::text, format_type(a.atttypid, NULL), \
     CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END, a.attnotnull, \
     pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text, \
     (SELECT l.collname::text FROM pg_collation AS l WHERE l.oid = a.attcollation AND l.collname NOT IN ('C', 'POSIX')), \
     (SELECT json_agg(v.enumlabel ORDER BY v.enumsortorder)::text FROM pg_enum AS v WHERE v.enumtypid = COALESCE(b.oid, t.oid)), \
     col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class'), c.relkind IN ('v', 'm') \
     FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON b.oid = t.typbasetype \
     LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum";

/// Indexes of one column that cover every row; of expressions, the column is NULL.
const INDEXES: &str = "SELECT c.relname::text, n.relname::text, i.indisunique, i.indisprimary, a.attname::text \
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS n ON n.oid = i.indexrelid \
     LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]";

/// Indexes of several columns that tell rows apart, with the names of these.
const UNIQUES: &str = "SELECT c.relname::text, (SELECT json_agg(a.attname ORDER BY k.position)::text \
     FROM unnest(i.indkey) WITH ORDINALITY AS k(number, position) \
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number WHERE k.position <= i.indnkeyatts) \
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid";

/// Foreign keys of one column.
const KEYS: &str = "SELECT c.relname::text, a.attname::text, f.relname::text, g.attname::text, \
     k.confupdtype::text, k.confdeltype::text \
     FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_class AS f ON f.oid = k.confrelid \
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
     JOIN pg_attribute AS g ON g.attrelid = f.oid AND g.attnum = k.confkey[1]";
/// Not those that partitions have for themselves.
const OF_ONE_COLUMN: &str = "k.contype = 'f' AND cardinality(k.conkey) = 1 AND k.conparentid = 0";

/// Rules about one column.
const RULES: &str = "SELECT c.relname::text, a.attname::text, pg_get_constraintdef(k.oid) \
     FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid \
     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]";

/// All tables by name, and all views; or the one table of a name.
pub(super) async fn tables(
    connection: &Connection,
    only: Option<&str>,
) -> Result<IndexMap<String, Table>, Failure> {
    let (meant, shown) = match only {
        Some(_) => {
            let meant = format!("{MEANT} AND c.relname = $1::name");
            (meant.clone(), meant)
        }
        None => (
            MEANT.to_owned(),
            MEANT.replacen("('r', 'p')", "('r', 'p', 'v', 'm')", 1),
        ),
    };
    let only: Vec<_> = only.into_iter().map(Scalar::from).collect();
    let columns = format!("{COLUMNS} WHERE {shown} ORDER BY c.relkind IN ('v', 'm'), c.oid, a.attnum");
    let uniques = format!(
        "{UNIQUES} WHERE {meant} AND i.indisunique AND i.indnkeyatts > 1 AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND i.indisvalid ORDER BY NOT i.indisprimary, i.indexrelid"
    );
    let indexes = format!(
        "{INDEXES} WHERE {meant} AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indisvalid ORDER BY i.indexrelid"
    );
    let keys = format!("{KEYS} WHERE {meant} AND {OF_ONE_COLUMN} ORDER BY k.oid");
    let rules = format!("{RULES} WHERE {meant} AND k.contype = 'c' AND cardinality(k.conkey) = 1");
    let asked = try_join4(
        connection.ask(&columns, &only),
        connection.ask(&indexes, &only),
        connection.ask(&keys, &only),
        connection.ask(&rules, &only),
    );
    let ((columns, indexes, keys, rules), uniques) = try_join(asked, connection.ask(&uniques, &only)).await?;
    let mut tables: IndexMap<String, Table> = IndexMap::new();
    for row in columns.iter() {
        let Some(found) = FoundColumn::read(row) else {
            continue;
        };
        let table = tables.entry(found.table.to_owned()).or_default();
        table.comment = text(&row[13]).map(str::to_owned);
        table.view = row[14] == Scalar::Bool(true);
        table.columns.push(found.into_column());
    }
    read_rules(&rules, &mut tables);
    read_indexes(&indexes, &mut tables);
    for row in keys.iter() {
        if let Some((table, key)) = key(row)
            && let Some(table) = tables.get_mut(&table)
        {
            table.foreign_keys.push(key);
        }
    }
    for row in uniques.iter() {
        let columns = text(&row[1]).and_then(|names| serde_json::from_str(names).ok());
        let table = text(&row[0]).and_then(|name| tables.get_mut(name));
        if let Some((table, columns)) = table.zip(columns) {
            table.uniques.push(columns);
        }
    }
    Ok(tables)
}

/// What is not shown of the tables that are there, by table.
pub(super) async fn left_out(connection: &Connection) -> Result<Vec<(String, String)>, Failure> {
    let query = format!(
        "SELECT c.relname::text, format('its foreign key of several columns to %s makes no relation', f.relname) \
         FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_class AS f ON f.oid = k.confrelid \
         WHERE {MEANT} AND k.contype = 'f' AND cardinality(k.conkey) > 1 AND k.conparentid = 0 \
         UNION ALL SELECT c.relname::text, 'a foreign table is no collection' FROM pg_class AS c \
         WHERE c.relkind = 'f' AND pg_table_is_visible(c.oid) ORDER BY 1, 2"
    );
    let rows = connection.ask_once(&query, &[]).await?;
    let found = rows
        .iter()
        .filter_map(|row| Some((text(&row[0])?.to_owned(), text(&row[1])?.to_owned())));
    Ok(found.collect())
}

fn text(cell: &Scalar) -> Option<&str> {
    cell.as_text()
}

/// A row of [`COLUMNS`].
struct FoundColumn<'r> {
    table: &'r str,
    name: &'r str,
    ty: types::Found<'r>,
    row: &'r [Scalar],
}

impl<'r> FoundColumn<'r> {
    fn read(row: &'r [Scalar]) -> Option<Self> {
        let Scalar::Int(modifier) = row[5] else {
            return None;
        };
        Some(Self {
            table: text(&row[0])?,
            name: text(&row[1])?,
            ty: types::Found {
                name: text(&row[2])?,
                sort: text(&row[3])?,
                modifier,
            },
            row,
        })
    }

    fn into_column(self) -> Column {
        let Self { name, ty, row, .. } = self;
        let mut column = Column {
            name: name.to_owned(),
            data_type: text(&row[4]).unwrap_or_default().to_owned(),
            nullable: row[6] != Scalar::Bool(true),
            generated: text(&row[9]).is_some_and(|generated| !generated.is_empty()),
            collation: text(&row[10]).map(str::to_owned),
            choices: text(&row[11])
                .and_then(|labels| serde_json::from_str(labels).ok())
                .unwrap_or_default(),
            comment: text(&row[12]).map(str::to_owned),
            ..Column::default()
        };
        types::read(&ty, &mut column);
        let default = text(&row[7]);
        let counted = default.is_some_and(|default| default.starts_with("nextval("));
        column.auto_increment = counted || text(&row[8]).is_some_and(|identity| !identity.is_empty());
        if !column.auto_increment && !column.generated {
            column.default = defaults::read(default, column.kind);
        }
        column
    }
}

fn read_rules(rows: &Rows, tables: &mut IndexMap<String, Table>) {
    for row in rows.iter() {
        let (Some(table), Some(name), Some(definition)) = (text(&row[0]), text(&row[1]), text(&row[2]))
        else {
            continue;
        };
        let Some(column) = column(tables, table, name) else {
            continue;
        };
        types::read_rule(definition, column);
        if column.kind.is_textual()
            && let Some(values) = types::read_choices(definition)
        {
            column.choices = values.into_iter().map(Into::into).collect();
        }
    }
}

fn read_indexes(rows: &Rows, tables: &mut IndexMap<String, Table>) {
    for row in rows.iter() {
        let (Some(table), Some(index)) = (text(&row[0]), text(&row[1])) else {
            continue;
        };
        let name = match text(&row[4]) {
            Some(name) => Some(name.to_owned()),
            None => of_expression(tables.get(table), table, index),
        };
        let unique = row[2] == Scalar::Bool(true);
        if let Some(column) = name.and_then(|name| column(tables, table, &name)) {
            column.unique |= unique;
            column.indexed |= !unique && !index.ends_with(KEY_INDEX);
            if row[3] == Scalar::Bool(true) {
                column.primary_key = true;
                column.nullable = false;
            }
        }
    }
}

/// The column that an index of ours is for, by its name.
fn of_expression(found: Option<&Table>, table: &str, index: &str) -> Option<String> {
    let named = |column: &&Column| {
        [".unique", ".index"]
            .iter()
            .any(|ending| POSTGRES.index_name(table, &column.name, ending) == index)
    };
    let column = found?.columns.iter().find(named)?;
    Some(column.name.clone())
}

fn column<'t>(tables: &'t mut IndexMap<String, Table>, table: &str, name: &str) -> Option<&'t mut Column> {
    let table = tables.get_mut(table)?;
    table.columns.iter_mut().find(|column| column.name == name)
}

/// A row of [`KEYS`], with the table that it belongs to.
fn key(row: &[Scalar]) -> Option<(String, ForeignKey)> {
    let action = |cell: &Scalar| match text(cell) {
        Some("r") => Action::Restrict,
        Some("c") => Action::Cascade,
        Some("n") => Action::SetNull,
        Some("d") => Action::SetDefault,
        _ => Action::NoAction,
    };
    let key = ForeignKey {
        column: text(&row[1])?.to_owned(),
        foreign_table: text(&row[2])?.to_owned(),
        foreign_column: text(&row[3])?.to_owned(),
        on_update: action(&row[4]),
        on_delete: action(&row[5]),
    };
    Some((text(&row[0])?.to_owned(), key))
}

/// The foreign keys that point to a table, each with the table that it belongs to.
pub(super) async fn pointing_to(
    connection: &Connection,
    table: &str,
) -> Result<Vec<(String, ForeignKey)>, Failure> {
    let query = format!(
        "{KEYS} WHERE {MEANT} AND {OF_ONE_COLUMN} AND f.relname = $1::name AND pg_table_is_visible(f.oid) ORDER BY k.oid"
    );
    let rows = connection.ask(&query, &[Scalar::from(table)]).await?;
    Ok(rows.iter().filter_map(key).collect())
}

/// The columns of a constraint or an index, by its name.
pub(super) async fn columns_of(
    connection: &Connection,
    table: &str,
    name: &str,
) -> Result<Vec<String>, Failure> {
    const QUERY: &str = "SELECT a.attname::text FROM pg_index AS i JOIN pg_class AS n ON n.oid = i.indexrelid \
         JOIN pg_class AS c ON c.oid = i.indrelid CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, position) \
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number \
         WHERE c.relname = $1::text AND n.relname = $2::text AND pg_table_is_visible(c.oid) AND k.position <= i.indnkeyatts \
         ORDER BY k.position";
    let values = [Scalar::from(table), Scalar::from(name)];
    let rows = connection.ask(QUERY, &values).await?;
    let columns: Vec<String> = rows
        .iter()
        .filter_map(|row| text(&row[0]).map(str::to_owned))
        .collect();
    if !columns.is_empty() {
        return Ok(columns);
    }
    let tables = tables(connection, Some(table)).await?;
    Ok(of_expression(tables.get(table), table, name)
        .into_iter()
        .collect())
}

/// Whether a table or view has this name, in any case.
pub(super) async fn is_taken(connection: &Connection, name: &str) -> Result<bool, Failure> {
    const QUERY: &str = "SELECT EXISTS (SELECT 1 FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
         AND pg_table_is_visible(c.oid) AND lower(c.relname) = lower($1::text))";
    let rows = connection.ask(QUERY, &[Scalar::from(name)]).await?;
    Ok(rows.cells.first() == Some(&Scalar::Bool(true)))
}

/// The indexes of a table that cover a column.
pub(super) async fn indexes_of(
    connection: &Connection,
    table: &str,
    column: &str,
) -> Result<Vec<Index>, Failure> {
    const QUERY: &str = "SELECT n.relname::text, i.indisunique, i.indnkeyatts = 1 AND i.indpred IS NULL, \
         (SELECT k.conname::text FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid \
          AND k.contype IN ('p', 'u', 'x')), \
         $2::text = ANY (SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)) \
         FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS n ON n.oid = i.indexrelid \
         WHERE c.relname = $1::text AND pg_table_is_visible(c.oid)";
    let values = [Scalar::from(table), Scalar::from(column)];
    let rows = connection.ask(QUERY, &values).await?;
    let ours = [".unique", ".index"].map(|ending| POSTGRES.index_name(table, column, ending));
    let indexes = rows.iter().filter_map(|row| {
        let name = text(&row[0])?.to_owned();
        let covers = row[4] == Scalar::Bool(true) || ours.contains(&name);
        let drop = match text(&row[3]) {
            Some(constraint) => format!(
                "ALTER TABLE {} DROP CONSTRAINT {}",
                quoted(&POSTGRES, table),
                quoted(&POSTGRES, constraint)
            ),
            None => format!("DROP INDEX {}", quoted(&POSTGRES, &name)),
        };
        covers.then(|| Index {
            name,
            unique: row[1] == Scalar::Bool(true),
            alone: row[2] == Scalar::Bool(true),
            drop: Some(drop),
        })
    });
    Ok(indexes.collect())
}

/// The names of the constraints of one sort (`f`: foreign keys, `c`: rules) that are about one column alone, with
/// their definitions.
pub(super) async fn constraints_of(
    connection: &Connection,
    table: &str,
    column: &str,
    sort: &str,
) -> Result<Vec<(String, String)>, Failure> {
    const QUERY: &str = "SELECT k.conname::text, pg_get_constraintdef(k.oid) FROM pg_constraint AS k \
         JOIN pg_class AS c ON c.oid = k.conrelid \
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
         WHERE c.relname = $1::text AND pg_table_is_visible(c.oid) AND a.attname = $2::text AND k.contype::text = $3::text \
         AND cardinality(k.conkey) = 1";
    let values = [Scalar::from(table), Scalar::from(column), Scalar::from(sort)];
    let rows = connection.ask(QUERY, &values).await?;
    let names = rows
        .iter()
        .filter_map(|row| Some((text(&row[0])?.to_owned(), text(&row[1])?.to_owned())));
    Ok(names.collect())
}

/// What is committed, or what the transaction of the connection sees.
pub(super) async fn versions(connection: &Connection) -> Result<Versions, Failure> {
    const QUERY: &str = "SELECT version, rules, people FROM loggia_schema_version WHERE id = 1";
    let rows = connection.ask(QUERY, &[]).await?;
    Ok(of_row(&rows))
}

/// The versions in a row.
pub(super) fn of_row(rows: &Rows) -> Versions {
    let number = |at: usize| match rows.cells.get(at) {
        Some(Scalar::Int(number)) => number.unsigned_abs(),
        _ => 0,
    };
    Versions {
        schema: number(0),
        rules: number(1),
        people: number(2),
    }
}

/// The last key that was counted, by table.
pub(super) async fn counters(connection: &Connection) -> Result<IndexMap<String, i64>, Failure> {
    let query = format!(
        "SELECT q.relname, q.last FROM (SELECT c.relname::text, pg_sequence_last_value(pg_get_serial_sequence( \
         quote_ident(c.relname), a.attname)::regclass) AS last FROM pg_class AS c \
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE {MEANT} AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL) AS q \
         WHERE q.last > 0"
    );
    let rows = connection.ask(&query, &[]).await?;
    let counters = rows.iter().filter_map(|row| match row {
        [Scalar::Text(table), Scalar::Int(last)] => Some((table.clone(), *last)),
        _ => None,
    });
    Ok(counters.collect())
}

/// Whether there is such a table.
pub(super) async fn has_table(connection: &Connection, name: &str) -> Result<bool, Failure> {
    const QUERY: &str = "SELECT to_regclass(quote_ident($1::text)) IS NOT NULL";
    let rows = connection.ask(QUERY, &[Scalar::from(name)]).await?;
    Ok(rows.cells.first() == Some(&Scalar::Bool(true)))
}

/// Rows that point nowhere, which the server lets in only where somebody has switched its checks off; and what it has
/// not finished.
pub(super) async fn check(connection: &Connection) -> Result<Vec<Finding>, Failure> {
    const UNFINISHED: &str = "SELECT c.relname::text, format('the index %s is not valid: make it anew', n.relname) \
         FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS n ON n.oid = i.indexrelid \
         WHERE NOT i.indisvalid AND pg_table_is_visible(c.oid) AND c.relkind = 'r' \
         UNION ALL SELECT c.relname::text, format('the rule %s has not been checked on all rows', k.conname) \
         FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid \
         WHERE NOT k.convalidated AND pg_table_is_visible(c.oid)";
    let mut findings = Vec::new();
    let unfinished = connection.ask(UNFINISHED, &[]).await?;
    for row in unfinished.iter() {
        findings.push(Finding {
            table: text(&row[0]).map(str::to_owned),
            what: text(&row[1]).unwrap_or_default().to_owned(),
            weight: Weight::Bad,
        });
    }
    let tables = tables(connection, None).await?;
    let mut dangling: HashMap<(&str, &str), u64> = HashMap::new();
    for (name, table) in &tables {
        for key in &table.foreign_keys {
            let [table, column, foreign_table, foreign_column] =
                [name, &key.column, &key.foreign_table, &key.foreign_column]
                    .map(|name| quoted(&POSTGRES, name));
            let query = format!(
                "SELECT COUNT(*) FROM {table} AS p WHERE p.{column} IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM {foreign_table} AS t WHERE t.{foreign_column} = p.{column})"
            );
            let count = connection.ask(&query, &[]).await?.count();
            *dangling.entry((name, &key.foreign_table)).or_default() += count;
        }
    }
    let mut dangling: Vec<_> = dangling.into_iter().filter(|(_, count)| *count > 0).collect();
    dangling.sort_unstable();
    findings.extend(dangling.into_iter().map(|((table, parent), count)| Finding {
        table: Some(table.to_owned()),
        what: format!("{count} row(s) point to nothing in {parent}"),
        weight: Weight::Bad,
    }));
    Ok(findings)
}
