//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy knows.
//!
//! Every rule is pure: it gets the files of the repository and answers with findings, each with the place and
//! how to mend it. Only [`Tree::read`] and the two rules that ask cargo touch the world.
//!
//! To add a rule: a function `fn(&Tree) -> Vec<Finding>` in the file of its kind, a table of cases beside it,
//! and one row in [`RULES`].

mod documents;
mod licences;
mod names;
mod places;
mod size;
mod source;
mod words;

use crate::{arrows, shell};
use anyhow::{Context, Result, bail};
use std::fmt;
use std::process::Command;

pub(crate) use source::SourceFile;

/// A rule and its name as printed.
struct Rule {
    name: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

/// Every rule, in the order in which they run.
const RULES: &[Rule] = &[
    Rule {
        name: "arrows",
        check: arrows_hold,
    },
    Rule {
        name: "places",
        check: places::check,
    },
    Rule {
        name: "file names",
        check: names::check,
    },
    Rule {
        name: "size",
        check: size::check,
    },
    Rule {
        name: "words",
        check: words::check,
    },
    Rule {
        name: "documents",
        check: documents::check,
    },
    Rule {
        name: "licences",
        check: licences::check,
    },
];

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, from the repository's root.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong, and how to mend it.
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding {
            path: path.to_owned(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// The text files of the repository.
pub(crate) struct Tree {
    pub(crate) files: Vec<SourceFile>,
}

impl Tree {
    /// Reads every file that git tracks or would track. Files that are not UTF-8 are left out.
    fn read() -> Result<Tree> {
        let listing = Command::new("git")
            .current_dir(shell::root())
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("git ls-files")?;
        if !listing.status.success() {
            bail!(
                "git ls-files: {}",
                String::from_utf8_lossy(&listing.stderr).trim()
            );
        }
        let names = String::from_utf8(listing.stdout).context("a file name that is not UTF-8")?;
        let mut files = Vec::new();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            // A file that was deleted but is still in the index cannot be read and breaks no rule.
            if let Ok(text) = std::fs::read_to_string(shell::root().join(name)) {
                files.push(SourceFile::new(name, text));
            }
        }
        Ok(Tree { files })
    }

    /// The file at this path.
    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        Tree {
            files: files
                .iter()
                .map(|(path, text)| SourceFile::new(path, (*text).to_owned()))
                .collect(),
        }
    }
}

/// Runs every rule and prints its findings; with `write`, first brings the generated part of documents up to
/// date. Answers whether all is tidy.
///
/// # Errors
/// When the files cannot be listed or written.
pub(crate) fn run(write: bool) -> Result<bool> {
    if write {
        documents::write()?;
    }
    let tree = Tree::read()?;
    let mut broken = 0;
    for rule in RULES {
        let findings = (rule.check)(&tree);
        for finding in &findings {
            println!("{finding} [{}]", rule.name);
        }
        broken += findings.len();
    }
    println!(
        "tidy: {} rules over {} files, {broken} findings",
        RULES.len(),
        tree.files.len()
    );
    Ok(broken == 0)
}

fn arrows_hold(_: &Tree) -> Vec<Finding> {
    match arrows::actual() {
        Err(error) => vec![Finding::new(
            "Cargo.toml",
            1,
            format!("cargo cannot describe the workspace: {error:#}"),
        )],
        Ok((rooms, found)) => arrows::problems(arrows::ROOMS, &rooms, &found)
            .into_iter()
            .map(|(room, text)| {
                Finding::new(
                    &format!("{}/Cargo.toml", arrows::folder(&room)),
                    1,
                    format!("`{room}` {text}"),
                )
            })
            .collect(),
    }
}
