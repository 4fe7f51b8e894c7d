//! Conditions.
//!
//! A test of NULL is unknown, which counts as not holding: `Not` is written so that it holds for whatever does not
//! hold, known or unknown.

use std::borrow::Cow;

use loggia_model::filter::{Direction, Filter, Operand, Quantifier, Step, Test};
use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind};

use super::{Scope, ShapeTest, Sql, operands, pointed_to, shared};

/// Appends a condition on the rows of `scope`.
pub(crate) fn filter<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, condition: &'p Filter) {
    // A condition inside an operand has operands of its own.
    let as_text = std::mem::replace(&mut sql.as_text, false);
    holds(sql, scope, condition);
    sql.as_text = as_text;
}

fn holds<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, condition: &'p Filter) {
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
    let bare = Column::default();
    let pointed_to = key.column.as_ref().unwrap_or(&bare);
    let pointing = many.collection.field(&relation.many_field);
    let pointing = pointing.and_then(|field| field.column.as_ref());
    let dialect = sql.dialect;
    dialect.same_key(
        sql,
        (pointed_to, &|sql| {
            sql.column(one, &key.name);
        }),
        (pointing.unwrap_or(pointed_to), &|sql| {
            sql.column(many, &relation.many_field);
        }),
    );
    if let (None, Some(discriminator)) = (&relation.one_collection, &relation.one_collection_field) {
        sql.push(" AND ").column(many, discriminator).push(" = ");
        let name = Scalar::from(one.collection.name.as_str());
        sql.argument(Some(StorageKind::String), Cow::Owned(name));
    }
}

const EQUAL: &str = " = ";
const NOT_EQUAL: &str = " <> ";

fn test<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, operand: &'p Operand, test: &'p Test) {
    let kind = operands::kind(operand);
    let write = |sql: &mut Sql<'p>| operands::operand(sql, scope, operand);
    let compare = |sql: &mut Sql<'p>, sign: &str, value: &'p Scalar| {
        write(sql);
        let ordered = !matches!(sign, EQUAL | NOT_EQUAL);
        let by_value = sql.dialect.comparison(kind, ordered);
        sql.push(by_value).push(sign).argument(kind, Cow::Borrowed(value));
    };
    match test {
        Test::Null | Test::NotNull => {
            write(sql);
            let is_null = matches!(test, Test::Null);
            sql.push(if is_null { " IS NULL" } else { " IS NOT NULL" });
        }
        Test::Empty => empty(sql, kind, &write, " IS NULL", " OR ", " IN "),
        Test::NotEmpty => empty(sql, kind, &write, " IS NOT NULL", " AND ", " NOT IN "),
        Test::Equal(value) => compare(sql, EQUAL, value),
        Test::NotEqual(value) => compare(sql, NOT_EQUAL, value),
        Test::Less(value) => compare(sql, " < ", value),
        Test::LessOrEqual(value) => compare(sql, " <= ", value),
        Test::Greater(value) => compare(sql, " > ", value),
        Test::GreaterOrEqual(value) => compare(sql, " >= ", value),
        Test::Between(low, high) => {
            compare(sql, " BETWEEN ", low);
            sql.push(" AND ").argument(kind, Cow::Borrowed(high));
        }
        Test::NotBetween(low, high) => {
            compare(sql, " NOT BETWEEN ", low);
            sql.push(" AND ").argument(kind, Cow::Borrowed(high));
        }
        Test::In(values) => one_of(sql, kind, &write, values, false),
        Test::NotIn(values) => one_of(sql, kind, &write, values, true),
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
            dialect.matches(sql, kind, &write, *at, piece, *ignore_case);
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
            let Some(field) = operands::source(operand) else {
                sql.push("NULL");
                return;
            };
            let test = ShapeTest {
                field,
                shape,
                boxes: *boxes,
            };
            dialect.meets(sql, &write, test);
        }
    }
}

fn one_of<'p>(
    sql: &mut Sql<'p>,
    kind: Option<StorageKind>,
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
        sql.push(dialect.comparison(kind, false));
    };
    dialect.is_one_of(sql, kind, &compared, &values);
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
    let empties = sql.dialect.empties(kind);
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
