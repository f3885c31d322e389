//! Rows of whatever owns a stack: environments, service instances and pipelines.

use hadron_domain::arn::Resource as Named;
use hadron_domain::authority::{Place, Sight};
use hadron_domain::event::DELETED;
use hadron_domain::service::Part;
use hadron_domain::target::{Provisioning, Target};
use hadron_domain::template::CompatibleTemplate;
use hadron_proto::vocab::{
    AccountId, ComponentName, ConnectionId, DeploymentId, EnvironmentName, InstanceName, Region, RoleArn,
    ServiceName, StackArn, TargetId, TemplateName, TemplateVersion, Timestamp,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::db::{Row, Topic, Tx, Value, params};
use super::sealing::Sealed;
use super::sight::{self, seen};
use super::{StoreError, UNREAD, corrupt, events, json, tags, to_json};

macro_rules! target_columns {
    () => {
        "id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token"
    };
}
pub(super) use target_columns;

/// Something that owns a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// Its id; new for every incarnation of the same name.
    pub id: TargetId,
    /// What it is.
    pub target: Target,
    /// The environment that it is or lives in; `None` for pipelines.
    pub environment: Option<EnvironmentName>,
    /// The account that its stack is in.
    pub account: AccountId,
    /// The Region that its stack is in.
    pub region: Region,
    /// The connection that it is deployed through.
    pub connection: ConnectionId,
    /// Its template; components have none.
    pub template: Option<TemplateName>,
    /// The version of the last successful deployment; before the first one, the version asked for.
    pub version: TemplateVersion,
    /// The spec of the last successful deployment; before the first one, the spec asked for.
    pub spec: String,
    /// What people wrote about it.
    pub description: String,
    /// The name of its stack.
    pub stack_name: String,
    /// The ARN of its stack, once an agent has told it.
    pub stack_arn: Option<StackArn>,
    /// Leave was given to delete the stack: nothing may build on it any more.
    pub condemned: bool,
    /// Some deployment has succeeded.
    pub ever_succeeded: bool,
    /// What became of it, for the service's planner.
    pub part: Part,
    /// Proton's deployment status word.
    pub status: String,
    /// Why, when it failed.
    pub message: String,
    /// What can be done from here.
    pub ways_out: Vec<String>,
    /// What was accepted with a warning.
    pub warnings: Vec<String>,
    /// The stack's outputs.
    pub outputs: IndexMap<String, String>,
    /// The stack's resources.
    pub resources: Vec<Resource>,
    /// The last deployment.
    pub attempted: Option<(DeploymentId, Timestamp)>,
    /// The last deployment that succeeded, with the time of its beginning.
    pub succeeded: Option<(DeploymentId, Timestamp)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who makes it true.
    pub provisioning: Provisioning,
    /// Roles and repository that its creator named; only environments have any.
    pub roles: EnvironmentRoles,
    /// The client token of the last request that carried one; empty for none.
    pub client_token: String,
    /// Grows with every write.
    pub generation: u64,
}

/// Roles of an environment that lives in the management account; those of a connected one are its connection's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvironmentRoles {
    /// What CloudFormation provisions with (Proton's `protonServiceRoleArn`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<RoleArn>,
    /// What CloudFormation provisions components with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<RoleArn>,
    /// What CodeBuild jobs run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codebuild: Option<RoleArn>,
}

/// What is known about a target before anything has been deployed for it.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Its id.
    pub id: TargetId,
    /// What it is.
    pub target: Target,
    /// The environment that it is or lives in.
    pub environment: Option<EnvironmentName>,
    /// The account that its stack will be in.
    pub account: AccountId,
    /// The Region that its stack will be in.
    pub region: Region,
    /// The connection that it will be deployed through.
    pub connection: ConnectionId,
    /// Its template; components have none.
    pub template: Option<TemplateName>,
    /// The version asked for.
    pub version: TemplateVersion,
    /// The spec asked for.
    pub spec: String,
    /// What was accepted with a warning.
    pub warnings: Vec<String>,
}

impl TargetRow {
    /// Where it is, for those whose rights do not reach everything.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::target(&self.target, self.environment.as_ref(), self.account)
    }

    /// A target for which nothing has been deployed yet. It gets a stack name with its first deployment.
    #[must_use]
    pub fn fresh(fresh: Fresh, now: Timestamp) -> Self {
        Self {
            id: fresh.id,
            target: fresh.target,
            environment: fresh.environment,
            account: fresh.account,
            region: fresh.region,
            connection: fresh.connection,
            template: fresh.template,
            version: fresh.version,
            spec: fresh.spec,
            description: String::new(),
            stack_name: String::new(),
            stack_arn: None,
            condemned: false,
            ever_succeeded: false,
            part: Part::Untouched,
            status: "IN_PROGRESS".to_owned(),
            message: String::new(),
            ways_out: Vec::new(),
            warnings: fresh.warnings,
            outputs: IndexMap::new(),
            resources: Vec::new(),
            attempted: None,
            succeeded: None,
            created_at: now,
            provisioning: Provisioning::Stack,
            roles: EnvironmentRoles::default(),
            client_token: String::new(),
            generation: 0,
        }
    }

    /// The template of whatever must have one.
    ///
    /// # Errors
    /// When it is a component.
    pub fn made_from(&self) -> Result<&TemplateName, StoreError> {
        self.template
            .as_ref()
            .ok_or_else(|| corrupt("target.template_name", "nothing, for what must have a template"))
    }
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name in AWS.
    pub physical_id: String,
    /// Such as `AWS::SNS::Topic`.
    pub resource_type: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
}

/// A target's `kind`, `service` and `instance` columns, as every table with targets in it spells them.
pub(super) fn words(target: &Target) -> (&'static str, String, String) {
    match target {
        Target::Environment(_) => ("environment", String::new(), String::new()),
        Target::Instance(service, instance) => ("instance", service.to_string(), instance.to_string()),
        Target::Pipeline(service) => ("pipeline", service.to_string(), String::new()),
        Target::Component(name) => ("component", String::new(), name.to_string()),
    }
}

/// Reads back what [`words`] wrote, with the environment that the row names, if any; `column` is for the error.
pub(super) fn read(row: &Row, column: &str) -> Result<(Target, Option<EnvironmentName>), StoreError> {
    let kind: String = row.get("kind")?;
    let environment: String = row.get("environment")?;
    let environment: Option<EnvironmentName> = if environment.is_empty() {
        None
    } else {
        Some(row.text_as("environment")?)
    };
    let target = match (kind.as_str(), &environment) {
        ("environment", Some(name)) => Target::Environment(name.clone()),
        ("instance", _) => Target::Instance(row.text_as("service")?, row.text_as("instance")?),
        ("pipeline", _) => Target::Pipeline(row.text_as("service")?),
        ("component", _) => Target::Component(row.text_as("instance")?),
        _ => return Err(corrupt(column, &kind)),
    };
    Ok((target, environment))
}

pub(super) fn from_row(row: &Row) -> Result<TargetRow, StoreError> {
    let (target, environment) = read(row, "target.kind")?;
    let part: String = row.get("part")?;
    let when = |id: &str, at: &str| -> Result<Option<(DeploymentId, Timestamp)>, StoreError> {
        let id: Option<DeploymentId> = row.text_as_opt(id)?;
        let at: Option<Timestamp> = row.get(at)?;
        Ok(id.zip(at))
    };
    let id: TargetId = row.text_as("id")?;
    let sealed = Sealed {
        table: "target",
        key: &id.to_string(),
        row,
    };
    Ok(TargetRow {
        id,
        target,
        environment,
        account: row.text_as("account")?,
        region: row.text_as("region")?,
        connection: row.text_as("connection_id")?,
        template: template(row)?,
        version: TemplateVersion {
            major: row.get("major")?,
            minor: row.get("minor")?,
        },
        spec: sealed.text("spec")?,
        description: row.get("description")?,
        stack_name: row.get("stack_name")?,
        stack_arn: row.text_as_opt("stack_arn")?,
        condemned: row.get("condemned")?,
        ever_succeeded: row.get("ever_succeeded")?,
        part: serde_json::from_value(serde_json::Value::String(part.clone()))
            .map_err(|_| corrupt("target.part", &part))?,
        status: row.get("status")?,
        message: sealed.text("message")?,
        ways_out: json(row, "ways_out")?,
        warnings: sealed.json("warnings")?,
        outputs: sealed.json("outputs")?,
        resources: json(row, "resources")?,
        attempted: when("attempted_id", "attempted_at")?,
        succeeded: when("succeeded_id", "succeeded_at")?,
        created_at: row.get("created_at")?,
        provisioning: row.text_as("provisioning")?,
        roles: json(row, "roles")?,
        client_token: row.get("client_token")?,
        generation: row.get("generation")?,
    })
}

/// Reads column `template_name`, which is empty for what has no template.
pub(super) fn template(row: &Row) -> Result<Option<TemplateName>, StoreError> {
    if row.str("template_name")?.is_empty() {
        Ok(None)
    } else {
        row.text_as("template_name").map(Some)
    }
}

/// What [`template`] reads back.
pub(super) fn template_word(template: Option<&TemplateName>) -> &str {
    template.map_or("", TemplateName::as_str)
}

fn part_word(part: Part) -> Result<String, StoreError> {
    match serde_json::to_value(part) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(corrupt("target.part", "no word for a part")),
    }
}

/// What is secret about a target, sealed for its row.
async fn seal(tx: &mut Tx, row: &TargetRow) -> Result<[Value; 4], StoreError> {
    let (warnings, outputs) = (to_json(&row.warnings)?, to_json(&row.outputs)?);
    let texts = [
        ("spec", row.spec.as_str()),
        ("message", &row.message),
        ("warnings", &warnings),
        ("outputs", &outputs),
    ];
    tx.seal(&row.account.to_string(), "target", &row.id.to_string(), texts)
        .await
}

/// Inserts a target.
///
/// # Errors
/// [`StoreError::Conflict`] when one of the same name exists.
pub async fn insert(tx: &mut Tx, row: &TargetRow) -> Result<(), StoreError> {
    let [spec, message, warnings, outputs] = seal(tx, row).await?;
    let (kind, service, instance) = words(&row.target);
    tx.execute(
        "INSERT INTO target (id, kind, environment, service, instance, account, region, connection_id, template_name,
             major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message,
             ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at,
             provisioning, roles, client_token, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)",
        &params![
            row.id,
            kind,
            row.environment.as_ref().map(ToString::to_string).unwrap_or_default(),
            service,
            instance,
            row.account,
            &row.region,
            row.connection,
            template_word(row.template.as_ref()),
            row.version.major,
            row.version.minor,
            spec,
            &row.description,
            &row.stack_name,
            row.stack_arn.as_ref().map(ToString::to_string),
            row.condemned,
            row.ever_succeeded,
            part_word(row.part)?,
            &row.status,
            message,
            to_json(&row.ways_out)?,
            warnings,
            outputs,
            to_json(&row.resources)?,
            row.attempted.map(|(id, _)| id),
            row.attempted.map(|(_, at)| at),
            row.succeeded.map(|(id, _)| id),
            row.succeeded.map(|(_, at)| at),
            row.created_at,
            row.provisioning.word(),
            to_json(&row.roles)?,
            &row.client_token,
            row.generation,
            UNREAD
        ],
    )
    .await?;
    let name = Named::from(&row.target);
    events::told(tx, &name, None, None, &row.status).await?;
    tx.made(name, row.environment.clone());
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Writes a target back where it is still the one that was read.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else wrote it meanwhile.
pub async fn put(tx: &mut Tx, row: &mut TargetRow) -> Result<(), StoreError> {
    let before = tx
        .query_opt("SELECT status FROM target WHERE id = $1", &params![row.id])
        .await?
        .map(|before| before.get::<String>("status"))
        .transpose()?;
    let [spec, message, warnings, outputs] = seal(tx, row).await?;
    let written = tx
        .execute(
            "UPDATE target SET connection_id = $3, major = $4, minor = $5, spec = $6, description = $7, stack_name = $8,
                 stack_arn = $9, condemned = $10, ever_succeeded = $11, part = $12, status = $13, message = $14,
                 ways_out = $15, warnings = $16, outputs = $17, resources = $18, attempted_id = $19, attempted_at = $20,
                 succeeded_id = $21, succeeded_at = $22, roles = $24, client_token = $25, generation = generation + 1,
                 changed = $23
             WHERE id = $1 AND generation = $2",
            &params![
                row.id,
                row.generation,
                row.connection,
                row.version.major,
                row.version.minor,
                spec,
                &row.description,
                &row.stack_name,
                row.stack_arn.as_ref().map(ToString::to_string),
                row.condemned,
                row.ever_succeeded,
                part_word(row.part)?,
                &row.status,
                message,
                to_json(&row.ways_out)?,
                warnings,
                outputs,
                to_json(&row.resources)?,
                row.attempted.map(|(id, _)| id),
                row.attempted.map(|(_, at)| at),
                row.succeeded.map(|(id, _)| id),
                row.succeeded.map(|(_, at)| at),
                UNREAD,
                to_json(&row.roles)?,
                &row.client_token
            ],
        )
        .await?;
    if written == 0 {
        return Err(super::changed("writing a target"));
    }
    row.generation += 1;
    events::told(
        tx,
        &Named::from(&row.target),
        None,
        before.as_deref(),
        &row.status,
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Removes a target that is gone, and its tags.
pub async fn remove(tx: &mut Tx, id: TargetId) -> Result<(), StoreError> {
    let gone = tx
        .query_opt(
            "DELETE FROM target WHERE id = $1 RETURNING kind, environment, service, instance, status",
            &params![id],
        )
        .await?;
    if let Some(gone) = gone {
        let (target, _) = read(&gone, "target.kind")?;
        let name = Named::from(&target);
        tags::forget(tx, &name).await?;
        events::told(tx, &name, None, Some(gone.str("status")?), DELETED).await?;
    }
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One target by id.
pub async fn by_id(tx: &mut Tx, id: TargetId) -> Result<Option<TargetRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                target_columns!(),
                " FROM target WHERE id = $1 /*for-update*/"
            ),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One target by id as it was a moment ago. Not locked.
pub async fn seen(tx: &mut Tx, id: TargetId) -> Result<Option<TargetRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!("SELECT ", target_columns!(), " FROM target WHERE id = $1"),
            &params![id],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

macro_rules! by_name {
    ($lock:literal) => {
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE kind = $1 AND service = $2 AND instance = $3
               AND ($1 <> 'environment' OR environment = $4)",
            $lock
        )
    };
}

async fn by_name(tx: &mut Tx, sql: &'static str, target: &Target) -> Result<Option<TargetRow>, StoreError> {
    let (kind, service, instance) = words(target);
    let environment = match target {
        Target::Environment(name) => name.to_string(),
        Target::Instance(..) | Target::Pipeline(_) | Target::Component(_) => String::new(),
    };
    let row = tx
        .query_opt(sql, &params![kind, service, instance, environment])
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// One target by what it is, locked until the transaction ends.
pub async fn get(tx: &mut Tx, target: &Target) -> Result<Option<TargetRow>, StoreError> {
    by_name(tx, by_name!(" /*for-update*/"), target).await
}

/// One target by what it is, which stays as it is until the transaction ends. Those who ask like this do not keep each other
/// waiting.
pub async fn shared(tx: &mut Tx, target: &Target) -> Result<Option<TargetRow>, StoreError> {
    by_name(tx, by_name!(" /*for-share*/"), target).await
}

/// One target by what it is, as it was a moment ago. Not locked.
pub async fn seen_by_name(tx: &mut Tx, target: &Target) -> Result<Option<TargetRow>, StoreError> {
    by_name(tx, by_name!(""), target).await
}

/// What targets to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// environment, instance or pipeline.
    pub kind: &'static str,
    /// Of this service only.
    pub service: Option<ServiceName>,
    /// Only this instance.
    pub instance: Option<InstanceName>,
    /// That is, or lives in, this environment only.
    pub environment: Option<EnvironmentName>,
    /// From this template only.
    pub template: Option<TemplateName>,
    /// In this account only.
    pub account: Option<AccountId>,
    /// Whose last deployment failed only.
    pub failed_only: bool,
}

/// Targets of one kind by name, after `(service, name)`.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    sight: &Sight,
    after: (&str, &str),
    limit: u32,
) -> Result<Vec<TargetRow>, StoreError> {
    fn text(value: Option<&impl ToString>) -> String {
        value.map(ToString::to_string).unwrap_or_default()
    }
    tx.query(
        concat!("SELECT ", target_columns!(), " FROM target
         WHERE kind = $1
           AND (service > $2 OR (service = $2 AND (CASE WHEN kind = 'environment' THEN environment ELSE instance END) > $3))
           AND ($4 = '' OR service = $4) AND ($5 = '' OR environment = $5) AND ($6 = '' OR template_name = $6)
           AND ($7 = '' OR account = $7) AND ($8 = '' OR instance = $8)
           AND (CAST($11 AS BIGINT) = 0 OR status LIKE '%FAILED') AND ", seen!("$10", "account" in "account", "environment" in "environment", "service" in "service"), "
         ORDER BY service, (CASE WHEN kind = 'environment' THEN environment ELSE instance END) LIMIT $9"),
        &params![
            filter.kind,
            after.0,
            after.1,
            text(filter.service.as_ref()),
            text(filter.environment.as_ref()),
            text(filter.template.as_ref()),
            text(filter.account.as_ref()),
            text(filter.instance.as_ref()),
            limit,
            sight::words(sight),
            filter.failed_only
        ],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Environments by name, after `after`.
pub async fn environments(
    tx: &mut Tx,
    sight: &Sight,
    after: &str,
    limit: u32,
) -> Result<Vec<TargetRow>, StoreError> {
    // The unique index on names knows instances not at all: only with this condition SQLite takes it.
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target
         WHERE kind = 'environment' AND kind <> 'instance' AND service = '' AND instance = '' AND environment > $1
           AND ",
            seen!("$2", "account" in "account", "environment" in "environment", "service" in "service"),
            " ORDER BY environment LIMIT $3"
        ),
        &params![after, sight::words(sight), limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Environments made from a major version of a template, by name, after `after`.
pub async fn environments_of(
    tx: &mut Tx,
    of: &CompatibleTemplate,
    sight: &Sight,
    after: &str,
    limit: u32,
) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target
         WHERE template_name = $1 AND major = $2 AND kind = 'environment' AND environment > $3
           AND ",
            seen!("$4", "account" in "account", "environment" in "environment", "service" in "service"),
            " ORDER BY environment LIMIT $5"
        ),
        &params![&of.template, of.major, after, sight::words(sight), limit],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// How many environments there are.
pub async fn count_environments(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = tx
        .query_opt(
            "SELECT COUNT(*) AS many FROM target WHERE kind = 'environment' AND kind <> 'instance'",
            &[],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("many"))
}

/// The roles that an environment was given. Not locked: whoever asks holds locks on what lives in it.
pub async fn environment_roles(tx: &mut Tx, name: &EnvironmentName) -> Result<EnvironmentRoles, StoreError> {
    let row = tx
        .query_opt(
            "SELECT roles FROM target
             WHERE kind = 'environment' AND kind <> 'instance' AND service = '' AND instance = '' AND environment = $1",
            &params![name],
        )
        .await?;
    row.as_ref()
        .map_or_else(|| Ok(EnvironmentRoles::default()), |row| json(row, "roles"))
}

/// The components with names from `first` to `last`, by name.
pub async fn components_between(
    tx: &mut Tx,
    first: &ComponentName,
    last: &ComponentName,
) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE kind = 'component' AND kind <> 'instance' AND service = '' AND instance >= $1 AND instance <= $2 ORDER BY instance"
        ),
        &params![first, last],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Every instance and pipeline of a service.
pub async fn of_service(tx: &mut Tx, service: &ServiceName) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE service = $1 ORDER BY kind, instance /*for-update*/"
        ),
        &params![service],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Every instance and pipeline of the services whose names are in this range, ends included. Not locked.
pub async fn of_services(
    tx: &mut Tx,
    first: &ServiceName,
    last: &ServiceName,
) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE service >= $1 AND service <= $2 ORDER BY service, kind, instance"
        ),
        &params![first, last],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Every instance, for the computation of grants.
pub async fn all_instances(tx: &mut Tx) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE kind = 'instance' ORDER BY service, instance"
        ),
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Every pipeline, for the computation of grants.
pub async fn all_pipelines(tx: &mut Tx) -> Result<Vec<TargetRow>, StoreError> {
    tx.query(
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target WHERE kind = 'pipeline' ORDER BY service"
        ),
        &[],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// The first target that is deployed through a connection.
pub async fn using_connection(
    tx: &mut Tx,
    connection: ConnectionId,
) -> Result<Option<TargetRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                target_columns!(),
                " FROM target WHERE connection_id = $1 ORDER BY kind, environment LIMIT 1"
            ),
            &params![connection],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The first instance or component that lives in an environment.
pub async fn in_environment(
    tx: &mut Tx,
    environment: &EnvironmentName,
) -> Result<Option<TargetRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!("SELECT ", target_columns!(), " FROM target WHERE environment = $1 AND kind <> 'environment' ORDER BY service, instance LIMIT 1"),
            &params![environment],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The first target of these kinds that runs, or is being brought to, a template version.
pub async fn using_version(
    tx: &mut Tx,
    environment_template: bool,
    template: &TemplateName,
    version: TemplateVersion,
) -> Result<Option<TargetRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!("SELECT ", target_columns!(), " FROM target t
             WHERE (CASE WHEN t.kind = 'environment' THEN 1 ELSE 0 END) = CAST($1 AS BIGINT) AND t.template_name = $2
               AND ((t.major = $3 AND t.minor = $4)
                    OR EXISTS (SELECT 1 FROM deployment d
                               WHERE d.target_id = t.id AND d.active = 1 AND d.major = $3 AND d.minor = $4))
             ORDER BY t.service, t.environment, t.instance LIMIT 1"),
            &params![environment_template, template, version.major, version.minor],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}
