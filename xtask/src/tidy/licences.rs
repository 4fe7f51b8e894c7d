//! Every crate that is built in has a licence that the project accepts.

use super::{Finding, Tree};
use crate::shell;
use anyhow::{Context, Result, bail};
use cargo_metadata::{CargoOpt, MetadataCommand};
use std::collections::BTreeSet;
use std::process::Command;

/// SPDX identifiers that `MIT OR Apache-2.0` can ship with. `deny.toml` holds the same list.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(crate) fn check(_: &Tree) -> Vec<Finding> {
    match unaccepted() {
        Err(error) => vec![Finding::new("Cargo.lock", 1, format!("cannot read the licences: {error:#}"))],
        Ok(found) => found
            .into_iter()
            .map(|(package, licence)| {
                let text = format!(
                    "`{package}` is under {licence}, which is not accepted: use another crate, or add the licence to \
                     ACCEPTED and deny.toml with the reason in the commit"
                );
                Finding::new("Cargo.lock", 1, text)
            })
            .collect(),
    }
}

/// The packages, for this machine's platform, whose licence is missing or not accepted.
fn unaccepted() -> Result<Vec<(String, String)>> {
    let metadata = MetadataCommand::new()
        .current_dir(shell::root())
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), platform()?])
        .exec()?;
    let resolve = metadata.resolve.context("cargo metadata resolved nothing")?;
    let built: BTreeSet<_> = resolve.nodes.into_iter().map(|node| node.id).collect();
    Ok(metadata
        .packages
        .into_iter()
        .filter(|package| built.contains(&package.id))
        .filter_map(|package| {
            let licence = package.license.unwrap_or_else(|| "no SPDX licence".to_owned());
            (!accepted(&licence)).then(|| (format!("{} {}", package.name, package.version), licence))
        })
        .collect())
}

fn platform() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}

/// Whether an SPDX expression can be met with accepted licences. The older `MIT/Apache-2.0` counts as OR.
fn accepted(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at);
    met && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut met = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        let other = both(words, at);
        met = met || other;
    }
    met
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut met = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        let other = one(words, at);
        met = met && other;
    }
    met
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = either(words, at);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return ACCEPTED.contains(&format!("{word} WITH {exception}").as_str()) || ACCEPTED.contains(word);
    }
    ACCEPTED.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_understood() {
        for (expression, expect) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0 OR MIT", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND ISC", true),
            ("(GPL-2.0 OR GPL-3.0) AND ISC", false),
            ("MIT/Apache-2.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
            ("GPL-3.0 WITH LLVM-exception", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
            ("no SPDX licence", false),
        ] {
            assert_eq!(accepted(expression), expect, "{expression}");
        }
    }

    #[test]
    fn deny_holds_the_same_list() {
        let text = std::fs::read_to_string(shell::root().join("deny.toml")).expect("deny.toml");
        let allow = text
            .split("allow = [")
            .nth(1)
            .and_then(|rest| rest.split(']').next())
            .expect("an allow list");
        let listed: Vec<&str> = allow.split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, ACCEPTED);
    }
}
