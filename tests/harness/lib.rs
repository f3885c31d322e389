//! What tests and the demo start: an emulated AWS, a hub, agents and the command line client, each as a real process with
//! a folder of its own. [`World`] is all of them together.
//!
//! Nothing here sleeps for a time: [`wait::until`] waits for a state. Processes are ended by their pid when their owner is
//! dropped. Their logs stay in the world's folder while the test runs and are printed when it fails.

pub mod agent;
pub mod attacks;
pub mod aws;
pub mod balancer;
pub mod browser;
pub mod cli;
pub mod clients;
pub mod cluster;
pub mod coverage;
pub mod disk;
pub mod emulator;
pub mod faults;
pub mod fuzz;
pub mod hub;
pub mod invariants;
pub mod models;
pub mod paths;
pub mod policy;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod scenario;
pub mod shell;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod store;
pub mod wait;
pub mod world;

pub use world::World;

/// The management account.
pub const MANAGEMENT: &str = "111111111111";
/// The development account.
pub const DEV: &str = "222222222222";
/// The production account.
pub const PROD: &str = "333333333333";
/// The Region that everything is in.
pub const REGION: &str = "us-east-1";
