//! The attack suite: what somebody hostile would send, sent to the built programs, and the refusal that has to come.
//!
//! An attack is a row of [`ATTACKS`]: its number, its group, what it tries, and how it is made. Those of one group share a
//! world (an emulated AWS, a hub, agents, all real processes) and run one after the other. `cargo xtask attacks` runs them and
//! ends with one line of JSON; the test target `attacks` runs each group as one test.
//!
//! Each input has to be refused with the reason that is written beside it. After each attack, whatever came of it:
//! * the hub answers a normal request;
//! * its memory is back within [`MORE`] of what it was before the first one;
//! * its log or its audit log says why, unless the attack says that nothing is to be seen there;
//! * none of its logs holds a secret that the suite knows: keys, tokens, what was typed.
//!
//! Where a promise cannot be made from outside (a clock a day later, an answer of AWS that the emulator does not give), the
//! row names the tests that make it, and they have to be in the source. What is left out is named with its reason.

mod agents;
mod api;
pub mod client;
mod documents;
mod enrolment;
mod forge;
mod proofs;
mod rights;
mod sessions;
mod ssrf;
mod sts;
mod table;
mod templates;
mod trails;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aws_credential_types::Credentials;
use futures::future::BoxFuture;
use hadron_proto::wire;
use serde::Serialize;
use tonic::{Code, Status};

use self::client::Caller;
pub use self::table::ATTACKS;
use crate::cluster::Setup;
use crate::process::Process;
use crate::{World, paths, wait};

/// How much more memory a hub may have after an attack than before all of them, in KiB: 64 MiB.
pub const MORE: u64 = 64 * 1024;
/// How long memory may take to come back, and words to get into a log.
const SOON: Duration = Duration::from_secs(10);
/// What the hubs of attacks log: refusals in the TLS handshake are of no interest to those who operate a hub.
const LOGGED: &str = "info,hadron_management=debug";

/// What makes an attack.
pub type Run = for<'a> fn(&'a mut Ground, &'a mut Case) -> BoxFuture<'a, Result<()>>;

/// A test of the source: its file and its name.
pub type Test = (&'static str, &'static str);

/// How an attack is made.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// By real input to real processes.
    Real(Run),
    /// Not from outside, for this reason; these tests make it.
    Tested(&'static str, &'static [Test]),
    /// Not at all, for this reason.
    LeftOut(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// `AT-01` and so on.
    pub id: &'static str,
    /// Those that share a world.
    pub group: &'static str,
    /// What is tried: a sentence without a full stop.
    pub what: &'static str,
    /// How it is made.
    pub how: How,
}

/// The groups, in the order of the table.
#[must_use]
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = Vec::new();
    for attack in ATTACKS {
        if !groups.contains(&attack.group) {
            groups.push(attack.group);
        }
    }
    groups
}

/// What one attack saw.
#[derive(Debug)]
pub struct Case {
    /// Its number.
    pub id: &'static str,
    /// An address of this machine that only this attack speaks from, so that limits of addresses do not add up.
    pub address: IpAddr,
    inputs: u64,
    amiss: Vec<String>,
    traces: Vec<String>,
    silent: Option<&'static str>,
    secrets: Vec<String>,
}

impl Case {
    fn new(id: &'static str, group: u8, number: u8) -> Self {
        Self {
            id,
            address: Ipv4Addr::new(127, 7, group, number).into(),
            inputs: 0,
            amiss: Vec::new(),
            traces: Vec::new(),
            silent: None,
            secrets: Vec::new(),
        }
    }

    /// One input more, and whether what came of it is right.
    pub fn input(&mut self, what: impl Display, right: bool, found: impl Display) {
        self.inputs += 1;
        self.hold(what, right, found);
    }

    /// Something that has to hold besides.
    pub fn hold(&mut self, what: impl Display, right: bool, found: impl Display) {
        if !right {
            let found: String = found.to_string().chars().take(600).collect();
            self.amiss.push(format!("{what}: {found}"));
        }
    }

    /// One input of gRPC, which has to be refused with this code and these words.
    pub fn refused<T>(&mut self, what: impl Display, answer: Result<T, Status>, code: Code, says: &[&str]) {
        match answer {
            Ok(_) => self.input(what, false, "it was taken"),
            Err(status) => {
                let message = status.message().to_owned();
                let right = status.code() == code && says.iter().all(|word| message.contains(word));
                self.input(
                    what,
                    right,
                    format!("{:?}: {message} (wanted {code:?}, {says:?})", status.code()),
                );
            }
        }
    }

    /// One input of the Proton API, which has to be refused with this name and these words.
    pub fn fault(&mut self, what: impl Display, answer: &client::Answer, name: &str, says: &[&str]) {
        let right = answer.error() == name && says.iter().all(|word| answer.text.contains(word));
        self.input(
            what,
            right,
            format!("{} {} (wanted {name}, {says:?})", answer.status, answer.text),
        );
    }

    /// Words that the hub's log or its audit log has to have afterwards.
    pub fn logged(&mut self, words: impl Into<String>) {
        self.traces.push(words.into());
    }

    /// Nothing is to be seen in any log, for this reason.
    pub fn silent(&mut self, why: &'static str) {
        self.silent = Some(why);
    }

    /// What no log may hold.
    pub fn secret(&mut self, text: impl Into<String>) {
        self.secrets.push(text.into());
    }
}

/// Where the attacks of one group take place.
#[derive(Debug)]
pub struct Ground {
    /// An emulated AWS, a hub, agents.
    pub world: World,
    /// An administrator with a token.
    pub admin: Caller,
    /// What earlier attacks of the group left for later ones, by name.
    pub kept: BTreeMap<String, String>,
    /// Credentials of agents' roles, by account.
    roles: BTreeMap<String, Credentials>,
    /// What is done while other attacks take place.
    waiting: Vec<enrolment::Waiting>,
    /// A hostile hub with an agent that believes it.
    captured: Option<agents::Captured>,
    /// The same for the agent that writes policies of repositories.
    registrar: Option<agents::Captured>,
    before: u64,
    grown: u64,
}

impl Ground {
    async fn new() -> Result<Self> {
        let mut world = World::of(&Setup {
            // A certificate of an agent lives long enough for a group; answers of STS are waited for.
            hub: "\n[grants]\ncheck_seconds = 5\n".to_owned(),
            ..Setup::default()
        })
        .await?;
        world.hub.restart_with(Some(LOGGED), || Ok(())).await?;
        let admin = Caller::of(&world, "suite", "administrator").await?;
        let mut ground = Self {
            before: 0,
            grown: 0,
            kept: BTreeMap::new(),
            roles: BTreeMap::new(),
            waiting: Vec::new(),
            captured: None,
            registrar: None,
            admin,
            world,
        };
        // Once everything is there that a hub needs for its first call.
        ground.normal().await?;
        ground.before = resident(ground.world.hub.process().pid())?;
        Ok(ground)
    }

    /// The credentials that an account's agent would have. No such agent is started.
    async fn agent_role(&mut self, account: &str) -> Result<Credentials> {
        if let Some(known) = self.roles.get(account) {
            return Ok(known.clone());
        }
        let made = crate::agent::roles(self.world.emulator.url(), account).await?;
        let made = client::credentials(&made);
        self.roles.insert(account.to_owned(), made.clone());
        Ok(made)
    }

    /// A connection of an account, made with the first question for it, without an agent: accepted, or as `decided` says:
    /// `PENDING`, `REJECTED`, `DELETED`.
    async fn connection(&mut self, account: &str, decided: &str) -> Result<String> {
        if let Some(known) = self.kept.get(account) {
            return Ok(known.clone());
        }
        let environment = format!("of-{account}");
        let id = self.world.request(account, &environment).await?;
        let admin = &self.world.admin;
        match decided {
            "PENDING" => {}
            "REJECTED" => drop(admin.ok(&["connection", "reject", &id, "--yes"]).await?),
            "DELETED" => {
                let owner = self.world.owner(account).await?;
                drop(owner.ok(&["connection", "delete", &id, "--yes"]).await?);
            }
            _ => drop(
                admin
                    .ok(&["connection", "accept", &id, "--account", account])
                    .await?,
            ),
        }
        self.kept.insert(account.to_owned(), id.clone());
        Ok(id)
    }

    /// A request as anybody makes it.
    async fn normal(&mut self) -> Result<()> {
        self.world.hub.process().alive()?;
        let answer = tokio::time::timeout(SOON, self.admin.who_am_i())
            .await
            .context("the hub answers nothing")??;
        ensure!(answer.role == "administrator", "{answer:?}");
        Ok(())
    }

    /// Everything in the hub's log from this byte on.
    fn log(&mut self, from: usize) -> String {
        let log = self.world.hub.process().printed();
        log.get(from..).unwrap_or_default().to_owned()
    }

    /// The lines of the audit log behind this number.
    async fn audit(&self, after: i64) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT outcome, action, principal, object, detail FROM audit WHERE sequence > {after} ORDER BY sequence"
        );
        let rows = self.world.rows(&sql).await?;
        let text = |row: &Vec<Option<String>>| {
            let parts: Vec<&str> = row.iter().map(|part| part.as_deref().unwrap_or("-")).collect();
            parts.join(" ")
        };
        Ok(rows.iter().map(text).collect())
    }

    async fn last_audit(&self) -> Result<i64> {
        let rows = self
            .world
            .rows("SELECT COALESCE(MAX(sequence), 0) FROM audit")
            .await?;
        let last = rows.first().and_then(|row| row.first()).cloned().flatten();
        last.unwrap_or_default()
            .parse()
            .context("the end of the audit log")
    }

    /// Runs one attack, and looks at the hub afterwards.
    async fn attack(&mut self, run: Run, case: &mut Case) -> Result<()> {
        let from = self.world.hub.process().printed().len();
        let after = self.last_audit().await?;
        if let Err(error) = run(self, case).await {
            case.amiss.push(format!("it cannot be made: {error:#}"));
        }
        if case.inputs == 0 {
            case.amiss.push("it sent nothing".to_owned());
        }
        if let Err(error) = self.normal().await {
            case.amiss
                .push(format!("afterwards the hub does not answer: {error:#}"));
        }
        self.memory(case).await?;
        self.traces(case, from, after).await?;
        self.secrets(case)
    }

    async fn memory(&mut self, case: &mut Case) -> Result<()> {
        let began = Instant::now();
        loop {
            let more = resident(self.world.hub.process().pid())?.saturating_sub(self.before);
            if more <= MORE {
                self.grown = self.grown.max(more);
                return Ok(());
            }
            if began.elapsed() > SOON {
                case.amiss
                    .push(format!("the hub has {more} KiB more than before all attacks"));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn traces(&mut self, case: &mut Case, from: usize, after: i64) -> Result<()> {
        match (case.traces.is_empty(), case.silent) {
            (true, None) => case.amiss.push("no log is said to tell of it".to_owned()),
            (_, Some(_)) => return Ok(()),
            (false, None) => {}
        }
        let began = Instant::now();
        loop {
            let log = self.log(from);
            let audit = self.audit(after).await?;
            let missing = case.traces.iter().find(|words| {
                !log.contains(words.as_str()) && !audit.iter().any(|line| line.contains(words.as_str()))
            });
            let Some(missing) = missing else { return Ok(()) };
            if began.elapsed() > SOON {
                let end: Vec<&str> = log.lines().rev().take(6).collect();
                let audit: Vec<&String> = audit.iter().rev().take(6).collect();
                case.amiss.push(format!(
                    "neither log nor audit log says '{missing}'; the log ends with {end:?}, the audit log with {audit:?}"
                ));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn secrets(&self, case: &mut Case) -> Result<()> {
        let mut known = vec![self.admin.token.clone()];
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            known.extend(self.world.admin.variables().get(name).cloned());
        }
        known.extend(case.secrets.iter().cloned());
        for file in self.world.log_files() {
            // AWS keeps what it is told; that it is emulated here changes nothing.
            if file.ends_with("emulator.log") {
                continue;
            }
            let text = std::fs::read(&file).with_context(|| format!("{}", file.display()))?;
            let text = String::from_utf8_lossy(&text);
            for secret in &known {
                if text.contains(secret.as_str()) {
                    let name = file
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    let part: String = secret.chars().take(6).collect();
                    case.amiss
                        .push(format!("{name} holds the secret that begins with '{part}'"));
                }
            }
            if text.contains("PRIVATE KEY") {
                case.amiss.push(format!("{} holds a private key", file.display()));
            }
        }
        Ok(())
    }
}

/// What is resident of a process, in KiB.
///
/// # Errors
/// When it is not there.
pub fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the hub's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.context("the hub's memory")?.trim().trim_end_matches(" kB");
    number.parse().context("the hub's memory")
}

/// What a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Attacks that were made, here or by the tests that are named.
    pub attacks: u64,
    /// Those of them that were refused as they have to be.
    pub passed: u64,
    /// Those that were not.
    pub failed: u64,
    /// Single inputs to the programs.
    pub inputs: u64,
    /// What was wrong, attack by attack.
    pub amiss: Vec<Amiss>,
    /// Made by tests below the programs, for the reason given.
    pub tested: Vec<Named>,
    /// Not made, for the reason given.
    pub left_out: Vec<Named>,
    /// Attacks of which no log tells, for the reason given.
    pub silent: Vec<Named>,
    /// The most that a hub had resident after an attack, more than before all of them, in KiB.
    pub grown_max_kib: u64,
    /// Wall-clock time, in seconds.
    pub seconds: u64,
}

/// An attack with something wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Amiss {
    /// Its number.
    pub id: String,
    /// What was wrong.
    pub what: Vec<String>,
}

/// An attack and a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its number.
    pub id: String,
    /// Why.
    pub reason: String,
}

fn named(attack: &Attack, reason: &str) -> Named {
    Named {
        id: attack.id.to_owned(),
        reason: reason.to_owned(),
    }
}

impl Report {
    /// Adds what another run found.
    pub fn add(&mut self, other: Self) {
        self.attacks += other.attacks;
        self.passed += other.passed;
        self.failed += other.failed;
        self.inputs += other.inputs;
        self.amiss.extend(other.amiss);
        self.tested.extend(other.tested);
        self.left_out.extend(other.left_out);
        self.silent.extend(other.silent);
        self.grown_max_kib = self.grown_max_kib.max(other.grown_max_kib);
        self.seconds += other.seconds;
    }

    /// One line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }

    fn count(&mut self, id: &str, amiss: Vec<String>) {
        self.attacks += 1;
        if amiss.is_empty() {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.amiss.push(Amiss {
                id: id.to_owned(),
                what: amiss,
            });
        }
    }
}

/// Whether a test is in the source.
///
/// # Errors
/// When its file is not there, or has no such test.
pub fn is_there((file, name): Test) -> Result<()> {
    let path = paths::root().join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let function = format!("fn {name}(");
    let at = text
        .find(&function)
        .with_context(|| format!("{file} has no test {name}"))?;
    // `#[test]`, `#[tokio::test]` and their like stand close above it, also in proptest's macro.
    let above: Vec<&str> = text[..at].lines().rev().take(6).collect();
    ensure!(
        above.iter().any(|line| line.contains("test")),
        "{name} of {file} is no test"
    );
    Ok(())
}

/// Runs the attacks of one group, or those of it that are named.
///
/// # Errors
/// When the suite itself has trouble.
pub async fn perform(group: &str, only: &[String]) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report::default();
    let wanted = |attack: &&Attack| {
        attack.group == group
            && (only.is_empty() || only.iter().any(|name| name == attack.group || name == attack.id))
    };
    let chosen: Vec<&Attack> = ATTACKS.iter().filter(wanted).collect();
    let number = groups()
        .iter()
        .position(|name| *name == group)
        .context("no such group")?;
    let mut ground = None;
    for (place, attack) in chosen.iter().enumerate() {
        match attack.how {
            How::LeftOut(reason) => report.left_out.push(named(attack, reason)),
            How::Tested(reason, tests) => {
                report.tested.push(named(attack, reason));
                let missing = tests.iter().filter_map(|test| is_there(*test).err());
                report.count(attack.id, missing.map(|error| format!("{error:#}")).collect());
            }
            How::Real(run) => {
                if ground.is_none() {
                    ground = Some(Ground::new().await?);
                }
                let ground = ground.as_mut().context("a world")?;
                let (group, place) = (u8::try_from(number + 1)?, u8::try_from(place + 1)?);
                let mut case = Case::new(attack.id, group, place);
                let one = Instant::now();
                ground.attack(run, &mut case).await?;
                eprintln!(
                    "{} {} ({:.1} s): {}",
                    attack.id,
                    if case.amiss.is_empty() { "refused" } else { "AMISS" },
                    one.elapsed().as_secs_f64(),
                    attack.what
                );
                report.inputs += case.inputs;
                if let Some(why) = case.silent {
                    report.silent.push(named(attack, why));
                }
                report.count(attack.id, case.amiss);
                report.grown_max_kib = report.grown_max_kib.max(ground.grown);
            }
        }
    }
    let in_part = table::IN_PART
        .iter()
        .filter(|(id, _)| chosen.iter().any(|attack| attack.id == *id));
    report.left_out.extend(in_part.map(|(id, reason)| Named {
        id: (*id).to_owned(),
        reason: (*reason).to_owned(),
    }));
    report.seconds = began.elapsed().as_secs();
    Ok(report)
}

/// A hub's program with a configuration of its own, started in `folder`.
pub(crate) fn hub_with(folder: &std::path::Path, text: &str) -> Result<Process> {
    std::fs::create_dir_all(folder).context("a folder for a hub")?;
    let file = folder.join("hub.toml");
    std::fs::write(&file, text).context("hub.toml")?;
    let mut command = std::process::Command::new(paths::binary("hadron-hub")?);
    command
        .args(["--log", LOGGED, "serve", "--log-format", "json", "--config"])
        .arg(&file)
        .env_clear()
        .env("PATH", crate::emulator::path());
    Process::start("hadron-hub", &mut command, &folder.join("hub.log"))
}

/// Waits until a hub started with [`hub_with`] is ready.
pub(crate) async fn ready(folder: &std::path::Path, process: &mut Process) -> Result<crate::hub::Ready> {
    let file = folder.join("ready.json");
    wait::until("another hub to be ready", Duration::from_secs(60), || {
        let found = process.alive().map(|()| {
            let text = std::fs::read(&file).ok()?;
            serde_json::from_slice(&text).ok()
        });
        async move { found }
    })
    .await
}

/// What an administrator sees of environments, services, templates and connections: attacks that were refused leave it as it
/// was.
pub(crate) async fn seen(ground: &Ground) -> Result<String> {
    let tables = [
        "target",
        "deployment",
        "job",
        "template",
        "template_version",
        "connection",
    ];
    let mut seen = String::new();
    for table in tables {
        let rows = ground
            .world
            .rows(&format!("SELECT COUNT(*) FROM {table}"))
            .await?;
        seen.push_str(&format!("{table} {rows:?} "));
    }
    Ok(seen)
}

/// A request for the bundle of a new version of an environment template.
pub(crate) fn new_version(template: &str, bundle: Vec<u8>) -> wire::CreateTemplateVersionRequest {
    wire::CreateTemplateVersionRequest {
        kind: wire::TemplateKind::Environment.into(),
        template_name: template.to_owned(),
        bundle,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_there_once_and_in_order() {
        let numbers: Vec<u32> = ATTACKS
            .iter()
            .filter_map(|attack| attack.id.strip_prefix("AT-")?.parse().ok())
            .collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, (1..=107).collect::<Vec<_>>());
        assert_eq!(numbers.len(), 107, "a number stands there twice");
    }

    #[test]
    fn tests_that_rows_name_are_in_the_source() {
        for attack in ATTACKS {
            if let How::Tested(_, tests) = attack.how {
                assert!(!tests.is_empty(), "{}", attack.id);
                for test in tests {
                    is_there(*test).unwrap_or_else(|error| panic!("{}: {error:#}", attack.id));
                }
            }
        }
        assert!(is_there(("tests/harness/attacks/mod.rs", "no_such_test")).is_err());
    }

    #[test]
    fn an_attack_without_a_refusal_is_amiss() {
        let mut case = Case::new("AT-00", 1, 1);
        case.refused("taken", Ok(()), Code::InvalidArgument, &[]);
        case.refused(
            "other code",
            Err::<(), _>(Status::internal("x")),
            Code::NotFound,
            &[],
        );
        case.refused(
            "other words",
            Err::<(), _>(Status::not_found("x")),
            Code::NotFound,
            &["y"],
        );
        case.refused(
            "right",
            Err::<(), _>(Status::not_found("x y")),
            Code::NotFound,
            &["y"],
        );
        assert_eq!((case.inputs, case.amiss.len()), (4, 3), "{:?}", case.amiss);
        let mut report = Report::default();
        report.count("AT-00", case.amiss);
        assert_eq!((report.attacks, report.passed, report.failed), (1, 0, 1));
    }
}
