//! Rows of what only components have; their stacks are targets of kind component.

use hadron_domain::authority::Sight;
use hadron_domain::component::{Attachment, Shape};
use hadron_proto::vocab::{ComponentName, EnvironmentName, InstanceName, ServiceName, Timestamp};

use super::db::{HUB, Row, Topic, Tx, params};
use super::deployments::ComponentState;
use super::sealing::Sealed;
use super::sight::{self, seen};
use super::{StoreError, corrupt};

macro_rules! component_columns {
    () => {
        "c.name, c.service, c.instance, c.service_spec, c.manifest, c.template_file, c.modified_at, c.generation"
    };
}

/// What only components have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentRow {
    /// Its name, also that of its target.
    pub name: ComponentName,
    /// What it is attached to, its inputs and its template: those of the last successful deployment; before the first
    /// one, and while one is under way, those asked for.
    pub shape: Shape,
    /// Its manifest, which stays as it was created.
    pub manifest: String,
    /// When it last changed.
    pub modified_at: Timestamp,
    /// Grows with every write.
    pub generation: u64,
}

impl From<&Shape> for ComponentState {
    fn from(shape: &Shape) -> Self {
        let words = shape
            .attached
            .as_ref()
            .map(|attached| (attached.service.to_string(), attached.instance.to_string()));
        let (service, instance) = words.unwrap_or_default();
        Self {
            service,
            instance,
            service_spec: shape.service_spec.clone(),
            template_file: shape.template_file.clone(),
        }
    }
}

impl ComponentState {
    /// The shape that this was written from.
    ///
    /// # Errors
    /// When the names are none.
    pub fn shape(&self) -> Result<Shape, StoreError> {
        Ok(Shape {
            attached: attachment(&self.service, &self.instance)?,
            service_spec: self.service_spec.clone(),
            template_file: self.template_file.clone(),
        })
    }
}

fn attachment(service: &str, instance: &str) -> Result<Option<Attachment>, StoreError> {
    if service.is_empty() {
        return Ok(None);
    }
    let wrong = |_| corrupt("component.service", service);
    Ok(Some(Attachment {
        service: service.parse().map_err(wrong)?,
        instance: instance.parse().map_err(wrong)?,
    }))
}

fn from_row(row: &Row) -> Result<ComponentRow, StoreError> {
    let sealed = Sealed {
        table: "component",
        key: row.str("name")?,
        row,
    };
    Ok(ComponentRow {
        name: row.text_as("name")?,
        shape: Shape {
            attached: attachment(row.str("service")?, row.str("instance")?)?,
            service_spec: sealed.text("service_spec")?,
            template_file: sealed.text("template_file")?,
        },
        manifest: sealed.text("manifest")?,
        modified_at: row.get("modified_at")?,
        generation: row.get("generation")?,
    })
}

/// Inserts a component. Its target comes first: that tells when the name is taken.
pub async fn insert(tx: &mut Tx, row: &ComponentRow) -> Result<(), StoreError> {
    let state = ComponentState::from(&row.shape);
    let texts = [
        ("service_spec", state.service_spec.as_str()),
        ("manifest", &row.manifest),
        ("template_file", &state.template_file),
    ];
    let [service_spec, manifest, template_file] = tx.seal(HUB, "component", row.name.as_str(), texts).await?;
    tx.execute(
        "INSERT INTO component (name, service, instance, service_spec, manifest, template_file, modified_at, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &params![
            &row.name,
            &state.service,
            &state.instance,
            service_spec,
            manifest,
            template_file,
            row.modified_at,
            row.generation
        ],
    )
    .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Writes a component back where it is still the one that was read.
///
/// # Errors
/// [`StoreError::Unavailable`] when somebody else wrote it meanwhile.
pub async fn put(tx: &mut Tx, row: &mut ComponentRow) -> Result<(), StoreError> {
    let state = ComponentState::from(&row.shape);
    let texts = [
        ("service_spec", state.service_spec.as_str()),
        ("template_file", &state.template_file),
    ];
    let [service_spec, template_file] = tx.seal(HUB, "component", row.name.as_str(), texts).await?;
    let written = tx
        .execute(
            "UPDATE component SET service = $3, instance = $4, service_spec = $5, template_file = $6, modified_at = $7,
                 generation = generation + 1
             WHERE name = $1 AND generation = $2",
            &params![
                &row.name,
                row.generation,
                &state.service,
                &state.instance,
                service_spec,
                template_file,
                row.modified_at
            ],
        )
        .await?;
    if written == 0 {
        return Err(super::changed("writing a component"));
    }
    row.generation += 1;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// Removes a component whose target is gone.
pub async fn remove(tx: &mut Tx, name: &ComponentName) -> Result<(), StoreError> {
    tx.execute("DELETE FROM component WHERE name = $1", &params![name])
        .await?;
    tx.after_commit(Topic::Changes);
    Ok(())
}

/// One component.
pub async fn get(tx: &mut Tx, name: &ComponentName) -> Result<Option<ComponentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                component_columns!(),
                " FROM component c WHERE c.name = $1 /*for-update*/"
            ),
            &params![name],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The component that is attached to an instance of a service, or, without an instance, the first of those attached to
/// any of its instances. Whoever attaches one holds the service's row.
pub async fn attached_to(
    tx: &mut Tx,
    service: &ServiceName,
    instance: Option<&InstanceName>,
) -> Result<Option<ComponentRow>, StoreError> {
    let row = tx
        .query_opt(
            concat!(
                "SELECT ",
                component_columns!(),
                " FROM component c WHERE c.service = $1 AND c.service <> '' AND ($2 = '' OR c.instance = $2) ORDER BY c.instance, c.name LIMIT 1"
            ),
            &params![service, instance.map(ToString::to_string).unwrap_or_default()],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// What components to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this environment.
    pub environment: Option<EnvironmentName>,
    /// Attached to this service.
    pub service: Option<ServiceName>,
    /// Attached to this instance of it.
    pub instance: Option<InstanceName>,
}

/// Components by name, after `after`.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    sight: &Sight,
    after: &str,
    limit: u32,
) -> Result<Vec<ComponentRow>, StoreError> {
    fn text(value: Option<&impl ToString>) -> String {
        value.map(ToString::to_string).unwrap_or_default()
    }
    tx.query(
        concat!(
            "SELECT ",
            component_columns!(),
            " FROM component c JOIN target t ON t.kind = 'component' AND t.instance = c.name
         WHERE c.name > $1 AND ($2 = '' OR t.environment = $2) AND ($3 = '' OR c.service = $3)
           AND ($4 = '' OR c.instance = $4) AND ",
            seen!("$6", "account" in "t.account", "environment" in "t.environment"),
            " ORDER BY c.name LIMIT $5"
        ),
        &params![
            after,
            text(filter.environment.as_ref()),
            text(filter.service.as_ref()),
            text(filter.instance.as_ref()),
            limit,
            sight::words(sight)
        ],
    )
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// How many components there are.
pub async fn count(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = tx
        .query_opt("SELECT COUNT(*) AS components FROM component", &[])
        .await?
        .ok_or_else(|| corrupt("component", "no count"))?;
    row.get("components")
}
