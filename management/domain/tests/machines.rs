//! Connections, leases and deployments under random commands, each against a model that was written down on its own: what it
//! keeps is a few words, and it says for every command what comes of it, also that it is refused.
//!
//! The models share nothing with the machines but the commands. What they say of one command they say of all its
//! repetitions, so a sequence that is found is made as short as it can be.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{at, id, repository, signed};
use hadron_domain::connection::{
    Approval, Connection, ConnectionEffect, ConnectionInput, ConnectionRefusal, Roles,
};
use hadron_domain::deployment::{
    Authorised, Deployment, DeploymentEffect, DeploymentInput, DeploymentRefusal, Done, Ending, Intent,
    Phase, Work,
};
use hadron_domain::job::{Job, JobEffect, JobInput, JobRefusal, JobState};
use hadron_domain::step::Machine;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        ..ProptestConfig::default()
    }
}

// ---- Connections ----------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
enum ConnectionDeed {
    Accept,
    Reject { in_use: bool },
    Roles(u8),
    Delete,
}

/// What is known of a connection without looking at it.
#[derive(Clone, Copy, Debug)]
struct ConnectionModel {
    word: &'static str,
    epoch: u64,
    roles: u8,
}

/// What comes of a command: the next word, and whether agents are cut off, or a refusal.
type ConnectionEnd = Result<(&'static str, bool), &'static str>;

impl ConnectionModel {
    fn expect(&self, deed: ConnectionDeed) -> ConnectionEnd {
        use ConnectionDeed::{Accept, Delete, Reject, Roles};
        let was = self.word;
        match (was, deed) {
            ("DELETED", Delete) => Ok((was, false)),
            ("DELETED", _) => Err("gone"),
            (_, Delete) => Ok(("DELETED", was == "CONNECTED")),
            ("REJECTED", Accept | Roles(_)) => Err("rejected"),
            (_, Accept) => Ok(("CONNECTED", false)),
            ("CONNECTED", Reject { in_use: true }) => Err("in use"),
            (_, Reject { .. }) => Ok(("REJECTED", was == "CONNECTED")),
            (_, Roles(roles)) => Ok((was, was == "CONNECTED" && roles != self.roles)),
        }
    }
}

fn roles(n: u8) -> Roles {
    Roles {
        provisioning: None,
        component: None,
        codebuild: None,
        agent_role_name: format!("agent-{n}"),
    }
}

fn connection_deed() -> impl Strategy<Value = ConnectionDeed> {
    prop_oneof![
        4 => Just(ConnectionDeed::Accept),
        2 => any::<bool>().prop_map(|in_use| ConnectionDeed::Reject { in_use }),
        4 => (0..3_u8).prop_map(ConnectionDeed::Roles),
        1 => Just(ConnectionDeed::Delete),
    ]
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn connections_do_what_their_model_says(deeds in vec(connection_deed(), 1..30)) {
        let mut connection = Connection {
            id: id(1),
            environment: "prod".parse().unwrap(),
            account: common::account(3),
            region: "eu-west-1".parse().unwrap(),
            roles: roles(0),
            requested: signed(0),
            roles_changed: None,
            approval: Approval::Pending,
            epoch: 1,
        };
        let mut model = ConnectionModel { word: "PENDING", epoch: 1, roles: 0 };
        for (n, deed) in (1..).zip(deeds) {
            let by = signed(n);
            let input = match deed {
                ConnectionDeed::Accept => ConnectionInput::Accept(by),
                ConnectionDeed::Reject { in_use } => ConnectionInput::Reject { by, in_use },
                ConnectionDeed::Roles(which) => ConnectionInput::ChangeRoles(by, roles(which)),
                ConnectionDeed::Delete => ConnectionInput::Delete(by),
            };
            match (connection.step(input), model.expect(deed)) {
                (Ok(step), Ok((word, cut))) => {
                    let opened = model.word == "PENDING" && word == "CONNECTED";
                    model.word = word;
                    model.epoch += u64::from(cut);
                    if let ConnectionDeed::Roles(roles) = deed {
                        model.roles = roles;
                    }
                    let effects = match (opened, cut) {
                        (true, _) => vec![ConnectionEffect::AllowSessions],
                        (false, true) => vec![ConnectionEffect::CloseSessions, ConnectionEffect::HoldJobs],
                        (false, false) => Vec::new(),
                    };
                    prop_assert_eq!(step.effects, effects, "{:?}", deed);
                    connection = step.next;
                }
                (Err(refusal), Err(why)) => {
                    let told = match refusal {
                        ConnectionRefusal::Gone => "gone",
                        ConnectionRefusal::AlreadyRejected => "rejected",
                        ConnectionRefusal::InUse(_) => "in use",
                    };
                    prop_assert_eq!(told, why);
                }
                (real, expected) => prop_assert!(false, "{:?}: {:?} instead of {:?}", deed, real, expected),
            }
            prop_assert_eq!(connection.approval.word(), model.word);
            prop_assert_eq!(connection.epoch, model.epoch, "what agents were told, and what holds");
            prop_assert_eq!(&connection.roles, &roles(model.roles));
        }
    }
}

// ---- Leases ---------------------------------------------------------------------------------------------------------

/// Which fence is shown.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Latest,
    Earlier,
    Never,
}

#[derive(Clone, Copy, Debug)]
enum JobDeed {
    /// With a fence that is this much above the latest; 0 is none that may be given.
    Take(u64),
    Started(Shown),
    Renew(Shown),
    Handover(Shown),
    Report(Shown),
    Check(Shown),
    Expire,
    Void,
    TakeBack,
}

/// A job, in a few words.
#[derive(Clone, Debug)]
struct JobModel {
    word: &'static str,
    /// When the present word may change by itself: the job may be taken, or the lease runs out.
    at: u64,
    fence: u64,
    leases: u32,
    losses: u32,
    handovers: u32,
}

impl JobModel {
    /// It goes back to the queue, or nobody shall have it any more.
    fn back(&mut self, now: u64, rest: u64) -> Vec<&'static str> {
        // Eight losses, a day of being handed back, or many leases that ended otherwise.
        let given_up = self.losses == 8 || self.handovers == 1_440 || self.leases - self.handovers == 64;
        self.word = if given_up { "void" } else { "ready" };
        self.at = now + rest;
        vec![if given_up { "give up" } else { "wake" }]
    }

    /// Does the command, and says what follows or why not.
    fn go(&mut self, deed: JobDeed, now: u64, shown: u64) -> Result<Vec<&'static str>, &'static str> {
        let over = matches!(self.word, "finished" | "void");
        // Only the latest fence counts, and one must have been given.
        let (current, given) = (shown == self.fence, self.fence > 0);
        match deed {
            JobDeed::Take(_) if over => Err("ended"),
            JobDeed::Take(_) if self.word == "leased" => Err("held"),
            JobDeed::Take(_) if now < self.at => Err("too early"),
            JobDeed::Take(0) => Err("fence"),
            JobDeed::Take(more) => {
                self.word = "leased";
                self.fence += more;
                self.leases += 1;
                self.at = now + TTL;
                Ok(Vec::new())
            }
            JobDeed::Report(_) if self.word == "void" => Err("ended"),
            JobDeed::Started(_) | JobDeed::Renew(_) | JobDeed::Handover(_) | JobDeed::Check(_) if over => {
                Err("ended")
            }
            JobDeed::Started(_)
            | JobDeed::Renew(_)
            | JobDeed::Handover(_)
            | JobDeed::Check(_)
            | JobDeed::Report(_)
                if !current =>
            {
                Err("stale")
            }
            // Answers that got lost are given again, and a lease that ran out takes no outcome away.
            JobDeed::Report(_) if self.word == "finished" => Ok(Vec::new()),
            JobDeed::Report(_) if given => {
                self.word = "finished";
                Ok(vec!["accept"])
            }
            JobDeed::Handover(_) if self.word == "ready" && given => Ok(Vec::new()),
            JobDeed::Started(_)
            | JobDeed::Renew(_)
            | JobDeed::Handover(_)
            | JobDeed::Check(_)
            | JobDeed::Report(_)
                if self.word == "ready" =>
            {
                Err("not held")
            }
            JobDeed::Started(_) | JobDeed::Check(_) | JobDeed::Report(_) => Ok(Vec::new()),
            JobDeed::Renew(_) => {
                self.at = now + TTL;
                Ok(Vec::new())
            }
            JobDeed::Handover(_) => {
                self.handovers += 1;
                // Twice without a rest, then for a second, two, four, up to a minute.
                let rest = match self.handovers {
                    0..=2 => 0,
                    more => 2_u64.pow((more - 3).min(10)).min(60),
                };
                Ok(self.back(now, rest))
            }
            JobDeed::Expire if self.word == "leased" && self.at <= now => {
                self.losses += 1;
                let mut told = vec!["lost"];
                told.extend(self.back(now, 5));
                Ok(told)
            }
            JobDeed::TakeBack if self.word == "leased" => {
                let mut told = vec!["lost"];
                told.extend(self.back(now, 0));
                Ok(told)
            }
            JobDeed::Void if !over => {
                let told = if self.word == "leased" {
                    vec!["lost"]
                } else {
                    Vec::new()
                };
                self.word = "void";
                Ok(told)
            }
            JobDeed::Expire | JobDeed::TakeBack | JobDeed::Void => Ok(Vec::new()),
        }
    }
}

const TTL: u64 = 30;

fn shown() -> impl Strategy<Value = Shown> {
    prop_oneof![6 => Just(Shown::Latest), 2 => Just(Shown::Earlier), 1 => Just(Shown::Never)]
}

fn job_deed() -> impl Strategy<Value = JobDeed> {
    prop_oneof![
        12 => (0..4_u64).prop_map(JobDeed::Take),
        2 => shown().prop_map(JobDeed::Started),
        4 => shown().prop_map(JobDeed::Renew),
        6 => shown().prop_map(JobDeed::Handover),
        1 => shown().prop_map(JobDeed::Report),
        2 => shown().prop_map(JobDeed::Check),
        6 => Just(JobDeed::Expire),
        1 => Just(JobDeed::Void),
        3 => Just(JobDeed::TakeBack),
    ]
}

fn job_refusal(refusal: &JobRefusal) -> &'static str {
    match refusal {
        JobRefusal::Held { .. } => "held",
        JobRefusal::Stale { .. } => "stale",
        JobRefusal::NotHeld { .. } => "not held",
        JobRefusal::Ended(_) => "ended",
        JobRefusal::TooEarly { .. } => "too early",
        JobRefusal::FenceNotGreater { .. } => "fence",
    }
}

fn job_effect(effect: &JobEffect) -> &'static str {
    match effect {
        JobEffect::Wake => "wake",
        JobEffect::TellLost(..) => "lost",
        JobEffect::Accept => "accept",
        JobEffect::GiveUp => "give up",
    }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn leases_do_what_their_model_says(
        deeds in vec((job_deed(), select(vec![0_u64, 1, 5, 12, 31, 400])), 1..80),
    ) {
        let (holder, ttl) = (id(2), Duration::from_secs(TTL));
        let mut job = Job::new(id(1), at(0));
        let mut model = JobModel { word: "ready", at: 0, fence: 0, leases: 0, losses: 0, handovers: 0 };
        let mut clock = 0;
        for (deed, passed) in deeds {
            clock += passed;
            let now = at(clock);
            let fence = match deed {
                JobDeed::Started(which) | JobDeed::Renew(which) | JobDeed::Handover(which)
                | JobDeed::Report(which) | JobDeed::Check(which) => match which {
                    Shown::Latest => model.fence,
                    Shown::Earlier => model.fence.saturating_sub(1),
                    Shown::Never => model.fence + 100,
                },
                JobDeed::Take(more) => model.fence + more,
                JobDeed::Expire | JobDeed::Void | JobDeed::TakeBack => 0,
            };
            let input = match deed {
                JobDeed::Take(_) => JobInput::Take { holder, fence, now, ttl },
                JobDeed::Started(_) => JobInput::Started { fence },
                JobDeed::Renew(_) => JobInput::Renew { fence, holder, now, ttl },
                JobDeed::Handover(_) => JobInput::Handover { fence, now },
                JobDeed::Report(_) => JobInput::Report { fence, now },
                JobDeed::Check(_) => JobInput::Check { fence },
                JobDeed::Expire => JobInput::Expire { now },
                JobDeed::Void => JobInput::Void { now },
                JobDeed::TakeBack => JobInput::TakeBack { now },
            };
            let real = job.step(input);
            let told = real.as_ref().map(|step| step.effects.iter().map(job_effect).collect::<Vec<_>>());
            prop_assert_eq!(told.map_err(job_refusal), model.go(deed, clock, fence), "{:?} at {} on {:?}", deed, clock, job);
            if let Ok(step) = real {
                job = step.next;
            }
            let (word, until) = match &job.state {
                JobState::Ready { not_before } => ("ready", Some(*not_before)),
                JobState::Leased { expires, .. } => ("leased", Some(*expires)),
                JobState::Finished { .. } => ("finished", None),
                JobState::Void { .. } => ("void", None),
            };
            prop_assert_eq!((word, job.fence), (model.word, model.fence), "{:?}", deed);
            prop_assert!(until.is_none_or(|until| until == at(model.at)), "{:?} on {:?}, {:?}", deed, job, model);
        }
    }
}

// ---- Deployments ----------------------------------------------------------------------------------------------------

/// The job that a command comes from: the one that works for the deployment now, the one before, or a stranger.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Present,
    First,
    Strange,
}

#[derive(Clone, Copy, Debug)]
enum DeploymentDeed {
    Ready,
    Blocked,
    Taken(Whose),
    Execute(Whose, u8),
    Delete(Whose, u8),
    Cancel,
    Done(Whose, Done),
    Failed(Whose),
}

const FIRST: u64 = 1;
const REVOKING: u64 = 2;
const STRANGE: u64 = 3;

/// A deployment, in a few words.
#[derive(Clone, Debug)]
struct DeploymentModel {
    destroys: bool,
    word: &'static str,
    taken: bool,
    /// The act that was allowed last.
    leave: Option<String>,
}

impl DeploymentModel {
    const fn present(&self) -> u64 {
        match self.word.as_bytes() {
            b"cancelling" => REVOKING,
            _ => FIRST,
        }
    }

    fn end(&mut self, word: &'static str, before: &[&str]) -> Result<Vec<String>, &'static str> {
        self.word = word;
        Ok(before
            .iter()
            .map(ToString::to_string)
            .chain([word.to_owned()])
            .collect())
    }

    /// Does the command of this job, and says what follows or why not.
    fn go(&mut self, deed: DeploymentDeed, job: u64) -> Result<Vec<String>, &'static str> {
        use DeploymentDeed as Deed;
        let (nothing, ours) = (Ok(Vec::new()), job == self.present());
        match (self.word, deed) {
            ("cancelled", Deed::Cancel) => nothing,
            ("succeeded" | "failed" | "cancelled", _) => Err("ended"),
            ("waiting", Deed::Ready) => {
                self.word = "running";
                Ok(vec![format!("enqueue {FIRST}")])
            }
            ("waiting", Deed::Blocked) => self.end("failed", &[]),
            (_, Deed::Ready | Deed::Blocked) => Err("running"),
            ("waiting", Deed::Cancel) => self.end("cancelled", &[]),
            ("waiting", _) => Err("not begun"),

            // A deletion never executes anything, whoever asks; and in a cancellation only the empty stack may go.
            ("running", Deed::Execute(..)) if self.destroys => Err("not to execute"),
            ("cancelling", Deed::Execute(..)) => Err("cancelling"),
            ("cancelling", Deed::Delete(..)) if !ours => Err("cancelling"),
            (_, Deed::Taken(_) | Deed::Execute(..) | Deed::Delete(..) | Deed::Done(..) | Deed::Failed(_))
                if !ours =>
            {
                Err("other job")
            }
            (_, Deed::Taken(_)) => {
                self.taken = true;
                nothing
            }
            (_, Deed::Execute(_, n)) => {
                let act = format!("execute {n}");
                self.taken = true;
                self.leave = Some(act);
                nothing
            }
            ("running", Deed::Delete(_, n)) => {
                let act = format!("delete {n}");
                let again = self.leave.replace(act) == Some(format!("delete {n}"));
                self.taken = true;
                Ok(if again {
                    Vec::new()
                } else {
                    vec![format!("condemn {n}")]
                })
            }
            (_, Deed::Delete(_, n)) => Ok(vec![format!("condemn {n}")]),

            ("cancelling", Deed::Cancel) => nothing,
            (_, Deed::Cancel) => {
                let condemned = self
                    .leave
                    .as_ref()
                    .is_some_and(|leave| leave.starts_with("delete"));
                let void = format!("void {FIRST}");
                match (self.taken, self.destroys) {
                    (true, true) if condemned => Err("condemned"),
                    (true, false) => {
                        self.word = "cancelling";
                        Ok(vec![void, format!("revoke {REVOKING}")])
                    }
                    (true | false, _) => self.end("cancelled", &[&void]),
                }
            }
            ("cancelling", Deed::Done(_, Done::Revoked)) => self.end("cancelled", &[]),
            ("cancelling", Deed::Done(_, Done::Applied)) => self.end("succeeded", &[]),
            ("running", Deed::Done(_, Done::Applied)) if !self.destroys => self.end("succeeded", &[]),
            ("running", Deed::Done(_, Done::Gone)) if self.destroys => self.end("succeeded", &[]),
            (_, Deed::Done(..)) => Err("nonsense"),
            (_, Deed::Failed(_)) => self.end("failed", &[&format!("void {job}")]),
        }
    }
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![6 => Just(Whose::Present), 1 => Just(Whose::First), 1 => Just(Whose::Strange)]
}

fn deployment_deed() -> impl Strategy<Value = DeploymentDeed> {
    let done = select(vec![Done::Applied, Done::Gone, Done::Revoked]);
    prop_oneof![
        3 => Just(DeploymentDeed::Ready),
        1 => Just(DeploymentDeed::Blocked),
        6 => whose().prop_map(DeploymentDeed::Taken),
        5 => (whose(), 0..2_u8).prop_map(|(whose, n)| DeploymentDeed::Execute(whose, n)),
        5 => (whose(), 0..2_u8).prop_map(|(whose, n)| DeploymentDeed::Delete(whose, n)),
        4 => Just(DeploymentDeed::Cancel),
        3 => (whose(), done).prop_map(|(whose, what)| DeploymentDeed::Done(whose, what)),
        1 => whose().prop_map(DeploymentDeed::Failed),
    ]
}

fn deployment_refusal(refusal: &DeploymentRefusal) -> &'static str {
    match refusal {
        DeploymentRefusal::Ended => "ended",
        DeploymentRefusal::Condemned => "condemned",
        DeploymentRefusal::Cancelling => "cancelling",
        DeploymentRefusal::OtherJob(_) => "other job",
        DeploymentRefusal::Running => "running",
        DeploymentRefusal::NotBegun => "not begun",
        DeploymentRefusal::NotToExecute => "not to execute",
        DeploymentRefusal::Nonsense { .. } => "nonsense",
    }
}

const fn ending(how: &Ending) -> &'static str {
    match how {
        Ending::Succeeded => "succeeded",
        Ending::Failed(_) => "failed",
        Ending::Cancelled => "cancelled",
    }
}

fn deployment_effect(effect: &DeploymentEffect) -> String {
    let number = |job| {
        [FIRST, REVOKING, STRANGE]
            .into_iter()
            .find(|n| id(*n) == job)
            .unwrap()
    };
    match effect {
        DeploymentEffect::Enqueue(job, Work::Revoke) => format!("revoke {}", number(*job)),
        DeploymentEffect::Enqueue(job, Work::Apply | Work::Destroy) => format!("enqueue {}", number(*job)),
        DeploymentEffect::VoidJob(job) => format!("void {}", number(*job)),
        DeploymentEffect::Ended(how) => ending(how).to_owned(),
        DeploymentEffect::Condemn(stack) => format!("condemn {stack}"),
    }
}

proptest! {
    #![proptest_config(cases(8_000))]

    #[test]
    fn deployments_do_what_their_model_says(
        destroys in any::<bool>(),
        waits in any::<bool>(),
        deeds in vec(deployment_deed(), 1..30),
    ) {
        let intent = if destroys { Intent::Destroy } else { Intent::Apply };
        let grants: BTreeSet<_> = waits.then(|| repository("web")).into_iter().collect();
        let mut deployment = Deployment::begin(id(9), intent, id(FIRST), grants).next;
        let word = if waits { "waiting" } else { "running" };
        let mut model = DeploymentModel { destroys, word, taken: false, leave: None };
        for (n, deed) in (1..).zip(deeds) {
            let job = |whose| match whose {
                Whose::Present => model.present(),
                Whose::First => FIRST,
                Whose::Strange => STRANGE,
            };
            let (whose, input) = match deed {
                DeploymentDeed::Ready => (FIRST, DeploymentInput::Ready { job: id(FIRST) }),
                DeploymentDeed::Blocked => (FIRST, DeploymentInput::GrantBlocked { why: "no".to_owned(), at: at(n) }),
                DeploymentDeed::Taken(whose) => (job(whose), DeploymentInput::Taken { job: id(job(whose)) }),
                DeploymentDeed::Execute(whose, n) => {
                    let act = Authorised::Execute(n.to_string());
                    (job(whose), DeploymentInput::Authorise { job: id(job(whose)), act })
                }
                DeploymentDeed::Delete(whose, n) => {
                    let act = Authorised::Delete(n.to_string());
                    (job(whose), DeploymentInput::Authorise { job: id(job(whose)), act })
                }
                DeploymentDeed::Cancel => (FIRST, DeploymentInput::Cancel { by: signed(n), revoke: id(REVOKING) }),
                DeploymentDeed::Done(whose, what) => {
                    (job(whose), DeploymentInput::Done { job: id(job(whose)), what, at: at(n) })
                }
                DeploymentDeed::Failed(whose) => {
                    let why = "bad luck".to_owned();
                    (job(whose), DeploymentInput::Failed { job: id(job(whose)), why, at: at(n) })
                }
            };
            let real = deployment.step(input);
            let told = real.as_ref().map(|step| step.effects.iter().map(deployment_effect).collect::<Vec<_>>());
            let expected = model.go(deed, whose);
            prop_assert_eq!(told.map_err(deployment_refusal), expected, "{:?} on {:?}", deed, deployment);
            if let Ok(step) = real {
                deployment = step.next;
            }
            let word = match &deployment.phase {
                Phase::Waiting { .. } => "waiting",
                Phase::Running { .. } => "running",
                Phase::Cancelling { .. } => "cancelling",
                Phase::Ended { how, .. } => ending(how),
            };
            prop_assert_eq!(word, model.word, "{:?}", deed);
            prop_assert_eq!(deployment.is_active(), !matches!(word, "succeeded" | "failed" | "cancelled"));
        }
    }
}
