//! The bare server: the least that a call can cost on this machine.
//!
//! axum, a hand-written JSON-RPC handler and prepared statements, in SQLite on threads or in PostgreSQL on a few
//! connections, over the newspaper of the benchmark. It answers exactly the requests of the benchmark's workloads: no permissions, no schema, no checks, no
//! receipts. Writes are as durable as Loggia's: one sync for those that arrive together.
//!
//! Invariant: depends on no room.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod database;
mod postgres;
mod protocol;
mod sqlite;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::{get, post};
use database::Database;
use postgres::Postgres;
use sqlite::Sqlite;
use std::path::PathBuf;

/// As in the binary that it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    // Other options are taken for granted, so that it can stand in for the measured server: the noise of a run.
    let option = |name| {
        std::env::args()
            .skip_while(move |argument| argument != name)
            .nth(1)
    };
    let folder: PathBuf = option("--data")
        .context("usage: bare-server --data FOLDER [--database postgres://…]")?
        .into();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(folder, option("--database")))
}

async fn serve(folder: PathBuf, url: Option<String>) -> Result<()> {
    let database = match url {
        Some(url) => Postgres::open(&url).await.map(Database::Postgres),
        None => {
            std::fs::create_dir_all(&folder)?;
            Sqlite::open(&folder.join("bare.db")).map(Database::Sqlite)
        }
    };
    let database = database.context("cannot open the database")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!(
        "{{\"fields\":{{\"message\":\"listening\",\"address\":\"{}\"}}}}",
        listener.local_addr()?
    );
    let routes = Router::new()
        .route("/mcp", post(protocol::mcp))
        .route("/items/articles/{id}", get(protocol::article))
        .with_state(database);
    axum::serve(listener, routes).await?;
    Ok(())
}
