//! What a release must not hold: points of failure, seeded bugs, and the variables that set them off. They are nothing
//! without the feature `faults` of `hadron-proto`, which no default feature switches on (a test of the architecture); here
//! it is looked into the programs themselves.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use hadron_proto::fault::POINTS;

use crate::paths;

/// The programs of a release, and the packages that they are of.
const PROGRAMS: [(&str, &str); 3] = [
    ("hadron-management", "hadron-hub"),
    ("hadron-agent", "hadron-agent"),
    ("hadron-cli", "hadron"),
];

/// Texts that are in every program which can fail on purpose. Names of points are too short to look for; what they mean is
/// in such a program too, for whoever names a point that there is not.
fn marks() -> Vec<&'static str> {
    let own = ["HADRON_FAULTS", "was built with faults on purpose"];
    let meanings = POINTS.iter().map(|(_, _, meaning)| *meaning);
    own.into_iter().chain(meanings).collect()
}

/// Builds the programs as a packager does and looks for faults in them; and sees that the same look finds them in the
/// programs that the tests use.
///
/// # Errors
/// When they cannot be built, or when a look finds what it must not, or not what it must.
pub fn check() -> Result<()> {
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--locked"])
        .current_dir(paths::root());
    for (package, _) in PROGRAMS {
        build.args(["-p", package]);
    }
    let status = build.status().context("cargo build --release")?;
    ensure!(status.success(), "cargo build --release ended with {status}");
    let own = std::env::current_exe().context("the path of this program")?;
    let target = own.ancestors().nth(2).context("the folder of cargo's profiles")?;
    for (_, program) in PROGRAMS {
        let path = target.join("release").join(program);
        let found = faults_in(&path)?;
        ensure!(
            found.is_empty(),
            "{} can fail on purpose, it holds {found:?}: some default feature switches hadron-proto/faults on",
            path.display()
        );
        println!("{}: no points of failure", path.display());
    }
    for program in ["hadron-hub", "hadron-agent"] {
        armed(&paths::binary(program)?)?;
    }
    Ok(())
}

/// That a program which tests use has all of its faults, and that the look finds them.
///
/// # Errors
/// When it does not.
pub fn armed(program: &Path) -> Result<()> {
    let found = faults_in(program)?;
    let lost: Vec<&str> = marks().into_iter().filter(|mark| !found.contains(mark)).collect();
    ensure!(
        lost.is_empty(),
        "{} cannot fail on purpose, or the look does not find it: {lost:?}; build with --all-features",
        program.display()
    );
    Ok(())
}

fn faults_in(program: &Path) -> Result<Vec<&'static str>> {
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    Ok(found(&bytes, &marks()))
}

/// Which of these texts are somewhere in the bytes. One pass, since programs are large.
fn found<'m>(bytes: &[u8], marks: &[&'m str]) -> Vec<&'m str> {
    let pair = |bytes: &[u8]| match bytes {
        [first, second, ..] => usize::from(u16::from_le_bytes([*first, *second])),
        _ => 0,
    };
    let mut begins = vec![Vec::new(); 1 << 16];
    for mark in marks {
        begins[pair(mark.as_bytes())].push(*mark);
    }
    let mut found = Vec::new();
    for (at, two) in bytes.windows(2).enumerate() {
        for mark in &begins[pair(two)] {
            if bytes[at..].starts_with(mark.as_bytes()) && !found.contains(mark) {
                found.push(*mark);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_nothing_else() {
        let text = b"....a lease is committed and not offered..HADRON_FAULT";
        assert_eq!(found(text, &marks()), ["a lease is committed and not offered"]);
        assert!(found(b"", &marks()).is_empty());
    }

    #[test]
    fn marks_are_long_enough_to_mean_something() {
        assert!(marks().iter().all(|mark| mark.len() >= 13));
    }
}
