//! Worlds become engines.

use loggia_access::{Caller, Claims, Layer, Origin};
use loggia_engine::Engine;
use loggia_engine::items::{Target, WriteOptions};
use serde_json::{Value, json};

use super::world::{Collection, ROLES, Relation, Ty, USERS, Who, World};
use crate::fixture::{administrator, engine, insert};

/// An engine over the database of a world.
pub(super) async fn build(world: &World) -> Engine {
    let (engine, admin) = (engine().await, administrator());
    let collections = world.collections.iter().map(collection).collect();
    let made = engine.create_collections(&admin, collections).await;
    made.unwrap_or_else(|error| panic!("{:?}", error.problems()));
    for relation in &world.relations {
        let made = engine
            .create_complete_relation(&admin, relation_body(relation))
            .await;
        made.unwrap_or_else(|error| panic!("{relation:?}: {:?}", error.problems()));
    }
    let roles: Vec<_> = ROLES
        .iter()
        .enumerate()
        .map(|(i, key)| json!({"id": key, "name": format!("role{i}")}))
        .collect();
    insert(&engine, "directus_roles", &roles).await;
    insert(&engine, "directus_users", &World::users()).await;
    rights(&engine, world).await;
    fill(&engine, world).await;
    engine
}

/// First the items, then what they point to: it must be there.
async fn fill(engine: &Engine, world: &World) {
    for (name, rows) in world.rows.iter().filter(|(_, rows)| !rows.is_empty()) {
        let rows: Vec<_> = rows.iter().cloned().map(Value::Object).collect();
        let without: Vec<_> = rows
            .iter()
            .map(|row| {
                let mut row = row.clone();
                for relation in world
                    .relations
                    .iter()
                    .filter(|relation| relation.many == *name && relation.one.is_some())
                {
                    row[&relation.field] = Value::Null;
                }
                row
            })
            .collect();
        insert(engine, name, &without).await;
    }
    for (name, rows) in &world.rows {
        let pointing: Vec<_> = world
            .relations
            .iter()
            .filter(|relation| relation.many == *name && relation.one.is_some())
            .collect();
        if rows.is_empty() || pointing.is_empty() {
            continue;
        }
        let pointed = rows.iter().map(|row| {
            let columns = pointing
                .iter()
                .map(|relation| (relation.field.clone(), row[&relation.field].clone()));
            let key = ("id".to_owned(), row["id"].clone());
            std::iter::once(key).chain(columns).collect()
        });
        let target = Target::Each(pointed.collect());
        let done = engine
            .update_items(&administrator(), name, target, &WriteOptions::default())
            .await;
        done.unwrap_or_else(|error| panic!("{:?}", error.problems()));
    }
}

fn collection(collection: &Collection) -> Value {
    let fields = collection
        .fields
        .iter()
        .filter(|field| field.ty != Ty::Alias)
        .map(|field| {
            let primary = field.name == "id";
            json!({
                "field": field.name, "type": field.ty.name(), "meta": {},
                "schema": {"is_primary_key": primary, "is_nullable": !primary,
                    "has_auto_increment": primary && field.ty == Ty::Integer},
            })
        });
    let fields: Vec<_> = fields.collect();
    json!({
        "collection": collection.name, "schema": {}, "fields": fields,
        "meta": {"sort_field": collection.sort_field},
    })
}

fn relation_body(relation: &Relation) -> Value {
    let any = relation.any.as_ref();
    json!({
        "collection": relation.many, "field": relation.field, "related_collection": relation.one,
        "schema": relation.one.as_ref().map(|_| json!({"on_delete": "SET NULL"})),
        "meta": {
            "one_field": relation.alias, "sort_field": relation.sort_field,
            "one_deselect_action": if relation.deletes { "delete" } else { "nullify" },
            "one_collection_field": any.map(|(column, _)| column),
            "one_allowed_collections": any.map(|(_, allowed)| allowed),
        },
    })
}

async fn rights(engine: &Engine, world: &World) {
    let admin = administrator();
    let policies = (0..world.policies).map(|i| json!({"id": World::policy(i), "name": format!("policy{i}")}));
    let permissions = world.permissions.iter().map(|permission| {
        json!({
            "policy": World::policy(permission.policy), "collection": permission.collection,
            "action": permission.action, "fields": permission.fields, "permissions": permission.items,
            "validation": permission.validation, "presets": permission.presets,
            "locales": permission.locales, "statuses": permission.statuses,
        })
    });
    for (collection, rows) in [
        ("directus_policies", policies.collect::<Vec<_>>()),
        ("directus_permissions", permissions.collect()),
    ] {
        let rows = rows
            .into_iter()
            .filter_map(|row| row.as_object().cloned())
            .collect();
        let made = engine
            .create_items(&admin, collection, rows, &WriteOptions::default())
            .await;
        made.unwrap_or_else(|error| panic!("{:?}", error.problems()));
    }
}

/// Somebody as the engine knows them.
pub(super) fn caller(who: &Who) -> Caller {
    let keys = |policies: &Vec<usize>| policies.iter().map(|i| World::policy(*i)).collect::<Vec<_>>();
    let layers: Vec<_> = who
        .layers
        .iter()
        .map(|layer| Layer {
            policies: layer.as_ref().map(keys).unwrap_or_default(),
            admin: layer.is_none(),
        })
        .collect();
    Caller::established(Claims {
        user: who.user.map(|user| USERS[user].to_owned()),
        role: who.roles.first().map(|role| ROLES[*role].to_owned()),
        roles: who.roles.iter().map(|role| ROLES[*role].to_owned()).collect(),
        policies: layers
            .first()
            .map(|layer| layer.policies.clone())
            .unwrap_or_default(),
        layers,
        token: None,
        app_access: false,
        session: None,
        origin: Origin::Rest,
        ip: None,
        user_agent: None,
    })
}
