//! What owns a stack: an environment, a service instance, a pipeline or a component.

use std::fmt;

use hadron_proto::vocab::{
    AccountId, ComponentName, Digest, EnvironmentName, InstanceName, Region, ServiceName, StackPrefix,
};
use serde::{Deserialize, Serialize};

/// Who makes a target true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provisioning {
    /// An agent, by a CloudFormation stack.
    Stack,
    /// Somebody else; what its spec says is what it is (Proton's `CUSTOMER_MANAGED`).
    CustomerManaged,
}

impl Provisioning {
    /// As stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::CustomerManaged => "customer_managed",
        }
    }
}

/// The word names no way of provisioning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no way of provisioning")]
pub struct InvalidProvisioning(String);

impl std::str::FromStr for Provisioning {
    type Err = InvalidProvisioning;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stack" => Ok(Self::Stack),
            "customer_managed" => Ok(Self::CustomerManaged),
            _ => Err(InvalidProvisioning(text.to_owned())),
        }
    }
}

/// What a deployment makes true or gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An environment.
    Environment(EnvironmentName),
    /// A service instance.
    Instance(ServiceName, InstanceName),
    /// The pipeline of a service.
    Pipeline(ServiceName),
    /// A component.
    Component(ComponentName),
}

/// Which of an account's roles CloudFormation provisions a stack with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    /// That of environments and service instances.
    Provisioning,
    /// That of pipelines, in the management account.
    Pipeline,
    /// That of components: what developers add by themselves may need less than what platform teams publish.
    Component,
}

impl Target {
    /// Which role its stack is provisioned with.
    #[must_use]
    pub const fn role_kind(&self) -> RoleKind {
        match self {
            Self::Environment(_) | Self::Instance(..) => RoleKind::Provisioning,
            Self::Pipeline(_) => RoleKind::Pipeline,
            Self::Component(_) => RoleKind::Component,
        }
    }

    /// What kind of thing it is, in one word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Environment(_) => "environment",
            Self::Instance(..) => "instance",
            Self::Pipeline(_) => "pipeline",
            Self::Component(_) => "component",
        }
    }

    /// Its name in its kind: `NAME`, `SERVICE/INSTANCE` or `SERVICE`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Environment(name) => name.to_string(),
            Self::Instance(service, name) => format!("{service}/{name}"),
            Self::Pipeline(service) => service.to_string(),
            Self::Component(name) => name.to_string(),
        }
    }

    /// The name of its stack. Proton's form, so that users' IAM policies and eyes find it: `<prefix><name>-cloudformation-<suffix>`.
    ///
    /// Proton's names may hold `_`, be 201 characters long together and begin with a digit; stack names may be 128 long and
    /// know no `_`. A name that has to be changed for that gets eight digits of its digest, so that two of a kind stay apart.
    /// Unchanged, instance `b-c` of `a` and instance `c` of `a-b` look alike, and so do an environment and a pipeline of one
    /// name; what keeps them apart is `suffix`: new for every incarnation of every stack, letters and digits, 32 at most.
    #[must_use]
    pub fn stack_name(&self, prefix: &StackPrefix, suffix: &str) -> String {
        let plain = match self {
            Self::Environment(name) => name.to_string(),
            Self::Instance(service, name) => format!("{service}-{name}"),
            Self::Pipeline(service) => service.to_string(),
            Self::Component(name) => name.to_string(),
        };
        let room = 128usize.saturating_sub(prefix.as_str().len() + "-cloudformation-".len() + suffix.len());
        let mut middle: String = plain.replace('_', "-");
        if middle != plain || middle.len() > room {
            let digest = &Digest::of(self.to_string().as_bytes()).hex()[..8];
            middle.truncate(room.saturating_sub(9));
            middle = format!("{middle}-{digest}");
        }
        format!("{prefix}{middle}-cloudformation-{suffix}")
    }

    /// The ARN that Proton gave such a thing; `account` and `region` are the management account's.
    #[must_use]
    pub fn arn(&self, account: AccountId, region: &Region) -> String {
        let partition = region.partition().as_str();
        let resource = match self {
            Self::Environment(name) => format!("environment/{name}"),
            Self::Instance(service, name) => format!("service/{service}/service-instance/{name}"),
            Self::Pipeline(service) => format!("service/{service}/pipeline"),
            Self::Component(name) => format!("component/{name}"),
        };
        format!("arn:{partition}:proton:{region}:{account}:{resource}")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}
