//! Service instances.

use hadron_domain::target::Target;

use super::scalar::Sensitive;
use super::shapes::{
    CancelServiceInstanceDeploymentInput, CancelServiceInstanceDeploymentOutput, CreateServiceInstanceInput,
    CreateServiceInstanceOutput, GetServiceInstanceInput, GetServiceInstanceOutput,
    ListServiceInstanceOutputsInput, ListServiceInstanceOutputsOutput,
    ListServiceInstanceProvisionedResourcesInput, ListServiceInstanceProvisionedResourcesOutput,
    ListServiceInstancesFilter, ListServiceInstancesFilterBy, ListServiceInstancesInput,
    ListServiceInstancesOutput, ListServiceInstancesSortBy, ServiceInstance, ServiceInstanceSummary,
    SortOrder, UpdateServiceInstanceInput, UpdateServiceInstanceOutput,
};
use super::{Call, Fault, Proton, convert};
use crate::app::instances::PartUpdate;
use crate::app::instances::list::{FilterBy, InstanceList};
use crate::store::instances::{Direction, Place, SortBy};
use crate::store::targets::TargetRow;

fn instance_of(service: &str, name: &str) -> Result<Target, Fault> {
    Ok(Target::Instance(
        convert::word("serviceName", service)?,
        convert::word("serviceInstanceName", name)?,
    ))
}

const fn filter_by(key: ListServiceInstancesFilterBy) -> FilterBy {
    use ListServiceInstancesFilterBy as By;
    match key {
        By::Name => FilterBy::Name,
        By::DeploymentStatus => FilterBy::DeploymentStatus,
        By::TemplateName => FilterBy::TemplateName,
        By::ServiceName => FilterBy::ServiceName,
        By::DeployedTemplateVersionStatus => FilterBy::DeployedTemplateVersionStatus,
        By::EnvironmentName => FilterBy::EnvironmentName,
        By::LastDeploymentAttemptedAtBefore => FilterBy::LastDeploymentAttemptedAtBefore,
        By::LastDeploymentAttemptedAtAfter => FilterBy::LastDeploymentAttemptedAtAfter,
        By::CreatedAtBefore => FilterBy::CreatedAtBefore,
        By::CreatedAtAfter => FilterBy::CreatedAtAfter,
    }
}

const fn sort_by(key: ListServiceInstancesSortBy) -> SortBy {
    use ListServiceInstancesSortBy as By;
    match key {
        By::Name => SortBy::Name,
        By::DeploymentStatus => SortBy::DeploymentStatus,
        By::TemplateName => SortBy::TemplateName,
        By::ServiceName => SortBy::ServiceName,
        By::EnvironmentName => SortBy::EnvironmentName,
        By::LastDeploymentAttemptedAt => SortBy::LastDeploymentAttemptedAt,
        By::CreatedAt => SortBy::CreatedAt,
    }
}

const fn direction(order: SortOrder) -> Direction {
    match order {
        SortOrder::Ascending => Direction::Ascending,
        SortOrder::Descending => Direction::Descending,
    }
}

/// The model lets either member of a filter be left out, but half a filter filters nothing.
fn filter(given: ListServiceInstancesFilter) -> Result<(FilterBy, String), Fault> {
    match (given.key, given.value) {
        (Some(key), Some(value)) => Ok((filter_by(key), value)),
        (Some(key), None) => Err(Fault::validation(format!(
            "filters: the filter '{}' has no value",
            key.as_str()
        ))),
        (None, _) => Err(Fault::validation("filters: a filter has no key")),
    }
}

impl Proton {
    pub(super) async fn create_service_instance(
        &self,
        call: &Call,
        input: CreateServiceInstanceInput,
    ) -> Result<CreateServiceInstanceOutput, Fault> {
        let version = convert::wanted(
            input.template_major_version.as_deref(),
            input.template_minor_version.as_deref(),
        )?;
        let row = self
            .app
            .create_instance(
                call.request(input.client_token),
                convert::word("serviceName", &input.service_name)?,
                convert::word("name", &input.name)?,
                None,
                Some(input.spec.into_string()),
                version,
            )
            .await?;
        Ok(CreateServiceInstanceOutput {
            service_instance: self.instance(row)?,
        })
    }

    pub(super) async fn get_service_instance(
        &self,
        call: &Call,
        input: GetServiceInstanceInput,
    ) -> Result<GetServiceInstanceOutput, Fault> {
        let service = convert::word("serviceName", &input.service_name)?;
        let name = convert::word("name", &input.name)?;
        let row = self.app.get_instance(&call.caller, &service, &name).await?;
        Ok(GetServiceInstanceOutput {
            service_instance: self.instance(row)?,
        })
    }

    pub(super) async fn list_service_instances(
        &self,
        call: &Call,
        input: ListServiceInstancesInput,
    ) -> Result<ListServiceInstancesOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 3)?;
        let filters: Result<Vec<_>, Fault> = input
            .filters
            .unwrap_or_default()
            .into_iter()
            .map(filter)
            .collect();
        let list = InstanceList {
            service: convert::word_opt("serviceName", input.service_name.as_deref())?,
            filters: filters?,
            sort: input.sort_by.map(sort_by).unwrap_or_default(),
            direction: input.sort_order.map(direction).unwrap_or_default(),
        };
        let sort = list.sort;
        let after = match page.after.as_slice() {
            [value, service, name] if !name.is_empty() => Some(Place {
                value: value.clone(),
                service: service.clone(),
                name: name.clone(),
            }),
            _ => None,
        };
        let rows = self
            .app
            .list_instances(&call.caller, list, after, page.fetch())
            .await?;
        let (rows, next_token) = page.cut(rows, |row| {
            let place = Place::of(row, sort);
            vec![place.value, place.service, place.name]
        });
        let instances: Result<Vec<_>, Fault> = rows.iter().map(|row| self.instance_summary(row)).collect();
        Ok(ListServiceInstancesOutput {
            next_token,
            service_instances: instances?,
        })
    }

    pub(super) async fn update_service_instance(
        &self,
        call: &Call,
        input: UpdateServiceInstanceInput,
    ) -> Result<UpdateServiceInstanceOutput, Fault> {
        let service = convert::word("serviceName", &input.service_name)?;
        let name = convert::word("name", &input.name)?;
        let update = PartUpdate {
            mode: convert::mode(input.deployment_type),
            spec: input.spec.map(Sensitive::into_string),
            version: convert::wanted(
                input.template_major_version.as_deref(),
                input.template_minor_version.as_deref(),
            )?,
        };
        let row = self
            .app
            .update_instance(call.request(input.client_token), service, name, update)
            .await?;
        Ok(UpdateServiceInstanceOutput {
            service_instance: self.instance(row)?,
        })
    }

    pub(super) async fn cancel_service_instance_deployment(
        &self,
        call: &Call,
        input: CancelServiceInstanceDeploymentInput,
    ) -> Result<CancelServiceInstanceDeploymentOutput, Fault> {
        let target = instance_of(&input.service_name, &input.service_instance_name)?;
        let row = self.app.cancel_target(call.request(None), &target).await?;
        Ok(CancelServiceInstanceDeploymentOutput {
            service_instance: self.instance(row)?,
        })
    }

    pub(super) async fn list_service_instance_outputs(
        &self,
        call: &Call,
        input: ListServiceInstanceOutputsInput,
    ) -> Result<ListServiceInstanceOutputsOutput, Fault> {
        let target = instance_of(&input.service_name, &input.service_instance_name)?;
        Ok(ListServiceInstanceOutputsOutput {
            next_token: None,
            outputs: self
                .outputs(call, &target, input.deployment_id.as_deref())
                .await?,
        })
    }

    pub(super) async fn list_service_instance_provisioned_resources(
        &self,
        call: &Call,
        input: ListServiceInstanceProvisionedResourcesInput,
    ) -> Result<ListServiceInstanceProvisionedResourcesOutput, Fault> {
        let target = instance_of(&input.service_name, &input.service_instance_name)?;
        Ok(ListServiceInstanceProvisionedResourcesOutput {
            next_token: None,
            provisioned_resources: self.provisioned(call, &target).await?,
        })
    }

    /// An instance as the API shows it.
    fn instance(&self, row: TargetRow) -> Result<ServiceInstance, Fault> {
        let summary = self.instance_summary(&row)?;
        Ok(ServiceInstance {
            arn: summary.arn,
            created_at: summary.created_at,
            deployment_status: summary.deployment_status,
            deployment_status_message: summary.deployment_status_message,
            environment_name: summary.environment_name,
            last_attempted_deployment_id: summary.last_attempted_deployment_id,
            last_client_request_token: convert::text(row.client_token),
            last_deployment_attempted_at: summary.last_deployment_attempted_at,
            last_deployment_succeeded_at: summary.last_deployment_succeeded_at,
            last_succeeded_deployment_id: summary.last_succeeded_deployment_id,
            name: summary.name,
            service_name: summary.service_name,
            spec: convert::secret(row.spec),
            template_major_version: summary.template_major_version,
            template_minor_version: summary.template_minor_version,
            template_name: summary.template_name,
        })
    }

    /// The same in lists.
    fn instance_summary(&self, row: &TargetRow) -> Result<ServiceInstanceSummary, Fault> {
        let Target::Instance(service, name) = &row.target else {
            return Err(Fault::internal(format!("{} is no service instance", row.target)));
        };
        let deployed = convert::deployed(row)?;
        Ok(ServiceInstanceSummary {
            arn: self.arn(&row.target),
            created_at: row.created_at.into(),
            deployment_status: deployed.status,
            deployment_status_message: deployed.message,
            environment_name: row.environment.clone().map(String::from).unwrap_or_default(),
            last_attempted_deployment_id: deployed.attempted_id,
            last_deployment_attempted_at: deployed.attempted_at,
            last_deployment_succeeded_at: deployed.succeeded_at,
            last_succeeded_deployment_id: deployed.succeeded_id,
            name: name.to_string(),
            service_name: service.to_string(),
            template_major_version: row.version.major.to_string(),
            template_minor_version: row.version.minor.to_string(),
            template_name: row.template.clone().map(String::from).unwrap_or_default(),
        })
    }
}
