//! Letters to users, and who carries them.

use std::future::Future;
use std::pin::Pin;

/// One letter, in plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// To which address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Holds secrets: never to be logged.
    pub text: String,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Carries letters; the binary knows how.
pub trait Mailer: Send + Sync {
    /// Hands a letter over. What goes wrong is for the log.
    fn send(&self, mail: Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}
