//! What AWS's errors mean to the agent.
//!
//! Codes differ between services, protocols and emulators for the same fault (`AccessDenied`, `AccessDeniedException`,
//! HTTP 403 without a body), so families are matched, never one spelling. An answer that says nothing readable is
//! [`Kind::Unknown`] and worth another try.

use std::fmt;

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// What sort of fault it is; decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Too many calls: slow down and repeat.
    Throttled,
    /// Not allowed.
    Denied,
    /// There is no such thing.
    NotFound,
    /// There is one already, or this token was used already.
    AlreadyExists,
    /// Not possible in the state that the thing is in: look again.
    InvalidState,
    /// The request is wrong, and repeating it will not help.
    Validation,
    /// The credentials ran out: repeat, the SDK fetches new ones.
    TokenExpired,
    /// No answer arrived: it may have happened or not.
    Transport,
    /// An answer without a code, or with one of the server's own faults: it may have happened or not.
    Unknown,
}

impl Kind {
    /// The same call may succeed later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::TokenExpired | Self::Transport | Self::Unknown
        )
    }
}

/// A call of AWS that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// What it means.
    pub kind: Kind,
    /// AWS's code; `None` when there was none.
    pub code: Option<String>,
    /// AWS's message.
    pub message: String,
}

impl AwsError {
    /// An error with a code, classified by it.
    #[must_use]
    pub fn coded(code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind: classify(Some(code), &message, None),
            code: Some(code.to_owned()),
            message,
        }
    }

    /// An answer that could not be understood.
    #[must_use]
    pub fn odd(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unknown,
            code: None,
            message: message.into(),
        }
    }

    pub(super) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let SdkError::ServiceError(answer) = &error {
            let code = answer.err().code().filter(|code| !code.is_empty());
            let message = answer.err().message().unwrap_or_default();
            let kind = classify(code, message, Some(answer.raw().status().as_u16()));
            let message = if message.is_empty() {
                format!("HTTP {}", answer.raw().status().as_u16())
            } else {
                message.to_owned()
            };
            return Self {
                kind,
                code: code.map(str::to_owned),
                message,
            };
        }
        let kind = match &error {
            SdkError::ConstructionFailure(_) => Kind::Validation,
            _ => Kind::Transport,
        };
        Self {
            kind,
            code: None,
            message: DisplayErrorContext(&error).to_string(),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for AwsError {}

/// By code without its `Exception`, then by text where `CloudFormation` has only `ValidationError`, then by HTTP status.
fn classify(code: Option<&str>, message: &str, status: Option<u16>) -> Kind {
    let Some(code) = code else {
        return match status {
            Some(401 | 403) => Kind::Denied,
            Some(404) => Kind::NotFound,
            Some(429) => Kind::Throttled,
            _ => Kind::Unknown,
        };
    };
    let short = code.rsplit(['#', '.', ':']).next().unwrap_or(code);
    let short = short.strip_suffix("Exception").unwrap_or(short);
    match short {
        "Throttling"
        | "ThrottledException"
        | "Throttled"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "BandwidthLimitExceeded" => Kind::Throttled,
        "AccessDenied"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "Unauthorized"
        | "AuthFailure"
        | "Forbidden"
        | "AccountAccessDenied"
        | "AllAccessDisabled" => Kind::Denied,
        "ExpiredToken"
        | "RequestExpired"
        | "TokenRefreshRequired"
        | "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "InvalidToken"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "InvalidAccessKeyId" => Kind::TokenExpired,
        "ChangeSetNotFound"
        | "RepositoryNotFound"
        | "RepositoryPolicyNotFound"
        | "RegistryPolicyNotFound"
        | "StackNotFound"
        | "NoSuchEntity"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NotFound"
        | "ResourceNotFound" => Kind::NotFound,
        "AlreadyExists"
        | "TokenAlreadyExists"
        | "EntityAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "BucketAlreadyExists"
        | "NameAlreadyExists" => Kind::AlreadyExists,
        "InvalidChangeSetStatus"
        | "InvalidOperation"
        | "OperationInProgress"
        | "InvalidStateTransition"
        | "ConcurrentModification"
        | "OperationAborted"
        | "StaleRequest" => Kind::InvalidState,
        "Validation" | "ValidationError" => by_text(message),
        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServer"
        | "ServiceUnavailable"
        | "Server"
        | "ServiceFailure"
        | "RequestTimeout" => Kind::Unknown,
        _ => match status {
            Some(429) => Kind::Throttled,
            Some(500..) => Kind::Unknown,
            _ => Kind::Validation,
        },
    }
}

fn by_text(message: &str) -> Kind {
    let has = |part: &str| message.contains(part);
    if has("Rate exceeded") {
        Kind::Throttled
    } else if has("is not authorized to perform") {
        Kind::Denied
    } else if has("already exists and cannot be created again")
        || has("current stack status")
        || has("in its current")
        || has("current status of")
        || (has(" state and can") || has(" state and can not"))
        || has("already in progress")
        || has("is in a state in which")
    {
        // Before "does not exist": such messages quote names that could say anything.
        Kind::InvalidState
    } else if has("does not exist") {
        Kind::NotFound
    } else {
        Kind::Validation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_not_spellings() {
        use Kind::*;
        let cases: &[(&str, &str, Kind)] = &[
            ("Throttling", "Rate exceeded", Throttled),
            ("ThrottlingException", "", Throttled),
            ("com.amazonaws.ecr#TooManyRequestsException", "", Throttled),
            ("AccessDenied", "", Denied),
            ("AccessDeniedException", "", Denied),
            ("ExpiredToken", "", TokenExpired),
            ("ExpiredTokenException", "", TokenExpired),
            ("ChangeSetNotFound", "", NotFound),
            ("ChangeSetNotFoundException", "", NotFound),
            ("RepositoryPolicyNotFoundException", "", NotFound),
            ("AlreadyExistsException", "", AlreadyExists),
            ("TokenAlreadyExistsException", "", AlreadyExists),
            ("InvalidChangeSetStatus", "", InvalidState),
            (
                "ValidationError",
                "Stack with id hadron-x does not exist",
                NotFound,
            ),
            ("ValidationError", "Stack [hadron-x] does not exist", NotFound),
            (
                "ValidationError",
                "Stack:arn:x is in UPDATE_IN_PROGRESS state and can not be updated.",
                InvalidState,
            ),
            (
                "ValidationError",
                "CancelUpdateStack cannot be called from current stack status",
                InvalidState,
            ),
            (
                "ValidationError",
                "Stack [a] already exists and cannot be created again with the changeSet [b].",
                InvalidState,
            ),
            (
                "ValidationError",
                "Template format error: unsupported structure.",
                Validation,
            ),
            (
                "ValidationError",
                "User: x is not authorized to perform: iam:PassRole on resource: y",
                Denied,
            ),
            ("InsufficientCapabilitiesException", "", Validation),
            ("InternalFailure", "", Unknown),
        ];
        for (code, message, kind) in cases {
            assert_eq!(AwsError::coded(code, *message).kind, *kind, "{code}: {message}");
        }
        assert_eq!(classify(None, "<html>", Some(500)), Unknown);
        assert_eq!(classify(None, "", Some(403)), Denied);
        assert_eq!(classify(None, "", Some(404)), NotFound);
        assert_eq!(classify(Some("SomethingNew"), "", Some(503)), Unknown);
    }
}
