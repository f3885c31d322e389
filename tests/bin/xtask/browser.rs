//! The web console, walked through by a real browser.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use hadron_tests::browser::{Options, journeys};

/// How long all journeys may take.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Flags of `browser`.
#[derive(Debug, Default, Args)]
pub(crate) struct Browser {
    /// Only journeys with this in their name
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Put pictures of all pages here: light and dark, wide and narrow, English and Japanese
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// Put pictures of what went wrong here
    #[arg(long, value_name = "FOLDER")]
    failures: Option<PathBuf>,
}

impl Browser {
    /// Walks, and ends with one line of JSON with counts.
    pub(crate) fn run(self) -> Result<()> {
        let absolute = |folder: Option<PathBuf>| {
            folder
                .map(|folder| std::path::absolute(&folder).context("a folder for pictures"))
                .transpose()
        };
        let options = Options {
            pictures: absolute(self.pictures)?,
            failures: absolute(self.failures)?,
            only: self.only,
        };
        let runtime = tokio::runtime::Runtime::new().context("a runtime")?;
        let counts = runtime.block_on(Box::pin(journeys(&options, PATIENCE)))?;
        println!("{counts}");
        Ok(())
    }
}
