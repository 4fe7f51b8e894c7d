//! Carries letters: to a mail server, or into a folder where somebody will find them.

use crate::configuration::{Configuration, MailTls, MailUrl};
use crate::house::Role;
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use loggia_identity::{Mail, Mailer, Secret};
use loggia_model::Clock;
use std::fs;
use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The mailer that the configuration asks for.
///
/// # Errors
/// When the sender is no address, or TLS cannot be set up.
pub(crate) fn mailer(configuration: &Configuration, role: Role, clock: Clock) -> Result<Arc<dyn Mailer>> {
    let letters = &configuration.mail;
    let from: Mailbox = letters.from.parse().context("mail.from is no address of mail")?;
    let folder = match &letters.url {
        Some(MailUrl::Server {
            host,
            port,
            tls,
            login,
        }) => {
            let parameters = || TlsParameters::new(host.clone()).context("cannot set up TLS for mail");
            let tls = match tls {
                MailTls::Wrapped => Tls::Wrapper(parameters()?),
                MailTls::StartTls => Tls::Required(parameters()?),
                MailTls::None => Tls::None,
            };
            let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
                .port(*port)
                .tls(tls);
            if let Some((name, password)) = login {
                transport =
                    transport.credentials(Credentials::new(name.clone(), password.reveal().to_owned()));
            }
            return Ok(Arc::new(Server {
                from,
                transport: transport.build(),
                timeout: letters.timeout,
                secrets: login.as_ref().map(secrets).unwrap_or_default(),
            }));
        }
        Some(MailUrl::Folder(folder)) => folder.clone(),
        None => {
            let folder = configuration.data.join("mail");
            if role == Role::Server {
                tracing::info!(folder = %folder.display(), "no mail server is configured (mail.url): letters are kept as files");
            }
            folder
        }
    };
    Ok(Arc::new(Folder { from, folder, clock }))
}

fn message(from: &Mailbox, mail: Mail) -> Result<Message, String> {
    let to: Mailbox = mail
        .to
        .parse()
        .map_err(|error| format!("the receiver: {error}"))?;
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(mail.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(mail.text)
        .map_err(|error| error.to_string())
}

struct Server {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// The transport itself waits without end once it is connected.
    timeout: Duration,
    /// What the mail server is told and must not get into the log, whatever it says back.
    secrets: Vec<String>,
}

/// A password in the forms in which it is sent (RFC 4616, and LOGIN).
fn secrets((name, password): &(String, Secret)) -> Vec<String> {
    let password = password.reveal();
    vec![
        STANDARD.encode(format!("\0{name}\0{password}")),
        STANDARD.encode(password),
        password.to_owned(),
    ]
}

impl Mailer for Server {
    fn send(&self, mail: Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async move {
            let message = message(&self.from, mail)?;
            let sent = tokio::time::timeout(self.timeout, self.transport.send(message)).await;
            let Ok(sent) = sent else {
                return Err(format!("the mail server took longer than {:?}", self.timeout));
            };
            sent.map(drop).map_err(|error| {
                let told = |text: String, secret: &String| text.replace(secret.as_str(), "…");
                self.secrets.iter().fold(error.to_string(), told)
            })
        })
    }
}

/// Letters hold secrets: nobody else on the machine may read them.
struct Folder {
    from: Mailbox,
    folder: PathBuf,
    clock: Clock,
}

impl Mailer for Folder {
    fn send(&self, mail: Mail) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        let message = message(&self.from, mail);
        let name = self.clock.now().strftime("%Y%m%dT%H%M%S%6f").to_string();
        let folder = self.folder.clone();
        Box::pin(async move {
            let bytes = message?.formatted();
            let kept = tokio::task::spawn_blocking(move || keep(&folder, &name, &bytes));
            kept.await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())
        })
    }
}

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for copy in 0..1_000 {
        let path = folder.join(format!("{name}-{copy}.eml"));
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut file) => return std::io::Write::write_all(&mut file, bytes),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::other("too many letters at the same moment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Sources;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn letters_are_kept_for_their_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let settings = vec![
            format!("data={}", data.path().display()),
            "mail.from=cms@example.com".to_owned(),
        ];
        let sources = Sources {
            settings,
            ..Sources::default()
        };
        let (configuration, _) = Configuration::gather(&sources).unwrap();
        let clock = Clock::mock("2027-01-15T08:00:00Z".parse().unwrap());
        let mailer = mailer(&configuration, Role::Command, clock).unwrap();
        let runtime = crate::house::runtime().unwrap();
        for text in ["one", "another"] {
            let mail = Mail {
                to: "ada@example.com".to_owned(),
                subject: "Grüße\r\nBcc: all@example.com".to_owned(),
                text: text.to_owned(),
            };
            runtime.block_on(mailer.send(mail)).unwrap();
        }
        let folder = data.path().join("mail");
        let letter = fs::read_to_string(folder.join("20270115T080000000000-1.eml")).unwrap();
        assert!(letter.contains("From: cms@example.com\r\n"), "{letter}");
        assert!(letter.contains("To: ada@example.com\r\n"), "{letter}");
        assert!(letter.ends_with("\r\n\r\nanother"), "{letter}");
        assert!(!letter.contains("\nBcc:"), "{letter}");
        for path in [folder.clone(), folder.join("20270115T080000000000-0.eml")] {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }
}
