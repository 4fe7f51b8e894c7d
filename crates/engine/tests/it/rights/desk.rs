//! The newspaper, and people with rights of their own in it.

use loggia_access::Caller;
use loggia_engine::items::{Page, Selection, Target, WriteOptions, Written};
use loggia_engine::{Engine, Error};
use loggia_model::Query;
use serde_json::{Value, json};

use crate::fixture::{holder, policy, policy_with};
use crate::items::newspaper::{ADMIN, Newspaper, all_fields, newspaper, record};

/// The key of everybody who is not the administrator.
pub(super) const BOB: &str = "22222222-2222-4222-8222-222222222222";

/// Somebody at the newspaper.
pub(super) struct Desk {
    pub(super) paper: Newspaper,
    pub(super) caller: Caller,
}

/// Somebody with these permissions.
pub(super) async fn desk(permissions: Value) -> Desk {
    let paper = newspaper().await;
    let admins = json!({"name": "Administrators", "admin_access": true});
    let admins = policy_with(&paper.engine, admins, json!([])).await;
    let access = json!({"policy": admins, "user": ADMIN});
    paper.create("directus_access", access).await.unwrap();
    let key = policy(&paper.engine, permissions).await;
    Desk {
        caller: holder(BOB, &[&[&key]]),
        paper,
    }
}

impl Desk {
    pub(super) fn engine(&self) -> &Engine {
        &self.paper.engine
    }

    pub(super) async fn page(&self, collection: &str, query: Value) -> Result<Page, Error> {
        let query = Query::from_json(&query)?;
        self.engine().read_items(&self.caller, collection, query).await
    }

    pub(super) async fn rows(&self, collection: &str, query: Value) -> Value {
        let page = self.page(collection, query.clone()).await;
        let page = page.unwrap_or_else(|error| panic!("{query}: {:?}", error.problems()));
        page.rows.into_iter().map(Value::Object).collect()
    }

    /// The keys of the items that a filter finds.
    pub(super) async fn ids(&self, collection: &str, filter: Value) -> Value {
        let rows = self
            .rows(collection, json!({"fields": ["id"], "filter": filter}))
            .await;
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect()
    }

    pub(super) async fn create(&self, collection: &str, rows: Value) -> Result<Written, Error> {
        let rows = match rows {
            Value::Array(rows) => rows.into_iter().map(record).collect(),
            row => vec![record(row)],
        };
        let options = all_fields();
        self.engine()
            .create_items(&self.caller, collection, rows, &options)
            .await
    }

    pub(super) async fn update(&self, collection: &str, keys: Value, data: Value) -> Result<Written, Error> {
        let target = Target::Keys {
            keys: keys.as_array().unwrap().clone(),
            data: record(data),
        };
        let options = all_fields();
        self.engine()
            .update_items(&self.caller, collection, target, &options)
            .await
    }

    pub(super) async fn delete(&self, collection: &str, keys: Value) -> Result<Written, Error> {
        let keys = Selection::Keys(keys.as_array().unwrap().clone());
        let options = WriteOptions::default();
        self.engine()
            .delete_items(&self.caller, collection, keys, &options)
            .await
    }
}

/// What a refusal says, without where: code, message and hint.
pub(super) fn words<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    let problems = result.expect_err("should be refused").problems();
    let words = problems.0.iter();
    words
        .map(|problem| {
            format!(
                "{} {} {}",
                problem.code.name,
                problem.message,
                problem.hint.clone().unwrap_or_default()
            )
        })
        .collect()
}
