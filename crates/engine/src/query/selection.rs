//! Fields: wildcards, paths through relations, functions and aliases become the members of the answer.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_model::plan::{ReadPlan, Related, Selected, Source};
use loggia_model::{Collection, Field, Filter, Link, Query, Relation};

use super::{Resolution, Scope, call, distinct, further, is_presentation, same};
use crate::changes::expecting::REV;

/// What is still to be followed of one path of `fields`.
#[derive(Clone)]
struct Rest {
    segments: Vec<String>,
    /// Where it stands in the query.
    path: String,
    /// It comes from a wildcard: a field that is not there is left out.
    forgiving: bool,
}

/// What is wanted of one member of the answer.
#[derive(Default)]
struct Wanted {
    field: Option<Arc<Field>>,
    call: Option<(call::Call, String)>,
    /// The tag of what the caller sees of the item.
    revision: bool,
    /// What of the items that it leads to.
    nested: Vec<Rest>,
    /// The same, of one collection that it can point to.
    scoped: IndexMap<String, Vec<Rest>>,
    path: String,
}

/// Where a nested read stands.
#[derive(Clone, Copy)]
struct Position<'a> {
    /// The relational path, in names of the answer; empty at the root.
    at: &'a str,
    /// The path of its query: empty, or `deep.tags`.
    deep: &'a str,
    /// The relation that led here.
    parent: Option<&'a Relation>,
    level: usize,
    backlink: bool,
}

impl Resolution<'_> {
    /// The read of a whole query.
    pub(super) fn root(&mut self, collection: &Arc<Collection>, query: &Query) -> ReadPlan {
        let position = Position {
            at: "",
            deep: "",
            parent: None,
            level: 0,
            backlink: query.backlink.unwrap_or(true),
        };
        let rests = match &query.fields {
            None => vec![rest("*", "fields")],
            Some(fields) => self.rests(fields, "fields"),
        };
        self.read(collection, rests, query, position)
    }

    /// The paths of a list of fields. Asking for something again changes nothing.
    fn rests(&mut self, fields: &[String], at: &str) -> Vec<Rest> {
        let paths = distinct(fields);
        if !self.bounded(paths.len(), self.on.limits.field_paths, "paths of fields", at) {
            return Vec::new();
        }
        let called = paths.iter().filter(|(_, field)| field.contains('(')).count();
        if !self.bounded(called, self.on.limits.terms, "functions among the fields", at) {
            return Vec::new();
        }
        let paths = paths.into_iter();
        paths
            .map(|(i, field)| rest(field, &format!("{at}[{i}]")))
            .collect()
    }

    fn read(
        &mut self,
        collection: &Arc<Collection>,
        rests: Vec<Rest>,
        query: &Query,
        position: Position<'_>,
    ) -> ReadPlan {
        let prefix = match position.deep {
            "" => String::new(),
            deep => format!("{deep}._"),
        };
        let scope = Scope {
            collection,
            alias: &query.alias,
            at: position.at,
        };
        self.aliases(&scope, &prefix);
        self.deep_names(&scope, query, position);
        let select = self.select(&scope, rests, query, position);
        let sort = self.sort(&scope, query, &prefix, position.parent);
        let filter = self.matching(&scope, query, &prefix);
        let (limit, offset) = self.page(query, &prefix);
        ReadPlan {
            collection: collection.clone(),
            select,
            filter,
            sort,
            limit,
            offset,
        }
    }

    fn aliases(&mut self, scope: &Scope<'_>, prefix: &str) {
        let at = format!("{prefix}alias");
        if !self.bounded(scope.alias.len(), self.on.limits.terms, "aliases", &at) {
            return;
        }
        for (alias, field) in scope.alias {
            let path = format!("{prefix}alias.{alias}");
            if self.on.known(scope.collection, alias).is_some() {
                let message = format!("`{alias}` is a field already.");
                self.problem(&path, message, "Choose another alias.");
            }
            self.field(scope, field, &path);
        }
    }

    fn deep_names(&mut self, scope: &Scope<'_>, query: &Query, position: Position<'_>) {
        let start = if position.deep.is_empty() {
            "deep"
        } else {
            position.deep
        };
        for name in query.deep.keys() {
            let path = format!("{start}.{name}");
            let bare = name.split(':').next().unwrap_or(name);
            let Some(field) = self.field(scope, bare, &path).cloned() else {
                continue;
            };
            if self.link(&field).is_none() {
                let hint = "`deep` is for relational fields.";
                self.problem(&path, format!("`{bare}` leads to no other collection."), hint);
            }
        }
    }

    fn select(
        &mut self,
        scope: &Scope<'_>,
        rests: Vec<Rest>,
        query: &Query,
        position: Position<'_>,
    ) -> Vec<Selected> {
        let mut members: IndexMap<String, Wanted> = IndexMap::new();
        for rest in rests {
            self.want(scope, rest, &mut members, position);
        }
        let selected = members.into_iter();
        selected
            .filter_map(|(alias, wanted)| {
                let source = self.source(scope, &alias, wanted, query, position)?;
                Some(Selected {
                    when: None,
                    alias,
                    source,
                })
            })
            .collect()
    }

    /// Notes what one path wants of this level.
    fn want(
        &mut self,
        scope: &Scope<'_>,
        mut rest: Rest,
        members: &mut IndexMap<String, Wanted>,
        position: Position<'_>,
    ) {
        if rest.segments.iter().any(String::is_empty) {
            self.problem(
                &rest.path,
                "A field path must not have empty steps.",
                "Write it as author.name.",
            );
            return;
        }
        let first = rest.segments.remove(0);
        if first == "*" {
            self.want_all(scope, &rest, members, position);
            return;
        }
        if let Some(call) = call::parse(&first) {
            if !rest.segments.is_empty() {
                let hint = "A function stands at the end of a path.";
                self.problem(&rest.path, format!("Nothing comes after `{first}`."), hint);
                return;
            }
            let wanted = members.entry(call.alias()).or_default();
            wanted.call = Some((call, rest.path));
            return;
        }
        let (name, target) = match first.split_once(':') {
            Some((name, target)) => (name, Some(target)),
            None => (first.as_str(), None),
        };
        if is_revision(scope, name) && target.is_none() && rest.segments.is_empty() {
            members.entry(name.to_owned()).or_default().revision = true;
            return;
        }
        if rest.forgiving && self.on.known(scope.collection, name).is_none() {
            return;
        }
        let Some(field) = self.field(scope, name, &rest.path).cloned() else {
            return;
        };
        let wanted = members.entry(name.to_owned()).or_default();
        wanted.field = Some(field);
        wanted.path.clone_from(&rest.path);
        match target {
            Some(target) => {
                if rest.segments.is_empty() {
                    rest.segments.push("*".to_owned());
                }
                wanted.scoped.entry(target.to_owned()).or_default().push(rest);
            }
            None if rest.segments.is_empty() => {}
            None => wanted.nested.push(rest),
        }
    }

    /// `*`, and what comes after it for every field that leads somewhere.
    fn want_all(
        &mut self,
        scope: &Scope<'_>,
        rest: &Rest,
        members: &mut IndexMap<String, Wanted>,
        position: Position<'_>,
    ) {
        for field in scope.collection.fields.values() {
            if is_presentation(self.on.schema, field) || !self.on.reads(scope.collection, field) {
                continue;
            }
            let link = self.link(field);
            if field.is_alias() && link.is_none() {
                continue;
            }
            let back = |link: &Link| {
                position
                    .parent
                    .is_some_and(|parent| same(link.relation(), parent))
            };
            if !position.backlink && link.as_ref().is_some_and(back) {
                continue;
            }
            let wanted = members.entry(field.name.clone()).or_default();
            wanted.field = Some(field.clone());
            wanted.path.clone_from(&rest.path);
            if !rest.segments.is_empty() && link.is_some() {
                wanted.nested.push(Rest {
                    forgiving: true,
                    ..rest.clone()
                });
            }
        }
    }

    fn source(
        &mut self,
        scope: &Scope<'_>,
        alias: &str,
        wanted: Wanted,
        query: &Query,
        position: Position<'_>,
    ) -> Option<Source> {
        if let Some((call, path)) = &wanted.call {
            return Some(match self.called(scope, call, path)? {
                call::Called::Function(function, field) => Source::Function { function, field },
                call::Called::Count(operand) => Source::Count(operand),
                call::Called::Json(field, path) => Source::Json { field, path },
            });
        }
        if wanted.revision {
            return Some(self.on.tag(scope.collection));
        }
        let field = wanted.field.clone()?;
        let follows = !wanted.nested.is_empty() || !wanted.scoped.is_empty();
        let Some(link) = self.link(&field) else {
            if follows {
                let message = format!("`{alias}` leads to no other collection.");
                self.problem(&wanted.path, message, format!("Ask for `{alias}` alone."));
                return None;
            }
            if field.is_alias() {
                let message = format!("`{alias}` has no value: it is there for presentation only.");
                self.problem(&wanted.path, message, "Leave it out.");
                return None;
            }
            return Some(Source::Field(field));
        };
        self.reads += 1;
        if position.level >= self.on.limits.relation_levels || self.reads > self.on.limits.nested_reads {
            // Once is enough: there would be one for every way through the schema.
            if !self.too_far {
                self.too_far = true;
                let message = format!(
                    "The fields follow too many relations: at most {} levels and {} nested lists.",
                    self.on.limits.relation_levels, self.on.limits.nested_reads
                );
                self.problem(
                    &wanted.path,
                    message,
                    "Name the fields that you need instead of `*`.",
                );
            }
            return None;
        }
        self.follow_link(&field, alias, link, wanted, query, position)
    }

    fn follow_link(
        &mut self,
        field: &Arc<Field>,
        alias: &str,
        link: Link,
        wanted: Wanted,
        query: &Query,
        position: Position<'_>,
    ) -> Option<Source> {
        let at = further(position.at, alias);
        let deep = format!(
            "{}.{alias}",
            if position.deep.is_empty() {
                "deep"
            } else {
                position.deep
            }
        );
        let relation = link.relation().clone();
        let below = Position {
            at: &at,
            deep: &deep,
            parent: Some(&relation),
            level: position.level + 1,
            backlink: position.backlink,
        };
        let everything = Query::default();
        let asked = query.deep.get(alias).unwrap_or(&everything);
        let mut nested = wanted.nested;
        if let Some(fields) = &asked.fields {
            nested.extend(self.rests(fields, &format!("{deep}._fields")));
        }
        match &link {
            Link::ToOne { target, .. } => {
                if nested.is_empty() && wanted.scoped.is_empty() {
                    return Some(Source::Field(field.clone()));
                }
                if let Some(name) = wanted.scoped.keys().next() {
                    let message = format!("`{alias}` leads to `{}` only.", target.name);
                    self.problem(&wanted.path, message, format!("Leave out `:{name}`."));
                    return None;
                }
                let plan = self.read(target, nested, asked, below);
                Some(related(
                    link,
                    vec![ReadPlan {
                        limit: None,
                        offset: 0,
                        ..plan
                    }],
                    false,
                ))
            }
            Link::ToMany { target, .. } => {
                let keys_only = nested.is_empty();
                if keys_only {
                    let key = target.primary.as_ref()?;
                    nested.push(rest(&key.name, &wanted.path));
                }
                let plan = self.read(target, nested, asked, below);
                Some(related(link, vec![plan], keys_only))
            }
            Link::ToAny { targets, .. } => {
                if nested.is_empty() && wanted.scoped.is_empty() {
                    return Some(Source::Field(field.clone()));
                }
                for name in wanted.scoped.keys() {
                    self.target(field, targets, name, &wanted.path);
                }
                let plans = self.read_any(targets, alias, &nested, &wanted.scoped, query, below);
                Some(related(link, plans, false))
            }
        }
    }

    /// One read for each collection that a to-any field is asked to be followed into.
    fn read_any(
        &mut self,
        targets: &[Arc<Collection>],
        alias: &str,
        nested: &[Rest],
        scoped: &IndexMap<String, Vec<Rest>>,
        query: &Query,
        below: Position<'_>,
    ) -> Vec<ReadPlan> {
        let mut plans = Vec::new();
        let several = targets.len() > 1;
        for target in targets {
            let mut rests: Vec<_> = nested
                .iter()
                .map(|rest| Rest {
                    forgiving: rest.forgiving || several,
                    ..rest.clone()
                })
                .collect();
            rests.extend(scoped.get(&target.name).into_iter().flatten().cloned());
            if rests.is_empty() {
                continue;
            }
            let everything = Query::default();
            let name = format!("{alias}:{}", target.name);
            let asked = query
                .deep
                .get(&name)
                .or_else(|| query.deep.get(alias))
                .unwrap_or(&everything);
            let plan = self.read(target, rests, asked, below);
            plans.push(ReadPlan {
                limit: None,
                offset: 0,
                ..plan
            });
        }
        for rest in nested.iter().filter(|_| several) {
            let Some(first) = rest
                .segments
                .first()
                .filter(|first| first.as_str() != "*" && !rest.forgiving)
            else {
                continue;
            };
            let name = first.split([':', '(']).next().unwrap_or(first);
            if !first.contains('(')
                && !targets.iter().any(|target| self.on.known(target, name).is_some())
                && let Some(target) = targets.first()
            {
                let problem = super::unknown::field(&self.on, target, name, below.at);
                self.problems.push(problem.at(&rest.path));
            }
        }
        plans
    }
}

fn related(link: Link, plans: Vec<ReadPlan>, keys_only: bool) -> Source {
    Source::Related(Related {
        link,
        plans,
        keys_only,
    })
}

fn rest(field: &str, path: &str) -> Rest {
    Rest {
        segments: call::segments(field),
        path: path.to_owned(),
        forgiving: false,
    }
}

/// Whether a name stands for the tag of an item; a field of that name comes first.
fn is_revision(scope: &Scope<'_>, name: &str) -> bool {
    name == REV && scope.collection.field(name).is_none() && !scope.alias.contains_key(name)
}

/// Every row of a collection by these conditions, reduced to what is asked for: for the engine's own questions.
pub(crate) fn plain_read(collection: &Arc<Collection>, fields: &[Arc<Field>], filter: Filter) -> ReadPlan {
    ReadPlan {
        collection: collection.clone(),
        select: fields
            .iter()
            .map(|field| Selected {
                when: None,
                alias: field.name.clone(),
                source: Source::Field(field.clone()),
            })
            .collect(),
        filter,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }
}
