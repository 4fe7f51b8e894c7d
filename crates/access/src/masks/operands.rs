//! Operands: values of the masked copy.

use loggia_model::Filter;
use loggia_model::filter::{Direction, Operand, Quantifier, Step};

use super::{Denied, Here, Masks, only};
use crate::table::Case;

impl<'g> Masks<'g> {
    /// An operand that is NULL where its value is masked.
    pub(super) fn masked(&mut self, here: &Here<'g>, operand: Operand) -> Result<Operand, Denied> {
        let (operand, case) = self.operand(here, operand)?;
        Ok(cased(operand, case))
    }

    /// An operand, and where its value counts.
    pub(super) fn operand(&mut self, here: &Here<'g>, operand: Operand) -> Result<(Operand, Case), Denied> {
        match operand {
            Operand::Field(field) => {
                let case = self.case(here, &field.name)?;
                Ok((Operand::Field(field), case))
            }
            Operand::Function { function, field } => {
                let case = self.case(here, &field.name)?;
                Ok((Operand::Function { function, field }, case))
            }
            Operand::JsonPath { field, path } => {
                let case = self.case(here, &field.name)?;
                Ok((Operand::JsonPath { field, path }, case))
            }
            Operand::Count { step, filter } => self.count(here, step, *filter),
            Operand::Through {
                step,
                filter,
                operand,
            } => {
                let (beyond, crossing) = self.step(here, &step)?;
                let filter = self.filter(&beyond, *filter)?;
                let filter = filter.and(beyond.rows()).and(only(crossing.far));
                let through = Operand::Through {
                    step,
                    filter: Box::new(filter),
                    operand: Box::new(self.masked(&beyond, *operand)?),
                };
                Ok((through, crossing.near))
            }
            Operand::Case { when, operand } => {
                let when = self.asked(here, Some(when))?;
                let (operand, case) = self.operand(here, *operand)?;
                Ok((cased(operand, when), case))
            }
        }
    }

    /// How many: of a list that is not shown, none. So the rows counted must belong to a row that shows the list.
    fn count(&mut self, here: &Here<'g>, step: Step, filter: Filter) -> Result<(Operand, Case), Denied> {
        let (beyond, crossing) = self.step(here, &step)?;
        let mut filter = self
            .filter(&beyond, filter)?
            .and(beyond.rows())
            .and(only(crossing.far));
        let case = match (step.direction, crossing.near) {
            (Direction::Backward, Some(near)) => {
                filter = filter.and(Filter::Related {
                    step: Step {
                        relation: step.relation.clone(),
                        direction: Direction::Forward,
                        target: here.collection.clone(),
                    },
                    quantifier: Quantifier::Some,
                    filter: Box::new(only(Some(near))),
                });
                None
            }
            (_, near) => near,
        };
        let count = Operand::Count {
            step,
            filter: Box::new(filter),
        };
        Ok((count, case))
    }
}

fn cased(operand: Operand, case: Case) -> Operand {
    match case {
        None => operand,
        Some(when) => Operand::Case {
            when,
            operand: Box::new(operand),
        },
    }
}
