//! Items nested in items, at every depth.

use loggia_engine::items::{Changed, Deletes, WriteOptions};
use serde_json::{Value, json};

use super::newspaper::{Newspaper, all_fields, newspaper};
use crate::fixture::refused;

async fn tags(paper: &Newspaper, article: i64) -> Value {
    paper
        .item(
            "articles",
            article,
            json!(["tags.id", "tags.sort", "tags.tags_id.name"]),
        )
        .await["tags"]
        .take()
}

#[tokio::test]
async fn a_whole_article_at_once() {
    let paper = newspaper().await;
    let made = paper
        .create(
            "articles",
            json!({
                "title": "Everything",
                "author": {"name": "Dora"},
                "tags": [{"tags_id": {"name": "new"}}, {"tags_id": 1}],
                "blocks": {"create": [
                    {"collection": "texts", "item": {"body": "Hello"}},
                    {"collection": "pictures", "item": 1},
                ]},
                "comments": [{"text": "First!"}],
            }),
        )
        .await
        .unwrap();
    let fields = json!([
        "title",
        "author.name",
        "tags.sort",
        "tags.tags_id.name",
        "blocks.sort",
        "blocks.item:texts.body",
        "blocks.item:pictures.url",
        "comments.text"
    ]);
    assert_eq!(
        paper.item("articles", made.keys[0].clone(), fields).await,
        json!({
            "title": "Everything",
            "author": {"name": "Dora"},
            "tags": [{"sort": 1, "tags_id": {"name": "new"}}, {"sort": 2, "tags_id": {"name": "news"}}],
            "blocks": [{"sort": 1, "item": {"body": "Hello"}}, {"sort": 2, "item": {"url": "/a.png"}}],
            "comments": [{"text": "First!"}],
        })
    );
    let created = |collection: &str| {
        made.receipt
            .changed
            .get(collection)
            .map(|changed| changed.created)
    };
    for (collection, count) in [
        ("articles", 1),
        ("authors", 1),
        ("tags", 1),
        ("articles_tags", 2),
        ("texts", 1),
        ("articles_blocks", 2),
        ("comments", 1),
    ] {
        assert_eq!(created(collection), Some(count), "{collection}");
    }
    assert_eq!(created("pictures"), None);
    assert!(made.receipt.applied.contains(&"author.name".to_owned()));
    assert!(made.receipt.applied.contains(&"tags[0].tags_id.name".to_owned()));
}

#[tokio::test]
async fn to_one_items_are_made_changed_or_linked() {
    let paper = newspaper().await;
    let author = async |value: Value| {
        paper
            .update("articles", json!([1]), json!({"author": value}))
            .await
            .unwrap();
        paper
            .item("articles", 1, json!(["author.id", "author.name"]))
            .await["author"]
            .take()
    };
    assert_eq!(author(json!(2)).await, json!({"id": 2, "name": "Bob"}));
    assert_eq!(
        author(json!({"id": 2, "name": "Bert"})).await,
        json!({"id": 2, "name": "Bert"})
    );
    assert_eq!(
        author(json!({"name": "Eve"})).await,
        json!({"id": 4, "name": "Eve"})
    );
    // A key that nobody has yet is the key of a new item.
    assert_eq!(
        author(json!({"id": 90, "name": "Fay"})).await,
        json!({"id": 90, "name": "Fay"})
    );
    assert_eq!(author(Value::Null).await, Value::Null);
    // Who names it again in the same request means the same one.
    let twice = json!([{"title": "x", "author": {"id": 91, "name": "Gil"}}, {"title": "y", "author": {"id": 91, "name": "Gil"}}]);
    paper.create("articles", twice).await.unwrap();
    assert_eq!(paper.ids("articles", json!({"author": 91})).await.len(), 2);
    // One change of many items makes one new item, not many.
    paper
        .update(
            "articles",
            json!([1, 2, 3]),
            json!({"author": {"name": "Shared"}}),
        )
        .await
        .unwrap();
    assert_eq!(paper.ids("authors", json!({"name": "Shared"})).await.len(), 1);
    assert_eq!(
        paper
            .ids("articles", json!({"author": {"name": "Shared"}}))
            .await
            .len(),
        3
    );
}

#[tokio::test]
async fn an_array_replaces_the_list() {
    let paper = newspaper().await;
    // Row 1 stays, row 2 goes with it (the relation deletes), a new one comes.
    let done = paper
        .update("articles", json!([1]), json!({"tags": [{"tags_id": 3}, 1]}))
        .await
        .unwrap();
    assert_eq!(
        tags(&paper, 1).await,
        json!([{"id": 5, "sort": 1, "tags_id": {"name": "art"}}, {"id": 1, "sort": 2, "tags_id": {"name": "news"}}])
    );
    assert_eq!(
        done.receipt.changed["articles_tags"],
        Changed {
            created: 1,
            updated: 1,
            deleted: 1
        }
    );
    paper
        .update("articles", json!([1]), json!({"tags": []}))
        .await
        .unwrap();
    assert_eq!(tags(&paper, 1).await, json!([]));
    paper
        .update("articles", json!([2]), json!({"tags": null}))
        .await
        .unwrap();
    assert_eq!(paper.ids("articles_tags", json!({})).await.len(), 1);
    // The relation of authors lets go instead.
    paper
        .update(
            "authors",
            json!([1]),
            json!({"articles": [{"id": 2, "views": 5}, {"title": "Fresh"}]}),
        )
        .await
        .unwrap();
    assert_eq!(
        paper.ids("articles", json!({"author": 1})).await,
        [json!(2), json!(6)]
    );
    assert_eq!(
        paper.item("articles", 1, json!(["author"])).await,
        json!({"author": null})
    );
    assert_eq!(
        paper.item("articles", 2, json!(["views"])).await,
        json!({"views": 5})
    );
}

#[tokio::test]
async fn a_change_leaves_the_rest_of_the_list() {
    let paper = newspaper().await;
    let change = json!({"tags": {"create": [{"tags_id": {"name": "extra"}}], "update": [{"id": 1, "sort": 9}], "delete": [2]}});
    paper.update("articles", json!([1]), change).await.unwrap();
    let names: Vec<_> = tags(&paper, 1)
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["tags_id"]["name"].clone())
        .collect();
    assert_eq!(names, ["extra", "news"]);
    // New ones come last.
    paper
        .update(
            "articles",
            json!([1]),
            json!({"tags": {"create": [{"tags_id": 3}]}}),
        )
        .await
        .unwrap();
    assert_eq!(tags(&paper, 1).await[2]["tags_id"]["name"], "art");
    // `update` brings items from elsewhere.
    paper
        .update(
            "authors",
            json!([2]),
            json!({"articles": {"update": [{"id": 1}, 2]}}),
        )
        .await
        .unwrap();
    assert_eq!(
        paper.ids("articles", json!({"author": 2})).await,
        [json!(1), json!(2), json!(3)]
    );
    // `delete` does what the relation does with items that are taken off.
    paper
        .update("authors", json!([2]), json!({"articles": {"delete": [1]}}))
        .await
        .unwrap();
    assert_eq!(
        paper.item("articles", 1, json!(["author"])).await,
        json!({"author": null})
    );
}

#[tokio::test]
async fn trees_grow_several_levels_at_once() {
    let paper = newspaper().await;
    let made = paper
        .create(
            "nodes",
            json!({"name": "root", "children": [{"name": "a", "children": [{"name": "a1"}]}, {"name": "b"}]}),
        )
        .await
        .unwrap();
    let tree = paper
        .item(
            "nodes",
            made.keys[0].clone(),
            json!(["name", "children.name", "children.children.name"]),
        )
        .await;
    let mut children = tree["children"].as_array().unwrap().clone();
    children.sort_by_key(|child| child["name"].as_str().map(str::to_owned));
    assert_eq!(children[0], json!({"name": "a", "children": [{"name": "a1"}]}));
    let parent = paper
        .create(
            "nodes",
            json!({"name": "leaf", "parent": {"name": "p", "parent": {"name": "pp"}}}),
        )
        .await
        .unwrap();
    let up = paper
        .item("nodes", parent.keys[0].clone(), json!(["parent.parent.name"]))
        .await;
    assert_eq!(up, json!({"parent": {"parent": {"name": "pp"}}}));
}

#[tokio::test]
async fn problems_are_found_at_every_depth_before_anything_is_written() {
    let paper = newspaper().await;
    let row = json!({
        "title": "x",
        "author": {"nme": "y"},
        "tags": [{"tags_id": {"name": 5, "nope": 1}}, 77, {"tags_id": 99}, "x"],
        "blocks": [{"item": {"body": "b"}}, {"collection": "nope", "item": 1}, {"collection": "texts", "item": "x"}, {"collection": "texts", "item": 55}],
        "comments": {"create": [{"txt": "z"}], "updat": [], "update": [{"text": "no key"}, 88]},
    });
    let got = refused(paper.create("articles", row).await);
    assert_eq!(
        got,
        [
            "INVALID_PAYLOAD author.nme",
            "INVALID_PAYLOAD tags[0].tags_id.nope",
            "INVALID_PAYLOAD tags[3]",
            "INVALID_PAYLOAD blocks[0].item",
            "INVALID_PAYLOAD blocks[1].collection",
            "INVALID_PAYLOAD blocks[2].item",
            "INVALID_PAYLOAD comments.create[0].txt",
            "INVALID_PAYLOAD comments.updat",
            "INVALID_PAYLOAD comments.update[0]",
            "FAILED_VALIDATION author.name",
            "INVALID_FOREIGN_KEY tags[2].tags_id",
            "INVALID_FOREIGN_KEY blocks[3].item",
            "FORBIDDEN ",
            "FORBIDDEN ",
        ]
    );
    assert_eq!(paper.ids("articles", json!({})).await.len(), 5);
    assert_eq!(paper.ids("authors", json!({})).await.len(), 3);
}

#[tokio::test]
async fn a_key_of_the_far_side_gets_the_right_advice() {
    let paper = newspaper().await;
    let problem = paper
        .update("articles", json!([4]), json!({"tags": [77]}))
        .await
        .unwrap_err()
        .problems()
        .0
        .remove(0);
    assert!(problem.hint.unwrap().contains("send {\"tags_id\": key}"));
}

#[tokio::test]
async fn a_failure_late_in_the_work_undoes_all_of_it() {
    let paper = newspaper().await;
    let row = json!({"title": "x", "author": {"name": "Gone"}, "tags": [{"tags_id": {"name": "fine"}}, {"tags_id": {"name": "news"}}]});
    assert_eq!(
        refused(paper.create("articles", row).await),
        ["RECORD_NOT_UNIQUE tags[1].tags_id.name"]
    );
    assert!(paper.ids("authors", json!({"name": "Gone"})).await.is_empty());
    assert!(paper.ids("tags", json!({"name": "fine"})).await.is_empty());
}

#[tokio::test]
async fn with_deletes_refused_nothing_goes_at_any_depth() {
    let paper = newspaper().await;
    let options = WriteOptions {
        deletes: Deletes::Refused,
        ..all_fields()
    };
    let cases = [
        (json!({"tags": []}), "DELETES_DISABLED tags"),
        (json!({"tags": null}), "DELETES_DISABLED tags"),
        (json!({"tags": [{"tags_id": 3}]}), "DELETES_DISABLED tags"),
        (json!({"tags": {"delete": [1]}}), "DELETES_DISABLED tags"),
        (
            json!({"author": {"id": 1, "articles": [{"id": 1, "tags": []}, 2]}}),
            "DELETES_DISABLED author.articles[0].tags",
        ),
    ];
    for (data, expect) in cases {
        let done = paper
            .update_with("articles", json!([1]), data.clone(), &options)
            .await;
        assert_eq!(refused(done), [expect], "{data}");
        assert_eq!(paper.ids("articles_tags", json!({})).await.len(), 4, "{data}");
    }
    // Nothing would go: allowed.
    paper
        .update_with(
            "articles",
            json!([1]),
            json!({"tags": [1, 2, {"tags_id": 3}]}),
            &options,
        )
        .await
        .unwrap();
    // Letting go is not deleting.
    paper
        .update_with("authors", json!([1]), json!({"articles": []}), &options)
        .await
        .unwrap();
    assert_eq!(paper.ids("articles", json!({})).await.len(), 5);
}

#[tokio::test]
async fn what_must_point_somewhere_cannot_be_let_go() {
    let paper = newspaper().await;
    paper
        .create("comments", json!({"text": "Well", "article": 1}))
        .await
        .unwrap();
    assert_eq!(
        refused(
            paper
                .update("articles", json!([1]), json!({"comments": []}))
                .await
        ),
        ["INVALID_PAYLOAD comments"]
    );
    paper
        .update("articles", json!([2]), json!({"comments": [1]}))
        .await
        .unwrap();
    assert_eq!(
        paper.item("comments", 1, json!(["article"])).await,
        json!({"article": 2})
    );
}

#[tokio::test]
async fn an_item_of_a_list_points_to_the_item_above_or_says_nothing_else() {
    let paper = newspaper().await;
    let comment = |article: Value| json!({"text": "z", "article": article});
    let elsewhere = [
        json!(2),
        json!("garbage"),
        json!({"nope": [1]}),
        json!({"id": 2}),
        json!({"id": 1, "title": "changed"}),
        json!([1]),
        json!(true),
    ];
    let before = paper.ids("comments", json!({})).await;
    for value in elsewhere {
        let new = json!({"title": "o", "comments": [comment(value.clone())]});
        let path = ["INVALID_PAYLOAD comments[0].article"];
        assert_eq!(refused(paper.create("articles", new).await), path, "{value}");
        let known = json!({"comments": [comment(value.clone())]});
        assert_eq!(
            refused(paper.update("articles", json!([1]), known).await),
            path,
            "{value}"
        );
        let change = json!({"comments": {"create": [comment(value.clone())]}});
        assert_eq!(
            refused(paper.update("articles", json!([1]), change).await),
            ["INVALID_PAYLOAD comments.create[0].article"],
            "{value}"
        );
        // Deeper: of an author, the articles; of these, the comments.
        let deep = json!({"name": "Dora", "articles": [{"id": 1, "comments": [comment(value.clone())]}]});
        assert_eq!(
            refused(paper.create("authors", deep).await),
            ["INVALID_PAYLOAD articles[0].comments[0].article"],
            "{value}"
        );
    }
    // A new item above has no key yet that could be named.
    let new = json!({"title": "o", "comments": [comment(json!(6))]});
    let told = paper
        .create("articles", new)
        .await
        .unwrap_err()
        .problems()
        .0
        .remove(0);
    assert!(told.hint.is_some_and(|hint| hint.starts_with("Leave it out")));
    assert_eq!(paper.ids("comments", json!({})).await, before);

    for value in [json!(1), json!("1"), json!({"id": 1}), Value::Null] {
        let change = json!({"comments": {"create": [comment(value.clone())]}});
        paper.update("articles", json!([1]), change).await.unwrap();
        let key = paper.ids("comments", json!({"article": 1})).await.pop().unwrap();
        let change = json!({"comments": {"update": [{"id": key, "text": "y", "article": value}]}});
        paper.update("articles", json!([1]), change).await.unwrap();
        let wrong = json!({"comments": {"update": [{"id": key, "text": "y", "article": 2}]}});
        assert_eq!(
            refused(paper.update("articles", json!([1]), wrong).await),
            ["INVALID_PAYLOAD comments.update[0].article"]
        );
    }
    assert_eq!(paper.ids("comments", json!({"article": 1})).await.len(), 4);
    let given = json!({"id": 70, "title": "o", "comments": [comment(json!(70))]});
    paper.create("articles", given).await.unwrap();
    // Junctions are lists of items too.
    let junction = json!({"tags": {"create": [{"articles_id": 2, "tags_id": 3}]}});
    assert_eq!(
        refused(paper.update("articles", json!([1]), junction).await),
        ["INVALID_PAYLOAD tags.create[0].articles_id"]
    );
}
