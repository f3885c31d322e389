//! Mistakes that the simulation must find: each is switched on, and seeds are run until a promise is broken.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use hadron_proto::fault::{self, Bug};

use super::run;

/// One process has one set of mistakes: whoever switches one on keeps others from running meanwhile.
static ONE: Mutex<()> = Mutex::new(());

/// How a mistake was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Which.
    pub bug: Bug,
    /// How many seeds it took, the one that found it included.
    pub seeds: u64,
    /// What was broken.
    pub violation: String,
}

/// Makes a mistake, and runs up to `most` seeds from `first` on until it is found.
///
/// # Errors
/// When it is not found.
pub fn find(bug: Bug, first: u64, most: u64) -> Result<Detection> {
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let arm = |text: &str| fault::arm(text, None).map_err(|error| anyhow!(error));
    arm(&format!("bug={bug}"))?;
    let found = (0..most).find_map(|n| match run((first + n).into()) {
        Err(error) => Some(Err(error)),
        Ok(story) => story.violations.first().map(|violation| {
            Ok(Detection {
                bug,
                seeds: n + 1,
                violation: violation.clone(),
            })
        }),
    });
    arm("")?;
    found.unwrap_or_else(|| Err(anyhow!("{bug} was not found by {most} seeds")))
}
