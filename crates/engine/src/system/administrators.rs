//! Somebody must remain who may do everything.

use std::collections::HashSet;
use std::sync::Arc;

use loggia_access::Permit;
use loggia_model::filter::Test;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::{Collection, Filter, Problem, Record, Scalar, error, system};
use loggia_store::Tx;
use serde_json::Value;

use crate::Error;

/// Refuses to leave the tables without an active administrator, and roles that are their own ancestors.
pub(super) async fn verify(tx: &mut Tx) -> Result<(), Error> {
    let policies = read(tx, "directus_policies", &["id"], |policies| is(policies, "admin_access", Scalar::Bool(true))).await?;
    let granting: HashSet<String> = policies.iter().filter_map(|row| text(row, "id")).collect();
    let access = read(tx, "directus_access", &["policy", "role", "user"], |_| Some(Filter::All)).await?;
    let grants = || access.iter().filter(|row| text(row, "policy").is_some_and(|policy| granting.contains(&policy)));
    let users: HashSet<String> = grants().filter_map(|row| text(row, "user")).collect();
    let roles: HashSet<String> = grants().filter_map(|row| text(row, "role")).collect();
    let tree = read(tx, "directus_roles", &["id", "parent"], |_| Some(Filter::All)).await?;
    let roles = with_descendants(roles, &tree)?;
    let active = read(tx, "directus_users", &["id", "role"], |users| is(users, "status", Scalar::from("active"))).await?;
    let remains = active.iter().any(|row| {
        text(row, "id").is_some_and(|id| users.contains(&id)) || text(row, "role").is_some_and(|role| roles.contains(&role))
    });
    if remains {
        return Ok(());
    }
    let message = "No active administrator would remain.";
    Err(Problem::new(&error::INVALID_PAYLOAD, message).hint("Make another active user an administrator first.").into())
}

/// The roles that inherit from `roles`, themselves included: policies of a role hold for its children.
fn with_descendants(mut roles: HashSet<String>, tree: &[Record]) -> Result<HashSet<String>, Problem> {
    let parent = |id: &str| tree.iter().find(|row| text(row, "id").as_deref() == Some(id)).and_then(|row| text(row, "parent"));
    for id in tree.iter().filter_map(|row| text(row, "id")) {
        let mut line = vec![id];
        while let Some(next) = line.last().and_then(|last| parent(last)) {
            if line.contains(&next) {
                return Err(Problem::new(&error::INVALID_PAYLOAD, "A role cannot be its own ancestor.")
                    .at("parent")
                    .hint("Choose a parent that is not below this role."));
            }
            line.push(next);
        }
        if line.iter().any(|role| roles.contains(role)) {
            roles.extend(line.into_iter().take(1));
        }
    }
    Ok(roles)
}

fn is(collection: &Collection, field: &str, value: Scalar) -> Option<Filter> {
    Some(Filter::field(collection.field(field)?, Test::Equal(value)))
}

async fn read(
    tx: &mut Tx,
    name: &str,
    columns: &[&str],
    filter: impl FnOnce(&Collection) -> Option<Filter>,
) -> Result<Vec<Record>, Error> {
    let Some(definition) = system::collection(name) else { return Ok(Vec::new()) };
    let collection = Arc::new(definition.collection());
    let select = columns.iter().filter_map(|column| collection.field(column)).map(|field| Selected {
        alias: field.name.clone(),
        source: Source::Field(field.clone()),
    });
    let plan = Plan::Read(ReadPlan {
        select: select.collect(),
        filter: filter(&collection).unwrap_or(Filter::Nothing),
        sort: Vec::new(),
        limit: None,
        offset: 0,
        collection,
    });
    Ok(tx.run(Permit::system("an administrator must remain", plan)).await?.into_rows())
}

fn text(row: &Record, name: &str) -> Option<String> {
    row.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rights_go_down_the_tree_of_roles() {
        let row = |id: &str, parent: Option<&str>| json!({"id": id, "parent": parent}).as_object().cloned().unwrap();
        let tree = [row("a", None), row("b", Some("a")), row("c", Some("b")), row("d", None)];
        let found = with_descendants(HashSet::from(["a".to_owned()]), &tree).unwrap();
        assert_eq!(found, HashSet::from(["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        let circle = [row("a", Some("b")), row("b", Some("a"))];
        assert!(with_descendants(HashSet::new(), &circle).is_err());
    }
}
