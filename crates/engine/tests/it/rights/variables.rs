//! Values that permissions take from the caller and the clock.

use serde_json::{Value, json};

use super::desk::{BOB, Desk, desk};
use crate::fixture::{claims_of, established, insert, refused};

/// What of the articles somebody sees with this condition.
async fn seen(condition: Value) -> Desk {
    desk(json!([{"collection": "articles", "action": "read", "fields": ["title"], "permissions": condition}]))
        .await
}

#[tokio::test]
async fn variables_stand_for_the_caller() {
    let cases = [
        (json!({"created_by": {"_eq": "$CURRENT_USER"}}), json!([2])),
        (json!({"created_by": {"_neq": "$CURRENT_USER"}}), json!([1])),
        (json!({"created_by": {"_in": ["$CURRENT_USER"]}}), json!([2])),
        (json!({"published_on": {"_gt": "$NOW(-1 hour)"}}), json!([3])),
        (json!({"title": {"_eq": "$CURRENT_USER.title"}}), json!([4])),
        (
            json!({"title": {"_in": "$CURRENT_USER.title,beta"}}),
            json!([2, 4]),
        ),
        (json!({"title": {"_in": "$CURRENT_USER.tags"}}), json!([1, 3])),
        (json!({"title": {"_nin": "$CURRENT_USER.tags"}}), json!([2, 4, 5])),
        (json!({"slug": {"_eq": "$CURRENT_ROLE.name"}}), json!([2])),
        (json!({"token": {"_eq": "$CURRENT_ROLE"}}), json!([1])),
        (json!({"token": {"_in": "$CURRENT_ROLES"}}), json!([1])),
        (
            json!({"title": {"_in": "$CURRENT_USER.role.users.title"}}),
            json!([4]),
        ),
        // Not known, or a list where one value belongs: the permission grants nothing.
    ];
    for (condition, expect) in cases {
        let mut desk = seen(condition.clone()).await;
        let role = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
        insert(
            desk.engine(),
            "directus_roles",
            &[json!({"id": role, "name": "beta"})],
        )
        .await;
        let bob = json!({"id": BOB, "email": "bob@example.com", "title": "Ärger", "tags": ["Alpha", "Gamma"], "role": role});
        insert(desk.engine(), "directus_users", &[bob]).await;
        desk.paper
            .update(
                "articles",
                json!([1]),
                json!({"created_by": crate::items::newspaper::ADMIN}),
            )
            .await
            .unwrap();
        desk.paper
            .update("articles", json!([2]), json!({"created_by": BOB}))
            .await
            .unwrap();
        let policy = desk.caller.claims().policies[0].clone();
        let mut claims = claims_of(BOB, &[&[&policy]]);
        claims.role = Some(role.to_owned());
        claims.roles = vec![role.to_owned()];
        desk.caller = established(claims);
        assert_eq!(desk.ids("articles", json!({})).await, expect, "{condition}");
    }
}

#[tokio::test]
async fn what_is_stored_of_the_caller_is_read_for_each_request() {
    let desk = seen(json!({"title": {"_eq": "$CURRENT_USER.title"}})).await;
    assert_eq!(
        refused(desk.page("articles", json!({})).await),
        ["FORBIDDEN "],
        "there is no such user yet"
    );
    let bob = json!({"id": BOB, "email": "bob@example.com", "title": "Alpha"});
    insert(desk.engine(), "directus_users", &[bob]).await;
    assert_eq!(desk.ids("articles", json!({})).await, json!([1]));
    desk.paper
        .update("directus_users", json!([BOB]), json!({"title": "beta"}))
        .await
        .unwrap();
    assert_eq!(desk.ids("articles", json!({})).await, json!([2]));
    // Listings know the collection and its fields without a look at the user.
    let outline = desk.engine().outline(&desk.caller);
    let schema = desk.engine().schema();
    let articles = schema.collection("articles").unwrap();
    assert!(outline.may_touch(
        loggia_access::Action::Read,
        articles,
        articles.field("title").unwrap()
    ));
    assert!(!outline.may_touch(
        loggia_access::Action::Read,
        articles,
        articles.field("body").unwrap()
    ));
}

/// Conditions by which articles pass whose title is not what the variable stands for: every way to say so.
fn opposites(variable: &str) -> Vec<Value> {
    let one = |name: &str| json!({"title": {name: variable}});
    let many = |name: &str| json!({"title": {name: [variable, "zzz"]}});
    let not = |inner: Value| json!({"_not": inner});
    let by_text = [
        "_ieq",
        "_contains",
        "_icontains",
        "_starts_with",
        "_istarts_with",
        "_ends_with",
        "_iends_with",
    ];
    let mut conditions = vec![
        one("_neq"),
        one("_nin"),
        many("_nin"),
        many("_nbetween"),
        json!({"title": {"_nin": format!("{variable},zzz")}}),
        json!({"title": {"_nbetween": ["zzz", variable]}}),
        not(json!({"title": variable})),
        not(one("_eq")),
        not(one("_in")),
        not(many("_in")),
        not(many("_between")),
        not(one("_gt")),
        not(one("_gte")),
        not(one("_lt")),
        not(one("_lte")),
        not(not(one("_neq"))),
        not(json!({"_or": [one("_eq"), {"title": "zzz"}]})),
        not(json!({"_and": [one("_eq"), {"id": {"_gt": 0}}]})),
        not(json!({"author": {"name": {"_eq": variable}}})),
        // Where there is nothing to compare, nothing is compared with nothing.
        json!({"_and": [not(json!({"tags": {"_some": {"tags_id": {"name": {"_eq": variable}}}}})), {"tags": {"_some": {}}}]}),
        json!({"_or": [one("_neq"), {"title": "zzz"}]}),
        json!({"author": {"name": {"_neq": variable}}}),
        json!({"_and": [{"tags": {"_none": {"tags_id": {"name": {"_eq": variable}}}}}, {"tags": {"_some": {}}}]}),
    ];
    conditions.extend(by_text.iter().map(|name| one(&name.replacen('_', "_n", 1))));
    conditions.extend(by_text.iter().map(|name| not(one(name))));
    conditions
}

/// Bob, of whom these things are known, under one policy after another.
async fn bob(user: Value) -> Desk {
    let desk = desk(json!([])).await;
    let mut row = json!({"id": BOB, "email": "bob@example.com"});
    row.as_object_mut()
        .unwrap()
        .extend(user.as_object().unwrap().clone());
    insert(desk.engine(), "directus_users", &[row]).await;
    desk
}

/// A policy that lets articles be read on a condition.
async fn reading(desk: &Desk, condition: &Value) -> String {
    let permission =
        json!({"collection": "articles", "action": "read", "fields": ["title"], "permissions": condition});
    crate::fixture::policy(desk.engine(), json!([permission])).await
}

/// What somebody sees by a policy; `None`: nobody.
async fn seen_by(desk: &mut Desk, policy: &str, user: Option<&str>) -> Result<Vec<Value>, Vec<String>> {
    let mut claims = claims_of(BOB, &[&[policy]]);
    claims.user = user.map(str::to_owned);
    desk.caller = established(claims);
    match desk.page("articles", json!({"fields": ["id"]})).await {
        Ok(page) => Ok(page.rows.into_iter().map(|mut row| row["id"].take()).collect()),
        Err(error) => Err(refused(Err::<(), _>(error))),
    }
}

/// What Bob sees on a condition.
async fn sees(desk: &mut Desk, condition: &Value) -> Result<Vec<Value>, Vec<String>> {
    let policy = reading(desk, condition).await;
    seen_by(desk, &policy, Some(BOB)).await
}

#[tokio::test]
async fn what_stands_for_nothing_passes_no_comparison_and_no_opposite_of_one() {
    let mut desk = bob(json!({"title": null, "location": "Gamma"})).await;
    for condition in opposites("$CURRENT_USER.title") {
        let policy = reading(&desk, &condition).await;
        // Nobody has no user to ask.
        for user in [Some(BOB), None] {
            let seen = seen_by(&mut desk, &policy, user).await;
            assert_eq!(seen, Ok(vec![]), "{condition} {user:?}");
        }
    }
    // The same conditions let something through where the variable stands for something.
    for condition in opposites("$CURRENT_USER.location") {
        let seen = sees(&mut desk, &condition).await.unwrap();
        assert!(!seen.is_empty(), "{condition}");
    }
    for variable in ["$CURRENT_USER", "$CURRENT_ROLE", "$CURRENT_USER.tags"] {
        for condition in [
            json!({"slug": {"_nin": variable}}),
            json!({"_not": {"slug": {"_in": variable}}}),
        ] {
            let policy = reading(&desk, &condition).await;
            let seen = seen_by(&mut desk, &policy, None).await;
            assert_eq!(seen, Ok(vec![]), "{condition}");
        }
    }
    // Of several values one may be missing: the others are found.
    let either = json!({"title": {"_in": ["$CURRENT_USER.title", "Gamma"]}});
    assert_eq!(sees(&mut desk, &either).await, Ok(vec![json!(3)]));
    let neither = json!({"_not": {"title": {"_nin": ["$CURRENT_USER.title", "Gamma"]}}});
    assert_eq!(sees(&mut desk, &neither).await, Ok(vec![json!(3)]));
}

#[tokio::test]
async fn an_empty_list_excludes_nothing_and_finds_nothing() {
    let mut desk = bob(json!({"tags": []})).await;
    let all = (1..=5).map(Value::from).collect::<Vec<_>>();
    let cases = [
        (json!({"title": {"_nin": "$CURRENT_USER.tags"}}), all.clone()),
        (json!({"_not": {"title": {"_in": "$CURRENT_USER.tags"}}}), all),
        (
            json!({"slug": {"_nin": "$CURRENT_USER.tags"}}),
            vec![json!(1), json!(2), json!(3)],
        ),
        (json!({"title": {"_in": "$CURRENT_USER.tags"}}), vec![]),
        (json!({"_not": {"title": {"_nin": "$CURRENT_USER.tags"}}}), vec![]),
    ];
    for (condition, expect) in cases {
        assert_eq!(sees(&mut desk, &condition).await, Ok(expect), "{condition}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_of_the_caller_grants_nothing() {
    // Objects cannot be compared, and the user may be gone.
    let mut desk = bob(json!({"tags": ["Alpha", {"a": 1}], "title": "Alpha"})).await;
    let denied = Err(vec!["FORBIDDEN ".to_owned()]);
    let gone = "99999999-9999-4999-8999-999999999999";
    let lists = [
        json!({"title": {"_nin": "$CURRENT_USER.tags"}}),
        json!({"title": {"_nin": "$CURRENT_USER.role.users.title"}}),
        json!({"_not": {"title": {"_in": ["zzz", "$CURRENT_USER.tags"]}}}),
    ];
    for condition in opposites("$CURRENT_USER.title").into_iter().chain(lists) {
        let policy = reading(&desk, &condition).await;
        let seen = seen_by(&mut desk, &policy, Some(gone)).await;
        assert_eq!(seen, denied, "{condition}");
    }
    let tags = json!({"title": {"_nin": "$CURRENT_USER.tags"}});
    assert_eq!(sees(&mut desk, &tags).await, denied);
    // What else the policy grants stays.
    let policy = crate::fixture::policy(
        desk.engine(),
        json!([
            {"collection": "articles", "action": "read", "fields": ["title"], "permissions": tags},
            {"collection": "articles", "action": "read", "fields": ["title"], "permissions": {"title": {"_eq": "Gamma"}}},
        ]),
    )
    .await;
    desk.caller = established(claims_of(BOB, &[&[&policy]]));
    assert_eq!(desk.ids("articles", json!({})).await, json!([3]));
}

#[tokio::test]
async fn a_key_and_what_it_leads_to_may_both_be_asked_of() {
    let role = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let desk = desk(json!([])).await;
    let roles = [json!({"id": role, "name": "Alpha"})];
    insert(desk.engine(), "directus_roles", &roles).await;
    let mut desk = desk;
    let row = json!({"id": BOB, "email": "bob@example.com", "role": role});
    insert(desk.engine(), "directus_users", &[row]).await;
    let both = json!({"_or": [{"token": {"_eq": "$CURRENT_USER.role"}}, {"title": {"_eq": "$CURRENT_USER.role.name"}}]});
    let token = json!({"id": 8, "title": "By role", "token": role});
    insert(desk.engine(), "articles", &[token]).await;
    assert_eq!(sees(&mut desk, &both).await, Ok(vec![json!(1), json!(8)]));
}

#[tokio::test]
async fn written_values_pass_no_test_against_nothing() {
    let mut desk = bob(json!({"title": null, "tags": []})).await;
    let tests = [
        json!({"_neq": "$CURRENT_USER.title"}),
        json!({"_eq": "$CURRENT_USER.title"}),
        json!("$CURRENT_USER.title"),
        json!({"_nin": "$CURRENT_USER.title,zzz"}),
        json!({"_nin": ["$CURRENT_USER.title"]}),
        json!({"_in": ["$CURRENT_USER.title"]}),
        json!({"_nbetween": ["$CURRENT_USER.title", "zzz"]}),
        json!({"_between": ["$CURRENT_USER.title", "zzz"]}),
        json!({"_nieq": "$CURRENT_USER.title"}),
        json!({"_ncontains": "$CURRENT_USER.title"}),
        json!({"_nicontains": "$CURRENT_USER.title"}),
        json!({"_nstarts_with": "$CURRENT_USER.title"}),
        json!({"_nistarts_with": "$CURRENT_USER.title"}),
        json!({"_nends_with": "$CURRENT_USER.title"}),
        json!({"_niends_with": "$CURRENT_USER.title"}),
        json!({"_lt": "$CURRENT_USER.title"}),
        json!({"_gte": "$CURRENT_USER.title"}),
        json!({"_in": "$CURRENT_USER.tags"}),
    ];
    let create = async |desk: &mut Desk, test: &Value| {
        let permission = json!({"collection": "articles", "action": "create", "validation": {"slug": test}});
        let policy = crate::fixture::policy(desk.engine(), json!([permission])).await;
        desk.caller = established(claims_of(BOB, &[&[&policy]]));
        let slug = format!("s{test}");
        let plain = desk.create("articles", json!({"title": "x", "slug": slug})).await;
        let null = desk.create("articles", json!({"title": "x", "slug": null})).await;
        [plain, null].map(|done| done.err().map(|error| refused(Err::<(), _>(error))))
    };
    for test in tests {
        let told = create(&mut desk, &test).await;
        let failed = Some(vec!["FAILED_VALIDATION slug".to_owned()]);
        assert_eq!(told, [failed.clone(), failed], "{test}");
    }
    // An empty list excludes nothing here either.
    assert_eq!(
        create(&mut desk, &json!({"_nin": "$CURRENT_USER.tags"})).await,
        [None, None]
    );
}

#[tokio::test]
async fn people_with_the_same_policy_see_what_is_theirs() {
    let mut desk = seen(json!({"created_by": {"_eq": "$CURRENT_USER"}})).await;
    let bob = json!({"id": BOB, "email": "bob@example.com"});
    insert(desk.engine(), "directus_users", &[bob]).await;
    desk.paper
        .update(
            "articles",
            json!([1]),
            json!({"created_by": crate::items::newspaper::ADMIN}),
        )
        .await
        .unwrap();
    desk.paper
        .update("articles", json!([2]), json!({"created_by": BOB}))
        .await
        .unwrap();
    let policy = desk.caller.claims().policies[0].clone();
    for (user, expect) in [
        (BOB, json!([2])),
        (crate::items::newspaper::ADMIN, json!([1])),
        (BOB, json!([2])),
    ] {
        desk.caller = established(claims_of(user, &[&[&policy]]));
        assert_eq!(desk.ids("articles", json!({})).await, expect, "{user}");
    }
    let mut public = claims_of(BOB, &[&[&policy]]);
    public.user = None;
    desk.caller = established(public);
    assert_eq!(desk.ids("articles", json!({})).await, json!([]));
}

#[tokio::test]
async fn a_permission_that_cannot_be_applied_grants_nothing() {
    let desk = seen(json!({"status": {"_eq": "published"}})).await;
    let policy = desk.caller.claims().policies[0].clone();
    assert_eq!(desk.ids("articles", json!({})).await, json!([1, 3]));
    // The field goes; what the permission says of it means nothing any more.
    desk.engine()
        .delete_field(&desk.paper.admin, "articles", "status")
        .await
        .unwrap();
    assert_eq!(refused(desk.page("articles", json!({})).await), ["FORBIDDEN "]);
    let row = json!({"policy": policy, "collection": "articles", "action": "read", "fields": "*", "permissions": {"nothing": {"_eq": 1}}});
    insert(desk.engine(), "directus_permissions", &[row]).await;
    desk.engine().refresh().await.unwrap();
    assert_eq!(refused(desk.page("articles", json!({})).await), ["FORBIDDEN "]);
}
