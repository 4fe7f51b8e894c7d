//! The key of a request in the log.

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::App;

/// The key of a request in the log, and in the `x-request-id` of its answer: the client's own if it is short and plain,
/// else a time-ordered UUID.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap, app: &App) -> Self {
        let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok());
        match sent.filter(|id| is_plain(id)) {
            Some(id) => Self(id.into()),
            None => Self(app.generator().ordered_uuid(app.clock().now()).to_string().into()),
        }
    }
}

fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken_over() {
        assert!(is_plain("a-B_3.x"));
        assert!(!is_plain(""));
        assert!(!is_plain("a b"));
        assert!(!is_plain("a\"b"));
        assert!(!is_plain(&"a".repeat(65)));
    }
}
