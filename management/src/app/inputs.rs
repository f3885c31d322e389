//! From what a request says to what a template is rendered with: facts gathered, whoever renders asked, text stored.

use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{AccountId, ComponentName, EnvironmentName, InstanceName, Region, ServiceName};
use hadron_templates::{
    Answer, ComponentFacts, ComponentTask, EnvironmentFacts, EnvironmentTask, Given, InstanceTask, Outputs,
    PipelineTask, Question, Reply, ServiceFacts, ServiceSpec, SpecMap,
};

/// A rendered text, with what was noticed on the way and what it was rendered from.
#[derive(Clone)]
pub struct Draft {
    /// The rendered stack.
    pub rendered: hadron_templates::Rendered,
    /// What was accepted with a warning.
    pub warnings: Vec<String>,
    /// What was asked, JSON.
    source: Vec<u8>,
}

impl Draft {
    fn new(draft: hadron_templates::Draft, source: Vec<u8>) -> Self {
        let hadron_templates::Draft { rendered, warnings } = draft;
        Self {
            rendered,
            warnings,
            source,
        }
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What it was rendered from may hold secrets of the spec.
        f.debug_struct("Draft")
            .field("rendered", &self.rendered)
            .finish_non_exhaustive()
    }
}

fn written(question: &Question) -> Result<Vec<u8>, AppError> {
    serde_json::to_vec(question).map_err(|error| AppError::internal(error.to_string()))
}

use super::bundles::Bundled;
use super::effects::Rendered;
use super::{App, AppError, Unit};
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

/// The spec does not name the instance.
pub(super) fn missing_instance(service: &ServiceName, name: &InstanceName) -> AppError {
    AppError::invalid(
        "INSTANCE_NOT_IN_SPEC",
        format!("the spec names no instance '{name}' of service '{service}'"),
    )
    .help(format!("add an entry with `name: \"{name}\"` under `instances`"))
}

/// An instance as its service's pipeline sees it, its inputs not yet compared with the schema.
pub struct PipelinePart {
    /// The instance.
    pub name: InstanceName,
    /// Its bundle: instances may run other versions than the pipeline.
    pub bundle: std::sync::Arc<Bundled>,
    /// Its inputs, as its own spec gives them.
    pub given: SpecMap,
    /// Its outputs.
    pub outputs: Outputs,
    /// Its environment.
    pub environment: EnvironmentFacts,
}

/// What an attached component gets from its instance, its inputs not yet compared with the schema.
pub struct AttachedTo {
    /// The bundle of the instance's version.
    pub bundle: std::sync::Arc<Bundled>,
    /// The instance's service.
    pub service: ServiceFacts,
    /// The instance.
    pub instance: InstanceName,
    /// The inputs.
    pub given: SpecMap,
}

fn other() -> AppError {
    AppError::internal("another question was answered")
}

impl App {
    /// Asks whoever renders. Faults of what people wrote are errors with all of them in their text.
    pub(super) async fn ask(&self, question: Question, given: Given) -> Result<Answer, AppError> {
        let doing = question.doing();
        match self.0.renderer.ask(question, given).await {
            Ok(Reply::Answer(answer)) => Ok(answer),
            Ok(Reply::Faults(faults)) => Err(faults.into()),
            Ok(Reply::Unusable(faults)) => Err(AppError::internal(format!(
                "a registered bundle is refused now: {faults}"
            ))),
            Ok(Reply::Missing(archives)) => Err(AppError::internal(format!(
                "{doing} without {archives:?}, which was given"
            ))),
            Err(failure) => Err(AppError::not_rendered(&doing, &failure)),
        }
    }

    async fn draft(&self, question: Question, given: Given) -> Result<Draft, AppError> {
        let source = written(&question)?;
        match self.ask(question, given).await? {
            Answer::Draft(draft) => Ok(Draft::new(draft, source)),
            _ => Err(other()),
        }
    }

    /// Reads a service spec that somebody gave. Those that are stored were read before and written by the hub itself.
    pub(super) async fn service_spec(&self, text: &str) -> Result<ServiceSpec, AppError> {
        let question = Question::ServiceSpec("spec".to_owned(), text.to_owned());
        match self.ask(question, Given::new()).await? {
            Answer::ServiceSpec(spec) => Ok(spec),
            _ => Err(other()),
        }
    }

    /// Renders an environment, or reads its outputs from its spec where somebody else provisions it.
    ///
    /// # Errors
    /// Every fault of the spec or the template, with its place.
    pub(super) async fn make_environment(
        &self,
        bundle: &Bundled,
        name: EnvironmentName,
        account: AccountId,
        region: Region,
        spec: String,
    ) -> Result<Made, AppError> {
        let task = EnvironmentTask {
            bundle: bundle.packed(),
            name,
            account,
            region,
            spec: spec.clone(),
        };
        let question = Question::Environment(task);
        let source = written(&question)?;
        match self.ask(question, bundle.given()).await? {
            Answer::Made(hadron_templates::Made::Stack(draft)) => Ok(Made::Stack {
                draft: Draft::new(draft, source),
                spec,
            }),
            Answer::Made(hadron_templates::Made::Declared { outputs, warnings }) => Ok(Made::Declared {
                outputs,
                warnings,
                spec,
            }),
            _ => Err(other()),
        }
    }

    /// Renders a service instance from its entry in a spec.
    ///
    /// # Errors
    /// Every fault of the spec or the template, with its place.
    pub(super) async fn render_instance(
        &self,
        bundle: &Bundled,
        environment: EnvironmentFacts,
        service: ServiceFacts,
        name: InstanceName,
        spec: &ServiceSpec,
        component: Option<ComponentFacts>,
    ) -> Result<Draft, AppError> {
        let own = spec
            .instance(&name)
            .ok_or_else(|| missing_instance(&service.name, &name))?;
        let task = InstanceTask {
            bundle: bundle.packed(),
            environment,
            service,
            given: own.inputs.clone(),
            name,
            component,
        };
        self.draft(Question::Instance(task), bundle.given()).await
    }

    /// Renders a component from its manifest and its template file.
    ///
    /// # Errors
    /// Every fault of the spec or the template, with its place.
    pub(super) async fn render_component(
        &self,
        name: ComponentName,
        (manifest, template): (String, String),
        environment: EnvironmentFacts,
        attached: Option<AttachedTo>,
    ) -> Result<Draft, AppError> {
        let given = attached.as_ref().map(|to| to.bundle.given()).unwrap_or_default();
        let task = ComponentTask {
            name,
            manifest,
            template,
            environment,
            attached: attached.map(|to| hadron_templates::AttachedTo {
                bundle: to.bundle.packed(),
                service: to.service,
                instance: to.instance,
                given: to.given,
            }),
        };
        self.draft(Question::Component(task), given).await
    }

    /// Compares what a spec gives the pipeline with the schema.
    ///
    /// # Errors
    /// Every fault of the spec.
    pub(super) async fn check_pipeline(&self, bundle: &Bundled, spec: &ServiceSpec) -> Result<(), AppError> {
        let own = spec.pipeline.clone().unwrap_or_default();
        let question = Question::PipelineInputs(bundle.packed(), own);
        self.ask(question, bundle.given()).await.map(drop)
    }

    /// Renders a pipeline.
    ///
    /// # Errors
    /// Every fault of the spec or the template, with its place.
    pub(super) async fn render_pipeline(
        &self,
        bundle: &Bundled,
        service: ServiceFacts,
        parts: Vec<PipelinePart>,
        spec: ServiceSpec,
    ) -> Result<Draft, AppError> {
        let mut given = bundle.given();
        parts.iter().for_each(|part| part.bundle.give(&mut given));
        let parts = parts.into_iter().map(|part| hadron_templates::PipelinePart {
            name: part.name,
            bundle: part.bundle.packed(),
            given: part.given,
            outputs: part.outputs,
            environment: part.environment,
        });
        let task = PipelineTask {
            bundle: bundle.packed(),
            service,
            parts: parts.collect(),
            given: spec.pipeline.unwrap_or_default(),
        };
        self.draft(Question::Pipeline(task), given).await
    }
}

impl Unit<'_> {
    /// Stores a rendered text.
    ///
    /// # Errors
    /// When there is something in it that templates may not contain, or the database does not take it.
    pub async fn store_draft(&mut self, draft: &Draft) -> Result<Rendered, AppError> {
        self.settings().templates.check(&draft.rendered.contents())?;
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
            source: draft.source.clone(),
        })
    }
}
