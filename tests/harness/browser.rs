//! A real browser that walks through the web console of a world: Playwright over the Chromium of the system, installed once
//! into a folder of its own from what `tests/console` pins.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hadron_management::clock::Clock;
use hadron_management::identity::oidc::testing::{CLIENT, FakeIssuer};
use serde_json::{Value, json};

use crate::emulator::Options as Emulated;
use crate::{DEV, MANAGEMENT, PROD, World, clients, paths};

/// Where a browser may be, besides `CHROMIUM_BIN`.
const CHROMIUM: [&str; 4] = [
    "/usr/bin/chromium-headless-shell",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// A journey writes this file into the world's folder to have the hub killed and started again; it is gone when that is done.
const RESTART: &str = "restart-hub";

/// Where Playwright is.
#[must_use]
pub fn home() -> PathBuf {
    paths::tools().join("console-browser")
}

/// Installs Playwright and axe, unless they are there already.
///
/// # Errors
/// When Node or a package is missing; the error says what to install.
pub fn install() -> Result<()> {
    clients::install_packages(&home(), "tests/console", "Playwright and axe")
}

/// The browser of this system.
///
/// # Errors
/// When there is none; the error says what to install.
pub fn chromium() -> Result<PathBuf> {
    let named = std::env::var_os("CHROMIUM_BIN").map(PathBuf::from);
    let known = CHROMIUM.iter().map(PathBuf::from);
    named.into_iter().chain(known).find(|path| path.is_file()).context(
        "there is no Chromium: install one (Debian: apt-get install chromium), or name it by CHROMIUM_BIN",
    )
}

/// What journeys leave behind.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Pictures of pages are put here.
    pub pictures: Option<PathBuf>,
    /// Pictures of what went wrong are put here.
    pub failures: Option<PathBuf>,
    /// Only journeys with this in their name.
    pub only: Option<String>,
}

/// Walks through the console; gives the counts that the journeys end with.
///
/// # Errors
/// When a journey fails.
pub async fn journeys(options: &Options, patience: Duration) -> Result<Value> {
    install()?;
    let chromium = chromium()?;
    let issuer = FakeIssuer::start(Clock::system()).await;
    let people = format!(
        "\n[oidc.corp]\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\n",
        issuer.url()
    );
    let mut world = World::with(Emulated::default(), &people).await?;
    world.publish_examples().await?;
    world.start_agent(PROD, "").await?;
    let (dev, prod) = (world.owner(DEV).await?, world.owner(PROD).await?);
    let ready = world.hub.ready();
    let folder = world.folder().to_owned();
    let facts = json!({
        "api": ready.api,
        "chromium": chromium,
        "hadron": paths::binary("hadron")?,
        "accounts": { "admin": MANAGEMENT, "dev": DEV, "prod": PROD },
        "people": {
            "admin": with_home(world.admin.variables(), &folder.join("console-admin")),
            "dev": with_home(dev.variables(), &folder.join("console-dev")),
            "prod": with_home(prod.variables(), &folder.join("console-prod")),
        },
        "component_role": crate::agent::COMPONENTS,
        "examples": paths::root().join("deploy/examples"),
        "folder": folder,
        "restart": folder.join(RESTART),
        "pictures": options.pictures,
        "failures": options.failures,
    });
    let file = folder.join("console-world.json");
    std::fs::write(&file, facts.to_string()).context("what journeys have to know")?;
    // Modules are looked for beside the program that wants them.
    let program = home().join("main.mjs");
    std::fs::copy(paths::root().join("tests/console/main.mjs"), &program)
        .context("tests/console/main.mjs")?;
    let mut command = Command::new("node");
    command
        .arg(&program)
        .current_dir(home())
        .env("HADRON_WORLD", &file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if let Some(only) = &options.only {
        command.env("HADRON_JOURNEY", only);
    }
    let child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .context("node cannot be started: install Node 20 or later")?;
    let output = tokio::time::timeout(patience, walked(child, &mut world))
        .await
        .context("the journeys do not come to an end")??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("journeys through the console failed:\n{text}\n{}", world.logs());
    }
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("the journeys end with '{last}'"))
}

/// Waits for the journeys, and kills and restarts the hub whenever one of them asks for that.
async fn walked(child: tokio::process::Child, world: &mut World) -> Result<Output> {
    let asked = world.folder().join(RESTART);
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            output = &mut ended => return output.context("waiting for node"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        if asked.exists() {
            world.hub.restart().await?;
            std::fs::remove_file(&asked).context("a restart that was done")?;
        }
    }
}

/// Somebody's variables, with a home of their own.
fn with_home(variables: &crate::aws::Variables, home: &Path) -> Value {
    let mut variables = variables.clone();
    for (name, folder) in [
        ("HOME", ""),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_CONFIG_HOME", "config"),
    ] {
        variables.insert(name.to_owned(), home.join(folder).display().to_string());
    }
    json!(variables)
}
