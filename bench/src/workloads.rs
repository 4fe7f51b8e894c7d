//! What is asked, and what must be reached.

use crate::connection::Answer;
use crate::server::Target;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::rc::Rc;

/// Makes the bytes of a request from its number.
type MakeRequest = dyn Fn(&Target, u64) -> Vec<u8>;

/// One kind of request, repeated.
#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// The request with this number, counted from 1 and never used twice.
    pub(crate) request: Rc<MakeRequest>,
    /// What a right answer contains.
    pub(crate) expect: &'static str,
    /// Most milliseconds of the median with one connection.
    pub(crate) median_within: Option<f64>,
    /// Fewest requests in a second with 32 connections.
    pub(crate) at_least: Option<f64>,
}

impl Workload {
    /// Checks an answer closely; done once before measuring.
    ///
    /// # Errors
    /// When it is not what was asked for.
    pub(crate) fn check(&self, answer: &Answer<'_>) -> Result<()> {
        let said = String::from_utf8_lossy(answer.body);
        let shown: String = said.chars().take(600).collect();
        ensure!(
            succeeded(answer) && said.contains(self.expect),
            "{}: an unexpected answer: {} {shown}",
            self.name,
            answer.status
        );
        Ok(())
    }
}

/// Whether an answer looks like a success; cheap enough for every one.
pub(crate) fn succeeded(answer: &Answer<'_>) -> bool {
    // A tool error is short and says so at one of its ends.
    let edge = answer.body.len().min(160);
    let says_error = |part: &[u8]| part.windows(14).any(|window| window == b"\"isError\":true");
    answer.status == 200
        && !says_error(&answer.body[..edge])
        && !says_error(&answer.body[answer.body.len() - edge..])
}

/// Every workload, over this many articles.
pub(crate) fn all(articles: u64) -> Vec<Workload> {
    vec![
        read_by_key(articles),
        list_with_relations(articles),
        tools_list(),
        create(),
        rest_read_by_key(articles),
    ]
}

/// Reading an item by key with the tool `items`.
pub(crate) fn read_by_key(articles: u64) -> Workload {
    Workload {
        name: "MCP read one item by key",
        request: Rc::new(move |target, number| {
            let keys = [scattered(number, articles)];
            tool(
                target,
                "items",
                &json!({ "action": "read", "collection": "articles", "keys": keys }),
            )
        }),
        expect: "Lorem ipsum",
        median_within: Some(0.12),
        at_least: Some(15_000.0),
    }
}

/// A page of 25 with each article's author and tags.
pub(crate) fn list_with_relations(articles: u64) -> Workload {
    Workload {
        name: "MCP list 25 with author and tags",
        request: Rc::new(move |target, number| {
            let fields = [
                "id",
                "title",
                "slug",
                "status",
                "views",
                "published_on",
                "author.name",
                "tags.tags_id.name",
            ];
            let query = json!({ "fields": fields, "sort": ["id"], "limit": 25,
                "filter": { "id": { "_gt": scattered(number, articles - 25) } } });
            tool(
                target,
                "items",
                &json!({ "action": "read", "collection": "articles", "query": query }),
            )
        }),
        expect: "Author ",
        median_within: Some(0.8),
        at_least: Some(2_500.0),
    }
}

/// The list of tools.
pub(crate) fn tools_list() -> Workload {
    Workload {
        name: "MCP tools/list",
        request: Rc::new(|target, number| message(target, number, "tools/list", &json!({}))),
        expect: "inputSchema",
        median_within: Some(0.1),
        at_least: None,
    }
}

/// Creating one item, acknowledged when it is durable.
pub(crate) fn create() -> Workload {
    // A server that is measured twice must not be given the same slugs again.
    let run = std::process::id();
    Workload {
        name: "MCP create one item, durable",
        request: Rc::new(move |target, number| {
            let data = json!({ "title": format!("Created {number}"), "slug": format!("created-{run}-{number}"),
                "body": "<p>Written by the benchmark.</p>", "author": number % 100 + 1, "category": number % 20 + 1 });
            tool(
                target,
                "items",
                &json!({ "action": "create", "collection": "articles", "data": data }),
            )
        }),
        expect: "Written by the benchmark",
        median_within: Some(0.6),
        at_least: Some(2_500.0),
    }
}

/// Reading an item by key over REST.
pub(crate) fn rest_read_by_key(articles: u64) -> Workload {
    Workload {
        name: "REST read one item by key",
        request: Rc::new(move |target, number| {
            target.request(
                "GET",
                &format!("/items/articles/{}", scattered(number, articles)),
                None,
            )
        }),
        expect: "Lorem ipsum",
        median_within: None,
        at_least: None,
    }
}

/// The schema of all collections in overview.
pub(crate) fn schema_overview() -> Workload {
    Workload {
        name: "MCP schema, overview",
        request: Rc::new(|target, _| tool(target, "schema", &json!({}))),
        expect: "articles",
        median_within: None,
        at_least: None,
    }
}

/// The schema of one collection.
pub(crate) fn schema_of_one() -> Workload {
    Workload {
        name: "MCP schema, one collection",
        request: Rc::new(|target, _| tool(target, "schema", &json!({ "keys": ["articles"] }))),
        expect: "published_on",
        median_within: None,
        at_least: None,
    }
}

/// Keys in an order that no cache of neighbouring pages likes.
fn scattered(number: u64, below: u64) -> u64 {
    number.wrapping_mul(2_654_435_761) % below + 1
}

fn tool(target: &Target, name: &str, arguments: &Value) -> Vec<u8> {
    message(
        target,
        1,
        "tools/call",
        &json!({ "name": name, "arguments": arguments }),
    )
}

fn message(target: &Target, id: u64, method: &str, params: &Value) -> Vec<u8> {
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
    target.request("POST", "/mcp", Some(&body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_error_is_no_success() {
        let check = |status, body: &str, expect| {
            let body = body.as_bytes();
            assert_eq!(succeeded(&Answer { status, body }), expect);
        };
        check(200, "{}", true);
        check(200, "", true);
        check(500, "{}", false);
        check(
            200,
            &format!("{{\"isError\":true,\"x\":\"{}\"}}", "y".repeat(1_000)),
            false,
        );
        check(
            200,
            &format!("{{\"x\":\"{}\",\"isError\":true}}", "y".repeat(1_000)),
            false,
        );
    }

    #[test]
    fn keys_stay_within_the_articles() {
        assert!((0..10_000).all(|number| (1..=7).contains(&scattered(number, 7))));
    }
}
