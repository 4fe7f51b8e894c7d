//! The doors of HTTP, tried from outside: a file for each address.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account_changes;
mod auth;
mod blog;
mod changes;
mod delegation;
mod denied;
mod entrance;
mod guessing;
mod hostile;
mod inference;
mod items;
mod mcp;
mod openapi;
mod parrot;
mod password_reset;
mod permissions;
mod refusals;
mod revisions;
mod schema;
mod second_factor;
mod server;
mod sign_in_record;
mod system_resources;
mod tokens;
mod tool_lists;
mod who;
