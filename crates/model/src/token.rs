//! What an access token looks like: `lgt_`, forty random letters and digits, and six more by which a slip of the pen
//! (or a scanner for leaked secrets) can tell that it is one.

use crate::Generator;

/// What every access token begins with.
pub const PREFIX: &str = "lgt_";
/// How many characters of a token may be shown, to tell it by; far too few to guess the rest.
pub const SHOWN: usize = 12;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 40;
const CHECK: usize = 6;

/// A new token: 238 bits of randomness.
#[must_use]
pub fn generate(generator: &Generator) -> String {
    let mut token = String::with_capacity(PREFIX.len() + RANDOM + CHECK);
    token.push_str(PREFIX);
    while token.len() < PREFIX.len() + RANDOM {
        let letters = generator.bytes::<RANDOM>().into_iter().filter_map(letter);
        for letter in letters.take(PREFIX.len() + RANDOM - token.len()) {
            token.push(letter);
        }
    }
    let check = check(&token);
    token.push_str(&check);
    token
}

/// Whether a text has the shape of an access token, its check included: nothing else is worth looking up.
#[must_use]
pub fn has_shape(text: &str) -> bool {
    text.len() == PREFIX.len() + RANDOM + CHECK
        && text.is_ascii()
        && text.starts_with(PREFIX)
        && text[PREFIX.len() + RANDOM..] == check(&text[..PREFIX.len() + RANDOM])
}

/// Every letter as likely as any other: bytes that would favour some are not taken.
fn letter(byte: u8) -> Option<char> {
    let fair = usize::from(byte) < ALPHABET.len() * 4;
    fair.then(|| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
}

/// The CRC-32 (ISO 3309) of a text in six letters and digits.
fn check(text: &str) -> String {
    let mut rest = crc32(text.as_bytes()) as usize;
    let mut letters = [b'0'; CHECK];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    letters.into_iter().map(char::from).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let carry = crc & 1;
            (crc >> 1) ^ (0xEDB8_8320 * carry)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_told_from_other_text() {
        let generator = Generator::seeded(1);
        let (one, two) = (generate(&generator), generate(&generator));
        assert_ne!(one, two);
        assert_eq!(one.len(), 50);
        assert!(has_shape(&one) && has_shape(&two));
        let mut slip = one.clone().into_bytes();
        slip[20] = if slip[20] == b'a' { b'b' } else { b'a' };
        let slip = String::from_utf8(slip).unwrap();
        for other in [
            slip.as_str(),
            "",
            "lgt_",
            &one[..49],
            "a-static-token",
            &one.replace("lgt_", "xyz_"),
        ] {
            assert!(!has_shape(other), "{other}");
        }
        assert!(!has_shape(&"é".repeat(25)));
    }

    #[test]
    fn the_check_is_the_one_of_iso_3309() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn every_letter_is_as_likely() {
        let fair: Vec<_> = (0..=u8::MAX).filter_map(letter).collect();
        for wanted in ALPHABET {
            let count = fair
                .iter()
                .filter(|letter| **letter == char::from(*wanted))
                .count();
            assert_eq!(count, 4);
        }
    }
}
