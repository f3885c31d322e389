//! The fuzz client in its short form; `cargo xtask proton-fuzz --calls 10000` runs as many calls as are wanted.

use std::time::Duration;

use anyhow::Result;
use hadron_tests::invariants;
use serde_json::json;

use crate::suites::world;

/// Calls of the short form, and the seed of its chance.
const CALLS: u32 = 1_500;
const SEED: u32 = 20_200_720;

#[tokio::test]
async fn fuzz() -> Result<()> {
    let (world, clients) = world("").await?;
    let clients = clients
        .told("calls", json!(CALLS))
        .told("seed", json!(SEED))
        .unrecorded();
    println!(
        "{}",
        clients
            .python("fuzz", &["fuzz"], Duration::from_secs(250))
            .await?
    );
    invariants::hold(&world, &[]).await
}
