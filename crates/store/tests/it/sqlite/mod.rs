//! SQLite: the suite, and what is about its files.

use loggia_servers::Kind;

mod crash;
mod examine;
mod files;
mod foreign;
mod full;
mod migrating;
#[path = "../suite/mod.rs"]
pub(crate) mod suite;

/// What the suite runs on.
const KIND: Kind = Kind::Sqlite;
