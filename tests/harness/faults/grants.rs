//! Pull grants come and go while the agent that writes the policies is killed, and somebody else writes them too.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::{Instant, sleep};

use super::ground::{Ground, leases};
use super::{Options, Report, Times};
use crate::cluster::Setup;
use crate::{DEV, MANAGEMENT, PROD};

/// Statements of somebody else's, as no program of ours would write them.
const FOREIGN: [&str; 3] = [
    r#"{"Sid":"ZFirst","Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}}"#,
    r#"{"Action":["ecr:DescribeImages"],"Principal":{"AWS":"444444444444"},"Effect":"Allow"}"#,
    r#"{"Sid":"Numbers","Effect":"Deny","Principal":{"AWS":["arn:aws:iam::555555555555:root"]},"Action":"ecr:*","Condition":{"NumericEquals":{"x:y":1.50e+3}}}"#,
];

/// A service gains and loses an instance in a second account; meanwhile the management account's agent, or the hub, is
/// killed. Measured: until the service and its grants are as wanted.
pub(super) async fn campaign(options: &Options) -> Result<Report> {
    let cycles = options.cycles(3, 100);
    let setup = Setup {
        hub: leases(6),
        ..Setup::default()
    };
    let mut ground = Ground::new(&setup, 1).await?;
    let mut report = Report::new("grant-kills", options.seed);
    let mut chance = options.chance("grants");
    ground.world.publish_examples().await?;
    ground.world.environment("prd", PROD).await?;
    ground.world.environment("dev", DEV).await?;
    ground.world.service("shop", &[("live", "prd")]).await?;
    ground.world.granted("shop", &[PROD]).await?;
    let policy = format!(
        r#"{{"Version":"2008-10-17","Statement":[{}]}}"#,
        FOREIGN.join(",")
    );
    ground.world.set_policy("shop", &policy).await?;
    ground.foreign.insert(
        "shop".to_owned(),
        FOREIGN.iter().map(|text| (*text).to_owned()).collect(),
    );
    let one = ground.world.service_spec("one", &[("live", "prd")])?;
    let two = ground
        .world
        .service_spec("two", &[("live", "prd"), ("trial", "dev")])?;
    let mut times = Times::default();
    for cycle in 0..cycles {
        let (spec, accounts): (&str, &[&str]) = if cycle % 2 == 0 {
            (&two, &[DEV, PROD])
        } else {
            (&one, &[PROD])
        };
        let world = &mut ground.world;
        world
            .admin
            .ok(&["service", "update", "shop", "--spec", spec])
            .await?;
        sleep(chance.time(Duration::from_secs(3))).await;
        if chance.percent(70) {
            world.agent(MANAGEMENT).restart()?;
        } else {
            world.hub.restart().await?;
        }
        let back = Instant::now();
        world.active("shop").await?;
        world.granted("shop", accounts).await?;
        times.push(back.elapsed());
        let text = world
            .policy_text("shop")
            .await?
            .context("the repository has a policy")?;
        ensure!(text.contains("HadronPull"), "nothing of ours in {text}");
        ground.watch_leases().await?;
        report.n += 1;
    }
    report.time(&times);
    ground.close(options, &mut report, &[]).await?;
    Ok(report)
}
