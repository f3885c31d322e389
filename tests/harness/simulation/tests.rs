use super::*;

#[test]
fn the_same_seed_is_the_same_story() {
    let _well = bugs::none();
    for seed in [1, 2, 3] {
        let (one, other) = (run(seed.into()).unwrap(), run(seed.into()).unwrap());
        assert_eq!(one.last, other.last, "seed {seed}");
        assert_eq!((one.hash, one.states), (other.hash, other.states), "seed {seed}");
    }
    assert_ne!(run(1.into()).unwrap().hash, run(2.into()).unwrap().hash);
}
