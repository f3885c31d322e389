//! Who published a bundle: an Ed25519 signature over what is in it and what it is for.
//!
//! The signature lies in the bundle itself, in [`SIGNATURE_FILE`], and so goes wherever the bundle goes: through S3, through clients
//! made for Proton, to agents. The bundle's digest leaves that file out. What is signed names the template and its major version
//! besides, so that a signed bundle cannot be passed off as another template.
//!
//! A hub only stores signatures. Whoever wants to be sure of what a hub sends gets the bundles that a template was rendered from,
//! compares their signatures with the keys that they trust, and renders once more: [`SignedSource::render`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hadron_proto::vocab::{Digest, TemplateName};
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, Limits};
use crate::desk::{Answer, Desk, Given, Made, Question, Reply};
use crate::diagnostic::Faults;
use crate::stack::Rendered;
use crate::template::Expect;

/// Where a bundle's signature lies in it.
pub const SIGNATURE_FILE: &str = "hadron-signature.json";

const KEY_HEAD: &str =
    "# Signs Hadron template bundles (Ed25519). Whoever has this file publishes in your name.\n";
const PREFIX: &str = "ed25519:";

/// What a bundle is signed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedKind {
    /// An environment template.
    Environment,
    /// A service template.
    Service,
}

impl SignedKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Service => "service",
        }
    }

    /// What a bundle has to be to be this.
    #[must_use]
    pub const fn of(expect: Expect) -> Self {
        match expect {
            Expect::Service => Self::Service,
            Expect::Environment | Expect::Provisioned | Expect::CustomerManaged => Self::Environment,
        }
    }
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// What kind of template it is.
    pub kind: SignedKind,
    /// Its name.
    pub template: TemplateName,
    /// Its major version.
    pub major: u32,
    /// The digest of the bundle's files.
    pub digest: Digest,
}

impl Statement {
    /// The bytes that are signed. No part of it can have a line break.
    fn text(&self) -> String {
        let Self {
            kind,
            template,
            major,
            digest,
        } = self;
        format!(
            "hadron template bundle 1\nkind {}\ntemplate {template}\nmajor {major}\nfiles {digest}\n",
            kind.word()
        )
    }
}

/// A bundle's signature, as it lies in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What is signed.
    #[serde(flatten)]
    pub statement: Statement,
    /// Whose key it claims to be of.
    pub key: PublisherKey,
    /// The signature, base64.
    signature: String,
}

/// Why a bundle does not count as its publisher's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is no signature.
    #[error("the bundle is not signed")]
    Missing,
    /// It cannot be read.
    #[error("{SIGNATURE_FILE} cannot be read: sign the bundle anew")]
    Unreadable,
    /// The bundle is another than the one that was signed.
    #[error(
        "the bundle was changed after it was signed: its files are {found}, the signature is for {signed}"
    )]
    Changed {
        /// What it is.
        found: Digest,
        /// What was signed.
        signed: Digest,
    },
    /// It was signed as something else.
    #[error("the bundle was signed as {signed}, not as {wanted}")]
    OtherTemplate {
        /// As what.
        signed: String,
        /// What it is used as.
        wanted: String,
    },
    /// The key has not signed this.
    #[error("the signature is not of the key {0}")]
    Forged(String),
    /// The key is good, but nobody here trusts it.
    #[error(
        "the bundle was signed with the key {0}, which is not among the publishers that are trusted here"
    )]
    Foreign(String),
}

impl Signature {
    /// The signature in a bundle, compared with the bundle's files. It is true then that the key has signed them; whether the
    /// key is to be trusted is another question.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn of(bundle: &Bundle) -> Result<Self, NotSigned> {
        let text = bundle.signature().ok_or(NotSigned::Missing)?;
        let signature: Self = serde_json::from_slice(text).map_err(|_| NotSigned::Unreadable)?;
        let signed = signature.statement.digest;
        if signed != bundle.digest() {
            return Err(NotSigned::Changed {
                found: bundle.digest(),
                signed,
            });
        }
        let bytes = STANDARD
            .decode(&signature.signature)
            .map_err(|_| NotSigned::Unreadable)?;
        UnparsedPublicKey::new(&ED25519, &signature.key.0)
            .verify(signature.statement.text().as_bytes(), &bytes)
            .map_err(|_| NotSigned::Forged(signature.key.to_string()))?;
        Ok(signature)
    }

    /// Whether it is for this template.
    ///
    /// # Errors
    /// What it is for.
    pub fn is_for(&self, kind: SignedKind, template: &TemplateName, major: u32) -> Result<(), NotSigned> {
        let Statement {
            kind: signed_kind,
            template: signed,
            major: signed_major,
            ..
        } = &self.statement;
        if *signed_kind == kind && signed == template && *signed_major == major {
            return Ok(());
        }
        Err(NotSigned::OtherTemplate {
            signed: format!(
                "{} template {signed}, major version {signed_major}",
                signed_kind.word()
            ),
            wanted: format!("{} template {template}, major version {major}", kind.word()),
        })
    }

    /// The content of the file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// The public half of a publisher's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublisherKey([u8; 32]);

impl fmt::Display for PublisherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublisherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublisherKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|key| STANDARD.decode(key).ok());
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(|| {
            format!("'{text}' is no key of a publisher: give what `hadron template keygen` printed, ed25519: and 32 bytes in base64")
        })
    }
}

impl TryFrom<String> for PublisherKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PublisherKey> for String {
    fn from(key: PublisherKey) -> Self {
        key.to_string()
    }
}

/// A publisher's key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublisherKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

/// A key cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No randomness.
    #[error("the system gives no randomness for a key")]
    Random,
    /// Not what `hadron template keygen` wrote.
    #[error(
        "the file is no signing key: it must hold 32 bytes in base64, as `hadron template keygen` writes it"
    )]
    Damaged,
}

impl SigningKey {
    /// Makes a key; gives it with the content of its file, which is a secret.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate() -> Result<(Self, String), KeyFault> {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| KeyFault::Random)?;
        let text = format!("{KEY_HEAD}{}\n", STANDARD.encode(seed));
        Ok((Self::from_file(&text)?, text))
    }

    /// Reads the content of a key file.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_file(text: &str) -> Result<Self, KeyFault> {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(KeyFault::Damaged);
        };
        let seed = STANDARD.decode(line).map_err(|_| KeyFault::Damaged)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyFault::Damaged)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyFault::Damaged)?;
        Ok(Self {
            pair,
            public: PublisherKey(public),
        })
    }

    /// What its signatures are checked with.
    #[must_use]
    pub const fn public(&self) -> PublisherKey {
        self.public
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, statement: Statement) -> Signature {
        let signature = self.pair.sign(statement.text().as_bytes());
        Signature {
            key: self.public,
            signature: STANDARD.encode(signature.as_ref()),
            statement,
        }
    }
}

/// What a template was rendered from: what was asked, and the bundles that it was asked of.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedSource {
    question: Question,
    /// Base64, by their digests.
    archives: BTreeMap<Digest, String>,
}

/// Why a template does not count as rendered from what publishers signed.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// It cannot be read.
    #[error(
        "what the hub says that the template was rendered from cannot be read; hub and agent may be of different versions"
    )]
    Unreadable,
    /// Nobody signs such a template.
    #[error("the template is a developer's own, of a component, and no publisher has signed it")]
    Unsignable,
    /// An archive is another than the one that it is named as, or is missing.
    #[error("the bundle {0} is not there, or is another")]
    Archive(Digest),
    /// A bundle is none.
    #[error("a bundle cannot be read: {0}")]
    Bundle(Faults),
    /// A bundle does not count as a publisher's.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// It does not render.
    #[error("the bundle does not render with what the hub says that it was rendered with: {0}")]
    Render(String),
}

impl SignedSource {
    /// What this question was answered from; `archives` has to have the bytes of every archive that it names.
    #[must_use]
    pub fn new(question: Question, archives: &Given) -> Self {
        let wanted = question.archives();
        let archives = archives
            .iter()
            .filter(|(digest, _)| wanted.contains(digest))
            .map(|(digest, bytes)| (*digest, STANDARD.encode(bytes.as_slice())))
            .collect();
        Self { question, archives }
    }

    /// The bytes that are handed on.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`SignedSource::to_bytes`] gave.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unproven> {
        serde_json::from_slice(bytes).map_err(|_| Unproven::Unreadable)
    }

    /// Compares the signature of every bundle that has a part in it with the publishers that are trusted, and renders.
    ///
    /// # Errors
    /// Whatever is not signed by one of them, or does not render.
    pub fn render(self, trusted: &[PublisherKey]) -> Result<Rendered, Unproven> {
        let packed = match &self.question {
            Question::Environment(task) => vec![task.bundle],
            Question::Instance(task) => vec![task.bundle],
            Question::Pipeline(task) => {
                let parts = task.parts.iter().map(|part| part.bundle);
                std::iter::once(task.bundle).chain(parts).collect()
            }
            _ => return Err(Unproven::Unsignable),
        };
        let mut given = Given::new();
        for one in packed {
            let text = self.archives.get(&one.archive);
            let bytes = text.and_then(|text| STANDARD.decode(text).ok());
            let bytes = bytes.filter(|bytes| Digest::of(bytes) == one.archive);
            let bytes = bytes.ok_or(Unproven::Archive(one.archive))?;
            let bundle = Bundle::from_archive(&bytes, &Limits::default()).map_err(Unproven::Bundle)?;
            let signature = Signature::of(&bundle)?;
            if !trusted.contains(&signature.key) {
                return Err(NotSigned::Foreign(signature.key.to_string()).into());
            }
            let Statement { template, major, .. } = &signature.statement;
            signature.is_for(SignedKind::of(one.expect), template, *major)?;
            given.insert(one.archive, Arc::new(bytes));
        }
        match Desk::new(8, usize::MAX).reply(self.question, &given) {
            Reply::Answer(Answer::Draft(draft) | Answer::Made(Made::Stack(draft))) => Ok(draft.rendered),
            Reply::Faults(faults) | Reply::Unusable(faults) => Err(Unproven::Render(faults.to_string())),
            Reply::Answer(_) | Reply::Missing(_) => Err(Unproven::Unreadable),
        }
    }
}
