//! PostgreSQL: the suite, and what is about its server.

use loggia_servers::{Kind, Server, postgres_alone};

#[path = "../remote/breaking.rs"]
mod breaking;
mod copying;
mod foreign;
mod opening;
#[path = "../remote/sharing.rs"]
mod sharing;
#[path = "../suite/mod.rs"]
pub(crate) mod suite;
mod tls;

/// What the suite runs on.
const KIND: Kind = Kind::Postgres;

/// A server that a test may stop.
fn alone() -> Option<Server> {
    postgres_alone()
}

/// Ends all connections to a database.
async fn cut(url: &str) {
    let text = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    foreign::say(url, text).await;
}

/// Another program's connection.
struct Session(tokio_postgres::Client);

impl Session {
    async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn say(&mut self, text: &str) -> Result<(), String> {
        let said = self.0.batch_execute(text).await;
        said.map_err(|error| error.to_string())
    }
}
