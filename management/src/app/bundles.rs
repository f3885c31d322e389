//! Bundles of registered versions, as they are handed to whoever renders. The last few are kept by their digest, so that the
//! database is not asked for megabytes each time; what is in them is kept by the renderers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{Digest, TemplateName, TemplateVersion};
use hadron_templates::{Answer, BundleKind, Engine, Expect, Given, Kept, Opened, Packed, Question};

use super::{App, AppError};
use crate::store::{requests, templates};

/// How many bundles are kept.
const KEPT: usize = 64;
/// How many bytes their archives may have together. One alone may have 5 MiB, most have some kilobytes.
const KEPT_BYTES: usize = 48 * 1024 * 1024;

pub(super) struct Cache(Mutex<Kept<Packed, Bundled>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(Kept::new(KEPT, KEPT_BYTES)))
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Kept<Packed, Bundled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bundle of a registered version: its archive, and what was read in it.
pub struct Bundled {
    /// What it is a template for.
    pub kind: BundleKind,
    /// What provisions the environment or the instances.
    pub engine: Option<Engine>,
    packed: Packed,
    bytes: Arc<Vec<u8>>,
}

impl Bundled {
    /// Its name in questions.
    #[must_use]
    pub const fn packed(&self) -> Packed {
        self.packed
    }

    /// Gives it along with a question.
    pub(super) fn give(&self, given: &mut Given) {
        given.insert(self.packed.archive, Arc::clone(&self.bytes));
    }

    /// The same, for a question about this bundle only.
    pub(super) fn given(&self) -> Given {
        Given::from([(self.packed.archive, Arc::clone(&self.bytes))])
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
    ) -> Result<Arc<Bundled>, AppError> {
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
        let packed = Packed {
            archive,
            expect: expected(kind),
        };
        if let Some(bundle) = self.0.bundles.lock().get(packed) {
            return Ok(bundle);
        }
        let bytes = Arc::new(self.archive(archive).await?);
        let given = Given::from([(archive, Arc::clone(&bytes))]);
        let Answer::Opened(Opened { kind, engine }) = self.ask(Question::Open(packed), given).await? else {
            return Err(AppError::internal("another question was answered"));
        };
        let size = bytes.len();
        let bundle = Arc::new(Bundled {
            kind,
            engine,
            packed,
            bytes,
        });
        self.0.bundles.lock().put(packed, size, Arc::clone(&bundle));
        Ok(bundle)
    }

    /// The bytes of a stored archive.
    pub(super) async fn archive(&self, archive: Digest) -> Result<Vec<u8>, AppError> {
        self.read("bundle", move |tx| {
            Box::pin(async move { Ok(requests::blob(tx, archive).await?) })
        })
        .await?
        .ok_or_else(|| AppError::internal(format!("bundle {archive} is not stored")))
    }
}
