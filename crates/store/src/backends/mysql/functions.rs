//! Functions that statements need and the servers lack (see `functions.sql`). They are made when a database is opened;
//! nothing in it depends on them, so they can be dropped, and the next start makes them again.
//!
//! To add a function: its text in `functions.sql`, and its case in `tests/it`.

use super::dialect::Flavour;

/// How many there are.
pub(super) const COUNT: u64 = 4;
const TEXTS: &str = include_str!("functions.sql");
/// What stands before the body of each.
const NATURE: &str = "DETERMINISTIC NO SQL SQL SECURITY INVOKER COMMENT";

/// A function.
struct Made {
    name: String,
    /// The statement that makes it.
    text: String,
}

/// What the comment of each function says, so that older ones are told apart.
pub(super) fn mark<F: Flavour>() -> String {
    format!("Loggia {:016x}", digest(&adapted::<F>()))
}

/// What makes all of them anew. What does not fit a type is to be NULL in them, and no failure.
pub(super) fn statements<F: Flavour>() -> Vec<String> {
    let mut texts = vec!["SET @loggia_mode = @@sql_mode, sql_mode = 'NO_BACKSLASH_ESCAPES'".to_owned()];
    for made in all::<F>() {
        if F::REPLACES {
            texts.push(made.text.replacen("CREATE", "CREATE OR REPLACE", 1));
        } else {
            texts.push(format!("DROP FUNCTION IF EXISTS {}", made.name));
            texts.push(made.text);
        }
    }
    texts.push("SET sql_mode = @loggia_mode".to_owned());
    texts
}

/// All of them, in an order in which they can be made.
fn all<F: Flavour>() -> Vec<Made> {
    let nature = format!("{NATURE} '{}'\nBEGIN", mark::<F>());
    let texts = adapted::<F>();
    texts
        .split("\nEND;\n")
        .filter_map(|text| {
            let at = text.find("CREATE FUNCTION ")?;
            let text = text.get(at..)?;
            let name = text.strip_prefix("CREATE FUNCTION ")?.split('(').next()?;
            Some(Made {
                name: name.to_owned(),
                text: format!("{}\nEND", text.replacen("\nBEGIN", &format!("\n{nature}"), 1)),
            })
        })
        .collect()
}

/// The texts as a server takes them.
fn adapted<F: Flavour>() -> String {
    let text = format!("LONGTEXT CHARACTER SET utf8mb4 COLLATE {}", F::COLLATION);
    TEXTS
        .replace("LONGTEXT", &text)
        .replace("{compact}", F::COMPACT)
        .replace("{replaced}", "\u{fffd}")
}

/// FNV-1a of 64 bits.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::mysql::dialect::MariaDb;

    #[test]
    fn every_function_is_found_in_the_text() {
        let all = all::<MariaDb>();
        let names: Vec<_> = all.iter().map(|made| made.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "loggia_json_at",
                "loggia_number_key",
                "loggia_json_key",
                "loggia_json_text"
            ]
        );
        for made in &all {
            assert!(
                made.text.contains("DETERMINISTIC") && made.text.ends_with("END"),
                "{}",
                made.text
            );
            assert!(!made.text.contains("{compact}"), "{}", made.text);
        }
    }
}
