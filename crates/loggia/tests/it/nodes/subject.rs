//! Something that is changed again and again, and what it decides.

use super::several::{Door, Nodes, Seen};
use crate::server::PASSWORD;
use serde_json::{Value, json};
use std::sync::Mutex;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A permission comes and goes.
    Permission,
    /// The items that a permission is for are others.
    Filter,
    /// A policy is taken from a user, and given back.
    Access,
    /// A user is suspended, and active again.
    User,
    /// An access token is made, and revoked.
    Token,
    /// A user signs in, and out.
    Session,
    /// A field is made, and dropped.
    Field,
    /// A setting.
    Setting,
}

pub(crate) const ALL: [Kind; 8] = [
    Kind::Permission,
    Kind::Filter,
    Kind::Access,
    Kind::User,
    Kind::Token,
    Kind::Session,
    Kind::Field,
    Kind::Setting,
];

/// What is expected: with this token, that is seen.
pub(crate) type Expected = (String, Seen);

/// What is known at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Grows when a change begins and when it is acknowledged.
    generation: u64,
    /// `None`: a change is under way.
    pub(crate) expected: Option<Expected>,
}

/// One of them.
pub(crate) struct Subject {
    kind: Kind,
    name: String,
    user: String,
    policy: String,
    now: Mutex<Moment>,
    /// By which it is looked at.
    token: Mutex<String>,
    /// What was made last: the key of a permission, of a row of access or of a token; a refresh token; the name of a field.
    made: Mutex<Value>,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:?}", self.kind, self.expected())
    }
}

const BOTH: [i64; 2] = [1, 2];

impl Subject {
    /// A user with a policy that lets them read notes.
    pub(crate) async fn make(nodes: &Nodes, kind: Kind) -> Self {
        let name = format!("{kind:?}").to_lowercase();
        let key =
            async |path: &str, body: Value| nodes.admin(0, "POST", path, body).await["data"]["id"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let token = format!("static-token-of-{name}");
        let policy = text(&key("/policies", json!({"name": name})).await);
        let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD, "token": token});
        let user = text(&key("/users", body).await);
        let access = key("/access", json!({"policy": policy, "user": user})).await;
        let body = json!({"policy": policy, "collection": "notes", "action": "read", "fields": ["*"]});
        let permission = key("/permissions", body).await;
        let made = match kind {
            Kind::Access => access,
            Kind::Field => "x".into(),
            _ => permission,
        };
        let seen = match kind {
            Kind::Setting => Seen::Rows(vec![0]),
            // The field is not there yet.
            Kind::Field => Seen::Denied,
            _ => Seen::Rows(BOTH.to_vec()),
        };
        let subject = Self {
            kind,
            name,
            user,
            policy,
            now: Mutex::new(Moment {
                generation: 0,
                expected: None,
            }),
            token: Mutex::new(token.clone()),
            made: Mutex::new(made),
        };
        if kind == Kind::Setting {
            nodes
                .admin(0, "PATCH", "/settings", json!({"project_name": "0"}))
                .await;
        }
        subject.now.lock().unwrap().expected = Some((token, seen));
        subject
    }

    /// What is expected now.
    pub(crate) fn expected(&self) -> Moment {
        self.now.lock().unwrap().clone()
    }

    /// Changes it on one node, there and back, and looks on every node after each.
    pub(crate) async fn turn(&self, nodes: &Nodes, round: usize) {
        for back in [false, true] {
            {
                let steady = nodes.steady.read().await;
                let node = steady[(round * 2 + usize::from(back)) % steady.len()];
                self.begins();
                let expected = self.change(nodes, node, round, back).await;
                self.is_acknowledged(expected);
            }
            self.holds_everywhere(nodes).await;
            nodes.count();
        }
    }

    fn begins(&self) {
        let mut now = self.now.lock().unwrap();
        now.generation += 1;
        now.expected = None;
    }

    fn is_acknowledged(&self, expected: Expected) {
        let mut now = self.now.lock().unwrap();
        now.generation += 1;
        now.expected = Some(expected);
    }

    /// Asks every node by both doors at once.
    async fn holds_everywhere(&self, nodes: &Nodes) {
        let Some((token, expect)) = self.expected().expected else {
            panic!("nothing is expected")
        };
        for node in nodes.up() {
            for door in [Door::Rest, Door::Mcp] {
                // A node that was killed meanwhile says nothing.
                if let Some(seen) = self.look(nodes, node, door, &token).await {
                    assert_eq!(seen, expect, "{self:?} on node {node} by {door:?}");
                }
            }
        }
    }

    /// One change; answers with what is expected once it is acknowledged.
    async fn change(&self, nodes: &Nodes, node: usize, round: usize, back: bool) -> Expected {
        let all = Seen::Rows(BOTH.to_vec());
        let seen = match self.kind {
            Kind::Permission | Kind::Filter | Kind::Access => self.change_rules(nodes, node, back).await,
            Kind::User => {
                let status = if back { "active" } else { "suspended" };
                let path = format!("/users/{}", self.user);
                nodes.admin(node, "PATCH", &path, json!({"status": status})).await;
                if back { all } else { Seen::Nobody }
            }
            Kind::Token | Kind::Session => {
                self.change_credential(nodes, node, back).await;
                if back { Seen::Nobody } else { all }
            }
            Kind::Field if back => {
                let path = format!("/fields/notes/{}", self.made());
                nodes.admin(node, "DELETE", &path, Value::Null).await;
                Seen::Denied
            }
            Kind::Field => {
                let name = format!("x{round}");
                self.keep(name.as_str().into());
                let body = json!({"field": name, "type": "integer"});
                nodes.admin(node, "POST", "/fields/notes", body).await;
                all
            }
            Kind::Setting => {
                let number = i64::try_from(round * 2 + usize::from(back) + 1).unwrap();
                let body = json!({"project_name": number.to_string()});
                nodes.admin(node, "PATCH", "/settings", body).await;
                Seen::Rows(vec![number])
            }
        };
        (self.token.lock().unwrap().clone(), seen)
    }

    async fn change_rules(&self, nodes: &Nodes, node: usize, back: bool) -> Seen {
        let key = self.made();
        let admin = async |method: &str, path: &str, body: Value| nodes.admin(node, method, path, body).await;
        match (self.kind, back) {
            (Kind::Filter, back) => {
                let n = if back { 2 } else { 1 };
                let body = json!({"permissions": {"n": {"_eq": n}}});
                admin("PATCH", &format!("/permissions/{key}"), body).await;
                return Seen::Rows(vec![n]);
            }
            (Kind::Permission, false) => {
                drop(admin("DELETE", &format!("/permissions/{key}"), Value::Null).await)
            }
            (_, false) => drop(admin("DELETE", &format!("/access/{key}"), Value::Null).await),
            (Kind::Permission, true) => {
                let body =
                    json!({"policy": self.policy, "collection": "notes", "action": "read", "fields": ["*"]});
                self.keep(admin("POST", "/permissions", body).await["data"]["id"].take());
            }
            (_, true) => {
                let body = json!({"policy": self.policy, "user": self.user});
                self.keep(admin("POST", "/access", body).await["data"]["id"].take());
            }
        }
        if back {
            Seen::Rows(BOTH.to_vec())
        } else {
            Seen::Denied
        }
    }

    /// Makes a credential, or ends it.
    async fn change_credential(&self, nodes: &Nodes, node: usize, ends: bool) {
        let hold = |token: &Value| {
            *self.token.lock().unwrap() = token.as_str().unwrap_or_else(|| panic!("no token")).to_owned();
        };
        match (self.kind, ends) {
            (Kind::Token, false) => {
                let body = json!({"name": "t", "user": self.user});
                let mut answer = nodes.admin(node, "POST", "/tokens", body).await;
                hold(&answer["data"]["token"]);
                self.keep(answer["data"]["id"].take());
            }
            (Kind::Token, true) => {
                let path = format!("/tokens/{}", self.made());
                nodes.admin(node, "DELETE", &path, Value::Null).await;
            }
            (_, false) => {
                let body = json!({"email": format!("{}@example.com", self.name), "password": PASSWORD});
                let mut answer = nodes.anybody(node, "/auth/login", body).await;
                hold(&answer["data"]["access_token"]);
                self.keep(answer["data"]["refresh_token"].take());
            }
            (_, true) => {
                let body = json!({"refresh_token": self.made(), "mode": "json"});
                nodes.anybody(node, "/auth/logout", body).await;
            }
        }
    }

    /// What somebody with this token gets to see; `None`: the node went away.
    pub(crate) async fn look(&self, nodes: &Nodes, node: usize, door: Door, token: &str) -> Option<Seen> {
        if self.kind == Kind::Setting {
            let (status, answer) = nodes.ask(node, token, "GET", "/server/info", Value::Null).await?;
            assert_eq!(status, 200, "{answer}");
            let name = answer["data"]["project"]["project_name"].as_str().unwrap();
            return Some(Seen::Rows(vec![name.parse().unwrap()]));
        }
        let mut fields = vec!["n".to_owned()];
        if self.kind == Kind::Field {
            fields.push(self.made());
        }
        let (status, answer) = match door {
            Door::Rest => {
                let path = format!("/items/notes?sort=n&fields={}", fields.join(","));
                nodes.ask(node, token, "GET", &path, Value::Null).await?
            }
            Door::Mcp => {
                let query = json!({"sort": ["n"], "fields": fields});
                let arguments = json!({"action": "read", "collection": "notes", "query": query});
                nodes.call(node, token, arguments).await?
            }
        };
        let data = match door {
            Door::Rest => &answer["data"],
            Door::Mcp => &answer["result"]["structuredContent"]["data"],
        };
        Some(match (status, data.as_array()) {
            (401, _) => Seen::Nobody,
            (200, Some(rows)) => Seen::Rows(rows.iter().map(|row| row["n"].as_i64().unwrap()).collect()),
            // A tool that cannot be used is unknown; one that can, refuses.
            (200, None) if door == Door::Mcp && is_refusal(&answer) => Seen::Denied,
            (403, _) => Seen::Denied,
            _ => panic!("{self:?} on node {node} by {door:?}: {status} {answer}"),
        })
    }

    fn made(&self) -> String {
        let made = self.made.lock().unwrap();
        made.as_str().map_or_else(|| made.to_string(), str::to_owned)
    }

    fn keep(&self, made: Value) {
        *self.made.lock().unwrap() = made;
    }
}

fn is_refusal(answer: &Value) -> bool {
    let said = answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_default();
    answer["error"]["code"] == -32602 || (answer["result"]["isError"] == true && said.contains("FORBIDDEN"))
}
