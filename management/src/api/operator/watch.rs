//! Watch streams: what matches now, then every change. Woken by commits; looks every two seconds all the same, since a
//! change may have been made through another replica. Who watches is looked at again with it: a token that ended ends the
//! stream, a right that went ends or narrows it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hadron_domain::authority::Caller;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::Operator;
use crate::api::status::{status, with_info};
use crate::app::{App, AppError};
use crate::identity::login::Token;
use crate::store::Topic;
use crate::store::db::Subscription;

/// How often a stream looks although nobody woke it.
pub(super) const EVERY: Duration = Duration::from_secs(2);

/// How long it leaves commits alone after a look, so that a busy hub is not asked at each of them.
const PAUSE: Duration = Duration::from_millis(100);
/// Answers that may wait for their reader.
const WAITING: usize = 64;
/// How long a reader may take none of them.
const UNREAD: Duration = Duration::from_secs(60);

/// How old what is known of somebody's rights may be.
const RIGHTS: Duration = Duration::from_secs(2);

/// Somebody who watches. Clones share what is known of them.
#[derive(Clone, Debug)]
pub(super) struct Watching {
    app: App,
    token: Token,
    known: Arc<Mutex<(Instant, Caller)>>,
}

impl Watching {
    /// The bearer of a token that counted just now.
    pub(super) fn new(app: App, token: Token, caller: Caller) -> Self {
        Self {
            app,
            token,
            known: Arc::new(Mutex::new((Instant::now(), caller))),
        }
    }

    /// Who they are by now.
    ///
    /// # Errors
    /// When their token counts no more.
    pub(super) async fn caller(&self) -> Result<Caller, AppError> {
        let mut known = self.known.lock().await;
        if known.0.elapsed() >= RIGHTS {
            let caller = self.app.caller_of(self.token.reveal()).await?;
            *known = (Instant::now(), caller);
        }
        Ok(known.1.clone())
    }
}

/// A stream of answers.
pub(super) type Stream<T> = ReceiverStream<Result<T, Status>>;

/// Items by key, as a look found them.
type Found<T> = BTreeMap<String, T>;

/// What a stream ends with when this hub stops: the client asks again, and another hub answers.
pub(super) fn draining() -> Status {
    with_info(
        Code::Unavailable,
        "DRAINING",
        "this hub is stopping",
        Some("ask again; nothing is lost"),
    )
}

/// Looks again and again with `look` and sends what is new or different through `changed`, what is gone through `removed`.
pub(super) fn stream<T, C, L, F>(
    operator: &Operator,
    look: L,
    changed: fn(T) -> C,
    removed: fn(String) -> C,
) -> Stream<C>
where
    T: Clone + PartialEq + Send + Sync + 'static,
    C: Send + 'static,
    L: Fn() -> F + Send + 'static,
    F: Future<Output = Result<Found<T>, AppError>> + Send,
{
    let woken = operator.app.db().subscribe(Topic::Changes);
    follow(woken, operator.drain.clone(), look, changed, removed)
}

/// Where a stream's answers wait for their reader.
struct Reader<C> {
    queue: mpsc::Sender<Result<C, Status>>,
    drain: CancellationToken,
}

impl<C> Reader<C> {
    /// Waits until there is room. Whether the stream goes on: not without a reader, nor with one that does not read.
    async fn send(&self, item: Result<C, Status>) -> bool {
        tokio::select! {
            biased;
            () = self.drain.cancelled() => {
                self.drained();
                false
            }
            sent = timeout(UNREAD, self.queue.send(item)) => matches!(sent, Ok(Ok(()))),
        }
    }

    /// The last word, where there is room for it. Without it the stream just ends, and the client asks again all the same.
    fn drained(&self) {
        let _ = self.queue.try_send(Err(draining()));
    }
}

/// While a reader is slow, nothing is asked and nothing piles up: when it goes on, it gets what is so then.
fn follow<T, C, L, F>(
    mut woken: Subscription,
    drain: CancellationToken,
    look: L,
    changed: fn(T) -> C,
    removed: fn(String) -> C,
) -> Stream<C>
where
    T: Clone + PartialEq + Send + Sync + 'static,
    C: Send + 'static,
    L: Fn() -> F + Send + 'static,
    F: Future<Output = Result<Found<T>, AppError>> + Send,
{
    let (queue, receiver) = mpsc::channel(WAITING);
    let reader = Reader { queue, drain };
    tokio::spawn(async move {
        let mut known: Found<T> = Found::new();
        loop {
            let looking = look();
            let found = match looking.await {
                Ok(found) => found,
                Err(error) => {
                    reader.send(Err(status(&error))).await;
                    return;
                }
            };
            let gone: Vec<String> = known
                .keys()
                .filter(|key| !found.contains_key(*key))
                .cloned()
                .collect();
            for key in gone {
                if !reader.send(Ok(removed(key))).await {
                    return;
                }
            }
            for (key, item) in &found {
                if known.get(key) != Some(item) && !reader.send(Ok(changed(item.clone()))).await {
                    return;
                }
            }
            known = found;
            // Many commits one after another are one change to look at.
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = reader.queue.closed() => return,
                () = reader.drain.cancelled() => return reader.drained(),
                () = woken.woken() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    });
    ReceiverStream::new(receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio_stream::StreamExt as _;

    use super::*;
    use crate::store::db::testing::{self, TestDb};

    async fn change(test: &TestDb) {
        let change = test.db.write("change", |tx| {
            Box::pin(async move {
                tx.after_commit(Topic::Changes);
                tx.next(crate::store::Sequence::CHANGE).await
            })
        });
        change.await.unwrap();
    }

    /// A world of a thousand things that are all different at each look.
    fn watched(test: &TestDb, drain: &CancellationToken) -> (Arc<AtomicU32>, Stream<(String, u32)>) {
        let looks = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&looks);
        let look = move || {
            let look = counted.fetch_add(1, Ordering::Relaxed);
            let found = (0..1_000).map(|n| (format!("{n:04}"), (format!("{n:04}"), look)));
            std::future::ready(Ok(found.collect()))
        };
        let woken = test.db.subscribe(Topic::Changes);
        let stream = follow(woken, drain.clone(), look, |item| item, |key| (key, u32::MAX));
        (looks, stream)
    }

    #[tokio::test]
    async fn for_a_reader_that_does_not_read_nothing_piles_up() {
        let test = testing::sqlite().await;
        let drain = CancellationToken::new();
        let (looks, mut stream) = watched(&test, &drain);
        let first = stream.next().await.unwrap().unwrap();
        assert_eq!(first, ("0000".to_owned(), 0));
        for _ in 0..50 {
            change(&test).await;
        }
        // The first look does not fit into the queue; there was no second one.
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        // It goes on reading: the rest of the first look, then what is so now, once for all fifty changes.
        let mut last = first;
        for _ in 0..1_999 {
            last = stream.next().await.unwrap().unwrap();
        }
        assert_eq!(last, ("0999".to_owned(), 1));
    }

    #[tokio::test]
    async fn a_stopping_hub_does_not_wait_for_it() {
        let test = testing::sqlite().await;
        let drain = CancellationToken::new();
        let (_, mut stream) = watched(&test, &drain);
        stream.next().await.unwrap().unwrap();
        drain.cancel();
        // Ends after what was in the queue.
        let rest: Vec<_> = stream.collect().await;
        assert!(rest.len() <= WAITING + 1, "{}", rest.len());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_given_up_after_a_while() {
        let test = testing::sqlite().await;
        let drain = CancellationToken::new();
        let (_, stream) = watched(&test, &drain);
        tokio::time::sleep(UNREAD * 2).await;
        let rest: Vec<_> = stream.collect().await;
        assert_eq!(rest.len(), WAITING);
    }
}
