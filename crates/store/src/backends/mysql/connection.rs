//! Connections: how they are made and set up, and how statements run on them.
//!
//! Statements are prepared once for each connection and kept by their text; the server itself prepares them anew where
//! tables have changed. A connection on which something was given up in its middle is closed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loggia_model::Scalar;
use mysql_async::prelude::Queryable as _;
use mysql_async::{BinaryProtocol, Conn, Params, QueryResult, Statement, Value};

use super::address::Address;
use super::failure::{self, trouble};
use super::{dialect, functions, values};
use crate::answer::Rows;
use crate::backends::remote::{Basics, LONGEST_LOCK, LONGEST_WAIT, Link, Mode, Trouble, patiently};
use crate::lower::Dialect;
use crate::{Error, Versions};

/// What goes wrong on a connection.
pub(super) type Failure = mysql_async::Error;

/// What all connections to a database have in common.
pub(super) struct Common {
    pub(super) address: Address,
    pub(super) basics: Basics,
    /// Known once there was a connection.
    server: OnceLock<Server>,
}

impl Common {
    pub(super) fn new(address: Address, options: &crate::Options) -> Self {
        Self {
            address,
            basics: Basics::new(options),
            server: OnceLock::new(),
        }
    }
}

/// Which server it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// As it names itself.
    pub(super) name: String,
    pub(super) is_mariadb: bool,
    pub(super) version: (u16, u16, u16),
}

impl Server {
    /// From what the server says of its version: `10.11.6-MariaDB-1`, `8.0.36-0ubuntu1`.
    pub(super) fn read(name: &str) -> Self {
        let mut numbers = name.split(|character: char| !character.is_ascii_digit());
        let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Self {
            version: (next(), next(), next()),
            is_mariadb: name.to_ascii_lowercase().contains("mariadb"),
            name: name.to_owned(),
        }
    }

    /// How it speaks SQL.
    pub(super) fn dialect(&self) -> &'static dyn Dialect {
        if self.is_mariadb {
            &dialect::MARIADB
        } else {
            &dialect::MYSQL
        }
    }

    /// What makes the functions that it lacks.
    pub(super) fn functions(&self) -> Vec<String> {
        if self.is_mariadb {
            functions::statements::<dialect::MariaDb>()
        } else {
            functions::statements::<dialect::Oracle>()
        }
    }

    /// What the comment of each of them says.
    pub(super) fn mark_of_functions(&self) -> String {
        if self.is_mariadb {
            functions::mark::<dialect::MariaDb>()
        } else {
            functions::mark::<dialect::Oracle>()
        }
    }

    /// Text is compared and ordered by its characters' numbers, and no space is passed over.
    pub(super) fn collation(&self) -> &'static str {
        if self.is_mariadb {
            "utf8mb4_nopad_bin"
        } else {
            "utf8mb4_0900_bin"
        }
    }
}

/// A connection.
pub(super) struct Connection {
    conn: Conn,
    common: Arc<Common>,
    server: Server,
    /// Whether something is under way on it, or it is broken.
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    UnderWay,
    Broken,
}

/// Stops what a connection is doing.
pub(super) struct Canceller {
    id: u32,
    common: Arc<Common>,
}

impl Connection {
    /// Runs statements of our own that take nothing and give nothing; none at all where the text is empty.
    pub(super) async fn command(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.state = State::UnderWay;
        let done = self.conn.query_drop(text).await;
        self.noted(done)
    }

    /// Runs a statement to its end, and gives its rows. It is prepared, and kept so.
    pub(super) async fn fetch(
        &mut self,
        text: &str,
        values: impl Iterator<Item = &Scalar>,
    ) -> Result<Rows, Failure> {
        let values = parameters(values);
        self.state = State::UnderWay;
        let fetched = match self.conn.prep(text).await {
            Ok(statement) => fetch(&mut self.conn, &statement, values).await,
            Err(error) => Err(error),
        };
        self.noted(fetched)
    }

    /// Runs a statement that inserts a row; answers with the number that the row has got, if any.
    pub(super) async fn insert(
        &mut self,
        text: &str,
        values: impl Iterator<Item = &Scalar>,
    ) -> Result<Option<u64>, Failure> {
        let values = parameters(values);
        self.state = State::UnderWay;
        let inserted = self.conn.exec_drop(text, values).await;
        self.noted(inserted)?;
        Ok(self.conn.last_insert_id())
    }

    /// Runs a statement of our own, prepared and kept.
    pub(super) async fn ask(&mut self, text: &str, values: &[Scalar]) -> Result<Rows, Failure> {
        self.fetch(text, values.iter()).await
    }

    /// The same for a statement that is not asked again: it is not kept.
    pub(super) async fn ask_once(&mut self, text: &str, values: &[Scalar]) -> Result<Rows, Failure> {
        let values = parameters(values.iter());
        self.state = State::UnderWay;
        let fetched = match self.conn.prep(text).await {
            Ok(statement) => {
                let fetched = fetch(&mut self.conn, &statement, values).await;
                match self.conn.close(statement).await {
                    Ok(()) => fetched,
                    Err(error) => fetched.and(Err(error)),
                }
            }
            Err(error) => Err(error),
        };
        self.noted(fetched)
    }

    /// Its number on the server.
    pub(super) fn id(&self) -> u32 {
        self.conn.id()
    }

    /// What all connections have in common.
    pub(super) fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// Which server it leads to.
    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// How statements must be written.
    pub(super) fn dialect(&self) -> &'static dyn Dialect {
        self.server.dialect()
    }

    /// What stops it while it is busy.
    pub(super) fn canceller(&self) -> Canceller {
        Canceller {
            id: self.conn.id(),
            common: self.common.clone(),
        }
    }

    /// Notes that what was under way has come to an end, and whether the connection has as well.
    fn noted<T>(&mut self, done: Result<T, Failure>) -> Result<T, Failure> {
        self.state = match &done {
            Err(error) if trouble(error) == Trouble::Lost => State::Broken,
            _ => State::Whole,
        };
        done
    }
}

impl Link for Connection {
    type Common = Common;

    fn basics(common: &Common) -> &Basics {
        &common.basics
    }

    async fn open_within(common: &Arc<Common>, mode: Mode, patience: Duration) -> Result<Self, Error> {
        patiently(patience, &common.address, || async {
            let mut conn = common.address.connect().await?;
            let set = set_up(&mut conn, common, mode).await;
            let server = set.map_err(|error| (trouble(&error), failure::of(error)))?;
            Ok(Self {
                conn,
                common: common.clone(),
                server: common.server.get_or_init(|| server).clone(),
                state: State::Whole,
            })
        })
        .await
    }

    fn is_closed(&self) -> bool {
        self.state != State::Whole
    }

    /// Waits until nobody changes tables: what a statement names may only be on its way.
    async fn refresh(&mut self) {
        const GATE: &str = "SELECT 1 FROM loggia_schema_version WHERE id = 2 LOCK IN SHARE MODE";
        if let Err(error) = self.ask(GATE, &[]).await {
            tracing::debug!(
                error = failure::words(&error),
                "a change of tables is not waited for"
            );
        }
    }

    async fn versions(&mut self) -> Result<Versions, (Error, Trouble)> {
        const QUERY: &str = "SELECT version, rules, people FROM loggia_schema_version WHERE id = 1";
        failure::told(self.ask(QUERY, &[]).await.map(|rows| of_row(&rows)))
    }

    fn abandon(self) {
        let canceller = self.canceller();
        let is_busy = self.state == State::UnderWay;
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && is_busy
        {
            // The connection goes with the task, after the server was asked to end it.
            runtime.spawn(async move {
                canceller.run("KILL").await;
                drop(self);
            });
        }
    }
}

impl Canceller {
    /// Asks the server to stop the statement that is under way. It may have ended already; then the next one can be met.
    pub(super) async fn cancel(&self) {
        self.run("KILL QUERY").await;
    }

    async fn run(&self, command: &str) {
        let killed = match self.common.address.connect().await {
            Ok(mut conn) => conn
                .query_drop(format!("{command} {}", self.id))
                .await
                .map_err(|error| failure::words(&error)),
            Err((_, error)) => Err(error.to_string()),
        };
        if let Err(error) = killed {
            tracing::debug!(error, "a statement could not be cancelled");
        }
    }
}

/// The versions in a row.
pub(super) fn of_row(rows: &Rows) -> Versions {
    let number = |at: usize| match rows.cells.get(at) {
        Some(Scalar::Int(number)) => number.unsigned_abs(),
        _ => 0,
    };
    Versions {
        schema: number(0),
        rules: number(1),
        people: number(2),
    }
}

fn parameters<'v>(values: impl Iterator<Item = &'v Scalar>) -> Params {
    let values: Vec<Value> = values.map(values::bound).collect();
    if values.is_empty() {
        Params::Empty
    } else {
        Params::Positional(values)
    }
}

async fn fetch(conn: &mut Conn, statement: &Statement, values: Params) -> Result<Rows, Failure> {
    let mut result: QueryResult<'_, '_, BinaryProtocol> = conn.exec_iter(statement, values).await?;
    let mut rows = Rows {
        width: statement.num_columns().into(),
        cells: Vec::new(),
    };
    while let Some(row) = result.next().await? {
        let columns = row.columns();
        let cells = columns.iter().zip(row.unwrap());
        rows.cells
            .extend(cells.map(|(column, value)| values::scalar(column, value)));
    }
    result.drop_result().await?;
    Ok(rows)
}

/// What is said to the server first.
async fn set_up(conn: &mut Conn, common: &Common, mode: Mode) -> Result<Server, Failure> {
    let server = match common.server.get() {
        Some(server) => server.clone(),
        None => {
            let name: Option<String> = conn.query_first("SELECT VERSION()").await?;
            Server::read(&name.unwrap_or_default())
        }
    };
    let basics = &common.basics;
    let lock = LONGEST_LOCK.as_secs();
    let mut text = format!(
        "SET NAMES utf8mb4 COLLATE {}; \
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES', \
         time_zone = '+00:00', innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}, \
         default_storage_engine = InnoDB, foreign_key_checks = 1, unique_checks = 1, sql_auto_is_null = 0, div_precision_increment = 30, \
         group_concat_max_len = 4294967295, max_sort_length = 8192, sort_buffer_size = 16777216",
        server.collation(),
    );
    if !server.is_mariadb {
        // What tables have counted is asked for when it matters.
        text.push_str(", information_schema_stats_expiry = 0");
    }
    match mode {
        Mode::Read => {
            let longest = basics.longest_read;
            text.push_str(&if server.is_mariadb {
                format!(", max_statement_time = {}", longest.as_secs_f64())
            } else {
                format!(", max_execution_time = {}", longest.as_millis())
            });
            text.push_str(
                "; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET SESSION TRANSACTION READ ONLY",
            );
        }
        Mode::Write => {
            // Where this process cannot end its transaction, the server does: others wait for it.
            let idle = (basics.idle * 2 + LONGEST_WAIT).as_secs();
            let name = if server.is_mariadb {
                "idle_transaction_timeout"
            } else {
                "wait_timeout"
            };
            text.push_str(&format!(
                ", {name} = {idle}, autocommit = 0; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
            ));
        }
    }
    conn.query_drop(text).await?;
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_who_they_are() {
        let check = |name: &str, is_mariadb: bool, version: (u16, u16, u16)| {
            let server = Server::read(name);
            assert_eq!(
                (server.is_mariadb, server.version),
                (is_mariadb, version),
                "{name}"
            );
        };
        check("10.11.19-MariaDB-0+deb12u1", true, (10, 11, 19));
        check("11.4.2-MariaDB", true, (11, 4, 2));
        check("8.0.36-0ubuntu0.22.04.1", false, (8, 0, 36));
        check("8.4.0", false, (8, 4, 0));
    }
}
