//! Random filters, orders and windows, against an evaluation in memory that is too simple to be wrong.

use std::cmp::Ordering;
use std::str::FromStr as _;
use std::sync::Arc;

use bigdecimal::BigDecimal;
use loggia_model::filter::{Operand, Place, Quantifier, Test};
use loggia_model::plan::Sort;
use loggia_model::{Filter, Scalar};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::world::{World, newspaper};

const TEXTS: [&str; 8] = ["", "a", "Ab", "aB", "äß", "ÄSS", "b_%", "zz a"];
const PRICES: [&str; 6] = ["1.0", "1.00", "-2", "10", "9.99", "0"];
const FIELDS: [&str; 4] = ["views", "status", "price", "title"];

/// One article as the simple evaluation has it.
#[derive(Clone, Debug)]
struct Row {
    id: i64,
    title: usize,
    status: Option<usize>,
    views: Option<i64>,
    price: Option<usize>,
    author: Option<i64>,
    links: i64,
}

/// A condition, before it becomes a filter.
#[derive(Clone, Debug)]
enum Condition {
    Test(usize, Test),
    /// A test of a value that is NULL on the rows where a condition does not hold.
    Masked(Box<Condition>, usize, Test),
    /// The author's name, where the step may lead to that author.
    Through(String, Test),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Author(Quantifier, String),
    Links(Test),
}

fn rows() -> Vec<Row> {
    // Different remainders, so that every combination of values comes up.
    let some = |i: i64, every: i64, count: i64| (i % every != 0).then_some(i % count);
    let index = |number: Option<i64>| number.map(|number| number as usize);
    (1..=60)
        .map(|i| Row {
            id: i,
            title: (i % 7 + 1) as usize,
            status: index(some(i, 5, 8)),
            views: some(i, 4, 6),
            price: index(some(i, 3, 6)),
            author: some(i, 6, 3).map(|author| author + 1),
            links: i % 4,
        })
        .collect()
}

async fn filled() -> Option<World> {
    let world = newspaper().await?;
    let names: Vec<[(&str, Value); 1]> = ["Ann", "Bob", "Cid"].map(|name| [("name", json!(name))]).into();
    let names: Vec<&[(&str, Value)]> = names.iter().map(<[_; 1]>::as_slice).collect();
    world.write(world.insert("authors", &names)).await.unwrap();
    for row in rows() {
        let values = [
            ("title", json!(TEXTS[row.title])),
            ("status", json!(row.status.map(|i| TEXTS[i]))),
            ("views", json!(row.views)),
            ("price", json!(row.price.map(|i| PRICES[i]))),
            ("author", json!(row.author)),
        ];
        world.write(world.insert("articles", &[&values])).await.unwrap();
        for _ in 0..row.links {
            world
                .write(world.insert("articles_tags", &[&[("article", json!(row.id))]]))
                .await
                .unwrap();
        }
    }
    Some(world)
}

fn scalar(field: usize) -> BoxedStrategy<Scalar> {
    match FIELDS[field] {
        "views" => (-1..7_i64).prop_map(Scalar::Int).boxed(),
        "price" => prop::sample::select(&PRICES[..]).prop_map(Scalar::from).boxed(),
        _ => prop::sample::select(&TEXTS[..]).prop_map(Scalar::from).boxed(),
    }
}

fn tests(field: usize) -> BoxedStrategy<Test> {
    let one = || scalar(field);
    let list = || prop::collection::vec(one(), 0..4);
    let values = prop_oneof![
        Just(Test::Null),
        Just(Test::NotNull),
        Just(Test::Empty),
        Just(Test::NotEmpty),
        one().prop_map(Test::Equal),
        one().prop_map(Test::NotEqual),
        one().prop_map(Test::Less),
        one().prop_map(Test::LessOrEqual),
        one().prop_map(Test::Greater),
        one().prop_map(Test::GreaterOrEqual),
        list().prop_map(Test::In),
        list().prop_map(Test::NotIn),
        (one(), one()).prop_map(|(low, high)| Test::Between(low, high)),
        (one(), one()).prop_map(|(low, high)| Test::NotBetween(low, high)),
    ];
    if matches!(FIELDS[field], "views" | "price") {
        return values.boxed();
    }
    let places = prop::sample::select(vec![Place::Anywhere, Place::Start, Place::End, Place::Whole]);
    let pieces = prop::sample::select(vec!["", "a", "A", "ss", "b", "_", "%", " ", "ä"]);
    let text =
        (places, pieces, any::<bool>(), any::<bool>()).prop_map(|(at, piece, ignore_case, negated)| {
            Test::Text {
                at,
                piece: piece.to_owned(),
                ignore_case,
                negated,
            }
        });
    prop_oneof![3 => values, 2 => text].boxed()
}

fn conditions() -> impl Strategy<Value = Condition> {
    let quantifiers = prop::sample::select(vec![Quantifier::Some, Quantifier::None]);
    let leaf = prop_oneof![
        6 => (0..FIELDS.len()).prop_flat_map(|field| tests(field).prop_map(move |test| Condition::Test(field, test))),
        1 => (quantifiers, prop::sample::select(vec!["Ann", "Bob", "Nobody"]))
            .prop_map(|(quantifier, name)| Condition::Author(quantifier, name.to_owned())),
        1 => (0..4_i64).prop_map(|count| Condition::Links(Test::GreaterOrEqual(Scalar::Int(count)))),
        1 => (prop::sample::select(vec!["Ann", "Bob"]), prop::sample::select(vec![
            Test::Null,
            Test::NotEqual("Cid".into()),
            Test::Equal("Ann".into()),
        ]))
            .prop_map(|(name, test)| Condition::Through(name.to_owned(), test)),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Or),
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            (inner, 0..FIELDS.len()).prop_flat_map(|(when, field)| {
                tests(field).prop_map(move |test| Condition::Masked(Box::new(when.clone()), field, test))
            }),
        ]
    })
}

fn lower(world: &World, condition: &Condition) -> Filter {
    let all = |parts: &[Condition]| parts.iter().map(|part| lower(world, part)).collect();
    match condition {
        Condition::Test(field, test) => world.test(&format!("articles.{}", FIELDS[*field]), test.clone()),
        Condition::Masked(when, field, test) => Filter::Test {
            operand: masked(world, Some(when), *field),
            test: test.clone(),
        },
        Condition::Through(name, test) => Filter::Test {
            operand: Operand::Through {
                step: world.step("articles.author", None),
                filter: Box::new(world.test("authors.name", Test::Equal(name.as_str().into()))),
                operand: Box::new(Operand::Field(world.field("authors.name").clone())),
            },
            test: test.clone(),
        },
        Condition::And(parts) => Filter::And(all(parts)),
        Condition::Or(parts) => Filter::Or(all(parts)),
        Condition::Not(inner) => Filter::Not(Box::new(lower(world, inner))),
        Condition::Author(quantifier, name) => Filter::Related {
            step: world.step("articles.author", None),
            quantifier: *quantifier,
            filter: Box::new(world.test("authors.name", Test::Equal(name.as_str().into()))),
        },
        Condition::Links(test) => Filter::Test {
            operand: Operand::Count {
                step: world.step("articles.tags", None),
                filter: Box::new(Filter::All),
            },
            test: test.clone(),
        },
    }
}

/// A column of articles, on the rows where a condition holds.
fn masked(world: &World, when: Option<&Condition>, field: usize) -> Operand {
    let operand = Operand::Field(world.field(&format!("articles.{}", FIELDS[field])).clone());
    match when {
        Some(when) => Operand::Case {
            when: Arc::new(lower(world, when)),
            operand: Box::new(operand),
        },
        None => operand,
    }
}

/// As [`masked`] has it.
fn seen(row: &Row, when: Option<&Condition>, field: usize) -> Scalar {
    match when {
        Some(when) if !holds(row, when) => Scalar::Null,
        _ => value(row, field),
    }
}

fn author(row: &Row) -> Option<&'static str> {
    row.author.map(|key| ["Ann", "Bob", "Cid"][key as usize - 1])
}

fn holds(row: &Row, condition: &Condition) -> bool {
    match condition {
        Condition::Test(field, test) => passes(&value(row, *field), test),
        Condition::Masked(when, field, test) => passes(&seen(row, Some(when), *field), test),
        Condition::Through(name, test) => passes(&author(row).filter(|author| author == name).into(), test),
        Condition::And(parts) => parts.iter().all(|part| holds(row, part)),
        Condition::Or(parts) => parts.iter().any(|part| holds(row, part)),
        Condition::Not(inner) => !holds(row, inner),
        Condition::Author(quantifier, name) => {
            (author(row) == Some(name.as_str())) == (*quantifier == Quantifier::Some)
        }
        Condition::Links(test) => passes(&Scalar::Int(row.links), test),
    }
}

fn value(row: &Row, field: usize) -> Scalar {
    match FIELDS[field] {
        "views" => row.views.into(),
        "status" => row.status.map(|i| TEXTS[i]).into(),
        "price" => row.price.map(|i| format!("d{}", PRICES[i])).into(),
        _ => TEXTS[row.title].into(),
    }
}

/// Prices are marked with a `d` so that they are told from text.
fn order(left: &Scalar, right: &Scalar) -> Ordering {
    let price = |text: &str| BigDecimal::from_str(text).unwrap();
    match (left, right) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        (_, Scalar::Null) => Ordering::Greater,
        (Scalar::Int(left), Scalar::Int(right)) => left.cmp(right),
        (Scalar::Text(left), Scalar::Text(right)) => {
            match (left.strip_prefix('d'), right.strip_prefix('d')) {
                (Some(left), Some(right)) => price(left).cmp(&price(right)),
                (Some(left), None) => price(left).cmp(&price(right)),
                _ => left.cmp(right),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn passes(value: &Scalar, test: &Test) -> bool {
    let null = value.is_null();
    let compared = |other: &Scalar| order(value, other);
    let empty = value.as_text() == Some("");
    match test {
        Test::Null => null,
        Test::NotNull => !null,
        Test::Empty => null || empty,
        Test::NotEmpty => !null && !empty,
        _ if null => false,
        Test::Equal(other) => compared(other).is_eq(),
        Test::NotEqual(other) => compared(other).is_ne(),
        Test::Less(other) => compared(other).is_lt(),
        Test::LessOrEqual(other) => compared(other).is_le(),
        Test::Greater(other) => compared(other).is_gt(),
        Test::GreaterOrEqual(other) => compared(other).is_ge(),
        Test::In(others) => others.iter().any(|other| compared(other).is_eq()),
        Test::NotIn(others) => !others.iter().any(|other| compared(other).is_eq()),
        Test::Between(low, high) => compared(low).is_ge() && compared(high).is_le(),
        Test::NotBetween(low, high) => compared(low).is_lt() || compared(high).is_gt(),
        Test::Text {
            at,
            piece,
            ignore_case,
            negated,
        } => {
            let fold = |text: &str| match ignore_case {
                true => text.to_lowercase().replace('ß', "ss"),
                false => text.to_owned(),
            };
            let (text, piece) = (fold(value.as_text().unwrap()), fold(piece));
            let found = match at {
                Place::Anywhere => text.contains(&piece),
                Place::Start => text.starts_with(&piece),
                Place::End => text.ends_with(&piece),
                Place::Whole => text == piece,
            };
            found != *negated
        }
        Test::Intersects { .. } => unreachable!("articles have no shapes"),
    }
}

#[test]
fn filters_orders_and_windows_are_what_a_simple_evaluation_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some(world) = runtime.block_on(filled()) else {
        return;
    };
    let sorts = prop::collection::vec(
        (0..FIELDS.len(), any::<bool>(), prop::option::of(conditions())),
        0..3,
    );
    let windows = (prop::option::of(0..20_u64), 0..10_u64);
    let config = Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(
        &(conditions(), sorts, windows, prop::option::of(conditions())),
        |(condition, sorts, (limit, offset), shown)| {
            let mut plan = world.read("articles", &["id", "views", "title"]);
            let when = shown.as_ref().map(|shown| Arc::new(lower(&world, shown)));
            let links = world.related("articles.tags", vec![world.read("articles_tags", &[])], true);
            plan.select.push(links);
            for member in &mut plan.select[1..] {
                member.when.clone_from(&when);
            }
            plan.filter = lower(&world, &condition);
            plan.limit = limit;
            plan.offset = offset;
            plan.sort = sorts
                .iter()
                .map(|(field, descending, when)| Sort {
                    operand: masked(&world, when.as_ref(), *field),
                    descending: *descending,
                })
                .collect();
            let mut expect: Vec<Row> = rows().into_iter().filter(|row| holds(row, &condition)).collect();
            expect.sort_by(|left, right| {
                let by_sorts = sorts.iter().map(|(field, descending, when)| {
                    let value = |row| seen(row, when.as_ref(), *field);
                    let order = order(&value(left), &value(right));
                    if *descending { order.reverse() } else { order }
                });
                by_sorts
                    .fold(Ordering::Equal, Ordering::then)
                    .then(left.id.cmp(&right.id))
            });
            let expect: Vec<(i64, Value, Value, usize)> = expect
                .into_iter()
                .map(|row| match &shown {
                    Some(shown) if !holds(&row, shown) => (row.id, Value::Null, Value::Null, 0),
                    _ => (
                        row.id,
                        json!(row.views),
                        json!(TEXTS[row.title]),
                        row.links as usize,
                    ),
                })
                .skip(offset as usize)
                .take(limit.map_or(usize::MAX, |limit| limit as usize))
                .collect();
            let got: Vec<_> = runtime
                .block_on(world.rows(plan))
                .iter()
                .map(|row| {
                    let links = row["tags"].as_array().unwrap().len();
                    (
                        row["id"].as_i64().unwrap(),
                        row["views"].clone(),
                        row["title"].clone(),
                        links,
                    )
                })
                .collect();
            prop_assert_eq!(got, expect);
            Ok(())
        },
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
