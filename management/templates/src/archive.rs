//! Archives, read entry by entry into [`Gather`]; nothing touches the disk.
//!
//! One bad entry refuses the whole bundle: an archive with a link or a `..` in it was not made by accident, and a
//! reader that skips such entries hides them. Sizes in headers are never believed; every read stops at the cap.

use std::io::{Cursor, Read};

use flate2::bufread::GzDecoder;

use crate::bundle::Gather;
use crate::diagnostic::{Fault, Faults, clip};

const REPACK: &str = "pack it again, for example: tar -C <version directory> -czf bundle.tar.gz .";

pub(crate) fn unknown(bytes: &[u8]) -> Fault {
    if bytes.get(257..262) == Some(b"ustar") {
        return Fault::error(
            "bundle/not-an-archive",
            "the bundle is an uncompressed tar; it must be compressed with gzip",
        )
        .help(REPACK);
    }
    Fault::error(
        "bundle/not-an-archive",
        "the bundle is neither a .tar.gz nor a .zip",
    )
    .help(REPACK)
}

fn damaged(what: &str, error: &impl std::fmt::Display) -> Fault {
    Fault::error(
        "bundle/damaged",
        format!("the {what} is damaged or cut short: {}", clip(&error.to_string())),
    )
    .help(REPACK)
}

pub(crate) fn tar_gz(bytes: &[u8], gather: &mut Gather) -> Result<(), Faults> {
    // Headers come on top of contents: one block for each entry, and some for long names.
    let cap = gather
        .limits
        .unpacked_bytes
        .saturating_add(gather.limits.entries.saturating_mul(2_048))
        .saturating_add(1 << 20);
    let mut text = Vec::new();
    let mut gzip = GzDecoder::new(bytes).take(cap as u64 + 1);
    gzip.read_to_end(&mut text)
        .map_err(|error| damaged("gzip stream", &error))?;
    if text.len() > cap {
        return Err(gather.bomb().into());
    }
    // Tape programs pad with zeros; anything else behind the stream is something that other readers might read.
    let rest = gzip.into_inner().into_inner();
    if rest.iter().any(|byte| *byte != 0) {
        let message = format!("{} bytes follow the end of the gzip stream", rest.len());
        return Err(Fault::error("bundle/trailing-data", message).help(REPACK).into());
    }
    tar(&text, gather)
}

fn tar(text: &[u8], gather: &mut Gather) -> Result<(), Faults> {
    let mut archive = tar::Archive::new(text);
    let mut end = 0_u64;
    for entry in archive.entries().map_err(|error| damaged("tar", &error))? {
        let mut entry = entry.map_err(|error| damaged("tar", &error))?;
        let kind = entry.header().entry_type();
        let raw = entry.path_bytes().into_owned();
        end = end.max(
            entry
                .raw_file_position()
                .saturating_add(entry.size().div_ceil(512).saturating_mul(512)),
        );
        let special = match kind {
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::Directory => None,
            // `git archive` puts the commit id there. It belongs to no file.
            tar::EntryType::XGlobalHeader => continue,
            tar::EntryType::Symlink => Some("a symbolic link"),
            tar::EntryType::Link => Some("a hard link"),
            tar::EntryType::Char | tar::EntryType::Block => Some("a device"),
            tar::EntryType::Fifo => Some("a named pipe"),
            tar::EntryType::GNUSparse => Some("a sparse file"),
            _ => Some("an entry of an unknown kind"),
        };
        if let Some(what) = special {
            gather.special(&raw, what);
            continue;
        }
        if sparse(&mut entry) {
            gather.special(&raw, "a sparse file");
            continue;
        }
        let Some(name) = gather.entry(&raw, kind.is_dir())? else {
            continue;
        };
        let (size, mut content) = (entry.size(), Vec::new());
        entry
            .take(gather.left() as u64 + 1)
            .read_to_end(&mut content)
            .map_err(|error| damaged("tar", &error))?;
        if (content.len() as u64) < size && content.len() <= gather.left() {
            return Err(damaged("tar", &format!("'{name}' ends early")).into());
        }
        gather.file(name, content)?;
    }
    let rest = usize::try_from(end)
        .ok()
        .and_then(|end| text.get(end..))
        .unwrap_or_default();
    if rest.iter().any(|byte| *byte != 0) {
        let fault = Fault::error("bundle/trailing-data", "data follows the end of the tar archive");
        return Err(fault.help(REPACK).into());
    }
    Ok(())
}

/// Sparse files in the newer form are regular entries with extended headers.
fn sparse<R: Read>(entry: &mut tar::Entry<'_, R>) -> bool {
    let Ok(Some(extensions)) = entry.pax_extensions() else {
        return false;
    };
    extensions
        .flatten()
        .any(|extension| extension.key_bytes().starts_with(b"GNU.sparse"))
}

pub(crate) fn zip(bytes: &[u8], gather: &mut Gather) -> Result<(), Faults> {
    let listed = central_directory(bytes)?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged("zip", &error))?;
    if archive.has_duplicate_names() || archive.len() != listed {
        return Err(Fault::error("bundle/duplicate", "the zip names a file twice")
            .help(REPACK)
            .into());
    }
    if archive
        .has_overlapping_entries()
        .map_err(|error| damaged("zip", &error))?
    {
        return Err(
            Fault::error("bundle/damaged", "entries of the zip overlap each other")
                .help(REPACK)
                .into(),
        );
    }
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| damaged("zip", &error))?;
        let raw = entry.name_raw().to_vec();
        // The type bits of the Unix mode; systems without them leave them zero.
        let kind = entry.unix_mode().map_or(0, |mode| mode & 0o170_000);
        let dir = raw.last() == Some(&b'/');
        let special = match kind {
            0 | 0o100_000 if !entry.encrypted() => None,
            0o040_000 if dir => None,
            0o120_000 => Some("a symbolic link"),
            _ if entry.encrypted() => Some("encrypted"),
            _ => Some("a device, pipe or other special file"),
        };
        drop(entry);
        if let Some(what) = special {
            gather.special(&raw, what);
            continue;
        }
        let Some(name) = gather.entry(&raw, dir)? else {
            continue;
        };
        let entry = archive.by_index(index).map_err(|error| damaged("zip", &error))?;
        let mut content = Vec::new();
        entry
            .take(gather.left() as u64 + 1)
            .read_to_end(&mut content)
            .map_err(|error| damaged("zip", &error))?;
        gather.file(name, content)?;
    }
    Ok(())
}

/// Finds the end record and counts the entries of the directory it names. Readers look for this record in different
/// ways, so what would let two of them see two archives in one file is refused: data before or behind, a wrong
/// count, the 64-bit form.
fn central_directory(bytes: &[u8]) -> Result<usize, Faults> {
    let short = |at: usize| {
        bytes
            .get(at..at + 2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]) as usize)
    };
    let long = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .and_then(|n| usize::try_from(n).ok())
    };
    let broken = |why: &str| {
        Fault::error(
            "bundle/damaged",
            format!("the zip is damaged or cut short: {why}"),
        )
        .help(REPACK)
    };
    let mut ends = (0..bytes.len().saturating_sub(21)).rev().take(22 + 0xffff);
    let end = ends
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
        .ok_or_else(|| broken("it has no end record"))?;
    let fields = (
        short(end + 8),
        short(end + 10),
        long(end + 12),
        long(end + 16),
        short(end + 20),
    );
    let (Some(here), Some(total), Some(size), Some(start), Some(comment)) = fields else {
        return Err(broken("its end record is incomplete").into());
    };
    if end + 22 + comment != bytes.len() {
        let fault = Fault::error("bundle/trailing-data", "data follows the end of the zip archive");
        return Err(fault.help(REPACK).into());
    }
    if here != total || total == 0xffff || start == 0xffff_ffff {
        return Err(broken("it is in several parts or in the 64-bit form").into());
    }
    if start.checked_add(size) != Some(end) {
        return Err(broken("its directory is not where the end record says").into());
    }
    let (mut at, mut count) = (start, 0);
    while at < end {
        if !bytes[at..].starts_with(b"PK\x01\x02") {
            return Err(broken("its directory holds something else").into());
        }
        let (Some(name), Some(extra), Some(note)) = (short(at + 28), short(at + 30), short(at + 32)) else {
            return Err(broken("its directory is incomplete").into());
        };
        at += 46 + name + extra + note;
        count += 1;
    }
    if at != end || count != total {
        return Err(broken("its directory does not have as many entries as the end record says").into());
    }
    Ok(count)
}
