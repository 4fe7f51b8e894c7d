//! An access token (a row of `loggia_tokens`) as it is used: what it narrows, from where and until when it counts.

use jiff::Timestamp;
use loggia_access::{IpAccess, TokenFacts, TokenMode};
use loggia_model::error::{FORBIDDEN, TOKEN_EXPIRED};
use loggia_model::{Problem, Record};
use serde_json::Value;

use crate::account::{Narrowing, RequestFacts, RightsRows, list, text};

/// An access token. What of it cannot be read allows nothing.
#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) facts: TokenFacts,
    /// `None`: everything that its owner may.
    pub(crate) narrowing: Option<Narrowing>,
    pub(crate) requests_per_minute: Option<u64>,
    expires: Option<Timestamp>,
    addresses: Option<IpAccess>,
}

impl AccessToken {
    /// Reads a row, and the policies that it names.
    pub(crate) fn stored(row: &Record, rows: &RightsRows) -> Self {
        let given = |name: &str| row.get(name).filter(|value| !value.is_null());
        let limit = |name: &str| given(name).map(|limit| limit.as_u64().unwrap_or(0));
        let keys = |policies: &Value| -> Vec<String> {
            let entries = policies.as_array().into_iter().flatten();
            entries.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mode = match text(row, "mode").as_deref() {
            Some("direct") => TokenMode::Direct,
            _ => TokenMode::Propose,
        };
        Self {
            facts: TokenFacts {
                id: text(row, "id").unwrap_or_default(),
                name: text(row, "name").unwrap_or_default(),
                mode,
                changed_rows_per_hour: limit("changed_rows_per_hour"),
            },
            narrowing: given("policies").map(|policies| Narrowing::of(&keys(policies), rows)),
            requests_per_minute: limit("requests_per_minute"),
            expires: given("expires").map(|end| {
                let end = end.as_str().and_then(|end| end.parse().ok());
                end.unwrap_or(Timestamp::UNIX_EPOCH)
            }),
            addresses: IpAccess::read(list(row.get("ip_access"))),
        }
    }

    /// Whether it counts now, and from there.
    pub(crate) fn admit(&self, facts: &RequestFacts, now: Timestamp) -> Result<(), Problem> {
        if self.expires.is_some_and(|end| now >= end) {
            return Err(Problem::new(&TOKEN_EXPIRED, "The access token has expired.")
                .hint("Rotate it (POST /tokens/:id/rotate with a lifespan) or make another one."));
        }
        let admitted = self.addresses.as_ref().is_none_or(|list| list.admits(facts.ip));
        if !admitted {
            return Err(
                Problem::new(&FORBIDDEN, "The access token is not accepted from this address.").hint(
                    "Use it from an address that it was made for, or ask its owner to change its ip_access.",
                ),
            );
        }
        Ok(())
    }
}
