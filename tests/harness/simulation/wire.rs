//! What carries an agent's calls to a hub and back: requests and answers of HTTP as the generated client and server make
//! them, without a socket in between.
//!
//! Single calls are carried by [`link`]: lost, late, answered in vain, or delivered a second time. The two directions of a
//! session's stream keep their order, as on one connection: what is cut off waits, and now and then the connection breaks.
//! Whoever dies takes the connection along, and the other side hears of it, or not.

use std::future::pending;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use hadron_agent::session::Transport;
use hadron_management::app::work::Token;
use hadron_management::identity::tls;
use hadron_proto::wire;
use http_body_util::{BodyExt as _, Full, StreamBody};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};

use super::hub::Replica;
use super::link::{self, From, Lost, travel};
use super::world::World;
use super::{chaos, checks};

/// How long a call is under way at most; agents give it up long before.
const LOST: std::time::Duration = std::time::Duration::from_secs(120);

/// One agent's way to one hub, with one certificate.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) world: World,
    pub(super) agent: usize,
    pub(super) hub: usize,
    pub(super) peer: tls::Peer,
}

impl Way {
    pub(super) fn transport(self) -> Transport {
        hadron_agent::session::transport(self)
    }
}

impl Service<http::Request<Body>> for Way {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        let way = self.clone();
        match request.uri().path().rsplit('/').next() {
            Some("Session") => Box::pin(way.session(request)),
            Some("FetchContent") => Box::pin(way.ask("template", request)),
            Some("Authorise") => Box::pin(way.ask("authorise", request)),
            Some("PostEvents") => Box::pin(way.ask("events", request)),
            Some("Report") => Box::pin(way.ask("report", request)),
            _ => Box::pin(async { Err(Status::unimplemented("nothing here asks for that")) }),
        }
    }
}

fn broke() -> Status {
    Status::unavailable("the connection broke")
}

/// A whole answer.
#[derive(Clone)]
struct Answer {
    parts: http::response::Parts,
    body: Bytes,
    trailers: Option<http::HeaderMap>,
}

impl Answer {
    fn status(&self) -> Code {
        let trailers = self.trailers.iter().chain([&self.parts.headers]);
        trailers
            .filter_map(Status::from_header_map)
            .map(|status| status.code())
            .next()
            .unwrap_or(Code::Unknown)
    }

    /// Its one message, if it went well.
    fn message<M: Message + Default>(&self) -> Option<M> {
        (self.status() == Code::Ok).then(|| messages(&self.body).next())?
    }
}

/// The messages of a piece of a stream: each stands behind five bytes, the last four of which are its length.
fn messages<M: Message + Default>(mut data: &[u8]) -> impl Iterator<Item = M> {
    std::iter::from_fn(move || {
        let (head, rest) = data.split_first_chunk::<5>()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let (message, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        data = rest;
        M::decode(message).ok()
    })
}

fn token(token: Option<&wire::JobToken>) -> Option<Token> {
    let token = token?;
    Some(Token {
        job: token.job_id.parse().ok()?,
        fence: token.fence,
    })
}

/// What the hub answers is seen where it answers, before it gets lost.
fn look(world: &World, what: &str, asked: &[u8], answer: &Answer) {
    match answer.status() {
        Code::Internal | Code::Unknown | Code::Unimplemented => {
            world.broken(format!("{what} failed inside the hub: {:?}", answer.status()));
        }
        Code::InvalidArgument => world.broken(format!("the hub refuses a call: {what}")),
        _ => {}
    }
    if what == "authorise"
        && let (Some(asked), Some(wire::AuthoriseResponse { granted: true, .. })) = (
            messages::<wire::AuthoriseRequest>(asked).next(),
            answer.message::<wire::AuthoriseResponse>(),
        )
        && let (Some(token), Some(act)) = (token(asked.token.as_ref()), &asked.act)
    {
        checks::granted(world, token, act);
    }
    if what == "report"
        && let (Some(asked), Code::Ok) = (messages::<wire::ReportRequest>(asked).next(), answer.status())
        && let Some(token) = token(asked.token.as_ref())
    {
        checks::accepted(world, token, "report");
    }
}

/// What the hub says on a stream.
fn overhear(world: &World, data: &[u8]) {
    use wire::hub_message::Message as Heard;
    for message in messages::<wire::HubMessage>(data) {
        let (tokens, what) = match &message.message {
            Some(Heard::Welcome(welcome)) => (&welcome.resumed, "resumption"),
            Some(Heard::HeartbeatReply(reply)) => (&reply.renewed, "renewal"),
            _ => continue,
        };
        for token in tokens.iter().filter_map(|one| token(Some(one))) {
            checks::renewed(world, token, what);
        }
    }
}

impl Way {
    /// One call, and its answer.
    async fn ask(
        self,
        what: &'static str,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let asked = body.collect().await?.to_bytes();
        let authorise = messages::<wire::AuthoriseRequest>(&asked).next();
        let job = authorise
            .filter(|_| what == "authorise")
            .and_then(|asked| token(asked.token.as_ref()))
            .map(|token| token.job);
        let (answer, heard) = oneshot::channel();
        let carried = self.clone();
        // Under way even if the agent stands still, gives up or dies.
        tokio::spawn(async move {
            let world = carried.world.clone();
            let work = move |hub: Replica| {
                let (parts, asked, world) = (parts.clone(), asked.clone(), world.clone());
                async move {
                    let request = http::Request::from_parts(parts, Body::new(Full::new(asked.clone())));
                    let answer = serve(hub, request).await;
                    if let Ok(answer) = &answer {
                        look(&world, what, &asked, answer);
                    }
                    answer
                }
            };
            let from = From::Agent(carried.agent);
            let outcome = timeout(LOST, link::attempt(&carried.world, from, carried.hub, what, work)).await;
            let _ = answer.send(outcome.unwrap_or(Err(Lost)));
        });
        let answer = match heard.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Lost)) | Err(_) => Err(broke()),
        };
        let (n, hub) = (self.agent, self.hub);
        self.world.say(match &answer {
            Ok(answer) => format!("agent {n} -> hub {hub}: {what}: {:?}", answer.status()),
            Err(status) => format!("agent {n} -> hub {hub}: {what}: {}", status.message()),
        });
        self.world.count(if answer.is_ok() {
            "calls answered"
        } else {
            "calls lost"
        });
        let answer = answer?;
        if let Some(wire::AuthoriseResponse { granted: true, .. }) =
            answer.message().filter(|_| what == "authorise")
            && let Some(job) = job
        {
            chaos::after_leave(&self.world, n, job);
        }
        let trailers = answer.trailers.map(Ok);
        let body = Full::new(answer.body).with_trailers(async move { trailers });
        Ok(http::Response::from_parts(answer.parts, Body::new(body)))
    }

    /// One frame goes over. What is cut off waits. Not, when the connection breaks.
    async fn pass(&self, cut: impl Fn() -> bool) -> Result<(), Status> {
        let world = &self.world;
        travel(world).await;
        while cut() {
            sleep(world.dice.millis(100, 1_000)).await;
        }
        if !world.at_peace() && world.dice.per_mille(4) {
            return Err(broke());
        }
        Ok(())
    }

    async fn there(&self) -> Result<(), Status> {
        self.pass(|| self.world.cut(self.agent, self.hub).there).await
    }

    async fn back(&self) -> Result<(), Status> {
        self.pass(|| self.world.cut(self.agent, self.hub).back).await
    }

    /// A session: the connection lives on in a task of its own.
    async fn session(self, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
        let (answer, heard) = oneshot::channel();
        let world = self.world.clone();
        let (n, hub) = (self.agent, self.hub);
        world.say(format!("agent {n} -> hub {hub}: session"));
        tokio::spawn(async move {
            let ended = self.carry(request, answer).await;
            let world = &self.world;
            world.count("connections ended");
            world.say(format!(
                "agent {n} and hub {hub} have no connection any more: {ended}"
            ));
        });
        heard.await.map_err(|_| broke())
    }

    /// Carries both directions until one side has gone.
    async fn carry(
        &self,
        request: http::Request<Body>,
        answer: oneshot::Sender<http::Response<Body>>,
    ) -> &'static str {
        let world = &self.world;
        if self.there().await.is_err() {
            return "it broke at once";
        }
        let Some(mut hub) = world.hubs()[self.hub].replica() else {
            return "nobody listens there";
        };
        let (parts, mut said) = request.into_parts();
        let (to_hub, at_hub) = mpsc::unbounded_channel();
        let at_hub = StreamBody::new(UnboundedReceiverStream::new(at_hub));
        let request = http::Request::from_parts(parts, Body::new(at_hub));
        let Ok(response) = hub.agents.call(request).await;
        let (parts, mut spoken) = response.into_parts();
        let (to_agent, at_agent) = mpsc::unbounded_channel();
        if self.back().await.is_err() {
            return "it broke at once";
        }
        let at_agent = StreamBody::new(UnboundedReceiverStream::new(at_agent));
        let response = http::Response::from_parts(parts, Body::new(at_agent));
        if answer.send(response).is_err() {
            return "the agent did not wait";
        }
        let up = async {
            while let Some(frame) = said.frame().await {
                if self.there().await.is_err() {
                    return "it broke";
                }
                if to_hub.send(frame).is_err() {
                    break;
                }
            }
            // The other direction says how it ends.
            pending().await
        };
        let (queue, mut queued) = mpsc::unbounded_channel();
        // What the hub says is seen when it says it, however long it is under way.
        let hear = async {
            while let Some(frame) = spoken.frame().await {
                if let Some(data) = frame.as_ref().ok().and_then(|frame| frame.data_ref()) {
                    overhear(world, data);
                }
                if let Some(Code::Internal | Code::InvalidArgument) = (frame.as_ref().ok())
                    .and_then(|frame| Status::from_header_map(frame.trailers_ref()?))
                    .map(|status| status.code())
                {
                    world.broken("the hub ends a session in a way that it should not");
                }
                if queue.send(frame).is_err() {
                    break;
                }
            }
            drop(queue);
            pending().await
        };
        let down = async {
            while let Some(frame) = queued.recv().await {
                if self.back().await.is_err() {
                    return "it broke";
                }
                if to_agent.send(frame).is_err() {
                    break;
                }
            }
            "the hub has ended it"
        };
        let ended = tokio::select! {
            biased;
            () = hub.life.cancelled() => "the hub has died",
            () = to_agent.closed() => "the agent has gone",
            ended = hear => ended,
            ended = up => ended,
            ended = down => ended,
        };
        match ended {
            "the hub has died" => {
                // The machine may have died as well, and says nothing.
                if self.is_silent() {
                    to_agent.closed().await;
                } else if self.back().await.is_ok() {
                    let _ = to_agent.send(Err(broke()));
                }
            }
            "the agent has gone" => {
                if self.is_silent() {
                    tokio::select! {
                        biased;
                        () = hub.life.cancelled() => {}
                        () = to_hub.closed() => {}
                    }
                } else if self.there().await.is_ok() {
                    let _ = to_hub.send(Err(broke()));
                }
            }
            "it broke" => {
                let _ = (to_agent.send(Err(broke())), to_hub.send(Err(broke())));
            }
            _ => {}
        }
        ended
    }

    fn is_silent(&self) -> bool {
        !self.world.at_peace() && self.world.dice.per_mille(300)
    }
}

/// What the hub's own server makes of a call.
async fn serve(mut hub: Replica, request: http::Request<Body>) -> Result<Answer, Status> {
    let Ok(response) = hub.agents.call(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    Ok(Answer {
        parts,
        body: body.to_bytes(),
        trailers,
    })
}
