use super::*;

/// Enough seeds for CI; `cargo xtask faults --only simulation` runs more.
const SEEDS: u64 = 40;

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in [1, 2, 3] {
        let (one, other) = (run(seed.into()).unwrap(), run(seed.into()).unwrap());
        assert_eq!(one.last, other.last, "seed {seed}");
        assert_eq!((one.hash, one.states), (other.hash, other.states), "seed {seed}");
    }
    assert_ne!(run(1.into()).unwrap().hash, run(2.into()).unwrap().hash);
}

#[test]
fn promises_hold_whatever_happens() {
    let mut ended = std::collections::BTreeMap::new();
    for seed in 1..=SEEDS {
        let story = run(seed.into()).unwrap();
        assert!(story.violations.is_empty(), "{story}");
        for (how, count) in story.ended {
            *ended.entry(how).or_insert(0) += count;
        }
    }
    // The seeds went everywhere.
    for how in ["SUCCEEDED", "FAILED", "CANCELLED", "DELETE_COMPLETE", "DELETE_FAILED"] {
        assert!(ended.get(how).is_some_and(|count| *count > 0), "no {how} in {ended:?}");
    }
}
