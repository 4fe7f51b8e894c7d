//! `loggia doctor`: looks at everything that a server needs, changes nothing, and says what to mend.
//!
//! To add a check: a function `fn(&Patient) -> Outcome` and one row in [`CHECKS`].

use crate::command_line::ConfigurationArguments;
use crate::configuration::Configuration;
use crate::{house, secret};
use clap::Args;
use loggia_store::{Finding, Store, Weight};
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// The options of `loggia doctor`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// What is looked at.
struct Patient {
    configuration: Configuration,
    now: SystemTime,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing to mend.
    Good(String),
    /// It works, but should not stay so.
    Doubtful(String),
    /// A server would not work, or not be safe.
    Bad(String),
}

use Outcome::{Bad, Doubtful, Good};

/// One check and its name.
struct Check {
    name: &'static str,
    run: fn(&Patient) -> Outcome,
}

/// Every check, in the order in which a server would meet the trouble.
const CHECKS: &[Check] = &[
    Check {
        name: "clock",
        run: clock,
    },
    Check {
        name: "data folder",
        run: data_folder,
    },
    Check {
        name: "secret",
        run: secret_file,
    },
    Check {
        name: "database",
        run: database,
    },
    Check {
        name: "address",
        run: address,
    },
];

/// 1 January 2026, in seconds: no Loggia ran before it.
const NO_EARLIER_THAN: Duration = Duration::from_secs(1_767_225_600);
/// How far a file may seem to come from the future: clocks are set back by seconds, not by minutes.
const CLOCK_SLACK: Duration = Duration::from_secs(120);

/// Runs every check; the exit code is 1 when one is bad.
///
/// # Errors
/// Never: what is wrong is an outcome.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let configuration = match arguments.configuration.gather(&[]) {
        Ok((configuration, _)) => configuration,
        Err(problems) => {
            print("configuration", &Bad(format!("{problems:#}")));
            return Ok(ExitCode::FAILURE);
        }
    };
    print(
        "configuration",
        &Good("every key is known and has a value of its kind".to_owned()),
    );
    #[expect(clippy::disallowed_methods, reason = "the clock itself is what is looked at")]
    let patient = Patient {
        configuration,
        now: SystemTime::now(),
    };
    let mut healthy = true;
    for check in CHECKS {
        let outcome = (check.run)(&patient);
        healthy &= !matches!(outcome, Bad(_));
        print(check.name, &outcome);
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(name: &str, outcome: &Outcome) {
    let (word, text) = match outcome {
        Good(text) => ("good", text),
        Doubtful(text) => ("DOUBTFUL", text),
        Bad(text) => ("BAD", text),
    };
    println!("{word:<9} {name:<14} {text}");
}

fn clock(patient: &Patient) -> Outcome {
    let since = patient
        .now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    if since < NO_EARLIER_THAN {
        return Bad("the clock says that it is before 2026: set it, or sign-ins expire at once".to_owned());
    }
    let newest = fs::read_dir(&patient.configuration.data)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok())
        .max();
    match newest.and_then(|newest| newest.duration_since(patient.now).ok()) {
        Some(ahead) if ahead > CLOCK_SLACK => Bad(format!(
            "the data was last written {} seconds in the future: the clock has been set back",
            ahead.as_secs()
        )),
        _ => Good(format!(
            "{} seconds since 1970, and no file is from the future",
            since.as_secs()
        )),
    }
}

fn data_folder(patient: &Patient) -> Outcome {
    let folder = &patient.configuration.data;
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Good(format!("{shown} is not there yet: the first start makes it"))
        }
        Err(error) => Bad(format!("{shown} cannot be looked at: {error}")),
        Ok(found) if !found.is_dir() => Bad(format!("{shown} is no folder")),
        Ok(found) => match tempfile::Builder::new().prefix(".doctor-").tempfile_in(folder) {
            Err(error) => Bad(format!("{shown} cannot be written to: {error}")),
            Ok(_) if found.permissions().mode() & 0o002 != 0 => Bad(format!(
                "{shown} can be written to by everybody: chmod o-w {shown}"
            )),
            Ok(_) => Good(format!("{shown} can be written to")),
        },
    }
}

fn secret_file(patient: &Patient) -> Outcome {
    let file = patient.configuration.secret_file();
    let shown = file.display();
    if patient.configuration.secret.is_some() {
        return Good("set by the configuration".to_owned());
    }
    match secret::open_to_others(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Good("not made yet: the first start makes it".to_owned())
        }
        Err(error) => Bad(format!("{shown} cannot be looked at: {error}")),
        Ok(true) => Bad(format!(
            "{shown} can be read by others, who could then be anyone: chmod 600 {shown}"
        )),
        Ok(false) => match secret::read(&file) {
            Ok(_) => Good(format!("{shown}, for its owner alone")),
            Err(error) => Bad(format!("{error:#}")),
        },
    }
}

/// Most findings of one table's trouble are the same: these many are shown.
const SHOWN_FINDINGS: usize = 10;

fn database(patient: &Patient) -> Outcome {
    let database = &patient.configuration.database;
    let shown = &database.url;
    if database.url.path().is_some_and(|file| !file.exists()) {
        return Good(format!("{shown} is not there yet: the first start makes it"));
    }
    let mut options = database.options();
    // Whoever looks wants to know how it is now.
    options.remote.starting = Duration::ZERO;
    let examined = house::runtime().and_then(|runtime| {
        runtime
            .block_on(Store::examine(options))
            .map_err(anyhow::Error::from)
    });
    let examined = match examined {
        Err(error) => return Bad(format!("{shown} cannot be read: {error:#}")),
        Ok(examined) => examined,
    };
    let shown = match &examined.about {
        Some(about) => format!("{shown} ({about})"),
        None => shown.to_string(),
    };
    let (noted, findings): (Vec<_>, Vec<_>) = examined
        .findings
        .into_iter()
        .partition(|finding| finding.weight == Weight::Noted);
    if findings.is_empty() {
        let mut text = format!("{shown} is whole, and its tables are up to date");
        if !noted.is_empty() {
            text = format!("{text}; to know: {}", told(&noted));
        }
        return Good(text);
    }
    let text = format!("{shown}: {}", told(&findings));
    if findings.iter().any(|finding| finding.weight == Weight::Bad) {
        Bad(text)
    } else {
        Doubtful(text)
    }
}

fn told(findings: &[Finding]) -> String {
    let words: Vec<String> = findings
        .iter()
        .take(SHOWN_FINDINGS)
        .map(|finding| match &finding.table {
            Some(table) => format!("{table}: {}", finding.what),
            None => finding.what.clone(),
        })
        .collect();
    words.join("; ")
}

fn address(patient: &Patient) -> Outcome {
    let listen = patient.configuration.listen.to_string();
    match TcpListener::bind(&listen) {
        Ok(_) => Good(format!("{listen} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_loggia(&listen) => {
            Good(format!("{listen}: a Loggia answers there"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Bad(format!(
            "{listen} is used by another program: stop it, or choose another address with --set listen=…"
        )),
        Err(error) => Bad(format!("{listen} cannot be listened on: {error}")),
    }
}

/// Whether what listens there answers `/server/ping` as we do.
fn is_loggia(listen: &str) -> bool {
    ping(listen).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.ends_with("pong"))
}

fn ping(listen: &str) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let wait = Duration::from_secs(2);
    let address = listen.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_read_timeout(Some(wait))?;
    write!(
        stream,
        "GET /server/ping HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(65_536).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Sources;
    use std::path::Path;

    fn patient(data: &Path, settings: &[&str], now: SystemTime) -> Patient {
        let mut all = vec![format!("data={}", data.display())];
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let sources = Sources {
            settings: all,
            ..Sources::default()
        };
        Patient {
            configuration: Configuration::gather(&sources).unwrap().0,
            now,
        }
    }

    fn in_2026() -> SystemTime {
        SystemTime::UNIX_EPOCH + NO_EARLIER_THAN + Duration::from_secs(1)
    }

    #[track_caller]
    fn check(outcome: &Outcome, good: bool, says: &str) {
        assert_eq!(matches!(outcome, Good(_)), good, "{outcome:?}");
        let (Good(text) | Doubtful(text) | Bad(text)) = outcome;
        assert!(text.contains(says), "{text}");
    }

    #[test]
    fn an_empty_folder_is_healthy_and_stays_empty() {
        let folder = tempfile::tempdir().unwrap();
        let patient = patient(folder.path(), &[], in_2026() + Duration::from_secs(1 << 32));
        check(&clock(&patient), true, "");
        check(&data_folder(&patient), true, "written");
        check(&secret_file(&patient), true, "first start");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn each_trouble_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::write(&data, "").unwrap();
        check(&data_folder(&patient(&data, &[], in_2026())), false, "no folder");
        check(
            &data_folder(&patient(&folder.path().join("absent"), &[], in_2026())),
            true,
            "not there yet",
        );
        check(
            &clock(&patient(folder.path(), &[], SystemTime::UNIX_EPOCH)),
            false,
            "before 2026",
        );
        check(&clock(&patient(folder.path(), &[], in_2026())), false, "set back");
        let file = folder.path().join("secret");
        fs::write(&file, "x".repeat(64)).unwrap();
        for (mode, good) in [(0o644, false), (0o600, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            check(&secret_file(&patient(folder.path(), &[], in_2026())), good, "");
        }
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = format!("listen={}", taken.local_addr().unwrap());
        check(
            &address(&patient(folder.path(), &["listen=127.0.0.1:0"], in_2026())),
            true,
            "free",
        );
        std::thread::spawn(move || drop(taken.accept()));
        check(
            &address(&patient(folder.path(), &[&listen], in_2026())),
            false,
            "another program",
        );
    }
}
