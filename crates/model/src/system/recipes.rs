//! Policies that every database starts with, ready to be attached: what people in the usual roles may do.
//!
//! They are rows like any others: whoever runs the project may change them or delete them.

use std::sync::Arc;

use serde_json::json;

use super::{SystemCollection, permissions, policies};
use crate::Scalar;
use crate::plan::InsertPlan;

/// A policy to start from.
#[derive(Debug)]
pub struct Recipe {
    /// The key of its row; the same in every database.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// The icon.
    pub icon: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Whether it allows everything.
    pub admin: bool,
    /// Whether the Studio may be used.
    pub app: bool,
    /// Collections, and the actions that it allows on all their items and fields.
    pub permissions: &'static [(&'static str, &'static [&'static str])],
}

const WRITE: &[&str] = &["create", "read", "update"];
const READ: &[&str] = &["read"];

/// All of them.
pub static RECIPES: &[Recipe] = &[
    Recipe {
        key: "6c1f0a52-1d3b-4e0f-9a57-0b6d2f5e1a01",
        name: "Content editor",
        icon: "edit_note",
        description: "Writes and changes the content of every collection, with files and folders. Deletes nothing.",
        admin: false,
        app: true,
        permissions: &[
            ("*", WRITE),
            ("directus_files", WRITE),
            ("directus_folders", WRITE),
        ],
    },
    Recipe {
        key: "6c1f0a52-1d3b-4e0f-9a57-0b6d2f5e1a02",
        name: "Developer",
        icon: "code",
        description: "May do everything: whoever changes collections, fields and relations has to be an administrator.",
        admin: true,
        app: true,
        permissions: &[],
    },
    Recipe {
        key: "6c1f0a52-1d3b-4e0f-9a57-0b6d2f5e1a03",
        name: "Analyst",
        icon: "query_stats",
        description: "Reads the content of every collection and changes nothing.",
        admin: false,
        app: true,
        permissions: &[("*", READ)],
    },
    Recipe {
        key: "6c1f0a52-1d3b-4e0f-9a57-0b6d2f5e1a04",
        name: "Assistant",
        icon: "smart_toy",
        description: "For AI assistants: reads, writes and changes the content of every collection, and deletes nothing. Give it to an access token of mode `propose`, so that a person makes every change.",
        admin: false,
        app: false,
        permissions: &[("*", WRITE)],
    },
];

/// The rows of all of them. Nobody holds them until somebody is given one.
#[must_use]
pub fn rows() -> Vec<InsertPlan> {
    let of_policies = RECIPES.iter().map(|recipe| {
        vec![
            ("id", json!(recipe.key)),
            ("name", json!(recipe.name)),
            ("icon", json!(recipe.icon)),
            ("description", json!(recipe.description)),
            ("admin_access", json!(recipe.admin)),
            ("app_access", json!(recipe.app)),
        ]
    });
    let of_permissions = RECIPES.iter().flat_map(|recipe| {
        let permissions = recipe.permissions.iter();
        permissions.flat_map(move |(collection, actions)| {
            actions.iter().map(move |action| {
                vec![
                    ("policy", json!(recipe.key)),
                    ("collection", json!(collection)),
                    ("action", json!(action)),
                    ("fields", json!(["*"])),
                ]
            })
        })
    });
    vec![
        plan(&policies::COLLECTION, of_policies.collect()),
        plan(&permissions::COLLECTION, of_permissions.collect()),
    ]
}

fn plan(definition: &SystemCollection, rows: Vec<Vec<(&str, serde_json::Value)>>) -> InsertPlan {
    let collection = Arc::new(definition.collection());
    let value = |name: &str, value: &serde_json::Value| {
        let field = collection.field(name)?;
        let scalar: Scalar = field.ty.parse(value, field.column.as_ref()?).ok()?;
        Some((field.clone(), scalar))
    };
    let rows = rows
        .iter()
        .map(|row| row.iter().filter_map(|(name, json)| value(name, json)).collect())
        .collect();
    InsertPlan { collection, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_column() {
        let rows = rows();
        assert!(rows[0].rows.iter().all(|row| row.len() == 6), "{rows:?}");
        assert!(rows[1].rows.iter().all(|row| row.len() == 4), "{rows:?}");
        assert_eq!(rows[0].rows.len(), RECIPES.len());
        assert_eq!(rows[1].rows.len(), 13);
    }
}
