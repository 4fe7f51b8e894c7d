//! The few messages that the benchmark sends, and nothing else.

use crate::database::{Database, NewArticle};
use anyhow::{Context, Result, bail};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];
/// About as many tools as Loggia lists, each with a small schema.
const TOOLS: [&str; 6] = [
    "system-prompt",
    "schema",
    "items",
    "collections",
    "fields",
    "relations",
];

#[derive(Deserialize)]
struct Message {
    id: Value,
    method: String,
    #[serde(default)]
    params: Params,
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    arguments: Option<Arguments>,
}

#[derive(Deserialize)]
struct Arguments {
    keys: Option<Vec<i64>>,
    query: Option<Query>,
    data: Option<NewArticle>,
}

#[derive(Deserialize)]
struct Query {
    filter: Filter,
}

#[derive(Deserialize)]
struct Filter {
    id: After,
}

#[derive(Deserialize)]
struct After {
    #[serde(rename = "_gt")]
    key: i64,
}

/// `POST /mcp`.
pub(crate) async fn mcp(State(database): State<Database>, body: String) -> Response {
    match answer(&database, &body).await {
        Ok(text) => (JSON, text).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}

/// `GET /items/articles/{id}`.
pub(crate) async fn article(State(database): State<Database>, Path(id): Path<i64>) -> Response {
    match database.article(id).await {
        Ok(rows) => (JSON, format!("{{\"data\":{}}}", &rows[1..rows.len() - 1])).into_response(),
        Err(error) => (StatusCode::NOT_FOUND, format!("{error:#}")).into_response(),
    }
}

async fn answer(database: &Database, body: &str) -> Result<String> {
    let Message { id, method, params } = serde_json::from_str(body)?;
    let result = match (method.as_str(), params.arguments) {
        ("tools/list", _) => tools(),
        ("tools/call", Some(arguments)) => call(database, arguments).await?,
        _ => bail!("not one of the benchmark's requests"),
    };
    Ok(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}"))
}

async fn call(database: &Database, arguments: Arguments) -> Result<String> {
    let rows = match arguments {
        Arguments { data: Some(row), .. } => database.create(row).await?,
        Arguments {
            query: Some(query), ..
        } => database.articles_after(query.filter.id.key).await?,
        Arguments { keys: Some(keys), .. } => database.article(*keys.first().context("no key")?).await?,
        _ => bail!("no arguments"),
    };
    // The same twice, as the protocol wants it: structured, and as text for clients that read only that.
    let raw = format!("{{\"raw\":{rows}}}");
    let text = serde_json::to_string(&raw)?;
    Ok(format!(
        "{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"structuredContent\":{raw}}}"
    ))
}

fn tools() -> String {
    let tools = TOOLS.map(|name| {
        format!(
            "{{\"name\":\"{name}\",\"inputSchema\":{{\"type\":\"object\",\"properties\":{{\"action\":{{\"type\":\"string\"}},\
             \"collection\":{{\"type\":\"string\"}}}}}}}}"
        )
    });
    format!("{{\"tools\":[{}]}}", tools.join(","))
}
