//! Looking at agents.

use hadron_domain::authority::{Action, Caller};
use hadron_proto::vocab::AccountId;

use super::{App, AppError};
use crate::store::agents::{self, AgentRow};
use crate::store::connections::ConnectionKind;
use crate::store::{connections, jobs};

/// An agent with what it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// The agent.
    pub agent: AgentRow,
    /// How many jobs it holds.
    pub jobs: u32,
    /// It is the management account's.
    pub management: bool,
}

impl App {
    /// Agents by id, after `after`.
    ///
    /// # Errors
    /// When the caller may not read agents.
    pub async fn list_agents(
        &self,
        caller: &Caller,
        account: Option<AccountId>,
        after: String,
        limit: u32,
    ) -> Result<Vec<AgentView>, AppError> {
        let sight = self.may(caller, Action::ReadAgent).await?;
        self.read("agents", move |tx| {
            Box::pin(async move {
                let mut views = Vec::new();
                for agent in agents::list(tx, account, &sight, &after, limit).await? {
                    let jobs = match agent.session {
                        Some(session) => jobs::held_by(tx, session).await?,
                        None => 0,
                    };
                    let connection = connections::get(tx, agent.connection).await?;
                    let management = connection.is_some_and(|row| row.kind == ConnectionKind::Management);
                    views.push(AgentView {
                        agent,
                        jobs,
                        management,
                    });
                }
                Ok(views)
            })
        })
        .await
    }
}
