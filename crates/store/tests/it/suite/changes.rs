//! Tables changed while they hold rows.

use loggia_model::plan::{Plan, SchemaStep};
use loggia_model::schema::{Action, Column, Default};
use loggia_model::{Filter, Scalar, StorageKind as Kind};
use loggia_store::Error;
use serde_json::{Value, json};

use super::world::{World, change, column, counted_key, empty, key_to, newspaper, table};

/// What a failed change tells, and a promise that nothing moved.
async fn refused(world: &World, step: SchemaStep, expect: &str) {
    let before = (
        world.store.tables().await.unwrap(),
        world.store.schema_version().await.unwrap(),
    );
    let error = change(&world.store, vec![step]).await.unwrap_err();
    let problem = error.problem();
    assert_eq!(format!("{}: {}", problem.code.name, problem.message), expect);
    let after = (
        world.store.tables().await.unwrap(),
        world.store.schema_version().await.unwrap(),
    );
    assert_eq!(before, after);
}

async fn articles() -> Option<World> {
    let world = newspaper().await?;
    let rows: [&[(&str, Value)]; 3] = [
        &[
            ("title", json!("12")),
            ("views", json!(1)),
            ("status", json!("7")),
        ],
        &[("title", json!("12")), ("views", json!(0))],
        &[("title", json!("long title")), ("author", json!(null))],
    ];
    world.write(world.insert("articles", &rows)).await.unwrap();
    Some(world)
}

/// The column as the database has it.
async fn found(world: &World, table: &str, name: &str) -> Column {
    let tables = world.store.tables().await.unwrap();
    tables[table]
        .columns
        .iter()
        .find(|column| column.name == name)
        .unwrap()
        .clone()
}

fn alter(table: &str, column: Column) -> SchemaStep {
    SchemaStep::AlterColumn {
        table: table.to_owned(),
        column,
    }
}

fn add(column: Column) -> SchemaStep {
    SchemaStep::AddColumn {
        table: "articles".to_owned(),
        column,
    }
}

fn drop_column(table: &str, column: &str) -> SchemaStep {
    SchemaStep::DropColumn {
        table: table.to_owned(),
        column: column.to_owned(),
    }
}

#[tokio::test]
async fn what_is_made_is_found_again() {
    let Some(world) = empty().await else { return };
    let store = &world.store;
    let key = Column {
        nullable: false,
        unique: true,
        primary_key: true,
        ..column("id", Kind::Uuid)
    };
    let mut columns = vec![key];
    for (i, kind) in [
        Kind::Boolean,
        Kind::Integer,
        Kind::BigInteger,
        Kind::Float,
        Kind::Decimal,
        Kind::String,
        Kind::Text,
        Kind::Json,
        Kind::Date,
        Kind::Time,
        Kind::DateTime,
        Kind::Timestamp,
        Kind::Uuid,
        Kind::Binary,
        Kind::Geometry,
    ]
    .into_iter()
    .enumerate()
    {
        columns.push(Column {
            nullable: i % 2 == 0,
            unique: i % 5 == 1,
            indexed: i % 5 == 2,
            max_length: (kind == Kind::String).then_some(30),
            precision: (kind == Kind::Decimal).then_some(12),
            scale: (kind == Kind::Decimal).then_some(3),
            default: match kind {
                Kind::Boolean => Default::Value(Scalar::Bool(true)),
                Kind::Integer => Default::Value(Scalar::Int(-3)),
                Kind::Float => Default::Value(Scalar::Real(0.5)),
                Kind::Decimal => Default::Value("1.50".into()),
                Kind::String => Default::Value("it's \"quoted\"".into()),
                Kind::Json => Default::Value("{\"a\":[1,2]}".into()),
                Kind::Binary => Default::None,
                Kind::Date | Kind::Time | Kind::DateTime | Kind::Timestamp => Default::Now,
                _ => Default::None,
            },
            ..column(&format!("a {kind:?} \"column\""), kind)
        });
    }
    let keys = vec![key_to("a Uuid \"column\"", "strange \"name\" ü", Action::Cascade)];
    change(
        store,
        vec![table("strange \"name\" ü", columns.clone(), keys.clone())],
    )
    .await
    .unwrap();
    let mut tables = store.tables().await.unwrap();
    let mut table = tables.swap_remove("strange \"name\" ü").unwrap();
    for column in &mut table.columns {
        assert!(!column.data_type.is_empty());
        column.data_type.clear();
    }
    assert_eq!(table.columns, columns);
    assert_eq!(table.foreign_keys, keys);
}

#[tokio::test]
async fn keys_that_are_counted_are_as_large_as_they_were_declared() {
    let Some(world) = empty().await else { return };
    let far = Column {
        kind: Kind::BigInteger,
        ..counted_key()
    };
    let near = vec![counted_key(), column("note", Kind::String)];
    let steps = vec![
        table("near", near, vec![]),
        table("far", vec![far, column("note", Kind::String)], vec![]),
    ];
    change(&world.store, steps).await.unwrap();
    // What is written into the text of a table later keeps what it says of the key.
    let longer = Column {
        nullable: false,
        max_length: Some(9),
        ..column("note", Kind::String)
    };
    change(
        &world.store,
        vec![alter("near", longer.clone()), alter("far", longer)],
    )
    .await
    .unwrap();
    let world = world.again(vec![]).await;
    for (table, kind) in [("near", Kind::Integer), ("far", Kind::BigInteger)] {
        let key = found(&world, table, "id").await;
        assert_eq!((key.kind, key.auto_increment), (kind, true), "{table}");
    }
    let beyond = [("id", json!(9_007_199_254_740_991_i64)), ("note", json!("x"))];
    let keys = world.write(world.insert("far", &[&beyond, &[("note", json!("y"))]]));
    let next = Scalar::Int(9_007_199_254_740_992);
    assert_eq!(keys.await.unwrap(), [Scalar::Int(9_007_199_254_740_991), next]);
}

#[tokio::test]
async fn the_version_grows_with_every_change() {
    let Some(world) = newspaper().await else { return };
    let before = world.store.schema_version().await.unwrap();
    change(&world.store, vec![add(column("more", Kind::Text))])
        .await
        .unwrap();
    assert_eq!(world.store.schema_version().await.unwrap(), before + 1);
}

#[tokio::test]
async fn columns_are_added_to_tables_with_rows() {
    let Some(world) = articles().await else { return };
    let required = |column: Column| Column {
        nullable: false,
        ..column
    };
    change(
        &world.store,
        vec![
            add(column("plain", Kind::Text)),
            add(required(Column {
                default: Default::Value(Scalar::Int(5)),
                indexed: true,
                ..column("with_default", Kind::Integer)
            })),
            add(required(Column {
                default: Default::Now,
                ..column("since", Kind::Timestamp)
            })),
        ],
    )
    .await
    .unwrap();
    let world = world.again(vec![]).await;
    assert_eq!(
        world
            .json(world.read("articles", &["plain", "with_default", "since"]))
            .await[2],
        json!({"plain": null, "with_default": 5, "since": "2026-11-21T04:05:06.789Z"})
    );
    let since = found(&world, "articles", "since").await;
    assert_eq!((since.nullable, since.default), (false, Default::Now));
    assert!(found(&world, "articles", "with_default").await.indexed);
    refused(
        &world,
        add(required(column("empty", Kind::Text))),
        "CONTAINS_NULL_VALUES: 3 item(s) of \"articles\" have no value in \"empty\".",
    )
    .await;
    refused(
        &world,
        add(column("TITLE", Kind::Text)),
        "INVALID_PAYLOAD: \"articles\" has a column \"TITLE\" already.",
    )
    .await;
    let error = change(
        &world.store,
        vec![add(Column {
            unique: true,
            default: Default::Value(Scalar::Int(1)),
            ..column("same", Kind::Integer)
        })],
    )
    .await;
    assert!(matches!(error, Err(Error::Unique { .. })), "{error:?}");
}

#[tokio::test]
async fn a_default_that_changes_leaves_the_rows_that_are_there() {
    let Some(world) = articles().await else { return };
    let with = |name: &str, default: &str| Column {
        default: match default {
            "" => Default::None,
            text => Default::Value(text.into()),
        },
        ..column(name, Kind::String)
    };
    let added = vec![add(with("bare", "")), add(with("old", "a 'b' \\ 😀"))];
    change(&world.store, added).await.unwrap();
    assert_eq!(
        found(&world, "articles", "old").await.default,
        Default::Value("a 'b' \\ 😀".into())
    );
    let altered = ["bare", "old"].map(|name| alter("articles", with(name, "new")));
    change(&world.store, altered.to_vec()).await.unwrap();
    let world = world.again(vec![]).await;
    world
        .write(world.insert("articles", &[&[("title", json!("x"))]]))
        .await
        .unwrap();
    let rows = world.json(world.read("articles", &["bare", "old"])).await;
    assert_eq!(rows[0], json!({"bare": null, "old": "a 'b' \\ 😀"}));
    assert_eq!(rows[3], json!({"bare": "new", "old": "new"}));
}

#[tokio::test]
async fn columns_take_other_types_with_their_values() {
    let Some(world) = articles().await else { return };
    let views = found(&world, "articles", "views").await;
    let step = alter(
        "articles",
        Column {
            kind: Kind::Boolean,
            default: Default::Value(Scalar::Bool(true)),
            indexed: true,
            ..views
        },
    );
    change(&world.store, vec![step]).await.unwrap();
    let status = found(&world, "articles", "status").await;
    refused(
        &world,
        alter(
            "articles",
            Column {
                kind: Kind::Integer,
                default: Default::None,
                ..status
            },
        ),
        "INVALID_PAYLOAD: 2 value(s) in \"status\" of \"articles\" cannot become \"integer\". The first: \
         Expected a whole number from -2147483648 to 2147483647; got the text \"draft\".",
    )
    .await;
    let world = world.again(vec![]).await;
    let keys = world
        .write(world.insert("articles", &[&[("title", json!("new"))]]))
        .await
        .unwrap();
    assert_eq!(keys, [Scalar::Int(4)], "the counter goes on");
    assert_eq!(
        world.json(world.read("articles", &["views"])).await,
        json!([{"views": true}, {"views": false}, {"views": null}, {"views": true}])
    );
    let views = found(&world, "articles", "views").await;
    assert_eq!((views.kind, views.indexed), (Kind::Boolean, true));
    assert_eq!(world.store.check().await.unwrap(), []);
}

#[tokio::test]
async fn rules_are_put_on_columns_only_where_the_rows_keep_them() {
    let Some(world) = articles().await else { return };
    let title = found(&world, "articles", "title").await;
    refused(
        &world,
        alter(
            "articles",
            Column {
                unique: true,
                ..title.clone()
            },
        ),
        "RECORD_NOT_UNIQUE: \"title\" of \"articles\" cannot be unique: 1 value(s) are there more than once.",
    )
    .await;
    refused(
        &world,
        alter(
            "articles",
            Column {
                max_length: Some(5),
                ..title.clone()
            },
        ),
        "INVALID_PAYLOAD: 1 value(s) in \"title\" of \"articles\" cannot become \"string\". The first: \
         The text has 10 characters; at most 5 are allowed.",
    )
    .await;
    let views = found(&world, "articles", "views").await;
    refused(
        &world,
        alter(
            "articles",
            Column {
                nullable: false,
                ..views
            },
        ),
        "CONTAINS_NULL_VALUES: 1 item(s) of \"articles\" have no value in \"views\".",
    )
    .await;
    let id = found(&world, "articles", "id").await;
    refused(
        &world,
        alter(
            "articles",
            Column {
                kind: Kind::Uuid,
                auto_increment: false,
                ..id
            },
        ),
        "INVALID_PAYLOAD: The primary key \"id\" of \"articles\" cannot be changed.",
    )
    .await;
    world
        .write(world.update(
            "articles",
            world.test("articles.id", loggia_model::filter::Test::Equal(Scalar::Int(2))),
            &[("title", json!("other"))],
        ))
        .await
        .unwrap();
    let unique = Column {
        unique: true,
        nullable: true,
        ..title
    };
    change(&world.store, vec![alter("articles", unique.clone())])
        .await
        .unwrap();
    assert!(found(&world, "articles", "title").await.unique);
    let twice = world
        .write(world.insert("articles", &[&[("title", json!("other"))]]))
        .await;
    assert!(matches!(twice, Err(Error::Unique { .. })));
    change(
        &world.store,
        vec![alter(
            "articles",
            Column {
                unique: false,
                ..unique
            },
        )],
    )
    .await
    .unwrap();
    world
        .write(world.insert("articles", &[&[("title", json!("other"))]]))
        .await
        .unwrap();
    world
        .write(world.insert("articles", &[&[("title", json!(null))]]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_table_that_others_point_to_keeps_its_rows_and_theirs() {
    let Some(world) = articles().await else { return };
    world
        .write(world.insert("authors", &[&[("name", json!("Ann"))]]))
        .await
        .unwrap();
    world
        .write(world.update("articles", Filter::All, &[("author", json!(1))]))
        .await
        .unwrap();
    world
        .write(world.insert("articles_tags", &[&[("article", json!(1))]]))
        .await
        .unwrap();
    let title = found(&world, "articles", "title").await;
    let name = found(&world, "authors", "name").await;
    change(
        &world.store,
        vec![
            alter(
                "articles",
                Column {
                    kind: Kind::Text,
                    ..title
                },
            ),
            alter(
                "authors",
                Column {
                    kind: Kind::Text,
                    unique: false,
                    ..name
                },
            ),
            drop_column("articles", "status"),
            drop_column("articles", "author"),
        ],
    )
    .await
    .unwrap();
    let world = world.again(vec![]).await;
    assert_eq!(world.rows(world.read("articles_tags", &["id"])).await.len(), 1);
    assert_eq!(world.rows(world.read("articles", &["title"])).await.len(), 3);
    assert!(world.collection("articles").field("author").is_none());
    assert!(
        world
            .collection("articles")
            .table
            .as_ref()
            .unwrap()
            .foreign_keys
            .is_empty()
    );
    world.write(world.delete("articles", Filter::All)).await.unwrap();
    assert_eq!(
        world.rows(world.read("articles_tags", &["id"])).await.len(),
        0,
        "it still cascades"
    );
    assert_eq!(world.store.check().await.unwrap(), []);
    refused(
        &world,
        drop_column("authors", "id"),
        "INVALID_PAYLOAD: \"id\" is the primary key of \"authors\".",
    )
    .await;
}

#[tokio::test]
async fn foreign_keys_come_and_go() {
    let Some(world) = articles().await else { return };
    let key = key_to("views", "authors", Action::SetNull);
    let point = |key| SchemaStep::AddForeignKey {
        table: "articles".to_owned(),
        key,
    };
    refused(
        &world,
        point(key.clone()),
        "INVALID_FOREIGN_KEY: 2 item(s) of \"articles\" have a \"views\" that no item of \"authors\" has.",
    )
    .await;
    refused(
        &world,
        point(key_to("views", "nowhere", Action::SetNull)),
        "INVALID_PAYLOAD: \"views\" cannot point to \"id\" of \"nowhere\": that does not exist.",
    )
    .await;
    world
        .write(world.update("articles", Filter::All, &[("views", json!(null))]))
        .await
        .unwrap();
    world
        .write(world.insert("authors", &[&[("name", json!("Ann"))]]))
        .await
        .unwrap();
    change(&world.store, vec![point(key.clone())]).await.unwrap();
    let tables = world.store.tables().await.unwrap();
    assert!(tables["articles"].foreign_keys.contains(&key));
    assert!(!found(&world, "articles", "views").await.indexed);
    let dangling = |world: &World| world.update("articles", Filter::All, &[("views", json!(9))]);
    let error = world.write(dangling(&world)).await.unwrap_err();
    assert!(
        matches!(error, Error::ForeignKey { .. } | Error::PointsNowhere { .. }),
        "{error}"
    );
    world
        .write(world.update("articles", Filter::All, &[("views", json!(1))]))
        .await
        .unwrap();
    world.write(world.delete("authors", Filter::All)).await.unwrap();
    assert_eq!(
        world.json(world.read("articles", &["views"])).await[0],
        json!({"views": null})
    );
    let step = SchemaStep::DropForeignKey {
        table: "articles".to_owned(),
        column: "views".to_owned(),
    };
    change(&world.store, vec![step.clone()]).await.unwrap();
    world.write(dangling(&world)).await.unwrap();
    refused(
        &world,
        step,
        "INVALID_PAYLOAD: \"views\" of \"articles\" has no foreign key.",
    )
    .await;
}

#[tokio::test]
async fn tables_go_only_when_nothing_points_to_them() {
    let Some(world) = articles().await else { return };
    let drop = |name: &str| SchemaStep::DropTable {
        table: name.to_owned(),
    };
    refused(
        &world,
        drop("tags"),
        "INVALID_PAYLOAD: \"articles_tags\" still points to \"tags\" by \"tag\": remove that relation first.",
    )
    .await;
    change(&world.store, vec![drop("articles_tags"), drop("tags")])
        .await
        .unwrap();
    refused(
        &world,
        drop("tags"),
        "INVALID_PAYLOAD: There is no table \"tags\".",
    )
    .await;
    refused(
        &world,
        table("Articles", vec![counted_key()], vec![]),
        "INVALID_PAYLOAD: A table \"Articles\" exists already.",
    )
    .await;
    change(
        &world.store,
        vec![drop("blocks"), drop("articles"), drop("authors")],
    )
    .await
    .unwrap();
    assert!(
        world
            .store
            .tables()
            .await
            .unwrap()
            .keys()
            .all(|name| loggia_model::system::is_reserved(name))
    );
}

#[tokio::test]
async fn a_plan_is_done_whole_or_not_at_all_and_goes_with_its_transaction() {
    let Some(world) = articles().await else { return };
    let before = world.store.tables().await.unwrap();
    let steps = || {
        vec![
            drop_column("articles", "title"),
            alter("articles", column("views", Kind::Text)),
            table("more", vec![counted_key()], vec![]),
        ]
    };
    let mut failing = steps();
    failing.push(drop_column("articles", "nothing"));
    change(&world.store, failing).await.unwrap_err();
    assert_eq!(world.store.tables().await.unwrap(), before);
    {
        let mut tx = world.store.begin().await.unwrap();
        let plan = loggia_model::plan::SchemaPlan { steps: steps() };
        tx.change_schema(super::world::permit(plan)).await.unwrap();
        assert!(tx.tables().await.unwrap().contains_key("more"));
    }
    assert_eq!(world.store.tables().await.unwrap(), before);
    // What was prepared for the tables as they never were is not used.
    let keys = world
        .write(world.insert("articles", &[&[("title", json!("x"))]]))
        .await
        .unwrap();
    assert_eq!(keys, [Scalar::Int(4)]);
    assert_eq!(
        world
            .run(Plan::Read(world.read("articles", &["title"])))
            .await
            .len(),
        4
    );
}
