//! Rows of what templates and services follow in linked repositories, and of what keeps them from it.

use std::collections::BTreeMap;

use hadron_domain::repository::{Provider, SourceName};
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{InstanceName, ServiceName, SyncBlockerId, TemplateName, Timestamp};

use super::db::{Row, Topic, Tx, params};
use super::{StoreError, corrupt, json, to_json};

macro_rules! config_columns {
    () => {
        "kind, name, provider, repository, branch, path, created_at, modified_at"
    };
}

macro_rules! blocker_columns {
    () => {
        "id, service, instance, status, reason, contexts, created_at, resolved_at, resolved_reason"
    };
}

/// What follows a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follower {
    /// A template; its bundles lie in directories of the repository.
    Template(TemplateKind, TemplateName),
    /// A service; a file of the repository names its instances.
    Service(ServiceName),
}

impl Follower {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Template(TemplateKind::Environment, _) => "environment_template",
            Self::Template(TemplateKind::Service, _) => "service_template",
            Self::Service(_) => "service",
        }
    }

    /// Its name in its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Template(_, name) => name.as_str(),
            Self::Service(name) => name.as_str(),
        }
    }
}

/// What somebody follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRow {
    /// Who.
    pub follower: Follower,
    /// Who hosts the repository.
    pub provider: Provider,
    /// The repository.
    pub repository: SourceName,
    /// Its branch.
    pub branch: String,
    /// Of templates the subdirectory, which may be empty; of services the file.
    pub path: String,
    /// When it was first said.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
}

fn from_row(row: &Row) -> Result<SyncRow, StoreError> {
    let follower = match row.str("kind")? {
        "environment_template" => Follower::Template(TemplateKind::Environment, row.text_as("name")?),
        "service_template" => Follower::Template(TemplateKind::Service, row.text_as("name")?),
        "service" => Follower::Service(row.text_as("name")?),
        other => return Err(corrupt("sync_config.kind", other)),
    };
    Ok(SyncRow {
        follower,
        provider: row.text_as("provider")?,
        repository: row.text_as("repository")?,
        branch: row.get("branch")?,
        path: row.get("path")?,
        created_at: row.get("created_at")?,
        modified_at: row.get("modified_at")?,
    })
}

/// Inserts what somebody follows.
///
/// # Errors
/// [`StoreError::Conflict`] when they follow something already.
pub async fn insert(tx: &mut Tx, row: &SyncRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sync_config (kind, name, provider, repository, branch, path, created_at, modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &params![
            row.follower.kind(),
            row.follower.name(),
            row.provider.word(),
            row.repository.as_str(),
            &row.branch,
            &row.path,
            row.created_at,
            row.modified_at
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Writes what somebody follows.
pub async fn put(tx: &mut Tx, row: &SyncRow) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sync_config SET provider = $3, repository = $4, branch = $5, path = $6, modified_at = $7
         WHERE kind = $1 AND name = $2",
        &params![
            row.follower.kind(),
            row.follower.name(),
            row.provider.word(),
            row.repository.as_str(),
            &row.branch,
            &row.path,
            row.modified_at
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// They follow nothing any more.
pub async fn remove(tx: &mut Tx, follower: &Follower) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM sync_config WHERE kind = $1 AND name = $2",
        &params![follower.kind(), follower.name()],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// What somebody follows, as it was a moment ago. Not locked.
pub async fn seen(tx: &mut Tx, follower: &Follower) -> Result<Option<SyncRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                config_columns!(),
                " FROM sync_config WHERE kind = $1 AND name = $2"
            ),
            &params![follower.kind(), follower.name()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// What somebody follows, locked until the transaction ends.
pub async fn get(tx: &mut Tx, follower: &Follower) -> Result<Option<SyncRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                config_columns!(),
                " FROM sync_config WHERE kind = $1 AND name = $2 /*for-update*/"
            ),
            &params![follower.kind(), follower.name()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Everybody who follows a repository.
pub async fn of_repository(
    tx: &mut Tx,
    provider: Provider,
    repository: &SourceName,
) -> Result<Vec<SyncRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            config_columns!(),
            " FROM sync_config WHERE provider = $1 AND repository = $2 ORDER BY kind, name"
        ),
        &params![provider.word(), repository.as_str()],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// What keeps a service, or one instance of it, from being synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockerRow {
    /// Its id.
    pub id: SyncBlockerId,
    /// The service.
    pub service: ServiceName,
    /// The instance; `None` when the whole service is kept.
    pub instance: Option<InstanceName>,
    /// Why.
    pub reason: String,
    /// More about it.
    pub contexts: BTreeMap<String, String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When and why it was taken away.
    pub resolved: Option<(Timestamp, String)>,
}

fn blocker(row: &Row) -> Result<BlockerRow, StoreError> {
    let instance: String = row.get("instance")?;
    let at: Option<Timestamp> = row.get("resolved_at")?;
    let why: String = row.get("resolved_reason")?;
    Ok(BlockerRow {
        id: row.text_as("id")?,
        service: row.text_as("service")?,
        instance: if instance.is_empty() {
            None
        } else {
            Some(row.text_as("instance")?)
        },
        reason: row.get("reason")?,
        contexts: json(row, "contexts")?,
        created_at: row.get("created_at")?,
        resolved: at.map(|at| (at, why)),
    })
}

fn instance_word(instance: Option<&InstanceName>) -> &str {
    instance.map_or("", InstanceName::as_str)
}

/// Inserts a blocker.
pub async fn insert_blocker(tx: &mut Tx, row: &BlockerRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sync_blocker (id, service, instance, status, reason, contexts, created_at, resolved_at, resolved_reason)
         VALUES ($1, $2, $3, 'ACTIVE', $4, $5, $6, NULL, '')",
        &params![
            row.id,
            &row.service,
            instance_word(row.instance.as_ref()),
            &row.reason,
            to_json(&row.contexts)?,
            row.created_at
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Takes a blocker away; it is still shown.
pub async fn resolve_blocker(
    tx: &mut Tx,
    id: SyncBlockerId,
    at: Timestamp,
    why: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sync_blocker SET status = 'RESOLVED', resolved_at = $2, resolved_reason = $3 WHERE id = $1",
        &params![id, at, why],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One blocker.
pub async fn get_blocker(tx: &mut Tx, id: SyncBlockerId) -> Result<Option<BlockerRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                blocker_columns!(),
                " FROM sync_blocker WHERE id = $1 /*for-update*/"
            ),
            &params![id],
        )
        .await?;
    row.as_ref().map(blocker).transpose()
}

/// Blockers of one instance, or with `None` of the service as a whole, latest first.
pub async fn blockers(
    tx: &mut Tx,
    service: &ServiceName,
    instance: Option<&InstanceName>,
    limit: u32,
) -> Result<Vec<BlockerRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            blocker_columns!(),
            " FROM sync_blocker WHERE service = $1 AND instance = $2 ORDER BY created_at DESC, id DESC LIMIT $3"
        ),
        &params![service, instance_word(instance), limit],
    )
    .await?
    .iter()
    .map(blocker)
    .collect()
}

/// Whether there is a blocker of this instance, or of the service as a whole, that was not taken away.
pub async fn blocked(
    tx: &mut Tx,
    service: &ServiceName,
    instance: Option<&InstanceName>,
) -> Result<bool, StoreError> {
    let row = tx
        .query_one(
            "SELECT COUNT(*) AS found FROM sync_blocker WHERE service = $1 AND instance = $2 AND status = 'ACTIVE'",
            &params![service, instance_word(instance)],
        )
        .await?;
    Ok(row.get::<u64>("found")? > 0)
}

/// A service is gone, and with it everything that was said about its sync.
pub async fn forget_service(tx: &mut Tx, service: &ServiceName) -> Result<(), StoreError> {
    remove(tx, &Follower::Service(service.clone())).await?;
    tx.execute("DELETE FROM sync_blocker WHERE service = $1", &params![service])
        .await?;
    Ok(())
}
