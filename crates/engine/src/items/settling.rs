//! Settles drafts against what is stored: which items exist, which keys point to something, which values are still
//! required, and what is filled in.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Action, Grants, Permit};
use loggia_model::error::INVALID_FOREIGN_KEY;
use loggia_model::field_types::calendar::timestamp;
use loggia_model::plan::Plan;
use loggia_model::schema::{Column, Default as ColumnDefault, Deselect};
use loggia_model::validation::{Candidate, failure};
use loggia_model::{
    Collection, Field, Filter, Generator, Problem, Problems, Record, Relation, Scalar, StorageKind,
};
use serde_json::Value;

use super::allowing::{self, Demand, action, preset, seen_among_them};
use super::draft::{Assigned, Draft, Intent, List};
use super::judging::{self, Above};
use super::payload::invalid;
use super::{Coerced, Receipt, keys};
use crate::changes::Recorder;
use crate::query::{Resolver, is_presentation, is_secret, plain_read};
use crate::{Error, system};

/// What is stored of the items that a request names: by collection, then by key.
#[derive(Default)]
pub(super) struct Existing {
    rows: HashMap<String, HashMap<String, Record>>,
    /// Keys that the request itself gives to new items.
    coming: HashSet<(String, String)>,
    /// Of the items that values point to, those that the caller sees; `None`: all of them.
    visible: Option<HashMap<String, HashSet<String>>>,
}

impl Existing {
    /// Reads everything that the drafts name: one statement for each collection.
    pub(super) async fn read(tx: &mut Recorder, grants: &Grants, drafts: &[&Draft]) -> Result<Self, Error> {
        let mut wanted: IndexMap<String, (Arc<Collection>, IndexMap<String, Scalar>)> = IndexMap::new();
        let mut coming = HashSet::new();
        let mut linked: IndexMap<String, (Arc<Collection>, Vec<Scalar>)> = IndexMap::new();
        let mut want = |collection: &Arc<Collection>, key: &Scalar| {
            if let Some(primary) = &collection.primary {
                let entry = wanted
                    .entry(collection.name.clone())
                    .or_insert_with(|| (collection.clone(), IndexMap::new()));
                entry.1.insert(keys::text(primary, key), key.clone());
            }
        };
        for draft in drafts {
            draft.visit(&mut |draft| {
                if let (Some(key), Some(primary)) = (&draft.key, &draft.collection.primary) {
                    want(&draft.collection, key);
                    if draft.is_bare_link() {
                        let entry = linked.entry(draft.collection.name.clone());
                        let link = || (draft.collection.clone(), Vec::new());
                        entry.or_insert_with(link).1.push(key.clone());
                    }
                    if draft.intent != Intent::Update {
                        coming.insert((draft.collection.name.clone(), keys::text(primary, key)));
                    }
                }
                for assigned in draft.values.values() {
                    if let (Some(target), Some(key)) = (&assigned.points_to, target_key(assigned)) {
                        want(target, &key);
                        let entry = linked.entry(target.name.clone());
                        entry.or_insert_with(|| (target.clone(), Vec::new())).1.push(key);
                    }
                }
                for list in &draft.lists {
                    for (key, _) in list.edit.keys() {
                        want(&list.target, key);
                    }
                }
            });
        }
        let mut rows = HashMap::new();
        for (name, (collection, wanted)) in wanted {
            let found = read_rows(tx, &collection, wanted.into_values().collect()).await?;
            rows.insert(name, found);
        }
        let mut visible = None;
        if !grants.is_admin() {
            let mut seen = HashMap::new();
            for (name, (collection, wanted)) in linked {
                seen.insert(name, seen_among_them(tx, grants, &collection, wanted).await?);
            }
            visible = Some(seen);
        }
        Ok(Self {
            rows,
            coming,
            visible,
        })
    }

    fn row(&self, collection: &Collection, key: &Scalar) -> Option<&Record> {
        let primary = collection.primary.as_ref()?;
        self.rows.get(&collection.name)?.get(&keys::text(primary, key))
    }

    fn has(&self, collection: &Collection, key: &Scalar) -> bool {
        self.row(collection, key).is_some()
    }

    /// Whether the caller may point to an item.
    fn can_be_pointed_to(&self, collection: &Collection, key: &Scalar) -> bool {
        let Some(primary) = &collection.primary else {
            return false;
        };
        self.has(collection, key)
            && self.visible.as_ref().is_none_or(|visible| {
                let seen = visible.get(&collection.name);
                seen.is_some_and(|seen| seen.contains(&keys::text(primary, key)))
            })
    }

    fn is_coming(&self, collection: &Collection, key: &Scalar) -> bool {
        let Some(primary) = &collection.primary else {
            return false;
        };
        // An item that is there and only changed by the request is seen, or not, like any other.
        !self.has(collection, key)
            && self
                .coming
                .contains(&(collection.name.clone(), keys::text(primary, key)))
    }

    /// Keys must be those of items.
    fn points(&self, on: &Resolver<'_>, draft: &Draft) -> Problems {
        let mut problems = Problems::default();
        for assigned in draft.values.values() {
            let (Some(target), Some(key)) = (&assigned.points_to, target_key(assigned)) else {
                continue;
            };
            let exists = if assigned.path.is_empty() {
                self.has(target, &key)
            } else {
                self.can_be_pointed_to(target, &key)
            };
            if exists || self.is_coming(target, &key) || may_dangle(&assigned.field) {
                continue;
            }
            let field = &assigned.field;
            if assigned.path.is_empty() && !allowing::reads(on.grants, &draft.collection, field) {
                problems.push(Problem::forbidden().at(&draft.path));
                continue;
            }
            let value = field.ty.print(assigned.scalar.clone());
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let message = format!(
                "Invalid foreign key \"{shown}\" for field \"{}\" in collection \"{}\".",
                field.name, field.collection
            );
            let problem = Problem::new(&INVALID_FOREIGN_KEY, message).at(&assigned.path);
            let problem = if on.grants.sees(target) {
                problem.hint(format!(
                    "\"{0}\" has no item with this key: create it first, or send an object to create it with this item.",
                    target.name
                ))
            } else {
                problem
            };
            let problem = problem
                .with("collection", field.collection.as_str())
                .with("field", field.name.as_str())
                .with("value", value);
            problems.push(problem);
        }
        problems
    }
}

/// The items with these keys, with the fields that must have a value; where the system has rules on what stays, whole.
pub(super) async fn read_rows(
    tx: &mut Recorder,
    collection: &Arc<Collection>,
    wanted: Vec<Scalar>,
) -> Result<HashMap<String, Record>, Error> {
    let primary = keys::primary(collection)?;
    let mut fields = vec![primary.clone()];
    let whole = system::changes_whole(collection);
    let columns = collection.fields.values().filter(|field| !field.is_alias());
    let demanded = columns.filter(|field| (whole || field.must_be_given()) && field.name != primary.name);
    fields.extend(demanded.cloned());
    let plan = plain_read(collection, &fields, keys::among(primary, wanted));
    let reason = "whether items exist, and what they lack, does not depend on who asks";
    let rows = tx
        .run(Permit::system(reason, Plan::Read(plan)))
        .await?
        .into_rows();
    let keyed = rows.into_iter().map(|row| {
        let key = match row.get(&primary.name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        (key, row)
    });
    Ok(keyed.collect())
}

/// Keys that no item of a collection has.
struct Missing {
    collection: Arc<Collection>,
    keys: Vec<String>,
    advice: Option<String>,
}

/// Settles the drafts of one request.
pub(super) struct Settler<'a> {
    pub(super) on: Resolver<'a>,
    pub(super) existing: &'a Existing,
    pub(super) generator: &'a Generator,
    pub(super) reserve_keys: bool,
    pub(super) problems: Problems,
    pub(super) receipt: Receipt,
    /// Keys of new items so far: who names one again means the same item.
    planned: HashSet<(String, String)>,
    /// Keys that no item has, by collection.
    missing: IndexMap<String, Missing>,
    /// On what which items may be written.
    pub(super) demands: Vec<Demand>,
    /// What the last demand was made of: many items are often written in the same way.
    last_demand: Option<(Candidate, BTreeSet<String>)>,
}

impl<'a> Settler<'a> {
    pub(super) fn new(
        on: Resolver<'a>,
        existing: &'a Existing,
        generator: &'a Generator,
        reserve_keys: bool,
    ) -> Self {
        Self {
            on,
            existing,
            generator,
            reserve_keys,
            problems: Problems::default(),
            receipt: Receipt::default(),
            planned: HashSet::new(),
            missing: IndexMap::new(),
            demands: Vec::new(),
            last_demand: None,
        }
    }

    /// Everything that was found wrong, missing items last.
    pub(super) fn finish(mut self) -> (Problems, Receipt) {
        for Missing {
            collection,
            keys,
            advice,
        } in self.missing.into_values()
        {
            let mut problem = keys::missing(self.on.grants, &collection, &keys);
            if let (Some(more), Some(said)) = (advice, problem.hint.clone()) {
                problem = problem.hint(format!("{said} {more}"));
            }
            self.problems.push(problem);
        }
        (self.problems, self.receipt)
    }

    /// Decides whether the item is new, checks it, and fills in what belongs to it.
    pub(super) fn settle(&mut self, draft: &mut Draft) {
        self.settle_below(draft, None);
    }

    fn settle_below(&mut self, draft: &mut Draft, above: Option<Above<'_>>) {
        let stored = draft
            .key
            .as_ref()
            .and_then(|key| self.existing.row(&draft.collection, key));
        match (draft.intent, stored.is_some()) {
            (Intent::Update, false) => {
                if let Some(key) = &draft.key {
                    self.miss(&draft.collection, key, None);
                }
                return;
            }
            (Intent::Either, true) => draft.intent = Intent::Update,
            (Intent::Either, false) => draft.intent = Intent::Create,
            _ => {}
        }
        if stored.is_some() && draft.is_bare_link() {
            if let Some(key) = draft.key.clone()
                && !self.existing.can_be_pointed_to(&draft.collection, &key)
            {
                self.miss(&draft.collection, &key, None);
            }
            return;
        }
        let again = draft.intent == Intent::Create && self.is_again(draft);
        if again {
            draft.intent = Intent::Update;
        }
        let reservation = self.reserve_keys
            && draft.intent == Intent::Create
            && draft.key.is_some()
            && draft.values.is_empty()
            && draft.ones.is_empty()
            && draft.lists.is_empty();
        self.presets(draft);
        let pointing = self.existing.points(&self.on, draft);
        self.problems.extend(pointing);
        if !again {
            self.demanded(draft, stored, reservation);
        }
        if let Some(stored) = stored.filter(|_| draft.intent == Intent::Update) {
            self.problems
                .extend(system::check_changed(&self.on, draft, stored));
        }
        self.fill(draft);
        for one in &mut draft.ones {
            self.settle(&mut one.draft);
        }
        self.judge(draft, above, again);
        for list in &mut draft.lists {
            let parent = draft.key.as_ref().zip(draft.collection.primary.as_ref());
            let parent = parent.map(|(key, primary)| keys::value(primary, key));
            self.linked(list, parent.as_ref());
            let above = judging::above(&list.relation, parent.as_ref());
            for nested in list.edit.items_mut() {
                self.points_up(nested, &list.relation, draft.key.as_ref());
                self.settle_below(nested, Some(above));
            }
        }
    }

    /// An item of a list may say whom it points to, but only what is so anyway: it points to the item above.
    fn points_up(&mut self, nested: &Draft, relation: &Relation, parent: Option<&Scalar>) {
        let name = &relation.many_field;
        let Some(said) = nested.sent.get(name).filter(|said| !said.is_null()) else {
            return;
        };
        let above = relation.one_collection.as_deref();
        let above = above.and_then(|above| self.on.schema.collection(above)?.primary.as_ref());
        let key = match (said, above) {
            (Value::Object(item), Some(primary)) if item.len() == 1 => item.get(&primary.name),
            (Value::Object(_), _) => None,
            (key, _) => Some(key),
        };
        let same = above
            .zip(parent)
            .zip(key)
            .is_some_and(|((primary, parent), key)| {
                keys::scalar(primary, key)
                    .is_some_and(|key| keys::text(primary, &key) == keys::text(primary, parent))
            });
        if same {
            return;
        }
        let message =
            format!("`{name}` does not name the item that this one is nested in, which it will point to.");
        let hint = match above.zip(parent) {
            Some((primary, parent)) => {
                let key = keys::value(primary, parent);
                format!(
                    "Leave it out, or send {key}. To let it point elsewhere, write it there or on its own."
                )
            }
            None => "Leave it out: the item above gets its key with this request.".to_owned(),
        };
        let problem = invalid(message).at(nested.at(name)).hint(hint);
        self.problems.push(
            problem
                .with("collection", nested.collection.name.as_str())
                .with("field", name.as_str()),
        );
    }

    /// What permissions fill in, where it was not known before whether the item exists. A secret would be stored as it
    /// is by now.
    fn presets(&mut self, draft: &mut Draft) {
        let (filled, problems) = preset(&self.on, draft, action(draft), false);
        self.receipt.defaulted.extend(filled);
        self.problems.extend(problems);
    }

    /// Items that exist and are put on a list or taken off by their keys.
    fn linked(&mut self, list: &List, parent: Option<&Value>) {
        let hint = list.relation.junction_field.as_ref().map(|field| {
            format!(
                "`{}` lists rows of `{}`: to link by key, send {{\"{field}\": key}}.",
                list.path, list.target.name
            )
        });
        for (key, _) in list.edit.keys() {
            if !self.existing.has(&list.target, key) {
                self.miss(&list.target, key, hint.clone());
            }
        }
        let grants = self.on.grants;
        let Some(column) = list.target.field(&list.relation.many_field) else {
            return;
        };
        if grants.is_admin() {
            return;
        }
        let (linked, off) = list.edit.linked_and_off();
        let deletes = list.relation.one_deselect_action == Deselect::Delete;
        let wanted = [(linked, false, parent), (off, deletes, Some(&Value::Null))];
        for (which, deletes, value) in wanted {
            if which.is_empty() {
                continue;
            }
            let allowed = if deletes {
                allowing::deletable(grants, &list.target)
            } else {
                allowing::pointing_allowed(self.on.schema, grants, &list.target, column, value)
            };
            match allowed {
                Ok(filter) => self.demands.push(Demand {
                    collection: list.target.clone(),
                    filter,
                    keys: which.into_iter().map(|key| (key.clone(), hint.clone())).collect(),
                }),
                Err(_) => self.problems.push(Problem::forbidden().at(&list.path)),
            }
        }
        self.last_demand = None;
    }

    /// What the caller's permissions say of an item that is to be written.
    pub(super) fn permitted(&mut self, draft: &mut Draft, item: &Candidate, again: bool) {
        let grants = self.on.grants;
        if grants.is_admin() {
            return;
        }
        let action = action(draft);
        let same = self
            .last_demand
            .as_ref()
            .is_some_and(|(last, given)| last == item && *given == draft.given);
        if let (true, Action::Update, Some(key)) = (same && !again, action, &draft.key)
            && let Some(demand) = self
                .demands
                .last_mut()
                .filter(|last| last.collection.name == draft.collection.name)
        {
            demand.keys.push((key.clone(), None));
            return;
        }
        match grants.check_item(action, &draft.collection, item, &draft.given) {
            Err(problems) => {
                let told = judging::told(self.on.schema, grants, draft, problems.0);
                self.problems.0.extend(told);
            }
            Ok(filter) if action == Action::Create => draft.made_if = filter,
            Ok(Filter::All) => {}
            // It is made by this very request: nothing can be asked of it yet.
            Ok(_) if again => self.problems.push(Problem::forbidden().at(&draft.path)),
            Ok(filter) => {
                self.demands.push(Demand {
                    collection: draft.collection.clone(),
                    filter,
                    keys: draft.key.iter().map(|key| (key.clone(), None)).collect(),
                });
                self.last_demand = Some((item.clone(), draft.given.clone()));
            }
        }
    }

    /// Items that may not be written look like items that are not there.
    pub(super) fn refuse(&mut self, collection: &Arc<Collection>, unmet: Vec<(Scalar, Option<String>)>) {
        for (key, advice) in unmet {
            self.miss(collection, &key, advice);
        }
    }

    /// Whether a nested item with this key is made by the same request already. Of items in the request itself, each
    /// key must be new.
    fn is_again(&mut self, draft: &Draft) -> bool {
        let (Some(primary), Some(key)) = (&draft.collection.primary, &draft.key) else {
            return false;
        };
        let name = (draft.collection.name.clone(), keys::text(primary, key));
        !self.planned.insert(name) && draft.nested
    }

    pub(super) fn miss(&mut self, collection: &Arc<Collection>, key: &Scalar, advice: Option<String>) {
        let Some(primary) = &collection.primary else {
            return;
        };
        let text = keys::text(primary, key);
        let entry = self
            .missing
            .entry(collection.name.clone())
            .or_insert_with(|| Missing {
                collection: collection.clone(),
                keys: Vec::new(),
                advice,
            });
        if !entry.keys.contains(&text) {
            entry.keys.push(text);
        }
    }

    /// Required fields have a value, and no field that cannot be empty is emptied.
    fn demanded(&mut self, draft: &Draft, stored: Option<&Record>, reservation: bool) {
        for field in draft.collection.fields.values() {
            let name = field.name.as_str();
            let is_primary = draft
                .collection
                .primary
                .as_ref()
                .is_some_and(|key| key.name == name);
            let ours = draft.filled_from_above.as_deref() == Some(name)
                || draft.filled_from_beside.iter().any(|field| field == name)
                || draft.ones.iter().any(|one| one.field.name == name);
            if ours || is_presentation(self.on.schema, field) {
                continue;
            }
            if let Some(assigned) = draft.values.get(name) {
                if assigned.scalar.is_null() && cannot_be_empty(field) {
                    let problem = failure(name, "nnull", "Value can't be null.", None);
                    let path = if assigned.path.is_empty() {
                        draft.at(name)
                    } else {
                        assigned.path.clone()
                    };
                    self.problems.push(problem.at(path));
                }
                continue;
            }
            // A value that could not be read has been reported already.
            let unreadable = !field.is_alias() && draft.sent.get(name).is_some_and(|value| !value.is_null());
            if unreadable || !field.must_be_given() {
                continue;
            }
            let given = match stored {
                Some(stored) => field.is_alias() || stored.get(name).is_some_and(|value| !value.is_null()),
                None if reservation && field.column.as_ref().is_none_or(|column| column.nullable) => true,
                None if is_primary => draft.key.is_some() || is_generated(field),
                None if field.is_alias() => draft.sent.get(name).is_some_and(|value| {
                    !value.is_null() && value.as_array().is_none_or(|entries| !entries.is_empty())
                }),
                None => false,
            };
            if !given {
                let grants = self.on.grants;
                let known = [action(draft), Action::Read];
                let known = known
                    .iter()
                    .any(|action| grants.may_touch(*action, &draft.collection, field));
                self.problems.push(if known {
                    failure(name, "required", "Value is required.", None).at(draft.at(name))
                } else {
                    // Somebody who may not give it cannot make the item, and need not learn why.
                    Problem::forbidden().at(&draft.path)
                });
            }
        }
    }

    /// What the specials of the fields stand for, and the defaults that the database will fill in.
    fn fill(&mut self, draft: &mut Draft) {
        let collection = draft.collection.clone();
        let create = draft.intent == Intent::Create;
        for field in collection.fields.values() {
            let Some(column) = &field.column else {
                continue;
            };
            let is_primary = collection
                .primary
                .as_ref()
                .is_some_and(|key| key.name == field.name);
            if is_primary {
                if create && draft.key.is_none() && is_generated(field) {
                    let key = self.generator.uuid().to_string();
                    draft.key = field.ty.parse(&Value::from(key.as_str()), column).ok();
                    self.receipt.defaulted.push((draft.at(&field.name), key.into()));
                }
                continue;
            }
            match self.special(field, column, create, draft) {
                Some(scalar) => self.put(draft, field, scalar),
                None if create && !draft.values.contains_key(&field.name) => {
                    if let ColumnDefault::Value(scalar) = &column.default
                        && !draft.ones.iter().any(|one| one.field.name == field.name)
                        && allowing::reads(self.on.grants, &collection, field)
                    {
                        let value = field.ty.print(scalar.clone());
                        self.receipt.defaulted.push((draft.at(&field.name), value));
                    }
                }
                None => {}
            }
        }
    }

    /// The value that a special demands now, whatever was sent.
    fn special(&self, field: &Field, column: &Column, create: bool, draft: &Draft) -> Option<Scalar> {
        if let Some(stamp) = stamp(&self.on, field, column, create) {
            return Some(stamp);
        }
        let parse = |text: &str| field.ty.parse(&Value::from(text), column).ok();
        if create && field.has_special("uuid") && !draft.values.contains_key(&field.name) {
            return parse(&self.generator.uuid().to_string());
        }
        None
    }

    fn put(&mut self, draft: &mut Draft, field: &Arc<Field>, scalar: Scalar) {
        let to = field.ty.print(scalar.clone());
        let path = draft.at(&field.name);
        let reads = allowing::reads(self.on.grants, &draft.collection, field);
        match draft.values.get(&field.name).filter(|sent| !sent.path.is_empty()) {
            _ if !reads => {}
            Some(sent) if !is_secret(field) => {
                let from = field.ty.print(sent.scalar.clone());
                self.receipt.coerced.push(Coerced {
                    path: path.clone(),
                    from,
                    to,
                });
            }
            _ => self.receipt.defaulted.push((path.clone(), to)),
        }
        let assigned = Assigned {
            field: field.clone(),
            scalar,
            path,
            points_to: None,
        };
        draft.values.insert(field.name.clone(), assigned);
    }
}

/// What the system fills in when an item is made or changed: the time, who, and in which role.
const STAMPS: [&str; 6] = [
    "date-created",
    "date-updated",
    "user-created",
    "user-updated",
    "role-created",
    "role-updated",
];

/// Whether the system fills a field in.
pub(crate) fn is_stamped(field: &Field) -> bool {
    STAMPS.iter().any(|stamp| field.has_special(stamp))
}

/// What the system fills in now, whatever was sent.
pub(crate) fn stamp(on: &Resolver<'_>, field: &Field, column: &Column, create: bool) -> Option<Scalar> {
    let claims = on.grants.caller().claims();
    let parse = |text: &str| field.ty.parse(&Value::from(text), column).ok();
    let has = |name: &str| field.has_special(name);
    if (create && has("date-created")) || (!create && has("date-updated")) {
        return parse(&timestamp(on.now));
    }
    if (create && has("user-created")) || (!create && has("user-updated")) {
        return claims.user.as_deref().and_then(parse);
    }
    if (create && has("role-created")) || (!create && has("role-updated")) {
        return claims.role.as_deref().and_then(parse);
    }
    None
}

/// Whether the keys in drafts are those of items: of what the caller answers for, items that the caller sees.
pub(crate) async fn pointing_rightly(
    tx: &mut Recorder,
    on: &Resolver<'_>,
    drafts: &[Draft],
) -> Result<Problems, Error> {
    let existing = Existing::read(tx, on.grants, &drafts.iter().collect::<Vec<_>>()).await?;
    let mut problems = Problems::default();
    for draft in drafts {
        problems.extend(existing.points(on, draft));
    }
    Ok(problems)
}

/// A user may come before the picture: the database keeps no foreign key there, as clients of the dialect expect.
fn may_dangle(field: &Field) -> bool {
    field.collection == "directus_users" && field.name == "avatar"
}

/// The key of the item that a value points to, as the target writes it.
fn target_key(assigned: &Assigned) -> Option<Scalar> {
    if assigned.scalar.is_null() {
        return None;
    }
    let primary = assigned.points_to.as_ref()?.primary.as_ref()?;
    let value = assigned.field.ty.print(assigned.scalar.clone());
    Some(keys::scalar(primary, &value).unwrap_or_else(|| assigned.scalar.clone()))
}

fn cannot_be_empty(field: &Field) -> bool {
    field.column.as_ref().is_some_and(|column| !column.nullable)
        || field.meta.as_ref().is_some_and(|meta| meta.required)
}

/// Whether new items get a random key.
fn is_generated(field: &Field) -> bool {
    field.has_special("uuid")
        || field
            .column
            .as_ref()
            .is_some_and(|column| column.kind == StorageKind::Uuid && column.default == ColumnDefault::None)
}
