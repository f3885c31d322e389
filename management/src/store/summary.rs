//! How many there are of everything: counted by the database, one row for each template version and status.

use hadron_proto::vocab::{TemplateName, TemplateVersion};

use super::StoreError;
use super::db::{Row, Tx, params};
use super::targets::template;

/// So many things of one kind, version and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their template; `None` for components.
    pub template: Option<TemplateName>,
    /// Their version of it.
    pub version: TemplateVersion,
    /// Their status.
    pub status: String,
    /// How many.
    pub count: u64,
}

fn from_row(row: &Row) -> Result<Group, StoreError> {
    Ok(Group {
        template: template(row)?,
        version: TemplateVersion {
            major: row.get("major")?,
            minor: row.get("minor")?,
        },
        status: row.get("status")?,
        count: row.get("found")?,
    })
}

/// Environments, instances, pipelines or components.
pub async fn targets(tx: &mut Tx, kind: &'static str) -> Result<Vec<Group>, StoreError> {
    tx.query(
        "SELECT template_name, major, minor, status, COUNT(*) AS found FROM target WHERE kind = $1
         GROUP BY template_name, major, minor, status ORDER BY template_name, major, minor, status",
        &params![kind],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Services, each with the lowest version that a part of it runs.
pub async fn services(tx: &mut Tx) -> Result<Vec<Group>, StoreError> {
    // Versions in one number, so that they can be compared; nobody has a million minor versions.
    tx.query(
        "SELECT template_name, version / 1000000 AS major, version % 1000000 AS minor, status, COUNT(*) AS found
         FROM (SELECT s.template_name AS template_name, s.status AS status,
                      COALESCE((SELECT MIN(t.major * 1000000 + t.minor) FROM target t WHERE t.service = s.name),
                               s.major * 1000000 + s.minor) AS version
               FROM service s) each_one
         GROUP BY template_name, version, status ORDER BY template_name, version, status",
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// How many environment templates and service templates there are.
pub async fn templates(tx: &mut Tx) -> Result<(u64, u64), StoreError> {
    let row = tx
        .query_one(
            "SELECT (SELECT COUNT(*) FROM template WHERE kind = 'environment') AS environment,
                    (SELECT COUNT(*) FROM template WHERE kind = 'service') AS service",
            &[],
        )
        .await?;
    Ok((row.get("environment")?, row.get("service")?))
}
