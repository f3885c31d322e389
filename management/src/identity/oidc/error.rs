//! Why there is no identity.

use std::time::Duration;

use tonic::Code;

use super::config::Alias;
use super::token::Invalid;
use crate::identity::NoRandomness;
use crate::identity::enrolment::StoreFailed;
use crate::identity::rate::TooMany;

/// Why there is no identity. The text is for the one who logs in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No such issuer.
    #[error("{0}")]
    Unknown(String),
    /// It is for something else.
    #[error("issuer '{alias}' is {wrong}")]
    Purpose {
        /// Which.
        alias: Alias,
        /// What it is not for.
        wrong: &'static str,
    },
    /// The browser would come back to somebody else.
    #[error(
        "'{0}' is not where a browser may come back to: the command line listens on http://127.0.0.1:<port>/callback"
    )]
    Redirect(String),
    /// Too many at once.
    #[error("too many logins at once; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// The login is unknown, used or over.
    #[error("the login is unknown, was finished already, or began more than 10 min ago; begin again")]
    NoFlow,
    /// Whoever finishes it is not who began it.
    #[error("the login was begun by somebody else; begin again")]
    Verifier,
    /// Another issuer answered than was asked.
    #[error("the answer to the login is of another issuer than the one that was asked; begin again")]
    MixUp,
    /// Not a code at all.
    #[error("what the issuer sent back is no code")]
    Code,
    /// The issuer said no.
    #[error("the issuer refused: {0}")]
    Refused(String),
    /// Nobody has confirmed the device yet.
    #[error("nobody has confirmed the device yet")]
    Pending,
    /// The device asks too often.
    #[error("the device asks too often")]
    SlowDown,
    /// The issuer has no such flow.
    #[error("the issuer offers no {0}")]
    NoFlowOfKind(&'static str),
    /// The token is not to be believed.
    #[error("the token of the issuer does not count: {0}")]
    Token(#[from] Invalid),
    /// The token says nothing that somebody could be called by.
    #[error("the token has no claim '{claim}' that somebody could be called by{why}")]
    Name {
        /// Which claim.
        claim: String,
        /// What is wrong with it, as the end of the sentence.
        why: &'static str,
    },
    /// The token is good, and not one of those that are let in.
    #[error("the token's {claim} is {found}, which the hub's configuration does not let in")]
    Condition {
        /// Which claim.
        claim: String,
        /// What it is, or that it is not there.
        found: String,
    },
    /// More than one issuer could be meant.
    #[error("more than one issuer of this hub is {issuer}: {aliases}")]
    Ambiguous {
        /// What the token says.
        issuer: String,
        /// Who is meant by it.
        aliases: String,
    },
    /// The issuer gives no answer that can be relied on.
    #[error("the issuer did not answer usefully: {reason}; try again")]
    Unavailable {
        /// What is wrong with the answer.
        reason: &'static str,
        /// The cause, for the log.
        #[source]
        cause: Option<reqwest::Error>,
    },
    /// Something of the hub's own failed.
    #[error("the hub could not complete the login; its log says why")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl OidcError {
    pub(super) const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { reason, cause: None }
    }

    pub(super) fn call(error: reqwest::Error) -> Self {
        Self::Unavailable {
            reason: "it could not be called",
            cause: Some(error.without_url()),
        }
    }

    /// The gRPC status code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Unknown(_) => Code::NotFound,
            Self::Purpose { .. }
            | Self::Redirect(_)
            | Self::Code
            | Self::NoFlowOfKind(_)
            | Self::Ambiguous { .. } => Code::InvalidArgument,
            Self::TooMany(_) => Code::ResourceExhausted,
            Self::NoFlow | Self::Verifier | Self::MixUp => Code::Aborted,
            Self::Pending | Self::SlowDown => Code::FailedPrecondition,
            Self::Refused(_) | Self::Token(_) | Self::Name { .. } | Self::Condition { .. } => {
                Code::PermissionDenied
            }
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "NO_ISSUER",
            Self::Purpose { .. } => "ISSUER_PURPOSE",
            Self::Redirect(_) => "REDIRECT",
            Self::TooMany(_) => "TOO_MANY_LOGINS",
            Self::NoFlow => "NO_LOGIN",
            Self::Verifier => "LOGIN_OF_ANOTHER",
            Self::MixUp => "ISSUER_MIX_UP",
            Self::Code => "CODE",
            Self::Refused(_) => "ISSUER_REFUSED",
            Self::Pending => "AUTHORIZATION_PENDING",
            Self::SlowDown => "SLOW_DOWN",
            Self::NoFlowOfKind(_) => "NO_SUCH_FLOW",
            Self::Token(_) => "TOKEN_INVALID",
            Self::Name { .. } => "NAME_CLAIM",
            Self::Condition { .. } => "CONDITION",
            Self::Ambiguous { .. } => "ISSUER_AMBIGUOUS",
            Self::Unavailable { .. } => "ISSUER_UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// Whether it says that somebody was turned away, which belongs into the audit log.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self.code(), Code::Aborted | Code::PermissionDenied)
    }

    /// With its causes, for the log.
    #[must_use]
    pub fn story(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl From<StoreFailed> for OidcError {
    fn from(failed: StoreFailed) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<NoRandomness> for OidcError {
    fn from(failed: NoRandomness) -> Self {
        Self::Internal(failed.into())
    }
}
impl From<TooMany> for OidcError {
    fn from(fault: TooMany) -> Self {
        Self::TooMany(fault.retry_after)
    }
}
