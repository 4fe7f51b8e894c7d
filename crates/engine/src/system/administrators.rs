//! Somebody must remain who may do everything: the last administrator cannot be removed, suspended or demoted. And
//! roles form a tree, never a ring.

use std::collections::{HashMap, HashSet};

use loggia_access::decide;
use loggia_model::error::UNPROCESSABLE_CONTENT;
use loggia_model::filter::Test;
use loggia_model::plan::Plan;
use loggia_model::{Filter, Problem, Record, Scalar};
use serde_json::Value;

use crate::Error;
use crate::items::writer::Writer;
use crate::query::{Resolver, plain_read};

/// The collections that say who is an administrator.
const DECISIVE: [&str; 4] = [
    "directus_users",
    "directus_roles",
    "directus_policies",
    "directus_access",
];

/// # Errors
/// When nobody would remain, or roles would be above themselves.
pub(super) async fn remain(on: &Resolver<'_>, writer: &mut Writer<'_>) -> Result<(), Error> {
    if !DECISIVE.iter().any(|name| writer.touched.contains_key(*name)) {
        return Ok(());
    }
    let roles = rows(on, writer, "directus_roles", &["id", "parent"], None).await?;
    let parents: HashMap<&str, &str> = roles
        .iter()
        .filter_map(|role| Some((text(role, "id")?, text(role, "parent")?)))
        .collect();
    if let Some(role) = in_a_ring(&parents) {
        let message = format!("The role {role} would be above itself. Nothing was changed.");
        let problem = Problem::new(&UNPROCESSABLE_CONTENT, message).at("parent");
        return Err(problem
            .hint("Choose a parent that is not among the role's own children.")
            .into());
    }
    // New rows take nothing from anybody; and while nobody is signed in (the first start, the command line), there may
    // be no administrator yet.
    let taken = DECISIVE.iter().any(|name| writer.changed_existing(name));
    if !taken || writer.grants.caller().user().is_none() {
        return Ok(());
    }
    let admin = ("admin_access", Test::Equal(Scalar::Bool(true)));
    let policies = rows(on, writer, "directus_policies", &["id"], Some(admin)).await?;
    let policies: HashSet<&str> = policies.iter().filter_map(|policy| text(policy, "id")).collect();
    let access = rows(on, writer, "directus_access", &["policy", "user", "role"], None).await?;
    let granted = |access: &&Record| text(access, "policy").is_some_and(|policy| policies.contains(policy));
    let mut users = HashSet::new();
    let mut direct = HashSet::new();
    for access in access.iter().filter(granted) {
        users.extend(text(access, "user"));
        direct.extend(text(access, "role"));
    }
    let active = ("status", Test::Equal("active".into()));
    let known = rows(on, writer, "directus_users", &["id", "role"], Some(active)).await?;
    let is_admin = |user: &Record| {
        text(user, "id").is_some_and(|id| users.contains(id))
            || text(user, "role").is_some_and(|role| inherits(role, &direct, &parents))
    };
    if known.iter().any(is_admin) {
        return Ok(());
    }
    let message = "No active administrator would remain. Nothing was changed.";
    let hint = "Make another user an active administrator first.";
    Err(Problem::new(&UNPROCESSABLE_CONTENT, message).hint(hint).into())
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
    writer: &mut Writer<'_>,
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
    Ok(writer.tx.run(decide(writer.grants, plan)?).await?.into_rows())
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
