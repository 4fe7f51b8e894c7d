//! What access tokens may write: at all, and within an hour.

use jiff::{SignedDuration, Timestamp};
use loggia_access::{Caller, TokenFacts, TokenMode};
use loggia_model::error::{FORBIDDEN, REQUESTS_EXCEEDED};
use loggia_model::field_types::calendar;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{ReadPlan, Selected, Sort, Source};
use loggia_model::{Filter, Problem, Record, Scalar};
use serde_json::Value;

use crate::recorder::Recorder;
use crate::tables::{column, table};

/// Refuses callers whose token only proposes.
///
/// # Errors
/// Where it does, and what to do instead.
pub fn writes_directly(caller: &Caller) -> Result<(), Problem> {
    match &caller.claims().token {
        Some(token) if token.mode == TokenMode::Propose => {
            let message = "This token only proposes changes; nothing was changed.";
            let hint = "Tell the person you work for what to change: they have to do it, or use a token of mode `direct`.";
            Err(Problem::new(&FORBIDDEN, message).hint(hint))
        }
        _ => Ok(()),
    }
}

pub(crate) fn limited(recorder: &Recorder) -> Option<(&TokenFacts, u64)> {
    let token = recorder.caller.claims().token.as_ref()?;
    Some((token, token.changed_rows_per_hour?))
}

/// How long what was spent counts.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What a token has changed within the last hour.
pub(crate) fn spent(token: &str, now: Timestamp) -> Result<ReadPlan, Problem> {
    let name = "loggia_changes";
    let (by, at, rows) = (
        column(name, "token")?,
        column(name, "timestamp")?,
        column(name, "rows")?,
    );
    let since = now.saturating_sub(HOUR).unwrap_or(Timestamp::MIN);
    let since = Scalar::from(calendar::timestamp(since));
    Ok(ReadPlan {
        collection: table(name)?.clone(),
        select: [&at, &rows]
            .map(|field| Selected::new(field.name.as_str(), Source::Field(field.clone())))
            .into(),
        filter: Filter::field(&by, Test::Equal(Scalar::from(token)))
            .and(Filter::field(&at, Test::Greater(since))),
        sort: vec![Sort {
            operand: Operand::Field(at),
            descending: false,
        }],
        limit: None,
        offset: 0,
    })
}

/// Whether the caller's token may change so many rows more.
pub(crate) fn budget(recorder: &Recorder, spent: &[Record], more: u64) -> Result<(), Problem> {
    writes_directly(&recorder.caller)?;
    let Some((token, most)) = limited(recorder) else {
        return Ok(());
    };
    let rows = |row: &Record| row.get("rows").and_then(Value::as_u64).unwrap_or(0);
    let sum: u64 = spent.iter().map(rows).sum();
    if sum + more <= most {
        return Ok(());
    }
    let message = format!(
        "The access token {:?} may change {most} rows in an hour: {sum} are spent, and this would change {more}.",
        token.name
    );
    let problem = Problem::new(&REQUESTS_EXCEEDED, message)
        .with("limit", most)
        .with("spent", sum);
    if more > most {
        return Err(problem.hint(format!(
            "Nothing was changed. Change at most {most} rows at once."
        )));
    }
    let mut left = sum;
    let freeing = spent.iter().find(|row| {
        left -= rows(row);
        left + more <= most
    });
    let at = freeing.and_then(|row| row.get("timestamp")?.as_str()?.parse::<Timestamp>().ok());
    let free = at
        .and_then(|at| at.checked_add(HOUR).ok())
        .map(calendar::timestamp);
    let free = free.unwrap_or_default();
    Err(problem
        .with("free_at", free.as_str())
        .hint(format!("Nothing was changed. Enough is free again at {free}.")))
}
