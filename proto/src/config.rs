//! How hub and agent read their configuration: flags over environment over file, from one table of keys each.
//!
//! * [`Key`]: an entry of such a table; [`Source`]: what was given, from where, and what is wrong with it.

mod keys;
mod source;

pub use keys::{Key, Kind};
pub use source::{Fault, Origin, Override, Source};
