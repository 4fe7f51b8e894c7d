//! Reads what was sent into drafts: every name looked up, every value parsed and checked against its field.

use std::sync::Arc;

use loggia_access::Action;
use loggia_model::error::{INVALID_PAYLOAD, VALUE_OUT_OF_RANGE, nearest};
use loggia_model::query::describe;
use loggia_model::schema::Column;
use loggia_model::{
    Collection, Field, Filter, Link, Problem, Problems, Record, Relation, Scalar, StorageKind,
};
use serde_json::Value;

use super::allowing::preset;
use super::draft::{Assigned, Draft, Edit, Entry, Intent, List, One};
use super::{Coerced, Receipt, choices, keys};
use crate::query::{Resolver, is_secret};
use crate::system;

/// What a concealed value is shown as; sent back, it means "as it is".
pub(super) const MASK: &str = "**********";

/// The largest key that may be given where the database counts: after the largest number of its type there is no next
/// one, and nothing could be created any more.
fn last_given(column: &Column) -> i64 {
    match column.kind {
        StorageKind::Integer => i64::from(i32::MAX) - (1 << 16),
        _ => i64::MAX - (1 << 32),
    }
}

/// Reads one request.
pub(super) struct Reader<'a> {
    pub(super) on: Resolver<'a>,
    pub(super) problems: Problems,
    pub(super) receipt: Receipt,
    items: usize,
}

/// Where an item stands among those around it.
#[derive(Clone, Copy)]
struct Place<'a> {
    intent: Intent,
    /// The column that the item above fills in.
    from_above: Option<&'a str>,
    level: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(on: Resolver<'a>) -> Self {
        Self {
            on,
            problems: Problems::default(),
            receipt: Receipt::default(),
            items: 0,
        }
    }

    /// An item of the request itself.
    pub(super) fn item(
        &mut self,
        collection: &Arc<Collection>,
        sent: &Record,
        path: &str,
        intent: Intent,
    ) -> Draft {
        let place = Place {
            intent,
            from_above: None,
            level: 0,
        };
        self.draft(collection, sent, path, place)
    }

    fn draft(&mut self, collection: &Arc<Collection>, sent: &Record, path: &str, place: Place<'_>) -> Draft {
        let mut draft = Draft {
            collection: collection.clone(),
            path: path.to_owned(),
            intent: place.intent,
            nested: place.level > 0,
            key: None,
            values: indexmap::IndexMap::new(),
            ones: Vec::new(),
            lists: Vec::new(),
            filled_from_above: place.from_above.map(str::to_owned),
            filled_from_beside: Vec::new(),
            sent: sent.clone(),
            given: place.from_above.map(str::to_owned).into_iter().collect(),
            preset: false,
            made_if: Filter::All,
            pending: None,
        };
        self.items += 1;
        let limits = self.on.limits;
        if self.items > limits.written_items || place.level > limits.relation_levels {
            if self.items <= limits.written_items + 1 {
                let message = format!(
                    "Too much at once: at most {} items, nested at most {} levels deep.",
                    limits.written_items, limits.relation_levels
                );
                self.problem(path, message, "Split the request.");
            }
            self.items = limits.written_items + 2;
            return draft;
        }
        let actions = actions(collection, sent, place);
        if place.level > 0
            && let Err(problem) = self.nested_allowed(collection, actions)
        {
            self.problems.push(problem.at(path));
            return draft;
        }
        for (name, value) in sent {
            self.member(&mut draft, name, value, place, actions);
        }
        if place.intent == Intent::Either && draft.key.is_none() {
            draft.intent = Intent::Create;
        }
        if let [action] = actions {
            let (filled, problems) = preset(&self.on, &mut draft, *action, true);
            self.receipt.defaulted.extend(filled);
            self.problems.extend(problems);
        }
        self.half_pointers(&draft);
        self.system_rules(&mut draft);
        draft
    }

    /// Whether an item may stand inside another one.
    fn nested_allowed(&self, collection: &Collection, actions: &[Action]) -> Result<(), Problem> {
        if !actions
            .iter()
            .any(|action| self.on.grants.may(*action, collection))
        {
            return Err(crate::query::read_only(&self.on, collection).unwrap_or_else(Problem::forbidden));
        }
        system::writable(self.on.grants, collection)
    }

    /// Whether the caller may give a field, by one of the actions that it may turn out to be.
    fn gives(&self, collection: &Collection, field: &Field, actions: &[Action]) -> bool {
        let grants = self.on.grants;
        let granted = actions
            .iter()
            .any(|action| grants.may_touch(*action, collection, field));
        granted
            && match self.on.schema.link(&collection.name, &field.name) {
                Some(Link::ToMany { target, .. }) => grants.sees(&target),
                _ => true,
            }
    }

    /// M2A: an update that names another collection alone would leave a key that means something else there.
    fn half_pointers(&mut self, draft: &Draft) {
        if draft.intent == Intent::Create {
            return;
        }
        let relations = self.on.schema.relations.iter();
        for relation in relations.filter(|relation| relation.many_collection == draft.collection.name) {
            let key = &relation.many_field;
            let Some(beside) = &relation.one_collection_field else {
                continue;
            };
            if draft.sent.contains_key(beside) && !draft.sent.contains_key(key) {
                let message =
                    format!("`{beside}` cannot change without `{key}`: the key belongs to its collection.");
                let hint = format!("Send `{key}` as well, or leave `{beside}` out.");
                self.problem(&draft.at(beside), message, hint);
            }
        }
    }

    /// The rules of system collections, which may also put values into the form that is kept.
    fn system_rules(&mut self, draft: &mut Draft) {
        if !draft.collection.system {
            return;
        }
        let before = draft.values.clone();
        self.problems.extend(system::check(&self.on, draft));
        for (name, assigned) in &draft.values {
            let field = &assigned.field;
            let was = before.get(name).map(|before| &before.scalar);
            if was.is_some_and(|was| *was != assigned.scalar) && !is_secret(field) {
                self.receipt.coerced.push(Coerced {
                    path: assigned.path.clone(),
                    from: draft.sent.get(name).cloned().unwrap_or_default(),
                    to: field.ty.print(assigned.scalar.clone()),
                });
            }
        }
    }

    fn member(&mut self, draft: &mut Draft, name: &str, value: &Value, place: Place<'_>, actions: &[Action]) {
        let path = draft.at(name);
        let field = draft.collection.field(name);
        let Some(field) = field
            .filter(|field| self.gives(&draft.collection, field, actions))
            .cloned()
        else {
            self.unknown(&draft.collection, name, &path, actions);
            return;
        };
        if place.from_above == Some(name) {
            // The list that the item stands in says whom it points to; whether that is said here too is looked at once
            // the key of the item above is known.
            return;
        }
        let is_primary = draft
            .collection
            .primary
            .as_ref()
            .is_some_and(|key| key.name == name);
        if is_primary {
            self.primary_key(draft, &field, value, &path);
            return;
        }
        if field.is_secret() && value.as_str() == Some(MASK) {
            return;
        }
        draft.given.insert(name.to_owned());
        let link = self.on.schema.link(&draft.collection.name, name);
        let seen = |target: &Arc<Collection>| self.on.grants.sees(target);
        match link {
            None if field.is_alias() => {
                let message = format!("`{name}` holds no value: it is there for presentation only.");
                self.problem(&path, message, "Leave it out.");
            }
            None => self.assign(draft, &field, value, path, None),
            Some(Link::ToOne { target, .. }) => match value {
                Value::Object(nested) if seen(&target) => {
                    self.one(draft, &field, &target, nested, &path, place.level)
                }
                _ => self.assign(draft, &field, value, path, Some(target)),
            },
            Some(Link::ToMany { relation, target }) => {
                let edit = self.edit(&relation, &target, value, &path, place.level);
                if let Some(edit) = edit {
                    self.receipt.applied.push(path.clone());
                    draft.lists.push(List {
                        relation,
                        target,
                        path,
                        edit,
                    });
                }
            }
            Some(Link::ToAny { relation, targets }) => {
                let targets: Vec<_> = targets.into_iter().filter(seen).collect();
                self.any(draft, &field, &relation, &targets, value, &path, place.level);
            }
        }
    }

    fn primary_key(&mut self, draft: &mut Draft, field: &Field, value: &Value, path: &str) {
        if value.is_null() {
            return;
        }
        match (keys::scalar(field, value), &field.column) {
            (Some(Scalar::Int(key)), Some(column))
                if column.auto_increment && key > last_given(column) && draft.intent != Intent::Update =>
            {
                let message = format!("The key {key} is too large: no numbers would be left to count on.");
                let problem = Problem::new(&VALUE_OUT_OF_RANGE, message).at(path);
                self.problems.push(problem.hint(format!(
                    "Leave it out to get the next one, or use at most {}.",
                    last_given(column)
                )));
            }
            (Some(key), _) => {
                self.receipt.applied.push(path.to_owned());
                draft.key = Some(key);
            }
            (None, Some(column)) => {
                let problem = field.ty.parse(value, column).err();
                let problem = problem.unwrap_or_else(|| {
                    Problem::new(
                        &INVALID_PAYLOAD,
                        format!("Expected a key; got {}.", describe(value)),
                    )
                });
                self.problems.push(problem.at(path));
            }
            (None, None) => {}
        }
    }

    /// A value of a column of the item's own.
    fn assign(
        &mut self,
        draft: &mut Draft,
        field: &Arc<Field>,
        value: &Value,
        path: String,
        points_to: Option<Arc<Collection>>,
    ) {
        let Some(scalar) = self.scalar(field, value, &path) else {
            return;
        };
        self.receipt.applied.push(path.clone());
        let assigned = Assigned {
            field: field.clone(),
            scalar,
            path,
            points_to,
        };
        draft.values.insert(field.name.clone(), assigned);
    }

    fn scalar(&mut self, field: &Field, value: &Value, path: &str) -> Option<Scalar> {
        let column = field.column.as_ref()?;
        if column.generated {
            let message = format!("`{}` is worked out by the database.", field.name);
            self.problem(path, message, "Leave it out.");
            return None;
        }
        if value.is_null() {
            return Some(Scalar::Null);
        }
        let value = &json_inside(field, value);
        match field.ty.parse(value, column) {
            Ok(scalar) => {
                let printed = field.ty.print(scalar.clone());
                let not_offered = choices::failures(field, &printed).into_iter();
                self.problems
                    .0
                    .extend(not_offered.map(|problem| problem.at(path)));
                if printed != *value && !is_secret(field) {
                    self.receipt.coerced.push(Coerced {
                        path: path.to_owned(),
                        from: value.clone(),
                        to: printed,
                    });
                }
                Some(scalar)
            }
            Err(problem) => {
                let problem = problem
                    .with("collection", field.collection.as_str())
                    .with("field", field.name.as_str());
                self.problems.push(problem.at(path));
                None
            }
        }
    }

    fn one(
        &mut self,
        draft: &mut Draft,
        field: &Arc<Field>,
        target: &Arc<Collection>,
        nested: &Record,
        path: &str,
        level: usize,
    ) {
        let place = Place {
            intent: Intent::Either,
            from_above: None,
            level: level + 1,
        };
        let nested = self.draft(target, nested, path, place);
        draft.ones.push(One {
            field: field.clone(),
            draft: nested,
        });
    }

    /// M2A: the collection is named by the column beside.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the recursion, called with what it has at hand"
    )]
    fn any(
        &mut self,
        draft: &mut Draft,
        field: &Arc<Field>,
        relation: &Relation,
        targets: &[Arc<Collection>],
        value: &Value,
        path: &str,
        level: usize,
    ) {
        if value.is_null() {
            self.assign(draft, field, value, path.to_owned(), None);
            return;
        }
        let (name, beside) = (
            &field.name,
            relation.one_collection_field.clone().unwrap_or_default(),
        );
        let Some(named) = draft.sent.get(&beside).and_then(Value::as_str) else {
            let message = format!("Which collection `{name}` points into is missing.");
            let known: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
            let hint = format!("Set `{beside}` beside it to one of: {}.", known.join(", "));
            self.problem(path, message, hint);
            return;
        };
        let Some(target) = targets.iter().find(|target| target.name == named) else {
            let known: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
            let message = format!("`{name}` cannot point into the collection `{named}`.");
            let hint = format!("Set `{beside}` to one of: {}.", known.join(", "));
            self.problem(&draft.at(&beside), message, hint);
            return;
        };
        if let Value::Object(nested) = value {
            self.one(draft, field, target, nested, path, level);
            return;
        }
        let key = target
            .primary
            .as_ref()
            .and_then(|key| Some((key, keys::scalar(key, value)?)));
        match key {
            Some((primary, key)) => {
                let value = Value::from(keys::text(primary, &key));
                self.assign(draft, field, &value, path.to_owned(), Some(target.clone()));
            }
            None => {
                let message = format!(
                    "Expected a key of `{named}` or an object; got {}.",
                    describe(value)
                );
                self.problem(path, message, "");
            }
        }
    }

    /// An array of keys and objects, or `{create, update, delete}`; null is the empty list.
    fn edit(
        &mut self,
        relation: &Arc<Relation>,
        target: &Arc<Collection>,
        value: &Value,
        path: &str,
        level: usize,
    ) -> Option<Edit> {
        if let Some(problem) = crate::query::read_only(&self.on, target) {
            self.problems.push(problem.at(path));
            return None;
        }
        match value {
            Value::Null => Some(Edit::Replace(Vec::new())),
            Value::Array(entries) => {
                let entries = self.entries(relation, target, entries, path, level, Intent::Either);
                Some(Edit::Replace(entries))
            }
            Value::Object(change) => self.change(relation, target, change, path, level),
            other => {
                let message = format!("Expected a list; got {}.", describe(other));
                let hint = "Send an array of keys and objects, which replaces the list, or {\"create\": […], \"update\": […], \"delete\": […]}.";
                self.problem(path, message, hint);
                None
            }
        }
    }

    fn change(
        &mut self,
        relation: &Arc<Relation>,
        target: &Arc<Collection>,
        change: &Record,
        path: &str,
        level: usize,
    ) -> Option<Edit> {
        const KNOWN: [&str; 3] = ["create", "update", "delete"];
        let (mut create, mut update, mut delete) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in change {
            let at = format!("{path}.{name}");
            if !KNOWN.contains(&name.as_str()) {
                let hint = match nearest(name, KNOWN) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "A change of a list has create, update and delete.".to_owned(),
                };
                self.problem(&at, format!("`{name}` is not known here."), hint);
                continue;
            }
            let entries = match value {
                Value::Null => continue,
                Value::Array(entries) => entries,
                other => {
                    self.problem(&at, format!("Expected an array; got {}.", describe(other)), "");
                    continue;
                }
            };
            match name.as_str() {
                "create" => {
                    let items = self.entries(relation, target, entries, &at, level, Intent::Create);
                    create.extend(items.into_iter().filter_map(|entry| match entry {
                        Entry::Item(draft) => Some(draft),
                        Entry::Key(..) => None,
                    }));
                }
                "update" => update = self.entries(relation, target, entries, &at, level, Intent::Update),
                _ => delete = self.keys_of(target, entries, &at),
            }
        }
        Some(Edit::Change {
            create,
            update,
            delete,
        })
    }

    fn entries(
        &mut self,
        relation: &Arc<Relation>,
        target: &Arc<Collection>,
        entries: &[Value],
        path: &str,
        level: usize,
        intent: Intent,
    ) -> Vec<Entry> {
        let place = Place {
            intent,
            from_above: Some(&relation.many_field),
            level: level + 1,
        };
        let mut read = Vec::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            let at = format!("{path}[{i}]");
            match entry {
                Value::Object(nested) => {
                    let draft = self.draft(target, nested, &at, place);
                    if intent == Intent::Update && draft.key.is_none() {
                        let key = target.primary.as_ref().map_or("id", |key| key.name.as_str());
                        let hint = format!("Give `{key}`, or put it under `create`.");
                        self.problem(&at, "Which item is to be updated is missing.", hint);
                        continue;
                    }
                    read.push(Entry::Item(draft));
                }
                _ if intent == Intent::Create => {
                    let message = format!("Expected an object; got {}.", describe(entry));
                    self.problem(&at, message, "Link items that exist under `update`.");
                }
                key => {
                    let scalar = target
                        .primary
                        .as_ref()
                        .and_then(|primary| keys::scalar(primary, key));
                    match scalar {
                        Some(scalar) => read.push(Entry::Key(scalar, at)),
                        None => self.no_key(target, key, &at),
                    }
                }
            }
        }
        read
    }

    fn keys_of(&mut self, target: &Collection, entries: &[Value], path: &str) -> Vec<(Scalar, String)> {
        let mut read = Vec::with_capacity(entries.len());
        for (i, key) in entries.iter().enumerate() {
            let at = format!("{path}[{i}]");
            let scalar = target
                .primary
                .as_ref()
                .and_then(|primary| keys::scalar(primary, key));
            match scalar {
                Some(scalar) => read.push((scalar, at)),
                None => self.no_key(target, key, &at),
            }
        }
        read
    }

    fn no_key(&mut self, target: &Collection, key: &Value, path: &str) {
        let message = format!(
            "Expected a primary key of `{}`; got {}.",
            target.name,
            describe(key)
        );
        self.problem(path, message, "");
    }

    fn unknown(&mut self, collection: &Collection, name: &str, path: &str, actions: &[Action]) {
        let problem = Problem::new(
            &INVALID_PAYLOAD,
            format!(
                "There is no field \"{name}\" in collection \"{}\".",
                collection.name
            ),
        );
        let fields = collection.fields.values();
        let known: Vec<_> = fields
            .filter(|field| self.gives(collection, field, actions))
            .map(|field| field.name.as_str())
            .collect();
        let problem = crate::query::suggest(problem.at(path), name, &known, "Fields");
        self.problems.push(problem.with("field", name));
    }

    fn problem(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(invalid(message).at(path).hint(hint));
    }
}

/// What an item may turn out to be: whether it exists is not known yet.
fn actions(collection: &Collection, sent: &Record, place: Place<'_>) -> &'static [Action] {
    let primary = collection.primary.as_ref();
    let keyed = primary.is_some_and(|key| sent.get(&key.name).is_some_and(|value| !value.is_null()));
    match place.intent {
        Intent::Create => &[Action::Create],
        Intent::Update => &[Action::Update],
        Intent::Either if keyed || place.level == 0 => &[Action::Create, Action::Update],
        Intent::Either => &[Action::Create],
    }
}

/// A payload that cannot be understood; the REST dialect repeats the message as `reason`.
pub(crate) fn invalid(message: impl Into<String>) -> Problem {
    let message = message.into();
    let reason = message.trim_end_matches('.').to_owned();
    Problem::new(&INVALID_PAYLOAD, message).with("reason", reason)
}

/// JSON that came as text into a json field.
pub(super) fn json_inside(field: &Field, value: &Value) -> Value {
    let is_json = field
        .column
        .as_ref()
        .is_some_and(|column| column.kind == StorageKind::Json);
    match value {
        Value::String(text) if is_json && text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        other => other.clone(),
    }
}
