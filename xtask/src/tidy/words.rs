//! Words that must not be in the repository: paths of one machine, hosts of registries, notes to self.

use super::source::{is_word, line_of};
use super::{Finding, Tree};

/// Beginnings of paths that exist only on someone's machine. Written in two parts, so that this file passes.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("C:\\Us", "ers"),
];

/// Hosts that a lock or a setting would tie the build to.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("files.python", "hosted.org"),
    concat!("pypi", ".org"),
    concat!("proxy.gol", "ang.org"),
];

/// Notes of unfinished work.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// The only source that the lock of the workspace may name: it is a name, not the host that was asked.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let mut say = |at: usize, text: String| {
            findings.push(Finding::new(&file.path, line_of(&file.text, at), text));
        };
        for path in MACHINE_PATHS {
            for (at, _) in file
                .text
                .match_indices(path)
                .filter(|(at, _)| starts_a_path(&file.text, *at))
            {
                say(
                    at,
                    format!("`{path}` is a path of one machine: write it relative to the repository"),
                );
            }
        }
        for host in REGISTRY_HOSTS {
            for (at, _) in file.text.match_indices(host) {
                say(
                    at,
                    format!(
                        "`{host}` ties the build to one registry: leave the host to the machine's settings"
                    ),
                );
            }
        }
        for note in NOTES {
            for (at, _) in file
                .text
                .match_indices(note)
                .filter(|(at, _)| is_word(&file.text, *at, note.len()))
            {
                say(
                    at,
                    format!("`{note}`: finish it, or say in plain words what is absent"),
                );
            }
        }
        if file.path.ends_with("package-lock.json") {
            for (at, _) in file.text.match_indices("\"resolved\": \"http") {
                say(
                    at,
                    "a resolved URL in a lock: npm install --omit-lockfile-registry-resolved".to_owned(),
                );
            }
        }
        if file.path.ends_with("Cargo.lock") {
            for (at, line) in file.text.match_indices("source = \"") {
                if !file.text[at + line.len()..].starts_with(CRATES) {
                    say(
                        at,
                        "a dependency from elsewhere than the crates registry: use a published version"
                            .to_owned(),
                    );
                }
            }
        }
    }
    findings
}

/// Whether an absolute path begins at `at`: nothing that could be a folder or a host stands before it.
fn starts_a_path(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '>' | '~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, expect: usize) {
        assert_eq!(check(&Tree::of(&[(path, text)])).len(), expect, "{path}: {text}");
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for start in MACHINE_PATHS {
            check_text("a.md", &format!("cd {start}x"), 1);
        }
        check_text("a.md", concat!("https://example.org/wo", "rk/x"), 0);
        check_text("a.md", concat!("crates/ro", "ot/x"), 0);
    }

    #[test]
    fn hosts_and_foreign_sources_are_found() {
        for host in REGISTRY_HOSTS {
            check_text("a.toml", &format!("url = \"https://{host}/x\""), 1);
        }
        check_text(
            "package-lock.json",
            "\"resolved\": \"https://mirror.example/a.tgz\"",
            1,
        );
        check_text("Cargo.lock", &format!("source = \"{CRATES}\""), 0);
        check_text("Cargo.lock", "source = \"git+https://example.org/x\"", 1);
    }

    #[test]
    fn notes_to_self_are_found() {
        for note in NOTES {
            check_text("a.rs", &format!("// {note}: later"), 1);
            check_text("a.rs", &format!("let {note}_LIST = 1;"), 0);
        }
        check_text("a.rs", "// todo lists are a fine collection", 0);
    }
}
