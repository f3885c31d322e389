//! The management account's own connection: nobody requests or accepts it, the hub's configuration does.

use hadron_domain::connection::{Approval, Connection, ConnectionEffect, ConnectionInput, Roles};
use hadron_domain::principal::{Principal, Signed};
use hadron_domain::step::Machine;
use hadron_proto::vocab::{ConnectionId, EnvironmentName};

use super::{App, AppError, ErrorKind, Notice, Unit};
use crate::store::connections::{self, ConnectionKind, ConnectionRow};
use crate::store::{Topic, requests};

impl App {
    /// Brings the management account's connection in line with the settings. Agents that were enrolled under other roles
    /// have to enrol anew.
    ///
    /// # Errors
    /// When the database was made for another management account or Region, or does not answer.
    pub async fn seed_management(&self) -> Result<ConnectionId, AppError> {
        self.write("management connection", |unit| Box::pin(seed(unit)))
            .await
    }

    /// Forgets which incarnation of its role the management account's agent had, after the role was made anew. The next
    /// enrolment decides; certificates given before are void.
    ///
    /// # Errors
    /// When there is no such connection yet, or the database does not answer.
    pub async fn trust_management_role(&self) -> Result<String, AppError> {
        self.write("trust management role", |unit| {
            Box::pin(async move {
                let mut row = connections::management(unit.tx).await?.ok_or_else(|| {
                    AppError::new(
                        ErrorKind::Precondition,
                        "NOT_STARTED",
                        "this hub was never started",
                    )
                    .help("start it once: hadron-hub serve")
                })?;
                row.pinned_role_id = None;
                row.connection.epoch += 1;
                connections::put(unit.tx, &row).await?;
                let id = row.connection.id;
                close(unit, id, "the agent's role was made anew").await?;
                audit(unit, id, "TrustManagementRole").await?;
                Ok(row.connection.roles.agent_role_name)
            })
        })
        .await
    }
}

async fn audit(unit: &mut Unit<'_>, id: ConnectionId, action: &str) -> Result<(), AppError> {
    let (hub, account) = (Principal::hub(), Some(unit.settings().account));
    requests::audit(
        unit.tx,
        unit.now,
        hub.as_str(),
        account,
        action,
        &id.to_string(),
        "done",
        "",
    )
    .await?;
    Ok(())
}

async fn close(unit: &mut Unit<'_>, connection: ConnectionId, why: &str) -> Result<(), AppError> {
    unit.notify(Notice::Close {
        connection,
        why: why.to_owned(),
    });
    unit.take_back_jobs(connection).await
}

async fn seed(unit: &mut Unit<'_>) -> Result<ConnectionId, AppError> {
    let settings = unit.settings().clone();
    let roles = Roles {
        provisioning: settings.provisioning_role.clone(),
        component: None,
        codebuild: None,
        agent_role_name: settings.agent_role_name.clone(),
    };
    let by = Signed {
        who: Principal::hub(),
        at: unit.now,
    };
    let Some(mut row) = connections::management(unit.tx).await? else {
        let environment: EnvironmentName = "management".parse().map_err(AppError::internal)?;
        let connection = Connection {
            id: unit.fresh_id(),
            environment,
            account: settings.account,
            region: settings.region,
            roles,
            requested: by.clone(),
            roles_changed: None,
            approval: Approval::Connected(by),
            epoch: 1,
        };
        let row = ConnectionRow {
            connection,
            kind: ConnectionKind::Management,
            pinned_role_id: None,
        };
        connections::insert(unit.tx, &row).await?;
        audit(unit, row.connection.id, "CreateManagementConnection").await?;
        unit.tx.after_commit(Topic::Changes);
        return Ok(row.connection.id);
    };
    let (id, before) = (row.connection.id, row.connection.clone());
    if before.account != settings.account || before.region != settings.region {
        return Err(AppError::new(
            ErrorKind::Precondition,
            "OTHER_HUB",
            format!(
                "this database belongs to the hub of account {} in {}, the configuration says {} in {}",
                before.account, before.region, settings.account, settings.region
            ),
        )
        .help("correct management.account and management.region, or use another database"));
    }
    let step = row.connection.step(ConnectionInput::ChangeRoles(by, roles))?;
    if step.next == before {
        return Ok(id);
    }
    if step.next.roles.agent_role_name != before.roles.agent_role_name {
        // Another role has another unique id.
        row.pinned_role_id = None;
    }
    row.connection = step.next;
    connections::put(unit.tx, &row).await?;
    if step.effects.contains(&ConnectionEffect::CloseSessions) {
        close(unit, id, "the roles of the management account changed").await?;
    }
    audit(unit, id, "ChangeManagementRoles").await?;
    unit.tx.after_commit(Topic::Changes);
    Ok(id)
}
