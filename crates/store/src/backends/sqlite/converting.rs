//! Values of a column that takes another type, in one statement.

use std::sync::{Arc, Mutex, PoisonError};

use loggia_model::Scalar;
use loggia_model::schema::Column;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;

use super::dialect::SQLITE;
use super::{connection, failure};
use crate::Error;
use crate::conversion::convert;
use crate::lower::Dialect as _;

/// What did not convert.
#[derive(Default)]
struct Failures {
    rows: u64,
    example: Option<String>,
}

/// Converts every value of a column. The caller undoes everything when one of them does not convert.
pub(super) fn run(connection: &Connection, table: &str, old: &Column, new: &Column) -> Result<(), Error> {
    let failures = Arc::new(Mutex::new(Failures::default()));
    let (noted, from, to) = (failures.clone(), old.clone(), new.clone());
    let convert = move |context: &rusqlite::functions::Context<'_>| {
        let scalar = connection::scalar(context.get_raw(0));
        Ok(match convert(scalar, &from, &to) {
            Ok(scalar) => owned(scalar),
            Err(problem) => {
                let mut failures = noted.lock().unwrap_or_else(PoisonError::into_inner);
                failures.rows += 1;
                failures.example.get_or_insert(problem.message);
                owned(connection::scalar(context.get_raw(0)))
            }
        })
    };
    let (mut table_name, mut column_name) = (String::new(), String::new());
    SQLITE.identifier(&mut table_name, table);
    SQLITE.identifier(&mut column_name, &new.name);
    let update = format!(
        "UPDATE {table_name} SET {column_name} = loggia_convert({column_name}) WHERE {column_name} IS NOT NULL"
    );
    connection
        .create_scalar_function(c"loggia_convert", 1, FunctionFlags::SQLITE_UTF8, convert)
        .and_then(|()| connection.execute(&update, []))
        .map_err(failure::of)?;
    connection
        .remove_function(c"loggia_convert", 1)
        .map_err(failure::of)?;
    let failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
    match &failures.example {
        None => Ok(()),
        Some(example) => Err(Error::Unconvertible {
            table: table.to_owned(),
            column: new.name.clone(),
            to: new.kind,
            rows: failures.rows,
            example: example.clone(),
        }),
    }
}

fn owned(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(truth) => Value::Integer(truth.into()),
        Scalar::Int(number) => Value::Integer(number),
        Scalar::Real(number) => Value::Real(number),
        Scalar::Text(text) => Value::Text(text),
        Scalar::Bytes(bytes) => Value::Blob(bytes),
    }
}
