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
        Source::Field(_) | Source::Function { .. } | Source::Json { .. } | Source::Count(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loggia_model::plan::{AggregatePlan, DeletePlan, InsertPlan, Related, Selected, UpdatePlan};
    use loggia_model::{Filter, Link, system};

    use super::*;
    use crate::{Claims, Origin, Rights};

    fn caller(user: Option<&str>, rights: Rights) -> Caller {
        Caller::established(Claims {
            user: user.map(str::to_owned),
            role: None,
            roles: Vec::new(),
            policies: Vec::new(),
            rights,
            app_access: false,
            session: None,
            origin: Origin::Rest,
            ip: None,
            user_agent: None,
        })
    }

    fn read(collection: &Arc<Collection>, source: Source) -> ReadPlan {
        ReadPlan {
            collection: collection.clone(),
            select: vec![Selected {
                alias: "a".to_owned(),
                source,
            }],
            filter: Filter::All,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        }
    }

    /// Each kind of plan over the users, and whether an administrator may run it.
    fn plans() -> Vec<(&'static str, Plan, bool)> {
        let schema = system::schema();
        let users = schema.collection("directus_users").unwrap();
        let password = users.field("password").unwrap();
        let role = schema
            .relations
            .iter()
            .find(|relation| relation.many_collection == users.name && relation.many_field == "role")
            .unwrap();
        let nested = Related {
            link: Link::ToMany {
                relation: role.clone(),
                target: users.clone(),
            },
            plans: vec![read(users, Source::Secret(password.clone()))],
            keys_only: false,
        };
        let roles = schema.collection("directus_roles").unwrap();
        let (collection, filter) = (users.clone(), Filter::All);
        vec![
            (
                "read",
                Plan::Read(read(users, Source::Field(password.clone()))),
                true,
            ),
            (
                "secret",
                Plan::Read(read(users, Source::Secret(password.clone()))),
                false,
            ),
            (
                "nested secret",
                Plan::Read(read(roles, Source::Related(nested))),
                false,
            ),
            (
                "aggregate",
                Plan::Aggregate(AggregatePlan {
                    collection: collection.clone(),
                    filter: filter.clone(),
                    group_by: Vec::new(),
                    figures: Vec::new(),
                    sort: Vec::new(),
                    limit: None,
                    offset: 0,
                }),
                true,
            ),
            (
                "insert",
                Plan::Insert(InsertPlan {
                    collection: collection.clone(),
                    rows: Vec::new(),
                }),
                true,
            ),
            (
                "update",
                Plan::Update(UpdatePlan {
                    collection: collection.clone(),
                    filter: filter.clone(),
                    assign: Vec::new(),
                }),
                true,
            ),
            ("delete", Plan::Delete(DeletePlan { collection, filter }), true),
        ]
    }

    #[test]
    fn administrators_do_everything_but_read_secrets_and_others_nothing() {
        let callers = [
            (caller(Some("ada"), Rights::Administrator), true),
            (caller(Some("bob"), Rights::None), false),
            (caller(None, Rights::None), false),
        ];
        let refused = Problems::from(Problem::forbidden()).to_string();
        for (caller, admin) in &callers {
            for (name, plan, allowed) in plans() {
                let decided = decide(caller, plan)
                    .map(|_| ())
                    .map_err(|problems| problems.to_string());
                let expect = if *admin && allowed {
                    Ok(())
                } else {
                    Err(refused.clone())
                };
                assert_eq!(decided, expect, "{name} for {:?}", caller.user());
            }
            let change = decide_schema(caller, SchemaPlan { steps: Vec::new() });
            assert_eq!(change.is_ok(), *admin, "a schema for {:?}", caller.user());
            let schema = system::schema();
            assert_eq!(
                may_read(caller, &schema).count() > 0,
                *admin,
                "{:?}",
                caller.user()
            );
        }
    }
}
