//! ARNs of Proton, made and read. What they look like is [`hadron_domain::arn`]'s business.

use hadron_proto::vocab::{AccountId, Region};

pub(super) use hadron_domain::arn::{Resource, ResourceArn};

use super::Proton;

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
        resource.into().arn(account, region).to_string()
    }
}
