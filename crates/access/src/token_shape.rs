//! What an access token (a row of `loggia_tokens`) may do, and in which ways that is more than another one may.

use jiff::Timestamp;
use loggia_model::Record;
use serde_json::Value;

use crate::IpAccess;

/// What an access token may do. What of a stored one cannot be read allows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenShape {
    /// The key of its owner.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// `None`: everything that the owner may.
    pub policies: Option<Vec<String>>,
    /// `None`: it never ends.
    pub expires: Option<Timestamp>,
    /// Empty: from everywhere.
    pub ip_access: Vec<String>,
    /// `None`: any number.
    pub requests_per_minute: Option<i64>,
    /// `None`: any number.
    pub changed_rows_per_hour: Option<i64>,
    /// `direct` or `propose`.
    pub mode: String,
}

impl TokenShape {
    /// A token that may do whatever its owner may.
    #[must_use]
    pub fn of_owner(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            name: String::new(),
            policies: None,
            expires: None,
            ip_access: Vec::new(),
            requests_per_minute: None,
            changed_rows_per_hour: None,
            mode: "direct".to_owned(),
        }
    }

    /// What a stored row says.
    #[must_use]
    pub fn stored(row: &Record) -> Self {
        let text = |name: &str| {
            row.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let texts = |value: &Value| {
            let entries = value.as_array().into_iter().flatten();
            entries
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let given = |name: &str| row.get(name).filter(|value| !value.is_null());
        Self {
            user: text("user"),
            name: text("name"),
            policies: given("policies").map(texts),
            expires: given("expires").map(|at| {
                let moment = at.as_str().and_then(|at| at.parse().ok());
                moment.unwrap_or(Timestamp::UNIX_EPOCH)
            }),
            ip_access: given("ip_access").map(texts).unwrap_or_default(),
            requests_per_minute: given("requests_per_minute").map(|n| n.as_i64().unwrap_or(0)),
            changed_rows_per_hour: given("changed_rows_per_hour").map(|n| n.as_i64().unwrap_or(0)),
            mode: text("mode"),
        }
    }

    /// Whether it allows nothing that `other` does not.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.beyond(other).is_empty()
    }

    /// By the names of its columns: in which ways it allows more than `other` does. Whose they are is not looked at.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Vec<&'static str> {
        let more =
            |own: Option<i64>, held: Option<i64>| held.is_some_and(|held| own.is_none_or(|own| own > held));
        let policies = other.policies.as_ref().is_some_and(|held| {
            let own = self.policies.as_deref();
            !own.is_some_and(|own| own.iter().all(|policy| held.contains(policy)))
        });
        let expires = other
            .expires
            .is_some_and(|end| self.expires.is_none_or(|own| own > end));
        [
            ("policies", policies),
            ("expires", expires),
            (
                "ip_access",
                !is_within_addresses(&self.ip_access, &other.ip_access),
            ),
            (
                "requests_per_minute",
                more(self.requests_per_minute, other.requests_per_minute),
            ),
            (
                "changed_rows_per_hour",
                more(self.changed_rows_per_hour, other.changed_rows_per_hour),
            ),
            ("mode", other.mode != "direct" && self.mode == "direct"),
        ]
        .into_iter()
        .filter_map(|(name, more)| more.then_some(name))
        .collect()
    }
}

/// Whether a list of addresses admits none that another one does not.
pub(crate) fn is_within_addresses(own: &[String], other: &[String]) -> bool {
    let read = |entries: &[String]| IpAccess::read(entries.iter().map(String::as_str));
    match (read(own), read(other)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(own), Some(other)) => own.is_within(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(change: impl FnOnce(&mut TokenShape)) -> TokenShape {
        let mut shape = TokenShape::of_owner("u");
        change(&mut shape);
        shape
    }

    #[test]
    fn what_is_more_is_found() {
        let at = |second: i64| Some(Timestamp::from_second(second).unwrap());
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let check = |own: TokenShape, other: &TokenShape, expect: &[&str]| {
            assert_eq!(own.beyond(other), expect, "{own:?} in {other:?}");
        };
        let held = token(|held| {
            held.policies = some(&["a", "b"]);
            held.expires = at(100);
            held.ip_access = vec!["10.0.0.0/8".to_owned(), "192.0.2.1".to_owned()];
            held.requests_per_minute = Some(60);
            held.changed_rows_per_hour = Some(10);
        });
        let all = [
            "policies",
            "expires",
            "ip_access",
            "requests_per_minute",
            "changed_rows_per_hour",
        ];
        check(token(|_| ()), &held, &all);
        check(held.clone(), &held, &[]);
        check(held.clone(), &token(|_| ()), &[]);
        let narrower = |change: fn(&mut TokenShape)| {
            let mut own = held.clone();
            change(&mut own);
            own
        };
        check(narrower(|own| own.policies = Some(Vec::new())), &held, &[]);
        check(
            narrower(|own| own.policies = Some(vec!["c".to_owned()])),
            &held,
            &["policies"],
        );
        check(narrower(|own| own.policies = None), &held, &["policies"]);
        check(
            narrower(|own| own.expires = Timestamp::from_second(99).ok()),
            &held,
            &[],
        );
        check(
            narrower(|own| own.expires = Timestamp::from_second(101).ok()),
            &held,
            &["expires"],
        );
        for (addresses, expect) in [
            (vec!["192.0.2.1"], vec![]),
            (vec!["10.1.0.0/16", "10.0.0.1-10.0.0.9"], vec![]),
            (vec!["0.0.0.0/0"], vec!["ip_access"]),
            (vec![], vec!["ip_access"]),
        ] {
            let mut own = held.clone();
            own.ip_access = addresses.into_iter().map(str::to_owned).collect();
            check(own, &held, &expect);
        }
        check(
            narrower(|own| own.requests_per_minute = Some(61)),
            &held,
            &["requests_per_minute"],
        );
        let proposing = token(|held| held.mode = "propose".to_owned());
        check(token(|_| ()), &proposing, &["mode"]);
        check(proposing.clone(), &proposing, &[]);
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        let row = serde_json::json!({"user": "u", "name": "n", "policies": "x", "expires": "x", "mode": "x"});
        let shape = TokenShape::stored(row.as_object().unwrap());
        assert_eq!(shape.policies, Some(Vec::new()));
        assert_eq!(shape.expires, Some(Timestamp::UNIX_EPOCH));
    }
}
