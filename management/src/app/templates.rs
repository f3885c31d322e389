//! Templates: what environments and services are made from. Their versions are in [`versions`], how a bundle gets from
//! S3 into one in [`registration`], and what people read in bundles in [`contents`].

mod contents;
mod registration;
mod versions;

use hadron_domain::authority::{Action, Caller};
use hadron_domain::template::{TemplateKind, VersionFault, Versions, Wanted};
use hadron_proto::vocab::TemplateName;

use super::{App, AppError, ErrorKind, Quota, Request, Unit};
use crate::store::templates;
use crate::store::templates::{TemplateRow, VersionRow};

pub(in crate::app) use versions::unapproved;
pub use versions::{Approval, Approve, BundleSource, NewVersion, Rules, VersionUpdate, VersionView};

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

/// What a new template shall be.
#[derive(Clone, Debug)]
pub struct NewTemplate {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// Its name.
    pub name: TemplateName,
    /// For people; may be empty.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// Service templates: its services have no pipeline.
    pub no_pipeline: bool,
    /// Environment templates: somebody else provisions the environments, and bundles hold only a schema.
    pub customer_managed: bool,
    /// ARN of a KMS key; empty for none.
    pub encryption_key: String,
}

impl NewTemplate {
    /// One of this kind and name, and nothing else said about it.
    #[must_use]
    pub const fn named(kind: TemplateKind, name: TemplateName) -> Self {
        Self {
            kind,
            name,
            display_name: String::new(),
            description: String::new(),
            no_pipeline: false,
            customer_managed: false,
            encryption_key: String::new(),
        }
    }
}

/// What shall be different about a template; `None` leaves it as it is.
#[derive(Clone, Debug)]
pub struct TemplateUpdate {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// Which one.
    pub name: TemplateName,
    /// For people.
    pub display_name: Option<String>,
    /// For people.
    pub description: Option<String>,
}

/// The kind under which creations of templates are remembered.
const fn creation(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Environment => "environment_template",
        TemplateKind::Service => "service_template",
    }
}

fn template_not_found(kind: TemplateKind, name: &TemplateName) -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        "NOT_FOUND",
        format!("{} template '{name}' does not exist", kind.word()),
    )
    .help("see what exists with `hadron template list`")
}

impl Unit<'_> {
    /// A template, locked until the transaction ends.
    async fn template(&mut self, kind: TemplateKind, name: &TemplateName) -> Result<TemplateRow, AppError> {
        templates::get(self.tx, kind, name)
            .await?
            .ok_or_else(|| template_not_found(kind, name))
    }
}

impl App {
    /// Makes a template without versions.
    ///
    /// # Errors
    /// When one of the same kind and name exists, or there are as many as are allowed.
    pub async fn create_template(&self, request: Request, new: NewTemplate) -> Result<TemplateRow, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        let kind = new.kind;
        if self.seen(&request).await?.is_some()
            || self.repeated(&request, creation(kind), new.name.as_str()).await?
        {
            return self.get_template(&request.caller, kind, &new.name).await;
        }
        if new.customer_managed && kind == TemplateKind::Service {
            return Err(AppError::invalid(
                "CUSTOMER_MANAGED_NOT_ALLOWED",
                "only environments can be provisioned by somebody else; services of a template can be without a pipeline",
            )
            .help("for services without a pipeline: --no-pipeline"));
        }
        if new.no_pipeline && kind == TemplateKind::Environment {
            return Err(AppError::invalid(
                "NO_PIPELINE_NOT_ALLOWED",
                "only service templates have something to say about pipelines",
            ));
        }
        self.write_once(request.key(), "create template", move |unit| {
            Box::pin(async move {
                let row = TemplateRow {
                    kind,
                    name: new.name,
                    display_name: new.display_name,
                    description: new.description,
                    no_pipeline: new.no_pipeline,
                    customer_managed: new.customer_managed,
                    encryption_key: new.encryption_key,
                    versions: Versions::default(),
                    created_at: unit.now,
                    modified_at: unit.now,
                    generation: 0,
                };
                let exists = || {
                    AppError::new(
                        ErrorKind::AlreadyExists,
                        "TEMPLATE_EXISTS",
                        format!("{} template '{}' already exists", kind.word(), row.name),
                    )
                    .help("add a version to it: hadron template create NAME BUNDLE")
                };
                // The better answer comes first, should both be true.
                if templates::get(unit.tx, kind, &row.name).await?.is_some() {
                    return Err(exists());
                }
                let used = templates::count(unit.tx).await?;
                unit.settings().quotas.room(Quota::Templates, used)?;
                templates::insert(unit.tx, &row)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => exists(),
                        None => error.into(),
                    })?;
                unit.created(&request, creation(kind), row.name.as_str()).await?;
                unit.answered(&request, row.name.as_str()).await?;
                Ok(row)
            })
        })
        .await
    }

    /// Changes what people read about a template.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn update_template(
        &self,
        request: Request,
        update: TemplateUpdate,
    ) -> Result<TemplateRow, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        if self.seen(&request).await?.is_some() {
            return self
                .get_template(&request.caller, update.kind, &update.name)
                .await;
        }
        self.write_once(request.key(), "update template", move |unit| {
            Box::pin(async move {
                let mut row = unit.template(update.kind, &update.name).await?;
                if let Some(text) = update.display_name {
                    row.display_name = text;
                }
                if let Some(text) = update.description {
                    row.description = text;
                }
                row.modified_at = unit.now;
                templates::put(unit.tx, &mut row).await?;
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
        self.write_once(request.key(), "delete template", move |unit| {
            Box::pin(async move {
                let row = unit.template(kind, &name).await?;
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
                unit.uncreated(creation(kind), name.as_str()).await?;
                unit.answered(&request, name.as_str()).await?;
                Ok(row)
            })
        })
        .await
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
