//! `hadron config`: what this program works with, and where it came from.

use clap::Subcommand;
use hadron_proto::vocab::Timestamp;
use serde_json::{Map, Value, json};

use super::Context;
use crate::error::Result;
use crate::output::{Card, Show, map};
use crate::settings::{Origin, TokenFrom, Trust};

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show every setting and where it came from
    #[command(after_help = "Examples:
  hadron config view
  hadron --profile staging config view -o json

Flags win over HADRON_* variables, those over the profile. More: hadron help environment")]
    View,
}

struct Line {
    name: &'static str,
    value: Option<String>,
    origin: Origin,
}

impl Show for Line {
    const KIND: &'static str = "Setting";
    const HEAD: &'static [&'static str] = &["SETTING", "VALUE", "FROM"];

    fn name(&self) -> String {
        self.name.to_owned()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![
            self.name.to_owned(),
            self.value.clone().unwrap_or_default(),
            self.origin.to_string(),
        ]
    }
    fn fields(&self) -> Map<String, Value> {
        map(json!({ "name": self.name, "value": self.value, "from": self.origin.to_string() }))
    }
    fn card(&self, card: &mut Card) {
        card.fact(self.name, self.value.clone().unwrap_or_default());
    }
}

pub(super) fn run(verb: Verb, cx: &Context) -> Result<()> {
    let Verb::View = verb;
    let settings = &cx.settings;
    let line = |name, value: Option<(String, &Origin)>| {
        let (value, origin) = value.map_or((None, Origin::Default), |(value, origin)| {
            (Some(value), origin.clone())
        });
        Line { name, value, origin }
    };
    let trust = settings.trust.as_ref();
    let file = trust.and_then(|trust| match &trust.value {
        Trust::File(path) => Some((path.display().to_string(), &trust.origin)),
        Trust::Pin(_) => None,
    });
    let pin = trust.and_then(|trust| match &trust.value {
        Trust::Pin(pin) => Some((pin.clone(), &trust.origin)),
        Trust::File(_) => None,
    });
    let identity = match &settings.token {
        Some(token) => match &token.value {
            TokenFrom::Text(_) => ("a token".to_owned(), &token.origin),
            TokenFrom::File(path) => (format!("the token in {}", path.display()), &token.origin),
        },
        None => match &settings.aws_profile {
            Some(profile) => (format!("AWS profile {}", profile.value), &profile.origin),
            None => ("AWS credentials".to_owned(), &Origin::Default),
        },
    };
    let output = format!("{:?}", settings.output.value).to_lowercase();
    let lines = [
        line(
            "file",
            Some((settings.file.display().to_string(), &Origin::Default)),
        ),
        line(
            "profile",
            Some((settings.profile.value.clone(), &settings.profile.origin)),
        ),
        line(
            "hub",
            settings.hub.as_ref().map(|hub| (hub.value.clone(), &hub.origin)),
        ),
        line("hub_ca", file),
        line("hub_ca_pin", pin),
        line("identity", Some(identity)),
        line("output", Some((output, &settings.output.origin))),
        line(
            "wait",
            Some((settings.wait.value.to_string(), &settings.wait.origin)),
        ),
        line(
            "cache",
            settings
                .cache
                .as_ref()
                .map(|path| (path.display().to_string(), &Origin::Default)),
        ),
    ];
    cx.all(&lines)
}
