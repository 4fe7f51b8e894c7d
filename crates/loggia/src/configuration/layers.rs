//! The layers that values come from, one over the other.

use super::keys::{self, Default, KEYS, Key, nearest, variable};
use super::values::Setting;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file that is read when it is there and no other is named.
const DEFAULT_FILE: &str = "loggia.toml";
/// The beginning of every variable.
const PREFIX: &str = "LOGGIA_";
/// Variables with the prefix that are no keys: where the file is, the credential of `loggia mcp`, and the passwords of
/// `loggia copy`.
const OTHER_VARIABLES: &[&str] = &[
    "LOGGIA_CONFIG",
    "LOGGIA_TOKEN",
    "LOGGIA_COPY_FROM_PASSWORD",
    "LOGGIA_COPY_TO_PASSWORD",
];

/// Where values are looked for.
#[derive(Clone, Debug, std::default::Default)]
pub(crate) struct Sources {
    /// The file named on the command line.
    pub(crate) file: Option<PathBuf>,
    /// The environment, names and values.
    pub(crate) environment: Vec<(String, String)>,
    /// `key=value` from the command line; the last one of a key wins.
    pub(crate) settings: Vec<String>,
}

impl Sources {
    /// The file and settings of the command line, over this process's environment.
    pub(crate) fn of_process(file: Option<PathBuf>, settings: Vec<String>) -> Sources {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        Sources {
            file,
            environment,
            settings,
        }
    }
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said otherwise.
    Default,
    /// In the file, on this line.
    File(PathBuf, usize),
    /// In this variable.
    Environment(String),
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File(path, line) => write!(f, "{} line {line}", path.display()),
            Origin::Environment(variable) => write!(f, "environment, {variable}"),
            Origin::CommandLine => write!(f, "command line"),
        }
    }
}

/// The effective text of every key that has one.
#[derive(Debug)]
pub(crate) struct Layers {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Layers {
    /// Lays command line over environment over file over default, and checks every effective value.
    ///
    /// # Errors
    /// Every unknown key and every wrong value, each with its place.
    pub(crate) fn gather(sources: &Sources) -> Result<Layers, Vec<String>> {
        let mut gathering = Gathering::default();
        for key in KEYS {
            if let Default::Is(value) = key.default {
                gathering
                    .values
                    .insert(key.name, (value.to_owned(), Origin::Default));
            }
        }
        gathering.file(sources);
        gathering.environment(&sources.environment);
        gathering.command_line(&sources.settings);
        let Gathering { values, mut problems } = gathering;
        for (name, (text, origin)) in &values {
            if let Some(Err(problem)) = keys::find(name).map(|key| (key.check)(text)) {
                problems.push(format!("`{name}` {problem} ({origin})"));
            }
        }
        if problems.is_empty() {
            Ok(Layers { values })
        } else {
            Err(problems)
        }
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// When its text is no such value; [`Layers::gather`] has refused that where the table names the same kind.
    pub(crate) fn find<T: Setting>(&self, name: &'static str) -> Result<Option<T>, String> {
        let Some((text, origin)) = self.values.get(name) else {
            return Ok(None);
        };
        T::parse(text)
            .map(Some)
            .ok_or_else(|| format!("`{name}`: expected {} ({origin})", T::EXPECTS))
    }

    /// Whether somebody has said something else than the default.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.values
            .get(name)
            .is_some_and(|(_, origin)| *origin != Origin::Default)
    }

    /// The value of a key that always has one.
    ///
    /// # Errors
    /// As [`Layers::find`], and when there is none.
    pub(crate) fn need<T: Setting>(&self, name: &'static str) -> Result<T, String> {
        self.find(name)?
            .ok_or_else(|| format!("`{name}` is not set: expected {}", T::EXPECTS))
    }

    /// The effective values as a configuration file that says where each comes from. Secrets are masked; a
    /// value that follows from others, or is unset, stands in a comment.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for key in KEYS {
            let (table, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            if table != section {
                let _ = writeln!(text, "\n[{table}]");
                section = table;
            }
            let _ = writeln!(text, "# {} Expects {}.", key.meaning, key.expects);
            let _ = match (self.values.get(key.name), &key.default) {
                (Some((value, origin)), _) if (key.hides)(value) => {
                    writeln!(text, "# {name} = (hidden)  # {origin}")
                }
                (Some((value, origin)), _) if key.list => {
                    let words: Vec<String> = value
                        .split(',')
                        .filter(|word| !word.is_empty())
                        .map(|word| toml_text(word.trim()))
                        .collect();
                    writeln!(text, "{name} = [{}]  # {origin}", words.join(", "))
                }
                (Some((value, origin)), _) => writeln!(text, "{name} = {}  # {origin}", toml_text(value)),
                (None, Default::Follows(words)) => writeln!(text, "# {name}: {words}"),
                (None, _) => writeln!(text, "# {name}: not set"),
            };
        }
        text
    }
}

/// A value as TOML writes it.
fn toml_text(value: &str) -> String {
    if value == "true" || value == "false" || (!value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()))
    {
        value.to_owned()
    } else {
        toml::Value::String(value.to_owned()).to_string()
    }
}

#[derive(std::default::Default)]
struct Gathering {
    values: BTreeMap<&'static str, (String, Origin)>,
    problems: Vec<String>,
}

impl Gathering {
    fn file(&mut self, sources: &Sources) {
        let from_environment = sources
            .environment
            .iter()
            .find(|(name, _)| name == "LOGGIA_CONFIG")
            .map(|(_, path)| PathBuf::from(path));
        let path = match sources.file.clone().or(from_environment) {
            Some(path) => path,
            None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
            None => return,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                self.problems
                    .push(format!("cannot read {}: {error}", path.display()));
                return;
            }
        };
        match DeTable::parse(&text) {
            Ok(table) => self.table(&path, &text, "", table.get_ref()),
            Err(error) => self.problems.push(
                format!("{} is not TOML: {error}", path.display())
                    .trim()
                    .to_owned(),
            ),
        }
    }

    fn table(&mut self, path: &Path, text: &str, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let line = text[..name.span().start].matches('\n').count() + 1;
            let name = format!("{above}{}", name.get_ref());
            let origin = Origin::File(path.to_owned(), line);
            match value.get_ref() {
                // A table that is itself a key is a value of the wrong shape, not a level.
                DeValue::Table(inner) if keys::find(&name).is_none() => {
                    self.table(path, text, &format!("{name}."), inner);
                }
                value => match text_of(&name, value) {
                    Some(value) => self.set(&name, value, origin, str::to_owned),
                    None if keys::find(&name).is_none() => self.unknown(&name, &origin, str::to_owned),
                    None => self.problems.push(format!(
                        "`{name}` is a list or table, expected one value ({origin})"
                    )),
                },
            }
        }
    }

    fn environment(&mut self, environment: &[(String, String)]) {
        for (variable_name, value) in environment {
            if OTHER_VARIABLES.contains(&variable_name.as_str()) {
                continue;
            }
            if let Some(rest) = variable_name.strip_prefix(PREFIX) {
                let name = rest.replace("__", ".").to_lowercase();
                self.set(
                    &name,
                    value.clone(),
                    Origin::Environment(variable_name.clone()),
                    variable,
                );
            }
        }
    }

    fn command_line(&mut self, settings: &[String]) {
        for setting in settings {
            match setting.split_once('=') {
                Some((name, value)) => {
                    self.set(name.trim(), value.to_owned(), Origin::CommandLine, str::to_owned);
                }
                None => self
                    .problems
                    .push(format!("`{setting}` on the command line: expected key=value")),
            }
        }
    }

    fn set(&mut self, name: &str, value: String, origin: Origin, spelt: fn(&str) -> String) {
        match keys::find(name) {
            Some(Key { name, .. }) => {
                self.values.insert(name, (value, origin));
            }
            None => self.unknown(name, &origin, spelt),
        }
    }

    /// `spelt` writes a key as this layer does.
    fn unknown(&mut self, name: &str, origin: &Origin, spelt: fn(&str) -> String) {
        let hint = match nearest(name) {
            Some(key) => format!("did you mean `{}`?", spelt(key.name)),
            None => "`loggia serve --print-config` lists the keys".to_owned(),
        };
        let place = match origin {
            Origin::Environment(_) => "environment".to_owned(),
            other => other.to_string(),
        };
        self.problems
            .push(format!("`{}` is no key ({place}); {hint}", spelt(name)));
    }
}

/// A value as text; a list where the key is one, with commas between its words.
fn text_of(name: &str, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Array(words) if keys::find(name).is_some_and(|key| key.list) => {
            let words: Option<Vec<String>> = words.iter().map(|word| scalar(word.get_ref())).collect();
            words.map(|words| words.join(","))
        }
        value => scalar(value),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loggia.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn sources(file: Option<PathBuf>, environment: &[(&str, &str)], settings: &[&str]) -> Sources {
        Sources {
            file,
            environment: environment
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            settings: settings.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    #[test]
    fn a_higher_layer_wins() {
        let (_folder, path) = file("listen = \"file:1\"\n[mcp]\nenabled = true\nrequest_timeout_ms = 0x10\n");
        let environment = [
            ("LOGGIA_LISTEN", "env:2"),
            ("LOGGIA_MCP__AVAILABLE", "false"),
            ("LOGGIA_TOKEN", "x"),
        ];
        let layers = Layers::gather(&sources(
            Some(path),
            &environment,
            &["listen=cli:3", "listen=cli:4"],
        ))
        .unwrap();
        let value = |name: &str| layers.values[name].0.clone();
        assert_eq!(value("listen"), "cli:4");
        assert_eq!(value("mcp.enabled"), "true");
        assert_eq!(value("mcp.available"), "false");
        assert_eq!(value("mcp.request_timeout_ms"), "16");
        assert_eq!(value("log.level"), "info");
        let without = Layers::gather(&sources(None, &environment, &[])).unwrap();
        assert_eq!(without.values["listen"].0, "env:2");
    }

    #[test]
    fn every_problem_is_reported_with_its_place_and_the_nearest_key() {
        let (_folder, path) = file("lisen = 1\n\n[mcp]\nenabled = \"maybe\"\ntools = []\n[data]\nx = 1\n");
        let shown = path.display().to_string();
        let environment = [("LOGGIA_LOG__LEVL", "info"), ("LOGGIA_ADMIN__PASSWORD", "short")];
        let found = Layers::gather(&sources(Some(path), &environment, &["nonsense", "zzz=1"])).unwrap_err();
        let expect = [
            format!("`data` is a list or table, expected one value ({shown} line 6)"),
            format!("`lisen` is no key ({shown} line 1); did you mean `listen`?"),
            format!("`mcp.tools` is no key ({shown} line 5); `loggia serve --print-config` lists the keys"),
            "`LOGGIA_LOG__LEVL` is no key (environment); did you mean `LOGGIA_LOG__LEVEL`?".to_owned(),
            "`nonsense` on the command line: expected key=value".to_owned(),
            "`zzz` is no key (command line); `loggia serve --print-config` lists the keys".to_owned(),
            "`admin.password` is not at least 8 characters (environment, LOGGIA_ADMIN__PASSWORD)".to_owned(),
            format!("`mcp.enabled` is `maybe`, expected true or false ({shown} line 4)"),
        ];
        assert_eq!(found, expect);
    }

    #[test]
    fn a_file_that_is_named_must_be_there_and_be_toml() {
        let (folder, path) = file("listen = ");
        for (path, expect) in [
            (path, "is not TOML"),
            (folder.path().join("absent.toml"), "cannot read"),
        ] {
            let found = Layers::gather(&sources(Some(path), &[], &[])).unwrap_err();
            assert_eq!(found.len(), 1);
            assert!(found[0].contains(expect), "{found:?}");
        }
    }

    #[test]
    fn what_is_shown_is_a_file_that_means_the_same_and_masks_secrets() {
        let given = [
            "admin.password=correct horse",
            "listen=localhost:1",
            "mcp.enabled=true",
            "allowed_hosts=a,b:1",
        ];
        let layers = Layers::gather(&sources(None, &[], &given)).unwrap();
        let shown = layers.shown();
        assert!(!shown.contains("correct horse"), "{shown}");
        assert!(
            shown.contains("listen = \"localhost:1\"  # command line"),
            "{shown}"
        );
        assert!(shown.contains("allowed_hosts = [\"a\", \"b:1\"]"), "{shown}");
        assert!(shown.contains("# password = (hidden)  # command line"), "{shown}");
        let (_folder, path) = file(&shown);
        let again = Layers::gather(&sources(Some(path), &[], &[])).unwrap();
        for (name, (value, _)) in &layers.values {
            if *name != "admin.password" {
                assert_eq!(&again.values[name].0, value);
            }
        }
    }
}
