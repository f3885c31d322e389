//! Registering, publishing and deleting templates and their versions.

use std::sync::Arc;

use hadron_domain::authority::{Action, Caller};
use hadron_domain::step::Machine;
use hadron_domain::template::{
    CompatibleTemplate, TemplateKind, VersionFault, VersionInput, VersionState, Versions, Wanted,
};
use hadron_proto::vocab::{TemplateName, TemplateVersion};
use hadron_templates::{Bundle, BundleKind, Limits, TemplateBundle};

use super::bundles::expected;
use super::{App, AppError, ErrorKind, Request};
use crate::store::templates::{Content, TemplateRow, VersionRow};
use crate::store::{requests, targets, templates};

impl From<VersionFault> for AppError {
    fn from(fault: VersionFault) -> Self {
        let (kind, reason, help) = match &fault {
            VersionFault::NoSuchMajor(_) | VersionFault::NoSuchVersion(_) => (
                ErrorKind::NotFound,
                "VERSION_NOT_FOUND",
                "see the versions: hadron template get NAME",
            ),
            VersionFault::NoMajor(_) => (ErrorKind::Invalid, "VERSION_MODE", "name the major version too"),
            VersionFault::NothingPublished | VersionFault::NothingPublishedOf(_) => (
                ErrorKind::Precondition,
                "NOT_PUBLISHED",
                "publish one: hadron template publish NAME VERSION; a draft can be used by its full number, such as 1.0",
            ),
            VersionFault::NotDeployable { .. } => (
                ErrorKind::Precondition,
                "NOT_DEPLOYABLE",
                "see why: hadron template get NAME --version VERSION",
            ),
            VersionFault::Recommended(_) => (
                ErrorKind::Conflict,
                "VERSION_RECOMMENDED",
                "publish a higher version, or delete the other versions before this one",
            ),
            VersionFault::InUse { .. } => (
                ErrorKind::Conflict,
                "VERSION_IN_USE",
                "update or delete what uses the version first",
            ),
        };
        Self::new(kind, reason, fault.to_string()).help(help)
    }
}

/// A version with where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionView {
    /// Its content and texts.
    pub row: VersionRow,
    /// Where it stands.
    pub state: VersionState,
}

/// What a new version shall be.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// The template.
    pub name: TemplateName,
    /// A minor of this major; a new major when `None`.
    pub major: Option<u32>,
    /// The archive.
    pub bundle: Vec<u8>,
    /// For people.
    pub description: String,
    /// Environment templates that a service version runs in.
    pub compatible: Vec<CompatibleTemplate>,
}

fn template_not_found(kind: TemplateKind, name: &TemplateName) -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        "NOT_FOUND",
        format!("{} template '{name}' does not exist", kind.word()),
    )
    .help("see what exists with `hadron template list`")
}

impl App {
    /// Makes a template without versions.
    ///
    /// # Errors
    /// When one of the same kind and name exists.
    pub async fn create_template(
        &self,
        request: Request,
        kind: TemplateKind,
        name: TemplateName,
        display_name: String,
        description: String,
        no_pipeline: bool,
    ) -> Result<TemplateRow, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        if self.seen(&request).await?.is_some() {
            return self.get_template(&request.caller, kind, &name).await;
        }
        self.write("create template", move |unit| {
            Box::pin(async move {
                let row = TemplateRow {
                    kind,
                    name,
                    display_name,
                    description,
                    no_pipeline,
                    customer_managed: false,
                    encryption_key: String::new(),
                    versions: Versions::default(),
                    created_at: unit.now,
                    modified_at: unit.now,
                    generation: 0,
                };
                templates::insert(unit.tx, &row)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "TEMPLATE_EXISTS",
                            format!("{} template '{}' already exists", kind.word(), row.name),
                        )
                        .help("add a version to it: hadron template create NAME BUNDLE"),
                        None => error.into(),
                    })?;
                unit.answered(&request, row.name.as_str()).await?;
                Ok(row)
            })
        })
        .await
    }

    /// One template.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_template(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: &TemplateName,
    ) -> Result<TemplateRow, AppError> {
        self.may(caller, Action::ReadTemplate).await?;
        self.template(kind, name).await
    }

    pub(super) async fn template(
        &self,
        kind: TemplateKind,
        name: &TemplateName,
    ) -> Result<TemplateRow, AppError> {
        let owned = name.clone();
        self.read("template", move |tx| {
            Box::pin(async move { Ok(templates::get(tx, kind, &owned).await?) })
        })
        .await?
        .ok_or_else(|| template_not_found(kind, name))
    }

    /// Templates by kind and name, after `(kind, name)`.
    ///
    /// # Errors
    /// When the caller may not read templates.
    pub async fn list_templates(
        &self,
        caller: &Caller,
        kind: Option<TemplateKind>,
        after: (String, String),
        limit: u32,
    ) -> Result<Vec<TemplateRow>, AppError> {
        self.may(caller, Action::ReadTemplate).await?;
        self.read("templates", move |tx| {
            Box::pin(async move { Ok(templates::list(tx, kind, (&after.0, &after.1), limit).await?) })
        })
        .await
    }

    /// Removes a template that has no versions.
    ///
    /// # Errors
    /// When it has versions.
    pub async fn delete_template(
        &self,
        request: Request,
        kind: TemplateKind,
        name: TemplateName,
    ) -> Result<TemplateRow, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        if self.seen(&request).await?.is_some() {
            return match self.template(kind, &name).await {
                // It is gone, as was asked: its name is all that is left to tell.
                Err(error) if error.kind == ErrorKind::NotFound => Ok(TemplateRow {
                    kind,
                    name,
                    display_name: String::new(),
                    description: String::new(),
                    no_pipeline: false,
                    customer_managed: false,
                    encryption_key: String::new(),
                    versions: Versions::default(),
                    created_at: self.db().now().await?,
                    modified_at: self.db().now().await?,
                    generation: 0,
                }),
                found => found,
            };
        }
        self.write("delete template", move |unit| {
            Box::pin(async move {
                let row = templates::get(unit.tx, kind, &name)
                    .await?
                    .ok_or_else(|| template_not_found(kind, &name))?;
                if let Some(version) = row.versions.existing.keys().next_back() {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "TEMPLATE_HAS_VERSIONS",
                        format!("template '{name}' still has version {version}"),
                    )
                    .help(format!(
                        "delete its versions first: hadron template delete {name} --version {version}"
                    )));
                }
                templates::remove(unit.tx, kind, &name).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(row)
            })
        })
        .await
    }

    /// Checks a bundle and registers it as a draft.
    ///
    /// # Errors
    /// All faults of the bundle at once; or when template or major version do not exist.
    pub async fn create_version(&self, request: Request, new: NewVersion) -> Result<VersionView, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        let (kind, name) = (new.kind, new.name.clone());
        if let Some(version) = self.seen(&request).await? {
            return self
                .get_version(&request.caller, kind, &name, version.parse()?)
                .await;
        }
        let template = self.template(kind, &name).await?;
        if kind == TemplateKind::Service && new.compatible.is_empty() {
            return Err(AppError::invalid(
                "NO_COMPATIBLE_ENVIRONMENT",
                "a service template version must say which environment templates it runs in",
            )
            .help("name at least one: --compatible-with ENVIRONMENT-TEMPLATE:MAJOR"));
        }
        if kind == TemplateKind::Environment && !new.compatible.is_empty() {
            return Err(AppError::invalid(
                "COMPATIBLE_NOT_ALLOWED",
                "compatible environment templates are for service templates only",
            ));
        }
        for compatible in &new.compatible {
            self.template(TemplateKind::Environment, &compatible.template)
                .await?;
        }
        let archive = Arc::new(new.bundle);
        let bytes = Arc::clone(&archive);
        let (digest, schema, warnings, bundle_kind) = tokio::task::spawn_blocking(move || {
            let bundle = Bundle::from_archive(&bytes, &Limits::default())?;
            let digest = bundle.digest();
            let schema = bundle.get("schema/schema.yaml").unwrap_or_default();
            let schema = String::from_utf8_lossy(schema).into_owned();
            let (checked, faults) = TemplateBundle::check(bundle, Some(expected(kind)));
            match checked {
                Some(checked) if !faults.is_error() => {
                    let warnings: Vec<String> =
                        faults.warnings().map(|fault| fault.message.clone()).collect();
                    Ok((digest, schema, warnings, checked.kind))
                }
                _ => Err(AppError::from(faults)),
            }
        })
        .await
        .map_err(AppError::internal)??;
        if let BundleKind::Service { pipeline } = bundle_kind
            && pipeline == template.no_pipeline
        {
            let (has, wants) = if pipeline {
                ("has", "without")
            } else {
                ("has no", "with")
            };
            return Err(AppError::invalid(
                "PIPELINE_MISMATCH",
                format!("the bundle {has} pipeline_infrastructure, but template '{name}' is for services {wants} a pipeline"),
            )
            .help("use another template, or change the bundle"));
        }
        let (description, compatible) = (new.description, new.compatible);
        let major = new.major;
        self.write("register template version", move |unit| {
            Box::pin(async move {
                let mut row =
                    templates::get(unit.tx, kind, &name).await?.ok_or_else(|| template_not_found(kind, &name))?;
                let version = row.versions.take_number(major)?;
                let state = VersionState::Registering.step(VersionInput::Registered).map_err(AppError::internal)?.next;
                row.versions.existing.insert(version, state.clone());
                row.modified_at = unit.now;
                templates::put(unit.tx, &mut row).await?;
                let archive = requests::put_blob(unit.tx, &archive, unit.now).await?;
                let version_row = VersionRow {
                    kind,
                    name,
                    version,
                    description,
                    compatible,
                    content: Some(Content { digest, archive, schema }),
                    source: None,
                    components: false,
                    warnings,
                    created_at: unit.now,
                    modified_at: unit.now,
                };
                templates::insert_version(unit.tx, &version_row).await?;
                unit.answered(&request, &version.to_string()).await?;
                tracing::info!(template = %version_row.name, version = %version, digest = %digest, "template version registered");
                Ok(VersionView { row: version_row, state })
            })
        })
        .await
    }

    /// One version.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn get_version(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: &TemplateName,
        version: TemplateVersion,
    ) -> Result<VersionView, AppError> {
        let template = self.get_template(caller, kind, name).await?;
        let state = template.versions.existing.get(&version).cloned();
        let owned = name.clone();
        let row = self
            .read("template version", move |tx| {
                Box::pin(async move { Ok(templates::get_version(tx, kind, &owned, version).await?) })
            })
            .await?;
        match (row, state) {
            (Some(row), Some(state)) => Ok(VersionView { row, state }),
            _ => Err(VersionFault::NoSuchVersion(version).into()),
        }
    }

    /// The schema file of a version, as text.
    ///
    /// # Errors
    /// When the version does not exist.
    pub async fn version_schema(&self, view: &VersionView) -> Result<String, AppError> {
        let Some(content) = &view.row.content else {
            return Ok(String::new());
        };
        if !content.schema.is_empty() {
            return Ok(content.schema.clone());
        }
        // Registered by a hub that did not keep the schema beside the bundle.
        let archive = content.archive;
        let bytes = self
            .read("bundle", move |tx| {
                Box::pin(async move { Ok(requests::blob(tx, archive).await?) })
            })
            .await?
            .ok_or_else(|| AppError::internal(format!("bundle {archive} is not stored")))?;
        let bundle = Bundle::from_archive(&bytes, &Limits::default())?;
        let schema = bundle.get("schema/schema.yaml").unwrap_or_default();
        Ok(String::from_utf8_lossy(schema).into_owned())
    }

    /// Versions of a template in order, after `after`.
    ///
    /// # Errors
    /// When the template does not exist.
    pub async fn list_versions(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: TemplateName,
        after: Option<TemplateVersion>,
        limit: u32,
    ) -> Result<Vec<VersionView>, AppError> {
        let template = self.get_template(caller, kind, &name).await?;
        let rows = self
            .read("template versions", move |tx| {
                Box::pin(async move { Ok(templates::list_versions(tx, kind, &name, after, limit).await?) })
            })
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let state = template.versions.existing.get(&row.version)?.clone();
                Some(VersionView { row, state })
            })
            .collect())
    }

    /// Publishes a version.
    ///
    /// # Errors
    /// When it is not registered.
    pub async fn publish_version(
        &self,
        request: Request,
        kind: TemplateKind,
        name: TemplateName,
        version: TemplateVersion,
    ) -> Result<VersionView, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        if self.seen(&request).await?.is_some() {
            return self.get_version(&request.caller, kind, &name, version).await;
        }
        let caller = request.caller.clone();
        let published = name.clone();
        self.write("publish template version", move |unit| {
            Box::pin(async move {
                let mut row = templates::get(unit.tx, kind, &name)
                    .await?
                    .ok_or_else(|| template_not_found(kind, &name))?;
                let state = row
                    .versions
                    .existing
                    .get(&version)
                    .ok_or(VersionFault::NoSuchVersion(version))?;
                let step = state.step(VersionInput::Publish).map_err(|refusal| {
                    AppError::new(
                        ErrorKind::Conflict,
                        "VERSION_STATE",
                        format!("{name}:{version}: {refusal}"),
                    )
                })?;
                if step.next != *state {
                    row.versions.existing.insert(version, step.next);
                    row.modified_at = unit.now;
                    templates::put(unit.tx, &mut row).await?;
                    templates::touch_version(unit.tx, kind, &name, version, unit.now).await?;
                }
                Ok(unit.answered(&request, &version.to_string()).await?)
            })
        })
        .await?;
        self.get_version(&caller, kind, &published, version).await
    }

    /// Deletes a version that nothing is deployed from.
    ///
    /// # Errors
    /// When it is in use, or recommended while others exist.
    pub async fn delete_version(
        &self,
        request: Request,
        kind: TemplateKind,
        name: TemplateName,
        version: TemplateVersion,
    ) -> Result<VersionView, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        let seen = self.seen(&request).await?.is_some();
        let before = match self.get_version(&request.caller, kind, &name, version).await {
            // It is gone, as was asked: its number is all that is left to tell.
            Err(error) if seen && error.kind == ErrorKind::NotFound => {
                return self.gone_version(kind, name, version).await;
            }
            found => found?,
        };
        if seen {
            return Ok(before);
        }
        self.write("delete template version", move |unit| {
            Box::pin(async move {
                let mut row = templates::get(unit.tx, kind, &name)
                    .await?
                    .ok_or_else(|| template_not_found(kind, &name))?;
                let environment = kind == TemplateKind::Environment;
                let user = targets::using_version(unit.tx, environment, &name, version).await?;
                row.versions
                    .delete(version, user.map(|user| user.target.to_string()))?;
                row.modified_at = unit.now;
                templates::put(unit.tx, &mut row).await?;
                templates::remove_version(unit.tx, kind, &name, version).await?;
                Ok(unit.answered(&request, &version.to_string()).await?)
            })
        })
        .await?;
        Ok(before)
    }

    async fn gone_version(
        &self,
        kind: TemplateKind,
        name: TemplateName,
        version: TemplateVersion,
    ) -> Result<VersionView, AppError> {
        let at = self.db().now().await?;
        let row = VersionRow {
            kind,
            name,
            version,
            description: String::new(),
            compatible: Vec::new(),
            content: None,
            source: None,
            components: false,
            warnings: Vec::new(),
            created_at: at,
            modified_at: at,
        };
        Ok(VersionView {
            row,
            state: VersionState::Draft,
        })
    }

    /// The version that a request means, with what it says about itself.
    ///
    /// # Errors
    /// When it does not exist, is not deployable, or nothing is published.
    pub(super) async fn resolve(
        &self,
        kind: TemplateKind,
        name: &TemplateName,
        wanted: Wanted,
    ) -> Result<VersionRow, AppError> {
        let template = self.template(kind, name).await?;
        let version = template.versions.resolve(wanted).map_err(|fault| {
            let mut error = AppError::from(fault);
            error.message = format!("{} template '{name}': {}", kind.word(), error.message);
            error
        })?;
        let owned = name.clone();
        self.read("template version", move |tx| {
            Box::pin(async move { Ok(templates::get_version(tx, kind, &owned, version).await?) })
        })
        .await?
        .ok_or_else(|| VersionFault::NoSuchVersion(version).into())
    }
}
