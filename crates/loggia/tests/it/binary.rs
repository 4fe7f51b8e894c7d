//! Running the binary in a folder of its own, without the settings of whoever runs the tests.

use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A command of the binary that runs in `folder`.
pub(crate) fn loggia(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loggia"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOGGIA_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).args(arguments);
    command
}

/// What a command that ended by itself said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command in an empty folder until it ends.
pub(crate) fn said(arguments: &[&str]) -> (TempDir, Said) {
    let folder = tempfile::tempdir().unwrap();
    let output = loggia(folder.path(), arguments).output().unwrap();
    (folder, output.into())
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into())
        .collect();
    names.sort();
    names
}
