//! The other side: what `hadron-hub render-worker` does. It reads questions on standard input and writes replies on
//! standard output until whoever asks is gone. It has no configuration, no log, no environment and no clock but that of
//! its own computing.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use hadron_templates::{Desk, Fault, Reply};

use super::confine;
use super::frame::{self, Frame, Hello, REPLY, Replied};

/// The exit code of a worker that computed for too long.
pub(super) const COMPUTED: u8 = 70;
/// What it says before it ends by a fault of its own.
pub(super) const PANIC: &str = "panic at ";

/// Bundles that a worker keeps, and their bytes: part of the memory that a rendering may take.
const KEPT: (usize, usize) = (32, 16 * 1024 * 1024);
/// How often the time is looked at while something is rendered.
const LOOK: Duration = Duration::from_millis(20);
/// Seconds that a worker may compute in its life; the hub replaces it before that.
pub(super) const LIFE: u64 = 600;

/// What a worker may take for one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct Allowed {
    /// Memory in bytes
    #[arg(long)]
    pub memory: u64,
    /// Computing time in milliseconds
    #[arg(long)]
    pub computing: u64,
}

/// Works until standard input ends.
#[must_use]
pub fn work(allowed: Allowed) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // Not what it says: that may be what somebody wrote into a spec.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(io::stderr(), "{PANIC}{place}");
    }));
    match serve(allowed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "render-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(allowed: Allowed) -> io::Result<()> {
    confine::limit(allowed.memory, LIFE)?;
    let confined = confine::close();
    let watch: &'static Watch = Box::leak(Box::default());
    let computing = Duration::from_millis(allowed.computing);
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || watch.keep(computing))?;
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    Frame::of(&Hello { confined })?.write(&mut to)?;
    let desk = Desk::new(KEPT.0, KEPT.1);
    while let Some((question, given)) = frame::read(&mut from)? {
        watch.set(Some(computed()));
        let reply = desk.reply(question, &given);
        drop(given);
        let mut frame = replied(reply)?;
        if frame.lengths().0 > REPLY {
            frame = replied(Reply::Faults(too_long().into()))?;
        }
        watch.set(None);
        frame.write(&mut to)?;
    }
    Ok(())
}

fn replied(reply: Reply) -> io::Result<Frame> {
    Frame::of(&Replied {
        reply,
        computed: u64::try_from(computed().as_micros()).unwrap_or(u64::MAX),
    })
}

fn too_long() -> Fault {
    let message = format!("what there is to say about it is longer than {REPLY} bytes");
    Fault::error("render/reply-too-large", message)
        .help("look at it with `hadron template check`, which has no such limit")
}

/// What this process has computed so far.
fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// Ends the process when a question takes too much computing.
#[derive(Default)]
struct Watch {
    /// What had been computed when the question came that is being answered.
    since: Mutex<Option<Duration>>,
    change: Condvar,
}

impl Watch {
    fn set(&self, since: Option<Duration>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
        if since.is_some() {
            self.change.notify_one();
        }
    }

    fn keep(&self, most: Duration) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(began) = *since else {
                since = self.change.wait(since).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if computed().saturating_sub(began) > most {
                std::process::exit(i32::from(COMPUTED));
            }
            since = match self.change.wait_timeout(since, LOOK) {
                Ok((since, _)) => since,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}
