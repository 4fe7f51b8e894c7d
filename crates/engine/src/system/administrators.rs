//! Somebody must remain who may do everything: the last administrator cannot be removed, suspended or demoted. And
//! roles form a tree, never a ring.

use std::collections::{HashMap, HashSet};

use std::sync::Arc;

use loggia_access::{IpAccess, Permit};
use loggia_model::error::UNPROCESSABLE_CONTENT;
use loggia_model::filter::Test;
use loggia_model::plan::Plan;
use loggia_model::{Collection, Filter, Problem, Record, Scalar};
use serde_json::Value;

use crate::Error;
use crate::changes::Recorder;
use crate::items::writer::Writer;
use crate::query::{Resolver, plain_read};

/// The collections that say who is an administrator.
const DECISIVE: [&str; 4] = [
    "directus_users",
    "directus_roles",
    "directus_policies",
    "directus_access",
];

/// Who is an administrator, and which roles make one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    users: HashSet<String>,
    roles: HashSet<String>,
}

/// What says who is an administrator, as it is stored.
struct Stored {
    users: Vec<Record>,
    roles: Vec<Record>,
    /// The policies that allow everything.
    policies: Vec<Record>,
    access: Vec<Record>,
}

impl Stored {
    async fn read(on: &Resolver<'_>, tx: &mut Recorder) -> Result<Self, Error> {
        let admin = ("admin_access", Test::Equal(Scalar::Bool(true)));
        Ok(Self {
            users: rows(on, tx, "directus_users", &["id", "role", "status"], None).await?,
            roles: rows(on, tx, "directus_roles", &["id", "parent"], None).await?,
            policies: rows(on, tx, "directus_policies", &["id", "ip_access"], Some(admin)).await?,
            access: rows(on, tx, "directus_access", &["policy", "user", "role"], None).await?,
        })
    }

    fn parents(&self) -> HashMap<&str, &str> {
        let parents = self.roles.iter();
        parents
            .filter_map(|role| Some((text(role, "id")?, text(role, "parent")?)))
            .collect()
    }

    /// Who is an administrator, active or not.
    fn standing(&self) -> Standing {
        let policies: HashSet<&str> = self
            .policies
            .iter()
            .filter_map(|policy| text(policy, "id"))
            .collect();
        let granted =
            |access: &&Record| text(access, "policy").is_some_and(|policy| policies.contains(policy));
        let (mut users, mut direct) = (HashSet::new(), HashSet::new());
        for access in self.access.iter().filter(granted) {
            users.extend(text(access, "user"));
            direct.extend(text(access, "role"));
        }
        let parents = self.parents();
        let ids = self.roles.iter().filter_map(|role| text(role, "id"));
        let roles: HashSet<_> = ids.filter(|role| inherits(role, &direct, &parents)).collect();
        let is_admin = |user: &&Record| {
            text(user, "id").is_some_and(|id| users.contains(id))
                || text(user, "role").is_some_and(|role| roles.contains(role))
        };
        Standing {
            users: self
                .users
                .iter()
                .filter(is_admin)
                .filter_map(|user| Some(text(user, "id")?.to_owned()))
                .collect(),
            roles: roles.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Who is an administrator before a write by somebody who is none; `None`: it cannot matter.
///
/// # Errors
/// When the database cannot be read.
pub(crate) async fn standing(
    on: &Resolver<'_>,
    tx: &mut Recorder,
    written: &[&Arc<Collection>],
) -> Result<Option<Standing>, Error> {
    let decisive = written
        .iter()
        .any(|collection| DECISIVE.contains(&collection.name.as_str()));
    if on.grants.is_admin() || !decisive {
        return Ok(None);
    }
    Ok(Some(Stored::read(on, tx).await?.standing()))
}

/// # Errors
/// When nobody would remain, roles would be above themselves, the caller would shut themselves out, or somebody who is
/// no administrator changed or made one.
pub(super) async fn remain(on: &Resolver<'_>, writer: &mut Writer<'_>) -> Result<(), Error> {
    if !DECISIVE.iter().any(|name| writer.touched.contains_key(*name)) {
        return Ok(());
    }
    let stored = Stored::read(on, &mut writer.tx).await?;
    if let Some(role) = in_a_ring(&stored.parents()) {
        let message = format!("The role {role} would be above itself. Nothing was changed.");
        let problem = Problem::new(&UNPROCESSABLE_CONTENT, message).at("parent");
        return Err(problem
            .hint("Choose a parent that is not among the role's own children.")
            .into());
    }
    let standing = stored.standing();
    if !writer.grants.is_admin() {
        return unchanged(writer, &standing);
    }
    stays_in(writer, &stored)?;
    // New rows take nothing from anybody; and while nobody is signed in (the first start, the command line), there may
    // be no administrator yet.
    let taken = DECISIVE.iter().any(|name| writer.changed_existing(name));
    if !taken || writer.grants.caller().user().is_none() {
        return Ok(());
    }
    let mut active = stored
        .users
        .iter()
        .filter(|user| text(user, "status") == Some("active"));
    if active.any(|user| text(user, "id").is_some_and(|id| standing.users.contains(id))) {
        return Ok(());
    }
    let message = "No active administrator would remain. Nothing was changed.";
    let hint = "Make another user an active administrator first.";
    Err(Problem::new(&UNPROCESSABLE_CONTENT, message).hint(hint).into())
}

/// Somebody who is no administrator neither changes nor makes one, nor a role that makes one.
fn unchanged(writer: &Writer<'_>, after: &Standing) -> Result<(), Error> {
    let Some(before) = &writer.standing else {
        return Err(Problem::forbidden().into());
    };
    let touched = |collection: &str| {
        let keys = writer.touched.get(collection).into_iter().flatten();
        keys.filter_map(Value::as_str)
    };
    let either = |key: &str, set: fn(&Standing) -> &HashSet<String>| {
        set(before).contains(key) || set(after).contains(key)
    };
    let of_users = touched("directus_users").any(|key| either(key, |standing| &standing.users));
    let of_roles = touched("directus_roles").any(|key| either(key, |standing| &standing.roles));
    if of_users || of_roles || before != after {
        return Err(Problem::forbidden().into());
    }
    Ok(())
}

/// An administrator must not shut themselves out by the addresses that their policies count from.
fn stays_in(writer: &Writer<'_>, stored: &Stored) -> Result<(), Error> {
    let claims = writer.grants.caller().claims();
    let (Some(user), Some(ip)) = (claims.user.as_deref(), claims.ip) else {
        return Ok(());
    };
    if !writer.touched.contains_key("directus_policies") {
        return Ok(());
    }
    let held = |policy: &&Record| {
        stored.access.iter().any(|access| {
            let by_role = text(access, "role").is_some_and(|role| claims.roles.iter().any(|own| own == role));
            text(access, "policy") == text(policy, "id") && (text(access, "user") == Some(user) || by_role)
        })
    };
    let mut held = stored.policies.iter().filter(held).peekable();
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
    let mut role = role;
    loop {
        if direct.contains(role) {
            return true;
        }
        match parents.get(role) {
            Some(parent) => role = parent,
            None => return false,
        }
    }
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

async fn rows(
    on: &Resolver<'_>,
    tx: &mut Recorder,
    collection: &str,
    fields: &[&str],
    test: Option<(&str, Test)>,
) -> Result<Vec<Record>, Error> {
    let Some(collection) = on.schema.collection(collection) else {
        return Ok(Vec::new());
    };
    let fields: Vec<_> = fields
        .iter()
        .filter_map(|name| collection.field(name).cloned())
        .collect();
    let filter = match test {
        Some((name, test)) => match collection.field(name) {
            Some(field) => Filter::field(field, test),
            None => Filter::All,
        },
        None => Filter::All,
    };
    let plan = Plan::Read(plain_read(collection, &fields, filter));
    let reason = "who is an administrator does not depend on who asks";
    Ok(tx.run(Permit::system(reason, plan)).await?.into_rows())
}

fn text<'r>(row: &'r Record, name: &str) -> Option<&'r str> {
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
