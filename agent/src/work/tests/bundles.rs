//! Template bundles, read from buckets and handed over.

use super::*;
use crate::aws::AwsError;
use crate::fake::{Call, Effect, When};

const BUNDLE: &[u8] = b"\x1f\x8b no matter what";

fn fetch(key: &str) -> Work {
    Work::FetchBundle(FetchBundle {
        bucket: "bundles".to_owned(),
        key: key.to_owned(),
        max_bytes: 64,
    })
}

fn fetched(content: &[u8]) -> Outcome {
    Outcome::BundleFetched {
        digest: Digest::of(content),
        bytes: content.len() as u64,
    }
}

fn world() -> World {
    let world = World::new();
    world.aws.bundle("bundles", "vpc/v1.tar.gz", BUNDLE);
    world
}

#[tokio::test(start_paused = true)]
async fn a_bundle_is_handed_over_as_it_is_and_leaves_no_trace() {
    let world = world();
    let job = world.lease(1, 1, fetch("vpc/v1.tar.gz"));
    assert_eq!(world.run(&job).await, fetched(BUNDLE));
    assert_eq!(world.hub.content_of(job.token.job).as_deref(), Some(BUNDLE));
    assert_eq!(world.log.steps(), []);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_told_in_words() {
    let world = world();
    world.aws.bundle("bundles", "huge", &[0; 65]);
    let mut elsewhere = fetch("k");
    if let Work::FetchBundle(work) = &mut elsewhere {
        work.bucket = "nowhere".to_owned();
    }
    let told = async |n: u64, work: Work| failure(world.run(&world.lease(n, 1, work)).await);
    let failures = [
        told(1, fetch("vpc/v2.tar.gz")).await,
        told(2, elsewhere).await,
        told(3, fetch("huge")).await,
    ];
    let kinds = failures.clone().map(|failure| failure.kind);
    assert_eq!(
        kinds,
        [
            FailureKind::ObjectMissing,
            FailureKind::ObjectMissing,
            FailureKind::ObjectTooLarge
        ]
    );
    let messages = failures.map(|failure| failure.message);
    assert!(
        messages[0].contains("there is no object 'vpc/v2.tar.gz' in bucket 'bundles'"),
        "{messages:?}"
    );
    assert!(
        messages[1].contains("there is no bucket 'nowhere'"),
        "{messages:?}"
    );
    assert!(
        messages[2].contains("65 bytes; at most 64 are allowed"),
        "{messages:?}"
    );

    for (n, (code, kind, words)) in [
        (
            "AccessDenied",
            FailureKind::AccessDenied,
            "--bundle-bucket bundles",
        ),
        (
            "PermanentRedirect",
            FailureKind::ObjectMissing,
            "is not in Region eu-central-1",
        ),
        ("InvalidObjectState", FailureKind::ObjectMissing, "archived"),
        ("InvalidRequest", FailureKind::Other, "InvalidRequest: no"),
    ]
    .into_iter()
    .enumerate()
    {
        let line = Line::default();
        line.fault(
            Some(Call::GetObject),
            0,
            1,
            Effect::Error(AwsError::coded(code, "no")),
        );
        let job = world.lease(10 + n as u64, 1, fetch("vpc/v1.tar.gz"));
        let (_brake, stop) = Stop::new();
        let told = failure(world.over(&line, &job, &stop).await.unwrap().unwrap());
        assert_eq!(told.kind, kind, "{code}");
        assert!(told.message.contains(words), "{code}: {}", told.message);
    }
}

#[tokio::test(start_paused = true)]
async fn faults_that_pass_are_waited_for() {
    let world = world();
    let line = Line::default();
    for code in ["SlowDown", "InternalError", "ExpiredToken"] {
        line.fault(
            Some(Call::GetObject),
            0,
            2,
            Effect::Error(AwsError::coded(code, "later")),
        );
    }
    let job = world.lease(1, 1, fetch("vpc/v1.tar.gz"));
    let (_brake, stop) = Stop::new();
    assert_eq!(world.over(&line, &job, &stop).await.unwrap(), Ok(fetched(BUNDLE)));
}

#[tokio::test(start_paused = true)]
async fn whoever_dies_on_the_way_is_followed_by_one_who_does_it_again() {
    // Reading, and handing over.
    for call in [1, 2] {
        for when in [When::Before, When::After] {
            let world = world();
            let line = Line::default();
            line.die_at(call, when);
            let first = world.lease(1, 1, fetch("vpc/v1.tar.gz"));
            let (_brake, stop) = Stop::new();
            assert_eq!(world.over(&line, &first, &stop).await, None, "{call:?} {when:?}");
            // The object was replaced meanwhile: what counts is what the last one saw.
            world.aws.bundle("bundles", "vpc/v1.tar.gz", b"newer");
            let second = world.lease(1, 2, fetch("vpc/v1.tar.gz"));
            assert_eq!(world.run(&second).await, fetched(b"newer"));
            assert_eq!(world.hub.content_of(job_id(1)).as_deref(), Some(&b"newer"[..]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_nothing_is_handed_over() {
    let world = world();
    let job = world.lease(1, 1, fetch("vpc/v1.tar.gz"));
    assert_eq!(
        world.run_until(&job, |brake| brake.fence()).await,
        Err(Stopped::Fenced)
    );
    world.lease(1, 2, fetch("vpc/v1.tar.gz"));
    let (_brake, stop) = Stop::new();
    let stale = world.over(&Line::default(), &job, &stop).await.unwrap();
    assert_eq!(
        (stale, world.hub.content_of(job_id(1))),
        (Err(Stopped::Fenced), None)
    );
    world.hub.unreachable(true);
    let job = world.lease(1, 3, fetch("vpc/v1.tar.gz"));
    let stop = Stop::new().1;
    let unheard = world.over(&Line::default(), &job, &stop).await.unwrap();
    assert_eq!(unheard, Err(Stopped::HubUnavailable));
}
