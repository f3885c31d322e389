//! Which page an address is, and what is on it.

use futures::future::BoxFuture;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{
    ComponentName, ConnectionId, DeploymentId, EnvironmentName, InstanceName, ServiceName, TemplateName,
    TemplateVersion,
};

use super::show::{Html, Shown};
use super::visit::{Fields, Visit};
use super::{
    agents, audit, catalog, component_form, components, connections, contents, deployments, environments,
    grants, insights, overview, parts, register, services, settings,
};
use crate::app::AppError;

/// What addresses of pages begin with.
pub(super) const NOUNS: [&str; 11] = [
    "connections",
    "catalog",
    "environments",
    "services",
    "components",
    "deployments",
    "insights",
    "grants",
    "agents",
    "audit",
    "settings",
];

/// How many lines are asked for at once.
pub(super) const LINES: usize = 500;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    Overview,
    Connections,
    Connection(ConnectionId),
    Catalog,
    NewTemplate,
    Template(TemplateKind, TemplateName),
    NewVersion(TemplateKind, TemplateName),
    Version(TemplateKind, TemplateName, TemplateVersion),
    Readme(TemplateKind, TemplateName, TemplateVersion),
    Differences(TemplateKind, TemplateName, TemplateVersion),
    Environments,
    NewEnvironment,
    Environment(EnvironmentName),
    EditEnvironment(EnvironmentName),
    DeleteEnvironment(EnvironmentName),
    Services,
    NewService,
    Service(ServiceName),
    EditService(ServiceName),
    DeleteService(ServiceName),
    Instance(ServiceName, InstanceName),
    EditInstance(ServiceName, InstanceName),
    Pipeline(ServiceName),
    EditPipeline(ServiceName),
    Components,
    NewComponent,
    Component(ComponentName),
    EditComponent(ComponentName),
    Deployments,
    Deployment(DeploymentId),
    Rendered(DeploymentId),
    Insights,
    Grants,
    Agents,
    Audit,
    Settings,
}

/// The parts of a path.
pub(super) fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// The kind of template that an address names.
pub(super) fn kind(word: &str) -> Option<TemplateKind> {
    [TemplateKind::Environment, TemplateKind::Service]
        .into_iter()
        .find(|kind| kind.word() == word)
}

impl View {
    /// The page at an address; `None` when there can be none.
    pub(super) fn parse(path: &str, _query: &Fields) -> Option<Self> {
        let parts = segments(path);
        Some(match parts[..] {
            [] => Self::Overview,
            ["connections"] => Self::Connections,
            ["connections", id] => Self::Connection(id.parse().ok()?),
            ["catalog"] => Self::Catalog,
            ["catalog", "new"] => Self::NewTemplate,
            ["catalog", of, name, "new"] => Self::NewVersion(kind(of)?, name.parse().ok()?),
            ["catalog", of, name] => Self::Template(kind(of)?, name.parse().ok()?),
            ["catalog", of, name, version] => {
                Self::Version(kind(of)?, name.parse().ok()?, version.parse().ok()?)
            }
            ["catalog", of, name, version, "readme"] => {
                Self::Readme(kind(of)?, name.parse().ok()?, version.parse().ok()?)
            }
            ["catalog", of, name, version, "changes"] => {
                Self::Differences(kind(of)?, name.parse().ok()?, version.parse().ok()?)
            }
            ["environments"] => Self::Environments,
            ["environments", "new"] => Self::NewEnvironment,
            ["environments", name] => Self::Environment(name.parse().ok()?),
            ["environments", name, "edit"] => Self::EditEnvironment(name.parse().ok()?),
            ["environments", name, "delete"] => Self::DeleteEnvironment(name.parse().ok()?),
            ["services"] => Self::Services,
            ["services", "new"] => Self::NewService,
            ["services", name] => Self::Service(name.parse().ok()?),
            ["services", name, "edit"] => Self::EditService(name.parse().ok()?),
            ["services", name, "delete"] => Self::DeleteService(name.parse().ok()?),
            ["services", service, "pipeline"] => Self::Pipeline(service.parse().ok()?),
            ["services", service, "pipeline", "edit"] => Self::EditPipeline(service.parse().ok()?),
            ["services", service, "instances", name, "edit"] => {
                Self::EditInstance(service.parse().ok()?, name.parse().ok()?)
            }
            ["services", service, "instances", name] => {
                Self::Instance(service.parse().ok()?, name.parse().ok()?)
            }
            ["components"] => Self::Components,
            ["components", "new"] => Self::NewComponent,
            ["components", name, "edit"] => Self::EditComponent(name.parse().ok()?),
            ["components", name] => Self::Component(name.parse().ok()?),
            ["deployments"] => Self::Deployments,
            ["deployments", id] => Self::Deployment(id.parse().ok()?),
            ["deployments", id, "template"] => Self::Rendered(id.parse().ok()?),
            ["insights"] => Self::Insights,
            ["grants"] => Self::Grants,
            ["agents"] => Self::Agents,
            ["audit"] => Self::Audit,
            ["settings"] => Self::Settings,
            _ => return None,
        })
    }

    /// What is on the page for this visitor now.
    ///
    /// # Errors
    /// When they may not see it, or there is no such thing.
    pub(super) fn show<'a>(&'a self, v: &'a Visit) -> BoxFuture<'a, Result<Shown, AppError>> {
        Box::pin(async move {
            match self {
                Self::Overview => overview::show(v).await,
                Self::Connections => connections::list(v).await,
                Self::Connection(id) => connections::one(v, *id).await,
                Self::Catalog => catalog::list(v).await,
                Self::NewTemplate => register::new_template(v).await,
                Self::NewVersion(kind, name) => register::new_version(v, *kind, name).await,
                Self::Template(kind, name) => catalog::template(v, *kind, name).await,
                Self::Version(kind, name, version) => catalog::version(v, *kind, name, *version).await,
                Self::Readme(kind, name, version) => contents::readme(v, *kind, name, *version).await,
                Self::Differences(kind, name, version) => {
                    contents::differences(v, *kind, name, *version).await
                }
                Self::Environments => environments::list(v).await,
                Self::NewEnvironment => environments::new(v).await,
                Self::Environment(name) => environments::one(v, name).await,
                Self::EditEnvironment(name) => environments::edit(v, name).await,
                Self::DeleteEnvironment(name) => environments::delete(v, name).await,
                Self::Services => services::list(v).await,
                Self::NewService => services::new(v).await,
                Self::Service(name) => services::one(v, name).await,
                Self::EditService(name) => services::edit(v, name).await,
                Self::DeleteService(name) => services::delete(v, name).await,
                Self::Instance(service, name) => parts::instance(v, service, name).await,
                Self::EditInstance(service, name) => parts::edit_part(v, service, Some(name)).await,
                Self::Pipeline(service) => parts::pipeline(v, service).await,
                Self::EditPipeline(service) => parts::edit_part(v, service, None).await,
                Self::Components => components::list(v).await,
                Self::NewComponent => component_form::new(v).await,
                Self::EditComponent(name) => component_form::edit(v, name).await,
                Self::Component(name) => components::one(v, name).await,
                Self::Deployments => deployments::list(v).await,
                Self::Deployment(id) => deployments::one(v, *id).await,
                Self::Rendered(id) => contents::rendered(v, *id).await,
                Self::Insights => insights::show(v).await,
                Self::Grants => grants::show(v).await,
                Self::Agents => agents::show(v).await,
                Self::Audit => audit::show(v).await,
                Self::Settings => settings::show(v).await,
            }
        })
    }

    /// A number that is another one whenever what is on the page is another one for the same visitor with the same rights;
    /// `None` where only the page itself tells.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    pub(super) async fn mark(&self, v: &Visit) -> Result<Option<u64>, AppError> {
        match self {
            Self::Deployment(id) => v.app.deployment_generation(&v.caller, *id).await,
            _ => Ok(None),
        }
    }

    /// The lines of the page that came after this number, each with its own: the first [`LINES`] of them.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    pub(super) async fn lines(&self, v: &Visit, after: u64) -> Result<Vec<(u64, Html)>, AppError> {
        match self {
            Self::Deployment(id) => deployments::lines(v, *id, after).await,
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_pages_or_nothing() {
        let view = |path: &str| View::parse(path, &Fields::default());
        assert_eq!(view("/"), Some(View::Overview));
        assert_eq!(view("/environments/new"), Some(View::NewEnvironment));
        assert_eq!(
            view("/environments/prd"),
            Some(View::Environment("prd".parse().unwrap()))
        );
        assert!(view("/catalog/service/web/1.0").is_some());
        for wrong in [
            "/connections/prd",
            "/deployments/conn_0",
            "/environments/a%20b",
            "/environments/-",
            "/catalog/other/web",
            "/catalog/service/web/one",
            "/nothing",
        ] {
            assert_eq!(view(wrong), None, "{wrong}");
        }
    }
}
