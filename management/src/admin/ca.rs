//! `hadron-hub ca ...`: the roots of the hub's CA. A running hub follows within seconds.

use std::sync::Arc;

use hadron_domain::ca::{Act, Root, Stage, schedule};

use super::{aligned, open, told};
use crate::app::App;
use crate::args::CaTask;
use crate::config::Config;
use crate::identity::ca::LONGEST_LEAF;
use crate::identity::seal::Seal;
use crate::wiring;

/// Carries out one task.
///
/// # Errors
/// Says what did not work.
pub async fn run(task: CaTask) -> anyhow::Result<()> {
    match task {
        CaTask::List(source) => list(&source.load()?).await,
        CaTask::Prepare(source) => {
            rotate(&source.load()?, Act::Prepare, false).await?;
            eprintln!(
                "next: wait until agents that are not connected have been; then: hadron-hub ca activate\n\
                 (without that, the hub does it when the present root has lived five sixths of its life)"
            );
            Ok(())
        }
        CaTask::Activate(source) => {
            rotate(&source.load()?, Act::Activate, false).await?;
            eprintln!(
                "next: set agents and people up with the new pin from now on (hadron-hub ca list); the old one works until its \
                 root is retired"
            );
            Ok(())
        }
        CaTask::Retire(task) => {
            rotate(&task.source.load()?, Act::Retire, task.now).await?;
            eprintln!(
                "whoever knew only that one needs a new pin: hub.ca_pin of agents that were not connected since, HADRON_CA and the \
                 like of people (hadron-hub ca list)"
            );
            Ok(())
        }
    }
}

/// The use cases over a database whose sealed values can be read.
async fn unlocked(config: &Config) -> anyhow::Result<App> {
    let (app, _) = open(config).await?;
    let seal = Arc::new(Seal::load(&config.data_dir)?);
    wiring::check_seal(app.db(), &seal).await?;
    app.db().unlock(seal);
    Ok(app)
}

async fn rotate(config: &Config, act: Act, although_in_use: bool) -> anyhow::Result<()> {
    let app = unlocked(config).await?;
    let pin = app.rotate_ca(act, although_in_use).await.map_err(told)?;
    app.db().close().await;
    match act {
        Act::Prepare => eprintln!("made a successor; running hubs trust it within seconds. Its pin:"),
        Act::Activate => eprintln!("this root signs from now on, on running hubs within seconds:"),
        Act::Retire => eprintln!("this root is trusted no more, on running hubs within seconds:"),
    }
    println!("{pin}");
    Ok(())
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let app = unlocked(config).await?;
    let rows = app.ca_roots().await.map_err(told)?;
    app.db().close().await;
    let roots: Vec<Root> = rows.iter().map(|row| row.root).collect();
    let mut lines = vec![["PIN", "STATE", "FROM", "UNTIL", ""].map(str::to_owned)];
    for root in &roots {
        let note = match root.stage {
            Stage::Next => "is trusted, signs later".to_owned(),
            Stage::Active => "signs".to_owned(),
            Stage::Old { since } => format!("is trusted, signed until {since}"),
            Stage::Retired { at } => format!("trusted no more since {at}"),
        };
        lines.push([
            root.pin.to_string(),
            root.stage.word().to_owned(),
            root.not_before.to_string(),
            root.not_after.to_string(),
            note,
        ]);
    }
    print!("{}", aligned(&lines));
    match schedule(&roots, LONGEST_LEAF) {
        Some((Act::Prepare, at)) => eprintln!("a successor is made at {at}"),
        Some((Act::Activate, at)) => eprintln!("the next one signs from {at} on"),
        Some((Act::Retire, at)) => eprintln!("the old one is trusted until {at}"),
        None => eprintln!("there is none yet: a hub makes one at its first start (hadron-hub serve)"),
    }
    Ok(())
}
