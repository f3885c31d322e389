//! Tags of everything that has an ARN of its own: those that customers gave, and those that follow from what a thing is.

use hadron_domain::arn::{Resource, ResourceArn};
use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::tag::{self, Facts, TagFault, Tags};
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{AccountId, Region, ServiceName, TemplateName, TemplateVersion};

use super::{App, AppError, ErrorKind, Request, Settings, Unit};
use crate::store::connections::ConnectionKind;
use crate::store::targets::TargetRow;
use crate::store::{Made, Tx, components, connections, repositories, services, tags, targets, templates};

impl From<TagFault> for AppError {
    fn from(fault: TagFault) -> Self {
        let (kind, help) = match fault {
            TagFault::TooMany(_) => (ErrorKind::Quota, "take some away first"),
            TagFault::Reserved(_) => (
                ErrorKind::Invalid,
                "managed tags are listed with the others and follow from what the resource is; use another key",
            ),
            TagFault::Key(_) | TagFault::Value(_) | TagFault::Twice(_) => {
                (ErrorKind::Invalid, "mend the tag and try again")
            }
        };
        Self::new(kind, "TAG", fault.to_string()).help(help)
    }
}

/// A resource whose tags are asked for.
struct Found {
    /// Where it is, for those whose rights do not reach everything.
    ground: Place,
    /// Its ARN's account and Region.
    place: (AccountId, Region),
    /// What its managed tags tell; `None` for what has none.
    facts: Option<Facts>,
}

fn nothing(arn: &ResourceArn) -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        "NOT_FOUND",
        format!("there is no {arn} at this hub"),
    )
    .help("check account, Region and name in the ARN; every resource shows its own ARN")
}

/// Who may change the tags of a thing, and who may read them: whoever may change and read the thing.
fn actions(resource: &Resource) -> Result<(Action, Action), AppError> {
    Ok(match resource {
        Resource::EnvironmentTemplate(_)
        | Resource::EnvironmentTemplateVersion(..)
        | Resource::ServiceTemplate(_)
        | Resource::ServiceTemplateVersion(..) => (Action::WriteTemplate, Action::ReadTemplate),
        Resource::Environment(_) => (Action::WriteEnvironment, Action::ReadEnvironment),
        Resource::Service(_) | Resource::Instance(..) | Resource::Pipeline(_) => {
            (Action::WriteService, Action::ReadService)
        }
        Resource::Component(_) => (Action::WriteComponent, Action::ReadComponent),
        Resource::Connection(_) => (Action::UpdateConnection, Action::ReadConnection),
        Resource::Repository(..) => (Action::WriteRepository, Action::ReadRepository),
        Resource::EnvironmentTemplateMajor(..)
        | Resource::ServiceTemplateMajor(..)
        | Resource::Deployment(_) => {
            return Err(
                AppError::invalid("NOT_TAGGABLE", format!("'{resource}' cannot have tags"))
                    .help("tag a template, a version with its full number, or what is deployed"),
            );
        }
    })
}

/// What managed tags say about a target, in ARNs of this hub. Also what its stack's tags say.
pub(super) fn facts_of(
    settings: &Settings,
    target: &Target,
    environment: Option<&hadron_proto::vocab::EnvironmentName>,
    template: Option<(&TemplateName, TemplateVersion)>,
    attached: Option<(&ServiceName, &hadron_proto::vocab::InstanceName)>,
) -> Facts {
    let arn = |resource: Resource| resource.arn(settings.account, &settings.region).to_string();
    let kind = if matches!(target, Target::Environment(_)) {
        TemplateKind::Environment
    } else {
        TemplateKind::Service
    };
    let mut facts = Facts {
        template: template.map(|(name, version)| arn(Resource::version(kind, name.clone(), version))),
        environment: environment.map(|name| arn(Resource::Environment(name.clone()))),
        ..Facts::default()
    };
    match target {
        Target::Environment(_) => {}
        Target::Instance(service, _) => {
            facts.service = Some(arn(Resource::Service(service.clone())));
            facts.instance = Some(arn(Resource::from(target)));
        }
        Target::Pipeline(service) => facts.service = Some(arn(Resource::Service(service.clone()))),
        Target::Component(_) => {
            facts.component = Some(arn(Resource::from(target)));
            if let Some((service, instance)) = attached {
                facts.service = Some(arn(Resource::Service(service.clone())));
                facts.instance = Some(arn(Resource::Instance(service.clone(), instance.clone())));
            }
        }
    }
    facts
}

async fn find(tx: &mut Tx, settings: &Settings, resource: &Resource) -> Result<Option<Found>, AppError> {
    let place = (settings.account, settings.region.clone());
    let arn = |resource: Resource| resource.arn(settings.account, &settings.region).to_string();
    let own = |facts: Facts| {
        Some(Found {
            ground: Place::account(settings.account),
            place: place.clone(),
            facts: Some(facts),
        })
    };
    let about_template = || Facts {
        template: Some(arn(resource.clone())),
        ..Facts::default()
    };
    let template = |name: &TemplateName, version: TemplateVersion| Some((name.clone(), version));
    let (target, found) = match resource {
        Resource::EnvironmentTemplate(name) => {
            let row = templates::get(tx, TemplateKind::Environment, name).await?;
            return Ok(row.and_then(|_| own(about_template())));
        }
        Resource::ServiceTemplate(name) => {
            let row = templates::get(tx, TemplateKind::Service, name).await?;
            return Ok(row.and_then(|_| own(about_template())));
        }
        Resource::EnvironmentTemplateVersion(name, version) => {
            let row = templates::get(tx, TemplateKind::Environment, name).await?;
            let row = row.filter(|row| row.versions.existing.contains_key(version));
            return Ok(row.and_then(|_| own(about_template())));
        }
        Resource::ServiceTemplateVersion(name, version) => {
            let row = templates::get(tx, TemplateKind::Service, name).await?;
            let row = row.filter(|row| row.versions.existing.contains_key(version));
            return Ok(row.and_then(|_| own(about_template())));
        }
        Resource::Service(name) => {
            let row = services::get(tx, name).await?;
            let found = row.and_then(|row| {
                own(Facts {
                    template: Some(arn(Resource::version(
                        TemplateKind::Service,
                        row.template,
                        row.version,
                    ))),
                    service: Some(arn(resource.clone())),
                    ..Facts::default()
                })
            });
            return Ok(found.map(|found| Found {
                ground: Place::service(name.clone()),
                ..found
            }));
        }
        Resource::Repository(provider, name) => {
            let row = repositories::get(tx, *provider, name).await?;
            return Ok(row.and_then(|_| own(Facts::default())));
        }
        Resource::Connection(id) => {
            let row = connections::get(tx, *id).await?.filter(|row| {
                row.kind == ConnectionKind::Environment
                    && !matches!(
                        row.connection.approval,
                        hadron_domain::connection::Approval::Deleted(_)
                    )
            });
            return Ok(row.map(|row| Found {
                ground: Place::account(row.connection.account),
                place: (row.connection.account, row.connection.region),
                facts: None,
            }));
        }
        Resource::Environment(name) => {
            let target = Target::Environment(name.clone());
            let row = targets::get(tx, &target).await?;
            (target, row)
        }
        Resource::Instance(service, name) => {
            let target = Target::Instance(service.clone(), name.clone());
            let row = targets::get(tx, &target).await?;
            (target, row)
        }
        Resource::Pipeline(service) => {
            let target = Target::Pipeline(service.clone());
            let row = targets::get(tx, &target).await?;
            (target, row)
        }
        Resource::Component(name) => {
            let target = Target::Component(name.clone());
            let row = targets::get(tx, &target).await?;
            (target, row)
        }
        Resource::EnvironmentTemplateMajor(..)
        | Resource::ServiceTemplateMajor(..)
        | Resource::Deployment(_) => return Ok(None),
    };
    let Some(row): Option<TargetRow> = found else {
        return Ok(None);
    };
    let made_from = row.template.as_ref().and_then(|name| template(name, row.version));
    let made_from = made_from.as_ref().map(|(name, version)| (name, *version));
    let attached = match &target {
        Target::Component(name) => components::get(tx, name)
            .await?
            .and_then(|component| component.shape.attached),
        Target::Environment(_) | Target::Instance(..) | Target::Pipeline(_) => None,
    };
    let attached = attached.as_ref().map(|place| (&place.service, &place.instance));
    let facts = facts_of(settings, &target, row.environment.as_ref(), made_from, attached);
    Ok(Some(Found {
        ground: row.place(),
        place,
        facts: Some(facts),
    }))
}

/// The resource of an ARN, if the ARN is its own.
async fn found(tx: &mut Tx, settings: &Settings, arn: &ResourceArn) -> Result<Found, AppError> {
    find(tx, settings, &arn.resource)
        .await?
        .filter(|found| found.place == (arn.account, arn.region.clone()))
        .ok_or_else(|| nothing(arn))
}

impl App {
    /// Gives a resource tags; those of the same key are overwritten.
    ///
    /// # Errors
    /// When there is no such resource, a key is managed, or there would be too many.
    pub async fn tag_resource(
        &self,
        request: Request,
        arn: ResourceArn,
        new: Vec<(String, String)>,
    ) -> Result<(), AppError> {
        let new = tag::given(new)?;
        self.change_tags(request, arn, Change::Add(new)).await
    }

    /// Takes tags away from a resource; keys that it has not are passed over.
    ///
    /// # Errors
    /// When there is no such resource, or a key is managed.
    pub async fn untag_resource(
        &self,
        request: Request,
        arn: ResourceArn,
        keys: Vec<String>,
    ) -> Result<(), AppError> {
        tag::taken(&keys)?;
        self.change_tags(request, arn, Change::Take(keys)).await
    }

    async fn change_tags(&self, request: Request, arn: ResourceArn, change: Change) -> Result<(), AppError> {
        let (action, read) = actions(&arn.resource)?;
        self.may(&request.caller, action).await?;
        let (settings, wanted) = (self.settings().clone(), arn.clone());
        let seen = self
            .read("tagged resource", move |tx| {
                Box::pin(async move { found(tx, &settings, &wanted).await })
            })
            .await?;
        if !self
            .may_touch(&request.caller, (action, read), &seen.ground)
            .await?
        {
            return Err(nothing(&arn));
        }
        if self.seen(&request).await?.is_some() {
            return Ok(());
        }
        self.write_once(request.key(), "change tags", move |unit| {
            Box::pin(async move {
                let settings = unit.settings().clone();
                found(unit.tx, &settings, &arn).await?;
                match change {
                    Change::Add(new) => {
                        let present = tags::of(unit.tx, &arn.resource).await?;
                        tag::added(present, new.clone())?;
                        tags::put(unit.tx, &arn.resource, &new).await?;
                    }
                    Change::Take(keys) => tags::take(unit.tx, &arn.resource, &keys).await?,
                }
                Ok(unit.answered(&request, &arn.to_string()).await?)
            })
        })
        .await
    }

    /// All tags of a resource by key, after `after`: its customer's, and the managed ones.
    ///
    /// # Errors
    /// When there is no such resource, or it is not the caller's to see; both look the same to those who may see only their
    /// own.
    pub async fn list_tags(
        &self,
        caller: &Caller,
        arn: ResourceArn,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, AppError> {
        let (_, action) = actions(&arn.resource)?;
        let sight = self.may(caller, action).await?;
        let settings = self.settings().clone();
        let all = self
            .read("tags", move |tx| {
                Box::pin(async move {
                    let found = found(tx, &settings, &arn).await?;
                    if !sight.covers(&found.ground) {
                        return Err(nothing(&arn));
                    }
                    let mut all = tags::of(tx, &arn.resource).await?;
                    if let Some(facts) = found.facts {
                        all.extend(tag::managed(settings.account, facts));
                    }
                    Ok(all)
                })
            })
            .await?;
        Ok(all
            .into_iter()
            .filter(|(key, _)| key.as_str() > after)
            .take(limit as usize)
            .collect())
    }
}

#[derive(Clone)]
enum Change {
    Add(Tags),
    Take(Vec<String>),
}

impl Unit<'_> {
    /// Gives everything that this unit has made its tags: those of its request, and those of what it is made from. Runs at
    /// the end of every unit, so that no use case has to think of it.
    ///
    /// # Errors
    /// When a key is managed, or there would be too many.
    pub(super) async fn tag_made(&mut self) -> Result<(), AppError> {
        let own = std::mem::take(&mut self.tags);
        let made = self.tx.take_made();
        if made.is_empty() {
            return Ok(());
        }
        let own = tag::given(own)?;
        let new: Vec<Resource> = made.iter().map(|one| one.resource.clone()).collect();
        // In the order in which they were made, parents come first, and so have their tags already.
        for Made {
            resource,
            environment,
        } in made
        {
            let parents = tag::parents(&resource, environment.as_ref());
            let mut all = Tags::new();
            for parent in &parents {
                all.extend(tags::of(self.tx, parent).await?);
            }
            // What is made together with its parent has the request's tags from there.
            let first = !parents.iter().any(|parent| new.contains(parent));
            let own = if first { own.clone() } else { Tags::new() };
            let all = tag::inherited(all, own)?;
            if !all.is_empty() {
                tags::put(self.tx, &resource, &all).await?;
            }
        }
        Ok(())
    }
}
