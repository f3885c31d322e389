//! Who calls: a given token, or an AWS identity that is proven to the hub.
//!
//! The proof is a signed `sts:GetCallerIdentity` that the hub sends to STS itself; no secret leaves this machine. The
//! token that the hub gives for it is kept in a file of mode 0600 until shortly before it ends, one per hub and
//! access key, so that the next command needs no login.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use hadron_proto::proof::{self, Binding};
use hadron_proto::spiffe::HubId;
use hadron_proto::vocab::{Region, Timestamp};
use hadron_proto::wire;
use hadron_proto::wire::auth_service_client::AuthServiceClient;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

use crate::client::{Wire, within};
use crate::error::{Exit, Failure, Result};
use crate::output::say;
use crate::settings::{Settings, TokenFrom};
use crate::trust::Line;

/// A kept token that ends this soon is not used any more.
const MARGIN: Duration = Duration::from_secs(120);

/// A token, and who it is for where that is known. Its text prints nowhere.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    token: String,
    expires_at: Option<String>,
    /// An IAM ARN.
    pub(crate) principal: Option<String>,
}

impl Token {
    /// As sent.
    pub(crate) fn text(&self) -> &str {
        &self.token
    }

    fn lasts(&self, now: Timestamp) -> bool {
        let ends = self
            .expires_at
            .as_deref()
            .and_then(|text| text.parse::<Timestamp>().ok());
        ends.is_some_and(|ends| ends > now.plus(MARGIN))
    }
}

/// How a token is come by.
pub(crate) enum Identity {
    /// It was given.
    Given(TokenFrom),
    /// It is got for an AWS identity.
    Aws {
        /// The hub's address: tokens of one hub are never sent to another.
        hub: String,
        /// The AWS profile, if not the default one.
        profile: Option<String>,
        /// Where tokens are kept.
        cache: Option<PathBuf>,
    },
}

impl Identity {
    /// As the settings say.
    pub(crate) fn of(settings: &Settings, hub: &str) -> Self {
        match &settings.token {
            Some(token) => Self::Given(token.value.clone()),
            None => Self::Aws {
                hub: hub.to_owned(),
                profile: settings.aws_profile.as_ref().map(|profile| profile.value.clone()),
                cache: settings.cache.as_ref().map(|dir| dir.join("tokens")),
            },
        }
    }

    /// A token: the given one, the kept one or a fresh one.
    pub(crate) async fn token(
        &self,
        auth: &AuthServiceClient<Wire>,
        line: &Line,
        verbose: bool,
    ) -> Result<Token> {
        match self {
            Self::Given(from) => Ok(Token {
                token: from.token()?,
                expires_at: None,
                principal: None,
            }),
            Self::Aws { hub, profile, cache } => {
                let aws = Aws::find(profile.as_deref()).await?;
                let file = cache.as_ref().map(|dir| dir.join(file_name(hub, &aws)));
                if let Some(kept) = file
                    .as_deref()
                    .and_then(read)
                    .filter(|kept| kept.lasts(crate::clock::now()))
                {
                    return Ok(kept);
                }
                aws.log_in(hub, auth, line, file.as_deref(), verbose).await
            }
        }
    }

    /// A fresh token, whatever is kept; `None` when the token was given.
    pub(crate) async fn fresh(
        &self,
        auth: &AuthServiceClient<Wire>,
        line: &Line,
        verbose: bool,
    ) -> Result<Option<Token>> {
        let Self::Aws { hub, profile, cache } = self else {
            return Ok(None);
        };
        let aws = Aws::find(profile.as_deref()).await?;
        let file = cache.as_ref().map(|dir| dir.join(file_name(hub, &aws)));
        aws.log_in(hub, auth, line, file.as_deref(), verbose)
            .await
            .map(Some)
    }
}

/// Credentials of AWS's default chain.
struct Aws {
    credentials: Credentials,
    region: Region,
}

impl Aws {
    async fn find(profile: Option<&str>) -> Result<Self> {
        let missing = || {
            Failure::new(
                Exit::NotAuthorised,
                "cannot tell the hub who you are: there is no token and no AWS identity",
            )
            .next("hadron --token-file FILE whoami")
            .next("aws sts get-caller-identity")
        };
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let provider = config.credentials_provider().ok_or_else(missing)?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            missing().why(cause)
        })?;
        // The proof names the Region whose STS the hub asks; any Region of the partition gives the same answer.
        let region = config.region().and_then(|region| region.as_ref().parse().ok());
        let region = region.unwrap_or_else(|| "us-east-1".parse().expect("us-east-1 is a Region"));
        Ok(Self { credentials, region })
    }

    async fn log_in(
        &self,
        hub: &str,
        auth: &AuthServiceClient<Wire>,
        line: &Line,
        keep: Option<&Path>,
        verbose: bool,
    ) -> Result<Token> {
        const WHAT: &str = "cannot log in";
        let failed = |status: Status| {
            let failure = Failure::from_status(WHAT, &status);
            // "log in first" is no help when logging in is what failed.
            let next = failure
                .next
                .iter()
                .filter(|next| *next != "hadron login")
                .cloned()
                .collect();
            Failure { next, ..failure }
        };
        let local = |why: String| {
            Failure::new(Exit::NotAuthorised, WHAT)
                .why(why)
                .next("aws sts get-caller-identity")
        };
        let mut auth = auth.clone();
        let mut tries = 0;
        let challenge = loop {
            match within(auth.begin_login(wire::BeginLoginRequest {})).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) if status.code() == Code::Unavailable && tries < 2 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(status) => return Err(failed(status)),
            }
        };
        let nonce = challenge.nonce.as_slice().try_into();
        let nonce = nonce.map_err(|_| local("the hub's challenge is not 32 bytes long".to_owned()))?;
        let said: HubId = challenge
            .hub_id
            .parse()
            .map_err(|error| local(format!("the hub's id: {error}")))?;
        let hub_id = line.hub_id(&said);
        let hub_id = hub_id.ok_or_else(|| {
            local(format!(
                "it says that it is hub {said}; its certificate says otherwise"
            ))
        })?;
        let now = crate::clock::now();
        let binding = Binding::Login { nonce, hub_id };
        let proof = proof::sign(&self.credentials, &self.region, now, &binding).map_err(|error| {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            local(format!("{error}{cause}"))
        })?;
        let request = wire::FinishLoginRequest {
            proof: Some(proof.to_wire(challenge.challenge_id)),
        };
        let answer = within(auth.finish_login(request))
            .await
            .map_err(failed)?
            .into_inner();
        let lasts = answer
            .valid_for
            .and_then(|time| u64::try_from(time.seconds).ok())
            .unwrap_or(0);
        let ends = now.plus(Duration::from_secs(lasts));
        if verbose {
            say(format!(
                "logged in to {hub} as {} ({})",
                answer.principal, answer.role
            ));
        }
        let token = Token {
            token: answer.token,
            expires_at: Some(ends.to_string()),
            principal: Some(answer.principal),
        };
        if let Some(file) = keep {
            // A token that cannot be kept is still good for this command.
            if let Err(error) = write(file, &token) {
                say(format!(
                    "warning: cannot keep the token in {}: {error}",
                    file.display()
                ));
            }
        }
        Ok(token)
    }
}

/// Hub and access key in a form that fits a file name and tells neither.
fn file_name(hub: &str, aws: &Aws) -> String {
    let mut hash = Sha256::new();
    hash.update(hub.as_bytes());
    hash.update([0]);
    hash.update(aws.credentials.access_key_id().as_bytes());
    let hex: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{hex}.json")
}

fn read(file: &Path) -> Option<Token> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Writes beside and renames, so that no reader sees half a token; the mode is set before the text is there.
fn write(file: &Path, token: &Token) -> std::io::Result<()> {
    use std::io::Write as _;
    let dir = file
        .parent()
        .ok_or_else(|| std::io::Error::other("no directory"))?;
    let mut build = std::fs::DirBuilder::new();
    build.recursive(true);
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        build.mode(0o700);
        open.mode(0o600);
    }
    build.create(dir)?;
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let mut out = open.open(&beside)?;
    out.write_all(&serde_json::to_vec(token)?)?;
    out.sync_all()?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(ends: &str) -> Token {
        Token {
            token: "secret".to_owned(),
            expires_at: Some(ends.to_owned()),
            principal: None,
        }
    }

    #[test]
    fn a_token_is_kept_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hadron/tokens/x.json");
        write(&file, &token("2026-11-20T10:00:00Z")).unwrap();
        write(&file, &token("2026-11-20T11:00:00Z")).unwrap();
        assert_eq!(
            read(&file).unwrap().expires_at.as_deref(),
            Some("2026-11-20T11:00:00Z")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
            assert_eq!(
                std::fs::metadata(file.parent().unwrap())
                    .unwrap()
                    .permissions()
                    .mode()
                    & 0o777,
                0o700
            );
        }
        assert_eq!(
            std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_token_is_not_used_to_its_last_second() {
        let now = "2026-11-20T10:00:00Z".parse().unwrap();
        assert!(token("2026-11-20T10:05:00Z").lasts(now));
        assert!(!token("2026-11-20T10:01:00Z").lasts(now));
        assert!(!token("soon").lasts(now));
        assert!(
            !Token {
                expires_at: None,
                ..token("")
            }
            .lasts(now)
        );
    }

    #[test]
    fn hubs_and_keys_do_not_share_a_file() {
        let aws = |key: &str| Aws {
            credentials: Credentials::new(key, "s", None, None, "test"),
            region: "us-east-1".parse().unwrap(),
        };
        let names = [
            file_name("https://a", &aws("A")),
            file_name("https://b", &aws("A")),
            file_name("https://a", &aws("B")),
        ];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
    }
}
