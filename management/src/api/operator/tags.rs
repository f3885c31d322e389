//! `TagService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word};
use super::{Operator, answer};

#[tonic::async_trait]
impl wire::tag_service_server::TagService for Operator {
    async fn list_tags(
        &self,
        request: Request<wire::ListTagsRequest>,
    ) -> Result<Response<wire::ListTagsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let arn = word("arn", &message.arn)?;
        let tags = answer(self.app.list_tags(&caller, arn, "", u32::MAX).await)?;
        let tags = tags.into_iter();
        Ok(Response::new(wire::ListTagsResponse {
            tags: tags.map(|(key, value)| wire::Tag { key, value }).collect(),
        }))
    }

    async fn add_tags(
        &self,
        request: Request<wire::AddTagsRequest>,
    ) -> Result<Response<wire::AddTagsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "AddTags", &message.request_id, &message)?;
        let arn = word("arn", &message.arn)?;
        let tags = message.tags.into_iter().map(|tag| (tag.key, tag.value));
        answer(self.app.tag_resource(change, arn, tags.collect()).await)?;
        Ok(Response::new(wire::AddTagsResponse {}))
    }

    async fn remove_tags(
        &self,
        request: Request<wire::RemoveTagsRequest>,
    ) -> Result<Response<wire::RemoveTagsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let change = convert::change(caller, "RemoveTags", &message.request_id, &message)?;
        let arn = word("arn", &message.arn)?;
        answer(self.app.untag_resource(change, arn, message.keys).await)?;
        Ok(Response::new(wire::RemoveTagsResponse {}))
    }
}
