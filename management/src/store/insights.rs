//! What there is to plot: deployments that have ended, and which versions run. Only what the caller may see.

use std::time::Duration;

use hadron_domain::authority::Sight;
use hadron_proto::vocab::{TemplateVersion, Timestamp};

use super::StoreError;
use super::db::{Tx, params};
use super::sight::{self, seen};
use super::summary::Group;
use super::targets::template;

/// A deployment that has ended, as far as plots need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it ended.
    pub at: Timestamp,
    /// How long that was after the request.
    pub took: Duration,
    /// Its last status.
    pub outcome: String,
    /// environment, instance, pipeline or component.
    pub kind: String,
    /// The template's name; empty for components.
    pub template: String,
    /// The environment that it was or went into; empty for pipelines.
    pub environment: String,
    /// What was deployed.
    pub target: String,
}

/// Deployments that ended at `from` or later, the last first, at most so many.
pub async fn ended(
    tx: &mut Tx,
    sight: &Sight,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<Ended>, StoreError> {
    tx.query(
        concat!(
            "SELECT ended_at, created_at, status, kind, template_name, environment, target_id FROM deployment
             WHERE ended_at >= $1 AND ",
            seen!("$2", "account" in "account", "environment" in "environment", "service" in "service"),
            " ORDER BY ended_at DESC LIMIT $3"
        ),
        &params![from, sight::words(sight), limit],
    )
    .await?
    .iter()
    .map(|row| {
        let (at, began): (Timestamp, Timestamp) = (row.get("ended_at")?, row.get("created_at")?);
        Ok(Ended {
            at,
            took: at.since(began),
            outcome: row.get("status")?,
            kind: row.get("kind")?,
            template: row.get("template_name")?,
            environment: row.get("environment")?,
            target: row.get("target_id")?,
        })
    })
    .collect()
}

/// How many targets of a kind run which version of which template. Their status is not asked for.
pub async fn fleet(
    tx: &mut Tx,
    kind: &'static str,
    sight: &Sight,
    limit: u32,
) -> Result<Vec<Group>, StoreError> {
    tx.query(
        concat!(
            "SELECT template_name, major, minor, COUNT(*) AS found FROM target WHERE kind = $1 AND ",
            seen!("$2", "account" in "account", "environment" in "environment", "service" in "service"),
            " GROUP BY template_name, major, minor ORDER BY template_name, major, minor LIMIT $3"
        ),
        &params![kind, sight::words(sight), limit],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Group {
            template: template(row)?,
            version: TemplateVersion {
                major: row.get("major")?,
                minor: row.get("minor")?,
            },
            status: String::new(),
            count: row.get("found")?,
        })
    })
    .collect()
}
