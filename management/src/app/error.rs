//! What can go wrong in a use case. What callers may read is kept apart from what only the log may tell.

use std::fmt;

use hadron_domain::authority::Denied;
use hadron_proto::codes::ErrorCode;
use hadron_templates::{Fault, Faults};

use crate::render::Failure;
use crate::store::StoreError;

/// The sort of error; each API turns it into its own codes, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong, whatever the state.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// There is already such a thing.
    AlreadyExists,
    /// The state forbids it now: something is in progress or in use.
    Conflict,
    /// Something has to be done first.
    Precondition,
    /// There are as many as are allowed.
    Quota,
    /// The caller may not.
    Denied,
    /// Nobody knows who the caller is.
    Unauthenticated,
    /// A job is not the caller's any more.
    Fenced,
    /// Try again later.
    Unavailable,
    /// Our fault.
    Internal,
}

/// An error with a public text and, for the log only, its cause.
#[derive(Debug)]
pub struct AppError {
    /// The sort.
    pub kind: ErrorKind,
    /// A stable word for programs, such as `ENVIRONMENT_NOT_FOUND`.
    pub reason: &'static str,
    /// What failed and why, for the caller.
    pub message: String,
    /// How to go on, for the caller.
    pub help: Option<String>,
    /// What is wrong with a spec or a template, fault by fault, when it is that; [`message`](Self::message) says it all.
    pub faults: Vec<Fault>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl AppError {
    /// An error that the caller can do something about.
    pub fn new(kind: ErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            help: None,
            faults: Vec::new(),
            cause: None,
        }
    }

    /// A wrong request.
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, reason, message)
    }

    /// Something that does not exist, such as `("environment", "prd")`.
    pub fn not_found(what: &'static str, name: impl fmt::Display) -> Self {
        let list = match what {
            "environment" | "service" | "connection" | "template" | "deployment" | "component" => {
                format!("hadron {what} list")
            }
            "service instance" => "hadron instance list".to_owned(),
            "pipeline" => "hadron pipeline list".to_owned(),
            _ => String::new(),
        };
        let error = Self::new(
            ErrorKind::NotFound,
            "NOT_FOUND",
            format!("{what} '{name}' does not exist"),
        );
        if list.is_empty() {
            error
        } else {
            error.help(format!("see what exists with `{list}`"))
        }
    }

    /// Whoever renders gave no reply while `doing` something. What comes of the text itself is a fault of the request and
    /// ends the same way each time; what comes of the machine may be tried again.
    pub(super) fn not_rendered(doing: &str, failure: &Failure) -> Self {
        const MIB: u64 = 1024 * 1024;
        let limit = |message: String, help: &str| {
            Self::invalid("RENDER_LIMIT", format!("{doing} {message}")).help(help)
        };
        let later = |reason, message: String, help: &str| {
            Self::new(ErrorKind::Unavailable, reason, format!("{doing} {message}")).help(help)
        };
        match failure {
            Failure::Memory(most) => limit(
                format!("needs more than {} MiB of memory", most / MIB),
                "look for texts that grow in loops, such as `set s = s ~ s`, for large numbers in `format`, `center`, `indent` \
                 and `replace`, and for long ranges; the hub's limit is render.memory_mib",
            ),
            Failure::Computing(most) => limit(
                format!("needs more than {} ms of computing", most.as_millis()),
                "look for loops inside loops and for texts that grow in them; the hub's limit is render.compute_milliseconds",
            ),
            Failure::Nesting => limit(
                "nests values or calls too deeply".to_owned(),
                "look for macros that call themselves and for lists that are put into lists again and again",
            ),
            Failure::TooLarge(most) => limit(
                format!("takes more than {} MiB of bundles and specs together", most / MIB),
                "have fewer versions of the template in use at once, or smaller bundles",
            ),
            Failure::Crash(how) => Self::invalid(
                "RENDER_FAILED",
                format!("{doing} failed in a way that it never should ({how})"),
            )
            .help(
                "try it on your own machine with `hadron template check` and `hadron template render`, change what was added \
                 last, and report it to the makers of Hadron",
            ),
            Failure::Killed => later(
                "RENDERER_KILLED",
                "was not finished: somebody ended the hub's render worker meanwhile".to_owned(),
                "try again; if it happens again, ask the hub's operator whether the machine lacks memory",
            ),
            Failure::Late(most) => later(
                "RENDERER_LATE",
                format!("was not finished after {} s: the hub's machine is too busy", most.as_secs()),
                "try again in a moment; the hub's limit is render.seconds",
            ),
            Failure::Busy => later(
                "RENDERERS_BUSY",
                "has to wait: as many others wait as may".to_owned(),
                "try again in a moment; the hub's limits are render.workers and render.queue",
            ),
            Failure::NoWorker(why) => later(
                "NO_RENDERER",
                "is not possible just now: the hub has no render worker".to_owned(),
                "try again in a moment; the hub's log says why",
            )
            .because(why.clone()),
        }
    }

    /// Says how to go on.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The code of this fault, when it is one that people meet: `hadron help CODE` explains it.
    #[must_use]
    pub fn code(&self) -> Option<&'static ErrorCode> {
        ErrorCode::of_reason(self.reason)
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// A fault of this program.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            ErrorKind::Internal,
            "INTERNAL",
            "the hub could not do this because of a fault of its own",
        )
        .help("the hub's log tells more under this request's id")
        .because(cause)
    }

    /// What the database said, when this is its error.
    pub(super) fn store(&self) -> Option<&StoreError> {
        self.cause.as_deref()?.downcast_ref()
    }

    /// Whether trying the same once more may help soon.
    pub(super) fn is_passing(&self) -> bool {
        self.store()
            .is_some_and(|error| error.is_passing() || matches!(error, StoreError::CommitUnknown { .. }))
    }

    /// The whole story, for the log.
    #[must_use]
    pub fn story(&self) -> String {
        let mut text = self.message.clone();
        let mut next = self.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AppError {}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable { .. } if error.is_full() => Self::new(
                ErrorKind::Unavailable,
                "DISK_FULL",
                "the disk of the hub's database is full",
            )
            .help("have the hub's operator make room; with the same request id nothing happens twice")
            .because(error),
            StoreError::Unavailable { .. } | StoreError::CommitUnknown { .. } => Self::new(
                ErrorKind::Unavailable,
                "UNAVAILABLE",
                "the hub's database could not answer just now",
            )
            .help("try again in a moment; with the same request id nothing happens twice")
            .because(error),
            StoreError::Conflict { .. } => {
                Self::new(ErrorKind::Conflict, "CONFLICT", "another request was faster").because(error)
            }
            StoreError::Corrupt { .. } | StoreError::Misuse { .. } | StoreError::NotFound { .. } => {
                Self::internal(error)
            }
        }
    }
}

impl From<Denied> for AppError {
    fn from(denied: Denied) -> Self {
        Self::new(ErrorKind::Denied, "DENIED", denied.to_string())
            .help("ask an administrator of the hub for the role, or use credentials that have it")
    }
}

impl From<Faults> for AppError {
    fn from(faults: Faults) -> Self {
        Self {
            faults: faults.iter().cloned().collect(),
            ..Self::invalid("FAULTS", faults.to_string())
        }
    }
}

macro_rules! invalid {
    ($($type:ty),*) => {$(
        impl From<$type> for AppError {
            fn from(error: $type) -> Self {
                Self::invalid("INVALID_ARGUMENT", error.to_string())
            }
        }
    )*};
}
invalid!(
    hadron_proto::vocab::InvalidName,
    hadron_proto::vocab::InvalidAws,
    hadron_proto::vocab::InvalidId,
    hadron_domain::template::InvalidCompatible
);
