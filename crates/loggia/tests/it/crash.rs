//! `kill -9` under write load, again and again: what was acknowledged is there, and nothing half-written is.
//!
//! Clients write orders, each with its lines and a new customer in one request; some requests write a batch, some
//! replace all lines of an order. The server is killed at random moments (seeded) and started again on the same folder.
//! `CRASH_TEST_ROUNDS` and `CRASH_TEST_SEED` make it longer and different.

use crate::binary::loggia;
use crate::server::Server;
use loggia_model::Generator;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How often the server is killed, unless the environment says otherwise.
const ROUNDS: u64 = 10;
/// How many clients write at once.
const WRITERS: u64 = 6;
/// A round's kill comes after between 1 and so many acknowledged requests.
const REQUESTS_BEFORE_THE_KILL: u64 = 100;
/// And then within so many microseconds, so that it falls into any moment of the next writes.
const MOMENT: u64 = 8_000;
/// Every order has so many lines.
const LINES: u64 = 3;
/// Orders in a batch.
const BATCH: u64 = 4;

/// What clients were told is there: the key of an order and its version.
type Acknowledged = BTreeMap<String, u64>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_and_nothing_half_written_does() {
    let generator = Generator::seeded(from_environment("CRASH_TEST_SEED", 1));
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    model(&server).await;
    let mut acknowledged = Acknowledged::new();
    for round in 0..from_environment("CRASH_TEST_ROUNDS", ROUNDS) {
        acknowledged.extend(write_until_killed(server, round, &generator).await);
        server = Server::start(folder.path());
        holds(&server, &acknowledged).await;
    }
    assert!(!acknowledged.is_empty());
    server.stop();
    let doctor = loggia(folder.path(), &["doctor", "--data", "data"])
        .output()
        .unwrap();
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

async fn model(server: &Server) {
    let number = json!({"field": "id", "type": "integer", "schema": {"is_primary_key": true, "has_auto_increment": true}});
    let text_key = json!({"field": "id", "type": "string", "schema": {"is_primary_key": true}});
    let version = json!({"field": "version", "type": "integer", "schema": {"is_nullable": false}});
    let field = |name: &str, kind: &str| json!({"field": name, "type": kind, "schema": {}});
    let name = json!({"field": "name", "type": "string", "meta": {"required": true}, "schema": {}});
    let relation = |collection: &str, field: &str, related: &str, meta: Value, on_delete: &str| {
        json!({"collection": collection, "field": field, "related_collection": related, "meta": meta,
            "schema": {"on_delete": on_delete}})
    };
    let lines = json!({"one_field": "lines", "one_deselect_action": "delete"});
    for (path, body) in [
        (
            "/collections",
            json!({"collection": "customers", "schema": {}, "fields": [number, name]}),
        ),
        (
            "/collections",
            json!({"collection": "orders", "schema": {},
                "fields": [text_key, version, field("batch", "string"), field("customer", "integer")]}),
        ),
        (
            "/collections",
            json!({"collection": "lines", "schema": {}, "fields": [number, version, field("order", "string")]}),
        ),
        (
            "/fields/orders",
            json!({"field": "lines", "type": "alias", "meta": {"special": ["o2m"]}}),
        ),
        (
            "/relations",
            relation("orders", "customer", "customers", json!({}), "SET NULL"),
        ),
        (
            "/relations",
            relation("lines", "order", "orders", lines, "CASCADE"),
        ),
    ] {
        let answer = server.post(path, &body).send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{path}: {status} {}",
            answer.text().await.unwrap()
        );
    }
}

fn order(key: &str, batch: &str) -> Value {
    json!({"id": key, "version": 1, "batch": batch, "customer": {"name": key}, "lines": lines(1)})
}

fn lines(version: u64) -> Vec<Value> {
    (0..LINES).map(|_| json!({"version": version})).collect()
}

/// Writes from several clients at once, kills the server in the middle, and answers with what was acknowledged.
async fn write_until_killed(server: Server, round: u64, generator: &Generator) -> Acknowledged {
    let below = |most: u64| u64::from_le_bytes(generator.bytes()) % most;
    let requests = 1 + below(REQUESTS_BEFORE_THE_KILL);
    let moment = Duration::from_micros(below(MOMENT));
    let (server, done, enough) = (
        Arc::new(server),
        Arc::new(AtomicU64::new(0)),
        Arc::new(Notify::new()),
    );
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (server, done, enough) = (Arc::clone(&server), Arc::clone(&done), Arc::clone(&enough));
        writers.spawn(async move {
            let mut client = Client {
                server,
                name: format!("{round}-{writer}"),
                acknowledged: Acknowledged::new(),
            };
            for number in 0.. {
                if !client.write(number).await {
                    break;
                }
                if done.fetch_add(1, Ordering::Relaxed) + 1 == requests {
                    enough.notify_one();
                }
            }
            client.acknowledged
        });
    }
    enough.notified().await;
    // Not a wait for anything: the moment itself is what is tested.
    tokio::time::sleep(moment).await;
    server.signal("KILL");
    writers.join_all().await.into_iter().flatten().collect()
}

/// One of the writers.
struct Client {
    server: Arc<Server>,
    name: String,
    acknowledged: Acknowledged,
}

impl Client {
    /// Sends one request; false when the server is gone.
    async fn write(&mut self, number: u64) -> bool {
        let key = |part: u64| format!("{}-{number}-{part}", self.name);
        let batch = key(0);
        let (request, told): (_, Acknowledged) = match (number % 3, self.acknowledged.last_key_value()) {
            (0, _) => {
                let keys: Vec<String> = (0..BATCH).map(key).collect();
                let orders: Value = keys.iter().map(|key| order(key, &batch)).collect();
                let told = keys.into_iter().map(|key| (key, 1)).collect();
                (self.server.post("/items/orders", &orders), told)
            }
            (1, Some((key, version))) => {
                let version = version + 1;
                let change = json!({"version": version, "lines": lines(version)});
                let request = self.server.patch(&format!("/items/orders/{key}"), &change);
                (request, [(key.clone(), version)].into())
            }
            _ => {
                let one = order(&batch, "alone");
                (self.server.post("/items/orders", &one), [(batch, 1)].into())
            }
        };
        let Ok(answer) = request.send().await else {
            return false;
        };
        let status = answer.status();
        let Ok(text) = answer.text().await else {
            return false;
        };
        assert!(status.is_success(), "{status} {text}");
        self.acknowledged.extend(told);
        true
    }
}

/// Everything acknowledged is there in its version or a later one, and every order is whole.
async fn holds(server: &Server, acknowledged: &Acknowledged) {
    let orders = read(
        server,
        "/items/orders?limit=-1&fields=id,version,batch,customer.name,lines.version",
    )
    .await;
    let there: BTreeMap<&str, u64> = orders
        .iter()
        .map(|order| (order["id"].as_str().unwrap(), order["version"].as_u64().unwrap()))
        .collect();
    for (key, version) in acknowledged {
        let found = there.get(key.as_str());
        assert!(
            found >= Some(version),
            "acknowledged and lost: {key} version {version}, found {found:?}"
        );
    }
    let mut batches: BTreeMap<&str, u64> = BTreeMap::new();
    for order in &orders {
        assert_eq!(order["customer"]["name"], order["id"], "half-written: {order}");
        let lines: Vec<&Value> = order["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["version"])
            .collect();
        assert_eq!(
            lines,
            vec![&order["version"]; LINES as usize],
            "half-written: {order}"
        );
        *batches.entry(order["batch"].as_str().unwrap()).or_default() += 1;
    }
    batches.remove("alone");
    assert!(
        batches.values().all(|count| *count == BATCH),
        "half-written batches: {batches:?}"
    );
    for (collection, every) in [("customers", 1), ("lines", LINES)] {
        let path = format!("/items/{collection}?limit=-1&fields=id");
        let count = read(server, &path).await.len() as u64;
        assert_eq!(
            count,
            orders.len() as u64 * every,
            "{collection} that belong to no order"
        );
    }
}

async fn read(server: &Server, path: &str) -> Vec<Value> {
    let answer: Value = server.get(path).send().await.unwrap().json().await.unwrap();
    answer["data"]
        .as_array()
        .unwrap_or_else(|| panic!("{path}: {answer}"))
        .clone()
}
