//! Names of Proton resources: 1 to 100 characters, `[0-9A-Za-z]+[0-9A-Za-z_\-]*` (Proton's API model, `ResourceName`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text may not be used as a name.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum InvalidName {
    /// Nothing was given.
    #[error("{what} must not be empty; use 1 to {max} letters, digits, '-' and '_'")]
    Empty {
        /// What was to be named.
        what: &'static str,
        /// The longest that is allowed, in characters.
        max: usize,
    },
    /// Longer than Proton allows.
    #[error("{what} '{start}...' has {length} characters; at most {max} are allowed")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// The first characters of what was given.
        start: String,
        /// Its length in characters.
        length: usize,
        /// The longest that is allowed, in characters.
        max: usize,
    },
    /// A character that Proton does not allow.
    #[error(
        "{what} '{given}' has the character '{found}' at position {position}; use letters, digits, '-' and '_', and begin with a letter or digit"
    )]
    Character {
        /// What was to be named.
        what: &'static str,
        /// The text that was given.
        given: String,
        /// The first character that may not stand where it is.
        found: char,
        /// Its position, counted from 1.
        position: usize,
    },
    /// A template version that is not `major.minor`.
    #[error("template version '{given}' must be MAJOR.MINOR, such as 1.0")]
    Version {
        /// The text that was given.
        given: String,
    },
}

fn check(
    what: &'static str,
    text: &str,
    max: usize,
    first: fn(char) -> bool,
    rest: fn(char) -> bool,
) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty { what, max });
    }
    for (index, found) in text.chars().enumerate() {
        let fine = if index == 0 { first(found) } else { rest(found) };
        if !fine {
            let given = text.chars().take(max).collect();
            return Err(InvalidName::Character {
                what,
                given,
                found,
                position: index + 1,
            });
        }
    }
    let length = text.chars().count();
    if length > max {
        return Err(InvalidName::TooLong {
            what,
            start: text.chars().take(12).collect(),
            length,
            max,
        });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $first:expr, $rest:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                check($what, text, $max, $first, $rest)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                check($what, &text, $max, $first, $rest)?;
                Ok(Self(text))
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}
fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}
fn letter(c: char) -> bool {
    c.is_ascii_alphabetic()
}
fn stack(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

name!(
    /// The name of an environment.
    EnvironmentName, "environment name", 100, alphanumeric, word
);
name!(
    /// The name of a service.
    ServiceName, "service name", 100, alphanumeric, word
);
name!(
    /// The name of a service instance, unique in its service.
    InstanceName, "service instance name", 100, alphanumeric, word
);
name!(
    /// The name of an environment or service template.
    TemplateName, "template name", 100, alphanumeric, word
);
name!(
    /// The name of a component.
    ComponentName, "component name", 100, alphanumeric, word
);
name!(
    /// What the names of all stacks begin with. Users' IAM policies name it, so it is configured and never guessed.
    StackPrefix, "stack prefix", 40, letter, stack
);

impl StackPrefix {
    /// What Proton used, and what existing IAM policies allow.
    #[must_use]
    pub fn proton() -> Self {
        Self("AWSProton-".to_owned())
    }
}

/// A template version: majors count from 1, minors from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TemplateVersion {
    /// Counts from 1; a new one may break specs.
    pub major: u32,
    /// Counts from 0; compatible with its predecessors.
    pub minor: u32,
}

impl fmt::Display for TemplateVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
impl fmt::Debug for TemplateVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for TemplateVersion {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse().ok())
                .flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: number(major)?,
                    minor: number(minor)?,
                })
            })
            .filter(|version| version.major > 0)
            .ok_or_else(|| InvalidName::Version {
                given: text.to_owned(),
            })
    }
}
impl TryFrom<String> for TemplateVersion {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
impl From<TemplateVersion> for String {
    fn from(version: TemplateVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_protons_pattern() {
        for fine in ["a", "prd", "my-env_2", "0start", &"x".repeat(100)] {
            assert!(fine.parse::<EnvironmentName>().is_ok(), "{fine}");
        }
        let long = "x".repeat(101).parse::<EnvironmentName>().unwrap_err();
        assert_eq!(
            long.to_string(),
            "environment name 'xxxxxxxxxxxx...' has 101 characters; at most 100 are allowed"
        );
        assert!("-a".parse::<EnvironmentName>().is_err());
        let space = "a b".parse::<ServiceName>().unwrap_err().to_string();
        assert!(space.contains("character ' ' at position 2"), "{space}");
        assert!("".parse::<InstanceName>().is_err());
    }

    #[test]
    fn versions_are_two_numbers() {
        assert_eq!(
            "2.13".parse::<TemplateVersion>().unwrap(),
            TemplateVersion { major: 2, minor: 13 }
        );
        for wrong in ["", "1", "0.1", "1.", ".1", "1.2.3", "v1.0", "1.+2", "-1.0"] {
            assert!(wrong.parse::<TemplateVersion>().is_err(), "{wrong}");
        }
    }
}
