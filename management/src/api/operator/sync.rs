//! `SyncService`: converts, asks the use cases, converts back.

use hadron_domain::template::TemplateKind;
use hadron_proto::wire;
use tonic::{Code, Request, Response, Status};

use super::convert::{self, word, word_opt};
use super::{Operator, answer};
use crate::api::status::with_info;
use crate::app::sync::Following;
use crate::store::sync::{BlockerRow, Follower, SyncRow};

fn missing(field: &str) -> Status {
    let text = format!("{field}: missing");
    with_info(Code::InvalidArgument, "INVALID_ARGUMENT", &text, None)
}

fn follower(given: Option<wire::Follower>) -> Result<Follower, Status> {
    use wire::follower::Follower as Wire;
    match given.and_then(|given| given.follower) {
        Some(Wire::Template(template)) => Ok(Follower::Template(
            convert::kind(template.kind)?,
            word("follower.template.name", &template.name)?,
        )),
        Some(Wire::Service(name)) => Ok(Follower::Service(word("follower.service", &name)?)),
        None => Err(missing("follower")),
    }
}

fn following(given: Option<wire::Sync>) -> Result<Following, Status> {
    let given = given.ok_or_else(|| missing("sync"))?;
    Ok(Following {
        follower: follower(given.follower)?,
        provider: word("sync.provider", &given.provider)?,
        repository: word("sync.repository", &given.repository)?,
        branch: given.branch,
        path: given.path,
    })
}

fn sync(row: SyncRow) -> wire::Sync {
    use wire::follower::Follower as Wire;
    let follower = match row.follower {
        Follower::Template(kind, name) => Wire::Template(wire::FollowingTemplate {
            kind: match kind {
                TemplateKind::Environment => wire::TemplateKind::Environment,
                TemplateKind::Service => wire::TemplateKind::Service,
            }
            .into(),
            name: name.into(),
        }),
        Follower::Service(name) => Wire::Service(name.into()),
    };
    wire::Sync {
        follower: Some(wire::Follower {
            follower: Some(follower),
        }),
        provider: row.provider.word().to_owned(),
        repository: row.repository.into(),
        branch: row.branch,
        path: row.path,
        modified_at: Some(convert::time(row.modified_at)),
    }
}

fn blocker(row: BlockerRow) -> wire::SyncBlocker {
    let (resolved_at, resolved_reason) = row.resolved.unzip();
    wire::SyncBlocker {
        id: row.id.to_string(),
        service_name: row.service.into(),
        instance_name: row.instance.map(String::from).unwrap_or_default(),
        status: if resolved_at.is_some() {
            "RESOLVED"
        } else {
            "ACTIVE"
        }
        .to_owned(),
        reason: row.reason,
        created_at: Some(convert::time(row.created_at)),
        resolved_at: resolved_at.map(convert::time),
        resolved_reason: resolved_reason.unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl wire::sync_service_server::SyncService for Operator {
    async fn start_sync(
        &self,
        request: Request<wire::StartSyncRequest>,
    ) -> Result<Response<wire::Sync>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "StartSync", &message.request_id, &message)?;
        let row = answer(self.app.follow(change, following(message.sync)?).await)?;
        Ok(Response::new(sync(row)))
    }

    async fn get_sync(&self, request: Request<wire::GetSyncRequest>) -> Result<Response<wire::Sync>, Status> {
        let (caller, message) = self.open(request).await?;
        let row = answer(self.app.following(&caller, follower(message.follower)?).await)?;
        Ok(Response::new(sync(row)))
    }

    async fn change_sync(
        &self,
        request: Request<wire::ChangeSyncRequest>,
    ) -> Result<Response<wire::Sync>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "ChangeSync", &message.request_id, &message)?;
        let row = answer(self.app.follow_other(change, following(message.sync)?).await)?;
        Ok(Response::new(sync(row)))
    }

    async fn stop_sync(
        &self,
        request: Request<wire::StopSyncRequest>,
    ) -> Result<Response<wire::StopSyncResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "StopSync", &message.request_id, &message)?;
        answer(self.app.unfollow(change, follower(message.follower)?).await)?;
        Ok(Response::new(wire::StopSyncResponse {}))
    }

    async fn list_sync_blockers(
        &self,
        request: Request<wire::ListSyncBlockersRequest>,
    ) -> Result<Response<wire::ListSyncBlockersResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let service = word("service_name", &message.service_name)?;
        let instance = word_opt("instance_name", &message.instance_name)?;
        let rows = answer(self.app.sync_blockers(&caller, service, instance).await)?;
        Ok(Response::new(wire::ListSyncBlockersResponse {
            blockers: rows.into_iter().map(blocker).collect(),
        }))
    }

    async fn resolve_sync_blocker(
        &self,
        request: Request<wire::ResolveSyncBlockerRequest>,
    ) -> Result<Response<wire::SyncBlocker>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "ResolveSyncBlocker", &message.request_id, &message)?;
        if message.reason.is_empty() {
            return Err(missing("reason"));
        }
        let id = word("id", &message.id)?;
        let row = answer(self.app.resolve_blocker(change, id, message.reason).await)?;
        Ok(Response::new(blocker(row)))
    }
}
