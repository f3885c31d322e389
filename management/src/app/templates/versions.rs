//! Versions of templates: made, published, described and deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use hadron_domain::authority::{Action, Caller};
use hadron_domain::step::Machine;
use hadron_domain::template::{
    CompatibleTemplate, TemplateKind, VersionFault, VersionInput, VersionRefusal, VersionState,
};
use hadron_proto::vocab::{BrokenContentRule, ContentRules, StackContents, TemplateName, TemplateVersion};
use hadron_templates::{Answer, Capability, Checked, Given, Packed, Question, SignedKind};

use super::registration::fits;
use super::{App, AppError, ErrorKind, Quota, Request, Unit};
use crate::app::bundles::expected;
use crate::app::masking::shown_version;
use crate::store::templates::{Approvals, Content, S3Object, TemplateRow, VersionRow};
use crate::store::{jobs, requests, targets, templates};

/// A version with where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionView {
    /// Its content and texts.
    pub row: VersionRow,
    /// Where it stands.
    pub state: VersionState,
    /// The recommended version of its major.
    pub recommended: Option<TemplateVersion>,
}

impl VersionView {
    fn new(template: &TemplateRow, row: VersionRow) -> Option<Self> {
        let state = template.versions.existing.get(&row.version)?.clone();
        let recommended = template.versions.recommended_of(row.version.major);
        Some(Self {
            row,
            state,
            recommended,
        })
    }

    /// Masks what is said about it.
    pub(in crate::app) fn mask(&mut self, message: fn(&mut String)) {
        if let VersionState::Failed(why) = &mut self.state {
            message(why);
        }
        self.row.warnings.iter_mut().for_each(message);
    }

    /// What is to be said about its state; empty when nothing is.
    #[must_use]
    pub fn message(&self) -> String {
        match (&self.state, &self.row.source) {
            (VersionState::Failed(why), _) => why.clone(),
            (VersionState::Registering, Some(source)) => {
                format!("{source} is to be fetched by the management account's agent, and to be checked")
            }
            (VersionState::Registering, None) | (VersionState::Draft | VersionState::Published, _) => {
                String::new()
            }
        }
    }
}

/// Where a new version's bundle is.
#[derive(Clone, Debug)]
pub enum BundleSource {
    /// It came with the request.
    Archive(Vec<u8>),
    /// The management account's agent is to fetch it.
    S3(S3Object),
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
    /// The bundle.
    pub source: BundleSource,
    /// For people.
    pub description: String,
    /// Environment templates that a service version runs in.
    pub compatible: Vec<CompatibleTemplate>,
    /// Directly defined components may be attached to its instances.
    pub components: bool,
}

/// What shall be different about a version; `None` leaves it as it is.
#[derive(Clone, Debug)]
pub struct VersionUpdate {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// The template.
    pub name: TemplateName,
    /// Which version.
    pub version: TemplateVersion,
    /// For people.
    pub description: Option<String>,
    /// Make it one for everybody.
    pub publish: bool,
    /// Environment templates that a service version runs in.
    pub compatible: Option<Vec<CompatibleTemplate>>,
    /// Whether directly defined components may be attached to its instances. What is attached already stays.
    pub components: Option<bool>,
    /// Approve the capabilities that it needs, all of them.
    pub approve: bool,
}

/// What may be done with capabilities of a version.
#[derive(Clone, Debug)]
pub struct Approval {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// The template.
    pub name: TemplateName,
    /// Which version.
    pub version: TemplateVersion,
    /// Which of them.
    pub capabilities: BTreeSet<Capability>,
    /// They are not approved any more; what runs stays as it is.
    pub withdraw: bool,
}

/// How versions come by their approvals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approve {
    /// Publishing a version approves what it needs: what Proton's scripts do goes on to work.
    #[default]
    OnPublish,
    /// Somebody has to say so, each capability by itself.
    Explicit,
}

/// What the hub was told about templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How versions come by their approvals.
    pub approve: Approve,
    /// What templates may contain.
    pub contents: ContentRules,
    /// What directly defined components may need: their templates belong to no version. `CAPABILITY_*` words.
    pub component_capabilities: BTreeSet<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            approve: Approve::default(),
            contents: ContentRules::default(),
            component_capabilities: words([Capability::Iam, Capability::NamedIam, Capability::AutoExpand]),
        }
    }
}

impl Rules {
    /// Whether a template may contain this.
    ///
    /// # Errors
    /// What is in it and may not be, and what to do.
    pub fn check(&self, contents: &StackContents<'_>) -> Result<(), AppError> {
        self.contents.check(contents).map_err(|broken| {
            let BrokenContentRule { key, found, remedy } = broken;
            AppError::invalid("CONTENT_DENIED", format!("{found} (rule templates.{key})")).help(format!(
                "change the template; or, in the hub's configuration, {remedy} templates.{key}"
            ))
        })
    }
}

fn words(capabilities: impl IntoIterator<Item = Capability>) -> BTreeSet<String> {
    let words = capabilities.into_iter().map(|one| one.as_str().to_owned());
    words.collect()
}

/// Whether a bundle that is signed was signed as this template.
pub(super) fn signed_for(
    kind: TemplateKind,
    name: &TemplateName,
    major: u32,
    checked: &Checked,
) -> Result<(), AppError> {
    let kind = match kind {
        TemplateKind::Environment => SignedKind::Environment,
        TemplateKind::Service => SignedKind::Service,
    };
    let Some(signature) = &checked.signature else {
        return Ok(());
    };
    signature.is_for(kind, name, major).map_err(|error| {
        AppError::invalid("OTHER_SIGNATURE", error.to_string())
            .help("sign the bundle for this template and major version: hadron template sign PATH --key FILE --template NAME --major N")
    })
}

/// A version needs what was not approved.
pub(in crate::app) fn unapproved(
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
    missing: &[&str],
) -> AppError {
    let flags: Vec<String> = missing.iter().map(|one| format!("--capability {one}")).collect();
    AppError::new(
        ErrorKind::Precondition,
        "CAPABILITY_NOT_APPROVED",
        format!(
            "{} template {name}:{version} needs {}, which no administrator has approved for this version",
            kind.word(),
            missing.join(", ")
        ),
    )
    .help(format!(
        "an administrator approves it: hadron template approve {name} {version} {}",
        flags.join(" ")
    ))
}

fn no_such_version(kind: TemplateKind, name: &TemplateName, version: TemplateVersion) -> AppError {
    let mut error = AppError::from(VersionFault::NoSuchVersion(version));
    error.message = format!("{} template '{name}' has no version {version}", kind.word());
    error
}

fn refused(name: &TemplateName, version: TemplateVersion, refusal: &VersionRefusal) -> AppError {
    let message = format!("{name}:{version}: {refusal}");
    match refusal {
        VersionRefusal::Registering => AppError::new(ErrorKind::Conflict, "VERSION_STATE", message).help(
            format!("wait until it is registered: hadron template get {name} --version {version}"),
        ),
        VersionRefusal::Failed(_) | VersionRefusal::Registered => {
            AppError::new(ErrorKind::Precondition, "VERSION_STATE", message)
                .help("mend the bundle, and register it as a new version")
        }
    }
}

/// Whether a version of this kind may say what is asked for.
fn check_kind(
    kind: TemplateKind,
    compatible: Option<&[CompatibleTemplate]>,
    components: bool,
) -> Result<(), AppError> {
    match kind {
        TemplateKind::Service if compatible.is_some_and(<[_]>::is_empty) => Err(AppError::invalid(
            "NO_COMPATIBLE_ENVIRONMENT",
            "a service template version must say which environment templates it runs in",
        )
        .help("name at least one: --compatible-with ENVIRONMENT-TEMPLATE:MAJOR")),
        TemplateKind::Environment if compatible.is_some_and(|list| !list.is_empty()) => {
            Err(AppError::invalid(
                "COMPATIBLE_NOT_ALLOWED",
                "compatible environment templates are for service templates only",
            ))
        }
        TemplateKind::Environment if components => Err(AppError::invalid(
            "COMPONENTS_NOT_ALLOWED",
            "components are attached to service instances, so only service templates can support them",
        )),
        TemplateKind::Service | TemplateKind::Environment => Ok(()),
    }
}

impl App {
    /// Every environment template that is named has to have that major version.
    async fn check_compatible(&self, compatible: &[CompatibleTemplate]) -> Result<(), AppError> {
        for named in compatible {
            let template = self.template(TemplateKind::Environment, &named.template).await?;
            if !template.versions.has_major(named.major) {
                return Err(AppError::new(
                    ErrorKind::NotFound,
                    "VERSION_NOT_FOUND",
                    format!(
                        "environment template '{}' has no major version {}",
                        named.template, named.major
                    ),
                )
                .help(format!(
                    "see its versions: hadron template versions {}",
                    named.template
                )));
            }
        }
        Ok(())
    }

    /// Makes a version. A bundle that came along is checked and is a draft then; one in S3 is to be fetched first, and the
    /// version is in registration until it was fetched and checked.
    ///
    /// # Errors
    /// All faults of a bundle that came along at once; or when template or major version do not exist, or there are as
    /// many versions as are allowed.
    pub async fn create_version(&self, request: Request, new: NewVersion) -> Result<VersionView, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        let (kind, name) = (new.kind, new.name.clone());
        if let Some(version) = self.seen(&request).await? {
            return self
                .get_version(&request.caller, kind, &name, version.parse()?)
                .await;
        }
        let template = self.template(kind, &name).await?;
        check_kind(kind, Some(&new.compatible), new.components)?;
        self.check_compatible(&new.compatible).await?;
        let mut given = None;
        let mut source = None;
        match new.source {
            BundleSource::S3(object) => {
                sound(&object)?;
                source = Some(object);
            }
            BundleSource::Archive(archive) => {
                let archive = Arc::new(archive);
                let mut checked = self
                    .check(template.kind, template.customer_managed, &archive)
                    .await?;
                fits(&template, checked.kind)?;
                if let Some(major) = new.major {
                    self.warn_of_incompatible(&template, major, &mut checked).await?;
                }
                given = Some((archive, checked));
            }
        }
        let (description, compatible, components) = (new.description, new.compatible, new.components);
        let major = new.major;
        self.write_once(request.key(), "register template version", move |unit| {
            Box::pin(async move {
                let mut template = unit.template(kind, &name).await?;
                let used = template.versions.existing.len() as u64;
                let version = template.versions.take_number(major)?;
                unit.settings().quotas.room(Quota::VersionsPerTemplate, used)?;
                let mut row = VersionRow {
                    kind,
                    name,
                    version,
                    description,
                    compatible,
                    content: None,
                    source,
                    job: None,
                    components,
                    warnings: Vec::new(),
                    approvals: Approvals {
                        approved: Some(BTreeSet::new()),
                        ..Approvals::default()
                    },
                    created_at: unit.now,
                    modified_at: unit.now,
                };
                if let Some((archive, checked)) = given {
                    // The bundle that fits the template still does: neither ever changes.
                    unit.registered(&mut template, &mut row, &archive, checked).await?;
                } else {
                    unit.ask_for_bundle(&mut row).await?;
                }
                template.modified_at = unit.now;
                templates::put(unit.tx, &mut template).await?;
                templates::insert_version(unit.tx, &row).await?;
                unit.answered(&request, &version.to_string()).await?;
                tracing::info!(
                    template = %row.name, version = %version, source = row.source.as_ref().map(tracing::field::display),
                    "template version made"
                );
                VersionView::new(&template, row).ok_or_else(|| AppError::internal("a version that was just made is gone"))
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
        self.may(caller, Action::ReadTemplate).await?;
        let owned = name.clone();
        // Both in one look, or a version could be shown in a state that it never had with what is said about it.
        let (template, row) = self
            .read("template version", move |tx| {
                Box::pin(async move {
                    let template = templates::get(tx, kind, &owned).await?;
                    Ok((template, templates::get_version(tx, kind, &owned, version).await?))
                })
            })
            .await?;
        let template = template.ok_or_else(|| super::template_not_found(kind, name))?;
        row.and_then(|row| VersionView::new(&template, row))
            .map(|view| shown_version(view, caller))
            .ok_or_else(|| no_such_version(kind, name, version))
    }

    /// The schema file of a version, as text; empty as long as it is not registered.
    ///
    /// # Errors
    /// When its bundle cannot be read.
    pub async fn version_schema(&self, view: &VersionView) -> Result<String, AppError> {
        self.schema_text(&view.row).await
    }

    pub(super) async fn schema_text(&self, row: &VersionRow) -> Result<String, AppError> {
        let Some(content) = &row.content else {
            return Ok(String::new());
        };
        if !content.schema.is_empty() {
            return Ok(content.schema.clone());
        }
        // Registered by a hub that did not keep the schema beside the bundle.
        let archive = content.archive;
        let packed = Packed {
            archive,
            expect: expected(row.kind),
        };
        let given = Given::from([(archive, Arc::new(self.archive(archive).await?))]);
        match self.ask(Question::Schema(packed), given).await? {
            Answer::Schema(text) => Ok(text),
            _ => Err(AppError::internal("another question was answered")),
        }
    }

    /// Versions of a template, or of one major version of it, in order, after `after`.
    ///
    /// # Errors
    /// When the template, or the major version that was asked for, does not exist.
    pub async fn list_versions(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: TemplateName,
        major: Option<u32>,
        after: Option<TemplateVersion>,
        limit: u32,
    ) -> Result<Vec<VersionView>, AppError> {
        let template = self.get_template(caller, kind, &name).await?;
        if let Some(major) = major.filter(|major| !template.versions.has_major(*major)) {
            return Err(VersionFault::NoSuchMajor(major).into());
        }
        let rows = self
            .read("template versions", move |tx| {
                Box::pin(
                    async move { Ok(templates::list_versions(tx, kind, &name, major, after, limit).await?) },
                )
            })
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| VersionView::new(&template, row))
            .map(|view| shown_version(view, caller))
            .collect())
    }

    /// The major versions of a template in order, after `after`: each is shown by its recommended minor version, or by its
    /// highest where none is recommended.
    ///
    /// # Errors
    /// When the template does not exist.
    pub async fn list_majors(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: TemplateName,
        after: u32,
        limit: u32,
    ) -> Result<Vec<VersionView>, AppError> {
        let template = self.get_template(caller, kind, &name).await?;
        let wanted: Vec<TemplateVersion> = template
            .versions
            .by_major()
            .into_iter()
            .filter(|version| version.major > after)
            .take(limit as usize)
            .collect();
        let rows = self
            .read("major versions", move |tx| {
                Box::pin(async move {
                    let mut rows = Vec::new();
                    for version in wanted {
                        rows.extend(templates::get_version(tx, kind, &name, version).await?);
                    }
                    Ok(rows)
                })
            })
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| VersionView::new(&template, row))
            .map(|view| shown_version(view, caller))
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
        let update = VersionUpdate {
            kind,
            name,
            version,
            description: None,
            publish: true,
            compatible: None,
            components: None,
            approve: false,
        };
        self.update_version(request, update).await
    }

    /// Changes what is said about a version, and may publish it.
    ///
    /// # Errors
    /// When it does not exist, or is to be published and was not registered.
    pub async fn update_version(
        &self,
        request: Request,
        update: VersionUpdate,
    ) -> Result<VersionView, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        let (kind, version) = (update.kind, update.version);
        if self.seen(&request).await?.is_some() {
            return self
                .get_version(&request.caller, kind, &update.name, version)
                .await;
        }
        check_kind(
            kind,
            update.compatible.as_deref(),
            update.components == Some(true),
        )?;
        if let Some(compatible) = &update.compatible {
            self.check_compatible(compatible).await?;
        }
        self.write_once(request.key(), "update template version", move |unit| {
            Box::pin(async move {
                let name = &update.name;
                let mut template = unit.template(kind, name).await?;
                let (Some(state), Some(mut row)) = (
                    template.versions.existing.get(&version),
                    templates::get_version(unit.tx, kind, name, version).await?,
                ) else {
                    return Err(no_such_version(kind, name, version));
                };
                let before = row.clone();
                let mut next = state.clone();
                if update.publish {
                    next = state
                        .step(VersionInput::Publish)
                        .map_err(|refusal| refused(name, version, &refusal))?
                        .next;
                }
                if let Some(text) = update.description {
                    row.description = text;
                }
                if let Some(compatible) = update.compatible {
                    row.compatible = compatible;
                }
                if let Some(components) = update.components {
                    row.components = components;
                }
                // Only the first time: what was withdrawn since does not come back by publishing again.
                let by_publishing = next != *state && unit.settings().templates.approve == Approve::OnPublish;
                if update.approve || by_publishing {
                    let needed = row.approvals.needed.clone();
                    unit.approve(&request.caller, &mut row, needed).await?;
                }
                if next != *state || row != before {
                    template.versions.existing.insert(version, next);
                    template.modified_at = unit.now;
                    templates::put(unit.tx, &mut template).await?;
                    row.modified_at = unit.now;
                    templates::put_version(unit.tx, &row).await?;
                }
                unit.answered(&request, &version.to_string()).await?;
                VersionView::new(&template, row).ok_or_else(|| no_such_version(kind, name, version))
            })
        })
        .await
    }

    /// Approves capabilities of a version, or withdraws that.
    ///
    /// # Errors
    /// When it does not exist, is not registered, or nothing is named.
    pub async fn approve_version(
        &self,
        request: Request,
        approval: Approval,
    ) -> Result<VersionView, AppError> {
        self.may(&request.caller, Action::WriteTemplate).await?;
        let (kind, version) = (approval.kind, approval.version);
        if self.seen(&request).await?.is_some() {
            return self
                .get_version(&request.caller, kind, &approval.name, version)
                .await;
        }
        if approval.capabilities.is_empty() {
            return Err(AppError::invalid("NO_CAPABILITY", "no capability is named")
                .help("name at least one: --capability CAPABILITY_IAM; `hadron template get NAME --version VERSION` says what is needed"));
        }
        self.write_once(request.key(), "approve capabilities", move |unit| {
            Box::pin(async move {
                let name = &approval.name;
                let mut template = unit.template(kind, name).await?;
                let (Some(state), Some(mut row)) = (
                    template.versions.existing.get(&version).cloned(),
                    templates::get_version(unit.tx, kind, name, version).await?,
                ) else {
                    return Err(no_such_version(kind, name, version));
                };
                if !state.deployable() {
                    let refusal = match state {
                        VersionState::Failed(why) => VersionRefusal::Failed(why),
                        _ => VersionRefusal::Registering,
                    };
                    return Err(refused(name, version, &refusal));
                }
                let before = row.clone();
                let asked = words(approval.capabilities);
                if approval.withdraw {
                    unit.withdraw(&request.caller, &mut row, asked).await?;
                } else {
                    unit.approve(&request.caller, &mut row, asked).await?;
                }
                if row != before {
                    template.modified_at = unit.now;
                    templates::put(unit.tx, &mut template).await?;
                    row.modified_at = unit.now;
                    templates::put_version(unit.tx, &row).await?;
                }
                unit.answered(&request, &version.to_string()).await?;
                VersionView::new(&template, row).ok_or_else(|| no_such_version(kind, name, version))
            })
        })
        .await
    }

    /// Deletes a version that nothing is deployed from; one that is being registered is not registered any more.
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
        self.write_once(request.key(), "delete template version", move |unit| {
            Box::pin(async move {
                // The job that fetches its bundle first: an agent that reports it holds that and then asks for the template.
                let fetched = templates::get_version(unit.tx, kind, &name, version).await?;
                if let Some(job) = fetched.and_then(|row| row.job) {
                    jobs::get(unit.tx, job).await?;
                }
                let mut template = unit.template(kind, &name).await?;
                let environment = kind == TemplateKind::Environment;
                let user = targets::using_version(unit.tx, environment, &name, version).await?;
                template
                    .versions
                    .delete(version, user.map(|user| user.target.to_string()))?;
                template.modified_at = unit.now;
                templates::put(unit.tx, &mut template).await?;
                unit.forget_bundle(kind, &name, version).await?;
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
            job: None,
            components: false,
            warnings: Vec::new(),
            approvals: Approvals::default(),
            created_at: at,
            modified_at: at,
        };
        Ok(VersionView {
            row,
            state: VersionState::Draft,
            recommended: None,
        })
    }
}

impl Unit<'_> {
    /// Approves these capabilities, and writes into the audit log which those are. Caller writes the row back.
    async fn approve(
        &mut self,
        caller: &Caller,
        row: &mut VersionRow,
        capabilities: BTreeSet<String>,
    ) -> Result<(), AppError> {
        // Versions of before approvals have all that they need.
        let needed = &row.approvals.needed;
        let approved = row.approvals.approved.get_or_insert_with(|| needed.clone());
        let fresh: Vec<String> = capabilities
            .into_iter()
            .filter(|one| approved.insert(one.clone()))
            .collect();
        self.tell_approval(caller, row, "ApproveCapabilities", &fresh)
            .await
    }

    /// Takes the approval of these capabilities back. Caller writes the row back.
    async fn withdraw(
        &mut self,
        caller: &Caller,
        row: &mut VersionRow,
        capabilities: BTreeSet<String>,
    ) -> Result<(), AppError> {
        let needed = &row.approvals.needed;
        let approved = row.approvals.approved.get_or_insert_with(|| needed.clone());
        let gone: Vec<String> = capabilities
            .into_iter()
            .filter(|one| approved.remove(one))
            .collect();
        self.tell_approval(caller, row, "WithdrawCapabilities", &gone)
            .await
    }

    async fn tell_approval(
        &mut self,
        caller: &Caller,
        row: &VersionRow,
        operation: &str,
        capabilities: &[String],
    ) -> Result<(), AppError> {
        if capabilities.is_empty() {
            return Ok(());
        }
        let object = format!(
            "{} {}:{} {}",
            row.kind.word(),
            row.name,
            row.version,
            capabilities.join(" ")
        );
        let principal = caller.principal.as_str();
        Ok(requests::audit(
            self.tx,
            self.now,
            principal,
            caller.account,
            operation,
            &object,
            "done",
            "",
        )
        .await?)
    }

    /// The bundle was checked and is good: stores it and makes the version a draft. Caller writes both rows back.
    pub(super) async fn registered(
        &mut self,
        template: &mut TemplateRow,
        row: &mut VersionRow,
        archive: &[u8],
        checked: Checked,
    ) -> Result<(), AppError> {
        let state = template
            .versions
            .existing
            .get(&row.version)
            .ok_or_else(|| AppError::internal("a version that is registered has no state"))?;
        signed_for(row.kind, &row.name, row.version.major, &checked)?;
        let next = state
            .step(VersionInput::Registered)
            .map_err(AppError::internal)?
            .next;
        template.versions.existing.insert(row.version, next);
        row.content = Some(Content {
            digest: checked.digest,
            archive: requests::put_blob(self.tx, archive, self.now).await?,
            schema: checked.schema,
        });
        row.warnings = checked.warnings;
        row.approvals.needed = words(checked.needs.capabilities);
        row.approvals.approved.get_or_insert_default();
        row.approvals.publisher = checked
            .signature
            .map(|signature| signature.key.to_string())
            .unwrap_or_default();
        row.modified_at = self.now;
        Ok(())
    }
}

/// Names that no object of S3 has are told at once, not by an agent later.
fn sound(object: &S3Object) -> Result<(), AppError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bucket = object.bucket.as_bytes();
    let named = (3..=63).contains(&bucket.len())
        && bucket.iter().all(|b| inner(*b) || matches!(b, b'.' | b'-'))
        && bucket.first().is_some_and(|b| inner(*b))
        && bucket.last().is_some_and(|b| inner(*b));
    if !named {
        return Err(AppError::invalid(
            "INVALID_ARGUMENT",
            format!("'{}' is no name of an S3 bucket", object.bucket),
        )
        .help("name the bundle as s3://BUCKET/KEY"));
    }
    let key = &object.key;
    if key.is_empty() || key.len() > 1_024 || key.contains('\0') {
        return Err(AppError::invalid(
            "INVALID_ARGUMENT",
            "the key of the bundle's S3 object must have 1 to 1024 bytes",
        )
        .help("name the bundle as s3://BUCKET/KEY"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_s3_never_gives_are_refused() {
        let named = |bucket: &str, key: &str| {
            sound(&S3Object {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            })
        };
        named("bundles.example-1", "a/b.tar.gz").unwrap();
        for bucket in ["", "ab", "Bundles", "-ab", "ab.", "a_b", "a/b", &"a".repeat(64)] {
            let error = named(bucket, "k").unwrap_err();
            assert!(error.message.contains("no name of an S3 bucket"), "{bucket}");
        }
        for key in ["", "a\0b", &"k".repeat(1_025)] {
            named("bundles", key).unwrap_err();
        }
    }
}
