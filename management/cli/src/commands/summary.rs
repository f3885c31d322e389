//! `hadron summary`: how many there are of everything.

use clap::Args;
use hadron_proto::vocab::Timestamp;
use hadron_proto::{codes, wire};
use serde_json::{Map, Value, json};

use super::Context;
use crate::error::Result;
use crate::output::{Card, Show, map, say};

/// Flags of `summary`.
#[derive(Debug, Args)]
#[command(
    after_help = "After the hub's database was restored, standard error tells how far its stacks are compared with CloudFormation.

Examples:
  hadron summary
  hadron summary -o json | jq '.items[] | select(.failed > 0)'"
)]
pub(crate) struct Summary {}

/// How many of one kind.
struct Line {
    kind: &'static str,
    count: wire::SummaryCount,
    /// Templates and components are not behind anything.
    stands: bool,
}

pub(super) async fn run(_: Summary, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let found = hub
        .call("cannot get the summary", wire::GetSummaryRequest {}, async |q| {
            hub.summary().get_summary(q).await
        })
        .await?;
    let line = |kind, count: Option<wire::SummaryCount>, stands| Line {
        kind,
        count: count.unwrap_or_default(),
        stands,
    };
    let total = |total| {
        Some(wire::SummaryCount {
            total,
            ..wire::SummaryCount::default()
        })
    };
    if let Some(recovery) = &found.recovery {
        for line in told(recovery) {
            say(line);
        }
        if matches!(
            recovery.state(),
            wire::recovery::State::Unannounced | wire::recovery::State::Comparing
        ) {
            say(format!("more: hadron help {}", codes::RESTORED));
        }
    }
    cx.list(
        &[
            line("environment templates", total(found.environment_templates), false),
            line("service templates", total(found.service_templates), false),
            line("environments", found.environments, true),
            line("services", found.services, true),
            line("service instances", found.instances, true),
            line("pipelines", found.pipelines, true),
            line("components", found.components, false),
        ],
        "",
    )
}

/// What is to be known about a hub whose database was restored.
fn told(recovery: &wire::Recovery) -> Vec<String> {
    use wire::recovery::State;
    let wire::Recovery {
        generation,
        stacks,
        compared,
        differing,
        ..
    } = recovery;
    let mut lines = match recovery.state() {
        State::Unannounced => vec![
            "the hub's database looks older than what the hub has done, and agents are given no work:"
                .to_owned(),
        ],
        State::Comparing => vec![format!(
            "the hub's database was restored ({generation} times by now): {compared} of {stacks} stacks are compared with \
             CloudFormation; waiting for"
        )],
        State::Done | State::Unspecified => Vec::new(),
    };
    lines.extend(recovery.waiting.iter().map(|line| format!("  {line}")));
    if *differing > 0 {
        lines.push(format!(
            "{differing} of {stacks} stacks were changed by deployments that the hub has lost; their status is FAILED and says so"
        ));
    }
    lines
}

impl Show for Line {
    const KIND: &'static str = "Summary";
    const HEAD: &'static [&'static str] = &[
        "KIND",
        "TOTAL",
        "FAILED",
        "UP TO DATE",
        "BEHIND MINOR",
        "BEHIND MAJOR",
    ];

    fn name(&self) -> String {
        self.kind.to_owned()
    }

    fn row(&self, _: Timestamp) -> Vec<String> {
        let stands = |count: u64| {
            if self.stands {
                count.to_string()
            } else {
                String::new()
            }
        };
        vec![
            self.kind.to_owned(),
            self.count.total.to_string(),
            self.count.failed.to_string(),
            stands(self.count.up_to_date),
            stands(self.count.behind_minor),
            stands(self.count.behind_major),
        ]
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = map(json!({
            "resources": self.kind,
            "total": self.count.total,
            "failed": self.count.failed,
        }));
        if self.stands {
            fields.extend(map(json!({
                "upToDate": self.count.up_to_date,
                "behindMinor": self.count.behind_minor,
                "behindMajor": self.count.behind_major,
            })));
        }
        fields
    }

    fn card(&self, card: &mut Card) {
        card.title(self.kind);
        card.fact("total", self.count.total.to_string());
        card.fact("failed", self.count.failed.to_string());
    }
}
