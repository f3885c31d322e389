//! The command line as manual pages, from the same tree that parses it.

use std::path::Path;

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::error::{Exit, Failure, Result};
use crate::output::{emit, say};

/// Writes a page for each command into a directory, or the first one to stdout for `-`.
///
/// # Errors
/// When something cannot be written.
pub(crate) fn write(dir: &Path) -> Result<()> {
    let mut root = Cli::command().disable_help_flag(true);
    root.build();
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Failure,
            format!("cannot write manual pages to {}", dir.display()),
        )
        .why(error)
        .next("hadron man DIR, with a directory that you may write to")
    };
    if dir == Path::new("-") {
        let mut page = Vec::new();
        clap_mangen::Man::new(root).render(&mut page).map_err(failed)?;
        return emit(&String::from_utf8_lossy(&page));
    }
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(root, dir).map_err(failed)?;
    say(format!("Manual pages are in {}.", dir.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        super::write(dir.path()).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(page("hadron.1").contains(".TH hadron 1"));
        let create = page("hadron-service-create.1");
        assert!(
            create.contains("\\-\\-template") && create.contains("Examples"),
            "{create}"
        );
        let all = std::fs::read_dir(dir.path()).unwrap().count();
        assert!(all > 80, "{all} pages");
        assert!(
            !dir.path().join("hadron-reference.1").exists(),
            "hidden commands have no page"
        );
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let failure = super::write(&file.path().join("man1")).unwrap_err();
        assert!(failure.to_string().contains("man1"), "{failure}");
    }
}
