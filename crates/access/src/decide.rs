//! The decision.

use loggia_model::plan::{Plan, ReadPlan, SchemaPlan, Source};
use loggia_model::{Collection, Problem, Problems, Schema};

use crate::{Caller, Permit};

/// Decides a plan for a caller.
///
/// # Errors
/// The one answer for everything that is denied; it does not tell denied from absent.
pub fn decide(caller: &Caller, plan: Plan) -> Result<Permit<Plan>, Problems> {
    if let Plan::Read(read) = &plan
        && reads_secrets(read)
    {
        return Err(Problem::forbidden().into());
    }
    if caller.is_admin() {
        Ok(Permit::granted(plan))
    } else {
        Err(Problem::forbidden().into())
    }
}

/// Decides a change of the schema for a caller: administrators only.
///
/// # Errors
/// As [`decide`].
pub fn decide_schema(caller: &Caller, plan: SchemaPlan) -> Result<Permit<SchemaPlan>, Problems> {
    if caller.is_admin() {
        Ok(Permit::granted(plan))
    } else {
        Err(Problem::forbidden().into())
    }
}

/// Whether the caller may know that a collection exists: the one place that says so, for errors, suggestions,
/// schemas and tool lists alike.
#[must_use]
pub fn visible(caller: &Caller, _collection: &Collection) -> bool {
    caller.is_admin()
}

/// The collections that the caller may read anything of.
pub fn may_read<'a>(
    caller: &'a Caller,
    schema: &'a Schema,
) -> impl Iterator<Item = &'a std::sync::Arc<Collection>> {
    schema
        .collections
        .values()
        .filter(move |collection| visible(caller, collection))
}

/// Unmasked columns are for the system alone, whoever asks.
fn reads_secrets(read: &ReadPlan) -> bool {
    read.select.iter().any(|selected| match &selected.source {
        Source::Secret(_) => true,
        Source::Related(related) => related.plans.iter().any(reads_secrets),
        Source::Field(_) | Source::Function { .. } | Source::Json { .. } | Source::Count(_) => false,
    })
}
