//! Jobs: leases that run out, are renewed, handed over and fenced; trust that ends.

use std::collections::BTreeMap;
use std::time::Duration;

use hadron_domain::authority::Role;
use hadron_domain::job::{Job, JobState, MAX_ATTEMPTS, MAX_HANDOVERS, MAX_LOSSES};
use hadron_management::app::acks::Said;
use hadron_management::app::effects::{FailureKind, Outcome};
use hadron_management::app::work::{Offer, Token, Verdict};
use hadron_management::app::{AppError, ErrorKind, Notice};
use hadron_management::reconcile;
use hadron_management::store::{StoreError, jobs, params};
use hadron_proto::vocab::{ConnectionId, JobId, Timestamp};

use crate::agent::{Agent, abilities, applied, event, execute, failed};
use crate::scenarios;
use crate::world::{
    LEASE, PRODUCTION, STAGING, World, administrator, asked, caller, environment, environment_update, owner,
    reason,
};

/// An environment with a deployment under way, whose job the agent has taken.
async fn taken(world: &World) -> (Agent, Offer) {
    world.environment_template().await;
    let connection = world.connected(PRODUCTION, "prd").await;
    let agent = world.agent(connection).await;
    world.create_environment("prd", Some(connection)).await.unwrap();
    let offer = agent.take_one(world).await;
    (agent, offer)
}

async fn state(world: &World, id: JobId) -> JobState {
    let row = world.app.read("job", move |tx| {
        Box::pin(async move { Ok(jobs::get(tx, id).await?) })
    });
    row.await.unwrap().unwrap().job.state
}

async fn expire(world: &World) {
    reconcile::expire(world.app.clone()).await.unwrap();
    world.settle().await;
}

/// Everything that a holder may say, with what the hub answers.
async fn statements(world: &World, agent: &Agent, offer: &Offer) -> Vec<Result<(), AppError>> {
    let app = &world.app;
    vec![
        app.started(&agent.peer, offer.token).await,
        app.authorise(&agent.peer, offer.token, execute(offer))
            .await
            .map(drop),
        app.events(
            &agent.peer,
            offer.token,
            vec![event(offer, "late", "CREATE_COMPLETE")],
        )
        .await,
        app.content(
            &agent.peer,
            offer.token,
            hadron_management::app::work::Content::Template,
        )
        .await
        .map(drop),
        app.handover(&agent.peer, offer.token, "wait").await,
        app.report(&agent.peer, offer.token, applied(offer)).await,
    ]
}

/// A job without a deployment, of the agent's account and this connection, and since when it may be taken.
async fn waiting(world: &World, agent: &Agent, connection: ConnectionId) -> (JobId, Timestamp) {
    let account = agent.peer.account;
    let region = agent.session.region.clone();
    let add = world.app.write("seed", move |unit| {
        Box::pin(async move {
            let row = jobs::JobRow {
                job: Job::new(unit.fresh_id(), unit.now),
                account,
                region,
                connection,
                deployment: None,
                label: "pull policy of web".to_owned(),
                work: jobs::JobWork::SetPullPolicy {
                    repository: "web".parse().unwrap(),
                    readers: [].into(),
                },
                created_at: unit.now,
            };
            jobs::insert(unit.tx, &row).await?;
            Ok((row.job.id, unit.now))
        })
    });
    add.await.unwrap()
}

/// The same, held by the agent.
async fn held(world: &World, agent: &Agent) -> Token {
    waiting(world, agent, agent.peer.connection).await;
    agent.take_one(world).await.token
}

fn beat(agent: &Agent, held: &[Token]) -> Said {
    Said::Beat {
        session: agent.session.clone(),
        held: held.to_vec(),
    }
}

fn started(agent: &Agent, token: Token) -> Said {
    Said::Started {
        peer: agent.peer.clone(),
        token,
    }
}

scenarios! {
    /// Jobs are leased in the order in which they came to wait, whoever they are for: a job waits for those before it and for
    /// none that come later, however many they are, and what other accounts have waiting does not count at all.
    async fn nobody_starves_behind_a_connection_that_always_has_more(world: World) {
        const ROOM: u32 = 2;
        let mut connections = Vec::new();
        for name in ["prd", "busy", "quiet"] {
            connections.push(world.connected(PRODUCTION, name).await);
        }
        let agent = world.agent(connections[0]).await;
        let apart = world.agent(world.connected(STAGING, "stg").await).await;
        // Those that wait: since when, and how often others may be served before.
        let mut line: BTreeMap<JobId, (Timestamp, usize)> = BTreeMap::new();
        let (mut dice, mut served) = (1_u64, BTreeMap::<ConnectionId, u32>::new());
        let mut whose = BTreeMap::new();
        for round in 0..60 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Always more than there is room for, until nothing comes any more; and now and then one for somebody else.
            let mut comes = if round < 30 { vec![connections[1]; 3] } else { Vec::new() };
            if round < 30 && (dice >> 33) % 3 == 0 {
                comes.insert(usize::try_from((dice >> 40) % 4).unwrap(), connections[2]);
            }
            for connection in comes {
                let (job, since) = waiting(&world, &agent, connection).await;
                let before = line.values().filter(|(other, _)| *other <= since).count();
                line.insert(job, (since, before));
                whose.insert(job, connection);
            }
            let (other, _) = waiting(&world, &apart, apart.peer.connection).await;
            let theirs = apart.take_one(&world).await;
            assert_eq!(theirs.token.job, other, "its own account's, and at once");
            apart.succeed(&world, &theirs).await;

            let offers = world.app.take(&agent.session, ROOM).await.unwrap();
            assert_eq!(offers.len(), line.len().min(2), "room is left although jobs wait");
            for offer in offers {
                let (since, _) = line.remove(&offer.token.job).expect("it waited");
                *served.entry(whose[&offer.token.job]).or_default() += 1;
                let overtaken = line.values().filter(|(other, _)| *other < since).count();
                assert_eq!(overtaken, 0, "jobs that came before still wait");
                for (_, left) in line.values_mut().filter(|(other, _)| since <= *other) {
                    *left = left.checked_sub(1).expect("served before a job that came earlier");
                }
                agent.succeed(&world, &offer).await;
            }
        }
        assert!(line.is_empty(), "{line:?}");
        assert_eq!(served.len(), 2, "both had jobs: {served:?}");
    }

    async fn many_statements_share_a_transaction_and_each_has_its_own_answer(world: World) {
        let (first, second) = (
            world.agent(world.connected(PRODUCTION, "prd").await).await,
            world.agent(world.connected(STAGING, "stg").await).await,
        );
        let (mine, yours) = (held(&world, &first).await, held(&world, &second).await);
        let stale = Token { fence: mine.fence + 1_000, ..mine };
        let unknown = Token { job: JobId::from_parts(1, [7; 10]), fence: 1 };
        let gone = world.agent(world.connected(PRODUCTION, "old").await).await;
        let reject = asked(&administrator(), "RejectConnection");
        world.app.reject_connection(reject, gone.peer.connection).await.unwrap();
        let before = world.app.db().stats();
        let answers = world.app.acknowledge(vec![
            started(&first, mine),
            beat(&first, &[mine, stale, yours, unknown]),
            beat(&gone, &[]),
            started(&second, mine),
            started(&first, stale),
            beat(&second, &[yours]),
            started(&second, unknown),
        ]).await.unwrap();
        assert_eq!(world.app.db().stats().transactions, before.transactions + 1);
        let told: Vec<Result<Vec<Token>, &str>> = answers
            .into_iter()
            .map(|answer| answer.map_err(|error| error.reason))
            .collect();
        assert_eq!(told, [
            Ok(vec![mine]),
            Ok(vec![mine]),
            Err("CONNECTION_CLOSED"),
            Err("JOB_NOT_FOUND"),
            Err("FENCED"),
            Ok(vec![yours]),
            Err("JOB_NOT_FOUND"),
        ]);
        let JobState::Leased { holder, started, .. } = state(&world, mine.job).await else { panic!("not leased") };
        assert_eq!((holder, started), (first.session.id, true));
        // The renewal counts from now.
        world.pass(LEASE / 2).await;
        assert_eq!(world.app.heartbeat(&first.session, vec![mine]).await.unwrap(), [mine]);
        world.pass(LEASE / 2 + Duration::from_secs(1)).await;
        expire(&world).await;
        assert!(matches!(state(&world, mine.job).await, JobState::Leased { .. }));
        assert!(matches!(state(&world, yours.job).await, JobState::Ready { .. }));
    }

    /// An agent whose own connection is fine may hold jobs of another one of its account, for as long as that is accepted
    /// for the same role.
    async fn leases_of_other_connections_are_renewed_while_those_are_connected(world: World) {
        let own = world.agent(world.connected(PRODUCTION, "prd").await).await;
        let other = world.agent(world.connected(PRODUCTION, "other").await).await;
        let token = held(&world, &other).await;
        // Handed over and taken again, by the agent of the other connection.
        world.app.handover(&other.peer, token, "drain").await.unwrap();
        let token = own.take_one(&world).await.token;
        assert_eq!(world.app.acknowledge(vec![started(&own, token), beat(&own, &[token])]).await.unwrap().len(), 2);
        assert_eq!(world.app.heartbeat(&own.session, vec![token]).await.unwrap(), [token]);
        let reject = asked(&administrator(), "RejectConnection");
        world.app.reject_connection(reject, other.peer.connection).await.unwrap();
        assert_eq!(world.app.heartbeat(&own.session, vec![token]).await.unwrap(), []);
        assert_eq!(world.app.started(&own.peer, token).await.unwrap_err().reason, "JOB_NOT_FOUND");
    }

    /// Two hubs that take the same statements in opposite orders do not wait for each other in a circle.
    async fn batches_of_two_hubs_never_lock_each_other_out(world: World) {
        let mut said = Vec::new();
        for number in 0..12 {
            let agent = world.agent(world.connected(&format!("{number:012}"), &format!("env-{number}")).await).await;
            let token = held(&world, &agent).await;
            said.extend([beat(&agent, &[token]), started(&agent, token)]);
        }
        let reversed: Vec<Said> = said.iter().rev().cloned().collect();
        let hub = |said: Vec<Said>| {
            let app = world.app.clone();
            tokio::spawn(async move {
                for _ in 0..40 {
                    for answer in app.acknowledge(said.clone()).await.unwrap() {
                        assert_eq!(answer.unwrap().len(), 1);
                    }
                }
            })
        };
        let (one, two) = (hub(said), hub(reversed));
        one.await.unwrap();
        two.await.unwrap();
    }

    async fn a_lease_that_runs_out_goes_to_another_and_its_fence_counts_no_more(world: World) {
        let (first, offer) = taken(&world).await;
        let mut notices = world.app.notices();
        expire(&world).await;
        assert!(matches!(state(&world, offer.token.job).await, JobState::Leased { .. }));
        world.pass(LEASE + Duration::from_secs(1)).await;
        expire(&world).await;
        let lost = Notice::Lost { session: first.session.id, job: offer.token.job, fence: offer.token.fence };
        assert_eq!(notices.try_recv().unwrap(), lost);
        let second = world.agent(first.peer.connection).await;
        assert!(second.take(&world).await.is_empty(), "the old holder's clock may lag");
        world.pass(Duration::from_secs(6)).await;
        let again = second.take_one(&world).await;
        assert_eq!((again.token.job, again.attempt), (offer.token.job, 2));
        assert!(again.token.fence > offer.token.fence);
        for outcome in statements(&world, &first, &offer).await {
            assert_eq!(outcome.unwrap_err().kind, ErrorKind::Fenced);
        }
        assert_eq!(world.app.heartbeat(&first.session, vec![offer.token]).await.unwrap(), []);
        second.succeed(&world, &again).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
        assert_eq!(world.deployment(offer.deployment.unwrap()).await.attempt, 2);
    }

    async fn a_late_report_counts_while_nobody_else_has_the_job(world: World) {
        let (agent, offer) = taken(&world).await;
        assert_eq!(agent.ask(&world, &offer, execute(&offer)).await, Verdict::Granted);
        world.pass(LEASE * 2).await;
        expire(&world).await;
        assert_eq!(world.app.authorise(&agent.peer, offer.token, execute(&offer)).await.unwrap_err().kind, ErrorKind::Fenced);
        agent.report(&world, &offer, applied(&offer)).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
        // The same report again is fine and changes nothing, whatever it says.
        agent.report(&world, &offer, failed(&offer, FailureKind::StackFailed, "no")).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
        assert_eq!(world.app.started(&agent.peer, offer.token).await.unwrap_err().kind, ErrorKind::Fenced);
    }

    async fn heartbeats_keep_leases_and_reconnecting_agents_resume_theirs(world: World) {
        let (mut agent, offer) = taken(&world).await;
        for _ in 0..4 {
            world.pass(LEASE / 2).await;
            assert_eq!(world.app.heartbeat(&agent.session, vec![offer.token]).await.unwrap(), [offer.token]);
            expire(&world).await;
        }
        let mut notices = world.app.notices();
        let old = agent.session.clone();
        assert_eq!(agent.reconnect(&world, vec![offer.token]).await, [offer.token]);
        assert_eq!(notices.try_recv().unwrap(), Notice::Displaced { session: old.id });
        assert_eq!(reason(world.app.check_session(&old).await), "DISPLACED");
        world.app.check_session(&agent.session).await.unwrap();
        let JobState::Leased { holder, .. } = state(&world, offer.token.job).await else { panic!() };
        assert_eq!(holder, agent.session.id);
        let mut stale = offer.token;
        stale.fence += 1;
        assert_eq!(agent.reconnect(&world, vec![stale]).await, []);
        let view = world.app.list_agents(&administrator(), None, String::new(), 10).await.unwrap();
        assert_eq!((view.len(), view[0].agent.session), (1, Some(agent.session.id)));
        world.app.close_session(&agent.session).await.unwrap();
        assert!(matches!(state(&world, offer.token.job).await, JobState::Leased { .. }));
        agent.succeed(&world, &offer).await;
    }

    async fn a_job_that_is_handed_over_is_there_at_once(world: World) {
        let (agent, offer) = taken(&world).await;
        world.app.handover(&agent.peer, offer.token, "wait for the change set").await.unwrap();
        // Its answer was lost: said again, it is no second event.
        let told = world.events(offer.deployment.unwrap()).await;
        world.app.handover(&agent.peer, offer.token, "wait for the change set").await.unwrap();
        assert_eq!(world.events(offer.deployment.unwrap()).await, told);
        assert!(told.iter().any(|event| event.message.contains("at step 'wait for the change set'")));
        let other = world.agent(agent.peer.connection).await;
        let again = other.take_one(&world).await;
        assert_eq!((again.token.job, again.attempt), (offer.token.job, 2));
        assert_eq!(world.app.report(&agent.peer, offer.token, applied(&offer)).await.unwrap_err().kind, ErrorKind::Fenced);
        other.succeed(&world, &again).await;
    }

    async fn jobs_of_other_accounts_do_not_exist(world: World) {
        let (_, offer) = taken(&world).await;
        let other = world.connected(STAGING, "stg").await;
        let stranger = world.agent(other).await;
        assert!(stranger.take(&world).await.is_empty());
        for outcome in statements(&world, &stranger, &offer).await {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind, error.reason), (ErrorKind::NotFound, "JOB_NOT_FOUND"));
        }
        assert_eq!(world.app.heartbeat(&stranger.session, vec![offer.token]).await.unwrap(), []);
    }

    async fn without_its_connection_nothing_an_agent_says_has_an_effect(world: World) {
        let (agent, offer) = taken(&world).await;
        let before = world.events(offer.deployment.unwrap()).await.len();
        let mut notices = world.app.notices();
        let connection = agent.peer.connection;
        world.app.delete_connection(asked(&owner(PRODUCTION), "DeleteConnection"), connection).await.unwrap();
        world.settle().await;
        let told: Vec<Notice> = std::iter::from_fn(|| notices.try_recv().ok()).collect();
        assert!(told.iter().any(|notice| matches!(notice, Notice::Close { connection: id, .. } if *id == connection)), "{told:?}");
        assert!(told.iter().any(|notice| matches!(notice, Notice::Lost { job, .. } if *job == offer.token.job)), "{told:?}");
        for outcome in statements(&world, &agent, &offer).await {
            assert_eq!(outcome.unwrap_err().reason, "CONNECTION_CLOSED");
        }
        for outcome in [
            world.app.take(&agent.session, 1).await.map(drop),
            world.app.heartbeat(&agent.session, vec![offer.token]).await.map(drop),
            world.app.open_session(&agent.peer, "0.1.0", abilities(), vec![offer.token]).await.map(drop),
            world.app.check_session(&agent.session).await,
        ] {
            assert_eq!(reason(outcome), "CONNECTION_CLOSED");
        }
        assert_eq!(world.target(&environment("prd")).await.status, "FAILED");
        assert_eq!(world.events(offer.deployment.unwrap()).await.len(), before + 1, "only the failure was told");
    }

    async fn a_rejected_connection_cannot_be_used(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let agent = world.agent(connection).await;
        world.app.reject_connection(asked(&administrator(), "RejectConnection"), connection).await.unwrap();
        assert_eq!(reason(world.app.take(&agent.session, 1).await), "CONNECTION_CLOSED");
        assert_eq!(reason(world.app.check_session(&agent.session).await), "CONNECTION_CLOSED");
    }

    async fn a_job_that_kills_whoever_takes_it_is_given_up(world: World) {
        let (agent, offer) = taken(&world).await;
        for loss in 1..=MAX_LOSSES {
            world.pass(LEASE * 2).await;
            expire(&world).await;
            world.pass(Duration::from_secs(6)).await;
            if loss < MAX_LOSSES {
                agent.take_one(&world).await;
            }
        }
        assert!(agent.take(&world).await.is_empty());
        let row = world.target(&environment("prd")).await;
        assert_eq!(row.status, "FAILED");
        assert!(row.message.contains("given up"), "{}", row.message);
        assert!(matches!(state(&world, offer.token.job).await, JobState::Void { .. }));
        world.update_environment(environment_update("prd", hadron_management::app::environments::UpdateMode::Current)).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
    }

    async fn a_job_that_everybody_hands_on_rests_and_is_given_up_after_a_day(world: World) {
        let (agent, mut offer) = taken(&world).await;
        // An agent whose disk is full, for some minutes: that ends no deployment that is in order.
        for handed_back in 1..=MAX_ATTEMPTS + 3 {
            world.app.handover(&agent.peer, offer.token, "").await.unwrap();
            if handed_back > 2 {
                assert!(agent.take(&world).await.is_empty(), "no rest after {handed_back}");
                world.pass(Duration::from_secs(61)).await;
            }
            offer = agent.take_one(&world).await;
        }
        assert_eq!(world.target(&environment("prd")).await.status, "IN_PROGRESS");
        let nearly = params![MAX_HANDOVERS - 1];
        let done: Result<u64, StoreError> = world.app.db().write("a day passes", move |tx| Box::pin(async move {
            tx.execute("UPDATE job SET handovers = $1", &nearly).await
        })).await;
        assert_eq!(done.unwrap(), 1);
        world.app.handover(&agent.peer, offer.token, "").await.unwrap();
        world.settle().await;
        world.pass(Duration::from_secs(61)).await;
        assert!(agent.take(&world).await.is_empty());
        let row = world.target(&environment("prd")).await;
        assert_eq!(row.status, "FAILED");
        assert!(row.message.contains("handed it back"), "{}", row.message);
        assert!(world.active().await.is_empty());
    }

    async fn outcomes_of_other_work_fail_the_deployment(world: World) {
        let (agent, offer) = taken(&world).await;
        agent.report(&world, &offer, Outcome::Gone).await;
        let row = world.target(&environment("prd")).await;
        assert_eq!(row.status, "FAILED");
        assert!(row.message.contains("makes no sense"), "{}", row.message);
    }

    async fn events_are_told_once_and_in_order(world: World) {
        let (agent, offer) = taken(&world).await;
        let id = offer.deployment.unwrap();
        let say = |ids: Vec<&str>| {
            let events = ids.into_iter().map(|each| event(&offer, each, "CREATE_IN_PROGRESS")).collect();
            world.app.events(&agent.peer, offer.token, events)
        };
        say(vec!["1", "2"]).await.unwrap();
        say(vec!["1", "2", "3"]).await.unwrap();
        say(vec!["2"]).await.unwrap();
        let events = world.events(id).await;
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
        let stack: Vec<String> =
            events.iter().filter_map(|event| Some(event.event.as_ref()?.event_id.rsplit('-').next()?.to_owned())).collect();
        assert_eq!(stack, ["1", "2", "3"]);
        let page = world.app.deployment_events(&administrator(), id, 2, 2).await.unwrap();
        assert_eq!(page.iter().map(|event| event.sequence).collect::<Vec<_>>(), [3, 4]);
        agent.succeed(&world, &offer).await;
    }

    async fn an_agent_serves_other_connections_of_its_account_with_the_same_role_only(world: World) {
        world.environment_template().await;
        let own = world.connected(PRODUCTION, "prd").await;
        let same = world.connected(PRODUCTION, "stg").await;
        let mut new = crate::world::new_connection(PRODUCTION, "other");
        new.agent_role_name = Some("another-role".to_owned());
        let view = world.app.request_connection(asked(&owner(PRODUCTION), "RequestConnection"), new).await.unwrap();
        let other = view.connection.id;
        world.accept(other, PRODUCTION).await.unwrap();
        let agent = world.agent(own).await;
        // What the agent may not take is the oldest, and must not stand in the way of the rest.
        world.create_environment("other", Some(other)).await.unwrap();
        world.pass(Duration::from_secs(1)).await;
        world.create_environment("stg", Some(same)).await.unwrap();
        world.pass(Duration::from_secs(1)).await;
        world.create_environment("prd", Some(own)).await.unwrap();
        let labels = |offers: Vec<Offer>| offers.into_iter().map(|offer| offer.label).collect::<Vec<_>>();
        assert_eq!(labels(world.app.take(&agent.session, 1).await.unwrap()), ["environment stg"]);
        assert_eq!(labels(world.app.take(&agent.session, 1).await.unwrap()), ["environment prd"]);
        assert!(world.app.take(&agent.session, 1).await.unwrap().is_empty());
        let proper = world.agent(other).await;
        assert_eq!(labels(world.app.take(&proper.session, 9).await.unwrap()), ["environment other"]);
    }

    async fn sessions_that_nobody_hears_of_are_closed(world: World) {
        let (agent, _) = taken(&world).await;
        world.pass(LEASE * 2).await;
        expire(&world).await;
        world.app.check_session(&agent.session).await.unwrap();
        world.pass(LEASE * 2).await;
        expire(&world).await;
        assert_eq!(reason(world.app.check_session(&agent.session).await), "DISPLACED");
        let own = world.app.list_agents(&caller(Role::Owner, Some(STAGING)), None, String::new(), 10).await.unwrap();
        assert_eq!(own, []);
    }
}
