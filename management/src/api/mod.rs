//! What the outside says to the hub. Nothing in here decides: each call is converted, handed to [`app`](crate::app), and
//! the answer is converted back.
//!
//! * [`admission`]: how many calls of people are worked on at once.
//! * [`calls`]: how many calls there were, and how they were answered.
//! * [`authority`]: which right each call needs.
//! * [`agent`]: enrolment and sessions of agents.
//! * [`operator`]: people, scripts and the command line.
//! * [`proton`]: clients of AWS Proton, unchanged.
//! * [`web`]: the console, for people with a browser.
//! * [`status`]: how an error of a use case looks in gRPC.

pub mod admission;
pub mod agent;
pub mod authority;
pub mod calls;
pub mod operator;
pub mod origin;
pub mod proton;
pub mod status;
pub mod web;
