//! Rows of services.

use hadron_domain::arn::Resource;
use hadron_domain::authority::Sight;
use hadron_domain::event::DELETED;
use hadron_domain::service::{Doing, Status};
use hadron_proto::vocab::{ServiceName, TemplateName, TemplateVersion, Timestamp};

use super::db::{HUB, Row, Topic, Tx, Value, params};
use super::sealing::Sealed;
use super::sight::{self, seen};
use super::{StoreError, UNREAD, corrupt, events, json, sync, tags, to_json};

macro_rules! service_columns {
    () => {
        "name, template_name, major, minor, description, spec, old_spec, status, message, doing, branch, repository, link, created_at, modified_at, generation"
    };
}

/// A service as stored. Its instances and its pipeline are targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Its name.
    pub name: ServiceName,
    /// Its template.
    pub template: TemplateName,
    /// The version that it was created with; new instances begin with its major version.
    pub version: TemplateVersion,
    /// For people.
    pub description: String,
    /// The last accepted spec.
    pub spec: String,
    /// The spec of before the update that is under way.
    pub old_spec: String,
    /// Proton's status.
    pub status: Status,
    /// Why, when something failed.
    pub message: String,
    /// What is under way.
    pub doing: Doing,
    /// Branch of the linked repository.
    pub branch: String,
    /// The linked repository, OWNER/NAME.
    pub repository: String,
    /// ARN of the CodeConnections connection.
    pub link: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
    /// Grows with every write.
    pub generation: u64,
}

fn from_row(row: &Row) -> Result<ServiceRow, StoreError> {
    let status: String = row.get("status")?;
    let sealed = Sealed {
        table: "service",
        key: row.str("name")?,
        row,
    };
    Ok(ServiceRow {
        name: row.text_as("name")?,
        template: row.text_as("template_name")?,
        version: TemplateVersion {
            major: row.get("major")?,
            minor: row.get("minor")?,
        },
        description: row.get("description")?,
        spec: sealed.text("spec")?,
        old_spec: sealed.text("old_spec")?,
        status: serde_json::from_value(serde_json::Value::String(status.clone()))
            .map_err(|_| corrupt("service.status", &status))?,
        message: sealed.text("message")?,
        doing: json(row, "doing")?,
        branch: row.get("branch")?,
        repository: row.get("repository")?,
        link: row.get("link")?,
        created_at: row.get("created_at")?,
        modified_at: row.get("modified_at")?,
        generation: row.get("generation")?,
    })
}

/// What is secret about a service, sealed for its row.
async fn seal(tx: &mut Tx, row: &ServiceRow) -> Result<[Value; 3], StoreError> {
    let texts = [
        ("spec", row.spec.as_str()),
        ("old_spec", &row.old_spec),
        ("message", &row.message),
    ];
    tx.seal(HUB, "service", row.name.as_str(), texts).await
}

/// Inserts a service.
///
/// # Errors
/// [`StoreError::Conflict`] when one of the same name exists.
pub async fn insert(tx: &mut Tx, row: &ServiceRow) -> Result<(), StoreError> {
    let [spec, old_spec, message] = seal(tx, row).await?;
    tx.execute(
        "INSERT INTO service (name, template_name, major, minor, description, spec, old_spec, status, message, doing,
             branch, repository, link, created_at, modified_at, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &params![
            &row.name,
            &row.template,
            row.version.major,
            row.version.minor,
            &row.description,
            spec,
            old_spec,
            row.status.word(),
            message,
            to_json(&row.doing)?,
            &row.branch,
            &row.repository,
            &row.link,
            row.created_at,
            row.modified_at,
            row.generation,
            UNREAD
        ],
    )
    .await?;
    let name = Resource::Service(row.name.clone());
    events::told(tx, &name, None, None, row.status.word()).await?;
    tx.made(name, None);
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Writes a service back where it is still the one that was read.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else wrote it meanwhile.
pub async fn put(tx: &mut Tx, row: &mut ServiceRow) -> Result<(), StoreError> {
    let before = tx
        .query_opt("SELECT status FROM service WHERE name = $1", &params![&row.name])
        .await?
        .map(|before| before.get::<String>("status"))
        .transpose()?;
    let [spec, old_spec, message] = seal(tx, row).await?;
    let written = tx
        .execute(
            "UPDATE service SET major = $3, minor = $4, description = $5, spec = $6, old_spec = $7, status = $8,
                 message = $9, doing = $10, modified_at = $11, generation = generation + 1, changed = $12
             WHERE name = $1 AND generation = $2",
            &params![
                &row.name,
                row.generation,
                row.version.major,
                row.version.minor,
                &row.description,
                spec,
                old_spec,
                row.status.word(),
                message,
                to_json(&row.doing)?,
                row.modified_at,
                UNREAD
            ],
        )
        .await?;
    if written == 0 {
        return Err(super::changed("writing a service"));
    }
    row.generation += 1;
    let name = Resource::Service(row.name.clone());
    events::told(tx, &name, None, before.as_deref(), row.status.word()).await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Removes a service whose parts are gone, its tags, and what was said about its sync.
pub async fn remove(tx: &mut Tx, name: &ServiceName) -> Result<(), StoreError> {
    let gone = tx
        .query_opt(
            "DELETE FROM service WHERE name = $1 RETURNING status",
            &params![name],
        )
        .await?;
    if let Some(gone) = gone {
        sync::forget_service(tx, name).await?;
        let name = Resource::Service(name.clone());
        tags::forget(tx, &name).await?;
        events::told(tx, &name, None, Some(gone.str("status")?), DELETED).await?;
    }
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One service.
pub async fn get(tx: &mut Tx, name: &ServiceName) -> Result<Option<ServiceRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                service_columns!(),
                " FROM service WHERE name = $1 /*for-update*/"
            ),
            &params![name],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Services by name, after `after`.
pub async fn list(
    tx: &mut Tx,
    sight: &Sight,
    after: &str,
    limit: u32,
) -> Result<Vec<ServiceRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            service_columns!(),
            " FROM service WHERE name > $1 AND ",
            seen!("$3", "service" in "name"),
            " ORDER BY name LIMIT $2"
        ),
        &params![after, limit, sight::words(sight)],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// How many services there are.
pub async fn count(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = tx
        .query_one("SELECT count(*) AS number FROM service", &[])
        .await?;
    row.get("number")
}

/// Services that are doing something, for a look after a restart.
pub async fn busy(tx: &mut Tx) -> Result<Vec<ServiceName>, StoreError> {
    tx.query(
        "SELECT name FROM service WHERE doing <> '\"Nothing\"' ORDER BY name",
        &[],
    )
    .await?
    .iter()
    .map(|row| row.text_as("name"))
    .collect()
}
