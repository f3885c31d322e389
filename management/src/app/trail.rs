//! Rows of the audit log for others: as records in CloudTrail's form, or as CSV. They are given page by page, so that an
//! export takes no more memory than a page, however long the log is.

use hadron_domain::audit::Record;
use hadron_domain::authority::{Action, Caller, Place};
use hadron_proto::vocab::{AccountId, Digest, Region, Timestamp};
use serde_json::{Map, Value, json};

use super::{App, AppError};
use crate::store::audit::{self, Filter};
use crate::store::requests;

/// The service that the operations are of, as it stands in trails.
const SOURCE: &str = "proton.amazonaws.com";
/// How many rows are read at once, each time in a snapshot of its own, so that nothing is held up however long it takes.
const PAGE: u32 = 2_000;
/// What an export is called in the audit log itself.
const EXPORT: &str = "ExportAudit";

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Records in CloudTrail's form, one a line.
    CloudTrail,
    /// Comma-separated values (RFC 4180) with a headline.
    Csv,
}

impl Form {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::Csv => "csv",
        }
    }

    /// The form of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::CloudTrail, Self::Csv]
            .into_iter()
            .find(|form| form.word() == word)
    }
}

/// An export that is under way.
#[derive(Clone, Debug)]
pub struct Export {
    filter: Filter,
    form: Form,
    /// The last row that was given, and the last that will be.
    behind: i64,
    last: i64,
}

impl Export {
    /// Of the rows of this filter, to be read by whoever may read the database itself.
    #[must_use]
    pub const fn new(filter: Filter, form: Form) -> Self {
        Self {
            filter,
            form,
            behind: i64::MIN,
            last: i64::MAX,
        }
    }
}

impl App {
    /// Begins an export of the rows of a filter, up to the last one that there is. That is audited itself, with the
    /// filter.
    ///
    /// # Errors
    /// When the caller may not read the audit log.
    pub async fn export_audit(
        &self,
        caller: &Caller,
        filter: Filter,
        form: Form,
    ) -> Result<Export, AppError> {
        self.may_at(caller, Action::ReadAudit, &Place::default()).await?;
        let (caller, detail) = (caller.clone(), told(&filter));
        let last = self
            .write("export audit log", move |unit| {
                Box::pin(async move {
                    let last = audit::drawn(unit.tx).await?;
                    let (who, account) = (caller.principal.as_str(), caller.account);
                    let (at, object) = (unit.now, form.word());
                    requests::audit(unit.tx, at, who, account, EXPORT, object, "done", &detail).await?;
                    Ok(last)
                })
            })
            .await?;
        Ok(Export {
            last,
            ..Export::new(filter, form)
        })
    }

    /// The next rows of an export, as text; `None` when there are no more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn exported(&self, export: &mut Export) -> Result<Option<String>, AppError> {
        let first = export.behind == i64::MIN;
        let (filter, behind) = (export.filter.clone(), export.behind);
        let page = self.read("export of the audit log", move |tx| {
            Box::pin(async move { Ok(audit::exported(tx, &filter, behind, PAGE).await?) })
        });
        let mut rows = page.await?;
        rows.retain(|(record, _)| record.sequence <= export.last);
        let mut text = String::new();
        if first && export.form == Form::Csv {
            text.push_str(HEADLINE);
        }
        match rows.last() {
            Some((last, _)) => export.behind = last.sequence,
            None if text.is_empty() => return Ok(None),
            None => export.behind = export.last,
        }
        let settings = self.settings();
        for (record, hash) in &rows {
            match export.form {
                Form::CloudTrail => {
                    let event = cloudtrail(record, hash.as_deref(), settings.account, &settings.region);
                    text.push_str(&event.to_string());
                    text.push('\n');
                }
                Form::Csv => csv(record, hash.as_deref(), &mut text),
            }
        }
        Ok(Some(text))
    }
}

/// A filter, for the audit log.
fn told(filter: &Filter) -> String {
    let at = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let parts = [
        ("since", at(filter.since)),
        ("until", at(filter.until)),
        ("account", filter.account.clone()),
        ("action", filter.action.clone()),
    ];
    let given = parts
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name} {value}")));
    given.collect::<Vec<_>>().join(", ")
}

const HEADLINE: &str =
    "sequence,time,principal,account,action,object,outcome,detail,request_id,source,user_agent,hash\r\n";

/// One row as CSV.
fn csv(record: &Record, hash: Option<&str>, out: &mut String) {
    let (sequence, at) = (
        record.sequence.to_string(),
        Timestamp::from_micros(record.at).to_string(),
    );
    let cells = [
        sequence.as_str(),
        &at,
        &record.principal,
        record.account.as_deref().unwrap_or_default(),
        &record.action,
        &record.object,
        &record.outcome,
        &record.detail,
        record.request_id.as_deref().unwrap_or_default(),
        record.source.as_deref().unwrap_or_default(),
        record.user_agent.as_deref().unwrap_or_default(),
        hash.unwrap_or_default(),
    ];
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push('"');
        // Programs for tables take what begins so for a formula, and strangers choose what they call themselves.
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            out.push('\'');
        }
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    }
    out.push_str("\r\n");
}

/// One row as a record of a trail, of the hub of this account and Region.
#[must_use]
pub fn cloudtrail(record: &Record, hash: Option<&str>, account: AccountId, region: &Region) -> Value {
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
    fn a_row_is_a_line_of_a_table_and_no_formula() {
        let record = Record {
            sequence: 7,
            at: 1_700_000_000_000_000,
            principal: "unknown".to_owned(),
            action: "CreateService".to_owned(),
            object: "a \"b\",\nc".to_owned(),
            user_agent: Some("=HYPERLINK(\"x\")".to_owned()),
            ..Record::default()
        };
        let mut line = String::new();
        csv(&record, None, &mut line);
        assert_eq!(
            line,
            "\"7\",\"2023-11-14T22:13:20Z\",\"unknown\",\"\",\"CreateService\",\"a \"\"b\"\",\nc\",\"\",\"\",\"\",\"\",\"'=HYPERLINK(\"\"x\"\")\",\"\"\r\n"
        );
        assert_eq!(HEADLINE.matches(',').count(), line.matches("\",\"").count());
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
