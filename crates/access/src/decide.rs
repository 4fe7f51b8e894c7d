//! The decision.

use std::sync::Arc;

use loggia_model::plan::{DeletePlan, Plan, ReadPlan, SchemaPlan, Selected, Source, UpdatePlan};
use loggia_model::{Collection, Filter, Problem, Problems};

use crate::grants::is_closed;
use crate::masks::{Denied, Masks};
use crate::{Action, Caller, Grants, Permit, secrets};

/// Decides a plan for a caller: folds the caller's rows and fields into it, at every depth.
///
/// `Read` and `Aggregate` are narrowed to what may be read; `Update` and `Delete` to the items that may be updated or
/// deleted; `Insert` is granted as a whole ([`decide_created`] looks at the items once they exist).
///
/// # Errors
/// The one answer for everything that is denied; it does not tell denied from absent.
pub fn decide(grants: &Grants, plan: Plan) -> Result<Permit<Plan>, Problems> {
    if secrets::reveals(&plan) || writes_closed(&plan) {
        return Err(Problem::forbidden().into());
    }
    if grants.is_admin() {
        return Ok(Permit::granted(plan));
    }
    let plan = narrowed(grants, plan).map_err(|Denied| Problem::forbidden())?;
    Ok(Permit::granted(plan))
}

/// Whether it would write what nobody can write.
fn writes_closed(plan: &Plan) -> bool {
    let (action, collection) = match plan {
        Plan::Read(_) | Plan::Aggregate(_) => return false,
        Plan::Insert(insert) => (Action::Create, &insert.collection),
        Plan::Update(update) => (Action::Update, &update.collection),
        Plan::Delete(delete) => (Action::Delete, &delete.collection),
    };
    is_closed(action, collection)
}

fn narrowed(grants: &Grants, plan: Plan) -> Result<Plan, Denied> {
    let mut masks = Masks::new(grants);
    Ok(match plan {
        Plan::Read(read) => Plan::Read(masks.read(read)?),
        Plan::Aggregate(aggregate) => Plan::Aggregate(masks.aggregate(aggregate)?),
        Plan::Insert(insert) => {
            rows(grants, Action::Create, &insert.collection)?;
            Plan::Insert(insert)
        }
        Plan::Update(update) => Plan::Update(UpdatePlan {
            filter: update
                .filter
                .and(rows(grants, Action::Update, &update.collection)?),
            ..update
        }),
        Plan::Delete(delete) => Plan::Delete(DeletePlan {
            filter: delete
                .filter
                .and(rows(grants, Action::Delete, &delete.collection)?),
            ..delete
        }),
    })
}

/// The rows on which every layer grants an action.
fn rows(grants: &Grants, action: Action, collection: &Collection) -> Result<Filter, Denied> {
    grants
        .each(action, collection)
        .try_fold(Filter::All, |rows, table| {
            Ok(rows.and(table.ok_or(Denied)?.rows.clone()))
        })
}

/// Of new items with these keys, those that the caller was allowed to create: permissions to create may name a condition
/// on the item. `keys` says of each item its key and what [`Grants::check`] demands of it. `None`: all of them, without a
/// look.
///
/// # Errors
/// As [`decide`].
pub fn decide_created(
    grants: &Grants,
    collection: &Arc<Collection>,
    keys: Filter,
) -> Result<Option<Permit<Plan>>, Problems> {
    let look = decide_beforehand(grants, Action::Create, collection, keys)?;
    let mut tables = grants.each(Action::Create, collection).flatten();
    Ok((!tables.all(|table| table.is_unconditional())).then_some(look))
}

/// Of items with these keys, as they are now, those that the caller may change or delete: for writes that take several
/// steps, the first of which would already change what the conditions of permissions ask for. `keys` says of each item its
/// key and what [`Grants::check`] demands of it.
///
/// # Errors
/// As [`decide`].
pub fn decide_beforehand(
    grants: &Grants,
    action: Action,
    collection: &Arc<Collection>,
    keys: Filter,
) -> Result<Permit<Plan>, Problems> {
    let rows = rows(grants, action, collection).map_err(|Denied| Problem::forbidden())?;
    let key = collection.primary.iter();
    let select = key.map(|key| Selected::new(&key.name, Source::Field(key.clone())));
    Ok(Permit::granted(Plan::Read(ReadPlan {
        collection: collection.clone(),
        select: select.collect(),
        filter: keys.and(rows),
        sort: Vec::new(),
        limit: None,
        offset: 0,
    })))
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

/// Whether the caller may see how the parts of the server are doing.
#[must_use]
pub fn may_inspect_server(caller: &Caller) -> bool {
    caller.is_admin()
}
