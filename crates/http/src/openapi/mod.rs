//! The OpenAPI 3.1 document of the REST dialect, made from the schema snapshot for one caller.
//!
//! It names only what the caller may use: collections they may know of ([`loggia_access::Grants::sees`]), the verbs of
//! the actions they may take on them, and in bodies and answers the fields that those may touch.

mod items;
mod operation;
mod parts;

use loggia_access::Grants;
use loggia_model::{Record, Schema};
use serde_json::{Value, json};

use crate::router::ROUTES;

pub(crate) use operation::{Audience, Documented, Operation};

/// Fixed resources over one system collection: path, collection, whether it holds one item.
pub(crate) const SYSTEM_RESOURCES: &[(&str, &str, bool)] = &[
    ("/users", "directus_users", false),
    ("/roles", "directus_roles", false),
    ("/policies", "directus_policies", false),
    ("/access", "directus_access", false),
    ("/permissions", "directus_permissions", false),
    ("/settings", "directus_settings", true),
];

/// The same, for reading alone.
pub(crate) const READ_ONLY_RESOURCES: &[(&str, &str)] = &[
    ("/activity", "directus_activity"),
    ("/revisions", "directus_revisions"),
];

/// The document.
#[must_use]
pub fn document(schema: &Schema, grants: &Grants, public_url: &str, version: &str) -> Value {
    let mut paths = fixed(schema, grants);
    let mut schemas = parts::schemas();
    let items = items::Items { schema, grants };
    for collection in schema.collections.values() {
        if collection.table.is_none() || !grants.sees(collection) {
            continue;
        }
        let resource = SYSTEM_RESOURCES
            .iter()
            .find(|(_, name, _)| *name == collection.name);
        let read_only = READ_ONLY_RESOURCES
            .iter()
            .find(|(_, name)| *name == collection.name);
        let path = match (resource, read_only, collection.system) {
            (Some((path, ..)), ..) => (*path).to_owned(),
            (None, Some((path, _)), _) => {
                items.add_read_only(&mut paths, &mut schemas, path, collection);
                continue;
            }
            (None, None, true) => continue,
            (None, None, false) => format!("/items/{}", collection.name),
        };
        items.add(&mut paths, &mut schemas, &path, collection);
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
            "parameters": parts::parameters(),
            "headers": parts::headers(),
            "responses": parts::responses(),
            "schemas": schemas,
        },
    })
}

/// The addresses that every project has, as far as they are for this caller.
fn fixed(schema: &Schema, grants: &Grants) -> Record {
    let mut paths = Record::new();
    for route in ROUTES.iter() {
        let Documented::By(operation) = route.documented else {
            continue;
        };
        if !operation.is_for(schema, grants) {
            continue;
        }
        let path = paths.entry(route.path.as_str()).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation.to_json();
        let steps = route.path.split('/');
        let names = steps.filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = names
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        if !parameters.is_empty() {
            path["parameters"] = parameters.into();
        }
    }
    paths
}
