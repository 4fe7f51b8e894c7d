//! Conditions.
//!
//! A test of NULL is unknown, which counts as not holding: `Not` is written so that it holds for whatever does not
//! hold, known or unknown.

use std::borrow::Cow;

use loggia_model::filter::{Direction, Filter, Operand, Quantifier, Step, Test};
use loggia_model::{Scalar, StorageKind};

use super::{Scope, Sql, operands, pointed_to, shared};

/// Appends a condition on the rows of `scope`.
pub(crate) fn filter<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, condition: &'p Filter) {
    match condition {
        Filter::All => {
            sql.push("1 = 1");
        }
        Filter::Nothing => {
            sql.push("1 = 0");
        }
        Filter::And(all) if all.is_empty() => filter(sql, scope, &Filter::All),
        Filter::Or(any) if any.is_empty() => filter(sql, scope, &Filter::Nothing),
        Filter::And(parts) => several(sql, scope, " AND ", parts),
        Filter::Or(parts) => several(sql, scope, " OR ", parts),
        Filter::Not(inner) => {
            sql.push("(");
            filter(sql, scope, inner);
            sql.push(") IS NOT TRUE");
        }
        Filter::Test { operand, test } => self::test(sql, scope, operand, test),
        Filter::Related {
            step,
            quantifier,
            filter,
        } => {
            if *quantifier == Quantifier::None {
                sql.push("NOT ");
            }
            sql.push("EXISTS (SELECT 1");
            reach(sql, scope, step, filter);
            sql.push(")");
        }
        Filter::Shared(condition) => shared::shared(sql, scope, condition),
    }
}

/// Writes the halves of a long list in brackets of their own: databases bound how deep an expression may be, and without
/// brackets it is as deep as it is long.
fn several<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, separator: &str, parts: &'p [Filter]) {
    match parts {
        [] => {}
        [part] => filter(sql, scope, part),
        parts => {
            let (left, right) = parts.split_at(parts.len() / 2);
            sql.push("(");
            several(sql, scope, separator, left);
            sql.push(separator);
            several(sql, scope, separator, right);
            sql.push(")");
        }
    }
}

/// Appends ` FROM target WHERE …`: the rows that a step from `near` leads to and that satisfy `condition`; answers
/// with the scope of the target.
pub(crate) fn reach<'p>(
    sql: &mut Sql<'p>,
    near: Scope<'p>,
    step: &'p Step,
    condition: &'p Filter,
) -> Scope<'p> {
    let far = near.within(&step.target);
    sql.push(" FROM ").table(far).push(" WHERE ");
    joined(sql, near, far, step);
    if !matches!(condition, Filter::All) {
        sql.push(" AND ");
        filter(sql, far, condition);
    }
    far
}

/// Appends the condition that rows of `near` and `far` belong together by `step`.
pub(crate) fn joined<'p>(sql: &mut Sql<'p>, near: Scope<'p>, far: Scope<'p>, step: &'p Step) {
    let relation = &step.relation;
    let (many, one) = match step.direction {
        Direction::Forward => (near, far),
        Direction::Backward => (far, near),
    };
    let Some(key) = pointed_to(relation, one.collection) else {
        // Nothing can be pointed to that has no key.
        sql.push("1 = 0");
        return;
    };
    sql.column(one, &key.name)
        .push(" = ")
        .column(many, &relation.many_field);
    if let (None, Some(discriminator)) = (&relation.one_collection, &relation.one_collection_field) {
        sql.push(" AND ").column(many, discriminator).push(" = ");
        sql.bind(Cow::Owned(Scalar::from(one.collection.name.as_str())));
    }
}

fn test<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, operand: &'p Operand, test: &'p Test) {
    let kind = operands::kind(operand);
    let write = |sql: &mut Sql<'p>| operands::operand(sql, scope, operand);
    let by_value = kind.map_or("", |kind| sql.dialect.comparison(kind));
    let compare = |sql: &mut Sql<'p>, sign: &str, value: &'p Scalar| {
        write(sql);
        sql.push(by_value).push(sign).bind(Cow::Borrowed(value));
    };
    match test {
        Test::Null | Test::NotNull => {
            write(sql);
            let is_null = matches!(test, Test::Null);
            sql.push(if is_null { " IS NULL" } else { " IS NOT NULL" });
        }
        Test::Empty => empty(sql, kind, &write, " IS NULL", " OR ", " IN "),
        Test::NotEmpty => empty(sql, kind, &write, " IS NOT NULL", " AND ", " NOT IN "),
        Test::Equal(value) => compare(sql, " = ", value),
        Test::NotEqual(value) => compare(sql, " <> ", value),
        Test::Less(value) => compare(sql, " < ", value),
        Test::LessOrEqual(value) => compare(sql, " <= ", value),
        Test::Greater(value) => compare(sql, " > ", value),
        Test::GreaterOrEqual(value) => compare(sql, " >= ", value),
        Test::Between(low, high) => {
            compare(sql, " BETWEEN ", low);
            sql.push(" AND ").bind(Cow::Borrowed(high));
        }
        Test::NotBetween(low, high) => {
            compare(sql, " NOT BETWEEN ", low);
            sql.push(" AND ").bind(Cow::Borrowed(high));
        }
        Test::In(values) => one_of(sql, by_value, &write, values, false),
        Test::NotIn(values) => one_of(sql, by_value, &write, values, true),
        Test::Text {
            at,
            piece,
            ignore_case,
            negated,
        } => {
            if *negated {
                sql.push("NOT ");
            }
            let dialect = sql.dialect;
            dialect.matches(sql, &write, *at, piece, *ignore_case);
        }
        Test::Intersects {
            shape,
            boxes,
            negated,
        } => {
            if *negated {
                sql.push("NOT ");
            }
            let dialect = sql.dialect;
            dialect.meets(sql, &write, shape, *boxes);
        }
    }
}

fn one_of<'p>(
    sql: &mut Sql<'p>,
    by_value: &str,
    write: super::Writer<'_, 'p>,
    values: &[Scalar],
    negated: bool,
) {
    let dialect = sql.dialect;
    let values: Vec<Scalar> = values.iter().filter(|value| !value.is_null()).cloned().collect();
    if values.is_empty() {
        if negated {
            write(sql);
            sql.push(" IS NOT NULL");
        } else {
            sql.push("1 = 0");
        }
        return;
    }
    if negated {
        sql.push("NOT ");
    }
    sql.push("(");
    let compared = |sql: &mut Sql<'p>| {
        write(sql);
        sql.push(by_value);
    };
    dialect.is_one_of(sql, &compared, &values);
    sql.push(")");
}

/// Empty text, and for JSON also what is empty there; other kinds know only NULL.
fn empty<'p>(
    sql: &mut Sql<'p>,
    kind: Option<StorageKind>,
    write: super::Writer<'_, 'p>,
    null: &str,
    and_or: &str,
    within: &str,
) {
    let empties = match kind {
        Some(StorageKind::String | StorageKind::Text) => "('')",
        Some(StorageKind::Json) | None => "('', '\"\"', '[]', '{}')",
        Some(_) => "",
    };
    if empties.is_empty() {
        write(sql);
        sql.push(null);
        return;
    }
    sql.push("(");
    write(sql);
    sql.push(null).push(and_or);
    write(sql);
    sql.push(within).push(empties).push(")");
}
