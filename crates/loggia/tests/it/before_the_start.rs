//! What the binary does before it touches any data.

use crate::binary::{Said, loggia, names, said};

#[test]
fn the_effective_configuration_is_shown_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("loggia.toml"),
        "listen = \"0.0.0.0:1\"\n[log]\nlevel = \"debug\"\n",
    )
    .unwrap();
    let output = loggia(
        folder.path(),
        &[
            "serve",
            "--print-config",
            "--listen",
            "[::1]:2",
            "--set",
            "mcp.enabled=true",
        ],
    )
    .env("LOGGIA_ADMIN__PASSWORD", "correct horse battery")
    .output()
    .unwrap();
    let said = Said::from(output);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.contains("listen = \"[::1]:2\"  # command line"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("level = \"debug\"  # loggia.toml line 3"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains("# password = (hidden)  # environment, LOGGIA_ADMIN__PASSWORD"),
        "{}",
        said.out
    );
    assert!(!said.out.contains("correct horse"), "{}", said.out);
    assert_eq!(names(folder.path()), ["loggia.toml"]);
}

#[test]
fn every_problem_of_the_configuration_is_said_and_nothing_is_made() {
    let (folder, said) = said(&[
        "serve",
        "--listen",
        "nowhere",
        "--set",
        "mcp.enable=true",
        "--set",
        "log.level=loud",
    ]);
    assert_eq!(said.code, Some(1));
    assert_eq!(said.out, "");
    for expect in [
        "`listen` is `nowhere`",
        "did you mean `mcp.enabled`?",
        "`log.level` is `loud`",
    ] {
        assert!(said.err.contains(expect), "{}", said.err);
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn what_is_no_command_is_refused() {
    for arguments in [&["sevre"][..], &[], &["serve", "--lisen", "x"]] {
        let (folder, said) = said(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.err);
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn the_doctor_finds_an_empty_folder_healthy_and_leaves_it_empty() {
    let (folder, said) = said(&["doctor", "--data", "data", "--set", "listen=127.0.0.1:0"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert!(
        said.out.lines().all(|line| line.starts_with("good ")),
        "{}",
        said.out
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn the_doctor_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/secret"), "short").unwrap();
    let said = Said::from(
        loggia(folder.path(), &["doctor", "--set", "listen=127.0.0.1:0"])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("BAD       secret"), "{}", said.out);
    let wrong = Said::from(
        loggia(folder.path(), &["doctor", "--set", "x=y"])
            .output()
            .unwrap(),
    );
    assert_eq!(wrong.code, Some(1), "{}", wrong.out);
    assert!(wrong.out.contains("`x` is no key"), "{}", wrong.out);
}
