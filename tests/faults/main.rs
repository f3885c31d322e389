//! Every campaign of the fault harness in its short form, each as one test, with the checker of the full one.

#![expect(
    clippy::unwrap_used,
    reason = "a campaign that cannot go on has failed, and says where"
)]

use hadron_tests::faults::{self, Options};

/// Runs a campaign's short form; fails on the first promise broken, after having printed the report.
async fn short(name: &str) {
    let campaign = faults::find(name).unwrap();
    let report = campaign.perform(&Options::short()).await.unwrap();
    println!("{}", report.line());
    assert!(
        report.violations.is_empty(),
        "{name} with seed {}:\n{}",
        report.seed,
        report.violations.join("\n")
    );
    assert!(report.n > 0, "{name} did nothing");
}

/// A test for each campaign, named like it.
macro_rules! short {
    ($($(#[$when:meta])? $test:ident: $name:literal,)*) => {
        $(
            $(#[$when])?
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                short($name).await;
            }
        )*

        const TESTED: &[&str] = &[$($(#[$when])? $name),*];
    };
}

short! {
    chance: "chance",
    agent_kills: "agent-kills",
    hub_kills: "hub-kills",
    both_kills: "both-kills",
    replicas: "replicas",
    rolling_restart: "rolling-restart",
    stale_agents: "stale-agents",
    postgres: "postgres",
    promotion: "promotion",
    lost_commits: "lost-commits",
    network: "network",
    aws: "aws",
    grant_kills: "grant-kills",
    points: "points",
    double_crash: "double-crash",
    disk_loss: "disk-loss",
    full_disks: "full-disks",
    models: "models",
    #[cfg(feature = "simulation")]
    simulation: "simulation",
    #[cfg(feature = "simulation")]
    seeded_bugs: "seeded-bugs",
}

/// Without them the campaigns would kill nobody; and what a release is searched for is there to be found.
#[test]
fn the_programs_of_the_tests_can_fail_on_purpose() {
    for program in ["hadron-hub", "hadron-agent"] {
        faults::release::armed(&hadron_tests::paths::binary(program).unwrap()).unwrap();
    }
}

#[test]
fn every_campaign_has_a_test() {
    let campaigns: Vec<&str> = faults::CAMPAIGNS.iter().map(|campaign| campaign.name).collect();
    assert_eq!(
        TESTED, campaigns,
        "a line for each in tests/faults/main.rs, in the same order"
    );
}
