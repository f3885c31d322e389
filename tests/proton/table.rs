//! The table of operations, see [`hadron_tests::coverage`].

use anyhow::Result;
use hadron_tests::coverage;

/// What a suite saw has to be in the committed table. The whole table is compared after all suites have run, by
/// `cargo xtask test`.
pub(crate) fn holds(name: &str) -> Result<()> {
    coverage::contains(name)
}
