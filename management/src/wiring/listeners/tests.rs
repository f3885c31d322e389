//! What becomes of connections whose other end, or this one, gets no processor for a while. The clock is stopped: it goes on
//! when nobody has anything to do.

use std::io;

use futures::{StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::health_reporter;

use super::*;

const ROOM: usize = 64 * 1024;

/// Carries bytes from one to the other while the way is open, both ways.
async fn carry(from: &mut DuplexStream, to: &mut DuplexStream, mut open: watch::Receiver<bool>) {
    let mut back = open.clone();
    let (mut from_read, mut from_write) = tokio::io::split(from);
    let (mut to_read, mut to_write) = tokio::io::split(to);
    tokio::join!(
        pump(&mut from_read, &mut to_write, &mut open),
        pump(&mut to_read, &mut from_write, &mut back),
    );
}

async fn pump(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    open: &mut watch::Receiver<bool>,
) {
    let mut buffer = vec![0; ROOM];
    while let Ok(many @ 1..) = from.read(&mut buffer).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&buffer[..many]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

async fn channel(io: DuplexStream) -> Channel {
    let mut io = Some(io);
    let connector = tower::service_fn(move |_| {
        let io = io.take().map(TokioIo::new);
        async move { io.ok_or_else(|| io::Error::other("there is one connection")) }
    });
    let endpoint = Endpoint::from_static("http://hub");
    endpoint.connect_with_connector(connector).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_a_processor_for_half_a_minute_keeps_its_connection() {
    let (reporter, health) = health_reporter();
    reporter
        .set_service_status("session", ServingStatus::Serving)
        .await;
    let (near, mut far) = duplex(ROOM);
    let (mut gate, end) = duplex(ROOM);
    // The server would go with its last connection.
    let incoming = stream::iter([Ok::<_, io::Error>(near)]).chain(stream::pending());
    let hub = tokio::spawn(
        for_agents()
            .add_service(health)
            .serve_with_incoming_shutdown(incoming, std::future::pending()),
    );
    let (open, way) = watch::channel(true);
    let carried = tokio::spawn(async move { carry(&mut far, &mut gate, way).await });
    let mut session = HealthClient::new(channel(end).await)
        .watch(HealthCheckRequest {
            service: "session".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    let serving = session.message().await.unwrap().unwrap();
    assert_eq!(serving.status, 1);

    // The hub's ping waits all that time, and its answer with it.
    open.send_replace(false);
    sleep(AGENT_PING_EVERY + Duration::from_secs(30)).await;
    open.send_replace(true);
    reporter
        .set_service_status("session", ServingStatus::NotServing)
        .await;
    let told = session.message().await.unwrap().unwrap();
    assert_eq!(told.status, 2);

    // One that is gone for good is let go, without anybody saying so.
    let began = Instant::now();
    open.send_replace(false);
    sleep(AGENT_PING_EVERY * 2 + AGENT_PING_TIMEOUT).await;
    open.send_replace(true);
    let ended = session.message().await;
    assert!(
        !matches!(ended, Ok(Some(_))),
        "{ended:?} after {:?}",
        began.elapsed()
    );
    hub.abort();
    carried.abort();
}
