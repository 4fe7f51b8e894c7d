//! Conditions: which rows of the masked copy they hold for.
//!
//! Nothing but NULL passes `Null` and `Empty` where a value is masked, and no other test holds of NULL; so a test of a
//! masked value is the test and its case, side by side. That way databases still find rows by an index.

use std::sync::Arc;

use loggia_model::Filter;
use loggia_model::filter::{Operand, Quantifier, Test};

use super::{Denied, Here, Masks, only};
use crate::table::Case;

impl<'g> Masks<'g> {
    /// What a condition means to the caller.
    pub(super) fn filter(&mut self, here: &Here<'g>, filter: Filter) -> Result<Filter, Denied> {
        Ok(match filter {
            Filter::All => Filter::All,
            Filter::Nothing => Filter::Nothing,
            Filter::And(parts) => Filter::And(self.filters(here, parts)?),
            Filter::Or(parts) => Filter::Or(self.filters(here, parts)?),
            Filter::Not(inner) => Filter::Not(Box::new(self.filter(here, *inner)?)),
            Filter::Shared(shared) => self.filter(here, shared.filter().clone())?,
            Filter::Test { operand, test } => {
                let (operand, case) = self.operand(here, operand)?;
                tested(operand, test, case)
            }
            Filter::Related {
                step,
                quantifier,
                filter,
            } => {
                let (beyond, crossing) = self.step(here, &step)?;
                let filter = self.filter(&beyond, *filter)?;
                let filter = filter.and(beyond.rows()).and(only(crossing.far));
                let related = Filter::Related {
                    step,
                    quantifier,
                    filter: Box::new(filter),
                };
                match quantifier {
                    Quantifier::Some => where_shown(related, crossing.near),
                    Quantifier::None => or_hidden(related, crossing.near),
                }
            }
        })
    }

    fn filters(&mut self, here: &Here<'g>, parts: Vec<Filter>) -> Result<Vec<Filter>, Denied> {
        parts.into_iter().map(|part| self.filter(here, part)).collect()
    }
}

/// A test of a value that is NULL outside its case.
fn tested(operand: Operand, test: Test, case: Case) -> Filter {
    let of_null = matches!(test, Test::Null | Test::Empty);
    let filter = Filter::Test { operand, test };
    if of_null {
        or_hidden(filter, case)
    } else {
        where_shown(filter, case)
    }
}

fn where_shown(filter: Filter, case: Case) -> Filter {
    filter.and(only(case))
}

fn or_hidden(filter: Filter, case: Case) -> Filter {
    match case {
        None => filter,
        Some(case) => Filter::Or(vec![filter, Filter::Not(Box::new(Arc::unwrap_or_clone(case)))]),
    }
}
