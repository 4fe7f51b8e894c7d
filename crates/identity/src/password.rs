//! Passwords: argon2id (RFC 9106) at rest, hashed on blocking threads, a few at a time, in the same time whether the
//! account exists or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD;
use loggia_model::error::{FAILED_VALIDATION, SERVICE_UNAVAILABLE};
use loggia_model::{Generator, Problem};
use tokio::sync::Semaphore;

use crate::{Error, Secret};

/// The longest password, in bytes; more would only cost time.
pub const MAX_LENGTH: usize = 512;

/// How many wait for a hash at most, beyond those being worked out; further sign-ins are told to come back.
const MAX_WAITING: usize = 64;

/// How costly a guess is.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Hashes worked out at the same time.
    pub at_once: usize,
}

impl Default for Cost {
    /// 19 MiB and two passes, as OWASP recommends for argon2id; two at a time.
    fn default() -> Self {
        Self {
            memory: 19 * 1024,
            passes: 2,
            at_once: 2,
        }
    }
}

impl Cost {
    /// The least that the algorithm allows: for tests, never for people's passwords.
    #[must_use]
    pub fn least() -> Self {
        Self {
            memory: 8,
            passes: 1,
            at_once: 2,
        }
    }
}

/// Hashes and verifies.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    argon: Argon2<'static>,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    generator: Generator,
    /// Verified in place of the hash of an account that does not exist.
    decoy: Arc<str>,
    tried: Arc<AtomicU64>,
}

impl Passwords {
    pub(crate) fn new(cost: Cost, generator: Generator) -> Result<Self, Error> {
        let params =
            Params::new(cost.memory, cost.passes, 1, None).map_err(|error| Error::Hash(error.to_string()))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = decoy(cost, &generator);
        Ok(Self {
            argon,
            turns: Arc::new(Semaphore::new(cost.at_once.max(1))),
            queue: Arc::new(Semaphore::new(cost.at_once.max(1) + MAX_WAITING)),
            generator,
            decoy: decoy.into(),
            tried: Arc::default(),
        })
    }

    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Error> {
        let (argon, salt, password) = (self.argon.clone(), self.generator.bytes(), password.clone());
        self.on_a_blocking_thread(move || hash_with(&argon, &password, &salt))
            .await?
    }

    /// Whether the password is the one that was hashed. Without a hash the answer is no, after the same time.
    pub(crate) async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.as_ref().to_owned());
        let (argon, password) = (self.argon.clone(), password.clone());
        let matches = self
            .on_a_blocking_thread(move || {
                password.reveal().len() <= MAX_LENGTH
                    && PasswordHash::new(&hash)
                        .is_ok_and(|hash| argon.verify_password(password.reveal().as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(matches && known)
    }

    /// How often the work of a hash was done.
    pub(crate) fn tried(&self) -> u64 {
        self.tried.load(Ordering::Relaxed)
    }

    async fn on_a_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _place = self.queue.try_acquire().map_err(|_| Error::Problem(busy()))?;
        self.tried.fetch_add(1, Ordering::Relaxed);
        let turn = self.turns.clone().acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            // Held until the work is done, also when whoever asked for it has gone.
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| Error::Hash(error.to_string()))
    }
}

fn busy() -> Problem {
    Problem::new(&SERVICE_UNAVAILABLE, "Too many sign-ins at once.").hint("Try again in a second.")
}

/// What looks like the hash of a password and is random: no password is known to match it, and a password is tried on
/// it at the same cost. Nothing is worked out for it, so a start takes neither the time nor the memory of a hash.
fn decoy(cost: Cost, generator: &Generator) -> String {
    let (salt, output) = (generator.bytes::<16>(), generator.bytes::<32>());
    format!(
        "$argon2id$v=19$m={},t={},p=1${}${}",
        cost.memory,
        cost.passes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    )
}

fn hash_with(argon: &Argon2<'_>, password: &Secret, salt: &[u8; 16]) -> Result<String, Error> {
    argon
        .hash_password_with_salt(password.reveal().as_bytes(), salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Hash(error.to_string()))
}

/// The fewest characters of a password where the settings name no policy (NIST SP 800-63B §5.1.1.1).
const SHORTEST: usize = 8;

/// Judges a new password: its length, and the policy of the settings, a regular expression written `/…/` or `/…/i`.
///
/// # Errors
/// `FAILED_VALIDATION` on `password`. A policy that cannot be read refuses everything, and says so.
pub fn judge(password: &str, policy: Option<&str>) -> Result<(), Problem> {
    let refuse = |message: String, hint: &str| {
        Err(Problem::new(&FAILED_VALIDATION, message)
            .at("password")
            .hint(hint)
            .with("field", "password"))
    };
    if password.is_empty() {
        return refuse("The password is empty.".to_owned(), "Choose one.");
    }
    if password.len() > MAX_LENGTH {
        return refuse(
            format!("The password has more than {MAX_LENGTH} bytes."),
            "Choose a shorter one.",
        );
    }
    let Some(policy) = policy.filter(|policy| !policy.is_empty()) else {
        return match password.chars().count() {
            SHORTEST.. => Ok(()),
            _ => refuse(
                format!("The password has fewer than {SHORTEST} characters."),
                "Choose a longer one.",
            ),
        };
    };
    let matches = pattern(policy).and_then(|pattern| pattern.is_match(password).ok());
    match matches {
        Some(true) => Ok(()),
        Some(false) => refuse(
            "The password does not meet the password policy.".to_owned(),
            &format!("It must match {policy}."),
        ),
        None => refuse(
            "The password policy of the settings cannot be applied.".to_owned(),
            "Ask an administrator to correct auth_password_policy: a regular expression such as /^.{8,}$/.",
        ),
    }
}

/// Whether a password policy of the settings can be applied.
#[must_use]
pub fn is_password_policy(policy: &str) -> bool {
    policy.is_empty() || pattern(policy).is_some()
}

/// `/…/` with any of the flags i, m, s and u; or the bare expression. Look-around is allowed, its steps are bounded.
fn pattern(policy: &str) -> Option<fancy_regex::Regex> {
    let (expression, flags) = policy
        .strip_prefix('/')
        .and_then(|rest| rest.rsplit_once('/'))
        .unwrap_or((policy, ""));
    let mut builder = fancy_regex::RegexBuilder::new(expression);
    builder.backtrack_limit(100_000);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            'u' | 'g' => &mut builder,
            _ => return None,
        };
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_decoy_is_tried_like_a_hash_and_never_matches() {
        let passwords = Passwords::new(Cost::least(), Generator::seeded(1)).unwrap();
        let (decoy, hash) = (
            &*passwords.decoy,
            passwords.hash(&Secret::new("x")).await.unwrap(),
        );
        assert_eq!(decoy.len(), hash.len());
        assert_eq!(
            decoy.split_once("p=1$").unwrap().0,
            hash.split_once("p=1$").unwrap().0
        );
        assert!(PasswordHash::new(decoy).is_ok());
        assert!(
            !passwords
                .verify(&Secret::new("x"), Some(decoy.to_owned()))
                .await
                .unwrap()
        );
    }

    #[test]
    fn policies_are_applied() {
        let strong = "/(?=^.{8,}$)(?=.*\\d)(?=.*[a-z])(?=.*[A-Z])(?!.*\\s).*$/";
        let check = |password: &str, policy: Option<&str>, fine: bool| {
            assert_eq!(judge(password, policy).is_ok(), fine, "{password} {policy:?}");
        };
        check("1234567", None, false);
        check("12345678", None, true);
        check("12345678", Some(""), true);
        check("", None, false);
        check(&"x".repeat(MAX_LENGTH), None, true);
        check(&"x".repeat(MAX_LENGTH + 1), None, false);
        check("1234567", Some("/^.{8,}$/"), false);
        check("12345678", Some("/^.{8,}$/"), true);
        check("Passw0rd", Some(strong), true);
        check("password", Some(strong), false);
        check("Pass w0rd", Some(strong), false);
        check("ABC", Some("/^abc$/i"), true);
        check("ABC", Some("/^abc$/"), false);
        check("anything", Some("/(/"), false);
        check(&format!("{}!", "a".repeat(60)), Some("/^(a+)+$/"), false);
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(Cost::least(), Generator::seeded(1)).unwrap();
        let hash = passwords.hash(&Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        let verify = async |password: &str, hash: Option<&str>| {
            let hash = hash.map(str::to_owned);
            passwords.verify(&Secret::new(password), hash).await.unwrap()
        };
        assert!(verify("correct horse", Some(&hash)).await);
        assert!(!verify("wrong", Some(&hash)).await);
        assert!(!verify("correct horse", None).await);
        assert!(!verify("correct horse", Some("not a hash")).await);
        assert_ne!(hash, passwords.hash(&Secret::new("correct horse")).await.unwrap());
    }
}
