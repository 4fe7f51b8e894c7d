//! A catalogue of three tools: one says who called, one does not come back until it is told to, and one does not come back
//! from a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loggia_testkit::{Builder, TestApp};
use loggia_tools::catalogue::{
    Annotations, BoxFuture, CallContext, CallError, Catalogue, ToolDescription, ToolListing, ToolResult,
};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

/// Counts the calls that began and those that were dropped before they ended.
#[derive(Default)]
pub(crate) struct Parrot {
    pub(crate) begun: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
    pub(crate) release: Notify,
}

struct NoteDrop<'a>(&'a AtomicUsize);

impl Drop for NoteDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Catalogue for Parrot {
    fn list(&self, _: &CallContext) -> Arc<ToolListing> {
        let tool = |name: &str| ToolDescription {
            name: name.to_owned(),
            title: name.to_owned(),
            description: "For tests.".to_owned(),
            input_schema: Arc::new(json!({"type": "object", "properties": {}})),
            output_schema: None,
            annotations: Annotations {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: false,
            },
        };
        Arc::new(ToolListing::new(vec![tool("who"), tool("wait"), tool("commit")]))
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        _: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            if name == "commit" {
                context.caller.attribution().commit.set(()).unwrap();
            }
            if name != "who" {
                let _noted = NoteDrop(&self.dropped);
                self.release.notified().await;
            }
            let said = json!({
                "user": context.caller.user(),
                "admin": context.caller.is_admin(),
                "read_only": context.narrowing.read_only,
                "toolsets": context.narrowing.toolsets,
                "request_id": &*context.request_id,
            });
            Ok(ToolResult::new(said.as_object().cloned().unwrap_or_default()))
        })
    }

    fn instructions(&self, _: &CallContext) -> Option<Arc<str>> {
        None
    }
}

/// An app with the parrot's tools.
pub(crate) fn builder() -> (Builder, Arc<Parrot>) {
    let parrot = Arc::new(Parrot::default());
    (TestApp::builder().catalogue(parrot.clone()), parrot)
}

pub(crate) async fn start() -> TestApp {
    builder().0.start().await
}
