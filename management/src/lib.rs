//! The hub of Hadron: templates, connections and every decision. It holds no cloud power: no credentials, no role to
//! assume; the only AWS API that it calls is STS, with signatures that are not its own.
//!
//! * [`app`]: the use cases. [`api`] converts what comes in and goes out and decides nothing; [`reconcile`] acts on what
//!   has drifted and on what transactions left to be done.
//! * [`store`]: the only module with SQL. The rules themselves are in the crate `hadron-domain`.
//! * [`render`]: processes that read and render what strangers wrote.
//! * [`identity`]: the certificate authority, proofs by STS, TLS.
//! * [`wiring`] builds everything once; [`config`], [`args`], [`telemetry`], [`limits`], [`shutdown`], [`admin`] are the process
//!   around it. [`outgoing`] is how somebody else is called, [`clock`] is the only one that knows the time, [`meter`] what numbers about it all look like. [`high_water`] notices that the database was restored.
//!
//! Start reading at [`app`].

pub mod admin;
pub mod api;
pub mod app;
pub mod args;
pub mod clock;
pub mod config;
pub mod high_water;
pub mod identity;
pub mod limits;
pub mod meter;
pub mod outgoing;
pub mod reconcile;
pub mod render;
pub mod shutdown;
pub mod store;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod webhook;
pub mod wiring;
