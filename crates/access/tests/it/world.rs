//! A small newspaper: authors with articles and a mentor, articles with comments and blocks (M2A), next to the system's
//! own collections.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Action, Caller, Claims, Conditions, Grants, Layer, Origin, Permission, Rulebook};
use loggia_model::error::INVALID_QUERY;
use loggia_model::filter::{Direction, Quantifier, Step, Test};
use loggia_model::plan::{ReadPlan, Related, Selected, Sort, Source};
use loggia_model::schema::{Column, FieldMeta, ForeignKey, Table};
use loggia_model::{
    Collection, Field, Filter, Link, Problem, Problems, Record, Relation, Scalar, Schema,
    StorageKind as Kind, field_types, system,
};
use serde_json::{Value, json};

/// The key of the user who asks.
pub(crate) const ADA: &str = "ada";
/// The key of their role.
pub(crate) const EDITORS: &str = "editors";

pub(crate) struct World {
    pub(crate) schema: Schema,
}

impl World {
    pub(crate) fn new() -> Self {
        let system = system::schema();
        let mut collections = system.collections;
        for collection in tables() {
            collections.insert(collection.name.clone(), Arc::new(collection));
        }
        let mut relations = system.relations;
        relations.extend(self::relations().into_iter().map(Arc::new));
        Self {
            schema: Schema::new(1, collections, relations),
        }
    }

    pub(crate) fn collection(&self, name: &str) -> &Arc<Collection> {
        self.schema.collection(name).expect(name)
    }

    pub(crate) fn field(&self, path: &str) -> &Arc<Field> {
        let (collection, field) = path.split_once('.').unwrap();
        self.collection(collection).field(field).expect(path)
    }

    pub(crate) fn link(&self, path: &str) -> Link {
        let (collection, field) = path.split_once('.').unwrap();
        self.schema.link(collection, field).expect(path)
    }

    /// The step along `collection.field`; for M2A to `target`.
    pub(crate) fn step(&self, path: &str, target: Option<&str>) -> Step {
        let (relation, direction, target) = match self.link(path) {
            Link::ToOne { relation, target } => (relation, Direction::Forward, target),
            Link::ToMany { relation, target } => (relation, Direction::Backward, target),
            Link::ToAny { relation, .. } => (
                relation,
                Direction::Forward,
                self.collection(target.unwrap()).clone(),
            ),
        };
        Step {
            relation,
            direction,
            target,
        }
    }

    /// A read of some columns.
    pub(crate) fn read(&self, collection: &str, fields: &[&str]) -> ReadPlan {
        let collection = self.collection(collection);
        let select = fields.iter().map(|name| {
            let field = collection.field(name).expect(name);
            Selected::new(*name, Source::Field(field.clone()))
        });
        ReadPlan {
            collection: collection.clone(),
            select: select.collect(),
            filter: Filter::All,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        }
    }

    /// A member that follows `collection.field`.
    pub(crate) fn related(&self, path: &str, plans: Vec<ReadPlan>) -> Selected {
        let (_, alias) = path.split_once('.').unwrap();
        let related = Related {
            link: self.link(path),
            plans,
            keys_only: false,
        };
        Selected::new(alias, Source::Related(related))
    }

    pub(crate) fn sort(&self, path: &str) -> Sort {
        Sort {
            operand: loggia_model::filter::Operand::Field(self.field(path).clone()),
            descending: false,
        }
    }

    /// `collection.field = value`.
    pub(crate) fn is(&self, path: &str, value: &str) -> Filter {
        Filter::field(self.field(path), Test::Equal(value.into()))
    }

    /// What is granted to Ada by layers of permissions.
    pub(crate) fn grants(&self, layers: &[&[Value]]) -> Grants {
        self.grants_of(layers, false)
    }

    /// The same; `app`: she may use the Studio.
    pub(crate) fn grants_of(&self, layers: &[&[Value]], app: bool) -> Grants {
        let named = |i: usize| format!("policy {i}");
        let permissions = layers.iter().enumerate().flat_map(|(i, layer)| {
            let rows = layer.iter();
            rows.map(move |row| permission(&named(i), row))
        });
        let layers = (0..layers.len()).map(|i| Layer {
            policies: vec![named(i)],
            admin: false,
        });
        let caller = caller(layers.collect(), app);
        Grants::compile(
            &caller,
            &self.schema,
            &Rulebook::new(permissions),
            &self.conditions(),
        )
    }

    pub(crate) fn conditions(&self) -> Variables<'_> {
        Variables {
            schema: &self.schema,
            now: "2026-11-21",
        }
    }
}

pub(crate) fn caller(layers: Vec<Layer>, app_access: bool) -> Caller {
    Caller::established(Claims {
        user: Some(ADA.to_owned()),
        role: Some(EDITORS.to_owned()),
        roles: vec![EDITORS.to_owned()],
        policies: layers
            .first()
            .map(|layer| layer.policies.clone())
            .unwrap_or_default(),
        layers,
        app_access,
        session: None,
        token: None,
        origin: Origin::Rest,
        ip: None,
        user_agent: None,
    })
}

pub(crate) fn administrator() -> Grants {
    let admin = Layer {
        policies: vec!["administrators".to_owned()],
        admin: true,
    };
    Grants::assemble(&caller(vec![admin], true), [])
}

/// A row of `directus_permissions`.
pub(crate) fn permission(policy: &str, row: &Value) -> Permission {
    let list = |name: &str| {
        row.get(name).map(|list| {
            let entries = list.as_array().unwrap().iter();
            entries.map(|entry| entry.as_str().unwrap().to_owned()).collect()
        })
    };
    Permission {
        policy: policy.to_owned(),
        collection: row["collection"].as_str().unwrap().to_owned(),
        action: Action::parse(row["action"].as_str().unwrap_or("read")).unwrap(),
        items: row.get("items").cloned().unwrap_or_default(),
        validation: row.get("validation").cloned().unwrap_or_default(),
        presets: row
            .get("presets")
            .map(|presets| presets.as_object().unwrap().clone())
            .unwrap_or_default(),
        fields: list("fields").unwrap_or_else(|| vec!["*".to_owned()]),
        locales: list("locales"),
        statuses: list("statuses"),
    }
}

/// A permission to read some fields of some items.
pub(crate) fn reads(collection: &str, fields: &[&str], items: Value) -> Value {
    json!({"collection": collection, "action": "read", "fields": fields, "items": items})
}

/// Just enough of the filter language, with Ada's variables.
pub(crate) struct Variables<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) now: &'s str,
}

impl Conditions for Variables<'_> {
    fn condition(&self, collection: &Arc<Collection>, filter: &Value) -> Result<Filter, Problems> {
        let members = filter.as_object().ok_or_else(|| unknown("filter"))?;
        let mut all = Vec::new();
        for (name, value) in members {
            all.push(self.member(collection, name, value)?);
        }
        Ok(Filter::and_all(all))
    }

    fn substituted(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.as_str() {
                "$CURRENT_USER" => ADA.into(),
                "$CURRENT_ROLE" => EDITORS.into(),
                "$CURRENT_ROLES" => vec![EDITORS].into(),
                "$CURRENT_USER.title" => "chief".into(),
                "$NOW" => self.now.into(),
                _ => value.clone(),
            },
            Value::Array(entries) => entries.iter().map(|entry| self.substituted(entry)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.substituted(value)))
                .collect(),
            other => other.clone(),
        }
    }
}

impl Variables<'_> {
    fn member(&self, collection: &Arc<Collection>, name: &str, value: &Value) -> Result<Filter, Problems> {
        if let "_and" | "_or" = name {
            let parts = value.as_array().unwrap().iter();
            let parts: Result<Vec<_>, _> = parts.map(|part| self.condition(collection, part)).collect();
            return Ok(if name == "_and" {
                Filter::and_all(parts?)
            } else {
                Filter::or_all(parts?)
            });
        }
        let field = collection.field(name).ok_or_else(|| unknown(name))?;
        let (operator, argument) = value
            .as_object()
            .and_then(|tests| tests.iter().next())
            .ok_or_else(|| unknown(name))?;
        if !operator.starts_with('_') || matches!(operator.as_str(), "_and" | "_or") {
            let (relation, direction, target) = match self.schema.link(&collection.name, name) {
                Some(Link::ToOne { relation, target }) => (relation, Direction::Forward, target),
                Some(Link::ToMany { relation, target }) => (relation, Direction::Backward, target),
                _ => return Err(unknown(operator)),
            };
            return Ok(Filter::Related {
                filter: Box::new(self.condition(&target, value)?),
                step: Step {
                    relation,
                    direction,
                    target,
                },
                quantifier: Quantifier::Some,
            });
        }
        let scalars: Vec<Scalar> = match self.substituted(argument) {
            Value::Array(entries) => entries.iter().map(scalar).collect(),
            value => vec![scalar(&value)],
        };
        let first = || scalars.first().cloned().unwrap_or_default();
        let test = match operator.as_str() {
            "_eq" => Test::Equal(first()),
            "_neq" => Test::NotEqual(first()),
            "_lt" => Test::Less(first()),
            "_in" => Test::In(scalars),
            "_null" => Test::Null,
            "_nnull" => Test::NotNull,
            other => return Err(unknown(other)),
        };
        Ok(Filter::field(field, test))
    }
}

fn unknown(name: &str) -> Problems {
    Problem::new(&INVALID_QUERY, format!("There is no {name}.")).into()
}

fn scalar(value: &Value) -> Scalar {
    match value {
        Value::Number(number) => Scalar::Int(number.as_i64().unwrap()),
        Value::String(text) => text.as_str().into(),
        _ => Scalar::Null,
    }
}

fn tables() -> Vec<Collection> {
    vec![
        table(
            "authors",
            &[
                "name",
                "email",
                "password#",
                "code",
                "mentor>",
                "articles*",
                "pupils*",
            ],
        ),
        table(
            "articles",
            &[
                "title",
                "status",
                "locale",
                "body",
                "views>",
                "author>",
                "reviewer>",
                "desk",
                "comments*",
                "blocks*",
            ],
        ),
        table("comments", &["text", "article>", "status"]),
        table("blocks", &["article>", "collection", "item", "note"]),
        table("notes", &["text"]),
        Collection {
            table: None,
            ..table("folder", &[])
        },
    ]
}

/// Fields of text; `>` marks whole numbers, `*` lists and `#` secrets.
fn table(name: &str, fields: &[&str]) -> Collection {
    let key = field(name, "id>", true);
    let mut all = IndexMap::from([("id".to_owned(), key.clone())]);
    for text in fields {
        let field = field(name, text, false);
        all.insert(field.name.clone(), field);
    }
    Collection {
        name: name.to_owned(),
        table: Some(Table::default()),
        meta: None,
        system: false,
        fields: all,
        primary: Some(key),
    }
}

fn field(collection: &str, text: &str, primary_key: bool) -> Arc<Field> {
    let name = text.trim_end_matches(['>', '*', '#']);
    let kind = if text.ends_with('>') {
        Kind::Integer
    } else {
        Kind::String
    };
    let column = Column {
        name: name.to_owned(),
        kind,
        primary_key,
        ..Column::default()
    };
    let alias = text.ends_with('*');
    let special = if text.ends_with('#') {
        vec!["hash".to_owned(), "conceal".to_owned()]
    } else {
        Vec::new()
    };
    Arc::new(Field {
        collection: collection.to_owned(),
        name: name.to_owned(),
        ty: if alias {
            field_types::ALIAS
        } else {
            field_types::of_column(kind, &[])
        },
        column: (!alias).then_some(column),
        meta: Some(FieldMeta {
            record: Record::new(),
            special,
            ..FieldMeta::default()
        }),
        system: false,
    })
}

fn relations() -> Vec<Relation> {
    let to = |many: &str, one: &str, alias: Option<&str>| {
        let (collection, field) = many.split_once('.').unwrap();
        Relation {
            many_collection: collection.to_owned(),
            many_field: field.to_owned(),
            one_collection: Some(one.to_owned()),
            one_field: alias.map(str::to_owned),
            ..Relation::default()
        }
    };
    vec![
        to("articles.author", "authors", Some("articles")),
        to("articles.reviewer", "authors", None),
        to("authors.mentor", "authors", Some("pupils")),
        to("comments.article", "articles", Some("comments")),
        to("blocks.article", "articles", Some("blocks")),
        Relation {
            foreign_key: Some(ForeignKey {
                column: "desk".to_owned(),
                foreign_table: "authors".to_owned(),
                foreign_column: "code".to_owned(),
                on_update: loggia_model::schema::Action::NoAction,
                on_delete: loggia_model::schema::Action::NoAction,
            }),
            ..to("articles.desk", "authors", None)
        },
        Relation {
            many_collection: "blocks".to_owned(),
            many_field: "item".to_owned(),
            one_collection_field: Some("collection".to_owned()),
            one_allowed_collections: Some(vec!["authors".to_owned(), "notes".to_owned()]),
            ..Relation::default()
        },
    ]
}
