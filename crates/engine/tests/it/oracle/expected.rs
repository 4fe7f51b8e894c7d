//! What comes of a write, and whether it may be: worked out step by step, in the order in which requests are carried out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::copy::{Copy, Link};
use super::requests::Attempt;
use super::rights::{Needed, Rights};
use super::validation::{Proposed, canonical};
use super::world::{Relation, Row, Ty, Who, World};

/// The position of an item among those of its level, the field by which it will point, and what it points to.
type Waiting = (usize, String, Draft);

/// What becomes of a list, whose it is, and whether that one is new.
type Owned = (Edit, Value, bool);

/// It may not be done, and why.
#[derive(Debug)]
pub(super) struct No(pub(super) &'static str);

fn unless(holds: bool, why: &'static str) -> Result<(), No> {
    if holds { Ok(()) } else { Err(No(why)) }
}

/// One item on its way.
struct Draft {
    collection: String,
    new: bool,
    key: Option<Value>,
    values: Row,
    chosen: BTreeSet<String>,
    given: BTreeSet<String>,
    ones: Vec<(String, Draft)>,
    lists: Vec<(Relation, Edit)>,
    /// It does nothing but name an item.
    bare: bool,
    /// Whether what is asked of it depends on items that are written with it.
    late: bool,
}

enum Entry {
    Key(Value),
    Item(Draft),
}

enum Edit {
    Replace(Vec<Entry>),
    Change {
        create: Vec<Draft>,
        update: Vec<Entry>,
        delete: Vec<Value>,
    },
}

/// Which action an item may turn out to be.
#[derive(Clone, Copy, PartialEq)]
enum Intent {
    Create,
    Update,
    Either,
}

/// One request.
struct Request<'w> {
    rights: Rights<'w>,
    before: Copy,
    seen: Copy,
    now: World,
    made: Vec<(String, Value, Needed<'w>)>,
}

/// The world after an attempt.
pub(super) fn expected(world: &World, who: &Who, attempt: &Attempt) -> Result<World, No> {
    let rights = Rights {
        permissions: &world.permissions,
        who,
    };
    let mut request = Request {
        rights,
        before: Copy::full(world),
        seen: Copy::masked(world, who),
        now: world.clone(),
        made: Vec::new(),
    };
    let name = attempt.collection.as_str();
    unless(rights.may(attempt.action, name), "the action is not granted")?;
    let keys: Vec<_> = attempt.keys.iter().map(|key| request.key(name, key)).collect();
    if attempt.action == "delete" {
        for key in &keys {
            request.allowed(&rights.any("delete", name), "delete", name, key)?;
        }
        request.now.remove(name, &keys);
        return Ok(request.now);
    }
    let data = attempt.data.as_object().cloned().unwrap_or_default();
    let mut drafts = Vec::new();
    let mut shared = Vec::new();
    if attempt.action == "create" {
        drafts.push(request.draft(name, &data, Intent::Create, None, false)?);
    } else {
        for key in &keys {
            let mut data = data.clone();
            data.insert("id".to_owned(), key.clone());
            let mut draft = request.draft(name, &data, Intent::Update, None, false)?;
            draft.chosen.remove("id");
            if keys.len() > 1 {
                draft.late |= !draft.ones.is_empty();
                shared = std::mem::take(&mut draft.ones);
            }
            drafts.push(draft);
        }
    }
    for (_, one) in &shared {
        request.settled(one)?;
    }
    for draft in &drafts {
        request.settled(draft)?;
    }
    for (field, one) in shared {
        let key = request.save(vec![one])?.remove(0);
        for draft in &mut drafts {
            draft.values.insert(field.clone(), key.clone());
        }
    }
    request.save(drafts)?;
    request.made_rightly()?;
    Ok(request.now)
}

impl<'w> Request<'w> {
    fn ty(&self, collection: &str, field: &str) -> Ty {
        let table = self.before.table(collection);
        table
            .and_then(|table| table.field(field))
            .map_or(Ty::Alias, |field| field.ty)
    }

    fn key(&self, collection: &str, raw: &Value) -> Value {
        canonical(self.ty(collection, "id"), raw)
    }

    fn is_there(&self, collection: &str, key: &Value) -> bool {
        let table = self.before.table(collection);
        table.is_some_and(|table| table.rows.iter().any(|row| row.values["id"] == *key))
    }

    /// Whether an item is there for this caller.
    fn is_seen(&self, collection: &str, key: &Value) -> bool {
        let table = self.seen.table(collection);
        table.is_some_and(|table| table.rows.iter().any(|row| row.values["id"] == *key))
    }

    /// Whether an item was such as is needed, before anything was written.
    fn allowed(
        &self,
        needed: &Option<Needed<'w>>,
        action: &str,
        collection: &str,
        key: &Value,
    ) -> Result<(), No> {
        unless(self.is_there(collection, key), "the item is not there")?;
        let Some(needed) = needed else {
            return Err(No("nothing grants it"));
        };
        let holds = self.rights.hold(needed, action, &self.before, collection, key);
        unless(holds, "no permission that grants it lets the item")
    }

    /// The same, as things are by now.
    fn allowed_now(
        &self,
        needed: &Option<Needed<'w>>,
        action: &str,
        collection: &str,
        key: &Value,
    ) -> Result<(), No> {
        let Some(needed) = needed else {
            return Err(No("nothing grants it by now"));
        };
        let holds = self
            .rights
            .hold(needed, action, &Copy::full(&self.now), collection, key);
        unless(holds, "no permission that grants it lets the item by now")
    }

    /// Reads what is sent.
    fn draft(
        &self,
        collection: &str,
        data: &Row,
        intent: Intent,
        above: Option<&Relation>,
        nested: bool,
    ) -> Result<Draft, No> {
        let key = data
            .get("id")
            .filter(|key| !key.is_null())
            .map(|key| self.key(collection, key));
        let stored = key.as_ref().is_some_and(|key| self.is_there(collection, key));
        let new = match intent {
            Intent::Create => true,
            Intent::Update => false,
            Intent::Either => !stored,
        };
        unless(new != stored, "the item is there, or is not")?;
        let actions: &[&str] = match (intent, &key) {
            (Intent::Create, _) | (Intent::Either, None) => &["create"],
            (Intent::Update, _) => &["update"],
            (Intent::Either, Some(_)) => &["create", "update"],
        };
        let may = actions.iter().any(|action| self.rights.may(action, collection));
        unless(may || !nested, "nothing may be done there")?;
        let mut draft = Draft {
            collection: collection.to_owned(),
            new,
            key,
            values: Row::new(),
            chosen: data.keys().cloned().collect(),
            given: above.map(|relation| relation.field.clone()).into_iter().collect(),
            ones: Vec::new(),
            lists: Vec::new(),
            bare: false,
            late: false,
        };
        for (name, value) in data.iter().filter(|(name, _)| *name != "id") {
            let touches = actions
                .iter()
                .any(|action| self.rights.touches(action, collection, name));
            unless(touches, "a field is not granted")?;
            if above.is_some_and(|relation| relation.field == *name) {
                continue;
            }
            draft.given.insert(name.clone());
            self.member(&mut draft, data, name, value)?;
        }
        draft.bare =
            nested && stored && data.len() == 1 && draft.given.is_empty() && intent == Intent::Either;
        if draft.bare {
            let seen = draft
                .key
                .as_ref()
                .is_some_and(|key| self.is_seen(collection, key));
            unless(seen, "what is pointed to is not seen")?;
            return Ok(draft);
        }
        if let Some(relation) = above {
            draft.chosen.insert(relation.field.clone());
        }
        let action = if new { "create" } else { "update" };
        for (name, value) in self.rights.presets(action, collection) {
            let taken = data.contains_key(&name) || above.is_some_and(|relation| relation.field == name);
            if !taken {
                let value = canonical(self.ty(collection, &name), &value);
                draft.values.insert(name.clone(), value);
                draft.chosen.insert(name);
            }
        }
        Ok(draft)
    }

    fn member(&self, draft: &mut Draft, data: &Row, name: &str, value: &Value) -> Result<(), No> {
        let collection = draft.collection.clone();
        let table = self.before.table(&collection).ok_or(No("no such table"))?;
        match self.before.link(table, name) {
            None => {
                let value = canonical(self.ty(&collection, name), value);
                draft.values.insert(name.to_owned(), value);
            }
            Some(Link::One(_, target)) => {
                let target = target.name.clone();
                self.one(draft, name, &target, value, false)?;
            }
            Some(Link::Any(_, column, targets)) => {
                let named = data.get(column).and_then(Value::as_str).unwrap_or_default();
                let target = targets.iter().find(|target| target.name == named);
                if value.is_null() {
                    draft.values.insert(name.to_owned(), Value::Null);
                    return Ok(());
                }
                let target = target.ok_or(No("no such collection to point into"))?.name.clone();
                unless(self.rights.sees(&target), "what is pointed into is not seen")?;
                self.one(draft, name, &target, value, true)?;
            }
            Some(Link::Many(relation, many)) => {
                unless(self.rights.sees(&many.name), "a list is not there")?;
                let (relation, many) = (relation.clone(), many.name.clone());
                let edit = self.edit(&relation, &many, value, draft.key.as_ref())?;
                draft.late |= draft.new;
                draft.lists.push((relation, edit));
            }
        }
        Ok(())
    }

    fn one(&self, draft: &mut Draft, name: &str, target: &str, value: &Value, text: bool) -> Result<(), No> {
        if let Value::Object(nested) = value {
            unless(self.rights.sees(target), "what is pointed to is not there")?;
            let nested = self.draft(target, nested, Intent::Either, None, true)?;
            draft.ones.push((name.to_owned(), nested));
            return Ok(());
        }
        let key = self.key(target, value);
        if !key.is_null() {
            unless(self.is_seen(target, &key), "what is pointed to is not seen")?;
        }
        let key = if text { as_text(key) } else { key };
        draft.values.insert(name.to_owned(), key);
        Ok(())
    }

    /// An item of a list says nothing of whom it points to, or that it points to the item above.
    fn points_up(&self, relation: &Relation, data: &Row, parent: Option<&Value>) -> Result<(), No> {
        let said = match data.get(&relation.field) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Object(item)) if item.len() == 1 => item.get("id"),
            Some(Value::Object(_) | Value::Array(_)) => None,
            Some(key) => Some(key),
        };
        let (one, said) = relation
            .one
            .as_ref()
            .zip(said)
            .ok_or(No("a list's item says something else of the item above"))?;
        unless(
            parent.is_some_and(|parent| self.key(one, said) == *parent),
            "a list's item points elsewhere",
        )
    }

    fn edit(
        &self,
        relation: &Relation,
        many: &str,
        value: &Value,
        parent: Option<&Value>,
    ) -> Result<Edit, No> {
        let entries = |value: Option<&Value>, intent: Intent| -> Result<Vec<Entry>, No> {
            let entries = value.and_then(Value::as_array).into_iter().flatten();
            entries
                .map(|entry| match entry {
                    Value::Object(data) => {
                        self.points_up(relation, data, parent)?;
                        let draft = self.draft(many, data, intent, Some(relation), true)?;
                        Ok(Entry::Item(draft))
                    }
                    key => Ok(Entry::Key(self.key(many, key))),
                })
                .collect()
        };
        if value.is_array() || value.is_null() {
            return Ok(Edit::Replace(entries(Some(value), Intent::Either)?));
        }
        let create = entries(value.get("create"), Intent::Create)?.into_iter();
        let delete = value
            .get("delete")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Ok(Edit::Change {
            create: create
                .filter_map(|entry| match entry {
                    Entry::Item(draft) => Some(draft),
                    Entry::Key(_) => None,
                })
                .collect(),
            update: entries(value.get("update"), Intent::Update)?,
            delete: delete.map(|key| self.key(many, key)).collect(),
        })
    }

    /// What becomes of an item, with everything known by now.
    fn proposed(&self, draft: &Draft) -> Proposed {
        let mut values = draft.values.clone();
        if let (true, Some(key)) = (draft.new || draft.chosen.contains("id"), &draft.key) {
            values.insert("id".to_owned(), key.clone());
        }
        Proposed {
            collection: draft.collection.clone(),
            whole: draft.new,
            values,
            chosen: draft.chosen.clone(),
            open: false,
        }
    }

    /// What it takes to write an item, as far as it is known.
    fn needed(&self, draft: &Draft) -> Option<Needed<'w>> {
        let action = if draft.new { "create" } else { "update" };
        let now = Copy::full(&self.now);
        self.rights
            .needed(action, &self.proposed(draft), &draft.given, &now)
    }

    /// What is asked of items that are there already, before anything is written.
    fn settled(&self, draft: &Draft) -> Result<(), No> {
        if draft.bare {
            return Ok(());
        }
        for (_, one) in &draft.ones {
            self.settled(one)?;
        }
        for (relation, edit) in &draft.lists {
            let (entries, off, items): (&[Entry], &[Value], &[Draft]) = match edit {
                Edit::Replace(entries) => (entries, &[], &[]),
                Edit::Change {
                    create,
                    update,
                    delete,
                } => (update, delete, create),
            };
            let parent = draft.key.clone();
            for entry in entries {
                match entry {
                    Entry::Key(key) => {
                        let needed = self.link(relation, parent.as_ref());
                        self.allowed(&needed, "update", &relation.many, key)?;
                    }
                    Entry::Item(item) => self.settled(item)?,
                }
            }
            items.iter().try_for_each(|item| self.settled(item))?;
            for key in off {
                let (needed, action) = self.off(relation);
                self.allowed(&needed, action, &relation.many, key)?;
            }
        }
        Ok(())
    }

    /// What it takes to point an item to a parent; where that is not known yet, to point it anywhere.
    fn link(&self, relation: &Relation, parent: Option<&Value>) -> Option<Needed<'w>> {
        match parent {
            Some(parent) => self.pointing(relation, parent.clone(), true),
            None => self.rights.any("update", &relation.many),
        }
    }

    fn pointing(&self, relation: &Relation, parent: Value, open: bool) -> Option<Needed<'w>> {
        let column = BTreeSet::from([relation.field.clone()]);
        let item = Proposed {
            collection: relation.many.clone(),
            whole: false,
            values: Row::from_iter([(relation.field.clone(), parent)]),
            chosen: column.clone(),
            open,
        };
        self.rights
            .needed("update", &item, &column, &Copy::full(&self.now))
    }

    /// What it takes to take an item off a list.
    fn off(&self, relation: &Relation) -> (Option<Needed<'w>>, &'static str) {
        if relation.deletes {
            (self.rights.any("delete", &relation.many), "delete")
        } else {
            (self.pointing(relation, Value::Null, false), "update")
        }
    }

    /// Writes items of one collection with what is nested in them.
    fn save(&mut self, mut drafts: Vec<Draft>) -> Result<Vec<Value>, No> {
        let mut waiting: BTreeMap<usize, (String, Vec<Waiting>)> = BTreeMap::new();
        for (i, draft) in drafts.iter_mut().enumerate() {
            for (field, one) in std::mem::take(&mut draft.ones) {
                let there = waiting.iter().find(|(_, (name, _))| *name == one.collection);
                let at = there.map_or(waiting.len(), |(at, _)| *at);
                let entry = waiting
                    .entry(at)
                    .or_insert_with(|| (one.collection.clone(), Vec::new()));
                entry.1.push((i, field, one));
                draft.late = true;
            }
        }
        for (_, ones) in waiting.into_values() {
            let (places, nested): (Vec<_>, Vec<_>) =
                ones.into_iter().map(|(i, field, one)| ((i, field), one)).unzip();
            let keys = self.save(nested)?;
            for ((i, field), key) in places.into_iter().zip(keys) {
                let many = drafts[i].collection.clone();
                let text = self.ty(&many, &field) == Ty::String;
                drafts[i]
                    .values
                    .insert(field, if text { as_text(key) } else { key });
            }
        }
        let mut keys = vec![Value::Null; drafts.len()];
        for (i, draft) in drafts.iter_mut().enumerate().filter(|(_, draft)| draft.new) {
            keys[i] = self.insert(draft);
        }
        for (i, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.new) {
            let needed = self.needed(draft).ok_or(No("nothing grants the new item"))?;
            self.made
                .push((draft.collection.clone(), keys[i].clone(), needed));
        }
        for (i, draft) in drafts.iter().enumerate().filter(|(_, draft)| !draft.new) {
            keys[i] = draft.key.clone().unwrap_or_default();
            if !draft.bare {
                self.update(draft, &keys[i])?;
            }
        }
        self.lists(drafts, &keys)?;
        Ok(keys)
    }

    fn insert(&mut self, draft: &mut Draft) -> Value {
        let key = draft
            .key
            .clone()
            .unwrap_or_else(|| self.now.next_key(&draft.collection));
        draft.key = Some(key.clone());
        let mut row = Row::new();
        for field in self
            .before
            .table(&draft.collection)
            .into_iter()
            .flat_map(|table| &table.fields)
        {
            if field.ty != Ty::Alias {
                row.insert(field.name.clone(), Value::Null);
            }
        }
        row.extend(draft.values.clone());
        row.insert("id".to_owned(), key.clone());
        self.now.add(&draft.collection, row);
        key
    }

    fn update(&mut self, draft: &Draft, key: &Value) -> Result<(), No> {
        let needed = self.needed(draft);
        self.allowed(&needed, "update", &draft.collection, key)?;
        if draft.late {
            self.allowed_now(&needed, "update", &draft.collection, key)?;
        }
        if draft.values.is_empty() {
            return Ok(());
        }
        let any = self.rights.any("update", &draft.collection);
        self.allowed_now(&any, "update", &draft.collection, key)?;
        self.now.change(&draft.collection, key, &draft.values);
        Ok(())
    }

    fn lists(&mut self, drafts: Vec<Draft>, keys: &[Value]) -> Result<(), No> {
        let mut owned: Vec<(Relation, Vec<Owned>)> = Vec::new();
        for (draft, key) in drafts.into_iter().zip(keys) {
            for (relation, edit) in draft.lists {
                let entry = (edit, key.clone(), draft.new);
                match owned.iter_mut().find(|(known, _)| *known == relation) {
                    Some((_, edits)) => edits.push(entry),
                    None => owned.push((relation, vec![entry])),
                }
            }
        }
        for (relation, edits) in owned {
            let mut children = Vec::new();
            for (edit, parent, fresh) in edits {
                self.list(&relation, edit, &parent, fresh, &mut children)?;
            }
            self.save(children)?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        relation: &Relation,
        edit: Edit,
        parent: &Value,
        fresh: bool,
        children: &mut Vec<Draft>,
    ) -> Result<(), No> {
        match edit {
            Edit::Replace(entries) => {
                if !fresh {
                    let kept: Vec<_> = entries
                        .iter()
                        .filter_map(|entry| match entry {
                            Entry::Key(key) => Some(key.clone()),
                            Entry::Item(draft) => draft.key.clone(),
                        })
                        .collect();
                    self.take_off(relation, parent, |key| !kept.contains(key))?;
                }
                self.put_on(relation, parent, entries, Some(1), children)
            }
            Edit::Change {
                create,
                update,
                delete,
            } => {
                if !delete.is_empty() {
                    self.take_off(relation, parent, |key| delete.contains(key))?;
                }
                self.put_on(relation, parent, update, None, children)?;
                let from = if fresh || create.is_empty() {
                    1
                } else {
                    self.last(relation, parent) + 1
                };
                let entries = create.into_iter().map(Entry::Item).collect();
                self.put_on(relation, parent, entries, Some(from), children)
            }
        }
    }

    fn last(&self, relation: &Relation, parent: &Value) -> i64 {
        let Some(sort) = &relation.sort_field else {
            return 0;
        };
        let rows = self.now.rows.get(&relation.many).into_iter().flatten();
        let on_it = rows.filter(|row| row[&relation.field] == *parent);
        on_it.filter_map(|row| row[sort].as_i64()).max().unwrap_or(0)
    }

    fn put_on(
        &mut self,
        relation: &Relation,
        parent: &Value,
        entries: Vec<Entry>,
        from: Option<i64>,
        children: &mut Vec<Draft>,
    ) -> Result<(), No> {
        let sort = relation.sort_field.clone().zip(from);
        for (i, entry) in (0_i64..).zip(entries) {
            let position = sort
                .as_ref()
                .map(|(field, from)| (field.clone(), Value::from(from + i)));
            match entry {
                Entry::Key(key) => {
                    let needed = self.pointing(relation, parent.clone(), false);
                    self.allowed_now(&needed, "update", &relation.many, &key)?;
                    let any = self.rights.any("update", &relation.many);
                    self.allowed_now(&any, "update", &relation.many, &key)?;
                    let mut values = Row::from_iter([(relation.field.clone(), parent.clone())]);
                    values.extend(position);
                    self.now.change(&relation.many, &key, &values);
                }
                Entry::Item(mut draft) => {
                    draft.values.insert(relation.field.clone(), parent.clone());
                    if let Some((field, position)) = position
                        && !draft.values.contains_key(&field)
                    {
                        draft.values.insert(field.clone(), position);
                    }
                    draft.late = true;
                    children.push(draft);
                }
            }
        }
        Ok(())
    }

    fn take_off(
        &mut self,
        relation: &Relation,
        parent: &Value,
        which: impl Fn(&Value) -> bool,
    ) -> Result<(), No> {
        let all = Copy::full(&self.now);
        let mine = Copy::masked(&self.now, self.rights.who);
        let reads = self.rights.touches("read", &relation.many, &relation.field);
        let table = if reads {
            mine.table(&relation.many)
        } else {
            all.table(&relation.many)
        };
        let rows = table.into_iter().flat_map(|table| &table.rows);
        let on_it = rows.filter(|row| row.values.get(&relation.field) == Some(parent));
        let off: Vec<_> = on_it.map(|row| row.values["id"].clone()).filter(which).collect();
        for key in &off {
            let (needed, action) = self.off(relation);
            self.allowed_now(&needed, action, &relation.many, key)?;
        }
        if relation.deletes {
            self.now.remove(&relation.many, &off);
        } else {
            let nothing = Row::from_iter([(relation.field.clone(), Value::Null)]);
            off.iter()
                .for_each(|key| self.now.change(&relation.many, key, &nothing));
        }
        Ok(())
    }

    /// Whether the items that were made are such as may be made, once everything is done.
    fn made_rightly(&self) -> Result<(), No> {
        let now = Copy::full(&self.now);
        for (collection, key, needed) in &self.made {
            let holds = self.rights.hold(needed, "create", &now, collection, key);
            unless(holds, "the new item is none that may be made")?;
        }
        Ok(())
    }
}

fn as_text(key: Value) -> Value {
    match key {
        Value::Number(number) => number.to_string().into(),
        other => other,
    }
}
