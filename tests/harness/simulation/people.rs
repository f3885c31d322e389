//! People: they create, change, delete and cancel, through whichever hub answers, and ask again when none does.

use std::future::Future;

use hadron_domain::authority::Role;
use hadron_domain::template::Wanted;
use hadron_management::app::connections::NewConnection;
use hadron_management::app::environments::{EnvironmentUpdate, NewEnvironment, Path, UpdateMode};
use hadron_management::app::instances::PartUpdate;
use hadron_management::app::services::NewService;
use hadron_management::app::{App, AppError, ErrorKind, Request};
use hadron_management::store::params;
use hadron_management::store::targets::EnvironmentRoles;
use hadron_proto::vocab::{ConnectionId, DeploymentId, Digest, JobId};
use tokio::time::sleep;

use super::link::{self, From};
use super::templates::caller;
use super::world::{MANAGEMENT, PRODUCTION, REGION, REPOSITORIES, World, account};

const ENVIRONMENTS: [&str; 2] = ["one", "two"];
const SERVICES: [&str; 2] = ["web", "api"];
const INSTANCES: [&str; 2] = ["a", "b"];
/// How often the same is asked for before somebody gives up.
const TRIES: u32 = 6;

fn request(world: &World, role: Role, operation: &'static str, content: &str) -> Request {
    let own = match role {
        Role::Administrator => Some(MANAGEMENT),
        Role::Owner => Some(PRODUCTION),
        Role::Developer | Role::Auditor => None,
    };
    Request {
        caller: caller(role, own),
        // The same for every repetition, so that asking again is harmless.
        id: Some(format!("request-{}", world.dice.roll(u64::MAX))),
        operation,
        hash: Digest::of(content.as_bytes()),
        repeatable: false,
        tags: Vec::new(),
    }
}

/// Asks until there is an answer.
async fn ask<T, F, W>(world: &World, what: &'static str, work: W) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
    W: Fn(App) -> F + Clone + Send + Sync + 'static,
{
    for _ in 0..TRIES {
        match link::call(world, From::People, world.dice.one(&[0, 1]), what, work.clone()).await {
            Ok(Ok(answer)) => {
                world.count(what);
                return Some(answer);
            }
            Ok(Err(error)) if error.kind != ErrorKind::Unavailable => return None,
            Ok(Err(_)) | Err(link::Lost) => sleep(world.dice.millis(200, 5_000)).await,
        }
    }
    None
}

fn acknowledged(world: &World, deployment: Option<DeploymentId>, what: &str) {
    if let Some(id) = deployment {
        world.ledger().acknowledged.insert(id, what.to_owned());
    }
}

pub(super) async fn live(world: World) {
    connect(&world).await;
    loop {
        sleep(world.dice.millis(500, 20_000)).await;
        act(&world).await;
    }
}

/// The account's connection for each environment, requested and accepted.
pub(super) async fn connect(world: &World) {
    for name in ENVIRONMENTS {
        let sql =
            "SELECT id FROM connection WHERE environment = $1 AND status IN ('CONNECTED', 'PENDING') LIMIT 1";
        let known = world.store.look(sql, &params![name]).ok();
        let known = known
            .as_deref()
            .and_then(<[_]>::first)
            .and_then(|row| row.get::<String>("id").ok());
        let id = match known.and_then(|id| id.parse::<ConnectionId>().ok()) {
            Some(id) => Some(id),
            None => {
                let asked = request(world, Role::Owner, "RequestConnection", name);
                ask(world, "request connection", move |app: App| {
                    let (asked, new) = (asked.clone(), new_connection(name));
                    async move {
                        app.request_connection(asked, new)
                            .await
                            .map(|view| view.connection.id)
                    }
                })
                .await
            }
        };
        let Some(id) = id else { continue };
        let asked = request(world, Role::Administrator, "AcceptConnection", name);
        // Nobody confirms the account: to accept again changes nothing then.
        ask(world, "accept connection", move |app: App| {
            let asked = asked.clone();
            async move { app.accept_connection(asked, id, None).await.map(drop) }
        })
        .await;
    }
}

fn new_connection(environment: &str) -> NewConnection {
    NewConnection {
        environment: environment.parse().expect("an environment's name"),
        management: Some(account(MANAGEMENT)),
        region: None,
        role: format!("arn:aws:iam::{PRODUCTION}:role/provisioning")
            .parse()
            .ok(),
        component_role: None,
        codebuild_role: None,
        agent_role_name: None,
    }
}

fn connection_of(world: &World, environment: &str) -> Option<ConnectionId> {
    let sql = "SELECT id FROM connection WHERE environment = $1 AND status = 'CONNECTED' LIMIT 1";
    let rows = world.store.look(sql, &params![environment]).ok()?;
    rows.first()?.get::<String>("id").ok()?.parse().ok()
}

fn environment_spec(world: &World) -> String {
    let n = world.dice.roll(3);
    format!("proton: EnvironmentSpec\nspec:\n  greeting: greeting-{n}\n")
}

fn service_spec(world: &World) -> String {
    let mut text = "proton: ServiceSpec\ninstances:\n".to_owned();
    let many = 1 + world.dice.roll(2);
    for name in INSTANCES.iter().take(usize::try_from(many).unwrap_or(1)) {
        let environment = world.dice.one(&ENVIRONMENTS);
        let count = world.dice.roll(3);
        let image = match world.dice.roll(3) {
            0 => String::new(),
            _ => {
                let repository = world.dice.one(&REPOSITORIES);
                format!(", image: \"{MANAGEMENT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:1\"")
            }
        };
        text.push_str(&format!(
            "  - name: {name}\n    environment: {environment}\n    spec: {{ count: {count}{image} }}\n"
        ));
    }
    text
}

async fn act(world: &World) {
    let dice = &world.dice;
    let environment = dice.one(&ENVIRONMENTS);
    let service = dice.one(&SERVICES);
    match dice.roll(100) {
        0..=15 => create_environment(world, environment).await,
        16..=35 => update_environment(world, environment).await,
        36..=47 => {
            let asked = request(world, Role::Administrator, "DeleteEnvironment", environment);
            let made = ask(world, "delete environment", move |app: App| {
                let asked = asked.clone();
                let name = environment.parse().expect("an environment's name");
                async move { app.delete_environment(asked, name, Vec::new()).await }
            })
            .await;
            regret(
                world,
                made.and_then(|row| row.attempted).map(|(id, _)| id),
                "delete",
            )
            .await;
        }
        48..=61 => cancel(world).await,
        62..=73 => {
            let spec = service_spec(world);
            let asked = request(world, Role::Developer, "CreateService", &spec);
            ask(world, "create service", move |app: App| {
                let (asked, spec) = (asked.clone(), spec.clone());
                let new = NewService {
                    name: service.parse().expect("a service's name"),
                    template: "simulated-svc".parse().expect("a template's name"),
                    version: Wanted::Recommended,
                    spec,
                    description: String::new(),
                    source: (String::new(), String::new(), String::new()),
                };
                async move { app.create_service(asked, new).await.map(drop) }
            })
            .await;
        }
        74..=81 => {
            let spec = service_spec(world);
            let asked = request(world, Role::Developer, "UpdateService", &spec);
            ask(world, "update service", move |app: App| {
                let (asked, spec) = (asked.clone(), spec.clone());
                let name = service.parse().expect("a service's name");
                async move { app.update_service(asked, name, Some(spec), None).await.map(drop) }
            })
            .await;
        }
        82..=87 => {
            let part = dice.one(&INSTANCES);
            let asked = request(world, Role::Developer, "UpdateServiceInstance", part);
            let made = ask(world, "update instance", move |app: App| {
                let asked = asked.clone();
                let (name, part) = (
                    service.parse().expect("a service's name"),
                    part.parse().expect("an instance's name"),
                );
                let update = PartUpdate {
                    mode: UpdateMode::Current,
                    spec: None,
                    version: None,
                };
                async move { app.update_instance(asked, name, part, update).await }
            })
            .await;
            acknowledged(
                world,
                made.and_then(|row| row.attempted).map(|(id, _)| id),
                "update",
            );
        }
        88..=94 => {
            let asked = request(world, Role::Developer, "DeleteService", service);
            ask(world, "delete service", move |app: App| {
                let asked = asked.clone();
                let name = service.parse().expect("a service's name");
                async move { app.delete_service(asked, name).await.map(drop) }
            })
            .await;
        }
        95..=96 => disconnect(world, environment).await,
        _ => connect(world).await,
    }
}

async fn create_environment(world: &World, name: &'static str) {
    let Some(connection) = connection_of(world, name) else {
        return;
    };
    let spec = environment_spec(world);
    let asked = request(world, Role::Administrator, "CreateEnvironment", &spec);
    let made = ask(world, "create environment", move |app: App| {
        let asked = asked.clone();
        let new = NewEnvironment {
            name: name.parse().expect("an environment's name"),
            template: "simulated-env".parse().expect("a template's name"),
            version: Wanted::Recommended,
            path: Path::Connection(connection),
            component_role: None,
            codebuild_role: None,
            spec: spec.clone(),
            description: String::new(),
        };
        async move { app.create_environment(asked, new).await }
    })
    .await;
    regret(
        world,
        made.and_then(|row| row.attempted).map(|(id, _)| id),
        "create",
    )
    .await;
}

async fn update_environment(world: &World, name: &'static str) {
    let spec = environment_spec(world);
    let connection = connection_of(world, name);
    let asked = request(world, Role::Administrator, "UpdateEnvironment", &spec);
    let made = ask(world, "update environment", move |app: App| {
        let asked = asked.clone();
        let update = EnvironmentUpdate {
            name: name.parse().expect("an environment's name"),
            mode: UpdateMode::Current,
            spec: Some(spec.clone()),
            version: None,
            description: None,
            connection,
            roles: EnvironmentRoles::default(),
            repository: None,
        };
        async move { app.update_environment(asked, update).await }
    })
    .await;
    regret(
        world,
        made.and_then(|row| row.attempted).map(|(id, _)| id),
        "update",
    )
    .await;
}

/// Remembers what was acknowledged; now and then it is called off soon.
async fn regret(world: &World, deployment: Option<DeploymentId>, what: &str) {
    acknowledged(world, deployment, what);
    let often = if what == "delete" { 700 } else { 350 };
    let Some(id) = deployment.filter(|_| world.dice.per_mille(often)) else {
        return;
    };
    sleep(world.dice.millis(1_000, 30_000)).await;
    call_off(world, id).await;
}

async fn cancel(world: &World) {
    let rows = world
        .store
        .look(
            "SELECT id FROM deployment WHERE active = 1 ORDER BY created_at, id",
            &[],
        )
        .unwrap_or_default();
    if rows.is_empty() {
        return;
    }
    let at = usize::try_from(world.dice.roll(rows.len() as u64)).unwrap_or(0);
    let Some(id) = rows[at]
        .get::<String>("id")
        .ok()
        .and_then(|id| id.parse::<DeploymentId>().ok())
    else {
        return;
    };
    call_off(world, id).await;
}

/// Somebody cancels what this job is for.
pub(super) async fn call_off_work_of(world: &World, job: JobId) {
    let found = world
        .store
        .look("SELECT deployment_id FROM job WHERE id = $1", &params![job])
        .unwrap_or_default();
    let id = found
        .first()
        .and_then(|row| row.get::<Option<String>>("deployment_id").ok()?);
    if let Some(id) = id.and_then(|id| id.parse().ok()) {
        call_off(world, id).await;
    }
}

async fn call_off(world: &World, id: DeploymentId) {
    let asked = request(world, Role::Administrator, "CancelDeployment", &id.to_string());
    ask(world, "cancel", move |app: App| {
        let asked = asked.clone();
        async move { app.cancel_deployment(asked, id).await.map(drop) }
    })
    .await;
}

/// The environment account withdraws its connection, or the management account rejects it.
async fn disconnect(world: &World, environment: &'static str) {
    let Some(id) = connection_of(world, environment) else {
        return;
    };
    if world.dice.roll(2) == 0 {
        let asked = request(world, Role::Owner, "DeleteConnection", environment);
        ask(world, "delete connection", move |app: App| {
            let asked = asked.clone();
            async move { app.delete_connection(asked, id).await.map(drop) }
        })
        .await;
    } else {
        let asked = request(world, Role::Administrator, "RejectConnection", environment);
        ask(world, "reject connection", move |app: App| {
            let asked = asked.clone();
            async move { app.reject_connection(asked, id).await.map(drop) }
        })
        .await;
    }
}
