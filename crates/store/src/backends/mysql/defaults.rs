//! Defaults of columns: the time of the write as it is declared, and what the catalogue says of those that are there.

use loggia_model::schema::{Column, Default};
use loggia_model::{Scalar, StorageKind, field_types};

/// The time of the write, as a default is declared.
pub(super) fn now(kind: StorageKind) -> &'static str {
    match kind {
        StorageKind::Date => "(utc_date())",
        StorageKind::Time => "(utc_time())",
        StorageKind::DateTime => "(utc_timestamp())",
        _ => "(utc_timestamp(3))",
    }
}

/// Words that mean the time of the write.
const CLOCKS: &[&str] = &[
    "current_timestamp",
    "now",
    "localtimestamp",
    "localtime",
    "utc_timestamp",
    "utc_date",
    "utc_time",
    "curdate",
    "current_date",
    "curtime",
    "current_time",
];

/// Whether an expression is nothing but the time of the write.
fn is_clock(text: &str) -> bool {
    let bare = text.to_ascii_lowercase();
    let bare = bare.trim_matches(['(', ')']);
    let word = bare.split('(').next().unwrap_or_default();
    let rest = bare.get(word.len()..).unwrap_or_default();
    CLOCKS.contains(&word)
        && rest
            .chars()
            .all(|character| matches!(character, '(' | ')' | '0'..='6'))
}

/// A default as the catalogue has it.
pub(super) struct Found<'t> {
    pub(super) text: Option<&'t str>,
    /// Whether it is an expression, in which texts are quoted; else it is the value itself.
    pub(super) expression: bool,
}

/// Reads a default.
pub(super) fn read(found: &Found<'_>, kind: StorageKind) -> Default {
    let Some(text) = found.text else {
        return Default::None;
    };
    if is_clock(text.trim()) {
        return Default::Now;
    }
    if !found.expression {
        let value = of_kind(text.to_owned(), kind);
        return value.map_or_else(|| Default::Expression(text.to_owned()), Default::Value);
    }
    let bare = unwrapped(text.trim());
    let value = match bare.to_ascii_lowercase().as_str() {
        "null" => return Default::None,
        "true" | "b'1'" => of_kind("1".to_owned(), kind),
        "false" | "b'0'" => of_kind("0".to_owned(), kind),
        lower => match (quoted(bare), hexadecimal(lower)) {
            (Some(inner), _) => of_kind(inner, kind),
            (None, Some(bytes)) => of_bytes(bytes, kind),
            (None, None) => bare
                .parse::<f64>()
                .ok()
                .and_then(|_| of_kind(bare.to_owned(), kind)),
        },
    };
    value.map_or_else(|| Default::Expression(text.to_owned()), Default::Value)
}

/// Without brackets around it, and without the character set that is written before a text.
fn unwrapped(text: &str) -> &str {
    let mut text = text;
    while let Some(inner) = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        text = inner.trim();
    }
    for introducer in ["_utf8mb4", "_utf8mb3", "_utf8", "_latin1", "_ascii", "_binary"] {
        if let Some(rest) = text.strip_prefix(introducer) {
            return rest.trim_start();
        }
    }
    text
}

/// The inside of a text constant, as both servers write it: with backslashes before what needs them.
fn quoted(text: &str) -> Option<String> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let inner = inner
        .strip_suffix('\\')
        .filter(|rest| !rest.ends_with('\\'))
        .unwrap_or(inner);
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'Z' => '\u{1a}',
                other => other,
            }),
            '\'' if characters.peek() == Some(&'\'') => {
                characters.next();
                value.push('\'');
            }
            '\'' => return None,
            other => value.push(other),
        }
    }
    Some(value)
}

/// The bytes of `0x…` or `x'…'`, also where they are said to be a text.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let converted = text
        .strip_prefix("convert(")
        .and_then(|rest| rest.strip_suffix(" using utf8mb4)"));
    let text = converted.unwrap_or(text);
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("x'")?.strip_suffix('\''))?;
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

fn of_bytes(bytes: Vec<u8>, kind: StorageKind) -> Option<Scalar> {
    match kind {
        StorageKind::Binary => Some(Scalar::Bytes(bytes)),
        _ => String::from_utf8(bytes).ok().map(Scalar::Text),
    }
}

/// A constant as the canonical scalar of a kind.
fn of_kind(text: String, kind: StorageKind) -> Option<Scalar> {
    match kind {
        StorageKind::Integer | StorageKind::BigInteger => text.parse().ok().map(Scalar::Int),
        StorageKind::Float => text.parse().ok().map(Scalar::Real),
        StorageKind::Boolean => match text.as_str() {
            "1" => Some(Scalar::Bool(true)),
            "0" => Some(Scalar::Bool(false)),
            _ => None,
        },
        StorageKind::Binary => Some(Scalar::Bytes(text.into_bytes())),
        // Written back with a blank between day and time.
        _ if kind.has_date() || kind.has_time() => field_types::of_column(kind, &[])
            .parse(&text.into(), &Column::default())
            .ok(),
        _ => Some(Scalar::Text(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expression: bool, kind: StorageKind, expect: Default) {
        let found = Found {
            text: Some(text),
            expression,
        };
        assert_eq!(read(&found, kind), expect, "{text} {kind:?}");
    }

    #[test]
    fn expressions_are_understood() {
        use StorageKind as K;
        let check = |text: &str, kind: K, expect: Default| check(text, true, kind, expect);
        check(
            "'it\\'s \"quoted\" a\\\\b'",
            K::String,
            Default::Value("it's \"quoted\" a\\b".into()),
        );
        check("_utf8mb4\\'x\\'", K::String, Default::Value("x".into()));
        check("''", K::Text, Default::Value("".into()));
        check("-3", K::Integer, Default::Value(Scalar::Int(-3)));
        check("(5)", K::BigInteger, Default::Value(Scalar::Int(5)));
        check("'1.50'", K::Decimal, Default::Value("1.50".into()));
        check("1.50", K::Decimal, Default::Value("1.50".into()));
        check("0.5", K::Float, Default::Value(Scalar::Real(0.5)));
        check("1", K::Boolean, Default::Value(Scalar::Bool(true)));
        check("b'0'", K::Boolean, Default::Value(Scalar::Bool(false)));
        check("'{\"a\":[1,2]}'", K::Json, Default::Value("{\"a\":[1,2]}".into()));
        check(
            "convert(0xf09f9880 using utf8mb4)",
            K::String,
            Default::Value("😀".into()),
        );
        check("0x00ff", K::Binary, Default::Value(Scalar::Bytes(vec![0, 255])));
        check(
            "'2020-01-31 10:00:00.000'",
            K::Timestamp,
            Default::Value("2020-01-31T10:00:00.000Z".into()),
        );
        check("NULL", K::String, Default::None);
        for text in [
            "current_timestamp()",
            "CURRENT_TIMESTAMP",
            "current_timestamp(6)",
            "utc_timestamp(3)",
            "utc_date()",
            "(utc_time())",
            "curdate()",
        ] {
            check(text, K::Timestamp, Default::Now);
        }
        check("uuid()", K::Uuid, Default::Expression("uuid()".to_owned()));
        check(
            "(now() + interval 1 day)",
            K::Timestamp,
            Default::Expression("(now() + interval 1 day)".to_owned()),
        );
    }

    #[test]
    fn bare_values_are_understood() {
        use StorageKind as K;
        let check = |text: &str, kind: K, expect: Default| check(text, false, kind, expect);
        check("draft", K::String, Default::Value("draft".into()));
        check("NULL", K::String, Default::Value("NULL".into()));
        check("7", K::Integer, Default::Value(Scalar::Int(7)));
        check("CURRENT_TIMESTAMP", K::Timestamp, Default::Now);
    }
}
