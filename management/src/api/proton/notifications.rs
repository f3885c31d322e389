//! What comes in from pipelines of others, and the summary of everything.

use super::arn::ResourceArn;
use super::shapes::{
    CountsSummary, GetResourcesSummaryInput, GetResourcesSummaryOutput,
    NotifyResourceDeploymentStatusChangeInput, NotifyResourceDeploymentStatusChangeOutput,
    ResourceCountsSummary,
};
use super::{Call, Fault, Proton, convert};
use crate::app::notifications::DeploymentNotice;
use crate::app::summary::Count;

impl Proton {
    pub(super) async fn notify_resource_deployment_status_change(
        &self,
        call: &Call,
        input: NotifyResourceDeploymentStatusChangeInput,
    ) -> Result<NotifyResourceDeploymentStatusChangeOutput, Fault> {
        let resource: ResourceArn = convert::word("resourceArn", &input.resource_arn)?;
        let deployment = input.deployment_id.filter(|id| !id.is_empty());
        let deployment = deployment
            .map(|id| convert::id("deploymentId", &id))
            .transpose()?;
        let outputs = input.outputs.unwrap_or_default().into_iter();
        let notice = DeploymentNotice {
            resource,
            deployment,
            outputs: outputs
                .map(|output| {
                    (
                        output.key.unwrap_or_default(),
                        output.value_string.unwrap_or_default(),
                    )
                })
                .collect(),
            message: input
                .status_message
                .map(|message| message.into_string())
                .unwrap_or_default(),
        };
        self.app.notify_deployment(&call.caller, notice).await?;
        Ok(NotifyResourceDeploymentStatusChangeOutput {})
    }

    pub(super) async fn get_resources_summary(
        &self,
        call: &Call,
        _input: GetResourcesSummaryInput,
    ) -> Result<GetResourcesSummaryOutput, Fault> {
        let summary = self.app.summary(&call.caller).await?;
        let total = |total| ResourceCountsSummary {
            behind_major: None,
            behind_minor: None,
            failed: None,
            total: number(total),
            up_to_date: None,
        };
        let components = ResourceCountsSummary {
            failed: Some(number(summary.components.failed)),
            ..total(summary.components.total)
        };
        Ok(GetResourcesSummaryOutput {
            counts: CountsSummary {
                components: Some(components),
                environment_templates: Some(total(summary.environment_templates)),
                environments: Some(counted(summary.environments)),
                pipelines: Some(counted(summary.pipelines)),
                service_instances: Some(counted(summary.instances)),
                service_templates: Some(total(summary.service_templates)),
                services: Some(counted(summary.services)),
            },
        })
    }
}

/// The model has no room for more.
fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn counted(count: Count) -> ResourceCountsSummary {
    ResourceCountsSummary {
        behind_major: Some(number(count.behind_major)),
        behind_minor: Some(number(count.behind_minor)),
        failed: Some(number(count.failed)),
        total: number(count.total),
        up_to_date: Some(number(count.up_to_date)),
    }
}
