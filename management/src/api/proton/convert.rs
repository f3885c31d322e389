//! Between the API's texts and the types of the use cases.

use std::fmt;
use std::str::FromStr;

use hadron_domain::template::Wanted;
use hadron_proto::vocab::{Id, IdKind, TemplateVersion, Timestamp};
use indexmap::IndexMap;
use uuid::Uuid;

use super::Fault;
use super::scalar::{Sensitive, Time};
use super::shapes::{
    DeploymentStatus, DeploymentUpdateType, Output, ProvisionedResource, ProvisionedResourceEngine,
    RepositoryBranchInput,
};
use crate::app::environments::UpdateMode;
use crate::app::outputs::Provisioned;
use crate::store::settings::RepositoryBranch;
use crate::store::targets::TargetRow;

/// A text as the type that it stands for; `member` is what the request calls it.
pub(super) fn word<T>(member: &str, text: &str) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    text.parse()
        .map_err(|error| Fault::validation(format!("{member}: {error}")))
}

/// The same for a member that may be left out; empty counts as left out.
pub(super) fn word_opt<T>(member: &str, text: Option<&str>) -> Result<Option<T>, Fault>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    text.filter(|text| !text.is_empty())
        .map(|text| word(member, text))
        .transpose()
}

/// An id, which the API shows without the prefix that says what it is an id of.
pub(super) fn id<K: IdKind>(member: &str, text: &str) -> Result<Id<K>, Fault> {
    Uuid::try_parse(text)
        .map(Id::from_uuid)
        .map_err(|_| Fault::validation(format!("{member}: '{text}' is no UUID")))
}

/// An id as the API shows it.
pub(super) fn plain_id<K: IdKind>(id: Id<K>) -> String {
    id.as_uuid().to_string()
}

/// The same for an id that may be left out; empty counts as left out.
pub(super) fn id_opt<K: IdKind>(member: &str, text: Option<&str>) -> Result<Option<Id<K>>, Fault> {
    text.filter(|text| !text.is_empty())
        .map(|text| id(member, text))
        .transpose()
}

/// One half of a version.
pub(super) fn part(member: &str, text: &str) -> Result<u32, Fault> {
    text.parse().map_err(|_| {
        Fault::validation(format!(
            "{member}: '{text}' is larger than any version number can be"
        ))
    })
}

/// One half of a version that may be left out.
pub(super) fn part_opt(member: &str, text: Option<&str>) -> Result<Option<u32>, Fault> {
    text.map(|text| part(member, text)).transpose()
}

/// A template version from its halves.
pub(super) fn version(major: &str, minor: &str) -> Result<TemplateVersion, Fault> {
    Ok(TemplateVersion {
        major: part("majorVersion", major)?,
        minor: part("minorVersion", minor)?,
    })
}

/// The version that two members ask for, of which either may be left out.
pub(super) fn wanted(major: Option<&str>, minor: Option<&str>) -> Result<Option<Wanted>, Fault> {
    Ok(Wanted::of(
        part_opt("templateMajorVersion", major)?,
        part_opt("templateMinorVersion", minor)?,
    ))
}

/// How an update deploys.
pub(super) const fn mode(update: DeploymentUpdateType) -> UpdateMode {
    match update {
        DeploymentUpdateType::None => UpdateMode::None,
        DeploymentUpdateType::CurrentVersion => UpdateMode::Current,
        DeploymentUpdateType::MinorVersion => UpdateMode::Minor,
        DeploymentUpdateType::MajorVersion => UpdateMode::Major,
    }
}

/// Outputs, in their order.
pub(super) fn outputs(outputs: IndexMap<String, String>) -> Vec<Output> {
    let output = |(key, value)| Output {
        key: Some(key),
        value_string: Some(value),
    };
    outputs.into_iter().map(output).collect()
}

/// What is provisioned for a target.
pub(super) fn provisioned(stacks: Vec<Provisioned>) -> Vec<ProvisionedResource> {
    let resource = |stack: Provisioned| ProvisionedResource {
        identifier: Some(stack.identifier),
        name: Some(stack.name),
        provisioning_engine: Some(ProvisionedResourceEngine::Cloudformation),
    };
    stacks.into_iter().map(resource).collect()
}

/// A text that is left out when it is empty.
pub(super) fn text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A text that no log may show, left out when it is empty.
pub(super) fn secret(given: String) -> Option<Sensitive> {
    text(given).map(Sensitive::from)
}

/// A text that no log may show, empty when it was left out.
pub(super) fn revealed(given: Option<Sensitive>) -> String {
    given.map(Sensitive::into_string).unwrap_or_default()
}

/// A branch of a repository; `member` is what the request calls it.
pub(super) fn branch(
    member: &str,
    given: Option<RepositoryBranchInput>,
) -> Result<Option<RepositoryBranch>, Fault> {
    let branch = |given: RepositoryBranchInput| {
        Ok(RepositoryBranch {
            provider: super::repositories::provider(given.provider),
            name: word(&format!("{member}.name"), &given.name)?,
            branch: given.branch,
        })
    };
    given.map(branch).transpose()
}

/// What the API says about the deployments of whatever owns a stack.
pub(super) struct Deployed {
    pub(super) status: DeploymentStatus,
    pub(super) message: Option<Sensitive>,
    pub(super) attempted_id: Option<String>,
    pub(super) attempted_at: Time,
    pub(super) succeeded_id: Option<String>,
    pub(super) succeeded_at: Time,
}

/// The deployments of a target. The model requires both times; before anything was deployed they are that of its creation.
pub(super) fn deployed(row: &TargetRow) -> Result<Deployed, Fault> {
    let at = |deployment: Option<(_, Timestamp)>| deployment.map_or(row.created_at, |(_, at)| at).into();
    Ok(Deployed {
        status: deployment_status(&row.status)?,
        message: secret(row.message.clone()),
        attempted_id: row.attempted.map(|(id, _)| plain_id(id)),
        attempted_at: at(row.attempted),
        succeeded_id: row.succeeded.map(|(id, _)| plain_id(id)),
        succeeded_at: at(row.succeeded),
    })
}

/// A stored status word as the API's.
pub(super) fn deployment_status(word: &str) -> Result<DeploymentStatus, Fault> {
    DeploymentStatus::named(word)
        .ok_or_else(|| Fault::internal(format!("the stored status '{word}' is none of Proton's")))
}
