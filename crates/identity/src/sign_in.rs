//! Signing in with e-mail address and password, refreshing, signing out.
//!
//! A session is a row of `directus_sessions` under the fingerprint of its refresh token. A refresh makes a new session;
//! the old one stays for as long as access tokens made from it may live, points to the new one, and cannot be refreshed
//! again. All sessions that come of one sign-in are a line, which refresh tokens and cookies name: one that comes back
//! after [`GRACE`], however long after, was stolen or kept, and the whole line ends.

use jiff::{SignedDuration, Timestamp};
use loggia_journal::Recorder;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Scalar};

use crate::account::{Account, RequestFacts};
use crate::attempts::{Attempt, Place};
use crate::jwt::{AccessClaims, ISSUER};
use crate::second_factor::{missing_code, wrong_code};
use crate::tables::{Event, SignInRow, clipped, moment, origin};
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

/// A user that nobody is: looked for where there is no account, so that it takes as long.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
/// Two refreshes at the same moment (two tabs) are no theft.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// The characters of the name of a line: unpredictable, so that only who was given a token of it can end it.
const LINE: usize = 32;

impl Identity {
    /// Signs in. `otp` is the one-time password of the second factor, where one is set up.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS` whether the account or the password is wrong, after the same time; `USER_SUSPENDED` when
    /// both are right and the user is not active; `INVALID_OTP` for a one-time password that is missing or wrong;
    /// `REQUESTS_EXCEEDED` after too many failures.
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
        let row = house.tables.sign_in_row(&house.store, email).await?;
        let account = row.as_ref().and_then(|row| row.email.as_deref()).unwrap_or(email);
        let attempt = self.begin_attempt(account, row.as_ref(), facts, now).await?;
        let hash = row.as_ref().and_then(|row| row.password.clone());
        let matches = house.passwords.verify(password, hash).await?;
        let Some(row) = row.as_ref().filter(|_| matches) else {
            self.refused(attempt, row.as_ref(), facts).await?;
            return Err(Error::wrong());
        };
        let (user, rights) = house.tables.rights(&house.store, Some(&row.id)).await?;
        let account = Account::of_user(&user.ok_or_else(Error::wrong)?, &rights);
        if !account.active {
            self.record_refusal(Some(row), facts).await?;
            return Err(Error::suspended());
        }
        // Clients ask without it first; that is no failed guess, and no success either.
        if row.tfa_secret.is_some() && otp.is_none() {
            return Err(missing_code().into());
        }
        let mut tx = self.begin(&account, facts).await?;
        let mut memory = house.tables.memory(&mut tx, &row.id).await?;
        if let Some(secret) = &row.tfa_secret
            && !memory.use_up(secret, otp.unwrap_or_default(), now)
        {
            drop(tx);
            self.refused(attempt, Some(row), facts).await?;
            return Err(wrong_code().into());
        }
        attempt.succeeded();
        memory.came_from(facts.ip, now);
        house.tables.remember(&mut tx, &row.id, &memory).await?;
        house.tables.delete_sessions_before(&mut tx, now).await?;
        let tokens = self
            .open_session(&mut tx, &account, mode, &self.new_line(), facts, now)
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

    /// Begins a try to sign in to an account, whether there is one or not.
    ///
    /// # Errors
    /// `REQUESTS_EXCEEDED` after too many failures.
    async fn begin_attempt(
        &self,
        account: &str,
        row: Option<&SignInRow>,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Result<Attempt, Error> {
        let house = &self.0;
        let limit = house.tables.settings(&house.store).await?.attempts;
        let is_known = house.attempts.is_slow(account, limit, now) && {
            let user = row.map_or(NOBODY, |row| row.id.as_str());
            let memory = house.tables.memory_of(&house.store, user).await?;
            memory.knows(facts.ip, now)
        };
        Ok(house
            .attempts
            .begin(account, Place::of(facts.ip), is_known, limit, now)?)
    }

    /// Counts and records a failed guess.
    pub(crate) async fn refused(
        &self,
        attempt: Attempt,
        row: Option<&SignInRow>,
        facts: &RequestFacts,
    ) -> Result<(), Error> {
        tracing::warn!(ip = ?facts.ip, "failed sign-in");
        attempt.failed(self.0.clock.now());
        self.record_refusal(row, facts).await
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

    /// Gives new tokens for a refresh token or a session cookie, which are used up by it.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS` for one that is unknown, used up or expired, and for users that are not active.
    pub async fn refresh(&self, proof: &Proof, mode: Mode, facts: &RequestFacts) -> Result<Tokens, Error> {
        let house = &self.0;
        let now = house.clock.now();
        let shown = self.shown(proof, now)?;
        let key = &shown.key;
        let Some(row) = house.tables.session(&house.store, key).await? else {
            self.came_back(&shown, facts).await?;
            return Err(Error::wrong());
        };
        let account = self.active_account(Some(&row.user)).await?;
        let mut tx = self.begin(&account, facts).await?;
        let row = house.tables.session_in(&mut tx, key).await?;
        let row = row.ok_or_else(Error::wrong)?;
        if let Some(next) = row.next.clone() {
            let used_at = self.before(row.expires, self.leftover(proof));
            if now.duration_since(used_at) > GRACE {
                drop(tx);
                self.came_back(&shown, facts).await?;
                return Err(Error::wrong());
            }
            return match proof {
                Proof::Session(_) => self.follow(tx, &account, &next, facts).await,
                Proof::Refresh(_) => Err(Error::wrong()),
            };
        }
        if now >= row.expires {
            return Err(Error::wrong());
        }
        let line = row.line.clone().unwrap_or_else(|| self.new_line());
        let opened = self
            .open_session(&mut tx, &account, mode, &line, facts, now)
            .await?;
        let values = [
            ("next_token", Scalar::from(opened.key)),
            (
                "expires",
                moment(row.expires.min(self.after(now, self.leftover(proof)))),
            ),
        ];
        house
            .tables
            .update(&mut tx, &house.tables.sessions, ("token", key), &values)
            .await?;
        tx.commit().await?;
        // A session's cookie lives shorter now.
        house.accounts.forget();
        Ok(opened.tokens)
    }

    /// The cookie of another tab that was not replaced yet: the same new session, as another cookie.
    async fn follow(
        &self,
        mut tx: Recorder,
        account: &Account,
        next: &str,
        facts: &RequestFacts,
    ) -> Result<Tokens, Error> {
        let now = self.0.clock.now();
        let follower = self.0.tables.session_in(&mut tx, next).await?;
        let follower = follower
            .filter(|row| now < row.expires)
            .ok_or_else(Error::wrong)?;
        let expires_in = follower.expires.duration_since(now);
        let line = follower.line.unwrap_or_default();
        let access = self.access_token(account, next, Some(&line), now, expires_in, facts.ip);
        Ok(Tokens {
            access,
            refresh: None,
            expires_in,
        })
    }

    /// Something that is good no more: if it was of a line, it was stolen or kept, and the line ends.
    async fn came_back(&self, shown: &Shown, facts: &RequestFacts) -> Result<(), Error> {
        let house = &self.0;
        let Some(line) = &shown.line else {
            return Ok(());
        };
        // Most unknown tokens are of lines that have ended: nobody waits for the writer with those.
        let Some(user) = house.tables.user_of_line(&house.store, line).await? else {
            return Ok(());
        };
        tracing::warn!(user, "a used refresh token or cookie came back: its sessions end");
        let mut tx = self.begin(&Account::default(), facts).await?;
        house.tables.delete_line(&mut tx, line).await?;
        let event = Event {
            action: "refresh_reused",
            by: None,
            user: Some(&user),
        };
        house
            .tables
            .record(&mut tx, event, facts, house.clock.now())
            .await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(())
    }

    /// Ends a session with all that come of the same sign-in. Access tokens of it stop working at once. A proof that is
    /// unknown is fine: it is signed out.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn logout(&self, proof: &Proof, facts: &RequestFacts) -> Result<(), Error> {
        let house = &self.0;
        let now = house.clock.now();
        let Ok(Shown { key, line }) = self.shown(proof, now) else {
            return Ok(());
        };
        // Where it was used up long ago, what came of it ends all the same.
        let user = match (house.tables.session(&house.store, &key).await?, &line) {
            (Some(session), _) => Some(session.user),
            (None, Some(line)) => house.tables.user_of_line(&house.store, line).await?,
            (None, None) => None,
        };
        let Some(user) = user else {
            return Ok(());
        };
        let mut tx = self.begin(&Account::default(), facts).await?;
        house.tables.delete_session(&mut tx, &key).await?;
        if let Some(line) = &line {
            house.tables.delete_line(&mut tx, line).await?;
        }
        let event = Event {
            action: "logout",
            by: Some(&user),
            user: Some(&user),
        };
        house.tables.record(&mut tx, event, facts, now).await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(())
    }

    fn new_line(&self) -> String {
        self.0.generator.uuid().simple().to_string()
    }

    async fn open_session(
        &self,
        tx: &mut Recorder,
        account: &Account,
        mode: Mode,
        line: &str,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Result<Opened, Error> {
        let house = &self.0;
        let secret = Secret::generate(&house.generator);
        let secret = Secret::new(format!("{line}.{}", secret.reveal()));
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
            ("line", line.into()),
        ];
        house.tables.insert(tx, &house.tables.sessions, &values).await?;
        house.tables.user_came(tx, user, now).await?;
        let cookie = is_session.then_some(line);
        let access = self.access_token(account, &key, cookie, now, expires_in, facts.ip);
        let tokens = Tokens {
            access,
            refresh: (!is_session).then_some(secret),
            expires_in,
        };
        Ok(Opened { tokens, key })
    }

    /// `cookie`: the line of the session whose cookie it is.
    fn access_token(
        &self,
        account: &Account,
        session: &str,
        cookie: Option<&str>,
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
            cookie: cookie.is_some(),
            line: cookie.filter(|line| !line.is_empty()).map(str::to_owned),
            iat: now.as_second(),
            exp: self.after(now, expires_in).as_second(),
            iss: ISSUER.to_owned(),
            jti: self.0.generator.uuid().simple().to_string(),
        })
    }

    /// The session that a proof stands for.
    fn shown(&self, proof: &Proof, now: Timestamp) -> Result<Shown, Error> {
        match proof {
            Proof::Refresh(secret) => Ok(Shown {
                key: secret.fingerprint(),
                line: line_of(secret),
            }),
            Proof::Session(cookie) => {
                let claims = self.0.signer.verify(cookie.reveal(), now);
                let claims = claims
                    .ok()
                    .filter(|claims| claims.cookie)
                    .ok_or_else(Error::wrong)?;
                Ok(Shown {
                    key: claims.session,
                    line: claims.line,
                })
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

    fn before(&self, then: Timestamp, by: SignedDuration) -> Timestamp {
        then.saturating_sub(by).unwrap_or(Timestamp::MIN)
    }

    fn after(&self, now: Timestamp, by: SignedDuration) -> Timestamp {
        now.saturating_add(by).unwrap_or(Timestamp::MAX)
    }
}

/// A session as somebody names it who refreshes or signs out.
struct Shown {
    /// What it is stored under.
    key: String,
    /// The line that it belongs to.
    line: Option<String>,
}

struct Opened {
    tokens: Tokens,
    key: String,
}

/// The line that a refresh token names.
fn line_of(token: &Secret) -> Option<String> {
    let (line, _) = token.reveal().split_once('.')?;
    let plain = |byte: u8| byte.is_ascii_hexdigit();
    (line.len() == LINE && line.bytes().all(plain)).then(|| line.to_owned())
}
