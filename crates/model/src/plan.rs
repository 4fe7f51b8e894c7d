//! What is to be done with rows, with every name resolved: the only language that `store` understands.
//!
//! A plan is inert. `access::decide` turns it into a `Permit<Plan>`, folding the caller's row filters and field masks
//! into it; only then will `store` run it.

use std::sync::Arc;

use crate::filter::{Filter, Function, Operand};
use crate::{Collection, Field, Link, Scalar};

/// Anything that touches rows.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Rows, nested.
    Read(ReadPlan),
    /// Figures about rows.
    Aggregate(AggregatePlan),
    /// New rows.
    Insert(InsertPlan),
    /// Changed rows.
    Update(UpdatePlan),
    /// Fewer rows.
    Delete(DeletePlan),
}

/// Rows of one collection with rows related to them: at most one SQL statement per nested plan.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// Where from.
    pub collection: Arc<Collection>,
    /// What of each row, in the order of the answer.
    pub select: Vec<Selected>,
    /// Which rows.
    pub filter: Filter,
    /// In which order; the primary key always comes last, so that pages never overlap.
    pub sort: Vec<Sort>,
    /// At most so many; inside a to-many relation, so many for each parent. `None`: all.
    pub limit: Option<u64>,
    /// After skipping so many.
    pub offset: u64,
}

/// One member of each row of the answer.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Its name in the answer.
    pub alias: String,
    /// What it is.
    pub source: Source,
    /// On which rows it is shown: elsewhere it is null, and a list is empty. `None`: on all. Members that share a
    /// condition share the `Arc`.
    pub when: Option<Arc<Filter>>,
}

impl Selected {
    /// A member that is shown on every row.
    #[must_use]
    pub fn new(alias: impl Into<String>, source: Source) -> Self {
        Self {
            alias: alias.into(),
            source,
            when: None,
        }
    }
}

/// Where a member of the answer comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A column; concealed fields come masked.
    Field(Arc<Field>),
    /// A column, unmasked: for the system's own reads only.
    Secret(Arc<Field>),
    /// A part of a column's value.
    Function {
        /// Which part.
        function: Function,
        /// Of which column.
        field: Arc<Field>,
    },
    /// The JSON value at a path inside a JSON column; null where there is none.
    Json {
        /// The column.
        field: Arc<Field>,
        /// Object keys and array positions (all digits).
        path: Vec<String>,
    },
    /// How many related items there are.
    Count(Operand),
    /// What a relational field leads to.
    Related(Related),
    /// A tag ([`crate::tag`]) of what these members show of the item; they are columns.
    Tag(Vec<Selected>),
}

/// The nested part of a read.
#[derive(Clone, Debug)]
pub struct Related {
    /// The relation, seen from the parent.
    pub link: Link,
    /// What to read there: one plan for `ToOne` and `ToMany`; one for each collection asked for with `ToAny`.
    pub plans: Vec<ReadPlan>,
    /// The answer holds bare primary keys instead of objects (`fields=tags` on a to-many field).
    pub keys_only: bool,
}

/// One sort key.
#[derive(Clone, Debug)]
pub struct Sort {
    /// By what.
    pub operand: Operand,
    /// Largest first. NULL counts as smaller than everything on every backend.
    pub descending: bool,
}

/// Counts, sums and the like, in groups or of everything.
#[derive(Clone, Debug)]
pub struct AggregatePlan {
    /// Of what.
    pub collection: Arc<Collection>,
    /// Of which rows.
    pub filter: Filter,
    /// One answer row for each combination of these; none: one row in all.
    pub group_by: Vec<Group>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// By groups or figures.
    pub sort: Vec<FigureSort>,
    /// At most so many groups.
    pub limit: Option<u64>,
    /// After skipping so many groups.
    pub offset: u64,
}

/// One key of a group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name in the answer (`status`, `date_year`).
    pub alias: String,
    /// The value grouped by.
    pub operand: Operand,
}

/// One figure: answered as `{function: {field: value}}`, or as `{function: value}` where it is of all rows.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What is worked out.
    pub function: Aggregate,
    /// Of which column; `None`: of rows (`count(*)`).
    pub field: Option<Arc<Field>>,
    /// On which rows the column has its value; elsewhere it counts as NULL. `None`: on all.
    pub when: Option<Arc<Filter>>,
}

/// Sorts groups.
#[derive(Clone, Debug)]
pub struct FigureSort {
    /// By group (position in `group_by`) or by figure (position in `figures`).
    pub key: FigureKey,
    /// Largest first.
    pub descending: bool,
}

/// What groups are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKey {
    /// `group_by[i]`.
    Group(usize),
    /// `figures[i]`.
    Figure(usize),
}

/// The aggregate functions of the query language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Rows, or values that are not NULL.
    Count,
    /// Different values that are not NULL.
    CountDistinct,
    /// Rows.
    CountAll,
    /// Sum.
    Sum,
    /// Sum of different values.
    SumDistinct,
    /// Mean.
    Avg,
    /// Mean of different values.
    AvgDistinct,
    /// Smallest.
    Min,
    /// Largest.
    Max,
}

impl Aggregate {
    /// All of them, with the names that the query language uses.
    pub const ALL: [(&'static str, Self); 9] = [
        ("count", Self::Count),
        ("countDistinct", Self::CountDistinct),
        ("countAll", Self::CountAll),
        ("sum", Self::Sum),
        ("sumDistinct", Self::SumDistinct),
        ("avg", Self::Avg),
        ("avgDistinct", Self::AvgDistinct),
        ("min", Self::Min),
        ("max", Self::Max),
    ];

    /// By name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, function)| function)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, function)| *function == self)
            .map_or("", |(name, _)| name)
    }
}

/// New rows of one collection. Answered by their primary keys, in order.
#[derive(Clone, Debug)]
pub struct InsertPlan {
    /// Where to.
    pub collection: Arc<Collection>,
    /// Each row: columns and canonical values; a column left out gets its default.
    pub rows: Vec<Vec<(Arc<Field>, Scalar)>>,
}

/// The same change to many rows. Answered by the primary keys of the rows that matched.
#[derive(Clone, Debug)]
pub struct UpdatePlan {
    /// Where.
    pub collection: Arc<Collection>,
    /// Which rows.
    pub filter: Filter,
    /// Columns and canonical values.
    pub assign: Vec<(Arc<Field>, Scalar)>,
}

/// Rows to remove. Answered by their primary keys.
#[derive(Clone, Debug)]
pub struct DeletePlan {
    /// Where.
    pub collection: Arc<Collection>,
    /// Which rows.
    pub filter: Filter,
}

/// A change of tables, in order, inside the transaction that also changes the metadata rows.
#[derive(Clone, Debug)]
pub struct SchemaPlan {
    /// The steps.
    pub steps: Vec<SchemaStep>,
}

/// One change of a table. Every backend does each of them whole, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemaStep {
    /// A new table.
    CreateTable {
        /// Its name.
        table: String,
        /// Its columns, the primary key among them.
        columns: Vec<crate::schema::Column>,
        /// Its foreign keys.
        foreign_keys: Vec<crate::schema::ForeignKey>,
    },
    /// A table goes with all its rows.
    DropTable {
        /// Its name.
        table: String,
    },
    /// A new column; rows that exist get its default.
    AddColumn {
        /// The table.
        table: String,
        /// The column.
        column: crate::schema::Column,
    },
    /// A column takes another type, default, nullability, uniqueness or index; its values are converted or the step fails.
    AlterColumn {
        /// The table.
        table: String,
        /// The column as it shall be, under the name that it has.
        column: crate::schema::Column,
    },
    /// A column goes with its values.
    DropColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A foreign key; rows that point nowhere make it fail.
    AddForeignKey {
        /// The table that points.
        table: String,
        /// The key.
        key: crate::schema::ForeignKey,
    },
    /// A foreign key goes; values stay.
    DropForeignKey {
        /// The table that points.
        table: String,
        /// The column that points.
        column: String,
    },
    /// No two rows share the values of these columns together; rows that do make it fail.
    AddUnique {
        /// The table.
        table: String,
        /// The columns, several.
        columns: Vec<String>,
    },
    /// The keys that the database counts come behind this one, whether a row has it or not.
    CountFrom {
        /// The table.
        table: String,
        /// The column that is counted.
        column: String,
        /// The last key that counts as given.
        last: i64,
    },
}
