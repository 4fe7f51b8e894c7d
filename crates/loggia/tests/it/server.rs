//! A running server, as a program of its own.

use crate::binary::loggia;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// The longest that a start may take before the test gives up.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The administrator of a test.
pub(crate) const TOKEN: &str = "a-token-that-only-this-test-knows";
pub(crate) const EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "a password that only this test knows";

/// A server that is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens, such as `http://127.0.0.1:41233`.
    pub(crate) url: String,
    client: Client,
    /// The lines of the log that nobody has looked at.
    lines: Mutex<mpsc::Receiver<String>>,
    output: std::thread::JoinHandle<String>,
    log: std::thread::JoinHandle<Vec<String>>,
}

/// What a server that has ended left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it printed.
    pub(crate) output: String,
    /// The lines of its log.
    pub(crate) log: Vec<String>,
}

impl Server {
    /// Starts on the folder `data` in `folder`, with a known administrator and MCP switched on.
    pub(crate) fn start(folder: &Path) -> Server {
        let admin = [
            format!("admin.email={EMAIL}"),
            format!("admin.password={PASSWORD}"),
            format!("admin.token={TOKEN}"),
            "mcp.enabled=true".to_owned(),
        ];
        let arguments: Vec<&str> = admin.iter().flat_map(|setting| ["--set", setting]).collect();
        Server::start_with(folder, &arguments)
    }

    /// Starts with these further arguments and waits until it listens.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Server {
        Server::start_in(folder, arguments, &[])
    }

    /// Starts with these further arguments and variables.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> Server {
        let mut command = loggia(
            folder,
            &["serve", "--listen", "127.0.0.1:0", "--set", "log.format=json"],
        );
        command
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[expect(
            clippy::zombie_processes,
            reason = "where the test goes on, `Drop` waits; where it panics, it ends"
        )]
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let stderr = child.stderr.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        let log = std::thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines
                .inspect(|line| {
                    // Nobody may ask any more.
                    let _ = sender.send(line.clone());
                })
                .collect()
        });
        let mut said = String::new();
        loop {
            let Ok(line) = receiver.recv_timeout(START_WITHIN) else {
                panic!("it does not listen: {said}")
            };
            if let Some(address) = listening(&line) {
                let url = format!("http://{address}");
                return Server {
                    child,
                    url,
                    client: Client::new(),
                    lines: Mutex::new(receiver),
                    output,
                    log,
                };
            }
            said.push_str(&line);
            said.push('\n');
        }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(TOKEN)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.url))
            .bearer_auth(TOKEN)
            .json(body)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client
            .patch(format!("{}{path}", self.url))
            .bearer_auth(TOKEN)
            .json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.client
            .delete(format!("{}{path}", self.url))
            .bearer_auth(TOKEN)
    }

    /// Waits for a line of the log that says this, and answers it.
    pub(crate) fn logged(&self, message: &str) -> Value {
        let lines = self.lines.lock().unwrap();
        loop {
            let line = lines.recv_timeout(START_WITHIN).unwrap();
            if let Ok(event) = serde_json::from_str::<Value>(&line)
                && event["fields"]["message"] == message
            {
                return event;
            }
        }
    }

    /// The address without `http://`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        let output = std::mem::replace(&mut self.output, std::thread::spawn(String::new));
        let log = std::mem::replace(&mut self.log, std::thread::spawn(Vec::new));
        Ended {
            status,
            output: output.join().unwrap(),
            log: log.join().unwrap(),
        }
    }

    /// Stops it as the system does.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.ended();
        assert!(ended.status.success(), "{}", ended.status);
        ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    let fields = event.get("fields")?;
    (fields["message"] == "listening").then(|| fields["address"].as_str().map(str::to_owned))?
}
