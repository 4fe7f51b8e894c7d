//! Filters, read plainly: a condition on NULL does not hold, and `_not` holds for whatever does not hold; but neither a
//! comparison with a variable that stands for nothing holds, nor its opposite.
//!
//! Everything can also be asked of no item at all (`None`), whose values are all NULL and to which nothing is related:
//! that is what a left join makes of an item without related items, and it visits every name that is written.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::copy::{Copy, Item, Link, Table};
use super::values::{self, Kind};
use super::world::{NOW, ROLES, Ty, USERS, Who, World};

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// A name that does not exist.
    Unknown,
    /// A name that exists and cannot stand there.
    Invalid,
    /// Something that is not judged here.
    Unsure,
}

/// Somebody's questions to a copy.
pub(super) struct Evaluation<'c> {
    pub(super) copy: &'c Copy,
    pub(super) who: &'c Who,
    pub(super) refusals: RefCell<BTreeSet<Refusal>>,
    /// Whether what is looked at must not hold.
    negated: Cell<bool>,
}

/// Other names for fields.
pub(super) type Aliases = Map<String, Value>;

/// What is tested or sorted by: the value (NULL of no item) and its kind.
pub(super) type Operand = (Value, Kind);

impl<'c> Evaluation<'c> {
    pub(super) fn new(copy: &'c Copy, who: &'c Who) -> Self {
        Self {
            copy,
            who,
            refusals: RefCell::default(),
            negated: Cell::new(false),
        }
    }

    /// Looks at what must not hold.
    fn opposite<T>(&self, look: impl FnOnce() -> T) -> T {
        self.negated.set(!self.negated.get());
        let seen = look();
        self.negated.set(!self.negated.get());
        seen
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.refusals.borrow_mut().insert(refusal);
    }

    pub(super) fn matches(&self, table: &Table, item: Option<&Item>, filter: &Value) -> bool {
        self.holds(table, item, filter, &Aliases::new())
    }

    /// Whether a filter holds. All of it is looked at, also when that decides nothing any more.
    pub(super) fn holds(
        &self,
        table: &Table,
        item: Option<&Item>,
        filter: &Value,
        aliases: &Aliases,
    ) -> bool {
        let Some(members) = filter.as_object() else {
            self.refuse(Refusal::Unsure);
            return false;
        };
        let each = members
            .iter()
            .map(|(name, value)| self.member(table, item, name, value, aliases));
        each.fold(true, |all, one| all & one)
    }

    fn member(
        &self,
        table: &Table,
        item: Option<&Item>,
        name: &str,
        value: &Value,
        aliases: &Aliases,
    ) -> bool {
        let several = || {
            let entries = value.as_array().into_iter().flatten();
            entries
                .map(|entry| self.holds(table, item, entry, aliases))
                .collect::<Vec<_>>()
        };
        match name {
            "_and" => return several().into_iter().all(|holds| holds),
            "_or" => {
                let any = several();
                return any.is_empty() || any.contains(&true);
            }
            "_not" => return !self.opposite(|| self.holds(table, item, value, aliases)),
            _ => {}
        }
        if let Some(inside) = name
            .strip_prefix("$FOLLOW(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return self.follow(table, item, inside, value);
        }
        if name.ends_with(')') {
            let (tested, kind) = self.call(table, item, name, aliases);
            return self.tests(&tested, kind, value);
        }
        let (bare, wanted) = match name.split_once(':') {
            Some((bare, wanted)) => (bare, Some(wanted)),
            None => (name, None),
        };
        let real = aliases.get(bare).and_then(Value::as_str).unwrap_or(bare);
        let Some(field) = table.field(real) else {
            self.refuse(Refusal::Unknown);
            return false;
        };
        match (self.copy.link(table, real), wanted) {
            (Some(Link::Any(relation, _, targets)), Some(wanted)) => {
                let Some(target) = targets.iter().find(|target| target.name == wanted) else {
                    self.refuse(Refusal::Invalid);
                    return false;
                };
                let there = item.and_then(|item| self.copy.pointed_to(target, relation, item));
                self.joined(target, item, there.into_iter().collect(), value)
            }
            (_, Some(_)) => {
                self.refuse(Refusal::Invalid);
                false
            }
            // A list that cannot be followed: as if it did not exist.
            (None, None) if field.ty == Ty::Alias => {
                self.refuse(Refusal::Unknown);
                false
            }
            (None, None) => self.on_column(item, real, field.ty, value),
            (Some(link), None) => self.on_link(table, item, real, field.ty, &link, value),
        }
    }

    fn on_column(&self, item: Option<&Item>, name: &str, ty: Ty, value: &Value) -> bool {
        let tested = item.map_or(Value::Null, |item| item.values[name].clone());
        let Some(inside) = value.get("_json").and_then(Value::as_object) else {
            return self.tests(&tested, Kind::Field(ty), value);
        };
        let mut rest = value.clone();
        rest.as_object_mut().map(|members| members.remove("_json"));
        let mut holds = self.tests(&tested, Kind::Field(ty), &rest);
        if ty != Ty::Json {
            self.refuse(Refusal::Invalid);
            return false;
        }
        for (path, value) in inside {
            let found = values::inside(&tested, &values::json_path(path));
            holds &= self.tests(&found, Kind::Json, value);
        }
        holds
    }

    fn on_link(
        &self,
        table: &Table,
        item: Option<&Item>,
        name: &str,
        ty: Ty,
        link: &Link<'_>,
        value: &Value,
    ) -> bool {
        let is_test = |name: &str| name.starts_with('_') && !["_and", "_or", "_not"].contains(&name);
        let Some(members) = value.as_object() else {
            return self.on_key(table, item, name, ty, link, value);
        };
        let (mut tests, mut nested, mut holds) = (Map::new(), Map::new(), true);
        for (member, value) in members {
            match (member.as_str(), link) {
                ("_some" | "_none", Link::Many(relation, many)) => {
                    let pointing = item.map(|item| self.copy.pointing(many, relation, table, item));
                    let some = member == "_some";
                    let count = || {
                        // Visits the names though nothing may point here.
                        self.matches(many, None, value);
                        let found = pointing.into_iter().flatten();
                        found.filter(|row| self.matches(many, Some(row), value)).count()
                    };
                    let count = if some { count() } else { self.opposite(count) };
                    holds &= (count > 0) == some;
                }
                ("_some" | "_none", _) => {
                    self.refuse(Refusal::Invalid);
                    holds = false;
                }
                (name, _) if is_test(name) => {
                    tests.insert(member.clone(), value.clone());
                }
                _ => {
                    nested.insert(member.clone(), value.clone());
                }
            }
        }
        if !tests.is_empty() {
            holds &= self.on_key(table, item, name, ty, link, &Value::Object(tests));
        }
        if nested.is_empty() {
            return holds;
        }
        let nested = Value::Object(nested);
        holds
            & match link {
                Link::One(relation, target) => {
                    let there = item.and_then(|item| self.copy.pointed_to(target, relation, item));
                    self.joined(target, item, there.into_iter().collect(), &nested)
                }
                Link::Many(relation, many) => {
                    let there = item.map(|item| self.copy.pointing(many, relation, table, item));
                    self.joined(many, item, there.unwrap_or_default(), &nested)
                }
                Link::Any(..) => {
                    self.refuse(Refusal::Invalid);
                    false
                }
            }
    }

    /// Tests of the key that a field holds, or of those of the items that it lists.
    fn on_key(
        &self,
        table: &Table,
        item: Option<&Item>,
        name: &str,
        ty: Ty,
        link: &Link<'_>,
        tests: &Value,
    ) -> bool {
        let Link::Many(relation, many) = link else {
            return self.on_column(item, name, ty, tests);
        };
        let there = item.map(|item| self.copy.pointing(many, relation, table, item));
        let on_key = Value::Object(Map::from_iter([("id".to_owned(), tests.clone())]));
        self.joined(many, item, there.unwrap_or_default(), &on_key)
    }

    /// Whether a condition holds for one of the related items, or, where there are none, for no item.
    fn joined(&self, target: &Table, item: Option<&Item>, related: Vec<&Item>, filter: &Value) -> bool {
        let of_none = self.matches(target, None, filter);
        if item.is_none() || related.is_empty() {
            return of_none;
        }
        let holding = related
            .iter()
            .filter(|row| self.matches(target, Some(row), filter));
        holding.count() > 0
    }

    /// `$FOLLOW(collection, field)`: what points here, without the name of the list.
    fn follow(&self, table: &Table, item: Option<&Item>, inside: &str, value: &Value) -> bool {
        let (many, field) = inside.split_once(',').unwrap_or((inside, ""));
        let (many, field) = (many.trim(), field.trim());
        let found = self.copy.relations.iter().find(|relation| {
            relation.many == many
                && relation.field == field
                && (relation.one.as_deref() == Some(&table.name)
                    || relation
                        .any
                        .as_ref()
                        .is_some_and(|(_, allowed)| allowed.contains(&table.name)))
        });
        let found = found.zip(self.copy.table(many)).filter(|(relation, many)| {
            let columns = [
                Some(&relation.field),
                relation.any.as_ref().map(|(column, _)| column),
            ];
            columns
                .into_iter()
                .flatten()
                .all(|column| many.field(column).is_some())
                && relation
                    .alias
                    .as_ref()
                    .is_none_or(|alias| table.field(alias).is_some())
        });
        let Some((relation, many)) = found else {
            self.refuse(Refusal::Invalid);
            return false;
        };
        let there = item.map(|item| self.copy.pointing(many, relation, table, item));
        self.joined(many, item, there.unwrap_or_default(), value)
    }

    /// A function of a field: `year(born)`, `count(tags)`, `json(data, a.b)`.
    pub(super) fn call(&self, table: &Table, item: Option<&Item>, call: &str, aliases: &Aliases) -> Operand {
        let (function, inside) = call.trim_end_matches(')').split_once('(').unwrap_or((call, ""));
        let (name, path) = match inside.split_once(',') {
            Some((name, path)) => (name.trim(), values::json_path(path)),
            None => (inside.trim(), Vec::new()),
        };
        let real = aliases.get(name).and_then(Value::as_str).unwrap_or(name);
        let Some(field) = table.field(real) else {
            self.refuse(Refusal::Unknown);
            return (Value::Null, Kind::Refused);
        };
        let value = || {
            item.and_then(|item| item.values.get(real).cloned())
                .unwrap_or_default()
        };
        if function == "json" && field.ty == Ty::Json && !path.is_empty() {
            return (values::inside(&value(), &path), Kind::Json);
        }
        if function == "count" && field.ty == Ty::Alias {
            return match self.copy.link(table, real) {
                Some(Link::Many(relation, many)) => {
                    let pointing = item.map(|item| self.copy.pointing(many, relation, table, item).len());
                    (pointing.map_or(Value::Null, Value::from), Kind::Number)
                }
                _ => {
                    self.refuse(Refusal::Unknown);
                    (Value::Null, Kind::Refused)
                }
            };
        }
        let applies = match function {
            "count" => field.ty == Ty::Json,
            "year" | "month" | "week" | "day" | "weekday" => field.ty.has_date(),
            "hour" | "minute" | "second" => field.ty.has_time(),
            _ => false,
        };
        if !applies {
            self.refuse(Refusal::Invalid);
            return (Value::Null, Kind::Refused);
        }
        (values::part(function, &value()), Kind::Number)
    }

    /// `{"_gte": 1, "_lt": 5}`, or a bare value that stands for `_eq`.
    fn tests(&self, tested: &Value, kind: Kind, value: &Value) -> bool {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, argument)| self.test(tested, kind, name, argument))
                .fold(true, |all, one| all & one),
            Value::Array(_) => {
                self.refuse(Refusal::Invalid);
                false
            }
            value => self.test(tested, kind, "_eq", value),
        }
    }

    fn test(&self, tested: &Value, kind: Kind, name: &str, argument: &Value) -> bool {
        if !values::takes(kind, name) {
            self.refuse(Refusal::Invalid);
            return false;
        }
        let truth = argument.as_bool() == Some(true);
        match name {
            "_null" => return tested.is_null() == truth,
            "_nnull" => return tested.is_null() != truth,
            "_empty" => return values::is_empty(tested, kind) == truth,
            "_nempty" => return values::is_empty(tested, kind) != truth,
            "_eq" if argument.is_null() => return tested.is_null(),
            "_neq" if argument.is_null() => return !tested.is_null(),
            _ => {}
        }
        let nothing = self.negated.get();
        let compared = |argument: &Value| values::compare(tested, argument, kind);
        match name {
            "_in" | "_nin" => {
                let entries = self.entries(argument);
                // What is not found must be said of every entry.
                if entries.contains(&None) && (name == "_in") == nothing {
                    return nothing;
                }
                let mut entries = entries.iter().flatten();
                let found = entries.any(|entry| compared(entry) == Some(Ordering::Equal));
                !tested.is_null() && found == (name == "_in")
            }
            "_between" | "_nbetween" => {
                let entries = self.entries(argument);
                let [low, high] = entries.as_slice() else {
                    self.refuse(Refusal::Unsure);
                    return false;
                };
                let (Some(low), Some(high)) = (low, high) else {
                    return nothing;
                };
                match (compared(low), compared(high)) {
                    (Some(low), Some(high)) => (low.is_ge() && high.is_le()) == (name == "_between"),
                    _ => false,
                }
            }
            _ => {
                let Some(argument) = self.replaced(argument) else {
                    return nothing;
                };
                let holds = |ordering: fn(Ordering) -> bool| compared(&argument).is_some_and(ordering);
                match name {
                    "_eq" => holds(Ordering::is_eq),
                    "_neq" => holds(Ordering::is_ne),
                    "_lt" => holds(Ordering::is_lt),
                    "_lte" => holds(Ordering::is_le),
                    "_gt" => holds(Ordering::is_gt),
                    "_gte" => holds(Ordering::is_ge),
                    _ => values::text_matches(tested, name, &argument),
                }
            }
        }
    }

    /// The values of a list, each `None` that stands for nothing.
    pub(super) fn entries(&self, argument: &Value) -> Vec<Option<Value>> {
        let entries = match argument {
            Value::Array(entries) => entries.clone(),
            value => vec![value.clone()],
        };
        let spread = entries.into_iter().flat_map(|entry| match entry.as_str() {
            Some("$CURRENT_ROLES") => self
                .who
                .roles
                .iter()
                .map(|role| Some(ROLES[*role].into()))
                .collect(),
            Some("$CURRENT_POLICIES") => self.policies().into_iter().map(Some).collect(),
            Some("$CURRENT_USER.tags") => match self.who.user {
                Some(user) => {
                    let tags = World::users()[user]["tags"].clone();
                    let tags = tags.as_array().cloned().unwrap_or_default();
                    tags.into_iter().map(Some).collect()
                }
                None => vec![None],
            },
            _ => vec![self.replaced(&entry)],
        });
        spread.collect()
    }

    fn policies(&self) -> Vec<Value> {
        let own = self.who.layers.first().and_then(Option::as_ref);
        own.into_iter()
            .flatten()
            .map(|policy| World::policy(*policy).into())
            .collect()
    }

    /// What a value stands for; `None`: nothing, and no comparison with it holds.
    pub(super) fn replaced(&self, value: &Value) -> Option<Value> {
        let user = self.who.user;
        match value.as_str() {
            Some("$NOW") => Some(NOW.into()),
            Some("$NOW(-1 day)") => Some("2026-11-20T12:00:00.000Z".into()),
            Some("$NOW(+1 day)") => Some("2026-11-22T12:00:00.000Z".into()),
            Some("$CURRENT_USER") => user.map(|user| USERS[user].into()),
            Some("$CURRENT_USER.first_name") => {
                let name = World::users()[user?]["first_name"].clone();
                (!name.is_null()).then_some(name)
            }
            Some("$CURRENT_ROLE") => self.who.roles.first().map(|role| ROLES[*role].into()),
            _ => Some(value.clone()),
        }
    }
}
