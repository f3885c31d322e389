//! What stacks may consist of: the same rules for the hub, which tells people early, and for agents, which enforce them for the
//! owners of their accounts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A resource type or a transform, or the beginning of one followed by `*`.
#[derive(Clone, PartialEq, Eq)]
pub struct TypePattern {
    text: String,
    open: bool,
}

impl TypePattern {
    /// Does the pattern cover this type? CloudFormation's own spelling is exact, so letters' case does not hide one. What
    /// CloudFormation puts into a name itself (`${...}`) may be anything.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let (pattern, given) = (self.text.as_bytes(), name.as_bytes());
        if let Some(known) = name.find("${") {
            let both = known.min(pattern.len());
            return given[..both].eq_ignore_ascii_case(&pattern[..both]);
        }
        if self.open {
            given.len() >= pattern.len() && given[..pattern.len()].eq_ignore_ascii_case(pattern)
        } else {
            given.eq_ignore_ascii_case(pattern)
        }
    }
}

impl FromStr for TypePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (stem, open) = text.strip_suffix('*').map_or((text, false), |stem| (stem, true));
        let word = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_' || c == '@' || c == '-';
        if stem.is_empty() && !open || !stem.chars().all(word) {
            return Err(format!(
                "'{text}' is no resource type such as AWS::IAM::User; a '*' may stand only at the end, as in AWS::Organizations::*"
            ));
        }
        Ok(Self {
            text: stem.to_owned(),
            open,
        })
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.open { "*" } else { "" })
    }
}

impl fmt::Debug for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of an S3 bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketName(String);

impl BucketName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bucket of an object, named by `s3://BUCKET/KEY` or one of the URLs that CloudFormation takes. Nothing else is
    /// one: what CloudFormation has to put together first may be any.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        if let Some(rest) = url.strip_prefix("s3://") {
            return rest.split_once('/')?.0.parse().ok();
        }
        let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
        let host = host
            .strip_suffix(".amazonaws.com.cn")
            .or_else(|| host.strip_suffix(".amazonaws.com"))?;
        // Of `s3`, `s3.REGION`, `s3-REGION`, `s3.dualstack.REGION`.
        let is_service = |labels: &str| {
            labels == "s3"
                || labels
                    .strip_prefix("s3.")
                    .or_else(|| labels.strip_prefix("s3-"))
                    .is_some_and(|region| {
                        let region = region.strip_prefix("dualstack.").unwrap_or(region);
                        !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    })
        };
        if is_service(host) {
            return path.split_once('/')?.0.parse().ok();
        }
        // The service's labels begin at the last place where they can: a bucket's name may have dots.
        let at = host
            .rmatch_indices(".s3")
            .map(|(at, _)| at)
            .find(|at| is_service(&host[at + 1..]))?;
        host[..at].parse().ok()
    }
}

impl FromStr for BucketName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let fine = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| inner(*b) || matches!(b, b'.' | b'-'))
            && bytes.first().is_some_and(|b| inner(*b))
            && bytes.last().is_some_and(|b| inner(*b));
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "'{text}' is no name of an S3 bucket; give the name alone, without s3://"
            ))
        }
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A dynamic reference, `SERVICE:NAME`, or the beginning of one followed by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePattern {
    text: String,
    open: bool,
}

impl ReferencePattern {
    /// Does the pattern cover `{{resolve:SERVICE:NAME...}}`? One that is not closed, or that CloudFormation puts together
    /// within the pattern's part of it, is not covered.
    #[must_use]
    pub fn covers(&self, reference: &str) -> bool {
        let inner = reference
            .strip_prefix("{{resolve:")
            .and_then(|inner| inner.strip_suffix("}}"));
        let Some(rest) = inner.and_then(|inner| inner.strip_prefix(self.text.as_str())) else {
            return false;
        };
        // Behind the name there may be a version or a key.
        self.open || rest.is_empty() || rest.starts_with(':')
    }
}

impl FromStr for ReferencePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (stem, open) = text.strip_suffix('*').map_or((text, false), |stem| (stem, true));
        let fine = ["ssm:", "ssm-secure:", "secretsmanager:"].iter().any(|service| {
            stem.strip_prefix(service)
                .is_some_and(|name| open || !name.is_empty())
        });
        if !fine || stem.contains(['*', '{', '}', ' ']) {
            return Err(format!(
                "'{text}' is no dynamic reference: give ssm:, ssm-secure: or secretsmanager: and a name, such as ssm:/shop/*; a '*' \
                 may stand only at the end"
            ));
        }
        Ok(Self {
            text: stem.to_owned(),
            open,
        })
    }
}

impl fmt::Display for ReferencePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.open { "*" } else { "" })
    }
}

/// What a stack consists of, as far as there are rules about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackContents<'a> {
    /// Types of resources.
    pub types: BTreeSet<&'a str>,
    /// Transforms and macros.
    pub transforms: BTreeSet<&'a str>,
    /// Where templates are taken in from: nested stacks, `AWS::Include`.
    pub nested: BTreeSet<&'a str>,
    /// Dynamic references.
    pub references: BTreeSet<&'a str>,
}

/// What stacks may consist of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentRules {
    /// Resource types that may not be in a template.
    pub denied_resource_types: Vec<TypePattern>,
    /// Transforms and macros that may not be in a template.
    pub denied_transforms: Vec<TypePattern>,
    /// Buckets that nested stacks and `AWS::Include` may take templates from; `None` allows all.
    pub nested_stack_buckets: Option<Vec<BucketName>>,
    /// Dynamic references that may be in a template; `None` allows all.
    pub dynamic_references: Option<Vec<ReferencePattern>>,
}

/// A rule that a template breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenContentRule {
    /// The rule's key, without the section of the configuration.
    pub key: &'static str,
    /// What is in the template.
    pub found: String,
    /// What to change about the rule to allow it.
    pub remedy: String,
}

impl ContentRules {
    /// The first rule that is broken, if any is.
    ///
    /// # Errors
    /// Says what is in the template and may not be.
    pub fn check(&self, contents: &StackContents<'_>) -> Result<(), BrokenContentRule> {
        self.types(contents.types.iter().copied())?;
        for transform in &contents.transforms {
            if let Some(denied) = self
                .denied_transforms
                .iter()
                .find(|denied| denied.covers(transform))
            {
                return Err(BrokenContentRule {
                    key: "denied_transforms",
                    found: format!("the template has the transform {transform}, which '{denied}' denies"),
                    remedy: format!("take '{denied}' out of"),
                });
            }
        }
        if let Some(allowed) = &self.nested_stack_buckets {
            for url in &contents.nested {
                let bucket = BucketName::of_url(url);
                if !bucket.as_ref().is_some_and(|bucket| allowed.contains(bucket)) {
                    let (what, add) = match bucket {
                        Some(bucket) => (format!("bucket '{bucket}'"), bucket.to_string()),
                        None => (
                            "a place that is not written out".to_owned(),
                            "a bucket that is".to_owned(),
                        ),
                    };
                    return Err(BrokenContentRule {
                        key: "nested_stack_buckets",
                        found: format!("the template takes another one in from {what} ({url})"),
                        remedy: format!("add {add} to"),
                    });
                }
            }
        }
        if let Some(allowed) = &self.dynamic_references {
            for reference in &contents.references {
                if !allowed.iter().any(|pattern| pattern.covers(reference)) {
                    return Err(BrokenContentRule {
                        key: "dynamic_references",
                        found: format!(
                            "the template has the dynamic reference {reference}, which is not among those allowed"
                        ),
                        remedy: "add it, or the beginning of its name and '*', to".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The first type that is denied, if any is.
    ///
    /// # Errors
    /// Names it.
    pub fn types<'a>(&self, types: impl IntoIterator<Item = &'a str>) -> Result<(), BrokenContentRule> {
        for resource_type in types {
            let mut patterns = self.denied_resource_types.iter();
            if let Some(denied) = patterns.find(|denied| denied.covers(resource_type)) {
                return Err(BrokenContentRule {
                    key: "denied_resource_types",
                    found: format!(
                        "the template has a resource of type {resource_type}, which '{denied}' denies"
                    ),
                    remedy: format!("take '{denied}' out of"),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> ContentRules {
        ContentRules {
            denied_resource_types: vec![
                "AWS::IAM::User".parse().unwrap(),
                "AWS::Organizations::*".parse().unwrap(),
            ],
            denied_transforms: vec!["AWS::Include".parse().unwrap()],
            nested_stack_buckets: Some(vec!["templates.example".parse().unwrap()]),
            dynamic_references: Some(vec![
                "ssm:/shop/*".parse().unwrap(),
                "secretsmanager:shop".parse().unwrap(),
            ]),
        }
    }

    fn broken(contents: &StackContents<'_>) -> Option<&'static str> {
        rules().check(contents).err().map(|broken| broken.key)
    }

    #[test]
    fn types_and_transforms_are_denied_whatever_their_case() {
        let types = |name| StackContents {
            types: BTreeSet::from([name]),
            ..StackContents::default()
        };
        for denied in [
            "AWS::IAM::User",
            "aws::iam::user",
            "AWS::Organizations::Policy",
            "AWS::IAM::${Kind}",
            "${Kind}",
        ] {
            assert_eq!(broken(&types(denied)), Some("denied_resource_types"), "{denied}");
        }
        for fine in [
            "AWS::IAM::UserToGroupAddition",
            "AWS::S3::Bucket",
            "AWS::S3::${Kind}",
        ] {
            assert_eq!(broken(&types(fine)), None, "{fine}");
        }
        let transforms = |name| StackContents {
            transforms: BTreeSet::from([name]),
            ..StackContents::default()
        };
        assert_eq!(broken(&transforms("AWS::Include")), Some("denied_transforms"));
        assert_eq!(broken(&transforms("AWS::Serverless-2016-10-31")), None);
    }

    #[test]
    fn templates_are_taken_in_from_listed_buckets_only() {
        let nested = |url| StackContents {
            nested: BTreeSet::from([url]),
            ..StackContents::default()
        };
        for fine in [
            "s3://templates.example/a.yaml",
            "https://templates.example.s3.amazonaws.com/a.yaml",
            "https://templates.example.s3.eu-west-1.amazonaws.com/a.yaml",
            "https://templates.example.s3.dualstack.eu-west-1.amazonaws.com/a.yaml",
            "https://templates.example.s3-eu-west-1.amazonaws.com/a.yaml",
            "https://s3.amazonaws.com/templates.example/a.yaml",
            "https://s3.eu-west-1.amazonaws.com/templates.example/a.yaml",
            "https://s3.cn-north-1.amazonaws.com.cn/templates.example/a.yaml",
        ] {
            assert_eq!(broken(&nested(fine)), None, "{fine}");
        }
        for other in [
            "https://foreign.s3.amazonaws.com/a.yaml",
            "https://s3.amazonaws.com/foreign/templates.example",
            "https://templates.example.s3.amazonaws.com.evil.example/a.yaml",
            "https://evil.example/templates.example.s3.amazonaws.com/a",
            "https://evil.example@templates.example.s3.amazonaws.com/a",
            "http://templates.example.s3.amazonaws.com/a.yaml",
            "https://${Bucket}.s3.amazonaws.com/a.yaml",
            "https://templates.example.s3.amazonaws.com",
            "s3://templates.example",
            "?",
            "",
        ] {
            assert_eq!(broken(&nested(other)), Some("nested_stack_buckets"), "{other}");
        }
    }

    #[test]
    fn dynamic_references_are_of_listed_names_only() {
        let references = |name| StackContents {
            references: BTreeSet::from([name]),
            ..StackContents::default()
        };
        for fine in [
            "{{resolve:ssm:/shop/db}}",
            "{{resolve:ssm:/shop/db:3}}",
            "{{resolve:ssm:/shop/${Name}}}",
            "{{resolve:secretsmanager:shop}}",
            "{{resolve:secretsmanager:shop:SecretString:password}}",
        ] {
            assert_eq!(broken(&references(fine)), None, "{fine}");
        }
        for other in [
            "{{resolve:ssm:/other}}",
            "{{resolve:ssm-secure:/shop/db}}",
            "{{resolve:secretsmanager:shopping}}",
            "{{resolve:secretsmanager:${Name}}}",
            "{{resolve:",
            "{{resolve:ssm:/shop/db",
        ] {
            assert_eq!(broken(&references(other)), Some("dynamic_references"), "{other}");
        }
        for wrong in ["", "*", "ssm:", "kms:x", "ssm:a*b", "ssm:{{x"] {
            assert!(wrong.parse::<ReferencePattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_forbidden_where_there_are_no_rules() {
        let contents = StackContents {
            types: BTreeSet::from(["AWS::IAM::User"]),
            transforms: BTreeSet::from(["AWS::Include"]),
            nested: BTreeSet::from(["?"]),
            references: BTreeSet::from(["{{resolve:"]),
        };
        assert_eq!(ContentRules::default().check(&contents), Ok(()));
    }
}
