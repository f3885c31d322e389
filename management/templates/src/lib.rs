//! Template bundles in, stack text out.
//!
//! A bundle is what a platform team publishes: a schema, a manifest and the infrastructure files of AWS Proton's
//! format. A spec is what a developer writes. This crate reads both, tells everything that is wrong with them at
//! once, and renders the text that an agent hands to CloudFormation. It touches no network, no database and no
//! clock, and it never unpacks anything to disk; the hub and the command line tool both link it.
//!
//! How a bundle becomes a stack:
//!
//! 1. [`Bundle`] reads a directory, a `.tar.gz` or a `.zip` into memory under [`Limits`].
//! 2. [`TemplateBundle::check`] finds every [`Fault`]: in the manifest, the [`Schema`], the template's names. This
//!    is also the linter.
//! 3. [`EnvironmentSpec`] and [`ServiceSpec`] read what the developer gave; [`complete`] compares it with the
//!    schema and fills in the defaults.
//! 4. [`TemplateBundle::render_environment`] and its siblings give a [`Rendered`] text with what CloudFormation
//!    will ask about it.
//!
//! A component has no bundle and no schema: [`ComponentTemplate`] reads its manifest and its one file and renders them.
//!
//! What it refuses to know: AWS, stacks that exist, who may do what, and where bundles are stored.
//!
//! ```no_run
//! use hadron_templates::*;
//!
//! # fn main() -> Result<(), Faults> {
//! // Lint a directory; what is sent to the hub is the archive.
//! let bundle = Bundle::read("web/v1".as_ref(), &Limits::default())?;
//! let archive = bundle.to_archive();
//! let (checked, faults) = TemplateBundle::check(bundle, Some(Expect::Service));
//! eprint!("{faults}");
//!
//! // Register it from its bytes.
//! let bundle = Bundle::from_archive(&archive, &Limits::default())?;
//! let (template, faults) = TemplateBundle::check(bundle, Some(Expect::Service));
//! let template = template.ok_or(faults)?;
//!
//! // Render an instance of a spec.
//! let spec = ServiceSpec::parse("spec.yaml", "proton: ServiceSpec\ninstances: [{ name: a, environment: prd }]")?;
//! let instance = &spec.instances[0];
//! let schema = template.schema.inputs(InputType::Service).expect("a service template has service inputs");
//! let inputs = complete(schema, &instance.inputs)?;
//! let rendered = template.render_instance(&InstanceInputs {
//!     environment: EnvironmentFacts {
//!         name: instance.environment.clone(),
//!         account_id: "012345678901".parse().expect("12 digits"),
//!         region: None,
//!         outputs: Outputs::from([("Vpc".to_owned(), "vpc-1".to_owned())]),
//!     },
//!     service: ServiceFacts::without_repository("web".parse().expect("a name")),
//!     instance: InstanceFacts { name: instance.name.clone(), inputs: inputs.values, component: None },
//! })?;
//! println!("{} {:?}", rendered.digest, rendered.capabilities);
//! # Ok(())
//! # }
//! ```
//!
//! Start reading at `template.rs`; `shield.rs` explains how a developer's value is kept from becoming structure,
//! and `render.rs` what a hostile template can and cannot do to the process.

mod archive;
mod bundle;
mod compatible;
mod component;
mod desk;
mod diagnostic;
mod difference;
mod filters;
mod inputs;
mod kept;
mod lint;
mod manifest;
mod masked;
mod namespace;
mod needs;
mod path;
mod property;
mod render;
mod sample;
mod schema;
mod schema_types;
mod shield;
mod signature;
mod spec;
mod spec_flat;
mod spec_text;
mod stack;
mod template;
mod yaml;

pub use bundle::{Bundle, Limits};
pub use compatible::compatible;
pub use component::ComponentTemplate;
pub use desk::{
    Answer, AttachedTo, Checked, ComponentTask, Desk, Draft, EnvironmentTask, Given, InstanceTask, Made,
    Opened, Packed, PipelinePart, PipelineTask, Question, Reply,
};
pub use diagnostic::{Fault, Faults, Place, Severity, Source, Spot};
pub use difference::{Became, Differences, FileDifference, InputDifference, Line, line_differences};
pub use inputs::{
    Attached, ComponentFacts, ComponentInputs, EnvironmentFacts, EnvironmentInputs, InstanceFacts,
    InstanceInputs, Outputs, PipelineInputs, PipelineInstance, ServiceFacts, Values,
};
pub use kept::Kept;
pub use manifest::{BuildSettings, Engine, Manifest};
pub use masked::{MASK, masked};
pub use needs::Needs;
pub use property::{Kind, Property};
pub use schema::{Completed, InputSchema, InputType, Schema, complete};
pub use signature::{
    KeyFault, NotSigned, PublisherKey, SIGNATURE_FILE, Signature, SignedKind, SignedSource, SigningKey,
    Statement, Unproven,
};
pub use spec::{
    CURRENT_VALUE, EnvironmentSpec, InstanceSpec, ServiceSpec, Spec, SpecMap, SpecNode, SpecValue,
};
pub use stack::{Capability, Rendered};
pub use template::{BundleKind, Expect, TemplateBundle};
