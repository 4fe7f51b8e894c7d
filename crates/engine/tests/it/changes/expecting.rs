//! `_rev`: items that must be as they were read.

use std::collections::HashMap;

use loggia_access::Caller;
use loggia_engine::items::{Selection, Target, WriteOptions};
use loggia_model::Query;
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::refused;

impl Shop {
    async fn rev(&self, key: i64) -> Value {
        self.rev_for(&self.admin, key).await
    }

    async fn rev_for(&self, caller: &Caller, key: i64) -> Value {
        let query = Query {
            fields: Some(vec!["id".to_owned(), "_rev".to_owned()]),
            ..Query::default()
        };
        let row = self
            .engine
            .read_item(caller, "products", &json!(key), query)
            .await;
        row.unwrap()["_rev"].clone()
    }

    async fn send(&self, target: Target) -> Result<loggia_engine::items::Written, loggia_engine::Error> {
        self.send_as(&self.admin, target).await
    }

    async fn send_as(
        &self,
        caller: &Caller,
        target: Target,
    ) -> Result<loggia_engine::items::Written, loggia_engine::Error> {
        let options = WriteOptions::default();
        self.engine
            .update_items(caller, "products", target, &options)
            .await
    }
}

fn one(key: i64, data: Value) -> Target {
    of(json!(key), data)
}

fn of(key: Value, data: Value) -> Target {
    Target::Keys {
        keys: vec![key],
        data: record(data),
    }
}

#[tokio::test]
async fn a_write_of_what_changed_since_is_refused_and_says_what() {
    let shop = shop().await;
    shop.create("products", json!([{"name": "a"}, {"name": "b"}]))
        .await;
    let first = shop.rev(1).await;
    shop.send(one(1, json!({"name": "c", "_rev": first})))
        .await
        .unwrap();
    let second = shop.rev(1).await;
    shop.update("products", json!([1]), json!({"big": 5})).await;
    shop.update("products", json!([1]), json!({"big": 6})).await;
    let error = shop
        .send(one(1, json!({"name": "d", "_rev": second})))
        .await
        .unwrap_err();
    let problems = error.problems();
    let problem = &problems.0[0];
    assert_eq!(problem.code.name, "ITEM_CHANGED");
    assert_eq!(
        (&problem.extensions["_rev"], &problem.extensions["expected"]),
        (&shop.rev(1).await, &second)
    );
    let changes = &problem.extensions["changes"];
    assert_eq!(changes.as_array().unwrap().len(), 2, "{changes}");
    assert_eq!(changes[0]["fields"], json!(["big"]));
    assert_eq!(changes[0]["at"], "2026-11-21T12:00:00.000Z");
    assert_eq!(shop.rows("products").await[0]["name"], "c");
    // Each with its own, all at once.
    let rows = json!([{"id": 1, "_rev": first, "name": "x"}, {"id": 2, "_rev": second, "name": "y"}]);
    let rows = rows.as_array().unwrap().iter().cloned().map(record).collect();
    assert_eq!(
        refused(shop.send(Target::Each(rows)).await),
        ["ITEM_CHANGED ", "ITEM_CHANGED "]
    );
    for wrong in [json!("new"), json!(3), json!("")] {
        let failed = shop.send(one(1, json!({"_rev": wrong, "name": "x"}))).await;
        assert_eq!(refused(failed), ["INVALID_PAYLOAD _rev"]);
    }
    // What is as it was read is as it was read, whatever happened in between.
    shop.update("products", json!([1]), json!({"big": null})).await;
    shop.send(one(1, json!({"name": "d", "_rev": second})))
        .await
        .unwrap();
}

#[tokio::test]
async fn items_are_deleted_as_they_were_read_or_not_at_all() {
    let shop = shop().await;
    shop.create("products", json!({"name": "a"})).await;
    let read = shop.rev(1).await.as_str().unwrap().to_owned();
    for (rev, deleted) in [("5f70bf18a0860070".to_owned(), false), (read, true)] {
        let options = WriteOptions {
            expect: HashMap::from([("1".to_owned(), rev)]),
            ..WriteOptions::default()
        };
        let keys = Selection::Keys(vec![json!(1)]);
        let written = shop
            .engine
            .delete_items(&shop.admin, "products", keys, &options)
            .await;
        assert_eq!(written.is_ok(), deleted);
    }
    assert!(shop.rows("products").await.is_empty());
}

#[tokio::test]
async fn a_key_may_be_written_in_any_way_and_one_that_is_none_is_no_demand_that_was_met() {
    let shop = shop().await;
    let key = "0b0b0b0b-0000-4000-8000-00000000000a";
    shop.create("directus_folders", json!({"id": key, "name": "Writers"}))
        .await;
    let query = Query {
        fields: Some(vec!["_rev".to_owned()]),
        ..Query::default()
    };
    let read = shop
        .engine
        .read_item(&shop.admin, "directus_folders", &json!(key), query)
        .await;
    let read = read.unwrap()["_rev"].as_str().unwrap().to_owned();
    let rename = |written: String, tag: &str| {
        let options = WriteOptions {
            expect: HashMap::from([(written, tag.to_owned())]),
            ..WriteOptions::default()
        };
        let target = of(json!(key), json!({"name": "Readers"}));
        let (engine, admin) = (shop.engine.clone(), shop.admin.clone());
        async move {
            engine
                .update_items(&admin, "directus_folders", target, &options)
                .await
        }
    };
    let code = |error: loggia_engine::Error| error.problems().0[0].code.name;
    let stale = rename(key.to_uppercase(), "0").await.unwrap_err();
    assert_eq!(code(stale), "ITEM_CHANGED");
    let unclear = rename("nobody".to_owned(), &read).await.unwrap_err();
    assert_eq!(code(unclear), "INVALID_PAYLOAD");
    rename(key.to_uppercase(), &read).await.unwrap();
}
