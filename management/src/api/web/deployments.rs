//! Deployments: what is under way and what was, and one of them as it happens.

use std::time::Duration;

use askama::Template;
use hadron_domain::authority::Action;
use hadron_domain::deployment::Intent;
use hadron_proto::vocab::{DeploymentId, Timestamp};
use indexmap::IndexMap;

use super::deed::{Deed, Outcome, named};
use super::show::{Badge, Html, Link, Log, Shown, When, href};
use super::target::{self, Way};
use super::view::LINES;
use super::visit::Visit;
use crate::app::AppError;
use crate::app::deployments::waiting_for;
use crate::store::deployments::{Change, DeploymentRow, EventRow, Filter};

/// How many a page lists.
const PAGE: u32 = 100;
/// How many events are asked for at once.
const EVENTS: u32 = LINES as u32;
/// How many events a page has when it is opened; the rest is what the command line and the interfaces are for.
const MOST: usize = 5_000;

/// A line of a list.
pub(super) struct Row {
    id: String,
    status: Badge,
    kind: &'static str,
    target: String,
    target_href: String,
    template: String,
    account: String,
    region: String,
    requested_by: String,
    created: When,
    took: String,
}

/// How long something took, in words that are short.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

impl Row {
    pub(super) fn of(row: &DeploymentRow) -> Self {
        let template = row.template.as_ref();
        Self {
            id: row.deployment.id.to_string(),
            status: Badge::of(row.deployment.word()),
            kind: row.target.kind(),
            target: row.target.name(),
            target_href: href(&row.target),
            template: template
                .map(|name| format!("{name}:{}", row.version))
                .unwrap_or_default(),
            account: row.account.to_string(),
            region: row.region.to_string(),
            requested_by: row.requested_by.clone(),
            created: When(row.created_at),
            took: row
                .ended_at
                .map(|end| span(end.since(row.created_at)))
                .unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "deployment_rows.html")]
pub(super) struct Rows<'a> {
    pub(super) v: &'a Visit,
    pub(super) caption: &'a str,
    pub(super) rows: Vec<Row>,
    pub(super) next: String,
}

#[derive(Template)]
#[template(path = "deployment_filter.html")]
struct FilterForm<'a> {
    v: &'a Visit,
    kinds: [(&'static str, bool); 4],
    active: bool,
}

/// What an address asks for.
fn filter(v: &Visit) -> Filter {
    let text = |name: &str| v.query.some(name).unwrap_or_default().to_owned();
    let kinds = ["environment", "instance", "pipeline", "component"];
    let kind = kinds.into_iter().find(|kind| *kind == v.query.get("kind"));
    Filter {
        kind: kind.unwrap_or_default(),
        environment: text("environment"),
        service: text("service"),
        instance: text("instance"),
        component: text("component"),
        account: text("account"),
        active_only: v.query.get("active") == "1",
    }
}

/// Those that an address asks for, the last one first.
pub(super) async fn list(v: &Visit) -> Result<Shown, AppError> {
    let filter = filter(v);
    let before = v.query.get("before").to_owned();
    let form = FilterForm {
        v,
        kinds: ["environment", "instance", "pipeline", "component"].map(|kind| (kind, kind == filter.kind)),
        active: filter.active_only,
    };
    let rows = v.app.list_deployments(&v.caller, filter, before, PAGE).await?;
    let last = rows.last().filter(|_| rows.len() >= PAGE as usize);
    let next = last.map(|row| {
        let mut query = v.query.clone();
        query.0.retain(|(name, _)| name != "before" && name != "done");
        query.0.push(("before".to_owned(), row.deployment.id.to_string()));
        format!("/deployments?{}", query.encoded())
    });
    let list = Rows {
        v,
        caption: v.t.nav_deployments,
        rows: rows.iter().map(Row::of).collect(),
        next: next.unwrap_or_default(),
    };
    let mut shown = Shown::titled(v.t.nav_deployments);
    shown.fixed = Html::of(&form)?;
    shown.live = Some(Html::of(&list)?);
    Ok(shown)
}

/// A change of a change set, in words.
struct ChangeView {
    words: String,
    class: &'static str,
    name: String,
    kind: String,
    physical: String,
    /// What has to be looked at twice.
    marks: Vec<String>,
}

/// Resources that say who may do what.
fn gives_rights(kind: &str) -> bool {
    kind.starts_with("AWS::IAM::") || kind.ends_with("Policy") || kind.ends_with("::Permission")
}

impl ChangeView {
    fn of(v: &Visit, change: &Change) -> Self {
        let t = v.t;
        let replaced = change.replacement.as_str();
        let (words, class) = match (change.action.as_str(), replaced) {
            ("Modify", "True") => (t.change_replace, "bad"),
            ("Modify", "Conditional") => (t.change_may_replace, "waiting"),
            ("Modify", _) => (t.change_modify, "busy"),
            ("Add", _) => (t.change_add, "good"),
            ("Remove", _) => (t.change_remove, "bad"),
            ("Import", _) => (t.change_import, "good"),
            _ => (t.change_dynamic, "waiting"),
        };
        let mut marks = Vec::new();
        if replaced == "True" && change.action == "Modify" {
            marks.push(t.mark_replace.to_owned());
        }
        if gives_rights(&change.resource_type) && change.action != "Remove" {
            marks.push(t.mark_rights.to_owned());
        }
        Self {
            words: words.to_owned(),
            class,
            name: change.logical_id.clone(),
            kind: change.resource_type.clone(),
            physical: change.physical_id.clone(),
            marks,
        }
    }
}

/// What happened to one resource: from when to when, in thousandths of the whole.
struct Bar {
    name: String,
    kind: String,
    status: Badge,
    reason: String,
    start: When,
    took: String,
    x: u64,
    width: u64,
}

struct Span {
    kind: String,
    status: String,
    reason: String,
    from: Timestamp,
    to: Option<Timestamp>,
}

/// The timeline of a deployment's resources, in the order in which they began.
fn bars(events: &[EventRow], row: &DeploymentRow) -> Vec<Bar> {
    let mut spans: IndexMap<String, Span> = IndexMap::new();
    let mut last = row.created_at;
    for event in events.iter().filter_map(|event| event.event.as_ref()) {
        last = last.max(event.at);
        let span = spans.entry(event.logical_id.clone()).or_insert_with(|| Span {
            kind: event.resource_type.clone(),
            status: String::new(),
            reason: String::new(),
            from: event.at,
            to: None,
        });
        span.status.clone_from(&event.status);
        span.to = (!event.status.ends_with("IN_PROGRESS")).then_some(event.at);
        if event.status.contains("FAILED") || span.reason.is_empty() {
            span.reason.clone_from(&event.reason);
        }
    }
    let begin = spans
        .values()
        .map(|span| span.from)
        .min()
        .unwrap_or(row.created_at);
    let end = row.ended_at.unwrap_or(last).max(last);
    let whole = u64::try_from(end.since(begin).as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let part = |from: Timestamp, to: Timestamp| {
        let part = u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX);
        part.saturating_mul(1_000) / whole
    };
    spans
        .into_iter()
        .map(|(name, span)| {
            let to = span.to.unwrap_or(end);
            let x = part(begin, span.from).min(990);
            Bar {
                name,
                kind: span.kind,
                status: Badge::of(span.status),
                reason: span.reason,
                start: When(span.from),
                took: span
                    .to
                    .map(|to| self::span(to.since(span.from)))
                    .unwrap_or_default(),
                x,
                width: part(span.from, to).clamp(10, 1_000 - x),
            }
        })
        .collect()
}

/// All events of a deployment, as far as a page has them.
async fn events(v: &Visit, id: DeploymentId) -> Result<Vec<EventRow>, AppError> {
    let mut all: Vec<EventRow> = Vec::new();
    while all.len() < MOST {
        let after = all.last().map_or(0, |event| event.sequence);
        let some = v.app.deployment_events(&v.caller, id, after, EVENTS).await?;
        let full = some.len() >= EVENTS as usize;
        all.extend(some);
        if !full {
            break;
        }
    }
    Ok(all)
}

#[derive(Template)]
#[template(path = "event.html")]
struct Line {
    number: u64,
    at: When,
    source: String,
    message: String,
    stack: Option<(String, Badge, String)>,
}

fn line(event: &EventRow) -> Result<Html, AppError> {
    let stack = event.event.as_ref().map(|stack| {
        (
            stack.logical_id.clone(),
            Badge::of(stack.status.as_str()),
            stack.reason.clone(),
        )
    });
    Html::of(&Line {
        number: event.sequence,
        at: When(event.event.as_ref().map_or(event.at, |stack| stack.at)),
        source: event.source.clone(),
        message: event.message.clone(),
        stack,
    })
}

/// The events after this number, as lines.
pub(super) async fn lines(v: &Visit, id: DeploymentId, after: u64) -> Result<Vec<(u64, Html)>, AppError> {
    let events = v.app.deployment_events(&v.caller, id, after, EVENTS).await?;
    events
        .iter()
        .map(|event| Ok((event.sequence, line(event)?)))
        .collect()
}

#[derive(Template)]
#[template(path = "deployment.html")]
struct One<'a> {
    v: &'a Visit,
    row: &'a DeploymentRow,
    status: Badge,
    destroys: bool,
    target_href: String,
    target: String,
    template: String,
    created: When,
    ended: Option<When>,
    took: String,
    waiting: String,
    cancels: bool,
    failed: bool,
    ways: Vec<Way>,
    changes: Vec<ChangeView>,
    bars: Vec<Bar>,
    outputs: Vec<(String, String)>,
    stack_arn: String,
}

/// One of them.
pub(super) async fn one(v: &Visit, id: DeploymentId) -> Result<Shown, AppError> {
    // First the row, then its events: an ended row has all of its events.
    let row = v.app.get_deployment(&v.caller, id).await?;
    let events = events(v, id).await?;
    let status = Badge::of(row.deployment.word());
    let place = row.place();
    let may = v.may_at(target::write_action(&row.target), &place);
    let cancellable = row.deployment.is_active() && status.0 != "CANCELLING";
    let template = row.template.as_ref();
    let one = One {
        v,
        failed: status.0.contains("FAILED"),
        status,
        destroys: row.deployment.intent == Intent::Destroy,
        target_href: href(&row.target),
        target: row.target.name(),
        template: template
            .map(|name| format!("{name}:{}", row.version))
            .unwrap_or_default(),
        created: When(row.created_at),
        ended: When::some(row.ended_at),
        took: row
            .ended_at
            .map(|end| span(end.since(row.created_at)))
            .unwrap_or_default(),
        waiting: waiting_for(&row).unwrap_or_default(),
        cancels: cancellable && v.may_at(Action::CancelDeployment, &place),
        ways: target::ways(v, &row.target, &row.ways_out, may),
        changes: row
            .changes
            .iter()
            .map(|change| ChangeView::of(v, change))
            .collect(),
        bars: bars(&events, &row),
        outputs: row
            .outputs
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        stack_arn: row
            .stack_arn
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        row: &row,
    };
    let mut log = Log::default();
    for event in &events {
        log.lines.0.push_str(&line(event)?.0);
        log.last = event.sequence;
    }
    let verb = if one.destroys {
        v.t.deployment_of_deletion
    } else {
        v.t.deployment_of
    };
    let mut shown = Shown::titled(format!("{verb} {} {}", row.target.kind(), row.target.name()));
    if row.rendered.is_some() {
        let to = format!("/deployments/{id}/template");
        shown.actions.push(Link::to(to, v.t.rendered));
    }
    shown.lead = id.to_string();
    shown.live = Some(Html::of(&one)?);
    shown.log = Some(log);
    Ok(shown)
}

/// Cancels one.
pub(super) async fn cancel(deed: &Deed, id: &str) -> Result<Outcome, AppError> {
    let id: DeploymentId = named("deployment", id)?;
    let request = deed.request("CancelDeployment");
    match deed.visit.app.cancel_deployment(request, id).await {
        Ok(_) => Ok(Outcome::Done(format!("/deployments/{id}?done=cancelling"))),
        Err(error) => {
            let mut visit = deed.visit.clone();
            visit.path = format!("/deployments/{id}");
            let shown = one(&visit, id).await?;
            Ok(super::deed::again(error, shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        assert_eq!(span(Duration::from_secs(5)), "5 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(span(Duration::from_secs(7_260)), "2 h 1 min");
    }

    #[test]
    fn what_gives_rights_is_known() {
        assert!(gives_rights("AWS::IAM::Role") && gives_rights("AWS::S3::BucketPolicy"));
        assert!(gives_rights("AWS::Lambda::Permission") && !gives_rights("AWS::SNS::Topic"));
    }
}
