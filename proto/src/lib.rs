//! The contract between Hadron's processes, and the words that all of them share.
//!
//! * [`vocab`]: account ids, names, ids, times. Parsed once where text comes in.
//! * [`proof`]: a signed `sts:GetCallerIdentity` as proof of an AWS identity; [`spiffe`]: names in certificates;
//!   `tls` (feature of the same name): how clients connect to a hub.
//! * `wire` (feature of the same name): the generated messages and services of `wire/hadron/v1/*.proto`; the order of
//!   messages and who may say what stands in those files; `codec`: how they are put into bytes.
//! * `config` (feature of the same name): how hub and agent read their configuration.
//! * [`codes`]: the codes of faults that people meet, and what to do about each.
//! * `trace` (feature `otel`): traces that cross from one process to the next.
//! * [`fault`]: points at which tests make a process die, and seeded bugs; nothing without the feature `faults`.
//!
//! This crate knows no SQL and no rule of the business.

#[cfg(feature = "wire")]
pub mod codec;
pub mod codes;
#[cfg(feature = "config")]
pub mod config;
pub mod fault;
pub mod proof;
pub mod spiffe;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "otel")]
pub mod trace;
pub mod vocab;

/// The generated messages, clients and servers of `hadron.v1`.
#[cfg(feature = "wire")]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::doc_markdown,
    rustdoc::all
)]
pub mod wire {
    include!("gen/hadron.v1.rs");

    /// The descriptors of everything in `hadron.v1`, for server reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!("gen/hadron.v1.bin");
}
