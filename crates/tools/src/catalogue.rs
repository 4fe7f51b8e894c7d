//! The contract between a protocol and the tools: what a tool is, who calls it, and what it answers.
//!
//! A protocol (the `mcp` room, or any other door) holds an `Arc<dyn Catalogue>`, asks it for the list that a
//! caller may see, and calls tools by name. It turns a [`ToolResult`] or a [`CallError`] into its own words;
//! nothing here knows JSON-RPC or HTTP.

use std::fmt;
use std::future::Future;
use std::hash::{Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::Arc;

use loggia_access::Caller;
use loggia_model::{Problem, Problems, error};
use serde_json::{Map, Value, json};

use crate::plain_text::is_hidden;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The tools that a caller may see and call. One immutable snapshot of schema and permissions decides both.
pub trait Catalogue: Send + Sync {
    /// The tools that this caller may see, in a stable order that depends only on the caller, the narrowing and
    /// the version of the schema. Called for every `tools/list`: hand out a listing that was made before.
    fn list(&self, context: &CallContext) -> Arc<ToolListing>;

    /// Calls one tool. Dropping the future cancels the work.
    ///
    /// # Errors
    /// [`CallError::UnknownTool`] for a name that [`Catalogue::list`] does not show to this caller;
    /// [`CallError::Tool`] for everything that the model can recover from; [`CallError::InputRequired`] when
    /// somebody has to be asked first.
    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>>;

    /// What a client should tell its model about this server as a whole, if anything.
    fn instructions(&self, context: &CallContext) -> Option<Arc<str>>;
}

/// Who calls, from where, and what they want to see of the catalogue.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// On whose behalf everything happens.
    pub caller: Caller,
    /// What the client calls itself; for logs and activity only, it is not verified.
    pub client: Option<ClientInfo>,
    /// The key of this request in the log.
    pub request_id: Arc<str>,
    /// Which tools, in which form.
    pub narrowing: Arc<Narrowing>,
    /// Whom the client can ask on the tool's behalf.
    pub asks: Asks,
    /// What the client brought back after [`CallError::InputRequired`].
    pub resumed: Option<Resumed>,
}

/// What a client calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its name.
    pub name: String,
    /// Its version, in its own notation.
    pub version: String,
}

/// Which kinds of question a client has declared that it can put to its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// A form (`elicitation/create` in mode `form`).
    pub form: bool,
    /// A link to open (`elicitation/create` in mode `url`).
    pub url: bool,
}

/// Answers to an earlier [`InputRequired`]. All of it passed through the client: verify before believing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resumed {
    /// The answers under the keys of [`InputRequired::requests`].
    pub responses: Map<String, Value>,
    /// [`InputRequired::state`], unchanged if the client is honest.
    pub state: Option<String>,
}

/// Which surface of the catalogue a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolMode {
    /// A few tools over all collections.
    Generic,
}

/// In which dialect the schemas of tools are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SchemaProfile {
    /// What every known client accepts: no references, no unions, one type per node.
    #[default]
    Portable,
    /// JSON Schema 2020-12 with `$defs`.
    Full,
}

/// What of the catalogue is wanted, as the client's URL says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Narrowing {
    /// `tool_mode`; `None`: the only one there is.
    pub mode: Option<ToolMode>,
    /// `toolsets`; `None`: all.
    pub toolsets: Option<Vec<String>>,
    /// `read_only`: only tools that change nothing.
    pub read_only: bool,
    /// `schemas`.
    pub schemas: SchemaProfile,
    /// `max_tokens`: about how long a result may be; `None`: the settings decide.
    pub max_tokens: Option<u32>,
}

impl Narrowing {
    /// Reads the decoded pairs of a URL query. Pairs with other names are left to others.
    ///
    /// # Errors
    /// Every pair that cannot be understood, at the path of its name.
    pub fn from_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Problems> {
        let mut read = Self::default();
        let mut problems = Problems::default();
        let mut refuse = |name: &str, value: &str, hint: &str| {
            let message = format!("`{}` is not a value of `{name}`.", clip(value, 60));
            problems.push(Problem::new(&error::INVALID_QUERY, message).at(name).hint(hint));
        };
        for (name, value) in pairs {
            match (name, value) {
                ("tool_mode", "generic") => read.mode = Some(ToolMode::Generic),
                // A mode that is not there is refused, rather than answered with another.
                ("tool_mode", _) => refuse(name, value, "Use generic, or leave it out."),
                ("schemas", "portable") => read.schemas = SchemaProfile::Portable,
                ("schemas", "full") => read.schemas = SchemaProfile::Full,
                ("schemas", _) => refuse(name, value, "Use portable or full."),
                ("read_only", "true" | "1" | "") => read.read_only = true,
                ("read_only", "false" | "0") => read.read_only = false,
                ("read_only", _) => refuse(name, value, "Use true or false."),
                ("toolsets", _) => read.toolsets = Some(toolsets(value, &mut refuse)),
                ("max_tokens", _) => match value.parse() {
                    Ok(tokens) if tokens > 0 => read.max_tokens = Some(tokens),
                    _ => refuse(name, value, "Use a whole number of tokens, 1 or more."),
                },
                _ => {}
            }
        }
        problems.or(read)
    }
}

/// The names in a list of tools; one that no tool has is refused, rather than answered with nothing.
fn toolsets(value: &str, refuse: &mut impl FnMut(&str, &str, &str)) -> Vec<String> {
    let known: Vec<_> = crate::TOOLS.iter().map(|tool| tool.name()).collect();
    let hint = format!("Use any of {}, with commas between them.", known.join(", "));
    let sets = value.split(',').map(str::trim).filter(|set| !set.is_empty());
    let sets: Vec<_> = sets.map(str::to_owned).collect();
    for unknown in sets.iter().filter(|set| !known.contains(&set.as_str())).take(10) {
        refuse("toolsets", unknown, &hint);
    }
    if sets.is_empty() {
        refuse("toolsets", value, &hint);
    }
    sets
}

/// One tool as clients see it.
#[derive(Clone, Debug)]
pub struct ToolDescription {
    /// The name to call it by: unique, `[A-Za-z0-9_.-]{1,64}`.
    pub name: String,
    /// The name to show to people.
    pub title: String,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// The JSON Schema of the arguments; its root is an object.
    pub input_schema: Arc<Value>,
    /// The JSON Schema of [`ToolResult::structured`]; its root is an object.
    pub output_schema: Option<Arc<Value>>,
    /// How careful to be with it.
    pub annotations: Annotations,
}

/// Hints on what a tool does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It may overwrite or remove.
    pub destructive: bool,
    /// Calling it twice does no more than calling it once.
    pub idempotent: bool,
    /// It reaches beyond this server.
    pub open_world: bool,
}

impl ToolDescription {
    /// The tool as every revision of MCP writes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut tool = json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": &*self.input_schema,
        });
        if let Some(schema) = &self.output_schema {
            tool["outputSchema"] = (**schema).clone();
        }
        tool["annotations"] = json!({
            "title": self.title,
            "readOnlyHint": self.annotations.read_only,
            "destructiveHint": self.annotations.destructive,
            "idempotentHint": self.annotations.idempotent,
            "openWorldHint": self.annotations.open_world,
        });
        tool
    }
}

/// A list of tools, serialised when it is made so that handing it out costs a copy.
#[derive(Clone, Debug)]
pub struct ToolListing {
    tools: Vec<ToolDescription>,
    pages: Vec<Box<str>>,
    version: u64,
}

impl ToolListing {
    /// How many tools a page of [`ToolListing::new`] has at most.
    pub const PAGE: usize = 500;

    /// Makes the list, in the order given.
    #[must_use]
    pub fn new(tools: Vec<ToolDescription>) -> Self {
        Self::paged(tools, Self::PAGE)
    }

    /// Makes the list with `size` tools a page (at least 1).
    #[must_use]
    pub fn paged(tools: Vec<ToolDescription>, size: usize) -> Self {
        let mut pages: Vec<Box<str>> = tools
            .chunks(size.max(1))
            .map(|page| {
                Value::from_iter(page.iter().map(ToolDescription::to_json))
                    .to_string()
                    .into()
            })
            .collect();
        if pages.is_empty() {
            pages.push("[]".into());
        }
        let mut hasher = std::hash::DefaultHasher::new();
        pages.hash(&mut hasher);
        let version = hasher.finish();
        Self {
            tools,
            pages,
            version,
        }
    }

    /// The tools, in order.
    #[must_use]
    pub fn tools(&self) -> &[ToolDescription] {
        &self.tools
    }

    /// The tool of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ToolDescription> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Page `index` as the text of a JSON array, and whether another follows. There is always a page 0.
    #[must_use]
    pub fn page(&self, index: usize) -> Option<(&str, bool)> {
        Some((self.pages.get(index)?, index + 1 < self.pages.len()))
    }

    /// A number that differs when anything in the list does.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// What a tool answers when it did what was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// Everything, as one object that validates against the tool's output schema. Clients that know only text
    /// get the same as compact JSON.
    pub structured: Map<String, Value>,
    /// What JSON cannot carry well, shown after the text.
    pub content: Vec<Content>,
}

impl ToolResult {
    /// A result without further content.
    #[must_use]
    pub fn new(structured: Map<String, Value>) -> Self {
        Self {
            structured,
            content: Vec::new(),
        }
    }

    /// Adds a block.
    #[must_use]
    pub fn with(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }
}

/// A block of content beside the structured result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image {
        /// Its bytes in base64.
        data: String,
        /// Its media type.
        mime_type: String,
    },
    /// A sound.
    Audio {
        /// Its bytes in base64.
        data: String,
        /// Its media type.
        mime_type: String,
    },
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq)]
pub enum CallError {
    /// There is no such tool for this caller.
    UnknownTool {
        /// The nearest name that the caller may know of.
        nearest: Option<String>,
    },
    /// The tool could not do it; the model is told why.
    Tool(Box<ToolError>),
    /// Somebody has to be asked first. Nothing has happened yet: the client calls again with the answers.
    InputRequired(Box<InputRequired>),
}

impl From<ToolError> for CallError {
    fn from(error: ToolError) -> Self {
        Self::Tool(Box::new(error))
    }
}
impl From<Problems> for CallError {
    fn from(problems: Problems) -> Self {
        ToolError::from(problems).into()
    }
}
impl From<Problem> for CallError {
    fn from(problem: Problem) -> Self {
        Problems::from(problem).into()
    }
}

/// What to ask before a call can go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputRequired {
    /// The questions, under keys of the tool's choosing. Ask only what [`CallContext::asks`] allows.
    pub requests: Vec<(String, Question)>,
    /// What the tool wants to see again in [`Resumed::state`]. It passes through the client: sign it, and bind it
    /// to the caller, the arguments and a time.
    pub state: Option<String>,
}

/// A question to the person behind the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A form to fill in.
    Form {
        /// What to tell the person.
        message: String,
        /// An object schema whose properties are plain strings, numbers, booleans and choices.
        schema: Value,
    },
    /// A link to open.
    Url {
        /// What to tell the person.
        message: String,
        /// Where to go.
        url: String,
    },
}

/// What a tool could not do, in a form that a model can act on.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolError {
    /// The row of the table of error codes.
    pub code: String,
    /// One sentence: what is wrong.
    pub message: String,
    /// Where in the arguments.
    pub path: Option<String>,
    /// How to recover.
    pub hint: Option<String>,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Everything that is wrong, where it is more than one thing.
    pub problems: Problems,
}

/// How long a rendered [`ToolError`] is at most, in characters.
pub const ERROR_CHARACTERS: usize = 2_000;

impl ToolError {
    /// An error of that code about the call as a whole.
    pub fn new(code: &loggia_model::Code, message: impl Into<String>) -> Self {
        Self {
            code: code.name.to_owned(),
            message: message.into(),
            path: None,
            hint: None,
            retryable: code.retryable,
            problems: Problems::default(),
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Says how to recover.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error as one JSON object `{error: {code, message, path?, hint?, retryable, problems?, more?}}` of fewer
    /// than [`ERROR_CHARACTERS`] characters: long texts are cut, and problems that do not fit are counted in `more`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut error = Map::new();
        error.insert("code".into(), clip(&self.code, 64).into());
        error.insert("message".into(), clip(&self.message, 600).into());
        insert_clipped(&mut error, "path", self.path.as_deref(), 160);
        insert_clipped(&mut error, "hint", self.hint.as_deref(), 400);
        error.insert("retryable".into(), self.retryable.into());
        let mut room = ERROR_CHARACTERS - 80 - count(&Value::Object(error.clone()));
        let mut shown = Vec::new();
        for problem in &self.problems.0 {
            let mut item = Map::new();
            item.insert("code".into(), problem.code.name.into());
            insert_clipped(&mut item, "path", Some(&problem.path), 160);
            item.insert("message".into(), clip(&problem.message, 200).into());
            insert_clipped(&mut item, "hint", problem.hint.as_deref(), 160);
            let item = Value::Object(item);
            let Some(left) = room.checked_sub(count(&item) + 1) else {
                break;
            };
            room = left;
            shown.push(item);
        }
        let more = self.problems.0.len() - shown.len();
        if !shown.is_empty() {
            error.insert("problems".into(), shown.into());
        }
        if more > 0 {
            error.insert("more".into(), more.into());
        }
        json!({ "error": error }).to_string()
    }
}

impl From<Problems> for ToolError {
    fn from(mut problems: Problems) -> Self {
        if problems.0.len() > 1 {
            let first = &problems.0[0];
            let same = problems.0.iter().all(|problem| problem.code == first.code);
            let code = if same { first.code } else { &error::INVALID_PAYLOAD };
            let mut error = Self::new(
                code,
                format!("{} things are wrong; nothing was changed.", problems.0.len()),
            );
            error.retryable = problems.0.iter().all(|problem| problem.code.retryable);
            error.problems = problems;
            return error.hint("Correct everything under `problems`, then call again.");
        }
        let Some(problem) = problems.0.pop() else {
            return Self::new(&error::INTERNAL_SERVER_ERROR, "The call failed without a reason.");
        };
        let mut error = Self::new(problem.code, problem.message);
        error.path = (!problem.path.is_empty()).then_some(problem.path);
        error.hint = problem.hint;
        error
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
impl std::error::Error for ToolError {}

fn insert_clipped(into: &mut Map<String, Value>, name: &str, text: Option<&str>, room: usize) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        into.insert(name.to_owned(), clip(text, room).into());
    }
}

/// The characters of the compact JSON text.
fn count(value: &Value) -> usize {
    value.to_string().chars().count()
}

/// As much of the text as fits into `room` characters of JSON, without control characters and what people would not see:
/// choices and messages of fields are told here.
fn clip(text: &str, room: usize) -> String {
    let cost = |c: char| if matches!(c, '"' | '\\') { 2 } else { 1 };
    let is_plain = |text: &str| !text.contains(|c: char| c.is_control() || is_hidden(c));
    if text.len() <= room / 2 && is_plain(text) {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut left = room.saturating_sub(1);
    let seen = text.chars().filter(|c| !is_hidden(*c));
    for c in seen.map(|c| if c.is_control() { ' ' } else { c }) {
        if cost(c) > left {
            clipped.push('…');
            break;
        }
        left -= cost(c);
        clipped.push(c);
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_narrows_the_catalogue() {
        let check = |pairs: &[(&str, &str)], expect: Narrowing| {
            assert_eq!(
                Narrowing::from_query(pairs.iter().copied()),
                Ok(expect),
                "{pairs:?}"
            );
        };
        check(&[], Narrowing::default());
        check(
            &[
                ("tool_mode", "generic"),
                ("read_only", "true"),
                ("schemas", "full"),
                ("other", "x"),
            ],
            Narrowing {
                mode: Some(ToolMode::Generic),
                read_only: true,
                schemas: SchemaProfile::Full,
                ..Narrowing::default()
            },
        );
        check(
            &[("toolsets", "items, schema,"), ("max_tokens", "500")],
            Narrowing {
                toolsets: Some(vec!["items".into(), "schema".into()]),
                max_tokens: Some(500),
                ..Narrowing::default()
            },
        );
        let wrong = [
            ("tool_mode", "registry"),
            ("schemas", ""),
            ("read_only", "yes"),
            ("max_tokens", "0"),
            ("toolsets", "items,itmes,nope"),
            ("toolsets", " ,"),
        ];
        let problems = Narrowing::from_query(wrong).unwrap_err();
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
        let expect = [
            "tool_mode",
            "schemas",
            "read_only",
            "max_tokens",
            "toolsets",
            "toolsets",
            "toolsets",
        ];
        assert_eq!(paths, expect);
        let said = problems.0[4].to_string();
        assert!(
            said.contains("`itmes`") && said.contains("system-prompt, schema, items"),
            "{said}"
        );
    }

    #[test]
    fn errors_stay_under_their_limit_and_are_one_object() {
        let long = "\"\\\u{1}ü".repeat(3_000);
        let mut problems = Problems::default();
        for i in 0..500 {
            problems.push(
                Problem::new(&error::FAILED_VALIDATION, long.clone())
                    .at(format!("data[{i}].{long}"))
                    .hint(long.clone()),
            );
        }
        let one = Problem::new(&error::INVALID_QUERY, long.clone())
            .at(long.clone())
            .hint(long.clone());
        for error in [ToolError::from(problems), ToolError::from(Problems::from(one))] {
            let text = error.render();
            assert!(
                text.chars().count() < ERROR_CHARACTERS,
                "{}",
                text.chars().count()
            );
            let parsed: Value = serde_json::from_str(&text).unwrap();
            let error = parsed["error"].as_object().unwrap();
            assert!(
                error["code"].is_string() && error["message"].is_string() && error["retryable"].is_boolean()
            );
        }
    }

    #[test]
    fn several_problems_are_told_at_once() {
        let mut problems = Problems::default();
        problems.push(
            Problem::new(&error::NOT_NULL_VIOLATION, "No title.")
                .at("data.title")
                .hint("Give one."),
        );
        problems.push(Problem::new(&error::VALUE_TOO_LONG, "Too long.").at("data.slug"));
        let parsed: Value = serde_json::from_str(&ToolError::from(problems).render()).unwrap();
        assert_eq!(parsed["error"]["problems"][0]["path"], "data.title");
        assert_eq!(parsed["error"]["problems"][1]["code"], "VALUE_TOO_LONG");
        assert_eq!(parsed["error"]["code"], "INVALID_PAYLOAD");
        assert!(parsed["error"].get("more").is_none());
    }

    fn tool(name: &str) -> ToolDescription {
        ToolDescription {
            name: name.into(),
            title: name.to_uppercase(),
            description: "Does it.".into(),
            input_schema: Arc::new(json!({"type": "object", "properties": {}})),
            output_schema: None,
            annotations: Annotations {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: false,
            },
        }
    }

    #[test]
    fn pages_are_json_arrays_that_say_whether_more_follows() {
        let listing = ToolListing::paged(vec![tool("a"), tool("b"), tool("c")], 2);
        let names = |index| {
            let (page, more) = listing.page(index)?;
            let tools: Vec<Value> = serde_json::from_str(page).unwrap();
            Some((
                tools
                    .iter()
                    .map(|tool| tool["name"].to_string())
                    .collect::<String>(),
                more,
            ))
        };
        assert_eq!(names(0), Some((r#""a""b""#.into(), true)));
        assert_eq!(names(1), Some((r#""c""#.into(), false)));
        assert_eq!(names(2), None);
        assert_eq!(ToolListing::new(vec![]).page(0), Some(("[]", false)));
        assert_ne!(listing.version(), ToolListing::new(vec![tool("a")]).version());
    }
}
