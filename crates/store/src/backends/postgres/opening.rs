//! What a database must have before work begins: our own tables and functions, and a server that can do what we ask.

use loggia_model::Scalar;

use super::connection::Connection;
use super::dialect::POSTGRES;
use super::failure;
use super::functions;
use crate::lower::ddl;
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
        let faster = ["23505", "42P07", "42710", "XX000", "40001", "40P01"];
        match code {
            Some(code) if attempts < ATTEMPTS && faster.contains(&code.as_str()) => {}
            _ => return Err(failure::of(error)),
        }
    }
}

async fn check_server(connection: &Connection) -> Result<(), Error> {
    const QUERY: &str = "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'), \
         current_setting('server_version'), current_schema()::text";
    let rows = connection.ask_once(QUERY, &[]).await.map_err(failure::of)?;
    let unfit = |what: String| Err(Error::Unavailable { what, source: None });
    match rows.cells.as_slice() {
        [Scalar::Int(number), _, version, _] if *number < OLDEST => unfit(format!(
            "the server is PostgreSQL {}; Loggia needs 13 or later",
            version.as_text().unwrap_or_default()
        )),
        [_, Scalar::Text(encoding), ..] if encoding != "UTF8" => unfit(format!(
            "the database is encoded in {encoding}: make one with ENCODING 'UTF8'"
        )),
        [.., Scalar::Null] => unfit(
            "the search path of the database user names no schema that exists: make one, or set search_path"
                .to_owned(),
        ),
        _ => Ok(()),
    }
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
         AND to_regclass('loggia_migrations') IS NOT NULL AND to_regclass('loggia_writers') IS NOT NULL";
    let there = connection.ask_once(THERE, &[]).await?;
    let functions = functions::missing(connection).await?;
    if there.cells.first() == Some(&Scalar::Bool(true)) && functions.is_none() {
        return Ok(());
    }
    let ledger = migrations::ledger();
    let columns: Vec<_> = ledger
        .fields
        .values()
        .filter_map(|field| field.column.clone())
        .collect();
    let ledger = ddl::create_table(&POSTGRES, &ledger.name, &columns, &[]).replacen(
        "CREATE TABLE",
        "CREATE TABLE IF NOT EXISTS",
        1,
    );
    // The functions are made by one process at a time.
    let text = format!(
        "BEGIN; \
         CREATE TABLE IF NOT EXISTS loggia_schema_version (id integer PRIMARY KEY, version bigint NOT NULL); \
         CREATE TABLE IF NOT EXISTS loggia_writers (id integer PRIMARY KEY, turn bigint NOT NULL, seen timestamptz NOT NULL); \
         INSERT INTO loggia_schema_version VALUES (1, 0) ON CONFLICT DO NOTHING; \
         SELECT 1 FROM loggia_schema_version WHERE id = 1 FOR UPDATE; \
         {ledger}; \
         {}; \
         COMMIT",
        functions.unwrap_or_default()
    );
    connection.command(&text).await
}
