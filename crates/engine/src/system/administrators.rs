//! Somebody must remain who may do everything: the last administrator cannot be removed, suspended or demoted. And
//! roles form a tree, never a ring.

use std::collections::{HashMap, HashSet};

use loggia_access::{Caller, IpAccess, Permit};
use loggia_model::error::{FORBIDDEN, UNPROCESSABLE_CONTENT};
use loggia_model::plan::Plan;
use loggia_model::{Filter, Problem, Record};
use serde_json::Value;

use super::Written;
use super::granting::Held;
use crate::Error;
use crate::changes::{Noted, Recorder};
use crate::query::plain_read;

/// The collections that say who is an administrator.
const DECISIVE: [&str; 4] = [
    "directus_users",
    "directus_roles",
    "directus_policies",
    "directus_access",
];

/// Who is an administrator, and which roles make one.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    users: HashSet<String>,
    roles: HashSet<String>,
}

/// What says who is an administrator, as it is stored: by collection, in the order of [`DECISIVE`].
#[derive(Clone)]
pub(super) struct Stored([Vec<Record>; DECISIVE.len()]);

impl Stored {
    async fn read(tx: &mut Recorder) -> Result<Self, Error> {
        Ok(Self([
            rows(tx, DECISIVE[0], &["id", "role", "status"]).await?,
            rows(tx, DECISIVE[1], &["id", "parent"]).await?,
            rows(tx, DECISIVE[2], &["id", "admin_access", "ip_access"]).await?,
            rows(tx, DECISIVE[3], &["id", "policy", "user", "role"]).await?,
        ]))
    }

    /// What was stored before the rows that were noted were written, whoever or whatever wrote them.
    fn before(&self, tx: &Recorder) -> Self {
        let mut before = self.clone();
        for (name, rows) in DECISIVE.into_iter().zip(&mut before.0) {
            let noted: HashMap<_, _> = of(tx, name).map(|noted| (noted.text, noted.before)).collect();
            rows.retain(|row| text(row, "id").is_none_or(|id| !noted.contains_key(id)));
            rows.extend(noted.into_values().flatten().cloned());
        }
        before
    }

    pub(super) fn users(&self) -> &[Record] {
        &self.0[0]
    }

    pub(super) fn roles(&self) -> &[Record] {
        &self.0[1]
    }

    /// The policies that allow everything.
    fn policies(&self) -> impl Iterator<Item = &Record> {
        let allows = |policy: &&Record| policy.get("admin_access") == Some(&Value::Bool(true));
        self.0[2].iter().filter(allows)
    }

    pub(super) fn access(&self) -> &[Record] {
        &self.0[3]
    }

    pub(super) fn parents(&self) -> HashMap<&str, &str> {
        let parents = self.roles().iter();
        parents
            .filter_map(|role| Some((text(role, "id")?, text(role, "parent")?)))
            .collect()
    }

    /// Who is an administrator, active or not.
    fn standing(&self) -> Standing {
        let policies: HashSet<&str> = self.policies().filter_map(|policy| text(policy, "id")).collect();
        let granted =
            |access: &&Record| text(access, "policy").is_some_and(|policy| policies.contains(policy));
        let (mut users, mut direct) = (HashSet::new(), HashSet::new());
        for access in self.access().iter().filter(granted) {
            users.extend(text(access, "user"));
            direct.extend(text(access, "role"));
        }
        let parents = self.parents();
        let ids = self.roles().iter().filter_map(|role| text(role, "id"));
        let roles: HashSet<_> = ids.filter(|role| inherits(role, &direct, &parents)).collect();
        let is_admin = |user: &&Record| {
            text(user, "id").is_some_and(|id| users.contains(id))
                || text(user, "role").is_some_and(|role| roles.contains(role))
        };
        Standing {
            users: self
                .users()
                .iter()
                .filter(is_admin)
                .filter_map(|user| Some(text(user, "id")?.to_owned()))
                .collect(),
            roles: roles.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether an administrator is there who may sign in.
    fn has_active(&self, standing: &Standing) -> bool {
        let mut active = self
            .users()
            .iter()
            .filter(|user| text(user, "status") == Some("active"));
        active.any(|user| text(user, "id").is_some_and(|id| standing.users.contains(id)))
    }
}

/// What was noted of one collection.
fn of<'t>(tx: &'t Recorder, name: &'t str) -> impl Iterator<Item = Noted<'t>> {
    tx.noted().filter(move |noted| noted.collection.name == name)
}

/// # Errors
/// When nobody would remain, roles would be above themselves, the caller would shut themselves out, somebody who is no
/// administrator changed or made one, or a request on somebody's behalf made one or granted what it does not have.
pub(super) async fn remain(tx: &mut Recorder, written: Written) -> Result<(), Error> {
    if !tx
        .noted()
        .any(|noted| DECISIVE.contains(&noted.collection.name.as_str()))
    {
        return Ok(());
    }
    let after = Stored::read(tx).await?;
    if let Some(role) = in_a_ring(&after.parents()) {
        let message = format!("The role {role} would be above itself. Nothing was changed.");
        let problem = Problem::new(&UNPROCESSABLE_CONTENT, message).at("parent");
        return Err(problem
            .hint("Choose a parent that is not among the role's own children.")
            .into());
    }
    let before = after.before(tx);
    let (then, now) = (before.standing(), after.standing());
    let caller = tx.caller();
    if caller.is_narrowed() {
        Held::of(&before).grants_only_its_own(caller, &Held::of(&after))?;
    }
    if !caller.is_admin() {
        return unchanged(tx, &then, &now);
    }
    if caller.is_delegated() {
        made_none(&then, &now)?;
    }
    stays_in(caller, tx, &after)?;
    // While nobody is signed in (the first start, the command line), there may be no administrator yet.
    if caller.user().is_none() || after.has_active(&now) {
        return Ok(());
    }
    // New rows take nothing from anybody; and where nobody was an administrator, only who changes users themselves must
    // make one.
    let changed = |name: &&str| of(tx, name).any(|noted| noted.before.is_some() && !noted.cascaded);
    let taken = written == Written::Rows && DECISIVE.iter().any(changed);
    if !before.has_active(&then) && !taken {
        return Ok(());
    }
    let message = "No active administrator would remain. Nothing was changed.";
    let hint = "Make another user an active administrator first.";
    Err(Problem::new(&UNPROCESSABLE_CONTENT, message).hint(hint).into())
}

/// Somebody who is no administrator neither changes nor makes one, nor a role that makes one; nor does the database for
/// them.
fn unchanged(tx: &Recorder, before: &Standing, after: &Standing) -> Result<(), Error> {
    let either = |key: &str, set: fn(&Standing) -> &HashSet<String>| {
        set(before).contains(key) || set(after).contains(key)
    };
    // A column that the database empties is one that was added: of it, nobody is an administrator.
    let written = |name| {
        of(tx, name)
            .filter(|noted| !noted.cascaded)
            .map(|noted| noted.text)
    };
    let of_users = written("directus_users").any(|key| either(key, |standing| &standing.users));
    let of_roles = written("directus_roles").any(|key| either(key, |standing| &standing.roles));
    if of_users || of_roles || before != after {
        return Err(Problem::forbidden().into());
    }
    Ok(())
}

/// Administrators are made by people.
fn made_none(before: &Standing, after: &Standing) -> Result<(), Problem> {
    if after.users.is_subset(&before.users) {
        return Ok(());
    }
    let message = "Administrators are made by people: not by an access token, and not by an assistant. Nothing was changed.";
    Err(Problem::new(&FORBIDDEN, message)
        .hint("An administrator does this signed in (POST /auth/login), and not over MCP."))
}

/// An administrator must not shut themselves out by the addresses that their policies count from.
fn stays_in(caller: &Caller, tx: &Recorder, stored: &Stored) -> Result<(), Error> {
    let claims = caller.claims();
    let (Some(user), Some(ip)) = (claims.user.as_deref(), claims.ip) else {
        return Ok(());
    };
    if of(tx, "directus_policies").next().is_none() {
        return Ok(());
    }
    let held = |policy: &&Record| {
        stored.access().iter().any(|access| {
            let by_role = text(access, "role").is_some_and(|role| claims.roles.iter().any(|own| own == role));
            text(access, "policy") == text(policy, "id") && (text(access, "user") == Some(user) || by_role)
        })
    };
    let mut held = stored.policies().filter(held).peekable();
    let admits = |policy: &Record| {
        let entries: Vec<&str> = match policy.get("ip_access") {
            Some(Value::Array(entries)) => entries.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(entries)) => entries.split(',').collect(),
            _ => Vec::new(),
        };
        IpAccess::read(entries).is_none_or(|access| access.admits(Some(ip)))
    };
    if held.peek().is_none() || held.any(admits) {
        return Ok(());
    }
    let message = format!(
        "You would shut yourself out: your address {ip} would not be among those in `ip_access`. Nothing was changed."
    );
    let problem = Problem::new(&UNPROCESSABLE_CONTENT, message).at("ip_access");
    Err(problem
        .hint(format!("Add {ip}, or a network that it belongs to."))
        .into())
}

/// Whether a role or one of those above it is among `direct`.
fn inherits(role: &str, direct: &HashSet<&str>, parents: &HashMap<&str, &str>) -> bool {
    let above = std::iter::successors(Some(role), |role| parents.get(role).copied());
    // Another program may have left a ring.
    above.take(parents.len() + 1).any(|role| direct.contains(role))
}

/// A role that is its own ancestor.
fn in_a_ring<'r>(parents: &HashMap<&'r str, &'r str>) -> Option<&'r str> {
    parents.keys().copied().find(|start| {
        let mut role = *start;
        for _ in 0..=parents.len() {
            match parents.get(role) {
                Some(parent) if parent == start => return true,
                Some(parent) => role = parent,
                None => return false,
            }
        }
        false
    })
}

async fn rows(tx: &mut Recorder, collection: &str, fields: &[&str]) -> Result<Vec<Record>, Error> {
    let schema = tx.schema().clone();
    let Some(collection) = schema.collection(collection) else {
        return Ok(Vec::new());
    };
    let fields: Vec<_> = fields
        .iter()
        .filter_map(|name| collection.field(name).cloned())
        .collect();
    let plan = Plan::Read(plain_read(collection, &fields, Filter::All));
    let reason = "who is an administrator does not depend on who asks";
    Ok(tx.run(Permit::system(reason, plan)).await?.into_rows())
}

pub(super) fn text<'r>(row: &'r Record, name: &str) -> Option<&'r str> {
    row.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_found_and_chains_are_not() {
        let check = |parents: &[(&str, &str)], expect: bool| {
            let parents: HashMap<_, _> = parents.iter().copied().collect();
            assert_eq!(in_a_ring(&parents).is_some(), expect, "{parents:?}");
        };
        check(&[("a", "b"), ("b", "c")], false);
        check(&[("a", "a")], true);
        check(&[("a", "b"), ("b", "a")], true);
        check(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")], true);
    }
}
