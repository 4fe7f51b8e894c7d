//! The doors of HTTP, tried from outside: a file for each address.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod auth;
mod entrance;
mod hostile;
mod mcp;
mod parrot;
mod server;
