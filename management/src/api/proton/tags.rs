//! Tags.

use super::shapes::{
    ListTagsForResourceInput, ListTagsForResourceOutput, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use super::{Call, Fault, Proton};

impl Proton {
    pub(super) async fn tag_resource(
        &self,
        _call: &Call,
        _input: TagResourceInput,
    ) -> Result<TagResourceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn untag_resource(
        &self,
        _call: &Call,
        _input: UntagResourceInput,
    ) -> Result<UntagResourceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }

    pub(super) async fn list_tags_for_resource(
        &self,
        _call: &Call,
        _input: ListTagsForResourceInput,
    ) -> Result<ListTagsForResourceOutput, Fault> {
        Err(Fault::internal("not filled yet"))
    }
}
