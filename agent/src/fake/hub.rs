//! A hub in memory: fences, cancelled jobs, templates, and a record of what it allowed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadron_proto::vocab::JobId;

use super::{Call, Line};
use crate::job::{Act, Hub, HubError, StackEvent, Token, Verdict};

#[derive(Debug, Default)]
struct State {
    fence: u64,
    /// The fence of the present lease of each job.
    leases: HashMap<JobId, u64>,
    refused: HashSet<JobId>,
    templates: HashMap<JobId, String>,
    contents: HashMap<JobId, bytes::Bytes>,
    granted: Vec<(Token, Act)>,
    events: BTreeMap<String, StackEvent>,
    unreachable: bool,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct FakeHub {
    state: Arc<Mutex<State>>,
    line: Line,
}

impl FakeHub {
    /// The same hub over another line.
    #[must_use]
    pub fn over(&self, line: &Line) -> Self {
        Self {
            state: Arc::clone(&self.state),
            line: line.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leases the job anew; earlier leases are void.
    pub fn lease(&self, job: JobId) -> Token {
        let mut state = self.state();
        state.fence += 1;
        let fence = state.fence;
        state.leases.insert(job, fence);
        Token { job, fence }
    }

    /// Nobody holds the job any more.
    pub fn expire(&self, job: JobId) {
        self.state().leases.remove(&job);
    }

    /// Whether this is the present lease.
    #[must_use]
    pub fn holds(&self, token: Token) -> bool {
        self.state().leases.get(&token.job) == Some(&token.fence)
    }

    /// Refuses leave for the job from now on, as for one that is cancelled.
    pub fn refuse(&self, job: JobId) {
        self.state().refused.insert(job);
    }

    /// The template of a job.
    pub fn template_of(&self, job: JobId, text: &str) {
        self.state().templates.insert(job, text.to_owned());
    }

    /// What was handed over for a job.
    #[must_use]
    pub fn content_of(&self, job: JobId) -> Option<bytes::Bytes> {
        self.state().contents.get(&job).cloned()
    }

    /// Nobody can reach the hub.
    pub fn unreachable(&self, is: bool) {
        self.state().unreachable = is;
    }

    /// What was allowed, in order.
    #[must_use]
    pub fn granted(&self) -> Vec<(Token, Act)> {
        self.state().granted.clone()
    }

    /// Events that arrived, each once.
    #[must_use]
    pub fn received(&self) -> Vec<StackEvent> {
        self.state().events.values().cloned().collect()
    }
}

impl Hub for FakeHub {
    async fn template(&self, token: Token) -> Result<String, HubError> {
        let lost = |_| HubError::Unavailable("no answer".to_owned());
        let ticket = self.line.enter(Call::Template).await.map_err(lost)?;
        let template = {
            let state = self.state();
            if state.unreachable {
                return Err(HubError::Unavailable("no connection".to_owned()));
            }
            state.templates.get(&token.job).cloned().unwrap_or_default()
        };
        ticket.leave(Ok(template)).await.map_err(lost)
    }

    async fn authorise(&self, token: Token, act: Act) -> Result<Verdict, HubError> {
        let lost = |_| HubError::Unavailable("no answer".to_owned());
        let ticket = self.line.enter(Call::Authorise).await.map_err(lost)?;
        let answer = {
            let mut state = self.state();
            if state.unreachable {
                return Err(HubError::Unavailable("no connection".to_owned()));
            }
            if state.leases.get(&token.job) != Some(&token.fence) {
                Err(HubError::Fenced("another lease is current".to_owned()))
            } else if state.refused.contains(&token.job) {
                Ok(Verdict::Refused("cancelled".to_owned()))
            } else {
                state.granted.push((token, act));
                Ok(Verdict::Granted)
            }
        };
        match ticket.leave(Ok(answer)).await {
            Ok(answer) => answer,
            Err(error) => Err(lost(error)),
        }
    }

    async fn put_content(&self, token: Token, content: bytes::Bytes) -> Result<(), HubError> {
        let lost = |_| HubError::Unavailable("no answer".to_owned());
        let ticket = self.line.enter(Call::PutContent).await.map_err(lost)?;
        let answer = {
            let mut state = self.state();
            if state.unreachable {
                return Err(HubError::Unavailable("no connection".to_owned()));
            }
            if state.leases.get(&token.job) == Some(&token.fence) {
                state.contents.insert(token.job, content);
                Ok(())
            } else {
                Err(HubError::Fenced("another lease is current".to_owned()))
            }
        };
        match ticket.leave(Ok(answer)).await {
            Ok(answer) => answer,
            Err(error) => Err(lost(error)),
        }
    }

    async fn events(&self, _: Token, events: Vec<StackEvent>) {
        let Ok(ticket) = self.line.enter(Call::PostEvents).await else {
            return;
        };
        for event in events {
            self.state().events.insert(event.event_id.clone(), event);
        }
        let _ = ticket.leave(Ok(())).await;
    }
}
