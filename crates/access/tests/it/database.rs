//! Rows in memory, and the answers that plans get from them: slow, short, and nothing like SQL.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use loggia_access::Permission;
use loggia_model::filter::{Direction, Filter, Operand, Quantifier, Step, Test};
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, Plan, ReadPlan, Related, Source};
use loggia_model::{Collection, Link, Relation, Scalar};
use serde_json::{Map, Value, json};

use crate::world::World;

/// A row, and the lists of it that are not shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) values: HashMap<String, Scalar>,
    hidden: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Database(pub(crate) BTreeMap<String, Vec<Row>>);

impl Row {
    pub(crate) fn get(&self, field: &str) -> &Scalar {
        self.values.get(field).unwrap_or(&Scalar::Null)
    }
}

impl Database {
    /// The copy that a caller with these permissions, by layer, would be asking.
    pub(crate) fn masked(&self, world: &World, layers: &[Vec<Permission>]) -> Self {
        let mut copy = Self::default();
        for (name, rows) in &self.0 {
            let collection = world.collection(name);
            let shown = |row: &Row, field: Option<&str>| {
                layers.iter().all(|layer| {
                    layer.iter().any(|permission| {
                        let granted =
                            |field| permission.fields.iter().any(|name| name == "*" || name == field);
                        permission.collection == *name
                            && field.is_none_or(granted)
                            && self.lets(world, collection, permission, row)
                    })
                })
            };
            let visible = rows.iter().filter(|row| shown(row, None));
            let masked = visible.map(|row| {
                let mut masked = row.clone();
                for field in collection.fields.values().filter(|field| field.name != "id") {
                    if !shown(row, Some(&field.name)) {
                        masked.values.remove(&field.name);
                        masked.hidden.insert(field.name.clone());
                    }
                }
                masked
            });
            copy.0.insert(name.clone(), masked.collect());
        }
        copy
    }

    fn lets(
        &self,
        world: &World,
        collection: &std::sync::Arc<Collection>,
        permission: &Permission,
        row: &Row,
    ) -> bool {
        use loggia_access::Conditions as _;
        permission.items.is_null() || {
            let condition = world.conditions().condition(collection, &permission.items);
            self.holds(collection, row, &condition.unwrap())
        }
    }

    fn rows(&self, collection: &str) -> &[Row] {
        self.0.get(collection).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn holds(&self, on: &Collection, row: &Row, filter: &Filter) -> bool {
        match filter {
            Filter::All => true,
            Filter::Nothing => false,
            Filter::And(parts) => parts.iter().all(|part| self.holds(on, row, part)),
            Filter::Or(parts) => parts.iter().any(|part| self.holds(on, row, part)),
            Filter::Not(inner) => !self.holds(on, row, inner),
            Filter::Shared(shared) => self.holds(on, row, shared.filter()),
            Filter::Test { operand, test } => passes(&self.value(on, row, operand), test),
            Filter::Related {
                step,
                quantifier,
                filter,
            } => {
                let mut related = self.related(on, row, step).into_iter();
                let some = related.any(|other| self.holds(&step.target, other, filter));
                some == (*quantifier == Quantifier::Some)
            }
        }
    }

    fn value(&self, on: &Collection, row: &Row, operand: &Operand) -> Scalar {
        match operand {
            Operand::Field(field) => row.get(&field.name).clone(),
            Operand::Function { field, .. } => match row.get(&field.name) {
                Scalar::Text(text) => Scalar::Int(i64::try_from(text.len()).unwrap()),
                _ => Scalar::Null,
            },
            Operand::JsonPath { field, .. } => row.get(&field.name).clone(),
            Operand::Count { step, filter } => {
                let related = self.related(on, row, step).into_iter();
                let counted = related.filter(|other| self.holds(&step.target, other, filter));
                Scalar::Int(i64::try_from(counted.count()).unwrap())
            }
            Operand::Through {
                step,
                filter,
                operand,
            } => {
                let mut related = self.related(on, row, step).into_iter();
                let reached = related.find(|other| self.holds(&step.target, other, filter));
                reached.map_or(Scalar::Null, |other| self.value(&step.target, other, operand))
            }
            Operand::Case { when, operand } if self.holds(on, row, when) => self.value(on, row, operand),
            Operand::Case { .. } => Scalar::Null,
        }
    }

    fn related(&self, on: &Collection, row: &Row, step: &Step) -> Vec<&Row> {
        let relation = &step.relation;
        let others = self.rows(&step.target.name).iter();
        match step.direction {
            Direction::Forward => {
                let named = points_into(relation, row, &step.target);
                let key = pointed_to(relation);
                others
                    .filter(|other| named && same(row.get(&relation.many_field), other.get(key)))
                    .collect()
            }
            Direction::Backward => {
                let list = relation.one_field.as_deref();
                if list.is_some_and(|list| row.hidden.contains(list)) {
                    return Vec::new();
                }
                let key = row.get(pointed_to(relation));
                others
                    .filter(|other| {
                        points_into(relation, other, on) && same(other.get(&relation.many_field), key)
                    })
                    .collect()
            }
        }
    }

    pub(crate) fn answer(&self, plan: &Plan) -> Value {
        match plan {
            Plan::Read(plan) => self.read(plan, |_| true).into(),
            Plan::Aggregate(plan) => self.aggregate(plan),
            _ => Value::Null,
        }
    }

    fn read(&self, plan: &ReadPlan, reached: impl Fn(&Row) -> bool) -> Vec<Value> {
        let on = &plan.collection;
        let rows = self.rows(&on.name).iter().filter(|row| reached(row));
        let mut rows: Vec<_> = rows.filter(|row| self.holds(on, row, &plan.filter)).collect();
        rows.sort_by(|left, right| {
            let keys = plan.sort.iter().map(|key| {
                let order = order(
                    &self.value(on, left, &key.operand),
                    &self.value(on, right, &key.operand),
                );
                if key.descending { order.reverse() } else { order }
            });
            let last = order(left.get("id"), right.get("id"));
            keys.fold(Ordering::Equal, Ordering::then).then(last)
        });
        let limit = plan
            .limit
            .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let rows = rows.into_iter().take(limit);
        rows.map(|row| Value::Object(self.record(plan, row))).collect()
    }

    fn record(&self, plan: &ReadPlan, row: &Row) -> Map<String, Value> {
        let on = &plan.collection;
        let members = plan.select.iter().map(|selected| {
            let shown = selected
                .when
                .as_ref()
                .is_none_or(|when| self.holds(on, row, when));
            let value = match &selected.source {
                Source::Related(related) => self.follow(on, row, related),
                Source::Field(field) | Source::Json { field, .. } => print(row.get(&field.name)),
                Source::Function { function, field } => {
                    let operand = Operand::Function {
                        function: *function,
                        field: field.clone(),
                    };
                    print(&self.value(on, row, &operand))
                }
                Source::Count(operand) => print(&self.value(on, row, operand)),
                Source::Tag(members) => {
                    let plan = ReadPlan {
                        select: members.clone(),
                        ..plan.clone()
                    };
                    loggia_model::tag::tag(&self.record(&plan, row)).into()
                }
                Source::Secret(_) => panic!("nobody may see a secret"),
            };
            let value = match value {
                value if shown => value,
                Value::Array(_) => json!([]),
                _ => Value::Null,
            };
            (selected.alias.clone(), value)
        });
        members.collect()
    }

    fn follow(&self, on: &Collection, row: &Row, related: &Related) -> Value {
        let relation = related.link.relation();
        let reach = |plan: &ReadPlan, direction: Direction| {
            let step = Step {
                relation: relation.clone(),
                direction,
                target: plan.collection.clone(),
            };
            let ids: Vec<_> = self
                .related(on, row, &step)
                .iter()
                .map(|other| other.get("id").clone())
                .collect();
            self.read(plan, |other| ids.contains(other.get("id")))
        };
        match &related.link {
            Link::ToOne { .. } => reach(&related.plans[0], Direction::Forward)
                .pop()
                .unwrap_or_default(),
            Link::ToMany { .. } => reach(&related.plans[0], Direction::Backward).into(),
            Link::ToAny { .. } => {
                let plans = related.plans.iter();
                let mut asked = plans.filter(|plan| points_into(relation, row, &plan.collection));
                let found = asked
                    .next()
                    .and_then(|plan| reach(plan, Direction::Forward).pop());
                found.unwrap_or_default()
            }
        }
    }

    fn aggregate(&self, plan: &AggregatePlan) -> Value {
        let on = &plan.collection;
        let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for row in self
            .rows(&on.name)
            .iter()
            .filter(|row| self.holds(on, row, &plan.filter))
        {
            let keys = plan
                .group_by
                .iter()
                .map(|group| print(&self.value(on, row, &group.operand)));
            groups
                .entry(keys.collect::<Value>().to_string())
                .or_default()
                .push(row);
        }
        if plan.group_by.is_empty() {
            groups.entry("[]".to_owned()).or_default();
        }
        let figured = groups.iter().map(|(keys, rows)| {
            let figures = plan.figures.iter().map(|figure| self.figure(on, rows, figure));
            (keys.clone(), figures.collect())
        });
        Value::Object(figured.collect())
    }

    fn figure(&self, on: &Collection, rows: &[&Row], figure: &Figure) -> Value {
        let Some(field) = &figure.field else {
            return rows.len().into();
        };
        let shown = rows
            .iter()
            .filter(|row| figure.when.as_ref().is_none_or(|when| self.holds(on, row, when)));
        let mut values: Vec<_> = shown
            .map(|row| row.get(&field.name))
            .filter(|value| !value.is_null())
            .collect();
        values.sort_by(|left, right| order(left, right));
        match figure.function {
            Aggregate::Max => values.last().map_or(Value::Null, |value| print(value)),
            Aggregate::CountDistinct => {
                values.dedup();
                values.len().into()
            }
            _ => values.len().into(),
        }
    }
}

fn pointed_to(relation: &Relation) -> &str {
    relation
        .foreign_key
        .as_ref()
        .map_or("id", |key| &key.foreign_column)
}

/// Whether a pointing row points into a collection.
fn points_into(relation: &Relation, many: &Row, one: &Collection) -> bool {
    match &relation.one_collection_field {
        None => true,
        Some(field) => many.get(field).as_text() == Some(&one.name),
    }
}

fn same(left: &Scalar, right: &Scalar) -> bool {
    !left.is_null() && !right.is_null() && text(left) == text(right)
}

fn text(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Int(number) => number.to_string(),
        Scalar::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn print(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Int(number) => (*number).into(),
        other => text(other).into(),
    }
}

fn order(left: &Scalar, right: &Scalar) -> Ordering {
    match (left, right) {
        (Scalar::Int(left), Scalar::Int(right)) => left.cmp(right),
        (left, right) => (!left.is_null(), text(left)).cmp(&(!right.is_null(), text(right))),
    }
}

/// NULL passes nothing but the tests for it.
fn passes(value: &Scalar, test: &Test) -> bool {
    match test {
        Test::Null => value.is_null(),
        Test::Empty => value.is_null() || value.as_text() == Some(""),
        _ if value.is_null() => false,
        Test::NotNull => true,
        Test::NotEmpty => value.as_text() != Some(""),
        Test::Equal(other) => value == other,
        Test::NotEqual(other) => value != other,
        Test::Less(other) => order(value, other) == Ordering::Less,
        Test::In(others) => others.contains(value),
        Test::NotIn(others) => !others.contains(value),
        other => panic!("{other:?} is not played with"),
    }
}
