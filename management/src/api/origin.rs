//! Notes from where a call came, for the audit log.

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use hadron_proto::vocab::RequestId;
use http::{Request, header};

use crate::app::origin::{Origin, from};
use crate::clock::Clock;
use crate::identity::tls;

/// How much of what a client calls itself is kept.
const MAX_AGENT: usize = 256;

/// Answers a request as one that came from where it came.
pub async fn tell(State(clock): State<Clock>, request: Request<Body>, next: Next) -> Response {
    let peer = request.extensions().get::<tls::Peer>();
    let agent = request.headers().get(header::USER_AGENT);
    let id: RequestId = clock.fresh_id();
    let origin = Origin {
        source: peer.map(|peer| peer.address.ip().to_canonical()),
        user_agent: agent.map(|agent| {
            String::from_utf8_lossy(agent.as_bytes())
                .chars()
                .take(MAX_AGENT)
                .collect()
        }),
        request_id: Some(id.as_uuid().to_string()),
        trace: hadron_proto::trace::current(),
    };
    from(origin, next.run(request)).await
}
