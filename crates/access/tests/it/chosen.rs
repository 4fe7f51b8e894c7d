//! Data, permissions and plans out of a run of bytes: each byte is a choice, and fewer or smaller ones give simpler
//! cases, so that failures shrink.

use loggia_access::Permission;
use loggia_model::Scalar;
use loggia_model::filter::{Direction, Filter, Function, Operand, Quantifier, Step, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, Group, Plan, ReadPlan, Related, Selected, Sort, Source,
};
use loggia_model::{Field, Link};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::database::{Database, Row};
use crate::world::{World, permission};

pub(crate) const COLLECTIONS: [&str; 5] = ["articles", "authors", "comments", "blocks", "notes"];

pub(crate) struct Chosen<'b> {
    bytes: std::slice::Iter<'b, u8>,
    world: &'b World,
}

impl<'b> Chosen<'b> {
    pub(crate) fn new(world: &'b World, bytes: &'b [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            world,
        }
    }

    /// A number below `n`; 0 where nothing is left to choose.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or(0)) % n
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A value that the field may well have.
    fn scalar(&mut self, field: &Field) -> Scalar {
        match (field.name.as_str(), field.ty.name()) {
            ("collection", _) => self.of(&["authors", "notes"]).into(),
            ("item", _) => self.of(&["1", "2"]).into(),
            (_, "integer") => Scalar::Int(self.of(&[1, 2, 3])),
            _ => self.of(&["a", "b"]).into(),
        }
    }

    pub(crate) fn database(&mut self) -> Database {
        let mut database = Database::default();
        for name in COLLECTIONS {
            let rows = (1..=3).map(|id| {
                let mut row = Row::default();
                row.values.insert("id".to_owned(), Scalar::Int(id));
                for field in self.world.collection(name).fields.values() {
                    if field.name == "id" || field.is_alias() || self.below(4) == 3 {
                        continue;
                    }
                    let value = match (name, field.name.as_str()) {
                        // What is pointed to is unique.
                        ("authors", "code") => ["a", "b", "c"][usize::try_from(id).unwrap() - 1].into(),
                        _ => self.scalar(field),
                    };
                    row.values.insert(field.name.clone(), value);
                }
                row
            });
            let rows = rows.collect();
            database.0.insert(name.to_owned(), rows);
        }
        database
    }

    pub(crate) fn layers(&mut self) -> Vec<Vec<Permission>> {
        (0..=self.below(2)).map(|_| self.layer()).collect()
    }

    pub(crate) fn layer(&mut self) -> Vec<Permission> {
        let mut layer = Vec::new();
        for name in COLLECTIONS {
            // Most can be read: what is refused tells little.
            for _ in 0..[1, 2, 3, 2, 0][self.below(5)] {
                layer.push(self.permission(name, "read"));
            }
        }
        layer
    }

    pub(crate) fn permission(&mut self, collection: &str, action: &str) -> Permission {
        let names: Vec<_> = self.world.collection(collection).fields.keys().collect();
        let fields: Vec<&str> = match self.below(3) {
            0 => vec!["*"],
            _ => names
                .iter()
                .filter(|_| self.below(3) > 0)
                .map(|name| name.as_str())
                .collect(),
        };
        let items = match self.below(3) {
            0 => Value::Null,
            _ => self.items(collection, 2),
        };
        permission(
            "p",
            &json!({"collection": collection, "action": action, "fields": fields, "items": items}),
        )
    }

    fn items(&mut self, collection: &str, depth: usize) -> Value {
        let fields: Vec<_> = self.world.collection(collection).fields.values().collect();
        let field = self.of(&fields);
        match self.world.schema.link(collection, &field.name) {
            Some(Link::ToOne { target, .. } | Link::ToMany { target, .. }) if depth > 0 => {
                json!({ field.name.as_str(): self.items(&target.name, depth - 1) })
            }
            Some(Link::ToMany { .. }) => json!({"id": {"_neq": 2}}),
            _ if depth > 0 && self.below(4) == 3 => {
                json!({"_or": [self.items(collection, depth - 1), self.items(collection, depth - 1)]})
            }
            _ if self.below(5) == 4 => json!({ field.name.as_str(): {"_null": true} }),
            _ => {
                let value = match self.scalar(field) {
                    Scalar::Int(number) => json!(number),
                    other => json!(other.as_text()),
                };
                let operator = self.of(&["_eq", "_neq"]);
                json!({ field.name.as_str(): { operator: value } })
            }
        }
    }

    pub(crate) fn plan(&mut self) -> Plan {
        let collection = self.of(&COLLECTIONS);
        if self.below(4) == 3 {
            Plan::Aggregate(self.aggregate(collection))
        } else {
            Plan::Read(self.read(collection, 2))
        }
    }

    fn aggregate(&mut self, collection: &str) -> AggregatePlan {
        let group_by = (0..self.below(3)).map(|i| Group {
            alias: format!("g{i}"),
            operand: self.operand(collection, 0),
        });
        let group_by = group_by.collect();
        let figures = (0..self.below(3)).map(|_| Figure {
            function: self.of(&[Aggregate::Count, Aggregate::Max, Aggregate::CountDistinct]),
            field: (self.below(4) > 0).then(|| self.column(collection)),
            when: None,
        });
        let figures = figures.collect();
        AggregatePlan {
            collection: self.world.collection(collection).clone(),
            filter: self.filter(collection, 2),
            group_by,
            figures,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        }
    }

    fn read(&mut self, collection: &str, depth: usize) -> ReadPlan {
        let select =
            (0..1 + self.below(4)).map(|i| Selected::new(format!("s{i}"), self.source(collection, depth)));
        let select = select.collect();
        let sort = (0..self.below(3)).map(|_| Sort {
            operand: self.operand(collection, 2),
            descending: self.below(2) == 1,
        });
        let sort = sort.collect();
        ReadPlan {
            collection: self.world.collection(collection).clone(),
            select,
            filter: self.filter(collection, depth),
            sort,
            limit: (self.below(4) == 3).then_some(2),
            offset: 0,
        }
    }

    fn source(&mut self, collection: &str, depth: usize) -> Source {
        match self.below(7) {
            6 => {
                let members = (0..1 + self.below(3)).map(|_| self.column(collection));
                let members = members.map(|field| Selected::new(field.name.clone(), Source::Field(field)));
                Source::Tag(members.collect())
            }
            1 => Source::Function {
                function: Function::Year,
                field: self.column(collection),
            },
            2 => match self.list(collection) {
                Some(step) => Source::Count(Operand::Count {
                    filter: Box::new(self.filter(&step.target.name, depth.saturating_sub(1))),
                    step,
                }),
                None => Source::Field(self.column(collection)),
            },
            3..=5 if depth > 0 => match self.link(collection) {
                Some(link) => Source::Related(self.related(link, depth)),
                None => Source::Field(self.column(collection)),
            },
            _ => Source::Field(self.column(collection)),
        }
    }

    fn related(&mut self, link: Link, depth: usize) -> Related {
        let plans = match &link {
            Link::ToOne { target, .. } => vec![ReadPlan {
                limit: None,
                ..self.read(&target.name, depth - 1)
            }],
            Link::ToMany { target, .. } => vec![self.read(&target.name, depth - 1)],
            Link::ToAny { targets, .. } => targets
                .iter()
                .map(|target| ReadPlan {
                    limit: None,
                    ..self.read(&target.name, depth - 1)
                })
                .collect(),
        };
        Related {
            link,
            plans,
            keys_only: false,
        }
    }

    fn filter(&mut self, collection: &str, depth: usize) -> Filter {
        match self.below(8) {
            0 | 1 => Filter::All,
            2 if depth > 0 => Filter::Not(Box::new(self.filter(collection, depth - 1))),
            3 if depth > 0 => Filter::Or(vec![
                self.filter(collection, depth - 1),
                self.filter(collection, depth - 1),
            ]),
            4 if depth > 0 => Filter::And(vec![
                self.filter(collection, depth - 1),
                self.filter(collection, depth - 1),
            ]),
            5 | 6 if depth > 0 => match self.step(collection) {
                Some(step) => Filter::Related {
                    quantifier: self.of(&[Quantifier::Some, Quantifier::None]),
                    filter: Box::new(self.filter(&step.target.name, depth - 1)),
                    step,
                },
                None => Filter::All,
            },
            _ => self.test(collection, depth),
        }
    }

    fn test(&mut self, collection: &str, depth: usize) -> Filter {
        let operand = self.operand(collection, depth);
        let value = match innermost(&operand) {
            Some(field) => self.scalar(field),
            None => Scalar::Int(self.of(&[0, 1, 2])),
        };
        let test = match self.below(6) {
            0 => Test::Equal(value),
            1 => Test::NotEqual(value),
            2 => Test::Null,
            3 => Test::NotNull,
            4 => Test::Empty,
            _ => Test::In(vec![value]),
        };
        Filter::Test { operand, test }
    }

    fn operand(&mut self, collection: &str, depth: usize) -> Operand {
        let plain = |chosen: &mut Self| Operand::Field(chosen.column(collection));
        match self.below(6) {
            1 => Operand::Function {
                function: Function::Year,
                field: self.column(collection),
            },
            2 => match self.list(collection) {
                Some(step) => Operand::Count {
                    filter: Box::new(self.filter(&step.target.name, depth.saturating_sub(1))),
                    step,
                },
                None => plain(self),
            },
            3 if depth > 0 => match self.step(collection) {
                Some(step) if step.direction == Direction::Forward => Operand::Through {
                    filter: Box::new(Filter::All),
                    operand: Box::new(self.operand(&step.target.name, depth - 1)),
                    step,
                },
                _ => plain(self),
            },
            _ => plain(self),
        }
    }

    /// A column that is no secret.
    fn column(&mut self, collection: &str) -> Arc<Field> {
        let fields = self.world.collection(collection).fields.values();
        let columns: Vec<_> = fields
            .filter(|field| !field.is_alias() && !field.is_secret())
            .collect();
        self.of(&columns).clone()
    }

    fn link(&mut self, collection: &str) -> Option<Link> {
        let fields = self.world.collection(collection).fields.keys();
        let links: Vec<_> = fields
            .filter_map(|field| self.world.schema.link(collection, field))
            .collect();
        (!links.is_empty()).then(|| links[self.below(links.len())].clone())
    }

    /// Any step: along a field, along a list, or against a column that has none.
    fn step(&mut self, collection: &str) -> Option<Step> {
        let mut steps = Vec::new();
        for relation in &self.world.schema.relations {
            let mut add = |direction, target: &str| {
                steps.push(Step {
                    relation: relation.clone(),
                    direction,
                    target: self.world.collection(target).clone(),
                });
            };
            let allowed = relation.one_allowed_collections.iter().flatten();
            for one in relation.one_collection.iter().chain(allowed) {
                if relation.many_collection == collection {
                    add(Direction::Forward, one);
                }
                if one == collection {
                    add(Direction::Backward, &relation.many_collection);
                }
            }
        }
        (!steps.is_empty()).then(|| steps[self.below(steps.len())].clone())
    }

    fn list(&mut self, collection: &str) -> Option<Step> {
        match self.link(collection)? {
            Link::ToMany { relation, target } => Some(Step {
                relation,
                direction: Direction::Backward,
                target,
            }),
            _ => None,
        }
    }
}

fn innermost(operand: &Operand) -> Option<&Field> {
    match operand {
        Operand::Field(field) => Some(field),
        Operand::Through { operand, .. } => innermost(operand),
        _ => None,
    }
}
