//! AWS's own clients: the AWS CLI and boto3 in a virtual environment, the JavaScript SDK in a Node folder, both installed
//! once from what `tests/proton` pins, and run as somebody against a world's hub.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::aws::Variables;
use crate::{DEV, MANAGEMENT, PROD, REGION, World, paths};

/// Everybody who has a profile in a world: its name, their account, their IAM role. `nobody` is a role that the hub's
/// configuration does not mention.
pub const PEOPLE: [(&str, &str, &str); 6] = [
    ("management", MANAGEMENT, "platform-admin"),
    ("developer", MANAGEMENT, "developer"),
    ("auditor", MANAGEMENT, "auditor"),
    ("nobody", MANAGEMENT, "nobody"),
    ("dev", DEV, "account-owner"),
    ("prod", PROD, "account-owner"),
];

/// Where the Python clients are.
#[must_use]
pub fn python_home() -> PathBuf {
    paths::tools().join("proton-clients")
}

/// Where the JavaScript client is.
#[must_use]
pub fn node_home() -> PathBuf {
    paths::tools().join("proton-node")
}

/// Installs the AWS CLI and boto3 into a virtual environment of their own, unless they are there already.
///
/// # Errors
/// When Python or a package is missing; the error says what to install.
pub fn install_python() -> Result<()> {
    crate::emulator::environment(
        &python_home(),
        "tests/proton/python/requirements.txt",
        "the AWS CLI and boto3",
    )
}

/// Installs the JavaScript SDK into a folder of its own, unless it is there already.
///
/// # Errors
/// When Node or the package is missing; the error says what to install.
pub fn install_node() -> Result<()> {
    install_packages(&node_home(), "tests/proton/node", "the AWS SDK for JavaScript")
}

/// Installs what the `package-lock.json` of a folder of the checkout pins into a folder of its own, unless it is there
/// already. `what` names it for people.
///
/// # Errors
/// When Node or a package is missing; the error says what to install.
pub fn install_packages(home: &Path, source: &str, what: &str) -> Result<()> {
    let from = paths::root().join(source);
    let read =
        |name: &str| std::fs::read_to_string(from.join(name)).with_context(|| format!("{source}/{name}"));
    let (package, lock) = (read("package.json")?, read("package-lock.json")?);
    let stamp = home.join("package-lock.installed");
    let there = || std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock);
    if there() {
        return Ok(());
    }
    let _alone = crate::emulator::installing()?;
    if there() {
        return Ok(());
    }
    eprintln!("installing {what} into {} (once)", home.display());
    std::fs::create_dir_all(home).with_context(|| format!("a folder for {what}"))?;
    std::fs::write(home.join("package.json"), package).context("package.json")?;
    std::fs::write(home.join("package-lock.json"), &lock).context("package-lock.json")?;
    let status = Command::new("npm")
        .args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
        ])
        .current_dir(home)
        .status()
        .context("npm cannot be started: install Node 20 or later (Debian: apt-get install nodejs npm)")?;
    if !status.success() {
        bail!(
            "npm could not install {source}/package-lock.json ({status}); is a package registry reachable?"
        );
    }
    std::fs::write(&stamp, lock).context("remembering what was installed")
}

/// How people's own programs find the hub, and who they are: what a user sets, and nothing else.
#[derive(Clone, Debug)]
pub struct Clients {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    world: Value,
    recorded: bool,
}

impl Clients {
    /// Gives each of [`PEOPLE`] a profile whose `credential_process` is `hadron credentials`.
    ///
    /// # Errors
    /// When a role cannot be made, or a file not be written.
    pub async fn of(world: &World) -> Result<Self> {
        let folder = world.folder().join("clients");
        std::fs::create_dir_all(&folder).context("a folder for clients")?;
        let mut config = String::new();
        for (profile, account, role) in PEOPLE {
            let somebody = world.somebody(account, role).await?;
            config.push_str(&profile_text(profile, somebody.variables())?);
        }
        let file = folder.join("config");
        std::fs::write(&file, config).context("an AWS configuration")?;
        let ready = world.hub.ready();
        let variables = proton_variables(world, &file)
            .into_iter()
            .chain([
                (
                    "AWS_SHARED_CREDENTIALS_FILE".to_owned(),
                    folder.join("credentials").display().to_string(),
                ),
                ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
                ("AWS_PROFILE".to_owned(), "management".to_owned()),
                ("HOME".to_owned(), folder.display().to_string()),
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ])
            .collect();
        let hub = world.hub.folder();
        let facts = json!({
            "root": paths::root(),
            "folder": folder,
            "emulator": world.emulator.url(),
            "api": ready.api,
            "ca_file": ready.ca_file,
            "region": REGION,
            "management": MANAGEMENT,
            "dev": DEV,
            "prod": PROD,
            "hub": paths::binary("hadron-hub")?,
            "hub_config": hub.join("hub.toml"),
            "database": hub.join("hub.db"),
            "facts": {},
        });
        Ok(Self {
            folder,
            variables,
            world: facts,
            recorded: true,
        })
    }

    /// The same without a record of what suites see: for what depends on chance.
    #[must_use]
    pub const fn unrecorded(mut self) -> Self {
        self.recorded = false;
        self
    }

    /// The same without any of the variables but the folders: for scripts that set their own.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.variables
            .retain(|name, _| ["HOME", "LANG"].contains(&name.as_str()));
        self
    }

    /// What people set, by variable.
    #[must_use]
    pub const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Tells the suites a fact about the world.
    #[must_use]
    pub fn told(mut self, name: &str, fact: Value) -> Self {
        self.world["facts"][name] = fact;
        self
    }

    /// Runs suites of `tests/proton/python/suites`; what they saw of each operation is recorded under `name`.
    ///
    /// # Errors
    /// When a test fails; the error holds all that was printed.
    pub async fn python(&self, name: &str, suites: &[&str], patience: Duration) -> Result<String> {
        install_python()?;
        let world = self.folder.join(format!("world-{name}.json"));
        std::fs::write(&world, self.world.to_string()).context("the suites' facts")?;
        let mut command = Command::new(python_home().join("bin/python"));
        command
            .arg(paths::root().join("tests/proton/python/run.py"))
            .args(suites)
            .env_clear()
            .envs(&self.variables)
            .env("PATH", with_path(&python_home().join("bin"))?)
            .env("HADRON_PROTON_WORLD", &world);
        if self.recorded {
            command.env("HADRON_PROTON_RECORD", record(name));
        }
        self.run(&format!("suite {name}"), command, patience).await
    }

    /// Runs a JavaScript program of `tests/proton/node`.
    ///
    /// # Errors
    /// When it fails; the error holds all that was printed.
    pub async fn node(&self, name: &str, program: &str, patience: Duration) -> Result<String> {
        install_node()?;
        let world = self.folder.join(format!("world-{name}.json"));
        std::fs::write(&world, self.world.to_string()).context("the suites' facts")?;
        let mut command = Command::new("node");
        command
            .arg(paths::root().join("tests/proton/node").join(program))
            .env_clear()
            .envs(&self.variables)
            .env("PATH", with_path(&node_home())?)
            .env("HADRON_NODE_HOME", node_home())
            .env("HADRON_PROTON_WORLD", &world)
            .env("HADRON_PROTON_RECORD", record(name));
        self.run(&format!("suite {name}"), command, patience).await
    }

    /// Runs a shell script of `tests/proton` in which `aws` is the unmodified AWS CLI and there is no `hadron`.
    ///
    /// # Errors
    /// When it fails; the error holds all that was printed.
    pub async fn shell(&self, script: &Path, more: &Variables, patience: Duration) -> Result<String> {
        install_python()?;
        let mut command = Command::new("bash");
        command
            .arg(script)
            .env_clear()
            .envs(&self.variables)
            .envs(more)
            .env("PATH", with_path(&python_home().join("bin"))?);
        self.run(&script.display().to_string(), command, patience).await
    }

    async fn run(&self, what: &str, mut command: Command, patience: Duration) -> Result<String> {
        command.current_dir(&self.folder).stdin(Stdio::null());
        let child = tokio::process::Command::from(command)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{what} cannot be started"))?;
        let output = tokio::time::timeout(patience, child.wait_with_output())
            .await
            .with_context(|| format!("{what} does not come to an end within {} s", patience.as_secs()))?
            .with_context(|| format!("waiting for {what}"))?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if output.status.success() {
            Ok(text)
        } else {
            bail!("{what} ended with {}:\n{text}", output.status)
        }
    }
}

/// The variables that point AWS's clients at a hub, and `hadron credentials`, which they call.
#[must_use]
pub fn proton_variables(world: &World, config: &Path) -> BTreeMap<String, String> {
    let ready = world.hub.ready();
    [
        ("HADRON_HUB", ready.api.clone()),
        ("HADRON_HUB_CA", ready.ca_file.display().to_string()),
        ("AWS_ENDPOINT_URL_PROTON", ready.api.clone()),
        ("AWS_CA_BUNDLE", ready.ca_file.display().to_string()),
        ("NODE_EXTRA_CA_CERTS", ready.ca_file.display().to_string()),
        ("AWS_CONFIG_FILE", config.display().to_string()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Two profiles of an AWS configuration file: one with this identity's own keys, and one whose keys for the hub come from
/// `hadron credentials`, which proves that identity.
///
/// # Errors
/// When `hadron` is not built.
pub fn profile_text(profile: &str, identity: &Variables) -> Result<String> {
    let mut text = format!("[profile {profile}-iam]\nregion = {REGION}\n");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        if let Some(value) = identity.get(name) {
            let _ = writeln!(text, "{} = {value}", name.to_lowercase());
        }
    }
    let hadron = paths::binary("hadron")?;
    let _ = writeln!(
        text,
        "\n[profile {profile}]\nregion = {REGION}\ncredential_process = {} credentials --aws-profile {profile}-iam\n",
        hadron.display()
    );
    Ok(text)
}

/// Where what a suite saw is written down, for the table.
#[must_use]
pub fn record(name: &str) -> PathBuf {
    records().join(format!("{name}.json"))
}

/// Where all of it is: beside the binaries that the suites ran against.
#[must_use]
pub fn records() -> PathBuf {
    let built = paths::binary("hadron").ok();
    let folder = built.as_deref().and_then(Path::parent);
    folder
        .map_or_else(|| paths::root().join("target"), Path::to_owned)
        .join("proton-coverage")
}

fn with_path(first: &Path) -> Result<String> {
    let first = first.to_str().context("a path that is text")?;
    Ok(format!("{first}:{}", crate::emulator::path()))
}
