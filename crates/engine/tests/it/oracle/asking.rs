//! Questions by chance: names come from a copy, so that most questions are well formed for whoever sees that copy.

use serde_json::{Map, Value, json};

use super::answers::Question;
use super::copy::{Copy, Link, Table};
use super::dice::Dice;
use super::values::{Kind, takes};
use super::world::{Field, ROLES, Ty, USERS, values};

/// Someone who asks at random.
pub(super) struct Asking<'c> {
    pub(super) copy: &'c Copy,
    /// Whether `$CURRENT_USER.first_name` may stand there: in rules only.
    rule: bool,
}

/// The condition of a permission.
pub(super) fn rule(dice: &mut Dice, copy: &Copy, collection: &str) -> Value {
    let asking = Asking { copy, rule: true };
    let Some(table) = copy.table(collection) else {
        return Value::Null;
    };
    asking.filter(dice, table, 2)
}

/// A question; `None` where nothing can be asked.
pub(super) fn question(dice: &mut Dice, copy: &Copy, full: &Copy) -> Option<Question> {
    let asking = Asking { copy, rule: false };
    let table = dice.any(&copy.tables)?;
    let mut query = Map::new();
    let figures = dice.chance(22);
    if figures {
        asking.figures(dice, table, &mut query);
    } else {
        asking.read(dice, table, &mut query);
    }
    let meta: Vec<_> = ["total_count", "filter_count"]
        .into_iter()
        .filter(|_| dice.chance(25))
        .collect();
    let key = (!figures && dice.chance(12)).then(|| asking.key(dice, table, full));
    if key.is_none() && !meta.is_empty() {
        query.insert("meta".to_owned(), json!(meta));
    }
    Some(Question {
        collection: table.name.clone(),
        key,
        query: Value::Object(query),
    })
}

impl Asking<'_> {
    /// A key that exists for somebody, or for nobody.
    fn key(&self, dice: &mut Dice, table: &Table, full: &Copy) -> Value {
        let rows = full
            .table(&table.name)
            .map(|table| table.rows.as_slice())
            .unwrap_or_default();
        match dice.any(rows) {
            Some(row) if dice.chance(85) => row.values["id"].clone(),
            _ => json!(99),
        }
    }

    fn read(&self, dice: &mut Dice, table: &Table, query: &mut Map<String, Value>) {
        let mut aliases = Map::new();
        if dice.chance(15)
            && let Some(field) = dice.any(&table.fields)
        {
            aliases.insert("other".to_owned(), field.name.clone().into());
        }
        if dice.chance(80) {
            query.insert(
                "fields".to_owned(),
                self.fields(dice, table, 3, aliases.get("other")),
            );
        }
        if let Some(field) = aliases.get("other").and_then(Value::as_str).map(str::to_owned) {
            query.insert("alias".to_owned(), Value::Object(aliases));
            if self.copy.link(table, &field).is_some() && dice.chance(50) {
                query.insert(
                    "deep".to_owned(),
                    json!({ "other": self.deep(dice, table, &field, 1) }),
                );
            }
        }
        self.shared(dice, table, query, "");
        if dice.chance(30) {
            let linked: Vec<_> = table
                .fields
                .iter()
                .filter(|field| self.copy.link(table, &field.name).is_some())
                .collect();
            if let Some(field) = dice.any(&linked) {
                let deep = json!({ field.name.clone(): self.deep(dice, table, &field.name, 2) });
                match query.get_mut("deep").and_then(Value::as_object_mut) {
                    Some(there) => there.extend(deep.as_object().cloned().unwrap_or_default()),
                    None => _ = query.insert("deep".to_owned(), deep),
                }
            }
        }
        if dice.chance(8) {
            query.insert("backlink".to_owned(), json!(false));
        }
    }

    /// What a root and a deep query share.
    fn shared(&self, dice: &mut Dice, table: &Table, query: &mut Map<String, Value>, prefix: &str) {
        let mut set = |name: &str, value: Value| _ = query.insert(format!("{prefix}{name}"), value);
        if dice.chance(55) {
            set("filter", self.filter(dice, table, 3));
        }
        if dice.chance(45) {
            let keys: Vec<_> = (0..dice.between(1, 2))
                .filter_map(|_| self.sort_key(dice, table, 2))
                .collect();
            set("sort", json!(keys));
        }
        if dice.chance(12) {
            set(
                "search",
                (*dice.one(&["a", "red", "2", "1", "10", "äSS", "k1", USERS[0]])).into(),
            );
        }
        if dice.chance(30) {
            set("limit", json!(*dice.one(&[-1, 0, 1, 2, 3])));
        }
        match dice.below(8) {
            0 => set("offset", json!(dice.below(3))),
            1 if query_limit(query, prefix) != Some(-1) => {
                _ = query.insert(format!("{prefix}page"), json!(dice.below(3)));
            }
            _ => {}
        }
    }

    fn deep(&self, dice: &mut Dice, table: &Table, name: &str, depth: usize) -> Value {
        let target = match self.copy.link(table, name) {
            Some(Link::One(_, target) | Link::Many(_, target)) => target,
            Some(Link::Any(_, _, targets)) => match targets[..] {
                [target] => target,
                _ => return json!({}),
            },
            None => return json!({}),
        };
        let mut query = Map::new();
        self.shared(dice, target, &mut query, "_");
        if dice.chance(50) {
            query.insert("_fields".to_owned(), self.fields(dice, target, depth, None));
        }
        let linked: Vec<_> = target
            .fields
            .iter()
            .filter(|field| self.copy.link(target, &field.name).is_some())
            .collect();
        if depth > 1
            && dice.chance(40)
            && let Some(field) = dice.any(&linked)
        {
            query.insert(
                field.name.clone(),
                self.deep(dice, target, &field.name, depth - 1),
            );
        }
        Value::Object(query)
    }

    fn fields(&self, dice: &mut Dice, table: &Table, depth: usize, alias: Option<&Value>) -> Value {
        let mut fields: Vec<_> = (0..dice.between(1, 4))
            .filter_map(|_| self.path(dice, table, depth))
            .collect();
        if let Some(field) = alias {
            let leads = field.as_str().and_then(|field| self.copy.link(table, field));
            fields.push(match leads {
                Some(Link::One(..) | Link::Many(..)) if dice.chance(60) => "other.*".to_owned(),
                _ => "other".to_owned(),
            });
        }
        json!(fields)
    }

    /// A path of `fields`.
    fn path(&self, dice: &mut Dice, table: &Table, depth: usize) -> Option<String> {
        match dice.below(12) {
            0 | 1 => return Some("*".to_owned()),
            2 if depth > 1 => return Some("*.*".to_owned()),
            3 if depth > 2 => return Some("*.*.*".to_owned()),
            4 => return Some("id".to_owned()),
            5 => return self.function(dice, table, true).or(Some("id".to_owned())),
            _ => {}
        }
        let field = dice.any(&table.fields)?;
        let name = &field.name;
        if depth == 0 || dice.chance(25) {
            return Some(name.clone());
        }
        Some(match self.copy.link(table, name) {
            Some(Link::One(_, target) | Link::Many(_, target)) => {
                format!("{name}.{}", self.path(dice, target, depth - 1)?)
            }
            Some(Link::Any(_, _, targets)) => match dice.any(&targets) {
                Some(target) if dice.chance(70) => {
                    format!("{name}:{}.{}", target.name, self.path(dice, target, depth - 1)?)
                }
                _ => format!("{name}.*"),
            },
            None => name.clone(),
        })
    }

    /// A function of a field.
    fn function(&self, dice: &mut Dice, table: &Table, json: bool) -> Option<String> {
        let mut functions = Vec::new();
        for Field { name, ty } in &table.fields {
            let mut add =
                |list: &[&str]| functions.extend(list.iter().map(|function| format!("{function}({name})")));
            match ty {
                Ty::Alias if self.copy.link(table, name).is_some() => add(&["count", "count"]),
                Ty::Json => {
                    add(&["count"]);
                    if json {
                        let paths = ["a", "b.c", "b[0]", "[1]"];
                        functions.push(format!("json({name}, {})", dice.one(&paths)));
                    }
                }
                ty => {
                    if ty.has_date() {
                        add(&["year", "month", "week", "day", "weekday"]);
                    }
                    if ty.has_time() {
                        add(&["hour", "minute", "second"]);
                    }
                }
            }
        }
        dice.any(&functions).cloned()
    }

    fn sort_key(&self, dice: &mut Dice, table: &Table, depth: usize) -> Option<String> {
        let key = self.ascending(dice, table, depth)?;
        Some(if dice.chance(40) { format!("-{key}") } else { key })
    }

    fn ascending(&self, dice: &mut Dice, table: &Table, depth: usize) -> Option<String> {
        if dice.chance(20)
            && let Some(function) = self.function(dice, table, false)
        {
            return Some(function);
        }
        let sortable: Vec<_> = table
            .fields
            .iter()
            .filter(|field| !matches!(field.ty, Ty::Alias | Ty::Json))
            .collect();
        let name = &dice.any(&sortable)?.name;
        if depth == 0 {
            return Some(name.clone());
        }
        Some(match self.copy.link(table, name) {
            Some(Link::One(_, target)) if dice.chance(70) => {
                format!("{name}.{}", self.ascending(dice, target, depth - 1)?)
            }
            Some(Link::Any(_, _, targets)) if dice.chance(70) => match dice.any(&targets) {
                Some(target) => format!(
                    "{name}:{}.{}",
                    target.name,
                    self.ascending(dice, target, depth - 1)?
                ),
                None => name.clone(),
            },
            _ => name.clone(),
        })
    }

    fn figures(&self, dice: &mut Dice, table: &Table, query: &mut Map<String, Value>) {
        let mut aggregate = Map::new();
        let mut sorts = Vec::new();
        let columns: Vec<_> = table
            .fields
            .iter()
            .filter(|field| !matches!(field.ty, Ty::Alias | Ty::Json))
            .collect();
        let numeric: Vec<_> = table
            .fields
            .iter()
            .filter(|field| field.ty.is_numeric() && field.ty != Ty::BigInteger)
            .collect();
        let ordered: Vec<_> = columns
            .iter()
            .copied()
            .filter(|field| field.ty != Ty::Boolean)
            .collect();
        if dice.chance(60) {
            aggregate.insert("count".to_owned(), json!(["*"]));
            sorts.push("count".to_owned());
        }
        for _ in 0..dice.between(0, 3) {
            let (functions, of): (&[&str], _) = match dice.below(3) {
                0 => (&["count", "countDistinct"], &columns),
                1 => (&["min", "max"], &ordered),
                _ => (&["sum", "sumDistinct", "avg", "avgDistinct"], &numeric),
            };
            let function = *dice.one(functions);
            let Some(field) = dice.any(of) else { continue };
            if function.starts_with("avg") && field.ty == Ty::Decimal {
                continue;
            }
            if ["count", "sum"].contains(&function) {
                sorts.push(format!("{function}.{}", field.name));
            }
            let fields = aggregate.entry(function).or_insert_with(|| json!([]));
            if let Some(fields) = fields.as_array_mut()
                && !fields.iter().any(|other| *other == field.name)
            {
                fields.push(field.name.clone().into());
            }
        }
        let mut groups: Vec<String> = Vec::new();
        for _ in 0..dice.below(3) {
            let group = match dice.chance(35) {
                true => self.function(dice, table, false),
                false => dice.any(&columns).map(|field| field.name.clone()),
            };
            groups.extend(group.filter(|group| !groups.contains(group)));
        }
        if aggregate.is_empty() && groups.is_empty() {
            aggregate.insert("count".to_owned(), json!(["*"]));
        }
        if !groups.is_empty() && dice.chance(40) {
            // `count` alone means the first figure of that name.
            sorts.retain(|sort| sort != "count" || aggregate["count"][0] == "*");
            sorts.extend(groups.iter().cloned());
            let sort = dice.one(&sorts);
            let sort = if dice.chance(50) {
                format!("-{sort}")
            } else {
                sort.clone()
            };
            query.insert("sort".to_owned(), json!([sort]));
        }
        if !aggregate.is_empty() {
            query.insert("aggregate".to_owned(), Value::Object(aggregate));
        }
        if !groups.is_empty() {
            query.insert("groupBy".to_owned(), json!(groups));
        }
        if dice.chance(50) {
            query.insert("filter".to_owned(), self.filter(dice, table, 2));
        }
        if dice.chance(15) {
            query.insert("search".to_owned(), json!(*dice.one(&["a", "1", "red"])));
        }
        if dice.chance(20) {
            query.insert("limit".to_owned(), json!(dice.between(1, 3)));
        }
    }

    pub(super) fn filter(&self, dice: &mut Dice, table: &Table, depth: usize) -> Value {
        let list = |dice: &mut Dice| {
            let some = (0..dice.between(0, 3)).map(|_| self.filter(dice, table, depth - 1));
            some.collect::<Vec<_>>()
        };
        if depth > 0 {
            match dice.below(10) {
                0 => return json!({"_and": list(dice)}),
                1 | 2 => return json!({"_or": list(dice)}),
                3 => return json!({"_not": self.filter(dice, table, depth - 1)}),
                4 => {
                    let mut both = self.leaf(dice, table, depth);
                    if let (Some(both), Value::Object(more)) =
                        (both.as_object_mut(), self.leaf(dice, table, depth))
                    {
                        both.extend(more);
                    }
                    return both;
                }
                _ => {}
            }
        }
        self.leaf(dice, table, depth)
    }

    fn leaf(&self, dice: &mut Dice, table: &Table, depth: usize) -> Value {
        if dice.chance(12)
            && let Some(function) = self.function(dice, table, true)
        {
            let kind = if function.starts_with("json") {
                Kind::Json
            } else {
                Kind::Number
            };
            return json!({ function: self.tests(dice, kind) });
        }
        if depth > 0
            && dice.chance(8)
            && let Some(follow) = self.follow(dice, table, depth)
        {
            return follow;
        }
        let Some(Field { name, ty }) = dice.any(&table.fields) else {
            return json!({});
        };
        let below = depth.saturating_sub(1);
        match self.copy.link(table, name) {
            Some(Link::One(_, target)) if depth > 0 && dice.chance(65) => {
                json!({ name: self.filter(dice, target, below) })
            }
            Some(Link::Many(_, many)) => match dice.below(if depth > 0 { 5 } else { 1 }) {
                0 => json!({ name: self.tests(dice, Kind::Field(key_type(many))) }),
                1 => json!({ name: {"_some": self.filter(dice, many, below)} }),
                2 => json!({ name: {"_none": self.filter(dice, many, below)} }),
                _ => json!({ name: self.filter(dice, many, below) }),
            },
            Some(Link::Any(_, _, targets)) if depth > 0 && dice.chance(65) => match dice.any(&targets) {
                Some(target) => {
                    json!({ format!("{name}:{}", target.name): self.filter(dice, target, below) })
                }
                None => json!({}),
            },
            _ if *ty == Ty::Alias => json!({}),
            _ if *ty == Ty::Json && dice.chance(60) => {
                json!({ name: {"_json": { *dice.one(&["a", "b.c", "b[0]"]): self.tests(dice, Kind::Json) }} })
            }
            link => {
                let ty = match link {
                    Some(Link::One(_, target)) => key_type(target),
                    _ => *ty,
                };
                json!({ name: self.tests(dice, Kind::Field(ty)) })
            }
        }
    }

    fn follow(&self, dice: &mut Dice, table: &Table, depth: usize) -> Option<Value> {
        let here: Vec<_> = self
            .copy
            .relations
            .iter()
            .filter(|relation| {
                relation.one.as_deref() == Some(&table.name)
                    || relation
                        .any
                        .as_ref()
                        .is_some_and(|(_, allowed)| allowed.contains(&table.name))
            })
            .collect();
        let relation = dice.any(&here)?;
        let many = self.copy.table(&relation.many)?;
        let name = format!("$FOLLOW({},{})", relation.many, relation.field);
        Some(json!({ name: self.filter(dice, many, depth - 1) }))
    }

    /// Operators and what they compare with.
    fn tests(&self, dice: &mut Dice, kind: Kind) -> Value {
        const OPERATORS: [&str; 26] = [
            "_eq",
            "_eq",
            "_neq",
            "_lt",
            "_lte",
            "_gt",
            "_gte",
            "_in",
            "_nin",
            "_between",
            "_nbetween",
            "_null",
            "_nnull",
            "_empty",
            "_nempty",
            "_contains",
            "_ncontains",
            "_icontains",
            "_nicontains",
            "_starts_with",
            "_nstarts_with",
            "_iends_with",
            "_ends_with",
            "_ieq",
            "_nieq",
            "_istarts_with",
        ];
        let fitting: Vec<_> = OPERATORS
            .into_iter()
            .filter(|operator| takes(kind, operator))
            .collect();
        if dice.chance(8) && kind != Kind::Field(Ty::Json) {
            return self.argument(dice, kind);
        }
        let mut tests = Map::new();
        for _ in 0..if dice.chance(10) { 2 } else { 1 } {
            let operator = *dice.one(&fitting);
            let argument = match operator {
                "_null" | "_nnull" | "_empty" | "_nempty" => json!(dice.chance(70)),
                "_in" | "_nin" => match kind {
                    Kind::Field(Ty::Uuid) if dice.chance(30) => json!("$CURRENT_ROLES"),
                    Kind::Field(Ty::String | Ty::Text) if self.rule && dice.chance(30) => {
                        json!(["$CURRENT_USER.tags", "red"][..dice.between(1, 2)])
                    }
                    _ => (0..dice.below(4)).map(|_| self.argument(dice, kind)).collect(),
                },
                "_between" | "_nbetween" => {
                    json!([self.argument(dice, kind), self.argument(dice, kind)])
                }
                "_eq" | "_neq" | "_lt" | "_lte" | "_gt" | "_gte" => self.argument(dice, kind),
                _ if self.rule && dice.chance(15) => json!("$CURRENT_USER.first_name"),
                _ => json!(*dice.one(&["", "a", "A", "ed", "äS", "b_", "%", " "])),
            };
            tests.insert(operator.to_owned(), argument);
        }
        Value::Object(tests)
    }

    fn argument(&self, dice: &mut Dice, kind: Kind) -> Value {
        match kind {
            Kind::Number | Kind::Refused => json!(*dice.one(&[0, 1, 2, 3, 12, 2026])),
            Kind::Json => dice
                .one(&[json!(1), json!("x"), json!("1"), json!(2), json!("")])
                .clone(),
            Kind::Field(ty) => match ty {
                Ty::Uuid if dice.chance(50) => {
                    json!(*dice.one(&["$CURRENT_USER", "$CURRENT_ROLE", ROLES[0]]))
                }
                Ty::Timestamp | Ty::Date if dice.chance(40) => {
                    json!(*dice.one(&["$NOW", "$NOW(-1 day)", "$NOW(+1 day)"]))
                }
                Ty::String | Ty::Text if self.rule && dice.chance(40) => json!("$CURRENT_USER.first_name"),
                Ty::String if dice.chance(40) => json!(*dice.one(&["k1", "k2", "1", "2"])),
                Ty::Integer if dice.chance(40) => json!(dice.between(1, 4)),
                ty => dice.one(&values(ty)).clone(),
            },
        }
    }
}

fn key_type(table: &Table) -> Ty {
    table.field("id").map_or(Ty::Integer, |field| field.ty)
}

fn query_limit(query: &Map<String, Value>, prefix: &str) -> Option<i64> {
    query.get(&format!("{prefix}limit"))?.as_i64()
}
