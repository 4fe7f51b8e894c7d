//! Letters that a test can read.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use loggia_identity::{Mail, Mailer};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Where letters of a [`crate::TestApp`] arrive.
pub struct Mailbox(Mutex<UnboundedReceiver<Mail>>);

/// Puts letters into a [`Mailbox`].
pub(crate) struct Postman(UnboundedSender<Mail>);

pub(crate) fn mailbox() -> (Postman, Mailbox) {
    let (into, from) = unbounded_channel();
    (Postman(into), Mailbox(Mutex::new(from)))
}

impl Mailbox {
    /// The next letter; waits for it.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&self) -> Mail {
        let mut letters = self.0.lock().await;
        let next = tokio::time::timeout(Duration::from_secs(20), letters.recv());
        next.await.expect("a letter in time").expect("a letter")
    }

    /// Whether no letter waits now.
    pub async fn is_empty(&self) -> bool {
        self.0.lock().await.is_empty()
    }
}

impl Mailer for Postman {
    fn send(&self, mail: Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async move { self.0.send(mail).map_err(|error| error.to_string()) })
    }
}
