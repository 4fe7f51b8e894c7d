//! What a copy answers to a query: rows, in an order, from one to another.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::conditions::{Aliases, Evaluation, Operand, Refusal};
use super::copy::{Copy, Item, Link, Table};
use super::values::{self, Kind};
use super::world::{Relation, Row, Ty, Who};

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) collection: String,
    /// One item by its key.
    pub(super) key: Option<Value>,
    pub(super) query: Value,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) rows: Vec<Value>,
    pub(super) total: Option<u64>,
    pub(super) matching: Option<u64>,
}

/// The query on one level.
struct Level<'q> {
    query: &'q Map<String, Value>,
    /// Members of deep queries have an underscore in front.
    deep: bool,
    /// Whether wildcards take the way back.
    backlink: bool,
}

impl<'q> Level<'q> {
    fn member(&self, name: &str) -> Option<&'q Value> {
        if self.deep {
            self.query.get(&format!("_{name}"))
        } else {
            self.query.get(name)
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let entries = self.member(name).and_then(Value::as_array);
        let texts = entries.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.member(name).and_then(Value::as_i64)
    }

    fn aliases(&self) -> Aliases {
        self.member("alias")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }

    /// The queries on what fields lead to.
    fn below(&self) -> Vec<(&'q String, &'q Value)> {
        if self.deep {
            self.query
                .iter()
                .filter(|(name, _)| !name.starts_with('_'))
                .collect()
        } else {
            let deep = self.query.get("deep").and_then(Value::as_object);
            deep.into_iter().flatten().collect()
        }
    }

    fn at(&self, name: &str) -> Option<Level<'q>> {
        let (_, query) = self.below().into_iter().find(|(other, _)| *other == name)?;
        Some(Level {
            query: query.as_object()?,
            deep: true,
            backlink: self.backlink,
        })
    }
}

/// What is left to be followed of one path of `fields`.
#[derive(Clone)]
struct Path {
    steps: Vec<String>,
    /// From a wildcard: what is not there is left out.
    forgiving: bool,
}

/// What is wanted of one member of the answer.
#[derive(Default)]
struct Wanted {
    field: Option<String>,
    call: Option<String>,
    nested: Vec<Path>,
    scoped: IndexMap<String, Vec<Path>>,
}

/// Somebody's questions to a copy, read plainly.
///
/// # Errors
/// Why not.
pub(super) fn answer(copy: &Copy, who: &Who, question: &Question) -> Result<Answer, BTreeSet<Refusal>> {
    let on = Evaluation::new(copy, who);
    let Some(table) = copy.table(&question.collection) else {
        return Err(BTreeSet::from([Refusal::Unknown]));
    };
    let query = question.query.as_object().cloned().unwrap_or_default();
    let level = Level {
        query: &query,
        deep: false,
        backlink: query.get("backlink") != Some(&Value::Bool(false)),
    };
    let asked = |name: &str| {
        query
            .get(name)
            .is_some_and(|value| *value != json!({}) && *value != json!([]))
    };
    let figures = asked("aggregate") || asked("groupBy");
    let found = if figures {
        on.figures(table, &level)
    } else {
        on.page(table, &level, question.key.as_ref())
    };
    let matching = on.matching(table, &level).len() as u64;
    let refusals = on.refusals.into_inner();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    if question.key.is_some() && found.is_empty() {
        return Err(BTreeSet::from([Refusal::Unknown]));
    }
    let meta = |name: &str| {
        let names = query.get("meta").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|other| other == name))
    };
    Ok(Answer {
        rows: found,
        total: meta("total_count").then_some(table.rows.len() as u64),
        matching: meta("filter_count").then_some(matching),
    })
}

impl Evaluation<'_> {
    fn page(&self, table: &Table, level: &Level<'_>, key: Option<&Value>) -> Vec<Value> {
        let paths = match level.member("fields") {
            None => vec![path("*")],
            Some(_) => level.texts("fields").iter().map(|field| path(field)).collect(),
        };
        // Every name is visited once, whether or not there are rows.
        self.visit(table, &paths, level, None);
        if !self.refusals.borrow().is_empty() {
            return Vec::new();
        }
        let mut rows = self.sorted(table, self.matching(table, level), level, None);
        if let Some(key) = key {
            rows.retain(|row| row.values["id"] == *key);
        } else {
            rows = window(rows, level);
        }
        rows.into_iter()
            .map(|row| Value::Object(self.shown(table, Some(row), &paths, level, None)))
            .collect()
    }

    /// Looks at the names of a level and of those below it.
    fn visit(&self, table: &Table, paths: &[Path], level: &Level<'_>, parent: Option<&Relation>) {
        for (alias, field) in level.aliases() {
            if table.field(&alias).is_some() {
                self.refuse(Refusal::Invalid);
            }
            if field.as_str().is_none_or(|field| table.field(field).is_none()) {
                self.refuse(Refusal::Unknown);
            }
        }
        for (name, _) in level.below() {
            let bare = name.split(':').next().unwrap_or(name);
            let aliases = level.aliases();
            let real = aliases.get(bare).and_then(Value::as_str).unwrap_or(bare);
            match table.field(real) {
                None => self.refuse(Refusal::Unknown),
                Some(_) if self.copy.link(table, real).is_none() => self.refuse(Refusal::Invalid),
                Some(_) => {}
            }
        }
        if let Some(filter) = level.member("filter") {
            self.holds(table, None, filter, &level.aliases());
        }
        self.sort_keys(table, None, level, parent);
        self.shown(table, None, paths, level, parent);
    }

    /// The rows that filter and search let through.
    fn matching<'t>(&self, table: &'t Table, level: &Level<'_>) -> Vec<&'t Item> {
        self.among(table, table.rows.iter().collect(), level)
    }

    fn among<'t>(&self, table: &Table, rows: Vec<&'t Item>, level: &Level<'_>) -> Vec<&'t Item> {
        let search = level.member("search").and_then(Value::as_str).map(str::trim);
        let matches = |row: &&Item| {
            let filter = level.member("filter");
            filter.is_none_or(|filter| self.holds(table, Some(row), filter, &level.aliases()))
                && search.is_none_or(|text| text.is_empty() || found(table, row, text))
        };
        rows.into_iter().filter(matches).collect()
    }

    fn sorted<'t>(
        &self,
        table: &Table,
        mut rows: Vec<&'t Item>,
        level: &Level<'_>,
        parent: Option<&Relation>,
    ) -> Vec<&'t Item> {
        rows.sort_by(|left, right| {
            let left = self.sort_keys(table, Some(left), level, parent);
            let right = self.sort_keys(table, Some(right), level, parent);
            let pairs = left.into_iter().zip(right);
            let orders = pairs.map(|(((left, kind), descending), ((right, _), _))| {
                let order = values::order(&left, &right, kind);
                if descending { order.reverse() } else { order }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        rows
    }

    /// What a row is sorted by: the keys asked for or the order by hand, and the primary key.
    fn sort_keys(
        &self,
        table: &Table,
        item: Option<&Item>,
        level: &Level<'_>,
        parent: Option<&Relation>,
    ) -> Vec<(Operand, bool)> {
        let mut keys = Vec::new();
        let asked = level.texts("sort");
        for key in &asked {
            let (name, descending) = direction(key);
            keys.push((
                self.sort_key(table, item, &steps(name), &level.aliases()),
                descending,
            ));
        }
        if asked.is_empty() {
            let by_hand = parent
                .and_then(|relation| relation.sort_field.as_ref())
                .or(table.sort_field.as_ref());
            let field = by_hand.and_then(|name| table.field(name));
            keys.extend(field.map(|field| ((of(item, &field.name), Kind::Field(field.ty)), false)));
        }
        let ty = table.field("id").map_or(Ty::Integer, |key| key.ty);
        keys.push(((of(item, "id"), Kind::Field(ty)), false));
        keys
    }

    fn sort_key(&self, table: &Table, item: Option<&Item>, steps: &[String], aliases: &Aliases) -> Operand {
        let nothing = (Value::Null, Kind::Refused);
        let Some((first, rest)) = steps.split_first() else {
            return nothing;
        };
        if rest.is_empty() {
            return self.operand(table, item, first, aliases);
        }
        let (name, wanted) = match first.split_once(':') {
            Some((name, wanted)) => (name, Some(wanted)),
            None => (first.as_str(), None),
        };
        let real = aliases.get(name).and_then(Value::as_str).unwrap_or(name);
        if table.field(real).is_none() {
            self.refuse(Refusal::Unknown);
            return nothing;
        }
        let target = match (self.copy.link(table, real), wanted) {
            (Some(Link::One(relation, target)), None) => Some((relation, target)),
            (Some(Link::Any(relation, _, targets)), Some(wanted)) => {
                let target = targets.into_iter().find(|target| target.name == wanted);
                target.map(|target| (relation, target))
            }
            _ => None,
        };
        let Some((relation, target)) = target else {
            self.refuse(Refusal::Invalid);
            return nothing;
        };
        let there = item.and_then(|item| self.copy.pointed_to(target, relation, item));
        self.sort_key(target, there, rest, &Aliases::new())
    }

    /// A value to sort or group by: a field or a function of one.
    fn operand(&self, table: &Table, item: Option<&Item>, name: &str, aliases: &Aliases) -> Operand {
        if name.ends_with(')') {
            return self.call(table, item, name, aliases);
        }
        let real = aliases.get(name).and_then(Value::as_str).unwrap_or(name);
        match table.field(real) {
            None => {
                self.refuse(Refusal::Unknown);
                (Value::Null, Kind::Refused)
            }
            Some(field) if field.ty == Ty::Alias => {
                self.refuse(Refusal::Invalid);
                (Value::Null, Kind::Refused)
            }
            Some(field) => (of(item, real), Kind::Field(field.ty)),
        }
    }

    /// What is shown of an item.
    fn shown(
        &self,
        table: &Table,
        item: Option<&Item>,
        paths: &[Path],
        level: &Level<'_>,
        parent: Option<&Relation>,
    ) -> Row {
        let mut members: IndexMap<String, Wanted> = IndexMap::new();
        for path in paths {
            self.want(table, path.clone(), level, parent, &mut members);
        }
        let mut shown = Row::new();
        for (name, wanted) in members {
            let value = match (&wanted.call, &wanted.field) {
                (Some(call), _) => self.call(table, item, call, &level.aliases()).0,
                (None, Some(_)) => self.value(table, item, &name, &wanted, level),
                (None, None) => continue,
            };
            shown.insert(name, value);
        }
        shown
    }

    fn want(
        &self,
        table: &Table,
        mut path: Path,
        level: &Level<'_>,
        parent: Option<&Relation>,
        members: &mut IndexMap<String, Wanted>,
    ) {
        let first = path.steps.remove(0);
        if first == "*" {
            for field in &table.fields {
                let link = self.copy.link(table, &field.name);
                let back = link.as_ref().is_some_and(|link| parent == Some(link.relation()));
                if (field.ty == Ty::Alias && link.is_none()) || (back && !level.backlink) {
                    continue;
                }
                let wanted = members.entry(field.name.clone()).or_default();
                wanted.field = Some(field.name.clone());
                if !path.steps.is_empty() && link.is_some() {
                    wanted.nested.push(Path {
                        forgiving: true,
                        ..path.clone()
                    });
                }
            }
            return;
        }
        if first.ends_with(')') {
            let wanted = members.entry(call_alias(&first)).or_default();
            wanted.call = Some(first);
            return;
        }
        let (name, target) = match first.split_once(':') {
            Some((name, target)) => (name, Some(target)),
            None => (first.as_str(), None),
        };
        if path.forgiving && table.field(name).is_none() {
            return;
        }
        let aliases = level.aliases();
        let real = aliases.get(name).and_then(Value::as_str).unwrap_or(name);
        if table.field(real).is_none() {
            self.refuse(Refusal::Unknown);
            return;
        }
        let wanted = members.entry(name.to_owned()).or_default();
        wanted.field = Some(real.to_owned());
        match target {
            Some(target) => {
                if path.steps.is_empty() {
                    path.steps.push("*".to_owned());
                }
                wanted.scoped.entry(target.to_owned()).or_default().push(path);
            }
            None if path.steps.is_empty() => {}
            None => wanted.nested.push(path),
        }
    }

    fn value(
        &self,
        table: &Table,
        item: Option<&Item>,
        name: &str,
        wanted: &Wanted,
        level: &Level<'_>,
    ) -> Value {
        let real = wanted.field.as_deref().unwrap_or(name);
        let Some(field) = table.field(real) else {
            return Value::Null;
        };
        let Some(link) = self.copy.link(table, real) else {
            if field.ty == Ty::Alias || !(wanted.nested.is_empty() && wanted.scoped.is_empty()) {
                self.refuse(Refusal::Invalid);
            }
            return of(item, real);
        };
        let nothing = Map::new();
        let everything = || Level {
            query: &nothing,
            deep: true,
            backlink: level.backlink,
        };
        let asked = level.at(name).unwrap_or_else(everything);
        let mut nested = wanted.nested.clone();
        nested.extend(asked.texts("fields").iter().map(|field| path(field)));
        match link {
            Link::One(relation, target) => {
                if !wanted.scoped.is_empty() {
                    self.refuse(Refusal::Invalid);
                    return Value::Null;
                }
                if nested.is_empty() {
                    return of(item, real);
                }
                let Some(item) = item else {
                    self.visit(target, &nested, &asked, Some(relation));
                    return Value::Null;
                };
                let there = self.copy.pointed_to(target, relation, item);
                self.one(target, there, &nested, &asked, relation)
            }
            Link::Many(relation, many) => {
                let keys_only = nested.is_empty();
                if keys_only {
                    nested.push(path("id"));
                }
                let Some(item) = item else {
                    self.visit(many, &nested, &asked, Some(relation));
                    return Value::Null;
                };
                let rows = self.among(many, self.copy.pointing(many, relation, table, item), &asked);
                let rows = window(self.sorted(many, rows, &asked, Some(relation)), &asked);
                let shown = rows.into_iter().map(|row| match keys_only {
                    true => row.values["id"].clone(),
                    false => Value::Object(self.shown(many, Some(row), &nested, &asked, Some(relation))),
                });
                shown.collect()
            }
            Link::Any(relation, column, targets) => {
                if nested.is_empty() && wanted.scoped.is_empty() {
                    return of(item, real);
                }
                self.any(item, name, relation, column, &targets, &nested, wanted, level)
            }
        }
    }

    fn one(
        &self,
        target: &Table,
        there: Option<&Item>,
        nested: &[Path],
        asked: &Level<'_>,
        relation: &Relation,
    ) -> Value {
        let there = self.among(target, there.into_iter().collect(), asked);
        let shown = there
            .first()
            .map(|row| self.shown(target, Some(row), nested, asked, Some(relation)));
        shown.map_or(Value::Null, Value::Object)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the recursion, called with what it has at hand"
    )]
    fn any(
        &self,
        item: Option<&Item>,
        name: &str,
        relation: &Relation,
        column: &str,
        targets: &[&Table],
        nested: &[Path],
        wanted: &Wanted,
        level: &Level<'_>,
    ) -> Value {
        let there = |name: &String| targets.iter().any(|target| target.name == *name);
        if !wanted.scoped.keys().all(there) {
            self.refuse(Refusal::Invalid);
        }
        let several = targets.len() > 1;
        for path in nested.iter().filter(|path| several && !path.forgiving) {
            let bare = path.steps[0].split([':', '(']).next().unwrap_or_default();
            let known = targets.iter().any(|target| target.field(bare).is_some());
            if bare != "*" && !path.steps[0].contains('(') && !known {
                self.refuse(Refusal::Unknown);
            }
        }
        let named = item
            .and_then(|item| item.values.get(column))
            .and_then(Value::as_str);
        // Following takes both columns: where one is not to be seen, nothing is.
        let seen = item.filter(|item| !item.hidden.contains(column));
        let mut answer = seen.map_or(Value::Null, |item| item.values[&relation.field].clone());
        for target in targets {
            let mut paths = nested.to_vec();
            for path in &mut paths {
                path.forgiving |= several;
            }
            paths.extend(wanted.scoped.get(&target.name).into_iter().flatten().cloned());
            if paths.is_empty() {
                continue;
            }
            let nothing = Map::new();
            let asked = level
                .at(&format!("{name}:{}", target.name))
                .or_else(|| level.at(name));
            let asked = asked.unwrap_or(Level {
                query: &nothing,
                deep: true,
                backlink: level.backlink,
            });
            match item {
                None => self.visit(target, &paths, &asked, Some(relation)),
                Some(item) if named == Some(&target.name) && !answer.is_null() => {
                    let there = self.copy.pointed_to(target, relation, item);
                    answer = self.one(target, there, &paths, &asked, relation);
                }
                Some(_) => {}
            }
        }
        answer
    }

    fn figures(&self, table: &Table, level: &Level<'_>) -> Vec<Value> {
        let nothing = Aliases::new();
        let groups = level.texts("groupBy");
        let empty = Map::new();
        let asked = level
            .member("aggregate")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let mut figures: Vec<(&str, &str)> = Vec::new();
        for (function, fields) in asked {
            let fields = fields.as_array().into_iter().flatten().filter_map(Value::as_str);
            figures.extend(fields.map(|field| (function.as_str(), field)));
        }
        if let Some(filter) = level.member("filter") {
            self.holds(table, None, filter, &nothing);
        }
        for group in &groups {
            self.operand(table, None, group, &nothing);
        }
        for (_, field) in figures.iter().filter(|(_, field)| *field != "*") {
            self.operand(table, None, field, &nothing);
        }
        for key in level.texts("sort") {
            let (name, _) = direction(&key);
            let is_figure = |(function, field): &(&str, &str)| {
                let known = *field == "*" || table.field(field).is_some();
                known
                    && name
                        .split_once('.')
                        .map_or(name == *function, |name| name == (*function, *field))
            };
            if !groups.iter().any(|group| group == name) && !figures.iter().any(is_figure) {
                self.refuse(Refusal::Invalid);
            }
        }
        if !self.refusals.borrow().is_empty() {
            return Vec::new();
        }
        let mut made: Vec<(Vec<Operand>, Vec<&Item>)> = Vec::new();
        for row in self.matching(table, level) {
            let key: Vec<_> = groups
                .iter()
                .map(|group| self.operand(table, Some(row), group, &nothing))
                .collect();
            match made.iter_mut().find(|(other, _)| *other == key) {
                Some((_, rows)) => rows.push(row),
                None => made.push((key, vec![row])),
            }
        }
        if groups.is_empty() && made.is_empty() {
            made.push((Vec::new(), Vec::new()));
        }
        let mut answered: Vec<_> = made
            .into_iter()
            .map(|(key, rows)| {
                let worked_out = figures
                    .iter()
                    .map(|(function, field)| figure(table, &rows, function, field));
                (key, worked_out.collect::<Vec<_>>())
            })
            .collect();
        answered.sort_by(|left, right| by_figures(level, &groups, &figures, left, right));
        if !groups.is_empty() {
            answered = window(answered, level);
        }
        let shown = answered.into_iter().map(|(key, worked_out)| {
            let mut shown = Row::new();
            for (group, (value, _)) in groups.iter().zip(key) {
                shown.insert(call_alias(group), value);
            }
            for ((function, field), value) in figures.iter().zip(worked_out) {
                add(&mut shown, function, field, value);
            }
            Value::Object(shown)
        });
        shown.collect()
    }
}

fn of(item: Option<&Item>, name: &str) -> Value {
    item.and_then(|item| item.values.get(name))
        .cloned()
        .unwrap_or_default()
}

/// Whether a text stands somewhere in a row.
fn found(table: &Table, row: &Item, text: &str) -> bool {
    let fields = table.fields.iter().filter(|field| field.ty != Ty::Alias);
    let looked: Vec<_> = fields
        .filter_map(|field| values::is_found(&row.values[&field.name], field.ty, text))
        .collect();
    looked.contains(&true)
}

fn window<T>(rows: Vec<T>, level: &Level<'_>) -> Vec<T> {
    let limit = match level.number("limit") {
        None => 100,
        Some(-1) => usize::MAX,
        Some(limit) => usize::try_from(limit).unwrap_or(0),
    };
    let skipped = level.number("page").unwrap_or(1).max(1) as usize - 1;
    let offset = level.number("offset").unwrap_or(0) as usize;
    rows.into_iter()
        .skip(offset.max(skipped.saturating_mul(limit)))
        .take(limit)
        .collect()
}

fn path(field: &str) -> Path {
    Path {
        steps: steps(field),
        forgiving: false,
    }
}

/// The steps of `author.role.name`; a function is one step.
fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut depth = 0;
    for character in path.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if character == '.' && depth == 0 {
            steps.push(String::new());
        } else if let Some(last) = steps.last_mut() {
            last.push(character);
        }
    }
    steps
}

fn direction(key: &str) -> (&str, bool) {
    match key.strip_prefix('-') {
        Some(name) => (name, true),
        None => (key, false),
    }
}

/// The member of an answer that holds what a function gives: `born_year`, `data_a_b_json`.
fn call_alias(call: &str) -> String {
    let Some((function, inside)) = call.strip_suffix(')').and_then(|call| call.split_once('(')) else {
        return call.to_owned();
    };
    let (field, path) = inside.split_once(',').unwrap_or((inside, ""));
    let mut parts = vec![field.trim().to_owned()];
    parts.extend(values::json_path(path));
    parts.push(function.to_owned());
    parts.join("_")
}

/// One figure of some rows.
fn figure(table: &Table, rows: &[&Item], function: &str, field: &str) -> Value {
    if field == "*" {
        return rows.len().into();
    }
    let kind = Kind::Field(table.field(field).map_or(Ty::Integer, |field| field.ty));
    let mut all: Vec<_> = rows
        .iter()
        .map(|row| row.values[field].clone())
        .filter(|value| !value.is_null())
        .collect();
    all.sort_by(|left, right| values::order(left, right, kind));
    if function.ends_with("Distinct") {
        all.dedup_by(|left, right| values::order(left, right, kind).is_eq());
    }
    let sum = || all.iter().filter_map(values::number).sum::<f64>();
    match function {
        "count" | "countDistinct" | "countAll" => all.len().into(),
        "min" => all.first().cloned().unwrap_or_default(),
        "max" => all.last().cloned().unwrap_or_default(),
        _ if all.is_empty() => Value::Null,
        "sum" | "sumDistinct" => sum().into(),
        _ => (sum() / all.len() as f64).into(),
    }
}

/// Adds a figure as it is answered: `{function: {field: value}}`, of all rows `{function: value}`.
fn add(shown: &mut Row, function: &str, field: &str, value: Value) {
    match (shown.get_mut(function), field) {
        (None, "*") => {
            shown.insert(function.to_owned(), value);
        }
        (None, field) => {
            shown.insert(
                function.to_owned(),
                Map::from_iter([(field.to_owned(), value)]).into(),
            );
        }
        (Some(Value::Object(figures)), field) => {
            figures.insert(field.to_owned(), value);
        }
        (Some(of_rows), field) => {
            let figures = [("*".to_owned(), of_rows.take()), (field.to_owned(), value)];
            *of_rows = Map::from_iter(figures).into();
        }
    }
}

/// A group: its key and its figures.
type Group = (Vec<Operand>, Vec<Value>);

fn by_figures(
    level: &Level<'_>,
    groups: &[String],
    figures: &[(&str, &str)],
    left: &Group,
    right: &Group,
) -> Ordering {
    let group = |i: usize| values::order(&left.0[i].0, &right.0[i].0, left.0[i].1);
    let mut order = Ordering::Equal;
    for key in level.texts("sort") {
        let (name, descending) = direction(&key);
        let by_group = groups.iter().position(|other| other == name);
        let by = match by_group {
            Some(i) => group(i),
            None => {
                let (function, field) = name.split_once('.').unwrap_or((name, "*"));
                let i = figures.iter().position(|other| *other == (function, field));
                i.map_or(Ordering::Equal, |i| {
                    values::order(&left.1[i], &right.1[i], Kind::Number)
                })
            }
        };
        order = order.then(if descending { by.reverse() } else { by });
    }
    (0..groups.len()).fold(order, |order, i| order.then(group(i)))
}
