//! Where servers live, and as whom they run.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Somebody who may run a server: servers refuse to be run by root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

/// `None`: whoever runs the tests may run a server as well; otherwise the account to use, if there is one of that name.
pub(crate) fn other_account(name: &str) -> Option<Option<Account>> {
    // Files that this process makes are its user's.
    let mine = fs::metadata("/proc/self").map_or(1, |found| found.uid());
    if mine != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        Some(Account {
            user: fields.nth(1)?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    });
    Some(account)
}

/// A command that runs as an account.
pub(crate) fn command(program: impl AsRef<Path>, account: Option<Account>) -> Command {
    let mut command = Command::new(program.as_ref());
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    command.current_dir("/");
    command
}

/// Runs a program of a server to its end; says what it said where it fails.
pub(crate) fn run(program: &Path, account: Option<Account>, arguments: &[&str]) -> bool {
    let output = command(program, account)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("a program");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{}: {said}", program.display());
    }
    output.status.success()
}

/// A folder that belongs to an account.
pub(crate) fn folder(path: &Path, account: Option<Account>) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    if let Some(account) = account {
        chown(path, Some(account.user), Some(account.group))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// A temporary folder that all test programs of this checkout find again.
pub(crate) fn shared_folder(name: &str) -> PathBuf {
    let checkout = env!("CARGO_MANIFEST_DIR");
    std::env::temp_dir().join(format!("loggia-test-{name}-{:016x}", digest(checkout)))
}

/// FNV-1a.
pub(crate) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A port that nobody listens on.
pub(crate) fn spare_port() -> std::io::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}
