//! The attack suite, each group as one test, with everything that `cargo xtask attacks` looks at.

#![expect(
    clippy::unwrap_used,
    reason = "an attack that cannot be made has failed, and says where"
)]

use hadron_tests::attacks;

/// Makes the attacks of a group; fails when one of them was not refused as it has to be.
async fn group(name: &str) {
    let report = attacks::perform(name, &[]).await.unwrap();
    println!("{}", report.line());
    let amiss: Vec<String> = report
        .amiss
        .iter()
        .map(|one| format!("{}:\n  {}", one.id, one.what.join("\n  ")))
        .collect();
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
    assert!(report.passed > 0, "{name} did nothing");
}

/// A test for each group, named like it.
macro_rules! groups {
    ($($name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                group(stringify!($name)).await;
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

groups! {
    enrolment,
    sessions,
    agents,
    templates,
    documents,
    ssrf,
    api,
    rights,
}

#[test]
fn every_group_has_a_test() {
    assert_eq!(
        TESTED,
        attacks::groups(),
        "a line for each in tests/attacks/main.rs, in the same order"
    );
}
