//! Rows of tags. A tag's resource is what its ARN ends with: all of one hub's resources are in one account and Region, and
//! the ids of connections are their own.

use hadron_domain::arn::Resource;
use hadron_domain::tag::Tags;

use super::StoreError;
use super::db::{Tx, params};

/// The tags that customers gave a resource.
pub async fn of(tx: &mut Tx, resource: &Resource) -> Result<Tags, StoreError> {
    let rows = tx
        .query(
            "SELECT key, value FROM tag WHERE resource = $1 ORDER BY key",
            &params![resource.to_string()],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("key")?, row.get("value")?)))
        .collect()
}

/// Gives a resource tags; those of the same key are overwritten.
pub async fn put(tx: &mut Tx, resource: &Resource, tags: &Tags) -> Result<(), StoreError> {
    let resource = resource.to_string();
    let rows: Vec<_> = tags
        .iter()
        .map(|(key, value)| params![&resource, key, value])
        .collect();
    tx.execute_each(
        "INSERT INTO tag (resource, key, value) VALUES ($1, $2, $3)
         ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value",
        &rows,
    )
    .await?;
    Ok(())
}

/// Takes tags away from a resource; those that it has not are passed over.
pub async fn take(tx: &mut Tx, resource: &Resource, keys: &[String]) -> Result<(), StoreError> {
    let resource = resource.to_string();
    let rows: Vec<_> = keys.iter().map(|key| params![&resource, key]).collect();
    tx.execute_each("DELETE FROM tag WHERE resource = $1 AND key = $2", &rows)
        .await?;
    Ok(())
}

/// A resource is gone, and with it its tags.
pub async fn forget(tx: &mut Tx, resource: &Resource) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM tag WHERE resource = $1",
        &params![resource.to_string()],
    )
    .await?;
    Ok(())
}
