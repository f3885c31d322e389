//! What the stacks of a bundle can consist of, found without knowing what they will be given.
//!
//! Two ways, and what either finds counts: the templates are rendered with made-up values and read as CloudFormation will read
//! them, and their texts are searched, branches that no made-up value takes included. Where Jinja decides the type of a resource
//! anything is possible. It is too much rather than too little: what a stack really needs is known when it is rendered, and
//! compared again then.

use std::collections::BTreeSet;

use hadron_proto::vocab::StackContents;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::stack::{Capability, Rendered};

/// What stacks can consist of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// What CloudFormation may ask for.
    pub capabilities: BTreeSet<Capability>,
    /// Types of resources.
    pub resource_types: BTreeSet<String>,
    /// Transforms and macros.
    pub transforms: BTreeSet<String>,
    /// Where templates are taken in from.
    pub nested: BTreeSet<String>,
    /// Dynamic references.
    pub dynamic_references: BTreeSet<String>,
}

impl Needs {
    /// As rules about contents see it.
    #[must_use]
    pub fn contents(&self) -> StackContents<'_> {
        fn set(texts: &BTreeSet<String>) -> BTreeSet<&str> {
            texts.iter().map(String::as_str).collect()
        }
        StackContents {
            types: set(&self.resource_types),
            transforms: set(&self.transforms),
            nested: set(&self.nested),
            references: set(&self.dynamic_references),
        }
    }

    /// Takes a rendered text in.
    pub(crate) fn add_rendered(&mut self, rendered: &Rendered) {
        self.capabilities.extend(&rendered.capabilities);
        self.resource_types
            .extend(rendered.resource_types.iter().cloned());
        self.transforms.extend(rendered.transforms.iter().cloned());
        // Made-up values may stand in these; what people write down themselves is found when it is rendered for them.
        let real = |text: &&String| !text.contains("placeholder");
        self.nested.extend(rendered.nested.iter().filter(real).cloned());
        self.dynamic_references
            .extend(rendered.dynamic_references.iter().filter(real).cloned());
    }

    /// Takes a template's own text in.
    pub(crate) fn add_text(&mut self, text: &str) {
        let find = |pattern: &str| Regex::new(pattern).expect("a valid expression");
        let types = find(r#"["']?\bType["']?\s*:\s*["']?([A-Za-z0-9_@-]*::[A-Za-z0-9:_@-]+)"#);
        for found in types.captures_iter(text) {
            self.resource_types.insert(found[1].to_owned());
        }
        // A resource's type that Jinja prints, or a part of it.
        let open = find(r#"["']?\bType["']?\s*:\s*["']?[A-Za-z0-9:_@-]*\{[{%]"#).is_match(text);
        let iam = text.contains("AWS::IAM::") || text.contains("AWS::Serverless::") || open;
        if iam {
            self.capabilities.insert(Capability::Iam);
        }
        let named =
            find(r#"["']?\b(RoleName|UserName|GroupName|ManagedPolicyName|InstanceProfileName)["']?\s*:"#);
        if open || text.contains("AWS::IAM::") && named.is_match(text) {
            self.capabilities.insert(Capability::NamedIam);
        }
        let transform = find(
            r#"(?m)^["']?Transform["']?\s*:|["']Transform["']\s*:|Fn::Transform|!Transform|Fn::ForEach"#,
        );
        if open || transform.is_match(text) || text.contains("AWS::Serverless::Application") {
            self.capabilities.insert(Capability::AutoExpand);
        }
        let named = find(
            r"AWS::(?:Serverless-|Include\b|LanguageExtensions\b|CodeDeployBlueGreen\b|SecretsManager-)[0-9-]*",
        );
        for found in named.find_iter(text) {
            self.transforms.insert(found.as_str().to_owned());
        }
        // Not those whose name Jinja prints, or a part of it.
        let references = find(r#"\{\{resolve:[^{}"'\s]*\}\}"#);
        for found in references.find_iter(text) {
            self.dynamic_references.insert(found.as_str().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Needs {
        let mut needs = Needs::default();
        needs.add_text(text);
        needs
    }

    fn words(text: &str) -> Vec<&'static str> {
        of(text).capabilities.iter().map(|one| one.as_str()).collect()
    }

    #[test]
    fn branches_that_no_sample_takes_are_seen() {
        let text = "Resources:\n  {% if a %}\n  R:\n    Type: 'AWS::IAM::Role'\n    Properties:\n      RoleName: x\n  {% endif %}\n";
        assert_eq!(words(text), ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]);
        assert!(of(text).resource_types.contains("AWS::IAM::Role"));
        assert_eq!(
            words("{\"R\": {\"Type\": \"AWS::IAM::Policy\"}}"),
            ["CAPABILITY_IAM"]
        );
        assert_eq!(words("R:\n  Type: AWS::S3::Bucket\n"), [""; 0]);
        assert_eq!(words("Transform: [AWS::Include]\n"), ["CAPABILITY_AUTO_EXPAND"]);
        assert_eq!(
            words("  X: !Transform { Name: My }\n"),
            ["CAPABILITY_AUTO_EXPAND"]
        );
        assert_eq!(words("    TextTransformations:\n      - a\n"), [""; 0]);
    }

    #[test]
    fn where_jinja_decides_everything_is_possible() {
        let all = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"];
        assert_eq!(words("R:\n  Type: {{ kind }}\n"), all);
        assert_eq!(words("R:\n  Type: \"AWS::{{ kind }}\"\n"), all);
        assert_eq!(
            words("R:\n  Type: AWS::{% if a %}IAM{% else %}S3{% endif %}::X\n"),
            all
        );
    }

    #[test]
    fn references_are_found_as_they_stand() {
        let text =
            "A: '{% raw %}{{resolve:ssm:/shop/a}}{% endraw %}'\nB: \"{{ '{{resolve:ssm:' }}{{ x }}\"\n";
        assert_eq!(
            of(text).dynamic_references,
            BTreeSet::from(["{{resolve:ssm:/shop/a}}".to_owned()])
        );
    }
}
