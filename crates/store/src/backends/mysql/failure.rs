//! What errors of MySQL and MariaDB mean.

use mysql_async::{DriverError, IoError};

use super::connection::Failure;
use crate::backends::remote::Trouble;
use crate::{Error, Fault};

/// A statement was stopped because somebody asked for it.
const INTERRUPTED: u16 = 1317;

/// The server's number of an error.
pub(super) fn code(error: &Failure) -> Option<u16> {
    match error {
        Failure::Server(said) => Some(said.code),
        _ => None,
    }
}

/// What an error asks for.
pub(super) fn trouble(error: &Failure) -> Trouble {
    let Some(code) = code(error) else {
        return match error {
            error if is_about_tls(error) => Trouble::None,
            Failure::Io(_) => Trouble::Lost,
            Failure::Driver(
                DriverError::ConnectionClosed
                | DriverError::PacketOutOfOrder
                | DriverError::UnexpectedPacket { .. },
            ) => Trouble::Lost,
            _ => Trouble::None,
        };
    };
    match code {
        // Too many connections, of all or of one user; the server goes, or a node has left its cluster; the connection
        // was ended.
        1040 | 1203 | 1226 | 1047 | 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 4031 => {
            Trouble::Lost
        }
        // A deadlock, or another node of a cluster was faster: the whole transaction is gone.
        1213 => Trouble::Contended,
        // What a statement names is gone, or has changed since the snapshot was taken.
        1054 | 1146 | 1305 | 1412 | 1615 => Trouble::Stale,
        _ => Trouble::None,
    }
}

/// An answer, or its failure and what is to be done about it.
pub(super) fn told<T>(answer: Result<T, Failure>) -> Result<T, (Error, Trouble)> {
    answer.map_err(|error| {
        let trouble = trouble(&error);
        (of(error), trouble)
    })
}

/// Reads an error. Tables are not told by every server: where the name is empty, whoever knows the statement fills it in.
/// Of a value that is not unique the name of the index stands in place of its columns.
pub(super) fn of(error: Failure) -> Error {
    let Failure::Server(said) = &error else {
        return outside(error);
    };
    let unfit = |fault| Error::Unfit {
        table: String::new(),
        column: named(&said.message, "column "),
        fault,
        row: None,
    };
    match said.code {
        1062 | 1586 | 1859 => Error::Unique {
            table: String::new(),
            columns: index_of(&said.message).into_iter().collect(),
            value: None,
            row: None,
        },
        1048 | 1364 | 1263 => Error::NotNull {
            table: String::new(),
            column: first_quoted(&said.message).unwrap_or_default(),
            row: None,
        },
        1216 | 1217 | 1451 | 1452 => Error::ForeignKey { table: String::new() },
        3819 | 4025 => Error::Check {
            table: String::new(),
            check: first_quoted(&said.message).unwrap_or_default(),
        },
        // Raised by a trigger of another program.
        1644 => Error::Check {
            table: String::new(),
            check: said.message.clone(),
        },
        // Nothing is left to count; which column counts is found out where the row is known.
        1467 | 167 => Error::NoNumbersLeft {
            table: String::new(),
            column: String::new(),
            row: None,
        },
        1406 | 1118 | 1153 => unfit(Fault::TooLong),
        1264 | 1690 | 1441 => unfit(Fault::OutOfRange),
        1265 | 1292 | 1366 | 1367 | 1411 | 3140 => unfit(Fault::Malformed),
        1213 => Error::Contended(words(&error).into()),
        INTERRUPTED | 1969 | 3024 => unavailable("a statement took too long for the database", error),
        1205 => unavailable("another transaction keeps the database busy", error),
        1021 | 1114 => unavailable("the disk of the database is full", error),
        1037 | 1038 | 1041 => unavailable("the memory of the database is full", error),
        1040 | 1203 | 1226 => unavailable("the database takes no more connections", error),
        1461 => unavailable(
            "the database keeps no more prepared statements: raise its max_prepared_stmt_count",
            error,
        ),
        1290 | 1792 | 1836 => unavailable("the database can only be read", error),
        1142 | 1143 | 1227 | 1370 | 1419 => unavailable("the database does not let its user do this", error),
        1044 | 1045 | 1698 => unavailable(
            "the database does not let its user in: look at user and password of its address, and at what the user is granted",
            error,
        ),
        1049 => unavailable(
            "there is no such database: make it first (CREATE DATABASE … CHARACTER SET utf8mb4)",
            error,
        ),
        1047 => unavailable("the database's node is not part of its cluster", error),
        _ => match trouble(&error) {
            Trouble::Lost => unavailable("the connection to the database is lost", error),
            _ => Error::internal(words(&error)),
        },
    }
}

/// An error that is not the server's.
fn outside(error: Failure) -> Error {
    match &error {
        about if is_about_tls(about) => {
            unavailable("no connection by TLS to the database can be made", error)
        }
        Failure::Driver(DriverError::UnknownAuthPlugin { .. } | DriverError::CleartextPluginDisabled) => {
            unavailable(
                "the database wants its user to sign in in a way that this program does not know: \
                 use caching_sha2_password or mysql_native_password",
                error,
            )
        }
        Failure::Driver(DriverError::PacketTooLarge) => Error::Unfit {
            table: String::new(),
            column: None,
            fault: Fault::TooLong,
            row: None,
        },
        _ => match trouble(&error) {
            Trouble::Lost => unavailable("the database cannot be reached", error),
            _ => Error::internal(words(&error)),
        },
    }
}

/// Whether the server offers no TLS, or not as it was asked for.
fn is_about_tls(error: &Failure) -> bool {
    match error {
        Failure::Driver(DriverError::NoClientSslFlagFromServer) | Failure::Io(IoError::Tls(_)) => true,
        // What is wrong with a certificate comes by the way of what is read.
        Failure::Io(IoError::Io(error)) => error
            .get_ref()
            .is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some()),
        _ => false,
    }
}

/// Whether a statement was cancelled.
pub(super) fn is_cancelled(error: &Failure) -> bool {
    code(error) == Some(INTERRUPTED)
}

/// The database cannot be used.
pub(super) fn unavailable(what: &str, error: Failure) -> Error {
    Error::Unavailable {
        what: what.to_owned(),
        source: Some(words(&error).into()),
    }
}

/// An error for the log. What the server says may hold values, so that of rows only the number is told.
pub(super) fn words(error: &Failure) -> String {
    match error {
        Failure::Server(said) if matches!(said.code, 1062 | 1264 | 1292 | 1366 | 1406 | 1586) => {
            format!("a row does not fit ({})", said.code)
        }
        Failure::Server(said) => format!("{} ({})", said.message, said.code),
        // Their texts tell what is behind them.
        other => other.to_string(),
    }
}

/// `Duplicate entry '…' for key 'table.index'`, or without the table: the value may be anything, so it is read from
/// behind.
fn index_of(message: &str) -> Option<String> {
    let (before, _) = message.rsplit_once('\'')?;
    let (_, key) = before.rsplit_once("for key '")?;
    Some(key.to_owned())
}

/// The name that stands behind a word, in quotes of whatever kind, without what it belongs to.
fn named(message: &str, word: &str) -> Option<String> {
    let (_, rest) = message.rsplit_once(word)?;
    let path = match rest.split_once(" at row ") {
        Some((path, _)) => path,
        None => rest,
    };
    let last = path.rsplit("`.`").next()?;
    Some(last.trim_matches(['\'', '`']).to_owned())
}

/// The first name in quotes.
fn first_quoted(message: &str) -> Option<String> {
    let begin = message.find(['\'', '`'])?;
    let quote = message[begin..].chars().next()?;
    let rest = &message[begin + 1..];
    Some(rest[..rest.find(quote)?].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, message: &str) -> Error {
        of(Failure::Server(mysql_async::ServerError {
            code,
            message: message.to_owned(),
            state: "HY000".to_owned(),
        }))
    }

    #[test]
    fn names_are_read_out_of_messages() {
        let unique = said(1062, "Duplicate entry 'it's for key 'x'' for key 'a.name.unique'");
        assert!(matches!(unique, Error::Unique { columns, .. } if columns == ["a.name.unique"]));
        let null = said(1048, "Column 'title' cannot be null");
        assert!(matches!(null, Error::NotNull { column, .. } if column == "title"));
        let column = |code, message| match said(code, message) {
            Error::Unfit { column, .. } => column,
            other => panic!("{other}"),
        };
        let long = column(1406, "Data too long for column 'name' at row 1");
        assert_eq!(long.as_deref(), Some("name"));
        let wrong = column(
            1366,
            "Incorrect integer value: 'x' for column `cms`.`a`.`views` at row 1",
        );
        assert_eq!(wrong.as_deref(), Some("views"));
        assert_eq!(column(1690, "BIGINT value is out of range in '(1 + 2)'"), None);
    }

    #[test]
    fn values_stay_out_of_the_log() {
        let error = Failure::Server(mysql_async::ServerError {
            code: 1062,
            message: "Duplicate entry 'secret' for key 'name'".to_owned(),
            state: "23000".to_owned(),
        });
        assert!(!words(&error).contains("secret"));
    }
}
