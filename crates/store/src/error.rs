//! What can go wrong, with what the log needs, and what a caller may be told of it.

use loggia_model::error::{
    CONTAINS_NULL_VALUES, FAILED_VALIDATION, INTERNAL_SERVER_ERROR, INVALID_FOREIGN_KEY, INVALID_PAYLOAD,
    NOT_NULL_VIOLATION, RECORD_NOT_UNIQUE, SERVICE_UNAVAILABLE, VALUE_OUT_OF_RANGE, VALUE_TOO_LONG,
};
use loggia_model::{Problem, StorageKind, field_types};
use serde_json::Value;

/// The text of a database's own error, for the log alone.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong in the store. Names are those of tables and columns, which are collections and fields.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another row has this value already.
    #[error("{table}: another row has the same {}", columns.join(", "))]
    Unique {
        /// Where.
        table: String,
        /// The columns that must be unique together.
        columns: Vec<String>,
        /// The value, where one column is concerned and the value may be shown.
        value: Option<Value>,
        /// Which row of an insert, counted from 0.
        row: Option<usize>,
    },
    /// A key was written that no row has.
    #[error("{table}.{column}: {foreign_table} has no row {value}")]
    PointsNowhere {
        /// The table that was written.
        table: String,
        /// The column that points.
        column: String,
        /// The table pointed to.
        foreign_table: String,
        /// The key.
        value: Value,
        /// Which row of an insert, counted from 0.
        row: Option<usize>,
    },
    /// A row that others point to was to go, or its key to change.
    #[error("{table}: {rows} rows of {by_table} still point here by {by_column}")]
    StillPointedTo {
        /// The table that was written.
        table: String,
        /// The table that points.
        by_table: String,
        /// The column that points.
        by_column: String,
        /// How many rows do.
        rows: u64,
    },
    /// A foreign key was broken, and which one could not be found out.
    #[error("{table}: a foreign key does not hold")]
    ForeignKey {
        /// The table that was written.
        table: String,
    },
    /// NULL was written where it is not allowed.
    #[error("{table}.{column} must not be NULL")]
    NotNull {
        /// Where.
        table: String,
        /// The column.
        column: String,
        /// Which row of an insert, counted from 0.
        row: Option<usize>,
    },
    /// A check that another program put into the table does not hold.
    #[error("{table}: the check {check} does not hold")]
    Check {
        /// Where.
        table: String,
        /// The name of the check, or its text.
        check: String,
    },
    /// A value was written that the type of its column does not hold.
    #[error("{table}.{}: a value {fault}", column.as_deref().unwrap_or("?"))]
    Unfit {
        /// Where.
        table: String,
        /// The column, where it is known.
        column: Option<String>,
        /// What is wrong with it.
        fault: Fault,
        /// Which row of an insert, counted from 0.
        row: Option<usize>,
    },
    /// The next number for a row is beyond what the type of its key holds.
    #[error("{table}.{column}: the numbers have run out")]
    NoNumbersLeft {
        /// Where.
        table: String,
        /// The key that is counted.
        column: String,
        /// Which row of an insert, counted from 0.
        row: Option<usize>,
    },
    /// A column cannot be made NOT NULL while rows have no value in it, or be added without one.
    #[error("{table}.{column}: {rows} rows have no value")]
    ContainsNulls {
        /// Where.
        table: String,
        /// The column.
        column: String,
        /// How many.
        rows: u64,
    },
    /// A column cannot be made unique while rows share values.
    #[error("{table}.{column}: {values} values are there more than once")]
    ContainsDuplicates {
        /// Where.
        table: String,
        /// The column.
        column: String,
        /// How many different values.
        values: u64,
    },
    /// Values do not fit the type that a column shall have.
    #[error("{table}.{column}: {rows} values do not convert to {to:?}")]
    Unconvertible {
        /// Where.
        table: String,
        /// The column.
        column: String,
        /// What they should become.
        to: StorageKind,
        /// How many.
        rows: u64,
        /// What is wrong with the first of them.
        example: String,
    },
    /// A foreign key cannot be made while rows point nowhere.
    #[error("{table}.{column}: {rows} rows point to nothing in {foreign_table}")]
    Dangling {
        /// The table that points.
        table: String,
        /// The column that points.
        column: String,
        /// The table pointed to.
        foreign_table: String,
        /// How many.
        rows: u64,
    },
    /// A step of a schema plan cannot be done as the tables are.
    #[error("{table}: {reason}")]
    Schema {
        /// The table.
        table: String,
        /// The column, where one is concerned.
        column: Option<String>,
        /// Why not, in words for people.
        reason: String,
    },
    /// A plan that writes was given to [`crate::Store::run`].
    #[error("a plan that writes needs a transaction")]
    NeedsTransaction,
    /// The work was given up because nobody waits for it, or the transaction was ended by an earlier failure.
    #[error("cancelled")]
    Cancelled,
    /// A transaction was rolled back because its owner did nothing for too long.
    #[error("the transaction was idle for {seconds} s and has been rolled back")]
    Stalled {
        /// The bound.
        seconds: u64,
    },
    /// The database cannot be used now: busy, disk full, read-only, gone.
    #[error("{what}")]
    Unavailable {
        /// What is the matter, in words for people who run the server.
        what: String,
        /// The database's own words.
        #[source]
        source: Option<Source>,
    },
    /// Another transaction got in the way; nothing was changed, and the same may succeed when it is tried again.
    #[error("another transaction got in the way")]
    Contended(#[source] Source),
    /// The connection broke while a transaction was being kept.
    #[error("the connection to the database broke during a commit: whether it was kept is not known")]
    Unsure(#[source] Source),
    /// The address does not name a database that this build knows.
    #[error("{0}")]
    Address(String),
    /// Another server has the database open.
    #[error(
        "another Loggia server has {path} open: stop it first, or give this one a database of its own (--data)"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// The database was written by a newer Loggia.
    #[error(
        "the database is at migration {found}, this program knows {known}: start the newer Loggia that wrote it, or restore a backup"
    )]
    Newer {
        /// The last migration in the database.
        found: u64,
        /// The last one that this program knows.
        known: u64,
    },
    /// A copy into the database was begun, and is not whole.
    #[error(
        "a copy into this database was begun and is not finished: repeat `loggia copy`, or empty the database and begin anew"
    )]
    Unfinished,
    /// A failure of ours, or damage to the database.
    #[error("unexpected database failure")]
    Internal(#[source] Source),
}

/// Why a type does not hold a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A text with more characters than allowed.
    TooLong,
    /// A number, date or time beyond what the type reaches.
    OutOfRange,
    /// Something that the type does not know at all.
    Malformed,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "is too long",
            Self::OutOfRange => "is out of range",
            Self::Malformed => "is not of the type",
        })
    }
}

impl Error {
    /// A failure of ours, with words for the log.
    pub(crate) fn internal(words: impl Into<Source>) -> Self {
        Self::Internal(words.into())
    }

    /// Which row of an insert is at fault, counted from 0, where that is known.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        match self {
            Self::Unique { row, .. }
            | Self::PointsNowhere { row, .. }
            | Self::NotNull { row, .. }
            | Self::NoNumbersLeft { row, .. }
            | Self::Unfit { row, .. } => *row,
            _ => None,
        }
    }

    /// Says which row of an insert is at fault.
    #[must_use]
    pub(crate) fn in_row(mut self, position: usize) -> Self {
        if let Self::Unique { row, .. }
        | Self::PointsNowhere { row, .. }
        | Self::NotNull { row, .. }
        | Self::NoNumbersLeft { row, .. }
        | Self::Unfit { row, .. } = &mut self
        {
            *row = Some(position);
        }
        self
    }

    /// What a caller may be told. The path is the field's name where one is at fault; the database's own words
    /// never appear.
    #[must_use]
    pub fn problem(&self) -> Problem {
        self.of_rows()
            .or_else(|| self.of_schema())
            .unwrap_or_else(|| self.of_state())
    }

    /// Problems of rows that were written.
    fn of_rows(&self) -> Option<Problem> {
        let problem = match self {
            Self::Unique {
                table,
                columns,
                value,
                ..
            } => {
                let names = columns.join("\", \"");
                let message = format!(
                    "Another item of \"{table}\" has the same value in \"{names}\", which must be unique."
                );
                let problem = Problem::new(&RECORD_NOT_UNIQUE, message)
                    .at(columns.first().map_or("", String::as_str))
                    .with("collection", table.as_str())
                    .with("field", columns.join(", "))
                    .hint("Choose another value, or update the item that has it.");
                match value {
                    Some(value) => problem.with("value", value.clone()),
                    None => problem,
                }
            }
            Self::PointsNowhere {
                table,
                column,
                foreign_table,
                value,
                ..
            } => Problem::new(
                &INVALID_FOREIGN_KEY,
                format!(
                    "\"{column}\" of \"{table}\" points to {value}, but \"{foreign_table}\" has no such item."
                ),
            )
            .at(column)
            .with("collection", table.as_str())
            .with("field", column.as_str())
            .with("value", value.clone())
            .hint(format!(
                "Create the item in \"{foreign_table}\" first, or use the key of one that exists."
            )),
            Self::StillPointedTo {
                table,
                by_table,
                by_column,
                rows,
            } => Problem::new(
                &INVALID_FOREIGN_KEY,
                format!(
                    "{rows} item(s) of \"{by_table}\" still point to this in \"{table}\" by \"{by_column}\"."
                ),
            )
            .with("collection", by_table.as_str())
            .with("field", by_column.as_str())
            .hint(format!(
                "Change or delete these items of \"{by_table}\" first, or let the relation cascade."
            )),
            Self::ForeignKey { table } => points_nowhere(table),
            Self::NotNull { table, column, .. } => {
                let message = format!("\"{column}\" of \"{table}\" must have a value.");
                Problem::new(&NOT_NULL_VIOLATION, message)
                    .at(column)
                    .with("collection", table.as_str())
                    .with("field", column.as_str())
            }
            Self::Check { table, check } => {
                let message = format!("The rule {check:?} of the table \"{table}\" does not hold.");
                Problem::new(&FAILED_VALIDATION, message).with("collection", table.as_str())
            }
            Self::Unfit {
                table, column, fault, ..
            } => unfit(table, column.as_deref(), *fault),
            Self::NoNumbersLeft { table, column, .. } => no_numbers_left(table, column),
            _ => return None,
        };
        Some(problem)
    }

    /// Problems of tables that were to change.
    fn of_schema(&self) -> Option<Problem> {
        let about = |problem: Problem, table: &str, column: &str| {
            problem.at(column).with("collection", table).with("field", column)
        };
        let problem = match self {
            Self::ContainsNulls { table, column, rows } => about(
                Problem::new(
                    &CONTAINS_NULL_VALUES,
                    format!("{rows} item(s) of \"{table}\" have no value in \"{column}\"."),
                )
                .hint("Give them a value first, or give the field a default value when it is created."),
                table,
                column,
            ),
            Self::ContainsDuplicates { table, column, values } => about(
                Problem::new(
                    &RECORD_NOT_UNIQUE,
                    format!("\"{column}\" of \"{table}\" cannot be unique: {values} value(s) are there more than once."),
                )
                .hint("Change the items that share a value first."),
                table,
                column,
            ),
            Self::Unconvertible {
                table,
                column,
                to,
                rows,
                example,
            } => {
                let name = field_types::of_column(*to, &[]).name();
                about(
                    Problem::new(
                        &INVALID_PAYLOAD,
                        format!(
                            "{rows} value(s) in \"{column}\" of \"{table}\" cannot become \"{name}\". The first: {example}"
                        ),
                    )
                    .hint("Change these items first; nothing has been changed."),
                    table,
                    column,
                )
            }
            Self::Dangling {
                table,
                column,
                foreign_table,
                rows,
            } => about(
                Problem::new(
                    &INVALID_FOREIGN_KEY,
                    format!(
                        "{rows} item(s) of \"{table}\" have a \"{column}\" that no item of \"{foreign_table}\" has."
                    ),
                )
                .hint("Clear or correct these values first."),
                table,
                column,
            ),
            Self::Schema { table, column, reason } => {
                let problem = Problem::new(&INVALID_PAYLOAD, reason.as_str()).with("collection", table.as_str());
                match column {
                    Some(column) => problem.with("field", column.as_str()),
                    None => problem,
                }
            }
            _ => return None,
        };
        Some(problem)
    }

    /// Problems of the server and its database.
    fn of_state(&self) -> Problem {
        match self {
            Self::Cancelled => Problem::new(
                &SERVICE_UNAVAILABLE,
                "The request was given up before it was done.",
            ),
            Self::Stalled { seconds } => Problem::new(
                &SERVICE_UNAVAILABLE,
                format!(
                    "The request did nothing for {seconds} s while it held the database; nothing was changed."
                ),
            ),
            Self::Unavailable { .. } => Problem::new(
                &SERVICE_UNAVAILABLE,
                "The database cannot be used right now; nothing was changed.",
            )
            .hint("Retry in a moment; the server's log has the reason."),
            Self::Contended(_) => Problem::new(
                &SERVICE_UNAVAILABLE,
                "Something else changed the same data at the same moment; nothing was changed.",
            )
            .hint("Retry."),
            Self::Unsure(_) => Problem::outcome_unknown(
                "The connection to the database broke at the last moment: whether the change was made is not known.",
            ),
            _ => Problem::new(
                &INTERNAL_SERVER_ERROR,
                "An unexpected failure; nothing was changed.",
            ),
        }
    }
}

/// Which column it is, the database does not say.
fn points_nowhere(table: &str) -> Problem {
    let message = format!("A relation of \"{table}\" would point to an item that does not exist.");
    Problem::new(&INVALID_FOREIGN_KEY, message).with("collection", table)
}

fn no_numbers_left(table: &str, column: &str) -> Problem {
    let message = format!(
        "The numbers for \"{column}\" of \"{table}\" have run out: the next one is beyond what its type holds."
    );
    Problem::new(&VALUE_OUT_OF_RANGE, message)
        .at(column)
        .with("collection", table)
        .with("field", column)
        .hint(format!(
            "Give `{column}` a number that is free; nothing has been changed."
        ))
}

fn unfit(table: &str, column: Option<&str>, fault: Fault) -> Problem {
    let value = match column {
        Some(column) => format!("A value for \"{column}\" of \"{table}\""),
        None => format!("A value for \"{table}\""),
    };
    let problem = match fault {
        Fault::TooLong => Problem::new(
            &VALUE_TOO_LONG,
            format!("{value} is longer than the field allows."),
        ),
        Fault::OutOfRange => Problem::new(
            &VALUE_OUT_OF_RANGE,
            format!("{value} is out of the field's range."),
        ),
        Fault::Malformed => Problem::new(&INVALID_PAYLOAD, format!("{value} is not of the field's type.")),
    };
    let problem = problem.with("collection", table);
    match column {
        Some(column) => problem.at(column).with("field", column),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_nobody_knows_is_not_to_be_repeated_blindly() {
        let check = |error: Error, name: &str, retryable: bool| {
            let problem = error.problem();
            assert_eq!((problem.code.name, problem.code.retryable), (name, retryable));
        };
        check(Error::Unsure("broken".into()), "OUTCOME_UNKNOWN", false);
        check(Error::Contended("a deadlock".into()), "SERVICE_UNAVAILABLE", true);
        let problem = Error::Unsure("broken".into()).problem();
        assert!(problem.hint.unwrap().contains("/changes?request="));
    }
}
