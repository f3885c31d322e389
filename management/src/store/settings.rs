//! What people decided for the whole account.

use hadron_domain::repository::{Provider, SourceName};
use hadron_proto::vocab::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::db::{Tx, params};
use super::{StoreError, json, to_json};

/// A branch of a linked repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryBranch {
    /// Who hosts it.
    pub provider: Provider,
    /// Its name there.
    pub name: SourceName,
    /// The branch.
    pub branch: String,
}

/// What can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// What CloudFormation provisions pipelines with.
    PipelineRole,
    /// What CodeBuild jobs of pipelines run as.
    PipelineCodebuildRole,
    /// Where pull requests for pipelines go.
    PipelineRepository,
}

impl Setting {
    const fn word(self) -> &'static str {
        match self {
            Self::PipelineRole => "pipeline_role",
            Self::PipelineCodebuildRole => "pipeline_codebuild_role",
            Self::PipelineRepository => "pipeline_repository",
        }
    }
}

/// What was decided: `None` when nothing ever was, `Some(None)` when it was taken away.
pub async fn get<T: DeserializeOwned>(
    tx: &mut Tx,
    setting: Setting,
) -> Result<Option<Option<T>>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT value FROM setting WHERE name = $1",
            &params![setting.word()],
        )
        .await?;
    row.as_ref().map(|row| json(row, "value")).transpose()
}

/// Decides, or takes away.
pub async fn put<T: Serialize + Sync>(
    tx: &mut Tx,
    setting: Setting,
    value: Option<&T>,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO setting (name, value, changed_by, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE
         SET value = excluded.value, changed_by = excluded.changed_by, changed_at = excluded.changed_at",
        &params![setting.word(), to_json(&value)?, by, at],
    )
    .await?;
    Ok(())
}
