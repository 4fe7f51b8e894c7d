//! What can go wrong when something is recorded.

use loggia_model::{Problem, Problems};

/// What can go wrong when something is recorded: then nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be done as it stands.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The database refused, or could not.
    #[error(transparent)]
    Store(#[from] loggia_store::Error),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}
