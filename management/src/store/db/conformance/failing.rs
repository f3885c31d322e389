//! Conflicts, misuse, panics, closing.

use super::*;

on_both! {
    async fn constraints_are_named_alike(test: TestDb) {
        let db = tables(&test).await;
        insert(&db, "a", Some("x")).await.unwrap();
        let cases: [(&'static str, Constraint, &str); 6] = [
            ("INSERT INTO thing (id) VALUES ('a')", Constraint::Unique, "thing_pkey"),
            ("INSERT INTO thing (id, lane) VALUES ('b', 'x')", Constraint::Unique, "thing_one_open"),
            ("UPDATE tally SET id = NULL", Constraint::NotNull, "tally.id"),
            ("INSERT INTO thing (id, number) VALUES ('b', 1500)", Constraint::Check, "thing_number_small"),
            ("INSERT INTO thing (id, parent) VALUES ('b', 'none')", Constraint::ForeignKey, "thing_parent_fkey"),
            ("INSERT INTO thing (id, done) VALUES ('c', NULL)", Constraint::NotNull, "thing.done"),
        ];
        for (sql, constraint, name) in cases {
            let refused: Result<u64, StoreError> =
                db.write("refused", move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await;
            let Err(StoreError::Conflict { constraint: found, name: named, .. }) = &refused else {
                panic!("{sql}: {refused:?}");
            };
            assert_eq!(*found, constraint, "{sql}");
            // SQLite does not name foreign keys.
            assert!(named == name || (constraint == Constraint::ForeignKey && named.is_empty()), "{sql}: {named}");
            assert_eq!(refused.unwrap_err().unique().is_some(), constraint == Constraint::Unique);
        }
        // The partial index lets a second one in once the first is done.
        let done: Result<u64, StoreError> = db.write("done", |tx| Box::pin(async move {
            tx.execute("UPDATE thing SET done = 1 WHERE id = 'a'", &[]).await?;
            tx.execute("INSERT INTO thing (id, lane) VALUES ('b', 'x')", &[]).await
        })).await;
        assert_eq!(done.unwrap(), 1);
    }

    async fn after_an_error_the_transaction_is_lost(test: TestDb) {
        let db = tables(&test).await;
        let lost: Result<(), StoreError> = db.write("ignores", |tx| Box::pin(async move {
            tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await?;
            let _ = tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await;
            Ok(())
        })).await;
        assert!(matches!(lost, Err(StoreError::Misuse { label: "ignores", .. })), "{lost:?}");
        let lost: Result<u64, StoreError> = db.write("goes on", |tx| Box::pin(async move {
            let _ = tx.execute("INSERT INTO nowhere (id) VALUES ('a')", &[]).await;
            tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await
        })).await;
        assert!(matches!(lost, Err(StoreError::Misuse { .. })), "{lost:?}");
        assert!(ids(&db).await.is_empty());
    }

    async fn an_attempt_may_meet_a_conflict(test: TestDb) {
        let db = tables(&test).await;
        let kept: Result<bool, StoreError> = db.write("attempt", |tx| Box::pin(async move {
            let sql = "INSERT INTO thing (id, lane) VALUES ($1, $2)";
            assert_eq!(tx.attempt(sql, &params!["a", "x"]).await?, 1);
            tx.execute(sql, &params!["b", "y"]).await?;
            let refused = tx.attempt(sql, &params!["c", "x"]).await;
            let conflict = matches!(&refused, Err(error) if error.unique() == Some("thing_one_open"));
            tx.execute(sql, &params!["d", "z"]).await?;
            Ok(conflict)
        })).await;
        assert!(kept.unwrap());
        assert_eq!(ids(&db).await, ["a", "b", "d"]);
    }

    async fn a_panic_is_reported_and_harms_nobody(test: TestDb) {
        let db = tables(&test).await;
        for turn in 0..3 {
            let caught: Result<u64, StoreError> = db.write("panics", move |tx| Box::pin(async move {
                tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await?;
                std::panic::resume_unwind(Box::new(format!("number {turn}")));
            })).await;
            let caught = caught.unwrap_err();
            assert!(matches!(&caught, StoreError::Misuse { what, .. } if what.contains(&format!("number {turn}"))), "{caught:?}");
            let caught: Result<u64, StoreError> = db.read("panics", |_| Box::pin(async move {
                std::panic::resume_unwind(Box::new("in a read"));
            })).await;
            assert!(matches!(caught, Err(StoreError::Misuse { .. })), "{caught:?}");
        }
        assert_eq!(insert(&db, "a", None).await.unwrap(), 1);
        assert_eq!(ids(&db).await, ["a"]);
    }

    async fn faults_of_statements_are_misuse(test: TestDb) {
        let db = tables(&test).await;
        let run = async |sql: &'static str, params: Vec<Value>| -> StoreError {
            let refused: Result<Vec<Row>, StoreError> =
                db.write("fault", move |tx| Box::pin(async move { tx.query(sql, &params).await })).await;
            refused.unwrap_err()
        };
        let insert = "INSERT INTO thing (id, number) VALUES ($1, $2)";
        for fault in [
            run("SELEC 1", vec![]).await,
            run("SELECT nothing FROM thing", vec![]).await,
            run(insert, vec!["a".into()]).await,
            run(insert, vec!["a".into(), 1_i64.into(), 2_i64.into()]).await,
            run(insert, vec!["nul \0 inside".into(), 1_i64.into()]).await,
            run("INSERT INTO thing (id, content) VALUES ($1, $2)", vec!["a".into(), "no bytes".into()]).await,
        ] {
            assert!(matches!(fault, StoreError::Misuse { label: "fault", .. }), "{fault:?}");
        }
        let refused: Result<u64, StoreError> = db.write("returns", |tx| Box::pin(async move {
            tx.execute("INSERT INTO thing (id) VALUES ('a') RETURNING id", &[]).await
        })).await;
        assert!(matches!(refused, Err(StoreError::Misuse { .. })), "{refused:?}");
        let none: Result<Row, StoreError> = db.read("one", |tx| Box::pin(async move {
            tx.query_one("SELECT id FROM thing", &[]).await
        })).await;
        assert!(matches!(&none, Err(StoreError::NotFound { what, .. }) if what == "thing"), "{none:?}");
    }

    async fn the_caller_may_go_away(test: TestDb) {
        let db = tables(&test).await;
        for id in ["a", "b", "c"] {
            let write = insert(&db, id, None);
            // Polled once, so that it is on its way, and dropped.
            let _ = tokio::time::timeout(Duration::ZERO, write).await;
        }
        // Each was done wholly or not at all, and the database goes on.
        insert(&db, "d", None).await.unwrap();
        assert!(ids(&db).await.contains(&"d".to_owned()));
    }

    async fn after_closing_nothing_is_taken(test: TestDb) {
        let db = tables(&test).await;
        let accepted = tokio::spawn({ let db = db.clone(); async move { insert(&db, "a", None).await } });
        accepted.await.unwrap().unwrap();
        db.close().await;
        db.close().await;
        let refused = insert(&db, "b", None).await.unwrap_err();
        assert!(refused.is_retryable(), "{refused:?}");
        let again = test.open_again().await;
        assert_eq!(ids(&again).await, ["a"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_inside_a_transaction_is_found_on_sqlite() {
    let test = crate::store::db::testing::sqlite().await;
    let db = tables(&test).await;
    for read in [false, true] {
        let work = |tx: &mut crate::store::db::Tx| {
            let _ = tx.label();
            tokio::time::sleep(Duration::from_secs(60))
        };
        let waited: Result<(), StoreError> = if read {
            db.read("waits", move |tx| {
                Box::pin(async move {
                    work(tx).await;
                    Ok(())
                })
            })
            .await
        } else {
            db.write("waits", move |tx| {
                Box::pin(async move {
                    tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await?;
                    work(tx).await;
                    Ok(())
                })
            })
            .await
        };
        let waited = waited.unwrap_err();
        assert!(
            matches!(&waited, StoreError::Misuse { label: "waits", what, .. } if what.contains("waited")),
            "{waited:?}"
        );
    }
    assert!(ids(&db).await.is_empty());
    assert_eq!(insert(&db, "a", None).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_tells_deadlocks_as_retryable_and_goes_on_after_lost_connections() {
    let test = crate::store::db::testing::postgres().await;
    let db = tables(&test).await;
    insert(&db, "a", None).await.unwrap();
    insert(&db, "b", None).await.unwrap();
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let cross = |first: &'static str, second: &'static str| {
        let (db, barrier) = (db.clone(), std::sync::Arc::clone(&barrier));
        tokio::spawn(async move {
            let done: Result<u64, StoreError> = db
                .write("cross", move |tx| {
                    Box::pin(async move {
                        tx.execute("UPDATE thing SET number = 1 WHERE id = $1", &params![first])
                            .await?;
                        barrier.wait().await;
                        tx.execute("UPDATE thing SET number = 1 WHERE id = $1", &params![second])
                            .await
                    })
                })
                .await;
            done
        })
    };
    let (one, two) = tokio::join!(cross("a", "b"), cross("b", "a"));
    let lost: Vec<StoreError> = [one.unwrap(), two.unwrap()]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(lost.len(), 1);
    assert!(lost[0].is_retryable(), "{lost:?}");

    let cut: Result<Vec<Row>, StoreError> = db
        .write("cut", |tx| {
            Box::pin(async move {
                tx.execute("INSERT INTO thing (id) VALUES ('c')", &[]).await?;
                // Every connection to this database, this one and the listener's included.
                let sql = "WITH mine AS MATERIALIZED \
                           (SELECT pid FROM pg_stat_activity WHERE datname = current_database()) \
                           SELECT pg_terminate_backend(pid) AS cut FROM mine";
                tx.query(sql, &[]).await
            })
        })
        .await;
    assert!(cut.is_err());
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while insert(&db, "d", None).await.is_err() {
        pause.tick().await;
    }
    assert_eq!(ids(&db).await, ["a", "b", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_sqlite_is_whole_and_readable_while_writes_go_on() {
    let test = crate::store::db::testing::sqlite().await;
    let db = tables(&test).await;
    insert(&db, "a", None).await.unwrap();
    let to = std::path::PathBuf::from(format!("{}.backup", test.place));
    let (backup, write) = tokio::join!(db.backup(&to), insert(&db, "b", None));
    backup.unwrap();
    write.unwrap();
    let copy = Db::open_sqlite(
        &to,
        test.clock.clone(),
        crate::store::db::SqliteOptions::default(),
    )
    .await
    .unwrap();
    assert!(ids(&copy).await.contains(&"a".to_owned()));
    crate::store::migrate::check(&copy).await.unwrap();
    assert!(matches!(db.backup(&to).await, Err(StoreError::Misuse { .. })));
}
