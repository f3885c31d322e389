//! The rules of Hadron, and nothing but rules: no clock, no randomness, no I/O, no SQL, no wire types.
//!
//! Machines, and who feeds whom:
//!
//! * [`connection`]: request, accepted, rejected, deleted. Closes sessions and holds jobs when trust ends.
//! * [`template`]: version numbers, draft to published, what is recommended.
//! * [`deployment`]: one attempt to make a target true or gone. Enqueues [`job`]s; its end feeds [`service`] and [`grant`].
//! * [`job`]: one unit of work for one agent; leases and fences.
//! * [`service`]: the order of instances and pipeline in a create, update or delete.
//! * [`component`]: what may become of a component's attachment.
//! * [`grant`]: who may pull from which repository, because of what; and one lane per repository policy.
//! * [`ca`]: when the hub's CA gets a new root, and when the old one goes.
//! * [`recovery`]: what to make of a stack after the hub has lost a stretch of time.
//! * [`authority`]: who may do what, as a table.
//! * [`audit`]: the chain of the audit log, and what finds that somebody changed it.
//! * [`arn`], [`tag`], [`repository`], [`event`]: names, tags and events of things, in Proton's words.
//!
//! Start with [`step`], the one shape of every workflow, then [`deployment`].

pub mod arn;
pub mod audit;
pub mod authority;
pub mod ca;
pub mod component;
pub mod connection;
pub mod deployment;
pub mod event;
pub mod grant;
pub mod job;
pub mod principal;
pub mod recovery;
pub mod repository;
pub mod service;
pub mod step;
pub mod tag;
pub mod target;
pub mod template;
