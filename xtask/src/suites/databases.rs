//! The suites once more on a database server: private ones on spare ports, started by the first test that needs one and
//! gone when nobody has used them for a few seconds (`crates/servers`).

use super::{Count, tests};
use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rooms whose tests run over the database that `LOGGIA_TEST_DATABASE` chooses.
const ROOMS: &[&str] = &["loggia-identity", "loggia-engine", "loggia-tools", "loggia-http"];

/// A kind of server.
#[derive(Clone, Copy)]
pub(super) struct Server {
    /// What people call it.
    pub(super) name: &'static str,
    /// What `LOGGIA_TEST_DATABASE` calls it.
    chosen: &'static str,
    /// Debian's packages of it.
    packages: &'static [&'static str],
    /// A program that it has, in one of these folders or on the path.
    program: &'static str,
    folders: fn() -> Vec<PathBuf>,
}

pub(super) const POSTGRES: Server = Server {
    name: "PostgreSQL",
    chosen: "postgres",
    packages: &["postgresql"],
    program: "initdb",
    folders: || {
        let versions = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        versions.map(|version| version.path().join("bin")).collect()
    },
};

pub(super) const MARIADB: Server = Server {
    name: "MariaDB",
    chosen: "mariadb",
    packages: &["mariadb-server"],
    program: "mariadbd",
    folders: || vec![PathBuf::from("/usr/sbin")],
};

impl Server {
    /// Runs the suites on it.
    pub(super) fn run(self) -> Result<Count> {
        self.install()?;
        println!(
            "left out: model, access, mcp and xtask touch no database; store and loggia have run on {} already, beside SQLite",
            self.name
        );
        tests(ROOMS, &[("LOGGIA_TEST_DATABASE", self.chosen)])
    }

    /// Installs it where it is missing. The server that the package starts is not used.
    pub(super) fn install(self) -> Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let missing = || format!("{} is not installed", self.name);
        println!("installing {}", self.name);
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
        apt(&["update", "-qq"]).with_context(missing)?;
        let install = [&["install", "--yes", "--no-install-recommends"], self.packages].concat();
        apt(&install).with_context(missing)?;
        if !self.is_there() {
            bail!(
                "{} was installed, and its programs are not where they are looked for",
                self.name
            );
        }
        Ok(())
    }

    /// Where `crates/servers` looks.
    fn is_there(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = (self.folders)().into_iter().chain(std::env::split_paths(&path));
        folders
            .into_iter()
            .any(|folder| Path::new(&folder).join(self.program).exists())
    }
}

fn is_root() -> bool {
    shell::works("sh", &["-c", "test \"$(id -u)\" = 0"])
}
