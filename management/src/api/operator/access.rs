//! `AccessService`: converts, asks the use cases, converts back.

use hadron_domain::authority::{Right, Scope};
use hadron_proto::wire;
use tonic::{Code, Request, Response, Status};

use super::convert::{self, word};
use super::page::Page;
use super::{Operator, answer};
use crate::api::authority::action_of;
use crate::api::status::with_info;
use crate::app::bindings::Question;
use crate::store::bindings::BindingRow;

fn binding(row: BindingRow) -> wire::Binding {
    wire::Binding {
        principal: row.principal,
        role: row.right.role.word().to_owned(),
        scope: row.right.scope.to_string(),
        created_by: row.created_by,
        created_at: Some(convert::time(row.created_at)),
    }
}

fn right(role: &str, scope: &str) -> Result<Right, Status> {
    let scope = if scope.is_empty() {
        Scope::Hub
    } else {
        word("scope", scope)?
    };
    Right::new(word("role", role)?, scope)
        .map_err(|error| with_info(Code::InvalidArgument, "RIGHT", &error.to_string(), None))
}

fn optional<T>(field: &str, text: &str) -> Result<Option<T>, Status>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    if text.is_empty() {
        Ok(None)
    } else {
        word(field, text).map(Some)
    }
}

#[tonic::async_trait]
impl wire::access_service_server::AccessService for Operator {
    async fn grant_access(
        &self,
        request: Request<wire::GrantAccessRequest>,
    ) -> Result<Response<wire::GrantAccessResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "GrantAccess", &message.request_id, &message)?;
        let principal = word("principal", &message.principal)?;
        let right = right(&message.role, &message.scope)?;
        let (row, new) = answer(self.app.grant_access(change, principal, right).await)?;
        Ok(Response::new(wire::GrantAccessResponse {
            binding: Some(binding(row)),
            new,
        }))
    }

    async fn revoke_access(
        &self,
        request: Request<wire::RevokeAccessRequest>,
    ) -> Result<Response<wire::RevokeAccessResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "RevokeAccess", &message.request_id, &message)?;
        let right = right(&message.role, &message.scope)?;
        answer(self.app.revoke_access(change, message.principal, right).await)?;
        Ok(Response::new(wire::RevokeAccessResponse {}))
    }

    async fn list_access(
        &self,
        request: Request<wire::ListAccessRequest>,
    ) -> Result<Response<wire::ListAccessResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 3)?;
        let after = (
            page.after[0].clone(),
            page.after[1].clone(),
            page.after[2].clone(),
        );
        let rows = answer(self.app.list_access(&caller, after, page.size).await)?;
        let next_page_token = page.next(&rows, |row| {
            vec![
                row.principal.clone(),
                row.right.role.word().to_owned(),
                row.right.scope.to_string(),
            ]
        });
        Ok(Response::new(wire::ListAccessResponse {
            bindings: rows.into_iter().map(binding).collect(),
            next_page_token,
        }))
    }

    async fn explain_access(
        &self,
        request: Request<wire::ExplainAccessRequest>,
    ) -> Result<Response<wire::ExplainAccessResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let action = action_of(&message.operation).ok_or_else(|| {
            with_info(
                Code::InvalidArgument,
                "OPERATION",
                &format!(
                    "'{}' is no call that needs a right of its own",
                    message.operation.chars().take(100).collect::<String>()
                ),
                Some("name one of the hub's or of Proton's API, such as CreateService or AcceptConnection"),
            )
        })?;
        let question = Question {
            principal: convert::text(message.principal),
            action,
            account: optional("account_id", &message.account_id)?,
            environment: optional("environment", &message.environment)?,
            service: optional("service", &message.service)?,
        };
        let told = answer(self.app.explain_access(&caller, question).await)?;
        Ok(Response::new(wire::ExplainAccessResponse {
            principal: told.principal,
            allowed: told.allowed,
            needed: told.demand.to_owned(),
            rights: told
                .rights
                .into_iter()
                .map(|(right, origin, effect)| wire::ExplainedRight {
                    role: right.role.word().to_owned(),
                    scope: right.scope.to_string(),
                    origin: origin.to_string(),
                    effect: effect.to_owned(),
                })
                .collect(),
        }))
    }
}
