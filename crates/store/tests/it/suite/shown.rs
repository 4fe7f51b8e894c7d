//! Values, members and figures that only some rows have.

use std::sync::Arc;

use loggia_model::filter::{Function, Operand, Quantifier, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan, ReadPlan, Selected, Sort, Source,
};
use loggia_model::{Filter, Scalar};
use serde_json::{Value, json};

use super::world::{World, newspaper};

const RED: &str = "11111111-1111-4111-8111-111111111111";

/// Three articles: two of Ann, one of Bob, whose editor is Ann. Those with a status other than `live` are hidden.
async fn filled() -> Option<World> {
    let world = newspaper().await?;
    let data = json!({"a": [1, {"b": "deep"}]});
    let article = |title: &str, status: &str, author: i64, views: i64, price: &str| {
        vec![
            ("title", json!(title)),
            ("status", json!(status)),
            ("author", json!(author)),
            ("views", json!(views)),
            ("price", serde_json::from_str(price).unwrap()),
            ("data", data.clone()),
            ("published", json!("2026-01-31T11:45:06.000Z")),
        ]
    };
    let articles = [
        article("one", "live", 1, 1, "10.0"),
        article("two", "draft", 1, 2, "9.5"),
        article("three", "live", 2, 3, "2"),
    ];
    let articles: Vec<&[(&str, Value)]> = articles.iter().map(Vec::as_slice).collect();
    let link = |article: i64| [("article", json!(article)), ("tag", json!(RED))];
    let block = |collection: &str, item: &str, article: i64| {
        [
            ("article", json!(article)),
            ("collection", json!(collection)),
            ("item", json!(item)),
        ]
    };
    for plan in [
        world.insert(
            "authors",
            &[
                &[("name", json!("Ann"))],
                &[("name", json!("Bob")), ("editor", json!(1))],
            ],
        ),
        world.insert("tags", &[&[("id", json!(RED)), ("name", json!("red"))]]),
        world.insert("articles", &articles),
        world.insert("articles_tags", &[&link(1), &link(2), &link(3)]),
        world.insert(
            "blocks",
            &[
                &block("authors", "2", 1),
                &block("tags", RED, 2),
                &block("authors", "1", 3),
            ],
        ),
    ] {
        world.write(plan).await.unwrap();
    }
    Some(world)
}

fn live(world: &World) -> Filter {
    world.test("articles.status", Test::Equal("live".into()))
}

/// The operand on the rows where the condition holds.
fn case(when: Filter, operand: Operand) -> Operand {
    Operand::Case {
        when: Arc::new(when),
        operand: Box::new(operand),
    }
}

fn field(world: &World, path: &str) -> Operand {
    Operand::Field(world.field(path).clone())
}

/// Members of every kind, all of them shown where one condition holds.
fn members(world: &World, when: &Arc<Filter>) -> Vec<Selected> {
    let field = |name: &str| world.field(&format!("articles.{name}")).clone();
    let plain = [
        ("views", Source::Field(field("views"))),
        ("data", Source::Field(field("data"))),
        (
            "year",
            Source::Function {
                function: Function::Year,
                field: field("published"),
            },
        ),
        (
            "deep",
            Source::Json {
                field: field("data"),
                path: vec!["a".to_owned(), "1".to_owned()],
            },
        ),
        (
            "links",
            Source::Count(Operand::Count {
                step: world.step("articles.tags", None),
                filter: Box::new(Filter::All),
            }),
        ),
    ];
    let mut members: Vec<_> = plain
        .into_iter()
        .map(|(alias, source)| Selected::new(alias, source))
        .collect();
    members.push(world.related("articles.author", vec![world.read("authors", &["name"])], false));
    members.push(world.related("articles.tags", vec![world.read("articles_tags", &[])], true));
    let mut block = world.read("blocks", &[]);
    block.select = vec![world.related("blocks.item", vec![world.read("authors", &["name"])], false)];
    members.push(world.related("articles.blocks", vec![block], false));
    for member in &mut members {
        member.when = Some(when.clone());
    }
    members
}

#[tokio::test]
async fn members_are_null_and_lists_empty_where_they_are_not_shown() {
    let Some(world) = filled().await else { return };
    let mut plan = world.read("articles", &["id"]);
    plan.select.extend(members(&world, &Arc::new(live(&world))));
    let shown = |id: i64, views: i64, author: &str, item: Value| {
        json!({
            "id": id, "views": views, "data": {"a": [1, {"b": "deep"}]}, "year": 2026, "deep": {"b": "deep"},
            "links": 1, "author": {"name": author}, "tags": [id], "blocks": [{"item": item}],
        })
    };
    assert_eq!(
        world.json(plan).await,
        json!([
            shown(1, 1, "Ann", json!({"name": "Bob"})),
            {
                "id": 2, "views": null, "data": null, "year": null, "deep": null,
                "links": null, "author": null, "tags": [], "blocks": [],
            },
            shown(3, 3, "Bob", json!({"name": "Ann"})),
        ])
    );
}

#[tokio::test]
async fn an_item_of_any_collection_is_null_where_it_is_not_shown() {
    let Some(world) = filled().await else { return };
    let mut plan = world.read("blocks", &["id"]);
    let mut item = world.related("blocks.item", vec![world.read("authors", &["name"])], false);
    item.when = Some(Arc::new(world.test("blocks.id", Test::NotEqual(Scalar::Int(2)))));
    plan.select.push(item.clone());
    assert_eq!(
        world.json(plan.clone()).await,
        json!([{"id": 1, "item": {"name": "Bob"}}, {"id": 2, "item": null}, {"id": 3, "item": {"name": "Ann"}}])
    );
    // The bare key of a collection that was not asked for is hidden as well.
    item.when = Some(Arc::new(world.test("blocks.id", Test::Equal(Scalar::Int(2)))));
    plan.select[1] = item;
    assert_eq!(
        world.json(plan).await,
        json!([{"id": 1, "item": null}, {"id": 2, "item": RED}, {"id": 3, "item": null}])
    );
}

/// A value that several rows share goes to each that shows it, whichever of them hide it.
#[tokio::test]
async fn rows_that_hide_a_relation_take_nothing_from_those_that_show_it() {
    let Some(world) = filled().await else { return };
    for hidden in 1..=3 {
        let mut plan = world.read("articles", &["id"]);
        let mut author = world.related("articles.author", vec![world.read("authors", &["name"])], false);
        author.when = Some(Arc::new(
            world.test("articles.id", Test::NotEqual(Scalar::Int(hidden))),
        ));
        plan.select.push(author);
        let expect: Value = [(1, "Ann"), (2, "Ann"), (3, "Bob")]
            .into_iter()
            .map(|(id, name)| {
                let author = (id != hidden).then(|| json!({ "name": name }));
                json!({"id": id, "author": author})
            })
            .collect();
        assert_eq!(world.json(plan).await, expect);
    }
}

/// How many statements a read takes.
async fn statements(world: &World, plan: ReadPlan) -> u64 {
    let before = world.store.activity().statements;
    world.rows(plan).await;
    world.store.activity().statements - before
}

#[tokio::test]
async fn each_nested_plan_takes_one_statement_however_many_rows_there_are() {
    let Some(world) = filled().await else { return };
    let plan = || {
        let mut author = world.read("authors", &["name"]);
        author.select.extend([
            world.related("authors.editor", vec![world.read("authors", &["name"])], false),
            world.related("authors.articles", vec![world.read("articles", &[])], true),
        ]);
        let mut tags = world.read("articles_tags", &["sort"]);
        tags.limit = Some(5);
        tags.select
            .push(world.related("articles_tags.tag", vec![world.read("tags", &["name"])], false));
        let mut blocks = world.read("blocks", &["collection"]);
        let any = vec![world.read("authors", &["name"]), world.read("tags", &["name"])];
        blocks.select.push(world.related("blocks.item", any, false));
        let mut plan = world.read("articles", &["title"]);
        plan.select.extend([
            world.related("articles.author", vec![author], false),
            world.related("articles.tags", vec![tags], false),
            world.related("articles.blocks", vec![blocks], false),
        ]);
        plan
    };
    // articles; author, its editor, its articles; links, their tags; blocks, their authors, their tags.
    assert_eq!(statements(&world, plan()).await, 9);
    for i in 0..40 {
        let values = [
            ("title", json!(format!("more {i}"))),
            ("author", json!(i % 2 + 1)),
        ];
        let keys = world.write(world.insert("articles", &[&values])).await.unwrap();
        let [Scalar::Int(key)] = keys[..] else {
            panic!("{keys:?}")
        };
        let link = [("article", json!(key)), ("tag", json!(RED))];
        world
            .write(world.insert("articles_tags", &[&link, &link]))
            .await
            .unwrap();
    }
    assert_eq!(statements(&world, plan()).await, 9);
    // Conditions on rows and members are part of those statements.
    let mut masked = plan();
    masked.filter = live(&world);
    let when = Arc::new(world.test("articles.views", Test::Less(Scalar::Int(3))));
    for member in &mut masked.select {
        member.when = Some(when.clone());
    }
    assert!(statements(&world, masked).await <= 9);
}

#[tokio::test]
async fn nothing_is_fetched_for_rows_that_do_not_show_it() {
    let Some(world) = filled().await else { return };
    let mut plan = world.read("articles", &["id"]);
    plan.select.extend(members(&world, &Arc::new(Filter::Nothing)));
    assert_eq!(statements(&world, plan.clone()).await, 1);
    for row in world.rows(plan).await {
        assert_eq!((&row["author"], &row["tags"]), (&json!(null), &json!([])));
    }
}

#[tokio::test]
async fn values_that_a_row_hides_are_null_in_filters_and_orders() {
    let Some(world) = filled().await else { return };
    let ids = async |filter: Filter, sort: Vec<Sort>| {
        let mut plan = world.read("articles", &["id"]);
        plan.filter = filter;
        plan.sort = sort;
        let rows = world.rows(plan).await;
        rows.iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    let test = |path: &str, test: Test| Filter::Test {
        operand: case(live(&world), field(&world, path)),
        test,
    };
    let decimal = |text: &str| Scalar::from(text);
    for (filter, expect) in [
        (test("articles.views", Test::Null), vec![2]),
        (test("articles.views", Test::Equal(Scalar::Int(2))), vec![]),
        (test("articles.views", Test::NotEqual(Scalar::Int(1))), vec![3]),
        (
            Filter::Not(Box::new(test("articles.views", Test::Equal(Scalar::Int(1))))),
            vec![2, 3],
        ),
        (test("articles.price", Test::Less(decimal("9.9"))), vec![3]),
        (
            test("articles.price", Test::In(vec![decimal("10"), decimal("2.00")])),
            vec![1, 3],
        ),
        (
            test("articles.price", Test::NotIn(vec![decimal("10"), decimal("1")])),
            vec![3],
        ),
        (
            Filter::Related {
                step: world.step("articles.author", None),
                quantifier: Quantifier::Some,
                filter: Box::new(Filter::Test {
                    operand: case(
                        world.test("authors.editor", Test::Null),
                        field(&world, "authors.name"),
                    ),
                    test: Test::NotNull,
                }),
            },
            vec![1, 2],
        ),
    ] {
        assert_eq!(ids(filter.clone(), Vec::new()).await, expect, "{filter:?}");
    }
    let sort = |path: &str, descending: bool| {
        vec![Sort {
            operand: case(live(&world), field(&world, path)),
            descending,
        }]
    };
    assert_eq!(ids(Filter::All, sort("articles.views", false)).await, [2, 1, 3]);
    assert_eq!(ids(Filter::All, sort("articles.views", true)).await, [3, 1, 2]);
    assert_eq!(ids(Filter::All, sort("articles.price", false)).await, [2, 3, 1]);
}

#[tokio::test]
async fn a_step_that_leads_to_a_row_out_of_reach_gives_null() {
    let Some(world) = filled().await else { return };
    let author = |filter: Filter| Operand::Through {
        step: world.step("articles.author", None),
        filter: Box::new(filter),
        operand: Box::new(field(&world, "authors.name")),
    };
    let not_ann = || world.test("authors.name", Test::NotEqual("Ann".into()));
    let mut plan = world.read("articles", &["id"]);
    plan.filter = Filter::Test {
        operand: author(not_ann()),
        test: Test::Null,
    };
    assert_eq!(world.json(plan.clone()).await, json!([{"id": 1}, {"id": 2}]));
    plan.filter = Filter::All;
    plan.sort = vec![Sort {
        operand: author(not_ann()),
        descending: true,
    }];
    assert_eq!(world.json(plan).await, json!([{"id": 3}, {"id": 1}, {"id": 2}]));
}

#[tokio::test]
async fn figures_leave_out_what_rows_hide() {
    let Some(world) = filled().await else { return };
    let when = Arc::new(live(&world));
    let figure = |function, name: Option<&str>| Figure {
        function,
        field: name.map(|name| world.field(&format!("articles.{name}")).clone()),
        when: Some(when.clone()),
    };
    let plan = |group_by: Vec<Group>, sort: Vec<FigureSort>| {
        Plan::Aggregate(AggregatePlan {
            collection: world.collection("articles").clone(),
            filter: Filter::All,
            group_by,
            figures: vec![
                figure(Aggregate::Count, None),
                figure(Aggregate::Count, Some("views")),
                figure(Aggregate::CountDistinct, Some("author")),
                figure(Aggregate::Sum, Some("price")),
                figure(Aggregate::Avg, Some("views")),
                figure(Aggregate::Min, Some("price")),
                figure(Aggregate::Max, Some("price")),
                figure(Aggregate::Max, Some("title")),
            ],
            sort,
            limit: None,
            offset: 0,
        })
    };
    let all = world.run(plan(Vec::new(), Vec::new())).await;
    assert_eq!(
        Value::Object(all[0].clone()).to_string(),
        r#"{"count":{"*":3,"views":2},"countDistinct":{"author":2},"sum":{"price":12.0},"avg":{"views":2},"min":{"price":2},"max":{"price":10.0,"title":"three"}}"#
    );
    let by_author = Group {
        alias: "author".to_owned(),
        operand: case(live(&world), field(&world, "articles.author")),
    };
    let by_price = vec![FigureSort {
        key: FigureKey::Figure(6),
        descending: true,
    }];
    let rows = world.run(plan(vec![by_author], by_price)).await;
    let groups: Vec<_> = rows
        .iter()
        .map(|row| {
            json!([
                row["author"],
                row["count"]["*"],
                row["max"]["price"],
                row["max"]["title"]
            ])
        })
        .collect();
    assert_eq!(
        Value::Array(groups).to_string(),
        r#"[[1,1,10.0,"one"],[2,1,2,"three"],[null,1,null,null]]"#
    );
}

/// SQLite takes an order of values from anywhere in an expression.
#[tokio::test]
async fn what_hides_a_text_does_not_say_how_it_is_compared() {
    let Some(world) = newspaper().await else { return };
    let article = |title: &str| [("title", json!(title)), ("price", json!(1)), ("author", json!(1))];
    let (nine, ten, dotted) = (article("9"), article("10"), article("9.0"));
    for plan in [
        world.insert("authors", &[&[("name", json!("Ann"))]]),
        world.insert("articles", &[&nine, &ten, &dotted]),
    ] {
        world.write(plan).await.unwrap();
    }
    let dear = || world.test("articles.price", Test::Greater(Scalar::from("0.5")));
    let title = || case(dear(), field(&world, "articles.title"));
    let mut read = world.read("articles", &["id"]);
    read.sort = vec![Sort {
        operand: title(),
        descending: false,
    }];
    assert_eq!(world.json(read).await, json!([{"id": 2}, {"id": 1}, {"id": 3}]));
    let mut read = world.read("articles", &["id"]);
    read.filter = Filter::Test {
        operand: title(),
        test: Test::Equal("9".into()),
    };
    assert_eq!(world.json(read).await, json!([{"id": 1}]));
    let when = Arc::new(dear());
    let figure = |function| Figure {
        function,
        field: Some(world.field("articles.title").clone()),
        when: Some(when.clone()),
    };
    let figures = world.run(Plan::Aggregate(AggregatePlan {
        collection: world.collection("articles").clone(),
        filter: Filter::All,
        group_by: Vec::new(),
        figures: [Aggregate::Min, Aggregate::Max, Aggregate::CountDistinct]
            .map(figure)
            .to_vec(),
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }));
    assert_eq!(
        Value::Object(figures.await[0].clone()),
        json!({"min": {"title": "10"}, "max": {"title": "9.0"}, "countDistinct": {"title": 3}})
    );
    let groups = world.run(Plan::Aggregate(AggregatePlan {
        collection: world.collection("articles").clone(),
        filter: Filter::All,
        group_by: vec![Group {
            alias: "title".to_owned(),
            operand: title(),
        }],
        figures: Vec::new(),
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }));
    assert_eq!(groups.await.len(), 3);
}

#[tokio::test]
async fn the_tag_of_an_item_is_made_of_what_is_shown_of_it() {
    let Some(world) = filled().await else { return };
    let member = |field: &str, when: Option<Filter>| {
        let (_, name) = field.split_once('.').unwrap();
        Selected {
            when: when.map(Arc::new),
            ..Selected::new(name, Source::Field(world.field(field).clone()))
        }
    };
    let tag = |members: Vec<Selected>| Selected::new("_rev", Source::Tag(members));
    let published = || Filter::field(world.field("articles.id"), Test::Less(2.into()));
    let tagged = |title: Option<Filter>| {
        let mut plan = world.read("articles", &["title"]);
        plan.select.push(tag(vec![
            member("articles.id", None),
            member("articles.title", title),
        ]));
        plan
    };
    let open = world.json(tagged(None)).await;
    let masked = world.json(tagged(Some(published()))).await;
    for (i, (open, masked)) in
        std::iter::zip(open.as_array().unwrap(), masked.as_array().unwrap()).enumerate()
    {
        let shown = |value: Value| loggia_model::tag::tag(value.as_object().unwrap());
        assert_eq!(open["_rev"], shown(json!({"id": i + 1, "title": open["title"]})));
        // What is not shown is as if it held nothing, however it is asked for otherwise.
        let title = if i == 0 {
            open["title"].clone()
        } else {
            Value::Null
        };
        assert_eq!(masked["_rev"], shown(json!({"id": i + 1, "title": title})));
        assert_eq!(masked["title"], open["title"]);
    }
    // Below a list as well, and with keys that are text.
    let mut tags = world.read("tags", &[]);
    tags.select = vec![tag(vec![member("tags.id", None)])];
    let mut links = world.read("articles_tags", &[]);
    links.limit = Some(1);
    links.select = vec![world.related("articles_tags.tag", vec![tags], false)];
    let mut plan = world.read("articles", &[]);
    plan.select = vec![world.related("articles.tags", vec![links], false)];
    plan.limit = Some(1);
    let red = loggia_model::tag::tag(json!({"id": RED}).as_object().unwrap());
    assert_eq!(
        world.json(plan).await,
        json!([{"tags": [{"tag": {"_rev": red}}]}])
    );
}
