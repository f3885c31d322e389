//! Request ids: the same request again gets the same answer and is done once; watchers are woken by commits.

use std::time::Duration;

use hadron_domain::template::TemplateKind;
use hadron_management::app::ErrorKind;
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::templates::{BundleSource, NewTemplate};
use hadron_management::store::{Topic, outbox};

use crate::scenarios;
use crate::world::{
    PRODUCTION, account, administrator, archive, current, developer, environment, environment_update,
    example, identified, instance, new_connection, new_environment, new_service, new_version, owner, reason,
    service_spec,
};

const PLAIN: &str = "minimal-svc-no-pipeline";

scenarios! {
    async fn connections_are_asked_for_and_decided_once(world: World) {
        let ask = || world.app.request_connection(identified(&owner(PRODUCTION), "RequestConnection", "r1", "prd"), new_connection(PRODUCTION, "prd"));
        let id = ask().await.unwrap().connection.id;
        assert_eq!(ask().await.unwrap().connection.id, id);
        let accept = || world.app.accept_connection(identified(&administrator(), "AcceptConnection", "r2", "a"), id, Some(account(PRODUCTION)));
        accept().await.unwrap();
        assert_eq!(accept().await.unwrap().connection.approval.word(), "CONNECTED");
        // The same id for another request.
        let other = world.app.reject_connection(identified(&administrator(), "RejectConnection", "r2", "a"), id).await.unwrap_err();
        assert_eq!((other.kind, other.reason), (ErrorKind::Conflict, "REQUEST_ID_REUSED"));
        let other = world.app.accept_connection(identified(&administrator(), "AcceptConnection", "r2", "b"), id, Some(account(PRODUCTION)));
        assert_eq!(reason(other.await), "REQUEST_ID_REUSED");
        // Ids of different people are different ids.
        let delete = || world.app.delete_connection(identified(&owner(PRODUCTION), "DeleteConnection", "r2", "a"), id);
        delete().await.unwrap();
        assert_eq!(delete().await.unwrap().connection.approval.word(), "DELETED");
        world.request(PRODUCTION, "prd").await.unwrap();
        assert_eq!(ask().await.unwrap().connection.id, id, "remembered although another exists");
    }

    async fn a_request_sent_again_while_it_is_under_way_is_not_refused_for_what_it_did(world: World) {
        let admin = administrator();
        for number in 0..10 {
            let name = format!("twice-{number}");
            let create = || world.app.create_template(
                identified(&admin, "CreateTemplate", &name, ""),
                NewTemplate::named(TemplateKind::Environment, name.parse().unwrap()),
            );
            let outcomes = futures::future::join_all((0..8).map(|_| create())).await;
            assert!(outcomes.iter().any(Result::is_ok), "{name}");
            for error in outcomes.into_iter().filter_map(Result::err) {
                // Whoever asks again is answered.
                let again = error.kind == ErrorKind::Unavailable || error.reason == "CONFLICT";
                assert!(again, "{name}: {}", error.story());
            }
            assert_eq!(create().await.unwrap().name.as_str(), name);
        }
    }

    async fn templates_are_changed_once(world: World) {
        const KIND: TemplateKind = TemplateKind::Environment;
        let name = || "minimal-env".parse().unwrap();
        let admin = administrator();
        let create = || world.app.create_template(identified(&admin, "CreateTemplate", "t1", ""), NewTemplate::named(KIND, name()));
        create().await.unwrap();
        assert_eq!(create().await.unwrap().name, name());
        let new = || new_version(KIND, "minimal-env", BundleSource::Archive(archive(&example("minimal-env"))));
        let register = || world.app.create_version(identified(&admin, "CreateTemplateVersion", "t2", ""), new());
        let first = register().await.unwrap();
        assert_eq!(register().await.unwrap(), first);
        let publish = || world.app.publish_version(identified(&admin, "PublishTemplateVersion", "t3", ""), KIND, name(), first.row.version);
        publish().await.unwrap();
        assert_eq!(publish().await.unwrap().state.word(), "PUBLISHED");
        let delete = || world.app.delete_version(identified(&admin, "DeleteTemplateVersion", "t4", ""), KIND, name(), first.row.version);
        delete().await.unwrap();
        assert_eq!(delete().await.unwrap().row.version, first.row.version);
        let remove = || world.app.delete_template(identified(&admin, "DeleteTemplate", "t5", ""), KIND, name());
        remove().await.unwrap();
        assert_eq!(remove().await.unwrap().name, name());
    }

    async fn deployments_are_begun_once(world: World) {
        world.templates().await;
        let agent = world.management_agent().await;
        let (admin, dev) = (administrator(), developer());
        let create = || world.app.create_environment(identified(&admin, "CreateEnvironment", "e1", ""), new_environment("dev", None));
        let first = create().await.unwrap();
        assert_eq!(create().await.unwrap(), first);
        agent.succeed_all(&world).await;
        assert_eq!(create().await.unwrap().status, "SUCCEEDED");
        let update = || world.app.update_environment(identified(&admin, "UpdateEnvironment", "e2", ""), environment_update("dev", UpdateMode::Current));
        let id = update().await.unwrap().attempted;
        assert_eq!(update().await.unwrap().attempted, id);
        let cancel = || world.app.cancel_deployment(identified(&admin, "CancelDeployment", "e3", ""), id.unwrap().0);
        cancel().await.unwrap();
        assert_eq!(cancel().await.unwrap().deployment.word(), "CANCELLED");

        let spec = service_spec(None, &[("blue", "dev", ""), ("green", "dev", "")]);
        let service = || world.app.create_service(identified(&dev, "CreateService", "s1", ""), new_service("web", PLAIN, &spec));
        service().await.unwrap();
        service().await.unwrap();
        world.settle().await;
        agent.succeed_all(&world).await;
        let web = || "web".parse().unwrap();
        let deploy = || world.app.update_instance(identified(&dev, "UpdateServiceInstance", "s2", ""), web(), "blue".parse().unwrap(), current(None));
        let id = deploy().await.unwrap().attempted;
        assert_eq!(deploy().await.unwrap().attempted, id);
        agent.succeed_all(&world).await;
        let remove = || world.app.delete_instance(identified(&dev, "DeleteServiceInstance", "s3", ""), web(), "green".parse().unwrap(), Vec::new());
        remove().await.unwrap();
        world.settle().await;
        assert_eq!(remove().await.unwrap().status, "DELETE_IN_PROGRESS");
        agent.succeed_all(&world).await;
        assert!(world.find(&instance("web", "green")).await.is_none());
        let delete = || world.app.delete_service(identified(&dev, "DeleteService", "s4", ""), web());
        delete().await.unwrap();
        assert_eq!(delete().await.unwrap().service.status.word(), "DELETE_IN_PROGRESS");
        world.settle().await;
        agent.succeed_all(&world).await;
        let delete = || world.app.delete_environment(identified(&admin, "DeleteEnvironment", "e4", ""), "dev".parse().unwrap(), Vec::new());
        let id = delete().await.unwrap().attempted;
        assert_eq!(delete().await.unwrap().attempted, id);
        agent.succeed_all(&world).await;
        assert!(world.find(&environment("dev")).await.is_none());
    }

    async fn ids_are_forgotten_after_two_days(world: World) {
        let ask = || world.app.request_connection(identified(&owner(PRODUCTION), "RequestConnection", "r1", "prd"), new_connection(PRODUCTION, "prd"));
        ask().await.unwrap();
        world.pass(Duration::from_secs(47 * 3600)).await;
        hadron_management::reconcile::forget(world.app.clone()).await.unwrap();
        ask().await.unwrap();
        world.pass(Duration::from_secs(2 * 3600)).await;
        hadron_management::reconcile::forget(world.app.clone()).await.unwrap();
        assert_eq!(reason(ask().await), "CONNECTION_EXISTS");
    }

    async fn whoever_watches_is_woken_by_every_commit_and_agents_by_their_jobs(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let agent = world.agent(connection).await;
        let mut changes = world.app.db().subscribe(Topic::Changes);
        let mut lane = world.app.db().subscribe(Topic::Jobs { account: account(PRODUCTION), region: crate::world::region() });
        let soon = Duration::from_secs(10);
        world.create_environment("prd", Some(connection)).await.unwrap();
        tokio::time::timeout(soon, changes.woken()).await.unwrap();
        tokio::time::timeout(soon, lane.woken()).await.unwrap();
        let offer = agent.take_one(&world).await;
        tokio::time::timeout(soon, changes.woken()).await.unwrap();
        let mut outbox = world.app.db().subscribe(Topic::Outbox);
        agent.succeed(&world, &offer).await;
        tokio::time::timeout(soon, changes.woken()).await.unwrap();
        world.update_environment(environment_update("prd", UpdateMode::Current)).await.unwrap();
        tokio::time::timeout(soon, lane.woken()).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), outbox.woken()).await.is_err(), "environments need no follow-up");
        hadron_management::reconcile::ask_busy_services(&world.app).await.unwrap();
        tokio::time::timeout(soon, outbox.woken()).await.unwrap();
    }

    async fn what_a_dead_hub_held_is_free_at_once_where_there_is_no_other(world: World) {
        let claim = || world.app.write("claim", |unit| {
            Box::pin(async move {
                let until = unit.now.plus(Duration::from_secs(60));
                Ok(outbox::claim(unit.tx, unit.now, until, 9).await?.len())
            })
        });
        while hadron_management::reconcile::drain(&world.app).await.unwrap().is_zero() {}
        hadron_management::reconcile::ask_busy_services(&world.app).await.unwrap();
        assert_eq!((claim().await.unwrap(), claim().await.unwrap()), (1, 0), "held by whoever claimed it");
        // It starts again. On a database that others may work on too, nobody knows whose claim it was.
        hadron_management::reconcile::ask_busy_services(&world.app).await.unwrap();
        assert_eq!(claim().await.unwrap(), usize::from(!world.app.db().is_shared()));
    }

    async fn two_at_once_leave_one_deployment(world: World) {
        world.environment_template().await;
        let agent = world.management_agent().await;
        world.create_environment("dev", None).await.unwrap();
        agent.succeed_all(&world).await;
        let all = (0..8).map(|_| world.update_environment(environment_update("dev", UpdateMode::Current)));
        let outcomes = futures::future::join_all(all).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(outcome.kind, ErrorKind::Conflict | ErrorKind::Unavailable), "{}", outcome.story());
        }
        assert_eq!(world.active().await.len(), 1);
        let takes = futures::future::join_all((0..4).map(|_| agent.take(&world))).await;
        assert_eq!(takes.iter().map(Vec::len).sum::<usize>(), 1);
    }
}
