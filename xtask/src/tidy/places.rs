//! Names that may stand only in certain places: the doors of the house.

use super::source::{is_word, line_of};
use super::{Finding, Tree};

/// A name and the only places for it.
struct Place {
    /// The name as code writes it.
    name: &'static str,
    /// Folders (ending in `/`) and files where it may stand.
    only_in: &'static [&'static str],
    /// What to do instead.
    instead: &'static str,
}

/// To let one more file write a name: its path here, with the reason in the commit.
const PLACES: &[Place] = &[
    Place {
        name: "Permit::system(",
        only_in: &[
            "crates/access/",
            "crates/store/",
            "crates/identity/",
            "crates/engine/",
            "crates/testkit/",
        ],
        instead: "ask `access` to decide for the caller; the system's own permits are for its bookkeeping alone",
    },
    Place {
        name: "Caller::established",
        only_in: &[
            "crates/access/",
            "crates/identity/",
            "crates/engine/tests/it/fixture.rs",
            "crates/mcp/tests/it/catalogue.rs",
            "crates/tools/tests/it/fixture.rs",
        ],
        instead: "get the caller from `identity`, which is the only room that knows who someone is",
    },
    Place {
        name: "rusqlite",
        only_in: &["crates/store/", "bench/", "Cargo.toml", "Cargo.lock"],
        instead: "go through `store`, the only room that names a database",
    },
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| file.is_rust() || file.path.ends_with("Cargo.toml"))
    {
        for place in PLACES.iter().filter(|place| !allowed(&file.path, place.only_in)) {
            for (at, _) in file.code.match_indices(place.name) {
                let word = place.name.trim_end_matches('(');
                if is_word(&file.code, at, word.len()) {
                    let text = format!("`{}` may not stand here: {}", place.name, place.instead);
                    findings.push(Finding::new(&file.path, line_of(&file.code, at), text));
                }
            }
        }
    }
    findings
}

fn allowed(path: &str, only_in: &[&str]) -> bool {
    only_in
        .iter()
        .any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(path: &str, text: &str, lines: &[usize]) {
        let found: Vec<usize> = check(&Tree::of(&[(path, text)]))
            .iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(found, lines, "{path}: {text}");
    }

    #[test]
    fn names_stand_only_in_their_places() {
        check_file("crates/http/src/a.rs", "\nlet p = Permit::system(\"x\");", &[2]);
        check_file("crates/access/src/permit.rs", "Permit::system(\"x\")", &[]);
        check_file("crates/http/src/a.rs", "// Permit::system( is not for us", &[]);
        check_file("crates/http/src/a.rs", "\"Permit::system(\"", &[]);
        check_file("crates/engine/src/a.rs", "Caller::established(x)", &[1]);
        check_file("crates/identity/src/a.rs", "Caller::established(x)", &[]);
        check_file(
            "crates/engine/src/a.rs",
            "use rusqlite::Connection;\nrusqlite::x()",
            &[1, 2],
        );
        check_file(
            "crates/engine/Cargo.toml",
            "[dependencies]\nrusqlite.workspace = true",
            &[2],
        );
        check_file("Cargo.toml", "rusqlite = \"0.41\"", &[]);
        check_file("crates/store/Cargo.toml", "rusqlite.workspace = true", &[]);
    }
}
