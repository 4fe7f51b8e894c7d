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

/// The dialects and the column of the tables below that belongs to each.
fn dialects() -> [&'static dyn Dialect; 1] {
    [backends::sqlite_dialect()]
}

struct World(Schema);

impl World {
    fn collection(&self, name: &str) -> &Arc<Collection> {
        self.0.collection(name).expect(name)
    }

    fn field(&self, path: &str) -> &Arc<Field> {
        let (collection, field) = path.split_once('.').expect(path);
        self.collection(collection).field(field).expect(path)
    }

    fn test(&self, path: &str, test: Test) -> Filter {
        Filter::field(self.field(path), test)
    }

    fn step(&self, many: &str, direction: Direction) -> Step {
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

    fn read(&self, collection: &str, filter: Filter) -> ReadPlan {
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

fn world() -> World {
    World(system::schema())
}

/// The condition that a filter on users becomes, in each dialect, and how many values are bound.
#[track_caller]
fn check_filter(world: &World, filter: Filter, expect: [&str; 1], binds: usize) {
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
    let check = |filter: Filter, expect: &str, binds: usize| check_filter(&world, filter, [expect], binds);
    check(Filter::Nothing, "1 = 0", 0);
    check(email(Test::Null), "t0.\"email\" IS NULL", 0);
    check(email(Test::Equal(a())), "t0.\"email\" = ?", 1);
    check(
        email(Test::NotBetween(a(), a())),
        "t0.\"email\" NOT BETWEEN ? AND ?",
        2,
    );
    check(
        email(Test::Empty),
        "(t0.\"email\" IS NULL OR t0.\"email\" IN (''))",
        0,
    );
    check(email(Test::In(vec![a()])), "(t0.\"email\" = ?)", 1);
    check(
        email(Test::In(vec![a(), a()])),
        "(t0.\"email\" IN (SELECT value FROM json_each(?)))",
        1,
    );
    check(
        email(Test::NotIn(vec![a(), a()])),
        "NOT (t0.\"email\" IN (SELECT value FROM json_each(?)))",
        1,
    );
    check(email(Test::In(vec![])), "1 = 0", 0);
    check(
        email(text(Place::Anywhere, false, false)),
        "instr(t0.\"email\", ?) > 0",
        1,
    );
    check(
        email(text(Place::Start, true, true)),
        "NOT loggia_starts_folded(t0.\"email\", ?)",
        1,
    );
    let meets = |boxes, negated| Test::Intersects {
        shape: r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(),
        boxes,
        negated,
    };
    check(
        email(meets(false, false)),
        "loggia_shapes_meet(t0.\"email\", ?)",
        1,
    );
    check(
        email(meets(true, true)),
        "NOT loggia_boxes_meet(t0.\"email\", ?)",
        1,
    );
    check(
        Filter::Not(Box::new(Filter::Or(vec![
            email(Test::Null),
            email(Test::Equal(a())),
        ]))),
        "((t0.\"email\" IS NULL OR t0.\"email\" = ?)) IS NOT TRUE",
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
        ["EXISTS (SELECT 1 FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\" AND t1.\"name\" = ?)"],
        1,
    );
    check_filter(
        &world,
        related(
            world.step("directus_access.user", Direction::Backward),
            Quantifier::None,
            Filter::All,
        ),
        ["NOT EXISTS (SELECT 1 FROM \"directus_access\" AS t1 WHERE t0.\"id\" = t1.\"user\")"],
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
        ["(SELECT COUNT(*) FROM \"directus_access\" AS t1 WHERE t0.\"id\" = t1.\"user\") > ?"],
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
    let order =
        "(SELECT t1.\"name\" FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\") DESC, t0.\"id\"";
    let columns = "t0.\"id\", loggia_part('year', t0.\"last_access\")";
    let check = |plan: &ReadPlan, reach: Reach<'_>, expect: String| {
        for dialect in dialects() {
            assert_eq!(reads::select(dialect, plan, &outputs, &reach).text, expect);
        }
    };
    check(
        &plan,
        Reach::Root,
        format!("SELECT {columns} FROM \"directus_users\" AS t0 ORDER BY {order}"),
    );
    check(
        &plan,
        Reach::One {
            key: id,
            keys: keys(),
        },
        format!(
            "SELECT {columns}, t0.\"id\" FROM \"directus_users\" AS t0 \
             WHERE t0.\"id\" IN (SELECT value FROM json_each(?))"
        ),
    );
    check(
        &plan,
        Reach::Many {
            key: role,
            keys: keys(),
        },
        format!(
            "SELECT {columns}, t0.\"role\" FROM \"directus_users\" AS t0 \
             WHERE t0.\"role\" IN (SELECT value FROM json_each(?)) ORDER BY {order}"
        ),
    );
    plan.limit = Some(3);
    plan.offset = 1;
    check(
        &plan,
        Reach::Many {
            key: role,
            keys: keys(),
        },
        format!(
            "SELECT c0, c1, c2 FROM (SELECT t0.\"id\" AS c0, loggia_part('year', t0.\"last_access\") AS c1, \
             t0.\"role\" AS c2, ROW_NUMBER() OVER (PARTITION BY t0.\"role\" ORDER BY {order}) AS n \
             FROM \"directus_users\" AS t0 WHERE t0.\"role\" IN (SELECT value FROM json_each(?))) AS numbered \
             WHERE n > ? AND n <= ? ORDER BY n"
        ),
    );
    check(
        &plan,
        Reach::Root,
        format!("SELECT {columns} FROM \"directus_users\" AS t0 ORDER BY {order} LIMIT ? OFFSET ?"),
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
    for dialect in dialects() {
        assert_eq!(
            aggregates::aggregate(dialect, &plan).text,
            "SELECT t0.\"type\", COUNT(*), AVG(DISTINCT t0.\"filesize\") \
             FROM \"directus_files\" AS t0 WHERE t0.\"type\" IS NOT NULL GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT ?"
        );
    }
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
    let masked = "CASE WHEN t0.\"status\" = ? THEN t0.\"email\" END";
    let check = |operand: Operand, test: Test, expect: String, binds: usize| {
        check_filter(&world, Filter::Test { operand, test }, [&expect], binds);
    };
    check(email(), Test::Null, format!("{masked} IS NULL"), 1);
    check(email(), Test::Equal("a".into()), format!("{masked} = ?"), 2);
    check(
        email(),
        Test::NotIn(vec!["a".into(), "b".into()]),
        format!("NOT ({masked} IN (SELECT value FROM json_each(?)))"),
        2,
    );
    check(
        email(),
        Test::Empty,
        format!("({masked} IS NULL OR {masked} IN (''))"),
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
        "CASE WHEN t0.\"status\" = ? THEN loggia_part('year', t0.\"last_access\") END > ?".to_owned(),
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
        "CASE WHEN t0.\"status\" = ? THEN (SELECT CASE WHEN t1.\"parent\" IS NULL THEN t1.\"name\" END \
         FROM \"directus_roles\" AS t1 WHERE t1.\"id\" = t0.\"role\" AND t1.\"icon\" = ?) END = ?"
            .to_owned(),
        3,
    );
    let mut plan = world.read("directus_users", Filter::All);
    plan.sort = vec![Sort {
        operand: email(),
        descending: true,
    }];
    let shown = Arc::new(when());
    let revisions = world.collection("directus_revisions");
    let outputs = [
        Output::Field(world.field("directus_users.id")),
        Output::Holds(&shown),
        Output::Revision(revisions),
    ];
    for dialect in dialects() {
        let statement = reads::select(dialect, &plan, &outputs, &Reach::Root);
        assert_eq!(
            statement.text,
            format!(
                "SELECT t0.\"id\", CASE WHEN t0.\"status\" = ? THEN 1 END, \
                 (SELECT COALESCE(MAX(t1.\"number\"), 0) FROM \"directus_revisions\" AS t1 \
                 WHERE t1.\"collection\" = ? AND t1.\"item\" = CAST(t0.\"id\" AS TEXT)) \
                 FROM \"directus_users\" AS t0 ORDER BY {masked} DESC, t0.\"id\""
            )
        );
        let binds: Vec<_> = statement.binds.iter().map(|value| value.as_text()).collect();
        assert_eq!(binds, [Some("active"), Some("directus_users"), Some("active")]);
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
    let masked = |name: &str| format!("CASE WHEN t0.\"type\" IS NOT NULL THEN t0.\"{name}\" END");
    for dialect in dialects() {
        assert_eq!(
            aggregates::aggregate(dialect, &plan).text,
            format!(
                "SELECT {}, MAX({}), COUNT(DISTINCT {}), COUNT(*) FROM \"directus_files\" AS t0 \
                 GROUP BY 1 ORDER BY 1 DESC, 1",
                masked("title"),
                masked("filesize"),
                masked("title"),
            )
        );
    }
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
    for dialect in dialects() {
        let filled = vec![("last_access", Scalar::from("now"))];
        assert_eq!(
            writes::insert(dialect, users, &row, &filled),
            "INSERT INTO \"directus_users\" (\"email\", \"last_access\") VALUES (?, ?) RETURNING \"id\""
        );
        assert_eq!(
            writes::insert(dialect, users, &[], &[]),
            "INSERT INTO \"directus_users\" DEFAULT VALUES RETURNING \"id\""
        );
        assert_eq!(
            writes::update(dialect, &update).text,
            "UPDATE \"directus_users\" AS t0 SET \"email\" = ? WHERE t0.\"id\" = ? RETURNING \"id\""
        );
        assert_eq!(
            writes::delete(dialect, &delete).text,
            "DELETE FROM \"directus_users\" AS t0 RETURNING \"id\""
        );
    }
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
    for dialect in dialects() {
        assert_eq!(
            ddl::create_table(dialect, "t", &columns, std::slice::from_ref(&key)),
            "CREATE TABLE \"t\" (\n  \"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,\n  \
             \"a \"\"quoted\"\" name\" VARCHAR(9) NOT NULL DEFAULT 'it''s',\n  \
             \"at\" TIMESTAMP_TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),\n  \
             FOREIGN KEY (\"at\") REFERENCES \"t\" (\"id\") ON UPDATE NO ACTION ON DELETE SET NULL\n)"
        );
    }
}
