//! Case folding: what makes two texts the same where case does not matter. Databases that do it in statements of their
//! own must agree with it.

use std::borrow::Cow;

/// Folds case in every script (near to Unicode's full case folding): ß is ss, final sigma is sigma.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    let folded = text
        .chars()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase);
    Cow::Owned(folded.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_in_every_script() {
        let check = |left: &str, right: &str| assert_eq!(fold(left), fold(right), "{left} {right}");
        check("STRASSE", "straße");
        check("ΟΔΟΣ", "οδος");
        check("ÄÖÜ", "äöü");
        check("Привет", "ПРИВЕТ");
        check("plain", "PLAIN");
        assert_ne!(fold("a"), fold("ä"));
    }
}
