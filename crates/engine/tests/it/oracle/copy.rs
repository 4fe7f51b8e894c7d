//! A copy of the data as somebody sees it: rows that are not for them are gone, values that are not for them are NULL,
//! names that are not for them do not exist.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions::Evaluation;
use super::world::{Collection, Field, Relation, Row, Ty, Who, World};

/// What there is for somebody.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) tables: Vec<Table>,
    pub(super) relations: Vec<Relation>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) sort_field: Option<String>,
    pub(super) rows: Vec<Item>,
}

/// A row: `id` is always there.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) values: Row,
    /// The lists that are empty and the values that are NULL on it, whatever they are.
    pub(super) hidden: BTreeSet<String>,
}

/// What following a field leads to.
pub(super) enum Link<'c> {
    One(&'c Relation, &'c Table),
    Many(&'c Relation, &'c Table),
    /// The column that tells the collection, and the collections: one at least.
    Any(&'c Relation, &'c str, Vec<&'c Table>),
}

impl<'c> Link<'c> {
    pub(super) fn relation(&self) -> &'c Relation {
        match self {
            Self::One(relation, _) | Self::Many(relation, _) | Self::Any(relation, ..) => relation,
        }
    }
}

impl Table {
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Copy {
    /// Everything.
    pub(super) fn full(world: &World) -> Self {
        let table = |collection: &Collection| Table {
            name: collection.name.clone(),
            fields: collection.fields.clone(),
            sort_field: collection.sort_field.clone(),
            rows: world
                .rows
                .get(&collection.name)
                .into_iter()
                .flatten()
                .map(|row| Item {
                    values: row.clone(),
                    hidden: BTreeSet::new(),
                })
                .collect(),
        };
        Self {
            tables: world.collections.iter().map(table).collect(),
            relations: world.relations.clone(),
        }
    }

    /// What one of a world's people sees.
    pub(super) fn masked(world: &World, who: &Who) -> Self {
        let full = Self::full(world);
        let mut copy = full.clone();
        let layers = who.layers.iter().flatten();
        for policies in layers {
            copy.mask(world, &full, policies, who);
        }
        // A list that leads nowhere does not exist.
        let before = copy.clone();
        for table in &mut copy.tables {
            let name = table.name.clone();
            let leads = |field: &str| {
                before
                    .table(&name)
                    .is_some_and(|table| before.link(table, field).is_some())
            };
            table
                .fields
                .retain(|field| field.ty != Ty::Alias || leads(&field.name));
        }
        copy
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Takes away what a set of policies does not grant to read. Their conditions look at everything.
    fn mask(&mut self, world: &World, full: &Self, policies: &[usize], who: &Who) {
        let on_all = Evaluation::new(full, who);
        for table in &mut self.tables {
            let permissions: Vec<_> = world
                .permissions
                .iter()
                .filter(|permission| permission.is_for("read", &table.name, policies))
                .collect();
            let granted = |name: &str| permissions.iter().any(|permission| permission.grants(name));
            let mine = full.table(&table.name).expect("a copy has no table of its own");
            table.rows.retain_mut(|item| {
                let real = mine
                    .rows
                    .iter()
                    .find(|real| real.values["id"] == item.values["id"]);
                let lets: Vec<_> = permissions
                    .iter()
                    .filter(|permission| {
                        real.is_some_and(|real| permission.limits_let(&real.values))
                            && (permission.items.is_null() || on_all.matches(mine, real, &permission.items))
                    })
                    .collect();
                for field in &mine.fields {
                    if lets.iter().any(|permission| permission.grants(&field.name)) {
                        continue;
                    }
                    item.hidden.insert(field.name.clone());
                    if field.ty != Ty::Alias {
                        item.values.insert(field.name.clone(), Value::Null);
                    }
                }
                !lets.is_empty()
            });
            table.fields.retain(|field| granted(&field.name));
            assert!(
                on_all.refusals.borrow().is_empty(),
                "the rules of a world are well formed"
            );
        }
        // Even the key is gone where nothing is granted at all.
        self.tables.retain(|table| {
            let mut permissions = world.permissions.iter();
            permissions.any(|permission| permission.is_for("read", &table.name, policies))
        });
    }

    /// What a field leads to.
    pub(super) fn link(&self, table: &Table, name: &str) -> Option<Link<'_>> {
        table.field(name)?;
        self.relations.iter().find_map(|relation| {
            if relation.many == table.name && relation.field == name {
                return match (&relation.one, &relation.any) {
                    (Some(one), _) => Some(Link::One(relation, self.table(one)?)),
                    (None, Some((column, allowed))) => {
                        table.field(column)?;
                        let targets: Vec<_> = allowed.iter().filter_map(|name| self.table(name)).collect();
                        (!targets.is_empty()).then_some(Link::Any(relation, column, targets))
                    }
                    (None, None) => None,
                };
            }
            if relation.one.as_deref() == Some(&table.name) && relation.alias.as_deref() == Some(name) {
                let many = self.table(&relation.many)?;
                many.field(&relation.field)?;
                return Some(Link::Many(relation, many));
            }
            None
        })
    }

    /// The item of `target` that an item points to.
    pub(super) fn pointed_to<'c>(
        &self,
        target: &'c Table,
        relation: &Relation,
        item: &Item,
    ) -> Option<&'c Item> {
        if let Some((column, _)) = &relation.any
            && item.values.get(column).and_then(Value::as_str) != Some(&target.name)
        {
            return None;
        }
        let key = item.values.get(&relation.field)?;
        target.rows.iter().find(|row| same_key(&row.values["id"], key))
    }

    /// The items of `many` that point to an item of `one`.
    pub(super) fn pointing<'c>(
        &self,
        many: &'c Table,
        relation: &Relation,
        one: &Table,
        item: &Item,
    ) -> Vec<&'c Item> {
        if relation
            .alias
            .as_ref()
            .is_some_and(|alias| item.hidden.contains(alias))
        {
            return Vec::new();
        }
        let points = |row: &&Item| {
            let named = relation
                .any
                .as_ref()
                .is_none_or(|(column, _)| row.values.get(column).and_then(Value::as_str) == Some(&one.name));
            named
                && same_key(
                    &item.values["id"],
                    row.values.get(&relation.field).unwrap_or(&Value::Null),
                )
        };
        many.rows.iter().filter(points).collect()
    }
}

/// The text `7` and the number 7 are the same key; NULL is none.
fn same_key(left: &Value, right: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    text(left).is_some_and(|left| text(right) == Some(left))
}
