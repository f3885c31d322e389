//! The program in front of a terminal, a dumb one, a narrow one, a pipe: what somebody there sees, byte for byte where it
//! matters, and what their keys do.

use std::collections::VecDeque;

use hadron_proto::wire;
use tonic::Status;

use crate::fake::{environment, event, update};
use crate::hadron::{World, finish};
use crate::seat::{Left, Seat};

const PRD: (&str, &str) = ("environment", "prd");
const STG: (&str, &str) = ("environment", "staging");
const DEV: (&str, &str) = ("environment", "dev");

/// Somebody in front of a terminal of this size, in which the program runs.
pub(crate) fn sit(world: &World, line: &str, size: (u16, u16), variables: &[(&str, &str)]) -> Seat {
    Seat::at(command(world, line, variables), size)
}

fn command(world: &World, line: &str, variables: &[(&str, &str)]) -> pty_process::Command {
    pty_process::Command::new(env!("CARGO_BIN_EXE_hadron"))
        .args(line.split_whitespace())
        .env_clear()
        .env("HOME", world.home.path())
        .env("NO_PROXY", "*")
        .env("TERM", "xterm-256color")
        .env("HADRON_HUB", &world.url)
        .env("HADRON_TOKEN", "good")
        .envs(variables.iter().copied())
        .current_dir(world.home.path())
}

/// Says more about a deployment.
fn tell(world: &World, target: (&str, &str), status: &str, events: Vec<wire::DeploymentEvent>) {
    let news = Ok(update(target, status, events));
    world
        .hub
        .state()
        .watches
        .entry(format!("dpl_{}", target.1))
        .or_default()
        .push_back(vec![news]);
}

fn three(world: &World) {
    for target in [PRD, STG, DEV] {
        world
            .hub
            .state()
            .watches
            .insert(format!("dpl_{}", target.1), VecDeque::new());
    }
}

const ALL: &str = "deployment watch dpl_prd dpl_staging dpl_dev";

#[tokio::test(flavor = "multi_thread")]
async fn several_deployments_are_redrawn_in_place_with_the_worst_first() {
    let world = World::new().await;
    three(&world);
    let mut seat = sit(&world, ALL, (24, 80), &[]);
    tell(
        &world,
        PRD,
        "IN_PROGRESS",
        vec![event(1, "Topic", "CREATE_IN_PROGRESS", "")],
    );
    tell(
        &world,
        STG,
        "IN_PROGRESS",
        vec![event(1, "Queue", "CREATE_COMPLETE", "")],
    );
    tell(
        &world,
        DEV,
        "SUCCEEDED",
        vec![event(1, "Topic", "CREATE_COMPLETE", "")],
    );
    seat.sees(&[
        "3 deployments: 2 in progress, 1 succeeded",
        "Topic  CREATE_IN_PROGRESS",
    ])
    .await;
    tell(
        &world,
        STG,
        "FAILED",
        vec![event(2, "Role", "CREATE_FAILED", "access denied")],
    );
    seat.sees(&["1 failed", "access denied"]).await;
    tell(
        &world,
        PRD,
        "SUCCEEDED",
        vec![event(2, "Topic", "CREATE_COMPLETE", "")],
    );
    let left = seat.left().await;
    assert_eq!(left.code, 7, "{}", left.screen);
    assert_eq!(left.gone, 0, "nothing was drawn below what was drawn before");
    insta::assert_snapshot!("live_80", left.screen);
    assert!(
        left.raw.contains("\u{1b}[31mFAILED"),
        "status words have their colours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_lines_than_the_terminal_has_and_none_too_wide() {
    let world = World::new().await;
    three(&world);
    let many = |from: u64| {
        let resources = from..from + 30;
        resources
            .map(|at| event(at, &format!("資源{at}のための長い名前"), "CREATE_IN_PROGRESS", ""))
            .collect()
    };
    let mut seat = sit(&world, ALL, (10, 60), &[]);
    for target in [PRD, STG, DEV] {
        tell(&world, target, "IN_PROGRESS", many(1));
    }
    seat.sees(&["3 deployments: 3 in progress", "and 29 more"]).await;
    assert_eq!(seat.shows().lines().count(), 9, "{}", seat.shows());
    // A window that becomes smaller has less in it from then on.
    seat.pty.resize(pty_process::Size::new(5, 60)).expect("a size");
    seat.screen.screen_mut().set_size(5, 60);
    tell(&world, DEV, "SUCCEEDED", Vec::new());
    seat.sees(&["1 succeeded"]).await;
    for target in [PRD, STG] {
        tell(&world, target, "SUCCEEDED", Vec::new());
    }
    let left = seat.left().await;
    assert_eq!(left.code, 0, "{}", left.screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dumb_terminal_and_a_ci_system_get_one_line_per_change() {
    for variables in [[("TERM", "dumb")], [("CI", "true")]] {
        let world = World::new().await;
        three(&world);
        tell(
            &world,
            PRD,
            "IN_PROGRESS",
            vec![event(1, "Topic", "CREATE_IN_PROGRESS", "")],
        );
        tell(
            &world,
            PRD,
            "SUCCEEDED",
            vec![event(2, "Topic", "CREATE_COMPLETE", "")],
        );
        let no_colour = [variables[0], ("NO_COLOR", "1")];
        let left = sit(&world, "deployment watch dpl_prd", (24, 80), &no_colour)
            .left()
            .await;
        assert_eq!(left.code, 0, "{}", left.screen);
        assert!(!left.raw.contains('\u{1b}'), "{variables:?}: {:?}", left.raw);
        insta::assert_snapshot!("dumb", left.screen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_colours_it_is_drawn_in_place_all_the_same() {
    let world = World::new().await;
    three(&world);
    tell(
        &world,
        PRD,
        "IN_PROGRESS",
        vec![event(1, "Topic", "CREATE_FAILED", "no")],
    );
    let mut seat = sit(&world, "deployment watch dpl_prd", (24, 80), &[("NO_COLOR", "1")]);
    seat.sees(&["Topic  CREATE_FAILED"]).await;
    tell(&world, PRD, "FAILED", Vec::new());
    let left = seat.left().await;
    let coloured = left.raw.split('\u{1b}').skip(1).any(|code| {
        let end = code.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        code[end..].starts_with('m')
    });
    assert!(!coloured, "{:?}", left.raw);
    assert!(left.raw.contains('\u{1b}') && left.gone == 0, "{:?}", left.raw);
    insta::assert_snapshot!("no_color", left.screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_gets_plain_lines_and_colours_only_when_they_are_forced() {
    let world = World::new().await;
    for force in [false, true] {
        tell(
            &world,
            PRD,
            "SUCCEEDED",
            vec![event(1, "Topic", "CREATE_COMPLETE", "")],
        );
        let mut command = world.command("deployment watch dpl_prd");
        if force {
            command.env("CLICOLOR_FORCE", "1");
        }
        let run = finish(command).await;
        assert_eq!(run.code, 0, "{}", run.err);
        assert_eq!(run.err.contains("\u{1b}[32m"), force, "{:?}", run.err);
        let moves = ["\u{1b}[2K", "\u{1b}[1A", "\r"];
        assert!(moves.iter().all(|code| !run.err.contains(code)), "{:?}", run.err);
        assert_eq!(run.err.lines().count(), 2, "{:?}", run.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_goes_away_and_comes_back_and_one_line_says_so() {
    let world = World::new().await;
    let broken = vec![
        Ok(update(
            PRD,
            "IN_PROGRESS",
            vec![event(1, "Topic", "CREATE_IN_PROGRESS", "")],
        )),
        Err(Status::unavailable("restarting")),
    ];
    let again = vec![Ok(update(
        PRD,
        "IN_PROGRESS",
        vec![event(2, "Queue", "CREATE_IN_PROGRESS", "")],
    ))];
    let watches = VecDeque::from([broken, again]);
    world.hub.state().watches.insert("dpl_prd".to_owned(), watches);
    let mut seat = sit(&world, "deployment watch dpl_prd", (24, 80), &[]);
    seat.sees(&["connected to the hub again, nothing was missed", "Topic", "Queue"])
        .await;
    tell(
        &world,
        PRD,
        "SUCCEEDED",
        vec![event(3, "Topic", "CREATE_COMPLETE", "")],
    );
    let left = seat.left().await;
    assert_eq!(left.code, 0, "{}", left.screen);
    let said = left
        .screen
        .lines()
        .filter(|line| line.contains("connect"))
        .count();
    assert_eq!(said, 2, "{}", left.screen);
}

fn detached(left: &Left, flags: &str) {
    // The `^C` that the terminal writes moves no line.
    let titles = left.screen.matches("environment prd  IN_PROGRESS").count();
    assert_eq!(titles, 1, "{}", left.screen);
    assert_eq!(left.code, 130, "{}", left.screen);
    for wanted in [
        "detached".to_owned(),
        "the deployment goes on at the hub".to_owned(),
        format!("next: hadron {flags}deployment watch dpl_prd   # to go on watching"),
        format!("next: hadron {flags}deployment cancel dpl_prd   # to cancel it"),
    ] {
        assert!(left.screen.contains(&wanted), "{wanted} in\n{}", left.screen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_the_middle_of_waiting_detaches() {
    let world = World::new().await;
    let spec = "proton: EnvironmentSpec\nspec: {}\n";
    std::fs::write(world.home.path().join("s.yaml"), spec).expect("a file");
    tell(
        &world,
        PRD,
        "IN_PROGRESS",
        vec![event(1, "Topic", "CREATE_IN_PROGRESS", "")],
    );
    let line = "environment create prd --template vpc --spec s.yaml --wait";
    let mut seat = sit(&world, line, (24, 100), &[]);
    seat.sees(&["CREATE_IN_PROGRESS"]).await;
    seat.types(b"\x03").await;
    detached(&seat.left().await, "");
    assert!(world.calls("cancel").is_empty(), "the deployment goes on");

    // What the line said about the hub is said again.
    let line = format!("{} deployment watch dpl_prd", format_args!("--hub {}", world.url));
    let mut seat = sit(&world, &line, (24, 100), &[]);
    tell(&world, PRD, "IN_PROGRESS", Vec::new());
    seat.sees(&["IN_PROGRESS"]).await;
    seat.types(b"\x03").await;
    detached(&seat.left().await, &format!("--hub {} ", world.url));
}

#[tokio::test(flavor = "multi_thread")]
async fn being_asked_to_end_is_the_same() {
    let world = World::new().await;
    tell(&world, PRD, "IN_PROGRESS", Vec::new());
    let mut seat = sit(&world, "deployment watch dpl_prd", (24, 100), &[]);
    seat.sees(&["IN_PROGRESS"]).await;
    let id = seat.child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill runs").success());
    detached(&seat.left().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_a_question_ends_the_program_at_once() {
    let world = World::new().await;
    world.hub.state().environments = vec![environment("prd", "SUCCEEDED")];
    let mut seat = sit(&world, "environment delete prd", (24, 80), &[]);
    seat.sees(&["Type 'prd' to delete"]).await;
    seat.types(b"\x03").await;
    let left = seat.left().await;
    assert_eq!(
        left.code, -2,
        "as a shell expects it: by the signal\n{}",
        left.screen
    );
    assert!(world.calls("delete").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_runs_out_while_no_agent_comes_has_its_code() {
    let world = World::new().await;
    let mut waits = update(PRD, "IN_PROGRESS", Vec::new());
    if let Some(deployment) = &mut waits.deployment {
        deployment.waiting_for = "an agent of account 222222222222 in us-east-1 to take the job".to_owned();
    }
    let watches = VecDeque::from([vec![Ok(waits)]]);
    world.hub.state().watches.insert("dpl_prd".to_owned(), watches);
    let run = world.run("deployment watch dpl_prd --timeout 1s").await;
    assert_eq!(run.code, 8, "{}", run.err);
    assert!(
        run.err.contains("it waits for an agent of account 222222222222"),
        "{}",
        run.err
    );
    assert!(run.err.contains("more: hadron help HADRON-3004"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_in_progress_is_followed_by_itself() {
    let world = World::new().await;
    let none = world.run("deployment watch --active").await;
    assert_eq!(
        (none.code, none.err.as_str()),
        (0, "No deployment is in progress.\n")
    );
    world.hub.state().deployments = deployments();
    tell(&world, ("instance", "web-prd"), "SUCCEEDED", Vec::new());
    let run = world.run("deployment watch --active -o name").await;
    assert_eq!((run.code, run.out.as_str()), (0, "dpl_web-prd\n"), "{}", run.err);
    let usage = world.run("deployment watch").await;
    assert_eq!(usage.code, 2, "{}", usage.err);
}

fn deployments() -> Vec<wire::Deployment> {
    let deployment = |id: &str, kind: &str, target: &str, status: &str| wire::Deployment {
        id: id.to_owned(),
        target_kind: kind.to_owned(),
        target: target.to_owned(),
        intent: "APPLY".to_owned(),
        status: status.to_owned(),
        template_name: "load-balanced-http".to_owned(),
        template_version: "2.10".to_owned(),
        account_id: "333333333333".to_owned(),
        ..Default::default()
    };
    let long = "dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11";
    vec![
        deployment(long, "environment", "production-eu-central-1", "SUCCEEDED"),
        deployment("dpl_web-prd", "instance", "web/prd", "IN_PROGRESS"),
        deployment("dpl_3", "instance", "支払いサービス/本番環境", "FAILED"),
    ]
}

/// What a list looks like in a terminal of so many columns.
async fn listed(world: &World, line: &str, columns: u16) -> Left {
    let left = sit(world, line, (30, columns), &[("NO_COLOR", "1")]).left().await;
    assert_eq!(left.code, 0, "{}", left.screen);
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_terminal_and_a_pipe_gets_everything() {
    let world = World::new().await;
    world.hub.state().deployments = deployments();
    world.hub.state().environments = vec![
        environment("prd", "SUCCEEDED"),
        environment("an-environment-with-a-name-of-some-length", "UPDATE_IN_PROGRESS"),
    ];
    for line in ["deployment list", "environment list"] {
        let piped = world.run(line).await;
        for columns in [60, 80, 200] {
            let left = listed(&world, line, columns).await;
            let rows = left.raw.replace("\r\n", "\n");
            let table: Vec<&str> = rows
                .lines()
                .filter(|line| !line.starts_with("No room for"))
                .collect();
            assert_eq!(
                table.len(),
                piped.out.lines().count(),
                "no row takes two lines:\n{rows}"
            );
            insta::assert_snapshot!(format!("{}_{columns}", line.replace(' ', "_")), rows);
        }
        // What it is and how it stands are whole in each of them.
        insta::assert_snapshot!(format!("{}_pipe", line.replace(' ', "_")), piped.out);
        let wide = listed(&world, &format!("{line} -o wide"), 60).await;
        assert_eq!(
            wide.raw.replace("\r\n", "\n"),
            world.run(&format!("{line} -o wide")).await.out,
            "wide is whole, whatever the terminal"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_beside_a_pipe_shows_progress_and_leaves_the_data_alone() {
    let world = World::new().await;
    three(&world);
    let file = world.home.path().join("out.json");
    let to = std::fs::File::create(&file).expect("a file");
    let line = "deployment watch dpl_prd -o json";
    let mut seat = Seat::at(command(&world, line, &[]).stdout(to), (24, 80));
    tell(&world, PRD, "IN_PROGRESS", Vec::new());
    seat.sees(&["environment prd  IN_PROGRESS"]).await;
    tell(&world, PRD, "SUCCEEDED", Vec::new());
    let left = seat.left().await;
    assert_eq!(left.code, 0, "{}", left.screen);
    let data = std::fs::read_to_string(file).expect("the data");
    let data: serde_json::Value = serde_json::from_str(&data).expect("nothing but JSON");
    assert_eq!(data["status"], "SUCCEEDED");
}
