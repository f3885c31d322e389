//! One worker, as the hub sees it: a process, its pipes, and why it ended.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hadron_proto::vocab::Digest;
use hadron_templates::{Given, Question, Reply};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::confine::Confined;
use super::frame::{ARCHIVES, Frame, Hello, QUESTION, REPLY, Replied, receive};
use super::worker::{COMPUTED, PANIC};
use super::{Failure, Options};

/// How long a worker may take to say that it is there.
const START: Duration = Duration::from_secs(30);
/// How long a process that ends may take to do so.
const END: Duration = Duration::from_secs(2);
/// How much of its last words is read.
const WORDS: u64 = 4 * 1024;
/// After so many questions a worker is replaced.
const QUESTIONS: u32 = 10_000;
/// After so much computing a worker is replaced, long before the limit of its life.
const COMPUTING: Duration = Duration::from_secs(60);
/// Bundles that a worker is remembered to have read.
const KNOWN: usize = 24;

/// Starts processes. Its thread lives as long as it does: the kernel ends a worker with the *thread* that started it.
#[derive(Debug)]
pub(super) struct Starter {
    orders: mpsc::UnboundedSender<oneshot::Sender<io::Result<Child>>>,
    /// How many of its workers there are.
    alive: Arc<AtomicUsize>,
}

impl Starter {
    pub(super) fn new(program: PathBuf, options: &Options) -> io::Result<Self> {
        let (orders, mut taken) = mpsc::unbounded_channel::<oneshot::Sender<io::Result<Child>>>();
        let (runtime, options) = (Handle::current(), options.clone());
        let start = move || {
            while let Some(answer) = taken.blocking_recv() {
                let _inside = runtime.enter();
                // Whoever does not wait any more drops the process, and that ends it.
                let _ = answer.send(spawn(&program, &options));
            }
        };
        std::thread::Builder::new()
            .name("render-starter".to_owned())
            .spawn(start)?;
        Ok(Self {
            orders,
            alive: Arc::default(),
        })
    }

    /// How many workers there are.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// A worker that is ready.
    pub(super) async fn start(&self) -> Result<Worker, Failure> {
        let (answer, started) = oneshot::channel();
        let gone = || Failure::NoWorker("nobody starts them any more".to_owned());
        self.orders.send(answer).map_err(|_| gone())?;
        let failed = |error: io::Error| Failure::NoWorker(format!("the worker cannot be started: {error}"));
        let child = started.await.map_err(|_| gone())?.map_err(failed)?;
        Worker::ready(child, Alive::new(&self.alive)).await
    }
}

fn spawn(program: &Path, options: &Options) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg("render-worker")
        .args(["--memory", &options.memory.to_string()])
        .args(["--computing", &options.computing.as_millis().to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What a terminal sends to the hub's group is for the hub, which still has calls to finish.
        .process_group(0)
        .kill_on_drop(true);
    command.spawn()
}

/// One more worker, as long as it exists.
#[derive(Debug)]
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker that waits for a question. Dropping it ends its process.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    words: ChildStderr,
    pub(super) confined: Confined,
    questions: u32,
    computed: Duration,
    /// Bundles that it most likely keeps, the last ones at the end.
    known: Vec<Digest>,
    _alive: Alive,
}

impl Worker {
    async fn ready(mut child: Child, alive: Alive) -> Result<Self, Failure> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(to), Some(mut from), Some(words)) = pipes else {
            return Err(Failure::NoWorker("a worker without pipes".to_owned()));
        };
        let hello = tokio::time::timeout(START, receive::<Hello>(&mut from, 1024)).await;
        let mut worker = Self {
            child,
            to,
            from,
            words,
            confined: Confined::default(),
            questions: 0,
            computed: Duration::ZERO,
            known: Vec::new(),
            _alive: alive,
        };
        match hello {
            Ok(Ok(hello)) => {
                worker.confined = hello.confined;
                Ok(worker)
            }
            Ok(Err(_)) => {
                let (status, words) = worker.end().await;
                let status = status.map_or_else(|| "no exit status".to_owned(), |status| status.to_string());
                let message = format!("a worker ended before it was ready ({status}): {}", words.trim());
                Err(Failure::NoWorker(message))
            }
            Err(_) => {
                let message = format!("a worker was not ready after {} s", START.as_secs());
                Err(Failure::NoWorker(message))
            }
        }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether its process is still there.
    pub(super) fn is_there(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How many of these bundles it most likely keeps.
    pub(super) fn knows(&self, archives: &[Digest]) -> usize {
        archives
            .iter()
            .filter(|archive| self.known.contains(archive))
            .count()
    }

    /// How much it has computed.
    pub(super) const fn computed(&self) -> Duration {
        self.computed
    }

    /// Whether another one should take its place: after many questions, or when it holds more than a quarter of the memory
    /// that a rendering may take.
    pub(super) fn is_worn(&self, options: &Options) -> bool {
        self.questions >= QUESTIONS
            || self.computed >= COMPUTING
            || self.memory().is_some_and(|bytes| bytes > options.memory / 4)
    }

    /// The memory that it holds and shares with nobody, where the system tells it.
    fn memory(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid()?)).ok()?;
        let mut pages = text
            .split_whitespace()
            .skip(1)
            .map(|word| word.parse::<u64>().ok());
        let (resident, shared) = (pages.next()??, pages.next()??);
        Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
    }

    /// Asks a question. After a failure that is not [`Failure::TooLarge`] of the question the worker is of no use any more.
    pub(super) async fn ask(
        &mut self,
        question: &Question,
        given: &Given,
        options: &Options,
    ) -> Result<Reply, Failure> {
        let archives = question.archives();
        let lacking: Given = given
            .iter()
            .filter(|(archive, _)| !self.known.contains(archive))
            .map(|(archive, bytes)| (*archive, Arc::clone(bytes)))
            .collect();
        let mut reply = self.exchange(question, &lacking, options).await?;
        if let Reply::Missing(_) = reply {
            // It had to make room for others.
            reply = self.exchange(question, given, options).await?;
        }
        self.known.retain(|known| !archives.contains(known));
        if matches!(question, Question::Check(_) | Question::Schema(_)) {
            return Ok(reply);
        }
        self.known.extend(archives);
        let over = self.known.len().saturating_sub(KNOWN);
        self.known.drain(..over);
        Ok(reply)
    }

    async fn exchange(
        &mut self,
        question: &Question,
        given: &Given,
        options: &Options,
    ) -> Result<Reply, Failure> {
        let broken = |error: io::Error| Failure::Crash(error.to_string());
        let frame = Frame::asking(question.clone(), given).map_err(broken)?;
        let (head, tail) = frame.lengths();
        for (length, most) in [(head, QUESTION), (tail, ARCHIVES)] {
            if length > most {
                return Err(Failure::TooLarge(most as u64));
            }
        }
        let talk = async {
            frame.send(&mut self.to).await?;
            receive::<Replied>(&mut self.from, REPLY).await
        };
        match tokio::time::timeout(options.time, talk).await {
            Ok(Ok(replied)) => {
                self.questions += 1;
                self.computed = Duration::from_micros(replied.computed);
                Ok(replied.reply)
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Err(broken(error)),
            Ok(Err(_)) => {
                let (status, words) = self.end().await;
                Err(why(status, &words, options))
            }
            Err(_) => Err(Failure::Late(options.time)),
        }
    }

    /// Waits for a process that has closed its pipes: how it ended, and its last words.
    async fn end(&mut self) -> (Option<ExitStatus>, String) {
        let ended = tokio::time::timeout(END, self.child.wait()).await;
        let status = ended.ok().and_then(Result::ok);
        let mut words = Vec::new();
        let read = (&mut self.words).take(WORDS);
        let _ = tokio::time::timeout(END, tokio::io::copy(&mut { read }, &mut words)).await;
        (status, String::from_utf8_lossy(&words).into_owned())
    }
}

/// Why a worker ended while it answered. What the run-time of the language says before it aborts tells most.
fn why(status: Option<ExitStatus>, words: &str, options: &Options) -> Failure {
    use std::os::unix::process::ExitStatusExt as _;
    if words.contains("memory allocation of ") {
        return Failure::Memory(options.memory);
    }
    if words.contains("has overflowed its stack") {
        return Failure::Nesting;
    }
    if let Some((_, place)) = words.split_once(PANIC) {
        return Failure::Crash(format!(
            "a fault of the renderer at {}",
            place.lines().next().unwrap_or("?")
        ));
    }
    let Some(status) = status else {
        return Failure::Crash("it closed its pipes and went on".to_owned());
    };
    // 9, 15, 2, 1 and 3 are sent by people and by supervisors; 24 is the limit of computing in a worker's life.
    match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(COMPUTED) => Failure::Computing(options.computing),
        (_, Some(24)) => Failure::Computing(options.computing),
        (_, Some(9 | 15 | 2 | 1 | 3)) => Failure::Killed,
        _ => Failure::Crash(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn the_end_of_a_worker_has_a_reason() {
        let options = Options::default();
        let why = |raw: i32, words: &str| super::why(Some(ExitStatus::from_raw(raw)), words, &options);
        let exit = |code: i32| code << 8;
        assert_eq!(
            why(6, "memory allocation of 268435456 bytes failed\n"),
            Failure::Memory(options.memory)
        );
        // Another C library aborts in another way.
        assert_eq!(
            why(11, "memory allocation of 9 bytes failed"),
            Failure::Memory(options.memory)
        );
        assert_eq!(
            why(
                6,
                "\nthread 'template' has overflowed its stack\nfatal runtime error: stack overflow\n"
            ),
            Failure::Nesting
        );
        assert_eq!(why(exit(70), ""), Failure::Computing(options.computing));
        assert_eq!(why(24, ""), Failure::Computing(options.computing));
        for signal in [1, 2, 3, 9, 15] {
            assert_eq!(why(signal, ""), Failure::Killed, "{signal}");
        }
        assert_eq!(
            why(exit(101), "panic at src/render.rs:1:2\n"),
            Failure::Crash("a fault of the renderer at src/render.rs:1:2".to_owned())
        );
        assert!(matches!(why(11, ""), Failure::Crash(how) if how.contains("11")));
        assert!(matches!(super::why(None, "", &options), Failure::Crash(_)));
    }
}
