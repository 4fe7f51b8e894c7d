//! Folds what a caller may read into plans.
//!
//! The answer is the one that an administrator would get from a copy of the database in which the rows that the caller
//! may not see are gone, and of the others every field is NULL that is not shown on that row. What permissions say of
//! rows is worked out on the real values, so their conditions go in as they are.

use std::collections::HashMap;
use std::sync::Arc;

use loggia_model::filter::{Direction, Step};
use loggia_model::plan::{AggregatePlan, Figure, Group, ReadPlan, Related, Selected, Sort, Source};
use loggia_model::{Collection, Filter, Link, Relation};

use crate::table::{Case, Table};
use crate::{Action, Grants};

mod conditions;
mod operands;

/// The plan touches what is not granted at all.
#[derive(Debug)]
pub(crate) struct Denied;

/// The work on one plan.
pub(crate) struct Masks<'g> {
    grants: &'g Grants,
    /// Conditions put together of two, by where the two are kept: members that share both share the result.
    joined: HashMap<(usize, usize), Joined>,
}

/// Two conditions and both together. The two are kept so that nothing else can take their places.
struct Joined {
    _parts: [Arc<Filter>; 2],
    both: Arc<Filter>,
}

/// A collection, and what each layer grants of it.
struct Here<'g> {
    collection: Arc<Collection>,
    layers: Vec<&'g Table>,
}

/// What a relation takes to be followed, besides the rows beyond being visible.
struct Crossing {
    /// On this side.
    near: Case,
    /// On the other side.
    far: Case,
}

impl Here<'_> {
    /// The rows that there are.
    fn rows(&self) -> Filter {
        let layers = self.layers.iter();
        layers.fold(Filter::All, |rows, table| rows.and(table.rows.clone()))
    }
}

impl<'g> Masks<'g> {
    pub(crate) fn new(grants: &'g Grants) -> Self {
        Self {
            grants,
            joined: HashMap::new(),
        }
    }

    pub(crate) fn read(&mut self, plan: ReadPlan) -> Result<ReadPlan, Denied> {
        let here = self.here(&plan.collection)?;
        self.level(&here, plan, None)
    }

    pub(crate) fn aggregate(&mut self, plan: AggregatePlan) -> Result<AggregatePlan, Denied> {
        let here = self.here(&plan.collection)?;
        let mut group_by = Vec::with_capacity(plan.group_by.len());
        for group in plan.group_by {
            let operand = self.masked(&here, group.operand)?;
            group_by.push(Group { operand, ..group });
        }
        let mut figures = Vec::with_capacity(plan.figures.len());
        for figure in plan.figures {
            let asked = self.asked(&here, figure.when)?;
            let case = match &figure.field {
                Some(field) => self.case(&here, &field.name)?,
                None => None,
            };
            let when = self.both(case, asked);
            figures.push(Figure { when, ..figure });
        }
        Ok(AggregatePlan {
            filter: self.filter(&here, plan.filter)?.and(here.rows()),
            group_by,
            figures,
            ..plan
        })
    }

    /// A read of rows of `here`; `far`: on which of them the relation holds that led here.
    fn level(&mut self, here: &Here<'g>, plan: ReadPlan, far: Case) -> Result<ReadPlan, Denied> {
        let mut select = Vec::with_capacity(plan.select.len());
        for selected in plan.select {
            select.push(self.selected(here, selected)?);
        }
        let mut sort = Vec::with_capacity(plan.sort.len());
        for key in plan.sort {
            let operand = self.masked(here, key.operand)?;
            sort.push(Sort { operand, ..key });
        }
        let filter = self.filter(here, plan.filter)?.and(here.rows());
        Ok(ReadPlan {
            select,
            filter: filter.and(only(far)),
            sort,
            ..plan
        })
    }

    fn selected(&mut self, here: &Here<'g>, selected: Selected) -> Result<Selected, Denied> {
        let asked = self.asked(here, selected.when)?;
        let (source, case) = match selected.source {
            Source::Field(field) => {
                let case = self.case(here, &field.name)?;
                (Source::Field(field), case)
            }
            Source::Function { function, field } => {
                let case = self.case(here, &field.name)?;
                (Source::Function { function, field }, case)
            }
            Source::Json { field, path } => {
                let case = self.case(here, &field.name)?;
                (Source::Json { field, path }, case)
            }
            Source::Count(operand) => {
                let (operand, case) = self.operand(here, operand)?;
                (Source::Count(operand), case)
            }
            Source::Related(related) => {
                let (related, case) = self.related(here, related)?;
                (Source::Related(related), case)
            }
            Source::Tag(members) => {
                let members = members.into_iter().map(|member| self.selected(here, member));
                (Source::Tag(members.collect::<Result<_, _>>()?), None)
            }
            Source::Secret(_) => return Err(Denied),
        };
        Ok(Selected {
            alias: selected.alias,
            source,
            when: self.both(case, asked),
        })
    }

    fn related(&mut self, here: &Here<'g>, related: Related) -> Result<(Related, Case), Denied> {
        let direction = match &related.link {
            Link::ToOne { .. } | Link::ToAny { .. } => Direction::Forward,
            Link::ToMany { .. } => Direction::Backward,
        };
        let relation = related.link.relation().clone();
        let mut case = self.near(here, &relation, direction)?;
        let mut plans = Vec::with_capacity(related.plans.len());
        for plan in related.plans {
            let beyond = self.here(&plan.collection)?;
            let crossing = self.crossing(here, &beyond, &relation, direction)?;
            case = self.both(case, crossing.near);
            plans.push(self.level(&beyond, plan, crossing.far)?);
        }
        Ok((Related { plans, ..related }, case))
    }

    /// What is granted of a collection.
    fn here(&self, collection: &Arc<Collection>) -> Result<Here<'g>, Denied> {
        let layers: Option<Vec<_>> = self.grants.each(Action::Read, collection).collect();
        Ok(Here {
            collection: collection.clone(),
            layers: layers.ok_or(Denied)?,
        })
    }

    /// On which rows a field is shown.
    fn case(&mut self, here: &Here<'g>, field: &str) -> Result<Case, Denied> {
        let mut case = None;
        for table in &here.layers {
            let granted = table.case(field).ok_or(Denied)?;
            case = self.both(case, granted);
        }
        Ok(case)
    }

    /// The rows beyond a step, and what it takes to get there.
    fn step(&mut self, here: &Here<'g>, step: &Step) -> Result<(Here<'g>, Crossing), Denied> {
        let beyond = self.here(&step.target)?;
        let crossing = self.crossing(here, &beyond, &step.relation, step.direction)?;
        Ok((beyond, crossing))
    }

    fn crossing(
        &mut self,
        here: &Here<'g>,
        beyond: &Here<'g>,
        relation: &Relation,
        direction: Direction,
    ) -> Result<Crossing, Denied> {
        let near = self.near(here, relation, direction)?;
        let far = match direction {
            Direction::Forward => self.pointed_to(beyond, relation)?,
            Direction::Backward => self.pointing(beyond, relation)?,
        };
        Ok(Crossing { near, far })
    }

    /// What it takes on this side: the columns that point, or the list and the column pointed to.
    fn near(&mut self, here: &Here<'g>, relation: &Relation, direction: Direction) -> Result<Case, Denied> {
        if direction == Direction::Forward {
            return self.pointing(here, relation);
        }
        let mut case = self.pointed_to(here, relation)?;
        let list = relation.one_field.as_deref();
        // A relation without a list is followed by its column alone.
        if let Some(list) = list.filter(|list| here.collection.field(list).is_some()) {
            let shown = self.case(here, list)?;
            case = self.both(case, shown);
        }
        Ok(case)
    }

    /// The column that points and, where it can point into several collections, the one that says into which.
    fn pointing(&mut self, many: &Here<'g>, relation: &Relation) -> Result<Case, Denied> {
        let case = self.case(many, &relation.many_field)?;
        match (&relation.one_collection, &relation.one_collection_field) {
            (None, Some(discriminator)) => {
                let named = self.case(many, discriminator)?;
                Ok(self.both(case, named))
            }
            _ => Ok(case),
        }
    }

    /// The column pointed to; nearly always the primary key, which every row shows.
    fn pointed_to(&mut self, one: &Here<'g>, relation: &Relation) -> Result<Case, Denied> {
        let key = relation.foreign_key.as_ref();
        match key.and_then(|key| one.collection.field(&key.foreign_column)) {
            Some(column) => self.case(one, &column.name),
            None => Ok(None),
        }
    }

    /// A condition that the plan itself sets on a member.
    fn asked(&mut self, here: &Here<'g>, when: Case) -> Result<Case, Denied> {
        match when {
            None => Ok(None),
            Some(when) => {
                let filter = Arc::unwrap_or_clone(when);
                Ok(Some(Arc::new(self.filter(here, filter)?)))
            }
        }
    }

    /// Where both hold.
    fn both(&mut self, left: Case, right: Case) -> Case {
        let (left, right) = match (left, right) {
            (case, None) | (None, case) => return case,
            (Some(left), Some(right)) if Arc::ptr_eq(&left, &right) => return Some(left),
            (Some(left), Some(right)) => (left, right),
        };
        let at = (Arc::as_ptr(&left).addr(), Arc::as_ptr(&right).addr());
        let join = || Joined {
            both: Arc::new(Filter::clone(&left).and(Filter::clone(&right))),
            _parts: [left, right],
        };
        Some(self.joined.entry(at).or_insert_with(join).both.clone())
    }
}

/// A case as a condition on rows.
fn only(case: Case) -> Filter {
    case.map_or(Filter::All, Arc::unwrap_or_clone)
}
