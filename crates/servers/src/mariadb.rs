//! MariaDB.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};

use crate::place::{self, Account};
use crate::server::{Programs, Shared, template_name, unique_name};

/// The database that every server has, and nobody else uses.
const FIRST: &str = "first";
/// How many seconds one process waits for another that makes a template.
const MAKING: u32 = 300;

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
            if let Ok(mut server) = connect(port, None).await {
                drop(remove(&mut server, &name).await);
            }
        });
    }
}

fn url(port: u16, name: &str) -> String {
    format!("mysql://root@127.0.0.1:{port}/{name}?sslmode=disable")
}

/// An empty database.
pub(crate) async fn empty() -> Option<Held> {
    let server = shared()?;
    let held = Held {
        port: server.port,
        name: unique_name(),
    };
    let mut connection = connect(server.port, None).await.expect("the server");
    let text = format!("CREATE DATABASE `{}`", held.name);
    connection.query_drop(text).await.expect("a database");
    Some(held)
}

/// A copy of what `make` leaves.
pub(crate) async fn copy<F: Future<Output = ()>>(make: impl FnOnce(String) -> F) -> Option<Held> {
    let server = shared()?;
    let template = template_name();
    let mut connection = connect(server.port, None).await.expect("the server");
    if !exists(&mut connection, &template).await {
        // One process makes it; the others wait, and find it.
        let lock = format!("SELECT GET_LOCK('{template}', {MAKING})");
        let got: Option<u8> = connection.query_first(lock).await.expect("a lock");
        assert_eq!(got, Some(1), "nobody has made the template {template}");
        if !exists(&mut connection, &template).await {
            let raw = format!("{template}-raw");
            remove(&mut connection, &raw).await.expect("no database");
            let text = format!("CREATE DATABASE `{raw}`");
            connection.query_drop(text).await.expect("a database");
            make(url(server.port, &raw)).await;
            // A database cannot be renamed: that there is another one says that the raw one is made.
            let text = format!("CREATE DATABASE `{template}`");
            connection.query_drop(text).await.expect("a template");
        }
        let unlock = format!("DO RELEASE_LOCK('{template}')");
        connection.query_drop(unlock).await.expect("the lock");
    }
    let held = Held {
        port: server.port,
        name: unique_name(),
    };
    let copied = copy_database(&mut connection, &format!("{template}-raw"), &held.name).await;
    copied.expect("a copy");
    Some(held)
}

/// Makes a database with the tables, rows and functions of another.
async fn copy_database(connection: &mut Conn, from: &str, to: &str) -> Result<(), mysql_async::Error> {
    let tables: Vec<String> = connection
        .query(format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{from}'"
        ))
        .await?;
    let functions: Vec<String> = connection
        .query(format!(
            "SELECT routine_name FROM information_schema.routines WHERE routine_schema = '{from}'"
        ))
        .await?;
    let mut made = vec![
        format!("CREATE DATABASE `{to}`"),
        format!("USE `{to}`"),
        // Tables may point to others that are not there yet.
        "SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'".to_owned(),
    ];
    for table in &tables {
        let text = format!("SHOW CREATE TABLE `{from}`.`{table}`");
        let found: Option<(String, String)> = connection.query_first(text).await?;
        made.extend(found.map(|(_, text)| text));
        made.push(format!("INSERT INTO `{table}` SELECT * FROM `{from}`.`{table}`"));
    }
    for function in &functions {
        let text = format!("SHOW CREATE FUNCTION `{from}`.`{function}`");
        type Found = (String, String, String, String, String, String);
        let found: Option<Found> = connection.query_first(text).await?;
        made.extend(found.map(|(_, _, text, ..)| text));
    }
    for text in made {
        connection.query_drop(text).await?;
    }
    Ok(())
}

async fn exists(connection: &mut Conn, name: &str) -> bool {
    let query = format!("SELECT 1 FROM information_schema.schemata WHERE schema_name = '{name}'");
    let found: Option<u8> = connection.query_first(query).await.expect("an answer");
    found.is_some()
}

/// Removes a database, and ends whoever still uses it: they would be waited for.
async fn remove(connection: &mut Conn, name: &str) -> Result<(), mysql_async::Error> {
    let users = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
    let users: Vec<u64> = connection.query(users).await?;
    for user in users {
        // It may have gone by itself.
        drop(connection.query_drop(format!("KILL {user}")).await);
    }
    let text = format!("DROP DATABASE IF EXISTS `{name}`");
    connection.query_drop(text).await
}

async fn connect(port: u16, name: Option<&str>) -> Result<Conn, mysql_async::Error> {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("root"))
        .prefer_socket(false)
        .db_name(name);
    Conn::new(options).await
}

fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
    SHARED.get_or_init(Shared::find::<Mariadb>).as_ref()
}

/// Where the server's programs are, and as whom they run.
pub(crate) struct Mariadb {
    server: PathBuf,
    install: PathBuf,
    account: Option<Account>,
}

impl Programs for Mariadb {
    const NAME: &'static str = "mariadb";
    const END: &'static str = "TERM";
    const LEFT_BEHIND: Option<&'static str> = None;

    fn find() -> Option<Self> {
        let left_out = |why: &str| crate::left_out(why, "mariadb-server");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<_> = std::env::split_paths(&path).collect();
        folders.extend(["/usr/sbin", "/usr/bin"].map(PathBuf::from));
        let find = |name: &str| {
            let paths = folders.iter().map(|folder| folder.join(name));
            paths.into_iter().find(|path| path.exists())
        };
        let (Some(server), Some(install)) = (find("mariadbd"), find("mariadb-install-db")) else {
            return left_out("MariaDB is not installed");
        };
        let account = match place::other_account("mysql") {
            None => None,
            Some(Some(account)) => Some(account),
            Some(None) => return left_out("MariaDB does not run as root, and there is no user mysql"),
        };
        Some(Self {
            server,
            install,
            account,
        })
    }

    fn account(&self) -> Option<Account> {
        self.account
    }

    /// What is not said of characters and collations stays as it comes, which is latin1, so that whatever depends on it
    /// shows.
    fn make(&self, folder: &Path) {
        let data = folder.join("data");
        drop(fs::remove_dir_all(&data));
        let data = format!("--datadir={}", data.display());
        let arguments = [
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            &data,
        ];
        let installed = place::run(&self.install, self.account, &arguments);
        assert!(installed, "mariadb-install-db");
        place::folder(&folder.join("data").join(FIRST), self.account).expect("a database");
        // A server that starts clears the folder, whoever else uses it.
        place::folder(&folder.join("temporary"), self.account).expect("a folder");
    }

    fn program(&self) -> PathBuf {
        self.server.clone()
    }

    fn arguments(&self, path: &Path, port: u16) -> Vec<String> {
        let folder = path.display();
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={folder}/data"),
            format!("--tmpdir={folder}/temporary"),
            format!("--socket={folder}/socket"),
            format!("--port={port}"),
        ];
        for setting in [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=400",
            "--performance-schema=off",
            "--innodb-buffer-pool-size=64M",
            // A commit survives the end of the server, though not of the machine.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0",
            "--debug-no-sync",
        ] {
            arguments.push(setting.to_owned());
        }
        // What a test has put there, one a line.
        let more = fs::read_to_string(path.join("arguments")).unwrap_or_default();
        arguments.extend(more.lines().map(str::to_owned));
        arguments
    }

    fn answers(port: u16) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.is_ok_and(|runtime| runtime.block_on(connect(port, None)).is_ok())
    }

    fn url(port: u16) -> String {
        url(port, FIRST)
    }
}
