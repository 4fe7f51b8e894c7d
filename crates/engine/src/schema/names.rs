//! Which names collections and fields may have.
//!
//! Identifiers are always quoted, so words of SQL are fine. Refused is what the query language, addresses or another
//! database would read differently, and what people cannot tell apart.

use loggia_model::Problem;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::operator::Operator;
use loggia_model::system;

/// The longest identifier that every supported database keeps, in bytes (PostgreSQL's 63).
const LONGEST: usize = 63;

/// What the query language and addresses give a meaning to, and what quotes.
const MEANINGFUL: &[char] = &[
    '.', ',', ':', ';', '(', ')', '[', ']', '{', '}', '*', '/', '\\', '"', '\'', '`', '%', '?', '#', '&',
];

/// The name of a collection to be made.
pub(super) fn collection(name: &str) -> Result<(), Problem> {
    short(name)?;
    if system::is_reserved(name) {
        let message = format!(
            "The name {name:?} is not free: the system keeps names that start with \"directus_\" and \"loggia_\"."
        );
        return Err(problem(message).hint("Choose another name, for example without that prefix."));
    }
    if name.to_ascii_lowercase().starts_with("sqlite_") {
        let message =
            format!("The name {name:?} is not free: the database keeps names that start with \"sqlite_\".");
        return Err(problem(message).hint("Choose another name."));
    }
    any(name)
}

/// The name of a field to be made.
pub(super) fn field(name: &str) -> Result<(), Problem> {
    short(name)?;
    if name.starts_with('$') {
        let message =
            format!("The name {name:?} starts with \"$\", which the query language gives a meaning to.");
        return Err(problem(message).hint("Leave the \"$\" out."));
    }
    // Operators of filters stand where fields stand.
    if WORDS.contains(&name) || Operator::parse(name).is_some() {
        let message = format!("The name {name:?} is that of a filter operator.");
        return Err(problem(message).hint("Leave the underscore out, or choose another name."));
    }
    if ROW_NUMBERS.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        let message = format!("The name {name:?} is not free: the database numbers its rows by it.");
        return Err(problem(message).hint("Choose another name."));
    }
    any(name)
}

/// What SQLite numbers rows by, whatever the columns of the table.
const ROW_NUMBERS: [&str; 3] = ["rowid", "oid", "_rowid_"];

/// What joins and quantifies in the filter language, beside its operators.
const WORDS: &[&str] = &["_and", "_or", "_not", "_some", "_none", "_json"];

fn short(name: &str) -> Result<(), Problem> {
    if name.len() <= LONGEST {
        return Ok(());
    }
    let message = format!(
        "The name {} has {} bytes; at most {LONGEST} are allowed.",
        shown(name),
        name.len()
    );
    Err(problem(message).hint("Choose a shorter name."))
}

fn any(name: &str) -> Result<(), Problem> {
    let what = if name.is_empty() {
        "is empty"
    } else if name.trim() != name {
        "starts or ends with a blank"
    } else if name.chars().any(invisible) {
        "contains a character that cannot be seen"
    } else if let Some(character) = name.chars().find(|character| MEANINGFUL.contains(character)) {
        let message = format!("The name {name:?} contains {character:?}.");
        return Err(problem(message).hint("Use letters, digits and underscores."));
    } else {
        return Ok(());
    };
    Err(problem(format!("The name {name:?} {what}.")).hint("Use letters, digits and underscores."))
}

/// Controls, line and paragraph separators, and characters that turn or hide what stands beside them.
fn invisible(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The start of a text that may be long.
pub(super) fn cut(name: &str) -> String {
    let mut cut: String = name.chars().take(LONGEST).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    cut
}

/// A text from a caller, quoted, and cut where it is too long for a name anyway.
pub(super) fn shown(name: &str) -> String {
    format!("{:?}", cut(name))
}

fn problem(message: String) -> Problem {
    Problem::new(&INVALID_PAYLOAD, message)
}

/// Whether two names would be one to a database that does not tell cases apart.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_given() {
        for name in [
            "posts",
            "select",
            "Été",
            "a b",
            "a-b",
            "1abc",
            "_id",
            "日本",
            "x$y",
            &"n".repeat(63),
        ] {
            assert_eq!(collection(name), Ok(()), "{name}");
            assert_eq!(field(name), Ok(()), "{name}");
        }
        assert_eq!(field("directus_x"), Ok(()));
    }

    #[test]
    fn names_that_may_not() {
        let long = "n".repeat(64);
        let wide = "é".repeat(32);
        for name in [
            "",
            " ",
            " a",
            "a ",
            "a\0b",
            "a\nb",
            "a\"b",
            "a'b",
            "a`b",
            "a.b",
            "a,b",
            "a/b",
            "a:b",
            "a(b)",
            "a[0]",
            "a\\b",
            "\u{202e}a",
            "a\u{200b}b",
            &long,
            &wide,
            "*",
        ] {
            assert!(collection(name).is_err(), "{name:?}");
            assert!(field(name).is_err(), "{name:?}");
        }
        for name in ["directus_x", "DIRECTUS_X", "loggia_x", "sqlite_x", "SQLite_x"] {
            assert!(collection(name).is_err(), "{name}");
        }
        for name in ["_and", "_eq", "$x", "rowid", "OID", "_rowid_"] {
            assert!(field(name).is_err(), "{name}");
        }
    }
}
