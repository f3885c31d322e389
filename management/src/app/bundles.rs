//! Checked bundles, ready to render. Parsing one costs milliseconds, so the last few are kept by their digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{Digest, TemplateName, TemplateVersion};
use hadron_templates::{Bundle, Expect, Limits, TemplateBundle};

use super::{App, AppError};
use crate::store::{requests, templates};

/// How many checked bundles are kept.
const KEPT: usize = 64;
/// How many bytes their files may have together. One alone may have 20 MiB, most have some kilobytes.
const KEPT_BYTES: usize = 48 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Cache(Mutex<Kept<TemplateBundle>>);

/// The last few things that were used, within bounds.
struct Kept<T> {
    entries: HashMap<Digest, Entry<T>>,
    uses: u64,
    bytes: usize,
}

struct Entry<T> {
    used: u64,
    bytes: usize,
    thing: Arc<T>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            uses: 0,
            bytes: 0,
        }
    }
}

impl<T> Kept<T> {
    fn get(&mut self, digest: Digest) -> Option<Arc<T>> {
        self.uses += 1;
        let entry = self.entries.get_mut(&digest)?;
        entry.used = self.uses;
        Some(Arc::clone(&entry.thing))
    }

    /// Keeps a thing of so many bytes; those that were used longest ago make room. One that is too large by itself is not
    /// kept.
    fn put(&mut self, digest: Digest, bytes: usize, thing: Arc<T>) {
        if bytes > KEPT_BYTES {
            return;
        }
        self.forget(digest);
        while self.entries.len() >= KEPT || self.bytes + bytes > KEPT_BYTES {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                break;
            };
            self.forget(oldest);
        }
        self.uses += 1;
        self.bytes += bytes;
        let used = self.uses;
        self.entries.insert(digest, Entry { used, bytes, thing });
    }

    fn forget(&mut self, digest: Digest) {
        if let Some(entry) = self.entries.remove(&digest) {
            self.bytes -= entry.bytes;
        }
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Kept<TemplateBundle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Some(bundle) = self.0.bundles.lock().get(archive) {
            return Ok(bundle);
        }
        let bytes = self
            .read("bundle", move |tx| {
                Box::pin(async move { Ok(requests::blob(tx, archive).await?) })
            })
            .await?
            .ok_or_else(|| AppError::internal(format!("bundle {archive} is not stored")))?;
        let (size, bundle) = tokio::task::spawn_blocking(move || {
            let bundle = Bundle::from_archive(&bytes, &Limits::default())?;
            let size = bundle
                .paths()
                .filter_map(|path| bundle.get(path))
                .map(<[u8]>::len)
                .sum::<usize>();
            match TemplateBundle::check(bundle, Some(expected(kind))) {
                (Some(bundle), faults) if !faults.is_error() => Ok((size, bundle)),
                (_, faults) => Err(faults),
            }
        })
        .await
        .map_err(AppError::internal)?
        .map_err(|faults| AppError::internal(format!("a registered bundle is refused now: {faults}")))?;
        let bundle = Arc::new(bundle);
        self.0.bundles.lock().put(archive, size, Arc::clone(&bundle));
        Ok(bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: usize) -> Digest {
        Digest::of(number.to_string().as_bytes())
    }

    #[test]
    fn what_is_kept_has_bounds_in_number_and_in_bytes() {
        let mut kept = Kept::default();
        for number in 0..KEPT * 2 {
            kept.put(named(number), 1_000, Arc::new(number));
            // Used all the time, and so never the one that makes room.
            assert!(kept.get(named(0)).is_some());
        }
        assert_eq!((kept.entries.len(), kept.bytes), (KEPT, KEPT * 1_000));
        assert!(kept.get(named(1)).is_none());
        for number in 0..10 {
            kept.put(named(1_000 + number), KEPT_BYTES / 4, Arc::new(number));
            assert!(kept.bytes <= KEPT_BYTES);
        }
        let whole = kept.entries.values().map(|entry| entry.bytes).sum::<usize>();
        assert_eq!(whole, kept.bytes);
        kept.put(named(5_000), KEPT_BYTES + 1, Arc::new(0));
        assert!(kept.get(named(5_000)).is_none() && kept.get(named(1_009)).is_some());
        // The same again takes its own place.
        let before = kept.bytes;
        kept.put(named(1_009), KEPT_BYTES / 4, Arc::new(0));
        assert_eq!(kept.bytes, before);
    }
}
