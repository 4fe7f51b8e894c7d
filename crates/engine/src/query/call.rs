//! Functions on fields: `year(date)`, `count(tags)`, `json(data, a.b[0])`, and relational paths in front of or inside
//! them.

use std::sync::Arc;

use loggia_model::filter::{Direction, Function, Operand, Step};
use loggia_model::{Collection, Field, Filter, Link, StorageKind};

use super::{Resolution, Scope};

/// A function as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// `year`, `count`, `json`, …
    pub(super) function: String,
    /// The field.
    pub(super) field: String,
    /// For `json`: the path inside the value.
    pub(super) path: Vec<String>,
}

/// What a call comes to.
pub(super) enum Called {
    /// A part of a date, or the length of a JSON array.
    Function(Function, Arc<Field>),
    /// How many related items.
    Count(Operand),
    /// A part of a JSON value.
    Json(Arc<Field>, Vec<String>),
}

/// Splits at the dots that are not inside brackets; `year(author.born)` becomes `author`, `year(born)`.
pub(super) fn segments(path: &str) -> Vec<String> {
    if let Some((function, inside)) = path.strip_suffix(')').and_then(|path| path.split_once('('))
        && !function.contains('.')
    {
        let (field, rest) = match inside.split_once(',') {
            Some((field, rest)) => (field.trim(), format!(",{rest}")),
            None => (inside.trim(), String::new()),
        };
        let mut steps: Vec<_> = field.split('.').map(str::to_owned).collect();
        if let Some(last) = steps.last_mut() {
            *last = format!("{function}({last}{rest})");
        }
        return steps;
    }
    let mut segments = vec![String::new()];
    let mut depth = 0_usize;
    for character in path.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match segments.last_mut() {
            Some(last) if character != '.' || depth > 0 => last.push(character),
            _ => segments.push(String::new()),
        }
    }
    segments
}

/// Reads a call; `None`: the text is a plain name.
pub(super) fn parse(text: &str) -> Option<Call> {
    let (function, inside) = text.strip_suffix(')')?.split_once('(')?;
    let (field, path) = match inside.split_once(',') {
        Some((field, path)) => (field, json_path(path)),
        None => (inside, Vec::new()),
    };
    Some(Call {
        function: function.trim().to_owned(),
        field: field.trim().to_owned(),
        path,
    })
}

/// `a.b[0]` is `a`, `b`, `0`.
pub(super) fn json_path(text: &str) -> Vec<String> {
    text.trim()
        .split(['.', '[', ']'])
        .filter(|step| !step.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Call {
    /// The member of the answer that holds the value: `date_year`, `data_a_b_json`.
    pub(super) fn alias(&self) -> String {
        let mut parts = vec![self.field.as_str()];
        parts.extend(self.path.iter().map(String::as_str));
        parts.push(&self.function);
        parts.join("_")
    }
}

impl Resolution<'_> {
    /// Looks up what a call names.
    pub(super) fn called(&mut self, scope: &Scope<'_>, call: &Call, path: &str) -> Option<Called> {
        let field = self.field(scope, &call.field, path)?.clone();
        let kind = field.column.as_ref().map(|column| column.kind);
        if call.function == "json" {
            let open = self.comparable_inside(&field, &call.path, path);
            return open.then(|| self.json_call(call, field, kind, path))?;
        }
        if !self.comparable(&field, path) {
            return None;
        }
        let Some(function) = Function::parse(&call.function) else {
            let known: Vec<_> = Function::ALL.iter().map(|(name, _)| *name).collect();
            let message = format!("There is no function `{}`.", call.function);
            let hint = format!("Functions: {}, json.", known.join(", "));
            self.problem(path, message, hint);
            return None;
        };
        let applies = match function {
            Function::Count => {
                if let Some(Link::ToMany { relation, target }) = self.link(&field) {
                    return Some(Called::Count(Operand::Count {
                        step: Step {
                            relation,
                            direction: Direction::Backward,
                            target,
                        },
                        filter: Box::new(Filter::All),
                    }));
                }
                kind == Some(StorageKind::Json)
            }
            Function::Year | Function::Month | Function::Week | Function::Day | Function::Weekday => {
                kind.is_some_and(StorageKind::has_date)
            }
            Function::Hour | Function::Minute | Function::Second => kind.is_some_and(StorageKind::has_time),
        };
        if applies {
            return Some(Called::Function(function, field));
        }
        let takes = match function {
            Function::Count => "a to-many relation or a json field",
            Function::Hour | Function::Minute | Function::Second => "a time, dateTime or timestamp field",
            _ => "a date, dateTime or timestamp field",
        };
        let message = format!(
            "Invalid function specified: `{}` takes {takes}; `{}` is of type {}.",
            call.function,
            field.name,
            field.ty.name()
        );
        self.problem(path, message, "");
        None
    }

    fn json_call(
        &mut self,
        call: &Call,
        field: Arc<Field>,
        kind: Option<StorageKind>,
        path: &str,
    ) -> Option<Called> {
        let plain = |step: &String| !step.contains(['$', '*', '"', '\'', '?', '@']);
        if kind == Some(StorageKind::Json) && !call.path.is_empty() && call.path.iter().all(plain) {
            return Some(Called::Json(field, call.path.clone()));
        }
        self.problem(
            path,
            "`json` takes a json field and a path inside it.",
            "For example json(data, address.city) or json(data, tags[0]).",
        );
        None
    }

    /// An operand from a name or a call in one collection.
    pub(super) fn operand(&mut self, scope: &Scope<'_>, text: &str, path: &str) -> Option<Operand> {
        if let Some(call) = parse(text) {
            return Some(match self.called(scope, &call, path)? {
                Called::Function(function, field) => Operand::Function { function, field },
                Called::Count(operand) => operand,
                Called::Json(field, path) => Operand::JsonPath { field, path },
            });
        }
        let field = self.field(scope, text, path)?.clone();
        if field.is_alias() {
            let message = format!("`{}` has no value of its own.", field.name);
            let hint = match self.link(&field) {
                Some(_) => format!("Use count({}) for how many there are.", field.name),
                None => "It is there for presentation only.".to_owned(),
            };
            self.problem(path, message, hint);
            return None;
        }
        self.comparable(&field, path).then_some(Operand::Field(field))
    }

    /// The step that a relational name (`author`, `item:pages`) takes to one item; `None`, and a problem, for others.
    pub(super) fn step_to_one(&mut self, scope: &Scope<'_>, segment: &str, path: &str) -> Option<Step> {
        let (name, wanted) = match segment.split_once(':') {
            Some((name, wanted)) => (name, Some(wanted)),
            None => (segment, None),
        };
        let field = self.field(scope, name, path)?.clone();
        match (self.link(&field), wanted) {
            (Some(Link::ToOne { relation, target }), None) => Some(Step {
                relation,
                direction: Direction::Forward,
                target,
            }),
            (Some(Link::ToAny { relation, targets }), Some(wanted)) => {
                let target = self.target(&field, &targets, wanted, path)?;
                Some(Step {
                    relation,
                    direction: Direction::Forward,
                    target,
                })
            }
            (Some(Link::ToAny { targets, .. }), None) => {
                self.name_a_target(&field, &targets, path);
                None
            }
            (Some(Link::ToMany { .. }), _) => {
                let message = format!("`{name}` leads to many items.");
                self.problem(
                    path,
                    message,
                    format!("Use count({name}), or a field of one item."),
                );
                None
            }
            (None, _) | (Some(Link::ToOne { .. }), Some(_)) => {
                self.problem(path, format!("`{segment}` leads to no other collection."), "");
                None
            }
        }
    }

    /// One of the collections that a to-any field can point to.
    pub(super) fn target(
        &mut self,
        field: &Field,
        targets: &[Arc<Collection>],
        wanted: &str,
        path: &str,
    ) -> Option<Arc<Collection>> {
        if let Some(target) = super::chosen(targets, wanted) {
            return Some(target.clone());
        }
        let known: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        let message = format!("`{}` cannot point to collection `{wanted}`.", field.name);
        let problem = super::invalid(message).at(path);
        self.problems
            .push(super::unknown::suggest(problem, wanted, &known, "Collections"));
        None
    }

    /// Notes that it must be said which collection is meant.
    pub(super) fn name_a_target(&mut self, field: &Field, targets: &[Arc<Collection>], path: &str) {
        let name = &field.name;
        let choices: Vec<_> = targets
            .iter()
            .map(|target| format!("`{name}:{}`", target.name))
            .collect();
        let message = format!("`{name}` can point to several collections.");
        self.problem(path, message, format!("Say which: {}.", choices.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_around_functions() {
        let check = |path: &str, expect: &[&str]| assert_eq!(segments(path), expect, "{path}");
        check("title", &["title"]);
        check("author.name", &["author", "name"]);
        check("year(date)", &["year(date)"]);
        check("year(author.born)", &["author", "year(born)"]);
        check("author.year(born)", &["author", "year(born)"]);
        check("author.json(data, a.b)", &["author", "json(data, a.b)"]);
        check("json(author.data, a.b)", &["author", "json(data, a.b)"]);
        check("item:blk_text.body", &["item:blk_text", "body"]);
        check("a..b", &["a", "", "b"]);
    }

    #[test]
    fn calls_name_their_member_of_the_answer() {
        let check = |text: &str, expect: &str| assert_eq!(parse(text).unwrap().alias(), expect);
        check("year(date)", "date_year");
        check("json(j, a.c)", "j_a_c_json");
        check("json(j,b[0])", "j_b_0_json");
        assert_eq!(parse("title"), None);
    }
}
