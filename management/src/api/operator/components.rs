//! `ComponentService`: converts, asks the use cases, converts back.

use hadron_domain::component::{Attachment, Change, Refusal};
use hadron_proto::wire;
use tonic::{Code, Request, Response, Status};

use super::convert::{self, word, word_opt};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};
use crate::api::status::with_info;
use crate::app::components::{ComponentUpdate, NewComponent};
use crate::app::environments::UpdateMode;
use crate::store::components::Filter;

/// What the two names say about the attachment.
fn change(service: Option<&str>, instance: Option<&str>) -> Result<Change, Status> {
    let service = service.map(|text| word_opt("service_name", text)).transpose()?;
    let instance = instance.map(|text| word_opt("instance_name", text)).transpose()?;
    Change::of(service, instance).map_err(|refusal: Refusal| {
        with_info(
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            &refusal.to_string(),
            None,
        )
    })
}

/// What a new component is attached to.
fn attached(service: &str, instance: &str) -> Result<Option<Attachment>, Status> {
    Ok(match change(Some(service), Some(instance))? {
        Change::Attach(attached) => Some(attached),
        Change::Keep | Change::Detach => None,
    })
}

/// As lists show it: texts that may be 50 kB long belong to the one that is asked for.
fn brief(component: wire::Component) -> wire::Component {
    wire::Component {
        manifest: String::new(),
        template_file: String::new(),
        ..component
    }
}

#[tonic::async_trait]
impl wire::component_service_server::ComponentService for Operator {
    type WatchComponentsStream = Stream<wire::ComponentChange>;

    async fn create_component(
        &self,
        request: Request<wire::CreateComponentRequest>,
    ) -> Result<Response<wire::Component>, Status> {
        let (caller, message) = self.open(request).await?;
        let request = convert::change(caller, "CreateComponent", &message.request_id, &message)?;
        let new = NewComponent {
            name: word("name", &message.name)?,
            environment: word_opt("environment_name", &message.environment_name)?,
            attached: attached(&message.service_name, &message.instance_name)?,
            description: convert::description(message.description)?,
            service_spec: convert::text(message.service_spec),
            manifest: message.manifest,
            template_file: message.template_file,
        };
        Ok(Response::new(convert::component(answer(
            self.app.create_component(request, new).await,
        )?)))
    }

    async fn get_component(
        &self,
        request: Request<wire::GetComponentRequest>,
    ) -> Result<Response<wire::Component>, Status> {
        let (caller, message) = self.open(request).await?;
        let name = word("name", &message.name)?;
        Ok(Response::new(convert::component(answer(
            self.app.get_component(&caller, &name).await,
        )?)))
    }

    async fn list_components(
        &self,
        request: Request<wire::ListComponentsRequest>,
    ) -> Result<Response<wire::ListComponentsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let filter = Filter {
            environment: word_opt("environment_name", &message.environment_name)?,
            service: word_opt("service_name", &message.service_name)?,
            instance: word_opt("instance_name", &message.instance_name)?,
        };
        let views = answer(
            self.app
                .list_components(&caller, filter, page.first(), page.size)
                .await,
        )?;
        let components: Vec<wire::Component> = views
            .into_iter()
            .map(|view| brief(convert::component(view)))
            .collect();
        let next_page_token = page.next(&components, |item| vec![item.name.clone()]);
        Ok(Response::new(wire::ListComponentsResponse {
            components,
            next_page_token,
        }))
    }

    async fn update_component(
        &self,
        request: Request<wire::UpdateComponentRequest>,
    ) -> Result<Response<wire::Component>, Status> {
        let (caller, message) = self.open(request).await?;
        let request = convert::change(caller, "UpdateComponent", &message.request_id, &message)?;
        let deploy = match convert::mode(message.deployment_type)? {
            UpdateMode::None => false,
            UpdateMode::Current => true,
            UpdateMode::Minor | UpdateMode::Major => {
                return Err(with_info(
                    Code::InvalidArgument,
                    "INVALID_ARGUMENT",
                    "deployment_type: a component has no template version; say NONE or CURRENT_VERSION",
                    None,
                ));
            }
        };
        let update = ComponentUpdate {
            name: word("name", &message.name)?,
            deploy,
            change: change(message.service_name.as_deref(), message.instance_name.as_deref())?,
            description: message.description.map(convert::description).transpose()?,
            service_spec: convert::text(message.service_spec),
            template_file: convert::text(message.template_file),
        };
        Ok(Response::new(convert::component(answer(
            self.app.update_component(request, update).await,
        )?)))
    }

    async fn delete_component(
        &self,
        request: Request<wire::DeleteComponentRequest>,
    ) -> Result<Response<wire::Component>, Status> {
        let (caller, message) = self.open(request).await?;
        let request = convert::change(caller, "DeleteComponent", &message.request_id, &message)?;
        let name = word("name", &message.name)?;
        let gone = self.app.delete_component(request, name, message.retain_resources);
        Ok(Response::new(convert::component(answer(gone.await)?)))
    }

    async fn watch_components(
        &self,
        request: Request<wire::WatchComponentsRequest>,
    ) -> Result<Response<Self::WatchComponentsStream>, Status> {
        use wire::component_change::Change;
        let (watching, message) = self.watch(request).await?;
        let name: Option<hadron_proto::vocab::ComponentName> = word_opt("name", &message.name)?;
        let app = self.app.clone();
        let look = move || {
            let (app, watching, name) = (app.clone(), watching.clone(), name.clone());
            async move {
                let caller = watching.caller().await?;
                let views = app
                    .list_components(&caller, Filter::default(), String::new(), u32::MAX)
                    .await?;
                Ok(views
                    .into_iter()
                    .filter(|view| name.as_ref().is_none_or(|name| view.component.name == *name))
                    .map(|view| (view.component.name.to_string(), brief(convert::component(view))))
                    .collect())
            }
        };
        let changed = |item| wire::ComponentChange {
            change: Some(Change::Component(item)),
        };
        let removed = |name| wire::ComponentChange {
            change: Some(Change::RemovedName(name)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
