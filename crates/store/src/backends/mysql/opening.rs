//! What a database must have before work begins: our own tables and functions, and a server that can do what we ask.

use std::collections::HashMap;

use loggia_model::Scalar;

use super::building::end_of_another;
use super::connection::{Connection, Failure, Server};
use super::failure::{self, told};
use super::writer::lock;
use super::{functions, journal};
use crate::answer::Rows;
use crate::backends::remote::address::{described, doubt};
use crate::lower::ddl;
use crate::store::{Finding, Weight};
use crate::{Error, migrations};

/// The oldest servers that know everything that statements use.
const OLDEST_MARIADB: (u16, u16, u16) = (10, 6, 0);
const OLDEST_MYSQL: (u16, u16, u16) = (8, 0, 19);
/// A server may find several who open a new database at the same moment in each other's way.
const ATTEMPTS: usize = 10;

/// Makes what is missing. Answers with the key of this process among those that write.
pub(super) async fn prepare(connection: &mut Connection) -> Result<i64, Error> {
    let about = About::ask(connection).await.map_err(failure::of)?;
    if let Some(what) = about.unfit() {
        return Err(Error::Unavailable { what, source: None });
    }
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (error, trouble) = match told(make(connection).await) {
            Ok(()) => match enlist(connection).await {
                Ok(number) => return Ok(number),
                Err(failed) => failed,
            },
            Err(failed) => failed,
        };
        let contended = crate::backends::remote::Trouble::Contended;
        if trouble != contended || attempts >= ATTEMPTS {
            return Err(error);
        }
        connection.command("ROLLBACK").await.map_err(failure::of)?;
    }
}

/// What a server says of itself.
struct About {
    server: Server,
    user: String,
    /// The version of TLS that the connection uses.
    tls: Option<String>,
    settings: HashMap<String, String>,
}

impl About {
    async fn ask(connection: &mut Connection) -> Result<Self, Failure> {
        const SETTINGS: &str = "SHOW VARIABLES WHERE Variable_name IN \
             ('max_connections', 'log_bin', 'binlog_format', 'innodb_flush_log_at_trx_commit', 'wsrep_on')";
        let user = connection.ask_once("SELECT CURRENT_USER()", &[]).await?;
        let tls = connection
            .ask_once("SHOW SESSION STATUS LIKE 'Ssl_version'", &[])
            .await?;
        let settings = connection.ask_once(SETTINGS, &[]).await?;
        let text = |rows: &Rows, at: usize| {
            let text = rows.cells.get(at).and_then(Scalar::as_text);
            text.unwrap_or_default().to_owned()
        };
        let pairs = settings.iter().filter_map(|row| {
            let (name, value) = (row.first()?.as_text()?, row.get(1)?.as_text()?);
            Some((name.to_ascii_lowercase(), value.to_ascii_lowercase()))
        });
        Ok(Self {
            server: connection.server().clone(),
            user: text(&user, 0),
            tls: Some(text(&tls, 1)).filter(|version| !version.is_empty()),
            settings: pairs.collect(),
        })
    }

    fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        matches!(self.setting(name), "1" | "on")
    }

    /// Why Loggia cannot work here at all.
    fn unfit(&self) -> Option<String> {
        let Server { name, version, .. } = &self.server;
        let (kind, oldest) = if self.server.is_mariadb {
            ("MariaDB", OLDEST_MARIADB)
        } else {
            ("MySQL", OLDEST_MYSQL)
        };
        if *version < oldest {
            let (major, minor, patch) = oldest;
            return Some(format!(
                "the server is {kind} {name}; Loggia needs {major}.{minor}.{patch} or later"
            ));
        }
        if self.has("log_bin") && self.setting("binlog_format") == "statement" {
            return Some(
                "the server logs statements in place of rows, which is not safe for what Loggia does: \
                 set its binlog_format to ROW or MIXED"
                    .to_owned(),
            );
        }
        None
    }
}

/// What the server is and how it is reached, and what is wrong with either.
pub(super) async fn examine(connection: &mut Connection) -> Result<(String, Vec<Finding>), Error> {
    let about = About::ask(connection).await.map_err(failure::of)?;
    let common = connection.common();
    let address = &common.address;
    let finding = |weight, what| Finding {
        table: None,
        what,
        weight,
    };
    let mut findings = Vec::new();
    if let Some(what) = about.unfit() {
        findings.push(finding(Weight::Bad, what));
    }
    if common.basics.durable && about.setting("innodb_flush_log_at_trx_commit") != "1" {
        let what = "what was acknowledged can be lost when the server's machine fails: \
             set its innodb_flush_log_at_trx_commit to 1";
        findings.push(finding(Weight::Doubtful, what.to_owned()));
    }
    let tls = about.tls.as_deref();
    if let Some(what) = doubt(tls, address.check(), address.is_local()) {
        findings.push(finding(Weight::Doubtful, what));
    }
    let kind = if about.server.is_mariadb {
        "MariaDB"
    } else {
        "MySQL"
    };
    let cluster = if about.has("wsrep_on") {
        ", node of a cluster"
    } else {
        ""
    };
    let about = format!(
        "{kind} {}{cluster}, user {:?}, {} connections at most, {}",
        about.server.name,
        about.user,
        about.setting("max_connections"),
        described(tls, address.check())
    );
    Ok((about, findings))
}

/// Gives this process a row of its own, and takes those away that no process has used for long. Waits for whoever changes
/// tables, and takes back what somebody began who is gone.
async fn enlist(connection: &mut Connection) -> Result<i64, (Error, crate::backends::remote::Trouble)> {
    const LAST: &str = "SELECT COALESCE(MAX(id), 0) FROM loggia_writers";
    const CLEAR: &str =
        "DELETE FROM loggia_writers WHERE seen < UTC_TIMESTAMP() - INTERVAL 30 DAY AND id < ?";
    const ENLIST: &str = "INSERT INTO loggia_writers (id, turn, seen) VALUES (?, 0, UTC_TIMESTAMP())";
    loop {
        let (_, changing) = told(lock(connection).await)?;
        if changing == 0 {
            break;
        }
        told(connection.command("ROLLBACK").await)?;
        let common = connection.common().clone();
        end_of_another(&common).await?;
    }
    let last = told(connection.ask_once(LAST, &[]).await)?.count();
    let last = i64::try_from(last).unwrap_or(0);
    told(connection.ask_once(CLEAR, &[Scalar::Int(last)]).await)?;
    told(connection.ask_once(ENLIST, &[Scalar::Int(last + 1)]).await)?;
    told(connection.command("COMMIT").await)?;
    Ok(last + 1)
}

/// The versions, the migrations that ran, the journal of changes of tables, and the functions.
async fn make(connection: &mut Connection) -> Result<(), Failure> {
    const OWN: &[&str] = &[
        // Its first row is locked by whoever writes, its second by whoever changes tables.
        "CREATE TABLE IF NOT EXISTS loggia_schema_version (id int PRIMARY KEY, version bigint NOT NULL DEFAULT 0, \
         rules bigint NOT NULL DEFAULT 0, people bigint NOT NULL DEFAULT 0, \
         turns bigint NOT NULL DEFAULT 0, changing bigint NOT NULL DEFAULT 0)",
        "CREATE TABLE IF NOT EXISTS loggia_writers (id int PRIMARY KEY, turn bigint NOT NULL, seen datetime NOT NULL)",
        "INSERT IGNORE INTO loggia_schema_version (id) VALUES (1), (2)",
        journal::TABLE,
    ];
    if is_made(connection).await? {
        return Ok(());
    }
    let dialect = connection.dialect();
    let own = migrations::own_tables().map(|table| {
        let columns: Vec<_> = table
            .fields
            .values()
            .filter_map(|field| field.column.clone())
            .collect();
        ddl::create_table(dialect, &table.name, &columns, &[]).replacen(
            "CREATE TABLE",
            "CREATE TABLE IF NOT EXISTS",
            1,
        )
    });
    let texts = OWN.iter().copied().map(str::to_owned);
    for text in texts.chain(own) {
        connection.command(&text).await?;
    }
    connection.command("COMMIT").await?;
    if !has_functions(connection).await? {
        for text in connection.server().functions() {
            connection.command(&text).await?;
        }
    }
    Ok(())
}

/// Whether everything is there already, so that nothing has to be asked for that makes it.
async fn is_made(connection: &mut Connection) -> Result<bool, Failure> {
    const OWN: &str = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() \
         AND table_name IN ('loggia_schema_version', 'loggia_writers', 'loggia_migrations', 'loggia_leases', 'loggia_ddl')";
    let own = connection.ask_once(OWN, &[]).await?.count();
    Ok(own == 5 && has_functions(connection).await?)
}

/// Whether all functions are there, as they are now.
async fn has_functions(connection: &mut Connection) -> Result<bool, Failure> {
    const MARKED: &str = "SELECT COUNT(*) FROM information_schema.routines \
         WHERE routine_schema = DATABASE() AND routine_comment = ?";
    let mark = Scalar::Text(connection.server().mark_of_functions());
    let there = connection.ask_once(MARKED, &[mark]).await?.count();
    Ok(there == functions::COUNT)
}
