//! What is in the bundle of a version: what its publisher wrote about it, and what is different from another version; and
//! what was made of it for a deployment.

use askama::Template;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{DeploymentId, TemplateName, TemplateVersion};
use hadron_templates::{Became, Differences, FileDifference, InputDifference, InputType, Line};

use super::form::version_label;
use super::markdown;
use super::show::{Html, Link, Shown, wrong};
use super::visit::Visit;
use crate::app::AppError;

fn version_page(v: &Visit, kind: TemplateKind, name: &TemplateName, version: TemplateVersion) -> Link {
    let to = format!("/catalog/{}/{name}/{version}", kind.word());
    Link::to(to, v.t.version)
}

#[derive(Template)]
#[template(path = "readme.html")]
struct Readme<'a> {
    v: &'a Visit,
    text: Option<Html>,
}

/// What the publisher wrote.
pub(super) async fn readme(
    v: &Visit,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
) -> Result<Shown, AppError> {
    let text = v.app.version_readme(&v.caller, kind, name, version).await?;
    let mut shown = Shown::titled(version_label(name, version));
    shown.lead = v.t.readme_lead.to_owned();
    shown.actions.push(version_page(v, kind, name, version));
    shown.fixed = Html::of(&Readme {
        v,
        text: text.as_deref().map(markdown::html),
    })?;
    Ok(shown)
}

/// An input that is different, in words.
struct Input {
    name: String,
    of: &'static str,
    what: &'static str,
    class: &'static str,
    /// The schema's word, what it was, what it is.
    changes: Vec<(String, String, String)>,
    required: bool,
}

impl Input {
    fn of(v: &Visit, input: InputDifference) -> Self {
        let t = v.t;
        let (what, class, changes, required) = match input.what {
            Became::Added { required } => (t.difference_added, "good", Vec::new(), required),
            Became::Removed => (t.difference_removed, "bad", Vec::new(), false),
            Became::Changed(changes) => (t.difference_changed, "busy", changes, false),
        };
        Self {
            name: input.name,
            of: match input.of {
                InputType::Environment => t.environment,
                InputType::Service => t.instance,
                InputType::Pipeline => t.pipeline,
            },
            what,
            class,
            changes,
            required,
        }
    }
}

/// Lines of a difference: the class of each, and its text behind its sign.
fn signed(lines: Vec<Line>) -> Vec<(&'static str, String)> {
    let line = |line| match line {
        Line::At(before, now) => ("at", format!("@@ -{before} +{now} @@")),
        Line::Same(text) => ("same", format!(" {text}")),
        Line::Gone(text) => ("gone", format!("-{text}")),
        Line::New(text) => ("new", format!("+{text}")),
    };
    lines.into_iter().map(line).collect()
}

/// A file that is different.
struct File {
    path: String,
    what: &'static str,
    class: &'static str,
    /// As [`signed`] gives them; none where it is no text.
    lines: Option<Vec<(&'static str, String)>>,
    cut: bool,
}

impl File {
    fn of(v: &Visit, file: FileDifference) -> Self {
        let t = v.t;
        let (what, class) = match file.there {
            (false, _) => (t.difference_added, "good"),
            (true, false) => (t.difference_removed, "bad"),
            (true, true) => (t.difference_changed, "busy"),
        };
        Self {
            path: file.path,
            what,
            class,
            lines: file.lines.map(signed),
            cut: file.cut,
        }
    }
}

#[derive(Template)]
#[template(path = "differences.html")]
struct Page<'a> {
    v: &'a Visit,
    action: String,
    /// Other versions, and whether it is compared with that.
    versions: Vec<(String, bool)>,
    inputs: Vec<Input>,
    files: Vec<File>,
}

/// What is different in a version, compared with the one that the address names, or with the one before it.
pub(super) async fn differences(
    v: &Visit,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
) -> Result<Shown, AppError> {
    let template = v.app.get_template(&v.caller, kind, name).await?;
    let all = template.versions.existing.iter();
    let others: Vec<TemplateVersion> = all
        .filter(|(other, state)| **other != version && state.deployable())
        .map(|(other, _)| *other)
        .collect();
    let before = match v.query.some("from") {
        Some(text) => Some(text.parse().map_err(|error| wrong("from", error))?),
        None => others
            .iter()
            .rfind(|other| **other < version)
            .or_else(|| others.first())
            .copied(),
    };
    let found = match before {
        Some(before) => {
            let both = (before, version);
            v.app.version_differences(&v.caller, kind, name, both).await?
        }
        None => {
            v.app.get_version(&v.caller, kind, name, version).await?;
            Differences::default()
        }
    };
    let mut shown = Shown::titled(version_label(name, version));
    shown.lead = match before {
        Some(before) => format!("{} {before}", v.t.differences_from),
        None => v.t.differences_none_other.to_owned(),
    };
    shown.actions.push(version_page(v, kind, name, version));
    shown.fixed = Html::of(&Page {
        v,
        action: format!("/catalog/{}/{name}/{version}/changes", kind.word()),
        versions: others
            .iter()
            .map(|other| (other.to_string(), Some(*other) == before))
            .collect(),
        inputs: found
            .inputs
            .into_iter()
            .map(|input| Input::of(v, input))
            .collect(),
        files: found.files.into_iter().map(|file| File::of(v, file)).collect(),
    })?;
    Ok(shown)
}

#[derive(Template)]
#[template(path = "rendered.html")]
struct Rendered<'a> {
    v: &'a Visit,
    text: String,
    digest: String,
    before: String,
    lines: Vec<(&'static str, String)>,
    cut: bool,
}

/// The template that was rendered for a deployment, and what is different from the one before it.
pub(super) async fn rendered(v: &Visit, id: DeploymentId) -> Result<Shown, AppError> {
    let found = v.app.compared_template(&v.caller, id).await?;
    let mut shown = Shown::titled(format!("{} {}", found.target.kind(), found.target.name()));
    shown.lead = v.t.rendered_lead.to_owned();
    shown
        .actions
        .push(Link::to(format!("/deployments/{id}"), v.t.deployment));
    shown.fixed = Html::of(&Rendered {
        v,
        text: found.text,
        digest: found.digest.to_string(),
        before: found.before.map(|id| id.to_string()).unwrap_or_default(),
        lines: signed(found.lines),
        cut: found.cut,
    })?;
    Ok(shown)
}
