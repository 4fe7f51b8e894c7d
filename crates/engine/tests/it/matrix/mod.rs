//! Who may do what: a table of callers, actions and targets, written out.
//!
//! `yes`: done, and it shows. `no`: refused like what does not exist; `no field`: like a field that does not exist;
//! `invalid`: for a value; and nothing has changed. A list: the keys that are
//! there. A text after `=`: the value that is shown.

mod table;

use loggia_access::{Caller, TokenFacts, TokenMode};
use loggia_engine::items::{Selection, Target, WriteOptions};
use loggia_engine::{Engine, Error};
use loggia_model::{Query, Record};
use serde_json::{Value, json};

use crate::fixture::{administrator, claims_of, column, engine, established, holder, insert, policy};
use table::{CALLERS, TABLE};

const ANN: &str = "66666666-6666-4666-8666-000000000001";
const BOB: &str = "66666666-6666-4666-8666-000000000002";

struct House {
    engine: Engine,
    callers: Vec<Caller>,
}

async fn house() -> House {
    let (engine, admin) = (engine().await, administrator());
    let text = |name: &str| json!({"field": name, "type": "string"});
    let collections = json!([
        {"collection": "pages", "schema": {}, "meta": {}, "fields": [
            text("title"), text("secret"), {"field": "owner", "type": "uuid"}, text("locale"), text("status"),
        ]},
        {"collection": "ledgers", "schema": {}, "meta": {}, "fields": [text("amount")]},
    ]);
    engine
        .create_collections(&admin, collections.as_array().unwrap().clone())
        .await
        .unwrap();
    let page = |id: i64, owner: &str, locale: &str, status: &str| {
        json!({"id": id, "title": format!("page {id}"), "secret": format!("secret {id}"), "owner": owner,
            "locale": locale, "status": status})
    };
    let pages = [
        page(1, ANN, "en", "published"),
        page(2, BOB, "fr", "draft"),
        page(3, BOB, "de", "published"),
    ];
    insert(&engine, "pages", &pages).await;
    insert(&engine, "ledgers", &[json!({"id": 1, "amount": "5"})]).await;
    let callers = callers(&engine).await;
    House { engine, callers }
}

/// In the order of [`CALLERS`].
async fn callers(engine: &Engine) -> Vec<Caller> {
    let own = json!({"owner": {"_eq": "$CURRENT_USER"}});
    let shown = json!(["title", "owner", "locale", "status"]);
    let editor = policy(
        engine,
        json!([
            {"collection": "pages", "action": "read", "fields": shown},
            {"collection": "pages", "action": "read", "permissions": own, "fields": ["secret"]},
            {"collection": "pages", "action": ["update", "delete"], "permissions": own, "fields": ["title", "status"]},
            {"collection": "pages", "action": "create", "permissions": own, "fields": ["title", "locale", "status"],
             "presets": {"owner": "$CURRENT_USER"}},
        ]),
    )
    .await;
    let analyst = policy(
        engine,
        json!([{"collection": "pages", "action": "read", "fields": ["id", "locale", "status"]}]),
    )
    .await;
    let public = json!([{"collection": "pages", "action": "read", "permissions": {"status": "published"},
        "fields": ["title", "locale", "status"]}]);
    let public = policy(engine, public).await;
    let everything = json!([{"collection": "*", "action": ["create", "read", "update", "delete"]}]);
    let everything = policy(engine, everything).await;
    let narrowing = json!([
        {"collection": "pages", "action": ["read", "update"], "fields": ["title", "status"],
         "permissions": {"status": {"_eq": "published"}}},
    ]);
    let narrowing = policy(engine, narrowing).await;
    let locale = json!([
        {"collection": "pages", "action": "read"},
        {"collection": "pages", "action": ["create", "update", "delete"], "locales": ["fr"]},
    ]);
    let locale = policy(engine, locale).await;
    let mut propose = claims_of(ANN, &[&[&everything]]);
    propose.token = Some(TokenFacts {
        id: "77777777-7777-4777-8777-777777777777".to_owned(),
        name: "assistant".to_owned(),
        mode: TokenMode::Propose,
        changed_rows_per_hour: None,
    });
    let mut nobody = claims_of(ANN, &[&[&public]]);
    nobody.user = None;
    let callers = [
        administrator(),
        holder(ANN, &[&[&editor]]),
        holder(ANN, &[&[&analyst]]),
        established(nobody),
        holder(ANN, &[&[&everything], &[&narrowing]]),
        holder(ANN, &[&[&locale]]),
        established(propose),
    ];
    callers.to_vec()
}

/// What came of one cell.
async fn outcome(house: &House, caller: &Caller, action: &str, collection: &str, target: &Value) -> String {
    let engine = &house.engine;
    match action {
        "list" => match read(engine, caller, collection, target).await {
            Ok(keys) => keys,
            Err(error) => refused(&error),
        },
        "show" => show(engine, caller, collection, target).await,
        "aggregate" => {
            let query = Query::from_json(&json!({"aggregate": {"count": "*", "max": [target]}})).unwrap();
            match engine.read_items(caller, collection, query).await {
                Ok(page) => format!(
                    "{} of {}",
                    page.rows[0]["max"][target.as_str().unwrap()],
                    page.rows[0]["count"]
                ),
                Err(error) => refused(&error),
            }
        }
        _ => written(engine, caller, action, collection, target).await,
    }
}

/// The keys that a filter finds.
async fn read(engine: &Engine, caller: &Caller, collection: &str, filter: &Value) -> Result<String, Error> {
    let query = Query::from_json(&json!({"fields": ["id"], "filter": filter}))?;
    let page = engine.read_items(caller, collection, query).await?;
    let keys: Vec<_> = page.rows.iter().map(|row| row["id"].to_string()).collect();
    Ok(format!("[{}]", keys.join(" ")))
}

/// One field of one item.
async fn show(engine: &Engine, caller: &Caller, collection: &str, target: &Value) -> String {
    let field = target["field"].as_str().unwrap();
    let query = Query::from_json(&json!({ "fields": [field] })).unwrap();
    match engine.read_item(caller, collection, &target["key"], query).await {
        Ok(item) => format!("={}", item[field].as_str().unwrap_or("null")),
        Err(error) => refused(&error),
    }
}

async fn written(engine: &Engine, caller: &Caller, action: &str, collection: &str, target: &Value) -> String {
    let before = everything(engine).await;
    let options = WriteOptions::default();
    let data: Record = target["data"].as_object().cloned().unwrap_or_default();
    let keys = vec![target["key"].clone()];
    let done = match action {
        "create" => {
            engine
                .create_items(caller, collection, vec![data], &options)
                .await
        }
        "update" => {
            engine
                .update_items(caller, collection, Target::Keys { keys, data }, &options)
                .await
        }
        _ => {
            engine
                .delete_items(caller, collection, Selection::Keys(keys), &options)
                .await
        }
    };
    let after = everything(engine).await;
    match done {
        Ok(_) if before != after => "yes".to_owned(),
        Ok(_) => "said to be done, but nothing has changed".to_owned(),
        Err(error) if before == after => refused(&error),
        Err(error) => format!("changed, though refused: {:?}", error.problems()),
    }
}

/// Everything that is stored.
async fn everything(engine: &Engine) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for (collection, fields) in [
        (
            "pages",
            ["id", "title", "secret", "owner", "locale", "status"].as_slice(),
        ),
        ("ledgers", &["id", "amount"]),
    ] {
        for field in fields {
            all.push(column(engine, collection, field).await);
        }
    }
    all
}

fn refused(error: &Error) -> String {
    let problems = error.problems().0;
    let any = |says: &dyn Fn(&loggia_model::Problem) -> bool| problems.iter().any(says);
    if any(&|problem| problem.code.name == "FAILED_VALIDATION") {
        return "invalid".to_owned();
    }
    if any(&|problem| problem.message.starts_with("There is no field")) {
        return "no field".to_owned();
    }
    let denied = problems.iter().all(|problem| problem.code.name == "FORBIDDEN");
    if denied {
        "no".to_owned()
    } else {
        format!("{problems:?}")
    }
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says() {
    let mut wrong = Vec::new();
    let mut house = house().await;
    let untouched = everything(&house.engine).await;
    for (action, collection, target, expected) in TABLE {
        let target: Value = serde_json::from_str(target).unwrap();
        let expected: Vec<_> = expected.split('|').map(str::trim).collect();
        assert_eq!(expected.len(), CALLERS.len(), "{action} {collection} {target}");
        for (i, expected) in expected.iter().enumerate() {
            if everything(&house.engine).await != untouched {
                house = self::house().await;
            }
            let got = outcome(&house, &house.callers[i], action, collection, &target).await;
            if got != *expected {
                let who = CALLERS[i];
                wrong.push(format!(
                    "{who} {action} {collection} {target}: {got}, should be {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
