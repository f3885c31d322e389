//! `EventBridge` behind [`EventBus`].

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::calls::Counting;
use super::leave::LastLook;
use super::{Answer, AwsError, EventBus};
use crate::job::EventEntry;

/// `EventBridge` of one account and Region.
#[derive(Clone, Debug)]
pub struct EventBridge {
    client: Client,
}

impl EventBridge {
    /// From the SDK's configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_eventbridge::config::Builder::from(config)
            .interceptor(LastLook)
            .interceptor(Counting)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

impl EventBus for EventBridge {
    async fn put_events(&self, bus: &str, entries: &[EventEntry]) -> Answer<Vec<(usize, String)>> {
        let entries = entries.iter().map(|entry| {
            PutEventsRequestEntry::builder()
                .event_bus_name(bus)
                .source(&entry.source)
                .detail_type(&entry.detail_type)
                .detail(&entry.detail)
                .set_resources(Some(entry.resources.clone()))
                .time(DateTime::from_millis(entry.at.as_millis()))
                .build()
        });
        let request = self.client.put_events().set_entries(Some(entries.collect()));
        let answer = request.send().await.map_err(AwsError::of)?;
        // One answer for each entry, in their order; those that were taken have an id.
        let refused = answer.entries().iter().enumerate().filter_map(|(place, entry)| {
            let code = entry.error_code()?;
            let why = entry.error_message().unwrap_or_default();
            Some((place, format!("{code}: {why}")))
        });
        Ok(refused.collect())
    }
}
