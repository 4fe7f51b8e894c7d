//! Two offices that differ only in what the caller must not know.

use loggia_access::Caller;
use loggia_engine::Engine;
use loggia_engine::items::{Selection, Target, WriteOptions, Written};
use loggia_model::{Query, Record};
use serde_json::{Value, json};

use crate::fixture::{administrator, engine, holder, insert, policy};

/// Who asks.
pub(super) const EVE: &str = "55555555-5555-4555-8555-555555555555";

/// What the caller must not know.
#[derive(Clone)]
pub(super) struct Secret {
    /// The value of a field that no permission grants.
    pub(super) salary: i64,
    /// The value of a field on the item where the permission that grants it does not apply.
    pub(super) masked: Value,
    /// An item that no permission lets through: everything about it.
    pub(super) draft: Option<Value>,
    /// Items of a collection that no permission names.
    pub(super) ledgers: Vec<Value>,
    /// The name of a collection that no permission names, and of a field that none grants.
    pub(super) names: (&'static str, &'static str),
}

/// The first office.
pub(super) fn one() -> Secret {
    Secret {
        salary: 10,
        masked: json!("zebra"),
        draft: Some(
            json!({"id": 9, "title": "Zanzibar", "slug": "zanzibar", "status": "draft", "views": 7, "author": 1}),
        ),
        ledgers: vec![
            json!({"id": 1, "amount": 5, "article": 1}),
            json!({"id": 2, "amount": 6, "article": 1}),
        ],
        names: ("bribes", "bribed_by"),
    }
}

/// The other one.
pub(super) fn other() -> Secret {
    Secret {
        salary: 9_000,
        masked: json!("aardvark"),
        draft: None,
        ledgers: vec![json!({"id": 3, "amount": 50, "article": 2})],
        names: ("gifts", "given_by"),
    }
}

/// An office and the one who must not know.
pub(super) struct Office {
    pub(super) engine: Engine,
    pub(super) eve: Caller,
}

pub(super) async fn office(secret: &Secret) -> Office {
    let (engine, admin) = (engine().await, administrator());
    let (collection, field) = secret.names;
    let plain = |name: &str, ty: &str| json!({"field": name, "type": ty});
    let collections = json!([
        {"collection": "authors", "schema": {}, "meta": {},
         "fields": [plain("name", "string"), plain("salary", "integer"), plain(field, "string")]},
        {"collection": "articles", "schema": {}, "meta": {}, "fields": [
            plain("title", "string"), plain("status", "string"), plain("views", "integer"), plain("author", "integer"),
            plain("note", "text"), plain("data", "json"),
            {"field": "slug", "type": "string", "schema": {"is_unique": true}},
        ]},
        {"collection": "ledgers", "schema": {}, "meta": {}, "fields": [plain("amount", "integer"), plain("article", "integer")]},
        {"collection": collection, "schema": {}, "meta": {}, "fields": [plain("value", "string")]},
    ]);
    engine
        .create_collections(&admin, collections.as_array().unwrap().clone())
        .await
        .unwrap();
    for (many, field, one, alias) in [
        ("articles", "author", "authors", "articles"),
        ("ledgers", "article", "articles", "ledgers"),
    ] {
        let body = json!({"collection": many, "field": field, "related_collection": one,
            "meta": {"one_field": alias}, "schema": {"on_delete": "NO ACTION"}});
        engine.create_complete_relation(&admin, body).await.unwrap();
    }
    fill(&engine, secret).await;
    let key = policy(
        &engine,
        json!([
            {"collection": "authors", "action": "read", "fields": ["id", "name", "articles"]},
            {"collection": "articles", "action": "read", "permissions": {"status": {"_eq": "published"}},
             "fields": ["id", "title", "status", "author", "views", "slug", "data"]},
            {"collection": "articles", "action": "read", "permissions": {"id": {"_eq": 1}}, "fields": ["note"]},
            {"collection": "articles", "action": ["create", "update"], "permissions": {},
             "fields": ["title", "slug", "status", "author", "views"]},
            {"collection": "authors", "action": ["delete"]},
        ]),
    )
    .await;
    Office {
        engine,
        eve: holder(EVE, &[&[&key]]),
    }
}

async fn fill(engine: &Engine, secret: &Secret) {
    let authors =
        json!([{"id": 1, "name": "Ann", "salary": secret.salary}, {"id": 2, "name": "Bob", "salary": 100}]);
    insert(engine, "authors", authors.as_array().unwrap()).await;
    let articles = json!([
        {"id": 1, "title": "One", "slug": "one", "status": "published", "views": 3, "author": 1, "note": "open", "data": {"a": 1}},
        {"id": 2, "title": "Two", "slug": "two", "status": "published", "views": 5, "author": 2, "note": secret.masked},
        {"id": 3, "title": "Three", "slug": "three", "status": "published", "author": null, "note": secret.masked},
    ]);
    insert(engine, "articles", articles.as_array().unwrap()).await;
    if let Some(draft) = &secret.draft {
        insert(engine, "articles", std::slice::from_ref(draft)).await;
    }
    insert(engine, "ledgers", &secret.ledgers).await;
}

impl Office {
    /// What is answered, to the letter.
    pub(super) async fn ask(&self, caller: &Caller, collection: &str, query: &Value) -> String {
        let read = match Query::from_json(query) {
            Ok(query) => self.engine.read_items(caller, collection, query).await,
            Err(problems) => Err(problems.into()),
        };
        match read {
            Ok(page) => format!("{page:?}"),
            Err(error) => format!("{:?}", error.problems()),
        }
    }

    pub(super) async fn item(&self, caller: &Caller, collection: &str, key: &Value, query: &Value) -> String {
        let query = Query::from_json(query).unwrap();
        match self.engine.read_item(caller, collection, key, query).await {
            Ok(item) => Value::Object(item).to_string(),
            Err(error) => format!("{:?}", error.problems()),
        }
    }

    pub(super) async fn create(&self, collection: &str, row: Value) -> String {
        let options = WriteOptions {
            returning: Some(Query::default()),
            ..WriteOptions::default()
        };
        told(
            self.engine
                .create_items(&self.eve, collection, vec![record(row)], &options)
                .await,
        )
    }

    pub(super) async fn update(&self, collection: &str, key: impl Into<Value>, data: Value) -> String {
        let target = Target::Keys {
            keys: vec![key.into()],
            data: record(data),
        };
        told(
            self.engine
                .update_items(&self.eve, collection, target, &WriteOptions::default())
                .await,
        )
    }

    pub(super) async fn delete(&self, collection: &str, key: impl Into<Value>) -> String {
        let keys = Selection::Keys(vec![key.into()]);
        told(
            self.engine
                .delete_items(&self.eve, collection, keys, &WriteOptions::default())
                .await,
        )
    }
}

fn told(written: Result<Written, loggia_engine::Error>) -> String {
    match written {
        Ok(written) => format!("{:?} {:?}", written.keys, written.rows),
        Err(error) => format!("{:?}", error.problems()),
    }
}

fn record(value: Value) -> Record {
    value.as_object().unwrap().clone()
}
