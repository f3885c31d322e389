//! Every key of the configuration, once: the file's reader, the flags, the environment variables and the tests of the
//! example file all walk this table. A key that is not here does not exist.

/// How the text of a flag or variable becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it stands.
    Text,
    /// Comma-separated in flags and variables, an array in the file.
    List,
    /// A whole number, not negative.
    Count,
    /// true or false.
    Switch,
    /// A length of time, such as `500ms`, `15s`, `2h`.
    Span,
}

impl Kind {
    /// What a person is asked to give.
    #[must_use]
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List => "an array of strings",
            Self::Count => "a whole number, 0 or more",
            Self::Switch => "true or false",
            Self::Span => "a length of time such as \"500ms\", \"15s\" or \"2h\"",
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its place in the file, tables separated by dots.
    pub path: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Placeholder in `--help`.
    pub value: &'static str,
    /// What it means, one sentence or two.
    pub help: &'static str,
}

impl Key {
    /// The flag without its dashes: `hub.ca_pin` is `--hub-ca-pin`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The variable: `hub.ca_pin` is `HADRON_AGENT_HUB_CA_PIN`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("HADRON_AGENT_{}", self.path.replace('.', "_").to_uppercase())
    }
}

const fn key(path: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Key {
    Key {
        path,
        kind,
        value,
        help,
    }
}

/// All keys, in the order of the example file.
pub const KEYS: &[Key] = &[
    key(
        "hub.enrol",
        Kind::Text,
        "URL",
        "The hub's enrolment listener, where this agent proves its account and gets its certificate",
    ),
    key(
        "hub.jobs",
        Kind::Text,
        "URL",
        "The hub's job listener, which accepts only agents with a certificate",
    ),
    key(
        "hub.ca_pin",
        Kind::Text,
        "sha256:HEX",
        "SHA-256 of the SubjectPublicKeyInfo of the hub's CA; nothing else is trusted, no system root either",
    ),
    key(
        "hub.ca_file",
        Kind::Text,
        "FILE",
        "The hub's CA certificate as PEM, instead of a pin",
    ),
    key(
        "account",
        Kind::Text,
        "ID",
        "The account to act in. Asked of STS at start; when given here, both must agree",
    ),
    key(
        "region",
        Kind::Text,
        "REGION",
        "The Region to act in; one agent serves one account and Region",
    ),
    key(
        "connection",
        Kind::Text,
        "conn_ID",
        "The environment account connection to serve. Left out: the hub picks the connected one of this account and Region",
    ),
    key(
        "state_dir",
        Kind::Text,
        "DIR",
        "Where the key, the certificate and the journal of jobs are kept; only the agent may read it",
    ),
    key("capacity", Kind::Count, "N", "Jobs at once [default: 4]"),
    key(
        "write_registry_policy",
        Kind::Switch,
        "BOOL",
        "Grant pulls in the registry-wide ECR policy as well; pulls do not need it, and the agent's role needs more \
         (`hadron-agent role --management --registry-policy`) [default: false]",
    ),
    key(
        "drain_timeout",
        Kind::Span,
        "TIME",
        "How long running jobs may take to reach a place to stop after SIGTERM [default: 25s]",
    ),
    key(
        "roles.provisioning",
        Kind::List,
        "ARN,...",
        "Roles that environments and service instances may be deployed with; the first is used when the hub names none",
    ),
    key(
        "roles.pipeline",
        Kind::List,
        "ARN,...",
        "The same for pipelines; only in the management account",
    ),
    key(
        "roles.component",
        Kind::List,
        "ARN,...",
        "The same for directly defined components",
    ),
    key(
        "limits.stack_prefix",
        Kind::Text,
        "PREFIX",
        "Refuse stacks whose name does not begin with this [default: AWSProton-]",
    ),
    key(
        "limits.regions",
        Kind::List,
        "REGION,...",
        "Refuse jobs for other Regions [default: the agent's own]",
    ),
    key(
        "limits.denied_resource_types",
        Kind::List,
        "TYPE,...",
        "Refuse templates with these resource types; `AWS::Organizations::*` denies all that begin so [default: none]",
    ),
    key(
        "limits.max_template_bytes",
        Kind::Count,
        "N",
        "Refuse larger templates; CloudFormation takes at most 1048576 [default: 1048576]",
    ),
    key(
        "limits.bundle_buckets",
        Kind::List,
        "BUCKET,...",
        "Read template bundles from these S3 buckets only [default: from all that the role may read]",
    ),
    key(
        "limits.job_deadline",
        Kind::Span,
        "TIME",
        "Give up a job that takes longer than this [default: 2h]",
    ),
    key(
        "polling.first",
        Kind::Span,
        "TIME",
        "First wait before CloudFormation is asked again how a stack is doing [default: 250ms]",
    ),
    key(
        "polling.slowest",
        Kind::Span,
        "TIME",
        "Longest wait between two such questions [default: 5s]",
    ),
    key(
        "endpoint_url",
        Kind::Text,
        "URL",
        "Send all AWS calls to an emulator; refused without --dev",
    ),
    key(
        "dev",
        Kind::Switch,
        "BOOL",
        "Development: allow endpoint_url. Never where a real account is at stake [default: false]",
    ),
];

/// The key with this path.
#[must_use]
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The known path that was probably meant, when one is near enough to be worth saying.
#[must_use]
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    KEYS.iter()
        .map(|key| {
            // A key in the wrong table is a near miss as well, though its path differs a lot.
            let moved = (last(key.path) == last(path)).then_some(1);
            (moved.unwrap_or_else(|| distance(key.path, path)), key.path)
        })
        .min()
        .filter(|(far, _)| *far <= 1 + path.len() / 4)
        .map(|(_, path)| path)
}

/// Levenshtein distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_named_and_far_ones_are_not() {
        assert_eq!(nearest("hub.enrl"), Some("hub.enrol"));
        assert_eq!(nearest("regoin"), Some("region"));
        assert_eq!(nearest("stack_prefix"), Some("limits.stack_prefix"));
        assert_eq!(nearest("favourite_colour"), None);
    }

    #[test]
    fn flags_and_variables_follow_from_the_path() {
        let pin = find("hub.ca_pin").unwrap();
        assert_eq!(
            (pin.flag().as_str(), pin.variable().as_str()),
            ("hub-ca-pin", "HADRON_AGENT_HUB_CA_PIN")
        );
    }
}
