//! A deletion has nothing that could be taken back: whoever has decided to call `DeleteStack` may do it at any later time.
//!
//! Deployment 1 deletes the stack; somebody may cancel it and deploy again, as deployment 2. The protocols differ in what
//! makes the cancellation true. The one that Hadron follows condemns the stack: leave to delete is the point of no
//! return, there is no cancellation after it, and a later deployment makes a stack of its own with another ARN.
//!
//! In [`Kind::again`] the resource is deployed once more after its deletion, under the same name, and stale deletions are
//! still about. In [`Kind::failures`] deletions fail and are asked for again. In [`Kind::hands`] somebody with access to
//! the account deletes a stack past Hadron, or takes its protection away; what is lost by that is no promise of Hadron's.

use std::fmt;

use super::{Check, Model};

const AGENTS: usize = 3;

/// How far the protocol goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// W0: the stack is deleted by name.
    ByName,
    /// W1: the hub allows the deletion; it can be cancelled all the same.
    Authorised,
    /// W2: termination protection is taken away, then leave is asked for; a cancellation puts the protection back.
    UnprotectFirst,
    /// W3: leave is asked for, then the protection is taken away.
    AuthoriseFirst,
    /// W4: leave condemns the stack.
    Condemned,
}

/// Which model.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The protocol.
    pub protocol: Protocol,
    /// How many agents, up to three.
    pub agents: usize,
    /// How many leases there can be.
    pub leases: u8,
    /// Deployment 2 may come after the deletion as well, as a new stack of the same name.
    pub again: bool,
    /// How often a deletion fails.
    pub failures: u8,
    /// How often somebody does something by hand.
    pub hands: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    Unknown,
    Waiting,
    Cancelling,
    Cancelled,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    Delete,
    Revoke,
    Deploy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Authorise,
    Unprotect,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Agent {
    job: Job,
    fence: u8,
    /// How many acts of its job it has done.
    done: u8,
    /// The stack that it works on: the first, or the one that deployment 2 made.
    stack: u8,
}

/// See [`Model`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    lives: [Life; 2],
    fence: u8,
    holder: Option<(u8, Job)>,
    /// The hub has condemned the first stack.
    condemned: bool,
    /// Which stacks exist: the first, and the one that was made after it.
    exists: [bool; 2],
    protected: bool,
    /// Deployment 2 is on a stack.
    deployed: bool,
    failures: u8,
    hands: u8,
    /// Somebody took a stack, or what protected it, away by hand.
    meddled: bool,
    agents: [Option<Agent>; AGENTS],
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The hub leases a job to an agent.
    Lease(&'static str, u8),
    /// The lease runs out.
    Expire,
    /// Somebody cancels the deletion and deploys.
    Cancel,
    /// Somebody deploys again what was deleted.
    Again,
    /// Somebody asks again for the deletion that failed.
    Retry,
    /// An agent dies.
    Crash(usize),
    /// An agent does something.
    Does(usize, &'static str),
    /// It does, and its answer is lost.
    Unanswered(usize, &'static str),
    /// Somebody does something by hand.
    ByHand(&'static str),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease(job, agent) => write!(f, "agent {agent} takes the {job}"),
            Self::Expire => write!(f, "the lease runs out"),
            Self::Cancel => write!(f, "the deletion is cancelled, a deployment asked for"),
            Self::Again => write!(f, "what was deleted is deployed again"),
            Self::Retry => write!(f, "the failed deletion is asked for again"),
            Self::Crash(agent) => write!(f, "agent {agent} dies"),
            Self::Does(agent, what) => write!(f, "agent {agent} {what}"),
            Self::Unanswered(agent, what) => write!(f, "agent {agent} {what}, and the answer is lost"),
            Self::ByHand(what) => write!(f, "somebody {what} by hand"),
        }
    }
}

type Each<'a> = dyn FnMut(Step, State) + 'a;

impl State {
    fn holds(&self, agent: usize, held: Agent) -> bool {
        self.fence == held.fence
            && self
                .holder
                .is_some_and(|(holder, _)| usize::from(holder) == agent)
    }

    fn with(mut self, agent: usize, held: Option<Agent>) -> Self {
        self.agents[agent] = held;
        self
    }

    fn done(self, agent: usize, done: u8) -> Self {
        let held = self.agents[agent].map(|held| Agent { done, ..held });
        self.with(agent, held)
    }
}

impl Kind {
    const fn acts(&self) -> &'static [Act] {
        match self.protocol {
            Protocol::ByName => &[Act::Delete],
            Protocol::Authorised | Protocol::Condemned => &[Act::Authorise, Act::Delete],
            Protocol::UnprotectFirst => &[Act::Unprotect, Act::Authorise, Act::Delete],
            Protocol::AuthoriseFirst => &[Act::Authorise, Act::Unprotect, Act::Delete],
        }
    }

    /// A cancellation is a job of its own, which puts the protection back.
    const fn protects(&self) -> bool {
        matches!(self.protocol, Protocol::UnprotectFirst | Protocol::AuthoriseFirst)
    }

    fn hub(&self, state: &State, each: &mut Each<'_>) {
        if state.holder.is_some() {
            each(
                Step::Expire,
                State {
                    holder: None,
                    ..*state
                },
            );
        } else if state.fence < self.leases {
            let job = match state.lives {
                [Life::Waiting, _] => Some((Job::Delete, "deletion")),
                [Life::Cancelling, _] => Some((Job::Revoke, "cancellation")),
                [_, Life::Waiting] => Some((Job::Deploy, "deployment")),
                _ => None,
            };
            if let Some((job, name)) = job {
                let stack = u8::from(job == Job::Deploy && !state.exists[0] && self.again);
                for agent in (0..self.agents).filter(|agent| state.agents[*agent].is_none()) {
                    let fence = state.fence + 1;
                    let held = Agent {
                        job,
                        fence,
                        done: 0,
                        stack,
                    };
                    let holder = u8::try_from(agent).unwrap_or(u8::MAX);
                    let next = State {
                        fence,
                        holder: Some((holder, job)),
                        ..state.with(agent, Some(held))
                    };
                    each(Step::Lease(name, holder), next);
                }
            }
        }
        match state.lives {
            [Life::Waiting, Life::Unknown] if !state.condemned => {
                let first = if self.protects() {
                    Life::Cancelling
                } else {
                    Life::Cancelled
                };
                let next = State {
                    lives: [first, Life::Waiting],
                    holder: None,
                    ..*state
                };
                each(Step::Cancel, next);
            }
            [Life::Succeeded, Life::Unknown] if self.again => {
                let lives = [Life::Succeeded, Life::Waiting];
                each(Step::Again, State { lives, ..*state });
            }
            [Life::Failed, second] => {
                let lives = [Life::Waiting, second];
                each(Step::Retry, State { lives, ..*state });
            }
            _ => {}
        }
    }

    fn report(state: &State, agent: usize, held: Agent, life: Life) -> State {
        let mut next = state.with(agent, None);
        if state.holds(agent, held) {
            next.lives[usize::from(held.job == Job::Deploy)] = life;
            next.holder = None;
        }
        next
    }

    fn call(each: &mut Each<'_>, agent: usize, what: &'static str, after: State, done: u8) {
        each(Step::Does(agent, what), after.done(agent, done));
        each(Step::Unanswered(agent, what), after);
    }

    fn delete(&self, state: &State, agent: usize, held: Agent, each: &mut Each<'_>) {
        let acts = self.acts();
        let all = u8::try_from(acts.len()).unwrap_or(u8::MAX);
        if held.done >= all || !state.exists[0] {
            // By name, the stack of that name may be another one by now.
            let stale = self.protocol == Protocol::ByName && state.exists[1] && held.done < all;
            if !stale {
                let life = if held.done > all {
                    Life::Failed
                } else {
                    Life::Succeeded
                };
                each(
                    Step::Does(agent, "reports on the deletion"),
                    Self::report(state, agent, held, life),
                );
                return;
            }
        }
        let done = held.done + 1;
        match acts[usize::from(held.done)] {
            Act::Unprotect => {
                let after = State {
                    protected: false,
                    ..*state
                };
                each(
                    Step::Does(agent, "takes the protection away"),
                    after.done(agent, done),
                );
            }
            Act::Authorise if state.holds(agent, held) => {
                let condemned = state.condemned || self.protocol == Protocol::Condemned;
                let after = State { condemned, ..*state };
                each(Step::Does(agent, "gets leave to delete"), after.done(agent, done));
            }
            Act::Authorise => each(
                Step::Does(agent, "gets no leave to delete"),
                state.with(agent, None),
            ),
            Act::Delete if state.protected => {
                each(
                    Step::Does(agent, "may not delete what is protected"),
                    state.done(agent, 0),
                );
            }
            Act::Delete => {
                let mut after = *state;
                // By ARN it is always the first stack.
                let stack = usize::from(!state.exists[0]);
                after.exists[stack] = false;
                Self::call(each, agent, "deletes the stack", after, done);
                if state.failures > 0 && state.exists[0] {
                    let after = State {
                        failures: state.failures - 1,
                        ..*state
                    };
                    each(
                        Step::Does(agent, "sees the deletion fail"),
                        after.done(agent, all + 1),
                    );
                }
            }
        }
    }

    fn agent(&self, state: &State, agent: usize, held: Agent, each: &mut Each<'_>) {
        let protected = State {
            protected: self.protects(),
            ..*state
        };
        match (held.job, held.done) {
            (Job::Delete, _) => self.delete(state, agent, held, each),
            (Job::Revoke, 0) => each(
                Step::Does(agent, "puts the protection back"),
                protected.done(agent, 1),
            ),
            (Job::Revoke, _) => {
                let life = if state.exists[0] {
                    Life::Cancelled
                } else {
                    Life::Succeeded
                };
                let next = Self::report(state, agent, held, life);
                each(Step::Does(agent, "reports on the cancellation"), next);
            }
            (Job::Deploy, 0) => {
                each(Step::Does(agent, "protects the stack"), protected.done(agent, 1));
            }
            (Job::Deploy, 1) => {
                let mut after = *state;
                let stack = usize::from(held.stack);
                if stack == 1 {
                    after.exists[1] = true;
                }
                after.deployed = after.deployed || after.exists[stack];
                each(Step::Does(agent, "deploys"), after.done(agent, 2));
            }
            (Job::Deploy, _) => {
                let there = state.exists[usize::from(held.stack)] && state.deployed;
                let life = if there { Life::Succeeded } else { Life::Failed };
                let next = Self::report(state, agent, held, life);
                each(Step::Does(agent, "reports on the deployment"), next);
            }
        }
    }
}

impl Model for Kind {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State {
            lives: [Life::Waiting, Life::Unknown],
            fence: 0,
            holder: None,
            condemned: false,
            exists: [true, false],
            protected: self.protects(),
            deployed: false,
            failures: self.failures,
            hands: self.hands,
            meddled: false,
            agents: [None; AGENTS],
        }
    }

    fn next(&self, state: &State, each: &mut dyn FnMut(Step, State)) {
        self.hub(state, each);
        for (agent, held) in state.agents.iter().enumerate() {
            if let Some(held) = *held {
                each(Step::Crash(agent), state.with(agent, None));
                self.agent(state, agent, held, each);
            }
        }
        if state.hands == 0 {
            return;
        }
        let left = State {
            hands: state.hands - 1,
            meddled: true,
            ..*state
        };
        for stack in (0..2).filter(|stack| state.exists[*stack] && !state.protected) {
            let mut after = left;
            after.exists[stack] = false;
            each(Step::ByHand("deletes the stack"), after);
        }
        if state.protected {
            let after = State {
                protected: false,
                ..left
            };
            each(Step::ByHand("takes the protection away"), after);
        }
    }

    fn broken(&self, state: &State) -> Vec<&'static str> {
        let [first, second] = state.lives;
        let mut broken = Vec::new();
        if first == Life::Cancelled && !state.exists[0] && !state.meddled {
            broken.push("cancelled but deleted");
        }
        if second == Life::Succeeded && state.exists == [false, false] && !state.meddled {
            broken.push("newer deployment deleted");
        }
        if first == Life::Succeeded && state.exists[0] {
            broken.push("succeeded but not deleted");
        }
        broken
    }

    fn ended(&self, state: &State) -> bool {
        let over = |life| matches!(life, Life::Cancelled | Life::Succeeded | Life::Failed);
        over(state.lives[0]) && (over(state.lives[1]) || state.condemned)
    }
}

const BOTH: &[&str] = &["cancelled but deleted", "newer deployment deleted"];

/// The checks of this model. All of them are small.
#[must_use]
pub fn checks(_short: bool) -> Vec<Check> {
    use Protocol::{AuthoriseFirst, Authorised, ByName, Condemned, UnprotectFirst};
    let kind = |protocol, agents| Kind {
        protocol,
        agents,
        leases: 4,
        again: false,
        failures: 0,
        hands: 0,
    };
    let hard = |protocol, hands| Kind {
        again: true,
        failures: 1,
        hands,
        ..kind(protocol, 3)
    };
    vec![
        Check::new("W0, 3 agents", BOTH, kind(ByName, 3)),
        Check::new("W1, 3 agents", BOTH, kind(Authorised, 3)),
        Check::new("W2, 2 agents", &[], kind(UnprotectFirst, 2)),
        Check::new("W2, 3 agents", BOTH, kind(UnprotectFirst, 3)),
        Check::new("W3, 3 agents", BOTH, kind(AuthoriseFirst, 3)),
        Check::new("W4, 3 agents", &[], kind(Condemned, 3)),
        Check::new("W0, 3 agents, deployed again", BOTH, hard(ByName, 0)),
        Check::new(
            "W4, 3 agents, deployed again, failing deletions",
            &[],
            hard(Condemned, 0),
        ),
        Check::new(
            "W4, 3 agents, deployed again, failing deletions, one act by hand",
            &[],
            hard(Condemned, 1),
        ),
    ]
}
