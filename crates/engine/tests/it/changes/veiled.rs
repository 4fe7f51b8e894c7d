//! What a caller does not see is not there when they take back what they did: two shops that differ only in that answer
//! to the letter alike.

use loggia_access::Caller;
use loggia_engine::changes::{ChangeFilter, Conflicts, RevertOptions, RevertTarget};
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions, Written};
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::{holder, permit, policy};

const EDITOR: &str = "55555555-5555-4555-8555-555555555555";

/// A shop, and an editor who sees what is not kept secret: of makers and products not the weight, and of parts nothing.
pub(super) struct Edited {
    pub(super) shop: Shop,
    pub(super) editor: Caller,
    policy: String,
}

pub(super) async fn edited() -> Edited {
    let shop = shop().await;
    for collection in ["makers", "products"] {
        let fields = [
            json!({"field": "secret", "type": "boolean", "schema": {"default_value": false, "is_nullable": false}}),
            json!({"field": "note", "type": "string"}),
            json!({"field": "changed", "type": "timestamp", "meta": {"special": ["date-updated"]}}),
        ];
        for field in fields {
            shop.engine
                .create_field(&shop.admin, collection, field)
                .await
                .unwrap();
        }
    }
    let open = json!({"secret": {"_eq": false}});
    let policy = policy(
        &shop.engine,
        json!([
            {"collection": "makers", "action": "read", "permissions": open, "fields": ["id", "name"]},
            {"collection": "makers", "action": ["create", "update", "delete"], "fields": ["id", "name"]},
            {"collection": "products", "action": "read", "permissions": open,
             "fields": ["id", "name", "big", "maker"]},
            {"collection": "products", "action": ["create", "update", "delete"], "fields": ["id", "name", "big", "maker"]},
        ]),
    )
    .await;
    let editor = holder(EDITOR, &[&[&policy]]);
    Edited { shop, editor, policy }
}

impl Edited {
    async fn create(&self, collection: &str, rows: Value) -> String {
        let made = self.shop.create_as(&self.editor, collection, rows).await;
        made.change.unwrap()
    }

    async fn update(&self, collection: &str, key: i64, data: Value) -> String {
        let target = Target::Keys {
            keys: vec![json!(key)],
            data: record(data),
        };
        let options = WriteOptions::default();
        let written = self
            .shop
            .engine
            .update_items(&self.editor, collection, target, &options)
            .await;
        written.unwrap().change.unwrap()
    }

    async fn delete(&self, collection: &str, key: i64) -> String {
        let options = WriteOptions {
            deletes: Deletes::Allowed,
            ..WriteOptions::default()
        };
        let keys = Selection::Keys(vec![json!(key)]);
        let written: Written = self
            .shop
            .engine
            .delete_items(&self.editor, collection, keys, &options)
            .await
            .unwrap();
        written.change.unwrap()
    }

    /// What taking back answers, to the letter, without the keys of changes.
    async fn revert(&self, change: &str, conflicts: Conflicts, dry_run: bool) -> String {
        let options = RevertOptions {
            conflicts,
            dry_run,
            ..RevertOptions::default()
        };
        let target = RevertTarget::Changes(vec![change.to_owned()]);
        match self.shop.engine.revert(&self.editor, target, &options).await {
            Ok(reverted) => {
                let mut shown = reverted.shown();
                shown["change"] = reverted.change.is_some().into();
                shown["reverted"] = reverted.reverted.len().into();
                for conflict in shown["conflicts"].as_array_mut().unwrap() {
                    conflict["change"] = Value::Null;
                }
                shown.to_string()
            }
            Err(error) => format!("{:?}", error.problems()).replace(change, "<change>"),
        }
    }

    /// The answers of every way of taking back, the last of which is done.
    async fn answers(&self, change: &str) -> Vec<String> {
        use Conflicts::{Force, Refuse, Skip};
        let mut answers = Vec::new();
        for (conflicts, dry_run) in [
            (Refuse, true),
            (Skip, true),
            (Force, true),
            (Refuse, false),
            (Force, false),
        ] {
            answers.push(self.revert(change, conflicts, dry_run).await);
        }
        answers
    }

    async fn names(&self, collection: &str) -> Vec<Value> {
        let rows = self.shop.rows(collection).await;
        rows.into_iter().map(|mut row| row["name"].take()).collect()
    }
}

#[tokio::test]
async fn an_item_that_went_out_of_sight_is_as_one_that_is_gone() {
    let mut told = Vec::new();
    for hide in [false, true] {
        let edited = edited().await;
        edited.shop.create("products", json!({"name": "Anvil"})).await;
        let change = edited.update("products", 1, json!({"name": "Hammer"})).await;
        let made = edited.create("products", json!({"id": 5, "name": "Nail"})).await;
        if hide {
            let data = json!({"secret": true, "name": "Something else"});
            edited.shop.update("products", json!([1, 5]), data).await;
        } else {
            edited.shop.delete("products", json!([1, 5])).await;
        }
        let mut answers = edited.answers(&change).await;
        answers.extend(edited.answers(&made).await);
        assert!(
            !answers.iter().any(|answer| answer.contains("Something")),
            "{answers:?}"
        );
        told.push(answers);
        let left = edited.names("products").await.len();
        assert_eq!(left, if hide { 2 } else { 0 });
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn what_happened_to_hidden_fields_is_in_nobodys_way() {
    let mut told = Vec::new();
    for hidden in [false, true] {
        let edited = edited().await;
        edited
            .shop
            .create("products", json!({"name": "Anvil", "weight": 1, "note": "heavy"}))
            .await;
        let change = edited.update("products", 1, json!({"name": "Hammer"})).await;
        let made = edited.create("products", json!({"id": 5, "name": "Nail"})).await;
        if hidden {
            let data = json!({"weight": 7, "note": "light"});
            edited.shop.update("products", json!([1, 5]), data).await;
        }
        let mut answers = edited.answers(&change).await;
        answers.extend(edited.answers(&made).await);
        told.push(answers);
        assert_eq!(edited.names("products").await, ["Anvil"]);
        let row = &edited.shop.rows("products").await[0];
        assert_eq!(row["note"], if hidden { "light" } else { "heavy" });
        // Whoever takes back changes the item as by hand.
        assert!(row["changed"].is_string());
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0][3].contains("\"updated\":1"), "{}", told[0][3]);
    // What happened to a field that is seen is a conflict, and what is there now is told.
    let edited = edited().await;
    edited
        .shop
        .create("products", json!({"name": "Anvil", "note": "heavy"}))
        .await;
    let change = edited.update("products", 1, json!({"name": "Hammer"})).await;
    edited
        .shop
        .update("products", json!([1]), json!({"name": "Saw", "note": "x"}))
        .await;
    let answer = edited.revert(&change, Conflicts::Refuse, false).await;
    assert!(
        answer.contains("ITEM_CHANGED") && answer.contains("Saw"),
        "{answer}"
    );
    assert!(!answer.contains("note") && !answer.contains("heavy"), "{answer}");
}

#[tokio::test]
async fn nothing_is_pointed_to_that_is_not_seen() {
    let mut told = Vec::new();
    for hide in [false, true] {
        let edited = edited().await;
        edited
            .shop
            .create("makers", json!([{"name": "Acme"}, {"name": "Bolt"}]))
            .await;
        edited
            .shop
            .create("products", json!({"name": "Anvil", "maker": 1}))
            .await;
        let change = edited.update("products", 1, json!({"maker": 2})).await;
        let gone = edited.delete("products", 1).await;
        if hide {
            edited
                .shop
                .update("makers", json!([1, 2]), json!({"secret": true}))
                .await;
        } else {
            edited.shop.delete("makers", json!([1, 2])).await;
        }
        told.push((edited.answers(&gone).await, edited.answers(&change).await));
        assert!(edited.names("products").await.is_empty());
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].0[3].contains("INVALID_FOREIGN_KEY"), "{}", told[0].0[3]);
}

#[tokio::test]
async fn what_points_to_an_item_counts_as_far_as_it_is_seen() {
    let mut told = Vec::new();
    for hidden in [false, true] {
        let edited = edited().await;
        let made = edited.create("makers", json!({"name": "Acme"})).await;
        if hidden {
            let product = json!({"name": "Anvil", "maker": 1, "secret": true});
            edited.shop.create("products", product).await;
        }
        told.push(edited.answers(&made).await);
        assert!(edited.names("products").await.is_empty());
        assert!(edited.names("makers").await.is_empty());
    }
    assert_eq!(told[0], told[1]);
    let edited = edited().await;
    let made = edited.create("makers", json!({"name": "Acme"})).await;
    edited
        .shop
        .create("products", json!({"name": "Anvil", "maker": 1}))
        .await;
    let answer = edited.revert(&made, Conflicts::Refuse, false).await;
    assert!(
        answer.contains("ITEM_CHANGED") && answer.contains("products"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_went_unseen_with_an_item_does_not_come_back_with_it() {
    let mut told = Vec::new();
    for hidden in [false, true] {
        let edited = edited().await;
        edited
            .shop
            .create("makers", json!({"name": "Acme", "note": "old"}))
            .await;
        edited
            .shop
            .create("products", json!({"name": "Anvil", "maker": 1, "weight": 2}))
            .await;
        if hidden {
            let product = json!({"name": "Bomb", "maker": 1, "secret": true, "parts": [{"name": "Fuse"}]});
            edited.shop.create("products", product).await;
        }
        let gone = edited.delete("makers", 1).await;
        assert!(edited.names("products").await.is_empty());
        told.push(edited.answers(&gone).await);
        assert_eq!(edited.names("products").await, ["Anvil"]);
        // What is seen comes back whole.
        assert_eq!(edited.shop.rows("products").await[0]["weight"], json!(2));
        assert_eq!(edited.shop.rows("makers").await[0]["note"], "old");
        assert!(edited.names("parts").await.is_empty());
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0][3].contains("\"created\":1"), "{}", told[0][3]);
}

#[tokio::test]
async fn what_is_taken_by_something_unseen_is_denied_as_by_hand() {
    let edited = edited().await;
    edited.shop.create("makers", json!({"name": "Acme"})).await;
    let change = edited.update("makers", 1, json!({"name": "Bolt"})).await;
    edited
        .shop
        .create("makers", json!({"name": "Acme", "secret": true}))
        .await;
    let answer = edited.revert(&change, Conflicts::Force, false).await;
    let denied = loggia_model::Problems::from(loggia_model::Problem::forbidden());
    assert_eq!(answer, format!("{denied:?}"));
}

#[tokio::test]
async fn taking_back_needs_the_rights_of_today() {
    let edited = edited().await;
    edited.shop.create("products", json!({"name": "Anvil"})).await;
    let renamed = edited.update("products", 1, json!({"name": "Hammer"})).await;
    let gone = edited.delete("products", 1).await;
    let rules = edited.shop.rows("directus_permissions").await;
    let may = |action: &str, rule: &loggia_model::Record| {
        rule["policy"] == edited.policy.as_str()
            && rule["collection"] == "products"
            && rule["action"] == action
    };
    let without = async |action: &str| {
        let rule = rules.iter().find(|rule| may(action, rule)).unwrap();
        edited
            .shop
            .delete("directus_permissions", json!([rule["id"]]))
            .await;
    };
    without("create").await;
    let answer = edited.revert(&gone, Conflicts::Force, false).await;
    assert!(answer.contains("FORBIDDEN"), "{answer}");
    let some = json!([{"collection": "products", "action": "create", "fields": ["id", "name"],
        "validation": {"name": {"_neq": "Hammer"}}}]);
    permit(&edited.shop.engine, &edited.policy, some).await.unwrap();
    let answer = edited.revert(&gone, Conflicts::Force, false).await;
    assert!(answer.contains("FAILED_VALIDATION"), "{answer}");
    assert!(edited.names("products").await.is_empty());
    edited
        .shop
        .create("products", json!({"id": 1, "name": "Hammer"}))
        .await;
    without("update").await;
    let answer = edited.revert(&renamed, Conflicts::Force, false).await;
    assert!(answer.contains("FORBIDDEN"), "{answer}");
    assert_eq!(edited.names("products").await, ["Hammer"]);
}

#[tokio::test]
async fn the_place_of_a_change_among_all_is_not_told_in_its_title() {
    let edited = edited().await;
    let made = edited.create("makers", json!({"name": "Acme"})).await;
    edited.revert(&made, Conflicts::Refuse, false).await;
    let last = edited.shop.last().await;
    assert_eq!(last["title"], format!("Takes back change {made}"));
    let listed = edited
        .shop
        .engine
        .list_changes(&edited.editor, &ChangeFilter::default())
        .await
        .unwrap();
    assert_eq!(listed.changes.len(), 2);
}

/// Blocks that point to pages and to what is in the vault, of which the editor sees all that is not secret.
async fn blocks() -> (Edited, Value) {
    let mut edited = edited().await;
    let (engine, admin) = (&edited.shop.engine, &edited.shop.admin);
    let secret = json!({"field": "secret", "type": "boolean", "schema": {"default_value": false, "is_nullable": false}});
    let collections = json!([
        {"collection": "pages", "schema": {}, "meta": {}, "fields": [secret]},
        {"collection": "vault", "schema": {}, "meta": {}, "fields": [secret]},
        {"collection": "blocks", "schema": {}, "meta": {}, "fields": [
            {"field": "collection", "type": "string"}, {"field": "item", "type": "string"},
        ]},
    ]);
    let collections = collections.as_array().unwrap().clone();
    engine.create_collections(admin, collections).await.unwrap();
    let relation = json!({"collection": "blocks", "field": "item", "related_collection": null,
        "meta": {"one_collection_field": "collection", "one_allowed_collections": ["pages", "vault"]}});
    engine.create_complete_relation(admin, relation).await.unwrap();
    let open = json!({"secret": {"_eq": false}});
    let rules = json!([
        {"collection": "blocks", "action": ["read", "create", "update", "delete"], "fields": ["*"]},
        {"collection": "pages", "action": "read", "permissions": open, "fields": ["id"]},
        {"collection": "vault", "action": "read", "permissions": open, "fields": ["id"]},
    ]);
    let rules = permit(engine, &edited.policy, rules).await.unwrap();
    edited.editor = holder(EDITOR, &[&[&edited.policy]]);
    let rows = json!([{}, {}]);
    edited.shop.create("pages", rows.clone()).await;
    edited.shop.create("vault", rows).await;
    let rule = rules.last().unwrap().clone();
    (edited, rule)
}

#[tokio::test]
async fn nothing_points_into_a_collection_again_that_is_not_seen() {
    let (edited, rule) = blocks().await;
    let row = json!({"collection": "vault", "item": "1"});
    edited.shop.create("blocks", json!([row, row, row])).await;
    let moved = edited
        .update("blocks", 1, json!({"collection": "pages", "item": "2"}))
        .await;
    // Only the collection differs.
    let turned = edited
        .update("blocks", 2, json!({"collection": "pages", "item": "1"}))
        .await;
    let gone = edited.delete("blocks", 3).await;
    edited.shop.delete("directus_permissions", json!([rule])).await;
    let now = edited.shop.rows("blocks").await;
    for change in [&moved, &turned, &gone] {
        for conflicts in [Conflicts::Refuse, Conflicts::Skip, Conflicts::Force] {
            let answer = edited.revert(change, conflicts, false).await;
            assert!(
                answer.contains("`item` cannot point into the collection `vault`."),
                "{answer}"
            );
        }
    }
    assert_eq!(edited.shop.rows("blocks").await, now);
    // Where the collection is seen, it comes back.
    let rules = json!([{"collection": "vault", "action": "read", "fields": ["id"]}]);
    permit(&edited.shop.engine, &edited.policy, rules).await.unwrap();
    for change in [&moved, &turned, &gone] {
        let answer = edited.revert(change, Conflicts::Refuse, false).await;
        assert!(answer.contains("\"reverted\":1"), "{answer}");
    }
    for row in edited.shop.rows("blocks").await {
        assert_eq!((&row["collection"], &row["item"]), (&json!("vault"), &json!("1")));
    }
}

#[tokio::test]
async fn no_block_points_again_to_what_is_not_seen() {
    let mut told = Vec::new();
    for hide in [false, true] {
        let (edited, _) = blocks().await;
        let row = json!({"collection": "vault", "item": "1"});
        edited.shop.create("blocks", json!([row, row, row])).await;
        let changes = [
            edited
                .update("blocks", 1, json!({"item": "2", "collection": "pages"}))
                .await,
            edited
                .update("blocks", 2, json!({"item": "1", "collection": "pages"}))
                .await,
            edited.delete("blocks", 3).await,
        ];
        if hide {
            let data = json!({"secret": true});
            edited.shop.update("vault", json!([1]), data).await;
        } else {
            edited.shop.delete("vault", json!([1])).await;
        }
        let now = edited.shop.rows("blocks").await;
        for change in &changes {
            let answers = edited.answers(change).await;
            assert!(
                answers
                    .iter()
                    .all(|answer| answer.contains("INVALID_FOREIGN_KEY")),
                "{answers:?}"
            );
            told.push(answers);
        }
        assert_eq!(edited.shop.rows("blocks").await, now);
        if !hide {
            // Administrators hear of it as well; by force it is as it was.
            let target = || RevertTarget::Changes(vec![changes[0].clone()]);
            let mut options = RevertOptions::default();
            let (engine, admin) = (&edited.shop.engine, &edited.shop.admin);
            let refused = engine.revert(admin, target(), &options).await.unwrap_err();
            assert_eq!(refused.problems().0[0].code.name, "INVALID_FOREIGN_KEY");
            options.conflicts = Conflicts::Force;
            engine.revert(admin, target(), &options).await.unwrap();
            assert_eq!(edited.shop.rows("blocks").await[0]["collection"], "vault");
        }
    }
    assert_eq!(told[..3], told[3..]);
}
