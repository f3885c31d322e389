//! The algebra of pull policies. Pure text in, text out.
//!
//! A policy is the statements of others and at most one of ours: `merge(found, grant) = others(found) ++ ours(grant)`.
//! Ours is known by its Sid, [`SID`], and by having exactly the form that we write; anything else under our Sid is
//! somebody's edit and stops the work, because overwriting it could open or close what a person meant otherwise.
//! Statements of others are carried as the text they came as, in their order: numbers, escapes and keys that this
//! version does not understand survive (only white space between tokens is dropped, since ECR counts it). One statement
//! with many readers, not one each: 10,240 characters hold about 300 accounts this way and 52 the other.
//!
//! Laws, each a property test: idempotent; others' statements and their order stay; grants commute; withdrawing undoes
//! granting; one Sid of ours; never `*`; never longer than ECR takes.

use std::collections::BTreeSet;
use std::fmt;

use hadron_proto::fault::{Bug, bug};
use hadron_proto::vocab::{AccountId, Digest, Partition, Region, RepositoryName};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The Sid of our statement in a repository's policy. In a registry's policy, digits of the repository's digest follow.
pub const SID: &str = "HadronPull";
/// What pulling takes. `GetAuthorizationToken` is not a repository's to give.
pub const ACTIONS: [&str; 3] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
];
/// The longest policy that ECR takes, in characters.
pub const MOST: usize = 10_240;
/// The keys of a statement that we write.
const KNOWN: [&str; 5] = ["Sid", "Effect", "Principal", "Action", "Resource"];
const VERSION: &str = "2012-10-17";

/// Who is to be able to pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    partition: Partition,
    sid: String,
    /// Registry policies name the repository; repository policies must not.
    resource: Option<String>,
    readers: BTreeSet<AccountId>,
}

impl Grant {
    /// For a repository's policy. The own account needs no grant and is left out.
    #[must_use]
    pub fn repository(partition: Partition, own: AccountId, mut readers: BTreeSet<AccountId>) -> Self {
        readers.remove(&own);
        Self {
            partition,
            sid: SID.to_owned(),
            resource: None,
            readers,
        }
    }

    /// For the registry's policy: one statement of ours for each repository.
    #[must_use]
    pub fn registry(
        partition: Partition,
        own: AccountId,
        region: &Region,
        repository: &RepositoryName,
        mut readers: BTreeSet<AccountId>,
    ) -> Self {
        readers.remove(&own);
        let digest = Digest::of(repository.as_str().as_bytes()).hex();
        Self {
            partition,
            sid: format!("{SID}{}", &digest[..16]),
            resource: Some(format!(
                "arn:{}:ecr:{region}:{own}:repository/{repository}",
                partition.as_str()
            )),
            readers,
        }
    }

    /// Nobody is to be able to pull by our doing.
    #[must_use]
    pub fn is_withdrawal(&self) -> bool {
        self.readers.is_empty()
    }

    fn root(&self, account: AccountId) -> String {
        format!("arn:{}:iam::{account}:root", self.partition.as_str())
    }

    fn statement(&self) -> Option<String> {
        if self.readers.is_empty() {
            return None;
        }
        let roots: Vec<String> = self.readers.iter().map(|account| self.root(*account)).collect();
        let mut statement = serde_json::json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": { "AWS": roots },
            "Action": ACTIONS,
        });
        if let Some(resource) = &self.resource {
            statement["Resource"] = Value::from(resource.as_str());
        }
        Some(statement.to_string())
    }

    /// Whether a statement under our Sid has the form that we write, whoever its readers are.
    fn is_own_form(&self, statement: &Value) -> bool {
        let Some(object) = statement.as_object() else {
            return false;
        };
        if object.keys().any(|key| !KNOWN.contains(&key.as_str()))
            || object.get("Effect") != Some(&"Allow".into())
        {
            return false;
        }
        let mut actions: Vec<String> = texts(object.get("Action"))
            .iter()
            .map(|a| a.to_lowercase())
            .collect();
        actions.sort_unstable();
        actions.dedup();
        let principals = object.get("Principal").and_then(Value::as_object);
        let accounts_only = principals.is_some_and(|principal| {
            let readers = texts(principal.get("AWS"));
            principal.len() == 1
                && !readers.is_empty()
                && readers.iter().all(|text| root_account(text).is_some())
        });
        let resource = object.get("Resource").map(|resource| texts(Some(resource)));
        accounts_only
            && actions == ACTIONS.map(str::to_lowercase)
            && resource == self.resource.as_deref().map(|text| vec![text])
    }
}

/// What to do with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as wanted.
    Keep {
        /// Statements of others that keep a reader out in spite of the grant.
        warnings: Vec<String>,
    },
    /// Replace it by this text.
    Write {
        /// The whole policy.
        text: String,
        /// Statements of others that keep a reader out in spite of the grant.
        warnings: Vec<String>,
    },
    /// Nothing is left in it.
    Delete,
}

/// Why a policy must stay as it is.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// It is no policy that could be carried over.
    #[error("the policy cannot be read, so it is left as it is: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// Something else stands under our Sid.
    #[error(
        "statement {sid} is not in the form that Hadron writes; remove or rename it, it is left as it is"
    )]
    Conflict {
        /// The Sid.
        sid: String,
    },
    /// ECR would refuse it.
    #[error(
        "the policy would have {total} characters and ECR takes at most {MOST}: {readers} readers take {own}, \
         statements of others {others}"
    )]
    TooLong {
        /// Characters of the whole policy.
        total: usize,
        /// Accounts in our statement.
        readers: usize,
        /// Characters of our statement.
        own: usize,
        /// Characters of everything else.
        others: usize,
    },
}

/// What the policy has to become.
///
/// # Errors
///
/// When it must stay as it is.
pub fn merge(found: Option<&str>, grant: &Grant) -> Result<Change, Refusal> {
    let policy = match found {
        Some(text) => Policy::read(text)?,
        None => Policy {
            rest: vec![("Version".to_owned(), format!("\"{VERSION}\""))],
            statements: Vec::new(),
        },
    };
    let mut own = Vec::new();
    let mut others = Vec::new();
    for (raw, value) in &policy.statements {
        if value.get("Sid").and_then(Value::as_str) != Some(&grant.sid) {
            let known = |key: &String| KNOWN.contains(&key.as_str());
            let strange = value.as_object().is_some_and(|object| !object.keys().all(known));
            if strange && bug(Bug::MergeDropsUnknown) {
                continue;
            }
            others.push((raw, value));
        } else if grant.is_own_form(value) {
            own.push(value);
        } else {
            return Err(Refusal::Conflict {
                sid: grant.sid.clone(),
            });
        }
    }
    let warnings = warnings(&others, grant);
    let wanted = grant.statement();
    let same = match (own.as_slice(), &wanted) {
        ([], None) => true,
        ([own], Some(_)) => readers(own) == grant.readers.iter().copied().collect::<Vec<_>>(),
        _ => false,
    };
    if same {
        return Ok(Change::Keep { warnings });
    }
    if others.is_empty() && wanted.is_none() {
        return Ok(Change::Delete);
    }
    let mut statements: Vec<&str> = others.iter().map(|(raw, _)| raw.as_str()).collect();
    statements.extend(wanted.as_deref());
    let text = policy.write(&statements);
    let total = text.chars().count();
    if total > MOST {
        let own = wanted.as_deref().map_or(0, |text| text.chars().count());
        return Err(Refusal::TooLong {
            total,
            readers: grant.readers.len(),
            own,
            others: total - own,
        });
    }
    Ok(Change::Write { text, warnings })
}

struct Policy {
    /// Top-level keys but `Statement`, as text, in their order.
    rest: Vec<(String, String)>,
    /// Statements: as text, and read.
    statements: Vec<(String, Value)>,
}

/// An object whose values stay text and whose keys keep their order and number.
struct Raw(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Raw;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy (a JSON object)")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Raw, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Raw(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl Policy {
    fn read(text: &str) -> Result<Self, Refusal> {
        let unreadable = |why: &dyn fmt::Display| Refusal::Unreadable { why: why.to_string() };
        let Raw(pairs) = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let mut policy = Self {
            rest: Vec::new(),
            statements: Vec::new(),
        };
        let mut keys = BTreeSet::new();
        for (key, value) in pairs {
            if !keys.insert(key.clone()) {
                return Err(unreadable(&format_args!("{key} stands there twice")));
            }
            if key != "Statement" {
                policy.rest.push((key, minified(value.get())));
                continue;
            }
            let statements: Vec<Box<RawValue>> = if value.get().starts_with('[') {
                serde_json::from_str(value.get()).map_err(|error| unreadable(&error))?
            } else {
                vec![value]
            };
            for statement in statements {
                let read: Value =
                    serde_json::from_str(statement.get()).map_err(|error| unreadable(&error))?;
                if !read.is_object() {
                    return Err(unreadable(&"a statement is not an object"));
                }
                policy.statements.push((minified(statement.get()), read));
            }
        }
        Ok(policy)
    }

    fn write(&self, statements: &[&str]) -> String {
        let rest = self
            .rest
            .iter()
            .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())));
        let statements = format!("\"Statement\":[{}]", statements.join(","));
        let parts: Vec<String> = rest.chain([statements]).collect();
        format!("{{{}}}", parts.join(","))
    }
}

/// Without the white space between tokens. `text` is valid JSON.
fn minified(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            (quoted, escaped) = match c {
                '"' if !escaped => (false, false),
                '\\' => (true, !escaped),
                _ => (true, false),
            };
            out.push(c);
        } else if !c.is_ascii_whitespace() {
            quoted = c == '"';
            out.push(c);
        }
    }
    out
}

/// A text, or a list of texts; AWS takes either everywhere.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| item.as_str().unwrap_or_default())
            .collect(),
        _ => Vec::new(),
    }
}

fn root_account(principal: &str) -> Option<AccountId> {
    let (_, rest) = principal.strip_prefix("arn:")?.split_once(':')?;
    rest.strip_prefix("iam::")?.strip_suffix(":root")?.parse().ok()
}

fn readers(own: &Value) -> Vec<AccountId> {
    let principals = own.get("Principal").and_then(|principal| principal.get("AWS"));
    let mut readers: Vec<AccountId> = texts(principals).into_iter().filter_map(root_account).collect();
    readers.sort_unstable();
    readers
}

/// Denials that keep a reader out. Conditions are not judged: such a statement may keep a reader out.
fn warnings(others: &[(&String, &Value)], grant: &Grant) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, (_, statement)) in others.iter().enumerate() {
        let denies = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
        if !denies || !covers_pulls(statement) {
            continue;
        }
        let blocked: Vec<&str> = grant
            .readers
            .iter()
            .filter(|account| names_account(statement, account.as_str()))
            .map(AccountId::as_str)
            .collect();
        if blocked.is_empty() {
            continue;
        }
        let sid = statement
            .get("Sid")
            .and_then(Value::as_str)
            .filter(|sid| !sid.is_empty());
        let name = sid.map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let may = if statement.get("Condition").is_some() {
            "under a condition denies"
        } else {
            "denies"
        };
        warnings.push(format!(
            "statement {name} {may} pulling to {}",
            blocked.join(", ")
        ));
    }
    warnings
}

fn covers_pulls(statement: &Value) -> bool {
    let hits = |patterns: &[&str]| {
        ACTIONS
            .iter()
            .any(|action| patterns.iter().any(|pattern| matches_pattern(pattern, action)))
    };
    match (statement.get("Action"), statement.get("NotAction")) {
        (None, Some(except)) => {
            let except = texts(Some(except));
            ACTIONS
                .iter()
                .any(|action| !except.iter().any(|pattern| matches_pattern(pattern, action)))
        }
        (action, _) => hits(&texts(action)),
    }
}

/// Whether a denial's principals include the account or something in it.
fn names_account(statement: &Value, account: &str) -> bool {
    let listed = |principal: &Value| {
        principal.as_str() == Some("*")
            || texts(principal.get("AWS"))
                .iter()
                .any(|text| *text == "*" || *text == account || text.contains(&format!(":{account}:")))
    };
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principal), _) => listed(principal),
        (None, Some(except)) => !listed(except),
        (None, None) => false,
    }
}

/// IAM's wildcards, without regard to case. Linear in what a stranger may have written: only the last star is tried again.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
