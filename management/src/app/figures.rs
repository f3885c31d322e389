//! Numbers for those who watch the hub from outside. They are asked by nobody in particular and tell of nobody in particular:
//! templates have their names in them, accounts, environments and people have not.

use std::collections::BTreeMap;

use hadron_domain::template::{Standing, TemplateKind};
use hadron_proto::vocab::{TemplateName, Timestamp};

use super::summary::Known;
use super::{App, AppError};
use crate::store::counts::{self, Chores};
use crate::store::tallies::{self, Tally};
use crate::store::{Tx, ca, samples, summary};

/// How often samples are kept, in microseconds.
const MINUTE: i64 = 60_000_000;

/// Everything that stands in the database: every hub tells the same.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Queue, deployments and agents.
    pub standing: counts::Standing,
    /// What the hubs have on their hands.
    pub chores: Chores,
    /// What deployments came to.
    pub tallies: Vec<Tally>,
    /// How many are behind.
    pub lag: Vec<Lag>,
    /// Roots of the CA, by where they stand, and when they expire.
    pub roots: Vec<(&'static str, Timestamp)>,
    /// The time by the database's clock.
    pub now: Option<Timestamp>,
}

/// How many targets of one kind and template stand how towards what is recommended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// environment, instance or pipeline.
    pub kind: &'static str,
    /// The template's name.
    pub template: TemplateName,
    /// How many run what is recommended.
    pub up_to_date: u64,
    /// How many a higher minor version is recommended for.
    pub behind_minor: u64,
    /// How many a higher major version is recommended for.
    pub behind_major: u64,
}

/// Kinds of targets that are made from templates.
pub(super) const KINDS: [(&str, TemplateKind); 3] = [
    ("environment", TemplateKind::Environment),
    ("instance", TemplateKind::Service),
    ("pipeline", TemplateKind::Service),
];

async fn lag(tx: &mut Tx) -> Result<Vec<Lag>, AppError> {
    let mut known = Known::default();
    let mut found = Vec::new();
    for (word, kind) in KINDS {
        let mut by_template: BTreeMap<TemplateName, Lag> = BTreeMap::new();
        for group in summary::targets(tx, word).await? {
            let Some(template) = &group.template else { continue };
            let standing = known.standing(tx, kind, &group).await?;
            let lag = by_template.entry(template.clone()).or_insert_with(|| Lag {
                kind: word,
                template: template.clone(),
                up_to_date: 0,
                behind_minor: 0,
                behind_major: 0,
            });
            match standing {
                Standing::UpToDate => lag.up_to_date += group.count,
                Standing::BehindMinor => lag.behind_minor += group.count,
                Standing::BehindMajor => lag.behind_major += group.count,
            }
        }
        found.extend(by_template.into_values());
    }
    Ok(found)
}

impl App {
    /// Reads them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn figures(&self) -> Result<Figures, AppError> {
        self.read("figures", |tx| {
            Box::pin(async move {
                let roots = ca::all(tx).await?;
                let roots = roots
                    .iter()
                    .map(|row| (row.root.stage.word(), row.root.not_after));
                Ok(Figures {
                    standing: counts::standing(tx).await?,
                    chores: counts::chores(tx).await?,
                    tallies: tallies::all(tx).await?,
                    lag: lag(tx).await?,
                    roots: roots.filter(|(stage, _)| *stage != "retired").collect(),
                    now: Some(tx.now().await?),
                })
            })
        })
        .await
    }

    /// Keeps how the queue and the agents are at this minute.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sample(&self) -> Result<(), AppError> {
        self.write("samples", |unit| {
            Box::pin(async move {
                let standing = counts::standing(unit.tx).await?;
                let at = unit.now.as_micros();
                let at = Timestamp::from_micros(at - at.rem_euclid(MINUTE));
                Ok(samples::put(unit.tx, at, &standing).await?)
            })
        })
        .await
    }
}
