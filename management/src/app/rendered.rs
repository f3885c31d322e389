//! The templates that were rendered for deployments, for people to read and to compare.

use hadron_domain::authority::Caller;
use hadron_domain::deployment::{Ending, Intent, Phase};
use hadron_domain::target::Target;
use hadron_proto::vocab::{DeploymentId, Digest};
use hadron_templates::{Line, line_differences, masked};

use super::{App, AppError, ErrorKind};
use crate::store::deployments::{DeploymentRow, Filter};
use crate::store::requests;

/// How many deployments of the same target are looked through for the one to compare with.
const LOOKED_THROUGH: u32 = 50;

/// A rendered template beside that of the deployment that made what was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What it was rendered for.
    pub target: Target,
    /// The template, as far as the caller may read it.
    pub text: String,
    /// Of the template as it was rendered.
    pub digest: Digest,
    /// The last deployment of the same target before this one that succeeded and made something; none where this made it.
    pub before: Option<DeploymentId>,
    /// What is different from that.
    pub lines: Vec<Line>,
    /// More is different than these lines.
    pub cut: bool,
}

impl App {
    /// The template that was rendered for a deployment.
    ///
    /// # Errors
    /// When the deployment is not the caller's to see, or deletes and so has none.
    pub async fn rendered_template(
        &self,
        caller: &Caller,
        id: DeploymentId,
    ) -> Result<(String, Digest), AppError> {
        let row = self.get_deployment(caller, id).await?;
        self.rendered_for(caller, &row).await
    }

    async fn rendered_for(&self, caller: &Caller, row: &DeploymentRow) -> Result<(String, Digest), AppError> {
        let (digest, _) = row.rendered.ok_or_else(|| {
            AppError::new(
                ErrorKind::NotFound,
                "NO_TEMPLATE",
                "a deletion has no rendered template",
            )
        })?;
        let text = self.rendered_text(caller, row, digest).await?;
        let text = text.ok_or_else(|| AppError::internal(format!("content {digest} is not stored")))?;
        Ok((text, digest))
    }

    /// The template that was rendered for a deployment, and what is different from the one before it.
    ///
    /// # Errors
    /// As [`rendered_template`](Self::rendered_template).
    pub async fn compared_template(&self, caller: &Caller, id: DeploymentId) -> Result<Compared, AppError> {
        let row = self.get_deployment(caller, id).await?;
        let (text, digest) = self.rendered_for(caller, &row).await?;
        let before = self.deployed_before(caller, &row).await?;
        let mut compared = Compared {
            target: row.target,
            text,
            digest,
            before: None,
            lines: Vec::new(),
            cut: false,
        };
        let Some((before, old)) = before.and_then(|row| row.rendered.map(|(digest, _)| (row, digest))) else {
            return Ok(compared);
        };
        let Some(old) = self.rendered_text(caller, &before, old).await? else {
            return Ok(compared);
        };
        compared.before = Some(before.deployment.id);
        // Up to some hundred milliseconds for texts that have little in common.
        let comparing = tokio::task::spawn_blocking(move || {
            (compared.lines, compared.cut) = line_differences(&old, &compared.text);
            compared
        });
        comparing.await.map_err(AppError::internal)
    }

    /// What somebody may read of a rendered template; `None` when it is not kept.
    async fn rendered_text(
        &self,
        caller: &Caller,
        row: &DeploymentRow,
        digest: Digest,
    ) -> Result<Option<String>, AppError> {
        let bytes = self.read("rendered template", move |tx| {
            Box::pin(async move { Ok(requests::blob(tx, digest).await?) })
        });
        let Some(bytes) = bytes.await? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(AppError::internal)?;
        let plain = caller.may_read_plaintext(&row.place());
        Ok(Some(if plain { text } else { masked(&text) }))
    }

    /// The deployment that made what a target was before this one.
    async fn deployed_before(
        &self,
        caller: &Caller,
        row: &DeploymentRow,
    ) -> Result<Option<DeploymentRow>, AppError> {
        let filter = Filter::of(&row.target);
        let before = row.deployment.id.to_string();
        let rows = self.list_deployments(caller, filter, before, LOOKED_THROUGH);
        let last = rows.await?.into_iter().find(succeeded);
        // What came before a deletion has nothing to do with it.
        Ok(last.filter(|row| row.deployment.intent == Intent::Apply))
    }
}

fn succeeded(row: &DeploymentRow) -> bool {
    matches!(
        &row.deployment.phase,
        Phase::Ended {
            how: Ending::Succeeded,
            ..
        }
    )
}
