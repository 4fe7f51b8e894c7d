//! Which rows: one expression tree for every dialect's operators, with names already resolved.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::{Collection, Field, Relation, Scalar};

/// A condition on the rows of one collection.
///
/// Conditions follow SQL's three-valued logic with one promise: a negated test (`NotEqual`, `NotIn`,
/// `NotContains`, …) does not match NULL unless the dialect's operator says so; the parser writes that out.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Every row.
    All,
    /// No row.
    Nothing,
    /// All of them hold.
    And(Vec<Filter>),
    /// Any of them holds.
    Or(Vec<Filter>),
    /// It does not hold (NULL counts as not holding).
    Not(Box<Filter>),
    /// A value passes a test.
    Test {
        /// What is tested.
        operand: Operand,
        /// How.
        test: Test,
    },
    /// Related items satisfy a condition.
    Related {
        /// The step to them.
        step: Step,
        /// How many must.
        quantifier: Quantifier,
        /// The condition on them.
        filter: Box<Filter>,
    },
    /// A condition that many plans have in common.
    Shared(Arc<Shared>),
}

/// A condition that is kept and put into one plan after the other, with a place for what is made of it on the way to the
/// database: that work is done once.
pub struct Shared {
    filter: Filter,
    made: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Shared {
    /// The condition.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What was made of it, by `make` the first time; `None`: something of another type was.
    pub fn made<T: Send + Sync + 'static>(&self, make: impl FnOnce(&Filter) -> T) -> Option<&T> {
        let made = self.made.get_or_init(|| Box::new(make(&self.filter)));
        made.downcast_ref()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter.fmt(f)
    }
}

/// What a test looks at, and what can be sorted and grouped by.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A column.
    Field(Arc<Field>),
    /// A part of a column's value.
    Function {
        /// Which part.
        function: Function,
        /// Of which column.
        field: Arc<Field>,
    },
    /// The value at a path inside a JSON column, as text, number or truth value.
    JsonPath {
        /// The column.
        field: Arc<Field>,
        /// Object keys and array positions (all digits).
        path: Vec<String>,
    },
    /// How many related items there are.
    Count {
        /// The step to them.
        step: Step,
        /// Which of them count.
        filter: Box<Filter>,
    },
    /// A value of the one item that a to-one step leads to; for sorting through relations.
    Through {
        /// The step.
        step: Step,
        /// Which items it may lead to; where it leads to another, the value is NULL.
        filter: Box<Filter>,
        /// The operand there.
        operand: Box<Operand>,
    },
    /// A value where a condition on the row holds, and NULL elsewhere.
    Case {
        /// The condition.
        when: Arc<Filter>,
        /// The value.
        operand: Box<Operand>,
    },
}

/// The functions of the query language on dates and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Calendar year.
    Year,
    /// 1–12.
    Month,
    /// ISO 8601 week, 1–53.
    Week,
    /// Day of the month, 1–31.
    Day,
    /// 0 (Sunday) – 6.
    Weekday,
    /// 0–23, UTC.
    Hour,
    /// 0–59.
    Minute,
    /// 0–59.
    Second,
    /// Entries of a JSON array.
    Count,
}

impl Function {
    /// All of them, with the name that the query language uses.
    pub const ALL: [(&'static str, Self); 9] = [
        ("year", Self::Year),
        ("month", Self::Month),
        ("week", Self::Week),
        ("day", Self::Day),
        ("weekday", Self::Weekday),
        ("hour", Self::Hour),
        ("minute", Self::Minute),
        ("second", Self::Second),
        ("count", Self::Count),
    ];

    /// By name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, function)| function)
    }
}

/// One step from a row to related rows.
#[derive(Clone, Debug)]
pub struct Step {
    /// The relation.
    pub relation: Arc<Relation>,
    /// Along or against the pointing column.
    pub direction: Direction,
    /// Where the step arrives (for M2A: the one collection chosen).
    pub target: Arc<Collection>,
}

/// Which end a [`Step`] starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the pointing row to the one it points to (M2O; M2A, where the row's collection column must name the target).
    Forward,
    /// From the row pointed to, to those that point to it (O2M).
    Backward,
}

/// How many related items must satisfy a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Some,
    /// Not one.
    None,
}

/// A test of one value; operands are canonical scalars of the field's storage kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Is NULL.
    Null,
    /// Is not NULL.
    NotNull,
    /// Is NULL or the empty text (or empty JSON array or object).
    Empty,
    /// Is neither NULL nor empty.
    NotEmpty,
    /// =
    Equal(Scalar),
    /// ≠, and not NULL.
    NotEqual(Scalar),
    /// <
    Less(Scalar),
    /// ≤
    LessOrEqual(Scalar),
    /// >
    Greater(Scalar),
    /// ≥
    GreaterOrEqual(Scalar),
    /// One of; an empty list matches nothing.
    In(Vec<Scalar>),
    /// None of, and not NULL; an empty list matches every value.
    NotIn(Vec<Scalar>),
    /// Between, ends included.
    Between(Scalar, Scalar),
    /// Outside, ends excluded, and not NULL.
    NotBetween(Scalar, Scalar),
    /// Matches a piece of text.
    Text {
        /// Where the piece must stand.
        at: Place,
        /// The piece, literally: no wildcards.
        piece: String,
        /// Whether case (of any script that the backend can fold) does not matter.
        ignore_case: bool,
        /// Whether it must not match (and not be NULL).
        negated: bool,
    },
    /// Has a position in common with a shape, on the plane of their coordinates.
    Intersects {
        /// GeoJSON.
        shape: String,
        /// Whether only the bounding boxes of both are compared.
        boxes: bool,
        /// Whether it must not (and be a shape).
        negated: bool,
    },
}

/// Where a piece of text must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Anywhere,
    /// At the start.
    Start,
    /// At the end.
    End,
    /// The whole value.
    Whole,
}

impl Filter {
    /// Both hold, without needless nesting.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, filter) | (filter, Self::All) => filter,
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (Self::And(mut all), Self::And(more)) => {
                all.extend(more);
                Self::And(all)
            }
            (Self::And(mut all), filter) | (filter, Self::And(mut all)) => {
                all.push(filter);
                Self::And(all)
            }
            (left, right) => Self::And(vec![left, right]),
        }
    }

    /// All of them hold.
    #[must_use]
    pub fn and_all(filters: Vec<Self>) -> Self {
        filters.into_iter().fold(Self::All, Self::and)
    }

    /// Any of them holds; where there are none, nothing is asked.
    #[must_use]
    pub fn or_all(filters: Vec<Self>) -> Self {
        if filters.is_empty() || filters.iter().any(|filter| matches!(filter, Self::All)) {
            return Self::All;
        }
        let mut any: Vec<_> = filters
            .into_iter()
            .filter(|filter| !matches!(filter, Self::Nothing))
            .collect();
        match any.len() {
            0 => Self::Nothing,
            1 => any.remove(0),
            _ => Self::Or(any),
        }
    }

    /// The same, made to be shared; what holds always or never needs no work anyway.
    #[must_use]
    pub fn shared(self) -> Self {
        match self {
            Self::All | Self::Nothing | Self::Shared(_) => self,
            filter => Self::Shared(Arc::new(Shared {
                filter,
                made: OnceLock::new(),
            })),
        }
    }

    /// A test of a column.
    #[must_use]
    pub fn field(field: &Arc<Field>, test: Test) -> Self {
        Self::Test {
            operand: Operand::Field(field.clone()),
            test,
        }
    }
}
