//! Values that are tested, sorted by and grouped by.

use loggia_model::filter::{Filter, Operand, Step};
use loggia_model::plan::Sort;
use loggia_model::{Field, StorageKind};

use super::{Scope, Sql, filters, kind_of};

/// The kind of an operand's values; `None` for what JSON holds, where each value has its own.
pub(crate) fn kind(operand: &Operand) -> Option<StorageKind> {
    match operand {
        Operand::Field(field) => Some(kind_of(field)),
        Operand::Function { .. } | Operand::Count { .. } => Some(StorageKind::BigInteger),
        Operand::JsonPath { .. } => None,
        Operand::Through { operand, .. } | Operand::Case { operand, .. } => kind(operand),
    }
}

/// The field that an operand's values come from; `None` where they are worked out.
pub(crate) fn source(operand: &Operand) -> Option<&Field> {
    match operand {
        Operand::Field(field) | Operand::JsonPath { field, .. } => Some(field),
        Operand::Function { .. } | Operand::Count { .. } => None,
        Operand::Through { operand, .. } | Operand::Case { operand, .. } => source(operand),
    }
}

/// Appends an operand as seen from a row of `scope`.
pub(crate) fn operand<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, value: &'p Operand) {
    let dialect = sql.dialect;
    match value {
        Operand::Field(field) => {
            sql.value(scope, field);
        }
        Operand::Function { function, field } => {
            let column = |sql: &mut Sql<'p>| {
                sql.column(scope, &field.name);
            };
            dialect.part(sql, *function, kind_of(field), &column);
        }
        Operand::JsonPath { field, path } => {
            let column = |sql: &mut Sql<'p>| {
                sql.column(scope, &field.name);
            };
            dialect.json_value(sql, &column, path);
        }
        Operand::Count { step, filter } => {
            sql.push("(SELECT COUNT(*)");
            filters::reach(sql, scope, step, filter);
            sql.push(")");
        }
        Operand::Through {
            step,
            filter,
            operand,
        } => through(sql, scope, step, filter, operand),
        // What other programs keep as a number is a number beside a bound decimal only as long as its column is known:
        // a subquery hands that on, a CASE does not.
        Operand::Case { when, operand } if kind(operand) == Some(StorageKind::Decimal) => {
            sql.push("(SELECT ");
            self::operand(sql, scope, operand);
            sql.push(" WHERE ");
            filters::filter(sql, scope, when);
            sql.push(")");
        }
        Operand::Case { when, operand } => case(sql, scope, when, &|sql| self::operand(sql, scope, operand)),
    }
}

/// A to-one step leads to one row at most, so a scalar subquery is the whole join, and rows never multiply.
fn through<'p>(
    sql: &mut Sql<'p>,
    near: Scope<'p>,
    step: &'p Step,
    condition: &'p Filter,
    value: &'p Operand,
) {
    let far = near.within(&step.target);
    sql.push("(SELECT ");
    operand(sql, far, value);
    sql.push(" FROM ").table(far).push(" WHERE ");
    filters::joined(sql, near, far, step);
    if !matches!(condition, Filter::All) {
        sql.push(" AND ");
        filters::filter(sql, far, condition);
    }
    sql.push(")");
}

/// Appends a value that is NULL on the rows where a condition does not hold.
pub(crate) fn case<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, when: &'p Filter, value: super::Writer<'_, 'p>) {
    sql.push("CASE WHEN ");
    filters::filter(sql, scope, when);
    sql.push(" THEN ");
    value(sql);
    let end = sql.dialect.end_of_case();
    sql.push(end);
}

/// Whether a value can be NULL: it says so where databases that sort NULL elsewhere can take an index.
fn may_be_null(operand: &Operand) -> bool {
    match operand {
        Operand::Field(field) => field.column.as_ref().is_none_or(|column| column.nullable),
        Operand::Count { .. } => false,
        _ => true,
    }
}

/// Appends sort keys, ending with the primary key so that the order is total; nothing where there is no key at all.
pub(crate) fn order<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, sort: &'p [Sort]) {
    let primary = scope.collection.primary.as_ref();
    let is_primary = |key: &Sort| matches!((&key.operand, primary), (Operand::Field(field), Some(primary)) if field.name == primary.name);
    // What follows the primary key decides nothing.
    let end = sort
        .iter()
        .position(is_primary)
        .map_or(sort.len(), |position| position + 1);
    let total = end > 0 && is_primary(&sort[end - 1]);
    if end == 0 && primary.is_none() {
        return;
    }
    sql.push(" ORDER BY ");
    sql.join(", ", &sort[..end], |sql, key| {
        operand(sql, scope, &key.operand);
        let by_value = sql.dialect.comparison(kind(&key.operand), true);
        sql.push(by_value);
        if key.descending {
            sql.push(" DESC");
        }
        if may_be_null(&key.operand) {
            sql.push(sql.dialect.nulls(key.descending));
        }
    });
    if let (false, Some(primary)) = (total, primary) {
        if end > 0 {
            sql.push(", ");
        }
        sql.column(scope, &primary.name);
    }
}
