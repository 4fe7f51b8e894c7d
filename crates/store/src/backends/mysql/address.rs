//! Where a database is: `mysql://user:password@host:port/name?sslmode=verify-full&…`, or `mariadb://…`.

use std::fmt;
use std::time::Duration;

use mysql_async::{Conn, DriverError, Opts, OptsBuilder};

use super::connection::Failure;
use super::{failure, tls};
use crate::backends::remote::Trouble;
use crate::backends::remote::address::{Safety, Wanted, check_signs, decoded};
use crate::backends::remote::tls::Check;
use crate::{Error, Options};

/// Statements that each connection keeps prepared. The server bounds those of all connections together.
const STATEMENTS: usize = 256;
/// A peer that says nothing for so long is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(30);
const PORT: u16 = 3306;

/// An address, and how to connect to it.
pub(super) struct Address {
    options: OptsBuilder,
    /// For showing.
    place: String,
    name: String,
    has_password: bool,
    is_local: bool,
    safety: Safety,
    tls: Option<mysql_async::SslOpts>,
    timeout: Duration,
}

impl Address {
    /// The address that options name, with what they say beside it.
    pub(super) fn of(options: &Options) -> Result<Self, Error> {
        if options.remote.schema.is_some() {
            return Err(Error::Address(
                "a database of MySQL or MariaDB has no schemas in it: name another database in place of a schema"
                    .to_owned(),
            ));
        }
        let mut address = Self::parse(&options.url, options.remote.connecting)?;
        if let Some(password) = &options.remote.password
            && !address.has_password
        {
            address.options = address.options.pass(Some(password));
        }
        Ok(address)
    }

    /// Reads an address. Its password is never repeated in an error. `connecting`: how long one attempt to connect may
    /// take, unless the address says otherwise.
    pub(super) fn parse(url: &str, connecting: Duration) -> Result<Self, Error> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        check_signs("MySQL or MariaDB", base, query)?;
        let mut wanted = Wanted::default();
        let (mut socket, mut timeout) = (None, connecting);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if wanted.take(pair)? {
                continue;
            }
            match pair.split_once('=') {
                Some(("socket", path)) => socket = Some(decoded(path).ok_or_else(|| unreadable("socket"))?),
                Some(("connect_timeout", seconds)) => {
                    let seconds = seconds.parse().map_err(|_| unreadable("connect_timeout"))?;
                    timeout = Duration::from_secs(seconds);
                }
                _ => {
                    let name = pair.split('=').next().unwrap_or(pair);
                    return Err(cannot_be_read(&format!("it has an unknown option `{name}`")));
                }
            }
        }
        let (_, place) = base.split_once("://").unwrap_or(("", base));
        let read = Opts::from_url(&format!("mysql://{place}"));
        let read = read.map_err(|error| cannot_be_read(&error.to_string()))?;
        let name = read.db_name().filter(|name| !name.is_empty());
        let Some(name) = name.map(str::to_owned) else {
            return Err(cannot_be_read("it names no database"));
        };
        let host = match read.ip_or_hostname() {
            "" => "localhost",
            host => host,
        };
        let shown = match &socket {
            Some(socket) => socket.clone(),
            None if read.tcp_port() == 0 => format!("{host}:{PORT}"),
            None => format!("{host}:{}", read.tcp_port()),
        };
        let is_loopback = |host: &str| host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let is_local = socket.is_some() || host == "localhost" || is_loopback(host);
        // What stays on this machine's own socket is seen by nobody else.
        let safety = if socket.is_some() {
            Safety::Plain
        } else {
            wanted.safety()?
        };
        let tls = match safety.check() {
            Some(check) => Some(tls::options(check, &wanted.files)?),
            None => None,
        };
        let options = OptsBuilder::from_opts(read.clone())
            .prefer_socket(false)
            .socket(socket)
            .tcp_keepalive(Some(KEEPALIVE))
            .stmt_cache_size(STATEMENTS)
            .client_found_rows(true);
        Ok(Self {
            has_password: read.pass().is_some_and(|password| !password.is_empty()),
            options,
            place: shown,
            name,
            is_local,
            safety,
            tls,
            timeout,
        })
    }

    /// What is checked of a server's certificate, where TLS is not ruled out.
    pub(super) fn check(&self) -> Option<Check> {
        self.safety.check()
    }

    /// Whether the server can only be on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Connects once.
    pub(super) async fn connect(&self) -> Result<Conn, (Trouble, Error)> {
        let connected = tokio::time::timeout(self.timeout * 2, self.attempt()).await;
        match connected {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err((failure::trouble(&error), failure::of(error))),
            Err(_) => {
                let what = format!("the database at {self} does not answer");
                Err((Trouble::Lost, Error::Unavailable { what, source: None }))
            }
        }
    }

    async fn attempt(&self) -> Result<Conn, Failure> {
        let Some(tls) = &self.tls else {
            return Conn::new(self.options.clone()).await;
        };
        match Conn::new(self.options.clone().ssl_opts(tls.clone())).await {
            Err(Failure::Driver(DriverError::NoClientSslFlagFromServer))
                if self.safety == Safety::Preferred =>
            {
                Conn::new(self.options.clone()).await
            }
            connected => connected,
        }
    }
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.name)
    }
}

fn unreadable(option: &str) -> Error {
    cannot_be_read(&format!("`{option}` is not written rightly"))
}

fn cannot_be_read(why: &str) -> Error {
    Error::Address(format!(
        "the address of the MySQL or MariaDB database cannot be read: {why}. It is written mysql://user:password@host:{PORT}/name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        let check = |url: &str, expect: &str, is_local: bool| {
            let address = Address::parse(url, Duration::from_secs(1)).unwrap();
            assert_eq!(address.to_string(), expect, "{url}");
            assert_eq!(address.is_local(), is_local, "{url}");
        };
        check(
            "mysql://u:secret@db.example:6000/cms",
            "db.example:6000/cms",
            false,
        );
        check(
            "mariadb://u@localhost/cms?sslmode=disable",
            "localhost:3306/cms",
            true,
        );
        check("mysql://u:s%40cret@127.0.0.1/cms", "127.0.0.1:3306/cms", true);
        check(
            "mysql://u@localhost/cms?socket=/run/mysqld/mysqld.sock",
            "/run/mysqld/mysqld.sock/cms",
            true,
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_without_the_secret() {
        for url in [
            "mysql://u:secret@host:port/cms",
            "mysql://u:secret@host",
            "mysql://u:secret@host/",
            "mysql://u:secret@host/cms?sslmode=maybe",
            "mysql://u:secret@host/cms?colour=secret",
            "mysql://u:secret@host/cms?sslrootcert=%zz",
            "mysql://u:secret@host/cms?connect_timeout=secret",
            "mysql://u:secret@host/cms?sslmode=verify-full&sslrootcert=/nowhere/roots.pem",
            "mysql://u:p@secret@host/cms",
            "mysql://u:p?secret@host/cms",
            "mysql://u:p#secret@host/cms",
        ] {
            let Err(Error::Address(message)) = Address::parse(url, Duration::from_secs(1)) else {
                panic!("{url}")
            };
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
