//! What something is made from, or changed to: a template, and a version of it.

use askama::Template;
use hadron_domain::template::{TemplateKind, VersionState};
use hadron_proto::vocab::{TemplateName, TemplateVersion};

use super::show::{Html, Shown, wrong};
use super::target::PAGE;
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::environments::UpdateMode;
use crate::app::templates::VersionView;
use crate::store::templates::TemplateRow;

/// A choice among templates.
#[derive(Template)]
#[template(path = "choose_template.html")]
pub(super) struct Choose<'a> {
    pub(super) v: &'a Visit,
    pub(super) action: &'a str,
    /// Name, and what people say about it.
    pub(super) templates: Vec<(String, String)>,
    pub(super) kept: Vec<(String, String)>,
}

/// Templates of a kind that something can be made from.
pub(super) async fn choose(v: &Visit, kind: TemplateKind, action: &str) -> Result<Shown, AppError> {
    let none = (String::new(), String::new());
    let rows = v.app.list_templates(&v.caller, Some(kind), none, PAGE).await?;
    let published = |row: &TemplateRow| row.versions.recommended().is_some();
    let mut kept = v.query.clone().0;
    kept.retain(|(name, _)| ["connection", "name"].contains(&name.as_str()));
    let choose = Choose {
        v,
        action,
        templates: rows
            .iter()
            .filter(|row| published(row))
            .map(|row| {
                let said = [row.display_name.as_str(), row.description.as_str()];
                let said: Vec<&str> = said.into_iter().filter(|text| !text.is_empty()).collect();
                (row.name.to_string(), said.join(": "))
            })
            .collect(),
        kept,
    };
    let mut shown = Shown::titled(match kind {
        TemplateKind::Environment => v.t.environment_create,
        TemplateKind::Service => v.t.service_create,
    });
    shown.fixed = Html::of(&choose)?;
    Ok(shown)
}

/// The template that a form is about, with the version that it names, or the recommended one.
pub(super) async fn template_of(
    v: &Visit,
    kind: TemplateKind,
    fields: &Fields,
) -> Result<(TemplateRow, VersionView), AppError> {
    let name: TemplateName = fields
        .get("template")
        .parse()
        .map_err(|error| wrong("template", error))?;
    let template = v.app.get_template(&v.caller, kind, &name).await?;
    let version = match fields.some("version") {
        Some(text) => text.parse().map_err(|error| wrong("version", error))?,
        None => template
            .versions
            .recommended()
            .ok_or_else(|| AppError::not_found("template", format!("{name} with a published version")))?,
    };
    let view = v.app.get_version(&v.caller, kind, &name, version).await?;
    Ok((template, view))
}

/// Versions that something may be changed to: published ones, from the present one on.
pub(super) fn versions(
    template: &TemplateRow,
    now: TemplateVersion,
    chosen: TemplateVersion,
) -> Vec<(String, bool)> {
    let published = template.versions.existing.iter().filter(|(version, state)| {
        **version == now || (**version > now && matches!(state, VersionState::Published))
    });
    published
        .map(|(version, _)| (version.to_string(), *version == chosen))
        .collect()
}

/// How a change is called that goes from one version to another.
pub(super) const fn mode(from: TemplateVersion, to: TemplateVersion) -> UpdateMode {
    if from.major != to.major {
        UpdateMode::Major
    } else if from.minor != to.minor {
        UpdateMode::Minor
    } else {
        UpdateMode::Current
    }
}
