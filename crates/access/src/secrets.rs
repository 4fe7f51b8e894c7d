//! Whether a plan would show or reveal the value of a field that holds a secret: refused, whoever asks.
//!
//! A secret may be selected as a plain field, which comes masked. A primary key may be sorted by, compared with whole
//! keys and counted even where it is one: rows are told apart by it.
//!
//! Of what items were like, nothing is compared as a whole, since it may hold what is a secret by now. Which paths lead
//! into what is none, `engine` knows.

use loggia_model::Field;
use loggia_model::filter::{Filter, Operand, Test};
use loggia_model::plan::{Aggregate, AggregatePlan, Plan, ReadPlan, Selected, Source};

/// Whether running the plan would tell more of a secret than that it is there.
pub(crate) fn reveals(plan: &Plan) -> bool {
    match plan {
        Plan::Read(read) => of_read(read),
        Plan::Aggregate(aggregate) => of_aggregate(aggregate),
        Plan::Insert(_) => false,
        Plan::Update(update) => of_filter(&update.filter),
        Plan::Delete(delete) => of_filter(&delete.filter),
    }
}

fn is_secret(field: &Field) -> bool {
    field.is_secret() || field.is_image()
}

fn is_key(field: &Field) -> bool {
    field.column.as_ref().is_some_and(|column| column.primary_key)
}

fn of_read(read: &ReadPlan) -> bool {
    let sorted = |operand: &Operand| match operand {
        Operand::Field(field) if is_key(field) => false,
        operand => of_operand(operand),
    };
    read.select.iter().any(of_selected)
        || of_filter(&read.filter)
        || read.sort.iter().any(|sort| sorted(&sort.operand))
}

fn of_selected(selected: &Selected) -> bool {
    let of_source = match &selected.source {
        Source::Secret(_) => true,
        Source::Related(related) => related.plans.iter().any(of_read),
        Source::Function { field, .. } => is_secret(field),
        Source::Json { field, .. } => field.is_secret(),
        Source::Count(operand) => of_operand(operand),
        Source::Tag(members) => members.iter().any(of_selected),
        Source::Field(_) => false,
    };
    of_source || selected.when.as_deref().is_some_and(of_filter)
}

fn of_aggregate(aggregate: &AggregatePlan) -> bool {
    let counts = |function| {
        matches!(
            function,
            Aggregate::Count | Aggregate::CountAll | Aggregate::CountDistinct
        )
    };
    of_filter(&aggregate.filter)
        || aggregate.group_by.iter().any(|group| of_operand(&group.operand))
        || aggregate.figures.iter().any(|figure| {
            let of_field = figure
                .field
                .as_ref()
                .is_some_and(|field| is_secret(field) && !(is_key(field) && counts(figure.function)));
            of_field || figure.when.as_deref().is_some_and(of_filter)
        })
}

fn of_filter(filter: &Filter) -> bool {
    match filter {
        Filter::All | Filter::Nothing => false,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(of_filter),
        Filter::Not(inner) | Filter::Related { filter: inner, .. } => of_filter(inner),
        Filter::Test {
            operand: Operand::Field(field),
            test: Test::Equal(_) | Test::In(_),
        } if is_key(field) => false,
        Filter::Test { operand, .. } => of_operand(operand),
        Filter::Shared(shared) => of_filter(shared.filter()),
    }
}

fn of_operand(operand: &Operand) -> bool {
    match operand {
        Operand::Field(field) | Operand::Function { field, .. } => is_secret(field),
        Operand::JsonPath { field, .. } => field.is_secret(),
        Operand::Count { filter, .. } => of_filter(filter),
        Operand::Through { filter, operand, .. } => of_filter(filter) || of_operand(operand),
        Operand::Case { when, operand } => of_filter(when) || of_operand(operand),
    }
}
