//! The OpenAPI 3.1 document of the REST dialect, made from the schema snapshot for one caller.
//!
//! It names only the collections that the caller may know of ([`loggia_access::Grants::sees`]).

use loggia_access::Grants;
use loggia_model::schema::{Collection, Field, Link};
use loggia_model::{Record, Schema};
use serde_json::{Map, Value, json};

/// Fixed resources over one system collection: path, collection, whether it holds one item.
pub(crate) const SYSTEM_RESOURCES: &[(&str, &str, bool)] = &[
    ("/users", "directus_users", false),
    ("/roles", "directus_roles", false),
    ("/policies", "directus_policies", false),
    ("/access", "directus_access", false),
    ("/permissions", "directus_permissions", false),
    ("/settings", "directus_settings", true),
];

/// The document.
#[must_use]
pub fn document(schema: &Schema, grants: &Grants, public_url: &str, version: &str) -> Value {
    let mut paths = fixed_paths();
    let mut schemas = fixed_schemas();
    for collection in schema.collections.values() {
        if collection.table.is_none() || !grants.sees(collection) {
            continue;
        }
        let resource = SYSTEM_RESOURCES
            .iter()
            .find(|(_, name, _)| *name == collection.name);
        let path = match (resource, collection.system) {
            (Some((path, ..)), _) => (*path).to_owned(),
            (None, true) => continue,
            (None, false) => format!("/items/{}", collection.name),
        };
        schemas.insert(schema_name(&collection.name), item_schema(schema, collection));
        add_resource(&mut paths, &path, collection);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Loggia",
            "version": version,
            "description": "The REST interface of this project, for the caller who asked for this document.",
        },
        "servers": [{"url": public_url}],
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "parameters": parameters(),
            "responses": {"Problem": {
                "description": "What is wrong, where, and how to recover.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problems"}}},
            }},
            "schemas": schemas,
        },
    })
}

fn schema_name(collection: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            c
        } else {
            '_'
        }
    };
    format!("Item_{}", collection.chars().map(safe).collect::<String>())
}

fn item_schema(schema: &Schema, collection: &Collection) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in collection.fields.values() {
        if field.has_special("no-data") {
            continue;
        }
        properties.insert(field.name.clone(), property(schema, collection, field));
        if field.must_be_given() {
            required.push(Value::from(field.name.as_str()));
        }
    }
    let mut item = json!({"type": "object", "properties": properties});
    if let Some(note) = collection.meta.as_ref().and_then(|meta| meta.note.as_deref()) {
        item["description"] = note.into();
    }
    if !required.is_empty() {
        item["x-required-on-create"] = required.into();
    }
    item
}

fn property(schema: &Schema, collection: &Collection, field: &Field) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{}", schema_name(name))});
    let key_of = |target: &Collection| {
        target
            .primary
            .as_ref()
            .map_or_else(|| json!({}), |key| key.ty.json_schema())
    };
    let mut property = match schema.link(&collection.name, &field.name) {
        Some(Link::ToOne { target, .. }) if !target.system => {
            json!({"anyOf": [key_of(&target), reference(&target.name), {"type": "null"}]})
        }
        Some(Link::ToOne { target, .. }) => {
            json!({"anyOf": [key_of(&target), {"type": "object"}, {"type": "null"}]})
        }
        Some(Link::ToMany { target, .. }) if !target.system => {
            json!({"type": "array", "items": {"anyOf": [key_of(&target), reference(&target.name)]}})
        }
        Some(Link::ToMany { target, .. }) => {
            json!({"type": "array", "items": {"anyOf": [key_of(&target), {"type": "object"}]}})
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
    property
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

fn answer(data: Value) -> Value {
    json!({
        "200": {"description": "Done.", "content": {"application/json": {"schema": {
            "type": "object", "properties": {"data": data, "meta": {"type": "object"}},
        }}}},
        "default": {"$ref": "#/components/responses/Problem"},
    })
}

fn no_content() -> Value {
    json!({"204": {"description": "Done."}, "default": {"$ref": "#/components/responses/Problem"}})
}

fn body(schema: &Value) -> Value {
    json!({"required": true, "content": {"application/json": {"schema": schema}}})
}

fn query_parameters(many: bool) -> Value {
    let names: &[&str] = if many {
        &[
            "fields",
            "filter",
            "search",
            "sort",
            "limit",
            "offset",
            "page",
            "aggregate",
            "groupBy",
            "deep",
            "alias",
            "meta",
            "export",
        ]
    } else {
        &["fields", "deep", "alias"]
    };
    names
        .iter()
        .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
        .collect()
}

fn add_resource(paths: &mut Record, path: &str, collection: &Collection) {
    let item = json!({"$ref": format!("#/components/schemas/{}", schema_name(&collection.name))});
    let tag = json!([collection.name]);
    let operation = |id: &str, summary: &str| json!({"operationId": format!("{id}_{}", collection.name), "summary": summary, "tags": tag});
    let with = |mut operation: Value, members: Value| {
        if let (Some(operation), Value::Object(members)) = (operation.as_object_mut(), members) {
            operation.extend(members);
        }
        operation
    };
    if collection.is_singleton() {
        let read = json!({"parameters": query_parameters(false), "responses": answer(item.clone())});
        let write = json!({"requestBody": body(&item), "responses": answer(item.clone())});
        let singleton = json!({
            "get": with(operation("read", "Read the item"), read),
            "patch": with(operation("write", "Write the item"), write),
        });
        paths.insert(path.to_owned(), singleton);
        return;
    }
    let items = json!({"type": "array", "items": item});
    let one_or_many = json!({"anyOf": [item, items]});
    let read = json!({"parameters": query_parameters(true), "responses": answer(items.clone())});
    let create = json!({"requestBody": body(&one_or_many), "responses": answer(one_or_many.clone())});
    let update = json!({
        "requestBody": body(&json!({"anyOf": [items, {"$ref": "#/components/schemas/BatchUpdate"}]})),
        "responses": answer(items.clone()),
    });
    let delete = json!({
        "requestBody": body(&json!({"$ref": "#/components/schemas/BatchDelete"})),
        "responses": no_content(),
    });
    let many = json!({
        "get": with(operation("list", "List items"), read),
        "post": with(operation("create", "Create one item or many"), create),
        "patch": with(operation("update_many", "Update many items"), update),
        "delete": with(operation("delete_many", "Delete many items"), delete),
    });
    paths.insert(path.to_owned(), many);
    let key = collection
        .primary
        .as_ref()
        .map_or_else(|| json!({"type": "string"}), |key| key.ty.json_schema());
    let one = json!({
        "parameters": [{"name": "id", "in": "path", "required": true, "schema": key}],
        "get": with(operation("read", "Read an item"), json!({"parameters": query_parameters(false), "responses": answer(item.clone())})),
        "patch": with(operation("update", "Update an item"), json!({"requestBody": body(&item), "responses": answer(item.clone())})),
        "delete": with(operation("delete", "Delete an item"), json!({"responses": no_content()})),
    });
    paths.insert(format!("{path}/{{id}}"), one);
}

fn parameters() -> Value {
    let text = |name: &str, description: &str| {
        (
            name.to_owned(),
            json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}}),
        )
    };
    let number = |name: &str, description: &str, least: i64| {
        let schema = json!({"type": "integer", "minimum": least});
        (
            name.to_owned(),
            json!({"name": name, "in": "query", "description": description, "schema": schema}),
        )
    };
    Value::Object(Map::from_iter([
        text(
            "fields",
            "Fields to return, separated by commas: `*`, `title`, `author.name`, `item:pages.title`.",
        ),
        text(
            "filter",
            "A filter as JSON, or in brackets: `filter[status][_eq]=published`.",
        ),
        text("search", "Text that any text field must contain."),
        text(
            "sort",
            "Fields to sort by, separated by commas; `-` in front: largest first.",
        ),
        number("limit", "At most so many items; -1: all.", -1),
        number("offset", "Skip so many items.", 0),
        number("page", "The page of `limit` items, counted from 1.", 1),
        text("aggregate", "Figures: `aggregate[count]=*`."),
        text("groupBy", "Fields that figures are grouped by."),
        text("deep", "Queries for nested relations, as JSON or in brackets."),
        text("alias", "Other names for fields: `alias[name]=field`."),
        text("meta", "`total_count`, `filter_count` or `*`."),
        text(
            "export",
            "A file instead of this answer: `csv`, `csv_utf8`, `json`, `xml` or `yaml`.",
        ),
    ]))
}

fn fixed_schemas() -> Record {
    let schemas = json!({
        "Problems": {"type": "object", "required": ["errors"], "properties": {"errors": {"type": "array", "items": {
            "type": "object", "required": ["message", "extensions"], "properties": {
                "message": {"type": "string"},
                "extensions": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
            },
        }}}},
        "BatchUpdate": {"type": "object", "required": ["data"], "properties": {
            "keys": {"type": "array"}, "query": {"type": "object"}, "data": {"type": "object"},
        }},
        "BatchDelete": {"anyOf": [{"type": "array"}, {"type": "object", "properties": {
            "keys": {"type": "array"}, "query": {"type": "object"},
        }}]},
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

/// What an operation of [`FIXED`] answers.
enum Answers {
    Object,
    List,
    Text,
    Nothing,
}
use Answers::{List, Nothing, Object, Text};

/// The addresses that every project has: address, method, id, what it does, whether it takes a body, what it answers.
const FIXED: &[(&str, &str, &str, &str, bool, Answers)] = &[
    ("/server/ping", "get", "ping", "Is it there?", false, Text),
    (
        "/server/info",
        "get",
        "server_info",
        "What server this is",
        false,
        Object,
    ),
    ("/server/health", "get", "health", "Is it well?", false, Object),
    (
        "/server/specs/oas",
        "get",
        "openapi",
        "This document",
        false,
        Object,
    ),
    (
        "/auth",
        "get",
        "list_providers",
        "The ways to sign in",
        false,
        List,
    ),
    (
        "/auth/login",
        "post",
        "login",
        "Sign in with e-mail and password",
        true,
        Object,
    ),
    (
        "/auth/refresh",
        "post",
        "refresh",
        "Exchange a refresh token",
        true,
        Object,
    ),
    ("/auth/logout", "post", "logout", "End a session", true, Nothing),
    ("/tokens", "get", "list_tokens", "Access tokens", false, List),
    (
        "/tokens",
        "post",
        "create_token",
        "Make an access token; its secret is in this answer alone",
        true,
        Object,
    ),
    (
        "/tokens/{id}",
        "get",
        "read_token",
        "One access token",
        false,
        Object,
    ),
    (
        "/tokens/{id}",
        "patch",
        "update_token",
        "Change what an access token may do",
        true,
        Object,
    ),
    (
        "/tokens/{id}",
        "delete",
        "revoke_token",
        "End an access token",
        false,
        Nothing,
    ),
    (
        "/tokens/{id}/rotate",
        "post",
        "rotate_token",
        "Give an access token another secret",
        true,
        Object,
    ),
    (
        "/auth/password/request",
        "post",
        "request_password",
        "Ask for a new password",
        true,
        Nothing,
    ),
    ("/users/me", "get", "read_me", "Read the caller", false, Object),
    (
        "/users/me",
        "patch",
        "update_me",
        "Change the caller",
        true,
        Object,
    ),
    (
        "/roles/me",
        "get",
        "read_my_roles",
        "Read the caller's roles",
        false,
        List,
    ),
    (
        "/policies/me/globals",
        "get",
        "read_my_globals",
        "What the caller's policies allow in general",
        false,
        Object,
    ),
    (
        "/permissions/me",
        "get",
        "read_my_permissions",
        "What the caller may do",
        false,
        Object,
    ),
    (
        "/collections",
        "get",
        "list_collections",
        "List collections",
        false,
        List,
    ),
    (
        "/collections",
        "post",
        "create_collections",
        "Create a collection, or many",
        true,
        Object,
    ),
    (
        "/collections",
        "patch",
        "update_collections",
        "Change many collections",
        true,
        List,
    ),
    (
        "/collections/{collection}",
        "get",
        "read_collection",
        "Read a collection",
        false,
        Object,
    ),
    (
        "/collections/{collection}",
        "patch",
        "update_collection",
        "Change a collection",
        true,
        Object,
    ),
    (
        "/collections/{collection}",
        "delete",
        "delete_collection",
        "Delete a collection and its items",
        false,
        Nothing,
    ),
    (
        "/fields",
        "get",
        "list_fields",
        "List the fields of all collections",
        false,
        List,
    ),
    (
        "/fields/{collection}",
        "get",
        "list_fields_of",
        "List the fields of a collection",
        false,
        List,
    ),
    (
        "/fields/{collection}",
        "post",
        "create_field",
        "Create a field",
        true,
        Object,
    ),
    (
        "/fields/{collection}",
        "patch",
        "update_fields",
        "Change many fields",
        true,
        List,
    ),
    (
        "/fields/{collection}/{field}",
        "get",
        "read_field",
        "Read a field",
        false,
        Object,
    ),
    (
        "/fields/{collection}/{field}",
        "patch",
        "update_field",
        "Change a field",
        true,
        Object,
    ),
    (
        "/fields/{collection}/{field}",
        "delete",
        "delete_field",
        "Delete a field and its values",
        false,
        Nothing,
    ),
    (
        "/relations",
        "get",
        "list_relations",
        "List relations",
        false,
        List,
    ),
    (
        "/relations",
        "post",
        "create_relation",
        "Create a relation",
        true,
        Object,
    ),
    (
        "/relations/{collection}",
        "get",
        "list_relations_of",
        "List the relations of a collection",
        false,
        List,
    ),
    (
        "/relations/{collection}/{field}",
        "get",
        "read_relation",
        "Read a relation",
        false,
        Object,
    ),
    (
        "/relations/{collection}/{field}",
        "patch",
        "update_relation",
        "Change a relation",
        true,
        Object,
    ),
    (
        "/relations/{collection}/{field}",
        "delete",
        "delete_relation",
        "Delete a relation",
        false,
        Nothing,
    ),
    (
        "/schema/snapshot",
        "get",
        "schema_snapshot",
        "The whole data model",
        false,
        Object,
    ),
];

/// [`FIXED`] as OpenAPI.
fn fixed_paths() -> Record {
    let object = json!({"type": "object"});
    let mut paths = Map::new();
    for (address, method, id, summary, takes_body, answers) in FIXED {
        let responses = match answers {
            Object => answer(object.clone()),
            List => answer(json!({"type": "array", "items": object})),
            Text => {
                json!({"200": {"description": "`pong`", "content": {"text/plain": {"schema": {"type": "string"}}}}})
            }
            Nothing => no_content(),
        };
        let mut operation =
            json!({"operationId": id, "summary": summary, "tags": ["system"], "responses": responses});
        if *takes_body {
            operation["requestBody"] = body(&json!({"anyOf": [object, {"type": "array", "items": object}]}));
        }
        let names = address
            .split('/')
            .filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = names
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let path = paths.entry(*address).or_insert_with(|| json!({}));
        if !parameters.is_empty() {
            path["parameters"] = parameters.into();
        }
        path[*method] = operation;
    }
    paths
}
