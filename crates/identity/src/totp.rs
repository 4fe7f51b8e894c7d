//! One-time passwords of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226) with SHA-1, six digits, thirty seconds,
//! the only form that every app knows. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha1::Sha1;

/// Seconds that one code is for.
const STEP: i64 = 30;
/// How many steps the clocks may be apart.
const DRIFT: i64 = 1;
/// The alphabet of base32 (RFC 4648 §6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step whose code was given, among the present one and its neighbours; those up to `after` are used up.
pub(crate) fn step_of(secret: &[u8], code: &str, now: i64, after: Option<i64>) -> Option<i64> {
    let present = now.div_euclid(STEP);
    let mut found = None;
    // Every step is worked out whatever is found, so that the time tells nothing.
    for step in present - DRIFT..=present + DRIFT {
        if same(&code_at(secret, step), code) && after.is_none_or(|used| step > used) {
            found = Some(step);
        }
    }
    found
}

/// The code of a step (RFC 4226 §5.3).
fn code_at(secret: &[u8], step: i64) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
    let mac = Hmac::<Sha1>::new_from_slice(secret).expect("any length");
    let hash = mac.chain_update(step.to_be_bytes()).finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// Compares without telling by its time where two texts differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .fold(0, |differ, (a, b)| differ | (a ^ b))
            == 0
}

/// Base32 without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// Reads base32, as people copy it: in any case, with spaces, with padding or without.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for character in text.trim_end_matches('=').bytes().filter(|byte| *byte != b' ') {
        let letter = character.to_ascii_uppercase();
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        held = (held << 5 | u32::try_from(value).ok()?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// The code that an authenticator app shows for a secret in base32; `None` for what is no base32.
#[must_use]
pub fn one_time_password(secret: &str, now: Timestamp) -> Option<String> {
    Some(code_at(&decode(secret)?, now.as_second().div_euclid(STEP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(secret: &[u8], now: i64) -> String {
        one_time_password(&encode(secret), Timestamp::from_second(now).unwrap()).unwrap()
    }

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(shown(secret, now), code);
            assert_eq!(step_of(secret, code, now, None), Some(now / 30));
        }
    }

    #[test]
    fn a_code_counts_one_step_early_or_late_and_once() {
        let secret = b"12345678901234567890";
        let now = 1_234_567_890;
        let check = |apart: i64, after: Option<i64>, expect: bool| {
            let code = shown(secret, now + apart);
            assert_eq!(
                step_of(secret, &code, now, after).is_some(),
                expect,
                "{apart} {after:?}"
            );
        };
        check(0, None, true);
        check(30, None, true);
        check(-30, None, true);
        check(60, None, false);
        check(-60, None, false);
        let step = now / 30;
        check(0, Some(step), false);
        check(0, Some(step - 1), true);
        check(-30, Some(step), false);
        check(30, Some(step), true);
        for wrong in ["", "00592", "0059245", "abcdef", "００５９２４"] {
            assert_eq!(step_of(secret, wrong, now, None), None, "{wrong}");
        }
    }

    /// RFC 4648 §10.
    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decode("mzxw 6ytb oi======").as_deref(), Some(&b"foobar"[..]));
        assert_eq!(decode("MZXW1"), None);
        assert_eq!(decode("é"), None);
    }
}
