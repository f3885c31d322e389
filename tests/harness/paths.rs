//! Where things are: this checkout, its binaries, its tools.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result};

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or_else(|| Path::new("."))
        .to_owned()
}

/// Where these binaries are taken from instead.
static OTHERS: OnceLock<(PathBuf, Vec<&'static str>)> = OnceLock::new();

/// From now on these binaries come from another folder: one side of this process's world is of another release.
///
/// # Errors
/// When one of them is not there, or another choice was made in this process before.
pub fn take_from(folder: &Path, names: &[&'static str]) -> Result<()> {
    for name in names {
        let path = folder.join(name);
        anyhow::ensure!(path.is_file(), "{} is not there", path.display());
    }
    OTHERS.set((folder.to_owned(), names.to_vec())).map_err(|_| {
        anyhow::anyhow!(
            "binaries were chosen in this process before: run each such test in its own (cargo nextest)"
        )
    })
}

/// A binary of the workspace, from the same build as the program that asks.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    if let Some((folder, names)) = OTHERS.get()
        && names.contains(&name)
    {
        return Ok(folder.join(name));
    }
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
