//! Secrets in memory and their fingerprints at rest.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_model::Generator;
use sha2::{Digest as _, Sha256};

/// A password or token. Neither its `Debug` nor anything else but [`Secret::reveal`] gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that somebody sent or configured.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// 32 unpredictable bytes in 43 characters of `A–Z a–z 0–9 - _`.
    #[must_use]
    pub fn generate(generator: &Generator) -> Self {
        Self(URL_SAFE_NO_PAD.encode(generator.bytes::<32>()))
    }

    /// The secret itself, for the one who is to have it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// See [`fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The form in which tokens are stored and looked up: SHA-256 (FIPS 180-4) in 64 lower-case hexadecimal digits. Not for
/// passwords, which people choose and others guess.
#[must_use]
pub fn fingerprint(token: &str) -> String {
    digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a token: the key of caches.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::generate(&Generator::seeded(1));
        assert_eq!(secret.reveal().len(), 43);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_ne!(secret, Secret::generate(&Generator::seeded(2)));
    }

    #[test]
    fn fingerprints_are_sha_256() {
        assert_eq!(
            fingerprint("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
