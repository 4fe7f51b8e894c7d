//! How SQLite alters tables.
//!
//! It can add and drop a column, but not alter one, nor add or drop a foreign key. Building the table anew would
//! mean to drop the old one, and with foreign keys on (they cannot be switched off inside a transaction) that deletes
//! its rows and cascades to every table that points to it. So the table's text is changed in place, by the procedure
//! that SQLite documents under `ALTER TABLE` ("Making Other Kinds Of Table Schema Changes"): rows, indexes, triggers,
//! counters and the foreign keys of others stay untouched. The new text is tried out on a table of its own first,
//! and the rows are checked against it before it counts.

use loggia_model::Scalar;
use loggia_model::schema::{Column, ForeignKey, Table};
use rusqlite::{Connection, ErrorCode};

use super::connection::Bound;
use super::dialect::SQLITE;
use super::table_text::TableText;
use super::{converting, failure, introspect, types};
use crate::Error;
use crate::change::{Change, Index, Tables, drop_indexes, is_retyped, quoted, refused};
use crate::lower::{Dialect, ddl};

/// A table for trying out a text.
const TRIAL: &str = "\"loggia_trial\"";

/// The writing connection, changing tables.
pub(super) struct Alteration<'c>(pub(super) &'c mut Connection);

impl Tables for Alteration<'_> {
    fn dialect(&self) -> &'static dyn Dialect {
        &SQLITE
    }

    async fn table(&mut self, name: &str) -> Result<Option<Table>, Error> {
        introspect::table(self.0, name)
    }

    async fn is_taken(&mut self, name: &str) -> Result<bool, Error> {
        introspect::is_taken(self.0, name).map_err(failure::of)
    }

    async fn pointing_to(&mut self, table: &str) -> Result<Vec<(String, ForeignKey)>, Error> {
        introspect::pointing_to(self.0, table).map_err(failure::of)
    }

    async fn indexes_of(&mut self, table: &str, column: &str) -> Result<Vec<Index>, Error> {
        introspect::indexes_of(self.0, table, column).map_err(failure::of)
    }

    async fn count(&mut self, text: &str) -> Result<u64, Error> {
        let count = self.0.query_row(text, [], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(failure::of)
    }

    async fn execute(&mut self, table: &str, _: Change<'_>, text: &str) -> Result<(), Error> {
        execute(self.0, table, text)
    }

    async fn fill(&mut self, table: &str, column: &Column, value: &Scalar) -> Result<(), Error> {
        let text = format!(
            "UPDATE {} SET {} = ?",
            quoted(&SQLITE, table),
            quoted(&SQLITE, &column.name)
        );
        let filled = self.0.execute(&text, [Bound(value)]);
        filled.map(|_| ()).map_err(failure::of)
    }

    async fn redefine(&mut self, table: &str, old: &Column, new: &Column) -> Result<(), Error> {
        if old.default != new.default {
            // Rows that are older than the column do not hold it, and are read as if they held its default.
            let (name, column) = (quoted(&SQLITE, table), quoted(&SQLITE, &old.name));
            execute(self.0, table, &format!("UPDATE {name} SET {column} = {column}"))?;
        }
        edit(self.0, table, |text| redefine(text, old, new))?;
        if is_retyped(old, new) {
            // The text decides how values are kept and compared: the indexes follow it before the values do.
            execute(self.0, table, &format!("REINDEX {}", quoted(&SQLITE, table)))?;
            converting::run(self.0, table, old, new)?;
        }
        Ok(())
    }

    async fn drop_column(&mut self, table: &Table, name: &str, column: &str) -> Result<(), Error> {
        if table.foreign_keys.iter().any(|key| key.column == column) {
            edit(self.0, name, |text| text.drop_foreign_key(column))?;
        }
        drop_indexes(self, name, column, |_| true).await?;
        let text = format!(
            "ALTER TABLE {} DROP COLUMN {}",
            quoted(&SQLITE, name),
            quoted(&SQLITE, column)
        );
        execute(self.0, name, &text)
    }

    async fn add_foreign_key(&mut self, table: &str, key: &ForeignKey) -> Result<(), Error> {
        edit(self.0, table, |text| {
            text.add_constraint(ddl::foreign_key(&SQLITE, key));
        })
    }

    async fn drop_foreign_key(&mut self, table: &str, column: &str) -> Result<(), Error> {
        edit(self.0, table, |text| text.drop_foreign_key(column))
    }

    async fn bump_version(&mut self) -> Result<(), Error> {
        introspect::bump_version(self.0)
    }
}

/// Changes a table's text in place.
fn edit(connection: &Connection, table: &str, change: impl FnOnce(&mut TableText)) -> Result<(), Error> {
    let find = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?";
    let text: String = connection
        .query_row(find, [table], |row| row.get(0))
        .map_err(failure::of)?;
    let not_understood = || {
        let reason = format!("The table \"{table}\" was made in a way that cannot be changed here.");
        refused(table, None, reason)
    };
    let mut parsed = TableText::parse(&text).ok_or_else(not_understood)?;
    change(&mut parsed);
    execute(connection, table, &parsed.named(TRIAL))?;
    execute(connection, table, &format!("DROP TABLE {TRIAL}"))?;
    rewrite(connection, table, &parsed.to_string()).map_err(failure::of)
}

/// SQLite's documented procedure. Counting the version of its schema up makes this connection and all others read the
/// schema again.
fn rewrite(connection: &Connection, table: &str, text: &str) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
    connection.pragma_update(None, "writable_schema", true)?;
    let written = connection.execute(
        "UPDATE sqlite_schema SET sql = ?1 WHERE type = 'table' AND name = ?2",
        [text, table],
    );
    let counted = connection.pragma_update(None, "schema_version", version + 1);
    connection.pragma_update(None, "writable_schema", false)?;
    written.and(counted)
}

/// Writes what differs between two definitions of a column into the text.
fn redefine(text: &mut TableText, old: &Column, new: &Column) {
    let Some(written) = text.column(&new.name) else {
        return;
    };
    if is_retyped(old, new) {
        written.declare(&types::declare(new));
    }
    if old.nullable != new.nullable {
        written.set("NULL", None);
        written.set("NOT", (!new.nullable).then(|| "NOT NULL".to_owned()));
    }
    if old.default != new.default || old.kind != new.kind {
        let default = ddl::default(&SQLITE, new).trim().to_owned();
        written.set("DEFAULT", (!default.is_empty()).then_some(default));
    }
}

fn execute(connection: &Connection, table: &str, text: &str) -> Result<(), Error> {
    connection.execute_batch(text).map_err(|error| {
        if error.sqlite_error_code() == Some(ErrorCode::Unknown) {
            tracing::info!(%error, table, "a change of a table was refused");
            let reason = format!(
                "The database refuses to change the table \"{table}\": a view, a trigger or a check in it depends on what would change."
            );
            return refused(table, None, reason);
        }
        failure::of(error)
    })
}
