//! Who and what: `login`, `logout`, `whoami`, `version`, `completion`, `man`, `help`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use hadron_proto::codes::{self, ErrorCode};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{Context, complete, read_file};
use crate::error::{Exit, Failure, Result};
use crate::login::{Left, Way};
use crate::output::{Card, Show, map, say, text};

/// Flags of `login`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron login
  AWS_PROFILE=platform hadron --hub https://hub.example.com:8443 --hub-ca-pin sha256:... login
  hadron login --oidc
  hadron login --oidc corp --no-browser
  hadron login --device
  hadron login --oidc-token-file /run/secrets/hadron.jwt

Without flags it signs sts:GetCallerIdentity with your AWS credentials; the hub asks STS with it, and no secret leaves this
machine. The token is kept until it ends. Every command does this by itself when it needs to.

With --oidc you log in at an issuer that the hub's configuration names: in a browser, which comes back to this command on
127.0.0.1 with a code that is good for it alone. With --device you confirm a code in a browser on any other device. A job of
GitHub Actions or GitLab brings the token that its pipeline gave it, and gets one of the hub for a few minutes. Such a login
counts for all later commands, before AWS credentials, until it ends or: hadron logout
Next: hadron whoami")]
pub(crate) struct Login {
    /// Log in at an issuer in a browser; its name where the hub has more than one
    #[arg(long, value_name = "ISSUER", num_args = 0..=1, default_missing_value = "")]
    oidc: Option<String>,
    /// Log in at an issuer with a code that is typed on another device
    #[arg(long, conflicts_with_all = ["oidc_token_file", "oidc_token"])]
    device: bool,
    /// Only print the address, open no browser
    #[arg(long)]
    no_browser: bool,
    /// File with the token of a workload, signed for the hub's audience by its issuer ('-' reads stdin)
    #[arg(
        long,
        value_name = "FILE",
        env = "HADRON_OIDC_TOKEN_FILE",
        hide_env_values = true
    )]
    oidc_token_file: Option<PathBuf>,
    /// That token itself; from the variable only, since others see arguments
    #[arg(
        long,
        value_name = "TOKEN",
        env = "HADRON_OIDC_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    oidc_token: Option<String>,
}

impl Login {
    /// How, where it is not by AWS credentials.
    fn way(self) -> Result<Option<Way>> {
        let Self {
            oidc,
            device,
            no_browser,
            oidc_token_file,
            oidc_token,
        } = self;
        if device {
            let issuer = oidc.unwrap_or_default();
            return Ok(Some(Way::Device { issuer }));
        }
        let file = oidc_token_file.filter(|file| !file.as_os_str().is_empty());
        let token = match (file, oidc_token.filter(|token| !token.is_empty())) {
            (Some(file), _) => Some(read_file("token", &file)?),
            (None, token) => token,
        };
        if let Some(token) = token {
            return Ok(Some(Way::Workload {
                issuer: oidc.unwrap_or_default(),
                token: token.trim().to_owned(),
            }));
        }
        Ok(oidc.map(|issuer| Way::Browser {
            issuer,
            open: !no_browser,
        }))
    }
}

/// Flags of `logout`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron logout
  hadron logout && hadron login

Ends the token that a login gave, at the hub at once, and forgets it here: of a login at an issuer, and of your AWS
credentials. A token that an administrator minted ends when they say so.")]
pub(crate) struct Logout {}

/// Flags of `whoami`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron whoami
  hadron whoami -o json | jq -r .role")]
pub(crate) struct Whoami {}

/// Flags of `version`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron version
  hadron version --client -o json")]
pub(crate) struct Version {
    /// Do not ask the hub for its version
    #[arg(long)]
    client: bool,
}

/// Flags of `completion`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  source <(hadron completion bash)                     in ~/.bashrc
  source <(hadron completion zsh)                      in ~/.zshrc, behind compinit
  hadron completion fish > ~/.config/fish/completions/hadron.fish

Names of environments, services, templates and the like are asked of the hub that the variables or the profile name,
with the identity that commands have, and remembered for half a minute. A hub that does not answer within 3 s offers
nothing.")]
pub(crate) struct Completion {
    /// The shell
    pub(crate) shell: Shell,
}

/// Flags of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron man ~/.local/share/man/man1 && man hadron-service-create
  hadron man - | man -l -

Packages put them into /usr/share/man/man1.")]
pub(crate) struct Man {
    /// Where the pages go, which is made if it is not there; '-' prints the page of `hadron` itself
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Flags of `help`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron help service create
  hadron help exit-codes
  hadron help environment
  hadron help formats
  hadron help HADRON-1001
  hadron help errors

Topics: exit-codes, errors (all codes), environment (variables and configuration file), formats. An error that people meet
has a code, which stands at its end; help for it says what it means, why it happens and how to go on, without asking a hub.")]
pub(crate) struct Help {
    /// A command, a topic or an error code
    #[arg(value_name = "COMMAND or TOPIC")]
    pub(crate) words: Vec<String>,
}

pub(super) async fn me(cx: &Context) -> Result<wire::WhoAmIResponse> {
    let hub = cx.hub()?;
    hub.call(
        "cannot ask the hub who you are",
        wire::WhoAmIRequest {},
        async |q| hub.auth().who_am_i(q).await,
    )
    .await
}

pub(super) async fn login(args: Login, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    complete::forget(&cx.settings);
    if let Some(way) = args.way()? {
        hub.sign_in_by(way).await?;
    } else {
        hub.forget_login();
        if !hub.sign_in_again().await? {
            say("A token is given; there is nothing to log in with.");
        }
    }
    let me = me(cx).await?;
    say(format!("Logged in to {}.", hub.address()));
    cx.print(&me)
}

pub(super) async fn logout(_: Logout, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    complete::forget(&cx.settings);
    match hub.sign_out().await? {
        Left::Ended => say(format!("Logged out of {}.", hub.address())),
        Left::Nobody => say(format!("There was no login at {}.", hub.address())),
    }
    Ok(())
}

pub(super) async fn whoami(cx: &Context) -> Result<()> {
    cx.print(&me(cx).await?)
}

impl Show for wire::WhoAmIResponse {
    const KIND: &'static str = "Caller";
    const HEAD: &'static [&'static str] = &["PRINCIPAL", "ACCOUNT", "ROLE"];

    fn name(&self) -> String {
        self.principal.clone()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![self.principal.clone(), self.account_id.clone(), self.role.clone()]
    }
    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "principal": self.principal,
            "accountId": text(&self.account_id),
            "role": text(&self.role),
            "rights": self.rights,
            "hub": {
                "id": text(&self.hub_id),
                "version": text(&self.hub_version),
                "managementAccountId": text(&self.management_account_id),
                "region": text(&self.region),
            },
        }))
    }
    fn card(&self, card: &mut Card) {
        card.title(&self.principal);
        card.fact("account", &self.account_id);
        let rights = if self.rights.is_empty() {
            self.role.clone()
        } else {
            self.rights.join(", ")
        };
        card.fact("role", rights);
        card.fact("hub", &self.hub_id);
        card.fact("hub version", &self.hub_version);
        card.fact("management account", &self.management_account_id);
        card.fact("region", &self.region);
    }
}

struct Versions {
    hub: Result<String, String>,
}

/// The version of this program.
pub(super) const CLIENT: &str = env!("CARGO_PKG_VERSION");

impl Show for Versions {
    const KIND: &'static str = "Version";
    const HEAD: &'static [&'static str] = &["CLIENT", "HUB"];

    fn name(&self) -> String {
        CLIENT.to_owned()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![CLIENT.to_owned(), self.hub.clone().unwrap_or_default()]
    }
    fn fields(&self) -> Map<String, Value> {
        map(json!({ "client": CLIENT, "hub": self.hub.as_ref().ok() }))
    }
    fn card(&self, card: &mut Card) {
        card.title(format!("hadron {CLIENT}"));
        match &self.hub {
            Ok(version) => card.fact("hub", version),
            Err(why) => card.fact("hub", format!("not known: {why}")),
        }
    }
}

pub(super) async fn version(args: Version, cx: &Context) -> Result<()> {
    let hub = if args.client || cx.settings.hub.is_none() {
        Err(if args.client {
            "not asked"
        } else {
            "no hub is named"
        }
        .to_owned())
    } else {
        // That the hub cannot be asked is part of the answer, not a failure of it.
        me(cx)
            .await
            .map(|me| me.hub_version)
            .map_err(|failure| failure.why.first().cloned().unwrap_or(failure.what))
    };
    if let Ok(hub) = &hub
        && apart(CLIENT, hub)
    {
        say(format!(
            "warning: this program is {CLIENT} and the hub is {hub}; more than one minor version apart is not tested ({})",
            codes::VERSION_MISMATCH
        ));
    }
    cx.print(&Versions { hub })
}

/// Whether two versions are further apart than is tested.
pub(super) fn apart(ours: &str, theirs: &str) -> bool {
    let parts = |version: &str| -> Option<(u32, u32)> {
        let mut parts = version.split(['.', '-', '+']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    match (parts(ours), parts(theirs)) {
        (Some(ours), Some(theirs)) => ours.0 != theirs.0 || ours.1.abs_diff(theirs.1) > 1,
        _ => false,
    }
}

/// The variable by which a shell's script asks for candidates.
pub(crate) const COMPLETE: &str = "HADRON_COMPLETE";

/// What a shell reads once so that it asks this program from then on.
pub(crate) fn script(shell: Shell) -> Result<String> {
    let name = shell.to_string();
    let shells = clap_complete::env::Shells::builtins();
    let completer = shells
        .completer(&name)
        .ok_or_else(|| Failure::usage(format!("{name} cannot be completed")))?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("hadron"));
    let mut script = Vec::new();
    completer
        .write_registration(
            COMPLETE,
            "hadron",
            "hadron",
            &program.to_string_lossy(),
            &mut script,
        )
        .map_err(|error| Failure::new(Exit::Failure, "cannot write the script").why(error))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Help for a command or a topic.
pub(crate) fn help(words: &[String], root: &mut clap::Command) -> Result<String> {
    if let [topic] = words {
        if let Some(text) = crate::topics::find(topic) {
            return Ok(text);
        }
        if let Some(code) = ErrorCode::find(topic) {
            return Ok(code.text());
        }
        if topic.to_ascii_uppercase().starts_with("HADRON-") {
            return Err(
                Failure::new(Exit::Usage, format!("there is no error code {topic}"))
                    .why("this program knows those of its own version; a newer hub may have more")
                    .next("hadron help errors"),
            );
        }
    }
    let mut command = root;
    let mut path = vec!["hadron".to_owned()];
    for word in words {
        let known: Vec<String> = command
            .get_subcommands()
            .map(|sub| sub.get_name().to_owned())
            .collect();
        let Some(found) = command.find_subcommand(word).map(|sub| sub.get_name().to_owned()) else {
            let topics = if path.len() == 1 {
                crate::topics::NAMES
            } else {
                &[]
            };
            let all = known.iter().map(String::as_str).chain(topics.iter().copied());
            let mut failure =
                Failure::new(Exit::Usage, format!("there is no help for '{}'", words.join(" ")));
            if let Some(close) = crate::suggest::closest(word, all) {
                failure = failure.why(format!("did you mean '{close}'?"));
            }
            return Err(failure.next(format!("{} --help", path.join(" "))));
        };
        command = command
            .find_subcommand_mut(&found)
            .expect("it was found a line above");
        path.push(found);
    }
    Ok(format!("{}\n", command.render_long_help()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn help_finds_commands_by_any_name_and_topics() {
        let help = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let mut root = crate::args::Cli::command();
            root.build();
            help(&words, &mut root)
        };
        assert!(help("").unwrap().contains("Start here"));
        assert!(
            help("svc create")
                .unwrap()
                .contains("Usage: hadron service create")
        );
        assert!(help("exit-codes").unwrap().contains("130"));
        assert!(
            help("errors")
                .unwrap()
                .contains("HADRON-6003  the hub's database")
        );
        assert!(help("hadron-5001").unwrap().contains("How to go on"));
        let none = help("HADRON-9999").unwrap_err();
        assert!(
            none.exit == Exit::Usage && none.to_string().contains("hadron help errors"),
            "{none}"
        );
        let slip = help("exitcodes").unwrap_err();
        assert!(
            slip.exit == Exit::Usage && slip.to_string().contains("'exit-codes'"),
            "{slip}"
        );
        assert!(
            help("service creat")
                .unwrap_err()
                .to_string()
                .contains("'create'")
        );
    }

    #[test]
    fn versions_may_be_one_minor_apart() {
        assert!(!apart("0.1.0", "0.2.3") && !apart("0.1.0", "0.1.9-dev") && !apart("0.1.0", "unknown"));
        assert!(apart("0.1.0", "0.3.0") && apart("1.0.0", "2.0.0"));
    }
}
