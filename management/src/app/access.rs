//! Which role an IAM identity plays at this hub. People of the management account are told apart by their ARNs; people of
//! any other account own that account here and nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use hadron_domain::authority::{Right, Role, Scope};
use hadron_proto::vocab::{AccountId, Partition};

use crate::identity::login::MAX_NAME;
use crate::store::bindings::BindingRow;

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

/// Whom a binding means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalPattern {
    /// IAM identities of any account.
    Arn(ArnPattern),
    /// The bearer of a minted token or access key, `token:<name>` or `key:<name>`.
    Minted(String),
}

impl FromStr for PrincipalPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("token:").or_else(|| text.strip_prefix("key:"));
        let Some(name) = name else {
            return text.parse().map(Self::Arn);
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
            Self::Minted(name) => f.write_str(name),
        }
    }
}

/// Whether a binding means somebody.
#[must_use]
pub fn means(binding: &BindingRow, principal: &str) -> bool {
    if binding.principal.contains('*') {
        ArnPattern(binding.principal.clone()).matches(principal)
    } else {
        binding.principal == principal
    }
}

/// The parts that somebody plays: one that was found when they proved who they are, and what bindings give them.
#[must_use]
pub fn rights(
    principal: &str,
    account: Option<AccountId>,
    base: Option<Role>,
    bindings: &[BindingRow],
) -> Vec<Right> {
    let base = base.map(|role| match (role, account) {
        (Role::Owner, Some(own)) => Right {
            role,
            scope: Scope::Account(own),
        },
        _ => Right::everywhere(role),
    });
    let bound = bindings
        .iter()
        .filter(|binding| means(binding, principal))
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
    /// Administrators of the management account.
    pub administrators: Vec<ArnPattern>,
    /// Its developers.
    pub developers: Vec<ArnPattern>,
    /// Its auditors.
    pub auditors: Vec<ArnPattern>,
}

impl Access {
    /// The role of an identity; `None` when it has none. Where several lists name it, the most powerful role counts.
    #[must_use]
    pub fn role(&self, account: AccountId, arn: &str) -> Option<Role> {
        if arn.split(':').nth(1) != Some(self.partition.as_str()) {
            return None;
        }
        if account != self.account {
            return Some(Role::Owner);
        }
        let lists = [
            (Role::Administrator, &self.administrators),
            (Role::Developer, &self.developers),
            (Role::Auditor, &self.auditors),
        ];
        lists
            .into_iter()
            .find(|(_, list)| list.iter().any(|pattern| pattern.matches(arn)))
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
            administrators: vec![pattern("arn:aws:iam::111111111111:role/admin")],
            developers: vec![pattern("arn:aws:iam::111111111111:*")],
            auditors: vec![],
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
    }
}
