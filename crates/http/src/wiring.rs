//! What joins `identity` and `engine`, which do not know each other: the engine keeps secrets as identity does, and
//! tells it of changes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use loggia_access::Caller;
use loggia_engine::{Error, Hasher, Listener};
use loggia_identity::{Identity, Secret, fingerprint};
use loggia_model::Problems;
use serde_json::Value;

/// How the engine keeps passwords and tokens.
#[must_use]
pub fn hasher(identity: &Identity) -> Arc<dyn Hasher> {
    Arc::new(Joint(identity.clone()))
}

/// Tells identity of changes that the engine made.
#[must_use]
pub fn listener(identity: &Identity) -> Arc<dyn Listener> {
    Arc::new(Joint(identity.clone()))
}

struct Joint(Identity);

impl Hasher for Joint {
    fn hash_password(
        &self,
        password: &str,
    ) -> Pin<Box<dyn Future<Output = Result<String, Problems>> + Send + '_>> {
        let password = Secret::new(password);
        Box::pin(async move {
            let hashed = self.0.checked_hash(&password).await;
            hashed.map_err(|error| error.problems())
        })
    }

    fn hash(&self, secret: &str) -> Pin<Box<dyn Future<Output = Result<String, Problems>> + Send + '_>> {
        let secret = Secret::new(secret);
        Box::pin(async move {
            let hashed = self.0.hash(&secret).await;
            hashed.map_err(|error| error.problems())
        })
    }

    fn is_policy(&self, policy: &str) -> bool {
        loggia_identity::is_password_policy(policy)
    }

    fn fingerprint(&self, token: &str) -> String {
        fingerprint(token)
    }
}

impl Listener for Joint {
    fn changed(&self, collection: &str, _: &[Value]) {
        self.0.changed(collection);
    }

    fn again<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> Pin<Box<dyn Future<Output = Result<Caller, Error>> + Send + 'a>> {
        Box::pin(async move {
            let again = self.0.again(caller).await;
            again.map_err(|error| error.problems().into())
        })
    }
}
