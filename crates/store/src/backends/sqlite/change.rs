//! Changes of tables, inside the transaction that also changes the rows about them.
//!
//! SQLite can add and drop a column, but not alter one, nor add or drop a foreign key. Building the table anew would
//! mean to drop the old one, and with foreign keys on (they cannot be switched off inside a transaction) that deletes
//! its rows and cascades to every table that points to it. So the table's text is changed in place, by the procedure
//! that SQLite documents under `ALTER TABLE` ("Making Other Kinds Of Table Schema Changes"): rows, indexes, triggers,
//! counters and the foreign keys of others stay untouched. The new text is tried out on a table of its own first,
//! and the rows are checked against it before it counts.

use loggia_model::plan::{SchemaPlan, SchemaStep};
use loggia_model::schema::{Column, Default, ForeignKey, Table};
use loggia_model::{Clock, Scalar};
use rusqlite::{Connection, ErrorCode};

use super::connection::Bound;
use super::dialect::SQLITE;
use super::table_text::TableText;
use super::{conversion, failure, introspect, types};
use crate::lower::{Dialect as _, ddl};
use crate::{Error, answer};

/// A table for trying out a text.
const TRIAL: &str = "\"loggia_trial\"";

/// Runs the steps of a plan, in order, and counts the schema's version up. The caller undoes all of it when one fails.
pub(super) fn run(connection: &Connection, plan: &SchemaPlan, clock: &Clock) -> Result<(), Error> {
    for step in &plan.steps {
        self::step(connection, step, clock)?;
    }
    for step in &plan.steps {
        match step {
            SchemaStep::CreateTable {
                table, foreign_keys, ..
            } => {
                for key in foreign_keys {
                    check_target(connection, table, key)?;
                }
            }
            SchemaStep::AddForeignKey { table, key } => check_target(connection, table, key)?,
            _ => {}
        }
    }
    introspect::bump_version(connection)
}

fn step(connection: &Connection, step: &SchemaStep, clock: &Clock) -> Result<(), Error> {
    match step {
        SchemaStep::CreateTable {
            table,
            columns,
            foreign_keys,
        } => create_table(connection, table, columns, foreign_keys),
        SchemaStep::DropTable { table } => drop_table(connection, table),
        SchemaStep::AddColumn { table, column } => Target::find(connection, table)?.add_column(column, clock),
        SchemaStep::AlterColumn { table, column } => Target::find(connection, table)?.alter_column(column),
        SchemaStep::DropColumn { table, column } => Target::find(connection, table)?.drop_column(column),
        SchemaStep::AddForeignKey { table, key } => Target::find(connection, table)?.add_foreign_key(key),
        SchemaStep::DropForeignKey { table, column } => {
            Target::find(connection, table)?.drop_foreign_key(column)
        }
    }
}

fn create_table(
    connection: &Connection,
    table: &str,
    columns: &[Column],
    foreign_keys: &[ForeignKey],
) -> Result<(), Error> {
    if introspect::is_taken(connection, table).map_err(failure::of)? {
        return Err(refused(
            table,
            None,
            format!("A table \"{table}\" exists already."),
        ));
    }
    execute(
        connection,
        table,
        &ddl::create_table(&SQLITE, table, columns, foreign_keys),
    )?;
    for column in columns {
        make_index(connection, table, column)?;
    }
    for key in foreign_keys {
        make_key_index(connection, table, key)?;
    }
    Ok(())
}

fn drop_table(connection: &Connection, table: &str) -> Result<(), Error> {
    let target = Target::find(connection, table)?;
    let pointing = introspect::pointing_to(connection, table).map_err(failure::of)?;
    if let Some((by, key)) = pointing.iter().find(|(by, _)| by != table) {
        let reason = format!(
            "\"{by}\" still points to \"{table}\" by \"{}\": remove that relation first.",
            key.column
        );
        return Err(refused(table, None, reason));
    }
    // A table that points to itself could refuse to let go of its own rows.
    for (_, key) in pointing {
        target.edit(|text| text.drop_foreign_key(&key.column))?;
    }
    execute(connection, table, &format!("DROP TABLE {}", quoted(table)))
}

/// A foreign key must point to a column that tells rows apart, or every later write would fail.
fn check_target(connection: &Connection, table: &str, key: &ForeignKey) -> Result<(), Error> {
    let found = introspect::table(connection, &key.foreign_table)?;
    let target = found
        .iter()
        .flat_map(|target| &target.columns)
        .find(|column| column.name == key.foreign_column);
    let reason = match target {
        Some(column) if column.unique => return Ok(()),
        Some(_) => "is not unique",
        None => "does not exist",
    };
    let reason = format!(
        "\"{}\" cannot point to \"{}\" of \"{}\": that {reason}.",
        key.column, key.foreign_column, key.foreign_table
    );
    Err(refused(table, Some(&key.column), reason))
}

/// A table that is being changed.
struct Target<'c> {
    connection: &'c Connection,
    name: &'c str,
    table: Table,
}

impl<'c> Target<'c> {
    fn find(connection: &'c Connection, name: &'c str) -> Result<Self, Error> {
        let table = introspect::table(connection, name)?;
        let table = table.ok_or_else(|| refused(name, None, format!("There is no table \"{name}\".")))?;
        Ok(Self {
            connection,
            name,
            table,
        })
    }

    fn column(&self, name: &str) -> Result<&Column, Error> {
        let column = self.table.columns.iter().find(|column| column.name == name);
        column.ok_or_else(|| self.refused(name, format!("\"{}\" has no column \"{name}\".", self.name)))
    }

    fn refused(&self, column: &str, reason: String) -> Error {
        refused(self.name, Some(column), reason)
    }

    /// A count of rows.
    fn count(&self, condition: &str) -> Result<u64, Error> {
        let text = format!("SELECT COUNT(*) FROM {} WHERE {condition}", quoted(self.name));
        let count = self.connection.query_row(&text, [], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(failure::of)
    }

    fn execute(&self, text: &str) -> Result<(), Error> {
        execute(self.connection, self.name, text)
    }

    fn add_column(&self, column: &Column, clock: &Clock) -> Result<(), Error> {
        let exists = |other: &Column| other.name.eq_ignore_ascii_case(&column.name);
        if self.table.columns.iter().any(exists) {
            let reason = format!("\"{}\" has a column \"{}\" already.", self.name, column.name);
            return Err(self.refused(&column.name, reason));
        }
        if column.primary_key || column.auto_increment {
            let reason = format!(
                "\"{}\" has its primary key already; another cannot be added.",
                self.name
            );
            return Err(self.refused(&column.name, reason));
        }
        let rows = self.count("1 = 1")?;
        let empty = matches!(column.default, Default::None | Default::Value(Scalar::Null));
        if rows > 0 && empty && !column.nullable {
            return Err(Error::ContainsNulls {
                table: self.name.to_owned(),
                column: column.name.clone(),
                rows,
            });
        }
        let add = |column: &Column| {
            let definition = ddl::column(&SQLITE, column);
            self.execute(&format!(
                "ALTER TABLE {} ADD COLUMN {definition}",
                quoted(self.name)
            ))
        };
        if rows > 0 && column.default == Default::Now {
            // SQLite adds no column whose default differs from row to row, so it is filled and then declared.
            add(&Column {
                nullable: true,
                default: Default::None,
                ..column.clone()
            })?;
            self.fill(&column.name, &answer::now(clock, column.kind))?;
            self.edit(|text| define(text, column))?;
        } else {
            add(column)?;
        }
        make_index(self.connection, self.name, column)
    }

    fn fill(&self, column: &str, value: &Scalar) -> Result<(), Error> {
        let text = format!("UPDATE {} SET {} = ?", quoted(self.name), quoted(column));
        self.connection
            .execute(&text, [Bound(value)])
            .map(|_| ())
            .map_err(failure::of)
    }

    fn alter_column(&self, new: &Column) -> Result<(), Error> {
        let old = self.column(&new.name)?;
        if old.primary_key || new.primary_key {
            if (old.primary_key, old.kind, old.auto_increment)
                == (new.primary_key, new.kind, new.auto_increment)
            {
                return Ok(());
            }
            let reason = format!(
                "The primary key \"{}\" of \"{}\" cannot be changed.",
                new.name, self.name
            );
            return Err(self.refused(&new.name, reason));
        }
        if old.generated {
            let reason = format!(
                "\"{}\" of \"{}\" is worked out by the database.",
                new.name, self.name
            );
            return Err(self.refused(&new.name, reason));
        }
        if old.nullable && !new.nullable {
            let rows = self.count(&format!("{} IS NULL", quoted(&new.name)))?;
            if rows > 0 {
                return Err(Error::ContainsNulls {
                    table: self.name.to_owned(),
                    column: new.name.clone(),
                    rows,
                });
            }
        }
        let size = |column: &Column| (column.kind, column.max_length, column.precision, column.scale);
        let retyped = size(old) != size(new);
        if retyped || old.nullable != new.nullable || old.default != new.default {
            self.edit(|text| redefine(text, old, new))?;
        }
        if retyped {
            // The text decides how values are kept and compared: the indexes follow it before the values do.
            self.execute(&format!("REINDEX {}", quoted(self.name)))?;
            conversion::run(self.connection, self.name, old, new)?;
        }
        self.reindex(old, new)
    }

    /// Makes and drops the indexes of a column.
    fn reindex(&self, old: &Column, new: &Column) -> Result<(), Error> {
        let plain = |column: &Column| column.indexed && !column.unique;
        if old.unique == new.unique && plain(old) == plain(new) {
            return Ok(());
        }
        self.drop_indexes(&new.name, |index| {
            index.alone && (index.unique || !index.name.ends_with(introspect::KEY_INDEX))
        })?;
        if new.unique {
            self.check_duplicates(&new.name)?;
        }
        make_index(self.connection, self.name, new)
    }

    fn check_duplicates(&self, column: &str) -> Result<(), Error> {
        let (table, name) = (quoted(self.name), quoted(column));
        let text = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {name} IS NOT NULL GROUP BY {name} HAVING COUNT(*) > 1)"
        );
        let values = self.connection.query_row(&text, [], |row| row.get::<_, i64>(0));
        match values.map_err(failure::of)? {
            0 => Ok(()),
            values => Err(Error::ContainsDuplicates {
                table: self.name.to_owned(),
                column: column.to_owned(),
                values: values.unsigned_abs(),
            }),
        }
    }

    /// Drops the indexes that cover a column and that `which` chooses.
    fn drop_indexes(&self, column: &str, which: impl Fn(&introspect::Index) -> bool) -> Result<(), Error> {
        for index in introspect::indexes_of(self.connection, self.name, column).map_err(failure::of)? {
            if !which(&index) {
                continue;
            }
            if !index.made_by_create_index {
                let reason = format!(
                    "That \"{column}\" is unique is part of the table \"{}\" itself, made by another program; it cannot be changed here.",
                    self.name
                );
                return Err(self.refused(column, reason));
            }
            self.execute(&format!("DROP INDEX {}", quoted(&index.name)))?;
        }
        Ok(())
    }

    fn drop_column(&self, name: &str) -> Result<(), Error> {
        if self.column(name)?.primary_key {
            let reason = format!("\"{name}\" is the primary key of \"{}\".", self.name);
            return Err(self.refused(name, reason));
        }
        let pointing = introspect::pointing_to(self.connection, self.name).map_err(failure::of)?;
        if let Some((by, key)) = pointing.iter().find(|(_, key)| key.foreign_column == name) {
            let reason = format!(
                "\"{by}\" points to it by \"{}\": remove that relation first.",
                key.column
            );
            return Err(self.refused(name, reason));
        }
        if self.table.foreign_keys.iter().any(|key| key.column == name) {
            self.edit(|text| text.drop_foreign_key(name))?;
        }
        self.drop_indexes(name, |_| true)?;
        let (table, column) = (quoted(self.name), quoted(name));
        self.execute(&format!("ALTER TABLE {table} DROP COLUMN {column}"))
    }

    fn add_foreign_key(&self, key: &ForeignKey) -> Result<(), Error> {
        self.column(&key.column)?;
        if self
            .table
            .foreign_keys
            .iter()
            .any(|other| other.column == key.column)
        {
            let reason = format!(
                "\"{}\" of \"{}\" has a foreign key already.",
                key.column, self.name
            );
            return Err(self.refused(&key.column, reason));
        }
        check_target(self.connection, self.name, key)?;
        let (table, column) = (quoted(self.name), quoted(&key.column));
        let rows = self.count(&format!(
            "{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {} AS target WHERE target.{} = {table}.{column})",
            quoted(&key.foreign_table),
            quoted(&key.foreign_column),
        ))?;
        if rows > 0 {
            return Err(Error::Dangling {
                table: self.name.to_owned(),
                column: key.column.clone(),
                foreign_table: key.foreign_table.clone(),
                rows,
            });
        }
        self.edit(|text| text.add_constraint(ddl::foreign_key(&SQLITE, key)))?;
        make_key_index(self.connection, self.name, key)
    }

    fn drop_foreign_key(&self, column: &str) -> Result<(), Error> {
        self.column(column)?;
        if !self.table.foreign_keys.iter().any(|key| key.column == column) {
            let reason = format!("\"{column}\" of \"{}\" has no foreign key.", self.name);
            return Err(self.refused(column, reason));
        }
        self.edit(|text| text.drop_foreign_key(column))?;
        self.drop_indexes(column, |index| index.name.ends_with(introspect::KEY_INDEX))
    }

    /// Changes the table's text in place.
    fn edit(&self, change: impl FnOnce(&mut TableText)) -> Result<(), Error> {
        let find = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?";
        let text: String = self
            .connection
            .query_row(find, [self.name], |row| row.get(0))
            .map_err(failure::of)?;
        let not_understood = || {
            let reason = format!(
                "The table \"{}\" was made in a way that cannot be changed here.",
                self.name
            );
            refused(self.name, None, reason)
        };
        let mut parsed = TableText::parse(&text).ok_or_else(not_understood)?;
        change(&mut parsed);
        self.execute(&parsed.named(TRIAL))?;
        self.execute(&format!("DROP TABLE {TRIAL}"))?;
        self.rewrite(&parsed.to_string()).map_err(failure::of)
    }

    /// SQLite's documented procedure. Counting the version of its schema up makes this connection and all others read
    /// the schema again.
    fn rewrite(&self, text: &str) -> rusqlite::Result<()> {
        let connection = self.connection;
        let version: i64 = connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
        connection.pragma_update(None, "writable_schema", true)?;
        let written = connection.execute(
            "UPDATE sqlite_schema SET sql = ?1 WHERE type = 'table' AND name = ?2",
            [text, self.name],
        );
        let counted = connection.pragma_update(None, "schema_version", version + 1);
        connection.pragma_update(None, "writable_schema", false)?;
        written.and(counted)
    }
}

/// Writes a column's nullability and default into the text.
fn define(text: &mut TableText, column: &Column) {
    if let Some(written) = text.column(&column.name) {
        written.set("NOT", (!column.nullable).then(|| "NOT NULL".to_owned()));
        let default = ddl::default(&SQLITE, column).trim().to_owned();
        written.set("DEFAULT", (!default.is_empty()).then_some(default));
    }
}

/// Writes what differs between two definitions of a column into the text.
fn redefine(text: &mut TableText, old: &Column, new: &Column) {
    let size = |column: &Column| (column.kind, column.max_length, column.precision, column.scale);
    let Some(written) = text.column(&new.name) else {
        return;
    };
    if size(old) != size(new) {
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

/// The index that a column asks for; its primary key has one already.
fn make_index(connection: &Connection, table: &str, column: &Column) -> Result<(), Error> {
    let (word, ending) = match (column.primary_key, column.unique, column.indexed) {
        (false, true, _) => ("UNIQUE INDEX", ".unique"),
        (false, false, true) => ("INDEX", ".index"),
        _ => return Ok(()),
    };
    let index = quoted(&format!("{table}.{}{ending}", column.name));
    let on = format!("{} ({})", quoted(table), quoted(&column.name));
    execute(connection, table, &format!("CREATE {word} {index} ON {on}"))
}

/// Following a relation backwards, and deleting what is pointed to, must not read the whole table.
fn make_key_index(connection: &Connection, table: &str, key: &ForeignKey) -> Result<(), Error> {
    let index = quoted(&format!("{table}.{}{}", key.column, introspect::KEY_INDEX));
    let on = format!("{} ({})", quoted(table), quoted(&key.column));
    execute(
        connection,
        table,
        &format!("CREATE INDEX IF NOT EXISTS {index} ON {on}"),
    )
}

fn quoted(name: &str) -> String {
    let mut text = String::new();
    SQLITE.identifier(&mut text, name);
    text
}

fn refused(table: &str, column: Option<&str>, reason: String) -> Error {
    Error::Schema {
        table: table.to_owned(),
        column: column.map(str::to_owned),
        reason,
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
