//! Which names a plan uses: one that nothing grants makes it refused.

use std::sync::Arc;

use loggia_access::Permission;
use loggia_model::filter::{Direction, Filter, Operand, Step};
use loggia_model::plan::{Plan, ReadPlan, Source};
use loggia_model::{Collection, Link, Relation};

pub(crate) struct Names<'p>(pub(crate) &'p [Vec<Permission>]);

impl Names<'_> {
    pub(crate) fn granted(&self, plan: &Plan) -> bool {
        match plan {
            Plan::Read(plan) => self.read(plan),
            Plan::Aggregate(plan) => {
                let on = &plan.collection;
                let figures = plan.figures.iter().filter_map(|figure| figure.field.as_ref());
                self.readable(on)
                    && self.filter(on, &plan.filter)
                    && plan.group_by.iter().all(|group| self.operand(on, &group.operand))
                    && figures.into_iter().all(|field| self.field(on, &field.name))
            }
            _ => false,
        }
    }

    fn readable(&self, on: &Collection) -> bool {
        let read = |layer: &Vec<Permission>| layer.iter().any(|permission| permission.collection == on.name);
        self.0.iter().all(read)
    }

    fn field(&self, on: &Collection, name: &str) -> bool {
        let grants = |permission: &Permission| {
            let mut fields = permission.fields.iter();
            permission.collection == on.name && fields.any(|field| field == "*" || field == name)
        };
        self.readable(on) && (name == "id" || self.0.iter().all(|layer| layer.iter().any(grants)))
    }

    fn read(&self, plan: &ReadPlan) -> bool {
        let on = &plan.collection;
        let selected = |source: &Source| match source {
            Source::Field(field) | Source::Function { field, .. } | Source::Json { field, .. } => {
                self.field(on, &field.name)
            }
            Source::Count(operand) => self.operand(on, operand),
            Source::Related(related) => {
                let direction = match &related.link {
                    Link::ToMany { .. } => Direction::Backward,
                    _ => Direction::Forward,
                };
                let follows = |plan: &ReadPlan| {
                    self.follows(on, related.link.relation(), direction, &plan.collection) && self.read(plan)
                };
                related.plans.iter().all(follows)
            }
            Source::Tag(members) => members
                .iter()
                .all(|member| matches!(&member.source, Source::Field(field) if self.field(on, &field.name))),
            Source::Secret(_) => false,
        };
        self.readable(on)
            && plan.select.iter().all(|member| selected(&member.source))
            && self.filter(on, &plan.filter)
            && plan.sort.iter().all(|sort| self.operand(on, &sort.operand))
    }

    fn filter(&self, on: &Collection, filter: &Filter) -> bool {
        match filter {
            Filter::All | Filter::Nothing => true,
            Filter::And(parts) | Filter::Or(parts) => parts.iter().all(|part| self.filter(on, part)),
            Filter::Not(inner) => self.filter(on, inner),
            Filter::Test { operand, .. } => self.operand(on, operand),
            Filter::Related { step, filter, .. } => self.step(on, step) && self.filter(&step.target, filter),
            Filter::Shared(shared) => self.filter(on, shared.filter()),
        }
    }

    fn operand(&self, on: &Collection, operand: &Operand) -> bool {
        match operand {
            Operand::Field(field) | Operand::Function { field, .. } | Operand::JsonPath { field, .. } => {
                self.field(on, &field.name)
            }
            Operand::Count { step, filter } => self.step(on, step) && self.filter(&step.target, filter),
            Operand::Through {
                step,
                filter,
                operand,
            } => {
                self.step(on, step)
                    && self.filter(&step.target, filter)
                    && self.operand(&step.target, operand)
            }
            Operand::Case { when, operand } => self.filter(on, when) && self.operand(on, operand),
        }
    }

    fn step(&self, on: &Collection, step: &Step) -> bool {
        self.follows(on, &step.relation, step.direction, &step.target)
    }

    fn follows(
        &self,
        on: &Collection,
        relation: &Relation,
        direction: Direction,
        to: &Arc<Collection>,
    ) -> bool {
        let (many, one) = match direction {
            Direction::Forward => (on, to.as_ref()),
            Direction::Backward => (to.as_ref(), on),
        };
        let named = relation.one_collection_field.iter();
        let columns = named
            .chain([&relation.many_field])
            .all(|column| self.field(many, column));
        let key = relation.foreign_key.as_ref();
        let pointed_to = key.is_none_or(|key| self.field(one, &key.foreign_column));
        let list = relation.one_field.as_ref();
        let listed = direction == Direction::Forward || list.is_none_or(|list| self.field(one, list));
        self.readable(to) && columns && pointed_to && listed
    }
}
