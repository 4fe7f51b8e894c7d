//! Values on their way to PostgreSQL, as text, which it reads by the type of each placeholder; and on their way back,
//! in its binary form.

use std::error::Error as StdError;

use bytes::BytesMut;
use loggia_model::Scalar;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};

use super::{calendar, numeric};

/// A scalar as PostgreSQL takes it.
#[derive(Debug)]
pub(super) struct Bound<'v>(pub(super) &'v Scalar);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            Scalar::Null => return Ok(IsNull::Yes),
            Scalar::Bool(truth) if *ty == Type::BOOL => {
                out.extend_from_slice(if *truth { b"t" } else { b"f" })
            }
            Scalar::Bool(truth) => out.extend_from_slice(if *truth { b"1" } else { b"0" }),
            Scalar::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            // SQLite keeps no sign of zero.
            Scalar::Real(number) if *number == 0.0 => out.extend_from_slice(b"0"),
            Scalar::Real(number) => out.extend_from_slice(format!("{number:?}").as_bytes()),
            Scalar::Text(text) if matches!(*ty, Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ) => {
                out.extend_from_slice(calendar::with_era(text).as_bytes());
            }
            Scalar::Text(text) => out.extend_from_slice(text.as_bytes()),
            Scalar::Bytes(bytes) if *ty == Type::BYTEA => out.extend_from_slice(bytes),
            Scalar::Bytes(bytes) => out.extend_from_slice(hexadecimal(bytes).as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(ty, out)
    }

    fn encode_format(&self, ty: &Type) -> Format {
        match self.0 {
            Scalar::Bytes(_) if *ty == Type::BYTEA => Format::Binary,
            _ => Format::Text,
        }
    }
}

/// Bytes as the text of a `bytea`.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 2);
    text.push_str("\\x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// A cell of an answer.
pub(super) struct Cell(pub(super) Scalar);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        match scalar(ty, raw) {
            Some(scalar) => Ok(Self(scalar)),
            None => Err(format!("a value of the type {ty} cannot be read").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Scalar::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn scalar(ty: &Type, raw: &[u8]) -> Option<Scalar> {
    // Other types are cast to text in the statement, see `types::is_native`.
    Some(match *ty {
        Type::BOOL => Scalar::Bool(*raw.first()? != 0),
        Type::INT2 => Scalar::Int(i16::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT4 => Scalar::Int(i32::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT8 => Scalar::Int(i64::from_be_bytes(raw.try_into().ok()?)),
        Type::OID => Scalar::Int(u32::from_be_bytes(raw.try_into().ok()?).into()),
        // The shortest notation is what people wrote, and what an equal number of 64 bits is read from.
        Type::FLOAT4 => Scalar::Real(
            f32::from_be_bytes(raw.try_into().ok()?)
                .to_string()
                .parse()
                .ok()?,
        ),
        Type::FLOAT8 => Scalar::Real(f64::from_be_bytes(raw.try_into().ok()?)),
        Type::NUMERIC => Scalar::Text(numeric::plain(raw)?),
        Type::DATE => Scalar::Text(calendar::date(i32::from_be_bytes(raw.try_into().ok()?))),
        Type::TIME => Scalar::Text(calendar::time(i64::from_be_bytes(raw.try_into().ok()?))),
        Type::TIMESTAMP => Scalar::Text(calendar::date_time(i64::from_be_bytes(raw.try_into().ok()?))),
        Type::TIMESTAMPTZ => Scalar::Text(calendar::timestamp(i64::from_be_bytes(raw.try_into().ok()?))),
        Type::UUID => Scalar::Text(uuid(raw.try_into().ok()?)),
        Type::BYTEA => Scalar::Bytes(raw.to_vec()),
        // A version stands before the text.
        Type::JSONB => Scalar::Text(String::from_utf8_lossy(raw.get(1..)?).into_owned()),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN => {
            Scalar::Text(String::from_utf8_lossy(raw).into_owned())
        }
        _ => match ty.kind() {
            Kind::Enum(_) => Scalar::Text(String::from_utf8_lossy(raw).into_owned()),
            Kind::Domain(base) => scalar(base, raw)?,
            _ => return None,
        },
    })
}

fn uuid(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let digits = format!("{number:032x}");
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_their_binary_form() {
        let check = |ty: Type, raw: &[u8], expect: Scalar| {
            assert_eq!(scalar(&ty, raw), Some(expect), "{ty}");
        };
        check(Type::BOOL, &[1], true.into());
        check(Type::INT2, &[0xFF, 0xFE], Scalar::Int(-2));
        check(Type::FLOAT4, &0.1_f32.to_be_bytes(), Scalar::Real(0.1));
        check(Type::JSONB, b"\x01{}", "{}".into());
        check(
            Type::UUID,
            &[
                0x3f, 0xa8, 0x5f, 0x64, 0x57, 0x17, 0x45, 0x62, 0xb3, 0xfc, 0x2c, 0x96, 0x3f, 0x66, 0xaf,
                0xa6,
            ],
            "3fa85f64-5717-4562-b3fc-2c963f66afa6".into(),
        );
        assert_eq!(scalar(&Type::INT4, &[1]), None);
        assert_eq!(scalar(&Type::POINT, &[0; 16]), None);
        assert_eq!(hexadecimal(&[0, 255]), "\\x00ff");
    }
}
