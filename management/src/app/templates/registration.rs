//! How a bundle becomes a version's content. One that came with a request is checked at once. One in S3 takes four steps,
//! each of which survives the end of whoever does it:
//!
//! 1. The version and a job are written in one transaction. The hub calls no S3: the management account's agent does.
//! 2. The agent hands the bytes over under the job's token; they wait beside the job, replaced should they come again.
//! 3. The agent's report says that these are the ones. That asks, through the outbox, for the check.
//! 4. The check takes its time outside of any transaction; its result makes the version a draft, or a failed one with
//!    every fault in its text.
//!
//! A version that is deleted on the way takes its job and its bytes along, and whatever comes later finds nothing to do.

use std::sync::Arc;

use hadron_domain::job::{Job, JobInput};
use hadron_domain::step::Machine;
use hadron_domain::template::{TemplateKind, VersionInput, VersionState};
use hadron_proto::vocab::{Digest, JobId, TemplateName, TemplateVersion};
use hadron_templates::{Answer, BundleKind, Checked, Expect, Given, Limits, Packed, Question};

use super::versions::signed_for;
use super::{App, AppError, ErrorKind, Unit};
use crate::app::effects::{Outcome, topic};
use crate::app::work::{Peer, Token, job_of};
use crate::store::jobs::{JobRow, JobWork};
use crate::store::templates::{TemplateRow, VersionRow};
use crate::store::{connections, jobs, outbox, templates};

/// Whether a bundle has a pipeline exactly if its template's services have one. The rest of what a bundle has to be is part
/// of its check.
pub(super) fn fits(template: &TemplateRow, found: BundleKind) -> Result<(), AppError> {
    let name = &template.name;
    match found {
        BundleKind::Service { pipeline } if pipeline == template.no_pipeline => {
            let (has, wants) = if pipeline {
                ("has", "without")
            } else {
                ("has no", "with")
            };
            Err(AppError::invalid(
                "PIPELINE_MISMATCH",
                format!("the bundle {has} pipeline_infrastructure, but template '{name}' is for services {wants} a pipeline"),
            )
            .help("use another template, or change the bundle"))
        }
        BundleKind::Service { .. } | BundleKind::Environment | BundleKind::EnvironmentCustomerManaged => {
            Ok(())
        }
    }
}

impl App {
    /// Checks an archive. Every fault of a bad one is in the error.
    pub(super) async fn check(
        &self,
        kind: TemplateKind,
        customer_managed: bool,
        archive: &Arc<Vec<u8>>,
    ) -> Result<Checked, AppError> {
        let expect = match kind {
            TemplateKind::Environment if customer_managed => Expect::CustomerManaged,
            TemplateKind::Environment => Expect::Provisioned,
            TemplateKind::Service => Expect::Service,
        };
        let packed = Packed {
            archive: Digest::of(archive),
            expect,
        };
        let given = Given::from([(packed.archive, Arc::clone(archive))]);
        match self.ask(Question::Check(packed), given).await? {
            Answer::Checked(checked) => {
                self.settings().templates.check(&checked.needs.contents())?;
                Ok(checked)
            }
            _ => Err(AppError::internal("another question was answered")),
        }
    }

    /// Adds to the warnings of a new minor version what may break specs that the one before it takes. A warning and no
    /// refusal: which version is a minor one is the publisher's word.
    pub(super) async fn warn_of_incompatible(
        &self,
        template: &TemplateRow,
        major: u32,
        checked: &mut Checked,
    ) -> Result<(), AppError> {
        let Some(before) = template.versions.latest_of(major) else {
            return Ok(());
        };
        let (kind, name) = (template.kind, template.name.clone());
        let row = self
            .read("version before", move |tx| {
                Box::pin(async move { Ok(templates::get_version(tx, kind, &name, before).await?) })
            })
            .await?;
        if let Some(row) = row {
            let schemas = Question::Compare(self.schema_text(&row).await?, checked.schema.clone());
            if let Answer::Warnings(found) = self.ask(schemas, Given::new()).await? {
                let found = found.into_iter();
                checked
                    .warnings
                    .extend(found.map(|text| format!("compared with version {before}: {text}")));
            }
        }
        Ok(())
    }

    /// How many bytes an agent may hand over for a job that it holds.
    ///
    /// # Errors
    /// When the token is not current, or the job fetches nothing.
    pub async fn may_put_content(&self, peer: &Peer, token: Token) -> Result<u64, AppError> {
        let peer = peer.clone();
        self.write("may put content", move |unit| {
            Box::pin(async move { fetching(unit, &peer, token).await })
        })
        .await
    }

    /// Keeps what an agent fetched for a job that it holds. Gives its digest.
    ///
    /// # Errors
    /// When the token is not current, the job fetches nothing, or it is too much.
    pub async fn put_content(&self, peer: &Peer, token: Token, bytes: Vec<u8>) -> Result<Digest, AppError> {
        let peer = peer.clone();
        self.write("put content", move |unit| {
            Box::pin(async move {
                let most = fetching(unit, &peer, token).await?;
                if bytes.len() as u64 > most {
                    return Err(AppError::invalid(
                        "CONTENT_TOO_LARGE",
                        format!("{} bytes were handed over; at most {most} are taken", bytes.len()),
                    ));
                }
                Ok(templates::put_upload(unit.tx, token.job, &bytes, unit.now).await?)
            })
        })
        .await
    }

    /// Checks what was fetched for a job and makes its version a draft, or a failed one. Doing it twice is doing it once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn register_fetched(&self, job: JobId) -> Result<(), AppError> {
        let found = self
            .read("fetched bundle", move |tx| {
                Box::pin(async move {
                    let Some(version) = templates::by_job(tx, job).await? else {
                        return Ok(None);
                    };
                    let template = templates::get(tx, version.kind, &version.name).await?;
                    let upload = templates::upload(tx, job).await?;
                    Ok(template
                        .zip(upload)
                        .map(|(template, upload)| (version, template, upload)))
                })
            })
            .await?;
        // Deleted, or registered already.
        let Some((version, template, (_, archive))) = found else {
            return Ok(());
        };
        let archive = Arc::new(archive);
        let checked = self
            .check(template.kind, template.customer_managed, &archive)
            .await;
        let mut outcome = match checked {
            Ok(checked) => fits(&template, checked.kind)
                .and_then(|()| signed_for(version.kind, &version.name, version.version.major, &checked))
                .map(|()| checked),
            // It may end otherwise the next time.
            Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Internal) => {
                return Err(error);
            }
            Err(error) => Err(error),
        };
        if let Ok(checked) = &mut outcome
            && version.version.minor > 0
        {
            self.warn_of_incompatible(&template, version.version.major, checked)
                .await?;
        }
        let outcome = outcome.map_err(|error| match error.help {
            Some(help) => format!("{}; {help}", error.message),
            None => error.message,
        });
        self.write("register fetched bundle", move |unit| {
            Box::pin(async move {
                let Some((mut template, mut row)) = unit.being_registered(job).await? else {
                    return Ok(());
                };
                match outcome {
                    Ok(checked) => {
                        unit.registered(&mut template, &mut row, &archive, checked).await?;
                        tracing::info!(template = %row.name, version = %row.version, "template version registered");
                    }
                    Err(why) => refuse(&mut template, &row, why)?,
                }
                hadron_proto::fault::point("C66");
                unit.registration_ended(&mut template, &mut row, job).await
            })
        })
        .await
    }
}

/// How many bytes a job that the peer holds may fetch.
async fn fetching(unit: &mut Unit<'_>, peer: &Peer, token: Token) -> Result<u64, AppError> {
    let row = job_of(unit, peer, token.job).await?;
    row.job.step(JobInput::Check { fence: token.fence })?;
    match row.work {
        JobWork::FetchBundle { max_bytes, .. } => Ok(max_bytes),
        JobWork::ApplyStack
        | JobWork::DestroyStack
        | JobWork::RevokeStack
        | JobWork::SetPullPolicy { .. }
        | JobWork::InspectStack { .. }
        | JobWork::PutCheckpoints(_)
        | JobWork::PutEvents { .. } => {
            Err(AppError::invalid("NO_CONTENT", "the job does not fetch anything"))
        }
    }
}

/// The version has failed, for good.
fn refuse(template: &mut TemplateRow, row: &VersionRow, why: String) -> Result<(), AppError> {
    tracing::info!(template = %row.name, version = %row.version, "template version refused");
    let step = VersionState::Registering
        .step(VersionInput::Refused(why))
        .map_err(AppError::internal)?;
    template.versions.existing.insert(row.version, step.next);
    Ok(())
}

impl Unit<'_> {
    /// Has the management account's agent fetch a version's bundle. The caller writes the version.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(super) async fn ask_for_bundle(&mut self, row: &mut VersionRow) -> Result<(), AppError> {
        let source = row
            .source
            .clone()
            .ok_or_else(|| AppError::internal("a version without a bundle and without a source"))?;
        let connection = connections::management(self.tx)
            .await?
            .ok_or_else(|| AppError::internal("the management account's own connection is not there"))?;
        let job = JobRow {
            job: Job::new(self.fresh_id(), self.now),
            account: self.settings().account,
            region: self.settings().region.clone(),
            connection: connection.connection.id,
            deployment: None,
            label: format!("bundle of template {} {}", row.name, row.version),
            work: JobWork::FetchBundle {
                source,
                max_bytes: Limits::default().bundle_bytes as u64,
            },
            created_at: self.now,
        };
        row.job = Some(job.job.id);
        Ok(jobs::insert(self.tx, &job).await?)
    }

    /// A job that fetches a bundle has ended.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(in crate::app) async fn fetch_ended(&mut self, job: JobId, outcome: Outcome) -> Result<(), AppError> {
        let why = match outcome {
            Outcome::BundleFetched { digest, bytes } => {
                let upload = templates::upload(self.tx, job).await?;
                match upload {
                    Some((kept, content)) if kept == digest && content.len() as u64 == bytes => {
                        return Ok(outbox::ask(self.tx, topic::REGISTER, &job.to_string(), self.now).await?);
                    }
                    _ => format!(
                        "the agent reported a bundle ({digest}, {bytes} bytes) that it did not hand over"
                    ),
                }
            }
            Outcome::Failed { message, .. } => message,
            Outcome::Applied { .. }
            | Outcome::Gone
            | Outcome::Revoked
            | Outcome::Inspected(_)
            | Outcome::PullPolicySet { .. }
            | Outcome::CheckpointsPut { .. }
            | Outcome::EventsPut { .. } => "the agent reported the outcome of another sort of job".to_owned(),
        };
        let Some((mut template, mut row)) = self.being_registered(job).await? else {
            return Ok(());
        };
        let why = format!("{why}. When that is mended, create the version anew; this one can be deleted");
        refuse(&mut template, &row, why)?;
        self.registration_ended(&mut template, &mut row, job).await
    }

    /// The version whose bundle this job fetches, with its template, which is locked; nothing when it is gone or not being
    /// registered any more.
    async fn being_registered(&mut self, job: JobId) -> Result<Option<(TemplateRow, VersionRow)>, AppError> {
        let Some(found) = templates::by_job(self.tx, job).await? else {
            return Ok(None);
        };
        let template = templates::get(self.tx, found.kind, &found.name).await?;
        // Once more, now that the template's row is held: the version may have been described anew meanwhile.
        let row = templates::by_job(self.tx, job).await?;
        let pair = template.zip(row);
        Ok(pair.filter(|(template, row)| {
            template.versions.existing.get(&row.version) == Some(&VersionState::Registering)
        }))
    }

    /// Writes a version back whose registration has ended.
    async fn registration_ended(
        &mut self,
        template: &mut TemplateRow,
        row: &mut VersionRow,
        job: JobId,
    ) -> Result<(), AppError> {
        row.job = None;
        row.modified_at = self.now;
        template.modified_at = self.now;
        templates::put(self.tx, template).await?;
        templates::put_version(self.tx, row).await?;
        Ok(templates::drop_upload(self.tx, job).await?)
    }

    /// A version is deleted: nobody needs to fetch its bundle any more.
    pub(super) async fn forget_bundle(
        &mut self,
        kind: TemplateKind,
        name: &TemplateName,
        version: TemplateVersion,
    ) -> Result<(), AppError> {
        let row = templates::get_version(self.tx, kind, name, version).await?;
        if let Some(job) = row.and_then(|row| row.job) {
            self.void(job).await?;
            templates::drop_upload(self.tx, job).await?;
        }
        Ok(())
    }
}
