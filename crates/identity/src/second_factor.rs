//! Second factors: one-time passwords of an authenticator app, on top of the password.
//!
//! A secret is set up in two steps: it is made for somebody who shows the password, and stored when a code of it comes
//! back. Of what was made and not confirmed the fingerprint is stored, with what is remembered of the user, so that another
//! node can confirm it; and which code was used last.

use loggia_access::Caller;
use loggia_model::error::{FORBIDDEN, INVALID_OTP, INVALID_PAYLOAD};
use loggia_model::{Problem, Scalar};

use loggia_journal::Recorder;

use crate::account::RequestFacts;
use crate::attempts::{Attempt, Place};
use crate::tables::{Event, SignInRow};
use crate::{Error, Identity, Secret, totp};

/// What is done with a second factor, and what the change is for.
const ENABLE: (&str, &str) = ("tfa_enable", "A second factor is set up");
const DISABLE: (&str, &str) = ("tfa_disable", "A second factor is taken away");

/// A secret to be confirmed.
#[derive(Clone, Debug)]
pub struct NewFactor {
    /// The secret in base32, for those who type it.
    pub secret: Secret,
    /// The address that authenticator apps read from a picture.
    pub url: Secret,
}

impl Identity {
    /// Makes a secret for a user who shows the password. It counts once it is confirmed.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS` for a wrong password, `INVALID_PAYLOAD` where a second factor is set up already.
    pub async fn make_factor(&self, caller: &Caller, password: &Secret) -> Result<NewFactor, Error> {
        let house = &self.0;
        let row = self.own_row(caller).await?;
        self.check_own_password(caller, &row, password).await?;
        if row.tfa_secret.is_some() {
            return Err(set_up_already().into());
        }
        let secret = Secret::new(totp::encode(&house.generator.bytes::<20>()));
        let mut tx = house.journal.begin_unread(caller).await?;
        let mut memory = house.tables.memory(&mut tx, &row.id).await?;
        memory.made(secret.fingerprint(), house.clock.now());
        house.tables.remember(&mut tx, &row.id, &memory).await?;
        tx.commit().await?;
        let project = house.tables.settings(&house.store).await?.project;
        let (issuer, label) = (
            encoded(&project),
            encoded(row.email.as_deref().unwrap_or(&row.id)),
        );
        let url = format!(
            "otpauth://totp/{issuer}:{label}?secret={}&issuer={issuer}",
            secret.reveal()
        );
        Ok(NewFactor {
            secret,
            url: Secret::new(url),
        })
    }

    /// Sets up the second factor that was made: the code shows that the app has it.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` for a secret that was not made for the user in the last quarter of an hour, or where a second
    /// factor is set up already; `INVALID_OTP` for a wrong code.
    pub async fn set_up_factor(&self, caller: &Caller, secret: &Secret, code: &str) -> Result<(), Error> {
        let house = &self.0;
        let now = house.clock.now();
        let row = self.own_row(caller).await?;
        if row.tfa_secret.is_some() {
            return Err(set_up_already().into());
        }
        let memory = house.tables.memory_of(&house.store, &row.id).await?;
        if !memory.was_made(&secret.fingerprint(), now) {
            return Err(Problem::new(
                &INVALID_PAYLOAD,
                "This secret was not made for you, or waited too long.",
            )
            .at("secret")
            .hint("Make one (POST /users/me/tfa/generate) and confirm it within a quarter of an hour.")
            .into());
        }
        let proof = (secret.reveal(), code);
        self.change_factor(&row, secret.reveal().into(), Some(proof), caller)
            .await
    }

    /// Takes the caller's second factor away.
    ///
    /// # Errors
    /// `INVALID_OTP` for a wrong code; `INVALID_PAYLOAD` where none is set up.
    pub async fn remove_factor(&self, caller: &Caller, code: &str) -> Result<(), Error> {
        let row = self.own_row(caller).await?;
        let Some(secret) = row.tfa_secret.clone() else {
            return Err(Problem::new(&INVALID_PAYLOAD, "No second factor is set up.").into());
        };
        self.change_factor(&row, Scalar::Null, Some((&secret, code)), caller)
            .await
    }

    /// Takes a user's second factor away, for somebody who lost the app. For administrators who ask themselves.
    ///
    /// # Errors
    /// `FORBIDDEN` for everybody else, for access tokens, and where there is no such user.
    pub async fn remove_factor_of(&self, caller: &Caller, user: &str) -> Result<(), Error> {
        let house = &self.0;
        if !caller.is_admin() {
            return Err(Problem::forbidden().into());
        }
        if caller.is_delegated() {
            return Err(left_to_people().into());
        }
        let row = house
            .tables
            .sign_in_row_of(&house.store, user)
            .await?
            .ok_or_else(Problem::forbidden)?;
        self.change_factor(&row, Scalar::Null, None, caller).await
    }

    /// Puts a secret in place of another, or takes it away, for who has shown a code of it. Whoever came by a password
    /// alone has to come again with a code, but for the caller.
    async fn change_factor(
        &self,
        row: &SignInRow,
        to: Scalar,
        proof: Option<(&str, &str)>,
        caller: &Caller,
    ) -> Result<(), Error> {
        let house = &self.0;
        let (facts, now) = (facts_of(caller), house.clock.now());
        let attempt = match proof {
            Some(_) => Some(self.begin_own_attempt(row).await?),
            None => None,
        };
        let (action, title) = if to.is_null() { DISABLE } else { ENABLE };
        let mut tx = house.journal.begin_unread(caller).await?;
        tx.entitle(title);
        if let (Some((secret, code)), Some(attempt)) = (proof, attempt) {
            let mut memory = house.tables.memory(&mut tx, &row.id).await?;
            if !memory.use_up(secret, code, now) {
                drop(tx);
                self.refused(attempt, Some(row), &facts).await?;
                return Err(wrong_code().into());
            }
            attempt.succeeded();
            memory.forget_factor();
            house.tables.remember(&mut tx, &row.id, &memory).await?;
        }
        if !to.is_null() {
            self.end_others(&mut tx, &row.id, caller).await?;
        }
        let values = [("tfa_secret", to)];
        house
            .tables
            .update(&mut tx, &house.tables.users, ("id", &row.id), &values)
            .await?;
        let event = Event {
            action,
            by: caller.user(),
            user: Some(&row.id),
        };
        house.tables.record(&mut tx, event, &facts, now).await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(())
    }

    /// Ends the sessions of a user that are not the caller's.
    async fn end_others(&self, tx: &mut Recorder, user: &str, caller: &Caller) -> Result<(), Error> {
        let tables = &self.0.tables;
        let session = match &caller.claims().session {
            Some(session) => tables.session_in(tx, session).await?,
            None => None,
        };
        match session.and_then(|session| session.line) {
            Some(line) => tables.delete_other_sessions_of(tx, user, &line).await,
            None => tables.delete_sessions_of(tx, user).await,
        }
    }

    /// The row of a caller who signed in, or shows the static token. Access tokens have no say in how to sign in.
    async fn own_row(&self, caller: &Caller) -> Result<SignInRow, Error> {
        let house = &self.0;
        let user = caller.user().ok_or_else(Problem::forbidden)?;
        if caller.is_delegated() {
            return Err(left_to_people().into());
        }
        let row = house.tables.sign_in_row_of(&house.store, user).await?;
        Ok(row.ok_or_else(Problem::forbidden)?)
    }

    async fn check_own_password(
        &self,
        caller: &Caller,
        row: &SignInRow,
        password: &Secret,
    ) -> Result<(), Error> {
        let attempt = self.begin_own_attempt(row).await?;
        if self.0.passwords.verify(password, row.password.clone()).await? {
            attempt.succeeded();
            return Ok(());
        }
        self.refused(attempt, Some(row), &facts_of(caller)).await?;
        Err(Error::wrong())
    }

    /// Begins a try of somebody who is signed in: they all count together, wherever they come from.
    async fn begin_own_attempt(&self, row: &SignInRow) -> Result<Attempt, Error> {
        let house = &self.0;
        let account = row.email.as_deref().unwrap_or(&row.id);
        let limit = house.tables.settings(&house.store).await?.attempts;
        let now = house.clock.now();
        Ok(house.attempts.begin(account, Place::SignedIn, true, limit, now)?)
    }
}

/// The answer to a one-time password that is wrong, or was used already.
pub(crate) fn wrong_code() -> Problem {
    Problem::new(&INVALID_OTP, "The one-time password is wrong.")
        .at("otp")
        .hint("Send the six digits that the authenticator app shows now; each of them works once.")
}

/// The answer to a sign-in without the one-time password that it needs.
pub(crate) fn missing_code() -> Problem {
    Problem::new(&INVALID_OTP, "This account needs a one-time password.")
        .at("otp")
        .hint("Send \"otp\": the six digits that the authenticator app shows.")
}

/// The answer to everything that a user without the demanded second factor asks for.
pub(crate) fn demanded() -> Problem {
    Problem::new(&FORBIDDEN, "A second factor is demanded of this account, and none is set up.").hint(
        "Set it up: POST /users/me/tfa/generate with your password, then POST /users/me/tfa/enable with the secret and \
         a one-time password.",
    )
}

/// The answer to access tokens.
fn left_to_people() -> Problem {
    Problem::new(&FORBIDDEN, "Access tokens cannot change how users sign in.")
        .hint("Do it signed in (POST /auth/login).")
}

fn set_up_already() -> Problem {
    Problem::new(&INVALID_PAYLOAD, "A second factor is set up already.")
        .hint("Take it away first (POST /users/me/tfa/disable).")
}

/// What a request brought, of what is known of its caller.
pub(crate) fn facts_of(caller: &Caller) -> RequestFacts {
    let claims = caller.claims();
    RequestFacts {
        origin: claims.origin,
        ip: claims.ip,
        user_agent: claims.user_agent.clone(),
        attribution: caller.attribution().clone(),
    }
}

/// Percent-encoding (RFC 3986 §2.1) of everything that is not unreserved.
fn encoded(text: &str) -> String {
    let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| {
            if unreserved(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_encoded() {
        assert_eq!(encoded("Ada & Söhne"), "Ada%20%26%20S%C3%B6hne");
        assert_eq!(encoded("a-b_c.d~e"), "a-b_c.d~e");
    }
}
