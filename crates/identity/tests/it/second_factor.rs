//! Second factors, as far as nodes have to agree on them.

use loggia_identity::{Credential, Mode, Secret, one_time_password};

use crate::house::{House, PASSWORD, code};

#[tokio::test]
async fn a_second_factor_that_one_node_has_made_is_set_up_by_another() {
    let mut house = House::new().await;
    let signed_in = house.login(Mode::Json).await;
    let caller = house.caller(Credential::Bearer(signed_in.access.reveal())).await;
    let caller = caller.unwrap();
    let made = house
        .identity
        .make_factor(&caller, &Secret::new(PASSWORD))
        .await
        .unwrap();
    house.restart();
    let now = house.clock.now();
    let other = Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let guessed = one_time_password(other.reveal(), now).unwrap();
    let refused = house.identity.set_up_factor(&caller, &other, &guessed).await;
    assert_eq!(
        code(&refused.unwrap_err()),
        "INVALID_PAYLOAD",
        "nobody made this one"
    );
    let right = one_time_password(made.secret.reveal(), now).unwrap();
    house
        .identity
        .set_up_factor(&caller, &made.secret, &right)
        .await
        .unwrap();
}
