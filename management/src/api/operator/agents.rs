//! `AgentsService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::{self, word_opt};
use super::page::Page;
use super::watch::{self, Stream};
use super::{Operator, answer};

#[tonic::async_trait]
impl wire::agents_service_server::AgentsService for Operator {
    type WatchAgentsStream = Stream<wire::AgentChange>;

    async fn list_agents(
        &self,
        request: Request<wire::ListAgentsRequest>,
    ) -> Result<Response<wire::ListAgentsResponse>, Status> {
        let (caller, message) = self.open(request).await?;
        let page = Page::read(message.page_size, &message.page_token, 1)?;
        let account = word_opt("account_id", &message.account_id)?;
        let views = answer(
            self.app
                .list_agents(&caller, account, page.first(), page.size)
                .await,
        )?;
        let next_page_token = page.next(&views, |view| vec![view.agent.id.to_string()]);
        let agents = views.into_iter().map(convert::agent).collect();
        Ok(Response::new(wire::ListAgentsResponse {
            agents,
            next_page_token,
        }))
    }

    async fn watch_agents(
        &self,
        request: Request<wire::WatchAgentsRequest>,
    ) -> Result<Response<Self::WatchAgentsStream>, Status> {
        use wire::agent_change::Change;
        let (watching, _) = self.watch(request).await?;
        let app = self.app.clone();
        let look = move || {
            let (app, watching) = (app.clone(), watching.clone());
            async move {
                let caller = watching.caller().await?;
                let views = app.list_agents(&caller, None, String::new(), u32::MAX).await?;
                Ok(views
                    .into_iter()
                    .map(|view| (view.agent.id.to_string(), convert::agent(view)))
                    .collect())
            }
        };
        let changed = |item| wire::AgentChange {
            change: Some(Change::Agent(item)),
        };
        let removed = |id| wire::AgentChange {
            change: Some(Change::RemovedId(id)),
        };
        Ok(Response::new(watch::stream(self, look, changed, removed)))
    }
}
