//! Somebody who asks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::Answer;

/// Somebody who asks, with a token or without.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: Option<String>,
}

impl Client {
    /// The same, with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same, without one.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self {
            token: None,
            ..self.clone()
        }
    }

    /// A request to build further: headers, body.
    ///
    /// # Panics
    /// When `method` is not a token of HTTP.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends what [`Client::request`] built.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.expect("an answer")).await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.with_body("POST", path, body).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.with_body("PATCH", path, body).await
    }

    /// DELETE, of what the path names.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    /// DELETE with JSON (keys, or a query).
    pub async fn delete_many(&self, path: &str, body: Value) -> Answer {
        self.with_body("DELETE", path, body).await
    }

    /// SEARCH with a query.
    pub async fn search(&self, path: &str, query: Value) -> Answer {
        self.with_body("SEARCH", path, json!({ "query": query })).await
    }

    /// One MCP message of the handshake revision 2025-11-25.
    pub async fn mcp(&self, method: &str, params: Value) -> Answer {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self
            .request("POST", "/mcp")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .json(&message);
        self.send(request).await
    }

    /// Calls a tool: its `structuredContent`, or `Err` with the error's object where the result is one.
    ///
    /// # Panics
    /// With the whole answer, when the protocol itself refused.
    ///
    /// # Errors
    /// The tool's own error.
    pub async fn tool(&self, name: &str, arguments: Value) -> Result<Value, Value> {
        let answer = self
            .mcp("tools/call", json!({"name": name, "arguments": arguments}))
            .await;
        let result = answer
            .body
            .get("result")
            .unwrap_or_else(|| panic!("{}", answer.text));
        if result["isError"] == Value::Bool(true) {
            let text = result["content"][0]["text"].as_str().unwrap_or_default();
            let error: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            return Err(error.get("error").cloned().unwrap_or(error));
        }
        Ok(result.get("structuredContent").cloned().unwrap_or(Value::Null))
    }

    async fn with_body(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(self.request(method, path).json(&body)).await
    }
}
