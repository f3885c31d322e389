//! Linked repositories, what follows them, and what keeps services from being synced.

use hadron_domain::repository::{Provider, SourceName};
use hadron_domain::template::TemplateKind;
use hadron_management::app::repositories::NewRepository;
use hadron_management::app::sync::Following;
use hadron_management::app::{AppError, Request};
use hadron_management::store::repositories::RepositoryRow;
use hadron_management::store::sync::{Follower, SyncRow};

use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, World, administrator, asked, auditor, current, developer, reason, service_spec,
};

const WEB: &str = "minimal-svc-no-pipeline";

fn name(text: &str) -> SourceName {
    text.parse().unwrap()
}

fn link() -> String {
    format!("arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/0a1b2c3d-0000-4000-8000-0123456789ab")
}

async fn linked(
    world: &World,
    request: Request,
    repository: &str,
    connection: &str,
) -> Result<RepositoryRow, AppError> {
    let new = NewRepository {
        provider: Provider::Github,
        name: name(repository),
        connection_arn: connection.to_owned(),
        encryption_key: String::new(),
    };
    world.app.link_repository(request, new).await
}

fn template() -> Follower {
    Follower::Template(TemplateKind::Environment, "minimal-env".parse().unwrap())
}

fn service() -> Follower {
    Follower::Service("web".parse().unwrap())
}

fn following(follower: Follower, repository: &str, branch: &str, path: &str) -> Following {
    Following {
        follower,
        provider: Provider::Github,
        repository: name(repository),
        branch: branch.to_owned(),
        path: path.to_owned(),
    }
}

async fn follow(world: &World, new: Following) -> Result<SyncRow, AppError> {
    world.app.follow(asked(&administrator(), "Follow"), new).await
}

scenarios! {
    async fn repositories_are_linked_once_listed_by_page_and_unlinked(world: World) {
        let request = || asked(&administrator(), "LinkRepository");
        assert_eq!(reason(linked(&world, request(), "acme/web", "arn:aws:iam::1:role/x").await), "INVALID_ARGUMENT");
        assert_eq!(reason(linked(&world, asked(&developer(), "LinkRepository"), "acme/web", &link()).await), "DENIED");
        for repository in ["acme/b", "acme/a", "acme/c"] {
            linked(&world, request(), repository, &link()).await.unwrap();
        }
        assert_eq!(reason(linked(&world, request(), "acme/a", &link()).await), "REPOSITORY_EXISTS");
        // As Proton does it: the very same creation is answered with what it made.
        let again = Request { repeatable: true, ..request() };
        assert_eq!(linked(&world, again.clone(), "acme/a", &link()).await.unwrap().name, name("acme/a"));
        let other = Request { hash: hadron_proto::vocab::Digest::of(b"other"), ..again };
        assert_eq!(reason(linked(&world, other, "acme/a", &link()).await), "REPOSITORY_EXISTS");

        let first = world.app.list_repositories(&auditor(), (String::new(), String::new()), 2).await.unwrap();
        let names: Vec<&str> = first.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["acme/a", "acme/b"]);
        let rest = world.app.list_repositories(&auditor(), ("GITHUB".to_owned(), "acme/b".to_owned()), 2).await.unwrap();
        assert_eq!(rest.len(), 1);

        let unlink = |repository: &str| {
            world.app.unlink_repository(asked(&administrator(), "UnlinkRepository"), Provider::Github, name(repository))
        };
        assert!(unlink("acme/a").await.unwrap().is_some());
        assert_eq!(reason(unlink("acme/a").await), "NOT_FOUND");
        assert_eq!(reason(world.app.get_repository(&auditor(), Provider::Github, &name("acme/a")).await), "NOT_FOUND");
        assert_eq!(reason(world.app.get_repository(&auditor(), Provider::Bitbucket, &name("acme/b")).await), "NOT_FOUND");
    }

    async fn templates_follow_branches_and_nothing_is_ever_synced(world: World) {
        world.environment_template().await;
        let wanted = || following(template(), "acme/infra", "main", "infra");
        assert_eq!(reason(follow(&world, wanted()).await), "NOT_FOUND");
        linked(&world, asked(&administrator(), "LinkRepository"), "acme/infra", &link()).await.unwrap();
        let missing = Follower::Template(TemplateKind::Service, "minimal-env".parse().unwrap());
        assert_eq!(reason(follow(&world, following(missing, "acme/infra", "main", "")).await), "NOT_FOUND");
        follow(&world, wanted()).await.unwrap();
        assert_eq!(reason(follow(&world, wanted()).await), "SYNC_EXISTS");
        let in_use = world
            .app
            .unlink_repository(asked(&administrator(), "UnlinkRepository"), Provider::Github, name("acme/infra"))
            .await;
        assert_eq!(reason(in_use), "REPOSITORY_IN_USE");

        let change = following(template(), "acme/infra", "release", "");
        let changed = world.app.follow_other(asked(&administrator(), "FollowOther"), change).await.unwrap();
        assert_eq!((changed.branch.as_str(), changed.path.as_str()), ("release", ""));
        let who = developer();
        let status = |major| world.app.template_sync(&who, TemplateKind::Environment, "minimal-env".parse().unwrap(), major);
        assert_eq!(status(1).await.unwrap().branch, "release");
        assert_eq!(reason(status(2).await), "VERSION_NOT_FOUND");
        let found = world.app.sync_definitions(&auditor(), Provider::Github, name("acme/infra"), false).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].directory.as_str(), found[0].target.as_str()), ("minimal-env/v1", "minimal-env:1"));
        let none = world.app.sync_definitions(&auditor(), Provider::Github, name("acme/infra"), true).await.unwrap();
        assert!(none.is_empty());

        let stop = || world.app.unfollow(asked(&administrator(), "Unfollow"), template());
        assert!(stop().await.unwrap().is_some());
        assert_eq!(reason(stop().await), "NOT_FOUND");
        assert_eq!(reason(world.app.following(&auditor(), template()).await), "NOT_FOUND");
    }

    async fn changes_by_hand_block_a_services_sync(world: World) {
        world.templates().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.create_service("web", WEB, &service_spec(None, &[("blue", "prd", "")])).await.unwrap();
        agent.succeed_all(&world).await;
        let who = auditor();
        let blockers = |instance: Option<&str>| {
            world.app.sync_blockers(&who, "web".parse().unwrap(), instance.map(|name| name.parse().unwrap()))
        };
        // Nothing is synced, so nothing has to be kept from it.
        world.update_instance("web", "blue", current(None)).await.unwrap();
        agent.succeed_all(&world).await;
        assert!(blockers(Some("blue")).await.unwrap().is_empty());

        linked(&world, asked(&administrator(), "LinkRepository"), "acme/web", &link()).await.unwrap();
        follow(&world, following(service(), "acme/web", "main", "proton-ops.yaml")).await.unwrap();
        world.update_instance("web", "blue", current(None)).await.unwrap();
        agent.succeed_all(&world).await;
        world.update_instance("web", "blue", current(None)).await.unwrap();
        agent.succeed_all(&world).await;
        let found = blockers(Some("blue")).await.unwrap();
        assert_eq!(found.len(), 1, "one is enough: {found:?}");
        assert!(blockers(None).await.unwrap().is_empty());

        let both = service_spec(None, &[("blue", "prd", ""), ("green", "prd", "")]);
        world.update_service("web", &both).await.unwrap();
        agent.succeed_all(&world).await;
        assert_eq!(blockers(Some("green")).await.unwrap().len(), 1);
        world.update_service("web", &service_spec(None, &[("blue", "prd", "")])).await.unwrap();
        agent.succeed_all(&world).await;
        let whole = blockers(None).await.unwrap();
        assert_eq!(whole[0].reason, "deleted by hand: green");
        assert_eq!(reason(blockers(Some("green")).await), "NOT_FOUND");

        let resolve = |why: &str| {
            world.app.resolve_blocker(asked(&developer(), "ResolveBlocker"), whole[0].id, why.to_owned())
        };
        let resolved = resolve("the repository has it now").await.unwrap();
        assert_eq!(resolved.resolved.unwrap().1, "the repository has it now");
        assert_eq!(reason(resolve("again").await), "BLOCKER_RESOLVED");
        let unknown = found[0].id.as_uuid();
        assert_ne!(unknown, whole[0].id.as_uuid());
        let never = hadron_proto::vocab::SyncBlockerId::from_parts(1, [1; 10]);
        let never = world.app.resolve_blocker(asked(&developer(), "ResolveBlocker"), never, String::new()).await;
        assert_eq!(reason(never), "NOT_FOUND");
        let status = |instance: &str| {
            world.app.instance_sync(&who, "web".parse().unwrap(), instance.parse().unwrap())
        };
        assert_eq!(status("blue").await.unwrap().path, "proton-ops.yaml");
        assert_eq!(reason(status("red").await), "NOT_FOUND");

        // All of it goes with the service.
        world.delete_service("web").await.unwrap();
        agent.succeed_all(&world).await;
        world.settle().await;
        let left = world.rows("SELECT id AS topic, service AS key, reason AS more FROM sync_blocker", &[]).await;
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(reason(world.app.following(&auditor(), service()).await), "NOT_FOUND");
    }
}
