//! Lists: what is put on them, taken off and deleted, by rights on the collection of their entries.

use serde_json::{Value, json};

use super::desk::{Desk, desk};
use crate::fixture::{column, insert, refused};

/// Somebody who may change articles and everything that these permissions say of comments.
async fn moderator(comments: Value) -> Desk {
    let mut permissions = vec![
        json!({"collection": "articles", "action": ["read", "update"], "fields": ["title", "comments"]}),
        json!({"collection": "comments", "action": "read", "permissions": {"text": {"_neq": "hidden"}}}),
    ];
    permissions.extend(comments.as_array().unwrap().iter().cloned());
    let desk = desk(permissions.into()).await;
    let comments = [
        json!({"id": 1, "text": "one", "article": 1}),
        json!({"id": 2, "text": "hidden", "article": 1}),
        json!({"id": 3, "text": "three", "article": 2}),
    ];
    insert(desk.engine(), "comments", &comments).await;
    desk
}

#[tokio::test]
async fn entries_are_made_by_the_right_to_make_them_and_to_point() {
    let create = json!({"comments": {"create": [{"text": "new"}]}});
    let desk = moderator(json!([{"collection": "comments", "action": "create"}])).await;
    desk.update("articles", json!([1]), create.clone()).await.unwrap();
    assert_eq!(column(desk.engine(), "comments", "article").await, [1, 1, 2, 1]);
    // Without the column that points, nothing can be put on the list.
    let desk = moderator(json!([{"collection": "comments", "action": "create", "fields": ["text"]}])).await;
    assert_eq!(
        refused(desk.update("articles", json!([1]), create.clone()).await),
        ["FORBIDDEN comments.create[0].article"]
    );
    let desk = moderator(json!([])).await;
    assert_eq!(
        refused(desk.update("articles", json!([1]), create).await),
        ["FORBIDDEN comments.create[0]"]
    );
    assert_eq!(column(desk.engine(), "comments", "id").await, [1, 2, 3]);
}

#[tokio::test]
async fn a_permission_that_names_the_item_above_is_asked_about_it() {
    let desk = moderator(json!([
        {"collection": "comments", "action": "create", "validation": {"article": {"_eq": 2}}},
    ]))
    .await;
    let create = json!({"comments": {"create": [{"text": "new"}]}});
    desk.update("articles", json!([2]), create.clone()).await.unwrap();
    assert_eq!(
        refused(desk.update("articles", json!([1]), create).await),
        ["FAILED_VALIDATION comments.create[0].article"]
    );
}

#[tokio::test]
async fn entries_are_moved_by_the_right_to_change_them() {
    let desk = moderator(json!([
        {"collection": "comments", "action": "update", "fields": ["article"], "permissions": {"text": "three"}},
    ]))
    .await;
    desk.update("articles", json!([1]), json!({"comments": {"update": [3]}}))
        .await
        .unwrap();
    assert_eq!(column(desk.engine(), "comments", "article").await, [1, 1, 1]);
    // Not theirs to move, not seen, not there: the same.
    for key in [1, 2, 99] {
        let told = desk
            .update("articles", json!([2]), json!({"comments": {"update": [key]}}))
            .await;
        assert_eq!(refused(told), ["FORBIDDEN "], "{key}");
    }
    let told = desk
        .update(
            "articles",
            json!([2]),
            json!({"comments": {"update": [{"id": 3, "text": "x"}]}}),
        )
        .await;
    assert_eq!(refused(told), ["INVALID_PAYLOAD comments.update[0].text"]);
    assert_eq!(column(desk.engine(), "comments", "article").await, [1, 1, 1]);
}

#[tokio::test]
async fn whoever_does_not_see_where_entries_point_takes_off_what_they_name() {
    for read in [json!(["sort"]), json!([])] {
        let desk = desk(json!([
            {"collection": "articles", "action": ["read", "update"], "fields": ["title", "tags"]},
            {"collection": "articles_tags", "action": "read", "fields": read},
            {"collection": "articles_tags", "action": "delete", "permissions": {"tags_id": {"_neq": 2}}},
        ]))
        .await;
        // Row 1 is on the list, 2 is and may not go, 3 is on another list.
        desk.update("articles", json!([1]), json!({"tags": {"delete": [3]}}))
            .await
            .unwrap();
        assert_eq!(column(desk.engine(), "articles_tags", "id").await, [1, 2, 3, 4]);
        for row in [2, 99] {
            let told = desk
                .update("articles", json!([1]), json!({"tags": {"delete": [row]}}))
                .await;
            assert_eq!(refused(told), ["FORBIDDEN "], "{row}");
        }
        desk.update("articles", json!([1]), json!({"tags": {"delete": [1]}}))
            .await
            .unwrap();
        assert_eq!(column(desk.engine(), "articles_tags", "id").await, [2, 3, 4]);
    }
}

#[tokio::test]
async fn entries_that_are_not_seen_stay_on_a_list_that_is_replaced() {
    let tags = |junction: Value| async move {
        desk(json!([
            {"collection": "articles", "action": ["read", "update"], "fields": ["title", "tags"]},
            {"collection": "articles_tags", "action": "read", "permissions": {"tags_id": {"_neq": 2}}},
            {"collection": "articles_tags", "action": ["create", "update"]},
            {"collection": "tags", "action": "read"},
            junction,
        ]))
        .await
    };
    // Article 1 has the tags 1 and 2 (rows 1 and 2), of which the second is not seen.
    let replace = json!({"tags": [{"tags_id": 3}]});
    let with = tags(json!({"collection": "articles_tags", "action": "delete"})).await;
    with.update("articles", json!([1]), replace.clone())
        .await
        .unwrap();
    assert_eq!(column(with.engine(), "articles_tags", "id").await, [2, 3, 4, 5]);
    // Without the right to delete rows, nothing can be taken off.
    let without = tags(json!({"collection": "tags", "action": "create"})).await;
    assert_eq!(
        refused(without.update("articles", json!([1]), replace).await),
        ["FORBIDDEN tags"]
    );
    assert_eq!(
        column(without.engine(), "articles_tags", "id").await,
        [1, 2, 3, 4]
    );
    for row in [1, 2, 99] {
        let told = without
            .update("articles", json!([1]), json!({"tags": {"delete": [row]}}))
            .await;
        assert!(!refused(told).is_empty(), "{row}");
    }
    // Linking needs the other side to be seen.
    let told = without
        .update(
            "articles",
            json!([1]),
            json!({"tags": {"create": [{"tags_id": 99}]}}),
        )
        .await;
    assert_eq!(refused(told), ["INVALID_FOREIGN_KEY tags.create[0].tags_id"]);
}
