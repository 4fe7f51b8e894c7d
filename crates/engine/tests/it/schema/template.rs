//! The schema of a real project, in the shapes that another database served it in, applied and read back.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::fixture::{administrator, engine};

/// The template's folder beside the workspace, where it is there.
fn template(file: &str) -> Option<Vec<Value>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/cms-template/src")
        .join(file);
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::from_str::<Value>(&text).unwrap().as_array().cloned()
}

/// Members that every database says in its own way.
const OWN_WAY: &[&str] = &[
    "data_type",
    "numeric_precision",
    "numeric_scale",
    "is_indexed",
    "foreign_key_schema",
    "schema",
    "constraint_name",
];

/// Every member of `sent` has come back, but for those that each database says in its own way.
fn same(at: &str, sent: &Value, got: &Value) {
    match (sent, got) {
        (Value::Object(sent), Value::Object(got)) => {
            for (key, value) in sent.iter().filter(|(key, _)| !OWN_WAY.contains(&key.as_str())) {
                same(
                    &format!("{at}.{key}"),
                    value,
                    got.get(key).unwrap_or(&Value::Null),
                );
            }
        }
        (Value::Object(_), _) => panic!("{at}: {sent} came back as {got}"),
        _ => assert_eq!(sent, got, "{at}"),
    }
}

#[tokio::test]
async fn a_template_comes_back_as_it_was_applied() {
    let (Some(collections), Some(fields), Some(relations)) = (
        template("collections.json"),
        template("fields.json"),
        template("relations.json"),
    ) else {
        eprintln!("left out: no ../shared/data/cms-template beside the workspace");
        return;
    };
    let (engine, admin) = (engine().await, administrator());
    let own = |collection: &Value| collection["collection"].as_str().unwrap().to_owned();
    let is_alias = |field: &Value| field["schema"].is_null();
    let bodies: Vec<_> = collections
        .iter()
        .map(|collection| {
            let mut body = collection.as_object().cloned().unwrap_or_default();
            if let Some(meta) = body.get_mut("meta").and_then(Value::as_object_mut) {
                meta.shift_remove("group");
            }
            if body["schema"]
                .as_object()
                .is_some_and(|schema| !schema.is_empty())
            {
                let columns = fields
                    .iter()
                    .filter(|field| field["collection"] == collection["collection"] && !is_alias(field));
                body.insert("fields".to_owned(), columns.cloned().collect::<Vec<_>>().into());
            }
            Value::Object(body)
        })
        .collect();
    for body in bodies {
        let name = own(&body);
        let made = engine.create_collections(&admin, vec![body]).await;
        made.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for collection in &collections {
        let group = json!({"meta": {"group": collection["meta"]["group"]}});
        engine
            .update_collection(&admin, &own(collection), group)
            .await
            .unwrap();
    }
    for field in fields.iter().filter(|field| is_alias(field)) {
        let made = engine.create_field(&admin, &own(field), field.clone()).await;
        made.unwrap_or_else(|error| panic!("{}.{}: {error}", field["collection"], field["field"]));
    }
    for relation in &relations {
        let made = engine.create_relation(&admin, relation.clone()).await;
        made.unwrap_or_else(|error| panic!("{}.{}: {error}", relation["collection"], relation["field"]));
    }
    for collection in &collections {
        let name = own(collection);
        same(&name, collection, &engine.read_collection(&admin, &name).unwrap());
    }
    for field in &fields {
        let (collection, name) = (own(field), field["field"].as_str().unwrap());
        let got = engine.read_field(&admin, &collection, name).unwrap();
        same(&format!("{collection}.{name}"), field, &got);
    }
    for relation in &relations {
        let (collection, name) = (own(relation), relation["field"].as_str().unwrap());
        let got = engine.read_relation(&admin, &collection, name).unwrap();
        same(&format!("relation {collection}.{name}"), relation, &got);
    }
    // Written back as they are read, nothing changes.
    let before = engine.schema_snapshot(&admin).unwrap();
    for collection in engine
        .schema()
        .collections
        .values()
        .filter(|collection| !collection.system)
    {
        let fields: Vec<Value> = engine.list_fields(&admin, Some(&collection.name)).unwrap();
        engine
            .update_fields(&admin, &collection.name, fields)
            .await
            .unwrap();
    }
    assert_eq!(engine.schema_snapshot(&admin).unwrap(), before);
    let none = Map::new();
    assert!(before.as_object().unwrap_or(&none).contains_key("relations"));
}
