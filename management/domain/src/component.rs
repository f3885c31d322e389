//! Components: what an update may do to an attachment, and what is left of it when the deployment does not succeed.
//!
//! The rules are Proton's (user guide, "Components"): one component for an instance; from one instance to another it has
//! to be detached first; an attached one cannot be deleted. What Proton did not say is decided here: a detachment stands
//! whatever becomes of its deployment, since it only frees things and nobody may be stuck with a component that can
//! neither be detached nor deleted; an attachment whose deployment came to nothing is taken back with the rest.

use std::fmt;

use hadron_proto::vocab::{InstanceName, ServiceName};
use serde::{Deserialize, Serialize};

/// The instance that a component is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// The instance's service.
    pub service: ServiceName,
    /// The instance.
    pub instance: InstanceName,
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.instance)
    }
}

/// What can change about a component by deploying it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// What it is attached to.
    pub attached: Option<Attachment>,
    /// The service spec that gives its inputs; empty: that of the instance.
    pub service_spec: String,
    /// Its template.
    pub template_file: String,
}

/// What an update says about the attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// It shall be attached to nothing.
    Detach,
    /// It shall be attached to this.
    Attach(Attachment),
}

impl Change {
    /// From the two names of Proton's request: absent keeps, empty detaches.
    ///
    /// # Errors
    /// When one of them says something else than the other.
    pub fn of(
        service: Option<Option<ServiceName>>,
        instance: Option<Option<InstanceName>>,
    ) -> Result<Self, Refusal> {
        match (service, instance) {
            (None, None) => Ok(Self::Keep),
            (Some(None), Some(None)) => Ok(Self::Detach),
            (Some(Some(service)), Some(Some(instance))) => Ok(Self::Attach(Attachment { service, instance })),
            (Some(_), None) | (None, Some(_)) | (Some(None), Some(Some(_))) | (Some(Some(_)), Some(None)) => {
                Err(Refusal::HalfAName)
            }
        }
    }
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only one of the two names that make an attachment.
    #[error("the names of the service and of its instance go together: give both, or leave out both")]
    HalfAName,
    /// It is attached to another instance.
    #[error(
        "it is attached to service instance '{now}', and has to be detached before it can go to '{asked}'"
    )]
    Elsewhere {
        /// What it is attached to.
        now: Attachment,
        /// What was asked for.
        asked: Attachment,
    },
    /// Inputs come from an instance, and there is none.
    #[error("a service spec was given, but it is attached to no service instance whose inputs that could be")]
    SpecWithoutInstance,
    /// An attached component stays.
    #[error("it is attached to service instance '{0}'")]
    Attached(Attachment),
}

impl Shape {
    /// The shape that an update asks for; what it says nothing about stays.
    ///
    /// # Errors
    /// When it would move from instance to instance, or gets a spec without an instance.
    pub fn change(
        &self,
        change: Change,
        service_spec: Option<String>,
        template_file: Option<String>,
    ) -> Result<Self, Refusal> {
        let attached = match (change, &self.attached) {
            (Change::Keep, now) => now.clone(),
            (Change::Detach, _) => None,
            (Change::Attach(asked), Some(now)) if asked != *now => {
                return Err(Refusal::Elsewhere {
                    now: now.clone(),
                    asked,
                });
            }
            (Change::Attach(asked), _) => Some(asked),
        };
        let service_spec = match (&attached, service_spec) {
            (None, Some(_)) => return Err(Refusal::SpecWithoutInstance),
            (None, None) => String::new(),
            (Some(_), Some(spec)) => spec,
            (Some(_), None) if attached == self.attached => self.service_spec.clone(),
            // Inputs for another instance have no meaning for this one.
            (Some(_), None) => String::new(),
        };
        Ok(Self {
            attached,
            service_spec,
            template_file: template_file.unwrap_or_else(|| self.template_file.clone()),
        })
    }

    /// What it is after a deployment to this shape did not succeed. `before` is what the last deployment that succeeded
    /// made of it; while there is none, it stays what was asked for.
    #[must_use]
    pub fn not_reached(self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        if before.attached == self.attached {
            return before;
        }
        Self {
            attached: None,
            service_spec: String::new(),
            template_file: before.template_file,
        }
    }

    /// Whether it may be deleted.
    ///
    /// # Errors
    /// When it is attached.
    pub fn may_be_deleted(&self) -> Result<(), Refusal> {
        match &self.attached {
            None => Ok(()),
            Some(attachment) => Err(Refusal::Attached(attachment.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Attachment {
        let (service, instance) = text.split_once('/').expect("SERVICE/INSTANCE");
        Attachment {
            service: service.parse().expect("a name"),
            instance: instance.parse().expect("a name"),
        }
    }

    fn shape(attached: Option<&str>, service_spec: &str, template_file: &str) -> Shape {
        Shape {
            attached: attached.map(at),
            service_spec: service_spec.to_owned(),
            template_file: template_file.to_owned(),
        }
    }

    #[test]
    fn two_names_make_one_change() {
        let (service, instance) = (
            || "web".parse().expect("a name"),
            || "prd".parse().expect("a name"),
        );
        assert_eq!(Change::of(None, None), Ok(Change::Keep));
        assert_eq!(Change::of(Some(None), Some(None)), Ok(Change::Detach));
        assert_eq!(
            Change::of(Some(Some(service())), Some(Some(instance()))),
            Ok(Change::Attach(at("web/prd")))
        );
        for (service, instance) in [
            (Some(None), None),
            (None, Some(None)),
            (Some(Some(service())), None),
            (None, Some(Some(instance()))),
            (Some(Some(service())), Some(None)),
            (Some(None), Some(Some(instance()))),
        ] {
            assert_eq!(Change::of(service, instance), Err(Refusal::HalfAName));
        }
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let now = shape(Some("web/prd"), "spec", "file");
        assert_eq!(now.change(Change::Keep, None, None), Ok(now.clone()));
        assert_eq!(
            now.change(Change::Keep, Some("other".to_owned()), Some("new".to_owned())),
            Ok(shape(Some("web/prd"), "other", "new"))
        );
        assert_eq!(
            now.change(Change::Attach(at("web/prd")), None, None),
            Ok(now.clone())
        );
        assert_eq!(
            now.change(Change::Detach, None, None),
            Ok(shape(None, "", "file"))
        );
        assert_eq!(
            now.change(Change::Detach, Some("spec".to_owned()), None),
            Err(Refusal::SpecWithoutInstance)
        );
        assert_eq!(
            now.change(Change::Attach(at("web/stg")), None, None),
            Err(Refusal::Elsewhere {
                now: at("web/prd"),
                asked: at("web/stg")
            })
        );
        let free = shape(None, "", "file");
        assert_eq!(
            free.change(Change::Attach(at("web/stg")), Some("spec".to_owned()), None),
            Ok(shape(Some("web/stg"), "spec", "file"))
        );
        assert_eq!(free.change(Change::Detach, None, None), Ok(free));
    }

    #[test]
    fn what_was_not_reached_is_taken_back_but_for_a_detachment() {
        let [prd, free] = [shape(Some("web/prd"), "a", "one"), shape(None, "", "one")];
        // A first deployment that failed leaves what was asked for, so that it can be mended.
        assert_eq!(prd.clone().not_reached(None), prd);
        // The same attachment: all is as before.
        assert_eq!(
            shape(Some("web/prd"), "b", "two").not_reached(Some(prd.clone())),
            prd
        );
        assert_eq!(shape(None, "", "two").not_reached(Some(free.clone())), free);
        // Attached in vain: free again. Detached in vain: stays free.
        assert_eq!(
            shape(Some("web/prd"), "b", "two").not_reached(Some(free.clone())),
            free
        );
        assert_eq!(shape(None, "", "two").not_reached(Some(prd.clone())), free);
        // Detached in vain once, then attached elsewhere in vain.
        assert_eq!(shape(Some("web/stg"), "b", "two").not_reached(Some(prd)), free);
    }

    #[test]
    fn only_what_is_free_may_go() {
        assert_eq!(shape(None, "", "").may_be_deleted(), Ok(()));
        assert_eq!(
            shape(Some("web/prd"), "", "").may_be_deleted(),
            Err(Refusal::Attached(at("web/prd")))
        );
    }
}
