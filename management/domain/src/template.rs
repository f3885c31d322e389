//! Template versions: numbers, drafts and what is recommended.
//!
//! Proton's rules: majors count from 1 and minors from 0; a request without a major makes a new major, with one a new
//! minor of it; the recommended version is the highest published one. Numbers are never used again, and "the latest" is
//! always computed from versions that exist (Proton's own bug, roadmap issue 79, resolved to a deleted one).

use std::collections::BTreeMap;

use hadron_proto::vocab::{TemplateName, TemplateVersion};
use serde::{Deserialize, Serialize};

use crate::step::{Machine, Step};

/// Environment templates and service templates are two name spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateKind {
    /// For environments.
    Environment,
    /// For services.
    Service,
}

impl TemplateKind {
    /// As stored and as said to people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Service => "service",
        }
    }
}

/// Where a version stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VersionState {
    /// The bundle is being fetched and checked.
    Registering,
    /// The bundle was refused; the text lists its faults.
    Failed(String),
    /// Usable by number, never recommended.
    Draft,
    /// For everyone.
    Published,
}

impl VersionState {
    /// Proton's word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Registering => "REGISTRATION_IN_PROGRESS",
            Self::Failed(_) => "REGISTRATION_FAILED",
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
        }
    }

    /// Whether environments and services may be deployed from it.
    #[must_use]
    pub const fn deployable(&self) -> bool {
        matches!(self, Self::Draft | Self::Published)
    }
}

/// What may happen to a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionInput {
    /// The bundle passed its check.
    Registered,
    /// The bundle was refused.
    Refused(String),
    /// An administrator publishes it.
    Publish,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionEffect {
    /// The template's recommended version may be another one now.
    Recommend,
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionRefusal {
    /// The bundle is still being checked.
    #[error("the version is still being registered")]
    Registering,
    /// The bundle was refused.
    #[error("the version's registration failed: {0}")]
    Failed(String),
    /// Registration has ended already.
    #[error("the version is already registered")]
    Registered,
}

impl Machine for VersionState {
    type Input = VersionInput;
    type Effect = VersionEffect;
    type Refusal = VersionRefusal;

    fn step(&self, input: Self::Input) -> Result<Step<Self, Self::Effect>, Self::Refusal> {
        match (self, input) {
            (Self::Registering, VersionInput::Registered) => Ok(Step::to(Self::Draft, Vec::new())),
            (Self::Registering, VersionInput::Refused(why)) => Ok(Step::to(Self::Failed(why), Vec::new())),
            (Self::Registering, VersionInput::Publish) => Err(VersionRefusal::Registering),

            (Self::Failed(why), VersionInput::Publish) => Err(VersionRefusal::Failed(why.clone())),
            (Self::Failed(_), VersionInput::Refused(_)) => Ok(Step::stay(self.clone())),
            (Self::Failed(why), VersionInput::Registered) => Err(VersionRefusal::Failed(why.clone())),

            (Self::Draft, VersionInput::Publish) => {
                Ok(Step::to(Self::Published, vec![VersionEffect::Recommend]))
            }
            (Self::Published, VersionInput::Publish) => Ok(Step::stay(self.clone())),
            (Self::Draft | Self::Published, VersionInput::Registered) => Ok(Step::stay(self.clone())),
            (Self::Draft | Self::Published, VersionInput::Refused(_)) => Err(VersionRefusal::Registered),
        }
    }
}

/// The versions of one template: those that exist, and how far the numbers have been used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Versions that exist.
    pub existing: BTreeMap<TemplateVersion, VersionState>,
    /// The next minor of every major that ever existed.
    pub next_minor: BTreeMap<u32, u32>,
}

/// How something that was made from a template stands to the template's recommended version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It runs what is recommended, or something higher.
    UpToDate,
    /// A higher minor version of its major version is recommended.
    BehindMinor,
    /// A higher major version is recommended.
    BehindMajor,
}

/// Which version somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The recommended one.
    Recommended,
    /// The recommended minor of this major.
    Major(u32),
    /// This minor of the major that is deployed; where nothing is deployed yet, of none.
    Minor(u32),
    /// Exactly this one.
    Exactly(TemplateVersion),
}

impl Wanted {
    /// From a major and a minor number of which either may be missing; nothing when both are.
    #[must_use]
    pub const fn of(major: Option<u32>, minor: Option<u32>) -> Option<Self> {
        match (major, minor) {
            (Some(major), Some(minor)) => Some(Self::Exactly(TemplateVersion { major, minor })),
            (Some(major), None) => Some(Self::Major(major)),
            (None, Some(minor)) => Some(Self::Minor(minor)),
            (None, None) => None,
        }
    }
}

impl std::str::FromStr for Wanted {
    type Err = hadron_proto::vocab::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self::Recommended),
            _ if text.contains('.') => text.parse().map(Self::Exactly),
            _ => format!("{text}.0")
                .parse::<TemplateVersion>()
                .map(|version| Self::Major(version.major))
                .map_err(|_| hadron_proto::vocab::InvalidName::Version {
                    given: text.to_owned(),
                }),
        }
    }
}

/// Why no version could be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionFault {
    /// A minor of a major that does not exist was to be made.
    #[error("major version {0} does not exist; leave the major version out to make a new one")]
    NoSuchMajor(u32),
    /// There is no such version.
    #[error("version {0} does not exist")]
    NoSuchVersion(TemplateVersion),
    /// A minor was named without its major.
    #[error("minor version {0} was named without its major version")]
    NoMajor(u32),
    /// Nothing is published yet.
    #[error("no version is published yet")]
    NothingPublished,
    /// Nothing of that major is published yet.
    #[error("no minor version of major version {0} is published yet")]
    NothingPublishedOf(u32),
    /// It exists but cannot be deployed.
    #[error("version {version} cannot be deployed: its status is {status}")]
    NotDeployable {
        /// Which one.
        version: TemplateVersion,
        /// Its status word.
        status: &'static str,
    },
    /// It is the recommended one while others exist.
    #[error("version {0} is the recommended one; publish a higher version or delete the others first")]
    Recommended(TemplateVersion),
    /// Something is deployed from it.
    #[error("version {version} is in use by {by}")]
    InUse {
        /// Which one.
        version: TemplateVersion,
        /// The first user found.
        by: String,
    },
}

impl Versions {
    /// Takes the next free number: of a new major, or of `major`.
    ///
    /// # Errors
    /// When `major` does not exist.
    pub fn take_number(&mut self, major: Option<u32>) -> Result<TemplateVersion, VersionFault> {
        let version = match major {
            None => {
                let major = self.next_minor.keys().next_back().map_or(1, |last| last + 1);
                TemplateVersion { major, minor: 0 }
            }
            Some(major) => {
                let minor = self
                    .next_minor
                    .get(&major)
                    .copied()
                    .filter(|_| self.has_major(major));
                TemplateVersion {
                    major,
                    minor: minor.ok_or(VersionFault::NoSuchMajor(major))?,
                }
            }
        };
        self.next_minor.insert(version.major, version.minor + 1);
        self.existing.insert(version, VersionState::Registering);
        Ok(version)
    }

    fn published(&self) -> impl DoubleEndedIterator<Item = TemplateVersion> + '_ {
        self.existing
            .iter()
            .filter(|(_, state)| **state == VersionState::Published)
            .map(|(version, _)| *version)
    }

    /// The highest published version.
    #[must_use]
    pub fn recommended(&self) -> Option<TemplateVersion> {
        self.published().next_back()
    }

    /// The highest published version of a major.
    #[must_use]
    pub fn recommended_of(&self, major: u32) -> Option<TemplateVersion> {
        self.published().rfind(|version| version.major == major)
    }

    /// The major versions that exist.
    #[must_use]
    pub fn majors(&self) -> std::collections::BTreeSet<u32> {
        self.existing.keys().map(|version| version.major).collect()
    }

    /// The template's own status, as Proton's events tell it: whether anything of it is published.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.published().next().is_some() {
            VersionState::Published.word()
        } else {
            VersionState::Draft.word()
        }
    }

    /// How far something that runs `version` is behind what is recommended. Nothing recommended: nothing to be behind.
    #[must_use]
    pub fn standing(&self, version: TemplateVersion) -> Standing {
        let major = self.recommended().map(|recommended| recommended.major);
        let minor = self
            .recommended_of(version.major)
            .map(|recommended| recommended.minor);
        if major.is_some_and(|major| version.major < major) {
            Standing::BehindMajor
        } else if minor.is_some_and(|minor| version.minor < minor) {
            Standing::BehindMinor
        } else {
            Standing::UpToDate
        }
    }

    /// Whether a version of this major exists.
    #[must_use]
    pub fn has_major(&self, major: u32) -> bool {
        self.of_major(major).next().is_some()
    }

    fn of_major(&self, major: u32) -> impl DoubleEndedIterator<Item = TemplateVersion> + '_ {
        self.existing
            .keys()
            .copied()
            .filter(move |version| version.major == major)
    }

    /// The highest version of a major that can be deployed: what a new minor version of it is compared with.
    #[must_use]
    pub fn latest_of(&self, major: u32) -> Option<TemplateVersion> {
        self.of_major(major)
            .rfind(|version| self.existing[version].deployable())
    }

    /// One version for each major, in order: the recommended one, or the highest where none is.
    #[must_use]
    pub fn by_major(&self) -> Vec<TemplateVersion> {
        let mut majors: Vec<u32> = self.existing.keys().map(|version| version.major).collect();
        majors.dedup();
        majors
            .into_iter()
            .filter_map(|major| {
                self.recommended_of(major)
                    .or_else(|| self.of_major(major).next_back())
            })
            .collect()
    }

    /// The version that a request means.
    ///
    /// # Errors
    /// When it does not exist, is not deployable, or nothing is published.
    pub fn resolve(&self, wanted: Wanted) -> Result<TemplateVersion, VersionFault> {
        match wanted {
            Wanted::Recommended => self.recommended().ok_or(VersionFault::NothingPublished),
            Wanted::Major(major) => {
                if !self.has_major(major) {
                    return Err(VersionFault::NoSuchMajor(major));
                }
                self.recommended_of(major)
                    .ok_or(VersionFault::NothingPublishedOf(major))
            }
            Wanted::Minor(minor) => Err(VersionFault::NoMajor(minor)),
            Wanted::Exactly(version) => {
                let state = self
                    .existing
                    .get(&version)
                    .ok_or(VersionFault::NoSuchVersion(version))?;
                if !state.deployable() {
                    return Err(VersionFault::NotDeployable {
                        version,
                        status: state.word(),
                    });
                }
                Ok(version)
            }
        }
    }

    /// Removes a version.
    ///
    /// # Errors
    /// When it is in use, or recommended while others exist (Proton's rule for minors and, with it, for majors).
    pub fn delete(&mut self, version: TemplateVersion, used_by: Option<String>) -> Result<(), VersionFault> {
        if !self.existing.contains_key(&version) {
            return Err(VersionFault::NoSuchVersion(version));
        }
        if let Some(by) = used_by {
            return Err(VersionFault::InUse { version, by });
        }
        let others_of_major = self
            .existing
            .keys()
            .any(|v| v.major == version.major && *v != version);
        let other_majors = self.existing.keys().any(|v| v.major != version.major);
        let recommended_minor = self.recommended_of(version.major) == Some(version);
        let recommended = self.recommended() == Some(version);
        if (recommended_minor && others_of_major) || (recommended && other_majors) {
            return Err(VersionFault::Recommended(version));
        }
        self.existing.remove(&version);
        Ok(())
    }
}

/// An environment template and major version that a service template version runs in; written `name:major`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CompatibleTemplate {
    /// The environment template.
    pub template: TemplateName,
    /// Its major version.
    pub major: u32,
}

impl std::fmt::Display for CompatibleTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.template, self.major)
    }
}

impl std::str::FromStr for CompatibleTemplate {
    type Err = InvalidCompatible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCompatible(text.to_owned());
        let (template, major) = text.split_once(':').ok_or_else(invalid)?;
        // `parse` alone would take a sign.
        let digits = Some(major).filter(|major| major.bytes().all(|b| b.is_ascii_digit()));
        let major = digits
            .and_then(|major| major.parse().ok())
            .filter(|major| *major > 0)
            .ok_or_else(invalid)?;
        Ok(Self {
            template: template.parse().map_err(|_| invalid())?,
            major,
        })
    }
}

/// The text is not `name:major`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' must be ENVIRONMENT-TEMPLATE:MAJOR, such as fargate-env:1")]
pub struct InvalidCompatible(String);

impl TryFrom<String> for CompatibleTemplate {
    type Error = InvalidCompatible;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CompatibleTemplate> for String {
    fn from(compatible: CompatibleTemplate) -> Self {
        compatible.to_string()
    }
}
