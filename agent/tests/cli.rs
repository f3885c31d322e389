//! The binary as scripts and supervisors see it: exit codes, and what goes to which stream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/agent/agent.example.toml");

fn agent(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadron-agent"));
    command.args(args).env_clear().envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn a_good_configuration_is_explained() {
    let output = agent(
        &["check-config", "--config", EXAMPLE],
        &[("HADRON_AGENT_CAPACITY", "7")],
    );
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), Some(0), "{output:?}");
    assert!(
        out.contains("up to 7 jobs at once") && out.contains("https://hub.example.com:8445"),
        "{out}"
    );
}

#[test]
fn a_wrong_configuration_ends_with_64_before_anything_happens() {
    for command in ["check-config", "run"] {
        let output = agent(
            &[command, "--config", EXAMPLE, "--hub-jobs", "hub"],
            &[("HADRON_AGENT_REGION", "mars")],
        );
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), Some(64), "{output:?}");
        assert!(err.contains("--hub-jobs: hub.jobs: 'hub'"), "{err}");
        assert!(err.contains("HADRON_AGENT_REGION: region: 'mars'"), "{err}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    assert_eq!(code(&agent(&["run", "--hub-job", "x"], &[])), Some(2));
    assert_eq!(code(&agent(&["--log", "a=b=c", "check-config"], &[])), Some(2));
}

#[test]
fn documents_go_to_standard_output_and_need_no_credentials() {
    let output = agent(
        &["role", "--account", "333333333333", "--format", "cloudformation"],
        &[],
    );
    assert_eq!(code(&output), Some(0), "{output:?}");
    let template: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a template");
    assert!(template["Resources"]["Boundary"].is_object());
}

#[test]
fn an_agent_without_credentials_says_so_and_ends_with_1() {
    let state = tempfile::tempdir().expect("a directory");
    let state = state.path().to_string_lossy().into_owned();
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HADRON_AGENT_STATE_DIR", state.as_str()),
    ];
    let output = agent(&["run", "--config", EXAMPLE], &variables);
    assert_eq!(code(&output), Some(1), "{output:?}");
    let last = String::from_utf8_lossy(&output.stderr)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned();
    let line: serde_json::Value = serde_json::from_str(&last).expect("logs are JSON");
    assert_eq!(line["level"], "ERROR");
    assert!(
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("cannot ask STS")),
        "{line}"
    );
}

/// Answers every request as STS answers `GetCallerIdentity`.
fn sts() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 8192]);
            let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                <Arn>arn:aws:sts::333333333333:assumed-role/hadron-agent/i-1</Arn><UserId>AROA1:i-1</UserId>\
                <Account>333333333333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    format!("http://{at}")
}

#[test]
fn sigterm_ends_an_agent_that_waits_for_its_hub() {
    let (sts, state) = (sts(), tempfile::tempdir().expect("a directory"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_hadron-agent"))
        .args([
            "run",
            "--dev",
            "--config",
            EXAMPLE,
            "--hub-enrol",
            "https://127.0.0.1:9",
            "--endpoint-url",
            &sts,
        ])
        .env("HADRON_AGENT_STATE_DIR", state.path())
        .env("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEEXAMPLE00")
        .env("AWS_SECRET_ACCESS_KEY", "example")
        .env("AWS_SESSION_TOKEN", "example")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let waiting = lines.by_ref().find(|line| line.contains("Cannot enrol"));
    assert!(waiting.is_some());
    let kill = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .expect("kill runs");
    assert!(kill.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{rest:?}");
}
