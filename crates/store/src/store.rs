//! The handle to a database, and what it can be asked.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::plan::Plan;
use loggia_model::schema::Table;
use loggia_model::{Clock, Record, Scalar};

use crate::backends::{self, Database};
use crate::{Error, Tx, Versions};

/// How to open a database. Start from [`Options::new`].
#[derive(Clone)]
pub struct Options {
    /// `sqlite://<path>` (`sqlite://data/loggia.db`, `sqlite:///var/lib/loggia.db`), or `sqlite::memory:` for a
    /// private one that goes with its last handle; `postgres://user:password@host:port/name`.
    pub url: String,
    /// What a database on a server needs to be told beside its address.
    pub remote: Remote,
    /// So many reads at the same time; up to four times as many while long ones hold others up.
    pub readers: usize,
    /// Fills columns whose default is the time of the write.
    pub clock: Clock,
    /// Whether an acknowledged commit survives power loss; without it, only the end of the process.
    pub durable: bool,
    /// Whether this is a server. One server at a time may have a file open; command-line tools beside it may.
    pub server: bool,
    /// How long a database on a server that does not answer is waited for.
    pub patience: Duration,
    /// A transaction whose owner asks for nothing for so long is rolled back, so that nobody waits forever.
    pub idle: Duration,
}

/// Without the address: it may hold a password.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// What a database on a server needs to be told beside its address; of no meaning for a file.
#[derive(Clone)]
pub struct Remote {
    /// The password, where the address names none.
    pub password: Option<String>,
    /// The schema that holds the tables, made where it is not there; the first of the user's search path otherwise.
    pub schema: Option<String>,
    /// Connections at most, the one that writes and the one that watches among them; from 3.
    pub connections: Option<usize>,
    /// How long one attempt to connect may take, unless the address says so.
    pub connecting: Duration,
    /// How long opening waits for a server that cannot be reached.
    pub starting: Duration,
    /// A statement that reads is given up by the server after so long.
    pub reading: Duration,
}

impl std::default::Default for Remote {
    fn default() -> Self {
        Self {
            password: None,
            schema: None,
            connections: None,
            connecting: Duration::from_secs(10),
            starting: Duration::from_secs(10),
            reading: Duration::from_secs(300),
        }
    }
}

impl Options {
    /// A durable server's options.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            remote: Remote::default(),
            // Reads keep a processor busy, and each thread keeps pages of its own in memory.
            readers: std::thread::available_parallelism().map_or(4, |processors| processors.get().max(4)),
            clock: Clock::system(),
            durable: true,
            server: true,
            patience: Duration::from_secs(10),
            idle: Duration::from_secs(10),
        }
    }
}

/// What running a plan gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Of `Read` and `Aggregate`.
    Rows(Vec<Record>),
    /// Of `Insert`, `Update` and `Delete`: the primary keys of the rows touched; of an insert in the order of its
    /// rows.
    Keys(Vec<Scalar>),
}

impl Outcome {
    /// The rows; none where the plan wrote.
    #[must_use]
    pub fn into_rows(self) -> Vec<Record> {
        match self {
            Self::Rows(rows) => rows,
            Self::Keys(_) => Vec::new(),
        }
    }

    /// The keys; none where the plan read.
    #[must_use]
    pub fn into_keys(self) -> Vec<Scalar> {
        match self {
            Self::Keys(keys) => keys,
            Self::Rows(_) => Vec::new(),
        }
    }
}

/// Something that is wrong with a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table, where one is concerned.
    pub table: Option<String>,
    /// What is wrong, for people who run the server.
    pub what: String,
    /// What is to be done about it.
    pub weight: Weight,
}

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Nothing is wrong: it is told so that nobody wonders.
    Noted,
    /// The next start mends it.
    MendedByStart,
    /// A server works, but should not stay so.
    Doubtful,
    /// A server does not work, or the data is damaged.
    Bad,
}

/// What of the tables of other programs is no collection like others, and why.
pub(crate) fn noted(tables: &IndexMap<String, Table>, left_out: Vec<(String, String)>) -> Vec<Finding> {
    let finding = |table: &str, what: String| Finding {
        table: Some(table.to_owned()),
        what,
        weight: Weight::Noted,
    };
    let keyless = tables.iter().filter(|(name, table)| {
        !table.view
            && !loggia_model::system::is_reserved(name)
            && table.columns.iter().all(|column| !column.primary_key)
    });
    let mut findings: Vec<_> = keyless
        .map(|(name, table)| {
            let key = match table.uniques.first() {
                Some(columns) => format!("its key has several columns ({})", columns.join(", ")),
                None => "it has no primary key".to_owned(),
            };
            finding(
                name,
                format!("{key}: its rows can be listed, but not be named or written"),
            )
        })
        .collect();
    findings.extend(left_out.into_iter().map(|(table, what)| finding(&table, what)));
    findings
}

/// What a look at a database gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// What the database is and how it is reached, where that is worth telling.
    pub about: Option<String>,
    /// What is wrong; nothing when all is well.
    pub findings: Vec<Finding>,
}

/// Counts since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Transactions that were acknowledged as committed.
    pub transactions: u64,
    /// Commits of the database (each a sync when durable): concurrent transactions share one.
    pub commits: u64,
    /// Reader threads at the moment.
    pub readers: usize,
    /// Statements that plans were run with; those that open and close transactions do not count.
    pub statements: u64,
}

/// A handle to a database. Clones share it; it closes with the last of them.
#[derive(Clone)]
pub struct Store {
    database: Arc<dyn Database>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a database, making it where there is none, and brings its system tables up to date.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::InUse`], [`Error::Newer`], [`Error::Unavailable`].
    pub async fn open(options: Options) -> Result<Self, Error> {
        let database = backends::open(options).await?;
        let store = Self { database };
        crate::migrations::run(&store, crate::migrations::MIGRATIONS).await?;
        Ok(store)
    }

    /// The same, where a copy into it may have been begun and not finished.
    pub(crate) async fn open_unfinished(options: Options) -> Result<Self, Error> {
        let database = backends::open(options).await?;
        let store = Self { database };
        match crate::migrations::run(&store, crate::migrations::MIGRATIONS).await {
            Ok(()) | Err(Error::Unfinished) => Ok(store),
            Err(error) => Err(error),
        }
    }

    /// The last key that was counted, by table, of the tables where it is known.
    pub(crate) async fn counters(&self) -> Result<IndexMap<String, i64>, Error> {
        self.database.counters().await
    }

    /// Runs a plan that reads. Dropping the future gives the work up.
    ///
    /// # Errors
    /// [`Error::NeedsTransaction`] for a plan that writes.
    pub async fn run(&self, permit: Permit<Plan>) -> Result<Outcome, Error> {
        let mut outcomes = self.run_all(vec![permit]).await?;
        outcomes
            .pop()
            .ok_or_else(|| Error::internal("a read gave no outcome"))
    }

    /// Runs plans that read, all on the same snapshot; the outcomes come in the order of the plans.
    ///
    /// # Errors
    /// As [`Store::run`].
    pub async fn run_all(&self, permits: Vec<Permit<Plan>>) -> Result<Vec<Outcome>, Error> {
        let plans: Vec<_> = permits.into_iter().map(Permit::into_plan).collect();
        if plans
            .iter()
            .any(|plan| !matches!(plan, Plan::Read(_) | Plan::Aggregate(_)))
        {
            return Err(Error::NeedsTransaction);
        }
        self.database.read(plans).await
    }

    /// Waits for its turn at the single writer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be written.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let transaction = self.database.begin().await?;
        Ok(Tx::new(transaction))
    }

    /// The tables and views as the database has them, by name; without virtual tables and the database's own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tables(&self) -> Result<IndexMap<String, Table>, Error> {
        self.database.tables().await
    }

    /// Grows by one with every transaction that changed tables.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema_version(&self) -> Result<u64, Error> {
        Ok(self.versions().await?.schema)
    }

    /// What is committed now: everything that was acknowledged before this is asked, and perhaps more. Cheap enough to
    /// be asked for every request.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn versions(&self) -> Result<Versions, Error> {
        self.database.versions().await
    }

    /// Waits until somebody may have raised [`Versions`]: where the database tells, at once; else for a while.
    pub async fn heard(&self) {
        self.database.heard().await;
    }

    /// What is wrong with the database; nothing when all is well. Reads all of it.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub async fn check(&self) -> Result<Vec<Finding>, Error> {
        self.database.check().await
    }

    /// What is wrong with a database, migrations that have not run included, without opening it for work: nothing is
    /// made or changed. Reads all of it.
    ///
    /// # Errors
    /// When there is none at the address, or it cannot be read at all.
    pub async fn examine(options: Options) -> Result<Examined, Error> {
        backends::examine(options).await
    }

    /// Reads an address without going there. Answers with the same without its secrets.
    ///
    /// # Errors
    /// [`Error::Address`], whose text repeats no secret either.
    pub fn address(url: &str) -> Result<String, Error> {
        backends::address(url)
    }

    /// Counts for metrics and tests.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.database.activity()
    }
}
