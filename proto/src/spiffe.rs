//! Names in certificates. A hub's servers are `spiffe://<hub-id>/hub`, an agent is
//! `spiffe://<hub-id>/account/<account>/connection/<connection>/agent/<agent>`, both as the only URI in the
//! certificate's alternative names. A name has one spelling: whatever does not print as it was read is refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::vocab::{AccountId, AgentId, ConnectionId};

const SCHEME: &str = "spiffe://";

/// What hub ids of development hubs begin with, so that their certificates and proofs show where they belong.
pub const DEV_PREFIX: &str = "dev-";

/// The metadata of `BeginEnrolment` in which an agent names the agent it was before, so that it stays the same agent with
/// its next certificate. A wish: the hub refuses an id of another connection.
pub const AGENT_ID_METADATA: &str = "hadron-agent-id";

/// The name of one hub: 1 to 63 of `a-z`, `0-9` and inner `-`. It stands in certificates and in signed HTTP headers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubId(String);

/// The text is no name of a hub or of an agent.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidName {
    /// Not a hub id.
    #[error("'{given}' is not a hub id: use 1 to 63 of a-z, 0-9 and inner '-'")]
    Hub {
        /// The start of what was given.
        given: String,
    },
    /// Not the URI of a hub.
    #[error("'{given}' is not a hub's name; it must be spiffe://<hub-id>/hub")]
    HubUri {
        /// The start of what was given.
        given: String,
    },
    /// Not the URI of an agent.
    #[error(
        "'{given}' is not an agent's name; it must be spiffe://<hub-id>/account/<account>/connection/<id>/agent/<id>"
    )]
    AgentUri {
        /// The start of what was given.
        given: String,
    },
}

fn clip(text: &str) -> String {
    text.chars().take(200).collect()
}

impl HubId {
    /// From 16 random bytes, with the mark of a development hub where it is one.
    #[must_use]
    pub fn from_random(random: [u8; 16], dev: bool) -> Self {
        use fmt::Write as _;
        let mut text = String::from(if dev { DEV_PREFIX } else { "hub-" });
        for byte in random {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it marks a development hub.
    #[must_use]
    pub fn is_dev(&self) -> bool {
        self.0.starts_with(DEV_PREFIX)
    }

    /// The URI in the certificates of this hub's servers.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{SCHEME}{}/hub", self.0)
    }

    /// Reads the URI of a hub's server.
    ///
    /// # Errors
    /// When the text is not exactly `spiffe://<hub-id>/hub`.
    pub fn from_uri(text: &str) -> Result<Self, InvalidName> {
        let parse = || text.strip_prefix(SCHEME)?.strip_suffix("/hub")?.parse().ok();
        parse().ok_or_else(|| InvalidName::HubUri { given: clip(text) })
    }
}

impl FromStr for HubId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fine = (1..=63).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::Hub { given: clip(text) })
        }
    }
}
impl TryFrom<String> for HubId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
impl From<HubId> for String {
    fn from(id: HubId) -> Self {
        id.0
    }
}
impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who an agent's certificate says it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AgentName {
    /// The hub that the agent belongs to.
    pub hub: HubId,
    /// The account that it acts in.
    pub account: AccountId,
    /// The connection that it serves.
    pub connection: ConnectionId,
    /// The agent itself.
    pub agent: AgentId,
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hub,
            account,
            connection,
            agent,
        } = self;
        write!(
            f,
            "{SCHEME}{hub}/account/{account}/connection/{connection}/agent/{agent}"
        )
    }
}

impl FromStr for AgentName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.strip_prefix(SCHEME)?.split('/');
            let mut field = |label: Option<&str>| {
                if let Some(label) = label {
                    (parts.next()? == label).then_some(())?;
                }
                parts.next()
            };
            let hub = field(None)?.parse().ok()?;
            let account = field(Some("account"))?.parse().ok()?;
            let connection = field(Some("connection"))?.parse().ok()?;
            let agent = field(Some("agent"))?.parse().ok()?;
            let name = Self {
                hub,
                account,
                connection,
                agent,
            };
            // Ids have several readable forms (hyphens, capitals); a name has one, so that logs, rows and
            // certificates can be compared as text.
            (name.to_string() == text).then_some(name)
        };
        parse().ok_or_else(|| InvalidName::AgentUri { given: clip(text) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> AgentName {
        AgentName {
            hub: "hub-1".parse().unwrap(),
            account: "012345678901".parse().unwrap(),
            connection: ConnectionId::from_parts(1, [1; 10]),
            agent: AgentId::from_parts(2, [2; 10]),
        }
    }

    #[test]
    fn names_round_trip() {
        let text = name().to_string();
        assert_eq!(text.parse::<AgentName>().unwrap(), name());
        let hub = HubId::from_random([7; 16], true);
        assert!(hub.is_dev());
        assert_eq!(HubId::from_uri(&hub.uri()).unwrap(), hub);
        assert!(!HubId::from_random([7; 16], false).is_dev());
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = name().to_string();
        let hyphens = good.replace(
            &name().agent.to_string(),
            &format!("agt_{}", name().agent.as_uuid().hyphenated()),
        );
        for wrong in [
            String::new(),
            good.to_uppercase(),
            format!("{good}/"),
            format!("{good}?x"),
            format!("{good}#x"),
            format!("{good}/agent/x"),
            format!(" {good}"),
            format!("{good}\0"),
            good.replace("spiffe://", "spiffe:///"),
            good.replace("spiffe://", "https://"),
            good.replace("spiffe://", "spiffe://user@"),
            good.replace("hub-1", "hub-1:80"),
            good.replace("/account/", "/accounts/"),
            good.replace("012345678901", "12345678901"),
            good.replace("conn_", "agt_"),
            hyphens,
        ] {
            assert!(wrong.parse::<AgentName>().is_err(), "{wrong}");
        }
        for wrong in [
            "spiffe:///hub",
            "spiffe://a/hub/",
            "spiffe://a/b/hub",
            "spiffe://A/hub",
            "spiffe://a/",
        ] {
            assert!(HubId::from_uri(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "-a", "a-", "a.b", "a_b", "a/b", "a\r\nb", &"a".repeat(64)] {
            assert!(wrong.parse::<HubId>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "\\PC*") {
            if let Ok(name) = text.parse::<AgentName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }

        #[test]
        fn one_changed_character_is_another_name_or_none(at in 0usize..160, with in any::<char>()) {
            let good = name().to_string();
            let at = at % good.len();
            let mut other: String = good.chars().take(at).collect();
            other.push(with);
            other.extend(good.chars().skip(at + 1));
            if other != good {
                prop_assert_ne!(other.parse::<AgentName>().ok(), Some(name()));
            }
        }
    }
}
