//! What is left behind: logs (AT-102 to AT-104) and the audit log (AT-105 and AT-106).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::client::{Proton, minted};
use super::{Case, Ground};
use crate::paths;

/// AT-102: a secret in the places where people put them, and in what comes back from AWS.
pub(super) async fn canaries(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let telling = paths::root().join("tests/fixtures/telling-env");
    if ground.kept.insert("telling".to_owned(), String::new()).is_none() {
        ground
            .world
            .publish("environment", "telling-env", &telling, &[])
            .await?;
    }
    for (number, fails) in [false, true].into_iter().enumerate() {
        let canary = format!(
            "canary{number}{}{}",
            ground.world.emulator.pid(),
            std::process::id()
        );
        case.secret(canary.clone());
        let spec = format!("proton: EnvironmentSpec\nspec:\n  password: {canary}\n  fails: {fails}\n");
        let made = ground
            .admin
            .create(&format!("telling-{number}"), "telling-env", "", &spec)
            .await?;
        let shown = ground.world.ended(&made).await?;
        let wanted = if fails { "FAILED" } else { "SUCCEEDED" };
        case.input(
            format!("in a spec, fails: {fails}"),
            shown["status"] == wanted,
            &shown,
        );
        // It did come back from AWS: as an output, or in the reason of a failure.
        case.hold("it was there", shown.to_string().contains(&canary), &shown);
    }
    let canary = format!("canary-refused-{}", std::process::id());
    case.secret(canary.clone());
    let refused = ground
        .admin
        .create(
            "telling-x",
            "telling-env",
            "",
            &format!("proton: EnvironmentSpec\nspec:\n  password: [{canary}]\n"),
        )
        .await;
    case.input("in a spec that is refused", refused.is_err(), "it was taken");
    let key = minted(&ground.world, "at-102", "administrator")?;
    case.secret(key.secret.clone());
    let proton = Proton::new(&ground.world, case.address)?;
    for (operation, body) in [
        ("GetEnvironment", json!({"name": canary})),
        (
            "CreateEnvironmentTemplate",
            json!({"name": "t", "description": canary, "displayName": 7}),
        ),
        (canary.as_str(), json!({})),
    ] {
        let answer = proton.call(&key, operation, &body.to_string()).await?;
        case.input(
            operation.to_owned().replace(&canary, "an operation"),
            answer.status >= 400,
            format!("{answer:?}"),
        );
    }
    // Nor does any number tell it.
    let admin = ground.world.hub.ready().admin.clone();
    let metrics = reqwest::get(format!("http://{}/metrics", admin.trim_start_matches("http://")))
        .await
        .context("metrics")?
        .text()
        .await
        .context("metrics")?;
    case.hold("metrics", !metrics.contains("canary"), metrics);
    case.logged("Refused");
    Ok(())
}

/// AT-103
pub(super) async fn log_lines(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let from = ground.world.hub.process().printed().len();
    let evil = "\u{1b}[31mred\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\nforged\u{202e}";
    let key = minted(&ground.world, "at-103", "administrator")?;
    case.secret(key.secret.clone());
    let proton = Proton::new(&ground.world, case.address)?;
    for (operation, body) in [
        ("GetEnvironment", json!({"name": evil})),
        (
            "CreateEnvironmentTemplate",
            json!({"name": evil, "displayName": evil}),
        ),
        ("ListEnvironments", json!({"nextToken": evil})),
    ] {
        let answer = proton.call(&key, operation, &body.to_string()).await?;
        case.input(operation, answer.status >= 400, format!("{answer:?}"));
    }
    // In the name of a client, which is told of in the audit log.
    let headers = [
        (
            "user-agent".to_owned(),
            "evil\u{1b}[31m".replace('\u{1b}', "\\x1b"),
        ),
        ("x-amz-target".to_owned(), "AwsProton20200720.X\\n".to_owned()),
    ];
    let answer = proton.send(&headers, "{}").await?;
    case.input("a client's name", answer.status >= 400, format!("{answer:?}"));
    // An agent says what CloudFormation said.
    let refused = ground.admin.create(evil, "minimal-env", "", evil).await;
    case.input("an environment's name", refused.is_err(), "it was taken");
    let log = ground.log(from);
    for line in log.lines() {
        let fine = serde_json::from_str::<Value>(line).is_ok() && !line.contains('\u{1b}');
        case.hold("each line is one of the hub's own", fine, line);
    }
    let forged = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .any(|line| line["message"] == "forged");
    case.hold("nobody forges a line", !forged, &log);
    case.logged("Refused");
    Ok(())
}

/// AT-104
pub(super) async fn metrics(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let admin = ground.world.hub.ready().admin.clone();
    let url = format!("http://{}/metrics", admin.trim_start_matches("http://"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .context("an HTTP client")?;
    let text = async || {
        anyhow::Ok(
            client
                .get(&url)
                .send()
                .await
                .context("metrics")?
                .text()
                .await
                .context("metrics")?,
        )
    };
    let before = text().await?.lines().count();
    let key = minted(&ground.world, "at-104", "administrator")?;
    case.secret(key.secret.clone());
    let proton = Proton::new(&ground.world, case.address)?;
    for number in 0..300 {
        let answer = proton.call(&key, &format!("Operation{number}"), "{}").await?;
        case.input(
            format!("operation {number}"),
            answer.status == 400,
            format!("{answer:?}"),
        );
        let answer = proton
            .call(
                &key,
                "GetEnvironment",
                &json!({"name": format!("name-{number}")}).to_string(),
            )
            .await?;
        case.input(
            format!("name {number}"),
            answer.status >= 400,
            format!("{answer:?}"),
        );
    }
    let after = text().await?.lines().count();
    case.hold(
        "as many lines as before",
        after <= before + 10,
        format!("{before} before, {after} after"),
    );
    case.logged("UnknownOperationException");
    Ok(())
}

/// A copy of the hub's data, for whoever can write the database: the folder with its configuration.
async fn copy(ground: &mut Ground, name: &str) -> Result<PathBuf> {
    let from = ground.world.hub.folder().to_owned();
    let to = ground.world.folder().join(name);
    std::fs::create_dir_all(&to).context("a copy")?;
    ground
        .world
        .rows(&format!("VACUUM INTO '{}'", to.join("hub.db").display()))
        .await?;
    for entry in std::fs::read_dir(&from).context("the hub's folder")?.flatten() {
        let file = entry.file_name();
        let text = file.to_string_lossy();
        if entry.path().is_file() && !text.starts_with("hub.db") && text != "ready.json" && text != "hub.log"
        {
            std::fs::copy(entry.path(), to.join(&file)).with_context(|| text.clone().into_owned())?;
        }
    }
    let config = std::fs::read_to_string(from.join("hub.toml")).context("hub.toml")?;
    let config = config.replace(&from.display().to_string(), &to.display().to_string());
    std::fs::write(to.join("hub.toml"), config).context("hub.toml")?;
    Ok(to)
}

/// Verifies the audit log of a copy: whether it holds, and what was said.
fn verify(folder: &std::path::Path) -> Result<(bool, String)> {
    let output = Command::new(paths::binary("hadron-hub")?)
        .args(["audit", "verify", "--config"])
        .arg(folder.join("hub.toml"))
        .output()
        .context("hadron-hub audit verify")?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((output.status.success(), said))
}

/// Waits until the end of the log is signed, changes a copy of it, and verifies that.
async fn tampered(ground: &mut Ground, case: &mut Case, all: &[(&str, &str, &str)]) -> Result<()> {
    for name in ["a", "b", "c", "d"] {
        ground
            .world
            .hub
            .token(&format!("{}-{name}", case.id), "auditor")?;
    }
    // The hub signs its log every minute; it also does when it ends.
    ground.world.hub.restart().await?;
    ground.admin = super::Caller::of(&ground.world, &format!("suite-{}", case.id), "administrator").await?;
    let rows = ground.last_audit().await?;
    let middle = rows / 2;
    for (number, (what, sql, says)) in all.iter().enumerate() {
        let folder = copy(ground, &format!("copy-{}-{number}", case.id)).await?;
        let (holds, said) = verify(&folder)?;
        case.hold("as it is", holds, said);
        let db = rusqlite::Connection::open(folder.join("hub.db")).context("the copy")?;
        let fill = |text: &str| {
            text.replace("{n}", &middle.to_string())
                .replace("{m}", &(middle + 2).to_string())
        };
        db.execute_batch(&fill(sql)).context("tampering")?;
        drop(db);
        let (holds, said) = verify(&folder)?;
        case.input(
            what,
            !holds && said.contains(&fill(says)),
            format!("{said} (wanted '{}')", fill(says)),
        );
    }
    case.silent("the log itself is what is attacked; `hadron-hub audit verify` tells");
    Ok(())
}

/// AT-105
pub(super) async fn edited(ground: &mut Ground, case: &mut Case) -> Result<()> {
    tampered(ground, case, &[
        ("who did it", "UPDATE audit SET principal = 'token:nobody' WHERE sequence = {n}", "row {n} was altered"),
        ("what came of it", "UPDATE audit SET outcome = 'done ' WHERE sequence = {n}", "row {n} was altered"),
        ("its hash", "UPDATE audit SET hash = NULL WHERE sequence = {n}", "row {n} is without a hash"),
        ("its place", "UPDATE audit SET sequence = -1 WHERE sequence = {n}; UPDATE audit SET sequence = {n} WHERE sequence = {m}; UPDATE audit SET sequence = {m} WHERE sequence = -1", "rows {n} and {m} were exchanged"),
    ])
    .await
}

/// AT-106
pub(super) async fn deleted(ground: &mut Ground, case: &mut Case) -> Result<()> {
    tampered(
        ground,
        case,
        &[(
            "a row",
            "DELETE FROM audit WHERE sequence = {n}",
            "row {n} was removed",
        )],
    )
    .await
}
