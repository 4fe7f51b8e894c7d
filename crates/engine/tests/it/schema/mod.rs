//! The schema: defined, changed, protected, introspected.

mod collections;
mod crm;
mod fields;
mod hostile;
mod introspection;
mod migrations;
mod protection;
mod relations;
mod template;
