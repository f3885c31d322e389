//! How errors of use cases look in gRPC: a code, the public text, and `google.rpc.ErrorInfo` with a stable reason and a
//! way to go on; what people meet has a code as well ([`hadron_proto::codes`]). What only the log may tell goes there from
//! here, once.

use std::collections::HashMap;

use hadron_proto::codes::ErrorCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::app::{AppError, ErrorKind};

/// The domain of every reason.
pub const DOMAIN: &str = "hadron";

/// The status for an error of a use case.
#[must_use]
pub fn status(error: &AppError) -> Status {
    if error.kind == ErrorKind::Internal {
        tracing::error!(
            reason = error.reason,
            error = error.story(),
            "A call failed by a fault of the hub"
        );
    } else if error.kind == ErrorKind::Unavailable {
        tracing::warn!(
            reason = error.reason,
            error = error.story(),
            "A call could not be answered now"
        );
    } else {
        // As in the Proton API. Messages may quote what was asked.
        tracing::info!(reason = error.reason, "Refused");
    }
    with_info(code(error), error.reason, &error.message, error.help.as_deref())
}

fn is(error: &AppError, reason: &str) -> bool {
    error.reason == reason
}

fn code(error: &AppError) -> Code {
    match error.kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        // As operator.proto promises for a request id that was used for something else.
        ErrorKind::Conflict if is(error, "REQUEST_ID_REUSED") => Code::AlreadyExists,
        // Lost a race: the same request may well succeed now.
        ErrorKind::Conflict if is(error, "CONFLICT") => Code::Aborted,
        ErrorKind::Fenced => Code::Aborted,
        ErrorKind::Conflict | ErrorKind::Precondition => Code::FailedPrecondition,
        ErrorKind::Quota => Code::ResourceExhausted,
        ErrorKind::Denied => Code::PermissionDenied,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Internal => Code::Internal,
    }
}

/// A status with reason and help, and with the code of the fault when it has one.
#[must_use]
pub fn with_info(code: Code, reason: &str, message: &str, help: Option<&str>) -> Status {
    let help = help.map(|help| ("help".to_owned(), help.to_owned()));
    let fault = ErrorCode::of_reason(reason).map(|fault| ("code".to_owned(), fault.to_string()));
    let metadata: HashMap<String, String> = help.into_iter().chain(fault).collect();
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, DOMAIN, metadata),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_and_help_travel_and_the_cause_does_not() {
        let error = AppError::not_found("environment", "prd").because("the secret cause");
        let status = status(&error);
        assert_eq!(status.code(), Code::NotFound);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("NOT_FOUND", "hadron")
        );
        assert!(info.metadata["help"].contains("hadron environment list"));
        assert!(!format!("{status:?}").contains("secret cause"));
    }

    #[test]
    fn what_people_meet_has_a_code() {
        let fault = |reason| {
            let status = status(&AppError::new(ErrorKind::Conflict, reason, "m"));
            let info = status.get_details_error_info().unwrap();
            info.metadata.get("code").cloned()
        };
        assert_eq!(fault("DEPLOYMENT_IN_PROGRESS").as_deref(), Some("HADRON-5001"));
        assert_eq!(fault("NOTHING_TO_CANCEL"), None);
    }

    #[test]
    fn each_kind_has_its_code() {
        let code = |kind| status(&AppError::new(kind, "R", "m")).code();
        let reused = AppError::new(ErrorKind::Conflict, "REQUEST_ID_REUSED", "m");
        assert_eq!(status(&reused).code(), Code::AlreadyExists);
        assert_eq!(code(ErrorKind::Conflict), Code::FailedPrecondition);
        assert_eq!(code(ErrorKind::Fenced), Code::Aborted);
        assert_eq!(code(ErrorKind::Denied), Code::PermissionDenied);
        assert_eq!(code(ErrorKind::Precondition), Code::FailedPrecondition);
        assert_eq!(code(ErrorKind::Internal), Code::Internal);
    }
}
