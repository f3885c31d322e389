//! How templates and their versions look.

use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::super::at;
use super::{Kind, kind_of};
use crate::output::{Card, Show, age, map, text, time};

impl Show for wire::Template {
    const KIND: &'static str = "Template";
    const HEAD: &'static [&'static str] = &["NAME", "KIND", "RECOMMENDED", "AGE"];
    const WIDE: &'static [&'static str] = &["DISPLAY NAME", "PIPELINE", "DESCRIPTION"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.name.clone(),
            kind_of(self).map(Kind::word).unwrap_or_default().to_owned(),
            self.recommended_version.clone(),
            age(now, at(self.created_at.as_ref())),
            self.display_name.clone(),
            self.pipeline_provisioning.clone(),
            self.description.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "name": self.name,
            "templateKind": kind_of(self).map(Kind::word),
            "displayName": text(&self.display_name),
            "description": text(&self.description),
            "recommendedVersion": text(&self.recommended_version),
            "pipelineProvisioning": text(&self.pipeline_provisioning),
            "provisioning": text(&self.provisioning),
            "encryptionKey": text(&self.encryption_key),
            "createdAt": time(at(self.created_at.as_ref())),
            "lastModifiedAt": time(at(self.last_modified_at.as_ref())),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Template {}", self.name));
        card.fact("kind", kind_of(self).map(Kind::word).unwrap_or_default());
        card.fact("display name", &self.display_name);
        card.fact("description", &self.description);
        let none = "(none is published)";
        card.fact(
            "recommended",
            if self.recommended_version.is_empty() {
                none
            } else {
                self.recommended_version.as_str()
            },
        );
        card.fact("pipeline", &self.pipeline_provisioning);
        card.fact("provisioning", &self.provisioning);
        card.fact("encryption key", &self.encryption_key);
        card.time("created", at(self.created_at.as_ref()));
        card.time("changed", at(self.last_modified_at.as_ref()));
    }
}

/// Where the bundle came from; empty when it was sent along.
fn source(version: &wire::TemplateVersion) -> String {
    version
        .source
        .as_ref()
        .map(|object| format!("s3://{}/{}", object.bucket, object.key))
        .unwrap_or_default()
}

/// What its stacks can need, and what of it is not approved.
fn capabilities(version: &wire::TemplateVersion) -> String {
    let approved = &version.approved_capabilities;
    let needed = version.needed_capabilities.iter().map(|needed| {
        let note = if approved.contains(needed) {
            ""
        } else {
            " (not approved)"
        };
        format!("{needed}{note}")
    });
    needed.collect::<Vec<_>>().join(", ")
}

impl Show for wire::TemplateVersion {
    const KIND: &'static str = "TemplateVersion";
    const HEAD: &'static [&'static str] = &["TEMPLATE", "VERSION", "STATUS", "COMPATIBLE WITH", "AGE"];
    const WIDE: &'static [&'static str] = &["DIGEST", "DESCRIPTION", "MESSAGE"];

    fn name(&self) -> String {
        self.version.clone()
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.template_name.clone(),
            self.version.clone(),
            self.status.clone(),
            self.compatible_environment_templates.join(", "),
            age(now, at(self.created_at.as_ref())),
            self.bundle_digest.clone(),
            self.description.clone(),
            self.status_message.clone(),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "templateName": self.template_name,
            "templateKind": Kind::of(self.kind()).map(Kind::word),
            "version": self.version,
            "status": self.status,
            "statusMessage": text(&self.status_message),
            "description": text(&self.description),
            "compatibleEnvironmentTemplates": self.compatible_environment_templates,
            "bundleDigest": text(&self.bundle_digest),
            "source": text(&source(self)),
            "supportedComponentSources": self.supported_component_sources,
            "recommendedVersion": text(&self.recommended_version),
            "createdAt": time(at(self.created_at.as_ref())),
            "lastModifiedAt": time(at(self.last_modified_at.as_ref())),
            "neededCapabilities": self.needed_capabilities,
            "approvedCapabilities": self.approved_capabilities,
            "publisher": text(&self.publisher),
            "warnings": self.warnings,
            "schema": text(&self.schema),
        }))
    }

    fn card(&self, card: &mut Card) {
        card.title(format!("Template {} {}", self.template_name, self.version));
        card.status("status", &self.status);
        card.fact("message", &self.status_message);
        card.fact("description", &self.description);
        card.fact(
            "compatible with",
            self.compatible_environment_templates.join(", "),
        );
        card.fact("components", self.supported_component_sources.join(", "));
        card.fact("source", source(self));
        card.fact("digest", &self.bundle_digest);
        card.fact("signed by", &self.publisher);
        card.fact("needs", capabilities(self));
        card.time("created", at(self.created_at.as_ref()));
        card.time("changed", at(self.last_modified_at.as_ref()));
        card.block("Warnings", &self.warnings.join("\n"));
        card.block("Schema", &self.schema);
    }
}
