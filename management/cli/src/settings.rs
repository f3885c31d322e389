//! Which hub, trusted how, and as whom: flags over environment over profile over defaults.
//!
//! What a profile says about trust and tokens counts only for the profile's own hub. Otherwise `--hub` with another
//! address would send one hub's token to another.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Deserialize;

use crate::args::Global;
use crate::error::{Exit, Failure, Result};
use crate::output::Format;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of this command line.
    Flag,
    /// An environment variable.
    Env(&'static str),
    /// A profile of the configuration file.
    Profile(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// How the hub's certificate is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It chains to a certificate in this PEM file.
    File(PathBuf),
    /// It chains to a CA whose public key has this hash.
    Pin(String),
}

/// Where a token comes from, when one is given.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum TokenFrom {
    /// The token itself.
    Text(String),
    /// A file that holds it.
    File(PathBuf),
}

impl fmt::Debug for TokenFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("..."),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Everything that is known before the first call.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The configuration file, which need not exist.
    pub(crate) file: PathBuf,
    /// The profile in use.
    pub(crate) profile: Setting<String>,
    /// The hub's address.
    pub(crate) hub: Option<Setting<String>>,
    /// How its certificate is checked.
    pub(crate) trust: Option<Setting<Trust>>,
    /// A token; without one, AWS credentials prove who calls.
    pub(crate) token: Option<Setting<TokenFrom>>,
    /// The AWS profile whose credentials are used.
    pub(crate) aws_profile: Option<Setting<String>>,
    /// Form of the output.
    pub(crate) output: Setting<Format>,
    /// Whether commands wait without being told.
    pub(crate) wait: Setting<bool>,
    /// Where tokens are kept.
    pub(crate) cache: Option<PathBuf>,
    /// Another configuration file, when a flag names it.
    config: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The profile that is used when none is named.
    default_profile: Option<String>,
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    hub: Option<String>,
    hub_ca: Option<PathBuf>,
    hub_ca_pin: Option<String>,
    token_file: Option<PathBuf>,
    aws_profile: Option<String>,
    output: Option<String>,
    wait: Option<bool>,
}

/// The variables that say where people keep their files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    /// `$HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub(crate) config: Option<PathBuf>,
    /// `$XDG_CACHE_HOME`.
    pub(crate) cache: Option<PathBuf>,
}

impl Home {
    /// From this process's environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "the only variables that clap does not read for us"
    )]
    #[must_use]
    pub(crate) fn from_env() -> Self {
        let path = |name| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            home: path("HOME"),
            config: path("XDG_CONFIG_HOME"),
            cache: path("XDG_CACHE_HOME"),
        }
    }

    fn in_home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }
}

/// Whose credentials the AWS SDK is going to find, as far as its settings tell without asking anybody: the profile that
/// was named, else the access key or the profile of the environment.
#[expect(clippy::disallowed_methods, reason = "these variables are the AWS SDK's")]
pub(crate) fn aws_identity(profile: Option<&str>) -> String {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let files =
        ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].map(|name| variable(name).unwrap_or_default());
    let [config, credentials] = files;
    if let Some(profile) = profile {
        return format!("profile\n{profile}\n{config}\n{credentials}");
    }
    if let Some(key) = variable("AWS_ACCESS_KEY_ID") {
        return format!("key\n{key}");
    }
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    format!("chain\n{profile}\n{config}\n{credentials}")
}

impl Settings {
    /// Reads the configuration file and puts everything together.
    pub(crate) fn read(global: &Global, matches: &ArgMatches, home: &Home) -> Result<Self> {
        let dir = home
            .config
            .clone()
            .or_else(|| home.home.as_ref().map(|home| home.join(".config")));
        let file = match (&global.config, dir) {
            (Some(given), _) => given.clone(),
            (None, Some(dir)) => dir.join("hadron/config.toml"),
            (None, None) => PathBuf::from("hadron.toml"),
        };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && global.config.is_none() => {
                String::new()
            }
            Err(error) => return Err(Failure::usage(format!("cannot read {}", file.display())).why(error)),
        };
        Self::from_text(&text, file, global, matches, home)
    }

    fn from_text(
        text: &str,
        file: PathBuf,
        global: &Global,
        matches: &ArgMatches,
        home: &Home,
    ) -> Result<Self> {
        let config: File = toml::from_str(text).map_err(|error| {
            Failure::usage(format!("the configuration file {} is not valid", file.display()))
                .why(error.to_string().trim_end())
                .next("hadron help environment")
        })?;
        // A flag and a variable that are set but empty count as not set.
        let given = |id: &'static str, variable: &'static str| match matches.value_source(id) {
            Some(ValueSource::EnvVariable) => Origin::Env(variable),
            _ => Origin::Flag,
        };
        let some = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let path = |value: &Option<PathBuf>| value.clone().filter(|value| !value.as_os_str().is_empty());

        let profile = match (some(&global.profile), config.default_profile) {
            (Some(value), _) => Setting {
                value,
                origin: given("profile", "HADRON_PROFILE"),
            },
            (None, Some(value)) => Setting {
                value,
                origin: Origin::Profile("file".to_owned()),
            },
            (None, None) => Setting {
                value: "default".to_owned(),
                origin: Origin::Default,
            },
        };
        let chosen = match config.profile.get(&profile.value) {
            Some(chosen) => chosen.clone(),
            None if profile.origin == Origin::Default => Profile::default(),
            None => {
                let known: Vec<&str> = config.profile.keys().map(String::as_str).collect();
                let known = if known.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("it has: {}", known.join(", "))
                };
                return Err(Failure::usage(format!(
                    "no profile is named '{}' in {}",
                    profile.value,
                    file.display()
                ))
                .why(known)
                .next("hadron help environment"));
            }
        };
        let from_profile = Origin::Profile(profile.value.clone());
        let of_profile = |value: String| Setting {
            value,
            origin: from_profile.clone(),
        };

        let hub = match some(&global.hub) {
            Some(value) => Some(Setting {
                value,
                origin: given("hub", "HADRON_HUB"),
            }),
            None => chosen.hub.clone().map(of_profile),
        };
        let same_hub = hub
            .as_ref()
            .is_some_and(|hub| Some(&hub.value) == chosen.hub.as_ref());

        // A flag beats a variable of the other kind: --hub-ca-pin wins over HADRON_HUB_CA.
        let mut trusts = Vec::new();
        if let Some(value) = path(&global.hub_ca) {
            trusts.push(Setting {
                value: Trust::File(value),
                origin: given("hub_ca", "HADRON_HUB_CA"),
            });
        }
        if let Some(value) = some(&global.hub_ca_pin) {
            trusts.push(Setting {
                value: Trust::Pin(value),
                origin: given("hub_ca_pin", "HADRON_HUB_CA_PIN"),
            });
        }
        if same_hub {
            let file = chosen
                .hub_ca
                .as_deref()
                .map(|path| Trust::File(home.in_home(path)));
            let pin = chosen.hub_ca_pin.clone().map(Trust::Pin);
            trusts.extend(file.or(pin).map(|value| Setting {
                value,
                origin: from_profile.clone(),
            }));
        }

        let mut tokens = Vec::new();
        if let Some(value) = some(&global.token) {
            tokens.push(Setting {
                value: TokenFrom::Text(value),
                origin: given("token", "HADRON_TOKEN"),
            });
        }
        if let Some(value) = path(&global.token_file) {
            tokens.push(Setting {
                value: TokenFrom::File(value),
                origin: given("token_file", "HADRON_TOKEN_FILE"),
            });
        }
        if let Some(file) = chosen.token_file.as_deref().filter(|_| same_hub) {
            tokens.push(Setting {
                value: TokenFrom::File(home.in_home(file)),
                origin: from_profile.clone(),
            });
        }

        let output = match (global.output, &chosen.output) {
            (Some(value), _) => Setting {
                value,
                origin: Origin::Flag,
            },
            (None, Some(text)) => {
                let value = <Format as clap::ValueEnum>::from_str(text, false).map_err(|_| {
                    Failure::usage(format!(
                        "output = \"{text}\" in profile '{}' is no form of output",
                        profile.value
                    ))
                    .why("it can be table, wide, json, jsonl, yaml or name")
                })?;
                Setting {
                    value,
                    origin: from_profile.clone(),
                }
            }
            (None, None) => Setting {
                value: Format::Table,
                origin: Origin::Default,
            },
        };
        let wait = match chosen.wait {
            Some(value) => Setting {
                value,
                origin: from_profile.clone(),
            },
            None => Setting {
                value: false,
                origin: Origin::Default,
            },
        };
        let cache = home
            .cache
            .clone()
            .or_else(|| home.home.as_ref().map(|home| home.join(".cache")));
        Ok(Self {
            file,
            hub,
            trust: strongest(trusts),
            token: strongest(tokens),
            aws_profile: chosen.aws_profile.map(of_profile),
            output,
            wait,
            cache: cache.map(|dir| dir.join("hadron")),
            profile,
            config: match given("config", "HADRON_CONFIG") {
                Origin::Flag => global.config.clone(),
                _ => None,
            },
        })
    }

    /// What flags of this command line say about the hub, so that another command reaches the same one: variables and
    /// profiles hold for that too. A token is never repeated, since others see what is typed.
    pub(crate) fn told(&self) -> Vec<String> {
        let flag = |origin: &Origin| *origin == Origin::Flag;
        let path = |path: &Path| quoted(&path.display().to_string());
        let mut told = Vec::new();
        if let Some(file) = &self.config {
            told.push(format!("--config {}", path(file)));
        }
        if flag(&self.profile.origin) {
            told.push(format!("--profile {}", quoted(&self.profile.value)));
        }
        if let Some(hub) = self.hub.as_ref().filter(|hub| flag(&hub.origin)) {
            told.push(format!("--hub {}", quoted(&hub.value)));
        }
        match self
            .trust
            .as_ref()
            .filter(|trust| flag(&trust.origin))
            .map(|trust| &trust.value)
        {
            Some(Trust::File(file)) => told.push(format!("--hub-ca {}", path(file))),
            Some(Trust::Pin(pin)) => told.push(format!("--hub-ca-pin {}", quoted(pin))),
            None => {}
        }
        match self
            .token
            .as_ref()
            .filter(|token| flag(&token.origin))
            .map(|token| &token.value)
        {
            Some(TokenFrom::File(file)) => told.push(format!("--token-file {}", path(file))),
            Some(TokenFrom::Text(_)) => told.push("--token ...".to_owned()),
            None => {}
        }
        told
    }

    /// The hub's address, checked: https anywhere, http only to this machine.
    pub(crate) fn hub_uri(&self) -> Result<http::Uri> {
        let Some(hub) = &self.hub else {
            return Err(Failure::usage("no hub is named")
                .why("give --hub, set HADRON_HUB, or write a profile")
                .next("hadron help environment"));
        };
        let wrong = |why: &str| {
            Failure::usage(format!("'{}' is not the address of a hub", hub.value))
                .why(format!("{why} (from {})", hub.origin))
                .next("hadron --hub https://hub.example.com:8443 whoami")
        };
        let uri: http::Uri = hub
            .value
            .trim_end_matches('/')
            .parse()
            .map_err(|error| wrong(&format!("{error}")))?;
        let host = uri.host().ok_or_else(|| wrong("there is no host in it"))?;
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err(wrong("an address has no path"));
        }
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if loopback(host) => Ok(uri),
            Some("http") => Err(wrong(
                "without TLS only a hub on this machine is spoken to; use https",
            )),
            _ => Err(wrong("it must begin with https://")),
        }
    }
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Flags before variables before the profile; of equals the first.
fn strongest<T>(settings: Vec<Setting<T>>) -> Option<Setting<T>> {
    let rank = |origin: &Origin| match origin {
        Origin::Flag => 0,
        Origin::Env(_) => 1,
        Origin::Profile(_) => 2,
        Origin::Default => 3,
    };
    settings.into_iter().min_by_key(|setting| rank(&setting.origin))
}

fn loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl TokenFrom {
    /// The token itself.
    pub(crate) fn token(&self) -> Result<String> {
        let token = match self {
            Self::Text(text) => text.clone(),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    Exit::NotAuthorised,
                    format!("cannot read the token file {}", path.display()),
                )
                .why(error)
            })?,
        };
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Failure::new(
                Exit::NotAuthorised,
                "the given token is not one line of printable characters",
            ));
        }
        Ok(token.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::{CommandFactory as _, FromArgMatches as _};

    const FILE: &str = "
        default_profile = 'work'
        [profile.work]
        hub = 'https://hub.work:8443'
        hub_ca = '~/ca.pem'
        token_file = '~/token'
        output = 'json'
        [profile.home]
        hub = 'https://hub.home:8443'
        hub_ca_pin = 'sha256:00'
        wait = true
    ";

    fn settings(text: &str, flags: &[&str]) -> Result<Settings> {
        let mut line = vec!["hadron", "whoami"];
        line.extend(flags);
        let matches = Cli::command().try_get_matches_from(line).unwrap();
        let cli = Cli::from_arg_matches(&matches).unwrap();
        let home = Home {
            home: Some("/home/u".into()),
            ..Home::default()
        };
        Settings::from_text(text, "config.toml".into(), &cli.global, &matches, &home)
    }

    #[test]
    fn a_profile_gives_what_no_flag_gives() {
        let work = settings(FILE, &[]).unwrap();
        assert_eq!(work.hub.unwrap().value, "https://hub.work:8443");
        assert_eq!(work.trust.unwrap().value, Trust::File("/home/u/ca.pem".into()));
        assert_eq!(work.token.unwrap().value, TokenFrom::File("/home/u/token".into()));
        assert_eq!(work.output.value, Format::Json);
        let home = settings(FILE, &["--profile", "home", "-o", "yaml"]).unwrap();
        assert_eq!(home.trust.unwrap().value, Trust::Pin("sha256:00".to_owned()));
        assert!(home.wait.value && home.token.is_none());
        assert_eq!(home.output.origin, Origin::Flag);
    }

    #[test]
    fn a_profiles_token_goes_to_no_other_hub() {
        let other = settings(FILE, &["--hub", "https://elsewhere:8443"]).unwrap();
        assert!(other.token.is_none() && other.trust.is_none());
        let same = settings(FILE, &["--hub", "https://hub.work:8443"]).unwrap();
        assert!(same.token.is_some());
    }

    #[test]
    fn what_flags_said_about_the_hub_is_said_again_and_no_token_is() {
        let told = |flags: &[&str]| settings(FILE, flags).unwrap().told().join(" ");
        assert_eq!(told(&[]), "");
        assert_eq!(told(&["--profile", "home", "-o", "json"]), "--profile home");
        assert_eq!(
            told(&[
                "--hub",
                "https://h:1",
                "--hub-ca",
                "my ca.pem",
                "--token",
                "secret"
            ]),
            "--hub https://h:1 --hub-ca 'my ca.pem' --token ..."
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = settings(FILE, &["--profile", "wrok"]).unwrap_err();
        assert!(unknown.to_string().contains("it has: home, work"), "{unknown}");
        let key = settings("[profile.a]\nhubb = 'x'", &[]).unwrap_err();
        assert!(
            key.exit == Exit::Usage && key.to_string().contains("hubb"),
            "{key}"
        );
    }

    #[test]
    fn plaintext_stays_on_this_machine() {
        let uri = |hub: &str| {
            settings("", &["--hub", hub])
                .unwrap()
                .hub_uri()
                .map(|uri| uri.to_string())
        };
        assert!(uri("https://hub.example.com:8443").is_ok());
        for local in [
            "http://127.0.0.1:1",
            "http://localhost:1",
            "http://[::1]:1",
            "http://127.9.9.9",
        ] {
            assert!(uri(local).is_ok(), "{local}");
        }
        for wrong in [
            "http://hub.example.com",
            "http://10.0.0.1",
            "hub:8443",
            "ftp://x",
            "https://hub/path",
            "http://127.0.0.1.evil.com",
            "",
        ] {
            assert!(uri(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", TokenFrom::Text("secret".to_owned())), "...");
        assert!(TokenFrom::Text("a\nb".to_owned()).token().is_err());
    }
}
