//! What a token may do, and whether that is more than another one may.

use jiff::Timestamp;
use loggia_access::Caller;
use loggia_model::error::FORBIDDEN;
use loggia_model::{Problem, Problems, Record};
use serde_json::Value;

use super::request::Wanted;

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) user: String,
    pub(super) name: String,
    /// `None`: everything that the owner may.
    pub(super) policies: Option<Vec<String>>,
    pub(super) expires: Option<Timestamp>,
    /// Empty: from everywhere.
    pub(super) ip_access: Vec<String>,
    pub(super) requests_per_minute: Option<i64>,
    pub(super) changed_rows_per_hour: Option<i64>,
    pub(super) mode: String,
}

impl Shape {
    /// A token that may do whatever its owner may.
    pub(super) fn of_owner(user: &str) -> Self {
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

    /// What a stored row says. What cannot be read allows nothing.
    pub(super) fn stored(row: &Record) -> Self {
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

    /// The same with what a request says put in its place.
    pub(super) fn changed(&self, wanted: &Wanted) -> Self {
        fn put<T: Clone>(new: &Option<T>, old: &T) -> T {
            new.as_ref().unwrap_or(old).clone()
        }
        Self {
            user: put(&wanted.user, &self.user),
            name: put(&wanted.name, &self.name),
            policies: put(&wanted.policies, &self.policies),
            expires: put(&wanted.expires, &self.expires),
            ip_access: put(&wanted.ip_access, &self.ip_access),
            requests_per_minute: put(&wanted.requests_per_minute, &self.requests_per_minute),
            changed_rows_per_hour: put(&wanted.changed_rows_per_hour, &self.changed_rows_per_hour),
            mode: put(&wanted.mode, &self.mode),
        }
    }

    /// Whether it allows nothing that `holder` does not.
    pub(super) fn is_within(&self, holder: &Self) -> bool {
        self.beyond(holder).0.is_empty()
    }

    /// In which ways it allows more than `holder` does. Whose tokens they are is not looked at.
    pub(super) fn beyond(&self, holder: &Self) -> Problems {
        let mut problems = Problems::default();
        let mut refuse = |path: &str, hint: &str| {
            let message = "A token cannot hand out more than it has itself.";
            problems.push(Problem::new(&FORBIDDEN, message).at(path).hint(hint));
        };
        if let Some(held) = &holder.policies {
            let own = self.policies.as_deref();
            if !own.is_some_and(|own| own.iter().all(|policy| held.contains(policy))) {
                refuse("policies", "Name some of the policies of the token that you use.");
            }
        }
        if let Some(end) = holder.expires
            && self.expires.is_none_or(|own| own > end)
        {
            refuse(
                "expires",
                "Name a moment no later than the end of the token that you use.",
            );
        }
        let listed = || {
            self.ip_access
                .iter()
                .all(|entry| holder.ip_access.contains(entry))
        };
        if !holder.ip_access.is_empty() && (self.ip_access.is_empty() || !listed()) {
            refuse(
                "ip_access",
                "Name some of the addresses of the token that you use.",
            );
        }
        let looser =
            |own: Option<i64>, held: Option<i64>| held.is_some_and(|held| own.is_none_or(|own| own > held));
        if looser(self.requests_per_minute, holder.requests_per_minute) {
            refuse(
                "requests_per_minute",
                "Allow at most what the token that you use allows.",
            );
        }
        if looser(self.changed_rows_per_hour, holder.changed_rows_per_hour) {
            refuse(
                "changed_rows_per_hour",
                "Allow at most what the token that you use allows.",
            );
        }
        if holder.mode != "direct" && self.mode == "direct" {
            refuse("mode", "The token that you use only proposes.");
        }
        problems
    }
}

/// The token by which a caller asks, as it is stored: `None` where the caller does not ask by one.
#[derive(Debug)]
pub(super) struct Holder(pub(super) Option<Shape>);

impl Holder {
    /// Whether a token of `user` may be known to the caller.
    pub(super) fn knows(&self, caller: &Caller, token: &Shape) -> bool {
        let own = caller.user() == Some(token.user.as_str());
        (own || caller.is_admin()) && self.0.as_ref().is_none_or(|holder| token.is_within(holder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(change: impl FnOnce(&mut Shape)) -> Shape {
        let mut shape = Shape::of_owner("u");
        change(&mut shape);
        shape
    }

    #[test]
    fn what_is_more_is_found() {
        let at = |second: i64| Some(Timestamp::from_second(second).unwrap());
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let check = |own: Shape, holder: &Shape, expect: &[&str]| {
            let beyond = own.beyond(holder);
            let found: Vec<_> = beyond.0.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(found, expect, "{own:?} in {holder:?}");
        };
        let holder = token(|held| {
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
        check(token(|_| ()), &holder, &all);
        check(holder.clone(), &holder, &[]);
        check(holder.clone(), &token(|_| ()), &[]);
        let narrower = |change: fn(&mut Shape)| {
            let mut own = holder.clone();
            change(&mut own);
            own
        };
        check(narrower(|own| own.policies = Some(Vec::new())), &holder, &[]);
        check(
            narrower(|own| own.policies = Some(vec!["c".to_owned()])),
            &holder,
            &["policies"],
        );
        check(narrower(|own| own.policies = None), &holder, &["policies"]);
        check(
            narrower(|own| own.expires = Timestamp::from_second(99).ok()),
            &holder,
            &[],
        );
        check(
            narrower(|own| own.expires = Timestamp::from_second(101).ok()),
            &holder,
            &["expires"],
        );
        check(
            narrower(|own| own.ip_access = vec!["192.0.2.1".to_owned()]),
            &holder,
            &[],
        );
        check(
            narrower(|own| own.ip_access = vec!["0.0.0.0/0".to_owned()]),
            &holder,
            &["ip_access"],
        );
        check(
            narrower(|own| own.requests_per_minute = Some(61)),
            &holder,
            &["requests_per_minute"],
        );
        let proposing = token(|held| held.mode = "propose".to_owned());
        check(token(|_| ()), &proposing, &["mode"]);
        check(proposing.clone(), &proposing, &[]);
    }

    #[test]
    fn what_cannot_be_read_allows_nothing() {
        let row = serde_json::json!({"user": "u", "name": "n", "policies": "x", "expires": "x", "mode": "x"});
        let shape = Shape::stored(row.as_object().unwrap());
        assert_eq!(shape.policies, Some(Vec::new()));
        assert_eq!(shape.expires, Some(Timestamp::UNIX_EPOCH));
    }
}
