//! COMMITs whose answer was lost, servers that forget, locks that are shared, work that one hub does alone. Of PostgreSQL; on
//! SQLite there is nothing in between, and nobody else.

use super::*;
use crate::store::db::testing::Swallow;
use crate::store::db::{PostgresOptions, testing};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_commit_is_found_out_over_another_connection() {
    let test = testing::postgres().await;
    tables(&test).await;
    let (db, proxy) = test.open_behind_proxy().await;
    insert(&db, "a", None).await.unwrap();
    // The witness may still be on its way.
    let mut told = 0;
    for (at, id) in ["b", "c", "d", "e"].into_iter().enumerate() {
        proxy.swallow(Swallow::Answer, 1);
        match insert(&db, id, None).await {
            Ok(1) => told += 1,
            Err(StoreError::CommitUnknown { .. }) => assert_eq!(at, 0, "the witness is there by now"),
            other => panic!("{id}: {other:?}"),
        }
        assert_eq!(proxy.swallowed(), u32::try_from(at).unwrap() + 1);
    }
    assert!(told >= 3);
    proxy.swallow(Swallow::Question, 1);
    let undone = insert(&db, "f", None).await.unwrap_err();
    assert!(undone.is_passing(), "{undone:?}");
    // Nobody is left who could be asked: then that is what is said.
    proxy.swallow(Swallow::AnswerAndAll, 1);
    let unknown = insert(&db, "g", None).await.unwrap_err();
    assert!(
        matches!(unknown, StoreError::CommitUnknown { label: "insert", .. }),
        "{unknown:?}"
    );
    assert!(!unknown.is_retryable() && !unknown.is_passing());
    assert_eq!(ids(&test.db).await, ["a", "b", "c", "d", "e", "g"]);
    // And it goes on as if nothing had been.
    insert(&db, "h", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_would_forget_is_refused() {
    let place = testing::forgetful_postgres_url().await;
    let clock = testing::sqlite_empty().await.clock;
    let refused = Db::open_postgres(&place, clock.clone(), PostgresOptions::default()).await;
    let refused = refused.expect_err("fsync is off").to_string();
    assert!(
        refused.contains("fsync = off") && refused.contains("postgresql.conf"),
        "{refused}"
    );
    let options = PostgresOptions {
        allow_forgetful: true,
        ..PostgresOptions::default()
    };
    let db = Db::open_postgres(&place, clock, options).await.unwrap();
    // Where only the default of the server is careless, connections are more careful than it.
    let done: Result<(), StoreError> = db
        .write("careless", |tx| {
            Box::pin(async move { tx.script("ALTER ROLE hadron SET synchronous_commit = off").await })
        })
        .await;
    done.unwrap();
    let set: Result<String, StoreError> = Db::open_postgres(
        &place,
        db.0.clock.clone(),
        PostgresOptions {
            allow_forgetful: true,
            ..PostgresOptions::default()
        },
    )
    .await
    .unwrap()
    .read("setting", |tx| {
        let sql = "SELECT current_setting('synchronous_commit') AS setting";
        Box::pin(async move { tx.query_one(sql, &[]).await?.get("setting") })
    })
    .await;
    assert_eq!(set.unwrap(), "on");
}

/// Locks a row in one transaction and says so, then holds it until it is told to end.
async fn holding<T: Send>(db: &Db, sql: &'static str, meanwhile: impl Future<Output = T>) -> T {
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let db = db.clone();
    let holder = tokio::spawn(async move {
        let done: Result<(), StoreError> = db
            .write("holds", move |tx| {
                Box::pin(async move {
                    tx.query(sql, &[]).await?;
                    locked.send(()).unwrap();
                    let _ = ended.await;
                    Ok(())
                })
            })
            .await;
        done.unwrap();
    });
    is_locked.await.unwrap();
    let outcome = meanwhile.await;
    end.send(()).unwrap();
    holder.await.unwrap();
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_rows_are_shared_and_whoever_must_not_wait_does_not() {
    let test = testing::postgres().await;
    let db = tables(&test).await;
    insert(&db, "a", None).await.unwrap();
    const SHARED: &str = "SELECT id FROM thing WHERE id = 'a' /*for-share*/";
    const AT_ONCE: &str = "SELECT id FROM thing WHERE id = 'a' /*for-share-nowait*/";
    const ALONE: &str = "SELECT id FROM thing WHERE id = 'a' /*for-update*/";
    let read = async |sql: &'static str| -> Result<usize, StoreError> {
        let rows: Result<Vec<Row>, StoreError> = db
            .write("locks", move |tx| {
                Box::pin(async move { tx.query(sql, &[]).await })
            })
            .await;
        rows.map(|rows| rows.len())
    };
    // Those who share do not wait for each other.
    let both = holding(&db, SHARED, async { (read(SHARED).await, read(AT_ONCE).await) }).await;
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (1, 1));
    // Whoever changes the row waits for them.
    let change = async {
        let changed = db.write("changes", |tx| {
            Box::pin(async move {
                tx.execute("UPDATE thing SET number = 1 WHERE id = 'a'", &[])
                    .await
            })
        });
        let changed: Result<Result<u64, StoreError>, _> =
            tokio::time::timeout(Duration::from_millis(300), changed).await;
        changed
    };
    assert!(
        holding(&db, SHARED, change).await.is_err(),
        "changed what somebody shares"
    );
    // They wait for whoever holds it alone; those who must not wait are told at once.
    let refused = holding(&db, ALONE, read(AT_ONCE)).await.unwrap_err();
    assert!(refused.is_passing(), "{refused:?}");
    assert_eq!(read(SHARED).await.unwrap(), 1);
}

on_both! {
    async fn a_transaction_has_one_time_and_late_rows_come_last(test: TestDb) {
        let db = tables(&test).await;
        let times: Result<(Timestamp, Timestamp), StoreError> = db.write("times", |tx| Box::pin(async move {
            let first = tx.now().await?;
            let sql = "INSERT INTO tally (id, count) VALUES ($2, (SELECT value FROM sequence WHERE name = 'audit') - $1)";
            for id in ["x", "y", "z"] {
                tx.late(crate::store::db::Late::Audit, None, sql, params![id].to_vec());
            }
            assert!(tx.query("SELECT id FROM tally WHERE id = 'x'", &[]).await?.is_empty(), "written before its time");
            Ok((first, tx.now().await?))
        })).await;
        let (first, second) = times.unwrap();
        assert_eq!(first, second);
        let numbers: Result<Vec<Row>, StoreError> = db.read("numbers", |tx| Box::pin(async move {
            tx.query("SELECT count FROM tally WHERE id <> 'a' ORDER BY id", &[]).await
        })).await;
        let numbers: Vec<i64> = numbers.unwrap().iter().map(|row| row.get("count").unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3], "in their order, numbered without a gap");
        // What fails leaves nothing for the next transaction on the same connection.
        let failed: Result<(), StoreError> = db.write("fails", |tx| Box::pin(async move {
            tx.late(crate::store::db::Late::Audit, None, "INSERT INTO tally (id, count) VALUES ($2, (SELECT value FROM sequence WHERE name = 'audit') - $1)", params!["w"].to_vec());
            Err(StoreError::misuse("fails", "on purpose"))
        })).await;
        assert!(failed.is_err());
        insert(&db, "b", None).await.unwrap();
        let none: Result<Vec<Row>, StoreError> = db.read("none", |tx| Box::pin(async move {
            tx.query("SELECT id FROM tally WHERE id = 'w'", &[]).await
        })).await;
        assert!(none.unwrap().is_empty());
    }

    async fn many_late_rows_are_numbered_like_few(test: TestDb) {
        let db = tables(&test).await;
        let many: Result<(), StoreError> = db.write("many", |tx| Box::pin(async move {
            tx.execute("INSERT INTO tally (id, count) VALUES ('early', 0)", &[]).await?;
            let sql = "INSERT INTO tally (id, count) VALUES ($2, (SELECT value FROM sequence WHERE name = 'audit') - $1)";
            for id in 0..600 {
                tx.late(crate::store::db::Late::Audit, None, sql, params![format!("{id:03}")].to_vec());
            }
            Ok(())
        })).await;
        many.unwrap();
        let numbers: Result<Vec<Row>, StoreError> = db.read("numbers", |tx| Box::pin(async move {
            tx.query("SELECT count FROM tally WHERE count > 0 ORDER BY id", &[]).await
        })).await;
        let numbers: Vec<i64> = numbers.unwrap().iter().map(|row| row.get("count").unwrap()).collect();
        assert_eq!(numbers, (1..=600).collect::<Vec<i64>>());
    }

    async fn a_late_row_that_is_refused_undoes_its_transaction(test: TestDb) {
        let db = tables(&test).await;
        let refused: Result<(), StoreError> = db.write("refused", |tx| Box::pin(async move {
            tx.execute("INSERT INTO tally (id, count) VALUES ('early', 1)", &[]).await?;
            let sql = "INSERT INTO tally (id, count) VALUES ($2, (SELECT value FROM sequence WHERE name = 'audit') - $1)";
            for id in ["late", "a", "later"] {
                tx.late(crate::store::db::Late::Audit, None, sql, params![id].to_vec());
            }
            Ok(())
        })).await;
        assert_eq!(refused.unwrap_err().unique(), Some("tally_pkey"));
        let left: Result<(usize, u64), StoreError> = db.write("left", |tx| Box::pin(async move {
            let rows = tx.query("SELECT id FROM tally", &[]).await?;
            Ok((rows.len(), tx.next(Sequence::AUDIT).await?))
        })).await;
        assert_eq!(left.unwrap(), (1, 1), "no row of it, and no number, is gone");
    }

    async fn statements_that_go_together_run_in_their_order(test: TestDb) {
        const ADD: &str = "INSERT INTO tally (id, count) VALUES ($1, 1) RETURNING id";
        const ALL: &str = "SELECT id FROM tally ORDER BY id";
        let db = tables(&test).await;
        let seen: Result<[usize; 4], StoreError> = db.write("together", |tx| Box::pin(async move {
            let [before, added, after] = tx.query_all([(ALL, &[]), (ADD, &params!["x"]), (ALL, &[])]).await?;
            let later = tx.query(ALL, &[]).await?;
            Ok([before.len(), added.len(), after.len(), later.len()])
        })).await;
        assert_eq!(seen.unwrap(), [1, 1, 2, 2]);
        let refused: Result<(), StoreError> = db.write("refused", |tx| Box::pin(async move {
            tx.query_all([(ADD, &params!["y"]), (ADD, &params!["x"]), (ADD, &params!["z"])]).await?;
            Ok(())
        })).await;
        assert_eq!(refused.unwrap_err().unique(), Some("tally_pkey"));
        let left: Result<Vec<Row>, StoreError> = db.read("left", |tx| Box::pin(async move { tx.query(ALL, &[]).await })).await;
        assert_eq!(left.unwrap().len(), 2);
    }

    async fn one_at_a_time_does_work_alone(test: TestDb) {
        let other = test.open_again().await;
        let shared = test.db.is_shared();
        let first = test.db.alone("round").await.unwrap().unwrap();
        assert_eq!(other.alone("round").await.unwrap().is_none(), shared);
        assert_eq!(test.db.alone("round").await.unwrap().is_none(), shared);
        other.alone("another round").await.unwrap().unwrap().end().await;
        first.end().await;
        let second = other.alone("round").await.unwrap().unwrap();
        // A hub that dies lets go as well.
        drop(second);
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        loop {
            pause.tick().await;
            if let Some(alone) = test.db.alone("round").await.unwrap() {
                break alone.end().await;
            }
        }
    }
}
