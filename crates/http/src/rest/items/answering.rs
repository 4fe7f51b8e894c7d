//! What a write answers: the items as they are now, as far as they may be read, and with `meta=receipt` what became of
//! what was sent. The header `Loggia-Change` names the change in any case (`entrance`).

use axum::http::StatusCode;
use axum::response::Response;
use loggia_access::{Action, Caller};
use loggia_engine::items::{Deletes, Receipt, WriteOptions, Written};
use loggia_model::error::{INVALID_QUERY, nearest};
use loggia_model::{Problem, Problems, Query};
use serde_json::{Map, Value, json};

use crate::App;
use crate::answer::{self, Refusal};

/// The only thing that `meta` names for a write.
pub(crate) const RECEIPT: &str = "receipt";

/// How a write is answered.
pub(in crate::rest) struct Answering {
    /// For the engine.
    pub(in crate::rest) options: WriteOptions,
    caller: Caller,
    receipt: bool,
}

impl Answering {
    /// The query string of a write shapes its answer.
    ///
    /// # Errors
    /// What is wrong with the query string.
    pub(in crate::rest) async fn of(
        app: &App,
        caller: &Caller,
        collection: &str,
        mut query: Map<String, Value>,
    ) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let receipt = problems.take(receipt(query.shift_remove("meta")));
        let returning = problems.take(Query::from_json(&Value::Object(query)));
        let (receipt, returning) = problems.or((receipt.unwrap_or_default(), returning))?;
        let may_read = {
            let schema = app.engine().schema();
            let grants = app.engine().grants(caller).await?;
            let collection = schema.collection(collection);
            collection.is_some_and(|collection| grants.may(Action::Read, collection))
        };
        Ok(Self {
            options: WriteOptions {
                deletes: Deletes::Allowed,
                // Whoever may write what they may not read gets no rows back.
                returning: returning.filter(|_| may_read),
                reserve_keys: true,
                ..WriteOptions::default()
            },
            caller: caller.clone(),
            receipt,
        })
    }

    /// The rows of a write of many.
    pub(super) fn many(&self, written: &Written) -> Response {
        let data = self.options.returning.is_some().then_some(&written.rows);
        self.answer(data.map(|rows| json!(rows)), &written.receipt)
    }

    /// The row of a write of one.
    pub(in crate::rest) fn one(&self, written: &Written) -> Response {
        self.answer(written.rows.first().map(|row| json!(row)), &written.receipt)
    }

    /// Nothing but the receipt: of what is deleted there is nothing to show.
    pub(super) fn none(&self, written: &Written) -> Response {
        self.answer(None, &written.receipt)
    }

    fn answer(&self, data: Option<Value>, receipt: &Receipt) -> Response {
        let mut body = Map::new();
        body.extend(data.map(|data| ("data".to_owned(), data)));
        if self.receipt {
            let mut shown = show(receipt);
            shown["change"] = self.caller.attribution().change.get().map(String::as_str).into();
            body.insert("meta".to_owned(), json!({ RECEIPT: shown }));
        }
        if body.is_empty() {
            return answer::no_content();
        }
        answer::json(StatusCode::OK, &body)
    }
}

/// Whether `meta` asks for the receipt.
fn receipt(meta: Option<Value>) -> Result<bool, Problem> {
    let names: Vec<String> = match meta {
        None => return Ok(false),
        Some(Value::String(names)) => names.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(Value::Array(names)) => names
            .iter()
            .map(|name| name.as_str().unwrap_or_default().to_owned())
            .collect(),
        Some(_) => vec![String::new()],
    };
    match names.iter().find(|name| *name != RECEIPT) {
        None => Ok(true),
        Some(other) => {
            let hint = match nearest(other, [RECEIPT]) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => "`meta` of a write is `receipt`: what was applied, filled in, stored differently and changed. Counts belong to reads.".to_owned(),
            };
            Err(Problem::new(&INVALID_QUERY, "A write has no such figure.")
                .at("meta")
                .hint(hint))
        }
    }
}

/// Paths are those that errors have.
fn show(receipt: &Receipt) -> Value {
    let defaulted = receipt
        .defaulted
        .iter()
        .map(|(path, value)| (path.clone(), value.clone()));
    let coerced = receipt
        .coerced
        .iter()
        .map(|one| json!({"path": one.path, "from": one.from, "to": one.to}));
    let changed = receipt.changed.iter().map(|(collection, changed)| {
        let counts =
            json!({"created": changed.created, "updated": changed.updated, "deleted": changed.deleted});
        (collection.clone(), counts)
    });
    json!({
        "applied": receipt.applied,
        "defaulted": defaulted.collect::<Map<_, _>>(),
        "coerced": coerced.collect::<Vec<_>>(),
        "changed": changed.collect::<Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_of_a_write_is_the_receipt_or_nothing() {
        let check = |meta: Option<Value>, expect: Option<bool>| {
            assert_eq!(receipt(meta.clone()).ok(), expect, "{meta:?}");
        };
        check(None, Some(false));
        check(Some(json!("receipt")), Some(true));
        check(Some(json!(["receipt"])), Some(true));
        check(Some(json!("receipts")), None);
        check(Some(json!("receipt,total_count")), None);
        check(Some(json!("*")), None);
        check(Some(json!({"receipt": true})), None);
        check(Some(json!("")), None);
    }
}
