//! `hadron credentials`: an AWS `credential_process`. It proves the caller's IAM identity to the hub and prints a temporary
//! access key, with which an unmodified AWS client signs its requests to the hub.
//!
//! It is called by AWS clients whenever they need a key, so the key is kept until shortly before it ends. And it may be
//! called by itself: the AWS profile that is to prove the identity may get *its* credentials from this very command. So the
//! part that reads AWS credentials runs with a variable in its environment, and whoever is called with it goes no further.

use clap::Args;

use super::Context;
use crate::error::{Exit, Failure, Result};
use crate::login::{Key, KeyFor};
use crate::output::emit;
use crate::settings;

/// Tells a process that it is asked for credentials while it asks for credentials.
const ASKING: &str = "HADRON_CREDENTIALS_ASKING";

/// Flags of `credentials`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron credentials --aws-profile platform
  aws proton list-environments --profile hadron

For the second, ~/.aws/config says where the hub is and how to get keys for it:
  [profile hadron]
  credential_process = hadron credentials --aws-profile platform
  region = eu-central-1                    # the hub's Region: hadron whoami
  ca_bundle = /home/me/ca.crt              # the hub's CA, which `hadron-hub admin ca-pin` writes
  services = hadron

  [services hadron]
  proton =
    endpoint_url = https://hub.example.com:8443

The profile that proves who you are must be another one than the one that this command stands in. Without --aws-profile
it is the one of hadron's own configuration, else whatever the AWS command line would use. The key is good for an hour and
kept in ~/.cache/hadron, readable by you only, until 15 minutes before its end.")]
pub(crate) struct Credentials {
    /// AWS profile whose credentials prove who you are; wins over `AWS_ACCESS_KEY_ID` and `AWS_PROFILE`
    #[arg(long, value_name = "NAME")]
    aws_profile: Option<String>,
    /// Get a new key although one is kept
    #[arg(long)]
    no_cache: bool,
    /// Read AWS credentials in this process.
    #[arg(long, hide = true)]
    prove: bool,
    /// Set by the process that reads AWS credentials, for those that it calls.
    #[arg(long, hide = true, env = ASKING, value_name = "X")]
    asking: Option<String>,
}

pub(super) async fn run(args: Credentials, cx: &Context) -> Result<()> {
    if args.asking.is_some() && !args.prove {
        return Err(Failure::new(
            Exit::Usage,
            "`hadron credentials` was called by itself and would never come to an end",
        )
        .why(
            "the AWS profile that is to prove who you are gets its credentials from `hadron credentials` (credential_process)",
        )
        .next("name the profile of your own identity there: credential_process = hadron credentials --aws-profile NAME"));
    }
    let profile = args.aws_profile.clone().or_else(|| {
        let of_settings = cx.settings.aws_profile.as_ref();
        of_settings.map(|profile| profile.value.clone())
    });
    let hub = cx.hub()?;
    let wanted = KeyFor {
        hub: hub.address(),
        identity: &settings::aws_identity(profile.as_deref()),
        cache: cx.settings.cache.as_deref(),
    };
    if !args.no_cache
        && let Some(key) = wanted.kept(crate::clock::now())
    {
        return print(&key);
    }
    if !args.prove {
        return again();
    }
    let key = hub.temporary_key(profile.as_deref()).await?;
    wanted.keep(&key);
    print(&key)
}

fn print(key: &Key) -> Result<()> {
    emit(&format!("{}\n", key.as_process_output()))
}

/// The same command once more, marked; it does not come back.
fn again() -> Result<()> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Failure,
            "cannot read your AWS credentials in a process of its own",
        )
        .why(error)
    };
    let mut command = std::process::Command::new(std::env::current_exe().map_err(failed)?);
    command
        .args(std::env::args_os().skip(1))
        .arg("--prove")
        .env(ASKING, "1");
    let status = command.status().map_err(failed)?;
    // The other process has said everything, and its exit code is the answer.
    std::process::exit(status.code().unwrap_or(Exit::Failure as i32))
}
