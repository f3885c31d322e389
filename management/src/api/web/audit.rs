//! The audit log, the last rows first, and all of them as a file.

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream;
use hadron_domain::audit::Record;
use hadron_proto::vocab::Timestamp;

use super::Console;
use super::show::{Badge, Html, Shown, When, wrong};
use super::visit::{self, Visit};
use crate::app::AppError;
use crate::app::trail::Form;
use crate::store::audit::Filter;

/// How many rows a page has.
const PAGE: u32 = 100;

struct Row {
    number: i64,
    at: When,
    principal: String,
    account: String,
    action: String,
    object: String,
    outcome: Badge,
    detail: String,
    source: String,
    request: String,
}

impl Row {
    fn of(record: Record) -> Self {
        Self {
            number: record.sequence,
            at: When(Timestamp::from_micros(record.at)),
            principal: record.principal,
            account: record.account.unwrap_or_default(),
            action: record.action,
            object: record.object,
            outcome: Badge::of(if record.outcome == "denied" {
                "REJECTED"
            } else {
                "SUCCEEDED"
            }),
            detail: record.detail,
            source: record.source.unwrap_or_default(),
            request: record.request_id.unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct List<'a> {
    v: &'a Visit,
    rows: Vec<Row>,
    next: String,
}

#[derive(Template)]
#[template(path = "audit_filter.html")]
struct FilterForm<'a> {
    v: &'a Visit,
    /// The filter, as an address has it.
    query: String,
}

/// A day as the beginning of it, or a point in time.
fn time(v: &Visit, field: &str) -> Result<Option<Timestamp>, AppError> {
    let Some(text) = v.query.some(field) else {
        return Ok(None);
    };
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    whole.parse().map(Some).map_err(|error| wrong(field, error))
}

/// What an address asks for.
fn filter(v: &Visit) -> Result<Filter, AppError> {
    Ok(Filter {
        since: time(v, "since")?,
        until: time(v, "until")?,
        account: v.query.some("account").map(str::to_owned),
        action: v.query.some("action").map(str::to_owned),
    })
}

/// All rows that an address asks for, as a file. It is sent as it is read, a page of rows at a time, and ends with the last row
/// that there was when it began.
pub(super) async fn export(State(console): State<Console>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let visit = match Visit::of(&console, &parts, true).await {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    match begun(&visit).await {
        Ok(response) => response,
        Err(error) => visit.refused(&error),
    }
}

async fn begun(v: &Visit) -> Result<Response, AppError> {
    let word = v.query.get("form");
    let form = Form::of(word).ok_or_else(|| wrong("form", format!("'{word}' is none: cloudtrail or csv")))?;
    let export = v.app.export_audit(&v.caller, filter(v)?, form).await?;
    let parts = stream::try_unfold((v.app.clone(), export), async |(app, mut export)| {
        let text = app.exported(&mut export).await.inspect_err(visit::note)?;
        Ok::<_, AppError>(text.map(|text| (text, (app, export))))
    });
    let mut response = Response::new(Body::from_stream(parts));
    let (kind, file) = match form {
        Form::CloudTrail => (
            "application/x-ndjson",
            "attachment; filename=\"hadron-audit.jsonl\"",
        ),
        Form::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"hadron-audit.csv\"",
        ),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(file));
    Ok(response)
}

/// The page.
pub(super) async fn show(v: &Visit) -> Result<Shown, AppError> {
    let filter = filter(v)?;
    let before = v.query.get("before").parse().unwrap_or(0);
    let records = v.app.list_audit(&v.caller, filter, before, PAGE).await?;
    let last = records.last().filter(|_| records.len() >= PAGE as usize);
    let next = last.map(|last| {
        let mut query = v.query.clone();
        query.0.retain(|(name, _)| name != "before" && name != "done");
        query.0.push(("before".to_owned(), last.sequence.to_string()));
        format!("/audit?{}", query.encoded())
    });
    let list = List {
        v,
        next: next.unwrap_or_default(),
        rows: records.into_iter().map(Row::of).collect(),
    };
    let mut shown = Shown::titled(v.t.nav_audit);
    shown.lead = v.t.audit_lead.to_owned();
    let mut query = v.query.clone();
    query
        .0
        .retain(|(name, _)| ["since", "until", "account", "action"].contains(&name.as_str()));
    let form = Html::of(&FilterForm {
        v,
        query: query.encoded(),
    })?;
    // What somebody reads does not move under their eyes: it has no part that lives.
    shown.fixed = Html(format!("{form}{}", Html::of(&list)?));
    Ok(shown)
}
