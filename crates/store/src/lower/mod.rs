//! From plans to statements: text with placeholders, and the values to bind. One file per concern.
//!
//! Everything that databases disagree about is asked of a [`Dialect`]; nothing here knows a database by name.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt::Write as _;

use loggia_model::filter::{Filter, Function, Place};
use loggia_model::plan::Aggregate;
use loggia_model::schema::{Column, Relation};
use loggia_model::{Collection, Field, Scalar, StorageKind};

pub(crate) mod aggregates;
pub(crate) mod ddl;
pub(crate) mod filters;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_mariadb;
pub(crate) mod operands;
pub(crate) mod reads;
mod shared;
pub(crate) mod writes;

/// What a database says in its own way. Each method appends to the statement that is being written.
pub(crate) trait Dialect: Sync + 'static {
    /// Which one it is.
    fn kind(&self) -> TypeId {
        TypeId::of::<Self>()
    }

    /// A quoted identifier.
    fn identifier(&self, text: &mut String, name: &str);

    /// The placeholder of the value that is bound at `position`, counted from 1.
    fn placeholder(&self, text: &mut String, position: usize);

    /// A value that operands of a kind (`None`: what JSON holds) are compared with.
    fn argument<'p>(&self, sql: &mut Sql<'p>, _kind: Option<StorageKind>, value: Cow<'p, Scalar>) {
        sql.bind(value);
    }

    /// A value that is to be kept in a column of a kind.
    fn stored<'v>(&self, _kind: StorageKind, value: Cow<'v, Scalar>) -> Cow<'v, Scalar> {
        value
    }

    /// A column as it is answered.
    fn output<'p>(&self, sql: &mut Sql<'p>, _column: &Column, write: Writer<'_, 'p>) {
        write(sql);
    }

    /// A column as it is compared, grouped and sorted by.
    fn value<'p>(&self, sql: &mut Sql<'p>, _column: &Column, write: Writer<'_, 'p>) {
        write(sql);
    }

    /// A column as text, in the canonical form of its kind.
    fn text<'p>(&self, sql: &mut Sql<'p>, kind: StorageKind, column: Writer<'_, 'p>);

    /// Two columns hold the same key, whatever their kinds make of it.
    fn same_key<'p>(
        &self,
        sql: &mut Sql<'p>,
        one: (&Column, Writer<'_, 'p>),
        many: (&Column, Writer<'_, 'p>),
    );

    /// `operand`, of a kind, is one of `values` (none of them is NULL).
    fn is_one_of<'p>(
        &self,
        sql: &mut Sql<'p>,
        kind: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        values: &[Scalar],
    );

    /// What counts as empty beside NULL, as a list of constants; empty where nothing does.
    fn empties(&self, kind: Option<StorageKind>) -> &'static str {
        match kind {
            Some(StorageKind::String | StorageKind::Text) => "('')",
            Some(StorageKind::Json) | None => "('', '\"\"', '[]', '{}')",
            Some(_) => "",
        }
    }

    /// `operand`, of a kind, has `piece` at a place.
    fn matches<'p>(
        &self,
        sql: &mut Sql<'p>,
        kind: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        at: Place,
        piece: &'p str,
        ignore_case: bool,
    );

    /// The shape in `operand` meets another, or their bounding boxes meet; NULL where `operand` holds no shape.
    fn meets<'p>(&self, sql: &mut Sql<'p>, operand: Writer<'_, 'p>, test: ShapeTest<'p>);

    /// A part of a date, a time or a JSON array; NULL where there is none.
    fn part<'p>(&self, sql: &mut Sql<'p>, function: Function, kind: StorageKind, column: Writer<'_, 'p>);

    /// The value at a path inside JSON; NULL where there is none.
    fn json_value<'p>(&self, sql: &mut Sql<'p>, column: Writer<'_, 'p>, path: &[String]);

    /// A figure about the values of a column.
    fn figure<'p>(&self, sql: &mut Sql<'p>, function: Aggregate, kind: StorageKind, column: Writer<'_, 'p>);

    /// The end of a CASE; its conditions do not say how its values are compared.
    fn end_of_case(&self) -> &'static str {
        " END"
    }

    /// What a statement has answered for a figure, as the figure.
    fn figure_answered(&self, _function: Aggregate, _kind: StorageKind, answered: Scalar) -> Scalar {
        answered
    }

    /// Whether a statement can order by a figure exactly.
    fn orders_figure(&self, _function: Aggregate, _kind: StorageKind) -> bool {
        true
    }

    /// Appends what a figure is ordered by; where nothing was appended (`false`), it is what it is answered as.
    fn figure_ordered<'p>(
        &self,
        _sql: &mut Sql<'p>,
        _function: Aggregate,
        _kind: StorageKind,
        _column: Writer<'_, 'p>,
    ) -> bool {
        false
    }

    /// Whether what is grouped by and worked out is looked up before anything is grouped.
    fn aggregates_apart(&self) -> bool {
        false
    }

    /// Whether groups of a kind are told apart by something else than what they are answered as.
    fn groups_as_written(&self, _kind: Option<StorageKind>) -> bool {
        false
    }

    /// What stands behind an operand of a kind, so that it is compared by value: for equality, or where `ordered`, for
    /// order as well. Empty where it is so already.
    fn comparison(&self, kind: Option<StorageKind>, ordered: bool) -> &'static str;

    /// The same behind the position of a figure in an order.
    fn comparison_of_figure(&self, kind: StorageKind) -> &'static str {
        self.comparison(Some(kind), true)
    }

    /// What stands behind a direction, so that NULL is smaller than everything.
    fn nulls(&self, _descending: bool) -> &'static str {
        ""
    }

    /// What a statement has answered for a value inside JSON, as that value.
    fn json_scalar(&self, answered: Scalar) -> Scalar {
        answered
    }

    /// The end of a statement that keeps rows `offset` to `offset + limit`.
    fn window(&self, sql: &mut Sql<'_>, limit: Option<u64>, offset: u64);

    /// What stands in an insert of a row of which nothing is given.
    fn no_values(&self) -> &'static str {
        " DEFAULT VALUES"
    }

    /// What stands before the table of which rows are removed, which goes by the name `t0`.
    fn deletion(&self) -> &'static str {
        "DELETE FROM "
    }

    /// Whether a statement that writes answers with the keys of its rows. Where it does not, they are looked up first.
    fn returns_keys(&self) -> bool {
        true
    }

    /// How many bytes of a name the database keeps; `None`: all.
    fn longest_name(&self) -> Option<usize> {
        None
    }

    /// The name of an index that is made for a column; `ending` says what for.
    fn index_name(&self, table: &str, column: &str, ending: &str) -> String {
        format!("{table}.{column}{ending}")
    }

    /// What is indexed of a column.
    fn index_key(&self, column: &Column) -> String {
        let mut text = String::new();
        self.identifier(&mut text, &column.name);
        text
    }

    /// What makes the database go on counting behind a key that was given to a row; `None` where it does by itself.
    fn count_on(&self, _table: &str, _column: &str, _key: i64) -> Option<Statement<'static>> {
        None
    }

    /// What makes the database count on behind a key that no row need have; `None` where it cannot.
    fn count_from(&self, _table: &str, _column: &str, _last: i64) -> Option<String> {
        None
    }

    /// The declared type of a column.
    fn column_type(&self, column: &Column) -> String;

    /// The declared type of a column that is part of a foreign key.
    fn key_type(&self, column: &Column) -> String {
        self.column_type(column)
    }

    /// What stands at the end of the definition of a table.
    fn table_end(&self) -> &'static str {
        ""
    }

    /// What makes an index that is there already no failure.
    fn if_not_exists(&self) -> &'static str {
        " IF NOT EXISTS"
    }

    /// A rule in the definition of a column that says what its type cannot.
    fn column_rule(&self, _column: &Column) -> String {
        String::new()
    }

    /// What makes a column the primary key, numbered by the database where the column says so.
    fn primary_key(&self, column: &Column) -> &'static str;

    /// The time of the write as a default, in the canonical form of a kind.
    fn now(&self, kind: StorageKind) -> &'static str;

    /// A constant, as a default is declared.
    fn literal(&self, scalar: &Scalar) -> String;
}

/// Appends an expression to a statement; may be called more than once.
pub(crate) type Writer<'w, 'p> = &'w dyn Fn(&mut Sql<'p>);

/// A statement being written.
pub(crate) struct Sql<'p> {
    pub(crate) text: String,
    pub(crate) binds: Vec<Cow<'p, Scalar>>,
    pub(crate) dialect: &'static dyn Dialect,
    /// Where in the text each placeholder begins and ends.
    placeholders: Vec<(usize, usize)>,
    shapes: Vec<(usize, ShapeTest<'p>)>,
    /// Whether values are written as the texts that they are kept as, for a search in them, whatever they are compared as.
    pub(crate) as_text: bool,
}

/// A statement ready to run.
#[derive(Debug)]
pub(crate) struct Statement<'p> {
    /// SQL; the same plan with other values gives the same text.
    pub(crate) text: String,
    /// The values of its placeholders, in order.
    pub(crate) binds: Vec<Cow<'p, Scalar>>,
    /// Tests of shapes whose values are to be worked out before it runs, with the position of each among the values.
    pub(crate) shapes: Vec<(usize, ShapeTest<'p>)>,
}

/// A test of a shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShapeTest<'p> {
    /// Where the shapes come from that are tested.
    pub(crate) field: &'p Field,
    /// GeoJSON.
    pub(crate) shape: &'p str,
    /// Whether only the bounding boxes of both are compared.
    pub(crate) boxes: bool,
}

/// A table in a statement: the name it goes by there, and what it holds. Names say how deep a table stands in subqueries,
/// so that a condition reads the same wherever it stands at that depth.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'p> {
    depth: u32,
    pub(crate) collection: &'p Collection,
}

impl<'p> Scope<'p> {
    /// The table that a statement is about.
    pub(crate) fn of(collection: &'p Collection) -> Self {
        Self { depth: 0, collection }
    }

    /// A table in a subquery on the rows of this one.
    pub(crate) fn within<'c>(self, collection: &'c Collection) -> Scope<'c> {
        Scope {
            depth: self.depth + 1,
            collection,
        }
    }
}

impl<'p> Sql<'p> {
    pub(crate) fn new(dialect: &'static dyn Dialect) -> Self {
        Self {
            text: String::with_capacity(256),
            binds: Vec::new(),
            dialect,
            placeholders: Vec::new(),
            shapes: Vec::new(),
            as_text: false,
        }
    }

    /// Appends text of our own.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a quoted identifier.
    pub(crate) fn identifier(&mut self, name: &str) -> &mut Self {
        self.dialect.identifier(&mut self.text, name);
        self
    }

    /// Appends a placeholder and binds a value to it.
    pub(crate) fn bind(&mut self, value: Cow<'p, Scalar>) -> &mut Self {
        self.binds.push(value);
        let begin = self.text.len();
        self.dialect.placeholder(&mut self.text, self.binds.len());
        self.placeholders.push((begin, self.text.len()));
        self
    }

    /// Appends a placeholder for what is worked out of a test of shapes before the statement runs.
    pub(crate) fn bind_later(&mut self, test: ShapeTest<'p>) -> &mut Self {
        self.shapes.push((self.binds.len(), test));
        self.bind(Cow::Owned(Scalar::Null))
    }

    /// Appends a value that operands of a kind are compared with.
    pub(crate) fn argument(&mut self, kind: Option<StorageKind>, value: Cow<'p, Scalar>) -> &mut Self {
        self.dialect.argument(self, kind, value);
        self
    }

    /// Appends the table of a scope under its name.
    pub(crate) fn table(&mut self, scope: Scope<'p>) -> &mut Self {
        self.identifier(&scope.collection.name).push(" AS ");
        self.alias(scope)
    }

    /// Appends a column of a scope.
    pub(crate) fn column(&mut self, scope: Scope<'p>, name: &str) -> &mut Self {
        self.alias(scope).push(".").identifier(name)
    }

    /// Appends a field of a scope as it is compared, grouped and sorted by.
    pub(crate) fn value(&mut self, scope: Scope<'p>, field: &'p Field) -> &mut Self {
        let dialect = self.dialect;
        let write = |sql: &mut Self| {
            sql.column(scope, &field.name);
        };
        match &field.column {
            Some(column) => dialect.value(self, column, &write),
            None => write(self),
        }
        self
    }

    fn alias(&mut self, scope: Scope<'p>) -> &mut Self {
        // Writing to a String does not fail.
        let _ = write!(self.text, "t{}", scope.depth);
        self
    }

    /// Appends `items`, with `separator` between them.
    pub(crate) fn join<T>(
        &mut self,
        separator: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.push(separator);
            }
            write(self, item);
        }
        self
    }

    /// Appends ` WHERE …` unless every row is meant.
    pub(crate) fn condition(&mut self, scope: Scope<'p>, filter: &'p Filter) -> &mut Self {
        if !matches!(filter, Filter::All) {
            self.push(" WHERE ");
            filters::filter(self, scope, filter);
        }
        self
    }

    pub(crate) fn finish(self) -> Statement<'p> {
        Statement {
            text: self.text,
            binds: self.binds,
            shapes: self.shapes,
        }
    }
}

/// The column of `collection` that a relation points to: the constraint's, else the primary key.
pub(crate) fn pointed_to<'c>(
    relation: &Relation,
    collection: &'c Collection,
) -> Option<&'c std::sync::Arc<Field>> {
    relation
        .foreign_key
        .as_ref()
        .and_then(|key| collection.field(&key.foreign_column))
        .or(collection.primary.as_ref())
}

/// The storage kind of a field; aliases have none and are never lowered.
pub(crate) fn kind_of(field: &Field) -> StorageKind {
    field
        .column
        .as_ref()
        .map_or(StorageKind::Text, |column| column.kind)
}
