//! Everything that is asked about what strangers wrote, as messages: a [`Question`] goes in, a [`Reply`] comes out.
//!
//! Whoever holds a [`Desk`] may ask it directly, or have it stand in another process and send the messages there: all of
//! them can be serialised, and none refers to anything outside of it but archives, which are named by their digest and
//! given along. A desk keeps the last bundles that it has read, since reading one takes longer than rendering it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hadron_proto::vocab::{AccountId, ComponentName, Digest, EnvironmentName, InstanceName, Region};
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, Limits};
use crate::compatible::compatible;
use crate::component::ComponentTemplate;
use crate::diagnostic::{Fault, Faults};
use crate::difference::Differences;
use crate::inputs::{
    Attached, ComponentFacts, ComponentInputs, EnvironmentFacts, EnvironmentInputs, InstanceFacts,
    InstanceInputs, Outputs, PipelineInputs, PipelineInstance, ServiceFacts, Values,
};
use crate::kept::Kept;
use crate::manifest::Engine;
use crate::needs::Needs;
use crate::schema::{InputType, Schema, complete};
use crate::signature::{NotSigned, SIGNATURE_FILE, Signature};
use crate::spec::{EnvironmentSpec, ServiceSpec, SpecMap};
use crate::stack::Rendered;
use crate::template::{BundleKind, Expect, TemplateBundle};

const SCHEMA: &str = "schema/schema.yaml";
/// Bytes of a README that are shown.
const LONGEST_README: usize = 128 * 1024;

/// An archive by its name, and what has to be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Packed {
    /// The digest of its bytes.
    pub archive: Digest,
    /// What kind of bundle it has to be.
    pub expect: Expect,
}

/// Archives that go along with a question, by their names.
pub type Given = BTreeMap<Digest, Arc<Vec<u8>>>;

/// What can be asked.
#[derive(Clone, Serialize, Deserialize)]
pub enum Question {
    /// What is wrong with a bundle that is to be registered?
    Check(Packed),
    /// What is in a bundle that was registered?
    Open(Packed),
    /// The schema of a bundle, as text.
    Schema(Packed),
    /// The `README.md` of a bundle that was registered.
    Readme(Packed),
    /// What is different in the second bundle, which follows the first?
    Differences(Packed, Packed),
    /// What may break specs when the second schema follows the first?
    Compare(String, String),
    /// A service spec, read. The first text names it in faults.
    ServiceSpec(String, String),
    /// Whether a bundle's pipeline can be given this.
    PipelineInputs(Packed, SpecMap),
    /// An environment, rendered.
    Environment(EnvironmentTask),
    /// A service instance, rendered.
    Instance(InstanceTask),
    /// A pipeline, rendered.
    Pipeline(PipelineTask),
    /// A component, rendered.
    Component(ComponentTask),
}

/// What an environment is rendered from.
#[derive(Clone, Serialize, Deserialize)]
pub struct EnvironmentTask {
    /// Its bundle.
    pub bundle: Packed,
    /// Its name.
    pub name: EnvironmentName,
    /// Where it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// Its spec, as it was written.
    pub spec: String,
}

/// What a service instance is rendered from.
#[derive(Clone, Serialize, Deserialize)]
pub struct InstanceTask {
    /// Its bundle.
    pub bundle: Packed,
    /// Its environment.
    pub environment: EnvironmentFacts,
    /// Its service.
    pub service: ServiceFacts,
    /// Its name.
    pub name: InstanceName,
    /// Its inputs, not yet compared with the schema.
    pub given: SpecMap,
    /// The component that is attached to it.
    pub component: Option<ComponentFacts>,
}

/// An instance as its service's pipeline sees it, its inputs not yet compared with the schema.
#[derive(Clone, Serialize, Deserialize)]
pub struct PipelinePart {
    /// The instance.
    pub name: InstanceName,
    /// Its bundle: instances may run other versions than the pipeline.
    pub bundle: Packed,
    /// Its inputs, as its own spec gives them.
    pub given: SpecMap,
    /// Its outputs.
    pub outputs: Outputs,
    /// Its environment.
    pub environment: EnvironmentFacts,
}

/// What a pipeline is rendered from.
#[derive(Clone, Serialize, Deserialize)]
pub struct PipelineTask {
    /// Its bundle.
    pub bundle: Packed,
    /// Its service.
    pub service: ServiceFacts,
    /// The service's instances, in the order of the spec.
    pub parts: Vec<PipelinePart>,
    /// Its own inputs, not yet compared with the schema.
    pub given: SpecMap,
}

/// What an attached component gets from its instance, its inputs not yet compared with the schema.
#[derive(Clone, Serialize, Deserialize)]
pub struct AttachedTo {
    /// The bundle of the instance's version.
    pub bundle: Packed,
    /// The instance's service.
    pub service: ServiceFacts,
    /// The instance.
    pub instance: InstanceName,
    /// The inputs.
    pub given: SpecMap,
}

/// What a component is rendered from.
#[derive(Clone, Serialize, Deserialize)]
pub struct ComponentTask {
    /// Its name.
    pub name: ComponentName,
    /// Its manifest.
    pub manifest: String,
    /// Its template.
    pub template: String,
    /// Its environment.
    pub environment: EnvironmentFacts,
    /// What it is attached to.
    pub attached: Option<AttachedTo>,
}

impl Question {
    /// The archives that it is about.
    #[must_use]
    pub fn archives(&self) -> Vec<Digest> {
        let packed: Vec<&Packed> = match self {
            Self::Check(packed) | Self::Open(packed) | Self::Schema(packed) | Self::Readme(packed) => {
                vec![packed]
            }
            Self::Differences(old, new) => vec![old, new],
            Self::PipelineInputs(packed, _) => vec![packed],
            Self::Compare(..) | Self::ServiceSpec(..) => Vec::new(),
            Self::Environment(task) => vec![&task.bundle],
            Self::Instance(task) => vec![&task.bundle],
            Self::Pipeline(task) => {
                let parts = task.parts.iter().map(|part| &part.bundle);
                std::iter::once(&task.bundle).chain(parts).collect()
            }
            Self::Component(task) => task.attached.iter().map(|to| &to.bundle).collect(),
        };
        let mut archives: Vec<Digest> = packed.into_iter().map(|packed| packed.archive).collect();
        archives.sort_unstable();
        archives.dedup();
        archives
    }

    /// Whether whatever it is asked about is read from memory in no time.
    #[must_use]
    pub const fn is_small(&self) -> bool {
        matches!(
            self,
            Self::ServiceSpec(..) | Self::Compare(..) | Self::PipelineInputs(..)
        )
    }

    /// What is done to answer it, for messages: "`rendering the template of environment 'prd'` needs more than ...".
    #[must_use]
    pub fn doing(&self) -> String {
        match self {
            Self::Check(_) => "checking the bundle".to_owned(),
            Self::Open(_) | Self::Schema(_) | Self::Readme(_) => {
                "reading the template version's bundle".to_owned()
            }
            Self::Differences(..) => "comparing the bundles of two template versions".to_owned(),
            Self::Compare(..) => "comparing the schema with that of the version before".to_owned(),
            Self::ServiceSpec(file, _) => format!("reading the {file}"),
            Self::PipelineInputs(..) => "comparing the pipeline's inputs with the schema".to_owned(),
            Self::Environment(task) => format!(
                "rendering the template of environment '{}' (infrastructure/)",
                task.name
            ),
            Self::Instance(task) => format!(
                "rendering the template of service instance '{}/{}' (instance_infrastructure/)",
                task.service.name, task.name
            ),
            Self::Pipeline(task) => format!(
                "rendering the template of the pipeline of service '{}' (pipeline_infrastructure/)",
                task.service.name
            ),
            Self::Component(task) => format!("rendering the template of component '{}'", task.name),
        }
    }
}

/// What a check found out about a good bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The digest of its files.
    pub digest: Digest,
    /// What it is a template for.
    pub kind: BundleKind,
    /// Its schema, as text.
    pub schema: String,
    /// What was accepted with a warning.
    pub warnings: Vec<String>,
    /// What its stacks can consist of.
    pub needs: Needs,
    /// Its publisher's signature, which is one of this bundle.
    pub signature: Option<Signature>,
}

/// What is in a bundle that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// What it is a template for.
    pub kind: BundleKind,
    /// What provisions the environment or the instances.
    pub engine: Option<Engine>,
}

/// A rendered text, with what was noticed on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The rendered stack.
    pub rendered: Rendered,
    /// What was accepted with a warning.
    pub warnings: Vec<String>,
}

/// What an environment is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Made {
    /// A stack.
    Stack(Draft),
    /// Nothing: somebody else provisions it, and what its spec says are its outputs.
    Declared {
        /// The outputs.
        outputs: Outputs,
        /// What was accepted with a warning.
        warnings: Vec<String>,
    },
}

/// The answer to a question. Which one belongs to which is told there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::Check`].
    Checked(Checked),
    /// To [`Question::Open`].
    Opened(Opened),
    /// To [`Question::Schema`].
    Schema(String),
    /// To [`Question::Readme`]: its beginning, when there is one that is text.
    Readme(Option<String>),
    /// To [`Question::Differences`].
    Differences(Differences),
    /// To [`Question::Compare`] and [`Question::PipelineInputs`]: warnings.
    Warnings(Vec<String>),
    /// To [`Question::ServiceSpec`].
    ServiceSpec(ServiceSpec),
    /// To [`Question::Environment`].
    Made(Made),
    /// To all other renderings.
    Draft(Draft),
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "most replies are answers, and each is made and looked at once"
)]
pub enum Reply {
    /// The answer.
    Answer(Answer),
    /// What is wrong with what was given.
    Faults(Faults),
    /// What is wrong with a bundle that was found good when it was registered.
    Unusable(Faults),
    /// These archives were not given and are not kept here: ask again and give them along.
    Missing(Vec<Digest>),
}

/// Why there is no answer.
enum Trouble {
    Faults(Faults),
    Unusable(Faults),
    Missing(Vec<Digest>),
}

impl From<Faults> for Trouble {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// Answers questions.
#[derive(Debug)]
pub struct Desk {
    bundles: Mutex<Kept<Packed, TemplateBundle>>,
}

impl Desk {
    /// A desk that keeps so many bundles, whose files have so many bytes together.
    #[must_use]
    pub fn new(bundles: usize, bytes: usize) -> Self {
        Self {
            bundles: Mutex::new(Kept::new(bundles, bytes)),
        }
    }

    /// Answers a question about what is in it, in `given`, and in the bundles that are kept here.
    #[must_use]
    pub fn reply(&self, question: Question, given: &Given) -> Reply {
        match self.answer(question, given) {
            Ok(answer) => Reply::Answer(answer),
            Err(Trouble::Faults(faults)) => Reply::Faults(faults),
            Err(Trouble::Unusable(faults)) => Reply::Unusable(faults),
            Err(Trouble::Missing(archives)) => Reply::Missing(archives),
        }
    }

    fn answer(&self, question: Question, given: &Given) -> Result<Answer, Trouble> {
        Ok(match question {
            Question::Check(packed) => Answer::Checked(check(&bytes(packed, given)?, packed.expect)?),
            Question::Open(packed) => {
                let bundle = self.bundle(packed, given)?;
                Answer::Opened(Opened {
                    kind: bundle.kind,
                    engine: bundle.engine(),
                })
            }
            Question::Schema(packed) => {
                let bundle = Bundle::from_archive(&bytes(packed, given)?, &Limits::default())?;
                Answer::Schema(schema_text(&bundle))
            }
            Question::Readme(packed) => {
                let bundle = self.bundle(packed, given)?;
                Answer::Readme(bundle.readme().map(beginning))
            }
            Question::Differences(old, new) => {
                self.all_there([old, new], given)?;
                let (old, new) = (self.bundle(old, given)?, self.bundle(new, given)?);
                Answer::Differences(Differences::between(&old, &new))
            }
            Question::Compare(old, new) => Answer::Warnings(compare(&old, &new)),
            Question::ServiceSpec(file, text) => Answer::ServiceSpec(ServiceSpec::parse(&file, &text)?),
            Question::PipelineInputs(packed, map) => {
                let bundle = self.bundle(packed, given)?;
                Answer::Warnings(inputs(&bundle, InputType::Pipeline, &map)?.1)
            }
            Question::Environment(task) => {
                let bundle = self.bundle(task.bundle, given)?;
                Answer::Made(environment(&bundle, task)?)
            }
            Question::Instance(task) => {
                let bundle = self.bundle(task.bundle, given)?;
                Answer::Draft(instance(&bundle, task)?)
            }
            Question::Pipeline(task) => {
                let parts = task.parts.iter().map(|part| part.bundle);
                self.all_there(std::iter::once(task.bundle).chain(parts), given)?;
                Answer::Draft(self.pipeline(task, given)?)
            }
            Question::Component(task) => {
                let bundle = match &task.attached {
                    Some(to) => Some(self.bundle(to.bundle, given)?),
                    None => None,
                };
                Answer::Draft(component(bundle.as_deref(), task)?)
            }
        })
    }

    fn kept(&self, packed: Packed) -> Option<Arc<TemplateBundle>> {
        let mut bundles = self.bundles.lock().unwrap_or_else(PoisonError::into_inner);
        bundles.get(packed)
    }

    /// A bundle that was found good when it was registered.
    fn bundle(&self, packed: Packed, given: &Given) -> Result<Arc<TemplateBundle>, Trouble> {
        if let Some(bundle) = self.kept(packed) {
            return Ok(bundle);
        }
        let bytes = bytes(packed, given)?;
        let bundle = Bundle::from_archive(&bytes, &Limits::default()).map_err(Trouble::Unusable)?;
        let size = bundle
            .paths()
            .filter_map(|path| bundle.get(path))
            .map(<[u8]>::len)
            .sum::<usize>();
        let bundle = match TemplateBundle::check(bundle, Some(packed.expect)) {
            (Some(bundle), faults) if !faults.is_error() => Arc::new(bundle),
            (_, faults) => return Err(Trouble::Unusable(faults)),
        };
        let mut bundles = self.bundles.lock().unwrap_or_else(PoisonError::into_inner);
        bundles.put(packed, size, Arc::clone(&bundle));
        Ok(bundle)
    }

    /// All that lack are told at once, so that nobody has to come again for each.
    fn all_there(&self, bundles: impl IntoIterator<Item = Packed>, given: &Given) -> Result<(), Trouble> {
        let lacking: Vec<Digest> = bundles
            .into_iter()
            .filter(|packed| !given.contains_key(&packed.archive) && self.kept(*packed).is_none())
            .map(|packed| packed.archive)
            .collect();
        if lacking.is_empty() {
            Ok(())
        } else {
            Err(Trouble::Missing(lacking))
        }
    }

    fn pipeline(&self, task: PipelineTask, given: &Given) -> Result<Draft, Trouble> {
        let bundle = self.bundle(task.bundle, given)?;
        let (values, noticed) = inputs(&bundle, InputType::Pipeline, &task.given)?;
        let mut service_instances = Vec::new();
        for part in task.parts {
            let bundle = self.bundle(part.bundle, given)?;
            service_instances.push(PipelineInstance {
                name: part.name,
                inputs: inputs(&bundle, InputType::Service, &part.given)?.0,
                outputs: part.outputs,
                environment: part.environment,
            });
        }
        let rendered = bundle.render_pipeline(&PipelineInputs {
            service: task.service,
            service_instances,
            inputs: values,
        })?;
        Ok(draft(rendered, noticed))
    }
}

fn bytes(packed: Packed, given: &Given) -> Result<Arc<Vec<u8>>, Trouble> {
    given
        .get(&packed.archive)
        .cloned()
        .ok_or_else(|| Trouble::Missing(vec![packed.archive]))
}

/// As much of a text as somebody reads who wants to know what a template is.
fn beginning(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_README);
    text[..end].to_owned()
}

fn schema_text(bundle: &Bundle) -> String {
    String::from_utf8_lossy(bundle.get(SCHEMA).unwrap_or_default()).into_owned()
}

fn check(archive: &[u8], expect: Expect) -> Result<Checked, Faults> {
    let bundle = Bundle::from_archive(archive, &Limits::default())?;
    let (digest, schema) = (bundle.digest(), schema_text(&bundle));
    let signature = match Signature::of(&bundle) {
        Ok(signature) => Some(signature),
        Err(NotSigned::Missing) => None,
        Err(error) => {
            return Err(Fault::error("bundle/signature", error.to_string())
                .help(format!(
                    "sign it anew with `hadron template sign`, or remove {SIGNATURE_FILE}"
                ))
                .into());
        }
    };
    let (checked, faults) = TemplateBundle::check(bundle, Some(expect));
    match checked {
        Some(checked) if !faults.is_error() => Ok(Checked {
            digest,
            kind: checked.kind,
            schema,
            warnings: messages(faults.warnings()),
            needs: checked.needs(),
            signature,
        }),
        _ => Err(faults),
    }
}

/// Both passed their check; one that a later program reads otherwise is no reason to say anything.
fn compare(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| Schema::parse(SCHEMA, text.as_bytes()).ok();
    match (read(old), read(new)) {
        (Some(old), Some(new)) => messages(&compatible(&old, &new)),
        _ => Vec::new(),
    }
}

fn messages<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Vec<String> {
    faults.into_iter().map(|fault| fault.message.clone()).collect()
}

/// Inputs of one purpose, compared with the schema; and what was noticed.
fn inputs(
    bundle: &TemplateBundle,
    which: InputType,
    given: &SpecMap,
) -> Result<(Values, Vec<String>), Faults> {
    match bundle.schema.inputs(which) {
        None => Ok((Values::new(), Vec::new())),
        Some(schema) => {
            let completed = complete(schema, given)?;
            let noticed = messages(&completed.warnings);
            Ok((completed.values, noticed))
        }
    }
}

fn draft(rendered: Rendered, mut warnings: Vec<String>) -> Draft {
    warnings.extend(messages(&rendered.warnings));
    Draft { rendered, warnings }
}

fn environment(bundle: &TemplateBundle, task: EnvironmentTask) -> Result<Made, Faults> {
    let parsed = EnvironmentSpec::parse("spec", &task.spec)?;
    let (values, noticed) = inputs(bundle, InputType::Environment, &parsed.inputs)?;
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
        });
    }
    let rendered = bundle.render_environment(&EnvironmentInputs {
        name: task.name,
        account_id: Some(task.account),
        region: Some(task.region),
        inputs: values,
    })?;
    Ok(Made::Stack(draft(rendered, noticed)))
}

fn instance(bundle: &TemplateBundle, task: InstanceTask) -> Result<Draft, Faults> {
    let (values, noticed) = inputs(bundle, InputType::Service, &task.given)?;
    let rendered = bundle.render_instance(&InstanceInputs {
        environment: task.environment,
        service: task.service,
        instance: InstanceFacts {
            name: task.name,
            inputs: values,
            component: task.component,
        },
    })?;
    Ok(draft(rendered, noticed))
}

/// A component, with the bundle of the instance that it is attached to.
fn component(bundle: Option<&TemplateBundle>, task: ComponentTask) -> Result<Draft, Faults> {
    let template = ComponentTemplate::read(&task.manifest, &task.template)?;
    let mut noticed = Vec::new();
    let attached = match bundle.zip(task.attached) {
        None => None,
        Some((bundle, to)) => {
            let (values, told) = inputs(bundle, InputType::Service, &to.given)?;
            noticed = told;
            Some(Attached {
                service: to.service,
                instance: to.instance,
                inputs: values,
            })
        }
    };
    let surroundings = ComponentInputs {
        name: task.name,
        environment: task.environment,
        attached,
    };
    let rendered = template.render(&surroundings, bundle.map(|bundle| &bundle.schema))?;
    Ok(draft(rendered, noticed))
}
