//! Any query string is either read as a query or refused with problems; reading never panics, loops or overflows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loggia_model::query::Query;

fuzz_target!(|raw: &str| match loggia_http::query_string::parse(raw) {
    Ok(query) => match Query::from_json(&serde_json::Value::Object(query)) {
        Ok(_) => {}
        Err(problems) => assert!(!problems.0.is_empty()),
    },
    Err(problems) => assert!(!problems.0.is_empty()),
});
