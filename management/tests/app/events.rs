//! Changes of status as others are told about them; the summary; reports of others.

use std::time::Duration;

use hadron_domain::template::TemplateKind;
use hadron_management::app::effects::{FailureKind, Outcome};
use hadron_management::app::events::{Bus, Claim, Sinks, envelope};
use hadron_management::app::notifications::DeploymentNotice;
use hadron_management::app::summary::Count;
use hadron_management::app::work::{Offer, OfferedWork};
use hadron_management::app::{App, Settings};
use hadron_management::store::StoreError;

use crate::agent::failed;
use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, STAGING, World, administrator, archive, auditor, developer, environment, example,
    owner, reason, service_spec, settings,
};

const HOLD: Duration = Duration::from_secs(20);

/// All events so far: what changed, from what and to what.
async fn told(world: &World) -> Vec<String> {
    let all = world
        .rows(
            "SELECT resource AS topic, detail_type AS key, detail AS more FROM event ORDER BY sequence",
            &[],
        )
        .await;
    all.iter()
        .map(|line| {
            let (resource, rest) = line.split_once(' ').unwrap();
            let detail: serde_json::Value = serde_json::from_str(&rest[rest.find('{').unwrap()..]).unwrap();
            let word = |key: &str| detail[key].as_str().unwrap_or("-").to_owned();
            let resource = match resource.split_once("environment-account-connection/") {
                Some(_) => "environment-account-connection/ID",
                None => resource,
            };
            format!("{resource} {} -> {}", word("previousStatus"), word("status"))
        })
        .collect()
}

/// The same database, with these sinks.
fn with(world: &World, sinks: Sinks) -> App {
    let settings = Settings {
        events: sinks,
        ..settings()
    };
    App::new(world.test.db.clone(), world.test.clock.clone(), settings)
}

fn bus() -> Sinks {
    Sinks {
        webhook: false,
        put_events: Some(Bus {
            name: "default".to_owned(),
            source: "hadron".to_owned(),
        }),
    }
}

/// Changes what only time would change.
async fn run(world: &World, sql: &'static str) {
    let done = world.test.db.write("time passes", move |tx| {
        Box::pin(async move { tx.execute(sql, &[]).await.map(drop) })
    });
    let done: Result<(), StoreError> = done.await;
    done.unwrap();
}

async fn claimed(app: &App) -> Vec<u64> {
    match app.claim_events(100, HOLD).await.unwrap() {
        Claim::Events(events) => events.iter().map(|event| event.sequence).collect(),
        Claim::Nothing | Claim::NotBefore(_) => Vec::new(),
    }
}

fn entries(offer: &Offer) -> Vec<u64> {
    match &offer.work {
        OfferedWork::PutEvents { entries, .. } => entries.iter().map(|entry| entry.sequence).collect(),
        other => panic!("no events: {other:?}"),
    }
}

scenarios! {
    async fn the_main_job_is_told_step_by_step(world: World) {
        world.environment_template().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.template(TemplateKind::Service, "minimal-svc-no-pipeline", true).await;
        let bundle = archive(&example("minimal-svc-no-pipeline"));
        world.published(TemplateKind::Service, "minimal-svc-no-pipeline", None, bundle, &["minimal-env:1"]).await;
        world.create_service("web", "minimal-svc-no-pipeline", &service_spec(None, &[("blue", "prd", "")])).await.unwrap();
        agent.succeed_all(&world).await;
        world.delete_service("web").await.unwrap();
        agent.succeed_all(&world).await;
        world.settle().await;
        assert_eq!(
            told(&world).await,
            [
                "environment-template/minimal-env - -> DRAFT",
                "environment-template/minimal-env:1.0 - -> DRAFT",
                "environment-template/minimal-env DRAFT -> PUBLISHED",
                "environment-template/minimal-env:1.0 DRAFT -> PUBLISHED",
                "environment-account-connection/ID - -> PENDING",
                "environment-account-connection/ID PENDING -> CONNECTED",
                "environment/prd - -> IN_PROGRESS",
                "environment/prd IN_PROGRESS -> SUCCEEDED",
                "service-template/minimal-svc-no-pipeline - -> DRAFT",
                "service-template/minimal-svc-no-pipeline:1.0 - -> DRAFT",
                "service-template/minimal-svc-no-pipeline DRAFT -> PUBLISHED",
                "service-template/minimal-svc-no-pipeline:1.0 DRAFT -> PUBLISHED",
                "service/web - -> CREATE_IN_PROGRESS",
                "service/web/service-instance/blue - -> IN_PROGRESS",
                "service/web/service-instance/blue IN_PROGRESS -> SUCCEEDED",
                "service/web CREATE_IN_PROGRESS -> ACTIVE",
                "service/web ACTIVE -> DELETE_IN_PROGRESS",
                "service/web/service-instance/blue SUCCEEDED -> DELETE_IN_PROGRESS",
                "service/web/service-instance/blue DELETE_IN_PROGRESS -> DELETED",
                "service/web DELETE_IN_PROGRESS -> DELETED",
            ]
        );
    }

    async fn the_envelope_is_that_of_proton(world: World) {
        let app = with(&world, Sinks { webhook: true, put_events: None });
        assert!(claimed(&app).await.is_empty());
        let id = world.request(PRODUCTION, "prd").await.unwrap();
        let Claim::Events(events) = app.claim_events(10, HOLD).await.unwrap() else { panic!("no event") };
        let mut found = envelope(app.settings(), &events[0]);
        assert!(found["time"].as_str().unwrap().ends_with('Z'));
        found["time"] = "then".into();
        found["id"] = "id".into();
        let connection = id.as_uuid().to_string();
        assert_eq!(
            found,
            serde_json::json!({
                "version": "0",
                "id": "id",
                "detail-type": "AWS Proton Environment Account Connection Status Change",
                "source": "aws.proton",
                "account": MANAGEMENT,
                "time": "then",
                "region": "us-east-1",
                "resources": [format!(
                    "arn:aws:proton:us-east-1:{PRODUCTION}:environment-account-connection/{connection}"
                )],
                "detail": { "id": connection, "status": "PENDING" },
            })
        );
    }

    async fn a_sink_is_told_in_order_once_and_again_after_a_failure(world: World) {
        let app = with(&world, Sinks { webhook: true, put_events: None });
        // What was before it came is not told.
        world.environment_template().await;
        assert!(claimed(&app).await.is_empty());
        world.request(PRODUCTION, "prd").await.unwrap();
        world.request(STAGING, "stg").await.unwrap();
        let first = claimed(&app).await;
        assert_eq!(first.len(), 2);
        // Held by whoever claimed them.
        assert!(claimed(&app).await.is_empty());
        app.events_told(Some(first[0]), Some("it broke".to_owned())).await.unwrap();
        assert!(matches!(app.claim_events(10, HOLD).await.unwrap(), Claim::NotBefore(_)));
        // After the pause the second one comes again, and only that one.
        run(&world, "UPDATE event_sink SET due_at = 0").await;
        assert_eq!(claimed(&app).await, first[1..]);
        app.events_told(Some(first[1]), None).await.unwrap();
        assert!(claimed(&app).await.is_empty());
    }

    async fn the_agent_puts_events_and_offers_refused_ones_again(world: World) {
        let app = with(&world, bus());
        app.offer_events().await.unwrap();
        let hub = world.management_agent().await;
        assert!(hub.take(&world).await.is_empty());
        world.request(PRODUCTION, "prd").await.unwrap();
        world.request(STAGING, "stg").await.unwrap();
        app.offer_events().await.unwrap();
        let offer = hub.take_one(&world).await;
        let both = entries(&offer);
        assert_eq!(both.len(), 2);
        // One job at a time.
        app.offer_events().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
        hub.report(&world, &offer, Outcome::EventsPut { refused: vec![(1, "ThrottlingException: slow down".to_owned())] }).await;
        let soon = || run(&world, "UPDATE event_sink SET due_at = 0");
        soon().await;
        world.request(PRODUCTION, "other").await.unwrap();
        app.offer_events().await.unwrap();
        let offer = hub.take_one(&world).await;
        assert_eq!(entries(&offer)[0], both[1]);
        assert_eq!(entries(&offer).len(), 2);
        // The whole job fails: all of it is offered again.
        hub.report(&world, &offer, failed(&offer, FailureKind::AccessDenied, "no leave")).await;
        soon().await;
        app.offer_events().await.unwrap();
        let again = hub.take_one(&world).await;
        assert_eq!(entries(&again), entries(&offer));
        hub.report(&world, &again, Outcome::EventsPut { refused: Vec::new() }).await;
        app.offer_events().await.unwrap();
        assert!(hub.take(&world).await.is_empty());
    }

    async fn old_events_are_forgotten(world: World) {
        let app = with(&world, Sinks { webhook: true, put_events: None });
        assert!(claimed(&app).await.is_empty());
        world.request(PRODUCTION, "prd").await.unwrap();
        app.forget_events().await.unwrap();
        assert_eq!(told(&world).await.len(), 1);
        run(&world, "UPDATE event SET at = at - 90000000000").await;
        app.forget_events().await.unwrap();
        assert!(told(&world).await.is_empty());
        assert!(claimed(&app).await.is_empty());
    }

    async fn the_summary_counts_and_tells_what_is_behind(world: World) {
        world.templates().await;
        let (_, agent) = world.environment(PRODUCTION, "prd").await;
        world.create_service("web", "minimal-svc-no-pipeline", &service_spec(None, &[("a", "prd", ""), ("b", "prd", "")])).await.unwrap();
        agent.succeed_all(&world).await;
        let now = world.app.summary(&auditor()).await.unwrap();
        assert_eq!((now.environment_templates, now.service_templates), (1, 2));
        let fine = |total| Count { total, up_to_date: total, ..Count::default() };
        assert_eq!((now.environments, now.services, now.instances), (fine(1), fine(1), fine(2)));
        assert_eq!((now.pipelines, now.components), (fine(0), fine(0)));

        let bundle = || archive(&example("minimal-svc-no-pipeline"));
        world.published(TemplateKind::Service, "minimal-svc-no-pipeline", Some(1), bundle(), &["minimal-env:1"]).await;
        let update = hadron_management::app::instances::PartUpdate {
            mode: hadron_management::app::environments::UpdateMode::Minor,
            spec: None,
            version: None,
        };
        world.update_instance("web", "a", update).await.unwrap();
        agent.succeed_all(&world).await;
        world.update_instance("web", "b", crate::world::current(None)).await.unwrap();
        agent.fail_one(&world, "it broke").await;
        let now = world.app.summary(&auditor()).await.unwrap();
        let instances = Count { total: 2, failed: 1, up_to_date: 1, behind_minor: 1, behind_major: 0 };
        assert_eq!(now.instances, instances);
        assert_eq!((now.services.behind_minor, now.services.total), (1, 1));
        world.published(TemplateKind::Service, "minimal-svc-no-pipeline", None, bundle(), &["minimal-env:1"]).await;
        let now = world.app.summary(&auditor()).await.unwrap();
        assert_eq!((now.instances.behind_major, now.instances.behind_minor), (2, 0));
        assert_eq!(reason(world.app.summary(&owner(PRODUCTION)).await), "DENIED");
    }

    async fn reports_of_others_are_looked_at_and_refused(world: World) {
        world.environment_template().await;
        world.environment(PRODUCTION, "prd").await;
        let notice = |resource: &str| DeploymentNotice {
            resource: format!("arn:aws:proton:us-east-1:{MANAGEMENT}:{resource}").parse().unwrap(),
            deployment: None,
            outputs: Vec::new(),
            message: String::new(),
        };
        let app = &world.app;
        let notify = |caller, notice| async move { reason(app.notify_deployment(&caller, notice).await) };
        assert_eq!(notify(developer(), notice("service/web")).await, "NOT_DEPLOYED");
        assert_eq!(notify(developer(), notice("environment/stg")).await, "NOT_FOUND");
        assert_eq!(notify(auditor(), notice("environment/prd")).await, "DENIED");
        assert_eq!(notify(owner(STAGING), notice("environment/prd")).await, "NOT_FOUND");
        assert_eq!(notify(owner(PRODUCTION), notice("environment/prd")).await, "NOT_SELF_MANAGED");
        let last = world.target(&environment("prd")).await.attempted.unwrap().0;
        let about = |id| DeploymentNotice { deployment: Some(id), ..notice("environment/prd") };
        assert_eq!(notify(administrator(), about(last)).await, "NOT_SELF_MANAGED");
        let other = hadron_proto::vocab::DeploymentId::from_parts(1, [1; 10]);
        assert_eq!(notify(administrator(), about(other)).await, "OTHER_DEPLOYMENT");
        let outputs = vec![("key".to_owned(), "x".repeat(1025))];
        let long = DeploymentNotice { outputs, ..notice("environment/prd") };
        assert_eq!(notify(administrator(), long).await, "OUTPUTS");
    }
}
