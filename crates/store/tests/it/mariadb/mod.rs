//! MariaDB: the suite, and what is about its server.

use loggia_servers::Kind;

mod foreign;
mod halfway;
#[path = "../suite/mod.rs"]
pub(crate) mod suite;

/// What the suite runs on.
const KIND: Kind = Kind::Mariadb;
