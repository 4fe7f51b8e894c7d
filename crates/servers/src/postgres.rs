//! PostgreSQL.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tokio_postgres::{Client, NoTls};

use crate::place::{self, Account};
use crate::server::{Programs, Shared, template_name, unique_name};

/// The database that every server has.
const FIRST: &str = "postgres";

/// A database on the shared server.
#[derive(Debug)]
pub(crate) struct Held {
    port: u16,
    name: String,
}

impl Held {
    pub(crate) fn url(&self) -> String {
        url(self.port, &self.name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (port, name) = (self.port, std::mem::take(&mut self.name));
        // What stays behind goes with the server.
        crate::apart(async move {
            let Ok(client) = connect(port, FIRST).await else {
                return;
            };
            let text = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
            drop(client.batch_execute(&text).await);
        });
    }
}

fn url(port: u16, name: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable")
}

/// An empty database.
pub(crate) async fn empty() -> Option<Held> {
    let server = shared()?;
    let name = unique_name();
    let client = connect(server.port, FIRST).await.expect("the server");
    let text = format!("CREATE DATABASE \"{name}\"");
    client.batch_execute(&text).await.expect("a database");
    Some(Held {
        port: server.port,
        name,
    })
}

/// A copy of what `make` leaves.
pub(crate) async fn copy<F: Future<Output = ()>>(make: impl FnOnce(String) -> F) -> Option<Held> {
    let server = shared()?;
    let client = connect(server.port, FIRST).await.expect("the server");
    let template = template_name();
    if !exists(&client, &template).await {
        // One process makes it; the others wait, and find it.
        let key = place::digest(&template) as i64;
        let lock = format!("SELECT pg_advisory_lock({key})");
        client.batch_execute(&lock).await.expect("a lock");
        if !exists(&client, &template).await {
            let raw = format!("{template}-raw");
            for text in [
                format!("DROP DATABASE IF EXISTS \"{raw}\" WITH (FORCE)"),
                format!("CREATE DATABASE \"{raw}\""),
            ] {
                client.batch_execute(&text).await.expect("a database");
            }
            make(url(server.port, &raw)).await;
            let end = format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{raw}'"
            );
            client.batch_execute(&end).await.expect("no connections");
            let name = format!("ALTER DATABASE \"{raw}\" RENAME TO \"{template}\"");
            client.batch_execute(&name).await.expect("a template");
        }
        let unlock = format!("SELECT pg_advisory_unlock({key})");
        client.batch_execute(&unlock).await.expect("the lock");
    }
    let name = unique_name();
    let text = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"");
    client.batch_execute(&text).await.expect("a copy");
    Some(Held {
        port: server.port,
        name,
    })
}

async fn exists(client: &Client, name: &str) -> bool {
    let query = "SELECT 1 FROM pg_database WHERE datname = $1";
    !client.query(query, &[&name]).await.expect("an answer").is_empty()
}

async fn connect(port: u16, name: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&url(port, name), NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
    SHARED.get_or_init(Shared::find::<Postgres>).as_ref()
}

/// Where the server's programs are, and as whom they run.
pub(crate) struct Postgres {
    folder: PathBuf,
    account: Option<Account>,
}

impl Programs for Postgres {
    const NAME: &'static str = "postgres";
    const END: &'static str = "INT";
    const LEFT_BEHIND: Option<&'static str> = Some("data/postmaster.pid");

    fn find() -> Option<Self> {
        let left_out = |why: &str| crate::left_out(why, "postgresql");
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let mut folders: Vec<_> = versions
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .collect();
        folders.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path));
        let there = |folder: &&PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
        let Some(folder) = folders.iter().rev().find(there) else {
            return left_out("PostgreSQL is not installed");
        };
        let account = match place::other_account("postgres") {
            None => None,
            Some(Some(account)) => Some(account),
            Some(None) => return left_out("PostgreSQL does not run as root, and there is no user postgres"),
        };
        Some(Self {
            folder: folder.clone(),
            account,
        })
    }

    fn account(&self) -> Option<Account> {
        self.account
    }

    /// Its collation is not that of bytes, so that whatever depends on it shows.
    fn make(&self, folder: &Path) {
        let data = folder.join("data");
        drop(fs::remove_dir_all(&data));
        let data = data.display().to_string();
        let base = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ];
        let icu = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"];
        let with = |more: &[&str]| {
            place::run(
                &self.folder.join("initdb"),
                self.account,
                &[&base[..], more].concat(),
            )
        };
        // Before version 15, a whole cluster cannot be collated by ICU.
        assert!(with(&icu) || with(&["--locale=C.UTF-8"]), "initdb");
    }

    fn program(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    fn arguments(&self, folder: &Path, port: u16) -> Vec<String> {
        let mut arguments = vec![
            "-D".to_owned(),
            folder.join("data").display().to_string(),
            "-p".to_owned(),
            port.to_string(),
        ];
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_connections=400",
            "shared_buffers=64MB",
            "autovacuum=off",
            "log_min_messages=fatal",
        ] {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        arguments
    }

    fn answers(port: u16) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.is_ok_and(|runtime| runtime.block_on(connect(port, FIRST)).is_ok())
    }

    fn url(port: u16) -> String {
        url(port, FIRST)
    }
}
