//! Changes of tables that end in their middle, with the process that makes them.

use loggia_model::plan::{SchemaPlan, SchemaStep};
use loggia_model::schema::{Column, Table};
use loggia_model::{Scalar, StorageKind as Kind};
use loggia_servers::Database;
use loggia_store::{Options, Store};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use super::suite::world::{
    World, change, column, counted_key, newspaper_relations, newspaper_tables, options, permit, table,
};

/// Steps of every sort, most of which lose something.
fn steps(tables: &indexmap::IndexMap<String, Table>) -> Vec<SchemaStep> {
    let found = |table: &str, name: &str| {
        let columns = &tables[table].columns;
        columns.iter().find(|column| column.name == name).unwrap().clone()
    };
    let alter = |table: &str, column| SchemaStep::AlterColumn {
        table: table.to_owned(),
        column,
    };
    vec![
        SchemaStep::DropColumn {
            table: "articles".to_owned(),
            column: "title".to_owned(),
        },
        alter(
            "articles",
            Column {
                kind: Kind::Text,
                ..found("articles", "views")
            },
        ),
        alter(
            "authors",
            Column {
                unique: false,
                nullable: true,
                ..found("authors", "name")
            },
        ),
        SchemaStep::AddColumn {
            table: "authors".to_owned(),
            column: Column {
                unique: true,
                ..column("more", Kind::String)
            },
        },
        SchemaStep::DropForeignKey {
            table: "articles".to_owned(),
            column: "author".to_owned(),
        },
        SchemaStep::DropTable {
            table: "articles_tags".to_owned(),
        },
        SchemaStep::DropTable {
            table: "tags".to_owned(),
        },
        table("things", vec![counted_key()], vec![]),
    ]
}

/// Tables and rows, as they are told apart.
async fn seen(store: &Store) -> (indexmap::IndexMap<String, Table>, Value) {
    let world = World::of(store.clone(), newspaper_relations()).await;
    let rows = match world.schema.collection("tags") {
        Some(_) => world.json(world.read("articles_tags", &["article", "tag"])).await,
        None => Value::Null,
    };
    let name = world.json(world.read("authors", &["id", "name"])).await;
    let fields: &[&str] = match world.collection("articles").field("title") {
        Some(_) => &["id", "title", "views", "author"],
        None => &["id", "views", "author"],
    };
    let articles = world.json(world.read("articles", fields)).await;
    (store.tables().await.unwrap(), json!([rows, name, articles]))
}

/// What a process does that goes in the middle: here, it is everything that runs on a runtime which is given up.
fn killed_after(url: &str, steps: Vec<SchemaStep>, noted: i64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mine = Options {
        server: false,
        ..options(url)
    };
    let changing = runtime.spawn(async move {
        let store = Store::open(mine).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.change_schema(permit(SchemaPlan { steps })).await.unwrap();
        tx.commit().await.unwrap();
    });
    let url = url.split('?').next().unwrap().to_owned();
    let watching = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    watching.block_on(async {
        let mut connection = Conn::new(Opts::from_url(&url).unwrap()).await.unwrap();
        while !changing.is_finished() {
            let last: Option<Option<i64>> = connection
                .query_first("SELECT MAX(id) FROM loggia_ddl")
                .await
                .unwrap();
            if last.flatten().unwrap_or(0) >= noted {
                break;
            }
        }
        connection.disconnect().await.unwrap();
    });
    runtime.shutdown_background();
}

#[test]
fn a_change_that_ends_in_its_middle_is_done_whole_or_not_at_all() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    for steps_noted in 1..40 {
        let Some(database) = runtime.block_on(Database::empty(super::KIND)) else {
            return;
        };
        let url = &database.url;
        let before = runtime.block_on(filled(url));
        let noted = runtime.block_on(last_noted(url));
        killed_after(url, steps(&before.0), noted + steps_noted);
        let after = runtime.block_on(async {
            let store = Store::open(options(url)).await.unwrap();
            // A change that is kept is cleared away by the next one.
            change(&store, vec![table("next", vec![counted_key()], vec![])])
                .await
                .unwrap();
            let (mut tables, rows) = seen(&store).await;
            assert!(tables.shift_remove("next").is_some());
            let hidden = hidden(url).await;
            assert_eq!(hidden, Vec::<String>::new());
            (tables, rows)
        });
        if after.0.contains_key("things") {
            assert!(!after.0.contains_key("tags") && !after.0.contains_key("articles_tags"));
            assert!(after.0["articles"].foreign_keys.is_empty());
            assert_eq!(
                after.1,
                json!([null, [{"id": 1, "name": "Ann"}], [{"id": 1, "views": "7", "author": 1}]])
            );
            assert!(steps_noted > 4, "it was never met in its middle");
            return;
        }
        assert_eq!(after, before);
    }
    panic!("it never comes to its end");
}

/// The newspaper with a row in each of its tables.
async fn filled(url: &str) -> (indexmap::IndexMap<String, Table>, Value) {
    let store = Store::open(options(url)).await.unwrap();
    change(&store, newspaper_tables()).await.unwrap();
    let world = World::of(store.clone(), newspaper_relations()).await;
    let tag = "11111111-1111-4111-8111-111111111111";
    for plan in [
        world.insert("authors", &[&[("name", json!("Ann"))]]),
        world.insert("tags", &[&[("id", json!(tag)), ("name", json!("red"))]]),
        world.insert(
            "articles",
            &[&[("title", json!("one")), ("views", json!(7)), ("author", json!(1))]],
        ),
        world.insert("articles_tags", &[&[("article", json!(1)), ("tag", json!(tag))]]),
    ] {
        assert_ne!(world.write(plan).await.unwrap(), [Scalar::Null]);
    }
    seen(&store).await
}

/// What is left of names that nobody shall be shown.
async fn hidden(url: &str) -> Vec<String> {
    const QUERY: &str = "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND (TABLE_NAME LIKE 'loggia\\_hidden\\_%' OR COLUMN_NAME LIKE 'loggia\\_hidden\\_%')";
    let url = url.split('?').next().unwrap();
    let mut connection = Conn::new(Opts::from_url(url).unwrap()).await.unwrap();
    let hidden = connection.query(QUERY).await.unwrap();
    connection.disconnect().await.unwrap();
    hidden
}

/// The number of the last step that was ever noted.
async fn last_noted(url: &str) -> i64 {
    let url = url.split('?').next().unwrap();
    let mut connection = Conn::new(Opts::from_url(url).unwrap()).await.unwrap();
    const QUERY: &str = "SELECT CAST(AUTO_INCREMENT - 1 AS SIGNED) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'loggia_ddl'";
    let last: Option<i64> = connection.query_first(QUERY).await.unwrap();
    connection.disconnect().await.unwrap();
    last.unwrap_or(0)
}
