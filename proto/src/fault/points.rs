//! Every point, whose it is, and what has just happened there. A test of the workspace compares this list with the calls.
//!
//! `C61` and `C62` are not given: they stand for an object store and for signed audit checkpoints, which this hub has not.

/// A program that has points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// `hadron-hub`.
    Hub,
    /// `hadron-agent`.
    Agent,
}

use Process::{Agent, Hub};

/// Name, program, and where in its work the program is. Numbers go by subject: 1-9 connections and sessions, 10-19 leases,
/// 20-39 deployments, 40-49 grants, 50-59 deletions and cancellations, 60 and on what the hub does by itself, and the rest.
pub const POINTS: &[(&str, Process, &str)] = &[
    (
        "C01",
        Hub,
        "a connection was requested and its row written, not committed",
    ),
    (
        "C02",
        Hub,
        "a requested connection is committed, the requester has no answer",
    ),
    (
        "C03",
        Hub,
        "the acceptance of a connection is committed, the administrator has no answer",
    ),
    (
        "C04",
        Hub,
        "a connection's end is committed, its live sessions are not closed",
    ),
    (
        "C05",
        Hub,
        "an agent's challenge is used up, its proof not yet shown to STS",
    ),
    (
        "C06",
        Hub,
        "STS has named an enrolling agent, no certificate is made",
    ),
    (
        "C07",
        Hub,
        "an agent's certificate is recorded and not handed out",
    ),
    (
        "C08",
        Agent,
        "the agent has a certificate and has not written it to disk",
    ),
    (
        "C09",
        Hub,
        "a session is open in the database, the agent has no welcome",
    ),
    ("C10", Hub, "a lease is committed and not offered"),
    ("C11", Agent, "a job was offered and is not in the journal"),
    (
        "C12",
        Agent,
        "a job is in the journal, the hub does not know that it was started",
    ),
    ("C13", Hub, "leases are renewed and the agent is not told"),
    ("C14", Hub, "leases were found that ran out, none is taken back"),
    ("C15", Hub, "a report is committed, the agent has no answer"),
    (
        "C16",
        Hub,
        "effects that transactions left behind were found, none is carried out",
    ),
    (
        "C17",
        Hub,
        "a job that its agent hands over is back in the queue, not committed",
    ),
    ("C18", Hub, "a job is leased, not committed"),
    ("C19", Hub, "a lease that ran out is taken back, not committed"),
    ("C20", Agent, "the agent is about to look at a stack"),
    (
        "C21",
        Agent,
        "the agent has looked at a stack and decided nothing",
    ),
    ("C22", Agent, "a change set is about to be noted"),
    ("C23", Agent, "a change set is noted and not made"),
    (
        "C24",
        Agent,
        "a change set is made, the agent has looked at nothing since",
    ),
    ("C25", Agent, "the agent is about to ask for leave to execute"),
    (
        "C26",
        Agent,
        "the agent has leave to execute and has noted nothing since",
    ),
    ("C27", Agent, "an execution is noted and not asked for"),
    ("C28", Agent, "AWS has accepted an execution"),
    ("C29", Agent, "a job has an outcome that is not in the journal"),
    ("C30", Agent, "an outcome is in the journal and not reported"),
    (
        "C31",
        Agent,
        "a report has its answer and is still in the journal",
    ),
    (
        "C32",
        Agent,
        "the agent is about to look again at a stack that is in the middle of something",
    ),
    (
        "C33",
        Agent,
        "a stack has ended as wanted, its resources are not read",
    ),
    (
        "C34",
        Agent,
        "a reported job is forgotten by the journal, its place is not free",
    ),
    ("C35", Hub, "leave to act is given, not committed"),
    ("C36", Hub, "leave to act is committed, the agent has no answer"),
    (
        "C37",
        Hub,
        "a reported job is finished and its deployment is not, nothing is committed",
    ),
    ("C38", Hub, "a deployment has begun, not committed"),
    ("C39", Hub, "a deployment is cancelled, not committed"),
    ("C40", Agent, "a pull policy is read and not merged"),
    ("C41", Agent, "a pull policy is written and not read back"),
    ("C42", Agent, "a pull policy is as wanted, which nobody was told"),
    ("C43", Hub, "all grants are computed anew, not committed"),
    (
        "C44",
        Hub,
        "the outcome of writing a policy is on its lane, not committed",
    ),
    (
        "C45",
        Hub,
        "a deployment that waited for grants is let go on, not committed",
    ),
    (
        "C50",
        Agent,
        "the agent is about to ask for leave to delete a stack",
    ),
    (
        "C51",
        Agent,
        "the agent has leave to delete a stack and has noted nothing since",
    ),
    ("C52", Agent, "AWS has accepted a deletion"),
    ("C53", Agent, "a stack is gone, which nobody was told"),
    ("C54", Agent, "a deletion is noted and not asked for"),
    (
        "C55",
        Agent,
        "a cancelled deployment's change sets are gone, the second look is to come",
    ),
    (
        "C56",
        Agent,
        "a cancelled deployment can have no effect any more, which nobody was told",
    ),
    (
        "C57",
        Agent,
        "the deletion of a change set that was left over is noted and not asked for",
    ),
    (
        "C58",
        Agent,
        "a job is not the agent's any more, its change set is not taken back",
    ),
    ("C59", Agent, "taking an update back is noted and not asked for"),
    ("C60", Hub, "an effect is about to be carried out"),
    ("C63", Hub, "a step of the schema was run and is not recorded"),
    ("C64", Hub, "an effect was carried out and is still asked for"),
    (
        "C65",
        Hub,
        "a bundle that an agent hands over is committed, the agent has no answer",
    ),
    ("C66", Hub, "a fetched bundle is registered, not committed"),
    (
        "C67",
        Hub,
        "what comes next for a service is known, nothing of it is written",
    ),
    ("C68", Agent, "a bundle is read and not handed over"),
    ("C69", Agent, "a bundle is handed over, which is not reported"),
    (
        "C70",
        Agent,
        "the hub has welcomed the agent, which has not compared what it holds",
    ),
    (
        "C71",
        Agent,
        "the hub has taken a job back, which is still in the journal",
    ),
    ("C72", Hub, "a batch of transactions is run and not committed"),
    (
        "C73",
        Hub,
        "a batch of transactions is committed, nobody has an answer",
    ),
    ("C74", Hub, "leases go over to a new session, not committed"),
    ("C75", Hub, "events of a stack are written, not committed"),
];
