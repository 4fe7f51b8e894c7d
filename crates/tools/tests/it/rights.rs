//! Policies, and callers who have nothing else.

use loggia_access::{Layer, TokenFacts, TokenMode};
use loggia_engine::items::WriteOptions;
use loggia_tools::CallContext;
use serde_json::{Value, json};

use crate::fixture::{House, Rights, caller, context, holder};

impl House {
    /// A policy that allows this, as rows of `directus_permissions`: `fields` are all if they are not named, `action`
    /// may be a list. Answers its key.
    pub(crate) async fn policy(&self, permissions: Value) -> String {
        let policy = self
            .stored("directus_policies", json!([{"name": "Policy of a test"}]))
            .await;
        let policy = policy[0].as_str().unwrap().to_owned();
        let mut rows = Vec::new();
        for permission in permissions.as_array().unwrap() {
            let actions = match &permission["action"] {
                Value::Array(actions) => actions.clone(),
                one => vec![one.clone()],
            };
            for action in actions {
                let mut row = json!({"fields": ["*"]});
                row.as_object_mut()
                    .unwrap()
                    .extend(permission.as_object().unwrap().clone());
                row["action"] = action;
                row["policy"] = policy.as_str().into();
                rows.push(row);
            }
        }
        self.stored("directus_permissions", rows.into()).await;
        policy
    }

    /// New rows of a system collection, made by an administrator. Answers their keys.
    pub(crate) async fn stored(&self, collection: &str, rows: Value) -> Vec<Value> {
        let rows = rows.as_array().unwrap().iter();
        let rows = rows.map(|row| row.as_object().unwrap().clone()).collect();
        let administrator = caller(Rights::Administrator);
        let options = WriteOptions::default();
        let written = self
            .engine
            .create_items(&administrator, collection, rows, &options)
            .await;
        written.unwrap().keys
    }

    /// A call of a user who may do this.
    pub(crate) async fn user(&self, permissions: Value) -> CallContext {
        let policy = self.policy(permissions).await;
        self.holder(&[&[&policy]], None).await
    }

    /// A call of a new user whose rights have these layers.
    pub(crate) async fn holder(&self, layers: &[&[&str]], mode: Option<TokenMode>) -> CallContext {
        let email = format!("user{}@cms.test", self.all("directus_users").await.len());
        let user = self.stored("directus_users", json!([{"email": email}])).await;
        self.holder_of(user[0].as_str().unwrap(), layers, mode)
    }

    /// A call of a user whose rights have these layers.
    pub(crate) fn holder_of(&self, user: &str, layers: &[&[&str]], mode: Option<TokenMode>) -> CallContext {
        let layer = |policies: &&[&str]| Layer {
            policies: policies.iter().map(|policy| (*policy).to_owned()).collect(),
            admin: false,
        };
        let layers: Vec<Layer> = layers.iter().map(layer).collect();
        let token = mode.map(|mode| TokenFacts {
            id: "00000000-0000-4000-8000-000000000001".to_owned(),
            name: "A token".to_owned(),
            mode,
            changed_rows_per_hour: None,
        });
        CallContext {
            caller: holder(Some(user.to_owned()), layers, token),
            ..context(Rights::None, &[])
        }
    }

    /// Everything that is stored.
    pub(crate) async fn everything(&self) -> Vec<(String, Vec<Value>)> {
        let mut everything = Vec::new();
        for collection in self.engine.schema().collections.values() {
            if collection.table.is_some() && collection.primary.is_some() {
                everything.push((collection.name.clone(), self.all(&collection.name).await));
            }
        }
        everything
    }
}
