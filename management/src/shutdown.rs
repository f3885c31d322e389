//! The first SIGTERM or SIGINT asks the hub to stop, the second one does not ask.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How long calls under way may take after the first signal.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The exit code after a second signal, as shells count it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Cancelled by the first signal.
///
/// # Errors
/// When signals cannot be received.
pub fn on_signal() -> io::Result<CancellationToken> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = CancellationToken::new();
    let token = asked.clone();
    tokio::spawn(async move {
        let name = next(&mut term, &mut int).await;
        info!(signal = name, "Stopping; a second signal stops at once");
        token.cancel();
        let name = next(&mut term, &mut int).await;
        info!(
            signal = name,
            "Stopped at once; what was acknowledged is committed"
        );
        std::process::exit(INTERRUPTED);
    });
    Ok(asked)
}

async fn next(term: &mut Signal, int: &mut Signal) -> &'static str {
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}
