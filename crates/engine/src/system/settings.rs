//! `directus_settings`: bounds bound something, and the prompts are kept in a collection that exists.

use loggia_model::validation::failure;
use loggia_model::{Problems, Scalar};

use crate::items::draft::Draft;
use crate::items::payload::invalid;
use crate::query::{Resolver, suggest};

/// Settings that are numbers of at least one.
const AT_LEAST_ONE: [&str; 4] = [
    "mcp_max_rows",
    "mcp_max_tokens",
    "activity_retention",
    "revisions_retention",
];

pub(super) fn check(on: &Resolver<'_>, draft: &Draft) -> Problems {
    let mut problems = Problems::default();
    for name in AT_LEAST_ONE {
        if let Some(assigned) = draft.values.get(name)
            && matches!(assigned.scalar, Scalar::Int(number) if number < 1)
        {
            let text = "Value has to be greater than or equal to 1.";
            let problem = failure(name, "gte", text, Some(("valid", 1.into())));
            problems.push(
                problem
                    .at(&assigned.path)
                    .hint("Leave it out to keep the bound there is."),
            );
        }
    }
    if let Some(assigned) = draft.values.get("mcp_prompts_collection")
        && let Some(name) = assigned.scalar.as_text()
        && on
            .schema
            .collection(name)
            .is_none_or(|known| known.table.is_none())
    {
        let own = on.schema.collections.values();
        let known: Vec<_> = own
            .filter(|known| known.table.is_some() && !known.system)
            .map(|known| known.name.as_str())
            .collect();
        let problem = invalid(format!("There is no collection \"{name}\".")).at(&assigned.path);
        problems.push(suggest(problem, name, &known, "Collections"));
    }
    problems
}
