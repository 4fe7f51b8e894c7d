//! The suites once more on a database server: private ones on spare ports, started by the first test that needs one and
//! gone when nobody has used them for a few seconds (`crates/servers`).

use super::{Count, tests};
use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Rooms whose tests run over the database that `LOGGIA_TEST_DATABASE` chooses.
const ROOMS: &[&str] = &["loggia-identity", "loggia-engine", "loggia-tools", "loggia-http"];

/// Runs them on PostgreSQL.
pub(super) fn postgres() -> Result<Count> {
    install_postgres()?;
    println!(
        "left out: model, access, mcp and xtask touch no database; store and loggia have run on PostgreSQL already, beside SQLite"
    );
    tests(ROOMS, &[("LOGGIA_TEST_DATABASE", "postgres")])
}

/// Installs PostgreSQL where it is missing. The server that the package starts is not used.
pub(super) fn install_postgres() -> Result<()> {
    if postgres_is_there() {
        return Ok(());
    }
    println!("installing PostgreSQL");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if is_root() { "env" } else { "sudo" });
        if !is_root() {
            command.args(["-n", "env"]);
        }
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments);
        shell::must(&mut command)
    };
    apt(&["update", "-qq"]).context("PostgreSQL is not installed")?;
    apt(&["install", "--yes", "--no-install-recommends", "postgresql"])
        .context("PostgreSQL is not installed")?;
    if !postgres_is_there() {
        bail!("PostgreSQL was installed, and its programs are not where they are looked for");
    }
    Ok(())
}

/// Where `crates/servers` looks.
fn postgres_is_there() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let packaged = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<_> = std::env::split_paths(&path).collect();
    packaged
        .chain(on_path)
        .any(|folder| Path::new(&folder).join("initdb").exists())
}

fn is_root() -> bool {
    shell::works("sh", &["-c", "test \"$(id -u)\" = 0"])
}
