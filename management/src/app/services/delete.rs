//! Deleting a service, and what deletes one of its parts.

use std::collections::BTreeSet;

use hadron_domain::authority::{Action, Place};
use hadron_domain::deployment::Intent;
use hadron_domain::service::{Doing, Part, Status};
use hadron_proto::vocab::ServiceName;

use super::{ServiceView, not_found, occupied};
use crate::app::effects::{Planned, topic};
use crate::app::{App, AppError, Request, components};
use crate::store::targets::TargetRow;
use crate::store::{outbox, services, targets};

impl App {
    /// Deletes a service: its instances, then its pipeline, then itself.
    ///
    /// # Errors
    /// When it is in the middle of something.
    pub async fn delete_service(&self, request: Request, name: ServiceName) -> Result<ServiceView, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(name.clone()),
        )
        .await?;
        let before = self.get_service(&request.caller, &name).await?;
        let out_of = before.instances.iter().filter_map(|row| row.environment.as_ref());
        self.may_deploy(&request.caller, &name, out_of).await?;
        if self.seen(&request).await?.is_some() {
            return Ok(before);
        }
        let owned = name.clone();
        self.write_once(request.key(), "delete service", move |unit| {
            Box::pin(async move {
                let mut row = services::get(unit.tx, &owned)
                    .await?
                    .ok_or_else(|| not_found(&owned))?;
                match row.doing {
                    Doing::Nothing => {}
                    Doing::Deleting => return Ok(unit.answered(&request, owned.as_str()).await?),
                    Doing::Creating | Doing::Updating { .. } => return Err(occupied(&row)),
                }
                components::in_the_way(unit.tx, &owned, None).await?;
                row.doing = Doing::Deleting;
                row.status = Status::DeleteInProgress;
                row.message.clear();
                row.modified_at = unit.now;
                services::put(unit.tx, &mut row).await?;
                for mut part in targets::of_service(unit.tx, &owned).await? {
                    if part.part == Part::DeleteFailed {
                        part.part = Part::Bad;
                        targets::put(unit.tx, &mut part).await?;
                    }
                }
                outbox::ask(unit.tx, topic::SERVICE, owned.as_str(), unit.now).await?;
                Ok(unit.answered(&request, owned.as_str()).await?)
            })
        })
        .await?;
        Ok(self.service(&name).await?.unwrap_or(before))
    }
}

/// The deletion of a target.
pub(in crate::app) fn destroy(row: &TargetRow, retain: Vec<String>, requested_by: &str) -> Planned {
    Planned {
        intent: Intent::Destroy,
        version: row.version,
        spec: row.spec.clone(),
        rendered: None,
        retain,
        requested_by: requested_by.to_owned(),
        grants: BTreeSet::new(),
    }
}
