//! The kinds of values that keys have, parsed once.

use loggia_http::SameSite;
use loggia_identity::Secret;
use loggia_store::Store;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A kind of value, read from text.
pub(crate) trait Setting: Sized {
    /// What a value looks like, to follow "expected".
    const EXPECTS: &'static str;
    /// Whether a value is never shown, not even in the message that it is wrong.
    const SECRET: bool = false;
    /// Whether it is a list, which the file may write as one.
    const LIST: bool = false;

    /// Whether this value is not shown.
    fn hides(_text: &str) -> bool {
        Self::SECRET
    }

    /// What is wrong with a value that is none, where more can be said than what was expected.
    fn complaint(_text: &str) -> Option<String> {
        None
    }

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
        None if let Some(complaint) = T::complaint(text) => Err(format!("is refused: {complaint}")),
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

/// The address of a database that the store knows.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    url: String,
    shown: String,
}

impl DatabaseUrl {
    /// An SQLite file.
    pub(crate) fn file(path: &Path) -> DatabaseUrl {
        let url = format!("sqlite://{}", path.display());
        DatabaseUrl {
            shown: url.clone(),
            url,
        }
    }

    /// As the store reads it.
    pub(crate) fn reveal(&self) -> &str {
        &self.url
    }

    /// The file, where it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite://").map(Path::new)
    }
}

/// Without its secrets.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Setting for DatabaseUrl {
    const EXPECTS: &'static str = "sqlite:// and the path of a file, postgres://user:password@host:5432/database \
         or mysql://user:password@host:3306/database";

    fn parse(text: &str) -> Option<DatabaseUrl> {
        // Not the one in memory, which nothing would be left of.
        let shown = Store::address(text)
            .ok()
            .filter(|_| !text.starts_with("sqlite::"))?;
        Some(DatabaseUrl {
            url: text.to_owned(),
            shown,
        })
    }

    fn hides(text: &str) -> bool {
        !text.starts_with("sqlite:")
    }

    fn complaint(text: &str) -> Option<String> {
        Some(match Store::address(text) {
            Err(error) => error.to_string(),
            Ok(_) => format!("expected {}", Self::EXPECTS),
        })
    }
}

/// The name of a schema of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaName(pub(crate) String);

impl Setting for SchemaName {
    const EXPECTS: &'static str = "the name of a schema, at most 63 bytes";

    fn parse(text: &str) -> Option<SchemaName> {
        let good =
            (1..=63).contains(&text.len()) && !text.starts_with("pg_") && !text.chars().any(char::is_control);
        good.then(|| SchemaName(text.to_owned()))
    }
}

/// A password that somebody else has chosen.
pub(crate) struct GivenPassword(pub(crate) Secret);

impl Setting for GivenPassword {
    const EXPECTS: &'static str = "a password";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<GivenPassword> {
        (!text.is_empty()).then(|| GivenPassword(Secret::new(text)))
    }
}

/// A number of connections to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections(pub(crate) usize);

impl Setting for Connections {
    const EXPECTS: &'static str = "a whole number from 3 to 10000";

    fn parse(text: &str) -> Option<Connections> {
        let number = whole(text, 10_000).filter(|number| *number >= 3)?;
        usize::try_from(number).ok().map(Connections)
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
        whole(text, 3_600_000).map(|millis| Millis(Duration::from_millis(millis)))
    }
}

/// A time in whole seconds, from 1 to ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u32);

impl Setting for Seconds {
    const EXPECTS: &'static str = "seconds from 1 to 315360000";

    fn parse(text: &str) -> Option<Seconds> {
        u32::try_from(whole(text, 315_360_000)?).ok().map(Seconds)
    }
}

/// A number of things, from 1 to a billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

impl Setting for Count {
    const EXPECTS: &'static str = "a whole number from 1 to 1000000000";

    fn parse(text: &str) -> Option<Count> {
        u32::try_from(whole(text, 1_000_000_000)?).ok().map(Count)
    }
}

fn whole(text: &str, most: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (1..=most).contains(number))
}

/// Words with commas between them, or a list in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl Setting for Words {
    const EXPECTS: &'static str = "a list of words, with commas between them where it is one text";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<Words> {
        let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
        let good = words
            .iter()
            .all(|word| !word.is_empty() && !word.contains(char::is_whitespace));
        if text.trim().is_empty() {
            return Some(Words(Vec::new()));
        }
        good.then_some(Words(words))
    }
}

/// Addresses, networks and ranges with commas between them, or a list in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(pub(crate) Vec<String>);

impl Setting for Addresses {
    const EXPECTS: &'static str =
        "a list of addresses, networks such as 10.0.0.0/8 and ranges such as 10.0.0.1-10.0.0.9";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<Addresses> {
        let Words(entries) = Words::parse(text)?;
        entries
            .iter()
            .all(|entry| loggia_access::is_ip_entry(entry))
            .then_some(Addresses(entries))
    }
}

/// `http://` and `https://` addresses with commas between them, or a list in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebUrls(pub(crate) Vec<String>);

impl Setting for WebUrls {
    const EXPECTS: &'static str = "a list of addresses that begin with http:// or https://";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<WebUrls> {
        let Words(urls) = Words::parse(text)?;
        urls.iter()
            .all(|url| WebUrl::parse(url).is_some())
            .then_some(WebUrls(urls))
    }
}

/// Where letters go.
#[derive(Clone)]
pub(crate) enum MailUrl {
    /// A folder that keeps them as files.
    Folder(PathBuf),
    /// A mail server.
    Server {
        host: String,
        port: u16,
        tls: MailTls,
        /// Name and password.
        login: Option<(String, Secret)>,
    },
}

/// How letters are kept from other eyes on their way to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailTls {
    /// From the first byte.
    Wrapped,
    /// Before anything is said (RFC 3207).
    StartTls,
    /// Not at all.
    None,
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => f.debug_tuple("Folder").field(path).finish(),
            Self::Server { host, port, tls, .. } => f
                .debug_struct("Server")
                .field("host", host)
                .field("port", port)
                .field("tls", tls)
                .finish_non_exhaustive(),
        }
    }
}

impl Setting for MailUrl {
    const EXPECTS: &'static str =
        "smtp://user:password@host:587, smtps://user:password@host:465 or file:// and the path of a folder";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<MailUrl> {
        if let Some(path) = text.strip_prefix("file://") {
            return (!path.is_empty()).then(|| MailUrl::Folder(PathBuf::from(path)));
        }
        let (scheme, rest) = text.split_once("://")?;
        let (rest, tls) = match rest.split_once('?') {
            None => (rest, None),
            Some((rest, "tls=none")) => (rest, Some(MailTls::None)),
            Some(_) => return None,
        };
        let (tls, standard) = match (scheme, tls) {
            ("smtp", tls) => (tls.unwrap_or(MailTls::StartTls), 587),
            ("smtps", None) => (MailTls::Wrapped, 465),
            _ => return None,
        };
        let (login, place) = match rest.trim_end_matches('/').rsplit_once('@') {
            Some((login, place)) => {
                let (name, password) = login.split_once(':')?;
                (Some((decoded(name)?, Secret::new(decoded(password)?))), place)
            }
            None => (None, rest.trim_end_matches('/')),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (place, standard),
        };
        let good = !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        good.then(|| MailUrl::Server {
            host: host.to_owned(),
            port,
            tls,
            login,
        })
    }
}

/// Percent-encoding (RFC 3986 §2.1) taken away.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A name that can stand in a cookie (RFC 6265), or a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

impl Setting for Name {
    const EXPECTS: &'static str = "letters, digits, and any of . _ -";

    fn parse(text: &str) -> Option<Name> {
        let good = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        (good && !text.is_empty()).then(|| Name(text.to_owned()))
    }
}

/// When cookies are sent along from other sites.
pub(crate) struct SiteRule(pub(crate) SameSite);

impl Setting for SiteRule {
    const EXPECTS: &'static str = "strict, lax or none";

    fn parse(text: &str) -> Option<SiteRule> {
        match text {
            "strict" => Some(SiteRule(SameSite::Strict)),
            "lax" => Some(SiteRule(SameSite::Lax)),
            "none" => Some(SiteRule(SameSite::None)),
            _ => None,
        }
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
    fn the_address_of_a_mail_server_is_taken_apart() {
        let Some(MailUrl::Server {
            host,
            port,
            tls,
            login,
        }) = MailUrl::parse("smtp://ada%40a.example:p%40ss@mail.example")
        else {
            panic!("an address");
        };
        assert_eq!(
            (host.as_str(), port, tls),
            ("mail.example", 587, MailTls::StartTls)
        );
        let (name, password) = login.unwrap();
        assert_eq!((name.as_str(), password.reveal()), ("ada@a.example", "p@ss"));
    }

    #[test]
    fn each_kind_knows_its_values() {
        check::<WebUrls>(
            &["", "https://a.example/x,https://b.example"],
            &["a.example", "https://a b"],
        );
        check::<MailUrl>(
            &[
                "smtp://mail.example",
                "smtp://mail:1025?tls=none",
                "smtps://ada%40a.example:p%40ss@mail.example:465",
                "file:///var/mail/loggia",
                "file://./mail",
            ],
            &[
                "",
                "mail.example",
                "smtp://",
                "smtp://name@mail.example",
                "smtp://a:b@mail:x",
                "smtps://mail?tls=none",
                "smtp://a:%zz@mail",
                "smtp://mail?tls=maybe",
                "file://",
                "http://mail",
            ],
        );
        check::<Addresses>(
            &["", "10.0.0.1", "10.0.0.0/8, fd00::/8", "10.0.0.1-10.0.0.9"],
            &["proxy", "10.0.0.0/33", "10.0.0.1 10.0.0.2", "10.0.0.1,"],
        );
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
        check::<DatabaseUrl>(
            &[
                "sqlite://data/loggia.db",
                "sqlite:///var/lib/loggia.db",
                "postgres://localhost/x",
                "postgresql://me:p%40ss@db.example:6000/cms?sslmode=verify-full",
            ],
            &[
                "",
                "sqlite://",
                "sqlite://folder/",
                "sqlite::memory:",
                "postgres://me:x@host/cms?sslmode=perhaps",
                "oracle://localhost/x",
                "loggia.db",
            ],
        );
        check::<SchemaName>(&["cms", "My schema"], &["", "pg_mine", "a\nb"]);
        check::<Connections>(&["3", "10000"], &["", "2", "10001"]);
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
        check::<Seconds>(&["1", "315360000"], &["", "0", "315360001", "1h"]);
        check::<Count>(&["1", "1000000000"], &["", "0", "1000000001", "1k"]);
        check::<Words>(&["", "a", "a,b", "https://a.example, *"], &["a,,b", ",", "a b"]);
        check::<Name>(
            &["directus_session_token", "example.com"],
            &["", "a b", "a;b", "a,b"],
        );
        check::<SiteRule>(&["strict", "lax", "none"], &["", "Lax"]);
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
    fn what_is_wrong_with_the_address_of_a_database_is_said_without_its_password() {
        for (text, says) in [
            ("oracle://me:hidden@host/cms", "begins with \"oracle\""),
            ("postgres://me:hidden@host/cms?sslmode=perhaps", "sslmode=perhaps"),
            ("postgres://me:hid@den@host/cms", "%40"),
            ("postgres://me:hidden@host/cms?colour=blue", "cannot be read"),
        ] {
            let problem = accepts::<DatabaseUrl>(text).unwrap_err();
            assert!(problem.contains(says) && !problem.contains("hid"), "{problem}");
        }
        let url = DatabaseUrl::parse("postgres://me:hidden@host/cms").unwrap();
        assert_eq!(format!("{url} {url:?}").matches("hidden").count(), 0);
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
