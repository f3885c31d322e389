//! Registering bundles: a new template with its first version, or a new version of one that there is.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::template::{CompatibleTemplate, TemplateKind};
use hadron_proto::vocab::TemplateName;

use super::deed::{Deed, Outcome, again, named};
use super::show::{Html, Shown, wrong};
use super::view::kind as kind_of;
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::templates::{BundleSource, NewTemplate, NewVersion, VersionView};
use crate::store::templates::TemplateRow;

/// The field with the bundle.
const BUNDLE: &str = "bundle";

#[derive(Template)]
#[template(path = "register.html")]
struct Form<'a> {
    v: &'a Visit,
    /// What was written, or stands in the address.
    fields: &'a Fields,
    action: String,
    /// Of which template it is a version; `None` for a new one.
    of: Option<(&'static str, String)>,
    /// Major versions that there are.
    majors: Vec<(u32, bool)>,
    service: bool,
    /// Something was refused: files have to be chosen again.
    again: bool,
}

/// The form for a new template.
pub(super) async fn new_template(v: &Visit) -> Result<Shown, AppError> {
    v.app.may(&v.caller, Action::WriteTemplate).await?;
    template_form(v, &v.query, false)
}

fn template_form(v: &Visit, fields: &Fields, again: bool) -> Result<Shown, AppError> {
    let mut shown = Shown::titled(v.t.template_create);
    shown.lead = v.t.template_create_lead.to_owned();
    shown.fixed = Html::of(&Form {
        v,
        fields,
        action: "/catalog/new".to_owned(),
        of: None,
        majors: Vec::new(),
        service: fields.get("kind") == TemplateKind::Service.word(),
        again,
    })?;
    Ok(shown)
}

/// The form for a new version.
pub(super) async fn new_version(
    v: &Visit,
    kind: TemplateKind,
    name: &TemplateName,
) -> Result<Shown, AppError> {
    v.app.may(&v.caller, Action::WriteTemplate).await?;
    let row = v.app.get_template(&v.caller, kind, name).await?;
    version_form(v, &row, &v.query, false)
}

fn version_form(v: &Visit, row: &TemplateRow, fields: &Fields, again: bool) -> Result<Shown, AppError> {
    let mut majors: Vec<u32> = row
        .versions
        .existing
        .keys()
        .map(|version| version.major)
        .collect();
    majors.dedup();
    let last = majors.last().copied();
    let chosen = match fields.some("major") {
        Some("new") => None,
        Some(text) => text.parse().ok(),
        None => last,
    };
    let mut shown = Shown::titled(row.name.to_string());
    shown.lead = v.t.version_register.to_owned();
    shown.fixed = Html::of(&Form {
        v,
        fields,
        action: format!("/catalog/{}/{}/new", row.kind.word(), row.name),
        of: Some((row.kind.word(), row.name.to_string())),
        majors: majors
            .into_iter()
            .map(|major| (major, Some(major) == chosen))
            .collect(),
        service: row.kind == TemplateKind::Service,
        again,
    })?;
    Ok(shown)
}

/// Environment templates that a version runs in, one a line.
fn compatible(deed: &Deed) -> Result<Vec<CompatibleTemplate>, AppError> {
    let words = deed.form.get("compatible").split([',', '\n', ' ', '\r']);
    words
        .filter(|word| !word.is_empty())
        .map(|word| word.parse().map_err(|error| wrong("compatible", error)))
        .collect()
}

/// A version as a form has it.
fn version_of(deed: &Deed, kind: TemplateKind, name: &TemplateName) -> Result<NewVersion, AppError> {
    let bundle = deed.upload(BUNDLE).ok_or_else(|| {
        wrong(BUNDLE, "no file was chosen")
            .help("choose the .tar.gz or .zip of the version's folder: tar -C v1 -czf bundle.tar.gz .")
    })?;
    let major = match deed.form.some("major") {
        None | Some("new") => None,
        Some(text) => Some(text.parse().map_err(|error| wrong("major", error))?),
    };
    Ok(NewVersion {
        kind,
        name: name.clone(),
        major,
        source: BundleSource::Archive(bundle.to_vec()),
        description: deed.description()?,
        compatible: compatible(deed)?,
        components: deed.form.some("components").is_some(),
    })
}

fn done(kind: TemplateKind, view: &VersionView) -> Outcome {
    let (kind, name, version) = (kind.word(), &view.row.name, view.row.version);
    Outcome::Done(format!("/catalog/{kind}/{name}/{version}?done=registered"))
}

/// Makes a template with its first version.
pub(super) async fn create(deed: &Deed) -> Result<Outcome, AppError> {
    let v = &deed.visit;
    v.app.may(&v.caller, Action::WriteTemplate).await?;
    match Box::pin(created(deed)).await {
        Ok((kind, view)) => Ok(done(kind, &view)),
        Err(error) => Ok(again(error, template_form(v, &deed.form, true)?)),
    }
}

async fn created(deed: &Deed) -> Result<(TemplateKind, VersionView), AppError> {
    let v = &deed.visit;
    let word = deed.form.get("kind");
    let kind = kind_of(word).ok_or_else(|| wrong("kind", "choose what the template is for"))?;
    let name: TemplateName = deed.word("name")?;
    let version = version_of(deed, kind, &name)?;
    let new = NewTemplate {
        display_name: deed.form.get("display_name").trim().to_owned(),
        description: version.description.clone(),
        no_pipeline: deed.form.some("no_pipeline").is_some(),
        customer_managed: deed.form.some("customer_managed").is_some(),
        ..NewTemplate::named(kind, name.clone())
    };
    let mut first = deed.request("CreateTemplate");
    // One id for each write: an id that comes with another request is refused.
    first.id = first.id.map(|id| format!("{id}-template"));
    v.app.create_template(first, new).await?;
    let made = v
        .app
        .create_version(deed.request("CreateTemplateVersion"), version);
    match Box::pin(made).await {
        Ok(view) => Ok((kind, view)),
        Err(error) => {
            // Whoever mends the bundle begins where they were: without a template that has nothing.
            let mut gone = deed.request("DeleteTemplate");
            gone.id = None;
            if let Err(other) = v.app.delete_template(gone, kind, name).await {
                super::visit::note(&other);
            }
            Err(error)
        }
    }
}

/// Makes a version of a template that there is.
pub(super) async fn create_version(deed: &Deed, kind: &str, name: &str) -> Result<Outcome, AppError> {
    let v = &deed.visit;
    v.app.may(&v.caller, Action::WriteTemplate).await?;
    let kind = kind_of(kind).ok_or_else(|| AppError::not_found("template", kind))?;
    let name: TemplateName = named("template", name)?;
    let row = v.app.get_template(&v.caller, kind, &name).await?;
    let registered = async {
        let version = version_of(deed, kind, &name)?;
        v.app
            .create_version(deed.request("CreateTemplateVersion"), version)
            .await
    };
    match Box::pin(registered).await {
        Ok(view) => Ok(done(kind, &view)),
        Err(error) => Ok(again(error, version_form(v, &row, &deed.form, true)?)),
    }
}
