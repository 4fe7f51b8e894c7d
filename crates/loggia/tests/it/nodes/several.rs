//! Servers that share a database, and how they are asked.

use crate::binary::loggia;
use crate::server::{self, Server};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use tokio::sync::{Notify, RwLock as Gate};
use tokio::task::JoinSet;

/// The token of the administrator.
pub(crate) const ADMIN: &str = server::TOKEN;

/// The servers, behind a round robin.
pub(crate) struct Nodes {
    servers: Mutex<Vec<Option<Server>>>,
    /// Where each listens; none while it is down.
    urls: RwLock<Vec<Option<String>>>,
    /// Which of them may be asked for a change; held while one of them is.
    pub(crate) steady: Gate<Vec<usize>>,
    next: AtomicUsize,
    changes: AtomicUsize,
    changed: Notify,
    http: reqwest::Client,
    folder: PathBuf,
    database: String,
}

/// By which door a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Rest,
    Mcp,
}

/// What somebody got to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// These numbers.
    Rows(Vec<i64>),
    /// Nothing: they may not.
    Denied,
    /// Nothing: they are nobody.
    Nobody,
}

fn started(folder: &Path, database: &str) -> Server {
    let settings = [
        format!("database.url={database}"),
        // The same for all of them: what one has signed, the others know.
        "secret=a-secret-of-tests-that-is-at-least-32-bytes-long".to_owned(),
        format!("admin.email={}", server::EMAIL),
        format!("admin.password={}", server::PASSWORD),
        format!("admin.token={ADMIN}"),
        "mcp.enabled=true".to_owned(),
    ];
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    Server::start_with(folder, &arguments)
}

impl Nodes {
    /// Starts so many at the same moment.
    pub(crate) async fn start(count: usize, folder: &Path, database: &str) -> Self {
        let mut starting = JoinSet::new();
        for i in 0..count {
            let (folder, database) = (folder.join(i.to_string()), database.to_owned());
            std::fs::create_dir_all(&folder).unwrap();
            starting.spawn_blocking(move || started(&folder, &database));
        }
        let servers = starting.join_all().await;
        let urls = servers.iter().map(|server| Some(server.url.clone())).collect();
        Self {
            servers: Mutex::new(servers.into_iter().map(Some).collect()),
            urls: RwLock::new(urls),
            steady: Gate::new((0..count).collect()),
            next: AtomicUsize::new(0),
            changes: AtomicUsize::new(0),
            changed: Notify::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            folder: folder.to_owned(),
            database: database.to_owned(),
        }
    }

    /// The one whose turn it is among those that are up.
    pub(crate) fn next(&self) -> Option<usize> {
        let up = self.up();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        up.get(turn % up.len().max(1)).copied()
    }

    /// Those that are up.
    pub(crate) fn up(&self) -> Vec<usize> {
        let urls = self.urls.read().unwrap();
        (0..urls.len()).filter(|node| urls[*node].is_some()).collect()
    }

    /// Counts a change that was looked at on every node.
    pub(crate) fn count(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Waits for so many changes from now on.
    pub(crate) async fn wait_for_changes(&self, more: usize) {
        let goal = self.changes.load(Ordering::SeqCst) + more;
        loop {
            let changed = self.changed.notified();
            if self.changes.load(Ordering::SeqCst) >= goal {
                return;
            }
            changed.await;
        }
    }

    /// Kills one in the middle of what it does, and starts it again.
    pub(crate) async fn kill_and_start_again(&self, node: usize) {
        // No change is under way there, so that it is known what has become of each.
        self.steady.write().await.retain(|steady| *steady != node);
        let server = self.servers.lock().unwrap()[node].take().unwrap();
        server.signal("KILL");
        self.urls.write().unwrap()[node] = None;
        let (folder, database) = (self.folder.join(node.to_string()), self.database.clone());
        let server = tokio::task::spawn_blocking(move || {
            drop(server);
            started(&folder, &database)
        });
        let server = server.await.unwrap();
        self.urls.write().unwrap()[node] = Some(server.url.clone());
        self.servers.lock().unwrap()[node] = Some(server);
        self.steady.write().await.push(node);
    }

    /// Asks one of them; `None`: it went away.
    pub(crate) async fn ask(
        &self,
        node: usize,
        token: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> Option<(u16, Value)> {
        let url = self.urls.read().unwrap()[node].clone()?;
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{url}{path}"));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if path == "/mcp" {
            request = request
                .header("accept", "application/json, text/event-stream")
                .header("mcp-protocol-version", "2025-11-25");
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let gone = || self.urls.read().unwrap()[node].as_ref() != Some(&url);
        let answered = async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            Ok::<_, reqwest::Error>((status, answer.text().await?))
        };
        match answered.await {
            Ok((status, text)) => Some((status, serde_json::from_str(&text).unwrap_or_default())),
            Err(_) if gone() || node + 1 == self.urls.read().unwrap().len() => None,
            Err(error) => panic!("node {node} does not answer: {error}"),
        }
    }

    /// The same by the administrator, who is refused nothing.
    pub(crate) async fn admin(&self, node: usize, method: &str, path: &str, body: Value) -> Value {
        let asked = format!("{method} {path} {body}");
        match self.ask(node, ADMIN, method, path, body).await {
            Some((200 | 204, answer)) => answer,
            other => panic!("{asked} on node {node}: {other:?}"),
        }
    }

    /// Sends something that needs no token.
    pub(crate) async fn anybody(&self, node: usize, path: &str, body: Value) -> Value {
        match self.ask(node, "", "POST", path, body).await {
            Some((200 | 204, answer)) => answer,
            other => panic!("{path} on node {node}: {other:?}"),
        }
    }

    /// Sends a message of MCP as the administrator; null: nothing is said to it.
    pub(crate) async fn say(&self, node: usize, method: &str, params: Value) -> Value {
        let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if !method.starts_with("notifications/") {
            message["id"] = 1.into();
        }
        match self.ask(node, ADMIN, "POST", "/mcp", message).await {
            Some((200 | 202, answer)) => answer,
            other => panic!("{method} to node {node}: {other:?}"),
        }
    }

    /// Calls the tool for items.
    pub(crate) async fn call(&self, node: usize, token: &str, arguments: Value) -> Option<(u16, Value)> {
        let params = json!({"name": "items", "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        self.ask(node, token, "POST", "/mcp", message).await
    }

    /// Whether the record of what all of them did is whole.
    pub(crate) fn verify(&self, folder: &Path, database: &str) {
        let setting = format!("database.url={database}");
        let verified = loggia(folder, &["audit", "verify", "--set", &setting])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(said.contains("intact"), "{said}");
    }
}
