//! A small catalogue: tools that echo, fail, wait, panic, ask and draw; and requests to send to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loggia_access::{Caller, Claims, Layer, Origin};
use loggia_mcp::{Endpoint, HttpFacts, Incoming, Outgoing, Server, Transport, Visitor, well_formed};
use loggia_model::{Problem, Problems, error};
use loggia_tools::catalogue::{
    Annotations, BoxFuture, CallContext, CallError, Catalogue, Content, InputRequired, Narrowing, Question,
    ToolDescription, ToolListing, ToolResult,
};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

/// What the tools share with the test.
#[derive(Default)]
pub(crate) struct Seen {
    /// Lets one `slow` go on.
    pub(crate) go: Notify,
    /// How often `slow` has begun.
    pub(crate) begun: AtomicUsize,
    /// How often `slow` was dropped or done.
    pub(crate) ended: AtomicUsize,
}

struct Ended<'a>(&'a Seen);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

struct Small {
    seen: Arc<Seen>,
    listing: Arc<ToolListing>,
}

const NAMES: [&str; 7] = ["echo", "fail", "slow", "panic", "ask", "draw", "who"];

impl Catalogue for Small {
    fn list(&self, _: &CallContext) -> Arc<ToolListing> {
        self.listing.clone()
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            match name {
                "echo" => Ok(ToolResult::new(arguments)),
                "fail" => {
                    let mut problems = Problems::default();
                    problems.push(Problem::new(&error::NOT_NULL_VIOLATION, "No title.").at("data.title"));
                    problems.push(Problem::new(&error::FAILED_VALIDATION, "Not one.").at("data.status"));
                    Err(problems.into())
                }
                "slow" => {
                    self.seen.begun.fetch_add(1, Ordering::SeqCst);
                    let _ended = Ended(&self.seen);
                    self.seen.go.notified().await;
                    Ok(ToolResult::new(arguments))
                }
                "panic" => panic!("on purpose"),
                "ask" => ask(context),
                "draw" => {
                    let image = Content::Image {
                        data: "aGk=".into(),
                        mime_type: "image/png".into(),
                    };
                    let audio = Content::Audio {
                        data: "aG8=".into(),
                        mime_type: "audio/wav".into(),
                    };
                    Ok(ToolResult::new(arguments)
                        .with(image)
                        .with(audio)
                        .with(Content::Text("a \"b\"".into())))
                }
                "who" => {
                    let client = context
                        .client
                        .as_ref()
                        .map(|client| format!("{} {}", client.name, client.version));
                    let said = json!({ "client": client, "request": &*context.request_id });
                    Ok(ToolResult::new(said.as_object().cloned().unwrap_or_default()))
                }
                _ => Err(CallError::UnknownTool {
                    nearest: error::nearest(name, NAMES).map(str::to_owned),
                }),
            }
        })
    }

    fn instructions(&self, _: &CallContext) -> Option<Arc<str>> {
        Some("Say \"hello\".".into())
    }
}

fn ask(context: &CallContext) -> Result<ToolResult, CallError> {
    if let Some(resumed) = &context.resumed {
        let back = json!({ "responses": resumed.responses, "state": resumed.state });
        return Ok(ToolResult::new(back.as_object().cloned().unwrap_or_default()));
    }
    let schema = json!({ "type": "object", "properties": { "sure": { "type": "boolean" } } });
    let question = Question::Form {
        message: "Sure?".into(),
        schema,
    };
    let requests = vec![("sure".to_owned(), question)];
    Err(CallError::InputRequired(Box::new(InputRequired {
        requests,
        state: Some("signed".into()),
    })))
}

/// An endpoint over the small catalogue, `page` tools a page, with a timeout of 100 ms.
pub(crate) fn endpoint_paged(page: usize) -> (Endpoint, Arc<Seen>) {
    let tools = NAMES.map(|name| ToolDescription {
        name: name.into(),
        title: name.to_uppercase(),
        description: "Does it.".into(),
        input_schema: Arc::new(json!({ "type": "object", "properties": {} })),
        output_schema: Some(Arc::new(json!({ "type": "object" }))),
        annotations: Annotations {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: false,
        },
    });
    let seen = Arc::new(Seen::default());
    let listing = Arc::new(ToolListing::paged(tools.into(), page));
    let catalogue = Arc::new(Small {
        seen: seen.clone(),
        listing,
    });
    let server = Server {
        name: "small".into(),
        title: "Small".into(),
        version: "1.2.3".into(),
        timeout: Duration::from_millis(100),
    };
    (Endpoint::new(catalogue, server), seen)
}

pub(crate) fn endpoint() -> Endpoint {
    endpoint_paged(100).0
}

pub(crate) fn visitor() -> Visitor {
    visitor_with(None)
}

/// Somebody whose program calls itself so over HTTP.
pub(crate) fn visitor_with(user_agent: Option<&str>) -> Visitor {
    let caller = Caller::established(Claims {
        user: Some("u".into()),
        role: None,
        roles: vec![],
        policies: vec![],
        layers: vec![Layer {
            policies: Vec::new(),
            admin: true,
        }],
        token: None,
        app_access: false,
        session: None,
        origin: Origin::Mcp,
        ip: None,
        user_agent: user_agent.map(str::to_owned),
    });
    Visitor {
        caller,
        narrowing: Arc::new(Narrowing::default()),
        request_id: "r-1".into(),
    }
}

/// Sends a body over HTTP; whatever comes back is well formed.
pub(crate) async fn post(endpoint: &Endpoint, facts: HttpFacts<'_>, body: &[u8]) -> Outgoing {
    post_as(endpoint, visitor(), facts, body).await
}

/// The same, as somebody in particular.
pub(crate) async fn post_as(
    endpoint: &Endpoint,
    visitor: Visitor,
    facts: HttpFacts<'_>,
    body: &[u8],
) -> Outgoing {
    let incoming = Incoming {
        transport: Transport::Http(facts),
        body,
        visitor,
    };
    let outgoing = endpoint.handle(incoming).await;
    if let Err(wrong) = well_formed(&outgoing) {
        panic!("{wrong}\nfor {}", String::from_utf8_lossy(body));
    }
    outgoing
}

/// The status and the JSON of an answer (`null` for silence).
pub(crate) fn parts(outgoing: &Outgoing) -> (u16, Value) {
    let json = outgoing
        .body
        .as_ref()
        .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
    (outgoing.status, json)
}

/// Sends a request in a handshake revision.
pub(crate) async fn send(endpoint: &Endpoint, version: &str, body: Value) -> (u16, Value) {
    let facts = HttpFacts {
        protocol_version: Some(version.as_bytes()),
        ..HttpFacts::default()
    };
    parts(&post(endpoint, facts, body.to_string().as_bytes()).await)
}

/// The parameters with the metadata of 2026-07-28.
pub(crate) fn with_meta(mut params: Value, capabilities: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "tester", "version": "9" },
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    params
}

/// Sends a request of 2026-07-28 with everything that it wants.
pub(crate) async fn modern(
    endpoint: &Endpoint,
    method: &str,
    params: Value,
    capabilities: Value,
) -> (u16, Value) {
    let name = params["name"].as_str().map(str::to_owned);
    let params = with_meta(params, capabilities);
    let facts = HttpFacts {
        protocol_version: Some(b"2026-07-28"),
        mcp_method: Some(method.as_bytes()),
        mcp_name: name.as_deref().map(str::as_bytes),
        ..HttpFacts::default()
    };
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    parts(&post(endpoint, facts, body.to_string().as_bytes()).await)
}
