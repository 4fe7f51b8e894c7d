//! The Model Context Protocol over the catalogue: our own small code, straight from the specification.
//!
//! The door is [`Endpoint::handle`]: bytes of one message and a few facts of the transport in, one answer out.
//! HTTP and stdio ([`stdio::serve`]) go through the same door.
//!
//! Invariants
//! - Stateless: nothing is kept between requests. Over a stream, what its handshake agreed on is kept by the
//!   stream's own [`Session`], nowhere else.
//! - Every request gets exactly one answer, whatever its bytes: a result, or a JSON-RPC error with a status of
//!   4xx (or 200, where the request itself was fine). Never a 5xx, never silence. A tool that panics or takes
//!   longer than the timeout is answered for; its work is dropped. [`well_formed`] checks an answer.
//! - Knows no tool and no content: everything comes from a [`loggia_tools::Catalogue`].
//! - Absent on purpose: sessions, resumable streams, server-initiated requests, the old HTTP+SSE transport.
//!
//! Statuses: what is wrong with the message itself (JSON, envelope, headers, revision) is a 4xx. Once a method
//! runs, its JSON-RPC errors travel with 200, except where 2026-07-28 assigns a status (404 for an unknown method,
//! 400 for missing metadata and capabilities).
//!
//! To add a method: one arm in `Endpoint::run` (`endpoint.rs`), the fields that it reads in `params.rs`, and its
//! result in `answer.rs`. To add a revision: one row in `revision.rs`.

mod answer;
mod endpoint;
mod http_facts;
mod message;
mod params;
mod refusal;
mod revision;
pub mod stdio;
mod well_formed;

pub use endpoint::{Endpoint, Incoming, Outgoing, Server, Session, Transport, Visitor};
pub use http_facts::HttpFacts;
pub use refusal::Refusal;
pub use revision::Revision;
pub use well_formed::well_formed;
