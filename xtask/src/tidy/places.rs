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
            "crates/store/src/migrations.rs",
            "crates/store/src/lease.rs",
            "crates/store/src/copy/",
            "crates/store/tests/",
            "crates/journal/src/images.rs",
            "crates/identity/src/tables.rs",
            "crates/engine/src/changes/images.rs",
            "crates/engine/src/changes/revert/apply.rs",
            "crates/journal/src/snapshot.rs",
            "crates/engine/src/items/allowing.rs",
            "crates/engine/src/items/settling.rs",
            "crates/engine/src/items/writer.rs",
            "crates/engine/src/items/writing.rs",
            "crates/engine/src/rights.rs",
            "crates/engine/src/settings.rs",
            "crates/engine/src/system/administrators.rs",
            "crates/engine/src/system/users.rs",
            "crates/engine/src/tokens/rows.rs",
            "crates/engine/tests/",
            "crates/testkit/",
        ],
        instead: "ask `access` to decide for the caller; the system's own permits are for its bookkeeping alone",
    },
    Place {
        name: "begin()",
        only_in: &[
            "crates/store/",
            "crates/journal/",
            "crates/engine/tests/",
            "crates/http/tests/",
            "crates/testkit/",
        ],
        instead: "write through `journal::Recorder`, which records what it writes",
    },
    Place {
        name: "Caller::established",
        only_in: &[
            "crates/access/",
            "crates/identity/src/account.rs",
            "crates/engine/tests/it/fixture.rs",
            "crates/engine/tests/it/oracle/building.rs",
            "crates/mcp/tests/it/catalogue.rs",
            "crates/tools/tests/it/fixture.rs",
        ],
        instead: "get the caller from `identity`, which is the only room that knows who someone is",
    },
    Place {
        name: "rusqlite",
        only_in: &["crates/store/", "crates/servers/", "bench/", "Cargo.toml"],
        instead: "go through `store`, the only room that names a database",
    },
    Place {
        name: "tokio_postgres",
        only_in: &["crates/store/", "crates/servers/", "bench/"],
        instead: "go through `store`, the only room that names a database",
    },
    Place {
        name: "axum",
        only_in: &["crates/http/", "bench/", "Cargo.toml"],
        instead: "leave HTTP to `http`",
    },
    Place {
        name: "Router",
        only_in: &[
            "crates/http/src/router.rs",
            "crates/http/src/serve.rs",
            "crates/http/src/lib.rs",
            "bench/",
        ],
        instead: "make `Routes`: what is served is listed, documented and asked without rights by a test",
    },
    Place {
        name: "tokio",
        only_in: &[
            "crates/servers/",
            "crates/store/",
            "crates/identity/",
            "crates/engine/",
            "crates/tools/",
            "crates/mcp/",
            "crates/http/",
            "crates/loggia/",
            "crates/testkit/",
            "bench/",
            "fuzz/",
            "Cargo.toml",
        ],
        instead: "`model` and `access` are pure: wait in the room that calls them",
    },
    Place {
        name: "std::fs",
        only_in: &[
            "crates/servers/",
            "crates/store/",
            "crates/engine/tests/",
            "crates/loggia/",
            "xtask/",
            "bench/",
        ],
        instead: "files belong to `store` and to the binary",
    },
    Place {
        name: "std::env",
        only_in: &[
            "crates/servers/",
            "crates/store/tests/",
            "crates/engine/tests/it/oracle/",
            "crates/loggia/",
            "xtask/",
            "bench/",
        ],
        instead: "the binary reads the environment and hands down what a room needs",
    },
    Place {
        name: "rand",
        only_in: &["crates/model/", "Cargo.toml"],
        instead: "randomness comes in through `model::Generator`",
    },
    Place {
        name: "serde(flatten",
        only_in: &[],
        instead: "numbers keep their text, which serde loses here: match on `serde_json::Value`",
    },
    Place {
        name: "serde(untagged",
        only_in: &[],
        instead: "numbers keep their text, which serde loses here: match on `serde_json::Value`",
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
        check_file(
            "crates/engine/src/a.rs",
            "let tx = store\n    .begin()\n    .await?;",
            &[2],
        );
        check_file(
            "crates/engine/src/a.rs",
            "journal.begin(&schema, caller).await?",
            &[],
        );
        check_file("crates/identity/src/account.rs", "Caller::established(x)", &[]);
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
        check_file(
            "crates/identity/src/users.rs",
            "Permit::system(\"x\", plan)",
            &[1],
        );
        check_file("crates/access/Cargo.toml", "tokio.workspace = true", &[1]);
        check_file(
            "crates/engine/src/a.rs",
            "#[serde(flatten)]\nrest.iter().flatten()",
            &[1],
        );
    }
}
