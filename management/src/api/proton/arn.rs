//! ARNs of Proton, made and read.

use std::fmt;
use std::str::FromStr;

use hadron_domain::target::Target;
use hadron_proto::vocab::{
    AccountId, ComponentName, ConnectionId, DeploymentId, EnvironmentName, InstanceName, Region, ServiceName,
    TemplateName, TemplateVersion,
};
use uuid::Uuid;

use super::shapes::RepositoryProvider;
use super::{Fault, Proton};

/// Something that has an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
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
    /// A linked repository, with its name as OWNER/NAME.
    Repository(RepositoryProvider, String),
    Deployment(DeploymentId),
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

const fn provider_word(provider: RepositoryProvider) -> &'static str {
    match provider {
        RepositoryProvider::Github => "github",
        RepositoryProvider::GithubEnterprise => "github_enterprise",
        RepositoryProvider::Bitbucket => "bitbucket",
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
            Self::Repository(provider, name) => write!(f, "repository/{}:{name}", provider_word(*provider)),
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

/// A UUID in the one spelling that ids have.
fn uuid(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == text).then_some(id)
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
                // As older clients have it.
                [service, "pipeline", id] => {
                    uuid(id)?;
                    Resource::Pipeline(service.parse().ok()?)
                }
                _ => return None,
            }
        }
        "component" => Resource::Component(rest.parse().ok()?),
        "environment-account-connection" => Resource::Connection(ConnectionId::from_uuid(uuid(rest)?)),
        "repository" => {
            let (provider, name) = rest.split_once(':')?;
            let provider = RepositoryProvider::ALL
                .into_iter()
                .find(|one| provider_word(*one) == provider)?;
            let (owner, repository) = name.split_once('/')?;
            if owner.is_empty() || repository.is_empty() {
                return None;
            }
            Resource::Repository(provider, name.to_owned())
        }
        "deployment" => Resource::Deployment(DeploymentId::from_uuid(uuid(rest)?)),
        _ => return None,
    })
}

/// The ARN of something. Whether its account and Region are this hub's, the use cases compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResourceArn {
    pub(super) region: Region,
    pub(super) account: AccountId,
    pub(super) resource: Resource,
}

impl fmt::Display for ResourceArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:proton:{}:{}:{}",
            self.region.partition().as_str(),
            self.region,
            self.account,
            self.resource
        )
    }
}

impl FromStr for ResourceArn {
    type Err = Fault;

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
        read().ok_or_else(|| Fault::validation(format!("'{text}' is not the ARN of anything in Proton")))
    }
}

impl Proton {
    /// The ARN of something of the hub's own account.
    pub(super) fn arn(&self, resource: impl Into<Resource>) -> String {
        let settings = self.app.settings();
        self.arn_in(settings.account, &settings.region, resource)
    }

    /// The ARN of something of this account and Region.
    pub(super) fn arn_in(
        &self,
        account: AccountId,
        region: &Region,
        resource: impl Into<Resource>,
    ) -> String {
        let arn = ResourceArn {
            region: region.clone(),
            account,
            resource: resource.into(),
        };
        arn.to_string()
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
        let id = uuid(ID).unwrap();
        let all = [
            (
                Resource::EnvironmentTemplate(name.clone()),
                "environment-template/fargate-env",
            ),
            (
                Resource::EnvironmentTemplateMajor(name.clone(), 2),
                "environment-template/fargate-env:2",
            ),
            (
                Resource::EnvironmentTemplateVersion(name.clone(), version),
                "environment-template/fargate-env:1.10",
            ),
            (
                Resource::ServiceTemplate(name.clone()),
                "service-template/fargate-env",
            ),
            (
                Resource::ServiceTemplateMajor(name.clone(), 2),
                "service-template/fargate-env:2",
            ),
            (
                Resource::ServiceTemplateVersion(name, version),
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
                Resource::Connection(ConnectionId::from_uuid(id)),
                "environment-account-connection/0190a5d0-1111-7222-8333-444455556666",
            ),
            (
                Resource::Repository(RepositoryProvider::GithubEnterprise, "org/app.x".to_owned()),
                "repository/github_enterprise:org/app.x",
            ),
            (
                Resource::Deployment(DeploymentId::from_uuid(id)),
                "deployment/0190a5d0-1111-7222-8333-444455556666",
            ),
        ];
        for (resource, suffix) in all {
            let arn = ResourceArn {
                region: "eu-west-1".parse().unwrap(),
                account: "111111111111".parse().unwrap(),
                resource,
            };
            let text = arn.to_string();
            assert_eq!(text, format!("arn:aws:proton:eu-west-1:111111111111:{suffix}"));
            assert_eq!(text.parse::<ResourceArn>().unwrap(), arn);
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
