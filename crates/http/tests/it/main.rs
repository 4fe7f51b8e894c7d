//! The doors of HTTP, tried from outside: a file for each address.

mod auth;
mod entrance;
mod hostile;
mod mcp;
mod parrot;
mod server;
