//! The first start, and users as the command line makes them.

use loggia_identity::{AdministratorSeed, Credential, NewUser, Secret};

use crate::house::{EMAIL, House, code, facts};

fn seed(email: &str) -> AdministratorSeed {
    AdministratorSeed {
        email: email.to_owned(),
        password: None,
        token: None,
    }
}

#[tokio::test]
async fn it_is_made_once_with_generated_secrets() {
    let house = House::empty().await;
    let made = house
        .identity
        .first_administrator(seed("Admin@Example.com"))
        .await
        .unwrap()
        .unwrap();
    assert!(
        house
            .identity
            .first_administrator(seed("other@example.com"))
            .await
            .unwrap()
            .is_none()
    );
    let by_token = house
        .caller(Credential::Bearer(made.token.reveal()))
        .await
        .unwrap();
    assert_eq!(by_token.user(), Some(made.id.as_str()));
    assert!(by_token.is_admin());
    let tokens = house
        .identity
        .login(
            "ADMIN@example.com",
            &made.password,
            None,
            loggia_identity::Mode::Json,
            &facts(),
        )
        .await
        .unwrap();
    assert!(
        house
            .caller(Credential::Bearer(tokens.access.reveal()))
            .await
            .unwrap()
            .is_admin()
    );
}

#[tokio::test]
async fn users_are_made_with_what_they_need() {
    let house = House::new().await;
    let user = |email: &str, role: Option<&str>, password: Option<&str>| NewUser {
        email: email.to_owned(),
        password: password.map(Secret::new),
        token: None,
        role: role.map(str::to_owned),
    };
    let refused = async |user| code(&house.identity.create_user(user).await.unwrap_err());
    assert_eq!(refused(user(EMAIL, None, None)).await, "RECORD_NOT_UNIQUE");
    assert_eq!(
        refused(user("ADMIN@EXAMPLE.COM", None, None)).await,
        "RECORD_NOT_UNIQUE"
    );
    assert_eq!(refused(user("nobody", None, None)).await, "INVALID_PAYLOAD");
    assert_eq!(
        refused(user("a@b", Some("No such role"), None)).await,
        "INVALID_PAYLOAD"
    );
    assert_eq!(refused(user("a@b", None, Some(""))).await, "FAILED_VALIDATION");
    let id = house
        .identity
        .create_user(user("second@example.com", Some("Administrator"), None))
        .await
        .unwrap();
    let token = house.identity.rotate_token("second@example.com").await.unwrap();
    let caller = house.caller(Credential::Bearer(token.reveal())).await.unwrap();
    assert_eq!(caller.user(), Some(id.as_str()));
    assert!(caller.is_admin());
}
