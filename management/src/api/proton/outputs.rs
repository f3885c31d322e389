//! Outputs and provisioned resources of whatever has any: the lists of environments, instances, pipelines and components.

use hadron_domain::target::Target;

use super::shapes::{Output, ProvisionedResource};
use super::{Call, Fault, Proton, convert};

impl Proton {
    /// The outputs of a target's last successful deployment, or of the one that is named.
    pub(super) async fn outputs(
        &self,
        call: &Call,
        target: &Target,
        deployment: Option<&str>,
    ) -> Result<Vec<Output>, Fault> {
        let deployment = deployment.map(|id| convert::id("deploymentId", id)).transpose()?;
        let outputs = self.app.outputs(&call.caller, target, deployment).await?;
        Ok(convert::outputs(outputs))
    }

    /// What is provisioned for a target.
    pub(super) async fn provisioned(
        &self,
        call: &Call,
        target: &Target,
    ) -> Result<Vec<ProvisionedResource>, Fault> {
        Ok(convert::provisioned(
            self.app.provisioned(&call.caller, target).await?,
        ))
    }
}
