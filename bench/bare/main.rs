//! The bare server: the least that a call can cost on this machine.
//!
//! axum, a hand-written JSON-RPC handler and prepared SQLite statements on threads, over the newspaper of the
//! benchmark. It answers exactly the requests of the benchmark's workloads: no permissions, no schema, no checks, no
//! receipts. Writes are as durable as Loggia's: one sync for those that arrive together.
//!
//! Invariant: depends on no room.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod database;
mod protocol;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::{get, post};
use database::Database;
use std::path::PathBuf;

/// As in the binary that it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    // Other options are taken for granted, so that it can stand in for the measured server: the noise of a run.
    let folder: PathBuf = std::env::args()
        .skip_while(|argument| argument != "--data")
        .nth(1)
        .context("usage: bare-server --data FOLDER")?
        .into();
    std::fs::create_dir_all(&folder)?;
    let database = Database::open(&folder.join("bare.db")).context("cannot open the database")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(database))
}

async fn serve(database: Database) -> Result<()> {
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
