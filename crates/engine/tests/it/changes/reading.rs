//! What is told of changes, and to whom.

use loggia_engine::changes::ChangeFilter;
use serde_json::json;

use super::shop;
use crate::fixture::{administrator_with, nobody, refused};

#[tokio::test]
async fn administrators_find_every_change_and_what_it_did() {
    let shop = shop().await;
    let made = shop
        .create("products", json!([{"name": "a"}, {"name": "b"}]))
        .await
        .change
        .unwrap();
    let changed = shop
        .update("products", json!([2]), json!({"name": "c"}))
        .await
        .change
        .unwrap();
    shop.create("makers", json!({"name": "Acme"})).await;
    let of = |collection: &str, item: Option<&str>| ChangeFilter {
        collection: Some(collection.to_owned()),
        item: item.map(str::to_owned),
        ..ChangeFilter::default()
    };
    for (filter, expect) in [
        (of("products", Some("1")), vec![&made]),
        (of("products", Some("2")), vec![&changed, &made]),
        (of("parts", Some("2")), vec![]),
    ] {
        let page = shop.engine.list_changes(&shop.admin, &filter).await.unwrap();
        let ids: Vec<_> = page
            .changes
            .iter()
            .map(|change| change["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expect);
    }
    let mut filter = ChangeFilter {
        limit: Some(2),
        ..ChangeFilter::default()
    };
    let mut numbers = Vec::new();
    loop {
        let page = shop.engine.list_changes(&shop.admin, &filter).await.unwrap();
        numbers.extend(
            page.changes
                .iter()
                .map(|change| change["number"].as_i64().unwrap()),
        );
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    let count = i64::try_from(shop.changes().await.len()).unwrap();
    assert_eq!(numbers, (1..=count).rev().collect::<Vec<_>>());
    let diff = shop
        .engine
        .change_diff(&shop.admin, &made, Some(1), None)
        .await
        .unwrap();
    assert_eq!(
        (diff.items[0].item.as_str(), diff.items[0].action.as_str()),
        ("1", "create")
    );
    let rest = shop
        .engine
        .change_diff(&shop.admin, &made, None, diff.next.as_deref())
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let diff = shop
        .engine
        .change_diff(&shop.admin, &changed, None, None)
        .await
        .unwrap();
    let item = &diff.items[0];
    assert_eq!(
        json!([item.before, item.after, item.revision]),
        json!([{"name": "b"}, {"name": "c"}, 2])
    );
}

#[tokio::test]
async fn who_may_read_nothing_learns_nothing() {
    let shop = shop().await;
    let made = shop
        .create("products", json!({"name": "secret plan"}))
        .await
        .change
        .unwrap();
    // The same user made it, and has no rights any more.
    let page = shop
        .engine
        .list_changes(&nobody(), &ChangeFilter::default())
        .await
        .unwrap();
    let change = page
        .changes
        .iter()
        .find(|change| change["id"] == made.as_str())
        .unwrap();
    assert_eq!((&change["counts"], &change["rows"]), (&json!({}), &json!(0)));
    assert!(!change.contains_key("content_hash"));
    let diff = shop
        .engine
        .change_diff(&nobody(), &made, None, None)
        .await
        .unwrap();
    assert_eq!(diff.items, []);
    let other = administrator_with(|claims| {
        claims.user = Some("99999999-9999-4999-8999-999999999999".to_owned());
        claims.layers[0].admin = false;
    });
    let page = shop
        .engine
        .list_changes(&other, &ChangeFilter::default())
        .await
        .unwrap();
    assert!(page.changes.is_empty());
    assert_eq!(
        refused(shop.engine.read_change(&other, &made).await),
        ["FORBIDDEN "]
    );
    assert_eq!(
        refused(shop.engine.change_diff(&other, &made, None, None).await),
        ["FORBIDDEN "]
    );
}
