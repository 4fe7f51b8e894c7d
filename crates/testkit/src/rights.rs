//! Callers with rights. Everything is made through REST by the administrator, as a project would make it.

use loggia_model::system::PUBLIC_POLICY;
use serde_json::{Value, json};

use crate::{Client, TestApp};

/// Who has a policy.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// A user, by key.
    User(&'a str),
    /// A role, by key, and with it every role below and every user of those.
    Role(&'a str),
}

impl TestApp {
    /// A policy: the body of `POST /policies`, but `permissions` is a plain list of permissions, as in
    /// [`TestApp::permissions`]. Answers its key.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn policy(&self, mut policy: Value) -> String {
        let permissions = policy
            .as_object_mut()
            .and_then(|policy| policy.remove("permissions"))
            .unwrap_or_else(|| json!([]));
        if policy.get("name").is_none() {
            policy["name"] = "Policy of a test".into();
        }
        let key = self.made("/policies", policy).await;
        self.permissions(&key, permissions).await;
        key
    }

    /// Gives permissions to a policy: `[{collection, action, fields?, permissions?, validation?, presets?, …}]`, where
    /// `action` may be a list, and `fields` are all if they are not named. Answers their keys.
    ///
    /// # Panics
    /// When one is refused.
    pub async fn permissions(&self, policy: &str, permissions: Value) -> Vec<Value> {
        let Value::Array(permissions) = permissions else {
            panic!("not a list of permissions: {permissions}")
        };
        let mut rows = Vec::new();
        for mut row in permissions {
            row["policy"] = policy.into();
            if row.get("fields").is_none() {
                row["fields"] = json!(["*"]);
            }
            let actions = match row["action"].take() {
                Value::Array(actions) => actions,
                one => vec![one],
            };
            for action in actions {
                row["action"] = action;
                rows.push(row.clone());
            }
        }
        if rows.is_empty() {
            return Vec::new();
        }
        let made = self.post("/permissions?fields=id", rows.into()).await;
        let made = made.data().as_array().cloned().unwrap_or_default();
        made.into_iter().map(|mut row| row["id"].take()).collect()
    }

    /// What everybody may do, signed in or not.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn everybody_may(&self, permissions: Value) -> Vec<Value> {
        self.permissions(PUBLIC_POLICY, permissions).await
    }

    /// A role: the body of `POST /roles`, but `policies` is a plain list of their keys. Answers its key.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn role(&self, mut role: Value) -> String {
        let policies = role.as_object_mut().and_then(|role| role.remove("policies"));
        let key = self.made("/roles", role).await;
        for policy in policies.iter().filter_map(Value::as_array).flatten() {
            let policy = policy.as_str().expect("a key");
            self.attach(policy, Holder::Role(&key)).await;
        }
        key
    }

    /// Gives a policy to a user or a role. Answers the key of the row in `/access`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn attach(&self, policy: &str, holder: Holder<'_>) -> String {
        let access = match holder {
            Holder::User(user) => json!({"policy": policy, "user": user}),
            Holder::Role(role) => json!({"policy": policy, "role": role}),
        };
        self.made("/access", access).await
    }

    /// A new user who holds these policies, by key.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn caller_of(&self, email: &str, policies: &[&str]) -> Client {
        self.caller(json!({"email": email, "policies": policies})).await
    }

    /// A new user with a policy of their own that has these permissions, as in [`TestApp::permissions`].
    ///
    /// # Panics
    /// When it is refused.
    pub async fn caller_with(&self, email: &str, permissions: Value) -> Client {
        let policy = json!({"name": format!("Policy of {email}"), "permissions": permissions});
        let policy = self.policy(policy).await;
        self.caller_of(email, &[&policy]).await
    }

    /// A new user: the body of `POST /users`, but `policies` is a plain list of their keys. The password is
    /// [`ADMIN_PASSWORD`](crate::ADMIN_PASSWORD) and the token is made of the e-mail address, unless they are named.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn caller(&self, mut user: Value) -> Client {
        let token = match user["token"].as_str() {
            Some(token) => token.to_owned(),
            None => format!("static-token-of-{}", user["email"].as_str().unwrap_or("nobody")),
        };
        user["token"] = token.as_str().into();
        if user.get("password").is_none() {
            user["password"] = crate::ADMIN_PASSWORD.into();
        }
        let policies = user.as_object_mut().and_then(|user| user.remove("policies"));
        let key = self.made("/users", user).await;
        for policy in policies.iter().filter_map(Value::as_array).flatten() {
            let policy = policy.as_str().expect("a key");
            self.attach(policy, Holder::User(&key)).await;
        }
        self.with_token(&token)
    }

    /// The key of what a POST makes.
    async fn made(&self, path: &str, body: Value) -> String {
        let made = self.post(&format!("{path}?fields=id"), body).await;
        let key = made.data()["id"].as_str();
        key.unwrap_or_else(|| panic!("no key: {}", made.text)).to_owned()
    }
}

impl Client {
    /// The key of the user who asks.
    ///
    /// # Panics
    /// When nobody is signed in.
    pub async fn key(&self) -> String {
        let me = self.get("/users/me?fields=id").await;
        me.data()["id"].as_str().expect("a key").to_owned()
    }
}
