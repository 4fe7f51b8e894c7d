//! The chain: every change carries a hash of all that is kept of it and of the hash of the change before it.
//!
//! What is hashed is written out here once, by name and in order, so that columns that come later change no hash that
//! was kept before. A value is hashed in its canonical form with its length before it: no two rows share a form. Each row
//! has a hash of its own, and a change the hash of these: of a row that retention takes away, its hash is enough.

use std::fmt::Write as _;

use loggia_model::{Collection, Record, Scalar};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What stands before the first change.
pub(crate) const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The columns of `loggia_changes` that say what a change was.
pub(crate) const HEADER: [&str; 18] = [
    "id",
    "number",
    "timestamp",
    "user",
    "role",
    "token",
    "origin",
    "client_name",
    "client_version",
    "tool",
    "request_id",
    "ip",
    "user_agent",
    "title",
    "counts",
    "written",
    "rows",
    "reversible",
];

/// The columns of `directus_activity` that belong to the record of a change.
pub(crate) const ACTIVITY: [&str; 10] = [
    "id",
    "action",
    "user",
    "timestamp",
    "ip",
    "user_agent",
    "collection",
    "item",
    "origin",
    "change",
];

/// The columns of `directus_revisions` that belong to the record of a change. The revision before (`parent`) is not
/// among them: it may be removed when it is old, and is checked by itself.
pub(crate) const REVISION: [&str; 12] = [
    "id",
    "activity",
    "collection",
    "item",
    "data",
    "delta",
    "version",
    "change",
    "number",
    "action",
    "before",
    "secrets",
];

/// The columns of `loggia_prunings` that belong to the record of the change that pruned.
pub(crate) const PRUNING: [&str; 6] = ["id", "change", "pruning", "activity", "revisions", "rows"];

/// The hash of a row, by its table.
pub(crate) type Leaf = [u8; 32];

/// The hash of one row that is kept of a change.
pub(crate) fn leaf<'v>(table: &str, values: impl Iterator<Item = (&'v str, &'v Scalar)>) -> Leaf {
    let mut hash = Sha256::new();
    feed(&mut hash, "table", &Scalar::from(table));
    for (name, value) in values {
        feed(&mut hash, name, value);
    }
    hash.finalize().into()
}

/// The hash of everything that is kept of a change besides its header.
pub(crate) struct Content(Sha256);

impl Content {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// One more row of what is kept; rows come by table, then by key.
    pub(crate) fn add(&mut self, leaf: &Leaf) {
        self.0.update(leaf);
    }

    pub(crate) fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}

/// The hash of a change.
pub(crate) fn hash<'v>(
    previous: &str,
    header: impl Iterator<Item = (&'v str, &'v Scalar)>,
    reverts: &Scalar,
    content: &str,
) -> String {
    let mut hash = Sha256::new();
    hash.update(previous);
    for (name, value) in header {
        feed(&mut hash, name, value);
    }
    feed(&mut hash, "reverts", reverts);
    hash.update(content);
    hexadecimal(&hash.finalize())
}

/// The values of a row that was read, in the order of `names`.
pub(crate) fn values<'n>(
    collection: &Collection,
    names: &'n [&'n str],
    row: &Record,
) -> Vec<(&'n str, Scalar)> {
    names
        .iter()
        .map(|name| {
            let value = row.get(*name).unwrap_or(&Value::Null);
            (*name, canonical(collection, name, value))
        })
        .collect()
}

/// A value as it is stored. What cannot have been stored by us is taken as the text that it is.
pub(crate) fn canonical(collection: &Collection, name: &str, value: &Value) -> Scalar {
    if value.is_null() {
        return Scalar::Null;
    }
    let field = collection.field(name);
    let column = field.and_then(|field| field.column.as_ref());
    match field.zip(column) {
        Some((field, column)) => field
            .ty
            .parse(value, column)
            .unwrap_or_else(|_| Scalar::Text(value.to_string())),
        None => Scalar::Text(value.to_string()),
    }
}

fn feed(hash: &mut Sha256, name: &str, value: &Scalar) {
    let mut part = |kind: u8, bytes: &[u8]| {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match value {
        Scalar::Null => part(b'n', b""),
        Scalar::Bool(truth) => part(b'b', &[u8::from(*truth)]),
        Scalar::Int(number) => part(b'i', &number.to_be_bytes()),
        Scalar::Real(number) => part(b'r', &number.to_bits().to_be_bytes()),
        Scalar::Text(text) => part(b't', text.as_bytes()),
        Scalar::Bytes(bytes) => part(b'x', bytes),
    }
}

/// A hash as it is written down.
pub(crate) fn hexadecimal(hash: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in hash {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A hash as it was written down.
pub(crate) fn parsed(text: &str) -> Option<Leaf> {
    let mut leaf = Leaf::default();
    if text.len() != 2 * leaf.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (i, byte) in leaf.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(leaf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: &[(&str, &[(&str, Scalar)])]) -> String {
        let mut content = Content::new();
        for (table, values) in rows {
            content.add(&leaf(table, values.iter().map(|(name, value)| (*name, value))));
        }
        content.finish()
    }

    #[test]
    fn different_rows_have_different_hashes() {
        let text = |text: &str| Scalar::from(text);
        let forms = [
            content(&[]),
            content(&[("a", &[])]),
            content(&[("a", &[("x", text("1"))])]),
            content(&[("a", &[("x", Scalar::Int(1))])]),
            content(&[("a", &[("x", Scalar::Null)])]),
            content(&[("a", &[("x", text(""))])]),
            content(&[("a", &[("x", text("1")), ("y", text("2"))])]),
            content(&[("a", &[("x", text("1y2"))])]),
            content(&[("a", &[("x", text("1"))]), ("a", &[("y", text("2"))])]),
            content(&[("a", &[("y", text("2"))]), ("a", &[("x", text("1"))])]),
        ];
        let mut different: Vec<_> = forms.iter().collect();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), forms.len());
    }
}
