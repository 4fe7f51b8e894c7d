//! What SQLite's errors mean.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::Error;

/// Reads an error of SQLite.
pub(super) fn of(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return Error::Internal(error.into());
    };
    let message = message.as_deref().unwrap_or_default();
    let what = match failure.code {
        ErrorCode::ConstraintViolation => match constraint(failure.extended_code, message) {
            Some(broken) => return broken,
            None => return Error::Internal(error.into()),
        },
        ErrorCode::OperationInterrupted => return Error::Cancelled,
        ErrorCode::DiskFull => "the disk is full",
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => "the database file cannot be written",
        ErrorCode::SystemIoFailure => "the disk does not answer as it should",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "another process keeps the database busy",
        ErrorCode::CannotOpen => "the database file cannot be opened",
        ErrorCode::OutOfMemory => "the memory is full",
        _ => return Error::Internal(error.into()),
    };
    Error::Unavailable {
        what: what.to_owned(),
        source: Some(error.into()),
    }
}

fn constraint(code: i32, message: &str) -> Option<Error> {
    let names = message.split_once(": ").map_or("", |(_, names)| names);
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            let pairs: Vec<_> = names
                .split(", ")
                .filter_map(|name| name.rsplit_once('.'))
                .collect();
            let (table, _) = pairs.first()?;
            Some(Error::Unique {
                table: (*table).to_owned(),
                columns: pairs.iter().map(|(_, column)| (*column).to_owned()).collect(),
                value: None,
                row: None,
            })
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => {
            let (table, column) = names.rsplit_once('.')?;
            Some(Error::NotNull {
                table: table.to_owned(),
                column: column.to_owned(),
                row: None,
            })
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Some(Error::ForeignKey { table: String::new() }),
        ffi::SQLITE_CONSTRAINT_CHECK => Some(Error::Check {
            table: String::new(),
            check: names.to_owned(),
        }),
        // SQLite makes a trigger of `ON DELETE RESTRICT`.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message == "FOREIGN KEY constraint failed" => {
            Some(Error::ForeignKey { table: String::new() })
        }
        // Raised by a trigger of another program.
        ffi::SQLITE_CONSTRAINT_TRIGGER => Some(Error::Check {
            table: String::new(),
            check: message.to_owned(),
        }),
        _ => None,
    }
}

/// The same failure told to one more who waited for it.
pub(super) fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable { what, source } => Error::Unavailable {
            what: what.clone(),
            source: source.as_ref().map(|source| source.to_string().into()),
        },
        Error::Cancelled => Error::Cancelled,
        other => Error::internal(match std::error::Error::source(other) {
            Some(source) => source.to_string(),
            None => other.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_named() {
        let check = |code: i32, message: &str, expect: &str| {
            let error = constraint(code, message).map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expect), "{message}");
        };
        check(
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            "UNIQUE constraint failed: posts.slug",
            "posts: another row has the same slug",
        );
        check(
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
            "UNIQUE constraint failed: a.b, a.c",
            "a: another row has the same b, c",
        );
        check(
            ffi::SQLITE_CONSTRAINT_NOTNULL,
            "NOT NULL constraint failed: posts.title",
            "posts.title must not be NULL",
        );
    }
}
