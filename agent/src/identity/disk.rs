//! The identity on disk: one file that only its owner can read, replaced as a whole.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadron_proto::tls::Trust;
use hadron_proto::vocab::{AgentId, Timestamp};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Certificate, DiskError, Settings, enrol};

const FILE: &str = "identity.json";
/// A certificate that ends sooner than this is not worth starting with.
const MARGIN: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    obtained_at: Timestamp,
    valid_for_ms: u64,
    chain: Vec<String>,
    roots: Vec<String>,
    key: String,
    /// What was configured when the hub gave the roots: they count as long as that is configured.
    #[serde(default)]
    configured: Option<String>,
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |source| DiskError { act, path, source }
}

/// Makes the directory where there is none.
pub(super) fn prepare(directory: &Path) -> Result<(), DiskError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed("create", directory))
}

pub(super) fn save(settings: &Settings, certificate: &Certificate) -> Result<(), DiskError> {
    let directory = settings.state_dir.as_path();
    let encode = |certificate: &CertificateDer<'_>| STANDARD.encode(certificate);
    let kept = Kept {
        name: certificate.name.to_string(),
        obtained_at: certificate.obtained_at,
        valid_for_ms: u64::try_from(certificate.valid_for.as_millis()).unwrap_or(0),
        chain: certificate.chain.iter().map(encode).collect(),
        roots: certificate.roots.iter().map(encode).collect(),
        key: STANDARD.encode(certificate.key.secret_pkcs8_der()),
        configured: Some(settings.trust.fingerprint()),
    };
    let path = directory.join(FILE);
    let temporary = directory.join(format!("{FILE}.new"));
    let text = serde_json::to_string_pretty(&kept)
        .map_err(io::Error::from)
        .map_err(failed("write", &path))?;
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &temporary)(error));
        }
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed("create", &temporary))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &temporary))?;
    fs::rename(&temporary, &path).map_err(failed("replace", &path))?;
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("write", directory))
}

/// What an earlier process left.
#[derive(Default)]
pub(super) struct Earlier {
    /// The certificate, if it still serves.
    pub(super) certificate: Option<Certificate>,
    /// The agent that it was for.
    pub(super) agent: Option<AgentId>,
    /// What the hub said to trust: the configured CA may have got successors since.
    pub(super) roots: Option<Trust>,
}

/// The identity on disk. Whatever is wrong with the file, a new enrolment puts it right.
pub(super) fn load(settings: &Settings, now: Timestamp) -> Earlier {
    let path = settings.state_dir.join(FILE);
    let mode = match fs::metadata(&path) {
        Ok(found) => found.permissions().mode() & 0o777,
        Err(_) => return Earlier::default(),
    };
    let Some((certificate, configured)) = fs::read(&path).ok().and_then(|text| parse(&text)) else {
        warn!(file = %path.display(), "The identity on disk cannot be read; enrolling anew");
        return Earlier::default();
    };
    // An id of another account or connection would be refused by the hub.
    let same = certificate.name.account == settings.account
        && settings
            .connection
            .is_none_or(|connection| connection == certificate.name.connection);
    let earlier = same.then(|| certificate.agent_id());
    if mode & 0o077 != 0 {
        warn!(file = %path.display(), mode = format!("{mode:o}"), "Others could read the key on disk; enrolling anew with another");
        return Earlier {
            agent: earlier,
            ..Earlier::default()
        };
    }
    // Files of before it was written down were checked against what is configured, as they are now.
    let trust = match configured {
        Some(configured) if configured == settings.trust.fingerprint() => {
            Some(Trust::Roots(certificate.roots.clone())).filter(|_| !certificate.roots.is_empty())
        }
        _ => None,
    };
    let known = trust.as_ref().unwrap_or(&settings.trust);
    let good = certificate.check(settings, known).is_ok() && certificate.ends_at() > now.plus(MARGIN);
    // A clock that was set back would make the certificate look younger than it is.
    let good = good && certificate.obtained_at <= now;
    Earlier {
        certificate: good.then_some(certificate),
        agent: earlier,
        roots: trust,
    }
}

fn parse(text: &[u8]) -> Option<(Certificate, Option<String>)> {
    let kept: Kept = serde_json::from_slice(text).ok()?;
    let decode = |texts: &[String]| -> Option<Vec<CertificateDer<'static>>> {
        texts
            .iter()
            .map(|text| STANDARD.decode(text).ok().map(CertificateDer::from))
            .collect()
    };
    let chain = decode(&kept.chain)?;
    let certificate = Certificate {
        not_after: enrol::end_of(&chain)?,
        chain,
        key: Arc::new(PrivatePkcs8KeyDer::from(STANDARD.decode(&kept.key).ok()?)),
        roots: decode(&kept.roots)?,
        name: kept.name.parse().ok()?,
        obtained_at: kept.obtained_at,
        valid_for: Duration::from_millis(kept.valid_for_ms),
    };
    Some((certificate, kept.configured))
}
