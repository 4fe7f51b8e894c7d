//! Tags of items: short texts that two states of an item share when they look the same.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Record;

/// The tag of an item that is not there yet.
pub const ABSENT: &str = "0";

/// How much of the hash makes the tag, in bytes: enough to tell the states of one item apart.
const LENGTH: usize = 8;

/// The tag of what is shown of an item: 16 hexadecimal digits.
///
/// What holds nothing counts as not shown, and the order of members does not matter.
#[must_use]
pub fn tag(shown: &Record) -> String {
    let mut text = String::new();
    write_members(shown.iter().filter(|(_, value)| !value.is_null()), &mut text);
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(LENGTH).fold(String::new(), |mut tag, byte| {
        // Writing to a text cannot fail.
        let _ = write!(tag, "{byte:02x}");
        tag
    })
}

/// Whether a text can be the tag of an item.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text == ABSENT || (text.len() == 2 * LENGTH && text.bytes().all(digit))
}

/// JSON with the members of objects in the order of their names.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => write_members(members.iter(), text),
        Value::Array(entries) => {
            text.push('[');
            for entry in entries {
                write(entry, text);
                text.push(',');
            }
            text.push(']');
        }
        value => {
            // Writing to a text cannot fail.
            let _ = write!(text, "{value}");
        }
    }
}

fn write_members<'m>(members: impl Iterator<Item = (&'m String, &'m Value)>, text: &mut String) {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    text.push('{');
    for (name, value) in members {
        write(&Value::from(name.as_str()), text);
        text.push(':');
        write(value, text);
        text.push(',');
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(shown: Value) -> String {
        tag(shown.as_object().unwrap())
    }

    #[test]
    fn what_looks_the_same_has_the_same_tag() {
        let item = json!({"id": 1, "title": "a", "more": {"x": [1, null], "y": 2}});
        assert!(is_tag(&of(item.clone())));
        for same in [
            json!({"title": "a", "more": {"y": 2, "x": [1, null]}, "id": 1}),
            json!({"id": 1, "title": "a", "more": {"x": [1, null], "y": 2}, "hidden": null}),
        ] {
            assert_eq!(of(item.clone()), of(same.clone()), "{same}");
        }
        for other in [
            json!({"id": 1, "title": "b", "more": {"x": [1, null], "y": 2}}),
            json!({"id": 1, "title": "a", "more": {"x": [1], "y": 2}}),
            json!({"id": "1", "title": "a", "more": {"x": [1, null], "y": 2}}),
            json!({"id": 1, "title": "a", "more": {"x": [1, null], "y": 2, "z": null}}),
            json!({"id": 1, "title": "a\",\"more\":{}", "more": {"x": [1, null], "y": 2}}),
            json!({}),
        ] {
            assert_ne!(of(item.clone()), of(other.clone()), "{other}");
        }
    }

    #[test]
    fn tags_are_known_by_their_looks() {
        for (text, expect) in [
            (ABSENT, true),
            ("5f70bf18a0860070", true),
            ("5F70bf18a0860070", false),
            ("5f70bf18a086007", false),
            ("5f70bf18a08600701", false),
            ("3", false),
            ("", false),
        ] {
            assert_eq!(is_tag(text), expect, "{text}");
        }
    }
}
