//! A hub: what agents speak to, the use cases and the reconcilers, in a process that can die at any await.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hadron_management::api::agent::AgentApi;
use hadron_management::app::access::Access;
use hadron_management::app::{App, Quotas, Settings, events};
use hadron_management::clock::Clock;
use hadron_management::reconcile;
use hadron_management::store::Db;
use hadron_management::store::db::{Fate, Gate};
use hadron_proto::spiffe::HubId;
use hadron_proto::vocab::Partition;
use hadron_proto::wire::agent_service_server::AgentServiceServer;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::world::{Dice, LEASE, MANAGEMENT, World, account, region};

/// One replica.
pub(super) struct Hub {
    n: usize,
    clock: Clock,
    running: Mutex<Option<Running>>,
}

struct Running {
    replica: Replica,
    /// What this process does. Dropped with it. What it began elsewhere finds that its transactions have no turn any more,
    /// and that nobody carries what it says.
    tasks: JoinSet<()>,
}

/// What a process serves.
#[derive(Clone)]
pub(super) struct Replica {
    pub(super) app: App,
    /// What agents speak to.
    pub(super) agents: AgentServiceServer<AgentApi>,
    /// Cancelled when the process dies.
    pub(super) life: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.replica.life.cancel();
    }
}

fn settings() -> Settings {
    let role = |name: &str| format!("arn:aws:iam::{MANAGEMENT}:role/{name}").parse().ok();
    Settings {
        hub_id: "hub".to_owned(),
        account: account(MANAGEMENT),
        region: region(),
        stack_prefix: hadron_proto::vocab::StackPrefix::proton(),
        agent_role_name: "hadron-agent".to_owned(),
        provisioning_role: role("provisioning"),
        pipeline_role: role("pipelines"),
        lease: LEASE,
        heartbeat: Duration::from_secs(10),
        grant_check: Duration::from_secs(300),
        events: events::Sinks::default(),
        audit_copy: None,
        quotas: Quotas::default(),
        templates: hadron_management::app::templates::Rules::default(),
        access: Access {
            account: account(MANAGEMENT),
            partition: Partition::Aws,
            administrators: Vec::new(),
            developers: Vec::new(),
            auditors: Vec::new(),
            issuers: Vec::new(),
        },
    }
}

/// The use cases over a database.
pub(super) fn app(db: Db, clock: Clock) -> App {
    App::new(db, clock, settings())
}

/// Nothing happens to transactions.
pub(super) fn calm() -> Gate {
    Arc::new(|_| Box::pin(async { Fate::Commit }))
}

/// Transactions take a moment, in which others run and the hub may die; now and then the database cannot be reached, or
/// its answer is lost.
fn rough(world: &World, n: usize, life: CancellationToken) -> Gate {
    let world = world.clone();
    Arc::new(move |label| {
        let dice = &world.dice;
        let turn = |wait: Duration, fate: Fate| {
            let life = life.clone();
            let turn = async move {
                sleep(wait).await;
                if life.is_cancelled() {
                    return pending().await;
                }
                fate
            };
            Box::pin(turn) as BoxFuture<'static, Fate>
        };
        if life.is_cancelled() {
            return Box::pin(pending());
        }
        if world.at_peace() {
            return turn(dice.millis(0, 3), Fate::Commit);
        }
        let wait = if dice.per_mille(5) {
            dice.millis(100, 8_000)
        } else {
            dice.millis(0, 10)
        };
        let fate = match dice.roll(2_000) {
            0..=3 => Fate::Refuse,
            4..=7 => Fate::Unanswered,
            _ => Fate::Commit,
        };
        if fate != Fate::Commit {
            world.say(format!("hub {n}: {label}: {fate:?}"));
        }
        turn(wait, fate)
    })
}

impl Hub {
    pub(super) fn new(n: usize, dice: &Dice) -> Self {
        let begins = u32::try_from(n + 1).unwrap_or(1) << 28;
        let at = hadron_proto::vocab::Timestamp::from_micros(1_800_000_000_000_000);
        let hub = Self {
            n,
            clock: Clock::simulated(at, begins),
            running: Mutex::new(None),
        };
        hub.skew(dice);
        hub
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its clock is set, and set wrong: up to ten minutes.
    pub(super) fn skew(&self, dice: &Dice) {
        let off = dice.millis(0, 600_000);
        let right = self.clock.now();
        self.clock.set(if dice.roll(2) == 0 {
            right.plus(off)
        } else {
            right.minus(off)
        });
    }

    pub(super) fn set_right(&self, world: &World) {
        self.clock.set(world.clock.now());
    }

    pub(super) fn is_up(&self) -> bool {
        self.running().is_some()
    }

    /// Starts the process. What an earlier one knew is forgotten.
    pub(super) fn start(&self, world: &World) {
        world.say(format!("hub {} starts", self.n));
        let life = CancellationToken::new();
        let gate = rough(world, self.n, life.clone());
        let app = app(
            Db::open_simulated(&world.store, self.clock.clone(), gate),
            self.clock.clone(),
        );
        let mut tasks = JoinSet::new();
        let agents = AgentApi::new(
            app.clone(),
            HubId::from_random([7; 16], true),
            CancellationToken::new(),
        );
        tasks.spawn(agents.clone().pulse());
        tasks.spawn(outbox(app.clone(), world.clone()));
        tasks.spawn(expiry(app.clone(), world.clone(), self.n));
        tasks.spawn(grants(app.clone()));
        let replica = Replica {
            app,
            agents: AgentServiceServer::new(agents),
            life,
        };
        *self.running() = Some(Running { replica, tasks });
    }

    /// It dies, with everything that it was doing.
    pub(super) fn kill(&self) {
        drop(self.running().take());
    }

    /// What listens there, if anybody does.
    pub(super) fn replica(&self) -> Option<Replica> {
        self.running().as_ref().map(|running| running.replica.clone())
    }

    /// Lets the hub do something. `None` when it is dead; the answer never comes when it dies meanwhile.
    pub(super) fn serve<T, F>(&self, work: impl FnOnce(Replica) -> F) -> Option<oneshot::Receiver<T>>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.running();
        let Running { replica, tasks } = running.as_mut()?;
        while tasks.try_join_next().is_some() {}
        let (answer, receiver) = oneshot::channel();
        let work = work(replica.clone());
        tasks.spawn(async move {
            // Whoever asked may have gone.
            let _ = answer.send(work.await);
        });
        Some(receiver)
    }
}

/// As `reconcile` does it, without waking up from commits: they are hints.
async fn outbox(app: App, world: World) {
    // It may be refused, and is not asked again: as at a start of the real one.
    let _ = reconcile::ask_busy_services(&app).await;
    loop {
        let wait = reconcile::drain(&app).await.unwrap_or(Duration::from_secs(2));
        sleep(wait.min(Duration::from_secs(2)) + world.dice.millis(0, 50)).await;
    }
}

async fn expiry(app: App, world: World, n: usize) {
    loop {
        sleep(Duration::from_secs(1) + world.dice.millis(0, 20)).await;
        if let Err(error) = reconcile::expire(app.clone()).await {
            world.say(format!("hub {n}: no expiry: {}", error.message));
        }
    }
}

async fn grants(app: App) {
    loop {
        sleep(app.settings().grant_check).await;
        // The next round looks again.
        let _ = reconcile::check_grants(app.clone()).await;
    }
}
