//! Environment account connections: requested by environment accounts, accepted or rejected by the management account.

use hadron_domain::connection::{Approval, Connection};

use super::arn::Resource;
use super::shapes::{
    AcceptEnvironmentAccountConnectionInput, AcceptEnvironmentAccountConnectionOutput,
    CreateEnvironmentAccountConnectionInput, CreateEnvironmentAccountConnectionOutput,
    DeleteEnvironmentAccountConnectionInput, DeleteEnvironmentAccountConnectionOutput,
    EnvironmentAccountConnection, EnvironmentAccountConnectionStatus, GetEnvironmentAccountConnectionInput,
    GetEnvironmentAccountConnectionOutput, ListEnvironmentAccountConnectionsInput,
    ListEnvironmentAccountConnectionsOutput, RejectEnvironmentAccountConnectionInput,
    RejectEnvironmentAccountConnectionOutput, UpdateEnvironmentAccountConnectionInput,
    UpdateEnvironmentAccountConnectionOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::connections::ConnectionView;

impl Proton {
    pub(super) async fn accept_environment_account_connection(
        &self,
        call: &Call,
        input: AcceptEnvironmentAccountConnectionInput,
    ) -> Result<AcceptEnvironmentAccountConnectionOutput, Fault> {
        let id = convert::id("id", &input.id)?;
        // The API has no member to confirm the account with: accepting by id accepts the account that the request came from.
        let seen = self.app.get_connection(&call.caller, id).await?;
        let account = seen.connection.account;
        let view = self
            .app
            .accept_connection(call.request(None), id, account)
            .await?;
        Ok(AcceptEnvironmentAccountConnectionOutput {
            environment_account_connection: self.connection(view)?,
        })
    }

    pub(super) async fn create_environment_account_connection(
        &self,
        _call: &Call,
        _input: CreateEnvironmentAccountConnectionInput,
    ) -> Result<CreateEnvironmentAccountConnectionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_environment_account_connection(
        &self,
        _call: &Call,
        _input: DeleteEnvironmentAccountConnectionInput,
    ) -> Result<DeleteEnvironmentAccountConnectionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_environment_account_connection(
        &self,
        _call: &Call,
        _input: GetEnvironmentAccountConnectionInput,
    ) -> Result<GetEnvironmentAccountConnectionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_environment_account_connections(
        &self,
        _call: &Call,
        _input: ListEnvironmentAccountConnectionsInput,
    ) -> Result<ListEnvironmentAccountConnectionsOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn reject_environment_account_connection(
        &self,
        _call: &Call,
        _input: RejectEnvironmentAccountConnectionInput,
    ) -> Result<RejectEnvironmentAccountConnectionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn update_environment_account_connection(
        &self,
        _call: &Call,
        _input: UpdateEnvironmentAccountConnectionInput,
    ) -> Result<UpdateEnvironmentAccountConnectionOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    /// A connection as the API shows it. A deleted one is shown with its last status.
    fn connection(&self, view: ConnectionView) -> Result<EnvironmentAccountConnection, Fault> {
        let Connection {
            id,
            environment,
            account,
            region,
            roles,
            requested,
            approval,
            ..
        } = view.connection;
        let (status, decided) = match &approval {
            Approval::Pending => (EnvironmentAccountConnectionStatus::Pending, &requested),
            Approval::Connected(signed) => (EnvironmentAccountConnectionStatus::Connected, signed),
            Approval::Rejected(signed) | Approval::Deleted(signed) => {
                (EnvironmentAccountConnectionStatus::Rejected, signed)
            }
        };
        Ok(EnvironmentAccountConnection {
            arn: self.arn_in(account, &region, Resource::Connection(id)),
            codebuild_role_arn: roles.codebuild.map(|role| role.to_string()),
            component_role_arn: roles.component.map(|role| role.to_string()),
            environment_account_id: account.to_string(),
            environment_name: environment.into(),
            id: convert::plain_id(id),
            last_modified_at: decided.at.into(),
            management_account_id: self.app.settings().account.to_string(),
            requested_at: requested.at.into(),
            // The model requires what its own requests may leave out.
            role_arn: roles
                .provisioning
                .map(|role| role.to_string())
                .unwrap_or_default(),
            status,
        })
    }
}
