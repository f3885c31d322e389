//! Waiting: follows deployments and services until they have ended, across lost connections.
//!
//! A stream that breaks is opened again with the number of the last event, so that nothing is missed and nothing is
//! told twice. Ctrl-C, SIGTERM and the time limit only end the waiting; what was begun goes on at the hub.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{FutureExt as _, LocalBoxFuture};
use futures::stream::{FuturesUnordered, StreamExt as _};
use hadron_proto::{codes, wire};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::{Code, Request, Response, Status, Streaming};

use super::{Context, at};
use crate::client::{Hub, plainly, within};
use crate::error::{Exit, Failure, Result};
use crate::progress::{Board, Event, Head, REDRAW, Resource, Track, goes_on};
use crate::stop::Signal;

/// How long the hub may stay away before the waiting is given up.
pub(super) const GIVE_UP: Duration = Duration::from_secs(300);

/// The first and the longest pause before a stream is opened again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// After this time a stream that says nothing is one that works.
const STAYS: Duration = Duration::from_secs(2);

/// What followers report.
pub(super) enum News {
    /// Something may be different.
    Changed,
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
    let ended = deployments(cx, &[id.to_owned()], after, timeout).await?;
    ended.into_iter().next().ok_or_else(|| nothing(id))
}

/// Waits for some deployments to end and gives their last forms, in the order of their ids.
pub(crate) async fn deployments(
    cx: &Context,
    ids: &[String],
    after: u64,
    timeout: Duration,
) -> Result<Vec<wire::Deployment>> {
    let hub = cx.hub()?;
    let mut scene = Scene::new();
    let work = async {
        let mut runs = Runs::default();
        for id in ids {
            scene.add(id, Track::new(id.as_str()));
            runs.start(|tell| watch_deployment(hub, id.clone(), after, tell));
        }
        while let Some(event) = runs.next(&mut scene).await {
            if let News::Deployment(id, update) = event? {
                scene.take(&id, *update);
            }
        }
        Ok(())
    };
    let ended = until(cx, work, timeout).await;
    scene.close();
    let watch = cx.again(&format!("deployment watch {}", ids.join(" ")));
    let ended = ended.map_err(|failure| scene.left(cx, failure, "the deployment", &watch));
    ended?;
    ids.iter()
        .map(|id| scene.last.remove(id).ok_or_else(|| nothing(id)))
        .collect()
}

fn nothing(id: &str) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("the hub told nothing about deployment {id}"),
    )
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
    let mut scene = Scene::new();
    let mut last: Option<wire::Service> = None;
    let mut gone = false;
    let work = async {
        let mut runs = Runs::default();
        runs.start(|tell| watch_service(hub, name.to_owned(), toward, tell));
        while let Some(event) = runs.next(&mut scene).await {
            match event? {
                News::Service(now) => {
                    let first = last.is_none();
                    for (target, id, status) in parts(&now) {
                        let of_interest = goes_on(&status) || !first || toward == Toward::Created;
                        if id.is_empty() || !of_interest || scene.knows(&id) {
                            continue;
                        }
                        scene.add(&id, Track::new(target));
                        runs.start(|tell| watch_part(hub, id, tell));
                    }
                    if last.as_ref().is_none_or(|last| last.status != now.status) {
                        let why = if now.status_message.is_empty() {
                            String::new()
                        } else {
                            format!(": {}", now.status_message)
                        };
                        scene.board.note(&format!("service {name}: {}{why}", now.status));
                    }
                    last = Some(*now);
                }
                News::Gone => {
                    gone = true;
                    scene.board.note(&format!("service {name}: deleted"));
                }
                News::Deployment(id, update) => scene.take(&id, *update),
                News::Note(note) => scene.board.note(&note),
                News::Changed => {}
            }
        }
        Ok(())
    };
    let ended = until(cx, work, timeout).await;
    scene.close();
    let watch = cx.again(&format!("service watch {name}"));
    ended.map_err(|failure| scene.left(cx, failure, "the service", &watch))?;
    Ok(if gone { None } else { last })
}

/// Deployments that are followed, and where they are shown.
struct Scene {
    board: Board,
    /// In the order of their first sight.
    tracks: Vec<(String, Track)>,
    /// Each as the hub told it last.
    last: BTreeMap<String, wire::Deployment>,
}

impl Scene {
    fn new() -> Self {
        Self {
            board: Board::stderr(),
            tracks: Vec::new(),
            last: BTreeMap::new(),
        }
    }

    fn add(&mut self, id: &str, track: Track) {
        if !self.knows(id) {
            self.tracks.push((id.to_owned(), track));
        }
    }

    fn knows(&self, id: &str) -> bool {
        self.tracks.iter().any(|(known, _)| known == id)
    }

    fn take(&mut self, id: &str, update: wire::DeploymentUpdate) {
        let color = self.board.color();
        let known = self.tracks.iter_mut().find(|(known, _)| known == id);
        let told = known
            .map(|(_, track)| take(track, &update, color))
            .unwrap_or_default();
        if let Some(now) = update.deployment {
            self.last.insert(id.to_owned(), now);
        }
        let tracks: Vec<&Track> = self.tracks.iter().map(|(_, track)| track).collect();
        self.board.show(&told, &tracks);
    }

    fn draw(&mut self) {
        let tracks: Vec<&Track> = self.tracks.iter().map(|(_, track)| track).collect();
        self.board.draw(&tracks);
    }

    fn close(&mut self) {
        let tracks: Vec<&Track> = self.tracks.iter().map(|(_, track)| track).collect();
        self.board.close(&tracks);
    }

    /// What is said when the waiting ends before what is waited for: how to go on with either, as commands that can be
    /// typed as they are.
    fn left(&self, cx: &Context, mut failure: Failure, what: &str, watch: &str) -> Failure {
        if !matches!(failure.exit, Exit::Interrupted | Exit::TimedOut) {
            return failure;
        }
        let running: Vec<&str> = self
            .tracks
            .iter()
            .map(|(id, _)| id.as_str())
            .filter(|id| self.last.get(*id).is_none_or(|last| goes_on(&last.status)))
            .collect();
        failure.what = format!("{}; {what} goes on at the hub", failure.what);
        if failure.exit == Exit::TimedOut {
            let waits = self.last.values().filter(|last| goes_on(&last.status));
            let waits: Vec<&str> = waits
                .map(|last| last.waiting_for.as_str())
                .filter(|waits| !waits.is_empty())
                .collect();
            if let Some(first) = waits.first() {
                failure = failure
                    .why(format!("it waits for {first}"))
                    .coded(&codes::AGENT_AWAY);
            }
        }
        failure = failure.next(format!("{watch}   # to go on watching"));
        for id in running.iter().take(CANCELS) {
            let cancel = cx.again(&format!("deployment cancel {id}"));
            failure = failure.next(format!("{cancel}   # to cancel it"));
        }
        if running.len() > CANCELS {
            let list = cx.again("deployment list --active");
            failure = failure.next(format!("{list}   # {} more", running.len() - CANCELS));
        }
        failure
    }
}

/// How many commands to cancel are printed.
const CANCELS: usize = 5;

/// Followers, and what they report.
pub(super) struct Runs<'a> {
    tell: UnboundedSender<News>,
    hear: UnboundedReceiver<News>,
    runs: FuturesUnordered<LocalBoxFuture<'a, Result<()>>>,
}

impl Default for Runs<'_> {
    fn default() -> Self {
        let (tell, hear) = unbounded_channel();
        Self {
            tell,
            hear,
            runs: FuturesUnordered::new(),
        }
    }
}

impl<'a> Runs<'a> {
    pub(super) fn start<F: Future<Output = Result<()>> + 'a>(
        &mut self,
        run: impl FnOnce(UnboundedSender<News>) -> F,
    ) {
        self.runs.push(run(self.tell.clone()).boxed_local());
    }

    /// What is reported next; `None` when all followers have ended and everything was heard.
    pub(super) async fn heard(&mut self) -> Option<Result<News>> {
        while !(self.runs.is_empty() && self.hear.is_empty()) {
            tokio::select! {
                biased;
                Some(news) = self.hear.recv() => return Some(Ok(news)),
                Some(done) = self.runs.next(), if !self.runs.is_empty() => {
                    if let Err(failure) = done {
                        return Some(Err(failure));
                    }
                }
            }
        }
        None
    }

    /// Hears what has been reported until now; only what is for people is given.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        while let Ok(news) = self.hear.try_recv() {
            if let News::Note(note) = news {
                notes.push(note);
            }
        }
        notes
    }

    /// The next news; `None` as [`heard`](Self::heard). Notes and the passing of time are shown here, and are no news.
    async fn next(&mut self, scene: &mut Scene) -> Option<Result<News>> {
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                news = self.heard() => match news {
                    Some(Ok(News::Note(note))) => scene.board.note(&note),
                    news => return news,
                },
                _ = redraw.tick(), if scene.board.is_live() => scene.draw(),
            }
        }
    }
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

/// Ends work when this process is asked to end, and when time is up.
pub(crate) async fn until<T>(
    cx: &Context,
    work: impl Future<Output = Result<T>>,
    timeout: Duration,
) -> Result<T> {
    tokio::select! {
        // What has ended in this very moment has ended.
        biased;
        done = work => done,
        signal = cx.stop.asked() => Err(Failure::new(Exit::Interrupted, match signal {
            Signal::Interrupt => "detached",
            Signal::Terminate => "detached, since this process was asked to end",
        })),
        () = tokio::time::sleep(timeout) => {
            Err(Failure::new(Exit::TimedOut, format!("not finished after {} s", timeout.as_secs())))
        }
    }
}

fn take(track: &mut Track, update: &wire::DeploymentUpdate, color: bool) -> Vec<String> {
    let head = update.deployment.as_ref().map(|deployment| Head {
        target: format!("{} {}", deployment.target_kind, deployment.target),
        status: deployment.status.clone(),
        message: deployment.status_message.clone(),
        waiting_for: deployment.waiting_for.clone(),
        planned: deployment.changes.len(),
        began: at(deployment.created_at.as_ref()),
        ended: at(deployment.completed_at.as_ref()),
    });
    track.take(head, update.events.iter().map(event).collect(), color)
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
            let _ = tell.send(News::Note(
                "connected to the hub again, nothing was missed".to_owned(),
            ));
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

/// Reports that something may be different whenever a stream says anything, and when it has been opened again.
pub(super) async fn changes<A>(
    hub: &Hub,
    what: &str,
    stream: impl AsyncFn() -> Result<Response<Streaming<A>>, Status>,
    tell: UnboundedSender<News>,
) -> Result<()> {
    let mut outage = Outage::none();
    loop {
        let broke = match open(hub, stream()).await? {
            Err(status) => Some(status),
            Ok(mut stream) => {
                let _ = tell.send(News::Changed);
                let mut first = true;
                loop {
                    let message = stream.message();
                    // A stream of nothing says nothing. One that stays is as good as one that says something.
                    let message = match tokio::time::timeout(STAYS, message).await {
                        Ok(message) => message,
                        Err(_) if first => {
                            first = false;
                            outage.over(&tell);
                            continue;
                        }
                        Err(_) => continue,
                    };
                    match message.map_err(plainly) {
                        Ok(Some(_)) => {
                            outage.over(&tell);
                            let _ = tell.send(News::Changed);
                        }
                        Ok(None) => break None,
                        Err(status) => break Some(status),
                    }
                }
            }
        };
        outage.wait(hub, what, broke, &tell).await?;
    }
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
