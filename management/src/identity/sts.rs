//! Asking STS who signed a request. The request is rebuilt from checked scalars ([`hadron_proto::proof`]) and sent to a
//! host of the compiled table; the answer must have exactly one form. CVE-2020-16250 (Vault) came from trusting an
//! answer that an attacker had shaped; here neither side of the exchange is theirs.

use std::sync::Arc;
use std::time::Duration;

use hadron_proto::proof::{Binding, ProofScalars, StsRequest, rebuild};
use hadron_proto::tls::install_provider;
use hadron_proto::vocab::{AccountId, Partition};
use reqwest::{Client, StatusCode, Url, header, redirect};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::DevMode;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER: usize = 64 * 1024;
/// Calls at the same time. A caller has paid with a challenge for each, so that more means trouble, not load.
const MAX_CALLS: usize = 64;

/// Where STS is.
#[derive(Debug, Clone)]
pub enum StsEndpoint {
    /// At the hosts of the compiled table, by HTTPS with certificates of public CAs.
    Aws,
    /// At an emulator.
    Override(Override),
}

/// The address of an emulator. The signed `Host` header is kept, so that the emulator can check the signature.
#[derive(Debug, Clone)]
pub struct Override(Url);

impl StsEndpoint {
    /// An emulator, which only a development hub may believe.
    ///
    /// # Errors
    /// When the text is no `http` or `https` URL.
    pub fn emulator(_: DevMode, url: &str) -> Result<Self, StsSetup> {
        let invalid = || StsSetup::Url {
            given: url.to_owned(),
        };
        let url = Url::parse(url).map_err(|_| invalid())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid());
        }
        Ok(Self::Override(Override(url)))
    }

    /// Whether an emulator stands in for AWS.
    #[must_use]
    pub const fn is_emulated(&self) -> bool {
        matches!(self, Self::Override(_))
    }
}

/// The client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum StsSetup {
    /// Not an URL.
    #[error("'{given}' is not the address of an STS emulator: it must be http://<host>:<port>")]
    Url {
        /// What was given.
        given: String,
    },
    /// TLS or the HTTP client.
    #[error("cannot set up the client of STS")]
    Client(#[source] reqwest::Error),
}

/// STS did not name an identity.
#[derive(Debug, thiserror::Error)]
pub enum StsError {
    /// STS looked at the signature and said no.
    #[error("AWS STS refused the signed request: {code}{}", advice(code))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// STS's error code, letters and digits only.
        code: String,
    },
    /// There is no answer that can be relied on; trying again may help.
    #[error("AWS STS did not answer usefully: {reason}; try again")]
    Unavailable {
        /// What was wrong with the answer.
        reason: &'static str,
        /// The cause, for the log.
        #[source]
        cause: Option<reqwest::Error>,
    },
}

fn advice(code: &str) -> &'static str {
    match code {
        "ExpiredToken" | "ExpiredTokenException" => "; the credentials have expired, get new ones",
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "; the access key is unknown, disabled, or of another partition"
        }
        "SignatureDoesNotMatch" => {
            "; check the clock, and that nothing between here and there changes the proof"
        }
        "RegionDisabledException" => "; STS of this Region is not activated in the account",
        _ => "",
    }
}

const fn unavailable(reason: &'static str) -> StsError {
    StsError::Unavailable { reason, cause: None }
}

/// Who signed, as STS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account of the signer.
    pub account: AccountId,
    /// The ARN, as STS wrote it.
    pub arn: String,
    /// The unique id, as STS wrote it.
    pub user_id: String,
    partition: Partition,
    caller: Caller,
}

/// What kind of identity it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A session of a role. The role's path is not part of the ARN; names are unique in an account without it.
    AssumedRole {
        /// The role's name.
        role: String,
        /// The session's name.
        session: String,
    },
    /// An IAM user, with the path.
    User {
        /// What follows `user/`.
        name: String,
    },
    /// The account itself.
    Root,
    /// A session of `GetFederationToken`.
    Federated,
}

impl CallerIdentity {
    /// Reads what STS said, and checks that its three parts agree with one another and with the partition asked.
    ///
    /// # Errors
    /// When they do not: an answer that contradicts itself is none.
    pub fn read(account: &str, arn: &str, user_id: &str, asked: Partition) -> Result<Self, StsError> {
        let parse = || {
            let account: AccountId = account.parse().ok()?;
            let plain = |text: &str, max| {
                (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
            };
            (plain(arn, 2048) && plain(user_id, 256)).then_some(())?;
            let parts: Vec<&str> = arn.splitn(6, ':').collect();
            let ["arn", partition, service, "", owner, resource] = parts[..] else {
                return None;
            };
            (partition == asked.as_str() && owner == account.as_str()).then_some(())?;
            let caller = match (service, resource) {
                ("iam", "root") => Caller::Root,
                ("iam", user) => Caller::User {
                    name: user
                        .strip_prefix("user/")
                        .filter(|name| !name.is_empty())?
                        .to_owned(),
                },
                ("sts", session) if session.starts_with("federated-user/") => Caller::Federated,
                ("sts", session) => {
                    let (role, session) = session.strip_prefix("assumed-role/")?.split_once('/')?;
                    let word = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
                    let fine = |text: &str| !text.is_empty() && text.bytes().all(word);
                    (fine(role) && fine(session)).then_some(())?;
                    Caller::AssumedRole {
                        role: role.to_owned(),
                        session: session.to_owned(),
                    }
                }
                _ => return None,
            };
            let (arn, user_id) = (arn.to_owned(), user_id.to_owned());
            Some(Self {
                account,
                arn,
                user_id,
                partition: asked,
                caller,
            })
        };
        parse().ok_or(unavailable("the identity in its answer cannot be read"))
    }

    /// What kind of identity it is.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The partition of the account. Account ids are unique only within one.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// The names of role and session, where a role signed.
    #[must_use]
    pub fn assumed_role(&self) -> Option<(&str, &str)> {
        match &self.caller {
            Caller::AssumedRole { role, session } => Some((role, session)),
            Caller::User { .. } | Caller::Root | Caller::Federated => None,
        }
    }

    /// The unique id of the role (`AROA...`), which a role of the same name made later does not have.
    #[must_use]
    pub fn role_id(&self) -> Option<&str> {
        let (_, session) = self.assumed_role()?;
        let (id, named) = self.user_id.split_once(':')?;
        (named == session && !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(id)
    }

    /// Who it is without the session: the role's ARN (without its path, which STS does not tell), or the ARN as it is.
    #[must_use]
    pub fn principal_arn(&self) -> String {
        match &self.caller {
            Caller::AssumedRole { role, .. } => {
                format!(
                    "arn:{}:iam::{}:role/{role}",
                    self.partition.as_str(),
                    self.account
                )
            }
            Caller::User { .. } | Caller::Root | Caller::Federated => self.arn.clone(),
        }
    }
}

/// The client of STS.
#[derive(Debug, Clone)]
pub struct Sts {
    client: Client,
    endpoint: StsEndpoint,
    calls: Arc<Semaphore>,
    #[cfg(test)]
    strict: bool,
}

impl Sts {
    /// Sets up the client.
    ///
    /// # Errors
    /// When the HTTP client cannot be made, for instance since the machine has no root certificates.
    pub fn new(endpoint: StsEndpoint) -> Result<Self, StsSetup> {
        install_provider();
        let client = Client::builder()
            // An answer from elsewhere than the host that was asked is no answer.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(!endpoint.is_emulated())
            .http1_only()
            .referer(false)
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(StsSetup::Client)?;
        Ok(Self {
            client,
            endpoint,
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            #[cfg(test)]
            strict: false,
        })
    }

    /// As strict as with AWS, only that every host is at this address and without TLS.
    #[cfg(test)]
    pub(crate) fn strict_for_tests(url: &str) -> Self {
        let address = Url::parse(url)
            .ok()
            .map(Override)
            .map(StsEndpoint::Override)
            .expect("a URL");
        let sts = Self::new(address).expect("a client");
        Self { strict: true, ..sts }
    }

    /// Whether an emulator stands in for AWS.
    #[must_use]
    pub const fn is_emulated(&self) -> bool {
        #[cfg(test)]
        if self.strict {
            return false;
        }
        self.endpoint.is_emulated()
    }

    /// Asks STS who signed this proof for this binding.
    ///
    /// # Errors
    /// When STS refuses, or gives no answer that can be relied on.
    pub async fn who_signed(
        &self,
        proof: &ProofScalars,
        binding: &Binding,
    ) -> Result<CallerIdentity, StsError> {
        let _permit = self
            .calls
            .try_acquire()
            .map_err(|_| unavailable("too many calls at once"))?;
        let request = rebuild(proof, binding);
        let answer = tokio::time::timeout(TIMEOUT, self.send(&request));
        let (status, json, body) = answer.await.map_err(|_| unavailable("no answer within 5 s"))??;
        let emulated = self.is_emulated();
        if status != StatusCode::OK {
            return Err(refusal(status, &body));
        }
        let found = match (json, emulated) {
            (true, _) => from_json(&body),
            (false, true) => from_xml(&body),
            (false, false) => return Err(unavailable("its answer is not JSON")),
        };
        let Answer {
            account,
            arn,
            user_id,
        } = found?;
        CallerIdentity::read(&account, &arn, &user_id, proof.region().partition())
    }

    async fn send(&self, request: &StsRequest) -> Result<(StatusCode, bool, Vec<u8>), StsError> {
        let lost = |cause| StsError::Unavailable {
            reason: "it cannot be reached",
            cause: Some(cause),
        };
        let url = match &self.endpoint {
            StsEndpoint::Aws => Url::parse(&format!("https://{}/", request.host))
                .map_err(|_| unavailable("its address is no URL"))?,
            StsEndpoint::Override(Override(url)) => url.clone(),
        };
        let mut call = self.client.post(url).body(request.body);
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        let mut answer = call.send().await.map_err(lost)?;
        let status = answer.status();
        let kind = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let json = kind.is_some_and(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim() == "application/json")
        });
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(unavailable("its answer is longer than 64 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, json, body))
    }
}

struct Answer {
    account: String,
    arn: String,
    user_id: String,
}

/// Exactly AWS's answer: unknown and repeated fields are refused by serde.
fn from_json(body: &[u8]) -> Result<Answer, StsError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[serde(rename = "GetCallerIdentityResponse")]
        response: Response,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Response {
        #[serde(rename = "GetCallerIdentityResult")]
        result: Identity,
        #[serde(rename = "ResponseMetadata")]
        _metadata: Metadata,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Identity {
        #[serde(rename = "Account")]
        account: String,
        #[serde(rename = "Arn")]
        arn: String,
        #[serde(rename = "UserId")]
        user_id: String,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "RequestId")]
        _request_id: String,
    }
    let document: Document = serde_json::from_slice(body)
        .map_err(|_| unavailable("its answer is not what GetCallerIdentity answers"))?;
    let Identity {
        account,
        arn,
        user_id,
    } = document.response.result;
    Ok(Answer {
        account,
        arn,
        user_id,
    })
}

/// What emulators answer even when JSON is asked for. Each element must stand there exactly once, with plain text in it.
fn from_xml(body: &[u8]) -> Result<Answer, StsError> {
    let text = std::str::from_utf8(body).map_err(|_| unavailable("its answer is not text"))?;
    let only = |text: &str, name: &str| -> Option<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (_, rest) = text.split_once(&open)?;
        let (inner, after) = rest.split_once(&close)?;
        let once = !rest.contains(&open) && !after.contains(&close);
        once.then(|| inner.to_owned())
    };
    let parse = || {
        text.contains("<GetCallerIdentityResponse").then_some(())?;
        let result = only(text, "GetCallerIdentityResult")?;
        let field = |name| only(&result, name).filter(|value| !value.contains(['<', '&']));
        Some(Answer {
            account: field("Account")?,
            arn: field("Arn")?,
            user_id: field("UserId")?,
        })
    };
    parse().ok_or(unavailable("its answer is not what GetCallerIdentity answers"))
}

fn refusal(status: StatusCode, body: &[u8]) -> StsError {
    let text = String::from_utf8_lossy(body);
    // Both forms, `"Code":"X"` and `<Code>X</Code>`: the code decides only whether trying again may help.
    let after = text
        .split_once("\"Code\"")
        .map(|(_, rest)| rest.trim_start_matches([':', ' ', '"']));
    let after = after.or_else(|| text.split_once("<Code>").map(|(_, rest)| rest));
    let code: String = after
        .unwrap_or("")
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .take(64)
        .collect();
    let busy = [
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
    ];
    if !status.is_client_error() || status == StatusCode::TOO_MANY_REQUESTS || busy.contains(&code.as_str()) {
        return unavailable(match status.as_u16() {
            300..400 => "it answered with a redirect",
            429 => "it is throttling",
            400..500 => "it is throttling",
            _ => "it answered with an error of its own",
        });
    }
    let code = if code.is_empty() {
        format!("HTTP {}", status.as_u16())
    } else {
        code
    };
    StsError::Refused {
        status: status.as_u16(),
        code,
    }
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
