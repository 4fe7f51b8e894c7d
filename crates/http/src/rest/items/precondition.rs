//! `If-Match` and `ETag` (RFC 9110 §8.8.3 and §13.1.1): an item's tag is its `_rev`.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use loggia_engine::items::WriteOptions;
use loggia_model::error::{INVALID_PAYLOAD, ITEM_CHANGED};
use loggia_model::{Collection, Problem, Record};
use serde_json::Value;

use crate::App;
use crate::answer::Refusal;

/// The member of an item that holds the tag.
pub(crate) const REV: &str = "_rev";

/// What a request demands of the item that it changes.
pub(super) struct IfMatch(Option<String>);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        let mut headers = parts.headers.get_all(IF_MATCH).iter();
        let header = headers.next();
        if headers.next().is_some() {
            return Err(unclear().into());
        }
        match header {
            None => Ok(Self(None)),
            Some(header) => Ok(Self(tag(header.to_str().map_err(|_| unclear())?)?)),
        }
    }
}

impl IfMatch {
    /// Hands the demand on to the engine.
    pub(super) fn demand(&self, options: &mut WriteOptions, key: &Value) {
        if let Some(tag) = &self.0 {
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            options.expect.insert(key, tag.clone());
        }
    }

    /// The same for the one item of a singleton.
    pub(super) fn demand_one(&self, options: &mut WriteOptions) {
        options.expect_one.clone_from(&self.0);
    }

    /// Where many items are written, a tag says nothing.
    ///
    /// # Errors
    /// That there is one.
    pub(super) fn is_for_one(&self) -> Result<(), Problem> {
        if self.0.is_none() {
            return Ok(());
        }
        Err(Problem::new(
            &INVALID_PAYLOAD,
            "If-Match is for one item, and here any number is written.",
        )
        .at("If-Match")
        .hint("Send the `_rev` of each item beside its key, or write the items one by one."))
    }

    /// An item that changed is 412 to who asked by header, and 409 to who asked by body.
    pub(super) fn refused(&self, error: loggia_engine::Error) -> Refusal {
        let refusal = Refusal::from(error);
        let changed = |problem: &Problem| problem.code == &ITEM_CHANGED;
        if self.0.is_some() && refusal.problems().0.iter().any(changed) {
            refusal.status(StatusCode::PRECONDITION_FAILED)
        } else {
            refusal
        }
    }
}

/// The one strong tag of a header; `*` demands nothing but that the item is there, which every change does.
fn tag(header: &str) -> Result<Option<String>, Problem> {
    let header = header.trim();
    if header == "*" {
        return Ok(None);
    }
    let tag = header.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let tag = tag.filter(|tag| !tag.is_empty() && !tag.contains('"'));
    tag.map(|tag| Some(tag.to_owned())).ok_or_else(unclear)
}

fn unclear() -> Problem {
    Problem::new(&INVALID_PAYLOAD, "If-Match holds one tag of the item.")
        .at("If-Match")
        .hint("Read the item with `_rev` among its fields, and send its ETag, with the quotes.")
}

/// Adds the tag of an item that was read with its `_rev`.
pub(super) fn tagged(mut response: Response, collection: Option<&Collection>, item: &Record) -> Response {
    let ours = collection.is_some_and(|collection| collection.field(REV).is_none());
    let tag = item.get(REV).filter(|_| ours).and_then(Value::as_str);
    let tag = tag.and_then(|tag| HeaderValue::from_str(&format!("\"{tag}\"")).ok());
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_strong_tag_is_understood() {
        let check = |header: &str, expect: Option<Option<&str>>| {
            let expect = expect.map(|tag| tag.map(str::to_owned));
            assert_eq!(tag(header).ok(), expect, "{header}");
        };
        check("\"5f70bf18a0860070\"", Some(Some("5f70bf18a0860070")));
        check(" \"0\" ", Some(Some("0")));
        check("*", Some(None));
        check("3", None);
        check("W/\"3\"", None);
        check("\"3\", \"4\"", None);
        check("\"+3\"", Some(Some("+3")));
        check("\"\"", None);
        check("\"", None);
        check("", None);
    }
}
