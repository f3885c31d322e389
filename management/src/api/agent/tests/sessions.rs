use std::time::{Duration, Instant};

use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::agent_service_client::AgentServiceClient;
use hadron_proto::wire::hub_message::Message as Heard;
use hadron_proto::wire::{self};
use tonic::Code;

use crate::testing::{OTHER, Talk, World, fenced, hello, token};

fn report(token: Option<wire::JobToken>) -> wire::ReportRequest {
    let outcome = wire::report_request::Outcome::PullPolicy(wire::PullPolicySet {
        changed: true,
        warnings: vec![],
    });
    wire::ReportRequest {
        token,
        outcome: Some(outcome),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_offered_than_was_asked_for() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    for _ in 0..3 {
        world.seed("333333333333", connection).await;
    }
    let mut talk = world.session(&agent).await;
    assert!(talk.is_quiet(Duration::from_millis(300)).await);
    talk.demand(2).await;
    let (one, two) = (talk.offer().await, talk.offer().await);
    assert_ne!(one.token, two.token);
    assert!(talk.is_quiet(Duration::from_secs(3)).await);
    talk.demand(1).await;
    talk.offer().await;
    // Asked for before there is anything: woken by the commit, long before the next look.
    talk.demand(1).await;
    assert!(talk.is_quiet(Duration::from_millis(100)).await);
    let seeded = Instant::now();
    world.seed("333333333333", connection).await;
    talk.offer().await;
    assert!(
        seeded.elapsed() < Duration::from_millis(900),
        "{:?}",
        seeded.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_offered_started_and_reported_and_twice_is_once() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let job = world.seed("333333333333", connection).await;
    let mut talk = world.session(&agent).await;
    assert_eq!(talk.welcome.protocol, 1);
    assert_eq!(talk.welcome.lease.unwrap().seconds, 30);
    talk.demand(4).await;
    let offer = talk.offer().await;
    assert_eq!(offer.token.as_ref().unwrap().job_id, job.to_string());
    assert_eq!(
        (offer.attempt, offer.account_id.as_str(), offer.label.as_str()),
        (1, "333333333333", "pull policy of web")
    );
    talk.say(Said::Started(wire::Started { token: token(&offer) }))
        .await;
    // The stream and the calls are not ordered among each other; an answer on the stream is.
    let held = token(&offer).into_iter().collect();
    talk.say(Said::Heartbeat(wire::Heartbeat {
        sequence: 1,
        held,
        ..Default::default()
    }))
    .await;
    assert!(matches!(talk.hear().await, Heard::HeartbeatReply(reply) if reply.renewed.len() == 1));
    talk.client.report(report(token(&offer))).await.unwrap();
    talk.client.report(report(token(&offer))).await.unwrap();
    // After the end there is nothing to renew.
    talk.say(Said::Heartbeat(wire::Heartbeat {
        sequence: 7,
        held: token(&offer).into_iter().collect(),
        ..Default::default()
    }))
    .await;
    assert!(
        matches!(talk.hear().await, Heard::HeartbeatReply(reply) if reply.sequence == 7 && reply.renewed.is_empty())
    );
    assert!(matches!(talk.hear().await, Heard::Lost(lost) if lost.tokens == [token(&offer).unwrap()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_renew_and_name_what_was_lost() {
    let world = World::with(&[("jobs.lease_seconds", "3"), ("jobs.heartbeat_seconds", "1")]).await;
    let (connection, agent) = world.agent().await;
    world.seed("333333333333", connection).await;
    let mut talk = world.session(&agent).await;
    talk.demand(1).await;
    let offer = talk.offer().await;
    let mine = token(&offer).unwrap();
    let foreign = wire::JobToken {
        fence: mine.fence + 1_000,
        ..mine.clone()
    };
    for sequence in 0..5 {
        let held = vec![mine.clone(), foreign.clone()];
        talk.say(Said::Heartbeat(wire::Heartbeat {
            sequence,
            held,
            ..Default::default()
        }))
        .await;
        let Heard::HeartbeatReply(reply) = talk.hear().await else {
            panic!("no reply")
        };
        assert_eq!((reply.sequence, reply.renewed), (sequence, vec![mine.clone()]));
        assert!(matches!(talk.hear().await, Heard::Lost(lost) if lost.tokens == [foreign.clone()]));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // Five seconds on a lease of three: it was renewed. Silence ends it, and the session.
    let silent = Instant::now();
    assert_eq!(talk.end().await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(
        silent.elapsed() > Duration::from_millis(1_500),
        "{:?}",
        silent.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_fence_is_aborted() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let job = world.seed("333333333333", connection).await;
    let mut talk = world.session(&agent).await;
    talk.demand(2).await;
    let old = talk.offer().await;
    let back = world
        .app()
        .write("take back", move |unit| Box::pin(unit.take_back_jobs(connection)));
    back.await.unwrap();
    // In either order: the job is free for everybody, for this session too.
    let (mut lost, mut new) = (None, None);
    while lost.is_none() || new.is_none() {
        match talk.hear().await {
            Heard::Lost(heard) => lost = Some(heard.tokens),
            Heard::Offer(heard) => new = Some(heard),
            other => panic!("neither Lost nor Offer: {other:?}"),
        }
    }
    assert_eq!(lost.unwrap(), [token(&old).unwrap()]);
    let new = new.unwrap();
    assert!(token(&new).unwrap().fence > token(&old).unwrap().fence);
    assert_eq!(new.attempt, 2);

    let status = talk.client.report(report(token(&old))).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert!(status.message().contains("stale fence"), "{}", status.message());
    let events = wire::PostEventsRequest {
        token: token(&old),
        events: vec![],
    };
    assert_eq!(
        talk.client.post_events(events).await.unwrap_err().code(),
        Code::Aborted
    );
    let fetch = wire::FetchContentRequest {
        token: token(&old),
        kind: 1,
    };
    assert_eq!(
        talk.client.fetch_content(fetch).await.unwrap_err().code(),
        Code::Aborted
    );
    let future = fenced(job, token(&new).unwrap().fence + 1);
    assert_eq!(
        talk.client.report(report(future)).await.unwrap_err().code(),
        Code::Aborted
    );
    // On the stream the same is told without ending it.
    talk.say(Said::Started(wire::Started { token: token(&old) }))
        .await;
    assert!(matches!(talk.hear().await, Heard::Lost(lost) if lost.tokens == [token(&old).unwrap()]));
    talk.client.report(report(token(&new))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_handed_back_is_offered_again() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    world.seed("333333333333", connection).await;
    let mut talk = world.session(&agent).await;
    talk.demand(2).await;
    let one = talk.offer().await;
    talk.say(Said::Handover(wire::Handover {
        token: token(&one),
        step: "draining".to_owned(),
    }))
    .await;
    assert_eq!(talk.offer().await.attempt, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_connection_ends_the_stream_and_nothing_said_after_counts() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    world.seed("333333333333", connection).await;
    let mut talk = world.session(&agent).await;
    talk.demand(1).await;
    let offer = talk.offer().await;

    let rejected = Instant::now();
    world.reject(connection).await;
    let status = talk.end().await.unwrap_err();
    assert!(
        rejected.elapsed() < Duration::from_secs(2),
        "{:?}",
        rejected.elapsed()
    );
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("rejected"), "{}", status.message());

    // The TLS connection is still open; what is said over it is refused.
    let status = talk.client.report(report(token(&offer))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let mut again = Talk::begin(talk.client.clone()).await.unwrap();
    again.say(Said::Hello(hello())).await;
    assert_eq!(again.end().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_replica_decided_ends_the_stream_as_well() {
    use hadron_domain::connection::ConnectionInput;
    use hadron_domain::step::Machine as _;

    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    let decided = Instant::now();
    // Straight into the database: this process gets no notice of it.
    let write = world.app().write("another replica", move |unit| {
        Box::pin(async move {
            let by = unit.signed(&crate::testing::caller(
                hadron_domain::authority::Role::Administrator,
                None,
            ));
            let mut row = crate::store::connections::get(unit.tx, connection)
                .await?
                .unwrap();
            row.connection = row
                .connection
                .step(ConnectionInput::Reject { by, in_use: false })
                .unwrap()
                .next;
            Ok(crate::store::connections::put(unit.tx, &row).await?)
        })
    });
    write.await.unwrap();
    assert_eq!(talk.end().await.unwrap_err().code(), Code::PermissionDenied);
    assert!(
        decided.elapsed() < Duration::from_secs(2),
        "{:?}",
        decided.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_session_displaces_the_older_and_takes_its_jobs_over() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    world.seed("333333333333", connection).await;
    let mut first = world.session(&agent).await;
    first.demand(1).await;
    let offer = first.offer().await;

    let mut second = Talk::begin(world.client(&agent).await).await.unwrap();
    let unknown = wire::JobToken {
        fence: 99_999,
        ..token(&offer).unwrap()
    };
    second
        .say(Said::Hello(wire::Hello {
            held: vec![token(&offer).unwrap(), unknown],
            ..hello()
        }))
        .await;
    let Heard::Welcome(welcome) = second.hear().await else {
        panic!("no Welcome")
    };
    assert_eq!(welcome.resumed, [token(&offer).unwrap()]);
    assert_eq!(first.end().await.unwrap_err().code(), Code::Aborted);
    second.client.report(report(token(&offer))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_account_does_not_exist() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let job = world.seed("333333333333", connection).await;
    let mut talk = world.session(&agent).await;
    talk.demand(1).await;
    let offer = talk.offer().await;

    let other = world.connected(OTHER, "other").await;
    let thief = world
        .enrol(Some(other), &world.credentials_of(OTHER), None)
        .await
        .unwrap();
    let mut thief = world.session(&thief).await;
    thief.demand(5).await;
    let status = thief.client.report(report(token(&offer))).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(!status.message().contains(&job.to_string()));
    let events = wire::PostEventsRequest {
        token: token(&offer),
        events: vec![],
    };
    assert_eq!(
        thief.client.post_events(events).await.unwrap_err().code(),
        Code::NotFound
    );
    let held = token(&offer).into_iter().collect();
    thief
        .say(Said::Heartbeat(wire::Heartbeat {
            sequence: 1,
            held,
            ..Default::default()
        }))
        .await;
    assert!(matches!(thief.hear().await, Heard::HeartbeatReply(reply) if reply.renewed.is_empty()));
    assert!(matches!(thief.hear().await, Heard::Lost(_)));
    assert!(thief.is_quiet(Duration::from_millis(200)).await);
    talk.client.report(report(token(&offer))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_a_fitting_hello() {
    let world = World::new().await;
    let (_, agent) = world.agent().await;
    let refused = async |first: Said| {
        let mut talk = Talk::begin(world.client(&agent).await).await.unwrap();
        talk.say(first).await;
        talk.end().await.unwrap_err()
    };
    assert_eq!(
        refused(Said::Demand(wire::Demand { jobs: 1 })).await.code(),
        Code::InvalidArgument
    );
    let later = refused(Said::Hello(wire::Hello {
        protocol_min: 2,
        protocol_max: 3,
        ..hello()
    }))
    .await;
    assert_eq!(later.code(), Code::FailedPrecondition);
    assert!(later.message().contains("protocol 1"), "{}", later.message());
    let unable = refused(Said::Hello(wire::Hello {
        capabilities: vec![],
        ..hello()
    }))
    .await;
    assert!(unable.message().contains("apply_stack"), "{}", unable.message());
    let held = vec![wire::JobToken {
        job_id: "x".to_owned(),
        fence: 1,
    }];
    assert_eq!(
        refused(Said::Hello(wire::Hello { held, ..hello() })).await.code(),
        Code::InvalidArgument
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_there_is_no_connection() {
    let world = World::new().await;
    let (_, channel) = world.channel(&world.hub().ready().jobs, None).await;
    // TLS 1.3: the client learns of the refusal with its first message.
    let status = AgentServiceClient::new(channel)
        .report(wire::ReportRequest::default())
        .await
        .unwrap_err();
    assert_ne!(status.code(), Code::Ok);
    assert_ne!(status.code(), Code::Unauthenticated, "the handshake went through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_hub_sends_agents_away_and_remembers_that_they_are_gone() {
    let mut world = World::new().await;
    let (_, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    let ready = world.dir.path().join("data/ready.json");
    assert!(ready.exists());
    let heard = tokio::spawn(async move {
        let heard = talk.hear().await;
        (heard, talk.end().await)
    });
    let stopping = Instant::now();
    world.restart(&[]).await;
    assert!(
        stopping.elapsed() < Duration::from_secs(8),
        "{:?}",
        stopping.elapsed()
    );
    let (heard, end) = heard.await.unwrap();
    assert!(
        matches!(heard, Heard::GoAway(away) if away.reconnect_within.unwrap().seconds == 5),
        "no GoAway"
    );
    assert!(end.is_ok(), "{end:?}");
    let caller = crate::testing::caller(hadron_domain::authority::Role::Administrator, None);
    let agents = world
        .app()
        .list_agents(&caller, None, String::new(), 10)
        .await
        .unwrap();
    assert!(agents.iter().all(|view| view.agent.session.is_none()));
    // The certificate is still good at the hub's next process.
    world.session(&agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_certificate() {
    let world = World::with(&[
        ("agents.certificate_seconds", "10"),
        ("jobs.heartbeat_seconds", "10"),
    ])
    .await;
    let (_, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    let client = talk.client.clone();
    let heard = talk.hear_within(Duration::from_secs(15)).await;
    assert!(matches!(heard, Heard::GoAway(away) if away.reason.contains("certificate")));
    assert!(talk.end().await.is_ok());
    let status = client
        .clone()
        .report(wire::ReportRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
