//! `hadron summary`: how many there are of everything.

use clap::Args;
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::Context;
use crate::error::Result;
use crate::output::{Card, Show, map};

/// Flags of `summary`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron summary
  hadron summary -o json | jq '.items[] | select(.failed > 0)'")]
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
