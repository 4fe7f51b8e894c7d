//! Golden SQL of MariaDB, and each of its statements tried on a server: a text that the server refuses is no good.

use std::sync::Arc;

use loggia_model::filter::{Direction, Filter, Function, Operand, Place, Quantifier, Test};
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Sort, UpdatePlan};
use loggia_model::schema::{Action, Column, Default, ForeignKey};
use loggia_model::{Scalar, StorageKind, system};
use loggia_servers::{Database, Kind};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};

use super::golden::{World, world};
use super::reads::{Output, Reach};
use super::{Dialect, aggregates, ddl, reads, writes};
use crate::backends;

fn dialect() -> &'static dyn Dialect {
    backends::mariadb_dialect()
}

/// Statements that are tried once all are written.
#[derive(Default)]
struct Tried(Vec<String>);

impl Tried {
    #[track_caller]
    fn check(&mut self, text: String, expect: &str) {
        assert_eq!(text, expect);
        self.0.push(text);
    }

    #[track_caller]
    fn check_filter(&mut self, world: &World, filter: Filter, expect: &str) {
        let plan = world.read("directus_users", filter);
        let text = reads::select(dialect(), &plan, &[], &Reach::Root).text;
        let condition = text.replace(" ORDER BY t0.`id`", "");
        let condition = condition
            .split_once(" AS t0 WHERE ")
            .map_or("", |(_, condition)| condition);
        assert_eq!(condition, expect);
        self.0.push(text);
    }

    /// Has a server with the system tables prepare each of them.
    async fn on_a_server(self) {
        let Some(database) = Database::empty(Kind::Mariadb).await else {
            return;
        };
        let url = database.url.split('?').next().unwrap();
        let mut connection = Conn::new(Opts::from_url(url).unwrap()).await.unwrap();
        let session = "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, foreign_key_checks = 0, \
             sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES'";
        connection.query_drop(session).await.unwrap();
        for collection in system::schema().collections.values() {
            let columns: Vec<_> = collection
                .fields
                .values()
                .filter_map(|field| field.column.clone())
                .collect();
            let keys = collection
                .table
                .as_ref()
                .map_or(&[][..], |table| &table.foreign_keys);
            let text = ddl::create_table(dialect(), &collection.name, &columns, keys);
            connection
                .query_drop(&text)
                .await
                .unwrap_or_else(|error| panic!("{error}: {text}"));
            let indexes = columns
                .iter()
                .filter_map(|column| ddl::index(dialect(), &collection.name, column));
            for text in indexes.chain(
                keys.iter()
                    .map(|key| ddl::key_index(dialect(), &collection.name, key)),
            ) {
                connection
                    .query_drop(&text)
                    .await
                    .unwrap_or_else(|error| panic!("{error}: {text}"));
            }
        }
        for text in self.0 {
            if let Err(error) = connection.prep(&text).await {
                panic!("{error}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn filters() {
    let world = world();
    let email = |test: Test| world.test("directus_users.email", test);
    let text = |at, ignore_case, negated| Test::Text {
        at,
        piece: "_k".to_owned(),
        ignore_case,
        negated,
    };
    let a = || Scalar::from("a");
    let mut tried = Tried::default();
    let mut check = |filter: Filter, expect: &str| tried.check_filter(&world, filter, expect);
    check(email(Test::Equal(a())), "t0.`email` = ?");
    check(
        email(Test::NotBetween(a(), a())),
        "t0.`email` NOT BETWEEN ? AND ?",
    );
    check(email(Test::Empty), "(t0.`email` IS NULL OR t0.`email` IN (''))");
    check(email(Test::In(vec![a()])), "(t0.`email` = ?)");
    check(
        email(Test::NotIn(vec![a(), a(), a()])),
        "NOT (t0.`email` IN (?, ?, ?, ?))",
    );
    check(
        email(Test::In(vec![a(); 300])),
        "(t0.`email` IN (SELECT v FROM JSON_TABLE(?, '$[*]' COLUMNS (v VARCHAR(768) CHARACTER SET utf8mb4 \
         COLLATE utf8mb4_nopad_bin PATH '$')) AS j))",
    );
    check(
        email(text(Place::Anywhere, false, false)),
        "LOCATE(?, t0.`email`) > 0",
    );
    check(
        email(text(Place::End, false, false)),
        "t0.`email` LIKE ? ESCAPE '|'",
    );
    check(email(text(Place::Start, true, true)), "NOT t0.`email` REGEXP ?");
    check(
        world.test(
            "directus_users.last_access",
            Test::Less("2026-01-31T00:00:00.000Z".into()),
        ),
        "t0.`last_access` < CAST(? AS DATETIME(6))",
    );
    check(
        Filter::Not(Box::new(Filter::Or(vec![
            email(Test::Null),
            email(Test::Equal(a())),
        ]))),
        "((t0.`email` IS NULL OR t0.`email` = ?)) IS NOT TRUE",
    );
    check(
        Filter::Related {
            step: world.step("directus_access.user", Direction::Backward),
            quantifier: Quantifier::None,
            filter: Box::new(Filter::All),
        },
        "NOT EXISTS (SELECT 1 FROM `directus_access` AS t1 WHERE t0.`id` = t1.`user`)",
    );
    tried.on_a_server().await;
}

#[tokio::test]
async fn rows_of_each_level() {
    let world = world();
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
    plan.limit = Some(3);
    plan.offset = 1;
    let outputs = [
        Output::Field(world.field("directus_users.id")),
        Output::Function(Function::Week, world.field("directus_users.last_access")),
    ];
    let mut tried = Tried::default();
    tried.check(
        reads::select(dialect(), &plan, &outputs, &Reach::Root).text,
        "SELECT t0.`id`, WEEK(t0.`last_access`, 3) FROM `directus_users` AS t0 ORDER BY (SELECT \
         t1.`name` FROM `directus_roles` AS t1 WHERE t1.`id` = t0.`role`) DESC, t0.`id` LIMIT ? OFFSET ?",
    );
    let reach = Reach::Many {
        key: role,
        keys: vec![
            "3fa85f64-5717-4562-b3fc-2c963f66afa6".into(),
            "3fa85f64-5717-4562-b3fc-2c963f66afa7".into(),
        ],
    };
    tried.check(
        reads::select(dialect(), &plan, &outputs, &reach).text,
        "SELECT c0, c1, c2 FROM (SELECT t0.`id` AS c0, WEEK(t0.`last_access`, 3) AS c1, t0.`role` AS \
         c2, ROW_NUMBER() OVER (PARTITION BY t0.`role` ORDER BY (SELECT t1.`name` FROM `directus_roles` \
         AS t1 WHERE t1.`id` = t0.`role`) DESC, t0.`id`) AS n FROM `directus_users` AS t0 WHERE \
         t0.`role` IN (?, ?)) AS numbered WHERE n > ? AND n <= ? ORDER BY n",
    );
    tried.on_a_server().await;
}

#[tokio::test]
async fn figures() {
    let world = world();
    let field = |name: &str| world.field(&format!("directus_files.{name}")).clone();
    let plan = AggregatePlan {
        collection: world.collection("directus_files").clone(),
        filter: Filter::All,
        group_by: vec![Group {
            alias: "type".to_owned(),
            operand: Operand::Field(field("type")),
        }],
        figures: vec![
            Figure {
                when: Some(Arc::new(world.test("directus_files.type", Test::NotNull))),
                function: Aggregate::AvgDistinct,
                field: Some(field("filesize")),
            },
            Figure {
                when: None,
                function: Aggregate::Sum,
                field: Some(field("filesize")),
            },
        ],
        sort: vec![FigureSort {
            key: FigureKey::Figure(0),
            descending: true,
        }],
        limit: Some(5),
        offset: 0,
    };
    let mut tried = Tried::default();
    tried.check(
        aggregates::aggregate(dialect(), &plan).text,
        "SELECT q.g0, CONCAT_WS(' ', SUM(DISTINCT q.t0), COUNT(DISTINCT q.v0), 0), SUM(q.v1) FROM \
         (SELECT 1, t0.`type` AS g0, CASE WHEN t0.`type` IS NOT NULL THEN t0.`filesize` END AS v0, \
         CASE WHEN t0.`type` IS NOT NULL THEN t0.`filesize` END AS t0, t0.`filesize` AS v1, \
         t0.`filesize` AS t1 FROM `directus_files` AS t0 LIMIT 9223372036854775807) AS q GROUP BY q.g0 \
         ORDER BY SUM(DISTINCT q.t0) / COUNT(DISTINCT q.v0) DESC, q.g0 LIMIT ?",
    );
    tried.on_a_server().await;
}

#[tokio::test]
async fn rows_written() {
    let world = world();
    let users = world.collection("directus_users");
    let seen = world.field("directus_users.last_access").clone();
    let row = [(seen, Scalar::from("2026-01-31T00:00:00.000Z"))];
    let update = UpdatePlan {
        collection: users.clone(),
        filter: Filter::All,
        assign: row.to_vec(),
    };
    let statement = writes::update(dialect(), &update);
    assert_eq!(statement.binds[0].as_text(), Some("2026-01-31T00:00:00.000"));
    let values = writes::values_of(dialect(), &row, &[]);
    assert_eq!(values[0].as_text(), Some("2026-01-31T00:00:00.000"));
}

#[tokio::test]
async fn tables() {
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
            ..column("a `quoted` name", StorageKind::String)
        },
        Column {
            precision: Some(10),
            scale: Some(2),
            unique: true,
            ..column("price", StorageKind::Decimal)
        },
        Column {
            default: Default::Now,
            ..column("at", StorageKind::Timestamp)
        },
        column("by", StorageKind::String),
        Column {
            indexed: true,
            ..column("data", StorageKind::Json)
        },
    ];
    let key = ForeignKey {
        column: "by".to_owned(),
        foreign_table: "t".to_owned(),
        foreign_column: "id".to_owned(),
        on_update: Action::NoAction,
        on_delete: Action::SetNull,
    };
    let create = ddl::create_table(dialect(), "t", &columns, std::slice::from_ref(&key));
    assert_eq!(
        create,
        "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT PRIMARY KEY,\n  \
         `a ``quoted`` name` varchar(9) COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT ('it''s'),\n  \
         `price` text CHARACTER SET ascii COLLATE ascii_bin CHECK (`price` REGEXP '^-?0*[0-9]{0,8}([.][0-9]{0,2}0*)?$'),\n  \
         `at` datetime(3) DEFAULT (utc_timestamp(3)),\n  \
         `by` varchar(768) COLLATE utf8mb4_nopad_bin,\n  \
         `data` longtext COLLATE utf8mb4_nopad_bin CHECK (LEFT(`data`, 1) IN \
         ('{','[','\"','-','0','1','2','3','4','5','6','7','8','9','t','f','n')),\n  \
         FOREIGN KEY (`by`) REFERENCES `t` (`id`) ON UPDATE NO ACTION ON DELETE SET NULL\n) \
         ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
    );
    let indexes: Vec<_> = columns
        .iter()
        .filter_map(|column| ddl::index(dialect(), "t", column))
        .collect();
    assert_eq!(
        indexes,
        [
            "CREATE UNIQUE INDEX `t.price.unique` ON `t` (`price`)",
            "CREATE INDEX `t.data.index` ON `t` (`data`(768))"
        ]
    );
    assert_eq!(
        ddl::key_index(dialect(), "t", &key),
        "CREATE INDEX `t.by.foreign_key` ON `t` (`by`)"
    );
}
