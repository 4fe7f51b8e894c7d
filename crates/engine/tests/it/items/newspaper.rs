//! A newspaper: articles with an author, tags, blocks and every kind of value; authors; a front page; a tree.

use loggia_access::Caller;
use loggia_engine::items::{Page, Selection, Target, WriteOptions, Written};
use loggia_engine::{Engine, Error};
use loggia_model::{Query, Record};
use serde_json::{Value, json};

use crate::fixture::{administrator, engine, insert};

/// The newspaper and somebody who may do everything with it.
pub(crate) struct Newspaper {
    pub(crate) engine: Engine,
    pub(crate) admin: Caller,
}

/// The key of the administrator, who is a row of `directus_users` here.
pub(crate) const ADMIN: &str = "11111111-1111-4111-8111-111111111111";

pub(crate) async fn newspaper() -> Newspaper {
    let (engine, admin) = (engine().await, administrator());
    let collections = collections().as_array().unwrap().clone();
    engine.create_collections(&admin, collections).await.unwrap();
    for relation in relations().as_array().unwrap() {
        let made = engine.create_complete_relation(&admin, relation.clone()).await;
        made.unwrap_or_else(|error| panic!("{relation}: {error:?}"));
    }
    let user = json!({"id": ADMIN, "email": "ada@example.com", "status": "active"});
    insert(&engine, "directus_users", &[user]).await;
    let newspaper = Newspaper { engine, admin };
    newspaper.fill().await;
    newspaper
}

fn collections() -> Value {
    let string = |name: &str| json!({"field": name, "type": "string"});
    let integer = |name: &str| json!({"field": name, "type": "integer"});
    json!([
        {"collection": "authors", "schema": {}, "meta": {}, "fields": [
            {"field": "name", "type": "string", "meta": {"required": true}},
            {"field": "born", "type": "date"},
        ]},
        {"collection": "tags", "schema": {}, "meta": {}, "fields": [
            {"field": "name", "type": "string", "schema": {"is_unique": true}},
        ]},
        {"collection": "articles", "schema": {}, "meta": {}, "fields": [
            {"field": "title", "type": "string", "meta": {"required": true}, "schema": {"max_length": 40}},
            {"field": "slug", "type": "string", "schema": {"is_unique": true}},
            {"field": "body", "type": "text"},
            {"field": "status", "type": "string", "schema": {"default_value": "draft"},
             "meta": {"options": {"choices": [{"text": "D", "value": "draft"}, {"text": "P", "value": "published"}]}}},
            {"field": "views", "type": "integer"},
            {"field": "big", "type": "bigInteger"},
            {"field": "price", "type": "decimal", "schema": {"numeric_precision": 12, "numeric_scale": 3}},
            {"field": "rating", "type": "float"},
            {"field": "featured", "type": "boolean"},
            {"field": "published_on", "type": "timestamp"},
            {"field": "event_at", "type": "dateTime"},
            {"field": "day", "type": "date"},
            {"field": "at", "type": "time"},
            {"field": "data", "type": "json"},
            {"field": "labels", "type": "csv"},
            {"field": "token", "type": "uuid"},
            {"field": "code", "type": "string", "meta": {"validation": {"_and": [{"code": {"_regex": "^[A-Z]{3}$"}}]}}},
            {"field": "secret", "type": "hash", "meta": {"special": ["hash", "conceal"]}},
            {"field": "created", "type": "timestamp", "meta": {"special": ["date-created"]}},
            {"field": "created_by", "type": "uuid", "meta": {"special": ["user-created"]}},
            {"field": "updated", "type": "timestamp", "meta": {"special": ["date-updated"]}},
            integer("author"),
        ]},
        {"collection": "articles_tags", "schema": {}, "meta": {"hidden": true}, "fields": [
            integer("articles_id"), integer("tags_id"), integer("sort"),
        ]},
        {"collection": "texts", "schema": {}, "meta": {}, "fields": [string("body")]},
        {"collection": "pictures", "schema": {}, "meta": {}, "fields": [string("url"), string("caption")]},
        {"collection": "articles_blocks", "schema": {}, "meta": {"hidden": true}, "fields": [
            integer("articles_id"), string("item"), string("collection"), integer("sort"),
        ]},
        {"collection": "front_page", "schema": {}, "meta": {"singleton": true}, "fields": [
            {"field": "motto", "type": "string", "schema": {"default_value": "All the news"}}, integer("lead"),
        ]},
        {"collection": "comments", "schema": {}, "meta": {}, "fields": [
            string("text"),
            {"field": "article", "type": "integer", "schema": {"is_nullable": false}},
        ]},
        {"collection": "nodes", "schema": {}, "meta": {}, "fields": [
            {"field": "id", "type": "uuid", "schema": {"is_primary_key": true}, "meta": {"special": ["uuid"]}},
            string("name"),
            {"field": "parent", "type": "uuid"},
        ]},
    ])
}

fn relations() -> Value {
    let relation = |collection: &str, field: &str, to: Value, meta: Value, on_delete: &str| {
        let schema = if to.is_null() {
            Value::Null
        } else {
            json!({"on_delete": on_delete})
        };
        json!({"collection": collection, "field": field, "related_collection": to, "meta": meta, "schema": schema})
    };
    json!([
        relation(
            "articles",
            "author",
            json!("authors"),
            json!({"one_field": "articles"}),
            "SET NULL"
        ),
        relation(
            "articles_tags",
            "articles_id",
            json!("articles"),
            json!({"one_field": "tags", "junction_field": "tags_id", "sort_field": "sort", "one_deselect_action": "delete"}),
            "CASCADE"
        ),
        relation(
            "articles_tags",
            "tags_id",
            json!("tags"),
            json!({"junction_field": "articles_id"}),
            "CASCADE"
        ),
        relation(
            "articles_blocks",
            "item",
            Value::Null,
            json!({"one_collection_field": "collection", "one_allowed_collections": ["texts", "pictures"], "junction_field": "articles_id"}),
            ""
        ),
        relation(
            "articles_blocks",
            "articles_id",
            json!("articles"),
            json!({"one_field": "blocks", "junction_field": "item", "sort_field": "sort"}),
            "CASCADE"
        ),
        relation("front_page", "lead", json!("articles"), json!({}), "SET NULL"),
        relation(
            "comments",
            "article",
            json!("articles"),
            json!({"one_field": "comments"}),
            "NO ACTION"
        ),
        relation(
            "nodes",
            "parent",
            json!("nodes"),
            json!({"one_field": "children"}),
            "SET NULL"
        ),
    ])
}

impl Newspaper {
    async fn fill(&self) {
        let authors = [
            json!({"id": 1, "name": "Ada", "born": "1815-12-10"}),
            json!({"id": 2, "name": "Bob", "born": "1990-05-05"}),
            json!({"id": 3, "name": "Cleo"}),
        ];
        insert(&self.engine, "authors", &authors).await;
        let tags = ["news", "sport", "art"].into_iter().zip(1..);
        let tags: Vec<_> = tags.map(|(name, id)| json!({"id": id, "name": name})).collect();
        insert(&self.engine, "tags", &tags).await;
        insert(&self.engine, "articles", &articles()).await;
        let links = [(1, 1, 1), (1, 2, 2), (2, 1, 1), (3, 3, 1)].into_iter().zip(1..);
        let links: Vec<_> = links
            .map(|((article, tag, sort), id)| json!({"id": id, "articles_id": article, "tags_id": tag, "sort": sort}))
            .collect();
        insert(&self.engine, "articles_tags", &links).await;
        insert(
            &self.engine,
            "texts",
            &[
                json!({"id": 1, "body": "Once"}),
                json!({"id": 2, "body": "Twice"}),
            ],
        )
        .await;
        insert(
            &self.engine,
            "pictures",
            &[json!({"id": 1, "url": "/a.png", "caption": "A"})],
        )
        .await;
        let blocks = [
            json!({"id": 1, "articles_id": 1, "collection": "texts", "item": "1", "sort": 2}),
            json!({"id": 2, "articles_id": 1, "collection": "pictures", "item": "1", "sort": 1}),
            json!({"id": 3, "articles_id": 2, "collection": "texts", "item": "2", "sort": 1}),
        ];
        insert(&self.engine, "articles_blocks", &blocks).await;
    }

    /// The rows that a query finds.
    pub(crate) async fn rows(&self, collection: &str, query: Value) -> Vec<Value> {
        let page = self.page(collection, query.clone()).await;
        let page = page.unwrap_or_else(|error| panic!("{query}: {:?}", error.problems()));
        page.rows.into_iter().map(Value::Object).collect()
    }

    pub(crate) async fn page(&self, collection: &str, query: Value) -> Result<Page, Error> {
        let query = Query::from_json(&query)?;
        self.engine.read_items(&self.admin, collection, query).await
    }

    /// The keys of the items that a filter finds.
    pub(crate) async fn ids(&self, collection: &str, filter: Value) -> Vec<Value> {
        let rows = self
            .rows(collection, json!({"fields": ["id"], "filter": filter}))
            .await;
        rows.into_iter().map(|mut row| row["id"].take()).collect()
    }

    /// One item, or null.
    pub(crate) async fn item(&self, collection: &str, key: impl Into<Value>, fields: Value) -> Value {
        let query = Query::from_json(&json!({"fields": fields})).unwrap();
        let row = self
            .engine
            .read_item(&self.admin, collection, &key.into(), query)
            .await;
        row.map_or(Value::Null, Value::Object)
    }

    pub(crate) async fn create(&self, collection: &str, rows: Value) -> Result<Written, Error> {
        self.create_with(collection, rows, &all_fields()).await
    }

    pub(crate) async fn create_with(
        &self,
        collection: &str,
        rows: Value,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        let rows = match rows {
            Value::Array(rows) => rows.into_iter().map(record).collect(),
            row => vec![record(row)],
        };
        self.engine
            .create_items(&self.admin, collection, rows, options)
            .await
    }

    pub(crate) async fn update(&self, collection: &str, keys: Value, data: Value) -> Result<Written, Error> {
        self.update_with(collection, keys, data, &all_fields()).await
    }

    pub(crate) async fn update_with(
        &self,
        collection: &str,
        keys: Value,
        data: Value,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        let target = Target::Keys {
            keys: keys.as_array().unwrap().clone(),
            data: record(data),
        };
        self.engine
            .update_items(&self.admin, collection, target, options)
            .await
    }

    pub(crate) async fn delete(&self, collection: &str, keys: Value) -> Result<Written, Error> {
        let keys = Selection::Keys(keys.as_array().unwrap().clone());
        let options = WriteOptions::default();
        self.engine
            .delete_items(&self.admin, collection, keys, &options)
            .await
    }
}

/// Answers written items with all their fields.
pub(crate) fn all_fields() -> WriteOptions {
    WriteOptions {
        returning: Some(Query::default()),
        ..WriteOptions::default()
    }
}

pub(crate) fn record(value: Value) -> Record {
    match value {
        Value::Object(record) => record,
        other => panic!("an object, not {other}"),
    }
}

/// The five articles; the last one holds nothing that it need not hold.
pub(crate) fn articles() -> Vec<Value> {
    vec![
        json!({"id": 1, "title": "Alpha", "slug": "alpha", "body": "The first one", "status": "published", "views": 10,
            "big": "9223372036854775807", "price": "19.90", "rating": 4.5, "featured": true,
            "published_on": "2025-03-04T10:20:30Z", "event_at": "2025-03-04T10:20:30", "day": "2025-03-04", "at": "10:20:30",
            "data": {"a": 1, "b": {"c": "x"}, "list": [1, 2, 3]}, "labels": ["red", "green"],
            "token": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "author": 1}),
        json!({"id": 2, "title": "beta", "slug": "beta", "body": "100% sure_thing", "status": "draft", "views": 20,
            "big": 5, "price": "5", "rating": -1.5, "featured": false, "published_on": "2026-01-01T00:00:00Z",
            "day": "2026-01-01", "at": "00:00:00", "data": {"a": "text"}, "labels": [], "author": 1}),
        json!({"id": 3, "title": "Gamma", "slug": "gamma", "body": "", "status": "published", "views": 20, "price": "1000.5",
            "published_on": "2026-11-21T11:59:00Z", "data": [1, 2], "author": 2}),
        json!({"id": 4, "title": "Ärger", "views": 0, "status": "draft", "data": {"flag": true}}),
        json!({"id": 5, "title": "Empty", "status": null}),
    ]
}
