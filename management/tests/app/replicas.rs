//! Several hubs on one PostgreSQL database: nobody waits for ever, nothing is done twice, nothing that was acknowledged is
//! lost, and no clock counts but the database's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use hadron_management::app::connections::RolesUpdate;
use hadron_management::app::effects::Outcome;
use hadron_management::app::enrolment::Records;
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::work::{Offer, OfferedWork, Peer, Session, Verdict};
use hadron_management::app::{App, AppError, ErrorKind, Request};
use hadron_management::clock::Clock;
use hadron_management::identity::enrolment::{
    Challenge, ChallengeId, Challenges as _, Clocked as _, OpenLimits, Purpose,
};
use hadron_management::identity::login::TokenIssuer;
use hadron_management::reconcile;
use hadron_management::store::db::testing::{self, Swallow};
use hadron_management::store::{Sequence, StoreError, acting, deployments, jobs, outbox, params};
use hadron_proto::vocab::{ConnectionId, Timestamp};

use crate::agent::{Agent, abilities, applied, delete, event, execute};
use crate::world::{
    LEASE, PRODUCTION, STAGING, World, account, administrator, asked, current, developer, environment,
    environment_update, identified, instance, new_connection, new_environment, owner, reason, service_spec,
    settings,
};

/// Another hub on the same database.
async fn another(world: &World) -> App {
    App::new(world.test.open_again().await, Clock::system(), settings())
}

/// Another hub on the same database, with a clock that differs by so many seconds.
async fn skewed(world: &World, seconds: i64) -> App {
    let now = world.test.db.now().await.unwrap();
    let clock = Clock::manual(Timestamp::from_micros(now.as_micros() + seconds * 1_000_000));
    App::new(world.test.open_again().await, clock, settings())
}

/// Nothing is wrong with the hub or its database, whatever else may be wrong.
fn fine<T>(outcome: Result<T, AppError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(
                !matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Internal),
                "{}",
                error.story()
            );
            None
        }
    }
}

/// Does what an offer asks for, as far as it is still wanted.
async fn work_off(app: &App, peer: &Peer, session: &Session, offer: &Offer) -> Result<(), AppError> {
    app.started(peer, offer.token).await?;
    app.heartbeat(session, vec![offer.token]).await?;
    let outcome = match &offer.work {
        OfferedWork::Apply { .. } => {
            app.events(peer, offer.token, vec![event(offer, "1", "CREATE_IN_PROGRESS")])
                .await?;
            if app.authorise(peer, offer.token, execute(offer)).await? != Verdict::Granted {
                return app.handover(peer, offer.token, "refused").await;
            }
            app.events(peer, offer.token, vec![event(offer, "2", "CREATE_COMPLETE")])
                .await?;
            applied(offer)
        }
        OfferedWork::Destroy { stack, .. } => {
            if stack.arn.is_some() {
                let _: Verdict = app.authorise(peer, offer.token, delete(offer)).await?;
            }
            Outcome::Gone
        }
        OfferedWork::Revoke { .. } => Outcome::Revoked,
        OfferedWork::SetPullPolicy { .. } => Outcome::PullPolicySet {
            changed: true,
            warnings: Vec::new(),
        },
        OfferedWork::PutCheckpoints(_) => Outcome::CheckpointsPut { were_there: false },
        OfferedWork::PutEvents { .. } => Outcome::EventsPut { refused: Vec::new() },
        OfferedWork::FetchBundle { .. } => panic!("nobody asked for a bundle"),
        OfferedWork::Inspect { .. } => panic!("nobody has restored anything"),
    };
    app.report(peer, offer.token, outcome).await
}

/// An agent that works at this hub until it is told to stop.
async fn agent_works(app: App, connection: ConnectionId, stop: Arc<AtomicBool>) {
    let mut enrolled = None;
    let mut turn = 0_u32;
    while !stop.load(Ordering::SeqCst) {
        let Some(agent) = enrolled.clone() else {
            enrolled = fine(Agent::enrol_at(&app, connection).await);
            continue;
        };
        let offers = match app.take(&agent.session, 4).await {
            // The connection was decided about: whoever still may proves itself anew.
            Err(error) if error.reason == "CONNECTION_CLOSED" => {
                enrolled = None;
                continue;
            }
            other => fine(other).unwrap_or_default(),
        };
        let session = agent.session.clone();
        fine(
            app.heartbeat(&session, offers.iter().map(|offer| offer.token).collect())
                .await,
        );
        for offer in &offers {
            turn += 1;
            if turn.is_multiple_of(7) {
                fine(app.handover(&agent.peer, offer.token, "on a whim").await);
            } else {
                fine(work_off(&app, &agent.peer, &session, offer).await);
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn hub_reconciles(app: App, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        fine(reconcile::drain(&app).await);
        fine(reconcile::expire(app.clone()).await);
        fine(reconcile::check_grants(app.clone()).await);
        fine(reconcile::forget(app.clone()).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What people do at this hub, all of it at the same things as at the other hubs.
async fn people_work(app: App, prd: ConnectionId, number: u32) {
    let service = "web".parse().unwrap();
    for turn in 0..12_u32 {
        match (turn + number) % 6 {
            0 => {
                let update = environment_update("prd", UpdateMode::Current);
                fine(
                    app.update_environment(asked(&administrator(), "UpdateEnvironment"), update)
                        .await,
                );
            }
            1 => {
                let request = asked(&developer(), "UpdateServiceInstance");
                fine(
                    app.update_instance(
                        request,
                        "web".parse().unwrap(),
                        "blue".parse().unwrap(),
                        current(None),
                    )
                    .await,
                );
            }
            2 => {
                let spec = service_spec(
                    Some("images_kept: 3"),
                    &[
                        ("blue", "prd", "port: 81"),
                        ("green", "stg", &format!("port: {}", 8_000 + turn)),
                    ],
                );
                let request = asked(&developer(), "UpdateService");
                fine(
                    app.update_service(request, "web".parse().unwrap(), Some(spec), None)
                        .await,
                );
            }
            3 => {
                let target = instance("web", "blue");
                fine(
                    app.cancel_target(asked(&administrator(), "CancelDeployment"), &target)
                        .await,
                );
                fine(
                    app.cancel_target(asked(&administrator(), "CancelDeployment"), &environment("prd"))
                        .await,
                );
            }
            4 => {
                let update = RolesUpdate {
                    role: Some(
                        format!("arn:aws:iam::{PRODUCTION}:role/other-{turn}")
                            .parse()
                            .unwrap(),
                    ),
                    component_role: None,
                    codebuild_role: None,
                };
                let request = asked(&owner(PRODUCTION), "UpdateConnection");
                fine(app.update_connection(request, prd, update).await);
            }
            _ => {
                // An environment whose connection goes away while its deployment waits or runs.
                let name = format!("short{number}");
                let request = asked(&owner(STAGING), "RequestConnection");
                if let Some(view) = fine(
                    app.request_connection(request, new_connection(STAGING, &name))
                        .await,
                ) {
                    let id = view.connection.id;
                    let accept = asked(&administrator(), "AcceptConnection");
                    fine(app.accept_connection(accept, id, Some(account(STAGING))).await);
                    let new = new_environment(&name, Some(id));
                    fine(
                        app.create_environment(asked(&administrator(), "CreateEnvironment"), new)
                            .await,
                    );
                    fine(
                        app.delete_connection(asked(&owner(STAGING), "DeleteConnection"), id)
                            .await,
                    );
                }
            }
        }
        fine(app.get_service(&developer(), &service).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_people_and_reconcilers_of_two_hubs_never_wait_for_each_other_in_a_circle() {
    let world = World::postgres().await;
    world.templates().await;
    let management = world.app.seed_management().await.unwrap();
    let (prd, _) = world.environment(PRODUCTION, "prd").await;
    let (stg, _) = world.environment(STAGING, "stg").await;
    let spec = service_spec(
        Some("images_kept: 3"),
        &[("blue", "prd", "port: 81"), ("green", "stg", "port: 82")],
    );
    world.create_service("web", "minimal-svc", &spec).await.unwrap();
    let before = world.test.deadlocks().await;
    let hubs = [another(&world).await, another(&world).await];
    let stop = Arc::<AtomicBool>::default();
    let mut work = Vec::new();
    for hub in &hubs {
        for connection in [management, prd, prd, stg] {
            work.push(tokio::spawn(agent_works(
                hub.clone(),
                connection,
                Arc::clone(&stop),
            )));
        }
        work.push(tokio::spawn(hub_reconciles(hub.clone(), Arc::clone(&stop))));
    }
    let people =
        (0..6_u32).map(|number| tokio::spawn(people_work(hubs[(number % 2) as usize].clone(), prd, number)));
    for person in join_all(people).await {
        person.unwrap();
    }
    // Everything that was begun comes to its end.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    while !world.active().await.is_empty() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{:?}",
            world.active().await
        );
        world.pass(Duration::from_secs(70)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::SeqCst);
    for each in work {
        each.await.unwrap();
    }
    assert_eq!(
        testing::wrong_orders(),
        Vec::<String>::new(),
        "rows locked in a wrong order"
    );
    let overlaps = world
        .rows(
            "SELECT target_id AS topic, target_id AS key, 'twice' AS more FROM deployment WHERE active = 1
             GROUP BY target_id HAVING COUNT(*) > 1",
            &[],
        )
        .await;
    assert_eq!(overlaps, Vec::<String>::new());
    for hub in &hubs {
        hub.db().close().await;
    }
    world.app.db().close().await;
    assert_eq!(world.test.deadlocks().await - before, 0, "deadlocks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_the_outbox_is_claimed_by_one_hub() {
    let world = World::postgres().await;
    let hubs = [world.app.clone(), another(&world).await, another(&world).await];
    let asked = hubs[0].write("ask", |unit| {
        Box::pin(async move {
            for number in 0..200 {
                outbox::ask(unit.tx, "test", &number.to_string(), unit.now).await?;
            }
            Ok(())
        })
    });
    asked.await.unwrap();
    let claims = hubs.iter().flat_map(|hub| [hub.clone(), hub.clone()]).map(|hub| {
        tokio::spawn(async move {
            let mut mine = Vec::new();
            let mut nothing = 0;
            // What others are just taking is passed over, so nothing for once does not mean the end.
            while nothing < 20 {
                let claimed = hub.write("claim", |unit| {
                    Box::pin(async move {
                        let until = unit.now.plus(Duration::from_secs(60));
                        Ok(outbox::claim(unit.tx, unit.now, until, 3).await?)
                    })
                });
                let claimed = claimed.await.unwrap();
                nothing = if claimed.is_empty() { nothing + 1 } else { 0 };
                mine.extend(claimed.into_iter().map(|row| row.key));
            }
            mine
        })
    });
    let all: Vec<String> = join_all(claims)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_of_hubs_decide_nothing() {
    let world = World::postgres().await;
    let (fast, slow) = (skewed(&world, 600).await, skewed(&world, -600).await);
    world.environment_template().await;
    let prd = world.connected(PRODUCTION, "prd").await;
    let agent = world.agent(prd).await;
    world.create_environment("prd", Some(prd)).await.unwrap();

    // Leases: what the slow hub leases, the fast one neither takes back nor gives away.
    let offer = slow.take(&agent.session, 1).await.unwrap().remove(0);
    reconcile::expire(fast.clone()).await.unwrap();
    assert_eq!(
        fast.heartbeat(&agent.session, vec![offer.token]).await.unwrap(),
        [offer.token]
    );
    reconcile::expire(slow.clone()).await.unwrap();
    slow.check_session(&agent.session).await.unwrap();
    // And what has run out by the database's clock has run out for both.
    world.pass(LEASE * 2).await;
    reconcile::expire(slow.clone()).await.unwrap();
    assert_eq!(
        fast.heartbeat(&agent.session, vec![offer.token]).await.unwrap(),
        []
    );

    // Challenges: given by one, taken by the other, in time and too late.
    let records = |app: &App| Records::new(app.clone());
    for (giver, taker) in [(&fast, &slow), (&slow, &fast)] {
        for (life, good) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let (give, take) = (records(giver), records(taker));
            let now = give.now(giver.clock()).await.unwrap();
            let challenge = Challenge {
                id: ChallengeId::from_random([u8::from(good); 16]),
                nonce: [7; 32],
                purpose: Purpose::Login,
                counted_as: None,
                source: std::net::Ipv4Addr::LOCALHOST.into(),
                expires_at: now.plus(life),
            };
            let limits = OpenLimits {
                per_source: 9,
                per_claim: 9,
            };
            assert!(give.insert(&challenge, limits, now).await.unwrap());
            let now = take.now(taker.clock()).await.unwrap();
            let taken = take.take(challenge.id, now).await.unwrap();
            assert_eq!(taken.is_some(), good);
        }
        // Tokens: minted by one, good or not at the other.
        let issuer = TokenIssuer::new(records(giver), giver.clock().clone());
        let (good, _) = issuer
            .mint("good", "auditor", Some(Duration::from_secs(300)))
            .await
            .unwrap();
        let (late, _) = issuer
            .mint("late", "auditor", Some(Duration::ZERO))
            .await
            .unwrap();
        let verifier = TokenIssuer::new(records(taker), taker.clock().clone());
        assert!(verifier.verify(good.reveal()).await.is_ok());
        assert!(verifier.verify(late.reveal()).await.is_err());
        assert!(taker.caller_of(good.reveal()).await.is_ok());
        assert_eq!(reason(taker.caller_of(late.reveal()).await), "UNAUTHENTICATED");
    }
}

/// The store does not hand an agent rows of another account, whatever its caller checked or did not check.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_itself_keeps_accounts_apart() {
    for world in [World::sqlite().await, World::postgres().await] {
        world.environment_template().await;
        let (prd, stg) = (
            world.connected(PRODUCTION, "prd").await,
            world.connected(STAGING, "stg").await,
        );
        let (mine, theirs) = (world.agent(prd).await, world.agent(stg).await);
        world.create_environment("prd", Some(prd)).await.unwrap();
        let offer = mine.take_one(&world).await;
        let (job, deployment) = (offer.token.job, offer.deployment.unwrap());
        let (region, agent) = (offer.region.clone(), mine.peer.agent);
        let seen = world.app.write("bypass", move |unit| {
            Box::pin(async move {
                let own = (
                    jobs::get_of(unit.tx, job, account(PRODUCTION), &region)
                        .await?
                        .is_some(),
                    acting::on_job(unit.tx, agent, prd, account(PRODUCTION), job)
                        .await?
                        .1
                        == Some(prd),
                    deployments::get_of(unit.tx, deployment, account(PRODUCTION))
                        .await?
                        .is_some(),
                );
                let foreign = (
                    jobs::get_of(unit.tx, job, account(STAGING), &region)
                        .await?
                        .is_some(),
                    acting::on_job(unit.tx, agent, prd, account(STAGING), job)
                        .await?
                        .1
                        .is_some(),
                    deployments::get_of(unit.tx, deployment, account(STAGING))
                        .await?
                        .is_some(),
                );
                // A row of somebody else with the right account on it does not get written either.
                let mut forged = jobs::get(unit.tx, job).await?.unwrap();
                forged.account = account(STAGING);
                forged.job.fence += 100;
                jobs::put(unit.tx, &forged).await?;
                let ready = jobs::ready(
                    unit.tx,
                    &[prd],
                    account(STAGING),
                    &region,
                    &abilities(),
                    unit.now,
                    9,
                )
                .await?;
                Ok((
                    own,
                    foreign,
                    jobs::get(unit.tx, job).await?.unwrap().job.fence,
                    ready.len(),
                ))
            })
        });
        let (own, foreign, fence, ready) = seen.await.unwrap();
        assert_eq!(own, (true, true, true));
        assert_eq!(foreign, (false, false, false));
        assert_eq!((fence, ready), (offer.token.fence, 0));
        // And as it is asked over the wire: another account's job is no job.
        let other = &theirs.peer;
        assert_eq!(
            reason(world.app.started(other, offer.token).await),
            "JOB_NOT_FOUND"
        );
        assert_eq!(
            reason(world.app.events(other, offer.token, Vec::new()).await),
            "JOB_NOT_FOUND"
        );
        assert_eq!(
            reason(world.app.authorise(other, offer.token, execute(&offer)).await),
            "JOB_NOT_FOUND"
        );
    }
}

/// A unit of work that counts, under this request id.
async fn count(app: &App, request: Request) -> Result<u64, AppError> {
    app.write("count", move |unit| {
        Box::pin(async move {
            let number = unit.tx.next(Sequence("test")).await?;
            unit.answered(&request, "counted").await?;
            Ok(number)
        })
    })
    .await
}

async fn counted(world: &World) -> (u64, i64) {
    let read = world.test.db.read("counted", |tx| {
        Box::pin(async move {
            let number = tx
                .query_opt("SELECT value FROM sequence WHERE name = $1", &params!["test"])
                .await?
                .map_or(Ok(0), |row| row.get("value"))?;
            let audited = tx
                .query_one(
                    "SELECT COUNT(*) AS n FROM audit WHERE action = $1",
                    &params!["Count"],
                )
                .await?
                .get("n")?;
            Ok::<(u64, i64), StoreError>((number, audited))
        })
    });
    read.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_commit_was_not_answered_is_looked_up_before_it_is_answered() {
    let world = World::postgres().await;
    let (db, proxy) = world.test.open_behind_proxy().await;
    let app = App::new(db, world.test.clock.clone(), settings());
    for number in 1..=20_u64 {
        // Every connection breaks with it, as when the server is restarted: nobody can be asked but the record.
        proxy.swallow(Swallow::AnswerAndAll, 1);
        let request = identified(&administrator(), "Count", &format!("id-{number}"), "content");
        assert_eq!(
            count(&app, request).await.unwrap(),
            number,
            "counted once, and answered with what was counted"
        );
        assert_eq!(u64::from(proxy.swallowed()), number);
    }
    assert_eq!(counted(&world).await, (20, 20));
    // COMMIT never arrived: done again, and once.
    proxy.swallow(Swallow::Question, 1);
    let request = identified(&administrator(), "Count", "id-21", "content");
    assert_eq!(count(&app, request).await.unwrap(), 21);
    // Without a record nobody can know: then it is not done again, and the caller may ask again.
    proxy.swallow(Swallow::AnswerAndAll, 1);
    let unknown = count(&app, asked(&administrator(), "Count")).await.unwrap_err();
    assert_eq!(
        (unknown.kind, unknown.reason),
        (ErrorKind::Unavailable, "UNAVAILABLE")
    );
    assert_eq!(counted(&world).await, (22, 22));
    assert_eq!(count(&app, asked(&administrator(), "Count")).await.unwrap(), 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_connections_are_cut_and_the_server_restarts() {
    let world = World::postgres().await;
    let hubs = [another(&world).await, another(&world).await];
    let stop = Arc::<AtomicBool>::default();
    let acknowledged = Arc::<AtomicU64>::default();
    let refused = Arc::<AtomicU64>::default();
    let callers = (0..8_usize).map(|caller_number| {
        let (hub, stop) = (hubs[caller_number % 2].clone(), Arc::clone(&stop));
        let (acknowledged, refused) = (Arc::clone(&acknowledged), Arc::clone(&refused));
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) {
                number += 1;
                let id = format!("caller-{caller_number}-{number}");
                let request = identified(&administrator(), "Count", &id, "content");
                // As every caller does it: again with the same id until there is an answer.
                loop {
                    let answer = match hub.seen(&request).await {
                        Ok(Some(_)) => Ok(0),
                        Ok(None) => count(&hub, request.clone()).await,
                        Err(error) => Err(error),
                    };
                    match answer {
                        Ok(_) => break,
                        Err(error) => {
                            assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.story());
                            refused.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let until = async |many: u64| {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while acknowledged.load(Ordering::SeqCst) < many {
            assert!(tokio::time::Instant::now() < deadline, "the hubs do not recover");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    for round in 0..12 {
        until(acknowledged.load(Ordering::SeqCst) + 20).await;
        match round {
            4 => testing::restart_postgres(false).await,
            8 => testing::restart_postgres(true).await,
            _ => world.test.terminate_some().await,
        }
    }
    until(acknowledged.load(Ordering::SeqCst) + 50).await;
    stop.store(true, Ordering::SeqCst);
    for each in callers {
        each.await.unwrap();
    }
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    let (number, audited) = counted(&world).await;
    eprintln!(
        "{acknowledged} acknowledged, {} refused",
        refused.load(Ordering::SeqCst)
    );
    assert_eq!(
        (number, audited),
        (acknowledged, i64::try_from(acknowledged).unwrap())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_deployments_that_begin_at_once_one_begins_and_its_job_is_leased_once() {
    let world = World::postgres().await;
    world.environment_template().await;
    let (prd, agent) = world.environment(PRODUCTION, "prd").await;
    let hubs = [world.app.clone(), another(&world).await, another(&world).await];
    let agents = [
        agent,
        Agent::enrol(&world, prd).await,
        Agent::enrol(&world, prd).await,
    ];
    for _ in 0..5 {
        let begins = hubs.iter().map(|hub| {
            let hub = hub.clone();
            tokio::spawn(async move {
                let update = environment_update("prd", UpdateMode::Current);
                hub.update_environment(asked(&administrator(), "UpdateEnvironment"), update)
                    .await
            })
        });
        let begun: Vec<_> = join_all(begins).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            begun.iter().filter(|outcome| outcome.is_ok()).count(),
            1,
            "{begun:?}"
        );
        for refused in begun.into_iter().filter(Result::is_err) {
            assert_eq!(reason(refused), "DEPLOYMENT_IN_PROGRESS");
        }
        let takes = hubs.iter().zip(&agents).map(|(hub, agent)| {
            let (hub, session) = (hub.clone(), agent.session.clone());
            tokio::spawn(async move { hub.take(&session, 9).await.unwrap() })
        });
        let taken: Vec<Vec<Offer>> = join_all(takes).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 1, "{taken:?}");
        let (at, offer) = taken
            .iter()
            .enumerate()
            .find_map(|(at, offers)| Some((at, offers.first()?)))
            .unwrap();
        work_off(&hubs[(at + 1) % 3], &agents[at].peer, &agents[at].session, offer)
            .await
            .unwrap();
        world.settle().await;
        assert!(world.active().await.is_empty());
    }
}
