//! `[oidc.NAME]`: who else says who people and workloads are.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Source, counted};
use crate::identity::oidc::{Alias, Condition, IssuerConfig, Purpose, check_issuer};

/// An issuer, and where the secret is that it gave the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The issuer; without the secret.
    pub issuer: IssuerConfig,
    /// The file with the secret.
    pub secret_file: Option<PathBuf>,
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IssuerConfig {
            alias,
            issuer,
            purpose,
            ..
        } = &self.issuer;
        match purpose {
            Purpose::People { .. } => write!(f, "{alias}: people of {issuer}"),
            Purpose::Workloads { audience, conditions } => {
                write!(f, "{alias}: workloads of {issuer} for {audience} with")?;
                conditions
                    .iter()
                    .try_for_each(|condition| write!(f, " {condition}"))
            }
        }
    }
}

/// All issuers that the file names.
pub(super) fn issuers(source: &mut Source, dev: bool) -> Vec<Issuer> {
    let names = source.named("oidc");
    let found: Vec<Option<Issuer>> = names.iter().map(|name| issuer(source, name, dev)).collect();
    found.into_iter().flatten().collect()
}

/// Keys that are for people, and those for workloads.
const PEOPLE: [&str; 3] = ["client_secret_file", "scopes", "groups_claim"];

fn issuer(source: &mut Source, name: &str, dev: bool) -> Option<Issuer> {
    let key = |key: &str| format!("oidc.{name}.{key}");
    let alias: Option<Alias> = match name.parse() {
        Ok(alias) => Some(alias),
        Err(error) => {
            source.fault(&format!("oidc.{name}"), format!("{error}"));
            None
        }
    };
    let address: Option<String> = source.required(&key("issuer"));
    if let Some(error) = address.as_ref().and_then(|url| check_issuer(url, dev).err()) {
        source.fault(&key("issuer"), error.to_string());
    } else if address.as_ref().is_some_and(|url| url.contains(['?', '#'])) {
        source.fault(&key("issuer"), "an issuer has no query and no fragment");
    }
    let name_claim = source
        .text(&key("name_claim"))
        .unwrap_or_else(|| "sub".to_owned());
    let client_id = source.text(&key("client_id")).filter(|id| !id.is_empty());
    let audience = source
        .text(&key("audience"))
        .filter(|audience| !audience.is_empty());
    let secret_file = source.text(&key("client_secret_file")).map(PathBuf::from);
    let session = |source: &mut Source, default, most| {
        Duration::from_secs(counted(source, &key("session_seconds"), default, 60, most))
    };
    let (purpose, session) = match (client_id, audience) {
        (Some(client_id), None) => {
            if source.has(&key("conditions")) {
                source.fault(
                    &key("conditions"),
                    "is for workloads, with audience instead of client_id",
                );
            }
            let mut scopes = source
                .list(&key("scopes"))
                .unwrap_or_else(|| ["openid", "profile", "email"].map(str::to_owned).to_vec());
            if !scopes.iter().any(|scope| scope == "openid") {
                scopes.insert(0, "openid".to_owned());
            }
            let groups_claim = source
                .text(&key("groups_claim"))
                .unwrap_or_else(|| "groups".to_owned());
            let people = Purpose::People {
                client_id,
                client_secret: None,
                scopes,
                groups_claim,
            };
            (people, session(source, 3_600, 43_200))
        }
        (None, Some(audience)) => {
            for one in PEOPLE {
                if source.has(&key(one)) {
                    source.fault(&key(one), "is for people, with client_id instead of audience");
                }
            }
            let conditions: Vec<Condition> = source.list(&key("conditions")).unwrap_or_default();
            if conditions.is_empty() && !source.faults.iter().any(|fault| fault.key == key("conditions")) {
                source.fault(
                    &key("conditions"),
                    "missing; anybody with an account at the issuer can ask it for a token that is for this hub. Say whose \
                     count, such as [\"repository=acme/web\"]",
                );
            }
            (
                Purpose::Workloads { audience, conditions },
                session(source, 900, 3_600),
            )
        }
        (Some(_), Some(_)) => {
            source.fault(
                &key("audience"),
                "client_id is given as well: use one table for people and one for workloads",
            );
            return None;
        }
        (None, None) => {
            source.fault(
                &key("client_id"),
                "missing; give client_id where people log in, or audience where workloads get their tokens",
            );
            return None;
        }
    };
    Some(Issuer {
        issuer: IssuerConfig {
            alias: alias?,
            issuer: address?,
            purpose,
            name_claim,
            session,
        },
        secret_file,
    })
}
