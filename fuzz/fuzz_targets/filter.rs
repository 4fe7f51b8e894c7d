//! Any filter is either run by the database or refused with problems of the caller's; none is our failure. Neither for
//! an administrator nor for somebody to whom permissions show parts of the rows.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use loggia_access::Caller;
use loggia_identity::{Credential, RequestFacts};
use loggia_model::Query;
use loggia_model::error::Kind;
use loggia_testkit::{ADMIN_TOKEN, TestApp};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const READER: &str = "static-token-of-the-reader";

static WORLD: OnceLock<(Runtime, TestApp, [Caller; 2])> = OnceLock::new();

fn world() -> &'static (Runtime, TestApp, [Caller; 2]) {
    WORLD.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let (app, callers) = runtime.block_on(async {
            let app = TestApp::start().await;
            let field = |name: &str, ty: &str| json!({"field": name, "type": ty, "schema": {}, "meta": {}});
            let fields = [
                ("n", "integer"), ("big", "bigInteger"), ("d", "decimal"), ("t", "text"), ("s", "string"), ("b", "boolean"),
                ("day", "date"), ("at", "timestamp"), ("j", "json"), ("u", "uuid"), ("parent", "integer"),
            ];
            let mut fields: Vec<Value> = fields.into_iter().map(|(name, ty)| field(name, ty)).collect();
            fields.push(json!({"field": "kids", "type": "alias", "meta": {"special": ["o2m"]}}));
            let made = app.post("/collections", json!({"collection": "a", "schema": {}, "meta": {}, "fields": fields})).await;
            assert_eq!(made.status, 200, "{}", made.text);
            let relation = json!({"collection": "a", "field": "parent", "related_collection": "a", "schema": {}, "meta": {"one_field": "kids"}});
            let made = app.post("/relations", relation).await;
            assert_eq!(made.status, 200, "{}", made.text);
            let made = app.post("/items/a", json!([{"n": 1, "t": "x", "kids": [{"n": 2, "j": [1]}]}, {}])).await;
            assert_eq!(made.status, 200, "{}", made.text);
            let read = |fields: &[&str], filter: Value| {
                json!({"collection": "a", "action": "read", "fields": fields, "permissions": filter})
            };
            app.caller(json!({"email": "reader@example.com", "token": READER, "policies": [app.policy(json!({"permissions": [
                read(&["n", "d", "t", "j", "kids"], json!({"n": {"_gt": 1}})),
                read(&["big", "day", "at", "parent", "kids"], json!({"kids": {"b": {"_null": true}}})),
            ]})).await]})).await;
            let who = |token| {
                let facts = RequestFacts::local(loggia_access::Origin::Rest);
                app.identity.authenticate(Credential::Bearer(token), facts)
            };
            let callers = [
                who(ADMIN_TOKEN).await.expect("the administrator"),
                who(READER).await.expect("the reader"),
            ];
            (app, callers)
        });
        (runtime, app, callers)
    })
}

fuzz_target!(|raw: &str| {
    let Ok(filter) = serde_json::from_str::<Value>(raw) else {
        return;
    };
    let Ok(query) = Query::from_json(&json!({"filter": filter})) else {
        return;
    };
    let (runtime, app, callers) = world();
    for caller in callers {
        let Err(error) = runtime.block_on(app.engine.read_items(caller, "a", query.clone())) else {
            continue;
        };
        let problems = error.problems();
        assert!(!problems.0.is_empty());
        assert!(
            problems
                .0
                .iter()
                .all(|problem| problem.code.kind != Kind::Internal),
            "{error:?}"
        );
    }
});
