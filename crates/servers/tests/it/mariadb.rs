//! MariaDB: copies of a made database, and a server that is killed.

use loggia_servers::{Database, Kind, mariadb_alone};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};

async fn connect(url: &str) -> Result<Conn, mysql_async::Error> {
    // What follows is ours.
    let (address, _) = url.split_once('?').unwrap();
    Conn::new(Opts::from_url(address)?).await
}

async fn make(url: String) {
    let mut connection = connect(&url).await.unwrap();
    for text in [
        // In an order of names in which one points to a table that is made later.
        "CREATE TABLE owners (id int AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 7",
        "CREATE TABLE houses (id int PRIMARY KEY, owner int NOT NULL, FOREIGN KEY (owner) REFERENCES owners (id))",
        "INSERT INTO owners VALUES ()",
        "INSERT INTO houses VALUES (1, 7)",
        "CREATE FUNCTION twice(number int) RETURNS int DETERMINISTIC RETURN number * 2",
    ] {
        connection.query_drop(text).await.unwrap();
    }
}

#[tokio::test]
async fn copies_have_everything_and_go_apart() {
    let Some(left) = Database::like(Kind::Mariadb, make).await else {
        return;
    };
    let right = Database::like(Kind::Mariadb, make).await.unwrap();
    assert_ne!(left.url, right.url);
    let mut connection = connect(&left.url).await.unwrap();
    let sum = "SELECT twice(owner) FROM houses";
    assert_eq!(connection.query_first(sum).await.unwrap(), Some(14));
    connection
        .query_drop("INSERT INTO owners VALUES ()")
        .await
        .unwrap();
    let last = "SELECT MAX(id) FROM owners";
    assert_eq!(connection.query_first(last).await.unwrap(), Some(8));
    let unowned = "INSERT INTO houses VALUES (2, 9)";
    connection.query_drop(unowned).await.unwrap_err();
    let mut other = connect(&right.url).await.unwrap();
    assert_eq!(other.query_first(last).await.unwrap(), Some(7));
    let empty = Database::empty(Kind::Mariadb).await.unwrap();
    let mut connection = connect(&empty.url).await.unwrap();
    let tables: Vec<String> = connection.query("SHOW TABLES").await.unwrap();
    assert!(tables.is_empty(), "{tables:?}");
}

#[tokio::test]
async fn a_database_goes_though_somebody_uses_it() {
    let Some(database) = Database::like(Kind::Mariadb, make).await else {
        return;
    };
    let mut connection = connect(&database.url).await.unwrap();
    connection.query_drop("START TRANSACTION").await.unwrap();
    let _: Option<i64> = connection.query_first("SELECT id FROM houses").await.unwrap();
    let url = database.url.clone();
    drop(database);
    connect(&url).await.unwrap_err();
}

#[tokio::test]
async fn a_server_that_is_killed_starts_again_at_the_same_address() {
    let Some(mut server) = mariadb_alone() else {
        return;
    };
    make(server.url()).await;
    server.kill();
    connect(&server.url()).await.unwrap_err();
    server.start();
    connect(&server.url()).await.unwrap();
}
