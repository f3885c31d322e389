//! How many there are of everything, how many failed, and how many are behind what their templates recommend.

use std::collections::BTreeMap;

use hadron_domain::authority::{Action, Caller};
use hadron_domain::template::{Standing, TemplateKind, Versions};
use hadron_proto::vocab::TemplateName;

use super::{App, AppError};
use crate::store::summary::{self, Group};
use crate::store::{Tx, templates};

/// How many of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub total: u64,
    /// Those whose last change failed.
    pub failed: u64,
    /// Those that run what is recommended.
    pub up_to_date: u64,
    /// Those that a higher major version is recommended for.
    pub behind_major: u64,
    /// Those that a higher minor version is recommended for.
    pub behind_minor: u64,
}

/// How many of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Environment templates.
    pub environment_templates: u64,
    /// Service templates.
    pub service_templates: u64,
    /// Environments.
    pub environments: Count,
    /// Services; the oldest part of a service says how far it is behind.
    pub services: Count,
    /// Service instances.
    pub instances: Count,
    /// Pipelines.
    pub pipelines: Count,
    /// Components; they are made from no template and so never behind.
    pub components: Count,
}

/// Versions of the templates that were looked at.
#[derive(Default)]
pub(super) struct Known(BTreeMap<(TemplateKind, TemplateName), Option<Versions>>);

impl Known {
    pub(super) async fn standing(
        &mut self,
        tx: &mut Tx,
        kind: TemplateKind,
        group: &Group,
    ) -> Result<Standing, AppError> {
        let Some(name) = &group.template else {
            return Ok(Standing::UpToDate);
        };
        let key = (kind, name.clone());
        if !self.0.contains_key(&key) {
            let versions = templates::get(tx, kind, name).await?.map(|row| row.versions);
            self.0.insert(key.clone(), versions);
        }
        let versions = self.0.get(&key).and_then(Option::as_ref);
        Ok(versions.map_or(Standing::UpToDate, |versions| versions.standing(group.version)))
    }

    async fn count(&mut self, tx: &mut Tx, kind: TemplateKind, groups: &[Group]) -> Result<Count, AppError> {
        let mut count = Count::default();
        for group in groups {
            count.total += group.count;
            if group.status.contains("FAILED") {
                count.failed += group.count;
            }
            match self.standing(tx, kind, group).await? {
                Standing::UpToDate => count.up_to_date += group.count,
                Standing::BehindMinor => count.behind_minor += group.count,
                Standing::BehindMajor => count.behind_major += group.count,
            }
        }
        Ok(count)
    }
}

impl App {
    /// Counts.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn summary(&self, caller: &Caller) -> Result<Summary, AppError> {
        self.may(caller, Action::ReadSummary).await?;
        self.read("summary", |tx| {
            Box::pin(async move {
                let mut known = Known::default();
                let (environment_templates, service_templates) = summary::templates(tx).await?;
                let environments = summary::targets(tx, "environment").await?;
                let services = summary::services(tx).await?;
                let instances = summary::targets(tx, "instance").await?;
                let pipelines = summary::targets(tx, "pipeline").await?;
                let components = summary::targets(tx, "component").await?;
                let service = TemplateKind::Service;
                Ok(Summary {
                    environment_templates,
                    service_templates,
                    environments: known.count(tx, TemplateKind::Environment, &environments).await?,
                    services: known.count(tx, service, &services).await?,
                    instances: known.count(tx, service, &instances).await?,
                    pipelines: known.count(tx, service, &pipelines).await?,
                    components: known.count(tx, service, &components).await?,
                })
            })
        })
        .await
    }
}
