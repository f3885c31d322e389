//! Who calls: a given token, or an AWS identity that is proven to the hub.
//!
//! The proof is a signed `sts:GetCallerIdentity` that the hub sends to STS itself; no secret leaves this machine. The
//! token that the hub gives for it is kept in a file of mode 0600 until shortly before it ends, one per hub and
//! access key, so that the next command needs no login. The temporary access keys that the hub gives for the same proof are
//! kept in the same way.
//!
//! Or an issuer of OpenID Connect says who it is ([`Way`]): a person in a browser, or a workload by its token. That login is
//! kept until it ends or the person logs out; until then nothing asks for AWS credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use hadron_proto::proof::{self, Binding};
use hadron_proto::spiffe::HubId;
use hadron_proto::vocab::{Region, Timestamp};
use hadron_proto::wire;
use hadron_proto::wire::auth_service_client::AuthServiceClient;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Status};

use crate::browser::{self, Listener};
use crate::client::{Wire, unhurried};
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
    /// An IAM ARN, or who somebody is at an issuer.
    pub(crate) principal: Option<String>,
}

impl Token {
    /// As sent.
    pub(crate) fn text(&self) -> &str {
        &self.token
    }

    fn lasts(&self, now: Timestamp, margin: Duration) -> bool {
        let ends = self
            .expires_at
            .as_deref()
            .and_then(|text| text.parse::<Timestamp>().ok());
        ends.is_some_and(|ends| ends > now.plus(margin))
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
        /// Where the login at an issuer is kept.
        session: Option<PathBuf>,
    },
}

/// How somebody logs in who is no AWS identity. An empty issuer means the only one there is.
pub(crate) enum Way {
    /// In a browser on this machine.
    Browser {
        /// What the issuer is called at the hub.
        issuer: String,
        /// Whether to open the browser; the address is printed anyway.
        open: bool,
    },
    /// In a browser somewhere else.
    Device {
        /// What the issuer is called at the hub.
        issuer: String,
    },
    /// With the token of a workload.
    Workload {
        /// What the issuer is called at the hub.
        issuer: String,
        /// The token.
        token: String,
    },
}

/// What came of logging out.
pub(crate) enum Left {
    /// The login has ended.
    Ended,
    /// There was none.
    Nobody,
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
                session: settings
                    .cache
                    .as_ref()
                    .map(|dir| dir.join("sessions").join(named(hub, ""))),
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
            Self::Aws {
                hub,
                profile,
                cache,
                session,
            } => {
                if let Some(kept) = session.as_deref().and_then(read::<Token>) {
                    return still_good(kept);
                }
                let aws = Aws::find(profile.as_deref()).await?;
                let file = cache.as_ref().map(|dir| dir.join(file_name(hub, &aws)));
                if let Some(kept) = file
                    .as_deref()
                    .and_then(read::<Token>)
                    .filter(|kept| kept.lasts(crate::clock::now(), MARGIN))
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
        let Self::Aws {
            hub,
            profile,
            cache,
            session,
        } = self
        else {
            return Ok(None);
        };
        if session.as_deref().is_some_and(Path::exists) {
            return Ok(None);
        }
        let aws = Aws::find(profile.as_deref()).await?;
        let file = cache.as_ref().map(|dir| dir.join(file_name(hub, &aws)));
        aws.log_in(hub, auth, line, file.as_deref(), verbose)
            .await
            .map(Some)
    }
}

impl Identity {
    /// Logs in at an issuer, and keeps the login.
    pub(crate) async fn log_in(&self, auth: &AuthServiceClient<Wire>, way: Way) -> Result<Token> {
        let Self::Aws { session, .. } = self else {
            return Err(Failure::usage("a token is given, which wins over any login")
                .next("unset HADRON_TOKEN HADRON_TOKEN_FILE"));
        };
        let now = crate::clock::now();
        let answer = match way {
            Way::Browser { issuer, open } => in_browser(auth, issuer, open).await?,
            Way::Device { issuer } => on_device(auth, issuer).await?,
            Way::Workload { issuer, token } => {
                let request = wire::ExchangeTokenRequest {
                    issuer_name: issuer,
                    token,
                };
                unhurried(async || auth.clone().exchange_token(request.clone()).await)
                    .await
                    .map_err(|status| refused(LOG_IN, &status))?
                    .into_inner()
            }
        };
        let lasts = seconds(answer.valid_for.as_ref()).unwrap_or_default();
        let token = Token {
            token: answer.token,
            expires_at: Some(now.plus(lasts).to_string()),
            principal: Some(answer.principal),
        };
        let kept = session
            .as_deref()
            .ok_or_else(|| "there is no home directory".to_owned());
        let kept =
            kept.and_then(|file| write(file, &token).map_err(|error| format!("{}: {error}", file.display())));
        kept.map_err(|why| {
            Failure::new(Exit::Failure, "cannot keep the login, which later commands need")
                .why(why)
                .next("set XDG_CACHE_HOME to a directory that can be written")
        })?;
        Ok(token)
    }

    /// Forgets the login at an issuer, without telling the hub.
    pub(crate) fn forget(&self) {
        if let Self::Aws {
            session: Some(file), ..
        } = self
        {
            let _ = std::fs::remove_file(file);
        }
    }

    /// Ends the login: at the hub, and here in any case.
    pub(crate) async fn log_out(&self, auth: &AuthServiceClient<Wire>) -> Result<Left> {
        let Self::Aws {
            hub,
            profile,
            cache,
            session,
        } = self
        else {
            return Err(Failure::usage("a given token is not ended by logging out")
                .next("hadron-hub admin token disable NAME, on the hub's machine"));
        };
        let mut files: Vec<PathBuf> = session.iter().cloned().collect();
        // Without credentials nothing is kept for them.
        if let (Some(dir), Ok(aws)) = (cache, Aws::find(profile.as_deref()).await) {
            files.push(dir.join(file_name(hub, &aws)));
        }
        let mut left = Left::Nobody;
        for file in files {
            let Some(kept) = read::<Token>(&file) else {
                continue;
            };
            let _ = std::fs::remove_file(&file);
            if !kept.lasts(crate::clock::now(), Duration::ZERO) {
                continue;
            }
            let mut request = tonic::Request::new(wire::LogoutRequest {});
            let bearer = format!("Bearer {}", kept.text()).parse::<AsciiMetadataValue>();
            let Ok(bearer) = bearer else { continue };
            request.metadata_mut().insert("authorization", bearer);
            match crate::client::within(auth.clone().logout(request)).await {
                Ok(_) => left = Left::Ended,
                Err(status) if status.code() == Code::Unauthenticated => left = Left::Ended,
                Err(status) => {
                    return Err(Failure::from_status(
                        "the login is forgotten here, but the hub did not end it",
                        &status,
                    )
                    .why(format!(
                        "the token counts until {}",
                        kept.expires_at.unwrap_or_default()
                    )));
                }
            }
        }
        Ok(left)
    }
}

const LOG_IN: &str = "cannot log in";

/// How long before its end a login at an issuer is not used any more.
const LAST_SECONDS: Duration = Duration::from_secs(5);

/// A login at an issuer, unless it is over. It is not replaced by an AWS identity without a word: that may be somebody else.
fn still_good(kept: Token) -> Result<Token> {
    if kept.lasts(crate::clock::now(), LAST_SECONDS) {
        return Ok(kept);
    }
    let who = kept.principal.unwrap_or_default();
    let ended = kept.expires_at.unwrap_or_default();
    Err(Failure::new(
        Exit::NotAuthorised,
        format!("the login as {who} ended at {ended}"),
    )
    .next("hadron login --oidc")
    .next("hadron logout, to go on with AWS credentials"))
}

fn seconds(span: Option<&prost_types::Duration>) -> Option<Duration> {
    u64::try_from(span?.seconds).ok().map(Duration::from_secs)
}

async fn in_browser(
    auth: &AuthServiceClient<Wire>,
    issuer: String,
    open: bool,
) -> Result<wire::FinishLoginResponse> {
    let listener = Listener::bind().await?;
    let request = wire::BeginOidcLoginRequest {
        issuer_name: issuer,
        redirect_uri: listener.uri().to_owned(),
    };
    let begun = unhurried(async || auth.clone().begin_oidc_login(request.clone()).await)
        .await
        .map_err(|status| refused(LOG_IN, &status))?
        .into_inner();
    say("Log in with this address:");
    say(format!("  {}", begun.authorization_url));
    if open {
        browser::open(&begun.authorization_url);
    }
    let patience = seconds(begun.valid_for.as_ref()).unwrap_or(Duration::from_secs(600));
    let came = listener.wait(&begun.state, patience).await?;
    let request = wire::FinishOidcLoginRequest {
        state: begun.state,
        code: came.code,
        code_verifier: begun.code_verifier,
        issuer: came.issuer,
    };
    // Not repeated: a code counts once.
    let answer = crate::client::within(auth.clone().finish_oidc_login(request)).await;
    Ok(answer.map_err(|status| refused(LOG_IN, &status))?.into_inner())
}

async fn on_device(auth: &AuthServiceClient<Wire>, issuer: String) -> Result<wire::FinishLoginResponse> {
    let request = wire::BeginDeviceLoginRequest { issuer_name: issuer };
    let begun = unhurried(async || auth.clone().begin_device_login(request.clone()).await)
        .await
        .map_err(|status| refused(LOG_IN, &status))?
        .into_inner();
    say(format!(
        "Log in on any device at {} with the code {}",
        begun.verification_uri, begun.user_code
    ));
    if !begun.verification_uri_complete.is_empty() {
        say(format!("  {}", begun.verification_uri_complete));
    }
    let mut pause = seconds(begun.interval.as_ref())
        .unwrap_or(Duration::from_secs(5))
        .max(Duration::from_secs(1));
    let ends =
        crate::clock::now().plus(seconds(begun.valid_for.as_ref()).unwrap_or(Duration::from_secs(600)));
    let request = wire::FinishDeviceLoginRequest {
        issuer_name: begun.issuer_name,
        device_code: begun.device_code,
    };
    while crate::clock::now() < ends {
        tokio::time::sleep(pause).await;
        let status = match crate::client::within(auth.clone().finish_device_login(request.clone())).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        match crate::client::reason(&status).as_str() {
            "AUTHORIZATION_PENDING" => {}
            // RFC 8628, 3.5.
            "SLOW_DOWN" => pause += Duration::from_secs(5),
            _ if status.code() == Code::Unavailable => pause = pause.max(Duration::from_secs(5)),
            _ => return Err(refused(LOG_IN, &status)),
        }
    }
    Err(Failure::new(Exit::TimedOut, "nobody confirmed the login in time").next("hadron login --device"))
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
            .next("hadron login --oidc, where the hub has an issuer for people")
            .next("hadron --token-file FILE whoami")
            .next("aws sts get-caller-identity")
        };
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        Self::of(&config, missing).await
    }

    /// Credentials of this profile, whatever the environment says.
    async fn of_profile(profile: &str) -> Result<Self> {
        let missing = || {
            Failure::new(
                Exit::NotAuthorised,
                format!("the AWS profile '{profile}' gives no credentials"),
            )
        };
        let provider = aws_config::profile::ProfileFileCredentialsProvider::builder()
            .profile_name(profile)
            .build();
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .profile_name(profile)
            .credentials_provider(provider)
            .load()
            .await;
        Self::of(&config, missing).await
    }

    async fn of(config: &aws_config::SdkConfig, missing: impl Fn() -> Failure) -> Result<Self> {
        let provider = config.credentials_provider().ok_or_else(&missing)?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            // The outermost says nothing; the innermost may be what a credential_process said.
            let mut causes = Vec::new();
            let mut next = std::error::Error::source(&error);
            while let Some(cause) = next {
                causes.push(cause.to_string());
                next = cause.source();
            }
            causes.dedup();
            if causes.is_empty() {
                causes.push(error.to_string());
            }
            missing().why(causes.join(": "))
        })?;
        // The proof names the Region whose STS the hub asks; any Region of the partition gives the same answer.
        let region = config.region().and_then(|region| region.as_ref().parse().ok());
        let region = region.unwrap_or_else(|| "us-east-1".parse().expect("us-east-1 is a Region"));
        Ok(Self { credentials, region })
    }

    /// Proves who they are: a challenge of the hub, signed.
    async fn prove(
        &self,
        what: &'static str,
        auth: &AuthServiceClient<Wire>,
        line: &Line,
    ) -> Result<wire::StsProof> {
        let local = |why: String| {
            Failure::new(Exit::NotAuthorised, what)
                .why(why)
                .next("aws sts get-caller-identity")
        };
        let mut tries = 0;
        let challenge = loop {
            let begin = async || auth.clone().begin_login(wire::BeginLoginRequest {}).await;
            match unhurried(begin).await {
                Ok(answer) => break answer.into_inner(),
                Err(status) if status.code() == Code::Unavailable && tries < 2 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(status) => return Err(refused(what, &status)),
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
        let binding = Binding::Login { nonce, hub_id };
        let proof = proof::sign(&self.credentials, &self.region, crate::clock::now(), &binding);
        let proof = proof.map_err(|error| {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            local(format!("{error}{cause}"))
        })?;
        Ok(proof.to_wire(challenge.challenge_id))
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
        let now = crate::clock::now();
        let request = wire::FinishLoginRequest {
            proof: Some(self.prove(WHAT, auth, line).await?),
        };
        let answer = unhurried(async || auth.clone().finish_login(request.clone()).await)
            .await
            .map_err(|status| refused(WHAT, &status))?
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

/// What the hub said to a login.
fn refused(what: &'static str, status: &Status) -> Failure {
    let failure = Failure::from_status(what, status);
    // "log in first" is no help when logging in is what failed.
    let next = failure
        .next
        .iter()
        .filter(|next| *next != "hadron login")
        .cloned()
        .collect();
    Failure { next, ..failure }
}

/// A temporary access key for the hub's Proton API. Its text prints nowhere but where it was asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

impl Key {
    /// What an AWS `credential_process` prints.
    pub(crate) fn as_process_output(&self) -> String {
        serde_json::json!({
            "Version": 1,
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": self.expiration,
        })
        .to_string()
    }
}

/// A key that ends this soon is not given out any more: AWS's SDKs begin to ask for another 15 minutes before the end.
const KEY_MARGIN: Duration = Duration::from_secs(15 * 60);

/// What a kept key is for.
pub(crate) struct KeyFor<'a> {
    /// The hub's address: keys of one hub are never used for another.
    pub(crate) hub: &'a str,
    /// Who it stands for, see [`crate::settings::aws_identity`].
    pub(crate) identity: &'a str,
    /// Where things are kept.
    pub(crate) cache: Option<&'a Path>,
}

impl KeyFor<'_> {
    fn file(&self) -> Option<PathBuf> {
        Some(self.cache?.join("keys").join(named(self.hub, self.identity)))
    }

    /// The key that is kept, if it lasts for some time yet.
    pub(crate) fn kept(&self, now: Timestamp) -> Option<Key> {
        let key: Key = read(&self.file()?)?;
        let ends: Timestamp = key.expiration.parse().ok()?;
        (ends > now.plus(KEY_MARGIN)).then_some(key)
    }

    /// Keeps a key. One that cannot be kept is still good for this time.
    pub(crate) fn keep(&self, key: &Key) {
        if let Some(file) = self.file()
            && let Err(error) = write(&file, key)
        {
            say(format!(
                "warning: cannot keep the key in {}: {error}",
                file.display()
            ));
        }
    }
}

/// A fresh temporary key for an AWS identity.
pub(crate) async fn temporary_key(
    profile: Option<&str>,
    auth: &AuthServiceClient<Wire>,
    line: &Line,
) -> Result<Key> {
    const WHAT: &str = "cannot get an access key";
    let aws = match profile {
        Some(profile) => Aws::of_profile(profile).await,
        None => Aws::find(None).await,
    };
    let aws = aws.map_err(|failure| Failure {
        what: "there is no AWS identity to get an access key for".to_owned(),
        next: Vec::new(),
        ..failure
    });
    let aws = aws.map_err(|failure| {
        failure
            .next("aws sts get-caller-identity")
            .next("hadron credentials --aws-profile NAME")
            .next("without an IAM identity, ask whoever runs the hub: hadron-hub admin access-key create")
    })?;
    if aws.credentials.access_key_id().starts_with("HUBA") {
        return Err(Failure::new(Exit::NotAuthorised, WHAT)
            .why(
                "the AWS credentials that were found are an access key of a hub, which proves nothing to AWS",
            )
            .next("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")
            .next("hadron credentials --aws-profile NAME"));
    }
    let request = wire::IssueAccessKeyRequest {
        proof: Some(aws.prove(WHAT, auth, line).await?),
    };
    let answer = unhurried(async || auth.clone().issue_access_key(request.clone()).await)
        .await
        .map_err(|status| refused(WHAT, &status))?
        .into_inner();
    let expiration = answer
        .expiration
        .and_then(|at| at.seconds.checked_mul(1_000_000).map(Timestamp::from_micros));
    let expiration = expiration.ok_or_else(|| {
        Failure::new(Exit::Failure, WHAT)
            .why("the hub does not say when the key ends; it is of another version")
    })?;
    Ok(Key {
        access_key_id: answer.access_key_id,
        secret_access_key: answer.secret_access_key,
        session_token: answer.session_token,
        expiration: expiration.to_string(),
    })
}

/// Hub and access key in a form that fits a file name and tells neither.
fn file_name(hub: &str, aws: &Aws) -> String {
    named(hub, aws.credentials.access_key_id())
}

/// The name of what is kept for an identity at a hub.
pub(crate) fn named(hub: &str, identity: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(hub.as_bytes());
    hash.update([0]);
    hash.update(identity.as_bytes());
    let hex: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{hex}.json")
}

/// What was kept, if it can be read.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Writes beside and renames, so that no reader sees half a secret; the mode is set before the text is there.
/// Keeps something for its owner only.
pub(crate) fn write<T: Serialize>(file: &Path, secret: &T) -> std::io::Result<()> {
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
    out.write_all(&serde_json::to_vec(secret)?)?;
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
            read::<Token>(&file).unwrap().expires_at.as_deref(),
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
        assert!(token("2026-11-20T10:05:00Z").lasts(now, MARGIN));
        assert!(!token("2026-11-20T10:01:00Z").lasts(now, MARGIN));
        assert!(!token("soon").lasts(now, MARGIN));
        assert!(
            !Token {
                expires_at: None,
                ..token("")
            }
            .lasts(now, MARGIN)
        );
    }

    #[test]
    fn a_key_is_kept_for_its_hub_and_identity_and_given_while_it_lasts() {
        let dir = tempfile::tempdir().unwrap();
        let of = |hub, identity| KeyFor {
            hub,
            identity,
            cache: Some(dir.path()),
        };
        let key = Key {
            access_key_id: "HUBA1".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "session".to_owned(),
            expiration: "2026-11-20T11:00:00Z".to_owned(),
        };
        of("https://a", "x").keep(&key);
        let kept = |hub, identity, now: &str| of(hub, identity).kept(now.parse().unwrap());
        assert!(kept("https://a", "x", "2026-11-20T10:44:59Z") == Some(key));
        assert!(kept("https://a", "x", "2026-11-20T10:45:00Z").is_none());
        assert!(kept("https://b", "x", "2026-11-20T10:00:00Z").is_none());
        assert!(kept("https://a", "y", "2026-11-20T10:00:00Z").is_none());
        let nowhere = KeyFor {
            cache: None,
            ..of("https://a", "x")
        };
        assert!(nowhere.kept("2026-11-20T10:00:00Z".parse().unwrap()).is_none());
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
