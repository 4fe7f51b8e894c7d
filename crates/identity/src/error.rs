//! What can go wrong here.

use loggia_model::error::{
    INTERNAL_SERVER_ERROR, INVALID_CREDENTIALS, INVALID_TOKEN, TOKEN_EXPIRED, USER_SUSPENDED,
};
use loggia_model::{Problem, Problems};

/// A sign-in, token or account that did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller did something that cannot be accepted.
    #[error("{0}")]
    Problem(Problem),
    /// What was done cannot be recorded.
    #[error(transparent)]
    Refused(Problems),
    /// The database did.
    #[error("system tables")]
    Store(#[from] loggia_store::Error),
    /// A password could not be hashed.
    #[error("password hashing: {0}")]
    Hash(String),
    /// A letter could not be handed over.
    #[error("mail: {0}")]
    Mail(String),
    /// The system tables are not as they must be.
    #[error("system tables: {0}")]
    Tables(String),
}

impl Error {
    /// What may be shown.
    #[must_use]
    pub fn problems(&self) -> Problems {
        match self {
            Self::Problem(problem) => problem.clone().into(),
            Self::Refused(problems) => problems.clone(),
            Self::Store(error) => error.problem().into(),
            Self::Hash(_) | Self::Mail(_) | Self::Tables(_) => Problem::new(
                &INTERNAL_SERVER_ERROR,
                "An unexpected failure. The server's log has the details under the request id.",
            )
            .into(),
        }
    }

    /// The answer to every wrong secret, whatever is wrong about it.
    pub(crate) fn wrong() -> Self {
        Self::Problem(Problem::new(&INVALID_CREDENTIALS, "Invalid user credentials."))
    }

    pub(crate) fn expired() -> Self {
        Self::Problem(
            Problem::new(&TOKEN_EXPIRED, "Token expired.")
                .hint("Refresh it (POST /auth/refresh) or sign in again."),
        )
    }

    /// For those who have shown that they are the user, and nobody else.
    pub(crate) fn suspended() -> Self {
        Self::Problem(
            Problem::new(&USER_SUSPENDED, "User suspended.")
                .hint("Ask an administrator to set the user's status to active."),
        )
    }

    pub(crate) fn not_ours() -> Self {
        Self::Problem(
            Problem::new(&INVALID_TOKEN, "Invalid token.").hint("Sign in again (POST /auth/login)."),
        )
    }
}

impl From<loggia_journal::Error> for Error {
    fn from(error: loggia_journal::Error) -> Self {
        match error {
            loggia_journal::Error::Problems(problems) => Self::Refused(problems),
            loggia_journal::Error::Store(error) => Self::Store(error),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}
