//! Servers: how one is started and ended, alone or shared by all test programs.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::place::{self, Account};

const KEEPER: &str = include_str!("keeper.sh");
/// A server that nobody has used for so many seconds goes.
const UNUSED: &str = "5";
/// How long a server may take to start: machines are shared.
const STARTING: Duration = Duration::from_secs(60);
/// How long is waited between two looks.
const STEP: Duration = Duration::from_millis(20);

/// Where a server's programs are, and what is particular about it.
pub(crate) trait Programs: Send + Sync + 'static {
    /// What its folder is named after.
    const NAME: &'static str;
    /// The signal that ends it in order.
    const END: &'static str;
    /// A file that it leaves behind where it was killed, and would not start beside.
    const LEFT_BEHIND: Option<&'static str>;
    /// `None`, after saying so, where it is not installed.
    fn find() -> Option<Self>
    where
        Self: Sized;
    /// As whom it runs; `None`: as whoever runs the tests.
    fn account(&self) -> Option<Account>;
    /// Makes its data in the folder `data` of a folder, anew.
    fn make(&self, folder: &Path);
    /// The program of the server.
    fn program(&self) -> PathBuf;
    /// What it is started with.
    fn arguments(&self, folder: &Path, port: u16) -> Vec<String>;
    /// Whether it answers; asked on a thread without a runtime of its own.
    fn answers(port: u16) -> bool;
    /// The address of a database that every server has.
    fn url(port: u16) -> String;
}

/// A server that this process uses together with others.
pub(crate) struct Shared {
    pub(crate) port: u16,
    /// Locked, so that the keeper knows of this process.
    _used: File,
}

impl Shared {
    /// The server of all tests, started where nobody has started it yet.
    pub(crate) fn find<P: Programs>() -> Option<Self> {
        // Connections are made on a thread without a runtime of its own.
        match std::thread::spawn(start_shared::<P>).join() {
            Ok(shared) => shared,
            // A server that is there and does not start is a failure: nothing was left out.
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn start_shared<P: Programs>() -> Option<Shared> {
    let programs = P::find()?;
    let folder = place::shared_folder(P::NAME);
    place::folder(&folder, programs.account()).expect("a folder");
    loop {
        let used = open(&folder.join("used"), programs.account());
        used.lock_shared().expect("a lock");
        let mut port = String::new();
        if let Ok(mut ready) = File::open(folder.join("ready")) {
            ready.read_to_string(&mut port).expect("a port");
        }
        if let Ok(port) = port.trim().parse() {
            if P::answers(port) {
                return Some(Shared { port, _used: used });
            }
            // Its keeper was killed.
            drop(fs::remove_file(folder.join("ready")));
        }
        // One process starts it; the others wait, and find it.
        let starting = open(&folder.join("starting"), programs.account());
        starting.lock().expect("a lock");
        if folder.join("ready").exists() {
            continue;
        }
        let port = start(&programs, &folder, true).1;
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

/// Makes a server's data and starts it; under a keeper, or as a child of this process.
fn start<P: Programs>(programs: &P, folder: &Path, kept: bool) -> (Option<Child>, u16) {
    programs.make(folder);
    let port = place::spare_port().expect("a port");
    let child = spawn(programs, folder, port, kept);
    wait::<P>(port, folder);
    (child, port)
}

fn spawn<P: Programs>(programs: &P, folder: &Path, port: u16, kept: bool) -> Option<Child> {
    let mut command = if kept {
        let mut command = place::command("/bin/sh", programs.account());
        command.args(["-c", KEEPER, "keeper"]);
        command.arg(folder).args([UNUSED, P::END]).arg(programs.program());
        // It outlives this process.
        command.process_group(0);
        command
    } else {
        place::command(programs.program(), programs.account())
    };
    command
        .args(programs.arguments(folder, port))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    // A keeper makes the file itself: it runs as somebody who may not write to one that this process made.
    let log = (!kept).then(|| File::options().create(true).append(true).open(folder.join("log")));
    match log {
        Some(log) => command.stderr(log.expect("a file for the log")),
        None => command.stderr(Stdio::null()),
    };
    let child = command.spawn().expect("a server");
    (!kept).then_some(child)
}

fn wait<P: Programs>(port: u16, folder: &Path) {
    let mut waited = Duration::ZERO;
    while !P::answers(port) {
        assert!(waited < STARTING, "the server does not start: {}", log(folder));
        std::thread::sleep(STEP);
        waited += STEP;
    }
}

/// What a server has to say.
fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A name that no other test has.
pub(crate) fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{next}", std::process::id())
}

/// The same for all processes of one build of one test program.
pub(crate) fn template_name() -> String {
    let program = std::env::current_exe().expect("a program");
    let built = fs::metadata(&program).and_then(|found| found.modified());
    format!(
        "template-{:016x}",
        place::digest(&format!("{} {:?}", program.display(), built.ok()))
    )
}

/// A server of its own.
pub struct Server {
    operated: Box<dyn Operated>,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

/// What a server of its own asks of its [`Programs`], whichever they are.
trait Operated: Send + Sync {
    fn spawn(&self, folder: &Path, port: u16) -> Option<Child>;
    fn answers(&self, port: u16) -> bool;
    fn url(&self, port: u16) -> String;
    fn left_behind(&self) -> Option<&'static str>;
}

impl<P: Programs> Operated for P {
    fn spawn(&self, folder: &Path, port: u16) -> Option<Child> {
        spawn(self, folder, port, false)
    }

    fn answers(&self, port: u16) -> bool {
        // On a thread without a runtime of its own.
        std::thread::spawn(move || P::answers(port))
            .join()
            .expect("an answer")
    }

    fn url(&self, port: u16) -> String {
        P::url(port)
    }

    fn left_behind(&self) -> Option<&'static str> {
        P::LEFT_BEHIND
    }
}

impl Server {
    /// Starts one; it goes with the value.
    pub(crate) fn alone<P: Programs>() -> Option<Self> {
        let programs = P::find()?;
        let folder = std::env::temp_dir().join(format!("loggia-test-{}-{}", P::NAME, unique_name()));
        place::folder(&folder, programs.account()).expect("a folder");
        let started = std::thread::spawn(move || {
            let (child, port) = start(&programs, &folder, false);
            (programs, folder, child, port)
        });
        let (programs, folder, child, port) = started.join().expect("a server");
        Some(Self {
            operated: Box::new(programs),
            folder,
            port,
            child,
        })
    }

    /// The address of its one database.
    #[must_use]
    pub fn url(&self) -> String {
        self.operated.url(self.port)
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
        let mut waited = Duration::ZERO;
        while !self.operated.answers(self.port) {
            assert!(
                waited < STARTING,
                "the server does not start: {}",
                log(&self.folder)
            );
            // The port of a server that is gone may be taken for a moment, by a connection that somebody tries to make.
            let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
            if self.child.as_mut().is_none_or(ended) {
                if let Some(file) = self.operated.left_behind() {
                    drop(fs::remove_file(self.folder.join(file)));
                }
                self.child = self.operated.spawn(&self.folder, self.port);
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
