//! One queue of what agents say over all streams of this process, so that many statements share a transaction: see
//! [`acks`](crate::app::acks).
//!
//! Nothing waits for company. While one batch is being committed the next one gathers, so batches are as large as there is
//! load, and a single statement on an idle hub goes alone.

use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use crate::app::acks::{Heard, Said};
use crate::app::{App, AppError, ErrorKind};

/// Most statements of one transaction.
const BATCH: usize = 256;
/// Most jobs that they may name together. One statement with more goes alone.
const TOKENS: usize = 2_048;
/// Statements that may wait; whoever has more to say waits to say it. A session says one thing at a time.
const QUEUE: usize = 1_024;

type Waiting = (Said, oneshot::Sender<Heard>);

/// Where to say things.
#[derive(Clone, Debug)]
pub(super) struct Acks(mpsc::Sender<Waiting>);

impl Acks {
    /// Begins a queue. It is worked off until nobody can say anything any more.
    pub(super) fn start(app: App) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(work(app, waiting));
        Self(queue)
    }

    /// Says something, and waits until it is committed.
    pub(super) async fn say(&self, said: Said) -> Heard {
        let gone = || AppError::new(ErrorKind::Unavailable, "STOPPING", "this hub is stopping");
        let (answer, heard) = oneshot::channel();
        self.0.send((said, answer)).await.map_err(|_| gone())?;
        heard.await.map_err(|_| gone())?
    }
}

async fn work(app: App, mut queue: mpsc::Receiver<Waiting>) {
    while let Some(first) = queue.recv().await {
        let mut tokens = first.0.tokens().len();
        let mut batch = vec![first];
        while batch.len() < BATCH && tokens < TOKENS {
            let Ok(next) = queue.try_recv() else { break };
            tokens += next.0.tokens().len();
            batch.push(next);
        }
        answer(&app, batch).await;
    }
}

async fn answer(app: &App, batch: Vec<Waiting>) {
    let (said, waiting): (Vec<Said>, Vec<oneshot::Sender<Heard>>) = batch.into_iter().unzip();
    let answers = match app.acknowledge(said.clone()).await {
        Ok(answers) => answers,
        Err(error) if said.len() == 1 => vec![Err(error)],
        Err(error) => {
            debug!(
                error = error.story(),
                statements = said.len(),
                "A batch failed; saying each by itself"
            );
            join_all(said.into_iter().map(|said| alone(app, said))).await
        }
    };
    for (answer, waiting) in answers.into_iter().zip(waiting) {
        // A session that has ended meanwhile wants no answer.
        let _ = waiting.send(answer);
    }
}

async fn alone(app: &App, said: Said) -> Heard {
    let mut answers = app.acknowledge(vec![said]).await?;
    answers
        .pop()
        .unwrap_or_else(|| Err(AppError::internal("a statement without an answer")))
}
