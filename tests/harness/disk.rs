//! A disk of a few megabytes under a folder, that can be filled and emptied while somebody works on it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What fills it.
const BALLAST: &str = "ballast";

/// A file system of its own, in memory, in the place of a folder. It goes with this value; what is in it goes too.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

/// Whether this process may mount file systems.
#[must_use]
pub fn may_mount() -> bool {
    tempfile::tempdir()
        .map_err(anyhow::Error::from)
        .and_then(|folder| SmallDisk::under(folder.path(), 1))
        .is_ok()
}

impl SmallDisk {
    /// Puts a disk of so many MiB under a folder. What is in the folder is on it afterwards, with owners and modes; nobody
    /// may have files of it open.
    ///
    /// # Errors
    /// When this process may not mount file systems, or the disk is too small.
    pub fn under(folder: &Path, mebibytes: u32) -> Result<Self> {
        let away = folder.with_extension("away");
        run(Command::new("mkdir").arg(&away))?;
        run(Command::new("cp").arg("-a").arg(folder.join(".")).arg(&away))?;
        // What is on the disk in memory is all that there is: nothing is left below it.
        for entry in std::fs::read_dir(folder).context("a folder that gets a disk")? {
            let path = entry.context("a folder that gets a disk")?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            }
            .with_context(|| path.display().to_string())?;
        }
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m")])
            .arg("hadron-small-disk")
            .arg(folder))?;
        let disk = Self {
            folder: folder.to_owned(),
        };
        // The folder's own owner and mode are those of the copy's top.
        run(Command::new("cp").arg("-a").arg(away.join(".")).arg(folder))?;
        std::fs::remove_dir_all(&away).context("a copy that is not needed any more")?;
        Ok(disk)
    }

    /// Fills it to the last byte.
    ///
    /// # Errors
    /// When something else than a full disk stops it.
    pub fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(BALLAST))
            .context("ballast")?;
        // Pages first, then what is left.
        for size in [1 << 20, 1 << 12, 1] {
            let bytes = vec![0; size];
            loop {
                match file.write_all(&bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("ballast"),
                }
            }
        }
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When it cannot.
    pub fn empty(&self) -> Result<()> {
        std::fs::remove_file(self.folder.join(BALLAST)).context("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has files open keeps them until they end.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).output();
        // Whoever removed the folders around it could not remove this one.
        let _ = std::fs::remove_dir(&self.folder);
        let _ = self.folder.parent().map(std::fs::remove_dir);
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_can_be_filled_and_emptied() {
        if !may_mount() {
            eprintln!("not shown: this process may not mount file systems");
            return;
        }
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("small");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("kept"), "kept").expect("room");
        let disk = SmallDisk::under(&folder, 1).expect("a disk");
        assert_eq!(
            std::fs::read_to_string(folder.join("kept")).expect("it is there"),
            "kept"
        );
        disk.fill().expect("full");
        let full = std::fs::write(folder.join("more"), [1; 5_000]);
        assert_eq!(full.expect_err("no room").kind(), std::io::ErrorKind::StorageFull);
        disk.empty().expect("room");
        std::fs::write(folder.join("more"), [1; 5_000]).expect("room again");
    }
}
