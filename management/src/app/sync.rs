//! What templates and services follow in linked repositories, and what keeps services from it.
//!
//! The hub stores what is to be followed and answers with it. It does not open repositories yet, so that nothing has ever
//! been synced: that is what every status says.

use std::collections::BTreeMap;

use hadron_domain::authority::{Action, Caller, Place};
use hadron_domain::repository::{Provider, SourceName};
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_proto::vocab::{InstanceName, ServiceName, SyncBlockerId, TemplateName};

use super::repositories::not_found as not_linked;
use super::{App, AppError, ErrorKind, Request, Unit};
use crate::store::sync::{self, BlockerRow, Follower, SyncRow};
use crate::store::{Tx, repositories, services, targets, templates};

/// The longest branch name.
const LONGEST_BRANCH: usize = 200;
/// The longest path.
const LONGEST_PATH: usize = 4096;
/// How many blockers are shown at most.
const BLOCKERS_SHOWN: u32 = 50;

/// What somebody shall follow.
#[derive(Clone, Debug)]
pub struct Following {
    /// Who.
    pub follower: Follower,
    /// Who hosts the repository.
    pub provider: Provider,
    /// The repository.
    pub repository: SourceName,
    /// Its branch.
    pub branch: String,
    /// Of templates the subdirectory, which may be empty; of services the file.
    pub path: String,
}

/// One thing that is kept in step with a directory of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDefinition {
    /// The branch.
    pub branch: String,
    /// The directory, or of services the file.
    pub directory: String,
    /// The template or service.
    pub parent: String,
    /// The major version of the template, as `NAME:MAJOR`; or the service.
    pub target: String,
}

impl Follower {
    fn actions(&self) -> (Action, Action) {
        match self {
            Self::Template(..) => (Action::WriteTemplateSync, Action::ReadTemplateSync),
            Self::Service(_) => (Action::WriteServiceSync, Action::ReadServiceSync),
        }
    }

    /// Where it is, for those whose rights do not reach everything.
    fn place(&self) -> Place {
        match self {
            // The hub's, as all templates.
            Self::Template(..) => Place::default(),
            Self::Service(name) => Place::service(name.clone()),
        }
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Template(kind, name) => format!("{} template '{name}'", kind.word()),
            Self::Service(name) => format!("service '{name}'"),
        }
    }

    /// The command that does this to what it follows.
    pub(super) fn command(&self, verb: &str) -> String {
        match self {
            Self::Template(kind, name) => {
                format!("hadron sync {verb} --template {name} --kind {}", kind.word())
            }
            Self::Service(name) => format!("hadron sync {verb} --service {name}"),
        }
    }

    const fn created(&self) -> &'static str {
        match self {
            Self::Template(..) => "template_sync",
            Self::Service(_) => "service_sync",
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Template(kind, name) => format!("{}/{name}", kind.word()),
            Self::Service(name) => name.to_string(),
        }
    }
}

fn follows_nothing(follower: &Follower) -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        "NOT_FOUND",
        format!("{} follows no repository", follower.label()),
    )
    .help(format!(
        "let it follow one: {} --repository OWNER/NAME --branch BRANCH",
        follower.command("start")
    ))
}

/// Whether branch and path can be those of a repository.
fn check(following: &Following) -> Result<(), AppError> {
    let branch = &following.branch;
    if branch.is_empty() || branch.len() > LONGEST_BRANCH || branch.contains(char::is_whitespace) {
        return Err(AppError::invalid(
            "BRANCH",
            "a branch is named by 1 to 200 characters without spaces",
        ));
    }
    if branch.starts_with("refs/tags/") {
        return Err(AppError::invalid(
            "BRANCH",
            format!("'{branch}' is a tag, and only branches can be followed"),
        )
        .help("name a branch"));
    }
    let path = &following.path;
    if path.len() > LONGEST_PATH || path.split('/').any(|part| part == "..") {
        return Err(
            AppError::invalid("SYNC_PATH", format!("'{path}' leads out of the repository"))
                .help("name a place in the repository, without '..'"),
        );
    }
    if path.is_empty() && matches!(following.follower, Follower::Service(_)) {
        return Err(AppError::invalid(
            "SYNC_PATH",
            "a service follows a file of the repository, and none was named",
        )
        .help("name the file, such as proton-ops.yaml"));
    }
    Ok(())
}

/// Whether there is somebody of this name who could follow something.
async fn exists(tx: &mut Tx, follower: &Follower) -> Result<(), AppError> {
    let there = match follower {
        Follower::Template(kind, name) => templates::get(tx, *kind, name).await?.is_some(),
        Follower::Service(name) => services::get(tx, name).await?.is_some(),
    };
    if there {
        Ok(())
    } else {
        Err(AppError::new(
            ErrorKind::NotFound,
            "NOT_FOUND",
            format!("{} does not exist", follower.label()),
        ))
    }
}

async fn linked(tx: &mut Tx, provider: Provider, name: &SourceName) -> Result<(), AppError> {
    match repositories::get(tx, provider, name).await? {
        Some(_) => Ok(()),
        None => Err(not_linked(provider, name)),
    }
}

/// The hub keeps this, and does nothing about it: whoever reads the log shall know.
fn stored(row: &SyncRow) {
    tracing::warn!(
        repository = %row.repository, branch = row.branch,
        "what {} follows is stored; this version of the hub opens no repositories, so nothing is synced", row.follower.label()
    );
}

impl App {
    /// Lets a template or a service follow a branch of a linked repository.
    ///
    /// # Errors
    /// When it does not exist or follows something already, or the repository is not linked.
    pub async fn follow(&self, request: Request, new: Following) -> Result<SyncRow, AppError> {
        let (write, _) = new.follower.actions();
        self.may_at(&request.caller, write, &new.follower.place()).await?;
        check(&new)?;
        let (kind, key) = (new.follower.created(), new.follower.key());
        if self.seen(&request).await?.is_some() || self.repeated(&request, kind, &key).await? {
            return self.following(&request.caller, new.follower).await;
        }
        self.write_once(request.key(), "follow", move |unit| {
            Box::pin(async move {
                exists(unit.tx, &new.follower).await?;
                linked(unit.tx, new.provider, &new.repository).await?;
                let row = SyncRow {
                    follower: new.follower,
                    provider: new.provider,
                    repository: new.repository,
                    branch: new.branch,
                    path: new.path,
                    created_at: unit.now,
                    modified_at: unit.now,
                };
                sync::insert(unit.tx, &row)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "SYNC_EXISTS",
                            format!("{} already follows a repository", row.follower.label()),
                        )
                        .help(format!("see it: {}", row.follower.command("get"))),
                        None => error.into(),
                    })?;
                unit.created(&request, kind, &key).await?;
                unit.answered(&request, &key).await?;
                stored(&row);
                Ok(row)
            })
        })
        .await
    }

    /// What a template or a service follows.
    ///
    /// # Errors
    /// When it follows nothing.
    pub async fn following(&self, caller: &Caller, follower: Follower) -> Result<SyncRow, AppError> {
        let (_, read) = follower.actions();
        let sight = self.may(caller, read).await?;
        let owned = follower.clone();
        self.read("sync config", move |tx| {
            Box::pin(async move { Ok(sync::get(tx, &owned).await?) })
        })
        .await?
        .filter(|_| sight.covers(&follower.place()))
        .ok_or_else(|| follows_nothing(&follower))
    }

    /// Lets a template or a service follow something else than before.
    ///
    /// # Errors
    /// When it follows nothing, or the repository is not linked.
    pub async fn follow_other(&self, request: Request, new: Following) -> Result<SyncRow, AppError> {
        let (write, _) = new.follower.actions();
        self.may_at(&request.caller, write, &new.follower.place()).await?;
        check(&new)?;
        if self.seen(&request).await?.is_some() {
            return self.following(&request.caller, new.follower).await;
        }
        self.write_once(request.key(), "follow other", move |unit| {
            Box::pin(async move {
                let before = sync::get(unit.tx, &new.follower)
                    .await?
                    .ok_or_else(|| follows_nothing(&new.follower))?;
                linked(unit.tx, new.provider, &new.repository).await?;
                let row = SyncRow {
                    follower: new.follower,
                    provider: new.provider,
                    repository: new.repository,
                    branch: new.branch,
                    path: new.path,
                    created_at: before.created_at,
                    modified_at: unit.now,
                };
                sync::put(unit.tx, &row).await?;
                unit.answered(&request, &row.follower.key()).await?;
                stored(&row);
                Ok(row)
            })
        })
        .await
    }

    /// Lets a template or a service follow nothing any more. What was made stays. `None`: this very request did it before.
    ///
    /// # Errors
    /// When it follows nothing.
    pub async fn unfollow(&self, request: Request, follower: Follower) -> Result<Option<SyncRow>, AppError> {
        let (write, _) = follower.actions();
        self.may_at(&request.caller, write, &follower.place()).await?;
        if self.seen(&request).await?.is_some() {
            return Ok(None);
        }
        self.write_once(request.key(), "unfollow", move |unit| {
            Box::pin(async move {
                let row = sync::get(unit.tx, &follower)
                    .await?
                    .ok_or_else(|| follows_nothing(&follower))?;
                sync::remove(unit.tx, &follower).await?;
                unit.uncreated(follower.created(), &follower.key()).await?;
                unit.answered(&request, &follower.key()).await?;
                Ok(Some(row))
            })
        })
        .await
    }

    /// What a major version of a template follows. Nothing was ever synced.
    ///
    /// # Errors
    /// When the template follows nothing, or has no such major version.
    pub async fn template_sync(
        &self,
        caller: &Caller,
        kind: TemplateKind,
        name: TemplateName,
        major: u32,
    ) -> Result<SyncRow, AppError> {
        let row = self
            .following(caller, Follower::Template(kind, name.clone()))
            .await?;
        let template = self.template(kind, &name).await?;
        if !template
            .versions
            .existing
            .keys()
            .any(|version| version.major == major)
        {
            return Err(AppError::new(
                ErrorKind::NotFound,
                "VERSION_NOT_FOUND",
                format!("{} template '{name}' has no major version {major}", kind.word()),
            )
            .help("see the versions: hadron template get NAME"));
        }
        Ok(row)
    }

    /// What the service of an instance follows. Nothing was ever synced.
    ///
    /// # Errors
    /// When the service follows nothing, or has no such instance.
    pub async fn instance_sync(
        &self,
        caller: &Caller,
        service: ServiceName,
        instance: InstanceName,
    ) -> Result<SyncRow, AppError> {
        let row = self.following(caller, Follower::Service(service.clone())).await?;
        self.read("synced instance", move |tx| {
            Box::pin(async move { instance_exists(tx, &service, &instance).await })
        })
        .await?;
        Ok(row)
    }

    /// What follows a repository: templates, or services. Nothing was ever synced.
    ///
    /// # Errors
    /// When the repository is not linked.
    pub async fn sync_definitions(
        &self,
        caller: &Caller,
        provider: Provider,
        repository: SourceName,
        of_services: bool,
    ) -> Result<Vec<SyncDefinition>, AppError> {
        let action = if of_services {
            Action::ReadServiceSync
        } else {
            Action::ReadTemplateSync
        };
        let sight = self.may(caller, action).await?;
        self.read("sync definitions", move |tx| {
            Box::pin(async move {
                linked(tx, provider, &repository).await?;
                let mut found = Vec::new();
                for row in sync::of_repository(tx, provider, &repository).await? {
                    if !sight.covers(&row.follower.place()) {
                        continue;
                    }
                    match &row.follower {
                        Follower::Service(name) if of_services => found.push(SyncDefinition {
                            branch: row.branch.clone(),
                            directory: row.path.clone(),
                            parent: name.to_string(),
                            target: name.to_string(),
                        }),
                        Follower::Template(kind, name) if !of_services => {
                            let template = templates::get(tx, *kind, name).await?;
                            let majors = template.map(|row| row.versions.majors()).unwrap_or_default();
                            found.extend(majors.into_iter().map(|major| SyncDefinition {
                                branch: row.branch.clone(),
                                directory: directory(&row.path, name, major),
                                parent: name.to_string(),
                                target: format!("{name}:{major}"),
                            }));
                        }
                        Follower::Service(_) | Follower::Template(..) => {}
                    }
                }
                Ok(found)
            })
        })
        .await
    }

    /// Blockers of an instance, or without one of the service as a whole, latest first.
    ///
    /// # Errors
    /// When there is no such service or instance.
    pub async fn sync_blockers(
        &self,
        caller: &Caller,
        service: ServiceName,
        instance: Option<InstanceName>,
    ) -> Result<Vec<BlockerRow>, AppError> {
        let sight = self.may(caller, Action::ReadServiceSync).await?;
        if !sight.covers(&Place::service(service.clone())) {
            return Err(AppError::not_found("service", &service));
        }
        self.read("sync blockers", move |tx| {
            Box::pin(async move {
                exists(tx, &Follower::Service(service.clone())).await?;
                if let Some(instance) = &instance {
                    instance_exists(tx, &service, instance).await?;
                }
                Ok(sync::blockers(tx, &service, instance.as_ref(), BLOCKERS_SHOWN).await?)
            })
        })
        .await
    }

    /// Takes a blocker away, saying why.
    ///
    /// # Errors
    /// When there is no such blocker, or it was taken away already.
    pub async fn resolve_blocker(
        &self,
        request: Request,
        id: SyncBlockerId,
        why: String,
    ) -> Result<BlockerRow, AppError> {
        self.may(&request.caller, Action::WriteServiceSync).await?;
        let again = self.seen(&request).await?.is_some();
        self.write_once(request.key(), "resolve blocker", move |unit| {
            Box::pin(async move {
                let found = sync::get_blocker(unit.tx, id).await?.filter(|row| {
                    let place = Place::service(row.service.clone());
                    request.caller.may_at(Action::WriteServiceSync, &place).is_ok()
                });
                let mut row = found.ok_or_else(|| {
                    AppError::new(
                        ErrorKind::NotFound,
                        "NOT_FOUND",
                        format!("there is no sync blocker {}", id.as_uuid()),
                    )
                    .help("see those of a service: hadron sync blockers --service NAME")
                })?;
                if again {
                    return Ok(row);
                }
                if let Some((at, before)) = &row.resolved {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "BLOCKER_RESOLVED",
                        format!("the blocker was resolved at {at}: {before}"),
                    ));
                }
                sync::resolve_blocker(unit.tx, id, unit.now, &why).await?;
                row.resolved = Some((unit.now, why));
                unit.answered(&request, &id.to_string()).await?;
                Ok(row)
            })
        })
        .await
    }
}

async fn instance_exists(
    tx: &mut Tx,
    service: &ServiceName,
    instance: &InstanceName,
) -> Result<(), AppError> {
    let target = Target::Instance(service.clone(), instance.clone());
    match targets::get(tx, &target).await? {
        Some(_) => Ok(()),
        None => Err(AppError::not_found(
            "service instance",
            format!("{service}/{instance}"),
        )),
    }
}

/// Where the bundles of a major version lie: `{subdirectory}/{template}/v{major}`.
fn directory(under: &str, name: &TemplateName, major: u32) -> String {
    let under = under.trim_matches('/');
    let own = format!("{name}/v{major}");
    if under.is_empty() {
        own
    } else {
        format!("{under}/{own}")
    }
}

impl Unit<'_> {
    /// Somebody changed by hand what a service's sync would change: it is kept from that until a person says how to go on.
    /// Proton's rule: creating or updating an instance blocks that instance, deleting one blocks the whole service.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn block_sync(
        &mut self,
        service: &ServiceName,
        instance: Option<&InstanceName>,
        reason: String,
        by: &Caller,
    ) -> Result<(), AppError> {
        let follows = sync::seen(self.tx, &Follower::Service(service.clone())).await?;
        if follows.is_none() || sync::blocked(self.tx, service, instance).await? {
            return Ok(());
        }
        let row = BlockerRow {
            id: self.fresh_id(),
            service: service.clone(),
            instance: instance.cloned(),
            reason,
            contexts: BTreeMap::from([("principal".to_owned(), by.principal.to_string())]),
            created_at: self.now,
            resolved: None,
        };
        Ok(sync::insert_blocker(self.tx, &row).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_lie_below_the_subdirectory() {
        let name: TemplateName = "fargate-env".parse().unwrap();
        assert_eq!(directory("", &name, 1), "fargate-env/v1");
        assert_eq!(
            directory("/infra/templates/", &name, 2),
            "infra/templates/fargate-env/v2"
        );
    }

    #[test]
    fn branches_and_paths_stay_in_the_repository() {
        let following = |branch: &str, path: &str| {
            check(&Following {
                follower: Follower::Service("web".parse().unwrap()),
                provider: Provider::Github,
                repository: "acme/web".parse().unwrap(),
                branch: branch.to_owned(),
                path: path.to_owned(),
            })
            .map_err(|error| error.reason)
        };
        assert_eq!(following("main", "ops/proton-ops.yaml"), Ok(()));
        assert_eq!(following("main", ""), Err("SYNC_PATH"));
        assert_eq!(following("main", "a/../../b"), Err("SYNC_PATH"));
        assert_eq!(following("", "a"), Err("BRANCH"));
        assert_eq!(following("refs/tags/v1", "a"), Err("BRANCH"));
    }
}
