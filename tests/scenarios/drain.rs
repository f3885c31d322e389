//! A hub that is asked to stop: it says so at once, goes on answering for a while, and fails no call.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hadron_proto::wire;
use hadron_tests::emulator::Options;
use hadron_tests::{World, wait};
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request};

const LINGER: Duration = Duration::from_secs(3);

/// Calls until one fails: how many were answered, and when which error came.
async fn call(channel: Channel, token: MetadataValue<Ascii>) -> (u32, Instant, Code) {
    let mut client = wire::summary_service_client::SummaryServiceClient::new(channel);
    let mut answered = 0;
    loop {
        let mut request = Request::new(wire::GetSummaryRequest {});
        request.metadata_mut().insert("authorization", token.clone());
        match client.get_summary(request).await {
            Ok(_) => answered += 1,
            Err(status) => return (answered, Instant::now(), status.code()),
        }
    }
}

async fn readyz(world: &World) -> Result<u16> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/readyz", world.hub.ready().admin);
    Ok(client.get(url).send().await?.status().as_u16())
}

async fn fails_no_call() -> Result<()> {
    let options = "\n[limits]\nlinger_seconds = 3\n";
    let mut world = World::with(Options::default(), options).await?;
    world.online(hadron_tests::MANAGEMENT, true).await?;
    let token = world.hub.token("load", "auditor")?;
    let token: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        callers.spawn(call(world.door().await?, token.clone()));
    }
    ensure!(readyz(&world).await? == 200, "not ready");

    let asked = Instant::now();
    world.hub.process().signal("TERM")?;
    wait::until("readiness to be taken back", Duration::from_secs(5), || async {
        Ok((readyz(&world).await? == 503).then_some(()))
    })
    .await?;
    // A load balancer that has not noticed yet still brings new callers.
    callers.spawn(call(world.door().await?, token.clone()));
    while let Some(ended) = callers.join_next().await {
        let (answered, at, code) = ended.context("a caller")?;
        ensure!(answered > 0, "a caller was never answered");
        ensure!(
            at - asked >= LINGER,
            "a call failed {:?} after the signal: {code:?}",
            at - asked
        );
        // The connection is closed between two calls; a client connects anew, to another hub.
        ensure!(
            matches!(code, Code::Unavailable | Code::Unknown | Code::Cancelled),
            "a call failed by something else than the end of its connection: {code:?}"
        );
    }
    let process = world.hub.process();
    let ended = wait::until("the hub to end", Duration::from_secs(15), || {
        let ended = process.alive().err().map(|error| format!("{error:#}"));
        async move { Ok(ended) }
    })
    .await?;
    ensure!(ended.contains("exit status: 0"), "{ended}");
    ensure!(ended.contains("Stopped"), "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_asked_to_stop_fails_no_call() {
    fails_no_call().await.unwrap();
}
