//! A database that another program made, over REST and MCP.

use crate::binary::{Said, loggia};
use crate::server::{Server, TOKEN};
use loggia_servers::{Database, Kind, execute};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// A shop: a foreign key, values that are listed, columns that are unique together, a key of two columns, a view.
const SHOP: &str = "CREATE TABLE makers (id integer PRIMARY KEY, name varchar(40) NOT NULL); \
    CREATE TABLE goods (id integer PRIMARY KEY, name varchar(40), maker integer REFERENCES makers (id), price numeric(8, 2), \
        size varchar(10) CHECK (size IN ('small', 'large')), colour varchar(10) CHECK (colour IN ('red', 'blue')), UNIQUE (maker, name)); \
    CREATE TABLE stock (good integer, place varchar(10), amount integer, PRIMARY KEY (good, place)); \
    CREATE VIEW dear AS SELECT id, name, maker, price FROM goods WHERE price > 100; \
    INSERT INTO makers VALUES (1, 'Ann'); \
    INSERT INTO goods (id, name, maker, price, size) VALUES (1, 'lamp', 1, 120.50, 'small'), (2, 'chair', 1, 80, 'large'), \
        (3, 'desk', 1, 300, 'large'); \
    INSERT INTO stock VALUES (1, 'here', 5), (1, 'there', 7);";

/// A server over a shop; what is held for it, and how its folder is named.
async fn shop(kind: Kind, folder: &tempfile::TempDir) -> Option<(Server, Option<Database>, Vec<String>)> {
    let (url, database, schema) = match kind {
        Kind::Sqlite => {
            let file = folder.path().join("shop.db");
            (format!("sqlite://{}", file.display()), None, None)
        }
        kind => {
            let database = Database::empty(kind).await?;
            (database.url.clone(), Some(database), Some("shop"))
        }
    };
    let statements = match schema {
        Some(schema) => {
            let listed = SHOP.replace("size varchar(10) CHECK (size IN ('small', 'large'))", "size size");
            format!(
                "CREATE SCHEMA {schema}; SET search_path TO {schema}; CREATE TYPE size AS ENUM ('small', 'large'); {listed}"
            )
        }
        None => SHOP.to_owned(),
    };
    execute(&url, &statements).await;
    let mut settings = vec![format!("database.url={url}"), "mcp.enabled=true".to_owned()];
    settings.extend(schema.map(|schema| format!("database.schema={schema}")));
    settings.push(format!("admin.token={TOKEN}"));
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let server = Server::start_with(folder.path(), &arguments);
    settings.pop();
    Some((server, database, settings))
}

async fn answered(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn data(request: RequestBuilder) -> Value {
    let (status, mut answer) = answered(request).await;
    assert!((200..300).contains(&status), "{status} {answer}");
    answer["data"].take()
}

/// The first problem of a refusal.
async fn refused(request: RequestBuilder) -> (u16, Value) {
    let (status, mut answer) = answered(request).await;
    assert!(status >= 400, "{answer}");
    (status, answer["errors"][0].take())
}

/// What a tool answers, or the error that it does.
async fn tool(server: &Server, name: &str, arguments: Value) -> Value {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
    let request = server
        .post("/mcp", &call)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    let (_, mut answer) = answered(request).await;
    answer["result"].take()
}

async fn foreign(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some((server, _database, settings)) = shop(kind, &folder).await else {
        return;
    };
    tables(&server).await;
    views(&server).await;
    over_mcp(&server).await;
    without_key(&server).await;
    server.stop();
    let mut doctor = loggia(folder.path(), &["doctor", "--set", "listen=127.0.0.1:0"]);
    for setting in &settings {
        doctor.args(["--set", setting]);
    }
    let said = Said::from(doctor.output().unwrap());
    let line = said.out.lines().find(|line| line.contains(" database ")).unwrap();
    assert!(
        line.starts_with("good") && line.contains("stock: its key has several columns (good, place)"),
        "{line}"
    );
}

/// Foreign keys are relations, listed values are choices, and what is unique together is named.
async fn tables(server: &Server) {
    let good = json!({"id": 4, "name": "bed", "size": "large", "maker": {"id": 2, "name": "Bob"}});
    data(server.post("/items/goods", &good)).await;
    let read = data(server.get("/items/goods/4?fields=name,maker.name")).await;
    assert_eq!(read, json!({"name": "bed", "maker": {"name": "Bob"}}));
    let (status, problem) =
        refused(server.post("/items/goods", &json!({"id": 5, "name": "bed", "maker": 2}))).await;
    assert_eq!(
        (status, &problem["extensions"]["code"]),
        (400, &json!("RECORD_NOT_UNIQUE"))
    );
    assert_eq!(problem["extensions"]["field"], "maker, name", "{problem}");
    let collection = data(server.get("/collections/goods")).await;
    assert_eq!(
        collection["schema"]["unique_together"],
        json!([["maker", "name"]])
    );
    for (field, wrong, choices) in [
        ("size", "huge", ["small", "large"]),
        ("colour", "green", ["red", "blue"]),
    ] {
        let (status, problem) = refused(server.post("/items/goods", &json!({"id": 5, field: wrong}))).await;
        assert_eq!(status, 400, "{problem}");
        let text = problem.to_string();
        assert!(choices.iter().all(|choice| text.contains(choice)), "{text}");
    }
    let (_, problem) = refused(server.post("/items/goods", &json!({"id": 5, "maker": 99}))).await;
    assert_eq!(problem["extensions"]["code"], "INVALID_FOREIGN_KEY", "{problem}");
}

/// A view is a collection that is read, filtered and aggregated, and that nobody writes.
async fn views(server: &Server) {
    assert_eq!(
        data(server.get("/collections/dear")).await["schema"]["view"],
        true
    );
    let names = data(server.get("/items/dear?fields=name&sort=-price")).await;
    assert_eq!(names, json!([{"name": "desk"}, {"name": "lamp"}]));
    let filtered = data(server.get("/items/dear?fields=name&filter[price][_gt]=200")).await;
    assert_eq!(filtered, json!([{"name": "desk"}]));
    let counted = data(server.get("/items/dear?aggregate[count]=*")).await;
    assert!(
        counted[0]["count"] == 2 || counted[0]["count"] == "2",
        "{counted}"
    );
    for request in [
        server.post("/items/dear", &json!({"name": "x"})),
        server.patch("/items/dear", &json!({"query": {}, "data": {"name": "x"}})),
        server.patch("/items/dear/1", &json!({"name": "x"})),
        server.delete("/items/dear/1"),
    ] {
        let (status, problem) = refused(request).await;
        assert_eq!(status, 403, "{problem}");
        assert!(
            problem["message"]
                .as_str()
                .unwrap()
                .contains("view of the database"),
            "{problem}"
        );
        assert!(
            problem["extensions"]["hint"]
                .as_str()
                .unwrap()
                .contains("Write to"),
            "{problem}"
        );
    }
    for request in [
        server.delete("/collections/dear"),
        server.delete("/fields/dear/name"),
        server.post(
            "/fields/dear",
            &json!({"field": "more", "type": "string", "schema": {}}),
        ),
    ] {
        let (status, problem) = refused(request).await;
        assert_eq!(status, 400, "{problem}");
        assert!(problem.to_string().contains("view of the database"), "{problem}");
    }
    // Its key is not known until it is named.
    let (status, problem) = refused(server.get("/items/dear/1")).await;
    assert_eq!(status, 403);
    assert!(
        problem["extensions"]["hint"]
            .as_str()
            .unwrap()
            .contains("special"),
        "{problem}"
    );
    data(server.patch("/fields/dear/id", &json!({"meta": {"special": ["key"]}}))).await;
    assert_eq!(
        data(server.get("/items/dear/1?fields=name")).await["name"],
        "lamp"
    );
    let relation = json!({"collection": "dear", "field": "maker", "related_collection": "makers", "schema": null,
        "meta": {"one_field": "dear"}});
    data(server.post("/relations", &relation)).await;
    data(server.post(
        "/fields/makers",
        &json!({"field": "dear", "type": "alias", "meta": {"special": ["o2m"]}}),
    ))
    .await;
    let makers =
        data(server.get("/items/makers/1?fields=dear.name,dear.maker.name&deep[dear][_sort]=name")).await;
    assert_eq!(
        makers["dear"],
        json!([{"name": "desk", "maker": {"name": "Ann"}}, {"name": "lamp", "maker": {"name": "Ann"}}])
    );
    for nested in [json!([{"name": "x"}]), json!([1]), json!({"delete": [1]})] {
        let (status, problem) = refused(server.patch("/items/makers/1", &json!({"dear": nested}))).await;
        assert_eq!(status, 403, "{problem}");
        assert!(
            problem["message"]
                .as_str()
                .unwrap()
                .contains("view of the database"),
            "{problem}"
        );
    }
    // Permissions hold for it as for any other.
    let policy = data(server.post("/policies", &json!({"name": "readers"}))).await;
    let permission = json!({"policy": policy["id"], "collection": "dear", "action": "read", "fields": ["name"],
        "permissions": {"price": {"_gt": 200}}});
    data(server.post("/permissions", &permission)).await;
    let user = json!({"email": "reader@example.com", "password": "a long password", "token": "a-token-of-a-reader",
        "policies": [{"policy": policy["id"]}]});
    data(server.post("/users", &user)).await;
    let reader = |path: &str| {
        reqwest::Client::new()
            .get(format!("{}{path}", server.url))
            .bearer_auth("a-token-of-a-reader")
    };
    assert_eq!(
        data(reader("/items/dear")).await,
        json!([{"id": 3, "name": "desk"}])
    );
}

async fn over_mcp(server: &Server) {
    let schema = tool(server, "schema", json!({})).await;
    let schema = &schema["structuredContent"];
    assert_eq!(schema["views"], json!(["dear"]), "{schema}");
    assert_eq!(schema["access"]["dear"], json!(["read"]), "{schema}");
    let read =
        json!({"action": "read", "collection": "dear", "query": {"fields": ["name"], "sort": ["name"]}});
    let read = tool(server, "items", read).await;
    assert!(
        read.to_string().contains("desk") && read["isError"] != true,
        "{read}"
    );
    for data in [
        json!({"action": "create", "collection": "dear", "data": [{"name": "x"}]}),
        json!({"action": "update", "collection": "dear", "keys": [1], "data": {"name": "x"}}),
    ] {
        let refused = tool(server, "items", data).await;
        assert_eq!(refused["isError"], true, "{refused}");
        assert!(
            refused.to_string().contains("is a view of the database"),
            "{refused}"
        );
    }
}

/// Rows that no key tells apart are a list.
async fn without_key(server: &Server) {
    let stock = data(server.get("/items/stock?sort=place&fields=place,amount")).await;
    assert_eq!(
        stock,
        json!([{"place": "here", "amount": 5}, {"place": "there", "amount": 7}])
    );
    for request in [
        server.get("/items/stock/1"),
        server.post("/items/stock", &json!({"good": 2, "place": "x"})),
    ] {
        let (status, problem) = refused(request).await;
        assert_eq!(status, 403, "{problem}");
        assert!(problem.to_string().contains("key"), "{problem}");
    }
    let read = tool(
        server,
        "items",
        json!({"action": "read", "collection": "stock", "query": {"sort": ["place"]}}),
    )
    .await;
    assert!(
        read.to_string().contains("there") && read["isError"] != true,
        "{read}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_made_in_a_file_is_a_project() {
    foreign(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_made_on_a_server_in_a_schema_of_its_own_is_a_project() {
    foreign(Kind::Postgres).await;
}
