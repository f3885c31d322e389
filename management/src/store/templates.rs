//! Rows of templates and their versions.

use std::collections::BTreeSet;

use hadron_domain::arn::Resource;
use hadron_domain::event::DELETED;
use hadron_domain::template::{CompatibleTemplate, TemplateKind, VersionState, Versions};
use hadron_proto::vocab::{Digest, JobId, TemplateName, TemplateVersion, Timestamp};
use serde::{Deserialize, Serialize};

use super::db::{HUB, Place, Row, Topic, Tx, params};
use super::sync::{self, Follower};
use super::{StoreError, UNREAD, corrupt, events, json, tags, to_json};

macro_rules! template_version_columns {
    () => {
        "kind, name, major, minor, description, compatible, digest, archive, warnings, created_at, modified_at, schema, components, source, job, needed, approved, publisher"
    };
}

macro_rules! template_columns {
    () => {
        "kind, name, display_name, description, no_pipeline, customer_managed, encryption_key, versions, created_at, modified_at, generation"
    };
}

/// A template as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRow {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// Its name.
    pub name: TemplateName,
    /// For people; may be empty.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// Its services have no pipeline.
    pub no_pipeline: bool,
    /// Its environments are provisioned by somebody else and only described here.
    pub customer_managed: bool,
    /// The KMS key that its author named; empty for none. It is kept and shown: what is stored at rest the hub seals itself.
    pub encryption_key: String,
    /// Its versions.
    pub versions: Versions,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it or a version of it last changed.
    pub modified_at: Timestamp,
    /// Grows with every write.
    pub generation: u64,
}

/// A template version's content and what is said about it; where it stands is in [`TemplateRow::versions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// For environments or for services.
    pub kind: TemplateKind,
    /// The template.
    pub name: TemplateName,
    /// The version.
    pub version: TemplateVersion,
    /// For people.
    pub description: String,
    /// Environment templates that a service version runs in.
    pub compatible: Vec<CompatibleTemplate>,
    /// Its bundle; `None` while that is being fetched, and when it was refused.
    pub content: Option<Content>,
    /// Where the bundle is fetched from; `None` when it came with the request.
    pub source: Option<S3Object>,
    /// The job that fetches the bundle, until that is registered or refused.
    pub job: Option<JobId>,
    /// Directly defined components may be attached to its instances.
    pub components: bool,
    /// What the check found and did not refuse.
    pub warnings: Vec<String>,
    /// What its stacks can need, and what of it they may have.
    pub approvals: Approvals,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Timestamp,
}

/// What the stacks of a version can need of CloudFormation, and what an administrator has approved. `CAPABILITY_*` words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvals {
    /// What they can need, as the texts of its templates say.
    pub needed: BTreeSet<String>,
    /// What was approved; `None` for versions that were registered before there were approvals: whatever they need.
    pub approved: Option<BTreeSet<String>>,
    /// The key that its bundle was signed with; empty when it was not.
    pub publisher: String,
}

impl Approvals {
    /// What a stack needs and may not have.
    #[must_use]
    pub fn missing<'a>(&self, needs: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
        let Some(approved) = &self.approved else {
            return Vec::new();
        };
        let needs = needs.into_iter();
        needs
            .filter(|need| !approved.contains(*need))
            .map(String::as_str)
            .collect()
    }
}

/// A checked bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Digest of the bundle's content.
    pub digest: Digest,
    /// Where the archive is: the digest of its bytes.
    pub archive: Digest,
    /// The schema file, as text.
    pub schema: String,
}

/// Where a bundle is fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Object {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl std::fmt::Display for S3Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn kind(row: &Row) -> Result<TemplateKind, StoreError> {
    let word: String = row.get("kind")?;
    match word.as_str() {
        "environment" => Ok(TemplateKind::Environment),
        "service" => Ok(TemplateKind::Service),
        _ => Err(corrupt("template.kind", &word)),
    }
}

fn from_row(row: &Row) -> Result<TemplateRow, StoreError> {
    Ok(TemplateRow {
        kind: kind(row)?,
        name: row.text_as("name")?,
        display_name: row.get("display_name")?,
        description: row.get("description")?,
        no_pipeline: row.get("no_pipeline")?,
        customer_managed: row.get("customer_managed")?,
        encryption_key: row.get("encryption_key")?,
        versions: json(row, "versions")?,
        created_at: row.get("created_at")?,
        modified_at: row.get("modified_at")?,
        generation: row.get("generation")?,
    })
}

fn version_from_row(row: &Row) -> Result<VersionRow, StoreError> {
    let digest: Option<Digest> = row.text_as_opt("digest")?;
    let archive: Option<Digest> = row.text_as_opt("archive")?;
    let schema: String = row.get("schema")?;
    let source: String = row.get("source")?;
    Ok(VersionRow {
        kind: kind(row)?,
        name: row.text_as("name")?,
        version: TemplateVersion {
            major: row.get("major")?,
            minor: row.get("minor")?,
        },
        description: row.get("description")?,
        compatible: json(row, "compatible")?,
        content: digest.zip(archive).map(|(digest, archive)| Content {
            digest,
            archive,
            schema,
        }),
        source: if source.is_empty() {
            None
        } else {
            Some(json(row, "source")?)
        },
        job: row.text_as_opt("job")?,
        components: row.get("components")?,
        warnings: json(row, "warnings")?,
        approvals: Approvals {
            needed: json(row, "needed")?,
            approved: row
                .get::<Option<String>>("approved")?
                .map(|_| json(row, "approved"))
                .transpose()?,
            publisher: row.get("publisher")?,
        },
        created_at: row.get("created_at")?,
        modified_at: row.get("modified_at")?,
    })
}

/// Inserts a template.
///
/// # Errors
/// [`StoreError::Conflict`] when one of the same kind and name exists.
pub async fn insert(tx: &mut Tx, row: &TemplateRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO template (kind, name, display_name, description, no_pipeline, customer_managed, encryption_key,
             versions, created_at, modified_at, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &params![
            row.kind.word(),
            &row.name,
            &row.display_name,
            &row.description,
            row.no_pipeline,
            row.customer_managed,
            &row.encryption_key,
            to_json(&row.versions)?,
            row.created_at,
            row.modified_at,
            row.generation,
            UNREAD
        ],
    )
    .await?;
    told(tx, row, None).await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Tells what has become of a template and its versions, and forgets the tags of those that are gone.
async fn told(tx: &mut Tx, row: &TemplateRow, before: Option<&Versions>) -> Result<(), StoreError> {
    let template = Resource::template(row.kind, row.name.clone());
    let known = before.map(Versions::word);
    events::told(tx, &template, None, known, row.versions.word()).await?;
    if before.is_none() {
        tx.made(template, None);
    }
    let (none, now) = (Versions::default(), &row.versions.existing);
    let before = &before.unwrap_or(&none).existing;
    for (version, state) in now {
        let name = Resource::version(row.kind, row.name.clone(), *version);
        let known = before.get(version).map(VersionState::word);
        events::told(tx, &name, None, known, state.word()).await?;
        if known.is_none() {
            tx.made(name, None);
        }
    }
    for (version, state) in before {
        if !now.contains_key(version) {
            let name = Resource::version(row.kind, row.name.clone(), *version);
            tags::forget(tx, &name).await?;
            events::told(tx, &name, None, Some(state.word()), DELETED).await?;
        }
    }
    Ok(())
}

/// Writes a template back where it is still the one that was read.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else wrote it meanwhile.
pub async fn put(tx: &mut Tx, row: &mut TemplateRow) -> Result<(), StoreError> {
    let before: Option<Versions> = tx
        .query_opt(
            "SELECT versions FROM template WHERE kind = $1 AND name = $2",
            &params![row.kind.word(), &row.name],
        )
        .await?
        .map(|before| json(&before, "versions"))
        .transpose()?;
    let written = tx
        .execute(
            "UPDATE template SET display_name = $4, description = $5, versions = $6, modified_at = $7,
                 generation = generation + 1, changed = $8
             WHERE kind = $1 AND name = $2 AND generation = $3",
            &params![
                row.kind.word(),
                &row.name,
                row.generation,
                &row.display_name,
                &row.description,
                to_json(&row.versions)?,
                row.modified_at,
                UNREAD
            ],
        )
        .await?;
    if written == 0 {
        return Err(super::changed("writing a template"));
    }
    row.generation += 1;
    told(tx, row, before.as_ref()).await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Removes a template without versions, its tags, and what it follows.
pub async fn remove(tx: &mut Tx, kind: TemplateKind, name: &TemplateName) -> Result<(), StoreError> {
    let gone = tx
        .query_opt(
            "DELETE FROM template WHERE kind = $1 AND name = $2 RETURNING versions",
            &params![kind.word(), name],
        )
        .await?;
    if let Some(gone) = gone {
        let before: Versions = json(&gone, "versions")?;
        sync::remove(tx, &Follower::Template(kind, name.clone())).await?;
        let name = Resource::template(kind, name.clone());
        tags::forget(tx, &name).await?;
        events::told(tx, &name, None, Some(before.word()), DELETED).await?;
    }
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One template, locked until the transaction ends.
pub async fn get(
    tx: &mut Tx,
    kind: TemplateKind,
    name: &TemplateName,
) -> Result<Option<TemplateRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                template_columns!(),
                " FROM template WHERE kind = $1 AND name = $2 /*for-update*/"
            ),
            &params![kind.word(), name],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One template, which stays as it is until the transaction ends. Those who ask like this do not keep each other waiting.
pub async fn shared(
    tx: &mut Tx,
    kind: TemplateKind,
    name: &TemplateName,
) -> Result<Option<TemplateRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                template_columns!(),
                " FROM template WHERE kind = $1 AND name = $2 /*for-share*/"
            ),
            &params![kind.word(), name],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Templates by kind and name, after `(kind, name)`.
pub async fn list(
    tx: &mut Tx,
    kind: Option<TemplateKind>,
    after: (&str, &str),
    limit: u32,
) -> Result<Vec<TemplateRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            template_columns!(),
            " FROM template
         WHERE ($1 = '' OR kind = $1) AND (kind > $2 OR (kind = $2 AND name > $3))
         ORDER BY kind, name LIMIT $4"
        ),
        &params![kind.map_or("", TemplateKind::word), after.0, after.1, limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// How many templates there are, of both kinds.
pub async fn count(tx: &mut Tx) -> Result<u64, StoreError> {
    tx.query_one("SELECT COUNT(*) AS n FROM template", &[])
        .await?
        .get("n")
}

/// Inserts a version.
pub async fn insert_version(tx: &mut Tx, row: &VersionRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO template_version (kind, name, major, minor, description, compatible, digest, archive, warnings,
             created_at, modified_at, schema, components, source, job, needed, approved, publisher)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        &params![
            row.kind.word(),
            &row.name,
            row.version.major,
            row.version.minor,
            &row.description,
            to_json(&row.compatible)?,
            row.content.as_ref().map(|content| content.digest),
            row.content.as_ref().map(|content| content.archive),
            to_json(&row.warnings)?,
            row.created_at,
            row.modified_at,
            row.content.as_ref().map_or("", |content| content.schema.as_str()),
            row.components,
            row.source.as_ref().map(to_json).transpose()?.unwrap_or_default(),
            row.job,
            to_json(&row.approvals.needed)?,
            row.approvals.approved.as_ref().map(to_json).transpose()?,
            &row.approvals.publisher
        ],
    )
    .await?;
    Ok(())
}

/// Writes a version back. Whoever does so holds its template's row.
pub async fn put_version(tx: &mut Tx, row: &VersionRow) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE template_version SET description = $5, compatible = $6, digest = $7, archive = $8, schema = $9,
             components = $10, warnings = $11, modified_at = $12, job = $13, needed = $14, approved = $15,
             publisher = $16
         WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4",
        &params![
            row.kind.word(),
            &row.name,
            row.version.major,
            row.version.minor,
            &row.description,
            to_json(&row.compatible)?,
            row.content.as_ref().map(|content| content.digest),
            row.content.as_ref().map(|content| content.archive),
            row.content.as_ref().map_or("", |content| content.schema.as_str()),
            row.components,
            to_json(&row.warnings)?,
            row.modified_at,
            row.job,
            to_json(&row.approvals.needed)?,
            row.approvals.approved.as_ref().map(to_json).transpose()?,
            &row.approvals.publisher
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// A version has changed.
pub async fn touch_version(
    tx: &mut Tx,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE template_version SET modified_at = $5 WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4",
        &params![kind.word(), name, version.major, version.minor, now],
    )
    .await?;
    Ok(())
}

/// Removes a version; its archive stays as long as somebody refers to it.
pub async fn remove_version(
    tx: &mut Tx,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM template_version WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4",
        &params![kind.word(), name, version.major, version.minor],
    )
    .await?;
    Ok(())
}

/// One version.
pub async fn get_version(
    tx: &mut Tx,
    kind: TemplateKind,
    name: &TemplateName,
    version: TemplateVersion,
) -> Result<Option<VersionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                template_version_columns!(),
                " FROM template_version WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4"
            ),
            &params![kind.word(), name, version.major, version.minor],
        )
        .await?;
    row.as_ref().map(version_from_row).transpose()
}

/// The version whose bundle this job fetches.
pub async fn by_job(tx: &mut Tx, job: JobId) -> Result<Option<VersionRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                template_version_columns!(),
                " FROM template_version WHERE job = $1"
            ),
            &params![job],
        )
        .await?;
    row.as_ref().map(version_from_row).transpose()
}

const fn upload_place(job: &str) -> Place<'_> {
    Place {
        table: "upload",
        column: "bytes",
        row: job,
    }
}

/// Keeps what was fetched for a job, until it is checked. A later fetch takes its place.
pub async fn put_upload(tx: &mut Tx, job: JobId, bytes: &[u8], now: Timestamp) -> Result<Digest, StoreError> {
    let digest = Digest::of(bytes);
    let key = job.to_string();
    let bytes = tx.seal_bytes(HUB, upload_place(&key), bytes).await?;
    tx.execute(
        "INSERT INTO upload (job, digest, bytes, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (job) DO UPDATE
             SET digest = excluded.digest, bytes = excluded.bytes, created_at = excluded.created_at",
        &params![job, digest, bytes, now],
    )
    .await?;
    Ok(digest)
}

/// What was fetched for a job: its digest and its bytes.
pub async fn upload(tx: &mut Tx, job: JobId) -> Result<Option<(Digest, Vec<u8>)>, StoreError> {
    let row = tx
        .query_opt("SELECT digest, bytes FROM upload WHERE job = $1", &params![job])
        .await?;
    let key = job.to_string();
    row.map(|row| Ok((row.text_as("digest")?, row.opened_bytes(upload_place(&key))?)))
        .transpose()
}

/// What was fetched for a job is stored elsewhere, or nobody wants it any more.
pub async fn drop_upload(tx: &mut Tx, job: JobId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM upload WHERE job = $1", &params![job])
        .await?;
    Ok(())
}

/// Versions of a template, or of one major version of it, in order, after `after`.
pub async fn list_versions(
    tx: &mut Tx,
    kind: TemplateKind,
    name: &TemplateName,
    of_major: Option<u32>,
    after: Option<TemplateVersion>,
    limit: u32,
) -> Result<Vec<VersionRow>, StoreError> {
    let (major, minor) = after.map_or((0, 0), |version| (version.major, version.minor));
    tx.query(
        concat!(
            "SELECT ",
            template_version_columns!(),
            " FROM template_version
         WHERE kind = $1 AND name = $2 AND (major > $3 OR (major = $3 AND minor > $4))
           AND (CAST($6 AS BIGINT) = 0 OR major = CAST($6 AS BIGINT))
         ORDER BY major, minor LIMIT $5"
        ),
        &params![kind.word(), name, major, minor, limit, of_major.unwrap_or(0)],
    )
    .await?
    .iter()
    .map(version_from_row)
    .collect()
}
