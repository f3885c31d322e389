//! Rows of the audit log in the form of CloudTrail's records.

use std::io::{self, Write};

use hadron_domain::audit::Record;
use hadron_proto::vocab::{AccountId, Digest, Region, Timestamp};
use serde_json::{Map, Value, json};

use super::super::told;
use super::{PAGE, open};
use crate::app::App;
use crate::args::Export;
use crate::store::audit::{self, Filter};

/// The service that the operations are of, as it stands in trails.
const SOURCE: &str = "proton.amazonaws.com";

pub(super) async fn run(task: Export) -> anyhow::Result<()> {
    let config = task.source.load()?;
    let (app, _) = open(&config).await?;
    let now = app.db().now().await?;
    let filter = Filter {
        since: task.since.map(|when| when.at(now)),
        until: task.until.map(|when| when.at(now)),
        account: task.account.map(|account| account.to_string()),
        action: task.event_name,
    };
    let written = write(&app, &filter, &mut io::stdout().lock()).await;
    app.db().close().await;
    match written {
        // Whoever reads has seen enough.
        Err(error) if is_closed(&error) => Ok(()),
        other => other,
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn write(app: &App, filter: &Filter, out: &mut impl Write) -> anyhow::Result<()> {
    let settings = app.settings();
    let mut behind = i64::MIN;
    loop {
        let filter = filter.clone();
        let page = app.read("export of the audit log", move |tx| {
            Box::pin(async move { Ok(audit::exported(tx, &filter, behind, PAGE).await?) })
        });
        let rows = page.await.map_err(told)?;
        let Some((last, _)) = rows.last() else {
            return Ok(out.flush()?);
        };
        behind = last.sequence;
        for (record, hash) in &rows {
            let event = cloudtrail(record, hash.as_deref(), settings.account, &settings.region);
            writeln!(out, "{event}")?;
        }
    }
}

/// One record of the hub of this account and Region.
fn cloudtrail(record: &Record, hash: Option<&str>, account: AccountId, region: &Region) -> Value {
    let mut more = Map::new();
    more.insert("sequence".to_owned(), record.sequence.into());
    more.insert("hash".to_owned(), hash.into());
    more.insert("outcome".to_owned(), record.outcome.clone().into());
    let mut event = json!({
        "eventVersion": "1.11",
        "userIdentity": identity(record, &account.to_string()),
        "eventTime": time(record.at),
        "eventSource": SOURCE,
        "eventName": record.action,
        "awsRegion": region.to_string(),
        "sourceIPAddress": record.source,
        "userAgent": record.user_agent,
        "requestParameters": (!record.object.is_empty()).then(|| json!({ "resource": record.object })),
        "responseElements": null,
        "requestID": record.request_id,
        "eventID": id(record),
        "readOnly": reads(&record.action),
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": account.to_string(),
        "eventCategory": "Management",
    });
    if record.outcome == "denied" {
        event["errorCode"] = "AccessDenied".into();
        if !record.detail.is_empty() {
            event["errorMessage"] = record.detail.clone().into();
        }
    } else if !record.detail.is_empty() {
        more.insert("detail".to_owned(), record.detail.clone().into());
    }
    event["additionalEventData"] = Value::Object(more);
    event
}

/// Who it was, in CloudTrail's words.
fn identity(record: &Record, own: &str) -> Value {
    let (who, account) = (record.principal.as_str(), record.account.as_deref());
    let parts: Vec<&str> = who.splitn(6, ':').collect();
    if let [arn @ "arn", _, _, _, of, resource] = parts[..] {
        let (kind, name) = resource.split_once('/').unwrap_or((resource, arn));
        let word = match kind {
            "assumed-role" => "AssumedRole",
            "user" => "IAMUser",
            "root" => "Root",
            "federated-user" => "FederatedUser",
            "role" => "Role",
            _ => "Unknown",
        };
        let mut identity = json!({ "type": word, "arn": who, "accountId": account.unwrap_or(of) });
        if kind == "user" {
            identity["userName"] = name.rsplit('/').next().unwrap_or(name).into();
        }
        return identity;
    }
    if who == "hub" {
        return json!({ "type": "AWSService", "invokedBy": "hadron-hub", "accountId": account.unwrap_or(own) });
    }
    // What the hub minted counts in its own account.
    if who.starts_with("token:") || who.starts_with("key:") {
        return json!({ "type": "IAMUser", "userName": who, "accountId": account.unwrap_or(own) });
    }
    if let ["oidc", issuer, ..] = parts[..] {
        let name = who.splitn(3, ':').nth(2).unwrap_or_default();
        return json!({
            "type": "WebIdentityUser", "principalId": who, "userName": name, "identityProvider": issuer,
            "accountId": account.unwrap_or(own),
        });
    }
    json!({ "type": "Unknown", "principalId": who, "accountId": account })
}

/// In CloudTrail's form, to the second.
fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(
        |_| Timestamp::from_micros(micros).to_string(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// Always the same for the same row.
fn id(record: &Record) -> String {
    let digest = Digest::of(record.json().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn reads(action: &str) -> bool {
    ["Get", "List", "Read"]
        .iter()
        .any(|verb| action.starts_with(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(record: &Record) -> Value {
        let (account, region) = ("111111111111".parse().unwrap(), "eu-west-1".parse().unwrap());
        cloudtrail(record, Some("ab"), account, &region)
    }

    #[test]
    fn a_row_is_a_record_of_a_trail() {
        let mut record = Record {
            sequence: 7,
            at: 1_700_000_000_123_456,
            principal: "arn:aws:sts::222222222222:assumed-role/dev/anna".to_owned(),
            account: Some("222222222222".to_owned()),
            action: "CreateService".to_owned(),
            object: "shop".to_owned(),
            outcome: "done".to_owned(),
            detail: String::new(),
            request_id: Some("0192".to_owned()),
            source: Some("192.0.2.1".to_owned()),
            user_agent: Some("aws-cli/2".to_owned()),
        };
        let event = exported(&record);
        let id = event["eventID"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 36);
        assert_eq!(exported(&record)["eventID"], id.as_str(), "always the same");
        let expected = json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::222222222222:assumed-role/dev/anna",
                "accountId": "222222222222",
            },
            "eventTime": "2023-11-14T22:13:20Z",
            "eventSource": "proton.amazonaws.com",
            "eventName": "CreateService",
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "192.0.2.1",
            "userAgent": "aws-cli/2",
            "requestParameters": { "resource": "shop" },
            "responseElements": null,
            "requestID": "0192",
            "eventID": id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "111111111111",
            "eventCategory": "Management",
            "additionalEventData": { "sequence": 7, "hash": "ab", "outcome": "done" },
        });
        assert_eq!(event, expected);

        record.outcome = "denied".to_owned();
        record.action = "ReadService".to_owned();
        record.object = String::new();
        record.detail = "the signature is wrong".to_owned();
        let event = exported(&record);
        assert_eq!(event["errorCode"], "AccessDenied");
        assert_eq!(event["errorMessage"], "the signature is wrong");
        assert_eq!(event["readOnly"], true);
        assert_eq!(event["requestParameters"], Value::Null);
        assert_ne!(event["eventID"], id.as_str());
    }

    #[test]
    fn everybody_is_somebody_in_cloudtrails_words() {
        let who = |principal: &str| {
            let record = Record {
                principal: principal.to_owned(),
                ..Record::default()
            };
            exported(&record)["userIdentity"].clone()
        };
        let user = who("arn:aws:iam::111111111111:user/team/anna");
        assert_eq!(
            (&user["type"], &user["userName"]),
            (&json!("IAMUser"), &json!("anna"))
        );
        assert_eq!(who("arn:aws:iam::111111111111:root")["type"], "Root");
        assert_eq!(who("hub")["invokedBy"], "hadron-hub");
        let token = who("token:ci");
        assert_eq!(
            (&token["userName"], &token["accountId"]),
            (&json!("token:ci"), &json!("111111111111"))
        );
        let workload = who("oidc:github:repo:acme/web:ref:refs/heads/main");
        assert_eq!(
            (&workload["identityProvider"], &workload["userName"]),
            (&json!("github"), &json!("repo:acme/web:ref:refs/heads/main"))
        );
        assert_eq!(who("unknown")["type"], "Unknown");
    }
}
