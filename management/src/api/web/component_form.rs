//! The form that makes or changes a component: its files are written into it, or chosen.

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::component::{Attachment, Change};
use hadron_proto::vocab::{ComponentName, EnvironmentName};

use super::deed::{Deed, Outcome, again, named};
use super::show::{Html, Shown, wrong};
use super::target::{PAGE, begun};
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::components::{ComponentUpdate, ComponentView, NewComponent};
use crate::store::targets::Filter;

/// Fields with a text that may be a file instead, which is named with `_file` behind it.
const TEXTS: [&str; 3] = ["template", "manifest", "service_spec"];
/// What a component needs that nobody wrote a manifest for.
const MANIFEST: &str = "infrastructure:
  templates:
    - file: component.yaml
      rendering_engine: jinja
      template_language: cloudformation
";

#[derive(Template)]
#[template(path = "component_form.html")]
struct Form<'a> {
    v: &'a Visit,
    new: bool,
    action: String,
    fields: &'a Fields,
    /// Instances, and whether it is to be attached to that.
    instances: Vec<(String, bool)>,
    environments: Vec<(String, bool)>,
    attached: String,
}

/// Names of things of a kind.
async fn names(v: &Visit, kind: &'static str) -> Result<Vec<String>, AppError> {
    let action = match kind {
        "environment" => Action::ReadEnvironment,
        _ => Action::ReadService,
    };
    if !v.may(action) {
        return Ok(Vec::new());
    }
    let filter = Filter {
        kind,
        ..Filter::default()
    };
    let none = (String::new(), String::new());
    let rows = v.app.list_targets(&v.caller, filter, none, PAGE).await?;
    Ok(rows.iter().map(|row| row.target.name()).collect())
}

async fn form(v: &Visit, of: Option<&ComponentView>, fields: &Fields) -> Result<Shown, AppError> {
    let chosen = |field: &str, names: Vec<String>| -> Vec<(String, bool)> {
        let now = fields.get(field);
        names
            .into_iter()
            .map(|name| (name.clone(), name == now))
            .collect()
    };
    let attached = of.and_then(|view| view.component.shape.attached.as_ref());
    let form = Form {
        v,
        new: of.is_none(),
        action: match of {
            None => "/components/new".to_owned(),
            Some(view) => format!("/components/{}/edit", view.component.name),
        },
        fields,
        instances: chosen("attach", names(v, "instance").await?),
        environments: chosen("environment", names(v, "environment").await?),
        attached: attached.map(ToString::to_string).unwrap_or_default(),
    };
    let mut shown = match of {
        None => Shown::titled(v.t.component_create),
        Some(view) => Shown::titled(format!("{} \u{2013} {}", view.component.name, v.t.change)),
    };
    shown.lead = v.t.component_form_lead.to_owned();
    shown.fixed = Html::of(&form)?;
    Ok(shown)
}

/// The form for a new one.
pub(super) async fn new(v: &Visit) -> Result<Shown, AppError> {
    v.app.may(&v.caller, Action::WriteComponent).await?;
    let mut fields = v.query.clone();
    if fields.some("manifest").is_none() {
        fields.0.push(("manifest".to_owned(), MANIFEST.to_owned()));
    }
    form(v, None, &fields).await
}

/// The component that a form changes, if the visitor may.
async fn writable(v: &Visit, name: &ComponentName) -> Result<ComponentView, AppError> {
    let view = v.app.get_component(&v.caller, name).await?;
    let place = view.target.place();
    v.app.may_at(&v.caller, Action::WriteComponent, &place).await?;
    Ok(view)
}

/// The form that changes one.
pub(super) async fn edit(v: &Visit, name: &ComponentName) -> Result<Shown, AppError> {
    let view = writable(v, name).await?;
    let shape = &view.component.shape;
    let fields = [
        ("description", view.target.description.as_str()),
        ("template", shape.template_file.as_str()),
        ("service_spec", shape.service_spec.as_str()),
    ];
    let fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned()));
    form(v, Some(&view), &Fields(fields.to_vec())).await
}

/// What a form says, with files in place of what was written beside them.
fn written(deed: &Deed) -> Result<Fields, AppError> {
    let mut fields = deed.form.clone();
    for name in TEXTS {
        let Some(content) = deed.upload(&format!("{name}_file")) else {
            continue;
        };
        let text =
            String::from_utf8(content.to_vec()).map_err(|_| wrong(name, "the file is not UTF-8 text"))?;
        fields.0.retain(|(field, _)| field != name);
        fields.0.push((name.to_owned(), text));
    }
    for (name, text) in &mut fields.0 {
        if TEXTS.contains(&name.as_str()) {
            *text = text.replace("\r\n", "\n");
        }
    }
    Ok(fields)
}

/// The instance of a word like `web/blue`.
fn attachment(word: &str) -> Result<Attachment, AppError> {
    let (service, instance) = word
        .split_once('/')
        .ok_or_else(|| wrong("attach", format!("'{word}' is no instance: SERVICE/INSTANCE")))?;
    Ok(Attachment {
        service: service.parse().map_err(|error| wrong("attach", error))?,
        instance: instance.parse().map_err(|error| wrong("attach", error))?,
    })
}

/// Makes one.
pub(super) async fn create(deed: &Deed) -> Result<Outcome, AppError> {
    let v = &deed.visit;
    v.app.may(&v.caller, Action::WriteComponent).await?;
    let fields = written(deed)?;
    let created = async {
        let attached = fields.some("attach").map(attachment).transpose()?;
        let new = NewComponent {
            name: deed.word("name")?,
            description: deed.description()?,
            // Attached components live in the environment of their instance.
            environment: match attached {
                Some(_) => None,
                None => deed.word_opt::<EnvironmentName>("environment")?,
            },
            attached,
            service_spec: fields.some("service_spec").map(str::to_owned),
            manifest: fields.get("manifest").to_owned(),
            template_file: fields.get("template").to_owned(),
        };
        v.app.create_component(deed.request("CreateComponent"), new).await
    };
    match Box::pin(created).await {
        Ok(view) => Ok(Outcome::Done(begun(&view.target))),
        Err(error) => Ok(again(error, form(v, None, &fields).await?)),
    }
}

/// Changes one.
pub(super) async fn update(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let (v, name) = (&deed.visit, named::<ComponentName>("component", name)?);
    let view = writable(v, &name).await?;
    let fields = written(deed)?;
    let updated = async {
        let change = match (fields.get("change"), fields.some("attach")) {
            ("detach", _) => Change::Detach,
            ("attach", Some(word)) => Change::Attach(attachment(word)?),
            ("attach", None) => return Err(wrong("attach", "choose the instance that it is attached to")),
            _ => Change::Keep,
        };
        let update = ComponentUpdate {
            name: name.clone(),
            deploy: true,
            description: Some(deed.description()?),
            change,
            service_spec: fields.some("service_spec").map(str::to_owned),
            template_file: Some(fields.get("template").to_owned()),
        };
        v.app
            .update_component(deed.request("UpdateComponent"), update)
            .await
    };
    match Box::pin(updated).await {
        Ok(view) => Ok(Outcome::Done(begun(&view.target))),
        Err(error) => Ok(again(error, form(v, Some(&view), &fields).await?)),
    }
}
