//! Rows of linked source repositories.

use hadron_domain::repository::{Provider, SourceName};
use hadron_proto::vocab::Timestamp;

use super::StoreError;
use super::db::{Row, Topic, Tx, params};

macro_rules! repository_columns {
    () => {
        "provider, name, connection_arn, encryption_key, created_at"
    };
}

/// A linked repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRow {
    /// Who hosts it.
    pub provider: Provider,
    /// Its name there.
    pub name: SourceName,
    /// The ARN of the `CodeConnections` connection that reaches it.
    pub connection_arn: String,
    /// The KMS key that was named; empty for none. It is kept and shown: what is stored at rest the hub seals itself.
    pub encryption_key: String,
    /// When it was linked.
    pub created_at: Timestamp,
}

fn from_row(row: &Row) -> Result<RepositoryRow, StoreError> {
    Ok(RepositoryRow {
        provider: row.text_as("provider")?,
        name: row.text_as("name")?,
        connection_arn: row.get("connection_arn")?,
        encryption_key: row.get("encryption_key")?,
        created_at: row.get("created_at")?,
    })
}

/// Inserts a repository.
///
/// # Errors
/// [`StoreError::Conflict`] when it is linked already.
pub async fn insert(tx: &mut Tx, row: &RepositoryRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO repository (provider, name, connection_arn, encryption_key, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        &params![
            row.provider.word(),
            row.name.as_str(),
            &row.connection_arn,
            &row.encryption_key,
            row.created_at
        ],
    )
    .await?;
    tx.made(
        hadron_domain::arn::Resource::Repository(row.provider, row.name.clone()),
        None,
    );
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Removes a repository and its tags.
pub async fn remove(tx: &mut Tx, provider: Provider, name: &SourceName) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM repository WHERE provider = $1 AND name = $2",
        &params![provider.word(), name.as_str()],
    )
    .await?;
    let gone = hadron_domain::arn::Resource::Repository(provider, name.clone());
    super::tags::forget(tx, &gone).await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One repository.
pub async fn get(
    tx: &mut Tx,
    provider: Provider,
    name: &SourceName,
) -> Result<Option<RepositoryRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                repository_columns!(),
                " FROM repository WHERE provider = $1 AND name = $2 /*for-update*/"
            ),
            &params![provider.word(), name.as_str()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Repositories by provider and name, after `(provider, name)`.
pub async fn list(tx: &mut Tx, after: (&str, &str), limit: u32) -> Result<Vec<RepositoryRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            repository_columns!(),
            " FROM repository WHERE provider > $1 OR (provider = $1 AND name > $2)
         ORDER BY provider, name LIMIT $3"
        ),
        &params![after.0, after.1, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}
