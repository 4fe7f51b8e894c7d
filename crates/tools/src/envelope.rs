//! What results look like: the same envelope for every tool that answers with rows.
//!
//! `{data: [row…], meta: {returned, total?, truncated, next?, omitted?, missing?}, receipt?}`

use loggia_engine::items::Receipt;
use loggia_model::Record;
use serde_json::{Map, Value, json};

use crate::bounds::{Bounds, Fitted};
use crate::catalogue::ToolResult;

/// Entries of one list of a receipt, at most; the rest is counted.
const RECEIPT_ENTRIES: usize = 100;

/// A result under construction.
pub(crate) struct Envelope {
    data: Vec<Record>,
    meta: Map<String, Value>,
    receipt: Option<Value>,
}

impl Envelope {
    /// Takes the rows that fit.
    pub(crate) fn of(rows: Vec<Record>, bounds: Bounds) -> Self {
        let Fitted { rows, omitted, cut } = bounds.fit(rows);
        let mut meta = Map::new();
        meta.insert("returned".into(), rows.len().into());
        meta.insert("truncated".into(), cut.into());
        if !omitted.is_empty() {
            meta.insert(
                "omitted".into(),
                omitted.iter().map(crate::bounds::Omitted::to_json).collect(),
            );
        }
        Self {
            data: rows,
            meta,
            receipt: None,
        }
    }

    /// How many rows there are.
    pub(crate) fn returned(&self) -> usize {
        self.data.len()
    }

    /// Whether something is missing, for want of room or because [`Envelope::truncated`] said so.
    pub(crate) fn is_truncated(&self) -> bool {
        self.meta
            .get("truncated")
            .is_some_and(|truncated| truncated == true)
    }

    /// Whether the first row lost members.
    pub(crate) fn has_omitted(&self) -> bool {
        self.meta.contains_key("omitted")
    }

    /// Says that there is more than is shown.
    pub(crate) fn truncated(&mut self) {
        self.meta.insert("truncated".into(), true.into());
    }

    /// Adds a member to `meta`.
    pub(crate) fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.meta.insert(name.to_owned(), value.into());
    }

    /// Adds the receipt of a write.
    pub(crate) fn receipt(&mut self, receipt: &Receipt) {
        self.receipt = Some(receipt_json(receipt));
    }

    /// Adds a receipt that is JSON already.
    pub(crate) fn receipt_value(&mut self, receipt: Value) {
        self.receipt = Some(receipt);
    }

    /// The result.
    pub(crate) fn finish(self) -> ToolResult {
        let mut structured = Map::new();
        structured.insert("data".into(), self.data.into_iter().map(Value::Object).collect());
        structured.insert("meta".into(), self.meta.into());
        structured.extend(self.receipt.map(|receipt| ("receipt".to_owned(), receipt)));
        ToolResult::new(structured)
    }
}

/// The receipt as it is shown: paths start at the argument `data`, long lists are cut and what is cut is counted.
fn receipt_json(receipt: &Receipt) -> Value {
    let at = |path: &str| match path.starts_with('[') || path.is_empty() {
        true => format!("data{path}"),
        false => format!("data.{path}"),
    };
    let lists = [
        receipt.applied.len(),
        receipt.defaulted.len(),
        receipt.coerced.len(),
    ];
    let more: usize = lists
        .iter()
        .map(|length| length.saturating_sub(RECEIPT_ENTRIES))
        .sum();
    let applied = receipt.applied.iter().take(RECEIPT_ENTRIES).map(|path| at(path));
    let defaulted = receipt.defaulted.iter().take(RECEIPT_ENTRIES);
    let coerced = receipt.coerced.iter().take(RECEIPT_ENTRIES);
    let changed = receipt.changed.iter().map(|(collection, changed)| {
        let counts =
            json!({"created": changed.created, "updated": changed.updated, "deleted": changed.deleted});
        (collection.clone(), counts)
    });
    let mut shown = json!({
        "applied": applied.collect::<Vec<_>>(),
        "defaulted": defaulted.map(|(path, value)| (at(path), value.clone())).collect::<Map<_, _>>(),
        "coerced": coerced
            .map(|one| json!({"path": at(&one.path), "from": one.from, "to": one.to}))
            .collect::<Vec<_>>(),
        "changed": changed.collect::<Map<_, _>>(),
    });
    if more > 0 {
        shown["more"] = more.into();
    }
    shown
}

/// The schema of the envelope, with a receipt where something may be written.
pub(crate) fn schema(row: &str, writes: bool) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "data": {
                "type": "array",
                "description": row,
                "items": {"type": "object", "additionalProperties": true},
            },
            "meta": {
                "type": "object",
                "properties": {
                    "returned": {"type": "integer", "description": "Rows in `data`."},
                    "total": {"type": "integer", "description": "Rows that match, if it was counted."},
                    "truncated": {"type": "boolean", "description": "There is more than is shown here."},
                    "next": {
                        "type": "object",
                        "description": "Arguments to replace for the rest.",
                        "additionalProperties": true,
                    },
                    "omitted": {
                        "type": "array",
                        "description": "Fields left out of the row, too long for this result.",
                        "items": {
                            "type": "object",
                            "properties": {"field": {"type": "string"}, "tokens": {"type": "integer"}},
                            "required": ["field", "tokens"],
                        },
                    },
                    "missing": {
                        "type": "array",
                        "description": "Keys asked for that do not exist.",
                        "items": {"type": "string"},
                    },
                    "hint": {"type": "string"},
                },
                "required": ["returned", "truncated"],
            },
        },
        "required": ["data", "meta"],
    });
    if writes {
        schema["properties"]["receipt"] = receipt_schema();
    }
    schema
}

fn receipt_schema() -> Value {
    json!({
        "type": "object",
        "description": "What a write did.",
        "properties": {
            "applied": {
                "type": "array",
                "description": "Paths written as given.",
                "items": {"type": "string"},
            },
            "defaulted": {
                "type": "object",
                "description": "Paths that were filled in.",
                "additionalProperties": true,
            },
            "coerced": {
                "type": "array",
                "description": "Values stored in another form.",
                "items": {
                    "type": "object",
                    "properties": {"path": {"type": "string"}},
                    "required": ["path"],
                    "additionalProperties": true,
                },
            },
            "changed": {
                "type": "object",
                "description": "Rows by collection.",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "created": {"type": "integer"},
                        "updated": {"type": "integer"},
                        "deleted": {"type": "integer"},
                    },
                },
            },
            "more": {"type": "integer", "description": "Entries left out of these lists."},
            "change": {"type": "string", "description": "The change, to show or revert with `changes`."},
        },
    })
}
