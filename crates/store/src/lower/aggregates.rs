//! Figures about rows, in groups or of all.

use loggia_model::StorageKind;
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, FigureKey};

use super::{Dialect, Scope, Sql, Statement, kind_of, operands};

/// The statement of an aggregate plan: its groups, then its figures. They are grouped and sorted by position: a name
/// could be that of a column as well.
pub(crate) fn aggregate<'p>(dialect: &'static dyn Dialect, plan: &'p AggregatePlan) -> Statement<'p> {
    let mut sql = Sql::new(dialect);
    let scope = Scope::of(&plan.collection);
    sql.push("SELECT ");
    sql.join(", ", &plan.group_by, |sql, group| {
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
        groups(&mut sql, plan);
        order(&mut sql, plan);
        dialect.window(&mut sql, plan.limit, plan.offset);
    }
    sql.finish()
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

fn figure<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, figure: &'p Figure) {
    let field = match (figure.function, &figure.field) {
        (Aggregate::CountAll, _) | (Aggregate::Count, None) => None,
        (_, Some(field)) => Some(field),
        // A figure of whole rows other than their number: each row differs from every other by its key.
        (_, None) => scope.collection.primary.as_ref(),
    };
    let Some(field) = field else {
        sql.push("COUNT(*)");
        return;
    };
    let dialect = sql.dialect;
    let column = |sql: &mut Sql<'p>| match &figure.when {
        Some(when) => operands::case(sql, scope, when, &|sql| {
            sql.value(scope, field);
        }),
        None => {
            sql.value(scope, field);
        }
    };
    dialect.figure(sql, figure.function, kind_of(field), &column);
}

/// The keys asked for, then every group, so that the order is total.
fn order(sql: &mut Sql<'_>, plan: &AggregatePlan) {
    let dialect = sql.dialect;
    sql.push(" ORDER BY ");
    for key in &plan.sort {
        match key.key {
            FigureKey::Group(i) => sql.push(&(i + 1).to_string()),
            FigureKey::Figure(i) => {
                let kind = plan.figures.get(i).map(kind_of_figure);
                let by_value = kind.map_or("", |kind| dialect.comparison_of_figure(kind));
                let position = plan.group_by.len() + i + 1;
                sql.push(&position.to_string()).push(by_value)
            }
        };
        sql.push(if key.descending { " DESC" } else { "" })
            .push(dialect.nulls(key.descending))
            .push(", ");
    }
    sql.join(", ", 1..=plan.group_by.len(), |sql, position| {
        sql.push(&position.to_string()).push(dialect.nulls(false));
    });
}

/// The positions of the groups.
fn groups(sql: &mut Sql<'_>, plan: &AggregatePlan) {
    sql.join(", ", 1..=plan.group_by.len(), |sql, position| {
        sql.push(&position.to_string());
    });
}
