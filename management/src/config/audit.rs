//! How the audit log is kept checkable: the table `audit`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hadron_proto::config::Source;
use hadron_proto::vocab::BucketName;

use super::{Management, counted};
use crate::app::audit::Due;
use crate::app::checkpoints::LockedBucket;
use crate::store::jobs::LockMode;

/// How the audit log is kept checkable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When there has to be a checkpoint.
    pub due: Due,
    /// The file that checkpoints are appended to.
    pub file: Option<PathBuf>,
    /// Whether they are printed as well.
    pub print: bool,
    /// The bucket in which the management account's agent keeps copies of them.
    pub copy: Option<LockedBucket>,
}

fn copy(source: &mut Source, management: Option<&Management>) -> Option<LockedBucket> {
    let bucket: Option<BucketName> = source.parsed("audit.s3_bucket");
    let owner = source.parsed("audit.s3_owner");
    let prefix = source
        .text("audit.s3_prefix")
        .unwrap_or_else(|| "hadron/".to_owned());
    let days = counted(source, "audit.s3_keep_days", 400, 1, 36_500);
    let mode = match source.text("audit.s3_mode").as_deref() {
        None | Some("compliance") => LockMode::Compliance,
        Some("governance") => LockMode::Governance,
        Some(other) => {
            source.fault(
                "audit.s3_mode",
                format!("'{other}' is neither compliance nor governance"),
            );
            LockMode::Compliance
        }
    };
    if !source.has("audit.s3_bucket") {
        for key in [
            "audit.s3_owner",
            "audit.s3_prefix",
            "audit.s3_keep_days",
            "audit.s3_mode",
        ] {
            if source.has(key) {
                source.fault(key, "is of no use without audit.s3_bucket");
            }
        }
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-.".contains(&byte);
    if prefix.len() > 512 || !prefix.bytes().all(plain) || prefix.starts_with('/') {
        source.fault(
            "audit.s3_prefix",
            "give at most 512 letters, digits and / _ - . that do not begin with a slash",
        );
    }
    Some(LockedBucket {
        bucket: bucket?,
        owner: owner.or_else(|| Some(management?.account))?,
        prefix: match prefix.as_str() {
            "" => prefix,
            text => format!("{}/", text.trim_end_matches('/')),
        },
        keep: Duration::from_secs(days * 24 * 3_600),
        mode,
    })
}

/// Reads the table.
pub(super) fn read(
    source: &mut Source,
    dev: bool,
    data_dir: Option<&Path>,
    management: Option<&Management>,
) -> Audit {
    let copy = copy(source, management);
    let least = if dev { 1 } else { 10 };
    let every = counted(source, "audit.checkpoint_seconds", 60, least, 3_600);
    let rows = counted(source, "audit.checkpoint_rows", 1_000, 1, 1_000_000);
    let file = match source.text("audit.checkpoint_file") {
        // Said to be nowhere.
        Some(none) if none.is_empty() => None,
        Some(file) => Some(PathBuf::from(file)),
        None => data_dir.map(|dir| dir.join("audit-checkpoints.jsonl")),
    };
    Audit {
        due: Due {
            every: Duration::from_secs(every),
            rows,
        },
        file,
        print: source.switch("audit.checkpoint_stdout"),
        copy,
    }
}
