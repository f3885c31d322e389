//! Agents of the release before and of the one after. The agents of all other tests announce what every release can do
//! and nothing else, so they are those of the release before.

use std::time::Duration;

use bytes::BufMut as _;
use hadron_domain::job::Job;
use hadron_proto::vocab::{ConnectionId, TargetId};
use hadron_proto::wire;
use hadron_proto::wire::agent_message::Message as Said;
use hadron_proto::wire::hub_message::Message as Heard;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::store::jobs::{self, JobRow, JobWork};
use crate::testing::{World, hello, region};

/// Sends bytes as they are: what a later release says cannot be said with this one's messages.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = wire::HubMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let message = wire::HubMessage::decode(from);
        message
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = wire::HubMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

/// Field 999 with a text: nobody knows it yet.
fn unknown_field() -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::string::encode(999, &"later".to_owned(), &mut bytes);
    bytes
}

fn said(message: Said) -> Vec<u8> {
    wire::AgentMessage {
        message: Some(message),
    }
    .encode_to_vec()
}

async fn inspection(world: &World, connection: ConnectionId) {
    let added = world.app().write("seed", move |unit| {
        Box::pin(async move {
            let row = JobRow {
                job: Job::new(unit.fresh_id(), unit.now),
                account: "333333333333".parse().unwrap(),
                region: region(),
                connection,
                deployment: None,
                label: "stack of environment prd".to_owned(),
                work: JobWork::InspectStack {
                    target: TargetId::from_parts(1, [1; 10]),
                    name: "AWSProton-prd".to_owned(),
                    arn: None,
                },
                created_at: unit.now,
            };
            Ok(jobs::insert(unit.tx, &row).await?)
        })
    });
    added.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_the_release_before_is_not_offered_what_it_does_not_know() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    inspection(&world, connection).await;
    let mut talk = world.session(&agent).await;
    talk.demand(4).await;
    assert!(
        talk.is_quiet(Duration::from_millis(2_500)).await,
        "offered to one that cannot"
    );
    let job = world.seed("333333333333", connection).await;
    assert_eq!(talk.offer().await.token.unwrap().job_id, job.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_the_release_after_may_say_more_than_is_understood() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    inspection(&world, connection).await;
    let (_, channel) = world
        .channel(&world.hub().ready().jobs, Some(agent.identity()))
        .await;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let (say, outgoing) = mpsc::channel(16);
    let mut first = hello();
    first.agent_version = "9.0.0".to_owned();
    first.protocol_max = 7;
    first
        .capabilities
        .extend(["inspect_stack".to_owned(), "fly".to_owned()]);
    let mut greeting = Vec::new();
    // The Hello with a field of its own that nobody knows, in a message with another.
    let mut inner = first.encode_to_vec();
    inner.extend(unknown_field());
    prost::encoding::bytes::encode(1, &inner, &mut greeting);
    greeting.extend(unknown_field());
    say.send(greeting).await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/hadron.v1.AgentService/Session");
    let request = Request::new(ReceiverStream::new(outgoing));
    let mut hear = grpc.streaming(request, path, Raw).await.unwrap().into_inner();
    let heard = hear.message().await.unwrap().unwrap().message;
    assert!(matches!(heard, Some(Heard::Welcome(welcome)) if welcome.protocol == 1));
    // A message of a kind that is not known, and then one that is.
    say.send(unknown_field()).await.unwrap();
    say.send(said(Said::Demand(wire::Demand { jobs: 1 })))
        .await
        .unwrap();
    let heard = hear.message().await.unwrap().unwrap().message;
    let Some(Heard::Offer(offer)) = heard else {
        panic!("{heard:?}")
    };
    assert!(
        matches!(offer.work, Some(wire::offer::Work::InspectStack(_))),
        "{offer:?}"
    );
}
