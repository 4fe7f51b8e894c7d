//! Whatever is done to the record by others shows.

use loggia_journal::{Verdict, verify};
use loggia_model::{Scalar, StorageKind};
use serde_json::{Value, json};

use super::{Shop, shop};

async fn verdict(shop: &Shop) -> Verdict {
    verify(&shop.engine.parts().store, None).await.unwrap()
}

/// A chain with a creation, an update and a deletion; the shop's own definitions come before.
async fn filled() -> Shop {
    let shop = shop().await;
    let facts = json!({"a": [1.50, "x\u{1F600}", null], "b": {"c": 1e300}});
    let row = json!({"name": "Anvil", "big": "9223372036854775807", "price": "0.12345678901234567890",
        "weight": 1.1e-7, "photo": "AAEC/w==", "facts": facts, "labels": ["a,b", "\"c\""], "code": "secret"});
    shop.create("products", row).await;
    shop.update("products", json!([1]), json!({"name": "Hammer", "facts": null}))
        .await;
    shop.delete("products", json!([1])).await;
    shop
}

#[tokio::test]
async fn a_chain_that_nobody_touched_is_intact() {
    let shop = filled().await;
    let verdict = verdict(&shop).await;
    assert_eq!(verdict.broken, None);
    let last = shop.last().await;
    assert_eq!(verdict.changes, last["number"].as_u64().unwrap());
    let head = (
        last["number"].as_i64().unwrap(),
        last["hash"].as_str().unwrap().to_owned(),
    );
    assert_eq!(verdict.head, Some(head.clone()));
    let store = &shop.engine.parts().store;
    assert_eq!(verify(store, Some(&head.1)).await.unwrap().broken, None);
    shop.create("makers", json!({"name": "Acme"})).await;
    assert_eq!(verify(store, Some(&head.1)).await.unwrap().broken, None);
    let other = verify(store, Some(&"0".repeat(64))).await.unwrap();
    assert!(other.broken.unwrap().what.contains("expected hash"));
}

/// A value that the column does not hold.
fn other(kind: StorageKind, value: &Value) -> Scalar {
    match value {
        Value::Null if kind == StorageKind::Uuid => Scalar::from("99999999-9999-4999-8999-999999999999"),
        Value::Null if kind == StorageKind::Integer => Scalar::Int(1_000),
        Value::Null | Value::Object(_) | Value::Array(_) => Scalar::from("{\"forged\":true}"),
        Value::Bool(truth) => Scalar::Bool(!truth),
        Value::Number(number) => Scalar::Int(number.as_i64().unwrap() + 1_000),
        Value::String(text) if text.len() == 24 && text.ends_with('Z') => {
            Scalar::from("2020-01-01T00:00:00.000Z")
        }
        Value::String(text) if text.len() == 36 => Scalar::from("99999999-9999-4999-8999-999999999999"),
        // No longer than it was: it may fill its column.
        Value::String(text) => {
            let mut text = text.clone();
            let last = text.pop();
            text.push(if last == Some('x') { 'y' } else { 'x' });
            Scalar::Text(text)
        }
    }
}

#[tokio::test]
async fn a_changed_value_in_any_column_shows() {
    let shop = filled().await;
    let changes = shop.changes().await;
    let middle = &changes[changes.len() - 2];
    let first = |rows: Vec<loggia_model::Record>| {
        rows.into_iter()
            .find(|row| row["change"] == middle["id"])
            .unwrap()
    };
    let activity = first(shop.rows("directus_activity").await);
    let revision = first(shop.rows("directus_revisions").await);
    let mut looked_at = 0;
    for (table, row) in [
        ("loggia_changes", middle),
        ("directus_activity", &activity),
        ("directus_revisions", &revision),
    ] {
        for (column, value) in row {
            let forged = other(kind_of(&shop, table, column), value);
            let was = stored(&shop, table, column, value);
            let key = if column == "id" {
                printed(&shop, table, &forged)
            } else {
                row["id"].clone()
            };
            if (table, column.as_str()) == ("directus_activity", "id")
                || (table, column.as_str()) == ("directus_revisions", "activity")
                || (table, column.as_str()) == ("directus_revisions", "id")
            {
                // Foreign keys hold these.
                continue;
            }
            let forged = if column == "parent" { Scalar::Null } else { forged };
            let number = |broken: Option<loggia_journal::Broken>| broken.map(|broken| broken.number);
            shop.tamper(table, &row["id"], column, forged).await;
            let found = verdict(&shop).await.broken;
            assert!(found.is_some(), "{table}.{column} can be changed unnoticed");
            let at = number(found).unwrap();
            assert!(
                (at - middle["number"].as_i64().unwrap()).abs() <= 1,
                "{table}.{column}: {at}"
            );
            shop.tamper(table, &key, column, was).await;
            assert_eq!(verdict(&shop).await.broken, None, "{table}.{column}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 35, "{looked_at}");
}

fn kind_of(shop: &Shop, table: &str, column: &str) -> StorageKind {
    let schema = shop.engine.schema();
    let field = schema.collection(table).unwrap().field(column).unwrap();
    field.column.as_ref().unwrap().kind
}

fn stored(shop: &Shop, table: &str, column: &str, value: &Value) -> Scalar {
    let schema = shop.engine.schema();
    let field = schema.collection(table).unwrap().field(column).unwrap().clone();
    if value.is_null() {
        return Scalar::Null;
    }
    field.ty.parse(value, field.column.as_ref().unwrap()).unwrap()
}

fn printed(shop: &Shop, table: &str, value: &Scalar) -> Value {
    let schema = shop.engine.schema();
    schema
        .collection(table)
        .unwrap()
        .field("id")
        .unwrap()
        .ty
        .print(value.clone())
}

#[tokio::test]
async fn what_is_missing_added_or_put_elsewhere_shows() {
    let shop = filled().await;
    let changes = shop.changes().await;
    let count = changes.len();
    let middle = &changes[count - 2];
    let number = middle["number"].as_i64().unwrap();
    let intact = verdict(&shop).await;
    assert_eq!(intact.broken, None);
    // Somebody adds an entry to a change.
    let forged = json!({"action": "update", "collection": "makers", "item": "1", "change": middle["id"], "timestamp": "2026-11-21T12:00:00.000Z"});
    crate::fixture::insert(&shop.engine, "directus_activity", std::slice::from_ref(&forged)).await;
    let broken = verdict(&shop).await.broken.unwrap();
    assert_eq!(broken.number, number);
    let rows = shop.rows("directus_activity").await;
    shop.remove("directus_activity", &rows.last().unwrap()["id"])
        .await;
    assert_eq!(verdict(&shop).await.broken, None);
    // Two changes trade places.
    let next = &changes[count - 1];
    let other = next["number"].as_i64().unwrap();
    shop.tamper("loggia_changes", &middle["id"], "number", Scalar::Int(-1))
        .await;
    shop.tamper("loggia_changes", &next["id"], "number", Scalar::Int(number))
        .await;
    shop.tamper("loggia_changes", &middle["id"], "number", Scalar::Int(other))
        .await;
    assert_eq!(verdict(&shop).await.broken.unwrap().number, number);
    shop.tamper("loggia_changes", &next["id"], "number", Scalar::Int(-1))
        .await;
    shop.tamper("loggia_changes", &middle["id"], "number", Scalar::Int(number))
        .await;
    shop.tamper("loggia_changes", &next["id"], "number", Scalar::Int(other))
        .await;
    assert_eq!(verdict(&shop).await.broken, None);
    // An entry is gone.
    let entry = shop.rows("directus_activity").await;
    let entry = entry.iter().find(|row| row["change"] == next["id"]).unwrap();
    shop.remove("directus_activity", &entry["id"]).await;
    assert_eq!(verdict(&shop).await.broken.unwrap().number, other);
    // The last is cut off without a trace: only who noted its hash can tell.
    shop.remove("loggia_changes", &next["id"]).await;
    assert_eq!(verdict(&shop).await.broken, None);
    let store = &shop.engine.parts().store;
    let expected = verify(store, next["hash"].as_str()).await.unwrap();
    assert!(expected.broken.unwrap().what.contains("expected hash"));
    // One more is cut off, and its entries stay behind.
    shop.remove("loggia_changes", &middle["id"]).await;
    assert!(verdict(&shop).await.broken.unwrap().what.contains("missing"));
}

/// A row of activity, or a revision, as somebody with the file would add it; its key.
async fn added(shop: &Shop, table: &str, row: Value) -> Value {
    let before = shop.rows(table).await;
    crate::fixture::insert(&shop.engine, table, &[row]).await;
    let rows = shop.rows(table).await;
    let new = rows
        .iter()
        .find(|row| before.iter().all(|known| known["id"] != row["id"]));
    new.unwrap()["id"].clone()
}

#[tokio::test]
async fn rows_that_are_part_of_no_change_show() {
    let shop = filled().await;
    let entry = shop.rows("directus_activity").await.remove(0);
    let activity = |more: Value| {
        let mut row = json!({"action": "delete", "collection": "articles", "item": "3", "timestamp": "2020-01-01T00:00:00.000Z"});
        row.as_object_mut().unwrap().extend(super::record(more));
        ("directus_activity", row)
    };
    let revision = |more: Value| {
        let mut row = json!({"collection": "articles", "item": "3", "activity": entry["id"]});
        row.as_object_mut().unwrap().extend(super::record(more));
        ("directus_revisions", row)
    };
    let nowhere = "99999999-9999-4999-8999-999999999999";
    for (table, row) in [
        activity(json!({})),
        activity(json!({"action": "create"})),
        activity(json!({"action": "comment"})),
        // What happens to accounts happens to users.
        activity(json!({"action": "login"})),
        // Below the first of the chain no key was ever given.
        activity(json!({"id": 0})),
        activity(json!({"id": -7})),
        activity(json!({"id": -7, "change": nowhere})),
        revision(json!({})),
        revision(json!({"action": "update", "number": 1})),
        revision(json!({"id": -7, "change": nowhere})),
    ] {
        let id = added(&shop, table, row.clone()).await;
        let broken = verdict(&shop).await.broken;
        let what = broken.unwrap_or_else(|| panic!("{table} {row} is not seen")).what;
        assert!(what.contains(&format!("row {id} of {table}")), "{what}");
        assert!(what.contains("of articles 3"), "{what}");
        shop.remove(table, &id).await;
        assert_eq!(verdict(&shop).await.broken, None);
    }
    // Who came is nobody's change.
    for action in [
        "login",
        "login_failed",
        "logout",
        "refresh_reused",
        "tfa_enable",
        "password_reset",
    ] {
        let row = json!({"action": action, "collection": "directus_users", "item": "", "timestamp": "2026-11-21T12:00:00.000Z"});
        added(&shop, "directus_activity", row).await;
    }
    assert_eq!(verdict(&shop).await.broken, None);
}

#[tokio::test]
async fn what_is_older_than_the_record_is_no_stray() {
    let shop = super::Shop {
        engine: crate::fixture::engine().await,
        admin: crate::fixture::administrator(),
    };
    assert!(shop.rows("directus_activity").await.is_empty());
    let row = |item: &str| json!({"action": "create", "collection": "articles", "item": item, "timestamp": "2020-01-01T00:00:00.000Z"});
    let old = added(&shop, "directus_activity", row("1")).await;
    let revision = |activity: &Value| json!({"activity": activity, "collection": "articles", "item": "1"});
    let of_old = added(&shop, "directus_revisions", revision(&old)).await;
    assert_eq!(verdict(&shop).await.broken, None);
    let policy = json!({"name": "All"});
    shop.create("directus_policies", policy).await;
    assert_eq!(verdict(&shop).await.broken, None);
    let chained = shop.rows("directus_activity").await;
    let chained = chained.iter().find(|row| !row["change"].is_null()).unwrap();
    assert!(chained["id"].as_i64() > old.as_i64());
    let forged = added(&shop, "directus_activity", row("2")).await;
    let what = verdict(&shop).await.broken.unwrap().what;
    assert!(
        what.contains(&format!("row {forged} of directus_activity")),
        "{what}"
    );
    shop.remove("directus_activity", &forged).await;
    // An old key, but of what happened since.
    shop.remove("directus_revisions", &of_old).await;
    let mut forged = revision(&chained["id"]);
    forged["id"] = of_old;
    added(&shop, "directus_revisions", forged).await;
    let what = verdict(&shop).await.broken.unwrap().what;
    assert!(what.contains("of directus_revisions"), "{what}");
}

#[tokio::test]
async fn a_missing_change_is_named() {
    let shop = filled().await;
    let changes = shop.changes().await;
    shop.remove("loggia_changes", &changes[1]["id"]).await;
    let broken = verdict(&shop).await.broken.unwrap();
    assert_eq!((broken.number, broken.what.as_str()), (2, "change 2 is missing"));
    shop.remove("loggia_changes", &changes[0]["id"]).await;
    let broken = verdict(&shop).await.broken.unwrap();
    assert_eq!(
        (broken.number, broken.what.as_str()),
        (1, "changes 1 to 2 are missing")
    );
}
