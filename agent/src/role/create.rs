//! Making the roles in IAM. First everything is looked at, then everything is said, then a person is asked, then it is
//! done. Running it again does only what is missing.

use std::io::Write;

use anyhow::Context as _;
use serde_json::Value;

use super::documents::{self, Subject};
use super::{Ask, Done, leave};
use crate::args::Role as Args;
use crate::aws::{Kind, NewRole, Roles};

/// The name of the inline policies.
const INLINE: &str = "hadron";

/// One thing to do.
#[derive(Debug)]
enum Step {
    Policy { name: String, text: String },
    Role(NewRole),
    Trust { role: String, text: String },
    Boundary { role: String, arn: String },
    Inline { role: String, text: String },
}

impl Step {
    fn describe(&self) -> String {
        match self {
            Self::Policy { name, .. } => format!("make policy {name}"),
            Self::Role(new) => format!("make role {}", new.name),
            Self::Trust { role, .. } => format!("change the trust policy of role {role}"),
            Self::Boundary { role, .. } => format!("attach the permissions boundary to role {role}"),
            Self::Inline { role, .. } => format!("write policy {INLINE} into role {role}"),
        }
    }

    async fn take(&self, iam: &impl Roles) -> anyhow::Result<()> {
        let done = match self {
            Self::Policy { name, text } => iam.create_policy(name, text).await.map(drop),
            Self::Role(new) => iam.create_role(new).await.map(drop),
            Self::Trust { role, text } => iam.set_trust(role, text).await,
            Self::Boundary { role, arn } => iam.set_boundary(role, arn).await,
            Self::Inline { role, text } => iam.put_inline_policy(role, INLINE, text).await,
        };
        done.with_context(|| format!("cannot {}", self.describe()))
    }
}

/// What one role should be.
struct Wanted {
    name: String,
    trust: Value,
    policy: Value,
    boundary: Option<String>,
    description: &'static str,
}

/// Makes what is missing.
pub(super) async fn create(
    args: &Args,
    subject: &Subject,
    iam: &impl Roles,
    ask: &mut impl Ask,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    let mut plan = Vec::new();
    boundary(subject, iam, &mut plan, out).await?;
    let provisioning = Wanted {
        name: subject.provisioning_role.clone(),
        trust: documents::provisioning_trust(subject),
        policy: documents::provisioning_policy(subject),
        boundary: Some(subject.boundary_arn()),
        description: "CloudFormation makes the stacks of Hadron with this role",
    };
    let agent = Wanted {
        name: subject.agent_role.clone(),
        trust: documents::agent_trust(subject),
        policy: documents::agent_policy(subject),
        boundary: None,
        description: "The Hadron agent runs with this role",
    };
    let component = subject.component_role.as_ref().map(|name| Wanted {
        name: name.clone(),
        trust: documents::provisioning_trust(subject),
        policy: documents::component_policy(),
        boundary: Some(subject.boundary_arn()),
        description: "CloudFormation makes the components of Hadron with this role",
    });
    for wanted in [provisioning].into_iter().chain(component).chain([agent]) {
        role(wanted, iam, &mut plan, out).await?;
    }
    if plan.is_empty() {
        writeln!(out, "Nothing to do in account {}.", subject.account)?;
        return Ok(Done::Fine);
    }
    for step in &plan {
        writeln!(out, "will {}", step.describe())?;
    }
    if let Err(done) = leave(args, ask, &format!("Do this in account {}?", subject.account)) {
        return Ok(done);
    }
    for step in &plan {
        step.take(iam).await?;
        writeln!(out, "done: {}", step.describe())?;
    }
    writeln!(
        out,
        "Run the agent with {}, and list {} in roles.provisioning of its configuration.",
        subject.role_arn(&subject.agent_role),
        subject.role_arn(&subject.provisioning_role)
    )?;
    if let Some(name) = &subject.component_role {
        writeln!(
            out,
            "List {0} in roles.component, and name it when the connection is requested: --component-role-arn {0}",
            subject.role_arn(name)
        )?;
    }
    Ok(Done::Fine)
}

async fn boundary(
    subject: &Subject,
    iam: &impl Roles,
    plan: &mut Vec<Step>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (arn, wanted) = (subject.boundary_arn(), documents::boundary(subject));
    match iam.managed_policy(&arn).await {
        Ok(found) if same(&found, &wanted) => writeln!(out, "exists: policy {arn}")?,
        // A boundary may be somebody's deliberate choice, and other roles may hang on it.
        Ok(_) => writeln!(
            out,
            "exists, but says something else: policy {arn}; it is left as it is (compare `hadron-agent role`)"
        )?,
        Err(error) if error.kind == Kind::NotFound => {
            plan.push(Step::Policy {
                name: subject.boundary.clone(),
                text: wanted.to_string(),
            });
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read policy {arn}")),
    }
    Ok(())
}

async fn role(
    wanted: Wanted,
    iam: &impl Roles,
    plan: &mut Vec<Step>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Wanted {
        name,
        trust,
        policy,
        boundary,
        description,
    } = wanted;
    let found = match iam.role(&name).await {
        Ok(found) => Some(found),
        Err(error) if error.kind == Kind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read role {name}")),
    };
    let Some(found) = found else {
        plan.push(Step::Role(NewRole {
            name: name.clone(),
            path: "/".to_owned(),
            trust: trust.to_string(),
            boundary,
            description: description.to_owned(),
            tags: Vec::new(),
        }));
        plan.push(Step::Inline {
            role: name,
            text: policy.to_string(),
        });
        return Ok(());
    };
    let before = plan.len();
    if !same(&found.trust, &trust) {
        plan.push(Step::Trust {
            role: name.clone(),
            text: trust.to_string(),
        });
    }
    if let Some(arn) = boundary.filter(|arn| found.boundary.as_ref() != Some(arn)) {
        plan.push(Step::Boundary {
            role: name.clone(),
            arn,
        });
    }
    let has = match iam.inline_policy(&name, INLINE).await {
        Ok(text) => same(&text, &policy),
        Err(error) if error.kind == Kind::NotFound => false,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read policy {INLINE} of role {name}"));
        }
    };
    if !has {
        plan.push(Step::Inline {
            role: name.clone(),
            text: policy.to_string(),
        });
    }
    if plan.len() == before {
        writeln!(out, "exists: role {}", found.arn)?;
    }
    Ok(())
}

/// Policies are the same when they mean the same JSON, however IAM writes it.
fn same(text: &str, wanted: &Value) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|found| found == *wanted)
}
