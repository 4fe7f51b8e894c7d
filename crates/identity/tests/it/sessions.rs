//! Refreshing and signing out.

use jiff::SignedDuration;
use loggia_identity::{Credential, Mode, Proof, Secret, Tokens};

use crate::house::{House, code, facts};

async fn refresh(house: &House, proof: Proof, mode: Mode) -> Result<Tokens, &'static str> {
    house
        .identity
        .refresh(&proof, mode, &facts())
        .await
        .map_err(|error| code(&error))
}

fn refresh_token(tokens: &Tokens) -> Proof {
    Proof::Refresh(tokens.refresh.clone().unwrap())
}

async fn works(house: &House, access: &Secret) -> bool {
    house.caller(Credential::Bearer(access.reveal())).await.is_ok()
}

#[tokio::test]
async fn a_refresh_token_is_used_up_by_refreshing() {
    let house = House::new().await;
    let first = house.login(Mode::Json).await;
    let second = refresh(&house, refresh_token(&first), Mode::Json).await.unwrap();
    assert!(works(&house, &second.access).await);
    assert!(
        works(&house, &first.access).await,
        "an access token lives on while it is good"
    );
    let again = refresh(&house, refresh_token(&first), Mode::Json).await.map(drop);
    assert_eq!(again, Err("INVALID_CREDENTIALS"));
    assert!(
        works(&house, &second.access).await,
        "two refreshes at the same moment are no theft"
    );
}

#[tokio::test]
async fn a_used_refresh_token_that_comes_back_ends_the_line() {
    let house = House::new().await;
    let first = house.login(Mode::Json).await;
    let second = refresh(&house, refresh_token(&first), Mode::Json).await.unwrap();
    let third = refresh(&house, refresh_token(&second), Mode::Json).await.unwrap();
    house.pass(SignedDuration::from_secs(11));
    let stolen = refresh(&house, refresh_token(&first), Mode::Json).await.map(drop);
    assert_eq!(stolen, Err("INVALID_CREDENTIALS"));
    for tokens in [&first, &second, &third] {
        assert!(!works(&house, &tokens.access).await);
    }
    assert!(refresh(&house, refresh_token(&third), Mode::Json).await.is_err());
}

#[tokio::test]
async fn sessions_end_with_their_time() {
    let house = House::new().await;
    let tokens = house.login(Mode::Json).await;
    let session = house.login(Mode::Session).await;
    house.pass(SignedDuration::from_hours(24));
    let cookie = Proof::Session(session.access.clone());
    assert!(refresh(&house, cookie, Mode::Session).await.is_err());
    house.pass(SignedDuration::from_hours(6 * 24 - 1));
    let tokens = refresh(&house, refresh_token(&tokens), Mode::Json).await.unwrap();
    house.pass(SignedDuration::from_hours(7 * 24));
    assert!(refresh(&house, refresh_token(&tokens), Mode::Json).await.is_err());
}

#[tokio::test]
async fn a_session_cookie_is_replaced_and_other_tabs_follow() {
    let house = House::new().await;
    let first = house.login(Mode::Session).await;
    assert!(first.refresh.is_none());
    let proof = || Proof::Session(first.access.clone());
    let second = refresh(&house, proof(), Mode::Session).await.unwrap();
    let other_tab = refresh(&house, proof(), Mode::Session).await.unwrap();
    assert!(
        works(&house, &first.access).await,
        "requests on their way still arrive"
    );
    assert!(works(&house, &second.access).await && works(&house, &other_tab.access).await);
    house.pass(SignedDuration::from_secs(10));
    assert!(!works(&house, &first.access).await);
    assert!(refresh(&house, proof(), Mode::Session).await.is_err());
    let access = refresh(
        &house,
        Proof::Session(house.login(Mode::Json).await.access),
        Mode::Session,
    )
    .await;
    assert!(access.is_err(), "an access token is no session cookie");
}

#[tokio::test]
async fn signing_out_ends_access_tokens_at_once() {
    let house = House::new().await;
    let first = house.login(Mode::Json).await;
    let other = house.login(Mode::Json).await;
    let second = refresh(&house, refresh_token(&first), Mode::Json).await.unwrap();
    assert!(works(&house, &first.access).await);
    house
        .identity
        .logout(&refresh_token(&second), &facts())
        .await
        .unwrap();
    assert!(!works(&house, &first.access).await && !works(&house, &second.access).await);
    assert!(refresh(&house, refresh_token(&second), Mode::Json).await.is_err());
    assert!(works(&house, &other.access).await, "other sessions go on");
    house
        .identity
        .logout(&refresh_token(&second), &facts())
        .await
        .unwrap();
    house
        .identity
        .logout(&Proof::Session(Secret::new("nonsense")), &facts())
        .await
        .unwrap();
}
