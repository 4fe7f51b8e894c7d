//! What is said of changes that are looked for or taken back: read once, for every door.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use loggia_access::Caller;
use loggia_model::error::{Code, INVALID_PAYLOAD, nearest};
use loggia_model::{Problem, Problems, Record};
use serde_json::Value;

use super::{ChangeFilter, Conflicts, RevertOptions, RevertTarget};
use crate::items::Deletes;

/// What changes are chosen by.
pub const FILTERS: [&str; 10] = [
    "user",
    "token",
    "client",
    "collection",
    "item",
    "origin",
    "tool",
    "request",
    "since",
    "until",
];
/// How much of a list is answered.
pub const PAGES: [&str; 2] = ["limit", "cursor"];
/// The changes themselves, by either name.
const NAMED: [&str; 2] = ["changes", "keys"];
/// How changes are taken back.
const OPTIONS: [&str; 4] = ["conflicts", "title", "reason", "dry_run"];
/// That changes of everybody are meant.
const EVERYBODY: &str = "everybody";
/// Who asks, by either word.
const OWN: [&str; 2] = ["me", "mine"];

/// Which changes are to be listed.
///
/// # Errors
/// Everything that is wrong with it, what is not known among it; as `code`.
pub fn to_list(members: Record, caller: &Caller, code: &'static Code) -> Result<ChangeFilter, Problems> {
    let mut given = Given::new(members, code);
    let filter = given.filter(caller);
    let (limit, cursor) = given.page();
    given.done(&[&FILTERS[..], &PAGES].concat())?;
    Ok(ChangeFilter {
        limit,
        cursor,
        ..filter
    })
}

/// Which part of a change is to be shown: at most how much of it, from where on.
///
/// # Errors
/// As [`to_list`].
pub fn to_show(members: Record, code: &'static Code) -> Result<(Option<u64>, Option<String>), Problems> {
    let mut given = Given::new(members, code);
    let page = given.page();
    given.done(&PAGES)?;
    Ok(page)
}

/// How one change is to be taken back, which is named elsewhere.
///
/// # Errors
/// As [`to_list`].
pub fn to_revert_one(members: Record) -> Result<RevertOptions, Problems> {
    let mut given = Given::new(members, &INVALID_PAYLOAD);
    let options = given.options();
    given.done(&OPTIONS)?;
    Ok(options)
}

/// Which changes are to be taken back, and how: by name, or by what they have in common.
///
/// # Errors
/// As [`to_list`]; and when it is not said which changes are meant, or whose.
pub fn to_revert(members: Record, caller: &Caller) -> Result<(RevertTarget, RevertOptions), Problems> {
    let mut given = Given::new(members, &INVALID_PAYLOAD);
    let options = given.options();
    let ids = given.ids();
    let everybody = given.truth(EVERYBODY);
    let filtered = FILTERS.iter().any(|name| given.members.contains_key(*name));
    let filter = ChangeFilter {
        everybody,
        ..given.filter(caller)
    };
    match (&ids, filtered) {
        (Some(_), true) => given.refuse(
            "keys",
            "Both keys and a filter say which changes to take back.",
            "Give one of them.",
        ),
        (Some(_), false) if everybody => given.refuse(
            EVERYBODY,
            "The changes are named: whose they are does not matter.",
            "Leave it out.",
        ),
        (None, _) if given.problems.0.is_empty() => given.problems.take(bounded(&filter)),
        _ => None,
    };
    given.done(&[&NAMED[..], &FILTERS, &[EVERYBODY], &OPTIONS].concat())?;
    let target = match ids {
        Some(ids) => RevertTarget::Changes(ids),
        None => RevertTarget::Matching(Box::new(filter)),
    };
    Ok((target, options))
}

/// Whether it is said which changes are meant: what somebody or something did; or what happened since when, of one
/// kind, or to one collection, or expressly all of it.
///
/// # Errors
/// What is missing.
pub(super) fn bounded(filter: &ChangeFilter) -> Result<(), Problem> {
    let whose = [&filter.user, &filter.token, &filter.client, &filter.request];
    if whose.iter().any(|name| name.is_some()) || !filter.ids.is_empty() {
        return Ok(());
    }
    let refuse = |message: &str| Problem::new(&INVALID_PAYLOAD, message);
    let somebody = "`token` or `user` (\"me\": your own), `client` or `request`";
    let narrowed = filter.tool.is_some() || filter.collection.is_some();
    let since = filter.since.is_some_and(|since| since > Timestamp::UNIX_EPOCH);
    if !since && (narrowed || filter.everybody) {
        let hint = format!("Give `since` as well, or say whose changes they are: {somebody}.");
        return Err(refuse("From when on is not said.").at("since").hint(hint));
    }
    if since && !narrowed && !filter.everybody {
        let hint = format!(
            "That would be everything that everybody has done since. Say whose changes they are: {somebody}; or what \
             they changed: `collection`, `tool`. If all of them are meant: \"everybody\": true."
        );
        return Err(refuse("It is not said whose changes to take back.")
            .at("token")
            .hint(hint));
    }
    if !since {
        let hint = format!(
            "Name changes (`keys`), or say whose they are: {somebody}; or give `since` with `collection` or `tool`."
        );
        return Err(refuse("It is not said which changes are meant.")
            .at("keys")
            .hint(hint));
    }
    Ok(())
}

/// What was sent, taken member by member; what is wrong with it is collected.
struct Given {
    members: Record,
    code: &'static Code,
    problems: Problems,
}

impl Given {
    fn new(members: Record, code: &'static Code) -> Self {
        Self {
            members,
            code,
            problems: Problems::default(),
        }
    }

    /// `None`, for a value that is not there.
    fn refuse<T>(&mut self, name: &str, message: impl Into<String>, hint: &str) -> Option<T> {
        let problem = Problem::new(self.code, message).at(name).hint(hint);
        self.problems.push(problem);
        None
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.members.shift_remove(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => {
                let hint = "Leave it out to choose by something else.";
                self.refuse(name, format!("`{name}` is a text."), hint)
            }
        }
    }

    /// The key of an item, which may be a number.
    fn key(&mut self, name: &str) -> Option<String> {
        if let Some(Value::Number(number)) = self.members.get(name) {
            let number = number.to_string();
            self.members.shift_remove(name);
            return Some(number);
        }
        self.text(name)
    }

    /// A key, or one's own.
    fn who(&mut self, name: &str, own: Option<&str>) -> Option<String> {
        let text = self.text(name)?;
        if !OWN.contains(&text.as_str()) {
            return Some(text);
        }
        if own.is_none() {
            let hint = match name {
                "token" => "There is no access token here: use `user: \"me\"`, or name a key.",
                _ => "Nobody is signed in: name a key.",
            };
            return self.refuse(name, format!("There is no {name} of your own."), hint);
        }
        own.map(str::to_owned)
    }

    /// A moment, or the beginning of a day.
    fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let text = text.trim();
        let day = || {
            let day: Date = text.parse().ok()?;
            day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        };
        text.parse().ok().or_else(day).or_else(|| {
            let hint = "Write 2026-01-31T13:45:00Z, or 2026-01-31 for the beginning of that day (UTC).";
            self.refuse(name, format!("`{name}` is not a moment."), hint)
        })
    }

    fn number(&mut self, name: &str, hint: &str) -> Option<i64> {
        let value = self.members.shift_remove(name)?;
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        number
            .filter(|number| *number > 0)
            .or_else(|| self.refuse(name, format!("`{name}` is a whole number above 0."), hint))
    }

    fn truth(&mut self, name: &str) -> bool {
        match self.members.shift_remove(name) {
            None => false,
            Some(Value::Bool(truth)) => truth,
            Some(_) => {
                let hint = "Leave it out where it is not meant.";
                self.refuse::<()>(name, format!("`{name}` is true or false."), hint);
                false
            }
        }
    }

    /// The keys of changes.
    fn ids(&mut self) -> Option<Vec<String>> {
        let given: Vec<&str> = NAMED
            .into_iter()
            .filter(|name| self.members.contains_key(*name))
            .collect();
        let name = *given.first()?;
        let mut ids = Vec::new();
        for name in &given {
            let value = self.members.shift_remove(*name);
            let texts = value.as_ref().and_then(Value::as_array).and_then(|keys| {
                let keys = keys.iter().map(|key| key.as_str().map(str::to_owned));
                keys.collect::<Option<Vec<_>>>()
            });
            match texts.filter(|texts| !texts.is_empty()) {
                Some(texts) => ids.extend(texts),
                None => {
                    let hint = "The list of changes has them as `id`.";
                    self.refuse::<()>(name, format!("`{name}` is a list of keys."), hint);
                }
            }
        }
        if given.len() > 1 {
            let hint = "`changes` and `keys` mean the same.";
            self.refuse::<()>(name, "The changes are named twice.", hint);
        }
        Some(ids)
    }

    fn filter(&mut self, caller: &Caller) -> ChangeFilter {
        let token = caller.claims().token.as_ref().map(|token| token.id.as_str());
        let filter = ChangeFilter {
            token: self.who("token", token),
            user: self.who("user", caller.user()),
            client: self.text("client"),
            collection: self.text("collection"),
            item: self.key("item"),
            origin: self.text("origin"),
            tool: self.text("tool"),
            request: self.text("request"),
            since: self.moment("since"),
            until: self.moment("until"),
            ..ChangeFilter::default()
        };
        if filter.item.is_some() && filter.collection.is_none() {
            let hint = "Give `collection` as well.";
            self.refuse::<()>("item", "Of which collection the item is, is not said.", hint);
        }
        filter
    }

    fn page(&mut self) -> (Option<u64>, Option<String>) {
        let limit = self.number("limit", "Leave it out for as many as are usual.");
        let cursor = self.text("cursor");
        (limit.and_then(|limit| u64::try_from(limit).ok()), cursor)
    }

    fn options(&mut self) -> RevertOptions {
        let conflicts = match self.text("conflicts").as_deref() {
            None | Some("refuse") => Conflicts::Refuse,
            Some("skip") => Conflicts::Skip,
            Some("force") => Conflicts::Force,
            Some(_) => {
                let hint = "Use refuse (nothing is taken back), skip (what is in conflict stays) or force.";
                let message = "There is no such way to deal with conflicts.";
                self.refuse::<()>("conflicts", message, hint);
                Conflicts::Refuse
            }
        };
        let (title, reason) = (self.text("title"), self.text("reason"));
        RevertOptions {
            conflicts,
            deletes: Deletes::Allowed,
            title: title.or(reason),
            dry_run: self.truth("dry_run"),
        }
    }

    /// Refuses what is left over, and everything that was wrong.
    fn done(mut self, known: &[&'static str]) -> Result<(), Problems> {
        let rest: Vec<String> = self.members.keys().cloned().collect();
        for name in rest {
            let hint = match nearest(&name, known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Known here: {}.", known.join(", ")),
            };
            self.refuse::<()>(&name, format!("`{name}` is not known here."), &hint);
        }
        self.problems.or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: ChangeFilter, expect: Option<&str>) {
        let refused = bounded(&filter).err().map(|problem| problem.path);
        assert_eq!(refused.as_deref(), expect, "{filter:?}");
    }

    #[test]
    fn it_is_said_whose_changes_are_meant() {
        let said = || Some("x".to_owned());
        let since = "2026-01-31T00:00:00Z".parse().ok();
        let none = ChangeFilter::default;
        check(none(), Some("keys"));
        check(ChangeFilter { since, ..none() }, Some("token"));
        check(
            ChangeFilter {
                everybody: true,
                ..none()
            },
            Some("since"),
        );
        check(
            ChangeFilter {
                collection: said(),
                ..none()
            },
            Some("since"),
        );
        check(
            ChangeFilter {
                origin: said(),
                since,
                ..none()
            },
            Some("token"),
        );
        check(
            ChangeFilter {
                since: Some(Timestamp::UNIX_EPOCH),
                everybody: true,
                ..none()
            },
            Some("since"),
        );
        for filter in [
            ChangeFilter {
                user: said(),
                ..none()
            },
            ChangeFilter {
                token: said(),
                ..none()
            },
            ChangeFilter {
                client: said(),
                ..none()
            },
            ChangeFilter {
                request: said(),
                ..none()
            },
            ChangeFilter {
                ids: vec!["x".to_owned()],
                ..none()
            },
            ChangeFilter {
                since,
                collection: said(),
                ..none()
            },
            ChangeFilter {
                since,
                tool: said(),
                ..none()
            },
            ChangeFilter {
                since,
                everybody: true,
                ..none()
            },
        ] {
            check(filter, None);
        }
    }
}
