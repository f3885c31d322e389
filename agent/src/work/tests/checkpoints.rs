//! Checkpoints of the audit log, put into buckets with Object Lock.

use super::*;
use crate::fake::{Call, Effect};

fn put(bucket: &str) -> Work {
    Work::PutCheckpoints(PutCheckpoints {
        bucket: bucket.to_owned(),
        owner: "999988887777".parse().unwrap(),
        key: "hadron/hub-1/0/00000000000000000042.jsonl".to_owned(),
        lines: "{\"sequence\":42}\n".to_owned(),
        retain_until: hadron_proto::vocab::Timestamp::from_micros(1_900_000_000_000_000),
        mode: LockMode::Compliance,
    })
}

fn world() -> World {
    let world = World::new();
    world.aws.locking_bucket("audit", "999988887777".parse().unwrap());
    world
}

#[tokio::test(start_paused = true)]
async fn checkpoints_are_put_once_however_often_it_is_tried() {
    let world = world();
    // It arrives, and the answer is lost.
    let line = Line::default();
    line.fault(Some(Call::PutLocked), 0, 1, Effect::LoseReply);
    let first = world.run_over(&line, &world.lease(1, 1, put("audit"))).await;
    assert_eq!(line.count(Call::PutLocked), 2);
    assert_eq!(first, Outcome::CheckpointsPut { were_there: true });
    let again = world.run(&world.lease(1, 2, put("audit"))).await;
    assert_eq!(again, Outcome::CheckpointsPut { were_there: true });
    let Work::PutCheckpoints(wanted) = put("audit") else {
        unreachable!()
    };
    assert_eq!(world.aws.locked(), [wanted]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_does_not_keep_them_is_told_in_words() {
    let world = world();
    world.aws.bundle("bundles", "vpc/v1.tar.gz", b"whatever");
    world
        .aws
        .locking_bucket("others", "111122223333".parse().unwrap());
    let told = async |n: u64, bucket: &str| failure(world.run(&world.lease(n, 1, put(bucket))).await);
    let missing = told(1, "nowhere").await;
    assert!(
        missing.message.contains("there is no bucket 'nowhere'"),
        "{missing:?}"
    );
    let open = told(2, "bundles").await;
    assert!(open.message.contains("has no Object Lock"), "{open:?}");
    let others = told(3, "others").await;
    assert_eq!(others.kind, FailureKind::AccessDenied);
    assert!(
        others.message.contains("not of account 999988887777")
            && others.message.contains("--audit-bucket others"),
        "{others:?}"
    );
    assert_eq!(world.aws.locked(), []);
}
