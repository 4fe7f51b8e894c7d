//! What is answered when there is no result.

use serde_json::{Value, json};

use crate::revision::Revision;

/// A JSON-RPC error and the HTTP status that it travels with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The HTTP status; 200 where the request itself was fine.
    pub status: u16,
    /// The JSON-RPC error code.
    pub code: i32,
    /// What is wrong and how to recover, in a sentence or two.
    pub message: String,
    /// `error.data`.
    pub data: Option<Value>,
}

/// Which `id` an error response carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Id<'a> {
    /// The request's, as it was written.
    Text(&'a str),
    /// `null`: JSON-RPC 2.0, where the request's id cannot be read.
    Null,
    /// None: the same since 2026-07-28, whose schema has no `null` there.
    Absent,
}

impl Refusal {
    /// A refusal by the transport (authorisation, size, switched off, …), as JSON-RPC's Invalid Request.
    pub fn transport(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            code: -32600,
            message: message.into(),
            data: None,
        }
    }

    /// The body is not JSON.
    pub(crate) fn parse(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: -32700,
            message: message.into(),
            data: None,
        }
    }

    /// The JSON is not a message that may be sent here.
    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::transport(400, message)
    }

    /// The parameters cannot be read at all.
    pub(crate) fn malformed_params(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            ..Self::invalid_params(message)
        }
    }

    /// The parameters are not what the method takes.
    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self {
            status: 200,
            code: -32602,
            message: message.into(),
            data: None,
        }
    }

    /// There is no such method in this revision.
    pub(crate) fn method_not_found(method: &str, revision: Revision) -> Self {
        let why = match method.split_once('/').map_or(method, |(family, _)| family) {
            "initialize" => format!(
                " in {}: requests carry their own metadata there. Revisions with a handshake are supported too: {}.",
                revision.name(),
                Revision::names()[1..].join(", "),
            ),
            "prompts" | "resources" | "completion" | "logging" | "subscriptions" => {
                ". This server declares only the `tools` capability.".to_owned()
            }
            _ => format!(" in {}.", revision.name()),
        };
        Self {
            status: if revision.is_stateless() { 404 } else { 200 },
            code: -32601,
            message: format!("Method not found: `{}`{why}", clip(method)),
            data: None,
        }
    }

    /// What the headers say is not what the body says.
    pub(crate) fn header_mismatch(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: -32020,
            message: message.into(),
            data: None,
        }
    }

    /// Answering needs something of the client that it did not declare.
    pub(crate) fn missing_capability(capabilities: Value) -> Self {
        Self {
            status: 400,
            code: -32021,
            message: "This call has to ask its user something, and the client did not declare that it can."
                .into(),
            data: Some(json!({ "requiredCapabilities": capabilities })),
        }
    }

    /// A revision that is not spoken here.
    pub(crate) fn unsupported_version(requested: &str) -> Self {
        Self {
            status: 400,
            code: -32022,
            message: format!(
                "Unsupported protocol version. Use one of {}.",
                Revision::names().join(", ")
            ),
            data: Some(json!({ "supported": Revision::names(), "requested": clip(requested) })),
        }
    }

    /// Our fault, or too slow.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            status: 200,
            code: -32603,
            message: message.into(),
            data: None,
        }
    }

    /// The error response.
    pub(crate) fn render(&self, id: Id<'_>) -> Vec<u8> {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        let id = match id {
            Id::Text(id) => format!(r#""id":{id},"#),
            Id::Null => r#""id":null,"#.to_owned(),
            Id::Absent => String::new(),
        };
        format!(r#"{{"jsonrpc":"2.0",{id}"error":{error}}}"#).into_bytes()
    }
}

/// As much of a client's text as belongs into a message.
pub(crate) fn clip(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(100)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if shown.len() < text.len() {
        format!("{shown}…")
    } else {
        shown
    }
}
