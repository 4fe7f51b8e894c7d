//! What every answer must be, whatever was asked: the judge of the tests and of fuzzing.

use serde_json::Value;

use crate::endpoint::Outgoing;

/// Checks that an answer is one that the protocol allows: a JSON-RPC response (or, in a batch, several), or
/// silence with 202; 200 or a 4xx; headers that fit.
///
/// # Errors
/// What is wrong with it.
pub fn well_formed(outgoing: &Outgoing) -> Result<(), String> {
    let says_json = outgoing.headers.contains(&("content-type", "application/json"));
    let Some(body) = &outgoing.body else {
        return match (outgoing.status, says_json) {
            (202, false) => Ok(()),
            (status, _) => Err(format!("silence with {status}")),
        };
    };
    if !says_json {
        return Err("a body without a content type".into());
    }
    if outgoing.status != 200 && !(400..500).contains(&outgoing.status) {
        return Err(format!("status {}", outgoing.status));
    }
    if body.contains(&b'\n') {
        return Err("a line break in the body".into());
    }
    match serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))? {
        Value::Array(responses) if outgoing.status == 200 && !responses.is_empty() => {
            responses.iter().try_for_each(response)
        }
        one => {
            response(&one)?;
            if outgoing.status != 200 && one.get("error").is_none() {
                return Err(format!("a result with status {}", outgoing.status));
            }
            Ok(())
        }
    }
}

fn response(response: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {response}"));
    if response["jsonrpc"] != "2.0" {
        return wrong("no jsonrpc");
    }
    let id_is_known = match response.get("id") {
        Some(Value::String(_)) => true,
        Some(Value::Number(number)) if !number.to_string().contains(['.', 'e', 'E']) => true,
        Some(Value::Null) | None => false,
        Some(_) => return wrong("an id that is none"),
    };
    match (response.get("result"), response.get("error")) {
        (Some(Value::Object(_)), None) if id_is_known => Ok(()),
        (None, Some(error)) if error["code"].is_i64() && error["message"].is_string() => Ok(()),
        _ => wrong("neither a result nor an error"),
    }
}
