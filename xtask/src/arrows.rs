//! The one table of rooms: what each is for and which rooms it may depend on.
//!
//! The table is checked against `cargo metadata` by a test and by `cargo xtask tidy`, and it prints the part
//! of `ARCHITECTURE.md` between the markers.
//!
//! To add a room: one row in [`ROOMS`], above the rooms it may not know, then `cargo xtask tidy --write`.

use anyhow::{Context, Result};
use cargo_metadata::DependencyKind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One room of the house.
pub(crate) struct Room {
    /// Its short name; the package is `loggia-<name>` (`loggia` and `xtask` are named as they are).
    pub(crate) name: &'static str,
    /// What it answers for, in one line.
    pub(crate) purpose: &'static str,
    /// The rooms that its code may name. Anything else is an arrow that points up.
    pub(crate) may_use: &'static [&'static str],
}

/// Every room, lowest first: a room may use only rooms that stand above it in this list.
pub(crate) const ROOMS: &[Room] = &[
    Room {
        name: "servers",
        purpose: "private database servers for tests; a dev-dependency only",
        may_use: &[],
    },
    Room {
        name: "model",
        purpose: "the vocabulary: values, schema, field types, filters, plans, error codes, clock; pure",
        may_use: &[],
    },
    Room {
        name: "access",
        purpose: "decides a plan for a caller; the only maker of permits; pure",
        may_use: &["model"],
    },
    Room {
        name: "store",
        purpose: "lowers permits to SQL; the only room that names a database",
        may_use: &["access", "model"],
    },
    Room {
        name: "journal",
        purpose: "the record of changes: the only way rows are written, the chain of hashes, the snapshot of the schema",
        may_use: &["store", "access", "model"],
    },
    Room {
        name: "identity",
        purpose: "users, sessions, passwords and tokens; the only maker of callers",
        may_use: &["journal", "store", "access", "model"],
    },
    Room {
        name: "engine",
        purpose: "the use cases: schema, items, settings, users",
        may_use: &["journal", "store", "access", "model"],
    },
    Room {
        name: "tools",
        purpose: "the catalogue of tools that assistants call; knows neither JSON-RPC nor HTTP",
        may_use: &["engine", "access", "model"],
    },
    Room {
        name: "mcp",
        purpose: "the Model Context Protocol, every supported revision, over the catalogue",
        may_use: &["tools", "access", "model"],
    },
    Room {
        name: "http",
        purpose: "REST dialect, sign-in and the transport of MCP",
        may_use: &["mcp", "tools", "identity", "engine", "access", "model"],
    },
    Room {
        name: "loggia",
        purpose: "the binary: configuration, wiring, command line, stdio transport",
        may_use: &[
            "http", "mcp", "tools", "engine", "identity", "journal", "store", "access", "model",
        ],
    },
    Room {
        name: "testkit",
        purpose: "a whole Loggia in a test; a dev-dependency only",
        may_use: &[
            "http", "mcp", "tools", "engine", "identity", "journal", "store", "access", "model", "servers",
        ],
    },
    Room {
        name: "xtask",
        purpose: "serve, test, bench and tidy for developers of Loggia",
        may_use: &[],
    },
    Room {
        name: "bench",
        purpose: "measures the release binary from outside, beside a bare server",
        may_use: &[],
    },
];

/// Rooms that tests of every room may use, and nothing else but each other.
const FOR_TESTS: &[&str] = &["testkit", "servers"];

/// The folder of a room, from the repository's root.
pub(crate) fn folder(room: &str) -> String {
    if matches!(room, "xtask" | "bench") {
        room.to_owned()
    } else {
        format!("crates/{room}")
    }
}

/// One dependency between two rooms, as cargo sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrow {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Whether only tests of `from` use it.
    pub(crate) dev: bool,
}

/// Reads the arrows that the workspace really has, and its rooms.
///
/// # Errors
/// When cargo cannot describe the workspace.
pub(crate) fn actual() -> Result<(Vec<String>, Vec<Arrow>)> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .current_dir(crate::shell::root())
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let names: BTreeMap<String, String> = metadata
        .packages
        .iter()
        .map(|p| (p.name.to_string(), room_of(&p.name)))
        .collect();
    let mut arrows = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            if let Some(to) = names.get(&dependency.name) {
                arrows.push(Arrow {
                    from: names[package.name.as_str()].clone(),
                    to: to.clone(),
                    dev: dependency.kind == DependencyKind::Development,
                });
            }
        }
    }
    arrows.sort();
    Ok((names.into_values().collect(), arrows))
}

fn room_of(package: &str) -> String {
    package.strip_prefix("loggia-").unwrap_or(package).to_owned()
}

/// Compares rooms and arrows with a table and says, for each that does not fit, what is wrong and how to mend it.
/// Each problem comes with the name of the room at fault.
pub(crate) fn problems(table: &[Room], rooms: &[String], arrows: &[Arrow]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (place, room) in table.iter().enumerate() {
        if !rooms.iter().any(|name| name == room.name) {
            found.push((
                room.name.to_owned(),
                "stands in ROOMS but is no package; remove its row".to_owned(),
            ));
        }
        for used in room.may_use {
            if !table[..place].iter().any(|lower| lower.name == *used) {
                found.push((
                    room.name.to_owned(),
                    format!("may use `{used}`, which stands above it; arrows point down only"),
                ));
            }
        }
    }
    for room in rooms {
        if !table.iter().any(|row| row.name == room) {
            found.push((
                room.clone(),
                "has no row in ROOMS; add one with its purpose and arrows".to_owned(),
            ));
        }
    }
    for arrow in arrows {
        let Some(row) = table.iter().find(|row| row.name == arrow.from) else {
            continue;
        };
        // A test may also build the rooms below the ones that its room names.
        let for_tests = FOR_TESTS.contains(&arrow.to.as_str());
        let only_tests = arrow.dev && (for_tests || stands_below(table, &arrow.to, row));
        if !only_tests && !row.may_use.contains(&arrow.to.as_str()) {
            found.push((
                arrow.from.clone(),
                format!(
                    "depends on `{}`; it may use {}. Move the code to the room that may, or let a lower room own a \
                     trait that the higher one implements",
                    arrow.to,
                    list(row.may_use),
                ),
            ));
        }
    }
    found
}

/// Whether arrows lead from `from` to the room of that name, over any number of rooms.
fn stands_below(table: &[Room], room: &str, from: &Room) -> bool {
    let named = |name: &str| table.iter().find(|row| row.name == name);
    from.may_use
        .iter()
        .any(|used| *used == room || named(used).is_some_and(|row| stands_below(table, room, row)))
}

fn list(rooms: &[&str]) -> String {
    if rooms.is_empty() {
        "no room".to_owned()
    } else {
        rooms.join(", ")
    }
}

/// The rooms as a Markdown table and as a graph, highest first. The graph leaves out an arrow that follows
/// from two others.
pub(crate) fn diagram() -> String {
    let mut text = String::from("```mermaid\ngraph TD\n");
    for room in ROOMS.iter().rev() {
        let indirect: Vec<&str> = room
            .may_use
            .iter()
            .flat_map(|used| may_use(used))
            .copied()
            .collect();
        for used in room.may_use.iter().filter(|used| !indirect.contains(used)) {
            let line = if FOR_TESTS.contains(&room.name) {
                "-.->"
            } else {
                "-->"
            };
            let _ = writeln!(text, "  {} {line} {used}", room.name);
        }
    }
    text.push_str("```\n\n| room | answers for | may use |\n|---|---|---|\n");
    for room in ROOMS.iter().rev() {
        let used = if room.may_use.is_empty() {
            "–".to_owned()
        } else {
            room.may_use.join(", ")
        };
        let _ = writeln!(text, "| `{}` | {} | {used} |", room.name, room.purpose);
    }
    text.trim_end().to_owned()
}

fn may_use(name: &str) -> &'static [&'static str] {
    ROOMS
        .iter()
        .find(|room| room.name == name)
        .map_or(&[], |room| room.may_use)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &[Room] = &[
        Room {
            name: "low",
            purpose: "",
            may_use: &[],
        },
        Room {
            name: "mid",
            purpose: "",
            may_use: &["low"],
        },
        Room {
            name: "high",
            purpose: "",
            may_use: &["mid"],
        },
    ];

    #[track_caller]
    fn check(arrows: &[(&str, &str, bool)], expect: &[&str]) {
        let rooms = ["low", "mid", "high"].map(String::from);
        let arrows: Vec<Arrow> = arrows
            .iter()
            .map(|(from, to, dev)| Arrow {
                from: (*from).into(),
                to: (*to).into(),
                dev: *dev,
            })
            .collect();
        let found: Vec<String> = problems(HOUSE, &rooms, &arrows)
            .into_iter()
            .map(|(room, problem)| format!("{room} {}", problem.split(';').next().unwrap_or_default()))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn an_arrow_outside_the_table_is_found() {
        check(&[("mid", "low", false), ("high", "mid", false)], &[]);
        check(&[("high", "low", false)], &["high depends on `low`"]);
        check(&[("low", "mid", false)], &["low depends on `mid`"]);
        check(&[("low", "mid", true)], &["low depends on `mid`"]);
        check(&[("high", "low", true)], &[]);
        check(&[("low", "testkit", true)], &[]);
        check(&[("low", "testkit", false)], &["low depends on `testkit`"]);
    }

    #[test]
    fn a_table_that_does_not_match_the_packages_is_found() {
        let found = problems(HOUSE, &["low".into(), "mid".into(), "new".into()], &[]);
        let rooms: Vec<&str> = found.iter().map(|(room, _)| room.as_str()).collect();
        assert_eq!(rooms, ["high", "new"]);
        let upside_down = [Room {
            name: "low",
            purpose: "",
            may_use: &["low"],
        }];
        assert_eq!(problems(&upside_down, &["low".into()], &[]).len(), 1);
    }

    #[test]
    fn the_workspace_follows_the_table() {
        let (rooms, arrows) = actual().expect("cargo metadata");
        assert_eq!(problems(ROOMS, &rooms, &arrows), []);
    }

    #[test]
    fn the_diagram_names_every_room() {
        let text = diagram();
        for room in ROOMS {
            assert!(text.contains(&format!("| `{}` |", room.name)), "{}", room.name);
        }
    }
}
