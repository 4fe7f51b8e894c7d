//! Reads the definition of a field: its type, its column and its metadata.

use loggia_model::field_types::{self, ALIAS, FIELD_TYPES};
use loggia_model::schema::{Column, Default};
use loggia_model::{Field, FieldType, Problem, Problems, Record, Scalar, StorageKind};
use serde_json::Value;

use super::change::definition;
use super::payload::{self, Body, Given, invalid};
use super::{names, rules};

/// The members of a field, as the dialect writes them.
pub(super) const FIELD_KEYS: &[&str] = &["collection", "field", "type", "schema", "meta"];

/// The members of `schema`: what is read, and what other databases' introspection adds to it.
const COLUMN_KEYS: &[&str] = &[
    "name",
    "table",
    "schema",
    "data_type",
    "default_value",
    "generation_expression",
    "max_length",
    "numeric_precision",
    "numeric_scale",
    "is_generated",
    "is_nullable",
    "is_unique",
    "is_indexed",
    "is_primary_key",
    "has_auto_increment",
    "foreign_key_schema",
    "foreign_key_table",
    "foreign_key_column",
    "constraint_name",
    "comment",
    "on_delete",
    "on_update",
];

/// What in `meta` is said elsewhere.
const META_SKIP: &[&str] = &["id", "collection", "field", "system", "type"];

/// Types that other names stand for: an alias, by the `special` that it gets.
const ALIAS_TYPES: &[(&str, &[&str])] = &[
    ("alias", &[]),
    ("o2m", &["o2m"]),
    ("m2m", &["m2m"]),
    ("m2a", &["m2a"]),
    ("files", &["files"]),
    ("translations", &["translations"]),
    ("presentation", &["alias", "no-data"]),
    ("group", &["alias", "no-data", "group"]),
];

/// What people call a type, and what it is called here.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("varchar", "string"),
    ("char", "string"),
    ("character varying", "string"),
    ("enum", "string"),
    ("email", "string"),
    ("url", "string"),
    ("slug", "string"),
    ("longtext", "text"),
    ("markdown", "text"),
    ("richtext", "text"),
    ("html", "text"),
    ("int", "integer"),
    ("serial", "integer"),
    ("number", "integer"),
    ("smallint", "integer"),
    ("bigint", "bigInteger"),
    ("long", "bigInteger"),
    ("double", "float"),
    ("real", "float"),
    ("numeric", "decimal"),
    ("money", "decimal"),
    ("currency", "decimal"),
    ("bool", "boolean"),
    ("checkbox", "boolean"),
    ("datetime", "dateTime"),
    ("timestamptz", "timestamp"),
    ("array", "json"),
    ("object", "json"),
    ("jsonb", "json"),
    ("tags", "csv"),
    ("guid", "uuid"),
    ("image", "uuid"),
    ("file", "uuid"),
    ("m2o", "uuid"),
    ("relation", "uuid"),
    ("blob", "binary"),
    ("bytea", "binary"),
    ("password", "hash"),
    ("point", "geometry.Point"),
    ("polygon", "geometry.Polygon"),
];

/// The `special` entries of aliases that lead to other items.
const TO_MANY: &[(&str, &str)] = &[
    ("o2m", "list-o2m"),
    ("m2m", "list-m2m"),
    ("m2a", "list-m2a"),
    ("files", "files"),
    ("translations", "translations"),
];

/// A field as it shall be.
#[derive(Clone, Debug)]
pub(super) struct FieldDraft {
    /// Its name.
    pub(super) name: String,
    /// `None`: an alias.
    pub(super) column: Option<Column>,
    /// The row of `directus_fields`, without `collection` and `field`.
    pub(super) meta: Record,
}

/// What an update changes of a field.
#[derive(Debug)]
pub(super) struct FieldUpdate {
    /// The column as it shall be, if it changes.
    pub(super) column: Option<Column>,
    /// Members of the row of `directus_fields` that change.
    pub(super) meta: Record,
}

/// The definition of a new field.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn field(value: &Value) -> Result<FieldDraft, Problems> {
    let mut body = Body::new(value, FIELD_KEYS)?;
    let mut problems = Problems::default();
    let name = body.demanded_text("field").unwrap_or_default().to_owned();
    if !name.is_empty() {
        problems.take(names::field(&name).map_err(|problem| problem.within("field")));
    }
    let mut meta = match body.object("meta") {
        Given::Object(given) => {
            let (row, wrong) = read_meta(given)?;
            problems.extend(wrong);
            row
        }
        Given::Absent | Given::Null => Record::new(),
    };
    let schema = body.object("schema");
    let mut special = payload::texts(&meta, "special");
    let named = body.text("type");
    let ty =
        problems.take(resolve_type(named, &mut special, schema).map_err(|problem| problem.within("type")));
    problems.extend(std::mem::take(&mut body.problems));
    let Some(ty) = ty else {
        return problems.or(unreachable_draft());
    };
    let column = match ty.storage() {
        None => None,
        Some(kind) => {
            let blank = blank(&name, kind);
            let made = column(ty, blank, schema.object(), &mut special);
            problems.take(made.map_err(|wrong| wrong.within("schema")))
        }
    };
    if column.as_ref().is_some_and(|column| column.primary_key) && special.is_empty() && ty.name() == "uuid" {
        special.push("uuid".to_owned());
    }
    mark(ty, &mut special);
    if column.is_none() && special.is_empty() {
        special = vec!["alias".to_owned(), "no-data".to_owned()];
    }
    meta.insert("special".to_owned(), listed(&special));
    if !meta.contains_key("interface") {
        meta.insert("interface".to_owned(), interface(ty, &special, &meta));
    }
    problems.or(FieldDraft { name, column, meta })
}

fn read_meta(given: &Record) -> Result<(Record, Problems), Problem> {
    let (row, mut problems) = payload::meta(definition("directus_fields")?, given, META_SKIP);
    problems.extend(rules::check(row.get("validation")).within("validation"));
    Ok((row, problems.within("meta")))
}

/// Stands in for a draft whose problems are reported instead.
fn unreachable_draft() -> FieldDraft {
    FieldDraft {
        name: String::new(),
        column: None,
        meta: Record::new(),
    }
}

/// What a body changes of a field that exists.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn update(field: &Field, value: &Value) -> Result<FieldUpdate, Problems> {
    let mut body = Body::new(value, FIELD_KEYS)?;
    let mut problems = Problems::default();
    if body.text("field").is_some_and(|name| name != field.name) {
        problems.push(
            invalid("field", "A field cannot be renamed.")
                .hint("Create a field with the new name, copy the values, then delete the old one."),
        );
    }
    let mut meta = match body.object("meta") {
        Given::Object(given) => {
            let (row, wrong) = read_meta(given)?;
            problems.extend(wrong);
            row
        }
        Given::Absent | Given::Null => Record::new(),
    };
    let schema = body.object("schema");
    let named = body.text("type");
    problems.extend(std::mem::take(&mut body.problems));

    let old = field
        .meta
        .as_ref()
        .map(|meta| meta.special.clone())
        .unwrap_or_default();
    let respecialised = meta.contains_key("special");
    let mut special = if respecialised {
        payload::texts(&meta, "special")
    } else {
        old.clone()
    };
    let ty = match named {
        None if !respecialised => Some(field.ty),
        None => Some(specialised(unmarked(field), &special)),
        // The type's own markers would otherwise outlive it.
        Some(name) => {
            if !respecialised && name != field.ty.name() {
                special.retain(|entry| FIELD_TYPES.iter().all(|ty| ty.marker() != Some(entry)));
            }
            let resolved = resolve_type(Some(name), &mut special, schema);
            problems.take(resolved.map_err(|problem| problem.within("type")))
        }
    };
    let Some(ty) = ty else {
        return problems.or(FieldUpdate { column: None, meta });
    };
    let changed = match (&field.column, ty.storage()) {
        (None, None) => None,
        (Some(current), Some(kind)) => {
            let altered = alter(field, current, ty, kind, schema.object(), &mut special);
            problems.take(altered).filter(|column| column != current)
        }
        _ => {
            let message = "A column cannot become an alias, nor an alias a column.";
            problems.push(invalid("type", message).hint("Delete the field and create it anew."));
            None
        }
    };
    mark(ty, &mut special);
    if special != old || respecialised {
        meta.insert("special".to_owned(), listed(&special));
    }
    problems.or(FieldUpdate {
        column: changed,
        meta,
    })
}

/// The type of a field's column when nothing marks it.
fn unmarked(field: &Field) -> &'static dyn FieldType {
    field
        .column
        .as_ref()
        .map_or(ALIAS, |column| field_types::of_column(column.kind, &[]))
}

fn alter(
    field: &Field,
    current: &Column,
    ty: &'static dyn FieldType,
    kind: StorageKind,
    schema: Option<&Record>,
    special: &mut Vec<String>,
) -> Result<Column, Problems> {
    let mut start = current.clone();
    if kind != current.kind {
        let fresh = blank(&field.name, kind);
        start.kind = kind;
        start.data_type.clear();
        start.max_length = fresh.max_length;
        (start.precision, start.scale) = (None, None);
        if let Default::Value(scalar) = &current.default {
            // A default that makes no sense in the new type must be given anew.
            let printed = field.ty.print(scalar.clone());
            let given = schema.is_some_and(|schema| schema.contains_key("default_value"));
            match ty.parse(&printed, &start) {
                Ok(scalar) => start.default = Default::Value(scalar),
                Err(_) if given => start.default = Default::None,
                Err(problem) => {
                    return Err(problem
                        .within("schema.default_value")
                        .hint("Give a default of the new type, or null.")
                        .into());
                }
            }
        }
    }
    let column = column(ty, start, schema, special).map_err(|wrong| wrong.within("schema"))?;
    let mut problems = Problems::default();
    if column.primary_key != current.primary_key {
        problems.push(invalid(
            "schema.is_primary_key",
            "Which field is the primary key cannot change.",
        ));
    }
    if column.auto_increment != current.auto_increment {
        let message = "Whether the database numbers new items cannot change.";
        problems.push(invalid("schema.has_auto_increment", message));
    }
    if current.primary_key && column.kind != current.kind {
        problems.push(invalid(
            "type",
            "The type of a primary key cannot change: other items point to it.",
        ));
    }
    if current.generated && column != *current {
        problems.push(invalid(
            "schema",
            "A column that the database computes cannot change.",
        ));
    }
    problems.or(column)
}

fn blank(name: &str, kind: StorageKind) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        max_length: (kind == StorageKind::String).then_some(255),
        ..Column::default()
    }
}

/// What a type is called, with what `special` makes of it.
fn resolve_type(
    named: Option<&str>,
    special: &mut Vec<String>,
    schema: Given<'_>,
) -> Result<&'static dyn FieldType, Problem> {
    let Some(name) = named else {
        let marks_alias = ["alias", "no-data", "o2m", "m2m", "m2a", "files", "translations"];
        if special.iter().any(|entry| marks_alias.contains(&entry.as_str())) || matches!(schema, Given::Null)
        {
            return Ok(ALIAS);
        }
        let marked = FIELD_TYPES.iter().find(|ty| {
            ty.marker()
                .is_some_and(|marker| special.iter().any(|entry| entry == marker))
        });
        return match marked {
            Some(ty) => Ok(*ty),
            None if special.iter().any(|entry| entry == "uuid" || entry == "file") => Ok(uuid()),
            None => {
                Err(invalid("", "\"type\" is required.").hint(format!("Known types: {}.", known_types())))
            }
        };
    };
    if let Some((_, implied)) = ALIAS_TYPES.iter().find(|(alias, _)| *alias == name) {
        if special.is_empty() {
            special.extend(implied.iter().map(|entry| (*entry).to_owned()));
        }
        return Ok(ALIAS);
    }
    match field_types::by_name(name) {
        Some(ty) => Ok(specialised(ty, special)),
        None => Err(unknown_type(name)),
    }
}

fn uuid() -> &'static dyn FieldType {
    field_types::of_column(StorageKind::Uuid, &[])
}

/// Text that `special` turns into something else.
fn specialised(ty: &'static dyn FieldType, special: &[String]) -> &'static dyn FieldType {
    let has = |name: &str| special.iter().any(|entry| entry == name);
    let by_name = |name: &str| field_types::by_name(name).unwrap_or(ty);
    match ty.name() {
        "string" | "text" if has("uuid") || has("file") => uuid(),
        "string" | "text" if has("cast-json") => by_name("json"),
        "string" | "text" if has("cast-csv") => by_name("csv"),
        "string" | "text" if has("hash") => by_name("hash"),
        "dateTime" if has("cast-timestamp") => by_name("timestamp"),
        _ => ty,
    }
}

fn known_types() -> String {
    let names: Vec<_> = FIELD_TYPES.iter().map(|ty| ty.name()).collect();
    names.join(", ")
}

fn unknown_type(name: &str) -> Problem {
    let problem = invalid("", format!("There is no type {}.", names::shown(name)));
    let lower = name.to_lowercase();
    let meant = OTHER_NAMES.iter().find(|(other, _)| *other == lower);
    let near = meant
        .map(|(_, ty)| *ty)
        .or_else(|| loggia_model::error::nearest(name, FIELD_TYPES.iter().map(|ty| ty.name())));
    match near {
        Some("uuid") if lower != "guid" => problem.hint(
            "A relation is a column of the type of the key that it points to (\"uuid\", \"integer\", …), and a relation created after it.",
        ),
        Some(near) => problem.hint(format!("Did you mean {near:?}? Known types: {}.", known_types())),
        None => problem.hint(format!("Known types: {}.", known_types())),
    }
}

/// Adds what tells the type from others that are stored alike.
fn mark(ty: &'static dyn FieldType, special: &mut Vec<String>) {
    if let (Some(kind), Some(marker)) = (ty.storage(), ty.marker())
        && field_types::of_column(kind, special) != ty
    {
        special.push(marker.to_owned());
    }
}

fn listed(special: &[String]) -> Value {
    if special.is_empty() {
        Value::Null
    } else {
        special.to_vec().into()
    }
}

/// How the Studio edits it, when nobody says.
fn interface(ty: &'static dyn FieldType, special: &[String], meta: &Record) -> Value {
    let has = |name: &str| special.iter().any(|entry| entry == name);
    if let Some((_, interface)) = TO_MANY.iter().find(|(special, _)| has(special)) {
        return (*interface).into();
    }
    if has("group") {
        return "group-raw".into();
    }
    if ty == ALIAS {
        return Value::Null;
    }
    if has("m2o") || has("user-created") || has("user-updated") {
        return "select-dropdown-m2o".into();
    }
    if has("file") {
        return "file".into();
    }
    let choices = meta.get("options").and_then(|options| options.get("choices"));
    match choices {
        Some(Value::Array(_)) if matches!(ty.name(), "json" | "csv") => "select-multiple-dropdown".into(),
        Some(Value::Array(_)) => "select-dropdown".into(),
        _ => ty.interface().into(),
    }
}

/// The column that `schema` describes, starting from `column`.
fn column(
    ty: &'static dyn FieldType,
    mut column: Column,
    schema: Option<&Record>,
    special: &mut Vec<String>,
) -> Result<Column, Problems> {
    let Some(schema) = schema else { return Ok(column) };
    let mut body = Body::of(schema, COLUMN_KEYS);
    if let Some(key) = body.flag("is_primary_key") {
        column.primary_key = key;
    }
    if let Some(numbered) = body.flag("has_auto_increment") {
        column.auto_increment = numbered;
    }
    if let Some(unique) = body.flag("is_unique") {
        column.unique = unique;
    }
    if let Some(indexed) = body.flag("is_indexed") {
        column.indexed = indexed;
    }
    let nullable = body.flag("is_nullable");
    if column.primary_key {
        column.unique = true;
        if nullable == Some(true) && schema_is_new(&column) {
            column.nullable = false;
        } else if nullable == Some(true) {
            body.problems
                .push(invalid("is_nullable", "Primary key cannot be null."));
        }
        column.nullable = false;
    } else if let Some(nullable) = nullable {
        column.nullable = nullable;
    }
    if column.unique {
        column.indexed = false;
    }
    limits(&mut body, &mut column);
    if body.flag("is_generated") == Some(true) && !column.generated {
        let problem = invalid(
            "is_generated",
            "Columns that the database computes cannot be made here.",
        );
        body.problems.push(problem);
    }
    if let Some(comment) = body.text("comment") {
        column.comment = Some(comment.to_owned()).filter(|comment| !comment.is_empty());
    }
    if let Some(value) = body.raw("default_value") {
        match default(ty, value, &column, special) {
            Ok(default) => column.default = default,
            Err(problem) => body.problems.push(problem.within("default_value")),
        }
    }
    key(ty, &mut body.problems, &column);
    body.problems.or(column)
}

/// Introspection elsewhere calls new primary keys nullable at times; one that exists cannot be made so.
fn schema_is_new(column: &Column) -> bool {
    column.data_type.is_empty()
}

fn limits(body: &mut Body<'_>, column: &mut Column) {
    if column.kind == StorageKind::String
        && let Some(most) = body.whole("max_length", 1, 10_485_760)
    {
        column.max_length = Some(most);
    }
    if column.kind == StorageKind::Decimal {
        if let Some(precision) = body.whole("numeric_precision", 1, 1000) {
            column.precision = Some(precision);
            column.scale = column.scale.or(Some(0));
        }
        if let Some(scale) = body.whole("numeric_scale", 0, 1000) {
            column.scale = Some(scale);
        }
        if column
            .precision
            .is_some_and(|precision| column.scale > Some(precision))
        {
            let message = "\"numeric_scale\" must not be larger than \"numeric_precision\".";
            body.problems.push(invalid("numeric_scale", message));
        }
        if column.precision.is_none() && column.scale.is_some() {
            let message = "\"numeric_scale\" needs a \"numeric_precision\".";
            body.problems.push(invalid("numeric_scale", message));
        }
    }
}

/// What a primary key can be.
fn key(ty: &'static dyn FieldType, problems: &mut Problems, column: &Column) {
    let numbered = matches!(column.kind, StorageKind::Integer | StorageKind::BigInteger);
    if column.primary_key && !numbered && !matches!(column.kind, StorageKind::Uuid | StorageKind::String) {
        let message = format!("A primary key cannot be of type {:?}.", ty.name());
        let hint = "Use \"integer\" with has_auto_increment, \"bigInteger\", \"uuid\" or \"string\".";
        problems.push(invalid("is_primary_key", message).hint(hint));
    }
    if column.auto_increment && !(column.primary_key && numbered) {
        let message =
            "Only a primary key of type \"integer\" or \"bigInteger\" can be numbered by the database.";
        problems.push(invalid("has_auto_increment", message));
    }
}

/// What a column gets when nothing is written: a value, the time, or what the database does by itself.
fn default(
    ty: &'static dyn FieldType,
    value: &Value,
    column: &Column,
    special: &mut Vec<String>,
) -> Result<Default, Problem> {
    let Some(text) = value.as_str() else {
        return if value.is_null() {
            Ok(Default::None)
        } else {
            ty.parse(value, column).map(Default::Value)
        };
    };
    if let Default::Expression(known) = &column.default
        && known == text
    {
        return Ok(column.default.clone());
    }
    let words = text.trim().to_ascii_lowercase();
    let calendar = column.kind.has_date() || column.kind.has_time();
    let now = [
        "now()",
        "current_timestamp",
        "current_timestamp()",
        "$now",
        "current_date",
        "current_time",
    ];
    if calendar && now.contains(&words.as_str()) {
        return Ok(Default::Now);
    }
    if column.auto_increment || words.starts_with("nextval(") {
        return Ok(Default::None);
    }
    if column.kind == StorageKind::Uuid && words.ends_with("()") {
        // A key made by the other database is made by us.
        if !special.iter().any(|entry| entry == "uuid") {
            special.push("uuid".to_owned());
        }
        return Ok(Default::None);
    }
    if column.kind == StorageKind::Json
        && let Ok(parsed) = serde_json::from_str::<Value>(text)
    {
        return Ok(Default::Value(Scalar::Text(parsed.to_string())));
    }
    ty.parse(value, column).map(Default::Value)
}
