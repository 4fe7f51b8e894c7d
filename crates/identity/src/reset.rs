//! A new password for somebody who forgot theirs: a link by mail, good for an hour and for one use.
//!
//! The token in the link is signed over the hash of the password as it is, and the address that it is sent to: once one of
//! them changes, by this link or in any other way, every link that was sent is void. Nothing of it is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use loggia_model::error::{INVALID_TOKEN, REQUESTS_EXCEEDED, TOKEN_EXPIRED};
use loggia_model::{Problem, Scalar};
use sha2::Sha256;

use crate::account::{Account, RequestFacts};
use crate::attempts::Place;
use crate::mail::Mail;
use crate::network::place;
use crate::tables::{Event, SignInRow};
use crate::{Error, Identity, Secret};

/// How long a link is good for.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Letters that are being sent at the same time.
pub(crate) const LETTERS_AT_ONCE: usize = 8;
/// Letters that wait for that, at most; more are dropped.
pub(crate) const MOST_WAITING: usize = 1_000;
/// Requests for one account in an hour.
pub(crate) const FOR_AN_ACCOUNT: u32 = 3;
/// Requests from one network in an hour.
pub(crate) const FROM_A_NETWORK: u32 = 20;

/// Signs and reads the tokens of links, with a key of its own: they are good for nothing else, and nothing else for them.
#[derive(Clone)]
pub(crate) struct Links(Hmac<Sha256>);

impl Links {
    pub(crate) fn new(secret: &Secret) -> Self {
        let key = keyed(secret.reveal().as_bytes())
            .chain_update(b"loggia: links to a new password")
            .finalize()
            .into_bytes();
        Self(keyed(&key))
    }

    /// `<user>.<seconds>.<signature>` in base64url.
    fn token(&self, row: &SignInRow, until: Timestamp) -> Secret {
        let what = format!("{}.{}", row.id, until.as_second());
        let signature = self.mac(&what, row).finalize().into_bytes();
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Secret::new(URL_SAFE_NO_PAD.encode(format!("{what}.{signature}")))
    }

    fn mac(&self, what: &str, row: &SignInRow) -> Hmac<Sha256> {
        let states = [&row.password, &row.email].map(|state| state.as_deref().unwrap_or_default());
        let mac = self.0.clone().chain_update(what.as_bytes());
        states.into_iter().fold(mac, |mac, state| {
            mac.chain_update([0]).chain_update(state.as_bytes())
        })
    }

    /// Whether a token was signed by us for an account as it is.
    fn is_good(&self, token: &Token, row: &SignInRow) -> bool {
        self.mac(&token.what, row).verify_slice(&token.signature).is_ok()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
    Hmac::<Sha256>::new_from_slice(key).expect("any length")
}

/// What a token says; not to be believed before its signature was checked.
struct Token {
    what: String,
    user: String,
    until: Timestamp,
    signature: Vec<u8>,
}

impl Token {
    fn read(text: &str) -> Option<Self> {
        let bytes = (text.len() <= 1_024)
            .then(|| URL_SAFE_NO_PAD.decode(text).ok())
            .flatten()?;
        let text = String::from_utf8(bytes).ok()?;
        let (what, signature) = text.rsplit_once('.')?;
        let (user, until) = what.rsplit_once('.')?;
        Some(Self {
            user: user.to_owned(),
            until: Timestamp::from_second(until.parse().ok()?).ok()?,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            what: what.to_owned(),
        })
    }
}

impl Identity {
    /// Sends a link to choose a new password, if there is an active user with this address. Nobody learns whether there
    /// is: everything that depends on it happens after the answer.
    ///
    /// `page` is where the link leads; the token is added to it.
    ///
    /// # Errors
    /// `REQUESTS_EXCEEDED` when too many were asked for, for this address or from this place.
    pub fn request_password(&self, email: &str, page: &str, facts: &RequestFacts) -> Result<(), Problem> {
        let house = &self.0;
        let now = house.clock.now();
        let fine = house.reset_places.admit(&place(facts.ip), now)
            && house.reset_accounts.admit(&email.to_lowercase(), now);
        if !fine {
            let problem = Problem::new(&REQUESTS_EXCEEDED, "Too many requests for a new password.");
            return Err(problem.hint("Try again in an hour.").with("retry_after", 3600));
        }
        let (identity, email, page, facts) = (self.clone(), email.to_owned(), page.to_owned(), facts.clone());
        let Ok(waiting) = house.letters_waiting.clone().try_acquire_owned() else {
            tracing::error!("too many letters at once: one about a new password was not sent");
            return Ok(());
        };
        tokio::spawn(async move {
            let turn = identity.0.letters.clone().acquire_owned().await;
            drop(waiting);
            if let Err(error) = identity.send_link(&email, &page, &facts, now).await {
                tracing::error!(%error, "a letter about a new password was not sent");
            }
            drop(turn);
        });
        Ok(())
    }

    async fn send_link(
        &self,
        email: &str,
        page: &str,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Result<(), Error> {
        let house = &self.0;
        let Some(row) = house.tables.sign_in_row(&house.store, email).await? else {
            return Ok(());
        };
        let (Some(to), Some(_)) = (row.email.clone(), self.active(&row).await?) else {
            return Ok(());
        };
        if house.refusals.admit(now) {
            let event = Event {
                action: "password_request",
                by: None,
                user: Some(&row.id),
            };
            let mut tx = self.begin(&Account::default(), facts).await?;
            house.tables.record(&mut tx, event, facts, now).await?;
            tx.commit().await?;
        }
        let until = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let token = house.links.token(&row, until);
        let project = house.tables.settings(&house.store).await?.project;
        let project: String = project
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        let joint = if page.contains('?') { '&' } else { '?' };
        let text = format!(
            "Somebody, hopefully you, asked for a new password for the account {to} at {project}.\n\nChoose it here, within \
             an hour:\n\n{page}{joint}token={}\n\nIf it was not you, there is nothing to do: the password stays as it is.\n",
            token.reveal()
        );
        let subject = format!("{project}: choose a new password");
        let sent = house.mailer.send(Mail { to, subject, text }).await;
        sent.map_err(Error::Mail)
    }

    /// Gives the user of a link another password; all sessions of the user end, and all links are void.
    ///
    /// # Errors
    /// `INVALID_TOKEN` for a token that is not ours or was used, `TOKEN_EXPIRED` for one that is too old, `USER_SUSPENDED`,
    /// and the problems of [`crate::password::judge`].
    pub async fn reset_password(
        &self,
        token: &Secret,
        new: &Secret,
        facts: &RequestFacts,
    ) -> Result<(), Error> {
        let house = &self.0;
        let now = house.clock.now();
        let token = Token::read(token.reveal()).ok_or_else(void)?;
        let row = house
            .tables
            .sign_in_row_of(&house.store, &token.user)
            .await?
            .ok_or_else(void)?;
        self.check_link(&token, &row, now)?;
        let account = self.active(&row).await?.ok_or_else(Error::suspended)?;
        let hash = self.checked_hash(new).await?;
        let mut tx = self.begin(&account, facts).await?;
        tx.entitle("Another password, by mail");
        // Somebody may have used the link meanwhile.
        let row = house
            .tables
            .sign_in_row_in(&mut tx, &token.user)
            .await?
            .ok_or_else(void)?;
        self.check_link(&token, &row, now)?;
        let values = [("password", Scalar::from(hash))];
        house
            .tables
            .update(&mut tx, &house.tables.users, ("id", &row.id), &values)
            .await?;
        house.tables.delete_sessions_of(&mut tx, &row.id).await?;
        // Whoever knew the password before is a stranger from now on, and whoever reads the user's letters is none.
        let mut memory = house.tables.memory(&mut tx, &row.id).await?;
        memory.forget_networks();
        memory.came_from(facts.ip, now);
        house.tables.remember(&mut tx, &row.id, &memory).await?;
        let event = Event {
            action: "password_reset",
            by: Some(&row.id),
            user: Some(&row.id),
        };
        house.tables.record(&mut tx, event, facts, now).await?;
        tx.commit().await?;
        house.accounts.forget();
        let account = row.email.as_deref().unwrap_or(&row.id);
        house.attempts.forgive(account, Place::of(facts.ip));
        Ok(())
    }

    fn check_link(&self, token: &Token, row: &SignInRow, now: Timestamp) -> Result<(), Problem> {
        if !self.0.links.is_good(token, row) {
            return Err(void());
        }
        if now >= token.until {
            return Err(Problem::new(&TOKEN_EXPIRED, "This link is too old.")
                .at("token")
                .hint("Ask for another one (POST /auth/password/request)."));
        }
        Ok(())
    }

    async fn active(&self, row: &SignInRow) -> Result<Option<Account>, Error> {
        let house = &self.0;
        let (user, rights) = house.tables.rights(&house.store, Some(&row.id)).await?;
        Ok(user
            .map(|user| Account::of_user(&user, &rights))
            .filter(|account| account.active))
    }
}

/// The answer to a token that is nobody's, is not ours, or was used: it says nothing of which.
fn void() -> Problem {
    Problem::new(&INVALID_TOKEN, "This link is not valid, or was used already.")
        .at("token")
        .hint("Ask for another one (POST /auth/password/request).")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(password: Option<&str>, email: &str) -> SignInRow {
        SignInRow {
            id: "u".to_owned(),
            email: Some(email.to_owned()),
            password: password.map(str::to_owned),
            tfa_secret: None,
        }
    }

    #[test]
    fn a_token_is_bound_to_user_time_password_address_and_secret() {
        let links = Links::new(&Secret::new("one secret"));
        let until = Timestamp::from_second(1_800_000_000).unwrap();
        let account = row(Some("hash"), "a@x");
        let token = Token::read(links.token(&account, until).reveal()).unwrap();
        assert_eq!((token.user.as_str(), token.until), ("u", until));
        assert!(links.is_good(&token, &account));
        for other in [
            row(Some("another"), "a@x"),
            row(None, "a@x"),
            row(Some("hash"), "b@x"),
            row(Some("has"), "ha@x"),
        ] {
            assert!(!links.is_good(&token, &other));
        }
        assert!(!Links::new(&Secret::new("another secret")).is_good(&token, &account));
        for what in ["v.1800000000", "u.1800000001"] {
            let forged = Token {
                what: what.to_owned(),
                user: "u".to_owned(),
                until,
                signature: token.signature.clone(),
            };
            assert!(!links.is_good(&forged, &account), "{what}");
        }
        for nonsense in ["", "x", "e30", "dS4x", &"x".repeat(2_000)] {
            assert!(Token::read(nonsense).is_none(), "{nonsense}");
        }
    }
}
