//! Tags. Customers give their own; managed ones follow from what a thing is, and nobody can change them.

use std::collections::BTreeMap;

use hadron_proto::vocab::{AccountId, EnvironmentName};

use crate::arn::Resource;

/// Tags of customers, by key.
pub type Tags = BTreeMap<String, String>;

/// How many tags of customers a thing has at most.
pub const MOST: usize = 50;
/// The longest key, in characters.
const LONGEST_KEY: usize = 128;
/// The longest value, in characters.
const LONGEST_VALUE: usize = 256;
/// What keys begin with that AWS and Proton set themselves.
const RESERVED: &str = "aws:";

/// Why tags are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// The key is empty or too long.
    #[error("a tag's key has 1 to 128 characters, but '{0}...' has another length")]
    Key(String),
    /// The value is too long.
    #[error("the value of tag '{0}' is longer than 256 characters")]
    Value(String),
    /// The key is one of those that are managed.
    #[error("tag '{0}' begins with 'aws:', which is reserved for tags that are managed")]
    Reserved(String),
    /// The same key was given twice.
    #[error("tag '{0}' is given twice")]
    Twice(String),
    /// There would be too many.
    #[error("a resource has at most {MOST} tags, and these would be {0}")]
    TooMany(usize),
}

fn reserved(key: &str) -> bool {
    key.get(..RESERVED.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

fn check_key(key: &str) -> Result<(), TagFault> {
    if !(1..=LONGEST_KEY).contains(&key.chars().count()) {
        return Err(TagFault::Key(key.chars().take(40).collect()));
    }
    if reserved(key) {
        return Err(TagFault::Reserved(key.to_owned()));
    }
    Ok(())
}

/// What a customer gives, if it may be given.
///
/// # Errors
/// Says what is wrong with the first one that is.
pub fn given(tags: Vec<(String, String)>) -> Result<Tags, TagFault> {
    let mut checked = Tags::new();
    for (key, value) in tags {
        check_key(&key)?;
        if value.chars().count() > LONGEST_VALUE {
            return Err(TagFault::Value(key));
        }
        if checked.contains_key(&key) {
            return Err(TagFault::Twice(key));
        }
        checked.insert(key, value);
    }
    count(&checked)?;
    Ok(checked)
}

/// Keys whose tags a customer takes away.
///
/// # Errors
/// When one of them is managed.
pub fn taken(keys: &[String]) -> Result<(), TagFault> {
    keys.iter().try_for_each(|key| check_key(key))
}

fn count(tags: &Tags) -> Result<(), TagFault> {
    if tags.len() > MOST {
        return Err(TagFault::TooMany(tags.len()));
    }
    Ok(())
}

/// A thing's tags after more were given.
///
/// # Errors
/// When there would be too many.
pub fn added(mut present: Tags, new: Tags) -> Result<Tags, TagFault> {
    present.extend(new);
    count(&present)?;
    Ok(present)
}

/// What a new thing takes tags over from, those that win last: a version from its template, an instance from its environment
/// and its service, a pipeline from its service. What is made later, or is provisioned, takes over nothing.
#[must_use]
pub fn parents(resource: &Resource, environment: Option<&EnvironmentName>) -> Vec<Resource> {
    match resource {
        Resource::EnvironmentTemplateVersion(name, _) => vec![Resource::EnvironmentTemplate(name.clone())],
        Resource::ServiceTemplateVersion(name, _) => vec![Resource::ServiceTemplate(name.clone())],
        Resource::Instance(service, _) => environment
            .map(|name| Resource::Environment(name.clone()))
            .into_iter()
            .chain([Resource::Service(service.clone())])
            .collect(),
        Resource::Pipeline(service) => vec![Resource::Service(service.clone())],
        Resource::EnvironmentTemplate(_)
        | Resource::EnvironmentTemplateMajor(..)
        | Resource::ServiceTemplate(_)
        | Resource::ServiceTemplateMajor(..)
        | Resource::Environment(_)
        | Resource::Service(_)
        | Resource::Component(_)
        | Resource::Connection(_)
        | Resource::Repository(..)
        | Resource::Deployment(_) => Vec::new(),
    }
}

/// The tags that a new thing begins with: its own, and those of what it is made from. Its own win.
///
/// # Errors
/// When there would be too many.
pub fn inherited(parent: Tags, own: Tags) -> Result<Tags, TagFault> {
    added(parent, own)
}

/// What managed tags tell, as ARNs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The template, or its version.
    pub template: Option<String>,
    /// The environment that it is or lives in.
    pub environment: Option<String>,
    /// The service that it is or belongs to.
    pub service: Option<String>,
    /// The service instance.
    pub instance: Option<String>,
    /// The component.
    pub component: Option<String>,
}

/// Managed tags, as they stand on provisioned resources: there, `aws:` is not allowed in front.
#[must_use]
pub fn provisioned(account: AccountId, facts: Facts) -> Vec<(String, String)> {
    let Facts {
        template,
        environment,
        service,
        instance,
        component,
    } = facts;
    [
        ("account", Some(account.to_string())),
        ("template", template),
        ("environment", environment),
        ("service", service),
        ("service-instance", instance),
        ("component", component),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((format!("proton:{key}"), value?)))
    .collect()
}

/// Managed tags, as they stand on Proton's own resources.
#[must_use]
pub fn managed(account: AccountId, facts: Facts) -> Vec<(String, String)> {
    provisioned(account, facts)
        .into_iter()
        .map(|(key, value)| (format!("{RESERVED}{key}"), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    fn tags(count: usize, start: &str) -> Vec<(String, String)> {
        (0..count)
            .map(|number| pair(&format!("{start}{number}"), "x"))
            .collect()
    }

    #[test]
    fn keys_of_aws_cannot_be_given_or_taken() {
        for key in ["aws:x", "AWS:proton:account", "aWs:"] {
            assert_eq!(
                given(vec![pair(key, "x")]),
                Err(TagFault::Reserved(key.to_owned()))
            );
            assert_eq!(taken(&[key.to_owned()]), Err(TagFault::Reserved(key.to_owned())));
        }
        assert!(given(vec![pair("awsome", ""), pair("é:aws:", "x")]).is_ok());
    }

    #[test]
    fn keys_and_values_have_lengths() {
        assert!(given(vec![pair(&"k".repeat(128), &"v".repeat(256))]).is_ok());
        assert!(matches!(given(vec![pair("", "v")]), Err(TagFault::Key(_))));
        assert!(matches!(
            given(vec![pair(&"k".repeat(129), "v")]),
            Err(TagFault::Key(_))
        ));
        assert!(matches!(
            given(vec![pair("k", &"v".repeat(257))]),
            Err(TagFault::Value(_))
        ));
        assert_eq!(
            given(vec![pair("k", "1"), pair("k", "2")]),
            Err(TagFault::Twice("k".to_owned()))
        );
    }

    #[test]
    fn there_are_fifty_at_most_and_overwriting_adds_none() {
        let fifty = given(tags(50, "a")).unwrap();
        assert_eq!(given(tags(51, "a")), Err(TagFault::TooMany(51)));
        let again = given(tags(50, "a")).unwrap();
        assert_eq!(added(fifty.clone(), again).unwrap().len(), 50);
        assert_eq!(
            added(fifty, given(tags(1, "b")).unwrap()),
            Err(TagFault::TooMany(51))
        );
    }

    #[test]
    fn what_is_given_wins_over_what_is_inherited() {
        let parent = given(vec![pair("team", "platform"), pair("cost", "1")]).unwrap();
        let own = given(vec![pair("team", "shop")]).unwrap();
        let all = inherited(parent, own).unwrap();
        let all: Vec<(&str, &str)> = all
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(all, [("cost", "1"), ("team", "shop")]);
    }

    #[test]
    fn tags_come_down_from_what_a_thing_is_made_from() {
        let parents = |text: &str, environment: Option<&str>| {
            let environment = environment.map(|name| name.parse().unwrap());
            let found = parents(&text.parse().unwrap(), environment.as_ref());
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            parents("service-template/web:1.2", None),
            ["service-template/web"]
        );
        assert_eq!(
            parents("service/web/service-instance/blue", Some("prd")),
            ["environment/prd", "service/web"]
        );
        assert_eq!(parents("service/web/pipeline", None), ["service/web"]);
        assert!(parents("environment/prd", Some("prd")).is_empty());
    }

    #[test]
    fn managed_tags_name_what_there_is() {
        let account = "111111111111".parse().unwrap();
        let facts = Facts {
            environment: Some("e".to_owned()),
            component: Some("c".to_owned()),
            ..Facts::default()
        };
        assert_eq!(
            provisioned(account, facts.clone()),
            [
                pair("proton:account", "111111111111"),
                pair("proton:environment", "e"),
                pair("proton:component", "c"),
            ]
        );
        assert_eq!(managed(account, facts)[0].0, "aws:proton:account");
    }
}
