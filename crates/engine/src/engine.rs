//! The engine: its parts, and the snapshots that everybody reads.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use loggia_access::Caller;
use loggia_journal::{Journal, Recorder, snapshot};
use loggia_model::{Clock, Generator, Problems, Schema};
use loggia_store::{Store, Versions};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::rights::Book;
use crate::{Error, Settings};

/// The use cases, over one database. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    journal: Journal,
    parts: Parts,
    schema: ArcSwap<Schema>,
    settings: ArcSwap<Settings>,
    book: ArcSwap<Book>,
    /// Held from the start of a schema change until its snapshot is swapped in.
    schema_turn: Arc<Mutex<()>>,
    /// What everything above is at least as new as.
    known: std::sync::Mutex<Versions>,
    /// Held while what has changed is read and swapped in.
    catching_up: Mutex<()>,
}

/// What an engine is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where keys come from.
    pub generator: Generator,
    /// How secrets are kept.
    pub hasher: Arc<dyn Hasher>,
    /// Told of every change of a system collection.
    pub listeners: Vec<Arc<dyn Listener>>,
    /// How much one request may ask for.
    pub limits: Limits,
}

/// How secrets are kept; `identity` knows.
pub trait Hasher: Send + Sync {
    /// Checks a password against the policy of the settings and hashes it, off the async threads.
    fn hash_password(
        &self,
        password: &str,
    ) -> Pin<Box<dyn Future<Output = Result<String, Problems>> + Send + '_>>;

    /// Hashes the value of a field with special `hash`; unless told otherwise, as a password.
    fn hash(&self, secret: &str) -> Pin<Box<dyn Future<Output = Result<String, Problems>> + Send + '_>> {
        self.hash_password(secret)
    }

    /// Whether a policy of passwords can be applied: one that cannot would refuse every password.
    fn is_policy(&self, _policy: &str) -> bool {
        true
    }

    /// The text under which a token is kept and looked up.
    fn fingerprint(&self, token: &str) -> String;
}

/// Is told, after the commit and before the answer, that rows of a system collection changed; and of what other processes
/// have changed, before it is answered by what was known.
pub trait Listener: Send + Sync {
    /// Rows of `collection` with these primary keys (none: any of them) were written or deleted.
    fn changed(&self, collection: &str, keys: &[serde_json::Value]);

    /// Who a caller is by now: asked once something has changed since they were established.
    ///
    /// # Errors
    /// When they are nobody any more.
    fn again<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, Error>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(caller.clone())))
    }
}

/// How much one request may ask for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rows of a list when the query names no limit.
    pub default_rows: u64,
    /// Rows of a list at most; `None`: any number.
    pub max_rows: Option<u64>,
    /// Relations followed one after the other, in fields, sort keys and written data.
    pub relation_levels: usize,
    /// Nested lists and objects read for one query.
    pub nested_reads: usize,
    /// Conditions in one filter.
    pub filter_conditions: usize,
    /// Levels of one filter.
    pub filter_depth: usize,
    /// Sort keys of one list, groups, aliases, and functions among its fields; of each so many.
    pub terms: usize,
    /// Figures of one query.
    pub figures: usize,
    /// Paths in one list of fields.
    pub field_paths: usize,
    /// Values in one list of a filter.
    pub in_list: usize,
    /// Items written by one request, nested ones included.
    pub written_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            default_rows: 100,
            max_rows: None,
            relation_levels: 10,
            nested_reads: 200,
            filter_conditions: 1_000,
            filter_depth: 20,
            terms: 100,
            figures: 500,
            field_paths: 2_000,
            in_list: 20_000,
            written_items: 50_000,
        }
    }
}

impl Engine {
    /// Reads the schema, the settings and the permissions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        // First: what is read after it is at least as new.
        let known = parts.store.versions().await?;
        let schema = snapshot::read(&parts.store).await?;
        let settings = Settings::read(&parts.store).await?;
        let book = Book::read(&parts.store).await?;
        let journal = Journal::new(parts.store.clone(), parts.clock.clone(), parts.generator.clone());
        Ok(Self(Arc::new(Inner {
            journal,
            parts,
            schema: ArcSwap::from_pointee(schema),
            settings: ArcSwap::from_pointee(settings),
            schema_turn: Arc::default(),
            book: ArcSwap::from_pointee(book),
            known: std::sync::Mutex::new(known),
            catching_up: Mutex::default(),
        })))
    }

    /// The schema as it is now.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.0.schema.load_full()
    }

    /// The settings as they are now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }

    /// The permissions as they are now.
    pub(crate) fn book(&self) -> Arc<Book> {
        self.0.book.load_full()
    }

    /// Begins what will be one change of `caller`: waits for the turn at the writer.
    ///
    /// # Errors
    /// When the database cannot begin.
    pub(crate) async fn begin(&self, schema: &Arc<Schema>, caller: &Caller) -> Result<Recorder, Error> {
        Ok(self.0.journal.begin(schema, caller).await?)
    }

    /// Where changes are written down.
    pub(crate) fn journal_of_changes(&self) -> &Journal {
        &self.0.journal
    }

    /// The parts it was made of.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// What is kept in memory is at least as new as what was committed then.
    pub(crate) fn known(&self) -> Versions {
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of who is who that is known here.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.known().people
    }

    /// Takes in everything that was committed before this was called, by whichever process: schema, permissions, settings,
    /// and who somebody is. Every request asks for it when it comes in, so it costs next to nothing where nothing has
    /// changed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn catch_up(&self) -> Result<(), Error> {
        if self.parts().store.versions().await? == self.known() {
            return Ok(());
        }
        self.take_in(false).await
    }

    /// As [`Engine::catch_up`]; reads the settings and the permissions again in any case, as programs that are none of
    /// ours may have written them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh(&self) -> Result<(), Error> {
        self.take_in(true).await
    }

    /// As [`Engine::catch_up`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh_schema(&self) -> Result<Arc<Schema>, Error> {
        self.catch_up().await?;
        Ok(self.schema())
    }

    /// Waits until there may be something to catch up with.
    pub async fn heard(&self) {
        self.parts().store.heard().await;
    }

    async fn take_in(&self, everything: bool) -> Result<(), Error> {
        // One at a time: what was read first must not be stored last.
        let _turn = self.0.catching_up.lock().await;
        let (known, schema) = (self.known(), self.schema());
        let store = &self.parts().store;
        let found = store.versions().await?;
        if found.people != known.people {
            self.announce("directus_users", &[]);
        }
        if found.schema != schema.version {
            let read = Arc::new(snapshot::read(store).await?);
            // What is committed is swapped in afterwards, so nothing in memory is newer: the database is another one.
            let is_older = found.schema < schema.version;
            self.0
                .schema
                .rcu(|current| match is_older || read.version > current.version {
                    true => read.clone(),
                    false => current.clone(),
                });
        }
        if everything || found.rules != known.rules {
            self.0.settings.store(Arc::new(Settings::read(store).await?));
            let book = Book::read(store).await?;
            // What was made of it is kept where it is the same.
            if !self.book().says_the_same(&book) {
                self.0.book.store(Arc::new(book));
            }
        }
        *self.0.known.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }

    /// Waits for other changes of the schema to be done.
    pub(crate) async fn schema_turn(&self) -> OwnedMutexGuard<()> {
        self.0.schema_turn.clone().lock_owned().await
    }

    /// Everybody who asks from now on sees `schema`, or what has come after it.
    pub(crate) fn swap_schema(&self, schema: Arc<Schema>) -> Arc<Schema> {
        self.0
            .schema
            .rcu(|current| match schema.version > current.version {
                true => schema.clone(),
                false => current.clone(),
            });
        schema
    }

    /// Tells the listeners of rows of a system collection that changed.
    pub(crate) fn announce(&self, collection: &str, keys: &[serde_json::Value]) {
        for listener in &self.parts().listeners {
            listener.changed(collection, keys);
        }
    }
}

/// Does `work` to its end, even when nobody waits for it any more: who is told of a commit must not depend on whether
/// the client stays.
///
/// # Errors
/// As `work`; a panic in it goes on in the caller.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_has_begun_ends_though_nobody_waits() {
        let (go, gone) = oneshot::channel();
        let (done, told) = oneshot::channel();
        let work = to_the_end(async move {
            gone.await.unwrap();
            done.send(()).unwrap();
            Ok(())
        });
        assert!(tokio::time::timeout(Duration::ZERO, work).await.is_err());
        go.send(()).unwrap();
        told.await.unwrap();
    }
}
