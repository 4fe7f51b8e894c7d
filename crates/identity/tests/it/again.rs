//! Who a caller is once what they were established by has changed.

use loggia_identity::{Credential, Mode, Proof, Secret};

use crate::house::{House, PASSWORD, code, facts};

#[tokio::test]
async fn who_is_still_there_is_the_same_and_who_has_signed_out_is_nobody() {
    let house = House::new().await;
    let signed_in = house.login(Mode::Json).await;
    let by_session = house.caller(Credential::Bearer(signed_in.access.reveal())).await;
    let by_token = house.caller(Credential::Bearer(&house.token)).await;
    let public = house.caller(Credential::None).await;
    for caller in [by_session.clone(), by_token.clone(), public] {
        let caller = caller.unwrap();
        let again = house.identity.again(&caller).await.unwrap();
        assert_eq!(format!("{again:?}"), format!("{caller:?}"));
    }
    let refresh = Proof::Refresh(signed_in.refresh.unwrap());
    house.identity.logout(&refresh, &facts()).await.unwrap();
    let gone = house.identity.again(&by_session.unwrap()).await.unwrap_err();
    assert_eq!(code(&gone), "INVALID_CREDENTIALS");
    assert!(house.identity.again(&by_token.unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_new_password_ends_what_waits_by_an_older_session() {
    let house = House::new().await;
    let signed_in = house.login(Mode::Json).await;
    let caller = house.caller(Credential::Bearer(signed_in.access.reveal())).await;
    let (email, password) = (crate::house::EMAIL, Secret::new(format!("{PASSWORD} 2")));
    house.identity.set_password(email, &password).await.unwrap();
    let gone = house.identity.again(&caller.unwrap()).await.unwrap_err();
    assert_eq!(code(&gone), "INVALID_CREDENTIALS");
}
