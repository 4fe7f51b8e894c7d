//! `?export=`: a list as a file instead of an answer in the dialect's envelope.
//!
//! To add a format: one row in [`FORMATS`].

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use indexmap::{IndexMap, IndexSet};
use loggia_model::error::{INVALID_QUERY, nearest};
use loggia_model::{Problem, Record};
use serde_json::Value;

/// A kind of file.
pub(super) struct Format {
    name: &'static str,
    media_type: &'static str,
    extension: &'static str,
    write: fn(&[Record]) -> String,
}

/// Every kind of file, by the name that `export` gives it.
const FORMATS: &[Format] = &[
    Format {
        name: "csv",
        media_type: "text/csv; charset=utf-8",
        extension: "csv",
        write: csv,
    },
    Format {
        name: "csv_utf8",
        media_type: "text/csv; charset=utf-8",
        extension: "csv",
        write: csv_with_mark,
    },
    Format {
        name: "json",
        media_type: "application/json; charset=utf-8",
        extension: "json",
        write: json,
    },
    Format {
        name: "xml",
        media_type: "application/xml; charset=utf-8",
        extension: "xml",
        write: xml,
    },
    Format {
        name: "yaml",
        media_type: "application/yaml; charset=utf-8",
        extension: "yaml",
        write: yaml,
    },
];

/// The format that `export` names.
///
/// # Errors
/// `INVALID_QUERY` with the names there are.
pub(super) fn format(name: &str) -> Result<&'static Format, Problem> {
    FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let names = FORMATS.iter().map(|format| format.name);
        let hint = match nearest(name, names.clone()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Use one of: {}.", names.collect::<Vec<_>>().join(", ")),
        };
        Problem::new(&INVALID_QUERY, "There is no such format to export.")
            .at("export")
            .hint(hint)
    })
}

/// The rows as a file named after their collection.
pub(super) fn file(format: &Format, collection: &str, rows: &[Record]) -> Response {
    let safe: String = collection
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c))
        .collect();
    let mut response = Response::new(Body::from((format.write)(rows)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type));
    let disposition = format!("attachment; filename=\"{safe}.{}\"", format.extension);
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

fn json(rows: &[Record]) -> String {
    serde_json::to_string_pretty(rows).unwrap_or_default()
}

/// RFC 4180: one column for each field, objects spread over dotted columns, lists as JSON.
fn csv(rows: &[Record]) -> String {
    let rows: Vec<_> = rows.iter().map(flat).collect();
    let columns: IndexSet<&str> = rows
        .iter()
        .flat_map(|row| row.keys().map(String::as_str))
        .collect();
    let mut text = columns
        .iter()
        .map(|column| quoted(column))
        .collect::<Vec<_>>()
        .join(",");
    for row in &rows {
        text.push_str("\r\n");
        let cell = |column: &&str| match row.get(*column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(value)) => quoted(value),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            Some(value) => quoted(&value.to_string()),
        };
        text.push_str(&columns.iter().map(cell).collect::<Vec<_>>().join(","));
    }
    text
}

/// With the byte order mark that spreadsheets want in order to believe that it is UTF-8.
fn csv_with_mark(rows: &[Record]) -> String {
    format!("\u{feff}{}", csv(rows))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn flat(row: &Record) -> IndexMap<String, Value> {
    fn spread(prefix: &str, row: &Record, into: &mut IndexMap<String, Value>) {
        for (name, value) in row {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match value {
                Value::Object(nested) if !nested.is_empty() => spread(&path, nested, into),
                value => {
                    into.insert(path, value.clone());
                }
            }
        }
    }
    let mut columns = IndexMap::new();
    spread("", row, &mut columns);
    columns
}

/// XML 1.0: `<data>` holds an `<item>` for each row; names that are none in XML become `<field name="…">`.
fn xml(rows: &[Record]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<data>".to_owned();
    for row in rows {
        element(&mut text, "item", &Value::Object(row.clone()));
    }
    text.push_str("</data>\n");
    text
}

fn element(text: &mut String, name: &str, value: &Value) {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && name
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let tag = if plain { name } else { "field" };
    let attribute = if plain {
        String::new()
    } else {
        format!(" name=\"{}\"", escaped(name))
    };
    let _ = write!(text, "<{tag}{attribute}>");
    match value {
        Value::Null => {}
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| element(text, name, value)),
        Value::Array(entries) => entries.iter().for_each(|entry| element(text, "item", entry)),
        Value::String(value) => text.push_str(&escaped(value)),
        value => text.push_str(&value.to_string()),
    }
    let _ = write!(text, "</{tag}>");
}

/// Characters that XML 1.0 cannot hold at all (§2.2) become U+FFFD.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => safe.push(c),
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}

/// YAML 1.2, of which JSON is a part: a list with one row a line in flow style.
fn yaml(rows: &[Record]) -> String {
    if rows.is_empty() {
        return "[]\n".to_owned();
    }
    let mut text = String::new();
    for row in rows {
        for (i, (name, value)) in row.iter().enumerate() {
            let lead = if i == 0 { "- " } else { "  " };
            let _ = writeln!(text, "{lead}{}: {value}", Value::from(name.as_str()));
        }
        if row.is_empty() {
            text.push_str("- {}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Vec<Record> {
        let rows = json!([
            {"id": 1, "title": "a, \"b\"\n<c>", "author": {"name": "Ada"}, "tags": [1, 2]},
            {"id": 2, "title": null, "author": null, "tags": []},
        ]);
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_object().unwrap().clone())
            .collect()
    }

    #[test]
    fn every_format_holds_every_value() {
        assert_eq!(
            csv(&rows()),
            "\"id\",\"title\",\"author.name\",\"tags\",\"author\"\r\n1,\"a, \"\"b\"\"\n<c>\",\"Ada\",\"[1,2]\",\r\n2,,,\"[]\","
        );
        assert!(csv_with_mark(&rows()).starts_with('\u{feff}'));
        assert_eq!(
            serde_json::from_str::<Vec<Record>>(&json(&rows())).unwrap(),
            rows()
        );
        assert_eq!(
            xml(&rows()[..1]),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<data><item><id>1</id><title>a, &quot;b&quot;\n&lt;c&gt;</title>\
             <author><name>Ada</name></author><tags><item>1</item><item>2</item></tags></item></data>\n"
        );
        assert_eq!(
            yaml(&rows()[1..]),
            "- \"id\": 2\n  \"title\": null\n  \"author\": null\n  \"tags\": []\n"
        );
        assert_eq!(yaml(&[]), "[]\n");
    }

    #[test]
    fn an_unknown_format_is_named() {
        assert!(format("csv").is_ok());
        assert_eq!(
            format("csv-utf8").err().unwrap().hint.unwrap(),
            "Did you mean `csv_utf8`?"
        );
        assert_eq!(escaped("\u{0}\u{1f600}"), "\u{fffd}\u{1f600}");
    }
}
