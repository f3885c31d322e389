//! The roots of the hub's CA over decades, by hand, and on several hubs.

use std::sync::Arc;
use std::time::Duration;

use hadron_domain::ca::{Act, Stage};
use hadron_management::app::App;
use hadron_management::identity::ca::{Ca, Roots, Serial};
use hadron_management::reconcile::rotate_ca;
use hadron_management::store::{Value, ca as store};
use hadron_proto::tls::{provider, spki_digest};
use hadron_proto::vocab::{Digest, Timestamp};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::scenarios;
use crate::world::{World, reason, settings};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn made(at: Timestamp, number: u8) -> Ca {
    Ca::generate("hub".parse().unwrap(), Serial::from_random([number; 16]), at).unwrap()
}

fn own(ca: &Ca) -> Roots {
    Ca::roots_in(&ca.to_pem()).unwrap()
}

/// Whether somebody who trusts these roots takes a server of this CA for the hub, and what it shows when asked now.
fn takes(trusted: &[CertificateDer<'static>], ca: &Ca, at: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    for root in trusted {
        roots.add(root.clone()).unwrap();
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .unwrap();
    let (leaf, _) = ca
        .server_leaf(
            &["hub.example".to_owned()],
            Serial::from_random([7; 16]),
            at,
            7 * DAY,
        )
        .unwrap();
    let name = ServerName::try_from("hub.example").unwrap();
    let now = UnixTime::since_unix_epoch(at.since(Timestamp::EPOCH));
    verifier
        .verify_server_cert(&leaf.der, &ca.shown(), &name, &[], now)
        .is_ok()
}

async fn stages(app: &App) -> Vec<&'static str> {
    let rows = app.ca_roots().await.unwrap();
    rows.iter().map(|row| row.root.stage.word()).collect()
}

/// Another hub over the same database.
fn replica(world: &World) -> App {
    App::new(world.test.db.clone(), world.test.clock.clone(), settings())
}

/// The time by the database's clock: SQLite's is the test's, PostgreSQL's its own.
async fn now(world: &World) -> Timestamp {
    world.app.db().now().await.unwrap()
}

/// Whoever looks in at least every three years never loses the hub: forty years, eight roots. On SQLite only, which goes by the
/// clock of the test.
#[tokio::test]
async fn roots_follow_one_another_and_nobody_who_looks_in_is_lost() {
    let world = World::sqlite().await;
    {
        let clock = world.test.clock.clone();
        let ca = made(clock.now(), 1);
        world.app.settle_ca(own(&ca)).await.unwrap();
        // Days between two looks of each, and what they know.
        let mut known: Vec<(u32, u32, Vec<CertificateDer<'static>>)> = [25, 50, 370, 800, 1_200]
            .map(|every| (every, every, ca.roots()))
            .to_vec();
        let mut pins = std::collections::BTreeSet::from([ca.pin()]);
        let mut most = 1;
        for day in (0_u32..40 * 365).step_by(25) {
            rotate_ca(&world.app).await.unwrap();
            world.app.follow_ca(&ca).await.unwrap();
            pins.insert(ca.pin());
            most = most.max(ca.roots().len());
            let active = stages(&world.app)
                .await
                .into_iter()
                .filter(|stage| *stage == "active")
                .count();
            assert_eq!(active, 1);
            for (every, left, roots) in &mut known {
                if *left <= 25 {
                    assert!(
                        takes(roots, &ca, clock.now()),
                        "day {day}, who looks in every {every} days"
                    );
                    (*left, *roots) = (*every, ca.roots());
                } else {
                    *left -= 25;
                }
            }
            clock.advance(25 * DAY);
        }
        assert_eq!((pins.len(), most), (8, 2));
        // Keys of roots that sign no more are forgotten.
        for row in world.app.ca_roots().await.unwrap() {
            let signs = matches!(row.root.stage, Stage::Next | Stage::Active);
            assert_eq!(row.parts.key.is_empty(), !signs, "{:?}", row.root);
        }
    }
}

scenarios! {
    async fn a_hub_that_was_off_for_years_has_a_ca_again_at_once(world: World) {
        let ca = made(now(&world).await.minus(DAY * 365 * 11), 1);
        world.app.settle_ca(own(&ca)).await.unwrap();
        // Roots of one moment are in the order of their pins, which is any.
        world.pass(Duration::from_millis(1)).await;
        rotate_ca(&world.app).await.unwrap();
        assert!(world.app.follow_ca(&ca).await.unwrap());
        assert_eq!(stages(&world.app).await, ["retired", "active"]);
        assert!(takes(&ca.roots(), &ca, now(&world).await));
    }

    /// Prepared, activated, retired in one minute, as after a leak; and what is not to be done by accident.
    async fn by_hand_each_step_has_its_time(world: World) {
        let ca = made(now(&world).await, 1);
        let old = ca.roots();
        world.app.settle_ca(own(&ca)).await.unwrap();
        assert_eq!(reason(world.app.rotate_ca(Act::Activate, false).await), "CA_STATE");
        let next = world.app.rotate_ca(Act::Prepare, false).await.unwrap();
        assert_eq!(reason(world.app.rotate_ca(Act::Prepare, true).await), "CA_STATE");
        world.app.follow_ca(&ca).await.unwrap();
        assert_eq!((ca.roots().len(), ca.pin() == next), (2, false));
        // Whoever was set up with the next root already finds the hub as well.
        let both = ca.roots();
        assert!(takes(&both[1..], &ca, now(&world).await) && takes(&old, &ca, now(&world).await));

        assert_eq!(world.app.rotate_ca(Act::Activate, false).await.unwrap(), next);
        world.app.follow_ca(&ca).await.unwrap();
        assert_eq!((ca.pin(), ca.roots().len()), (next, 2));
        assert!(takes(&both[1..], &ca, now(&world).await) && takes(&old, &ca, now(&world).await));

        let refused = world.app.rotate_ca(Act::Retire, false).await.unwrap_err();
        assert!(refused.help.unwrap().contains("retire --now"));
        let gone = world.app.rotate_ca(Act::Retire, true).await.unwrap();
        assert_eq!(gone, spki_digest(&old[0]).unwrap());
        world.app.follow_ca(&ca).await.unwrap();
        assert_eq!(ca.roots().len(), 1);
        assert!(takes(&both[1..], &ca, now(&world).await) && !takes(&old, &ca, now(&world).await));
        // A hub that comes back with the file of before does not bring it back.
        let stale = made(now(&world).await, 1);
        let roots = Roots { active: old[0].clone(), ..own(&stale) };
        let settled = world.app.settle_ca(roots).await.unwrap();
        assert_eq!(spki_digest(&settled.active).unwrap(), next);
        assert!(settled.other.is_none());
    }

    async fn hubs_of_one_database_rotate_once_and_follow(world: World) {
        let ca = made(now(&world).await.minus(DAY * (365 * 5 + 10)), 1);
        let other_ca = Ca::from_pem(&ca.to_pem()).unwrap();
        let other = replica(&world);
        world.app.settle_ca(own(&ca)).await.unwrap();
        other.settle_ca(own(&other_ca)).await.unwrap();
        let (one, two) = tokio::join!(world.app.rotate_ca_if_due(), other.rotate_ca_if_due());
        // Whoever comes second finds it done, or is told that somebody else was first.
        let did = [one, two].into_iter().filter(|done| matches!(done, Ok(Some((Act::Prepare, _))))).count();
        assert_eq!(did, 1);
        world.app.follow_ca(&ca).await.unwrap();
        other.follow_ca(&other_ca).await.unwrap();
        assert_eq!((ca.roots(), ca.shown()), (other_ca.roots(), other_ca.shown()));
        other.rotate_ca(Act::Activate, false).await.unwrap();
        assert!(world.app.follow_ca(&ca).await.unwrap() && other.follow_ca(&other_ca).await.unwrap());
        assert_eq!(ca.pin(), other_ca.pin());
        // What one signs, whoever trusts the other takes.
        assert!(takes(&other_ca.roots(), &ca, now(&world).await));
    }

    /// A database that was restored to a time before a root was made gets it back from the data directory.
    async fn a_restored_database_learns_of_the_root_that_signs(world: World) {
        let ca = made(now(&world).await, 1);
        world.app.settle_ca(own(&ca)).await.unwrap();
        let before = ca.roots();
        let next = made(now(&world).await, 2);
        let settled = world.app.settle_ca(own(&next)).await.unwrap();
        assert_eq!(spki_digest(&settled.active).unwrap(), next.pin());
        assert_eq!(settled.other.as_ref(), Some(&before[0]));
        assert_eq!(stages(&world.app).await.len(), 2);
    }

    /// Whoever can write the database, and not seal, makes no root, changes none, and brings none back.
    async fn nothing_counts_that_the_hub_has_not_sealed(world: World) {
        let ca = made(now(&world).await, 1);
        world.app.settle_ca(own(&ca)).await.unwrap();
        world.app.rotate_ca(Act::Prepare, false).await.unwrap();
        world.app.rotate_ca(Act::Activate, false).await.unwrap();
        world.app.rotate_ca(Act::Retire, true).await.unwrap();
        world.app.follow_ca(&ca).await.unwrap();
        let good = ca.roots();
        let execute = async |sql: &'static str, values: Vec<Value>| {
            let done = world.test.db.write("tamper", move |tx| {
                let values = values.clone();
                Box::pin(async move { tx.execute(sql, &values).await })
            });
            done.await.unwrap()
        };
        let retired = Digest::of(b"x");
        for (sql, values) in [
            // A root that was retired is to be trusted again.
            ("UPDATE ca_root SET stage = 'old' WHERE stage = 'retired' AND $1 <> ''", vec![Value::from("x")]),
            // One of somebody else's own making.
            (
                "INSERT INTO ca_root (pin, stage, record, created_at) VALUES ($1, 'old', '{}', 1)",
                vec![Value::from(retired.to_string())],
            ),
        ] {
            let before = world.test.db.read("all", |tx| Box::pin(async move { store::all(tx).await.map(|rows| rows.len()) })).await.unwrap();
            assert!(execute(sql, values).await > 0);
            assert!(world.app.follow_ca(&ca).await.is_err(), "{sql}");
            assert!(rotate_ca(&world.app).await.is_err());
            assert_eq!(ca.roots(), good);
            execute("UPDATE ca_root SET stage = 'retired' WHERE stage = 'old' AND record <> $1", vec![Value::from("{}")]).await;
            execute("DELETE FROM ca_root WHERE record = $1", vec![Value::from("{}")]).await;
            let after = world.test.db.read("all", |tx| Box::pin(async move { store::all(tx).await.map(|rows| rows.len()) })).await.unwrap();
            assert_eq!(before, after);
        }
        // Nor is what is plain ever sealed by the hub.
        execute("UPDATE ca_root SET record = '{}' WHERE stage = 'retired' AND $1 <> ''", vec![Value::from("x")]).await;
        world.app.seal_plain().await.unwrap();
        assert!(world.app.follow_ca(&ca).await.is_err());
    }
}
