//! JSON-RPC 2.0 envelopes, read without copying: bytes to text, text to messages.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::refusal::Refusal;

/// How deep arrays and objects may be nested; what tools take needs a fraction of it.
const DEPTH: usize = 100;

/// How many messages a batch may have.
const BATCH: usize = 100;

/// What a body turned out to be.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// One message, not yet read.
    One(&'a str),
    /// An array of them.
    Batch(Vec<&'a RawValue>),
}

/// A message that may be sent to a server.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// The id as it was written; `None`: a notification.
    pub(crate) id: Option<&'a str>,
    /// The method.
    pub(crate) method: Cow<'a, str>,
    /// The parameters as they were written.
    pub(crate) params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A member that is there, even as `null`.
pub(crate) fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Body<'a> {
    /// Reads as far as telling one message from a batch.
    ///
    /// # Errors
    /// What is wrong with the body as a whole.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            Refusal::parse(format!("The body is not UTF-8 at byte {}.", error.valid_up_to()))
        })?;
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return Err(Refusal::parse("The body is empty. Send one JSON-RPC message."));
        }
        if nests_deeper_than(DEPTH, text.as_bytes()) {
            return Err(Refusal::invalid_request(format!(
                "The message is nested deeper than {DEPTH} levels. Send a flatter one."
            )));
        }
        if !text.starts_with('[') {
            return Ok(Self::One(text));
        }
        let messages: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        match messages.len() {
            0 => Err(Refusal::invalid_request(
                "An empty batch asks for nothing. Send one JSON-RPC message.",
            )),
            1..=BATCH => Ok(Self::Batch(messages)),
            n => Err(Refusal::invalid_request(format!(
                "A batch has at most {BATCH} messages; this one has {n}. Send them in parts."
            ))),
        }
    }
}

impl<'a> Message<'a> {
    /// Reads one envelope.
    ///
    /// # Errors
    /// What is wrong with it, and its id where that can be told.
    pub(crate) fn read(text: &'a str) -> Result<Self, (Option<&'a str>, Refusal)> {
        let envelope: Envelope<'a> =
            serde_json::from_str(text).map_err(|error| (None, unreadable(&error)))?;
        let (id, id_refusal) = match envelope.id.map(|raw| request_id(raw.get())) {
            None => (None, None),
            Some(Ok(id)) => (Some(id), None),
            Some(Err(refusal)) => (None, Some(refusal)),
        };
        let refuse = |message: &str| Err((id, Refusal::invalid_request(message)));
        if envelope.jsonrpc.and_then(string).as_deref() != Some("2.0") {
            return refuse("`jsonrpc` must be \"2.0\".");
        }
        if envelope.result.is_some() || envelope.error.is_some() {
            return refuse(
                "This is a response, but this server sends no requests. Send a request or a notification.",
            );
        }
        if let Some(refusal) = id_refusal {
            return Err((None, refusal));
        }
        let Some(method) = envelope.method.and_then(string) else {
            return refuse("`method` is missing or not a string.");
        };
        Ok(Self {
            id,
            method,
            params: envelope.params,
        })
    }
}

/// The id as it was written, if it is one of MCP: a string or an integer, of any size.
fn request_id(raw: &str) -> Result<&str, Refusal> {
    let fine = match raw.as_bytes().first() {
        Some(b'"') => !raw.contains('\\') || serde_json::from_str::<String>(raw).is_ok(),
        Some(b'-' | b'0'..=b'9') => !raw.contains(['.', 'e', 'E']),
        _ => false,
    };
    if fine {
        Ok(raw)
    } else {
        Err(Refusal::invalid_request(
            "`id` must be a string or an integer. Leave it out of notifications.",
        ))
    }
}

/// The string that a raw value is, borrowed where it was written without escapes.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// JSON that is wrong in itself, or right but not a message.
pub(crate) fn unreadable(error: &serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Data => Refusal::invalid_request(format!("Not a JSON-RPC message: {error}.")),
        _ => Refusal::parse(format!("The body is not JSON: {error}.")),
    }
}

/// Looks only at brackets outside of strings; the text need not be JSON.
fn nests_deeper_than(limit: usize, text: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_strings_and_integers() {
        let check = |raw: &str, fine: bool| assert_eq!(request_id(raw).is_ok(), fine, "{raw}");
        for fine in [
            "1",
            "-7",
            "0",
            "123456789012345678901234567890",
            r#""a""#,
            r#""""#,
            r#""\u00e9\"""#,
        ] {
            check(fine, true);
        }
        for wrong in ["null", "1.0", "1e3", "2E1", "true", "{}", "[1]", r#""\ud800""#] {
            check(wrong, false);
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let check =
            |text: &str, deep: bool| assert_eq!(nests_deeper_than(2, text.as_bytes()), deep, "{text}");
        check("[[1]]", false);
        check("[[[1]]]", true);
        check(r#"[["[[[\"[[["]]"#, false);
        check(r#"{"a":[],"b":[]}"#, false);
        check("]]]][[", false);
    }
}
