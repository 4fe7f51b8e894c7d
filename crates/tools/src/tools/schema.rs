//! `schema`: what collections there are, and what their fields are.

use std::borrow::Cow;
use std::sync::Arc;

use loggia_access::{Action, Fields};
use loggia_model::schema::Default as ColumnDefault;
use loggia_model::{Collection, Field, Link, Problems, Relation, Schema};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::bounds::{FEWEST_TOKENS, MOST_TOKENS, tokens};
use crate::catalogue::{Annotations, BoxFuture, CallError, SchemaProfile, ToolResult};
use crate::plain_text::{NOTE, plain};
use crate::surface::{ITEM_ACTIONS, READS, Surface, enumerate};
use crate::tool::{Call, Tool, array};

/// The tool.
pub(super) struct SchemaTool;

/// Choices that are listed, at most.
const CHOICES: usize = 100;

/// Tokens kept back for what stands around the lists.
const ENVELOPE: usize = 80;

impl Tool for SchemaTool {
    fn name(&self) -> &'static str {
        "schema"
    }

    fn description(&self, _: &Surface) -> Cow<'static, str> {
        "The data model. Without keys: the collections. With keys: the fields of those collections, with types, \
         required values, choices and relations. Call it before reading or writing items."
            .into()
    }

    fn annotations(&self, _: &Surface) -> Annotations {
        READS
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.schema_rights || !surface.known.is_empty()
    }

    fn input(&self, _: &Surface) -> Value {
        json!({
            "type": "object",
            "properties": {
                "keys": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Names of collections, e.g. [\"posts\"]. Leave out for the list of collections.",
                },
                "max_tokens": {
                    "type": "integer",
                    "minimum": FEWEST_TOKENS,
                    "maximum": MOST_TOKENS,
                    "description": "How long the result may be.",
                },
            },
            "additionalProperties": false,
        })
    }

    fn list_names(&self, surface: &Surface, input: &mut Value, _: SchemaProfile) {
        if !surface.schema_rights {
            enumerate(input, "/properties/keys/items", &surface.known);
        }
    }

    fn output(&self, _: &Surface) -> Value {
        let any = json!({"type": "object", "additionalProperties": true});
        json!({
            "type": "object",
            "properties": {
                "collections": {"type": "array", "items": {"type": "string"}},
                "collection_folders": {
                    "type": "array",
                    "description": "Groups in the navigation, without items.",
                    "items": {"type": "string"},
                },
                "notes": {"type": "object", "additionalProperties": {"type": "string"}},
                "fields": {
                    "type": "object",
                    "description": "By collection, then by field.",
                    "additionalProperties": {"type": "object", "additionalProperties": any},
                },
                "singletons": {
                    "type": "array",
                    "description": "Collections that hold one item.",
                    "items": {"type": "string"},
                },
                "views": {
                    "type": "array",
                    "description": "Collections that can only be read.",
                    "items": {"type": "string"},
                },
                "access": {
                    "type": "object",
                    "description": "By collection, where you may not do everything: the actions you may do; with keys, \
                                    each with its fields (* for all).",
                    "additionalProperties": true,
                },
                "hash": {"type": "string", "description": "Changes when the data model or your rights do."},
                "truncated": {"type": "boolean", "description": "There is more than is shown here."},
                "next": {
                    "type": "object",
                    "description": "Arguments to replace for the rest.",
                    "additionalProperties": true,
                },
            },
            "required": ["hash", "truncated"],
        })
    }

    fn run<'a>(
        &'a self,
        call: Call<'a>,
        mut arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            let keys = array(&mut arguments, "keys").unwrap_or_default();
            let keys: Vec<String> = keys
                .iter()
                .filter_map(|key| key.as_str().map(str::to_owned))
                .collect();
            let described = if keys.is_empty() {
                overview(&call)
            } else {
                details(&call, keys)?
            };
            Ok(ToolResult::new(described))
        })
    }
}

/// The names of the collections, with their notes as far as there is room.
fn overview(call: &Call<'_>) -> Map<String, Value> {
    let schema = call.engine.schema();
    let room = call.bounds.tokens.saturating_sub(ENVELOPE);
    let (mut own, mut system, mut folders) = (vec![], vec![], vec![]);
    let (mut singletons, mut views) = (vec![], vec![]);
    let (mut noted, mut limited) = (Vec::new(), Vec::new());
    let (mut used, mut truncated) = (0, false);
    // Our own collections come last, and notes after all names, so that the project's are the last to be cut.
    let by_importance =
        |system: bool| known(call, &schema).filter(move |collection| collection.system == system);
    for collection in by_importance(false).chain(by_importance(true)) {
        let name = collection.name.as_str();
        used += tokens(name) + 1;
        if used > room {
            truncated = true;
            break;
        }
        match (&collection.table, collection.system) {
            (None, _) => folders.push(name),
            (Some(_), false) => own.push(name),
            (Some(_), true) => system.push(name),
        }
        if collection.is_singleton() && !collection.system {
            singletons.push(name);
        }
        if collection.is_view() {
            views.push(name);
        }
        noted.extend(note_of(collection).map(|note| (name, note)));
        limited.extend(access(call, collection).map(|access| (name, access)));
    }
    let mut accesses = Map::new();
    for (name, access) in limited {
        let actions: Vec<_> = access.keys().map(String::as_str).collect();
        used += tokens(name) + tokens(&actions) + 1;
        if used > room {
            truncated = true;
            break;
        }
        accesses.insert(name.to_owned(), actions.into());
    }
    let mut notes = Map::new();
    for (name, note) in noted {
        used += tokens(name) + tokens(&note) + 1;
        if used > room {
            truncated = true;
            break;
        }
        notes.insert(name.to_owned(), note.into());
    }
    own.sort_unstable();
    own.append(&mut system);
    folders.sort_unstable();
    let mut described = Map::new();
    described.insert("collections".into(), own.into());
    described.insert("collection_folders".into(), folders.into());
    described.insert("notes".into(), notes.into());
    described.insert("singletons".into(), singletons.into());
    // Only where there are any: other programs made them.
    if !views.is_empty() {
        described.insert("views".into(), views.into());
    }
    if !accesses.is_empty() {
        described.insert("access".into(), accesses.into());
    }
    described.insert(
        "hash".into(),
        call.hash.get_or_init(|| hash(call, &schema)).as_str().into(),
    );
    described.insert("truncated".into(), truncated.into());
    if truncated {
        let more = MOST_TOKENS.min(call.bounds.tokens as u64 * 4);
        described.insert("next".into(), json!({"max_tokens": more}));
    }
    described
}

/// The notes of a collection are for people and models; those of ours are translated in the Studio.
fn note_of(collection: &Collection) -> Option<String> {
    let note = collection.meta.as_ref()?.note.as_deref()?;
    let note = plain(note, NOTE);
    (!note.is_empty() && !note.starts_with("$t:")).then_some(note)
}

/// The fields of the collections that were asked for, whole collections as far as there is room.
fn details(call: &Call<'_>, keys: Vec<String>) -> Result<Map<String, Value>, Problems> {
    let schema = call.engine.schema();
    let mut problems = Problems::default();
    let mut wanted = Vec::new();
    for (i, key) in keys.iter().enumerate() {
        match call.collection(key, &format!("keys[{i}]")) {
            Ok(collection) if !wanted.iter().any(|(known, _)| *known == key) => {
                wanted.push((key, collection))
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    let wanted = problems.or(wanted)?;
    let room = call.bounds.tokens.saturating_sub(ENVELOPE);
    let mut used = 0;
    let (mut fields, mut accesses, mut rest) = (Map::new(), Map::new(), Vec::new());
    for (name, collection) in wanted {
        let described = collection_fields(call, &schema, &collection);
        let access = access(call, &collection);
        let cost = tokens(&described) + tokens(name.as_str()) + access.as_ref().map_or(0, tokens);
        if rest.is_empty() && (fields.is_empty() || used + cost <= room) {
            used += cost;
            accesses.extend(access.map(|access| (name.clone(), access.into())));
            fields.insert(name.clone(), described.into());
        } else {
            rest.push(name.as_str());
        }
    }
    let mut truncated = !rest.is_empty();
    if used > room {
        truncated = true;
        shorten(&mut fields, used - room);
    }
    let mut described = Map::new();
    described.insert("fields".into(), fields.into());
    if !accesses.is_empty() {
        described.insert("access".into(), accesses.into());
    }
    described.insert(
        "hash".into(),
        call.hash.get_or_init(|| hash(call, &schema)).as_str().into(),
    );
    described.insert("truncated".into(), truncated.into());
    if !rest.is_empty() {
        described.insert("next".into(), json!({"keys": rest}));
    } else if truncated {
        let more = MOST_TOKENS.min(call.bounds.tokens as u64 * 4);
        described.insert("next".into(), json!({"max_tokens": more}));
    }
    Ok(described)
}

/// Takes fields off the end of the one collection that is too long alone.
fn shorten(fields: &mut Map<String, Value>, mut excess: usize) {
    if let Some(Value::Object(only)) = fields.values_mut().next() {
        while excess > 0
            && let Some((name, last)) = only
                .iter()
                .next_back()
                .map(|(name, last)| (name.clone(), tokens(last)))
        {
            only.shift_remove(&name);
            excess = excess.saturating_sub(last + tokens(&name));
        }
    }
}

/// The collections that the caller may know of.
fn known<'a>(call: &Call<'a>, schema: &'a Schema) -> impl Iterator<Item = &'a Arc<Collection>> + use<'a> {
    let grants = call.grants;
    schema
        .collections
        .values()
        .filter(|collection| grants.sees(collection))
}

/// What the caller may do with a collection: each action with its fields. `None`: everything.
fn access(call: &Call<'_>, collection: &Collection) -> Option<Map<String, Value>> {
    if collection.table.is_none() || (call.grants.is_admin() && collection.read_only().is_none()) {
        return None;
    }
    let mut access = Map::new();
    let mut everything = true;
    for action in ITEM_ACTIONS {
        if !call.grants.may(action, collection) {
            everything = false;
            continue;
        }
        let said = match (action, call.grants.fields(action, collection)) {
            (Action::Delete, _) => true.into(),
            (_, Fields::All) => "*".into(),
            (_, Fields::Some(names)) => {
                everything = false;
                let granted = |field: &&Arc<Field>| names.contains(&field.name);
                let fields = collection.fields.values().filter(granted);
                fields.map(|field| Value::from(field.name.as_str())).collect()
            }
        };
        // What is switched off needs no rights to be missing.
        if call.surface.switches.lets(action) {
            access.insert(action.name().to_owned(), said);
        }
    }
    (!everything).then_some(access)
}

/// Whether the caller may read or write a field on some item.
fn touches(call: &Call<'_>, collection: &Collection, field: &str) -> bool {
    let Some(field) = collection.field(field) else {
        return false;
    };
    [Action::Read, Action::Create, Action::Update]
        .into_iter()
        .any(|action| call.grants.may_touch(action, collection, field))
}

fn collection_fields(call: &Call<'_>, schema: &Schema, collection: &Collection) -> Map<String, Value> {
    let shown = collection.fields.values().filter(|field| {
        !is_presentation(field)
            && touches(call, collection, &field.name)
            && leads(call, schema, collection, field)
    });
    shown
        .map(|field| {
            (
                field.name.clone(),
                describe(call, schema, collection, field).into(),
            )
        })
        .collect()
}

/// Whether a list leads to items that the caller may know of; every other field does.
fn leads(call: &Call<'_>, schema: &Schema, collection: &Collection, field: &Field) -> bool {
    match schema.link(&collection.name, &field.name) {
        Some(Link::ToMany { .. }) => relation(call, schema, collection, field).is_some(),
        _ => true,
    }
}

/// What becomes of a field when the caller writes: whether it must be given, and whether it can be.
fn writing(call: &Call<'_>, collection: &Collection, field: &Field) -> (bool, bool) {
    let may = |action| call.grants.may(action, collection);
    let touches = |action| call.grants.may_touch(action, collection, field);
    let preset = || {
        call.grants
            .presets(Action::Create, collection)
            .contains_key(&field.name)
    };
    let required = field.must_be_given() && touches(Action::Create) && !preset();
    let writes = may(Action::Create) || may(Action::Update);
    let closed = writes && !touches(Action::Create) && !touches(Action::Update);
    (required, closed)
}

/// Dividers, notices and groups hold no data.
fn is_presentation(field: &Field) -> bool {
    field.is_alias() && (field.has_special("no-data") || field.has_special("group"))
}

fn describe(call: &Call<'_>, schema: &Schema, collection: &Collection, field: &Field) -> Map<String, Value> {
    let mut described = Map::new();
    let mut say = |name: &str, value: Value| {
        described.insert(name.to_owned(), value);
    };
    say("type", field.ty.name().into());
    if collection
        .primary
        .as_ref()
        .is_some_and(|primary| primary.name == field.name)
    {
        say("primary_key", true.into());
    }
    let (required, closed) = writing(call, collection, field);
    if required {
        say("required", true.into());
    }
    if let Some(column) = &field.column {
        let primary = column.primary_key;
        for (name, holds) in [
            ("generated", column.auto_increment || column.generated),
            ("unique", column.unique && !primary),
        ] {
            if holds {
                say(name, true.into());
            }
        }
        if !column.nullable && !primary {
            say("nullable", false.into());
        }
        for (name, limit) in [
            ("max_length", column.max_length),
            ("precision", column.precision),
            ("scale", column.scale),
        ] {
            if let Some(limit) = limit {
                say(name, limit.into());
            }
        }
        match &column.default {
            ColumnDefault::Value(scalar) if !scalar.is_null() => {
                say("default", field.ty.print(scalar.clone()))
            }
            ColumnDefault::Now => say("default", "now".into()),
            _ => {}
        }
    }
    if closed || field.meta.as_ref().is_some_and(|meta| meta.readonly) {
        say("readonly", true.into());
    }
    if let Some(meta) = &field.meta {
        if let Some(interface) = meta
            .interface
            .as_deref()
            .filter(|name| *name != field.ty.interface())
        {
            say("interface", plain(interface, 60).into());
        }
        let note = meta
            .note
            .as_deref()
            .map(|note| plain(note, NOTE))
            .unwrap_or_default();
        if !note.is_empty() && !note.starts_with("$t:") {
            say("note", note.into());
        }
        if let Some(inner) = list_fields(&meta.options) {
            say("fields", inner);
        }
    }
    if let Some(choices) = field.choices() {
        say("choices", choices.into_iter().take(CHOICES).cloned().collect());
    }
    if let Some(relation) = relation(call, schema, collection, field) {
        say("relation", relation);
    }
    described
}

/// The members of the objects that a repeating interface edits: `{name: {type}}`.
fn list_fields(options: &Value) -> Option<Value> {
    let inner = options.get("fields")?.as_array()?;
    let members = inner.iter().take(CHOICES).filter_map(|member| {
        let name = plain(member.get("field")?.as_str()?, 60);
        let ty = member.get("type").and_then(Value::as_str).unwrap_or("string");
        Some((name, json!({"type": plain(ty, 60)})))
    });
    let members: Map<_, _> = members.collect();
    (!members.is_empty()).then(|| members.into())
}

/// Where a field leads: `m2o`, `o2m`, `m2m` or `m2a`. What the caller may not know of stays unnamed.
fn relation(call: &Call<'_>, schema: &Schema, collection: &Collection, field: &Field) -> Option<Value> {
    let known = |target: &Collection| call.grants.sees(target);
    match schema.link(&collection.name, &field.name)? {
        Link::ToOne { target, .. } => {
            known(&target).then(|| json!({"type": "m2o", "collection": target.name}))
        }
        Link::ToAny { relation, targets } => Some(json!({
            "type": "m2o",
            "collections": names(call, &targets),
            "collection_field": relation.one_collection_field,
        })),
        Link::ToMany { relation, target } => to_many(call, schema, field, &relation, &target),
    }
}

/// The names of those collections that the caller may know of.
fn names<'a>(call: &Call<'_>, targets: &'a [Arc<Collection>]) -> Vec<&'a str> {
    let known = targets.iter().filter(|target| call.grants.sees(target));
    known.map(|target| target.name.as_str()).collect()
}

/// A list: of the items that point here, or of those beyond a junction.
fn to_many(
    call: &Call<'_>,
    schema: &Schema,
    field: &Field,
    relation: &Relation,
    target: &Collection,
) -> Option<Value> {
    let open = |name: &str| touches(call, target, name);
    if !call.grants.sees(target) || !open(&relation.many_field) {
        return None;
    }
    let junction = relation.junction_field.as_ref().filter(|name| open(name));
    let beyond = junction.and_then(|junction| Some((junction, schema.link(&target.name, junction)?)));
    let junction = |far: &str| json!({"collection": target.name, "many_field": relation.many_field, "junction_field": far});
    let mut described = match beyond {
        // A junction that carries texts of its own is written as a list of its rows.
        Some((far, _)) if field.has_special("translations") => json!({
            "type": "o2m",
            "collection": target.name,
            "many_field": relation.many_field,
            "language_field": far,
        }),
        Some((far, Link::ToOne { target: beyond, .. })) if call.grants.sees(&beyond) => {
            json!({"type": "m2m", "collection": beyond.name, "junction": junction(far)})
        }
        Some((
            far,
            Link::ToAny {
                relation: any,
                targets,
            },
        )) => {
            let mut junction = junction(far);
            junction["collection_field"] = any.one_collection_field.clone().into();
            json!({"type": "m2a", "collections": names(call, &targets), "junction": junction})
        }
        _ => json!({"type": "o2m", "collection": target.name, "many_field": relation.many_field}),
    };
    if let Some(sort) = relation.sort_field.as_deref().filter(|sort| open(sort)) {
        described["sort_field"] = sort.into();
    }
    if relation.one_deselect_action == loggia_model::schema::Deselect::Delete {
        described["deselected_are_deleted"] = true.into();
    }
    Some(described)
}

/// A short text that stays the same as long as everything that the caller may know of the model does.
fn hash(call: &Call<'_>, schema: &Schema) -> String {
    let mut hasher = Sha256::new();
    for collection in known(call, schema) {
        hasher.update(collection.name.as_bytes());
        hasher.update(tokens_of(collection).as_bytes());
        for described in [
            collection_fields(call, schema, collection),
            access(call, collection).unwrap_or_default(),
        ] {
            hasher.update(Value::from(described).to_string().as_bytes());
        }
    }
    hasher
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What a hash needs of a collection besides its fields.
fn tokens_of(collection: &Collection) -> String {
    let kind = match &collection.table {
        None => "folder",
        Some(table) if table.view => "view",
        Some(_) => "table",
    };
    format!(
        "{kind} {} {}",
        collection.is_singleton(),
        note_of(collection).unwrap_or_default()
    )
}
