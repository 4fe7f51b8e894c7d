//! `loggia user`: users from the command line, for whoever may read the data folder.

use crate::command_line::ConfigurationArguments;
use crate::house::{self, Foundation, House, Role};
use crate::log;
use anyhow::Context;
use clap::{Args, Subcommand};
use loggia_identity::NewUser;
use loggia_identity::Secret;
use loggia_model::Generator;
use std::io::Read;
use std::process::ExitCode;

/// The options of `loggia user`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make a user; prints the password unless it was given
    Add {
        /// What to sign in with
        email: String,
        /// The key or the name of a role, such as Administrator
        #[arg(long)]
        role: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// Give a user another password; prints it unless it was given
    Password {
        /// Whose
        email: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
}

/// Where a password comes from. Never from an argument: lists of processes show those.
#[derive(Args)]
struct PasswordSource {
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// The password, and whether it was made here and must be shown.
    fn take(&self) -> anyhow::Result<(Secret, bool)> {
        if !self.password_stdin {
            return Ok((Secret::generate(&Generator::system()), true));
        }
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("read the password from standard input")?;
        let text = text.trim_end_matches(['\r', '\n']);
        anyhow::ensure!(!text.is_empty(), "standard input holds no password");
        Ok((Secret::new(text), false))
    }
}

/// Does what was asked.
///
/// # Errors
/// When the configuration is wrong, or identity refuses.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.what {
        What::Add {
            email,
            role,
            password,
            configuration,
        } => {
            let (password, show) = password.take()?;
            let user = NewUser {
                email: email.clone(),
                password: Some(password.clone()),
                token: None,
                role,
            };
            on_foundation(configuration, async |foundation| {
                Ok(foundation.identity.create_user(user).await?)
            })?;
            println!("made        {email}");
            shown(&password, show);
        }
        What::Password {
            email,
            password,
            configuration,
        } => {
            let (password, show) = password.take()?;
            on_foundation(configuration, async |foundation| {
                Ok(foundation.identity.set_password(&email, &password).await?)
            })?;
            println!("changed     {email}");
            shown(&password, show);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(password: &Secret, show: bool) {
    if show {
        println!("password    {}", password.reveal());
    }
}

/// Runs something on the data that the configuration names.
pub(super) fn on_foundation<T>(
    configuration: ConfigurationArguments,
    act: impl AsyncFnOnce(&Foundation) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (configuration, _) = configuration.gather(&[])?;
    log::start(&configuration.log);
    house::runtime()?.block_on(async {
        let foundation = Foundation::lay(&configuration, Role::Command).await?;
        act(&foundation).await
    })
}

/// Runs something on the use cases over the data that the configuration names.
pub(super) fn on_house<T>(
    configuration: ConfigurationArguments,
    act: impl AsyncFnOnce(&House) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (configuration, _) = configuration.gather(&[])?;
    log::start(&configuration.log);
    house::runtime()?.block_on(async {
        let foundation = Foundation::lay(&configuration, Role::Command).await?;
        let house = foundation.build(&configuration).await?;
        act(&house).await
    })
}
