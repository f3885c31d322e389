//! The benchmark itself works: as small as possible, for whether its checks hold and its report is written. What it
//! measures here means nothing.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::path::Path;
use std::process::{Command, Output};

fn run(out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hadron-bench"))
        .args(["run", "--smoke", "--busy", "--out"])
        .arg(out)
        .args(more)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_small_run_checks_what_it_measures_and_writes_its_report() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("report");
    let output = run(&out, &["--peers", "postgres"]);
    assert!(output.status.success(), "{}", said(&output));
    let json = std::fs::read(out.join("bench.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let rows = json["rows"].as_array().unwrap();
    for workload in ["L", "W1", "W2", "W3", "W4", "W5", "W9", "W10", "W11"] {
        let ours = rows
            .iter()
            .find(|row| row["workload"] == workload && (row["system"] == "Hadron" || workload == "L"));
        let ours = ours.unwrap_or_else(|| panic!("nothing about {workload}: {}", said(&output)));
        assert_eq!(ours["failed"], serde_json::Value::Null, "{ours}");
        assert!(!ours["values"].as_object().unwrap().is_empty(), "{ours}");
    }
    let by_worker = rows
        .iter()
        .find(|row| row["system"] == "Hadron, by a worker")
        .unwrap();
    assert!(
        by_worker["values"]["wall_us"].as_f64().unwrap() > 0.0,
        "{by_worker}"
    );
    let crashed = rows
        .iter()
        .find(|row| row["system"] == "Hadron, killed in mid-run")
        .unwrap();
    assert!(crashed["values"]["jobs"].as_f64().unwrap() > 0.0, "{crashed}");
    for row in rows {
        assert_eq!(row["failed"], serde_json::Value::Null, "{row}");
    }
    let storm = |case: &str| {
        let ours = |row: &&serde_json::Value| {
            row["workload"] == "W5" && row["case"].as_str().unwrap().contains(case)
        };
        &rows.iter().find(ours).unwrap()["values"]
    };
    assert!(storm("48 jobs wait").get("drained_s").is_some(), "{json}");
    assert!(
        storm("48 jobs wait")["peak_mib"].as_f64().unwrap() > 1.0,
        "{json}"
    );
    assert_eq!(storm("resumed")["resumed"], 8.0, "{json}");
    let text = std::fs::read_to_string(out.join("bench.md")).unwrap();
    for part in ["## W1", "| near | ahead |", "## Score", "cores ("] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let plot = std::fs::read_to_string(out.join("w2-ended_ms.svg")).unwrap();
    assert!(
        plot.contains("<polyline") && plot.contains(">Hadron</text>"),
        "{plot}"
    );
    // Nothing is left behind but the report.
    let left = std::fs::read_dir(&out)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir());
    assert_eq!(left.count(), 0);
}

#[test]
fn a_peer_that_is_not_there_is_named_and_has_no_figure() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("report");
    let nothing = Command::new(env!("CARGO_BIN_EXE_hadron-bench"))
        .args([
            "run",
            "--smoke",
            "--busy",
            "--only",
            "W1",
            "--peers",
            "redis,nats",
            "--out",
        ])
        .arg(&out)
        .env("PATH", dir.path())
        .output()
        .unwrap();
    assert!(nothing.status.success(), "{}", said(&nothing));
    let text = std::fs::read_to_string(out.join("bench.md")).unwrap();
    assert!(
        text.contains("Redis streams, plaintext: - (no redis-server in PATH"),
        "{text}"
    );
    assert!(!text.contains("| Redis"), "{text}");
}

#[test]
fn an_unknown_workload_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--only", "W77"]);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("there is no workload W77"),
        "{}",
        said(&output)
    );
}
