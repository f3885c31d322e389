//! What both databases promise alike. Each test runs on SQLite and on PostgreSQL.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use hadron_proto::vocab::{AccountId, JobId, Region, Timestamp};

use super::testing::{TestDb, on_both};
use super::{Db, Row, Sequence, Topic, Value, params};
use crate::store::error::{Constraint, StoreError};

mod failing;
mod limits;
mod lost;
mod waking;

/// A table of every type, with every sort of constraint, and one parent.
async fn tables(test: &TestDb) -> Db {
    let made = test.db.write("tables", |tx| {
        Box::pin(async move {
            let script = "CREATE TABLE parent (id TEXT NOT NULL PRIMARY KEY);
                CREATE TABLE thing (
                    id TEXT NOT NULL PRIMARY KEY, lane TEXT, number BIGINT, content BYTEA, done BIGINT NOT NULL DEFAULT 0,
                    parent TEXT REFERENCES parent (id), CONSTRAINT thing_number_small CHECK (number < 1000 OR number > 2000));
                CREATE UNIQUE INDEX thing_one_open ON thing (lane) WHERE done = 0;
                CREATE TABLE tally (id TEXT NOT NULL PRIMARY KEY, count BIGINT NOT NULL);
                INSERT INTO tally (id, count) VALUES ('a', 0);";
            if tx.is_sqlite() {
                let script = script.replace("BIGINT", "INTEGER").replace("BYTEA", "BLOB").replace("0);", "0) ;");
                tx.script(&script.replace(");", ") STRICT;")).await
            } else {
                tx.script(script).await
            }
        })
    });
    made.await.unwrap();
    test.db.clone()
}

async fn insert(db: &Db, id: &'static str, lane: Option<&'static str>) -> Result<u64, StoreError> {
    db.write("insert", move |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO thing (id, lane) VALUES ($1, $2)", &params![id, lane])
                .await
        })
    })
    .await
}

async fn ids(db: &Db) -> Vec<String> {
    let rows = db.read("ids", |tx| {
        Box::pin(async move { tx.query("SELECT id FROM thing ORDER BY id", &[]).await })
    });
    let rows: Result<Vec<Row>, StoreError> = rows.await;
    rows.unwrap().iter().map(|row| row.get("id").unwrap()).collect()
}

on_both! {
    async fn values_come_back_as_they_went_in(test: TestDb) {
        let db = tables(&test).await;
        let big: Vec<u8> = (0..5 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
        let cases: Vec<(&str, Value, Value)> = vec![
            ("null", Value::Null, Value::Null),
            ("least", i64::MIN.into(), Vec::<u8>::new().into()),
            ("most", i64::MAX.into(), vec![0_u8, 255, 0].into()),
            ("zero 'quoted' \u{1F980} e\u{301} \u{FEFF}\n", Value::from(0_i64), big.into()),
            ("", Value::from(false), Value::Null),
        ];
        for (id, number, content) in cases {
            let sent = (Value::from(id), number, content);
            let (text, number, content) = sent.clone();
            let row = db.write("round trip", move |tx| Box::pin(async move {
                let sql = "INSERT INTO thing (id, number, content) VALUES ($1, $2, $3)";
                tx.execute(sql, &[text.clone(), number, content]).await?;
                tx.query_one("SELECT id, number, content, lane FROM thing WHERE id = $1", &[text]).await
            }));
            let row: Result<Row, StoreError> = row.await;
            let row = row.unwrap();
            assert_eq!(row.get::<Option<String>>("lane").unwrap(), None);
            let got = (
                Value::from(row.get::<String>("id").unwrap()),
                row.get::<Option<i64>>("number").unwrap().into(),
                row.get::<Option<Vec<u8>>>("content").unwrap().into(),
            );
            assert!(got == sent, "{id:?} changed on its way");
        }
    }

    async fn words_of_the_vocabulary_are_parsed_and_wrong_ones_named(test: TestDb) {
        let db = tables(&test).await;
        let job: JobId = test.clock.fresh_id();
        let account: AccountId = "012345678901".parse().unwrap();
        let at = Timestamp::from_micros(1_999);
        let row = db.write("words", move |tx| Box::pin(async move {
            let sql = "INSERT INTO thing (id, lane, number) VALUES ($1, $2, $3) RETURNING id, lane, number, done";
            tx.query_one(sql, &params![job, account, at.as_micros() + 1_000]).await
        }));
        let row: Result<Row, StoreError> = row.await;
        let row = row.unwrap();
        assert_eq!(row.get::<JobId>("id").unwrap(), job);
        assert_eq!(row.get::<AccountId>("lane").unwrap(), account);
        assert_eq!(row.text_as::<AccountId>("lane").unwrap(), account);
        assert_eq!(row.get::<Timestamp>("number").unwrap(), Timestamp::from_micros(2_999));
        assert!(!row.get::<bool>("done").unwrap());
        for wrong in [
            row.get::<i64>("lane").map(drop), row.get::<bool>("number").map(drop), row.get::<Region>("number").map(drop),
            row.get::<u32>("nothing").map(drop), row.get::<Vec<u8>>("id").map(drop),
        ] {
            let wrong = wrong.unwrap_err();
            assert!(matches!(&wrong, StoreError::Corrupt { place, .. } if place.starts_with("thing.")), "{wrong:?}");
        }
    }

    async fn a_failed_closure_leaves_nothing(test: TestDb) {
        let db = tables(&test).await;
        let failed: Result<(), StoreError> = db.write("fails", |tx| Box::pin(async move {
            tx.execute("INSERT INTO thing (id) VALUES ('a')", &[]).await?;
            Err(StoreError::misuse("fails", "on purpose"))
        })).await;
        assert!(failed.is_err());
        assert!(ids(&db).await.is_empty());
        assert_eq!(insert(&db, "a", None).await.unwrap(), 1);
    }

    async fn no_update_is_lost_among_many_writers(test: TestDb) {
        let db = tables(&test).await;
        let writers = (0..64).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..4 {
                    let done: Result<u64, StoreError> = db.write("count", |tx| Box::pin(async move {
                        let row = tx.query_one("SELECT count FROM tally WHERE id = 'a' /*for-update*/", &[]).await?;
                        let next = row.get::<i64>("count")? + 1;
                        tx.execute("UPDATE tally SET count = $1 WHERE id = 'a'", &params![next]).await
                    })).await;
                    assert_eq!(done.unwrap(), 1);
                }
            })
        });
        join_all(writers).await.into_iter().for_each(|done| done.unwrap());
        let count: Result<i64, StoreError> = db.read("count", |tx| Box::pin(async move {
            tx.query_one("SELECT count FROM tally", &[]).await?.get("count")
        })).await;
        assert_eq!(count.unwrap(), 256);
    }

    async fn what_is_acknowledged_is_committed(test: TestDb) {
        let db = tables(&test).await;
        let other = test.open_again().await;
        let writers = (0..32).map(|n| {
            let (db, other) = (db.clone(), other.clone());
            tokio::spawn(async move {
                let id = format!("thing-{n}");
                let sent = id.clone();
                let done: Result<u64, StoreError> = db.write("insert", move |tx| Box::pin(async move {
                    tx.execute("INSERT INTO thing (id) VALUES ($1)", &params![sent]).await
                })).await;
                assert_eq!(done.unwrap(), 1);
                // Another connection sees only what is committed.
                let found: Result<i64, StoreError> = other.read("look", move |tx| Box::pin(async move {
                    tx.query_one("SELECT count(*) AS n FROM thing WHERE id = $1", &params![id]).await?.get("n")
                })).await;
                assert_eq!(found.unwrap(), 1);
            })
        });
        join_all(writers).await.into_iter().for_each(|done| done.unwrap());
    }

    async fn one_failure_among_many_harms_no_other(test: TestDb) {
        let db = tables(&test).await;
        let writes = (0..60).map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let done: Result<(), StoreError> = db.write("some fail", move |tx| Box::pin(async move {
                    tx.execute("INSERT INTO thing (id, lane) VALUES ($1, NULL)", &params![format!("{n:02}")]).await?;
                    match n % 3 {
                        0 => Err(StoreError::misuse("some fail", "on purpose")),
                        1 => tx.execute("INSERT INTO thing (id, number) VALUES ($1, 1500)", &params![format!("x{n}")]).await.map(drop),
                        _ => Ok(()),
                    }
                })).await;
                done.is_ok()
            })
        });
        let kept = join_all(writes).await.into_iter().filter(|ok| *ok.as_ref().unwrap()).count();
        assert_eq!(kept, 20);
        let expected: Vec<String> = (0..60).filter(|n| n % 3 == 2).map(|n| format!("{n:02}")).collect();
        assert_eq!(ids(&db).await, expected);
    }

    async fn sequences_only_grow(test: TestDb) {
        let db = tables(&test).await;
        let draws = (0..16).map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for turn in 0..8 {
                    let drawn: Result<u64, StoreError> = db.write("draw", move |tx| Box::pin(async move {
                        let drawn = tx.next(Sequence::FENCE).await?;
                        // A number drawn in vain is drawn again: nobody has seen it.
                        if (n + turn) % 5 == 0 { Err(StoreError::misuse("draw", "on purpose")) } else { Ok(drawn) }
                    })).await;
                    seen.extend(drawn.ok());
                }
                assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
                seen
            })
        });
        let all: Vec<u64> = join_all(draws).await.into_iter().flat_map(|seen| seen.unwrap()).collect();
        let distinct: BTreeSet<u64> = all.iter().copied().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(distinct.first(), Some(&1));
        let block: Result<(u64, u64), StoreError> = db.write("draw", |tx| Box::pin(async move {
            Ok((tx.next_many(Sequence::CHANGE, 10).await?, tx.next(Sequence::CHANGE).await?))
        })).await;
        assert_eq!(block.unwrap(), (1, 11));
    }

    async fn a_read_is_one_snapshot_and_cannot_write(test: TestDb) {
        let db = tables(&test).await;
        insert(&db, "a", None).await.unwrap();
        // The write happens while the read is open; std's channel, since a closure may not wait on tokio's.
        let (opened, wait_opened) = tokio::sync::oneshot::channel();
        let (written, wait_written) = std::sync::mpsc::channel();
        let reader = tokio::spawn({
            let db = db.clone();
            async move {
                let counts: Result<(i64, i64), StoreError> = db.read("snapshot", move |tx| Box::pin(async move {
                    let sql = "SELECT count(*) AS n FROM thing";
                    let before = tx.query_one(sql, &[]).await?.get("n")?;
                    opened.send(()).unwrap();
                    tokio::task::block_in_place(|| wait_written.recv_timeout(Duration::from_secs(10))).unwrap();
                    Ok((before, tx.query_one(sql, &[]).await?.get("n")?))
                })).await;
                counts.unwrap()
            }
        });
        wait_opened.await.unwrap();
        insert(&db, "b", None).await.unwrap();
        written.send(()).unwrap();
        assert_eq!(reader.await.unwrap(), (1, 1));
        assert_eq!(ids(&db).await, ["a", "b"]);

        let refused: Result<u64, StoreError> = db.read("writes", |tx| Box::pin(async move {
            tx.execute("DELETE FROM thing", &[]).await
        })).await;
        assert!(matches!(refused, Err(StoreError::Misuse { .. })), "{refused:?}");
        assert_eq!(ids(&db).await.len(), 2);
    }

    async fn a_fan_out_inserts_all_or_none(test: TestDb) {
        let db = tables(&test).await;
        let fan_out = |count: u32| {
            let rows: Vec<_> = (0..count).map(|n| params![format!("{n:05}"), n % 1000]).collect();
            db.write("fan out", move |tx| Box::pin(async move {
                tx.execute_each("INSERT INTO thing (id, number) VALUES ($1, $2)", &rows).await
            }))
        };
        let done: Result<u64, StoreError> = fan_out(0).await;
        assert_eq!(done.unwrap(), 0);
        let done: Result<u64, StoreError> = fan_out(2_000).await;
        assert_eq!(done.unwrap(), 2_000);
        let again: Result<u64, StoreError> = fan_out(3_000).await;
        assert_eq!(again.unwrap_err().unique(), Some("thing_pkey"));
        assert_eq!(ids(&db).await.len(), 2_000);
    }

    async fn claims_of_two_workers_are_disjoint(test: TestDb) {
        let db = tables(&test).await;
        let rows: Vec<_> = (0..200_u32).map(|n| params![format!("{n:03}")]).collect();
        let made: Result<u64, StoreError> = db.write("queue", move |tx| Box::pin(async move {
            tx.execute_each("INSERT INTO thing (id, number) VALUES ($1, 0)", &rows).await
        })).await;
        made.unwrap();
        let workers = (1..=4_u32).map(|worker| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claimed: Result<Vec<Row>, StoreError> = db.write("claim", move |tx| Box::pin(async move {
                        let sql = "UPDATE thing SET number = $1 WHERE id IN \
                            (SELECT id FROM thing WHERE number = 0 ORDER BY id LIMIT $2 /*skip-locked*/) RETURNING id";
                        tx.query(sql, &params![worker, 7_i64]).await
                    })).await;
                    let claimed = claimed.unwrap();
                    if claimed.is_empty() {
                        break mine;
                    }
                    mine.extend(claimed.iter().map(|row| row.get::<String>("id").unwrap()));
                }
            })
        });
        let all: Vec<String> = join_all(workers).await.into_iter().flat_map(|mine| mine.unwrap()).collect();
        assert_eq!(all.len(), 200);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200);
    }

    async fn text_compares_by_bytes(test: TestDb) {
        let db = test.db.clone();
        let rows = ["b", "B", "a_x", "a%x", "\u{e4}", "Z"].map(|name| params![name, "x"]);
        let found: Result<(Vec<Row>, i64), StoreError> = db.write("sort", move |tx| Box::pin(async move {
            tx.execute_each("INSERT INTO meta (key, value) VALUES ($1, $2)", &rows).await?;
            let like = tx.query_one("SELECT count(*) AS n FROM meta WHERE key LIKE 'b%'", &[]).await?.get("n")?;
            Ok((tx.query("SELECT key FROM meta ORDER BY key", &[]).await?, like))
        })).await;
        let (rows, like) = found.unwrap();
        let sorted: Vec<String> = rows.iter().map(|row| row.get("key").unwrap()).collect();
        assert_eq!(sorted, ["B", "Z", "a%x", "a_x", "b", "\u{e4}"]);
        assert_eq!(like, 1);
    }

    async fn the_time_is_the_databases(test: TestDb) {
        let one = test.db.now().await.unwrap();
        let two: Result<Timestamp, StoreError> = test.db.read("now", |tx| Box::pin(tx.now())).await;
        assert!(one <= two.unwrap());
        if test.place.starts_with("host=") {
            assert_ne!(one, test.clock.now());
        } else {
            assert_eq!(one, test.clock.now());
        }
    }
}

fn lane(account: &str) -> Topic {
    Topic::Jobs {
        account: account.parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
    }
}
