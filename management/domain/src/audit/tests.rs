//! The chain by itself. That both databases make the same one is tested with the store.

use hadron_proto::vocab::Timestamp;
use proptest::prelude::*;

use super::*;

fn record(sequence: i64) -> Record {
    Record {
        sequence,
        at: 1_700_000_000_000_000 + sequence,
        principal: format!("arn:aws:iam::111111111111:role/r{}", sequence % 3),
        account: (sequence % 2 == 0).then(|| "111111111111".to_owned()),
        action: "CreateService".to_owned(),
        object: format!("shop-{sequence}"),
        outcome: "done".to_owned(),
        detail: String::new(),
        request_id: (sequence % 2 == 1).then(|| format!("call-{sequence}")),
        source: Some("192.0.2.1".to_owned()),
        user_agent: None,
    }
}

/// A log: rows with what is stored as their hash.
type Log = Vec<(Record, Option<String>)>;

/// The first `bare` rows have no hash; the first row with one pins them.
fn log(count: i64, bare: i64) -> (Log, Known) {
    let (mut log, mut before, mut pinning) = (Log::new(), NOTHING.to_owned(), Pinning::default());
    let mut known = Known {
        drawn: Some(count),
        ..Known::default()
    };
    for sequence in 1..=count {
        let mut record = record(sequence);
        if sequence <= bare {
            pinning.row(&record);
            log.push((record, None));
            continue;
        }
        if bare > 0 && sequence == bare + 1 {
            let pin = Pin {
                from: 1,
                to: bare,
                after: NOTHING.to_owned(),
                hash: pinning.hash().to_owned(),
            };
            record.action = PIN.to_owned();
            record.detail = serde_json::to_string(&pin).unwrap();
            known.pins.push((sequence, pin));
        }
        before = record.hash(&before);
        log.push((record, Some(before.clone())));
    }
    (log, known)
}

fn checkpoint(log: &Log, sequence: i64) -> Checkpoint {
    let at = usize::try_from(sequence).unwrap() - 1;
    Checkpoint {
        hub: "hub-0123456789abcdef".to_owned(),
        generation: 0,
        sequence,
        hash: log[at].1.clone().unwrap(),
        at: Timestamp::from_micros(1_700_000_000_000_000),
    }
}

fn verify(log: &Log, known: Known) -> Verdict {
    let mut verifier = Verifier::new(known);
    for (record, stored) in log {
        verifier.row(record, stored.as_deref());
    }
    verifier.finish()
}

fn told(log: &Log, known: Known) -> Vec<Amiss> {
    verify(log, known).amiss
}

/// Computes all hashes from this row on anew, as somebody would who knows how.
fn rehash(log: &mut Log, from: usize) {
    let mut before = from
        .checked_sub(1)
        .and_then(|at| log[at].1.clone())
        .unwrap_or_else(|| NOTHING.to_owned());
    for (record, stored) in &mut log[from..] {
        before = record.hash(&before);
        *stored = Some(before.clone());
    }
}

#[test]
fn a_hash_can_be_computed_by_hand() {
    let record = Record {
        sequence: 7,
        at: 1,
        principal: "token:ci".to_owned(),
        account: None,
        action: "CreateService".to_owned(),
        object: "a \"b\" \\ \u{1} ü".to_owned(),
        outcome: "done".to_owned(),
        detail: String::new(),
        request_id: Some("r".to_owned()),
        source: None,
        user_agent: Some("aws-cli/2".to_owned()),
    };
    let json = r#"{"action":"CreateService","at":1,"detail":"","object":"a \"b\" \\ \u0001 ü","outcome":"done","principal":"token:ci","request_id":"r","sequence":7,"user_agent":"aws-cli/2"}"#;
    assert_eq!(record.json(), json);
    let text = format!("{NOTHING}:{}:{json}", json.len());
    assert_eq!(record.hash(NOTHING), Digest::of(text.as_bytes()).hex());
    // JSON with its members in order, as anything else reads and writes it.
    let read: serde_json::Value = serde_json::from_str(json).unwrap();
    let mut sorted = read;
    sorted.sort_all_objects();
    assert_eq!(sorted.to_string(), json);
}

#[test]
fn a_whole_log_is_whole() {
    for bare in [0, 1, 4] {
        let (log, mut known) = log(12, bare);
        known.checkpoints = vec![checkpoint(&log, 9), checkpoint(&log, 12)];
        let verdict = verify(&log, known);
        assert_eq!(verdict.amiss, [], "{bare}");
        assert_eq!(
            (verdict.rows, verdict.last, verdict.agreed, verdict.checkpoints),
            (12, 12, 12, 2)
        );
        assert_eq!(verdict.chained, u64::try_from(12 - bare).unwrap());
        assert_eq!(Some(verdict.hash), log[11].1);
    }
    assert_eq!(verify(&Log::new(), Known::default()).amiss, []);
}

#[test]
fn whatever_is_done_to_a_row_is_told_with_its_number() {
    let (whole, known) = log(12, 0);
    let mut edited = whole.clone();
    edited[4].0.outcome = "denied".to_owned();
    assert_eq!(told(&edited, known.clone()), [Amiss::Altered { sequence: 5 }]);

    let mut hashed = whole.clone();
    hashed[4].1 = Some(NOTHING.to_owned());
    assert_eq!(told(&hashed, known.clone()), [Amiss::Altered { sequence: 5 }]);

    let mut bare = whole.clone();
    bare[4].1 = None;
    let amiss = told(&bare, known.clone());
    assert!(amiss.contains(&Amiss::Unchained { from: 5, to: 5 }), "{amiss:?}");

    let mut removed = whole.clone();
    removed.drain(4..6);
    assert_eq!(told(&removed, known.clone()), [Amiss::Missing { from: 5, to: 6 }]);

    // Those who know how give the row behind it a hash that fits; it has to follow what is there.
    let mut joined = whole.clone();
    joined.remove(4);
    for (record, _) in &mut joined[4..] {
        record.sequence -= 1;
    }
    rehash(&mut joined, 4);
    let ends = Amiss::Ends {
        last: 11,
        drawn: 12,
        known: "the database has given numbers",
    };
    assert_eq!(told(&joined, known.clone()), [ends]);

    for last in [0, 7] {
        let mut cut = whole.clone();
        cut.truncate(last);
        let last = i64::try_from(last).unwrap();
        let ends = Amiss::Ends {
            last,
            drawn: 12,
            known: "the database has given numbers",
        };
        assert_eq!(told(&cut, known.clone()), [ends]);
    }

    let mut added = whole.clone();
    let mut more = record(13);
    more.object = "never".to_owned();
    let hash = more.hash(whole[11].1.as_deref().unwrap());
    added.push((more, Some(hash)));
    assert_eq!(told(&added, known.clone()), [Amiss::Added { from: 13, to: 13 }]);
    let mut below = whole;
    below.insert(0, (record(0), None));
    assert_eq!(told(&below, known), [Amiss::Added { from: 0, to: 0 }]);
}

#[test]
fn rows_that_took_each_others_place_are_told_as_that() {
    let (whole, known) = log(12, 0);
    for (one, other) in [(3, 8), (3, 4), (0, 11), (10, 11)] {
        for with_hashes in [false, true] {
            let mut swapped = whole.clone();
            swapped.swap(one, other);
            swapped[one].0.sequence = whole[one].0.sequence;
            swapped[other].0.sequence = whole[other].0.sequence;
            if !with_hashes {
                swapped[one].1 = whole[one].1.clone();
                swapped[other].1 = whole[other].1.clone();
            }
            let expected = Amiss::Exchanged {
                one: whole[one].0.sequence,
                other: whole[other].0.sequence,
            };
            let verdict = verify(&swapped, known.clone());
            assert_eq!(
                (verdict.amiss, verdict.count),
                (vec![expected], 1),
                "{one} {other} {with_hashes}"
            );
        }
    }
}

#[test]
fn what_is_hashed_anew_disagrees_with_the_next_checkpoint() {
    let (whole, mut known) = log(12, 0);
    known.checkpoints = vec![checkpoint(&whole, 4), checkpoint(&whole, 9)];
    let nine = checkpoint(&whole, 9);
    let mut rewritten = whole.clone();
    rewritten[6].0.principal = "somebody else".to_owned();
    rehash(&mut rewritten, 6);
    let amiss = Amiss::Rewritten {
        from: 5,
        to: 9,
        checkpoint: nine.clone(),
    };
    assert_eq!(told(&rewritten, known.clone()), [amiss]);

    // The whole end is gone, and with it the database's count.
    let mut cut = whole.clone();
    cut.truncate(6);
    known.drawn = Some(6);
    let amiss = Amiss::CutOff {
        last: 6,
        checkpoint: nine.clone(),
    };
    assert_eq!(told(&cut, known.clone()), [amiss]);

    // A chain without hashes is none.
    let bare: Log = whole.iter().map(|(record, _)| (record.clone(), None)).collect();
    known.drawn = Some(12);
    let amiss = told(&bare, known.clone());
    assert!(
        amiss.iter().any(|what| what.checkpoint() == Some(&nine)),
        "{amiss:?}"
    );
    assert!(amiss.contains(&Amiss::Unchained { from: 1, to: 12 }), "{amiss:?}");

    // What the hub has seen counts where there is no checkpoint yet.
    let mut cut = whole;
    cut.truncate(10);
    known.drawn = Some(10);
    known.seen = Some(12);
    let ends = Amiss::Ends {
        last: 10,
        drawn: 12,
        known: "the hub has seen rows",
    };
    assert_eq!(told(&cut, known), [ends]);
}

#[test]
fn rows_of_before_the_chain_are_pinned_by_it() {
    let (whole, known) = log(12, 5);
    let unpinned = Amiss::Unpinned {
        from: 1,
        to: 5,
        by: 6,
    };
    let mut edited = whole.clone();
    edited[2].0.object = "another".to_owned();
    let found = told(&edited, known.clone());
    assert_eq!(found, std::slice::from_ref(&unpinned));
    let mut removed = whole.clone();
    removed.remove(2);
    assert_eq!(
        told(&removed, known.clone()),
        [Amiss::Missing { from: 3, to: 3 }, unpinned]
    );
    // Without the pin they are rows without a hash, and said to be.
    let unpinned = Known {
        pins: Vec::new(),
        ..known
    };
    assert_eq!(told(&whole, unpinned), [Amiss::Unchained { from: 1, to: 5 }]);
}

/// One change to a log.
#[derive(Clone, Debug)]
enum Mutation {
    Edit(usize, usize, String),
    Hash(usize, [u8; 32]),
    Bare(usize),
    Remove(usize),
    Truncate(usize),
    Swap(usize, usize, bool),
    Insert(usize),
    Rewrite(usize, String),
}

fn mutations(rows: usize) -> impl Strategy<Value = Mutation> {
    let text = "[ -~äß\u{1}\"]{0,12}";
    prop_oneof![
        4 => (0..rows, 0..11_usize, text).prop_map(|(row, field, text)| Mutation::Edit(row, field, text)),
        1 => (0..rows, any::<[u8; 32]>()).prop_map(|(row, hash)| Mutation::Hash(row, hash)),
        1 => (0..rows).prop_map(Mutation::Bare),
        2 => (0..rows).prop_map(Mutation::Remove),
        1 => (0..rows).prop_map(Mutation::Truncate),
        2 => (0..rows, 0..rows, any::<bool>()).prop_map(|(one, other, hash)| Mutation::Swap(one, other, hash)),
        1 => (0..rows).prop_map(Mutation::Insert),
        2 => (0..rows, text).prop_map(|(row, text)| Mutation::Rewrite(row, text)),
    ]
}

/// Applies it; `None` where it changes nothing. Otherwise gives the first row that is not what it was.
fn mutate(log: &mut Log, mutation: &Mutation) -> Option<i64> {
    let before = log.clone();
    match mutation.clone() {
        Mutation::Edit(row, field, text) => {
            let record = &mut log[row].0;
            match field {
                0 => record.principal = text,
                1 => record.account = Some(text),
                2 => record.action = text,
                3 => record.object = text,
                4 => record.outcome = text,
                5 => record.detail = text,
                6 => record.request_id = Some(text),
                7 => record.source = None,
                8 => record.user_agent = Some(text),
                9 => record.at += i64::try_from(text.len()).unwrap(),
                _ => record.account = None,
            }
        }
        Mutation::Hash(row, hash) => log[row].1 = Some(Digest::from_bytes(hash).hex()),
        Mutation::Bare(row) => log[row].1 = None,
        Mutation::Remove(row) => drop(log.remove(row)),
        Mutation::Truncate(row) => log.truncate(row),
        Mutation::Swap(one, other, hash) => {
            log.swap(one, other);
            for at in [one, other] {
                log[at].0.sequence = before[at].0.sequence;
                if !hash {
                    log[at].1 = before[at].1.clone();
                }
            }
        }
        Mutation::Insert(row) => {
            // Everything behind it moves, and the database's count is not his to change.
            let mut new = record(before[row].0.sequence);
            new.object = "put in".to_owned();
            log.insert(row, (new, None));
            for (record, _) in &mut log[row + 1..] {
                record.sequence += 1;
            }
            rehash(log, row);
        }
        Mutation::Rewrite(row, text) => {
            if log[row].0.object == text {
                return None;
            }
            log[row].0.object = text;
            rehash(log, row);
        }
    }
    (*log != before).then(|| {
        let same = log
            .iter()
            .zip(&before)
            .take_while(|(now, was)| now == was)
            .count();
        before.get(same).map_or(0, |(record, _)| record.sequence)
    })
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(debug_assertions) { 10_000 } else { 100_000 })
}

proptest! {
    #![proptest_config(cases())]

    /// P7: any single change is found, and what is told begins at or before the row that was changed.
    #[test]
    fn any_single_mutation_is_found(
        (rows, mutation) in (1..20_usize).prop_flat_map(|rows| (Just(rows), mutations(rows))),
        bare in 0..3_i64,
    ) {
        let rows = i64::try_from(rows).unwrap() + bare + 1;
        let (mut log, mut known) = log(rows, bare);
        known.checkpoints = vec![checkpoint(&log, rows)];
        prop_assert_eq!(told(&log, known.clone()), []);
        if let Some(first) = mutate(&mut log, &mutation) {
            let amiss = told(&log, known);
            let named = |what: &Amiss| match what {
                Amiss::Altered { sequence } => *sequence == first || *sequence == first + 1,
                Amiss::Exchanged { one, .. } => *one == first,
                Amiss::Missing { from, to }
                | Amiss::Added { from, to }
                | Amiss::Unchained { from, to }
                | Amiss::Unpinned { from, to, .. }
                | Amiss::Rewritten { from, to, .. } => (*from..=*to).contains(&first),
                Amiss::CutOff { last, .. } | Amiss::Ends { last, .. } => *last < first,
            };
            prop_assert!(amiss.iter().any(named), "{:?}: row {} is not named in {:?}", mutation, first, amiss);
        }
    }
}
