//! Components: stacks that developers add by themselves. Here they are looked at and deleted; the form that makes and changes
//! them is in [`component_form`](super::component_form).

use askama::Template;
use hadron_domain::authority::Action;
use hadron_proto::vocab::ComponentName;

use super::deed::{Deed, Outcome, again, named};
use super::deletion::{Delete, retainable, retained, typed};
use super::show::{Html, Link, Shown};
use super::target::{self, Line, Lines, PAGE, begun};
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::store::components::Filter;

/// All of them.
pub(super) async fn list(v: &Visit) -> Result<Shown, AppError> {
    let after = v.query.get("after").to_owned();
    let views = v
        .app
        .list_components(&v.caller, Filter::default(), after, PAGE)
        .await?;
    let next = views.last().filter(|_| views.len() >= PAGE as usize);
    let lines = Lines {
        v,
        caption: v.t.nav_components,
        kinds: false,
        environments: true,
        templates: false,
        lines: views.iter().map(|view| Line::of(&view.target)).collect(),
        next: next
            .map(|view| format!("/components?after={}", view.component.name))
            .unwrap_or_default(),
    };
    let mut shown = Shown::titled(v.t.nav_components);
    shown.lead = v.t.components_lead.to_owned();
    shown.live = Some(Html::of(&lines)?);
    if v.may(Action::WriteComponent) {
        shown
            .actions
            .push(Link::to("/components/new", v.t.component_create));
    }
    Ok(shown)
}

#[derive(Template)]
#[template(path = "component.html")]
struct One<'a> {
    v: &'a Visit,
    attached: String,
    attached_href: String,
    manifest: &'a str,
    template_file: &'a str,
    service_spec: &'a str,
    target: Html,
}

/// One of them.
pub(super) async fn one(v: &Visit, name: &ComponentName) -> Result<Shown, AppError> {
    with(v, name, &v.query).await
}

async fn with(v: &Visit, name: &ComponentName, fields: &Fields) -> Result<Shown, AppError> {
    let view = v.app.get_component(&v.caller, name).await?;
    let shape = &view.component.shape;
    let attached = shape.attached.as_ref();
    let one = One {
        v,
        attached: attached
            .map(|to| format!("{}/{}", to.service, to.instance))
            .unwrap_or_default(),
        attached_href: attached
            .map(|to| format!("/services/{}/instances/{}", to.service, to.instance))
            .unwrap_or_default(),
        manifest: &view.component.manifest,
        template_file: &shape.template_file,
        service_spec: &shape.service_spec,
        target: target::view(v, &view.target).await?,
    };
    let mut shown = Shown::titled(name.to_string());
    shown.lead = v.t.component.to_owned();
    shown.live = Some(Html::of(&one)?);
    if v.may_at(Action::WriteComponent, &view.target.place()) {
        shown
            .actions
            .push(Link::to(format!("/components/{name}/edit"), v.t.change));
        let delete = Delete {
            v,
            action: format!("/components/{name}/delete"),
            name: name.to_string(),
            typed: fields.get("name"),
            retain: retainable(&view.target, fields),
        };
        let form = Html::of(&delete)?;
        shown.fixed = Html(format!(
            "<details><summary>{}</summary>{form}</details>",
            v.t.delete
        ));
    }
    Ok(shown)
}

/// Deletes one.
pub(super) async fn remove(deed: &Deed, name: &str) -> Result<Outcome, AppError> {
    let (v, name) = (&deed.visit, named::<ComponentName>("component", name)?);
    let removed = async {
        typed(deed, name.as_str())?;
        let request = deed.request("DeleteComponent");
        v.app
            .delete_component(request, name.clone(), retained(deed))
            .await
    };
    match Box::pin(removed).await {
        Ok(view) => Ok(Outcome::Done(begun(&view.target))),
        Err(error) => {
            let shown = with(v, &name, &deed.form).await?;
            Ok(again(error, shown))
        }
    }
}
