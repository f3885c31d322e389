//! Writes under way while things break: clients of the operator API who try each write again under the same request id
//! until it is acknowledged, and remember what they were told.
//!
//! Afterwards [`Load::stop`]'s [`Told`] is compared with what the store holds: each acknowledged write has its row, the
//! last value told is the value there, and nothing was done twice. Each client writes to templates of its own, one write
//! after the other, so that what has to be there is known exactly.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hadron_proto::wire;
use hadron_proto::wire::tag_service_client::TagServiceClient;
use hadron_proto::wire::template_service_client::TemplateServiceClient;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::Times;
use super::door::{AGAIN, TRY, bearer, channel, from_connection, retryable};
use crate::{MANAGEMENT, REGION, World};

/// How long a write may be tried in vain before that is a violation.
const PATIENCE: Duration = Duration::from_secs(60);
/// Writes to one template before the next is made.
const ROUND: u64 = 4;
/// What the names of all templates of loads begin with.
const PREFIX: &str = "load-";

/// A template of a client, as the client was last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its creation was acknowledged.
    pub created: bool,
    /// How many updates were acknowledged; the display name is that number.
    pub updates: u64,
    /// The value of its tag `load`.
    pub tag: Option<u64>,
    /// A write of it had no answer when the load was stopped: it may be there or not.
    pub open: Option<&'static str>,
}

/// What clients were told.
#[derive(Debug, Default)]
pub struct Told {
    /// Templates by name.
    pub templates: BTreeMap<String, Known>,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Answers other than yes, by what they said.
    pub errors: BTreeMap<String, u64>,
    /// An example of each.
    pub examples: BTreeMap<String, String>,
    /// Answers after which a client may not simply try again, and writes that were never acknowledged.
    pub fatal: Vec<String>,
    /// From the first try to the acknowledgement, of writes that had to be tried again.
    pub interrupted: Times,
    /// The same of all others.
    pub smooth: Times,
    /// How long the load lasted.
    pub lasted: Duration,
}

impl Told {
    /// Acknowledged writes a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.acknowledged as f64 / self.lasted.as_secs_f64().max(0.001)
    }

    /// How many tries were sent and failed.
    #[must_use]
    pub fn failed_tries(&self) -> u64 {
        let unsent = [UNSENT, BEHIND_GOAWAY];
        let sent = self
            .errors
            .iter()
            .filter(|(sort, _)| !unsent.contains(&sort.as_str()));
        sent.map(|(_, count)| count).sum()
    }

    /// Adds what others were told; the time that it lasted is not added.
    pub fn add(&mut self, other: Self) {
        self.templates.extend(other.templates);
        self.acknowledged += other.acknowledged;
        for (what, count) in other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        for (what, example) in other.examples {
            self.examples.entry(what).or_insert(example);
        }
        self.fatal.extend(other.fatal);
        self.interrupted.extend(other.interrupted);
        self.smooth.extend(other.smooth);
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicU64,
    /// When the last write was acknowledged, and the longest time without any so far.
    pulse: Mutex<Option<(Instant, Duration)>>,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<Told>,
    began: Instant,
}

impl Load {
    /// Starts so many clients of a world's hubs, each on a connection of its own. `rate` bounds what all together write a
    /// second. `name` keeps loads of one world apart.
    ///
    /// # Errors
    /// When no token can be minted.
    pub fn start(world: &World, name: &str, clients: u64, rate: f64) -> Result<Self> {
        let (_, bearer) = bearer(world, &format!("load-{name}"))?;
        let shared = Arc::new(Shared::default());
        let mut set = JoinSet::new();
        let every = Duration::from_secs_f64(clients as f64 / rate.max(0.1));
        for number in 0..clients {
            let client = Client {
                channel: channel(world)?,
                bearer: bearer.clone(),
                name: format!("{PREFIX}{name}-{number}"),
                every,
                shared: Arc::clone(&shared),
                told: Told::default(),
            };
            set.spawn(client.run());
        }
        Ok(Self {
            shared,
            clients: set,
            began: Instant::now(),
        })
    }

    /// Writes that were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more writes were acknowledged, by whichever hub.
    ///
    /// # Errors
    /// When that does not come about within a minute.
    pub async fn goes_on(&self, more: u64) -> Result<()> {
        let before = self.acknowledged();
        crate::wait::until("writes to go on", PATIENCE, || async {
            Ok((self.acknowledged() >= before + more).then_some(()))
        })
        .await
    }

    /// The longest time without any acknowledgement since this was asked last, the time since the last one included.
    #[must_use]
    pub fn gap(&self) -> Duration {
        let mut pulse = self.shared.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (last, longest) = pulse.unwrap_or((now, Duration::ZERO));
        *pulse = Some((last, Duration::ZERO));
        longest.max(now - last)
    }

    /// Ends it: each client waits for the answer to what it has asked.
    ///
    /// # Errors
    /// When a client has failed.
    pub async fn stop(mut self) -> Result<Told> {
        self.shared.stop.store(true, Ordering::SeqCst);
        let mut told = Told {
            lasted: self.began.elapsed(),
            ..Told::default()
        };
        while let Some(client) = self.clients.join_next().await {
            told.add(client.context("a client of the load")?);
        }
        Ok(told)
    }
}

/// A write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Create,
    Update(u64),
    Tag(u64),
}

impl Write {
    const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Tag(_) => "tag",
        }
    }
}

struct Client {
    channel: Channel,
    bearer: MetadataValue<Ascii>,
    name: String,
    every: Duration,
    shared: Arc<Shared>,
    told: Told,
}

impl Client {
    async fn run(mut self) -> Told {
        let mut template = 0_u64;
        let mut next = Instant::now();
        loop {
            template += 1;
            let name = format!("{}-{template}", self.name);
            for step in 0..ROUND {
                if self.shared.stop.load(Ordering::SeqCst) {
                    return self.told;
                }
                let write = match step {
                    0 => Write::Create,
                    1 | 2 => Write::Update(step),
                    _ => Write::Tag(step),
                };
                if !self.acknowledged(&name, step, write).await {
                    return self.told;
                }
                next = (next + self.every).max(Instant::now());
                tokio::time::sleep_until(next).await;
            }
        }
    }

    /// Tries a write until it is acknowledged. False when this client can go on no more.
    async fn acknowledged(&mut self, name: &str, step: u64, write: Write) -> bool {
        let began = Instant::now();
        let id = format!("{name}-{step}");
        let mut tries = 0_u64;
        self.told.templates.entry(name.to_owned()).or_default().open = Some(write.word());
        loop {
            tries += 1;
            let (status, sort) = match timeout(TRY, self.send(name, &id, write)).await {
                Ok(Ok(())) => {
                    self.note(name, write, began.elapsed(), tries > 1);
                    return true;
                }
                Ok(Err(status)) => {
                    let sort = sort_of(&status);
                    (status, sort)
                }
                Err(_) => (Status::deadline_exceeded("no answer in time"), SILENCE.to_owned()),
            };
            let example = || format!("{}: {}", write.word(), story(&status));
            self.told.examples.entry(sort.clone()).or_insert_with(example);
            *self.told.errors.entry(sort).or_default() += 1;
            if !retryable(&status) {
                self.told
                    .fatal
                    .push(format!("{} of {name}, try {tries}: {status:?}", write.word()));
                return false;
            }
            if self.shared.stop.load(Ordering::SeqCst) && began.elapsed() > TRY {
                return false;
            }
            if began.elapsed() > PATIENCE {
                self.told.fatal.push(format!(
                    "{} of {name} was not acknowledged within {} s: {status:?}",
                    write.word(),
                    PATIENCE.as_secs()
                ));
                return false;
            }
            sleep(AGAIN).await;
        }
    }

    fn note(&mut self, name: &str, write: Write, took: Duration, again: bool) {
        let known = self.told.templates.entry(name.to_owned()).or_default();
        known.open = None;
        match write {
            Write::Create => known.created = true,
            Write::Update(number) => known.updates = number,
            Write::Tag(number) => known.tag = Some(number),
        }
        self.told.acknowledged += 1;
        self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        let mut pulse = self.shared.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (last, longest) = pulse.unwrap_or((now, Duration::ZERO));
        *pulse = Some((now, longest.max(now - last)));
        drop(pulse);
        if again {
            self.told.interrupted.push(took);
        } else {
            self.told.smooth.push(took);
        }
    }

    async fn send(&self, name: &str, id: &str, write: Write) -> Result<(), Status> {
        let (name, request_id) = (name.to_owned(), id.to_owned());
        let kind = wire::TemplateKind::Environment.into();
        let mut templates = TemplateServiceClient::new(self.channel.clone());
        match write {
            Write::Create => {
                let request = wire::CreateTemplateRequest {
                    request_id,
                    kind,
                    name,
                    display_name: "0".to_owned(),
                    ..Default::default()
                };
                templates.create_template(self.request(request)).await.map(drop)
            }
            Write::Update(number) => {
                let request = wire::UpdateTemplateRequest {
                    request_id,
                    kind,
                    name,
                    display_name: Some(number.to_string()),
                    description: None,
                };
                templates.update_template(self.request(request)).await.map(drop)
            }
            Write::Tag(number) => {
                let request = wire::AddTagsRequest {
                    request_id,
                    arn: format!("arn:aws:proton:{REGION}:{MANAGEMENT}:environment-template/{name}"),
                    tags: vec![wire::Tag {
                        key: "load".to_owned(),
                        value: number.to_string(),
                    }],
                };
                let mut tags = TagServiceClient::new(self.channel.clone());
                tags.add_tags(self.request(request)).await.map(drop)
            }
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        request
    }
}

/// What a try without any answer is called.
const SILENCE: &str = "no answer in time";
/// What a try is called that the client's own library took back before anything was sent, since its connection was being
/// closed. Libraries of gRPC try those again by themselves; this one leaves it to its user.
const UNSENT: &str = "Cancelled by connection";
/// What a try is called that met the GOAWAY of a hub in good order (`NO_ERROR`). A request behind it was not and will not be
/// processed (RFC 9113, 6.8), so that it may be sent elsewhere as one that was never sent.
const BEHIND_GOAWAY: &str = "GOAWAY by connection";
/// The words of the HTTP/2 library for it. Requests that the hub had taken on end by other words when a connection breaks.
const GOAWAY: &str = "not a result of an error";

/// An error in a few words: its code, and whether a hub said it or the connection.
fn sort_of(status: &Status) -> String {
    if from_connection(status) && story(status).contains(GOAWAY) {
        return BEHIND_GOAWAY.to_owned();
    }
    let by = if from_connection(status) {
        "connection"
    } else {
        "hub"
    };
    format!("{:?} by {by}", status.code())
}

/// The message of an error with those of its causes.
fn story(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut next = std::error::Error::source(status);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// What the store holds of a load's templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The display name.
    pub display: String,
    /// How often it was written, its creation included.
    pub generation: u64,
    /// The value of its tag `load`.
    pub tag: Option<String>,
}

/// Everything that the store holds of loads, by template.
///
/// # Errors
/// When it cannot be read.
pub async fn stored(world: &World) -> Result<BTreeMap<String, Stored>> {
    let sql = format!(
        "SELECT t.name, t.display_name, t.generation, g.value FROM template t \
         LEFT JOIN tag g ON g.resource = 'environment-template/' || t.name AND g.key = 'load' \
         WHERE t.name LIKE '{PREFIX}%'"
    );
    let mut stored = BTreeMap::new();
    for row in world.rows(&sql).await? {
        let text = |at: usize| row.get(at).cloned().flatten();
        stored.insert(
            text(0).context("a name")?,
            Stored {
                display: text(1).unwrap_or_default(),
                generation: text(2).context("a generation")?.parse()?,
                tag: text(3),
            },
        );
    }
    Ok(stored)
}

/// What was told and is not so, each in a sentence. Generations begin with `first`.
#[must_use]
pub fn compare(told: &Told, stored: &BTreeMap<String, Stored>) -> Vec<String> {
    let mut amiss = told.fatal.clone();
    for (name, known) in &told.templates {
        let open = |word: &str| known.open == Some(word);
        let Some(row) = stored.get(name) else {
            if known.created {
                amiss.push(format!("lost: template {name} was acknowledged and is not there"));
            }
            continue;
        };
        if !known.created && !open("create") {
            amiss.push(format!("template {name} is there and nobody asked for it"));
        }
        let updates: u64 = row.display.parse().unwrap_or(u64::MAX);
        let most = known.updates + u64::from(open("update"));
        if updates < known.updates || updates > most {
            amiss.push(format!(
                "lost: template {name} was told to be at update {} and is at {}",
                known.updates, row.display
            ));
        }
        // Each write of the row counts: a request that was sent twice must not be done twice.
        if updates != u64::MAX && row.generation != updates + FIRST {
            amiss.push(format!(
                "doubled: template {name} was written {} times for {updates} updates",
                row.generation
            ));
        }
        let tag = known.tag.map(|tag| tag.to_string());
        if row.tag != tag && !open("tag") {
            amiss.push(format!(
                "lost: the tag of template {name} was told to be {tag:?} and is {:?}",
                row.tag
            ));
        }
    }
    for name in stored.keys().filter(|name| !told.templates.contains_key(*name)) {
        amiss.push(format!("template {name} is there and nobody asked for it"));
    }
    amiss
}

/// The generation of a template that was only created.
const FIRST: u64 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(known: Known) -> Told {
        Told {
            templates: BTreeMap::from([("load-a".to_owned(), known)]),
            ..Told::default()
        }
    }

    fn known() -> Known {
        Known {
            created: true,
            updates: 2,
            tag: Some(3),
            open: None,
        }
    }

    fn row() -> Stored {
        Stored {
            display: "2".to_owned(),
            generation: 2 + FIRST,
            tag: Some("3".to_owned()),
        }
    }

    fn found(known: Known, row: Option<Stored>) -> String {
        let stored = row.map(|row| ("load-a".to_owned(), row));
        compare(&told(known), &stored.into_iter().collect()).join("\n")
    }

    #[test]
    fn what_was_told_is_so() {
        assert_eq!(found(known(), Some(row())), "");
    }

    #[test]
    fn what_is_lost_or_doubled_is_found() {
        assert!(found(known(), None).contains("lost"));
        let old = Stored {
            display: "1".to_owned(),
            generation: 1 + FIRST,
            ..row()
        };
        assert!(found(known(), Some(old)).contains("lost"));
        let twice = Stored {
            generation: 3 + FIRST,
            ..row()
        };
        assert!(found(known(), Some(twice)).contains("doubled"));
        let untagged = Stored { tag: None, ..row() };
        assert!(found(known(), Some(untagged)).contains("tag"));
        let stranger = Known::default();
        assert!(found(stranger, Some(row())).contains("nobody asked"));
    }

    #[test]
    fn what_had_no_answer_may_be_there_or_not() {
        for (display, generation) in [("1", 1 + FIRST), ("2", 2 + FIRST)] {
            let open = Known {
                updates: 1,
                open: Some("update"),
                tag: None,
                ..known()
            };
            let row = Stored {
                display: display.to_owned(),
                generation,
                tag: None,
            };
            assert_eq!(found(open, Some(row)), "");
        }
        let open = Known {
            open: Some("create"),
            ..Known::default()
        };
        assert_eq!(found(open, None), "");
    }
}
