//! What a Loggia is told before it starts: command line over environment over file over default.
//!
//! Every key stands in one table, [`keys::KEYS`], which `docs/configuration.md` prints. A key that is not in it is an
//! error with the nearest one that is, and every problem is reported, not the first.
//!
//! To add a key: one row in [`keys::KEYS`], one field in [`Configuration`] with its line in [`Configuration::read`], and
//! `UPDATE_DOCS=1 cargo test --package loggia configuration`.

mod document;
mod keys;
mod layers;
mod values;

pub(crate) use layers::{Layers, Sources};
pub(crate) use values::{
    DatabaseUrl, Filter, HostPort, LogFormat, MailTls, MailUrl, SchemaName, Setting, WebUrl,
};

use crate::stop::GRACE;
use jiff::SignedDuration;
use loggia_access::IpAccess;
use loggia_engine::Limits;
use loggia_http::{Cookies, Cors, HttpConfig, HttpLimits, McpConfig};
use loggia_identity::{Options, Secret};
use std::path::{Path, PathBuf};
use std::time::Duration;
use values::{
    Addresses, Connections, Count, Email, GivenPassword, LongSecret, Millis, Name, Seconds, SiteRule,
    WebUrls, Words,
};

/// The effective configuration, parsed.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Where to listen.
    pub(crate) listen: HostPort,
    /// The address that clients see; none: made from `listen` once it is bound.
    pub(crate) public_url: Option<WebUrl>,
    /// The folder that holds everything that must survive.
    pub(crate) data: PathBuf,
    /// The database.
    pub(crate) database: Database,
    /// What signs sessions; none: generated and kept in the data folder.
    pub(crate) secret: Option<Secret>,
    /// The administrator to make when there is none.
    pub(crate) admin: Administrator,
    /// How long sign-ins are good for.
    pub(crate) identity: Options,
    /// How much one request may ask for.
    pub(crate) limits: Limits,
    /// How requests are taken; the public address is not known before `listen` is bound.
    pub(crate) http: HttpConfig,
    /// The longest that one MCP request may take.
    pub(crate) mcp_timeout: Duration,
    /// Letters.
    pub(crate) mail: Letters,
    /// The log.
    pub(crate) log: Log,
}

/// The database.
#[derive(Debug)]
pub(crate) struct Database {
    /// Where it is.
    pub(crate) url: DatabaseUrl,
    password: Option<Secret>,
    schema: Option<String>,
    connections: Option<usize>,
    connecting: Duration,
    starting: Duration,
    lost: Duration,
    reading: Duration,
}

impl Database {
    fn read(layers: &Layers, data: &Path) -> Result<Database, String> {
        let url = layers.find::<DatabaseUrl>("database.url")?;
        let url = url.unwrap_or_else(|| DatabaseUrl::file(&data.join("loggia.db")));
        let millis = |name| layers.need::<Millis>(name).map(|millis| millis.0);
        let database = Database {
            password: layers
                .find::<GivenPassword>("database.password")?
                .map(|password| password.0),
            schema: layers
                .find::<SchemaName>("database.schema")?
                .map(|schema| schema.0),
            connections: layers
                .find::<Connections>("database.pool_size")?
                .map(|connections| connections.0),
            connecting: millis("database.connect_timeout_ms")?,
            starting: millis("database.start_timeout_ms")?,
            lost: millis("database.lost_timeout_ms")?,
            reading: millis("database.read_timeout_ms")?,
            url,
        };
        // What was meant for a server must not be taken for said.
        let of_servers = ["database.password", "database.schema"];
        match of_servers.iter().find(|key| layers.is_set(key)) {
            Some(key) if database.url.path().is_some() => Err(format!(
                "`{key}` says nothing about the file {}: set `database.url` to the address of a database server, or \
                 take `{key}` away",
                database.url
            )),
            _ => Ok(database),
        }
    }

    /// How the store opens it.
    pub(crate) fn options(&self) -> loggia_store::Options {
        let mut options = loggia_store::Options::new(self.url.reveal());
        options.patience = self.lost;
        options.remote = loggia_store::Remote {
            password: self
                .password
                .as_ref()
                .map(|password| password.reveal().to_owned()),
            schema: self.schema.clone(),
            connections: self.connections,
            connecting: self.connecting,
            starting: self.starting,
            reading: self.reading,
        };
        options
    }
}

/// Letters.
#[derive(Debug)]
pub(crate) struct Letters {
    /// Where they go; none: into the data folder.
    pub(crate) url: Option<MailUrl>,
    /// Their sender.
    pub(crate) from: String,
    /// The longest that handing over one may take.
    pub(crate) timeout: Duration,
}

/// The administrator to make when there is none.
#[derive(Debug)]
pub(crate) struct Administrator {
    /// What to sign in with.
    pub(crate) email: String,
    /// None: generated and printed once.
    pub(crate) password: Option<Secret>,
    /// A static token; none: generated and printed once.
    pub(crate) token: Option<Secret>,
}

/// The log.
#[derive(Debug)]
pub(crate) struct Log {
    /// None: pretty on a terminal, JSON otherwise.
    pub(crate) format: Option<LogFormat>,
    /// What is written.
    pub(crate) level: Filter,
}

impl Configuration {
    /// Gathers the layers and parses the effective values.
    ///
    /// # Errors
    /// Every problem of every layer, one a line, each with the place of the value that caused it.
    pub(crate) fn gather(sources: &Sources) -> anyhow::Result<(Configuration, Layers)> {
        let layers = Layers::gather(sources).map_err(|problems| {
            let many = if problems.len() == 1 {
                "a problem"
            } else {
                "problems"
            };
            anyhow::anyhow!("the configuration has {many}:\n  {}", problems.join("\n  "))
        })?;
        let configuration = Configuration::read(&layers).map_err(anyhow::Error::msg)?;
        Ok((configuration, layers))
    }

    fn read(layers: &Layers) -> Result<Configuration, String> {
        let data: PathBuf = layers.need("data")?;
        Ok(Configuration {
            listen: layers.need("listen")?,
            public_url: layers.find("public_url")?,
            database: Database::read(layers, &data)?,
            secret: layers.find::<LongSecret>("secret")?.map(|secret| secret.0),
            admin: Administrator {
                email: layers.need::<Email>("admin.email")?.0,
                password: layers.find("admin.password")?,
                token: layers.find("admin.token")?,
            },
            identity: identity(layers)?,
            limits: limits(layers)?,
            http: http(layers)?,
            mcp_timeout: layers.need::<Millis>("mcp.request_timeout_ms")?.0,
            mail: Letters {
                url: layers.find("mail.url")?,
                from: layers.need::<Email>("mail.from")?.0,
                timeout: Duration::from_secs(layers.need::<Seconds>("mail.timeout_s")?.0.into()),
            },
            log: Log {
                format: layers.find("log.format")?,
                level: layers.need("log.level")?,
            },
            data,
        })
    }

    /// Where the generated secret is kept.
    pub(crate) fn secret_file(&self) -> PathBuf {
        self.data.join("secret")
    }

    /// The address that clients see, given the one that is listened on. A server that listens on every address of
    /// the machine is shown as `localhost`: no client can connect to 0.0.0.0.
    pub(crate) fn url(&self, bound: &str) -> String {
        match &self.public_url {
            Some(url) => url.as_str().to_owned(),
            None => {
                let (host, port) = bound.rsplit_once(':').unwrap_or((bound, "80"));
                let host = if matches!(host, "0.0.0.0" | "[::]") {
                    "localhost"
                } else {
                    host
                };
                format!("http://{host}:{port}")
            }
        }
    }
}

fn identity(layers: &Layers) -> Result<Options, String> {
    let seconds = |name| {
        layers
            .need::<Seconds>(name)
            .map(|seconds| SignedDuration::from_secs(seconds.0.into()))
    };
    Ok(Options {
        access_ttl: seconds("auth.access_ttl_s")?,
        refresh_ttl: seconds("auth.refresh_ttl_s")?,
        session_ttl: seconds("auth.session_ttl_s")?,
        ..Options::default()
    })
}

fn limits(layers: &Layers) -> Result<Limits, String> {
    let count = |name| layers.need::<Count>(name).map(|count| count.0 as usize);
    Ok(Limits {
        default_rows: layers.need::<Count>("limits.default_rows")?.0.into(),
        max_rows: layers.find::<Count>("limits.max_rows")?.map(|rows| rows.0.into()),
        relation_levels: count("limits.relation_levels")?,
        nested_reads: count("limits.nested_reads")?,
        filter_conditions: count("limits.filter_conditions")?,
        filter_depth: count("limits.filter_depth")?,
        in_list: count("limits.in_list")?,
        written_items: count("limits.written_items")?,
        ..Limits::default()
    })
}

fn http(layers: &Layers) -> Result<HttpConfig, String> {
    let count = |name| layers.need::<Count>(name).map(|count| count.0 as usize);
    let millis = |name| layers.need::<Millis>(name).map(|millis| millis.0);
    let words = |name| {
        layers
            .find::<Words>(name)
            .map(|words| words.map_or_else(Vec::new, |words| words.0))
    };
    Ok(HttpConfig {
        allowed_hosts: words("allowed_hosts")?,
        trusted_proxies: layers
            .find::<Addresses>("trusted_proxies")?
            .and_then(|proxies| IpAccess::read(proxies.0.iter().map(String::as_str))),
        password_reset_urls: layers
            .find::<WebUrls>("auth.password_reset_urls")?
            .map_or_else(Vec::new, |urls| urls.0),
        cors: Cors {
            origins: words("cors.origins")?,
            credentials: layers.need("cors.credentials")?,
        },
        cookies: Cookies {
            session: layers.need::<Name>("cookies.session")?.0,
            refresh: layers.need::<Name>("cookies.refresh")?.0,
            secure: layers.find("cookies.secure")?,
            same_site: layers.need::<SiteRule>("cookies.same_site")?.0,
            domain: layers.find::<Name>("cookies.domain")?.map(|domain| domain.0),
        },
        limits: HttpLimits {
            body_bytes: count("limits.body_bytes")?,
            body_depth: count("limits.body_depth")?,
            concurrent_requests: count("limits.concurrent_requests")?,
            connections: count("limits.connections")?,
            request_timeout: millis("limits.request_timeout_ms")?,
            header_timeout: millis("limits.header_timeout_ms")?,
            stop_timeout: GRACE,
        },
        mcp: McpConfig {
            available: layers.need("mcp.available")?,
            enabled: layers.find("mcp.enabled")?,
            body_bytes: count("mcp.body_bytes")?,
        },
        ..HttpConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_configuration() {
        let (configuration, _) = Configuration::gather(&Sources::default()).unwrap();
        assert_eq!(configuration.listen.to_string(), "127.0.0.1:8055");
        assert_eq!(
            configuration.database.url.path(),
            Some(Path::new("./data/loggia.db"))
        );
        assert!(configuration.http.mcp.available);
        assert_eq!(configuration.http.mcp.enabled, None);
    }

    #[test]
    fn the_rooms_own_defaults_are_the_ones_of_the_table() {
        let (configuration, _) = Configuration::gather(&Sources::default()).unwrap();
        assert_eq!(
            format!("{:?}", configuration.http),
            format!("{:?}", HttpConfig::default())
        );
        assert_eq!(
            format!("{:?}", configuration.identity),
            format!("{:?}", Options::default())
        );
        assert_eq!(
            format!("{:?}", configuration.limits),
            format!("{:?}", Limits::default())
        );
    }

    #[test]
    fn clients_see_an_address_that_they_can_connect_to() {
        for (settings, bound, expect) in [
            (vec![], "127.0.0.1:41233", "http://127.0.0.1:41233"),
            (vec![], "0.0.0.0:8055", "http://localhost:8055"),
            (vec![], "[::]:8055", "http://localhost:8055"),
            (vec![], "[::1]:8055", "http://[::1]:8055"),
            (
                vec!["public_url=https://cms.example.com/".to_owned()],
                "0.0.0.0:1",
                "https://cms.example.com",
            ),
        ] {
            let (configuration, _) = Configuration::gather(&Sources {
                settings,
                ..Sources::default()
            })
            .unwrap();
            assert_eq!(configuration.url(bound), expect);
        }
    }

    #[test]
    fn secrets_reach_neither_a_debug_print_nor_what_is_shown() {
        let sources = Sources {
            settings: vec![
                "admin.password=a long password".to_owned(),
                "database.url=postgres://me:a%20long%20password@host/cms".to_owned(),
                "database.password=a long password".to_owned(),
            ],
            ..Sources::default()
        };
        let (configuration, layers) = Configuration::gather(&sources).unwrap();
        for shown in [format!("{configuration:?}"), layers.shown()] {
            assert!(!shown.contains("a long password"), "{shown}");
            assert!(!shown.contains("a%20long%20password"), "{shown}");
        }
    }

    #[test]
    fn what_only_servers_are_told_is_not_taken_for_said_where_the_database_is_a_file() {
        let sources = Sources {
            settings: vec!["database.schema=cms".to_owned()],
            ..Sources::default()
        };
        let error = Configuration::gather(&sources).unwrap_err().to_string();
        assert!(error.contains("`database.schema` says nothing"), "{error}");
    }
}
