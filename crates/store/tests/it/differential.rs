//! Plans at random on several databases: the same rows, in the same order, with the same values to the letter, and the
//! same problems.

use std::sync::Arc;

use loggia_model::filter::{Function, Operand, Place, Quantifier, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan, ReadPlan, Selected, Sort, Source,
};
use loggia_model::schema::{Action, Column};
use loggia_model::{Filter, Relation, Scalar, StorageKind as Kind};
use loggia_servers::Kind as Database;
use loggia_store::Error;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::world::{World, change, column, counted_key, key_to, opened, options, permit, table};

/// Columns of every kind, by name.
const COLUMNS: [(&str, Kind); 15] = [
    ("truth", Kind::Boolean),
    ("whole", Kind::Integer),
    ("large", Kind::BigInteger),
    ("real", Kind::Float),
    ("price", Kind::Decimal),
    ("name", Kind::String),
    ("body", Kind::Text),
    ("data", Kind::Json),
    ("day", Kind::Date),
    ("hour", Kind::Time),
    ("local", Kind::DateTime),
    ("moment", Kind::Timestamp),
    ("mark", Kind::Uuid),
    ("bytes", Kind::Binary),
    ("place", Kind::Geometry),
];

/// Values of a kind, as they are written.
pub(crate) fn pool(kind: Kind) -> Vec<Value> {
    let read = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect()
    };
    match kind {
        Kind::Boolean => read(&["true", "false"]),
        Kind::Integer => read(&["0", "1", "-1", "7", "2147483647", "-2147483648"]),
        Kind::BigInteger => read(&[
            "0",
            "1",
            "9007199254740993",
            "\"9223372036854775807\"",
            "\"-9223372036854775808\"",
            "10",
        ]),
        Kind::Float => read(&[
            "0",
            "-0.0",
            "0.1",
            "0.2",
            "0.30000000000000004",
            "1e300",
            "-1.5",
            "5e-324",
            "123456789.125",
            "1e23",
        ]),
        Kind::Decimal => read(&[
            "1.0",
            "1.00",
            "-2",
            "10",
            "9.99",
            "\"12345678901234567890.12345\"",
            "0.1",
            "0",
            "-0.00",
            "1e3",
        ]),
        Kind::String | Kind::Text => read(&[
            "\"\"",
            "\"a\"",
            "\"Ab\"",
            "\"aB\"",
            "\"äß\"",
            "\"ÄSS\"",
            "\"b_%\"",
            "\"b\\\\\"",
            "\"zz a\"",
            "\" a\"",
            "\"ΟΔΟΣ\"",
            "\"οδος\"",
            "\"İ\"",
            "\"😀\"",
            "\"10\"",
            "\"9\"",
            "\"Z\"",
            "\"it's \\\"q\\\"\"",
        ]),
        Kind::Json => read(&[
            "{}",
            "[]",
            "\"\"",
            "\"text\"",
            "1",
            "1.50",
            "true",
            "{\"a\": 1, \"b\": [1, \"x\", null, true, {\"c\": \"deep\"}]}",
            "{\"a\": \"1\", \"b\": []}",
            "{\"a\": 2.5}",
            "{\"a\": 9007199254740993}",
            "{\"a\": 1e400}",
            "{\"a\": -0.0}",
            "{\"a\": true, \"b\": {\"0\": \"zero\"}}",
            "{\"a\": \"Äpfel\"}",
            "{\"a\": [1, 2]}",
            "[1, 2, 3]",
            "{\"b\": \"nul \\u0000 inside\", \"a\": 5}",
        ]),
        Kind::Date => read(&[
            "\"2026-01-31\"",
            "\"2027-01-01\"",
            "\"1999-12-31\"",
            "\"0001-01-01\"",
            "\"9999-12-31\"",
        ]),
        Kind::Time => read(&[
            "\"00:00:00\"",
            "\"13:45:00\"",
            "\"13:45:00.25\"",
            "\"23:59:59.999999\"",
        ]),
        Kind::DateTime => read(&[
            "\"2026-01-31T13:45:00\"",
            "\"2026-01-31T13:45:00.5\"",
            "\"2024-02-29T00:00:00\"",
            "\"2027-01-01T23:59:59.123456\"",
        ]),
        Kind::Timestamp => read(&[
            "\"2026-01-31T13:45:00Z\"",
            "\"2026-01-31T13:45:00.250Z\"",
            "\"2026-12-31T23:59:59.999Z\"",
            "\"1970-01-01T00:00:00Z\"",
        ]),
        Kind::Uuid => read(&[
            "\"11111111-1111-4111-8111-111111111111\"",
            "\"AAAAAAAA-1111-4111-8111-111111111111\"",
            "\"ffffffff-ffff-4fff-8fff-ffffffffffff\"",
        ]),
        Kind::Binary => read(&["\"\"", "\"AAEC\"", "\"/w==\"", "\"gA==\""]),
        Kind::Geometry => shapes(),
    }
}

/// Shapes that touch, lie inside each other, and miss each other by less than what is rounded.
fn shapes() -> Vec<Value> {
    let of = |kind: &str, coordinates: Value| json!({"type": kind, "coordinates": coordinates});
    let ring = |low: i32, high: i32| json!([[low, low], [high, low], [high, high], [low, high], [low, low]]);
    let read = |text: &str| serde_json::from_str(text).unwrap();
    vec![
        of("Point", json!([1, 1])),
        of("Point", json!([5, 5])),
        read(r#"{"type": "Point", "coordinates": [5, 5.000000000000001]}"#),
        read(r#"{"type": "Point", "coordinates": [0.1, 0.3]}"#),
        read(r#"{"type": "LineString", "coordinates": [[0, 0], [1, 3]]}"#),
        read(r#"{"type": "LineString", "coordinates": [[1e-200, 0], [1e200, 1e-200]]}"#),
        of("LineString", json!([[0, 0], [4, 4], [8, 0]])),
        of("LineString", json!([[-1, 5], [11, 5]])),
        of("LineString", json!([[3, 3], [7, 7]])),
        of("Polygon", json!([ring(0, 10), ring(4, 6)])),
        of("Polygon", json!([ring(4, 6)])),
        of("Polygon", json!([[[0, 0], [10, 0], [0, 10]]])),
        of("Polygon", json!([ring(-5, 20), ring(-1, 11)])),
        of("MultiPoint", json!([[1, 1], [20, 20, 7]])),
        of("MultiLineString", json!([[[0, 0], [1, 0]], [[5, 5], [5, 9]]])),
        of("MultiPolygon", json!([[ring(0, 1)], [ring(5, 9), ring(6, 8)]])),
        of("MultiPolygon", json!([[]])),
        of("LineString", json!([])),
        json!({"type": "GeometryCollection", "geometries": []}),
        json!({"type": "GeometryCollection", "geometries": [
            of("Point", json!([6, 6])), {"type": "GeometryCollection", "geometries": [of("Point", json!([30, 30]))]}]}),
    ]
}

/// One value of each kind, or none.
fn row() -> impl Strategy<Value = Vec<Option<Value>>> {
    let columns: Vec<_> = COLUMNS
        .iter()
        .map(|(_, kind)| prop::option::weighted(0.8, prop::sample::select(pool(*kind))))
        .collect();
    columns
}

const ROWS: usize = 120;

/// The same rows in each database whose server is installed; `None` where that is one alone.
async fn alike() -> Option<Vec<World>> {
    let mut worlds = Vec::new();
    for database in [Database::Sqlite, Database::Postgres, Database::Mariadb] {
        worlds.extend(opened(database, options).await);
    }
    if worlds.len() < 2 {
        return None;
    }
    let mut runner = TestRunner::deterministic();
    let rows: Vec<_> = (0..ROWS)
        .map(|i| (i, row().new_tree(&mut runner).unwrap().current()))
        .collect();
    let mut filled = Vec::new();
    for world in worlds {
        let mut columns = vec![counted_key()];
        columns.extend(COLUMNS.iter().map(|(name, kind)| Column {
            max_length: (*kind == Kind::String).then_some(40),
            precision: (*kind == Kind::Decimal).then_some(30),
            scale: (*kind == Kind::Decimal).then_some(10),
            ..column(name, *kind)
        }));
        columns.push(column("parent", Kind::Integer));
        columns.push(column("any", Kind::String));
        columns.push(column("kind", Kind::String));
        let keys = vec![key_to("parent", "things", Action::SetNull)];
        change(&world.store, vec![table("things", columns, keys)])
            .await
            .unwrap();
        let world = world.again(relations()).await;
        for (i, values) in &rows {
            world.write(insert(&world, *i, values)).await.unwrap();
        }
        filled.push(world);
    }
    Some(filled)
}

fn relations() -> Vec<Relation> {
    let relation = |field: &str| Relation {
        many_collection: "things".to_owned(),
        many_field: field.to_owned(),
        ..Relation::default()
    };
    vec![
        Relation {
            one_collection: Some("things".to_owned()),
            one_field: Some("children".to_owned()),
            ..relation("parent")
        },
        Relation {
            one_collection_field: Some("kind".to_owned()),
            one_allowed_collections: Some(vec!["things".to_owned()]),
            ..relation("any")
        },
    ]
}

fn insert(world: &World, i: usize, values: &[Option<Value>]) -> Plan {
    let mut row: Vec<(&str, Value)> = COLUMNS
        .iter()
        .zip(values)
        .map(|((name, _), value)| (*name, json!(value)))
        .collect();
    if !i.is_multiple_of(3) {
        row.push(("parent", json!(i / 4 + 1)));
    }
    let any = ["1", "7", "07", "seven", "", "99999999999999999999"];
    row.push(("any", json!(any[i % any.len()])));
    row.push(("kind", json!(["things", "others"][i % 2])));
    world.insert("things", &[&row])
}

/// A plan, before it is made for a world.
#[derive(Clone, Debug)]
enum Seen {
    Column(usize),
    Part(Function, usize),
    Path(Vec<String>),
    Children,
    OfParent(Box<Seen>),
    Where(Box<Condition>, Box<Seen>),
}

#[derive(Clone, Debug)]
enum Condition {
    Test(Seen, Test),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Related(&'static str, Quantifier, Box<Condition>),
}

impl Seen {
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Column(i) => Some(COLUMNS[*i].1),
            Self::Part(..) | Self::Children => Some(Kind::BigInteger),
            Self::Path(_) => None,
            Self::OfParent(seen) | Self::Where(_, seen) => seen.kind(),
        }
    }

    fn operand(&self, world: &World) -> Operand {
        let field = |i: usize| world.field(&format!("things.{}", COLUMNS[i].0)).clone();
        match self {
            Self::Column(i) => Operand::Field(field(*i)),
            Self::Part(function, i) => Operand::Function {
                function: *function,
                field: field(*i),
            },
            Self::Path(path) => Operand::JsonPath {
                field: world.field("things.data").clone(),
                path: path.clone(),
            },
            Self::Children => Operand::Count {
                step: world.step("things.children", None),
                filter: Box::new(Filter::All),
            },
            Self::OfParent(seen) => Operand::Through {
                step: world.step("things.parent", None),
                filter: Box::new(Filter::All),
                operand: Box::new(seen.operand(world)),
            },
            Self::Where(when, seen) => Operand::Case {
                when: Arc::new(when.filter(world)),
                operand: Box::new(seen.operand(world)),
            },
        }
    }
}

impl Condition {
    fn filter(&self, world: &World) -> Filter {
        let all = |parts: &[Condition]| parts.iter().map(|part| part.filter(world)).collect();
        match self {
            Self::Test(seen, test) => Filter::Test {
                operand: seen.operand(world),
                test: test.clone(),
            },
            Self::And(parts) => Filter::And(all(parts)),
            Self::Or(parts) => Filter::Or(all(parts)),
            Self::Not(inner) => Filter::Not(Box::new(inner.filter(world))),
            Self::Related(path, quantifier, inner) => Filter::Related {
                step: world.step(path, Some("things")),
                quantifier: *quantifier,
                filter: Box::new(inner.filter(world)),
            },
        }
    }
}

fn seen() -> BoxedStrategy<Seen> {
    let functions = [
        (
            vec![
                Function::Year,
                Function::Month,
                Function::Week,
                Function::Day,
                Function::Weekday,
            ],
            vec![8, 10, 11],
        ),
        (
            vec![Function::Hour, Function::Minute, Function::Second],
            vec![9, 10, 11],
        ),
        (vec![Function::Count], vec![7]),
    ];
    let parts = functions.map(|(functions, columns)| {
        (prop::sample::select(functions), prop::sample::select(columns))
            .prop_map(|(function, column)| Seen::Part(function, column))
            .boxed()
    });
    let paths = [
        &["a"][..],
        &["b"],
        &["b", "1"],
        &["b", "4", "c"],
        &["b", "0"],
        &["1"],
        &["-1"],
        &["x"],
    ];
    let paths = prop::sample::select(
        paths
            .map(|path| path.iter().map(|step| (*step).to_owned()).collect())
            .to_vec(),
    );
    let leaf = prop_oneof![
        6 => (0..COLUMNS.len()).prop_map(Seen::Column),
        2 => prop::strategy::Union::new(parts),
        2 => paths.prop_map(Seen::Path),
        1 => Just(Seen::Children),
    ];
    leaf.prop_flat_map(|leaf| {
        let through = Just(Seen::OfParent(Box::new(leaf.clone())));
        prop_oneof![4 => Just(leaf), 1 => through]
    })
    .boxed()
}

fn scalar(kind: Option<Kind>) -> BoxedStrategy<Scalar> {
    let Some(kind) = kind else {
        return prop_oneof![
            prop::sample::select(vec![0_i64, 1, 2, 5, 9_007_199_254_740_993]).prop_map(Scalar::Int),
            prop::sample::select(vec![2.5, 1.5, -0.5]).prop_map(Scalar::Real),
            prop::sample::select(vec!["1", "x", "", "deep", "Äpfel", "[1,2]"]).prop_map(Scalar::from),
            any::<bool>().prop_map(Scalar::Bool),
        ]
        .boxed();
    };
    let ty = loggia_model::field_types::of_column(kind, &[]);
    prop::sample::select(pool(kind))
        .prop_map(move |value| ty.parse(&value, &Column::default()).unwrap())
        .boxed()
}

fn tests(kind: Option<Kind>) -> BoxedStrategy<Test> {
    let one = || scalar(kind);
    let list = || prop::collection::vec(one(), 0..4);
    let nulls = prop_oneof![
        Just(Test::Null),
        Just(Test::NotNull),
        Just(Test::Empty),
        Just(Test::NotEmpty),
    ];
    let values = prop_oneof![
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
    let places = prop::sample::select(vec![Place::Anywhere, Place::Start, Place::End, Place::Whole]);
    let pieces = vec![
        "", "a", "A", "ss", "ß", "b", "_", "%", "\\", " ", "ä", "σ", "ΟΔΟς", "i", "1", "e", "😀",
    ];
    let text = (places, prop::sample::select(pieces), any::<bool>(), any::<bool>()).prop_map(
        |(at, piece, ignore_case, negated)| Test::Text {
            at,
            piece: piece.to_owned(),
            ignore_case,
            negated,
        },
    );
    let shape =
        (prop::sample::select(shapes()), any::<bool>(), any::<bool>()).prop_map(|(shape, boxes, negated)| {
            Test::Intersects {
                shape: shape.to_string(),
                boxes,
                negated,
            }
        });
    match kind {
        // As operators take them.
        Some(Kind::Json | Kind::Binary) => nulls.boxed(),
        Some(Kind::Geometry) => prop_oneof![1 => nulls, 4 => shape].boxed(),
        Some(Kind::String | Kind::Text) | None => prop_oneof![1 => nulls, 3 => values, 3 => text].boxed(),
        Some(_) => prop_oneof![1 => nulls, 4 => values].boxed(),
    }
}

fn conditions() -> BoxedStrategy<Condition> {
    let test = seen()
        .prop_flat_map(|seen| tests(seen.kind()).prop_map(move |test| Condition::Test(seen.clone(), test)));
    test.prop_recursive(3, 12, 3, |inner| {
        let related = prop::sample::select(vec!["things.parent", "things.children", "things.any"]);
        let quantifiers = prop::sample::select(vec![Quantifier::Some, Quantifier::None]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Or),
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            (related, quantifiers, inner.clone()).prop_map(|(path, quantifier, inner)| Condition::Related(
                path,
                quantifier,
                Box::new(inner)
            )),
            (inner, seen()).prop_flat_map(|(when, seen)| {
                tests(seen.kind()).prop_map(move |test| {
                    let masked = Seen::Where(Box::new(when.clone()), Box::new(seen.clone()));
                    Condition::Test(masked, test)
                })
            }),
        ]
    })
    .boxed()
}

/// What some rows may hide.
fn masked() -> BoxedStrategy<Seen> {
    let hidden = (conditions(), seen()).prop_map(|(when, seen)| Seen::Where(Box::new(when), Box::new(seen)));
    prop_oneof![4 => seen(), 1 => hidden].boxed()
}

/// Sort keys, each with its direction.
fn orders() -> impl Strategy<Value = Vec<(Seen, bool)>> {
    prop::collection::vec((masked(), any::<bool>()), 0..3)
}

fn sorts(world: &World, orders: &[(Seen, bool)]) -> Vec<Sort> {
    let sort = |(seen, descending): &(Seen, bool)| Sort {
        operand: seen.operand(world),
        descending: *descending,
    };
    orders.iter().map(sort).collect()
}

/// The answer as text, or the problem.
fn told(answer: Result<Vec<loggia_model::Record>, Error>) -> String {
    match answer {
        Ok(rows) => rows
            .into_iter()
            .map(|row| Value::Object(row).to_string())
            .collect::<Vec<_>>()
            .join("\n"),
        // Never an answer, however alike.
        Err(Error::Internal(failure)) => panic!("{failure}"),
        Err(error) => format!("{error} {:?}", error.problem()),
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The same cases every time; `PROPTEST_CASES` asks for so many others.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let asked = asked.and_then(|asked| asked.parse().ok());
    let config = Config {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        ..Config::default()
    };
    match asked {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

/// The first lines that differ in the answers of the first and of another.
async fn difference(worlds: &[World], plan: impl Fn(&World) -> Plan) -> Option<[String; 2]> {
    let mut answers: Vec<String> = Vec::new();
    for world in worlds {
        let answer = world.store.run(permit(plan(world))).await;
        answers.push(told(answer.map(loggia_store::Outcome::into_rows)));
    }
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or("(nothing)").to_owned();
    let (one, others) = answers.split_first()?;
    others.iter().find_map(|other| {
        let lines = one.lines().count().max(other.lines().count());
        (0..lines)
            .map(|at| [line(one, at), line(other, at)])
            .find(|[one, other]| one != other)
    })
}

fn read_plan(world: &World, what: &Reading) -> ReadPlan {
    let columns: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let mut plan = world.read("things", &["id"]);
    plan.select.extend(world.read("things", &columns).select);
    for (i, seen) in what.more.iter().enumerate() {
        let source = match seen {
            Seen::Part(function, column) => Source::Function {
                function: *function,
                field: world.field(&format!("things.{}", COLUMNS[*column].0)).clone(),
            },
            Seen::Path(path) => Source::Json {
                field: world.field("things.data").clone(),
                path: path.clone(),
            },
            Seen::Children => Source::Count(seen.operand(world)),
            _ => continue,
        };
        plan.select.push(Selected::new(format!("more{i}"), source));
    }
    let mut children = world.read("things", &["id", "name"]);
    children.sort = sorts(world, &what.orders);
    children.limit = what.limit;
    plan.select
        .push(world.related("things.children", vec![children], false));
    plan.select.push(world.related(
        "things.parent",
        vec![world.read("things", &["id", "price"])],
        false,
    ));
    plan.select
        .push(world.related("things.any", vec![world.read("things", &["id"])], false));
    if let Some(shown) = &what.shown {
        let when = Arc::new(shown.filter(world));
        for member in &mut plan.select[4..] {
            member.when = Some(when.clone());
        }
    }
    plan.filter = what.condition.filter(world);
    plan.sort = sorts(world, &what.orders);
    plan.limit = what.limit;
    plan.offset = what.offset;
    plan
}

#[derive(Clone, Debug)]
struct Reading {
    condition: Condition,
    shown: Option<Condition>,
    more: Vec<Seen>,
    orders: Vec<(Seen, bool)>,
    limit: Option<u64>,
    offset: u64,
}

fn readings() -> impl Strategy<Value = Reading> {
    (
        conditions(),
        prop::option::of(conditions()),
        prop::collection::vec(seen(), 0..3),
        orders(),
        prop::option::of(0..30_u64),
        0..5_u64,
    )
        .prop_map(|(condition, shown, more, orders, limit, offset)| Reading {
            condition,
            shown,
            more,
            orders,
            limit,
            offset,
        })
}

#[test]
fn reads_are_answered_alike() {
    let runtime = runtime();
    let Some(worlds) = runtime.block_on(alike()) else {
        return;
    };
    let outcome = runner(400).run(&readings(), |what| {
        let plan = |world: &World| Plan::Read(read_plan(world, &what));
        prop_assert_eq!(runtime.block_on(difference(&worlds, plan)), None);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    runtime.block_on(async move { drop(worlds) });
}

#[derive(Clone, Debug)]
struct Counting {
    condition: Condition,
    groups: Vec<Seen>,
    figures: Vec<(Aggregate, usize, Option<Condition>)>,
    orders: Vec<(usize, bool)>,
    limit: Option<u64>,
}

fn countings() -> impl Strategy<Value = Counting> {
    // Of equal decimals that are written differently, any may stand for all; so none is shown.
    let groups = masked().prop_filter("decimals", |seen| seen.kind() != Some(Kind::Decimal));
    let figures = (
        prop::sample::select(Aggregate::ALL.map(|(_, function)| function).to_vec()),
        0..COLUMNS.len(),
        prop::option::weighted(0.2, conditions()),
    )
        .prop_filter("as the query language has them", |(function, column, _)| {
            let kind = COLUMNS[*column].1;
            match function {
                Aggregate::SumDistinct => kind.is_numeric() && kind != Kind::Decimal,
                Aggregate::Sum | Aggregate::Avg | Aggregate::AvgDistinct => kind.is_numeric(),
                Aggregate::Min | Aggregate::Max => kind != Kind::Decimal,
                _ => true,
            }
        });
    (
        conditions(),
        prop::collection::vec(groups, 0..3),
        prop::collection::vec(figures, 1..4),
        prop::collection::vec((0..6_usize, any::<bool>()), 0..2),
        prop::option::of(1..10_u64),
    )
        .prop_map(|(condition, groups, figures, orders, limit)| Counting {
            condition,
            groups,
            figures,
            orders,
            limit,
        })
}

fn aggregate_plan(world: &World, what: &Counting) -> AggregatePlan {
    let groups = what.groups.iter().enumerate();
    let sort = |(position, descending): &(usize, bool)| FigureSort {
        key: match position.checked_sub(what.figures.len()) {
            Some(group) if !what.groups.is_empty() => FigureKey::Group(group % what.groups.len()),
            _ => FigureKey::Figure(position % what.figures.len()),
        },
        descending: *descending,
    };
    AggregatePlan {
        collection: world.collection("things").clone(),
        filter: what.condition.filter(world),
        group_by: groups
            .map(|(i, seen)| Group {
                alias: format!("group{i}"),
                operand: seen.operand(world),
            })
            .collect(),
        figures: what
            .figures
            .iter()
            .map(|(function, column, when)| Figure {
                function: *function,
                field: Some(world.field(&format!("things.{}", COLUMNS[*column].0)).clone()),
                when: when.as_ref().map(|when| Arc::new(when.filter(world))),
            })
            .collect(),
        sort: what.orders.iter().map(sort).collect(),
        limit: what.limit.filter(|_| !what.groups.is_empty()),
        offset: 0,
    }
}

#[test]
fn figures_are_alike() {
    let runtime = runtime();
    let Some(worlds) = runtime.block_on(alike()) else {
        return;
    };
    let outcome = runner(400).run(&countings(), |what| {
        let plan = |world: &World| Plan::Aggregate(aggregate_plan(world, &what));
        prop_assert_eq!(runtime.block_on(difference(&worlds, plan)), None);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    runtime.block_on(async move { drop(worlds) });
}
