//! Bodies of requests: size, media type, nesting and syntax are judged here, once.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use loggia_model::error::{CONTENT_TOO_LARGE, INVALID_PAYLOAD, UNSUPPORTED_MEDIA_TYPE};
use loggia_model::{Problem, Problems, json};
use serde_json::Value;

use crate::App;
use crate::answer::Refusal;

/// The JSON body of a request; `None` when there is no body.
#[derive(Debug)]
pub struct JsonBody(pub Option<Value>);

impl JsonBody {
    /// The body.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when there is none.
    pub fn required(self) -> Result<Value, Problems> {
        self.0.ok_or_else(|| {
            Problem::new(&INVALID_PAYLOAD, "The request has no body.")
                .hint("Send JSON with Content-Type: application/json.")
                .into()
        })
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let limits = &app.config().limits;
        let (parts, body) = request.into_parts();
        let bytes = read(body, limits.body_bytes, "limits.body_bytes").await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&parts.headers) {
            return Err(
                Problem::new(&UNSUPPORTED_MEDIA_TYPE, "The body is not declared to be JSON.")
                    .hint("Send Content-Type: application/json.")
                    .into(),
            );
        }
        Ok(Self(Some(parse(&bytes, limits.body_depth)?)))
    }
}

/// Reads a whole body of at most `limit` bytes, which `key` of the configuration sets.
///
/// # Errors
/// `CONTENT_TOO_LARGE` above the limit; `INVALID_PAYLOAD` when the client breaks off.
pub(crate) async fn read(body: axum::body::Body, limit: usize, key: &str) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            &CONTENT_TOO_LARGE,
            format!("The body has more than {limit} bytes."),
        )
        .hint(format!("Send less at once, or raise {key} in the configuration."))),
        Err(_) => Err(Problem::new(
            &INVALID_PAYLOAD,
            "The body ended before it was complete.",
        )),
    }
}

/// Reads JSON, nested at most `depth` levels.
///
/// # Errors
/// `INVALID_PAYLOAD` with line and column, or with the path of every name that an object has twice.
pub(crate) fn parse(bytes: &[u8], depth: usize) -> Result<Value, Problems> {
    if let Some(at) = deeper_than(bytes, depth) {
        return Err(Problem::new(
            &INVALID_PAYLOAD,
            format!("The JSON is nested more than {depth} levels deep (byte {at})."),
        )
        .into());
    }
    json::read(bytes).map_err(|error| error.problems(&INVALID_PAYLOAD, "The body"))
}

/// The position of the first bracket that is nested deeper than `depth`, outside texts.
fn deeper_than(bytes: &[u8], depth: usize) -> Option<usize> {
    let (mut level, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                level += 1;
                if level > depth {
                    return Some(at);
                }
            }
            b'}' | b']' if !in_text => level = level.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Whether the media type is `application/json` or `…+json` (RFC 6839).
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(declared) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_texts() {
        let check = |text: &str, depth: usize, expect: Option<usize>| {
            assert_eq!(deeper_than(text.as_bytes(), depth), expect, "{text}");
        };
        check("[[1]]", 2, None);
        check("[[1]]", 1, Some(1));
        check(r#"{"a":"[[[["}"#, 1, None);
        check(r#"{"a":"\"[["}"#, 1, None);
        check(r#"{"a":"\\","b":[1]}"#, 1, Some(14));
        check("[],[],[]", 1, None);
    }

    #[test]
    fn wrong_json_is_placed() {
        let problems = parse(b"{\"a\": 1,\n  oops}", 8).unwrap_err();
        assert_eq!(problems.0[0].code, &INVALID_PAYLOAD);
        assert!(problems.to_string().contains("line 2 column"), "{problems}");
        let problems = parse(&b"[".repeat(100_000), 64).unwrap_err();
        assert!(problems.to_string().contains("64 levels"), "{problems}");
    }

    #[test]
    fn json_media_types() {
        let check = |declared: &str, expect: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, declared.parse().unwrap());
            assert_eq!(is_json(&headers), expect, "{declared}");
        };
        check("application/json", true);
        check("Application/JSON; charset=utf-8", true);
        check("application/merge-patch+json", true);
        check("text/plain", false);
        check("application/x-www-form-urlencoded", false);
    }
}
