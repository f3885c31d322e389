//! The names that each kind of template may use, before any of them has a value.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::property::{Kind, Property};
use crate::schema::{InputSchema, InputType, Schema};

/// What is known of a value before it exists.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// Nothing; every use is fine.
    Any,
    /// A text, number or truth value.
    Leaf,
    /// Texts under names that only the deployed stack knows. The word tells whose they are.
    Outputs(&'static str),
    /// Exactly these members.
    Members(BTreeMap<String, Member>),
    /// A list of such items.
    List(Box<Known>),
}

/// A member of a map.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) known: Known,
    /// Whether it always has a value.
    pub(crate) sure: bool,
}

/// Which template is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Environment,
    Instance,
    Pipeline,
    /// A component; only an attached one sees its service and instance.
    Component {
        attached: bool,
    },
}

impl Scope {
    /// The directory of its files.
    pub(crate) const fn dir(self) -> &'static str {
        match self {
            Self::Environment => "infrastructure",
            Self::Instance => "instance_infrastructure",
            Self::Pipeline => "pipeline_infrastructure",
            // It has one file, and that is no part of a bundle.
            Self::Component { .. } => "",
        }
    }

    /// What its templates are called.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Environment => "environment templates",
            Self::Instance => "service instance templates",
            Self::Pipeline => "pipeline templates",
            Self::Component { attached: true } => "templates of attached components",
            Self::Component { attached: false } => {
                "templates of components that are not attached to an instance"
            }
        }
    }
}

fn sure(known: Known) -> Member {
    Member { known, sure: true }
}

fn members<const N: usize>(list: [(&str, Member); N]) -> Known {
    Known::Members(
        list.into_iter()
            .map(|(name, member)| (name.to_owned(), member))
            .collect(),
    )
}

fn inputs(schema: Option<&InputSchema>) -> Known {
    schema.map_or_else(
        || members([]),
        |schema| properties(&schema.properties, &schema.required),
    )
}

fn properties(properties: &IndexMap<String, Property>, required: &[String]) -> Known {
    let member = |(name, property): (&String, &Property)| {
        (
            name.clone(),
            Member {
                known: property_known(property),
                sure: property.default.is_some() || required.contains(name),
            },
        )
    };
    Known::Members(properties.iter().map(member).collect())
}

fn property_known(property: &Property) -> Known {
    match property.kind {
        Kind::Any => Known::Any,
        Kind::Object if property.properties.is_empty() || !property.closed => Known::Any,
        Kind::Object => properties(&property.properties, &property.required),
        Kind::Array => Known::List(Box::new(
            property.items.as_deref().map_or(Known::Any, property_known),
        )),
        Kind::String | Kind::Number | Kind::Integer | Kind::Boolean => Known::Leaf,
    }
}

fn environment() -> Known {
    members([
        ("name", sure(Known::Leaf)),
        ("account_id", sure(Known::Leaf)),
        ("region", sure(Known::Leaf)),
        ("outputs", sure(Known::Outputs("environment"))),
    ])
}

/// The names at the root of a template's namespace. Without a schema every input may be there.
pub(crate) fn roots(scope: Scope, schema: Option<&Schema>) -> BTreeMap<String, Known> {
    let service = members([
        ("name", sure(Known::Leaf)),
        ("branch_name", sure(Known::Leaf)),
        ("repository_id", sure(Known::Leaf)),
        ("repository_connection_arn", sure(Known::Leaf)),
    ]);
    let inputs = |which| schema.map_or(Known::Any, |schema| inputs(schema.inputs(which)));
    let given = inputs(InputType::Service);
    let list: Vec<(&str, Known)> = match scope {
        Scope::Environment => {
            let inputs = inputs(InputType::Environment);
            let facts = [
                ("name", sure(Known::Leaf)),
                ("account_id", sure(Known::Leaf)),
                ("region", sure(Known::Leaf)),
                ("inputs", sure(inputs)),
            ];
            vec![("environment", members(facts))]
        }
        Scope::Instance => {
            let component = members([
                (
                    "name",
                    Member {
                        known: Known::Leaf,
                        sure: false,
                    },
                ),
                ("outputs", sure(Known::Outputs("component"))),
            ]);
            let instance = members([
                ("name", sure(Known::Leaf)),
                ("inputs", sure(given)),
                ("environment", sure(environment())),
                ("components", sure(members([("default", sure(component))]))),
            ]);
            vec![
                ("environment", environment()),
                ("service", service),
                ("service_instance", instance),
            ]
        }
        Scope::Pipeline => {
            let item = members([
                ("name", sure(Known::Leaf)),
                ("inputs", sure(given)),
                ("outputs", sure(Known::Outputs("instance"))),
                ("environment", sure(environment())),
            ]);
            let pipeline = members([("inputs", sure(inputs(InputType::Pipeline)))]);
            vec![
                ("service", service),
                ("service_instances", Known::List(Box::new(item))),
                ("pipeline", pipeline),
            ]
        }
        Scope::Component { attached } => {
            let mut list = vec![
                ("environment", environment()),
                ("component", members([("name", sure(Known::Leaf))])),
            ];
            if attached {
                let instance = members([("name", sure(Known::Leaf)), ("inputs", sure(given))]);
                list.extend([("service", service), ("service_instance", instance)]);
            }
            list
        }
    };
    list.into_iter()
        .map(|(name, known)| (name.to_owned(), known))
        .collect()
}
