//! Passing messages on over the stdio transport of MCP: one JSON-RPC message a line, in and out
//! (Model Context Protocol 2025-11-25 and 2026-07-28, "stdio").
//!
//! Every message is answered in a task of its own, so that a long call holds up nothing. A
//! `notifications/cancelled` ends the task of the request that it names.

use loggia_mcp::stdio::{Line, Lines};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// How many answers may wait for a reader that does not read.
const WAITING_ANSWERS: usize = 64;
/// The longest message, in bytes: as much as a body over HTTP may have, and then some.
const LONGEST_MESSAGE: usize = 32 * 1024 * 1024;
/// JSON-RPC's code for what cannot be read.
const PARSE_ERROR: i64 = -32700;

/// Where answers go. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers(mpsc::Sender<String>);

impl Answers {
    /// Writes one message. Says nothing when nobody reads any more.
    pub(crate) async fn send(&self, message: &Value) {
        // `Value` prints without line breaks, so one message is one line.
        let _ = self.0.send(format!("{message}\n")).await;
    }

    /// Answers a request with an error of its own.
    pub(crate) async fn refuse(&self, id: &Value, code: i64, message: &str) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
            .await;
    }
}

/// Whatever answers messages.
pub(crate) trait Answering: Send + Sync + 'static {
    /// Answers one message: with nothing, one message, or several in order.
    fn answer(self: Arc<Self>, message: Value, answers: Answers) -> impl Future<Output = ()> + Send;
}

/// Answers every line of `input` on `output` until the input ends and the last answer is written.
///
/// # Errors
/// When a stream breaks.
pub(crate) async fn serve<A: Answering>(
    answering: Arc<A>,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> std::io::Result<()> {
    let (sender, receiver) = mpsc::channel(WAITING_ANSWERS);
    let writer = tokio::spawn(write_all(receiver, output));
    let running = Running::default();
    let mut tasks = JoinSet::new();
    let answers = Answers(sender);
    let mut lines = Lines::new(BufReader::new(input), LONGEST_MESSAGE);
    while let Some(line) = lines.next().await? {
        while tasks.try_join_next().is_some() {}
        let message = match read(&line) {
            Ok(message) => message,
            Err(problem) => {
                answers.refuse(&Value::Null, PARSE_ERROR, &problem).await;
                continue;
            }
        };
        running.cancel_what_this_names(&message);
        let key = request_key(&message);
        let task = tasks.spawn(Arc::clone(&answering).answer(message, answers.clone()));
        running.remember(key, task);
    }
    while tasks.join_next().await.is_some() {}
    drop(answers);
    writer.await.map_err(std::io::Error::other)?
}

fn read(line: &Line) -> Result<Value, String> {
    match line {
        Line::Text(text) => {
            serde_json::from_slice(text).map_err(|error| format!("This line is not JSON: {error}"))
        }
        Line::TooLong => Err(format!(
            "This line is longer than {LONGEST_MESSAGE} bytes. Send less at once."
        )),
    }
}

async fn write_all(
    mut receiver: mpsc::Receiver<String>,
    mut output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    while let Some(line) = receiver.recv().await {
        output.write_all(line.as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}

/// The requests that are being answered, by the text of their id.
#[derive(Default)]
struct Running(Mutex<HashMap<String, AbortHandle>>);

impl Running {
    fn remember(&self, key: Option<String>, task: AbortHandle) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, task| !task.is_finished());
        if let Some(key) = key {
            running.insert(key, task);
        }
    }

    fn cancel_what_this_names(&self, message: &Value) {
        if message["method"] == "notifications/cancelled"
            && let Some(id) = message["params"].get("requestId")
            && let Some(task) = self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id.to_string())
        {
            task.abort();
        }
    }
}

fn request_key(message: &Value) -> Option<String> {
    message.get("id").filter(|id| !id.is_null()).map(Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers a request with its method; `wait` is never answered.
    struct Echo;

    impl Answering for Echo {
        async fn answer(self: Arc<Self>, message: Value, answers: Answers) {
            if message["method"] == "wait" {
                std::future::pending::<()>().await;
            }
            if let Some(id) = message.get("id") {
                answers
                    .send(&json!({"id": id, "result": message["method"]}))
                    .await;
            }
        }
    }

    async fn conversation(lines: &str) -> Vec<Value> {
        let (mut reader, writer) = tokio::io::duplex(1 << 16);
        serve(Arc::new(Echo), lines.as_bytes(), writer).await.unwrap();
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut reader, &mut text)
            .await
            .unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn every_line_gets_its_answer() {
        let answers =
            conversation("{\"id\":1,\"method\":\"a\"}\r\n\n  \n{\"method\":\"b\"}\nnonsense\n{\"id\":\"x\"}")
                .await;
        assert_eq!(answers.len(), 3);
        assert!(answers.contains(&json!({"id": 1, "result": "a"})));
        assert!(answers.contains(&json!({"id": "x", "result": null})));
        assert!(
            answers
                .iter()
                .any(|answer| answer["error"]["code"] == -32700 && answer["id"].is_null())
        );
    }

    #[tokio::test]
    async fn a_cancelled_request_ends_and_the_input_may_close() {
        let cancel = "{\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}";
        let answers = conversation(&format!(
            "{{\"id\":7,\"method\":\"wait\"}}\n{cancel}\n{{\"id\":8,\"method\":\"a\"}}\n"
        ))
        .await;
        assert_eq!(answers, [json!({"id": 8, "result": "a"})]);
    }
}
