//! The operators of the filter language, by every name that a dialect has for them: one table.

use crate::StorageKind;

/// What a test does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each one means")]
pub enum Operator {
    Equal,
    NotEqual,
    EqualIgnoringCase,
    NotEqualIgnoringCase,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Null,
    NotNull,
    Contains,
    NotContains,
    ContainsIgnoringCase,
    NotContainsIgnoringCase,
    StartsWith,
    NotStartsWith,
    StartsWithIgnoringCase,
    NotStartsWithIgnoringCase,
    EndsWith,
    NotEndsWith,
    EndsWithIgnoringCase,
    NotEndsWithIgnoringCase,
    Between,
    NotBetween,
    Empty,
    NotEmpty,
    Regex,
    Submitted,
    Intersects,
    NotIntersects,
    IntersectsBox,
    NotIntersectsBox,
}

/// What stands behind an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// One value of the field's type.
    Value,
    /// A list of values.
    List,
    /// Two values.
    Range,
    /// Text.
    Text,
    /// true or false.
    Truth,
    /// A shape.
    Geometry,
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// What it does.
    pub operator: Operator,
    /// The name in the REST dialect.
    pub name: &'static str,
    /// The name in the other dialect, where it has one.
    pub dollar: Option<&'static str>,
    /// What stands behind it.
    pub argument: Argument,
    /// For people and assistants.
    pub meaning: &'static str,
}

macro_rules! operators {
    ($($operator:ident $name:literal $dollar:expr, $argument:ident, $meaning:literal;)*) => {
        /// Every operator.
        pub static OPERATORS: &[Row] = &[$(Row {
            operator: Operator::$operator,
            name: $name,
            dollar: $dollar,
            argument: Argument::$argument,
            meaning: $meaning,
        }),*];
    };
}

operators! {
    Equal "_eq" Some("$eq"), Value, "Equal to.";
    NotEqual "_neq" Some("$ne"), Value, "Not equal to.";
    EqualIgnoringCase "_ieq" Some("$eqi"), Text, "Equal to, whatever the case.";
    NotEqualIgnoringCase "_nieq" Some("$nei"), Text, "Not equal to, whatever the case.";
    Less "_lt" Some("$lt"), Value, "Less than.";
    LessOrEqual "_lte" Some("$lte"), Value, "Less than or equal to.";
    Greater "_gt" Some("$gt"), Value, "Greater than.";
    GreaterOrEqual "_gte" Some("$gte"), Value, "Greater than or equal to.";
    In "_in" Some("$in"), List, "One of.";
    NotIn "_nin" Some("$notIn"), List, "None of.";
    Null "_null" Some("$null"), Truth, "Has no value.";
    NotNull "_nnull" Some("$notNull"), Truth, "Has a value.";
    Contains "_contains" Some("$contains"), Text, "Contains the text.";
    NotContains "_ncontains" Some("$notContains"), Text, "Does not contain the text.";
    ContainsIgnoringCase "_icontains" Some("$containsi"), Text, "Contains the text, whatever the case.";
    NotContainsIgnoringCase "_nicontains" Some("$notContainsi"), Text, "Does not contain the text, whatever the case.";
    StartsWith "_starts_with" Some("$startsWith"), Text, "Starts with the text.";
    NotStartsWith "_nstarts_with" None, Text, "Does not start with the text.";
    StartsWithIgnoringCase "_istarts_with" Some("$startsWithi"), Text, "Starts with the text, whatever the case.";
    NotStartsWithIgnoringCase "_nistarts_with" None, Text, "Does not start with the text, whatever the case.";
    EndsWith "_ends_with" Some("$endsWith"), Text, "Ends with the text.";
    NotEndsWith "_nends_with" None, Text, "Does not end with the text.";
    EndsWithIgnoringCase "_iends_with" Some("$endsWithi"), Text, "Ends with the text, whatever the case.";
    NotEndsWithIgnoringCase "_niends_with" None, Text, "Does not end with the text, whatever the case.";
    Between "_between" Some("$between"), Range, "Between two values, ends included.";
    NotBetween "_nbetween" None, Range, "Outside two values, ends excluded.";
    Empty "_empty" None, Truth, "Has no value, or an empty one.";
    NotEmpty "_nempty" None, Truth, "Has a value that is not empty.";
    Regex "_regex" None, Text, "Matches the regular expression; in validation only.";
    Submitted "_submitted" None, Truth, "Is part of what is written; in validation only.";
    Intersects "_intersects" None, Geometry, "Meets the shape.";
    NotIntersects "_nintersects" None, Geometry, "Does not meet the shape.";
    IntersectsBox "_intersects_bbox" None, Geometry, "Its bounding box meets the shape's.";
    NotIntersectsBox "_nintersects_bbox" None, Geometry, "Its bounding box does not meet the shape's.";
}

impl Operator {
    /// By any of its names.
    #[must_use]
    pub fn parse(name: &str) -> Option<&'static Row> {
        OPERATORS
            .iter()
            .find(|row| row.name == name || row.dollar == Some(name))
    }

    /// Whether it says something of values of this kind, where a database is to do it.
    #[must_use]
    pub fn applies_to(self, kind: StorageKind) -> bool {
        use StorageKind as K;
        match self {
            Self::Null | Self::NotNull => true,
            Self::Regex | Self::Submitted => false,
            Self::Intersects | Self::NotIntersects | Self::IntersectsBox | Self::NotIntersectsBox => {
                kind == K::Geometry
            }
            Self::Equal | Self::NotEqual | Self::In | Self::NotIn => {
                !matches!(kind, K::Json | K::Binary | K::Geometry)
            }
            Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::Between
            | Self::NotBetween => !matches!(kind, K::Json | K::Binary | K::Geometry | K::Boolean),
            Self::Empty | Self::NotEmpty => kind.is_textual() || kind == K::Json,
            _ => kind.is_textual(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_operator_is_there_once() {
        let mut names: Vec<_> = OPERATORS
            .iter()
            .flat_map(|row| [Some(row.name), row.dollar])
            .flatten()
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let operators: std::collections::HashSet<_> = OPERATORS.iter().map(|row| row.operator).collect();
        assert_eq!(operators.len(), OPERATORS.len());
        assert!(OPERATORS.iter().all(|row| row.meaning.ends_with('.')));
    }
}
