//! Several servers over one database, behind a round robin: what one of them has acknowledged, all of them go by.

mod several;
mod subject;

use loggia_servers::{Database, Kind};
use serde_json::{Value, json};
use several::{Door, Nodes};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use subject::Subject;
use tokio::task::JoinSet;

/// The servers; the last of them is killed and started again.
const NODES: usize = 3;
/// So often each kind of change is made and taken back at least, and so often after the restart.
const ROUNDS: usize = 3;
const ROUNDS_AFTER: usize = 1;
/// So many changes come before one of them is killed.
const BEFORE: usize = 12;
/// Who reads, and who writes, all the while.
const READERS: usize = 4;
const WRITERS: usize = 3;

/// What goes on beside the changes.
struct Load {
    stop: AtomicBool,
    subjects: Vec<Arc<Subject>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_has_acknowledged_all_of_them_go_by() {
    let Some(database) = Database::empty(Kind::Postgres).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // All at once: one of them makes what is missing, and the first administrator.
    let nodes = Arc::new(Nodes::start(NODES, folder.path(), &database.url).await);
    let subjects = furnished(&nodes).await;
    conversation(&nodes).await;
    let load = Arc::new(Load {
        stop: AtomicBool::new(false),
        subjects,
    });
    let mut reading = JoinSet::new();
    for i in 0..READERS {
        reading.spawn(read(nodes.clone(), load.clone(), i));
    }
    let mut writing = JoinSet::new();
    for i in 0..WRITERS {
        writing.spawn(write(nodes.clone(), load.clone(), i));
    }
    let restarted = Arc::new(AtomicBool::new(false));
    let mut changing = JoinSet::new();
    for subject in &load.subjects {
        let (nodes, subject, restarted) = (nodes.clone(), subject.clone(), restarted.clone());
        changing.spawn(async move {
            let (mut round, mut after) = (0, 0);
            while round < ROUNDS || after < ROUNDS_AFTER {
                // Some come after the restart in any case, however many there were before.
                after += usize::from(restarted.load(Ordering::SeqCst));
                subject.turn(&nodes, round).await;
                round += 1;
            }
            round
        });
    }
    nodes.wait_for_changes(BEFORE).await;
    nodes.kill_and_start_again(NODES - 1).await;
    restarted.store(true, Ordering::SeqCst);
    let rounds: usize = changing.join_all().await.into_iter().sum();
    load.stop.store(true, Ordering::SeqCst);
    let checked: usize = reading.join_all().await.into_iter().sum();
    let written: Vec<String> = writing.join_all().await.into_iter().flatten().collect();
    assert!(
        rounds >= load.subjects.len() * ROUNDS && checked > 50 && written.len() > 20,
        "{rounds} changes there and back, {checked} answers checked beside them, {} writes",
        written.len()
    );
    // Nothing that was acknowledged is lost, and nothing is there twice.
    for node in 0..NODES {
        let log = nodes
            .admin(node, "GET", "/items/log?fields=text&limit=-1", Value::Null)
            .await;
        let kept: Vec<&str> = log["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["text"].as_str().unwrap())
            .collect();
        for text in &written {
            assert_eq!(
                kept.iter().filter(|kept| *kept == text).count(),
                1,
                "{text} on node {node}"
            );
        }
    }
    nodes.verify(folder.path(), &database.url);
}

/// What a client of MCP says one after the other, each to another node: the handshake, the list of tools, the calls.
async fn conversation(nodes: &Nodes) {
    let client = json!({"name": "test", "version": "1"});
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let answer = nodes.say(0, "initialize", hello).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
    assert_eq!(
        nodes.say(1, "notifications/initialized", json!({})).await,
        Value::Null
    );
    let lists = [
        nodes.say(2, "tools/list", json!({})).await,
        nodes.say(0, "tools/list", json!({})).await,
    ];
    assert_eq!(lists[0], lists[1], "the same list, in the same order");
    for node in [1, 2, 0] {
        let arguments =
            json!({"action": "create", "collection": "log", "data": {"text": format!("said to {node}")}});
        let params = json!({"name": "items", "arguments": arguments});
        let answer = nodes.say(node, "tools/call", params).await;
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    let arguments =
        json!({"action": "read", "collection": "log", "query": {"fields": ["text"], "sort": ["text"]}});
    let answer = nodes
        .say(1, "tools/call", json!({"name": "items", "arguments": arguments}))
        .await;
    let said = json!([{"text": "said to 0"}, {"text": "said to 1"}, {"text": "said to 2"}]);
    assert_eq!(answer["result"]["structuredContent"]["data"], said, "{answer}");
}

/// What is changed and looked at: each with a user of its own.
async fn furnished(nodes: &Nodes) -> Vec<Arc<Subject>> {
    for name in ["notes", "log"] {
        let fields = json!([{"field": "text", "type": "string"}, {"field": "n", "type": "integer"}]);
        nodes
            .admin(
                0,
                "POST",
                "/collections",
                json!({"collection": name, "schema": {}, "fields": fields}),
            )
            .await;
    }
    let rows = json!([{"n": 1}, {"n": 2}]);
    nodes.admin(1, "POST", "/items/notes", rows).await;
    let mut subjects = Vec::new();
    for kind in subject::ALL {
        subjects.push(Arc::new(Subject::make(nodes, kind).await));
    }
    subjects
}

/// Asks whatever node is next about whatever is settled, and holds the answer against it.
async fn read(nodes: Arc<Nodes>, load: Arc<Load>, first: usize) -> usize {
    let mut checked = 0;
    for i in first.. {
        if load.stop.load(Ordering::SeqCst) {
            break;
        }
        let subject = &load.subjects[i % load.subjects.len()];
        let door = [Door::Rest, Door::Mcp][(i / load.subjects.len()) % 2];
        let before = subject.expected();
        let Some((token, _)) = &before.expected else {
            tokio::task::yield_now().await;
            continue;
        };
        let seen = match nodes.next() {
            Some(node) => subject.look(&nodes, node, door, token).await,
            None => None,
        };
        // Where it changed meanwhile, both answers are right.
        if let (Some(seen), Some((_, expect)), true) = (seen, &before.expected, subject.expected() == before)
        {
            assert_eq!(seen, *expect, "{subject:?} by {door:?}");
            checked += 1;
        }
    }
    checked
}

/// Writes by whatever node is next; answers with what was acknowledged.
async fn write(nodes: Arc<Nodes>, load: Arc<Load>, who: usize) -> Vec<String> {
    let mut written = Vec::new();
    for i in 0.. {
        if load.stop.load(Ordering::SeqCst) {
            break;
        }
        let text = format!("{who}.{i}");
        let Some(node) = nodes.next() else { continue };
        let acknowledged = match i % 2 {
            0 => {
                nodes
                    .ask(node, several::ADMIN, "POST", "/items/log", json!({"text": text}))
                    .await
            }
            _ => {
                let arguments = json!({"action": "create", "collection": "log", "data": {"text": text}});
                nodes.call(node, several::ADMIN, arguments).await
            }
        };
        match acknowledged {
            Some((200, answer)) if answer["result"]["isError"] != true => written.push(text),
            // The node was killed: nobody knows.
            None => {}
            Some(refused) => panic!("a write was refused: {refused:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    written
}
