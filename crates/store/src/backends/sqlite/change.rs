//! Changes of tables, inside the transaction that also changes the rows about them.

use loggia_model::plan::{SchemaPlan, SchemaStep};
use loggia_model::schema::{Column, ForeignKey};
use rusqlite::Connection;

use super::dialect::SQLITE;
use super::{failure, introspect};
use crate::Error;
use crate::lower::{Dialect as _, ddl};

/// Runs the steps of a plan, in order, and counts the schema's version up. The caller undoes all of it when one fails.
pub(super) fn run(connection: &Connection, plan: &SchemaPlan) -> Result<(), Error> {
    for step in &plan.steps {
        self::step(connection, step)?;
    }
    introspect::bump_version(connection)
}

fn step(connection: &Connection, step: &SchemaStep) -> Result<(), Error> {
    match step {
        SchemaStep::CreateTable {
            table,
            columns,
            foreign_keys,
        } => create_table(connection, table, columns, foreign_keys),
        SchemaStep::DropTable { table } => execute(connection, &format!("DROP TABLE {}", quoted(table))),
        SchemaStep::AddColumn { table, column } => add_column(connection, table, column),
        SchemaStep::AlterColumn { table, .. }
        | SchemaStep::DropColumn { table, .. }
        | SchemaStep::AddForeignKey { table, .. }
        | SchemaStep::DropForeignKey { table, .. } => Err(Error::Schema {
            table: table.clone(),
            column: None,
            reason: "this change of a table is not possible".to_owned(),
        }),
    }
}

fn create_table(
    connection: &Connection,
    table: &str,
    columns: &[Column],
    foreign_keys: &[ForeignKey],
) -> Result<(), Error> {
    execute(
        connection,
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

fn add_column(connection: &Connection, table: &str, column: &Column) -> Result<(), Error> {
    let definition = ddl::column(&SQLITE, column);
    execute(
        connection,
        &format!("ALTER TABLE {} ADD COLUMN {definition}", quoted(table)),
    )?;
    make_index(connection, table, column)
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
    execute(connection, &format!("CREATE {word} {index} ON {on}"))
}

/// Following a relation backwards, and deleting what is pointed to, must not read the whole table.
fn make_key_index(connection: &Connection, table: &str, key: &ForeignKey) -> Result<(), Error> {
    let index = quoted(&format!("{table}.{}{}", key.column, introspect::KEY_INDEX));
    let on = format!("{} ({})", quoted(table), quoted(&key.column));
    execute(connection, &format!("CREATE INDEX IF NOT EXISTS {index} ON {on}"))
}

fn quoted(name: &str) -> String {
    let mut text = String::new();
    SQLITE.identifier(&mut text, name);
    text
}

fn execute(connection: &Connection, text: &str) -> Result<(), Error> {
    connection.execute_batch(text).map_err(failure::of)
}
