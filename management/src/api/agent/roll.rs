//! The roll of this process's live sessions, and the one pulse that all of them share.
//!
//! A session waits for its agent and for its bell, and asks the database nothing while there is nothing to do. What others
//! decide reaches it over the roll:
//!
//! * decisions of this process by [`Notice`], at once;
//! * decisions of other replicas by the pulse, which asks every second whether there was one that may have ended the trust in
//!   agents, and compares all sessions if so; and sooner by the wake-up of the lane, upon which sessions look again;
//! * jobs by the lane's wake-ups and the session's own timer, and for wake-ups that got lost by the pulse.
//!
//! What the pulse costs while nothing is decided does not depend on how many agents there are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hadron_proto::vocab::{AccountId, AgentId, ConnectionId, Region, SessionId, Timestamp};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tonic::{Code, Status};
use tracing::{debug, warn};

use super::status::refused;
use crate::api::status::with_info;
use crate::app::pulse::{Pulse, Seen};
use crate::app::work::{Session, Token, displaced, may_go_on};
use crate::app::{App, AppError, Notice};

/// How often the database is asked.
const PULSE: Duration = Duration::from_secs(1);
/// How often everything is compared although nothing is known to have been decided: a session that was displaced at another
/// hub is found so when the word of it was lost.
const COMPARE: Duration = Duration::from_secs(15);
/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(5);
/// The part of the time that looking over the lanes may take: when there are very many, they are looked over less often.
const LANES_SHARE: u32 = 50;
/// How old a pulse may be for the hub to speak for its database.
const FRESH: Duration = Duration::from_secs(4);
/// How often at most it is written down that an agent was heard which holds nothing.
const TOUCH: Duration = Duration::from_secs(10);
/// How many of them in one transaction.
const TOUCHES: usize = 256;
/// Lost jobs that may wait for a session to tell its agent; more are found by the agent's next heartbeat.
const LOST: usize = 1_024;
/// How long a lane's first job is passed over that a session could not take, unless there is another first one.
const PASS_OVER: Duration = Duration::from_secs(30);

/// What has happened to a session since it last looked.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Jobs that it no longer holds.
    pub(super) lost: Vec<Token>,
    /// Why it has to end.
    pub(super) end: Option<Status>,
    /// There may be jobs for it.
    pub(super) look: bool,
}

/// One session, as the roll has it.
#[derive(Debug)]
pub(super) struct Line {
    session: Session,
    /// Its place in the order of coming.
    number: u64,
    mail: Mutex<Mail>,
    bell: Notify,
    /// Seconds since the roll was begun, plus one, when it was last noted that its agent was heard.
    noted: AtomicU64,
    /// What the pulse last woke it for.
    woken_for: Mutex<Option<(Instant, Timestamp)>>,
}

impl Line {
    /// Waits until there is mail. May be dropped and asked again without loss.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes what there is.
    pub(super) fn mail(&self) -> Mail {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, write: impl FnOnce(&mut Mail)) {
        write(&mut self.lock());
        self.bell.notify_one();
    }

    fn end(&self, why: impl FnOnce() -> Status) {
        self.send(|mail| {
            // The first reason is the one that counts.
            mail.end.get_or_insert_with(why);
        });
    }
}

#[derive(Debug, Default)]
struct Tables {
    /// Sessions are told in the order of their ids, the oldest first.
    sessions: BTreeMap<SessionId, Arc<Line>>,
    connections: HashMap<ConnectionId, BTreeSet<SessionId>>,
    lanes: HashMap<(AccountId, Region), BTreeSet<SessionId>>,
    /// How many have come so far.
    came: u64,
    /// Agents whose sessions came since the last pulse: what was decided about them on their way is asked for.
    fresh: Vec<AgentId>,
    /// Agents that were heard, to be written down with the next pulse.
    heard: Vec<(AgentId, SessionId)>,
}

/// All live sessions of this process.
#[derive(Debug)]
pub(super) struct Roll {
    tables: Mutex<Tables>,
    began: Instant,
    /// Milliseconds since then, plus one, when the last successful pulse was asked for. 0: there was none.
    last: AtomicU64,
    /// How often at most it is written down that an agent was heard.
    touch: Duration,
}

/// A session's place on the roll. Dropping it takes it off.
pub(super) struct Place {
    roll: Arc<Roll>,
    line: Arc<Line>,
}

impl std::ops::Deref for Place {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.roll.strike(&self.line.session);
    }
}

fn leave<K: std::hash::Hash + Eq>(map: &mut HashMap<K, BTreeSet<SessionId>>, key: &K, session: SessionId) {
    if let Some(set) = map.get_mut(key) {
        set.remove(&session);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

impl Roll {
    pub(super) fn new(app: &App) -> Arc<Self> {
        Arc::new(Self {
            tables: Mutex::default(),
            began: Instant::now(),
            last: AtomicU64::new(0),
            touch: TOUCH.min(app.settings().lease),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session that was just opened.
    pub(super) fn enter(self: &Arc<Self>, session: &Session) -> Place {
        let mut tables = self.lock();
        tables.came += 1;
        tables.fresh.push(session.peer.agent);
        let line = Arc::new(Line {
            session: session.clone(),
            number: tables.came,
            mail: Mutex::default(),
            bell: Notify::new(),
            noted: AtomicU64::new(0),
            woken_for: Mutex::default(),
        });
        let lane = (session.peer.account, session.region.clone());
        tables.lanes.entry(lane).or_default().insert(session.id);
        let connection = session.peer.connection;
        tables
            .connections
            .entry(connection)
            .or_default()
            .insert(session.id);
        tables.sessions.insert(session.id, Arc::clone(&line));
        drop(tables);
        self.note(&line);
        Place {
            roll: Arc::clone(self),
            line,
        }
    }

    fn strike(&self, session: &Session) {
        let mut tables = self.lock();
        tables.sessions.remove(&session.id);
        leave(&mut tables.connections, &session.peer.connection, session.id);
        let lane = (session.peer.account, session.region.clone());
        leave(&mut tables.lanes, &lane, session.id);
    }

    /// How many sessions there are.
    pub(super) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs() + 1
    }

    /// Remembers that it is written down that the agent was heard.
    fn note(&self, line: &Line) {
        line.noted.store(self.seconds(), Ordering::Relaxed);
    }

    /// The agent was heard in its session, holding nothing. Whether that can be answered from here: only when the database
    /// has answered lately, so that what would end the session would be known.
    pub(super) fn heard(&self, place: &Place) -> bool {
        if !self.is_fresh() {
            return false;
        }
        let noted = place.line.noted.load(Ordering::Relaxed);
        if self.seconds().saturating_sub(noted) >= self.touch.as_secs().max(1) {
            self.note(&place.line);
            let session = &place.line.session;
            // As many as there are sessions at most, since each comes once in a while.
            self.lock().heard.push((session.peer.agent, session.id));
        }
        true
    }

    fn is_fresh(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        last > 0 && Duration::from_millis(now.saturating_sub(last)) < FRESH
    }

    /// Tells sessions what this process has decided about them.
    fn tell(&self, notice: Notice) {
        let tables = self.lock();
        match notice {
            Notice::Lost { session, job, fence } => {
                if let Some(line) = tables.sessions.get(&session) {
                    line.send(|mail| {
                        if mail.lost.len() < LOST {
                            mail.lost.push(Token { job, fence });
                        }
                    });
                }
            }
            Notice::Close { connection, why } => {
                let sessions = tables.connections.get(&connection).into_iter().flatten();
                for line in sessions.filter_map(|session| tables.sessions.get(session)) {
                    line.end(|| with_info(Code::PermissionDenied, "CONNECTION_CLOSED", &why, None));
                }
            }
            Notice::Displaced { session } => {
                if let Some(line) = tables.sessions.get(&session) {
                    line.end(|| refused(displaced()));
                }
            }
        }
    }

    /// The agents whose sessions have come since the last pulse, and how many sessions have come so far.
    fn fresh(&self) -> (Vec<AgentId>, u64) {
        let mut tables = self.lock();
        (std::mem::take(&mut tables.fresh), tables.came)
    }

    /// It could not be asked for them: with the next pulse.
    fn still_fresh(&self, fresh: Vec<AgentId>) {
        self.lock().fresh.extend(fresh);
    }

    /// Ends the sessions that may not go on any more. Those that came after the first `came` are newer than what was seen.
    fn judge(&self, seen: &Seen, came: u64) {
        let tables = self.lock();
        let end = |line: &Line, error: AppError| {
            if line.number <= came {
                line.end(|| refused(error));
            }
        };
        for standing in &seen.standing {
            let sessions = tables.connections.get(&standing.connection).into_iter().flatten();
            for line in sessions.filter_map(|session| tables.sessions.get(session)) {
                if line.session.peer.agent == standing.agent
                    && let Err(error) = may_go_on(&line.session, standing)
                {
                    end(line, error);
                }
            }
        }
        if seen.complete {
            let named: HashSet<AgentId> = seen.standing.iter().map(|standing| standing.agent).collect();
            for line in tables.sessions.values() {
                if !named.contains(&line.session.peer.agent) {
                    end(line, displaced());
                }
            }
        }
    }

    /// Wakes the sessions of lanes that have work now; sessions with a timer for what comes later look for themselves.
    fn wake(&self, seen: &Seen) {
        let tables = self.lock();
        for lane in seen.waiting.iter().filter(|lane| lane.wait.is_zero()) {
            let Some(sessions) = tables.lanes.get(&(lane.account, lane.region.clone())) else {
                continue;
            };
            for line in sessions.iter().filter_map(|session| tables.sessions.get(session)) {
                line.look_for(lane.first);
            }
        }
    }

    fn take_heard(&self) -> Vec<(AgentId, SessionId)> {
        std::mem::take(&mut self.lock().heard)
    }

    /// Notices of this process, for as long as there are any.
    async fn hear(&self, app: &App, again: &Notify) {
        let mut notices = app.notices();
        loop {
            match notices.recv().await {
                Ok(notice) => self.tell(notice),
                // What matters is found by comparing; lost jobs by the agents' heartbeats.
                Err(RecvError::Lagged(missed)) => {
                    warn!(missed, "Notices of decisions were missed; comparing everything");
                    again.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// The pulse. Ends only when it is dropped.
    pub(super) async fn pulse(&self, app: &App) {
        let again = Notify::new();
        tokio::join!(self.hear(app, &again), self.beat(app, &again));
    }

    async fn beat(&self, app: &App, again: &Notify) {
        let mut known = None;
        let mut compare = interval(COMPARE);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tick = interval(PULSE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lanes_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                _ = compare.tick() => known = None,
                () = again.notified() => known = None,
                _ = tick.tick() => {}
            }
            let asked = Instant::now();
            let (fresh, came) = self.fresh();
            let pulse = Pulse {
                known,
                fresh: fresh.clone(),
                lanes: asked >= lanes_at,
            };
            let lanes = pulse.lanes;
            match timeout(PATIENCE, app.pulse(pulse)).await {
                Ok(Ok(seen)) => {
                    self.judge(&seen, came);
                    self.wake(&seen);
                    known = Some(seen.decision);
                    if lanes {
                        lanes_at = asked + (asked.elapsed() * LANES_SHARE).min(FRESH);
                    }
                    let asked = u64::try_from((asked - self.began).as_millis()).unwrap_or(u64::MAX);
                    self.last.store(asked + 1, Ordering::Relaxed);
                }
                Ok(Err(error)) => {
                    debug!(error = error.story(), "The pulse of sessions got no answer");
                    self.still_fresh(fresh);
                }
                Err(_) => {
                    warn!("The database does not answer the pulse of sessions");
                    self.still_fresh(fresh);
                }
            }
            self.write_heard(app).await;
        }
    }

    async fn write_heard(&self, app: &App) {
        for part in self.take_heard().chunks(TOUCHES) {
            match timeout(PATIENCE, app.heard(part.to_vec())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    debug!(
                        error = error.story(),
                        "It could not be written down that agents were heard"
                    );
                }
                Err(_) => return,
            }
            // Others write, too.
            sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Line {
    /// The first job of its lane may be taken, since this time. Woken for it once, and again after a while: jobs that this
    /// session cannot do must not wake it every second.
    fn look_for(&self, first: Timestamp) {
        let mut woken_for = self.woken_for.lock().unwrap_or_else(PoisonError::into_inner);
        if woken_for.is_some_and(|(at, before)| before == first && at.elapsed() < PASS_OVER) {
            return;
        }
        *woken_for = Some((Instant::now(), first));
        drop(woken_for);
        self.send(|mail| mail.look = true);
    }

    /// Something was taken: whatever is first now is another job.
    pub(super) fn took(&self) {
        *self.woken_for.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
