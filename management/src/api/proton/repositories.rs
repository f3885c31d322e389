//! Linked source repositories.

use hadron_domain::repository::Provider;

use super::arn::Resource;
use super::shapes::{
    CreateRepositoryInput, CreateRepositoryOutput, DeleteRepositoryInput, DeleteRepositoryOutput,
    GetRepositoryInput, GetRepositoryOutput, ListRepositoriesInput, ListRepositoriesOutput, Repository,
    RepositoryProvider, RepositorySummary,
};
use super::{Call, Fault, Proton, convert};
use crate::app::repositories::NewRepository;
use crate::store::repositories::RepositoryRow;

pub(super) const fn provider(given: RepositoryProvider) -> Provider {
    match given {
        RepositoryProvider::Github => Provider::Github,
        RepositoryProvider::GithubEnterprise => Provider::GithubEnterprise,
        RepositoryProvider::Bitbucket => Provider::Bitbucket,
    }
}

pub(super) const fn shown(provider: Provider) -> RepositoryProvider {
    match provider {
        Provider::Github => RepositoryProvider::Github,
        Provider::GithubEnterprise => RepositoryProvider::GithubEnterprise,
        Provider::Bitbucket => RepositoryProvider::Bitbucket,
    }
}

impl Proton {
    pub(super) async fn create_repository(
        &self,
        call: &Call,
        input: CreateRepositoryInput,
    ) -> Result<CreateRepositoryOutput, Fault> {
        let new = NewRepository {
            provider: provider(input.provider),
            name: convert::word("name", &input.name)?,
            connection_arn: input.connection_arn,
            encryption_key: input.encryption_key.unwrap_or_default(),
        };
        let row = self.app.link_repository(call.request(None), new).await?;
        Ok(CreateRepositoryOutput {
            repository: self.repository(row),
        })
    }

    pub(super) async fn get_repository(
        &self,
        call: &Call,
        input: GetRepositoryInput,
    ) -> Result<GetRepositoryOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let row = self
            .app
            .get_repository(&call.caller, provider(input.provider), &name)
            .await?;
        Ok(GetRepositoryOutput {
            repository: self.repository(row),
        })
    }

    pub(super) async fn list_repositories(
        &self,
        call: &Call,
        input: ListRepositoriesInput,
    ) -> Result<ListRepositoriesOutput, Fault> {
        let page = self.page(call, input.max_results, input.next_token.as_deref(), 2)?;
        let rows = self
            .app
            .list_repositories(&call.caller, page.two(), page.fetch())
            .await?;
        let (rows, next_token) = page.cut(rows, |row| {
            vec![row.provider.word().to_owned(), row.name.to_string()]
        });
        let summary = |row: RepositoryRow| {
            let full = self.repository(row);
            RepositorySummary {
                arn: full.arn,
                connection_arn: full.connection_arn,
                name: full.name,
                provider: full.provider,
            }
        };
        Ok(ListRepositoriesOutput {
            next_token,
            repositories: rows.into_iter().map(summary).collect(),
        })
    }

    pub(super) async fn delete_repository(
        &self,
        call: &Call,
        input: DeleteRepositoryInput,
    ) -> Result<DeleteRepositoryOutput, Fault> {
        let name = convert::word("name", &input.name)?;
        let row = self
            .app
            .unlink_repository(call.request(None), provider(input.provider), name)
            .await?;
        Ok(DeleteRepositoryOutput {
            repository: row.map(|row| self.repository(row)),
        })
    }

    fn repository(&self, row: RepositoryRow) -> Repository {
        Repository {
            arn: self.arn(Resource::Repository(row.provider, row.name.clone())),
            connection_arn: row.connection_arn,
            encryption_key: convert::text(row.encryption_key),
            name: row.name.into(),
            provider: shown(row.provider),
        }
    }
}
