//! What Hadron promises, each promise against real processes and an emulated AWS.

#![expect(
    clippy::unwrap_used,
    reason = "a scenario that cannot go on has failed, and says where"
)]

#[path = "../../management/cli/tests/cli/seat.rs"]
mod seat;

mod access;
mod access_keys;
mod approvals;
mod audit;
mod bad_input;
mod ca;
mod cancel;
mod codes;
mod components;
mod connections;
mod drain;
mod environments;
mod failures;
mod grants;
mod iam;
mod logs;
mod oidc;
mod previous;
mod registration;
mod rendering;
mod restarts;
mod restore;
mod rotation;
mod secrets;
mod services;
mod stage;
mod stale;
mod story;
mod telemetry;
mod templates;
mod terminal;
mod watch;
