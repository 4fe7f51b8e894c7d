//! Private database servers for tests: [`Database`]. A dev-dependency only.
//!
//! The first test that needs a server starts one on a spare port, with its data in a temporary folder and nothing
//! synced; tests of other processes share it, each with a database of its own. A keeper (see `keeper.sh`) stops it and
//! removes the folder when no test has used it for a few seconds. Where the server's programs are not installed, the
//! test is told so, and says that it was left out.
//!
//! `LOGGIA_TEST_DATABASE` chooses the database that suites run on which run on one at a time: `sqlite` (also when it
//! is not set), `postgres` or `mariadb`.
//!
//! To add a server: a variant of [`Kind`], and a file beside `postgres.rs` with its `Programs`.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says why"
)]

mod mariadb;
mod place;
mod postgres;
mod server;

use std::future::Future;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SQLite, in memory.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
}

/// The kind of database that the suite runs on.
///
/// # Panics
/// When `LOGGIA_TEST_DATABASE` names none.
#[must_use]
pub fn chosen() -> Kind {
    match std::env::var("LOGGIA_TEST_DATABASE").as_deref() {
        Err(_) | Ok("" | "sqlite") => Kind::Sqlite,
        Ok("postgres") => Kind::Postgres,
        Ok("mariadb") => Kind::Mariadb,
        Ok(other) => panic!("LOGGIA_TEST_DATABASE={other}: use sqlite, postgres or mariadb"),
    }
}

/// A database of its own for one test; it goes with the value.
#[derive(Debug)]
pub struct Database {
    /// Its address, as the store reads it.
    pub url: String,
    _held: Held,
}

/// What keeps a database.
#[derive(Debug)]
enum Held {
    /// It goes with its last user.
    InMemory,
    Postgres(#[expect(dead_code, reason = "it goes with the value")] postgres::Held),
    Mariadb(#[expect(dead_code, reason = "it goes with the value")] mariadb::Held),
}

impl Database {
    /// An empty database; `None`, after saying so, where its server is not installed.
    pub async fn empty(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sqlite => Some(Self::in_memory()),
            Kind::Postgres => {
                let held = postgres::empty().await?;
                Some(Self {
                    url: held.url(),
                    _held: Held::Postgres(held),
                })
            }
            Kind::Mariadb => {
                let held = mariadb::empty().await?;
                Some(Self {
                    url: held.url(),
                    _held: Held::Mariadb(held),
                })
            }
        }
    }

    /// A database as `make` leaves an empty one: it is made once for each test program, and copied. Of SQLite every test
    /// makes its own.
    pub async fn like<F: Future<Output = ()>>(kind: Kind, make: impl FnOnce(String) -> F) -> Option<Self> {
        match kind {
            Kind::Sqlite => Some(Self::in_memory()),
            Kind::Postgres => {
                let held = postgres::copy(make).await?;
                Some(Self {
                    url: held.url(),
                    _held: Held::Postgres(held),
                })
            }
            Kind::Mariadb => {
                let held = mariadb::copy(make).await?;
                Some(Self {
                    url: held.url(),
                    _held: Held::Mariadb(held),
                })
            }
        }
    }

    /// A database of the chosen kind, as `make` leaves an empty one.
    ///
    /// # Panics
    /// Where its server is not installed: whoever chose it wants to know.
    pub async fn chosen<F: Future<Output = ()>>(make: impl FnOnce(String) -> F) -> Self {
        let kind = chosen();
        let made = Self::like(kind, make).await;
        made.unwrap_or_else(|| panic!("there is no server for {kind:?}"))
    }

    fn in_memory() -> Self {
        Self {
            url: "sqlite::memory:".to_owned(),
            _held: Held::InMemory,
        }
    }
}

/// Runs statements on a database as another program would: what they make there is none of ours.
///
/// # Panics
/// When one of them fails.
pub async fn execute(url: &str, statements: &str) {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let file = rusqlite::Connection::open(path).expect("a file");
        file.execute_batch(statements).expect("statements");
    } else if url.starts_with("postgres") {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .expect("a connection");
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await.expect("statements");
        drop(client);
        connection.await.expect("no panic").expect("a connection");
    } else {
        use mysql_async::prelude::Queryable as _;
        let mut connection = mysql_async::Conn::from_url(url).await.expect("a connection");
        connection.query_drop(statements).await.expect("statements");
        connection.disconnect().await.expect("a connection");
    }
}

/// A PostgreSQL server of its own, for tests that stop it; it goes with the value. `None`, after saying so, where it is
/// not installed.
#[must_use]
pub fn postgres_alone() -> Option<Server> {
    Server::alone::<postgres::Postgres>()
}

/// The same with MariaDB.
#[must_use]
pub fn mariadb_alone() -> Option<Server> {
    Server::alone::<mariadb::Mariadb>()
}

pub use server::Server;

/// Says that something is not tested.
fn left_out<T>(why: &str, package: &str) -> Option<T> {
    eprintln!("left out: {why} (on Debian: apt-get install {package})");
    None
}

/// Does something to its end on a thread and a runtime of its own: the test's may be going already.
fn apart(work: impl Future<Output = ()> + Send + 'static) {
    let working = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(work);
        }
    });
    drop(working.join());
}
