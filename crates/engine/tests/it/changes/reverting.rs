//! Taking changes back.

use loggia_access::{TokenFacts, TokenMode};
use loggia_engine::Error;
use loggia_engine::changes::{ChangeFilter, Conflicts, RevertOptions, RevertTarget, Reverted};
use loggia_engine::items::{Deletes, WriteOptions};
use loggia_journal::verify;
use loggia_model::{Generator, Record};
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::{administrator_with, nobody, refused};

const TABLES: [&str; 3] = ["makers", "products", "parts"];

impl Shop {
    async fn everything(&self) -> Vec<Vec<Record>> {
        let mut tables = Vec::new();
        for name in TABLES {
            tables.push(self.rows(name).await);
        }
        tables
    }

    async fn revert_with(&self, ids: Vec<String>, conflicts: Conflicts) -> Result<Reverted, Error> {
        let options = RevertOptions {
            conflicts,
            ..RevertOptions::default()
        };
        self.engine
            .revert(&self.admin, RevertTarget::Changes(ids), &options)
            .await
    }

    async fn revert(&self, ids: &[&str]) -> Reverted {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.revert_with(ids, Conflicts::Refuse).await.unwrap()
    }

    async fn intact(&self) {
        let verdict = verify(&self.engine.parts().store, None).await.unwrap();
        assert_eq!(verdict.broken, None);
    }
}

fn filled_row() -> Value {
    json!({"name": "Anvil", "big": "9223372036854775807", "price": "12345678.12345678901234567890",
        "weight": 1.1e-7, "photo": "AAEC/w==", "facts": {"a": [1.50, "x\u{1F600}", null]},
        "labels": ["a,b", "\"c\""], "maker": {"name": "Acme"}, "parts": [{"name": "Horn"}]})
}

#[tokio::test]
async fn what_was_deleted_is_as_it_was_to_the_last_digit() {
    let shop = shop().await;
    shop.create("products", filled_row()).await;
    shop.create("products", json!({"name": "Old", "successor": 1}))
        .await;
    let before = shop.everything().await;
    let gone = shop.delete("makers", json!([1])).await.change.unwrap();
    assert_ne!(shop.everything().await, before);
    let reverted = shop.revert(&[&gone]).await;
    assert_eq!(shop.everything().await, before);
    assert_eq!(reverted.changed["products"].created, 1);
    assert_eq!(reverted.changed["products"].updated, 1);
    let change = shop.last().await;
    assert_eq!(change["id"].as_str(), reverted.change.as_deref());
    assert_eq!(change["reverts"], json!(gone));
    assert!(change["title"].as_str().unwrap().starts_with("Takes back change"));
    // And taken back itself.
    let again = reverted.change.unwrap();
    shop.revert(&[&again]).await;
    assert!(shop.rows("products").await.iter().all(|row| row["name"] == "Old"));
    shop.intact().await;
}

#[tokio::test]
async fn updates_and_creations_are_taken_back() {
    let shop = shop().await;
    let made = shop.create("products", filled_row()).await.change.unwrap();
    let before = shop.everything().await;
    let changed = shop
        .update(
            "products",
            json!([1]),
            json!({"name": "Hammer", "facts": null, "big": 1, "maker": {"name": "Bolt"}}),
        )
        .await;
    shop.revert(&[&changed.change.unwrap()]).await;
    assert_eq!(shop.everything().await, before);
    shop.revert(&[&made]).await;
    assert!(shop.everything().await.iter().all(Vec::is_empty));
    shop.intact().await;
}

#[tokio::test]
async fn whatever_was_written_is_all_taken_back() {
    for seed in 0..12 {
        let shop = shop().await;
        shop.create("makers", json!([{"name": "m1"}, {"name": "m2"}]))
            .await;
        shop.create(
            "products",
            json!([{"name": "p1", "maker": 1}, {"name": "p2", "maker": 2}, {"name": "p3"}]),
        )
        .await;
        shop.create(
            "parts",
            json!([{"name": "a", "product": 1}, {"name": "b", "product": 2}]),
        )
        .await;
        shop.update("products", json!([2]), json!({"successor": 1})).await;
        let start = shop.everything().await;
        let generator = Generator::seeded(seed);
        let mut changes = Vec::new();
        for _ in 0..12 {
            changes.extend(random_write(&shop, &generator).await);
        }
        let ids: Vec<_> = changes.iter().map(String::as_str).collect();
        if !ids.is_empty() {
            shop.revert(&ids).await;
        }
        assert_eq!(shop.everything().await, start, "seed {seed}");
        shop.intact().await;
    }
}

/// One write of any kind; `None`: it was refused, or changed nothing.
async fn random_write(shop: &Shop, generator: &Generator) -> Option<String> {
    let [kind, table, which, other] = generator.bytes::<4>();
    let table = TABLES[usize::from(table) % TABLES.len()];
    let rows = shop.rows(table).await;
    let key = |rows: &[Record], n: u8| {
        rows.get(usize::from(n) % rows.len().max(1))
            .map_or(json!(null), |row| row["id"].clone())
    };
    let target = match table {
        "products" => key(&shop.rows("makers").await, other),
        _ => key(&shop.rows("products").await, other),
    };
    let name = format!("n{}", other % 4);
    let mut data = match table {
        "makers" => json!({"name": name}),
        "products" => json!({"name": name, "maker": target, "big": "9007199254740993", "price": "0.10"}),
        _ => json!({"name": name, "product": target}),
    };
    if table == "products" && which % 3 == 0 {
        data["successor"] = key(&rows, other);
        data["parts"] = json!([{"name": "nested"}]);
    }
    let options = WriteOptions::default();
    let written = match (kind % 4, key(&rows, which)) {
        (0 | 1, _) | (_, Value::Null) => {
            shop.engine
                .create_items(&shop.admin, table, vec![record(data)], &options)
                .await
        }
        (2, key) => {
            let target = loggia_engine::items::Target::Keys {
                keys: vec![key],
                data: record(data),
            };
            shop.engine
                .update_items(&shop.admin, table, target, &options)
                .await
        }
        (_, key) => {
            let keys = loggia_engine::items::Selection::Keys(vec![key]);
            shop.engine.delete_items(&shop.admin, table, keys, &options).await
        }
    };
    written.ok()?.change
}

#[tokio::test]
async fn what_happened_since_is_in_conflict_all_at_once() {
    let shop = shop().await;
    shop.create(
        "products",
        json!([{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]),
    )
    .await;
    let change = shop
        .update("products", json!([1, 2, 3, 4]), json!({"name": "x", "big": 1}))
        .await
        .change
        .unwrap();
    shop.update("products", json!([2]), json!({"name": "y"})).await;
    shop.delete("products", json!([3])).await;
    // Another field does not matter.
    shop.update("products", json!([4]), json!({"weight": 2})).await;
    let before = shop.everything().await;
    let ids = vec![change.clone()];
    let error = shop
        .revert_with(ids.clone(), Conflicts::Refuse)
        .await
        .unwrap_err();
    let told: Vec<_> = error
        .problems()
        .0
        .iter()
        .map(|problem| {
            (
                problem.code.name,
                problem.extensions["item"].clone(),
                problem.extensions["fields"].clone(),
                problem.extensions["now"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("ITEM_CHANGED", json!("3"), json!([]), Value::Null),
            ("ITEM_CHANGED", json!("2"), json!(["name"]), json!({"name": "y"})),
        ]
    );
    assert_eq!(shop.everything().await, before);
    let skipped = shop.revert_with(ids.clone(), Conflicts::Skip).await.unwrap();
    assert_eq!(skipped.conflicts.len(), 2);
    let names = |rows: Vec<Record>| {
        rows.into_iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(shop.rows("products").await), ["a", "y", "d"]);
    shop.revert(&[&skipped.change.unwrap()]).await;
    shop.revert_with(ids, Conflicts::Force).await.unwrap();
    assert_eq!(names(shop.rows("products").await), ["a", "b", "d"]);
    shop.intact().await;
}

#[tokio::test]
async fn what_others_point_to_by_now_is_not_taken_away_under_them() {
    let shop = shop().await;
    let made = shop
        .create("makers", json!({"name": "Acme"}))
        .await
        .change
        .unwrap();
    shop.create("products", json!({"name": "Anvil", "maker": 1}))
        .await;
    let failed = shop.revert_with(vec![made.clone()], Conflicts::Refuse).await;
    assert_eq!(refused(failed), ["ITEM_CHANGED "]);
    let skipped = shop
        .revert_with(vec![made.clone()], Conflicts::Skip)
        .await
        .unwrap();
    assert_eq!((skipped.change, skipped.conflicts.len()), (None, 1));
    shop.revert_with(vec![made], Conflicts::Force).await.unwrap();
    assert!(shop.everything().await.iter().all(Vec::is_empty));
    // The product that went with it is on record, and comes back.
    let last = shop.last().await;
    shop.revert(&[last["id"].as_str().unwrap()]).await;
    assert_eq!(shop.rows("products").await.len(), 1);
    shop.intact().await;
}

#[tokio::test]
async fn unique_values_can_change_hands() {
    let shop = shop().await;
    shop.create("makers", json!([{"name": "a"}, {"name": "b"}])).await;
    let before = shop.everything().await;
    let mut changes = Vec::new();
    for (key, name) in [(1, "c"), (2, "a"), (1, "b")] {
        changes.push(
            shop.update("makers", json!([key]), json!({"name": name}))
                .await
                .change
                .unwrap(),
        );
    }
    changes.push(shop.delete("makers", json!([1])).await.change.unwrap());
    changes.push(shop.create("makers", json!({"name": "b"})).await.change.unwrap());
    let ids: Vec<_> = changes.iter().map(String::as_str).collect();
    shop.revert(&ids).await;
    assert_eq!(shop.everything().await, before);
}

#[tokio::test]
async fn rings_come_and_go() {
    let shop = shop().await;
    let made = shop
        .create("products", json!([{"name": "a"}, {"name": "b"}]))
        .await
        .change
        .unwrap();
    let ring = [
        shop.update("products", json!([1]), json!({"successor": 2}))
            .await
            .change
            .unwrap(),
        shop.update("products", json!([2]), json!({"successor": 1}))
            .await
            .change
            .unwrap(),
    ];
    let before = shop.everything().await;
    let gone = shop.delete("products", json!([1, 2])).await.change.unwrap();
    shop.revert(&[&gone]).await;
    assert_eq!(shop.everything().await, before);
    shop.revert(&[&ring[0], &made, &ring[1]]).await;
    assert!(shop.rows("products").await.is_empty());
    shop.intact().await;
}

#[tokio::test]
async fn everything_of_a_token_since_a_time_is_taken_back() {
    let shop = shop().await;
    let token = |id: &str| {
        let id = id.to_owned();
        administrator_with(move |claims| {
            claims.token = Some(TokenFacts {
                id,
                name: "t".to_owned(),
                mode: TokenMode::Direct,
                changed_rows_per_hour: None,
            });
        })
    };
    let (one, two) = (
        token("11111111-2222-4333-8444-555555555555"),
        token("21111111-2222-4333-8444-555555555555"),
    );
    shop.create_as(&one, "makers", json!({"name": "early"})).await;
    shop.engine
        .parts()
        .clock
        .advance(jiff::SignedDuration::from_mins(5));
    let since = shop.engine.parts().clock.now();
    shop.create_as(&one, "makers", json!({"name": "late"})).await;
    shop.create_as(&two, "makers", json!({"name": "other"})).await;
    shop.create_as(&one, "products", json!({"name": "later", "maker": 2}))
        .await;
    let target = RevertTarget::Matching(Box::new(ChangeFilter {
        token: Some("11111111-2222-4333-8444-555555555555".to_owned()),
        since: Some(since),
        ..ChangeFilter::default()
    }));
    let reverted = shop
        .engine
        .revert(&shop.admin, target, &RevertOptions::default())
        .await
        .unwrap();
    assert_eq!(reverted.reverted.len(), 2);
    assert_eq!(shop.last().await["reverts"], Value::Null);
    let names: Vec<_> = shop
        .rows("makers")
        .await
        .into_iter()
        .map(|mut row| row["name"].take())
        .collect();
    assert_eq!(names, ["early", "other"]);
    assert!(shop.rows("products").await.is_empty());
}

#[tokio::test]
async fn everything_of_everybody_is_taken_back_only_when_that_is_said() {
    let shop = shop().await;
    let since = Some(shop.engine.parts().clock.now());
    shop.create("makers", json!({"name": "one"})).await;
    let revert = async |filter: ChangeFilter| {
        let target = RevertTarget::Matching(Box::new(filter));
        let options = RevertOptions::default();
        shop.engine.revert(&shop.admin, target, &options).await
    };
    let check = async |filter: ChangeFilter, path: &str| {
        let error = revert(filter).await.unwrap_err();
        let problem = &error.problems().0[0];
        assert_eq!(
            (problem.code.name, problem.path.as_str()),
            ("INVALID_PAYLOAD", path)
        );
        let hint = problem.hint.clone().unwrap_or_default();
        assert!(hint.contains("token") && hint.contains("user"), "{hint}");
    };
    check(ChangeFilter::default(), "keys").await;
    check(
        ChangeFilter {
            since,
            ..ChangeFilter::default()
        },
        "token",
    )
    .await;
    let everybody = ChangeFilter {
        everybody: true,
        ..ChangeFilter::default()
    };
    check(everybody.clone(), "since").await;
    assert_eq!(shop.rows("makers").await.len(), 1);
    let collection = Some("makers".to_owned());
    let of_makers = ChangeFilter {
        collection,
        ..ChangeFilter::default()
    };
    check(of_makers, "since").await;
    // The schema itself was made since.
    let first = shop.changes().await.len();
    let late = shop.engine.parts().clock.clone();
    late.advance(jiff::SignedDuration::from_mins(1));
    let since = Some(late.now());
    shop.create("makers", json!({"name": "two"})).await;
    revert(ChangeFilter { since, ..everybody }).await.unwrap();
    assert_eq!(shop.rows("makers").await.len(), 1);
    assert_eq!(shop.changes().await.len(), first + 2);
}

#[tokio::test]
async fn secrets_are_not_restored_and_that_is_said() {
    let shop = shop().await;
    shop.create("products", json!({"name": "Safe", "code": "first"}))
        .await;
    let changed = shop
        .update("products", json!([1]), json!({"name": "Box", "code": "second"}))
        .await;
    let reverted = shop.revert(&[&changed.change.unwrap()]).await;
    let told = reverted.not_restored[0].shown();
    assert_eq!(
        (&told["collection"], &told["item"], &told["fields"]),
        (&json!("products"), &json!("1"), &json!(["code"]))
    );
    let row = &shop.rows("products").await[0];
    assert_eq!(
        (&row["name"], &row["code"]),
        (&json!("Safe"), &json!("hashed:second"))
    );
}

#[tokio::test]
async fn a_dry_run_and_refused_deletes_change_nothing() {
    let shop = shop().await;
    let made = shop
        .create("makers", json!({"name": "Acme"}))
        .await
        .change
        .unwrap();
    let before = (shop.everything().await, shop.changes().await);
    let target = || RevertTarget::Changes(vec![made.clone()]);
    let options = RevertOptions {
        dry_run: true,
        ..RevertOptions::default()
    };
    let dry = shop.engine.revert(&shop.admin, target(), &options).await.unwrap();
    assert_eq!((dry.change, dry.changed["makers"].deleted), (None, 1));
    let options = RevertOptions {
        deletes: Deletes::Refused,
        ..RevertOptions::default()
    };
    let failed = shop.engine.revert(&shop.admin, target(), &options).await;
    assert_eq!(refused(failed), ["DELETES_DISABLED "]);
    let failed = shop
        .engine
        .revert(&nobody(), target(), &RevertOptions::default())
        .await;
    assert_eq!(refused(failed), ["FORBIDDEN "]);
    let absent = vec!["00000000-0000-7000-8000-000000000000".to_owned()];
    assert_eq!(
        refused(shop.revert_with(absent, Conflicts::Force).await),
        ["FORBIDDEN "]
    );
    assert_eq!((shop.everything().await, shop.changes().await), before);
}

#[tokio::test]
async fn what_is_not_on_record_is_not_taken_back_and_that_is_said() {
    let shop = shop().await;
    let keep = async |collection: &str, how: Value| {
        let body = json!({"meta": {"accountability": how}});
        shop.engine
            .update_collection(&shop.admin, collection, body)
            .await
            .unwrap();
    };
    shop.create("makers", json!([{"name": "Acme"}, {"name": "Bolt"}]))
        .await;
    keep("products", json!("activity")).await;
    keep("parts", Value::Null).await;
    let products =
        json!([{"name": "Anvil", "maker": 1, "parts": [{"name": "Horn"}]}, {"name": "Nail", "maker": 1}]);
    shop.create("products", products).await;
    let gone = shop.delete("makers", json!([1])).await.change.unwrap();
    // The maker is on record, the products are so by their keys alone, and the part by its number.
    let failed = shop
        .revert_with(vec![gone.clone()], Conflicts::Refuse)
        .await
        .unwrap_err();
    let problem = &failed.problems().0[0];
    assert_eq!(problem.code.name, "UNPROCESSABLE_CONTENT");
    assert_eq!(
        problem.extensions["not_restored"].as_array().map(Vec::len),
        Some(3)
    );
    let dry = RevertOptions {
        dry_run: true,
        ..RevertOptions::default()
    };
    let dry = shop
        .engine
        .revert(&shop.admin, RevertTarget::Changes(vec![gone.clone()]), &dry)
        .await
        .unwrap();
    let forced = shop
        .revert_with(vec![gone.clone()], Conflicts::Force)
        .await
        .unwrap();
    for reverted in [dry, forced] {
        let mut told: Vec<_> = reverted
            .not_restored
            .iter()
            .map(|part| {
                assert_eq!(part.change, gone);
                let item = part.item.clone().unwrap_or_default();
                (part.collection.clone().unwrap_or_default(), item, part.items)
            })
            .collect();
        told.sort_unstable();
        let part = |collection: &str, item: &str| (collection.to_owned(), item.to_owned(), 1);
        assert_eq!(
            told,
            [part("parts", ""), part("products", "1"), part("products", "2")]
        );
        assert_eq!(reverted.changed["makers"].created, 1);
    }
    let names: Vec<_> = shop
        .rows("makers")
        .await
        .into_iter()
        .map(|mut row| row["name"].take())
        .collect();
    assert_eq!(names, ["Acme", "Bolt"]);
    assert!(shop.rows("products").await.is_empty());
    shop.intact().await;
}

/// Definitions without the numbers of their rows of metadata.
fn definitions(shop: &Shop) -> Value {
    let mut all = json!([
        shop.engine.list_collections(&shop.admin).unwrap(),
        shop.engine.list_fields(&shop.admin, None).unwrap(),
        shop.engine.list_relations(&shop.admin, None).unwrap(),
    ]);
    for kind in all.as_array_mut().unwrap() {
        let kind = kind.as_array_mut().unwrap();
        for definition in kind.iter_mut() {
            if let Some(meta) = definition["meta"].as_object_mut() {
                meta.shift_remove("id");
            }
        }
        kind.sort_by_key(|definition| {
            (
                definition["collection"].to_string(),
                definition["field"].to_string(),
            )
        });
    }
    all
}

#[tokio::test]
async fn dropped_collections_and_fields_come_back_with_what_they_held() {
    let shop = shop().await;
    shop.create("products", filled_row()).await;
    let (schema, rows) = (definitions(&shop), shop.everything().await);
    shop.engine
        .delete_field(&shop.admin, "products", "facts")
        .await
        .unwrap();
    let field = shop.last().await["id"].as_str().unwrap().to_owned();
    shop.engine
        .delete_collection(&shop.admin, "makers")
        .await
        .unwrap();
    let makers = shop.last().await["id"].as_str().unwrap().to_owned();
    shop.engine
        .delete_collection(&shop.admin, "products")
        .await
        .unwrap();
    let products = shop.last().await["id"].as_str().unwrap().to_owned();
    assert!(shop.engine.schema().collection("products").is_none());
    shop.revert(&[&products]).await;
    assert!(shop.engine.schema().collection("products").is_some());
    shop.revert(&[&makers, &field]).await;
    assert_eq!(shop.everything().await, rows);
    pretty_assert(&definitions(&shop), &schema);
    shop.intact().await;
}

#[track_caller]
fn pretty_assert(left: &Value, right: &Value) {
    for (l, r) in left.as_array().unwrap().iter().zip(right.as_array().unwrap()) {
        let (l, r) = (l.as_array().unwrap(), r.as_array().unwrap());
        for (l, r) in l.iter().zip(r) {
            assert_eq!(l, r);
        }
        assert_eq!(l.len(), r.len());
    }
}

#[tokio::test]
async fn what_was_made_of_the_schema_is_taken_back() {
    let shop = shop().await;
    let (schema, rows) = (definitions(&shop), shop.everything().await);
    let first = shop.changes().await.len();
    let body = json!({"collection": "shelves", "schema": {}, "meta": {"note": "where"}, "fields": [{"field": "label", "type": "string"}]});
    shop.engine
        .create_collections(&shop.admin, vec![body])
        .await
        .unwrap();
    shop.create("shelves", json!({"label": "left"})).await;
    let relation = json!({"collection": "parts", "field": "shelf", "related_collection": "shelves", "meta": {"one_field": "parts"}});
    shop.engine
        .create_complete_relation(&shop.admin, relation)
        .await
        .unwrap();
    shop.create("parts", json!({"name": "Horn", "shelf": 1})).await;
    shop.engine
        .create_field(&shop.admin, "makers", json!({"field": "town", "type": "string"}))
        .await
        .unwrap();
    shop.create("makers", json!({"name": "Acme", "town": "Ulm"}))
        .await;
    shop.engine
        .update_field(
            &shop.admin,
            "makers",
            "town",
            json!({"type": "text", "meta": {"note": "where from"}}),
        )
        .await
        .unwrap();
    shop.engine
        .update_collection(&shop.admin, "makers", json!({"meta": {"note": "who"}}))
        .await
        .unwrap();
    let made = shop.changes().await[first..]
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    // By itself, the field cannot go: it holds a value.
    let failed = shop.revert_with(vec![made[4].clone()], Conflicts::Refuse).await;
    assert!(!refused(failed).is_empty());
    let options = RevertOptions::default();
    shop.engine
        .revert(&shop.admin, RevertTarget::Changes(made), &options)
        .await
        .unwrap();
    pretty_assert(&definitions(&shop), &schema);
    assert_eq!(shop.everything().await, rows);
    shop.intact().await;
}

#[tokio::test]
async fn the_last_administrator_is_not_taken_back() {
    let shop = shop().await;
    let policy = json!({"id": "0a0a0a0a-0000-4000-8000-000000000001", "name": "All", "admin_access": true});
    shop.create("directus_policies", policy).await;
    let user = json!({"email": "last@example.com", "status": "active",
        "policies": [{"policy": "0a0a0a0a-0000-4000-8000-000000000001"}]});
    let made = shop.create("directus_users", user).await.change.unwrap();
    let refused = shop.revert_with(vec![made], Conflicts::Force).await.unwrap_err();
    let problem = &refused.problems().0[0];
    assert_eq!(problem.code.name, "UNPROCESSABLE_CONTENT", "{problem}");
    assert_eq!(shop.rows("directus_users").await.len(), 1);
    shop.intact().await;
}

#[tokio::test]
async fn of_one_collection_means_of_that_collection() {
    let shop = shop().await;
    shop.create("makers", json!({"name": "Acme"})).await;
    shop.create("products", json!({"name": "Anvil"})).await;
    let filter = ChangeFilter {
        since: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        collection: Some("products".to_owned()),
        ..ChangeFilter::default()
    };
    let target = RevertTarget::Matching(Box::new(filter.clone()));
    let options = RevertOptions::default();
    shop.engine.revert(&shop.admin, target, &options).await.unwrap();
    assert_eq!(shop.rows("products").await.len(), 0);
    assert_eq!(shop.rows("makers").await.len(), 1);
    let item = ChangeFilter {
        item: Some("1".to_owned()),
        collection: None,
        everybody: true,
        ..filter
    };
    let target = RevertTarget::Matching(Box::new(item));
    let refused = shop
        .engine
        .revert(&shop.admin, target, &options)
        .await
        .unwrap_err();
    assert_eq!(refused.problems().0[0].path, "item");
}

#[tokio::test]
async fn a_first_password_stays_though_its_change_is_taken_back() {
    let shop = shop().await;
    let policy = json!({"id": "0a0a0a0a-0000-4000-8000-000000000002", "name": "All", "admin_access": true});
    shop.create("directus_policies", policy).await;
    let user = json!({"email": "a@example.com",
        "policies": [{"policy": "0a0a0a0a-0000-4000-8000-000000000002"}]});
    shop.create("directus_users", user).await;
    let user = shop.rows("directus_users").await[0]["id"].clone();
    let data = json!({"password": "a-long-password", "title": "Dr"});
    let changed = shop.update("directus_users", json!([user]), data).await;
    let reverted = shop
        .revert_with(vec![changed.change.unwrap()], Conflicts::Force)
        .await;
    let reverted = reverted.unwrap();
    assert_eq!(reverted.not_restored[0].fields, ["password"]);
    let row = &shop.rows("directus_users").await[0];
    assert!(row["password"].is_string() && row["title"].is_null(), "{row:?}");
}
