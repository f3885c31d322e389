//! Put events onto a bus. An attempt that was cut off after the call puts them there twice: `EventBridge` has no token that
//! would tell, and whoever reads events has to expect it. Those that the bus refuses one by one go back to the hub, which
//! knows what came meanwhile.

use super::attempt::{Attempt, Halt, failed};
use super::{Step, StepLog};
use crate::aws::{Account, EventBus as _};
use crate::job::{FailureKind, Hub, Outcome, PutEvents};

pub(super) async fn run<A: Account, H: Hub, J: StepLog>(
    at: &Attempt<'_, A, H, J>,
    work: &PutEvents,
) -> Result<Outcome, Halt> {
    let bus = work.bus.clone();
    let put = at
        .act(&Step::PutEvents { bus }, || {
            at.account.events().put_events(&work.bus, &work.entries)
        })
        .await?;
    match put {
        Ok(refused) => {
            if !refused.is_empty() {
                tracing::warn!(bus = work.bus, "{} events were not taken", refused.len());
            }
            Ok(Outcome::EventsPut { refused })
        }
        Err(error) => {
            let doing = format!("cannot put events onto bus {}", work.bus);
            Err(failed(&doing, &error, FailureKind::Other))
        }
    }
}
