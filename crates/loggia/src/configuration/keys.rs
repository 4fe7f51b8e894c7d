//! The one table of keys.

use super::values::{
    Addresses, Connections, Count, DatabaseUrl, Email, Filter, GivenPassword, HostPort, LogFormat,
    LongSecret, MailUrl, Millis, Name, SchemaName, Seconds, Setting, SiteRule, WebUrl, WebUrls, Words,
    accepts,
};
use loggia_identity::Secret;
use std::path::PathBuf;

/// One thing that can be configured.
pub(crate) struct Key {
    /// Its name in the file: levels divided by dots.
    pub(crate) name: &'static str,
    /// What holds when nobody says otherwise.
    pub(crate) default: Default,
    /// What it does, in one line, for `docs/configuration.md`.
    pub(crate) meaning: &'static str,
    /// What a value looks like, for error messages and the document.
    pub(crate) expects: &'static str,
    /// Whether this value is not shown; asked of nothing at all: whether there are such values.
    pub(crate) hides: fn(&str) -> bool,
    /// Whether it is a list.
    pub(crate) list: bool,
    /// Says what is wrong with a value, if anything.
    pub(crate) check: fn(&str) -> Result<(), String>,
}

/// What holds when nobody says otherwise.
pub(crate) enum Default {
    /// This value.
    Is(&'static str),
    /// Something that depends on other values, in words.
    Follows(&'static str),
    /// Nothing.
    Unset,
}

const fn key<T: Setting>(name: &'static str, default: Default, meaning: &'static str) -> Key {
    Key {
        name,
        default,
        meaning,
        expects: T::EXPECTS,
        hides: T::hides,
        list: T::LIST,
        check: accepts::<T>,
    }
}

/// Every key, in the order in which they are shown.
pub(crate) const KEYS: &[Key] = &[
    key::<HostPort>(
        "listen",
        Default::Is("127.0.0.1:8055"),
        "Address and port to listen on; port 0 takes a free one.",
    ),
    key::<WebUrl>(
        "public_url",
        Default::Follows("`http://` and `listen`"),
        "The address that clients see.",
    ),
    key::<PathBuf>(
        "data",
        Default::Is("./data"),
        "The folder that holds everything that must survive.",
    ),
    key::<LongSecret>(
        "secret",
        Default::Follows("generated, kept in `<data>/secret` with mode 0600"),
        "Signs sessions. Whoever knows it can be anyone; changing it signs everybody out.",
    ),
    key::<Words>(
        "allowed_hosts",
        Default::Unset,
        "Further names under which clients may call, with or without a port; `*` allows any. The name in `public_url`, \
         `localhost` and addresses always are.",
    ),
    key::<Addresses>(
        "trusted_proxies",
        Default::Unset,
        "Proxies whose `X-Forwarded-For` and `Forwarded` are believed, such as `10.0.0.0/8`; nobody else's are.",
    ),
    key::<DatabaseUrl>(
        "database.url",
        Default::Follows("`sqlite://<data>/loggia.db`"),
        "The database: see [Databases](databases.md).",
    ),
    key::<GivenPassword>(
        "database.password",
        Default::Unset,
        "The password of the database's user, where the address names none.",
    ),
    key::<SchemaName>(
        "database.schema",
        Default::Follows("the first of the user's search path, `public` mostly"),
        "The schema of a PostgreSQL database that holds the tables; made where it is not there.",
    ),
    key::<Connections>(
        "database.pool_size",
        Default::Follows("by the number of processors, from 18"),
        "Connections to a database server at most: one writes, one watches what other nodes have changed, the others read.",
    ),
    key::<Millis>(
        "database.connect_timeout_ms",
        Default::Is("10000"),
        "The longest that one attempt to connect to a database server may take, in milliseconds.",
    ),
    key::<Millis>(
        "database.start_timeout_ms",
        Default::Is("60000"),
        "How long a start waits for a database server that cannot be reached, in milliseconds.",
    ),
    key::<Millis>(
        "database.lost_timeout_ms",
        Default::Is("10000"),
        "How long a request waits for a database server that has gone away, in milliseconds.",
    ),
    key::<Millis>(
        "database.read_timeout_ms",
        Default::Is("300000"),
        "The longest that a database server may work on one statement that reads, in milliseconds.",
    ),
    key::<Email>(
        "admin.email",
        Default::Is("admin@example.com"),
        "E-mail address of the administrator that is made when there is none.",
    ),
    key::<Secret>(
        "admin.password",
        Default::Follows("generated, printed once"),
        "Password of that administrator.",
    ),
    key::<Secret>(
        "admin.token",
        Default::Follows("generated, printed once"),
        "Static token of that administrator.",
    ),
    key::<Seconds>(
        "auth.access_ttl_s",
        Default::Is("900"),
        "How long an access token is good for.",
    ),
    key::<Seconds>(
        "auth.refresh_ttl_s",
        Default::Is("604800"),
        "How long a refresh token is good for.",
    ),
    key::<Seconds>(
        "auth.session_ttl_s",
        Default::Is("86400"),
        "How long a session's cookie is good for.",
    ),
    key::<WebUrls>(
        "auth.password_reset_urls",
        Default::Unset,
        "Pages besides `<public_url>/admin/reset-password` that may be sent in letters about a forgotten password.",
    ),
    key::<Name>(
        "cookies.session",
        Default::Is("directus_session_token"),
        "Name of the session's cookie.",
    ),
    key::<Name>(
        "cookies.refresh",
        Default::Is("directus_refresh_token"),
        "Name of the refresh token's cookie.",
    ),
    key::<bool>(
        "cookies.secure",
        Default::Follows("true when `public_url` is one of HTTPS"),
        "Whether cookies are sent over HTTPS only.",
    ),
    key::<SiteRule>(
        "cookies.same_site",
        Default::Is("lax"),
        "When cookies are sent along from other sites.",
    ),
    key::<Name>(
        "cookies.domain",
        Default::Unset,
        "For which domain cookies are; else for this host only.",
    ),
    key::<Words>(
        "cors.origins",
        Default::Unset,
        "Pages of which other origins may call, such as `https://app.example.com`; `*`: any, without cookies.",
    ),
    key::<bool>(
        "cors.credentials",
        Default::Is("false"),
        "Whether those pages may send cookies.",
    ),
    key::<Count>("limits.body_bytes", Default::Is("10485760"), "Bytes of a body."),
    key::<Count>(
        "limits.body_depth",
        Default::Is("64"),
        "Levels of JSON in a body.",
    ),
    key::<Count>(
        "limits.concurrent_requests",
        Default::Is("1024"),
        "Requests at the same time; more get 503 at once.",
    ),
    key::<Count>(
        "limits.connections",
        Default::Is("10000"),
        "Connections at the same time; more wait.",
    ),
    key::<Millis>(
        "limits.request_timeout_ms",
        Default::Is("60000"),
        "The longest that one REST request may take, in milliseconds. Its work is cancelled then.",
    ),
    key::<Millis>(
        "limits.header_timeout_ms",
        Default::Is("30000"),
        "The longest that a client may take to send the head of a request, in milliseconds.",
    ),
    key::<Count>(
        "limits.default_rows",
        Default::Is("100"),
        "Rows of a list when the query names no limit.",
    ),
    key::<Count>(
        "limits.max_rows",
        Default::Unset,
        "Rows of a list at most, also for `limit=-1`.",
    ),
    key::<Count>(
        "limits.relation_levels",
        Default::Is("10"),
        "Relations followed one after the other, in fields, sort keys and written data.",
    ),
    key::<Count>(
        "limits.nested_reads",
        Default::Is("200"),
        "Nested lists and objects read for one query.",
    ),
    key::<Count>(
        "limits.filter_conditions",
        Default::Is("1000"),
        "Conditions in one filter.",
    ),
    key::<Count>("limits.filter_depth", Default::Is("20"), "Levels of one filter."),
    key::<Count>(
        "limits.in_list",
        Default::Is("20000"),
        "Values in one list of a filter.",
    ),
    key::<Count>(
        "limits.written_items",
        Default::Is("50000"),
        "Items written by one request, nested ones included.",
    ),
    key::<bool>(
        "mcp.available",
        Default::Is("true"),
        "`false`: the MCP server cannot be switched on and its address answers 404.",
    ),
    key::<bool>(
        "mcp.enabled",
        Default::Unset,
        "If set, switches the MCP server on or off whatever the settings in the database say.",
    ),
    key::<Millis>(
        "mcp.request_timeout_ms",
        Default::Is("60000"),
        "The longest that one MCP request may take, in milliseconds. Its work is cancelled then.",
    ),
    key::<Count>(
        "mcp.body_bytes",
        Default::Is("4194304"),
        "Bytes of an MCP message.",
    ),
    key::<MailUrl>(
        "mail.url",
        Default::Follows("`file://<data>/mail`"),
        "Where letters go: a mail server (`smtp://` with STARTTLS, which `?tls=none` switches off; `smtps://`), or a folder that \
         keeps them as files.",
    ),
    key::<Email>(
        "mail.from",
        Default::Is("loggia@localhost"),
        "The sender of letters.",
    ),
    key::<Seconds>(
        "mail.timeout_s",
        Default::Is("30"),
        "The longest that handing over one letter may take.",
    ),
    key::<LogFormat>(
        "log.format",
        Default::Follows("`pretty` on a terminal, `json` otherwise"),
        "How the log is written.",
    ),
    key::<Filter>(
        "log.level",
        Default::Is("info"),
        "What the log holds: a level, or levels by room as in `info,loggia_store=debug`.",
    ),
];

/// The row of a key.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key whose name is nearest to a name that is none, if any is near enough to be meant.
pub(crate) fn nearest(name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .map(|key| (strsim::normalized_damerau_levenshtein(key.name, name), key))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, key)| key)
}

/// The environment variable of a key.
pub(crate) fn variable(name: &str) -> String {
    format!("LOGGIA_{}", name.to_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_valid() {
        for (place, key) in KEYS.iter().enumerate() {
            assert!(
                KEYS[..place].iter().all(|other| other.name != key.name),
                "{} stands twice",
                key.name
            );
            assert!(
                key.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '.' || c == '_'),
                "{}",
                key.name
            );
            assert!(
                !key.name.contains("__"),
                "{} cannot be an environment variable",
                key.name
            );
            assert!(key.meaning.ends_with('.'), "{}", key.name);
            if let Default::Is(value) = key.default {
                assert_eq!((key.check)(value), Ok(()), "{}", key.name);
            }
        }
    }

    #[test]
    fn keys_of_one_table_stand_together_and_those_of_none_first() {
        let mut tables: Vec<&str> = KEYS
            .iter()
            .map(|key| key.name.rsplit_once('.').map_or("", |(table, _)| table))
            .collect();
        tables.dedup();
        let mut once = tables.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(tables.len(), once.len(), "{tables:?}");
        assert_eq!(tables[0], "");
    }

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        for (name, expect) in [
            ("listn", Some("listen")),
            ("mcp.enable", Some("mcp.enabled")),
            ("database", Some("database.url")),
            ("log", None),
            ("mcp.requst_timeout_ms", Some("mcp.request_timeout_ms")),
            ("something.else.entirely", None),
        ] {
            assert_eq!(nearest(name).map(|key| key.name), expect, "{name}");
        }
    }
}
