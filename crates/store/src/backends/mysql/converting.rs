//! Values of a column that takes another type: what they become is worked out here, like everywhere, handed to the server
//! in a table of its own, and put into the new column by one statement.

use std::borrow::Cow;

use loggia_model::Scalar;
use loggia_model::schema::Column;

use super::change::Alteration;
use super::connection::Failure;
use crate::Error;
use crate::answer::Rows;
use crate::change::{Tables as _, quoted, refused};
use crate::conversion::convert;
use crate::lower::Sql;

/// So many rows are read at a time.
const CHUNK: usize = 5_000;
/// So many are handed over by a statement, two values each.
const HANDED: usize = 500;

/// What did not convert.
#[derive(Default)]
struct Failures {
    rows: u64,
    example: Option<String>,
}

/// Converts every value of a column into another one beside it.
pub(super) async fn run(
    on: &mut Alteration<'_>,
    table: &str,
    old: &Column,
    new: &Column,
    beside: &str,
) -> Result<(), Error> {
    let found = on.table(table).await?;
    let primary = found
        .iter()
        .flat_map(|table| &table.columns)
        .find(|column| column.primary_key);
    let Some(primary) = primary else {
        let reason = format!(
            "The table \"{table}\" has no primary key of one column: the types of its columns cannot be changed here."
        );
        return Err(refused(table, Some(&old.name), reason));
    };
    let dialect = on.builder.dialect();
    let [name, key, to] = [table, &primary.name, beside].map(|name| quoted(dialect, name));
    let value = Column {
        primary_key: false,
        auto_increment: false,
        ..new.clone()
    };
    for text in [
        "DROP TEMPORARY TABLE IF EXISTS loggia_converted".to_owned(),
        format!(
            "CREATE TEMPORARY TABLE loggia_converted (v {} NULL, PRIMARY KEY (k)) AS SELECT {key} AS k FROM {name} LIMIT 0",
            dialect.column_type(&value)
        ),
    ] {
        let made = on.builder.command(&text).await;
        on.told(made)?;
    }
    let failures = hand_over(on, table, old, new, primary).await?;
    if let Some(example) = failures.example {
        return Err(Error::Unconvertible {
            table: table.to_owned(),
            column: new.name.clone(),
            to: new.kind,
            rows: failures.rows,
            example,
        });
    }
    for text in [
        format!("UPDATE {name} AS t JOIN loggia_converted AS c ON c.k = t.{key} SET t.{to} = c.v"),
        "DROP TEMPORARY TABLE loggia_converted".to_owned(),
    ] {
        let done = on.builder.command(&text).await;
        on.told(done)?;
    }
    Ok(())
}

/// Fills the table of new values.
async fn hand_over(
    on: &mut Alteration<'_>,
    table: &str,
    old: &Column,
    new: &Column,
    primary: &Column,
) -> Result<Failures, Error> {
    let dialect = on.builder.dialect();
    let mut failures = Failures::default();
    let mut last = None;
    loop {
        let chunk = chunk(on, table, old, primary, last.take()).await;
        let chunk = on.told(chunk)?;
        let Some(end) = chunk.iter().last() else {
            return Ok(failures);
        };
        last = Some(end[0].clone());
        let mut values = Vec::with_capacity(HANDED * 2);
        for row in chunk.iter() {
            match convert(row[1].clone(), old, new) {
                Ok(value) => {
                    let value = dialect.stored(new.kind, Cow::Owned(value)).into_owned();
                    values.extend([
                        dialect
                            .stored(primary.kind, Cow::Owned(row[0].clone()))
                            .into_owned(),
                        value,
                    ]);
                }
                Err(problem) => {
                    failures.rows += 1;
                    failures.example.get_or_insert(problem.message);
                }
            }
        }
        // Once something has failed, nothing is kept.
        let values = if failures.rows == 0 { values } else { Vec::new() };
        for some in values.chunks(HANDED * 2) {
            let places = vec!["(?, ?)"; some.len() / 2].join(", ");
            let text = format!("INSERT INTO loggia_converted (k, v) VALUES {places}");
            let done = on.builder.ask_once(&text, some).await;
            on.told(done)?;
        }
    }
}

/// The keys and values of rows behind a key, in the order of the keys.
async fn chunk(
    on: &mut Alteration<'_>,
    table: &str,
    old: &Column,
    primary: &Column,
    behind: Option<Scalar>,
) -> Result<Rows, Failure> {
    let dialect = on.builder.dialect();
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").identifier(&primary.name).push(", ");
    dialect.output(&mut sql, old, &|sql| {
        sql.identifier(&old.name);
    });
    sql.push(" FROM ")
        .identifier(table)
        .push(" WHERE ")
        .identifier(&old.name);
    sql.push(" IS NOT NULL");
    if let Some(behind) = behind {
        sql.push(" AND ").identifier(&primary.name).push(" > ");
        sql.argument(Some(primary.kind), Cow::Owned(behind));
    }
    sql.push(" ORDER BY ").identifier(&primary.name);
    sql.push(&format!(" LIMIT {CHUNK}"));
    let statement = sql.finish();
    let values: Vec<_> = statement.binds.into_iter().map(Cow::into_owned).collect();
    on.builder.ask_once(&statement.text, &values).await
}
