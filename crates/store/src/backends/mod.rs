//! The databases that Loggia runs on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_model::Scalar;
use loggia_model::plan::{Plan, SchemaPlan};
use loggia_model::schema::{Column, Table};

use crate::store::{Activity, Examined, Finding, Options, Outcome};
use crate::{Error, Raises, Versions};

mod mysql;
mod postgres;
mod remote;
mod sqlite;
mod turn;

/// SQLite's dialect, for the golden statements.
#[cfg(test)]
pub(crate) fn sqlite_dialect() -> &'static dyn crate::lower::Dialect {
    sqlite::dialect()
}

/// PostgreSQL's dialect, for the golden statements.
#[cfg(test)]
pub(crate) fn postgres_dialect() -> &'static dyn crate::lower::Dialect {
    postgres::dialect()
}

/// MariaDB's dialect, for the golden statements.
#[cfg(test)]
pub(crate) fn mariadb_dialect() -> &'static dyn crate::lower::Dialect {
    mysql::dialect()
}

/// Something that is waited for.
pub(crate) type Promise<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// How often it is looked whether somebody else has raised [`Versions`], where the database does not tell.
pub(crate) const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// A kind of database.
pub(crate) struct Backend {
    /// What the address begins with.
    scheme: &'static str,
    /// Opens one.
    open: fn(Options) -> Promise<'static, Arc<dyn Database>>,
    /// As [`crate::Store::examine`].
    examine: fn(Options) -> Promise<'static, Examined>,
    /// What is at an address, without making or changing anything there; nothing, where there is no database yet.
    inventory: fn(Options) -> Promise<'static, Inventory>,
    /// What it can hold.
    capacity: Capacity,
    /// As [`crate::Store::address`].
    address: fn(&str) -> Result<String, Error>,
}

/// What is at an address.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// The names of the tables that are not the store's own.
    pub(crate) tables: Vec<String>,
    /// How many migrations ran; `None`: it is no database of Loggia.
    pub(crate) ran: Option<u64>,
}

/// What a kind of database can hold, where that is less than others can.
#[derive(Clone, Copy)]
pub(crate) struct Capacity {
    /// How many bytes a name may have.
    pub(crate) longest_name: Option<usize>,
    /// How many columns a table may have.
    pub(crate) most_columns: Option<usize>,
    /// Whether a foreign key may lead from the first column to the second.
    pub(crate) points: fn(&Column, &Column) -> bool,
    /// Why a column cannot be made, or a value not be kept in it.
    pub(crate) unfit: fn(&Column, &Scalar) -> Option<String>,
}

impl Capacity {
    /// Everything that any of them can.
    pub(crate) const ALL: Self = Self {
        longest_name: None,
        most_columns: None,
        points: |_, _| true,
        unfit: |_, _| None,
    };
}

/// Every kind of database.
pub(crate) static BACKENDS: &[Backend] = &[
    Backend {
        scheme: "sqlite:",
        open: sqlite::open,
        examine: sqlite::examine,
        inventory: sqlite::inventory,
        capacity: Capacity::ALL,
        address: sqlite::address,
    },
    Backend {
        scheme: "postgres://",
        open: postgres::open,
        examine: postgres::examine,
        inventory: postgres::inventory,
        capacity: postgres::CAPACITY,
        address: postgres::address,
    },
    Backend {
        scheme: "postgresql://",
        open: postgres::open,
        examine: postgres::examine,
        inventory: postgres::inventory,
        capacity: postgres::CAPACITY,
        address: postgres::address,
    },
    Backend {
        scheme: "mysql://",
        open: mysql::open,
        examine: mysql::examine,
        inventory: mysql::inventory,
        capacity: mysql::CAPACITY,
        address: mysql::address,
    },
    Backend {
        scheme: "mariadb://",
        open: mysql::open,
        examine: mysql::examine,
        inventory: mysql::inventory,
        capacity: mysql::CAPACITY,
        address: mysql::address,
    },
];

/// An open database.
pub(crate) trait Database: Send + Sync {
    /// Runs plans that read, on one snapshot.
    fn read(&self, plans: Vec<Plan>) -> Promise<'_, Vec<Outcome>>;
    /// A turn at the writer.
    fn begin(&self) -> Promise<'_, Box<dyn Transaction>>;
    /// As [`crate::Store::tables`].
    fn tables(&self) -> Promise<'_, IndexMap<String, Table>>;
    /// As [`crate::Store::versions`].
    fn versions(&self) -> Promise<'_, Versions>;
    /// As [`crate::Store::heard`]; for a while, unless the database tells.
    fn heard(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(LOOK_EVERY))
    }
    /// As [`crate::Store::check`].
    fn check(&self) -> Promise<'_, Vec<Finding>>;
    /// The last key that was counted, by table, of the tables where it is known.
    fn counters(&self) -> Promise<'_, IndexMap<String, i64>> {
        Box::pin(async { Ok(IndexMap::new()) })
    }
    /// As [`crate::Store::activity`].
    fn activity(&self) -> Activity;
}

/// An open transaction; dropping it rolls back.
pub(crate) trait Transaction: Send {
    /// As [`crate::Tx::run_all`].
    fn run(&mut self, plans: Vec<Plan>) -> Promise<'_, Vec<Outcome>>;
    /// As [`crate::Tx::change_schema`].
    fn change_schema(&mut self, plan: SchemaPlan) -> Promise<'_, ()>;
    /// As [`crate::Tx::tables`].
    fn tables(&mut self) -> Promise<'_, IndexMap<String, Table>>;
    /// As [`crate::Tx::schema_version`].
    fn schema_version(&mut self) -> Promise<'_, u64>;
    /// As [`crate::Tx::versions`].
    fn versions(&self) -> Versions;
    /// As [`crate::Tx::run_and_commit`]; with that, raises versions ([`Raises::statement`]).
    fn commit(self: Box<Self>, plans: Vec<Plan>, raises: Raises) -> Promise<'static, ()>;
}

/// Opens the database at `options.url`.
pub(crate) async fn open(options: Options) -> Result<Arc<dyn Database>, Error> {
    (of(&options.url)?.open)(options).await
}

/// As [`crate::Store::examine`].
pub(crate) async fn examine(options: Options) -> Result<Examined, Error> {
    (of(&options.url)?.examine)(options).await
}

/// What is at an address, without making or changing anything there.
pub(crate) async fn inventory(options: Options) -> Result<Inventory, Error> {
    (of(&options.url)?.inventory)(options).await
}

/// What the kind of database at an address can hold.
pub(crate) fn capacity(url: &str) -> Result<Capacity, Error> {
    Ok(of(url)?.capacity)
}

/// As [`crate::Store::address`].
pub(crate) fn address(url: &str) -> Result<String, Error> {
    (of(url)?.address)(url)
}

/// The kind of database that the address names.
fn of(url: &str) -> Result<&'static Backend, Error> {
    BACKENDS
        .iter()
        .find(|backend| url.starts_with(backend.scheme))
        .ok_or_else(|| {
            let known: Vec<_> = BACKENDS.iter().map(|backend| backend.scheme).collect();
            // The rest may hold a password.
            let begins = match url.split_once(':') {
                Some((scheme, _)) => format!("begins with {scheme:?}"),
                None => "names no kind of database".to_owned(),
            };
            Error::Address(format!(
                "the address of the database {begins}, which this program does not know: it must begin with {}",
                known.join(" or ")
            ))
        })
}
