//! The suites, and what world each of them needs. They are cut so that each takes well under a minute.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hadron_tests::clients::Clients;
use hadron_tests::emulator::Options;
use hadron_tests::{DEV, PROD, World, invariants};

use crate::table;

/// How long suites may take before they are ended.
const PATIENCE: Duration = Duration::from_secs(170);

/// A world with agents in all three accounts, of which two are not connected yet.
async fn world(hub: &str) -> Result<(World, Clients)> {
    let mut world = World::with(Options::default(), hub).await?;
    world.start_agent(DEV, "").await?;
    world.start_agent(PROD, "").await?;
    let clients = Clients::of(&world).await?;
    Ok((world, clients))
}

/// Runs suites in a world of their own, and looks at it afterwards. `left` says that stacks stay behind which nobody has any
/// more, as the suite wants it.
async fn run(name: &str, suites: &[&str], hub: &str) -> Result<()> {
    let (world, clients) = world(hub).await?;
    let printed = clients.python(name, suites, PATIENCE).await?;
    println!("{printed}");
    table::holds(name)?;
    invariants::hold(&world, &[]).await.context("the world afterwards")
}

#[tokio::test]
async fn templates() -> Result<()> {
    run("templates", &["templates"], "").await
}
