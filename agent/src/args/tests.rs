use clap::CommandFactory as _;

use super::*;

/// The help as it is printed, with one width for all machines.
fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let command = path.iter().fold(&mut command, |command, name| {
        command.find_subcommand_mut(name).unwrap()
    });
    command.render_long_help().to_string()
}

#[test]
fn the_help_teaches() {
    insta::assert_snapshot!("help", help(&[]));
    insta::assert_snapshot!("help-run", help(&["run"]));
    insta::assert_snapshot!("help-role", help(&["role"]));
}

#[test]
fn the_command_line_makes_sense() {
    Cli::command().debug_assert();
}

#[test]
fn every_key_is_a_flag() {
    let cli = Cli::parse_from([
        "hadron-agent",
        "run",
        "--config",
        "a.toml",
        "--hub-ca-pin",
        "sha256:00",
        "--dev",
    ]);
    let Task::Run(run) = cli.command else {
        panic!("another command")
    };
    let given: Vec<(&str, &str)> = run
        .overrides
        .0
        .iter()
        .map(|over| (over.path, over.text.as_str()))
        .collect();
    assert_eq!(given, [("hub.ca_pin", "sha256:00"), ("dev", "true")]);
    assert_eq!(run.overrides.0[0].origin.to_string(), "--hub-ca-pin");
}

#[test]
fn making_and_adopting_exclude_each_other() {
    let role = "arn:aws:iam::333333333333:role/Proton";
    assert!(Cli::try_parse_from(["hadron-agent", "role", "--create", "--adopt", role]).is_err());
    assert!(Cli::try_parse_from(["hadron-agent", "role", "--endpoint-url", "http://127.0.0.1:1"]).is_err());
}

#[test]
fn the_registrys_policy_is_for_the_management_account() {
    let role = ["hadron-agent", "role", "--registry-policy"];
    let error = Cli::try_parse_from(role).unwrap_err().to_string();
    assert!(error.contains("--management"), "{error}");
    assert!(Cli::try_parse_from(role.iter().chain(&["--management"])).is_ok());
}
