//! Which rows a filter keeps, in which order they come, and figures about them.

use loggia_model::filter::{Function, Operand, Place, Quantifier, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan, Selected, Sort, Source,
};
use loggia_model::{Filter, Scalar};
use serde_json::{Value, json};

use super::world::{World, newspaper};

/// Six articles, of which the last has no values.
async fn filled() -> Option<World> {
    let world = newspaper().await?;
    world
        .write(world.insert(
            "authors",
            &[
                &[("name", json!("Ann"))],
                &[("name", json!("Bob")), ("editor", json!(1))],
            ],
        ))
        .await
        .unwrap();
    let data = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let rows: [&[(&str, Value)]; 6] = [
        &[
            ("title", json!("Straße")),
            ("price", data("10.50")),
            ("views", json!(1)),
            ("score", json!(0.5)),
            ("featured", json!(true)),
            ("data", json!({"a": {"b": [1, "x"]}, "n": 5})),
            ("published", json!("2026-01-31T11:45:06.000Z")),
            ("author", json!(1)),
            ("status", json!("live")),
        ],
        &[
            ("title", json!("STRASSE 100%")),
            ("price", data("9.5")),
            ("views", json!(2)),
            ("score", json!(1.5)),
            ("featured", json!(false)),
            ("data", json!([])),
            ("published", json!("2026-12-31T23:59:59.999Z")),
            ("author", json!(1)),
            ("status", json!("live")),
        ],
        &[
            ("title", json!("under_score")),
            ("price", data("10.5")),
            ("views", json!(3)),
            ("data", json!([1, 2, 3])),
            ("published", json!("2027-01-01T00:00:00.000Z")),
            ("author", json!(2)),
            ("status", json!("live")),
        ],
        &[
            ("title", json!("")),
            ("price", data("-3")),
            ("views", json!(4)),
            ("data", json!({})),
            ("author", json!(2)),
            ("status", json!("")),
        ],
        &[
            ("title", json!("underXscore")),
            ("price", data("1e3")),
            ("views", json!(5)),
            ("data", json!("text")),
        ],
        &[("title", json!("last")), ("status", json!(null))],
    ];
    world.write(world.insert("articles", &rows)).await.unwrap();
    let links: [&[(&str, Value)]; 3] = [
        &[("article", json!(1)), ("sort", json!(1))],
        &[("article", json!(1)), ("sort", json!(2))],
        &[("article", json!(2)), ("sort", json!(1))],
    ];
    world.write(world.insert("articles_tags", &links)).await.unwrap();
    let blocks: [&[(&str, Value)]; 2] = [
        &[("collection", json!("authors")), ("item", json!("2"))],
        &[("collection", json!("tags")), ("item", json!("2"))],
    ];
    world.write(world.insert("blocks", &blocks)).await.unwrap();
    Some(world)
}

/// The keys of the articles that a filter keeps.
async fn kept(world: &World, filter: Filter) -> Vec<i64> {
    keys(world, "articles", filter, vec![]).await
}

async fn keys(world: &World, collection: &str, filter: Filter, sort: Vec<Sort>) -> Vec<i64> {
    let mut plan = world.read(collection, &["id"]);
    plan.filter = filter;
    plan.sort = sort;
    let rows = world.rows(plan).await;
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn text(at: Place, piece: &str, ignore_case: bool) -> Test {
    Test::Text {
        at,
        piece: piece.to_owned(),
        ignore_case,
        negated: false,
    }
}

#[tokio::test]
async fn tests_of_values() {
    let Some(world) = filled().await else { return };
    let int = Scalar::Int;
    let check = async |field: &str, test: Test, expect: &[i64]| {
        let filter = world.test(&format!("articles.{field}"), test.clone());
        assert_eq!(kept(&world, filter).await, expect, "{field} {test:?}");
    };
    check("views", Test::Null, &[6]).await;
    check("views", Test::NotNull, &[1, 2, 3, 4, 5]).await;
    check("views", Test::Equal(int(2)), &[2]).await;
    check("views", Test::NotEqual(int(2)), &[1, 3, 4, 5]).await;
    check("views", Test::Less(int(2)), &[1]).await;
    check("views", Test::LessOrEqual(int(2)), &[1, 2]).await;
    check("views", Test::Greater(int(4)), &[5]).await;
    check("views", Test::GreaterOrEqual(int(4)), &[4, 5]).await;
    check("views", Test::In(vec![int(1), int(5), int(9)]), &[1, 5]).await;
    check("views", Test::In(vec![int(3)]), &[3]).await;
    check("views", Test::In(vec![]), &[]).await;
    check("views", Test::NotIn(vec![int(1), int(5)]), &[2, 3, 4]).await;
    check("views", Test::NotIn(vec![]), &[1, 2, 3, 4, 5]).await;
    check("views", Test::Between(int(2), int(3)), &[2, 3]).await;
    check("views", Test::NotBetween(int(2), int(3)), &[1, 4, 5]).await;
    check("featured", Test::Equal(true.into()), &[1]).await;
    check("score", Test::Greater(Scalar::Real(0.5)), &[2]).await;
    check("status", Test::Empty, &[4, 6]).await;
    check("status", Test::NotEmpty, &[1, 2, 3, 5]).await;
    check("data", Test::Empty, &[2, 4, 6]).await;
    check("data", Test::NotEmpty, &[1, 3, 5]).await;
    check("views", Test::Empty, &[6]).await;
    check("views", Test::NotEmpty, &[1, 2, 3, 4, 5]).await;
    check("price", Test::Equal("10.500".into()), &[1, 3]).await;
    check("price", Test::In(vec!["9.50".into(), "-3.0".into()]), &[2, 4]).await;
    check("price", Test::Less("10".into()), &[2, 4]).await;
    check("price", Test::Between("9.50".into(), "10.5".into()), &[1, 2, 3]).await;
    check("published", Test::Less("2026-12-31T23:59:59.999Z".into()), &[1]).await;
}

#[tokio::test]
async fn pieces_of_text_are_literal() {
    let Some(world) = filled().await else { return };
    let check = async |at: Place, piece: &str, ignore_case: bool, expect: &[i64]| {
        let filter = world.test("articles.title", text(at, piece, ignore_case));
        assert_eq!(kept(&world, filter).await, expect, "{at:?} {piece} {ignore_case}");
    };
    check(Place::Anywhere, "strasse", false, &[]).await;
    check(Place::Anywhere, "strasse", true, &[1, 2]).await;
    check(Place::Anywhere, "_", false, &[3]).await;
    check(Place::Anywhere, "%", true, &[2]).await;
    check(Place::Start, "under", false, &[3, 5]).await;
    check(Place::Start, "UNDER", false, &[]).await;
    check(Place::Start, "UNDER", true, &[3, 5]).await;
    check(Place::End, "score", false, &[3, 5]).await;
    check(Place::End, "SCORE", true, &[3, 5]).await;
    check(Place::Whole, "LAST", true, &[6]).await;
    check(Place::Whole, "LAST", false, &[]).await;
    check(Place::Anywhere, "", false, &[1, 2, 3, 4, 5, 6]).await;
    check(Place::End, "", true, &[1, 2, 3, 4, 5, 6]).await;
    let negated = Test::Text {
        at: Place::Anywhere,
        piece: "live".to_owned(),
        ignore_case: true,
        negated: true,
    };
    assert_eq!(
        kept(&world, world.test("articles.status", negated)).await,
        [4, 5],
        "NULL does not match"
    );
}

#[tokio::test]
async fn case_does_not_matter_in_any_script() {
    let Some(world) = newspaper().await else { return };
    let cased: Vec<char> = ('\u{1}'..=char::MAX)
        .filter(|c| c.to_lowercase().ne([*c]) || c.to_uppercase().ne([*c]))
        .collect();
    assert!(cased.len() > 2_800);
    // Between letters and at the end of a word: some have another form there.
    let texts: Vec<String> = cased
        .chunks(40)
        .map(|chunk| chunk.iter().map(|c| format!("{c}b{c} ")).collect())
        .collect();
    let rows: Vec<[(&str, Value); 1]> = texts.iter().map(|text| [("title", json!(text))]).collect();
    let rows: Vec<&[(&str, Value)]> = rows.iter().map(<[_; 1]>::as_slice).collect();
    world.write(world.insert("articles", &rows)).await.unwrap();
    for (i, title) in texts.iter().enumerate() {
        let variants: [fn(char) -> String; 3] = [
            |c| c.to_string(),
            |c| c.to_lowercase().collect(),
            |c| c.to_uppercase().collect(),
        ];
        for variant in variants {
            let piece: String = title.chars().map(variant).collect();
            let filter = world.test("articles.title", text(Place::Whole, &piece, true));
            assert_eq!(kept(&world, filter).await, [i as i64 + 1], "{title}");
        }
    }
}

#[tokio::test]
async fn conditions_combine_with_null_counting_as_not_holding() {
    let Some(world) = filled().await else { return };
    let views = |test: Test| world.test("articles.views", test);
    let check = async |filter: Filter, expect: &[i64]| {
        let text = format!("{filter:?}");
        assert_eq!(kept(&world, filter).await, expect, "{text}");
    };
    check(Filter::All, &[1, 2, 3, 4, 5, 6]).await;
    check(Filter::Nothing, &[]).await;
    check(Filter::And(vec![]), &[1, 2, 3, 4, 5, 6]).await;
    check(Filter::Or(vec![]), &[]).await;
    check(Filter::Not(Box::new(Filter::Nothing)), &[1, 2, 3, 4, 5, 6]).await;
    check(
        Filter::Not(Box::new(views(Test::Greater(Scalar::Int(2))))),
        &[1, 2, 6],
    )
    .await;
    check(
        Filter::Not(Box::new(Filter::And(vec![
            views(Test::Greater(Scalar::Int(2))),
            Filter::All,
        ]))),
        &[1, 2, 6],
    )
    .await;
    check(
        Filter::Or(vec![views(Test::Null), views(Test::Equal(Scalar::Int(1)))]),
        &[1, 6],
    )
    .await;
}

#[tokio::test]
async fn conditions_on_related_items() {
    let Some(world) = filled().await else { return };
    let related = |path: &str, quantifier: Quantifier, filter: Filter| Filter::Related {
        step: world.step(path, Some("authors")),
        quantifier,
        filter: Box::new(filter),
    };
    let check = async |collection: &str, filter: Filter, expect: &[i64]| {
        let text = format!("{filter:?}");
        assert_eq!(
            keys(&world, collection, filter, vec![]).await,
            expect,
            "{collection} {text}"
        );
    };
    let name = |name: &str| world.test("authors.name", Test::Equal(name.into()));
    check(
        "articles",
        related("articles.author", Quantifier::Some, name("Ann")),
        &[1, 2],
    )
    .await;
    check(
        "articles",
        related("articles.author", Quantifier::None, name("Ann")),
        &[3, 4, 5, 6],
    )
    .await;
    check(
        "articles",
        related("articles.author", Quantifier::Some, Filter::All),
        &[1, 2, 3, 4],
    )
    .await;
    check(
        "authors",
        related(
            "authors.articles",
            Quantifier::Some,
            world.test("articles.views", Test::Equal(Scalar::Int(4))),
        ),
        &[2],
    )
    .await;
    let deep = related("authors.editor", Quantifier::Some, name("Ann"));
    check(
        "articles",
        related("articles.author", Quantifier::Some, deep),
        &[3, 4],
    )
    .await;
    let sort = || world.test("articles_tags.sort", Test::Equal(Scalar::Int(2)));
    check(
        "articles",
        related("articles.tags", Quantifier::Some, sort()),
        &[1],
    )
    .await;
    check(
        "articles",
        related("articles.tags", Quantifier::None, sort()),
        &[2, 3, 4, 5, 6],
    )
    .await;
    check(
        "blocks",
        related("blocks.item", Quantifier::Some, name("Bob")),
        &[1],
    )
    .await;
}

#[tokio::test]
async fn parts_of_values_counts_and_paths_are_tested_and_sorted_by() {
    let Some(world) = filled().await else { return };
    let check = async |operand: Operand, test: Test, expect: &[i64]| {
        let text = format!("{operand:?}");
        assert_eq!(
            kept(&world, Filter::Test { operand, test }).await,
            expect,
            "{text}"
        );
    };
    let part = |function: Function, field: &str| Operand::Function {
        function,
        field: world.field(field).clone(),
    };
    check(
        part(Function::Year, "articles.published"),
        Test::Equal(Scalar::Int(2026)),
        &[1, 2],
    )
    .await;
    check(
        part(Function::Week, "articles.published"),
        Test::Equal(Scalar::Int(53)),
        &[2, 3],
    )
    .await;
    check(
        part(Function::Hour, "articles.published"),
        Test::Less(Scalar::Int(12)),
        &[1, 3],
    )
    .await;
    check(
        part(Function::Count, "articles.data"),
        Test::Equal(Scalar::Int(3)),
        &[3],
    )
    .await;
    let path = |path: &[&str]| Operand::JsonPath {
        field: world.field("articles.data").clone(),
        path: path.iter().map(|step| (*step).to_owned()).collect(),
    };
    check(path(&["a", "b", "1"]), Test::Equal("x".into()), &[1]).await;
    check(path(&["n"]), Test::Greater(Scalar::Int(4)), &[1]).await;
    check(path(&["1"]), Test::Equal(Scalar::Int(2)), &[3]).await;
    check(path(&["nothing"]), Test::NotNull, &[]).await;
    let tags = || Operand::Count {
        step: world.step("articles.tags", None),
        filter: Box::new(Filter::All),
    };
    check(tags(), Test::GreaterOrEqual(Scalar::Int(2)), &[1]).await;
    check(tags(), Test::Equal(Scalar::Int(0)), &[3, 4, 5, 6]).await;

    let order = async |operand: Operand, descending: bool, expect: &[i64]| {
        let text = format!("{operand:?}");
        let sort = vec![Sort { operand, descending }];
        assert_eq!(
            keys(&world, "articles", Filter::All, sort).await,
            expect,
            "{text}"
        );
    };
    let field = |path: &str| Operand::Field(world.field(path).clone());
    order(field("articles.price"), false, &[6, 4, 2, 1, 3, 5]).await;
    order(field("articles.price"), true, &[5, 1, 3, 2, 4, 6]).await;
    order(tags(), true, &[1, 2, 3, 4, 5, 6]).await;
    order(
        Operand::Through {
            filter: Box::new(Filter::All),
            step: world.step("articles.author", None),
            operand: Box::new(field("authors.name")),
        },
        true,
        &[3, 4, 1, 2, 5, 6],
    )
    .await;
}

#[tokio::test]
async fn parts_and_windows_of_the_answer() {
    let Some(world) = filled().await else { return };
    let mut plan = world.read("articles", &["id"]);
    plan.select.push(Selected {
        when: None,
        alias: "published_year".to_owned(),
        source: Source::Function {
            function: Function::Year,
            field: world.field("articles.published").clone(),
        },
    });
    plan.limit = Some(2);
    plan.offset = 1;
    assert_eq!(
        world.json(plan.clone()).await,
        json!([{"id": 2, "published_year": 2026}, {"id": 3, "published_year": 2027}])
    );
    plan.limit = None;
    plan.offset = 5;
    assert_eq!(world.json(plan).await, json!([{"id": 6, "published_year": null}]));
}

#[tokio::test]
async fn figures_of_all_rows() {
    let Some(world) = filled().await else { return };
    let figure = |function, field: Option<&str>| Figure {
        when: None,
        function,
        field: field.map(|name| world.field(&format!("articles.{name}")).clone()),
    };
    let plan = Plan::Aggregate(AggregatePlan {
        collection: world.collection("articles").clone(),
        filter: Filter::All,
        group_by: vec![],
        figures: vec![
            figure(Aggregate::Count, None),
            figure(Aggregate::CountAll, None),
            figure(Aggregate::Count, Some("views")),
            figure(Aggregate::CountDistinct, Some("price")),
            figure(Aggregate::Sum, Some("views")),
            figure(Aggregate::Sum, Some("price")),
            figure(Aggregate::SumDistinct, Some("price")),
            figure(Aggregate::Avg, Some("views")),
            figure(Aggregate::Avg, Some("price")),
            figure(Aggregate::Min, Some("price")),
            figure(Aggregate::Max, Some("price")),
            figure(Aggregate::Max, Some("title")),
            figure(Aggregate::Sum, Some("score")),
        ],
        sort: vec![],
        limit: None,
        offset: 0,
    });
    let rows = world.run(plan).await;
    let row = &rows[0];
    assert_eq!(row["count"], json!({"*": 6, "views": 5}));
    assert_eq!(row["countAll"], json!(6));
    assert_eq!(row["countDistinct"], json!({"price": 4}));
    assert_eq!(
        row["sum"].to_string(),
        r#"{"views":15,"price":1027.50,"score":2}"#
    );
    assert_eq!(row["sumDistinct"].to_string(), r#"{"price":1017.00}"#);
    assert_eq!(row["avg"].to_string(), r#"{"views":3,"price":205.5}"#);
    assert_eq!(row["min"], json!({"price": -3}));
    assert_eq!(row["max"], json!({"price": 1000, "title": "under_score"}));
}

#[tokio::test]
async fn figures_of_groups() {
    let Some(world) = filled().await else { return };
    let plan = |sort: Vec<FigureSort>, limit: Option<u64>| {
        Plan::Aggregate(AggregatePlan {
            collection: world.collection("articles").clone(),
            filter: world.test("articles.views", Test::NotNull),
            group_by: vec![
                Group {
                    alias: "status".to_owned(),
                    operand: Operand::Field(world.field("articles.status").clone()),
                },
                Group {
                    alias: "published_year".to_owned(),
                    operand: Operand::Function {
                        function: Function::Year,
                        field: world.field("articles.published").clone(),
                    },
                },
            ],
            figures: vec![Figure {
                when: None,
                function: Aggregate::Sum,
                field: Some(world.field("articles.views").clone()),
            }],
            sort,
            limit,
            offset: 0,
        })
    };
    let by_sum = || {
        vec![FigureSort {
            key: FigureKey::Figure(0),
            descending: true,
        }]
    };
    let row = |status: &str, year: Value, sum: i64| json!({"status": status, "published_year": year, "sum": {"views": sum}});
    let json = |rows: Vec<loggia_model::Record>| rows.into_iter().map(Value::Object).collect::<Value>();
    assert_eq!(
        json(world.run(plan(vec![], None)).await),
        json!([
            row("", Value::Null, 4),
            row("draft", Value::Null, 5),
            row("live", json!(2026), 3),
            row("live", json!(2027), 3),
        ])
    );
    assert_eq!(
        json(world.run(plan(by_sum(), Some(2))).await),
        json!([row("draft", Value::Null, 5), row("", Value::Null, 4)])
    );
}
