//! The file that a person sources to go on by hand in a world: variables and functions for `hadron` and for AWS's own tools.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cli::Cli;
use crate::{REGION, World, clients, paths};

/// The people of a world: administrator and developer in the management account, and the owners of both others.
#[derive(Clone, Debug)]
pub struct Cast {
    /// An administrator.
    pub admin: Cli,
    /// A developer.
    pub developer: Cli,
    /// The owner of the production account.
    pub prod: Cli,
    /// The owner of the development account.
    pub dev: Cli,
}

impl Cast {
    /// Makes their roles, and takes sessions for them.
    ///
    /// # Errors
    /// When IAM or STS refuses.
    pub async fn of(world: &World) -> Result<Self> {
        Ok(Self {
            admin: world.admin.clone(),
            developer: world.somebody(crate::MANAGEMENT, "developer").await?,
            prod: world.owner(crate::PROD).await?,
            dev: world.owner(crate::DEV).await?,
        })
    }
}

/// Writes `env` into `folder`, with the AWS configuration and hadron's that it names; gives its path.
///
/// AWS clients are pointed at the hub by the profiles `management`, `developer`, `dev` and `prod`. `hadron` and the functions
/// use the same people's IAM identities, which the emulated AWS knows too.
///
/// # Errors
/// When a file cannot be written.
pub fn write_env(world: &World, cast: &Cast, folder: &Path) -> Result<PathBuf> {
    let config = folder.join("aws-config");
    let mut profiles = String::from(
        "# Made by the demo: keys for the hub, by the IAM identities in the profiles with -iam.\n",
    );
    for (profile, who) in [
        ("management", &cast.admin),
        ("developer", &cast.developer),
        ("dev", &cast.dev),
        ("prod", &cast.prod),
    ] {
        profiles.push_str(&clients::profile_text(profile, who.variables())?);
    }
    std::fs::write(&config, profiles).context("an AWS configuration")?;
    let own = folder.join("hadron.toml");
    let text = "default_profile = \"demo\"\n\n[profile.demo]\naws_profile = \"management-iam\"\n";
    std::fs::write(&own, text).context("a configuration of hadron")?;

    let mut text = String::from("# Made by the demo; source it in bash or zsh.\n");
    let bin = paths::binary("hadron")?;
    let bin = bin.parent().context("the folder of hadron")?;
    let _ = writeln!(text, "export PATH=\"{}:$PATH\"", bin.display());
    text.push_str("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n");
    let mut variables = clients::proton_variables(world, &config);
    for (name, value) in [
        ("HADRON_CONFIG", own.display().to_string()),
        ("AWS_ENDPOINT_URL", world.emulator.url().to_owned()),
        ("AWS_PROFILE", "management".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    for (name, value) in variables {
        let _ = writeln!(text, "export {name}='{value}'");
    }
    text.push_str("# IAM identities in the emulated AWS; without one of these functions `hadron` is the administrator.\n");
    for (name, who) in [
        ("administrator", &cast.admin),
        ("developer", &cast.developer),
        ("prod-owner", &cast.prod),
        ("dev-owner", &cast.dev),
    ] {
        let keys: String = who
            .variables()
            .iter()
            .filter(|(name, _)| {
                ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name.as_str())
            })
            .map(|(name, value)| format!("{name}='{value}' "))
            .collect();
        let _ = writeln!(text, "as-{name}() {{ {keys}\"$@\"; }}");
    }
    let _ = writeln!(
        text,
        "# `aws proton` talks to the hub: as the administrator, or with --profile developer, dev or prod ({REGION})."
    );
    let file = folder.join("env");
    std::fs::write(&file, text).context("the file to source")?;
    Ok(file)
}
