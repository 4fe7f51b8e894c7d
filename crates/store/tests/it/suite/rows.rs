//! Rows written, read, changed and removed.

use loggia_model::filter::Test;
use loggia_model::plan::{Plan, Selected, Source};
use loggia_model::{Filter, Scalar};
use loggia_store::Error;
use serde_json::{Value, json};

use super::world::{newspaper, permit};

#[tokio::test]
async fn values_come_back_exactly_as_they_were_written() {
    let Some(world) = newspaper().await else { return };
    let price: Value = serde_json::from_str("19.90").unwrap();
    let data = json!({"b": [1, 2.50, null, "x\u{1F600}"], "a": {"deep": true}});
    let values = [
        ("title", json!("Ünïcödé \u{1F600} 'quoted' \"double\" \\ \n")),
        ("price", price),
        ("views", json!(i64::MAX.to_string())),
        ("score", json!(0.1)),
        ("featured", json!(true)),
        ("data", data),
        ("published", json!("2026-01-31T11:45:00.123Z")),
    ];
    let keys = world.write(world.insert("articles", &[&values])).await.unwrap();
    assert_eq!(keys, [Scalar::Int(1)]);
    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    let rows = world.rows(world.read("articles", &names)).await;
    for (name, value) in &values {
        assert_eq!(&rows[0][*name], value, "{name}");
    }
    assert_eq!(rows[0]["price"].to_string(), "19.90");
    let filled = world
        .json(world.read("articles", &["id", "status", "created", "author"]))
        .await;
    assert_eq!(
        filled,
        json!([{"id": 1, "status": "draft", "created": "2026-11-21T04:05:06.789Z", "author": null}])
    );
}

#[tokio::test]
async fn rows_are_changed_and_removed_by_filter_and_answer_with_their_keys() {
    let Some(world) = newspaper().await else { return };
    let rows: Vec<Vec<(&str, Value)>> = (0..5)
        .map(|i| vec![("title", json!(format!("t{i}"))), ("views", json!(i))])
        .collect();
    let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
    world.write(world.insert("articles", &rows)).await.unwrap();
    let many = || world.test("articles.views", Test::GreaterOrEqual(Scalar::Int(3)));
    let keys = world
        .write(world.update("articles", many(), &[("status", json!("live"))]))
        .await
        .unwrap();
    assert_eq!(keys, [Scalar::Int(4), Scalar::Int(5)]);
    let keys = world.write(world.update("articles", many(), &[])).await.unwrap();
    assert_eq!(keys.len(), 2);
    let keys = world.write(world.delete("articles", many())).await.unwrap();
    assert_eq!(keys, [Scalar::Int(4), Scalar::Int(5)]);
    assert_eq!(world.rows(world.read("articles", &["id"])).await.len(), 3);
}

#[tokio::test]
async fn concealed_values_are_masked_unless_the_system_asks() {
    let Some(world) = newspaper().await else { return };
    world
        .write(world.insert(
            "authors",
            &[
                &[("name", json!("Ann")), ("secret", json!("s3cret"))],
                &[("name", json!("Bob"))],
            ],
        ))
        .await
        .unwrap();
    let mut plan = world.read("authors", &["secret"]);
    plan.select.push(Selected {
        when: None,
        alias: "raw".to_owned(),
        source: Source::Secret(world.field("authors.secret").clone()),
    });
    assert_eq!(
        world.json(plan).await,
        json!([{"secret": "**********", "raw": "s3cret"}, {"secret": null, "raw": null}])
    );
}

#[tokio::test]
async fn a_plan_that_writes_is_not_run_without_a_transaction() {
    let Some(world) = newspaper().await else { return };
    let plan = world.delete("articles", Filter::All);
    let error = world.store.run(permit(plan)).await.unwrap_err();
    assert!(matches!(error, Error::NeedsTransaction));
}

#[tokio::test]
async fn broken_rules_are_named_with_the_row_and_the_value() {
    let Some(world) = newspaper().await else { return };
    world
        .write(world.insert("authors", &[&[("name", json!("Ann"))]]))
        .await
        .unwrap();
    let check = async |plan: Plan, expect: Value| {
        let error = world.write(plan).await.unwrap_err();
        let problem = error.problem();
        let got = json!({"code": problem.code.name, "path": problem.path, "row": error.row(), "more": problem.extensions});
        assert_eq!(got, expect, "{error}");
    };
    check(
        world.insert("authors", &[&[("name", json!("Bob"))], &[("name", json!("Ann"))]]),
        json!({"code": "RECORD_NOT_UNIQUE", "path": "name", "row": 1,
            "more": {"collection": "authors", "field": "name", "value": "Ann"}}),
    )
    .await;
    check(
        world.insert("authors", &[&[("editor", json!(1))]]),
        json!({"code": "NOT_NULL_VIOLATION", "path": "name", "row": 0,
            "more": {"collection": "authors", "field": "name"}}),
    )
    .await;
    check(
        world.insert("articles", &[&[("title", json!("x")), ("author", json!(99))]]),
        json!({"code": "INVALID_FOREIGN_KEY", "path": "author", "row": 0,
            "more": {"collection": "articles", "field": "author", "value": 99}}),
    )
    .await;
    world
        .write(world.insert("articles", &[&[("title", json!("x")), ("author", json!(1))]]))
        .await
        .unwrap();
    check(
        world.delete("authors", Filter::All),
        json!({"code": "INVALID_FOREIGN_KEY", "path": "", "row": null,
            "more": {"collection": "articles", "field": "author"}}),
    )
    .await;
    assert_eq!(world.rows(world.read("authors", &["id"])).await.len(), 1);
}

#[tokio::test]
async fn numbers_are_counted_on_from_keys_that_are_given_also_within_one_insert() {
    let Some(world) = newspaper().await else { return };
    let named = |name: &str| ("name", json!(name));
    let first: &[(&str, Value)] = &[("id", json!(50)), named("a")];
    let second: &[(&str, Value)] = &[named("b")];
    let third: &[(&str, Value)] = &[("id", json!(7)), named("c")];
    let keys = world
        .write(world.insert("authors", &[first, second, third, &[named("d")]]))
        .await
        .unwrap();
    assert_eq!(keys, [50, 51, 7, 52].map(Scalar::Int));
}
