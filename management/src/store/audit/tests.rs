//! Both databases chain the log alike, whoever writes at the same time, and whatever is done to a row is found (P7).

use std::fmt::Write as _;

use futures::future::join_all;
use hadron_domain::audit::{Amiss, Known, Verdict, Verifier};

use super::*;
use crate::store::db::testing::{TestDb, on_both};
use crate::store::{Db, Value, requests};

/// Rows whose texts are not easy.
fn record(at: i64) -> Record {
    let texts = [
        "plain",
        "",
        "quotes \" ' and \\ back",
        "line\nbreak\ttab \u{1}\u{1f}",
        "ünïcödé \u{1F980} e\u{301} \u{FEFF} \u{2028}",
        "{\"sequence\":1,\"x\":[]}",
        "% _ $1 ?1 || NULL",
    ];
    let text = |shift: i64| {
        let at = usize::try_from((at + shift).rem_euclid(7)).unwrap();
        texts[at].to_owned()
    };
    Record {
        sequence: 0,
        at: at - 3,
        principal: text(0),
        account: (at % 2 == 0).then(|| text(1)),
        action: text(2),
        object: text(3).repeat(usize::try_from(at % 40).unwrap()),
        outcome: text(4),
        detail: text(5),
        request_id: (at % 3 == 0).then(|| text(6)),
        source: (at % 3 != 1).then(|| text(0)),
        user_agent: (at % 5 == 0).then(|| text(1)),
    }
}

async fn write(db: &Db, records: Vec<Record>) {
    let done: Result<(), StoreError> = db
        .write("rows", move |tx| {
            Box::pin(async move {
                for record in &records {
                    append(tx, record);
                }
                Ok(())
            })
        })
        .await;
    done.unwrap();
}

/// Everything, as a hub of the release before would write it.
async fn write_bare(db: &Db, at: i64) {
    let done: Result<(), StoreError> = db
        .write("bare row", move |tx| {
            Box::pin(async move {
                tx.late(
                    Late::Audit,
                    None,
                    "INSERT INTO audit (sequence, at, principal, account, action, object, outcome, detail)
                     VALUES ((SELECT value FROM sequence WHERE name = 'audit') - $1, $2, 'token:ci', NULL, 'CreateService', 'a', 'done', '')",
                    params![at].to_vec(),
                );
                Ok(())
            })
        })
        .await;
    done.unwrap();
}

async fn all(tx: &mut Tx) -> Result<Vec<(Record, Option<String>)>, StoreError> {
    after(tx, i64::MIN, 100_000).await
}

async fn verdict(tx: &mut Tx, checkpoints: Vec<Checkpoint>) -> Result<Verdict, StoreError> {
    let known = Known {
        pins: pins(tx).await?,
        checkpoints,
        drawn: Some(drawn(tx).await?),
        seen: None,
    };
    let mut verifier = Verifier::new(known);
    for (record, hash) in all(tx).await? {
        verifier.row(&record, hash.as_deref());
    }
    Ok(verifier.finish())
}

async fn verified(db: &Db) -> Verdict {
    let verdict: Result<Verdict, StoreError> = db
        .read("verify", |tx| {
            Box::pin(async move { verdict(tx, Vec::new()).await })
        })
        .await;
    verdict.unwrap()
}

async fn rows(db: &Db) -> Vec<(Record, Option<String>)> {
    let rows: Result<Vec<_>, StoreError> = db.read("rows", |tx| Box::pin(async move { all(tx).await })).await;
    rows.unwrap()
}

on_both! {
    async fn both_databases_make_the_hash_that_the_rules_make(test: TestDb) {
        // Alone, several in one transaction, and so many that they do not go out together with COMMIT.
        for chunk in [0..1_i64, 1..8, 8..60] {
            write(&test.db, chunk.map(record).collect()).await;
        }
        let mut before = NOTHING.to_owned();
        let found = rows(&test.db).await;
        assert_eq!(found.len(), 60);
        for (at, (found, hash)) in (0..).zip(&found) {
            let expected = Record { sequence: at + 1, ..record(at) };
            assert_eq!(*found, expected);
            before = expected.hash(&before);
            assert_eq!(hash.as_deref(), Some(before.as_str()), "row {}", at + 1);
        }
        // The same rows give the same hash, wherever they are: this one was made elsewhere.
        assert_eq!(before, "594fb2b7d57c70aa2e6a109f8c9b0a0123d26fbd5508f5c827fcb299147eb9ac");
        assert_eq!(verified(&test.db).await.amiss, []);
    }

    async fn whoever_writes_at_the_same_time_makes_one_chain(test: TestDb) {
        let other = test.open_again().await;
        let writers = (0..8_i64).map(|writer| {
            let db = if writer % 2 == 0 { test.db.clone() } else { other.clone() };
            async move {
                for round in 0..12 {
                    write(&db, (0..=round % 3).map(|more| record(writer * 100 + round + more)).collect()).await;
                }
            }
        });
        join_all(writers).await;
        let verdict = verified(&test.db).await;
        assert_eq!((verdict.amiss, verdict.rows, verdict.chained), (Vec::new(), 8 * 24, 8 * 24));
    }

    async fn what_is_undone_leaves_no_trace_in_the_chain(test: TestDb) {
        write(&test.db, vec![record(1)]).await;
        let undone: Result<(), StoreError> = test.db.write("undone", |tx| Box::pin(async move {
            append(tx, &record(2));
            Err(StoreError::misuse("undone", "on purpose"))
        })).await;
        assert!(undone.is_err());
        write(&test.db, vec![record(3)]).await;
        let verdict = verified(&test.db).await;
        assert_eq!((verdict.amiss, verdict.rows), (Vec::new(), 2));
    }

    async fn rows_of_an_earlier_release_are_told_until_they_are_pinned(test: TestDb) {
        for at in 1..=3 {
            write_bare(&test.db, at).await;
        }
        write(&test.db, vec![record(4)]).await;
        write_bare(&test.db, 5).await;
        write(&test.db, vec![record(6)]).await;
        let found = verified(&test.db).await.amiss;
        assert_eq!(found, [Amiss::Unchained { from: 1, to: 3 }, Amiss::Unchained { from: 5, to: 5 }]);
        let spans: Result<[Option<(i64, i64)>; 3], StoreError> = test.db.read("bare", |tx| Box::pin(async move {
            Ok([bare(tx, 0).await?, bare(tx, 3).await?, bare(tx, 5).await?])
        })).await;
        assert_eq!(spans.unwrap(), [Some((1, 5)), Some((5, 5)), None]);
    }

    async fn where_a_call_came_from_stands_in_its_row(test: TestDb) {
        let done: Result<(), StoreError> = test.db.write("told", |tx| Box::pin(async move {
            tx.set_origin(Origin {
                source: Some("2001:db8::1".parse().unwrap()),
                user_agent: Some("aws-cli/2".to_owned()),
                request_id: Some("0192".to_owned()),
                ..Origin::default()
            });
            requests::audit(tx, Timestamp::from_micros(7), "token:ci", None, "CreateService", "a", "done", "").await
        })).await;
        done.unwrap();
        // And not in that of the next transaction on the same connection.
        let done: Result<(), StoreError> = test.db.write("silent", |tx| Box::pin(async move {
            requests::audit(tx, Timestamp::from_micros(8), "hub", None, "Recover", "a", "done", "").await
        })).await;
        done.unwrap();
        let rows = rows(&test.db).await;
        let told: Vec<_> = rows.iter().map(|(row, _)| (row.source.as_deref(), row.user_agent.as_deref(), row.request_id.as_deref())).collect();
        assert_eq!(told, [(Some("2001:db8::1"), Some("aws-cli/2"), Some("0192")), (None, None, None)]);
    }

    async fn checkpoints_come_back_in_their_order(test: TestDb) {
        write(&test.db, (0..5).map(record).collect()).await;
        let kept: Result<_, StoreError> = test.db.write("checkpoints", |tx| Box::pin(async move {
            let end = end(tx, "hub-0123456789abcdef").await?;
            for (generation, sequence) in [(0, 2), (1, 3), (1, 5)] {
                let checkpoint = Checkpoint { generation, sequence, ..end.clone().unwrap() };
                let signed = Signed { checkpoint, key: "k".to_owned(), signature: "s".to_owned() };
                put_checkpoint(tx, &signed).await?;
                // Once more is nothing more.
                put_checkpoint(tx, &signed).await?;
            }
            Ok((end, checkpoints(tx, (0, 2), 10).await?, last_checkpoint(tx).await?))
        })).await;
        let (end, behind, last) = kept.unwrap();
        let end = end.unwrap();
        assert_eq!((end.sequence, end.generation), (5, 0));
        assert_eq!(Some(end.hash), rows(&test.db).await.pop().unwrap().1);
        let behind: Vec<i64> = behind.iter().map(|signed| signed.checkpoint.sequence).collect();
        assert_eq!(behind, [3, 5]);
        assert_eq!(last.unwrap().checkpoint.sequence, 5);
    }

    async fn exports_are_filtered(test: TestDb) {
        let rows = (0..6_i64).map(|at| Record {
            at,
            account: Some(if at % 2 == 0 { "111111111111" } else { "222222222222" }.to_owned()),
            action: if at < 4 { "CreateService" } else { "DeleteService" }.to_owned(),
            ..record(1)
        });
        write(&test.db, rows.collect()).await;
        let at = |at| Some(Timestamp::from_micros(at));
        let filters = [
            (Filter::default(), vec![1, 2, 3, 4, 5, 6]),
            (Filter { since: at(2), until: at(5), ..Filter::default() }, vec![3, 4, 5]),
            (Filter { account: Some("222222222222".to_owned()), ..Filter::default() }, vec![2, 4, 6]),
            (Filter { account: Some("222222222222".to_owned()), action: Some("DeleteService".to_owned()), ..Filter::default() }, vec![6]),
        ];
        for (filter, expected) in filters {
            let found: Result<Vec<i64>, StoreError> = test.db.read("export", move |tx| Box::pin(async move {
                let rows = exported(tx, &filter, 0, 100).await?;
                Ok(rows.into_iter().map(|(row, _)| row.sequence).collect())
            })).await;
            assert_eq!(found.unwrap(), expected);
        }
    }

    /// P7 on the databases themselves: every mutation of every row, each undone again after it was looked at.
    async fn any_single_mutation_is_found(test: TestDb) {
        const ROWS: i64 = 24;
        for at in 1..=3 {
            write_bare(&test.db, at).await;
        }
        pin(&test.db, 1, 3).await;
        write(&test.db, (5..=ROWS).map(record).collect()).await;
        let whole = rows(&test.db).await;
        let checkpoint = |sequence: i64| Checkpoint {
            hub: "hub-0123456789abcdef".to_owned(),
            generation: 0,
            sequence,
            hash: whole[usize::try_from(sequence).unwrap() - 1].1.clone().unwrap(),
            at: Timestamp::from_micros(0),
        };
        let checkpoints = vec![checkpoint(8), checkpoint(16), checkpoint(ROWS)];
        let untouched: Result<Verdict, StoreError> = test.db.read("verify", {
            let checkpoints = checkpoints.clone();
            move |tx| Box::pin(async move { verdict(tx, checkpoints).await })
        }).await;
        assert_eq!(untouched.unwrap().amiss, []);
        let mut tried = 0;
        for row in 1..=ROWS {
            for (name, mutation) in mutations(row, ROWS, &whole) {
                let found = mutated(&test.db, mutation, checkpoints.clone()).await;
                let named = |what: &Amiss| match what {
                    Amiss::Altered { sequence } => *sequence == row || *sequence == row + 1,
                    Amiss::Exchanged { one, other } => *one == row || *other == row,
                    Amiss::Missing { from, to } | Amiss::Added { from, to } | Amiss::Unchained { from, to }
                    | Amiss::Unpinned { from, to, .. } | Amiss::Rewritten { from, to, .. } => (*from..=*to).contains(&row),
                    Amiss::CutOff { last, .. } | Amiss::Ends { last, .. } => *last < row,
                };
                // What was put in is found at the end, where a number too many is.
                let found_at_all = name == "insert" && !found.amiss.is_empty();
                assert!(found_at_all || found.amiss.iter().any(named), "{name} of row {row}: {:?}", found.amiss);
                tried += 1;
            }
        }
        assert!(tried > 24 * 15, "{tried}");
    }
}

async fn pin(db: &Db, from: i64, to: i64) {
    let rows = rows(db).await;
    let mut pinning = hadron_domain::audit::Pinning::default();
    for (row, _) in rows.iter().filter(|(row, _)| (from..=to).contains(&row.sequence)) {
        pinning.row(row);
    }
    let pin = Pin {
        from,
        to,
        after: NOTHING.to_owned(),
        hash: pinning.hash().to_owned(),
    };
    let record = Record {
        at: 4,
        principal: "hub".to_owned(),
        action: hadron_domain::audit::PIN.to_owned(),
        outcome: "done".to_owned(),
        detail: serde_json::to_string(&pin).unwrap(),
        ..Record::default()
    };
    write(db, vec![record]).await;
}

type Script = Vec<(&'static str, Vec<Value>)>;

/// What may be done to a row, as statements.
fn mutations(row: i64, rows: i64, whole: &[(Record, Option<String>)]) -> Vec<(&'static str, Script)> {
    let mut all: Vec<(&'static str, Script)> = Vec::new();
    let edits: [(&'static str, &'static str); 9] = [
        (
            "principal",
            "UPDATE audit SET principal = principal || 'x' WHERE sequence = $1",
        ),
        (
            "account",
            "UPDATE audit SET account = COALESCE(account, '') || '1' WHERE sequence = $1",
        ),
        (
            "action",
            "UPDATE audit SET action = action || 'x' WHERE sequence = $1",
        ),
        (
            "object",
            "UPDATE audit SET object = object || 'x' WHERE sequence = $1",
        ),
        (
            "outcome",
            "UPDATE audit SET outcome = outcome || 'x' WHERE sequence = $1",
        ),
        (
            "detail",
            "UPDATE audit SET detail = detail || ' ' WHERE sequence = $1",
        ),
        ("at", "UPDATE audit SET at = at + 1 WHERE sequence = $1"),
        (
            "source",
            "UPDATE audit SET source = COALESCE(source, '') || '1' WHERE sequence = $1",
        ),
        (
            "request",
            "UPDATE audit SET request_id = COALESCE(request_id, '') || '1' WHERE sequence = $1",
        ),
    ];
    for (name, sql) in edits {
        all.push((name, vec![(sql, params![row].to_vec())]));
    }
    let bare = whole[usize::try_from(row).unwrap() - 1].1.is_none();
    if !bare {
        all.push((
            "no hash",
            vec![(
                "UPDATE audit SET hash = NULL WHERE sequence = $1",
                params![row].to_vec(),
            )],
        ));
    }
    all.push((
        "another hash",
        vec![(
            "UPDATE audit SET hash = $2 WHERE sequence = $1",
            params![row, "ab".repeat(32)].to_vec(),
        )],
    ));
    all.push((
        "delete",
        vec![("DELETE FROM audit WHERE sequence = $1", params![row].to_vec())],
    ));
    let other = if row == rows { row - 1 } else { row + 1 };
    all.push((
        "exchange",
        vec![
            (
                "UPDATE audit SET sequence = -1 WHERE sequence = $1",
                params![row].to_vec(),
            ),
            (
                "UPDATE audit SET sequence = $1 WHERE sequence = $2",
                params![row, other].to_vec(),
            ),
            (
                "UPDATE audit SET sequence = $1 WHERE sequence = -1",
                params![other].to_vec(),
            ),
        ],
    ));
    all.push((
        "truncate",
        vec![
            ("DELETE FROM audit WHERE sequence >= $1", params![row].to_vec()),
            (
                "UPDATE sequence SET value = $1 WHERE name = 'audit'",
                params![row - 1].to_vec(),
            ),
        ],
    ));
    // Whoever does this knows how the chain is made.
    let mut rewrite: Script = vec![(
        "UPDATE audit SET object = 'rewritten' WHERE sequence = $1",
        params![row].to_vec(),
    )];
    let mut insert: Script = Vec::new();
    let at = usize::try_from(row).unwrap() - 1;
    let mut before = at
        .checked_sub(1)
        .and_then(|at| whole[at].1.clone())
        .unwrap_or_else(|| NOTHING.to_owned());
    for (behind, (record, hash)) in whole[at..].iter().enumerate() {
        let mut record = record.clone();
        if behind == 0 {
            record.object = "rewritten".to_owned();
        }
        before = if hash.is_some() || behind == 0 {
            record.hash(&before)
        } else {
            continue;
        };
        rewrite.push((
            "UPDATE audit SET hash = $2 WHERE sequence = $1",
            params![record.sequence, before.clone()].to_vec(),
        ));
    }
    all.push(("rewrite", rewrite));
    for (record, _) in whole[at..].iter().rev() {
        insert.push((
            "UPDATE audit SET sequence = $2 WHERE sequence = $1",
            params![record.sequence, record.sequence + 1].to_vec(),
        ));
    }
    let mut new = record(row);
    new.sequence = row;
    insert.push((
        "INSERT INTO audit (sequence, at, principal, account, action, object, outcome, detail, hash)
         VALUES ($1, $2, $3, NULL, 'a', 'b', 'done', '', $4)",
        params![row, new.at, &new.principal, "cd".repeat(32)].to_vec(),
    ));
    all.push(("insert", insert));
    all
}

/// Does it, looks, and undoes it.
async fn mutated(db: &Db, script: Script, checkpoints: Vec<Checkpoint>) -> Verdict {
    struct Undo(Result<Verdict, StoreError>);
    impl From<StoreError> for Undo {
        fn from(error: StoreError) -> Self {
            Self(Err(error))
        }
    }
    let undone: Result<(), Undo> = db
        .write("mutation", move |tx| {
            Box::pin(async move {
                for (sql, params) in script {
                    tx.execute(sql, &params).await?;
                }
                Err(Undo(verdict(tx, checkpoints).await))
            })
        })
        .await;
    let Err(Undo(verdict)) = undone else {
        panic!("it was kept")
    };
    let mut told = String::new();
    let verdict = verdict.unwrap();
    for what in &verdict.amiss {
        // Whatever is found can be said.
        let _ = writeln!(told, "{what}");
    }
    assert!(verdict.amiss.is_empty() || told.contains("row"), "{told}");
    verdict
}

/// What a row costs with its hash, and without: alternating, so that whatever else the machine does falls on both.
async fn measured(test: &TestDb, name: &str) {
    const ROUNDS: usize = 10;
    const EACH: i64 = 200;
    let (mut bare, mut chained) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (times, is_chained) in [(&mut bare, false), (&mut chained, true)] {
            let began = std::time::Instant::now();
            let writers = (0..8).map(|_| async {
                for at in 0..EACH / 8 {
                    if is_chained {
                        write(&test.db, vec![record(at)]).await;
                    } else {
                        write_bare(&test.db, at).await;
                    }
                }
            });
            join_all(writers).await;
            times.push(began.elapsed());
        }
    }
    let median = |times: &mut Vec<std::time::Duration>| {
        times.sort_unstable();
        f64::from(u32::try_from(EACH).unwrap()) / times[times.len() / 2].as_secs_f64()
    };
    let (bare, chained) = (median(&mut bare), median(&mut chained));
    println!(
        "{name}: {bare:.0} transactions a second without a hash, {chained:.0} with one: {:.2}",
        chained / bare
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and says nothing about right and wrong; to see the figures run: \
            cargo nextest run --workspace --all-features --locked --run-ignored only --no-capture -E 'test(what_the_chain_costs)'"]
async fn what_the_chain_costs() {
    measured(&crate::store::db::testing::sqlite().await, "SQLite").await;
    measured(&crate::store::db::testing::postgres().await, "PostgreSQL").await;
}
