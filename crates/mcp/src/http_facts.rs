//! What the Streamable HTTP transport says beside the body, and the checks that only it needs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::params::Params;
use crate::refusal::{Refusal, clip};

/// The method and the headers of an HTTP request that the protocol looks at. Join a header that was sent more
/// than once with `, `, so that it matches nothing.
#[derive(Clone, Copy, Debug)]
pub struct HttpFacts<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// `Accept`.
    pub accept: Option<&'a [u8]>,
    /// `MCP-Protocol-Version`.
    pub protocol_version: Option<&'a [u8]>,
    /// `Mcp-Method`.
    pub mcp_method: Option<&'a [u8]>,
    /// `Mcp-Name`.
    pub mcp_name: Option<&'a [u8]>,
}

impl Default for HttpFacts<'_> {
    /// A POST of JSON without any of the protocol's own headers.
    fn default() -> Self {
        Self {
            method: "POST",
            content_type: Some(b"application/json"),
            accept: None,
            protocol_version: None,
            mcp_method: None,
            mcp_name: None,
        }
    }
}

impl HttpFacts<'_> {
    /// Checks what can be checked before the body is looked at.
    ///
    /// # Errors
    /// 405 (send `Allow: POST` with it), 415 or 406.
    pub(crate) fn admit(&self) -> Result<(), Refusal> {
        if self.method != "POST" {
            let message =
                "Send each message as a POST. There are no sessions to end and no stream to open here.";
            return Err(Refusal::transport(405, message));
        }
        let json = |media: &[u8]| media_type(media).eq_ignore_ascii_case(b"application/json");
        if !self.content_type.is_some_and(json) {
            return Err(Refusal::transport(
                415,
                "Send the message with `Content-Type: application/json`.",
            ));
        }
        if !self.accept.is_none_or(accepts_json) {
            let message = "Answers are JSON. Send `Accept: application/json, text/event-stream`.";
            return Err(Refusal::transport(406, message));
        }
        Ok(())
    }

    /// `MCP-Protocol-Version` as text; bytes that are none become a version that nobody speaks.
    pub(crate) fn version(&self) -> Option<Cow<'_, str>> {
        self.protocol_version
            .map(|version| String::from_utf8_lossy(version.trim_ascii()))
    }

    /// Checks that the headers mirror the body, as 2026-07-28 wants.
    pub(crate) fn mirrors(&self, method: &str, params: &Params<'_>) -> Result<(), Refusal> {
        let Some(header) = self.mcp_method.map(<[u8]>::trim_ascii) else {
            return Err(Refusal::header_mismatch(
                "Header mismatch: `Mcp-Method` is missing.",
            ));
        };
        if header != method.as_bytes() {
            return Err(differs("Mcp-Method", header, method));
        }
        let Some(name) = params.mirrored_name(method) else {
            return Ok(());
        };
        let Some(header) = self.mcp_name.map(<[u8]>::trim_ascii) else {
            return Err(Refusal::header_mismatch(
                "Header mismatch: `Mcp-Name` is missing.",
            ));
        };
        match (decode(header), name) {
            // A name that is missing in the body is the method's to complain about.
            (Some(_), None) => Ok(()),
            (Some(decoded), Some(name)) if decoded == name.as_bytes() => Ok(()),
            (_, name) => Err(differs("Mcp-Name", header, name.as_deref().unwrap_or_default())),
        }
    }
}

fn differs(name: &str, header: &[u8], body: &str) -> Refusal {
    let header = String::from_utf8_lossy(header);
    Refusal::header_mismatch(format!(
        "Header mismatch: `{name}` is `{}`, but the body says `{}`.",
        clip(&header),
        clip(body)
    ))
}

/// The value of a header that may be written as `=?base64?…?=`; `None` where that is broken, or where the plain
/// value has bytes that a header cannot carry.
fn decode(header: &[u8]) -> Option<Vec<u8>> {
    match header
        .strip_prefix(b"=?base64?")
        .and_then(|rest| rest.strip_suffix(b"?="))
    {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => header
            .iter()
            .all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
            .then(|| header.to_vec()),
    }
}

/// A media type without its parameters.
fn media_type(value: &[u8]) -> &[u8] {
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

/// Whether an `Accept` header lets JSON through.
fn accepts_json(accept: &[u8]) -> bool {
    accept.split(|byte| *byte == b',').any(|range| {
        let media = media_type(range);
        let named = [&b"application/json"[..], b"application/*", b"*/*"];
        let refused = range.split(|byte| *byte == b';').skip(1).any(|parameter| {
            let weight = parameter.trim_ascii().strip_prefix(b"q=");
            weight.is_some_and(|q| !q.is_empty() && q.iter().all(|byte| matches!(byte, b'0' | b'.')))
        });
        !refused && named.iter().any(|name| media.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_lets_json_through() {
        let check = |accept: &str, fine: bool| assert_eq!(accepts_json(accept.as_bytes()), fine, "{accept}");
        check("application/json, text/event-stream", true);
        check("text/event-stream,Application/JSON;q=0.5", true);
        check("*/*", true);
        check("text/html, application/*;q=0.1", true);
        check("text/event-stream", false);
        check("application/json;q=0, text/event-stream", false);
        check("application/json; q=0.000", false);
        check("text/html", false);
        check("", false);
    }

    #[test]
    fn names_are_decoded_before_they_are_compared() {
        let check = |header: &str, expect: Option<&str>| {
            let decoded = decode(header.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(decoded.as_deref(), expect, "{header}");
        };
        check("us-west1", Some("us-west1"));
        check("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界"));
        check("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?="));
        check("=?base64?***?=", None);
        check("=?BASE64?YQ==?=", Some("=?BASE64?YQ==?="));
        check("é", None);
    }
}
