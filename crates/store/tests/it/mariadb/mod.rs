//! MariaDB: the suite, and what is about its server.

use loggia_servers::{Kind, Server, mariadb_alone};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};

#[path = "../remote/breaking.rs"]
mod breaking;
mod foreign;
mod halfway;
#[path = "../remote/sharing.rs"]
mod sharing;
#[path = "../suite/mod.rs"]
pub(crate) mod suite;
mod tls;

/// What the suite runs on.
const KIND: Kind = Kind::Mariadb;

/// A server that a test may stop.
fn alone() -> Option<Server> {
    mariadb_alone()
}

/// Ends all connections to a database.
async fn cut(url: &str) {
    let mut session = Session::open(url).await;
    let others =
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let others: Vec<u64> = session.0.query(others).await.unwrap();
    for other in others {
        // It may have gone by itself.
        drop(session.0.query_drop(format!("KILL {other}")).await);
    }
}

/// Another program's connection.
struct Session(Conn);

impl Session {
    async fn open(url: &str) -> Self {
        // What follows is ours.
        let (address, _) = url.split_once('?').unwrap();
        Self(Conn::new(Opts::from_url(address).unwrap()).await.unwrap())
    }

    async fn say(&mut self, text: &str) -> Result<(), String> {
        let said = self.0.query_drop(text).await;
        said.map_err(|error| error.to_string())
    }
}
