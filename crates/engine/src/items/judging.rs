//! What rules say of drafts: those of fields, and those of the caller's permissions. They are asked of the values that
//! will be stored; what is known only once something is written is asked then, before the commit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use loggia_access::{Action, Grants, left_over};
use loggia_model::error::FAILED_VALIDATION;
use loggia_model::validation::{Candidate, Examined, Extent, Related, failures};
use loggia_model::{Collection, Field, Filter, Link, Problem, Problems, Record, Relation, Scalar, Schema};
use serde_json::Value;

use super::allowing::{action, among_them, stored_values};
use super::draft::{Draft, Intent};
use super::keys;
use super::settling::Settler;
use super::writer::Writer;
use crate::Error;
use crate::query::{Resolver, is_presentation, substituted_rule};

/// The item above a nested one, and how this one will point to it.
#[derive(Clone, Copy)]
pub(super) struct Above<'a> {
    /// The column that points.
    pub(super) column: &'a str,
    /// The key that it will hold, if that is known.
    pub(super) key: Option<&'a Value>,
    /// The column that keeps the order of the list.
    pub(super) sort: Option<&'a str>,
}

/// The rule of a field, with its variables replaced.
#[derive(Clone, Debug)]
struct FieldRule {
    rule: Value,
    message: Option<String>,
}

/// What has to be asked again once everything is known.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    item: Candidate,
    rules: Vec<FieldRule>,
}

impl FieldRule {
    fn failures(&self, collection: &Collection, item: &Candidate) -> Vec<Problem> {
        let failures = failures(&self.rule, collection, item).into_iter();
        let told = failures.map(|problem| match &self.message {
            Some(message) => problem.hint(message.clone()),
            None => problem,
        });
        told.collect()
    }
}

/// What rules look at of a draft, as far as it is known.
pub(super) fn candidate(
    schema: &Schema,
    draft: &Draft,
    examined: &Examined,
    above: Option<Above<'_>>,
) -> Candidate {
    let create = draft.intent == Intent::Create;
    let mut item = Candidate {
        extent: if create { Extent::Whole } else { Extent::Part },
        ..Candidate::default()
    };
    for name in examined.0.keys() {
        if let Some(field) = draft.collection.field(name) {
            set(&mut item, draft, field, above);
        }
    }
    if create {
        item.fill(&draft.collection, |name| examined.0.contains_key(name));
    }
    for (name, beyond) in examined.0.iter().filter(|(_, beyond)| !beyond.0.is_empty()) {
        let one = draft.ones.iter().find(|one| one.field.name == *name);
        let Some(Link::ToOne { target, .. }) = schema.link(&draft.collection.name, name) else {
            continue;
        };
        let related = match one {
            Some(one) => Some(written_beside(schema, &one.draft, beyond)),
            None => pointed_to(schema, &target, beyond, &item, name),
        };
        if let Some(related) = related {
            let collection = target;
            item.related.insert(
                name.clone(),
                Related {
                    collection,
                    item: related,
                },
            );
        }
    }
    item
}

/// One value of a draft.
fn set(item: &mut Candidate, draft: &Draft, field: &Field, above: Option<Above<'_>>) {
    let name = &field.name;
    let sent = draft.sent.get(name);
    let primary = draft.collection.primary.as_ref();
    let value = match above.filter(|above| above.column == name) {
        Some(Above { key: None, .. }) => None,
        Some(Above { key: Some(key), .. }) => Some(in_the_form_of(field, key)),
        None if primary.is_some_and(|primary| primary.name == *name) => match &draft.key {
            Some(key) if sent.is_some() || draft.intent == Intent::Create => Some(keys::value(field, key)),
            _ => return,
        },
        None => match (draft.values.get(name), sent) {
            // It is stored hashed; what is tested is what was chosen.
            (Some(_), Some(sent)) if field.is_secret() => Some(sent.clone()),
            (Some(assigned), _) => Some(field.ty.print(assigned.scalar.clone())),
            // Sent back as it is shown: nothing is written.
            (None, _) if field.is_secret() => return,
            (None, _) if draft.filled_from_beside.iter().any(|beside| beside == name) => None,
            (None, sent) => match draft.ones.iter().find(|one| one.field.name == *name) {
                Some(one) => {
                    let key = one.draft.key.as_ref().zip(one.draft.collection.primary.as_ref());
                    key.map(|(key, primary)| in_the_form_of(field, &keys::value(primary, key)))
                }
                None if above.is_some_and(|above| above.sort == Some(name)) => None,
                None => match sent {
                    Some(sent) => Some(sent.clone()),
                    None => return,
                },
            },
        },
    };
    match value {
        Some(value) => {
            item.values.insert(name.clone(), value);
        }
        None => {
            item.unknown.insert(name.clone());
        }
    }
    let from_above = above.is_some_and(|above| above.column == name);
    if sent.is_none() && !from_above {
        item.filled.insert(name.clone());
    }
}

/// A key as the column that points writes it.
fn in_the_form_of(field: &Field, key: &Value) -> Value {
    let column = field.column.as_ref();
    let own = column.and_then(|column| field.ty.parse(key, column).ok());
    own.map_or_else(|| key.clone(), |scalar| field.ty.print(scalar))
}

/// An item that is written with the one that points to it: what it does not change is as it is stored, and what a new
/// one does not get is nothing.
fn written_beside(schema: &Schema, draft: &Draft, examined: &Examined) -> Candidate {
    let mut item = candidate(schema, draft, examined, None);
    let mut rest = unread(schema, &draft.collection, examined);
    if item.extent == Extent::Whole {
        empty(&mut rest);
        rest.values.retain(|name, _| !item.unknown.contains(name));
    }
    for name in rest.unknown {
        if !item.values.contains_key(&name) {
            item.unknown.insert(name);
        }
    }
    for (name, value) in rest.values {
        item.values.entry(name).or_insert(value);
    }
    for (name, related) in rest.related {
        item.related.entry(name).or_insert(related);
    }
    item.extent = Extent::Whole;
    item
}

/// An item that is there already, or will be: `None` where nothing is written to the field that leads to it.
fn pointed_to(
    schema: &Schema,
    target: &Arc<Collection>,
    examined: &Examined,
    item: &Candidate,
    name: &str,
) -> Option<Candidate> {
    match item.values.get(name) {
        Some(Value::Null) => {
            let mut nothing = unread(schema, target, examined);
            empty(&mut nothing);
            Some(nothing)
        }
        Some(_) => Some(unread(schema, target, examined)),
        None => item
            .unknown
            .contains(name)
            .then(|| unread(schema, target, examined)),
    }
}

/// An item of which nothing was read yet.
fn unread(schema: &Schema, collection: &Arc<Collection>, examined: &Examined) -> Candidate {
    let mut item = Candidate {
        extent: Extent::Whole,
        ..Candidate::default()
    };
    for (name, beyond) in &examined.0 {
        if collection.field(name).is_none_or(|field| field.is_alias()) {
            continue;
        }
        item.unknown.insert(name.clone());
        if let Some(Link::ToOne { target, .. }) = schema.link(&collection.name, name)
            && !beyond.0.is_empty()
        {
            let related = unread(schema, &target, beyond);
            let collection = target;
            item.related.insert(
                name.clone(),
                Related {
                    collection,
                    item: related,
                },
            );
        }
    }
    item
}

/// Nothing is there: every value is null.
fn empty(item: &mut Candidate) {
    for name in std::mem::take(&mut item.unknown) {
        item.values.insert(name, Value::Null);
    }
    item.related
        .values_mut()
        .for_each(|related| empty(&mut related.item));
}

/// A link: nothing of an item changes but that it points to another one.
pub(super) fn link(
    schema: &Schema,
    grants: &Grants,
    collection: &Collection,
    column: &Field,
    key: Option<&Value>,
) -> Candidate {
    let examined = grants.examined(Action::Update, collection);
    let mut item = Candidate::default();
    let Some(beyond) = examined.0.get(&column.name) else {
        return item;
    };
    match key {
        Some(key) => {
            item.values
                .insert(column.name.clone(), in_the_form_of(column, key));
        }
        None => {
            item.unknown.insert(column.name.clone());
        }
    }
    if let Some(Link::ToOne { target, .. }) = schema.link(&collection.name, &column.name)
        && !beyond.0.is_empty()
        && let Some(related) = pointed_to(schema, &target, beyond, &item, &column.name)
    {
        let collection = target;
        item.related.insert(
            column.name.clone(),
            Related {
                collection,
                item: related,
            },
        );
    }
    item
}

/// What the caller's permissions say of a draft that changes an item.
pub(super) fn updatable(on: &Resolver<'_>, draft: &Draft) -> Result<Filter, Problems> {
    let examined = on.grants.examined(Action::Update, &draft.collection);
    let item = candidate(on.schema, draft, &examined, None);
    on.grants
        .check_item(Action::Update, &draft.collection, &item, &draft.given)
}

/// What rules say of a draft, where it stands. Of fields that are not there for the caller nothing is said but that it
/// may not be.
pub(super) fn told(
    schema: &Schema,
    grants: &Grants,
    draft: &Draft,
    problems: impl IntoIterator<Item = Problem>,
) -> Vec<Problem> {
    let mut told: Vec<Problem> = Vec::new();
    for problem in problems {
        let known = problem.path.is_empty()
            || problem.code != &FAILED_VALIDATION
            || is_known(schema, grants, action(draft), &draft.collection, &problem.path);
        let problem = match (known, problem.path.as_str()) {
            (false, _) => Problem::forbidden().at(&draft.path),
            (true, "") => problem.at(&draft.path),
            (true, field) => {
                let path = draft.at(field);
                problem.at(path)
            }
        };
        if !told.contains(&problem) {
            told.push(problem);
        }
    }
    told
}

/// Whether every field of a path is there for the caller.
fn is_known(schema: &Schema, grants: &Grants, action: Action, collection: &Collection, path: &str) -> bool {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let Some(field) = collection.field(name) else {
        return false;
    };
    let here = [action, Action::Read]
        .into_iter()
        .any(|action| grants.may_touch(action, collection, field));
    here && match (rest, schema.link(&collection.name, name)) {
        (None, _) => true,
        (Some(rest), Some(Link::ToOne { target, .. })) => [Action::Create, Action::Update]
            .into_iter()
            .any(|action| is_known(schema, grants, action, &target, rest)),
        (Some(_), _) => false,
    }
}

impl Settler<'_> {
    /// Asks all rules of a draft. What cannot be said yet is left for [`Writer::judged_again`].
    pub(super) fn judge(&mut self, draft: &mut Draft, above: Option<Above<'_>>, again: bool) {
        let grants = self.on.grants;
        let rules = self.field_rules(draft, above);
        let mut examined = grants.examined(action(draft), &draft.collection);
        rules.iter().for_each(|rule| examined.add(&rule.rule));
        let item = candidate(self.on.schema, draft, &examined, above);
        self.permitted(draft, &item, again);
        for rule in &rules {
            let problems = rule.failures(&draft.collection, &item);
            let told = told(self.on.schema, grants, draft, problems);
            self.problems.0.extend(told);
        }
        draft.pending = item.is_open().then(|| Box::new(Pending { item, rules }));
    }

    /// The rules of the fields that are written.
    fn field_rules(&mut self, draft: &Draft, above: Option<Above<'_>>) -> Vec<FieldRule> {
        let mut rules = Vec::new();
        for field in draft.collection.fields.values() {
            let Some(meta) = &field.meta else {
                continue;
            };
            let Some(rule) = &meta.validation else {
                continue;
            };
            // A rule speaks of a value that is written; what is not is the business of `required`.
            let written =
                draft.sent.contains_key(&field.name) || above.is_some_and(|above| above.column == field.name);
            if !written || is_presentation(self.on.schema, field) {
                continue;
            }
            let rule = substituted_rule(&self.on, rule);
            if let Some(variable) = left_over(&rule) {
                let text = format!("Its rule names `{variable}`, which stands for nothing that is known.");
                let problem = loggia_model::validation::failure(&field.name, "custom", &text, None);
                self.problems.push(problem.at(draft.at(&field.name)));
                continue;
            }
            let message = meta.validation_message.clone();
            rules.push(FieldRule { rule, message });
        }
        rules
    }
}

type Completed<'c> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'c>>;

impl Writer<'_> {
    /// Asks again what could not be said before: of a new item once it is there, of another before it is changed.
    /// Answers on which items the caller may do what is done.
    ///
    /// # Errors
    /// What rules say; the transaction must not be committed then.
    pub(super) async fn judged_again(&mut self, draft: &Draft, key: &Scalar) -> Result<Filter, Error> {
        let Some(pending) = &draft.pending else {
            return Ok(draft.made_if.clone());
        };
        let Pending { mut item, rules } = Pending::clone(pending);
        let open: Vec<_> = item.unknown.iter().cloned().collect();
        for name in open {
            if let Some(assigned) = draft.values.get(&name) {
                let value = assigned.field.ty.print(assigned.scalar.clone());
                item.unknown.remove(&name);
                item.values.insert(name, value);
            }
        }
        if item.extent == Extent::Part {
            item.unknown.clear();
        }
        self.complete(&draft.collection, &mut item, key).await?;
        let mut problems = Vec::new();
        for rule in &rules {
            problems.extend(rule.failures(&draft.collection, &item));
        }
        let action = action(draft);
        let allowed = if self.grants.is_admin() {
            Ok(Filter::All)
        } else {
            self.grants
                .check_item(action, &draft.collection, &item, &draft.given)
        };
        match allowed {
            Ok(filter) if problems.is_empty() => return Ok(filter),
            Ok(_) => {}
            Err(more) => problems.extend(more.0),
        }
        Err(Problems(told(self.schema, self.grants, draft, problems)).into())
    }

    /// As [`Writer::judged_again`], of an item that is going to be changed.
    ///
    /// # Errors
    /// As there, and the one answer for what is denied or absent.
    pub(super) async fn changed_rightly(&mut self, draft: &Draft) -> Result<(), Error> {
        let Some(key) = draft.key.as_ref().filter(|_| draft.pending.is_some()) else {
            return Ok(());
        };
        let filter = self.judged_again(draft, key).await?;
        self.hold_on(&draft.collection, vec![key.clone()], filter).await
    }

    /// Whether items may be put on the list of an item that is there by now.
    ///
    /// # Errors
    /// As [`Writer::changed_rightly`].
    pub(super) async fn linked_rightly(
        &mut self,
        collection: &Arc<Collection>,
        column: &Field,
        value: &Scalar,
        wanted: &[Scalar],
        path: &str,
    ) -> Result<(), Error> {
        let value = column.ty.print(value.clone());
        let mut item = link(self.schema, self.grants, collection, column, Some(&value));
        if self.grants.is_admin() || item == Candidate::default() {
            return Ok(());
        }
        self.complete(collection, &mut item, &Scalar::Null).await?;
        let given = std::collections::BTreeSet::from([column.name.clone()]);
        match self.grants.check_item(Action::Update, collection, &item, &given) {
            Ok(filter) => self.hold_on(collection, wanted.to_vec(), filter).await,
            Err(_) => Err(Problem::forbidden().at(path).into()),
        }
    }

    /// Items on which a condition does not hold look like items that are not there.
    async fn hold_on(
        &mut self,
        collection: &Arc<Collection>,
        wanted: Vec<Scalar>,
        filter: Filter,
    ) -> Result<(), Error> {
        if matches!(filter, Filter::All) {
            return Ok(());
        }
        let primary = keys::primary(collection)?;
        let found = among_them(&mut self.tx, collection, wanted.clone(), filter).await?;
        let texts = wanted.iter().map(|key| keys::text(primary, key));
        let missing: Vec<_> = texts.filter(|key| !found.contains(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(keys::missing(self.grants, collection, &missing).into())
    }

    /// Reads what is not known of an item, and of those that it points to.
    fn complete<'c>(
        &'c mut self,
        collection: &'c Arc<Collection>,
        item: &'c mut Candidate,
        key: &'c Scalar,
    ) -> Completed<'c> {
        Box::pin(async move {
            if !item.unknown.is_empty() {
                let unknown = item.unknown.iter();
                let fields: Vec<_> = unknown
                    .filter_map(|name| collection.field(name).cloned())
                    .collect();
                let mut row: Record = stored_values(&mut self.tx, collection, key, &fields).await?;
                for name in std::mem::take(&mut item.unknown) {
                    let value = row.shift_remove(&name).unwrap_or_default();
                    item.values.insert(name, value);
                }
            }
            for (name, related) in &mut item.related {
                let open = related.item.is_open();
                let target = &related.collection;
                let key = item.values.get(name).filter(|_| open);
                let key = key.zip(target.primary.as_ref());
                match key.and_then(|(key, primary)| keys::scalar(primary, key)) {
                    Some(key) => self.complete(target, &mut related.item, &key).await?,
                    None if open => empty(&mut related.item),
                    None => {}
                }
            }
            Ok(())
        })
    }
}

/// The item that entries of a list will point to.
pub(super) fn above<'a>(relation: &'a Relation, key: Option<&'a Value>) -> Above<'a> {
    Above {
        column: &relation.many_field,
        key,
        sort: relation.sort_field.as_deref(),
    }
}
