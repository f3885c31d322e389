//! One stack, one hub, a few agents: deployment 1, perhaps cancelled, and deployment 2 after it.
//!
//! What `CloudFormation` does is what matters: executing a change set deletes all others of the stack; one that was
//! deleted cannot be executed; the same content again is no change.
//!
//! In [`Kind::failures`] an execution takes its time and may fail, and is taken back then; a cancellation may take back
//! whatever runs, which is the one call without a fence. In [`Kind::hands`] a person with access to the account executes
//! change sets, deletes them and changes the stack past Hadron. What they execute for a deployment that is being cancelled,
//! has ended, or was executed before is no promise of Hadron's (a stalled agent can still make a change set, which nobody
//! may execute); what it says of any other must be true all the same.

use std::fmt;

use super::{Check, Model};

/// Agents at most.
const AGENTS: usize = 3;
/// Change sets at most.
const SETS: usize = 3;
/// Content that somebody else brought.
const FOREIGN: u8 = 3;

/// How far the protocol goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// V0: the stack is updated directly.
    Update,
    /// V1: with a token that `CloudFormation` remembers for ever.
    UpdateWithToken,
    /// V2: a change set is made, then executed.
    ChangeSet,
    /// V3: the hub allows the execution to the present holder of the lease.
    Authorised,
    /// V4: a new holder first deletes what other deployments left, and a cancellation is a job of its own.
    Revoked,
    /// V4 as it is built: a new holder also deletes what earlier holders of its own job made, and its deployment's one
    /// token goes with every execution. Executions that take time and fail need that.
    Built,
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
    /// How many change sets can be made, up to three.
    pub sets: u8,
    /// Executions take time, may fail, and may be taken back.
    pub failures: bool,
    /// How often somebody does something by hand.
    pub hands: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    /// Not asked for yet.
    Unknown,
    Waiting,
    Cancelling,
    Cancelled,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    Apply(u8),
    Revoke,
}

/// What became of a deployment in `CloudFormation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fate {
    Nothing,
    Running,
    Applied,
    TakenBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Prepare,
    Create,
    Authorise(u8),
    Execute(u8),
    Follow,
    Report(Life),
    /// Looked, and saw its own deployment running: takes back whatever runs by then.
    TakeBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Agent {
    job: Job,
    fence: u8,
    at: At,
}

/// See [`Model`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    lives: [Life; 2],
    fence: u8,
    holder: Option<(u8, Job)>,
    content: u8,
    /// What is back when the running execution fails.
    before: u8,
    fates: [Fate; 2],
    /// How often each was executed: 2 means more than once.
    times: [u8; 2],
    old_over_newer: bool,
    /// The deployment of the n-th change set, while it exists.
    sets: [u8; SETS],
    made: u8,
    /// Tokens that `CloudFormation` has seen, one bit each.
    tokens: u8,
    /// Things still done by hand, and whether one of them changed the stack.
    hands: u8,
    meddled: bool,
    /// Somebody executed the change set of a deployment that had ended.
    excused: [bool; 2],
    agents: [Option<Agent>; AGENTS],
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The hub leases a job to an agent.
    Lease(u8, u8),
    /// The lease runs out.
    Expire,
    /// Somebody cancels deployment 1 and asks for deployment 2.
    Cancel,
    /// Somebody asks for deployment 2.
    Submit,
    /// An agent dies.
    Crash(usize),
    /// An agent does something.
    Does(usize, &'static str, u8),
    /// It does, and its answer is lost.
    Unanswered(usize, &'static str, u8),
    /// `CloudFormation` ends what runs.
    Ends(&'static str),
    /// Somebody does something by hand.
    ByHand(&'static str, u8),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease(0, agent) => write!(f, "agent {agent} takes the cancellation"),
            Self::Lease(job, agent) => write!(f, "agent {agent} takes deployment {job}"),
            Self::Expire => write!(f, "the lease runs out"),
            Self::Cancel => write!(f, "deployment 1 is cancelled, deployment 2 asked for"),
            Self::Submit => write!(f, "deployment 2 is asked for"),
            Self::Crash(agent) => write!(f, "agent {agent} dies"),
            Self::Does(agent, what, n) => write!(f, "agent {agent} {what} {n}"),
            Self::Unanswered(agent, what, n) => write!(f, "agent {agent} {what} {n}, and the answer is lost"),
            Self::Ends(how) => write!(f, "the execution {how}"),
            Self::ByHand(what, n) => write!(f, "somebody {what} {n} by hand"),
        }
    }
}

impl State {
    fn life(&self, deployment: u8) -> Life {
        self.lives[usize::from(deployment) - 1]
    }

    fn fate(&self, deployment: u8) -> Fate {
        self.fates[usize::from(deployment) - 1]
    }

    fn running(&self) -> bool {
        self.fates.contains(&Fate::Running)
    }

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

    fn moved(self, agent: usize, at: At) -> Self {
        let held = self.agents[agent].map(|held| Agent { at, ..held });
        self.with(agent, held)
    }

    /// Brings a deployment onto the stack, or begins to.
    fn apply(&mut self, deployment: u8, failures: bool) {
        // The same again is no change.
        if self.content == deployment && self.fate(deployment) != Fate::TakenBack {
            return;
        }
        let n = usize::from(deployment) - 1;
        self.times[n] = (self.times[n] + 1).min(2);
        if deployment == 1 && self.times[1] > 0 {
            self.old_over_newer = true;
        }
        self.before = self.content;
        self.content = deployment;
        self.fates[n] = if failures { Fate::Running } else { Fate::Applied };
        if !failures {
            self.before = 0;
        }
    }

    fn execute(&mut self, set: u8, failures: bool) {
        let deployment = self.sets[usize::from(set)];
        self.sets = [0; SETS];
        self.apply(deployment, failures);
    }

    /// What runs is taken back.
    fn take_back(&mut self) {
        if let Some(n) = self.fates.iter().position(|fate| *fate == Fate::Running) {
            self.fates[n] = Fate::TakenBack;
            self.content = std::mem::take(&mut self.before);
        }
    }

    /// What an agent that looks has to report about a deployment that is not to be executed any more.
    fn seen(&self, deployment: u8) -> Option<Life> {
        match self.fate(deployment) {
            Fate::Applied => Some(Life::Succeeded),
            Fate::TakenBack => Some(Life::Failed),
            Fate::Nothing | Fate::Running => None,
        }
    }
}

type Each<'a> = dyn FnMut(Step, State) + 'a;

impl Kind {
    fn hub(&self, state: &State, each: &mut Each<'_>) {
        match state.holder {
            Some(_) => each(
                Step::Expire,
                State {
                    holder: None,
                    ..*state
                },
            ),
            None => {
                let job = match state.lives {
                    [Life::Waiting, _] => Some(Job::Apply(1)),
                    [Life::Cancelling, _] => Some(Job::Revoke),
                    [_, Life::Waiting] => Some(Job::Apply(2)),
                    _ => None,
                };
                if let Some(job) = job.filter(|_| state.fence < self.leases) {
                    for agent in (0..self.agents).filter(|agent| state.agents[*agent].is_none()) {
                        let number = match job {
                            Job::Apply(n) => n,
                            Job::Revoke => 0,
                        };
                        let fence = state.fence + 1;
                        let held = Agent {
                            job,
                            fence,
                            at: At::Prepare,
                        };
                        let holder = u8::try_from(agent).unwrap_or(u8::MAX);
                        let next = State {
                            fence,
                            holder: Some((holder, job)),
                            ..state.with(agent, Some(held))
                        };
                        each(Step::Lease(number, holder), next);
                    }
                }
            }
        }
        if state.lives[1] != Life::Unknown {
            return;
        }
        match state.lives[0] {
            Life::Waiting => {
                let first = if self.protocol >= Protocol::Revoked {
                    Life::Cancelling
                } else {
                    Life::Cancelled
                };
                // Whoever holds the job loses it.
                let next = State {
                    lives: [first, Life::Waiting],
                    holder: None,
                    ..*state
                };
                each(Step::Cancel, next);
            }
            Life::Succeeded | Life::Failed => {
                let lives = [state.lives[0], Life::Waiting];
                each(Step::Submit, State { lives, ..*state });
            }
            Life::Unknown | Life::Cancelling | Life::Cancelled => {}
        }
    }

    fn report(&self, state: &State, agent: usize, held: Agent, life: Life) -> State {
        let mut next = state.with(agent, None);
        if state.holds(agent, held) {
            let n = match held.job {
                Job::Apply(n) => usize::from(n) - 1,
                Job::Revoke => 0,
            };
            next.lives[n] = life;
            next.holder = None;
        }
        next
    }

    /// A call that changes something: it is answered, or it is not.
    fn call(each: &mut Each<'_>, agent: usize, what: &'static str, n: u8, done: State, at: At) {
        each(Step::Does(agent, what, n), done.moved(agent, at));
        each(Step::Unanswered(agent, what, n), done);
    }

    fn agent(&self, state: &State, agent: usize, held: Agent, each: &mut Each<'_>) {
        let (revokes, deployment) = match held.job {
            Job::Apply(n) => (false, n),
            Job::Revoke => (true, 1),
        };
        let says = |what| Step::Does(agent, what, deployment);
        match held.at {
            At::Report(life) => each(says("reports"), self.report(state, agent, held, life)),
            At::Prepare if self.protocol <= Protocol::UpdateWithToken => {
                if state.running() {
                    return;
                }
                let mut done = *state;
                let token = 1 << deployment;
                if self.protocol == Protocol::Update || state.tokens & token == 0 {
                    done.apply(deployment, self.failures);
                }
                if self.protocol == Protocol::UpdateWithToken {
                    done.tokens |= token;
                }
                Self::call(each, agent, "updates to", deployment, done, At::Follow);
            }
            At::Prepare => {
                let mut done = *state;
                if revokes && self.protocol != Protocol::Built {
                    done.sets
                        .iter_mut()
                        .filter(|set| **set == 1)
                        .for_each(|set| *set = 0);
                } else if self.protocol == Protocol::Built {
                    done.sets = [0; SETS];
                } else if self.protocol == Protocol::Revoked {
                    let foreign = |set: &&mut u8| **set != deployment;
                    done.sets.iter_mut().filter(foreign).for_each(|set| *set = 0);
                }
                let at = match done.seen(deployment) {
                    Some(life) => At::Report(life),
                    None if done.fate(deployment) == Fate::Running => At::Follow,
                    None if revokes => At::Report(Life::Cancelled),
                    None => At::Create,
                };
                Self::call(each, agent, "prepares", deployment, done, at);
            }
            At::Create => {
                let own = state.sets.iter().position(|set| *set == deployment);
                if let Some(own) = own.and_then(|own| u8::try_from(own).ok()) {
                    each(
                        says("finds the change set of"),
                        state.moved(agent, At::Authorise(own)),
                    );
                } else if state.made < self.sets {
                    let set = state.made;
                    let mut done = *state;
                    done.sets[usize::from(set)] = deployment;
                    done.made += 1;
                    Self::call(
                        each,
                        agent,
                        "makes a change set of",
                        deployment,
                        done,
                        At::Authorise(set),
                    );
                }
            }
            At::Authorise(set) => {
                if self.protocol >= Protocol::Authorised && !state.holds(agent, held) {
                    each(says("gets no leave for"), state.with(agent, None));
                } else {
                    each(says("gets leave for"), state.moved(agent, At::Execute(set)));
                }
            }
            At::Execute(set) => {
                let token = if self.protocol == Protocol::Built {
                    1 << deployment
                } else {
                    0
                };
                let used = state.tokens & token != 0;
                let there = state.sets[usize::from(set)] == deployment && !used;
                if there && !state.running() {
                    let mut done = *state;
                    done.execute(set, self.failures);
                    done.tokens |= token;
                    Self::call(each, agent, "executes", deployment, done, At::Follow);
                } else if !there {
                    let at = if state.fate(deployment) == Fate::Nothing {
                        At::Prepare
                    } else {
                        At::Follow
                    };
                    each(says("finds nothing to execute of"), state.moved(agent, at));
                }
            }
            At::Follow => match state.seen(deployment) {
                Some(life) => each(says("sees the end of"), state.moved(agent, At::Report(life))),
                None if state.fate(deployment) == Fate::Nothing => {
                    each(says("sees nothing of"), state.moved(agent, At::Prepare));
                }
                // It waits, or, for a cancellation, takes back what it saw running.
                None if revokes => each(says("sees running"), state.moved(agent, At::TakeBack)),
                None => {}
            },
            At::TakeBack => {
                let mut done = *state;
                done.take_back();
                Self::call(
                    each,
                    agent,
                    "takes back what runs, for",
                    deployment,
                    done,
                    At::Follow,
                );
            }
        }
    }

    fn hand(&self, state: &State, each: &mut Each<'_>) {
        if state.hands == 0 {
            return;
        }
        let left = State {
            hands: state.hands - 1,
            ..*state
        };
        for (set, deployment) in (0..).zip(state.sets).filter(|(_, deployment)| *deployment > 0) {
            let mut done = left;
            done.sets[usize::from(set)] = 0;
            each(Step::ByHand("deletes the change set of", deployment), done);
            if !state.running() {
                let mut done = left;
                done.execute(set, self.failures);
                // No agent did it.
                done.times = state.times;
                let untouched =
                    state.life(deployment) == Life::Waiting && state.fate(deployment) == Fate::Nothing;
                if !untouched {
                    done.excused[usize::from(deployment) - 1] = true;
                    done.meddled = true;
                    done.old_over_newer = state.old_over_newer;
                }
                each(Step::ByHand("executes the change set of", deployment), done);
            }
        }
        if !state.running() {
            let mut done = left;
            done.content = FOREIGN;
            done.meddled = true;
            each(Step::ByHand("changes the stack, it becomes", FOREIGN), done);
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
            content: 0,
            before: 0,
            fates: [Fate::Nothing; 2],
            times: [0; 2],
            old_over_newer: false,
            sets: [0; SETS],
            made: 0,
            tokens: 0,
            hands: self.hands,
            meddled: false,
            excused: [false; 2],
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
        if state.running() {
            let mut well = *state;
            well.before = 0;
            for fate in well.fates.iter_mut().filter(|fate| **fate == Fate::Running) {
                *fate = Fate::Applied;
            }
            each(Step::Ends("succeeds"), well);
            let mut ill = *state;
            ill.take_back();
            each(Step::Ends("fails and is taken back"), ill);
        }
        self.hand(state, each);
    }

    fn broken(&self, state: &State) -> Vec<&'static str> {
        let mut broken = Vec::new();
        let mut says = |is: bool, what| {
            if is {
                broken.push(what);
            }
        };
        let counts = |n: usize| !state.excused[n];
        let (first, second) = (state.lives[0], state.lives[1]);
        says((0..2).any(|n| counts(n) && state.times[n] > 1), "applied twice");
        says(
            counts(0) && first == Life::Cancelled && state.fates[0] != Fate::Nothing,
            "cancelled but applied",
        );
        says(
            second == Life::Succeeded && state.content != 2 && !state.meddled,
            "deployment 2 succeeded but the stack is not it",
        );
        says(
            (0..2).any(|n| counts(n) && state.lives[n] == Life::Failed && state.fates[n] == Fate::Applied),
            "failed but applied",
        );
        says(state.old_over_newer, "old deployment over a newer one");
        says(
            (0..2).any(|n| counts(n) && state.lives[n] == Life::Succeeded && state.fates[n] != Fate::Applied),
            "succeeded but not applied",
        );
        broken.sort_unstable();
        broken
    }

    fn ended(&self, state: &State) -> bool {
        let over = |life| matches!(life, Life::Cancelled | Life::Succeeded | Life::Failed);
        state.lives.into_iter().all(over)
    }
}

const ALL_FOUR: &[&str] = &[
    "applied twice",
    "cancelled but applied",
    "deployment 2 succeeded but the stack is not it",
    "old deployment over a newer one",
];

/// The checks of this model.
#[must_use]
pub fn checks(short: bool) -> Vec<Check> {
    use Protocol::{Authorised, Built, ChangeSet, Revoked, Update, UpdateWithToken};
    let kind = |protocol, agents: u8| Kind {
        protocol,
        agents: usize::from(agents),
        leases: agents + 1,
        sets: 3,
        failures: false,
        hands: 0,
    };
    let mut checks = vec![
        Check::new("V0, 2 agents", ALL_FOUR, kind(Update, 2)),
        Check::new("V1, 2 agents", &ALL_FOUR[1..], kind(UpdateWithToken, 2)),
        Check::new("V2, 2 agents", ALL_FOUR, kind(ChangeSet, 2)),
        Check::new("V3, 2 agents", &["cancelled but applied"], kind(Authorised, 2)),
        Check::new("V4, 2 agents", &[], kind(Revoked, 2)),
    ];
    let hard = |protocol, hands, sets| Kind {
        failures: true,
        hands,
        sets,
        ..kind(protocol, 2)
    };
    checks.push(Check::new(
        "V3, 2 agents, failing executions",
        &["applied twice", "cancelled but applied"],
        hard(Authorised, 0, 3),
    ));
    // Change sets of earlier holders of the same job are harmless only as long as no execution fails.
    checks.push(Check::new(
        "V4, 2 agents, failing executions",
        &["applied twice"],
        hard(Revoked, 0, 3),
    ));
    checks.push(Check::new("V4 as built, 2 agents", &[], kind(Built, 2)));
    checks.push(Check::new(
        "V4 as built, 2 agents, failing executions",
        &[],
        hard(Built, 0, 3),
    ));
    checks.push(Check::new(
        "V4 as built, 2 agents, failing executions, one act by hand",
        &[],
        hard(Built, 1, 2),
    ));
    if !short {
        checks.push(Check::new(
            "V3, 3 agents",
            &["cancelled but applied"],
            kind(Authorised, 3),
        ));
        checks.push(Check::new("V4, 3 agents", &[], kind(Revoked, 3)));
        checks.push(Check::new(
            "V4 as built, 2 agents, failing executions, two acts by hand",
            &[],
            hard(Built, 2, 3),
        ));
        let large = Kind {
            failures: true,
            sets: 2,
            ..kind(Built, 3)
        };
        checks.push(Check::new(
            "V4 as built, 3 agents, failing executions",
            &[],
            large,
        ));
    }
    checks
}
