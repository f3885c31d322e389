//! The release before and this one side by side, as during a rolling upgrade: the main story with one side of each. It needs
//! the binaries of the release before, which a checkout does not have:
//!
//! ```text
//! HADRON_PREVIOUS=<folder with hadron-hub, hadron-agent, hadron> \
//!     cargo nextest run --workspace --all-features --run-ignored only -E 'binary(scenarios) and test(previous)'
//! ```
//!
//! What can be said without them is said by `proto/tests/compatible.rs`, `management/tests/app/previous.rs` and the sessions
//! of `management/src/api/agent/tests/versions.rs`.

use std::path::PathBuf;

use hadron_tests::paths;

use crate::story;

async fn with(names: &[&'static str]) {
    let folder = std::env::var_os("HADRON_PREVIOUS");
    let folder = PathBuf::from(
        folder.expect("HADRON_PREVIOUS names the folder with the binaries of the release before"),
    );
    paths::take_from(&folder, names).unwrap();
    Box::pin(story::tell()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binaries of the release before, which a checkout does not have; with them run: HADRON_PREVIOUS=<folder> \
            cargo nextest run --workspace --all-features --run-ignored only -E 'binary(scenarios) and test(previous)'"]
async fn agents_of_the_release_before_work_for_this_hub() {
    with(&["hadron-agent"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binaries of the release before, which a checkout does not have; with them run: HADRON_PREVIOUS=<folder> \
            cargo nextest run --workspace --all-features --run-ignored only -E 'binary(scenarios) and test(previous)'"]
async fn agents_of_this_release_work_for_the_hub_before() {
    with(&["hadron-hub"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binaries of the release before, which a checkout does not have; with them run: HADRON_PREVIOUS=<folder> \
            cargo nextest run --workspace --all-features --run-ignored only -E 'binary(scenarios) and test(previous)'"]
async fn people_with_the_client_before_are_served() {
    with(&["hadron"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binaries of the release before, which a checkout does not have; with them run: HADRON_PREVIOUS=<folder> \
            cargo nextest run --workspace --all-features --run-ignored only -E 'binary(scenarios) and test(previous)'"]
async fn people_with_this_client_are_served_by_the_hub_and_agents_before() {
    with(&["hadron-hub", "hadron-agent"]).await;
}
