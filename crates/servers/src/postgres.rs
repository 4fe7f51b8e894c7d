//! PostgreSQL.

use std::fs::{self, File};
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::place::{self, Account};

const KEEPER: &str = include_str!("keeper.sh");
/// A server that nobody has used for so many seconds goes.
const UNUSED: &str = "5";
/// How long a server may take to start: machines are shared.
const STARTING: Duration = Duration::from_secs(60);
/// How long is waited between two looks.
const STEP: Duration = Duration::from_millis(20);

/// A server that this process uses.
struct Shared {
    port: u16,
    /// Locked, so that the keeper knows of this process.
    _used: File,
}

/// A database on the shared server.
#[derive(Debug)]
pub(crate) struct Held {
    port: u16,
    name: String,
}

impl Held {
    pub(crate) fn url(&self) -> String {
        url(self.port, &self.name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (port, name) = (self.port, std::mem::take(&mut self.name));
        // The test's own runtime may be going already.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let Ok(client) = connect(port, "postgres").await else {
                    return;
                };
                // What stays behind goes with the server.
                let text = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
                drop(client.batch_execute(&text).await);
            });
        });
        drop(dropping.join());
    }
}

fn url(port: u16, name: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable")
}

/// An empty database.
pub(crate) async fn empty() -> Option<Held> {
    let server = shared()?;
    let name = unique_name();
    let client = connect(server.port, "postgres").await.expect("the server");
    let text = format!("CREATE DATABASE \"{name}\"");
    client.batch_execute(&text).await.expect("a database");
    Some(Held {
        port: server.port,
        name,
    })
}

/// A copy of what `make` leaves.
pub(crate) async fn copy<F: Future<Output = ()>>(make: impl FnOnce(String) -> F) -> Option<Held> {
    let server = shared()?;
    let client = connect(server.port, "postgres").await.expect("the server");
    let template = template_name();
    if !exists(&client, &template).await {
        // One process makes it; the others wait, and find it.
        let key = place::digest(&template) as i64;
        let lock = format!("SELECT pg_advisory_lock({key})");
        client.batch_execute(&lock).await.expect("a lock");
        if !exists(&client, &template).await {
            let raw = format!("{template}-raw");
            for text in [
                format!("DROP DATABASE IF EXISTS \"{raw}\" WITH (FORCE)"),
                format!("CREATE DATABASE \"{raw}\""),
            ] {
                client.batch_execute(&text).await.expect("a database");
            }
            make(url(server.port, &raw)).await;
            let end = format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{raw}'"
            );
            client.batch_execute(&end).await.expect("no connections");
            let name = format!("ALTER DATABASE \"{raw}\" RENAME TO \"{template}\"");
            client.batch_execute(&name).await.expect("a template");
        }
        let unlock = format!("SELECT pg_advisory_unlock({key})");
        client.batch_execute(&unlock).await.expect("the lock");
    }
    let name = unique_name();
    let text = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"");
    client.batch_execute(&text).await.expect("a copy");
    Some(Held {
        port: server.port,
        name,
    })
}

async fn exists(client: &Client, name: &str) -> bool {
    let query = "SELECT 1 FROM pg_database WHERE datname = $1";
    !client.query(query, &[&name]).await.expect("an answer").is_empty()
}

fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{next}", std::process::id())
}

/// The same for all processes of one build of one test program.
fn template_name() -> String {
    let program = std::env::current_exe().expect("a program");
    let built = fs::metadata(&program).and_then(|found| found.modified());
    format!(
        "template-{:016x}",
        place::digest(&format!("{} {:?}", program.display(), built.ok()))
    )
}

async fn connect(port: u16, name: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&url(port, name), NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// The server of all tests, started where nobody has started it yet.
fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            // Connections are made on a thread without a runtime of its own.
            match std::thread::spawn(start_shared).join() {
                Ok(shared) => shared,
                // A server that is there and does not start is a failure: nothing was left out.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
        .as_ref()
}

fn start_shared() -> Option<Shared> {
    let programs = Programs::find()?;
    let folder = place::shared_folder("postgres");
    place::folder(&folder, programs.account).expect("a folder");
    loop {
        let used = open(&folder.join("used"), programs.account);
        used.lock_shared().expect("a lock");
        let mut port = String::new();
        if let Ok(mut ready) = File::open(folder.join("ready")) {
            ready.read_to_string(&mut port).expect("a port");
        }
        if let Ok(port) = port.trim().parse() {
            if answers(port) {
                return Some(Shared { port, _used: used });
            }
            // Its keeper was killed.
            drop(fs::remove_file(folder.join("ready")));
        }
        // One process starts it; the others wait, and find it.
        let starting = open(&folder.join("starting"), programs.account);
        starting.lock().expect("a lock");
        if folder.join("ready").exists() {
            continue;
        }
        let port = programs.start(&folder, true).1;
        let mut ready = File::create(folder.join("ready.new")).expect("a file");
        write!(ready, "{port}").expect("a port");
        fs::rename(folder.join("ready.new"), folder.join("ready")).expect("a file");
        return Some(Shared { port, _used: used });
    }
}

/// A file for locks that the keeper opens as well.
fn open(path: &Path, account: Option<Account>) -> File {
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .expect("a file for locks");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    if account.is_some() {
        fs::set_permissions(path, mode).expect("a mode");
    }
    file
}

fn answers(port: u16) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.is_ok_and(|runtime| runtime.block_on(connect(port, "postgres")).is_ok())
}

/// Where the server's programs are, and as whom they run.
struct Programs {
    folder: PathBuf,
    account: Option<Account>,
}

impl Programs {
    fn find() -> Option<Self> {
        let left_out = |why: &str| {
            eprintln!("left out: {why} (on Debian: apt-get install postgresql)");
            None
        };
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let mut folders: Vec<_> = versions
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .collect();
        folders.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path));
        let there = |folder: &&PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
        let Some(folder) = folders.iter().rev().find(there) else {
            return left_out("PostgreSQL is not installed");
        };
        let account = match place::other_account("postgres") {
            None => None,
            Some(Some(account)) => Some(account),
            Some(None) => return left_out("PostgreSQL does not run as root, and there is no user postgres"),
        };
        Some(Self {
            folder: folder.clone(),
            account,
        })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let output = place::command(self.folder.join(program), self.account)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect(program);
        if !output.status.success() {
            eprintln!("{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success()
    }

    /// Makes a cluster in the folder. Its collation is not that of bytes, so that whatever depends on it shows.
    fn make(&self, folder: &Path) {
        let data = folder.join("data");
        drop(fs::remove_dir_all(&data));
        let data = data.display().to_string();
        let base = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ];
        let icu = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"];
        let with = |more: &[&str]| self.run("initdb", &[&base[..], more].concat());
        // Before version 15, a whole cluster cannot be collated by ICU.
        assert!(with(&icu) || with(&["--locale=C.UTF-8"]), "initdb");
    }

    fn arguments(folder: &Path, port: u16) -> Vec<String> {
        let mut arguments = vec![
            "-D".to_owned(),
            folder.join("data").display().to_string(),
            "-p".to_owned(),
            port.to_string(),
        ];
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_connections=400",
            "shared_buffers=64MB",
            "autovacuum=off",
            "log_min_messages=fatal",
        ] {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        arguments
    }

    /// Makes a cluster and starts its server; under a keeper, or as a child of this process.
    fn start(&self, folder: &Path, kept: bool) -> (Option<Child>, u16) {
        self.make(folder);
        let port = place::spare_port().expect("a port");
        let child = self.spawn(folder, port, kept);
        wait(port, folder);
        (child, port)
    }

    fn spawn(&self, folder: &Path, port: u16, kept: bool) -> Option<Child> {
        let server = self.folder.join("postgres");
        let arguments = Self::arguments(folder, port);
        let mut command = if kept {
            let mut command = place::command("/bin/sh", self.account);
            command.args(["-c", KEEPER, "keeper"]);
            command.arg(folder).arg(UNUSED).arg(server);
            // It outlives this process.
            command.process_group(0);
            command
        } else {
            place::command(server, self.account)
        };
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        // A keeper makes the file itself: it runs as somebody who may not write to one that this process made.
        let log = (!kept).then(|| File::options().create(true).append(true).open(folder.join("log")));
        match log {
            Some(log) => command.stderr(log.expect("a file for the log")),
            None => command.stderr(Stdio::null()),
        };
        let child = command.spawn().expect("a server");
        (!kept).then_some(child)
    }
}

fn wait(port: u16, folder: &Path) {
    let mut waited = Duration::ZERO;
    while !answers(port) {
        assert!(waited < STARTING, "the server does not start: {}", log(folder));
        std::thread::sleep(STEP);
        waited += STEP;
    }
}

/// What a server has to say.
fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A server of its own.
pub struct Server {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

/// As [`crate::postgres_alone`].
pub(crate) fn alone() -> Option<Server> {
    let programs = Programs::find()?;
    let folder = std::env::temp_dir().join(format!("loggia-test-{}", unique_name()));
    place::folder(&folder, programs.account).expect("a folder");
    let account = programs.account;
    let started = std::thread::spawn(move || {
        let (child, port) = programs.start(&folder, false);
        (programs, folder, child, port)
    });
    let (programs, folder, child, port) = started.join().expect("a server");
    debug_assert!(account.is_some() == programs.account.is_some());
    Some(Server {
        programs,
        folder,
        port,
        child,
    })
}

impl Server {
    /// The address of its one database.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port, "postgres")
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends it as a power failure would.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Those that serve connections would notice only after a while.
            let serving = children(child.id());
            child.kill().expect("an end");
            child.wait().expect("an end");
            let killed = std::process::Command::new("kill")
                .arg("-9")
                .args(&serving)
                .output();
            drop(killed.expect("kill"));
            // As long as one of them is left, no other server may use their data.
            while serving.iter().any(|process| is_running(process)) {
                std::thread::sleep(STEP);
            }
        }
    }

    /// Starts it again, at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self) {
        let port = self.port;
        let mut waited = Duration::ZERO;
        // On a thread without a runtime of its own.
        while !std::thread::spawn(move || answers(port))
            .join()
            .expect("an answer")
        {
            assert!(
                waited < STARTING,
                "the server does not start: {}",
                log(&self.folder)
            );
            // The port of a server that is gone may be taken for a moment, by a connection that somebody tries to make.
            let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
            if self.child.as_mut().is_none_or(ended) {
                drop(fs::remove_file(self.folder.join("data/postmaster.pid")));
                self.child = self.programs.spawn(&self.folder, self.port, false);
            }
            std::thread::sleep(STEP);
            waited += STEP;
        }
    }
}

/// The processes that another one has started.
fn children(parent: u32) -> Vec<String> {
    let parent = parent.to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.filter_map(|process| process.file_name().into_string().ok());
    names
        .filter(|process| {
            // `number (name) state parent …`
            stat(process).split(' ').nth(1) == Some(&parent)
        })
        .collect()
}

/// Whether a process has not ended; one that is only not yet buried has.
fn is_running(process: &str) -> bool {
    let stat = stat(process);
    !stat.is_empty() && !stat.starts_with('Z')
}

/// State, parent and more of a process; nothing where there is none.
fn stat(process: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .map_or(String::new(), |(_, rest)| rest.to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.folder));
    }
}
