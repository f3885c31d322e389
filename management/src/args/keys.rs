//! `hadron-hub keys ...`

use clap::{Args, Subcommand};

use super::Source;

const ROTATE: &str = "\
One hub:
  hadron-hub keys rotate --config /etc/hadron/hub.toml
          Beside the running hub. It reads seal.key again as soon as it meets the new version.

Several hubs of one database:
  hadron-hub keys rotate --only-add --config /etc/hadron/hub.toml
          On one of them. Then copy seal.key into the data directories of all others, and only then:
  hadron-hub keys rotate --config /etc/hadron/hub.toml

What was interrupted is gone on with: run it again. The versions of before stay in seal.key, since backups of the database
need them; `keys list` tells which of them nothing in the database uses any more, and their lines may be removed then.

What is sealed with data keys is not sealed anew: a new version protects against whoever has got hold of seal.key and
gets hold of the database later. Page tokens and TLS sessions of before a hub's restart do not count after it.";

/// What can be done with the keys that secrets at rest are sealed with.
#[derive(Debug, Subcommand)]
pub enum KeysTask {
    /// List the versions of the sealing key, the data keys, and how much is not sealed yet
    List(Source),
    /// Make a new version of the sealing key and wrap all data keys with it
    #[command(after_long_help = ROTATE)]
    Rotate(Rotate),
}

/// See [`KeysTask::Rotate`].
#[derive(Debug, Args)]
pub struct Rotate {
    /// Add a version to seal.key and change nothing in the database: for several hubs, which all need the file first
    #[arg(long)]
    pub only_add: bool,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}
