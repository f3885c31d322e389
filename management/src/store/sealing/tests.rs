//! What lies in the database is sealed, for its place; what lay there before is sealed later; and no key is used that is lost.

use std::path::Path;

use futures::future::join_all;

use super::*;
use crate::store::db::testing::{TestDb, on_both};
use crate::store::db::{HUB, PostgresOptions, SqliteOptions};
use crate::store::{Db, requests, services};
use hadron_domain::service::{Doing, Status};
use hadron_proto::vocab::Digest;

const SECRET: &str = "canary-of-the-store";

/// The same database for a process without keys.
async fn locked(test: &TestDb) -> Db {
    let clock = test.clock.clone();
    let opened = if test.place.starts_with("host=") {
        Db::open_postgres(&test.place, clock, PostgresOptions::default()).await
    } else {
        Db::open_sqlite(Path::new(&test.place), clock, SqliteOptions::default()).await
    };
    opened.unwrap()
}

fn service(name: &str) -> services::ServiceRow {
    services::ServiceRow {
        name: name.parse().unwrap(),
        template: "web".parse().unwrap(),
        version: "1.0".parse().unwrap(),
        description: String::new(),
        spec: format!("{SECRET}-in-the-spec of {name}"),
        old_spec: String::new(),
        status: Status::Active,
        message: format!("{SECRET} in a message"),
        doing: Doing::Nothing,
        branch: String::new(),
        repository: String::new(),
        link: String::new(),
        created_at: Timestamp::from_micros(1),
        modified_at: Timestamp::from_micros(1),
        generation: 0,
    }
}

async fn insert(db: &Db, name: &str) -> Result<(), StoreError> {
    let row = service(name);
    db.write("service", move |tx| {
        Box::pin(async move {
            requests::put_blob(
                tx,
                format!("{SECRET} of {}", row.name).as_bytes(),
                Timestamp::from_micros(1),
            )
            .await?;
            services::insert(tx, &row).await
        })
    })
    .await
}

async fn get(db: &Db, name: &'static str) -> Result<services::ServiceRow, StoreError> {
    let row: Result<Option<services::ServiceRow>, StoreError> = db
        .read("service", move |tx| {
            Box::pin(async move { services::get(tx, &name.parse().unwrap()).await })
        })
        .await;
    row.map(Option::unwrap)
}

/// What the database itself holds of a service.
async fn raw(db: &Db) -> Vec<String> {
    let rows: Result<Vec<String>, StoreError> = db
        .read("raw", |tx| {
            Box::pin(async move {
                let rows = tx
                    .query("SELECT spec, old_spec, message FROM service ORDER BY name", &[])
                    .await?;
                let columns = rows
                    .iter()
                    .flat_map(|row| ["spec", "old_spec", "message"].map(|column| row.get(column)));
                columns.collect()
            })
        })
        .await;
    rows.unwrap()
}

async fn counted(db: &Db) -> u64 {
    let counts: Result<Vec<(String, u64)>, StoreError> = db
        .read("plain", |tx| Box::pin(async move { plain(tx).await }))
        .await;
    counts.unwrap().iter().map(|(_, count)| count).sum()
}

async fn keys(db: &Db) -> Vec<DataKeyRow> {
    let keys: Result<Vec<DataKeyRow>, StoreError> = db
        .read("keys", |tx| Box::pin(async move { data_keys(tx).await }))
        .await;
    keys.unwrap()
}

on_both! {
    async fn what_is_secret_is_sealed_for_its_row(test: TestDb) {
        let db = &test.db;
        insert(db, "one").await.unwrap();
        insert(db, "two").await.unwrap();
        let stored = raw(db).await;
        assert_eq!(stored.len(), 6);
        for text in &stored {
            assert!(text.is_empty() || text.starts_with(MARK), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
        assert_eq!(get(db, "one").await.unwrap(), service("one"));
        // Another process, which has to ask for the key.
        let other = test.open_again().await;
        assert_eq!(get(&other, "two").await.unwrap(), service("two"));
        let content = format!("{SECRET} of one").into_bytes();
        let digest = Digest::of(&content);
        let found: Result<Option<Vec<u8>>, StoreError> = other.read("blob", move |tx| Box::pin(async move { requests::blob(tx, digest).await })).await;
        assert_eq!(found.unwrap(), Some(content));

        // P13 on the database: whoever exchanges two rows' values, or puts one into another column, is found out.
        for sql in [
            "UPDATE service SET spec = (SELECT spec FROM service WHERE name = 'two') WHERE name = 'one'",
            "UPDATE service SET spec = (SELECT message FROM service WHERE name = 'one') WHERE name = 'one'",
        ] {
            let changed: Result<u64, StoreError> = db.write("exchange", move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await;
            assert_eq!(changed.unwrap(), 1);
            let refused = get(db, "one").await.unwrap_err();
            assert!(matches!(&refused, StoreError::Corrupt { place, .. } if place == "service.spec"), "{refused:?}");
        }
        // Without keys it cannot be read, and that is said.
        let refused = get(&locked(&test).await, "two").await.unwrap_err();
        let why = std::error::Error::source(&refused).unwrap().to_string();
        assert!(why.contains("keys were not given"), "{why}");
    }

    async fn what_was_plain_is_read_and_sealed_later(test: TestDb) {
        let before = locked(&test).await;
        insert(&before, "one").await.unwrap();
        assert!(raw(&before).await.iter().any(|text| text.contains("canary")));
        let db = &test.db;
        assert_eq!(get(db, "one").await.unwrap(), service("one"));
        assert_eq!(counted(db).await, 3, "spec, message and a blob");
        let mut rounds = 0;
        loop {
            let some: Result<Vec<Plain>, StoreError> = db.read("some", |tx| Box::pin(async move { some_plain(tx, 2).await })).await;
            let some = some.unwrap();
            if some.is_empty() {
                break;
            }
            for plain in some {
                let done: Result<(), StoreError> = db.write("seal", move |tx| Box::pin(async move { seal(tx, &plain).await })).await;
                done.unwrap();
            }
            rounds += 1;
            assert!(rounds < 10);
        }
        assert_eq!(counted(db).await, 0);
        assert!(!raw(db).await.iter().any(|text| text.contains("canary")));
        assert_eq!(get(db, "one").await.unwrap(), service("one"));
        // Every statement of the list runs, also where there is nothing to be sealed.
        for (at, column) in COLUMNS.iter().enumerate() {
            let value = if column.column == "bytes" { Value::Bytes(b"x".to_vec()) } else { Value::from("x") };
            let plain = Plain { column: at, key: "none".to_owned(), more: if column.joined == "/" { "7" } else { "" }.to_owned(), scope: HUB.to_owned(), value };
            let done: Result<(), StoreError> = db.write("seal", move |tx| Box::pin(async move { seal(tx, &plain).await })).await;
            assert!(done.is_ok(), "{}.{}: {done:?}", column.table, column.column);
        }
    }

    async fn a_key_that_was_not_committed_seals_nothing(test: TestDb) {
        let undone: Result<(), StoreError> = test.db.write("undone", |tx| Box::pin(async move {
            services::insert(tx, &service("one")).await?;
            Err(StoreError::misuse("undone", "on purpose"))
        })).await;
        assert!(undone.is_err());
        assert_eq!(keys(&test.db).await, []);
        insert(&test.db, "two").await.unwrap();
        insert(&test.db, "three").await.unwrap();
        assert_eq!(keys(&test.db).await.len(), 1);
        let other = test.open_again().await;
        assert_eq!(get(&other, "two").await.unwrap(), service("two"));
        assert_eq!(get(&other, "three").await.unwrap(), service("three"));
    }

    async fn whoever_seals_first_at_the_same_time_makes_one_key(test: TestDb) {
        let others = [test.open_again().await, test.open_again().await, test.open_again().await];
        let names = ["one", "two", "three"];
        let done = join_all(others.iter().zip(names).map(|(db, name)| insert(db, name))).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        let made = keys(&test.db).await;
        assert_eq!(made.len(), 1, "{made:?}");
        assert!(made[0].current && made[0].scope == HUB);
        for name in names {
            assert_eq!(get(&test.db, name).await.unwrap(), service(name));
        }
    }
}

/// What writing and reading a service costs with sealed columns, and without: alternating.
async fn measured(test: &TestDb, name: &str) {
    const EACH: u32 = 200;
    let plain = locked(test).await;
    let mut times: [Vec<std::time::Duration>; 4] = Default::default();
    for round in 0..10_u32 {
        for (at, db) in [&plain, &test.db].into_iter().enumerate() {
            let began = std::time::Instant::now();
            for number in 0..EACH {
                insert(db, &format!("s-{at}-{round}-{number}")).await.unwrap();
            }
            times[at].push(began.elapsed());
            let (after, began) = (format!("s-{at}-{round}-"), std::time::Instant::now());
            let read: Result<usize, StoreError> = db
                .read("list", move |tx| {
                    Box::pin(async move {
                        Ok(
                            services::list(tx, &hadron_domain::authority::Sight::Everything, &after, EACH)
                                .await?
                                .len(),
                        )
                    })
                })
                .await;
            assert_eq!(read.unwrap(), EACH as usize);
            times[2 + at].push(began.elapsed());
        }
    }
    let [plain, sealed, plain_read, sealed_read] = times.map(|mut times| {
        times.sort_unstable();
        f64::from(EACH) / times[times.len() / 2].as_secs_f64()
    });
    println!(
        "{name}: {plain:.0} services written a second in plain text, {sealed:.0} sealed: {:.2}; \
         {plain_read:.0} and {sealed_read:.0} read: {:.2}",
        sealed / plain,
        sealed_read / plain_read
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and says nothing about right and wrong; to see the figures run: \
            cargo nextest run --workspace --all-features --locked --run-ignored only --no-capture -E 'test(what_sealing_costs)'"]
async fn what_sealing_costs() {
    measured(&crate::store::db::testing::sqlite().await, "SQLite").await;
    measured(&crate::store::db::testing::postgres().await, "PostgreSQL").await;
}
