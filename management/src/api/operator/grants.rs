//! `GrantService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer, convert};

fn key(grant: &wire::Grant) -> String {
    format!(
        "{}/{}/{}/{}",
        grant.registry_id, grant.region, grant.repository, grant.account_id
    )
}

#[tonic::async_trait]
impl wire::grant_service_server::GrantService for Operator {
    type WatchGrantsStream = Stream<wire::GrantChange>;

    async fn list_grants(
        &self,
        request: Request<wire::ListGrantsRequest>,
    ) -> Result<Response<wire::ListGrantsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let after = page.first();
        let mut grants: Vec<wire::Grant> = answer(self.app.list_grants(&caller).await)?
            .into_iter()
            .map(convert::grant)
            .filter(|grant| message.repository.is_empty() || grant.repository == message.repository)
            .filter(|grant| message.account_id.is_empty() || grant.account_id == message.account_id)
            .collect();
        grants.sort_by_key(key);
        grants.retain(|grant| key(grant) > after);
        grants.truncate(page.size as usize);
        let next_page_token = page.next(&grants, |grant| vec![key(grant)]);
        Ok(Response::new(wire::ListGrantsResponse {
            grants,
            next_page_token,
        }))
    }

    async fn watch_grants(
        &self,
        request: Request<wire::WatchGrantsRequest>,
    ) -> Result<Response<Self::WatchGrantsStream>, Status> {
        use wire::grant_change::Change;
        let (watching, _) = self.watch(request).await?;
        let app = self.app.clone();
        let look = move || {
            let (app, watching) = (app.clone(), watching.clone());
            async move {
                let caller = watching.caller().await?;
                let grants = app.list_grants(&caller).await?.into_iter().map(convert::grant);
                Ok(grants.map(|grant| (key(&grant), grant)).collect())
            }
        };
        let changed = |item| wire::GrantChange {
            change: Some(Change::Grant(item)),
        };
        let removed = |key| wire::GrantChange {
            change: Some(Change::Removed(key)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
