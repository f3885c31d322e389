//! Reconcilers: they take no argument, read the whole wanted and the whole found state, and act on the difference. Woken by
//! commits and by time; a wake-up says nothing but "look". Every hub has all of them; rounds that look at everything are done by
//! one hub at a time, and rows of the outbox by the hub that has claimed them. Doubled ones are harmless.

mod audit;
mod ca;
mod events;
mod replicas;
mod sealing;

pub use audit::audit;
pub use ca::{ca, rotate as rotate_ca};
pub use replicas::Replica;
pub use sealing::sealing;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::effects::topic;
use crate::app::origin::{self, Origin};
use crate::app::{App, AppError, ErrorKind, grants};
use crate::store::outbox::{self, OutboxRow};
use crate::store::{Topic, access_keys, agents, console, jobs, requests, samples, services};
use crate::webhook::Webhook;

/// How often the outbox is looked at although nobody woke us.
const OUTBOX_EVERY: Duration = Duration::from_secs(2);
/// How often expired leases are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// How often old rows are removed.
const RETENTION_EVERY: Duration = Duration::from_secs(600);
/// How often it is kept how the queue and the agents are.
const SAMPLE_EVERY: Duration = Duration::from_secs(60);
/// How many rows of the outbox a hub takes at once.
const CLAIM: u32 = 8;
/// How long it keeps them from other hubs. One that dies with them is followed by another then.
const HOLD: Duration = Duration::from_secs(10);
/// How long answered requests are remembered. Proton's tokens count for 24 hours or so; twice that does no harm.
const REQUESTS_KEPT: Duration = Duration::from_secs(48 * 3600);
/// How long ended jobs, silent agents and samples are kept.
const HISTORY_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Starts all reconcilers; they end when `shutdown` becomes true.
#[must_use]
pub fn start(
    app: &App,
    replica: Replica,
    webhook: Option<Webhook>,
    shutdown: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(replicas::alive(app.clone(), replica, shutdown.clone()));
    if let Some(webhook) = webhook {
        tasks.spawn(events::webhook(app.clone(), webhook, shutdown.clone()));
    }
    if app.settings().events.put_events.is_some() {
        tasks.spawn(events::put_events(app.clone(), shutdown.clone()));
    }
    tasks.spawn(outbox(app.clone(), shutdown.clone()));
    tasks.spawn(periodic(
        "job expiry",
        EXPIRY_EVERY,
        app.clone(),
        shutdown.clone(),
        |app| Box::pin(expire(app)),
    ));
    let every = app.settings().grant_check;
    tasks.spawn(periodic(
        "grant check",
        every,
        app.clone(),
        shutdown.clone(),
        |app| Box::pin(check_grants(app)),
    ));
    tasks.spawn(periodic(
        "retention",
        RETENTION_EVERY,
        app.clone(),
        shutdown.clone(),
        |app| Box::pin(forget(app)),
    ));
    tasks.spawn(periodic(
        "samples",
        SAMPLE_EVERY,
        app.clone(),
        shutdown.clone(),
        |app| Box::pin(async move { app.sample().await }),
    ));
    tasks
}

type Round = fn(App) -> futures::future::BoxFuture<'static, Result<(), AppError>>;

async fn periodic(
    name: &'static str,
    every: Duration,
    app: App,
    mut shutdown: watch::Receiver<bool>,
    round: Round,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        let done = match app.db().alone(name).await {
            // Another hub is at it.
            Ok(None) => continue,
            Ok(Some(alone)) => {
                let done = round(app.clone()).await;
                alone.end().await;
                done
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            tracing::warn!(
                error = error.story(),
                "{name} could not finish its round and will look again"
            );
        }
    }
}

/// Carries out what transactions left in the outbox.
async fn outbox(app: App, mut shutdown: watch::Receiver<bool>) {
    let mut woken = app.db().subscribe(Topic::Outbox);
    if let Err(error) = ask_busy_services(&app).await {
        tracing::warn!(
            error = error.story(),
            "services that were in the middle of something were not looked at"
        );
    }
    loop {
        let wait = match drain(&app).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(error = error.story(), "the outbox could not be read");
                OUTBOX_EVERY
            }
        };
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            () = woken.woken() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Every service that is doing something is looked at once after a start: whoever was about to may have died. Where no
/// other hub works on the database, what that one had taken upon itself in the outbox is free at once.
///
/// # Errors
/// When the database does not answer.
pub async fn ask_busy_services(app: &App) -> Result<(), AppError> {
    let alone = !app.db().is_shared();
    app.write("ask busy services", move |unit| {
        Box::pin(async move {
            if alone {
                outbox::release(unit.tx).await?;
            }
            for name in services::busy(unit.tx).await? {
                outbox::ask(unit.tx, topic::SERVICE, name.as_str(), unit.now).await?;
            }
            Ok(outbox::ask(unit.tx, topic::GRANTS, topic::ALL, unit.now).await?)
        })
    })
    .await
}

/// Does everything in the outbox that is due; gives how long to wait for the next.
///
/// # Errors
/// When the database does not answer. What one row asks for and cannot be done is tried again later.
pub async fn drain(app: &App) -> Result<Duration, AppError> {
    loop {
        let (next, now) = app
            .read("outbox", |tx| {
                Box::pin(async move { Ok((outbox::next_due(tx).await?, tx.now().await?)) })
            })
            .await?;
        let Some(next) = next else {
            return Ok(OUTBOX_EVERY);
        };
        if next > now {
            return Ok(next.since(now).clamp(Duration::from_millis(20), OUTBOX_EVERY));
        }
        let claimed = app
            .write("claim outbox rows", |unit| {
                Box::pin(
                    async move { Ok(outbox::claim(unit.tx, unit.now, unit.now.plus(HOLD), CLAIM).await?) },
                )
            })
            .await?;
        if claimed.is_empty() {
            // Another hub is just taking them.
            return Ok(Duration::from_millis(100));
        }
        hadron_proto::fault::point("C16");
        for row in claimed {
            hadron_proto::fault::point("C60");
            // Whatever it begins belongs to the trace of whoever asked for it.
            let asked = Origin {
                trace: row.trace.clone(),
                ..Origin::default()
            };
            let done = origin::from(asked, carry_out(app, &row)).await;
            hadron_proto::fault::point("C64");
            let failed = done.map_err(|error| {
                if error.kind != ErrorKind::Unavailable {
                    tracing::error!(
                        topic = row.topic,
                        key = row.key,
                        error = error.story(),
                        "an effect failed"
                    );
                }
                error.story()
            });
            app.write("outbox row", move |unit| {
                Box::pin(async move {
                    match failed {
                        Ok(()) => outbox::done(unit.tx, &row).await?,
                        Err(why) => outbox::later(unit.tx, &row, unit.now, &why).await?,
                    }
                    Ok(())
                })
            })
            .await?;
        }
    }
}

async fn carry_out(app: &App, row: &OutboxRow) -> Result<(), AppError> {
    match row.topic.as_str() {
        topic::SERVICE => app.advance_service(&row.key.parse()?).await,
        topic::REGISTER => app.register_fetched(row.key.parse()?).await,
        topic::RELEASE => {
            let id = row.key.parse()?;
            app.write("release", move |unit| Box::pin(grants::release(unit, id)))
                .await
        }
        topic::GRANTS => {
            let check = match topic::pipeline_of(&row.key) {
                Some(service) => grants::Check::Of(service.parse()?),
                None => grants::Check::None,
            };
            app.write("revise grants", |unit| Box::pin(grants::revise(unit, check)))
                .await
        }
        other => Err(AppError::internal(format!(
            "the outbox holds the unknown topic '{other}'"
        ))),
    }
}

/// Leases that ran out go back to the queue, and sessions that nobody has heard of are closed.
///
/// # Errors
/// When the database does not answer.
pub async fn expire(app: App) -> Result<(), AppError> {
    let silent = app.settings().lease.saturating_mul(3);
    let (expired, any_silent) = app
        .read("expired leases", move |tx| {
            Box::pin(async move {
                let now = tx.now().await?;
                Ok((
                    jobs::expired(tx, now, 256).await?,
                    agents::any_silent(tx, now.minus(silent)).await?,
                ))
            })
        })
        .await?;
    for id in expired {
        hadron_proto::fault::point("C14");
        // Each by itself: one that cannot be expired must not keep the others leased.
        let done = app
            .write("job expiry", move |unit| {
                Box::pin(async move { unit.expire(id).await })
            })
            .await;
        if let Err(error) = done {
            tracing::error!(job.id = %id, error = error.story(), "a lease that has run out could not be taken back");
        }
    }
    if any_silent {
        app.write("silent sessions", move |unit| {
            Box::pin(async move {
                agents::close_silent(unit.tx, unit.now.minus(silent)).await?;
                Ok(())
            })
        })
        .await?;
    }
    Ok(())
}

/// Repository policies are compared with what is wanted although nothing has changed.
///
/// # Errors
/// When the database does not answer.
pub async fn check_grants(app: App) -> Result<(), AppError> {
    app.write("grant check", |unit| {
        Box::pin(grants::revise(unit, grants::Check::Every))
    })
    .await
}

/// Old rows are removed.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(app: App) -> Result<(), AppError> {
    app.forget_events().await?;
    app.write("retention", |unit| {
        Box::pin(async move {
            requests::forget(unit.tx, unit.now.minus(REQUESTS_KEPT)).await?;
            requests::forget_tokens(unit.tx, unit.now.minus(REQUESTS_KEPT)).await?;
            console::forget(unit.tx, unit.now).await?;
            access_keys::forget(unit.tx, unit.now.minus(REQUESTS_KEPT)).await?;
            access_keys::forget_signatures(unit.tx, unit.now).await?;
            jobs::forget(unit.tx, unit.now.minus(HISTORY_KEPT)).await?;
            agents::forget(unit.tx, unit.now.minus(HISTORY_KEPT)).await?;
            samples::forget(unit.tx, unit.now.minus(HISTORY_KEPT)).await?;
            Ok(())
        })
    })
    .await
}
