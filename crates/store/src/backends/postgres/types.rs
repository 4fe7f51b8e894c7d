//! Types of columns: those that are declared for ours, and what those of other programs hold.

use loggia_model::StorageKind;
use loggia_model::schema::Column;

/// Types whose values are read, compared and grouped as they are, as `format_type` names them. Others are cast to the
/// type of their kind in statements.
const NATIVE: &[&str] = &[
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "numeric",
    "character varying",
    "text",
    "json",
    "jsonb",
    "date",
    "time without time zone",
    "timestamp without time zone",
    "timestamp with time zone",
    "uuid",
    "bytea",
];

/// Text is ordered by its bytes, whatever the database's own collation is.
const COLLATED: &str = " COLLATE \"C\"";

/// The type to declare for a column.
pub(super) fn declare(column: &Column) -> String {
    match (column.kind, column.max_length) {
        (StorageKind::String, Some(length)) => format!("varchar({length}){COLLATED}"),
        (StorageKind::String, None) => format!("varchar{COLLATED}"),
        (StorageKind::Text, _) => format!("text{COLLATED}"),
        (StorageKind::Geometry, _) => "json".to_owned(),
        (kind, _) => of_kind(kind).to_owned(),
    }
}

/// The type that values of a kind are compared as.
pub(super) fn of_kind(kind: StorageKind) -> &'static str {
    match kind {
        StorageKind::Boolean => "boolean",
        StorageKind::Integer => "integer",
        StorageKind::BigInteger => "bigint",
        StorageKind::Float => "double precision",
        StorageKind::Decimal => "numeric",
        StorageKind::String | StorageKind::Text | StorageKind::Geometry => "text",
        StorageKind::Json => "json",
        StorageKind::Date => "date",
        StorageKind::Time => "time",
        StorageKind::DateTime => "timestamp",
        StorageKind::Timestamp => "timestamptz",
        StorageKind::Uuid => "uuid",
        StorageKind::Binary => "bytea",
    }
}

/// The type of an argument that values of a kind are compared with: wide enough for whatever is asked.
pub(super) fn of_argument(kind: Option<StorageKind>) -> &'static str {
    match kind {
        None | Some(StorageKind::Json) => "text",
        Some(StorageKind::Integer) => "bigint",
        Some(kind) => of_kind(kind),
    }
}

/// What must be said to read a column as its kind: a cast, or nothing.
pub(super) fn cast(column: &Column) -> &'static str {
    if column.data_type.is_empty() || NATIVE.contains(&column.data_type.as_str()) {
        return "";
    }
    match column.kind {
        StorageKind::Boolean => "::boolean",
        StorageKind::Integer => "::integer",
        StorageKind::BigInteger => "::bigint",
        StorageKind::Float => "::double precision",
        StorageKind::Decimal => "::numeric",
        StorageKind::Date => "::date",
        StorageKind::Time => "::time",
        StorageKind::DateTime => "::timestamp",
        StorageKind::Timestamp => "::timestamptz",
        StorageKind::Uuid => "::uuid",
        StorageKind::Binary => "::bytea",
        _ => "::text",
    }
}

/// Whether values of a kind are compared as text.
pub(super) fn is_text(kind: Option<StorageKind>) -> bool {
    matches!(
        kind,
        None | Some(StorageKind::String | StorageKind::Text | StorageKind::Json | StorageKind::Geometry)
    )
}

/// A rule that says what the type does not: how many digits a decimal has (its type would fill them up with zeros),
/// and that JSON is a shape.
pub(super) fn rule(quoted: &str, column: &Column) -> Option<String> {
    match (column.kind, column.precision, column.scale) {
        (StorageKind::Decimal, Some(precision), Some(scale)) => {
            Some(format!("{quoted} = {quoted}::numeric({precision},{scale})"))
        }
        (StorageKind::Geometry, _, _) => Some(format!("({quoted} ->> 'type') <> ''")),
        _ => None,
    }
}

/// What the rules of a column say of it; given as PostgreSQL writes them.
pub(super) fn read_rule(definition: &str, column: &mut Column) -> bool {
    if column.kind == StorageKind::Json && definition.ends_with("->> 'type'::text) <> ''::text))") {
        column.kind = StorageKind::Geometry;
        return true;
    }
    if column.kind != StorageKind::Decimal || column.precision.is_some() {
        return false;
    }
    let digits = definition
        .strip_suffix("))")
        .and_then(|text| text.rsplit_once("::numeric("))
        .filter(|(equal, _)| equal.contains(" = "))
        .and_then(|(_, digits)| digits.strip_suffix(')'))
        .and_then(|digits| digits.split_once(','));
    let Some((Ok(precision), Ok(scale))) =
        digits.map(|(precision, scale)| (precision.parse(), scale.parse()))
    else {
        return false;
    };
    column.precision = Some(precision);
    column.scale = Some(scale);
    true
}

/// The values that a rule of a text column lists, where it says nothing else; given as PostgreSQL writes
/// `CHECK (size IN ('small', 'large'))`.
pub(super) fn read_choices(definition: &str) -> Option<Vec<String>> {
    let (column, list) = definition.strip_prefix("CHECK ")?.split_once(" = ANY (")?;
    let column = column.trim_start_matches('(');
    let column = column.strip_suffix("::text").unwrap_or(column);
    let column = column.strip_suffix(')').unwrap_or(column);
    let is_name = match column
        .strip_prefix('"')
        .and_then(|inside| inside.strip_suffix('"'))
    {
        Some(inside) => !inside.replace("\"\"", "").contains('"'),
        None => column
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    };
    let mut rest = list.trim_start_matches('(').strip_prefix("ARRAY[")?;
    let mut values = Vec::new();
    loop {
        let mut value = String::new();
        rest = rest.strip_prefix('\'')?;
        loop {
            let end = rest.find('\'')?;
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                Some(more) => {
                    value.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        values.push(value);
        let ty = ["::text", "::character varying", "::bpchar"];
        rest = ty.iter().find_map(|ty| rest.strip_prefix(ty)).unwrap_or(rest);
        match rest.strip_prefix(", ") {
            Some(more) => rest = more,
            None => break,
        }
    }
    let end = rest
        .strip_prefix(']')?
        .replace("::text[]", "")
        .replace("::character varying[]", "");
    (is_name && end.bytes().all(|byte| byte == b')')).then_some(values)
}

/// A type as the catalogue has it.
pub(super) struct Found<'t> {
    /// The base type's name where it is a domain.
    pub(super) name: &'t str,
    /// `e`: an enumeration.
    pub(super) sort: &'t str,
    /// As the catalogue packs lengths; -1: none.
    pub(super) modifier: i64,
}

/// Gives a column the kind and the sizes of its type.
pub(super) fn read(found: &Found<'_>, column: &mut Column) {
    column.kind = match found.name {
        "bool" => StorageKind::Boolean,
        "int2" | "int4" => StorageKind::Integer,
        "int8" | "oid" => StorageKind::BigInteger,
        "float4" | "float8" => StorageKind::Float,
        "numeric" => StorageKind::Decimal,
        "varchar" | "bpchar" | "name" => StorageKind::String,
        "json" | "jsonb" => StorageKind::Json,
        "date" => StorageKind::Date,
        "time" => StorageKind::Time,
        "timestamp" => StorageKind::DateTime,
        "timestamptz" => StorageKind::Timestamp,
        "uuid" => StorageKind::Uuid,
        "bytea" => StorageKind::Binary,
        _ if found.sort == "e" => StorageKind::String,
        _ => StorageKind::Text,
    };
    // Four bytes of header are counted in.
    let Ok(modifier) = u32::try_from(found.modifier - 4) else {
        return;
    };
    match found.name {
        "varchar" | "bpchar" => column.max_length = Some(modifier),
        "numeric" => {
            column.precision = Some(modifier >> 16);
            // Eleven bits, with a sign since version 15.
            column.scale = Some(modifier & 0x3FF);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_other_programs_are_understood() {
        let check = |name: &str, sort: &str, modifier: i64, kind: StorageKind, length: Option<u32>| {
            let mut column = Column::default();
            read(&Found { name, sort, modifier }, &mut column);
            assert_eq!((column.kind, column.max_length), (kind, length), "{name}");
        };
        check("varchar", "b", 44, StorageKind::String, Some(40));
        check("varchar", "b", -1, StorageKind::String, None);
        check("mood", "e", -1, StorageKind::String, None);
        check("_int4", "b", -1, StorageKind::Text, None);
        check("inet", "b", -1, StorageKind::Text, None);
        check("jsonb", "b", -1, StorageKind::Json, None);
        let mut column = Column::default();
        let numeric = Found {
            name: "numeric",
            sort: "b",
            modifier: (10 << 16 | 2) + 4,
        };
        read(&numeric, &mut column);
        assert_eq!((column.precision, column.scale), (Some(10), Some(2)));
    }

    #[test]
    fn rules_that_list_values_are_understood_and_others_are_not() {
        let check = |definition: &str, expect: Option<&[&str]>| {
            let expect = expect.map(|values| values.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(read_choices(definition), expect, "{definition}");
        };
        let written = "CHECK (((size)::text = ANY ((ARRAY['small'::character varying, 'it''s, so'::character varying])::text[])))";
        check(written, Some(&["small", "it's, so"]));
        check(
            "CHECK ((\"a size\" = ANY (ARRAY['a'::text, 'b'::text])))",
            Some(&["a", "b"]),
        );
        check(
            "CHECK (((a = ANY (ARRAY['a'::text, 'b'::text])) OR (a ~~ 'x%'::text)))",
            None,
        );
        check("CHECK ((lower(a) = ANY (ARRAY['a'::text, 'b'::text])))", None);
        check("CHECK ((a = ANY (ARRAY[1, 2])))", None);
        check("CHECK ((a > 0))", None);
    }

    #[test]
    fn rules_are_understood_as_they_are_written_back() {
        let mut price = Column {
            kind: StorageKind::Decimal,
            ..Column::default()
        };
        assert!(!read_rule("CHECK ((price > 0::numeric))", &mut price));
        assert!(read_rule("CHECK ((price = (price)::numeric(20,5)))", &mut price));
        assert_eq!((price.precision, price.scale), (Some(20), Some(5)));
        let mut place = Column {
            kind: StorageKind::Json,
            ..Column::default()
        };
        let rule = "CHECK (((\"a place\" ->> 'type'::text) <> ''::text))";
        assert!(read_rule(rule, &mut place));
        assert_eq!(place.kind, StorageKind::Geometry);
    }
}
