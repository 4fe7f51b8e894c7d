//! Users as the command line makes them, and the first administrator.

use loggia_access::{Caller, Origin};
use loggia_journal::Recorder;
use loggia_model::error::{FAILED_VALIDATION, INVALID_PAYLOAD, RECORD_NOT_UNIQUE};
use loggia_model::{Problem, Record, Scalar};

use crate::account::{Account, RightsRows, flag, lineage, text};
use crate::{Error, Identity, Secret, password};

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What to sign in with.
    pub email: String,
    /// None: the user signs in with a token only.
    pub password: Option<Secret>,
    /// Stored as its fingerprint.
    pub token: Option<Secret>,
    /// The key or the name of a role.
    pub role: Option<String>,
}

/// The administrator to be made when there is none.
#[derive(Clone, Debug)]
pub struct AdministratorSeed {
    /// What to sign in with.
    pub email: String,
    /// None: generated.
    pub password: Option<Secret>,
    /// None: generated.
    pub token: Option<Secret>,
}

/// The administrator that was made, with the secrets that are shown once.
#[derive(Clone, Debug)]
pub struct FirstAdministrator {
    /// The key of the user.
    pub id: String,
    /// What to sign in with.
    pub email: String,
    /// To be shown if it was generated.
    pub password: Secret,
    /// To be shown if it was generated.
    pub token: Secret,
}

impl Identity {
    /// Makes an administrator if no active user administers. `None`: there is one already.
    ///
    /// # Errors
    /// `RECORD_NOT_UNIQUE` when another user has the e-mail address, and those of a bad address or password.
    pub async fn first_administrator(
        &self,
        seed: AdministratorSeed,
    ) -> Result<Option<FirstAdministrator>, Error> {
        let house = &self.0;
        if self.has_administrator().await? {
            return Ok(None);
        }
        let password = seed
            .password
            .unwrap_or_else(|| Secret::generate(&house.generator));
        let token = seed.token.unwrap_or_else(|| Secret::generate(&house.generator));
        let hash = self.checked_hash(&password).await?;
        let mut tx = self.operate("The first administrator").await?;
        // Other processes may start at the same moment, and one of them was first.
        if self.has_administrator().await? {
            return Ok(None);
        }
        let role = self.administrator_role(&mut tx).await?;
        let user = NewUser {
            email: seed.email,
            password: None,
            token: Some(token.clone()),
            role: None,
        };
        let id = self.insert_user(&mut tx, &user, Some(hash), Some(&role)).await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(Some(FirstAdministrator {
            id,
            email: user.email,
            password,
            token,
        }))
    }

    /// Whether an active user administers.
    async fn has_administrator(&self) -> Result<bool, Error> {
        let house = &self.0;
        let rights = house.tables.all_rights(&house.store).await?;
        let candidates = house
            .tables
            .users_of(&house.store, &administering(&rights))
            .await?;
        let administers = |row| {
            let account = Account::of_user(row, &rights);
            account.active && account.administers()
        };
        Ok(candidates.iter().any(administers))
    }

    /// Makes a user; returns its key.
    ///
    /// # Errors
    /// `RECORD_NOT_UNIQUE` for an e-mail address that is taken; `INVALID_PAYLOAD` for a role that is not one, or for a
    /// bad address; the problems of [`password::judge`].
    pub async fn create_user(&self, user: NewUser) -> Result<String, Error> {
        let house = &self.0;
        let role = match &user.role {
            Some(role) => Some(self.role(role).await?),
            None => None,
        };
        let hash = match &user.password {
            Some(password) => Some(self.checked_hash(password).await?),
            None => None,
        };
        let mut tx = self.operate("A new user").await?;
        let id = self.insert_user(&mut tx, &user, hash, role.as_deref()).await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(id)
    }

    /// Gives a user another password; sessions made with the old one end.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when there is no such user; the problems of [`password::judge`].
    pub async fn set_password(&self, email: &str, password: &Secret) -> Result<(), Error> {
        let id = self.user_with(email).await?;
        let hash = self.checked_hash(password).await?;
        let house = &self.0;
        let mut tx = self.operate("Another password").await?;
        let values = [("password", hash.into())];
        house
            .tables
            .update(&mut tx, &house.tables.users, ("id", &id), &values)
            .await?;
        house.tables.delete_sessions_of(&mut tx, &id).await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(())
    }

    /// Gives a user another static token, generated; the one before stops working.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when there is no such user.
    pub async fn rotate_token(&self, email: &str) -> Result<Secret, Error> {
        let id = self.user_with(email).await?;
        let token = Secret::generate(&self.0.generator);
        self.change_user(&id, ("token", token.fingerprint().into()), "Another static token")
            .await?;
        Ok(token)
    }

    /// Takes a user's static token away.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when there is no such user.
    pub async fn revoke_token(&self, email: &str) -> Result<(), Error> {
        let id = self.user_with(email).await?;
        self.change_user(&id, ("token", Scalar::Null), "No static token any more")
            .await
    }

    /// The PHC string of a password that meets the policy of the settings.
    ///
    /// # Errors
    /// The problems of [`password::judge`], and `SERVICE_UNAVAILABLE` when too many are waiting.
    pub async fn checked_hash(&self, password: &Secret) -> Result<String, Error> {
        let settings = self.0.tables.settings(&self.0.store).await?;
        password::judge(password.reveal(), settings.password_policy.as_deref())?;
        self.0.passwords.hash(password).await
    }

    /// The PHC string of any secret, whatever the password policy says.
    ///
    /// # Errors
    /// `FAILED_VALIDATION` above [`password::MAX_LENGTH`]; `SERVICE_UNAVAILABLE` when too many are waiting.
    pub async fn hash(&self, secret: &Secret) -> Result<String, Error> {
        if secret.reveal().len() > password::MAX_LENGTH {
            let message = format!("The value has more than {} bytes.", password::MAX_LENGTH);
            return Err(Problem::new(&FAILED_VALIDATION, message).into());
        }
        self.0.passwords.hash(secret).await
    }

    /// Begins what the command line does.
    async fn operate(&self, title: &str) -> Result<Recorder, Error> {
        let mut tx = self.0.journal.begin_unread(&self.operator()).await?;
        tx.entitle(title);
        Ok(tx)
    }

    async fn change_user(&self, id: &str, value: (&str, Scalar), title: &str) -> Result<(), Error> {
        let house = &self.0;
        let mut tx = self.operate(title).await?;
        house
            .tables
            .update(&mut tx, &house.tables.users, ("id", id), &[value])
            .await?;
        tx.commit().await?;
        house.accounts.forget();
        Ok(())
    }

    /// Who acts on the command line: whoever may read the data folder may do everything.
    #[must_use]
    pub fn operator(&self) -> Caller {
        Account::operator(Origin::Cli)
    }

    /// The server itself, for what it does of its own accord.
    #[must_use]
    pub fn itself(&self) -> Caller {
        Account::operator(Origin::System)
    }

    /// The key of the user with an e-mail address.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` when there is no such user.
    pub async fn user_with(&self, email: &str) -> Result<String, Error> {
        let row = self.0.tables.sign_in_row(&self.0.store, email).await?;
        row.map(|row| row.id).ok_or_else(|| {
            Problem::new(
                &INVALID_PAYLOAD,
                format!("No user has the e-mail address {email}."),
            )
            .at("email")
            .into()
        })
    }

    /// The key of a role, by key or by name.
    async fn role(&self, role: &str) -> Result<String, Error> {
        let house = &self.0;
        let rights = house.tables.all_rights(&house.store).await?;
        if rights
            .roles
            .iter()
            .any(|row| text(row, "id").as_deref() == Some(role))
        {
            return Ok(role.to_owned());
        }
        let mut found = house.tables.roles_named(&house.store, role).await?;
        match (found.pop(), found.is_empty()) {
            (Some(id), true) => Ok(id),
            (None, _) => Err(
                Problem::new(&INVALID_PAYLOAD, format!("There is no role {role}."))
                    .at("role")
                    .hint("Give the key or the exact name of a role.")
                    .into(),
            ),
            (Some(_), false) => Err(Problem::new(
                &INVALID_PAYLOAD,
                format!("Several roles are called {role}."),
            )
            .at("role")
            .hint("Give the key of one of them.")
            .into()),
        }
    }

    async fn insert_user(
        &self,
        tx: &mut Recorder,
        user: &NewUser,
        hash: Option<String>,
        role: Option<&str>,
    ) -> Result<String, Error> {
        let house = &self.0;
        let email = user.email.trim().to_lowercase();
        if !is_address(&email) {
            return Err(
                Problem::new(&INVALID_PAYLOAD, format!("{} is no e-mail address.", user.email))
                    .at("email")
                    .into(),
            );
        }
        if house.tables.sign_in_row(&house.store, &email).await?.is_some() {
            return Err(Problem::new(
                &RECORD_NOT_UNIQUE,
                format!("Another user has the e-mail address {email}."),
            )
            .at("email")
            .with("collection", "directus_users")
            .with("field", "email")
            .into());
        }
        let id = house.generator.uuid().to_string();
        let values = [
            ("id", Scalar::from(id.as_str())),
            ("email", email.into()),
            ("password", hash.into()),
            ("token", user.token.as_ref().map(Secret::fingerprint).into()),
            ("role", role.into()),
            ("status", "active".into()),
            ("provider", "default".into()),
        ];
        house.tables.insert(tx, &house.tables.users, &values).await?;
        Ok(id)
    }

    /// The role with a policy that allows everything, made for the first administrator.
    async fn administrator_role(&self, tx: &mut Recorder) -> Result<String, Error> {
        let house = &self.0;
        let (role, policy) = (
            house.generator.uuid().to_string(),
            house.generator.uuid().to_string(),
        );
        let values = [
            ("id", Scalar::from(role.as_str())),
            ("name", "Administrator".into()),
            ("icon", "verified".into()),
            ("description", "$t:admin_description".into()),
        ];
        house.tables.insert(tx, &house.tables.roles, &values).await?;
        let values = [
            ("id", Scalar::from(policy.as_str())),
            ("name", "Administrator".into()),
            ("icon", "verified".into()),
            ("description", "$t:admin_policy_description".into()),
            ("admin_access", true.into()),
            ("app_access", true.into()),
            ("enforce_tfa", false.into()),
        ];
        house.tables.insert(tx, &house.tables.policies, &values).await?;
        self.attach(tx, &policy, &role).await?;
        Ok(role)
    }

    async fn attach(&self, tx: &mut Recorder, policy: &str, role: &str) -> Result<(), Error> {
        let house = &self.0;
        let values = [
            ("id", Scalar::from(house.generator.uuid().to_string())),
            ("policy", policy.into()),
            ("role", role.into()),
            ("sort", Scalar::Int(1)),
        ];
        house.tables.insert(tx, &house.tables.access, &values).await
    }
}

/// The users and roles that a policy with every right may reach.
fn administering(rights: &RightsRows) -> (Vec<String>, Vec<String>) {
    let is_admin = |policy: &str| {
        let found = rights
            .policies
            .iter()
            .find(|row| text(row, "id").as_deref() == Some(policy));
        found.is_some_and(|row| flag(row, "admin_access"))
    };
    let attached = |row: &&Record| text(row, "policy").is_some_and(|policy| is_admin(&policy));
    let users = rights
        .access
        .iter()
        .filter(attached)
        .filter_map(|row| text(row, "user"))
        .collect();
    let tops: Vec<String> = rights
        .access
        .iter()
        .filter(attached)
        .filter_map(|row| text(row, "role"))
        .collect();
    let reached = |role: &String| {
        lineage(role, &rights.roles)
            .iter()
            .any(|above| tops.contains(above))
    };
    let roles = rights
        .roles
        .iter()
        .filter_map(|row| text(row, "id"))
        .filter(reached)
        .collect();
    (users, roles)
}

/// Something before an `@`, something after it, and no spaces: whether it exists only a letter can tell.
fn is_address(email: &str) -> bool {
    email.len() <= 255
        && !email.chars().any(char::is_whitespace)
        && email
            .rsplit_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}
