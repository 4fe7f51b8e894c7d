//! Rows of one level of a read: one statement.

use std::sync::Arc;

use loggia_model::filter::{Function, Operand};
use loggia_model::plan::ReadPlan;
use loggia_model::{Field, Filter, Scalar};

use super::{Dialect, Scope, Sql, Statement, filters, kind_of, operands};

/// One column of the statement's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output<'p> {
    /// A column of the table.
    Field(&'p Arc<Field>),
    /// A part of a column's value.
    Function(Function, &'p Arc<Field>),
    /// How many related items there are.
    Count(&'p Operand),
    /// Whether a condition holds: 1, or something else.
    Holds(&'p Filter),
}

/// How the rows of a level are reached.
pub(crate) enum Reach<'p> {
    /// They are the answer itself.
    Root,
    /// By the keys that the rows above point to; order and limits mean nothing.
    One {
        /// The column pointed to.
        key: &'p Field,
        /// The keys, none NULL, each once.
        keys: Vec<Scalar>,
    },
    /// By the keys that they point to; order and limits hold for each of the keys.
    Many {
        /// The column that points.
        key: &'p Field,
        /// The keys, none NULL, each once.
        keys: Vec<Scalar>,
    },
}

/// The statement of one level. The answer has `outputs`, then (unless at the root) the key it was reached by.
pub(crate) fn select<'p>(
    dialect: &'static dyn Dialect,
    plan: &'p ReadPlan,
    outputs: &[Output<'p>],
    reach: &Reach<'p>,
) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(&plan.collection);
    match reach {
        Reach::Root => {
            head(&mut sql, scope, outputs, None);
            sql.push(" FROM ").table(scope).condition(scope, &plan.filter);
            operands::order(&mut sql, scope, &plan.sort);
            dialect.window(&mut sql, plan.limit, plan.offset);
        }
        Reach::One { key, keys } => {
            head(&mut sql, scope, outputs, Some(key));
            reached(&mut sql, scope, plan, key, keys);
        }
        Reach::Many { key, keys } if plan.limit.is_none() && plan.offset == 0 => {
            head(&mut sql, scope, outputs, Some(key));
            reached(&mut sql, scope, plan, key, keys);
            operands::order(&mut sql, scope, &plan.sort);
        }
        // Of one key, all rows are its own.
        Reach::Many { key, keys } if keys.len() == 1 => {
            head(&mut sql, scope, outputs, Some(key));
            reached(&mut sql, scope, plan, key, keys);
            operands::order(&mut sql, scope, &plan.sort);
            dialect.window(&mut sql, plan.limit, plan.offset);
        }
        Reach::Many { key, keys } => windowed(&mut sql, scope, plan, outputs, key, keys),
    }
    sql.finish()
}

/// Numbers the rows of each key and keeps those between offset and limit.
fn windowed<'p>(
    sql: &mut Sql<'p>,
    scope: Scope<'p>,
    plan: &'p ReadPlan,
    outputs: &[Output<'p>],
    key: &'p Field,
    keys: &[Scalar],
) {
    sql.push("SELECT ");
    sql.join(", ", 0..=outputs.len(), |sql, i| {
        sql.push(&format!("c{i}"));
    });
    sql.push(" FROM (SELECT ");
    sql.join(", ", outputs.iter().enumerate(), |sql, (i, output)| {
        self::output(sql, scope, output);
        sql.push(&format!(" AS c{i}"));
    });
    if !outputs.is_empty() {
        sql.push(", ");
    }
    sql.column(scope, &key.name)
        .push(&format!(" AS c{}", outputs.len()))
        .push(", ROW_NUMBER() OVER (PARTITION BY ")
        .column(scope, &key.name);
    operands::order(sql, scope, &plan.sort);
    sql.push(") AS n");
    reached(sql, scope, plan, key, keys);
    sql.push(") AS numbered WHERE n > ").bind(number(plan.offset));
    if let Some(limit) = plan.limit {
        sql.push(" AND n <= ")
            .bind(number(plan.offset.saturating_add(limit)));
    }
    sql.push(" ORDER BY n");
}

fn head<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, outputs: &[Output<'p>], key: Option<&Field>) {
    sql.push("SELECT ");
    sql.join(", ", outputs, |sql, output| self::output(sql, scope, output));
    match key {
        Some(key) => {
            if !outputs.is_empty() {
                sql.push(", ");
            }
            sql.column(scope, &key.name);
        }
        // A row is an answer, also when nothing of it was asked for.
        None if outputs.is_empty() => {
            sql.push("1");
        }
        None => {}
    }
}

fn output<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, output: &Output<'p>) {
    match output {
        Output::Field(field) => {
            let dialect = sql.dialect;
            let write = |sql: &mut Sql<'p>| {
                sql.column(scope, &field.name);
            };
            match &field.column {
                Some(column) => dialect.output(sql, column, &write),
                None => write(sql),
            }
        }
        Output::Function(function, field) => {
            let dialect = sql.dialect;
            let name = field.name.as_str();
            let column = move |sql: &mut Sql<'p>| {
                sql.column(scope, name);
            };
            dialect.part(sql, *function, kind_of(field), &column);
        }
        Output::Count(operand) => operands::operand(sql, scope, operand),
        Output::Holds(filter) => operands::case(sql, scope, filter, &|sql| {
            sql.push("1");
        }),
    }
}

fn reached<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, plan: &'p ReadPlan, key: &'p Field, keys: &[Scalar]) {
    let dialect = sql.dialect;
    sql.push(" FROM ").table(scope).push(" WHERE ");
    let column = |sql: &mut Sql<'p>| {
        sql.column(scope, &key.name);
    };
    dialect.is_one_of(sql, Some(kind_of(key)), &column, keys);
    if !matches!(plan.filter, Filter::All) {
        sql.push(" AND ");
        filters::filter(sql, scope, &plan.filter);
    }
}

/// A row count as a value to bind; more than 2⁶³ rows are all rows.
pub(crate) fn number<'p>(count: u64) -> std::borrow::Cow<'p, Scalar> {
    std::borrow::Cow::Owned(Scalar::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}
