//! The main job with the AWS CLI alone, by the file that `./deploy/demo.sh --keep` leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hadron_tests::shell::{self, Cast};
use hadron_tests::{DEV, MANAGEMENT, PROD, REGION, clients, invariants, paths};

use crate::suites::world;

/// Three accounts through `credential_process`, and no `hadron` but in there.
#[tokio::test]
async fn story() -> Result<()> {
    let (world, user) = world("").await?;
    let cast = Cast::of(&world).await?;
    let sourced = shell::write_env(&world, &cast, world.folder())?;
    let scratch = world.folder().join("story");
    std::fs::create_dir_all(&scratch).context("a folder for the story")?;
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin",
        clients::python_home().join("bin").display()
    );
    let story = paths::root().join("tests/proton/story.sh");
    let script = scratch.join("run.sh");
    std::fs::write(
        &script,
        format!(
            "source '{}'\nexport PATH='{path}'\nsource '{}'\n",
            sourced.display(),
            story.display()
        ),
    )
    .context("the story's script")?;
    let more = BTreeMap::from([
        ("EMULATOR".to_owned(), world.emulator.url().to_owned()),
        (
            "EXAMPLES".to_owned(),
            paths::root().join("deploy/examples").display().to_string(),
        ),
        ("SCRATCH".to_owned(), scratch.display().to_string()),
    ]);
    println!(
        "{}",
        user.alone()
            .shell(&script, &more, Duration::from_secs(170))
            .await?
    );

    // What the emulated AWS has seen: stacks where they belong, and none of them left.
    let state = world.emulator.state().await?;
    for (account, names) in [
        (MANAGEMENT, &["AWSProton-shop-cloudformation-"][..]),
        (
            DEV,
            &[
                "AWSProton-dev-cloudformation-",
                "AWSProton-shop-front-dev-cloudformation-",
            ],
        ),
        (
            PROD,
            &[
                "AWSProton-prod-cloudformation-",
                "AWSProton-shop-front-prod-cloudformation-",
            ],
        ),
    ] {
        let stacks = state["accounts"][account]["regions"][REGION]["stacks"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for name in names {
            let stack = stacks.iter().find(|stack| {
                stack["name"]
                    .as_str()
                    .is_some_and(|found| found.starts_with(name))
            });
            let stack = stack.with_context(|| format!("no stack {name} in {account}"))?;
            ensure!(stack["status"] == "DELETE_COMPLETE", "left in {account}: {stack}");
        }
        ensure!(
            stacks.len() == names.len(),
            "other stacks in {account}: {stacks:?}"
        );
    }
    invariants::hold(&world, &[]).await
}
