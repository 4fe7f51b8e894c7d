//! What a change says of what it changed.

use loggia_access::{Attribution, Origin, TokenFacts, TokenMode};
use loggia_engine::items::{Selection, Target, WriteOptions};
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::{administrator_with, refused};

#[tokio::test]
async fn one_request_is_one_change_with_all_that_it_wrote() {
    let shop = shop().await;
    let caller = administrator_with(|claims| {
        claims.origin = Origin::Mcp;
        claims.ip = Some("192.0.2.7".parse().unwrap());
        claims.user_agent = Some("a browser".to_owned());
    });
    let said = Attribution {
        request_id: Some("r-1".to_owned()),
        client_name: Some("helper".to_owned()),
        client_version: Some("2".to_owned()),
        tool: Some("items".to_owned()),
        title: Some("New catalogue".to_owned()),
        ..Attribution::default()
    };
    let caller = caller.attributed(said);
    let row = json!({"name": "Acme", "products": [{"name": "Anvil", "parts": [{"name": "Horn"}]}]});
    let written = shop.create_as(&caller, "makers", row).await;
    let change = shop.last().await;
    assert_eq!(written.change.as_deref(), change["id"].as_str());
    assert_eq!(
        caller.attribution().change.get().map(String::as_str),
        change["id"].as_str()
    );
    let expect = json!({"origin": "mcp", "client_name": "helper", "client_version": "2", "tool": "items",
        "request_id": "r-1", "ip": "192.0.2.7", "user_agent": "a browser", "title": "New catalogue",
        "user": "11111111-1111-4111-8111-111111111111", "role": null, "token": null, "rows": 3,
        "reverts": null, "reversible": true, "timestamp": "2026-11-21T12:00:00.000Z"});
    for (name, value) in expect.as_object().unwrap() {
        assert_eq!(&change[name], value, "{name}");
    }
    let one = json!({"created": 1, "updated": 0, "deleted": 0});
    assert_eq!(
        change["counts"],
        json!({"makers": one, "products": one, "parts": one})
    );
    let revisions = shop.revisions_of(change["id"].as_str().unwrap()).await;
    let told: Vec<_> = revisions
        .iter()
        .map(|row| {
            (
                row["collection"].as_str().unwrap(),
                row["action"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("makers", "create"), ("products", "create"), ("parts", "create")]
    );
    let activity = shop.rows("directus_activity").await;
    let of_change = activity.iter().filter(|row| row["change"] == change["id"]);
    let told: Vec<_> = of_change
        .map(|row| (row["action"].clone(), row["item"].clone(), row["ip"].clone()))
        .collect();
    assert_eq!(told, vec![(json!("create"), json!("1"), json!("192.0.2.7")); 3]);
}

#[tokio::test]
async fn a_row_has_one_entry_however_often_one_request_writes_it() {
    let shop = shop().await;
    shop.create("makers", json!({"name": "Acme"})).await;
    // The product is made, and then pointed to the maker.
    let written = shop
        .update(
            "makers",
            json!([1]),
            json!({"products": {"create": [{"name": "Anvil"}], "update": [], "delete": []}}),
        )
        .await;
    let revisions = shop.revisions_of(&written.change.unwrap()).await;
    assert_eq!(revisions.len(), 1);
    assert_eq!(revisions[0]["action"], "create");
    assert_eq!(revisions[0]["data"]["maker"], 1);
    assert_eq!(revisions[0]["before"], Value::Null);
}

#[tokio::test]
async fn updates_keep_what_changed_and_nothing_else_counts() {
    let shop = shop().await;
    shop.create("products", json!({"name": "Anvil", "big": 1})).await;
    let written = shop
        .update("products", json!([1]), json!({"name": "Anvil", "big": 2}))
        .await;
    let revisions = shop.revisions_of(written.change.as_deref().unwrap()).await;
    assert_eq!(revisions[0]["before"], json!({"big": 1}));
    assert_eq!(revisions[0]["delta"], json!({"big": 2}));
    assert_eq!(revisions[0]["data"]["name"], "Anvil");
    assert_eq!(revisions[0]["number"], 2);
    let first = &shop.rows("directus_revisions").await;
    let first = first.iter().find(|row| row["collection"] == "products").unwrap();
    assert_eq!(revisions[0]["parent"], first["id"]);
    // What is as it was is no change.
    let before = shop.rows("loggia_changes").await.len();
    let written = shop.update("products", json!([1]), json!({"big": 2})).await;
    assert_eq!(written.change, None);
    assert_eq!(shop.rows("loggia_changes").await.len(), before);
}

#[tokio::test]
async fn what_the_database_changes_on_its_own_is_recorded_and_counted() {
    let shop = shop().await;
    shop.create("makers", json!({"name": "Acme", "products": [{"name": "Anvil", "parts": [{"name": "Horn"}, {"name": "Foot"}]}]})).await;
    shop.create("products", json!({"name": "Old", "successor": 1}))
        .await;
    let written = shop.delete("makers", json!([1])).await;
    let change = shop.last().await;
    assert_eq!(
        change["counts"],
        json!({
            "makers": {"created": 0, "updated": 0, "deleted": 1},
            "products": {"created": 0, "updated": 1, "deleted": 1},
            "parts": {"created": 0, "updated": 0, "deleted": 2},
        })
    );
    let changed = &written.receipt.changed;
    assert_eq!((changed["makers"].deleted, changed["parts"].deleted), (1, 2));
    assert_eq!((changed["products"].updated, changed["products"].deleted), (1, 1));
    let revisions = shop.revisions_of(change["id"].as_str().unwrap()).await;
    let old = revisions
        .iter()
        .find(|row| row["collection"] == "products" && row["item"] == "2")
        .unwrap();
    assert_eq!(
        (&old["before"], &old["delta"]),
        (&json!({"successor": 1}), &json!({"successor": null}))
    );
    let horn = revisions
        .iter()
        .find(|row| row["collection"] == "parts" && row["item"] == "1")
        .unwrap();
    assert_eq!(horn["before"], json!({"id": 1, "name": "Horn", "product": 1}));
}

#[tokio::test]
async fn secrets_are_never_kept() {
    let shop = shop().await;
    let made = shop
        .create("products", json!({"name": "Safe", "code": "first-secret"}))
        .await;
    let changed = shop
        .update("products", json!([1]), json!({"code": "second-secret"}))
        .await;
    let gone = shop.delete("products", json!([1])).await;
    for (written, before, delta) in [
        (&made, Value::Null, json!("**********")),
        (&changed, json!("**********"), json!("**********")),
        (&gone, json!("**********"), Value::Null),
    ] {
        let revisions = shop.revisions_of(written.change.as_deref().unwrap()).await;
        assert_eq!(revisions.len(), 1);
        assert_eq!(revisions[0]["secrets"], json!(["code"]));
        assert_eq!(
            revisions[0]["before"].get("code").unwrap_or(&Value::Null),
            &before
        );
        assert_eq!(revisions[0]["delta"].get("code").unwrap_or(&Value::Null), &delta);
        assert!(!serde_json::to_string(&revisions).unwrap().contains("-secret"));
    }
}

#[tokio::test]
async fn collections_say_how_much_is_kept_of_their_changes() {
    let shop = shop().await;
    for (wanted, activity, revisions) in [
        (json!("activity"), 1, 0),
        (Value::Null, 0, 0),
        (json!("all"), 1, 1),
    ] {
        let body = json!({"meta": {"accountability": wanted}});
        shop.engine
            .update_collection(&shop.admin, "makers", body)
            .await
            .unwrap();
        let written = shop.create("makers", json!({"name": format!("{wanted}")})).await;
        let change = shop.last().await;
        assert_eq!(written.change.as_deref(), change["id"].as_str());
        assert_eq!(change["rows"], 1);
        assert_eq!(change["reversible"], json!(revisions == 1), "{wanted}");
        let kept =
            |rows: Vec<loggia_model::Record>| rows.iter().filter(|row| row["change"] == change["id"]).count();
        assert_eq!(kept(shop.rows("directus_activity").await), activity, "{wanted}");
        assert_eq!(kept(shop.rows("directus_revisions").await), revisions, "{wanted}");
    }
}

#[tokio::test]
async fn definitions_are_recorded_whole_with_what_goes_with_them() {
    let shop = shop().await;
    shop.create(
        "products",
        json!([{"name": "Anvil", "big": 7}, {"name": "Hammer"}]),
    )
    .await;
    shop.engine
        .delete_field(&shop.admin, "products", "big")
        .await
        .unwrap();
    let change = shop.last().await;
    let revisions = shop.revisions_of(change["id"].as_str().unwrap()).await;
    let told: Vec<_> = revisions
        .iter()
        .map(|row| {
            (
                row["collection"].as_str().unwrap(),
                row["item"].as_str().unwrap(),
                row["action"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("products", "1", "update"),
            ("directus_fields", "products.big", "delete")
        ]
    );
    assert_eq!(revisions[0]["before"], json!({"big": 7}));
    assert_eq!(revisions[1]["before"]["type"], "bigInteger");
    shop.engine.delete_collection(&shop.admin, "parts").await.unwrap();
    let change = shop.last().await;
    assert_eq!(change["counts"]["directus_collections"]["deleted"], 1);
    assert_eq!(change["counts"]["directus_relations"]["deleted"], 1);
}

fn with_budget(most: u64) -> loggia_access::Caller {
    administrator_with(|claims| {
        claims.token = Some(TokenFacts {
            id: "22222222-2222-4222-8222-222222222222".to_owned(),
            name: "importer".to_owned(),
            mode: TokenMode::Direct,
            changed_rows_per_hour: Some(most),
        });
    })
}

async fn products(shop: &Shop, caller: &loggia_access::Caller, count: usize) -> Result<usize, Vec<String>> {
    let rows = (0..count)
        .map(|i| record(json!({"name": format!("{i}")})))
        .collect();
    let written = shop
        .engine
        .create_items(caller, "products", rows, &WriteOptions::default())
        .await;
    written.map(|written| written.keys.len()).map_err(|error| {
        let problems = error.problems();
        problems
            .0
            .iter()
            .map(|problem| {
                format!(
                    "{} {}",
                    problem.code.name,
                    problem.hint.clone().unwrap_or_default()
                )
            })
            .collect()
    })
}

#[tokio::test]
async fn a_token_changes_no_more_rows_in_an_hour_than_it_may() {
    let shop = shop().await;
    let caller = with_budget(5);
    assert_eq!(products(&shop, &caller, 3).await, Ok(3));
    shop.engine
        .parts()
        .clock
        .advance(jiff::SignedDuration::from_mins(10));
    let spent = products(&shop, &caller, 3).await.unwrap_err();
    assert_eq!(
        spent,
        ["REQUESTS_EXCEEDED Nothing was changed. Enough is free again at 2026-11-21T13:00:00.000Z."]
    );
    let never = products(&shop, &caller, 6).await.unwrap_err();
    assert_eq!(
        never,
        ["REQUESTS_EXCEEDED Nothing was changed. Change at most 5 rows at once."]
    );
    assert_eq!(shop.rows("products").await.len(), 3);
    assert_eq!(products(&shop, &caller, 2).await, Ok(2));
    shop.engine
        .parts()
        .clock
        .advance(jiff::SignedDuration::from_mins(50));
    assert_eq!(products(&shop, &caller, 3).await, Ok(3));
}

#[tokio::test]
async fn what_fails_leaves_no_record_and_what_cannot_be_recorded_is_not_done() {
    let shop = shop().await;
    shop.create("makers", json!({"name": "Acme"})).await;
    let before = shop.rows("loggia_changes").await;
    let rows = vec![record(json!({"name": "New"})), record(json!({"name": "Acme"}))];
    let failed = shop
        .engine
        .create_items(&shop.admin, "makers", rows, &WriteOptions::default())
        .await;
    assert_eq!(refused(failed), ["RECORD_NOT_UNIQUE [1].name"]);
    assert_eq!(shop.rows("loggia_changes").await, before);
    // Somebody took the table of revisions away: no record, no write.
    let step = loggia_model::plan::SchemaStep::DropColumn {
        table: "directus_revisions".to_owned(),
        column: "before".to_owned(),
    };
    crate::fixture::change_tables(&shop.engine, vec![step]).await;
    let data = record(json!({"name": "Other"}));
    let target = Target::Keys {
        keys: vec![json!(1)],
        data,
    };
    let failed = shop
        .engine
        .update_items(&shop.admin, "makers", target, &WriteOptions::default())
        .await;
    assert!(failed.is_err());
    let failed = shop
        .engine
        .delete_items(
            &shop.admin,
            "makers",
            Selection::Keys(vec![json!(1)]),
            &WriteOptions::default(),
        )
        .await;
    assert!(failed.is_err());
    let names: Vec<_> = shop
        .rows("makers")
        .await
        .into_iter()
        .map(|mut row| row["name"].take())
        .collect();
    assert_eq!(names, ["Acme"]);
    assert_eq!(shop.rows("loggia_changes").await, before);
}
