//! From credential to caller.

use jiff::SignedDuration;
use loggia_identity::{Credential, Mode};

use crate::house::{EMAIL, House};

#[tokio::test]
async fn each_credential_stands_for_its_user_or_for_nobody() {
    let house = House::new().await;
    house.user("someone@example.com", "someones-token").await;
    let tokens = house.login(Mode::Json).await;
    let cookie = house.login(Mode::Session).await.access;
    let access = tokens.access.reveal();

    let public = house.caller(Credential::None).await.unwrap();
    assert!(public.is_public() && !public.is_admin());
    for credential in [
        Credential::Bearer(&house.token),
        Credential::Query(&house.token),
        Credential::Bearer(access),
        Credential::Query(access),
        Credential::Bearer(cookie.reveal()),
        Credential::SessionCookie(cookie.reveal()),
    ] {
        let caller = house.caller(credential).await.unwrap();
        assert!(caller.is_admin() && !caller.is_public());
        assert_eq!(caller.claims().roles.len(), 1);
        assert_eq!(caller.claims().policies.len(), 1);
        assert!(caller.claims().app_access);
    }
    let someone = house.caller(Credential::Bearer("someones-token")).await.unwrap();
    assert!(!someone.is_admin() && !someone.is_public() && !someone.claims().app_access);

    let long = "x".repeat(5_000);
    let refused = async |credential| house.caller(credential).await.map(drop).unwrap_err();
    assert_eq!(
        refused(Credential::Bearer("nobodys-token")).await,
        "INVALID_CREDENTIALS"
    );
    assert_eq!(refused(Credential::Bearer("")).await, "INVALID_CREDENTIALS");
    assert_eq!(refused(Credential::Bearer(&long)).await, "INVALID_CREDENTIALS");
    assert_eq!(refused(Credential::Bearer("eyJa.b.c")).await, "INVALID_TOKEN");
    assert_eq!(refused(Credential::Query(cookie.reveal())).await, "INVALID_TOKEN");
    assert_eq!(
        refused(Credential::SessionCookie(&house.token)).await,
        "INVALID_TOKEN"
    );
    assert_eq!(refused(Credential::SessionCookie(access)).await, "INVALID_TOKEN");
    let refresh = tokens.refresh.unwrap();
    assert_eq!(
        refused(Credential::Bearer(refresh.reveal())).await,
        "INVALID_CREDENTIALS"
    );
}

#[tokio::test]
async fn tokens_are_not_stored() {
    let house = House::new().await;
    let fingerprint = loggia_identity::fingerprint(&house.token);
    assert_eq!(
        house.caller(Credential::Bearer(&fingerprint)).await.map(drop),
        Err("INVALID_CREDENTIALS")
    );
}

#[tokio::test]
async fn an_access_token_ends_with_its_time() {
    let house = House::new().await;
    let access = house.login(Mode::Json).await.access;
    house.pass(SignedDuration::from_secs(899));
    assert!(house.caller(Credential::Bearer(access.reveal())).await.is_ok());
    house.pass(SignedDuration::from_secs(1));
    let after = house.caller(Credential::Bearer(access.reveal())).await.map(drop);
    assert_eq!(after, Err("TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_new_static_token_ends_the_old_one_at_once() {
    let house = House::new().await;
    assert!(house.caller(Credential::Bearer(&house.token)).await.is_ok());
    let next = house.identity.rotate_token(EMAIL).await.unwrap();
    let old = house.caller(Credential::Bearer(&house.token)).await.map(drop);
    assert_eq!(old, Err("INVALID_CREDENTIALS"));
    assert!(
        house
            .caller(Credential::Bearer(next.reveal()))
            .await
            .unwrap()
            .is_admin()
    );
    house.identity.revoke_token(EMAIL).await.unwrap();
    assert!(house.caller(Credential::Bearer(next.reveal())).await.is_err());
}
