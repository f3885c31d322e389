//! Patterns of subjects and claims.

use std::fmt;
use std::str::FromStr;

/// The longest pattern.
const LONGEST: usize = 512;

/// A text in which `*` stands for any characters but ':', and at the end for any characters at all.
///
/// Subjects of workloads are lists with ':' between their parts, such as `repo:acme/web:ref:refs/heads/main`. A star
/// inside must not reach over one of them: what follows it would be found in a part that somebody else chose.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob(String);

/// The text is no pattern.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no pattern: use 1 to {LONGEST} visible ASCII characters, with '*' for any")]
pub struct InvalidGlob(String);

impl Glob {
    /// Whether a text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        fits(&parts, rest)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says nothing at all about a text.
    #[must_use]
    pub fn is_anything(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }
}

/// Whether a text is what stars and the parts behind each of them make up. The first place of a part is the best one: a
/// later one leaves less, and reaches over more.
fn fits(parts: &[&str], text: &str) -> bool {
    let mut rest = text;
    for (at, part) in parts.iter().enumerate() {
        if at + 1 == parts.len() {
            return part.is_empty()
                || (rest.ends_with(part) && !rest[..rest.len() - part.len()].contains(':'));
        }
        match rest.find(part) {
            Some(place) if !rest[..place].contains(':') => rest = &rest[place + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty()
}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fine = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidGlob(text.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_inside_stays_between_two_colons() {
        let matches = |pattern: &str, text: &str| pattern.parse::<Glob>().unwrap().matches(text);
        assert!(matches(
            "repo:acme/web:ref:refs/heads/main",
            "repo:acme/web:ref:refs/heads/main"
        ));
        assert!(!matches("repo:acme/web", "repo:acme/web:ref:refs/heads/main"));
        assert!(matches("repo:acme/web:*", "repo:acme/web:ref:refs/heads/main"));
        assert!(matches(
            "repo:acme/*:environment:prd",
            "repo:acme/web:environment:prd"
        ));
        assert!(!matches(
            "repo:acme/*:environment:prd",
            "repo:acme/web:ref:x:environment:prd"
        ));
        assert!(matches("repo:*/*:pull_request", "repo:acme/web:pull_request"));
        assert!(!matches(
            "repo:acme/*:pull_request",
            "repo:evil/acme/web:pull_request"
        ));
        assert!(matches("*", "anything: at all"));
        assert!(matches("a*a*", "aa:b") && !matches("a*a", "a"));
        for wrong in ["", "with space", "line\nend", "käse"] {
            assert!(wrong.parse::<Glob>().is_err(), "{wrong}");
        }
        assert!("**".parse::<Glob>().unwrap().is_anything() && !"a*".parse::<Glob>().unwrap().is_anything());
    }
}
