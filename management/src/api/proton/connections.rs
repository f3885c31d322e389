//! Environment account connections: requested by environment accounts, accepted or rejected by the management account.

use hadron_domain::connection::{Approval, Connection};

use super::arn::Resource;
use super::shapes::{
    AcceptEnvironmentAccountConnectionInput, AcceptEnvironmentAccountConnectionOutput,
    CreateEnvironmentAccountConnectionInput, CreateEnvironmentAccountConnectionOutput,
    DeleteEnvironmentAccountConnectionInput, DeleteEnvironmentAccountConnectionOutput,
    EnvironmentAccountConnection, EnvironmentAccountConnectionRequesterAccountType,
    EnvironmentAccountConnectionStatus, EnvironmentAccountConnectionSummary,
    GetEnvironmentAccountConnectionInput, GetEnvironmentAccountConnectionOutput,
    ListEnvironmentAccountConnectionsInput, ListEnvironmentAccountConnectionsOutput,
    RejectEnvironmentAccountConnectionInput, RejectEnvironmentAccountConnectionOutput,
    UpdateEnvironmentAccountConnectionInput, UpdateEnvironmentAccountConnectionOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::connections::{NewConnection, RolesUpdate, Side};
use crate::store::connections::Filter;

impl Proton {
    pub(super) async fn accept_environment_account_connection(
        &self,
        call: &Call,
        input: AcceptEnvironmentAccountConnectionInput,
    ) -> Result<AcceptEnvironmentAccountConnectionOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        self.app.live_connection(&call.caller, id).await?;
        // The API has no member to confirm the account with: accepting by id accepts the account that the request came from.
        let view = self.app.accept_connection(call.request(None), id, None).await?;
        Ok(AcceptEnvironmentAccountConnectionOutput {
            environment_account_connection: self.connection(view.connection),
        })
    }

    pub(super) async fn create_environment_account_connection(
        &self,
        call: &Call,
        input: CreateEnvironmentAccountConnectionInput,
    ) -> Result<CreateEnvironmentAccountConnectionOutput, Fault> {
        let new = NewConnection {
            environment: convert::word("environmentName", &input.environment_name)?,
            management: Some(convert::word(
                "managementAccountId",
                &input.management_account_id,
            )?),
            region: None,
            role: convert::word_opt("roleArn", input.role_arn.as_deref())?,
            component_role: convert::word_opt("componentRoleArn", input.component_role_arn.as_deref())?,
            codebuild_role: convert::word_opt("codebuildRoleArn", input.codebuild_role_arn.as_deref())?,
            agent_role_name: None,
        };
        let view = self
            .app
            .request_connection(call.request(input.client_token), new)
            .await?;
        Ok(CreateEnvironmentAccountConnectionOutput {
            environment_account_connection: self.connection(view.connection),
        })
    }

    pub(super) async fn delete_environment_account_connection(
        &self,
        call: &Call,
        input: DeleteEnvironmentAccountConnectionInput,
    ) -> Result<DeleteEnvironmentAccountConnectionOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        let before = self.app.live_connection(&call.caller, id).await?;
        self.app.delete_connection(call.request(None), id).await?;
        // Its last status: there is no word for a deleted one.
        Ok(DeleteEnvironmentAccountConnectionOutput {
            environment_account_connection: Some(self.connection(before.connection)),
        })
    }

    pub(super) async fn get_environment_account_connection(
        &self,
        call: &Call,
        input: GetEnvironmentAccountConnectionInput,
    ) -> Result<GetEnvironmentAccountConnectionOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        let view = self.app.live_connection(&call.caller, id).await?;
        Ok(GetEnvironmentAccountConnectionOutput {
            environment_account_connection: self.connection(view.connection),
        })
    }

    pub(super) async fn list_environment_account_connections(
        &self,
        call: &Call,
        input: ListEnvironmentAccountConnectionsInput,
    ) -> Result<ListEnvironmentAccountConnectionsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let side = match input.requested_by {
            EnvironmentAccountConnectionRequesterAccountType::ManagementAccount => Side::Management,
            EnvironmentAccountConnectionRequesterAccountType::EnvironmentAccount => Side::Environment,
        };
        let filter = Filter {
            account: None,
            statuses: input
                .statuses
                .unwrap_or_default()
                .into_iter()
                .map(|status| status.as_str().to_owned())
                .collect(),
            environment: convert::word_opt("environmentName", input.environment_name.as_deref())?,
        };
        let views = self
            .app
            .list_connections_of(&call.caller, side, filter, page.first(), page.fetch())
            .await?;
        let (views, next_token) = page.cut(views, |view| vec![view.connection.id.to_string()]);
        Ok(ListEnvironmentAccountConnectionsOutput {
            environment_account_connections: views
                .into_iter()
                .map(|view| summary(self.connection(view.connection)))
                .collect(),
            next_token,
        })
    }

    pub(super) async fn reject_environment_account_connection(
        &self,
        call: &Call,
        input: RejectEnvironmentAccountConnectionInput,
    ) -> Result<RejectEnvironmentAccountConnectionOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        self.app.live_connection(&call.caller, id).await?;
        let view = self.app.reject_connection(call.request(None), id).await?;
        Ok(RejectEnvironmentAccountConnectionOutput {
            environment_account_connection: self.connection(view.connection),
        })
    }

    pub(super) async fn update_environment_account_connection(
        &self,
        call: &Call,
        input: UpdateEnvironmentAccountConnectionInput,
    ) -> Result<UpdateEnvironmentAccountConnectionOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        self.app.live_connection(&call.caller, id).await?;
        let update = RolesUpdate {
            role: convert::word_opt("roleArn", input.role_arn.as_deref())?,
            component_role: convert::word_opt("componentRoleArn", input.component_role_arn.as_deref())?,
            codebuild_role: convert::word_opt("codebuildRoleArn", input.codebuild_role_arn.as_deref())?,
        };
        let view = self.app.update_connection(call.request(None), id, update).await?;
        Ok(UpdateEnvironmentAccountConnectionOutput {
            environment_account_connection: self.connection(view.connection),
        })
    }

    /// A connection as the API shows it. There is no word for a deleted one, which nothing of the API shows any more.
    fn connection(&self, connection: Connection) -> EnvironmentAccountConnection {
        let last_modified_at = connection.modified_at().into();
        let status = match &connection.approval {
            Approval::Pending => EnvironmentAccountConnectionStatus::Pending,
            Approval::Connected(_) => EnvironmentAccountConnectionStatus::Connected,
            Approval::Rejected(_) | Approval::Deleted(_) => EnvironmentAccountConnectionStatus::Rejected,
        };
        let Connection {
            id,
            environment,
            account,
            region,
            roles,
            requested,
            ..
        } = connection;
        EnvironmentAccountConnection {
            arn: self.arn_in(account, &region, Resource::Connection(id)),
            codebuild_role_arn: roles.codebuild.map(String::from),
            component_role_arn: roles.component.map(String::from),
            environment_account_id: account.to_string(),
            environment_name: environment.into(),
            id: convert::plain_id(id),
            last_modified_at,
            management_account_id: self.app.settings().account.to_string(),
            requested_at: requested.at.into(),
            // The model requires what its own requests may leave out.
            role_arn: roles.provisioning.map(String::from).unwrap_or_default(),
            status,
        }
    }
}

/// The same in lists.
fn summary(whole: EnvironmentAccountConnection) -> EnvironmentAccountConnectionSummary {
    EnvironmentAccountConnectionSummary {
        arn: whole.arn,
        component_role_arn: whole.component_role_arn,
        environment_account_id: whole.environment_account_id,
        environment_name: whole.environment_name,
        id: whole.id,
        last_modified_at: whole.last_modified_at,
        management_account_id: whole.management_account_id,
        requested_at: whole.requested_at,
        role_arn: whole.role_arn,
        status: whole.status,
    }
}
