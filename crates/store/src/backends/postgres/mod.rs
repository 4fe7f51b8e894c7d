//! PostgreSQL (13 and later, UTF-8), and servers that speak its protocol.
//!
//! - Columns have the database's own types; text is collated by its bytes (`COLLATE "C"`), and where other programs
//!   made the columns, comparisons and orders say so. JSON is kept as `json`, to the letter. Decimals keep the digits
//!   they were written with, so their limits stand in a rule of the table instead of the type.
//! - Reads run on a pool of connections that cannot write: several statements in one transaction that
//!   sees one snapshot. They are asked once more where the server went away, and where a prepared statement no longer
//!   fits the tables.
//! - Writes run one transaction after the other, across all processes. Where the connection breaks, a
//!   transaction is lost whole; where it breaks during the commit, the server is asked what has become of it. No
//!   write is ever sent again.
//! - Functions of our own (see `functions`) are made in the first schema of the search path, and only statements use
//!   them: no table depends on them.
//! - A change of a table waits for the reads of it that are under way, and reads of it wait for the change.
//! - Any number of servers and command-line tools may share a database. One connection of each asks what others have changed, and
//!   hears of it: whoever raises versions says so with the commit (`NOTIFY`).

use std::sync::Arc;

use futures_util::future::{join, try_join_all};
use indexmap::IndexMap;
use loggia_model::plan::Plan;
use loggia_model::schema::Table;

use super::remote::pool::Pool;
use super::remote::watch::Watch;
use super::remote::writer::Writer;
use super::remote::{Link as _, Mode, Trouble};
use super::{Database, Inventory, Promise, Transaction};
use crate::store::{Activity, Examined, Finding, Options, Outcome};
use crate::{Error, Versions, answer, migrations};

mod address;
mod arguments;
mod calendar;
mod capacity;
mod change;
mod connection;
mod converting;
mod defaults;
mod dialect;
mod failure;
mod functions;
mod introspect;
mod json_key;
mod numeric;
mod opening;
mod session;
mod tls;
mod types;
mod values;
mod writer;

use address::Address;
pub(super) use capacity::CAPACITY;
use connection::{Common, Connection};
use session::Reading;
use writer::Quill;

/// How long an attempt to connect may take that nobody makes.
const CONNECTING: std::time::Duration = std::time::Duration::from_secs(1);

/// Opens a database, making what it lacks.
pub(super) fn open(options: Options) -> Promise<'static, Arc<dyn Database>> {
    Box::pin(async move {
        let common = Arc::new(Common::new(Address::of(&options)?, &options));
        let connection = Connection::open_within(&common, Mode::Write, options.remote.starting).await?;
        let number = opening::prepare(&connection).await?;
        let database = Postgres {
            watch: Watch::start::<Connection>(common.clone()),
            pool: Pool::new(common.clone(), options.readers, options.remote.connections),
            writer: Arc::new(Writer::start(Quill::new(common.clone(), connection, number))),
            common,
        };
        Ok(Arc::new(database) as Arc<dyn Database>)
    })
}

/// Looks at a database without writing to it.
pub(super) fn examine(options: Options) -> Promise<'static, Examined> {
    Box::pin(async move {
        let common = Arc::new(Common::new(Address::of(&options)?, &options));
        let connection = Connection::open_within(&common, Mode::Read, options.remote.starting).await?;
        let (about, mut findings) = opening::examine(&connection).await?;
        findings.extend(introspect::check(&connection).await.map_err(failure::of)?);
        let tables = introspect::tables(&connection, None).await.map_err(failure::of)?;
        let left_out = introspect::left_out(&connection).await.map_err(failure::of)?;
        findings.extend(crate::store::noted(&tables, left_out));
        findings.extend(migrations::finding(ran(&connection).await?));
        Ok(Examined {
            about: Some(about),
            findings,
        })
    })
}

/// What a database holds.
pub(super) fn inventory(options: Options) -> Promise<'static, Inventory> {
    Box::pin(async move {
        let common = Arc::new(Common::new(Address::of(&options)?, &options));
        let connection = Connection::open_within(&common, Mode::Read, options.remote.starting).await?;
        let tables = introspect::tables(&connection, None).await.map_err(failure::of)?;
        Ok(Inventory {
            tables: tables.into_keys().collect(),
            ran: ran(&connection).await?,
        })
    })
}

/// How many migrations ran; `None`: it is no database of Loggia.
async fn ran(connection: &Connection) -> Result<Option<u64>, Error> {
    let is_ours = introspect::has_table(connection, migrations::TABLE).await;
    if !is_ours.map_err(failure::of)? {
        return Ok(None);
    }
    let plan = migrations::last(&migrations::ledger());
    let clock = &connection.common().basics.clock;
    let outcome = answer::run(&mut Reading::new(connection), &plan, clock).await?;
    Ok(Some(migrations::number(outcome)))
}

/// Without user and password.
pub(super) fn address(url: &str) -> Result<String, Error> {
    let address = Address::parse(url, CONNECTING)?;
    Ok(format!("postgres://{address}"))
}

/// The dialect, for the golden statements.
#[cfg(test)]
pub(super) fn dialect() -> &'static dyn crate::lower::Dialect {
    &dialect::POSTGRES
}

/// An open database.
struct Postgres {
    common: Arc<Common>,
    watch: Watch,
    pool: Arc<Pool<Connection>>,
    writer: Arc<Writer>,
}

impl Database for Postgres {
    fn read(&self, plans: Vec<Plan>) -> Promise<'_, Vec<Outcome>> {
        Box::pin(async move {
            let plans: Arc<[Plan]> = plans.into();
            self.pool
                .read(move |connection| {
                    let plans = plans.clone();
                    Box::pin(async move { read(connection, &plans).await })
                })
                .await
        })
    }

    fn begin(&self) -> Promise<'_, Box<dyn Transaction>> {
        Box::pin(async move {
            let turn = Writer::turn(&self.writer).await?;
            Ok(Box::new(turn) as Box<dyn Transaction>)
        })
    }

    fn tables(&self) -> Promise<'_, IndexMap<String, Table>> {
        Box::pin(async move {
            self.pool
                .read(|connection| Box::pin(async move { told(introspect::tables(connection, None).await) }))
                .await
        })
    }

    fn versions(&self) -> Promise<'_, Versions> {
        Box::pin(self.watch.versions())
    }

    fn heard(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.common.basics.heard())
    }

    fn check(&self) -> Promise<'_, Vec<Finding>> {
        Box::pin(async move {
            self.pool
                .read(|connection| Box::pin(async move { told(introspect::check(connection).await) }))
                .await
        })
    }

    fn counters(&self) -> Promise<'_, IndexMap<String, i64>> {
        Box::pin(async move {
            self.pool
                .read(|connection| Box::pin(async move { told(introspect::counters(connection).await) }))
                .await
        })
    }

    fn activity(&self) -> Activity {
        self.common.basics.counts.activity(self.pool.living())
    }
}

/// An answer, or what is to be done about its failure.
fn told<T>(answer: Result<T, connection::Failure>) -> Result<T, (Error, Trouble)> {
    answer.map_err(|error| {
        let trouble = failure::trouble(&error, true);
        (failure::of(error), trouble)
    })
}

async fn read_one(mut reading: Reading<'_>, plan: &Plan) -> Result<Outcome, (Error, Trouble)> {
    let clock = reading.clock();
    let outcome = answer::run(&mut reading, plan, clock).await;
    reading.end();
    outcome.map_err(|error| (error, reading.trouble))
}

/// Runs plans on one snapshot; several plans at the same time.
async fn read(connection: &Connection, plans: &[Plan]) -> Result<Vec<Outcome>, (Error, Trouble)> {
    if let [plan] = plans {
        let reading = if answer::is_one_statement(plans) {
            Reading::new(connection)
        } else {
            Reading::on_a_snapshot(connection)
        };
        return Ok(vec![read_one(reading, plan).await?]);
    }
    let run = try_join_all(plans.iter().map(|plan| read_one(Reading::new(connection), plan)));
    let (begun, outcomes) = join(connection.command(session::BEGIN), run).await;
    connection.command_later("COMMIT");
    told(begun)?;
    outcomes
}
