//! Starting a server as its users do, knowing when it answers, and looking at its process from outside.

use crate::connection::{self, Connection};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest that a start may take.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The token of the administrator that every measured server gets.
const TOKEN: &str = "bench-administrator-static-token";

/// Where requests go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The value of the `Host` header.
    pub(crate) host: String,
    pub(crate) token: String,
}

impl Target {
    /// A server that somebody else started.
    ///
    /// # Errors
    /// When the URL is not `http://host:port`.
    pub(crate) fn elsewhere(url: &str, token: &str) -> Result<Target> {
        let host = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/').to_owned())
            .with_context(|| format!("`{url}` does not begin with http://"))?;
        let address = host
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .with_context(|| format!("`{url}` names no address and port"))?;
        Ok(Target {
            address,
            host,
            token: token.to_owned(),
        })
    }

    /// The bytes of a request to this server.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&str>) -> Vec<u8> {
        connection::request(method, path, &self.host, &self.token, body)
    }

    /// One REST request over a connection of its own.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string);
        let mut connection = Connection::open(self.address).await?;
        let answer = connection
            .call(&self.request(method, path, body.as_deref()))
            .await?;
        connection::data(&format!("{method} {path}"), &answer)
    }
}

/// A program that can be started on a folder and says where it listens.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    arguments: Vec<String>,
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) target: Target,
    pub(crate) folder: PathBuf,
    /// From the start of the process to the whole first answer.
    pub(crate) started_in: Duration,
    child: Child,
}

impl Program {
    /// `loggia serve` as it comes, with MCP switched on; in the database that is named, or in a file.
    pub(crate) fn loggia(path: PathBuf, database: Option<&str>) -> Program {
        let mut arguments = vec![
            "serve".to_owned(),
            "--listen=127.0.0.1:0".to_owned(),
            "--set=mcp.enabled=true".to_owned(),
            "--set=log.format=json".to_owned(),
            format!("--set=admin.token={TOKEN}"),
        ];
        arguments.extend(database.map(|url| format!("--set=database.url={url}")));
        Program { path, arguments }
    }

    /// The bare server; in the database that is named, or in a file.
    pub(crate) fn bare(path: PathBuf, database: Option<&str>) -> Program {
        let arguments = database.map(|url| ["--database".to_owned(), url.to_owned()]);
        Program {
            path,
            arguments: arguments.into_iter().flatten().collect(),
        }
    }

    /// Starts on a folder and waits for the answer to a first request.
    ///
    /// # Errors
    /// When it ends or does not answer in time; the message holds its log.
    pub(crate) async fn start(&self, folder: &Path) -> Result<Running> {
        let mut command = Command::new(&self.path);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LOGGIA_") {
                command.env_remove(name);
            }
        }
        let began = Instant::now();
        let mut child = command
            .args(&self.arguments)
            .arg("--data")
            .arg(folder.join("data"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.path.display()))?;
        let log = child.stderr.take().context("no pipe to the log")?;
        let address = match listening(log) {
            Ok(address) => address,
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error);
            }
        };
        let mut running = Running {
            target: Target {
                address,
                host: address.to_string(),
                token: TOKEN.to_owned(),
            },
            folder: folder.to_owned(),
            started_in: Duration::ZERO,
            child,
        };
        running.first_answer().await?;
        running.started_in = began.elapsed();
        Ok(running)
    }
}

impl Running {
    /// Reads an article: 404 or 403 on an empty folder, which is an answer too.
    async fn first_answer(&self) -> Result<()> {
        let mut connection = Connection::open(self.target.address).await?;
        let answer = connection
            .call(&self.target.request("GET", "/items/articles/1", None))
            .await?;
        if answer.status >= 500 {
            bail!("the first answer is {}", answer.status);
        }
        Ok(())
    }

    /// Asks it to end and waits. Answers with its folder.
    ///
    /// # Errors
    /// When it does not end well.
    pub(crate) async fn stop(mut self) -> Result<PathBuf> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let status = self.child.wait()?;
        if !status.success() && status.code().is_some() {
            bail!("the server ended with {status}");
        }
        Ok(self.folder.clone())
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("no VmRSS")?
            .parse()?;
        Ok(kib * 1024)
    }

    /// Processor time that all its threads have used.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut total = Duration::ZERO;
        // `stat` counts in hundredths of a second; `schedstat` of each thread in nanoseconds.
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanoseconds = text.split_whitespace().next().context("no schedstat")?.parse()?;
            total += Duration::from_nanos(nanoseconds);
        }
        Ok(total)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the log line that says where the server listens; the rest of the log is read and thrown away, so that
/// the server never waits for it.
fn listening(log: ChildStderr) -> Result<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut found = false;
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if !found {
                found = address_in(&line).is_some();
                // Nobody listens any more when the start took too long.
                let _ = sender.send(line);
            }
        }
    });
    let until = Instant::now() + START_WITHIN;
    let mut said = Vec::new();
    while let Ok(line) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if let Some(address) = address_in(&line) {
            return Ok(address);
        }
        said.push(line);
    }
    bail!("the server did not listen\n{}", said.join("\n"))
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    let fields = event.get("fields")?;
    (fields.get("message")? == "listening").then_some(())?;
    fields.get("address")?.as_str()?.parse().ok()
}
