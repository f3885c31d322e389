//! Waiting: follows deployments and services until they have ended, across lost connections.
//!
//! A stream that breaks is opened again with the number of the last event, so that nothing is missed and nothing is
//! told twice. Ctrl-C and the time limit only end the waiting; what was begun goes on at the hub.

use std::time::Duration;

use futures::future::{FutureExt as _, LocalBoxFuture};
use futures::stream::{FuturesUnordered, StreamExt as _};
use hadron_proto::wire;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status, Streaming};

use super::{Context, at};
use crate::client::{Hub, plainly, within};
use crate::error::{Exit, Failure, Result};
use crate::progress::{Board, Event, Head, Resource, Track, goes_on};

/// How long the hub may stay away before the waiting is given up.
const GIVE_UP: Duration = Duration::from_secs(300);

/// The first and the longest pause before a stream is opened again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// What followers report.
enum News {
    Deployment(String, Box<wire::DeploymentUpdate>),
    Service(Box<wire::Service>),
    Gone,
    Note(String),
}

/// Waits for a deployment to end and gives its last form.
pub(crate) async fn deployment(
    cx: &Context,
    id: &str,
    after: u64,
    timeout: Duration,
) -> Result<wire::Deployment> {
    let hub = cx.hub()?;
    let mut board = Board::stderr();
    let mut track = Track::new(id);
    let mut last = None;
    let work = async {
        let (tell, mut hear) = unbounded_channel();
        let mut run = watch_deployment(hub, id.to_owned(), after, tell).boxed_local();
        let mut ended = false;
        while !ended || !hear.is_empty() {
            tokio::select! {
                biased;
                Some(news) = hear.recv() => match news {
                    News::Deployment(_, update) => {
                        let lines = take(&mut track, &update);
                        board.show(&lines, std::iter::once(&track));
                        last = update.deployment.or_else(|| last.take());
                    }
                    News::Note(note) => board.note(&note),
                    News::Service(_) | News::Gone => {}
                },
                done = &mut run, if !ended => {
                    done?;
                    ended = true;
                }
            }
        }
        Ok(())
    };
    let ended = until(
        work,
        timeout,
        &[
            format!("hadron deployment watch {id}"),
            format!("hadron deployment cancel {id}"),
        ],
    )
    .await;
    board.close();
    let waits = last
        .as_ref()
        .map(|last: &wire::Deployment| last.waiting_for.clone())
        .unwrap_or_default();
    match ended {
        Err(failure) if failure.exit == Exit::TimedOut && !waits.is_empty() => {
            Err(failure.why(format!("it waits for {waits}")))
        }
        Err(failure) => Err(failure),
        Ok(()) => last.ok_or_else(|| {
            Failure::new(
                Exit::Failure,
                format!("the hub told nothing about deployment {id}"),
            )
        }),
    }
}

/// What a service is expected to become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    /// ACTIVE, all its deployments are of interest.
    Created,
    /// ACTIVE, only those that run now or begin from now on.
    Updated,
    /// Gone.
    Deleted,
}

/// Waits for a service and all its deployments; gives its last form, or `None` when it is gone.
pub(crate) async fn service(
    cx: &Context,
    name: &str,
    toward: Toward,
    timeout: Duration,
) -> Result<Option<wire::Service>> {
    let hub = cx.hub()?;
    let mut board = Board::stderr();
    let mut tracks: Vec<(String, Track)> = Vec::new();
    let mut last: Option<wire::Service> = None;
    let mut gone = false;
    let work = async {
        let (tell, mut hear): (_, UnboundedReceiver<News>) = unbounded_channel();
        let mut runs: FuturesUnordered<LocalBoxFuture<'_, Result<()>>> = FuturesUnordered::new();
        runs.push(watch_service(hub, name.to_owned(), toward, tell.clone()).boxed_local());
        while !(runs.is_empty() && hear.is_empty()) {
            tokio::select! {
                biased;
                Some(news) = hear.recv() => match news {
                    News::Service(now) => {
                        let first = last.is_none();
                        for (target, id, status) in parts(&now) {
                            let of_interest = goes_on(&status) || !first || toward == Toward::Created;
                            if id.is_empty() || !of_interest || tracks.iter().any(|(known, _)| *known == id) {
                                continue;
                            }
                            tracks.push((id.clone(), Track::new(target)));
                            runs.push(watch_part(hub, id, tell.clone()).boxed_local());
                        }
                        if last.as_ref().is_none_or(|last| last.status != now.status) {
                            let why = if now.status_message.is_empty() { String::new() } else { format!(": {}", now.status_message) };
                            board.note(&format!("service {name}: {}{why}", now.status));
                        }
                        last = Some(*now);
                    }
                    News::Gone => {
                        gone = true;
                        board.note(&format!("service {name}: deleted"));
                    }
                    News::Deployment(id, update) => {
                        let lines = match tracks.iter_mut().find(|(known, _)| *known == id) {
                            Some((_, track)) => take(track, &update),
                            None => Vec::new(),
                        };
                        board.show(&lines, tracks.iter().map(|(_, track)| track));
                    }
                    News::Note(note) => board.note(&note),
                },
                Some(done) = runs.next(), if !runs.is_empty() => done?,
            }
        }
        Ok(())
    };
    let ended = until(
        work,
        timeout,
        &[
            format!("hadron service get {name}"),
            "hadron deployment list --active".to_owned(),
        ],
    )
    .await;
    board.close();
    ended?;
    Ok(if gone { None } else { last })
}

/// Target, deployment and status of every part of a service.
fn parts(service: &wire::Service) -> Vec<(String, String, String)> {
    let instances = service.instances.iter().map(|one| {
        (
            format!("instance {}/{}", one.service_name, one.name),
            &one.deployment,
        )
    });
    let pipeline = service
        .pipeline
        .iter()
        .map(|one| (format!("pipeline {}", one.service_name), &one.deployment));
    instances
        .chain(pipeline)
        .filter_map(|(target, state)| {
            let state = state.as_ref()?;
            Some((
                target,
                state.last_attempted_deployment_id.clone(),
                state.status.clone(),
            ))
        })
        .collect()
}

/// Ends work at Ctrl-C and when time is up.
pub(crate) async fn until<T>(
    work: impl Future<Output = Result<T>>,
    timeout: Duration,
    attach: &[String],
) -> Result<T> {
    let stopped = |exit, what: String| {
        attach.iter().fold(Failure::new(exit, what), |failure, next| {
            failure.next(next.clone())
        })
    };
    tokio::select! {
        done = work => done,
        // Without a signal handler there is nothing to detach with; waiting goes on.
        Ok(()) = tokio::signal::ctrl_c() => Err(stopped(Exit::Interrupted, "detached; it goes on at the hub".to_owned())),
        () = tokio::time::sleep(timeout) => {
            Err(stopped(Exit::TimedOut, format!("not finished after {} s; it goes on at the hub", timeout.as_secs())))
        }
    }
}

fn take(track: &mut Track, update: &wire::DeploymentUpdate) -> Vec<String> {
    let head = update.deployment.as_ref().map(|deployment| Head {
        target: format!("{} {}", deployment.target_kind, deployment.target),
        status: deployment.status.clone(),
        message: deployment.status_message.clone(),
        waiting_for: deployment.waiting_for.clone(),
        planned: deployment.changes.len(),
    });
    track.take(head, update.events.iter().map(event).collect())
}

fn event(event: &wire::DeploymentEvent) -> Event {
    let resource = event.stack_event.as_ref().map(|stack| Resource {
        id: stack.logical_id.clone(),
        kind: stack.resource_type.clone(),
        status: stack.status.clone(),
        reason: stack.reason.clone(),
    });
    Event {
        sequence: event.sequence,
        at: at(event.at.as_ref()),
        source: event.source.clone(),
        message: event.message.clone(),
        resource,
    }
}

/// Patience with a hub that goes away and comes back.
struct Outage {
    since: Option<Instant>,
    /// Whether the person was told that the connection is lost.
    told: bool,
    pause: Duration,
}

impl Outage {
    const fn none() -> Self {
        Self {
            since: None,
            told: false,
            pause: PAUSE.0,
        }
    }

    /// News came: the hub is there.
    fn over(&mut self, tell: &UnboundedSender<News>) {
        self.since = None;
        if std::mem::take(&mut self.told) {
            let _ = tell.send(News::Note("connected to the hub again".to_owned()));
        }
        self.pause = PAUSE.0;
    }

    /// The stream broke or ended early. Waits a little, or gives up.
    async fn wait(
        &mut self,
        hub: &Hub,
        what: &str,
        status: Option<Status>,
        tell: &UnboundedSender<News>,
    ) -> Result<()> {
        if let Some(status) = &status {
            match status.code() {
                Code::Unauthenticated if self.since.is_none() => match hub.sign_in_again().await {
                    Ok(true) => {}
                    Ok(false) => return Err(Failure::from_status(what, status)),
                    Err(failure) if failure.exit == Exit::Unreachable => {}
                    Err(failure) => return Err(failure),
                },
                Code::Unavailable
                | Code::Unknown
                | Code::Internal
                | Code::Cancelled
                | Code::Aborted
                | Code::DataLoss
                | Code::DeadlineExceeded
                | Code::ResourceExhausted => {}
                _ => return Err(Failure::from_status(what, status)),
            }
        }
        if status.is_some() && !std::mem::replace(&mut self.told, true) {
            let _ = tell.send(News::Note(
                "lost the connection to the hub, trying again".to_owned(),
            ));
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > GIVE_UP {
            let why = status.map_or_else(
                || "the stream ends at once".to_owned(),
                |status| status.message().to_owned(),
            );
            return Err(Failure::new(Exit::Unreachable, what)
                .why(format!("no news for {} s: {why}", GIVE_UP.as_secs()))
                .next("hadron config view"));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
        Ok(())
    }
}

/// Opens a stream; the outer failure is final, the inner one may pass.
async fn open<A>(
    hub: &Hub,
    stream: impl Future<Output = Result<Response<Streaming<A>>, Status>>,
) -> Result<Result<Streaming<A>, Status>> {
    match hub.sign_in().await {
        Ok(()) => {}
        Err(failure) if failure.exit == Exit::Unreachable => {
            return Ok(Err(Status::unavailable(failure.to_string())));
        }
        Err(failure) => return Err(failure),
    }
    Ok(within(stream).await.map(Response::into_inner))
}

async fn watch_deployment(hub: &Hub, id: String, mut after: u64, tell: UnboundedSender<News>) -> Result<()> {
    let what = format!("cannot watch deployment {id}");
    let mut outage = Outage::none();
    loop {
        let request = Request::new(wire::WatchDeploymentRequest {
            id: id.clone(),
            after,
        });
        let mut deployments = hub.deployments();
        let broke = match open(hub, deployments.watch_deployment(request)).await? {
            Err(status) => Some(status),
            Ok(mut stream) => loop {
                match stream.message().await.map_err(plainly) {
                    Ok(Some(update)) => {
                        outage.over(&tell);
                        after = update
                            .events
                            .iter()
                            .map(|event| event.sequence)
                            .fold(after, u64::max);
                        let ended = update
                            .deployment
                            .as_ref()
                            .is_some_and(|now| !goes_on(&now.status));
                        let _ = tell.send(News::Deployment(id.clone(), Box::new(update)));
                        if ended {
                            return Ok(());
                        }
                    }
                    Ok(None) => break None,
                    Err(status) => break Some(status),
                }
            },
        };
        outage.wait(hub, &what, broke, &tell).await?;
    }
}

/// As part of a service: what cannot be watched is noted, the service's status decides.
async fn watch_part(hub: &Hub, id: String, tell: UnboundedSender<News>) -> Result<()> {
    match watch_deployment(hub, id, 0, tell.clone()).await {
        Err(failure) if failure.exit != Exit::Unreachable => {
            let _ = tell.send(News::Note(failure.to_string()));
            Ok(())
        }
        other => other,
    }
}

/// Whether a service with this status goes on by itself.
fn service_goes_on(status: &str) -> bool {
    status.is_empty() || status.ends_with("_IN_PROGRESS")
}

async fn watch_service(hub: &Hub, name: String, toward: Toward, tell: UnboundedSender<News>) -> Result<()> {
    let what = format!("cannot watch service '{name}'");
    let mut outage = Outage::none();
    loop {
        // The stream tells what is there; that the service has gone meanwhile is only told by asking.
        let request = wire::GetServiceRequest { name: name.clone() };
        let here = within(hub.services().get_service(request)).await;
        if toward == Toward::Deleted && here.as_ref().is_err_and(|status| status.code() == Code::NotFound) {
            let _ = tell.send(News::Gone);
            return Ok(());
        }
        let mut services = hub.services();
        let request = Request::new(wire::WatchServicesRequest { name: name.clone() });
        let broke = match open(hub, services.watch_services(request)).await? {
            Err(status) => Some(status),
            Ok(mut stream) => loop {
                match stream.message().await.map_err(plainly) {
                    Ok(Some(wire::ServiceChange { change: Some(change) })) => {
                        outage.over(&tell);
                        match change {
                            wire::service_change::Change::Service(now) if now.name == name => {
                                let ended = !service_goes_on(&now.status);
                                let _ = tell.send(News::Service(Box::new(now)));
                                if ended {
                                    return Ok(());
                                }
                            }
                            wire::service_change::Change::RemovedName(removed) if removed == name => {
                                let _ = tell.send(News::Gone);
                                return Ok(());
                            }
                            _ => {}
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(status) => break Some(status),
                }
            },
        };
        outage.wait(hub, &what, broke, &tell).await?;
    }
}
