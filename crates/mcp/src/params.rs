//! The parameters of every method, and the metadata that travels with them.

use std::borrow::Cow;

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problems, json};
use loggia_tools::catalogue::{Asks, ClientInfo, Resumed};
use loggia_tools::plain;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::message::{present, string};
use crate::refusal::{Refusal, clip};

/// What a client calls itself is cut to so many characters.
const CLIENT_NAME: usize = 120;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The members of `params` that any method reads, as they were written.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Params<'a> {
    #[serde(borrow, rename = "_meta", default, deserialize_with = "present")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    cursor: Option<&'a RawValue>,
    #[serde(borrow, rename = "protocolVersion", default, deserialize_with = "present")]
    protocol_version: Option<&'a RawValue>,
    #[serde(borrow, rename = "clientInfo", default, deserialize_with = "present")]
    client_info: Option<&'a RawValue>,
    #[serde(borrow, rename = "inputResponses", default, deserialize_with = "present")]
    input_responses: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestState", default, deserialize_with = "present")]
    request_state: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestId", default, deserialize_with = "present")]
    request_id: Option<&'a RawValue>,
}

/// `_meta` of a request.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Meta<'a> {
    #[serde(
        borrow,
        rename = "io.modelcontextprotocol/protocolVersion",
        default,
        deserialize_with = "present"
    )]
    version: Option<&'a RawValue>,
    #[serde(
        borrow,
        rename = "io.modelcontextprotocol/clientInfo",
        default,
        deserialize_with = "present"
    )]
    client: Option<&'a RawValue>,
    #[serde(
        borrow,
        rename = "io.modelcontextprotocol/clientCapabilities",
        default,
        deserialize_with = "present"
    )]
    capabilities: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Capabilities<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    elicitation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Elicitation<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    form: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    url: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Implementation<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

/// The object that a raw value is; `null` is taken for an absent one.
fn object<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>, name: &str) -> Result<T, Refusal> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(T::default()),
        Some(text) if text.starts_with('{') => serde_json::from_str(text)
            .map_err(|error| Refusal::malformed_params(format!("`{name}` cannot be read: {error}."))),
        Some(_) => Err(Refusal::malformed_params(format!("`{name}` must be an object."))),
    }
}

fn text<'a>(raw: Option<&'a RawValue>, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
    raw.map(|raw| string(raw).ok_or_else(|| Refusal::invalid_params(format!("`{name}` must be a string."))))
        .transpose()
}

fn client(raw: &RawValue) -> Result<ClientInfo, Refusal> {
    let Implementation { name, version } = serde_json::from_str(raw.get()).map_err(|_| {
        Refusal::malformed_params("`clientInfo` must be an object with the strings `name` and `version`.")
    })?;
    Ok(client_info(&name, &version))
}

/// What a client calls itself, as it may be shown and kept.
pub(crate) fn client_info(name: &str, version: &str) -> ClientInfo {
    ClientInfo {
        name: plain(name, CLIENT_NAME),
        version: plain(version, CLIENT_NAME),
    }
}

impl<'a> Params<'a> {
    /// Reads `params`.
    pub(crate) fn read(raw: Option<&'a RawValue>) -> Result<Self, Refusal> {
        object(raw, "params")
    }

    /// Reads `_meta`.
    pub(crate) fn meta(&self) -> Result<Meta<'a>, Refusal> {
        object(self.meta, "_meta")
    }

    /// What the `Mcp-Name` header mirrors for this method, if the method has it.
    pub(crate) fn mirrored_name(&self, method: &str) -> Option<Option<Cow<'a, str>>> {
        match method {
            "tools/call" | "prompts/get" => Some(self.name.and_then(string)),
            "resources/read" => Some(self.uri.and_then(string)),
            _ => None,
        }
    }

    /// `tools/call`: which tool.
    pub(crate) fn tool(&self) -> Result<Cow<'a, str>, Refusal> {
        text(self.name, "name")?
            .ok_or_else(|| Refusal::invalid_params("`name` is missing: which tool to call."))
    }

    /// `tools/call`: with what. An object, or one that was written into a string by mistake; else what is wrong with
    /// it that a model can put right.
    pub(crate) fn arguments(&self) -> Result<Result<Map<String, Value>, Problems>, Refusal> {
        let Some(raw) = self.arguments.map(RawValue::get) else {
            return Ok(Ok(Map::new()));
        };
        let inner;
        let text = match raw.as_bytes().first() {
            Some(b'{') => raw,
            Some(b'n') => return Ok(Ok(Map::new())),
            Some(b'"') => {
                inner = serde_json::from_str::<String>(raw).unwrap_or_default();
                inner.trim()
            }
            _ => "",
        };
        if !text.starts_with('{') {
            return Err(Refusal::invalid_params("`arguments` must be an object."));
        }
        match json::read(text.as_bytes()) {
            Ok(Value::Object(arguments)) => Ok(Ok(arguments)),
            Ok(_) => Err(Refusal::invalid_params("`arguments` must be an object.")),
            Err(json::Error::Syntax(error)) => {
                Err(Refusal::parse(format!("`arguments` cannot be read: {error}.")))
            }
            Err(repeated) => Ok(Err(repeated.problems(&INVALID_PAYLOAD, "The text"))),
        }
    }

    /// `tools/call`: what the client brings back after it was asked to ask its user.
    pub(crate) fn resumed(&self) -> Result<Option<Resumed>, Refusal> {
        if self.input_responses.is_none() && self.request_state.is_none() {
            return Ok(None);
        }
        let responses: Map<String, Value> = object(self.input_responses, "inputResponses")?;
        let state = text(self.request_state, "requestState")?.map(Cow::into_owned);
        Ok(Some(Resumed { responses, state }))
    }

    /// `*/list`: where to go on.
    pub(crate) fn cursor(&self) -> Result<Option<Cow<'a, str>>, Refusal> {
        match self.cursor.map(RawValue::get) {
            Some("null") => Ok(None),
            _ => text(self.cursor, "cursor"),
        }
    }

    /// `initialize`: the revision that the client would like.
    pub(crate) fn protocol_version(&self) -> Result<Cow<'a, str>, Refusal> {
        text(self.protocol_version, "protocolVersion")?
            .ok_or_else(|| Refusal::invalid_params("`protocolVersion` is missing."))
    }

    /// `initialize`: what the client calls itself.
    pub(crate) fn client(&self) -> Result<Option<ClientInfo>, Refusal> {
        self.client_info.map(client).transpose()
    }

    /// `notifications/cancelled`: the id of the request, as it was written.
    pub(crate) fn request_id(&self) -> Option<&'a str> {
        self.request_id.map(RawValue::get)
    }
}

impl<'a> Meta<'a> {
    /// The revision that the request is made in.
    pub(crate) fn version(&self) -> Result<Option<Cow<'a, str>>, Refusal> {
        let version = text(self.version, VERSION);
        version.map_err(|refusal| Refusal {
            status: 400,
            ..refusal
        })
    }

    /// Checks what a stateless request must carry.
    pub(crate) fn complete(&self) -> Result<(), Refusal> {
        let missing: Vec<_> = [(self.version, VERSION), (self.capabilities, CAPABILITIES)]
            .into_iter()
            .filter(|(member, _)| member.is_none())
            .map(|(_, name)| format!("`{name}`"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::malformed_params(format!(
            "`params._meta` lacks {}.",
            missing.join(" and ")
        )))
    }

    /// What the client calls itself.
    pub(crate) fn client(&self) -> Result<Option<ClientInfo>, Refusal> {
        self.client.map(client).transpose()
    }

    /// What the client can ask its user.
    pub(crate) fn asks(&self) -> Result<Asks, Refusal> {
        let raw = self.capabilities.map_or("{}", RawValue::get);
        if !raw.starts_with('{') {
            return Err(Refusal::malformed_params(format!(
                "`{CAPABILITIES}` must be an object."
            )));
        }
        let unreadable = |error: serde_json::Error| {
            Refusal::malformed_params(format!("`{}`: {error}.", clip(CAPABILITIES)))
        };
        let capabilities: Capabilities<'_> = serde_json::from_str(raw).map_err(unreadable)?;
        let Some(elicitation) = capabilities
            .elicitation
            .map(RawValue::get)
            .filter(|raw| raw.starts_with('{'))
        else {
            return Ok(Asks::default());
        };
        let modes: Elicitation<'_> = serde_json::from_str(elicitation).map_err(unreadable)?;
        // An empty declaration means forms: what the capability meant before it had modes.
        Ok(Asks {
            form: modes.form.is_some() || modes.url.is_none(),
            url: modes.url.is_some(),
        })
    }
}
