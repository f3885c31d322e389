//! The machine: what it is, how busy it is, and what processes use of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// CPU figures that rest on less than this are not printed: the kernel counts in ticks of 10 ms.
pub(crate) const LEAST_TICKS: u64 = 100;

/// What the run ran on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) system: String,
    pub(crate) file_system: String,
    pub(crate) autogroup: bool,
    pub(crate) open_files: u64,
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

impl Machine {
    /// Of this machine, with the file system of `dir`.
    pub(crate) fn here(dir: &Path) -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let cpu = cpu
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned())
            .unwrap_or_default();
        let memory = read("/proc/meminfo");
        let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
        let release = read("/etc/os-release");
        let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Self {
            cpu,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib.unwrap_or_default() / 1_048_576.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: system.unwrap_or_default().trim_matches('"').to_owned(),
            file_system: file_system(dir),
            autogroup: read("/proc/sys/kernel/sched_autogroup_enabled").trim() == "1",
            open_files: rustix::process::getrlimit(rustix::process::Resource::Nofile)
                .current
                .unwrap_or_default(),
        }
    }
}

/// The type and device of the file system that holds `dir`.
fn file_system(dir: &Path) -> String {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mounts = read("/proc/mounts");
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
        dir.starts_with(place)
            .then_some((place.len(), format!("{kind} on {device}")))
    });
    holding.max().map(|(_, text)| text).unwrap_or_default()
}

/// Lets this process open as many files as it may.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Whoever needs more than there is fails with a message of its own.
    let _ = setrlimit(Resource::Nofile, wanted);
}

/// Clock ticks of CPU, user and system, that these processes and all below them have used so far.
pub(crate) fn ticks(roots: &[u32]) -> u64 {
    family(roots)
        .into_iter()
        .filter_map(stat)
        .map(|stat| stat.ticks)
        .sum()
}

/// Memory that these processes and all below them have resident, in KiB.
pub(crate) fn resident_kib(roots: &[u32]) -> u64 {
    family(roots)
        .into_iter()
        .filter_map(|pid| status_kib(pid, "VmRSS:"))
        .sum()
}

/// The most memory that these processes and all below them have had resident so far, each by itself, in KiB.
pub(crate) fn peak_kib(roots: &[u32]) -> u64 {
    family(roots)
        .into_iter()
        .filter_map(|pid| status_kib(pid, "VmHWM:"))
        .sum()
}

/// Bytes that these processes and all below them have caused to be written to disks so far.
pub(crate) fn written_bytes(roots: &[u32]) -> u64 {
    let of = |pid: u32| {
        read(&format!("/proc/{pid}/io"))
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: ")?.parse::<u64>().ok())
    };
    family(roots).into_iter().filter_map(of).sum()
}

fn status_kib(pid: u32, field: &str) -> Option<u64> {
    let status = read(&format!("/proc/{pid}/status"));
    let rest = status.lines().find_map(|line| line.strip_prefix(field))?;
    rest.trim().trim_end_matches(" kB").parse().ok()
}

struct Stat {
    parent: u32,
    ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = read(&format!("/proc/{pid}/stat"));
    // The name may hold anything, even brackets.
    let rest = text.rsplit_once(')')?.1;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
    })
}

/// These processes and all below them.
fn family(roots: &[u32]) -> BTreeSet<u32> {
    let mut found: BTreeSet<u32> = roots.iter().copied().collect();
    let all: BTreeMap<u32, u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.parent)))
        .collect();
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// How long one tick is.
pub(crate) fn tick() -> Duration {
    Duration::from_secs_f64(1.0 / rustix::param::clock_ticks_per_second().max(1) as f64)
}

/// Ticks that all processors together were busy so far, by whomever.
fn busy_ticks() -> u64 {
    let stat = read("/proc/stat");
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, and interrupts; not idle, waiting for disks, or stolen.
    [0, 1, 2, 5, 6].into_iter().filter_map(|at| fields.get(at)).sum()
}

/// Microseconds that some process has waited for a processor so far.
fn stalled_micros() -> u64 {
    let text = read("/proc/pressure/cpu");
    let total = text.lines().next().and_then(|line| line.rsplit_once("total="));
    total
        .and_then(|(_, total)| total.parse().ok())
        .unwrap_or_default()
}

/// Load average over one minute.
pub(crate) fn load_average() -> f64 {
    read("/proc/loadavg")
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// How much of the time somebody waits for a processor while we do nothing. The kernel's own average over ten seconds
/// would still hold the load that the round before has made itself.
pub(crate) async fn pressure(window: Duration) -> f64 {
    let (began, before) = (Instant::now(), stalled_micros());
    tokio::time::sleep(window).await;
    let stalled = Duration::from_micros(stalled_micros().saturating_sub(before));
    stalled.as_secs_f64() / began.elapsed().as_secs_f64()
}

/// What a stretch of time has cost: from [`Meter::start`] to [`Meter::stop`].
pub(crate) struct Meter {
    began: Instant,
    server: Vec<u32>,
    server_ticks: u64,
    client_ticks: u64,
    busy: u64,
    written: u64,
}

/// What was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) wall: Duration,
    pub(crate) server_ticks: u64,
    pub(crate) client_ticks: u64,
    /// Part of all processors that others used.
    pub(crate) foreign: f64,
    pub(crate) written: u64,
}

impl Meter {
    /// Begins; `server` are the processes that are measured apart from this one.
    pub(crate) fn start(server: &[u32]) -> Self {
        let own = [std::process::id()];
        let server_ticks = ticks(server);
        // Peers are children of this process and must not count twice.
        let client_ticks = stat(own[0]).map_or(0, |stat| stat.ticks);
        Self {
            server: server.to_vec(),
            server_ticks,
            client_ticks,
            written: written_bytes(server),
            busy: busy_ticks(),
            began: Instant::now(),
        }
    }

    /// Ends.
    pub(crate) fn stop(self) -> Used {
        let wall = self.began.elapsed();
        let busy = busy_ticks().saturating_sub(self.busy);
        let server_ticks = ticks(&self.server).saturating_sub(self.server_ticks);
        let client = stat(std::process::id()).map_or(0, |stat| stat.ticks);
        let client_ticks = client.saturating_sub(self.client_ticks);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let there = wall.as_secs_f64() * cores as f64 / tick().as_secs_f64();
        let foreign = busy.saturating_sub(server_ticks + client_ticks) as f64 / there.max(1.0);
        Used {
            wall,
            server_ticks,
            client_ticks,
            foreign,
            written: written_bytes(&self.server).saturating_sub(self.written),
        }
    }
}

impl Used {
    /// CPU per operation in microseconds; `None` where there were too few ticks to say.
    pub(crate) fn per(ticks: u64, operations: u64) -> Option<f64> {
        (ticks >= LEAST_TICKS && operations > 0)
            .then(|| ticks as f64 * tick().as_secs_f64() * 1e6 / operations as f64)
    }
}
