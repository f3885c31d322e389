//! The hub's use cases, as one program would call them: the real store on SQLite and on PostgreSQL, scripted agents, and a
//! clock that moves by hand. Each file is about one noun; `world.rs` has the hub, `agent.rs` the agents.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use futures::StreamExt as _;

mod access_keys;
mod agent;
mod world;

mod approvals;
mod authority;
mod ca;
mod cancelling;
mod checkpoints;
mod components;
mod connections;
mod console;
mod deployments;
mod environments;
mod events;
mod grants;
mod insights;
mod instances;
mod jobs;
mod masked;
mod matrix;
mod oidc;
mod operator_matrix;
mod pages;
mod previous;
mod proton_rest;
mod proton_services;
mod recovery;
mod registration;
mod replicas;
mod requests;
mod services;
mod settings;
mod store;
mod sync;
mod tags;
mod templates;
mod walk;
mod webhook;

type Scenario = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Runs scenarios, a few at a time: most of their time they wait for the disk.
async fn all_of(scenarios: Vec<(&'static str, Scenario)>) {
    let run = |(name, scenario): (&'static str, Scenario)| async move {
        eprintln!("on PostgreSQL: {name}");
        scenario.await;
        eprintln!("on PostgreSQL: {name} is fine");
    };
    futures::stream::iter(scenarios)
        .map(run)
        .buffer_unordered(4)
        .collect::<()>()
        .await;
}

/// Runs every scenario on a SQLite database of its own, each as a test, and all of them on PostgreSQL, one database each,
/// as one test: a cluster is started once for it.
macro_rules! scenarios {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {
        $($(#[$doc])* async fn $name($world: crate::world::World) $body)*

        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    Box::pin(super::$name(crate::world::World::sqlite().await)).await;
                }
            )*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            $crate::all_of(vec![
                $((
                    stringify!($name),
                    Box::pin(async { $name(crate::world::World::postgres().await).await }) as $crate::Scenario,
                )),*
            ])
            .await;
        }
    };
}
pub(crate) use scenarios;
