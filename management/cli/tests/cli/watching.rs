//! Lists with `--watch`: a table that is drawn anew on a terminal, lines elsewhere.

use std::process::Stdio;

use hadron_proto::wire;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::fake::{environment, state};
use crate::hadron::{World, collect};
use crate::terminal::sit;

async fn world() -> World {
    let world = World::new().await;
    world.hub.state().environments = vec![
        environment("prd", "IN_PROGRESS"),
        environment("staging", "SUCCEEDED"),
    ];
    world
}

/// An environment is another one now.
fn becomes(world: &World, name: &str, status: &str) {
    let mut hub = world.hub.state();
    let found = hub.environments.iter_mut().find(|one| one.name == name);
    found.expect("it is there").deployment = Some(state(&format!("dpl_{name}"), status));
}

fn goes(world: &World, name: &str) {
    world.hub.state().environments.retain(|one| one.name != name);
}

/// The program in a pipe, and its lines.
fn piped(world: &World, line: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = world
        .command(line)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    (child, lines)
}

async fn interrupt(child: Child) -> (i32, String) {
    let id = child.id().expect("it runs").to_string();
    let killed = std::process::Command::new("kill").args(["-INT", &id]).status();
    assert!(killed.expect("kill runs").success());
    let run = collect(child).await;
    (run.code, run.err)
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = tokio::time::timeout(std::time::Duration::from_secs(60), lines.next_line());
    line.await
        .expect("a line in time")
        .expect("it is text")
        .expect("a line")
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_pipe_each_change_is_a_line_below_the_list() {
    let world = world().await;
    let (child, mut lines) = piped(&world, "environment list --watch");
    assert_eq!(
        next(&mut lines).await,
        "NAME     TEMPLATE  VERSION  STATUS       ACCOUNT  AGE"
    );
    assert_eq!(
        next(&mut lines).await,
        "prd      vpc       1.0      IN_PROGRESS  -        -"
    );
    assert_eq!(
        next(&mut lines).await,
        "staging  vpc       1.0      SUCCEEDED    -        -"
    );
    becomes(&world, "prd", "SUCCEEDED");
    assert_eq!(
        next(&mut lines).await,
        "prd      vpc       1.0      SUCCEEDED  -        -"
    );
    // The connection breaks, and what happens meanwhile is not missed; what has not changed is not told again.
    {
        let mut hub = world.hub.state();
        hub.cut = true;
        hub.environments.push(environment("dev", "FAILED"));
    }
    assert_eq!(
        next(&mut lines).await,
        "dev      vpc       1.0      FAILED     -        -"
    );
    goes(&world, "staging");
    becomes(&world, "dev", "SUCCEEDED");
    assert_eq!(
        next(&mut lines).await,
        "dev   vpc       1.0      SUCCEEDED  -        -"
    );
    let (code, said) = interrupt(child).await;
    assert_eq!(code, 130);
    for line in [
        "staging is no longer there",
        "lost the connection to the hub, trying again",
        "no longer watched",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_nobody_reads_any_more() {
    let world = world().await;
    let (child, mut lines) = piped(&world, "environment list --watch -o name");
    assert_eq!(next(&mut lines).await, "prd");
    drop(lines);
    becomes(&world, "prd", "SUCCEEDED");
    let run = collect(child).await;
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_get_an_object_a_line_and_nothing_that_would_have_to_end() {
    let world = world().await;
    let (child, mut lines) = piped(&world, "environment list --watch -o jsonl");
    let object = async |lines: &mut _| serde_json::from_str::<serde_json::Value>(&next(lines).await).unwrap();
    assert_eq!(object(&mut lines).await["name"], "prd");
    assert_eq!(object(&mut lines).await["name"], "staging");
    becomes(&world, "staging", "FAILED");
    let changed = object(&mut lines).await;
    assert_eq!(
        (&changed["name"], &changed["deployment"]["status"]),
        (&"staging".into(), &"FAILED".into())
    );
    assert_eq!(interrupt(child).await.0, 130);
    for wrong in ["-o json", "-o yaml", "--query items[0]"] {
        let run = world.run(&format!("environment list --watch {wrong}")).await;
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("-o jsonl"), "{}", run.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_one_table_is_drawn_anew_and_never_more_than_fits() {
    let world = world().await;
    let mut seat = sit(&world, "environment list --watch", (24, 80), &[("NO_COLOR", "1")]);
    seat.sees(&["prd      vpc       1.0      IN_PROGRESS", "Ctrl-C ends"])
        .await;
    becomes(&world, "prd", "SUCCEEDED");
    seat.sees(&["prd      vpc       1.0      SUCCEEDED"]).await;
    goes(&world, "staging");
    seat.sees(&["prd   vpc       1.0      SUCCEEDED"]).await;
    seat.types(b"\x03").await;
    let left = seat.left().await;
    assert_eq!((left.code, left.gone), (130, 0), "{}", left.screen);
    insta::assert_snapshot!(left.screen, @r"
    NAME  TEMPLATE  VERSION  STATUS     ACCOUNT  AGE
    prd   vpc       1.0      SUCCEEDED  -        -
    Ctrl-C ends
    no longer watched
    ");

    world.hub.state().environments = (0..20)
        .map(|at| environment(&format!("env{at:02}"), "SUCCEEDED"))
        .collect();
    let mut seat = sit(&world, "environment list --watch", (8, 40), &[("NO_COLOR", "1")]);
    seat.sees(&["env04", "and 15 more"]).await;
    becomes(&world, "env00", "FAILED");
    seat.sees(&["env00", "FAILED"]).await;
    seat.types(b"\x03").await;
    let left = seat.left().await;
    // Only what is said at the end has no room.
    assert_eq!((left.code, left.gone), (130, 1), "{}", left.screen);
    insta::assert_snapshot!(left.screen, @r"
    env00  vpc       1.0      FAILED
    env01  vpc       1.0      SUCCEEDED
    env02  vpc       1.0      SUCCEEDED
    env03  vpc       1.0      SUCCEEDED
    env04  vpc       1.0      SUCCEEDED
    and 15 more; Ctrl-C ends; no room for...
    no longer watched
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_stream_tells_of_is_asked_for_now_and_then() {
    let world = World::new().await;
    let (child, mut lines) = piped(&world, "deployment list --watch -o name");
    while world.calls("list_deployments").len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    world.hub.state().deployments.push(wire::Deployment {
        id: "dpl_late".to_owned(),
        ..Default::default()
    });
    assert_eq!(next(&mut lines).await, "dpl_late");
    assert_eq!(interrupt(child).await.0, 130);
}
