//! A random walk over the whole hub: people who do anything, agents that do it, fail, are lost and cancelled. What must
//! hold all the time is looked at all the time; at the end, when everybody has answered, nothing is left to be done.

use std::collections::{BTreeMap, BTreeSet};

use hadron_domain::deployment::Intent;
use hadron_domain::grant::{Because, Grants, Repository};
use hadron_domain::job::RETAKE_AFTER;
use hadron_domain::service::{Doing, Part, Status};
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_management::app::effects::{FailureKind, Outcome};
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::grants::image_use;
use hadron_management::app::instances::PartUpdate;
use hadron_management::app::work::{Offer, OfferedWork};
use hadron_management::app::{AppError, ErrorKind};
use hadron_management::reconcile;
use hadron_management::store::targets::{self, TargetRow};
use hadron_management::store::{grants as lanes, jobs};
use hadron_proto::vocab::AccountId;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::agent::{Agent, applied, failed};
use crate::world::{
    LEASE, MANAGEMENT, PRODUCTION, STAGING, World, account, administrator, archive, asked, developer,
    environment_update, example, service_spec,
};

const ENVIRONMENTS: [&str; 3] = ["prd", "stg", "dev"];
const SERVICES: [&str; 3] = ["web", "api", "job"];
const INSTANCES: [&str; 4] = ["a", "b", "c", "d"];

struct Walk {
    world: World,
    random: StdRng,
    agents: Vec<Agent>,
    held: Vec<(usize, Offer)>,
    /// How often each thing was done, to see that the walk went everywhere.
    done: BTreeMap<&'static str, u32>,
    /// How likely an agent fails, in percent.
    failing: u32,
    /// People rather delete.
    clearing: bool,
}

impl Walk {
    async fn new(world: World, seed: u64) -> Self {
        world.templates().await;
        let bundle = archive(&example("minimal-svc"));
        world
            .published(
                TemplateKind::Service,
                "minimal-svc",
                Some(1),
                bundle,
                &["minimal-env:1"],
            )
            .await;
        let bundle = archive(&example("minimal-env"));
        world
            .published(TemplateKind::Environment, "minimal-env", Some(1), bundle, &[])
            .await;
        let mut agents = Vec::new();
        for (account, name) in [(PRODUCTION, "prd"), (STAGING, "stg")] {
            let connection = world.connected(account, name).await;
            agents.push(world.agent(connection).await);
        }
        agents.push(world.management_agent().await);
        Self {
            world,
            random: StdRng::seed_from_u64(seed),
            agents,
            held: Vec::new(),
            done: BTreeMap::new(),
            failing: 25,
            clearing: false,
        }
    }

    fn one<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.random.random_range(0..all.len())]
    }

    fn note(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// What somebody asked for: refusals are fine, faults of the hub are not.
    fn answered<T>(&mut self, what: &'static str, outcome: Result<T, AppError>) {
        match outcome {
            Ok(_) => self.note(what),
            Err(error) => assert!(
                !matches!(
                    error.kind,
                    ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Denied
                ),
                "{what}: {}",
                error.story()
            ),
        }
    }

    fn spec(&mut self) -> String {
        let mut instances = Vec::new();
        let many = self.random.random_range(1..=3);
        for name in INSTANCES.iter().take(many + 1) {
            if self.random.random_bool(0.7) {
                let environment = self.one(&ENVIRONMENTS);
                let image = self.random.random_range(0..3);
                let inputs = match image {
                    0 => String::new(),
                    _ => format!("image: {MANAGEMENT}.dkr.ecr.us-east-1.amazonaws.com/image-{image}:1"),
                };
                instances.push((*name, environment, inputs));
            }
        }
        if instances.is_empty() {
            instances.push(("a", "prd", String::new()));
        }
        let instances: Vec<(&str, &str, &str)> =
            instances.iter().map(|(a, b, c)| (*a, *b, c.as_str())).collect();
        service_spec(None, &instances)
    }

    async fn person(&mut self) {
        let (environment, service, instance) =
            (self.one(&ENVIRONMENTS), self.one(&SERVICES), self.one(&INSTANCES));
        let template = if service == "job" {
            "minimal-svc-no-pipeline"
        } else {
            "minimal-svc"
        };
        let spec = self.spec();
        let (admin, dev) = (administrator(), developer());
        let (name, part) = (service.parse().unwrap(), instance.parse().unwrap());
        let app = self.world.app.clone();
        let modes = [UpdateMode::Current, UpdateMode::Minor];
        let mode = modes[self.random.random_range(0..2)];
        let dice = self.random.random_range(0..14);
        let dice = if self.clearing && self.random.random_bool(0.6) {
            14 + dice % 4
        } else {
            dice
        };
        match dice {
            0 | 1 => {
                let connections = self.agents.iter().map(|agent| agent.peer.connection);
                let connection = ENVIRONMENTS
                    .into_iter()
                    .zip(connections)
                    .find(|(name, _)| *name == environment);
                let connection = connection.map(|(_, id)| id).filter(|_| environment != "dev");
                let outcome = self.world.create_environment(environment, connection).await;
                self.answered("create environment", outcome);
            }
            2 => {
                let outcome = self
                    .world
                    .update_environment(environment_update(environment, mode))
                    .await;
                self.answered("update environment", outcome);
            }
            14 => {
                let outcome = self.world.delete_environment(environment).await;
                self.answered("delete environment", outcome);
            }
            3..=5 => {
                let new = crate::world::new_service(service, template, &spec);
                let outcome = app.create_service(asked(&dev, "CreateService"), new).await;
                self.answered("create service", outcome);
            }
            6 | 7 => {
                let outcome = app
                    .update_service(asked(&dev, "UpdateService"), name, Some(spec), None)
                    .await;
                self.answered("update service", outcome);
            }
            15 => {
                let outcome = app.delete_service(asked(&dev, "DeleteService"), name).await;
                self.answered("delete service", outcome);
            }
            8 | 9 => {
                let spec = self.random.random_bool(0.5).then_some(spec);
                let update = PartUpdate {
                    mode,
                    spec,
                    version: None,
                };
                let outcome = app
                    .update_instance(asked(&dev, "UpdateServiceInstance"), name, part, update)
                    .await;
                self.answered("update instance", outcome);
            }
            10 | 16 => {
                let retain = if self.random.random_bool(0.5) {
                    vec!["Bucket".to_owned()]
                } else {
                    Vec::new()
                };
                let outcome = app
                    .delete_instance(asked(&dev, "DeleteServiceInstance"), name, part, retain)
                    .await;
                self.answered("delete instance", outcome);
            }
            11 | 17 => {
                let update = PartUpdate {
                    mode,
                    spec: None,
                    version: None,
                };
                match if dice == 17 {
                    0
                } else {
                    self.random.random_range(0..4)
                } {
                    0 => {
                        let outcome = app
                            .delete_pipeline(asked(&dev, "DeletePipeline"), name, Vec::new())
                            .await;
                        self.answered("delete pipeline", outcome);
                    }
                    1 => {
                        let outcome = app
                            .create_pipeline(asked(&dev, "CreatePipeline"), name, update)
                            .await;
                        self.answered("create pipeline", outcome);
                    }
                    _ => {
                        let outcome = app
                            .update_pipeline(asked(&dev, "UpdatePipeline"), name, update)
                            .await;
                        self.answered("update pipeline", outcome);
                    }
                }
            }
            12 => {
                let active = self.world.active().await;
                if !active.is_empty() {
                    let id = active[self.random.random_range(0..active.len())].deployment.id;
                    let outcome = app.cancel_deployment(asked(&admin, "CancelDeployment"), id).await;
                    self.answered("cancel", outcome);
                }
            }
            _ => {
                let environment = self.one(&ENVIRONMENTS).parse().unwrap();
                let outcome = app
                    .create_instance(
                        asked(&dev, "CreateServiceInstance"),
                        name,
                        part,
                        Some(environment),
                        None,
                        None,
                    )
                    .await;
                self.answered("create instance", outcome);
            }
        }
    }

    async fn agent(&mut self) {
        let who = self.random.random_range(0..self.agents.len());
        if self.held.is_empty() || self.random.random_bool(0.4) {
            let limit = self.random.random_range(1..4);
            let offers = self
                .world
                .app
                .take(&self.agents[who].session, limit)
                .await
                .unwrap();
            self.held.extend(offers.into_iter().map(|offer| (who, offer)));
            return;
        }
        let (who, offer) = self
            .held
            .swap_remove(self.random.random_range(0..self.held.len()));
        let agent = self.agents[who].clone();
        match self.random.random_range(0..100) {
            // Lost without a word.
            0..=5 if self.failing > 0 => self.note("lost"),
            6..=9 if self.failing > 0 => {
                let outcome = self.world.app.handover(&agent.peer, offer.token, "").await;
                self.said("handover", outcome);
            }
            10..=13 => {
                let outcome = self
                    .world
                    .app
                    .heartbeat(&agent.session, vec![offer.token])
                    .await
                    .unwrap();
                if !outcome.is_empty() {
                    self.held.push((who, offer));
                }
            }
            dice if dice >= 100 - self.failing => {
                let kind = match &offer.work {
                    OfferedWork::Destroy { .. } => FailureKind::DeleteFailed,
                    OfferedWork::SetPullPolicy { .. } if dice % 2 == 0 => FailureKind::RepositoryMissing,
                    OfferedWork::SetPullPolicy { .. } => FailureKind::PolicyTooLong,
                    _ => FailureKind::StackFailed,
                };
                if dice % 3 == 0 && !matches!(offer.work, OfferedWork::SetPullPolicy { .. }) {
                    // Leave was given, and then it went wrong.
                    let act = match &offer.work {
                        OfferedWork::Destroy { .. } => crate::agent::delete(&offer),
                        _ => crate::agent::execute(&offer),
                    };
                    let _ = self.world.app.authorise(&agent.peer, offer.token, act).await;
                }
                let outcome = self
                    .world
                    .app
                    .report(&agent.peer, offer.token, failed(&offer, kind, "bad luck"))
                    .await;
                self.said("fail", outcome);
            }
            dice if dice % 10 == 0 && matches!(offer.work, OfferedWork::Revoke { .. }) => {
                let outcome = self
                    .world
                    .app
                    .report(&agent.peer, offer.token, applied(&offer))
                    .await;
                self.said("too late to revoke", outcome);
            }
            dice if dice % 10 == 1 && matches!(offer.work, OfferedWork::Apply { .. }) => {
                let outcome = self
                    .world
                    .app
                    .report(&agent.peer, offer.token, Outcome::Gone)
                    .await;
                self.said("nonsense", outcome);
            }
            _ => {
                let outcome = agent.try_succeed(&self.world, &offer).await;
                self.said("succeed", outcome);
            }
        }
    }

    /// What an agent hears: its job may have been taken from it, nothing else.
    fn said(&mut self, what: &'static str, outcome: Result<(), AppError>) {
        match outcome {
            Ok(()) => self.note(what),
            Err(error) if error.kind == ErrorKind::Fenced => self.note("fenced"),
            Err(error) => panic!("{what}: {}", error.story()),
        }
    }

    async fn step(&mut self) {
        match self.random.random_range(0..20) {
            0..=5 => self.person().await,
            6..=14 => self.agent().await,
            15..=17 => {
                reconcile::drain(&self.world.app).await.unwrap();
            }
            18 => {
                self.world.pass(LEASE / 3).await;
                reconcile::expire(self.world.app.clone()).await.unwrap();
            }
            _ => reconcile::check_grants(self.world.app.clone()).await.unwrap(),
        }
    }

    /// Everybody answers, and answers well.
    async fn finish(&mut self) {
        self.failing = 0;
        for _ in 0..400 {
            self.world.settle().await;
            self.world.pass(LEASE).await;
            reconcile::expire(self.world.app.clone()).await.unwrap();
            self.world.pass(RETAKE_AFTER).await;
            self.world.settle().await;
            self.held.clear();
            let mut idle = true;
            for who in 0..self.agents.len() {
                for offer in self.world.app.take(&self.agents[who].session, 100).await.unwrap() {
                    idle = false;
                    let agent = self.agents[who].clone();
                    let outcome = agent.try_succeed(&self.world, &offer).await;
                    self.said("succeed", outcome);
                    self.world.settle().await;
                }
            }
            if idle && self.world.active().await.is_empty() && self.leased().await == 0 {
                return;
            }
        }
        panic!(
            "there is always something left to do: {:?}",
            self.world.active().await
        );
    }

    async fn leased(&self) -> u32 {
        let sessions: Vec<_> = self.agents.iter().map(|agent| agent.session.id).collect();
        let held = self.world.app.read("held", move |tx| {
            Box::pin(async move {
                let mut held = 0;
                for session in sessions {
                    held += jobs::held_by(tx, session).await?;
                }
                Ok(held)
            })
        });
        held.await.unwrap()
    }

    async fn targets(&self) -> Vec<TargetRow> {
        let mut all = Vec::new();
        for kind in ["environment", "instance", "pipeline"] {
            let filter = targets::Filter {
                kind,
                ..targets::Filter::default()
            };
            let page = self
                .world
                .app
                .list_targets(&developer(), filter, (String::new(), String::new()), 1000)
                .await;
            all.extend(page.unwrap());
        }
        all
    }

    /// What holds at any time.
    async fn check(&self) {
        let (targets, active) = (self.targets().await, self.world.active().await);
        let mut busy = BTreeSet::new();
        for row in &active {
            assert!(busy.insert(row.target_id), "{} has two deployments", row.target);
        }
        for row in &targets {
            assert_eq!(
                row.part == Part::Busy,
                busy.contains(&row.id),
                "{}: {:?}",
                row.target,
                row.part
            );
            let known: BTreeSet<_> = targets.iter().map(|row| row.id).collect();
            assert!(busy.is_subset(&known), "a deployment of something that is gone");
            if let Target::Instance(service, _) = &row.target {
                let environment = row.environment.clone().unwrap();
                assert!(
                    targets
                        .iter()
                        .any(|row| row.target == Target::Environment(environment.clone())),
                    "{} lives nowhere",
                    row.target
                );
                assert!(SERVICES.contains(&service.as_str()));
            }
            if row.ever_succeeded {
                assert!(row.stack_arn.is_some() && row.succeeded.is_some(), "{row:?}");
            }
        }
        for row in &active {
            let target = targets.iter().find(|target| target.id == row.target_id).unwrap();
            assert_eq!(target.status, row.deployment.word(), "{}", row.target);
            if row.deployment.intent == Intent::Apply {
                assert_eq!(target.stack_name, row.stack_name);
            }
        }
    }

    /// What holds when nothing is going on.
    async fn check_at_rest(&self) {
        self.check().await;
        let targets = self.targets().await;
        let services = self
            .world
            .app
            .list_services(&developer(), String::new(), 100)
            .await
            .unwrap();
        for view in &services {
            let service = &view.service;
            assert_eq!(
                service.doing,
                Doing::Nothing,
                "{} is still doing something",
                service.name
            );
            let parts: Vec<Part> = view
                .instances
                .iter()
                .chain(&view.pipeline)
                .map(|row| row.part)
                .collect();
            // A deletion that got stuck at the pipeline has taken the instances already.
            let stuck = matches!(
                service.status,
                Status::DeleteFailed | Status::UpdateFailedCleanupComplete
            );
            assert!(
                !view.instances.is_empty() || stuck,
                "{} is {:?} without instances",
                service.name,
                service.status
            );
            assert!(
                !matches!(
                    service.status,
                    Status::CreateInProgress
                        | Status::UpdateInProgress
                        | Status::DeleteInProgress
                        | Status::UpdateFailedCleanupInProgress
                ),
                "{}: {:?}",
                service.name,
                service.status
            );
            if parts.iter().all(|part| *part == Part::Good) {
                assert!(
                    matches!(
                        service.status,
                        Status::Active | Status::UpdateFailedCleanupComplete
                    ),
                    "{}: {:?} with {parts:?}",
                    service.name,
                    service.status
                );
            }
            if matches!(
                service.status,
                Status::CreateFailed | Status::DeleteFailed | Status::UpdateFailed
            ) {
                assert!(
                    !service.message.is_empty(),
                    "{} does not say why it is {:?}",
                    service.name,
                    service.status
                );
            }
        }
        // Grants are what follows from the services, computed here from nothing but the rows.
        let pipeline = |name: &hadron_proto::vocab::ServiceName| {
            targets
                .iter()
                .find(|row| row.target == Target::Pipeline(name.clone()))
        };
        let uses = targets.iter().filter_map(|row| match &row.target {
            Target::Instance(service, _) => image_use(row, &row.spec, pipeline(service)),
            _ => None,
        });
        type Readers = BTreeMap<AccountId, BTreeSet<Because>>;
        let desired = Grants::desired(account(MANAGEMENT), uses);
        let desired: BTreeMap<Repository, Readers> = desired
            .iter()
            .map(|(repository, readers)| (repository.clone(), readers.clone()))
            .collect();
        let rows = self
            .world
            .app
            .read("lanes", |tx| Box::pin(async move { Ok(lanes::all(tx).await?) }))
            .await
            .unwrap();
        let found: BTreeMap<Repository, Readers> = rows
            .iter()
            .filter(|row| !row.lane.wanted.is_empty())
            .map(|row| (row.lane.repository.clone(), row.reasons.clone()))
            .collect();
        assert_eq!(found, desired);
        for row in &rows {
            assert_eq!(row.lane.writing, None, "{}", row.lane.repository);
            assert_eq!(row.lane.wanted, row.reasons.keys().copied().collect());
        }
    }
}

async fn walk(world: World, seed: u64, steps: u32) -> BTreeMap<&'static str, u32> {
    let mut walk = Walk::new(world, seed).await;
    for step in 0..steps {
        walk.step().await;
        if step % 10 == 0 {
            walk.check().await;
        }
        if step % 250 == 249 {
            walk.finish().await;
            walk.check_at_rest().await;
            walk.failing = walk.random.random_range(0..40);
            walk.clearing = !walk.clearing;
        }
    }
    walk.done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    let mut done: BTreeMap<&'static str, u32> = BTreeMap::new();
    for seed in 1..=2 {
        eprintln!("seed {seed}");
        for (what, often) in Box::pin(walk(World::sqlite().await, seed, 1000)).await {
            *done.entry(what).or_default() += often;
        }
    }
    eprintln!("{done:?}");
    for what in [
        "create environment",
        "delete environment",
        "create service",
        "update service",
        "delete service",
        "update instance",
        "delete instance",
        "create instance",
        "update pipeline",
        "cancel",
        "lost",
        "handover",
        "fenced",
        "fail",
        "succeed",
        "nonsense",
    ] {
        assert!(
            done.contains_key(what),
            "the walk never came to '{what}': {done:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    Box::pin(walk(World::postgres().await, 3, 250)).await;
}
