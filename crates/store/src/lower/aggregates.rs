//! Figures about rows, in groups or of all.

use std::sync::Arc;

use loggia_model::filter::Operand;
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, FigureKey, Group};
use loggia_model::{Collection, Field, StorageKind};

use super::{Dialect, Scope, Sql, Statement, kind_of, operands};

/// The statement of an aggregate plan: its groups, then its figures. They are grouped and sorted by position: a name
/// could be that of a column as well.
pub(crate) fn aggregate<'p>(dialect: &'static dyn Dialect, plan: &'p AggregatePlan) -> Statement<'p> {
    if dialect.aggregates_apart() && needs_work(plan) {
        return apart(dialect, plan);
    }
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(&plan.collection);
    sql.push("SELECT ");
    sql.join(", ", &plan.group_by, |sql, group| {
        if as_written(sql, group) {
            sql.push("MIN(");
            sql.as_text = true;
            operands::operand(sql, scope, &group.operand);
            sql.as_text = false;
            sql.push(")");
            return;
        }
        operands::operand(sql, scope, &group.operand);
        let by_value = sql.dialect.comparison(operands::kind(&group.operand), true);
        sql.push(by_value);
    });
    for (i, figure) in plan.figures.iter().enumerate() {
        if i > 0 || !plan.group_by.is_empty() {
            sql.push(", ");
        }
        self::figure(&mut sql, scope, figure);
    }
    if plan.group_by.is_empty() && plan.figures.is_empty() {
        sql.push("COUNT(*)");
    }
    sql.push(" FROM ").table(scope).condition(scope, &plan.filter);
    if !plan.group_by.is_empty() {
        sql.push(" GROUP BY ");
        groups(&mut sql, scope, plan);
        order(&mut sql, scope, plan);
        dialect.window(&mut sql, plan.limit, plan.offset);
    }
    sql.finish()
}

/// Whether something else than columns is grouped by or worked out.
fn needs_work(plan: &AggregatePlan) -> bool {
    let groups = plan
        .group_by
        .iter()
        .any(|group| !matches!(group.operand, Operand::Field(_)));
    groups || plan.figures.iter().any(|figure| figure.when.is_some())
}

/// The same statement on a table of what is grouped and worked out, which is made first: some servers take one group for
/// several where what it is told apart by is looked up elsewhere.
fn apart<'p>(dialect: &'static dyn Dialect, plan: &'p AggregatePlan) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(&plan.collection);
    sql.push("SELECT ");
    for (i, group) in plan.group_by.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" });
        let text = if as_written(&sql, group) {
            format!("MIN(q.w{i})")
        } else {
            format!("q.g{i}")
        };
        sql.push(&text);
    }
    for (i, figure) in plan.figures.iter().enumerate() {
        sql.push(if i > 0 || !plan.group_by.is_empty() {
            ", "
        } else {
            ""
        });
        match field_of(figure, &plan.collection) {
            Some(field) => dialect.figure(&mut sql, figure.function, kind_of(field), &made(i)),
            None => {
                sql.push("COUNT(*)");
            }
        }
    }
    if plan.group_by.is_empty() && plan.figures.is_empty() {
        sql.push("COUNT(*)");
    }
    looked_up(&mut sql, scope, plan);
    if plan.group_by.is_empty() {
        return sql.finish();
    }
    sql.push(" GROUP BY ");
    sql.join(", ", 0..plan.group_by.len(), |sql, i| {
        sql.push(&format!("q.g{i}"));
    });
    sql.push(" ORDER BY ");
    for sort in &plan.sort {
        match sort.key {
            FigureKey::Group(i) => {
                sql.push(&format!("q.g{i}"));
            }
            FigureKey::Figure(i) => {
                let figure = plan.figures.get(i);
                let field = figure.and_then(|figure| field_of(figure, &plan.collection));
                let ordered = match (figure, field) {
                    (Some(figure), Some(field)) => {
                        dialect.figure_ordered(&mut sql, figure.function, kind_of(field), &made(i))
                    }
                    _ => false,
                };
                if !ordered {
                    sql.push(&(plan.group_by.len() + i + 1).to_string());
                }
            }
        }
        sql.push(if sort.descending { " DESC" } else { "" })
            .push(dialect.nulls(sort.descending))
            .push(", ");
    }
    sql.join(", ", 0..plan.group_by.len(), |sql, i| {
        sql.push(&format!("q.g{i}")).push(dialect.nulls(false));
    });
    dialect.window(&mut sql, plan.limit, plan.offset);
    sql.finish()
}

/// Appends ` FROM (…) AS q`: what is grouped by and worked out, for each row.
fn looked_up<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, plan: &'p AggregatePlan) {
    sql.push(" FROM (SELECT 1");
    for (i, group) in plan.group_by.iter().enumerate() {
        sql.push(", ");
        operands::operand(sql, scope, &group.operand);
        sql.push(&format!(" AS g{i}"));
        if as_written(sql, group) {
            sql.push(", ");
            sql.as_text = true;
            operands::operand(sql, scope, &group.operand);
            sql.as_text = false;
            sql.push(&format!(" AS w{i}"));
        }
    }
    for (i, figure) in plan.figures.iter().enumerate() {
        let Some(field) = field_of(figure, &plan.collection) else {
            continue;
        };
        for (as_text, name) in [(false, "v"), (true, "t")] {
            sql.push(", ");
            sql.as_text = as_text;
            column(sql, scope, figure, field);
            sql.as_text = false;
            sql.push(&format!(" AS {name}{i}"));
        }
    }
    sql.push(" FROM ").table(scope).condition(scope, &plan.filter);
    // A table with a bound is made before anything else is done with it.
    sql.push(" LIMIT 9223372036854775807) AS q");
}

/// The values of a figure in the table that was made of them.
fn made<'p>(i: usize) -> impl Fn(&mut Sql<'p>) {
    move |sql| {
        let name = if sql.as_text { "t" } else { "v" };
        sql.push(&format!("q.{name}{i}"));
    }
}

/// The kind of a figure's values.
pub(crate) fn kind_of_figure(figure: &Figure) -> StorageKind {
    let kind = figure.field.as_ref().map(|field| kind_of(field));
    match (figure.function, kind) {
        (Aggregate::Count | Aggregate::CountDistinct | Aggregate::CountAll, _) | (_, None) => {
            StorageKind::BigInteger
        }
        (Aggregate::Min | Aggregate::Max, Some(kind)) => kind,
        (_, Some(StorageKind::Decimal)) => StorageKind::Decimal,
        (Aggregate::Sum | Aggregate::SumDistinct, Some(StorageKind::Integer | StorageKind::BigInteger)) => {
            StorageKind::BigInteger
        }
        (_, Some(_)) => StorageKind::Float,
    }
}

/// The column that a figure is worked out of; none: it is the number of rows.
pub(crate) fn field_of<'p>(figure: &'p Figure, collection: &'p Collection) -> Option<&'p Arc<Field>> {
    match (figure.function, &figure.field) {
        (Aggregate::CountAll, _) | (Aggregate::Count, None) => None,
        (_, Some(field)) => Some(field),
        // A figure of whole rows other than their number: each row differs from every other by its key.
        (_, None) => collection.primary.as_ref(),
    }
}

fn figure<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, figure: &'p Figure) {
    let Some(field) = field_of(figure, scope.collection) else {
        sql.push("COUNT(*)");
        return;
    };
    let dialect = sql.dialect;
    let column = |sql: &mut Sql<'p>| column(sql, scope, figure, field);
    dialect.figure(sql, figure.function, kind_of(field), &column);
}

/// The values that a figure is worked out of.
fn column<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, figure: &'p Figure, field: &'p Field) {
    match &figure.when {
        Some(when) => operands::case(sql, scope, when, &|sql| {
            sql.value(scope, field);
        }),
        None => {
            sql.value(scope, field);
        }
    }
}

/// Appends what a figure is ordered by, where that is not its position.
fn figure_ordered<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, figure: &'p Figure) -> bool {
    let Some(field) = field_of(figure, scope.collection) else {
        return false;
    };
    let dialect = sql.dialect;
    let column = |sql: &mut Sql<'p>| column(sql, scope, figure, field);
    dialect.figure_ordered(sql, figure.function, kind_of(field), &column)
}

fn as_written(sql: &Sql<'_>, group: &Group) -> bool {
    sql.dialect.groups_as_written(operands::kind(&group.operand))
}

/// What a group is told apart by: its position, unless it is answered as something else.
fn key<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, plan: &'p AggregatePlan, position: usize) {
    match plan.group_by.get(position - 1) {
        Some(group) if as_written(sql, group) => operands::operand(sql, scope, &group.operand),
        _ => {
            sql.push(&position.to_string());
        }
    }
}

/// The keys asked for, then every group, so that the order is total.
fn order<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, plan: &'p AggregatePlan) {
    let dialect = sql.dialect;
    sql.push(" ORDER BY ");
    for sort in &plan.sort {
        match sort.key {
            FigureKey::Group(i) => key(sql, scope, plan, i + 1),
            FigureKey::Figure(i) => {
                let figure = plan.figures.get(i);
                if !figure.is_some_and(|figure| figure_ordered(sql, scope, figure)) {
                    let by_value =
                        figure.map_or("", |figure| dialect.comparison_of_figure(kind_of_figure(figure)));
                    let position = plan.group_by.len() + i + 1;
                    sql.push(&position.to_string()).push(by_value);
                }
            }
        }
        sql.push(if sort.descending { " DESC" } else { "" })
            .push(dialect.nulls(sort.descending))
            .push(", ");
    }
    sql.join(", ", 1..=plan.group_by.len(), |sql, position| {
        key(sql, scope, plan, position);
        sql.push(dialect.nulls(false));
    });
}

/// What the groups are told apart by.
fn groups<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, plan: &'p AggregatePlan) {
    sql.join(", ", 1..=plan.group_by.len(), |sql, position| {
        key(sql, scope, plan, position);
    });
}
