//! Checked bundles, ready to render. Parsing one costs milliseconds, so the last few are kept by their digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{Digest, TemplateName, TemplateVersion};
use hadron_templates::{Bundle, Expect, Limits, TemplateBundle};

use super::{App, AppError};
use crate::store::{requests, templates};

/// How many checked bundles are kept; one holds at most a few hundred kilobytes.
const KEPT: usize = 64;

#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<Digest, (u64, Arc<TemplateBundle>)>>);

impl Cache {
    fn get(&self, digest: Digest) -> Option<Arc<TemplateBundle>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = kept.values().map(|(used, _)| *used).max().unwrap_or(0);
        let (used, bundle) = kept.get_mut(&digest)?;
        *used = newest + 1;
        Some(Arc::clone(bundle))
    }

    fn put(&self, digest: Digest, bundle: Arc<TemplateBundle>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            let oldest = kept
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(digest, _)| *digest);
            if let Some(oldest) = oldest {
                kept.remove(&oldest);
            }
        }
        let newest = kept.values().map(|(used, _)| *used).max().unwrap_or(0);
        kept.insert(digest, (newest + 1, bundle));
    }
}

/// What a bundle of this kind of template has to be.
#[must_use]
pub const fn expected(kind: TemplateKind) -> Expect {
    match kind {
        TemplateKind::Environment => Expect::Environment,
        TemplateKind::Service => Expect::Service,
    }
}

impl App {
    /// The bundle of a template version, ready to render.
    ///
    /// # Errors
    /// When the version does not exist.
    pub async fn bundle(
        &self,
        kind: TemplateKind,
        name: &TemplateName,
        version: TemplateVersion,
    ) -> Result<Arc<TemplateBundle>, AppError> {
        let owned = name.clone();
        let row = self
            .read("template version", move |tx| {
                Box::pin(async move { Ok(templates::get_version(tx, kind, &owned, version).await?) })
            })
            .await?
            .ok_or_else(|| AppError::not_found("template", format!("{name}:{version}")))?;
        let archive = row
            .content
            .ok_or_else(|| AppError::not_found("template", format!("{name}:{version}")))?
            .archive;
        if let Some(bundle) = self.0.bundles.get(archive) {
            return Ok(bundle);
        }
        let bytes = self
            .read("bundle", move |tx| {
                Box::pin(async move { Ok(requests::blob(tx, archive).await?) })
            })
            .await?
            .ok_or_else(|| AppError::internal(format!("bundle {archive} is not stored")))?;
        let bundle = tokio::task::spawn_blocking(move || {
            let bundle = Bundle::from_archive(&bytes, &Limits::default())?;
            match TemplateBundle::check(bundle, Some(expected(kind))) {
                (Some(bundle), faults) if !faults.is_error() => Ok(bundle),
                (_, faults) => Err(faults),
            }
        })
        .await
        .map_err(AppError::internal)?
        .map_err(|faults| AppError::internal(format!("a registered bundle is refused now: {faults}")))?;
        let bundle = Arc::new(bundle);
        self.0.bundles.put(archive, Arc::clone(&bundle));
        Ok(bundle)
    }
}
