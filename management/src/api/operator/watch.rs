//! Watch streams: what matches now, then every change. Woken by commits; looks every two seconds all the same, since a
//! change may have been made through another replica.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::Operator;
use crate::api::status::{status, with_info};
use crate::app::AppError;
use crate::store::Topic;

/// How often a stream looks although nobody woke it.
pub(super) const EVERY: Duration = Duration::from_secs(2);

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
    T: Clone + PartialEq + Send + 'static,
    C: Send + 'static,
    L: Fn() -> F + Send + 'static,
    F: Future<Output = Result<Found<T>, AppError>> + Send,
{
    let (sender, receiver) = mpsc::channel(64);
    let mut woken = operator.app.db().subscribe(Topic::Changes);
    let drain = operator.drain.clone();
    tokio::spawn(async move {
        let mut known: Found<T> = Found::new();
        loop {
            let looking = look();
            let found = match looking.await {
                Ok(found) => found,
                Err(error) => {
                    let _ = sender.send(Err(status(&error))).await;
                    return;
                }
            };
            let gone = known
                .keys()
                .filter(|key| !found.contains_key(*key))
                .cloned()
                .map(removed);
            let new = found
                .iter()
                .filter(|(key, item)| known.get(*key) != Some(*item))
                .map(|(_, item)| changed(item.clone()));
            let changes: Vec<C> = gone.chain(new).collect();
            for change in changes {
                if sender.send(Ok(change)).await.is_err() {
                    return;
                }
            }
            known = found;
            tokio::select! {
                () = sender.closed() => return,
                () = drain.cancelled() => {
                    let _ = sender.send(Err(draining())).await;
                    return;
                }
                () = woken.woken() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    });
    ReceiverStream::new(receiver)
}
