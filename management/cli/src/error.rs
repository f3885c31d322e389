//! What went wrong, for two readers: text for people, an exit code for scripts.
//!
//! A failure says what failed, why, and how to go on; the last is a command wherever there is one. The hub sends
//! both parts: the message of the status says why, `ErrorInfo.metadata["help"]` how to go on.

use std::error::Error as _;
use std::fmt;
use std::process::ExitCode;

use hadron_proto::codes::{self, ErrorCode};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a process of this program ends with. `hadron help exit-codes` prints the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// It failed, and nothing below says it better.
    Failure = 1,
    /// The command line is wrong, or a question could not be asked.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// The hub does not know the caller, or does not let them.
    NotAuthorised = 4,
    /// The state of things forbids it now: busy, in use, or there already.
    Conflict = 5,
    /// It waits for a person's approval.
    Waiting = 6,
    /// The hub did its part; the deployment failed or was cancelled.
    DeploymentFailed = 7,
    /// Time ran out. What was begun goes on.
    TimedOut = 8,
    /// No answer from the hub.
    Unreachable = 9,
    /// Ctrl-C or SIGTERM. What was begun goes on.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended without doing what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// What the process ends with.
    pub(crate) exit: Exit,
    /// What failed, as one sentence without a full stop.
    pub(crate) what: String,
    /// Why; several lines when there are several reasons.
    pub(crate) why: Vec<String>,
    /// How to go on.
    pub(crate) next: Vec<String>,
    /// The code of the fault, when it is one that people meet often; a newer hub may send one that is not known here.
    pub(crate) code: Option<String>,
}

/// What every command gives.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with an exit code and what failed.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            why: Vec::new(),
            next: Vec::new(),
            code: None,
        }
    }

    /// The command line is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The same failure with a reason.
    #[must_use]
    pub(crate) fn why(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// The same failure with a way to go on.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        let next = next.into();
        if !next.is_empty() && !self.next.contains(&next) {
            self.next.push(next);
        }
        self
    }

    /// The same failure with the code of its fault, unless it has one.
    #[must_use]
    pub(crate) fn coded(mut self, code: &ErrorCode) -> Self {
        self.code.get_or_insert_with(|| code.to_string());
        self
    }

    /// What the hub said to a call. `what` tells what was tried.
    pub(crate) fn from_status(what: impl Into<String>, status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let reason = info.map_or("", |info| info.reason.as_str());
        let exit = exit_of(status.code(), reason);
        let mut failure = Self::new(exit, what);
        let message = status.message().trim_end();
        if exit == Exit::Unreachable {
            // tonic puts the cause of a transport error (refused, unknown issuer, ...) into the sources.
            failure = failure.why(chain(message, status));
        } else if !message.is_empty() {
            failure = failure.why(message);
        } else {
            failure = failure.why(format!("the hub answered {:?} without a message", status.code()));
        }
        for violation in details.bad_request().map_or(&[][..], |bad| &bad.field_violations) {
            // The message often repeats its only violation.
            if !message.contains(&violation.description) {
                failure = failure.why(format!("{}: {}", violation.field, violation.description));
            }
        }
        for violation in details
            .precondition_failure()
            .map_or(&[][..], |bad| &bad.violations)
        {
            if !message.contains(&violation.description) {
                failure = failure.why(format!("{}: {}", violation.subject, violation.description));
            }
        }
        if let Some(help) = info.and_then(|info| info.metadata.get("help")) {
            for line in help.lines() {
                failure = failure.next(line.trim());
            }
        }
        failure.code = info.and_then(|info| info.metadata.get("code").cloned());
        if let Some(code) = ErrorCode::of_reason(reason).or_else(|| code_of(status, reason)) {
            failure = failure.coded(code);
        }
        if failure.next.is_empty() {
            failure = match exit {
                Exit::NotAuthorised if status.code() == Code::Unauthenticated => failure.next("hadron login"),
                Exit::NotAuthorised => failure.next("hadron whoami"),
                Exit::Unreachable => failure.next("hadron config view"),
                _ => failure,
            };
        }
        failure
    }
}

/// The exit code for a status of the hub. The reason decides where the code alone is too coarse.
fn exit_of(code: Code, reason: &str) -> Exit {
    match code {
        Code::Ok => Exit::Ok,
        Code::NotFound => Exit::NotFound,
        Code::PermissionDenied | Code::Unauthenticated => Exit::NotAuthorised,
        Code::FailedPrecondition if ["CONNECTION_PENDING", "APPROVAL_REQUIRED"].contains(&reason) => {
            Exit::Waiting
        }
        Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => Exit::Conflict,
        Code::DeadlineExceeded => Exit::TimedOut,
        Code::Unavailable => Exit::Unreachable,
        Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::ResourceExhausted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => Exit::Failure,
    }
}

/// The code for what has no reason of a hub: it did not come to one, or the hub is of before codes.
fn code_of(status: &Status, reason: &str) -> Option<&'static ErrorCode> {
    match status.code() {
        Code::Unauthenticated => Some(&codes::NOT_SIGNED_IN),
        Code::PermissionDenied => Some(&codes::NOT_ALLOWED),
        Code::Unimplemented => Some(&codes::VERSION_MISMATCH),
        Code::Unavailable if hadron_proto::tls::refused_certificate(status) => Some(&codes::HUB_NOT_TRUSTED),
        // What a hub says has a reason. What stands before it, or is left of the connection, has none.
        Code::Unavailable if reason.is_empty() => Some(&codes::HUB_UNREACHABLE),
        Code::Unavailable => Some(&codes::HUB_BUSY),
        _ => None,
    }
}

/// A message and everything that caused it, each part once.
fn chain(message: &str, status: &Status) -> String {
    let mut text = message.to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever pressed Ctrl-C got what they wanted.
        let word = if self.exit == Exit::Interrupted {
            ""
        } else {
            "error: "
        };
        write!(f, "{word}{}", self.what)?;
        for why in &self.why {
            if why.contains('\n') {
                // Faults with excerpts come as they are: carets point at columns.
                write!(f, "\n{why}")?;
            } else {
                write!(f, "\n  {why}")?;
            }
        }
        for next in &self.next {
            write!(f, "\n  next: {next}")?;
        }
        if let Some(code) = &self.code {
            write!(f, "\n  more: hadron help {code}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn every_status_has_its_exit_code() {
        let cases = [
            (Code::NotFound, "", 3),
            (Code::PermissionDenied, "", 4),
            (Code::Unauthenticated, "", 4),
            (Code::AlreadyExists, "", 5),
            (Code::FailedPrecondition, "BUSY", 5),
            (Code::Aborted, "", 5),
            (Code::FailedPrecondition, "CONNECTION_PENDING", 6),
            (Code::FailedPrecondition, "APPROVAL_REQUIRED", 6),
            (Code::DeadlineExceeded, "", 8),
            (Code::Unavailable, "", 9),
            (Code::InvalidArgument, "", 1),
            (Code::Internal, "", 1),
            (Code::Unimplemented, "", 1),
        ];
        for (code, reason, exit) in cases {
            assert_eq!(exit_of(code, reason) as u8, exit, "{code:?} {reason}");
        }
    }

    #[test]
    fn the_hubs_help_is_the_next_step() {
        let details = ErrorDetails::with_error_info(
            "ENVIRONMENT_BUSY",
            "hadron",
            [("help".to_owned(), "hadron deployment watch dpl_1".to_owned())],
        );
        let status = Status::with_error_details(
            Code::FailedPrecondition,
            "environment 'prd' is being updated",
            details,
        );
        let failure = Failure::from_status("cannot update environment 'prd'", &status);
        assert_eq!(failure.exit, Exit::Conflict);
        insta::assert_snapshot!(failure.to_string(), @r"
        error: cannot update environment 'prd'
          environment 'prd' is being updated
          next: hadron deployment watch dpl_1
        ");
    }

    #[test]
    fn what_people_meet_has_a_code_whatever_the_hub_knows_of_codes() {
        let code = |status: &Status| Failure::from_status("cannot", status).code;
        let info = |reason: &str, code: &[(&str, &str)]| {
            let metadata = code
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let metadata: std::collections::HashMap<_, _> = metadata.collect();
            let details = ErrorDetails::with_error_info(reason, "hadron", metadata);
            Status::with_error_details(Code::FailedPrecondition, "m", details)
        };
        let expected = |code: &str| Some(code.to_owned());
        // The hub's own word counts, also one that this program does not know.
        assert_eq!(
            code(&info("X", &[("code", "HADRON-6789")])),
            expected("HADRON-6789")
        );
        // One of before codes has reasons.
        assert_eq!(
            code(&info("DEPLOYMENT_IN_PROGRESS", &[])),
            expected("HADRON-5001")
        );
        assert_eq!(code(&info("NOTHING_TO_CANCEL", &[])), None);
        assert_eq!(code(&Status::unauthenticated("m")), expected("HADRON-2001"));
        assert_eq!(code(&Status::permission_denied("m")), expected("HADRON-2002"));
        assert_eq!(code(&Status::unavailable("m")), expected("HADRON-1001"));
        assert_eq!(code(&Status::unimplemented("m")), expected("HADRON-1004"));
        assert_eq!(code(&Status::not_found("m")), None);
        let shown = Failure::from_status("cannot", &Status::permission_denied("no")).to_string();
        assert!(shown.ends_with("\n  more: hadron help HADRON-2002"), "{shown}");
    }

    #[test]
    fn faults_with_excerpts_are_printed_as_they_came() {
        let text = "error: unknown input\n  --> spec.yaml:3:5\n 3 |     vpc_cidr: 1\n   |     ^^^^^^^^";
        let status = Status::invalid_argument(text);
        let shown = Failure::from_status("cannot create environment 'prd'", &status).to_string();
        assert!(shown.contains(text), "{shown}");
    }
}
