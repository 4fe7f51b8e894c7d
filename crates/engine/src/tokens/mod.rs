//! Access tokens: made, listed, changed, rotated and revoked by their owners and by administrators.
//!
//! Invariants
//! - A token's secret leaves [`Engine::create_token`] and [`Engine::rotate_token`] once and is stored as its fingerprint.
//! - Who asks by a token knows only tokens that may do no more than that one, may narrow and revoke those, and makes,
//!   rotates and widens none; who asks by a token that only proposes changes none.
//! - A token that may not be known and one that does not exist look the same.

use loggia_access::{Caller, Permit, TokenMode, TokenShape, decide, issued, widened};
use loggia_model::error::{FORBIDDEN, INVALID_FOREIGN_KEY, UNPROCESSABLE_CONTENT};
use loggia_model::plan::Plan;
use loggia_model::{Filter, Problem, Problems, Record, token};
use loggia_store::Outcome;
use serde_json::Value;

use crate::again::again;
use crate::changes::Recorder;
use crate::items::payload::invalid;
use crate::query::plain_read;
use crate::{Engine, Error};

mod request;
mod rows;
mod shape;

use request::Wanted;
use rows::{Rows, moment, shown};
use shape::{Holder, changed};

/// A user with more tokens than this has lost sight of them.
const MOST_TOKENS: usize = 500;

/// A token with its secret, which is shown this once.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token as it is listed.
    pub token: Record,
    /// The secret itself.
    pub secret: String,
}

impl Engine {
    /// The tokens that a caller may know of: their own; for administrators those of `user`, or all.
    ///
    /// # Errors
    /// For the public, and for others' tokens where the caller is no administrator.
    pub async fn list_tokens(&self, caller: &Caller, user: Option<&str>) -> Result<Vec<Record>, Error> {
        let rows = self.known_tokens(caller)?;
        let own = caller.user();
        if !caller.is_admin() && user.is_some_and(|user| Some(user) != own) {
            return Err(Problem::forbidden().into());
        }
        let whose = if caller.is_admin() { user } else { own };
        let look = [Some(rows.of_user(whose)?), rows.holder(caller)];
        let (mut found, holder) = self.look_at_tokens(caller, look).await?;
        found.retain(|row| holder.knows(caller, &TokenShape::stored(row)));
        let now = self.parts().clock.now();
        Ok(found.into_iter().map(|row| shown(row, now)).collect())
    }

    /// One of the tokens that a caller may know of.
    ///
    /// # Errors
    /// When there is no such token.
    pub async fn read_token(&self, caller: &Caller, id: &str) -> Result<Record, Error> {
        let rows = self.known_tokens(caller)?;
        let look = [rows.one(id), rows.holder(caller)];
        let (found, holder) = self.look_at_tokens(caller, look).await?;
        let mut known = found
            .into_iter()
            .filter(|row| holder.knows(caller, &TokenShape::stored(row)));
        let row = known.next().ok_or_else(Problem::forbidden)?;
        Ok(shown(row, self.parts().clock.now()))
    }

    /// Makes a token: `name`, and whatever of `user`, `policies`, `expires` or `lifespan`, `ip_access`,
    /// `requests_per_minute`, `changed_rows_per_hour` and `mode` is to be said of it.
    ///
    /// # Errors
    /// Everything that is wrong with the request; then nothing was made.
    pub async fn create_token(&self, caller: &Caller, data: &Record) -> Result<IssuedToken, Error> {
        again!(self, {
            may_issue(caller)?;
            let mut work = self.token_work(caller).await?;
            let now = self.parts().clock.now();
            let mut problems = Problems::default();
            let wanted = Wanted::read(data, &work.rows.0, now, &mut problems);
            if !data.contains_key("name") {
                problems.push(request::without_name());
            }
            let owner = match (&wanted.user, caller.user()) {
                (Some(user), _) => user.clone(),
                (None, Some(user)) => user.to_owned(),
                (None, None) => {
                    problems.push(
                        invalid("A token needs an owner.")
                            .at("user")
                            .hint("Give the key of a user."),
                    );
                    String::new()
                }
            };
            let shape = changed(&TokenShape::of_owner(&owner), &wanted);
            work.check_owner(self, caller, &owner, &mut problems).await?;
            work.check_policies(self, caller, &wanted, &[], &mut problems)
                .await?;
            problems.or(())?;
            let id = self.parts().generator.uuid().to_string();
            let (secret, mut row) = self.secret(&work.rows)?;
            row.extend(work.rows.columns(&shape)?);
            for (name, value) in [
                ("id", Value::from(id.as_str())),
                ("user", owner.into()),
                ("created_on", moment(now)),
            ] {
                row.push(work.rows.column(name, &value)?);
            }
            work.rows.insert(&mut work.tx, row).await?;
            let token = self.done(work, &id).await?;
            Ok(IssuedToken { token, secret })
        })
    }

    /// Changes what a token may do; everything but its owner and its secret.
    ///
    /// # Errors
    /// Everything that is wrong with the request, and when there is no such token; then nothing was changed.
    pub async fn update_token(&self, caller: &Caller, id: &str, data: &Record) -> Result<Record, Error> {
        again!(self, {
            may_change(caller)?;
            let mut work = self.token_work(caller).await?;
            let before = TokenShape::stored(&work.known(caller, id).await?);
            let mut problems = Problems::default();
            let wanted = Wanted::read(data, &work.rows.0, self.parts().clock.now(), &mut problems);
            if data.contains_key("user") {
                let problem = invalid("The owner of a token cannot change.").at("user");
                problems.push(problem.hint("Make a token for the other user, and revoke this one."));
            }
            let shape = changed(&before, &wanted);
            if caller.is_delegated() {
                problems.extend(widened(&before, &shape));
            }
            let held = before.policies.unwrap_or_default();
            work.check_policies(self, caller, &wanted, &held, &mut problems)
                .await?;
            problems.or(())?;
            let columns = work.rows.columns(&shape)?;
            work.rows.update(&mut work.tx, id, columns).await?;
            self.done(work, id).await
        })
    }

    /// Gives a token another secret; the one before stops working. `expires` or `lifespan` may move its end.
    ///
    /// # Errors
    /// As [`Engine::update_token`]; and for a token that has expired, unless its end moves.
    pub async fn rotate_token(&self, caller: &Caller, id: &str, data: &Record) -> Result<IssuedToken, Error> {
        again!(self, {
            may_issue(caller)?;
            let mut work = self.token_work(caller).await?;
            let before = TokenShape::stored(&work.known(caller, id).await?);
            let now = self.parts().clock.now();
            let mut problems = Problems::default();
            let wanted = Wanted::rotation(data, &work.rows.0, now, &mut problems);
            let shape = changed(&before, &wanted);
            if shape.expires.is_some_and(|end| end <= now) && problems.0.is_empty() {
                let problem = Problem::new(&UNPROCESSABLE_CONTENT, "The token has expired.").at("expires");
                problems.push(problem.hint("Send \"lifespan\": 7, 30 or 90, or a new \"expires\"."));
            }
            problems.or(())?;
            let (secret, mut columns) = self.secret(&work.rows)?;
            columns.extend(work.rows.columns(&shape)?);
            columns.push(work.rows.column("rotated_on", &moment(now))?);
            work.rows.update(&mut work.tx, id, columns).await?;
            let token = self.done(work, id).await?;
            Ok(IssuedToken { token, secret })
        })
    }

    /// Ends a token: the very next request with it is refused.
    ///
    /// # Errors
    /// When there is no such token.
    pub async fn revoke_token(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        again!(self, {
            may_change(caller)?;
            let mut work = self.token_work(caller).await?;
            work.known(caller, id).await?;
            work.rows.delete(&mut work.tx, id).await?;
            self.conclude(work.tx).await?;
            Ok(())
        })
    }

    /// The rows of tokens, for somebody who may have some.
    fn known_tokens(&self, caller: &Caller) -> Result<Rows, Problem> {
        if caller.is_public() && !caller.is_admin() {
            return Err(Problem::forbidden());
        }
        Rows::of(&self.schema())
    }

    /// Reads tokens, and the one by which the caller asks, at the same moment and beside whoever writes.
    async fn look_at_tokens(
        &self,
        caller: &Caller,
        [wanted, holder]: [Option<Permit<Plan>>; 2],
    ) -> Result<(Vec<Record>, Holder), Error> {
        let looks: Vec<_> = [wanted.ok_or_else(Problem::forbidden)?]
            .into_iter()
            .chain(holder)
            .collect();
        let outcomes = self.parts().store.run_all(looks).await?;
        let mut rows = outcomes.into_iter().map(Outcome::into_rows);
        let found = rows.next().unwrap_or_default();
        Ok((found, Holder::of(caller, rows.next().unwrap_or_default().pop())?))
    }

    async fn token_work(&self, caller: &Caller) -> Result<Work, Error> {
        let rows = self.known_tokens(caller)?;
        let mut tx = self.begin(&self.schema(), caller).await?;
        let holder = match rows.holder(caller) {
            Some(look) => tx.run(look).await?.into_rows().pop(),
            None => None,
        };
        let holder = Holder::of(caller, holder)?;
        Ok(Work { rows, tx, holder })
    }

    /// A new secret, and the columns that it is known by.
    #[expect(
        clippy::type_complexity,
        reason = "a secret and its columns, for the two places that issue one"
    )]
    fn secret(
        &self,
        rows: &Rows,
    ) -> Result<
        (
            String,
            Vec<(std::sync::Arc<loggia_model::Field>, loggia_model::Scalar)>,
        ),
        Problem,
    > {
        let secret = token::generate(&self.parts().generator);
        let hash = self.parts().hasher.fingerprint(&secret);
        let prefix = &secret[..token::SHOWN];
        let columns = vec![
            rows.column("hash", &hash.into())?,
            rows.column("prefix", &prefix.into())?,
        ];
        Ok((secret, columns))
    }

    /// Reads the token again, commits and tells of it.
    async fn done(&self, mut work: Work, id: &str) -> Result<Record, Error> {
        let row = work.one(id).await?.ok_or_else(Problem::forbidden)?;
        self.conclude(work.tx).await?;
        Ok(shown(row, self.parts().clock.now()))
    }
}

/// Who asks by a token that only proposes changes no token.
fn may_change(caller: &Caller) -> Result<(), Problem> {
    let proposes = |token: &loggia_access::TokenFacts| token.mode == TokenMode::Propose;
    if caller.claims().token.as_ref().is_some_and(proposes) {
        return Err(Problem::new(
            &FORBIDDEN,
            "This token only proposes: it cannot make or change tokens.",
        )
        .hint("Sign in, or use a token that writes directly."));
    }
    Ok(())
}

/// Tokens are made and rotated by people.
fn may_issue(caller: &Caller) -> Result<(), Problem> {
    if caller.is_delegated() {
        return Err(issued());
    }
    Ok(())
}

/// The work of one request that writes tokens.
struct Work {
    rows: Rows,
    tx: Recorder,
    holder: Holder,
}

impl Work {
    /// A token that the caller may know of.
    async fn known(&mut self, caller: &Caller, id: &str) -> Result<Record, Error> {
        let row = self.one(id).await?;
        let row = row.filter(|row| self.holder.knows(caller, &TokenShape::stored(row)));
        Ok(row.ok_or_else(Problem::forbidden)?)
    }

    async fn one(&mut self, id: &str) -> Result<Option<Record>, Error> {
        match self.rows.one(id) {
            Some(look) => Ok(self.tx.run(look).await?.into_rows().pop()),
            None => Ok(None),
        }
    }

    /// Others' tokens are made by administrators alone.
    async fn check_owner(
        &mut self,
        engine: &Engine,
        caller: &Caller,
        owner: &str,
        problems: &mut Problems,
    ) -> Result<(), Error> {
        if caller.user() != Some(owner) && !caller.is_admin() {
            problems.push(Problem::forbidden().at("user"));
            return Ok(());
        }
        if owner.is_empty() {
            return Ok(());
        }
        let schema = engine.schema();
        let users = schema
            .collection("directus_users")
            .ok_or_else(Problem::forbidden)?;
        if rows::existing(&mut self.tx, users, &[owner.to_owned()])
            .await?
            .is_empty()
        {
            let problem = Problem::new(&INVALID_FOREIGN_KEY, format!("There is no user \"{owner}\"."));
            problems.push(problem.at("user").hint("Give the key of a user."));
            return Ok(());
        }
        let held = self.tx.run(self.rows.of_user(Some(owner))?).await?;
        if held.into_rows().len() >= MOST_TOKENS {
            let message = format!("The user has {MOST_TOKENS} tokens already.");
            problems
                .push(Problem::new(&UNPROCESSABLE_CONTENT, message).hint("Revoke those that are not used."));
        }
        Ok(())
    }

    /// Policies that do not exist are refused by name; so are, in the same words, those that a caller who is no
    /// administrator does not hold and may not read.
    async fn check_policies(
        &mut self,
        engine: &Engine,
        caller: &Caller,
        wanted: &Wanted,
        held: &[String],
        problems: &mut Problems,
    ) -> Result<(), Error> {
        let Some(Some(keys)) = &wanted.policies else {
            return Ok(());
        };
        let schema = engine.schema();
        let policies = schema
            .collection("directus_policies")
            .ok_or_else(Problem::forbidden)?;
        let mut known = rows::existing(&mut self.tx, policies, keys).await?;
        if !caller.is_admin() {
            let readable = self.readable_policies(engine, caller).await?;
            let own = &caller.claims().policies;
            known.retain(|key| own.contains(key) || held.contains(key) || readable.contains(key));
        }
        for (i, key) in keys.iter().enumerate().filter(|(_, key)| !known.contains(key)) {
            let problem = Problem::new(&INVALID_FOREIGN_KEY, format!("There is no policy \"{key}\"."));
            problems.push(
                problem
                    .at(format!("policies[{i}]"))
                    .hint("Give keys of policies that exist."),
            );
        }
        Ok(())
    }

    async fn readable_policies(&mut self, engine: &Engine, caller: &Caller) -> Result<Vec<String>, Error> {
        let schema = engine.schema();
        let policies = schema
            .collection("directus_policies")
            .ok_or_else(Problem::forbidden)?;
        let Some(primary) = &policies.primary else {
            return Ok(Vec::new());
        };
        let grants = engine.grants(caller).await?;
        let plan = Plan::Read(plain_read(policies, std::slice::from_ref(primary), Filter::All));
        let Ok(permit) = decide(&grants, plan) else {
            return Ok(Vec::new());
        };
        let rows = self.tx.run(permit).await?.into_rows();
        let key = |row: &Record| row.get(&primary.name).and_then(Value::as_str).map(str::to_owned);
        Ok(rows.iter().filter_map(key).collect())
    }
}
