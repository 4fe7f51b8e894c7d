//! A source file, with a view of it in which comments and literals are blank.

/// A text file of the repository.
pub(crate) struct SourceFile {
    /// From the repository's root, with `/` between the parts.
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
    /// For Rust: the same lines and columns, with what stands in comments and in string and character literals
    /// replaced by spaces. For other files the text itself.
    pub(crate) code: String,
}

impl SourceFile {
    pub(crate) fn new(path: &str, text: String) -> SourceFile {
        let code = if path.ends_with(".rs") {
            blank(&text)
        } else {
            text.clone()
        };
        SourceFile {
            path: path.to_owned(),
            text,
            code,
        }
    }

    /// Whether this is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The line, from 1, of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// Whether `text[at..at + length]` is a word of its own: no letter, digit or underscore touches it.
pub(crate) fn is_word(text: &str, at: usize, length: usize) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    !text[..at].ends_with(part) && !text[at + length..].starts_with(part)
}

/// Blanks comments and literals; every byte but newlines that is not code becomes a space.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole literals and comments were replaced, so what is left is still UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

/// The end of the comment or literal that starts at `at`; `at` itself when none does.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with(b"/*") => at + block_comment(rest),
        b'"' => at + quoted(rest, b'"'),
        b'\'' => at + character(rest),
        b'r' | b'b' | b'c' if at == 0 || !is_name_byte(bytes[at - 1]) => at + raw(rest),
        _ => at,
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(rest.len())
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character literal, or 0 for a lifetime: that has no closing quote after one character.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    let width = match rest.get(1) {
        Some(byte) if *byte >= 0xF0 => 4,
        Some(byte) if *byte >= 0xE0 => 3,
        Some(byte) if *byte >= 0xC0 => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') {
        width + 2
    } else {
        0
    }
}

/// A raw, byte or C string that starts with its prefix; 0 when the letters are a name.
fn raw(rest: &[u8]) -> usize {
    let letters = rest
        .iter()
        .take(2)
        .take_while(|b| matches!(b, b'r' | b'b' | b'c'))
        .count();
    let hashes = rest[letters..].iter().take_while(|b| **b == b'#').count();
    let open = letters + hashes;
    if rest.get(open) != Some(&b'"') {
        return 0;
    }
    if !rest[..letters].contains(&b'r') {
        return if hashes == 0 {
            open + quoted(&rest[open..], b'"')
        } else {
            0
        };
    }
    let mut closing = vec![b'"'];
    closing.resize(hashes + 1, b'#');
    let body = &rest[open + 1..];
    body.windows(closing.len())
        .position(|window| window == closing)
        .map_or(rest.len(), |found| open + 1 + found + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(blank(text), expect);
    }

    #[test]
    fn comments_and_literals_are_blanked_in_place() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check("f(\"x\\\"y\") g", "f(      ) g");
        check("f(r#\"a\"b\"#) g", "f(        ) g");
        check("f(b\"x\", c\"y\", br\"z\")", "f(    ,     ,      )");
        check("let a = '\"'; b", "let a =    ; b");
        check("let a = '\\''; b", "let a =     ; b");
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check("number\"x\"", "number   ");
        check("'é' x", "     x");
        check("\"never closed", "             ");
        check("a\n\"b\nc\"\nd", "a\n  \n  \nd");
    }

    #[test]
    fn words_stand_alone() {
        for (text, word, expect) in [
            ("use rusqlite::x", "rusqlite", true),
            ("my_rusqlite", "rusqlite", false),
            ("rusqlites", "rusqlite", false),
            ("rusqlite", "rusqlite", true),
        ] {
            let at = text.find(word).expect("there");
            assert_eq!(is_word(text, at, word.len()), expect, "{text}");
        }
    }
}
