//! Files and folders are named after the thing inside.

use super::{Finding, Tree};

/// Words that say nothing about what is inside.
const EMPTY_WORDS: &[&str] = &[
    "utils", "util", "common", "commons", "helpers", "helper", "manager", "managers", "misc", "stuff",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter_map(|file| {
            let word = empty_word(&file.path)?;
            let text =
                format!("`{word}` says nothing of what is inside: name it after the thing or the verb");
            Some(Finding::new(&file.path, 1, text))
        })
        .collect()
}

fn empty_word(path: &str) -> Option<&str> {
    path.split(['/', '.', '_', '-'])
        .find(|word| EMPTY_WORDS.iter().any(|empty| word.eq_ignore_ascii_case(empty)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found() {
        for (path, expect) in [
            ("crates/store/src/utils.rs", Some("utils")),
            ("crates/store/src/query_helpers.rs", Some("helpers")),
            ("crates/common/src/lib.rs", Some("common")),
            ("tests/clients/Manager.mjs", Some("Manager")),
            ("crates/store/src/commonality.rs", None),
            ("crates/store/src/plan.rs", None),
        ] {
            assert_eq!(empty_word(path), expect, "{path}");
        }
    }
}
