//! Pull grants: computed anew from services whenever one changes, written by the management account's agent.

use std::collections::{BTreeMap, BTreeSet};

use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::deployment::{DeploymentInput, Phase};
use hadron_domain::grant::{Grants, ImageUse, LaneInput, PolicyLane, Repository};
use hadron_domain::service::Part;
use hadron_domain::step::Machine;
use hadron_domain::target::Target;
use hadron_proto::vocab::{AccountId, DeploymentId, ServiceName, Timestamp};
use hadron_templates::{ServiceSpec, SpecMap, SpecNode, SpecValue};

use super::effects::topic;
use super::{App, AppError, Settings, Unit};
use crate::store::deployments::{DeploymentRow, Source};
use crate::store::grants::LaneRow;
use crate::store::targets::TargetRow;
use crate::store::{GRANTS, deployments, grants as lanes, outbox, targets};

/// One account's right to one repository, as shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantView {
    /// The repository.
    pub repository: Repository,
    /// Who may pull.
    pub account: AccountId,
    /// WANTED, APPLIED, WITHDRAWING or BLOCKED.
    pub state: &'static str,
    /// Why they may.
    pub reasons: Vec<String>,
    /// Why it could not be written.
    pub message: String,
    /// When anything about the repository's grants last changed.
    pub changed_at: Timestamp,
}

/// Which policies are compared with what is wanted, and mended, although they seem to be as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// None.
    None,
    /// Those of the repositories of this service's pipeline.
    Of(ServiceName),
    /// All.
    Every,
}

/// Repositories among the resources of a stack.
#[must_use]
pub fn repositories(target: &TargetRow) -> Vec<Repository> {
    target
        .resources
        .iter()
        .filter(|resource| {
            resource.resource_type == "AWS::ECR::Repository" && !resource.status.starts_with("DELETE")
        })
        .filter_map(|resource| {
            let name = resource.physical_id.parse().ok()?;
            Some(Repository {
                registry: target.account,
                region: target.region.clone(),
                name,
            })
        })
        .collect()
}

/// Every text value of a spec's map, however deep.
pub(super) fn texts(map: &SpecMap, into: &mut Vec<String>) {
    fn each(value: &SpecValue, into: &mut Vec<String>) {
        match &value.node {
            SpecNode::Scalar { text, .. } => into.push(text.clone()),
            SpecNode::List(items) => items.iter().for_each(|item| each(item, into)),
            SpecNode::Map(map) => texts(map, into),
        }
    }
    map.values().for_each(|value| each(value, into));
}

/// The image uses of an instance, from its spec and its service's pipeline.
#[must_use]
pub fn image_use(instance: &TargetRow, spec: &str, pipeline: Option<&TargetRow>) -> Option<ImageUse> {
    let Target::Instance(service, name) = &instance.target else {
        return None;
    };
    let mut spec_values = Vec::new();
    if let Ok(spec) = ServiceSpec::parse("spec", spec)
        && let Some(own) = spec.instance(name)
    {
        texts(&own.inputs, &mut spec_values);
    }
    Some(ImageUse {
        service: service.clone(),
        instance: name.clone(),
        account: instance.account,
        pipeline: pipeline.map(repositories).unwrap_or_default(),
        spec_values,
    })
}

/// Repositories of the management account that an instance names and whose policies nobody here can write: the agent of the
/// management account works in the hub's own Region.
#[must_use]
pub fn out_of_reach(settings: &Settings, instance: &TargetRow, spec: &str) -> Vec<String> {
    let desired = Grants::desired(settings.account, image_use(instance, spec, None));
    let other = desired
        .repositories()
        .filter(|repository| repository.region != settings.region);
    other
        .map(|repository| {
            format!(
                "repository {} is in Region {}, where this hub writes no policies: let account {} pull from it by hand",
                repository.name, repository.region, instance.account
            )
        })
        .collect()
}

/// Repositories that an instance must be able to pull from and, as far as is known, cannot yet.
///
/// # Errors
/// When the database does not answer.
pub async fn lacking(
    unit: &mut Unit<'_>,
    instance: &TargetRow,
    spec: &str,
) -> Result<BTreeSet<Repository>, AppError> {
    let Target::Instance(service, _) = &instance.target else {
        return Ok(BTreeSet::new());
    };
    let pipeline = targets::seen_by_name(unit.tx, &Target::Pipeline(service.clone())).await?;
    let Some(uses) = image_use(instance, spec, pipeline.as_ref()) else {
        return Ok(BTreeSet::new());
    };
    let desired = Grants::desired(unit.settings().account, [uses]);
    let mut lacking = BTreeSet::new();
    let region = unit.settings().region.clone();
    for repository in desired
        .repositories()
        .filter(|repository| repository.region == region)
    {
        let lane = lanes::seen(unit.tx, repository).await?;
        if !lane.is_some_and(|row| row.lane.can_pull(instance.account)) {
            lacking.insert(repository.clone());
        }
    }
    Ok(lacking)
}

/// Computes all grants anew and has the policies written that differ, and those of `check` in any case.
///
/// # Errors
/// When the database does not take it.
pub async fn revise(unit: &mut Unit<'_>, check: Check) -> Result<(), AppError> {
    // One after another, also across hubs: two at once would both make a lane that is not there yet, or wish for what an
    // instance of a moment ago needed. Drawing the number holds its row until the transaction ends.
    unit.tx.next(GRANTS).await?;
    let pipelines: BTreeMap<ServiceName, TargetRow> = targets::all_pipelines(unit.tx)
        .await?
        .into_iter()
        .filter_map(|row| match &row.target {
            Target::Pipeline(service) => Some((service.clone(), row)),
            Target::Environment(_) | Target::Instance(..) | Target::Component(_) => None,
        })
        .collect();
    let mut uses = Vec::new();
    for instance in targets::all_instances(unit.tx).await? {
        let Target::Instance(service, _) = &instance.target else {
            continue;
        };
        // What is about to be deployed counts as well as what is there: both must be able to pull.
        let pending = deployments::active_of(unit.tx, instance.id).await?;
        let pipeline = pipelines.get(service);
        uses.extend(image_use(&instance, &instance.spec, pipeline));
        if let Some(pending) = pending {
            uses.extend(image_use(&instance, &pending.spec, pipeline));
        }
    }
    let registry = unit.settings().account;
    let desired = Grants::desired(registry, uses);
    let there: BTreeSet<Repository> = pipelines
        .values()
        .filter(|row| row.part != Part::Gone)
        .flat_map(repositories)
        .collect();

    let known = lanes::all(unit.tx).await?;
    let region = unit.settings().region.clone();
    let every: BTreeSet<Repository> = desired
        .repositories()
        .filter(|repository| repository.region == region)
        .cloned()
        .chain(known.iter().map(|row| row.lane.repository.clone()))
        .collect();
    for repository in every {
        let before = known.iter().find(|row| row.lane.repository == repository);
        let mut row = before.cloned().unwrap_or_else(|| LaneRow {
            lane: PolicyLane::new(repository.clone()),
            reasons: BTreeMap::new(),
            checked_at: unit.now,
            changed_at: unit.now,
        });
        let readers = desired.readers(&repository);
        let wanted: BTreeSet<AccountId> = readers.keys().copied().collect();
        if row.reasons != readers || row.lane.wanted != wanted {
            row.changed_at = unit.now;
        }
        row.reasons = readers;
        let job = unit.fresh_id();
        let mut step = row
            .lane
            .step(LaneInput::Want { readers: wanted, job })
            .map_err(AppError::internal)?;
        // A repository that was missing when we last looked may exist since its pipeline was deployed.
        let appeared =
            step.next.blocked.as_ref().is_some_and(|blocked| blocked.missing) && there.contains(&repository);
        // Those count as well who could not be kept out any more.
        let checked = match &check {
            Check::None => false,
            Check::Of(service) => pipelines
                .get(service)
                .is_some_and(|row| repositories(row).contains(&repository)),
            Check::Every => true,
        };
        if step.effects.is_empty() && (checked || appeared) && !step.next.accounts().is_empty() {
            step = step
                .next
                .step(LaneInput::Again { job })
                .map_err(AppError::internal)?;
        }
        let same = before.is_some_and(|before| before.lane == step.next && before.reasons == row.reasons);
        if !same {
            unit.lane_step(&mut row, step.next, step.effects).await?;
        }
    }
    hadron_proto::fault::point("C43");
    // Deployments are locked before lanes, so those that wait are let go each in a transaction of its own.
    for row in deployments::active(unit.tx).await? {
        if decision(unit, &row).await?.is_some() {
            let id = row.deployment.id.to_string();
            outbox::ask(unit.tx, topic::RELEASE, &id, unit.now).await?;
        }
    }
    Ok(())
}

/// A deployment begins that needs these repositories: what could not be written before is tried once more.
///
/// # Errors
/// When the database does not take it.
pub async fn try_again(unit: &mut Unit<'_>, grants: &BTreeSet<Repository>) -> Result<(), AppError> {
    for repository in grants {
        let Some(mut row) = lanes::get(unit.tx, repository).await? else {
            continue;
        };
        if row.lane.blocked.is_some() && row.lane.writing.is_none() {
            let job = unit.fresh_id();
            let step = row
                .lane
                .step(LaneInput::Again { job })
                .map_err(AppError::internal)?;
            unit.lane_step(&mut row, step.next, step.effects).await?;
        }
    }
    Ok(())
}

/// What has to be done about a deployment that waits for grants, and the repositories that do not exist; `None` when it does
/// not wait, or waits on. It was there when all grants were computed anew: what no service wants is nothing to wait for.
async fn decision(
    unit: &mut Unit<'_>,
    row: &DeploymentRow,
) -> Result<Option<(DeploymentInput, Vec<String>)>, AppError> {
    let Phase::Waiting { grants } = &row.deployment.phase else {
        return Ok(None);
    };
    let mut missing = Vec::new();
    let mut blocked = None;
    let mut waits = false;
    for repository in grants {
        match lanes::seen(unit.tx, repository).await? {
            Some(lane) if lane.lane.can_pull(row.account) => {}
            Some(lane) if !lane.lane.wanted.contains(&row.account) => {}
            None => {}
            Some(LaneRow {
                lane:
                    PolicyLane {
                        blocked: Some(why),
                        writing: None,
                        ..
                    },
                ..
            }) => {
                // Nobody can pull from what is not there. A pipeline may make it later; the grant follows then.
                if why.missing {
                    missing.push(repository.name.to_string());
                } else {
                    blocked = Some(format!(
                        "account {} cannot be allowed to pull: {}",
                        row.account, why.why
                    ));
                }
            }
            Some(_) => waits = true,
        }
    }
    Ok(match blocked {
        Some(why) => Some((DeploymentInput::GrantBlocked { why, at: unit.now }, missing)),
        None if waits => None,
        None => Some((DeploymentInput::Ready { job: unit.fresh_id() }, missing)),
    })
}

/// Lets a deployment go on whose grants are applied, or fails it when they cannot be.
///
/// # Errors
/// When the database does not take it.
pub async fn release(unit: &mut Unit<'_>, id: DeploymentId) -> Result<(), AppError> {
    let Some(mut row) = deployments::get(unit.tx, id).await? else {
        return Ok(());
    };
    let Some((input, missing)) = decision(unit, &row).await? else {
        return Ok(());
    };
    for name in missing {
        let text = format!("repository {name} does not exist; it will be granted as soon as it does");
        deployments::tell(unit.tx, &mut row, unit.now, Source::Hub, text).await?;
    }
    let step = row.deployment.step(input).map_err(AppError::internal)?;
    row.deployment = step.next;
    unit.carry_out(&mut row, step.effects, None).await?;
    hadron_proto::fault::point("C45");
    Ok(deployments::put(unit.tx, &mut row).await?)
}

impl App {
    /// Grants in order, those to accounts that the caller may see.
    ///
    /// # Errors
    /// When the caller may not read grants.
    pub async fn list_grants(&self, caller: &Caller) -> Result<Vec<GrantView>, AppError> {
        let sight = self.may(caller, Action::ReadGrant).await?;
        let rows = self
            .read("grants", |tx| Box::pin(async move { Ok(lanes::all(tx).await?) }))
            .await?;
        let mut views = Vec::new();
        for row in rows {
            for account in row.lane.accounts() {
                if !sight.covers(&Place::account(account)) {
                    continue;
                }
                views.push(GrantView {
                    repository: row.lane.repository.clone(),
                    account,
                    state: row.lane.word(account),
                    reasons: row.reasons.get(&account).map_or_else(Vec::new, |reasons| {
                        reasons.iter().map(ToString::to_string).collect()
                    }),
                    message: row
                        .lane
                        .blocked
                        .as_ref()
                        .map(|blocked| blocked.why.clone())
                        .unwrap_or_default(),
                    changed_at: row.changed_at,
                });
            }
        }
        Ok(views)
    }
}
