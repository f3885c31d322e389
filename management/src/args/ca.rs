//! `hadron-hub ca ...`

use clap::{Args, Subcommand};

use super::Source;

const EXAMPLES: &str = "\
By itself the hub makes a successor at half of a root's life of ten years, has it sign at five
sixths, and retires the old root when the last certificate that it signed has ended and a day has
passed. Nothing has to be done for that.

Another root before it is due, with no one cut off:
  hadron-hub ca prepare --config /etc/hadron/hub.toml
          Agents that are connected are told at once, others when they come back.
  hadron-hub ca activate --config /etc/hadron/hub.toml
          The new root signs. Pins and ca.crt files of the old one work until it is retired, eight
          days later.
  hadron-hub ca list --config /etc/hadron/hub.toml
          Tells the new pin, for agents and people that are set up from now on.

After ca.pem, or the database together with seal.key, has got into wrong hands:
  hadron-hub ca prepare; hadron-hub ca activate; hadron-hub ca retire --now
          Agents that are connected learn of it in the same minute, renew and go on. For those that
          are not, and for people, put the new pin into hub.ca_pin and the like. Then change the
          sealing key too: hadron-hub keys rotate.";

/// What can be done about the roots of the hub's CA.
#[derive(Debug, Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub enum CaTask {
    /// List the roots, where they stand, and what happens next
    List(Source),
    /// Make a successor of the root that signs: it is trusted from then on, and signs later
    Prepare(Source),
    /// Have the successor sign; the root before it stays trusted
    Activate(Source),
    /// Trust the old root no more
    ///
    /// Whoever knows the hub only by the old root's pin or certificate does not find it any more: agents that were not
    /// connected since the successor was made, and people. Refused while certificates that the old root signed may be in use.
    Retire(Retire),
}

/// See [`CaTask::Retire`].
#[derive(Debug, Args)]
pub struct Retire {
    /// Although certificates that it signed are in use: its key is known to others
    #[arg(long)]
    pub now: bool,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}
