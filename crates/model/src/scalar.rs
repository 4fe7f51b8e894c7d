//! A value as the database holds it, and the kinds of storage that every backend offers.

use serde::{Deserialize, Serialize};

/// One stored value. What the text or the number means is said by the [`StorageKind`] beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar {
    /// SQL NULL.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// Any whole number up to 64 bits.
    Int(i64),
    /// IEEE 754 binary64.
    Real(f64),
    /// Text; also decimals, dates, times, UUIDs and JSON, each in the canonical form of its kind.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Scalar {
    /// Whether this is SQL NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text inside, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Scalar {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl From<bool> for Scalar {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
impl<T: Into<Self>> From<Option<T>> for Scalar {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// How a column is stored: the closed list that each backend lowers to a type of its own.
///
/// The canonical [`Scalar`] of each kind is named in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StorageKind {
    /// true or false \[Bool\].
    Boolean,
    /// 32-bit whole number \[Int\].
    Integer,
    /// 64-bit whole number \[Int\].
    BigInteger,
    /// binary64 \[Real\].
    Float,
    /// Decimal of any precision, in plain notation \[Text, as it was written\]; compared by value.
    Decimal,
    /// Text of at most `max_length` characters \[Text\].
    String,
    /// Text of any length \[Text\].
    Text,
    /// JSON \[Text\].
    Json,
    /// `YYYY-MM-DD` \[Text\].
    Date,
    /// `HH:MM:SS[.fff]` \[Text\].
    Time,
    /// `YYYY-MM-DDTHH:MM:SS[.fff]`, no zone \[Text\].
    DateTime,
    /// `YYYY-MM-DDTHH:MM:SS.fffZ`, UTC \[Text\].
    Timestamp,
    /// Lower-case hyphenated UUID \[Text\].
    Uuid,
    /// Bytes \[Bytes\].
    Binary,
    /// GeoJSON \[Text\].
    Geometry,
}

impl StorageKind {
    /// Whether values of this kind are matched as text by `contains`, `starts with` and the search.
    #[must_use]
    pub fn is_textual(self) -> bool {
        matches!(self, Self::String | Self::Text)
    }

    /// Whether sums and averages make sense.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Integer | Self::BigInteger | Self::Float | Self::Decimal
        )
    }

    /// Whether a year, month or day can be taken from it.
    #[must_use]
    pub fn has_date(self) -> bool {
        matches!(self, Self::Date | Self::DateTime | Self::Timestamp)
    }

    /// Whether an hour, minute or second can be taken from it.
    #[must_use]
    pub fn has_time(self) -> bool {
        matches!(self, Self::Time | Self::DateTime | Self::Timestamp)
    }
}
