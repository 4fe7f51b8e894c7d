//! What an SQLite file holds and PostgreSQL cannot.

use loggia_model::StorageKind as Kind;
use loggia_model::schema::Column;
use loggia_servers::{Database, Kind as Server};
use loggia_store::copy::{Copy, Stopped};
use loggia_store::{Options, Store};
use rusqlite::Connection;

use super::suite::world::{change, column, counted_key, table};

#[tokio::test]
async fn what_does_not_fit_is_told_all_at_once_and_nothing_is_written() {
    let Some(database) = Database::empty(Server::Postgres).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wide.db");
    let from = Options {
        durable: false,
        ..Options::new(format!("sqlite://{}", file.display()))
    };
    let long = "n".repeat(64);
    let store = Store::open(from.clone()).await.unwrap();
    let steps = vec![
        table(
            "wide",
            vec![
                counted_key(),
                column("text", Kind::Text),
                column("at", Kind::Time),
                Column {
                    max_length: Some(3),
                    ..column("short", Kind::String)
                },
                column("number", Kind::Integer),
            ],
            vec![],
        ),
        table(&long, vec![counted_key(), column(&long, Kind::Text)], vec![]),
    ];
    change(&store, steps).await.unwrap();
    drop(store);
    Connection::open(&file)
        .unwrap()
        .execute_batch(
            "INSERT INTO wide (id, text, at, short, number) VALUES (1, 'a' || char(0) || 'b', '10:00:00', 'abc', 1), \
             (2, 'a', '10:00:00.123456789', 'abcd', 3000000000), (3, 'a', 'noon', 'abc', 'many'); \
             CREATE TABLE pairs (a INT, b INT, PRIMARY KEY (a, b));",
        )
        .unwrap();
    let copy = Copy {
        from,
        to: Options::new(&database.url),
        leave_out: Vec::new(),
    };
    let Err(Stopped::Misfits(misfits)) = copy.run(&mut |_| {}).await else {
        panic!("it must be refused");
    };
    let told: Vec<_> = misfits.iter().map(ToString::to_string).collect();
    for expect in [
        format!("{long}: its name has 64 bytes"),
        format!("{long}.{long}: its name has 64 bytes"),
        "pairs: has no primary key of one column".to_owned(),
        "wide.text of item 1: holds the character U+0000".to_owned(),
        "wide.at of item 2: is 10:00:00.123456789: PostgreSQL keeps microseconds".to_owned(),
        "wide.short of item 2: has 4 characters".to_owned(),
        "wide.number of item 2: is 3000000000".to_owned(),
        "wide.at of item 3: Expected a time".to_owned(),
        "wide.number of item 3: Expected a whole number".to_owned(),
    ] {
        assert!(
            told.iter().any(|line| line.starts_with(&expect)),
            "{expect}: {told:#?}"
        );
    }
    let (client, connection) = tokio_postgres::connect(&database.url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let count = client
        .query_one(
            "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'loggia%' OR relname LIKE 'directus%'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(count.get::<_, i64>(0), 0, "nothing was made");
    drop(client);
    connection.await.unwrap().unwrap();
}
