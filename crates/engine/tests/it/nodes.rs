//! Two engines over one database: what one of them changes, the other does not go on without.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use loggia_access::{Attribution, Caller};
use loggia_engine::items::{Selection, WriteOptions};
use loggia_engine::{Engine, Error, Listener};
use loggia_model::{Problem, Query, Record};
use serde_json::{Value, json};

use crate::fixture::{administrator, beside, engine, holder, permit, policy, refused};

const USER: &str = "22222222-2222-4222-8222-222222222222";

/// Two of them; somebody who may do what `rules` say; and the keys of these permissions.
async fn two(rules: Value) -> (Engine, Engine, Caller, Vec<Value>) {
    let one = engine().await;
    let policy = policy(&one, json!([])).await;
    let keys = permit(&one, &policy, rules).await.unwrap();
    let other = beside(&one, Vec::new()).await;
    (one, other, holder(USER, &[&[&policy]]), keys)
}

fn folder(name: &str) -> Record {
    json!({"name": name}).as_object().unwrap().clone()
}

async fn delete(engine: &Engine, keys: Vec<Value>) {
    let (admin, options) = (administrator(), WriteOptions::default());
    let gone = engine.delete_items(&admin, "directus_permissions", Selection::Keys(keys), &options);
    gone.await.unwrap();
}

#[tokio::test]
async fn a_read_after_catching_up_knows_what_the_other_has_changed() {
    let (one, other, caller, keys) = two(json!([{"collection": "directus_folders", "action": "read"}])).await;
    let read = async || {
        other
            .read_items(&caller, "directus_folders", Query::default())
            .await
    };
    read().await.unwrap();
    delete(&one, keys).await;
    other.catch_up().await.unwrap();
    assert_eq!(refused(read().await), ["FORBIDDEN "]);
    // Settings, and the schema.
    let options = WriteOptions::default();
    let mut settings = Record::new();
    settings.insert("mcp_enabled".to_owned(), true.into());
    one.upsert_singleton(&administrator(), "directus_settings", settings, &options)
        .await
        .unwrap();
    let made = json!({"collection": "notes", "schema": {}, "fields": []});
    one.create_collections(&administrator(), vec![made])
        .await
        .unwrap();
    assert!(!other.settings().mcp_enabled() && other.schema().collection("notes").is_none());
    other.catch_up().await.unwrap();
    assert!(other.settings().mcp_enabled() && other.schema().collection("notes").is_some());
}

/// Nobody told the other: its transaction begins after the rules were changed, and meets that.
#[tokio::test]
async fn a_write_that_was_allowed_by_what_the_other_has_changed_is_asked_again() {
    let rules = json!([{"collection": "directus_folders", "action": "create"}]);
    let (one, other, caller, keys) = two(rules.clone()).await;
    let options = WriteOptions::default();
    let write = async |name: &str| {
        let rows = vec![folder(name)];
        other
            .create_items(&caller, "directus_folders", rows, &options)
            .await
    };
    write("allowed").await.unwrap();
    delete(&one, keys).await;
    assert_eq!(refused(write("denied").await), ["FORBIDDEN "]);
    let policy = caller.claims().policies[0].clone();
    permit(&one, &policy, rules).await.unwrap();
    other.catch_up().await.unwrap();
    write("allowed again").await.unwrap();
}

/// Knows who everybody is by now: nobody, or still the same.
struct Doorkeeper {
    asked: AtomicUsize,
    lets_in: bool,
}

impl Listener for Doorkeeper {
    fn changed(&self, _: &str, _: &[Value]) {}

    fn again<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, Error>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let known = match self.lets_in {
            true => Ok(caller.clone()),
            false => Err(Problem::forbidden().into()),
        };
        Box::pin(std::future::ready(known))
    }
}

/// Who asked was found out before somebody changed who is who: that is asked again once, with the turn at the writer.
#[tokio::test]
async fn a_write_whose_caller_may_be_another_by_now_asks_who_it_is() {
    let rules = json!([{"collection": "directus_folders", "action": "create"}]);
    let (one, _, caller, _) = two(rules).await;
    for lets_in in [true, false] {
        let keeper = Arc::new(Doorkeeper {
            asked: AtomicUsize::new(0),
            lets_in,
        });
        let other = beside(&one, vec![keeper.clone()]).await;
        let established = caller.attributed(Attribution {
            people: Some(other.people()),
            ..Attribution::default()
        });
        let options = WriteOptions::default();
        let write = async |name: &str| {
            let rows = vec![folder(name)];
            other
                .create_items(&established, "directus_folders", rows, &options)
                .await
        };
        write("at once").await.unwrap();
        assert_eq!(keeper.asked.load(Ordering::SeqCst), 0);
        let email = format!("{lets_in}@example.com");
        let rows = vec![json!({"email": email}).as_object().unwrap().clone()];
        one.create_items(&administrator(), "directus_users", rows, &options)
            .await
            .unwrap();
        match (write("later").await, lets_in) {
            (Ok(_), true) => {}
            (refusal, false) => assert_eq!(refused(refusal), ["FORBIDDEN "]),
            (Err(error), true) => panic!("{error}"),
        }
        assert_eq!(keeper.asked.load(Ordering::SeqCst), 1);
    }
}

#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Listener for Ear {
    fn changed(&self, collection: &str, _: &[Value]) {
        self.0.lock().unwrap().push(collection.to_owned());
    }
}

#[tokio::test]
async fn who_listens_hears_of_what_others_did_to_people_and_of_nothing_else() {
    let one = engine().await;
    let ear = Arc::new(Ear::default());
    let other = beside(&one, vec![ear.clone()]).await;
    let options = WriteOptions::default();
    let told = async || {
        other.catch_up().await.unwrap();
        std::mem::take(&mut *ear.0.lock().unwrap())
    };
    let rows = vec![folder("a")];
    one.create_items(&administrator(), "directus_folders", rows, &options)
        .await
        .unwrap();
    assert!(told().await.is_empty());
    let rows = vec![json!({"email": "a@example.com"}).as_object().unwrap().clone()];
    one.create_items(&administrator(), "directus_users", rows, &options)
        .await
        .unwrap();
    assert_eq!(told().await, ["directus_users"]);
    assert!(told().await.is_empty(), "once");
}
