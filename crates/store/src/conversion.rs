//! Values of a column that takes another type.

use loggia_model::schema::Column;
use loggia_model::{Problem, Scalar, StorageKind, field_types};
use serde_json::Value as Json;

/// The same value as another kind keeps it; what would lose something does not convert.
pub(crate) fn convert(scalar: Scalar, from: &Column, to: &Column) -> Result<Scalar, Problem> {
    use StorageKind as Kind;
    let ty = field_types::of_column(to.kind, &[]);
    let value = field_types::of_column(from.kind, &[]).print(scalar);
    let value = match (from.kind, to.kind, value) {
        (
            Kind::Boolean,
            Kind::Integer | Kind::BigInteger | Kind::Float | Kind::Decimal,
            Json::Bool(truth),
        ) => i64::from(truth).into(),
        // Text that is JSON becomes what it says; other text becomes a JSON text.
        (Kind::String | Kind::Text, Kind::Json | Kind::Geometry, Json::String(text)) => {
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
        (Kind::Json | Kind::Geometry, Kind::String | Kind::Text, Json::String(text)) => Json::String(text),
        (Kind::Json | Kind::Geometry, Kind::String | Kind::Text, value) => value.to_string().into(),
        (_, _, value) => value,
    };
    ty.parse(&value, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_convert_or_say_why_not() {
        use StorageKind as K;
        let check = |from: K, value: Scalar, to: K, expect: Option<Scalar>| {
            let column = |kind| Column {
                kind,
                max_length: (kind == K::String).then_some(5),
                ..Column::default()
            };
            let got = convert(value.clone(), &column(from), &column(to)).ok();
            assert_eq!(got, expect, "{from:?} {value:?} to {to:?}");
        };
        check(K::String, "42".into(), K::Integer, Some(Scalar::Int(42)));
        check(K::String, "x".into(), K::Integer, None);
        check(K::Integer, Scalar::Int(42), K::String, Some("42".into()));
        check(K::Boolean, Scalar::Int(1), K::Integer, Some(Scalar::Int(1)));
        check(K::Boolean, Scalar::Int(1), K::String, Some("true".into()));
        check(K::Integer, Scalar::Int(1), K::Boolean, Some(Scalar::Bool(true)));
        check(K::Integer, Scalar::Int(2), K::Boolean, None);
        check(K::BigInteger, Scalar::Int(1 << 40), K::Integer, None);
        check(K::Float, Scalar::Real(2.0), K::Integer, Some(Scalar::Int(2)));
        check(K::Float, Scalar::Real(2.5), K::Integer, None);
        check(K::Float, Scalar::Real(0.1), K::Decimal, Some("0.1".into()));
        check(K::Decimal, "19.90".into(), K::String, Some("19.90".into()));
        check(K::Text, "toolong".into(), K::String, None);
        check(K::Text, "[1]".into(), K::Json, Some("[1]".into()));
        check(K::Text, "hi".into(), K::Json, Some("\"hi\"".into()));
        check(K::Json, "\"hi\"".into(), K::Text, Some("hi".into()));
        check(K::Json, "{\"a\":1}".into(), K::Text, Some("{\"a\":1}".into()));
        check(
            K::Timestamp,
            "2026-01-31T11:45:00.000Z".into(),
            K::Date,
            Some("2026-01-31".into()),
        );
        check(
            K::Date,
            "2026-01-31".into(),
            K::Timestamp,
            Some("2026-01-31T00:00:00.000Z".into()),
        );
        check(
            K::Uuid,
            "3fa85f64-5717-4562-b3fc-2c963f66afa6".into(),
            K::Text,
            Some("3fa85f64-5717-4562-b3fc-2c963f66afa6".into()),
        );
        check(K::Text, "soon".into(), K::Timestamp, None);
    }
}
