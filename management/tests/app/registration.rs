//! Bundles that are fetched from S3: from the request to a draft, or to a failure that says everything.

use hadron_domain::job::{JobState, MAX_LOSSES};
use hadron_domain::template::TemplateKind;
use hadron_management::app::effects::{FailureKind, Outcome};
use hadron_management::app::templates::{BundleSource, NewTemplate, VersionView};
use hadron_management::app::work::{Offer, OfferedWork};
use hadron_management::app::{App, AppError, ErrorKind};
use hadron_management::reconcile;
use hadron_management::store::jobs::{self, Abilities};
use hadron_management::store::templates::S3Object;
use hadron_proto::vocab::{Digest, JobId};

use crate::agent::{Agent, failed};
use crate::scenarios;
use crate::world::{
    LEASE, MANAGEMENT, PRODUCTION, World, account, administrator, archive, asked, changed_example, developer,
    example, identified, new_environment, new_version, reason, settings, version,
};

const ENVIRONMENT: TemplateKind = TemplateKind::Environment;
const SERVICE: TemplateKind = TemplateKind::Service;
const NAME: &str = "minimal-env";

fn object() -> S3Object {
    S3Object {
        bucket: "bundles".to_owned(),
        key: "minimal-env/v1.tar.gz".to_owned(),
    }
}

fn good() -> Vec<u8> {
    archive(&example(NAME))
}

async fn create(world: &World) -> Result<VersionView, AppError> {
    let new = new_version(ENVIRONMENT, NAME, BundleSource::S3(object()));
    world
        .app
        .create_version(asked(&administrator(), "CreateTemplateVersion"), new)
        .await
}

async fn look(world: &World, number: &str) -> VersionView {
    let name = NAME.parse().unwrap();
    world
        .app
        .get_version(&developer(), ENVIRONMENT, &name, version(number))
        .await
        .unwrap()
}

async fn delete(world: &World, number: &str) -> Result<VersionView, AppError> {
    let request = asked(&administrator(), "DeleteTemplateVersion");
    world
        .app
        .delete_version(request, ENVIRONMENT, NAME.parse().unwrap(), version(number))
        .await
}

async fn job(world: &World, id: JobId) -> JobState {
    let read = world.app.read("job", move |tx| {
        Box::pin(async move { Ok(jobs::get(tx, id).await?) })
    });
    read.await.unwrap().unwrap().job.state
}

/// Bundles that wait beside their jobs.
async fn uploads(world: &World) -> usize {
    world
        .rows("SELECT job AS topic, digest AS key, job AS more FROM upload", &[])
        .await
        .len()
}

/// The template, a version of it in registration, and the job that fetches its bundle in an agent's hands.
async fn fetching(world: &World) -> (Agent, Offer) {
    world.template(ENVIRONMENT, NAME, false).await;
    let agent = world.management_agent().await;
    create(world).await.unwrap();
    let offer = agent.take_one(world).await;
    (agent, offer)
}

/// Gives the management account's agent something else to do.
async fn work_for_a_stack(world: &World) {
    world
        .register(ENVIRONMENT, NAME, None, good(), &[])
        .await
        .unwrap();
    let mut new = new_environment("dev", None);
    new.version = "2.0".parse().unwrap();
    world
        .app
        .create_environment(asked(&administrator(), "CreateEnvironment"), new)
        .await
        .unwrap();
}

scenarios! {
    async fn a_bundle_in_s3_is_fetched_by_the_management_accounts_agent_and_becomes_a_draft(world: World) {
        world.template(ENVIRONMENT, NAME, false).await;
        let view = create(&world).await.unwrap();
        assert_eq!((view.row.version, view.state.word()), (version("1.0"), "REGISTRATION_IN_PROGRESS"));
        assert!(view.message().contains("s3://bundles/minimal-env/v1.tar.gz"), "{}", view.message());
        assert_eq!(world.app.version_schema(&view).await.unwrap(), "");
        // Nobody is there to fetch it: it waits.
        world.settle().await;
        assert_eq!(look(&world, "1.0").await, view);
        let request = asked(&administrator(), "PublishTemplateVersion");
        let early = world.app.publish_version(request, ENVIRONMENT, NAME.parse().unwrap(), version("1.0")).await.unwrap_err();
        assert_eq!((early.kind, early.reason), (ErrorKind::Conflict, "VERSION_STATE"));

        let agent = world.management_agent().await;
        let offer = agent.take_one(&world).await;
        assert_eq!((offer.account, offer.deployment), (account(MANAGEMENT), None));
        assert_eq!(offer.work, OfferedWork::FetchBundle { source: object(), max_bytes: 5 * 1024 * 1024 });
        world.app.started(&agent.peer, offer.token).await.unwrap();
        agent.fetched(&world, &offer, &good()).await;
        let view = look(&world, "1.0").await;
        assert_eq!((view.state.word(), view.message()), ("DRAFT", String::new()));
        assert!(world.app.version_schema(&view).await.unwrap().contains("retention_days"));
        assert_eq!((view.row.job, uploads(&world).await), (None, 0));
        // Told again, since the answer was lost.
        let again = Outcome::BundleFetched { digest: Digest::of(&good()), bytes: good().len() as u64 };
        agent.report(&world, &offer, again).await;
        assert_eq!(look(&world, "1.0").await, view);
        world.publish(ENVIRONMENT, NAME, "1.0").await;
        world.create_environment("prd", None).await.unwrap();
    }

    async fn every_fault_of_a_fetched_bundle_is_told(world: World) {
        let (agent, offer) = fetching(&world).await;
        let bad = changed_example(NAME, "environment.inputs.", "environment.input.");
        agent.fetched(&world, &offer, &bad).await;
        let view = look(&world, "1.0").await;
        assert_eq!(view.state.word(), "REGISTRATION_FAILED");
        assert!(view.message().matches("error[").count() > 2, "{}", view.message());
        assert_eq!((view.row.content.clone(), view.row.job, uploads(&world).await), (None, None, 0));
        let request = asked(&administrator(), "PublishTemplateVersion");
        let refused = world.app.publish_version(request, ENVIRONMENT, NAME.parse().unwrap(), version("1.0")).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (ErrorKind::Precondition, "VERSION_STATE"));

        create(&world).await.unwrap();
        let offer = agent.take_one(&world).await;
        agent.fetched(&world, &offer, b"no archive").await;
        assert_eq!(look(&world, "2.0").await.state.word(), "REGISTRATION_FAILED");
        // A service's bundle for an environment.
        create(&world).await.unwrap();
        let offer = agent.take_one(&world).await;
        agent.fetched(&world, &offer, &archive(&example("minimal-svc"))).await;
        assert!(look(&world, "3.0").await.message().contains("service template"));
        delete(&world, "1.0").await.unwrap();
    }

    async fn what_kept_the_agent_from_fetching_is_told(world: World) {
        let (agent, offer) = fetching(&world).await;
        agent.report(&world, &offer, failed(&offer, FailureKind::ObjectMissing, "there is no object of that name")).await;
        let view = look(&world, "1.0").await;
        assert_eq!(view.state.word(), "REGISTRATION_FAILED");
        assert!(view.message().starts_with("there is no object of that name. When that is mended"), "{}", view.message());

        create(&world).await.unwrap();
        for _ in 0..MAX_LOSSES {
            assert_eq!(agent.take(&world).await.len(), 1);
            world.pass(LEASE + LEASE).await;
            reconcile::expire(world.app.clone()).await.unwrap();
            world.pass(LEASE).await;
        }
        assert_eq!(agent.take(&world).await, []);
        let view = look(&world, "2.0").await;
        assert_eq!(view.state.word(), "REGISTRATION_FAILED");
        assert!(view.message().contains("given up"), "{}", view.message());
    }

    async fn only_agents_that_can_fetch_are_asked_to(world: World) {
        world.template(ENVIRONMENT, NAME, false).await;
        create(&world).await.unwrap();
        // The agent of another account, and one of the release before.
        let connection = world.connected(PRODUCTION, "prd").await;
        assert_eq!(world.agent(connection).await.take(&world).await, []);
        let mut old = world.management_agent().await;
        let none = Abilities::of(&["apply_stack", "no_such_thing"]);
        (old.session, _) = world.app.open_session(&old.peer, "0.0.9", none, Vec::new()).await.unwrap();
        assert_eq!(old.take(&world).await, []);
        // What else there is to do it does.
        work_for_a_stack(&world).await;
        assert!(matches!(old.take_one(&world).await.work, OfferedWork::Apply { .. }));
        let new = world.management_agent().await;
        assert!(matches!(new.take_one(&world).await.work, OfferedWork::FetchBundle { .. }));
    }

    async fn a_hub_that_starts_anew_goes_on(world: World) {
        let (agent, offer) = fetching(&world).await;
        let put = world.app.put_content(&agent.peer, offer.token, good()).await.unwrap();
        // Between handing over and report, between report and check: another hub finds what is stored.
        let second = App::new(world.test.db.clone(), world.test.clock.clone(), settings());
        let outcome = Outcome::BundleFetched { digest: put, bytes: good().len() as u64 };
        second.report(&agent.peer, offer.token, outcome).await.unwrap();
        assert_eq!(look(&world, "1.0").await.state.word(), "REGISTRATION_IN_PROGRESS");
        let third = App::new(world.test.db.clone(), world.test.clock.clone(), settings());
        // Two hubs may do it at once; and one that died after the check does it once more.
        let (a, b) = tokio::join!(third.register_fetched(offer.token.job), second.register_fetched(offer.token.job));
        assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
        assert_eq!(look(&world, "1.0").await.state.word(), "DRAFT");
        world.settle().await;
        assert_eq!(look(&world, "1.0").await.state.word(), "DRAFT");
    }

    async fn a_version_deleted_on_the_way_leaves_nothing_behind(world: World) {
        let (agent, offer) = fetching(&world).await;
        world.app.put_content(&agent.peer, offer.token, good()).await.unwrap();
        assert_eq!(uploads(&world).await, 1);
        delete(&world, "1.0").await.unwrap();
        assert!(matches!(job(&world, offer.token.job).await, JobState::Void { .. }));
        assert_eq!(uploads(&world).await, 0);
        let late = world.app.put_content(&agent.peer, offer.token, good()).await.unwrap_err();
        assert_eq!(late.kind, ErrorKind::Fenced);

        // Between report and check.
        create(&world).await.unwrap();
        let offer = agent.take_one(&world).await;
        let digest = world.app.put_content(&agent.peer, offer.token, good()).await.unwrap();
        let outcome = || Outcome::BundleFetched { digest, bytes: good().len() as u64 };
        world.app.report(&agent.peer, offer.token, outcome()).await.unwrap();
        delete(&world, "2.0").await.unwrap();
        let request = || asked(&administrator(), "DeleteTemplate");
        world.app.delete_template(request(), ENVIRONMENT, NAME.parse().unwrap()).await.unwrap();
        // The next template of this name counts from 1.0 again; what was asked for the last one is not about it.
        world.template(ENVIRONMENT, NAME, false).await;
        create(&world).await.unwrap();
        world.settle().await;
        assert_eq!((look(&world, "1.0").await.state.word(), uploads(&world).await), ("REGISTRATION_IN_PROGRESS", 0));
    }

    async fn only_who_holds_the_job_hands_over_and_the_last_one_counts(world: World) {
        let (agent, first) = fetching(&world).await;
        let put = async |offer: &Offer, bytes: &[u8]| world.app.put_content(&agent.peer, offer.token, bytes.to_vec()).await;
        put(&first, b"half of it").await.unwrap();
        assert_eq!(reason(put(&first, &vec![0; 5 * 1024 * 1024 + 1]).await), "CONTENT_TOO_LARGE");
        assert_eq!(world.app.may_put_content(&agent.peer, first.token).await.unwrap(), 5 * 1024 * 1024);
        world.pass(LEASE + LEASE).await;
        reconcile::expire(world.app.clone()).await.unwrap();
        world.pass(LEASE).await;
        let second = agent.take_one(&world).await;
        assert_eq!(put(&first, &good()).await.unwrap_err().kind, ErrorKind::Fenced);
        assert_eq!(world.app.may_put_content(&agent.peer, first.token).await.unwrap_err().kind, ErrorKind::Fenced);
        let connection = world.connected(PRODUCTION, "prd").await;
        let other = world.agent(connection).await;
        let foreign = world.app.put_content(&other.peer, second.token, good()).await;
        assert_eq!(reason(foreign), "JOB_NOT_FOUND");
        put(&second, &good()).await.unwrap();
        // A report of something else than what was handed over.
        let outcome = Outcome::BundleFetched { digest: Digest::of(b"half of it"), bytes: 10 };
        agent.report(&world, &second, outcome).await;
        let view = look(&world, "1.0").await;
        assert!(view.message().contains("did not hand over"), "{}", view.message());

        work_for_a_stack(&world).await;
        let apply = agent.take_one(&world).await;
        assert_eq!(reason(put(&apply, b"x").await), "NO_CONTENT");
        assert_eq!(reason(world.app.may_put_content(&agent.peer, apply.token).await), "NO_CONTENT");
    }

    async fn asking_twice_with_one_token_is_asking_once(world: World) {
        world.template(ENVIRONMENT, NAME, false).await;
        let ask = async |token: &str, content: &str| {
            let new = new_version(ENVIRONMENT, NAME, BundleSource::S3(object()));
            world.app.create_version(identified(&administrator(), "CreateTemplateVersion", token, content), new).await
        };
        let first = ask("t1", "a").await.unwrap();
        assert_eq!(ask("t1", "a").await.unwrap(), first);
        assert_eq!(reason(ask("t1", "b").await), "REQUEST_ID_REUSED");
        assert_eq!(ask("t2", "a").await.unwrap().row.version, version("2.0"));
        let agent = world.management_agent().await;
        assert_eq!(agent.take(&world).await.len(), 2);
    }

    async fn what_cannot_be_fetched_is_refused_at_once(world: World) {
        world.template(ENVIRONMENT, NAME, false).await;
        let ask = |new| world.app.create_version(asked(&administrator(), "CreateTemplateVersion"), new);
        let mut new = new_version(ENVIRONMENT, NAME, BundleSource::S3(S3Object { bucket: "No".to_owned(), key: "k".to_owned() }));
        assert_eq!(reason(ask(new.clone()).await), "INVALID_ARGUMENT");
        new.source = BundleSource::S3(object());
        new.major = Some(7);
        assert_eq!(reason(ask(new.clone()).await), "VERSION_NOT_FOUND");
        (new.major, new.components) = (None, true);
        assert_eq!(reason(ask(new.clone()).await), "COMPONENTS_NOT_ALLOWED");
        new.name = "nothing".parse().unwrap();
        assert_eq!(reason(ask(new).await), "NOT_FOUND");
        let no_number = world.app.get_template(&developer(), ENVIRONMENT, &NAME.parse().unwrap()).await.unwrap();
        assert!(no_number.versions.existing.is_empty() && no_number.versions.next_minor.is_empty());
    }

    async fn a_fetched_bundle_is_of_its_templates_sort(world: World) {
        world.environment_template().await;
        world.template(SERVICE, "plain", true).await;
        let agent = world.management_agent().await;
        let register = async |kind, name: &str, compatible: &[&str], bundle: Vec<u8>| {
            let mut new = new_version(kind, name, BundleSource::S3(object()));
            new.compatible = compatible.iter().map(|text| text.parse().unwrap()).collect();
            let made = world.app.create_version(asked(&administrator(), "CreateTemplateVersion"), new).await.unwrap();
            let offer = agent.take_one(&world).await;
            agent.fetched(&world, &offer, &bundle).await;
            world.app.get_version(&developer(), kind, &name.parse().unwrap(), made.row.version).await.unwrap()
        };
        let with = register(SERVICE, "plain", &["minimal-env:1"], archive(&example("minimal-svc"))).await;
        assert!(with.message().contains("services without a pipeline"), "{}", with.message());
        let without = register(SERVICE, "plain", &["minimal-env:1"], archive(&example("minimal-svc-no-pipeline"))).await;
        assert_eq!((without.state.word(), without.message()), ("DRAFT", String::new()));
        let schema: Vec<_> = example(NAME).into_iter().filter(|(path, _)| path == "schema/schema.yaml").collect();
        let bare = register(ENVIRONMENT, NAME, &[], archive(&schema)).await;
        assert!(bare.message().contains("infrastructure/ is missing"), "{}", bare.message());
        let new = NewTemplate { customer_managed: true, ..NewTemplate::named(ENVIRONMENT, "theirs".parse().unwrap()) };
        world.app.create_template(asked(&administrator(), "CreateTemplate"), new).await.unwrap();
        let whole = register(ENVIRONMENT, "theirs", &[], good()).await;
        assert!(whole.message().contains("holds only a schema"), "{}", whole.message());
        assert_eq!(whole.state.word(), "REGISTRATION_FAILED");
    }

    async fn a_narrower_schema_of_a_minor_version_is_a_warning(world: World) {
        world.environment_template().await;
        let agent = world.management_agent().await;
        let ask = async |bundle: Vec<u8>| {
            let mut new = new_version(ENVIRONMENT, NAME, BundleSource::S3(object()));
            new.major = Some(1);
            world.app.create_version(asked(&administrator(), "CreateTemplateVersion"), new).await.unwrap();
            let offer = agent.take_one(&world).await;
            agent.fetched(&world, &offer, &bundle).await;
        };
        ask(good()).await;
        assert_eq!(look(&world, "1.1").await.row.warnings, Vec::<String>::new());
        ask(changed_example(NAME, "maximum: 365", "maximum: 90")).await;
        let view = look(&world, "1.2").await;
        assert_eq!(view.state.word(), "DRAFT");
        assert_eq!(view.row.warnings, ["compared with version 1.1: the input 'retention_days' is narrowed by its 'maximum'"]);
        // The same by a bundle that comes along.
        let direct = world.register(ENVIRONMENT, NAME, Some(1), changed_example(NAME, "maximum: 365", "maximum: 60"), &[]).await.unwrap();
        assert_eq!(direct.row.warnings.len(), 1, "{:?}", direct.row.warnings);
    }
}
