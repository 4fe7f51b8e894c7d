//! Worlds by chance.

use serde_json::{Value, json};

use super::asking;
use super::copy::Copy;
use super::dice::Dice;
use super::world::{
    Collection, Field, LOCALES, Permission, ROLES, Relation, Row, STATUSES, Ty, USERS, Who, World, values_of,
};

const NAMES: [&str; 5] = ["alphas", "bravos", "charlies", "deltas", "echoes"];

/// The world of a seed.
pub(super) fn world(seed: u64) -> World {
    let mut dice = Dice::new(seed);
    let mut world = World {
        seed,
        ..World::default()
    };
    let count = dice.between(2, 4);
    for name in &NAMES[..count] {
        let fields = fields(&mut dice, name);
        let collection = Collection {
            name: (*name).to_owned(),
            sort_field: dice.chance(25).then(|| sortable(&mut dice, &fields)).flatten(),
            fields,
        };
        world.collections.push(collection);
    }
    to_one(&mut dice, &mut world, count);
    if dice.chance(55) {
        junction(&mut dice, &mut world, count);
    }
    if dice.chance(45) {
        any(&mut dice, &mut world, count);
    }
    fill(&mut dice, &mut world);
    rights(&mut dice, &mut world);
    world
}

/// Names tell the collection, so that a test can tell whose name an error tells.
fn field(prefix: &str, name: &str, ty: Ty) -> Field {
    Field {
        name: format!("{prefix}_{name}"),
        ty,
    }
}

fn prefix(collection: &str) -> &str {
    &collection[..2]
}

fn fields(dice: &mut Dice, collection: &str) -> Vec<Field> {
    let key = if dice.chance(25) { Ty::String } else { Ty::Integer };
    let mut fields = vec![Field {
        name: "id".to_owned(),
        ty: key,
    }];
    for j in 0..dice.between(2, 5) {
        let ty = *dice.one(&Ty::SCALAR);
        fields.push(field(prefix(collection), &format!("{}{j}", ty.name()), ty));
    }
    for name in ["locale", "status"] {
        if dice.chance(30) {
            fields.push(Field {
                name: name.to_owned(),
                ty: Ty::String,
            });
        }
    }
    fields
}

/// A limit on one of these values or several, where a collection has the field.
pub(super) fn limit(
    dice: &mut Dice,
    collection: &Collection,
    field: &str,
    of: &[&str],
) -> Option<Vec<String>> {
    let there = collection.fields.iter().any(|known| known.name == field);
    let mut some: Vec<_> = of
        .iter()
        .filter(|_| there && dice.chance(50))
        .map(|value| (*value).to_owned())
        .collect();
    some.truncate(2);
    (!some.is_empty() && dice.chance(40)).then_some(some)
}

fn sortable(dice: &mut Dice, fields: &[Field]) -> Option<String> {
    let sortable: Vec<_> = fields
        .iter()
        .filter(|field| !matches!(field.ty, Ty::Json | Ty::Alias))
        .collect();
    dice.any(&sortable).map(|field| field.name.clone())
}

/// Adds a pointing column.
fn pointing(world: &mut World, many: usize, name: &str, one: usize, alias: Option<&str>) -> Relation {
    let key = world.collections[one].fields[0].ty;
    let column = field(prefix(&world.collections[many].name), name, key);
    let alias = alias.map(|alias| field(prefix(&world.collections[one].name), alias, Ty::Alias));
    let relation = Relation {
        many: world.collections[many].name.clone(),
        field: column.name.clone(),
        one: Some(world.collections[one].name.clone()),
        alias: alias.as_ref().map(|alias| alias.name.clone()),
        any: None,
        sort_field: None,
        deletes: false,
    };
    world.collections[many].fields.push(column);
    world.collections[one].fields.extend(alias);
    relation
}

fn to_one(dice: &mut Dice, world: &mut World, count: usize) {
    for i in 0..dice.between(1, 3) {
        let (many, one) = (dice.below(count), dice.below(count));
        let alias = format!("list{i}");
        let alias = dice.chance(70).then_some(alias.as_str());
        let mut relation = pointing(world, many, &format!("one{i}"), one, alias);
        if dice.chance(30) {
            relation.sort_field = sortable(dice, &world.collections[many].fields.clone())
                .filter(|name| *name != relation.field);
        }
        world.relations.push(relation);
    }
}

fn plain(name: &str) -> Collection {
    Collection {
        name: name.to_owned(),
        fields: vec![Field {
            name: "id".to_owned(),
            ty: Ty::Integer,
        }],
        sort_field: None,
    }
}

fn junction(dice: &mut Dice, world: &mut World, count: usize) {
    let at = world.collections.len();
    world.collections.push(plain("joins"));
    let (left, right) = (dice.below(count), dice.below(count));
    let mut first = pointing(world, at, "left", left, Some("joined"));
    let back = dice.chance(50).then_some("joining");
    let second = pointing(world, at, "right", right, back);
    if dice.chance(50) {
        let sort = field("jo", "sort", Ty::Integer);
        first.sort_field = Some(sort.name.clone());
        world.collections[at].fields.push(sort);
    }
    first.deletes = dice.chance(50);
    world.relations.extend([first, second]);
}

fn any(dice: &mut Dice, world: &mut World, count: usize) {
    let at = world.collections.len();
    world.collections.push(plain("mixes"));
    let owner = dice.below(count);
    let owned = pointing(world, at, "owner", owner, Some("blocks"));
    let fields = [
        field("mi", "item", Ty::String),
        field("mi", "collection", Ty::String),
    ];
    let mut allowed: Vec<_> = NAMES[..count].iter().map(|name| (*name).to_owned()).collect();
    if dice.chance(50) {
        allowed.remove(dice.below(count));
    }
    world.relations.push(Relation {
        many: "mixes".to_owned(),
        field: fields[0].name.clone(),
        one: None,
        alias: None,
        any: Some((fields[1].name.clone(), allowed)),
        sort_field: None,
        deletes: false,
    });
    world.relations.push(owned);
    world.collections[at].fields.extend(fields);
}

fn key(ty: Ty, i: usize) -> Value {
    match ty {
        Ty::String => format!("k{i}").into(),
        _ => i.into(),
    }
}

fn fill(dice: &mut Dice, world: &mut World) {
    let counts: Vec<_> = world
        .collections
        .iter()
        .map(|collection| match collection.name.as_str() {
            "joins" | "mixes" => dice.between(0, 7),
            _ => dice.between(0, 6),
        })
        .collect();
    let size = |name: &str| {
        let at = world.collections.iter().position(|other| other.name == name);
        at.map_or(0, |at| counts[at])
    };
    for (collection, count) in world.collections.iter().zip(&counts) {
        let mut rows: Vec<Row> = Vec::new();
        for i in 1..=*count {
            let mut row = Row::new();
            for field in collection.fields.iter().filter(|field| field.ty != Ty::Alias) {
                let value = if field.name == "id" {
                    key(field.ty, i)
                } else if dice.chance(20) {
                    Value::Null
                } else {
                    dice.one(&values_of(field)).clone()
                };
                row.insert(field.name.clone(), value);
            }
            let pointing = world
                .relations
                .iter()
                .filter(|relation| relation.many == collection.name);
            for relation in pointing {
                let to = match (&relation.one, &relation.any) {
                    (Some(one), _) => one.clone(),
                    (None, Some((column, allowed))) => {
                        let to = dice.any(allowed).cloned().unwrap_or_default();
                        row.insert(column.clone(), to.clone().into());
                        to
                    }
                    (None, None) => continue,
                };
                // A row of the same collection can only be pointed to when it is there already.
                let there = if to == collection.name { i - 1 } else { size(&to) };
                let ty = world.collection(&to).map_or(Ty::Integer, |to| to.fields[0].ty);
                let value = match there {
                    0 => Value::Null,
                    _ if dice.chance(20) => Value::Null,
                    there => key(ty, dice.between(1, there)),
                };
                let value = match (&relation.any, value) {
                    (Some(_), Value::Number(number)) => number.to_string().into(),
                    (_, value) => value,
                };
                row.insert(relation.field.clone(), value);
            }
            rows.push(row);
        }
        world.rows.insert(collection.name.clone(), rows);
    }
}

fn rights(dice: &mut Dice, world: &mut World) {
    world.policies = dice.between(2, 4);
    let full = Copy::full(world);
    for policy in 0..world.policies {
        for _ in 0..dice.between(1, 7) {
            let permission = permission(dice, world, &full, policy);
            world.permissions.push(permission);
        }
    }
    let everyone = |dice: &mut Dice, policies: usize| {
        let mut some: Vec<_> = (0..policies).filter(|_| dice.chance(60)).collect();
        if some.is_empty() {
            some.push(dice.below(policies));
        }
        some
    };
    world.callers.push(Who {
        name: "admin".to_owned(),
        user: Some(0),
        roles: Vec::new(),
        layers: vec![None],
    });
    for i in 0..dice.between(2, 4) {
        let mut layers = vec![Some(everyone(dice, world.policies))];
        if dice.chance(15) {
            layers = vec![None];
        }
        if dice.chance(35) || layers[0].is_none() {
            layers.push(Some(everyone(dice, world.policies)));
        }
        let user = dice.chance(85).then(|| dice.below(USERS.len()));
        let role = user.map(|user| user % ROLES.len());
        world.callers.push(Who {
            name: format!("caller{i}"),
            user,
            roles: role.map_or(Vec::new(), |role| (role..ROLES.len()).collect()),
            layers,
        });
    }
}

fn permission(dice: &mut Dice, world: &World, full: &Copy, policy: usize) -> Permission {
    let collection = dice.one(&world.collections);
    let everywhere = dice.chance(8);
    let fields = if everywhere || dice.chance(30) {
        vec!["*".to_owned()]
    } else {
        let some = collection.fields.iter().filter(|_| dice.chance(60));
        some.map(|field| field.name.clone()).collect()
    };
    let items = match dice.below(10) {
        0..=3 => Value::Null,
        4 => json!({}),
        _ if everywhere => Value::Null,
        _ => asking::rule(dice, full, &collection.name),
    };
    let limit = |dice: &mut Dice, field: &str, of: &[&str]| {
        (!everywhere)
            .then(|| limit(dice, collection, field, of))
            .flatten()
    };
    let (locales, statuses) = (limit(dice, "locale", &LOCALES), limit(dice, "status", &STATUSES));
    Permission {
        policy,
        collection: if everywhere {
            "*".to_owned()
        } else {
            collection.name.clone()
        },
        action: "read",
        fields,
        items,
        validation: Value::Null,
        presets: Value::Null,
        locales,
        statuses,
    }
}
