//! Whether items may be changed and deleted is asked of them as they are, before taking back has touched any: what it does
//! on the way opens nothing and closes nothing.

use loggia_access::Caller;
use loggia_engine::changes::{Conflicts, RevertOptions, RevertTarget};
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions};
use loggia_model::Problems;
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::{holder, permit, policy};

const EDITOR: &str = "77777777-7777-4777-8777-777777777777";

/// A shop with pages, and an editor whose permission for one action can change.
struct Edited {
    shop: Shop,
    editor: Caller,
    policy: String,
}

async fn edited() -> Edited {
    let shop = shop().await;
    let pages = json!({"collection": "pages", "schema": {}, "meta": {}, "fields": [
        {"field": "name", "type": "string", "schema": {"is_unique": true, "is_nullable": false}},
    ]});
    shop.engine
        .create_collections(&shop.admin, vec![pages])
        .await
        .unwrap();
    let all = ["pages", "makers", "products"].map(
        |collection| json!({"collection": collection, "action": ["create", "read", "update", "delete"]}),
    );
    let policy = policy(&shop.engine, json!(all)).await;
    let editor = holder(EDITOR, &[&[&policy]]);
    Edited { shop, editor, policy }
}

impl Edited {
    /// From now on the editor may do this only where a rule holds.
    async fn only(&self, collection: &str, action: &str, rule: Value) {
        let rules = self.shop.rows("directus_permissions").await;
        let old = rules.iter().find(|old| {
            old["policy"] == self.policy.as_str()
                && old["collection"] == collection
                && old["action"] == action
        });
        let old = json!([old.unwrap()["id"]]);
        self.shop.delete("directus_permissions", old).await;
        let new = json!([{"collection": collection, "action": action, "permissions": rule}]);
        permit(&self.shop.engine, &self.policy, new).await.unwrap();
    }

    async fn create(&self, collection: &str, rows: Value) -> String {
        let made = self.shop.create_as(&self.editor, collection, rows).await;
        made.change.unwrap()
    }

    async fn update(&self, collection: &str, key: i64, data: Value) -> Result<String, Problems> {
        let target = Target::Keys {
            keys: vec![json!(key)],
            data: record(data),
        };
        let options = WriteOptions::default();
        let engine = &self.shop.engine;
        match engine
            .update_items(&self.editor, collection, target, &options)
            .await
        {
            Ok(written) => Ok(written.change.unwrap()),
            Err(error) => Err(error.problems().clone()),
        }
    }

    async fn delete(&self, collection: &str, key: i64) -> String {
        let options = WriteOptions {
            deletes: Deletes::Allowed,
            ..WriteOptions::default()
        };
        let keys = Selection::Keys(vec![json!(key)]);
        let engine = &self.shop.engine;
        let gone = engine
            .delete_items(&self.editor, collection, keys, &options)
            .await;
        gone.unwrap().change.unwrap()
    }

    /// Takes back, a dry run first, which must say the same.
    async fn revert(&self, changes: &[String]) -> Result<(), Problems> {
        let mut told = Vec::new();
        for dry_run in [true, false] {
            let options = RevertOptions {
                conflicts: Conflicts::Force,
                dry_run,
                ..RevertOptions::default()
            };
            let target = RevertTarget::Changes(changes.to_vec());
            let reverted = self.shop.engine.revert(&self.editor, target, &options).await;
            told.push(reverted.map(|_| ()).map_err(|error| error.problems().clone()));
        }
        let told = told.try_into();
        let [dry, real]: [Result<(), Problems>; 2] = told.unwrap();
        assert_eq!(dry, real);
        real
    }

    async fn names(&self, collection: &str) -> Vec<Value> {
        let rows = self.shop.rows(collection).await;
        rows.into_iter().map(|mut row| row["name"].take()).collect()
    }
}

#[tokio::test]
async fn an_item_that_may_not_be_changed_is_not_opened_by_giving_its_value_away() {
    let edited = edited().await;
    let pages = json!([{"name": "first"}, {"name": "home"}]);
    edited.shop.create("pages", pages).await;
    edited
        .only("pages", "update", json!({"name": {"_neq": "home"}}))
        .await;
    let renamed = edited
        .update("pages", 1, json!({"name": "second"}))
        .await
        .unwrap();
    let gone = edited.delete("pages", 2).await;
    edited
        .shop
        .update("pages", json!([1]), json!({"name": "home"}))
        .await;
    let by_hand = edited.update("pages", 1, json!({"name": "first"})).await;
    let taken_back = edited.revert(&[renamed, gone]).await;
    assert!(by_hand.is_err());
    assert_eq!(taken_back.map(|()| String::new()), by_hand);
    assert_eq!(edited.names("pages").await, ["home"]);
}

#[tokio::test]
async fn values_change_hands_by_what_they_were_before() {
    for collection in ["pages", "makers"] {
        for (rule, may) in [
            (json!({"name": {"_null": true}}), false),
            (json!({"name": {"_nnull": true}}), true),
            (json!({"name": {"_neq": "a"}}), false),
            (json!({"name": {"_in": ["a", "b"]}}), true),
        ] {
            let edited = edited().await;
            let rows = json!([{"name": "a"}, {"name": "b"}]);
            edited.shop.create(collection, rows).await;
            let mut changes = Vec::new();
            for (key, name) in [(1, "c"), (2, "a"), (1, "b")] {
                let change = edited.update(collection, key, json!({"name": name})).await;
                changes.push(change.unwrap());
            }
            edited.only(collection, "update", rule.clone()).await;
            let told = edited.revert(&changes).await;
            assert_eq!(told.is_ok(), may, "{collection} {rule} {told:?}");
            let expected = if may { ["a", "b"] } else { ["b", "a"] };
            assert_eq!(edited.names(collection).await, expected, "{collection} {rule}");
        }
    }
}

#[tokio::test]
async fn a_ring_goes_by_what_it_was_before_it_was_broken() {
    for (rule, may) in [
        (
            json!({"_or": [{"successor": {"_null": true}}, {"id": {"_eq": 2}}]}),
            false,
        ),
        (json!({"successor": {"_nnull": true}}), true),
    ] {
        let edited = edited().await;
        let rows = json!([{"name": "a"}, {"name": "b"}]);
        let mut changes = vec![edited.create("products", rows).await];
        for (key, successor) in [(1, 2), (2, 1)] {
            let change = edited.update("products", key, json!({"successor": successor}));
            changes.push(change.await.unwrap());
        }
        edited.only("products", "delete", rule.clone()).await;
        let told = edited.revert(&changes).await;
        assert_eq!(told.is_ok(), may, "{rule} {told:?}");
        let left = edited.names("products").await.len();
        assert_eq!(left, if may { 0 } else { 2 }, "{rule}");
    }
}
