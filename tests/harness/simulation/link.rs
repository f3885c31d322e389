//! Calls between processes, and what becomes of them.

use std::future::{Future, pending};
use std::time::Duration;

use hadron_management::app::{App, AppError, ErrorKind};
use tokio::time::{sleep, timeout};

use super::hub::Replica;
use super::world::World;

/// How long the caller waits for an answer.
const TRY: Duration = Duration::from_secs(8);

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Agent(usize),
    People,
}

/// No answer came. Whether anything happened nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// The way takes some time, and sometimes long.
pub(super) async fn travel(world: &World) {
    let dice = &world.dice;
    let wait = match (world.at_peace(), dice.roll(1_000)) {
        (true, _) => dice.millis(1, 30),
        (false, 0..=9) => dice.millis(1_000, 60_000),
        (false, 10..=59) => dice.millis(100, 3_000),
        (false, _) => dice.millis(1, 60),
    };
    sleep(wait).await;
}

/// Asks a hub. The call may be lost on its way, arrive late, arrive twice, or be answered in vain.
pub(super) async fn call<T, F, W>(
    world: &World,
    from: From,
    hub: usize,
    what: &'static str,
    work: W,
) -> Result<Result<T, AppError>, Lost>
where
    T: Send + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
    W: Fn(App) -> F + Send + Sync + 'static,
{
    let outcome = timeout(
        TRY,
        attempt(world, from, hub, what, move |hub: Replica| work(hub.app)),
    )
    .await
    .unwrap_or(Err(Lost));
    world.say(match &outcome {
        Ok(Ok(_)) => format!("{from:?} -> hub {hub}: {what}"),
        Ok(Err(error)) => format!("{from:?} -> hub {hub}: {what}: {:?} {}", error.kind, error.reason),
        Err(Lost) => format!("{from:?} -> hub {hub}: {what}: no answer"),
    });
    if let Ok(Err(error)) = &outcome
        && error.kind == ErrorKind::Internal
    {
        world.broken(format!("{what} failed inside the hub: {}", error.story()));
    }
    world.count(if outcome.is_ok() {
        "calls answered"
    } else {
        "calls lost"
    });
    outcome
}

/// Carries one call: see [`call`].
pub(super) async fn attempt<T, F, W>(
    world: &World,
    from: From,
    hub: usize,
    what: &'static str,
    work: W,
) -> Result<T, Lost>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    W: Fn(Replica) -> F + Send + Sync + 'static,
{
    let cut = || match from {
        From::Agent(agent) => world.cut(agent, hub),
        From::People => super::world::Cut::default(),
    };
    let unlucky = |cases| !world.at_peace() && world.dice.per_mille(cases);
    let (lost, twice, unanswered) = (unlucky(20), unlucky(20), unlucky(20));
    let work = std::sync::Arc::new(work);
    if twice {
        let again = std::sync::Arc::clone(&work);
        let later = world.dice.millis(1, 90_000);
        let other = world.dice.one(&[0, 1]);
        let copy = world.clone();
        // Not the caller's doing any more: it arrives even if the caller has died.
        tokio::spawn(async move {
            sleep(later).await;
            if let Some(answer) = copy.hubs()[other].serve(|hub| again(hub)) {
                copy.say(format!("{from:?} -> hub {other}: {what}, a second time"));
                drop(answer.await);
            }
        });
    }
    let (lost, cut_back) = (lost || cut().there, || cut().back);
    if lost {
        return pending().await;
    }
    travel(world).await;
    let Some(answer) = world.hubs()[hub].serve(|hub| work(hub)) else {
        // Nobody listens there.
        return Err(Lost);
    };
    let answer = answer.await.map_err(|_| Lost)?;
    if unanswered || cut_back() {
        return pending().await;
    }
    travel(world).await;
    Ok(answer)
}
