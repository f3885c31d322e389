//! The AWS Proton API.

pub mod error;
pub mod sigv4;

pub use error::Fault;
