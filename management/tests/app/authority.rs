//! Every use case asks the table: each of them is called in every role, and the answer must be the table's.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use hadron_domain::authority::{Action, Caller, Reach, Right, Role, reach};
use hadron_domain::component::Change;
use hadron_domain::repository::{Provider, SourceName};
use hadron_domain::template::TemplateKind;
use hadron_management::app::components::{ComponentUpdate, NewComponent};
use hadron_management::app::connections::{RolesUpdate, Side};
use hadron_management::app::deployments::Named;
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::instances::list::InstanceList;
use hadron_management::app::keys::KeyId;
use hadron_management::app::notifications::DeploymentNotice;
use hadron_management::app::repositories::NewRepository;
use hadron_management::app::settings::SettingsUpdate;
use hadron_management::app::sync::Following;
use hadron_management::app::templates::{Approval, BundleSource, NewTemplate, TemplateUpdate, VersionUpdate};
use hadron_management::app::{AppError, ErrorKind};
use hadron_management::store::sync::Follower;
use hadron_management::store::{components, connections, deployments, targets};

use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, account, asked, caller, current, environment_update, new_connection,
    new_environment, new_service, new_version, service_spec,
};

type Call<'a> = Pin<Box<dyn Future<Output = Result<(), AppError>> + Send + 'a>>;

/// Every use case of people, with the action that it is. What it asks for does not exist, or exists in the production
/// account: only who asks decides whether it is denied.
fn calls<'a>(
    world: &'a World,
    who: &'a Caller,
    connection: hadron_proto::vocab::ConnectionId,
    deployment: hadron_proto::vocab::DeploymentId,
) -> Vec<(&'static str, Action, Call<'a>)> {
    let app = &world.app;
    let kind = TemplateKind::Environment;
    let template = || "none".parse().unwrap();
    let version = || "1.0".parse().unwrap();
    let name = || "none".parse().unwrap();
    let request = |operation| asked(who, operation);
    let own = who
        .account
        .map_or_else(|| PRODUCTION.to_owned(), |account| account.to_string());
    let both = || (String::new(), String::new());
    let spec = service_spec(None, &[("blue", "none", "")]);
    macro_rules! call {
        ($name:literal, $action:ident, $future:expr) => {{
            let future = $future;
            let call: Call<'a> = Box::pin(async move { future.await.map(drop) });
            ($name, Action::$action, call)
        }};
    }
    macro_rules! read {
        ($name:literal, $action:ident, $future:expr) => {{
            let call: Call<'a> = Box::pin(async move { $future.await.map(drop) });
            ($name, Action::$action, call)
        }};
    }
    vec![
        call!(
            "request_connection",
            RequestConnection,
            app.request_connection(
                request("RequestConnection"),
                new_connection(&own, &format!("env-{}", word(who)))
            )
        ),
        read!(
            "get_connection",
            ReadConnection,
            app.get_connection(who, connection)
        ),
        read!(
            "list_connections",
            ReadConnection,
            app.list_connections(who, connections::Filter::default(), String::new(), 9)
        ),
        call!(
            "accept_connection",
            AcceptConnection,
            app.accept_connection(request("AcceptConnection"), connection, Some(account(PRODUCTION)))
        ),
        call!(
            "reject_connection",
            RejectConnection,
            app.reject_connection(request("RejectConnection"), connection)
        ),
        call!(
            "create_template",
            WriteTemplate,
            app.create_template(
                request("CreateTemplate"),
                NewTemplate::named(kind, format!("t-{}", word(who)).parse().unwrap())
            )
        ),
        call!(
            "update_template",
            WriteTemplate,
            app.update_template(
                request("UpdateTemplate"),
                TemplateUpdate {
                    kind,
                    name: template(),
                    display_name: None,
                    description: None
                }
            )
        ),
        read!(
            "get_template",
            ReadTemplate,
            app.get_template(who, kind, &template())
        ),
        read!(
            "list_templates",
            ReadTemplate,
            app.list_templates(who, None, both(), 9)
        ),
        call!(
            "delete_template",
            WriteTemplate,
            app.delete_template(request("DeleteTemplate"), kind, template())
        ),
        call!(
            "create_version",
            WriteTemplate,
            app.create_version(
                request("CreateTemplateVersion"),
                new_version(kind, template().as_str(), BundleSource::Archive(Vec::new()))
            )
        ),
        read!(
            "get_version",
            ReadTemplate,
            app.get_version(who, kind, &template(), version())
        ),
        read!(
            "list_versions",
            ReadTemplate,
            app.list_versions(who, kind, template(), None, None, 9)
        ),
        read!(
            "list_majors",
            ReadTemplate,
            app.list_majors(who, kind, template(), 0, 9)
        ),
        call!(
            "update_version",
            WriteTemplate,
            app.update_version(
                request("UpdateTemplateVersion"),
                VersionUpdate {
                    kind,
                    name: template(),
                    version: version(),
                    description: None,
                    publish: false,
                    compatible: None,
                    components: None,
                    approve: false
                }
            )
        ),
        call!(
            "approve_version",
            WriteTemplate,
            app.approve_version(
                request("ApproveTemplateVersion"),
                Approval {
                    kind,
                    name: template(),
                    version: version(),
                    capabilities: std::collections::BTreeSet::from([hadron_templates::Capability::Iam]),
                    withdraw: false
                }
            )
        ),
        call!(
            "publish_version",
            WriteTemplate,
            app.publish_version(request("PublishTemplateVersion"), kind, template(), version())
        ),
        call!(
            "delete_version",
            WriteTemplate,
            app.delete_version(request("DeleteTemplateVersion"), kind, template(), version())
        ),
        call!(
            "create_environment",
            WriteEnvironment,
            app.create_environment(request("CreateEnvironment"), new_environment("prd", None))
        ),
        read!(
            "get_environment",
            ReadEnvironment,
            app.get_environment(who, &"prd".parse().unwrap())
        ),
        read!(
            "list_environments",
            ReadEnvironment,
            app.list_targets(
                who,
                targets::Filter {
                    kind: "environment",
                    ..Default::default()
                },
                both(),
                9
            )
        ),
        call!(
            "update_environment",
            WriteEnvironment,
            app.update_environment(
                request("UpdateEnvironment"),
                environment_update("none", UpdateMode::Current)
            )
        ),
        call!(
            "delete_environment",
            WriteEnvironment,
            app.delete_environment(request("DeleteEnvironment"), "none".parse().unwrap(), Vec::new())
        ),
        call!(
            "create_service",
            WriteService,
            app.create_service(request("CreateService"), new_service("web", "none", &spec))
        ),
        read!("get_service", ReadService, app.get_service(who, &name())),
        read!(
            "list_services",
            ReadService,
            app.list_services(who, String::new(), 9)
        ),
        call!(
            "update_service",
            WriteService,
            app.update_service(request("UpdateService"), name(), Some(spec), None)
        ),
        call!(
            "delete_service",
            WriteService,
            app.delete_service(request("DeleteService"), name())
        ),
        read!(
            "get_instance",
            ReadService,
            app.get_instance(who, &name(), &"none".parse().unwrap())
        ),
        read!(
            "list_instances",
            ReadService,
            app.list_targets(
                who,
                targets::Filter {
                    kind: "instance",
                    ..Default::default()
                },
                both(),
                9
            )
        ),
        read!(
            "list_service_rows",
            ReadService,
            app.list_service_rows(who, String::new(), 9)
        ),
        read!(
            "get_service_and_pipeline",
            ReadService,
            app.get_service_and_pipeline(who, &name())
        ),
        read!(
            "list_instances in order",
            ReadService,
            app.list_instances(who, InstanceList::default(), None, 9)
        ),
        read!(
            "outputs",
            ReadEnvironment,
            app.outputs(who, &crate::world::environment("prd"), None)
        ),
        read!(
            "provisioned",
            ReadService,
            app.provisioned(who, &crate::world::pipeline("none"))
        ),
        call!("cancel_target", CancelDeployment, async move {
            let none = crate::world::instance("none", "none");
            app.cancel_target(asked(who, "CancelServiceInstanceDeployment"), &none)
                .await
        }),
        call!(
            "delete_deployment",
            DeleteDeployment,
            app.delete_deployment(
                request("DeleteDeployment"),
                "dpl_0198a5f06a5c7c4e9d550d6b7f0e4c11".parse().unwrap()
            )
        ),
        read!(
            "get_named_deployment",
            ReadDeployment,
            app.get_named_deployment(who, deployment, &Named::default())
        ),
        call!(
            "create_instance",
            WriteService,
            app.create_instance(
                request("CreateServiceInstance"),
                name(),
                "none".parse().unwrap(),
                None,
                None,
                None
            )
        ),
        call!(
            "update_instance",
            WriteService,
            app.update_instance(
                request("UpdateServiceInstance"),
                name(),
                "none".parse().unwrap(),
                current(None)
            )
        ),
        call!(
            "delete_instance",
            WriteService,
            app.delete_instance(
                request("DeleteServiceInstance"),
                name(),
                "none".parse().unwrap(),
                Vec::new()
            )
        ),
        call!(
            "create_component",
            WriteComponent,
            app.create_component(
                request("CreateComponent"),
                NewComponent {
                    name: "none".parse().unwrap(),
                    description: String::new(),
                    environment: Some("none".parse().unwrap()),
                    attached: None,
                    service_spec: None,
                    manifest: String::new(),
                    template_file: String::new(),
                }
            )
        ),
        read!(
            "get_component",
            ReadComponent,
            app.get_component(who, &"none".parse().unwrap())
        ),
        read!(
            "list_components",
            ReadComponent,
            app.list_components(who, components::Filter::default(), String::new(), 9)
        ),
        call!(
            "update_component",
            WriteComponent,
            app.update_component(
                request("UpdateComponent"),
                ComponentUpdate {
                    name: "none".parse().unwrap(),
                    deploy: true,
                    description: None,
                    change: Change::Keep,
                    service_spec: None,
                    template_file: None,
                }
            )
        ),
        call!(
            "delete_component",
            WriteComponent,
            app.delete_component(request("DeleteComponent"), "none".parse().unwrap(), Vec::new())
        ),
        read!("get_pipeline", ReadService, app.get_pipeline(who, &name())),
        call!(
            "create_pipeline",
            WriteService,
            app.create_pipeline(request("CreatePipeline"), name(), current(None))
        ),
        call!(
            "update_pipeline",
            WriteService,
            app.update_pipeline(request("UpdatePipeline"), name(), current(None))
        ),
        call!(
            "delete_pipeline",
            WriteService,
            app.delete_pipeline(request("DeletePipeline"), name(), Vec::new())
        ),
        read!(
            "get_deployment",
            ReadDeployment,
            app.get_deployment(who, deployment)
        ),
        read!(
            "list_deployments",
            ReadDeployment,
            app.list_deployments(who, deployments::Filter::default(), String::new(), 9)
        ),
        read!(
            "deployment_events",
            ReadDeployment,
            app.deployment_events(who, deployment, 0, 9)
        ),
        read!(
            "rendered_template",
            ReadDeployment,
            app.rendered_template(who, deployment)
        ),
        read!(
            "compared_template",
            ReadDeployment,
            app.compared_template(who, deployment)
        ),
        call!(
            "cancel_deployment",
            CancelDeployment,
            app.cancel_deployment(request("CancelDeployment"), deployment)
        ),
        read!(
            "view_environment",
            ReadEnvironment,
            app.view_environment(who, &"prd".parse().unwrap())
        ),
        read!(
            "list_environments of templates",
            ReadEnvironment,
            app.list_environments(who, Vec::new(), String::new(), 9)
        ),
        read!(
            "cancel_environment",
            CancelDeployment,
            app.cancel_environment(request("CancelEnvironmentDeployment"), &"prd".parse().unwrap())
        ),
        read!(
            "list_connections_of",
            ReadConnection,
            app.list_connections_of(
                who,
                Side::Environment,
                connections::Filter::default(),
                String::new(),
                9
            )
        ),
        call!(
            "update_connection",
            UpdateConnection,
            app.update_connection(request("UpdateConnection"), connection, RolesUpdate::default())
        ),
        read!("get_settings", ReadSettings, app.get_settings(who)),
        call!(
            "update_settings",
            WriteSettings,
            app.update_settings(request("UpdateSettings"), SettingsUpdate::default())
        ),
        call!(
            "link_repository",
            WriteRepository,
            app.link_repository(request("LinkRepository"), repository(who))
        ),
        call!(
            "unlink_repository",
            WriteRepository,
            app.unlink_repository(request("UnlinkRepository"), Provider::Github, source())
        ),
        read!(
            "get_repository",
            ReadRepository,
            app.get_repository(who, Provider::Github, &source())
        ),
        read!(
            "list_repositories",
            ReadRepository,
            app.list_repositories(who, both(), 9)
        ),
        call!(
            "follow",
            WriteTemplateSync,
            app.follow(request("Follow"), following(follower()))
        ),
        call!(
            "follow_other",
            WriteTemplateSync,
            app.follow_other(request("FollowOther"), following(follower()))
        ),
        call!(
            "unfollow",
            WriteTemplateSync,
            app.unfollow(request("Unfollow"), follower())
        ),
        read!("following", ReadTemplateSync, app.following(who, follower())),
        read!(
            "template_sync",
            ReadTemplateSync,
            app.template_sync(who, kind, template(), 1)
        ),
        read!(
            "sync_definitions",
            ReadTemplateSync,
            app.sync_definitions(who, Provider::Github, source(), false)
        ),
        call!(
            "follow (service)",
            WriteServiceSync,
            app.follow(request("Follow"), following(Follower::Service(name())))
        ),
        read!(
            "following (service)",
            ReadServiceSync,
            app.following(who, Follower::Service(name()))
        ),
        read!(
            "instance_sync",
            ReadServiceSync,
            app.instance_sync(who, name(), "none".parse().unwrap())
        ),
        read!(
            "sync_blockers",
            ReadServiceSync,
            app.sync_blockers(who, name(), None)
        ),
        call!(
            "resolve_blocker",
            WriteServiceSync,
            app.resolve_blocker(
                request("ResolveBlocker"),
                hadron_proto::vocab::SyncBlockerId::from_parts(1, [1; 10]),
                String::new()
            )
        ),
        read!(
            "notify_deployment",
            NotifyDeployment,
            app.notify_deployment(who, notice())
        ),
        read!("summary", ReadSummary, app.summary(who)),
        call!(
            "tag_resource",
            WriteEnvironment,
            app.tag_resource(request("TagResource"), notice().resource, Vec::new())
        ),
        read!(
            "list_tags",
            ReadEnvironment,
            app.list_tags(who, notice().resource, "", 9)
        ),
        read!(
            "list_access",
            ReadAccess,
            app.list_access(who, Default::default(), 9)
        ),
        read!(
            "list_audit",
            ReadAudit,
            app.list_audit(who, Default::default(), 0, 9)
        ),
        call!(
            "grant_access",
            WriteAccess,
            app.grant_access(
                request("GrantAccess"),
                "token:x".parse().unwrap(),
                Right::everywhere(Role::Auditor)
            )
        ),
        call!(
            "revoke_access",
            WriteAccess,
            app.revoke_access(
                request("RevokeAccess"),
                "token:x".to_owned(),
                Right::everywhere(Role::Auditor)
            )
        ),
        read!("list_keys", ReadAccess, app.list_keys(who, 9)),
        call!(
            "end_key",
            WriteAccess,
            app.end_key(
                request("EndKey"),
                KeyId::AccessKey("HUBAAAAAAAAAAAAAAAAA".to_owned())
            )
        ),
        read!("list_grants", ReadGrant, app.list_grants(who)),
        read!(
            "list_agents",
            ReadAgent,
            app.list_agents(who, None, String::new(), 9)
        ),
        call!(
            "delete_connection",
            DeleteConnection,
            app.delete_connection(request("DeleteConnection"), connection)
        ),
    ]
}

fn source() -> SourceName {
    "acme/none".parse().unwrap()
}

fn word(who: &Caller) -> &'static str {
    who.role().unwrap().word()
}

fn repository(who: &Caller) -> NewRepository {
    NewRepository {
        provider: Provider::Github,
        name: format!("acme/{}", word(who)).parse().unwrap(),
        connection_arn: format!(
            "arn:aws:codeconnections:us-east-1:{PRODUCTION}:connection/0a1b2c3d-0000-4000-8000-0123456789ab"
        ),
        encryption_key: String::new(),
    }
}

fn follower() -> Follower {
    Follower::Template(TemplateKind::Environment, "none".parse().unwrap())
}

fn following(follower: Follower) -> Following {
    Following {
        follower,
        provider: Provider::Github,
        repository: source(),
        branch: "main".to_owned(),
        path: "here".to_owned(),
    }
}

fn notice() -> DeploymentNotice {
    DeploymentNotice {
        resource: format!(
            "arn:aws:proton:us-east-1:{}:environment/prd",
            crate::world::MANAGEMENT
        )
        .parse()
        .unwrap(),
        deployment: None,
        outputs: Vec::new(),
        message: String::new(),
    }
}

scenarios! {
    async fn every_use_case_keeps_to_the_table(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let made = world.create_environment("prd", Some(connection)).await.unwrap();
        let deployment = made.attempted.unwrap().0;
        let mut seen = BTreeSet::new();
        for role in Role::ALL {
            for of in [None, Some(PRODUCTION), Some(STAGING)] {
                let who = caller(role, of);
                for (name, action, call) in calls(&world, &who, connection, deployment) {
                    seen.insert(action);
                    let before = world.denied().await.len();
                    let outcome = call.await;
                    let denied = matches!(&outcome, Err(error) if error.kind == ErrorKind::Denied);
                    let unknown = matches!(&outcome, Err(error) if error.kind == ErrorKind::NotFound);
                    let what = format!("{name} as {role:?} of {of:?}: {outcome:?}");
                    let existing = matches!(name, "get_connection" | "get_environment" | "get_deployment" | "deployment_events"
                        | "rendered_template" | "compared_template" | "cancel_deployment" | "delete_connection" | "update_connection"
                        | "view_environment" | "get_named_deployment" | "outputs" | "notify_deployment" | "list_tags");
                    match reach(role, action) {
                        Reach::None => assert!(denied, "{what}"),
                        // Something of another account looks like nothing, except to those who may read it.
                        Reach::OwnAccount if existing && of != Some(PRODUCTION) => assert!(denied || unknown, "{what}"),
                        Reach::OwnAccount if action == Action::RequestConnection && of.is_none() => assert!(denied, "{what}"),
                        Reach::OwnAccount | Reach::Everything => {
                            assert!(!denied, "{what}");
                            assert!(!(existing && unknown), "{what}");
                        }
                    }
                    let audited = world.denied().await.len() - before;
                    assert_eq!(audited, usize::from(denied), "{what}");
                }
                // Every time the same: the connection is there and the deployment can be cancelled.
                if world.app.get_connection(&crate::world::auditor(), connection).await.unwrap().connection.approval.word() != "CONNECTED" {
                    return_to_start(&world, connection).await;
                }
            }
        }
        // What values are read is no call of its own: it decides how those above are answered. See `masked.rs`.
        seen.insert(Action::ReadPlaintext);
        assert_eq!(seen, Action::ALL.into_iter().collect());
    }
}

/// The owner has withdrawn the connection: for the next caller it is as it was.
async fn return_to_start(world: &World, id: hadron_proto::vocab::ConnectionId) {
    let written = world.app.write("connected again", move |unit| {
        Box::pin(async move {
            let mut row = connections::get(unit.tx, id).await?.unwrap();
            row.connection.approval =
                hadron_domain::connection::Approval::Connected(row.connection.requested.clone());
            Ok(connections::put(unit.tx, &row).await?)
        })
    });
    written.await.unwrap();
}
