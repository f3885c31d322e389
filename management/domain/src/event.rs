//! Changes of status that others are told about, in the form of Proton's `EventBridge` events.

use serde_json::{Map, Value, json};

use crate::arn::Resource;

/// The status of what is no more.
pub const DELETED: &str = "DELETED";

/// Something has another status than before.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusChange {
    /// Such as `AWS Proton Environment Status Change`.
    pub detail_type: &'static str,
    /// What changed and how.
    pub detail: Value,
}

/// The event for a change; `None` when nothing has changed, and for what has no events.
#[must_use]
pub fn status_change(resource: &Resource, before: Option<&str>, after: &str) -> Option<StatusChange> {
    if before == Some(after) {
        return None;
    }
    let version = |name: &hadron_proto::vocab::TemplateName,
                   version: &hadron_proto::vocab::TemplateVersion| {
        json!({
            "name": name,
            "majorVersion": version.major.to_string(),
            "minorVersion": version.minor.to_string(),
        })
    };
    let (detail_type, detail) = match resource {
        Resource::EnvironmentTemplate(name) => (
            "AWS Proton Environment Template Status Change",
            json!({ "name": name }),
        ),
        Resource::EnvironmentTemplateVersion(name, number) => (
            "AWS Proton Environment Template Version Status Change",
            version(name, number),
        ),
        Resource::ServiceTemplate(name) => (
            "AWS Proton Service Template Status Change",
            json!({ "name": name }),
        ),
        Resource::ServiceTemplateVersion(name, number) => (
            "AWS Proton Service Template Version Status Change",
            version(name, number),
        ),
        Resource::Environment(name) => ("AWS Proton Environment Status Change", json!({ "name": name })),
        Resource::Service(name) => ("AWS Proton Service Status Change", json!({ "name": name })),
        Resource::Instance(service, name) => (
            "AWS Proton Service Instance Status Change",
            json!({ "name": name, "serviceName": service }),
        ),
        Resource::Pipeline(service) => (
            "AWS Proton Service Pipeline Status Change",
            json!({ "serviceName": service }),
        ),
        Resource::Component(name) => ("AWS Proton Component Status Change", json!({ "name": name })),
        Resource::Connection(id) => (
            "AWS Proton Environment Account Connection Status Change",
            json!({ "id": id.as_uuid().to_string() }),
        ),
        Resource::EnvironmentTemplateMajor(..)
        | Resource::ServiceTemplateMajor(..)
        | Resource::Repository(..)
        | Resource::Deployment(_) => return None,
    };
    let mut detail = match detail {
        Value::Object(detail) => detail,
        _ => Map::new(),
    };
    detail.insert("status".to_owned(), after.into());
    if let Some(before) = before {
        detail.insert("previousStatus".to_owned(), before.into());
    }
    Some(StatusChange {
        detail_type,
        detail: Value::Object(detail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(resource: &str, before: Option<&str>, after: &str) -> Option<String> {
        let change = status_change(&resource.parse().unwrap(), before, after)?;
        Some(format!("{}: {}", change.detail_type, change.detail))
    }

    #[test]
    fn every_kind_has_the_members_that_proton_gave_it() {
        let said = |resource| told(resource, Some("A"), "B").unwrap();
        assert_eq!(
            [
                said("environment-template/e"),
                said("environment-template/e:1.2"),
                said("service-template/s"),
                said("service-template/s:1.2"),
                said("environment/prd"),
                said("service/web"),
                said("service/web/service-instance/blue"),
                said("service/web/pipeline"),
                said("component/c"),
                said("environment-account-connection/0190a5d0-1111-7222-8333-444455556666"),
            ],
            [
                r#"AWS Proton Environment Template Status Change: {"name":"e","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Environment Template Version Status Change: {"name":"e","majorVersion":"1","minorVersion":"2","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Service Template Status Change: {"name":"s","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Service Template Version Status Change: {"name":"s","majorVersion":"1","minorVersion":"2","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Environment Status Change: {"name":"prd","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Service Status Change: {"name":"web","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Service Instance Status Change: {"name":"blue","serviceName":"web","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Service Pipeline Status Change: {"serviceName":"web","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Component Status Change: {"name":"c","status":"B","previousStatus":"A"}"#,
                r#"AWS Proton Environment Account Connection Status Change: {"id":"0190a5d0-1111-7222-8333-444455556666","status":"B","previousStatus":"A"}"#,
            ]
        );
    }

    #[test]
    fn what_has_not_changed_and_what_has_no_status_is_not_told() {
        assert_eq!(told("environment/prd", Some("FAILED"), "FAILED"), None);
        assert_eq!(told("repository/github:a/b", None, "X"), None);
        let new = told("environment/prd", None, "IN_PROGRESS").unwrap();
        assert!(!new.contains("previousStatus"), "{new}");
    }
}
