//! The catalogue of tools that assistants call.
//!
//! Invariants
//! - Knows nothing of JSON-RPC or HTTP: protocols call through [`Catalogue`].
//! - A tool that the caller may not use is neither listed nor callable; an action that would always fail is not in
//!   the schema.
//! - A schema that fails the [`lint`] is never sent. What arrives is checked against the very schema that was listed;
//!   names of collections are checked by the tool, which answers alike for what is denied and what does not exist.
//! - An unknown argument is an error, never dropped. Everything that is wrong is said at once.
//! - Nothing here decides what a caller may do: that is `access`, reached through the engine.
//! - No result is longer than its [`Bounds`]; what was left out is counted, and the result says how to go on.
//! - Every write is attributed: the engine gets a caller that knows the client, the tool and the request.
//! - Names, notes and descriptions from the database reach a model only as [`plain`] text.
//!
//! To add a tool: one file in `tools/` with an `impl Tool`, one line in [`TOOLS`].

mod arguments;
mod bounds;
pub mod catalogue;
mod dispatcher;
mod envelope;
pub mod lint;
mod plain_text;
pub mod schemas;
mod surface;
mod tool;
mod tools;
mod writable;

pub use bounds::Bounds;
pub use catalogue::{CallContext, CallError, Catalogue, ToolDescription, ToolError, ToolListing, ToolResult};
pub use dispatcher::Tools;
pub use plain_text::plain;
pub use surface::{Surface, Switches};
pub use tool::{Call, Tool};
pub use tools::TOOLS;
pub use writable::Writable;
