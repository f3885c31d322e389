//! What went wrong, as clients of the API read it: a code, a status, a message.

use crate::app::{AppError, ErrorKind};

/// An error as an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// As clients look for it.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// For people.
    pub message: String,
}

impl Fault {
    /// An error that all services of AWS have.
    #[must_use]
    pub fn common(name: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self {
            name,
            status,
            message: message.into(),
        }
    }

    /// Not now; clients try again by themselves.
    #[must_use]
    pub fn throttled(message: impl Into<String>) -> Self {
        Self::common("ThrottlingException", 400, message)
    }

    /// The hub's own fault.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        AppError::internal(cause).into()
    }
}

impl From<AppError> for Fault {
    fn from(error: AppError) -> Self {
        tracing::error!(error = error.story(), "A request of the Proton API failed");
        match error.kind {
            ErrorKind::Unavailable | ErrorKind::Fenced => Self::throttled(error.message),
            _ => Self::common("InternalServerException", 500, "the hub could not do this"),
        }
    }
}
