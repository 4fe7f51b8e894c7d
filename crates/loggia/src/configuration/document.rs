//! `docs/configuration.md`, printed from the table of keys.
#![cfg(test)]

use super::keys::{Default, KEYS, variable};
use std::fmt::Write;
use std::path::Path;

/// The document.
fn document() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Printed from crates/loggia/src/configuration/keys.rs: UPDATE_DOCS=1 cargo test --package loggia configuration -->\n\n\
         A value is looked for on the command line, then in the environment, then in the file, and else has its default.\n\n\
         - Command line: `--listen`, `--data`, and for every key `--set key=value`.\n\
         - Environment: the variable beside the key, `__` between its levels.\n\
         - File: `loggia.toml` in the working directory, or the one that `--config` or `LOGGIA_CONFIG` names.\n  \
         It is TOML; `mcp.enabled` is `enabled` under `[mcp]`.\n\n\
         A key that does not exist is an error that names the nearest one, and all problems are reported at once.\n\
         `loggia serve --print-config` prints the effective values and where each comes from; it masks secrets (🔒).\n\n\
         | key | variable | default | meaning |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let default = match key.default {
            Default::Is(value) => format!("`{value}`"),
            Default::Follows(words) => words.to_owned(),
            Default::Unset => "–".to_owned(),
        };
        let lock = if (key.hides)("") { " 🔒" } else { "" };
        let _ = writeln!(
            text,
            "| `{}`{lock} | `{}` | {default} | {} Expects {}. |",
            key.name,
            variable(key.name),
            key.meaning,
            key.expects
        );
    }
    text
}

#[test]
fn the_document_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == document(),
        "docs/configuration.md is not what the table says: UPDATE_DOCS=1 cargo test --package loggia configuration"
    );
}
