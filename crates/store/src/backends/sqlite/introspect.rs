//! What a file holds: tables, columns, keys, as SQLite describes them.
//!
//! Left out: virtual tables and their shadows, SQLite's own tables and the store's. Foreign keys of several columns are
//! left out too, and a primary key of several columns counts as none.

use std::collections::HashMap;

use indexmap::IndexMap;
use loggia_model::StorageKind;
use loggia_model::schema::{Action, Column, ForeignKey, Table};
use rusqlite::{Connection, Row};

use super::dialect::SQLITE;
use super::table_text::TableText;
use super::{failure, types};
use crate::change::{Index, KEY_INDEX, quoted};
use crate::lower::ddl;
use crate::store::{Finding, Weight};
use crate::{Error, Versions, migrations};

/// How many findings of one kind are told.
const MOST_FINDINGS: usize = 100;

/// `FROM …` of the tables, as `s`, joined with what describes them; `?1` chooses one of them, NULL all.
///
/// The schema has no index on names, so nothing is joined with it by name: each part costs as much as there is to say.
fn from(joined: &str) -> String {
    format!(
        "FROM sqlite_schema AS s {joined} WHERE s.type = 'table' AND (?1 IS NULL OR s.name = ?1) \
         AND s.sql NOT LIKE 'CREATE VIRTUAL%' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND s.name NOT IN ('loggia_schema_version', 'loggia_migrations', 'loggia_leases')"
    )
}

/// All tables by name, in the order in which they were made, and all views behind them.
pub(super) fn tables(connection: &Connection) -> Result<IndexMap<String, Table>, Error> {
    let mut tables = read_tables(connection, None).map_err(failure::of)?;
    tables.extend(read_views(connection).map_err(failure::of)?);
    Ok(tables)
}

/// One table by its exact name.
pub(super) fn table(connection: &Connection, name: &str) -> Result<Option<Table>, Error> {
    let mut tables = read_tables(connection, Some(name)).map_err(failure::of)?;
    Ok(tables.swap_remove(name))
}

fn read_tables(connection: &Connection, only: Option<&str>) -> rusqlite::Result<IndexMap<String, Table>> {
    // Of all tables, whichever are asked for: foreign keys name them as they like.
    let mut kinds: HashMap<String, (String, bool)> = HashMap::new();
    let mut statement =
        connection.prepare_cached("SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        kinds.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
    }
    let mut raw: IndexMap<String, Vec<RawColumn>> = IndexMap::new();
    let text = format!(
        "SELECT s.name, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, x.hidden, instr(s.sql, '{}') {} \
         ORDER BY s.rowid, x.cid",
        types::LARGE_COUNTED_KEY,
        from("JOIN pragma_table_xinfo(s.name) AS x")
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query([only])?;
    while let Some(row) = rows.next()? {
        raw.entry(row.get(0)?).or_default().push(RawColumn::read(row)?);
    }
    let mut tables = IndexMap::with_capacity(raw.len());
    for (name, columns) in raw {
        // The shadows of virtual tables are of another kind.
        let Some((_, without_rowid)) = kinds.get(&name).filter(|(kind, _)| kind == "table") else {
            continue;
        };
        let keys = columns.iter().filter(|column| column.key > 0).count();
        let columns = columns
            .into_iter()
            // 1: a hidden column of a virtual table.
            .filter(|column| column.hidden != 1)
            .map(|column| column.into_column(keys == 1, *without_rowid))
            .collect();
        let table = Table {
            columns,
            ..Table::default()
        };
        tables.insert(name, table);
    }
    read_indexes(connection, only, &mut tables)?;
    read_uniques(connection, only, &mut tables)?;
    read_choices(connection, only, &mut tables)?;
    let names: HashMap<_, _> = kinds
        .into_keys()
        .map(|name| (name.to_ascii_lowercase(), name))
        .collect();
    let text = format!(
        "SELECT s.name, {KEY} {} GROUP BY s.rowid, fk.id {KEY_ORDER}",
        from(KEYS)
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query([only])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if let Some(table) = tables.get_mut(&name) {
            table.foreign_keys.push(read_key(row, &names)?);
        }
    }
    Ok(tables)
}

/// The views, with what SQLite makes of the types of their columns. One that does not work (its tables have gone) is
/// left out, and keeps no other from being read.
fn read_views(connection: &Connection) -> rusqlite::Result<IndexMap<String, Table>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY rowid")?;
    let names: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut views = IndexMap::new();
    for name in names {
        let columns = connection
            .prepare_cached(
                "SELECT ?1, x.name, x.type, x.\"notnull\", x.dflt_value, 0, 0, 0 FROM pragma_table_xinfo(?1) AS x",
            )
            .and_then(|mut statement| {
                let columns = statement.query_map([&name], RawColumn::read)?;
                columns.collect::<rusqlite::Result<Vec<_>>>()
            });
        let columns = match columns {
            Ok(columns) => columns,
            Err(error) => {
                tracing::warn!(%error, view = name, "a view does not work and is left out");
                continue;
            }
        };
        let view = Table {
            columns: columns
                .into_iter()
                .map(|column| column.into_column(false, true))
                .collect(),
            view: true,
            ..Table::default()
        };
        views.insert(name, view);
    }
    Ok(views)
}

/// A row of `pragma_table_xinfo`.
struct RawColumn {
    name: String,
    declared: String,
    not_null: bool,
    default: Option<String>,
    /// Position in the primary key, from 1; 0: not in it.
    key: i64,
    /// 2 and 3: generated.
    hidden: i64,
    /// The key of its table, where SQLite counts it, may go beyond 32 bits.
    counts_far: bool,
}

impl RawColumn {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(1)?,
            declared: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            not_null: row.get(3)?,
            default: row.get(4)?,
            key: row.get(5)?,
            hidden: row.get(6)?,
            counts_far: row.get::<_, i64>(7)? > 0,
        })
    }

    fn into_column(self, single_key: bool, without_rowid: bool) -> Column {
        let declared = types::read(&self.declared);
        let primary_key = self.key > 0 && single_key;
        // SQLite's rule: exactly this word, in a table with row ids.
        let counted = primary_key && !without_rowid && self.declared.eq_ignore_ascii_case("integer");
        let kind = if counted && self.counts_far {
            StorageKind::BigInteger
        } else {
            declared.kind
        };
        Column {
            nullable: !self.not_null && !primary_key,
            default: types::read_default(self.default.as_deref(), kind),
            unique: primary_key,
            indexed: false,
            primary_key,
            auto_increment: counted,
            max_length: declared.max_length,
            precision: declared.precision,
            scale: declared.scale,
            generated: matches!(self.hidden, 2 | 3),
            collation: None,
            choices: Vec::new(),
            comment: None,
            name: self.name,
            kind,
            data_type: declared.name,
        }
    }
}

fn read_indexes(
    connection: &Connection,
    only: Option<&str>,
    tables: &mut IndexMap<String, Table>,
) -> rusqlite::Result<()> {
    let text = format!(
        "SELECT s.name, il.name, il.\"unique\", MIN(ii.name) {} AND il.partial = 0 \
         GROUP BY s.rowid, il.seq HAVING COUNT(*) = 1",
        from("JOIN pragma_index_list(s.name) AS il JOIN pragma_index_info(il.name) AS ii")
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query([only])?;
    while let Some(row) = rows.next()? {
        let (table, index, unique): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // NULL: an expression.
        let Some(name) = row.get::<_, Option<String>>(3)? else {
            continue;
        };
        let column = tables
            .get_mut(&table)
            .and_then(|table| table.columns.iter_mut().find(|column| column.name == name));
        if let Some(column) = column {
            column.unique |= unique;
            column.indexed |= !unique && !index.ends_with(KEY_INDEX);
        }
    }
    Ok(())
}

/// The values that checks list.
fn read_choices(
    connection: &Connection,
    only: Option<&str>,
    tables: &mut IndexMap<String, Table>,
) -> rusqlite::Result<()> {
    let text = format!("SELECT s.name, s.sql {} AND s.sql LIKE '%CHECK%'", from(""));
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query([only])?;
    while let Some(row) = rows.next()? {
        let (name, text): (String, String) = (row.get(0)?, row.get(1)?);
        let Some((table, text)) = tables.get_mut(&name).zip(TableText::parse(&text)) else {
            continue;
        };
        for (column, values) in text.listed() {
            let named = |known: &&mut Column| known.name.eq_ignore_ascii_case(&column);
            if let Some(known) = table.columns.iter_mut().find(named)
                && known.kind.is_textual()
            {
                known.choices = values.into_iter().map(Into::into).collect();
            }
        }
    }
    Ok(())
}

/// Several columns that are unique together; not where an expression is among them.
fn read_uniques(
    connection: &Connection,
    only: Option<&str>,
    tables: &mut IndexMap<String, Table>,
) -> rusqlite::Result<()> {
    let text = format!(
        "SELECT s.name, il.name, ii.name {} AND il.\"unique\" = 1 AND il.partial = 0 ORDER BY s.rowid, il.seq DESC, ii.seqno",
        from("JOIN pragma_index_list(s.name) AS il JOIN pragma_index_info(il.name) AS ii")
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query([only])?;
    let mut found: IndexMap<(String, String), Vec<Option<String>>> = IndexMap::new();
    while let Some(row) = rows.next()? {
        found
            .entry((row.get(0)?, row.get(1)?))
            .or_default()
            .push(row.get(2)?);
    }
    for ((table, _), columns) in found {
        let columns: Option<Vec<_>> = columns.into_iter().collect();
        if let Some((table, columns)) = tables.get_mut(&table).zip(columns)
            && columns.len() > 1
        {
            table.uniques.push(columns);
        }
    }
    Ok(())
}

/// What is not shown of the tables that are there, by table.
pub(super) fn left_out(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let text = format!(
        "SELECT s.name, 'its foreign key of several columns to ' || fk.\"table\" || ' makes no relation' {} \
         GROUP BY s.rowid, fk.id HAVING COUNT(*) > 1",
        from(KEYS)
    );
    let mut statement = connection.prepare(&text)?;
    let mut found: Vec<(String, String)> = statement
        .query_map([None::<&str>], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare(
        "SELECT name, 'a virtual table is no collection' FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'",
    )?;
    let virtual_tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in virtual_tables {
        found.push(row?);
    }
    Ok(found)
}

/// The foreign keys of the tables, as `fk`.
const KEYS: &str = "JOIN pragma_foreign_key_list(s.name) AS fk";
/// What is read of each; without a column, the primary key of the table pointed to is meant.
const KEY: &str = "fk.\"from\", fk.\"table\", \
     COALESCE(fk.\"to\", (SELECT p.name FROM pragma_table_info(fk.\"table\") AS p WHERE p.pk = 1), ''), \
     fk.on_update, fk.on_delete";
/// Of one column each, in the order in which they were declared.
const KEY_ORDER: &str = "HAVING COUNT(*) = 1 ORDER BY s.rowid, fk.id DESC";

/// Reads [`KEY`]; `names` has the tables' names by what they are in lower case: SQLite's names do not depend on case,
/// ours do.
fn read_key(row: &Row<'_>, names: &HashMap<String, String>) -> rusqlite::Result<ForeignKey> {
    let target: String = row.get(2)?;
    let action = |position: usize| -> rusqlite::Result<Action> {
        Ok(Action::parse(&row.get::<_, String>(position)?).unwrap_or_default())
    };
    Ok(ForeignKey {
        column: row.get(1)?,
        foreign_table: names.get(&target.to_ascii_lowercase()).cloned().unwrap_or(target),
        foreign_column: row.get(3)?,
        on_update: action(4)?,
        on_delete: action(5)?,
    })
}

/// The foreign keys that point to a table, each with the table that it belongs to.
pub(super) fn pointing_to(
    connection: &Connection,
    table: &str,
) -> rusqlite::Result<Vec<(String, ForeignKey)>> {
    let text = format!(
        "SELECT s.name, {KEY} {} AND fk.\"table\" = ?2 COLLATE NOCASE GROUP BY s.rowid, fk.id {KEY_ORDER}",
        from(KEYS)
    );
    let names = HashMap::from([(table.to_ascii_lowercase(), table.to_owned())]);
    let mut statement = connection.prepare_cached(&text)?;
    let keys = statement.query_map((None::<&str>, table), |row| {
        Ok((row.get(0)?, read_key(row, &names)?))
    })?;
    keys.collect()
}

/// Whether a table or view has this name, in any case.
pub(super) fn is_taken(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let text = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE)";
    connection
        .prepare_cached(text)?
        .query_row([name], |row| row.get(0))
}

/// The indexes of a table that cover a column.
pub(super) fn indexes_of(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<Vec<Index>> {
    let mut statement = connection.prepare(
        "SELECT il.name, il.\"unique\", il.origin, il.partial, \
         (SELECT COUNT(*) FROM pragma_index_info(il.name)) AS width \
         FROM pragma_index_list(?1) AS il \
         WHERE EXISTS (SELECT 1 FROM pragma_index_info(il.name) AS ii WHERE ii.name = ?2)",
    )?;
    let indexes = statement.query_map([table, column], |row| {
        let name: String = row.get(0)?;
        // Made by a statement of its own, so it can be dropped by one.
        let made_by_create_index = row.get::<_, String>(2)? == "c";
        Ok(Index {
            drop: made_by_create_index.then(|| format!("DROP INDEX {}", quoted(&SQLITE, &name))),
            name,
            unique: row.get(1)?,
            alone: !row.get::<_, bool>(3)? && row.get::<_, i64>(4)? == 1,
        })
    })?;
    indexes.collect()
}

/// Makes the store's own tables where they are missing: the schema's version, and the migrations that ran.
pub(super) fn make_own_tables(connection: &Connection) -> rusqlite::Result<()> {
    let made: i64 = connection.query_row(
        "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('loggia_schema_version', 'loggia_migrations', 'loggia_leases')",
        [],
        |row| row.get(0),
    )?;
    if made == 3 {
        return Ok(());
    }
    let own = migrations::own_tables().map(|table| {
        let columns: Vec<_> = table
            .fields
            .values()
            .filter_map(|field| field.column.clone())
            .collect();
        ddl::create_table(&SQLITE, &table.name, &columns, &[]).replacen(
            "CREATE TABLE",
            "CREATE TABLE IF NOT EXISTS",
            1,
        )
    });
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; \
         CREATE TABLE IF NOT EXISTS loggia_schema_version (id INTEGER PRIMARY KEY, version BIGINT NOT NULL, \
         rules BIGINT NOT NULL DEFAULT 0, people BIGINT NOT NULL DEFAULT 0); \
         INSERT OR IGNORE INTO loggia_schema_version (id, version) VALUES (1, 0); \
         {}",
        own.join("; ")
    ))?;
    // A file of before there were so many versions has fewer columns.
    for name in ["rules", "people"] {
        if !connection.column_exists(None, "loggia_schema_version", name)? {
            connection.execute_batch(&format!(
                "ALTER TABLE loggia_schema_version ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0"
            ))?;
        }
    }
    connection.execute_batch("COMMIT")
}

/// What is committed, or what the transaction of the connection sees.
pub(super) fn versions(connection: &Connection) -> rusqlite::Result<Versions> {
    let mut statement =
        connection.prepare_cached("SELECT version, rules, people FROM loggia_schema_version WHERE id = 1")?;
    statement.query_row([], |row| {
        let number = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(Versions {
            schema: number(0)?,
            rules: number(1)?,
            people: number(2)?,
        })
    })
}

/// Counts the schema's version up.
pub(super) fn bump_version(connection: &Connection) -> Result<(), Error> {
    super::connection::command(
        connection,
        "UPDATE loggia_schema_version SET version = version + 1 WHERE id = 1",
    )
}

/// The last key that was counted, by table.
pub(super) fn counters(connection: &Connection) -> rusqlite::Result<IndexMap<String, i64>> {
    // Made with the first table that counts.
    if !has_table(connection, "sqlite_sequence")? {
        return Ok(IndexMap::new());
    }
    let mut statement = connection.prepare("SELECT name, seq FROM sqlite_sequence WHERE seq > 0")?;
    let counters = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    counters.collect()
}

/// Whether another program declared foreign keys that are checked only at commit.
pub(super) fn has_deferred_keys(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT COUNT(*) > 0 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%DEFERRED%'",
        [],
        |row| row.get(0),
    )
}

/// Whether there is such a table.
pub(super) fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let text = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)";
    connection
        .prepare_cached(text)?
        .query_row([name], |row| row.get(0))
}

/// Damage to the file, and rows that point nowhere.
pub(super) fn check(connection: &Connection) -> Result<Vec<Finding>, Error> {
    let read = || -> rusqlite::Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MOST_FINDINGS})"))?;
        for line in statement.query_map([], |row| row.get::<_, String>(0))? {
            let what = line?;
            if what != "ok" {
                findings.push(Finding {
                    table: None,
                    what,
                    weight: Weight::Bad,
                });
            }
        }
        let mut statement = connection.prepare(
            "SELECT \"table\", parent, COUNT(*) FROM pragma_foreign_key_check GROUP BY \"table\", parent",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (parent, count): (String, i64) = (row.get(1)?, row.get(2)?);
            findings.push(Finding {
                table: Some(row.get(0)?),
                what: format!("{count} row(s) point to nothing in {parent}"),
                weight: Weight::Bad,
            });
        }
        Ok(findings)
    };
    read().map_err(failure::of)
}
