//! The hands of Hadron: an agent takes jobs from its hub and acts in one AWS account and Region with credentials of that
//! account. It has no database and no template engine, and it refuses what its own configuration does not allow,
//! whatever the hub says.
//!
//! Where to start reading: [`job`] for the words, `work` for what is done to stacks and policies and in which order,
//! `session` for how jobs come and reports go.

pub mod args;
pub mod aws;
pub mod config;
mod convert;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod identity;
pub mod job;
pub mod journal;
pub mod limits;
pub mod role;
pub mod runner;
pub mod session;
pub mod shutdown;
pub mod telemetry;
pub mod wiring;
pub mod work;
