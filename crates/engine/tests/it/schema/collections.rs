//! Collections: made, changed, deleted; and what is refused.

use serde_json::{Value, json};

use crate::fixture::{administrator, engine, nobody, refused};

#[tokio::test]
async fn a_collection_gets_a_key_when_it_names_none() {
    let (engine, admin) = (engine().await, administrator());
    let made = engine
        .create_collections(&admin, vec![json!({"collection": "posts", "schema": {}})])
        .await
        .unwrap();
    assert_eq!(made[0]["collection"], "posts");
    assert_eq!(made[0]["meta"]["accountability"], "all");
    assert_eq!(made[0]["schema"]["name"], "posts");
    let id = engine.read_field(&admin, "posts", "id").unwrap();
    assert_eq!(id["type"], "integer");
    assert_eq!(id["schema"]["is_primary_key"], true);
    assert_eq!(id["schema"]["has_auto_increment"], true);
    assert_eq!(id["schema"]["is_nullable"], false);
}

#[tokio::test]
async fn an_id_that_is_listed_is_the_key() {
    let (engine, admin) = (engine().await, administrator());
    let body = json!({"collection": "posts", "fields": [
        {"field": "title", "type": "string"},
        {"field": "id", "type": "uuid"},
    ]});
    engine.create_collections(&admin, vec![body]).await.unwrap();
    let id = engine.read_field(&admin, "posts", "id").unwrap();
    assert_eq!(id["schema"]["is_primary_key"], true);
    assert_eq!(id["meta"]["special"], json!(["uuid"]));
    assert_eq!(engine.list_fields(&admin, Some("posts")).unwrap().len(), 2);
}

#[tokio::test]
async fn folders_group_collections_of_the_same_request() {
    let (engine, admin) = (engine().await, administrator());
    let bodies = vec![
        json!({"collection": "posts", "schema": {}, "meta": {"group": "blog", "sort": 2}}),
        json!({"collection": "blog", "schema": null, "meta": {"icon": "folder", "sort": 1}}),
    ];
    engine.create_collections(&admin, bodies).await.unwrap();
    assert_eq!(
        engine.read_collection(&admin, "blog").unwrap()["schema"],
        Value::Null
    );
    assert_eq!(
        engine.read_collection(&admin, "posts").unwrap()["meta"]["group"],
        "blog"
    );
    let names: Vec<_> = engine.schema().collections.keys().take(2).cloned().collect();
    assert_eq!(names, ["blog", "posts"]);
    let circle = engine
        .update_collection(&admin, "blog", json!({"meta": {"group": "posts"}}))
        .await;
    assert_eq!(refused(circle), ["INVALID_PAYLOAD meta.group"]);
    let swapped = engine
        .update_collections(
            &admin,
            vec![
                json!({"collection": "posts", "meta": {"group": null}}),
                json!({"collection": "blog", "meta": {"group": "posts"}}),
            ],
        )
        .await
        .unwrap();
    assert_eq!(swapped[1]["meta"]["group"], "posts");
    engine.delete_collection(&admin, "posts").await.unwrap();
    assert_eq!(
        engine.read_collection(&admin, "blog").unwrap()["meta"]["group"],
        Value::Null
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_and_nothing_is_made() {
    let (engine, admin) = (engine().await, administrator());
    let before = engine.schema().version;
    let bodies = vec![
        json!({"collection": "fine", "schema": {}}),
        json!({
            "collection": "directus_mine",
            "colour": "red",
            "schema": {"nmae": "x"},
            "meta": {"gruop": "x", "hidden": "yes", "sort_field": "order", "group": "nowhere", "accountability": "some"},
            "fields": [
                {"field": "a.b", "type": "string"},
                {"field": "title", "type": "varchar", "schema": {"max_length": 0}},
                {"field": "title", "type": "string", "schema": {"is_uniqe": true}},
                {"field": "Title", "type": "string"},
                {"type": "text"},
            ],
        }),
    ];
    let refused = refused(engine.create_collections(&admin, bodies).await);
    assert_eq!(
        refused,
        [
            "INVALID_PAYLOAD [1].collection",
            "INVALID_PAYLOAD [1].meta.gruop",
            "INVALID_PAYLOAD [1].meta.hidden",
            "INVALID_PAYLOAD [1].meta.accountability",
            "INVALID_PAYLOAD [1].schema.nmae",
            "INVALID_PAYLOAD [1].colour",
            "INVALID_PAYLOAD [1].fields[0].field",
            "INVALID_PAYLOAD [1].fields[1].type",
            "INVALID_PAYLOAD [1].fields[2].schema.is_uniqe",
            "INVALID_PAYLOAD [1].fields[4].field",
            "INVALID_PAYLOAD [1].meta.sort_field",
        ]
    );
    assert!(engine.read_collection(&admin, "fine").is_err());
    assert_eq!(engine.schema().version, before);
}

#[tokio::test]
async fn hints_name_what_was_meant() {
    let (engine, admin) = (engine().await, administrator());
    let check = async |body: Value, expect: &str| {
        let error = engine.create_collections(&admin, vec![body]).await.unwrap_err();
        let text = error.problems().to_string();
        assert!(text.contains(expect), "{text}");
    };
    check(
        json!({"collection": "a", "shema": {}}),
        "Did you mean \"schema\"?",
    )
    .await;
    check(
        json!({"collection": "a", "fields": [{"field": "t", "type": "varchar"}]}),
        "Did you mean \"string\"?",
    )
    .await;
    check(
        json!({"collection": "a", "fields": [{"field": "t", "type": "m2o"}]}),
        "a relation created after it",
    )
    .await;
    check(
        json!({"collection": "a", "fields": [{"field": "t", "type": "integr"}]}),
        "Did you mean \"integer\"?",
    )
    .await;
    check(json!({"collection": "a"}), "Pass {} for a collection of items").await;
    check(
        json!({"collection": "a", "schema": null, "meta": {}, "fields": [{"field": "t", "type": "text"}]}),
        "A folder has no items",
    )
    .await;
}

#[tokio::test]
async fn names_that_are_taken_or_hostile_are_refused() {
    let (engine, admin) = (engine().await, administrator());
    let make = async |name: &str| {
        let body = json!({"collection": name, "schema": {}, "fields": [{"field": name, "type": "string"}]});
        engine.create_collections(&admin, vec![body]).await
    };
    for name in ["select", "Été", "a b", "order by", "1abc", "x--y", "日本"] {
        make(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(engine.read_field(&admin, name, name).is_ok(), "{name}");
    }
    for name in [
        "",
        " a",
        "a\"b",
        "a'; drop table directus_users; --",
        "a`b",
        "a\0b",
        "a\u{202e}b",
        "sqlite_x",
        "loggia_x",
        "directus_users",
        "SELECT",
        "été",
        "x".repeat(64).as_str(),
    ] {
        assert!(make(name).await.is_err(), "{name:?}");
    }
    for name in ["select", "Été", "a b", "order by", "1abc", "x--y", "日本"] {
        engine.delete_collection(&admin, name).await.unwrap();
    }
}

#[tokio::test]
async fn an_update_merges_and_refuses_what_it_would_not_do() {
    let (engine, admin) = (engine().await, administrator());
    let body = json!({"collection": "posts", "schema": {}, "meta": {"icon": "article", "note": "Texts"}});
    engine.create_collections(&admin, vec![body]).await.unwrap();
    let read = engine.read_collection(&admin, "posts").unwrap();
    let same = engine
        .update_collection(&admin, "posts", read.clone())
        .await
        .unwrap();
    assert_eq!(same, read);
    let updated = engine
        .update_collection(
            &admin,
            "posts",
            json!({"meta": {"note": "Articles", "hidden": true}}),
        )
        .await
        .unwrap();
    assert_eq!(updated["meta"]["icon"], "article");
    assert_eq!(updated["meta"]["note"], "Articles");
    assert_eq!(updated["meta"]["hidden"], true);
    let check = async |body: Value, expect: &[&str]| {
        assert_eq!(
            refused(engine.update_collection(&admin, "posts", body).await),
            expect
        );
    };
    check(json!({"collection": "articles"}), &["INVALID_PAYLOAD collection"]).await;
    check(json!({"fields": []}), &["INVALID_PAYLOAD fields"]).await;
    check(
        json!({"meta": {"sort_field": "id2"}}),
        &["INVALID_PAYLOAD meta.sort_field"],
    )
    .await;
    check(json!({"meta": {"nope": 1}}), &["INVALID_PAYLOAD meta.nope"]).await;
    check(json!([]), &["INVALID_PAYLOAD "]).await;
    let unknown = engine
        .update_collection(&admin, "nope", json!({"meta": {}}))
        .await;
    assert_eq!(refused(unknown), ["FORBIDDEN "]);
}

#[tokio::test]
async fn who_may_not_change_the_schema_learns_nothing() {
    let (engine, admin, nobody) = (engine().await, administrator(), nobody());
    engine
        .create_collections(&admin, vec![json!({"collection": "posts", "schema": {}})])
        .await
        .unwrap();
    let forbidden = ["FORBIDDEN "];
    assert_eq!(refused(engine.list_collections(&nobody)), forbidden);
    assert_eq!(refused(engine.read_collection(&nobody, "posts")), forbidden);
    assert_eq!(refused(engine.list_fields(&nobody, None)), forbidden);
    assert_eq!(refused(engine.list_relations(&nobody, None)), forbidden);
    assert_eq!(refused(engine.schema_snapshot(&nobody)), forbidden);
    let bad = json!({"collection": "posts", "nope": 1});
    assert_eq!(
        refused(engine.create_collections(&nobody, vec![bad.clone()]).await),
        forbidden
    );
    assert_eq!(
        refused(engine.update_collection(&nobody, "posts", bad.clone()).await),
        forbidden
    );
    assert_eq!(
        refused(engine.delete_collection(&nobody, "posts").await),
        forbidden
    );
    assert_eq!(
        refused(engine.create_field(&nobody, "posts", bad.clone()).await),
        forbidden
    );
    assert_eq!(
        refused(engine.update_field(&nobody, "posts", "id", bad.clone()).await),
        forbidden
    );
    assert_eq!(
        refused(engine.delete_field(&nobody, "posts", "id").await),
        forbidden
    );
    assert_eq!(
        refused(engine.create_relation(&nobody, bad.clone()).await),
        forbidden
    );
    assert_eq!(
        refused(engine.update_relation(&nobody, "posts", "id", bad).await),
        forbidden
    );
    assert_eq!(
        refused(engine.delete_relation(&nobody, "posts", "id").await),
        forbidden
    );
}

#[tokio::test]
async fn changes_of_the_schema_take_turns() {
    let (engine, admin) = (engine().await, administrator());
    let made = futures_like(&engine, &admin, 12).await;
    assert_eq!(made, 12);
    let own = engine
        .schema()
        .collections
        .values()
        .filter(|collection| !collection.system)
        .count();
    assert_eq!(own, 12);
}

/// Makes collections from as many tasks at once; says how many were made.
async fn futures_like(engine: &loggia_engine::Engine, admin: &loggia_access::Caller, count: usize) -> usize {
    let tasks: Vec<_> = (0..count)
        .map(|i| {
            let (engine, admin) = (engine.clone(), admin.clone());
            tokio::spawn(async move {
                let body = json!({"collection": format!("c{i}"), "schema": {}});
                engine.create_collections(&admin, vec![body]).await.is_ok()
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }
    made
}
