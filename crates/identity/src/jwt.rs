//! Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256 (`HS256`, RFC 7518 §3.2), and nothing else: a
//! token that names another algorithm is not one of ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::Secret;

/// Who issues: part of every token, and demanded of every token.
pub(crate) const ISSUER: &str = "loggia";

/// `{"alg":"HS256","typ":"JWT"}` in base64url.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// The longest token that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    /// The key of the user.
    pub(crate) id: String,
    /// The key of the user's role, for clients; rights are looked up afresh.
    pub(crate) role: Option<String>,
    /// For clients.
    pub(crate) app_access: bool,
    /// For clients.
    pub(crate) admin_access: bool,
    /// The fingerprint that the session is stored under; the token dies with it.
    pub(crate) session: String,
    /// Whether the token is the session's cookie.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cookie: bool,
    /// Of a session's cookie: the line of sessions that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<String>,
    /// Issued at, in seconds since the epoch.
    pub(crate) iat: i64,
    /// Expires at, in seconds since the epoch.
    pub(crate) exp: i64,
    /// Issued by.
    pub(crate) iss: String,
    /// Distinguishes tokens of one session and second.
    pub(crate) jti: String,
}

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// Not signed by us, or not understood.
    Invalid,
    /// Ours, and too old.
    Expired,
}

/// The key that signs and verifies.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Keys of any length will do for HMAC; `serve` demands 32 bytes.
    pub(crate) fn new(secret: &Secret) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
        let mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("any length");
        Self(mac)
    }

    /// Signs.
    pub(crate) fn sign(&self, claims: &AccessClaims) -> Secret {
        let payload = serde_json::to_vec(claims).unwrap_or_default();
        let mut token = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(payload));
        let mac = self.0.clone().chain_update(token.as_bytes()).finalize();
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(mac.into_bytes()));
        Secret::new(token)
    }

    /// Verifies signature (in constant time), issuer and expiry.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, Rejected> {
        let claims = self.read(token).ok_or(Rejected::Invalid)?;
        if now.as_second() >= claims.exp {
            return Err(Rejected::Expired);
        }
        Ok(claims)
    }

    fn read(&self, token: &str) -> Option<AccessClaims> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if header != HEADER {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.0
            .clone()
            .chain_update(signed.as_bytes())
            .verify_slice(&signature)
            .ok()?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: AccessClaims = serde_json::from_slice(&payload).ok()?;
        (claims.iss == ISSUER).then_some(claims)
    }
}

/// Whether a token has the shape of a JSON Web Token, as opposed to a static one.
pub(crate) fn looks_like(token: &str) -> bool {
    token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> AccessClaims {
        AccessClaims {
            id: "u".into(),
            role: None,
            app_access: true,
            admin_access: false,
            session: "s".into(),
            cookie: false,
            line: None,
            iat: 1_000,
            exp: 1_900,
            iss: ISSUER.into(),
            jti: "j".into(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_header_is_the_constant() {
        assert_eq!(
            URL_SAFE_NO_PAD.decode(HEADER).unwrap(),
            br#"{"alg":"HS256","typ":"JWT"}"#
        );
    }

    #[test]
    fn what_was_signed_is_read_until_it_expires() {
        let signer = Signer::new(&Secret::new("k"));
        let token = signer.sign(&claims());
        assert!(looks_like(token.reveal()));
        assert_eq!(signer.verify(token.reveal(), at(1_899)), Ok(claims()));
        assert_eq!(signer.verify(token.reveal(), at(1_900)), Err(Rejected::Expired));
    }

    #[test]
    fn forged_tokens_are_refused() {
        let signer = Signer::new(&Secret::new("k"));
        let good = signer.sign(&claims()).reveal().to_owned();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
        let payload = signed.split_once('.').unwrap().1;
        let foreign = AccessClaims {
            iss: "directus".into(),
            ..claims()
        };
        for token in [
            String::new(),
            "a.b.c".into(),
            signed.into(),
            format!("{signed}."),
            format!("{none}.{payload}."),
            format!("{none}.{payload}.{signature}"),
            format!("{signed}.{}", signature.to_lowercase()),
            format!("{good}."),
            Signer::new(&Secret::new("other"))
                .sign(&claims())
                .reveal()
                .to_owned(),
            signer.sign(&foreign).reveal().to_owned(),
            format!("{HEADER}.{}.{signature}", "A".repeat(MAX_LENGTH)),
        ] {
            assert_eq!(
                signer.verify(&token, at(1_500)),
                Err(Rejected::Invalid),
                "{token}"
            );
        }
    }
}
