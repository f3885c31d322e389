//! The account owner's own policy: what this account lets the hub ask for.
//!
//! The hub decides what to deploy; the account decides what may be deployed at all. The check is pure, runs before a
//! job touches anything, and holds whatever the hub says: a hub in hostile hands can ask for no more than this.

use hadron_proto::vocab::{
    AccountId, BrokenContentRule, BucketName, ContentRules, Region, RoleArn, StackArn, StackPrefix,
};
use hadron_templates::{PublisherKey, Rendered, SignedSource};

use crate::job::{Act, Failure, FailureKind, Job, ResourceChange, RoleKind, Work};

/// Roles that may be passed to CloudFormation. The first of a list is used when the hub names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleLists {
    /// For environments and service instances.
    pub provisioning: Vec<RoleArn>,
    /// For pipelines.
    pub pipeline: Vec<RoleArn>,
    /// For directly defined components.
    pub component: Vec<RoleArn>,
}

impl RoleLists {
    /// The roles for this sort of stack.
    #[must_use]
    pub fn of(&self, kind: RoleKind) -> &[RoleArn] {
        match kind {
            RoleKind::Provisioning => &self.provisioning,
            RoleKind::Pipeline => &self.pipeline,
            RoleKind::Component => &self.component,
        }
    }

    /// The role to use: the one asked for when it is listed, the first when none is asked for.
    #[must_use]
    pub fn choose(&self, kind: RoleKind, asked: Option<&RoleArn>) -> Option<&RoleArn> {
        let listed = self.of(kind);
        match asked {
            Some(asked) => listed.iter().find(|role| *role == asked),
            None => listed.first(),
        }
    }

    /// Every role in any of the lists.
    pub fn all(&self) -> impl Iterator<Item = &RoleArn> {
        self.provisioning
            .iter()
            .chain(&self.pipeline)
            .chain(&self.component)
    }
}

/// The key of the configuration that lists roles of this kind.
const fn role_key(kind: RoleKind) -> &'static str {
    match kind {
        RoleKind::Provisioning => "roles.provisioning",
        RoleKind::Pipeline => "roles.pipeline",
        RoleKind::Component => "roles.component",
    }
}

/// What stacks may be called, where they may be, and what may be in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the names of stacks begin with.
    pub stack_prefix: StackPrefix,
    /// Regions that may be worked in.
    pub regions: Vec<Region>,
    /// What may be in a template.
    pub contents: ContentRules,
    /// Capabilities that a job may ask for.
    pub capabilities: Vec<String>,
    /// Whose signatures on bundles count; none: nobody looks for any.
    pub publishers: Vec<PublisherKey>,
    /// Whether templates of bundles that nobody signed are refused, where there are publishers.
    pub signed_only: bool,
    /// Largest template.
    pub max_template_bytes: u64,
    /// Buckets that bundles may be read from; `None` leaves that to IAM.
    pub bundle_buckets: Option<Vec<BucketName>>,
}

/// The policy, and whose agent this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The agent's account, as STS says.
    pub account: AccountId,
    /// The agent's Region.
    pub region: Region,
    /// Stacks.
    pub limits: Limits,
    /// Roles.
    pub roles: RoleLists,
}

/// A rule that a job breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broken {
    rule: &'static str,
    asked: String,
    remedy: String,
}

impl Policy {
    /// Checks a job, and gives it back with the role that it is to use filled in.
    ///
    /// # Errors
    /// A [`FailureKind::LocalPolicy`] failure that names the rule, what was asked for, and what the account's owner
    /// would change to allow it.
    pub fn admit(&self, mut job: Job) -> Result<Job, Box<Failure>> {
        self.check(&job).map_err(|broken| self.failure(&broken))?;
        let (kind, role) = match &mut job.work {
            Work::ApplyStack(apply) => (apply.role_kind, &mut apply.role),
            Work::DestroyStack(destroy) => (destroy.role_kind, &mut destroy.role),
            Work::RevokeStack(revoke) => (revoke.role_kind, &mut revoke.role),
            Work::SetPullPolicy(_)
            | Work::PutEvents(_)
            | Work::PutCheckpoints(_)
            | Work::FetchBundle(_)
            | Work::InspectStack(_) => return Ok(job),
        };
        *role = self.roles.choose(kind, role.as_ref()).cloned();
        Ok(job)
    }

    /// Checks what is really about to happen, once more and on better evidence: the list of types in a job is the
    /// hub's word, the changes of a change set are CloudFormation's.
    ///
    /// # Errors
    /// As [`Policy::admit`].
    pub fn allow(&self, act: &Act) -> Result<(), Box<Failure>> {
        let (stack, changes): (_, &[ResourceChange]) = match act {
            Act::Execute { stack, changes, .. } => (stack, changes),
            Act::Delete { stack } => (stack, &[]),
        };
        let added = changes
            .iter()
            .filter(|change| change.action != "Remove")
            .map(|change| &change.resource_type);
        self.stack(stack.name(), Some(stack))
            .and_then(|()| self.types(added))
            .map_err(|broken| self.failure(&broken))
    }

    fn failure(&self, broken: &Broken) -> Box<Failure> {
        let Broken { rule, asked, remedy } = broken;
        let account = self.account;
        let message = format!(
            "the agent of account {account} refuses this: {asked} (rule {rule}). To allow it, {remedy}."
        );
        let kind = FailureKind::LocalPolicy;
        Box::new(Failure {
            kind,
            message,
            stack: None,
            stack_status: None,
            resources: Vec::new(),
        })
    }

    fn check(&self, job: &Job) -> Result<(), Broken> {
        if job.account != self.account {
            return Err(Broken {
                rule: "account",
                asked: format!(
                    "the job is for account {}, this agent acts only in {}",
                    job.account, self.account
                ),
                remedy: format!(
                    "run an agent in account {} and give the job to that one",
                    job.account
                ),
            });
        }
        self.region(&job.region)?;
        match &job.work {
            Work::ApplyStack(apply) => {
                self.stack(&apply.stack_name, apply.stack_arn.as_ref())?;
                self.role(apply.role_kind, apply.role.as_ref())?;
                self.size(apply.template_bytes)?;
                self.capabilities(&apply.capabilities)?;
                self.types(&apply.resource_types)
            }
            Work::DestroyStack(destroy) => {
                self.stack(&destroy.stack_name, destroy.stack_arn.as_ref())?;
                self.role(destroy.role_kind, destroy.role.as_ref())
            }
            Work::RevokeStack(revoke) => {
                self.stack(&revoke.stack_name, revoke.stack_arn.as_ref())?;
                self.role(revoke.role_kind, revoke.role.as_ref())
            }
            // Which accounts may pull is the hub's decision; the repository can only be one of this account's registry.
            Work::SetPullPolicy(_) => Ok(()),
            // Where events go is the hub's decision; whether they may, the role's.
            Work::PutEvents(_) => Ok(()),
            // As well; and a bucket without Object Lock refuses them.
            Work::PutCheckpoints(_) => Ok(()),
            Work::FetchBundle(fetch) => self.bundle(&fetch.bucket),
            Work::InspectStack(inspect) => self.stack(&inspect.stack_name, inspect.stack_arn.as_ref()),
        }
    }

    fn region(&self, asked: &Region) -> Result<(), Broken> {
        if *asked != self.region {
            return Err(Broken {
                rule: "region",
                asked: format!(
                    "the job is for Region {asked}, this agent acts only in {}",
                    self.region
                ),
                remedy: format!("run an agent for Region {asked}"),
            });
        }
        if !self.limits.regions.contains(asked) {
            return Err(Broken {
                rule: "limits.regions",
                asked: format!("Region {asked} is not among the Regions that are allowed here"),
                remedy: format!("add {asked} to limits.regions in the agent's configuration"),
            });
        }
        Ok(())
    }

    fn stack(&self, name: &str, arn: Option<&StackArn>) -> Result<(), Broken> {
        let prefix = self.limits.stack_prefix.as_str();
        for name in std::iter::once(name).chain(arn.map(StackArn::name)) {
            if !name.starts_with(prefix) {
                return Err(Broken {
                    rule: "limits.stack_prefix",
                    asked: format!("the name of stack '{name}' does not begin with '{prefix}'"),
                    remedy: "give hub and agent the same prefix (limits.stack_prefix in the agent's configuration, and \
                             the stack names in the policies of the agent's roles)"
                        .to_owned(),
                });
            }
        }
        if let Some(arn) = arn.filter(|arn| arn.account() != self.account || *arn.region() != self.region) {
            return Err(Broken {
                rule: "account",
                asked: format!(
                    "stack {arn} is not in account {}, Region {}",
                    self.account, self.region
                ),
                remedy: "send the job to the agent of that account and Region".to_owned(),
            });
        }
        Ok(())
    }

    fn role(&self, kind: RoleKind, asked: Option<&RoleArn>) -> Result<(), Broken> {
        if self.roles.choose(kind, asked).is_some() {
            return Ok(());
        }
        let key = role_key(kind);
        Err(match asked {
            Some(role) => Broken {
                rule: key,
                asked: format!("role {role} is not in the list of roles that may be passed"),
                remedy: format!(
                    "add it to {key} in the agent's configuration, and to iam:PassRole of the agent's role"
                ),
            },
            None => Broken {
                rule: key,
                asked: "no role is configured for stacks of this sort".to_owned(),
                remedy: format!(
                    "list one in {key} in the agent's configuration (`hadron-agent role` prints what it needs)"
                ),
            },
        })
    }

    fn size(&self, bytes: u64) -> Result<(), Broken> {
        let most = self.limits.max_template_bytes;
        if bytes <= most {
            return Ok(());
        }
        Err(Broken {
            rule: "limits.max_template_bytes",
            asked: format!("the template has {bytes} bytes, at most {most} are allowed"),
            remedy: format!(
                "raise limits.max_template_bytes to {bytes} or more in the agent's configuration"
            ),
        })
    }

    fn bundle(&self, bucket: &str) -> Result<(), Broken> {
        let Some(allowed) = &self.limits.bundle_buckets else {
            return Ok(());
        };
        if allowed.iter().any(|one| one.as_str() == bucket) {
            return Ok(());
        }
        Err(Broken {
            rule: "limits.bundle_buckets",
            asked: format!("bucket '{bucket}' is not among those that bundles may be read from"),
            remedy: format!("add {bucket} to limits.bundle_buckets in the agent's configuration"),
        })
    }

    fn types<'a>(&self, types: impl IntoIterator<Item = &'a String>) -> Result<(), Broken> {
        let types = types.into_iter().map(String::as_str);
        self.limits.contents.types(types).map_err(Broken::from)
    }

    fn capabilities(&self, asked: &[String]) -> Result<(), Broken> {
        let Some(more) = asked
            .iter()
            .find(|asked| !self.limits.capabilities.contains(asked))
        else {
            return Ok(());
        };
        Err(Broken {
            rule: "limits.capabilities",
            asked: format!("the job asks for {more}, which is not allowed here"),
            remedy: format!("add {more} to limits.capabilities in the agent's configuration"),
        })
    }

    /// Whether what the template was rendered from has to be fetched; nothing where the job needs no signature.
    ///
    /// # Errors
    /// When it needs one and there is none.
    pub fn wants_source(&self, has_source: bool) -> Result<bool, Box<Failure>> {
        if self.limits.publishers.is_empty() {
            return Ok(false);
        }
        if has_source || !self.limits.signed_only {
            return Ok(has_source);
        }
        Err(self.not_signed("the template's bundle is not signed"))
    }

    /// Checks that a template is what publishers have signed, by rendering it once more from the bundles. What it is rendered
    /// with, the inputs, is the hub's word.
    ///
    /// # Errors
    /// As [`Policy::admit`].
    pub fn signed(&self, source: &[u8], template: &str) -> Result<(), Box<Failure>> {
        let rendered =
            SignedSource::from_bytes(source).and_then(|source| source.render(&self.limits.publishers));
        match rendered {
            Ok(rendered) if rendered.text == template => Ok(()),
            Ok(_) => Err(self.not_signed(
                "the template is not what the signed bundle renders to; hub and agent may be of different versions",
            )),
            Err(error) => Err(self.not_signed(&error.to_string())),
        }
    }

    fn not_signed(&self, why: &str) -> Box<Failure> {
        self.failure(&Broken {
            rule: "limits.publishers",
            asked: why.to_owned(),
            remedy: "have the bundle signed by a publisher of limits.publishers (hadron template sign) and register it as a new \
                     version, or change that list in the agent's configuration"
                .to_owned(),
        })
    }

    /// Checks what is in a template, as its own text says: what the job says of it is the hub's word.
    ///
    /// # Errors
    /// As [`Policy::admit`]; also when the text cannot be read, so that nobody knows what is in it.
    pub fn template(&self, text: &str) -> Result<(), Box<Failure>> {
        let rules = &self.limits.contents;
        if *rules == ContentRules::default() {
            return Ok(());
        }
        let checked = match Rendered::read(text) {
            Ok(rendered) => rules.check(&rendered.contents()).map_err(Broken::from),
            Err(faults) => Err(Broken {
                rule: "limits",
                asked: format!(
                    "the template cannot be read here, and so not compared with the limits on what may be in one: {}",
                    faults.iter().next().map_or("", |fault| fault.message.as_str())
                ),
                remedy: "mend the template, or take the limits on types, transforms, nested stacks and references out of the \
                         agent's configuration"
                    .to_owned(),
            }),
        };
        checked.map_err(|broken| self.failure(&broken))
    }
}

impl From<BrokenContentRule> for Broken {
    fn from(broken: BrokenContentRule) -> Self {
        let rule = match broken.key {
            "denied_transforms" => "limits.denied_transforms",
            "nested_stack_buckets" => "limits.nested_stack_buckets",
            "dynamic_references" => "limits.dynamic_references",
            _ => "limits.denied_resource_types",
        };
        Self {
            rule,
            asked: broken.found,
            remedy: format!("{} {rule} in the agent's configuration", broken.remedy),
        }
    }
}

#[cfg(test)]
mod tests;
