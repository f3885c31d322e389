//! Tags.

use super::arn::ResourceArn;
use super::shapes::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use super::{Call, Fault, Proton, convert};

/// Tags on one page, at most.
const LARGEST_PAGE: i32 = 50;

impl Proton {
    pub(super) async fn tag_resource(
        &self,
        call: &Call,
        input: TagResourceInput,
    ) -> Result<TagResourceOutput, Fault> {
        let arn: ResourceArn = convert::word("resourceArn", &input.resource_arn)?;
        let tags = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        self.app.tag_resource(call.request(None), arn, tags).await?;
        Ok(TagResourceOutput {})
    }

    pub(super) async fn untag_resource(
        &self,
        call: &Call,
        input: UntagResourceInput,
    ) -> Result<UntagResourceOutput, Fault> {
        let arn: ResourceArn = convert::word("resourceArn", &input.resource_arn)?;
        let keys = input.tag_keys;
        self.app.untag_resource(call.request(None), arn, keys).await?;
        Ok(UntagResourceOutput {})
    }

    pub(super) async fn list_tags_for_resource(
        &self,
        call: &Call,
        input: ListTagsForResourceInput,
    ) -> Result<ListTagsForResourceOutput, Fault> {
        // The model's list of tags has room for 50, which a resource may have besides those that Proton gives it.
        let size = input
            .max_results
            .map_or(LARGEST_PAGE, |most| most.min(LARGEST_PAGE));
        let page = self.page(call, Some(size), input.next_token.as_deref(), 1)?;
        let arn: ResourceArn = convert::word("resourceArn", &input.resource_arn)?;
        let tags = self
            .app
            .list_tags(&call.caller, arn, &page.first(), page.fetch())
            .await?;
        let (tags, next_token) = page.cut(tags, |(key, _)| vec![key.clone()]);
        Ok(ListTagsForResourceOutput {
            next_token,
            tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
        })
    }
}
