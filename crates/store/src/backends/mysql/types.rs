//! Types of columns: those that are declared for ours, and what those of other programs hold.
//!
//! Decimals, JSON and shapes are texts with a rule that says which of them they are: the types that the server has for
//! them would not keep them as they were written. A moment is a `datetime` with milliseconds, a day and time without
//! zone one with microseconds.

use loggia_model::StorageKind;
use loggia_model::schema::Column;

/// How many characters of four bytes an index holds: the length of a text that needs one and has none of its own.
pub(super) const LONGEST_KEY: u32 = 768;
/// Longer texts are kept beside the row, where no index needs them in it: all that is in it has 65,535 bytes.
const LONGEST_IN_ROW: u32 = 64;
/// Of ASCII, where decimals and UUIDs are kept.
const ASCII: &str = "CHARACTER SET ascii COLLATE ascii_bin";

/// The type to declare for a column.
pub(super) fn declare(column: &Column, collation: &str) -> String {
    match column.kind {
        StorageKind::Boolean => "tinyint(1)".to_owned(),
        StorageKind::Integer => "int".to_owned(),
        StorageKind::BigInteger => "bigint".to_owned(),
        StorageKind::Float => "double".to_owned(),
        StorageKind::Decimal => format!("text {ASCII}"),
        StorageKind::String => match column.max_length {
            Some(length) if is_in_row(column, length) => format!("varchar({length}) COLLATE {collation}"),
            // What others point to, and what points, must be in the row.
            _ if is_key(column) => format!("varchar({LONGEST_KEY}) COLLATE {collation}"),
            _ => format!("mediumtext COLLATE {collation}"),
        },
        StorageKind::Text | StorageKind::Json | StorageKind::Geometry => {
            format!("longtext COLLATE {collation}")
        }
        StorageKind::Date => "date".to_owned(),
        StorageKind::Time => "time(6)".to_owned(),
        StorageKind::DateTime => "datetime(6)".to_owned(),
        StorageKind::Timestamp => "datetime(3)".to_owned(),
        StorageKind::Uuid => format!("char(36) {ASCII}"),
        StorageKind::Binary if is_key(column) => "varbinary(3072)".to_owned(),
        StorageKind::Binary => "longblob".to_owned(),
    }
}

fn is_in_row(column: &Column, length: u32) -> bool {
    length <= LONGEST_IN_ROW || (is_key(column) && length < LONGEST_KEY)
}

fn is_key(column: &Column) -> bool {
    column.primary_key || column.unique
}

/// The type with which a column can be part of a foreign key.
pub(super) fn declare_key(column: &Column, collation: &str) -> String {
    let key = Column {
        unique: true,
        ..column.clone()
    };
    declare(&key, collation)
}

/// Whether values of a kind are compared as text.
pub(super) fn is_text(kind: Option<StorageKind>) -> bool {
    matches!(
        kind,
        None | Some(StorageKind::String | StorageKind::Text | StorageKind::Json | StorageKind::Geometry)
    )
}

/// How JSON may begin.
const BEGINNINGS: &str = "('{','[','\"','-','0','1','2','3','4','5','6','7','8','9','t','f','n')";

/// A rule that says what the type does not.
pub(super) fn rule(quoted: &str, column: &Column) -> Option<String> {
    match column.kind {
        StorageKind::Decimal => {
            let most = match (column.precision, column.scale) {
                (Some(precision), Some(scale)) => {
                    format!(
                        "{{0,{}}}([.][0-9]{{0,{scale}}}0*)?",
                        precision.saturating_sub(scale)
                    )
                }
                _ => "+([.][0-9]+)?".to_owned(),
            };
            Some(format!("{quoted} REGEXP '^-?0*[0-9]{most}$'"))
        }
        StorageKind::Json => Some(format!("LEFT({quoted}, 1) IN {BEGINNINGS}")),
        StorageKind::Geometry => Some(format!("LEFT({quoted}, 1) = '{{'")),
        StorageKind::String => match column.max_length {
            Some(length) if !is_in_row(column, length) => Some(format!("CHAR_LENGTH({quoted}) <= {length}")),
            _ => None,
        },
        _ => None,
    }
}

/// What a rule says of a column; given as the server writes it, which is in its own way.
pub(super) fn read_rule(clause: &str, column: &mut Column) -> bool {
    let bare: String = clause.to_ascii_lowercase().replace(['\\', ' '], "");
    let has = |piece: &str| bare.contains(piece);
    match column.kind {
        StorageKind::Text if has("json_valid(") => column.kind = StorageKind::Json,
        StorageKind::Text if has("left(") && has(",1)in(") => column.kind = StorageKind::Json,
        StorageKind::Text if has("left(") && has(",1)=") => column.kind = StorageKind::Geometry,
        StorageKind::String | StorageKind::Text if has("char_length(") && has("<=") => {
            let length = bare.rsplit("<=").next().unwrap_or_default();
            let Ok(length) = length.trim_end_matches(')').parse() else {
                return false;
            };
            column.kind = StorageKind::String;
            column.max_length = Some(length);
        }
        StorageKind::Text if has("^-?0*[0-9]") => {
            column.kind = StorageKind::Decimal;
            (column.precision, column.scale) = match digits(&bare) {
                Some((whole, scale)) => (Some(whole + scale), Some(scale)),
                None => (None, None),
            };
        }
        _ => return false,
    }
    true
}

/// How many digits before and behind the point a rule allows.
fn digits(bare: &str) -> Option<(u32, u32)> {
    let mut counts = bare.split("{0,").skip(1);
    let mut next = || counts.next()?.split('}').next()?.parse().ok();
    Some((next()?, next()?))
}

/// A type as the catalogue has it.
pub(super) struct Found<'t> {
    /// Its name, in lower case.
    pub(super) name: &'t str,
    /// With all that belongs to it: `int(10) unsigned`.
    pub(super) whole: &'t str,
    pub(super) length: Option<u32>,
    pub(super) precision: Option<u32>,
    pub(super) scale: Option<u32>,
    /// Digits behind the second.
    pub(super) fraction: Option<u32>,
    /// Whether its collation is that of our own texts.
    pub(super) ours: bool,
}

/// Gives a column the kind and the sizes of its type.
pub(super) fn read(found: &Found<'_>, column: &mut Column) {
    column.kind = match found.name {
        "tinyint" if found.whole.starts_with("tinyint(1)") => StorageKind::Boolean,
        "bit" if found.whole == "bit(1)" => StorageKind::Boolean,
        "int" if found.whole.ends_with("unsigned") => StorageKind::BigInteger,
        "tinyint" | "smallint" | "mediumint" | "int" | "year" => StorageKind::Integer,
        "bigint" | "bit" => StorageKind::BigInteger,
        "float" | "double" => StorageKind::Float,
        "decimal" => StorageKind::Decimal,
        "char" if found.length == Some(36) => StorageKind::Uuid,
        "char" | "varchar" | "enum" | "set" | "inet4" | "inet6" => StorageKind::String,
        // Ours without a length; other programs mean a long text by it.
        "mediumtext" if found.ours => StorageKind::String,
        "json" => StorageKind::Json,
        "date" => StorageKind::Date,
        "time" => StorageKind::Time,
        "timestamp" => StorageKind::Timestamp,
        "datetime" if found.fraction == Some(3) => StorageKind::Timestamp,
        "datetime" => StorageKind::DateTime,
        "uuid" => StorageKind::Uuid,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => StorageKind::Binary,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => StorageKind::Geometry,
        _ => StorageKind::Text,
    };
    match found.name {
        // Of our own, it is the longest that an index holds, which nobody asked for.
        "varchar" if found.ours && found.length == Some(LONGEST_KEY) => {}
        "char" | "varchar" if column.kind == StorageKind::String => column.max_length = found.length,
        "decimal" => (column.precision, column.scale) = (found.precision, found.scale),
        _ => {}
    }
}

/// The values of `enum('a','b')`.
pub(super) fn choices(whole: &str) -> Vec<String> {
    let list = whole
        .strip_prefix("enum(")
        .and_then(|rest| rest.strip_suffix(')'));
    list.and_then(texts).unwrap_or_default()
}

/// The values that a rule of a column lists, where it says nothing else; as the servers write
/// `CHECK (size IN ('small', 'large'))`.
pub(super) fn listed(clause: &str) -> Option<Vec<String>> {
    // One of the servers writes the quotes themselves with backslashes.
    let bare = match clause.contains("_utf8mb4\\'") {
        true => clause.replace("_utf8mb4\\'", "'").replace("\\'", "'"),
        false => clause.replace("\\'", "''"),
    };
    let bare = bare
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
        .unwrap_or(&bare);
    let (name, list) = bare.split_once(" in (")?;
    let is_name = name.len() > 2 && name.starts_with('`') && name.ends_with('`');
    list.strip_suffix(')').filter(|_| is_name).and_then(texts)
}

/// Quoted texts with commas between them, and nothing else.
fn texts(list: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut rest = list;
    loop {
        let mut text = String::new();
        rest = rest.strip_prefix('\'')?;
        loop {
            let end = rest.find('\'')?;
            text.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        texts.push(text);
        if rest.is_empty() {
            return Some(texts);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: StorageKind) -> Column {
        Column {
            kind,
            ..Column::default()
        }
    }

    #[test]
    fn types_of_other_programs_are_understood() {
        use StorageKind as K;
        let check = |name: &str, whole: &str, length: Option<u32>, kind: K, expect: Option<u32>| {
            let mut found = column(K::Text);
            let ty = Found {
                name,
                whole,
                length,
                precision: Some(10),
                scale: Some(2),
                fraction: Some(0),
                ours: false,
            };
            read(&ty, &mut found);
            assert_eq!((found.kind, found.max_length), (kind, expect), "{whole}");
        };
        check("varchar", "varchar(40)", Some(40), K::String, Some(40));
        check("varchar", "varchar(768)", Some(768), K::String, Some(768));
        check("char", "char(36)", Some(36), K::Uuid, None);
        check("char", "char(2)", Some(2), K::String, Some(2));
        check("tinyint", "tinyint(1)", None, K::Boolean, None);
        check("tinyint", "tinyint(4)", None, K::Integer, None);
        check("int", "int(10) unsigned", None, K::BigInteger, None);
        check("bigint", "bigint(20) unsigned", None, K::BigInteger, None);
        check("mediumtext", "mediumtext", Some(16_777_215), K::Text, None);
        check("datetime", "datetime", None, K::DateTime, None);
        check("timestamp", "timestamp", None, K::Timestamp, None);
        check("enum", "enum('a','b')", Some(1), K::String, None);
        check("point", "point", None, K::Geometry, None);
        let mut price = column(K::Text);
        let ty = Found {
            name: "decimal",
            whole: "decimal(10,2)",
            length: None,
            precision: Some(10),
            scale: Some(2),
            fraction: None,
            ours: false,
        };
        read(&ty, &mut price);
        assert_eq!(
            (price.kind, price.precision, price.scale),
            (K::Decimal, Some(10), Some(2))
        );
    }

    #[test]
    fn rules_are_understood_as_they_are_written_back() {
        use StorageKind as K;
        let mut price = column(K::Text);
        assert!(!read_rule("`price` > 0", &mut price));
        assert!(read_rule(
            "`price` regexp '^-?0*[0-9]{0,15}([.][0-9]{0,5}0*)?$'",
            &mut price
        ));
        assert_eq!(
            (price.kind, price.precision, price.scale),
            (K::Decimal, Some(20), Some(5))
        );
        let mut any = column(K::Text);
        assert!(read_rule("`price` regexp '^-?0*[0-9]+([.][0-9]+)?$'", &mut any));
        assert_eq!((any.kind, any.precision), (K::Decimal, None));
        let check = |clause: &str, kind: K| {
            let mut found = column(K::Text);
            assert!(read_rule(clause, &mut found), "{clause}");
            assert_eq!(found.kind, kind, "{clause}");
        };
        check("left(`data`,1) in ('{','[')", K::Json);
        check("(left(`data`,1) in (_utf8mb4\\'{\\',_utf8mb4\\'[\\'))", K::Json);
        check("json_valid(`data`)", K::Json);
        check("left(`place`,1) = '{'", K::Geometry);
        let mut long = column(K::String);
        assert!(read_rule("char_length(`long`) <= 5000", &mut long));
        assert_eq!(long.max_length, Some(5_000));
    }

    #[test]
    fn enumerations_are_read() {
        assert_eq!(choices("enum('a','it''s','x,y')"), ["a", "it's", "x,y"]);
        assert!(choices("set('a')").is_empty());
        let both = Some(vec!["a".to_owned(), "b c".to_owned()]);
        assert_eq!(listed("`size` in ('a','b c')"), both);
        assert_eq!(listed("(`size` in (_utf8mb4\\'a\\',_utf8mb4\\'b c\\'))"), both);
        assert_eq!(listed("`size` in ('a','b') or `size` = 'c'"), None);
        assert_eq!(listed("lower(`size`) in ('a')"), None);
    }
}
