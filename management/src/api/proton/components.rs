//! Components.

use hadron_domain::component::{Attachment, Change, Refusal};
use hadron_domain::target::Target;

use super::arn::Resource;
use super::scalar::Sensitive;
use super::shapes::{
    CancelComponentDeploymentInput, CancelComponentDeploymentOutput, Component,
    ComponentDeploymentUpdateType, ComponentSummary, CreateComponentInput, CreateComponentOutput,
    DeleteComponentInput, DeleteComponentOutput, GetComponentInput, GetComponentOutput,
    ListComponentOutputsInput, ListComponentOutputsOutput, ListComponentProvisionedResourcesInput,
    ListComponentProvisionedResourcesOutput, ListComponentsInput, ListComponentsOutput, UpdateComponentInput,
    UpdateComponentOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::components::{ComponentUpdate, ComponentView, NewComponent};
use crate::store::components::Filter;

/// A name that may be left out, and may be empty where that says to detach.
fn name<T>(member: &str, given: Option<&str>) -> Result<Option<Option<T>>, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match given {
        None => Ok(None),
        Some(_) => convert::word_opt(member, given).map(Some),
    }
}

/// What the two names of a request say about the attachment.
fn change(service: Option<&str>, instance: Option<&str>) -> Result<Change, Fault> {
    let (service, instance) = (
        name("serviceName", service)?,
        name("serviceInstanceName", instance)?,
    );
    Change::of(service, instance).map_err(|refusal: Refusal| Fault::validation(refusal.to_string()))
}

/// The two names of an attachment.
fn names(attached: Option<Attachment>) -> (Option<String>, Option<String>) {
    match attached {
        Some(Attachment { service, instance }) => (Some(service.into()), Some(instance.into())),
        None => (None, None),
    }
}

impl Proton {
    pub(super) async fn create_component(
        &self,
        call: &Call,
        input: CreateComponentInput,
    ) -> Result<CreateComponentOutput, Fault> {
        let attached = match change(
            input.service_name.as_deref(),
            input.service_instance_name.as_deref(),
        )? {
            Change::Attach(attached) => Some(attached),
            Change::Keep | Change::Detach => None,
        };
        let new = NewComponent {
            name: convert::word("name", &input.name)?,
            description: input.description.map(Sensitive::into_string).unwrap_or_default(),
            environment: convert::word_opt("environmentName", input.environment_name.as_deref())?,
            attached,
            service_spec: input.service_spec.map(Sensitive::into_string),
            manifest: input.manifest.into_string(),
            template_file: input.template_file.into_string(),
        };
        let view = self
            .app
            .create_component(call.request(input.client_token), new)
            .await?;
        Ok(CreateComponentOutput {
            component: self.component(view)?,
        })
    }

    pub(super) async fn get_component(
        &self,
        call: &Call,
        input: GetComponentInput,
    ) -> Result<GetComponentOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let view = self.app.get_component(&call.caller, &name).await?;
        Ok(GetComponentOutput {
            component: Some(self.component(view)?),
        })
    }

    pub(super) async fn list_components(
        &self,
        call: &Call,
        input: ListComponentsInput,
    ) -> Result<ListComponentsOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 1)?;
        let filter = Filter {
            environment: convert::word_opt("environmentName", input.environment_name.as_deref())?,
            service: convert::word_opt("serviceName", input.service_name.as_deref())?,
            instance: convert::word_opt("serviceInstanceName", input.service_instance_name.as_deref())?,
        };
        let views = self
            .app
            .list_components(&call.caller, filter, page.first(), page.fetch())
            .await?;
        let (views, next_token) = page.cut(views, |view| vec![view.component.name.to_string()]);
        let components: Result<Vec<_>, Fault> = views
            .into_iter()
            .map(|view| self.component_summary(view))
            .collect();
        Ok(ListComponentsOutput {
            components: components?,
            next_token,
        })
    }

    pub(super) async fn update_component(
        &self,
        call: &Call,
        input: UpdateComponentInput,
    ) -> Result<UpdateComponentOutput, Fault> {
        let update = ComponentUpdate {
            name: convert::word("name", &input.name)?,
            deploy: match input.deployment_type {
                ComponentDeploymentUpdateType::None => false,
                ComponentDeploymentUpdateType::CurrentVersion => true,
            },
            description: input.description.map(Sensitive::into_string),
            change: change(
                input.service_name.as_deref(),
                input.service_instance_name.as_deref(),
            )?,
            service_spec: input.service_spec.map(Sensitive::into_string),
            template_file: input.template_file.map(Sensitive::into_string),
        };
        let view = self
            .app
            .update_component(call.request(input.client_token), update)
            .await?;
        Ok(UpdateComponentOutput {
            component: self.component(view)?,
        })
    }

    pub(super) async fn delete_component(
        &self,
        call: &Call,
        input: DeleteComponentInput,
    ) -> Result<DeleteComponentOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let view = self
            .app
            .delete_component(call.request(None), name, Vec::new())
            .await?;
        Ok(DeleteComponentOutput {
            component: Some(self.component(view)?),
        })
    }

    pub(super) async fn cancel_component_deployment(
        &self,
        call: &Call,
        input: CancelComponentDeploymentInput,
    ) -> Result<CancelComponentDeploymentOutput, Fault> {
        let name: hadron_proto::vocab::ComponentName = convert::word("componentName", &input.component_name)?;
        let target = Target::Component(name.clone());
        self.app.cancel_target(call.request(None), &target).await?;
        let view = self.app.get_component(&call.caller, &name).await?;
        Ok(CancelComponentDeploymentOutput {
            component: self.component(view)?,
        })
    }

    pub(super) async fn list_component_outputs(
        &self,
        call: &Call,
        input: ListComponentOutputsInput,
    ) -> Result<ListComponentOutputsOutput, Fault> {
        let target = Target::Component(convert::word("componentName", &input.component_name)?);
        Ok(ListComponentOutputsOutput {
            outputs: self
                .outputs(call, &target, input.deployment_id.as_deref())
                .await?,
            next_token: None,
        })
    }

    pub(super) async fn list_component_provisioned_resources(
        &self,
        call: &Call,
        input: ListComponentProvisionedResourcesInput,
    ) -> Result<ListComponentProvisionedResourcesOutput, Fault> {
        let target = Target::Component(convert::word("componentName", &input.component_name)?);
        Ok(ListComponentProvisionedResourcesOutput {
            provisioned_resources: self.provisioned(call, &target).await?,
            next_token: None,
        })
    }

    fn component(&self, ComponentView { target, component }: ComponentView) -> Result<Component, Fault> {
        let deployed = convert::deployed(&target)?;
        let shape = component.shape;
        let (service_name, service_instance_name) = names(shape.attached);
        Ok(Component {
            arn: self.arn(Resource::Component(component.name.clone())),
            created_at: target.created_at.into(),
            deployment_status: deployed.status,
            deployment_status_message: deployed.message,
            description: convert::secret(target.description),
            environment_name: target.environment.map(String::from).unwrap_or_default(),
            last_attempted_deployment_id: deployed.attempted_id,
            last_client_request_token: convert::text(target.client_token),
            last_deployment_attempted_at: target.attempted.map(|(_, at)| at.into()),
            last_deployment_succeeded_at: target.succeeded.map(|(_, at)| at.into()),
            last_modified_at: component.modified_at.into(),
            last_succeeded_deployment_id: deployed.succeeded_id,
            name: component.name.into(),
            service_instance_name,
            service_name,
            service_spec: convert::secret(shape.service_spec),
        })
    }

    fn component_summary(
        &self,
        ComponentView { target, component }: ComponentView,
    ) -> Result<ComponentSummary, Fault> {
        let deployed = convert::deployed(&target)?;
        let (service_name, service_instance_name) = names(component.shape.attached);
        Ok(ComponentSummary {
            arn: self.arn(Resource::Component(component.name.clone())),
            created_at: target.created_at.into(),
            deployment_status: deployed.status,
            deployment_status_message: deployed.message,
            environment_name: target.environment.map(String::from).unwrap_or_default(),
            last_attempted_deployment_id: deployed.attempted_id,
            last_deployment_attempted_at: target.attempted.map(|(_, at)| at.into()),
            last_deployment_succeeded_at: target.succeeded.map(|(_, at)| at.into()),
            last_modified_at: component.modified_at.into(),
            last_succeeded_deployment_id: deployed.succeeded_id,
            name: component.name.into(),
            service_instance_name,
            service_name,
        })
    }
}
