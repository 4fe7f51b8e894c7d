//! Where a database is: `postgres://user:password@host:port/name?sslmode=verify-full&…`, as libpq reads it.

use std::fmt;
use std::future::poll_fn;
use std::str::FromStr as _;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::failure;
use super::tls::{self, Tls};
use crate::backends::remote::Trouble;
use crate::backends::remote::address::{Safety, Wanted, check_signs};
use crate::backends::remote::tls::Check;
use crate::{Error, Options};

/// Data that the server does not acknowledge for so long means that it is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// An address, and how to connect to it.
pub(super) struct Address {
    config: tokio_postgres::Config,
    tls: Option<Tls>,
    /// What is checked of a server's certificate, where there is one.
    check: Option<Check>,
    timeout: Duration,
}

/// Stops what a connection is doing.
pub(super) struct Canceller {
    token: tokio_postgres::CancelToken,
    tls: Option<Tls>,
}

impl Address {
    /// The address that options name, with what they say beside it.
    pub(super) fn of(options: &Options) -> Result<Self, Error> {
        let mut address = Self::parse(&options.url, options.remote.connecting)?;
        if let Some(password) = &options.remote.password
            && address.config.get_password().is_none()
        {
            address.config.password(password);
        }
        Ok(address)
    }

    /// Reads an address. Its password is never repeated in an error. `connecting`: how long one attempt to connect may
    /// take, unless the address says otherwise.
    pub(super) fn parse(url: &str, connecting: Duration) -> Result<Self, Error> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        check_signs("PostgreSQL", base, query)?;
        let mut kept = Vec::new();
        let mut wanted = Wanted::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if !wanted.take(pair)? {
                kept.push(pair);
            }
        }
        let safety = wanted.safety()?;
        let check = safety.check();
        let plain = match kept.as_slice() {
            [] => base.to_owned(),
            kept => format!("{base}?{}", kept.join("&")),
        };
        let mut config = tokio_postgres::Config::from_str(&plain).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            Error::Address(format!(
                "the address of the PostgreSQL database cannot be read: {}. It is written postgres://user:password@host:5432/name",
                source.unwrap_or_else(|| error.to_string())
            ))
        })?;
        config.ssl_mode(match safety {
            Safety::Plain => SslMode::Disable,
            Safety::Preferred => SslMode::Prefer,
            Safety::Required(_) => SslMode::Require,
        });
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        if config.get_application_name().is_none() {
            config.application_name("loggia");
        }
        let timeout = *config.get_connect_timeout().unwrap_or(&connecting);
        config.connect_timeout(timeout);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED);
        }
        let tls = match &check {
            Some(check) => Some(tls::connector(check, &wanted.files)?),
            None => None,
        };
        Ok(Self {
            config,
            tls,
            check,
            timeout,
        })
    }

    /// What is checked of a server's certificate, where TLS is not ruled out.
    pub(super) fn check(&self) -> Option<Check> {
        self.check
    }

    /// Whether the server can only be on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.config.get_hosts().iter().all(|host| match host {
            Host::Tcp(host) => {
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
    }

    /// Connects once. The connection works on a task of its own until its client is gone. `told`: is called whenever the
    /// server tells something that was listened to.
    pub(super) async fn connect(
        &self,
        told: impl Fn() + Send + 'static,
    ) -> Result<(Client, Canceller), (Trouble, Error)> {
        let connecting = async {
            match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    tokio::spawn(work(connection, told));
                    Ok(client)
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    tokio::spawn(work(connection, told));
                    Ok(client)
                }
            }
        };
        // The library bounds the connection of the socket alone.
        let connected = tokio::time::timeout(self.timeout * 2, connecting).await;
        let client = match connected {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let error: tokio_postgres::Error = error;
                return Err((failure::trouble(&error, false), failure::of(error)));
            }
            Err(_) => {
                let what = format!("the database at {self} does not answer");
                return Err((Trouble::Lost, Error::Unavailable { what, source: None }));
            }
        };
        let canceller = Canceller {
            token: client.cancel_token(),
            tls: self.tls.clone(),
        };
        Ok((client, canceller))
    }
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        for (i, host) in self.config.get_hosts().iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(host) => f.write_str(host)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            // One port for all of them, or one for each.
            let port = ports.get(i).or_else(|| ports.first()).unwrap_or(&5432);
            write!(f, ":{port}")?;
        }
        match self.config.get_dbname() {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

impl Canceller {
    /// Asks the server to stop. Whether it does, or had finished already, is not told.
    pub(super) async fn cancel(&self) {
        let cancelled = match &self.tls {
            None => self.token.cancel_query(NoTls).await,
            Some(tls) => self.token.cancel_query(tls.clone()).await,
        };
        if let Err(error) = cancelled {
            tracing::debug!(%error, "a statement could not be cancelled");
        }
    }
}

/// Lets a connection work until its client is gone.
async fn work<S, T>(mut connection: tokio_postgres::Connection<S, T>, told: impl Fn())
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => told(),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection to the database broke");
                return;
            }
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        let check = |url: &str, expect: &str| {
            let address = Address::parse(url, Duration::from_secs(1)).unwrap();
            assert_eq!(address.to_string(), expect, "{url}");
        };
        check("postgres://u:secret@db.example:6000/cms", "db.example:6000/cms");
        check("postgresql://u@a,b/cms?sslmode=disable", "a:5432,b:5432/cms");
        check("postgres:///cms", "localhost:5432/cms");
        check("postgres:///cms?host=/run/postgresql", "/run/postgresql:5432/cms");
    }

    #[test]
    fn what_cannot_be_read_is_said_without_the_secret() {
        for url in [
            "postgres://u:secret@host:port/cms",
            "postgres://u:secret@host/cms?sslmode=maybe",
            "postgres://u:secret@host/cms?colour=blue",
            "postgres://u:secret@host/cms?sslrootcert=%zz",
            "postgres://u:secret@host/cms?sslmode=verify-full&sslrootcert=/nowhere/roots.pem",
            "postgres://u:p@secret@host/cms",
            "postgres://u:p?secret@host/cms",
            "postgres://u:p#secret@host/cms",
            "postgres://u:secret/cms",
        ] {
            let Err(Error::Address(message)) = Address::parse(url, Duration::from_secs(1)) else {
                panic!("{url}")
            };
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
