//! Rows written, changed and removed; every statement answers with the primary keys of the rows it touched, where the
//! database can do so.

use std::borrow::Cow;
use std::sync::Arc;

use loggia_model::plan::{DeletePlan, UpdatePlan};
use loggia_model::schema::ForeignKey;
use loggia_model::{Collection, Field, Filter, Scalar, StorageKind};

use super::{Dialect, Scope, Sql, Statement};

/// The statement of a new row with the columns of `row`, and of those that are filled in.
pub(crate) fn insert(
    dialect: &'static dyn Dialect,
    collection: &Collection,
    row: &[(Arc<Field>, Scalar)],
    filled: &[Filled<'_>],
) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO ").identifier(&collection.name);
    let names = row
        .iter()
        .map(|(field, _)| field.name.as_str())
        .chain(filled.iter().map(|filled| filled.column));
    if row.is_empty() && filled.is_empty() {
        sql.push(dialect.no_values());
    } else {
        sql.push(" (");
        sql.join(", ", names, |sql, name| {
            sql.identifier(name);
        });
        sql.push(") VALUES (");
        sql.join(", ", values_of(dialect, row, filled), |sql, value| {
            sql.bind(value);
        });
        sql.push(")");
    }
    returning(&mut sql, collection);
    sql.finish().text
}

/// A column that is filled in.
pub(crate) struct Filled<'c> {
    pub(crate) column: &'c str,
    pub(crate) kind: StorageKind,
    pub(crate) value: Scalar,
}

/// What is bound to that statement for a row.
pub(crate) fn values_of<'v>(
    dialect: &dyn Dialect,
    row: &'v [(Arc<Field>, Scalar)],
    filled: &'v [Filled<'_>],
) -> Vec<Cow<'v, Scalar>> {
    let given = row.iter().map(|(field, value)| (super::kind_of(field), value));
    given
        .chain(filled.iter().map(|filled| (filled.kind, &filled.value)))
        .map(|(kind, value)| dialect.stored(kind, Cow::Borrowed(value)))
        .collect()
}

/// The same change to every row that matches.
pub(crate) fn update<'p>(dialect: &'static dyn Dialect, plan: &'p UpdatePlan) -> Statement<'p> {
    if plan.assign.is_empty() {
        return matching(dialect, &plan.collection, &plan.filter);
    }
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(&plan.collection);
    sql.push("UPDATE ").table(scope).push(" SET ");
    sql.join(", ", &plan.assign, |sql, (field, value)| {
        let value = dialect.stored(super::kind_of(field), Cow::Borrowed(value));
        sql.identifier(&field.name).push(" = ").bind(value);
    });
    sql.condition(scope, &plan.filter);
    returning(&mut sql, &plan.collection);
    sql.finish()
}

/// Every row that matches goes.
pub(crate) fn delete<'p>(dialect: &'static dyn Dialect, plan: &'p DeletePlan) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(&plan.collection);
    sql.push(dialect.deletion())
        .table(scope)
        .condition(scope, &plan.filter);
    returning(&mut sql, &plan.collection);
    sql.finish()
}

/// The keys of the rows that match, which nobody else changes until the transaction ends.
pub(crate) fn locked<'p>(
    dialect: &'static dyn Dialect,
    collection: &'p Collection,
    filter: &'p Filter,
) -> Statement<'p> {
    let mut statement = matching(dialect, collection, filter);
    statement.text.push_str(" FOR UPDATE");
    statement
}

/// How many rows hold `value` in a column: does a key point anywhere?
pub(crate) fn count_of<'p>(
    dialect: &'static dyn Dialect,
    table: &str,
    column: &str,
    kind: StorageKind,
    value: &'p Scalar,
) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT COUNT(*) FROM ")
        .identifier(table)
        .push(" WHERE ")
        .identifier(column)
        .push(" = ")
        .argument(Some(kind), Cow::Borrowed(value));
    sql.finish()
}

/// How many rows of `table` point by `key` at rows of `collection` that match.
pub(crate) fn count_pointing<'p>(
    dialect: &'static dyn Dialect,
    table: &str,
    key: &ForeignKey,
    collection: &'p Collection,
    filter: &'p Filter,
) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(collection);
    sql.push("SELECT COUNT(*) FROM ")
        .identifier(table)
        .push(" WHERE ")
        .identifier(&key.column)
        .push(" IN (SELECT ")
        .column(scope, &key.foreign_column)
        .push(" FROM ")
        .table(scope)
        .condition(scope, filter)
        .push(")");
    sql.finish()
}

fn matching<'p>(
    dialect: &'static dyn Dialect,
    collection: &'p Collection,
    filter: &'p Filter,
) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    let scope: Scope<'p> = Scope::of(collection);
    sql.push("SELECT ");
    match &collection.primary {
        Some(primary) => sql.column(scope, &primary.name),
        None => sql.push("NULL"),
    };
    sql.push(" FROM ").table(scope).condition(scope, filter);
    sql.finish()
}

fn returning(sql: &mut Sql<'_>, collection: &Collection) {
    if !sql.dialect.returns_keys() {
        return;
    }
    sql.push(" RETURNING ");
    match &collection.primary {
        Some(primary) => sql.identifier(&primary.name),
        None => sql.push("NULL"),
    };
}
