//! How attacks speak to a hub: gRPC with or without a certificate, raw TLS, the Proton API with a signature that can be
//! spoilt. Each connection may come from an address of this machine that is the attack's own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use hadron_management::clock::Clock;
use hadron_proto::wire;
use hadron_proto::wire::auth_service_client::AuthServiceClient;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::aws::Variables;
use crate::hub::Ready;
use crate::{REGION, World};

/// The longest that an attack waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The hub's CA, as its clients have it.
///
/// # Errors
/// When it cannot be read.
pub fn ca(ready: &Ready) -> Result<Certificate> {
    Ok(Certificate::from_pem(
        std::fs::read(&ready.ca_file).context("the hub's CA")?,
    ))
}

/// A channel to one of a hub's listeners, with this certificate and key in PEM, if any.
///
/// # Errors
/// When it cannot be opened.
pub async fn channel(
    ready: &Ready,
    address: &str,
    from: IpAddr,
    certificate: Option<(&str, &str)>,
) -> Result<Channel> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(ca(ready)?)
        .domain_name("127.0.0.1");
    if let Some((chain, key)) = certificate {
        tls = tls.identity(Identity::from_pem(chain, key));
    }
    let endpoint = Endpoint::from_shared(address.to_owned())
        .context("an address")?
        .tls_config(tls)
        .context("TLS")?
        .local_address(Some(from))
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE);
    endpoint
        .connect()
        .await
        .with_context(|| format!("connecting to {address}"))
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their connection.
    pub channel: Channel,
    /// Their token.
    pub token: String,
}

impl Caller {
    /// With a token that the hub minted for this part.
    ///
    /// # Errors
    /// When it cannot be minted.
    pub async fn of(world: &World, name: &str, role: &str) -> Result<Self> {
        let token = world.hub.token(name, role)?;
        Ok(Self {
            channel: world.door().await?,
            token,
        })
    }

    /// A request of theirs.
    ///
    /// # Panics
    /// Never: tokens are words.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.token)
            .parse()
            .expect("a token is a word");
        request.metadata_mut().insert("authorization", bearer);
        request.set_timeout(PATIENCE);
        request
    }

    /// Who the hub says that they are.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn who_am_i(&self) -> Result<wire::WhoAmIResponse> {
        let mut client = AuthServiceClient::new(self.channel.clone());
        let answer = client.who_am_i(self.request(wire::WhoAmIRequest {})).await;
        Ok(answer.context("WhoAmI")?.into_inner())
    }

    /// Registers a bundle as a new version of an environment template; gives its version.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register(&self, template: &str, bundle: Vec<u8>) -> Result<String, Status> {
        let mut client = self.templates();
        let request = self.request(super::new_version(template, bundle));
        Ok(client
            .create_template_version(request)
            .await?
            .into_inner()
            .version)
    }

    /// Templates, with requests as large as one likes.
    #[must_use]
    pub fn templates(&self) -> wire::template_service_client::TemplateServiceClient<Channel> {
        wire::template_service_client::TemplateServiceClient::new(self.channel.clone())
            .max_encoding_message_size(64 * 1024 * 1024)
    }

    /// Makes an environment template without any version.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn template(&self, name: &str) -> Result<()> {
        let request = self.request(wire::CreateTemplateRequest {
            kind: wire::TemplateKind::Environment.into(),
            name: name.to_owned(),
            ..Default::default()
        });
        self.templates()
            .create_template(request)
            .await
            .context("a template")?;
        Ok(())
    }

    /// Publishes a version of an environment template.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn publish(&self, template: &str, version: &str) -> Result<()> {
        let request = self.request(wire::PublishTemplateVersionRequest {
            kind: wire::TemplateKind::Environment.into(),
            template_name: template.to_owned(),
            version: version.to_owned(),
            ..Default::default()
        });
        self.templates()
            .publish_template_version(request)
            .await
            .context("publishing")?;
        Ok(())
    }

    /// Creates an environment with the recommended version; gives its last attempted deployment.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(
        &self,
        name: &str,
        template: &str,
        connection: &str,
        spec: &str,
    ) -> Result<String, Status> {
        self.create_with(name, template, "", connection, spec).await
    }

    /// The same with this version of the template.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_with(
        &self,
        name: &str,
        template: &str,
        version: &str,
        connection: &str,
        spec: &str,
    ) -> Result<String, Status> {
        let mut client =
            wire::environment_service_client::EnvironmentServiceClient::new(self.channel.clone());
        let request = self.request(wire::CreateEnvironmentRequest {
            name: name.to_owned(),
            template_name: template.to_owned(),
            template_version: version.to_owned(),
            connection_id: connection.to_owned(),
            spec: spec.to_owned(),
            ..Default::default()
        });
        let made = client.create_environment(request).await?.into_inner();
        Ok(made
            .deployment
            .map(|state| state.last_attempted_deployment_id)
            .unwrap_or_default())
    }

    /// Deploys an environment anew with another spec; gives the deployment.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn update(&self, name: &str, spec: &str) -> Result<String, Status> {
        let mut client =
            wire::environment_service_client::EnvironmentServiceClient::new(self.channel.clone());
        let request = self.request(wire::UpdateEnvironmentRequest {
            name: name.to_owned(),
            deployment_type: wire::DeploymentType::CurrentVersion.into(),
            spec: spec.to_owned(),
            ..Default::default()
        });
        let made = client.update_environment(request).await?.into_inner();
        Ok(made
            .deployment
            .map(|state| state.last_attempted_deployment_id)
            .unwrap_or_default())
    }
}

/// The address in a URL.
///
/// # Errors
/// When there is none.
pub fn socket(url: &str) -> Result<SocketAddr> {
    url.trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .with_context(|| format!("the address {url}"))
}

/// A TCP connection from this address.
///
/// # Errors
/// When it cannot be opened.
pub async fn tcp(url: &str, from: IpAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4().context("a socket")?;
    socket.bind((from, 0).into()).context("an address of one's own")?;
    let stream = socket.connect(self::socket(url)?).await.context("connecting")?;
    stream.set_nodelay(true).context("a socket")?;
    Ok(stream)
}

/// A client's TLS settings that trust the hub.
///
/// # Errors
/// When the hub's CA cannot be read.
pub fn trusting(ready: &Ready, alpn: &[&[u8]]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(&ready.ca_file).context("the hub's CA")? {
        roots.add(root.context("the hub's CA")?).context("the hub's CA")?;
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// A TLS connection with these settings.
///
/// # Errors
/// When the handshake fails.
pub async fn shake(config: ClientConfig, url: &str, from: IpAddr) -> Result<TlsStream<TcpStream>> {
    let stream = tcp(url, from).await?;
    let name = ServerName::try_from("127.0.0.1").context("a name")?;
    let shaking = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream);
    tokio::time::timeout(PATIENCE, shaking)
        .await
        .context("the handshake takes too long")?
        .context("the handshake")
}

/// A connection to the hub's API that speaks HTTP/1.1.
///
/// # Errors
/// When it cannot be opened.
pub async fn http1(world: &World, from: IpAddr) -> Result<TlsStream<TcpStream>> {
    let ready = world.hub.ready();
    shake(trusting(ready, &[b"http/1.1"])?, &ready.api, from).await
}

/// Sends bytes as they are, and reads what comes until the end of one answer, of the connection, or of this time.
///
/// # Errors
/// When the connection cannot be opened.
pub async fn raw(world: &World, from: IpAddr, bytes: &[u8], patience: Duration) -> Result<String> {
    let mut stream = http1(world, from).await?;
    // It may be closed before all is sent: then the answer is there already.
    let sent = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut answer = Vec::new();
    let reading = async {
        let mut part = [0; 4096];
        while let Ok(read) = stream.read(&mut part).await {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&part[..read]);
            if whole(&answer) {
                break;
            }
        }
    };
    let ended = tokio::time::timeout(patience, reading).await;
    let mut text = String::from_utf8_lossy(&answer).into_owned();
    if text.is_empty() {
        let how = if ended.is_err() {
            "open, without an answer"
        } else {
            "closed"
        };
        text = format!("({how}{})", if sent.is_err() { " while sending" } else { "" });
    }
    Ok(text)
}

/// Whether an HTTP/1.1 answer with a length is there as a whole.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length
        .and_then(|length| length.trim().parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}

/// The status of an HTTP/1.1 answer; 0 when there was none.
#[must_use]
pub fn status(answer: &str) -> u16 {
    let number = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// An answer of the Proton API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of HTTP.
    pub status: u16,
    /// As it came.
    pub text: String,
}

impl Answer {
    /// As JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The name of the error; empty when there is none.
    #[must_use]
    pub fn error(&self) -> String {
        let body = self.json();
        let name = body["__type"].as_str().unwrap_or_default();
        name.rsplit('#').next().unwrap_or_default().to_owned()
    }
}

/// An access key of the hub.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Of temporary ones.
    pub token: Option<String>,
}

/// What is signed, which need not be what is sent.
#[derive(Clone, Debug)]
pub struct Signing {
    /// The Region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// How far the date is from now, in seconds.
    pub shift: i64,
    /// Whether the operation is signed.
    pub target: bool,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            region: REGION.to_owned(),
            service: "proton".to_owned(),
            shift: 0,
            target: true,
        }
    }
}

/// The present time, as far away as somebody says.
#[must_use]
pub fn shifted(seconds: i64) -> SystemTime {
    let now = Clock::system().now().as_millis().saturating_add(seconds * 1_000);
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap_or(0))
}

/// The headers of a request of the Proton API.
///
/// # Errors
/// When it cannot be signed.
pub fn sign(
    url: &str,
    key: &Key,
    operation: &str,
    body: &str,
    with: &Signing,
) -> Result<Vec<(String, String)>> {
    let target = format!("AwsProton20200720.{operation}");
    let identity = Credentials::new(
        key.id.clone(),
        key.secret.clone(),
        key.token.clone(),
        None,
        "attacks",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&with.region)
        .name(&with.service)
        .time(shifted(with.shift))
        .settings(SigningSettings::default())
        .build()
        .context("signing")?
        .into();
    let kind = ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned());
    let mut headers = vec![kind];
    if with.target {
        headers.push(("x-amz-target".to_owned(), target.clone()));
    }
    let signable = SignableRequest::new(
        "POST",
        url,
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(body.as_bytes()),
    )
    .context("signing")?;
    let (instructions, _) = http_request::sign(signable, &params)
        .context("signing")?
        .into_parts();
    let signed: Vec<(String, String)> = instructions
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    headers.extend(signed);
    if !with.target {
        headers.push(("x-amz-target".to_owned(), target));
    }
    Ok(headers)
}

/// A client of the Proton API that sends what it is told to.
#[derive(Clone, Debug)]
pub struct Proton {
    client: reqwest::Client,
    url: String,
}

impl Proton {
    /// From this address.
    ///
    /// # Errors
    /// When there can be no such client.
    pub fn new(world: &World, from: IpAddr) -> Result<Self> {
        let ready = world.hub.ready();
        let pem = std::fs::read(&ready.ca_file).context("the hub's CA")?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .local_address(from)
            .http1_only()
            .timeout(PATIENCE)
            .tls_certs_only([reqwest::Certificate::from_pem(&pem).context("the hub's CA")?])
            .build()
            .context("an HTTP client")?;
        Ok(Self {
            client,
            url: format!("{}/", ready.api),
        })
    }

    /// Where requests go.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a body with these headers.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, headers: &[(String, String)], body: impl Into<reqwest::Body>) -> Result<Answer> {
        self.send_to(&self.url, headers, body).await
    }

    /// The same to another address of the same hub.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send_to(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: impl Into<reqwest::Body>,
    ) -> Result<Answer> {
        let mut request = self.client.post(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.context("sending")?;
        Ok(Answer {
            status: answer.status().as_u16(),
            text: answer.text().await.context("the answer")?,
        })
    }

    /// Calls an operation as clients do.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, key: &Key, operation: &str, body: &str) -> Result<Answer> {
        let headers = sign(&self.url, key, operation, body, &Signing::default())?;
        self.send(&headers, body.to_owned()).await
    }
}

/// An access key of the hub for somebody who proves through STS who they are.
///
/// # Errors
/// When the hub refuses.
pub async fn key_of(who: &crate::cli::Cli) -> Result<Key> {
    let given = who.ok(&["credentials"]).await?.json()?;
    Ok(Key {
        id: crate::world::field(&given, "AccessKeyId")?,
        secret: crate::world::field(&given, "SecretAccessKey")?,
        token: given["SessionToken"].as_str().map(str::to_owned),
    })
}

/// A minted access key.
///
/// # Errors
/// When it cannot be minted.
pub fn minted(world: &World, name: &str, role: &str) -> Result<Key> {
    let (id, secret) = world.hub.access_key(name, role)?;
    Ok(Key {
        id,
        secret,
        token: None,
    })
}

/// Credentials of AWS as a signer takes them.
#[must_use]
pub fn credentials(variables: &Variables) -> Credentials {
    let text = |name: &str| variables.get(name).cloned();
    Credentials::new(
        text("AWS_ACCESS_KEY_ID").unwrap_or_default(),
        text("AWS_SECRET_ACCESS_KEY").unwrap_or_default(),
        text("AWS_SESSION_TOKEN"),
        None,
        "attacks",
    )
}
