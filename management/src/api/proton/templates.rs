//! Environment and service templates and their versions. The two kinds differ in a few members and in their names; what they
//! have in common is asked for once, and each operation says of which kind it is.

use hadron_domain::template::{CompatibleTemplate, TemplateKind, VersionState};
use hadron_proto::vocab::{TemplateName, TemplateVersion};

use super::arn::Resource;
use super::page::Page;
use super::scalar::Sensitive;
use super::shapes::{
    CompatibleEnvironmentTemplate, CompatibleEnvironmentTemplateInput, CreateEnvironmentTemplateInput,
    CreateEnvironmentTemplateOutput, CreateEnvironmentTemplateVersionInput,
    CreateEnvironmentTemplateVersionOutput, CreateServiceTemplateInput, CreateServiceTemplateOutput,
    CreateServiceTemplateVersionInput, CreateServiceTemplateVersionOutput, DeleteEnvironmentTemplateInput,
    DeleteEnvironmentTemplateOutput, DeleteEnvironmentTemplateVersionInput,
    DeleteEnvironmentTemplateVersionOutput, DeleteServiceTemplateInput, DeleteServiceTemplateOutput,
    DeleteServiceTemplateVersionInput, DeleteServiceTemplateVersionOutput, EnvironmentTemplate,
    EnvironmentTemplateSummary, EnvironmentTemplateVersion, EnvironmentTemplateVersionSummary,
    GetEnvironmentTemplateInput, GetEnvironmentTemplateOutput, GetEnvironmentTemplateVersionInput,
    GetEnvironmentTemplateVersionOutput, GetServiceTemplateInput, GetServiceTemplateOutput,
    GetServiceTemplateVersionInput, GetServiceTemplateVersionOutput, ListEnvironmentTemplateVersionsInput,
    ListEnvironmentTemplateVersionsOutput, ListEnvironmentTemplatesInput, ListEnvironmentTemplatesOutput,
    ListServiceTemplateVersionsInput, ListServiceTemplateVersionsOutput, ListServiceTemplatesInput,
    ListServiceTemplatesOutput, Provisioning, ServiceTemplate, ServiceTemplateSummary,
    ServiceTemplateSupportedComponentSourceType, ServiceTemplateVersion, ServiceTemplateVersionSummary,
    TemplateVersionSourceInput, TemplateVersionStatus, UpdateEnvironmentTemplateInput,
    UpdateEnvironmentTemplateOutput, UpdateEnvironmentTemplateVersionInput,
    UpdateEnvironmentTemplateVersionOutput, UpdateServiceTemplateInput, UpdateServiceTemplateOutput,
    UpdateServiceTemplateVersionInput, UpdateServiceTemplateVersionOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::templates::{
    BundleSource, NewTemplate, NewVersion, TemplateUpdate, VersionUpdate, VersionView,
};
use crate::store::templates::{S3Object, TemplateRow};

const ENVIRONMENT: TemplateKind = TemplateKind::Environment;
const SERVICE: TemplateKind = TemplateKind::Service;

fn name(text: &str) -> Result<TemplateName, Fault> {
    convert::word("name", text)
}

fn template_name(text: &str) -> Result<TemplateName, Fault> {
    convert::word("templateName", text)
}

fn compatible(list: Vec<CompatibleEnvironmentTemplateInput>) -> Result<Vec<CompatibleTemplate>, Fault> {
    list.into_iter()
        .map(|one| {
            let member = "compatibleEnvironmentTemplates";
            Ok(CompatibleTemplate {
                template: convert::word(member, &one.template_name)?,
                major: convert::part(member, &one.major_version)?,
            })
        })
        .collect()
}

fn components(list: Option<&Vec<ServiceTemplateSupportedComponentSourceType>>) -> Option<bool> {
    list.map(|list| list.contains(&ServiceTemplateSupportedComponentSourceType::DirectlyDefined))
}

fn source(source: TemplateVersionSourceInput) -> BundleSource {
    let TemplateVersionSourceInput::S3(object) = source;
    BundleSource::S3(S3Object {
        bucket: object.bucket,
        key: object.key,
    })
}

/// Whether an update publishes. To say again what is so is no change, and nothing else can be asked for.
fn publish(status: Option<TemplateVersionStatus>, view: &VersionView) -> Result<bool, Fault> {
    match status {
        None => Ok(false),
        Some(TemplateVersionStatus::Published) => Ok(true),
        Some(given) if given == status_of(&view.state) => Ok(false),
        Some(given) => Err(Fault::validation(format!(
            "status: a version that is {} cannot be made {}; only a DRAFT can be made PUBLISHED",
            view.state.word(),
            given.as_str()
        ))),
    }
}

const fn status_of(state: &VersionState) -> TemplateVersionStatus {
    match state {
        VersionState::Registering => TemplateVersionStatus::RegistrationInProgress,
        VersionState::Failed(_) => TemplateVersionStatus::RegistrationFailed,
        VersionState::Draft => TemplateVersionStatus::Draft,
        VersionState::Published => TemplateVersionStatus::Published,
    }
}

fn customer_managed(is: bool) -> Option<Provisioning> {
    is.then_some(Provisioning::CustomerManaged)
}

fn recommended(row: &TemplateRow) -> Option<String> {
    row.versions.recommended().map(|version| version.to_string())
}

fn recommended_minor(view: &VersionView) -> Option<String> {
    view.recommended.map(|version| version.minor.to_string())
}

/// A status message. Proton says an empty one when there is nothing to say.
fn message(view: &VersionView) -> Option<Sensitive> {
    Some(Sensitive::from(view.message()))
}

impl Proton {
    fn template_arn(&self, row: &TemplateRow) -> String {
        let name = row.name.clone();
        self.arn(match row.kind {
            TemplateKind::Environment => Resource::EnvironmentTemplate(name),
            TemplateKind::Service => Resource::ServiceTemplate(name),
        })
    }

    fn version_arn(&self, view: &VersionView) -> String {
        let (name, version) = (view.row.name.clone(), view.row.version);
        self.arn(match view.row.kind {
            TemplateKind::Environment => Resource::EnvironmentTemplateVersion(name, version),
            TemplateKind::Service => Resource::ServiceTemplateVersion(name, version),
        })
    }

    fn environment_template(&self, row: TemplateRow) -> EnvironmentTemplate {
        EnvironmentTemplate {
            arn: self.template_arn(&row),
            created_at: row.created_at.into(),
            last_modified_at: row.modified_at.into(),
            provisioning: customer_managed(row.customer_managed),
            recommended_version: recommended(&row),
            description: convert::secret(row.description),
            display_name: convert::secret(row.display_name),
            encryption_key: convert::text(row.encryption_key),
            name: row.name.into(),
        }
    }

    fn environment_template_summary(&self, row: TemplateRow) -> EnvironmentTemplateSummary {
        EnvironmentTemplateSummary {
            arn: self.template_arn(&row),
            created_at: row.created_at.into(),
            last_modified_at: row.modified_at.into(),
            provisioning: customer_managed(row.customer_managed),
            recommended_version: recommended(&row),
            description: convert::secret(row.description),
            display_name: convert::secret(row.display_name),
            name: row.name.into(),
        }
    }

    fn service_template(&self, row: TemplateRow) -> ServiceTemplate {
        ServiceTemplate {
            arn: self.template_arn(&row),
            created_at: row.created_at.into(),
            last_modified_at: row.modified_at.into(),
            pipeline_provisioning: customer_managed(row.no_pipeline),
            recommended_version: recommended(&row),
            description: convert::secret(row.description),
            display_name: convert::secret(row.display_name),
            encryption_key: convert::text(row.encryption_key),
            name: row.name.into(),
        }
    }

    fn service_template_summary(&self, row: TemplateRow) -> ServiceTemplateSummary {
        ServiceTemplateSummary {
            arn: self.template_arn(&row),
            created_at: row.created_at.into(),
            last_modified_at: row.modified_at.into(),
            pipeline_provisioning: customer_managed(row.no_pipeline),
            recommended_version: recommended(&row),
            description: convert::secret(row.description),
            display_name: convert::secret(row.display_name),
            name: row.name.into(),
        }
    }

    async fn environment_template_version(
        &self,
        view: VersionView,
    ) -> Result<EnvironmentTemplateVersion, Fault> {
        let schema = self.app.version_schema(&view).await?;
        Ok(EnvironmentTemplateVersion {
            arn: self.version_arn(&view),
            created_at: view.row.created_at.into(),
            last_modified_at: view.row.modified_at.into(),
            major_version: view.row.version.major.to_string(),
            minor_version: view.row.version.minor.to_string(),
            recommended_minor_version: recommended_minor(&view),
            schema: convert::secret(schema),
            status: status_of(&view.state),
            status_message: message(&view),
            description: convert::secret(view.row.description),
            template_name: view.row.name.into(),
        })
    }

    fn environment_template_version_summary(&self, view: VersionView) -> EnvironmentTemplateVersionSummary {
        EnvironmentTemplateVersionSummary {
            arn: self.version_arn(&view),
            created_at: view.row.created_at.into(),
            last_modified_at: view.row.modified_at.into(),
            major_version: view.row.version.major.to_string(),
            minor_version: view.row.version.minor.to_string(),
            recommended_minor_version: recommended_minor(&view),
            status: status_of(&view.state),
            status_message: message(&view),
            description: convert::secret(view.row.description),
            template_name: view.row.name.into(),
        }
    }

    async fn service_template_version(&self, view: VersionView) -> Result<ServiceTemplateVersion, Fault> {
        let schema = self.app.version_schema(&view).await?;
        let compatible = view
            .row
            .compatible
            .iter()
            .map(|one| CompatibleEnvironmentTemplate {
                major_version: one.major.to_string(),
                template_name: one.template.to_string(),
            });
        let components = view.row.components;
        Ok(ServiceTemplateVersion {
            arn: self.version_arn(&view),
            compatible_environment_templates: compatible.collect(),
            created_at: view.row.created_at.into(),
            last_modified_at: view.row.modified_at.into(),
            major_version: view.row.version.major.to_string(),
            minor_version: view.row.version.minor.to_string(),
            recommended_minor_version: recommended_minor(&view),
            schema: convert::secret(schema),
            status: status_of(&view.state),
            status_message: message(&view),
            supported_component_sources: components
                .then(|| vec![ServiceTemplateSupportedComponentSourceType::DirectlyDefined]),
            description: convert::secret(view.row.description),
            template_name: view.row.name.into(),
        })
    }

    fn service_template_version_summary(&self, view: VersionView) -> ServiceTemplateVersionSummary {
        ServiceTemplateVersionSummary {
            arn: self.version_arn(&view),
            created_at: view.row.created_at.into(),
            last_modified_at: view.row.modified_at.into(),
            major_version: view.row.version.major.to_string(),
            minor_version: view.row.version.minor.to_string(),
            recommended_minor_version: recommended_minor(&view),
            status: status_of(&view.state),
            status_message: message(&view),
            description: convert::secret(view.row.description),
            template_name: view.row.name.into(),
        }
    }

    /// One page of the templates of a kind.
    async fn templates(
        &self,
        call: &Call,
        kind: TemplateKind,
        page: &Page,
    ) -> Result<Vec<TemplateRow>, Fault> {
        let after = match page.first() {
            name if name.is_empty() => (String::new(), name),
            name => (kind.word().to_owned(), name),
        };
        let rows = self
            .app
            .list_templates(&call.caller, Some(kind), after, page.fetch());
        Ok(rows.await?)
    }

    /// One page of versions: of a major version its minor ones, or one for each major version.
    async fn versions(
        &self,
        call: &Call,
        kind: TemplateKind,
        name: &str,
        major: Option<&str>,
        page: &Page,
    ) -> Result<(Vec<VersionView>, Option<String>), Fault> {
        let name = template_name(name)?;
        let after = convert::word_opt::<u32>("nextToken", Some(&page.first()))?;
        let (caller, limit) = (&call.caller, page.fetch());
        let Some(major) = major else {
            let views = self
                .app
                .list_majors(caller, kind, name, after.unwrap_or(0), limit)
                .await?;
            return Ok(page.cut(views, |view| vec![view.row.version.major.to_string()]));
        };
        let major = convert::part("majorVersion", major)?;
        let after = after.map(|minor| TemplateVersion { major, minor });
        let views = self
            .app
            .list_versions(caller, kind, name, Some(major), after, limit)
            .await?;
        Ok(page.cut(views, |view| vec![view.row.version.minor.to_string()]))
    }

    async fn one_version(
        &self,
        call: &Call,
        kind: TemplateKind,
        name: &str,
        (major, minor): (&str, &str),
    ) -> Result<VersionView, Fault> {
        let (name, version) = (template_name(name)?, convert::version(major, minor)?);
        let view = self.app.get_version(&call.caller, kind, &name, version);
        Ok(view.await?)
    }

    pub(super) async fn create_environment_template(
        &self,
        call: &Call,
        input: CreateEnvironmentTemplateInput,
    ) -> Result<CreateEnvironmentTemplateOutput, Fault> {
        let new = NewTemplate {
            display_name: convert::revealed(input.display_name),
            description: convert::revealed(input.description),
            customer_managed: input.provisioning.is_some(),
            encryption_key: input.encryption_key.unwrap_or_default(),
            ..NewTemplate::named(ENVIRONMENT, name(&input.name)?)
        };
        let row = self.app.create_template(call.request(None), new).await?;
        Ok(CreateEnvironmentTemplateOutput {
            environment_template: self.environment_template(row),
        })
    }

    pub(super) async fn get_environment_template(
        &self,
        call: &Call,
        input: GetEnvironmentTemplateInput,
    ) -> Result<GetEnvironmentTemplateOutput, Fault> {
        let row = self
            .app
            .get_template(&call.caller, ENVIRONMENT, &name(&input.name)?)
            .await?;
        Ok(GetEnvironmentTemplateOutput {
            environment_template: self.environment_template(row),
        })
    }

    pub(super) async fn list_environment_templates(
        &self,
        call: &Call,
        input: ListEnvironmentTemplatesInput,
    ) -> Result<ListEnvironmentTemplatesOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let rows = self.templates(call, ENVIRONMENT, &page).await?;
        let (rows, next_token) = page.cut(rows, |row| vec![row.name.to_string()]);
        let templates = rows.into_iter().map(|row| self.environment_template_summary(row));
        Ok(ListEnvironmentTemplatesOutput {
            templates: templates.collect(),
            next_token,
        })
    }

    pub(super) async fn update_environment_template(
        &self,
        call: &Call,
        input: UpdateEnvironmentTemplateInput,
    ) -> Result<UpdateEnvironmentTemplateOutput, Fault> {
        let update = TemplateUpdate {
            kind: ENVIRONMENT,
            name: name(&input.name)?,
            display_name: input.display_name.map(Sensitive::into_string),
            description: input.description.map(Sensitive::into_string),
        };
        let row = self.app.update_template(call.request(None), update).await?;
        Ok(UpdateEnvironmentTemplateOutput {
            environment_template: self.environment_template(row),
        })
    }

    pub(super) async fn delete_environment_template(
        &self,
        call: &Call,
        input: DeleteEnvironmentTemplateInput,
    ) -> Result<DeleteEnvironmentTemplateOutput, Fault> {
        let row = self
            .app
            .delete_template(call.request(None), ENVIRONMENT, name(&input.name)?)
            .await?;
        Ok(DeleteEnvironmentTemplateOutput {
            environment_template: Some(self.environment_template(row)),
        })
    }

    pub(super) async fn create_environment_template_version(
        &self,
        call: &Call,
        input: CreateEnvironmentTemplateVersionInput,
    ) -> Result<CreateEnvironmentTemplateVersionOutput, Fault> {
        let new = NewVersion {
            kind: ENVIRONMENT,
            name: template_name(&input.template_name)?,
            major: convert::part_opt("majorVersion", input.major_version.as_deref())?,
            source: source(input.source),
            description: convert::revealed(input.description),
            compatible: Vec::new(),
            components: false,
        };
        let view = self
            .app
            .create_version(call.request(input.client_token), new)
            .await?;
        Ok(CreateEnvironmentTemplateVersionOutput {
            environment_template_version: self.environment_template_version(view).await?,
        })
    }

    pub(super) async fn get_environment_template_version(
        &self,
        call: &Call,
        input: GetEnvironmentTemplateVersionInput,
    ) -> Result<GetEnvironmentTemplateVersionOutput, Fault> {
        let numbers = (input.major_version.as_str(), input.minor_version.as_str());
        let view = self
            .one_version(call, ENVIRONMENT, &input.template_name, numbers)
            .await?;
        Ok(GetEnvironmentTemplateVersionOutput {
            environment_template_version: self.environment_template_version(view).await?,
        })
    }

    pub(super) async fn list_environment_template_versions(
        &self,
        call: &Call,
        input: ListEnvironmentTemplateVersionsInput,
    ) -> Result<ListEnvironmentTemplateVersionsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let major = input.major_version.as_deref();
        let (views, next_token) = self
            .versions(call, ENVIRONMENT, &input.template_name, major, &page)
            .await?;
        let views = views
            .into_iter()
            .map(|view| self.environment_template_version_summary(view));
        Ok(ListEnvironmentTemplateVersionsOutput {
            template_versions: views.collect(),
            next_token,
        })
    }

    pub(super) async fn update_environment_template_version(
        &self,
        call: &Call,
        input: UpdateEnvironmentTemplateVersionInput,
    ) -> Result<UpdateEnvironmentTemplateVersionOutput, Fault> {
        let numbers = (input.major_version.as_str(), input.minor_version.as_str());
        let view = self
            .one_version(call, ENVIRONMENT, &input.template_name, numbers)
            .await?;
        let update = VersionUpdate {
            approve: false,
            kind: ENVIRONMENT,
            publish: publish(input.status, &view)?,
            description: input.description.map(Sensitive::into_string),
            compatible: None,
            components: None,
            name: view.row.name,
            version: view.row.version,
        };
        let view = self.app.update_version(call.request(None), update).await?;
        Ok(UpdateEnvironmentTemplateVersionOutput {
            environment_template_version: self.environment_template_version(view).await?,
        })
    }

    pub(super) async fn delete_environment_template_version(
        &self,
        call: &Call,
        input: DeleteEnvironmentTemplateVersionInput,
    ) -> Result<DeleteEnvironmentTemplateVersionOutput, Fault> {
        let version = convert::version(&input.major_version, &input.minor_version)?;
        let name = template_name(&input.template_name)?;
        let view = self
            .app
            .delete_version(call.request(None), ENVIRONMENT, name, version)
            .await?;
        Ok(DeleteEnvironmentTemplateVersionOutput {
            environment_template_version: Some(self.environment_template_version(view).await?),
        })
    }

    pub(super) async fn create_service_template(
        &self,
        call: &Call,
        input: CreateServiceTemplateInput,
    ) -> Result<CreateServiceTemplateOutput, Fault> {
        let new = NewTemplate {
            display_name: convert::revealed(input.display_name),
            description: convert::revealed(input.description),
            no_pipeline: input.pipeline_provisioning.is_some(),
            encryption_key: input.encryption_key.unwrap_or_default(),
            ..NewTemplate::named(SERVICE, name(&input.name)?)
        };
        let row = self.app.create_template(call.request(None), new).await?;
        Ok(CreateServiceTemplateOutput {
            service_template: self.service_template(row),
        })
    }

    pub(super) async fn get_service_template(
        &self,
        call: &Call,
        input: GetServiceTemplateInput,
    ) -> Result<GetServiceTemplateOutput, Fault> {
        let row = self
            .app
            .get_template(&call.caller, SERVICE, &name(&input.name)?)
            .await?;
        Ok(GetServiceTemplateOutput {
            service_template: self.service_template(row),
        })
    }

    pub(super) async fn list_service_templates(
        &self,
        call: &Call,
        input: ListServiceTemplatesInput,
    ) -> Result<ListServiceTemplatesOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let rows = self.templates(call, SERVICE, &page).await?;
        let (rows, next_token) = page.cut(rows, |row| vec![row.name.to_string()]);
        let templates = rows.into_iter().map(|row| self.service_template_summary(row));
        Ok(ListServiceTemplatesOutput {
            templates: templates.collect(),
            next_token,
        })
    }

    pub(super) async fn update_service_template(
        &self,
        call: &Call,
        input: UpdateServiceTemplateInput,
    ) -> Result<UpdateServiceTemplateOutput, Fault> {
        let update = TemplateUpdate {
            kind: SERVICE,
            name: name(&input.name)?,
            display_name: input.display_name.map(Sensitive::into_string),
            description: input.description.map(Sensitive::into_string),
        };
        let row = self.app.update_template(call.request(None), update).await?;
        Ok(UpdateServiceTemplateOutput {
            service_template: self.service_template(row),
        })
    }

    pub(super) async fn delete_service_template(
        &self,
        call: &Call,
        input: DeleteServiceTemplateInput,
    ) -> Result<DeleteServiceTemplateOutput, Fault> {
        let row = self
            .app
            .delete_template(call.request(None), SERVICE, name(&input.name)?)
            .await?;
        Ok(DeleteServiceTemplateOutput {
            service_template: Some(self.service_template(row)),
        })
    }

    pub(super) async fn create_service_template_version(
        &self,
        call: &Call,
        input: CreateServiceTemplateVersionInput,
    ) -> Result<CreateServiceTemplateVersionOutput, Fault> {
        let new = NewVersion {
            kind: SERVICE,
            name: template_name(&input.template_name)?,
            major: convert::part_opt("majorVersion", input.major_version.as_deref())?,
            source: source(input.source),
            description: convert::revealed(input.description),
            compatible: compatible(input.compatible_environment_templates)?,
            components: components(input.supported_component_sources.as_ref()).unwrap_or(false),
        };
        let view = self
            .app
            .create_version(call.request(input.client_token), new)
            .await?;
        Ok(CreateServiceTemplateVersionOutput {
            service_template_version: self.service_template_version(view).await?,
        })
    }

    pub(super) async fn get_service_template_version(
        &self,
        call: &Call,
        input: GetServiceTemplateVersionInput,
    ) -> Result<GetServiceTemplateVersionOutput, Fault> {
        let numbers = (input.major_version.as_str(), input.minor_version.as_str());
        let view = self
            .one_version(call, SERVICE, &input.template_name, numbers)
            .await?;
        Ok(GetServiceTemplateVersionOutput {
            service_template_version: self.service_template_version(view).await?,
        })
    }

    pub(super) async fn list_service_template_versions(
        &self,
        call: &Call,
        input: ListServiceTemplateVersionsInput,
    ) -> Result<ListServiceTemplateVersionsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let major = input.major_version.as_deref();
        let (views, next_token) = self
            .versions(call, SERVICE, &input.template_name, major, &page)
            .await?;
        let views = views
            .into_iter()
            .map(|view| self.service_template_version_summary(view));
        Ok(ListServiceTemplateVersionsOutput {
            template_versions: views.collect(),
            next_token,
        })
    }

    pub(super) async fn update_service_template_version(
        &self,
        call: &Call,
        input: UpdateServiceTemplateVersionInput,
    ) -> Result<UpdateServiceTemplateVersionOutput, Fault> {
        let numbers = (input.major_version.as_str(), input.minor_version.as_str());
        let view = self
            .one_version(call, SERVICE, &input.template_name, numbers)
            .await?;
        let update = VersionUpdate {
            approve: false,
            kind: SERVICE,
            publish: publish(input.status, &view)?,
            description: input.description.map(Sensitive::into_string),
            compatible: input
                .compatible_environment_templates
                .map(compatible)
                .transpose()?,
            components: components(input.supported_component_sources.as_ref()),
            name: view.row.name,
            version: view.row.version,
        };
        let view = self.app.update_version(call.request(None), update).await?;
        Ok(UpdateServiceTemplateVersionOutput {
            service_template_version: self.service_template_version(view).await?,
        })
    }

    pub(super) async fn delete_service_template_version(
        &self,
        call: &Call,
        input: DeleteServiceTemplateVersionInput,
    ) -> Result<DeleteServiceTemplateVersionOutput, Fault> {
        let version = convert::version(&input.major_version, &input.minor_version)?;
        let name = template_name(&input.template_name)?;
        let view = self
            .app
            .delete_version(call.request(None), SERVICE, name, version)
            .await?;
        Ok(DeleteServiceTemplateVersionOutput {
            service_template_version: Some(self.service_template_version(view).await?),
        })
    }
}
