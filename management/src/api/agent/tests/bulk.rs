//! Many sessions of one process: what they share, and that none pays for another.

use std::time::{Duration, Instant};

use hadron_domain::job::{Job, JobState};
use hadron_proto::vocab::{ConnectionId, JobId, Timestamp};
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::agent_service_client::AgentServiceClient;
use hadron_proto::wire::hub_message::Message as Heard;
use hadron_proto::wire::{self};
use tonic::Code;

use crate::app::Unit;
use crate::store::jobs::{self, JobRow, JobWork};
use crate::store::params;
use crate::testing::{OTHER, Talk, World, hello, region, token};

fn beat(sequence: u64, held: &[&wire::Offer]) -> Said {
    let held = held.iter().filter_map(|offer| token(offer)).collect();
    Said::Heartbeat(wire::Heartbeat {
        sequence,
        held,
        ..Default::default()
    })
}

/// A job that nobody may take before this time.
async fn waits_until(world: &World, connection: ConnectionId, not_before: Timestamp) -> JobId {
    seed(world, connection, "pull policy of web", Some(not_before)).await
}

async fn seed(world: &World, connection: ConnectionId, label: &str, not_before: Option<Timestamp>) -> JobId {
    let label = label.to_owned();
    let add = world.app().write("seed", move |unit: &mut Unit<'_>| {
        Box::pin(async move {
            let mut job = Job::new(unit.fresh_id(), unit.now);
            if let Some(not_before) = not_before {
                job.state = JobState::Ready { not_before };
            }
            let row = JobRow {
                job,
                account: "333333333333".parse().unwrap(),
                region: region(),
                connection,
                deployment: None,
                label,
                work: JobWork::SetPullPolicy {
                    repository: "web".parse().unwrap(),
                    readers: [].into(),
                },
                created_at: unit.now,
            };
            jobs::insert(unit.tx, &row).await?;
            Ok(row.job.id)
        })
    });
    add.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_agents_are_answered_without_asking_the_database() {
    let world = World::new().await;
    let (_, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    talk.demand(4).await;
    // Wait for the first pulse: until then the hub does not speak for its database.
    talk.say(beat(1, &[])).await;
    assert!(matches!(talk.hear().await, Heard::HeartbeatReply(reply) if reply.sequence == 1));
    tokio::time::timeout(Duration::from_secs(10), async {
        let mut sequence = 2;
        loop {
            let before = world.app().db().stats();
            for _ in 0..20 {
                talk.say(beat(sequence, &[])).await;
                assert!(
                    matches!(talk.hear().await, Heard::HeartbeatReply(reply) if reply.sequence == sequence)
                );
                sequence += 1;
            }
            // Once in a while it is written down that the agent was heard, which may have been just now.
            if world.app().db().stats() == before {
                return;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn that_an_idle_agent_was_heard_is_written_down_in_time() {
    // A session is closed for its silence after three leases.
    let world = World::with(&[("jobs.lease_seconds", "1"), ("jobs.heartbeat_seconds", "1")]).await;
    let (_, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    let began = Instant::now();
    for sequence in 0.. {
        talk.say(beat(sequence, &[])).await;
        assert!(matches!(talk.hear().await, Heard::HeartbeatReply(_)));
        if began.elapsed() > Duration::from_secs(6) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let caller = crate::testing::caller(hadron_domain::authority::Role::Administrator, None);
    let listed = world
        .app()
        .list_agents(&caller, None, String::new(), 10)
        .await
        .unwrap();
    assert!(
        listed.iter().any(|view| view.agent.session.is_some()),
        "{listed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_becomes_ready_by_time_is_offered_then() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    talk.demand(4).await;
    let now = world.app().db().now().await.unwrap();
    let job = waits_until(&world, connection, now.plus(Duration::from_secs(2))).await;
    let seeded = Instant::now();
    let offer = talk.offer().await;
    assert_eq!(offer.token.unwrap().job_id, job.to_string());
    assert!(
        (Duration::from_millis(1_900)..Duration::from_millis(3_000)).contains(&seeded.elapsed()),
        "{:?}",
        seeded.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_wake_up_was_lost_is_found_by_the_pulse() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    talk.demand(4).await;
    let far: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let job = waits_until(&world, connection, far).await;
    assert!(talk.is_quiet(Duration::from_millis(200)).await);
    // As a hub does that dies between its commit and its word of it.
    let ready = world
        .app()
        .write("ready without a word", move |unit: &mut Unit<'_>| {
            Box::pin(async move {
                unit.tx
                    .execute("UPDATE job SET at = $2 WHERE id = $1", &params![job, unit.now])
                    .await?;
                Ok(())
            })
        });
    ready.await.unwrap();
    let (changed, _) = (Instant::now(), talk.offer().await);
    assert!(
        changed.elapsed() < Duration::from_secs(3),
        "{:?}",
        changed.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_hurts_nobody_else() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let other = world.connected(OTHER, "other").await;
    let second = world
        .enrol(Some(other), &world.credentials_of(OTHER), None)
        .await
        .unwrap();
    let (broken, sound) = (
        world.seed("333333333333", connection).await,
        world.seed(OTHER, other).await,
    );
    let (mut one, mut two) = (world.session(&agent).await, world.session(&second).await);
    one.demand(1).await;
    two.demand(1).await;
    let (first, offer) = (one.offer().await, two.offer().await);
    assert_eq!(first.token.as_ref().unwrap().job_id, broken.to_string());
    assert_eq!(offer.token.as_ref().unwrap().job_id, sound.to_string());
    let spoil = world.app().write("spoil", move |unit: &mut Unit<'_>| {
        Box::pin(async move {
            unit.tx
                .execute(
                    "UPDATE job SET payload = 'nothing' WHERE id = $1",
                    &params![broken],
                )
                .await?;
            Ok(())
        })
    });
    spoil.await.unwrap();
    // Again and again at the same time, so that some share a transaction.
    for sequence in 0..20 {
        one.say(beat(sequence, &[&first])).await;
        two.say(beat(sequence, &[&offer])).await;
        let Heard::HeartbeatReply(reply) = two.hear().await else {
            panic!("no reply")
        };
        assert_eq!((reply.sequence, reply.renewed.len()), (sequence, 1));
        if sequence == 0 {
            // A row of the hub's own that makes no sense is the hub's fault, and ends this session only.
            assert_eq!(one.end().await.unwrap_err().code(), Code::Internal);
        }
    }
}

/// As [`World::session`], over a connector that is used again.
async fn again(world: &World, connector: &hadron_proto::tls::HubConnector) -> Result<Talk, tonic::Status> {
    let connected = connector.connect(&world.hub().ready().jobs).await;
    let channel = connected.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
    let mut talk = Talk::begin(AgentServiceClient::new(channel)).await?;
    talk.say(Said::Hello(hello())).await;
    match talk.hear_or_end().await? {
        Some(Heard::Welcome(_)) => Ok(talk),
        other => panic!("not a Welcome: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_tls_session_brings_no_trust_back() {
    let mut world = World::new().await;
    let (connection, agent) = world.agent().await;
    let (connector, _) = world
        .channel(&world.hub().ready().jobs, Some(agent.identity()))
        .await;
    let first = again(&world, &connector).await.unwrap();
    let before = connector.resumed();
    drop(again(&world, &connector).await.unwrap());
    assert_eq!(connector.resumed(), before + 1);
    drop(first);
    // A restarted hub takes the tickets of the one before.
    world.restart(&[]).await;
    drop(again(&world, &connector).await.unwrap());
    assert_eq!(connector.resumed(), before + 2);

    world.reject(connection).await;
    let refused = again(&world, &connector).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert_eq!(
        connector.resumed(),
        before + 3,
        "it was refused for its connection, not for its TLS session"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_tls_session_ends_with_its_certificate() {
    let world = World::with(&[("agents.certificate_seconds", "10")]).await;
    let (_, agent) = world.agent().await;
    let (connector, _) = world
        .channel(&world.hub().ready().jobs, Some(agent.identity()))
        .await;
    let mut talk = again(&world, &connector).await.unwrap();
    let heard = talk.hear_within(Duration::from_secs(15)).await;
    assert!(matches!(heard, Heard::GoAway(away) if away.reason.contains("certificate")));
    assert!(talk.end().await.is_ok());
    let before = connector.resumed();
    let refused = again(&world, &connector).await.err().unwrap();
    assert_ne!(refused.code(), Code::Ok);
    // The handshake itself went through on the client's side: it was the ended certificate that was refused.
    // More than once where the connection is gone before anything was asked on it: then the channel dials again.
    assert!(connector.resumed() > before, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_reads_nothing_gets_no_more_than_a_queue_full() {
    const JOBS: u32 = 900;
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    // So large that HTTP/2 stops the hub before the agent's side has them all: two megabytes on its side of the wire.
    let label = "x".repeat(16 * 1024);
    for _ in 0..JOBS {
        seed(&world, connection, &label, None).await;
    }
    let mut talk = world.session(&agent).await;
    talk.demand(JOBS).await;
    let leased = async || {
        let counted = world.app().read("leased", |tx| {
            Box::pin(async move {
                let sql = "SELECT COUNT(*) AS n FROM job WHERE status = 'LEASED'";
                Ok(tx.query_one(sql, &[]).await?.get::<u32>("n")?)
            })
        });
        counted.await.unwrap()
    };
    // Until nothing more is leased, though it is tried again every second or two.
    let (mut last, mut since) = (0, Instant::now());
    while last == 0 || since.elapsed() < Duration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = leased().await;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    assert!(
        last < 600,
        "{last} jobs are leased to an agent that reads nothing"
    );
    // It reads on, and gets the rest.
    for _ in 0..JOBS {
        talk.offer().await;
    }
    assert_eq!(leased().await, JOBS);
}
