//! Pull grants follow services, and deployments wait for them.

use hadron_management::app::deployments::waiting_for;
use hadron_management::app::effects::FailureKind;
use hadron_management::app::work::{Offer, OfferedWork};
use hadron_management::reconcile;

use crate::agent::{Agent, failed};
use crate::scenarios;
use crate::world::{PRODUCTION, STAGING, World, current, instance, service_spec};

const WEB: &str = "minimal-svc";
const PLAIN: &str = "minimal-svc-no-pipeline";
const IMAGE: &str = "image: 111111111111.dkr.ecr.us-east-1.amazonaws.com/team/api:1";

async fn place(world: &World) -> [Agent; 3] {
    world.templates().await;
    let (_, prd) = world.environment(PRODUCTION, "prd").await;
    let (_, stg) = world.environment(STAGING, "stg").await;
    [prd, stg, world.management_agent().await]
}

fn policy(offer: &Offer) -> (String, Vec<String>) {
    match &offer.work {
        OfferedWork::SetPullPolicy { repository, readers } => (
            repository.clone(),
            readers.iter().map(ToString::to_string).collect(),
        ),
        other => panic!("no policy: {other:?}"),
    }
}

async fn everything(world: &World, agents: &[Agent]) {
    for _ in 0..4 {
        for agent in agents {
            agent.succeed_all(world).await;
        }
    }
}

scenarios! {
    async fn an_image_in_a_spec_is_granted_before_it_is_deployed(world: World) {
        let [prd, _, hub] = place(&world).await;
        world.create_service("api", PLAIN, &service_spec(None, &[("blue", "prd", IMAGE)])).await.unwrap();
        assert!(prd.take(&world).await.is_empty());
        let waiting = world.last(&instance("api", "blue")).await;
        assert!(waiting_for(&waiting).unwrap().contains("team/api"));
        assert_eq!(world.grants().await, ["team/api 333333333333 WANTED"]);
        let offer = hub.take_one(&world).await;
        assert_eq!(policy(&offer), ("team/api".to_owned(), vec![PRODUCTION.to_owned()]));
        hub.succeed(&world, &offer).await;
        assert_eq!(world.grants().await, ["team/api 333333333333 APPLIED"]);
        prd.succeed_all(&world).await;
        assert_eq!(world.service_status("api").await, "ACTIVE");
        // Nothing more to write.
        world.update_instance("api", "blue", current(None)).await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        prd.succeed_all(&world).await;
    }

    async fn a_pipelines_repository_is_granted_to_every_account_of_its_service(world: World) {
        let agents = place(&world).await;
        let [_, _, hub] = &agents;
        let one = service_spec(None, &[("blue", "prd", "")]);
        world.create_service("web", WEB, &one).await.unwrap();
        everything(&world, &agents).await;
        assert_eq!(world.grants().await, ["web 333333333333 APPLIED"]);
        let both = service_spec(None, &[("blue", "prd", ""), ("green", "stg", ""), ("red", "prd", "")]);
        world.update_service("web", &both).await.unwrap();
        let offer = hub.take_one(&world).await;
        assert_eq!(policy(&offer), ("web".to_owned(), vec![PRODUCTION.to_owned(), STAGING.to_owned()]));
        hub.succeed(&world, &offer).await;
        everything(&world, &agents).await;
        assert_eq!(world.grants().await, ["web 333333333333 APPLIED", "web 444444444444 APPLIED"]);
        // One of two reasons goes: the account stays. The last goes: the account goes, and only that one.
        world.update_service("web", &service_spec(None, &[("blue", "prd", ""), ("green", "stg", "")])).await.unwrap();
        everything(&world, &agents).await;
        assert_eq!(world.grants().await.len(), 2);
        world.update_service("web", &service_spec(None, &[("green", "stg", "")])).await.unwrap();
        everything(&world, &agents).await;
        assert_eq!(world.grants().await, ["web 444444444444 APPLIED"]);
        world.delete_service("web").await.unwrap();
        everything(&world, &agents).await;
        assert_eq!(world.grants().await, Vec::<String>::new());
    }

    async fn a_policy_that_cannot_be_written_fails_what_waits_for_it(world: World) {
        let [prd, _, hub] = place(&world).await;
        world.create_service("api", PLAIN, &service_spec(None, &[("blue", "prd", IMAGE)])).await.unwrap();
        let offer = hub.take_one(&world).await;
        hub.report(&world, &offer, failed(&offer, FailureKind::PolicyTooLong, "the policy is too long")).await;
        let row = world.target(&instance("api", "blue")).await;
        assert_eq!(row.status, "FAILED");
        assert!(row.message.contains("the policy is too long"), "{}", row.message);
        assert_eq!(world.service_status("api").await, "CREATE_FAILED");
        assert_eq!(world.grants().await, ["team/api 333333333333 BLOCKED"]);
        // The next deployment tries it once more.
        world.update_instance("api", "blue", current(None)).await.unwrap();
        assert!(prd.take(&world).await.is_empty());
        hub.succeed_all(&world).await;
        prd.succeed_all(&world).await;
        assert_eq!(world.service_status("api").await, "ACTIVE");
        assert_eq!(world.grants().await, ["team/api 333333333333 APPLIED"]);
    }

    async fn a_repository_that_is_not_there_holds_nothing_up(world: World) {
        let [prd, _, hub] = place(&world).await;
        let image = "image: 111111111111.dkr.ecr.us-east-1.amazonaws.com/web:1";
        world.create_service("web", WEB, &service_spec(None, &[("blue", "prd", image)])).await.unwrap();
        let offer = hub.take_one(&world).await;
        hub.report(&world, &offer, failed(&offer, FailureKind::RepositoryMissing, "no such repository")).await;
        let events = world.events(world.last(&instance("web", "blue")).await.deployment.id).await;
        assert!(events.iter().any(|event| event.message.contains("repository web does not exist")), "{events:?}");
        prd.succeed_all(&world).await;
        // The pipeline makes it, and then it is granted.
        let offer = hub.take_one(&world).await;
        assert!(matches!(offer.work, OfferedWork::Apply { .. }));
        hub.succeed(&world, &offer).await;
        let offer = hub.take_one(&world).await;
        assert_eq!(policy(&offer).0, "web");
        hub.succeed(&world, &offer).await;
        assert_eq!(world.grants().await, ["web 333333333333 APPLIED"]);
        assert_eq!(world.service_status("web").await, "ACTIVE");
    }

    async fn a_withdrawal_that_failed_is_not_forgotten(world: World) {
        let [prd, _, hub] = place(&world).await;
        world.create_service("api", PLAIN, &service_spec(None, &[("blue", "prd", IMAGE)])).await.unwrap();
        hub.succeed_all(&world).await;
        prd.succeed_all(&world).await;
        world.delete_service("api").await.unwrap();
        prd.succeed_all(&world).await;
        let offer = hub.take_one(&world).await;
        assert_eq!(policy(&offer), ("team/api".to_owned(), Vec::new()));
        hub.report(&world, &offer, failed(&offer, FailureKind::PolicyConflict, "somebody else writes it")).await;
        assert_eq!(world.grants().await, ["team/api 333333333333 WITHDRAWING"]);
        assert!(hub.take(&world).await.is_empty());
        reconcile::check_grants(world.app.clone()).await.unwrap();
        hub.succeed_all(&world).await;
        assert_eq!(world.grants().await, Vec::<String>::new());
    }

    async fn policies_are_compared_now_and_then(world: World) {
        let [prd, _, hub] = place(&world).await;
        world.create_service("api", PLAIN, &service_spec(None, &[("blue", "prd", IMAGE)])).await.unwrap();
        hub.succeed_all(&world).await;
        prd.succeed_all(&world).await;
        assert!(hub.take(&world).await.is_empty());
        reconcile::check_grants(world.app.clone()).await.unwrap();
        let offer = hub.take_one(&world).await;
        // While one writes, another check asks for another look afterwards.
        reconcile::check_grants(world.app.clone()).await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        hub.succeed(&world, &offer).await;
        hub.succeed_all(&world).await;
        assert_eq!(world.grants().await, ["team/api 333333333333 APPLIED"]);
    }

    async fn repositories_of_others_and_of_other_regions_are_not_ours(world: World) {
        let [prd, _, hub] = place(&world).await;
        let spec = service_spec(None, &[
            ("blue", "prd", "image: 555555555555.dkr.ecr.us-east-1.amazonaws.com/team/api:1"),
            ("green", "prd", "image: 111111111111.dkr.ecr.eu-west-1.amazonaws.com/team/api:1"),
            ("red", "prd", "image: docker.io/library/nginx"),
        ]);
        world.create_service("api", PLAIN, &spec).await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        prd.succeed_all(&world).await;
        assert_eq!(world.service_status("api").await, "ACTIVE");
        assert_eq!(world.grants().await, Vec::<String>::new());
        let warnings = world.target(&instance("api", "green")).await.warnings;
        assert!(warnings.iter().any(|text| text.contains("eu-west-1")), "{warnings:?}");
        assert!(world.target(&instance("api", "blue")).await.warnings.is_empty());
    }

    async fn the_new_image_is_granted_before_the_update_and_the_old_one_goes_after(world: World) {
        let [prd, _, hub] = place(&world).await;
        world.create_service("api", PLAIN, &service_spec(None, &[("blue", "prd", IMAGE)])).await.unwrap();
        hub.succeed_all(&world).await;
        prd.succeed_all(&world).await;
        let other = service_spec(None, &[("blue", "prd", "image: 111111111111.dkr.ecr.us-east-1.amazonaws.com/team/new:1")]);
        world.update_instance("api", "blue", current(Some(&other))).await.unwrap();
        assert!(prd.take(&world).await.is_empty());
        hub.succeed_all(&world).await;
        assert_eq!(world.grants().await, ["team/api 333333333333 APPLIED", "team/new 333333333333 APPLIED"]);
        prd.succeed_all(&world).await;
        hub.succeed_all(&world).await;
        assert_eq!(world.grants().await, ["team/new 333333333333 APPLIED"]);
    }
}
