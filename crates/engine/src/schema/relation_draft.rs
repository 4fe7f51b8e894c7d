//! Reads the definition of a relation and checks it against the schema.

use loggia_model::error::nearest;
use loggia_model::schema::{Action, Column, ForeignKey};
use loggia_model::{Collection, Problem, Problems, Record, Schema, StorageKind};
use serde_json::Value;

use super::change::definition;
use super::names;
use super::payload::{self, Body, Given, invalid};

/// The members of a relation, as the dialect writes them.
const RELATION_KEYS: &[&str] = &["collection", "field", "related_collection", "schema", "meta"];

/// The members of `schema`: the two actions are read, the rest is introspection.
const KEY_KEYS: &[&str] = &[
    "table",
    "column",
    "foreign_key_schema",
    "foreign_key_table",
    "foreign_key_column",
    "constraint_name",
    "on_update",
    "on_delete",
];

/// What in `meta` is said elsewhere.
const META_SKIP: &[&str] = &["id", "many_collection", "many_field", "one_collection", "system"];

/// A relation as it shall be.
#[derive(Debug)]
pub(super) struct RelationDraft {
    /// The collection whose column points.
    pub(super) collection: String,
    /// The column that points.
    pub(super) field: String,
    /// What it points to; `None`: any of those that `meta` allows.
    pub(super) related: Option<String>,
    /// The row of `directus_relations`, without what is named above.
    pub(super) meta: Record,
    /// The foreign key, where there is one thing to point to.
    pub(super) key: Option<ForeignKey>,
}

/// What an update changes of a relation.
#[derive(Debug)]
pub(super) struct RelationUpdate {
    /// Members of the row of `directus_relations` that change.
    pub(super) meta: Record,
    /// When the key pointed to changes.
    pub(super) on_update: Option<Action>,
    /// When the row pointed to goes.
    pub(super) on_delete: Option<Action>,
}

/// The definition of a new relation.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn relation(schema: &Schema, value: &Value) -> Result<RelationDraft, Problems> {
    let mut body = Body::new(value, RELATION_KEYS)?;
    let given = body.object("meta");
    let aside = |key: &str| given.object().and_then(|meta| payload::text(meta, key));
    let named = |body: &mut Body<'_>, key: &str, other: &str| match aside(other) {
        Some(name) if body.raw(key).is_none() => name.to_owned(),
        _ => body.demanded_text(key).unwrap_or_default().to_owned(),
    };
    let collection = named(&mut body, "collection", "many_collection");
    let field = named(&mut body, "field", "many_field");
    let related = match body
        .text("related_collection")
        .or_else(|| aside("one_collection"))
    {
        Some("") | None => None,
        Some(name) => Some(name.to_owned()),
    };
    let (meta, mut problems) = read_meta(given)?;
    let actions = actions(&mut body, &mut problems);
    problems.extend(std::mem::take(&mut body.problems));
    let mut draft = RelationDraft {
        collection,
        field,
        related,
        meta,
        key: None,
    };
    if !draft.collection.is_empty() && !draft.field.is_empty() {
        draft.key = ends(schema, &draft, actions, &mut problems);
        members(schema, &draft, &mut problems);
    }
    problems.or(draft)
}

/// What a body changes of a relation that exists; its ends stay.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn update(
    schema: &Schema,
    relation: &loggia_model::Relation,
    value: &Value,
) -> Result<RelationUpdate, Problems> {
    let mut body = Body::new(value, RELATION_KEYS)?;
    let given = body.object("meta");
    let mut problems = Problems::default();
    let ends = [
        ("collection", "many_collection", Some(&relation.many_collection)),
        ("field", "many_field", Some(&relation.many_field)),
        (
            "related_collection",
            "one_collection",
            relation.one_collection.as_ref(),
        ),
    ];
    for (key, other, is) in ends {
        let is = is.map(String::as_str);
        let inside = given.object().and_then(|meta| payload::text(meta, other));
        for (path, said) in [
            (key.to_owned(), body.text(key)),
            (format!("meta.{other}"), inside),
        ] {
            if said.is_some_and(|said| Some(said) != is) {
                let problem = invalid(&path, "What a relation connects cannot change.");
                problems.push(problem.hint("Delete the relation and create another."));
            }
        }
    }
    let (meta, wrong) = read_meta(given)?;
    problems.extend(wrong);
    let actions = actions(&mut body, &mut problems);
    problems.extend(std::mem::take(&mut body.problems));
    let draft = RelationDraft {
        collection: relation.many_collection.clone(),
        field: relation.many_field.clone(),
        related: relation.one_collection.clone(),
        meta,
        key: None,
    };
    let column = schema
        .collection(&draft.collection)
        .and_then(|collection| collection.field(&draft.field)?.column.as_ref());
    if let Some(column) = column {
        nullable_enough(column, actions.0, &mut problems);
    }
    members(schema, &draft, &mut problems);
    problems.or(RelationUpdate {
        meta: draft.meta,
        on_delete: actions.0,
        on_update: actions.1,
    })
}

fn read_meta(given: Given<'_>) -> Result<(Record, Problems), Problems> {
    let Given::Object(given) = given else {
        return Ok((Record::new(), Problems::default()));
    };
    let (meta, mut problems) = payload::meta(definition("directus_relations")?, given, META_SKIP);
    let action = payload::text(&meta, "one_deselect_action");
    if action.is_some_and(|action| !["nullify", "delete"].contains(&action)) {
        let message = "\"one_deselect_action\" must be one of [nullify, delete].";
        problems.push(invalid("one_deselect_action", message));
    }
    Ok((meta, problems.within("meta")))
}

/// `on_delete` and `on_update`.
fn actions(body: &mut Body<'_>, problems: &mut Problems) -> (Option<Action>, Option<Action>) {
    let Given::Object(schema) = body.object("schema") else {
        return (None, None);
    };
    let mut read = Body::of(schema, KEY_KEYS);
    let mut action = |key: &str| {
        let words = read.text(key)?;
        let action = Action::parse(words);
        if action.is_none() {
            let known: Vec<_> = Action::ALL.iter().map(|action| action.sql()).collect();
            let message = format!(
                "{:?} must be one of [{}].",
                format!("schema.{key}"),
                known.join(", ")
            );
            read.problems.push(invalid(key, message));
        }
        action
    };
    let actions = (action("on_delete"), action("on_update"));
    problems.extend(read.problems.within("schema"));
    actions
}

/// Both ends exist and fit each other.
fn ends(
    schema: &Schema,
    draft: &RelationDraft,
    actions: (Option<Action>, Option<Action>),
    problems: &mut Problems,
) -> Option<ForeignKey> {
    let target = match &draft.related {
        None => None,
        Some(name) => match schema.collection(name) {
            Some(target) => Some(target),
            None => {
                problems.push(no_collection(schema, name).at("related_collection"));
                None
            }
        },
    };
    let Some(many) = schema.collection(&draft.collection) else {
        problems.push(no_collection(schema, &draft.collection).at("collection"));
        return None;
    };
    let Some(field) = many.field(&draft.field) else {
        problems.push(no_field(many, &draft.field, target.map(AsRef::as_ref)).at("field"));
        return None;
    };
    if field.system {
        let message = format!(
            "Field {:?} of {:?} belongs to the system.",
            draft.field, draft.collection
        );
        problems.push(invalid("field", message).hint("Add a field of your own to point with."));
        return None;
    }
    let Some(column) = &field.column else {
        let message = format!(
            "Field {:?} is an alias: it has no column to point with.",
            draft.field
        );
        let hint = "A relation starts at the column that points; the alias is its meta.one_field.";
        problems.push(invalid("field", message).hint(hint));
        return None;
    };
    if column.auto_increment {
        let message = format!(
            "Field {:?} numbers the items of {:?}: it cannot point.",
            draft.field, draft.collection
        );
        problems.push(invalid("field", message).hint("Add a field to point with."));
        return None;
    }
    let existing = schema
        .relations
        .iter()
        .find(|known| known.many_collection == draft.collection && known.many_field == draft.field);
    if existing.is_some_and(|known| known.id.is_some()) {
        let message = format!(
            "Field {:?} in collection {:?} already has an associated relationship.",
            draft.field, draft.collection
        );
        problems.push(invalid("field", message).hint("Change it with an update, or delete it first."));
        return None;
    }
    nullable_enough(column, actions.0, problems);
    let target = target?;
    match fits(column, target, false) {
        Err(problem) => {
            problems.push(problem.at("related_collection"));
            None
        }
        // The database keeps no foreign keys from or to views.
        Ok(_) if many.is_view() || target.is_view() => None,
        Ok(key) => Some(ForeignKey {
            column: draft.field.clone(),
            foreign_table: target.name.clone(),
            foreign_column: key.name.clone(),
            on_update: actions.1.unwrap_or_default(),
            on_delete: actions.0.unwrap_or_default(),
        }),
    }
}

fn nullable_enough(column: &Column, on_delete: Option<Action>, problems: &mut Problems) {
    if on_delete == Some(Action::SetNull) && !column.nullable {
        let message = format!(
            "on_delete \"SET NULL\" needs a column that can be null; {:?} cannot.",
            column.name
        );
        let hint = "Use \"CASCADE\" or \"NO ACTION\", or make the field nullable first.";
        problems.push(invalid("schema.on_delete", message).hint(hint));
    }
}

/// The key column of `target`, if `column` can hold its values; text holds any key (`loosely`: for M2A).
pub(super) fn fits<'a>(
    column: &Column,
    target: &'a Collection,
    loosely: bool,
) -> Result<&'a Column, Problem> {
    use StorageKind::{BigInteger, Integer};
    let key = target.primary.as_ref().and_then(|key| key.column.as_ref());
    let Some(key) = key else {
        let message = format!("Collection {:?} has no primary key to point to.", target.name);
        return Err(invalid("", message));
    };
    let whole = |kind| matches!(kind, Integer | BigInteger);
    let fit = column.kind == key.kind
        || (whole(column.kind) && whole(key.kind))
        || (column.kind.is_textual() && (loosely || key.kind.is_textual()));
    if fit {
        return Ok(key);
    }
    let name = |column: &Column| loggia_model::field_types::of_column(column.kind, &[]).name();
    let message = format!(
        "Field {:?} is of type {:?}, but the key of {:?} is of type {:?}.",
        column.name,
        name(column),
        target.name,
        name(key)
    );
    Err(invalid("", message).hint(format!("Make the field of type {:?}.", name(key))))
}

fn no_collection(schema: &Schema, name: &str) -> Problem {
    let problem = invalid("", format!("Collection {} doesn't exist.", names::shown(name)));
    match nearest(name, schema.collections.keys().map(String::as_str)) {
        Some(near) => problem.hint(format!("Did you mean {near:?}?")),
        None => problem.hint("Create the collection first."),
    }
}

/// Says of which type the missing column must be.
fn no_field(collection: &Collection, name: &str, target: Option<&Collection>) -> Problem {
    let problem = invalid(
        "",
        format!(
            "Field {} doesn't exist in collection {:?}.",
            names::shown(name),
            collection.name
        ),
    );
    let key = target.and_then(|target| target.primary.as_ref());
    match (nearest(name, collection.fields.keys().map(String::as_str)), key) {
        (Some(near), _) => problem.hint(format!("Did you mean {near:?}?")),
        (None, Some(key)) => problem.hint(format!("Create the field first, of type {:?}.", key.ty.name())),
        (None, None) => problem.hint("Create the field first."),
    }
}

/// What `meta` names exists and makes sense.
fn members(schema: &Schema, draft: &RelationDraft, problems: &mut Problems) {
    let Some(many) = schema.collection(&draft.collection) else {
        return;
    };
    let mut column = |key: &str| -> Option<()> {
        let name = payload::text(&draft.meta, key)?;
        let path = format!("meta.{key}");
        match many.field(name) {
            Some(field) if field.is_alias() => {
                problems.push(invalid(
                    &path,
                    format!("Field {name:?} is an alias; a column is needed."),
                ));
            }
            Some(_) if name == draft.field => {
                problems.push(invalid(
                    &path,
                    format!("Field {name:?} is the pointing field itself."),
                ));
            }
            Some(_) => {}
            None => problems.push(no_field(many, name, None).at(path)),
        }
        None
    };
    column("junction_field");
    column("sort_field");
    column("one_collection_field");
    to_any(schema, many, draft, problems);
    one_field(schema, draft, problems);
}

/// The other end's alias is free.
fn one_field(schema: &Schema, draft: &RelationDraft, problems: &mut Problems) {
    let Some(name) = payload::text(&draft.meta, "one_field") else {
        return;
    };
    let Some(related) = &draft.related else {
        let message = "\"one_field\" needs a \"related_collection\": the alias lives there.";
        problems.push(invalid("meta.one_field", message));
        return;
    };
    let Some(one) = schema.collection(related) else {
        return;
    };
    let is_this = |known: &loggia_model::Relation| {
        known.many_collection == draft.collection && known.many_field == draft.field
    };
    let taken = schema.relations.iter().any(|known| {
        known.one_collection.as_ref() == Some(related)
            && known.one_field.as_deref() == Some(name)
            && !is_this(known)
    });
    match one.field(name) {
        Some(field) if field.system || !field.is_alias() => {
            let message = format!("Field {name:?} of {related:?} is not an alias that can list items.");
            problems.push(invalid("meta.one_field", message).hint("Choose another name for the list."));
        }
        _ if taken => {
            let message =
                format!("Field {name:?} of {related:?} already lists the items of another relation.");
            problems.push(invalid("meta.one_field", message).hint("Choose another name for the list."));
        }
        Some(_) => {}
        None => {
            problems.take(names::field(name).map_err(|problem| problem.within("meta.one_field")));
            if one.fields.keys().any(|known| names::same(known, name)) {
                let message = format!("Field {name:?} differs from another of {related:?} only in case.");
                problems.push(invalid("meta.one_field", message));
            }
        }
    }
}

/// M2A: which collections, and where their name is kept.
fn to_any(schema: &Schema, many: &Collection, draft: &RelationDraft, problems: &mut Problems) {
    let allowed = draft
        .meta
        .get("one_allowed_collections")
        .filter(|value| !value.is_null());
    let kept_in = payload::text(&draft.meta, "one_collection_field");
    if draft.related.is_some() {
        if allowed.is_some() || kept_in.is_some() {
            let message = "A relation points to \"related_collection\", or to any of \"one_allowed_collections\": not both.";
            problems.push(invalid("related_collection", message));
        }
        return;
    }
    let is_update = schema
        .relations
        .iter()
        .any(|known| known.many_collection == draft.collection && known.many_field == draft.field);
    if !is_update && (allowed.is_none() || kept_in.is_none()) {
        problems.push(
            invalid(
                "related_collection",
                "The relation does not say what it points to.",
            )
            .hint(
                "Name \"related_collection\"; or, to point to items of several collections, \
                 meta.one_allowed_collections and meta.one_collection_field.",
            ),
        );
    }
    if let Some(field) = kept_in.and_then(|name| many.field(name))
        && !field
            .column
            .as_ref()
            .is_some_and(|column| column.kind.is_textual())
    {
        let message = format!(
            "Field {:?} keeps the name of a collection: it must be of type \"string\".",
            field.name
        );
        problems.push(invalid("meta.one_collection_field", message));
    }
    let names = payload::texts(&draft.meta, "one_allowed_collections");
    if allowed.is_some() && names.is_empty() {
        problems.push(invalid(
            "meta.one_allowed_collections",
            "At least one collection must be allowed.",
        ));
    }
    let column = many.field(&draft.field).and_then(|field| field.column.as_ref());
    for (i, name) in names.iter().enumerate() {
        let path = format!("meta.one_allowed_collections[{i}]");
        match schema.collection(name) {
            None => problems.push(no_collection(schema, name).at(path)),
            Some(target) => {
                if let Some(Err(problem)) = column.map(|column| fits(column, target, true)) {
                    problems.push(problem.at(path));
                }
            }
        }
    }
}
