//! PostgreSQL: the suite, and what is about its server.

use loggia_servers::Kind;

mod breaking;
mod copying;
mod foreign;
mod opening;
mod sharing;
#[path = "../suite/mod.rs"]
pub(crate) mod suite;
mod tls;

/// What the suite runs on.
const KIND: Kind = Kind::Postgres;
