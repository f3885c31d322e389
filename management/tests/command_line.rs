//! The process itself: exit codes, ready.json, tokens made beside a running hub, the end by a signal.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn hub(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadron-hub"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    hub(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Serving(Child);

impl Serving {
    fn start(data: &Path) -> Self {
        let dir = data.display().to_string();
        let mut arguments = vec![
            "serve",
            "--dev",
            "--data-dir",
            &dir,
            "--sts-endpoint",
            "http://127.0.0.1:1",
        ];
        for listener in [
            "--listen-api",
            "--listen-enrol",
            "--listen-jobs",
            "--listen-admin",
        ] {
            arguments.extend([listener, "127.0.0.1:0"]);
        }
        let child = hub(&arguments).stderr(Stdio::null()).spawn().unwrap();
        let serving = Self(child);
        let began = Instant::now();
        while !data.join("ready.json").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "no ready.json");
            std::thread::sleep(Duration::from_millis(20));
        }
        serving
    }

    /// Asks it to end and gives its exit code.
    fn stop(mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < Duration::from_secs(15), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_wrong_configuration_is_told_in_full_before_anything_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hub.toml");
    std::fs::write(&file, "data_dir = \"x\"\n[listen]\nenroll = \"127.0.0.1:1\"\n").unwrap();
    for command in ["check-config", "serve", "migrate"] {
        let output = run(&[command, "--config", file.to_str().unwrap()]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{told}");
        assert!(
            told.contains("hub.toml:3: listen.enroll: unknown key; did you mean listen.enrol?"),
            "{told}"
        );
        assert!(told.contains("management.account: missing"), "{told}");
    }
    assert!(!dir.path().join("x").exists());
    let missing = run(&["check-config", "--config", "/nowhere/hub.toml"]);
    assert_eq!(missing.status.code(), Some(64));
    assert_eq!(run(&["check-config", "--no-such-flag"]).status.code(), Some(2));
    let good = run(&["check-config", "--dev", "--data-dir", "/nowhere"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert!(text(&good.stdout).contains("111111111111 in us-east-1"));
    assert!(text(&run(&["version"]).stdout).starts_with("hadron-hub 0."));
}

#[test]
fn tokens_and_keys_are_made_beside_a_running_hub() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let path = data.display().to_string();
    let admin = |arguments: &[&str]| run(&[&["admin"], arguments, &["--dev", "--data-dir", &path]].concat());

    let early = admin(&["token", "list"]);
    assert_eq!(early.status.code(), Some(1));

    let serving = Serving::start(&data);
    let made = admin(&[
        "token",
        "create",
        "--name",
        "ci",
        "--role",
        "administrator",
        "--expires",
        "30d",
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let token = text(&made.stdout);
    assert!(
        token.starts_with("hadron_") && token.trim_end().len() == 50,
        "{token}"
    );
    let again = admin(&["token", "create", "--name", "ci", "--role", "developer"]);
    assert!(!again.status.success());
    assert!(
        text(&again.stderr).contains("token disable ci"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(
        admin(&["token", "create", "--name", "x", "--role", "king"])
            .status
            .code(),
        Some(2)
    );

    let listed = text(&admin(&["token", "list"]).stdout);
    assert!(
        listed.contains("ci") && listed.contains("administrator") && listed.contains("good"),
        "{listed}"
    );
    assert!(!listed.contains(token.trim_end()));
    assert!(admin(&["token", "disable", "ci"]).status.success());
    assert!(text(&admin(&["token", "list"]).stdout).contains("disabled"));
    assert!(!admin(&["token", "disable", "nobody"]).status.success());

    // Access keys in the two forms that AWS clients take.
    let made = admin(&[
        "access-key",
        "create",
        "ci",
        "--role",
        "developer",
        "--expires",
        "90d",
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let lines = text(&made.stdout);
    let lines: Vec<&str> = lines.lines().collect();
    let id = lines[0].strip_prefix("export AWS_ACCESS_KEY_ID=HUBA").unwrap();
    let secret = lines[1].strip_prefix("export AWS_SECRET_ACCESS_KEY=").unwrap();
    assert!(
        lines.len() == 2 && id.len() == 16 && secret.len() == 44,
        "{lines:?}"
    );
    let json = admin(&[
        "access-key",
        "create",
        "robot",
        "--role",
        "auditor",
        "--output",
        "json",
    ]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["Version"], 1);
    assert!(json["SecretAccessKey"].as_str().unwrap().len() == 44 && json.get("Expiration").is_none());
    let robot = json["AccessKeyId"].as_str().unwrap();
    let again = admin(&["access-key", "create", "ci", "--role", "developer"]);
    assert!(
        text(&again.stderr).contains("access-key disable ci"),
        "{}",
        text(&again.stderr)
    );
    let owner = admin(&["access-key", "create", "own", "--role", "owner"]);
    assert!(
        text(&owner.stderr).contains("hadron credentials"),
        "{}",
        text(&owner.stderr)
    );
    let listed = text(&admin(&["access-key", "list"]).stdout);
    assert!(
        listed.contains(robot) && listed.contains("developer") && listed.contains("LAST USED"),
        "{listed}"
    );
    assert!(!listed.contains(secret), "{listed}");
    assert!(admin(&["access-key", "disable", "ci"]).status.success());
    assert!(admin(&["access-key", "disable", robot]).status.success());
    let twice = admin(&["access-key", "disable", "ci"]);
    assert!(
        text(&twice.stderr).contains("access-key list"),
        "{}",
        text(&twice.stderr)
    );
    assert_eq!(
        text(&admin(&["access-key", "list"]).stdout)
            .matches("disabled")
            .count(),
        2
    );
    let copy = dir.path().join("copy.db");
    let backup = text(&admin(&["backup", copy.to_str().unwrap()]).stderr);
    assert!(
        backup.contains("ca.pem") && backup.contains("seal.key"),
        "{backup}"
    );

    let ready: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data.join("ready.json")).unwrap()).unwrap();
    let pin = admin(&["ca-pin"]);
    assert_eq!(text(&pin.stdout).trim_end(), ready["ca_pin"]);
    assert_eq!(text(&admin(&["pin"]).stdout), text(&pin.stdout));
    let keys: Vec<&String> = ready.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["api", "enrol", "jobs", "admin", "ca_file", "ca_pin", "hub_id"]
    );

    assert_eq!(serving.stop(), Some(0));
    assert!(!data.join("ready.json").exists());
}
