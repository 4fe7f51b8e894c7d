//! Values of a column that takes another type: what they become is worked out here, like everywhere, and handed to the
//! server as a table of old and new texts, for the one statement that changes the type.

use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind};

use super::connection::{Connection, Failure};
use super::dialect::POSTGRES;
use super::{arguments, types};
use crate::Error;
use crate::change::quoted;
use crate::conversion::convert;

/// So many different values are read and handed over at a time.
const CHUNK: i64 = 5_000;

/// Why values could not be converted.
pub(super) enum Unable {
    /// Some of them do not convert.
    Values(Error),
    /// The database failed.
    Database(Failure),
}

impl From<Failure> for Unable {
    fn from(error: Failure) -> Self {
        Self::Database(error)
    }
}

/// Converts every value of a column; answers with the expression of the new value as text.
pub(super) async fn prepare(
    connection: &Connection,
    table: &str,
    old: &Column,
    new: &Column,
) -> Result<String, Unable> {
    let column = quoted(&POSTGRES, &old.name);
    if keeps_its_text(old, new) {
        return Ok(format!("{column}::text"));
    }
    // Each value once, numbered by the first row that has it.
    let gather = format!(
        "DROP TABLE IF EXISTS pg_temp.loggia_converted; \
         CREATE TEMPORARY TABLE loggia_converted ON COMMIT DROP AS \
         SELECT MIN(place) AS number, value COLLATE \"C\" AS old, COUNT(*) AS rows, NULL::text AS new \
         FROM (SELECT {column}::text AS value, row_number() OVER () AS place FROM {} WHERE {column} IS NOT NULL) AS placed \
         GROUP BY 2; \
         CREATE UNIQUE INDEX ON pg_temp.loggia_converted (number); \
         CREATE INDEX ON pg_temp.loggia_converted USING hash (old); \
         CREATE OR REPLACE FUNCTION pg_temp.loggia_convert(text) RETURNS text LANGUAGE sql STABLE \
         AS 'SELECT c.new FROM pg_temp.loggia_converted AS c WHERE c.old = $1 COLLATE \"C\"'",
        quoted(&POSTGRES, table)
    );
    connection.command(&gather).await?;
    let (rows, example) = fill(connection, old, new).await?;
    match example {
        None => Ok(format!("pg_temp.loggia_convert({column}::text)")),
        Some(example) => Err(Unable::Values(Error::Unconvertible {
            table: table.to_owned(),
            column: new.name.clone(),
            to: new.kind,
            rows,
            example,
        })),
    }
}

/// Fills in the new texts. Answers how many rows have values that do not convert, and what is wrong with the first of
/// them.
async fn fill(connection: &Connection, old: &Column, new: &Column) -> Result<(u64, Option<String>), Failure> {
    const UPDATE: &str = "UPDATE pg_temp.loggia_converted AS c SET new = u.new \
         FROM unnest($1::bigint[], $2::text[]) AS u (number, new) WHERE c.number = u.number";
    // Back from its text to the value, in the form in which it is read elsewhere.
    let ty = match types::cast(old) {
        "" => old.data_type.as_str(),
        _ => "text",
    };
    let query = format!(
        "SELECT number, rows, old::{ty} FROM pg_temp.loggia_converted WHERE number > $1 ORDER BY number LIMIT {CHUNK}"
    );
    let (mut rows, mut example) = (0, None);
    let mut last = Scalar::Int(0);
    loop {
        let chunk = connection.ask_once(&query, std::slice::from_ref(&last)).await?;
        let Some(end) = chunk.iter().last() else {
            return Ok((rows, example));
        };
        last = end[0].clone();
        let (mut numbers, mut news) = (Vec::new(), Vec::new());
        for row in chunk.iter() {
            match convert(row[2].clone(), old, new) {
                Ok(value) => {
                    numbers.push(row[0].clone());
                    news.push(as_text(value));
                }
                Err(problem) => {
                    rows += match row[1] {
                        Scalar::Int(rows) => rows.unsigned_abs(),
                        _ => 1,
                    };
                    example.get_or_insert(problem.message);
                }
            }
        }
        let numbers = arguments::array(Some(StorageKind::BigInteger), &numbers);
        let news = arguments::array(Some(StorageKind::Text), &news);
        let both = [Scalar::Text(numbers), Scalar::Text(news)];
        connection.ask_once(UPDATE, &both).await?;
    }
}

/// Whether the text of every value is that of the new one.
fn keeps_its_text(old: &Column, new: &Column) -> bool {
    let longer = match (old.max_length, new.max_length) {
        (_, None) => true,
        (Some(old), Some(new)) => old <= new,
        (None, Some(_)) => false,
    };
    old.kind.is_textual() && new.kind.is_textual() && longer && types::cast(old).is_empty()
}

/// A canonical value as a text that the server reads as one of its type.
fn as_text(value: Scalar) -> Scalar {
    match value {
        Scalar::Bool(truth) => Scalar::Text(truth.to_string()),
        Scalar::Int(number) => Scalar::Text(number.to_string()),
        Scalar::Real(number) => Scalar::Text(format!("{number:?}")),
        Scalar::Bytes(bytes) => Scalar::Text(super::values::hexadecimal(&bytes)),
        Scalar::Text(text) => Scalar::Text(super::calendar::with_era(&text).into_owned()),
        Scalar::Null => Scalar::Null,
    }
}
