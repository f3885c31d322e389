//! Which branches templates and services follow, and how far they have come: nothing was ever synced, and so every status
//! is empty.

use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::TemplateName;

use super::repositories::{provider, shown};
use super::shapes::{
    BlockerStatus, BlockerType, CreateServiceSyncConfigInput, CreateServiceSyncConfigOutput,
    CreateTemplateSyncConfigInput, CreateTemplateSyncConfigOutput, DeleteServiceSyncConfigInput,
    DeleteServiceSyncConfigOutput, DeleteTemplateSyncConfigInput, DeleteTemplateSyncConfigOutput,
    GetRepositorySyncStatusInput, GetRepositorySyncStatusOutput, GetServiceInstanceSyncStatusInput,
    GetServiceInstanceSyncStatusOutput, GetServiceSyncBlockerSummaryInput,
    GetServiceSyncBlockerSummaryOutput, GetServiceSyncConfigInput, GetServiceSyncConfigOutput,
    GetTemplateSyncConfigInput, GetTemplateSyncConfigOutput, GetTemplateSyncStatusInput,
    GetTemplateSyncStatusOutput, ListRepositorySyncDefinitionsInput, ListRepositorySyncDefinitionsOutput,
    RepositoryProvider, RepositorySyncDefinition, ServiceSyncBlockerSummary, ServiceSyncConfig, SyncBlocker,
    SyncBlockerContext, SyncType, TemplateSyncConfig, TemplateType, UpdateServiceSyncBlockerInput,
    UpdateServiceSyncBlockerOutput, UpdateServiceSyncConfigInput, UpdateServiceSyncConfigOutput,
    UpdateTemplateSyncConfigInput, UpdateTemplateSyncConfigOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::sync::Following;
use crate::store::sync::{BlockerRow, Follower, SyncRow};

const fn kind(given: TemplateType) -> TemplateKind {
    match given {
        TemplateType::Environment => TemplateKind::Environment,
        TemplateType::Service => TemplateKind::Service,
    }
}

fn template(given: TemplateType, name: &str) -> Result<Follower, Fault> {
    let name: TemplateName = convert::word("templateName", name)?;
    Ok(Follower::Template(kind(given), name))
}

fn service(name: &str) -> Result<Follower, Fault> {
    Ok(Follower::Service(convert::word("serviceName", name)?))
}

fn following(
    follower: Follower,
    given: RepositoryProvider,
    repository: &str,
    branch: String,
    path: String,
) -> Result<Following, Fault> {
    Ok(Following {
        follower,
        provider: provider(given),
        repository: convert::word("repositoryName", repository)?,
        branch,
        path,
    })
}

fn template_config(row: SyncRow) -> TemplateSyncConfig {
    let template_type = match &row.follower {
        Follower::Template(TemplateKind::Environment, _) => TemplateType::Environment,
        Follower::Template(TemplateKind::Service, _) | Follower::Service(_) => TemplateType::Service,
    };
    TemplateSyncConfig {
        branch: row.branch,
        repository_name: row.repository.into(),
        repository_provider: shown(row.provider),
        subdirectory: convert::text(row.path),
        template_name: row.follower.name().to_owned(),
        template_type,
    }
}

fn service_config(row: SyncRow) -> ServiceSyncConfig {
    ServiceSyncConfig {
        branch: row.branch,
        file_path: row.path,
        repository_name: row.repository.into(),
        repository_provider: shown(row.provider),
        service_name: row.follower.name().to_owned(),
    }
}

fn blocker(row: BlockerRow) -> SyncBlocker {
    let contexts = row.contexts.into_iter();
    let (resolved_at, resolved_reason) = row.resolved.unzip();
    SyncBlocker {
        contexts: Some(
            contexts
                .map(|(key, value)| SyncBlockerContext { key, value })
                .collect(),
        ),
        created_at: row.created_at.into(),
        created_reason: row.reason,
        id: convert::plain_id(row.id),
        resolved_at: resolved_at.map(Into::into),
        status: if resolved_reason.is_some() {
            BlockerStatus::Resolved
        } else {
            BlockerStatus::Active
        },
        resolved_reason,
        r#type: BlockerType::Automated,
    }
}

impl Proton {
    pub(super) async fn get_repository_sync_status(
        &self,
        call: &Call,
        input: GetRepositorySyncStatusInput,
    ) -> Result<GetRepositorySyncStatusOutput, Fault> {
        let repository = convert::word("repositoryName", &input.repository_name)?;
        let of_services = input.sync_type == SyncType::ServiceSync;
        self.app
            .sync_definitions(
                &call.caller,
                provider(input.repository_provider),
                repository,
                of_services,
            )
            .await?;
        Ok(GetRepositorySyncStatusOutput { latest_sync: None })
    }

    pub(super) async fn list_repository_sync_definitions(
        &self,
        call: &Call,
        input: ListRepositorySyncDefinitionsInput,
    ) -> Result<ListRepositorySyncDefinitionsOutput, Fault> {
        let repository = convert::word("repositoryName", &input.repository_name)?;
        let of_services = input.sync_type == SyncType::ServiceSync;
        let found = self
            .app
            .sync_definitions(
                &call.caller,
                provider(input.repository_provider),
                repository,
                of_services,
            )
            .await?;
        let shown = found.into_iter().map(|each| RepositorySyncDefinition {
            branch: each.branch,
            directory: each.directory,
            parent: each.parent,
            target: each.target,
        });
        Ok(ListRepositorySyncDefinitionsOutput {
            next_token: None,
            sync_definitions: shown.collect(),
        })
    }

    pub(super) async fn create_template_sync_config(
        &self,
        call: &Call,
        input: CreateTemplateSyncConfigInput,
    ) -> Result<CreateTemplateSyncConfigOutput, Fault> {
        let new = following(
            template(input.template_type, &input.template_name)?,
            input.repository_provider,
            &input.repository_name,
            input.branch,
            input.subdirectory.unwrap_or_default(),
        )?;
        let row = self.app.follow(call.request(None), new).await?;
        Ok(CreateTemplateSyncConfigOutput {
            template_sync_config: Some(template_config(row)),
        })
    }

    pub(super) async fn get_template_sync_config(
        &self,
        call: &Call,
        input: GetTemplateSyncConfigInput,
    ) -> Result<GetTemplateSyncConfigOutput, Fault> {
        let follower = template(input.template_type, &input.template_name)?;
        let row = self.app.following(&call.caller, follower).await?;
        Ok(GetTemplateSyncConfigOutput {
            template_sync_config: Some(template_config(row)),
        })
    }

    pub(super) async fn update_template_sync_config(
        &self,
        call: &Call,
        input: UpdateTemplateSyncConfigInput,
    ) -> Result<UpdateTemplateSyncConfigOutput, Fault> {
        let new = following(
            template(input.template_type, &input.template_name)?,
            input.repository_provider,
            &input.repository_name,
            input.branch,
            input.subdirectory.unwrap_or_default(),
        )?;
        let row = self.app.follow_other(call.request(None), new).await?;
        Ok(UpdateTemplateSyncConfigOutput {
            template_sync_config: Some(template_config(row)),
        })
    }

    pub(super) async fn delete_template_sync_config(
        &self,
        call: &Call,
        input: DeleteTemplateSyncConfigInput,
    ) -> Result<DeleteTemplateSyncConfigOutput, Fault> {
        let follower = template(input.template_type, &input.template_name)?;
        let row = self.app.unfollow(call.request(None), follower).await?;
        Ok(DeleteTemplateSyncConfigOutput {
            template_sync_config: row.map(template_config),
        })
    }

    pub(super) async fn get_template_sync_status(
        &self,
        call: &Call,
        input: GetTemplateSyncStatusInput,
    ) -> Result<GetTemplateSyncStatusOutput, Fault> {
        let name = convert::word("templateName", &input.template_name)?;
        let major = convert::part("templateVersion", &input.template_version)?;
        self.app
            .template_sync(&call.caller, kind(input.template_type), name, major)
            .await?;
        Ok(GetTemplateSyncStatusOutput {
            desired_state: None,
            latest_successful_sync: None,
            latest_sync: None,
        })
    }

    pub(super) async fn create_service_sync_config(
        &self,
        call: &Call,
        input: CreateServiceSyncConfigInput,
    ) -> Result<CreateServiceSyncConfigOutput, Fault> {
        let new = following(
            service(&input.service_name)?,
            input.repository_provider,
            &input.repository_name,
            input.branch,
            input.file_path,
        )?;
        let row = self.app.follow(call.request(None), new).await?;
        Ok(CreateServiceSyncConfigOutput {
            service_sync_config: Some(service_config(row)),
        })
    }

    pub(super) async fn get_service_sync_config(
        &self,
        call: &Call,
        input: GetServiceSyncConfigInput,
    ) -> Result<GetServiceSyncConfigOutput, Fault> {
        let follower = service(&input.service_name)?;
        let row = self.app.following(&call.caller, follower).await?;
        Ok(GetServiceSyncConfigOutput {
            service_sync_config: Some(service_config(row)),
        })
    }

    pub(super) async fn update_service_sync_config(
        &self,
        call: &Call,
        input: UpdateServiceSyncConfigInput,
    ) -> Result<UpdateServiceSyncConfigOutput, Fault> {
        let new = following(
            service(&input.service_name)?,
            input.repository_provider,
            &input.repository_name,
            input.branch,
            input.file_path,
        )?;
        let row = self.app.follow_other(call.request(None), new).await?;
        Ok(UpdateServiceSyncConfigOutput {
            service_sync_config: Some(service_config(row)),
        })
    }

    pub(super) async fn delete_service_sync_config(
        &self,
        call: &Call,
        input: DeleteServiceSyncConfigInput,
    ) -> Result<DeleteServiceSyncConfigOutput, Fault> {
        let follower = service(&input.service_name)?;
        let row = self.app.unfollow(call.request(None), follower).await?;
        Ok(DeleteServiceSyncConfigOutput {
            service_sync_config: row.map(service_config),
        })
    }

    pub(super) async fn get_service_instance_sync_status(
        &self,
        call: &Call,
        input: GetServiceInstanceSyncStatusInput,
    ) -> Result<GetServiceInstanceSyncStatusOutput, Fault> {
        let service = convert::word("serviceName", &input.service_name)?;
        let instance = convert::word("serviceInstanceName", &input.service_instance_name)?;
        self.app.instance_sync(&call.caller, service, instance).await?;
        Ok(GetServiceInstanceSyncStatusOutput {
            desired_state: None,
            latest_successful_sync: None,
            latest_sync: None,
        })
    }

    pub(super) async fn get_service_sync_blocker_summary(
        &self,
        call: &Call,
        input: GetServiceSyncBlockerSummaryInput,
    ) -> Result<GetServiceSyncBlockerSummaryOutput, Fault> {
        let service = convert::word("serviceName", &input.service_name)?;
        let instance = convert::word_opt("serviceInstanceName", input.service_instance_name.as_deref())?;
        let rows = self.app.sync_blockers(&call.caller, service, instance).await?;
        Ok(GetServiceSyncBlockerSummaryOutput {
            service_sync_blocker_summary: Some(ServiceSyncBlockerSummary {
                latest_blockers: Some(rows.into_iter().map(blocker).collect()),
                service_instance_name: input.service_instance_name,
                service_name: input.service_name,
            }),
        })
    }

    pub(super) async fn update_service_sync_blocker(
        &self,
        call: &Call,
        input: UpdateServiceSyncBlockerInput,
    ) -> Result<UpdateServiceSyncBlockerOutput, Fault> {
        // An id that is no UUID is that of no blocker.
        let id = convert::id("id", &input.id)
            .map_err(|_| Fault::not_found(format!("there is no sync blocker {}", input.id)))?;
        let row = self
            .app
            .resolve_blocker(call.request(None), id, input.resolved_reason)
            .await?;
        Ok(UpdateServiceSyncBlockerOutput {
            service_instance_name: row.instance.clone().map(String::from),
            service_name: row.service.to_string(),
            service_sync_blocker: blocker(row),
        })
    }
}
