//! Lists: pages, order and filters.

use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_management::store::{deployments, targets};

use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, account, administrator, caller, developer, owner, reason, service_spec,
};

scenarios! {
    async fn lists_go_page_by_page_in_order(world: World) {
        world.templates().await;
        let (_, prd) = world.environment(PRODUCTION, "prd").await;
        let (_, stg) = world.environment(STAGING, "stg").await;
        let spec = service_spec(None, &[("b", "prd", ""), ("a", "stg", ""), ("C", "prd", "")]);
        for name in ["web", "api", "Zoo"] {
            world.create_service(name, "minimal-svc-no-pipeline", &spec).await.unwrap();
        }
        let instances = targets::Filter { kind: "instance", ..targets::Filter::default() };
        let mut names = Vec::new();
        let mut after = (String::new(), String::new());
        loop {
            let page = world.app.list_targets(&developer(), instances.clone(), after.clone(), 2).await.unwrap();
            let Some(Target::Instance(service, name)) = page.last().map(|row| row.target.clone()) else { break };
            names.extend(page.iter().map(|row| row.target.name()));
            after = (service.to_string(), name.to_string());
        }
        assert_eq!(names, ["Zoo/C", "Zoo/a", "Zoo/b", "api/C", "api/a", "api/b", "web/C", "web/a", "web/b"]);
        let count = async |filter: targets::Filter| {
            world.app.list_targets(&developer(), filter, (String::new(), String::new()), 100).await.unwrap().len()
        };
        assert_eq!(count(targets::Filter { service: Some("api".parse().unwrap()), ..instances.clone() }).await, 3);
        assert_eq!(count(targets::Filter { environment: Some("prd".parse().unwrap()), ..instances.clone() }).await, 6);
        assert_eq!(count(targets::Filter { account: Some(account(STAGING)), ..instances.clone() }).await, 3);
        assert_eq!(count(targets::Filter { template: Some("minimal-svc".parse().unwrap()), ..instances.clone() }).await, 0);
        assert_eq!(count(targets::Filter { instance: Some("a".parse().unwrap()), ..instances.clone() }).await, 3);
        let environments = targets::Filter { kind: "environment", ..targets::Filter::default() };
        assert_eq!(count(environments.clone()).await, 2);
        assert_eq!(world.app.list_targets(&developer(), environments, (String::new(), "prd".to_owned()), 9).await.unwrap().len(), 1);

        let services = world.app.list_services(&developer(), "Zoo".to_owned(), 1).await.unwrap();
        assert_eq!(services[0].service.name.as_str(), "api");
        assert_eq!(services[0].instances.len(), 3);
        let all = world.app.list_templates(&developer(), None, (String::new(), String::new()), 10).await.unwrap();
        assert_eq!(all.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["minimal-env", "minimal-svc", "minimal-svc-no-pipeline"]);
        let after = ("service".to_owned(), "minimal-svc".to_owned());
        assert_eq!(world.app.list_templates(&developer(), Some(TemplateKind::Service), after, 10).await.unwrap().len(), 1);

        prd.succeed_all(&world).await;
        stg.succeed_all(&world).await;
        let who = administrator();
        let list = |filter: deployments::Filter, before: &str, limit| {
            let before = before.to_owned();
            world.app.list_deployments(&who, filter, before, limit)
        };
        let all = list(deployments::Filter::default(), "", 100).await.unwrap();
        assert_eq!(all.len(), 11);
        assert!(all.windows(2).all(|pair| pair[0].deployment.id > pair[1].deployment.id), "newest first");
        let next = list(deployments::Filter::default(), &all[1].deployment.id.to_string(), 2).await.unwrap();
        assert_eq!(next, all[2..4]);
        let of = |filter: deployments::Filter| list(filter, "", 100);
        assert_eq!(of(deployments::Filter { environment: "prd".to_owned(), ..Default::default() }).await.unwrap().len(), 7);
        assert_eq!(of(deployments::Filter { service: "api".to_owned(), instance: "a".to_owned(), ..Default::default() }).await.unwrap().len(), 1);
        assert_eq!(of(deployments::Filter { account: STAGING.to_owned(), ..Default::default() }).await.unwrap().len(), 4);
        assert!(of(deployments::Filter { active_only: true, ..Default::default() }).await.unwrap().is_empty());
    }

    async fn owners_see_what_is_in_their_account(world: World) {
        world.templates().await;
        let (_, prd) = world.environment(PRODUCTION, "prd").await;
        let (_, _) = world.environment(STAGING, "stg").await;
        let image = "image: 111111111111.dkr.ecr.us-east-1.amazonaws.com/api:1";
        world.create_service("api", "minimal-svc-no-pipeline", &service_spec(None, &[("a", "prd", image)])).await.unwrap();
        let deployment = world.target(&crate::world::instance("api", "a")).await.attempted.unwrap().0;
        drop(prd);
        let everything = || targets::Filter { kind: "environment", ..targets::Filter::default() };
        let nothing = (String::new(), String::new());
        let nobody = caller(hadron_domain::authority::Role::Owner, None);
        for (who, sees) in [(owner(PRODUCTION), 2), (owner(STAGING), 1), (nobody, 0)] {
            let environments = world.app.list_targets(&who, everything(), nothing.clone(), 9).await.unwrap();
            assert_eq!(environments.len(), sees.min(1));
            let deployments = world.app.list_deployments(&who, deployments::Filter::default(), String::new(), 9).await.unwrap();
            assert_eq!(deployments.len(), sees, "{}", who.principal);
            let grants = world.app.list_grants(&who).await.unwrap();
            assert_eq!(grants.len(), sees / 2);
            let agents = world.app.list_agents(&who, None, String::new(), 9).await.unwrap();
            assert_eq!(agents.len(), sees.min(1));
        }
        let foreign = deployments::Filter { account: PRODUCTION.to_owned(), ..Default::default() };
        assert!(world.app.list_deployments(&owner(STAGING), foreign, String::new(), 9).await.unwrap().is_empty());
        let foreign = targets::Filter { account: Some(account(PRODUCTION)), ..everything() };
        assert!(world.app.list_targets(&owner(STAGING), foreign, nothing, 9).await.unwrap().is_empty());
        assert!(world.app.list_agents(&owner(STAGING), Some(account(PRODUCTION)), String::new(), 9).await.unwrap().is_empty());
        assert_eq!(reason(world.app.get_deployment(&owner(STAGING), deployment).await), "NOT_FOUND");
        assert_eq!(reason(world.app.deployment_events(&owner(STAGING), deployment, 0, 9).await), "NOT_FOUND");
        assert_eq!(reason(world.app.rendered_template(&owner(STAGING), deployment).await), "NOT_FOUND");
        assert!(world.app.get_deployment(&owner(PRODUCTION), deployment).await.is_ok());
        assert_eq!(reason(world.app.get_environment(&owner(STAGING), &"prd".parse().unwrap()).await), "NOT_FOUND");
    }
}
