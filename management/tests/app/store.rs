//! Rows come back as they were written, every field of them, on both databases.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hadron_domain::authority::{Role, Sight};
use hadron_domain::connection::{Approval, Connection, Roles};
use hadron_domain::deployment::{Authorised, Deployment, Ending, Intent, Phase};
use hadron_domain::grant::{Because, PolicyLane, Repository};
use hadron_domain::job::{Job, JobState};
use hadron_domain::principal::{Principal, Signed};
use hadron_domain::service::{Doing, Part, Stage, Status};
use hadron_domain::target::{Provisioning, Target};
use hadron_domain::template::{TemplateKind, Versions};
use hadron_management::app::{AppError, Unit};
use hadron_management::store::agents::AgentRow;
use hadron_management::store::connections::{ConnectionKind, ConnectionRow};
use hadron_management::store::deployments::{Change, ComponentState, DeploymentRow, State};
use hadron_management::store::grants::LaneRow;
use hadron_management::store::jobs::{Abilities, JobRow, JobWork};
use hadron_management::store::requests::{Seen, TokenRow};
use hadron_management::store::services::ServiceRow;
use hadron_management::store::targets::{EnvironmentRoles, Resource, TargetRow};
use hadron_management::store::templates::{Content, S3Object, TemplateRow, VersionRow};
use hadron_management::store::{
    StoreError, agents, connections, deployments, grants, jobs, outbox, replicas, requests, services,
    targets, templates,
};
use hadron_proto::vocab::{Digest, Timestamp};
use indexmap::IndexMap;

use crate::scenarios;
use crate::world::{MANAGEMENT, PRODUCTION, STAGING, account, region, version};

const ARN: &str = "arn:aws:cloudformation:us-east-1:333333333333:stack/s/1";

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

fn signed() -> Signed {
    Signed {
        who: Principal::new("arn:aws:iam::333333333333:user/Zoë"),
        at: at(7),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// In an order that sorting would change.
fn outputs() -> IndexMap<String, String> {
    [("z", "1"), ("a", "'\"\n\u{1F980}")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

async fn connection(unit: &mut Unit<'_>, environment: &str) -> Result<ConnectionRow, AppError> {
    let role = |name: &str| Some(format!("arn:aws:iam::{PRODUCTION}:role/{name}").parse().unwrap());
    let connection = Connection {
        id: unit.fresh_id(),
        environment: environment.parse().unwrap(),
        account: account(PRODUCTION),
        region: region(),
        roles: Roles {
            provisioning: role("p"),
            component: role("c"),
            codebuild: role("b"),
            agent_role_name: "a".to_owned(),
        },
        requested: signed(),
        roles_changed: None,
        approval: Approval::Pending,
        epoch: 3,
    };
    let row = ConnectionRow {
        connection,
        kind: ConnectionKind::Environment,
        pinned_role_id: Some("AROA1".to_owned()),
    };
    connections::insert(unit.tx, &row).await?;
    Ok(row)
}

fn target(unit: &Unit<'_>, of: &ConnectionRow, target: Target) -> TargetRow {
    let environment = match &target {
        Target::Pipeline(_) => None,
        _ => Some("prd".parse().unwrap()),
    };
    let resource = Resource {
        logical_id: "L".to_owned(),
        physical_id: "P".to_owned(),
        resource_type: "AWS::SNS::Topic".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
    };
    TargetRow {
        id: unit.fresh_id(),
        target,
        environment,
        account: account(PRODUCTION),
        region: region(),
        connection: of.connection.id,
        template: Some("web".parse().unwrap()),
        version: version("3.14"),
        spec: "spec: \u{FEFF}\n".to_owned(),
        description: "for people".to_owned(),
        stack_name: "s".to_owned(),
        stack_arn: Some(ARN.parse().unwrap()),
        condemned: true,
        ever_succeeded: true,
        part: Part::DeleteFailed,
        status: "DELETE_FAILED".to_owned(),
        message: "why".to_owned(),
        ways_out: words("this that"),
        warnings: words("w"),
        outputs: outputs(),
        resources: vec![resource],
        attempted: Some((unit.fresh_id(), at(1))),
        succeeded: Some((unit.fresh_id(), at(2))),
        created_at: at(3),
        provisioning: Provisioning::CustomerManaged,
        roles: EnvironmentRoles {
            service: Some("arn:aws:iam::111111111111:role/a".parse().unwrap()),
            component: None,
            codebuild: Some("arn:aws:iam::111111111111:role/b".parse().unwrap()),
        },
        client_token: "token".to_owned(),
        generation: 0,
    }
}

fn state(unit: &Unit<'_>) -> State {
    State {
        spec: "s".to_owned(),
        template: Some(("web".parse().unwrap(), version("3.15"))),
        component: Some(ComponentState {
            service: "svc".to_owned(),
            ..ComponentState::default()
        }),
        environment_deployment: Some(unit.fresh_id()),
        pipeline_deployment: None,
        component_deployments: vec![unit.fresh_id()],
    }
}

scenarios! {
    async fn connections_and_agents(world: World) {
        let done = world.app.write("rows", |unit| Box::pin(async move {
            let mut row = connection(unit, "prd").await?;
            let id = row.connection.id;
            assert_eq!(connections::get(unit.tx, id).await?.unwrap(), row);
            row.connection.approval = Approval::Connected(signed());
            row.connection.epoch = 4;
            row.pinned_role_id = None;
            connections::put(unit.tx, &row).await?;
            assert_eq!(connections::get(unit.tx, id).await?.unwrap(), row);
            assert_eq!(connections::of_account(unit.tx, account(PRODUCTION), &region()).await?, [row.clone()]);
            assert_eq!(connections::of_account(unit.tx, account(STAGING), &region()).await?, []);
            let filter = connections::Filter { statuses: vec!["CONNECTED".to_owned()], environment: Some("prd".parse().unwrap()), account: None };
            assert_eq!(connections::list(unit.tx, &filter, &Sight::Everything, "", 9).await?, [row.clone()]);
            assert_eq!(connections::list(unit.tx, &filter, &Sight::Everything, &id.to_string(), 9).await?, []);
            let own = connections::management(unit.tx).await?.unwrap();
            assert_eq!((own.kind, own.connection.account), (ConnectionKind::Management, account(MANAGEMENT)));

            let mut agent = AgentRow {
                id: unit.fresh_id(), connection: id, account: account(PRODUCTION), region: region(), principal: "arn".to_owned(),
                key_fingerprint: "aa".to_owned(), serial: "01".to_owned(), not_after: at(9), epoch: 4, version: "v".to_owned(),
                session: None, enrolled_at: at(8), last_seen: at(8),
            };
            agents::insert(unit.tx, &agent).await?;
            assert_eq!(agents::get(unit.tx, agent.id).await?.unwrap(), agent);
            (agent.principal, agent.key_fingerprint, agent.serial, agent.not_after) = ("x".to_owned(), "bb".to_owned(), "02".to_owned(), at(20));
            agents::renew(unit.tx, &agent).await?;
            let session = unit.fresh_id();
            agents::open_session(unit.tx, agent.id, session, "w", at(10)).await?;
            (agent.session, agent.version, agent.last_seen) = (Some(session), "w".to_owned(), at(10));
            assert_eq!(agents::list(unit.tx, None, &Sight::Everything, "", 9).await?, [agent.clone()]);
            let older = AgentRow { id: unit.fresh_id(), session: None, last_seen: at(11), not_after: at(1), ..agent.clone() };
            agents::insert(unit.tx, &older).await?;
            assert_eq!(agents::latest(unit.tx, account(PRODUCTION), &region()).await?.unwrap().id, agent.id, "the connected one");
            assert_eq!(agents::touch(unit.tx, vec![(older.id, session), (agent.id, session)], at(12)).await?, 1);
            assert!(!agents::any_silent(unit.tx, at(12)).await? && agents::any_silent(unit.tx, at(13)).await?);
            assert_eq!(agents::close_silent(unit.tx, at(12)).await?, 0);
            assert_eq!(agents::close_silent(unit.tx, at(13)).await?, 1);
            agents::close_session(unit.tx, session, at(14)).await?;
            assert_eq!(agents::get(unit.tx, agent.id).await?.unwrap().session, None);
            assert_eq!(agents::forget(unit.tx, at(5)).await?, 1);
            assert_eq!(agents::list(unit.tx, Some(account(STAGING)), &Sight::Everything, "", 9).await?, []);
            Ok(())
        }));
        done.await.unwrap();
    }

    async fn targets_and_deployments(world: World) {
        let done = world.app.write("rows", |unit| Box::pin(async move {
            let of = connection(unit, "prd").await?;
            let mut pipeline = target(unit, &of, Target::Pipeline("web".parse().unwrap()));
            let instance = target(unit, &of, Target::Instance("web".parse().unwrap(), "blue".parse().unwrap()));
            let environment = target(unit, &of, Target::Environment("prd".parse().unwrap()));
            for row in [&pipeline, &instance, &environment] {
                targets::insert(unit.tx, row).await?;
                assert_eq!(targets::by_id(unit.tx, row.id).await?.as_ref(), Some(row));
                assert_eq!(targets::get(unit.tx, &row.target).await?.as_ref(), Some(row));
            }
            assert_eq!(targets::all_instances(unit.tx).await?, std::slice::from_ref(&instance));
            assert_eq!(targets::all_pipelines(unit.tx).await?, [pipeline.clone()]);
            assert_eq!(targets::of_service(unit.tx, &"web".parse().unwrap()).await?, [instance.clone(), pipeline.clone()]);
            assert_eq!(targets::using_connection(unit.tx, of.connection.id).await?, Some(environment.clone()));
            assert_eq!(targets::in_environment(unit.tx, &"prd".parse().unwrap()).await?, Some(instance.clone()));
            for (is_environment, found) in [(true, &environment), (false, &instance)] {
                let template = "web".parse().unwrap();
                let user = targets::using_version(unit.tx, is_environment, &template, version("3.14")).await?;
                assert!(user.is_some(), "{}", found.target);
                assert_eq!(targets::using_version(unit.tx, is_environment, &template, version("3.15")).await?, None);
            }
            let stale = pipeline.clone();
            (pipeline.version, pipeline.spec, pipeline.description, pipeline.stack_name) = (version("4.0"), "x".to_owned(), "y".to_owned(), "z".to_owned());
            (pipeline.stack_arn, pipeline.condemned, pipeline.ever_succeeded, pipeline.part) = (None, false, false, Part::Untouched);
            (pipeline.status, pipeline.message, pipeline.ways_out, pipeline.warnings) = ("S".to_owned(), "m".to_owned(), Vec::new(), words("1 2"));
            (pipeline.outputs, pipeline.resources, pipeline.attempted, pipeline.succeeded) = (IndexMap::new(), Vec::new(), None, None);
            targets::put(unit.tx, &mut pipeline).await?;
            assert_eq!(targets::by_id(unit.tx, pipeline.id).await?, Some(pipeline.clone()));
            assert!(matches!(targets::put(unit.tx, &mut stale.clone()).await, Err(StoreError::Unavailable { .. })));

            let grants: BTreeSet<Repository> = [repository("team/api"), repository("web")].into();
            let mut row = DeploymentRow {
                deployment: Deployment { id: unit.fresh_id(), intent: Intent::Apply, phase: Phase::Waiting { grants } },
                target_id: instance.id, target: instance.target.clone(), environment: instance.environment.clone(),
                message: "m".to_owned(), ways_out: words("a b"), account: account(PRODUCTION), region: region(),
                connection: of.connection.id, template: Some("web".parse().unwrap()), version: version("3.15"), spec: "s".to_owned(),
                stack_name: "n".to_owned(), stack_arn: Some(ARN.parse().unwrap()), never_succeeded: true,
                rendered: Some((Digest::of(b"t"), 12)), capabilities: words("CAPABILITY_IAM"), resource_types: words("AWS::SNS::Topic"),
                retain: words("R"), changes: vec![Change { action: "Add".to_owned(), logical_id: "L".to_owned(), physical_id: String::new(),
                    resource_type: "T".to_owned(), replacement: "True".to_owned() }],
                outputs: outputs(), attempt: 2, requested_by: "me".to_owned(), created_at: at(4), ended_at: None, last_event: 0,
                initial: None, target_state: Some(state(unit)), target_created_at: at(3),
                earlier: deployments::Earlier { attempted: Some(unit.fresh_id()), succeeded: None }, trace: "00-1-2-01".to_owned(), generation: 0,
            };
            let id = row.deployment.id;
            deployments::insert(unit.tx, &row).await?;
            assert_eq!(deployments::get(unit.tx, id).await?, Some(row.clone()));
            assert_eq!(deployments::active_of(unit.tx, instance.id).await?, Some(row.clone()));
            assert_eq!(deployments::active_of_connection(unit.tx, of.connection.id).await?, [row.clone()]);
            assert_eq!(targets::using_version(unit.tx, false, &"web".parse().unwrap(), version("3.15")).await?, Some(instance.clone()));
            let job = unit.fresh_id();
            for phase in [
                Phase::Running { job, taken: true, authorised: Some(Authorised::Execute("arn".to_owned())) },
                Phase::Running { job, taken: false, authorised: Some(Authorised::Delete("arn".to_owned())) },
                Phase::Cancelling { job, asked: signed() },
                Phase::Ended { how: Ending::Failed("why".to_owned()), at: at(5) },
            ] {
                row.deployment.phase = phase;
                (row.message, row.attempt, row.ended_at, row.stack_name) = ("x".to_owned(), 3, Some(at(6)), "o".to_owned());
                (row.stack_arn, row.outputs, row.changes) = (None, IndexMap::new(), Vec::new());
                deployments::put(unit.tx, &mut row).await?;
                assert_eq!(deployments::get(unit.tx, id).await?, Some(row.clone()));
            }
            assert_eq!(deployments::active(unit.tx).await?, []);
            assert_eq!(deployments::active_of(unit.tx, instance.id).await?, None);
            assert!(matches!(deployments::put(unit.tx, &mut DeploymentRow { generation: 1, ..row.clone() }).await, Err(StoreError::Unavailable { .. })));
            targets::remove(unit.tx, instance.id).await?;
            assert_eq!(targets::by_id(unit.tx, instance.id).await?, None);
            Ok(())
        }));
        done.await.unwrap();
    }

    async fn names_are_taken_once(world: World) {
        for kind in 0..3 {
            let twice = world.app.write("twice", move |unit| Box::pin(async move {
                let of = connection(unit, "prd").await?;
                let what = match kind {
                    0 => Target::Environment("prd".parse().unwrap()),
                    1 => Target::Instance("web".parse().unwrap(), "blue".parse().unwrap()),
                    _ => Target::Pipeline("web".parse().unwrap()),
                };
                let first = target(unit, &of, what.clone());
                targets::insert(unit.tx, &first).await?;
                let second = target(unit, &of, what);
                Ok(targets::insert(unit.tx, &second).await?)
            }));
            assert_eq!(twice.await.unwrap_err().reason, "CONFLICT");
        }
    }

    async fn jobs_in_every_state(world: World) {
        let done = world.app.write("rows", |unit| Box::pin(async move {
            let of = connection(unit, "prd").await?;
            let session = unit.fresh_id();
            let readers = [account(PRODUCTION), account(STAGING)].into();
            let works = [
                JobWork::ApplyStack, JobWork::DestroyStack, JobWork::RevokeStack,
                JobWork::SetPullPolicy { repository: "team/api".parse().unwrap(), readers },
            ];
            let states = [
                JobState::Ready { not_before: at(1) },
                JobState::Leased { holder: session, expires: at(2), started: true },
                JobState::Finished { at: at(3) },
                JobState::Void { at: at(4) },
            ];
            for (number, work) in works.into_iter().enumerate() {
                let mut row = JobRow {
                    job: Job { attempts: 2, losses: 1, handovers: 3, fence: 77, ..Job::new(unit.fresh_id(), at(number as i64)) },
                    account: account(PRODUCTION), region: region(), connection: of.connection.id,
                    deployment: (number > 0).then(|| unit.fresh_id()), label: "l".to_owned(), work, created_at: at(0),
                };
                jobs::insert(unit.tx, &row).await?;
                assert_eq!(jobs::get(unit.tx, row.job.id).await?, Some(row.clone()));
                for state in &states[number..] {
                    row.job.state = state.clone();
                    row.job.fence += 1;
                    jobs::put(unit.tx, &row).await?;
                    assert_eq!(jobs::get(unit.tx, row.job.id).await?, Some(row.clone()));
                }
                row.job.state = states[number].clone();
                jobs::put(unit.tx, &row).await?;
            }
            let ready = |limit| (of.connection.id, account(PRODUCTION), region(), limit);
            let (id, whose, place, limit) = ready(9);
            let can = Abilities::of::<&str>(&[]);
            assert_eq!(jobs::ready(unit.tx, &[id], whose, &place, &can, at(1), limit).await?.len(), 1);
            assert_eq!(jobs::ready(unit.tx, &[id], whose, &place, &can, at(0), limit).await?.len(), 0);
            assert_eq!(jobs::ready(unit.tx, &[id], account(STAGING), &place, &can, at(1), limit).await?.len(), 0);
            assert_eq!(jobs::next_ready_at(unit.tx, whose, &place, at(0)).await?, Some(at(1)));
            assert_eq!(jobs::next_ready_at(unit.tx, whose, &place, at(1)).await?, None);
            assert_eq!(jobs::waiting(unit.tx).await?, [(whose, place.clone(), at(1))]);
            assert_eq!(jobs::expired(unit.tx, at(1), 9).await?, []);
            let expired = jobs::expired(unit.tx, at(2), 9).await?;
            let open = jobs::open_of_connection(unit.tx, id).await?;
            assert!(open.is_sorted_by_key(|row| row.job.id) && open.iter().all(|row| !row.job.is_over()));
            let leased = open.iter().filter(|row| matches!(row.job.state, JobState::Leased { .. }));
            assert_eq!(leased.map(|row| row.job.id).collect::<Vec<_>>(), expired);
            assert_eq!((expired.len(), jobs::held_by(unit.tx, session).await?), (1, 1));
            assert_eq!(jobs::forget(unit.tx, at(4)).await?, 1);
            Ok(())
        }));
        done.await.unwrap();
    }

    async fn templates_services_and_lanes(world: World) {
        let done = world.app.write("rows", |unit| Box::pin(async move {
            let name = || "web".parse().unwrap();
            let mut template = TemplateRow {
                kind: TemplateKind::Service, name: name(), display_name: "Web".to_owned(), description: "d".to_owned(), no_pipeline: true, customer_managed: true, encryption_key: "k".to_owned(),
                versions: Versions::default(), created_at: at(1), modified_at: at(2), generation: 0,
            };
            templates::insert(unit.tx, &template).await?;
            let number = template.versions.take_number(None).unwrap();
            (template.display_name, template.description, template.modified_at) = ("x".to_owned(), "y".to_owned(), at(3));
            templates::put(unit.tx, &mut template).await?;
            assert_eq!(templates::get(unit.tx, TemplateKind::Service, &name()).await?, Some(template.clone()));
            assert_eq!(templates::get(unit.tx, TemplateKind::Environment, &name()).await?, None);
            let archive = requests::put_blob(unit.tx, b"\0bundle\xff", at(1)).await?;
            assert_eq!(requests::put_blob(unit.tx, b"\0bundle\xff", at(2)).await?, archive);
            assert_eq!(requests::blob(unit.tx, archive).await?, Some(b"\0bundle\xff".to_vec()));
            let mut version_row = VersionRow { approvals: templates::Approvals::default(),
                kind: TemplateKind::Service, name: name(), version: number, description: "v".to_owned(),
                compatible: vec!["env:1".parse().unwrap(), "env:2".parse().unwrap()], content: None, source: Some(S3Object { bucket: "b".to_owned(), key: "k/é".to_owned() }),
                components: true, warnings: words("w w"), created_at: at(4), modified_at: at(4), job: Some(unit.fresh_id()),
            };
            templates::insert_version(unit.tx, &version_row).await?;
            templates::touch_version(unit.tx, TemplateKind::Service, &name(), number, at(5)).await?;
            version_row.modified_at = at(5);
            assert_eq!(templates::get_version(unit.tx, TemplateKind::Service, &name(), number).await?, Some(version_row.clone()));
            assert_eq!(templates::by_job(unit.tx, version_row.job.unwrap()).await?, Some(version_row.clone()));
            let job = version_row.job.take().unwrap();
            assert_eq!(templates::upload(unit.tx, job).await?, None);
            let old = templates::put_upload(unit.tx, job, b"old", at(5)).await?;
            let new = templates::put_upload(unit.tx, job, b"\0new\xff", at(6)).await?;
            assert_eq!((templates::upload(unit.tx, job).await?, new == old), (Some((new, b"\0new\xff".to_vec())), false));
            templates::drop_upload(unit.tx, job).await?;
            assert_eq!(templates::upload(unit.tx, job).await?, None);
            assert_eq!(templates::count(unit.tx).await?, 1);
            version_row.content = Some(Content { digest: Digest::of(b"d"), archive, schema: "schema: {}".to_owned() });
            (version_row.components, version_row.modified_at) = (false, at(6));
            (version_row.description, version_row.compatible) = ("w".to_owned(), vec!["env:3".parse().unwrap()]);
            templates::put_version(unit.tx, &version_row).await?;
            assert_eq!(templates::get_version(unit.tx, TemplateKind::Service, &name(), number).await?, Some(version_row.clone()));
            assert_eq!(templates::by_job(unit.tx, job).await?, None);
            assert_eq!(templates::list_versions(unit.tx, TemplateKind::Service, &name(), Some(2), None, 9).await?, []);
            for major in [None, Some(1)] {
                let listed = templates::list_versions(unit.tx, TemplateKind::Service, &name(), major, None, 9).await?;
                assert_eq!(listed, [version_row.clone()]);
            }
            templates::remove_version(unit.tx, TemplateKind::Service, &name(), number).await?;
            assert_eq!(templates::get_version(unit.tx, TemplateKind::Service, &name(), number).await?, None);
            templates::remove(unit.tx, TemplateKind::Service, &name()).await?;
            assert_eq!(templates::list(unit.tx, None, ("", ""), 9).await?, []);

            let web = || "web".parse::<hadron_proto::vocab::ServiceName>().unwrap();
            let mut service = ServiceRow {
                name: web(), template: name(), version: version("1.2"), description: "d".to_owned(), spec: "s".to_owned(),
                old_spec: "o".to_owned(), status: Status::UpdateFailedCleanupInProgress, message: "m".to_owned(), doing: Doing::Nothing,
                branch: "b".to_owned(), repository: "r".to_owned(), link: "l".to_owned(), created_at: at(1), modified_at: at(2), generation: 0,
            };
            services::insert(unit.tx, &service).await?;
            assert_eq!(services::get(unit.tx, &web()).await?, Some(service.clone()));
            assert_eq!(services::busy(unit.tx).await?, []);
            let some: BTreeSet<_> = ["a".parse().unwrap(), "b".parse().unwrap()].into();
            for doing in [Doing::Creating, Doing::Deleting, Doing::Updating { adding: some.clone(), removing: some, stage: Stage::Undoing }] {
                service.doing = doing;
                (service.version, service.spec, service.old_spec, service.message) = (version("2.0"), "t".to_owned(), "p".to_owned(), String::new());
                (service.status, service.description, service.modified_at) = (Status::Active, "e".to_owned(), at(3));
                services::put(unit.tx, &mut service).await?;
                assert_eq!(services::get(unit.tx, &web()).await?, Some(service.clone()));
                assert_eq!(services::busy(unit.tx).await?, [web()]);
            }
            assert!(matches!(services::put(unit.tx, &mut ServiceRow { generation: 0, ..service }).await, Err(StoreError::Unavailable { .. })));
            services::remove(unit.tx, &web()).await?;
            assert_eq!(services::list(unit.tx, &Sight::Everything, "", 9).await?, []);

            let job = unit.fresh_id();
            let accounts: BTreeSet<_> = [account(PRODUCTION)].into();
            let because = Because::Spec(web(), "blue".parse().unwrap());
            let row = LaneRow {
                lane: PolicyLane { wanted: accounts.clone(), perhaps: accounts.clone(), writing: Some((job, accounts)), again: true, ..PolicyLane::new(repository("team/api")) },
                reasons: BTreeMap::from([(account(PRODUCTION), BTreeSet::from([because]))]), checked_at: at(1), changed_at: at(2),
            };
            grants::put(unit.tx, &row).await?;
            grants::put(unit.tx, &row).await?;
            assert_eq!(grants::get(unit.tx, &repository("team/api")).await?, Some(row.clone()));
            assert_eq!(grants::by_job(unit.tx, job).await?, Some(row.clone()));
            assert_eq!(grants::all(unit.tx).await?, [row]);
            grants::remove(unit.tx, &repository("team/api")).await?;
            assert_eq!(grants::all(unit.tx).await?, []);
            Ok(())
        }));
        done.await.unwrap();
    }

    async fn rows_of_the_outbox_are_claimed_and_done_once_for_each_asking(world: World) {
        let ask = |key: &'static str, due: i64| world.app.write("ask", move |unit| Box::pin(async move {
            Ok(outbox::ask(unit.tx, "service", key, at(due)).await?)
        }));
        let claim = |now: i64| world.app.write("claim", move |unit| Box::pin(async move {
            Ok(outbox::claim(unit.tx, at(now), at(now + 100), 9).await?)
        }));
        let done = |row: &outbox::OutboxRow| {
            let row = row.clone();
            world.app.write("done", move |unit| Box::pin(async move { Ok(outbox::done(unit.tx, &row).await?) }))
        };
        let next = || world.app.read("next", |tx| Box::pin(async move { Ok(outbox::next_due(tx).await?) }));
        ask("b", 2).await.unwrap();
        ask("a", 1).await.unwrap();
        let a = claim(1).await.unwrap().remove(0);
        assert_eq!((a.key.as_str(), next().await.unwrap()), ("a", Some(at(2))));
        let b = claim(2).await.unwrap();
        assert_eq!(b.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["b"], "a is held");
        // Asked for again while it is done: nobody else does it meanwhile, and then it is done again.
        ask("a", 3).await.unwrap();
        assert_eq!(claim(3).await.unwrap(), []);
        done(&a).await.unwrap();
        done(&b[0]).await.unwrap();
        assert_eq!(next().await.unwrap(), Some(at(3)), "asked for again meanwhile");
        let again = claim(3).await.unwrap().remove(0);
        assert_ne!(again.version, a.version);
        let failed = again.clone();
        let later = world.app.write("later", move |unit| Box::pin(async move {
            Ok(outbox::later(unit.tx, &failed, at(3), "no").await?)
        }));
        later.await.unwrap();
        assert_eq!(next().await.unwrap(), Some(at(3).plus(Duration::from_millis(200))));
        let tried = claim(1_000_000).await.unwrap().remove(0);
        assert_eq!((tried.attempts, tried.version), (1, again.version));
        // The hub that took it has died: another takes it when the time is up, and no sooner.
        assert_eq!(claim(1_000_099).await.unwrap(), []);
        assert_eq!(claim(1_000_100).await.unwrap(), std::slice::from_ref(&tried));
        done(&tried).await.unwrap();
        assert_eq!(next().await.unwrap(), None);
        // A hub that took the older asking does not take the newer one away with it.
        ask("a", 4).await.unwrap();
        done(&tried).await.unwrap();
        assert_eq!(next().await.unwrap(), Some(at(4)));
        let newer = claim(4).await.unwrap().remove(0);
        assert_ne!(newer.version, tried.version);
        done(&newer).await.unwrap();
    }

    async fn hub_processes_come_and_go(world: World) {
        let row = |id: &str, seen: i64| replicas::ReplicaRow {
            id: id.to_owned(), name: "host".to_owned(), version: "1".to_owned(),
            addresses: [("api".to_owned(), "https://a".to_owned())].into(), started_at: at(1), last_seen: at(seen),
        };
        let done = world.app.write("rows", move |unit| Box::pin(async move {
            replicas::alive(unit.tx, &row("a", 1)).await?;
            replicas::alive(unit.tx, &row("b", 1)).await?;
            replicas::alive(unit.tx, &row("a", 5)).await?;
            assert_eq!(replicas::all(unit.tx).await?, [row("a", 5), row("b", 1)]);
            assert_eq!(replicas::forget(unit.tx, at(5)).await?, 1);
            assert_eq!(replicas::all(unit.tx).await?, [row("a", 5)]);
            replicas::gone(unit.tx, "a").await?;
            assert_eq!(replicas::all(unit.tx).await?, []);
            Ok(())
        }));
        done.await.unwrap();
    }

    async fn requests_and_tokens(world: World) {
        let done = world.app.write("rows", |unit| Box::pin(async move {
            let hash = Digest::of(b"request");
            assert_eq!(requests::seen(unit.tx, "me", "r", "Do", &hash).await?, Seen::New);
            requests::answered(unit.tx, "me", "r", "Do", &hash, "object", at(1)).await?;
            assert_eq!(requests::seen(unit.tx, "me", "r", "Do", &hash).await?, Seen::Answered("object".to_owned()));
            assert_eq!(requests::seen(unit.tx, "me", "r", "Other", &hash).await?, Seen::Other("Do".to_owned()));
            assert_eq!(requests::seen(unit.tx, "me", "r", "Do", &Digest::of(b"")).await?, Seen::Other("Do".to_owned()));
            assert_eq!(requests::seen(unit.tx, "you", "r", "Do", &hash).await?, Seen::New);
            assert_eq!((requests::forget(unit.tx, at(1)).await?, requests::forget(unit.tx, at(2)).await?), (0, 1));

            let mut token = TokenRow {
                digest: Digest::of(b"token"), name: "ci".to_owned(), principal: "token:ci".to_owned(), account: Some(account(PRODUCTION)),
                role: Some(Role::Owner), created_at: at(1), expires_at: Some(at(2)), disabled: false, groups: vec!["oidc-group:corp:a".to_owned(), "oidc-group:corp:b c".to_owned()],
            };
            requests::insert_token(unit.tx, &token).await?;
            assert_eq!(requests::token(unit.tx, token.digest).await?, Some(token.clone()));
            assert_eq!(requests::disable_tokens(unit.tx, "ci").await?, 1);
            token.disabled = true;
            assert_eq!(requests::minted_tokens(unit.tx).await?, [token.clone()]);
            assert_eq!((requests::forget_tokens(unit.tx, at(2)).await?, requests::forget_tokens(unit.tx, at(3)).await?), (0, 1));
            Ok(())
        }));
        done.await.unwrap();
    }
}

fn repository(name: &str) -> Repository {
    Repository {
        registry: account(MANAGEMENT),
        region: region(),
        name: name.parse().unwrap(),
    }
}
