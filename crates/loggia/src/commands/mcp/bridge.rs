//! The bridge from stdio to a server elsewhere, over Streamable HTTP
//! (Model Context Protocol 2025-11-25 and 2026-07-28, "Streamable HTTP").

use super::relay::{Answering, Answers};
use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use loggia_identity::Secret;
use serde_json::Value;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Where a request of the stateless revisions says its revision.
const REVISION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// JSON-RPC's code for what went wrong inside: here, on the way.
const INTERNAL_ERROR: i64 = -32603;

/// An HTTP client, for either scheme. Only the one of HTTPS needs the system to have certificates to trust.
enum AnyClient {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// Passes each message on to one address. Follows no redirects: the token must not go elsewhere.
pub(crate) struct Bridge {
    client: AnyClient,
    url: Uri,
    /// What every message carries.
    headers: HeaderMap,
    /// What `initialize` agreed on.
    revision: RwLock<Option<HeaderValue>>,
}

impl Bridge {
    /// A bridge to `url`, which presents `token` with each message.
    ///
    /// # Errors
    /// When the address or the token cannot be sent over HTTP, or the system has no certificates to trust.
    pub(crate) fn new(url: &str, token: Option<&Secret>) -> Result<Bridge> {
        let wrong = || format!("`{url}` is no address that begins with http:// or https://");
        let url: Uri = url.parse().with_context(wrong)?;
        anyhow::ensure!(
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some(),
            wrong()
        );
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
                .context("the token has a character that no header can carry")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("loggia/", env!("CARGO_PKG_VERSION"))),
        );
        let mut plain = HttpConnector::new();
        plain.set_nodelay(true);
        plain.set_connect_timeout(Some(CONNECT_WITHIN));
        let builder = Client::builder(TokioExecutor::new());
        let client = if url.scheme_str() == Some("https") {
            plain.enforce_http(false);
            let roots = HttpsConnectorBuilder::new().with_native_roots();
            let connector = roots
                .context("this system has no certificates to trust")?
                .https_only()
                .enable_http1();
            AnyClient::Tls(builder.build(connector.wrap_connector(plain)))
        } else {
            AnyClient::Plain(builder.build(plain))
        };
        Ok(Bridge {
            client,
            url,
            headers,
            revision: RwLock::new(None),
        })
    }

    /// The headers that mirror a message for whoever stands between.
    fn headers(&self, message: &Value) -> HeaderMap {
        let mut headers = self.headers.clone();
        let params = &message["params"];
        let own = params["_meta"][REVISION_KEY]
            .as_str()
            .and_then(|text| HeaderValue::from_str(text).ok());
        let agreed = || {
            self.revision
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        if let Some(revision) = own.or_else(agreed) {
            headers.insert(REVISION, revision);
        }
        if let Some(method) = message["method"].as_str() {
            headers.extend(header_value(method).map(|value| (METHOD, value)));
            if let Some(name) = params["name"].as_str().or_else(|| params["uri"].as_str()) {
                headers.extend(header_value(name).map(|value| (NAME, value)));
            }
        }
        headers
    }

    async fn forward(&self, message: &Value, answers: &Answers) -> Result<(), String> {
        let mut request = Request::post(self.url.clone())
            .body(Full::from(message.to_string()))
            .map_err(|error| format!("the message cannot be sent: {error}"))?;
        *request.headers_mut() = self.headers(message);
        let response = match &self.client {
            AnyClient::Plain(client) => client.request(request),
            AnyClient::Tls(client) => client.request(request),
        };
        let response = response
            .await
            .map_err(|error| format!("{} cannot be reached: {}", self.url, chain(&error)))?;
        let status = response.status();
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return self.pass_events(response, message, answers).await;
        }
        let is_json = kind.starts_with("application/json");
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| broken(&error))?
            .to_bytes();
        if is_json && let Ok(answer) = serde_json::from_slice::<Value>(&body) {
            if answer.get("jsonrpc").is_some() || answer.is_array() {
                self.pass(message, addressed(answer, message), answers).await;
                return Ok(());
            }
            let said = answer["errors"][0]["message"]
                .as_str()
                .or_else(|| answer["error"].as_str())
                .unwrap_or_default();
            return Err(format!("{} answered {status} {said}", self.url)
                .trim_end()
                .to_owned());
        }
        if status.is_success() && body.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} answered {status}, which is no answer of MCP: is it the address of the endpoint?",
            self.url
        ))
    }

    /// Passes the messages of an event stream on as they come.
    async fn pass_events(
        &self,
        mut response: Response<Incoming>,
        message: &Value,
        answers: &Answers,
    ) -> Result<(), String> {
        let mut events = Events::default();
        while let Some(frame) = response.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            for data in events.feed(frame.data_ref().map_or(&[], |data| &data[..])) {
                if let Ok(answer) = serde_json::from_str::<Value>(&data) {
                    self.pass(message, answer, answers).await;
                }
            }
        }
        Ok(())
    }

    async fn pass(&self, message: &Value, answer: Value, answers: &Answers) {
        if message["method"] == "initialize"
            && let Some(revision) = answer["result"]["protocolVersion"].as_str()
        {
            *self.revision.write().unwrap_or_else(PoisonError::into_inner) =
                HeaderValue::from_str(revision).ok();
        }
        answers.send(&answer).await;
    }
}

impl Answering for Bridge {
    async fn answer(self: Arc<Self>, message: Value, answers: Answers) {
        if let Err(problem) = self.forward(&message, &answers).await {
            tracing::warn!(problem, "not answered");
            if let Some(id) = message.get("id") {
                answers.refuse(id, INTERNAL_ERROR, &problem).await;
            }
        }
    }
}

/// A refusal by a server that did not read the message names no request; the client waits for one that does.
fn addressed(mut answer: Value, message: &Value) -> Value {
    if answer.get("error").is_some()
        && answer["id"].is_null()
        && let Some(id) = message.get("id")
    {
        answer["id"] = id.clone();
    }
    answer
}

/// A header's value; text that no header can carry is wrapped as `=?base64?…?=` (SEP-2243).
fn header_value(text: &str) -> Option<HeaderValue> {
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text;
    let wrapped = if plain {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
    };
    HeaderValue::from_str(&wrapped).ok()
}

fn broken(error: &hyper::Error) -> String {
    format!("the answer broke off: {}", chain(error))
}

/// An error with what caused it; the client's own message leaves that out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Takes the data out of a stream of server-sent events (HTML, "Server-sent events").
#[derive(Default)]
struct Events {
    /// The bytes of the line that is not complete yet.
    line: Vec<u8>,
    /// The data of the event that is not complete yet, its lines joined.
    data: Option<String>,
    /// Whether the last byte was a carriage return, whose line feed is no second end of line.
    after_return: bool,
}

impl Events {
    /// The data of every event that these bytes complete.
    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for byte in bytes {
            let second_half = *byte == b'\n' && self.after_return;
            self.after_return = *byte == b'\r';
            match byte {
                b'\n' if second_half => {}
                b'\n' | b'\r' => complete.extend(self.end_line()),
                byte => self.line.push(*byte),
            }
        }
        complete
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        if let Some(value) = line.strip_prefix(b"data:") {
            let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(&value);
                }
                None => self.data = Some(value.into_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let stream =
            "event: message\r\ndata: {\"a\":1}\r\n\r\n: comment\ndata:x\ndata: y\n\nid: 1\n\ndata: open";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let found: Vec<String> = stream
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| events.feed(chunk))
                .collect();
            assert_eq!(found, ["{\"a\":1}", "x\ny"], "in pieces of {size}");
        }
    }

    #[test]
    fn headers_mirror_the_message() {
        let bridge = Bridge::new("http://localhost:1/mcp", None).unwrap();
        let shown = |message: Value| -> Vec<String> {
            let headers = bridge.headers(&message);
            [REVISION, METHOD, NAME]
                .iter()
                .map(|name| {
                    headers
                        .get(name)
                        .map_or("", |value| value.to_str().unwrap())
                        .to_owned()
                })
                .collect()
        };
        assert_eq!(
            shown(json!({"method": "initialize", "params": {}})),
            ["", "initialize", ""]
        );
        let stateless = json!({"_meta": {REVISION_KEY: "2026-07-28"}, "name": "items"});
        assert_eq!(
            shown(json!({"method": "tools/call", "params": stateless})),
            ["2026-07-28", "tools/call", "items"]
        );
        *bridge.revision.write().unwrap() = Some(HeaderValue::from_static("2025-06-18"));
        let read = json!({"method": "resources/read", "params": {"uri": "loggia://é"}});
        assert_eq!(
            shown(read),
            ["2025-06-18", "resources/read", "=?base64?bG9nZ2lhOi8vw6k=?="]
        );
    }

    #[test]
    fn an_address_must_be_one_of_http() {
        for (url, good) in [
            ("http://x/mcp", true),
            ("https://x/mcp", true),
            ("ftp://x", false),
            ("x", false),
        ] {
            assert_eq!(Bridge::new(url, None).is_ok(), good, "{url}");
        }
    }
}
