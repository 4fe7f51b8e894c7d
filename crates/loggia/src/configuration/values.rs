//! The kinds of values that keys have, parsed once.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A kind of value, read from text.
pub(crate) trait Setting: Sized {
    /// What a value looks like, to follow "expected".
    const EXPECTS: &'static str;
    /// Whether a value is never shown, not even in the message that it is wrong.
    const SECRET: bool = false;

    /// Reads it; none when the text is no such value.
    fn parse(text: &str) -> Option<Self>;
}

/// Says what is wrong with a value, if anything.
///
/// # Errors
/// What was expected and, unless it is secret, what was found.
pub(crate) fn accepts<T: Setting>(text: &str) -> Result<(), String> {
    match T::parse(text) {
        Some(_) => Ok(()),
        None if T::SECRET => Err(format!("is not {}", T::EXPECTS)),
        None => Err(format!("is `{text}`, expected {}", T::EXPECTS)),
    }
}

impl Setting for bool {
    const EXPECTS: &'static str = "true or false";

    fn parse(text: &str) -> Option<bool> {
        match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

impl Setting for PathBuf {
    const EXPECTS: &'static str = "a path";

    fn parse(text: &str) -> Option<PathBuf> {
        (!text.trim().is_empty()).then(|| PathBuf::from(text))
    }
}

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort(String);

impl Setting for HostPort {
    const EXPECTS: &'static str = "an address and port such as 127.0.0.1:8055";

    fn parse(text: &str) -> Option<HostPort> {
        let (host, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        (bracketed || plain).then(|| HostPort(text.to_owned()))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An `http://` or `https://` address without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebUrl(String);

impl WebUrl {
    /// The address as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for WebUrl {
    const EXPECTS: &'static str = "an address that begins with http:// or https://";

    fn parse(text: &str) -> Option<WebUrl> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))?;
        let host = rest.split('/').next().unwrap_or_default();
        let good =
            !host.is_empty() && !rest.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#' | '@'));
        good.then(|| WebUrl(text.trim_end_matches('/').to_owned()))
    }
}

/// `sqlite://` and the path of a file; two slashes begin a relative path, three an absolute one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqliteUrl {
    pub(crate) path: PathBuf,
}

impl Setting for SqliteUrl {
    const EXPECTS: &'static str = "sqlite:// and the path of a file";

    fn parse(text: &str) -> Option<SqliteUrl> {
        let path = text.strip_prefix("sqlite://")?;
        (!path.is_empty() && !path.ends_with('/')).then(|| SqliteUrl {
            path: PathBuf::from(path),
        })
    }
}

/// Text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Setting for Secret {
    const EXPECTS: &'static str = "at least 8 characters";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Secret> {
        (text.chars().count() >= 8).then(|| Secret::new(text))
    }
}

/// A secret that nobody can guess by trying: it signs.
pub(crate) struct LongSecret(pub(crate) Secret);

impl Setting for LongSecret {
    const EXPECTS: &'static str = "at least 32 characters";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<LongSecret> {
        (text.chars().count() >= 32).then(|| LongSecret(Secret::new(text)))
    }
}

/// An e-mail address, as far as one can tell without sending to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Email(pub(crate) String);

impl Setting for Email {
    const EXPECTS: &'static str = "an e-mail address";

    fn parse(text: &str) -> Option<Email> {
        let (name, host) = text.split_once('@')?;
        let good = !name.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text.contains(char::is_whitespace);
        good.then(|| Email(text.to_owned()))
    }
}

/// A time in whole milliseconds, from 1 to an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) Duration);

impl Setting for Millis {
    const EXPECTS: &'static str = "milliseconds from 1 to 3600000";

    fn parse(text: &str) -> Option<Millis> {
        let millis: u64 = text.parse().ok()?;
        (1..=3_600_000)
            .contains(&millis)
            .then(|| Millis(Duration::from_millis(millis)))
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For eyes.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Setting for LogFormat {
    const EXPECTS: &'static str = "pretty or json";

    fn parse(text: &str) -> Option<LogFormat> {
        match text {
            "pretty" => Some(LogFormat::Pretty),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    }
}

/// What the log holds: levels, for everything or by target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(String);

impl Filter {
    /// As `tracing_subscriber::EnvFilter` reads it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Filter {
    const EXPECTS: &'static str =
        "off, error, warn, info, debug or trace, or a list such as info,loggia_store=debug";

    fn parse(text: &str) -> Option<Filter> {
        // The subscriber would take a misspelt level for the name of a target.
        let good = text.split(',').all(|part| {
            let (target, level) = part.split_once('=').unwrap_or(("all", part));
            let named = !target.is_empty()
                && target
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
            named && tracing::level_filters::LevelFilter::from_str(level).is_ok() && !level.is_empty()
        });
        good.then(|| Filter(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Setting>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(accepts::<T>(text), Ok(()));
        }
        for text in bad {
            assert!(accepts::<T>(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn each_kind_knows_its_values() {
        check::<bool>(&["true", "false"], &["", "yes", "1", "True"]);
        check::<PathBuf>(&["./data", "/var/lib/loggia"], &["", " "]);
        check::<HostPort>(
            &["127.0.0.1:8055", "localhost:0", "[::1]:80", "0.0.0.0:65535"],
            &[
                "",
                "8055",
                ":8055",
                "127.0.0.1",
                "127.0.0.1:65536",
                "a b:1",
                "::1:80",
            ],
        );
        check::<WebUrl>(
            &[
                "https://cms.example.com",
                "http://localhost:8055/",
                "https://example.com/cms",
            ],
            &[
                "",
                "cms.example.com",
                "ftp://x",
                "https://",
                "https://a b",
                "https://x?y",
                "https://me@x",
            ],
        );
        check::<SqliteUrl>(
            &["sqlite://data/loggia.db", "sqlite:///var/lib/loggia.db"],
            &[
                "",
                "sqlite://",
                "sqlite://folder/",
                "postgres://localhost/x",
                "loggia.db",
            ],
        );
        check::<Secret>(&["12345678", "пароль-8"], &["", "1234567"]);
        check::<LongSecret>(&["0123456789abcdef0123456789abcdef"], &["", "short"]);
        check::<Email>(
            &["a@b", "a.b@example.com"],
            &["", "a", "@b", "a@", "a@b@c", "a b@c"],
        );
        check::<Millis>(
            &["1", "60000", "3600000"],
            &["", "0", "3600001", "1.5", "-1", "1s"],
        );
        check::<LogFormat>(&["pretty", "json"], &["", "JSON", "text"]);
        check::<Filter>(
            &[
                "info",
                "off",
                "info,loggia_store=debug",
                "loggia_http::rest=trace",
            ],
            &["", "inof", "info,", "loggia_store=verbose", "=debug", "a b=info"],
        );
    }

    #[test]
    fn a_secret_is_not_in_the_message_that_it_is_wrong() {
        assert_eq!(
            accepts::<Secret>("hunter2").unwrap_err(),
            "is not at least 8 characters"
        );
    }

    #[test]
    fn a_public_address_has_no_slash_at_its_end() {
        assert_eq!(
            WebUrl::parse("http://localhost:8055/").unwrap().as_str(),
            "http://localhost:8055"
        );
    }
}
