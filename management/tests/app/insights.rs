//! What watches the hub from outside is told, and what people see of it on a page, on both databases.

use std::time::Duration;

use hadron_domain::template::{Standing, TemplateKind};
use hadron_management::app::environments::UpdateMode;
use hadron_management::app::insights::Span;
use hadron_management::store::tallies::Tally;

use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, archive, asked, auditor, caller, developer, environment, environment_update,
    example, owner, reason,
};

/// Two environments of which one has failed once and recovered.
async fn place(world: &World) {
    world.environment_template().await;
    let (_, prd) = world.environment(PRODUCTION, "prd").await;
    world.environment(STAGING, "stg").await;
    update(world).await;
    prd.fail_one(world, "no room").await;
    world.pass(Duration::from_secs(60)).await;
    update(world).await;
    prd.succeed_all(world).await;
}

async fn update(world: &World) {
    let update = environment_update("prd", UpdateMode::Current);
    world.update_environment(update).await.unwrap();
}

fn count(tallies: &[Tally], outcome: &str) -> u64 {
    let of = tallies.iter().filter(|tally| tally.outcome == outcome);
    of.map(|tally| tally.times.counts.iter().sum::<u64>()).sum()
}

scenarios! {
    /// A deployment is counted once, when it ends, and stays counted when its record is removed.
    async fn what_has_ended_is_counted_for_good(world: World) {
        place(&world).await;
        let before = world.app.figures().await.unwrap();
        assert_eq!((count(&before.tallies, "SUCCEEDED"), count(&before.tallies, "FAILED")), (3, 1));
        assert!(before.tallies.iter().all(|tally| tally.kind == "environment" && tally.template == "minimal-env"));
        assert_eq!((before.standing.agents, before.standing.agents_live, before.standing.deployments), (2, 2, 0));
        let lag = &before.lag[0];
        assert_eq!((lag.kind, lag.up_to_date, lag.behind_minor), ("environment", 2, 0));

        let id = world.last(&environment("stg")).await.deployment.id;
        world.app.delete_deployment(asked(&developer(), "DeleteDeployment"), id).await.unwrap();
        let bundle = archive(&example("minimal-env"));
        world.published(TemplateKind::Environment, "minimal-env", Some(1), bundle, &[]).await;
        let after = world.app.figures().await.unwrap();
        assert_eq!(after.tallies, before.tallies);
        assert_eq!((after.lag[0].up_to_date, after.lag[0].behind_minor), (0, 2));
    }

    /// The queue has an oldest job, and a minute of it is kept once.
    async fn a_minute_is_sampled_once(world: World) {
        world.environment_template().await;
        let connection = world.connected(PRODUCTION, "prd").await;
        let prd = world.agent(connection).await;
        world.create_environment("prd", Some(connection)).await.unwrap();
        world.pass(Duration::from_secs(5)).await;
        let figures = world.app.figures().await.unwrap();
        assert_eq!((figures.standing.jobs_ready, figures.standing.jobs_leased), (1, 0));
        assert!(figures.standing.oldest_ready.unwrap() >= Duration::from_secs(5));
        world.app.sample().await.unwrap();
        prd.succeed_all(&world).await;
        world.app.sample().await.unwrap();
        let seen = world.app.insights(&auditor(), Span::Day).await.unwrap().samples.unwrap();
        // The minute may have passed between the two.
        assert!((1..=2).contains(&seen.len()), "{seen:?}");
        assert_eq!((seen[0].jobs_ready, seen[0].agents, seen[0].agents_live), (1, 1, 1));
        assert!(seen[0].oldest_ready >= 5_000_000);
        for span in Span::ALL {
            let seen = world.app.insights(&auditor(), span).await.unwrap().samples.unwrap();
            assert!(!seen.is_empty(), "{span:?}");
        }
    }

    /// Everybody sees what is theirs; the whole is for those who may read the summary.
    async fn a_page_shows_what_its_reader_may_see(world: World) {
        place(&world).await;
        world.app.sample().await.unwrap();
        let all = world.app.insights(&developer(), Span::Day).await.unwrap();
        let today = all.days.last().unwrap();
        let sum = |of: fn(&hadron_management::app::insights::Day) -> u64| all.days.iter().map(of).sum::<u64>();
        assert_eq!((sum(|day| day.succeeded), sum(|day| day.failed), all.days.len()), (3, 1, 30));
        assert!(today.start <= all.now && !all.cut);
        assert_eq!((all.templates[0].template.as_str(), all.templates[0].failed, all.templates[0].ended), ("minimal-env", 1, 4));
        let prd = all.environments.iter().find(|of| of.environment == "prd").unwrap();
        // PostgreSQL goes by its own clock, and nothing takes time there.
        let least = if world.test.place.starts_with("host=") { 0 } else { 60 };
        assert!(prd.recovery.unwrap() >= Duration::from_secs(least), "{prd:?}");
        assert_eq!(all.fleet[0].versions[0].standing, Standing::UpToDate);
        assert_eq!(all.fleet[0].count(), 2);
        assert!(all.samples.is_some());

        let own = world.app.insights(&owner(STAGING), Span::Day).await.unwrap();
        let names: Vec<&str> = own.environments.iter().map(|of| of.environment.as_str()).collect();
        assert_eq!(names, ["stg"]);
        assert_eq!((own.fleet[0].count(), own.templates[0].failed), (1, 0));
        assert!(own.samples.is_none(), "how the hub does is nobody's who owns an account");
        assert_eq!(world.app.insights(&auditor(), Span::Day).await.unwrap().days, all.days);

        let mut nobody = caller(hadron_domain::authority::Role::Auditor, None);
        nobody.rights.clear();
        assert_eq!(reason(world.app.insights(&nobody, Span::Day).await), "DENIED");
    }
}
