//! Linked source repositories.

use super::shapes::{
    CreateRepositoryInput, CreateRepositoryOutput, DeleteRepositoryInput, DeleteRepositoryOutput,
    GetRepositoryInput, GetRepositoryOutput, ListRepositoriesInput, ListRepositoriesOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn create_repository(
        &self,
        _call: &Call,
        _input: CreateRepositoryInput,
    ) -> Result<CreateRepositoryOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn get_repository(
        &self,
        _call: &Call,
        _input: GetRepositoryInput,
    ) -> Result<GetRepositoryOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_repositories(
        &self,
        _call: &Call,
        _input: ListRepositoriesInput,
    ) -> Result<ListRepositoriesOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn delete_repository(
        &self,
        _call: &Call,
        _input: DeleteRepositoryInput,
    ) -> Result<DeleteRepositoryOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
