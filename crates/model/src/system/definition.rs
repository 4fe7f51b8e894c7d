//! How system collections are written down, and what becomes of them.

use serde_json::{Value, json};

use super::metadata;
use crate::plan::SchemaStep;
use crate::schema::{Action, Column, Default, Deselect, ForeignKey, Table};
use crate::{Collection, Field, Record, Relation, Scalar, StorageKind, field_types};

/// The definition of one system collection.
#[derive(Debug)]
pub struct SystemCollection {
    /// Its name, and the table's.
    pub name: &'static str,
    /// For people and assistants.
    pub note: &'static str,
    /// In the Studio's navigation.
    pub icon: Option<&'static str>,
    /// How an item is shown in one line.
    pub display_template: Option<&'static str>,
    /// Holds one item.
    pub singleton: bool,
    /// Whether its changes are recorded (`all`), or not at all.
    pub accountability: Option<&'static str>,
    /// The field that orders items by hand.
    pub sort_field: Option<&'static str>,
    /// The field that tells archived items, their value, and the value of restored ones.
    pub archive: Option<(&'static str, &'static str, &'static str)>,
    /// The migration that makes its table.
    pub since: u32,
    /// In the order of the table; aliases last.
    pub fields: &'static [SystemField],
    /// Those whose pointing column is here.
    pub relations: &'static [SystemRelation],
}

/// The definition of one field of a system collection.
#[derive(Clone, Copy, Debug)]
pub struct SystemField {
    /// Its name, and the column's.
    pub name: &'static str,
    /// The name of its field type.
    pub ty: &'static str,
    /// In characters.
    pub max_length: Option<u32>,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// What the database fills in.
    pub default: SystemDefault,
    /// Whether two rows may not have the same value.
    pub unique: bool,
    /// The migration that gives it an index that is not unique; `None`: it has none.
    pub indexed: Option<u32>,
    /// Whether it is the primary key.
    pub primary_key: bool,
    /// Whether the database numbers new rows.
    pub auto_increment: bool,
    /// Transforms and kinds.
    pub special: &'static [&'static str],
    /// How it is edited.
    pub interface: Option<&'static str>,
    /// The interface's options, as JSON.
    pub options: Option<&'static str>,
    /// How it is shown.
    pub display: Option<&'static str>,
    /// People do not edit it.
    pub readonly: bool,
    /// Left out of forms.
    pub hidden: bool,
    /// Must have a value.
    pub required: bool,
    /// Half as wide as a form.
    pub half: bool,
    /// For people and assistants.
    pub note: Option<&'static str>,
    /// The migration that adds its column; never before the one that makes the table.
    pub since: u32,
}

/// What the database fills into a system column.
#[derive(Clone, Copy, Debug)]
pub enum SystemDefault {
    /// NULL.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'static str),
    /// The time of the write.
    Now,
}

/// A relation whose pointing column belongs to the collection that lists it.
#[derive(Clone, Copy, Debug)]
pub struct SystemRelation {
    /// The column that points.
    pub field: &'static str,
    /// The collection pointed to, by its primary key.
    pub to: &'static str,
    /// The key column there.
    pub to_field: &'static str,
    /// The alias there that lists what points.
    pub alias: Option<&'static str>,
    /// On a junction: the other pointing column.
    pub junction: Option<&'static str>,
    /// The column that orders the list.
    pub sort: Option<&'static str>,
    /// Whether items that are taken off the list are deleted.
    pub deselect_deletes: bool,
    /// The foreign key's action when the row pointed to goes; `None`: no foreign key.
    pub on_delete: Option<Action>,
}

impl SystemField {
    const fn new(name: &'static str, ty: &'static str, special: &'static [&'static str]) -> Self {
        Self {
            name,
            ty,
            max_length: None,
            nullable: true,
            default: SystemDefault::None,
            unique: false,
            indexed: None,
            primary_key: false,
            auto_increment: false,
            special,
            interface: None,
            options: None,
            display: None,
            readonly: false,
            hidden: false,
            required: false,
            half: false,
            note: None,
            since: 1,
        }
    }

    /// Text of at most `max_length` characters.
    pub(super) const fn string(name: &'static str, max_length: u32) -> Self {
        let mut field = Self::new(name, "string", &[]).interface("input").half();
        field.max_length = Some(max_length);
        field
    }

    /// Text of any length.
    pub(super) const fn text(name: &'static str) -> Self {
        Self::new(name, "text", &[]).interface("input-multiline")
    }

    /// true or false, never NULL.
    pub(super) const fn boolean(name: &'static str, default: bool) -> Self {
        let mut field = Self::new(name, "boolean", &["cast-boolean"])
            .interface("boolean")
            .half();
        field.nullable = false;
        field.default = SystemDefault::Bool(default);
        field
    }

    /// A whole number of 32 bits.
    pub(super) const fn integer(name: &'static str) -> Self {
        Self::new(name, "integer", &[]).interface("input").half()
    }

    /// A whole number of 64 bits.
    pub(super) const fn big_integer(name: &'static str) -> Self {
        Self::new(name, "bigInteger", &[]).interface("input").half()
    }

    /// A binary floating-point number.
    pub(super) const fn float(name: &'static str) -> Self {
        Self::new(name, "float", &[]).interface("input").half()
    }

    /// A JSON value.
    pub(super) const fn json(name: &'static str) -> Self {
        Self::new(name, "json", &["cast-json"]).interface("input-code")
    }

    /// A list of texts.
    pub(super) const fn csv(name: &'static str) -> Self {
        Self::new(name, "csv", &["cast-csv"]).interface("tags")
    }

    /// A moment.
    pub(super) const fn timestamp(name: &'static str) -> Self {
        Self::new(name, "timestamp", &[])
            .interface("datetime")
            .display("datetime")
            .half()
    }

    /// A UUID that is not a relation.
    pub(super) const fn uuid(name: &'static str) -> Self {
        Self::new(name, "uuid", &[]).interface("input").half()
    }

    /// A UUID that points to an item of another collection.
    pub(super) const fn reference(name: &'static str) -> Self {
        Self::new(name, "uuid", &["m2o"])
            .interface("select-dropdown-m2o")
            .display("related-values")
            .half()
    }

    /// A UUID that points to a file.
    pub(super) const fn file(name: &'static str) -> Self {
        Self::new(name, "uuid", &["file"])
            .interface("file")
            .display("image")
            .half()
    }

    /// A secret that is stored hashed and never shown.
    pub(super) const fn hash(name: &'static str) -> Self {
        let mut field = Self::new(name, "hash", &["hash", "conceal"])
            .interface("input-hash")
            .half();
        field.max_length = Some(255);
        field
    }

    /// The primary key: a UUID that is made when none is given.
    pub(super) const fn key(name: &'static str) -> Self {
        let mut field = Self::new(name, "uuid", &["uuid"]).interface("input").hidden();
        field.nullable = false;
        field.primary_key = true;
        field.unique = true;
        field
    }

    /// The primary key: numbered by the database.
    pub(super) const fn serial(name: &'static str) -> Self {
        let mut field = Self::new(name, "integer", &[]).interface("input").hidden();
        field.nullable = false;
        field.primary_key = true;
        field.unique = true;
        field.auto_increment = true;
        field
    }

    /// A list of items that point here.
    pub(super) const fn o2m(name: &'static str) -> Self {
        Self::new(name, "alias", &["o2m"])
            .interface("list-o2m")
            .display("related-values")
    }

    /// A list of items on the other side of a junction.
    pub(super) const fn m2m(name: &'static str) -> Self {
        Self::new(name, "alias", &["m2m"])
            .interface("list-m2m")
            .display("related-values")
    }

    /// NULL is refused.
    pub(super) const fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The database fills this text in.
    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = SystemDefault::Text(text);
        self
    }

    /// The database fills this number in.
    pub(super) const fn default_number(mut self, number: i64) -> Self {
        self.default = SystemDefault::Int(number);
        self
    }

    /// The database fills in the time of the write.
    pub(super) const fn default_now(mut self) -> Self {
        self.default = SystemDefault::Now;
        self
    }

    /// Two rows may not have the same value.
    pub(super) const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Rows are looked up by it.
    pub(super) const fn indexed(self) -> Self {
        self.indexed_since(1)
    }

    /// Rows are looked up by it; the index came later than the column.
    pub(super) const fn indexed_since(mut self, migration: u32) -> Self {
        self.indexed = Some(migration);
        self
    }

    /// It is the primary key, and given by whoever makes the row.
    pub(super) const fn given_key(mut self) -> Self {
        self.nullable = false;
        self.primary_key = true;
        self.unique = true;
        self
    }

    /// Other transforms and kinds.
    pub(super) const fn special(mut self, special: &'static [&'static str]) -> Self {
        self.special = special;
        self
    }

    /// How it is edited.
    pub(super) const fn interface(mut self, interface: &'static str) -> Self {
        self.interface = Some(interface);
        self
    }

    /// The interface's options, as JSON.
    pub(super) const fn options(mut self, options: &'static str) -> Self {
        self.options = Some(options);
        self
    }

    /// How it is shown.
    pub(super) const fn display(mut self, display: &'static str) -> Self {
        self.display = Some(display);
        self
    }

    /// People do not edit it.
    pub(super) const fn readonly(mut self) -> Self {
        self.readonly = true;
        self
    }

    /// Left out of forms.
    pub(super) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Must have a value.
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Half as wide as a form.
    pub(super) const fn half(mut self) -> Self {
        self.half = true;
        self
    }

    /// For people and assistants.
    pub(super) const fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Its column came later than the table.
    pub(super) const fn since(mut self, migration: u32) -> Self {
        self.since = migration;
        self
    }

    /// The column; `None` for an alias.
    #[must_use]
    pub fn column(&self) -> Option<Column> {
        let kind = self.storage()?;
        Some(Column {
            name: self.name.to_owned(),
            kind,
            nullable: self.nullable,
            default: match self.default {
                SystemDefault::None => Default::None,
                SystemDefault::Bool(truth) => Default::Value(Scalar::Bool(truth)),
                SystemDefault::Int(number) => Default::Value(Scalar::Int(number)),
                SystemDefault::Text(text) => Default::Value(text.into()),
                SystemDefault::Now => Default::Now,
            },
            unique: self.unique || self.primary_key,
            indexed: self.indexed.is_some(),
            primary_key: self.primary_key,
            auto_increment: self.auto_increment,
            max_length: self.max_length,
            ..Column::default()
        })
    }

    fn storage(&self) -> Option<StorageKind> {
        field_types::by_name(self.ty).and_then(|ty| ty.storage())
    }

    /// The row of `directus_fields` that it would have.
    fn record(&self, collection: &str, sort: usize) -> Record {
        let special = (!self.special.is_empty()).then_some(self.special);
        let value = json!({
            "collection": collection,
            "field": self.name,
            "special": special,
            "interface": self.interface,
            "options": self.options.map(parse),
            "display": self.display,
            "display_options": null,
            "readonly": self.readonly,
            "hidden": self.hidden,
            "sort": sort,
            "width": if self.half { "half" } else { "full" },
            "translations": null,
            "note": self.note,
            "conditions": null,
            "required": self.required,
            "group": null,
            "validation": null,
            "validation_message": null,
            "searchable": true,
            "system": true,
        });
        record(value)
    }

    fn field(&self, collection: &str, sort: usize) -> Option<Field> {
        Some(Field {
            collection: collection.to_owned(),
            name: self.name.to_owned(),
            ty: field_types::by_name(self.ty)?,
            column: self.column(),
            meta: Some(metadata::field(self.record(collection, sort))),
            system: true,
        })
    }
}

impl SystemRelation {
    /// `field` points to the key `id` of an item of `to`; without foreign key, alias or junction.
    pub(super) const fn new(field: &'static str, to: &'static str) -> Self {
        Self {
            field,
            to,
            to_field: "id",
            alias: None,
            junction: None,
            sort: None,
            deselect_deletes: false,
            on_delete: None,
        }
    }

    /// With a foreign key.
    pub(super) const fn on_delete(mut self, action: Action) -> Self {
        self.on_delete = Some(action);
        self
    }

    /// To another key column than `id`.
    pub(super) const fn by(mut self, to_field: &'static str) -> Self {
        self.to_field = to_field;
        self
    }

    /// Listed there under a name.
    pub(super) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// One half of a junction; the other half is `field`.
    pub(super) const fn junction(mut self, field: &'static str) -> Self {
        self.junction = Some(field);
        self
    }

    /// The list is ordered by `field`.
    pub(super) const fn sort(mut self, field: &'static str) -> Self {
        self.sort = Some(field);
        self
    }

    /// What is taken off the list is deleted.
    pub(super) const fn deselect_deletes(mut self) -> Self {
        self.deselect_deletes = true;
        self
    }

    fn foreign_key(&self) -> Option<ForeignKey> {
        Some(ForeignKey {
            column: self.field.to_owned(),
            foreign_table: self.to.to_owned(),
            foreign_column: self.to_field.to_owned(),
            on_update: Action::NoAction,
            on_delete: self.on_delete?,
        })
    }

    fn relation(&self, collection: &str) -> Relation {
        Relation {
            many_collection: collection.to_owned(),
            many_field: self.field.to_owned(),
            one_collection: Some(self.to.to_owned()),
            one_field: self.alias.map(str::to_owned),
            junction_field: self.junction.map(str::to_owned),
            sort_field: self.sort.map(str::to_owned),
            one_deselect_action: if self.deselect_deletes {
                Deselect::Delete
            } else {
                Deselect::Nullify
            },
            foreign_key: self.foreign_key(),
            system: true,
            ..Relation::default()
        }
    }
}

impl SystemCollection {
    /// A collection without fields: the rest is named where it differs.
    pub(super) const fn new(name: &'static str, note: &'static str) -> Self {
        Self {
            name,
            note,
            icon: None,
            display_template: None,
            singleton: false,
            accountability: Some("all"),
            sort_field: None,
            archive: None,
            since: 1,
            fields: &[],
            relations: &[],
        }
    }

    /// Its columns, in the order of the table.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        self.fields.iter().filter_map(SystemField::column).collect()
    }

    /// What a migration does for it: makes its table with the columns of that time, or adds columns and indexes.
    #[must_use]
    pub fn migration(&self, number: u32) -> Vec<SchemaStep> {
        let table = || self.name.to_owned();
        let mut made = Vec::new();
        let mut indexed = Vec::new();
        for field in self.fields {
            let Some(mut column) = field.column() else {
                continue;
            };
            let since = field.since.max(self.since);
            let index_since = field.indexed.map_or(since, |migration| migration.max(since));
            if since == number {
                column.indexed &= index_since == number;
                made.push(column);
            } else if since < number && index_since == number {
                indexed.push(column);
            }
        }
        if self.since == number {
            return vec![SchemaStep::CreateTable {
                table: table(),
                columns: made,
                foreign_keys: self.foreign_keys(),
            }];
        }
        let added = made.into_iter().map(|column| SchemaStep::AddColumn {
            table: table(),
            column,
        });
        let altered = indexed.into_iter().map(|column| SchemaStep::AlterColumn {
            table: table(),
            column,
        });
        added.chain(altered).collect()
    }

    /// Its foreign keys.
    #[must_use]
    pub fn foreign_keys(&self) -> Vec<ForeignKey> {
        let mut keys: Vec<ForeignKey> = Vec::new();
        for key in self.relations.iter().filter_map(SystemRelation::foreign_key) {
            if keys.iter().all(|known| known.column != key.column) {
                keys.push(key);
            }
        }
        keys
    }

    /// The relations whose pointing column is here.
    #[must_use]
    pub fn relations(&self) -> Vec<Relation> {
        self.relations
            .iter()
            .map(|relation| relation.relation(self.name))
            .collect()
    }

    /// A field's definition by its exact name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&SystemField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The collection as it is defined: no fields of users' own.
    #[must_use]
    pub fn collection(&self) -> Collection {
        let fields: indexmap::IndexMap<_, _> = self
            .fields
            .iter()
            .enumerate()
            .filter_map(|(sort, field)| field.field(self.name, sort + 1))
            .map(|field| (field.name.clone(), std::sync::Arc::new(field)))
            .collect();
        let primary = fields
            .values()
            .find(|field| field.column.as_ref().is_some_and(|column| column.primary_key))
            .cloned();
        Collection {
            name: self.name.to_owned(),
            table: Some(Table {
                columns: self.columns(),
                foreign_keys: self.foreign_keys(),
                ..Table::default()
            }),
            meta: Some(metadata::collection(self.record())),
            system: true,
            fields,
            primary,
        }
    }

    /// The row of `directus_collections` that it would have.
    #[must_use]
    pub fn record(&self) -> Record {
        record(json!({
            "collection": self.name,
            "hidden": false,
            "singleton": self.singleton,
            "icon": self.icon,
            "note": self.note,
            "translations": null,
            "display_template": self.display_template,
            "accountability": self.accountability,
            "sort_field": self.sort_field,
            "archive_field": self.archive.map(|(field, _, _)| field),
            "archive_value": self.archive.map(|(_, value, _)| value),
            "unarchive_value": self.archive.map(|(_, _, value)| value),
            "system": true,
        }))
    }
}

fn record(value: Value) -> Record {
    match value {
        Value::Object(record) => record,
        _ => Record::new(),
    }
}

/// Options are literals of this crate; a test reads each of them.
fn parse(options: &str) -> Value {
    serde_json::from_str(options).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn options_are_json() {
        for collection in super::super::COLLECTIONS {
            for field in collection.fields {
                if let Some(options) = field.options {
                    let parsed = serde_json::from_str::<serde_json::Value>(options);
                    assert!(
                        parsed.is_ok_and(|value| value.is_object()),
                        "{}.{}",
                        collection.name,
                        field.name
                    );
                }
            }
        }
    }
}
