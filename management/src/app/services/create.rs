//! Creating a service.

use hadron_domain::authority::{Action, Place};
use hadron_domain::connection::Connection;
use hadron_domain::service::{Doing, Status};
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_proto::vocab::{ServiceName, TemplateName};
use hadron_templates::BundleKind;

use super::fresh::room_for_instances;
use super::{CREATION, ServiceView};
use crate::app::effects::topic;
use crate::app::{App, AppError, ErrorKind, Quota, Request, Unit};
use crate::store::services::ServiceRow;
use crate::store::targets::{Fresh, TargetRow};
use crate::store::{connections, outbox, services, targets};

/// What a new service shall be.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Its name.
    pub name: ServiceName,
    /// Its template.
    pub template: TemplateName,
    /// Which version of it.
    pub version: Wanted,
    /// Its spec.
    pub spec: String,
    /// For people.
    pub description: String,
    /// Branch, repository and connection ARN of the source; all or none.
    pub source: (String, String, String),
}

impl App {
    /// Creates a service: its instances first, then its pipeline.
    ///
    /// # Errors
    /// Every fault of the spec at once; or when template, environments or name cannot be used.
    pub async fn create_service(&self, request: Request, new: NewService) -> Result<ServiceView, AppError> {
        self.may_at(
            &request.caller,
            Action::WriteService,
            &Place::service(new.name.clone()),
        )
        .await?;
        if self.seen(&request).await?.is_some()
            || self.repeated(&request, CREATION, new.name.as_str()).await?
        {
            return self.get_service(&request.caller, &new.name).await;
        }
        let version = self
            .resolve(TemplateKind::Service, &new.template, new.version)
            .await?;
        let bundle = self
            .bundle(TemplateKind::Service, &new.template, version.version)
            .await?;
        let has_pipeline = bundle.kind == BundleKind::Service { pipeline: true };
        let (branch, repository, link) = new.source;
        let given = [&branch, &repository, &link]
            .iter()
            .filter(|text| !text.is_empty())
            .count();
        if has_pipeline && given < 3 {
            return Err(AppError::invalid(
                "SOURCE_MISSING",
                format!(
                    "template '{}' has a pipeline, which needs to know its source",
                    new.template
                ),
            )
            .help("give all of --branch, --repository OWNER/NAME and --repository-connection ARN"));
        }
        if !has_pipeline && given > 0 {
            return Err(AppError::invalid(
                "SOURCE_NOT_USED",
                format!(
                    "template '{}' has no pipeline, so a source repository has no meaning",
                    new.template
                ),
            )
            .help("leave out branch, repository and repository connection"));
        }
        if has_pipeline {
            self.need_pipeline_role().await?;
        }
        let mut spec = self.service_spec(&new.spec).await?;
        spec.resolve_current(None)?;
        self.may_deploy(
            &request.caller,
            &new.name,
            spec.instances.iter().map(|each| &each.environment),
        )
        .await?;
        let text = spec.to_text();
        let at = self.db().now().await?;
        let service = ServiceRow {
            name: new.name.clone(),
            template: new.template,
            version: version.version,
            description: new.description,
            spec: text.clone(),
            old_spec: String::new(),
            status: Status::CreateInProgress,
            message: String::new(),
            doing: Doing::Creating,
            branch,
            repository,
            link,
            created_at: at,
            modified_at: at,
            generation: 0,
        };
        let found = self
            .try_instances(&service, &version.compatible, &spec, None)
            .await?;
        if has_pipeline {
            // Rendered later, with the outputs of the instances; what the spec gives can be compared now.
            self.check_pipeline(&bundle, &spec).await?;
        }
        room_for_instances(self.settings(), spec.instances.len())?;
        let connection = self.pipeline_connection().await?;
        let asked = request.clone();
        let name = new.name.clone();
        let made = self.write_once(request.key(), "create service", move |unit| {
            Box::pin(async move {
                let used = services::count(unit.tx).await?;
                services::insert(unit.tx, &service)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "SERVICE_EXISTS",
                            format!("service '{}' already exists", service.name),
                        )
                        .help(format!(
                            "see it: hadron service get {0}; change it: hadron service update {0}",
                            service.name
                        )),
                        None => error.into(),
                    })?;
                unit.settings().quotas.room(Quota::Services, used)?;
                unit.created(&request, CREATION, service.name.as_str()).await?;
                for (each, environment, warnings) in found {
                    let environment = unit.live_environment(&environment).await?;
                    let row = unit.new_instance(&service, &each.name, &environment, &text, warnings);
                    targets::insert(unit.tx, &row).await?;
                }
                if has_pipeline {
                    let row = unit.new_pipeline(&service, &connection, &text);
                    targets::insert(unit.tx, &row).await?;
                }
                outbox::ask(unit.tx, topic::SERVICE, service.name.as_str(), unit.now).await?;
                unit.answered(&request, service.name.as_str()).await?;
                tracing::info!(service = %service.name, account = %connection.account, region = %connection.region, "service {} created", service.name);
                Ok(())
            })
        })
        .await;
        match made {
            Ok(()) => {}
            // The same request may have been asked twice at once.
            Err(error)
                if error.kind == ErrorKind::AlreadyExists
                    && self.repeated(&asked, CREATION, name.as_str()).await? => {}
            Err(error) => return Err(error),
        }
        self.get_service(&asked.caller, &name).await
    }

    /// The connection that pipelines are deployed through: the management account's own.
    async fn pipeline_connection(&self) -> Result<Connection, AppError> {
        self.read("management connection", |tx| {
            Box::pin(async move { Ok(connections::management(tx).await?) })
        })
        .await?
        .map(|row| row.connection)
        .ok_or_else(|| AppError::internal("the management account's own connection is not there"))
    }
}

impl Unit<'_> {
    fn new_pipeline(&self, service: &ServiceRow, connection: &Connection, spec: &str) -> TargetRow {
        let fresh = Fresh {
            id: self.fresh_id(),
            target: Target::Pipeline(service.name.clone()),
            environment: None,
            account: connection.account,
            region: connection.region.clone(),
            connection: connection.id,
            template: Some(service.template.clone()),
            version: service.version,
            spec: spec.to_owned(),
            warnings: Vec::new(),
        };
        TargetRow::fresh(fresh, self.now)
    }
}
