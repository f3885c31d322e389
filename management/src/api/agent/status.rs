//! Errors, as agents are told them. What an agent does depends on the code: `ABORTED` means that the job is not its own
//! any more, `PERMISSION_DENIED` that its connection has ended, `UNAVAILABLE` that it shall try again.

use tonic::{Code, Status};

use super::convert::Invalid;
use crate::api::status::{status, with_info};
use crate::app::{AppError, ErrorKind};
use crate::identity::enrolment::EnrolmentError;

/// The status for an error of a use case.
pub(super) fn refused(error: AppError) -> Status {
    if error.kind == ErrorKind::Conflict {
        // Another write was faster. ABORTED would tell the agent to drop the job.
        return with_info(Code::Unavailable, error.reason, &error.message, Some("try again"));
    }
    status(&error)
}

/// The status for a message that makes no sense.
pub(super) fn invalid(fault: &Invalid) -> Status {
    with_info(
        Code::InvalidArgument,
        "INVALID_MESSAGE",
        &fault.to_string(),
        Some("update the agent, or the hub"),
    )
}

/// The status for a refused enrolment; what only the log may tell goes there.
pub(super) fn not_enrolled(error: &EnrolmentError) -> Status {
    if error.is_alarm() {
        tracing::error!(reason = reason(error), "An agent was refused: {error}");
    } else if matches!(error, EnrolmentError::Internal(_) | EnrolmentError::Sts(_)) {
        tracing::error!(
            reason = reason(error),
            error = story(error),
            "An enrolment failed"
        );
    } else {
        tracing::info!(reason = reason(error), "An agent was refused: {error}");
    }
    with_info(error.code(), reason(error), &error.to_string(), None)
}

const fn reason(error: &EnrolmentError) -> &'static str {
    match error {
        EnrolmentError::Malformed(_) => "MALFORMED",
        EnrolmentError::TooMany(_) => "TOO_MANY_ENROLMENTS",
        EnrolmentError::NoChallenge => "NO_CHALLENGE",
        EnrolmentError::OtherKey => "OTHER_KEY",
        EnrolmentError::Stale(_) => "STALE_PROOF",
        EnrolmentError::Sts(_) => "STS",
        EnrolmentError::NoConnection { .. } => "NO_CONNECTION",
        EnrolmentError::WrongIdentity { .. } => "WRONG_IDENTITY",
        EnrolmentError::RoleReplaced { .. } => "ROLE_REPLACED",
        EnrolmentError::Pending(_) => "CONNECTION_PENDING",
        EnrolmentError::Rejected(_) => "CONNECTION_REJECTED",
        EnrolmentError::Changed(_) => "CONNECTION_CHANGED",
        EnrolmentError::Internal(_) => "INTERNAL",
    }
}

/// An error with all its causes, for the log.
pub(crate) fn story(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_does_not_cost_the_agent_its_job() {
        let code = |kind| refused(AppError::new(kind, "R", "m")).code();
        assert_eq!(code(ErrorKind::Conflict), Code::Unavailable);
        assert_eq!(code(ErrorKind::Fenced), Code::Aborted);
        assert_eq!(code(ErrorKind::Denied), Code::PermissionDenied);
        assert_eq!(code(ErrorKind::NotFound), Code::NotFound);
    }
}
