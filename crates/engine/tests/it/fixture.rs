//! An engine over a fresh database, an administrator, and rows written and read below the use cases.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loggia_access::{Caller, Claims, Layer, Origin, Permit};
use loggia_engine::{Engine, Error, Hasher, Limits, Listener, Parts};
use loggia_model::plan::{InsertPlan, Plan, ReadPlan, SchemaPlan, SchemaStep, Selected, Source};
use loggia_model::{Clock, Filter, Generator, Problems, Scalar};
use loggia_servers::Database;
use loggia_store::{Options, Outcome, Store};
use serde_json::Value;

/// Keeps secrets readable, so that tests can tell what was kept.
struct PlainHasher;

impl Hasher for PlainHasher {
    fn hash_password(
        &self,
        password: &str,
    ) -> Pin<Box<dyn Future<Output = Result<String, Problems>> + Send + '_>> {
        let hash = format!("hashed:{password}");
        Box::pin(async move { Ok(hash) })
    }

    fn fingerprint(&self, token: &str) -> String {
        format!("fingerprint:{token}")
    }
}

/// Keeps the database of a test for as long as its engine.
struct Kept(#[expect(dead_code, reason = "it goes with the engine")] Database);

impl Listener for Kept {
    fn changed(&self, _: &str, _: &[Value]) {}
}

/// An engine over an empty database.
pub(crate) async fn engine() -> Engine {
    engine_heard_by(Vec::new()).await
}

/// An engine over an empty database, and those who are told of changes.
pub(crate) async fn engine_heard_by(mut listeners: Vec<Arc<dyn Listener>>) -> Engine {
    let clock = Clock::mock("2026-11-21T12:00:00Z".parse().unwrap());
    let options = |url: String| Options {
        clock: clock.clone(),
        durable: false,
        ..Options::new(url)
    };
    let database = Database::chosen(async |url| drop(Store::open(options(url)).await.unwrap())).await;
    let store = Store::open(options(database.url.clone())).await.unwrap();
    listeners.push(Arc::new(Kept(database)));
    let parts = Parts {
        store,
        clock,
        generator: Generator::seeded(1),
        hasher: Arc::new(PlainHasher),
        listeners,
        limits: Limits::default(),
    };
    Engine::open(parts).await.unwrap()
}

/// Another process over the database of an engine, as far as it goes: nothing that one of them remembers is the other's.
pub(crate) async fn beside(engine: &Engine, listeners: Vec<Arc<dyn Listener>>) -> Engine {
    // Each makes keys of its own.
    static SEED: AtomicU64 = AtomicU64::new(2);
    let parts = engine.parts();
    let parts = Parts {
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        generator: Generator::seeded(SEED.fetch_add(1, Ordering::Relaxed)),
        hasher: Arc::new(PlainHasher),
        listeners,
        limits: Limits::default(),
    };
    Engine::open(parts).await.unwrap()
}

/// What somebody may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    Administrator,
    None,
}

/// Somebody who may do everything.
pub(crate) fn administrator() -> Caller {
    caller(Rights::Administrator)
}

/// Somebody who may do nothing.
pub(crate) fn nobody() -> Caller {
    caller(Rights::None)
}

fn caller(rights: Rights) -> Caller {
    Caller::established(Claims {
        layers: vec![Layer {
            policies: Vec::new(),
            admin: rights == Rights::Administrator,
        }],
        ..claims(Some("11111111-1111-4111-8111-111111111111"))
    })
}

fn claims(user: Option<&str>) -> Claims {
    Claims {
        user: user.map(str::to_owned),
        role: None,
        roles: Vec::new(),
        policies: Vec::new(),
        layers: Vec::new(),
        token: None,
        app_access: false,
        session: None,
        origin: Origin::Rest,
        ip: None,
        user_agent: None,
    }
}

/// A policy with these permissions: `[{collection, action | [actions], fields?, permissions?, …}]`, where all fields
/// are meant if none are named. Answers its key.
pub(crate) async fn policy(engine: &Engine, permissions: Value) -> String {
    policy_with(
        engine,
        serde_json::json!({"name": "Policy of a test"}),
        permissions,
    )
    .await
}

/// The same, with more said of the policy itself.
pub(crate) async fn policy_with(engine: &Engine, policy: Value, permissions: Value) -> String {
    let options = loggia_engine::items::WriteOptions::default();
    let admin = administrator();
    let record = |value: Value| value.as_object().unwrap().clone();
    let made = engine
        .create_items(&admin, "directus_policies", vec![record(policy)], &options)
        .await
        .unwrap();
    let key = made.keys[0].as_str().unwrap().to_owned();
    permit(engine, &key, permissions).await.unwrap();
    key
}

/// Gives permissions to a policy.
pub(crate) async fn permit(engine: &Engine, policy: &str, permissions: Value) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    for row in permissions.as_array().unwrap() {
        let mut row = row.as_object().unwrap().clone();
        row.insert("policy".to_owned(), policy.into());
        row.entry("fields").or_insert_with(|| serde_json::json!(["*"]));
        let actions = match row.remove("action") {
            Some(Value::Array(actions)) => actions,
            Some(one) => vec![one],
            None => panic!("no action"),
        };
        for action in actions {
            let mut row = row.clone();
            row.insert("action".to_owned(), action);
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let options = loggia_engine::items::WriteOptions::default();
    let made = engine
        .create_items(&administrator(), "directus_permissions", rows, &options)
        .await?;
    Ok(made.keys)
}

/// Somebody who is known by `user`, with these policies; more than one list: each narrows the one before.
pub(crate) fn holder(user: &str, layers: &[&[&str]]) -> Caller {
    Caller::established(claims_of(user, layers))
}

/// What is known of them.
pub(crate) fn claims_of(user: &str, layers: &[&[&str]]) -> Claims {
    let keys = |policies: &[&str]| policies.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    Claims {
        policies: layers.first().map(|policies| keys(policies)).unwrap_or_default(),
        layers: layers
            .iter()
            .map(|policies| Layer {
                policies: keys(policies),
                admin: false,
            })
            .collect(),
        ..claims(Some(user))
    }
}

/// Whoever these claims are of.
pub(crate) fn established(claims: Claims) -> Caller {
    Caller::established(claims)
}

/// Writes rows below the use cases.
pub(crate) async fn insert(engine: &Engine, collection: &str, rows: &[Value]) {
    let schema = engine.schema();
    let collection = schema.collection(collection).unwrap().clone();
    let row = |row: &Value| {
        row.as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let field = collection.field(name).unwrap_or_else(|| panic!("{name}")).clone();
                let scalar = match value {
                    Value::Null => Scalar::Null,
                    value => field.ty.parse(value, field.column.as_ref().unwrap()).unwrap(),
                };
                (field, scalar)
            })
            .collect()
    };
    let plan = Plan::Insert(InsertPlan {
        rows: rows.iter().map(row).collect(),
        collection: collection.clone(),
    });
    let mut tx = engine.parts().store.begin().await.unwrap();
    tx.run(Permit::system("rows of a test", plan)).await.unwrap();
    tx.commit().await.unwrap();
}

/// Reads one column of every row below the use cases, in the order of the key.
pub(crate) async fn column(engine: &Engine, collection: &str, field: &str) -> Vec<Value> {
    let schema = engine.schema();
    let collection = schema.collection(collection).unwrap().clone();
    let plan = Plan::Read(ReadPlan {
        select: vec![Selected {
            when: None,
            alias: "value".to_owned(),
            source: Source::Field(collection.field(field).unwrap().clone()),
        }],
        collection,
        filter: Filter::All,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    });
    match engine
        .parts()
        .store
        .run(Permit::system("rows of a test", plan))
        .await
        .unwrap()
    {
        Outcome::Rows(rows) => rows.into_iter().map(|mut row| row["value"].take()).collect(),
        Outcome::Keys(_) => unreachable!("a read gives rows"),
    }
}

/// Changes tables behind the engine's back.
pub(crate) async fn change_tables(engine: &Engine, steps: Vec<SchemaStep>) {
    let mut tx = engine.parts().store.begin().await.unwrap();
    let permit = Permit::system("tables of a test", SchemaPlan { steps });
    tx.change_schema(permit).await.unwrap();
    tx.commit().await.unwrap();
}

/// What was refused, as `CODE path` lines.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    let problems = result.expect_err("should be refused").problems();
    problems
        .0
        .iter()
        .map(|problem| format!("{} {}", problem.code.name, problem.path))
        .collect()
}

/// Reads one column of every row as it is stored, secrets too, in the order of the key.
pub(crate) async fn secret(engine: &Engine, collection: &str, field: &str) -> Vec<Value> {
    let schema = engine.schema();
    let collection = schema.collection(collection).unwrap().clone();
    let plan = Plan::Read(ReadPlan {
        select: vec![Selected {
            when: None,
            alias: "value".to_owned(),
            source: Source::Secret(collection.field(field).unwrap().clone()),
        }],
        collection,
        filter: Filter::All,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    });
    let rows = engine
        .parts()
        .store
        .run(Permit::system("rows of a test", plan))
        .await;
    let rows = rows.unwrap().into_rows();
    rows.into_iter().map(|mut row| row["value"].take()).collect()
}

/// An administrator of whom something is different.
pub(crate) fn administrator_with(change: impl FnOnce(&mut Claims)) -> Caller {
    let mut claims = administrator().claims().clone();
    change(&mut claims);
    Caller::established(claims)
}
