//! Who may do what: a table of callers, actions and targets, written out.
//!
//! `may`: what may be done with an item, and with which fields of it.
//!
//! `no relation`, `no key`, `no target`: refused as where there is no relation, no such item, no such collection to point into.
//! `yes`: done, and it shows. `no`: refused like what does not exist; `no field`: like a field that does not exist;
//! `invalid`: for a value; and nothing has changed. A list: the keys that are
//! there. A text after `=`: the value that is shown.

mod relations;
mod table;

use loggia_access::{Caller, Fields, Permit, TokenFacts, TokenMode};
use loggia_engine::items::{Selection, Target, WriteOptions};
use loggia_engine::{Engine, Error};
use loggia_model::plan::{DeletePlan, Plan};
use loggia_model::{Filter, Query, Record};
use serde_json::{Value, json};

use crate::fixture::{administrator, claims_of, column, engine, established, holder, insert, policy};
use table::{CALLERS, TABLE};

const ANN: &str = "66666666-6666-4666-8666-000000000001";
const BOB: &str = "66666666-6666-4666-8666-000000000002";

struct House {
    engine: Engine,
    callers: Vec<Caller>,
    /// What is stored, what is pointed to before what points.
    rows: Vec<(&'static str, Vec<Value>)>,
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
    let ledgers = vec![json!({"id": 1, "amount": "5"})];
    let callers = callers(&engine).await;
    let rows = vec![("pages", pages.to_vec()), ("ledgers", ledgers)];
    House {
        engine,
        callers,
        rows,
    }
}

impl House {
    /// Puts the rows back, and only these.
    async fn fill(&self) {
        let schema = self.engine.schema();
        let mut tx = self.engine.parts().store.begin().await.unwrap();
        for (name, _) in self.rows.iter().rev() {
            let plan = Plan::Delete(DeletePlan {
                collection: schema.collection(name).unwrap().clone(),
                filter: Filter::All,
            });
            tx.run(Permit::system("rows of a test", plan)).await.unwrap();
        }
        tx.commit().await.unwrap();
        for (name, rows) in &self.rows {
            insert(&self.engine, name, rows).await;
        }
    }

    /// Everything that is stored.
    async fn everything(&self) -> Vec<Vec<Value>> {
        let schema = self.engine.schema();
        let mut all = Vec::new();
        for (name, _) in &self.rows {
            let fields = schema.collection(name).unwrap().fields.values();
            for field in fields.filter(|field| !field.is_alias()) {
                all.push(column(&self.engine, name, &field.name).await);
            }
        }
        all
    }

    /// What comes of each cell that is not what the table says.
    async fn wrong(&self, callers: &[&str], table: &[(&str, &str, &str, &str)]) -> Vec<String> {
        let mut wrong = Vec::new();
        self.fill().await;
        let untouched = self.everything().await;
        for (action, collection, target, expected) in table {
            let target: Value = serde_json::from_str(target).unwrap();
            let expected: Vec<_> = expected.split('|').map(str::trim).collect();
            assert_eq!(expected.len(), callers.len(), "{action} {collection} {target}");
            for (i, expected) in expected.iter().enumerate() {
                let got = outcome(self, &self.callers[i], action, collection, &target).await;
                if self.everything().await != untouched {
                    self.fill().await;
                }
                if got != *expected {
                    let who = callers[i];
                    wrong.push(format!(
                        "{who} {action} {collection} {target}: {got}, should be {expected}"
                    ));
                }
            }
        }
        wrong
    }
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
            {"collection": "pages", "action": "update", "permissions": {"status": {"_eq": "draft"}}, "fields": ["locale"]},
            {"collection": "pages", "action": "share", "permissions": own},
            {"collection": "pages", "action": "publish", "statuses": ["draft"]},
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
    let everything = json!([{"collection": "*", "action": ["create", "read", "update", "delete", "share"]}]);
    let everything = policy(engine, everything).await;
    let narrowing = json!([
        {"collection": "pages", "action": ["read", "update", "share"], "fields": ["title", "status"],
         "permissions": {"status": {"_eq": "published"}}},
    ]);
    let narrowing = policy(engine, narrowing).await;
    let locale = json!([
        {"collection": "pages", "action": "read"},
        {"collection": "pages", "action": ["create", "update", "delete"], "locales": ["fr"]},
        {"collection": "pages", "action": ["update"], "statuses": ["published", "archived"], "fields": ["status"]},
        {"collection": "pages", "action": ["share", "publish"], "locales": ["fr", "de"], "statuses": ["published"]},
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
        "may" => may(engine, caller, collection, target).await,
        _ => written(house, caller, action, collection, target).await,
    }
}

/// What may be done with an item: actions, and the fields that may be changed.
async fn may(engine: &Engine, caller: &Caller, collection: &str, key: &Value) -> String {
    match engine.abilities(caller, collection, Some(key)).await {
        Err(error) => refused(&error),
        Ok(abilities) => {
            let update = abilities.update.map(|update| match update.fields {
                Fields::All => "update *".to_owned(),
                Fields::Some(fields) => {
                    format!("update {}", fields.into_iter().collect::<Vec<_>>().join(","))
                }
            });
            let others = [
                (abilities.delete, "delete"),
                (abilities.share, "share"),
                (abilities.publish, "publish"),
            ];
            let others = others.into_iter().filter(|(may, _)| *may);
            let all: Vec<_> = update
                .into_iter()
                .chain(others.map(|(_, name)| name.to_owned()))
                .collect();
            if all.is_empty() {
                "-".to_owned()
            } else {
                all.join("+")
            }
        }
    }
}

/// The keys that a filter finds.
async fn read(engine: &Engine, caller: &Caller, collection: &str, filter: &Value) -> Result<String, Error> {
    let query = Query::from_json(&json!({"fields": ["id"], "filter": filter}))?;
    let page = engine.read_items(caller, collection, query).await?;
    let keys: Vec<_> = page.rows.iter().map(|row| row["id"].to_string()).collect();
    Ok(format!("[{}]", keys.join(" ")))
}

/// One field of one item, or several as JSON.
async fn show(engine: &Engine, caller: &Caller, collection: &str, target: &Value) -> String {
    if let Some(fields) = target.get("fields") {
        let query = Query::from_json(&json!({ "fields": fields })).unwrap();
        return match engine.read_item(caller, collection, &target["key"], query).await {
            Ok(item) => Value::Object(item).to_string(),
            Err(error) => refused(&error),
        };
    }
    let field = target["field"].as_str().unwrap();
    let query = Query::from_json(&json!({ "fields": [field] })).unwrap();
    match engine.read_item(caller, collection, &target["key"], query).await {
        Ok(item) => format!("={}", item[field].as_str().unwrap_or("null")),
        Err(error) => refused(&error),
    }
}

async fn written(house: &House, caller: &Caller, action: &str, collection: &str, target: &Value) -> String {
    let engine = &house.engine;
    let before = house.everything().await;
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
    let after = house.everything().await;
    match done {
        Ok(_) if before != after => "yes".to_owned(),
        Ok(_) => "said to be done, but nothing has changed".to_owned(),
        Err(error) if before == after => refused(&error),
        Err(error) => format!("changed, though refused: {:?}", error.problems()),
    }
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
    let only = |code: &str| problems.iter().all(|problem| problem.code.name == code);
    match &problems[..] {
        _ if only("FORBIDDEN") => "no".to_owned(),
        // A relation that is not there is a column like others; a key that is not there points nowhere.
        _ if only("INVALID_QUERY") => "no relation".to_owned(),
        _ if only("INVALID_FOREIGN_KEY") => "no key".to_owned(),
        [one] if one.message.ends_with("got an object.") => "no relation".to_owned(),
        [one] if one.message.contains("cannot point into") => "no target".to_owned(),
        _ => format!("{problems:?}"),
    }
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says() {
    let wrong = house().await.wrong(&CALLERS, TABLE).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn everybody_may_do_through_relations_what_the_table_says() {
    let wrong = relations::house()
        .await
        .wrong(&relations::CALLERS, relations::TABLE)
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
