//! What is recorded is shown and taken back by today's schema and today's rules.

use loggia_access::{Attribution, Claims, TokenFacts, TokenMode};
use loggia_engine::changes::{ChangeDiff, ChangeFilter, Conflicts, RevertOptions, RevertTarget, Reverted};
use loggia_engine::items::{Target, WriteOptions};
use loggia_engine::{Error, Listener};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

use super::veiled::edited;
use super::{Shop, record, shop};
use crate::fixture::{
    administrator, claims_of, engine_heard_by, established, insert, permit, policy, refused,
};

const USER: &str = "55555555-5555-4555-8555-555555555555";

impl Shop {
    async fn back(&self, caller: &loggia_access::Caller, change: &str) -> Result<Reverted, Error> {
        let target = RevertTarget::Changes(vec![change.to_owned()]);
        self.engine
            .revert(caller, target, &RevertOptions::default())
            .await
    }

    async fn diff(&self, caller: &loggia_access::Caller, change: &str) -> ChangeDiff {
        self.engine.change_diff(caller, change, None, None).await.unwrap()
    }
}

/// Somebody who may read and write users, as these claims say.
async fn keeper(shop: &Shop, change: impl FnOnce(&mut Claims)) -> loggia_access::Caller {
    let rules = json!([{"collection": "directus_users", "action": ["read", "create", "update", "delete"]}]);
    let key = policy(&shop.engine, rules).await;
    let mut claims = claims_of(USER, &[&[&key]]);
    change(&mut claims);
    established(claims)
}

#[tokio::test]
async fn an_access_token_takes_no_address_back() {
    let shop = shop().await;
    insert(
        &shop.engine,
        "directus_users",
        &[json!({"id": USER, "email": "old@example.com", "title": "Dr"})],
    )
    .await;
    let signed_in = keeper(&shop, |_| {}).await;
    let by_token = keeper(&shop, |claims| {
        claims.token = Some(TokenFacts {
            id: "11111111-2222-4333-8444-555555555555".to_owned(),
            name: "t".to_owned(),
            mode: TokenMode::Direct,
            changed_rows_per_hour: None,
        });
    })
    .await;
    let change = async |data: Value| {
        let target = Target::Keys {
            keys: vec![json!(USER)],
            data: record(data),
        };
        let options = WriteOptions::default();
        let written = shop
            .engine
            .update_items(&signed_in, "directus_users", target, &options)
            .await;
        written.unwrap().change.unwrap()
    };
    let address = change(json!({"email": "new@example.com"})).await;
    let title = change(json!({"title": "Prof"})).await;
    assert_eq!(refused(shop.back(&by_token, &address).await), ["FORBIDDEN email"]);
    assert_eq!(shop.rows("directus_users").await[0]["email"], "new@example.com");
    shop.back(&by_token, &title).await.unwrap();
    assert_eq!(shop.rows("directus_users").await[0]["title"], "Dr");
    shop.back(&signed_in, &address).await.unwrap();
    assert_eq!(shop.rows("directus_users").await[0]["email"], "old@example.com");
}

#[tokio::test]
async fn rules_of_the_system_hold_for_what_comes_back() {
    let shop = shop().await;
    let admin = shop.admin.clone();
    let settings = async |data: Value| {
        let options = WriteOptions::default();
        let written = shop
            .engine
            .upsert_singleton(&admin, "directus_settings", record(data), &options)
            .await;
        written.unwrap().change.unwrap()
    };
    settings(json!({"mcp_prompts_collection": "makers"})).await;
    let changed = settings(json!({"mcp_prompts_collection": null})).await;
    let policy = policy(&shop.engine, json!([])).await;
    let rules = json!([{"collection": "products", "action": "read", "fields": ["name", "weight"]}]);
    let rule = permit(&shop.engine, &policy, rules).await.unwrap().remove(0);
    let gone = shop
        .delete("directus_permissions", json!([rule]))
        .await
        .change
        .unwrap();
    shop.engine.delete_collection(&admin, "makers").await.unwrap();
    shop.engine
        .delete_field(&admin, "products", "weight")
        .await
        .unwrap();
    assert_eq!(
        refused(shop.back(&admin, &changed).await),
        ["INVALID_PAYLOAD mcp_prompts_collection"]
    );
    let error = shop.back(&admin, &gone).await.unwrap_err();
    let problem = &error.problems().0[0];
    assert_eq!(
        (problem.code.name, problem.path.as_str()),
        ("INVALID_PAYLOAD", "fields[1]")
    );
    assert_eq!(problem.extensions["item"], rule.to_string());
    let rules = shop.rows("directus_permissions").await;
    assert!(rules.iter().all(|row| row["id"] != rule), "{rules:?}");
}

#[tokio::test]
async fn a_collection_comes_back_with_its_permissions() {
    let shop = shop().await;
    let policy = policy(&shop.engine, json!([])).await;
    // The condition follows a relation, which comes back as well.
    let rules = json!([{"collection": "products", "action": "read", "permissions": {"maker": {"name": {"_eq": "Acme"}}}}]);
    permit(&shop.engine, &policy, rules).await.unwrap();
    shop.engine
        .delete_collection(&shop.admin, "products")
        .await
        .unwrap();
    let gone = shop.last().await["id"].as_str().unwrap().to_owned();
    shop.back(&shop.admin.clone(), &gone).await.unwrap();
    let rules = shop.rows("directus_permissions").await;
    assert!(
        rules.iter().any(|row| row["policy"] == policy.as_str()),
        "{rules:?}"
    );
    assert!(shop.engine.schema().collection("products").is_some());
}

/// Remembers what it was told.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Listener for Ear {
    fn changed(&self, collection: &str, _: &[Value]) {
        self.0.lock().unwrap().push(collection.to_owned());
    }
}

#[tokio::test]
async fn everybody_hears_of_what_comes_back_and_of_what_goes_with_it() {
    let ear = Arc::new(Ear::default());
    let shop = Shop {
        engine: engine_heard_by(vec![ear.clone()]).await,
        admin: administrator(),
    };
    let chief = json!({"id": "0a0a0a0a-0000-4000-8000-000000000001", "name": "All", "admin_access": true});
    let chief = json!({"email": "chief@example.com", "policies": [{"policy": chief}]});
    shop.create("directus_users", chief).await;
    let policy = shop.create("directus_policies", json!({"name": "Readers"})).await;
    let (made, policy) = (policy.change.unwrap(), policy.keys[0].clone());
    let reader = established(claims_of(USER, &[&[policy.as_str().unwrap()]]));
    let rules = json!([{"collection": "directus_folders", "action": "read"}]);
    permit(&shop.engine, policy.as_str().unwrap(), rules)
        .await
        .unwrap();
    let read = async || {
        let query = loggia_model::Query::default();
        shop.engine
            .read_items(&reader, "directus_folders", query)
            .await
            .is_ok()
    };
    assert!(read().await);
    let told = || std::mem::take(&mut *ear.0.lock().unwrap());
    told();
    let options = RevertOptions {
        conflicts: Conflicts::Force,
        ..RevertOptions::default()
    };
    let target = RevertTarget::Changes(vec![made]);
    let reverted = shop.engine.revert(&shop.admin, target, &options).await.unwrap();
    assert!(
        !read().await,
        "a permission that went with its policy grants nothing"
    );
    assert!(told().contains(&"directus_permissions".to_owned()));
    shop.back(&shop.admin.clone(), &reverted.change.unwrap())
        .await
        .unwrap();
    assert!(read().await);
    assert!(told().contains(&"directus_policies".to_owned()));
}

#[tokio::test]
async fn what_is_a_secret_by_now_is_shown_to_nobody_and_not_restored() {
    let shop = shop().await;
    shop.create("products", json!({"name": "plain one"})).await;
    let changed = shop
        .update("products", json!([1]), json!({"name": "plain two", "big": 1}))
        .await;
    let changed = changed.change.unwrap();
    let again = shop
        .update("products", json!([1]), json!({"name": "plain three"}))
        .await;
    let conceal = json!({"meta": {"special": ["conceal"]}});
    shop.engine
        .update_field(&shop.admin, "products", "name", conceal)
        .await
        .unwrap();
    let diff = shop.diff(&shop.admin.clone(), &changed).await;
    let (before, after) = (
        diff.items[0].before.clone().unwrap(),
        diff.items[0].after.clone().unwrap(),
    );
    assert_eq!(
        (&before["name"], &after["name"]),
        (&json!("**********"), &json!("**********"))
    );
    assert_eq!(diff.items[0].secrets, ["name"]);
    let listed = format!(
        "{diff:?}{:?}",
        shop.diff(&shop.admin.clone(), &again.change.unwrap()).await
    );
    assert!(!listed.contains("plain"), "{listed}");
    let reverted = shop.back(&shop.admin.clone(), &changed).await.unwrap();
    assert_eq!(reverted.not_restored[0].fields, ["name"]);
    assert!(!format!("{reverted:?}").contains("plain"));
    let row = &shop.rows("products").await[0];
    assert_eq!((&row["name"], &row["big"]), (&json!("plain three"), &Value::Null));
}

#[tokio::test]
async fn a_field_that_was_made_again_has_no_past_but_for_administrators() {
    let edited = edited().await;
    let (shop, editor) = (&edited.shop, &edited.editor);
    shop.create("products", json!({"name": "Anvil"})).await;
    let written = |data: Value| {
        let target = Target::Keys {
            keys: vec![json!(1)],
            data: record(data),
        };
        async move {
            let options = WriteOptions::default();
            let written = shop
                .engine
                .update_items(editor, "products", target, &options)
                .await;
            written.unwrap().change.unwrap()
        }
    };
    written(json!({"big": 41})).await;
    let change = written(json!({"big": 42, "name": "Hammer"})).await;
    shop.engine
        .delete_field(&shop.admin, "products", "big")
        .await
        .unwrap();
    let field = json!({"field": "big", "type": "bigInteger"});
    shop.engine
        .create_field(&shop.admin, "products", field)
        .await
        .unwrap();
    // The permission lost its word of the field with the field.
    let rules = shop.rows("directus_permissions").await;
    for rule in rules
        .iter()
        .filter(|rule| rule["collection"] == "products" && rule["action"] != "delete")
    {
        let fields = json!({"fields": ["id", "name", "big"]});
        shop.update("directus_permissions", json!([rule["id"]]), fields)
            .await;
    }
    let (own, all) = (
        shop.diff(editor, &change).await,
        shop.diff(&shop.admin, &change).await,
    );
    assert_eq!(own.items[0].after, Some(record(json!({"name": "Hammer"}))));
    assert_eq!(all.items[0].after.as_ref().unwrap()["big"], json!(42));
    shop.back(editor, &change).await.unwrap();
    let row = &shop.rows("products").await[0];
    assert_eq!((&row["name"], &row["big"]), (&json!("Anvil"), &Value::Null));
    // From here on it has one.
    let later = written(json!({"big": 43})).await;
    let own = shop.diff(editor, &later).await;
    assert_eq!(own.items[0].after.as_ref().unwrap()["big"], json!(43));
}

#[tokio::test]
async fn a_permission_comes_back_only_as_one_that_could_be_written() {
    let shop = shop().await;
    let policy = policy(&shop.engine, json!([])).await;
    let rules = json!([{"collection": "products", "action": "read", "fields": ["name", "weight"],
        "permissions": {"weight": {"_gt": 1}}}]);
    let rule = permit(&shop.engine, &policy, rules).await.unwrap().remove(0);
    let fields = shop
        .update("directus_permissions", json!([rule]), json!({"fields": ["name"]}))
        .await;
    let filter = shop
        .update(
            "directus_permissions",
            json!([rule]),
            json!({"permissions": null}),
        )
        .await;
    let (fields, filter) = (fields.change.unwrap(), filter.change.unwrap());
    let admin = shop.admin.clone();
    let field = json!({"field": "weight", "type": "float"});
    shop.engine
        .delete_field(&admin, "products", "weight")
        .await
        .unwrap();
    let now = shop.rows("directus_permissions").await;
    assert_eq!(
        refused(shop.back(&admin, &fields).await),
        ["INVALID_PAYLOAD fields[1]"]
    );
    let error = shop.back(&admin, &filter).await.unwrap_err();
    let problem = &error.problems().0[0];
    assert!(problem.path.starts_with("permissions"), "{problem:?}");
    assert_eq!(problem.extensions["item"], rule.to_string());
    assert_eq!(shop.rows("directus_permissions").await, now);
    shop.engine.create_field(&admin, "products", field).await.unwrap();
    shop.back(&admin, &filter).await.unwrap();
    shop.back(&admin, &fields).await.unwrap();
}

#[tokio::test]
async fn who_only_proposes_hears_what_would_happen() {
    let shop = shop().await;
    let change = shop
        .create("makers", json!({"name": "Acme"}))
        .await
        .change
        .unwrap();
    let claims = Claims {
        token: Some(TokenFacts {
            id: "11111111-2222-4333-8444-555555555555".to_owned(),
            name: "t".to_owned(),
            mode: TokenMode::Propose,
            changed_rows_per_hour: None,
        }),
        ..shop.admin.claims().clone()
    };
    let proposer = established(claims);
    let count = shop.changes().await.len();
    let target = || RevertTarget::Changes(vec![change.clone()]);
    let dry = RevertOptions {
        dry_run: true,
        ..RevertOptions::default()
    };
    let reverted = shop.engine.revert(&proposer, target(), &dry).await.unwrap();
    assert_eq!(reverted.changed["makers"].deleted, 1);
    assert_eq!(refused(shop.back(&proposer, &change).await), ["FORBIDDEN "]);
    assert_eq!(shop.changes().await.len(), count);
    assert_eq!(shop.rows("makers").await.len(), 1);
}

#[tokio::test]
async fn a_conflict_of_the_schema_names_its_change() {
    let shop = shop().await;
    let admin = shop.admin.clone();
    let field = json!({"field": "extra", "type": "string"});
    shop.engine.create_field(&admin, "makers", field).await.unwrap();
    let made = shop.last().await["id"].as_str().unwrap().to_owned();
    shop.create("makers", json!({"name": "Acme", "extra": "x"})).await;
    let options = RevertOptions {
        dry_run: true,
        ..RevertOptions::default()
    };
    let target = RevertTarget::Changes(vec![made.clone()]);
    let reverted = shop.engine.revert(&admin, target, &options).await.unwrap();
    assert_eq!(reverted.conflicts[0].change, made);
    assert!(reverted.conflicts[0].what.contains("holds values"));
}

#[tokio::test]
async fn one_request_id_of_several_users_says_not_whose_changes_are_meant() {
    let shop = shop().await;
    let asking = |user: &str| {
        let claims = Claims {
            user: Some(user.to_owned()),
            ..shop.admin.claims().clone()
        };
        established(claims).attributed(Attribution {
            request_id: Some("r-1".to_owned()),
            ..Attribution::default()
        })
    };
    let other = "66666666-6666-4666-8666-666666666666";
    shop.create_as(&asking(USER), "makers", json!({"name": "Acme"}))
        .await;
    shop.create_as(&asking(other), "makers", json!({"name": "Bolt"}))
        .await;
    let back = async |more: &dyn Fn(&mut ChangeFilter)| {
        let mut filter = ChangeFilter {
            request: Some("r-1".to_owned()),
            ..ChangeFilter::default()
        };
        more(&mut filter);
        let target = RevertTarget::Matching(Box::new(filter));
        let options = RevertOptions::default();
        shop.engine.revert(&shop.admin, target, &options).await
    };
    assert_eq!(refused(back(&|_| ()).await), ["INVALID_PAYLOAD request"]);
    assert_eq!(shop.rows("makers").await.len(), 2);
    let all = back(&|filter| filter.everybody = true).await.unwrap();
    assert_eq!(all.changed["makers"].deleted, 2);
    shop.create_as(&asking(USER), "makers", json!({"name": "Acme"}))
        .await;
    shop.create_as(&asking(other), "makers", json!({"name": "Bolt"}))
        .await;
    let skip = RevertOptions {
        conflicts: Conflicts::Skip,
        ..RevertOptions::default()
    };
    let filter = ChangeFilter {
        request: Some("r-1".to_owned()),
        user: Some(other.to_owned()),
        ..ChangeFilter::default()
    };
    let target = RevertTarget::Matching(Box::new(filter));
    shop.engine.revert(&shop.admin, target, &skip).await.unwrap();
    let left = shop.rows("makers").await;
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("Acme")));
}
