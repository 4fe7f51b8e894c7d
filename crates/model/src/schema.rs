//! An immutable snapshot of what is stored: collections, their fields, and the relations between them.
//!
//! A snapshot is built by the engine from the tables that the database really has and from the metadata in
//! `directus_collections`, `directus_fields` and `directus_relations`, then shared by `Arc` and swapped whole.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use crate::{FieldType, Record, Scalar, StorageKind};

/// Everything that can be asked about, at one version.
#[derive(Debug, Default)]
pub struct Schema {
    /// Grows by one with every change of the schema.
    pub version: u64,
    /// By name, in the order of the Studio's navigation.
    pub collections: IndexMap<String, Arc<Collection>>,
    /// Every relation once.
    pub relations: Vec<Arc<Relation>>,
    /// Which of them a field takes part in: by collection, then by field.
    links: HashMap<String, HashMap<String, Vec<usize>>>,
}

/// A table of items, or a folder (no table) that groups collections in the Studio.
#[derive(Debug)]
pub struct Collection {
    /// Also the name of the table.
    pub name: String,
    /// `None`: a folder.
    pub table: Option<Table>,
    /// What `directus_collections` says; `None` for a table that was never configured.
    pub meta: Option<CollectionMeta>,
    /// Ours: can be extended with fields, but never altered or dropped.
    pub system: bool,
    /// By name, in the order of `meta.sort`, then of the table.
    pub fields: IndexMap<String, Arc<Field>>,
    /// The field that identifies an item; folders have none.
    pub primary: Option<Arc<Field>>,
}

/// What the database knows of a table beyond its columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Columns in the order of the table.
    pub columns: Vec<Column>,
    /// Foreign keys of one column.
    pub foreign_keys: Vec<ForeignKey>,
    /// Several columns each, whose values together no two rows share.
    pub uniques: Vec<Vec<String>>,
    /// Its rows are worked out from other tables, and never written.
    pub view: bool,
    /// Comment, where the database keeps one.
    pub comment: Option<String>,
}

/// The presentation and behaviour of a collection: the row of `directus_collections`.
#[derive(Clone, Debug, Default)]
pub struct CollectionMeta {
    /// The row as it is served, without `collection`.
    pub record: Record,
    /// Holds one item at most.
    pub singleton: bool,
    /// Left out of the navigation.
    pub hidden: bool,
    /// For people and assistants.
    pub note: Option<String>,
    /// The folder or collection that it is shown in.
    pub group: Option<String>,
    /// The field that orders items by hand.
    pub sort_field: Option<String>,
    /// The field that tells archived items, and its values.
    pub archive_field: Option<String>,
    /// Items with this value in `archive_field` are archived.
    pub archive_value: Option<String>,
    /// Text comes from the public: fence it in results for models.
    pub tainted: bool,
}

/// A column as the database has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its kind, from the declared type.
    pub kind: StorageKind,
    /// The type as declared, for `schema.data_type`.
    pub data_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// What the database fills in.
    pub default: Default,
    /// Whether a single-column unique index (or the primary key) covers it.
    pub unique: bool,
    /// Whether a single-column index that is not unique covers it.
    pub indexed: bool,
    /// Whether it is the primary key.
    pub primary_key: bool,
    /// Whether the database numbers new rows.
    pub auto_increment: bool,
    /// In characters.
    pub max_length: Option<u32>,
    /// Decimal digits in all.
    pub precision: Option<u32>,
    /// Decimal digits behind the point.
    pub scale: Option<u32>,
    /// Computed by the database: never written.
    pub generated: bool,
    /// By which rules the database compares its text, where they are not those of Loggia (by bytes).
    pub collation: Option<String>,
    /// The values that its type allows, where it lists them.
    pub choices: Vec<Value>,
    /// For people.
    pub comment: Option<String>,
}

/// What a column gets when nothing is written to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Default {
    /// NULL, or an error where NULL is not allowed.
    #[default]
    None,
    /// A constant, in the canonical form of the column's kind.
    Value(Scalar),
    /// The time of the write.
    Now,
    /// An expression of the database's own (introspected tables only); shown, never made.
    Expression(String),
}

/// A foreign key of one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForeignKey {
    /// The column that points.
    pub column: String,
    /// The table pointed to.
    pub foreign_table: String,
    /// The column pointed to.
    pub foreign_column: String,
    /// When the key pointed to changes.
    pub on_update: Action,
    /// When the row pointed to goes.
    pub on_delete: Action,
}

/// What happens to a pointing row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Default)]
pub enum Action {
    /// Refuse at the end of the statement or transaction.
    #[default]
    #[serde(rename = "NO ACTION")]
    NoAction,
    /// Refuse at once.
    #[serde(rename = "RESTRICT")]
    Restrict,
    /// Follow.
    #[serde(rename = "CASCADE")]
    Cascade,
    /// Point nowhere.
    #[serde(rename = "SET NULL")]
    SetNull,
    /// Point to the column's default.
    #[serde(rename = "SET DEFAULT")]
    SetDefault,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NoAction,
        Self::Restrict,
        Self::Cascade,
        Self::SetNull,
        Self::SetDefault,
    ];

    /// The SQL words (ISO/IEC 9075-2, referential action).
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }

    /// Reads the SQL words, in any case.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|action| action.sql().eq_ignore_ascii_case(words))
    }
}

/// A field of a collection: a column, or an alias that stands for a relation or for presentation only.
#[derive(Debug)]
pub struct Field {
    /// The collection that it belongs to.
    pub collection: String,
    /// Its name, and the column's.
    pub name: String,
    /// What its values are.
    pub ty: &'static dyn FieldType,
    /// `None`: an alias.
    pub column: Option<Column>,
    /// What `directus_fields` says; `None` for a column that was never configured.
    pub meta: Option<FieldMeta>,
    /// Ours: never altered or dropped.
    pub system: bool,
}

/// The presentation and behaviour of a field: the row of `directus_fields`.
#[derive(Clone, Debug, Default)]
pub struct FieldMeta {
    /// The row as it is served.
    pub record: Record,
    /// Transforms and kinds: `uuid`, `date-created`, `conceal`, `m2o`, `o2m`, `files`, `cast-json`, …
    pub special: Vec<String>,
    /// How it is edited.
    pub interface: Option<String>,
    /// Must have a value.
    pub required: bool,
    /// People do not edit it.
    pub readonly: bool,
    /// Left out of forms.
    pub hidden: bool,
    /// Position in forms.
    pub sort: Option<i64>,
    /// For people and assistants.
    pub note: Option<String>,
    /// A filter that every written value must match.
    pub validation: Option<Value>,
    /// What to say when it does not.
    pub validation_message: Option<String>,
    /// The interface's options; `choices` among them is enforced.
    pub options: Value,
}

impl std::default::Default for Column {
    /// A nullable text column without a name.
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: StorageKind::Text,
            data_type: String::new(),
            nullable: true,
            default: Default::None,
            unique: false,
            indexed: false,
            primary_key: false,
            auto_increment: false,
            max_length: None,
            precision: None,
            scale: None,
            generated: false,
            collation: None,
            choices: Vec::new(),
            comment: None,
        }
    }
}

impl Field {
    /// Whether `special` names this transform or kind.
    #[must_use]
    pub fn has_special(&self, name: &str) -> bool {
        self.meta
            .as_ref()
            .is_some_and(|meta| meta.special.iter().any(|special| special == name))
    }

    /// Whether nothing may be found out about its values: they are masked when read, and neither compared nor recorded.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.has_special("conceal") || self.has_special("hash") || self.ty.name() == "hash"
    }

    /// Whether it holds what items were like: what has become a secret since is masked when it is read, and so it is not
    /// compared as a whole either.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.collection == "directus_revisions" && crate::system::IMAGES.contains(&self.name.as_str())
    }

    /// Whether it has no column.
    #[must_use]
    pub fn is_alias(&self) -> bool {
        self.column.is_none()
    }

    /// Whether a value must be given when an item is created: demanded, and nothing fills it in.
    #[must_use]
    pub fn must_be_given(&self) -> bool {
        let demanded = self.meta.as_ref().is_some_and(|meta| meta.required)
            || self.column.as_ref().is_some_and(|column| !column.nullable);
        let filled = self.column.as_ref().is_some_and(|column| {
            column.auto_increment || column.generated || column.default != Default::None
        }) || [
            "uuid",
            "date-created",
            "date-updated",
            "user-created",
            "user-updated",
            "role-created",
            "role-updated",
        ]
        .iter()
        .any(|special| self.has_special(special));
        demanded && !filled
    }

    /// The values that are allowed: those of the column's type, if it lists any; else those of `meta.options.choices`, if
    /// the interface does not allow others.
    #[must_use]
    pub fn choices(&self) -> Option<Vec<&Value>> {
        if let Some(column) = self.column.as_ref().filter(|column| !column.choices.is_empty()) {
            return Some(column.choices.iter().collect());
        }
        let options = &self.meta.as_ref()?.options;
        let allows_other = options
            .get("allowOther")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let choices = options.get("choices")?.as_array()?;
        let values: Vec<_> = choices.iter().filter_map(|choice| choice.get("value")).collect();
        (!allows_other && !values.is_empty() && values.len() == choices.len()).then_some(values)
    }
}

/// How items of two collections belong together: the row of `directus_relations`, and the foreign key if there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relation {
    /// The collection whose column points.
    pub many_collection: String,
    /// The column that points.
    pub many_field: String,
    /// The collection pointed to; `None` for M2A.
    pub one_collection: Option<String>,
    /// The alias on the collection pointed to that lists the pointing items.
    pub one_field: Option<String>,
    /// M2A: the column that holds the name of the collection pointed to.
    pub one_collection_field: Option<String>,
    /// M2A: the collections that can be pointed to.
    pub one_allowed_collections: Option<Vec<String>>,
    /// On a junction: the other pointing column.
    pub junction_field: Option<String>,
    /// The column of the pointing collection that orders its items.
    pub sort_field: Option<String>,
    /// What happens to pointing items that are taken off the list.
    pub one_deselect_action: Deselect,
    /// The key of the row of `directus_relations`, if there is one.
    pub id: Option<i64>,
    /// The constraint, if there is one.
    pub foreign_key: Option<ForeignKey>,
    /// Ours: never altered or dropped.
    pub system: bool,
}

/// What happens to items that are taken off a one-to-many list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deselect {
    /// They stay, pointing nowhere.
    #[default]
    Nullify,
    /// They are deleted.
    Delete,
}

/// A relation seen from one of its ends: what following a field leads to.
#[derive(Clone, Debug)]
pub enum Link {
    /// M2O: the field's column holds the key of one item of `target`.
    ToOne {
        /// The relation.
        relation: Arc<Relation>,
        /// What is pointed to.
        target: Arc<Collection>,
    },
    /// O2M (and the junction side of M2M): items of `target` point here through `relation.many_field`.
    ToMany {
        /// The relation.
        relation: Arc<Relation>,
        /// What points here.
        target: Arc<Collection>,
    },
    /// M2A: the field's column holds a key, `relation.one_collection_field` beside it the collection.
    ToAny {
        /// The relation.
        relation: Arc<Relation>,
        /// What can be pointed to.
        targets: Vec<Arc<Collection>>,
    },
}

impl Link {
    /// The relation.
    #[must_use]
    pub fn relation(&self) -> &Arc<Relation> {
        match self {
            Self::ToOne { relation, .. } | Self::ToMany { relation, .. } | Self::ToAny { relation, .. } => {
                relation
            }
        }
    }
}

impl Schema {
    /// A snapshot of these collections and relations.
    #[must_use]
    pub fn new(
        version: u64,
        collections: IndexMap<String, Arc<Collection>>,
        relations: Vec<Arc<Relation>>,
    ) -> Self {
        let mut links: HashMap<String, HashMap<String, Vec<usize>>> = HashMap::new();
        for (i, relation) in relations.iter().enumerate() {
            let many = Some((&relation.many_collection, &relation.many_field));
            let one = relation.one_collection.as_ref().zip(relation.one_field.as_ref());
            for (collection, field) in [many, one].into_iter().flatten() {
                let fields = links.entry(collection.clone()).or_default();
                fields.entry(field.clone()).or_default().push(i);
            }
        }
        Self {
            version,
            collections,
            relations,
            links,
        }
    }

    /// A collection by its exact name.
    #[must_use]
    pub fn collection(&self, name: &str) -> Option<&Arc<Collection>> {
        self.collections.get(name)
    }

    /// What following `field` of `collection` leads to; `None` for a field that is not relational.
    #[must_use]
    pub fn link(&self, collection: &str, field: &str) -> Option<Link> {
        let mut relations = self.links.get(collection)?.get(field)?.iter();
        relations.find_map(|i| {
            let relation = self.relations.get(*i)?;
            if relation.many_collection == collection && relation.many_field == field {
                self.forward(relation)
            } else if relation.one_collection.as_deref() == Some(collection)
                && relation.one_field.as_deref() == Some(field)
            {
                let target = self.collection(&relation.many_collection)?.clone();
                Some(Link::ToMany {
                    relation: relation.clone(),
                    target,
                })
            } else {
                None
            }
        })
    }

    fn forward(&self, relation: &Arc<Relation>) -> Option<Link> {
        let relation = relation.clone();
        if let Some(one) = &relation.one_collection {
            let target = self.collection(one)?.clone();
            return Some(Link::ToOne { relation, target });
        }
        let allowed = relation.one_allowed_collections.as_ref()?;
        let targets = allowed
            .iter()
            .filter_map(|name| self.collection(name).cloned())
            .collect();
        Some(Link::ToAny { relation, targets })
    }
}

impl Collection {
    /// A field by its exact name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Arc<Field>> {
        self.fields.get(name)
    }

    /// Whether it is a view of the database.
    #[must_use]
    pub fn is_view(&self) -> bool {
        self.table.as_ref().is_some_and(|table| table.view)
    }

    /// Why nobody can write its items, in words that go on after its name; `None`: they can be written, or it has none.
    #[must_use]
    pub fn read_only(&self) -> Option<&'static str> {
        if self.is_view() {
            return Some("is a view of the database: its items are worked out from other tables");
        }
        (self.table.is_some() && self.primary.is_none()).then_some(
            "has no primary key of one column in the database: its items can be listed, but none can be told from the others",
        )
    }

    /// Whether it holds one item at most.
    #[must_use]
    pub fn is_singleton(&self) -> bool {
        self.meta.as_ref().is_some_and(|meta| meta.singleton)
    }
}
