//! Connections: how they are made and set up, and how statements run on them.
//!
//! Statements are prepared once for each connection and kept by their text. A change of the schema makes every
//! connection forget them: the server would refuse those whose columns have changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use loggia_model::Scalar;
use tokio_postgres::Client;

use super::address::{Address, Canceller};
use super::dialect::POSTGRES;
use super::values::{Bound, Cell};
use crate::answer::Rows;
use crate::backends::remote::{Basics, LONGEST_LOCK, LONGEST_WAIT, Link, Mode, Trouble, patiently};
use crate::change::quoted;
use crate::{Error, Versions};

/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 512;
/// What all connections to a database have in common.
pub(super) struct Common {
    pub(super) address: Address,
    pub(super) basics: Basics,
    /// The schema that holds the tables, where it is not the first of the user's search path.
    pub(super) schema: Option<String>,
    /// Whether other programs declared rules that are checked only at commit.
    deferred: AtomicBool,
}

impl Common {
    pub(super) fn new(address: Address, options: &crate::Options) -> Self {
        Self {
            address,
            basics: Basics::new(options),
            schema: options.remote.schema.clone(),
            deferred: AtomicBool::default(),
        }
    }

    /// What a transaction that raises versions says with its commit; nothing, where the server takes no such words.
    pub(super) fn telling(&self) -> &'static str {
        match self.basics.is_told() {
            true => "NOTIFY loggia_versions; ",
            false => "",
        }
    }

    /// Whether a commit can fail by what a transaction has done.
    pub(super) fn has_deferred_keys(&self) -> bool {
        self.deferred.load(Ordering::Relaxed)
    }

    /// Notes whether it can.
    pub(super) fn saw_deferred_keys(&self, deferred: bool) {
        self.deferred.store(deferred, Ordering::Relaxed);
    }
}

/// A connection.
pub(super) struct Connection {
    client: Client,
    canceller: Canceller,
    common: Arc<Common>,
    statements: Mutex<Statements>,
}

/// A statement that the server has prepared.
pub(super) type Prepared = tokio_postgres::Statement;

/// What goes wrong on a connection.
pub(super) type Failure = tokio_postgres::Error;

/// What a connection keeps prepared, by text.
#[derive(Default)]
struct Statements {
    kept: HashMap<String, (Prepared, u64)>,
    /// Grows with every use.
    uses: u64,
    /// The version of the schema under which they were prepared.
    version: u64,
}

impl Connection {
    /// Runs statements of our own that take nothing and give nothing; none at all where the text is empty.
    pub(super) async fn command(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.client.batch_execute(text).await
    }

    /// Sends a command and waits for nothing: what is sent after it runs after it.
    pub(super) fn command_later(&self, text: &str) {
        use futures_util::FutureExt as _;
        // The first poll sends it; its answer is passed over.
        let _ = self.client.batch_execute(text).now_or_never();
    }

    /// A statement that is prepared already.
    pub(super) fn prepared(&self, text: &str) -> Option<Prepared> {
        let mut statements = self.statements();
        statements.uses += 1;
        let uses = statements.uses;
        let (prepared, used) = statements.kept.get_mut(text)?;
        *used = uses;
        Some(prepared.clone())
    }

    /// Prepares a statement and keeps it.
    pub(super) async fn prepare(&self, text: &str) -> Result<Prepared, Failure> {
        let prepared = self.client.prepare(text).await?;
        let mut statements = self.statements();
        if statements.kept.len() >= STATEMENTS {
            let oldest = statements.kept.iter().min_by_key(|(_, (_, used))| *used);
            let oldest = oldest.map(|(text, _)| text.clone());
            statements.kept.remove(&oldest.unwrap_or_default());
        }
        let uses = statements.uses;
        statements.kept.insert(text.to_owned(), (prepared.clone(), uses));
        Ok(prepared)
    }

    /// Forgets every prepared statement.
    pub(super) fn forget(&self) {
        self.statements().kept.clear();
    }

    /// Runs a prepared statement to its end. Polled first, it is sent first: several that are polled together are
    /// under way at the same time.
    pub(super) async fn fetch(&self, prepared: &Prepared, values: Vec<Bound<'_>>) -> Result<Rows, Failure> {
        let stream = self.client.query_raw(prepared, values).await?;
        let mut stream = std::pin::pin!(stream);
        let width = prepared.columns().len();
        let mut rows = Rows {
            width,
            cells: Vec::new(),
        };
        while let Some(row) = stream.try_next().await? {
            for at in 0..width {
                rows.cells.push(row.try_get::<_, Cell>(at)?.0);
            }
        }
        Ok(rows)
    }

    /// Runs a statement of our own, prepared and kept.
    pub(super) async fn ask(&self, text: &str, values: &[Scalar]) -> Result<Rows, Failure> {
        let prepared = match self.prepared(text) {
            Some(prepared) => prepared,
            None => self.prepare(text).await?,
        };
        self.fetch(&prepared, values.iter().map(Bound).collect()).await
    }

    /// The same for a statement that is not asked again: it is not kept.
    pub(super) async fn ask_once(&self, text: &str, values: &[Scalar]) -> Result<Rows, Failure> {
        let prepared = self.client.prepare(text).await?;
        self.fetch(&prepared, values.iter().map(Bound).collect()).await
    }

    /// What all connections have in common.
    pub(super) fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// Asks the server to stop what it is doing. It may have ended already; then the next statement can be met.
    pub(super) async fn cancel(&self) {
        self.canceller.cancel().await;
    }

    fn statements(&self) -> MutexGuard<'_, Statements> {
        // The map is whole at every moment.
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.common.basics.version();
        if statements.version != version {
            statements.version = version;
            statements.kept.clear();
        }
        statements
    }
}

impl Link for Connection {
    type Common = Common;

    fn basics(common: &Common) -> &Basics {
        &common.basics
    }

    async fn open_within(common: &Arc<Common>, mode: Mode, patience: Duration) -> Result<Self, Error> {
        patiently(patience, &common.address, || async {
            let bell = common.clone();
            let connected = common.address.connect(move || bell.basics.ring());
            let (client, canceller) = connected.await?;
            let connection = Self {
                client,
                canceller,
                common: common.clone(),
                statements: Mutex::default(),
            };
            match connection.client.batch_execute(&set_up(common, mode)).await {
                Ok(()) => Ok(connection),
                Err(error) => Err((super::failure::trouble(&error, false), super::failure::of(error))),
            }
        })
        .await
    }

    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    async fn refresh(&mut self) {
        self.forget();
    }

    async fn versions(&mut self) -> Result<Versions, (Error, Trouble)> {
        super::told(super::introspect::versions(self).await)
    }

    async fn listen(&mut self) -> Result<bool, Error> {
        match self.command("LISTEN loggia_versions").await {
            Ok(()) => Ok(true),
            Err(error) if super::failure::trouble(&error, false) == Trouble::Lost => {
                Err(super::failure::of(error))
            }
            Err(error) => {
                tracing::debug!(%error, "the database does not tell of changes: it is asked every second");
                Ok(false)
            }
        }
    }

    fn abandon(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // The client goes with the task, after the server was asked to stop.
            runtime.spawn(async move {
                self.cancel().await;
                drop(self);
            });
        }
    }
}

/// What is said to the server first.
fn set_up(common: &Common, mode: Mode) -> String {
    let mut text = String::from(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET standard_conforming_strings = on; \
         SET extra_float_digits = 1; SET client_min_messages = error; SET jit = off; ",
    );
    if let Some(schema) = &common.schema {
        text.push_str(&format!("SET search_path = {}; ", quoted(&POSTGRES, schema)));
    }
    let mut set = |name: &str, time: Duration| {
        text.push_str(&format!("SET {name} = '{}ms'; ", time.as_millis()));
    };
    set("lock_timeout", LONGEST_LOCK);
    match mode {
        Mode::Read => {
            set("statement_timeout", common.basics.longest_read);
            text.push_str("SET default_transaction_read_only = on");
        }
        Mode::Write => {
            // Where this process cannot end its transaction, the server does: others wait for it.
            set(
                "idle_in_transaction_session_timeout",
                common.basics.idle * 2 + LONGEST_WAIT,
            );
            if !common.basics.durable {
                text.push_str("SET synchronous_commit = off");
            }
        }
    }
    text
}
