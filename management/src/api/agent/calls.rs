//! Unary calls: whatever must not be lost. Each is bounded by its conversion and decided by [`work`](crate::app::work).

use std::time::Duration;

use bytes::Bytes;
use hadron_proto::wire;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::convert;
use super::status::{invalid, refused};
use crate::app::App;
use crate::app::work::Peer;

/// What one chunk holds.
const CHUNK: usize = 64 * 1024;
/// How long content may take to arrive.
const PUT: Duration = Duration::from_secs(60);

/// Content, cut into chunks. The parts share one buffer.
pub(crate) type Chunks = tokio_stream::Iter<std::vec::IntoIter<Result<wire::ContentChunk, Status>>>;

pub(super) async fn fetch_content(
    app: &App,
    peer: &Peer,
    request: wire::FetchContentRequest,
) -> Result<Chunks, Status> {
    let token = convert::token(request.token.as_ref()).map_err(|fault| invalid(&fault))?;
    let what = convert::content(request.kind).map_err(|fault| invalid(&fault))?;
    let content = Bytes::from(app.content(peer, token, what).await.map_err(refused)?);
    let chunks: Vec<_> = (0..content.len())
        .step_by(CHUNK)
        .map(|from| {
            Ok(wire::ContentChunk {
                data: content.slice(from..content.len().min(from + CHUNK)),
            })
        })
        .collect();
    Ok(tokio_stream::iter(chunks))
}

/// Reads what an agent hands over. The token is checked before anything is kept in memory, and no more is read than the
/// job may fetch.
pub(super) async fn put_content(
    app: &App,
    peer: &Peer,
    mut chunks: Streaming<wire::PutContentRequest>,
) -> Result<wire::PutContentResponse, Status> {
    let read = async {
        let first = chunks.message().await?;
        let first = first.ok_or_else(|| invalid(&convert::Invalid::Missing("token")))?;
        let token = convert::token(first.token.as_ref()).map_err(|fault| invalid(&fault))?;
        let most = app.may_put_content(peer, token).await.map_err(refused)?;
        let mut content = first.data.to_vec();
        while let Some(chunk) = chunks.message().await? {
            if chunk.data.len() > CHUNK || (content.len() + chunk.data.len()) as u64 > most {
                return Err(Status::out_of_range(format!(
                    "more than {most} bytes, or a chunk of more than {CHUNK}, is not taken"
                )));
            }
            content.extend_from_slice(&chunk.data);
        }
        Ok((token, content))
    };
    let (token, content) = timeout(PUT, read)
        .await
        .map_err(|_| Status::deadline_exceeded("the content did not arrive in time"))??;
    let digest = app.put_content(peer, token, content).await.map_err(refused)?;
    hadron_proto::fault::point("C65");
    Ok(wire::PutContentResponse {
        digest: digest.to_string(),
    })
}

pub(super) async fn authorise(
    app: &App,
    peer: &Peer,
    request: wire::AuthoriseRequest,
) -> Result<wire::AuthoriseResponse, Status> {
    let token = convert::token(request.token.as_ref()).map_err(|fault| invalid(&fault))?;
    let act = convert::act(request.act).map_err(|fault| invalid(&fault))?;
    let verdict = app.authorise(peer, token, act).await.map_err(refused)?;
    hadron_proto::fault::point("C36");
    Ok(convert::verdict(verdict))
}

pub(super) async fn post_events(
    app: &App,
    peer: &Peer,
    request: wire::PostEventsRequest,
) -> Result<wire::PostEventsResponse, Status> {
    let token = convert::token(request.token.as_ref()).map_err(|fault| invalid(&fault))?;
    let events = convert::events(request.events).map_err(|fault| invalid(&fault))?;
    app.events(peer, token, events).await.map_err(refused)?;
    Ok(wire::PostEventsResponse {})
}

pub(super) async fn report(
    app: &App,
    peer: &Peer,
    request: wire::ReportRequest,
) -> Result<wire::ReportResponse, Status> {
    let token = convert::token(request.token.as_ref()).map_err(|fault| invalid(&fault))?;
    let outcome = convert::outcome(request.outcome).map_err(|fault| invalid(&fault))?;
    app.report(peer, token, outcome).await.map_err(refused)?;
    hadron_proto::fault::point("C15");
    Ok(wire::ReportResponse {})
}
