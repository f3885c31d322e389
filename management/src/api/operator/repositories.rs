//! `RepositoryService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word};
use super::page::Page;
use super::{Operator, answer};
use crate::app::repositories::NewRepository;
use crate::store::repositories::RepositoryRow;

fn repository(row: RepositoryRow) -> wire::Repository {
    wire::Repository {
        provider: row.provider.word().to_owned(),
        name: row.name.into(),
        connection_arn: row.connection_arn,
        created_at: Some(convert::time(row.created_at)),
    }
}

#[tonic::async_trait]
impl wire::repository_service_server::RepositoryService for Operator {
    async fn link_repository(
        &self,
        request: Request<wire::LinkRepositoryRequest>,
    ) -> Result<Response<wire::Repository>, Status> {
        let (caller, message) = self.open(request).await?;
        let mut change = convert::change(caller, "LinkRepository", &message.request_id, &message)?;
        let tags = message.tags.into_iter();
        change.tags = tags.map(|tag| (tag.key, tag.value)).collect();
        let new = NewRepository {
            provider: word("provider", &message.provider)?,
            name: word("name", &message.name)?,
            connection_arn: message.connection_arn,
            encryption_key: String::new(),
        };
        let row = answer(self.app.link_repository(change, new).await)?;
        Ok(Response::new(repository(row)))
    }

    async fn get_repository(
        &self,
        request: Request<wire::GetRepositoryRequest>,
    ) -> Result<Response<wire::Repository>, Status> {
        let (caller, message) = self.open(request).await?;
        let (provider, name) = (word("provider", &message.provider)?, word("name", &message.name)?);
        let row = answer(self.app.get_repository(&caller, provider, &name).await)?;
        Ok(Response::new(repository(row)))
    }

    async fn list_repositories(
        &self,
        request: Request<wire::ListRepositoriesRequest>,
    ) -> Result<Response<wire::ListRepositoriesResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 2)?;
        let rows = answer(self.app.list_repositories(&caller, page.two(), page.size).await)?;
        let next_page_token = page.next(&rows, |row| {
            vec![row.provider.word().to_owned(), row.name.to_string()]
        });
        Ok(Response::new(wire::ListRepositoriesResponse {
            repositories: rows.into_iter().map(repository).collect(),
            next_page_token,
        }))
    }

    async fn unlink_repository(
        &self,
        request: Request<wire::UnlinkRepositoryRequest>,
    ) -> Result<Response<wire::UnlinkRepositoryResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "UnlinkRepository", &message.request_id, &message)?;
        let (provider, name) = (word("provider", &message.provider)?, word("name", &message.name)?);
        answer(self.app.unlink_repository(change, provider, name).await)?;
        Ok(Response::new(wire::UnlinkRepositoryResponse {}))
    }
}
