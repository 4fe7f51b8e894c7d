//! `directus_policies`: what `ip_access` names are addresses. One that cannot be read would let nobody in, and shut out
//! the administrator who wrote it.

use loggia_model::Problems;
use loggia_model::validation::failure;
use serde_json::Value;

use crate::items::draft::Draft;

pub(super) fn check(draft: &Draft) -> Problems {
    let mut problems = Problems::default();
    let entries: Vec<&str> = match draft.sent.get("ip_access") {
        Some(Value::Array(entries)) => entries.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(entries)) => entries.split(',').collect(),
        _ => return problems,
    };
    for (i, entry) in entries.into_iter().enumerate() {
        if entry.trim().is_empty() || loggia_access::is_ip_entry(entry) {
            continue;
        }
        let text = "Value has to be an address, a network or a range.";
        let problem = failure("ip_access", "ip", text, Some(("invalid", entry.into())));
        problems.push(
            problem
                .at(format!("{}[{i}]", draft.at("ip_access")))
                .hint("For example 10.0.0.1, 10.0.0.0/8 or 10.0.0.1-10.0.0.9."),
        );
    }
    problems
}
