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
pub(crate) use values::{Filter, HostPort, LogFormat, Secret, WebUrl};

use std::path::{Path, PathBuf};
use std::time::Duration;
use values::{Email, LongSecret, Millis, SqliteUrl};

/// The effective configuration, parsed.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Where to listen.
    pub(crate) listen: HostPort,
    /// The address that clients see; none: made from `listen` once it is bound.
    pub(crate) public_url: Option<WebUrl>,
    /// The folder that holds everything that must survive.
    pub(crate) data: PathBuf,
    /// The database file.
    pub(crate) database: PathBuf,
    /// What signs sessions; none: generated and kept in the data folder.
    pub(crate) secret: Option<Secret>,
    /// The administrator to make when there is none.
    pub(crate) admin: Administrator,
    /// The MCP server.
    pub(crate) mcp: Mcp,
    /// The log.
    pub(crate) log: Log,
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

/// The MCP server.
#[derive(Debug)]
pub(crate) struct Mcp {
    /// False: it cannot be switched on and answers 404.
    pub(crate) available: bool,
    /// Overrules the setting in the database.
    pub(crate) enabled: Option<bool>,
    /// The longest that one request may take.
    pub(crate) request_timeout: Duration,
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
        let database = match layers.find::<SqliteUrl>("database.url")? {
            Some(url) => url.path,
            None => data.join("loggia.db"),
        };
        Ok(Configuration {
            listen: layers.need("listen")?,
            public_url: layers.find("public_url")?,
            database,
            secret: layers.find::<LongSecret>("secret")?.map(|secret| secret.0),
            admin: Administrator {
                email: layers.need::<Email>("admin.email")?.0,
                password: layers.find("admin.password")?,
                token: layers.find("admin.token")?,
            },
            mcp: Mcp {
                available: layers.need("mcp.available")?,
                enabled: layers.find("mcp.enabled")?,
                request_timeout: layers.need::<Millis>("mcp.request_timeout_ms")?.0,
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
        secret_file(&self.data)
    }
}

/// Where the generated secret is kept in a data folder.
pub(crate) fn secret_file(data: &Path) -> PathBuf {
    data.join("secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_configuration() {
        let (configuration, _) = Configuration::gather(&Sources::default()).unwrap();
        assert_eq!(configuration.listen.to_string(), "127.0.0.1:8055");
        assert_eq!(configuration.database, Path::new("./data/loggia.db"));
        assert!(configuration.mcp.available);
        assert_eq!(configuration.mcp.enabled, None);
    }

    #[test]
    fn secrets_do_not_reach_a_debug_print() {
        let sources = Sources {
            settings: vec!["admin.password=a long password".to_owned()],
            ..Sources::default()
        };
        let (configuration, _) = Configuration::gather(&sources).unwrap();
        assert!(!format!("{configuration:?}").contains("a long password"));
    }
}
