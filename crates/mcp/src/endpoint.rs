//! The one door: a message in, an answer out.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use loggia_access::{Attribution, Caller};
use loggia_model::{Problem, Problems, error};
use loggia_tools::catalogue::{
    Asks, CallContext, CallError, Catalogue, ClientInfo, InputRequired, Narrowing, Question, ToolError,
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::http_facts::HttpFacts;
use crate::message::{Body, Message};
use crate::params::{Meta, Params, client_info};
use crate::refusal::{Id, Refusal};
use crate::revision::Revision;

/// The server side of the protocol. Share it behind an `Arc`; it keeps nothing between requests.
pub struct Endpoint {
    catalogue: Arc<dyn Catalogue>,
    timeout: Duration,
    info: Value,
    meta: String,
}

/// What the server calls itself, and how long a request may take.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name, for programs.
    pub name: String,
    /// Its name, for people.
    pub title: String,
    /// Its version.
    pub version: String,
    /// After which a request is answered for and its work is dropped. All messages of a batch share it.
    pub timeout: Duration,
}

/// One message and what came with it.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// How it came.
    pub transport: Transport<'a>,
    /// Its bytes.
    pub body: &'a [u8],
    /// Who sent it.
    pub visitor: Visitor,
}

/// How a message came.
#[derive(Clone, Copy, Debug)]
pub enum Transport<'a> {
    /// Streamable HTTP.
    Http(HttpFacts<'a>),
    /// A stream of messages, such as stdio.
    Stream(&'a Session),
}

/// Who sends a message: authorised afresh for each.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// On whose behalf everything happens.
    pub caller: Caller,
    /// What of the catalogue they want.
    pub narrowing: Arc<Narrowing>,
    /// The key of the request in the log.
    pub request_id: Arc<str>,
}

/// What the handshake of a stream agreed on. One for each stream.
#[derive(Debug, Default)]
pub struct Session(Mutex<Option<(Revision, Option<ClientInfo>)>>);

impl Session {
    fn agree(&self, revision: Revision, client: Option<ClientInfo>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, client));
    }

    fn agreed(&self) -> Option<(Revision, Option<ClientInfo>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The answer to one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The HTTP status. Streams ignore it.
    pub status: u16,
    /// The HTTP headers that belong to it. Streams ignore them.
    pub headers: &'static [(&'static str, &'static str)],
    /// One JSON text; `None`: nothing is to be said (202).
    pub body: Option<Bytes>,
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const JSON_ALLOW_POST: &[(&str, &str)] = &[("content-type", "application/json"), ("allow", "POST")];

impl Outgoing {
    fn accepted() -> Self {
        Self {
            status: 202,
            headers: &[],
            body: None,
        }
    }

    fn json(status: u16, body: Vec<u8>) -> Self {
        let headers = if status == 405 { JSON_ALLOW_POST } else { JSON };
        Self {
            status,
            headers,
            body: Some(body.into()),
        }
    }

    fn refused(id: Id<'_>, refusal: &Refusal) -> Self {
        Self::json(refusal.status, refusal.render(id))
    }

    /// Refuses an HTTP request whose body was not read: nobody is authorised, it is too large, switched off, ….
    #[must_use]
    pub fn refuse(facts: &HttpFacts<'_>, refusal: &Refusal) -> Self {
        Self::refused(nameless(facts), refusal)
    }
}

/// How an error says that it cannot tell the request's id: the revision decides.
fn nameless(facts: &HttpFacts<'_>) -> Id<'static> {
    let version = facts.version().and_then(|version| Revision::of(&version));
    if version.is_some_and(Revision::is_stateless) {
        Id::Absent
    } else {
        Id::Null
    }
}

impl From<Refusal> for Outgoing {
    /// A refusal of a message that was not read, so that its id is not known.
    fn from(refusal: Refusal) -> Self {
        Self::refused(Id::Null, &refusal)
    }
}

/// A request that was read and may be answered.
struct Request<'a> {
    id: &'a str,
    method: &'a str,
    params: Params<'a>,
    revision: Revision,
    client: Option<ClientInfo>,
    asks: Asks,
    /// Set once a commit has begun.
    commit: Arc<OnceLock<()>>,
}

impl Endpoint {
    /// The protocol over a catalogue.
    #[must_use]
    pub fn new(catalogue: Arc<dyn Catalogue>, server: Server) -> Self {
        let info = json!({ "name": server.name, "title": server.title, "version": server.version });
        let meta = format!(r#""_meta":{{"io.modelcontextprotocol/serverInfo":{info}}}"#);
        Self {
            catalogue,
            timeout: server.timeout,
            info,
            meta,
        }
    }

    /// Answers one message (or one batch, in the revision that has them). Dropping the future cancels the work.
    pub async fn handle(&self, incoming: Incoming<'_>) -> Outgoing {
        let nameless = match &incoming.transport {
            Transport::Http(facts) => nameless(facts),
            Transport::Stream(_) => Id::Null,
        };
        if let Transport::Http(facts) = &incoming.transport
            && let Err(refusal) = facts.admit()
        {
            return Outgoing::refused(nameless, &refusal);
        }
        let deadline = Instant::now() + self.timeout;
        match Body::read(incoming.body) {
            Err(refusal) => Outgoing::refused(nameless, &refusal),
            Ok(Body::One(text)) => self.one(text, &incoming, nameless, false, deadline).await,
            Ok(Body::Batch(messages)) => {
                if let Err(refusal) = batch_allowed(&incoming.transport) {
                    return Outgoing::refused(nameless, &refusal);
                }
                let mut answers = Vec::new();
                for message in messages {
                    let answer = self.one(message.get(), &incoming, nameless, true, deadline).await;
                    answers.extend(answer.body);
                }
                if answers.is_empty() {
                    return Outgoing::accepted();
                }
                Outgoing::json(200, [b"[", answers.join(&b","[..]).as_slice(), b"]"].concat())
            }
        }
    }

    async fn one(
        &self,
        text: &str,
        incoming: &Incoming<'_>,
        nameless: Id<'_>,
        in_batch: bool,
        deadline: Instant,
    ) -> Outgoing {
        let message = match Message::read(text) {
            Ok(message) => message,
            Err((id, refusal)) => return Outgoing::refused(id.map_or(nameless, Id::Text), &refusal),
        };
        let Some(id) = message.id else {
            return match notified(&incoming.transport) {
                Ok(()) => Outgoing::accepted(),
                Err(refusal) => Outgoing::refused(nameless, &refusal),
            };
        };
        let answered = match admit(id, &message, &incoming.transport, in_batch) {
            Ok(mut request) => {
                request.client = request.client.or_else(|| named(&incoming.visitor.caller));
                self.answer(&request, incoming, deadline).await
            }
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(body) => Outgoing::json(200, body),
            Err(refusal) => Outgoing::refused(Id::Text(id), &refusal),
        }
    }

    /// Runs a request, and answers for it where it does not: after a panic, or when time is up.
    async fn answer(
        &self,
        request: &Request<'_>,
        incoming: &Incoming<'_>,
        deadline: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let work = AssertUnwindSafe(self.run(request, incoming)).catch_unwind();
        let failure = match tokio::time::timeout_at(deadline, work).await {
            Ok(Ok(answered)) => return answered,
            Ok(Err(_)) => {
                let id = &*incoming.visitor.request_id;
                tracing::error!(request_id = id, method = request.method, "a request panicked");
                let message = format!("An unexpected failure. The log has the details under request {id}.");
                ToolError::new(&error::INTERNAL_SERVER_ERROR, message)
            }
            Err(_) if request.commit.get().is_some() => {
                ToolError::from(Problems::from(Problem::outcome_unknown(
                    "The request took too long while its change was being kept: whether it was made is not known.",
                )))
            }
            Err(_) => {
                let message = format!(
                    "The request took longer than {} ms and was stopped.",
                    self.timeout.as_millis()
                );
                ToolError::new(&error::SERVICE_UNAVAILABLE, message)
                    .hint("Nothing was changed. Ask for less at once.")
            }
        };
        if request.method == "tools/call" {
            return Ok(self.open(request, 0).failed(&failure.render()));
        }
        Err(Refusal::internal(failure.message))
    }

    async fn run(&self, request: &Request<'_>, incoming: &Incoming<'_>) -> Result<Vec<u8>, Refusal> {
        match (request.method, request.revision.is_stateless()) {
            ("initialize", false) => self.initialize(request, incoming),
            ("ping", false) => Ok(self.open(request, 0).empty()),
            ("server/discover", true) => Ok(self.discover(request, incoming)),
            ("tools/list", _) => self.list(request, incoming),
            ("tools/call", _) => self.call(request, incoming).await,
            _ => Err(Refusal::method_not_found(request.method, request.revision)),
        }
    }

    fn open(&self, request: &Request<'_>, capacity: usize) -> Answer<'_> {
        let meta = request.revision.is_stateless().then_some(self.meta.as_str());
        Answer::open(request.id, meta, capacity)
    }

    fn context(&self, request: &Request<'_>, incoming: &Incoming<'_>) -> CallContext {
        let Visitor {
            caller,
            narrowing,
            request_id,
        } = incoming.visitor.clone();
        let attribution = Attribution {
            commit: request.commit.clone(),
            ..caller.attribution().clone()
        };
        CallContext {
            caller: caller.attributed(attribution),
            client: request.client.clone(),
            request_id,
            narrowing,
            asks: request.asks,
            resumed: None,
        }
    }

    fn initialize(&self, request: &Request<'_>, incoming: &Incoming<'_>) -> Result<Vec<u8>, Refusal> {
        let wanted = request.params.protocol_version()?;
        let agreed = Revision::of(&wanted)
            .filter(|revision| !revision.is_stateless())
            .unwrap_or(Revision::LATEST_HANDSHAKE);
        if let Transport::Stream(session) = incoming.transport {
            session.agree(agreed, request.client.clone());
        }
        let mut members = Map::new();
        members.insert("protocolVersion".into(), agreed.name().into());
        members.insert("capabilities".into(), capabilities());
        members.insert("serverInfo".into(), self.info.clone());
        if let Some(instructions) = self.catalogue.instructions(&self.context(request, incoming)) {
            members.insert("instructions".into(), (*instructions).into());
        }
        Ok(self.open(request, 1_024).members(&members, false))
    }

    fn discover(&self, request: &Request<'_>, incoming: &Incoming<'_>) -> Vec<u8> {
        let mut members = Map::new();
        members.insert("supportedVersions".into(), Revision::names().into());
        members.insert("capabilities".into(), capabilities());
        if let Some(instructions) = self.catalogue.instructions(&self.context(request, incoming)) {
            members.insert("instructions".into(), (*instructions).into());
        }
        self.open(request, 1_024).members(&members, true)
    }

    fn list(&self, request: &Request<'_>, incoming: &Incoming<'_>) -> Result<Vec<u8>, Refusal> {
        let cursor = request.params.cursor()?;
        let listing = self.catalogue.list(&self.context(request, incoming));
        let version = listing.version();
        let index = match cursor.as_deref() {
            None => Some(0),
            Some(cursor) => cursor
                .split_once('.')
                .filter(|(of, _)| *of == format!("{version:x}"))
                .and_then(|(_, index)| index.parse::<usize>().ok()),
        };
        let Some((page, more)) = index.and_then(|index| listing.page(index)) else {
            let message =
                "This cursor does not belong to the current list of tools. Begin again without a cursor.";
            return Err(Refusal::invalid_params(message));
        };
        let next = more.then(|| format!("{version:x}.{}", index.unwrap_or(0) + 1));
        Ok(self.open(request, page.len()).tools(page, next.as_deref()))
    }

    async fn call(&self, request: &Request<'_>, incoming: &Incoming<'_>) -> Result<Vec<u8>, Refusal> {
        let name = request.params.tool()?;
        let arguments = match request.params.arguments()? {
            Ok(arguments) => arguments,
            Err(problems) => return Ok(self.open(request, 0).failed(&ToolError::from(problems).render())),
        };
        let mut context = self.context(request, incoming);
        if request.revision.is_stateless() {
            context.resumed = request.params.resumed()?;
        }
        let answer = self.open(request, 0);
        match self.catalogue.call(&context, &name, arguments).await {
            Ok(result) => answer.called(&result).map_err(|error| {
                tracing::error!(request_id = &*context.request_id, %error, "a result cannot be serialised");
                Refusal::internal("The result cannot be written as JSON.")
            }),
            Err(CallError::Tool(error)) => Ok(answer.failed(&error.render())),
            Err(CallError::UnknownTool { nearest }) => {
                let hint = match nearest {
                    Some(nearest) => format!(". Did you mean `{nearest}`?"),
                    None => ". See `tools/list`.".to_owned(),
                };
                Err(Refusal::invalid_params(format!(
                    "Unknown tool: `{}`{hint}",
                    crate::refusal::clip(&name)
                )))
            }
            Err(CallError::InputRequired(input)) => match unaskable(&input, request.asks) {
                None if request.revision.is_stateless() => Ok(answer.input_required(&input)),
                Some(capabilities) if request.revision.is_stateless() => {
                    Err(Refusal::missing_capability(capabilities))
                }
                _ => {
                    let message =
                        "This call needs the answer of a person, and this client cannot ask for it.";
                    let error = ToolError::new(&error::FORBIDDEN, message);
                    Ok(answer.failed(
                        &error
                            .hint("Do it in the Studio, or with a client of MCP 2026-07-28.")
                            .render(),
                    ))
                }
            },
        }
    }
}

/// Only tools are offered, and lists are not announced when they change.
fn capabilities() -> Value {
    json!({ "tools": {} })
}

/// The capabilities that the questions need and the client did not declare.
fn unaskable(input: &InputRequired, asks: Asks) -> Option<Value> {
    let mut modes = Map::new();
    for (_, question) in &input.requests {
        match question {
            Question::Form { .. } if !asks.form => modes.insert("form".into(), json!({})),
            Question::Url { .. } if !asks.url => modes.insert("url".into(), json!({})),
            _ => None,
        };
    }
    (!modes.is_empty()).then(|| json!({ "elicitation": modes }))
}

/// What a client calls itself over HTTP, where it said nothing in the protocol: the first product of its `User-Agent`
/// (RFC 9110 §10.1.5).
fn named(caller: &Caller) -> Option<ClientInfo> {
    let agent = caller.claims().user_agent.as_deref()?;
    let product = agent.split_whitespace().next()?;
    let (name, version) = product.split_once('/').unwrap_or((product, ""));
    (!name.is_empty()).then(|| client_info(name, version))
}

/// Whether a notification arrives in a revision that is spoken here.
fn notified(transport: &Transport<'_>) -> Result<(), Refusal> {
    match transport {
        Transport::Http(facts) => match facts.version() {
            Some(version) if Revision::of(&version).is_none() => Err(Refusal::unsupported_version(&version)),
            _ => Ok(()),
        },
        Transport::Stream(_) => Ok(()),
    }
}

/// Whether a batch may come this way.
fn batch_allowed(transport: &Transport<'_>) -> Result<(), Refusal> {
    let revision = match transport {
        Transport::Http(facts) => match facts.version() {
            None => Revision::V2025_03_26,
            Some(version) => Revision::of(&version).ok_or_else(|| Refusal::unsupported_version(&version))?,
        },
        Transport::Stream(session) => session
            .agreed()
            .map_or(Revision::LATEST_HANDSHAKE, |(revision, _)| revision),
    };
    if revision.has_batches() {
        return Ok(());
    }
    let message = format!(
        "{} has no batches. Send each message on its own.",
        revision.name()
    );
    Err(Refusal::invalid_request(message))
}

/// Finds out in which revision a request is made, and checks what that revision wants of it.
fn admit<'a>(
    id: &'a str,
    message: &'a Message<'_>,
    transport: &Transport<'_>,
    in_batch: bool,
) -> Result<Request<'a>, Refusal> {
    let method = &*message.method;
    let params = Params::read(message.params)?;
    let meta = params.meta()?;
    let revision = revision(method, &meta, transport)?;
    if in_batch && (method == "initialize" || !revision.has_batches()) {
        return Err(Refusal::invalid_request(
            "This message may not be part of a batch. Send it on its own.",
        ));
    }
    let (client, asks) = if revision.is_stateless() {
        meta.complete()?;
        if let Transport::Http(facts) = transport {
            facts.mirrors(method, &params)?;
        }
        (meta.client()?, meta.asks()?)
    } else if method == "initialize" {
        (params.client()?, Asks::default())
    } else {
        // Nothing is kept of a handshake over HTTP. A client may say in any request what it is; before it had to,
        // the member had no fixed shape.
        let said = meta.client().ok().flatten();
        let agreed = || match transport {
            Transport::Stream(session) => session.agreed().and_then(|(_, client)| client),
            Transport::Http(_) => None,
        };
        (said.or_else(agreed), Asks::default())
    };
    Ok(Request {
        id,
        method,
        params,
        revision,
        client,
        asks,
        commit: Arc::default(),
    })
}

fn revision(method: &str, meta: &Meta<'_>, transport: &Transport<'_>) -> Result<Revision, Refusal> {
    let known = |name: &str| Revision::of(name).ok_or_else(|| Refusal::unsupported_version(name));
    let in_meta = meta.version()?;
    let facts = match transport {
        Transport::Http(facts) => facts,
        Transport::Stream(session) => {
            return match in_meta {
                Some(version) => known(&version),
                None if method == "server/discover" => Ok(Revision::V2026_07_28),
                None => Ok(session
                    .agreed()
                    .map_or(Revision::LATEST_HANDSHAKE, |(revision, _)| revision)),
            };
        }
    };
    match (facts.version(), in_meta) {
        (None, None) if method == "server/discover" => Ok(Revision::V2026_07_28),
        (None, None) => Ok(Revision::V2025_03_26),
        (Some(header), None) => match known(&header)? {
            // A handshake is a handshake, even where a client names a revision that has none.
            revision if method == "initialize" && revision.is_stateless() => Ok(Revision::LATEST_HANDSHAKE),
            revision => Ok(revision),
        },
        (Some(header), Some(body)) if header != body => Err(Refusal::header_mismatch(format!(
            "Header mismatch: `MCP-Protocol-Version` is `{}`, but the body says `{}`.",
            crate::refusal::clip(&header),
            crate::refusal::clip(&body)
        ))),
        (Some(_), Some(body)) => known(&body),
        (None, Some(body)) => match known(&body)? {
            revision if revision.is_stateless() => Err(Refusal::header_mismatch(
                "Header mismatch: `MCP-Protocol-Version` is missing.",
            )),
            revision => Ok(revision),
        },
    }
}
