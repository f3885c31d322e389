//! Jobs in hand, on disk: read first at start, written before anything is done.
//!
//! One file per job under `<state_dir>/jobs`, JSON lines, each line on the disk before the call returns:
//!
//! 1. `accepted`: which job, under which fence, about which stack. Identities, digests and ARNs; never a template, a
//!    parameter or a spec.
//! 2. `step`, any number: what was done and to what, for the person who reads the file after a crash.
//! 3. `ended`: the report, until the hub has acknowledged it; then the file is deleted. The report holds stack outputs,
//!    which are sometimes secrets, so the files belong to the agent's user alone (0600).
//!
//! The journal is a cache: a lost disk loses no truth, since hub and CloudFormation know everything that is here except
//! reports that were never sent, and those the next holder of the job finds out again. What it buys is that a crashed
//! agent names its jobs at once instead of letting their leases run out, and that an outcome is reported exactly.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadron_proto::vocab::{AccountId, DeploymentId, Digest, JobId, Region, RoleArn, StackArn};
use hadron_proto::wire;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::convert;
use crate::job::{Job, Token, Work};
use crate::work::{Step, StepLog};

/// One line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Accepted(Box<Accepted>),
    Step(serde_json::Value),
    Ended(Ended),
}

#[derive(Debug, Serialize, Deserialize)]
struct Accepted {
    job: JobId,
    fence: u64,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<DeploymentId>,
    account: AccountId,
    region: Region,
    work: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stack_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stack: Option<StackArn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<RoleArn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    /// Where a bundle is; what is in it is nobody's business here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    outcome: String,
    report: String,
}

/// What an earlier process of this agent left behind.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Jobs that were begun and not ended, with the last step that was noted.
    pub unfinished: Vec<(Token, String)>,
    /// Reports that were never acknowledged.
    pub unsent: Vec<(Token, wire::ReportRequest)>,
    /// Files in which not even a token could be read; they are left where they are, with `.broken` added.
    pub broken: Vec<PathBuf>,
}

/// The open journal. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    jobs: PathBuf,
    entries: Mutex<HashMap<JobId, Entry>>,
    /// Keeps a second agent out of the same directory.
    _lock: File,
}

#[derive(Debug)]
struct Entry {
    token: Token,
    /// `None` for files of an earlier process: those are only ever deleted.
    file: Option<File>,
    /// How much of the file is whole lines.
    good: u64,
}

impl Journal {
    /// Opens the journal under `state_dir` and reads what is in it.
    ///
    /// # Errors
    /// When the directory cannot be made, read or locked.
    pub fn open(state_dir: &Path) -> io::Result<(Self, Recovered)> {
        let jobs = state_dir.join("jobs");
        DirBuilder::new().recursive(true).mode(0o700).create(&jobs)?;
        let lock = options()
            .create(true)
            .truncate(false)
            .open(state_dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                let text = format!(
                    "another hadron-agent uses {}; give each its own state_dir",
                    state_dir.display()
                );
                io::Error::new(io::ErrorKind::ResourceBusy, text)
            }
            fs::TryLockError::Error(error) => error,
        })?;
        let mut entries = HashMap::new();
        let recovered = recover(&jobs, &mut entries)?;
        let shared = Shared {
            jobs,
            entries: Mutex::new(entries),
            _lock: lock,
        };
        Ok((
            Self {
                shared: Arc::new(shared),
            },
            recovered,
        ))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.shared
            .entries
            .lock()
            .expect("nothing panics while it holds the journal")
    }

    /// Notes a job before anything is done about it. An older lease of the same job is forgotten with that.
    ///
    /// # Errors
    /// When it is not certain that the note is on the disk: nothing may be done then.
    pub fn accept(&self, job: &Job) -> io::Result<()> {
        let mut entries = self.entries();
        let path = path(&self.shared.jobs, job.token.job);
        let new = path.with_extension("new");
        let written = || {
            drop(fs::remove_file(&new));
            let mut file = options().append(true).create_new(true).open(&new)?;
            let line = text(&Line::Accepted(Box::new(accepted(job))))?;
            file.write_all(&line)?;
            file.sync_data()?;
            // The rename makes the note appear whole or not at all.
            fs::rename(&new, &path)?;
            sync_dir(&self.shared.jobs)?;
            Ok((file, line.len() as u64))
        };
        let (file, good) = written().inspect_err(|_: &io::Error| drop(fs::remove_file(&new)))?;
        entries.insert(
            job.token.job,
            Entry {
                token: job.token,
                file: Some(file),
                good,
            },
        );
        Ok(())
    }

    /// Keeps a report until it is acknowledged.
    ///
    /// # Errors
    /// When it is not certain that the report is on the disk, or the job is not in the journal under this token.
    pub fn ended(&self, token: Token, report: &wire::ReportRequest) -> io::Result<()> {
        let outcome = report.outcome.as_ref().map_or("nothing", outcome_name).to_owned();
        self.append(
            token,
            &Line::Ended(Ended {
                outcome,
                report: STANDARD.encode(report.encode_to_vec()),
            }),
        )
    }

    fn append(&self, token: Token, line: &Line) -> io::Result<()> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&token.job).filter(|entry| entry.token == token);
        let missing = || {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not in the journal", token.job),
            )
        };
        let Entry {
            file: Some(file),
            good,
            ..
        } = entry.ok_or_else(missing)?
        else {
            return Err(missing());
        };
        let text = text(line)?;
        let written = file.write_all(&text).and_then(|()| file.sync_data());
        match written {
            Ok(()) => *good += text.len() as u64,
            // Half a line must not swallow the next one.
            Err(_) => file.set_len(*good)?,
        }
        written
    }

    /// Forgets a job: its report is acknowledged, or it is no longer this agent's. A newer lease of it stays.
    ///
    /// # Errors
    /// When the file cannot be deleted.
    pub fn forget(&self, token: Token) -> io::Result<()> {
        let mut entries = self.entries();
        if entries.get(&token.job).is_none_or(|entry| entry.token != token) {
            return Ok(());
        }
        entries.remove(&token.job);
        match fs::remove_file(path(&self.shared.jobs, token.job)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_dir(&self.shared.jobs),
        }
    }
}

impl StepLog for Journal {
    fn step(&self, token: Token, step: &Step) -> io::Result<()> {
        self.append(token, &Line::Step(serde_json::to_value(step)?))
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn path(jobs: &Path, job: JobId) -> PathBuf {
    jobs.join(format!("{job}.journal"))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn text(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

fn accepted(job: &Job) -> Accepted {
    let mut accepted = Accepted {
        job: job.token.job,
        fence: job.token.fence,
        attempt: job.attempt,
        deployment: job.deployment,
        account: job.account,
        region: job.region.clone(),
        work: convert::capability(&job.work).to_owned(),
        stack_name: None,
        stack: None,
        role: None,
        template: None,
        repository: None,
        bundle: None,
    };
    match &job.work {
        Work::ApplyStack(apply) => {
            accepted.stack_name = Some(apply.stack_name.clone());
            accepted.stack = apply.stack_arn.clone();
            accepted.role = apply.role.clone();
            accepted.template = Some(apply.template_digest);
        }
        Work::DestroyStack(destroy) => {
            accepted.stack_name = Some(destroy.stack_name.clone());
            accepted.stack = destroy.stack_arn.clone();
            accepted.role = destroy.role.clone();
        }
        Work::RevokeStack(revoke) => {
            accepted.stack_name = Some(revoke.stack_name.clone());
            accepted.stack = revoke.stack_arn.clone();
            accepted.role = revoke.role.clone();
        }
        Work::SetPullPolicy(policy) => accepted.repository = Some(policy.repository.to_string()),
        // Events are the hub's to keep; what was done about them the step tells.
        Work::PutEvents(_) | Work::PutCheckpoints(_) => {}
        Work::FetchBundle(fetch) => accepted.bundle = Some(fetch.to_string()),
        Work::InspectStack(inspect) => {
            accepted.stack_name = Some(inspect.stack_name.clone());
            accepted.stack = inspect.stack_arn.clone();
        }
    }
    accepted
}

const fn outcome_name(outcome: &wire::report_request::Outcome) -> &'static str {
    use wire::report_request::Outcome;
    match outcome {
        Outcome::Applied(_) => "applied",
        Outcome::Gone(_) => "gone",
        Outcome::Revoked(_) => "revoked",
        Outcome::PullPolicy(_) => "pull_policy_set",
        Outcome::EventsPut(_) => "events_put",
        Outcome::CheckpointsPut(_) => "checkpoints_put",
        Outcome::BundleFetched(_) => "bundle_fetched",
        Outcome::Inspected(_) => "inspected",
        Outcome::Failed(_) => "failed",
    }
}

fn recover(jobs: &Path, entries: &mut HashMap<JobId, Entry>) -> io::Result<Recovered> {
    let mut recovered = Recovered::default();
    let files: io::Result<BTreeSet<PathBuf>> = fs::read_dir(jobs)?
        .map(|file| file.map(|file| file.path()))
        .collect();
    // In the order of the jobs' ids, whatever the file system thinks.
    for path in files? {
        match path.extension().and_then(|extension| extension.to_str()) {
            // A note that was never finished: nothing was done about that job.
            Some("new") => fs::remove_file(&path)?,
            Some("journal") => {
                let found = read(&fs::read(&path)?);
                let Some((token, step, report)) =
                    found.filter(|(token, ..)| self::path(jobs, token.job) == path)
                else {
                    fs::rename(&path, path.with_extension("journal.broken"))?;
                    recovered.broken.push(path);
                    continue;
                };
                entries.insert(
                    token.job,
                    Entry {
                        token,
                        file: None,
                        good: 0,
                    },
                );
                match report {
                    Some(report) => recovered.unsent.push((token, report)),
                    None => recovered.unfinished.push((token, step)),
                }
            }
            _ => {}
        }
    }
    Ok(recovered)
}

/// Reads one file. Whatever follows the first line that cannot be read does not count: a crash tears only the end.
fn read(bytes: &[u8]) -> Option<(Token, String, Option<wire::ReportRequest>)> {
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(&[][..], |end| &bytes[..end]);
    let mut lines = whole
        .split(|byte| *byte == b'\n')
        .map_while(|line| serde_json::from_slice::<Line>(line).ok());
    let Some(Line::Accepted(accepted)) = lines.next() else {
        return None;
    };
    let token = Token {
        job: accepted.job,
        fence: accepted.fence,
    };
    let (mut step, mut report) = ("accepted".to_owned(), None);
    for line in lines {
        match line {
            Line::Accepted(_) => break,
            Line::Step(noted) => step = noted["step"].as_str().unwrap_or("a step").to_owned(),
            Line::Ended(ended) => report = decode(token, &ended.report),
        }
    }
    Some((token, step, report))
}

fn decode(token: Token, text: &str) -> Option<wire::ReportRequest> {
    let report = wire::ReportRequest::decode(STANDARD.decode(text).ok()?.as_slice()).ok()?;
    (convert::token(report.token.as_ref()).ok()? == token).then_some(report)
}

#[cfg(test)]
mod tests;
