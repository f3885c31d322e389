//! Account settings: what pipelines are provisioned with, and that no service with a pipeline begins without a role.

use hadron_domain::repository::Provider;
use hadron_management::app::settings::{Decision, SettingsUpdate};
use hadron_management::app::{App, ErrorKind, Settings};
use hadron_management::store::settings::RepositoryBranch;
use hadron_proto::vocab::RoleArn;
use serde_json::json;

use crate::agent::stack;
use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, World, administrator, asked, auditor, developer, new_service, owner, reason,
    service_spec, settings,
};

fn role(account: &str, name: &str) -> RoleArn {
    format!("arn:aws:iam::{account}:role/{name}").parse().unwrap()
}

fn pipeline_role(role: Option<RoleArn>) -> SettingsUpdate {
    SettingsUpdate {
        pipeline_role: role.map_or(Decision::Remove, Decision::Set),
        ..SettingsUpdate::default()
    }
}

async fn link(world: &World, name: &'static str) {
    let linked = world.app.write("link", move |unit| {
        Box::pin(async move {
            let sql = "INSERT INTO repository (provider, name, connection_arn, encryption_key, created_at)
                       VALUES ('GITHUB', $1, '', '', 0)";
            unit.tx
                .execute(sql, &hadron_management::store::params![name])
                .await?;
            Ok(())
        })
    });
    linked.await.unwrap();
}

scenarios! {
    async fn what_is_decided_here_wins_over_the_configuration(world: World) {
        let reader = auditor();
        let get = || world.app.get_settings(&reader);
        let update = |update| world.app.update_settings(asked(&administrator(), "UpdateSettings"), update);
        assert_eq!(get().await.unwrap().pipeline_role, Some(role(MANAGEMENT, "pipelines")));
        let made = update(pipeline_role(Some(role(MANAGEMENT, "own")))).await.unwrap();
        assert_eq!(made.pipeline_role, Some(role(MANAGEMENT, "own")));
        let codebuild = SettingsUpdate { pipeline_codebuild_role: Decision::Set(role(MANAGEMENT, "cb")), ..SettingsUpdate::default() };
        let made = update(codebuild).await.unwrap();
        assert_eq!((&made.pipeline_role, &made.pipeline_codebuild_role), (&Some(role(MANAGEMENT, "own")), &Some(role(MANAGEMENT, "cb"))));
        assert_eq!(get().await.unwrap(), made);
        // Taken away is not the same as never set.
        assert_eq!(update(pipeline_role(None)).await.unwrap().pipeline_role, None);
        assert_eq!(get().await.unwrap().pipeline_role, None);
        assert_eq!(update(SettingsUpdate::default()).await.unwrap().pipeline_codebuild_role, Some(role(MANAGEMENT, "cb")));
        assert_eq!(reason(update(pipeline_role(Some(role(PRODUCTION, "r")))).await), "ROLE_OF_OTHER_ACCOUNT");
        for stranger in [developer(), auditor(), owner(PRODUCTION)] {
            let refused = world.app.update_settings(asked(&stranger, "UpdateSettings"), pipeline_role(None)).await;
            assert_eq!(reason(refused), "DENIED");
        }
        assert_eq!(reason(world.app.get_settings(&owner(PRODUCTION)).await), "DENIED");
    }

    async fn a_pipeline_repository_has_to_be_linked(world: World) {
        let repository = RepositoryBranch { provider: Provider::Github, name: "acme/pipelines".parse().unwrap(), branch: "main".to_owned() };
        let with = |repository: Option<&RepositoryBranch>, remove| {
            let update = SettingsUpdate { pipeline_repository: repository.cloned(), remove_pipeline_repository: remove, ..SettingsUpdate::default() };
            world.app.update_settings(asked(&administrator(), "UpdateSettings"), update)
        };
        let error = with(Some(&repository), false).await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Precondition, "REPOSITORY_NOT_LINKED"));
        link(&world, "acme/pipelines").await;
        assert_eq!(with(Some(&repository), false).await.unwrap().pipeline_repository.as_ref(), Some(&repository));
        assert_eq!(reason(with(Some(&repository), true).await), "SET_AND_REMOVED");
        assert_eq!(with(None, false).await.unwrap().pipeline_repository.as_ref(), Some(&repository));
        assert_eq!(with(None, true).await.unwrap().pipeline_repository, None);
    }

    async fn pipelines_need_a_role_and_are_given_the_one_that_counts(world: World) {
        world.templates().await;
        world.environment(PRODUCTION, "prd").await;
        let bare = App::new(world.test.db.clone(), world.test.clock.clone(), Settings { pipeline_role: None, ..settings() });
        let spec = service_spec(Some(""), &[("blue", "prd", "")]);
        let create = |name| bare.create_service(asked(&developer(), "CreateService"), new_service(name, "minimal-svc", &spec));
        let error = create("web").await.unwrap_err();
        assert_eq!((error.kind, error.reason), (ErrorKind::Precondition, "PIPELINE_ROLE_MISSING"));
        assert_eq!(error.message, "Operation cannot be run until pipeline roles have been configured");
        bare.create_service(asked(&developer(), "CreateService"),
            new_service("plain", "minimal-svc-no-pipeline", &service_spec(None, &[("blue", "prd", "")]))).await.unwrap();
        bare.update_settings(asked(&administrator(), "UpdateSettings"), pipeline_role(Some(role(MANAGEMENT, "own")))).await.unwrap();
        create("web").await.unwrap();
        world.settle().await;
        let connection = world.app.list_connections(&administrator(), Default::default(), String::new(), 9).await.unwrap()[0].connection.id;
        world.agent(connection).await.succeed_all(&world).await;
        let offer = world.management_agent().await.take_stack(&world).await;
        assert_eq!(stack(&offer).role_kind, hadron_domain::target::RoleKind::Pipeline);
        assert_eq!(stack(&offer).role, Some(role(MANAGEMENT, "own")));
    }

    async fn the_proton_api_shows_and_changes_them(world: World) {
        let proton = world.proton(administrator());
        let own = role(MANAGEMENT, "own").to_string();
        let shown = proton.done("GetAccountSettings", json!({})).await["accountSettings"].clone();
        assert_eq!(shown, json!({ "pipelineServiceRoleArn": role(MANAGEMENT, "pipelines").to_string() }));
        let update = |input| proton.done("UpdateAccountSettings", input);
        let shown = update(json!({ "pipelineServiceRoleArn": own, "pipelineCodebuildRoleArn": own })).await["accountSettings"].clone();
        assert_eq!(shown, json!({ "pipelineServiceRoleArn": own, "pipelineCodebuildRoleArn": own }));
        let shown = update(json!({ "pipelineServiceRoleArn": "" })).await["accountSettings"].clone();
        assert_eq!(shown, json!({ "pipelineCodebuildRoleArn": own }));
        let branch = json!({ "provider": "GITHUB", "name": "acme/pipelines", "branch": "main" });
        let named = json!({ "pipelineProvisioningRepository": branch });
        assert_eq!(proton.refused("UpdateAccountSettings", named.clone()).await.0, "ValidationException");
        link(&world, "acme/pipelines").await;
        let shown = update(named).await["accountSettings"].clone();
        assert_eq!(shown["pipelineProvisioningRepository"]["arn"], "arn:aws:proton:us-east-1:111111111111:repository/github:acme/pipelines");
        let both = json!({ "pipelineProvisioningRepository": branch, "deletePipelineProvisioningRepository": true });
        assert_eq!(proton.refused("UpdateAccountSettings", both).await.0, "ValidationException");
        let shown = update(json!({ "deletePipelineProvisioningRepository": true, "pipelineCodebuildRoleArn": "" })).await["accountSettings"].clone();
        assert_eq!(shown, json!({}));
        let foreign = json!({ "pipelineServiceRoleArn": role(PRODUCTION, "r").to_string() });
        assert_eq!(proton.refused("UpdateAccountSettings", foreign).await.0, "ValidationException");
        assert_eq!(proton.done("GetAccountSettings", json!({})).await["accountSettings"], json!({}));
    }
}
