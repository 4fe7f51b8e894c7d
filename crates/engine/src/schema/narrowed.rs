//! Definitions as callers may know them: whoever models the data sees them whole, others without the names of what they
//! may not know.

use std::sync::Arc;

use loggia_access::{Action, Grants};
use loggia_model::schema::Link;
use loggia_model::{Collection, Field, Record, Relation, Schema};
use serde_json::Value;

use super::view;

/// Members of a collection's `meta` that are names of its fields.
const FIELDS_OF_COLLECTION: [&str; 2] = ["sort_field", "archive_field"];
/// Members of a relation's `meta` that are names of fields on the side that points.
const FIELDS_OF_MANY: [&str; 3] = ["junction_field", "sort_field", "one_collection_field"];

/// What one caller may know of the definitions.
pub(super) struct Narrowed<'a> {
    pub(super) schema: &'a Schema,
    pub(super) grants: &'a Grants,
}

impl Narrowed<'_> {
    /// Whether a collection may be known: those that the caller may do something with, and the folders around them.
    pub(super) fn knows(&self, collection: &Collection) -> bool {
        if self.grants.sees(collection) {
            return true;
        }
        let is_folder = collection.table.is_none();
        is_folder
            && self
                .schema
                .collections
                .values()
                .any(|other| self.grants.sees(other) && self.is_inside(other, &collection.name))
    }

    /// Whether a field may be known: those that some action may touch.
    pub(super) fn knows_field(&self, collection: &Collection, field: &Field) -> bool {
        [Action::Read, Action::Create, Action::Update]
            .into_iter()
            .any(|action| self.grants.may_touch(action, collection, field))
    }

    /// Whether a relation may be known: both its ends, and the column that points.
    pub(super) fn knows_relation(&self, relation: &Relation) -> bool {
        let seen = |name: &str| {
            self.schema
                .collection(name)
                .filter(|collection| self.grants.sees(collection))
        };
        let pointing = seen(&relation.many_collection).is_some_and(|many| {
            many.field(&relation.many_field)
                .is_some_and(|field| self.knows_field(many, field))
        });
        pointing
            && relation
                .one_collection
                .as_deref()
                .is_none_or(|name| seen(name).is_some())
    }

    pub(super) fn collection(&self, collection: &Collection) -> Value {
        let mut shown = view::collection(collection);
        if self.grants.is_admin() {
            return shown;
        }
        let Some(meta) = shown.get_mut("meta").and_then(Value::as_object_mut) else {
            return shown;
        };
        let known = |name: &str| self.known_name(collection, name);
        for name in FIELDS_OF_COLLECTION {
            blank(meta, name, |value| !value.as_str().is_none_or(known));
        }
        if meta.get("archive_field").is_some_and(Value::is_null) {
            for name in ["archive_value", "unarchive_value"] {
                blank(meta, name, |_| true);
            }
        }
        blank(meta, "group", |group| {
            let group = group.as_str().and_then(|name| self.schema.collection(name));
            group.is_none_or(|group| !self.knows(group))
        });
        let starts = [collection];
        for name in ["display_template", "preview_url"] {
            blank(meta, name, |value| {
                value
                    .as_str()
                    .is_some_and(|text| !self.knows_template(&starts, text))
            });
        }
        blank(meta, "item_duplication_fields", |_| true);
        shown
    }

    pub(super) fn field(&self, collection: &Collection, field: &Field) -> Value {
        let mut shown = view::field(self.schema, field);
        if self.grants.is_admin() {
            return shown;
        }
        let targets = self.targets(collection, field);
        let mut starts = vec![collection];
        starts.extend(targets.iter().map(|target| &**target));
        if let Some(column) = shown.get_mut("schema").and_then(Value::as_object_mut)
            && let Some(table) = column.get("foreign_key_table").and_then(Value::as_str)
            && !self
                .schema
                .collection(table)
                .is_some_and(|target| self.grants.sees(target))
        {
            for name in ["foreign_key_table", "foreign_key_column"] {
                blank(column, name, |_| true);
            }
        }
        let Some(meta) = shown.get_mut("meta").and_then(Value::as_object_mut) else {
            return shown;
        };
        blank(meta, "group", |group| {
            !group
                .as_str()
                .is_none_or(|name| self.known_name(collection, name))
        });
        for name in ["options", "display_options"] {
            if let Some(options) = meta.get_mut(name) {
                self.prune(&starts, options);
            }
        }
        blank(meta, "validation", |rule| !self.knows_rule(&starts, rule));
        if let Some(Value::Array(conditions)) = meta.get_mut("conditions") {
            conditions.retain(|condition| self.knows_rule(&starts, condition));
        }
        shown
    }

    pub(super) fn relation(&self, relation: &Relation) -> Value {
        let mut shown = view::relation(relation);
        if self.grants.is_admin() {
            return shown;
        }
        let Some(meta) = shown.get_mut("meta").and_then(Value::as_object_mut) else {
            return shown;
        };
        let unknown = |collection: Option<&str>, value: &Value| {
            let collection = collection.and_then(|name| self.schema.collection(name));
            value
                .as_str()
                .is_some_and(|name| !collection.is_some_and(|collection| self.known_name(collection, name)))
        };
        for name in FIELDS_OF_MANY {
            blank(meta, name, |value| {
                unknown(Some(&relation.many_collection), value)
            });
        }
        blank(meta, "one_field", |value| {
            unknown(relation.one_collection.as_deref(), value)
        });
        if let Some(Value::Array(allowed)) = meta.get_mut("one_allowed_collections") {
            allowed.retain(|name| {
                let collection = name.as_str().and_then(|name| self.schema.collection(name));
                collection.is_some_and(|collection| self.grants.sees(collection))
            });
        }
        shown
    }

    fn is_inside(&self, collection: &Collection, folder: &str) -> bool {
        let group = |collection: &Collection| {
            let meta = collection.meta.as_ref()?;
            meta.record.get("group")?.as_str().map(str::to_owned)
        };
        let mut at = group(collection);
        // Folders may have been put into a ring by another program.
        for _ in 0..self.schema.collections.len() {
            match at {
                Some(name) if name == folder => return true,
                Some(name) => at = self.schema.collection(&name).and_then(|around| group(around)),
                None => return false,
            }
        }
        false
    }

    /// Where a field leads.
    fn targets(&self, collection: &Collection, field: &Field) -> Vec<Arc<Collection>> {
        match self.schema.link(&collection.name, &field.name) {
            Some(Link::ToOne { target, .. } | Link::ToMany { target, .. }) => vec![target],
            Some(Link::ToAny { .. }) | None => Vec::new(),
        }
    }

    /// Whether a name is that of a field that may be known.
    fn known_name(&self, collection: &Collection, name: &str) -> bool {
        collection
            .field(name)
            .is_some_and(|field| self.knows_field(collection, field))
    }

    /// Whether a text is the name of something that may not be known.
    fn is_hidden(&self, starts: &[&Collection], name: &str) -> bool {
        let is_field = |collection: &&Collection| collection.field(name).is_some();
        if starts.iter().any(is_field) {
            return !starts.iter().any(|collection| self.known_name(collection, name));
        }
        self.schema
            .collection(name)
            .is_some_and(|collection| !self.knows(collection))
    }

    /// Whether every name of a template (`{{ author.name }}`) may be known.
    fn knows_template(&self, starts: &[&Collection], text: &str) -> bool {
        text.split("{{").skip(1).all(|part| {
            let path = part.split("}}").next().unwrap_or_default().trim();
            starts.iter().any(|start| self.knows_path(start, path))
        })
    }

    fn knows_path(&self, start: &Collection, path: &str) -> bool {
        let Some((first, rest)) = path.split_once('.') else {
            return path.starts_with('$') || self.known_name(start, path);
        };
        let Some(field) = start.field(first).filter(|field| self.knows_field(start, field)) else {
            return false;
        };
        rest.starts_with('$')
            || self
                .targets(start, field)
                .iter()
                .any(|target| self.knows_path(target, rest))
    }

    /// Whether no name in a rule is one that may not be known.
    fn knows_rule(&self, starts: &[&Collection], rule: &Value) -> bool {
        match rule {
            Value::Object(members) => members
                .iter()
                .all(|(name, inner)| !self.is_hidden(starts, name) && self.knows_rule(starts, inner)),
            Value::Array(entries) => entries.iter().all(|entry| self.knows_rule(starts, entry)),
            _ => true,
        }
    }

    /// Takes out of options what names what may not be known.
    fn prune(&self, starts: &[&Collection], options: &mut Value) {
        let named = |value: &Value| {
            value.as_str().is_some_and(|text| {
                self.is_hidden(starts, text)
                    || (text.contains("{{") && !self.knows_template(starts, text))
                    || text
                        .split_once('.')
                        .is_some_and(|(first, _)| self.is_hidden(starts, first))
            })
        };
        match options {
            Value::Object(members) => {
                members.retain(|name, value| !self.is_hidden(starts, name) && !named(value));
                // Choices are values, whatever fields are called.
                for (_, value) in members.iter_mut().filter(|(name, _)| *name != "choices") {
                    self.prune(starts, value);
                }
            }
            Value::Array(entries) => {
                entries.retain(|value| !named(value));
                for value in entries {
                    self.prune(starts, value);
                }
            }
            _ => {}
        }
    }
}

fn blank(record: &mut Record, name: &str, unless_known: impl FnOnce(&Value) -> bool) {
    if let Some(value) = record.get_mut(name)
        && !value.is_null()
        && unless_known(value)
    {
        *value = Value::Null;
    }
}
