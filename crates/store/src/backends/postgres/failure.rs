//! What PostgreSQL's errors mean (appendix A of its manual).

use tokio_postgres::error::SqlState;

use crate::backends::remote::Trouble;
use crate::{Error, Fault};

/// What an error asks for; `cached`: by a statement that had been prepared before.
pub(super) fn trouble(error: &tokio_postgres::Error, cached: bool) -> Trouble {
    let Some(code) = error.code() else {
        let is_ours = [
            "serializing parameter",
            "deserializing column",
            "parameters but",
            "TLS",
        ];
        let text = error.to_string();
        return if is_ours.iter().any(|ours| text.contains(ours)) {
            Trouble::None
        } else {
            Trouble::Lost
        };
    };
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Trouble::Contended;
    }
    let class = &code.code()[..2];
    match class {
        // 57014 is a cancelled statement, after which the connection is as good as before.
        "08" => Trouble::Lost,
        "57" if *code != SqlState::QUERY_CANCELED => Trouble::Lost,
        "25" if code.code() == "25P03" => Trouble::Lost,
        "53" if *code == SqlState::TOO_MANY_CONNECTIONS => Trouble::Lost,
        // `cached plan must not change result type`, names that are gone, types that no longer fit.
        "0A" | "26" | "42" if cached => Trouble::Stale,
        _ => Trouble::None,
    }
}

/// Reads an error of PostgreSQL.
pub(super) fn of(error: tokio_postgres::Error) -> Error {
    let Some(said) = error.as_db_error() else {
        return match trouble(&error, false) {
            Trouble::Lost => unavailable("the database cannot be reached", error),
            _ if error.to_string().contains("TLS") => {
                unavailable("no connection by TLS to the database can be made", error)
            }
            _ => Error::internal(words(&error)),
        };
    };
    let table = || said.table().unwrap_or_default().to_owned();
    let unfit = |fault| Error::Unfit {
        table: table(),
        column: said.column().map(str::to_owned),
        fault,
        row: None,
    };
    match said.code().code() {
        // Its columns are looked up by the name of the constraint, see `Writing`.
        "23505" => Error::Unique {
            table: table(),
            columns: Vec::new(),
            value: None,
            row: None,
        },
        "23502" => Error::NotNull {
            table: table(),
            column: said.column().unwrap_or_default().to_owned(),
            row: None,
        },
        "23503" | "23001" => Error::ForeignKey { table: table() },
        "23514" => Error::Check {
            table: table(),
            check: said.constraint().unwrap_or_default().to_owned(),
        },
        // Raised by a trigger of another program.
        "P0001" => Error::Check {
            table: table(),
            check: said.message().to_owned(),
        },
        // A sequence at its end; which column counts is found out where the row is known.
        "2200H" => Error::NoNumbersLeft {
            table: table(),
            column: String::new(),
            row: None,
        },
        "22001" | "54000" => unfit(Fault::TooLong),
        "22003" | "22008" => unfit(Fault::OutOfRange),
        "22007" | "22P02" | "22P03" | "22021" | "22P05" => unfit(Fault::Malformed),
        "40001" | "40P01" => Error::Contended(words(&error).into()),
        "57014" => unavailable("a statement took too long for the database", error),
        "55P03" => unavailable("another transaction keeps the database busy", error),
        "53100" => unavailable("the disk of the database is full", error),
        "53200" => unavailable("the memory of the database is full", error),
        "53300" => unavailable("the database takes no more connections", error),
        "25006" => unavailable("the database can only be read", error),
        "42501" => unavailable("the database does not let its user do this", error),
        "28000" | "28P01" => unavailable(
            "the database does not let its user in: look at user and password of its address",
            error,
        ),
        "3D000" => unavailable(
            "there is no such database: make it first (CREATE DATABASE … ENCODING 'UTF8')",
            error,
        ),
        _ => match trouble(&error, false) {
            Trouble::Lost => unavailable("the connection to the database is lost", error),
            _ => Error::internal(words(&error)),
        },
    }
}

/// Whether a statement was cancelled.
pub(super) fn is_cancelled(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::QUERY_CANCELED)
}

/// The database cannot be used.
pub(super) fn unavailable(what: &str, error: tokio_postgres::Error) -> Error {
    Error::Unavailable {
        what: what.to_owned(),
        source: Some(words(&error).into()),
    }
}

/// An error for the log: what the library says leaves out what the server said, and what the server says in detail may
/// hold whole rows.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
