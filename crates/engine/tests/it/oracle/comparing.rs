//! What the engine answers beside what the copy answers.

use std::collections::BTreeSet;

use loggia_access::Caller;
use loggia_engine::{Engine, Error};
use loggia_model::{Problem, Query};
use serde_json::Value;

use super::answers::{Answer, Question, answer};
use super::conditions::Refusal;
use super::copy::Copy;
use super::world::Who;

/// How a question went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Answered,
    Refused,
    /// It is not known what should be answered.
    Unsure,
}

/// Asks both.
///
/// # Errors
/// How their answers differ.
pub(super) async fn compare(
    engine: &Engine,
    caller: &Caller,
    who: &Who,
    copy: &Copy,
    full: &Copy,
    question: &Question,
) -> Result<Verdict, String> {
    let expected = answer(copy, who, question);
    if expected
        .as_ref()
        .is_err_and(|refusals| refusals.contains(&Refusal::Unsure))
    {
        return Ok(Verdict::Unsure);
    }
    let got = asked(engine, caller, question).await;
    match (got, expected) {
        (Ok(got), Ok(expected)) => {
            let (got, expected) = (normal(got), normal(expected));
            if got == expected {
                return Ok(Verdict::Answered);
            }
            Err(differing(&got, &expected))
        }
        (Err(error), Err(refusals)) => {
            let problems = error.problems().0;
            if bounded(&problems) {
                return Ok(Verdict::Unsure);
            }
            let codes: BTreeSet<_> = problems.iter().map(|problem| problem.code.name).collect();
            let expected: BTreeSet<_> = refusals
                .iter()
                .map(|refusal| match refusal {
                    Refusal::Unknown => "FORBIDDEN",
                    Refusal::Invalid | Refusal::Unsure => "INVALID_QUERY",
                })
                .collect();
            if codes != expected {
                return Err(format!(
                    "refused with {codes:?}, should be {expected:?}: {problems:?}"
                ));
            }
            told(&problems, copy, full, question)?;
            Ok(Verdict::Refused)
        }
        (Ok(got), Err(refusals)) => {
            let rows = Value::Array(got.rows);
            Err(format!("answered {rows}, should be refused: {refusals:?}"))
        }
        (Err(error), Ok(_)) if bounded(&error.problems().0) => Ok(Verdict::Unsure),
        (Err(error), Ok(expected)) => {
            let rows = Value::Array(expected.rows);
            Err(format!("refused with {:?}, should be {rows}", error.problems().0))
        }
    }
}

/// How much one query may ask for is not judged here.
fn bounded(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| {
        problem
            .message
            .starts_with("The fields follow too many relations")
    })
}

async fn asked(engine: &Engine, caller: &Caller, question: &Question) -> Result<Answer, Error> {
    let query = Query::from_json(&question.query)?;
    if let Some(key) = &question.key {
        let item = engine.read_item(caller, &question.collection, key, query).await?;
        return Ok(Answer {
            rows: vec![Value::Object(item)],
            total: None,
            matching: None,
        });
    }
    let page = engine.read_items(caller, &question.collection, query).await?;
    Ok(Answer {
        rows: page.rows.into_iter().map(Value::Object).collect(),
        total: page.total_count,
        matching: page.filter_count,
    })
}

/// Errors must not tell names that are not for this caller, unless the caller said them.
fn told(problems: &[Problem], copy: &Copy, full: &Copy, question: &Question) -> Result<(), String> {
    let known: BTreeSet<&str> = names(copy).collect();
    let said = format!("{} {}", question.collection, question.query);
    let said: BTreeSet<&str> = words(&said).collect();
    let hidden: BTreeSet<&str> = names(full)
        .filter(|name| !known.contains(name) && !said.contains(name))
        .collect();
    for problem in problems {
        // What goes over the wire: the table of codes has words of its own.
        let said = (
            &problem.message,
            &problem.path,
            &problem.hint,
            &problem.extensions,
        );
        let text = format!("{said:?}");
        if let Some(name) = words(&text).find(|word| hidden.contains(word)) {
            return Err(format!("tells `{name}`: {problem:?}"));
        }
    }
    Ok(())
}

fn names(copy: &Copy) -> impl Iterator<Item = &str> {
    copy.tables.iter().flat_map(|table| {
        let fields = table.fields.iter().map(|field| field.name.as_str());
        fields.chain([table.name.as_str()])
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

fn normal(answer: Answer) -> Answer {
    Answer {
        rows: answer.rows.into_iter().map(number_by_value).collect(),
        ..answer
    }
}

/// 1 and 1.0 are the same.
pub(super) fn number_by_value(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => whole.into(),
                (_, Ok(real)) if real.fract() == 0.0 && real.abs() < 1e15 => (real as i64).into(),
                (_, Ok(real)) => real.into(),
                _ => Value::Number(number),
            }
        }
        Value::Array(entries) => entries.into_iter().map(number_by_value).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, number_by_value(value)))
            .collect(),
        other => other,
    }
}

fn differing(got: &Answer, expected: &Answer) -> String {
    let list = |answer: &Answer| {
        let rows: Vec<_> = answer.rows.iter().map(|row| format!("  {row}\n")).collect();
        format!(
            "{}  total {:?}, matching {:?}",
            rows.concat(),
            answer.total,
            answer.matching
        )
    };
    format!("answered\n{}\nshould be\n{}", list(got), list(expected))
}
