//! What others report about deployments that the hub does not carry out itself.

use hadron_domain::arn::{Resource, ResourceArn};
use hadron_domain::authority::{Action, Caller};
use hadron_domain::target::Target;
use hadron_proto::vocab::DeploymentId;

use super::outputs::read_action;
use super::{App, AppError, ErrorKind};
use crate::store::targets;

/// How many outputs can be reported.
const MOST_OUTPUTS: usize = 50;
/// How long the key or the value of an output may be, in characters.
const LONGEST_OUTPUT: usize = 1024;
/// How long the message may be, in characters.
const LONGEST_MESSAGE: usize = 5000;

/// What is reported.
#[derive(Clone, Debug)]
pub struct DeploymentNotice {
    /// What was deployed.
    pub resource: ResourceArn,
    /// Which deployment of it is meant.
    pub deployment: Option<DeploymentId>,
    /// Its outputs.
    pub outputs: Vec<(String, String)>,
    /// More about it.
    pub message: String,
}

fn target(resource: &Resource) -> Option<Target> {
    Some(match resource {
        Resource::Environment(name) => Target::Environment(name.clone()),
        Resource::Instance(service, name) => Target::Instance(service.clone(), name.clone()),
        Resource::Pipeline(service) => Target::Pipeline(service.clone()),
        Resource::Component(name) => Target::Component(name.clone()),
        Resource::EnvironmentTemplate(_)
        | Resource::EnvironmentTemplateMajor(..)
        | Resource::EnvironmentTemplateVersion(..)
        | Resource::ServiceTemplate(_)
        | Resource::ServiceTemplateMajor(..)
        | Resource::ServiceTemplateVersion(..)
        | Resource::Service(_)
        | Resource::Connection(_)
        | Resource::Repository(..)
        | Resource::Deployment(_) => return None,
    })
}

impl App {
    /// Takes a report about a deployment. Only what is provisioned by pull request or by `CodeBuild` is reported about, and
    /// this hub has neither: what it deploys, its agents tell it themselves.
    ///
    /// # Errors
    /// Always, and says which of all reasons it is first: the resource cannot be deployed, does not exist or is not the
    /// caller's, the report is too large or about another deployment, or nobody is to report about it.
    pub async fn notify_deployment(&self, caller: &Caller, notice: DeploymentNotice) -> Result<(), AppError> {
        self.may(caller, Action::NotifyDeployment).await?;
        let arn = notice.resource;
        let Some(target) = target(&arn.resource) else {
            return Err(
                AppError::invalid("NOT_DEPLOYED", format!("{arn} is nothing that is deployed"))
                    .help("give the ARN of an environment, a service instance, a pipeline or a component"),
            );
        };
        let settings = self.settings();
        let here = arn.account == settings.account && arn.region == settings.region;
        let row = if here {
            let wanted = target.clone();
            self.read("notified target", move |tx| {
                Box::pin(async move { Ok(targets::get(tx, &wanted).await?) })
            })
            .await?
        } else {
            None
        };
        let unknown = || {
            AppError::new(
                ErrorKind::NotFound,
                "NOT_FOUND",
                format!("there is no {arn} at this hub"),
            )
            .help("check account, Region and name in the ARN")
        };
        let row = row.ok_or_else(unknown)?;
        let actions = (Action::NotifyDeployment, read_action(&row.target));
        if !self.may_touch(caller, actions, &row.place()).await? {
            return Err(unknown());
        }
        let long = |text: &str| text.chars().count() > LONGEST_OUTPUT;
        if notice.outputs.len() > MOST_OUTPUTS
            || notice.outputs.iter().any(|(key, value)| long(key) || long(value))
        {
            return Err(AppError::invalid(
                "OUTPUTS",
                format!(
                    "at most {MOST_OUTPUTS} outputs can be reported, each key and value of at most {LONGEST_OUTPUT} \
                     characters"
                ),
            ));
        }
        if notice.message.chars().count() > LONGEST_MESSAGE {
            return Err(AppError::invalid(
                "MESSAGE",
                format!("the status message has more than {LONGEST_MESSAGE} characters"),
            ));
        }
        let current = row.attempted.map(|(id, _)| id);
        if let Some(meant) = notice.deployment
            && current != Some(meant)
        {
            let now = current.map_or_else(|| "none".to_owned(), |id| id.as_uuid().to_string());
            return Err(AppError::new(
                ErrorKind::Conflict,
                "OTHER_DEPLOYMENT",
                format!(
                    "the report is about deployment {}, but the last one of {target} is {now}",
                    meant.as_uuid()
                ),
            ));
        }
        Err(AppError::invalid(
            "NOT_SELF_MANAGED",
            format!(
                "{target} is deployed by Hadron's agent, which reports its status itself; only what is provisioned by pull \
                 request or by CodeBuild is reported about, and this version provisions neither"
            ),
        )
        .help("leave the notification out; see the status: hadron deployment list"))
    }
}
