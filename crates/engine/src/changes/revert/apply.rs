//! Writes what taking back comes to: new rows, those that others point to first; then changes; then deletions, those
//! that point to others first.
//!
//! What the caller may change and delete is decided before anything of that is written, of the rows as they are: on the
//! way values are given away and rings opened, and conditions of permissions must not see that.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Action, Grants, Permit, decide_beforehand, decide_created};
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, InsertPlan, Plan, UpdatePlan};
use loggia_model::validation::Extent;
use loggia_model::{Collection, Field, Filter, Generator, Problem, Record, Scalar, StorageKind};
use loggia_store::Outcome;
use serde_json::Value;

use super::rewind::{Rewound, State};
use super::rules::Write;
use crate::changes::images::{self, Happened};
use crate::items::seen_among_them;
use crate::items::writer::Writer;
use crate::{Error, system};

/// A row that is written, and what of it.
type Node<'r> = (&'r Arc<Collection>, &'r State, &'r Record);

/// Columns and values.
type Assigned = Vec<(Arc<Field>, Scalar)>;

/// Writes everything, within what the caller may do.
pub(super) async fn apply(
    writer: &mut Writer<'_>,
    rewound: &mut Rewound,
    generator: &Generator,
) -> Result<(), Error> {
    let (mut inserts, mut deletes): (Vec<Node<'_>>, Vec<Node<'_>>) = (Vec::new(), Vec::new());
    let mut updates: Vec<(&Arc<Collection>, &State)> = Vec::new();
    for (collection, state) in rewound.states() {
        match (state.happens(), &state.now, &state.then) {
            (Some(Happened::Create), _, Some(then)) => inserts.push((collection, state, then)),
            (Some(Happened::Delete), Some(now), _) => deletes.push((collection, state, now)),
            (Some(Happened::Update), ..) => updates.push((collection, state)),
            _ => {}
        }
    }
    if !writer.grants.is_admin() {
        judged(writer, &updates, &deletes).await?;
    }
    vacate(writer, rewound, generator).await?;
    let late = insert(writer, &inserts).await?;
    update(writer, &updates).await?;
    for (collection, key, assign) in late {
        let plan = update_plan(&collection, vec![key], assign);
        run(writer, allowed(plan), &[]).await?;
    }
    delete(writer, &deletes).await?;
    if !writer.grants.is_admin() {
        for (collection, item) in come_back(writer, rewound).await? {
            let rows = rewound.collections.get_mut(&collection);
            if let Some(state) = rows.and_then(|rows| rows.rows.get_mut(&item)) {
                state.then = None;
            }
        }
    }
    Ok(())
}

/// The permit of everything that is written here. Also of what the caller has a say in: [`judged`] has asked of rows that
/// change and go, and [`come_back`] asks of new ones.
fn allowed(plan: Plan) -> Permit<Plan> {
    Permit::system(
        "taking back writes in steps: what the caller may was decided of the rows before the first, and of new rows is after the last",
        plan,
    )
}

/// A collection, what must hold of items, and their keys.
type Asked<'r> = (&'r Arc<Collection>, Filter, Vec<Scalar>);

/// The caller must be allowed to change and delete what is to change and go, as it is now.
///
/// # Errors
/// As by hand.
async fn judged(
    writer: &mut Writer<'_>,
    updates: &[(&Arc<Collection>, &State)],
    deletes: &[Node<'_>],
) -> Result<(), Error> {
    let grants = writer.grants;
    // Many rows, and few demands: what is asked alike is asked at once.
    let mut asked: IndexMap<(Action, &str, String), Asked<'_>> = IndexMap::new();
    let changed = updates
        .iter()
        .map(|(collection, state)| (Action::Update, *collection, *state));
    let gone = deletes
        .iter()
        .map(|(collection, state, _)| (Action::Delete, *collection, *state));
    for (action, collection, state) in changed.chain(gone) {
        let demand = match action {
            Action::Update => checked(grants, action, collection, state, Extent::Part)?,
            _ => Filter::All,
        };
        let alike = (action, collection.name.as_str(), format!("{demand:?}"));
        let entry = asked.entry(alike);
        let entry = entry.or_insert_with(|| (collection, demand, Vec::new()));
        entry.2.push(state.key.clone());
    }
    let (mut looks, mut wanted) = (Vec::new(), Vec::new());
    for ((action, ..), (collection, demand, keys)) in asked {
        let filter = among(collection, keys.clone()).and(demand);
        looks.push(decide_beforehand(grants, action, collection, filter)?);
        wanted.push((collection, keys));
    }
    let outcomes = run_all(writer, looks).await?;
    for (outcome, (collection, keys)) in outcomes.into_iter().zip(wanted) {
        let rows = outcome.into_rows();
        let found = rows.iter().filter_map(|row| {
            let primary = collection.primary.as_ref()?;
            images::scalar(primary, row.get(&primary.name)?)
        });
        writer.all_touched(collection, &keys, &found.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Runs a plan; a refusal of the database tells the caller no more than they may know. `going`: the items that are to be
/// deleted.
async fn run(writer: &mut Writer<'_>, permit: Permit<Plan>, going: &[Scalar]) -> Result<Outcome, Error> {
    match writer.tx.run(permit).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => Err(writer.tellable(error, going).await?.into()),
    }
}

/// As [`run`], for many plans that delete nothing.
async fn run_all(writer: &mut Writer<'_>, permits: Vec<Permit<Plan>>) -> Result<Vec<Outcome>, Error> {
    match writer.tx.run_all(permits).await {
        Ok(outcomes) => Ok(outcomes),
        Err(error) => Err(writer.tellable(error, &[]).await?.into()),
    }
}

/// Of the items that have come back, those that the caller sees must be such as they may make; the others go again.
/// Answers those by collection and key.
async fn come_back(writer: &mut Writer<'_>, rewound: &Rewound) -> Result<Vec<(String, String)>, Error> {
    let grants = writer.grants;
    let mut hidden = Vec::new();
    for rows in rewound.collections.values() {
        let collection = &rows.collection;
        let made = |state: &State| state.happens() == Some(Happened::Create);
        let new: Vec<_> = rows.rows.iter().filter(|(_, state)| made(state)).collect();
        if new.is_empty() {
            continue;
        }
        let keys = new.iter().map(|(_, state)| state.key.clone()).collect();
        let seen = seen_among_them(&mut writer.tx, grants, collection, keys).await?;
        let (new, gone): (Vec<_>, Vec<_>) = new.into_iter().partition(|(item, _)| seen.contains(*item));
        if !gone.is_empty() {
            let keys = gone.iter().map(|(_, state)| state.key.clone()).collect();
            let plan = Plan::Delete(DeletePlan {
                filter: among(collection, keys),
                collection: collection.clone(),
            });
            run(writer, allowed(plan), &[]).await?;
        }
        let gone = gone.into_iter();
        hidden.extend(gone.map(|(item, _)| (collection.name.clone(), item.clone())));
        let mut demands = Vec::with_capacity(new.len());
        for (_, state) in &new {
            let demand = checked(grants, Action::Create, collection, state, Extent::Whole)?;
            demands.push(among(collection, vec![state.key.clone()]).and(demand));
        }
        if new.is_empty() {
            continue;
        }
        if let Some(look) = decide_created(grants, collection, Filter::or_all(demands))? {
            all(run(writer, look, &[]).await?.into_rows().len(), new.len())?;
        }
    }
    Ok(hidden)
}

fn update_plan(collection: &Arc<Collection>, keys: Vec<Scalar>, assign: Assigned) -> Plan {
    Plan::Update(UpdatePlan {
        filter: among(collection, keys),
        collection: collection.clone(),
        assign,
    })
}

fn among(collection: &Collection, keys: Vec<Scalar>) -> Filter {
    match &collection.primary {
        Some(primary) => Filter::field(primary, Test::In(keys)),
        None => Filter::Nothing,
    }
}

/// Columns and values as they are stored.
fn assigned(state: &State) -> Assigned {
    let write = state.write.as_ref();
    write.map(|write| write.assign.clone()).unwrap_or_default()
}

/// The items on which the caller may write what is to be written of one.
fn checked(
    grants: &Grants,
    action: Action,
    collection: &Collection,
    state: &State,
    extent: Extent,
) -> Result<Filter, Error> {
    match &state.write {
        Some(Write { sent, given, .. }) => Ok(grants.check(action, collection, sent, given, extent)?),
        None => Ok(Filter::Nothing),
    }
}

/// Gives away unique values that other rows are about to take.
async fn vacate(writer: &mut Writer<'_>, rewound: &Rewound, generator: &Generator) -> Result<(), Error> {
    let mut plans = Vec::new();
    for rows in rewound.collections.values() {
        let collection = &rows.collection;
        let unique = collection.fields.values().filter(|field| {
            let column = field.column.as_ref();
            column.is_some_and(|column| column.unique && !column.primary_key)
        });
        for field in unique {
            let value = |row: &Option<Record>| row.as_ref().and_then(|row| row.get(&field.name)).cloned();
            let moving = rows
                .rows
                .values()
                .filter(|state| value(&state.now) != value(&state.then));
            let wanted: BTreeSet<String> = moving
                .clone()
                .filter_map(|state| value(&state.then))
                .filter(|value| !value.is_null())
                .map(|value| images::text(&value))
                .collect();
            for state in moving {
                let held = value(&state.now).is_some_and(|value| wanted.contains(&images::text(&value)));
                let Some(empty) = empty(field, generator).filter(|_| held) else {
                    continue;
                };
                let assign = vec![(field.clone(), empty)];
                let plan = update_plan(collection, vec![state.key.clone()], assign);
                plans.push(allowed(plan));
            }
        }
    }
    run_all(writer, plans).await?;
    Ok(())
}

/// A value that no other row has.
fn empty(field: &Field, generator: &Generator) -> Option<Scalar> {
    let column = field.column.as_ref()?;
    match column.kind {
        _ if column.nullable => Some(Scalar::Null),
        StorageKind::String | StorageKind::Text | StorageKind::Uuid => {
            let most = column.max_length.map_or(usize::MAX, |most| most as usize);
            Some(
                generator
                    .uuid()
                    .to_string()
                    .chars()
                    .take(most)
                    .collect::<String>()
                    .into(),
            )
        }
        StorageKind::Integer | StorageKind::BigInteger => Some(Scalar::Int(-i64::from(
            u32::from_be_bytes(generator.bytes::<4>()) >> 1,
        ))),
        _ => None,
    }
}

/// What is pointed somewhere when everything is there.
type Late = (Arc<Collection>, Scalar, Assigned);

async fn insert(writer: &mut Writer<'_>, nodes: &[Node<'_>]) -> Result<Vec<Late>, Error> {
    let order = Order::of(nodes);
    let mut late = Vec::new();
    for level in order.levels() {
        let mut by_collection: IndexMap<&str, Vec<usize>> = IndexMap::new();
        for i in level {
            by_collection.entry(&nodes[i].0.name).or_default().push(i);
        }
        for which in by_collection.into_values() {
            let Some(collection) = which.first().map(|i| nodes[*i].0.clone()) else {
                continue;
            };
            let mut rows = Vec::with_capacity(which.len());
            for i in which {
                let (_, state, _) = nodes[i];
                let mut row = assigned(state);
                let deferred = order.deferred(i);
                let put_off: Assigned = row
                    .iter()
                    .filter(|(field, _)| deferred.contains(&field.name))
                    .cloned()
                    .collect();
                for (field, value) in &mut row {
                    if deferred.contains(&field.name) {
                        *value = Scalar::Null;
                    }
                }
                if !put_off.is_empty() {
                    late.push((collection.clone(), state.key.clone(), put_off));
                }
                rows.push(row);
            }
            let plan = Plan::Insert(InsertPlan { collection, rows });
            // Whether the caller may is asked when everything is there ([`come_back`]).
            run(writer, allowed(plan), &[]).await?;
        }
    }
    Ok(late)
}

/// Fewer than asked for: of the others, it is not said whether they are not there or not allowed.
fn all(found: usize, expected: usize) -> Result<(), Problem> {
    if found < expected {
        Err(Problem::forbidden())
    } else {
        Ok(())
    }
}

async fn update(writer: &mut Writer<'_>, states: &[(&Arc<Collection>, &State)]) -> Result<(), Error> {
    // The same change of many rows is one statement.
    let mut same: IndexMap<(&str, String), Vec<usize>> = IndexMap::new();
    for (i, (collection, state)) in states.iter().enumerate() {
        let text = Value::Object(state.changed()).to_string();
        same.entry((collection.name.as_str(), text)).or_default().push(i);
    }
    let (mut plans, mut counts) = (Vec::new(), Vec::new());
    for which in same.into_values() {
        let Some((collection, state)) = which.first().map(|i| states[*i]) else {
            continue;
        };
        let keys: Vec<_> = which.iter().map(|i| states[*i].1.key.clone()).collect();
        counts.push(keys.len());
        let plan = update_plan(collection, keys, assigned(state));
        plans.push(allowed(plan));
    }
    let outcomes = run_all(writer, plans).await?;
    for (outcome, count) in outcomes.into_iter().zip(counts) {
        all(outcome.into_keys().len(), count)?;
    }
    Ok(())
}

async fn delete(writer: &mut Writer<'_>, nodes: &[Node<'_>]) -> Result<(), Error> {
    let order = Order::of(nodes);
    for (i, (collection, state, _)) in nodes.iter().enumerate() {
        let deferred = order.deferred(i);
        if deferred.is_empty() {
            continue;
        }
        let fields = deferred.iter().filter_map(|name| collection.field(name));
        let assign = fields.map(|field| (field.clone(), Scalar::Null)).collect();
        let plan = update_plan(collection, vec![state.key.clone()], assign);
        run(writer, allowed(plan), &[]).await?;
    }
    for level in order.levels().into_iter().rev() {
        let mut by_collection: IndexMap<&str, (&Arc<Collection>, Vec<Scalar>)> = IndexMap::new();
        for i in level {
            let (collection, state, _) = nodes[i];
            let entry = by_collection.entry(&collection.name);
            entry
                .or_insert_with(|| (collection, Vec::new()))
                .1
                .push(state.key.clone());
        }
        for (collection, keys) in by_collection.into_values() {
            system::deletable(collection, &keys)?;
            let expected = keys.len();
            let plan = Plan::Delete(DeletePlan {
                filter: among(collection, keys.clone()),
                collection: collection.clone(),
            });
            let gone = run(writer, allowed(plan), &keys).await?;
            let found = gone.into_keys().len();
            all(found, expected)?;
        }
    }
    Ok(())
}

/// Which rows must be there before which others.
struct Order {
    level: Vec<usize>,
    /// By row: columns that point in a ring, and are set last or emptied first.
    deferred: HashMap<usize, BTreeSet<String>>,
}

impl Order {
    fn of(nodes: &[Node<'_>]) -> Self {
        let parents = parents(nodes);
        let mut level: Vec<Option<usize>> = vec![None; nodes.len()];
        let mut deferred: HashMap<usize, BTreeSet<String>> = HashMap::new();
        let mut waiting: Vec<usize> = (0..nodes.len()).collect();
        let mut next = 0;
        while !waiting.is_empty() {
            let put_off =
                |i: usize, column: &str| deferred.get(&i).is_some_and(|names| names.contains(column));
            let ready: Vec<usize> = waiting
                .iter()
                .copied()
                .filter(|i| {
                    parents[*i]
                        .iter()
                        .all(|(parent, column)| level[*parent].is_some() || put_off(*i, column))
                })
                .collect();
            if ready.is_empty() && !break_ring(nodes, &parents, &waiting, &mut deferred) {
                // A ring that nothing can open: the database says what is wrong with it.
                for i in waiting.drain(..) {
                    level[i] = Some(next);
                }
                break;
            }
            for i in &ready {
                level[*i] = Some(next);
            }
            waiting.retain(|i| level[*i].is_none());
            next += usize::from(!ready.is_empty());
        }
        Self {
            level: level.into_iter().map(Option::unwrap_or_default).collect(),
            deferred,
        }
    }

    /// The rows of each level, those that are pointed to first.
    fn levels(&self) -> Vec<Vec<usize>> {
        let count = self.level.iter().max().map_or(0, |most| most + 1);
        let mut levels = vec![Vec::new(); count];
        for (i, level) in self.level.iter().enumerate() {
            levels[*level].push(i);
        }
        levels
    }

    fn deferred(&self, row: usize) -> BTreeSet<String> {
        self.deferred.get(&row).cloned().unwrap_or_default()
    }
}

/// By row: which others it points to, and by which column.
fn parents(nodes: &[Node<'_>]) -> Vec<Vec<(usize, String)>> {
    let mut by_key: HashMap<(&str, String), usize> = HashMap::new();
    for (i, (collection, _, row)) in nodes.iter().enumerate() {
        let key = collection
            .primary
            .as_ref()
            .and_then(|primary| row.get(&primary.name));
        by_key.insert((&collection.name, key.map(images::text).unwrap_or_default()), i);
    }
    let of = |(i, (collection, _, row)): (usize, &Node<'_>)| {
        let keys = collection.table.iter().flat_map(|table| &table.foreign_keys);
        let points = keys.filter_map(|key| {
            let value = row.get(&key.column).filter(|value| !value.is_null())?;
            let parent = *by_key.get(&(key.foreign_table.as_str(), images::text(value)))?;
            (parent != i).then(|| (parent, key.column.clone()))
        });
        points.collect()
    };
    nodes.iter().enumerate().map(of).collect()
}

/// Puts off a column that can be empty, of the first row that has one; whether there was any.
fn break_ring(
    nodes: &[Node<'_>],
    parents: &[Vec<(usize, String)>],
    waiting: &[usize],
    deferred: &mut HashMap<usize, BTreeSet<String>>,
) -> bool {
    for i in waiting {
        for (parent, column) in &parents[*i] {
            let field = nodes[*i].0.field(column).and_then(|field| field.column.as_ref());
            let known = deferred.get(i).is_some_and(|names| names.contains(column));
            if waiting.contains(parent) && !known && field.is_some_and(|field| field.nullable) {
                deferred.entry(*i).or_default().insert(column.clone());
                return true;
            }
        }
    }
    false
}
