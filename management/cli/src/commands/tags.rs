//! `hadron tag`: tags of everything that has an ARN.

use clap::{Args, Subcommand};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use super::{Context, pairs};
use crate::args::Write;
use crate::error::Result;
use crate::output::{Card, Show, map};

/// What can be done with tags.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the tags of a resource, managed ones included
    #[command(after_help = "Examples:
  hadron tag list arn:aws:proton:us-east-1:111111111111:environment/prd

Managed tags begin with aws: and follow from what the resource is.")]
    List(One),
    /// Give a resource tags; those of the same key are overwritten
    #[command(after_help = "Examples:
  hadron tag add arn:aws:proton:us-east-1:111111111111:service/web team=shop cost-centre=42")]
    Add(Add),
    /// Take tags away from a resource
    #[command(after_help = "Examples:
  hadron tag remove arn:aws:proton:us-east-1:111111111111:service/web team")]
    Remove(Remove),
}

/// A resource by its ARN.
#[derive(Debug, Args)]
pub(crate) struct One {
    /// ARN of the resource
    arn: String,
}

/// Flags of `add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// ARN of the resource
    arn: String,
    /// Tags
    #[arg(value_name = "KEY=VALUE", required = true)]
    tags: Vec<String>,
    #[command(flatten)]
    write: Write,
}

/// Flags of `remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// ARN of the resource
    arn: String,
    /// Keys
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    write: Write,
}

pub(super) async fn run(verb: Verb, cx: &Context) -> Result<()> {
    let hub = cx.hub()?;
    let arn = match verb {
        Verb::List(One { arn }) => arn,
        Verb::Add(args) => {
            let tags = pairs(&args.tags)?.into_iter();
            let request = wire::AddTagsRequest {
                request_id: cx.request_id(&args.write),
                arn: args.arn.clone(),
                tags: tags.map(|(key, value)| wire::Tag { key, value }).collect(),
            };
            hub.call("cannot add tags", request, async |q| hub.tags().add_tags(q).await)
                .await?;
            args.arn
        }
        Verb::Remove(args) => {
            let request = wire::RemoveTagsRequest {
                request_id: cx.request_id(&args.write),
                arn: args.arn.clone(),
                keys: args.keys,
            };
            hub.call("cannot remove tags", request, async |q| {
                hub.tags().remove_tags(q).await
            })
            .await?;
            args.arn
        }
    };
    let request = wire::ListTagsRequest { arn };
    let found = hub
        .call("cannot list tags", request, async |q| {
            hub.tags().list_tags(q).await
        })
        .await?;
    cx.list(&found.tags, "There are no tags.")
}

impl Show for wire::Tag {
    const KIND: &'static str = "Tag";
    const HEAD: &'static [&'static str] = &["KEY", "VALUE"];

    fn name(&self) -> String {
        self.key.clone()
    }

    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![self.key.clone(), self.value.clone()]
    }

    fn fields(&self) -> Map<String, Value> {
        map(json!({ "key": self.key, "value": self.value }))
    }

    fn card(&self, card: &mut Card) {
        card.title(&self.key);
        card.fact("value", &self.value);
    }
}
