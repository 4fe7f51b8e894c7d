//! E-mail address and password.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use loggia_identity::{Cost, Credential, Mode, RequestFacts, Secret, one_time_password};

use crate::house::{EMAIL, House, PASSWORD, code, facts};

async fn try_from_address(
    house: &House,
    email: &str,
    password: &str,
    ip: [u8; 4],
) -> Result<(), &'static str> {
    let facts = RequestFacts {
        ip: Some(IpAddr::from(ip)),
        ..facts()
    };
    let tried = house
        .identity
        .login(email, &Secret::new(password), None, Mode::Json, &facts)
        .await;
    tried.map(drop).map_err(|error| code(&error))
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_get_the_same_answer() {
    let house = House::new().await;
    let wrong = house
        .identity
        .login(EMAIL, &Secret::new("x"), None, Mode::Json, &facts())
        .await
        .unwrap_err();
    let unknown = house
        .identity
        .login("x@y.z", &Secret::new("x"), None, Mode::Json, &facts())
        .await
        .unwrap_err();
    assert_eq!(wrong.problems(), unknown.problems());
    assert_eq!(code(&wrong), "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn failures_make_the_next_try_wait() {
    let house = House::new().await;
    let here = [10, 0, 0, 1];
    for _ in 0..5 {
        assert_eq!(
            try_from_address(&house, EMAIL, "x", here).await,
            Err("INVALID_CREDENTIALS")
        );
    }
    assert_eq!(
        try_from_address(&house, EMAIL, PASSWORD, here).await,
        Err("REQUESTS_EXCEEDED")
    );
    assert_eq!(
        try_from_address(&house, EMAIL, PASSWORD, [10, 0, 0, 2]).await,
        Ok(())
    );
    house.pass(SignedDuration::from_secs(1));
    assert_eq!(try_from_address(&house, EMAIL, PASSWORD, here).await, Ok(()));
    assert_eq!(
        try_from_address(&house, EMAIL, "x", here).await,
        Err("INVALID_CREDENTIALS")
    );
    assert_eq!(try_from_address(&house, EMAIL, PASSWORD, here).await, Ok(()));
}

#[tokio::test]
async fn from_where_somebody_signed_in_is_remembered_across_restarts() {
    let mut house = House::new().await;
    let (home, elsewhere) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    assert_eq!(try_from_address(&house, EMAIL, PASSWORD, home).await, Ok(()));
    house.restart();
    for last in 0..25 {
        let tried = try_from_address(&house, EMAIL, "x", [192, 0, 2, last]).await;
        assert_eq!(tried, Err("INVALID_CREDENTIALS"));
    }
    assert_eq!(
        try_from_address(&house, EMAIL, PASSWORD, elsewhere).await,
        Err("REQUESTS_EXCEEDED")
    );
    assert_eq!(try_from_address(&house, EMAIL, PASSWORD, home).await, Ok(()));
}

#[tokio::test]
async fn a_one_time_password_that_was_used_is_used_up_across_restarts() {
    let mut house = House::new().await;
    let token = house.token.clone();
    let caller = house.caller(Credential::Bearer(&token)).await.unwrap();
    let made = house
        .identity
        .make_factor(&caller, &Secret::new(PASSWORD))
        .await
        .unwrap();
    let code = |house: &House| one_time_password(made.secret.reveal(), house.clock.now()).unwrap();
    let set_up = code(&house);
    house
        .identity
        .set_up_factor(&caller, &made.secret, &set_up)
        .await
        .unwrap();
    house.pass(SignedDuration::from_secs(30));
    let sign_in = async |house: &House, code: &str| {
        let tried = house
            .identity
            .login(EMAIL, &Secret::new(PASSWORD), Some(code), Mode::Json, &facts())
            .await;
        tried.map(drop).map_err(|error| crate::house::code(&error))
    };
    let used = code(&house);
    assert_eq!(sign_in(&house, &used).await, Ok(()));
    house.restart();
    assert_eq!(sign_in(&house, &used).await, Err("INVALID_OTP"));
    assert_eq!(sign_in(&house, &set_up).await, Err("INVALID_OTP"));
    house.pass(SignedDuration::from_secs(30));
    assert_eq!(sign_in(&house, &code(&house)).await, Ok(()));
}

#[tokio::test]
async fn a_changed_password_counts_at_once() {
    let house = House::new().await;
    let before = house.login(Mode::Json).await;
    house
        .identity
        .set_password(EMAIL, &Secret::new("another one"))
        .await
        .unwrap();
    let here = [10, 0, 0, 1];
    assert_eq!(
        try_from_address(&house, EMAIL, PASSWORD, here).await,
        Err("INVALID_CREDENTIALS")
    );
    assert_eq!(try_from_address(&house, EMAIL, "another one", here).await, Ok(()));
    let access = Credential::Bearer(before.access.reveal());
    assert!(house.caller(access).await.is_err(), "sessions of the old one end");
}

#[tokio::test]
async fn many_sign_ins_at_once_are_served_in_turn_or_told_to_come_back() {
    let house = House::new().await;
    let password = Secret::new(PASSWORD);
    let facts = facts();
    let tries = (0..8).map(|_| house.identity.login(EMAIL, &password, None, Mode::Json, &facts));
    let results = futures_util::future::join_all(tries).await;
    assert!(results.iter().all(Result::is_ok));
}

/// Loose on purpose: it tells a hash from no hash, on machines however busy.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long something really takes is the question here"
)]
async fn an_unknown_account_takes_as_long_as_a_wrong_password() {
    let house = House::costing(Cost::default()).await.with_administrator().await;
    let mut quickest = [Duration::MAX; 2];
    for round in 0..4_u8 {
        for (quickest, email) in quickest.iter_mut().zip([EMAIL, "nobody@example.com"]) {
            let started = Instant::now();
            let tried = try_from_address(&house, email, "x", [10, 0, 0, round]).await;
            *quickest = started.elapsed().min(*quickest);
            assert_eq!(tried, Err("INVALID_CREDENTIALS"));
        }
    }
    let [wrong, unknown] = quickest;
    assert!(
        unknown > wrong / 4 && wrong > unknown / 4,
        "{wrong:?} {unknown:?}"
    );
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_do_the_same_work() {
    let house = House::new().await;
    let mut work = Vec::new();
    for (email, password) in [(EMAIL, "x"), ("nobody@example.com", "x"), (EMAIL, PASSWORD)] {
        let before = house.identity.passwords_tried();
        let tried = try_from_address(&house, email, password, [10, 0, 0, 1]).await;
        assert_eq!(tried.is_ok(), password == PASSWORD);
        work.push(house.identity.passwords_tried() - before);
    }
    assert_eq!(work, [1, 1, 1]);
}
