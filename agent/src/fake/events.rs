//! `EventBridge` in memory.

use super::{Call, FakeAws};
use crate::aws::{Answer, AwsError, EventBus};
use crate::job::EventEntry;

impl EventBus for FakeAws {
    async fn put_events(&self, bus: &str, entries: &[EventEntry]) -> Answer<Vec<(usize, String)>> {
        let ticket = self.line.enter(Call::PutEvents).await?;
        let answer = {
            let mut state = self.state();
            if state.buses.iter().all(|known| known != bus) {
                let message = format!("Event bus {bus} does not exist.");
                Err(AwsError::coded("ResourceNotFoundException", message))
            } else {
                let mut refused = Vec::new();
                for (place, entry) in entries.iter().enumerate() {
                    if entry.source.starts_with("aws.") {
                        let why = "NotAuthorizedForSourceException: Not authorized for the source.";
                        refused.push((place, why.to_owned()));
                    } else {
                        state.events.push(entry.clone());
                    }
                }
                Ok(refused)
            }
        };
        ticket.leave(answer).await
    }
}
