//! Components: what a developer adds to a service instance, or beside it, as one template file.
//!
//! There is no bundle and no schema: manifest and template come as text, and the inputs are those of the instance that
//! the component is attached to, as that instance's template version describes them.

use crate::diagnostic::{Fault, Faults};
use crate::inputs::ComponentInputs;
use crate::lint;
use crate::manifest::Manifest;
use crate::namespace::{self, Scope};
use crate::render::{Template, roomy};
use crate::schema::Schema;
use crate::stack::Rendered;
use crate::template::render;

/// Most characters of a component's manifest, as in Proton.
const MANIFEST: usize = 1_024;
/// Most characters of a component's template, as in Proton.
const TEMPLATE: usize = 51_200;

/// The template of a component, ready to be rendered.
#[derive(Clone, Debug)]
pub struct ComponentTemplate {
    template: Template,
    warnings: Vec<Fault>,
}

impl ComponentTemplate {
    /// Reads a manifest and the template that goes with it. Faults of the template carry the file name that the manifest
    /// gives it.
    pub fn read(manifest: &str, template: &str) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        for (what, text, most, help) in [
            (
                "manifest",
                manifest,
                MANIFEST,
                "it names one file, one rendering_engine and one template_language, and needs no more",
            ),
            (
                "template file",
                template,
                TEMPLATE,
                "split the component in two, or render less text",
            ),
        ] {
            let length = text.chars().count();
            if text.trim().is_empty() {
                let message = format!("the {what} of the component is empty");
                faults
                    .push(Fault::error("component/empty", message).help(format!("give the {what} as text")));
            } else if length > most {
                let message = format!(
                    "the {what} of the component has {length} characters; at most {most} are allowed"
                );
                faults.push(Fault::error("component/too-large", message).help(help));
            }
        }
        if faults.is_error() {
            return Err(faults);
        }
        let name = Manifest::of_component(manifest, &mut faults);
        let template = match Template::new(name.as_deref().unwrap_or("template"), template.as_bytes()) {
            Ok(template) => Some(template),
            Err(errors) => {
                faults.extend(errors);
                None
            }
        };
        match template {
            Some(template) if !faults.is_error() => Ok(Self {
                template,
                warnings: faults.into_vec(),
            }),
            _ => Err(faults),
        }
    }

    /// Renders the component. `schema` is that of the instance it is attached to: names of inputs that it does not know
    /// are faults, all of them at once.
    pub fn render(&self, inputs: &ComponentInputs, schema: Option<&Schema>) -> Result<Rendered, Faults> {
        roomy(|| {
            let scope = Scope::Component {
                attached: inputs.attached.is_some(),
            };
            let (_, mut faults) = lint::check(&self.template, scope, &namespace::roots(scope, schema));
            if faults.is_error() {
                return Err(faults);
            }
            faults.extend(self.warnings.iter().cloned());
            let mut rendered = render(&self.template, &inputs.facts())?;
            rendered.warnings.extend(faults);
            Ok(rendered)
        })?
    }
}
