//! Lists of service instances, filtered and sorted as Proton's callers ask for them.
//!
//! Every filter has to hold. Names and words are compared as wholes. Times are compared with what callers are shown, so an
//! instance that was never deployed counts as attempted when it was made. `deployedTemplateVersionStatus` is about the
//! template version that an instance runs: either where that version stands (`PUBLISHED`, `DRAFT` and so on) or how far it
//! is behind what is recommended ([`Staleness`]); Proton's documents leave open which of the two was meant.

use std::collections::BTreeMap;

use hadron_domain::authority::{Action, Caller, Place as Ground};
use hadron_domain::template::{TemplateKind, Versions};
use hadron_proto::vocab::{
    EnvironmentName, InstanceName, ServiceName, TemplateName, TemplateVersion, Timestamp,
};

use crate::app::masking::shown;
use crate::app::{App, AppError};
use crate::store::instances::{self, Direction, Filter, Place, SortBy};
use crate::store::targets::TargetRow;
use crate::store::{services, templates};

/// What instances can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says what it is, in Proton's words")]
pub enum FilterBy {
    Name,
    DeploymentStatus,
    TemplateName,
    ServiceName,
    DeployedTemplateVersionStatus,
    EnvironmentName,
    LastDeploymentAttemptedAtBefore,
    LastDeploymentAttemptedAtAfter,
    CreatedAtBefore,
    CreatedAtAfter,
}

impl FilterBy {
    /// Proton's word, for messages.
    const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::DeploymentStatus => "deploymentStatus",
            Self::TemplateName => "templateName",
            Self::ServiceName => "serviceName",
            Self::DeployedTemplateVersionStatus => "deployedTemplateVersionStatus",
            Self::EnvironmentName => "environmentName",
            Self::LastDeploymentAttemptedAtBefore => "lastDeploymentAttemptedAtBefore",
            Self::LastDeploymentAttemptedAtAfter => "lastDeploymentAttemptedAtAfter",
            Self::CreatedAtBefore => "createdAtBefore",
            Self::CreatedAtAfter => "createdAtAfter",
        }
    }
}

/// What list is asked for.
#[derive(Clone, Debug, Default)]
pub struct InstanceList {
    /// Of this service, which has to exist.
    pub service: Option<ServiceName>,
    /// What has to hold.
    pub filters: Vec<(FilterBy, String)>,
    /// What it is sorted by.
    pub sort: SortBy,
    /// In which direction.
    pub direction: Direction,
}

/// Proton's words for where a deployment stands.
const STATUSES: [&str; 8] = [
    "IN_PROGRESS",
    "FAILED",
    "SUCCEEDED",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "CANCELLING",
    "CANCELLED",
];

/// Where a template version can stand.
const VERSION_STATUSES: [&str; 4] = [
    "REGISTRATION_IN_PROGRESS",
    "REGISTRATION_FAILED",
    "DRAFT",
    "PUBLISHED",
];

/// How far a version is behind what its template recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// Nothing higher is recommended.
    UpToDate,
    /// A higher minor version of the same major version is recommended.
    BehindMinor,
    /// A higher major version is recommended.
    BehindMajor,
}

impl Staleness {
    const ALL: [Self; 3] = [Self::UpToDate, Self::BehindMinor, Self::BehindMajor];

    const fn word(self) -> &'static str {
        match self {
            Self::UpToDate => "UP_TO_DATE",
            Self::BehindMinor => "BEHIND_MINOR",
            Self::BehindMajor => "BEHIND_MAJOR",
        }
    }

    /// Of this version of a template with these versions.
    #[must_use]
    pub fn of(version: TemplateVersion, versions: &Versions) -> Self {
        let behind = |recommended: Option<TemplateVersion>| recommended.is_some_and(|best| best > version);
        if versions
            .recommended()
            .is_some_and(|best| best.major > version.major)
        {
            Self::BehindMajor
        } else if behind(versions.recommended_of(version.major)) {
            Self::BehindMinor
        } else {
            Self::UpToDate
        }
    }
}

/// What has to hold of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VersionIs {
    Standing(&'static str),
    Stale(Staleness),
}

impl VersionIs {
    fn parse(text: &str) -> Option<Self> {
        let stale = Staleness::ALL.into_iter().find(|each| each.word() == text);
        stale.map(Self::Stale).or_else(|| {
            let word = VERSION_STATUSES.into_iter().find(|word| *word == text);
            word.map(Self::Standing)
        })
    }

    fn holds(self, version: TemplateVersion, versions: &Versions) -> bool {
        match self {
            Self::Standing(word) => versions
                .existing
                .get(&version)
                .is_some_and(|state| state.word() == word),
            Self::Stale(stale) => Staleness::of(version, versions) == stale,
        }
    }
}

/// All filters of a list together.
#[derive(Debug, Default)]
struct Conditions {
    filter: Filter,
    version: Vec<VersionIs>,
    /// Two filters exclude one another.
    impossible: bool,
}

/// Two wishes for one text are one wish or none that can be fulfilled.
fn exactly(wish: &mut Option<String>, value: String, impossible: &mut bool) {
    *impossible |= wish.as_ref().is_some_and(|before| *before != value);
    *wish = Some(value);
}

/// A point in time: ISO 8601 as in RFC 3339, or seconds since the epoch with or without a fraction.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    // Microseconds are as fine as the hub knows.
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let seconds: i64 = seconds.parse().ok()?;
    seconds
        .checked_mul(1_000_000)?
        .checked_add(micros)
        .map(Timestamp::from_micros)
}

impl Conditions {
    fn read(list: &InstanceList) -> Result<Self, AppError> {
        let mut all = Self::default();
        if let Some(service) = &list.service {
            all.filter.service = Some(service.to_string());
        }
        for (by, value) in &list.filters {
            let wrong =
                |what: String| AppError::invalid("INVALID_FILTER", format!("filter '{}': {what}", by.word()));
            let name = |parsed: Result<String, hadron_proto::vocab::InvalidName>| {
                parsed.map_err(|error| wrong(error.to_string()))
            };
            let time = || {
                moment(value).ok_or_else(|| {
                    wrong(format!("'{value}' is not a point in time"))
                        .help("write it as 2026-11-20T09:30:00Z or in seconds since 1970")
                })
            };
            let word = |known: &[&str]| wrong(format!("'{value}' is not one of {}", known.join(", ")));
            let filter = &mut all.filter;
            let impossible = &mut all.impossible;
            match by {
                FilterBy::Name => {
                    let value = name(value.parse::<InstanceName>().map(String::from))?;
                    exactly(&mut filter.name, value, impossible);
                }
                FilterBy::ServiceName => {
                    let value = name(value.parse::<ServiceName>().map(String::from))?;
                    exactly(&mut filter.service, value, impossible);
                }
                FilterBy::TemplateName => {
                    let value = name(value.parse::<TemplateName>().map(String::from))?;
                    exactly(&mut filter.template, value, impossible);
                }
                FilterBy::EnvironmentName => {
                    let value = name(value.parse::<EnvironmentName>().map(String::from))?;
                    exactly(&mut filter.environment, value, impossible);
                }
                FilterBy::DeploymentStatus => {
                    if !STATUSES.contains(&value.as_str()) {
                        return Err(word(&STATUSES));
                    }
                    exactly(&mut filter.status, value.clone(), impossible);
                }
                FilterBy::DeployedTemplateVersionStatus => {
                    let wanted = VersionIs::parse(value).ok_or_else(|| {
                        let stale = Staleness::ALL.map(Staleness::word);
                        word(&[VERSION_STATUSES.as_slice(), stale.as_slice()].concat())
                    })?;
                    all.version.push(wanted);
                }
                FilterBy::LastDeploymentAttemptedAtBefore => {
                    let at = time()?;
                    let before = &mut filter.attempted_before;
                    *before = Some(before.map_or(at, |other| other.min(at)));
                }
                FilterBy::LastDeploymentAttemptedAtAfter => {
                    filter.attempted_after = filter.attempted_after.max(Some(time()?));
                }
                FilterBy::CreatedAtBefore => {
                    let at = time()?;
                    let before = &mut filter.created_before;
                    *before = Some(before.map_or(at, |other| other.min(at)));
                }
                FilterBy::CreatedAtAfter => {
                    filter.created_after = filter.created_after.max(Some(time()?));
                }
            }
        }
        Ok(all)
    }
}

impl App {
    /// Service instances that every filter lets through, sorted, after `after`.
    ///
    /// # Errors
    /// When a filter's value makes no sense, or the service does not exist.
    pub async fn list_instances(
        &self,
        caller: &Caller,
        list: InstanceList,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<TargetRow>, AppError> {
        let sight = self.may(caller, Action::ReadService).await?;
        let conditions = Conditions::read(&list)?;
        let (sort, direction) = (list.sort, list.direction);
        let rows = self.read("instances", move |tx| {
            Box::pin(async move {
                if let Some(service) = &list.service
                    && (!sight.covers(&Ground::service(service.clone()))
                        || services::get(tx, service).await?.is_none())
                {
                    return Err(AppError::not_found("service", service));
                }
                let mut found = Vec::new();
                if conditions.impossible {
                    return Ok(found);
                }
                // Where templates stand is not for SQL to know: those that come up are read once, and what does not fit is
                // made up for by the rows that follow.
                let mut known: BTreeMap<TemplateName, Versions> = BTreeMap::new();
                let (mut after, wanted) = (after, limit as usize);
                loop {
                    let rows = instances::list(
                        tx,
                        &conditions.filter,
                        &sight,
                        sort,
                        direction,
                        after.as_ref(),
                        limit,
                    )
                    .await?;
                    let last = rows.len() < wanted;
                    after = rows.last().map(|row| Place::of(row, sort));
                    for row in rows {
                        if !conditions.version.is_empty() {
                            let name = row.made_from()?;
                            if !known.contains_key(name) {
                                let template = templates::get(tx, TemplateKind::Service, name).await?;
                                let versions = template.map(|row| row.versions).unwrap_or_default();
                                known.insert(name.clone(), versions);
                            }
                            let versions = &known[name];
                            if !conditions
                                .version
                                .iter()
                                .all(|wanted| wanted.holds(row.version, versions))
                            {
                                continue;
                            }
                        }
                        found.push(row);
                        if found.len() == wanted {
                            return Ok(found);
                        }
                    }
                    if last {
                        return Ok(found);
                    }
                }
            })
        });
        Ok(shown(rows.await?, caller))
    }
}

#[cfg(test)]
mod tests {
    use hadron_domain::template::VersionState;

    use super::*;

    fn conditions(filters: &[(FilterBy, &str)]) -> Result<Conditions, AppError> {
        Conditions::read(&InstanceList {
            filters: filters
                .iter()
                .map(|(by, value)| (*by, (*value).to_owned()))
                .collect(),
            ..InstanceList::default()
        })
    }

    #[test]
    fn times_are_iso_or_seconds() {
        let micros = |text| moment(text).map(Timestamp::as_micros);
        assert_eq!(micros("1985-04-12T23:20:50.52Z"), Some(482_196_050_520_000));
        assert_eq!(micros("482196050.52"), Some(482_196_050_520_000));
        assert_eq!(micros("482196050"), Some(482_196_050_000_000));
        assert_eq!(micros("1.1234567"), Some(1_123_456));
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "1e9",
            "yesterday",
            "99999999999999999999",
        ] {
            assert_eq!(micros(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_wrong_value_is_told_with_its_filter() {
        let wrong = [
            (FilterBy::Name, "a b"),
            (FilterBy::ServiceName, ""),
            (FilterBy::TemplateName, "-a"),
            (FilterBy::EnvironmentName, "ä"),
            (FilterBy::DeploymentStatus, "succeeded"),
            (FilterBy::DeployedTemplateVersionStatus, "OLD"),
            (FilterBy::CreatedAtAfter, "soon"),
            (FilterBy::CreatedAtBefore, "soon"),
            (FilterBy::LastDeploymentAttemptedAtAfter, "soon"),
            (FilterBy::LastDeploymentAttemptedAtBefore, "soon"),
        ];
        for (by, value) in wrong {
            let error = conditions(&[(by, value)]).unwrap_err();
            assert_eq!(error.reason, "INVALID_FILTER");
            assert!(error.message.contains(by.word()), "{}", error.message);
        }
    }

    #[test]
    fn filters_of_one_key_narrow_one_another() {
        let two = conditions(&[(FilterBy::Name, "a"), (FilterBy::Name, "b")]).unwrap();
        assert!(two.impossible);
        let same = conditions(&[(FilterBy::Name, "a"), (FilterBy::Name, "a")]).unwrap();
        assert!(!same.impossible);
        let times = conditions(&[
            (FilterBy::CreatedAtAfter, "5"),
            (FilterBy::CreatedAtAfter, "3"),
            (FilterBy::CreatedAtBefore, "9"),
            (FilterBy::CreatedAtBefore, "8"),
        ])
        .unwrap();
        let seconds = |at: Option<Timestamp>| at.unwrap().as_micros() / 1_000_000;
        assert_eq!(seconds(times.filter.created_after), 5);
        assert_eq!(seconds(times.filter.created_before), 8);
    }

    #[test]
    fn staleness_follows_what_is_recommended() {
        let mut versions = Versions::default();
        let version = |text: &str| text.parse::<TemplateVersion>().unwrap();
        for (text, state) in [
            ("1.0", VersionState::Published),
            ("1.1", VersionState::Published),
            ("1.2", VersionState::Draft),
            ("2.0", VersionState::Draft),
        ] {
            versions.existing.insert(version(text), state);
        }
        let stale = |text, versions: &Versions| Staleness::of(version(text), versions).word();
        assert_eq!(stale("1.0", &versions), "BEHIND_MINOR");
        assert_eq!(stale("1.1", &versions), "UP_TO_DATE");
        assert_eq!(stale("1.2", &versions), "UP_TO_DATE");
        versions.existing.insert(version("2.0"), VersionState::Published);
        assert_eq!(stale("1.1", &versions), "BEHIND_MAJOR");
        assert_eq!(stale("2.0", &versions), "UP_TO_DATE");
        assert!(VersionIs::Standing("DRAFT").holds(version("1.2"), &versions));
        assert!(!VersionIs::Standing("DRAFT").holds(version("1.3"), &versions));
    }
}
