//! From what a request says to what a template is rendered with: specs compared with schemas, facts gathered, text stored.

use std::sync::Arc;

use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{AccountId, ComponentName, EnvironmentName, InstanceName, Region, ServiceName};
use hadron_templates::{
    Attached, BundleKind, ComponentFacts, ComponentInputs, ComponentTemplate, EnvironmentFacts,
    EnvironmentInputs, EnvironmentSpec, Faults, InputType, InstanceFacts, InstanceInputs, Outputs,
    PipelineInputs, PipelineInstance, ServiceFacts, ServiceSpec, SpecMap, TemplateBundle, Values, complete,
};

use super::effects::Rendered;
use super::{AppError, Unit};
use crate::store::requests;
use crate::store::services::ServiceRow;
use crate::store::targets::TargetRow;

/// Which templates a target is made from.
#[must_use]
pub const fn template_kind(target: &Target) -> TemplateKind {
    match target {
        Target::Environment(_) => TemplateKind::Environment,
        Target::Instance(..) | Target::Pipeline(_) | Target::Component(_) => TemplateKind::Service,
    }
}

/// A rendered text that is not stored yet, with what was noticed on the way.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The rendered stack.
    pub rendered: hadron_templates::Rendered,
    /// What was accepted with a warning.
    pub warnings: Vec<String>,
}

fn warnings(faults: &Faults) -> Vec<String> {
    faults.iter().map(|fault| fault.message.clone()).collect()
}

/// Inputs of one purpose, compared with the schema.
fn inputs(
    bundle: &TemplateBundle,
    which: InputType,
    given: &SpecMap,
) -> Result<(Values, Vec<String>), AppError> {
    match bundle.schema.inputs(which) {
        None => Ok((Values::new(), Vec::new())),
        Some(schema) => {
            let completed = complete(schema, given)?;
            let noticed = warnings(&completed.warnings);
            Ok((completed.values, noticed))
        }
    }
}

/// What an environment is made of.
#[derive(Clone, Debug)]
pub enum Made {
    /// A stack that an agent deploys.
    Stack {
        /// The rendered text.
        draft: Draft,
        /// The spec.
        spec: String,
    },
    /// Nothing: somebody else provisions it, and what its spec says are its outputs.
    Declared {
        /// The outputs.
        outputs: Outputs,
        /// What was accepted with a warning.
        warnings: Vec<String>,
        /// The spec.
        spec: String,
    },
}

impl Made {
    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &str {
        match self {
            Self::Stack { spec, .. } | Self::Declared { spec, .. } => spec,
        }
    }

    /// What was accepted with a warning.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Stack { draft, .. } => &draft.warnings,
            Self::Declared { warnings, .. } => warnings,
        }
    }
}

/// Renders an environment, or reads its outputs from its spec where somebody else provisions it.
///
/// # Errors
/// Every fault of the spec or the template, with its place.
pub async fn environment(
    bundle: Arc<TemplateBundle>,
    name: EnvironmentName,
    account: AccountId,
    region: Region,
    spec: String,
) -> Result<Made, AppError> {
    off_thread(move || {
        let parsed = EnvironmentSpec::parse("spec", &spec)?;
        let (values, mut noticed) = inputs(&bundle, InputType::Environment, &parsed.inputs)?;
        if bundle.kind == BundleKind::EnvironmentCustomerManaged {
            // Its schema allows only texts.
            let text =
                |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Ok(Made::Declared {
                outputs: values
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value)))
                    .collect(),
                warnings: noticed,
                spec,
            });
        }
        let rendered = bundle.render_environment(&EnvironmentInputs {
            name,
            account_id: Some(account),
            region: Some(region),
            inputs: values,
        })?;
        noticed.extend(rendered.warnings.iter().map(|fault| fault.message.clone()));
        let draft = Draft {
            rendered,
            warnings: noticed,
        };
        Ok(Made::Stack { draft, spec })
    })
    .await
}

/// What templates see of a service.
#[must_use]
pub fn service_facts(service: &ServiceRow) -> ServiceFacts {
    ServiceFacts {
        name: service.name.clone(),
        branch_name: service.branch.clone(),
        repository_id: service.repository.clone(),
        repository_connection_arn: service.link.clone(),
    }
}

/// What templates see of an environment.
///
/// # Errors
/// When the row is no environment.
pub fn environment_facts(environment: &TargetRow) -> Result<EnvironmentFacts, AppError> {
    let name = environment
        .environment
        .clone()
        .ok_or_else(|| AppError::internal("an environment without a name"))?;
    Ok(EnvironmentFacts {
        name,
        account_id: environment.account,
        region: Some(environment.region.clone()),
        outputs: environment.outputs.clone(),
    })
}

/// Renders a service instance.
///
/// # Errors
/// Every fault of the spec or the template, with its place.
pub async fn instance(
    bundle: Arc<TemplateBundle>,
    environment: EnvironmentFacts,
    service: ServiceFacts,
    name: InstanceName,
    spec: ServiceSpec,
    component: Option<ComponentFacts>,
) -> Result<Draft, AppError> {
    off_thread(move || {
        let own = spec
            .instance(&name)
            .ok_or_else(|| missing_instance(&service.name, &name))?;
        let (values, mut noticed) = inputs(&bundle, InputType::Service, &own.inputs)?;
        let rendered = bundle.render_instance(&InstanceInputs {
            environment,
            service,
            instance: InstanceFacts {
                name,
                inputs: values,
                component,
            },
        })?;
        noticed.extend(rendered.warnings.iter().map(|fault| fault.message.clone()));
        Ok(Draft {
            rendered,
            warnings: noticed,
        })
    })
    .await
}

/// The spec does not name the instance.
pub(super) fn missing_instance(service: &ServiceName, name: &InstanceName) -> AppError {
    AppError::invalid(
        "INSTANCE_NOT_IN_SPEC",
        format!("the spec names no instance '{name}' of service '{service}'"),
    )
    .help(format!("add an entry with `name: \"{name}\"` under `instances`"))
}

/// What an attached component gets from its instance, its inputs not yet compared with the schema.
pub struct AttachedTo {
    /// The bundle of the instance's version.
    pub bundle: Arc<TemplateBundle>,
    /// The instance's service.
    pub service: ServiceFacts,
    /// The instance.
    pub instance: InstanceName,
    /// The inputs.
    pub given: SpecMap,
}

/// Renders a component from its manifest and its template file.
///
/// # Errors
/// Every fault of the spec or the template, with its place.
pub async fn component(
    name: ComponentName,
    (manifest, template_file): (String, String),
    environment: EnvironmentFacts,
    attached: Option<AttachedTo>,
) -> Result<Draft, AppError> {
    off_thread(move || {
        let template = ComponentTemplate::read(&manifest, &template_file)?;
        let mut noticed = Vec::new();
        let mut schema = None;
        let attached = match &attached {
            None => None,
            Some(to) => {
                let (values, told) = inputs(&to.bundle, InputType::Service, &to.given)?;
                noticed = told;
                schema = Some(&to.bundle.schema);
                Some(Attached {
                    service: to.service.clone(),
                    instance: to.instance.clone(),
                    inputs: values,
                })
            }
        };
        let surroundings = ComponentInputs {
            name,
            environment,
            attached,
        };
        let rendered = template.render(&surroundings, schema)?;
        noticed.extend(rendered.warnings.iter().map(|fault| fault.message.clone()));
        Ok(Draft {
            rendered,
            warnings: noticed,
        })
    })
    .await
}

/// Compares what a spec gives the pipeline with the schema.
///
/// # Errors
/// Every fault of the spec.
pub fn check_pipeline(bundle: &TemplateBundle, spec: &ServiceSpec) -> Result<(), AppError> {
    let empty = SpecMap::default();
    inputs(
        bundle,
        InputType::Pipeline,
        spec.pipeline.as_ref().unwrap_or(&empty),
    )
    .map(drop)
}

/// An instance as its service's pipeline sees it, its inputs not yet compared with the schema.
pub struct PipelinePart {
    /// The instance.
    pub name: InstanceName,
    /// Its bundle: instances may run other versions than the pipeline.
    pub bundle: Arc<TemplateBundle>,
    /// Its inputs, as its own spec gives them.
    pub given: SpecMap,
    /// Its outputs.
    pub outputs: hadron_templates::Outputs,
    /// Its environment.
    pub environment: EnvironmentFacts,
}

/// Renders a pipeline.
///
/// # Errors
/// Every fault of the spec or the template, with its place.
pub async fn pipeline(
    bundle: Arc<TemplateBundle>,
    service: ServiceFacts,
    parts: Vec<PipelinePart>,
    spec: ServiceSpec,
) -> Result<Draft, AppError> {
    off_thread(move || {
        let empty = SpecMap::default();
        let (values, mut noticed) = inputs(
            &bundle,
            InputType::Pipeline,
            spec.pipeline.as_ref().unwrap_or(&empty),
        )?;
        let mut service_instances = Vec::new();
        for part in parts {
            let (inputs, _) = inputs(&part.bundle, InputType::Service, &part.given)?;
            service_instances.push(PipelineInstance {
                name: part.name,
                inputs,
                outputs: part.outputs,
                environment: part.environment,
            });
        }
        let rendered = bundle.render_pipeline(&PipelineInputs {
            service,
            service_instances,
            inputs: values,
        })?;
        noticed.extend(rendered.warnings.iter().map(|fault| fault.message.clone()));
        Ok(Draft {
            rendered,
            warnings: noticed,
        })
    })
    .await
}

/// Rendering takes milliseconds of pure computing, which must not hold up the tasks that talk to agents.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AppError> + Send + 'static,
) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(AppError::internal)?
}

impl Unit<'_> {
    /// Stores a rendered text.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn store_draft(&mut self, draft: &Draft) -> Result<Rendered, AppError> {
        let text = draft.rendered.text.as_bytes();
        let digest = requests::put_blob(self.tx, text, self.now).await?;
        Ok(Rendered {
            digest,
            bytes: text.len() as u64,
            capabilities: draft
                .rendered
                .capabilities
                .iter()
                .map(|each| each.as_str().to_owned())
                .collect(),
            resource_types: draft.rendered.resource_types.iter().cloned().collect(),
        })
    }
}
