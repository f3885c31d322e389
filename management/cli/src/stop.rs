//! Being asked to end: Ctrl-C, SIGTERM.
//!
//! Until something is waited for, both end this process as they end any other. From then on the signals are ours, and must
//! not be lost: [`Stop::asked`] is for whoever waits, [`Stop::late`] for everything that comes after it.

use tokio::sync::Notify;

/// The signals of this process.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    armed: Notify,
}

/// What asked this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// Somebody's `kill`, a session or a job that ends.
    Terminate,
}

impl Stop {
    /// Waits for a signal. From the first call on, signals do not end the process by themselves.
    pub(crate) async fn asked(&self) -> Signal {
        let signal = next();
        self.armed.notify_one();
        signal.await
    }

    /// As [`Stop::asked`], but only once that was called.
    pub(crate) async fn late(&self) -> Signal {
        self.armed.notified().await;
        next().await
    }
}

#[cfg(unix)]
fn next() -> impl Future<Output = Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    // Registered now and not with the first poll. Without a handler there is nothing to detach with; waiting goes on.
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let wait = async |found: std::io::Result<tokio::signal::unix::Signal>| match found {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    async move {
        tokio::select! {
            () = wait(interrupt) => Signal::Interrupt,
            () = wait(terminate) => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
async fn next() -> Signal {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Signal::Interrupt,
        Err(_) => std::future::pending().await,
    }
}
