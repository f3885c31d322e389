//! What stories are made of. A step that was cut off by a death is taken again after it: requests with the same id, so that
//! one that was carried out is not carried out again, and looks until what is waited for is there. Steps that only lead a
//! process to a point ([`Step::is_aim`]) are left out then.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::cases::Story;
use super::yard::{BUNDLE, Yard};
use crate::{DEV, MANAGEMENT, PROD};

/// An environment whose stack does as it is told.
pub(super) const ONE: &str = "one";
/// Another.
pub(super) const TWO: &str = "two";
/// One that comes and goes.
pub(super) const BRIEF: &str = "brief";

/// One thing to do, or to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An administrator asks for something.
    Ask {
        args: Vec<String>,
        id: String,
    },
    /// The owner of the development account asks for a connection.
    Request {
        environment: String,
        id: String,
    },
    /// An administrator accepts (or rejects) the connection for this environment.
    Accept {
        environment: String,
        id: String,
    },
    Reject {
        environment: String,
        id: String,
    },
    /// An administrator cancels what is done to an environment; it may be too late for that.
    Cancel {
        environment: String,
        id: String,
    },

    /// The next call of this sort is answered late.
    Delay(&'static str),
    /// It has come in.
    Called(&'static str),
    /// CloudFormation is at an environment's stack.
    Moving(&'static str),
    /// An agent dies.
    Kill(&'static str),
    /// The hub has missed the agent of an environment's deployment.
    Missed(&'static str),
    /// The hub is started again.
    RestartHub,

    /// An agent that is dead is started again.
    Alive(&'static str),
    /// An agent has a session, or none.
    Online(&'static str, bool),
    /// An agent is not needed any more.
    Dismiss(&'static str),
    /// An environment is as it was last asked for.
    Is {
        environment: &'static str,
        note: String,
    },
    /// Nothing is done to an environment any more, whatever came of it.
    Ended(&'static str),
    /// There is no environment of this name any more.
    Gone(&'static str),
    /// A service and all of its parts are there.
    Active(String),
    /// It is gone.
    NoService(String),
    /// These accounts may pull the image, and nobody else.
    Granted(&'static [&'static str]),
    /// A template version is a draft.
    Registered(String),
}

impl Step {
    /// Whether it is nothing but a way to a point.
    pub(super) const fn is_aim(&self) -> bool {
        matches!(
            self,
            Self::Delay(_)
                | Self::Called(_)
                | Self::Moving(_)
                | Self::Kill(_)
                | Self::Missed(_)
                | Self::RestartHub
        )
    }
}

fn args(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Yard {
    fn ask(&mut self, words: &[&str]) -> Step {
        Step::Ask {
            args: args(words),
            id: self.fresh("request"),
        }
    }

    /// Gives an environment another content, which takes its time.
    fn update(&mut self, environment: &'static str, seconds: u32, note: &str) -> anyhow::Result<Step> {
        let spec = self.spec(environment, &json!({ "note": note, "seconds": seconds }))?;
        Ok(self.ask(&["environment", "update", environment, "--spec", &spec]))
    }

    /// An environment's spec in a file.
    pub(super) fn spec(&self, environment: &str, inputs: &Value) -> anyhow::Result<String> {
        let spec = json!({ "proton": "EnvironmentSpec", "spec": inputs });
        self.world()
            .file(&format!("{environment}.yaml"), spec.to_string())
    }

    /// What comes before a process is told where to die.
    pub(super) fn prelude(&mut self, story: Story) -> anyhow::Result<VecDeque<Step>> {
        let steps = match story {
            Story::Trust => vec![Step::Alive(DEV)],
            Story::Resume => {
                let note = self.fresh("note");
                self.notes = vec![(ONE, note.clone())];
                vec![self.update(ONE, 3, &note)?, Step::Moving(ONE), Step::Kill(PROD)]
            }
            Story::Recall => {
                let (one, two) = (self.fresh("note"), self.fresh("note"));
                self.notes = vec![(ONE, one.clone()), (TWO, two.clone())];
                vec![
                    self.update(ONE, 3, &one)?,
                    self.update(TWO, 3, &two)?,
                    Step::Moving(ONE),
                    Step::Moving(TWO),
                    Step::Kill(PROD),
                ]
            }
            Story::Update
            | Story::Slow
            | Story::Brief
            | Story::Cancel
            | Story::Revert
            | Story::Grant
            | Story::Return
            | Story::Lapse
            | Story::Bundle
            | Story::Birth => Vec::new(),
        };
        Ok(steps.into())
    }

    /// The story once.
    pub(super) fn script(&mut self, story: Story, round: u32) -> anyhow::Result<VecDeque<Step>> {
        let note = self.fresh("note");
        let is = |environment, note: &str| Step::Is {
            environment,
            note: note.to_owned(),
        };
        let steps = match story {
            Story::Update => vec![self.update(ONE, 0, &note)?, is(ONE, &note)],
            Story::Slow => vec![self.update(ONE, 1, &note)?, is(ONE, &note)],
            Story::Brief => {
                let spec = self.spec(BRIEF, &json!({ "note": note }))?;
                let connection = self.connection(BRIEF)?;
                let create = [
                    "environment",
                    "create",
                    BRIEF,
                    "--template",
                    "probe-env",
                    "--connection",
                    &connection,
                    "--spec",
                    &spec,
                ];
                vec![
                    self.ask(&create),
                    is(BRIEF, &note),
                    self.ask(&["environment", "delete", BRIEF, "--yes"]),
                    Step::Gone(BRIEF),
                ]
            }
            Story::Cancel => vec![
                Step::Delay("DescribeChangeSet"),
                self.update(ONE, 0, &note)?,
                Step::Called("DescribeChangeSet"),
                self.cancel(ONE),
                Step::Ended(ONE),
            ],
            Story::Revert => vec![
                self.update(ONE, 4, &note)?,
                Step::Moving(ONE),
                self.cancel(ONE),
                Step::Ended(ONE),
            ],
            Story::Grant => {
                let name = self.fresh("svc");
                let spec = self.service_spec(&name)?;
                let create = [
                    "service",
                    "create",
                    &name,
                    "--template",
                    "minimal-svc-no-pipeline",
                    "--spec",
                    &spec,
                ];
                vec![
                    self.ask(&create),
                    Step::Active(name.clone()),
                    Step::Granted(&[PROD]),
                    self.ask(&["service", "delete", &name, "--yes"]),
                    Step::NoService(name),
                    Step::Granted(&[]),
                ]
            }
            Story::Trust => {
                let environment = self.fresh("spare");
                let id = || environment.clone();
                vec![
                    Step::Request {
                        environment: id(),
                        id: self.fresh("request"),
                    },
                    Step::Accept {
                        environment: id(),
                        id: self.fresh("request"),
                    },
                    Step::Online(DEV, true),
                    Step::Reject {
                        environment: id(),
                        id: self.fresh("request"),
                    },
                    Step::Online(DEV, false),
                ]
            }
            Story::Return => vec![
                self.update(ONE, 2, &note)?,
                Step::Moving(ONE),
                Step::Kill(PROD),
                Step::Alive(PROD),
                is(ONE, &note),
            ],
            Story::Recall if round == 0 => self
                .notes
                .iter()
                .map(|(environment, note)| is(environment, note))
                .collect(),
            Story::Recall => vec![self.update(ONE, 0, &note)?, is(ONE, &note)],
            Story::Resume if round == 0 => self
                .notes
                .iter()
                .map(|(environment, note)| is(environment, note))
                .collect(),
            Story::Resume => vec![Step::RestartHub, self.update(ONE, 0, &note)?, is(ONE, &note)],
            Story::Lapse => vec![
                self.update(ONE, 1, &note)?,
                Step::Moving(ONE),
                Step::Kill(PROD),
                Step::Missed(ONE),
                Step::Alive(PROD),
                is(ONE, &note),
            ],
            Story::Bundle => {
                let name = self.fresh("fetched");
                vec![
                    self.ask(&["template", "create", &name, "--kind", "environment", BUNDLE]),
                    Step::Registered(name),
                ]
            }
            Story::Birth => Vec::new(),
        };
        Ok(steps.into())
    }

    /// What is left to see to when a story has come to its end.
    pub(super) fn epilogue(story: Story) -> VecDeque<Step> {
        match story {
            Story::Trust => VecDeque::from([Step::Dismiss(DEV)]),
            _ => VecDeque::from([Step::Online(PROD, true), Step::Online(MANAGEMENT, true)]),
        }
    }

    fn cancel(&mut self, environment: &str) -> Step {
        Step::Cancel {
            environment: environment.to_owned(),
            id: self.fresh("request"),
        }
    }
}
