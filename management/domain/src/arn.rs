//! ARNs of Proton, made and read.

use std::fmt;
use std::str::FromStr;

use hadron_proto::vocab::{
    AccountId, ComponentName, ConnectionId, DeploymentId, EnvironmentName, Id, IdKind, InstanceName, Region,
    ServiceName, TemplateName, TemplateVersion,
};

use crate::repository::{Provider, SourceName};
use crate::target::Target;
use crate::template::TemplateKind;

/// Something that has an ARN. Its text is what the ARN ends with, such as `environment/prd`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each name says what it is")]
pub enum Resource {
    EnvironmentTemplate(TemplateName),
    EnvironmentTemplateMajor(TemplateName, u32),
    EnvironmentTemplateVersion(TemplateName, TemplateVersion),
    ServiceTemplate(TemplateName),
    ServiceTemplateMajor(TemplateName, u32),
    ServiceTemplateVersion(TemplateName, TemplateVersion),
    Environment(EnvironmentName),
    Service(ServiceName),
    Instance(ServiceName, InstanceName),
    Pipeline(ServiceName),
    Component(ComponentName),
    /// Its account is the environment account.
    Connection(ConnectionId),
    /// A linked source repository.
    Repository(Provider, SourceName),
    Deployment(DeploymentId),
}

impl Resource {
    /// A template.
    #[must_use]
    pub const fn template(kind: TemplateKind, name: TemplateName) -> Self {
        match kind {
            TemplateKind::Environment => Self::EnvironmentTemplate(name),
            TemplateKind::Service => Self::ServiceTemplate(name),
        }
    }

    /// A template version.
    #[must_use]
    pub const fn version(kind: TemplateKind, name: TemplateName, version: TemplateVersion) -> Self {
        match kind {
            TemplateKind::Environment => Self::EnvironmentTemplateVersion(name, version),
            TemplateKind::Service => Self::ServiceTemplateVersion(name, version),
        }
    }

    /// Its ARN in this account and Region.
    #[must_use]
    pub fn arn(self, account: AccountId, region: &Region) -> ResourceArn {
        ResourceArn {
            region: region.clone(),
            account,
            resource: self,
        }
    }
}

impl From<&Target> for Resource {
    fn from(target: &Target) -> Self {
        match target {
            Target::Environment(name) => Self::Environment(name.clone()),
            Target::Instance(service, name) => Self::Instance(service.clone(), name.clone()),
            Target::Pipeline(service) => Self::Pipeline(service.clone()),
            Target::Component(name) => Self::Component(name.clone()),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvironmentTemplate(name) => write!(f, "environment-template/{name}"),
            Self::EnvironmentTemplateMajor(name, major) => write!(f, "environment-template/{name}:{major}"),
            Self::EnvironmentTemplateVersion(name, version) => {
                write!(f, "environment-template/{name}:{version}")
            }
            Self::ServiceTemplate(name) => write!(f, "service-template/{name}"),
            Self::ServiceTemplateMajor(name, major) => write!(f, "service-template/{name}:{major}"),
            Self::ServiceTemplateVersion(name, version) => write!(f, "service-template/{name}:{version}"),
            Self::Environment(name) => write!(f, "environment/{name}"),
            Self::Service(name) => write!(f, "service/{name}"),
            Self::Instance(service, name) => write!(f, "service/{service}/service-instance/{name}"),
            Self::Pipeline(service) => write!(f, "service/{service}/pipeline"),
            Self::Component(name) => write!(f, "component/{name}"),
            Self::Connection(id) => write!(f, "environment-account-connection/{}", id.as_uuid()),
            Self::Repository(provider, name) => write!(f, "repository/{}:{name}", provider.arn_word()),
            Self::Deployment(id) => write!(f, "deployment/{}", id.as_uuid()),
        }
    }
}

/// What stands behind a template's name in an ARN.
enum Versioned {
    None,
    Major(u32),
    Exactly(TemplateVersion),
}

fn versioned(text: &str) -> Option<(TemplateName, Versioned)> {
    let (name, version) = match text.split_once(':') {
        None => (text, Versioned::None),
        Some((name, version)) if version.contains('.') => (name, Versioned::Exactly(version.parse().ok()?)),
        Some((name, major)) => {
            let digits = major.bytes().all(|byte| byte.is_ascii_digit());
            let major = digits.then(|| major.parse().ok()).flatten();
            (name, Versioned::Major(major.filter(|major| *major > 0)?))
        }
    };
    Some((name.parse().ok()?, version))
}

/// An id from its bare UUID, in the one spelling that ids have.
fn bare<K: IdKind>(text: &str) -> Option<Id<K>> {
    let id: Id<K> = format!("{}_{text}", K::PREFIX).parse().ok()?;
    (id.as_uuid().to_string() == text).then_some(id)
}

impl FromStr for Resource {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        resource(text).ok_or_else(|| InvalidArn(text.chars().take(200).collect()))
    }
}

fn resource(text: &str) -> Option<Resource> {
    let (kind, rest) = text.split_once('/')?;
    Some(match kind {
        "environment-template" => match versioned(rest)? {
            (name, Versioned::None) => Resource::EnvironmentTemplate(name),
            (name, Versioned::Major(major)) => Resource::EnvironmentTemplateMajor(name, major),
            (name, Versioned::Exactly(version)) => Resource::EnvironmentTemplateVersion(name, version),
        },
        "service-template" => match versioned(rest)? {
            (name, Versioned::None) => Resource::ServiceTemplate(name),
            (name, Versioned::Major(major)) => Resource::ServiceTemplateMajor(name, major),
            (name, Versioned::Exactly(version)) => Resource::ServiceTemplateVersion(name, version),
        },
        "environment" => Resource::Environment(rest.parse().ok()?),
        "service" => {
            let parts: Vec<&str> = rest.split('/').collect();
            match parts.as_slice() {
                [service] => Resource::Service(service.parse().ok()?),
                [service, "service-instance", name] => {
                    Resource::Instance(service.parse().ok()?, name.parse().ok()?)
                }
                [service, "pipeline"] => Resource::Pipeline(service.parse().ok()?),
                // As older clients have it: with some UUID behind it.
                [service, "pipeline", id] => {
                    let _: DeploymentId = bare(id)?;
                    Resource::Pipeline(service.parse().ok()?)
                }
                _ => return None,
            }
        }
        "component" => Resource::Component(rest.parse().ok()?),
        "environment-account-connection" => Resource::Connection(bare(rest)?),
        "repository" => {
            let (provider, name) = rest.split_once(':')?;
            let provider = Provider::ALL.into_iter().find(|one| one.arn_word() == provider)?;
            Resource::Repository(provider, name.parse().ok()?)
        }
        "deployment" => Resource::Deployment(bare(rest)?),
        _ => return None,
    })
}

/// The text is no ARN of Proton.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the ARN of anything in Proton")]
pub struct InvalidArn(String);

/// The ARN of something. Whether its account and Region are the hub's, the use cases compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceArn {
    /// Its Region.
    pub region: Region,
    /// Its account.
    pub account: AccountId,
    /// What it names.
    pub resource: Resource,
}

impl fmt::Display for ResourceArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partition = self.region.partition().as_str();
        write!(
            f,
            "arn:{partition}:proton:{}:{}:{}",
            self.region, self.account, self.resource
        )
    }
}

impl FromStr for ResourceArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let ["arn", partition, "proton", region, account, rest] = parts.as_slice() else {
                return None;
            };
            let region: Region = region.parse().ok()?;
            (region.partition().as_str() == *partition).then_some(())?;
            Some(Self {
                region,
                account: account.parse().ok()?,
                resource: resource(rest)?,
            })
        };
        read().ok_or_else(|| InvalidArn(text.chars().take(200).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190a5d0-1111-7222-8333-444455556666";

    #[test]
    fn arns_are_read_as_they_are_written() {
        let name: TemplateName = "fargate-env".parse().unwrap();
        let version: TemplateVersion = "1.10".parse().unwrap();
        let service: ServiceName = "front".parse().unwrap();
        let all = [
            (
                Resource::template(TemplateKind::Environment, name.clone()),
                "environment-template/fargate-env",
            ),
            (
                Resource::EnvironmentTemplateMajor(name.clone(), 2),
                "environment-template/fargate-env:2",
            ),
            (
                Resource::version(TemplateKind::Environment, name.clone(), version),
                "environment-template/fargate-env:1.10",
            ),
            (
                Resource::template(TemplateKind::Service, name.clone()),
                "service-template/fargate-env",
            ),
            (
                Resource::ServiceTemplateMajor(name.clone(), 2),
                "service-template/fargate-env:2",
            ),
            (
                Resource::version(TemplateKind::Service, name, version),
                "service-template/fargate-env:1.10",
            ),
            (Resource::Environment("prd".parse().unwrap()), "environment/prd"),
            (Resource::Service(service.clone()), "service/front"),
            (
                Resource::Instance(service.clone(), "front-prd".parse().unwrap()),
                "service/front/service-instance/front-prd",
            ),
            (Resource::Pipeline(service), "service/front/pipeline"),
            (Resource::Component("bucket".parse().unwrap()), "component/bucket"),
            (
                Resource::Connection(bare(ID).unwrap()),
                "environment-account-connection/0190a5d0-1111-7222-8333-444455556666",
            ),
            (
                Resource::Repository(Provider::GithubEnterprise, "org/app.x".parse().unwrap()),
                "repository/github_enterprise:org/app.x",
            ),
            (
                Resource::Deployment(bare(ID).unwrap()),
                "deployment/0190a5d0-1111-7222-8333-444455556666",
            ),
        ];
        for (resource, suffix) in all {
            assert_eq!(suffix.parse::<Resource>().unwrap(), resource);
            let arn = resource.arn("111111111111".parse().unwrap(), &"eu-west-1".parse().unwrap());
            let text = arn.to_string();
            assert_eq!(text, format!("arn:aws:proton:eu-west-1:111111111111:{suffix}"));
            assert_eq!(text.parse::<ResourceArn>().unwrap(), arn);
        }
    }

    #[test]
    fn targets_and_resources_have_the_same_arn() {
        let (account, region) = ("111111111111".parse().unwrap(), "eu-west-1".parse().unwrap());
        let service: ServiceName = "front".parse().unwrap();
        for target in [
            Target::Environment("prd".parse().unwrap()),
            Target::Instance(service.clone(), "blue".parse().unwrap()),
            Target::Pipeline(service),
            Target::Component("bucket".parse().unwrap()),
        ] {
            let arn = Resource::from(&target).arn(account, &region).to_string();
            assert_eq!(arn, target.arn(account, &region));
        }
    }

    #[test]
    fn pipelines_of_older_clients_are_found() {
        let arn = format!("arn:aws:proton:eu-west-1:111111111111:service/front/pipeline/{ID}");
        let read: ResourceArn = arn.parse().unwrap();
        assert_eq!(read.resource, Resource::Pipeline("front".parse().unwrap()));
    }

    #[test]
    fn what_is_no_arn_of_proton_is_refused() {
        for suffix in [
            "",
            "environment",
            "environment/",
            "environment/a/b",
            "environment-template/x:0",
            "environment-template/x:1.2.3",
            "service/a/service-instance",
            "service/a/pipeline/b",
            "repository/gitlab:a/b",
            "repository/github:a",
            "deployment/0190A5D0-1111-7222-8333-444455556666",
            "cluster/a",
        ] {
            let arn = format!("arn:aws:proton:eu-west-1:111111111111:{suffix}");
            assert!(arn.parse::<ResourceArn>().is_err(), "{arn}");
        }
        for arn in [
            "arn:aws:ecs:eu-west-1:111111111111:environment/prd",
            "arn:aws-cn:proton:eu-west-1:111111111111:environment/prd",
            "arn:aws:proton:eu-west-1:1:environment/prd",
            "arn:aws:proton::111111111111:environment/prd",
            "prd",
        ] {
            assert!(arn.parse::<ResourceArn>().is_err(), "{arn}");
        }
    }
}
