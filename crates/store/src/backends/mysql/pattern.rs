//! Case folding without a function of the server's: a piece of text becomes a pattern that matches every text which
//! folds to it, by what `folding::fold` makes of each character. Characters that fold to several are written out in the
//! text before it is searched.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use loggia_model::filter::Place;

use crate::folding::fold;

/// What is searched for, and how the text must be written for it.
pub(super) struct Pattern {
    /// A regular expression as PCRE and ICU both read it.
    pub(super) expression: String,
    /// Characters that are to be replaced, and by what.
    pub(super) replaced: Vec<(char, &'static str)>,
}

/// Characters with case.
struct Cased {
    /// By the one character that they fold to.
    single: HashMap<char, Vec<char>>,
    /// Those that fold to several; with ASCII among these, and without.
    several: [Vec<(char, String)>; 2],
}

/// No character above has case: there are no letters but those of Chinese.
const LAST_CASED: char = '\u{1FFFF}';

static CASED: LazyLock<Cased> = LazyLock::new(|| {
    let mut cased = Cased {
        single: HashMap::new(),
        several: [Vec::new(), Vec::new()],
    };
    for character in '\0'..=LAST_CASED {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes);
        let folded = fold(text);
        if folded == *text {
            continue;
        }
        let mut characters = folded.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) => cased.single.entry(only).or_default().push(character),
            _ => {
                let plain = !folded.contains(|c: char| c.is_ascii());
                cased.several[usize::from(plain)].push((character, folded.into_owned()));
            }
        }
    }
    cased
});

/// The pattern of a piece at a place, in any case.
pub(super) fn of(piece: &str, at: Place) -> Pattern {
    let folded = fold(piece);
    let mut expression = String::with_capacity(folded.len() * 4 + 4);
    if matches!(at, Place::Start | Place::Whole) {
        expression.push_str("\\A");
    }
    for character in folded.chars() {
        match CASED.single.get(&character) {
            None => literal(&mut expression, character),
            Some(others) => {
                expression.push('[');
                literal(&mut expression, character);
                for other in others {
                    literal(&mut expression, *other);
                }
                expression.push(']');
            }
        }
    }
    if matches!(at, Place::End | Place::Whole) {
        expression.push_str("\\z");
    }
    // All of a sort or none, so that there are few different statements.
    let concerns = |list: &&Vec<(char, String)>| {
        list.iter()
            .any(|(_, several)| several.chars().any(|character| folded.contains(character)))
    };
    let replaced = CASED
        .several
        .iter()
        .filter(concerns)
        .flatten()
        .map(|(character, several)| (*character, several.as_str()))
        .collect();
    Pattern { expression, replaced }
}

fn literal(expression: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        expression.push(character);
    } else {
        // Writing to a String does not fail.
        let _ = write!(expression, "\\x{{{:X}}}", u32::from(character));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_every_case() {
        let pattern = of("aß.", Place::Start);
        assert_eq!(pattern.expression, "\\A[aA][sS\\x{17F}][sS\\x{17F}]\\x{2E}");
        assert!(pattern.replaced.contains(&('ß', "ss")));
        assert!(of("12", Place::Whole).replaced.is_empty());
        assert_eq!(of("k", Place::End).expression, "[kK\\x{212A}]\\z");
    }

    #[test]
    fn what_is_folded_stays_so() {
        for character in '\0'..=LAST_CASED {
            let folded = fold(character.encode_utf8(&mut [0; 4])).into_owned();
            assert_eq!(fold(&folded), folded, "{character}");
        }
    }
}
