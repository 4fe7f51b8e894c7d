//! The catalogue of tools that assistants call.
//!
//! Invariants
//! - Knows nothing of JSON-RPC or HTTP: protocols call through [`Catalogue`].
//! - A tool that the caller may not use is neither listed nor callable.

pub mod catalogue;

pub use catalogue::{CallContext, CallError, Catalogue, ToolDescription, ToolError, ToolListing, ToolResult};
