//! `SummaryService`: converts, asks the use cases, converts back.

use hadron_proto::wire;
use tonic::{Request, Response, Status};

use super::convert::time;
use super::{Operator, answer};
use crate::app::recovery::{RecoveryView, Stage};
use crate::app::summary::Count;

fn recovery(view: RecoveryView) -> wire::Recovery {
    use wire::recovery::State;
    let state = match view.stage {
        Stage::Unannounced => State::Unannounced,
        Stage::Comparing => State::Comparing,
        Stage::Done => State::Done,
    };
    wire::Recovery {
        state: state.into(),
        generation: view.generation,
        since: view.since.map(time),
        stacks: view.stacks,
        compared: view.compared,
        differing: view.differing,
        waiting: view.waiting,
    }
}

const fn count(count: Count) -> Option<wire::SummaryCount> {
    Some(wire::SummaryCount {
        total: count.total,
        failed: count.failed,
        up_to_date: count.up_to_date,
        behind_major: count.behind_major,
        behind_minor: count.behind_minor,
    })
}

#[tonic::async_trait]
impl wire::summary_service_server::SummaryService for Operator {
    async fn get_summary(
        &self,
        request: Request<wire::GetSummaryRequest>,
    ) -> Result<Response<wire::Summary>, Status> {
        let (caller, _) = self.open(request).await?;
        let summary = answer(self.app.summary(&caller).await)?;
        Ok(Response::new(wire::Summary {
            environment_templates: summary.environment_templates,
            service_templates: summary.service_templates,
            environments: count(summary.environments),
            services: count(summary.services),
            instances: count(summary.instances),
            pipelines: count(summary.pipelines),
            components: count(summary.components),
            recovery: answer(self.app.recovery().await)?.map(recovery),
        }))
    }
}
