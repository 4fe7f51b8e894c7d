//! The rows that identity lives on. Every [`Permit::system`] of this room is made here.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use loggia_access::{Origin, Permit};
use loggia_journal::Recorder;
use loggia_model::filter::{Filter, Place, Test};
use loggia_model::plan::{DeletePlan, InsertPlan, Plan, ReadPlan, Selected, Source, UpdatePlan};
use loggia_model::{Collection, Record, Scalar, Schema};
use loggia_store::{Outcome, Store};
use serde_json::Value;

use crate::Error;
use crate::account::{RequestFacts, RightsRows, text};
use crate::memory::Memory;

/// The system collections that decide who is who.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) users: Arc<Collection>,
    pub(crate) roles: Arc<Collection>,
    pub(crate) policies: Arc<Collection>,
    pub(crate) access: Arc<Collection>,
    pub(crate) sessions: Arc<Collection>,
    pub(crate) tokens: Arc<Collection>,
    sign_ins: Arc<Collection>,
    activity: Arc<Collection>,
    settings: Arc<Collection>,
}

/// Columns of a user that identity reads.
const USER: &[&str] = &["id", "role", "status", "tfa_secret"];
/// Columns of a policy.
const POLICY: &[&str] = &["id", "admin_access", "app_access", "enforce_tfa", "ip_access"];
/// Columns of an access token.
const TOKEN: &[&str] = &[
    "id",
    "name",
    "user",
    "policies",
    "expires",
    "ip_access",
    "requests_per_minute",
    "changed_rows_per_hour",
    "mode",
];
/// Columns of a session.
const SESSION: &[&str] = &["user", "expires", "next_token", "line"];
/// Columns of what is remembered of signing in.
const MEMORY: &[&str] = &["networks", "otp_step", "factor", "factor_made_on"];

/// A session as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) user: String,
    pub(crate) expires: Timestamp,
    pub(crate) next: Option<String>,
    /// `None`: it is older than lines are.
    pub(crate) line: Option<String>,
}

/// The row of a user that sign-in looks at.
pub(crate) struct SignInRow {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) password: Option<String>,
    /// In base32.
    pub(crate) tfa_secret: Option<String>,
}

/// Columns of a user that sign-in looks at.
const SIGN_IN: &[&str] = &["id", "email", "password", "tfa_secret"];

impl SignInRow {
    fn of(row: &Record) -> Option<Self> {
        Some(Self {
            id: text(row, "id")?,
            email: text(row, "email"),
            password: text(row, "password"),
            tfa_secret: text(row, "tfa_secret").filter(|secret| !secret.is_empty()),
        })
    }
}

/// Something that happened to an account, for the record of activity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// What.
    pub(crate) action: &'static str,
    /// Who did it, where that is known.
    pub(crate) by: Option<&'a str>,
    /// To whose account, where there is one.
    pub(crate) user: Option<&'a str>,
}

/// What the settings say about signing in.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignInSettings {
    pub(crate) attempts: Option<u32>,
    pub(crate) password_policy: Option<String>,
    /// The name of the project.
    pub(crate) project: String,
}

impl Tables {
    pub(crate) fn new(schema: &Schema) -> Result<Self, Error> {
        let find = |name: &str| {
            schema
                .collection(name)
                .cloned()
                .ok_or_else(|| Error::Tables(format!("{name} is missing")))
        };
        Ok(Self {
            users: find("directus_users")?,
            roles: find("directus_roles")?,
            policies: find("directus_policies")?,
            access: find("directus_access")?,
            sessions: find("directus_sessions")?,
            tokens: find("loggia_tokens")?,
            sign_ins: find("loggia_sign_ins")?,
            activity: find("directus_activity")?,
            settings: find("directus_settings")?,
        })
    }

    /// The user with this static token.
    pub(crate) async fn user_by_token(
        &self,
        store: &Store,
        fingerprint: &str,
    ) -> Result<Option<Record>, Error> {
        let filter = equal(&self.users, "token", fingerprint)?;
        one(read(store, rows(&self.users, USER, filter)?).await?)
    }

    /// The access token with this fingerprint.
    pub(crate) async fn token(&self, store: &Store, fingerprint: &str) -> Result<Option<Record>, Error> {
        let filter = equal(&self.tokens, "hash", fingerprint)?;
        one(read(store, rows(&self.tokens, TOKEN, filter)?).await?)
    }

    /// The access token with this key.
    pub(crate) async fn token_of(&self, store: &Store, id: &str) -> Result<Option<Record>, Error> {
        let filter = equal(&self.tokens, "id", id)?;
        one(read(store, rows(&self.tokens, TOKEN, filter)?).await?)
    }

    /// Notes that an access token was used.
    pub(crate) async fn token_used(
        &self,
        tx: &mut Recorder,
        id: &str,
        at: Timestamp,
        ip: Option<IpAddr>,
    ) -> Result<(), Error> {
        let values = [
            ("last_used_on", moment(at)),
            ("last_used_ip", Scalar::from(ip.map(|ip| ip.to_string()))),
        ];
        let plan = change(&self.tokens, ("id", id), &values)?;
        Ok(tx.keep(permit(plan)).await?)
    }

    /// Notes that a user signed in.
    pub(crate) async fn user_came(&self, tx: &mut Recorder, id: &str, at: Timestamp) -> Result<(), Error> {
        let plan = change(&self.users, ("id", id), &[("last_access", moment(at))])?;
        Ok(tx.keep(permit(plan)).await?)
    }

    /// The user with this e-mail address, in any case; the exact one first.
    pub(crate) async fn sign_in_row(&self, store: &Store, email: &str) -> Result<Option<SignInRow>, Error> {
        let field = column(&self.users, "email")?;
        let test = Test::Text {
            at: Place::Whole,
            piece: email.to_owned(),
            ignore_case: true,
            negated: false,
        };
        let mut found = read(store, rows(&self.users, SIGN_IN, Filter::field(&field, test))?).await?;
        found.sort_by_key(|row| text(row, "email").as_deref() != Some(email));
        Ok(found.first().and_then(SignInRow::of))
    }

    /// The user with this key; `None` also where no user can have it.
    pub(crate) async fn sign_in_row_of(&self, store: &Store, user: &str) -> Result<Option<SignInRow>, Error> {
        let found = read(
            store,
            rows(&self.users, SIGN_IN, equal(&self.users, "id", user)?)?,
        )
        .await?;
        Ok(found.first().and_then(SignInRow::of))
    }

    /// The same inside a transaction, so that nobody else changes it meanwhile.
    pub(crate) async fn sign_in_row_in(
        &self,
        tx: &mut Recorder,
        user: &str,
    ) -> Result<Option<SignInRow>, Error> {
        let plan = rows(&self.users, SIGN_IN, equal(&self.users, "id", user)?)?;
        Ok(tx
            .run(permit(plan))
            .await?
            .into_rows()
            .first()
            .and_then(SignInRow::of))
    }

    /// Writes into the record of activity what happened to an account.
    pub(crate) async fn record(
        &self,
        tx: &mut Recorder,
        event: Event<'_>,
        facts: &RequestFacts,
        now: Timestamp,
    ) -> Result<(), Error> {
        let values = [
            ("action", Scalar::from(event.action)),
            ("user", event.by.into()),
            ("timestamp", moment(now)),
            ("ip", facts.ip.map(|ip| ip.to_string()).into()),
            ("user_agent", facts.user_agent.as_deref().map(clipped).into()),
            ("collection", "directus_users".into()),
            ("item", event.user.unwrap_or_default().into()),
            ("origin", origin(facts.origin).into()),
        ];
        self.insert(tx, &self.activity, &values).await
    }

    /// Everything that decides the rights of `user` (`None`: the public), in one snapshot with the user's row.
    pub(crate) async fn rights(
        &self,
        store: &Store,
        user: Option<&str>,
    ) -> Result<(Option<Record>, RightsRows), Error> {
        let attached_to_roles = test(&self.access, "user", Test::Null)?;
        let (users, access) = match user {
            Some(id) => (
                equal(&self.users, "id", id)?,
                Filter::Or(vec![equal(&self.access, "user", id)?, attached_to_roles]),
            ),
            None => (Filter::Nothing, attached_to_roles),
        };
        let plans = vec![
            rows(&self.users, USER, users)?,
            rows(&self.roles, &["id", "parent"], Filter::All)?,
            rows(&self.access, &["user", "role", "policy"], access)?,
            rows(&self.policies, POLICY, Filter::All)?,
        ];
        let permits = plans.into_iter().map(permit).collect();
        let mut outcomes = store.run_all(permits).await?.into_iter().map(Outcome::into_rows);
        let mut next = || outcomes.next().unwrap_or_default();
        let user = next().into_iter().next();
        let rows = RightsRows {
            roles: next(),
            access: next(),
            policies: next(),
        };
        Ok((user, rows))
    }

    /// The users with one of these keys or roles.
    pub(crate) async fn users_of(
        &self,
        store: &Store,
        (users, roles): &(Vec<String>, Vec<String>),
    ) -> Result<Vec<Record>, Error> {
        let among = |name, keys: &[String]| {
            let keys = keys.iter().map(|key| Scalar::from(key.as_str())).collect();
            test(&self.users, name, Test::In(keys))
        };
        let filter = Filter::Or(vec![among("id", users)?, among("role", roles)?]);
        read(store, rows(&self.users, USER, filter)?).await
    }

    /// All rows that decide about rights.
    pub(crate) async fn all_rights(&self, store: &Store) -> Result<RightsRows, Error> {
        Ok(RightsRows {
            roles: read(store, rows(&self.roles, &["id", "parent"], Filter::All)?).await?,
            access: read(
                store,
                rows(&self.access, &["user", "role", "policy"], Filter::All)?,
            )
            .await?,
            policies: read(store, rows(&self.policies, POLICY, Filter::All)?).await?,
        })
    }

    /// The keys of the roles with this name.
    pub(crate) async fn roles_named(&self, store: &Store, name: &str) -> Result<Vec<String>, Error> {
        let found = read(
            store,
            rows(&self.roles, &["id"], equal(&self.roles, "name", name)?)?,
        )
        .await?;
        Ok(found.iter().filter_map(|row| text(row, "id")).collect())
    }

    pub(crate) async fn session(
        &self,
        store: &Store,
        fingerprint: &str,
    ) -> Result<Option<SessionRow>, Error> {
        let plan = rows(
            &self.sessions,
            SESSION,
            equal(&self.sessions, "token", fingerprint)?,
        )?;
        Ok(read(store, plan).await?.first().and_then(session_row))
    }

    /// The same inside a transaction, so that nobody else rotates it meanwhile.
    pub(crate) async fn session_in(
        &self,
        tx: &mut Recorder,
        fingerprint: &str,
    ) -> Result<Option<SessionRow>, Error> {
        let plan = rows(
            &self.sessions,
            SESSION,
            equal(&self.sessions, "token", fingerprint)?,
        )?;
        Ok(tx
            .run(permit(plan))
            .await?
            .into_rows()
            .first()
            .and_then(session_row))
    }

    /// Whose sessions a line is of; `None`: it has ended.
    pub(crate) async fn user_of_line(&self, store: &Store, line: &str) -> Result<Option<String>, Error> {
        let plan = rows(&self.sessions, &["user"], equal(&self.sessions, "line", line)?)?;
        Ok(read(store, plan).await?.first().and_then(|row| text(row, "user")))
    }

    pub(crate) async fn delete_line(&self, tx: &mut Recorder, line: &str) -> Result<(), Error> {
        self.delete(tx, &self.sessions, equal(&self.sessions, "line", line)?)
            .await
    }

    pub(crate) async fn delete_session(&self, tx: &mut Recorder, fingerprint: &str) -> Result<(), Error> {
        self.delete(tx, &self.sessions, equal(&self.sessions, "token", fingerprint)?)
            .await
    }

    pub(crate) async fn delete_sessions_before(
        &self,
        tx: &mut Recorder,
        now: Timestamp,
    ) -> Result<(), Error> {
        let plan = Plan::Delete(DeletePlan {
            collection: self.sessions.clone(),
            filter: test(&self.sessions, "expires", Test::Less(moment(now)))?,
        });
        Ok(tx.sweep(permit(plan)).await?)
    }

    pub(crate) async fn delete_sessions_of(&self, tx: &mut Recorder, user: &str) -> Result<(), Error> {
        self.delete(tx, &self.sessions, equal(&self.sessions, "user", user)?)
            .await
    }

    /// The same, but for those of a line.
    pub(crate) async fn delete_other_sessions_of(
        &self,
        tx: &mut Recorder,
        user: &str,
        line: &str,
    ) -> Result<(), Error> {
        let others = Filter::Or(vec![
            test(&self.sessions, "line", Test::NotEqual(line.into()))?,
            test(&self.sessions, "line", Test::Null)?,
        ]);
        let filter = equal(&self.sessions, "user", user)?.and(others);
        self.delete(tx, &self.sessions, filter).await
    }

    /// What is remembered of a user's signing in.
    pub(crate) async fn memory_of(&self, store: &Store, user: &str) -> Result<Memory, Error> {
        let found = read(store, self.memory_plan(user)?).await?;
        Ok(Memory::stored(found.first()))
    }

    /// The same inside a transaction, so that nobody else changes it meanwhile.
    pub(crate) async fn memory(&self, tx: &mut Recorder, user: &str) -> Result<Memory, Error> {
        let found = tx.run(permit(self.memory_plan(user)?)).await?.into_rows();
        Ok(Memory::stored(found.first()))
    }

    fn memory_plan(&self, user: &str) -> Result<Plan, Error> {
        rows(&self.sign_ins, MEMORY, equal(&self.sign_ins, "user", user)?)
    }

    /// Keeps what is to be remembered, if it is anything new.
    pub(crate) async fn remember(&self, tx: &mut Recorder, user: &str, memory: &Memory) -> Result<(), Error> {
        if !memory.is_new {
            return Ok(());
        }
        let values = memory.columns();
        if memory.is_stored {
            return self.update(tx, &self.sign_ins, ("user", user), &values).await;
        }
        let values: Vec<_> = [("user", user.into())].into_iter().chain(values).collect();
        self.insert(tx, &self.sign_ins, &values).await
    }

    pub(crate) async fn settings(&self, store: &Store) -> Result<SignInSettings, Error> {
        let columns = ["auth_login_attempts", "auth_password_policy", "project_name"];
        let found = read(store, rows(&self.settings, &columns, Filter::All)?).await?;
        let row = found.into_iter().next().unwrap_or_default();
        Ok(SignInSettings {
            attempts: row
                .get("auth_login_attempts")
                .and_then(Value::as_u64)
                .and_then(|attempts| u32::try_from(attempts).ok())
                .filter(|attempts| *attempts > 0),
            password_policy: text(&row, "auth_password_policy"),
            project: text(&row, "project_name").unwrap_or_default(),
        })
    }

    pub(crate) async fn insert(
        &self,
        tx: &mut Recorder,
        into: &Arc<Collection>,
        values: &[(&str, Scalar)],
    ) -> Result<(), Error> {
        let plan = Plan::Insert(InsertPlan {
            collection: into.clone(),
            rows: vec![assignments(into, values)?],
        });
        tx.run(permit(plan)).await?;
        Ok(())
    }

    /// Changes the row whose `column` is `key`.
    pub(crate) async fn update(
        &self,
        tx: &mut Recorder,
        of: &Arc<Collection>,
        row: (&str, &str),
        values: &[(&str, Scalar)],
    ) -> Result<(), Error> {
        tx.run(permit(change(of, row, values)?)).await?;
        Ok(())
    }

    async fn delete(&self, tx: &mut Recorder, from: &Arc<Collection>, filter: Filter) -> Result<(), Error> {
        let plan = Plan::Delete(DeletePlan {
            collection: from.clone(),
            filter,
        });
        tx.run(permit(plan)).await?;
        Ok(())
    }
}

/// Changes the row whose column has that value.
fn change(of: &Arc<Collection>, (by, key): (&str, &str), values: &[(&str, Scalar)]) -> Result<Plan, Error> {
    Ok(Plan::Update(UpdatePlan {
        collection: of.clone(),
        filter: equal(of, by, key)?,
        assign: assignments(of, values)?,
    }))
}

fn permit(plan: Plan) -> Permit<Plan> {
    Permit::system("who is calling, and with what rights", plan)
}

fn rows(of: &Arc<Collection>, columns: &[&str], filter: Filter) -> Result<Plan, Error> {
    let select = columns
        .iter()
        .map(|name| {
            Ok(Selected {
                when: None,
                alias: (*name).to_owned(),
                source: Source::Secret(column(of, name)?),
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Plan::Read(ReadPlan {
        collection: of.clone(),
        select,
        filter,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }))
}

async fn read(store: &Store, plan: Plan) -> Result<Vec<Record>, Error> {
    Ok(store.run(permit(plan)).await?.into_rows())
}

fn one(mut rows: Vec<Record>) -> Result<Option<Record>, Error> {
    match rows.len() {
        0 | 1 => Ok(rows.pop()),
        _ => Err(Error::Tables("two rows where one is possible".to_owned())),
    }
}

fn session_row(row: &Record) -> Option<SessionRow> {
    Some(SessionRow {
        user: text(row, "user")?,
        expires: text(row, "expires")?.parse().ok()?,
        next: text(row, "next_token"),
        line: text(row, "line"),
    })
}

fn column(of: &Collection, name: &str) -> Result<Arc<loggia_model::Field>, Error> {
    of.field(name)
        .cloned()
        .ok_or_else(|| Error::Tables(format!("{}.{name} is missing", of.name)))
}

fn equal(of: &Collection, name: &str, value: &str) -> Result<Filter, Error> {
    test(of, name, Test::Equal(value.into()))
}

fn test(of: &Collection, name: &str, test: Test) -> Result<Filter, Error> {
    Ok(Filter::field(&column(of, name)?, test))
}

fn assignments(
    of: &Collection,
    values: &[(&str, Scalar)],
) -> Result<Vec<(Arc<loggia_model::Field>, Scalar)>, Error> {
    values
        .iter()
        .map(|(name, value)| Ok((column(of, name)?, value.clone())))
        .collect()
}

/// The canonical form of a timestamp: UTC with milliseconds.
pub(crate) fn moment(at: Timestamp) -> Scalar {
    Scalar::Text(at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// Through which door, as it is stored.
pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Rest => "rest",
        Origin::Mcp => "mcp",
        Origin::Cli => "cli",
        Origin::System => "system",
    }
}

/// What a client calls itself is its own business, but not without end.
pub(crate) fn clipped(text: &str) -> String {
    text.chars().take(255).collect()
}
