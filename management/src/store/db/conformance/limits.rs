//! What is particular to one of the two: batches, the log and the disk of SQLite; TLS of PostgreSQL.

use super::*;
use crate::store::db::{PostgresOptions, SqliteOptions, testing};

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_share_a_commit_on_sqlite() {
    let test = testing::sqlite().await;
    let db = tables(&test).await;
    let before = db.stats();
    // The first holds the writer until all others wait in the queue.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let first = {
        let db = db.clone();
        let held = std::sync::Mutex::new(held);
        tokio::spawn(async move {
            let done: Result<(), StoreError> = db
                .write("holds", move |_| {
                    Box::pin(async move {
                        held.lock().unwrap().recv().unwrap();
                        Ok(())
                    })
                })
                .await;
            done.unwrap();
        })
    };
    let mut others: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|id| Box::pin(insert(&db, id, None)))
        .collect();
    for other in &mut others {
        assert!(futures::poll!(other.as_mut()).is_pending());
    }
    release.send(()).unwrap();
    first.await.unwrap();
    for done in join_all(others).await {
        assert_eq!(done.unwrap(), 1);
    }
    let after = db.stats();
    assert_eq!(after.transactions - before.transactions, 5);
    assert!(after.commits - before.commits <= 3, "{before:?} {after:?}");
}

/// The writer is kept busy until these many transactions wait behind it; gives how many commits they took.
async fn commits_of(options: SqliteOptions, waiting: usize) -> u64 {
    let test = testing::sqlite().await;
    tables(&test).await;
    let path = std::path::PathBuf::from(&test.place);
    let db = Db::open_sqlite(&path, test.clock.clone(), options).await.unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let first = db.write("holds", move |_| {
        Box::pin(async move {
            held.lock().unwrap().recv().unwrap();
            Ok::<_, StoreError>(())
        })
    });
    let mut first = Box::pin(first);
    assert!(futures::poll!(first.as_mut()).is_pending());
    let mut others: Vec<_> = (0..waiting)
        .map(|_| {
            Box::pin(db.write("counts", |tx| {
                Box::pin(async move { tx.execute("UPDATE tally SET count = count + 1", &[]).await })
            }))
        })
        .collect();
    for other in &mut others {
        assert!(futures::poll!(other.as_mut()).is_pending());
    }
    release.send(()).unwrap();
    first.await.unwrap();
    for done in join_all(others).await {
        let done: Result<u64, StoreError> = done;
        assert_eq!(done.unwrap(), 1);
    }
    assert_eq!(db.stats().transactions, waiting as u64 + 1);
    db.stats().commits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_its_bounds_and_waits_for_nobody_on_sqlite() {
    let bounded = |batch, millis| SqliteOptions {
        batch,
        batch_time: Duration::from_millis(millis),
        ..SqliteOptions::default()
    };
    // The first one has been running for longer than a batch may take, so it is committed by itself.
    assert_eq!(commits_of(bounded(1, 1_000), 6).await, 7);
    assert_eq!(commits_of(bounded(3, 10_000), 5).await, 2);
    assert_eq!(commits_of(bounded(256, 0), 4).await, 5);
}

#[tokio::test]
async fn what_sqlite_acknowledges_is_on_the_disk() {
    let test = testing::sqlite().await;
    let settings: Result<(i64, String), StoreError> = test
        .db
        .write("settings", |tx| {
            Box::pin(async move {
                let synchronous = tx
                    .query_one("PRAGMA synchronous", &[])
                    .await?
                    .get("synchronous")?;
                let journal = tx
                    .query_one("PRAGMA journal_mode", &[])
                    .await?
                    .get("journal_mode")?;
                Ok((synchronous, journal))
            })
        })
        .await;
    // 2 is FULL: the log is synced before a COMMIT is answered.
    assert_eq!(settings.unwrap(), (2, "wal".to_owned()));
}

/// How many transactions a second, by the number of those who wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures for half a minute, and says nothing about right and wrong; to see the figures run: \
            cargo nextest run --workspace --all-features --run-ignored only --no-capture -E 'test(transactions_a_second)'"]
async fn transactions_a_second() {
    eprintln!("database    writers  transactions/s  for each commit");
    for (name, test) in [
        ("SQLite", testing::sqlite().await),
        ("PostgreSQL", testing::postgres().await),
    ] {
        let db = tables(&test).await;
        for writers in [1_usize, 8, 64, 512] {
            let (before, begun) = (db.stats(), std::time::Instant::now());
            let lasts = Duration::from_secs(3);
            let work = (0..writers).map(|writer| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut turn = 0_u64;
                    while begun.elapsed() < lasts {
                        turn += 1;
                        let id = format!("{writers}-{writer}-{turn}");
                        let done: Result<(), StoreError> = db
                            .write("measure", move |tx| {
                                Box::pin(async move {
                                    let now = tx.now().await?.as_micros();
                                    let sql = "INSERT INTO thing (id, number) VALUES ($1, $2)";
                                    tx.execute(sql, &params![&id, now]).await?;
                                    tx.late(
                                        crate::store::db::Late::Audit,
                                        None,
                                        "INSERT INTO tally (count, id) VALUES ($1, $2)",
                                        params![id].to_vec(),
                                    );
                                    Ok(())
                                })
                            })
                            .await;
                        // With more writers than connections some wait for too long, and are not counted.
                        assert!(
                            done.as_ref().err().is_none_or(StoreError::is_retryable),
                            "{done:?}"
                        );
                    }
                })
            });
            for each in join_all(work).await {
                each.unwrap();
            }
            let after = db.stats();
            let transactions = after.transactions - before.transactions;
            eprintln!(
                "{name:<11} {writers:>7}  {:>14.0}  {:>15.1}",
                transactions as f64 / begun.elapsed().as_secs_f64(),
                transactions as f64 / (after.commits - before.commits) as f64
            );
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived_on_sqlite() {
    let test = testing::sqlite().await;
    let db = tables(&test).await;
    let limit = |pages: u32| {
        db.write("limit", move |tx| {
            Box::pin(async move { tx.script(&format!("PRAGMA max_page_count = {pages}")).await })
        })
    };
    let done: Result<(), StoreError> = limit(40).await;
    done.unwrap();
    let write = |size: usize| {
        let sql = "INSERT INTO thing (id, content) VALUES ('big', $1)";
        db.write("big", move |tx| {
            Box::pin(async move { tx.execute(sql, &params![vec![7_u8; size]]).await })
        })
    };
    let (full, small): (Result<u64, StoreError>, _) =
        tokio::join!(write(1_000_000), insert(&db, "small", None));
    let full = full.unwrap_err();
    assert!(full.is_retryable() && full.is_full(), "{full:?}");
    // Either it was in the same batch, which is lost as a whole, or it was written.
    assert!(small.is_ok() || small.unwrap_err().is_retryable());
    let done: Result<(), StoreError> = limit(100_000).await;
    done.unwrap();
    let done: Result<u64, StoreError> = write(1_000_000).await;
    assert_eq!(done.unwrap(), 1);
}

#[tokio::test]
async fn the_log_of_sqlite_does_not_grow_without_end() {
    let test = testing::sqlite_empty().await;
    let path = std::path::PathBuf::from(format!("{}.second", test.place));
    let options = SqliteOptions {
        checkpoint_pages: 20,
        ..SqliteOptions::default()
    };
    let db = Db::open_sqlite(&path, test.clock.clone(), options).await.unwrap();
    crate::store::migrate::run(&db).await.unwrap();
    for n in 0..600 {
        let done: Result<u64, StoreError> = db
            .write("fill", move |tx| {
                let params = params![n.to_string(), "x".repeat(2_000)];
                Box::pin(async move {
                    tx.execute("INSERT INTO meta (key, value) VALUES ($1, $2)", &params)
                        .await
                })
            })
            .await;
        done.unwrap();
    }
    let log = std::fs::metadata(format!("{}-wal", path.display()))
        .unwrap()
        .len();
    let whole = std::fs::metadata(&path).unwrap().len();
    assert!(log < whole / 2, "log {log}, database {whole}");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others may read the database: {mode:o}");
}

#[tokio::test]
async fn what_is_no_database_is_named() {
    let test = testing::sqlite_empty().await;
    let path = std::path::PathBuf::from(format!("{}.text", test.place));
    std::fs::write(
        &path,
        "no database, but long enough to be taken for one. ".repeat(100),
    )
    .unwrap();
    let opened = Db::open_sqlite(&path, test.clock.clone(), SqliteOptions::default()).await;
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    let missing = path.join("below/a/file");
    let opened = Db::open_sqlite(&missing, test.clock, SqliteOptions::default()).await;
    assert!(
        matches!(opened, Err(StoreError::Unavailable { .. })),
        "{opened:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_over_tls_is_verified_and_bound_to_the_password() {
    let (place, ca_file) = testing::postgres_tls().await;
    let clock = testing::sqlite_empty().await.clock;
    let open = |place: String, ca_file: Option<&std::path::PathBuf>| {
        let clock = clock.clone();
        let options = PostgresOptions {
            ca_file: ca_file.cloned(),
            connections: 2,
            ..PostgresOptions::default()
        };
        async move { Db::open_postgres(&place, clock, options).await }
    };
    let bound = format!("{place} sslmode=require channel_binding=require");
    let db = open(bound.clone(), Some(&ca_file)).await.unwrap();
    let encrypted: Result<bool, StoreError> = db
        .read("tls", |tx| {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            Box::pin(async move { tx.query_one(sql, &[]).await?.get("ssl") })
        })
        .await;
    assert!(encrypted.unwrap());
    let far = place.replace("host=localhost", "host=db.example");
    for (why, refused) in [
        (
            "signed by nobody this machine trusts",
            open(bound.clone(), None).await,
        ),
        (
            "no file with certificates",
            open(bound, Some(&"/no/such/file".into())).await,
        ),
        (
            "the server wants TLS, the address does not ask for it",
            open(place, None).await,
        ),
        (
            "far away, so TLS without being asked; the certificate is for localhost",
            open(far, Some(&ca_file)).await,
        ),
        (
            "no address",
            open("postgres://careful:secret@[".to_owned(), None).await,
        ),
        (
            "no host",
            open("user=careful password=secret".to_owned(), None).await,
        ),
    ] {
        let told = format!("{:?}", refused.expect_err(why));
        assert!(!told.contains("secret"), "{told}");
        assert!(
            told.starts_with("Unavailable") || told.starts_with("Misuse"),
            "{why}: {told}"
        );
    }
}
