//! What went wrong, as clients of the API read it: a code, a status, a message.

use std::fmt;

use serde_json::json;

use super::Operation;
use crate::app::{AppError, ErrorKind};

/// What Proton says when a token, or the name of an environment, was used for something else before.
const MISMATCH: &str = "Idempotent parameter mismatch";

/// The errors of the model, and those of the protocol below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// `AccessDeniedException`.
    AccessDenied,
    /// `ConflictException`.
    Conflict,
    /// `InternalServerException`.
    InternalServer,
    /// `ResourceNotFoundException`.
    ResourceNotFound,
    /// `ServiceQuotaExceededException`.
    ServiceQuotaExceeded,
    /// `ThrottlingException`.
    Throttling,
    /// `ValidationException`.
    Validation,
    /// An error that all services of AWS have and no model names, such as `InvalidSignatureException`.
    Common {
        /// As clients look for it.
        name: &'static str,
        /// The HTTP status.
        status: u16,
    },
}

impl Code {
    /// The name that clients know it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::Conflict => "ConflictException",
            Self::InternalServer => "InternalServerException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ServiceQuotaExceeded => "ServiceQuotaExceededException",
            Self::Throttling => "ThrottlingException",
            Self::Validation => "ValidationException",
            Self::Common { name, .. } => name,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InternalServer => 500,
            Self::Common { status, .. } => status,
            _ => 400,
        }
    }
}

/// An error as an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    code: Code,
    message: String,
}

impl Fault {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The request is wrong.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(Code::Validation, message)
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceNotFound, message)
    }

    /// It exists, is in use, or is busy.
    #[must_use]
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// The caller may not.
    #[must_use]
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Code::AccessDenied, message)
    }

    /// There would be too many.
    #[must_use]
    pub fn quota(message: impl Into<String>) -> Self {
        Self::new(Code::ServiceQuotaExceeded, message)
    }

    /// Not now; clients try again by themselves.
    #[must_use]
    pub fn throttled(message: impl Into<String>) -> Self {
        Self::new(Code::Throttling, message)
    }

    /// An error that all services of AWS have.
    #[must_use]
    pub fn common(name: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self::new(Code::Common { name, status }, message)
    }

    /// A fault of this program. The cause goes to the log, and nowhere else.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(error = %cause, "A call of the Proton API failed by a fault of the hub");
        Self::unexplained()
    }

    fn unexplained() -> Self {
        Self::new(
            Code::InternalServer,
            "Internal service failure; the hub's log tells more under this request's id",
        )
    }

    /// What sort of error it is.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What the caller is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same, as something that this operation may say: typed clients know no errors but the declared ones.
    #[must_use]
    pub fn declared(self, operation: Operation) -> Self {
        let known = matches!(self.code, Code::Common { .. }) || operation.errors().contains(&self.code);
        if known {
            self
        } else {
            Self::validation(self.message)
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let namespace = match self.code {
            Code::Common { .. } => "com.amazon.coral.service",
            _ => "com.amazonaws.proton.v20200720",
        };
        let body = json!({
            "__type": format!("{namespace}#{}", self.code.name()),
            "message": self.message,
        });
        body.to_string().into_bytes()
    }
}

impl From<AppError> for Fault {
    fn from(error: AppError) -> Self {
        let code = match error.kind {
            ErrorKind::Internal => {
                tracing::error!(
                    reason = error.reason,
                    error = error.story(),
                    "A call failed by a fault of the hub"
                );
                return Self::unexplained();
            }
            _ if matches!(error.reason, "REQUEST_ID_REUSED" | "ENVIRONMENT_EXISTS") => {
                return Self::validation(MISMATCH);
            }
            ErrorKind::Invalid | ErrorKind::Precondition => Code::Validation,
            ErrorKind::NotFound => Code::ResourceNotFound,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => Code::Conflict,
            ErrorKind::Quota => Code::ServiceQuotaExceeded,
            ErrorKind::Denied | ErrorKind::Unauthenticated => Code::AccessDenied,
            ErrorKind::Unavailable | ErrorKind::Fenced => {
                tracing::warn!(
                    reason = error.reason,
                    error = error.story(),
                    "A call could not be answered now"
                );
                Code::Throttling
            }
        };
        let message = match error.help {
            Some(help) => format!("{}; {help}", error.message),
            None => error.message,
        };
        Self::new(code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_clients_of_proton_know() {
        let fault = Fault::not_found("environment 'prd' does not exist");
        assert_eq!(
            String::from_utf8(fault.body()).unwrap(),
            "{\"__type\":\"com.amazonaws.proton.v20200720#ResourceNotFoundException\",\
             \"message\":\"environment 'prd' does not exist\"}"
        );
        let fault = Fault::common("UnknownOperationException", 400, "no");
        assert_eq!(
            String::from_utf8(fault.body()).unwrap(),
            "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\",\"message\":\"no\"}"
        );
    }

    #[test]
    fn each_kind_has_its_code_and_help_follows_the_message() {
        let code = |kind| Fault::from(AppError::new(kind, "R", "m")).code();
        for (kind, expected) in [
            (ErrorKind::Invalid, Code::Validation),
            (ErrorKind::Precondition, Code::Validation),
            (ErrorKind::NotFound, Code::ResourceNotFound),
            (ErrorKind::AlreadyExists, Code::Conflict),
            (ErrorKind::Conflict, Code::Conflict),
            (ErrorKind::Quota, Code::ServiceQuotaExceeded),
            (ErrorKind::Denied, Code::AccessDenied),
            (ErrorKind::Unauthenticated, Code::AccessDenied),
            (ErrorKind::Unavailable, Code::Throttling),
            (ErrorKind::Fenced, Code::Throttling),
            (ErrorKind::Internal, Code::InternalServer),
        ] {
            assert_eq!(code(kind), expected, "{kind:?}");
        }
        let fault = Fault::from(AppError::invalid("R", "wrong").help("do it so"));
        assert_eq!(fault.message(), "wrong; do it so");
    }

    #[test]
    fn what_was_asked_before_with_other_parameters_has_protons_words() {
        for (kind, reason) in [
            (ErrorKind::Conflict, "REQUEST_ID_REUSED"),
            (ErrorKind::AlreadyExists, "ENVIRONMENT_EXISTS"),
        ] {
            let fault = Fault::from(AppError::new(kind, reason, "whatever").help("more"));
            assert_eq!((fault.code(), fault.message()), (Code::Validation, MISMATCH));
        }
    }

    #[test]
    fn a_fault_of_the_hub_says_nothing_of_its_cause() {
        let error =
            AppError::new(ErrorKind::Internal, "INTERNAL", "table xyz is broken").because("disk sdb1");
        let fault = Fault::from(error);
        assert_eq!(fault.code().status(), 500);
        assert!(!fault.message().contains("xyz") && !fault.message().contains("sdb1"));
        assert_eq!(Fault::internal("disk sdb1"), fault);
    }

    #[test]
    fn undeclared_errors_become_validation_errors() {
        let declared = Fault::conflict("busy").declared(Operation::CreateEnvironment);
        assert_eq!(declared.code(), Code::Conflict);
        let undeclared = Fault::conflict("busy").declared(Operation::GetEnvironment);
        assert_eq!(undeclared, Fault::validation("busy"));
        for operation in Operation::ALL {
            for fault in [
                Fault::denied("m"),
                Fault::throttled("m"),
                Fault::common("X", 403, "m"),
            ] {
                assert_eq!(fault.clone().declared(operation), fault, "{operation:?}");
            }
            let internal = Fault::internal("m").declared(operation);
            assert_eq!(internal.code(), Code::InternalServer, "{operation:?}");
        }
    }
}
