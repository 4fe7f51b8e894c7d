//! Turns a [`Query`] into plans: every name is looked up in the schema, every value parsed by its field's type.
//!
//! Invariants
//! - Everything that is wrong is reported at once, with its path in the query.
//! - What the caller may not know of looks like what does not exist ([`unknown`] is the one place that words it).
//! - Values of fields that hold secrets are neither compared, sorted, grouped nor searched.
//!
//! To add a function on fields: one row in [`loggia_model::filter::Function`]; to add an operator: one row in
//! [`loggia_model::operator`] and its test in [`tests_of_values`].

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use loggia_access::{Action, Grants};
use loggia_model::error::INVALID_QUERY;
use loggia_model::plan::{AggregatePlan, Figure, Plan, ReadPlan};
use loggia_model::{Collection, Field, Filter, Link, Problem, Problems, Query, Relation, Schema};

use crate::Limits;
use crate::changes::veil::Veil;

mod aggregates;
mod call;
mod conditions;
mod facts;
mod selection;
mod sight;
mod sorting;
mod tests_of_values;
mod unknown;
mod values;

pub(crate) use facts::Facts;
pub(crate) use selection::plain_read;
pub(crate) use sight::Sight;
pub(crate) use unknown::{read_only, suggest};
pub(crate) use values::{substituted, substituted_rule};

/// What names are looked up in and values are worked out from.
#[derive(Clone, Copy)]
pub(crate) struct Resolver<'a> {
    /// What exists.
    pub(crate) schema: &'a Schema,
    /// What the caller may do, and what is `$CURRENT_USER`.
    pub(crate) grants: &'a Grants,
    /// What may be named.
    pub(crate) sight: Sight,
    /// What is known of the caller's user, for permissions.
    pub(crate) facts: Option<&'a Facts>,
    /// How much one query may ask for.
    pub(crate) limits: &'a Limits,
    /// What `$NOW` is.
    pub(crate) now: Timestamp,
}

/// A resolver at work on one query.
struct Resolution<'a> {
    on: Resolver<'a>,
    problems: Problems,
    /// Nested reads so far.
    reads: usize,
    /// Whether it was noted that there are too many.
    too_far: bool,
    /// Conditions so far.
    conditions: usize,
    /// Whether what is resolved now must not hold (`_not`, `_none`).
    negated: bool,
}

/// Where names are looked up: a collection, under the aliases of the query on it.
#[derive(Clone, Copy)]
struct Scope<'a> {
    collection: &'a Arc<Collection>,
    alias: &'a IndexMap<String, String>,
    /// The relational path that led here; empty at the root.
    at: &'a str,
}

impl<'a> Resolver<'a> {
    /// A collection that has items and that the caller may do this with.
    ///
    /// # Errors
    /// The one answer for unknown and denied.
    pub(crate) fn collection(&self, name: &str, action: Action) -> Result<&'a Arc<Collection>, Problem> {
        self.schema
            .collection(name)
            .filter(|collection| self.may(action, collection))
            .ok_or_else(|| unknown::collection(self, name, action))
    }

    /// A collection that has items and that the caller may know of.
    ///
    /// # Errors
    /// The one answer for unknown and denied.
    pub(crate) fn seen(&self, name: &str) -> Result<&'a Arc<Collection>, Problem> {
        self.schema
            .collection(name)
            .filter(|collection| collection.table.is_some() && self.grants.sees(collection))
            .ok_or_else(|| unknown::collection(self, name, Action::Read))
    }

    /// The rows that a query asks for, and what is to be drawn over them before they are shown.
    ///
    /// # Errors
    /// Everything that is wrong with the query.
    pub(crate) fn read(
        &self,
        collection: &Arc<Collection>,
        query: &Query,
    ) -> Result<(ReadPlan, Veil), Problems> {
        let mut resolution = self.start();
        if query
            .version
            .as_deref()
            .is_some_and(|version| version != "main" && version != "published")
        {
            let problem = invalid("This collection has no content versions.")
                .at("version")
                .hint("Leave `version` out.");
            resolution.problems.push(problem);
        }
        let mut plan = resolution.root(collection, query);
        let veil = Veil::of(&mut plan);
        resolution.problems.or((plan, veil))
    }

    /// The figures that a query asks for.
    ///
    /// # Errors
    /// Everything that is wrong with the query.
    pub(crate) fn aggregate(
        &self,
        collection: &Arc<Collection>,
        query: &Query,
    ) -> Result<AggregatePlan, Problems> {
        let mut resolution = self.start();
        let plan = resolution.aggregate(collection, query);
        resolution.problems.or(plan)
    }

    /// The condition that the filter and the search of a query make.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn condition(&self, collection: &Arc<Collection>, query: &Query) -> Result<Filter, Problems> {
        let mut resolution = self.start();
        let scope = Scope {
            collection,
            alias: &query.alias,
            at: "",
        };
        let filter = resolution.matching(&scope, query, "");
        resolution.problems.or(filter)
    }

    fn start(&self) -> Resolution<'a> {
        Resolution {
            on: *self,
            problems: Problems::default(),
            reads: 0,
            too_far: false,
            conditions: 0,
            negated: false,
        }
    }
}

/// Counts the rows that match.
pub(crate) fn count(collection: &Arc<Collection>, filter: Filter) -> Plan {
    Plan::Aggregate(AggregatePlan {
        collection: collection.clone(),
        filter,
        group_by: Vec::new(),
        figures: vec![Figure {
            when: None,
            function: loggia_model::plan::Aggregate::Count,
            field: None,
        }],
        sort: Vec::new(),
        limit: None,
        offset: 0,
    })
}

impl Resolution<'_> {
    /// Filter and search together. `prefix` stands before the members' names in paths.
    fn matching(&mut self, scope: &Scope<'_>, query: &Query, prefix: &str) -> Filter {
        let filter = query.filter.as_ref().map_or(Filter::All, |filter| {
            self.filter(scope, filter, &format!("{prefix}filter"), 0)
        });
        match query.search.as_deref().map(str::trim) {
            None | Some("") => filter,
            Some(text) => filter.and(self.search(scope, text)),
        }
    }

    /// Whether there are no more of these than are allowed; otherwise notes it, once.
    fn bounded(&mut self, count: usize, most: usize, what: &str, path: &str) -> bool {
        if count > most {
            let message = format!("There are {count} {what}; at most {most} are allowed.");
            self.problem(path, message, "Ask for less, or split the request.");
        }
        count <= most
    }

    /// How many rows, after how many.
    fn page(&mut self, query: &Query, prefix: &str) -> (Option<u64>, u64) {
        let limits = self.on.limits;
        let limit = match query.limit.map(u64::try_from) {
            None => Some(
                limits
                    .max_rows
                    .map_or(limits.default_rows, |most| most.min(limits.default_rows)),
            ),
            Some(Err(_)) => limits.max_rows,
            Some(Ok(limit)) => {
                if let Some(most) = limits.max_rows.filter(|most| limit > *most) {
                    let problem = invalid(format!("`limit` must be at most {most}."))
                        .at(format!("{prefix}limit"))
                        .hint("Read the rest with `page` or `offset`.");
                    self.problems.push(problem);
                }
                Some(limit)
            }
        };
        let skipped = query.page.unwrap_or(1).saturating_sub(1);
        let offset = query.offset.unwrap_or(0);
        (limit, offset.max(skipped.saturating_mul(limit.unwrap_or(0))))
    }

    /// A field that the caller may know of, by name or alias.
    fn field<'s>(&mut self, scope: &Scope<'s>, name: &str, path: &str) -> Option<&'s Arc<Field>> {
        let real = scope.alias.get(name).map_or(name, String::as_str);
        let field = self.on.known(scope.collection, real);
        if field.is_none() {
            let problem = unknown::field(&self.on, scope.collection, real, scope.at).at(path);
            self.problems.push(problem);
        }
        field
    }

    /// What a field leads to, unless the caller may not follow it.
    fn link(&self, field: &Field) -> Option<Link> {
        self.on.link(field)
    }

    /// Whether a value may be compared; otherwise notes why not.
    fn comparable(&mut self, field: &Field, path: &str) -> bool {
        let name = &field.name;
        let (message, hint) = if is_secret(field) {
            (
                format!("`{name}` holds a secret."),
                "Secrets can be written, but not filtered, sorted, grouped or searched by.",
            )
        } else if field.is_image() {
            (
                format!("`{name}` holds what items were like, and may hold what is a secret by now."),
                "Read it, or look at one field in it: json(data, title). Choose by `collection`, `item` or `change`.",
            )
        } else {
            return true;
        };
        self.problem(path, message, hint);
        false
    }

    /// Whether a part of a JSON value may be compared; otherwise notes why not. What items were like may be looked into
    /// where no secret of any collection has that name.
    fn comparable_inside(&mut self, field: &Field, steps: &[String], path: &str) -> bool {
        if !field.is_image() {
            return self.comparable(field, path);
        }
        let Some(first) = steps.first() else {
            return self.comparable(field, path);
        };
        let mut collections = self.on.schema.collections.values();
        let secret =
            collections.any(|collection| collection.field(first).is_some_and(|field| is_secret(field)));
        if secret {
            let message = format!(
                "`{}` is looked into for `{first}`, which holds a secret.",
                field.name
            );
            let hint = "Read the whole of it: what is a secret by now is masked there.";
            self.problem(path, message, hint);
        }
        !secret
    }

    fn problem(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(invalid(message).at(path).hint(hint));
    }
}

/// Whether nothing may be found out about the field's values.
pub(crate) fn is_secret(field: &Field) -> bool {
    field.is_secret()
}

/// Whether a field holds no value of its own and leads nowhere: it is there for people's eyes.
pub(crate) fn is_presentation(schema: &Schema, field: &Field) -> bool {
    field.is_alias() && schema.link(&field.collection, &field.name).is_none()
}

/// The members of a list with their positions, those that were named before left out.
fn distinct<T: AsRef<str>>(list: &[T]) -> Vec<(usize, &str)> {
    let mut seen = HashSet::new();
    let named = list.iter().map(AsRef::as_ref).enumerate();
    named.filter(|(_, name)| seen.insert(*name)).collect()
}

/// The collection that an M2A row points into, by name.
fn chosen<'l>(targets: &'l [Arc<Collection>], name: &str) -> Option<&'l Arc<Collection>> {
    targets.iter().find(|target| target.name == name)
}

/// The relation that two links share, seen from either end.
fn same(left: &Relation, right: &Relation) -> bool {
    left.many_collection == right.many_collection && left.many_field == right.many_field
}

/// A path one step further: `author` then `role` is `author.role`.
fn further(at: &str, step: &str) -> String {
    if at.is_empty() {
        step.to_owned()
    } else {
        format!("{at}.{step}")
    }
}

/// A query that cannot be understood; the REST dialect repeats the message as `reason`.
fn invalid(message: impl Into<String>) -> Problem {
    let message = message.into();
    let reason = message.trim_end_matches('.').to_owned();
    Problem::new(&INVALID_QUERY, message).with("reason", reason)
}
