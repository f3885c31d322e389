//! The enrolment listener: challenge and certificate. All decisions are in [`identity::enrolment`].
//!
//! [`identity::enrolment`]: crate::identity::enrolment

use std::net::IpAddr;
use std::sync::Arc;

use hadron_proto::spiffe::AGENT_ID_METADATA;
use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::span;
use super::status::not_enrolled;
use crate::app::enrolment::Records;
use crate::clock::Clock;
use crate::identity::enrolment::{Enrolment, PER_SOURCE_AND_MINUTE};
use crate::identity::{SourceRate, tls};

/// The service of the enrolment listener. Clones share it.
#[derive(Clone, Debug)]
pub struct EnrolApi(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    enrolment: Enrolment<Records>,
    clock: Clock,
    /// Answers to challenges, right or wrong: each costs a transaction, and anybody can send them.
    answers: SourceRate,
}

impl EnrolApi {
    /// In front of this service object, which bounds how many challenges one address gets.
    #[must_use]
    pub fn new(enrolment: Enrolment<Records>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            enrolment,
            clock,
            answers: SourceRate::new(PER_SOURCE_AND_MINUTE),
        }))
    }
}

/// Where a request comes from, for limits and for the audit log.
pub(crate) fn source<T>(request: &Request<T>) -> Result<IpAddr, Status> {
    let peer = request.extensions().get::<tls::Peer>();
    peer.map(|peer| peer.address.ip().to_canonical())
        .ok_or_else(|| Status::internal("the listener tells no address"))
}

#[tonic::async_trait]
impl wire::enrolment_service_server::EnrolmentService for EnrolApi {
    async fn begin_enrolment(
        &self,
        request: Request<wire::BeginEnrolmentRequest>,
    ) -> Result<Response<wire::BeginEnrolmentResponse>, Status> {
        let source = source(&request)?;
        let agent = request
            .metadata()
            .get(AGENT_ID_METADATA)
            .map(|value| value.to_str())
            .transpose();
        let agent = agent
            .map_err(|_| Status::invalid_argument("the agent's id is no text"))?
            .map(str::to_owned);
        let begun = self
            .0
            .enrolment
            .begin(request.get_ref(), agent.as_deref(), source)
            .await;
        let begun = begun.map_err(|error| not_enrolled(&error))?;
        Ok(Response::new(wire::BeginEnrolmentResponse {
            challenge_id: begun.challenge_id.to_string(),
            nonce: begun.nonce.to_vec(),
            hub_id: begun.hub_id.to_string(),
            valid_for: Some(span(begun.valid_for)),
        }))
    }

    async fn finish_enrolment(
        &self,
        request: Request<wire::FinishEnrolmentRequest>,
    ) -> Result<Response<wire::FinishEnrolmentResponse>, Status> {
        let source = source(&request)?;
        let Inner {
            enrolment,
            clock,
            answers,
        } = &*self.0;
        answers
            .admit(source, clock.now())
            .map_err(|fault| not_enrolled(&fault.into()))?;
        let issued = enrolment.finish(request.get_ref(), source).await;
        let issued = issued.map_err(|error| not_enrolled(&error))?;
        tracing::info!(
            agent.id = %issued.name.agent, connection.id = %issued.name.connection, account = %issued.name.account,
            certificate.serial = issued.serial.hex(), "An agent enrolled"
        );
        Ok(Response::new(wire::FinishEnrolmentResponse {
            certificate_chain_der: issued.chain.iter().map(|one| one.to_vec()).collect(),
            roots_der: issued.roots.iter().map(|one| one.to_vec()).collect(),
            agent_id: issued.name.agent.to_string(),
            connection_id: issued.name.connection.to_string(),
            valid_for: Some(span(issued.valid_for)),
        }))
    }
}
