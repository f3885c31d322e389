//! The only place that reads the clock and draws ids, so that everything else can be tested with given ones.

use hadron_proto::vocab::{RequestId, Timestamp};

/// Now.
#[expect(
    clippy::disallowed_methods,
    reason = "a command line run has one clock, and this is it"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// A fresh id for a write: the hub answers a repeated one with the first answer.
#[expect(clippy::disallowed_methods, reason = "the only id that this program makes")]
pub(crate) fn request_id() -> String {
    RequestId::from_uuid(uuid::Uuid::now_v7()).to_string()
}
