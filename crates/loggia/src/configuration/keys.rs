//! The one table of keys.

use super::values::{
    Email, Filter, HostPort, LogFormat, LongSecret, Millis, Secret, Setting, SqliteUrl, WebUrl, accepts,
};
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
    /// Whether its value is never shown.
    pub(crate) secret: bool,
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
        secret: T::SECRET,
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
    key::<SqliteUrl>(
        "database.url",
        Default::Follows("`sqlite://<data>/loggia.db`"),
        "The database.",
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
