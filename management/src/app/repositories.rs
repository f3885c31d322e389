//! Linking source repositories: saying which connection reaches them. The hub keeps the link; it opens no repository.

use hadron_domain::authority::{Action, Caller};
use hadron_domain::repository::{
    InvalidLink, InvalidProvider, InvalidSourceName, Provider, SourceName, check_link,
};

use super::{App, AppError, ErrorKind, Request};
use crate::store::repositories::{self, RepositoryRow};
use crate::store::settings::{self, RepositoryBranch, Setting};
use crate::store::sync;

/// What is to be linked.
#[derive(Clone, Debug)]
pub struct NewRepository {
    /// Who hosts it.
    pub provider: Provider,
    /// Its name there.
    pub name: SourceName,
    /// The ARN of the `CodeConnections` connection that reaches it.
    pub connection_arn: String,
    /// A KMS key; empty for none.
    pub encryption_key: String,
}

macro_rules! invalid {
    ($($type:ty),*) => {$(
        impl From<$type> for AppError {
            fn from(error: $type) -> Self {
                Self::invalid("INVALID_ARGUMENT", error.to_string())
            }
        }
    )*};
}
invalid!(
    InvalidLink,
    InvalidProvider,
    InvalidSourceName,
    hadron_domain::arn::InvalidArn
);

fn label(provider: Provider, name: &SourceName) -> String {
    format!("{}:{name}", provider.word())
}

pub(super) fn not_found(provider: Provider, name: &SourceName) -> AppError {
    AppError::new(
        ErrorKind::NotFound,
        "NOT_FOUND",
        format!("repository '{name}' of {} is not linked", provider.word()),
    )
    .help(format!(
        "see what is linked: hadron repository list; link it: hadron repository link {name} --connection ARN"
    ))
}

impl App {
    /// Links a repository.
    ///
    /// # Errors
    /// When the connection's ARN is none, or the repository is linked already.
    pub async fn link_repository(
        &self,
        request: Request,
        new: NewRepository,
    ) -> Result<RepositoryRow, AppError> {
        self.may(&request.caller, Action::WriteRepository).await?;
        check_link(&new.connection_arn)?;
        let (provider, name) = (new.provider, new.name.clone());
        let key = label(provider, &name);
        if self.seen(&request).await?.is_some() || self.repeated(&request, "repository", &key).await? {
            return self.get_repository(&request.caller, provider, &name).await;
        }
        self.write_once(request.key(), "link repository", move |unit| {
            Box::pin(async move {
                let row = RepositoryRow {
                    provider,
                    name,
                    connection_arn: new.connection_arn,
                    encryption_key: new.encryption_key,
                    created_at: unit.now,
                };
                repositories::insert(unit.tx, &row)
                    .await
                    .map_err(|error| match error.unique() {
                        Some(_) => AppError::new(
                            ErrorKind::AlreadyExists,
                            "REPOSITORY_EXISTS",
                            format!("repository '{}' of {} is already linked", row.name, provider.word()),
                        )
                        .help(format!(
                            "see it: hadron repository get {0}; to use another connection, unlink it first: hadron \
                             repository unlink {0}",
                            row.name
                        )),
                        None => error.into(),
                    })?;
                unit.created(&request, "repository", &key).await?;
                unit.answered(&request, &key).await?;
                tracing::info!(repository = %row.name, "repository linked");
                Ok(row)
            })
        })
        .await
    }

    /// One linked repository.
    ///
    /// # Errors
    /// When it is not linked.
    pub async fn get_repository(
        &self,
        caller: &Caller,
        provider: Provider,
        name: &SourceName,
    ) -> Result<RepositoryRow, AppError> {
        self.may(caller, Action::ReadRepository).await?;
        let owned = name.clone();
        self.read("repository", move |tx| {
            Box::pin(async move { Ok(repositories::get(tx, provider, &owned).await?) })
        })
        .await?
        .ok_or_else(|| not_found(provider, name))
    }

    /// Linked repositories by provider and name, after `(provider, name)`.
    ///
    /// # Errors
    /// When the caller may not read them.
    pub async fn list_repositories(
        &self,
        caller: &Caller,
        after: (String, String),
        limit: u32,
    ) -> Result<Vec<RepositoryRow>, AppError> {
        self.may(caller, Action::ReadRepository).await?;
        self.read("repositories", move |tx| {
            Box::pin(async move { Ok(repositories::list(tx, (&after.0, &after.1), limit).await?) })
        })
        .await
    }

    /// Removes a link. The repository itself is not touched. `None`: it was removed by this very request before.
    ///
    /// # Errors
    /// When it is not linked, or something follows it.
    pub async fn unlink_repository(
        &self,
        request: Request,
        provider: Provider,
        name: SourceName,
    ) -> Result<Option<RepositoryRow>, AppError> {
        self.may(&request.caller, Action::WriteRepository).await?;
        if self.seen(&request).await?.is_some() {
            return Ok(None);
        }
        self.write_once(request.key(), "unlink repository", move |unit| {
            Box::pin(async move {
                let row = repositories::get(unit.tx, provider, &name)
                    .await?
                    .ok_or_else(|| not_found(provider, &name))?;
                if let Some(user) = sync::of_repository(unit.tx, provider, &name).await?.first() {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "REPOSITORY_IN_USE",
                        format!("repository '{name}' is followed by {}", user.follower.label()),
                    )
                    .help(format!("end that first: {}", user.follower.command("stop"))));
                }
                let pipelines: Option<RepositoryBranch> = settings::get(unit.tx, Setting::PipelineRepository)
                    .await?
                    .flatten();
                let used = |branch: &RepositoryBranch| branch.provider == provider && branch.name == name;
                if pipelines.as_ref().is_some_and(used) {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        "REPOSITORY_IN_USE",
                        format!("repository '{name}' is where pull requests for pipelines go"),
                    )
                    .help(
                        "name another one in the account settings, or none: hadron settings update --help",
                    ));
                }
                repositories::remove(unit.tx, provider, &name).await?;
                let key = label(provider, &name);
                unit.uncreated("repository", &key).await?;
                unit.answered(&request, &key).await?;
                tracing::info!(repository = %name, "repository unlinked");
                Ok(Some(row))
            })
        })
        .await
    }
}
