//! Tags: given, taken over, managed, and gone with what they were on.

use hadron_domain::authority::{Caller, Role};
use hadron_management::app::templates::NewTemplate;
use hadron_management::app::{AppError, Request};

use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, STAGING, World, administrator, archive, asked, auditor, caller, developer,
    example, owner, reason, service_spec,
};
use hadron_domain::template::TemplateKind;

fn arn(resource: &str) -> String {
    format!("arn:aws:proton:us-east-1:{MANAGEMENT}:{resource}")
}

fn with_tags(request: Request, tags: &[(&str, &str)]) -> Request {
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Request {
        tags: tags.collect(),
        ..request
    }
}

/// All tags as `key=value`, those that are managed only by their key.
async fn tags(world: &World, arn: &str) -> Vec<String> {
    let all = world
        .app
        .list_tags(&auditor(), arn.parse().unwrap(), "", 100)
        .await
        .unwrap();
    all.into_iter()
        .map(|(key, value)| {
            if key.starts_with("aws:") {
                key
            } else {
                format!("{key}={value}")
            }
        })
        .collect()
}

async fn give(world: &World, caller: &Caller, arn: &str, tags: &[(&str, &str)]) -> Result<(), AppError> {
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    world
        .app
        .tag_resource(asked(caller, "TagResource"), arn.parse().unwrap(), tags.collect())
        .await
}

async fn take(world: &World, caller: &Caller, arn: &str, keys: &[&str]) -> Result<(), AppError> {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    world
        .app
        .untag_resource(asked(caller, "UntagResource"), arn.parse().unwrap(), keys)
        .await
}

scenarios! {
    async fn tags_are_given_overwritten_taken_and_listed_by_page(world: World) {
        world.environment_template().await;
        let template = arn("environment-template/minimal-env");
        let admin = administrator();
        give(&world, &admin, &template, &[("team", "a"), ("cost", "1")]).await.unwrap();
        give(&world, &admin, &template, &[("team", "b")]).await.unwrap();
        let managed = ["aws:proton:account", "aws:proton:template"];
        assert_eq!(tags(&world, &template).await, [managed[0], managed[1], "cost=1", "team=b"]);
        take(&world, &admin, &template, &["cost", "never there"]).await.unwrap();
        let page = world.app.list_tags(&auditor(), template.parse().unwrap(), "aws:proton:account", 1).await.unwrap();
        assert_eq!(page, [("aws:proton:template".to_owned(), template.clone())]);
        assert_eq!(tags(&world, &template).await, [managed[0], managed[1], "team=b"]);
        // What is managed cannot be given or taken, and nothing has more than fifty.
        assert_eq!(reason(give(&world, &admin, &template, &[("aws:x", "y")]).await), "TAG");
        assert_eq!(reason(take(&world, &admin, &template, &["aws:proton:account"]).await), "TAG");
        let many: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "v")).collect();
        assert_eq!(reason(give(&world, &admin, &template, &many).await), "TAG");
        assert_eq!(tags(&world, &template).await.len(), 3);
    }

    async fn what_has_no_such_arn_here_has_no_tags(world: World) {
        world.environment_template().await;
        let admin = administrator();
        for wrong in [
            arn("environment-template/other"),
            arn("environment-template/minimal-env:9.9"),
            arn("environment/prd"),
            arn("repository/github:acme/web"),
            format!("arn:aws:proton:us-east-1:{PRODUCTION}:environment-template/minimal-env"),
            format!("arn:aws:proton:eu-west-1:{MANAGEMENT}:environment-template/minimal-env"),
        ] {
            assert_eq!(reason(give(&world, &admin, &wrong, &[("a", "b")]).await), "NOT_FOUND", "{wrong}");
            let listed = world.app.list_tags(&auditor(), wrong.parse().unwrap(), "", 10).await;
            assert_eq!(reason(listed), "NOT_FOUND", "{wrong}");
        }
        for never in [arn("environment-template/minimal-env:1"), arn("deployment/0190a5d0-1111-7222-8333-444455556666")] {
            assert_eq!(reason(give(&world, &admin, &never, &[("a", "b")]).await), "NOT_TAGGABLE", "{never}");
        }
    }

    async fn who_may_change_a_thing_may_change_its_tags(world: World) {
        world.templates().await;
        let id = world.connected(PRODUCTION, "prd").await;
        let template = arn("environment-template/minimal-env");
        assert_eq!(reason(give(&world, &developer(), &template, &[("a", "b")]).await), "DENIED");
        assert_eq!(reason(give(&world, &auditor(), &template, &[("a", "b")]).await), "DENIED");
        let connection =
            format!("arn:aws:proton:us-east-1:{PRODUCTION}:environment-account-connection/{}", id.as_uuid());
        give(&world, &owner(PRODUCTION), &connection, &[("a", "b")]).await.unwrap();
        // What is another account's does not exist.
        assert_eq!(reason(give(&world, &owner(STAGING), &connection, &[("a", "c")]).await), "NOT_FOUND");
        // Nobody of the management account owns the connection, administrators included.
        assert_eq!(reason(give(&world, &administrator(), &connection, &[("a", "c")]).await), "DENIED");
        // Connections have no managed tags.
        assert_eq!(tags(&world, &connection).await, ["a=b"]);
        let others = world.app.list_tags(&owner(STAGING), connection.parse().unwrap(), "", 10).await;
        assert_eq!(reason(others), "NOT_FOUND");
        assert!(caller(Role::Owner, Some(PRODUCTION)) == owner(PRODUCTION));
    }

    async fn tags_come_down_at_creation_and_go_with_the_thing(world: World) {
        // A version takes over its template's tags of that moment.
        let request = with_tags(asked(&administrator(), "CreateTemplate"), &[("team", "platform")]);
        let kind = TemplateKind::Environment;
        let made = world
            .app
            .create_template(request, NewTemplate::named(kind, "minimal-env".parse().unwrap()))
            .await;
        made.unwrap();
        let bundle = archive(&example("minimal-env"));
        world.published(kind, "minimal-env", None, bundle.clone(), &[]).await;
        let template = arn("environment-template/minimal-env");
        give(&world, &administrator(), &template, &[("team", "other")]).await.unwrap();
        world.published(kind, "minimal-env", Some(1), bundle, &[]).await;
        let managed = ["aws:proton:account", "aws:proton:template"];
        let first = arn("environment-template/minimal-env:1.0");
        assert_eq!(tags(&world, &first).await, [managed[0], managed[1], "team=platform"]);
        let second = arn("environment-template/minimal-env:1.1");
        assert_eq!(tags(&world, &second).await, [managed[0], managed[1], "team=other"]);

        // Instances take over those of their environment and of their service, whose own win.
        world.template(TemplateKind::Service, "minimal-svc-no-pipeline", true).await;
        let bundle = archive(&example("minimal-svc-no-pipeline"));
        world.published(TemplateKind::Service, "minimal-svc-no-pipeline", None, bundle, &["minimal-env:1"]).await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        give(&world, &administrator(), &arn("environment/prd"), &[("stage", "prd"), ("team", "platform")]).await.unwrap();
        let spec = service_spec(None, &[("blue", "prd", "")]);
        let request = with_tags(asked(&developer(), "CreateService"), &[("team", "shop")]);
        let new = crate::world::new_service("web", "minimal-svc-no-pipeline", &spec);
        world.app.create_service(request, new).await.unwrap();
        world.settle().await;
        agent.succeed_all(&world).await;
        let service = arn("service/web");
        assert_eq!(tags(&world, &service).await, [managed[0], "aws:proton:service", managed[1], "team=shop"]);
        let instance = arn("service/web/service-instance/blue");
        let told = [
            "aws:proton:account",
            "aws:proton:environment",
            "aws:proton:service",
            "aws:proton:service-instance",
            "aws:proton:template",
            "stage=prd",
            "team=shop",
        ];
        assert_eq!(tags(&world, &instance).await, told);
        // Not to what is there already.
        give(&world, &developer(), &service, &[("later", "1")]).await.unwrap();
        assert_eq!(tags(&world, &instance).await, told);

        // A wrong tag undoes the creation.
        let request = with_tags(asked(&developer(), "CreateService"), &[("aws:x", "y")]);
        let new = crate::world::new_service("bad", "minimal-svc-no-pipeline", &spec);
        assert_eq!(reason(world.app.create_service(request, new).await), "TAG");

        world.delete_service("web").await.unwrap();
        agent.succeed_all(&world).await;
        world.settle().await;
        let left = world
            .rows("SELECT resource AS topic, key, value AS more FROM tag WHERE resource LIKE 'service/%'", &[])
            .await;
        assert_eq!(left, Vec::<String>::new());
    }
}
