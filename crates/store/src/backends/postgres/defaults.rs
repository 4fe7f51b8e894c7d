//! Defaults of columns: the time of the write as it is declared, and what the catalogue says of those that are there.

use loggia_model::schema::{Column, Default};
use loggia_model::{Scalar, StorageKind, field_types};

/// The time of the write, as a default is declared.
pub(super) fn now(kind: StorageKind) -> &'static str {
    match kind {
        StorageKind::Date => "((now() AT TIME ZONE 'UTC')::date)",
        StorageKind::Time => "(date_trunc('second', now() AT TIME ZONE 'UTC')::time)",
        StorageKind::DateTime => "(date_trunc('second', now() AT TIME ZONE 'UTC'))",
        _ => "(date_trunc('milliseconds', now()))",
    }
}

/// Words that mean the time of the write, and those that stand around them.
const CLOCKS: &[&str] = &[
    "now()",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "transaction_timestamp()",
    "statement_timestamp()",
    "clock_timestamp()",
];
const AROUND_A_CLOCK: &[&str] = &[
    "::timestamp without time zone",
    "::timestamp with time zone",
    "::time without time zone",
    "::date",
    "::text",
    "date_trunc('milliseconds',",
    "date_trunc('second',",
    "timezone('utc',",
    "at time zone 'utc'",
    "(0)",
    "(3)",
    "(6)",
];

/// Reads a default as the server writes it back.
pub(super) fn read(text: Option<&str>, kind: StorageKind) -> Default {
    let Some(text) = text.map(str::trim) else {
        return Default::None;
    };
    if is_clock(text) {
        return Default::Now;
    }
    let bare = uncast(text);
    let value = match bare.to_ascii_lowercase().as_str() {
        "null" => return Default::None,
        "true" => Some(Scalar::Bool(true)),
        "false" => Some(Scalar::Bool(false)),
        _ => match quoted(bare) {
            Some(inner) => of_kind(inner, kind),
            None => bare
                .parse::<f64>()
                .ok()
                .and_then(|_| of_kind(bare.to_owned(), kind)),
        },
    };
    value.map_or_else(|| Default::Expression(text.to_owned()), Default::Value)
}

/// Whether an expression is nothing but the time of the write.
fn is_clock(text: &str) -> bool {
    let mut rest = text.to_ascii_lowercase();
    let Some(clock) = CLOCKS.iter().find(|clock| rest.contains(**clock)) else {
        return false;
    };
    rest = rest.replacen(clock, "", 1);
    for around in AROUND_A_CLOCK {
        // Longer ones stand before those that they contain.
        rest = rest.replace(around, "");
    }
    rest.chars().all(|character| matches!(character, '(' | ')' | ' '))
}

/// Without the casts behind a constant, and the brackets around it.
fn uncast(text: &str) -> &str {
    let mut text = text;
    loop {
        let before = text;
        if let Some(inner) = text
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .filter(|inner| !inner.contains(['(', ')']) || inner.starts_with(['\'', 'E']))
        {
            text = inner.trim();
        }
        if let Some((constant, ty)) = text.rsplit_once("::")
            && !ty.contains('\'')
        {
            text = constant;
        }
        if text == before {
            return text;
        }
    }
}

/// The inside of a text constant.
fn quoted(text: &str) -> Option<String> {
    let (escaped, text) = match text.strip_prefix('E') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    if inner.replace("''", "").contains('\'') {
        return None;
    }
    let inner = inner.replace("''", "'");
    Some(if escaped {
        inner.replace("\\\\", "\\")
    } else {
        inner
    })
}

/// A constant as the canonical scalar of a kind.
fn of_kind(text: String, kind: StorageKind) -> Option<Scalar> {
    match kind {
        StorageKind::Integer | StorageKind::BigInteger => text.parse().ok().map(Scalar::Int),
        StorageKind::Float => text.parse().ok().map(Scalar::Real),
        StorageKind::Boolean => match text.as_str() {
            "t" | "true" | "1" => Some(Scalar::Bool(true)),
            "f" | "false" | "0" => Some(Scalar::Bool(false)),
            _ => None,
        },
        StorageKind::Binary => bytes(text.strip_prefix("\\x")?).map(Scalar::Bytes),
        // Written back with a blank between day and time.
        _ if kind.has_date() || kind.has_time() => field_types::of_column(kind, &[])
            .parse(&text.into(), &Column::default())
            .ok(),
        _ => Some(Scalar::Text(text)),
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_understood() {
        use StorageKind as K;
        let check = |text: &str, kind: K, expect: Default| {
            assert_eq!(read(Some(text), kind), expect, "{text} {kind:?}");
        };
        check(
            "'it''s \"quoted\"'::character varying",
            K::String,
            Default::Value("it's \"quoted\"".into()),
        );
        check("E'a\\\\b'::text", K::Text, Default::Value("a\\b".into()));
        check("''::text", K::Text, Default::Value("".into()));
        check("'a::b'::text", K::Text, Default::Value("a::b".into()));
        check("'-3'::integer", K::Integer, Default::Value(Scalar::Int(-3)));
        check("5", K::BigInteger, Default::Value(Scalar::Int(5)));
        check(
            "('-5'::integer)::bigint",
            K::BigInteger,
            Default::Value(Scalar::Int(-5)),
        );
        check("1.50", K::Decimal, Default::Value("1.50".into()));
        check(
            "'0.5'::double precision",
            K::Float,
            Default::Value(Scalar::Real(0.5)),
        );
        check("true", K::Boolean, Default::Value(Scalar::Bool(true)));
        check(
            "'{\"a\":[1,2]}'::json",
            K::Json,
            Default::Value("{\"a\":[1,2]}".into()),
        );
        check(
            "'\\x00ff'::bytea",
            K::Binary,
            Default::Value(Scalar::Bytes(vec![0, 255])),
        );
        check(
            "'2020-01-31 10:00:00+00'::timestamp with time zone",
            K::Timestamp,
            Default::Value("2020-01-31T10:00:00.000Z".into()),
        );
        check(
            "'10:00:00'::time without time zone",
            K::Time,
            Default::Value("10:00:00".into()),
        );
        check("NULL::character varying", K::String, Default::None);
        for text in [
            "now()",
            "CURRENT_TIMESTAMP",
            "CURRENT_DATE",
            "date_trunc('milliseconds'::text, now())",
            "((now() AT TIME ZONE 'UTC'::text))::date",
            "(date_trunc('second'::text, (now() AT TIME ZONE 'UTC'::text)))::time without time zone",
        ] {
            check(text, K::Timestamp, Default::Now);
        }
        check(
            "gen_random_uuid()",
            K::Uuid,
            Default::Expression("gen_random_uuid()".to_owned()),
        );
        check(
            "now() + '1 day'::interval",
            K::Timestamp,
            Default::Expression("now() + '1 day'::interval".to_owned()),
        );
    }
}
