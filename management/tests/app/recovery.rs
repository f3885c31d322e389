//! A database that was restored to an earlier state: what is void, what is compared first, what people are told.

use hadron_domain::authority::Role;
use hadron_domain::job::JobState;
use hadron_domain::recovery::fence;
use hadron_management::app::App;
use hadron_management::app::effects::{FailureKind, Inspection, Outcome};
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::recovery::{Recovered, Recovery, RecoveryView, Stage};
use hadron_management::app::work::{Offer, OfferedWork, Token};
use hadron_management::store::db::testing;
use hadron_management::store::jobs::{self, Abilities};
use hadron_management::store::recovery::HighWater;
use hadron_management::store::{Value, params};
use hadron_proto::vocab::{DeploymentId, JobId, StackArn, Timestamp};

use crate::agent::{applied, execute};
use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, account, administrator, caller, environment, environment_update, reason,
    region, settings,
};

const REDEPLOY: UpdateMode = UpdateMode::Current;

async fn recover(world: &World) -> Recovered {
    match world.app.recover(None, false).await.unwrap() {
        Recovery::Begun(done) => done,
        Recovery::UnderWay(view) => panic!("{view:?}"),
    }
}

async fn view(world: &World) -> RecoveryView {
    world.app.recovery().await.unwrap().unwrap()
}

/// What the stack of an environment is now, changed by these deployments, the newest first.
async fn found(world: &World, name: &str, status: &str, deployments: &[DeploymentId]) -> Outcome {
    let stack = world.target(&environment(name)).await.stack_arn;
    Outcome::Inspected(Inspection {
        stack,
        status: Some(status.to_owned()),
        deployments: deployments.to_vec(),
        removed: Vec::new(),
    })
}

async fn last(world: &World, name: &str) -> DeploymentId {
    world.last(&environment(name)).await.deployment.id
}

/// A deployment that only CloudFormation remembers.
fn lost(n: u64) -> DeploymentId {
    DeploymentId::from_parts(4_000_000_000_000 + n, [6; 10])
}

fn inspects(offer: &Offer) -> bool {
    matches!(offer.work, OfferedWork::Inspect { .. })
}

async fn job(world: &World, id: JobId) -> jobs::JobRow {
    let row = world.app.read("job", move |tx| {
        Box::pin(async move { Ok(jobs::get(tx, id).await?) })
    });
    row.await.unwrap().unwrap()
}

async fn change(world: &World, sql: &'static str, values: Vec<Value>) {
    let changed = world.test.db.write("change", move |tx| {
        Box::pin(async move { tx.execute(sql, &values).await })
    });
    changed.await.unwrap();
}

scenarios! {
    async fn what_was_given_out_before_is_void(world: World) {
        world.environment_template().await;
        let (connection, agent) = world.environment(PRODUCTION, "prd").await;
        world.update_environment(environment_update("prd", REDEPLOY)).await.unwrap();
        let before = agent.take_one(&world).await;
        world.app.started(&agent.peer, before.token).await.unwrap();

        let done = recover(&world).await;
        assert_eq!((done.generation, done.stacks, done.leases, done.sessions), (1, 1, 1, 1));
        assert_eq!(done.connections, 2, "the management account's own as well");

        // The old certificate counts for nothing, and a new one does not bring the old lease back.
        assert_eq!(reason(world.app.report(&agent.peer, before.token, applied(&before)).await), "CONNECTION_CLOSED");
        let agent = world.agent(connection).await;
        for refused in [
            world.app.report(&agent.peer, before.token, applied(&before)).await,
            world.app.started(&agent.peer, before.token).await,
            world.app.authorise(&agent.peer, before.token, execute(&before)).await.map(drop),
        ] {
            assert_eq!(reason(refused), "FENCED");
        }
        assert!(matches!(job(&world, before.token.job).await.job.state, JobState::Ready { .. }));

        // First the look, then the work, under a fence above every one of before.
        let look = agent.take_one(&world).await;
        assert!(inspects(&look), "{look:?}");
        assert!(look.token.fence > fence(1, 0), "{look:?}");
        let state = found(&world, "prd", "CREATE_COMPLETE", &[last(&world, "prd").await]).await;
        agent.report(&world, &look, state).await;
        assert_eq!(view(&world).await.stage, Stage::Done);
        let again = agent.take_one(&world).await;
        assert_eq!(again.token.job, before.token.job);
        assert!(again.token.fence > look.token.fence);
        agent.succeed(&world, &again).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
        assert_eq!(view(&world).await.differing, 0);
    }

    async fn nothing_else_is_done_in_an_account_before_its_stacks_were_compared(world: World) {
        world.environment_template().await;
        let (one, _) = world.environment(PRODUCTION, "prd").await;
        let (two, _) = world.environment(STAGING, "stg").await;
        recover(&world).await;
        let (prd, stg) = (world.agent(one).await, world.agent(two).await);
        for name in ["prd", "stg"] {
            world.update_environment(environment_update(name, REDEPLOY)).await.unwrap();
        }
        let look = prd.take_one(&world).await;
        assert!(inspects(&look));
        assert_eq!(prd.take(&world).await, [], "while one looks, nobody works");
        assert_eq!((view(&world).await.stage, view(&world).await.compared), (Stage::Comparing, 0));

        let known = last(&world, "prd").await;
        prd.report(&world, &look, found(&world, "prd", "UPDATE_COMPLETE", &[known]).await).await;
        assert!(matches!(prd.take_one(&world).await.work, OfferedWork::Apply { .. }));
        let seen = view(&world).await;
        assert_eq!((seen.stage, seen.compared, seen.stacks), (Stage::Comparing, 1, 2));
        assert!(seen.waiting[0].contains(STAGING), "{seen:?}");

        // An agent that cannot look gets nothing, until somebody decides not to wait.
        let mut old = stg.clone();
        old.session.abilities = Abilities::of(&["fetch_bundle", "put_events"]);
        assert_eq!(old.take(&world).await, []);
        assert_eq!(world.app.skip_inspections(account(STAGING)).await.unwrap(), 1);
        assert!(matches!(old.take_one(&world).await.work, OfferedWork::Apply { .. }));
        assert_eq!(view(&world).await.stage, Stage::Done);
        let warnings = world.target(&environment("stg")).await.warnings;
        assert!(warnings.iter().any(|warning| warning.contains("could not be compared")), "{warnings:?}");
    }

    async fn a_stack_that_a_forgotten_deployment_changed_is_told(world: World) {
        world.environment_template().await;
        let (connection, _) = world.environment(PRODUCTION, "prd").await;
        // Active when the backup was taken; what came after it is only on the stack.
        world.update_environment(environment_update("prd", REDEPLOY)).await.unwrap();
        let active = last(&world, "prd").await;
        recover(&world).await;
        let agent = world.agent(connection).await;
        let look = agent.take_one(&world).await;
        let state = found(&world, "prd", "UPDATE_COMPLETE", &[lost(1), active]).await;
        agent.report(&world, &look, state).await;

        let target = world.target(&environment("prd")).await;
        assert_eq!(target.status, "FAILED");
        assert!(target.message.contains(&lost(1).to_string()), "{}", target.message);
        assert!(target.ways_out.iter().any(|way| way.contains("--redeploy")), "{:?}", target.ways_out);
        assert!(target.ever_succeeded && !target.condemned);
        // It had ended before the other one began: doing it now would put old content over newer.
        let ended = world.deployment(active).await;
        assert_eq!(ended.deployment.word(), "FAILED");
        assert_eq!(agent.take(&world).await, []);
        assert_eq!(view(&world).await.differing, 1);

        // And a new deployment goes the ordinary way.
        world.update_environment(environment_update("prd", REDEPLOY)).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
    }

    async fn a_stack_that_is_gone_or_going_is_not_built_upon(world: World) {
        world.environment_template().await;
        let (one, _) = world.environment(PRODUCTION, "prd").await;
        let (two, _) = world.environment(STAGING, "stg").await;
        let stack = |row: hadron_management::store::targets::TargetRow| row.stack_arn.unwrap();
        let before = [
            stack(world.target(&environment("prd")).await),
            stack(world.target(&environment("stg")).await),
        ];
        recover(&world).await;
        for (name, connection, status, old) in [
            ("prd", one, "DELETE_COMPLETE", &before[0]),
            ("stg", two, "DELETE_IN_PROGRESS", &before[1]),
        ] {
            let agent = world.agent(connection).await;
            let look = agent.take_one(&world).await;
            agent.report(&world, &look, found(&world, name, status, &[lost(2)]).await).await;
            assert_eq!(world.target(&environment(name)).await.status, "FAILED");
            world.update_environment(environment_update(name, REDEPLOY)).await.unwrap();
            let offer = agent.take_one(&world).await;
            let OfferedWork::Apply { stack, .. } = &offer.work else { panic!("{offer:?}") };
            assert_eq!(stack.arn, None, "a new stack");
            assert_ne!(stack.name, old.name());
        }
    }

    async fn a_stack_that_cannot_be_looked_at_keeps_nobody_waiting(world: World) {
        world.environment_template().await;
        let (connection, _) = world.environment(PRODUCTION, "prd").await;
        recover(&world).await;
        let agent = world.agent(connection).await;
        let look = agent.take_one(&world).await;
        let outcome = Outcome::Failed {
            kind: FailureKind::AccessDenied,
            message: "not authorized to perform: cloudformation:ListChangeSets".to_owned(),
            stack: None,
            stack_status: None,
            resources: Vec::new(),
        };
        agent.report(&world, &look, outcome).await;
        let target = world.target(&environment("prd")).await;
        assert_eq!(target.status, "SUCCEEDED");
        assert!(target.warnings.iter().any(|warning| warning.contains("ListChangeSets")), "{:?}", target.warnings);
        assert_eq!(view(&world).await.stage, Stage::Done);
    }

    async fn an_agent_cannot_speak_for_another_stack(world: World) {
        world.environment_template().await;
        let (connection, _) = world.environment(PRODUCTION, "prd").await;
        recover(&world).await;
        let agent = world.agent(connection).await;
        let look = agent.take_one(&world).await;
        let stack: StackArn = format!(
            "arn:aws:cloudformation:{}:{STAGING}:stack/other/0192aaaa-bbbb-7ccc-8ddd-eeeeffff0001", region()
        ).parse().unwrap();
        let outcome = Outcome::Inspected(Inspection {
            stack: Some(stack),
            status: Some("UPDATE_COMPLETE".to_owned()),
            deployments: vec![lost(1)],
            removed: Vec::new(),
        });
        agent.report(&world, &look, outcome).await;
        let target = world.target(&environment("prd")).await;
        assert_eq!(target.status, "SUCCEEDED");
        assert!(target.warnings.iter().any(|warning| warning.contains("another stack")), "{:?}", target.warnings);
    }

    async fn saying_it_twice_is_saying_it_once(world: World) {
        world.environment_template().await;
        let (connection, _) = world.environment(PRODUCTION, "prd").await;
        let first = recover(&world).await;
        let Recovery::UnderWay(seen) = world.app.recover(None, false).await.unwrap() else { panic!("begun again") };
        assert_eq!((seen.generation, seen.stage, seen.stacks), (1, Stage::Comparing, 1));
        // A mark that knows of a later time proves that it was restored once more.
        let high = HighWater { generation: 3, ..world.app.high_water().await.unwrap() };
        let Recovery::Begun(done) = world.app.recover(Some(high), false).await.unwrap() else { panic!("not begun") };
        assert_eq!((first.generation, done.generation, done.stacks), (1, 4, 1));
        let Recovery::Begun(done) = world.app.recover(None, true).await.unwrap() else { panic!("not begun") };
        assert_eq!(done.generation, 5);
        // What is to be compared is compared once.
        let agent = world.agent(connection).await;
        let look = agent.take_one(&world).await;
        agent.report(&world, &look, found(&world, "prd", "CREATE_COMPLETE", &[last(&world, "prd").await]).await).await;
        assert_eq!(agent.take(&world).await, []);
        // Work was given out since: from here on it is another restore.
        assert_eq!(recover(&world).await.generation, 6);
    }

    async fn logins_and_challenges_end_and_what_was_minted_stays(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        for (digest, name) in [("sha256:11", ""), ("sha256:22", "ci")] {
            change(
                &world,
                "INSERT INTO token (digest, name, principal, role, created_at, disabled) VALUES ($1, $2, 'somebody', 'developer', 1, 0)",
                params![digest, name].to_vec(),
            ).await;
        }
        change(
            &world,
            "INSERT INTO challenge (id, purpose, nonce, source, created_at, expires_at) VALUES ('c', '\"login\"', $1, '::1', $2, $3)",
            params![vec![1_u8], world.app.db().now().await.unwrap(), world.app.db().now().await.unwrap().plus(std::time::Duration::from_secs(60))].to_vec(),
        ).await;
        let done = recover(&world).await;
        assert_eq!((done.challenges, done.logins), (1, 1));
        let tokens = world.rows("SELECT name AS topic, digest AS key, CAST(disabled AS TEXT) AS more FROM token ORDER BY digest", &[]).await;
        assert_eq!(tokens, [" sha256:11 1", "ci sha256:22 0"]);
        let written = world.rows("SELECT action AS topic, object AS key, outcome AS more FROM audit WHERE action = 'Recover'", &[]).await;
        assert_eq!(written, ["Recover generation 1 done"]);
        drop(agent);
    }

    async fn a_certificate_that_nobody_remembers_stops_the_hub(world: World) {
        world.environment_template().await;
        let (one, prd) = world.environment(PRODUCTION, "prd").await;
        let (_, stg) = world.environment(STAGING, "stg").await;
        let (long, soon) = (Timestamp::from_micros(4_102_444_800_000_000), Timestamp::from_micros(1));
        world.app.prove_time(&prd.peer, long, &[]).await.unwrap();
        world.app.prove_time(&prd.peer, soon, &[]).await.unwrap();
        assert_eq!(world.app.recovery().await.unwrap(), None);

        // Enrolled in the time that was lost.
        let mut stranger = prd.peer.clone();
        stranger.agent = hadron_proto::vocab::AgentId::from_parts(1, [7; 10]);
        assert_eq!(reason(world.app.prove_time(&stranger, long, &[]).await), "LOST_TIME");
        world.update_environment(environment_update("stg", REDEPLOY)).await.unwrap();
        assert_eq!(stg.take(&world).await, [], "nothing is given to anybody");
        let seen = view(&world).await;
        assert_eq!(seen.stage, Stage::Unannounced);
        assert!(seen.waiting[0].contains("hadron-hub recover"), "{seen:?}");

        recover(&world).await;
        assert_eq!(view(&world).await.stage, Stage::Comparing);
        // Its certificate is of the lost time, which is known by now.
        world.app.prove_time(&stranger, world.app.db().now().await.unwrap(), &[]).await.unwrap();
        assert_eq!(view(&world).await.stage, Stage::Comparing);
        let agent = world.agent(one).await;
        assert!(inspects(&agent.take_one(&world).await));
    }

    async fn a_renewal_that_nobody_remembers_stops_the_hub(world: World) {
        world.environment_template().await;
        let (_, prd) = world.environment(PRODUCTION, "prd").await;
        let later = Timestamp::from_micros(4_102_444_800_000_000).plus(std::time::Duration::from_secs(3_600));
        assert_eq!(reason(world.app.prove_time(&prd.peer, later, &[]).await), "LOST_TIME");
    }

    async fn a_fence_that_was_never_drawn_stops_only_whoever_shows_it(world: World) {
        world.environment_template().await;
        let (_, prd) = world.environment(PRODUCTION, "prd").await;
        let (_, stg) = world.environment(STAGING, "stg").await;
        for name in ["prd", "stg"] {
            world.update_environment(environment_update(name, REDEPLOY)).await.unwrap();
        }
        let latest = world.app.high_water().await.unwrap().fence;
        let long = Timestamp::from_micros(4_102_444_800_000_000);
        let held = |fence| [Token { job: JobId::from_parts(1, [2; 10]), fence }];
        world.app.prove_time(&prd.peer, long, &held(latest)).await.unwrap();
        assert_eq!(world.app.recovery().await.unwrap(), None);
        world.app.prove_time(&prd.peer, long, &held(latest + 1)).await.unwrap();
        assert_eq!(prd.take(&world).await, []);
        assert_eq!(stg.take(&world).await.len(), 1, "an agent speaks for its own account only");
        assert!(view(&world).await.waiting[0].contains(PRODUCTION));
    }

    async fn a_fence_that_a_job_never_had_shows_it_too(world: World) {
        world.environment_template().await;
        let (_, prd) = world.environment(PRODUCTION, "prd").await;
        world.update_environment(environment_update("prd", REDEPLOY)).await.unwrap();
        let token = prd.take_one(&world).await.token;
        let long = Timestamp::from_micros(4_102_444_800_000_000);
        world.app.prove_time(&prd.peer, long, &[token]).await.unwrap();
        assert_eq!(world.app.recovery().await.unwrap(), None);
        // Numbers are drawn ahead of the leases, so this one is no news to the sequence.
        let later = Token { fence: token.fence + 1, ..token };
        assert!(later.fence < world.app.high_water().await.unwrap().fence);
        world.app.prove_time(&prd.peer, long, &[later]).await.unwrap();
        assert!(view(&world).await.waiting[0].contains(PRODUCTION));
    }

    async fn whoever_may_see_the_summary_sees_how_far_it_is(world: World) {
        world.environment_template().await;
        world.environment(PRODUCTION, "prd").await;
        recover(&world).await;
        let owner = caller(Role::Owner, Some(PRODUCTION));
        assert!(world.app.summary(&administrator()).await.is_ok());
        assert!(world.app.summary(&owner).await.is_err());
        assert_eq!(view(&world).await.waiting.len(), 1);
    }
}

/// A backup is taken by another process while many write: what was acknowledged before it began is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole_and_has_what_was_acknowledged() {
    let world = World::sqlite().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let acknowledged = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let (db, stopped) = (world.test.db.clone(), stopped.clone());
            let acknowledged = std::sync::Arc::clone(&acknowledged);
            tokio::spawn(async move {
                for n in 0_u64.. {
                    let key = format!("load.{writer}.{n}");
                    let written = key.clone();
                    let value = "x".repeat(2_000);
                    db.write("load", move |tx| {
                        Box::pin(async move {
                            let sql = "INSERT INTO meta (key, value) VALUES ($1, $2)";
                            tx.execute(sql, &params![written, value]).await
                        })
                    })
                    .await
                    .unwrap();
                    acknowledged.lock().unwrap().push(key);
                    if *stopped.borrow() {
                        return;
                    }
                }
            })
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let other = world.test.open_again().await;
    for round in 0..3 {
        while acknowledged.lock().unwrap().len() < (round + 1) * 300 {
            tokio::task::yield_now().await;
        }
        let before = acknowledged.lock().unwrap().clone();
        let file = dir.path().join(format!("{round}.db"));
        other.backup(&file).await.unwrap();
        assert!(
            other.backup(&file).await.is_err(),
            "a file that is there is not written over"
        );
        let copy =
            rusqlite::Connection::open_with_flags(&file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let fine: String = copy
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(fine, "ok");
        let has = |key: &String| {
            let sql = "SELECT COUNT(*) FROM meta WHERE key = ?1";
            copy.query_row(sql, [key], |row| row.get::<_, i64>(0)).unwrap() == 1
        };
        let missing: Vec<_> = before.iter().filter(|key| !has(key)).collect();
        assert!(
            missing.is_empty(),
            "of {} acknowledged writes {} are missing: {missing:?}",
            before.len(),
            missing.len()
        );
    }
    stop.send_replace(true);
    for writer in writers {
        writer.await.unwrap();
    }
}

/// The same with PostgreSQL's own tools: a dump, then a lost deployment, then the dump put back into another database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgres_that_was_put_back_is_behind_and_recovers() {
    let world = World::postgres().await;
    world.environment_template().await;
    let (connection, agent) = world.environment(PRODUCTION, "prd").await;
    world
        .update_environment(environment_update("prd", REDEPLOY))
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dump = dir.path().join("hub.dump").display().to_string();
    let run = |tool: &str, arguments: &[&str]| {
        let folder = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|found| found.path().join("bin"));
        let tool = folder
            .map(|bin| bin.join(tool))
            .find(|path| path.exists())
            .unwrap_or_else(|| tool.into());
        let ran = std::process::Command::new(tool).args(arguments).output().unwrap();
        assert!(
            ran.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    run(
        "pg_dump",
        &["--format=custom", "--file", &dump, "--dbname", &world.test.place],
    );

    // What is lost: the deployment under way is done, and another one after it.
    agent.succeed_all(&world).await;
    let lost = world
        .update_environment(environment_update("prd", REDEPLOY))
        .await
        .unwrap()
        .attempted
        .unwrap()
        .0;
    agent.succeed_all(&world).await;
    let seen = world.app.high_water().await.unwrap();

    let other = testing::postgres_empty().await;
    run(
        "pg_restore",
        &["--no-owner", "--exit-on-error", "--dbname", &other.place, &dump],
    );
    let app = App::new(other.db.clone(), other.clock.clone(), settings());
    let restored = World { test: other, app };
    let now = restored.app.high_water().await.unwrap();
    assert!(now.is_behind(&seen), "{now:?} {seen:?}");
    let Recovery::Begun(done) = restored.app.recover(Some(seen), false).await.unwrap() else {
        panic!("not begun")
    };
    assert_eq!((done.generation, done.stacks), (1, 1));
    assert_eq!(
        reason(restored.app.take(&agent.session, 10).await),
        "CONNECTION_CLOSED"
    );
    let agent = restored.agent(connection).await;
    let look = agent.take_one(&restored).await;
    let state = found(&restored, "prd", "UPDATE_COMPLETE", &[lost]).await;
    agent.report(&restored, &look, state).await;
    let target = restored.target(&environment("prd")).await;
    assert_eq!(target.status, "FAILED");
    assert!(target.message.contains(&lost.to_string()), "{}", target.message);
    restored
        .update_environment(environment_update("prd", REDEPLOY))
        .await
        .unwrap();
    agent.succeed_all(&restored).await;
    assert_eq!(restored.target(&environment("prd")).await.status, "SUCCEEDED");
}
