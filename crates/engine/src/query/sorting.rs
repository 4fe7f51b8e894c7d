//! Sort keys: fields, functions, and values of items that to-one relations lead to.

use std::collections::HashSet;
use std::sync::Arc;

use loggia_model::filter::Operand;
use loggia_model::plan::Sort;
use loggia_model::{Collection, Field, Query, Relation};

use super::{Resolution, Scope, call, further};

impl Resolution<'_> {
    /// The order asked for, or the collection's own; the primary key always comes last.
    pub(super) fn sort(
        &mut self,
        scope: &Scope<'_>,
        query: &Query,
        prefix: &str,
        parent: Option<&Relation>,
    ) -> Vec<Sort> {
        let mut sorts = Vec::new();
        for (i, name, descending) in self.sort_keys(query, prefix) {
            let path = format!("{prefix}sort[{i}]");
            if name == "?" {
                let hint = "Sort by a field; random order is not offered.";
                self.problem(&path, "`?` is no field.", hint);
                continue;
            }
            if let Some(operand) = self.sort_operand(scope, &call::segments(name), &path) {
                sorts.push(Sort { operand, descending });
            }
        }
        if query.sort.is_empty() {
            let sort = by_hand(scope.collection, parent);
            sorts.extend(
                sort.filter(|field| self.on.reads(scope.collection, field))
                    .map(by_field),
            );
        }
        let primary = scope.collection.primary.as_ref();
        let keyed = |sort: &Sort| matches!(&sort.operand, Operand::Field(field) if Some(field.name.as_str()) == primary.map(|key| key.name.as_str()));
        if let Some(primary) = primary
            && !sorts.iter().any(keyed)
        {
            sorts.push(by_field(primary));
        }
        sorts
    }

    /// The sort keys with their positions, and whether they run downwards. Sorting by something again changes nothing.
    pub(super) fn sort_keys<'q>(&mut self, query: &'q Query, prefix: &str) -> Vec<(usize, &'q str, bool)> {
        let mut seen = HashSet::new();
        let keys = query.sort.iter().enumerate().map(|(i, key)| {
            let (name, descending) = direction(key);
            (i, name, descending)
        });
        let keys: Vec<_> = keys.filter(|(_, name, _)| seen.insert(*name)).collect();
        let path = format!("{prefix}sort");
        if self.bounded(keys.len(), self.on.limits.terms, "sort keys", &path) {
            keys
        } else {
            Vec::new()
        }
    }

    fn sort_operand(&mut self, scope: &Scope<'_>, segments: &[String], path: &str) -> Option<Operand> {
        let (first, rest) = segments.split_first()?;
        if rest.is_empty() {
            return self.operand(scope, first, path);
        }
        if rest.len() > self.on.limits.relation_levels {
            let message = "The sort key follows too many relations.";
            self.problem(path, message, "");
            return None;
        }
        let step = self.step_to_one(scope, first, path)?;
        let at = further(scope.at, first);
        let nothing = indexmap::IndexMap::new();
        let target = step.target.clone();
        let beyond = Scope {
            collection: &target,
            alias: &nothing,
            at: &at,
        };
        let operand = self.sort_operand(&beyond, rest, path)?;
        Some(Operand::Through {
            filter: Box::new(loggia_model::Filter::All),
            step,
            operand: Box::new(operand),
        })
    }
}

/// A sort key's name, and whether it runs downwards.
fn direction(key: &str) -> (&str, bool) {
    match key.strip_prefix('-') {
        Some(name) => (name.trim(), true),
        None => (key.trim_start_matches('+').trim(), false),
    }
}

/// The column that items are ordered by when nobody says otherwise: the relation's, else the collection's.
fn by_hand<'c>(collection: &'c Collection, parent: Option<&Relation>) -> Option<&'c Arc<Field>> {
    let of_relation = parent.and_then(|relation| relation.sort_field.as_deref());
    let of_collection = collection
        .meta
        .as_ref()
        .and_then(|meta| meta.sort_field.as_deref());
    let field = collection.field(of_relation.or(of_collection)?)?;
    (!field.is_alias()).then_some(field)
}

fn by_field(field: &Arc<Field>) -> Sort {
    Sort {
        operand: Operand::Field(field.clone()),
        descending: false,
    }
}
