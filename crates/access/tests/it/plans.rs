//! Each kind of plan, for callers with everything and with nothing.

use std::sync::Arc;

use loggia_access::{
    Caller, Claims, Grants, Layer, Origin, RuleSet, decide, decide_created, decide_schema, may_read,
};
use loggia_model::filter::{Function, Operand, Quantifier, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, DeletePlan, Figure, Group, InsertPlan, Plan, ReadPlan, Related, SchemaPlan,
    Selected, Sort, Source, UpdatePlan,
};
use loggia_model::{Collection, Filter, Link, Problem, Problems, Schema, system};

fn grants(user: Option<&str>, layers: &[bool]) -> Grants {
    let layers = layers.iter().map(|admin| Layer {
        policies: vec!["p".to_owned()],
        admin: *admin,
    });
    let caller = Caller::established(Claims {
        user: user.map(str::to_owned),
        role: None,
        roles: Vec::new(),
        policies: Vec::new(),
        layers: layers.collect(),
        app_access: false,
        session: None,
        token: None,
        origin: Origin::Rest,
        ip: None,
        user_agent: None,
    });
    Grants::assemble(&caller, [])
}

fn read(collection: &Arc<Collection>, source: Source) -> ReadPlan {
    ReadPlan {
        collection: collection.clone(),
        select: vec![Selected::new("a", source)],
        filter: Filter::All,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }
}

/// Each kind of plan over the users, and whether an administrator may run it.
fn plans(schema: &Schema) -> Vec<(&'static str, Plan, bool)> {
    let users = schema.collection("directus_users").unwrap();
    let roles = schema.collection("directus_roles").unwrap();
    let sessions = schema.collection("directus_sessions").unwrap();
    let password = users.field("password").unwrap();
    let role = schema
        .relations
        .iter()
        .find(|relation| relation.many_collection == users.name && relation.many_field == "role")
        .unwrap();
    let nested = Related {
        link: Link::ToMany {
            relation: role.clone(),
            target: users.clone(),
        },
        plans: vec![read(users, Source::Secret(password.clone()))],
        keys_only: false,
    };
    let step = loggia_model::filter::Step {
        relation: role.clone(),
        direction: loggia_model::filter::Direction::Backward,
        target: users.clone(),
    };
    let secret = Operand::Field(password.clone());
    let tests_secret = Filter::Test {
        operand: secret.clone(),
        test: Test::NotNull,
    };
    let some_secret = Filter::Related {
        step: step.clone(),
        quantifier: Quantifier::Some,
        filter: Box::new(tests_secret.clone()),
    };
    let plain = |source: Source| Plan::Read(read(users, source));
    let filtered = |collection: &Arc<Collection>, filter: Filter| {
        let key = collection.primary.clone().unwrap();
        Plan::Read(ReadPlan {
            filter,
            ..read(collection, Source::Field(key))
        })
    };
    let sorted = |collection: &Arc<Collection>, operand: Operand| {
        let key = collection.primary.clone().unwrap();
        Plan::Read(ReadPlan {
            sort: vec![Sort {
                operand,
                descending: false,
            }],
            ..read(collection, Source::Field(key))
        })
    };
    let figures = |group_by: Vec<Group>, figures: Vec<Figure>| {
        Plan::Aggregate(AggregatePlan {
            collection: users.clone(),
            filter: Filter::All,
            group_by,
            figures,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        })
    };
    let figure = |function, field: &str| Figure {
        function,
        field: Some(users.field(field).unwrap().clone()),
        when: None,
    };
    let by_secret = Group {
        alias: "g".to_owned(),
        operand: secret.clone(),
    };
    let token = sessions.primary.clone().unwrap();
    assert!(token.is_secret(), "a key that is a secret");
    let keyed = |test: Test| filtered(sessions, Filter::field(&token, test));
    let counted = Operand::Count {
        step: step.clone(),
        filter: Box::new(tests_secret.clone()),
    };
    let through = Operand::Through {
        step,
        filter: Box::new(Filter::All),
        operand: Box::new(secret.clone()),
    };
    let year = Source::Function {
        function: Function::Year,
        field: password.clone(),
    };
    let when = Selected {
        when: Some(Arc::new(tests_secret.clone())),
        ..Selected::new("a", Source::Field(users.primary.clone().unwrap()))
    };
    let shown_by_secret = Plan::Read(ReadPlan {
        select: vec![when],
        ..read(users, Source::Field(password.clone()))
    });
    let (collection, filter) = (users.clone(), Filter::All);
    let revisions = schema.collection("directus_revisions").unwrap();
    let image = revisions.field("delta").unwrap();
    let tests_image = Filter::field(image, Test::NotNull);
    let part_of_image = Operand::JsonPath {
        field: image.clone(),
        path: vec!["title".to_owned()],
    };
    let length_of_image = Source::Function {
        function: Function::Count,
        field: image.clone(),
    };
    vec![
        (
            "image",
            Plan::Read(read(revisions, Source::Field(image.clone()))),
            true,
        ),
        (
            "length of an image",
            Plan::Read(read(revisions, length_of_image)),
            false,
        ),
        ("by image", filtered(revisions, tests_image), false),
        (
            "sort by image",
            sorted(revisions, Operand::Field(image.clone())),
            false,
        ),
        ("sort by part of an image", sorted(revisions, part_of_image), true),
        ("read", plain(Source::Field(password.clone())), true),
        ("secret", plain(Source::Secret(password.clone())), false),
        (
            "nested secret",
            Plan::Read(read(roles, Source::Related(nested))),
            false,
        ),
        ("part of a secret", plain(year), false),
        ("filter", filtered(users, tests_secret.clone()), false),
        ("nested filter", filtered(roles, some_secret.clone()), false),
        (
            "deep filter",
            filtered(roles, Filter::Not(Box::new(Filter::Or(vec![some_secret])))),
            false,
        ),
        ("sort", sorted(users, secret.clone()), false),
        ("sort through", sorted(users, through), false),
        ("sort by count", sorted(roles, counted.clone()), false),
        ("count", Plan::Read(read(roles, Source::Count(counted))), false),
        ("shown by secret", shown_by_secret, false),
        (
            "sort by secret key",
            sorted(sessions, Operand::Field(token.clone())),
            true,
        ),
        ("by secret key", keyed(Test::Equal("x".into())), true),
        ("by secret keys", keyed(Test::In(vec!["x".into()])), true),
        ("by part of a secret key", keyed(Test::Less("x".into())), false),
        ("aggregate", figures(Vec::new(), Vec::new()), true),
        (
            "figure",
            figures(Vec::new(), vec![figure(Aggregate::Count, "email")]),
            true,
        ),
        (
            "figure of a secret",
            figures(Vec::new(), vec![figure(Aggregate::Count, "password")]),
            false,
        ),
        ("group", figures(vec![by_secret], Vec::new()), false),
        (
            "insert",
            Plan::Insert(InsertPlan {
                collection: collection.clone(),
                rows: Vec::new(),
            }),
            true,
        ),
        (
            "update",
            Plan::Update(UpdatePlan {
                collection: collection.clone(),
                filter: filter.clone(),
                assign: Vec::new(),
            }),
            true,
        ),
        (
            "update by secret",
            Plan::Update(UpdatePlan {
                collection: collection.clone(),
                filter: tests_secret,
                assign: Vec::new(),
            }),
            false,
        ),
        ("delete", Plan::Delete(DeletePlan { collection, filter }), true),
    ]
}

#[test]
fn administrators_do_everything_but_read_secrets_and_others_nothing() {
    let callers = [
        (grants(Some("ada"), &[true]), true),
        (grants(Some("ada"), &[true, true]), true),
        (grants(Some("ada"), &[true, false]), false),
        (grants(Some("bob"), &[false]), false),
        (grants(Some("bob"), &[]), false),
        (grants(None, &[]), false),
    ];
    let refused = Problems::from(Problem::forbidden()).to_string();
    let schema = system::schema();
    let users = schema.collection("directus_users").unwrap();
    for (grants, admin) in &callers {
        assert_eq!(grants.is_admin(), *admin);
        for (name, plan, allowed) in plans(&schema) {
            let decided = decide(grants, plan)
                .map(|_| ())
                .map_err(|problems| problems.to_string());
            let expect = if *admin && allowed {
                Ok(())
            } else {
                Err(refused.clone())
            };
            assert_eq!(decided, expect, "{name} for {:?}", grants.caller());
        }
        let created = decide_created(grants, users, Filter::All);
        assert_eq!(created.is_ok_and(|look| look.is_none()), *admin);
        let change = decide_schema(grants.caller(), SchemaPlan { steps: Vec::new() });
        assert_eq!(change.is_ok(), *admin);
        assert_eq!(may_read(grants, &schema).count() > 0, *admin);
        assert_eq!(grants.sees(users), *admin);
    }
}

#[test]
fn a_layer_that_was_not_compiled_grants_nothing() {
    let world = crate::world::World::new();
    let granted = [crate::world::reads("notes", &["*"], serde_json::Value::Null)];
    let book = loggia_access::Rulebook::new([crate::world::permission("p", &granted[0])]);
    let set = RuleSet::compile(
        &["p".to_owned()],
        false,
        &world.schema,
        &book,
        &world.conditions(),
    );
    let notes = world.collection("notes");
    let layer = |admin| Layer {
        policies: vec!["p".to_owned()],
        admin,
    };
    let check = |layers: Vec<Layer>, sets: Vec<RuleSet>, expect: bool| {
        let caller = crate::world::caller(layers, false);
        assert_eq!(Grants::assemble(&caller, sets).sees(notes), expect);
    };
    check(vec![layer(false)], vec![set.clone()], true);
    check(vec![layer(false)], vec![], false);
    check(vec![layer(false), layer(false)], vec![set.clone()], false);
    check(
        vec![layer(false), layer(false)],
        vec![set.clone(), set.clone()],
        true,
    );
    check(vec![layer(true), layer(false)], vec![set.clone()], true);
    check(vec![layer(true), layer(false)], vec![], false);
    check(vec![], vec![], false);
}
