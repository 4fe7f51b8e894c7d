//! Plans in few words, for tables of what becomes of them.

use loggia_model::Filter;
use loggia_model::Scalar;
use loggia_model::filter::{Direction, Operand, Quantifier, Step, Test};
use loggia_model::plan::{AggregatePlan, Plan, ReadPlan, Selected, Source};

pub(crate) fn plan(plan: &Plan) -> String {
    match plan {
        Plan::Read(plan) => read(plan),
        Plan::Aggregate(plan) => aggregate(plan),
        Plan::Insert(plan) => format!("insert {}", plan.collection.name),
        Plan::Update(plan) => format!("update {} where {}", plan.collection.name, filter(&plan.filter)),
        Plan::Delete(plan) => format!("delete {} where {}", plan.collection.name, filter(&plan.filter)),
    }
}

fn read(plan: &ReadPlan) -> String {
    let select: Vec<_> = plan.select.iter().map(selected).collect();
    let mut text = format!("{}[{}]", plan.collection.name, select.join(", "));
    if !matches!(plan.filter, Filter::All) {
        text = format!("{text} where {}", filter(&plan.filter));
    }
    let sort: Vec<_> = plan.sort.iter().map(|sort| operand(&sort.operand)).collect();
    if !sort.is_empty() {
        text = format!("{text} by {}", sort.join(", "));
    }
    text
}

fn selected(selected: &Selected) -> String {
    let source = match &selected.source {
        Source::Field(field) => field.name.clone(),
        Source::Secret(field) => format!("secret {}", field.name),
        Source::Function { function, field } => format!("{function:?}({})", field.name),
        Source::Json { field, path } => format!("{}->{}", field.name, path.join(".")),
        Source::Count(counted) => operand(counted),
        Source::Related(related) => {
            let plans: Vec<_> = related.plans.iter().map(read).collect();
            format!("{}: {}", selected.alias, plans.join(" / "))
        }
        Source::Tag(members) => {
            let members: Vec<_> = members.iter().map(self::selected).collect();
            format!("tag of {}", members.join(" + "))
        }
    };
    match &selected.when {
        None => source,
        Some(when) => format!("{source} if {}", filter(when)),
    }
}

fn aggregate(plan: &AggregatePlan) -> String {
    let groups = plan.group_by.iter().map(|group| operand(&group.operand));
    let figures = plan.figures.iter().map(|figure| {
        let field = figure.field.as_ref().map_or("*", |field| field.name.as_str());
        let figured = format!("{}({field})", figure.function.name());
        match &figure.when {
            None => figured,
            Some(when) => format!("{figured} if {}", filter(when)),
        }
    });
    let all: Vec<_> = groups.chain(figures).collect();
    format!(
        "{} of {} where {}",
        all.join(", "),
        plan.collection.name,
        filter(&plan.filter)
    )
}

pub(crate) fn filter(condition: &Filter) -> String {
    let several = |parts: &[Filter], sign: &str| {
        let parts: Vec<_> = parts.iter().map(filter).collect();
        format!("({})", parts.join(sign))
    };
    match condition {
        Filter::All => "all".to_owned(),
        Filter::Nothing => "nothing".to_owned(),
        Filter::And(parts) => several(parts, " & "),
        Filter::Or(parts) => several(parts, " | "),
        Filter::Not(inner) => format!("!{}", filter(inner)),
        Filter::Shared(shared) => filter(shared.filter()),
        Filter::Test { operand, test } => format!("{}{}", self::operand(operand), self::test(test)),
        Filter::Related {
            step,
            quantifier,
            filter: inner,
        } => {
            let some = match quantifier {
                Quantifier::Some => "some",
                Quantifier::None => "no",
            };
            format!("{some} {}({})", self::step(step), filter(inner))
        }
    }
}

fn operand(value: &Operand) -> String {
    match value {
        Operand::Field(field) => field.name.clone(),
        Operand::Function { function, field } => format!("{function:?}({})", field.name),
        Operand::JsonPath { field, path } => format!("{}->{}", field.name, path.join(".")),
        Operand::Count { step, filter } => format!("count {}({})", self::step(step), self::filter(filter)),
        Operand::Through {
            step,
            filter,
            operand,
        } => format!(
            "{}({}).{}",
            self::step(step),
            self::filter(filter),
            self::operand(operand)
        ),
        Operand::Case { when, operand } => format!("{{{} if {}}}", self::operand(operand), filter(when)),
    }
}

fn step(step: &Step) -> String {
    let by = &step.relation.many_field;
    match step.direction {
        Direction::Forward => format!("{by}>{}", step.target.name),
        Direction::Backward => format!("{}<{by}", step.target.name),
    }
}

fn test(test: &Test) -> String {
    match test {
        Test::Null => " null".to_owned(),
        Test::NotNull => " set".to_owned(),
        Test::Empty => " empty".to_owned(),
        Test::Equal(value) => format!("={}", scalar(value)),
        Test::NotEqual(value) => format!("!={}", scalar(value)),
        Test::Less(value) => format!("<{}", scalar(value)),
        Test::In(values) => {
            let values: Vec<_> = values.iter().map(scalar).collect();
            format!(" in {}", values.join("/"))
        }
        other => format!("{other:?}"),
    }
}

fn scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => text.clone(),
        Scalar::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}
