//! What records cost: a change of many items by one request, and what takes it back.

use crate::load;
use crate::newspaper;
use crate::report::Cost;
use crate::server::Program;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;

/// How many times as long as the change what takes it back may last.
const REVERT_WITHIN: f64 = 3.0;

/// Changes every article by one request and takes that back, on a server of its own: first where all of them had the same
/// value, then where each had another.
///
/// # Errors
/// When the server refuses something, or an article is not as it was before.
pub(crate) async fn there_and_back(program: &Program, articles: u64, rounds: usize) -> Result<Vec<Cost>> {
    let folder = tempfile::tempdir()?;
    let running = program.start(folder.path()).await?;
    let target = &running.target;
    newspaper::fill(target, articles).await?;
    let mut costs = Vec::new();
    for (field, what) in [("category", "20 values"), ("views", "another value each")] {
        let (mut changes, mut reverts) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let last = format!("/items/articles/{articles}?fields={field}");
            let before = target.ask("GET", &last, None).await?;
            let path = "/items/articles?fields=id&limit=1";
            let body =
                json!({ "query": { "filter": { "id": { "_nnull": true } } }, "data": { field: round + 3 } });
            let began = Instant::now();
            target.ask("PATCH", path, Some(&body)).await?;
            changes.push(began.elapsed());
            let changed = target.ask("GET", &last, None).await?;
            ensure!(
                changed == json!({ field: round + 3 }),
                "the change left {changed}"
            );
            let newest = target.ask("GET", "/changes?limit=1", None).await?;
            let id = newest
                .pointer("/0/id")
                .and_then(Value::as_str)
                .context("no change")?;
            let began = Instant::now();
            target
                .ask("POST", &format!("/changes/{id}/revert"), Some(&json!({})))
                .await?;
            reverts.push(began.elapsed());
            let after = target.ask("GET", &last, None).await?;
            ensure!(after == before, "{before} has become {after}");
        }
        changes.sort_unstable();
        reverts.sort_unstable();
        let change = load::milliseconds(changes[changes.len() / 2]);
        costs.push(Cost {
            what: format!("taking back a change of {articles} items that had {what}"),
            milliseconds: load::milliseconds(reverts[reverts.len() / 2]),
            beside: Some(("the change's", change)),
            most: REVERT_WITHIN,
        });
    }
    running.stop().await?;
    Ok(costs)
}
