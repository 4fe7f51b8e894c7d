//! Deletes: all that are named, or none.

use loggia_engine::items::{Deletes, Selection, WriteOptions};
use loggia_model::Query;
use serde_json::{Value, json};

use super::newspaper::newspaper;
use crate::fixture::refused;

#[tokio::test]
async fn by_keys() {
    let paper = newspaper().await;
    let done = paper.delete("articles", json!([4, "5"])).await.unwrap();
    assert_eq!(done.keys, [json!(4), json!(5)]);
    assert_eq!(done.receipt.changed["articles"].deleted, 2);
    assert_eq!(paper.ids("articles", json!({})).await.len(), 3);
    let problem = paper
        .delete("articles", json!([1, 4]))
        .await
        .unwrap_err()
        .problems()
        .0
        .remove(0);
    assert_eq!(problem.code.name, "FORBIDDEN");
    assert!(problem.hint.unwrap().contains("key 4"));
    assert_eq!(paper.ids("articles", json!({})).await.len(), 3);
}

#[tokio::test]
async fn by_query() {
    let paper = newspaper().await;
    let delete = async |query: Value| {
        let query = Selection::Query(Query::from_json(&query).unwrap());
        paper
            .engine
            .delete_items(&paper.admin, "articles", query, &WriteOptions::default())
            .await
    };
    for query in [json!({}), json!({"filter": {}})] {
        assert_eq!(refused(delete(query).await), ["INVALID_PAYLOAD query.filter"]);
    }
    assert_eq!(
        delete(json!({"filter": {"views": 20}})).await.unwrap().keys,
        [json!(2), json!(3)]
    );
}

#[tokio::test]
async fn what_others_still_point_to_stays() {
    let paper = newspaper().await;
    paper
        .create("comments", json!({"text": "Well", "article": 1}))
        .await
        .unwrap();
    let problem = paper
        .delete("articles", json!([1]))
        .await
        .unwrap_err()
        .problems()
        .0
        .remove(0);
    assert_eq!(problem.code.name, "INVALID_FOREIGN_KEY");
    assert!(problem.message.contains("comments"), "{}", problem.message);
    // The author's articles let go of the author.
    paper.delete("authors", json!([1])).await.unwrap();
    assert_eq!(
        paper.item("articles", 1, json!(["author"])).await,
        json!({"author": null})
    );
}

#[tokio::test]
async fn a_refusal_of_deletes_holds() {
    let paper = newspaper().await;
    let options = WriteOptions {
        deletes: Deletes::Refused,
        ..WriteOptions::default()
    };
    for selection in [
        Selection::Keys(vec![json!(1)]),
        Selection::Query(Query::from_json(&json!({"search": "a"})).unwrap()),
    ] {
        let done = paper
            .engine
            .delete_items(&paper.admin, "articles", selection, &options)
            .await;
        assert_eq!(refused(done), ["DELETES_DISABLED "]);
    }
    assert_eq!(paper.ids("articles", json!({})).await.len(), 5);
}
