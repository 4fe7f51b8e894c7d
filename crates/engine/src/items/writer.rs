//! Writes settled drafts inside a transaction, level by level: what an item points to first, then the items, then
//! what points to them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Grants, Permit, decide};
use loggia_model::error::DELETES_DISABLED;
use loggia_model::filter::Test;
use loggia_model::plan::{Aggregate, AggregatePlan, DeletePlan, Figure, InsertPlan, Plan, UpdatePlan};
use loggia_model::schema::Deselect;
use loggia_model::{Collection, Field, Filter, Problem, Relation, Scalar, Schema};
use serde_json::Value;

use super::allowing;
use super::draft::{Assigned, Draft, Edit, Entry, Intent, List, One};
use super::payload::invalid;
use super::reading::counted;
use super::{Deletes, Receipt, keys};
use crate::Error;
use crate::changes::Recorder;
use crate::query::{count, plain_read};

/// A list of items that point to an item which is written now.
struct Owned {
    list: List,
    parent: Scalar,
    /// The parent is new: nothing points to it yet.
    fresh: bool,
}

/// The work of one transaction.
pub(crate) struct Writer<'a> {
    pub(crate) tx: Recorder,
    pub(crate) grants: &'a Grants,
    pub(super) schema: &'a Schema,
    pub(super) deletes: Deletes,
    pub(super) receipt: Receipt,
    /// Items that were made, and what must hold of each, by collection.
    pub(super) made: IndexMap<String, Made>,
}

/// Items of one collection that were made, by key, and what must hold of each.
pub(super) type Made = (Arc<Collection>, Vec<(Scalar, Filter)>);

/// Which draft of a level, and which of its columns, waits for a key.
type Waiting = (usize, Arc<Field>);

type Saved<'s> = Pin<Box<dyn Future<Output = Result<Vec<Scalar>, Error>> + Send + 's>>;

impl Writer<'_> {
    /// Writes items of one collection with everything nested in them; answers their keys in order.
    pub(super) fn save(&mut self, mut drafts: Vec<Draft>) -> Saved<'_> {
        Box::pin(async move {
            if drafts.is_empty() {
                return Ok(Vec::new());
            }
            self.ones(&mut drafts).await?;
            let keys = self.rows(&drafts).await?;
            self.lists(drafts, &keys).await?;
            Ok(keys)
        })
    }

    /// As [`Writer::save`], where all items shall point to the same new or changed ones.
    pub(super) async fn save_shared(
        &mut self,
        shared: Vec<One>,
        mut drafts: Vec<Draft>,
    ) -> Result<Vec<Scalar>, Error> {
        for One { field, draft } in shared {
            let primary = keys::primary(&draft.collection)?.clone();
            let key = self.save(vec![draft]).await?.pop().unwrap_or_default();
            let assigned = pointing(&field, &primary, &key)?;
            for draft in &mut drafts {
                draft.values.insert(field.name.clone(), assigned.clone());
            }
        }
        self.save(drafts).await
    }

    /// Writes what the items point to, and points them there.
    async fn ones(&mut self, drafts: &mut [Draft]) -> Result<(), Error> {
        let mut waiting: IndexMap<String, (Vec<Waiting>, Vec<Draft>)> = IndexMap::new();
        for (i, draft) in drafts.iter_mut().enumerate() {
            for one in std::mem::take(&mut draft.ones) {
                let entry = waiting.entry(one.draft.collection.name.clone()).or_default();
                entry.0.push((i, one.field));
                entry.1.push(one.draft);
            }
        }
        for (places, nested) in waiting.into_values() {
            let Some(primary) = nested.first().and_then(|draft| draft.collection.primary.clone()) else {
                continue;
            };
            let keys = self.save(nested).await?;
            for ((i, field), key) in places.into_iter().zip(keys) {
                let assigned = pointing(&field, &primary, &key)?;
                drafts[i].values.insert(field.name.clone(), assigned);
            }
        }
        Ok(())
    }

    /// Writes the items' own columns.
    async fn rows(&mut self, drafts: &[Draft]) -> Result<Vec<Scalar>, Error> {
        let mut keys = vec![Scalar::Null; drafts.len()];
        let new: Vec<_> = (0..drafts.len())
            .filter(|i| drafts[*i].intent == Intent::Create)
            .collect();
        if let Some(first) = new.first() {
            let collection = drafts[*first].collection.clone();
            let rows = new.iter().map(|i| drafts[*i].assigns()).collect();
            let plan = Plan::Insert(InsertPlan {
                collection: collection.clone(),
                rows,
            });
            let made = match self.tx.run(decide(self.grants, plan)?).await {
                Ok(made) => made,
                Err(error) => {
                    let at = new.get(error.row().unwrap_or(0)).copied().unwrap_or(*first);
                    return Err(located(self.tellable(error, &[]).await?, &drafts[at]));
                }
            };
            for (i, key) in new.iter().zip(made.into_keys()) {
                self.generated(&drafts[*i], &key);
                let made_if = self.judged_again(&drafts[*i], &key).await?;
                self.note_created(&drafts[*i], &key, made_if);
                keys[*i] = key;
            }
            let written: Vec<_> = new.iter().map(|i| keys[*i].clone()).collect();
            self.note(&collection, &written, |changed, n| changed.created += n);
        }
        let mut same: Vec<usize> = Vec::new();
        for (i, draft) in drafts.iter().enumerate() {
            if draft.intent == Intent::Create {
                continue;
            }
            keys[i] = draft.key.clone().unwrap_or_default();
            self.changed_rightly(draft).await?;
            if same
                .first()
                .is_some_and(|first| !same_values(&drafts[*first], draft))
            {
                self.update(drafts, &same, &keys).await?;
                same.clear();
            }
            same.push(i);
        }
        self.update(drafts, &same, &keys).await?;
        Ok(keys)
    }

    /// The same change of several items.
    async fn update(&mut self, drafts: &[Draft], which: &[usize], keys: &[Scalar]) -> Result<(), Error> {
        let Some(first) = which.first().map(|i| &drafts[*i]) else {
            return Ok(());
        };
        let wanted: Vec<_> = which.iter().map(|i| keys[*i].clone()).collect();
        let assign = first.assigns();
        if assign.is_empty() {
            return Ok(());
        }
        let primary = keys::primary(&first.collection)?;
        let plan = Plan::Update(UpdatePlan {
            collection: first.collection.clone(),
            filter: keys::among(primary, wanted.clone()),
            assign,
        });
        match self.tx.run(decide(self.grants, plan)?).await {
            Ok(outcome) => self.all_touched(&first.collection, &wanted, &outcome.into_keys())?,
            Err(error) => return Err(located(self.tellable(error, &[]).await?, first)),
        }
        self.note(&first.collection, &wanted, |changed, n| changed.updated += n);
        Ok(())
    }

    /// Writes what points to the items.
    async fn lists(&mut self, drafts: Vec<Draft>, keys: &[Scalar]) -> Result<(), Error> {
        let mut owned: IndexMap<(String, String), Vec<Owned>> = IndexMap::new();
        for (draft, parent) in drafts.into_iter().zip(keys) {
            let fresh = draft.intent == Intent::Create;
            for list in draft.lists {
                let relation = &list.relation;
                let name = (relation.many_collection.clone(), relation.many_field.clone());
                owned.entry(name).or_default().push(Owned {
                    list,
                    parent: parent.clone(),
                    fresh,
                });
            }
        }
        for lists in owned.into_values() {
            let mut children = Vec::new();
            for list in lists {
                self.list(list, &mut children).await?;
            }
            self.save(children).await?;
        }
        Ok(())
    }

    /// Takes items off one list and links others; the items to be written are added to `children`.
    async fn list(&mut self, owned: Owned, children: &mut Vec<Draft>) -> Result<(), Error> {
        let Owned { list, parent, fresh } = owned;
        let pointer = Pointer::of(&list, &parent)?;
        match list.edit {
            Edit::Replace(entries) => {
                if !fresh {
                    let kept = entries.iter().filter_map(|entry| match entry {
                        Entry::Key(key, _) => Some(key.clone()),
                        Entry::Item(draft) => draft.key.clone(),
                    });
                    let others = Filter::field(&pointer.primary, Test::NotIn(kept.collect()));
                    self.take_off(&list.relation, &pointer, others, &list.path)
                        .await?;
                }
                self.link(&pointer, entries, 1, children).await
            }
            Edit::Change {
                create,
                update,
                delete,
            } => {
                let off: Vec<_> = delete.into_iter().map(|(key, _)| key).collect();
                if !off.is_empty() {
                    let these = keys::among(&pointer.primary, off);
                    self.take_off(&list.relation, &pointer, these, &list.path).await?;
                }
                self.link_unsorted(&pointer, update, children).await?;
                let from = match (fresh, create.is_empty()) {
                    (false, false) => self.last(&pointer).await? + 1,
                    _ => 1,
                };
                let entries = create.into_iter().map(Entry::Item).collect();
                self.link(&pointer, entries, from, children).await
            }
        }
    }

    /// Points items to the parent, numbered from `from` where the relation keeps an order.
    async fn link(
        &mut self,
        pointer: &Pointer,
        entries: Vec<Entry>,
        from: i64,
        children: &mut Vec<Draft>,
    ) -> Result<(), Error> {
        let Some(sort) = &pointer.sort else {
            return self.link_unsorted(pointer, entries, children).await;
        };
        for (position, entry) in (from..).zip(entries) {
            match entry {
                Entry::Key(key, path) => {
                    let assign = vec![
                        (pointer.column.clone(), pointer.value.clone()),
                        (sort.clone(), Scalar::Int(position)),
                    ];
                    self.point(pointer, vec![key], assign, &path).await?;
                }
                Entry::Item(mut draft) => {
                    pointer.fill(&mut draft);
                    draft.values.entry(sort.name.clone()).or_insert_with(|| Assigned {
                        field: sort.clone(),
                        scalar: Scalar::Int(position),
                        path: String::new(),
                        points_to: None,
                    });
                    children.push(draft);
                }
            }
        }
        Ok(())
    }

    async fn link_unsorted(
        &mut self,
        pointer: &Pointer,
        entries: Vec<Entry>,
        children: &mut Vec<Draft>,
    ) -> Result<(), Error> {
        let mut linked = Vec::new();
        let mut at = String::new();
        for entry in entries {
            match entry {
                Entry::Key(key, path) => {
                    linked.push(key);
                    at = path;
                }
                Entry::Item(mut draft) => {
                    pointer.fill(&mut draft);
                    children.push(draft);
                }
            }
        }
        if linked.is_empty() {
            return Ok(());
        }
        let assign = vec![(pointer.column.clone(), pointer.value.clone())];
        self.point(pointer, linked, assign, &at).await
    }

    async fn point(
        &mut self,
        pointer: &Pointer,
        wanted: Vec<Scalar>,
        assign: Vec<(Arc<Field>, Scalar)>,
        path: &str,
    ) -> Result<(), Error> {
        self.linked_rightly(&pointer.target, &pointer.column, &pointer.value, &wanted, path)
            .await?;
        let plan = Plan::Update(UpdatePlan {
            collection: pointer.target.clone(),
            filter: keys::among(&pointer.primary, wanted.clone()),
            assign,
        });
        let touched = match self.tx.run(decide(self.grants, plan)?).await {
            Ok(outcome) => outcome.into_keys(),
            Err(error) => return Err(refused(self.tellable(error, &[]).await?, path)),
        };
        self.all_touched(&pointer.target, &wanted, &touched)?;
        self.note(&pointer.target, &touched, |changed, n| changed.updated += n);
        Ok(())
    }

    /// What the relation does with items that are taken off a list: they are deleted, or they point nowhere.
    async fn take_off(
        &mut self,
        relation: &Relation,
        pointer: &Pointer,
        which: Filter,
        path: &str,
    ) -> Result<(), Error> {
        let here = Filter::field(&pointer.column, Test::Equal(pointer.value.clone()));
        let mut filter = here.and(which);
        let mut concerned = None;
        if !self.grants.is_admin() {
            let keys = self.concerned(pointer, filter).await?;
            if keys.is_empty() {
                return Ok(());
            }
            self.take_off_allowed(relation, pointer, &keys, path).await?;
            filter = keys::among(&pointer.primary, keys.clone());
            concerned = Some(keys);
        }
        let nullable = pointer
            .column
            .column
            .as_ref()
            .is_some_and(|column| column.nullable);
        let deleting = relation.one_deselect_action == Deselect::Delete;
        if (deleting && self.deletes == Deletes::Refused) || (!deleting && !nullable) {
            let plan = count(&pointer.target, filter.clone());
            let reason = "what may not go at all is counted; whose it is was looked at before";
            let off = counted(self.tx.run(Permit::system(reason, plan)).await?);
            return match (off, deleting) {
                (0, _) => Ok(()),
                (off, true) => Err(deletes_disabled(off, &pointer.target).at(path).into()),
                (off, false) => Err(cannot_let_go(off, pointer).at(path).into()),
            };
        }
        let (plan, deleted) = if deleting {
            let collection = pointer.target.clone();
            (Plan::Delete(DeletePlan { collection, filter }), true)
        } else {
            let plan = UpdatePlan {
                collection: pointer.target.clone(),
                filter,
                assign: vec![(pointer.column.clone(), Scalar::Null)],
            };
            (Plan::Update(plan), false)
        };
        let touched = match self.tx.run(decide(self.grants, plan)?).await {
            Ok(outcome) => outcome.into_keys(),
            Err(error) => {
                let going = concerned.unwrap_or_default();
                return Err(refused(self.tellable(error, &going).await?, path));
            }
        };
        if let Some(concerned) = concerned {
            self.all_touched(&pointer.target, &concerned, &touched)?;
        }
        self.note(&pointer.target, &touched, |changed, n| {
            if deleted {
                changed.deleted += n;
            } else {
                changed.updated += n;
            }
        });
        Ok(())
    }

    /// Of the items that are to be taken off a list, those that are on it for the caller.
    async fn concerned(&mut self, pointer: &Pointer, filter: Filter) -> Result<Vec<Scalar>, Error> {
        let plan = plain_read(&pointer.target, std::slice::from_ref(&pointer.primary), filter);
        // The list is seen by whoever may read the column that points.
        let permit = if allowing::reads(self.grants, &pointer.target, &pointer.column) {
            decide(self.grants, Plan::Read(plan))?
        } else {
            let reason = "whoever sees nothing of a list takes off what they name";
            Permit::system(reason, Plan::Read(plan))
        };
        let rows = self.tx.run(permit).await?.into_rows();
        let keys = rows
            .iter()
            .filter_map(|row| keys::scalar(&pointer.primary, row.get(&pointer.primary.name)?));
        Ok(keys.collect())
    }

    /// Whether these items may be taken off.
    async fn take_off_allowed(
        &mut self,
        relation: &Relation,
        pointer: &Pointer,
        which: &[Scalar],
        path: &str,
    ) -> Result<(), Error> {
        let allowed = if relation.one_deselect_action == Deselect::Delete {
            allowing::deletable(self.grants, &pointer.target)
        } else {
            allowing::pointing_allowed(
                self.schema,
                self.grants,
                &pointer.target,
                &pointer.column,
                Some(&Value::Null),
            )
        };
        let Ok(filter) = allowed else {
            return Err(Problem::forbidden().at(path).into());
        };
        let found = allowing::among_them(&mut self.tx, &pointer.target, which.to_vec(), filter).await?;
        if found.len() < which.len() {
            return Err(Problem::forbidden().at(path).into());
        }
        Ok(())
    }

    /// The largest position on a list.
    async fn last(&mut self, pointer: &Pointer) -> Result<i64, Error> {
        let Some(sort) = &pointer.sort else {
            return Ok(0);
        };
        let plan = Plan::Aggregate(AggregatePlan {
            collection: pointer.target.clone(),
            filter: Filter::field(&pointer.column, Test::Equal(pointer.value.clone())),
            group_by: Vec::new(),
            figures: vec![Figure {
                when: None,
                function: Aggregate::Max,
                field: Some(sort.clone()),
            }],
            sort: Vec::new(),
            limit: None,
            offset: 0,
        });
        let reason = "a new entry comes after all others, seen or not";
        let rows = self.tx.run(Permit::system(reason, plan)).await?.into_rows();
        let largest = rows.first().and_then(|row| row.get("max")?.get(&sort.name));
        Ok(largest
            .and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
            .unwrap_or(0))
    }

    /// Deletes items that exist.
    pub(super) async fn delete(
        &mut self,
        collection: &Arc<Collection>,
        wanted: Vec<Scalar>,
    ) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let primary = keys::primary(collection)?;
        let plan = Plan::Delete(DeletePlan {
            collection: collection.clone(),
            filter: keys::among(primary, wanted.clone()),
        });
        let gone = match self.tx.run(decide(self.grants, plan)?).await {
            Ok(outcome) => outcome.into_keys(),
            Err(error) => return Err(self.tellable(error, &wanted).await?.into()),
        };
        self.all_touched(collection, &wanted, &gone)?;
        self.note(collection, &gone, |changed, n| changed.deleted += n);
        Ok(())
    }

    /// A key that the database gave.
    fn generated(&mut self, draft: &Draft, key: &Scalar) {
        if let (None, Some(primary)) = (&draft.key, &draft.collection.primary) {
            let value = keys::value(primary, key);
            self.receipt.defaulted.push((draft.at(&primary.name), value));
        }
    }

    fn note(
        &mut self,
        collection: &Collection,
        touched: &[Scalar],
        add: impl FnOnce(&mut super::Changed, u64),
    ) {
        if touched.is_empty() {
            return;
        }
        let changed = self.receipt.changed.entry(collection.name.clone()).or_default();
        add(changed, touched.len() as u64);
    }
}

/// The column by which items of a list point to their parent.
struct Pointer {
    target: Arc<Collection>,
    primary: Arc<Field>,
    column: Arc<Field>,
    value: Scalar,
    sort: Option<Arc<Field>>,
}

impl Pointer {
    fn of(list: &List, parent: &Scalar) -> Result<Self, Error> {
        let relation = &list.relation;
        let column = list
            .target
            .field(&relation.many_field)
            .ok_or_else(Problem::forbidden)?;
        let sort = relation
            .sort_field
            .as_ref()
            .and_then(|name| list.target.field(name));
        Ok(Self {
            target: list.target.clone(),
            primary: keys::primary(&list.target)?.clone(),
            column: column.clone(),
            value: parent.clone(),
            sort: sort.filter(|field| !field.is_alias()).cloned(),
        })
    }

    fn fill(&self, draft: &mut Draft) {
        let assigned = Assigned {
            field: self.column.clone(),
            scalar: self.value.clone(),
            path: String::new(),
            points_to: None,
        };
        draft.values.insert(self.column.name.clone(), assigned);
    }
}

/// The value by which `field` points to the item with `key`, in the form of its own column.
fn pointing(field: &Arc<Field>, primary: &Field, key: &Scalar) -> Result<Assigned, Error> {
    let own = |field: &Field| field.column.as_ref().map(|column| column.kind);
    let scalar = if own(field) == own(primary) {
        key.clone()
    } else {
        let text = Value::from(keys::text(primary, key));
        let column = field.column.as_ref().ok_or_else(Problem::forbidden)?;
        field.ty.parse(&text, column)?
    };
    Ok(Assigned {
        field: field.clone(),
        scalar,
        path: String::new(),
        points_to: None,
    })
}

/// Whether two drafts assign the same values to the same columns.
fn same_values(left: &Draft, right: &Draft) -> bool {
    left.values.len() == right.values.len()
        && left.values.iter().all(|(name, value)| {
            right
                .values
                .get(name)
                .is_some_and(|other| other.scalar == value.scalar)
        })
}

/// A refusal of the database, at the value of the draft that it is about.
fn located(error: loggia_store::Error, draft: &Draft) -> Error {
    let problem = error.problem();
    let field = problem.path.clone();
    let path = match draft.values.get(&field) {
        Some(assigned) if !assigned.path.is_empty() => assigned.path.clone(),
        _ if field.is_empty() => draft.path.clone(),
        _ => draft.at(&field),
    };
    placed(error, problem, path)
}

/// A refusal of the database about something that the engine did on its own at `path`.
fn refused(error: loggia_store::Error, path: &str) -> Error {
    let problem = error.problem();
    placed(error, problem, path.to_owned())
}

/// Only what is the request's fault becomes a problem of the request; the rest stays a failure, with its cause.
fn placed(error: loggia_store::Error, problem: Problem, path: String) -> Error {
    if problem.code.status < 500 {
        Error::Problems(problem.at(path).into())
    } else {
        Error::Store(error)
    }
}

fn items(count: u64) -> String {
    match count {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    }
}

/// Deletes are switched off, and this would be one.
pub(super) fn deletes_disabled(count: u64, collection: &Collection) -> Problem {
    let message = format!(
        "This would delete {} of \"{}\", and deleting is switched off. Nothing was changed.",
        items(count),
        collection.name
    );
    Problem::new(&DELETES_DISABLED, message)
        .with("collection", collection.name.as_str())
        .hint("Keep these items on the list, or ask an administrator to allow deletes in the settings.")
}

fn cannot_let_go(count: u64, pointer: &Pointer) -> Problem {
    let message = format!(
        "{} of \"{}\" cannot be taken off this list: \"{}\" must always point somewhere. Nothing was changed.",
        items(count),
        pointer.target.name,
        pointer.column.name
    );
    invalid(message).hint(format!(
        "Move them to another item by their \"{}\", or delete them.",
        pointer.column.name
    ))
}
