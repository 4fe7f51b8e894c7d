//! Completes a relation: what it needs beside its own row to be read, written and shown.

use std::sync::Arc;

use loggia_model::field_types::of_column;
use loggia_model::schema::Column;
use loggia_model::{Collection, Field, Record, Schema, StorageKind};
use serde_json::{Value, json};

use super::change::Change;
use super::draft::FieldDraft;
use super::fields::{add, next_sort};
use super::names;
use super::payload;
use super::relation_draft::RelationDraft;
use super::relations::of;
use crate::Error;

const FIELDS: &str = "directus_fields";

/// The `special` entries that say how a field relates.
const RELATIONAL: &[&str] = &[
    "m2o",
    "o2m",
    "m2m",
    "m2a",
    "file",
    "files",
    "translations",
    "user-created",
    "user-updated",
    "role-created",
    "role-updated",
];

/// Adds the columns that a definition names and the collection does not have: the one that points, in the type of the
/// key that it points to, and those that keep the target's name and the order. What is wrong with the definition
/// otherwise is for [`super::relation_draft`] to say.
pub(super) async fn columns(change: &mut Change, body: &Value) -> Result<(), Error> {
    let base = change.schema.clone();
    let meta = body.get("meta");
    let said = |key: &str, other: &str| {
        let direct = body.get(key).and_then(Value::as_str);
        direct.or_else(|| meta?.get(other)?.as_str())
    };
    let Some(many) = said("collection", "many_collection").and_then(|name| base.collection(name)) else {
        return Ok(());
    };
    let aside = |key: &str| meta.and_then(|meta| meta.get(key)?.as_str());
    let related = said("related_collection", "one_collection");
    let junction = aside("junction_field").is_some();
    let mut drafts = Vec::new();
    if let Some(field) = said("field", "many_field") {
        match related.map(|name| base.collection(name)) {
            Some(Some(target)) => drafts.extend(pointing(field, target, junction)),
            Some(None) => {}
            None if aside("one_collection_field").is_some() => {
                drafts.push(hidden(field, StorageKind::String, Some(255)));
            }
            None => {}
        }
    }
    if related.is_none()
        && let Some(field) = aside("one_collection_field")
    {
        drafts.push(hidden(field, StorageKind::String, Some(64)));
    }
    if let Some(field) = aside("sort_field") {
        drafts.push(hidden(field, StorageKind::Integer, None));
    }
    drafts.retain(|draft| {
        let known = many.fields.keys().any(|known| names::same(known, &draft.name));
        !known && names::field(&draft.name).is_ok()
    });
    if many.table.is_none() || drafts.is_empty() {
        return Ok(());
    }
    for (i, draft) in drafts.iter().enumerate() {
        add(change, many, draft, next_sort(many) + i).await?;
    }
    change.look_again().await?;
    Ok(())
}

/// A column that points to the items of `target`.
fn pointing(name: &str, target: &Collection, junction: bool) -> Option<FieldDraft> {
    let key = target.primary.as_ref()?.column.as_ref()?;
    let mut draft = hidden(name, key.kind, key.max_length);
    if !junction {
        let (special, interface) = pointer(&target.name);
        draft.meta.insert("special".to_owned(), json!([special]));
        draft.meta.insert("interface".to_owned(), interface.into());
        draft.meta.insert("hidden".to_owned(), false.into());
    }
    Some(draft)
}

fn hidden(name: &str, kind: StorageKind, max_length: Option<u32>) -> FieldDraft {
    let ty = of_column(kind, &[]);
    let meta = json!({"special": null, "interface": ty.interface(), "hidden": true});
    FieldDraft {
        name: name.to_owned(),
        column: Some(Column {
            name: name.to_owned(),
            kind,
            max_length,
            ..Column::default()
        }),
        meta: meta.as_object().cloned().unwrap_or_default(),
    }
}

/// The `special` and the interface of a field that points to one item.
fn pointer(related: &str) -> (&'static str, &'static str) {
    match related {
        "directus_files" => ("file", "file"),
        _ => ("m2o", "select-dropdown-m2o"),
    }
}

/// Makes the relation visible at both ends: the list on the other side, and how the Studio edits the pointing field.
pub(super) async fn ends(change: &mut Change, draft: &RelationDraft) -> Result<(), Error> {
    let base = &change.schema.clone();
    let junction = payload::text(&draft.meta, "junction_field");
    if let (Some(one), Some(alias)) = (&draft.related, payload::text(&draft.meta, "one_field")) {
        let (special, interface) = listing(base, draft, junction);
        let known = base
            .collection(one)
            .and_then(|collection| collection.field(alias));
        if known.is_none_or(|field| !is_relational(field)) {
            let mut row = Record::new();
            row.insert("special".to_owned(), json!([special]));
            if known
                .and_then(|field| field.meta.as_ref()?.interface.as_ref())
                .is_none()
            {
                row.insert("interface".to_owned(), interface.into());
            }
            if known.is_none() {
                let sort = base.collection(one).map_or(1, |collection| next_sort(collection));
                row.insert("sort".to_owned(), sort.into());
            }
            change
                .put(FIELDS, &[("collection", one), ("field", alias)], &row)
                .await?;
        }
    }
    if let Some(junction) = junction {
        rename_listing(change, base, draft, junction).await?;
    }
    let field = base
        .collection(&draft.collection)
        .and_then(|collection| collection.field(&draft.field));
    // Pointing fields of junctions are hidden and need no editor of their own.
    if let (Some(field), Some(related)) = (field, &draft.related)
        && field.meta.as_ref().is_none_or(|meta| !meta.hidden)
        && !is_relational(field)
    {
        point(change, field, related).await?;
    }
    Ok(())
}

/// How the Studio edits a field that points to one item.
async fn point(change: &mut Change, field: &Field, related: &str) -> Result<(), Error> {
    let (special, interface) = pointer(related);
    let mut all: Vec<_> = field
        .meta
        .as_ref()
        .map(|meta| meta.special.clone())
        .unwrap_or_default();
    all.push(special.to_owned());
    let mut row = Record::new();
    row.insert("special".to_owned(), all.into());
    let edited = field.meta.as_ref().and_then(|meta| meta.interface.as_deref());
    if edited.is_none_or(|interface| interface == field.ty.interface()) {
        row.insert("interface".to_owned(), interface.into());
    }
    let identity = [
        ("collection", field.collection.as_str()),
        ("field", field.name.as_str()),
    ];
    change.put(FIELDS, &identity, &row).await
}

fn is_relational(field: &Field) -> bool {
    RELATIONAL.iter().any(|special| field.has_special(special))
}

/// What a list of this relation is: of the pointing items, or of what is on the other side of the junction.
fn listing(base: &Schema, draft: &RelationDraft, junction: Option<&str>) -> (&'static str, &'static str) {
    let Some(junction) = junction else {
        return ("o2m", "list-o2m");
    };
    match of(base, &draft.collection, junction) {
        Some(other) if other.one_collection.is_none() => ("m2a", "list-m2a"),
        Some(other) if other.one_collection.as_deref() == Some("directus_files") => ("files", "files"),
        _ if payload::text(&draft.meta, "one_field") == Some("translations") => {
            ("translations", "translations")
        }
        _ => ("m2m", "list-m2m"),
    }
}

/// The second half of a junction tells what the list of the first half really is.
async fn rename_listing(
    change: &mut Change,
    base: &Schema,
    draft: &RelationDraft,
    junction: &str,
) -> Result<(), Error> {
    let (special, interface) = match draft.related.as_deref() {
        None => ("m2a", "list-m2a"),
        Some("directus_files") => ("files", "files"),
        Some(_) => return Ok(()),
    };
    let list = of(base, &draft.collection, junction).and_then(|first| {
        let one = base.collection(first.one_collection.as_deref()?)?;
        one.field(first.one_field.as_deref()?)
    });
    let made_here = |field: &&Arc<Field>| {
        field
            .meta
            .as_ref()
            .is_some_and(|meta| meta.special == ["m2m"] && meta.interface.as_deref() == Some("list-m2m"))
    };
    if let Some(field) = list.filter(made_here) {
        let mut row = Record::new();
        row.insert("special".to_owned(), json!([special]));
        row.insert("interface".to_owned(), interface.into());
        let identity = [
            ("collection", field.collection.as_str()),
            ("field", field.name.as_str()),
        ];
        change.put(FIELDS, &identity, &row).await?;
    }
    Ok(())
}
