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
        desk.ids("articles", json!({})).await,
        json!([]),
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
