//! What can go wrong in a use case.

use loggia_model::{Problem, Problems};

/// What can go wrong in a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be done as it stands.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The database refused, or could not.
    #[error(transparent)]
    Store(#[from] loggia_store::Error),
}

impl Error {
    /// What may be shown to the caller.
    #[must_use]
    pub fn problems(&self) -> Problems {
        match self {
            Self::Problems(problems) => problems.clone(),
            Self::Store(error) => error.problem().into(),
        }
    }
}

impl From<loggia_journal::Error> for Error {
    fn from(error: loggia_journal::Error) -> Self {
        match error {
            loggia_journal::Error::Problems(problems) => Self::Problems(problems),
            loggia_journal::Error::Store(error) => Self::Store(error),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}
