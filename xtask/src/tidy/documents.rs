//! Documents that say what the code says.

use super::{Finding, Tree};
use crate::{arrows, shell};
use anyhow::{Context, Result};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "<!-- arrows: written by `cargo xtask tidy --write` -->";
const END: &str = "<!-- /arrows -->";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = missing_room_docs(tree);
    findings.extend(broken_links(tree));
    match tree.file(ARCHITECTURE) {
        None => findings.push(Finding::new(
            ARCHITECTURE,
            1,
            "missing: it describes the rooms and their arrows",
        )),
        Some(file) => {
            findings.extend(unnamed_rooms(&file.text));
            findings.extend(stale_diagram(&file.text));
        }
    }
    findings
}

/// Brings the part between the markers up to date.
pub(crate) fn write() -> Result<()> {
    let path = shell::root().join(ARCHITECTURE);
    let text = std::fs::read_to_string(&path).context(ARCHITECTURE)?;
    let (start, end) = marked(&text).with_context(|| format!("{ARCHITECTURE} has no `{BEGIN}` … `{END}`"))?;
    let text = format!("{}{}{}", &text[..start], between_markers(), &text[end..]);
    std::fs::write(&path, text).context(ARCHITECTURE)
}

fn missing_room_docs(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.ends_with("/src/lib.rs"))
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| {
            let text = "begin with `//!`: the room's purpose, its invariants (also what is absent), and \"To add a …\"";
            Finding::new(&file.path, 1, text)
        })
        .collect()
}

/// Links of Markdown to files that are not there.
fn broken_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, _) in file.text.match_indices("](") {
            let target = file.text[at + 2..]
                .split([')', '#', ' ', '\n'])
                .next()
                .unwrap_or_default();
            if target.is_empty() || target.contains(':') {
                continue;
            }
            let path = joined(folder, target);
            let is_there = tree
                .files
                .iter()
                .any(|file| file.path == path || file.path.starts_with(&format!("{path}/")));
            if !is_there {
                let line = super::source::line_of(&file.text, at);
                let text =
                    format!("links to `{target}`, which is not there: correct the path or the sentence");
                findings.push(Finding::new(&file.path, line, text));
            }
        }
    }
    findings
}

/// A relative path from a folder, from the repository's root.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn unnamed_rooms(text: &str) -> Vec<Finding> {
    arrows::ROOMS
        .iter()
        .filter(|room| !text.contains(&format!("`{}`", room.name)))
        .map(|room| Finding::new(ARCHITECTURE, 1, format!("does not name the room `{}`", room.name)))
        .collect()
}

fn stale_diagram(text: &str) -> Option<Finding> {
    match marked(text) {
        None => Some(Finding::new(
            ARCHITECTURE,
            1,
            format!("has no `{BEGIN}` … `{END}` around its diagram"),
        )),
        Some((start, end)) if text[start..end] != between_markers() => {
            let line = super::source::line_of(text, start);
            Some(Finding::new(
                ARCHITECTURE,
                line,
                "the diagram is not what ROOMS says: cargo xtask tidy --write",
            ))
        }
        Some(_) => None,
    }
}

/// Where the text between the markers starts and ends.
fn marked(text: &str) -> Option<(usize, usize)> {
    let start = text.find(BEGIN)? + BEGIN.len();
    let end = start + text[start..].find(END)?;
    Some((start, end))
}

fn between_markers() -> String {
    format!("\n{}\n", arrows::diagram())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagram_must_be_the_printed_one() {
        let good = format!("# A\n{BEGIN}{}{END}\n", between_markers());
        let stale = format!("# A\n{BEGIN}\nold\n{END}\n");
        for (text, expect) in [(good.as_str(), false), (stale.as_str(), true), ("# A", true)] {
            assert_eq!(stale_diagram(text).is_some(), expect, "{text}");
        }
    }

    #[test]
    fn links_must_lead_somewhere() {
        for (text, expect) in [
            ("[a](b.md)", 0),
            ("[a](b.md#part)", 0),
            ("[a](../README.md) and [b](./)", 0),
            ("[a](https://example.com) [b](#here) [c](mailto:a@b.c)", 0),
            ("[a](c.md) [b](../docs/d.md)", 2),
        ] {
            let tree = Tree::of(&[("README.md", ""), ("docs/a.md", text), ("docs/b.md", "")]);
            assert_eq!(broken_links(&tree).len(), expect, "{text}");
        }
    }

    #[test]
    fn rooms_must_be_named_and_described() {
        assert_eq!(unnamed_rooms("").len(), arrows::ROOMS.len());
        assert_eq!(unnamed_rooms(&arrows::diagram()), []);
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "mod b;"),
            ("crates/b/src/lib.rs", "//! B.\n"),
        ]);
        assert_eq!(missing_room_docs(&tree).len(), 1);
    }
}
