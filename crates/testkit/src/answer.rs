//! What came back.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// What came back, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; `Null` where it is none.
    pub body: Value,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body that can be read");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self {
            status,
            headers,
            text,
            body,
        }
    }

    /// `data` of a success.
    ///
    /// # Panics
    /// With the whole answer, when it is not one.
    #[track_caller]
    #[must_use]
    pub fn data(&self) -> &Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.body
            .get("data")
            .unwrap_or_else(|| panic!("no data: {}", self.text))
    }

    /// The codes of all errors, in order; none for a success.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        let errors = self.body.get("errors").and_then(Value::as_array);
        errors
            .into_iter()
            .flatten()
            .filter_map(|error| error["extensions"]["code"].as_str())
            .collect()
    }

    /// Status and first code of a refusal.
    ///
    /// # Panics
    /// With the whole answer, when it is a success.
    #[track_caller]
    #[must_use]
    pub fn refusal(&self) -> (u16, &str) {
        let code = self.codes().first().copied();
        (
            self.status,
            code.unwrap_or_else(|| panic!("no error: {} {}", self.status, self.text)),
        )
    }

    /// A header as text; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}
