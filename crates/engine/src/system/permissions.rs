//! `directus_permissions`: what is saved can be applied. A permission that cannot be grants nothing, and whoever wrote
//! it should hear of that at once.

use loggia_access::{Permission, RuleSet, Rulebook};
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::Value;

use crate::items::draft::{Draft, Intent};
use crate::items::payload::invalid;
use crate::query::{Facts, Resolver, suggest};
use crate::rights::{self, Rules};

/// What decides together whether a permission can be applied.
const PARTS: [&str; 8] = [
    "collection",
    "action",
    "fields",
    "permissions",
    "validation",
    "presets",
    "locales",
    "statuses",
];

pub(super) fn check(on: &Resolver<'_>, draft: &Draft) -> Problems {
    let row = as_sent(draft);
    // Of one that exists, the rest is not known yet.
    if draft.intent == Intent::Update {
        return shapes(draft, &row);
    }
    examined(on, draft, row)
}

/// What is wrong with a permission that exists, as it will be.
pub(super) fn check_changed(on: &Resolver<'_>, draft: &Draft, stored: &Record) -> Problems {
    if !PARTS.iter().any(|part| draft.sent.contains_key(*part)) {
        return Problems::default();
    }
    let mut row = stored.clone();
    row.extend(as_sent(draft));
    examined(on, draft, row)
}

fn examined(on: &Resolver<'_>, draft: &Draft, row: Record) -> Problems {
    let mut problems = shapes(draft, &row);
    let Some(name) = row.get("collection").and_then(Value::as_str) else {
        return problems;
    };
    let collection = on.schema.collection(name).filter(|known| known.table.is_some());
    // A permission may come before its collection, as templates bring them; it grants nothing until then. And system
    // collections grow: a permission may name what an older version does not have yet.
    if name != "*" && collection.is_none_or(|known| known.system) {
        return problems;
    }
    if let Some(collection) = collection {
        fields(draft, &row, collection, &mut problems);
        presets(draft, &row, collection, &mut problems);
    }
    if problems.0.is_empty()
        && let Some(permission) = permission(row)
    {
        problems.extend(applied(on, draft, &permission));
    }
    problems
}

/// The row as it was sent; JSON may have come as text.
fn as_sent(draft: &Draft) -> Record {
    let mut row = draft.sent.clone();
    for name in ["permissions", "validation", "presets"] {
        let read = row.get(name).and_then(Value::as_str).map(serde_json::from_str);
        if let Some(Ok(value)) = read {
            row.insert(name.to_owned(), value);
        }
    }
    row
}

fn shapes(draft: &Draft, row: &Record) -> Problems {
    let mut problems = Problems::default();
    let kinds = [
        (
            "permissions",
            "a filter",
            "{\"status\": {\"_eq\": \"published\"}}",
        ),
        ("validation", "a filter", "{\"status\": {\"_eq\": \"draft\"}}"),
        ("presets", "an object of values", "{\"status\": \"draft\"}"),
    ];
    for (name, what, example) in kinds {
        let value = row.get(name).filter(|value| !value.is_null());
        if value.is_some_and(|value| !value.is_object()) {
            let problem = invalid(format!("`{name}` is {what}, or null.")).at(draft.at(name));
            problems.push(problem.hint(format!("Write it as {example}.")));
        }
    }
    // Read as it would be read later, so that every way of writing an empty list is one.
    let read = permission(row.clone());
    let limits = read
        .iter()
        .flat_map(|read| [("locales", &read.locales), ("statuses", &read.statuses)]);
    for (name, _) in limits.filter(|(_, values)| values.as_ref().is_some_and(Vec::is_empty)) {
        let problem = invalid(format!("`{name}` is empty: nothing would be granted.")).at(draft.at(name));
        problems.push(problem.hint("Name at least one value, or leave it out (null) for no limit."));
    }
    problems
}

fn fields(draft: &Draft, row: &Record, collection: &Collection, problems: &mut Problems) {
    let named: Vec<&str> = match row.get("fields") {
        Some(Value::Array(entries)) => entries.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(entries)) => entries.split(',').map(str::trim).collect(),
        _ => return,
    };
    for (i, field) in named.into_iter().enumerate() {
        if field != "*" && collection.field(field).is_none() {
            problems.push(no_field(collection, field).at(format!("{}[{i}]", draft.at("fields"))));
        }
    }
}

fn presets(draft: &Draft, row: &Record, collection: &Collection, problems: &mut Problems) {
    let Some(presets) = row.get("presets").and_then(Value::as_object) else {
        return;
    };
    for (name, value) in presets {
        let at = format!("{}.{name}", draft.at("presets"));
        let Some(field) = collection.field(name) else {
            problems.push(no_field(collection, name).at(at));
            continue;
        };
        let variable = value.as_str().is_some_and(|text| text.starts_with('$'));
        if let Some(column) = field.column.as_ref().filter(|_| !variable && !value.is_null())
            && let Err(problem) = field.ty.parse(value, column)
        {
            problems.push(problem.at(at));
        }
    }
}

fn no_field(collection: &Collection, name: &str) -> Problem {
    let known: Vec<_> = collection.fields.keys().map(String::as_str).collect();
    let problem = invalid(format!(
        "There is no field \"{name}\" in collection \"{}\".",
        collection.name
    ));
    suggest(problem, name, &known, "Fields")
}

/// The permission that a row says; what is not sent does not matter here.
fn permission(mut row: Record) -> Option<Permission> {
    row.insert("policy".to_owned(), "new".into());
    row.entry("collection").or_insert_with(|| "new".into());
    if row.get("action").is_none_or(|action| !action.is_string()) {
        row.insert("action".to_owned(), "read".into());
    }
    rights::permission(&row)
}

/// Everything that keeps a permission from being applied: each part is tried on its own, so that all of it is told.
fn applied(on: &Resolver<'_>, draft: &Draft, whole: &Permission) -> Problems {
    let bare = Permission {
        items: Value::Null,
        validation: Value::Null,
        presets: Record::new(),
        locales: None,
        statuses: None,
        ..whole.clone()
    };
    let parts = [
        Permission {
            items: whole.items.clone(),
            ..bare.clone()
        },
        Permission {
            validation: whole.validation.clone(),
            ..bare.clone()
        },
        Permission {
            presets: whole.presets.clone(),
            ..bare.clone()
        },
        Permission {
            locales: whole.locales.clone(),
            ..bare.clone()
        },
        Permission {
            statuses: whole.statuses.clone(),
            ..bare
        },
    ];
    let facts = Facts::unread(on.schema, &whole.user_paths());
    let rules = Rules::for_checks(on, &facts);
    let mut problems = Problems::default();
    for part in parts {
        let policies = [part.policy.clone()];
        let rulebook = Rulebook::new([part]);
        let set = RuleSet::compile(&policies, false, on.schema, &rulebook, &rules);
        for broken in set.broken() {
            for problem in broken.problems.0 {
                let path = draft.at(&place(&problem.path));
                problems.push(problem.at(path));
            }
        }
    }
    problems
}

/// Where in the row a problem is that compiling found.
fn place(path: &str) -> String {
    match path.split_once('.') {
        Some(("filter", rest)) => format!("permissions.{rest}"),
        _ => match path {
            "filter" => "permissions".to_owned(),
            "locale" => "locales".to_owned(),
            "status" => "statuses".to_owned(),
            path => path.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn problems_of_compiling_stand_where_they_were_written() {
        let check = |path: &str, expect: &str| assert_eq!(place(path), expect);
        check("filter.title._eq", "permissions.title._eq");
        check("filter", "permissions");
        check("validation.title", "validation.title");
        check("locale", "locales");
    }
}
