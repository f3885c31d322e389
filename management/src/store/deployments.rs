//! Rows of deployments and of what happened during them.

use hadron_domain::authority::{Place, Sight};
use hadron_domain::deployment::Deployment;
use hadron_domain::target::Target;
use hadron_proto::vocab::{
    AccountId, ConnectionId, DeploymentId, Digest, EnvironmentName, Region, StackArn, TargetId, TemplateName,
    TemplateVersion, Timestamp,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::db::{Row, Topic, Tx, Value, params};
use super::sealing::Sealed;
use super::sight::{self, seen};
use super::{StoreError, UNREAD, json, targets, to_json};

macro_rules! deployment_event_columns {
    () => {
        "deployment_id, sequence, at, source, message, external_id, event"
    };
}

macro_rules! deployment_columns {
    () => {
        "id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before, trace"
    };
}

/// A deployment as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentRow {
    /// The rules' view of it.
    pub deployment: Deployment,
    /// What it deploys.
    pub target_id: TargetId,
    /// What that is called.
    pub target: Target,
    /// The environment that the target is or lives in.
    pub environment: Option<EnvironmentName>,
    /// Why it failed.
    pub message: String,
    /// What can be done from here.
    pub ways_out: Vec<String>,
    /// The account that it happens in.
    pub account: AccountId,
    /// The Region that it happens in.
    pub region: Region,
    /// The connection that lets it happen.
    pub connection: ConnectionId,
    /// The template; components have none.
    pub template: Option<TemplateName>,
    /// The version to be deployed.
    pub version: TemplateVersion,
    /// The spec to be deployed.
    pub spec: String,
    /// The stack's name.
    pub stack_name: String,
    /// The stack's ARN, when it is known.
    pub stack_arn: Option<StackArn>,
    /// No deployment of the target had succeeded when this one began.
    pub never_succeeded: bool,
    /// Digest and length of the rendered template; `None` for deletions.
    pub rendered: Option<(Digest, u64)>,
    /// What CloudFormation has to be allowed.
    pub capabilities: Vec<String>,
    /// The resource types of the rendered template.
    pub resource_types: Vec<String>,
    /// Resources to leave behind.
    pub retain: Vec<String>,
    /// The change set that was authorised.
    pub changes: Vec<Change>,
    /// The outputs that it ended with.
    pub outputs: IndexMap<String, String>,
    /// How often its job was leased.
    pub attempt: u32,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The sequence number of its last event.
    pub last_event: u64,
    /// What the target was before; `None` when nothing had been deployed for it.
    pub initial: Option<State>,
    /// What the target shall be; `None` for deletions.
    pub target_state: Option<State>,
    /// When the target was made.
    pub target_created_at: Timestamp,
    /// Which deployments of the target came before this one.
    pub earlier: Earlier,
    /// The trace of the call that it was begun by, as a `traceparent`; empty: none.
    pub trace: String,
    /// Grows with every write.
    pub generation: u64,
}

impl DeploymentRow {
    /// Where its target is, for those whose rights do not reach everything.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::target(&self.target, self.environment.as_ref(), self.account)
    }
}

/// What had been deployed for a target when a deployment of it began. They may have been removed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// The last deployment.
    pub attempted: Option<DeploymentId>,
    /// The last one that had succeeded.
    pub succeeded: Option<DeploymentId>,
}

/// What a target was before a deployment, or shall be after it, for people who ask later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The spec.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub spec: String,
    /// The template's name and version; components have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<(TemplateName, TemplateVersion)>,
    /// What only components have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentState>,
    /// The last successful deployment of the environment that an instance was rendered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_deployment: Option<DeploymentId>,
    /// The last successful deployment of the service's pipeline at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_deployment: Option<DeploymentId>,
    /// The last successful deployments of the components attached to an instance at that time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub component_deployments: Vec<DeploymentId>,
}

/// What only components have, at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ComponentState {
    /// The service that it is attached to; empty while it is not.
    pub service: String,
    /// The instance that it is attached to.
    pub instance: String,
    /// The spec for that instance.
    pub service_spec: String,
    /// Its template.
    pub template_file: String,
}

/// One change of a change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Add, Modify, Remove, Import or Dynamic.
    pub action: String,
    /// The resource's name in the template.
    pub logical_id: String,
    /// The resource's name in AWS.
    pub physical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub resource_type: String,
    /// True, False, Conditional or empty.
    pub replacement: String,
}

/// Who tells an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The hub.
    Hub,
    /// The agent.
    Agent,
    /// CloudFormation.
    Stack,
}

impl Source {
    /// As stored and shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Agent => "agent",
            Self::Stack => "stack",
        }
    }
}

/// Something that happened during a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the deployment's history, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Who tells it: hub, agent or stack.
    pub source: String,
    /// In words.
    pub message: String,
    /// CloudFormation's own event.
    pub event: Option<StackEvent>,
}

/// CloudFormation's own event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// CloudFormation's id of it.
    pub event_id: String,
    /// When.
    pub at: Timestamp,
    /// The resource's name in the template.
    pub logical_id: String,
    /// The resource's name in AWS.
    pub physical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    /// CloudFormation's reason.
    pub reason: String,
}

fn from_row(row: &Row) -> Result<DeploymentRow, StoreError> {
    let (target, environment) = targets::read(row, "deployment.kind")?;
    let rendered: Option<Digest> = row.text_as_opt("rendered")?;
    let bytes: u64 = row.get("rendered_bytes")?;
    let sealed = Sealed {
        table: "deployment",
        key: row.str("id")?,
        row,
    };
    Ok(DeploymentRow {
        deployment: sealed.json("state")?,
        target_id: row.text_as("target_id")?,
        target,
        environment,
        message: sealed.text("message")?,
        ways_out: json(row, "ways_out")?,
        account: row.text_as("account")?,
        region: row.text_as("region")?,
        connection: row.text_as("connection_id")?,
        template: targets::template(row)?,
        version: TemplateVersion {
            major: row.get("major")?,
            minor: row.get("minor")?,
        },
        spec: sealed.text("spec")?,
        stack_name: row.get("stack_name")?,
        stack_arn: row.text_as_opt("stack_arn")?,
        never_succeeded: row.get("never_succeeded")?,
        rendered: rendered.map(|digest| (digest, bytes)),
        capabilities: json(row, "capabilities")?,
        resource_types: json(row, "resource_types")?,
        retain: json(row, "retain")?,
        changes: json(row, "changes")?,
        outputs: sealed.json("outputs")?,
        attempt: row.get("attempt")?,
        requested_by: row.get("requested_by")?,
        created_at: row.get("created_at")?,
        ended_at: row.get("ended_at")?,
        last_event: row.get("last_event")?,
        initial: state(&sealed, "initial_state")?,
        target_state: state(&sealed, "target_state")?,
        target_created_at: row.get("target_created_at")?,
        earlier: Earlier {
            attempted: row.text_as_opt("attempted_before")?,
            succeeded: row.text_as_opt("succeeded_before")?,
        },
        trace: row.get("trace")?,
        generation: row.get("generation")?,
    })
}

fn state(sealed: &Sealed<'_>, column: &'static str) -> Result<Option<State>, StoreError> {
    if sealed.row.str(column)?.is_empty() {
        Ok(None)
    } else {
        sealed.json(column).map(Some)
    }
}

fn state_text(state: Option<&State>) -> Result<String, StoreError> {
    state.map_or_else(|| Ok(String::new()), to_json)
}

/// What is secret about a deployment and changes while it lasts, sealed for its row.
async fn seal(tx: &mut Tx, row: &DeploymentRow) -> Result<[Value; 3], StoreError> {
    let (state, outputs) = (to_json(&row.deployment)?, to_json(&row.outputs)?);
    let texts = [
        ("state", state.as_str()),
        ("message", &row.message),
        ("outputs", &outputs),
    ];
    let id = row.deployment.id.to_string();
    tx.seal(&row.account.to_string(), "deployment", &id, texts).await
}

/// The key of an event's row, for what is sealed in it.
fn event_key(id: DeploymentId, sequence: u64) -> String {
    format!("{id}/{sequence}")
}

/// Inserts a deployment.
///
/// # Errors
/// [`StoreError::Conflict`] on index `one_active` when the target has an active deployment.
pub async fn insert(tx: &mut Tx, row: &DeploymentRow) -> Result<(), StoreError> {
    let (kind, service, instance) = targets::words(&row.target);
    let [state, message, outputs] = seal(tx, row).await?;
    let (initial, target_state) = (
        state_text(row.initial.as_ref())?,
        state_text(row.target_state.as_ref())?,
    );
    let id = row.deployment.id.to_string();
    let texts = [
        ("spec", row.spec.as_str()),
        ("initial_state", &initial),
        ("target_state", &target_state),
    ];
    let [spec, initial, target_state] = tx
        .seal(&row.account.to_string(), "deployment", &id, texts)
        .await?;
    tx.execute(
        "INSERT INTO deployment (id, target_id, kind, environment, service, instance, active, state, status, message,
             ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn,
             never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt,
             requested_by, created_at, ended_at, last_event, initial_state, target_state, target_created_at,
             attempted_before, succeeded_before, trace, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41)",
        &params![
            row.deployment.id,
            row.target_id,
            kind,
            row.environment.as_ref().map(ToString::to_string).unwrap_or_default(),
            service,
            instance,
            row.deployment.is_active(),
            state,
            row.deployment.word(),
            message,
            to_json(&row.ways_out)?,
            row.account,
            &row.region,
            row.connection,
            targets::template_word(row.template.as_ref()),
            row.version.major,
            row.version.minor,
            spec,
            &row.stack_name,
            row.stack_arn.as_ref().map(ToString::to_string),
            row.never_succeeded,
            row.rendered.map(|(digest, _)| digest.to_string()),
            row.rendered.map_or(0, |(_, bytes)| bytes),
            to_json(&row.capabilities)?,
            to_json(&row.resource_types)?,
            to_json(&row.retain)?,
            to_json(&row.changes)?,
            outputs,
            row.attempt,
            &row.requested_by,
            row.created_at,
            row.ended_at,
            row.last_event,
            initial,
            target_state,
            row.target_created_at,
            row.earlier.attempted,
            row.earlier.succeeded,
            &row.trace,
            row.generation,
            UNREAD
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Writes a deployment back where it is still the one that was read.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else wrote it meanwhile.
pub async fn put(tx: &mut Tx, row: &mut DeploymentRow) -> Result<(), StoreError> {
    let [state, message, outputs] = seal(tx, row).await?;
    let written = tx
        .execute(
            "UPDATE deployment SET active = $3, state = $4, status = $5, message = $6, ways_out = $7, stack_arn = $8,
                 changes = $9, outputs = $10, attempt = $11, ended_at = $12, last_event = $13, stack_name = $14,
                 generation = generation + 1, changed = $15
             WHERE id = $1 AND generation = $2",
            &params![
                row.deployment.id,
                row.generation,
                row.deployment.is_active(),
                state,
                row.deployment.word(),
                message,
                to_json(&row.ways_out)?,
                row.stack_arn.as_ref().map(ToString::to_string),
                to_json(&row.changes)?,
                outputs,
                row.attempt,
                row.ended_at,
                row.last_event,
                &row.stack_name,
                UNREAD
            ],
        )
        .await?;
    if written == 0 {
        return Err(super::changed("writing a deployment"));
    }
    row.generation += 1;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One deployment, locked until the transaction ends.
pub async fn get(tx: &mut Tx, id: DeploymentId) -> Result<Option<DeploymentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                deployment_columns!(),
                " FROM deployment WHERE id = $1 /*for-update*/"
            ),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One deployment of this account, locked until the transaction ends: what an agent's job works for.
pub async fn get_of(
    tx: &mut Tx,
    id: DeploymentId,
    account: AccountId,
) -> Result<Option<DeploymentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                deployment_columns!(),
                " FROM deployment WHERE id = $1 AND account = $2 /*for-update*/"
            ),
            &params![id, account],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One deployment as it was a moment ago. Not locked: for whoever knows that it has ended.
pub async fn seen(tx: &mut Tx, id: DeploymentId) -> Result<Option<DeploymentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!("SELECT ", deployment_columns!(), " FROM deployment WHERE id = $1"),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// How often a deployment and its events have changed; `None` when there is no such deployment. It grows with each event,
/// since the row is written back with it.
pub async fn generation(tx: &mut Tx, id: DeploymentId) -> Result<Option<u64>, StoreError> {
    let row = tx
        .query_opt("SELECT generation FROM deployment WHERE id = $1", &params![id])
        .await?;
    row.map(|row| row.get("generation")).transpose()
}

/// The active deployment of a target. Not locked: index `one_active` decides when two begin at once.
pub async fn active_of(tx: &mut Tx, target: TargetId) -> Result<Option<DeploymentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                deployment_columns!(),
                " FROM deployment WHERE target_id = $1 AND active = 1"
            ),
            &params![target],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// Active deployments of a connection.
pub async fn active_of_connection(
    tx: &mut Tx,
    connection: ConnectionId,
) -> Result<Vec<DeploymentRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            deployment_columns!(),
            " FROM deployment WHERE connection_id = $1 AND active = 1 ORDER BY id /*for-update*/"
        ),
        &params![connection],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Active deployments, oldest first: those that wait for grants are among them.
pub async fn active(tx: &mut Tx) -> Result<Vec<DeploymentRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            deployment_columns!(),
            " FROM deployment WHERE active = 1 ORDER BY id"
        ),
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// What deployments to list; an empty text asks for nothing in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of targets of this kind: environment, instance, pipeline or component.
    pub kind: &'static str,
    /// Of this environment and of what is in it.
    pub environment: String,
    /// Of this service.
    pub service: String,
    /// Of this instance.
    pub instance: String,
    /// Of this component.
    pub component: String,
    /// In this account.
    pub account: String,
    /// Not ended.
    pub active_only: bool,
}

impl Filter {
    /// All deployments of one target.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        let mut filter = Self {
            kind: target.kind(),
            ..Self::default()
        };
        match target {
            Target::Environment(name) => filter.environment = name.to_string(),
            Target::Instance(service, name) => {
                filter.service = service.to_string();
                filter.instance = name.to_string();
            }
            Target::Pipeline(service) => filter.service = service.to_string(),
            Target::Component(name) => filter.component = name.to_string(),
        }
        filter
    }
}

/// One statement for each index: `$leading` says what that is about, the rest what may be asked besides.
macro_rules! listed {
    ($leading:literal) => {
        concat!(
            "SELECT ",
            deployment_columns!(),
            " FROM deployment WHERE ",
            $leading,
            " AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1) AND ",
            seen!("$9", "account" in "account", "environment" in "environment", "service" in "service"),
            " ORDER BY id DESC LIMIT $8"
        )
    };
}

/// The statement for what is asked about.
const fn statement(
    kind: &str,
    service: &str,
    instance: &str,
    environment: &str,
    active_only: bool,
) -> &'static str {
    if !service.is_empty() && !instance.is_empty() {
        listed!("service = $2 AND instance = $3")
    } else if !service.is_empty() {
        listed!("service = $2")
    } else if !kind.is_empty() && !instance.is_empty() {
        listed!("kind = $5 AND instance = $3")
    } else if !environment.is_empty() {
        listed!("environment = $4")
    } else if active_only {
        listed!("active = 1")
    } else {
        listed!("1 = 1")
    }
}

/// Deployments, newest first, before `before` (empty: from the newest).
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    sight: &Sight,
    before: &str,
    limit: u32,
) -> Result<Vec<DeploymentRow>, StoreError> {
    // Components are what a deployment's `instance` column names when its kind says so.
    let (kind, instance) = if filter.component.is_empty() {
        (filter.kind, &filter.instance)
    } else {
        ("component", &filter.component)
    };
    let sql = statement(
        kind,
        &filter.service,
        instance,
        &filter.environment,
        filter.active_only,
    );
    // Every id is below a tilde.
    let before = if before.is_empty() { "~" } else { before };
    tx.query(
        sql,
        &params![
            before,
            &filter.service,
            instance,
            &filter.environment,
            kind,
            &filter.account,
            filter.active_only,
            limit,
            sight::words(sight)
        ],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Removes a deployment with everything that is known to have happened during it.
pub async fn remove(tx: &mut Tx, id: DeploymentId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM deployment_event WHERE deployment_id = $1",
        &params![id],
    )
    .await?;
    tx.execute("DELETE FROM deployment WHERE id = $1", &params![id])
        .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Writes down what happened. The caller writes the row back afterwards, since its `last_event` has grown.
pub async fn tell(
    tx: &mut Tx,
    row: &mut DeploymentRow,
    at: Timestamp,
    source: Source,
    message: impl Into<String>,
) -> Result<(), StoreError> {
    row.last_event += 1;
    let key = event_key(row.deployment.id, row.last_event);
    let message = message.into();
    let [message] = tx
        .seal(
            &row.account.to_string(),
            "deployment_event",
            &key,
            [("message", &message)],
        )
        .await?;
    tx.execute(
        "INSERT INTO deployment_event (deployment_id, sequence, at, source, message, external_id, event)
         VALUES ($1, $2, $3, $4, $5, NULL, NULL)",
        &params![row.deployment.id, row.last_event, at, source.word(), message],
    )
    .await?;
    Ok(())
}

/// Writes down CloudFormation's own events, each once. The caller writes the row back afterwards.
pub async fn tell_stack(
    tx: &mut Tx,
    row: &mut DeploymentRow,
    events: &[StackEvent],
) -> Result<(), StoreError> {
    for event in events {
        let reason = if event.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", event.reason)
        };
        let message = format!(
            "{} {} {}{reason}",
            event.status, event.resource_type, event.logical_id
        );
        let (key, own) = (event_key(row.deployment.id, row.last_event + 1), to_json(event)?);
        let texts = [("message", message.as_str()), ("event", &own)];
        let [message, own] = tx
            .seal(&row.account.to_string(), "deployment_event", &key, texts)
            .await?;
        let written = tx
            .execute(
                "INSERT INTO deployment_event (deployment_id, sequence, at, source, message, external_id, event)
                 VALUES ($1, $2, $3, 'stack', $4, $5, $6)
                 ON CONFLICT DO NOTHING",
                &params![row.deployment.id, row.last_event + 1, event.at, message, &event.event_id, own],
            )
            .await?;
        row.last_event += written;
    }
    Ok(())
}

/// What happened after `after`, in order.
pub async fn events(
    tx: &mut Tx,
    id: DeploymentId,
    after: u64,
    limit: u32,
) -> Result<Vec<EventRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            deployment_event_columns!(),
            " FROM deployment_event WHERE deployment_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
        ),
        &params![id, after, limit],
    )
    .await?
    .iter()
    .map(|row| {
        let event: Option<String> = row.get("event")?;
        let sequence = row.get("sequence")?;
        let sealed = Sealed {
            table: "deployment_event",
            key: &event_key(id, sequence),
            row,
        };
        Ok(EventRow {
            sequence,
            at: row.get("at")?,
            source: row.get("source")?,
            message: sealed.text("message")?,
            event: if event.is_some() {
                Some(sealed.json("event")?)
            } else {
                None
            },
        })
    })
    .collect()
}

/// Remembers what a deployment's template was rendered from.
pub async fn put_source(tx: &mut Tx, id: DeploymentId, source: Digest) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE deployment SET source = $2 WHERE id = $1",
        &params![id, source],
    )
    .await?;
    Ok(())
}

/// The digest of what a deployment's template was rendered from, where that is kept.
pub async fn source(tx: &mut Tx, id: DeploymentId) -> Result<Option<Digest>, StoreError> {
    let row = tx
        .query_opt("SELECT source FROM deployment WHERE id = $1", &params![id])
        .await?;
    row.map_or(Ok(None), |row| row.text_as_opt("source"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::testing;

    #[tokio::test]
    async fn every_list_is_read_newest_first_from_an_index() {
        let test = testing::sqlite().await;
        for (sql, index) in [
            (statement("", "web", "prd", "", false), "deployment_instance"),
            (statement("", "web", "", "prd", false), "deployment_service"),
            (statement("component", "", "bucket", "", false), "deployment_kind"),
            (
                statement("environment", "", "", "prd", true),
                "deployment_environment",
            ),
            (statement("", "", "", "", true), "deployment_active"),
            (statement("", "", "", "", false), "sqlite_autoindex_deployment_1"),
        ] {
            let plan = testing::plan(&test.db, sql).await;
            assert!(plan.contains(&format!("INDEX {index} (")), "{index}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{index}: {plan}");
        }
    }
}
