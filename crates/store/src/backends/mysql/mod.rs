//! MySQL (8.0.19 and later) and MariaDB (10.6 and later).
//!
//! - Columns have types of the database where they hold the same values, and are texts with a rule of the table where
//!   they do not (see `types`). Text is collated by its characters' numbers, and no space is passed over.
//! - Reads run on a pool of connections that cannot write: several statements in one transaction that sees one
//!   snapshot. They are asked once more where the server went away, and where tables have changed under them.
//! - Writes run one transaction after the other, across all processes (see `writer`). Where the connection breaks, a
//!   transaction is lost whole; where it breaks during the commit, the server is asked what has become of it. No
//!   write is ever sent again.
//! - The server commits whatever is under way before it changes a table. So tables are changed on a connection of
//!   their own, step by step, and a journal says how each step is taken back (see `journal`); rows and journal are kept
//!   by one commit. Reads of other processes see the steps before that.
//! - Functions of our own (see `functions`) are made in the database, and only statements use them.
//! - Any number of servers and command-line tools may share a database.

use std::sync::Arc;

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
mod building;
mod calendar;
mod capacity;
mod change;
mod connection;
mod converting;
mod decimal_key;
mod defaults;
mod described;
mod dialect;
mod exact;
mod failure;
mod functions;
mod introspect;
mod journal;
mod json_key;
mod opening;
mod pattern;
mod session;
mod shapes;
mod tls;
#[cfg(test)]
mod tried;
mod types;
mod values;
mod writer;

use address::Address;
pub(super) use capacity::CAPACITY;
use connection::{Common, Connection};
use failure::told;
use session::Reading;
use writer::Quill;

/// How long an attempt to connect may take that nobody makes.
const CONNECTING: std::time::Duration = std::time::Duration::from_secs(1);

/// Opens a database, making what it lacks.
pub(super) fn open(options: Options) -> Promise<'static, Arc<dyn Database>> {
    Box::pin(async move {
        let common = Arc::new(Common::new(Address::of(&options)?, &options));
        let mut connection = Connection::open_within(&common, Mode::Write, options.remote.starting).await?;
        let number = opening::prepare(&mut connection).await?;
        let quill = Quill::new(common.clone(), connection, number);
        let database = Mysql {
            watch: Watch::start::<Connection>(common.clone()),
            pool: Pool::new(common.clone(), options.readers, options.remote.connections),
            writer: Arc::new(Writer::start(quill)),
            common,
        };
        Ok(Arc::new(database) as Arc<dyn Database>)
    })
}

/// Looks at a database without writing to it.
pub(super) fn examine(options: Options) -> Promise<'static, Examined> {
    Box::pin(async move {
        let common = Arc::new(Common::new(Address::of(&options)?, &options));
        let mut connection = Connection::open_within(&common, Mode::Read, options.remote.starting).await?;
        let (about, mut findings) = opening::examine(&mut connection).await?;
        let checked = introspect::check(&mut connection).await;
        findings.extend(checked.map_err(failure::of)?);
        let tables = introspect::tables(&mut connection, None).await;
        let left_out = introspect::left_out(&mut connection).await;
        findings.extend(crate::store::noted(
            &tables.map_err(failure::of)?,
            left_out.map_err(failure::of)?,
        ));
        findings.extend(migrations::finding(ran(&mut connection).await?));
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
        let mut connection = Connection::open_within(&common, Mode::Read, options.remote.starting).await?;
        let tables = introspect::tables(&mut connection, None).await;
        Ok(Inventory {
            tables: tables.map_err(failure::of)?.into_keys().collect(),
            ran: ran(&mut connection).await?,
        })
    })
}

/// How many migrations ran; `None`: it is no database of Loggia.
async fn ran(connection: &mut Connection) -> Result<Option<u64>, Error> {
    let is_ours = introspect::has_table(connection, migrations::TABLE).await;
    if !is_ours.map_err(failure::of)? {
        return Ok(None);
    }
    let plan = migrations::last(&migrations::ledger());
    let common = connection.common().clone();
    let outcome = answer::run(&mut Reading::new(connection), &plan, &common.basics.clock).await?;
    Ok(Some(migrations::number(outcome)))
}

/// Without user and password.
pub(super) fn address(url: &str) -> Result<String, Error> {
    let address = Address::parse(url, CONNECTING)?;
    Ok(format!("mysql://{address}"))
}

/// MariaDB's dialect, for the golden statements.
#[cfg(test)]
pub(super) fn dialect() -> &'static dyn crate::lower::Dialect {
    &dialect::MARIADB
}

/// An open database.
struct Mysql {
    common: Arc<Common>,
    watch: Watch,
    pool: Arc<Pool<Connection>>,
    writer: Arc<Writer>,
}

impl Database for Mysql {
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
                .read(|connection| {
                    Box::pin(async move {
                        // Steps that may be taken back are nobody's tables yet.
                        connection.refresh().await;
                        told(introspect::tables(connection, None).await)
                    })
                })
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

/// Runs plans one after the other, on one snapshot.
async fn read(connection: &mut Connection, plans: &[Plan]) -> Result<Vec<Outcome>, (Error, Trouble)> {
    if answer::is_one_statement(plans) {
        return read_each(connection, plans).await;
    }
    let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    told(connection.command(begin).await)?;
    let outcomes = read_each(connection, plans).await;
    // Where the connection broke, nothing is left to end.
    match (outcomes, told(connection.command("COMMIT").await)) {
        (Err(failed), _) | (Ok(_), Err(failed)) => Err(failed),
        (Ok(outcomes), Ok(())) => Ok(outcomes),
    }
}

async fn read_each(connection: &mut Connection, plans: &[Plan]) -> Result<Vec<Outcome>, (Error, Trouble)> {
    let common = connection.common().clone();
    let mut outcomes = Vec::with_capacity(plans.len());
    let mut reading = Reading::new(connection);
    for plan in plans {
        match answer::run(&mut reading, plan, &common.basics.clock).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return Err((error, reading.trouble)),
        }
    }
    Ok(outcomes)
}
