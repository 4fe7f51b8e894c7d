//! Text from a database on its way into a model's instructions.

/// Characters of a note, at most.
pub(crate) const NOTE: usize = 240;

/// The text on one line, without anything that a person would not see: control characters, zero-width and
/// direction-changing ones, Unicode tags. Cut to `room` characters with an ellipsis.
///
/// Notes and descriptions can be written by anyone who may change the schema; hidden characters in them are a way to
/// tell a model what its user does not see.
#[must_use]
pub fn plain(text: &str, room: usize) -> String {
    let mut plain = String::new();
    let (mut characters, mut gap) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = !plain.is_empty();
            continue;
        }
        if is_hidden(c) {
            continue;
        }
        if std::mem::take(&mut gap) {
            plain.push(' ');
            characters += 1;
        }
        plain.push(c);
        characters += 1;
        if characters > room {
            let cut: String = plain.chars().take(room.saturating_sub(1)).collect();
            return cut.trim_end().to_owned() + "…";
        }
    }
    plain
}

/// As [`plain`], with line breaks and tabs kept: for text that is itself an instruction, such as a custom prompt.
#[must_use]
pub(crate) fn plain_lines(text: &str, room: usize) -> String {
    let shown = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || is_hidden(*c));
    text.chars().filter(shown).take(room).collect()
}

/// Characters that take no room on the screen, or that change the order of others (Unicode 16, general category Cf and
/// default-ignorable code points that are not part of a script's spelling).
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_seen_remains() {
        let check =
            |given: &str, room: usize, expect: &str| assert_eq!(plain(given, room), expect, "{given:?}");
        check("A note.", 100, "A note.");
        check("  two\r\n\tlines \u{0}", 100, "two lines");
        check("zero\u{200b}width\u{feff}", 100, "zerowidth");
        check("right\u{202e}tfel", 100, "righttfel");
        check("\u{2066}isolated\u{2069}", 100, "isolated");
        check("tag\u{e0041}\u{e0042}", 100, "tag");
        check("soft\u{ad}hyphen", 100, "softhyphen");
        check("bell\u{7}, escape\u{1b}[31m", 100, "bell , escape [31m");
        check("Größe 漢字 🎉", 100, "Größe 漢字 🎉");
        check("abcdefgh", 5, "abcd…");
        check("ab cdefgh", 5, "ab c…");
        check("ab cde", 4, "ab…");
        check("abcde", 5, "abcde");
        check("", 5, "");
        check("\u{200b}", 5, "");
    }

    #[test]
    fn a_text_is_never_longer_than_its_room() {
        for room in 1..20 {
            for text in ["", "a", "a b c d e f g h i j k l", "abcdefghijklmnopqrstuvwxyz"] {
                assert!(plain(text, room).chars().count() <= room, "{text} {room}");
            }
        }
    }

    #[test]
    fn a_prompt_keeps_its_lines() {
        assert_eq!(
            plain_lines("# One\r\n\n\tTwo\u{200b}\u{1b}", 100),
            "# One\n\n\tTwo"
        );
        assert_eq!(plain_lines("abc", 2), "ab");
    }
}
