//! What a request says about a token, read whole: every problem at once, unknown names included.

use jiff::{SignedDuration, Timestamp};
use loggia_model::error::nearest;
use loggia_model::validation::failure;
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::Value;

use crate::items::payload::invalid;

/// The lifespans that are offered, in days; any other end is given as a moment.
const LIFESPANS: [i64; 3] = [7, 30, 90];
/// More policies or addresses than this are a mistake.
const MOST_ENTRIES: usize = 200;
/// The largest limit: beyond it, leave the limit out.
const LARGEST: i64 = 1_000_000_000;

/// The names of a request that makes or changes a token.
const NAMES: [&str; 9] = [
    "name",
    "user",
    "policies",
    "expires",
    "lifespan",
    "ip_access",
    "requests_per_minute",
    "changed_rows_per_hour",
    "mode",
];
/// The names of a request that rotates one.
const ROTATION: [&str; 2] = ["expires", "lifespan"];

/// What is asked for: `None` is not mentioned, `Some(None)` is taken away.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) user: Option<String>,
    pub(super) policies: Option<Option<Vec<String>>>,
    pub(super) expires: Option<Option<Timestamp>>,
    pub(super) ip_access: Option<Vec<String>>,
    pub(super) requests_per_minute: Option<Option<i64>>,
    pub(super) changed_rows_per_hour: Option<Option<i64>>,
    pub(super) mode: Option<String>,
}

impl Wanted {
    /// What makes or changes a token.
    pub(super) fn read(data: &Record, tokens: &Collection, now: Timestamp, problems: &mut Problems) -> Self {
        known(data, &NAMES, problems);
        let mut read = Reader { data, problems };
        Self {
            name: read.name(),
            user: read.user(),
            policies: read.policies(),
            expires: read.end(tokens, now),
            ip_access: read.addresses(),
            requests_per_minute: read.limit("requests_per_minute"),
            changed_rows_per_hour: read.limit("changed_rows_per_hour"),
            mode: read.mode(),
        }
    }

    /// What rotates one: only its end may change with it.
    pub(super) fn rotation(
        data: &Record,
        tokens: &Collection,
        now: Timestamp,
        problems: &mut Problems,
    ) -> Self {
        known(data, &ROTATION, problems);
        let mut read = Reader { data, problems };
        Self {
            expires: read.end(tokens, now),
            ..Self::default()
        }
    }
}

fn known(data: &Record, names: &[&str], problems: &mut Problems) {
    for name in data.keys().filter(|name| !names.contains(&name.as_str())) {
        let problem =
            invalid(format!("\"{name}\" is nothing that can be said of a token.")).at(name.as_str());
        let list = format!("Known: {}.", names.join(", "));
        problems.push(match nearest(name, names.iter().copied()) {
            Some(near) => problem.hint(format!("Did you mean \"{near}\"? {list}")),
            None => problem.hint(list),
        });
    }
}

struct Reader<'a> {
    data: &'a Record,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn refuse<T>(&mut self, path: &str, message: &str, hint: &str) -> Option<T> {
        self.problems.push(invalid(message).at(path).hint(hint));
        None
    }

    fn name(&mut self) -> Option<String> {
        match self.data.get("name")? {
            Value::String(name) if (1..=100).contains(&name.trim().chars().count()) => {
                Some(name.trim().to_owned())
            }
            _ => self.refuse(
                "name",
                "A token's name is a text of 1 to 100 characters.",
                "Say what the token is for, such as \"nightly import\".",
            ),
        }
    }

    fn user(&mut self) -> Option<String> {
        match self.data.get("user")? {
            Value::String(user) => Some(user.clone()),
            _ => self.refuse(
                "user",
                "\"user\" is the key of a user.",
                "Leave it out for a token of your own.",
            ),
        }
    }

    fn policies(&mut self) -> Option<Option<Vec<String>>> {
        let hint =
            "Send a list of policy keys, [] for none at all, or null for everything that the owner may.";
        match self.data.get("policies")? {
            Value::Null => Some(None),
            Value::Array(entries) if entries.len() <= MOST_ENTRIES => {
                let mut keys = Vec::new();
                for (i, entry) in entries.iter().enumerate() {
                    match entry {
                        Value::String(key) if !keys.contains(key) => keys.push(key.clone()),
                        Value::String(_) => {}
                        _ => self.refuse(&format!("policies[{i}]"), "A policy is named by its key.", hint)?,
                    }
                }
                Some(Some(keys))
            }
            _ => self.refuse(
                "policies",
                "\"policies\" is a list of policy keys, or null.",
                hint,
            ),
        }
    }

    /// `expires` or `lifespan`: when the token ends.
    fn end(&mut self, tokens: &Collection, now: Timestamp) -> Option<Option<Timestamp>> {
        match (self.data.get("expires"), self.data.get("lifespan")) {
            (Some(_), Some(_)) => self.refuse(
                "lifespan",
                "\"expires\" and \"lifespan\" say the same thing.",
                "Send one of them.",
            ),
            (None, None) => None,
            (Some(Value::Null), None) => Some(None),
            (Some(at), None) => self.moment(at, tokens, now),
            (None, Some(days)) => self.lifespan(days, now),
        }
    }

    fn moment(&mut self, at: &Value, tokens: &Collection, now: Timestamp) -> Option<Option<Timestamp>> {
        let field = tokens.field("expires")?;
        let parsed = field.ty.parse(at, field.column.as_ref()?).ok();
        let moment = parsed.and_then(|scalar| scalar.as_text()?.parse::<Timestamp>().ok());
        match moment {
            Some(moment) if moment > now => Some(Some(moment)),
            Some(_) => self.refuse("expires", "That moment has passed.", "Name one in the future."),
            None => self.refuse(
                "expires",
                "\"expires\" is a moment such as 2027-01-31T12:00:00Z, or null.",
                "\"lifespan\" takes days instead: 7, 30 or 90.",
            ),
        }
    }

    fn lifespan(&mut self, days: &Value, now: Timestamp) -> Option<Option<Timestamp>> {
        match days.as_i64().filter(|days| LIFESPANS.contains(days)) {
            Some(days) => now
                .saturating_add(SignedDuration::from_hours(24 * days))
                .ok()
                .map(Some),
            None => self.refuse(
                "lifespan",
                "\"lifespan\" is a number of days: 7, 30 or 90.",
                "\"expires\" takes any moment instead.",
            ),
        }
    }

    fn addresses(&mut self) -> Option<Vec<String>> {
        let entries: Vec<String> = match self.data.get("ip_access")? {
            Value::Null => return Some(Vec::new()),
            Value::String(text) => text.split(',').map(str::to_owned).collect(),
            Value::Array(entries)
                if entries.iter().all(Value::is_string) && entries.len() <= MOST_ENTRIES =>
            {
                entries
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            }
            _ => {
                return self.refuse(
                    "ip_access",
                    "\"ip_access\" is a list of addresses, networks and ranges, or null.",
                    "For example [\"10.0.0.0/8\", \"192.0.2.7\"].",
                );
            }
        };
        for (i, entry) in entries.iter().enumerate() {
            if !entry.trim().is_empty() && !loggia_access::is_ip_entry(entry) {
                let text = "Value has to be an address, a network or a range.";
                let problem = failure("ip_access", "ip", text, Some(("invalid", entry.as_str().into())));
                self.problems.push(
                    problem
                        .at(format!("ip_access[{i}]"))
                        .hint("For example 10.0.0.1, 10.0.0.0/8 or 10.0.0.1-10.0.0.9."),
                );
            }
        }
        let entries = entries.iter().map(|entry| entry.trim().to_owned());
        Some(entries.filter(|entry| !entry.is_empty()).collect())
    }

    fn limit(&mut self, name: &str) -> Option<Option<i64>> {
        match self.data.get(name)? {
            Value::Null => Some(None),
            Value::Number(number) if number.as_i64().is_some_and(|n| (1..=LARGEST).contains(&n)) => {
                Some(number.as_i64())
            }
            _ => self.refuse(
                name,
                &format!("\"{name}\" is a whole number of at least 1, or null."),
                "null sets no limit.",
            ),
        }
    }

    fn mode(&mut self) -> Option<String> {
        match self.data.get("mode")?.as_str() {
            Some(mode @ ("direct" | "propose")) => Some(mode.to_owned()),
            _ => self.refuse(
                "mode",
                "\"mode\" is \"direct\" or \"propose\".",
                "\"direct\" writes; \"propose\" leaves writing to a person.",
            ),
        }
    }
}

/// A problem with what is missing from a new token.
pub(super) fn without_name() -> Problem {
    invalid("A token needs a name.")
        .at("name")
        .hint("Say what it is for, such as \"nightly import\".")
}
