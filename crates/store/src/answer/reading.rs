//! Rows with rows related to them: one statement for each nested plan, put together by key.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{ReadPlan, Related, Selected, Source};
use loggia_model::tag::tag;
use loggia_model::{Collection, Field, Filter, Link, Record, Scalar, field_types};
use serde_json::Value;

use super::keys::{Key, Keys, distinct};
use super::{Executor, Rows};
use crate::Error;
use crate::lower::reads::{self, Output, Reach};
use crate::lower::{Dialect, Statement, pointed_to};

/// What stands in place of a concealed value.
const MASK: &str = "**********";

/// Runs a read plan.
pub(super) async fn read<E: Executor>(executor: &mut E, plan: &ReadPlan) -> Result<Vec<Record>, Error> {
    let root = Level::new(plan, Reach::Root, false);
    let early = if executor.is_far() {
        root.early()
    } else {
        Vec::new()
    };
    let reached = answer(executor, root, early).await?;
    let records = reached.into_iter().filter_map(|(_, value)| match value {
        Value::Object(record) => Some(record),
        _ => None,
    });
    Ok(records.collect())
}

/// A row's value and the key that it was reached by.
type Reached = Vec<(Scalar, Value)>;

/// One statement's worth of a plan: a collection, and how its rows are reached.
struct Level<'p> {
    plan: &'p ReadPlan,
    reach: Reach<'p>,
    layout: Layout<'p>,
}

impl<'p> Level<'p> {
    /// With `keys_only` the values are bare primary keys.
    fn new(plan: &'p ReadPlan, reach: Reach<'p>, keys_only: bool) -> Self {
        Self {
            plan,
            reach,
            layout: Layout::of(plan, keys_only),
        }
    }

    fn statement(&self, dialect: &'static dyn Dialect) -> Statement<'_> {
        reads::select(dialect, self.plan, &self.layout.outputs, &self.reach)
    }

    /// Whether something is read for its rows.
    fn is_last(&self) -> bool {
        self.layout.related().next().is_none()
    }

    /// Lists that need not wait for the rows that they belong to, as these are chosen by the keys that the lists point to.
    fn early(&self) -> Vec<Step<'p>> {
        let (Some(primary), Some(keys)) = (&self.plan.collection.primary, keys_named(self.plan)) else {
            return Vec::new();
        };
        let edges = self.layout.related().enumerate();
        edges
            .filter(|(_, edge)| matches!(edge.plan.link, Link::ToMany { .. }) && edge.shown.0.is_empty())
            .filter(|(_, edge)| {
                let at = self.layout.outputs.get(edge.at);
                matches!(at, Some(Output::Field(field)) if field.name == primary.name)
            })
            .filter_map(|(i, edge)| many(i, edge, distinct(keys.iter())))
            .collect()
    }

    /// What is read for its rows, but for those edges.
    fn steps(&self, rows: &Rows, done: &[usize]) -> Vec<Step<'p>> {
        let edges = self.layout.related().enumerate();
        edges
            .filter(|(i, _)| !done.contains(i))
            .flat_map(|(i, edge)| follow(i, edge, rows))
            .collect()
    }
}

/// The keys by which a plan chooses its rows; `None` where it does so in another way.
fn keys_named(plan: &ReadPlan) -> Option<Vec<Scalar>> {
    let primary = plan.collection.primary.as_ref()?;
    let parts = match &plan.filter {
        Filter::And(parts) => parts.as_slice(),
        filter => std::slice::from_ref(filter),
    };
    parts.iter().find_map(|part| match part {
        Filter::Test {
            operand: Operand::Field(field),
            test,
        } if field.name == primary.name => match test {
            Test::Equal(key) => Some(vec![key.clone()]),
            Test::In(keys) => Some(keys.clone()),
            _ => None,
        },
        _ => None,
    })
}

/// Asks for a level and what is read early, and for what is related to its rows. Levels that wait for the same rows are
/// asked for at the same time.
async fn answer<E: Executor>(
    executor: &mut E,
    root: Level<'_>,
    early: Vec<Step<'_>>,
) -> Result<Reached, Error> {
    let all_early = early.len() == root.layout.related().count();
    let last = all_early && early.iter().all(|step| step.level.is_last());
    let dialect = executor.dialect();
    let mut statements = vec![root.statement(dialect)];
    statements.extend(early.iter().map(|step| step.level.statement(dialect)));
    let mut answers = executor.query_all(statements, last).await?.into_iter();
    let rows = answers.next().unwrap_or_default();
    let early = early.into_iter().zip(answers).collect();
    finish(executor, root, rows, early, true).await
}

/// The values of a level's rows, with what is related to them. `early`: what was asked for together with it. `alone`: nothing is
/// asked for afterwards.
fn finish<'a, E: Executor>(
    executor: &'a mut E,
    level: Level<'a>,
    mut rows: Rows,
    early: Vec<(Step<'a>, Rows)>,
    alone: bool,
) -> Pin<Box<dyn Future<Output = Result<Reached, Error>> + Send + 'a>> {
    Box::pin(async move {
        let done: Vec<_> = early.iter().map(|(step, _)| step.edge).collect();
        let steps = level.steps(&rows, &done);
        let mut all = early;
        if !steps.is_empty() {
            let dialect = executor.dialect();
            let last = alone
                && all
                    .iter()
                    .map(|(step, _)| step)
                    .chain(&steps)
                    .all(|step| step.level.is_last());
            let statements = steps.iter().map(|step| step.level.statement(dialect)).collect();
            let answers = executor.query_all(statements, last).await?;
            all.extend(steps.into_iter().zip(answers));
        }
        let mut below: Vec<_> = level.layout.related().map(Below::of).collect();
        let deepest = all.iter().rposition(|(step, _)| !step.level.is_last());
        for (i, (step, rows)) in all.into_iter().enumerate() {
            let Step { edge, level, uses } = step;
            let collection = level.plan.collection.name.as_str();
            let alone = alone && deepest.is_some_and(|deepest| deepest == i);
            let reached = finish(executor, level, rows, Vec::new(), alone).await?;
            below[edge].take_in(collection, uses, reached);
        }
        let mut answer = Vec::with_capacity(rows.cells.len() / rows.width.max(1));
        for row in rows.iter_mut() {
            let value = level.layout.value(row, &mut below);
            let key = match level.reach {
                Reach::Root => Scalar::Null,
                _ => row.last_mut().map(std::mem::take).unwrap_or_default(),
            };
            answer.push((key, value));
        }
        Ok(answer)
    })
}

/// Where in a row of the statement's answer each member of the record comes from.
struct Layout<'p> {
    outputs: Vec<Output<'p>>,
    /// By position: whether more than one member needs the output, so that its value cannot be given away.
    shared: Vec<bool>,
    members: Vec<Member<'p>>,
    /// By member.
    shown: Vec<Shown>,
    /// What is asked for already, by the address of the condition, and its position.
    asked: Vec<(usize, usize)>,
    /// Members are shown by conditions that differ.
    differ: bool,
    /// The value is the bare key at this position.
    bare: Option<(usize, &'p Field)>,
}

/// One member of the record.
enum Member<'p> {
    /// The value of a field.
    Field {
        alias: &'p str,
        at: usize,
        field: &'p Field,
        secret: bool,
    },
    /// The value at a path inside a JSON document.
    Json {
        alias: &'p str,
        at: usize,
        field: &'p Field,
        path: &'p [String],
    },
    /// A whole number worked out by the database.
    Number { alias: &'p str, at: usize },
    /// A tag of what these show.
    Tag { alias: &'p str, parts: Vec<Part<'p>> },
    /// What is related.
    Related { alias: &'p str, related: Edge<'p> },
}

/// A column that a tag is made of.
struct Part<'p> {
    name: &'p str,
    at: usize,
    field: &'p Field,
    shown: Shown,
}

impl Part<'_> {
    fn value(&self, row: &[Scalar]) -> Value {
        if self.shown.on(row) {
            print(self.field, row[self.at].clone(), false)
        } else {
            Value::Null
        }
    }
}

/// A relation to follow from the rows of a level.
struct Edge<'p> {
    plan: &'p Related,
    /// The column of the level that is matched with the rows beyond.
    at: usize,
    /// M2A: the column that names the collection, and the field of the key.
    any: Option<(usize, &'p Field)>,
    /// Nothing is followed from rows that do not show it.
    shown: Shown,
}

/// On which rows a member is shown: positions of conditions, of each list of which one must hold.
#[derive(Clone, Default)]
struct Shown(Vec<Vec<usize>>);

impl Shown {
    /// Whether a row shows it.
    fn on(&self, row: &[Scalar]) -> bool {
        let holds = |at: &usize| row[*at] == Scalar::Int(1);
        self.0.iter().all(|any| any.iter().any(holds))
    }
}

impl<'p> Layout<'p> {
    fn of(plan: &'p ReadPlan, keys_only: bool) -> Self {
        let mut layout = Self {
            outputs: Vec::with_capacity(plan.select.len() + 1),
            shared: Vec::with_capacity(plan.select.len() + 1),
            members: Vec::with_capacity(plan.select.len()),
            shown: Vec::with_capacity(plan.select.len()),
            asked: Vec::new(),
            differ: differ(plan),
            bare: None,
        };
        if let (true, Some(primary)) = (keys_only, &plan.collection.primary) {
            layout.bare = Some((layout.output(primary), primary));
            return layout;
        }
        for selected in &plan.select {
            let alias = selected.alias.as_str();
            let shown = layout.when(selected);
            let member = match &selected.source {
                Source::Field(field) | Source::Secret(field) => Some(Member::Field {
                    alias,
                    at: layout.output(field),
                    field,
                    secret: matches!(selected.source, Source::Secret(_)),
                }),
                Source::Json { field, path } => Some(Member::Json {
                    alias,
                    at: layout.output(field),
                    field,
                    path,
                }),
                Source::Function { function, field } => {
                    Some(layout.number(alias, Output::Function(*function, field)))
                }
                Source::Count(operand) => Some(layout.number(alias, Output::Count(operand))),
                Source::Tag(members) => Some(Member::Tag {
                    alias,
                    parts: members.iter().filter_map(|member| layout.part(member)).collect(),
                }),
                Source::Related(related) => layout
                    .edge(&plan.collection, related, &shown)
                    .map(|related| Member::Related { alias, related }),
            };
            if let Some(member) = member {
                layout.members.push(member);
                layout.shown.push(shown);
            }
        }
        layout
    }

    /// The position of a column, which is read once however often it is needed.
    fn output(&mut self, field: &'p Arc<Field>) -> usize {
        let same = |output: &Output<'p>| matches!(output, Output::Field(other) if other.name == field.name);
        match self.outputs.iter().position(same) {
            Some(at) => {
                self.shared[at] = true;
                at
            }
            None => self.push(Output::Field(field)),
        }
    }

    /// The position of a column that is looked at for relations and tags, whatever else it is for.
    fn key(&mut self, field: &'p Arc<Field>) -> usize {
        let at = self.output(field);
        self.shared[at] = true;
        at
    }

    /// `None` for what is no column.
    fn part(&mut self, member: &'p Selected) -> Option<Part<'p>> {
        let Source::Field(field) = &member.source else {
            return None;
        };
        Some(Part {
            name: &member.alias,
            at: self.key(field),
            field,
            shown: self.when(member),
        })
    }

    fn when(&mut self, member: &'p Selected) -> Shown {
        let when = member.when.as_ref();
        when.map_or_else(Shown::default, |when| self.shown(when))
    }

    /// Where a member is shown. Where members differ in that, they are still shown by the same few conditions, put
    /// together in different ways: the database is asked for each of those once.
    fn shown(&mut self, when: &'p Arc<Filter>) -> Shown {
        if !self.differ {
            return Shown(vec![vec![self.holds(when)]]);
        }
        let mut lists = Vec::new();
        self.split(when, &mut lists);
        Shown(lists)
    }

    fn split(&mut self, filter: &'p Filter, lists: &mut Vec<Vec<usize>>) {
        match filter {
            Filter::All => {}
            Filter::And(parts) => parts.iter().for_each(|part| self.split(part, lists)),
            Filter::Or(parts) if parts.iter().all(|part| matches!(part, Filter::Shared(_))) => {
                let any = parts.iter().map(|part| self.holds(part)).collect();
                lists.push(any);
            }
            filter => lists.push(vec![self.holds(filter)]),
        }
    }

    /// The position of what says whether a condition holds. It is asked once, however often it is needed.
    fn holds(&mut self, filter: &'p Filter) -> usize {
        let address = match filter {
            Filter::Shared(shared) => Arc::as_ptr(shared).addr(),
            filter => std::ptr::from_ref(filter).addr(),
        };
        if let Some((_, at)) = self.asked.iter().find(|(asked, _)| *asked == address) {
            return *at;
        }
        let at = self.push(Output::Holds(filter));
        self.asked.push((address, at));
        at
    }

    fn push(&mut self, output: Output<'p>) -> usize {
        self.outputs.push(output);
        self.shared.push(false);
        self.outputs.len() - 1
    }

    fn number(&mut self, alias: &'p str, output: Output<'p>) -> Member<'p> {
        Member::Number {
            alias,
            at: self.push(output),
        }
    }

    /// The value at a position, given away where nobody else needs it.
    fn take(&self, row: &mut [Scalar], at: usize) -> Scalar {
        if self.shared[at] {
            row[at].clone()
        } else {
            std::mem::take(&mut row[at])
        }
    }

    /// `None` where the collection lacks the column that the relation needs: nothing can be related then.
    fn edge(&mut self, collection: &'p Collection, plan: &'p Related, shown: &Shown) -> Option<Edge<'p>> {
        let relation = plan.link.relation();
        let edge = |at, any| Edge {
            plan,
            at,
            any,
            shown: shown.clone(),
        };
        match &plan.link {
            Link::ToOne { .. } => {
                let at = self.key(collection.field(&relation.many_field)?);
                Some(edge(at, None))
            }
            Link::ToMany { .. } => {
                let at = self.key(pointed_to(relation, collection)?);
                Some(edge(at, None))
            }
            Link::ToAny { .. } => {
                let field = collection.field(&relation.many_field)?;
                let discriminator = collection.field(relation.one_collection_field.as_ref()?)?;
                let any = Some((self.key(discriminator), field.as_ref()));
                let at = self.key(field);
                Some(edge(at, any))
            }
        }
    }

    fn related(&self) -> impl Iterator<Item = &Edge<'p>> {
        self.members.iter().filter_map(|member| match member {
            Member::Related { related, .. } => Some(related),
            _ => None,
        })
    }

    /// The value of a row; `below` has what its relations lead to, in the order of [`Layout::related`].
    fn value(&self, row: &mut [Scalar], below: &mut [Below]) -> Value {
        if let Some((at, field)) = self.bare {
            return print(field, row[at].clone(), false);
        }
        let mut record = Record::with_capacity(self.members.len());
        let mut below = below.iter_mut();
        for (member, shown) in self.members.iter().zip(&self.shown) {
            let shown = shown.on(row);
            let (alias, value) = match member {
                Member::Related { alias, related } => {
                    let value = match below.next() {
                        Some(below) if shown => related.value(row, below),
                        _ => related.nothing(),
                    };
                    (alias, value)
                }
                Member::Field { alias, .. }
                | Member::Json { alias, .. }
                | Member::Number { alias, .. }
                | Member::Tag { alias, .. }
                    if !shown =>
                {
                    (alias, Value::Null)
                }
                Member::Field {
                    alias,
                    at,
                    field,
                    secret,
                } => (alias, print(field, self.take(row, *at), *secret)),
                Member::Json {
                    alias,
                    at,
                    field,
                    path,
                } => (alias, inside(print(field, self.take(row, *at), false), path)),
                Member::Number { alias, at } => (alias, whole(self.take(row, *at))),
                Member::Tag { alias, parts } => {
                    let shown = parts.iter().map(|part| (part.name.to_owned(), part.value(row)));
                    (alias, tag(&shown.collect()).into())
                }
            };
            record.insert((*alias).to_owned(), value);
        }
        Value::Object(record)
    }
}

/// Whether some members are shown by other conditions than others.
fn differ(plan: &ReadPlan) -> bool {
    let members = plan.select.iter().flat_map(|selected| {
        let parts: &[Selected] = match &selected.source {
            Source::Tag(parts) => parts,
            _ => &[],
        };
        std::iter::once(selected).chain(parts)
    });
    let mut conditions = members.filter_map(|selected| selected.when.as_ref());
    let first = conditions.next();
    first.is_some_and(|first| conditions.any(|other| !Arc::ptr_eq(first, other)))
}

/// What a JSON value holds at a path of keys and positions; null where it holds nothing there.
fn inside(value: Value, path: &[String]) -> Value {
    path.iter().fold(value, |value, step| match value {
        Value::Object(mut members) => members.remove(step).unwrap_or_default(),
        Value::Array(mut entries) => match step.parse::<usize>() {
            Ok(at) if at < entries.len() => entries.swap_remove(at),
            _ => Value::Null,
        },
        _ => Value::Null,
    })
}

impl Edge<'_> {
    /// The rows to follow it from.
    fn from<'r>(&self, rows: &'r Rows) -> impl Iterator<Item = &'r [Scalar]> {
        rows.iter().filter(|row| self.shown.on(row))
    }

    /// What a row has that does not show it.
    fn nothing(&self) -> Value {
        match self.plan.link {
            Link::ToMany { .. } => Value::Array(Vec::new()),
            Link::ToOne { .. } | Link::ToAny { .. } => Value::Null,
        }
    }

    fn value(&self, row: &[Scalar], below: &mut Below) -> Value {
        let key = Key::of(&row[self.at]);
        match below {
            Below::One(rows) => key
                .and_then(|key| rows.get_mut(&key))
                .map_or(Value::Null, Shared::take),
            // Each row is the only one with its key.
            Below::Many(rows) => key
                .and_then(|key| rows.remove(&key))
                .map_or_else(|| Value::Array(Vec::new()), Value::Array),
            Below::Any(collections) => {
                let Some((named_at, field)) = self.any else {
                    return Value::Null;
                };
                let asked = row[named_at].as_text().and_then(|name| collections.get_mut(name));
                match (asked, key) {
                    (_, None) => Value::Null,
                    (Some(rows), Some(key)) => rows.get_mut(&key).map_or(Value::Null, Shared::take),
                    (None, Some(_)) => print(field, row[self.at].clone(), false),
                }
            }
        }
    }
}

/// What a relation leads to from all rows of a level.
enum Below {
    One(HashMap<Key, Shared>),
    Many(HashMap<Key, Vec<Value>>),
    /// By collection.
    Any(HashMap<String, HashMap<Key, Shared>>),
}

/// A value that so many rows above still wait for.
struct Shared {
    value: Value,
    waiting: usize,
}

impl Shared {
    /// The value itself for the last, a copy for the others.
    fn take(&mut self) -> Value {
        if self.waiting > 1 {
            self.waiting -= 1;
            self.value.clone()
        } else {
            self.value.take()
        }
    }
}

impl Below {
    fn of(edge: &Edge<'_>) -> Self {
        match edge.plan.link {
            Link::ToOne { .. } => Self::One(HashMap::new()),
            Link::ToMany { .. } => Self::Many(HashMap::new()),
            Link::ToAny { .. } => Self::Any(HashMap::new()),
        }
    }

    /// Takes in what was reached in a collection, where so many rows wait for each.
    fn take_in(&mut self, collection: &str, mut uses: HashMap<Key, usize>, reached: Reached) {
        let reached = reached
            .into_iter()
            .filter_map(|(key, value)| Some((Key::of(&key)?, value)));
        let mut shared = |(key, value)| {
            let waiting = uses.remove(&key)?;
            Some((key, Shared { value, waiting }))
        };
        match self {
            Self::One(rows) => rows.extend(reached.filter_map(shared)),
            Self::Many(lists) => reached.for_each(|(key, value)| lists.entry(key).or_default().push(value)),
            Self::Any(collections) => {
                let rows = reached.filter_map(&mut shared).collect();
                collections.insert(collection.to_owned(), rows);
            }
        }
    }
}

/// A level that is read for the rows of the one above.
struct Step<'p> {
    /// Which of the edges above leads to it.
    edge: usize,
    level: Level<'p>,
    /// How many rows wait for each key.
    uses: HashMap<Key, usize>,
}

/// What an edge leads to from these rows: a level for each collection.
fn follow<'p>(i: usize, edge: &Edge<'p>, rows: &Rows) -> Vec<Step<'p>> {
    let from = || edge.from(rows);
    let keys = |rows: &mut dyn Iterator<Item = &[Scalar]>| {
        let cells: Vec<_> = rows.map(|row| &row[edge.at]).collect();
        distinct(cells.into_iter())
    };
    match &edge.plan.link {
        Link::ToOne { .. } => {
            let plan = edge.plan.plans.first();
            let step = plan.and_then(|plan| one(i, edge, plan, keys(&mut from())));
            step.into_iter().collect()
        }
        Link::ToMany { .. } => many(i, edge, keys(&mut from())).into_iter().collect(),
        Link::ToAny { .. } => {
            let steps = edge.plan.plans.iter().filter_map(|plan| {
                let name = plan.collection.name.as_str();
                let named = |row: &&[Scalar]| {
                    edge.any
                        .is_some_and(|(named_at, _)| row[named_at].as_text() == Some(name))
                };
                one(i, edge, plan, keys(&mut from().filter(named)))
            });
            steps.collect()
        }
    }
}

/// `None` where nothing is pointed to.
fn one<'p>(i: usize, edge: &Edge<'p>, plan: &'p ReadPlan, keys: Keys) -> Option<Step<'p>> {
    let Keys { keys, uses } = keys;
    let key = pointed_to(edge.plan.link.relation(), &plan.collection).filter(|_| !keys.is_empty())?;
    Some(Step {
        edge: i,
        level: Level::new(plan, Reach::One { key, keys }, edge.plan.keys_only),
        uses,
    })
}

/// `None` where nothing can point here.
fn many<'p>(i: usize, edge: &Edge<'p>, keys: Keys) -> Option<Step<'p>> {
    let Keys { keys, uses } = keys;
    let plan = edge.plan.plans.first()?;
    let field = plan.collection.field(&edge.plan.link.relation().many_field);
    let key = field.filter(|_| !keys.is_empty())?;
    Some(Step {
        edge: i,
        level: Level::new(plan, Reach::Many { key, keys }, edge.plan.keys_only),
        uses,
    })
}

/// A stored value as it is shown.
pub(super) fn print(field: &Field, scalar: Scalar, secret: bool) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        _ if field.is_secret() && !secret => MASK.into(),
        scalar => field.ty.print(scalar),
    }
}

fn whole(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        scalar => field_types::of_column(loggia_model::StorageKind::BigInteger, &[]).print(scalar),
    }
}

#[cfg(test)]
mod tests {
    use loggia_model::system;

    use super::*;

    #[test]
    fn a_column_is_read_once_and_a_shared_condition_asked_once() {
        let schema = system::schema();
        let users = schema.collection("directus_users").unwrap();
        let field = |name: &str| users.field(name).unwrap().clone();
        let when = || Arc::new(Filter::field(&field("status"), Test::Equal("active".into())));
        let shared = when();
        let member = |alias: &str, name: &str, when: Option<&Arc<Filter>>| Selected {
            when: when.cloned(),
            ..Selected::new(alias, Source::Field(field(name)))
        };
        let plan = ReadPlan {
            collection: users.clone(),
            select: vec![
                member("id", "id", None),
                member("email", "email", Some(&shared)),
                member("again", "email", Some(&shared)),
                member("title", "title", Some(&shared)),
                member("location", "location", Some(&when())),
            ],
            filter: Filter::All,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        };
        let layout = Layout::of(&plan, false);
        let conditions = |output: &&Output<'_>| matches!(output, Output::Holds(_));
        assert_eq!(layout.outputs.iter().filter(conditions).count(), 2);
        assert_eq!(layout.outputs.len(), 6);
        assert_eq!(layout.members.len(), 5);
    }

    #[test]
    fn members_that_differ_are_shown_by_the_same_conditions_put_together() {
        let schema = system::schema();
        let users = schema.collection("directus_users").unwrap();
        let field = |name: &str| users.field(name).unwrap().clone();
        let is = |status: &str| Filter::field(&field("status"), Test::Equal(status.into())).shared();
        let (active, draft, invited) = (is("active"), is("draft"), is("invited"));
        let member = |name: &str, when: Filter| Selected {
            when: Some(Arc::new(when)),
            ..Selected::new(name, Source::Field(field(name)))
        };
        let either = Filter::or_all(vec![active.clone(), draft.clone()]);
        let plan = ReadPlan {
            collection: users.clone(),
            select: vec![
                member("email", either.clone()),
                member("title", Filter::or_all(vec![draft, invited.clone()])),
                member("location", active),
                member("theme_dark", either.and(invited)),
            ],
            filter: Filter::All,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        };
        let layout = Layout::of(&plan, false);
        let asked = layout
            .outputs
            .iter()
            .filter(|output| matches!(output, Output::Holds(_)));
        assert_eq!(asked.count(), 3);
        let check = |member: usize, holding: &[i64], expect: bool| {
            let mut row = vec![Scalar::Null; layout.outputs.len()];
            for ((_, at), holds) in layout.asked.iter().zip(holding) {
                row[*at] = if *holds == 1 { Scalar::Int(1) } else { Scalar::Null };
            }
            assert_eq!(layout.shown[member].on(&row), expect, "{member} {holding:?}");
        };
        // Active, draft, invited.
        check(0, &[1, 0, 0], true);
        check(0, &[0, 1, 0], true);
        check(0, &[0, 0, 1], false);
        check(1, &[1, 0, 0], false);
        check(1, &[0, 0, 1], true);
        check(2, &[0, 1, 1], false);
        check(3, &[1, 0, 0], false);
        check(3, &[0, 0, 1], false);
        check(3, &[0, 1, 1], true);
    }
}
