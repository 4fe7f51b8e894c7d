//! The vocabulary of Loggia: what a collection, a field, a relation, a value, a filter and a plan *are*.
//!
//! Invariants
//! - Pure: no async, no IO, no SQL, no HTTP, no global state; time and randomness arrive through [`Clock`] and
//!   [`Generator`].
//! - A [`Schema`] is an immutable snapshot. Plans hold `Arc`s into the snapshot they were built from, so a plan
//!   can never name a field that its schema does not have.
//! - Names from callers become [`Field`]s and [`Collection`]s by lookup only; nothing here keeps caller text as an
//!   identifier.
//!
//! To add a field type: write `field_types/<name>.rs` and list it in [`field_types::FIELD_TYPES`].
//! To add a system collection: one file in `system/`, one line in [`system::COLLECTIONS`].
//! To add an error code: one row in [`error::CODES`].

pub mod clock;
pub mod error;
pub mod field_types;
pub mod filter;
pub mod json;
pub mod operator;
pub mod plan;
pub mod query;
pub mod scalar;
pub mod schema;
pub mod system;
pub mod tag;
pub mod token;
pub mod validation;

pub use clock::{Clock, Generator};
pub use error::{Code, Problem, Problems};
pub use field_types::FieldType;
pub use filter::Filter;
pub use operator::Operator;
pub use query::Query;
pub use scalar::{Scalar, StorageKind};
pub use schema::{Collection, Field, Link, Relation, Schema};

/// One row on the wire: field name (or alias) to JSON value, in the order asked for.
pub type Record = serde_json::Map<String, serde_json::Value>;
