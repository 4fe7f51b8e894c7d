//! Figures and groups.

use std::sync::Arc;

use loggia_model::error::nearest;
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group};
use loggia_model::{Collection, Query, StorageKind};

use super::{Resolution, Scope, call, distinct};

impl Resolution<'_> {
    /// The whole aggregate query.
    pub(super) fn aggregate(&mut self, collection: &Arc<Collection>, query: &Query) -> AggregatePlan {
        let scope = Scope {
            collection,
            alias: &query.alias,
            at: "",
        };
        let group_by = self.groups(&scope, query);
        let figures = self.figures(&scope, query);
        let sort = self.figure_sort(query, &group_by, &figures);
        let filter = self.matching(&scope, query, "");
        let (limit, offset) = self.page(query, "");
        AggregatePlan {
            collection: collection.clone(),
            filter,
            group_by,
            figures,
            sort,
            limit,
            offset,
        }
    }

    fn groups(&mut self, scope: &Scope<'_>, query: &Query) -> Vec<Group> {
        let mut groups = Vec::new();
        let names = distinct(&query.group_by);
        if !self.bounded(names.len(), self.on.limits.terms, "groups", "groupBy") {
            return groups;
        }
        for (i, name) in names {
            let path = format!("groupBy[{i}]");
            if name.contains('.') && call::parse(name).is_none() {
                let hint = "Group by a field of the collection itself.";
                self.problem(&path, "Groups cannot follow relations.", hint);
                continue;
            }
            if let Some(operand) = self.operand(scope, name, &path) {
                let alias = call::parse(name).map_or_else(|| name.to_owned(), |call| call.alias());
                groups.push(Group { alias, operand });
            }
        }
        groups
    }

    fn figures(&mut self, scope: &Scope<'_>, query: &Query) -> Vec<Figure> {
        let mut figures = Vec::new();
        let wanted = query
            .aggregate
            .values()
            .map(|fields| distinct(fields).len())
            .sum();
        if !self.bounded(wanted, self.on.limits.figures, "figures", "aggregate") {
            return figures;
        }
        for (name, fields) in &query.aggregate {
            let path = format!("aggregate.{name}");
            let Some(function) = Aggregate::parse(name) else {
                let known: Vec<_> = Aggregate::ALL.iter().map(|(name, _)| *name).collect();
                let hint = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => format!("Functions: {}.", known.join(", ")),
                };
                self.problem(&path, format!("There is no aggregate function `{name}`."), hint);
                continue;
            };
            if fields.is_empty() {
                let hint = "Name fields; `*` counts rows.";
                self.problem(&path, format!("`{name}` of what?"), hint);
            }
            for (i, field) in distinct(fields) {
                let at = format!("{path}[{i}]");
                figures.extend(self.figure(scope, function, field, &at));
            }
        }
        figures
    }

    fn figure(&mut self, scope: &Scope<'_>, function: Aggregate, name: &str, path: &str) -> Option<Figure> {
        if function == Aggregate::CountAll || (name == "*" && function == Aggregate::Count) {
            return Some(Figure {
                when: None,
                function,
                field: None,
            });
        }
        if name == "*" && function == Aggregate::CountDistinct {
            // All rows differ by their key.
            let field = scope.collection.primary.clone();
            return Some(Figure {
                when: None,
                function,
                field,
            });
        }
        if name == "*" {
            let hint = "Name a field; only count and countDistinct take `*`.";
            self.problem(path, format!("`{}` does not take `*`.", function.name()), hint);
            return None;
        }
        let field = self.field(scope, name, path)?.clone();
        if !self.comparable(&field, path) {
            return None;
        }
        let Some(kind) = field.column.as_ref().map(|column| column.kind) else {
            let hint = format!("Group or sort by count({name}) instead.");
            self.problem(path, format!("`{name}` has no value of its own."), hint);
            return None;
        };
        let fits = match function {
            Aggregate::Count | Aggregate::CountDistinct | Aggregate::CountAll => true,
            Aggregate::Sum | Aggregate::SumDistinct | Aggregate::Avg | Aggregate::AvgDistinct => {
                kind.is_numeric()
            }
            Aggregate::Min | Aggregate::Max => !matches!(
                kind,
                StorageKind::Json | StorageKind::Binary | StorageKind::Geometry | StorageKind::Boolean
            ),
        };
        if !fits {
            let message = format!(
                "`{}` cannot be worked out of `{name}`, which is of type {}.",
                function.name(),
                field.ty.name()
            );
            self.problem(path, message, "");
            return None;
        }
        Some(Figure {
            when: None,
            function,
            field: Some(field),
        })
    }

    /// `-count`, `count.id`, `sum.views`, a group's field or alias.
    fn figure_sort(&mut self, query: &Query, groups: &[Group], figures: &[Figure]) -> Vec<FigureSort> {
        let mut sorts = Vec::new();
        let named = distinct(&query.group_by);
        for (i, name, descending) in self.sort_keys(query, "") {
            let group = named
                .iter()
                .position(|(_, group)| *group == name)
                .filter(|group| *group < groups.len())
                .or_else(|| groups.iter().position(|group| group.alias == name));
            let key = group
                .map(FigureKey::Group)
                .or_else(|| figure_named(figures, name).map(FigureKey::Figure));
            match key {
                Some(key) => sorts.push(FigureSort { key, descending }),
                None => {
                    let known = names(groups, figures);
                    let path = format!("sort[{i}]");
                    let hint = format!("Sort keys here: {}.", known.join(", "));
                    self.problem(&path, format!("`{name}` is neither a group nor a figure."), hint);
                }
            }
        }
        if query.sort.is_empty() {
            sorts.extend((0..groups.len()).map(|i| FigureSort {
                key: FigureKey::Group(i),
                descending: false,
            }));
        }
        sorts
    }
}

fn figure_named(figures: &[Figure], name: &str) -> Option<usize> {
    let (function, field) = match name.split_once('.') {
        Some((function, field)) => (function, Some(field)),
        None => (name, None),
    };
    let function = Aggregate::parse(function)?;
    figures.iter().position(|figure| {
        figure.function == function
            && match field {
                Some(wanted) => figure.field.as_ref().map_or("*", |field| field.name.as_str()) == wanted,
                None => true,
            }
    })
}

fn names(groups: &[Group], figures: &[Figure]) -> Vec<String> {
    let figure = |figure: &Figure| match &figure.field {
        Some(field) => format!("{}.{}", figure.function.name(), field.name),
        None => figure.function.name().to_owned(),
    };
    let groups = groups.iter().map(|group| group.alias.clone());
    groups.chain(figures.iter().map(figure)).collect()
}
