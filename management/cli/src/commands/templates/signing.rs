//! `template keygen` and `template sign`: what publishers do with their own keys. No hub takes part.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use hadron_proto::vocab::TemplateName;
use hadron_templates::{Bundle, Limits, SIGNATURE_FILE, SignedKind, SigningKey, Statement, TemplateBundle};

use super::offline::refused;
use super::{BundleKind, Context, Kind};
use crate::error::{Exit, Failure, Result};
use crate::output::{emit, say};

/// Flags of `keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where the key goes; must not exist yet
    file: PathBuf,
}

/// Flags of `sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Directory, .tar.gz or .zip; an archive is written anew, as .tar.gz
    path: PathBuf,
    /// The key that `template keygen` wrote
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The template that this is a version of
    #[arg(long, value_name = "NAME")]
    template: TemplateName,
    /// The major version that it will be
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    major: u32,
    /// What it is [default: whatever it looks like]
    #[arg(short, long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// For an archive: where the signed one goes [default: in its place]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn file_fault(act: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, format!("cannot {act} {}: {error}", path.display()))
}

pub(super) fn keygen(args: &Keygen) -> Result<()> {
    let (key, text) =
        SigningKey::generate().map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&args.file);
    made.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(|error| file_fault("write", &args.file, &error))?;
    say(format!(
        "{} is the key to publish with: keep it where only publishing is done. Owners of accounts put this into limits.publishers of \
         their agents:",
        args.file.display()
    ));
    emit(&format!("{}\n", key.public()))
}

/// Writes a file in the place of the one that is there, or nothing.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&beside, content)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| file_fault("write", path, &error))
}

pub(super) fn sign(args: &Sign, _: &Context) -> Result<()> {
    let text = fs::read_to_string(&args.key).map_err(|error| file_fault("read", &args.key, &error))?;
    let key = SigningKey::from_file(&text)
        .map_err(|error| Failure::new(Exit::Failure, format!("{}: {error}", args.key.display())))?;
    let path = args.path.display().to_string();
    let bundle = Bundle::read(&args.path, &Limits::default())
        .map_err(|faults| refused(format!("cannot sign {path}"), &faults))?;
    // What is wrong with it is told before somebody signs it.
    let (checked, faults) = TemplateBundle::check(bundle, args.kind.map(Kind::expect));
    let checked = checked.ok_or_else(|| refused(format!("cannot sign {path}"), &faults))?;
    let kind = match checked.kind {
        BundleKind::Environment | BundleKind::EnvironmentCustomerManaged => SignedKind::Environment,
        BundleKind::Service { .. } => SignedKind::Service,
    };
    let signature = key.sign(Statement {
        kind,
        template: args.template.clone(),
        major: args.major,
        digest: checked.digest(),
    });
    if args.path.is_dir() {
        if args.out.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                format!("{path} is a directory: it is signed in its place, without --out"),
            ));
        }
        replace(&args.path.join(SIGNATURE_FILE), &signature.to_file())?;
        say(format!("signed: {}", args.path.join(SIGNATURE_FILE).display()));
    } else {
        let signed = checked.bundle().clone().signed(&signature);
        let out = args.out.as_ref().unwrap_or(&args.path);
        replace(out, &signed.to_archive())?;
        say(format!("signed: {}", out.display()));
    }
    emit(&format!("{}\n", key.public()))
}
