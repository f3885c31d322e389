//! The target that `HADRON_FUZZ` names, under libFuzzer. One program for all of them: linking a hub takes its time.
#![no_main]

use std::sync::LazyLock;

use hadron_tests::fuzz::{self, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("HADRON_FUZZ").expect("HADRON_FUZZ names a target: cargo xtask fuzz --list");
    fuzz::find(&name).unwrap_or_else(|| panic!("there is no target '{name}': cargo xtask fuzz --list"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    (TARGET.run)(input);
});
