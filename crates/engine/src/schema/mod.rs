//! The schema: what collections, fields and relations there are, and how they are changed.
//!
//! Invariants
//! - A change is one transaction of tables and metadata together; the snapshot is swapped after its commit.
//! - Everything that is wrong with a definition is said at once, with paths, before anything is changed.
//! - System collections and their columns are never altered or dropped, whoever asks; fields may be added to them.
//! - Names reach the database only after [`names`] has passed them.
//!
//! The shapes on the wire are those of the REST dialect: [`view`] writes them, `draft` and its neighbours read them.
//!
//! To add a property of a column: `draft::column` reads it, [`view`] writes it, `update` of `fields` changes it.

mod change;
mod collections;
mod complete;
pub(crate) mod definitions;
mod delete;
mod draft;
mod fields;
mod names;
mod narrowed;
mod payload;
mod relation_draft;
mod relations;
pub(crate) mod restore;
mod rules;
mod snapshot_document;
mod view;
