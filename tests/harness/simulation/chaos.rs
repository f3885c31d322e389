//! What happens to processes, links, clocks and AWS while nothing is well.

use std::time::Duration;

use hadron_agent::fake::Happening;
use hadron_proto::vocab::JobId;
use tokio::time::sleep;

use super::people;
use super::world::{AGENTS, Cut, HUBS, World};

/// What resources of the simulated templates are called.
const RESOURCES: [&str; 3] = ["Topic", "Fixed", "Settings"];

pub(super) async fn reign(world: World) {
    // Some runs are calmer than others: what takes long must also be seen to end.
    let pause = world.dice.one(&[8_000, 20_000, 60_000]);
    loop {
        sleep(world.dice.millis(500, pause)).await;
        strike(&world);
    }
}

/// Later, in its own time.
fn later(world: &World, after: Duration, what: impl FnOnce(&World) + Send + 'static) {
    let world = world.clone();
    tokio::spawn(async move {
        sleep(after).await;
        if !world.at_peace() {
            what(&world);
        }
    });
}

fn any(world: &World, of: usize) -> usize {
    usize::try_from(world.dice.roll(of as u64)).unwrap_or(0)
}

fn kill_hub(world: &World, hub: usize) {
    if !world.hubs()[hub].is_up() {
        return;
    }
    world.say(format!("hub {hub} dies"));
    world.count("hubs died");
    world.hubs()[hub].kill();
    let after = world.dice.millis(200, 40_000);
    later(world, after, move |world| {
        if !world.hubs()[hub].is_up() {
            world.hubs()[hub].start(world);
        }
    });
}

fn kill_agent(world: &World, n: usize) {
    let agent = &world.agents()[n];
    if !agent.is_up() {
        return;
    }
    world.count("agents died");
    agent.kill();
    agent.thaw();
    let how = match world.dice.roll(10) {
        0..=5 => "its journal is whole",
        6..=7 => {
            agent.tear();
            "the end of its journal is torn"
        }
        _ => {
            agent.wipe();
            "its disk is lost"
        }
    };
    world.say(format!("agent {n} dies, {how}"));
    let after = world.dice.millis(200, 60_000);
    later(world, after, move |world| {
        let agent = &world.agents()[n];
        if !agent.is_up() {
            agent.start(world);
        }
    });
}

/// An agent has just been given leave for this job: the worst moment to die, or to stand still with the call under way that
/// leave was given for, and for somebody to take it all back.
pub(super) fn after_leave(world: &World, n: usize, job: JobId) {
    let dice = &world.dice;
    if world.at_peace() || !dice.per_mille(200) {
        return;
    }
    let after = dice.millis(0, dice.one(&[50, 4_000]));
    if dice.roll(3) == 0 {
        later(world, after, move |world| kill_agent(world, n));
    } else {
        later(world, after, move |world| stop_agent(world, n));
    }
    if dice.roll(2) == 0 {
        let (world, after) = (world.clone(), dice.millis(0, 30_000));
        tokio::spawn(async move {
            sleep(after).await;
            if !world.at_peace() {
                people::call_off_work_of(&world, job).await;
            }
        });
    }
}

fn stop_agent(world: &World, n: usize) {
    world.say(format!("agent {n} stands still"));
    world.count("agents stood still");
    world.agents()[n].freeze();
    later(world, world.dice.millis(3_000, 120_000), move |world| {
        world.say(format!("agent {n} goes on"));
        world.agents()[n].thaw();
    });
}

fn strike(world: &World) {
    let dice = &world.dice;
    match dice.roll(100) {
        0..=13 => kill_hub(world, any(world, HUBS)),
        14..=33 => kill_agent(world, any(world, AGENTS)),
        34..=51 => stop_agent(world, any(world, AGENTS)),
        52..=69 => {
            let (agent, hub) = (any(world, AGENTS), any(world, HUBS));
            let cut = dice.one(&[
                Cut {
                    there: true,
                    back: true,
                },
                Cut {
                    there: true,
                    back: false,
                },
                Cut {
                    there: false,
                    back: true,
                },
            ]);
            world.say(format!("agent {agent} and hub {hub} are apart: {cut:?}"));
            world.count("partitions");
            world.set_cut(agent, hub, cut);
            later(world, dice.millis(2_000, 90_000), move |world| {
                world.set_cut(agent, hub, Cut::default());
            });
        }
        70..=75 => {
            let hub = any(world, HUBS);
            world.say(format!("the clock of hub {hub} jumps"));
            world.count("clocks jumped");
            if dice.roll(4) == 0 {
                world.hubs()[hub].set_right(world);
            } else {
                world.hubs()[hub].skew(dice);
            }
        }
        76..=81 => {
            world.say("power fails at the database");
            world.count("power failed");
            for hub in 0..HUBS {
                kill_hub(world, hub);
            }
            world.store.lose_power();
        }
        82..=93 => {
            let aws = world.aws.values().last();
            let (id, happening) = (
                dice.one(&RESOURCES),
                dice.one(&[
                    Happening::Create,
                    Happening::Update,
                    Happening::Delete,
                    Happening::Rollback,
                ]),
            );
            world.say(format!("{id} will fail at {happening:?}"));
            if let Some(aws) = aws {
                aws.fail(id, happening, 1, "bad luck");
            }
        }
        _ => {
            world.say("both hubs die");
            for hub in 0..HUBS {
                kill_hub(world, hub);
            }
        }
    }
}
