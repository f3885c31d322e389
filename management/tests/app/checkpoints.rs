//! Copies of checkpoints of the audit log, put away by the agent of the management account.

use std::time::Duration;

use hadron_domain::audit::Signed;
use hadron_management::app::audit::Due;
use hadron_management::app::checkpoints::LockedBucket;
use hadron_management::app::effects::{FailureKind, Outcome};
use hadron_management::app::work::{Offer, OfferedWork};
use hadron_management::app::{App, Settings};
use hadron_management::identity::audit_key::AuditKey;
use hadron_management::store::StoreError;
use hadron_management::store::jobs::{LockMode, LockedLines};

use crate::agent::failed;
use crate::scenarios;
use crate::world::{MANAGEMENT, PRODUCTION, STAGING, World, settings};

const KEEP: Duration = Duration::from_secs(400 * 24 * 3_600);

/// The same database, with a bucket.
fn with_bucket(world: &World) -> App {
    let settings = Settings {
        audit_copy: Some(LockedBucket {
            bucket: "audit".parse().unwrap(),
            owner: STAGING.parse().unwrap(),
            prefix: "hadron/".to_owned(),
            keep: KEEP,
            mode: LockMode::Governance,
        }),
        ..settings()
    };
    App::new(world.test.db.clone(), world.test.clock.clone(), settings)
}

/// Something happens, and the end of the log is signed.
async fn signed(world: &World, app: &App, key: &AuditKey, environment: &str) -> Signed {
    world.request(PRODUCTION, environment).await.unwrap();
    let now = Due {
        every: Duration::ZERO,
        rows: 1,
    };
    app.checkpoint(key, now).await.unwrap().unwrap()
}

fn lines(offer: &Offer) -> (LockedLines, Vec<Signed>) {
    let OfferedWork::PutCheckpoints(object) = &offer.work else {
        panic!("no checkpoints: {:?}", offer.work)
    };
    let signed = object
        .lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (object.clone(), signed.collect())
}

/// The pause after a failure is over.
async fn later(world: &World) {
    let done: Result<(), StoreError> = world
        .test
        .db
        .write("time passes", |tx| {
            Box::pin(async move {
                tx.execute("UPDATE checkpoint_copy SET due_at = 0", &[])
                    .await
                    .map(drop)
            })
        })
        .await;
    done.unwrap();
}

scenarios! {
    async fn every_checkpoint_is_put_away_once_in_an_object_of_its_own(world: World) {
        let dir = tempfile::tempdir().unwrap();
        let key = AuditKey::load_or_create(dir.path()).unwrap();
        let app = with_bucket(&world);
        let hub = world.management_agent().await;
        // Nothing is signed yet.
        app.offer_checkpoints().await.unwrap();
        assert!(hub.take(&world).await.is_empty());

        let first = signed(&world, &app, &key, "one").await;
        let second = signed(&world, &app, &key, "two").await;
        app.offer_checkpoints().await.unwrap();
        let offer = hub.take_one(&world).await;
        assert_eq!((offer.account.as_str(), offer.region.as_str()), (MANAGEMENT, "us-east-1"));
        let (object, put) = lines(&offer);
        assert_eq!(put, [first, second.clone()]);
        assert!(put.iter().all(|one| key.public().has_signed(one)));
        assert_eq!((object.bucket.as_str(), object.owner.as_str(), object.mode), ("audit", STAGING, LockMode::Governance));
        assert_eq!(object.retain_until, second.checkpoint.at.plus(KEEP));
        let place = format!("{:06}/{:016}.jsonl", second.checkpoint.generation, second.checkpoint.sequence);
        assert_eq!(object.key, format!("hadron/{}/{place}", app.settings().hub_id));

        // One job at a time; what fails is offered again after a pause, with what came meanwhile.
        let third = signed(&world, &app, &key, "three").await;
        app.offer_checkpoints().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        hub.report(&world, &offer, failed(&offer, FailureKind::AccessDenied, "no leave")).await;
        app.offer_checkpoints().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        later(&world).await;
        app.offer_checkpoints().await.unwrap();
        let again = hub.take_one(&world).await;
        let (other, put) = lines(&again);
        assert_eq!(put.len(), 3);
        assert_ne!(other.key, object.key);
        hub.report(&world, &again, Outcome::CheckpointsPut { were_there: false }).await;

        // Nothing twice, and then only what is new.
        app.offer_checkpoints().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        let fourth = signed(&world, &app, &key, "four").await;
        app.offer_checkpoints().await.unwrap();
        let offer = hub.take_one(&world).await;
        assert_eq!(lines(&offer).1, std::slice::from_ref(&fourth));
        assert!(fourth.checkpoint.sequence > third.checkpoint.sequence);
        // Of an attempt whose end nobody heard of.
        hub.report(&world, &offer, Outcome::CheckpointsPut { were_there: true }).await;
        app.offer_checkpoints().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
    }

    async fn without_a_bucket_nothing_is_put_anywhere(world: World) {
        let dir = tempfile::tempdir().unwrap();
        let key = AuditKey::load_or_create(dir.path()).unwrap();
        let hub = world.management_agent().await;
        signed(&world, &world.app, &key, "one").await;
        world.app.offer_checkpoints().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
    }
}
