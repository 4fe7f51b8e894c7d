//! `loggia token`: tokens from the command line, for whoever may read the data folder.

use super::user::{on_foundation, on_house};
use crate::command_line::ConfigurationArguments;
use clap::{Args, Subcommand};
use loggia_model::Record;
use serde_json::{Value, json};
use std::process::ExitCode;

/// After so many days without an end, a token is to be rotated.
const OLD: i64 = 90;

/// The options of `loggia token`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make an access token (--name) or replace a user's static token, and print it
    Create {
        /// Whose
        email: String,
        #[command(flatten)]
        token: Box<TokenArguments>,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// List access tokens
    List {
        /// Whose; everybody's if left out
        email: Option<String>,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// Give an access token another secret and print it; the one before stops working
    Rotate {
        /// The key of the token, as `list` prints it
        token: String,
        /// Days from now until it ends: 7, 30 or 90
        #[arg(long, value_name = "DAYS")]
        lifespan: Option<u32>,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// End an access token, or take a user's static token away
    Revoke {
        /// The key of an access token, or the e-mail address of a user
        which: String,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
}

/// What can be said of an access token.
#[derive(Args)]
struct TokenArguments {
    /// What the token is for; makes an access token instead of the static one
    #[arg(long)]
    name: Option<String>,
    /// The key of a policy that it is narrowed to; may be repeated
    #[arg(long = "policy", value_name = "KEY", requires = "name")]
    policies: Vec<String>,
    /// Days from now until it ends: 7, 30 or 90
    #[arg(long, value_name = "DAYS", requires = "name")]
    lifespan: Option<u32>,
    /// When it ends, such as 2027-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT", requires = "name")]
    expires: Option<String>,
    /// An address, network or range that it counts from; may be repeated
    #[arg(long = "ip", value_name = "ADDRESS", requires = "name")]
    addresses: Vec<String>,
    /// At most so many requests
    #[arg(long, value_name = "COUNT", requires = "name")]
    requests_per_minute: Option<u32>,
    /// At most so many rows changed
    #[arg(long, value_name = "COUNT", requires = "name")]
    changed_rows_per_hour: Option<u32>,
    /// It writes nothing, it only proposes
    #[arg(long, requires = "name")]
    propose: bool,
}

impl TokenArguments {
    /// The request that makes the token of a user.
    fn request(self, name: String, user: String) -> Record {
        let mut request = Record::new();
        let mut say = |what: &str, value: Option<Value>| {
            if let Some(value) = value {
                request.insert(what.to_owned(), value);
            }
        };
        say("name", Some(name.into()));
        say("user", Some(user.into()));
        say(
            "policies",
            Some(self.policies.into()).filter(|list: &Value| *list != json!([])),
        );
        say("lifespan", self.lifespan.map(Value::from));
        say("expires", self.expires.map(Value::from));
        say(
            "ip_access",
            Some(self.addresses.into()).filter(|list: &Value| *list != json!([])),
        );
        say("requests_per_minute", self.requests_per_minute.map(Value::from));
        say(
            "changed_rows_per_hour",
            self.changed_rows_per_hour.map(Value::from),
        );
        say("mode", self.propose.then(|| "propose".into()));
        request
    }
}

/// Does what was asked.
///
/// # Errors
/// When the configuration is wrong, or there is no such user or token.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.what {
        What::Create {
            email,
            token,
            configuration,
        } => create(&email, *token, configuration)?,
        What::List { email, configuration } => list(email.as_deref(), configuration)?,
        What::Rotate {
            token,
            lifespan,
            configuration,
        } => {
            let request = lifespan.map(|days| ("lifespan".to_owned(), days.into()));
            let request = Record::from_iter(request);
            let issued = on_house(configuration, async |house| {
                let caller = house.foundation.identity.operator();
                Ok(house.engine.rotate_token(&caller, &token, &request).await?)
            })?;
            println!("{}", issued.secret);
        }
        What::Revoke { which, configuration } => {
            if which.contains('@') {
                on_foundation(configuration, async |foundation| {
                    Ok(foundation.identity.revoke_token(&which).await?)
                })?;
            } else {
                on_house(configuration, async |house| {
                    let caller = house.foundation.identity.operator();
                    Ok(house.engine.revoke_token(&caller, &which).await?)
                })?;
            }
            println!("revoked     {which}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn create(
    email: &str,
    mut token: TokenArguments,
    configuration: ConfigurationArguments,
) -> anyhow::Result<()> {
    let secret = match token.name.take() {
        None => on_foundation(configuration, async |foundation| {
            Ok(foundation.identity.rotate_token(email).await?.reveal().to_owned())
        })?,
        Some(name) => on_house(configuration, async |house| {
            let identity = &house.foundation.identity;
            let request = token.request(name, identity.user_with(email).await?);
            let issued = house.engine.create_token(&identity.operator(), &request).await?;
            Ok(issued.secret)
        })?,
    };
    println!("{secret}");
    Ok(())
}

/// One line for each token: key, first characters, when it was last used, when it ends, name.
fn list(email: Option<&str>, configuration: ConfigurationArguments) -> anyhow::Result<()> {
    let tokens = on_house(configuration, async |house| {
        let identity = &house.foundation.identity;
        let user = match email {
            Some(email) => Some(identity.user_with(email).await?),
            None => None,
        };
        Ok(house
            .engine
            .list_tokens(&identity.operator(), user.as_deref())
            .await?)
    })?;
    for token in tokens {
        let text = |name: &str, otherwise: &str| {
            let value = token.get(name).and_then(Value::as_str);
            value.unwrap_or(otherwise).to_owned()
        };
        let age = token.get("age_days").and_then(Value::as_i64).unwrap_or(0);
        let old = age >= OLD && token.get("expires").is_none_or(Value::is_null);
        let remark = if old {
            format!("  ({age} days old and never ends: rotate it)")
        } else {
            String::new()
        };
        println!(
            "{}  {}  used {:<24}  ends {:<24}  {}{remark}",
            text("id", ""),
            text("prefix", ""),
            text("last_used_on", "never"),
            text("expires", "never"),
            text("name", "")
        );
    }
    Ok(())
}
