//! What is promised, against the account in memory. Time is paused: waiting costs nothing.

mod bundles;
mod checkpoints;
mod crashes;
mod events;
mod faults;
mod inspecting;
mod matrix;
mod policies;
mod states;
mod walk;

use std::sync::Arc;

use hadron_proto::vocab::{AccountId, DeploymentId, Digest, JobId, RepositoryName, StackArn};

use super::{Brake, Settings, Stop, perform};
use crate::aws::{AwsAccount, Pace, StackStatus};
use crate::fake::{FakeAws, FakeHub, FakeLog, Line};
use crate::job::*;

pub(super) const NAME: &str = "hadron-env-prod-abcdefghij";
pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/hadron-provisioning";

pub(super) fn account() -> AccountId {
    "111122223333".parse().unwrap()
}

pub(super) fn deployment(n: u64) -> DeploymentId {
    DeploymentId::from_parts(n, [9; 10])
}

pub(super) fn tag(n: u64) -> String {
    deployment(n).as_uuid().to_string()
}

pub(super) fn exec_token(n: u64) -> String {
    format!("hadron-{}-exec", tag(n))
}

pub(super) fn job_id(n: u64) -> JobId {
    JobId::from_parts(n, [4; 10])
}

/// A template with these topics; a topic written `A=2` has other properties than `A`.
pub(super) fn template(topics: &[&str]) -> String {
    let mut resources = serde_json::Map::new();
    for topic in topics {
        let (id, value) = topic.split_once('=').unwrap_or((topic, "1"));
        resources.insert(
            id.to_owned(),
            serde_json::json!({ "Type": "AWS::SNS::Topic", "Value": value }),
        );
    }
    serde_json::json!({ "Resources": resources, "Outputs": { "First": { "Value": "one" } } }).to_string()
}

/// An account, a hub, and one agent between them.
pub(super) struct World {
    pub(super) aws: FakeAws,
    pub(super) hub: FakeHub,
    pub(super) log: FakeLog,
    pub(super) settings: Settings,
}

impl World {
    pub(super) fn new() -> Self {
        let settings = Settings {
            pace: Arc::new(Pace::seeded(42)),
            ..Settings::default()
        };
        Self {
            aws: FakeAws::new(account(), "eu-central-1".parse().unwrap()),
            hub: FakeHub::default(),
            log: FakeLog::default(),
            settings,
        }
    }

    pub(super) fn apply(&self, n: u64, text: &str) -> ApplyStack {
        self.hub.template_of(job_id(n), text);
        ApplyStack {
            stack_name: NAME.to_owned(),
            stack_arn: None,
            template_digest: Digest::of(text.as_bytes()),
            template_bytes: text.len() as u64,
            role_kind: RoleKind::Provisioning,
            role: Some(ROLE.parse().unwrap()),
            tags: vec![("hadron:target".to_owned(), "tgt_1".to_owned())],
            capabilities: Vec::new(),
            resource_types: Vec::new(),
            never_succeeded: true,
            has_source: false,
        }
    }

    pub(super) fn update(&self, n: u64, text: &str, stack: &StackArn) -> ApplyStack {
        ApplyStack {
            stack_arn: Some(stack.clone()),
            never_succeeded: false,
            ..self.apply(n, text)
        }
    }

    pub(super) fn destroy(stack: Option<&StackArn>) -> Work {
        Work::DestroyStack(DestroyStack {
            stack_name: NAME.to_owned(),
            stack_arn: stack.cloned(),
            role_kind: RoleKind::Provisioning,
            role: Some(ROLE.parse().unwrap()),
            retain_resources: Vec::new(),
        })
    }

    pub(super) fn revoke(stack: Option<&StackArn>, never_succeeded: bool) -> Work {
        Work::RevokeStack(RevokeStack {
            stack_name: NAME.to_owned(),
            stack_arn: stack.cloned(),
            never_succeeded,
            role_kind: RoleKind::Provisioning,
            role: Some(ROLE.parse().unwrap()),
        })
    }

    pub(super) fn pull(&self, repository: &str, readers: &[&str]) -> Work {
        Work::SetPullPolicy(SetPullPolicy {
            repository: repository.parse::<RepositoryName>().unwrap(),
            readers: readers.iter().map(|reader| reader.parse().unwrap()).collect(),
        })
    }

    /// The job of deployment `n`, leased anew.
    pub(super) fn lease(&self, n: u64, attempt: u32, work: Work) -> Job {
        self.lease_as(n, n, attempt, work)
    }

    /// Another job of deployment `n`: a cancellation is a job of its own.
    pub(super) fn lease_as(&self, job: u64, n: u64, attempt: u32, work: Work) -> Job {
        Job {
            token: self.hub.lease(job_id(job)),
            attempt,
            deployment: Some(deployment(n)),
            label: "prod".to_owned(),
            account: account(),
            region: "eu-central-1".parse().unwrap(),
            work,
        }
    }

    /// Performs a job over a line of its own. `None`: the process died.
    pub(super) async fn over(&self, line: &Line, job: &Job, stop: &Stop) -> Option<Result<Outcome, Stopped>> {
        let (aws, hub) = (self.aws.over(line), self.hub.over(line));
        tokio::select! {
            end = perform(job, &aws, &hub, &self.log, stop, &self.settings) => Some(end),
            () = line.died() => None,
        }
    }

    pub(super) async fn run(&self, job: &Job) -> Outcome {
        self.run_over(&Line::default(), job).await
    }

    pub(super) async fn run_over(&self, line: &Line, job: &Job) -> Outcome {
        let (_brake, stop) = Stop::new();
        self.over(line, job, &stop)
            .await
            .expect("alive")
            .expect("finished")
    }

    pub(super) async fn run_until(&self, job: &Job, pull: impl FnOnce(&Brake)) -> Result<Outcome, Stopped> {
        let (brake, stop) = Stop::new();
        pull(&brake);
        self.over(&Line::default(), job, &stop).await.expect("alive")
    }

    /// A stack that deployment `n` made, with these topics.
    pub(super) async fn made(&self, n: u64, topics: &[&str]) -> StackArn {
        let work = self.apply(n, &template(topics));
        match self.run(&self.lease(n, 1, Work::ApplyStack(work))).await {
            Outcome::Applied { stack, .. } => stack,
            other => panic!("{other:?}"),
        }
    }

    /// How often deployment `n` was executed.
    pub(super) fn executions(&self, n: u64) -> usize {
        self.aws
            .executed()
            .iter()
            .filter(|executed| executed.token == exec_token(n))
            .count()
    }

    pub(super) fn status(&self, stack: &StackArn) -> StackStatus {
        self.aws.status(stack.as_str()).unwrap()
    }
}

pub(super) fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_work_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    #[expect(dead_code, reason = "compiling it is the test")]
    fn with_the_sdk(
        job: &Job,
        aws: &AwsAccount,
        hub: &FakeHub,
        log: &FakeLog,
        stop: &Stop,
        settings: &Settings,
    ) {
        is_send(&perform(job, aws, hub, log, stop, settings));
    }
    let world = World::new();
    let job = world.lease(1, 1, World::destroy(None));
    let (_brake, stop) = Stop::new();
    is_send(&perform(
        &job,
        &world.aws,
        &world.hub,
        &world.log,
        &stop,
        &world.settings,
    ));
}
