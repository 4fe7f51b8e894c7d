//! A catalogue over an engine with an empty database, and callers of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use loggia_access::{Caller, Claims, Layer, Origin, TokenFacts};
use loggia_engine::{Engine, Hasher, Limits, Listener, Parts};
use loggia_model::{Clock, Generator, Problems, Query};
use loggia_servers::Database;
use loggia_store::{Options, Store};
use loggia_tools::catalogue::{Asks, Narrowing};
use loggia_tools::{CallContext, CallError, Catalogue as _, Tools};
use serde_json::{Value, json};

/// Keeps secrets readable.
struct PlainHasher;

impl Hasher for PlainHasher {
    fn hash_password(
        &self,
        password: &str,
    ) -> Pin<Box<dyn Future<Output = Result<String, Problems>> + Send + '_>> {
        let hash = format!("hashed:{password}");
        Box::pin(async move { Ok(hash) })
    }

    fn fingerprint(&self, token: &str) -> String {
        format!("fingerprint:{token}")
    }
}

/// The tools over a database of its own.
pub(crate) struct House {
    pub(crate) tools: Tools,
    pub(crate) engine: Engine,
}

/// Keeps the database of a test for as long as its engine.
struct Kept(#[expect(dead_code, reason = "it goes with the engine")] Database);

impl Listener for Kept {
    fn changed(&self, _: &str, _: &[Value]) {}
}

/// A house with an empty database; assistants may connect and delete nothing.
pub(crate) async fn house() -> House {
    let clock = Clock::mock("2026-11-21T12:00:00Z".parse().unwrap());
    let options = |url: String| Options {
        clock: clock.clone(),
        durable: false,
        ..Options::new(url)
    };
    let database = Database::chosen(async |url| drop(Store::open(options(url)).await.unwrap())).await;
    let store = Store::open(options(database.url.clone())).await.unwrap();
    let parts = Parts {
        store,
        clock,
        generator: Generator::seeded(1),
        hasher: Arc::new(PlainHasher),
        listeners: vec![Arc::new(Kept(database))],
        limits: Limits::default(),
    };
    let engine = Engine::open(parts).await.unwrap();
    let tools = Tools::new(engine.clone());
    House { tools, engine }
}

/// What somebody may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    Administrator,
    None,
}

/// Somebody with these rights.
pub(crate) fn caller(rights: Rights) -> Caller {
    let layer = Layer {
        policies: Vec::new(),
        admin: rights == Rights::Administrator,
    };
    holder(None, vec![layer], None)
}

/// An administrator who asks without an assistant.
fn person() -> Caller {
    let assisted = caller(Rights::Administrator);
    Caller::established(Claims {
        origin: Origin::Rest,
        ..assisted.claims().clone()
    })
}

/// A user whose rights have these layers.
pub(crate) fn holder(user: Option<String>, layers: Vec<Layer>, token: Option<TokenFacts>) -> Caller {
    Caller::established(Claims {
        user,
        role: None,
        roles: Vec::new(),
        policies: layers[0].policies.clone(),
        layers,
        token,
        app_access: false,
        session: None,
        origin: Origin::Mcp,
        ip: None,
        user_agent: None,
    })
}

/// A call of an administrator who wants everything.
pub(crate) fn administrator() -> CallContext {
    context(Rights::Administrator, &[])
}

/// A call of somebody, through a URL with this query.
pub(crate) fn context(rights: Rights, query: &[(&str, &str)]) -> CallContext {
    CallContext {
        caller: caller(rights),
        client: None,
        request_id: "test".into(),
        narrowing: Arc::new(Narrowing::from_query(query.iter().copied()).unwrap()),
        asks: Asks::default(),
        resumed: None,
    }
}

impl House {
    /// What the administrator's call answers. It fits its output schema in both profiles.
    pub(crate) async fn succeeds(&self, tool: &str, arguments: Value) -> Value {
        let context = administrator();
        match self.call(&context, tool, arguments.clone()).await {
            Ok(answer) => answer,
            Err(error) => panic!("{tool} {arguments}: {error:#}"),
        }
    }

    /// What the administrator's call is refused with: the `error` object, as it is sent.
    pub(crate) async fn fails(&self, tool: &str, arguments: Value) -> Value {
        match self.call(&administrator(), tool, arguments.clone()).await {
            Ok(answer) => panic!("{tool} {arguments}: {answer:#}"),
            Err(error) => error,
        }
    }

    /// One call; an error is the `error` object as it is sent.
    pub(crate) async fn call(
        &self,
        context: &CallContext,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Value> {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object")
        };
        match self.tools.call(context, tool, arguments).await {
            Ok(result) => {
                let answer = Value::Object(result.structured);
                self.assert_fits(context, tool, &answer);
                Ok(answer)
            }
            Err(CallError::Tool(error)) => {
                let text = error.render();
                assert!(text.chars().count() < 2_000, "{text}");
                let mut parsed: Value = serde_json::from_str(&text).unwrap();
                assert!(
                    parsed["error"]["message"]
                        .as_str()
                        .is_some_and(|message| !message.is_empty())
                );
                Err(parsed["error"].take())
            }
            Err(CallError::UnknownTool { nearest }) => {
                Err(json!({"code": "UNKNOWN_TOOL", "nearest": nearest}))
            }
            Err(CallError::InputRequired(_)) => panic!("nothing asks yet"),
        }
    }

    fn assert_fits(&self, context: &CallContext, tool: &str, answer: &Value) {
        for profile in ["portable", "full"] {
            let mut context = context.clone();
            let narrowing = Narrowing::from_query([("schemas", profile)]).unwrap();
            context.narrowing = Arc::new(Narrowing {
                toolsets: None,
                ..narrowing
            });
            let listing = self.tools.list(&context);
            let described = listing.find(tool).unwrap();
            let schema = described.output_schema.as_ref().unwrap();
            let validator = jsonschema::validator_for(schema).unwrap();
            let problems: Vec<_> = validator
                .iter_errors(answer)
                .map(|error| error.to_string())
                .collect();
            assert!(
                problems.is_empty(),
                "{tool} {profile}: {problems:?} in {answer:#}"
            );
        }
    }

    /// Changes settings as the Studio does.
    pub(crate) async fn settings(&self, settings: Value) {
        let Value::Object(settings) = settings else {
            panic!("settings are an object")
        };
        let options = loggia_engine::items::WriteOptions::default();
        self.engine
            .upsert_singleton(&person(), "directus_settings", settings, &options)
            .await
            .unwrap();
    }

    /// The names of the tools that a caller sees.
    pub(crate) fn names(&self, context: &CallContext) -> Vec<String> {
        self.tools
            .list(context)
            .tools()
            .iter()
            .map(|tool| tool.name.clone())
            .collect()
    }

    /// All rows of a collection, with these fields.
    pub(crate) async fn rows(&self, collection: &str, fields: &[&str]) -> Value {
        let query = json!({"fields": fields});
        self.succeeds(
            "items",
            json!({"action": "read", "collection": collection, "query": query}),
        )
        .await["data"]
            .take()
    }

    /// Every row of a collection, whole, as an administrator sees it.
    pub(crate) async fn all(&self, collection: &str) -> Vec<Value> {
        let query = Query::from_json(&json!({"limit": -1})).unwrap();
        let administrator = caller(Rights::Administrator);
        let page = self.engine.read_items(&administrator, collection, query).await;
        page.unwrap().rows.into_iter().map(Value::Object).collect()
    }

    /// Authors, tags and posts: M2O, O2M and M2M.
    pub(crate) async fn blog(&self) {
        self.succeeds("collections", json!({"action": "create", "data": [
            {"collection": "authors", "meta": {"note": "Who writes"}, "fields": [
                {"field": "name", "type": "string", "meta": {"required": true}},
            ]},
            {"collection": "tags", "fields": [{"field": "name", "type": "string", "schema": {"is_unique": true}}]},
            {"collection": "posts", "fields": [
                {"field": "title", "type": "string", "meta": {"required": true}, "schema": {"max_length": 80}},
                {"field": "slug", "type": "string", "schema": {"is_unique": true}},
                {"field": "status", "type": "string", "schema": {"default_value": "draft"}, "meta": {
                    "interface": "select-dropdown",
                    "options": {"choices": [{"text": "Draft", "value": "draft"}, {"text": "Published", "value": "published"}]},
                }},
                {"field": "content", "type": "text", "meta": {"interface": "input-rich-text-md"}},
                {"field": "views", "type": "integer"},
                {"field": "author", "type": "integer"},
            ]},
            {"collection": "posts_tags", "meta": {"hidden": true}, "fields": [
                {"field": "posts_id", "type": "integer"}, {"field": "tags_id", "type": "integer"},
            ]},
        ]})).await;
        self.relate("posts", "author", "authors", json!({"one_field": "posts"}))
            .await;
        self.relate(
            "posts_tags",
            "posts_id",
            "posts",
            json!({"one_field": "tags", "junction_field": "tags_id"}),
        )
        .await;
        self.relate(
            "posts_tags",
            "tags_id",
            "tags",
            json!({"one_field": "posts", "junction_field": "posts_id"}),
        )
        .await;
    }

    /// A relation from `collection.field` to `related`.
    pub(crate) async fn relate(&self, collection: &str, field: &str, related: &str, meta: Value) -> Value {
        let data = json!({"related_collection": related, "meta": meta});
        let arguments = json!({"action": "create", "collection": collection, "field": field, "data": data});
        self.succeeds("relations", arguments).await
    }

    /// New items; answers their keys.
    pub(crate) async fn create(&self, collection: &str, data: Value) -> Vec<Value> {
        let arguments = json!({"action": "create", "collection": collection, "data": data});
        let made = self.succeeds("items", arguments).await;
        made["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect()
    }
}

/// The paths and codes of everything that an error names.
pub(crate) fn problems(error: &Value) -> Vec<String> {
    let one = |problem: &Value| {
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("code"), text("path"))
    };
    match error["problems"].as_array() {
        Some(many) => many.iter().map(one).collect(),
        None => vec![one(error)],
    }
}
