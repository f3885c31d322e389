//! What those see who may see a thing and not with what values: auditors. Whether somebody is one of them, there, is decided
//! by [`Caller::may_read_plaintext`]; what of a thing is a value is said here, once for all interfaces.
//!
//! Values are the contents of the columns that are sealed in the database: specs and inputs, outputs, templates, messages
//! and warnings. Names, types and states of resources, and what people wrote as description, are none.
//!
//! Nothing that was masked is ever written: who may change a thing may read its values (property test in `hadron-domain`).

use hadron_domain::authority::{Caller, Place};
use hadron_domain::deployment::{Ending, Phase};
use hadron_templates::{MASK, masked};

use super::components::ComponentView;
use super::environments::EnvironmentView;
use super::services::ServiceView;
use super::templates::VersionView;
use crate::store::deployments::{DeploymentRow, EventRow, State};
use crate::store::services::ServiceRow;
use crate::store::targets::TargetRow;

/// A thing with values.
pub(super) trait Secretive: Sized {
    /// Where it is.
    fn place(&self) -> Place;

    /// Masks its values.
    fn mask(&mut self);

    /// As this caller may see it.
    fn shown_to(mut self, caller: &Caller) -> Self {
        if !caller.may_read_plaintext(&self.place()) {
            self.mask();
        }
        self
    }
}

/// Things as this caller may see them.
pub(super) fn shown<T: Secretive>(things: Vec<T>, caller: &Caller) -> Vec<T> {
    things.into_iter().map(|thing| thing.shown_to(caller)).collect()
}

/// A message: that there is one is no secret.
fn message(text: &mut String) {
    if !text.is_empty() {
        MASK.clone_into(text);
    }
}

fn document(text: &mut String) {
    *text = masked(text);
}

impl Secretive for TargetRow {
    fn place(&self) -> Place {
        self.place()
    }

    fn mask(&mut self) {
        document(&mut self.spec);
        message(&mut self.message);
        self.warnings.iter_mut().for_each(message);
        self.outputs.values_mut().for_each(message);
    }
}

impl Secretive for DeploymentRow {
    fn place(&self) -> Place {
        self.place()
    }

    fn mask(&mut self) {
        document(&mut self.spec);
        message(&mut self.message);
        if let Phase::Ended {
            how: Ending::Failed(why),
            ..
        } = &mut self.deployment.phase
        {
            message(why);
        }
        self.outputs.values_mut().for_each(message);
        for state in self.initial.iter_mut().chain(self.target_state.iter_mut()) {
            mask_state(state);
        }
    }
}

fn mask_state(state: &mut State) {
    document(&mut state.spec);
    if let Some(component) = &mut state.component {
        document(&mut component.service_spec);
        document(&mut component.template_file);
    }
}

/// An event of a deployment that is there.
pub(super) fn mask_event(event: &mut EventRow) {
    message(&mut event.message);
    if let Some(stack) = &mut event.event {
        message(&mut stack.reason);
    }
}

impl Secretive for ServiceRow {
    fn place(&self) -> Place {
        Place::service(self.name.clone())
    }

    fn mask(&mut self) {
        document(&mut self.spec);
        document(&mut self.old_spec);
        message(&mut self.message);
    }
}

impl Secretive for ServiceView {
    fn place(&self) -> Place {
        Place::service(self.service.name.clone())
    }

    /// Only of the service: each of its parts is somewhere else.
    fn mask(&mut self) {
        self.service.mask();
    }

    fn shown_to(self, caller: &Caller) -> Self {
        Self {
            service: self.service.shown_to(caller),
            instances: shown(self.instances, caller),
            pipeline: self.pipeline.map(|pipeline| pipeline.shown_to(caller)),
        }
    }
}

impl Secretive for ComponentView {
    fn place(&self) -> Place {
        self.target.place()
    }

    fn mask(&mut self) {
        self.target.mask();
        document(&mut self.component.shape.service_spec);
        document(&mut self.component.shape.template_file);
        document(&mut self.component.manifest);
    }
}

/// A version of a template, which is the hub's and lies nowhere: what went wrong with it may quote it, and is for those who
/// may read values anywhere.
pub(super) fn shown_version(mut view: VersionView, caller: &Caller) -> VersionView {
    if !caller.may_read_some_plaintext() {
        view.mask(message);
    }
    view
}

impl Secretive for EnvironmentView {
    fn place(&self) -> Place {
        self.row.place()
    }

    fn mask(&mut self) {
        self.row.mask();
    }
}
