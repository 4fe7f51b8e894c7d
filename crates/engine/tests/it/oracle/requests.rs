//! Writes by chance: items with items nested in them, values written in every way.

use serde_json::{Value, json};

use super::copy::{Copy, Link, Table};
use super::dice::Dice;
use super::validation::spellings;
use super::values::{Kind, takes};
use super::world::{Collection, Field, LOCALES, Permission, Row, STATUSES, Ty, World, values_of};
use super::{asking, making};

/// What is tried.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) action: &'static str,
    pub(super) collection: String,
    /// The items that are changed or deleted.
    pub(super) keys: Vec<Value>,
    /// What is sent.
    pub(super) data: Value,
}

/// An attempt; `None` where nothing can be tried.
pub(super) fn attempt(dice: &mut Dice, world: &World) -> Option<Attempt> {
    let copy = Copy::full(world);
    let table = dice.any(&copy.tables)?;
    let action = *dice.one(&["create", "create", "update", "update", "update", "delete"]);
    let mut making = Making {
        copy: &copy,
        used: Vec::new(),
    };
    if action == "create" {
        let data = Value::Object(making.item(dice, table, true, 2));
        return Some(Attempt {
            action,
            collection: table.name.clone(),
            keys: Vec::new(),
            data,
        });
    }
    let mut keys = Vec::new();
    for _ in 0..if dice.chance(15) { 2 } else { 1 } {
        keys.extend(making.existing(dice, table));
    }
    if keys.is_empty() || dice.chance(5) {
        keys.push(json!("99"));
    }
    let data = match action {
        "update" => making.item(dice, table, false, if keys.len() == 1 { 2 } else { 1 }),
        _ => Row::new(),
    };
    Some(Attempt {
        action,
        collection: table.name.clone(),
        keys,
        data: Value::Object(data),
    })
}

struct Making<'c> {
    copy: &'c Copy,
    /// Items that are written already, by collection: nothing is written twice.
    used: Vec<(String, Value)>,
}

impl Making<'_> {
    /// An item that is there and is not written yet.
    fn existing(&mut self, dice: &mut Dice, table: &Table) -> Option<Value> {
        let key = dice.any(&table.rows)?.values["id"].clone();
        let name = (table.name.clone(), key.clone());
        if self.used.contains(&name) {
            return None;
        }
        self.used.push(name);
        Some(key)
    }

    /// What is sent of an item. `lists` only where `depth` is 2: items that several would share belong to the last.
    fn item(&mut self, dice: &mut Dice, table: &Table, new: bool, depth: usize) -> Row {
        let mut data = Row::new();
        if new {
            let key = table.field("id").map_or(Ty::Integer, |field| field.ty);
            match key {
                Ty::String => {
                    _ = data.insert("id".to_owned(), format!("n{}", dice.next() % 1_000_000).into())
                }
                _ if dice.chance(35) => {
                    data.insert("id".to_owned(), (100 + dice.next() % 1_000_000).into());
                }
                _ => {}
            }
        }
        let plain: Vec<_> = table
            .fields
            .iter()
            .filter(|field| self.is_plain(table, field))
            .collect();
        for _ in 0..dice.between(usize::from(depth < 2), 2) {
            if let Some(field) = dice.any(&plain) {
                data.insert(field.name.clone(), value(dice, field));
            }
        }
        let linked: Vec<_> = table
            .fields
            .iter()
            .filter(|field| self.copy.link(table, &field.name).is_some())
            .collect();
        if dice.chance(70)
            && let Some(field) = dice.any(&linked)
        {
            self.link(dice, table, field, new, depth, &mut data);
        }
        data
    }

    /// Fields that point nowhere and say of none where it points.
    fn is_plain(&self, table: &Table, field: &Field) -> bool {
        let says = self.copy.relations.iter().any(|relation| {
            relation.many == table.name
                && (relation.field == field.name
                    || relation
                        .any
                        .as_ref()
                        .is_some_and(|(column, _)| *column == field.name))
        });
        field.name != "id" && field.ty != Ty::Alias && !says
    }

    fn link(
        &mut self,
        dice: &mut Dice,
        table: &Table,
        field: &Field,
        new: bool,
        depth: usize,
        data: &mut Row,
    ) {
        match self.copy.link(table, &field.name) {
            Some(Link::One(_, target)) => {
                let value = self.one(dice, target, depth);
                data.insert(field.name.clone(), value);
            }
            Some(Link::Any(_, column, targets)) if new => {
                if let Some(target) = dice.any(&targets) {
                    data.insert(column.to_owned(), target.name.clone().into());
                    let value = self.one(dice, target, depth);
                    data.insert(field.name.clone(), value);
                }
            }
            Some(Link::Many(_, many)) if depth == 2 => {
                let value = self.list(dice, many);
                data.insert(field.name.clone(), value);
            }
            _ => {}
        }
    }

    /// A key, an item that changes, a new one, or nothing.
    fn one(&mut self, dice: &mut Dice, target: &Table, depth: usize) -> Value {
        let below = depth.saturating_sub(1);
        match dice.below(if depth > 0 { 10 } else { 4 }) {
            0 => Value::Null,
            1..=3 => dice
                .any(&target.rows)
                .map_or(Value::Null, |row| row.values["id"].clone()),
            4 => match self.existing(dice, target) {
                Some(key) => json!({"id": key}),
                None => Value::Null,
            },
            5 | 6 => match self.existing(dice, target) {
                Some(key) => {
                    let mut data = self.item(dice, target, false, below.min(1));
                    data.insert("id".to_owned(), key);
                    Value::Object(data)
                }
                None => Value::Null,
            },
            _ => Value::Object(self.item(dice, target, true, below.min(1))),
        }
    }

    fn list(&mut self, dice: &mut Dice, many: &Table) -> Value {
        let entries = |making: &mut Self, dice: &mut Dice, kinds: &[usize]| -> Vec<Value> {
            let some = (0..dice.below(3)).filter_map(|_| match dice.one(kinds) {
                0 => making.existing(dice, many),
                1 => {
                    let key = making.existing(dice, many)?;
                    let mut data = making.item(dice, many, false, 1);
                    data.insert("id".to_owned(), key);
                    Some(Value::Object(data))
                }
                _ => Some(Value::Object(making.item(dice, many, true, 1))),
            });
            some.collect()
        };
        if dice.chance(40) {
            return entries(self, dice, &[0, 1, 2]).into();
        }
        let create = entries(self, dice, &[2]);
        let update = entries(self, dice, &[0, 1]);
        let delete = entries(self, dice, &[0]);
        let mut change = json!({});
        for (name, some) in [("create", create), ("update", update), ("delete", delete)] {
            if !some.is_empty() {
                change[name] = some.into();
            }
        }
        change
    }
}

/// A value of a field, written in one of the ways to write it.
fn value(dice: &mut Dice, field: &Field) -> Value {
    if dice.chance(12) {
        return Value::Null;
    }
    let value = dice.one(&values_of(field)).clone();
    written(dice, field.ty, value)
}

fn written(dice: &mut Dice, ty: Ty, value: Value) -> Value {
    let others = spellings(ty, &value);
    match dice.any(&others) {
        Some(other) if dice.chance(40) => other.clone(),
        _ => value,
    }
}

/// A permission to write, with limits, presets and validation.
pub(super) fn permission(dice: &mut Dice, world: &World) -> Permission {
    let collection = dice.one(&world.collections);
    let action = *dice.one(&["create", "create", "update", "update", "update", "delete"]);
    let some = collection.fields.iter().filter(|_| dice.chance(70));
    let some: Vec<_> = some.map(|field| field.name.clone()).collect();
    let fields = if dice.chance(60) {
        vec!["*".to_owned()]
    } else {
        some
    };
    let copy = Copy::full(world);
    let items = match action {
        _ if dice.chance(60) => Value::Null,
        _ => asking::rule(dice, &copy, &collection.name),
    };
    let writes = action != "delete";
    let validation = match writes && dice.chance(45) {
        true => validation(dice, &copy, collection, 1),
        false => Value::Null,
    };
    let presets = match writes && dice.chance(35) {
        true => presets(dice, world, collection),
        false => Value::Null,
    };
    Permission {
        policy: dice.below(world.policies),
        collection: collection.name.clone(),
        action,
        fields,
        items,
        validation,
        presets,
        locales: making::limit(dice, collection, "locale", &LOCALES),
        statuses: making::limit(dice, collection, "status", &STATUSES),
    }
}

fn presets(dice: &mut Dice, world: &World, collection: &Collection) -> Value {
    let points = |name: &str| {
        world.relations.iter().any(|relation| {
            relation.many == collection.name
                && (relation.field == name || relation.any.as_ref().is_some_and(|(column, _)| column == name))
        })
    };
    let plain = collection.fields.iter();
    let plain: Vec<_> = plain
        .filter(|field| field.name != "id" && field.ty != Ty::Alias && !points(&field.name))
        .collect();
    let mut presets = Row::new();
    for _ in 0..dice.between(1, 2) {
        if let Some(field) = dice.any(&plain) {
            presets.insert(field.name.clone(), value(dice, field));
        }
    }
    Value::Object(presets)
}

/// A rule on what is written.
fn validation(dice: &mut Dice, copy: &Copy, collection: &Collection, depth: usize) -> Value {
    if depth > 0 && dice.chance(30) {
        let both = [
            validation(dice, copy, collection, depth - 1),
            validation(dice, copy, collection, depth - 1),
        ];
        return json!({ *dice.one(&["_and", "_or"]): both });
    }
    let columns: Vec<_> = collection
        .fields
        .iter()
        .filter(|field| field.ty != Ty::Alias)
        .collect();
    let table = copy.table(&collection.name);
    let pointing: Vec<_> = columns
        .iter()
        .filter_map(|field| match copy.link(table?, &field.name)? {
            Link::One(_, target) => Some((field.name.clone(), target)),
            _ => None,
        })
        .collect();
    if depth > 0
        && dice.chance(20)
        && let Some((name, target)) = dice.any(&pointing)
    {
        let beyond = Collection {
            name: target.name.clone(),
            fields: target.fields.clone(),
            sort_field: None,
        };
        return json!({ name.as_str(): validation(dice, copy, &beyond, 0) });
    }
    let field = match dice.any(&pointing) {
        Some((name, _)) if dice.chance(25) => columns.iter().find(|field| field.name == *name),
        _ => dice.any(&columns),
    };
    let Some(field) = field else {
        return Value::Null;
    };
    json!({ field.name.as_str(): tests(dice, field) })
}

fn tests(dice: &mut Dice, field: &Field) -> Value {
    const OPERATORS: [&str; 20] = [
        "_eq",
        "_neq",
        "_neq",
        "_lt",
        "_lte",
        "_gt",
        "_gte",
        "_in",
        "_nin",
        "_nin",
        "_between",
        "_nbetween",
        "_null",
        "_nnull",
        "_empty",
        "_nempty",
        "_submitted",
        "_ncontains",
        "_starts_with",
        "_nends_with",
    ];
    let fitting = |operator: &&str| *operator == "_submitted" || takes(Kind::Field(field.ty), operator);
    let fitting: Vec<_> = OPERATORS.into_iter().filter(fitting).collect();
    let operator = *dice.one(&fitting);
    let argument = match operator {
        "_null" | "_nnull" | "_empty" | "_nempty" | "_submitted" => json!(dice.chance(70)),
        "_in" => (0..dice.between(1, 4)).map(|_| argument(dice, field)).collect(),
        "_nin" => (0..dice.between(1, 2)).map(|_| argument(dice, field)).collect(),
        "_between" | "_nbetween" => [something(dice, field), something(dice, field)]
            .into_iter()
            .collect(),
        "_ncontains" | "_starts_with" | "_nends_with" if dice.chance(80) => {
            json!(*dice.one(&["a", "A", "e", "", "äS"]))
        }
        "_eq" | "_neq" => argument(dice, field),
        _ => something(dice, field),
    };
    json!({ operator: argument })
}

fn something(dice: &mut Dice, field: &Field) -> Value {
    match argument(dice, field) {
        Value::Null => values_of(field)[0].clone(),
        argument => argument,
    }
}

fn argument(dice: &mut Dice, field: &Field) -> Value {
    match field.ty {
        _ if dice.chance(8) => Value::Null,
        Ty::String | Ty::Text if dice.chance(12) => json!("$CURRENT_USER.first_name"),
        Ty::Uuid if dice.chance(30) => json!(*dice.one(&["$CURRENT_USER", "$CURRENT_ROLE"])),
        Ty::Timestamp if dice.chance(20) => json!(*dice.one(&["$NOW", "$NOW(-1 day)"])),
        Ty::Integer if dice.chance(25) => json!(dice.between(1, 9)),
        Ty::String if dice.chance(20) => json!(*dice.one(&["k1", "k2", "1", "2"])),
        ty => {
            let value = dice.one(&values_of(field)).clone();
            written(dice, ty, value)
        }
    }
}
