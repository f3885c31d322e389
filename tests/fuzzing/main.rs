//! Every fuzz target for a moment, from the corpus on, and everything that ever crashed.

use std::time::Duration;

use hadron_tests::fuzz;

/// What a target gets here; `cargo xtask fuzz --seconds 600` is for more.
const MOMENT: Duration = Duration::from_secs(2);
const SEED: u64 = 1;

#[test]
fn no_target_breaks_a_promise_in_a_moment() {
    let crashes = tempfile::tempdir().unwrap();
    let mut amiss = Vec::new();
    for target in fuzz::TARGETS {
        let report = fuzz::run(target, MOMENT, SEED, crashes.path()).unwrap();
        println!("{}", report.line());
        assert!(
            report.executions > 0 && report.outcomes > 1,
            "{} does nothing: {}",
            target.name,
            report.line()
        );
        for crash in report.crashes {
            let (file, why) = crash.split_once(": ").unwrap();
            let bytes = std::fs::read(file).unwrap();
            amiss.push(format!(
                "{}: {why}: {:?}",
                target.name,
                String::from_utf8_lossy(&bytes[..bytes.len().min(400)])
            ));
        }
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
}
