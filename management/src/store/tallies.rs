//! What deployments came to: counted as they end, by what was deployed, how it ended and how long it took.

use super::StoreError;
use super::db::{Late, Tx, params};
use super::deployments::DeploymentRow;
use super::targets;
use crate::meter::Distribution;

/// Limits between which durations are counted, in whole seconds. Others may be added; those that were counted by stay true.
pub const LIMITS: [u32; 10] = [10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200];
/// What stands for a duration that is longer than all of them.
const LONGER: u32 = 0;

/// All deployments of one kind and template that ended in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// environment, instance, pipeline or component.
    pub kind: String,
    /// The template's name; empty for components.
    pub template: String,
    /// The last status, such as `SUCCEEDED`.
    pub outcome: String,
    /// How many there were, and how long they took from the request to the end.
    pub times: Distribution,
}

/// Counts a deployment that ends with this transaction.
pub fn count(tx: &mut Tx, row: &DeploymentRow) {
    let Some(ended) = row.ended_at else { return };
    let took = ended.since(row.created_at);
    let within = LIMITS
        .into_iter()
        .find(|limit| took.as_secs_f64() <= f64::from(*limit));
    let within = within.unwrap_or(LONGER);
    let (kind, ..) = targets::words(&row.target);
    let template = targets::template_word(row.template.as_ref());
    let outcome = row.deployment.word();
    // Each deployment is a row to be written, in the order of the rows that are counted up.
    let key = format!("{kind}\0{template}\0{outcome}\0{within}\0{}", row.deployment.id);
    tx.late(
        Late::Tally,
        Some(key),
        "INSERT INTO deployment_tally (kind, template_name, outcome, within, ended, took) VALUES ($1, $2, $3, $4, 1, $5)
         ON CONFLICT (kind, template_name, outcome, within) DO UPDATE
             SET ended = deployment_tally.ended + 1, took = deployment_tally.took + excluded.took",
        params![
            kind,
            template,
            outcome,
            within,
            u64::try_from(took.as_micros()).unwrap_or(u64::MAX >> 1)
        ]
        .to_vec(),
    );
}

/// Everything that was counted. One row for each kind, template, outcome and limit: as many as there are templates, times
/// some dozens.
pub async fn all(tx: &mut Tx) -> Result<Vec<Tally>, StoreError> {
    let rows = tx
        .query(
            "SELECT kind, template_name, outcome, within, ended, took FROM deployment_tally
             ORDER BY kind, template_name, outcome, within",
            &[],
        )
        .await?;
    let limits = LIMITS.map(f64::from);
    let mut tallies: Vec<Tally> = Vec::new();
    for row in &rows {
        let (kind, template, outcome) = (
            row.get::<String>("kind")?,
            row.get::<String>("template_name")?,
            row.get::<String>("outcome")?,
        );
        let same = |last: &Tally| last.kind == kind && last.template == template && last.outcome == outcome;
        if !tallies.last().is_some_and(same) {
            tallies.push(Tally {
                kind,
                template,
                outcome,
                times: Distribution::between(&limits),
            });
        }
        let within: u32 = row.get("within")?;
        // A limit of another release counts as the next higher one of this.
        let place = match within {
            LONGER => LIMITS.len(),
            within => LIMITS.iter().take_while(|limit| **limit < within).count(),
        };
        if let Some(last) = tallies.last_mut() {
            last.times.counts[place] += row.get::<u64>("ended")?;
            last.times.micros += row.get::<u64>("took")?;
        }
    }
    Ok(tallies)
}
