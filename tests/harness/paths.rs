//! Where things are: this checkout, its binaries, its tools.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or_else(|| Path::new("."))
        .to_owned()
}

/// A binary of the workspace, from the same build as the program that asks.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "{name} is not built beside {}: run `cargo build --workspace --bins` first",
                own.display()
            )
        })
}

/// Where tools are installed that are no part of the checkout. Git ignores it.
#[must_use]
pub fn tools() -> PathBuf {
    root().join(".tools")
}
