//! Unary calls: whatever must not be lost. Each is bounded by its conversion and decided by [`work`](crate::app::work).

use bytes::Bytes;
use hadron_proto::wire;
use tonic::Status;

use super::convert;
use super::status::{invalid, refused};
use crate::app::App;
use crate::app::work::Peer;

/// What one chunk holds.
const CHUNK: usize = 64 * 1024;

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

pub(super) async fn authorise(
    app: &App,
    peer: &Peer,
    request: wire::AuthoriseRequest,
) -> Result<wire::AuthoriseResponse, Status> {
    let token = convert::token(request.token.as_ref()).map_err(|fault| invalid(&fault))?;
    let act = convert::act(request.act).map_err(|fault| invalid(&fault))?;
    let verdict = app.authorise(peer, token, act).await.map_err(refused)?;
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
    Ok(wire::ReportResponse {})
}
