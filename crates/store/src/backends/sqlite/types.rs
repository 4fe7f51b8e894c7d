//! Declared types. SQLite derives from them how values are kept: a name with `TEXT` in it keeps text as text, so a
//! decimal keeps its digits.

use loggia_model::schema::{Column, Default};
use loggia_model::{Scalar, StorageKind};

/// What the declared type of a column says.
#[derive(Debug, PartialEq)]
pub(super) struct Declared {
    pub(super) kind: StorageKind,
    /// The name as people know it: lower case, without sizes, without our `_TEXT`.
    pub(super) name: String,
    pub(super) max_length: Option<u32>,
    pub(super) precision: Option<u32>,
    pub(super) scale: Option<u32>,
}

/// The type to declare for a column.
pub(super) fn declare(column: &Column) -> String {
    match column.kind {
        StorageKind::Boolean => "BOOLEAN".to_owned(),
        // Only this very word makes a key that SQLite numbers; `INT` does not.
        StorageKind::Integer | StorageKind::BigInteger if column.auto_increment => "INTEGER".to_owned(),
        StorageKind::Integer if column.primary_key => "INT".to_owned(),
        StorageKind::Integer => "INTEGER".to_owned(),
        StorageKind::BigInteger => "BIGINT".to_owned(),
        StorageKind::Float => "REAL".to_owned(),
        StorageKind::Decimal => match (column.precision, column.scale) {
            (Some(precision), Some(scale)) => format!("DECIMAL_TEXT({precision},{scale})"),
            (Some(precision), None) => format!("DECIMAL_TEXT({precision})"),
            (None, _) => "DECIMAL_TEXT".to_owned(),
        },
        StorageKind::String => match column.max_length {
            Some(length) => format!("VARCHAR({length})"),
            None => "VARCHAR".to_owned(),
        },
        StorageKind::Text => "TEXT".to_owned(),
        StorageKind::Json => "JSON_TEXT".to_owned(),
        StorageKind::Date => "DATE_TEXT".to_owned(),
        StorageKind::Time => "TIME_TEXT".to_owned(),
        StorageKind::DateTime => "DATETIME_TEXT".to_owned(),
        StorageKind::Timestamp => "TIMESTAMP_TEXT".to_owned(),
        StorageKind::Uuid => "UUID_TEXT".to_owned(),
        StorageKind::Binary => "BLOB".to_owned(),
        StorageKind::Geometry => "GEOMETRY_TEXT".to_owned(),
    }
}

/// Reads a declared type: ours, and those of other programs.
pub(super) fn read(declared: &str) -> Declared {
    let (name, sizes) = match declared.split_once('(') {
        Some((name, rest)) => (name, rest.split(')').next().unwrap_or_default()),
        None => (declared, ""),
    };
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_suffix("_text").map_or(name.clone(), str::to_owned);
    let sizes: Vec<u32> = sizes
        .split(',')
        .filter_map(|size| size.trim().parse().ok())
        .collect();
    let first = sizes.first().copied();
    let kind = kind(&name, declared, first);
    Declared {
        kind,
        max_length: first.filter(|_| matches!(kind, StorageKind::String | StorageKind::Text)),
        precision: first.filter(|_| kind == StorageKind::Decimal),
        scale: match kind {
            StorageKind::Decimal => sizes.get(1).copied(),
            _ => None,
        },
        name,
    }
}

fn kind(name: &str, declared: &str, size: Option<u32>) -> StorageKind {
    match name {
        "boolean" | "bool" | "bit" => StorageKind::Boolean,
        "tinyint" if size == Some(1) => StorageKind::Boolean,
        "integer" | "int" | "tinyint" | "smallint" | "mediumint" | "int2" | "int4" | "serial" => {
            StorageKind::Integer
        }
        "bigint" | "int8" | "long" | "bigserial" | "unsigned big int" => StorageKind::BigInteger,
        "real" | "double" | "float" | "double precision" | "float4" | "float8" => StorageKind::Float,
        "decimal" | "numeric" | "number" | "money" => StorageKind::Decimal,
        "char" | "character" if size == Some(36) => StorageKind::Uuid,
        "varchar" | "char" | "character" | "nchar" | "nvarchar" | "varying character"
        | "native character" | "character varying" | "string" => StorageKind::String,
        "text" | "clob" | "tinytext" | "mediumtext" | "longtext" | "" => StorageKind::Text,
        "json" | "jsonb" => StorageKind::Json,
        "date" => StorageKind::Date,
        "time" => StorageKind::Time,
        "datetime" => StorageKind::DateTime,
        "timestamp" | "timestamptz" | "timestamp with time zone" | "datetimeoffset" => StorageKind::Timestamp,
        "uuid" | "guid" | "uniqueidentifier" => StorageKind::Uuid,
        "blob" | "binary" | "varbinary" | "bytea" | "tinyblob" | "mediumblob" | "longblob" => {
            StorageKind::Binary
        }
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" => StorageKind::Geometry,
        _ => by_affinity(&declared.to_ascii_uppercase()),
    }
}

/// What makes a `bigInteger` the key that SQLite counts. Its type must be INTEGER, so the name of the constraint says
/// that it may go beyond 32 bits.
pub(super) const LARGE_COUNTED_KEY: &str = " CONSTRAINT \"bigint\" PRIMARY KEY AUTOINCREMENT";

/// As SQLite itself would keep the values (section 3.1 of its "Datatypes").
fn by_affinity(declared: &str) -> StorageKind {
    let has = |piece: &str| declared.contains(piece);
    if has("INT") {
        StorageKind::BigInteger
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        StorageKind::Text
    } else if has("BLOB") {
        StorageKind::Binary
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        StorageKind::Float
    } else {
        StorageKind::Text
    }
}

/// The time of the write, as a default is declared.
pub(super) fn now(kind: StorageKind) -> &'static str {
    match kind {
        StorageKind::Date => "CURRENT_DATE",
        StorageKind::Time => "CURRENT_TIME",
        StorageKind::DateTime => "(strftime('%Y-%m-%dT%H:%M:%S','now'))",
        _ => "(strftime('%Y-%m-%dT%H:%M:%fZ','now'))",
    }
}

/// Reads the text of a declared default.
pub(super) fn read_default(text: Option<&str>, kind: StorageKind) -> Default {
    let Some(text) = text.map(str::trim) else {
        return Default::None;
    };
    let bare = text
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
        .map_or(text, str::trim);
    let upper = bare.to_ascii_uppercase();
    if matches!(
        upper.as_str(),
        "CURRENT_TIMESTAMP" | "CURRENT_DATE" | "CURRENT_TIME" | "DATETIME('NOW')"
    ) {
        return Default::Now;
    }
    let ours = now(kind);
    if ours.trim_start_matches('(').trim_end_matches(')') == bare.trim_end_matches(')') {
        return Default::Now;
    }
    match upper.as_str() {
        "NULL" => return Default::None,
        "TRUE" => return Default::Value(Scalar::Bool(true)),
        "FALSE" => return Default::Value(Scalar::Bool(false)),
        _ => {}
    }
    match quoted(bare) {
        Some(inner) => of_kind(inner, kind),
        None => of_number(bare, kind),
    }
    .map_or_else(|| Default::Expression(bare.to_owned()), Default::Value)
}

/// The inside of a text literal; SQLite also takes double quotes there.
fn quoted(text: &str) -> Option<String> {
    ['\'', '"'].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        let double = format!("{quote}{quote}");
        let whole = !inner.replace(&double, "").contains(quote);
        whole.then(|| inner.replace(&double, &quote.to_string()))
    })
}

/// A text literal as the canonical scalar of a kind, as SQLite would keep it.
fn of_kind(text: String, kind: StorageKind) -> Option<Scalar> {
    match kind {
        StorageKind::Boolean | StorageKind::Integer | StorageKind::BigInteger | StorageKind::Float => {
            of_number(&text, kind).or(Some(Scalar::Text(text)))
        }
        _ => Some(Scalar::Text(text)),
    }
}

fn of_number(text: &str, kind: StorageKind) -> Option<Scalar> {
    let whole = text.parse::<i64>().ok();
    match kind {
        StorageKind::Boolean => whole.map(|number| Scalar::Bool(number != 0)),
        StorageKind::Integer | StorageKind::BigInteger => whole.map(Scalar::Int),
        StorageKind::Float => text
            .parse()
            .ok()
            .filter(|real: &f64| real.is_finite())
            .map(Scalar::Real),
        _ => text.parse::<f64>().is_ok().then(|| Scalar::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_as_it_was_declared() {
        use StorageKind as K;
        for kind in [
            K::Boolean,
            K::Integer,
            K::BigInteger,
            K::Float,
            K::Decimal,
            K::String,
            K::Text,
            K::Json,
            K::Date,
            K::Time,
            K::DateTime,
            K::Timestamp,
            K::Uuid,
            K::Binary,
            K::Geometry,
        ] {
            let column = Column {
                kind,
                max_length: (kind == K::String).then_some(40),
                precision: (kind == K::Decimal).then_some(10),
                scale: (kind == K::Decimal).then_some(2),
                ..Column::default()
            };
            let declared = declare(&column);
            let read = read(&declared);
            assert_eq!(
                (read.kind, read.max_length, read.precision, read.scale),
                (kind, column.max_length, column.precision, column.scale),
                "{declared}"
            );
            let keeps_text = !matches!(
                kind,
                K::Boolean | K::Integer | K::BigInteger | K::Float | K::Binary
            );
            assert_eq!(
                declared.contains("TEXT") || declared.contains("CHAR"),
                keeps_text,
                "{declared}"
            );
            assert!(!keeps_text || !declared.contains("INT"), "{declared}");
        }
    }

    #[test]
    fn types_of_other_programs_are_understood() {
        let check = |declared: &str, kind: StorageKind| assert_eq!(read(declared).kind, kind, "{declared}");
        check("char(36)", StorageKind::Uuid);
        check("CHAR(10)", StorageKind::String);
        check("varchar(255)", StorageKind::String);
        check("numeric(10, 2)", StorageKind::Decimal);
        check("datetime", StorageKind::DateTime);
        check("tinyint(1)", StorageKind::Boolean);
        check("UNSIGNED BIG INT", StorageKind::BigInteger);
        check("double precision", StorageKind::Float);
        check("", StorageKind::Text);
        check("FANCYINT", StorageKind::BigInteger);
        check("STRANGE", StorageKind::Text);
        assert_eq!(read("numeric(10, 2)").scale, Some(2));
        assert_eq!(read("varchar(7)").max_length, Some(7));
    }

    #[test]
    fn defaults_are_understood() {
        use StorageKind as K;
        let check = |text: &str, kind: K, expect: Default| {
            assert_eq!(read_default(Some(text), kind), expect, "{text} {kind:?}");
        };
        check("'it''s'", K::String, Default::Value("it's".into()));
        check("\"draft\"", K::String, Default::Value("draft".into()));
        check("''", K::Text, Default::Value("".into()));
        check("0", K::Boolean, Default::Value(Scalar::Bool(false)));
        check("true", K::Boolean, Default::Value(Scalar::Bool(true)));
        check("-5", K::Integer, Default::Value(Scalar::Int(-5)));
        check("'5'", K::Integer, Default::Value(Scalar::Int(5)));
        check("1.50", K::Decimal, Default::Value("1.50".into()));
        check("2.5", K::Float, Default::Value(Scalar::Real(2.5)));
        check("NULL", K::Text, Default::None);
        check("CURRENT_TIMESTAMP", K::Timestamp, Default::Now);
        check("random()", K::Integer, Default::Expression("random()".to_owned()));
        check(
            "'a' || 'b'",
            K::Text,
            Default::Expression("'a' || 'b'".to_owned()),
        );
        for kind in [K::Date, K::Time, K::DateTime, K::Timestamp] {
            // SQLite gives the text with or without its outer parentheses.
            check(now(kind), kind, Default::Now);
            check(
                now(kind)
                    .trim_start_matches('(')
                    .strip_suffix(')')
                    .unwrap_or(now(kind)),
                kind,
                Default::Now,
            );
        }
    }
}
