//! A bundle in memory: paths and contents, nothing else.
//!
//! Modes, owners and times of the archive are dropped; the digest is over paths and contents, so the same files
//! give the same digest whichever way they were packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use hadron_proto::vocab::Digest;

use crate::archive;
use crate::diagnostic::{Fault, Faults, clip, listed};
use crate::path;
use crate::signature::{SIGNATURE_FILE, Signature};

/// How much is read. The default is what Proton allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the packed archive.
    pub bundle_bytes: usize,
    /// Bytes of all files together, unpacked.
    pub unpacked_bytes: usize,
    /// Bytes of a manifest.
    pub manifest_bytes: usize,
    /// Bytes of the schema.
    pub schema_bytes: usize,
    /// Bytes of each template file.
    pub file_bytes: usize,
    /// Template files that the manifests name, over all directories.
    pub template_files: usize,
    /// Files and directories of the archive.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bundle_bytes: 5 * 1024 * 1024,
            unpacked_bytes: 20 * 1024 * 1024,
            manifest_bytes: 50 * 1024,
            schema_bytes: 50 * 1024,
            file_bytes: 200 * 1024,
            template_files: 10,
            entries: 1_000,
        }
    }
}

/// The files of a bundle.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    files: BTreeMap<String, Vec<u8>>,
    digest: Digest,
    /// What lies in [`SIGNATURE_FILE`]: it is no part of what it signs.
    signature: Option<Vec<u8>>,
    pub(crate) limits: Limits,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("digest", &self.digest)
            .field("files", &self.files.keys())
            .finish()
    }
}

impl Bundle {
    /// Reads a directory. Links and special files are refused; `.git` and `.DS_Store` are left out.
    pub fn from_dir(path: &Path, limits: &Limits) -> Result<Self, Faults> {
        let mut gather = Gather::new(*limits);
        walk(path, "", &mut gather);
        let bundle = gather.finish()?;
        let packed = bundle.to_archive().len();
        if packed > limits.bundle_bytes {
            return Err(too_large(packed, limits.bundle_bytes).into());
        }
        Ok(bundle)
    }

    /// Reads a `.tar.gz` or a `.zip`; which of them is told by its first bytes.
    pub fn from_archive(bytes: &[u8], limits: &Limits) -> Result<Self, Faults> {
        if bytes.len() > limits.bundle_bytes {
            return Err(too_large(bytes.len(), limits.bundle_bytes).into());
        }
        let mut gather = Gather::new(*limits);
        let read = match bytes {
            [] => Err(
                Fault::error("bundle/empty", "the bundle is empty: it has no bytes")
                    .help("upload the .tar.gz or .zip of the template's version directory")
                    .into(),
            ),
            [0x1f, 0x8b, ..] => archive::tar_gz(bytes, &mut gather),
            [b'P', b'K', 3 | 5 | 7, ..] => archive::zip(bytes, &mut gather),
            _ => Err(archive::unknown(bytes).into()),
        };
        if let Err(faults) = read {
            gather.faults.extend(faults);
        }
        gather.finish()
    }

    /// Takes files that somebody else has read, such as the blobs of a Git tree.
    pub fn from_files<N: AsRef<str>>(
        files: impl IntoIterator<Item = (N, Vec<u8>)>,
        limits: &Limits,
    ) -> Result<Self, Faults> {
        let mut gather = Gather::new(*limits);
        for (name, content) in files {
            let taken = match gather.entry(name.as_ref().as_bytes(), false) {
                Ok(Some(name)) => gather.file(name, content),
                Ok(None) => Ok(()),
                Err(faults) => Err(faults),
            };
            if let Err(faults) = taken {
                gather.faults.extend(faults);
                break;
            }
        }
        let bundle = gather.finish()?;
        let packed = bundle.to_archive().len();
        if packed > limits.bundle_bytes {
            Err(too_large(packed, limits.bundle_bytes).into())
        } else {
            Ok(bundle)
        }
    }

    /// Reads what is at this path, a directory or an archive file.
    pub fn read(path: &Path, limits: &Limits) -> Result<Self, Faults> {
        let failed = |error: &std::io::Error| {
            let message = format!("cannot read {}: {error}", clip(&path.display().to_string()));
            Faults::from(
                Fault::error("bundle/unreadable", message).help("check the path and its permissions"),
            )
        };
        let meta = fs::metadata(path).map_err(|error| failed(&error))?;
        if meta.is_dir() {
            return Self::from_dir(path, limits);
        }
        if meta.len() > limits.bundle_bytes as u64 {
            return Err(too_large(
                usize::try_from(meta.len()).unwrap_or(usize::MAX),
                limits.bundle_bytes,
            )
            .into());
        }
        Self::from_archive(&fs::read(path).map_err(|error| failed(&error))?, limits)
    }

    /// Packs the files as a `.tar.gz` that depends on nothing but paths and contents.
    #[must_use]
    pub fn to_archive(&self) -> Vec<u8> {
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(Vec::new(), Compression::new(6));
        let mut tar = tar::Builder::new(gzip);
        let signature = self.signature.iter().map(|content| (SIGNATURE_FILE, content));
        let files = self.files.iter().map(|(path, content)| (path.as_str(), content));
        for (path, content) in files.chain(signature) {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_entry_type(tar::EntryType::Regular);
            tar.append_data(&mut header, path, content.as_slice())
                .expect("writing to memory does not fail");
        }
        let gzip = tar.into_inner().expect("writing to memory does not fail");
        gzip.finish().expect("writing to memory does not fail")
    }

    /// The content of its signature's file, where there is one.
    pub(crate) fn signature(&self) -> Option<&[u8]> {
        self.signature.as_deref()
    }

    /// The same with this signature.
    #[must_use]
    pub fn signed(self, signature: &Signature) -> Self {
        Self {
            signature: Some(signature.to_file()),
            ..self
        }
    }

    /// The digest of paths and contents; the way of packing, and a signature, have no part in it.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The content of a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether any file is inside this directory.
    pub(crate) fn has_dir(&self, dir: &str) -> bool {
        self.files
            .keys()
            .any(|path| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/')))
    }

    /// The files directly inside a directory, by their names in it.
    pub(crate) fn names_in(&self, dir: &str) -> Vec<&str> {
        let inside = |path: &'_ str| {
            path.strip_prefix(dir)
                .and_then(|rest| rest.strip_prefix('/'))
                .map(str::len)
        };
        self.paths()
            .filter_map(|path| inside(path).map(|length| &path[path.len() - length..]))
            .filter(|name| !name.contains('/'))
            .collect()
    }
}

fn too_large(size: usize, limit: usize) -> Fault {
    Fault::error(
        "bundle/too-large",
        format!("the packed bundle has {size} bytes; at most {limit} are allowed"),
    )
    .help("leave build results and dependencies out of the bundle")
}

/// Collects entries and refuses what may not be in a bundle. Every source of files goes through here.
pub(crate) struct Gather {
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    files: BTreeMap<String, Vec<u8>>,
    /// Folded name of each entry, and its spelling.
    seen: BTreeMap<String, (String, bool)>,
    total: usize,
    entries: usize,
}

impl Gather {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            faults: Faults::new(),
            files: BTreeMap::new(),
            seen: BTreeMap::new(),
            total: 0,
            entries: 0,
        }
    }

    /// How many bytes may still come.
    pub(crate) const fn left(&self) -> usize {
        self.limits.unpacked_bytes.saturating_sub(self.total)
    }

    /// Announces an entry. Gives its name when its content is wanted; an error ends the reading.
    pub(crate) fn entry(&mut self, raw: &[u8], dir: bool) -> Result<Option<String>, Faults> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let message = format!("the bundle has more than {} entries", self.limits.entries);
            return Err(Fault::error("bundle/too-many-files", message)
                .help("leave build results and dependencies out of the bundle")
                .into());
        }
        let shown = clip(&String::from_utf8_lossy(raw));
        let name = match path::normal(raw) {
            Ok(name) if name.is_empty() && dir => return Ok(None),
            Ok(name) if !name.is_empty() => name,
            Ok(_) => {
                return Ok(self.refuse(
                    "bundle/bad-path",
                    format!("the file name '{shown}' names no file"),
                ));
            }
            Err(why) => return Ok(self.refuse("bundle/bad-path", format!("the name '{shown}' {why}"))),
        };
        // The directories on the way are entries too: `a` and `a/b` cannot both be files, `A/x` and `a/y` not both be.
        let steps = name
            .match_indices('/')
            .map(|(at, _)| (&name[..at], true))
            .chain([(name.as_str(), dir)]);
        for (step, is_dir) in steps {
            let known = self.seen.get(&path::folded(step)).cloned();
            match known {
                None => drop(self.seen.insert(path::folded(step), (step.to_owned(), is_dir))),
                Some((known, true)) if is_dir && known == step => {}
                Some((known, _)) if known == step => {
                    return Ok(self.refuse("bundle/duplicate", format!("'{shown}' is in the bundle twice")));
                }
                Some((known, _)) => {
                    let message = format!(
                        "'{}' and '{}' differ only in case; some systems take them for one",
                        clip(&known),
                        clip(step)
                    );
                    return Ok(self.refuse("bundle/duplicate", message));
                }
            }
        }
        Ok((!dir).then_some(name))
    }

    /// Notes a fault for an entry whose content is not wanted any more.
    pub(crate) fn refuse<T>(&mut self, code: &'static str, message: String) -> Option<T> {
        self.faults
            .push(Fault::error(code, message).help("rename or remove it and pack the bundle again"));
        None
    }

    /// An entry of a kind that a bundle never holds.
    pub(crate) fn special(&mut self, raw: &[u8], what: &str) {
        let name = clip(&String::from_utf8_lossy(raw));
        let message = format!("'{name}' is {what}; a bundle holds only regular files and directories");
        self.faults.push(
            Fault::error("bundle/special-file", message)
                .help("replace it by a regular file and pack the bundle again"),
        );
    }

    pub(crate) fn bomb(&self) -> Fault {
        let message = format!(
            "the bundle unpacks to more than {} bytes",
            self.limits.unpacked_bytes
        );
        Fault::error("bundle/too-large-unpacked", message)
            .help("leave build results and dependencies out of the bundle")
    }

    pub(crate) fn file(&mut self, name: String, content: Vec<u8>) -> Result<(), Faults> {
        self.total = self.total.saturating_add(content.len());
        if self.total > self.limits.unpacked_bytes {
            return Err(self.bomb().into());
        }
        self.files.insert(name, content);
        Ok(())
    }

    fn finish(mut self) -> Result<Bundle, Faults> {
        if !self.faults.is_error() {
            if self.files.is_empty() {
                let fault = Fault::error("bundle/empty", "the bundle holds no files");
                self.faults
                    .push(fault.help("pack the directory that contains 'schema'"));
            } else if !self.files.contains_key("schema/schema.yaml") {
                let tops: Vec<&str> = self
                    .files
                    .keys()
                    .map(|path| path.split_once('/').map_or("", |(top, _)| top))
                    .collect();
                let top = tops[0];
                if !top.is_empty()
                    && tops.iter().all(|t| *t == top)
                    && self.files.contains_key(&format!("{top}/schema/schema.yaml"))
                {
                    let message = format!("everything in the bundle is inside the directory '{}'", clip(top));
                    self.faults
                        .push(Fault::error("bundle/wrapped", message).help(format!(
                            "pack from inside it: tar -C {} -czf bundle.tar.gz .",
                            clip(top)
                        )));
                }
            }
        }
        let mut files = std::mem::take(&mut self.files);
        let signature = files.remove(SIGNATURE_FILE);
        let limits = self.limits;
        self.faults.or(())?;
        let mut list = String::new();
        for (path, content) in &files {
            list.push_str(&Digest::of(content).hex());
            list.push(' ');
            list.push_str(path);
            list.push('\n');
        }
        Ok(Bundle {
            files,
            digest: Digest::of(list.as_bytes()),
            signature,
            limits,
        })
    }
}

fn walk(dir: &Path, prefix: &str, gather: &mut Gather) {
    let unreadable = |path: &Path, error: &std::io::Error| {
        let message = format!("cannot read {}: {error}", clip(&path.display().to_string()));
        Fault::error("bundle/unreadable", message).help("check the path and its permissions")
    };
    let mut entries: Vec<fs::DirEntry> = match fs::read_dir(dir).and_then(Iterator::collect) {
        Ok(entries) => entries,
        Err(error) => return gather.faults.push(unreadable(dir, &error)),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if name == ".git" || name == ".DS_Store" {
            continue;
        }
        let raw = format!("{prefix}{}", name.to_string_lossy());
        if name.to_str().is_none() {
            gather.refuse::<()>(
                "bundle/bad-path",
                format!("the name '{}' is not UTF-8", clip(&raw)),
            );
            continue;
        }
        // symlink_metadata: a link must be seen as a link, whatever it points to.
        let kind = match fs::symlink_metadata(entry.path()) {
            Ok(meta) => meta.file_type(),
            Err(error) => {
                gather.faults.push(unreadable(&entry.path(), &error));
                continue;
            }
        };
        if !kind.is_dir() && !kind.is_file() {
            let what = if kind.is_symlink() {
                "a symbolic link"
            } else {
                "a device, pipe or socket"
            };
            gather.special(raw.as_bytes(), what);
            continue;
        }
        let outcome = match gather.entry(raw.as_bytes(), kind.is_dir()) {
            Ok(Some(name)) => read_capped(&entry.path(), gather, name)
                .unwrap_or_else(|error| Err(unreadable(&entry.path(), &error).into())),
            Ok(None) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            return gather.faults.extend(fault);
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{raw}/"), gather);
            let codes = ["bundle/too-many-files", "bundle/too-large-unpacked"];
            if gather.faults.iter().any(|fault| codes.contains(&fault.code)) {
                return;
            }
        }
    }
}

fn read_capped(path: &Path, gather: &mut Gather, name: String) -> std::io::Result<Result<(), Faults>> {
    use std::io::Read as _;
    let mut content = Vec::new();
    fs::File::open(path)?
        .take(gather.left() as u64 + 1)
        .read_to_end(&mut content)?;
    Ok(gather.file(name, content))
}

/// Names of a list for messages; kept here because only bundles list files.
pub(crate) fn files_in(bundle: &Bundle, dir: &str) -> String {
    listed(bundle.names_in(dir))
}
