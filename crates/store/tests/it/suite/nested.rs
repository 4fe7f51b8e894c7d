//! Rows with rows related to them.

use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{Selected, Source};
use loggia_model::{Filter, Scalar};
use serde_json::json;

use super::world::{World, newspaper};

/// Two authors, three articles, two tags, blocks that point to authors and tags.
async fn filled() -> Option<World> {
    let world = newspaper().await?;
    let writes = [
        world.insert(
            "authors",
            &[
                &[("name", json!("Ann"))],
                &[("name", json!("Bob")), ("editor", json!(1))],
            ],
        ),
        world.insert(
            "tags",
            &[
                &[("id", json!(TAGS[0])), ("name", json!("red"))],
                &[("id", json!(TAGS[1])), ("name", json!("blue"))],
            ],
        ),
        world.insert(
            "articles",
            &[
                &[("title", json!("one")), ("author", json!(1)), ("views", json!(1))],
                &[("title", json!("two")), ("author", json!(1)), ("views", json!(2))],
                &[
                    ("title", json!("three")),
                    ("author", json!(2)),
                    ("views", json!(3)),
                ],
                &[("title", json!("four")), ("views", json!(4))],
            ],
        ),
        world.insert(
            "articles_tags",
            &[
                &[("article", json!(1)), ("tag", json!(TAGS[0])), ("sort", json!(2))],
                &[("article", json!(1)), ("tag", json!(TAGS[1])), ("sort", json!(1))],
                &[("article", json!(2)), ("tag", json!(TAGS[0])), ("sort", json!(1))],
                &[("article", json!(3))],
            ],
        ),
        world.insert(
            "blocks",
            &[
                &[
                    ("article", json!(1)),
                    ("collection", json!("authors")),
                    ("item", json!("2")),
                ],
                &[
                    ("article", json!(1)),
                    ("collection", json!("tags")),
                    ("item", json!(TAGS[1])),
                ],
                &[
                    ("article", json!(1)),
                    ("collection", json!("tags")),
                    ("item", json!("gone")),
                ],
                &[("article", json!(2))],
            ],
        ),
    ];
    for plan in writes {
        world.write(plan).await.unwrap();
    }
    Some(world)
}

const TAGS: [&str; 2] = [
    "11111111-1111-4111-8111-111111111111",
    "22222222-2222-4222-8222-222222222222",
];

#[tokio::test]
async fn to_one_gives_an_object_or_null() {
    let Some(world) = filled().await else { return };
    let mut author = world.read("authors", &["name"]);
    author
        .select
        .push(world.related("authors.editor", vec![world.read("authors", &["name"])], false));
    let mut plan = world.read("articles", &["title", "author"]);
    let related = world.related("articles.author", vec![author], false);
    plan.select[1] = related;
    assert_eq!(
        world.json(plan).await,
        json!([
            {"title": "one", "author": {"name": "Ann", "editor": null}},
            {"title": "two", "author": {"name": "Ann", "editor": null}},
            {"title": "three", "author": {"name": "Bob", "editor": {"name": "Ann"}}},
            {"title": "four", "author": null},
        ])
    );
}

#[tokio::test]
async fn to_many_gives_arrays_with_order_and_limits_of_each_parent() {
    let Some(world) = filled().await else { return };
    let check = async |limit: Option<u64>, offset: u64, descending: bool, expect: serde_json::Value| {
        let mut articles = world.read("articles", &["title"]);
        articles.sort = vec![world.sort("articles.views", descending)];
        articles.limit = limit;
        articles.offset = offset;
        let mut plan = world.read("authors", &[]);
        plan.select = vec![world.related("authors.articles", vec![articles], false)];
        let lists: Vec<_> = world
            .rows(plan)
            .await
            .into_iter()
            .map(|row| {
                let titles = row["articles"].as_array().unwrap().iter();
                titles
                    .map(|article| article["title"].clone())
                    .collect::<serde_json::Value>()
            })
            .collect();
        assert_eq!(serde_json::Value::Array(lists), expect, "{limit:?} {offset}");
    };
    check(None, 0, false, json!([["one", "two"], ["three"]])).await;
    check(None, 0, true, json!([["two", "one"], ["three"]])).await;
    check(Some(1), 0, true, json!([["two"], ["three"]])).await;
    check(Some(1), 1, true, json!([["one"], []])).await;
    check(None, 1, false, json!([["two"], []])).await;
    check(Some(0), 0, false, json!([[], []])).await;
}

#[tokio::test]
async fn many_to_many_goes_through_its_junction() {
    let Some(world) = filled().await else { return };
    let mut junction = world.read("articles_tags", &[]);
    junction.sort = vec![world.sort("articles_tags.sort", false)];
    junction.select = vec![world.related("articles_tags.tag", vec![world.read("tags", &["name"])], false)];
    let mut plan = world.read("articles", &["title"]);
    plan.limit = Some(3);
    plan.select
        .push(world.related("articles.tags", vec![junction], false));
    assert_eq!(
        world.json(plan).await,
        json!([
            {"title": "one", "tags": [{"tag": {"name": "blue"}}, {"tag": {"name": "red"}}]},
            {"title": "two", "tags": [{"tag": {"name": "red"}}]},
            {"title": "three", "tags": [{"tag": null}]},
        ])
    );
}

#[tokio::test]
async fn bare_keys_where_only_keys_are_asked_for() {
    let Some(world) = filled().await else { return };
    let mut plan = world.read("articles", &[]);
    plan.filter = world.test("articles.id", Test::Equal(Scalar::Int(1)));
    plan.select = vec![world.related("articles.tags", vec![world.read("articles_tags", &[])], true)];
    assert_eq!(world.json(plan).await, json!([{"tags": [1, 2]}]));
}

#[tokio::test]
async fn to_any_gives_objects_of_the_collections_asked_for_and_keys_of_the_others() {
    let Some(world) = filled().await else { return };
    let plan = |targets: &[&str]| {
        let plans = targets.iter().map(|name| world.read(name, &["name"])).collect();
        let mut plan = world.read("blocks", &["collection"]);
        plan.select.push(world.related("blocks.item", plans, false));
        plan
    };
    assert_eq!(
        world.json(plan(&["authors", "tags"])).await,
        json!([
            {"collection": "authors", "item": {"name": "Bob"}},
            {"collection": "tags", "item": {"name": "blue"}},
            {"collection": "tags", "item": null},
            {"collection": null, "item": null},
        ])
    );
    assert_eq!(
        world.json(plan(&["tags"])).await[0],
        json!({"collection": "authors", "item": "2"})
    );
}

#[tokio::test]
async fn related_items_are_counted_and_filtered() {
    let Some(world) = filled().await else { return };
    let mut articles = world.read("articles", &["title"]);
    articles.filter = world.test("articles.views", Test::Greater(Scalar::Int(1)));
    let mut plan = world.read("authors", &["name"]);
    plan.select.push(Selected {
        when: None,
        alias: "count".to_owned(),
        source: Source::Count(Operand::Count {
            step: world.step("authors.articles", None),
            filter: Box::new(Filter::All),
        }),
    });
    plan.select
        .push(world.related("authors.articles", vec![articles], false));
    assert_eq!(
        world.json(plan).await,
        json!([
            {"name": "Ann", "count": 2, "articles": [{"title": "two"}]},
            {"name": "Bob", "count": 1, "articles": [{"title": "three"}]},
        ])
    );
}

/// Lists need not be asked for after the items, where these are named by their keys; what keeps the items away keeps away
/// what is theirs.
#[tokio::test]
async fn lists_of_items_that_are_named_by_key() {
    let Some(world) = filled().await else { return };
    let mut plan = world.read("articles", &["title"]);
    let links = world.read("articles_tags", &["id"]);
    plan.select
        .push(world.related("articles.tags", vec![links], true));
    let mut blocks = world.read("blocks", &[]);
    let mut item = world.related(
        "blocks.item",
        vec![world.read("authors", &["name"]), world.read("tags", &["name"])],
        false,
    );
    item.alias = "of".to_owned();
    blocks.select.push(item);
    blocks.limit = Some(2);
    plan.select
        .push(world.related("articles.blocks", vec![blocks], false));
    plan.select
        .push(world.related("articles.author", vec![world.read("authors", &["name"])], false));
    let key = |keys: &[i64]| {
        let keys = keys.iter().map(|key| Scalar::Int(*key)).collect();
        world.test("articles.id", Test::In(keys))
    };
    let seen = world.test("articles.views", Test::GreaterOrEqual(Scalar::Int(2)));
    let one = json!({"title": "one", "tags": [1, 2], "author": {"name": "Ann"},
        "blocks": [{"of": {"name": "Bob"}}, {"of": {"name": "blue"}}]});
    let two = json!({"title": "two", "tags": [3], "author": {"name": "Ann"}, "blocks": [{"of": null}]});
    let four = json!({"title": "four", "tags": [], "author": null, "blocks": []});
    for (filter, expect) in [
        (key(&[1]), json!([one])),
        (key(&[4, 2, 1, 2, 99]), json!([one, two, four])),
        (key(&[1, 2]).and(seen.clone()), json!([two])),
        (seen.and(key(&[1])), json!([])),
        (key(&[]), json!([])),
        (Filter::Or(vec![key(&[2]), key(&[4])]), json!([two, four])),
        (Filter::Not(Box::new(key(&[2, 3, 4]))), json!([one])),
    ] {
        let plan = loggia_model::plan::ReadPlan {
            filter,
            ..plan.clone()
        };
        assert_eq!(world.json(plan).await, expect);
    }
}
