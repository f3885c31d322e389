//! The webhook, told over a real connection: in order, signed, once more after a failure, and on after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hadron_management::app::events::Sinks;
use hadron_management::app::{App, Settings};
use hadron_management::reconcile;
use hadron_management::webhook::Webhook;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::scenarios;
use crate::world::{PRODUCTION, STAGING, World, settings};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Long enough for a machine under load; nothing waits for it that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who is told.
struct Listener {
    url: String,
    told: mpsc::UnboundedReceiver<(HeaderMap, String)>,
    broken: Arc<AtomicBool>,
    _server: JoinSet<()>,
}

type Shared = (mpsc::UnboundedSender<(HeaderMap, String)>, Arc<AtomicBool>);

async fn hear(State((sender, broken)): State<Shared>, headers: HeaderMap, body: String) -> StatusCode {
    // Broken for one call.
    if broken.swap(false, Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    sender.send((headers, body)).unwrap();
    StatusCode::NO_CONTENT
}

impl Listener {
    async fn start() -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let broken = Arc::new(AtomicBool::new(false));
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", socket.local_addr().unwrap());
        let app = Router::new()
            .route("/events", axum::routing::post(hear))
            .with_state((sender, Arc::clone(&broken)));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(socket, app).await.unwrap() });
        Self {
            url,
            told,
            broken,
            _server: server,
        }
    }

    /// The pause after a failure goes by the hub's clock, which stands still on SQLite: it moves on while nothing is heard.
    async fn heard(&mut self, world: &World) -> (HeaderMap, String) {
        loop {
            match tokio::time::timeout(Duration::from_millis(100), self.told.recv()).await {
                Ok(told) => return told.unwrap(),
                Err(_) => world.test.clock.advance(Duration::from_secs(1)),
            }
        }
    }

    /// The next event, whose signature fits: what has which status.
    async fn next(&mut self, world: &World) -> String {
        let (headers, body) = tokio::time::timeout(PATIENCE, self.heard(world))
            .await
            .expect("an event in time");
        let signature = headers["hadron-signature"].to_str().unwrap();
        let (at, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let bytes: Vec<u8> = (0..tag.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap())
            .collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        hmac::verify(&key, format!("{at}.{body}").as_bytes(), &bytes).unwrap();
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(headers["hadron-event-id"], event["id"].as_str().unwrap());
        let resource = event["resources"][0].as_str().unwrap();
        let account = resource.split(':').nth(4).unwrap();
        format!("{account} {}", event["detail"]["status"].as_str().unwrap())
    }
}

/// The part of a hub that tells, and how to stop it.
struct Telling {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Telling {
    async fn start(app: &App, url: &str) -> Self {
        // Being asked for the first time is where telling begins; the task does it, too, but later than this test may go on.
        app.claim_events(1, Duration::ZERO).await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let webhook = Webhook::new(url, SECRET, true).unwrap();
        let tasks = reconcile::start(app, reconcile::Replica::default(), Some(webhook), &stopping);
        Self { stop, tasks }
    }

    async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

scenarios! {
    async fn a_webhook_is_told_in_order_through_failures_and_restarts(world: World) {
        let sinks = Sinks { webhook: true, put_events: None };
        let app = App::new(world.test.db.clone(), world.test.clock.clone(), Settings { events: sinks, ..settings() });
        let mut listener = Listener::start().await;
        let hub = Telling::start(&app, &listener.url).await;
        let connection = world.request(PRODUCTION, "prd").await.unwrap();
        assert_eq!(listener.next(&world).await, format!("{PRODUCTION} PENDING"));
        world.accept(connection, PRODUCTION).await.unwrap();
        assert_eq!(listener.next(&world).await, format!("{PRODUCTION} CONNECTED"));
        hub.stop().await;

        // What happens while nobody tells is told afterwards, and a failure changes nothing about the order.
        world.request(PRODUCTION, "one").await.unwrap();
        let other = world.request(STAGING, "two").await.unwrap();
        world.accept(other, STAGING).await.unwrap();
        listener.broken.store(true, Ordering::SeqCst);
        let hub = Telling::start(&app, &listener.url).await;
        assert_eq!(listener.next(&world).await, format!("{PRODUCTION} PENDING"));
        assert_eq!(listener.next(&world).await, format!("{STAGING} PENDING"));
        assert_eq!(listener.next(&world).await, format!("{STAGING} CONNECTED"));
        assert!(!listener.broken.load(Ordering::SeqCst), "one call was refused");
        hub.stop().await;
        assert!(listener.told.try_recv().is_err(), "nothing is told twice when nothing breaks");
    }
}
