//! Who calls: given tokens, AWS credentials, kept tokens.

use crate::hadron::{World, bare, finish};

fn with_keys(world: &World, line: &str, key: &str) -> tokio::process::Command {
    let mut command = bare(line, world.home.path());
    command
        .env("HADRON_HUB", &world.url)
        .env("AWS_ACCESS_KEY_ID", key)
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_credentials_log_in_once_and_the_token_is_kept() {
    let world = World::new().await;
    world.hub.state().tokens = vec!["none yet".to_owned()];
    let key = "AKIAIOSFODNN7EXAMPLE";
    for _ in 0..2 {
        let run = finish(with_keys(&world, "whoami", key)).await;
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains("user/ada"), "{}", run.out);
    }
    assert_eq!(world.calls("finish_login"), [format!("finish_login chl {key}")]);
    // Another key is another person.
    assert_eq!(
        finish(with_keys(&world, "whoami", "AKIAIOSFODNN7OTHERS1"))
            .await
            .code,
        0
    );
    assert_eq!(world.calls("finish_login").len(), 2);
    // The hub has forgotten all tokens: logged in again without a word.
    world.hub.state().tokens = vec!["none any more".to_owned()];
    let again = finish(with_keys(&world, "whoami", key)).await;
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    assert_eq!(world.calls("finish_login").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_token_is_all_there_is() {
    let world = World::new().await;
    world.hub.state().tokens = vec!["other".to_owned()];
    let run = world.run("whoami").await;
    assert_eq!(run.code, 4, "{}", run.err);
    assert!(run.err.contains("next: hadron login"), "{}", run.err);
    assert!(world.calls("begin_login").is_empty());
    let run = world.run("whoami --token other").await;
    assert_eq!(run.code, 0, "{}", run.err);
    std::fs::write(world.home.path().join("token"), "other\n").unwrap();
    let run = world.run("--token-file token whoami").await;
    assert_eq!(run.code, 0, "a flag wins over HADRON_TOKEN: {}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_identity_the_hub_is_not_asked() {
    let world = World::new().await;
    let mut command = bare("whoami", world.home.path());
    command
        .env("HADRON_HUB", &world.url)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let run = finish(command).await;
    assert_eq!(run.code, 4, "{}", run.err);
    assert!(run.err.contains("no AWS identity"), "{}", run.err);
    assert!(world.hub.state().log.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn config_view_tells_where_settings_come_from_and_no_secret() {
    let world = World::new().await;
    let dir = world.home.path().join(".config/hadron");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(
        dir.join("config.toml"),
        "[profile.a]\nhub = 'https://a:1'\nhub_ca_pin = 'sha256:00'\n",
    )
    .unwrap();
    let mut command = bare("config view --profile a", world.home.path());
    command.env("HADRON_TOKEN", "very-secret");
    let run = finish(command).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let lines = run.out.replace(&world.home.path().display().to_string(), "~");
    let lines: Vec<String> = lines
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    SETTING VALUE FROM
    file ~/.config/hadron/config.toml default
    profile a flag
    hub https://a:1 profile a
    hub_ca - default
    hub_ca_pin sha256:00 profile a
    identity a token environment HADRON_TOKEN
    output table default
    wait false default
    cache ~/.cache/hadron default
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_opens_by_a_link_that_the_hub_gives() {
    let world = World::new().await;
    let run = world.run("console --print").await;
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(run.out, format!("{}/sign-in/abc\n", world.url));
    assert_eq!(world.calls("create_console_link").len(), 1);
    // Nothing here opens addresses: the link is shown after all.
    let run = world.run("console").await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.out.ends_with("/sign-in/abc\n") && run.err.contains("No browser"),
        "{} {}",
        run.out,
        run.err
    );
}
