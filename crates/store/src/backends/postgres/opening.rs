//! What a database must have before work begins: our own tables and functions, and a server that can do what we ask.

use loggia_model::Scalar;

use super::connection::Connection;
use super::dialect::POSTGRES;
use super::{failure, functions};
use crate::backends::remote::address::{described, doubt};
use crate::change::quoted;
use crate::lower::ddl;
use crate::store::{Finding, Weight};
use crate::{Error, migrations};

/// The oldest server that knows everything that statements use.
const OLDEST: i64 = 130_000;
/// Several processes may open a new database at the same moment, and the server lets only one of them make each thing.
const ATTEMPTS: usize = 10;

/// Makes what is missing. Answers with the key of this process among those that write.
pub(super) async fn prepare(connection: &Connection) -> Result<i64, Error> {
    check_server(connection).await?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match make(connection).await {
            Ok(()) => return enlist(connection).await.map_err(failure::of),
            Err(error) => error,
        };
        connection.command("ROLLBACK").await.map_err(failure::of)?;
        // Somebody else was faster: by now it is there.
        let code = error.code().map(|code| code.code().to_owned());
        let faster = ["23505", "42P06", "42P07", "42710", "XX000", "40001", "40P01"];
        match code {
            Some(code) if attempts < ATTEMPTS && faster.contains(&code.as_str()) => {}
            _ => return Err(failure::of(error)),
        }
    }
}

/// What a server says of itself, its database and its user.
struct Server {
    number: i64,
    version: String,
    encoding: String,
    user: String,
    /// The schema that new tables go to; none: it is not there.
    schema: Option<String>,
    /// Whether tables may be made in it, or it itself where it is not there.
    may_make: bool,
    /// Whether the tables of the store are there.
    has_tables: bool,
    /// The version of TLS that the connection uses.
    tls: Option<String>,
    connections: i64,
}

impl Server {
    async fn ask(connection: &Connection) -> Result<Self, Error> {
        const QUERY: &str = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), \
             current_setting('server_encoding'), current_user::text, current_schema()::text, \
             COALESCE(has_schema_privilege(current_schema(), 'CREATE'), has_database_privilege(current_database(), 'CREATE')), \
             to_regclass('loggia_migrations') IS NOT NULL, \
             (SELECT s.version FROM pg_stat_ssl AS s WHERE s.pid = pg_backend_pid() AND s.ssl), \
             current_setting('max_connections')::integer";
        let rows = connection.ask_once(QUERY, &[]).await.map_err(failure::of)?;
        let text = |at: usize| rows.cells.get(at).and_then(Scalar::as_text).map(str::to_owned);
        let number = |at: usize| match rows.cells.get(at) {
            Some(Scalar::Int(number)) => *number,
            _ => 0,
        };
        let truth = |at: usize| rows.cells.get(at) == Some(&Scalar::Bool(true));
        Ok(Self {
            number: number(0),
            version: text(1).unwrap_or_default(),
            encoding: text(2).unwrap_or_default(),
            user: text(3).unwrap_or_default(),
            schema: text(4),
            may_make: truth(5),
            has_tables: truth(6),
            tls: text(7),
            connections: number(8),
        })
    }

    /// Why Loggia cannot work here at all.
    fn unfit(&self, wanted: Option<&str>) -> Option<String> {
        let Self { version, user, .. } = self;
        if self.number < OLDEST {
            return Some(format!(
                "the server is PostgreSQL {version}; Loggia needs 13 or later"
            ));
        }
        if self.encoding != "UTF8" {
            return Some(format!(
                "the database is encoded in {}: make one with ENCODING 'UTF8' TEMPLATE template0",
                self.encoding
            ));
        }
        let user = quoted(&POSTGRES, user);
        match (&self.schema, wanted) {
            (None, None) => Some(
                "the search path of the database user names no schema that exists: make one, or name one that Loggia \
                 shall make"
                    .to_owned(),
            ),
            (None, Some(schema)) if !self.may_make => Some(format!(
                "there is no schema {schema:?}, and the user {user} may not make it: CREATE SCHEMA {} AUTHORIZATION {user}",
                quoted(&POSTGRES, schema)
            )),
            (Some(schema), _) if !self.may_make && !self.has_tables => {
                let schema = quoted(&POSTGRES, schema);
                Some(format!(
                    "the user {user} may not make tables in the schema {schema}: GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}"
                ))
            }
            _ => None,
        }
    }
}

async fn check_server(connection: &Connection) -> Result<(), Error> {
    let server = Server::ask(connection).await?;
    match server.unfit(connection.common().schema.as_deref()) {
        Some(what) => Err(Error::Unavailable { what, source: None }),
        None => Ok(()),
    }
}

/// What the server is and how it is reached, and what is wrong with either.
pub(super) async fn examine(connection: &Connection) -> Result<(String, Vec<Finding>), Error> {
    let server = Server::ask(connection).await?;
    let common = connection.common();
    let address = &common.address;
    let finding = |weight, what| Finding {
        table: None,
        what,
        weight,
    };
    let mut findings = Vec::new();
    if let Some(what) = server.unfit(common.schema.as_deref()) {
        findings.push(finding(Weight::Bad, what));
    } else if !server.may_make {
        let what = format!(
            "the user {:?} may not make tables: collections cannot be made or changed, and no newer Loggia can start",
            server.user
        );
        findings.push(finding(Weight::Doubtful, what));
    }
    let tls = server.tls.as_deref();
    let safety = described(tls, address.check());
    if let Some(what) = doubt(tls, address.check(), address.is_local()) {
        findings.push(finding(Weight::Doubtful, what));
    }
    let schema = server
        .schema
        .or_else(|| common.schema.clone())
        .unwrap_or_default();
    let about = format!(
        "PostgreSQL {}, {}, schema {schema:?}, {} connections at most, {safety}",
        server.version, server.encoding, server.connections
    );
    Ok((about, findings))
}

/// Gives this process a row of its own, and takes those away that no process has used for long.
async fn enlist(connection: &Connection) -> Result<i64, tokio_postgres::Error> {
    const FREE: &str = "SELECT COALESCE(MAX(id), 0) + 1 FROM loggia_writers";
    const DEFERRED: &str = "SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE condeferrable)";
    const ENLIST: &str = "INSERT INTO loggia_writers SELECT $1::integer, 0, now()";
    connection
        .command(
            "BEGIN; SELECT 1 FROM loggia_schema_version WHERE id = 1 FOR UPDATE; \
             DELETE FROM loggia_writers WHERE seen < now() - interval '30 days' AND id < (SELECT MAX(id) FROM loggia_writers)",
        )
        .await?;
    let free = connection.ask_once(FREE, &[]).await?.count();
    let number = i64::try_from(free).unwrap_or(1);
    connection.ask_once(ENLIST, &[Scalar::Int(number)]).await?;
    let deferred = connection.ask_once(DEFERRED, &[]).await?;
    let deferred = deferred.cells.first() == Some(&Scalar::Bool(true));
    connection.common().saw_deferred_keys(deferred);
    connection.command("COMMIT").await?;
    Ok(number)
}

/// The schema's version, the migrations that ran, and the functions.
async fn make(connection: &Connection) -> Result<(), tokio_postgres::Error> {
    const THERE: &str = "SELECT to_regclass('loggia_schema_version') IS NOT NULL \
         AND to_regclass('loggia_migrations') IS NOT NULL AND to_regclass('loggia_writers') IS NOT NULL \
         AND to_regclass('loggia_leases') IS NOT NULL, \
         current_schema() IS NULL";
    let there = connection.ask_once(THERE, &[]).await?;
    let functions = functions::missing(connection).await?;
    if there.cells.first() == Some(&Scalar::Bool(true)) && functions.is_none() {
        return Ok(());
    }
    let own = migrations::own_tables().map(|table| {
        let columns: Vec<_> = table
            .fields
            .values()
            .filter_map(|field| field.column.clone())
            .collect();
        ddl::create_table(&POSTGRES, &table.name, &columns, &[]).replacen(
            "CREATE TABLE",
            "CREATE TABLE IF NOT EXISTS",
            1,
        )
    });
    let schema = match &connection.common().schema {
        Some(schema) if there.cells.get(1) == Some(&Scalar::Bool(true)) => {
            format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(&POSTGRES, schema))
        }
        _ => String::new(),
    };
    // The functions are made by one process at a time.
    let text = format!(
        "BEGIN; {schema}; \
         CREATE TABLE IF NOT EXISTS loggia_schema_version (id integer PRIMARY KEY, version bigint NOT NULL); \
         ALTER TABLE loggia_schema_version ADD COLUMN IF NOT EXISTS rules bigint NOT NULL DEFAULT 0, \
         ADD COLUMN IF NOT EXISTS people bigint NOT NULL DEFAULT 0; \
         CREATE TABLE IF NOT EXISTS loggia_writers (id integer PRIMARY KEY, turn bigint NOT NULL, seen timestamptz NOT NULL); \
         INSERT INTO loggia_schema_version (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING; \
         SELECT 1 FROM loggia_schema_version WHERE id = 1 FOR UPDATE; \
         {}; \
         {}; \
         COMMIT",
        own.join("; "),
        functions.unwrap_or_default()
    );
    connection.command(&text).await
}
