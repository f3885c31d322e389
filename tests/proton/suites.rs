//! The suites, and what world each of them needs. They are cut so that each takes well under a minute.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hadron_tests::clients::Clients;
use hadron_tests::emulator::Options;
use hadron_tests::{DEV, PROD, World, coverage, invariants};
use serde_json::json;

/// How long suites may take before they are ended.
const PATIENCE: Duration = Duration::from_secs(170);

/// A world with agents in all three accounts, of which two are not connected yet.
pub(crate) async fn world(hub: &str) -> Result<(World, Clients)> {
    let mut world = World::with(Options::default(), hub).await?;
    world.start_agent(DEV, "").await?;
    world.start_agent(PROD, "").await?;
    let clients = Clients::of(&world).await?;
    Ok((world, clients))
}

/// Runs suites in a world of their own, and looks at it afterwards.
async fn run(name: &str, suites: &[&str]) -> Result<()> {
    let (world, clients) = Box::pin(world("")).await?;
    println!("{}", clients.python(name, suites, PATIENCE).await?);
    coverage::contains(name)?;
    Box::pin(invariants::hold(&world, &[]))
        .await
        .context("the world afterwards")
}

#[tokio::test]
async fn templates() -> Result<()> {
    run("templates", &["templates"]).await
}

#[tokio::test]
async fn connections() -> Result<()> {
    run("connections", &["connections"]).await
}

#[tokio::test]
async fn environments() -> Result<()> {
    run("environments", &["environments"]).await
}

#[tokio::test]
async fn services() -> Result<()> {
    run("services", &["services"]).await
}

#[tokio::test]
async fn instances_and_pipelines() -> Result<()> {
    run("instances", &["instances"]).await
}

#[tokio::test]
async fn components() -> Result<()> {
    run("components", &["components"]).await
}

/// Records of deployments are deleted in it, so that what was done cannot be compared with them.
#[tokio::test]
async fn deployments_and_links() -> Result<()> {
    let (mut world, clients) = world("").await?;
    let suites = ["deployments", "links"];
    println!("{}", clients.python("deployments", &suites, PATIENCE).await?);
    coverage::contains("deployments")?;
    world.at_rest().await.context("the world afterwards")
}

#[tokio::test]
async fn account() -> Result<()> {
    run("account", &["account"]).await
}

/// Small quotas, so that they can be used up.
#[tokio::test]
async fn quotas() -> Result<()> {
    let limits = [
        ("templates", 4),
        ("versions_per_template", 3),
        ("environments", 2),
        ("services", 2),
        ("instances_per_service", 2),
        ("components", 2),
        ("connections_per_account", 3),
    ];
    let mut hub = String::from("\n[quotas]\n");
    for (name, limit) in limits {
        hub.push_str(&format!("{name} = {limit}\n"));
    }
    let (world, clients) = world(&hub).await?;
    let limits: serde_json::Map<_, _> = limits
        .iter()
        .map(|(name, limit)| ((*name).to_owned(), json!(limit)))
        .collect();
    let clients = clients.told("quotas", limits.into());
    println!("{}", clients.python("quotas", &["quotas"], PATIENCE).await?);
    coverage::contains("quotas")?;
    invariants::hold(&world, &[]).await
}

#[tokio::test]
async fn wrong_values() -> Result<()> {
    run("wrong-values", &["wrong_values", "refused"]).await
}

#[tokio::test]
async fn signatures() -> Result<()> {
    run("signatures", &["signatures"]).await
}

/// Who wins is chance, so that nothing of it gets into the table.
#[tokio::test]
async fn races() -> Result<()> {
    let (world, clients) = world("").await?;
    println!(
        "{}",
        clients.unrecorded().python("races", &["races"], PATIENCE).await?
    );
    invariants::hold(&world, &[]).await
}

/// AWS's SDKs come again by themselves when they are told that the hub is busy.
#[tokio::test]
async fn busy() -> Result<()> {
    let (world, clients) = world("\n[limits]\napi_calls = 1\napi_queue = 1\n").await?;
    println!(
        "{}",
        clients.unrecorded().python("busy", &["busy"], PATIENCE).await?
    );
    let throttled = world.hub.gauge("hadron_api_throttled_total").await?;
    ensure!(
        throttled > 0,
        "nobody was told to come again, so nothing was seen"
    );
    Ok(())
}

/// The steps of the reference pipeline.
#[tokio::test]
async fn pipeline_steps() -> Result<()> {
    run("pipeline", &["pipeline"]).await
}

/// The smaller suite, with the JavaScript SDK.
#[tokio::test]
async fn javascript() -> Result<()> {
    let (world, clients) = world("").await?;
    println!("{}", clients.node("javascript", "main.mjs", PATIENCE).await?);
    coverage::contains("javascript")?;
    invariants::hold(&world, &[]).await
}
