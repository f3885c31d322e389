//! Which role an IAM identity plays at this hub. People of the management account are told apart by their ARNs; people of
//! any other account own that account here and nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use hadron_domain::authority::{Right, Role, Scope};
use hadron_proto::vocab::{AccountId, Partition};

use crate::identity::login::MAX_NAME;
use crate::identity::oidc::{Alias, GROUP, Glob, PRINCIPAL, is_group};
use crate::store::bindings::BindingRow;
use crate::store::requests::TokenRow;

/// An ARN in which `*` stands for any characters.
#[derive(Clone, PartialEq, Eq)]
pub struct ArnPattern(String);

/// The text is no pattern that an identity could match.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidPattern {
    /// Not of the form of an IAM ARN.
    #[error(
        "'{0}' is no pattern of an IAM ARN, such as arn:aws:iam::111111111111:role/admin or arn:aws:iam::111111111111:user/*"
    )]
    Form(String),
    /// A role with a path.
    #[error(
        "'{0}' names a role with its path, which STS does not tell: leave the path out, role names are unique in an account"
    )]
    RolePath(String),
    /// Not of the form of those whom an issuer knows.
    #[error(
        "'{0}' names nobody whom an issuer knows: write oidc:<issuer>:<name>, with '*' for any characters but ':', or \
         oidc-group:<issuer>:<group>"
    )]
    Known(String),
    /// Something that was minted, with a name that nothing has.
    #[error("'{0}' is no name of a token or an access key: 1 to 64 of letters, digits, '-', '_' and '.'")]
    Name(String),
}

impl ArnPattern {
    /// Whether an ARN matches.
    #[must_use]
    pub fn matches(&self, arn: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| arn.strip_prefix(first)) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// The partition that the pattern names.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The account that the pattern names.
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

impl FromStr for ArnPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || InvalidPattern::Form(text.chars().take(200).collect());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return Err(form());
        };
        let known = [Partition::Aws, Partition::China, Partition::GovCloud].map(Partition::as_str);
        if !known.contains(&partition) || account.parse::<AccountId>().is_err() || resource.is_empty() {
            return Err(form());
        }
        if resource
            .strip_prefix("role/")
            .is_some_and(|name| name.contains('/'))
        {
            return Err(InvalidPattern::RolePath(text.chars().take(200).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ArnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for ArnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody whom an issuer knows, or a group of them.
#[derive(Clone, PartialEq, Eq)]
pub enum Known {
    /// People or workloads: the issuer, and what they are called there.
    Named(Alias, Glob),
    /// Whoever is in this group.
    Group(Alias, String),
}

impl Known {
    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Alias {
        match self {
            Self::Named(alias, _) | Self::Group(alias, _) => alias,
        }
    }

    /// Whether it means somebody.
    #[must_use]
    pub fn means(&self, principal: &str, groups: &[String]) -> bool {
        match self {
            Self::Named(alias, name) => {
                let rest = principal
                    .strip_prefix(PRINCIPAL)
                    .and_then(|rest| rest.strip_prefix(alias.as_str()));
                rest.and_then(|rest| rest.strip_prefix(':'))
                    .is_some_and(|found| name.matches(found))
            }
            Self::Group(..) => groups.contains(&self.to_string()),
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(alias, name) => write!(f, "{PRINCIPAL}{alias}:{name}"),
            Self::Group(alias, group) => write!(f, "{GROUP}{alias}:{group}"),
        }
    }
}
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Known {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || InvalidPattern::Known(text.chars().take(200).collect());
        let (rest, group) = match (text.strip_prefix(PRINCIPAL), text.strip_prefix(GROUP)) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(form()),
        };
        let (alias, name) = rest.split_once(':').ok_or_else(form)?;
        let alias: Alias = alias.parse().map_err(|_| form())?;
        if !group {
            return Ok(Self::Named(alias, name.parse().map_err(|_| form())?));
        }
        if is_group(name) {
            Ok(Self::Group(alias, name.to_owned()))
        } else {
            Err(form())
        }
    }
}

/// Whom the configuration means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// IAM identities of the management account.
    Arn(ArnPattern),
    /// Those whom an issuer knows.
    Known(Known),
}

impl FromStr for Listed {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(PRINCIPAL) || text.starts_with(GROUP) {
            text.parse().map(Self::Known)
        } else {
            text.parse().map(Self::Arn)
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(pattern) => fmt::Display::fmt(pattern, f),
            Self::Known(known) => fmt::Display::fmt(known, f),
        }
    }
}

/// Whom a binding means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalPattern {
    /// IAM identities of any account.
    Arn(ArnPattern),
    /// Those whom an issuer knows.
    Known(Known),
    /// The bearer of a minted token or access key, `token:<name>` or `key:<name>`.
    Minted(String),
}

impl FromStr for PrincipalPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("token:").or_else(|| text.strip_prefix("key:"));
        let Some(name) = name else {
            return Ok(match text.parse::<Listed>()? {
                Listed::Arn(pattern) => Self::Arn(pattern),
                Listed::Known(known) => Self::Known(known),
            });
        };
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(word) {
            Ok(Self::Minted(text.to_owned()))
        } else {
            Err(InvalidPattern::Name(text.chars().take(200).collect()))
        }
    }
}

impl fmt::Display for PrincipalPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(pattern) => fmt::Display::fmt(pattern, f),
            Self::Known(known) => fmt::Display::fmt(known, f),
            Self::Minted(name) => f.write_str(name),
        }
    }
}

/// Whether a binding means somebody who is in these groups.
#[must_use]
pub fn means(binding: &BindingRow, principal: &str, groups: &[String]) -> bool {
    if binding.principal.starts_with(PRINCIPAL) || binding.principal.starts_with(GROUP) {
        binding
            .principal
            .parse::<Known>()
            .is_ok_and(|known| known.means(principal, groups))
    } else if binding.principal.contains('*') {
        ArnPattern(binding.principal.clone()).matches(principal)
    } else {
        binding.principal == principal
    }
}

/// Somebody, with what was found when they proved who they are.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// What they are called.
    pub principal: &'a str,
    /// The account that was proven.
    pub account: Option<AccountId>,
    /// The part that they play everywhere.
    pub base: Option<Role>,
    /// The groups that they are in.
    pub groups: &'a [String],
}

impl<'a> Whom<'a> {
    /// The bearer of a token.
    #[must_use]
    pub fn of(token: &'a TokenRow) -> Self {
        Self {
            principal: &token.principal,
            account: token.account,
            base: token.role,
            groups: &token.groups,
        }
    }
}

/// The parts that somebody plays: one that was found when they proved who they are, and what bindings give them.
#[must_use]
pub fn rights(whom: Whom<'_>, bindings: &[BindingRow]) -> Vec<Right> {
    let Whom {
        principal,
        account,
        base,
        groups,
    } = whom;
    let base = base.map(|role| match (role, account) {
        (Role::Owner, Some(own)) => Right {
            role,
            scope: Scope::Account(own),
        },
        _ => Right::everywhere(role),
    });
    let bound = bindings
        .iter()
        .filter(|binding| means(binding, principal, groups))
        .map(|binding| binding.right.clone());
    let rights: BTreeSet<Right> = base.into_iter().chain(bound).collect();
    rights.into_iter().collect()
}

/// Who plays which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The management account.
    pub account: AccountId,
    /// Its partition: account ids of another one mean other accounts.
    pub partition: Partition,
    /// Administrators: of the management account, or of an issuer.
    pub administrators: Vec<Listed>,
    /// Developers.
    pub developers: Vec<Listed>,
    /// Auditors.
    pub auditors: Vec<Listed>,
    /// The issuers that people and workloads may come from.
    pub issuers: Vec<Alias>,
}

impl Access {
    /// The role of an identity; `None` when it has none. Where several lists name it, the most powerful role counts.
    #[must_use]
    pub fn role(&self, account: AccountId, arn: &str) -> Option<Role> {
        if !arn.starts_with("arn:") || arn.split(':').nth(1) != Some(self.partition.as_str()) {
            return None;
        }
        if account != self.account {
            return Some(Role::Owner);
        }
        self.listed(|one| matches!(one, Listed::Arn(pattern) if pattern.matches(arn)))
    }

    /// The role of somebody whom an issuer knows, as [`Self::role`].
    #[must_use]
    pub fn role_of_known(&self, principal: &str, groups: &[String]) -> Option<Role> {
        self.listed(|one| matches!(one, Listed::Known(known) if known.means(principal, groups)))
    }

    fn listed(&self, means: impl Fn(&Listed) -> bool) -> Option<Role> {
        let lists = [
            (Role::Administrator, &self.administrators),
            (Role::Developer, &self.developers),
            (Role::Auditor, &self.auditors),
        ];
        lists
            .into_iter()
            .find(|(_, list)| list.iter().any(&means))
            .map(|(role, _)| role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> ArnPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        let all = pattern("arn:aws:iam::111111111111:*");
        assert!(all.matches("arn:aws:iam::111111111111:root"));
        assert!(!all.matches("arn:aws:iam::111111111112:root"));
        let some = pattern("arn:aws:iam::111111111111:role/AWSReservedSSO_Admin_*");
        assert!(some.matches("arn:aws:iam::111111111111:role/AWSReservedSSO_Admin_0123"));
        assert!(!some.matches("arn:aws:iam::111111111111:role/Other"));
        let two = pattern("arn:aws:iam::111111111111:user/*/ann*x");
        assert!(two.matches("arn:aws:iam::111111111111:user/team/annx"));
        assert!(!two.matches("arn:aws:iam::111111111111:user/team/ann"));
        assert!(!pattern("arn:aws:iam::111111111111:role/a").matches("arn:aws:iam::111111111111:role/ab"));
        // What is matched by the beginning cannot be matched by the end again.
        assert!(
            !pattern("arn:aws:iam::111111111111:role/aba*ba").matches("arn:aws:iam::111111111111:role/aba")
        );
    }

    #[test]
    fn patterns_that_could_never_match_are_refused() {
        for wrong in [
            "*",
            "arn:aws:iam::*:role/x",
            "arn:aws:sts::111111111111:assumed-role/x/y",
            "role/x",
        ] {
            assert!(
                matches!(wrong.parse::<ArnPattern>(), Err(InvalidPattern::Form(_))),
                "{wrong}"
            );
        }
        let path = "arn:aws:iam::111111111111:role/team/x".parse::<ArnPattern>();
        assert!(matches!(path, Err(InvalidPattern::RolePath(_))));
    }

    #[test]
    fn other_accounts_own_themselves_and_other_partitions_are_nobody() {
        let access = Access {
            account: "111111111111".parse().unwrap(),
            partition: Partition::Aws,
            administrators: vec![
                "arn:aws:iam::111111111111:role/admin".parse().unwrap(),
                "oidc-group:corp:platform".parse().unwrap(),
            ],
            developers: vec![
                "arn:aws:iam::111111111111:*".parse().unwrap(),
                "oidc:ci:repo:acme/*:ref:refs/heads/main".parse().unwrap(),
            ],
            auditors: vec![],
            issuers: vec!["corp".parse().unwrap(), "ci".parse().unwrap()],
        };
        let role = |account: &str, arn: &str| access.role(account.parse().unwrap(), arn);
        assert_eq!(
            role("111111111111", "arn:aws:iam::111111111111:role/admin"),
            Some(Role::Administrator)
        );
        assert_eq!(
            role("111111111111", "arn:aws:iam::111111111111:user/ann"),
            Some(Role::Developer)
        );
        assert_eq!(
            role("333333333333", "arn:aws:iam::333333333333:role/admin"),
            Some(Role::Owner)
        );
        assert_eq!(
            role("111111111111", "arn:aws-cn:iam::111111111111:role/admin"),
            None
        );
        // A name that an issuer gave is no ARN, whatever it looks like.
        assert_eq!(
            role("333333333333", "oidc:aws:iam::333333333333:role/admin"),
            None
        );
        let known = |principal: &str, groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            access.role_of_known(principal, &groups)
        };
        assert_eq!(
            known("oidc:corp:ann", &["oidc-group:corp:platform"]),
            Some(Role::Administrator)
        );
        assert_eq!(known("oidc:corp:ann", &["oidc-group:other:platform"]), None);
        assert_eq!(
            known("oidc:ci:repo:acme/web:ref:refs/heads/main", &[]),
            Some(Role::Developer)
        );
        assert_eq!(known("oidc:other:repo:acme/web:ref:refs/heads/main", &[]), None);
        assert_eq!(
            known("oidc:ci:repo:acme/web:ref:x:ref:refs/heads/main", &[]),
            None
        );
    }

    #[test]
    fn whom_an_issuer_knows_is_named_with_the_issuer() {
        for right in [
            "oidc:corp:ann@example.com",
            "oidc:ci:repo:acme/*",
            "oidc-group:corp:Platform Team",
        ] {
            let pattern: PrincipalPattern = right.parse().unwrap();
            assert!(matches!(pattern, PrincipalPattern::Known(_)));
            assert_eq!(pattern.to_string(), right);
        }
        for wrong in [
            "oidc:corp",
            "oidc:*:ann",
            "oidc:Corp:ann",
            "oidc:corp:",
            "oidc-group:corp:*",
            "oidc-group:corp:",
            "oidc-group:corp: x",
        ] {
            assert!(
                matches!(wrong.parse::<PrincipalPattern>(), Err(InvalidPattern::Known(_))),
                "{wrong}"
            );
        }
    }
}
