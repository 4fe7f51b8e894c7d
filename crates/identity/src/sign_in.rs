//! Signing in with e-mail address and password, refreshing, signing out.
//!
//! A session is a row of `directus_sessions` under the fingerprint of its refresh token. A refresh makes a new session;
//! the old one stays for as long as access tokens made from it may live, points to the new one, and cannot be refreshed
//! again. A refresh token that comes back after [`GRACE`] was stolen or kept: the whole line of sessions ends.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use loggia_access::Attribution;
use loggia_journal::Recorder;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Scalar};

use crate::account::{Account, RequestFacts};
use crate::jwt::{AccessClaims, ISSUER};
use crate::second_factor::{missing_code, wrong_code};
use crate::tables::{Event, SessionRow, SignInRow, clipped, moment, origin};
use crate::{Error, Identity, Secret};

/// How a client keeps what signing in gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Access and refresh token in the answer.
    Json,
    /// Access token in the answer, refresh token in a cookie.
    Cookie,
    /// One token for the whole session, in a cookie.
    Session,
}

impl Mode {
    /// By name.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` with the names there are.
    pub fn parse(name: &str) -> Result<Self, Problem> {
        match name {
            "json" => Ok(Self::Json),
            "cookie" => Ok(Self::Cookie),
            "session" => Ok(Self::Session),
            _ => Err(Problem::new(
                &INVALID_PAYLOAD,
                "\"mode\" must be one of [cookie, json, session].",
            )
            .at("mode")),
        }
    }
}

/// What signing in or refreshing gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token; with [`Mode::Session`] the value of the session cookie.
    pub access: Secret,
    /// The refresh token; none with [`Mode::Session`].
    pub refresh: Option<Secret>,
    /// How long the access token is good for.
    pub expires_in: SignedDuration,
}

/// What a client shows to refresh or to sign out.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A refresh token.
    Refresh(Secret),
    /// The value of the session cookie.
    Session(Secret),
}

/// Two refreshes at the same moment (two tabs) are no theft.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// Longer lines of sessions are not followed.
const MAX_LINE: usize = 1_000;

impl Identity {
    /// Signs in. `otp` is the one-time password of the second factor, where one is set up.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS` whether the account or the password is wrong, after the same time; `USER_SUSPENDED` when
    /// both are right and the user is not active; `INVALID_OTP` for a one-time password that is missing or wrong;
    /// `REQUESTS_EXCEEDED`.
    pub async fn login(
        &self,
        email: &str,
        password: &Secret,
        otp: Option<&str>,
        mode: Mode,
        facts: &RequestFacts,
    ) -> Result<Tokens, Error> {
        let house = &self.0;
        let now = house.clock.now();
        house.attempts.admit(email, facts.ip, now)?;
        let row = house.tables.sign_in_row(&house.store, email).await?;
        let hash = row.as_ref().and_then(|row| row.password.clone());
        let matches = house.passwords.verify(password, hash).await?;
        let Some(row) = row.as_ref().filter(|_| matches) else {
            self.failed(email, row.as_ref(), facts).await?;
            return Err(Error::wrong());
        };
        let (user, rights) = house.tables.rights(&house.store, Some(&row.id)).await?;
        let account = Account::of_user(&user.ok_or_else(Error::wrong)?, &rights);
        if !account.active {
            self.record_refusal(Some(row), facts).await?;
            return Err(Error::suspended());
        }
        match (&row.tfa_secret, otp) {
            (None, _) => {}
            // Clients ask without it first; that is no failed guess, and no success either.
            (Some(_), None) => return Err(missing_code().into()),
            (Some(secret), Some(code)) => {
                if !house.factors.use_up(&row.id, secret, code, now) {
                    self.failed(email, Some(row), facts).await?;
                    return Err(wrong_code().into());
                }
            }
        }
        house.attempts.succeeded(email, facts.ip);
        let mut tx = self.begin(&account, facts).await?;
        house.tables.delete_sessions_before(&mut tx, now).await?;
        let tokens = self
            .open_session(&mut tx, &account, mode, facts, now)
            .await?
            .tokens;
        let event = Event {
            action: "login",
            by: Some(&row.id),
            user: Some(&row.id),
        };
        house.tables.record(&mut tx, event, facts, now).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Counts and records a failed sign-in; at the limit of the settings the account is suspended.
    pub(crate) async fn failed(
        &self,
        account: &str,
        row: Option<&SignInRow>,
        facts: &RequestFacts,
    ) -> Result<(), Error> {
        let house = &self.0;
        let now = house.clock.now();
        let limit = house.tables.settings(&house.store).await?.attempts;
        tracing::warn!(ip = ?facts.ip, "failed sign-in");
        let reached = house.attempts.failed(account, facts.ip, limit, now);
        self.record_refusal(row, facts).await?;
        match row.filter(|row| reached && row.password.is_some()) {
            Some(row) => self.suspend(&row.id, facts, now).await,
            None => Ok(()),
        }
    }

    /// Writes a refused sign-in into the record of activity, as long as there are not too many of them.
    async fn record_refusal(&self, row: Option<&SignInRow>, facts: &RequestFacts) -> Result<(), Error> {
        let house = &self.0;
        let now = house.clock.now();
        if !house.refusals.admit(now) {
            return Ok(());
        }
        let event = Event {
            action: "login_failed",
            by: None,
            user: row.map(|row| row.id.as_str()),
        };
        let mut tx = self.begin(&Account::default(), facts).await?;
        house.tables.record(&mut tx, event, facts, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Suspends an account that is being guessed at, unless nobody would be left to activate it again.
    async fn suspend(&self, user: &str, facts: &RequestFacts, now: Timestamp) -> Result<(), Error> {
        let house = &self.0;
        if !self.other_administrator(user).await? {
            tracing::warn!(
                user,
                "too many failed sign-ins; not suspended, since no other administrator is active"
            );
            return Ok(());
        }
        // Whoever guesses is not told of the change.
        let attribution = Attribution {
            change: Arc::default(),
            ..facts.attribution.clone()
        };
        let untold = RequestFacts {
            attribution,
            ..facts.clone()
        };
        let mut tx = self.begin(&Account::default(), &untold).await?;
        tx.title = Some("Suspended after too many failed sign-ins".to_owned());
        let values = [("status", Scalar::from("suspended"))];
        house
            .tables
            .update(&mut tx, &house.tables.users, ("id", user), &values)
            .await?;
        house.tables.delete_sessions_of(&mut tx, user).await?;
        let event = Event {
            action: "suspend",
            by: None,
            user: Some(user),
        };
        house.tables.record(&mut tx, event, facts, now).await?;
        tx.commit().await?;
        house.accounts.forget();
        tracing::warn!(
            user,
            "suspended after too many failed sign-ins; an administrator can activate it again"
        );
        Ok(())
    }

    /// Gives new tokens for a refresh token or a session cookie, which are used up by it.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS` for one that is unknown, used up or expired, and for users that are not active.
    pub async fn refresh(&self, proof: &Proof, mode: Mode, facts: &RequestFacts) -> Result<Tokens, Error> {
        let house = &self.0;
        let now = house.clock.now();
        let key = self.session_key(proof, now)?;
        let row = house
            .tables
            .session(&house.store, &key)
            .await?
            .ok_or_else(Error::wrong)?;
        let account = self.active_account(Some(&row.user)).await?;
        let mut tx = self.begin(&account, facts).await?;
        let row = house.tables.session_in(&mut tx, &key).await?;
        let row = row.filter(|row| now < row.expires).ok_or_else(Error::wrong)?;
        if let Some(next) = row.next.clone() {
            return self
                .refresh_again(tx, &account, &key, &row, next, proof, now)
                .await;
        }
        let opened = self.open_session(&mut tx, &account, mode, facts, now).await?;
        let values = [
            ("next_token", Scalar::from(opened.key)),
            (
                "expires",
                moment(row.expires.min(self.after(now, self.leftover(proof)))),
            ),
        ];
        house
            .tables
            .update(&mut tx, &house.tables.sessions, ("token", &key), &values)
            .await?;
        tx.commit().await?;
        // A session's cookie lives shorter now.
        house.accounts.forget();
        Ok(opened.tokens)
    }

    /// A proof that was used up already.
    #[expect(clippy::too_many_arguments, reason = "the state of one refresh, half done")]
    async fn refresh_again(
        &self,
        mut tx: Recorder,
        account: &Account,
        key: &str,
        row: &SessionRow,
        next: String,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Tokens, Error> {
        let house = &self.0;
        if matches!(proof, Proof::Session(_)) {
            // The cookie of another tab that was not replaced yet: the same new session, as another cookie.
            let follower = house.tables.session_in(&mut tx, &next).await?;
            let follower = follower
                .filter(|row| now < row.expires)
                .ok_or_else(Error::wrong)?;
            let expires_in = follower.expires.duration_since(now);
            let access = self.access_token(account, &next, true, now, expires_in, None);
            return Ok(Tokens {
                access,
                refresh: None,
                expires_in,
            });
        }
        let used_at = row
            .expires
            .saturating_sub(house.options.access_ttl)
            .unwrap_or(now);
        if now.duration_since(used_at) > GRACE {
            tracing::warn!(
                user = account.user,
                "a used refresh token came back: its sessions end"
            );
            house.tables.delete_session(&mut tx, key).await?;
            self.end_line(&mut tx, Some(next)).await?;
            tx.commit().await?;
            house.accounts.forget();
        }
        Err(Error::wrong())
    }

    /// Ends a session. Access tokens of it stop working at once. A proof that is unknown is fine: it is signed out.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn logout(&self, proof: &Proof, facts: &RequestFacts) -> Result<(), Error> {
        let house = &self.0;
        let now = house.clock.now();
        let Ok(key) = self.session_key(proof, now) else {
            return Ok(());
        };
        let mut tx = self.begin(&Account::default(), facts).await?;
        let session = house.tables.session_in(&mut tx, &key).await?;
        let mut line = Some(key);
        for _ in 0..MAX_LINE {
            let Some(key) = line else { break };
            line = house.tables.session_before(&mut tx, &key).await?;
            house.tables.delete_session(&mut tx, &key).await?;
        }
        if let Some(session) = session {
            let event = Event {
                action: "logout",
                by: Some(&session.user),
                user: Some(&session.user),
            };
            house.tables.record(&mut tx, event, facts, now).await?;
        }
        tx.commit().await?;
        house.accounts.forget();
        Ok(())
    }

    /// Ends a session and those that were made from it.
    async fn end_line(&self, tx: &mut Recorder, from: Option<String>) -> Result<(), Error> {
        let mut line = from;
        for _ in 0..MAX_LINE {
            let Some(key) = line else { break };
            line = self.0.tables.session_in(tx, &key).await?.and_then(|row| row.next);
            self.0.tables.delete_session(tx, &key).await?;
        }
        Ok(())
    }

    async fn open_session(
        &self,
        tx: &mut Recorder,
        account: &Account,
        mode: Mode,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Result<Opened, Error> {
        let house = &self.0;
        let secret = Secret::generate(&house.generator);
        let key = secret.fingerprint();
        let is_session = mode == Mode::Session;
        let lifetime = if is_session {
            house.options.session_ttl
        } else {
            house.options.refresh_ttl
        };
        let expires_in = if is_session {
            house.options.session_ttl
        } else {
            house.options.access_ttl
        };
        let user = account.user.as_deref().unwrap_or_default();
        let values = [
            ("token", Scalar::from(key.as_str())),
            ("user", Scalar::from(user)),
            ("expires", moment(self.after(now, lifetime))),
            ("ip", Scalar::from(facts.ip.map(|ip| ip.to_string()))),
            (
                "user_agent",
                Scalar::from(facts.user_agent.as_deref().map(clipped)),
            ),
            ("origin", Scalar::from(origin(facts.origin))),
        ];
        house.tables.insert(tx, &house.tables.sessions, &values).await?;
        house.tables.user_came(tx, user, now).await?;
        let access = self.access_token(account, &key, is_session, now, expires_in, facts.ip);
        let tokens = Tokens {
            access,
            refresh: (!is_session).then_some(secret),
            expires_in,
        };
        Ok(Opened { tokens, key })
    }

    fn access_token(
        &self,
        account: &Account,
        session: &str,
        cookie: bool,
        now: Timestamp,
        expires_in: SignedDuration,
        ip: Option<std::net::IpAddr>,
    ) -> Secret {
        self.0.signer.sign(&AccessClaims {
            id: account.user.clone().unwrap_or_default(),
            role: account.role.clone(),
            app_access: account.has_app_access(ip),
            admin_access: account.is_admin(ip),
            session: session.to_owned(),
            cookie,
            iat: now.as_second(),
            exp: self.after(now, expires_in).as_second(),
            iss: ISSUER.to_owned(),
            jti: self.0.generator.uuid().simple().to_string(),
        })
    }

    /// The stored key of the session that a proof stands for.
    fn session_key(&self, proof: &Proof, now: Timestamp) -> Result<String, Error> {
        match proof {
            Proof::Refresh(secret) => Ok(secret.fingerprint()),
            Proof::Session(cookie) => {
                let claims = self.0.signer.verify(cookie.reveal(), now);
                let claims = claims
                    .ok()
                    .filter(|claims| claims.cookie)
                    .ok_or_else(Error::wrong)?;
                Ok(claims.session)
            }
        }
    }

    /// How long a session that was refreshed is still good for what was made from it.
    fn leftover(&self, proof: &Proof) -> SignedDuration {
        match proof {
            Proof::Refresh(_) => self.0.options.access_ttl,
            Proof::Session(_) => GRACE,
        }
    }

    fn after(&self, now: Timestamp, by: SignedDuration) -> Timestamp {
        now.saturating_add(by).unwrap_or(Timestamp::MAX)
    }
}

struct Opened {
    tokens: Tokens,
    key: String,
}
