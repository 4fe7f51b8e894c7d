//! From a credential to a [`Caller`]: the first thing that happens to every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use loggia_access::{Caller, Origin};
use loggia_model::Record;
use moka::sync::Cache;

use crate::access_token::AccessToken;
use crate::account::{Account, By, RequestFacts, text};
use crate::jwt::{self, Rejected};
use crate::second_factor::{demanded, facts_of};
use crate::secret::{digest, fingerprint};
use crate::tables::SessionRow;
use crate::{Error, Identity};

/// What a request shows.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// Nothing: the public.
    None,
    /// `Authorization: Bearer …`: an access token, a static token or the token of a session.
    Bearer(&'a str),
    /// `?access_token=…`: the same, but never a session's cookie.
    Query(&'a str),
    /// The session cookie.
    SessionCookie(&'a str),
}

/// A caller, perhaps on conditions.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Who is asking.
    pub caller: Caller,
    /// Whether a second factor is demanded of the user.
    pub demands_factor: bool,
    /// Whether that has to be set up before anything else.
    pub must_set_up_factor: bool,
}

/// What a credential stood for when it was last looked up.
#[derive(Clone)]
struct Known {
    account: Arc<Account>,
    session: Option<Arc<str>>,
    is_cookie: bool,
    token: Option<Arc<AccessToken>>,
    expires: Option<Timestamp>,
    looked_up: Timestamp,
    generation: u64,
}

/// Accounts by credential. What is changed by a Loggia, in whichever process, counts on the very next request; what other
/// programs write into the tables, within [`MAX_AGE`].
pub(crate) struct Accounts {
    known: Cache<[u8; 32], Known>,
    generation: AtomicU64,
}

/// After which a credential is looked up again whatever happened.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(5);
/// So many credentials are remembered.
const CAPACITY: u64 = 20_000;
/// The longest credential that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;
/// Under which the public is remembered.
const PUBLIC: [u8; 32] = [0; 32];

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            known: Cache::new(CAPACITY),
            generation: AtomicU64::new(0),
        }
    }

    /// Everything that is remembered is out of date.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn get(&self, key: &[u8; 32], now: Timestamp) -> Option<Known> {
        self.known.get(key).filter(|known| {
            known.generation == self.generation()
                && now.duration_since(known.looked_up) < MAX_AGE
                && now >= known.looked_up
        })
    }
}

impl Identity {
    /// Who is asking. Whoever signed in without the second factor that is demanded of them is refused.
    ///
    /// # Errors
    /// `INVALID_CREDENTIALS` for a token that is nobody's or a user that is not active; `TOKEN_EXPIRED`;
    /// `INVALID_TOKEN` for a signed token that is not one of ours. For an access token also `USER_SUSPENDED`,
    /// `FORBIDDEN` from an address that it does not count from, and `REQUESTS_EXCEEDED`.
    pub async fn authenticate(
        &self,
        credential: Credential<'_>,
        facts: RequestFacts,
    ) -> Result<Caller, Error> {
        let admitted = self.admit(credential, facts).await?;
        match admitted.must_set_up_factor {
            true => Err(demanded().into()),
            false => Ok(admitted.caller),
        }
    }

    /// Who is asking, for the few requests by which a second factor is set up.
    ///
    /// # Errors
    /// As [`Identity::authenticate`], but that a second factor may be missing.
    pub async fn admit(&self, credential: Credential<'_>, facts: RequestFacts) -> Result<Admitted, Error> {
        let now = self.0.clock.now();
        let (token, key) = match credential {
            Credential::None => ("", PUBLIC),
            Credential::Bearer(token) | Credential::Query(token) | Credential::SessionCookie(token) => {
                if token.is_empty() || token.len() > MAX_LENGTH {
                    return Err(Error::wrong());
                }
                (token, digest(token))
            }
        };
        let known = match self.0.accounts.get(&key, now) {
            Some(known) => known,
            None => {
                let generation = self.0.accounts.generation();
                let known = self.look_up(credential, token, now, generation).await?;
                self.0.accounts.known.insert(key, known.clone());
                known
            }
        };
        match credential {
            Credential::Query(_) if known.is_cookie => return Err(Error::not_ours()),
            Credential::SessionCookie(_) if !known.is_cookie => return Err(Error::not_ours()),
            _ => {}
        }
        if known.expires.is_some_and(|expires| now >= expires) {
            return Err(Error::expired());
        }
        if let Some(token) = &known.token {
            token.admit(&facts, now)?;
            if self.0.usage.count(token, now)? {
                self.note_use(token, &facts, now);
            }
        }
        let by = By {
            session: known.session.as_deref(),
            token: known.token.as_deref(),
        };
        let demands_factor = known.account.demands_second_factor(facts.ip);
        // Tokens are a factor of their own: only what comes of a password needs a second one.
        let signed_in = known.session.is_some();
        Ok(Admitted {
            demands_factor,
            must_set_up_factor: demands_factor && signed_in && !known.account.has_second_factor,
            caller: known.account.caller(by, facts),
        })
    }

    /// Who a caller is by now, for what has waited since they were authenticated. Whether a static token was replaced
    /// meanwhile is not told by what is known of a caller.
    ///
    /// # Errors
    /// As [`Identity::authenticate`], where the user, the session or the token is not good any more.
    pub async fn again(&self, caller: &Caller) -> Result<Caller, Error> {
        let claims = caller.claims();
        if matches!(claims.origin, Origin::Cli | Origin::System) {
            return Ok(caller.clone());
        }
        let (house, now, facts) = (&self.0, self.0.clock.now(), facts_of(caller));
        let (account, token) = match (&claims.token, &claims.user) {
            (Some(token), _) => {
                let row = house.tables.token_of(&house.store, &token.id).await?;
                let (account, token) = self.token_account(&row.ok_or_else(Error::wrong)?).await?;
                token.admit(&facts, now)?;
                (account, Some(token))
            }
            (None, Some(user)) => (self.active_account(Some(user)).await?, None),
            (None, None) => {
                let (_, rows) = house.tables.rights(&house.store, None).await?;
                (Account::public(&rows), None)
            }
        };
        if let Some(session) = &claims.session {
            let row = house.tables.session(&house.store, session).await?;
            let is_theirs = |row: &SessionRow| Some(&row.user) == claims.user.as_ref() && now < row.expires;
            row.filter(is_theirs).ok_or_else(Error::wrong)?;
        }
        let by = By {
            session: claims.session.as_deref(),
            token: token.as_ref(),
        };
        Ok(account.caller(by, facts))
    }

    /// Notes off the request's path that a token was used; that it cannot be noted spoils nothing.
    fn note_use(&self, token: &AccessToken, facts: &RequestFacts, now: Timestamp) {
        let (identity, id, facts) = (self.clone(), token.facts.id.clone(), facts.clone());
        tokio::spawn(async move {
            if let Err(error) = identity.used(&id, &facts, now).await {
                tracing::warn!(token = id, %error, "the use of a token was not noted");
            }
        });
    }

    async fn used(&self, token: &str, facts: &RequestFacts, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.begin(&Account::default(), facts).await?;
        self.0.tables.token_used(&mut tx, token, now, facts.ip).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn look_up(
        &self,
        credential: Credential<'_>,
        token: &str,
        now: Timestamp,
        generation: u64,
    ) -> Result<Known, Error> {
        let known = |account: Account| Known {
            account: Arc::new(account),
            session: None,
            is_cookie: false,
            token: None,
            expires: None,
            looked_up: now,
            generation,
        };
        if matches!(credential, Credential::None) {
            let (_, rows) = self.0.tables.rights(&self.0.store, None).await?;
            return Ok(known(Account::public(&rows)));
        }
        if loggia_model::token::has_shape(token)
            && let Some(row) = self.0.tables.token(&self.0.store, &fingerprint(token)).await?
        {
            let (account, token) = self.token_account(&row).await?;
            return Ok(Known {
                token: Some(Arc::new(token)),
                ..known(account)
            });
        }
        if !jwt::looks_like(token) {
            let user = self
                .0
                .tables
                .user_by_token(&self.0.store, &fingerprint(token))
                .await?;
            let id = user.as_ref().and_then(|row| text(row, "id"));
            return Ok(known(self.active_account(id.as_deref()).await?));
        }
        let claims = self
            .0
            .signer
            .verify(token, now)
            .map_err(|rejected| match rejected {
                Rejected::Invalid => Error::not_ours(),
                Rejected::Expired => Error::expired(),
            })?;
        let session = self.0.tables.session(&self.0.store, &claims.session).await?;
        let session = session
            .filter(|row| row.user == claims.id)
            .ok_or_else(Error::wrong)?;
        if now >= session.expires {
            return Err(Error::expired());
        }
        let expires = Timestamp::from_second(claims.exp)
            .unwrap_or(now)
            .min(session.expires);
        Ok(Known {
            session: Some(claims.session.into()),
            is_cookie: claims.cookie,
            expires: Some(expires),
            ..known(self.active_account(Some(&claims.id)).await?)
        })
    }

    /// The account of the owner of an access token, and the token.
    async fn token_account(&self, row: &Record) -> Result<(Account, AccessToken), Error> {
        let owner = text(row, "user");
        let (user, rights) = self.0.tables.rights(&self.0.store, owner.as_deref()).await?;
        let account = Account::of_user(
            &user.filter(|_| owner.is_some()).ok_or_else(Error::wrong)?,
            &rights,
        );
        if !account.active {
            return Err(Error::suspended());
        }
        Ok((account, AccessToken::stored(row, &rights)))
    }

    /// The account of a user that may sign in.
    pub(crate) async fn active_account(&self, user: Option<&str>) -> Result<Account, Error> {
        let id = user.ok_or_else(Error::wrong)?;
        let (row, rights) = self.0.tables.rights(&self.0.store, Some(id)).await?;
        let account = Account::of_user(&row.ok_or_else(Error::wrong)?, &rights);
        if account.active {
            Ok(account)
        } else {
            Err(Error::wrong())
        }
    }
}
