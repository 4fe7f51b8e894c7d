//! Golden SQL: what plans over the system collections become, in each dialect. A change of a line here is a change of
//! every statement that is prepared; make sure that it is meant.

use std::sync::Arc;

use loggia_model::filter::{Direction, Filter, Function, Operand, Place, Quantifier, Step, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, DeletePlan, Figure, FigureKey, FigureSort, Group, ReadPlan, Sort, UpdatePlan,
};
use loggia_model::schema::{Action, Column, Default, ForeignKey};
use loggia_model::{Collection, Field, Scalar, Schema, StorageKind, system};

use super::reads::{Output, Reach};
use super::{Dialect, aggregates, ddl, reads, writes};
use crate::backends;

/// The dialects, in the order of what is expected below.
fn dialects() -> [&'static dyn Dialect; 2] {
    [backends::sqlite_dialect(), backends::postgres_dialect()]
}

/// Compares what each dialect writes with what is expected of it.
#[track_caller]
fn check_each<E: AsRef<str>>(expect: [E; 2], write: impl Fn(&'static dyn Dialect) -> String) {
    for (dialect, expect) in dialects().into_iter().zip(expect) {
        assert_eq!(write(dialect), expect.as_ref());
    }
}

pub(super) struct World(Schema);

impl World {
    pub(super) fn collection(&self, name: &str) -> &Arc<Collection> {
        self.0.collection(name).expect(name)
    }

    pub(super) fn field(&self, path: &str) -> &Arc<Field> {
        let (collection, field) = path.split_once('.').expect(path);
        self.collection(collection).field(field).expect(path)
    }

    pub(super) fn test(&self, path: &str, test: Test) -> Filter {
        Filter::field(self.field(path), test)
    }

    pub(super) fn step(&self, many: &str, direction: Direction) -> Step {
        let (collection, field) = many.split_once('.').expect(many);
        let relation = self
            .0
            .relations
            .iter()
            .find(|relation| relation.many_collection == collection && relation.many_field == field)
            .expect(many);
        let target = match direction {
            Direction::Forward => relation.one_collection.as_deref().expect(many),
            Direction::Backward => collection,
        };
        Step {
            relation: relation.clone(),
            direction,
            target: self.collection(target).clone(),
        }
    }

    pub(super) fn read(&self, collection: &str, filter: Filter) -> ReadPlan {
        ReadPlan {
            collection: self.collection(collection).clone(),
            select: Vec::new(),
            filter,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        }
    }
}

pub(super) fn world() -> World {
    World(system::schema())
}

/// The condition that a filter on users becomes, in each dialect, and how many values are bound.
#[track_caller]
fn check_filter(world: &World, filter: Filter, expect: [&str; 2], binds: usize) {
    let plan = world.read("directus_users", filter);
    for (dialect, expect) in dialects().into_iter().zip(expect) {
        let statement = reads::select(dialect, &plan, &[], &Reach::Root);
        let text = statement.text.replace(" ORDER BY t0.\"id\"", "");
        let condition = text
            .split_once(" AS t0 WHERE ")
            .map_or("", |(_, condition)| condition);
        assert_eq!(condition, expect);
        assert_eq!(statement.binds.len(), binds, "{expect}");
    }
}

#[test]
fn filters() {
    let world = world();
    let email = |test: Test| world.test("directus_users.email", test);
    let text = |at, ignore_case, negated| Test::Text {
        at,
        piece: "a".to_owned(),
        ignore_case,
        negated,
    };
    let a = || Scalar::from("a");
    let check = |filter: Filter, expect: [&str; 2], binds: usize| check_filter(&world, filter, expect, binds);
    check(Filter::Nothing, ["1 = 0"; 2], 0);
    check(email(Test::Null), ["t0.\"email\" IS NULL"; 2], 0);
    check(
        email(Test::Equal(a())),
        ["t0.\"email\" = ?", "t0.\"email\" = $1::text"],
        1,
    );
    check(
        email(Test::NotBetween(a(), a())),
        [
            "t0.\"email\" NOT BETWEEN ? AND ?",
            "t0.\"email\" COLLATE \"C\" NOT BETWEEN $1::text AND $2::text",
        ],
        2,
    );
    check(
        email(Test::Empty),
        ["(t0.\"email\" IS NULL OR t0.\"email\" IN (''))"; 2],
        0,
    );
    check(
        email(Test::In(vec![a()])),
        ["(t0.\"email\" = ?)", "(t0.\"email\" = ANY($1::text[]))"],
        1,
    );
    let several = [
        "(t0.\"email\" IN (SELECT value FROM json_each(?)))",
        "(t0.\"email\" = ANY($1::text[]))",
    ];
    check(email(Test::In(vec![a(), a()])), several, 1);
    let none = several.map(|text| format!("NOT {text}"));
    check(email(Test::NotIn(vec![a(), a()])), [&none[0], &none[1]], 1);
    check(email(Test::In(vec![])), ["1 = 0"; 2], 0);
    check(
        email(text(Place::Anywhere, false, false)),
        ["instr(t0.\"email\", ?) > 0", "strpos(t0.\"email\", $1::text) > 0"],
        1,
    );
    check(
        email(text(Place::Start, true, true)),
        [
            "NOT loggia_starts_folded(t0.\"email\", ?)",
            "NOT loggia_fold(t0.\"email\") LIKE $1::text",
        ],
        1,
    );
    let meets = |boxes, negated| Test::Intersects {
        shape: r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(),
        boxes,
        negated,
    };
    check(
        email(meets(false, false)),
        [
            "loggia_shapes_meet(t0.\"email\", ?)",
            "loggia_shapes_meet(loggia_segments(t0.\"email\"), loggia_segments($1::text))",
        ],
        1,
    );
    check(
        email(meets(true, true)),
        [
            "NOT loggia_boxes_meet(t0.\"email\", ?)",
            "NOT loggia_boxes_meet(loggia_segments(t0.\"email\"), loggia_segments($1::text))",
        ],
        1,
    );
    check(
        Filter::Not(Box::new(Filter::Or(vec![
            email(Test::Null),
            email(Test::Equal(a())),
        ]))),
        [
            "((t0.\"email\" IS NULL OR t0.\"email\" = ?)) IS NOT TRUE",
            "((t0.\"email\" IS NULL OR t0.\"email\" = $1::text)) IS NOT TRUE",
        ],
        1,
    );
}

#[test]
fn related_conditions() {
    let world = world();
    let related = |step: Step, quantifier, filter| Filter::Related {
        step,
        quantifier,
        filter: Box::new(filter),
    };
    let named = world.test("directus_roles.name", Test::Equal("x".into()));
    check_filter(
        &world,
        related(
            world.step("directus_users.role", Direction::Forward),
            Quantifier::Some,
            named,
        ),
        [
            "EXISTS (SELECT 1 FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\" AND t1.\"name\" = ?)",
            "EXISTS (SELECT 1 FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\" AND t1.\"name\" = $1::text)",
        ],
        1,
    );
    check_filter(
        &world,
        related(
            world.step("directus_access.user", Direction::Backward),
            Quantifier::None,
            Filter::All,
        ),
        ["NOT EXISTS (SELECT 1 FROM \"directus_access\" AS t1 WHERE t0.\"id\" = t1.\"user\")"; 2],
        0,
    );
    check_filter(
        &world,
        Filter::Test {
            operand: Operand::Count {
                step: world.step("directus_access.user", Direction::Backward),
                filter: Box::new(Filter::All),
            },
            test: Test::Greater(Scalar::Int(1)),
        },
        [
            "(SELECT COUNT(*) FROM \"directus_access\" AS t1 WHERE t0.\"id\" = t1.\"user\") > ?",
            "(SELECT COUNT(*) FROM \"directus_access\" AS t1 WHERE t0.\"id\" = t1.\"user\") > $1::bigint",
        ],
        1,
    );
}

#[test]
fn reads_of_each_level() {
    let world = world();
    let id = world.field("directus_users.id");
    let role = world.field("directus_users.role");
    let mut plan = world.read("directus_users", Filter::All);
    plan.sort = vec![Sort {
        operand: Operand::Through {
            filter: Box::new(Filter::All),
            step: world.step("directus_users.role", Direction::Forward),
            operand: Box::new(Operand::Field(world.field("directus_roles.name").clone())),
        },
        descending: true,
    }];
    let outputs = [
        Output::Field(id),
        Output::Function(Function::Year, world.field("directus_users.last_access")),
    ];
    let keys = || vec![Scalar::from("a"), Scalar::from("b")];
    let name = "(SELECT t1.\"name\" FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\")";
    let orders = [
        format!("{name} DESC, t0.\"id\""),
        format!("{name} COLLATE \"C\" DESC NULLS LAST, t0.\"id\""),
    ];
    let years = [
        "loggia_part('year', t0.\"last_access\")",
        "CASE WHEN isfinite(t0.\"last_access\") THEN \
         CAST(FLOOR(EXTRACT(YEAR FROM t0.\"last_access\" AT TIME ZONE 'UTC')) AS integer) END",
    ];
    // In the texts below, which differ in these pieces alone.
    let among = |column: &str| {
        [
            format!("{column} IN (SELECT value FROM json_each(?))"),
            format!("{column} = ANY($1::uuid[])"),
        ]
    };
    let check = |plan: &ReadPlan, reach: Reach<'_>, expect: &str, placeholders: [&str; 2]| {
        let expect = [0, 1].map(|i| {
            expect
                .replace("{columns}", &format!("t0.\"id\", {}", years[i]))
                .replace("{year}", years[i])
                .replace("{order}", &orders[i])
                .replace("{id among}", &among("t0.\"id\"")[i])
                .replace("{role among}", &among("t0.\"role\"")[i])
                .replace(
                    "{first}",
                    placeholders[i].split_once(' ').map_or("", |(first, _)| first),
                )
                .replace(
                    "{second}",
                    placeholders[i].split_once(' ').map_or("", |(_, second)| second),
                )
        });
        check_each(expect, |dialect| {
            reads::select(dialect, plan, &outputs, &reach).text
        });
    };
    check(
        &plan,
        Reach::Root,
        "SELECT {columns} FROM \"directus_users\" AS t0 ORDER BY {order}",
        [""; 2],
    );
    check(
        &plan,
        Reach::One {
            key: id,
            keys: keys(),
        },
        "SELECT {columns}, t0.\"id\" FROM \"directus_users\" AS t0 WHERE {id among}",
        [""; 2],
    );
    check(
        &plan,
        Reach::Many {
            key: role,
            keys: keys(),
        },
        "SELECT {columns}, t0.\"role\" FROM \"directus_users\" AS t0 WHERE {role among} ORDER BY {order}",
        [""; 2],
    );
    plan.limit = Some(3);
    plan.offset = 1;
    check(
        &plan,
        Reach::Many {
            key: role,
            keys: keys(),
        },
        "SELECT c0, c1, c2 FROM (SELECT t0.\"id\" AS c0, {year} AS c1, \
         t0.\"role\" AS c2, ROW_NUMBER() OVER (PARTITION BY t0.\"role\" ORDER BY {order}) AS n \
         FROM \"directus_users\" AS t0 WHERE {role among}) AS numbered \
         WHERE n > {first} AND n <= {second} ORDER BY n",
        ["? ?", "$2 $3"],
    );
    check(
        &plan,
        Reach::Root,
        "SELECT {columns} FROM \"directus_users\" AS t0 ORDER BY {order} LIMIT {first} OFFSET {second}",
        ["? ?", "$1 $2"],
    );
}

#[test]
fn figures() {
    let world = world();
    let plan = AggregatePlan {
        collection: world.collection("directus_files").clone(),
        filter: world.test("directus_files.type", Test::NotNull),
        group_by: vec![Group {
            alias: "type".to_owned(),
            operand: Operand::Field(world.field("directus_files.type").clone()),
        }],
        figures: vec![
            Figure {
                when: None,
                function: Aggregate::Count,
                field: None,
            },
            Figure {
                when: None,
                function: Aggregate::AvgDistinct,
                field: Some(world.field("directus_files.filesize").clone()),
            },
        ],
        sort: vec![FigureSort {
            key: FigureKey::Figure(1),
            descending: true,
        }],
        limit: Some(5),
        offset: 0,
    };
    check_each(
        [
            "SELECT t0.\"type\", COUNT(*), loggia_avg(DISTINCT t0.\"filesize\") \
             FROM \"directus_files\" AS t0 WHERE t0.\"type\" IS NOT NULL GROUP BY 1 \
             ORDER BY 3 COLLATE loggia_decimal DESC, 1 LIMIT ?",
            "SELECT t0.\"type\" COLLATE \"C\", COUNT(*), \
             loggia_mean(SUM(DISTINCT t0.\"filesize\")::numeric, COUNT(DISTINCT t0.\"filesize\")) \
             FROM \"directus_files\" AS t0 WHERE t0.\"type\" IS NOT NULL GROUP BY 1 \
             ORDER BY 3 DESC NULLS LAST, 1 NULLS FIRST LIMIT $1",
        ],
        |dialect| aggregates::aggregate(dialect, &plan).text,
    );
}

/// A value where a condition holds.
fn case(when: Filter, operand: Operand) -> Operand {
    Operand::Case {
        when: Arc::new(when),
        operand: Box::new(operand),
    }
}

#[test]
fn values_that_only_some_rows_have() {
    let world = world();
    let when = || world.test("directus_users.status", Test::Equal("active".into()));
    let email = || {
        case(
            when(),
            Operand::Field(world.field("directus_users.email").clone()),
        )
    };
    let masked = "CASE WHEN t0.\"status\" = ? THEN t0.\"email\" END COLLATE BINARY";
    let theirs =
        |position: usize| format!("CASE WHEN t0.\"status\" = ${position}::text THEN t0.\"email\" END");
    let check = |operand: Operand, test: Test, expect: [String; 2], binds: usize| {
        check_filter(
            &world,
            Filter::Test { operand, test },
            [&expect[0], &expect[1]],
            binds,
        );
    };
    check(
        email(),
        Test::Null,
        [format!("{masked} IS NULL"), format!("{} IS NULL", theirs(1))],
        1,
    );
    check(
        email(),
        Test::Equal("a".into()),
        [format!("{masked} = ?"), format!("{} = $2::text", theirs(1))],
        2,
    );
    check(
        email(),
        Test::NotIn(vec!["a".into(), "b".into()]),
        [
            format!("NOT ({masked} IN (SELECT value FROM json_each(?)))"),
            format!("NOT ({} = ANY($2::text[]))", theirs(1)),
        ],
        2,
    );
    check(
        email(),
        Test::Empty,
        [
            format!("({masked} IS NULL OR {masked} IN (''))"),
            format!("({} IS NULL OR {} IN (''))", theirs(1), theirs(2)),
        ],
        2,
    );
    check(
        case(
            when(),
            Operand::Function {
                function: Function::Year,
                field: world.field("directus_users.last_access").clone(),
            },
        ),
        Test::Greater(Scalar::Int(2000)),
        [
            "CASE WHEN t0.\"status\" = ? THEN loggia_part('year', t0.\"last_access\") END COLLATE BINARY > ?"
                .to_owned(),
            "CASE WHEN t0.\"status\" = $1::text THEN CASE WHEN isfinite(t0.\"last_access\") THEN \
             CAST(FLOOR(EXTRACT(YEAR FROM t0.\"last_access\" AT TIME ZONE 'UTC')) AS integer) END END > $2::bigint"
                .to_owned(),
        ],
        2,
    );
    // Of the item that a step leads to, where it may lead there: each condition is on the rows of its own table.
    let role = Operand::Through {
        step: world.step("directus_users.role", Direction::Forward),
        filter: Box::new(world.test("directus_roles.icon", Test::Equal("x".into()))),
        operand: Box::new(case(
            world.test("directus_roles.parent", Test::Null),
            Operand::Field(world.field("directus_roles.name").clone()),
        )),
    };
    check(
        case(when(), role),
        Test::Equal("a".into()),
        [
            ("? ? ?", "END COLLATE BINARY"),
            ("$1::text $2::text $3::text", "END"),
        ]
        .map(|(places, end)| {
            let places: Vec<_> = places.split(' ').collect();
            format!(
                "CASE WHEN t0.\"status\" = {} THEN (SELECT CASE WHEN t1.\"parent\" IS NULL THEN t1.\"name\" {end} \
                 FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\" AND t1.\"icon\" = {}) {end} = {}",
                places[0], places[1], places[2]
            )
        }),
        3,
    );
    let mut plan = world.read("directus_users", Filter::All);
    plan.sort = vec![Sort {
        operand: email(),
        descending: true,
    }];
    let shown = Arc::new(when());
    let outputs = [
        Output::Field(world.field("directus_users.id")),
        Output::Holds(&shown),
    ];
    let write = |dialect| reads::select(dialect, &plan, &outputs, &Reach::Root);
    check_each(
        [
            format!(
                "SELECT t0.\"id\", CASE WHEN t0.\"status\" = ? THEN 1 END COLLATE BINARY \
                 FROM \"directus_users\" AS t0 ORDER BY {masked} DESC, t0.\"id\""
            ),
            format!(
                "SELECT t0.\"id\", CASE WHEN t0.\"status\" = $1::text THEN 1 END \
                 FROM \"directus_users\" AS t0 ORDER BY {} COLLATE \"C\" DESC NULLS LAST, t0.\"id\"",
                theirs(2)
            ),
        ],
        |dialect| write(dialect).text,
    );
    for dialect in dialects() {
        let statement = write(dialect);
        let binds: Vec<_> = statement.binds.iter().map(|value| value.as_text()).collect();
        assert_eq!(binds, [Some("active"), Some("active")]);
    }
}

#[test]
fn figures_of_what_only_some_rows_have() {
    let world = world();
    let field = |name: &str| world.field(&format!("directus_files.{name}")).clone();
    let when = || world.test("directus_files.type", Test::NotNull);
    let figure = |function, name: Option<&str>| Figure {
        function,
        field: name.map(field),
        when: Some(Arc::new(when())),
    };
    let plan = AggregatePlan {
        collection: world.collection("directus_files").clone(),
        filter: Filter::All,
        group_by: vec![Group {
            alias: "title".to_owned(),
            operand: case(when(), Operand::Field(field("title"))),
        }],
        figures: vec![
            figure(Aggregate::Max, Some("filesize")),
            figure(Aggregate::CountDistinct, Some("title")),
            figure(Aggregate::Count, None),
        ],
        sort: vec![FigureSort {
            key: FigureKey::Group(0),
            descending: true,
        }],
        limit: None,
        offset: 0,
    };
    let select = |end: &str, collated: &str, order: &str| {
        let masked = |name: &str| format!("CASE WHEN t0.\"type\" IS NOT NULL THEN t0.\"{name}\" {end}");
        format!(
            "SELECT {}{collated}, MAX({}), COUNT(DISTINCT {}), COUNT(*) FROM \"directus_files\" AS t0 \
             GROUP BY 1 ORDER BY {order}",
            masked("title"),
            masked("filesize"),
            masked("title"),
        )
    };
    check_each(
        [
            select("END COLLATE BINARY", "", "1 DESC, 1"),
            select("END", " COLLATE \"C\"", "1 DESC NULLS LAST, 1 NULLS FIRST"),
        ],
        |dialect| aggregates::aggregate(dialect, &plan).text,
    );
}

#[test]
fn rows_written() {
    let world = world();
    let users = world.collection("directus_users");
    let row = [(world.field("directus_users.email").clone(), Scalar::from("a"))];
    let update = UpdatePlan {
        collection: users.clone(),
        filter: world.test("directus_users.id", Test::Equal("x".into())),
        assign: row.to_vec(),
    };
    let delete = DeletePlan {
        collection: users.clone(),
        filter: Filter::All,
    };
    let filled = [writes::Filled {
        column: "last_access",
        kind: StorageKind::Timestamp,
        value: Scalar::from("now"),
    }];
    check_each(
        ["(?, ?)", "($1, $2)"].map(|values| {
            format!(
                "INSERT INTO \"directus_users\" (\"email\", \"last_access\") VALUES {values} RETURNING \"id\""
            )
        }),
        |dialect| writes::insert(dialect, users, &row, &filled),
    );
    check_each(
        ["INSERT INTO \"directus_users\" DEFAULT VALUES RETURNING \"id\""; 2],
        |dialect| writes::insert(dialect, users, &[], &[]),
    );
    check_each(
        [
            "UPDATE \"directus_users\" AS t0 SET \"email\" = ? WHERE t0.\"id\" = ? RETURNING \"id\"",
            "UPDATE \"directus_users\" AS t0 SET \"email\" = $1 WHERE t0.\"id\" = $2::uuid RETURNING \"id\"",
        ],
        |dialect| writes::update(dialect, &update).text,
    );
    check_each(
        ["DELETE FROM \"directus_users\" AS t0 RETURNING \"id\""; 2],
        |dialect| writes::delete(dialect, &delete).text,
    );
}

#[test]
fn tables() {
    let column = |name: &str, kind| Column {
        name: name.to_owned(),
        kind,
        ..Column::default()
    };
    let columns = [
        Column {
            primary_key: true,
            auto_increment: true,
            ..column("id", StorageKind::Integer)
        },
        Column {
            nullable: false,
            default: Default::Value("it's".into()),
            max_length: Some(9),
            ..column("a \"quoted\" name", StorageKind::String)
        },
        Column {
            precision: Some(10),
            scale: Some(2),
            ..column("price", StorageKind::Decimal)
        },
        Column {
            default: Default::Now,
            ..column("at", StorageKind::Timestamp)
        },
    ];
    let key = ForeignKey {
        column: "at".to_owned(),
        foreign_table: "t".to_owned(),
        foreign_column: "id".to_owned(),
        on_update: Action::NoAction,
        on_delete: Action::SetNull,
    };
    check_each(
        [
            "CREATE TABLE \"t\" (\n  \"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,\n  \
             \"a \"\"quoted\"\" name\" VARCHAR(9) NOT NULL DEFAULT 'it''s',\n  \
             \"price\" DECIMAL_TEXT(10,2),\n  \
             \"at\" TIMESTAMP_TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),\n  \
             FOREIGN KEY (\"at\") REFERENCES \"t\" (\"id\") ON UPDATE NO ACTION ON DELETE SET NULL\n)",
            "CREATE TABLE \"t\" (\n  \"id\" integer NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,\n  \
             \"a \"\"quoted\"\" name\" varchar(9) COLLATE \"C\" NOT NULL DEFAULT 'it''s',\n  \
             \"price\" numeric CHECK (\"price\" = \"price\"::numeric(10,2)),\n  \
             \"at\" timestamptz DEFAULT (date_trunc('milliseconds', now())),\n  \
             FOREIGN KEY (\"at\") REFERENCES \"t\" (\"id\") ON UPDATE NO ACTION ON DELETE SET NULL\n)",
        ],
        |dialect| ddl::create_table(dialect, "t", &columns, std::slice::from_ref(&key)),
    );
    check_each(
        [
            "CREATE UNIQUE INDEX \"t.price.unique\" ON \"t\" (\"price\")",
            "CREATE UNIQUE INDEX \"t.price.unique\" ON \"t\" (\"price\" NULLS FIRST)",
        ],
        |dialect| {
            let unique = Column {
                unique: true,
                ..columns[2].clone()
            };
            ddl::index(dialect, "t", &unique).unwrap_or_default()
        },
    );
}
