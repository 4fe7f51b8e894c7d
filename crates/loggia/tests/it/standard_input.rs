//! `loggia mcp`: MCP on standard input and output, over the data and over a bridge.

use crate::binary::loggia;
use crate::server::{EMAIL, Server, TOKEN};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A client's side of the conversation.
struct Conversation {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Conversation {
    fn start(folder: &Path, arguments: &[&str], token: &str) -> Conversation {
        let mut command = loggia(folder, &["mcp"]);
        command.args(arguments).env("LOGGIA_TOKEN", token);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Conversation { child, input, output }
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Sends a request and reads the next answer.
    fn ask(&mut self, message: &Value) -> Value {
        self.say(message);
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn handshake(&mut self) -> Value {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let answer = self.ask(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}));
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    /// Ends the input; the program must end by itself, and well.
    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method})
}

#[track_caller]
fn talks(mut conversation: Conversation) {
    let hello = conversation.handshake();
    assert_eq!(hello["result"]["protocolVersion"], "2025-06-18", "{hello}");
    let listed = conversation.ask(&request(1, "tools/list"));
    let tools = listed["result"]["tools"]
        .as_array()
        .unwrap_or_else(|| panic!("{listed}"));
    assert!(tools.iter().any(|tool| tool["name"] == "schema"), "{listed}");
    let unknown = conversation.ask(&request(2, "no/such/method"));
    assert_eq!(
        (&unknown["id"], &unknown["error"]["code"]),
        (&json!(2), &json!(-32601)),
        "{unknown}"
    );
    let broken = conversation.ask(&json!("not a message"));
    assert!(broken["error"]["code"].is_number(), "{broken}");
    conversation.end();
}

#[test]
fn an_assistant_works_on_the_data_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path()));
    talks(Conversation::start(
        folder.path(),
        &["--set", "mcp.enabled=true"],
        TOKEN,
    ));
}

#[test]
fn an_assistant_works_on_the_data_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(folder.path());
    talks(Conversation::start(
        folder.path(),
        &["--set", "mcp.enabled=true"],
        TOKEN,
    ));
}

#[test]
fn an_assistant_works_over_the_bridge() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path());
    talks(Conversation::start(
        elsewhere.path(),
        &["--url", &format!("{}/mcp", server.url)],
        TOKEN,
    ));
    assert_eq!(
        std::fs::read_dir(elsewhere.path()).unwrap().count(),
        0,
        "a bridge makes nothing"
    );
}

#[test]
fn a_switch_that_is_off_and_a_wrong_token_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let url = format!("{}/mcp", server.url);
    for (arguments, token, expect) in [
        (
            &["--set", &format!("admin.email={EMAIL}")][..],
            TOKEN,
            "switched off",
        ),
        (&["--set", "mcp.enabled=false"], TOKEN, "off"),
        (&["--set", "mcp.enabled=true"], "wrong", ""),
        (&["--url", &url], "wrong", ""),
        (&["--url", "http://127.0.0.1:1/mcp"], TOKEN, "cannot be reached"),
    ] {
        let mut conversation = Conversation::start(folder.path(), arguments, token);
        let answer = conversation.handshake();
        let message = answer["error"]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("{arguments:?}: {answer}"));
        assert!(message.contains(expect), "{arguments:?}: {answer}");
        assert_eq!(answer["id"], 0, "{arguments:?}: {answer}");
        conversation.end();
    }
}
