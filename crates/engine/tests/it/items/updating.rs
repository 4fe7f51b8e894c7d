//! Changes of items that exist: by key, each in its own way, by query; and singletons.

use loggia_engine::items::{Target, WriteOptions};
use loggia_model::Query;
use serde_json::{Value, json};

use super::newspaper::{ADMIN, Newspaper, all_fields, newspaper, record};
use crate::fixture::{insert, refused};

async fn by_query(
    paper: &Newspaper,
    query: Value,
    data: Value,
) -> Result<loggia_engine::items::Written, loggia_engine::Error> {
    let target = Target::Query {
        query: Query::from_json(&query)?,
        data: record(data),
    };
    paper
        .engine
        .update_items(&paper.admin, "articles", target, &WriteOptions::default())
        .await
}

#[tokio::test]
async fn by_keys() {
    let paper = newspaper().await;
    let done = paper
        .update(
            "articles",
            json!([2, 1, "2"]),
            json!({"views": 99, "status": null}),
        )
        .await
        .unwrap();
    assert_eq!(done.keys, [json!(2), json!(1)]);
    assert_eq!(done.rows[0]["title"], "beta");
    assert_eq!(done.rows[0]["updated"], "2026-11-21T12:00:00.000Z");
    assert_eq!(done.rows[0]["created"], Value::Null);
    assert_eq!(done.receipt.changed["articles"].updated, 2);
    assert_eq!(
        paper.ids("articles", json!({"views": 99, "status": null})).await,
        [json!(1), json!(2)]
    );
    // What is not sent stays.
    assert_eq!(
        paper.item("articles", 1, json!(["body", "price"])).await["body"],
        "The first one"
    );
    // A date of creation that is sent with a change is kept.
    let done = paper
        .update(
            "articles",
            json!([1]),
            json!({"created": "2020-01-01T00:00:00Z", "created_by": ADMIN}),
        )
        .await
        .unwrap();
    assert_eq!(done.rows[0]["created"], "2020-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn keys_that_no_item_has_are_named_and_nothing_changes() {
    let paper = newspaper().await;
    let error = paper
        .update("articles", json!([1, 77, 78]), json!({"views": 99}))
        .await
        .unwrap_err();
    let problem = error.problems().0.remove(0);
    assert_eq!(problem.code.name, "FORBIDDEN");
    assert!(problem.hint.unwrap().contains("77, 78"));
    assert_eq!(
        refused(
            paper
                .update("articles", json!(["x", 1]), json!({"views": 99}))
                .await
        ),
        ["FORBIDDEN "]
    );
    assert_eq!(
        refused(paper.update("articles", json!([1]), json!({"id": 9})).await),
        ["INVALID_PAYLOAD id"]
    );
    assert!(paper.ids("articles", json!({"views": 99})).await.is_empty());
    assert_eq!(
        refused(paper.update("articles", json!([]), json!({"views": 99})).await),
        ["INVALID_PAYLOAD keys"]
    );
    paper
        .update("articles", json!([1]), json!({"id": 1, "views": 99}))
        .await
        .unwrap();
}

#[tokio::test]
async fn each_in_its_own_way() {
    let paper = newspaper().await;
    let each = async |rows: Value| {
        let rows = rows.as_array().unwrap().iter().cloned().map(record).collect();
        paper
            .engine
            .update_items(&paper.admin, "articles", Target::Each(rows), &all_fields())
            .await
    };
    let done = each(json!([{"id": 3, "views": 3}, {"id": 1, "views": 1, "title": "A"}]))
        .await
        .unwrap();
    assert_eq!(done.keys, [json!(3), json!(1)]);
    assert_eq!(
        [&done.rows[0]["views"], &done.rows[1]["views"]],
        [&json!(3), &json!(1)]
    );
    assert_eq!(
        refused(each(json!([{"views": 5}, {"id": 77, "views": 5}, {"id": 1, "views": "x"}])).await),
        [
            "INVALID_PAYLOAD [0].id",
            "INVALID_PAYLOAD [2].views",
            "FORBIDDEN "
        ]
    );
    assert!(paper.ids("articles", json!({"views": 5})).await.is_empty());
}

#[tokio::test]
async fn by_query_every_match_changes() {
    let paper = newspaper().await;
    let many: Vec<_> = (10..310)
        .map(|id| json!({"id": id, "title": "x", "views": 1}))
        .collect();
    insert(&paper.engine, "articles", &many).await;
    let done = by_query(&paper, json!({"filter": {"views": 1}}), json!({"views": 2}))
        .await
        .unwrap();
    assert_eq!(done.receipt.changed["articles"].updated, 300);
    assert_eq!(done.keys.len(), 300);
    assert!(done.rows.is_empty());
    let done = by_query(
        &paper,
        json!({"filter": {"views": 2}, "limit": 10, "sort": "-id"}),
        json!({"views": 3}),
    )
    .await
    .unwrap();
    assert_eq!(done.receipt.changed["articles"].updated, 10);
    let none = by_query(&paper, json!({"filter": {"views": 12345}}), json!({"views": 3}))
        .await
        .unwrap();
    assert!(none.receipt.changed.is_empty());
    for query in [json!({}), json!({"filter": {}}), json!({"limit": 5})] {
        assert_eq!(
            refused(by_query(&paper, query, json!({"views": 7})).await),
            ["INVALID_PAYLOAD query.filter"]
        );
    }
    assert_eq!(
        refused(by_query(&paper, json!({"filter": {"veiws": 1}}), json!({"views": 7})).await),
        ["FORBIDDEN query.filter.veiws"]
    );
    assert!(paper.ids("articles", json!({"views": 7})).await.is_empty());
}

#[tokio::test]
async fn a_masked_secret_stays() {
    let paper = newspaper().await;
    paper
        .update("articles", json!([1]), json!({"secret": "one"}))
        .await
        .unwrap();
    paper
        .update(
            "articles",
            json!([1]),
            json!({"secret": "**********", "views": 1}),
        )
        .await
        .unwrap();
    assert_eq!(
        crate::fixture::secret(&paper.engine, "articles", "secret").await[0],
        "hashed:one"
    );
    paper
        .update("articles", json!([1]), json!({"secret": null}))
        .await
        .unwrap();
    assert_eq!(
        crate::fixture::secret(&paper.engine, "articles", "secret").await[0],
        Value::Null
    );
}

#[tokio::test]
async fn singletons_are_made_on_first_use() {
    let paper = newspaper().await;
    let write = async |data: Value| {
        paper
            .engine
            .upsert_singleton(&paper.admin, "front_page", record(data), &all_fields())
            .await
    };
    assert_eq!(
        refused(write(json!({"moto": "x"})).await),
        ["INVALID_PAYLOAD moto"]
    );
    let done = write(json!({"lead": {"title": "Lead"}})).await.unwrap();
    assert_eq!(done.rows[0]["motto"], "All the news");
    assert_eq!(done.rows[0]["lead"], 6);
    assert_eq!(done.receipt.changed["front_page"].created, 1);
    let done = write(json!({"motto": "Fit to print", "lead": 1})).await.unwrap();
    assert_eq!(done.receipt.changed["front_page"].updated, 1);
    assert_eq!(done.rows[0]["motto"], "Fit to print");
    assert_eq!(paper.ids("front_page", json!({})).await.len(), 1);
}
