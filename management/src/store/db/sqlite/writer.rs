//! The writer's thread: transactions wait in a queue and are committed in groups.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures::future::BoxFuture;
use hadron_proto::fault::{Bug, bug};
use tokio::sync::{mpsc, oneshot};

use super::SqliteOptions;
use super::error::commit_failed;
use super::session;
use crate::store::db::Counts;
use crate::store::db::tx::Tx;
use crate::store::db::wake::{Topic, Wakes};
use crate::store::error::{Because, Cause, NO_ROOM, StoreError};

pub(super) enum Message {
    Write(Box<dyn Job>),
    /// Take no more, end what was accepted; the sender is dropped when the connection is closed.
    Close(oneshot::Sender<()>),
}

/// One transaction in the queue.
pub(super) trait Job: Send {
    /// Runs the closure; whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// Answers the caller, once the fate of the batch is known.
    fn answer(self: Box<Self>, batch: &Result<(), Failure>);
}

/// A whole batch that was not committed.
pub(super) enum Failure {
    /// It certainly was not.
    Before(StoreError),
    /// COMMIT itself failed.
    Commit(Cause, Option<rusqlite::ErrorCode>),
}

struct Work<F, T, E> {
    label: &'static str,
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

pub(super) fn message<T, E, F>(label: &'static str, work: F) -> (Message, oneshot::Receiver<Result<T, E>>)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (
        Message::Write(Box::new(Work {
            label,
            work: Some(work),
            outcome: None,
            caller,
        })),
        answer,
    )
}

impl<T, E, F> Job for Work<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx) -> bool {
        // Who went away while waiting in the queue wants nothing any more.
        let Some(work) = self.work.take().filter(|_| !self.caller.is_closed()) else {
            return false;
        };
        tx.start(self.label);
        let outcome = run(tx, self.label, work);
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, batch: &Result<(), Failure>) {
        let answer = match batch {
            Ok(()) => self.outcome,
            Err(Failure::Before(error)) => Some(Err(E::from(error.clone()))),
            Err(Failure::Commit(cause, code)) => Some(Err(E::from(commit_failed(self.label, cause, *code)))),
        };
        if let Some(answer) = answer {
            // The caller may have gone; its work is committed all the same.
            let _ = self.caller.send(answer);
        }
    }
}

/// Runs a closure to its end on this thread. SQLite's statements never wait, so its future is ready when first polled;
/// one that is not waits for something that has no place inside a transaction.
pub(super) fn run<T, E, F>(tx: &mut Tx, label: &'static str, work: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<StoreError>,
{
    let polled = catch_unwind(AssertUnwindSafe(|| poll(work(tx))));
    let outcome = match polled {
        Ok(Poll::Ready(outcome)) => outcome,
        Ok(Poll::Pending) => Err(E::from(StoreError::misuse(
            label,
            "waited for something else than its transaction",
        ))),
        Err(panic) => Err(E::from(StoreError::misuse(label, panicked(&*panic)))),
    };
    let value = outcome?;
    tx.verdict()?;
    match poll(Box::pin(tx.finish())) {
        Poll::Ready(finished) => finished?,
        Poll::Pending => Err(StoreError::misuse(label, "SQLite's statements never wait"))?,
    }
    Ok(value)
}

fn poll<T>(mut future: BoxFuture<'_, T>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

pub(in crate::store::db) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(no message)"))
}

pub(super) fn start(
    tx: Tx,
    options: &SqliteOptions,
    wakes: Arc<Wakes>,
    counts: Arc<Counts>,
) -> Result<mpsc::Sender<Message>, StoreError> {
    let (queue, messages) = mpsc::channel(options.queue.max(1));
    let writer = Writer {
        tx,
        messages,
        options: options.clone(),
        wakes,
        counts,
        closing: Vec::new(),
    };
    // Inside the runtime, so that a sleep within a transaction is found waiting instead of panicking.
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("sqlite-writer".to_owned())
        .spawn(move || {
            let _inside = runtime.enter();
            writer.serve();
        })
        .map_err(|error| StoreError::unavailable("starting the writer's thread", error))?;
    Ok(queue)
}

struct Writer {
    tx: Tx,
    messages: mpsc::Receiver<Message>,
    options: SqliteOptions,
    wakes: Arc<Wakes>,
    counts: Arc<Counts>,
    closing: Vec<oneshot::Sender<()>>,
}

impl Writer {
    fn serve(mut self) {
        while let Some(message) = self.messages.blocking_recv() {
            if let Some(first) = self.open(message) {
                self.batch(first);
                session(&mut self.tx).checkpoint(self.options.checkpoint_pages);
            }
        }
        // First the connection, then word that it is closed.
        drop(self.tx);
        drop(self.closing);
    }

    fn open(&mut self, message: Message) -> Option<Box<dyn Job>> {
        match message {
            Message::Write(job) => Some(job),
            Message::Close(done) => {
                self.messages.close();
                self.closing.push(done);
                None
            }
        }
    }

    fn batch(&mut self, first: Box<dyn Job>) {
        if let Err(error) = session(&mut self.tx).begin_write() {
            return first.answer(&Err(Failure::Before(error)));
        }
        let mut wakes = BTreeSet::new();
        let mut jobs = Vec::new();
        let filled = self.fill(first, &mut jobs, &mut wakes);
        let kept = *filled.as_ref().unwrap_or(&0);
        hadron_proto::fault::point("C72");
        if bug(Bug::AckBeforeCommit) {
            for job in jobs.drain(..) {
                job.answer(&Ok(()));
            }
        }
        let outcome = filled.map_err(Failure::Before).and_then(|_| self.commit());
        hadron_proto::fault::point("C73");
        if outcome.is_ok() {
            if kept > 0 {
                self.counts.committed(kept);
            }
            self.wakes.wake(&wakes);
        } else {
            session(&mut self.tx).roll_back();
            // A data key that one of them made is gone, and another may have read it.
            self.tx.forget_keys();
        }
        // Also an error waits until here: what it says may rest on what others of the batch wrote.
        for job in jobs {
            job.answer(&outcome);
        }
    }

    /// Runs the first transaction and those that wait behind it; answers how many are to be committed. An error means that
    /// the whole batch is lost.
    fn fill(
        &mut self,
        first: Box<dyn Job>,
        jobs: &mut Vec<Box<dyn Job>>,
        wakes: &mut BTreeSet<Topic>,
    ) -> Result<usize, StoreError> {
        let began = Instant::now();
        let mut kept = 0;
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            let run = self.one(&mut *job, wakes);
            jobs.push(job);
            kept += usize::from(run?);
            if jobs.len() < self.options.batch && began.elapsed() < self.options.batch_time {
                next = self
                    .messages
                    .try_recv()
                    .ok()
                    .and_then(|message| self.open(message));
            }
        }
        Ok(kept)
    }

    /// Runs one transaction in its savepoint; whether it is kept.
    fn one(&mut self, job: &mut dyn Job, wakes: &mut BTreeSet<Topic>) -> Result<bool, StoreError> {
        session(&mut self.tx).savepoint()?;
        let keep = job.run(&mut self.tx);
        let asked = self.tx.take_wakes();
        let session = session(&mut self.tx);
        if session.transaction_is_lost() {
            let cause: Cause = Arc::new(Because("SQLite rolled the whole batch back".to_owned()));
            return Err(StoreError::Unavailable {
                doing: if session.no_room() {
                    NO_ROOM
                } else {
                    "running a statement"
                },
                source: Some(cause),
            });
        }
        if keep {
            wakes.extend(asked);
            session.keep()?;
        } else {
            session.undo()?;
        }
        Ok(keep)
    }

    fn commit(&mut self) -> Result<(), Failure> {
        session(&mut self.tx).commit().map_err(|error| {
            let code = error.sqlite_error_code();
            tracing::error!(error = &error as &dyn std::error::Error, "SQLite cannot commit");
            Failure::Commit(Arc::new(error), code)
        })
    }
}
