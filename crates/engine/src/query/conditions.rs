//! Filters: the shape of the tree, and the steps through relations. What a single value is tested for is in
//! [`super::tests_of_values`].

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_model::filter::{Direction, Place, Quantifier, Step, Test};
use loggia_model::operator::Operator;
use loggia_model::query::describe;
use loggia_model::schema::Column;
use loggia_model::{Collection, Field, Filter, Link, StorageKind};
use serde_json::{Map, Value};

use super::{Resolution, Scope, call, further, is_secret, tests_of_values::Tested};

/// How a nested condition on related items is meant.
#[derive(Clone, Copy)]
enum Meant {
    /// As a left join: an item without related items is tested as if it had one without values.
    Joined,
    /// By `_some` or `_none`.
    Counted(Quantifier),
}

impl Resolution<'_> {
    /// A filter object.
    pub(super) fn filter(&mut self, scope: &Scope<'_>, value: &Value, path: &str, depth: usize) -> Filter {
        let limits = self.on.limits;
        self.conditions += 1;
        if depth > limits.filter_depth || self.conditions > limits.filter_conditions {
            // Once is enough: the rest is not looked at.
            if self.conditions <= limits.filter_conditions + 1 || depth == limits.filter_depth + 1 {
                let message = format!(
                    "The filter is too large: at most {} levels and {} conditions.",
                    limits.filter_depth, limits.filter_conditions
                );
                self.problem(path, message, "Split the request, or use _in for many values.");
            }
            self.conditions = limits.filter_conditions + 2;
            return Filter::Nothing;
        }
        let Some(members) = value.as_object() else {
            let message = format!("Expected a filter object; got {}.", describe(value));
            self.problem(path, message, "Write it as {\"field\": {\"_eq\": \"value\"}}.");
            return Filter::Nothing;
        };
        let mut filter = Filter::All;
        for (name, value) in members {
            let path = further(path, name);
            filter = filter.and(self.member(scope, name, value, &path, depth));
        }
        filter
    }

    fn member(&mut self, scope: &Scope<'_>, name: &str, value: &Value, path: &str, depth: usize) -> Filter {
        match name {
            "_and" | "$and" => return Filter::and_all(self.list(scope, value, path, depth)),
            "_or" | "$or" => return Filter::or_all(self.list(scope, value, path, depth)),
            "_not" | "$not" => {
                self.negated = !self.negated;
                let filter = self.filter(scope, value, path, depth + 1);
                self.negated = !self.negated;
                return Filter::Not(Box::new(filter));
            }
            "_some" | "_none" => {
                let hint = "Write it as {\"tags\": {\"_some\": {…}}}.";
                self.problem(path, format!("`{name}` stands inside a to-many field."), hint);
                return Filter::Nothing;
            }
            _ => {}
        }
        if let Some(inside) = name
            .strip_prefix("$FOLLOW(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return self.follow(scope, inside, value, path, depth);
        }
        if Operator::parse(name).is_some() {
            let message = format!("Invalid filter key `{name}`: it must stand inside a field.");
            self.problem(
                path,
                message,
                format!("Write it as {{\"field\": {{\"{name}\": …}}}}."),
            );
            return Filter::Nothing;
        }
        if let Some(call) = call::parse(name) {
            return self.on_call(scope, &call, value, path);
        }
        if name.starts_with(['_', '$']) && self.on.known(scope.collection, name).is_none() {
            let known: Vec<_> = loggia_model::operator::OPERATORS
                .iter()
                .map(|row| row.name)
                .collect();
            let problem = super::invalid(format!("There is no filter operator `{name}`.")).at(path);
            self.problems
                .push(super::unknown::suggest(problem, name, &known, "Operators"));
            return Filter::Nothing;
        }
        self.on_field(scope, name, value, path, depth)
    }

    fn list(&mut self, scope: &Scope<'_>, value: &Value, path: &str, depth: usize) -> Vec<Filter> {
        let Some(entries) = value.as_array() else {
            let message = format!("Expected an array of filters; got {}.", describe(value));
            self.problem(path, message, "Write it as [{…}, {…}].");
            return Vec::new();
        };
        let filters = entries.iter().enumerate();
        filters
            .map(|(i, value)| self.filter(scope, value, &format!("{path}[{i}]"), depth + 1))
            .collect()
    }

    fn on_call(&mut self, scope: &Scope<'_>, call: &call::Call, value: &Value, path: &str) -> Filter {
        use call::Called;
        use loggia_model::filter::Operand;
        let (operand, tested) = match self.called(scope, call, path) {
            Some(Called::Function(function, field)) => {
                (Operand::Function { function, field }, Tested::Number)
            }
            Some(Called::Count(operand)) => (operand, Tested::Number),
            Some(Called::Json(field, path)) => (Operand::JsonPath { field, path }, Tested::Json),
            None => return Filter::Nothing,
        };
        self.tests(&operand, tested, value, path)
    }

    fn on_field(&mut self, scope: &Scope<'_>, name: &str, value: &Value, path: &str, depth: usize) -> Filter {
        let (bare, wanted) = match name.split_once(':') {
            Some((bare, wanted)) => (bare, Some(wanted)),
            None => (name, None),
        };
        let Some(field) = self.field(scope, bare, path).cloned() else {
            return Filter::Nothing;
        };
        match (self.link(&field), wanted) {
            (Some(Link::ToAny { relation, targets }), Some(wanted)) => {
                let Some(target) = self.target(&field, &targets, wanted, path) else {
                    return Filter::Nothing;
                };
                let step = Step {
                    relation,
                    direction: Direction::Forward,
                    target,
                };
                self.related(scope, name, step, value, path, depth, Meant::Joined)
            }
            (_, Some(_)) => {
                let message = format!("`{bare}` cannot point to several collections.");
                self.problem(path, message, format!("Write it as `{bare}`."));
                Filter::Nothing
            }
            (None, None) if field.is_alias() => {
                let message = format!("`{name}` has no value of its own.");
                self.problem(path, message, "It is there for presentation only.");
                Filter::Nothing
            }
            (None, None) => self.on_column(&field, value, path),
            (Some(link), None) => self.on_link(scope, &field, link, value, path, depth),
        }
    }

    fn on_column(&mut self, field: &Arc<Field>, value: &Value, path: &str) -> Filter {
        let inside = value.get("_json");
        // What is asked of parts alone is decided for each.
        let alone = inside.is_some() && value.as_object().is_some_and(|members| members.len() == 1);
        let by_parts = alone && field.is_image();
        if !by_parts && !self.comparable(field, path) {
            return Filter::Nothing;
        }
        let operand = loggia_model::filter::Operand::Field(field.clone());
        let Some(inside) = inside else {
            return self.tests(&operand, Tested::Field(field), value, path);
        };
        let mut rest = value.clone();
        if let Some(members) = rest.as_object_mut() {
            members.shift_remove("_json");
        }
        let filter = self.inside_json(field, inside, &format!("{path}._json"));
        filter.and(self.tests(&operand, Tested::Field(field), &rest, path))
    }

    /// `{"_json": {"a.b": {"_eq": 1}}}`.
    fn inside_json(&mut self, field: &Arc<Field>, value: &Value, path: &str) -> Filter {
        let is_json = field
            .column
            .as_ref()
            .is_some_and(|column| column.kind == StorageKind::Json);
        let Some(members) = value.as_object().filter(|_| is_json) else {
            let message = "`_json` stands inside a json field and takes an object of paths.";
            let hint = "Write it as {\"data\": {\"_json\": {\"address.city\": {\"_eq\": \"Rome\"}}}}.";
            self.problem(path, message, hint);
            return Filter::Nothing;
        };
        let mut filter = Filter::All;
        for (inside, value) in members {
            let at = format!("{path}.{inside}");
            let steps = call::json_path(inside);
            if !self.comparable_inside(field, &steps, &at) {
                continue;
            }
            let operand = loggia_model::filter::Operand::JsonPath {
                field: field.clone(),
                path: steps,
            };
            filter = filter.and(self.tests(&operand, Tested::Json, value, &at));
        }
        filter
    }

    /// A relational field: tests of its key, and conditions on what it leads to.
    fn on_link(
        &mut self,
        scope: &Scope<'_>,
        field: &Arc<Field>,
        link: Link,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Filter {
        let Some(members) = value.as_object() else {
            return self.on_key(scope, field, &link, value, path, depth);
        };
        let (mut tests, mut nested) = (Map::new(), Map::new());
        let mut filter = Filter::All;
        for (name, value) in members {
            let quantifier = match name.as_str() {
                "_some" => Some(Quantifier::Some),
                "_none" => Some(Quantifier::None),
                _ => None,
            };
            match quantifier {
                Some(quantifier) => {
                    let path = format!("{path}.{name}");
                    let meant = Meant::Counted(quantifier);
                    filter = filter.and(self.on_many(scope, field, &link, value, &path, depth, meant));
                }
                None if Operator::parse(name).is_some() => {
                    tests.insert(name.clone(), value.clone());
                }
                None => {
                    nested.insert(name.clone(), value.clone());
                }
            }
        }
        if !tests.is_empty() {
            let tests = Value::Object(tests);
            filter = filter.and(self.on_key(scope, field, &link, &tests, path, depth));
        }
        if nested.is_empty() {
            return filter;
        }
        let nested = Value::Object(nested);
        filter.and(match link {
            Link::ToOne { relation, target } => {
                let step = Step {
                    relation,
                    direction: Direction::Forward,
                    target,
                };
                self.related(scope, &field.name, step, &nested, path, depth, Meant::Joined)
            }
            Link::ToMany { .. } => self.on_many(scope, field, &link, &nested, path, depth, Meant::Joined),
            Link::ToAny { targets, .. } => {
                self.name_a_target(field, &targets, path);
                Filter::Nothing
            }
        })
    }

    /// Tests of the key that a relational field holds, or of those of the items that it lists.
    fn on_key(
        &mut self,
        scope: &Scope<'_>,
        field: &Arc<Field>,
        link: &Link,
        tests: &Value,
        path: &str,
        depth: usize,
    ) -> Filter {
        let Link::ToMany { target, .. } = link else {
            return self.on_column(field, tests, path);
        };
        let Some(key) = &target.primary else {
            return Filter::Nothing;
        };
        let on_key = Map::from_iter([(key.name.clone(), tests.clone())]);
        let on_key = Value::Object(on_key);
        self.on_many(scope, field, link, &on_key, path, depth, Meant::Joined)
    }

    /// A condition on the items that a to-many field lists.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the recursion, called with what it has at hand"
    )]
    fn on_many(
        &mut self,
        scope: &Scope<'_>,
        field: &Arc<Field>,
        link: &Link,
        value: &Value,
        path: &str,
        depth: usize,
        meant: Meant,
    ) -> Filter {
        let Link::ToMany { relation, target } = link else {
            let name = &field.name;
            let message = format!("`_some` and `_none` are for to-many fields; `{name}` leads to one item.");
            let hint = format!("Write the condition directly: {{\"{name}\": {{…}}}}.");
            self.problem(path, message, hint);
            return Filter::Nothing;
        };
        let step = backward(relation, target);
        self.related(scope, &field.name, step, value, path, depth, meant)
    }

    /// A condition on related items.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the recursion, called with what it has at hand"
    )]
    fn related(
        &mut self,
        scope: &Scope<'_>,
        name: &str,
        step: Step,
        value: &Value,
        path: &str,
        depth: usize,
        meant: Meant,
    ) -> Filter {
        let at = further(scope.at, name);
        let nothing = IndexMap::new();
        let target = step.target.clone();
        let beyond = Scope {
            collection: &target,
            alias: &nothing,
            at: &at,
        };
        let opposite = matches!(meant, Meant::Counted(Quantifier::None));
        self.negated ^= opposite;
        let filter = self.filter(&beyond, value, path, depth + 1);
        self.negated ^= opposite;
        match meant {
            Meant::Counted(quantifier) => Filter::Related {
                step,
                quantifier,
                filter: Box::new(filter),
            },
            Meant::Joined => joined(step, filter),
        }
    }

    /// `$FOLLOW(collection, field)`: the items of another collection that point here, without an alias.
    fn follow(&mut self, scope: &Scope<'_>, inside: &str, value: &Value, path: &str, depth: usize) -> Filter {
        let (collection, field) = inside.split_once(',').unwrap_or((inside, ""));
        let (collection, field) = (collection.trim(), field.trim());
        let found = self.on.schema.relations.iter().find(|relation| {
            relation.many_collection == collection
                && relation.many_field == field
                && (relation.one_collection.as_deref() == Some(scope.collection.name.as_str())
                    || relation
                        .one_allowed_collections
                        .as_ref()
                        .is_some_and(|allowed| allowed.contains(&scope.collection.name)))
        });
        let followed = found.and_then(|relation| {
            let target = self.on.schema.collection(collection)?;
            let open = self.on.backward(relation, scope.collection, target);
            open.then_some((relation, target))
        });
        let Some((relation, target)) = followed else {
            let message = format!(
                "No relation leads from `{collection}.{field}` to `{}`.",
                scope.collection.name
            );
            self.problem(path, message, "Write it as $FOLLOW(collection, field).");
            return Filter::Nothing;
        };
        let step = backward(relation, target);
        self.related(scope, inside, step, value, path, depth, Meant::Joined)
    }

    /// Items that hold a text somewhere: in text, or as a whole number or UUID.
    pub(super) fn search(&mut self, scope: &Scope<'_>, text: &str) -> Filter {
        let searchable = |field: &&Arc<Field>| {
            let meta = field.meta.as_ref();
            !is_secret(field)
                && self.on.reads(scope.collection, field)
                && meta.is_none_or(|meta| meta.record.get("searchable") != Some(&Value::Bool(false)))
        };
        let fields = scope.collection.fields.values().filter(searchable);
        let filters: Vec<_> = fields
            .filter_map(|field| {
                let kind = field.column.as_ref()?.kind;
                if kind.is_textual() {
                    let test = Test::Text {
                        at: Place::Anywhere,
                        piece: text.to_owned(),
                        ignore_case: true,
                        negated: false,
                    };
                    return Some(Filter::field(field, test));
                }
                if !(kind.is_numeric() || kind == StorageKind::Uuid) {
                    return None;
                }
                let bare = Column {
                    kind,
                    ..Column::default()
                };
                let scalar = field.ty.parse(&Value::from(text), &bare).ok()?;
                Some(Filter::field(field, Test::Equal(scalar)))
            })
            .collect();
        if filters.is_empty() {
            Filter::Nothing
        } else {
            Filter::Or(filters)
        }
    }
}

fn backward(relation: &Arc<loggia_model::Relation>, target: &Arc<Collection>) -> Step {
    Step {
        relation: relation.clone(),
        direction: Direction::Backward,
        target: target.clone(),
    }
}

/// As a left join would have it: where nothing is related, every value there is NULL.
fn joined(step: Step, filter: Filter) -> Filter {
    if matches!(filter, Filter::All) {
        return Filter::All;
    }
    let without = holds_for_nothing(&filter).then(|| Filter::Related {
        step: step.clone(),
        quantifier: Quantifier::None,
        filter: Box::new(Filter::All),
    });
    let some = Filter::Related {
        step,
        quantifier: Quantifier::Some,
        filter: Box::new(filter),
    };
    match without {
        Some(without) => Filter::Or(vec![some, without]),
        None => some,
    }
}

/// Whether the condition holds for a row of NULLs without related rows.
fn holds_for_nothing(filter: &Filter) -> bool {
    match filter {
        Filter::All => true,
        Filter::Nothing => false,
        Filter::And(all) => all.iter().all(holds_for_nothing),
        Filter::Or(any) => any.iter().any(holds_for_nothing),
        Filter::Not(filter) => !holds_for_nothing(filter),
        Filter::Test { test, .. } => matches!(test, Test::Null | Test::Empty),
        Filter::Related { quantifier, .. } => *quantifier == Quantifier::None,
        Filter::Shared(shared) => holds_for_nothing(shared.filter()),
    }
}
