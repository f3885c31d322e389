//! What a template may refer to: `environment`, `service`, `service_instance`, `service_instances`, `pipeline`,
//! `component`.
//!
//! Callers fill typed structs; the template sees one tree of plain values. The tree is also what engines with an
//! input file instead of a renderer get. None of these types prints its values: they may hold secrets.

use std::fmt;
use std::sync::Arc;

use hadron_proto::vocab::{AccountId, ComponentName, EnvironmentName, InstanceName, Region, ServiceName};
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// Typed inputs, as [`crate::complete`] gives them.
pub type Values = Map<String, Json>;
/// Outputs of a stack, in order.
pub type Outputs = IndexMap<String, String>;

/// What the infrastructure of an environment is rendered with.
#[derive(Clone)]
pub struct EnvironmentInputs {
    /// `environment.name`.
    pub name: EnvironmentName,
    /// `environment.account_id`.
    pub account_id: Option<AccountId>,
    /// `environment.region`.
    pub region: Option<Region>,
    /// `environment.inputs`.
    pub inputs: Values,
}

/// An environment as its services see it.
#[derive(Clone, Serialize, Deserialize)]
pub struct EnvironmentFacts {
    /// `environment.name`.
    pub name: EnvironmentName,
    /// `environment.account_id`.
    pub account_id: AccountId,
    /// `environment.region`.
    pub region: Option<Region>,
    /// `environment.outputs`.
    pub outputs: Outputs,
}

/// A service as its templates see it. The repository's fields are empty for services without a pipeline.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// `service.name`.
    pub name: ServiceName,
    /// `service.branch_name`.
    pub branch_name: String,
    /// `service.repository_id`.
    pub repository_id: String,
    /// `service.repository_connection_arn`.
    pub repository_connection_arn: String,
}

impl ServiceFacts {
    /// A service that no pipeline builds.
    #[must_use]
    pub const fn without_repository(name: ServiceName) -> Self {
        Self {
            name,
            branch_name: String::new(),
            repository_id: String::new(),
            repository_connection_arn: String::new(),
        }
    }
}

/// A component that is attached to an instance.
#[derive(Clone, Serialize, Deserialize)]
pub struct ComponentFacts {
    /// `service_instance.components.default.name`.
    pub name: ComponentName,
    /// `service_instance.components.default.outputs`.
    pub outputs: Outputs,
}

/// The instance that is rendered.
#[derive(Clone)]
pub struct InstanceFacts {
    /// `service_instance.name`.
    pub name: InstanceName,
    /// `service_instance.inputs`.
    pub inputs: Values,
    /// `service_instance.components.default`; without one it and its outputs are empty maps.
    pub component: Option<ComponentFacts>,
}

/// What the infrastructure of a service instance is rendered with.
#[derive(Clone)]
pub struct InstanceInputs {
    /// `environment`.
    pub environment: EnvironmentFacts,
    /// `service`.
    pub service: ServiceFacts,
    /// `service_instance`.
    pub instance: InstanceFacts,
}

/// An instance as the pipeline of its service sees it.
#[derive(Clone)]
pub struct PipelineInstance {
    /// `.name`.
    pub name: InstanceName,
    /// `.inputs`.
    pub inputs: Values,
    /// `.outputs`.
    pub outputs: Outputs,
    /// `.environment`.
    pub environment: EnvironmentFacts,
}

/// What the pipeline of a service is rendered with.
#[derive(Clone)]
pub struct PipelineInputs {
    /// `service`.
    pub service: ServiceFacts,
    /// `service_instances`, in the order of the spec.
    pub service_instances: Vec<PipelineInstance>,
    /// `pipeline.inputs`.
    pub inputs: Values,
}

/// What an attached component is rendered with besides its environment.
#[derive(Clone)]
pub struct Attached {
    /// `service`.
    pub service: ServiceFacts,
    /// `service_instance.name`.
    pub instance: InstanceName,
    /// `service_instance.inputs`.
    pub inputs: Values,
}

/// What a component is rendered with.
#[derive(Clone)]
pub struct ComponentInputs {
    /// `component.name`.
    pub name: ComponentName,
    /// `environment`.
    pub environment: EnvironmentFacts,
    /// What it is attached to.
    pub attached: Option<Attached>,
}

macro_rules! quiet {
    ($($name:ident: $show:ident),*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field(stringify!($show), &self.$show).finish_non_exhaustive()
            }
        })*
    };
}
quiet!(EnvironmentInputs: name, EnvironmentFacts: name, ServiceFacts: name, ComponentFacts: name, InstanceFacts: name,
       InstanceInputs: instance, PipelineInstance: name, PipelineInputs: service, Attached: instance, ComponentInputs: name);

fn outputs(outputs: &Outputs) -> Json {
    Json::Object(
        outputs
            .iter()
            .map(|(name, value)| (name.clone(), Json::String(value.clone())))
            .collect(),
    )
}

impl EnvironmentFacts {
    fn json(&self) -> Json {
        let mut out = json!({ "name": self.name.as_str(), "account_id": self.account_id.as_str() });
        if let Some(region) = &self.region {
            out["region"] = json!(region.as_str());
        }
        out["outputs"] = outputs(&self.outputs);
        out
    }
}

impl ServiceFacts {
    fn json(&self) -> Json {
        json!({
            "name": self.name.as_str(),
            "branch_name": self.branch_name,
            "repository_id": self.repository_id,
            "repository_connection_arn": self.repository_connection_arn,
        })
    }
}

fn root(members: impl IntoIterator<Item = (&'static str, Json)>) -> Values {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

impl EnvironmentInputs {
    /// The tree that the template sees.
    #[must_use]
    pub fn facts(&self) -> Values {
        let mut out = json!({ "name": self.name.as_str() });
        if let Some(account) = &self.account_id {
            out["account_id"] = json!(account.as_str());
        }
        if let Some(region) = &self.region {
            out["region"] = json!(region.as_str());
        }
        out["inputs"] = Json::Object(self.inputs.clone());
        root([("environment", out)])
    }
}

impl InstanceInputs {
    /// The tree that the template sees.
    #[must_use]
    pub fn facts(&self) -> Values {
        let components = match &self.instance.component {
            Some(component) => {
                json!({ "default": { "name": component.name.as_str(), "outputs": outputs(&component.outputs) } })
            }
            None => json!({}),
        };
        let environment = self.environment.json();
        let instance = json!({
            "name": self.instance.name.as_str(),
            "inputs": self.instance.inputs,
            "components": components,
            "environment": environment,
        });
        root([
            ("environment", environment),
            ("service", self.service.json()),
            ("service_instance", instance),
        ])
    }
}

impl PipelineInputs {
    /// The tree that the template sees.
    #[must_use]
    pub fn facts(&self) -> Values {
        let instances = self.service_instances.iter().map(|instance| {
            json!({
                "name": instance.name.as_str(),
                "inputs": instance.inputs,
                "outputs": outputs(&instance.outputs),
                "environment": instance.environment.json(),
            })
        });
        root([
            ("service", self.service.json()),
            ("service_instances", Json::Array(instances.collect())),
            ("pipeline", json!({ "inputs": self.inputs })),
        ])
    }
}

impl ComponentInputs {
    /// The tree that the template sees.
    #[must_use]
    pub fn facts(&self) -> Values {
        let mut out = root([
            ("environment", self.environment.json()),
            ("component", json!({ "name": self.name.as_str() })),
        ]);
        if let Some(attached) = &self.attached {
            let instance = json!({ "name": attached.instance.as_str(), "inputs": attached.inputs });
            out.extend(root([
                ("service", attached.service.json()),
                ("service_instance", instance),
            ]));
        }
        out
    }
}

/// Gives every text of a tree, with the path to it, to `change`. Names of members are not texts: they come from
/// schemas and stacks.
pub(crate) fn texts(value: &Json, path: &str, change: &mut dyn FnMut(&str, &str)) {
    match value {
        Json::String(text) => change(path, text),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, &format!("{path}[{index}]"), change);
            }
        }
        Json::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                texts(member, &path, change);
            }
        }
        _ => {}
    }
}

/// The tree for the renderer, each text passed through `change`.
pub(crate) fn value(json: &Json, path: &str, change: &dyn Fn(&str, &str) -> Option<String>) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => Value::from(whole),
            (_, Some(whole), _) => Value::from(whole),
            (_, _, float) => Value::from(float.unwrap_or_default()),
        },
        Json::String(text) => Value::from(change(path, text).unwrap_or_else(|| text.clone())),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| value(item, &format!("{path}[{index}]"), change))
            .collect::<Vec<_>>()
            .into(),
        Json::Object(members) if members.is_empty() && path == "service_instance.components" => {
            Value::from_object(Absent("default"))
        }
        Json::Object(members) => Value::from_pairs(members.iter().map(|(name, member)| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            (Value::from(name.as_str()), value(member, &path, change))
        })),
    }
}

/// An empty map with one member that is an empty map too: what templates find where no component is attached.
#[derive(Debug)]
struct Absent(&'static str);

impl Object for Absent {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (self.0, key.as_str()?) {
            ("default", "default") => Some(Value::from_object(Self("outputs"))),
            ("outputs", "outputs") => Some(Value::from_object(Self(""))),
            _ => None,
        }
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}
