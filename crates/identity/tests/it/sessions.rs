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
async fn a_used_refresh_token_that_comes_back_long_after_ends_the_line_as_well() {
    let house = House::new().await;
    let stolen = house.login(Mode::Json).await;
    let bystander = house.login(Mode::Json).await;
    let mut thief = stolen.clone();
    // The thief goes on while nobody looks; other sign-ins clean up behind.
    for _ in 0..100 {
        thief = refresh(&house, refresh_token(&thief), Mode::Json).await.unwrap();
        house.pass(SignedDuration::from_mins(15));
    }
    house.login(Mode::Json).await;
    let fresh = refresh(&house, refresh_token(&thief), Mode::Json).await.unwrap();
    assert!(works(&house, &fresh.access).await);
    let owner = refresh(&house, refresh_token(&stolen), Mode::Json)
        .await
        .map(drop);
    assert_eq!(owner, Err("INVALID_CREDENTIALS"));
    assert!(!works(&house, &fresh.access).await);
    assert!(refresh(&house, refresh_token(&fresh), Mode::Json).await.is_err());
    let other = refresh(&house, refresh_token(&bystander), Mode::Json).await;
    assert!(other.is_ok(), "other sign-ins go on");
}

#[tokio::test]
async fn refresh_tokens_that_were_never_given_out_end_nothing() {
    let house = House::new().await;
    let mine = house.login(Mode::Json).await;
    let text = mine.refresh.clone().unwrap().reveal().to_owned();
    let (line, rest) = text.split_once('.').unwrap();
    for forged in [
        "nonsense".to_owned(),
        rest.to_owned(),
        format!("{}.{rest}", "0".repeat(32)),
        format!(".{rest}"),
        format!("{}.{rest}", &line[1..]),
        format!("%.{rest}"),
    ] {
        let proof = Proof::Refresh(Secret::new(forged));
        assert!(refresh(&house, proof.clone(), Mode::Json).await.is_err());
        house.identity.logout(&proof, &facts()).await.unwrap();
    }
    assert!(works(&house, &mine.access).await);
    assert!(refresh(&house, refresh_token(&mine), Mode::Json).await.is_ok());
}

#[tokio::test]
async fn signing_out_by_a_used_token_ends_what_came_of_it() {
    let house = House::new().await;
    let first = house.login(Mode::Json).await;
    let second = refresh(&house, refresh_token(&first), Mode::Json).await.unwrap();
    house.pass(SignedDuration::from_hours(1));
    house.login(Mode::Json).await;
    let second = refresh(&house, refresh_token(&second), Mode::Json).await.unwrap();
    house
        .identity
        .logout(&refresh_token(&first), &facts())
        .await
        .unwrap();
    assert!(!works(&house, &second.access).await);
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
    assert!(works(&house, &second.access).await);
    let access = refresh(
        &house,
        Proof::Session(house.login(Mode::Json).await.access),
        Mode::Session,
    )
    .await;
    assert!(access.is_err(), "an access token is no session cookie");
}

#[tokio::test]
async fn a_used_cookie_that_comes_back_ends_the_line() {
    let house = House::new().await;
    for clean_up in [false, true] {
        let first = house.login(Mode::Session).await;
        let proof = || Proof::Session(first.access.clone());
        let thief = refresh(&house, proof(), Mode::Session).await.unwrap();
        house.pass(SignedDuration::from_secs(11));
        if clean_up {
            house.login(Mode::Json).await;
        }
        assert!(works(&house, &thief.access).await);
        assert!(refresh(&house, proof(), Mode::Session).await.is_err());
        assert!(!works(&house, &thief.access).await, "{clean_up}");
    }
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
