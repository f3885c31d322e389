//! Rows in, figures and words out.

use std::path::Path;

use super::*;

fn machine() -> Machine {
    Machine::here(Path::new("/"))
}

fn row(system: &str, round: u32, rate: f64) -> Row {
    let mut row = Row::new("W1", "16 outstanding, 16 agents", 16.0, system, round);
    row.set("rate", rate);
    row
}

fn run(rows: Vec<Row>) -> Run {
    Run {
        machine: machine(),
        command: "bench".to_owned(),
        at: String::new(),
        version: "0".to_owned(),
        seconds: 1.0,
        missing: BTreeMap::new(),
        rows,
    }
}

#[test]
fn ratios_are_taken_by_round_and_void_rounds_do_not_count() {
    let limit = |round, rate| Row {
        limit: true,
        ..row("limit", round, rate)
    };
    let mut rows = vec![
        row(PROJECT, 0, 50.0),
        limit(0, 100.0),
        row("peer", 0, 25.0),
        row(PROJECT, 1, 500.0),
        limit(1, 1_000.0),
        row("peer", 1, 1_000.0),
        row("other", 1, 10.0),
        row(PROJECT, 2, 9.0),
        limit(2, 1.0),
    ];
    rows[7].void = Some("busy".to_owned());
    let run = run(rows);
    let (near, ahead) = run.score(&SPECS[1], "16 outstanding, 16 agents", false);
    assert_eq!(near, Some(0.5));
    // 2 in the first round, 0.5 in the second against the better of two.
    assert_eq!(ahead, Some(1.25));
    let text = run.markdown(false);
    assert!(text.contains("275 (50.0..500)"), "{text}");
}

#[test]
fn a_busy_machine_gives_no_rates() {
    let mut one = row(PROJECT, 0, 50.0);
    one.void = Some("busy".to_owned());
    one.set("server_us", 70.0);
    let run = run(vec![one]);
    let text = run.markdown(false);
    assert!(
        text.contains("not measurable") && text.contains("70.0 *"),
        "{text}"
    );
    assert!(run.markdown(true).contains("50.0 *"));
}

#[test]
fn growth_is_told_per_decade() {
    let mut rows = Vec::new();
    for (size, ended) in [(10.0, 1.0), (100.0, 10.0), (1_000.0, 1_000.0)] {
        let mut row = Row::new("W2", format!("{size} agents"), size, PROJECT, 0);
        row.set("ended_ms", ended);
        rows.push(row);
    }
    let run = run(rows);
    let exponents = run.exponents(&SPECS[2], PROJECT, "ended_ms", false);
    let rounded: Vec<f64> = exponents
        .iter()
        .map(|(_, _, exponent)| exponent.round())
        .collect();
    assert_eq!(rounded, [1.0, 2.0]);
}

#[test]
fn numbers_are_short() {
    let texts: Vec<String> = [0.0, 0.123, 12.34, 123.4, 1_234.5, 1_234_567.0]
        .map(short)
        .to_vec();
    assert_eq!(texts, ["0", "0.12", "12.3", "123", "1,234", "1,234,567"]);
}
