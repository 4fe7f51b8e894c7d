//! Collections as OpenAPI: for each action the fields that the caller may touch by it, and the verbs that they may use.

use loggia_access::{Action, Grants};
use loggia_model::schema::{Collection, Field, Link};
use loggia_model::{Record, Schema};
use serde_json::{Map, Value, json};

use super::parts::{self, answer, body};
use crate::rest::REV;

/// What is said about the items of a project, to one caller.
pub(super) struct Items<'a> {
    pub(super) schema: &'a Schema,
    pub(super) grants: &'a Grants,
}

impl Items<'_> {
    /// Adds the addresses and the shapes of one collection.
    pub(super) fn add(&self, paths: &mut Record, schemas: &mut Record, path: &str, collection: &Collection) {
        for action in [Action::Read, Action::Create, Action::Update] {
            let name = self.name(collection, action);
            if self.grants.may(action, collection) && !schemas.contains_key(&name) {
                schemas.insert(name, self.item(collection, action));
            }
        }
        if collection.is_singleton() {
            self.add_singleton(paths, path, collection);
        } else {
            self.add_list(paths, path, collection);
        }
    }

    /// The name of the shape that items have in an action. Whoever may do everything knows one shape only.
    fn name(&self, collection: &Collection, action: Action) -> String {
        let prefix = match action {
            _ if self.grants.is_admin() => "Item",
            Action::Create => "NewItem",
            Action::Update => "ItemUpdate",
            _ => "Item",
        };
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        };
        format!(
            "{prefix}_{}",
            collection.name.chars().map(safe).collect::<String>()
        )
    }

    fn reference(&self, collection: &Collection, action: Action) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.name(collection, action))})
    }

    fn item(&self, collection: &Collection, action: Action) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let touched = self.grants.fields(action, collection);
        let presets = self.grants.presets(action, collection);
        for field in collection.fields.values() {
            if field.has_special("no-data") || !touched.has(&field.name) {
                continue;
            }
            let Some(property) = self.property(collection, field, action) else {
                continue;
            };
            properties.insert(field.name.clone(), property);
            if field.must_be_given() && !presets.contains_key(&field.name) {
                required.push(Value::from(field.name.as_str()));
            }
        }
        if collection.field(REV).is_none() && action != Action::Create {
            properties.insert(REV.to_owned(), parts::revision());
        }
        let mut item = json!({"type": "object", "properties": properties});
        if let Some(note) = collection.meta.as_ref().and_then(|meta| meta.note.as_deref()) {
            item["description"] = note.into();
        }
        if !required.is_empty() {
            match action {
                _ if self.grants.is_admin() => item["x-required-on-create"] = required.into(),
                Action::Create => item["required"] = required.into(),
                _ => {}
            }
        }
        item
    }

    /// `None`: there is nothing that could be said of it in this action.
    fn property(&self, collection: &Collection, field: &Field, action: Action) -> Option<Value> {
        let mut property = match self.schema.link(&collection.name, &field.name) {
            Some(Link::ToOne { target, .. }) => {
                let mut shapes = vec![key_of(&target)];
                shapes.extend(self.nested(&target, action));
                shapes.push(json!({"type": "null"}));
                json!({ "anyOf": shapes })
            }
            Some(Link::ToMany { target, .. }) => {
                // A list of what cannot be read is none.
                if action == Action::Read && !self.grants.may(Action::Read, &target) {
                    return None;
                }
                let mut shapes = vec![key_of(&target)];
                shapes.extend(self.nested(&target, action));
                json!({"type": "array", "items": {"anyOf": shapes}})
            }
            Some(Link::ToAny { .. }) => {
                json!({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}]})
            }
            None if field.is_alias() => json!({}),
            None => value_schema(field),
        };
        if let Some(note) = field.meta.as_ref().and_then(|meta| meta.note.as_deref()) {
            property["description"] = note.into();
        }
        Some(property)
    }

    /// The shapes of items inside items: read along, or written along.
    fn nested(&self, target: &Collection, action: Action) -> Vec<Value> {
        let actions: &[Action] = match action {
            Action::Read => &[Action::Read],
            _ if self.grants.is_admin() => &[Action::Update],
            _ => &[Action::Create, Action::Update],
        };
        let allowed = actions.iter().filter(|action| self.grants.may(**action, target));
        let mut shapes: Vec<_> = allowed
            .map(|action| match target.system {
                true => json!({"type": "object"}),
                false => self.reference(target, *action),
            })
            .collect();
        shapes.dedup();
        shapes
    }

    /// What an answer says of items: their shape, if they may be read.
    fn answered(&self, collection: &Collection) -> Option<Value> {
        self.grants
            .may(Action::Read, collection)
            .then(|| self.reference(collection, Action::Read))
    }

    /// What a write sends and what it answers: the items as they are now, for whoever may read them.
    fn write(
        &self,
        collection: &Collection,
        sent: Option<&Value>,
        shape: impl FnOnce(Value) -> Value,
    ) -> Value {
        let data = self.answered(collection).map(shape);
        let mut write = json!({
            "parameters": parts::of_writes(false),
            "responses": parts::written(data.as_ref()),
        });
        if let Some(sent) = sent {
            write["requestBody"] = body(sent);
        }
        write
    }

    fn add_singleton(&self, paths: &mut Record, path: &str, collection: &Collection) {
        let mut verbs = Map::new();
        if let Some(item) = self.answered(collection) {
            let read = json!({"parameters": parts::of_one(), "responses": parts::tagged(&item)});
            verbs.insert(
                "get".to_owned(),
                operation(collection, "read", "Read the item", read),
            );
        }
        // Written before it exists, it is created.
        let actions = [Action::Update, Action::Create];
        if let Some(action) = actions
            .into_iter()
            .find(|action| self.grants.may(*action, collection))
        {
            let sent = self.reference(collection, action);
            let write = demanding(self.write(collection, Some(&sent), |item| item));
            verbs.insert(
                "patch".to_owned(),
                operation(collection, "write", "Write the item", write),
            );
        }
        insert(paths, path, verbs);
    }

    /// Adds the addresses and the shape of a collection that nobody writes as items.
    pub(super) fn add_read_only(
        &self,
        paths: &mut Record,
        schemas: &mut Record,
        path: &str,
        collection: &Collection,
    ) {
        let (mut all_paths, mut all_schemas) = (Map::new(), Map::new());
        self.add(&mut all_paths, &mut all_schemas, path, collection);
        for (path, mut verbs) in all_paths {
            if let Some(verbs) = verbs.as_object_mut() {
                verbs.retain(|verb, _| verb == "get" || verb == "parameters");
            }
            paths.insert(path, verbs);
        }
        let name = self.name(collection, Action::Read);
        schemas.extend(all_schemas.remove(&name).map(|schema| (name, schema)));
    }

    fn add_list(&self, paths: &mut Record, path: &str, collection: &Collection) {
        let (mut many, mut one) = (Map::new(), Map::new());
        let add = |verbs: &mut Record, verb: &str, id: &str, summary: &str, members: Value| {
            verbs.insert(verb.to_owned(), operation(collection, id, summary, members));
        };
        let list = |item: Value| json!({"type": "array", "items": item});
        if let Some(item) = self.answered(collection) {
            let read = json!({"parameters": parts::of_reads(), "responses": answer(&list(item.clone()))});
            add(&mut many, "get", "list", "List items", read);
            let read = json!({"parameters": parts::of_one(), "responses": parts::tagged(&item)});
            add(&mut one, "get", "read", "Read an item", read);
        }
        if self.grants.may(Action::Create, collection) {
            let one_or_many = |item: Value| json!({"anyOf": [item, list(item.clone())]});
            let sent = one_or_many(self.reference(collection, Action::Create));
            let create = self.write(collection, Some(&sent), one_or_many);
            add(&mut many, "post", "create", "Create one item or many", create);
        }
        if self.grants.may(Action::Update, collection) {
            let item = self.reference(collection, Action::Update);
            let sent = json!({"anyOf": [list(item.clone()), parts::reference("schemas", "BatchUpdate")]});
            let mut update = self.write(collection, Some(&sent), list);
            parts::add_conflict(&mut update["responses"]);
            add(&mut many, "patch", "update_many", "Update many items", update);
            let update = demanding(self.write(collection, Some(&item), |item| item));
            add(&mut one, "patch", "update", "Update an item", update);
        }
        if self.grants.may(Action::Delete, collection) {
            // Of what is deleted there is nothing to show.
            let gone = |sent: Option<&Value>| {
                let mut delete = json!({"parameters": parts::of_writes(sent.is_none()), "responses": parts::written(None)});
                match sent {
                    Some(sent) => delete["requestBody"] = body(sent),
                    None => parts::add_precondition(&mut delete["responses"]),
                }
                delete
            };
            let which = parts::reference("schemas", "BatchDelete");
            add(
                &mut many,
                "delete",
                "delete_many",
                "Delete many items",
                gone(Some(&which)),
            );
            add(&mut one, "delete", "delete", "Delete an item", gone(None));
        }
        insert(paths, path, many);
        if !one.is_empty() {
            let key = json!([{"name": "id", "in": "path", "required": true, "schema": key_of(collection)}]);
            one.insert("parameters".to_owned(), key);
        }
        insert(paths, &format!("{path}/{{id}}"), one);
    }
}

/// The write of one item, which may demand the revision that it has.
fn demanding(mut write: Value) -> Value {
    write["parameters"] = parts::of_writes(true);
    parts::add_conflict(&mut write["responses"]);
    parts::add_precondition(&mut write["responses"]);
    write
}

/// Addresses without a verb are not named.
fn insert(paths: &mut Record, path: &str, verbs: Record) {
    if !verbs.is_empty() {
        paths.insert(path.to_owned(), verbs.into());
    }
}

fn operation(collection: &Collection, id: &str, summary: &str, members: Value) -> Value {
    let mut operation = json!({
        "operationId": format!("{id}_{}", collection.name),
        "summary": summary,
        "tags": [collection.name],
    });
    if let (Some(operation), Value::Object(members)) = (operation.as_object_mut(), members) {
        operation.extend(members);
    }
    operation
}

fn key_of(collection: &Collection) -> Value {
    collection
        .primary
        .as_ref()
        .map_or_else(|| json!({}), |key| key.ty.json_schema())
}

/// A value as it comes back: numbers beyond what JSON readers keep exactly come as text.
fn value_schema(field: &Field) -> Value {
    let nullable = field.column.as_ref().is_none_or(|column| column.nullable);
    let mut types = match field.ty.name() {
        "bigInteger" => vec!["integer", "string"],
        "decimal" => vec!["number", "string"],
        "json" => return json!({}),
        _ => Vec::new(),
    };
    let mut value = field.ty.json_schema();
    if types.is_empty() {
        types.extend(value["type"].as_str());
        if nullable && let Some(name) = types.first().copied() {
            value["type"] = json!([name, "null"]);
        }
    } else {
        types.extend(nullable.then_some("null"));
        value = json!({"type": types});
    }
    if let Some(most) = field.column.as_ref().and_then(|column| column.max_length) {
        value["maxLength"] = most.into();
    }
    value
}
