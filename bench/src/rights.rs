//! What permissions cost: reading as somebody with many rules beside reading as an administrator, and the first
//! answer after a permission has changed.

use crate::connection::{self, Connection};
use crate::load::{self, Counter, Effort, Measured};
use crate::newspaper;
use crate::report::Cost;
use crate::server::{Program, Running, Target};
use crate::workloads::{self, Workload};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Instant;

/// Rules on articles of the caller that is measured beside the administrator.
const RULES: usize = 20;
/// How many times as long as the administrator's a read with that many rules may take.
const RULES_WITHIN: f64 = 1.5;
/// Permissions of the caller whose first answer is measured.
const PERMISSIONS: usize = 500;
/// Most milliseconds of that answer.
const FIRST_WITHIN: f64 = 50.0;

/// Reads by key with twenty rules, beside the administrator's, in turns.
///
/// # Errors
/// When the server refuses something.
pub(crate) async fn many_rules(
    running: &Running,
    articles: u64,
    counter: &Counter,
    effort: &Effort,
) -> Result<Vec<Cost>> {
    let administrator = &running.target;
    let reader = caller(administrator, "rules", rules()).await?;
    let mut costs = Vec::new();
    for workload in [
        workloads::read_by_key(articles),
        workloads::rest_read_by_key(articles),
    ] {
        for connections in [1, 32] {
            let (mut of_reader, mut of_administrator) = (Vec::new(), Vec::new());
            for _ in 0..effort.rounds {
                for (target, rounds) in [(administrator, &mut of_administrator), (&reader, &mut of_reader)] {
                    let round = load::round(&workload, target, Some(running), connections, counter, effort);
                    rounds.push(round.await?);
                }
            }
            let beside = load::median(of_administrator);
            costs.push(beside_the_administrator(
                &workload,
                connections,
                &load::median(of_reader),
                &beside,
            ));
        }
    }
    Ok(costs)
}

fn beside_the_administrator(
    workload: &Workload,
    connections: usize,
    reader: &Measured,
    administrator: &Measured,
) -> Cost {
    Cost {
        what: format!("{} with {RULES} rules, {connections} connections", workload.name),
        milliseconds: reader.p50,
        beside: Some(("the administrator's", administrator.p50)),
        most: RULES_WITHIN,
    }
}

/// The first answer to a caller with many permissions after one of them has changed, on a server of its own.
///
/// # Errors
/// When the server refuses something.
pub(crate) async fn first_answer(program: &Program, effort: &Effort) -> Result<Cost> {
    const COLLECTIONS: u32 = 50;
    let folder = tempfile::tempdir()?;
    let running = program.start(folder.path()).await?;
    let target = &running.target;
    newspaper::add_collections(target, 0..COLLECTIONS).await?;
    let reader = caller(target, "permissions", permissions(COLLECTIONS)).await?;
    let permission = target
        .ask("GET", "/permissions?sort=-id&limit=1&fields=id", None)
        .await?;
    let path = permission
        .pointer("/0/id")
        .map(|key| format!("/permissions/{key}"))
        .context("no permission")?;
    let read = reader.request("GET", "/items/extra_000?limit=1", None);
    let mut connection = Connection::open(target.address).await?;
    let mut times = Vec::new();
    for round in 0..effort.starts.max(3) {
        // Another value each time: a change, whatever it says.
        let fields = if round % 2 == 0 {
            json!(["id", "title"])
        } else {
            json!(["id"])
        };
        target
            .ask("PATCH", &path, Some(&json!({ "fields": fields })))
            .await?;
        let began = Instant::now();
        let answer = connection.call(&read).await?;
        times.push(began.elapsed());
        connection::data("GET /items/extra_000", &answer)?;
    }
    running.stop().await?;
    times.sort_unstable();
    Ok(Cost {
        what: format!("first answer after a change of one of {PERMISSIONS} permissions"),
        milliseconds: load::milliseconds(times[times.len() / 2]),
        beside: None,
        most: FIRST_WITHIN,
    })
}

/// Reads of articles in twenty ways that overlap; the first two look at related items and grant what is checked.
fn rules() -> Vec<Value> {
    let read = |fields: &[&str], filter: Value| json!({ "collection": "articles", "action": "read", "fields": fields, "permissions": filter });
    let mut rules = vec![
        read(
            &["id", "title", "slug", "body"],
            json!({ "author": { "name": { "_starts_with": "Author" } } }),
        ),
        read(
            &["title", "views", "status"],
            json!({ "category": { "name": { "_neq": "Nothing" } } }),
        ),
    ];
    let fields = ["title", "published_on", "author", "category", "status", "slug"];
    for rule in rules.len()..RULES {
        let from = rule * 5_000;
        let filter = json!({ "_and": [{ "views": { "_between": [from, from + 10_000] } },
            { "status": { "_in": ["draft", "published"] } }] });
        rules.push(read(
            &[fields[rule % fields.len()], fields[rule / 2 % fields.len()]],
            filter,
        ));
    }
    rules
}

/// Ten permissions on each collection.
fn permissions(collections: u32) -> Vec<Value> {
    let actions = [
        "read", "read", "read", "read", "create", "create", "update", "update", "update", "delete",
    ];
    let each = PERMISSIONS / actions.len();
    (0..collections)
        .take(each)
        .flat_map(|number| {
            actions.iter().enumerate().map(move |(i, action)| {
                let filter = json!({ "_or": [{ "amount": { "_gt": i } }, { "day": { "_lt": "$NOW" } },
                    { "title": { "_icontains": "a" } }] });
                json!({ "collection": format!("extra_{number:03}"), "action": action,
                    "fields": ["id", "title", "body", "amount"],
                    "permissions": if *action == "create" { Value::Null } else { filter.clone() },
                    "validation": if *action == "create" { filter } else { Value::Null } })
            })
        })
        .collect()
}

/// A user of their own with these permissions.
async fn caller(administrator: &Target, name: &str, permissions: Vec<Value>) -> Result<Target> {
    let key = |made: &Value| made.get("id").cloned().context("no key");
    let policy = json!({ "name": format!("Benchmark: {name}") });
    let policy = key(&administrator
        .ask("POST", "/policies?fields=id", Some(&policy))
        .await?)?;
    let rows = permissions.into_iter().map(|mut row| {
        row["policy"] = policy.clone();
        row
    });
    let rows: Value = rows.collect();
    administrator
        .ask("POST", "/permissions?fields=id", Some(&rows))
        .await?;
    let token = format!("bench-static-token-of-{name}");
    let user =
        json!({ "email": format!("{name}@example.com"), "password": "Benchmark-0f-Loggia!", "token": token });
    let user = key(&administrator.ask("POST", "/users?fields=id", Some(&user)).await?)?;
    let access = json!({ "user": user, "policy": policy });
    administrator
        .ask("POST", "/access?fields=id", Some(&access))
        .await?;
    Ok(Target {
        token,
        ..administrator.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_said() {
        assert_eq!(rules().len(), RULES);
        assert_eq!(permissions(50).len(), PERMISSIONS);
        let relational = |rule: &&Value| {
            !rule["permissions"]["author"].is_null() || !rule["permissions"]["category"].is_null()
        };
        assert_eq!(rules().iter().filter(relational).count(), 2);
    }
}
