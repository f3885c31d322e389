//! Units of work that are done again when the database had to refuse them for a moment, and what is done about a COMMIT
//! whose answer was lost.
//!
//! * Refused because another transaction was in the way, because the connection broke, because the server restarts: nothing
//!   was written, so the unit is done again, a bounded number of times, with pauses that grow and differ.
//! * COMMIT sent and not answered, and the server cannot be asked any more ([`StoreError::CommitUnknown`]): the answer that
//!   the unit remembered for its request id tells. It is there: the unit was committed, and its value is the answer. It is
//!   not: the unit is done again; should the lost COMMIT arrive after all, one of the two meets the other's request id and
//!   writes nothing. A unit without a request id is never done again then: whoever asked gets a retryable error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::Digest;
use hadron_proto::vocab::EventId;

use super::{App, AppError, ErrorKind, Notice, Request, Unit, origin};
use crate::clock::Clock;
use crate::store::{StoreError, requests};

/// Most times that a unit is done, the first included.
const ATTEMPTS: u32 = 10;
/// The first pause; each is up to twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// No pause is longer. All of them together outlast the restart of a server, and no caller's patience.
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// The request that a unit answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) principal: String,
    pub(super) id: String,
    pub(super) operation: &'static str,
    pub(super) hash: Digest,
}

impl Request {
    /// What its answer is remembered under; `None` for one without a request id.
    pub(super) fn key(&self) -> Option<Asked> {
        Some(Asked {
            principal: self.caller.principal.as_str().to_owned(),
            id: self.id.clone()?,
            operation: self.operation,
            hash: self.hash,
        })
    }
}

/// What a unit made of it, before its COMMIT.
struct Made<T> {
    value: T,
    notices: Vec<Notice>,
    asked: Option<Asked>,
}

/// How often something was tried, and how long to wait before the next time.
struct Patience {
    clock: Clock,
    tried: u32,
}

impl Patience {
    fn next(&mut self) -> Option<Duration> {
        self.tried += 1;
        if self.tried >= ATTEMPTS {
            return None;
        }
        let longest = FIRST_PAUSE
            .saturating_mul(1 << self.tried.min(16))
            .min(LONGEST_PAUSE);
        // Whoever collided comes back at different times. The last bits of an id are random.
        let id: EventId = self.clock.fresh_id();
        let eighths = u32::try_from(id.as_uuid().as_u128() % 5).unwrap_or_default() + 4;
        Some(longest * eighths / 8)
    }
}

impl App {
    /// Runs a unit of work and commits it; live sessions are told after the commit. On PostgreSQL the work may be run more
    /// than once, each time in a transaction of its own of which at most one is committed: so it is cloned, and changes
    /// nothing but through its unit.
    ///
    /// # Errors
    /// What the work returns, or a [`StoreError`] of the transaction.
    pub fn write<T, F>(&self, label: &'static str, work: F) -> BoxFuture<'static, Result<T, AppError>>
    where
        T: Send + 'static,
        F: for<'u, 'a> FnOnce(&'u mut Unit<'a>) -> BoxFuture<'u, Result<T, AppError>>
            + Clone
            + Send
            + 'static,
    {
        // In a box, since the work is kept beside the copy of it that runs.
        let app = self.clone();
        Box::pin(async move {
            let made = if app.db().is_shared() {
                app.until_done(label, work).await?
            } else {
                // Nobody else writes to it: what it refuses once it refuses again.
                app.once(label, work).await.map_err(|(error, _)| error)?
            };
            for notice in made.notices {
                if matches!(notice, Notice::Close { .. }) {
                    hadron_proto::fault::point("C04");
                }
                // Nobody listening is fine: there is no live session then.
                let _ = app.0.notices.send(notice);
            }
            Ok(made.value)
        })
    }

    /// The same for a request that may be sent again while its first try is still under way, at this hub or at another: what
    /// the first has done is not held against the second. Whoever is refused although the request has been answered
    /// meanwhile is told to ask again, and gets that answer then.
    ///
    /// # Errors
    /// As [`App::write`], and [`ErrorKind::Unavailable`] in that case.
    pub(super) fn write_once<T, F>(
        &self,
        asked: Option<Asked>,
        label: &'static str,
        work: F,
    ) -> BoxFuture<'static, Result<T, AppError>>
    where
        T: Send + 'static,
        F: for<'u, 'a> FnOnce(&'u mut Unit<'a>) -> BoxFuture<'u, Result<T, AppError>>
            + Clone
            + Send
            + 'static,
    {
        let (app, work) = (self.clone(), self.write(label, work));
        Box::pin(async move {
            let (error, asked) = match (work.await, asked) {
                (Err(error), Some(asked)) if !error.is_passing() => (error, asked),
                (outcome, _) => return outcome,
            };
            if !app.remembered(&asked).await? {
                return Err(error);
            }
            tracing::debug!(label, error = error.story(), "the same request was faster");
            Err(AppError::new(
                ErrorKind::Unavailable,
                "REQUEST_ANSWERED",
                "the same request was answered while this try of it was under way",
            )
            .help("send it again with the same request id: the answer is what was made"))
        })
    }

    async fn until_done<T, F>(&self, label: &'static str, work: F) -> Result<Made<T>, AppError>
    where
        T: Send + 'static,
        F: for<'u, 'a> FnOnce(&'u mut Unit<'a>) -> BoxFuture<'u, Result<T, AppError>>
            + Clone
            + Send
            + 'static,
    {
        let mut patience = self.patience();
        // What an attempt made whose COMMIT was not answered.
        let mut unanswered: Option<(Made<T>, Asked)> = None;
        loop {
            let (error, made) = match self.once(label, work.clone()).await {
                Ok(made) => return Ok(made),
                Err(failed) => failed,
            };
            let store = error.store();
            match store {
                Some(StoreError::CommitUnknown { .. }) => {
                    // A second one: nobody could tell whose answer it is that is stored.
                    let asked = made.as_ref().and_then(|made| made.asked.clone());
                    match (made, asked, &unanswered) {
                        (Some(made), Some(asked), None) => unanswered = Some((made, asked)),
                        _ => return Err(error),
                    }
                }
                Some(store) if store.is_passing() => {}
                _ if unanswered.is_some() => {}
                _ => return Err(error),
            }
            if let Some((made, asked)) = unanswered.take() {
                match self.remembered(&asked).await {
                    Ok(true) => {
                        tracing::warn!(label, "COMMIT was not answered, but it was done");
                        return Ok(made);
                    }
                    // Something else is wrong with it now, and that is the answer.
                    Ok(false) if !error.is_passing() => return Err(error),
                    Ok(false) => unanswered = Some((made, asked)),
                    Err(_) => return Err(error),
                }
            }
            let Some(pause) = patience.next() else {
                return Err(error);
            };
            tracing::debug!(label, error = error.story(), ?pause, "will be done again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the answer to this request is stored.
    async fn remembered(&self, asked: &Asked) -> Result<bool, AppError> {
        let mut patience = self.patience();
        loop {
            let asked = asked.clone();
            let seen = self
                .0
                .db
                .read("request", move |tx| {
                    Box::pin(async move {
                        requests::seen(tx, &asked.principal, &asked.id, asked.operation, &asked.hash).await
                    })
                })
                .await;
            match seen {
                Ok(seen) => return Ok(matches!(seen, requests::Seen::Answered(_))),
                Err(error) => match patience.next().filter(|_| error.is_passing()) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error.into()),
                },
            }
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            clock: self.0.clock.clone(),
            tried: 0,
        }
    }

    /// Runs a unit of work once. With an error comes what had been made before COMMIT, as far as it came.
    async fn once<T, F>(&self, label: &'static str, work: F) -> Result<Made<T>, (AppError, Option<Made<T>>)>
    where
        T: Send + 'static,
        F: for<'u, 'a> FnOnce(&'u mut Unit<'a>) -> BoxFuture<'u, Result<T, AppError>> + Send + 'static,
    {
        let (app, origin) = (self.clone(), origin::current());
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let outcome = self
            .0
            .db
            .write(label, move |tx| {
                Box::pin(async move {
                    tx.set_origin(origin);
                    let now = if bug(Bug::LeaseByWallClock) {
                        app.0.clock.now()
                    } else {
                        tx.now().await?
                    };
                    let mut unit = Unit {
                        tx,
                        app,
                        now,
                        notices: Vec::new(),
                        tags: Vec::new(),
                        asked: None,
                    };
                    let value = work(&mut unit).await?;
                    unit.tag_made().await?;
                    let made = Made {
                        value,
                        notices: unit.notices,
                        asked: unit.asked,
                    };
                    *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
                    Ok::<_, AppError>(())
                })
            })
            .await;
        let made = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (outcome, made) {
            (Ok(()), Some(made)) => Ok(made),
            (Ok(()), None) => Err((
                AppError::internal("a unit of work that made nothing was committed"),
                None,
            )),
            (Err(error), made) => Err((error, made)),
        }
    }
}

#[cfg(test)]
mod tests {
    use hadron_proto::vocab::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_differ_and_end() {
        let mut patience = Patience {
            clock: Clock::system(),
            tried: 0,
        };
        let pauses: Vec<Duration> = std::iter::from_fn(|| patience.next()).collect();
        assert_eq!(pauses.len(), ATTEMPTS as usize - 1);
        assert!(
            pauses
                .iter()
                .all(|pause| *pause >= FIRST_PAUSE && *pause <= LONGEST_PAUSE)
        );
        let all: Duration = pauses.iter().sum();
        assert!(
            all > Duration::from_secs(2) && all < Duration::from_secs(6),
            "{all:?}"
        );
    }

    proptest! {
        /// Whatever ids come, each pause is between half of its bound and all of it, and the bounds double up to the longest.
        #[test]
        fn pauses_stay_within_bounds_that_double(seconds in 0..4_000_000_000_i64, ids in 0..200_u32) {
            let clock = Clock::manual(Timestamp::from_micros(seconds * 1_000_000));
            for _ in 0..ids {
                let _: EventId = clock.fresh_id();
            }
            let mut patience = Patience { clock, tried: 0 };
            for bound in [20, 40, 80, 160, 320, 640, 800, 800, 800] {
                let bound = Duration::from_millis(bound);
                let pause = patience.next();
                prop_assert!(pause.is_some_and(|pause| bound / 2 <= pause && pause <= bound), "{:?} of {:?}", pause, bound);
            }
            prop_assert_eq!(patience.next(), None);
        }
    }
}
