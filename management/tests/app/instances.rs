//! Lists of instances: every order, page by page, and every filter.

use std::collections::BTreeSet;

use hadron_domain::authority::Role;
use hadron_domain::target::Target;
use hadron_domain::template::TemplateKind;
use hadron_management::app::instances::list::{FilterBy, InstanceList};
use hadron_management::app::{AppError, ErrorKind};
use hadron_management::store::instances::{Direction, Place, SortBy, last_attempt};
use hadron_management::store::targets::{self, Fresh, TargetRow};
use hadron_proto::vocab::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::scenarios;
use crate::world::{
    PRODUCTION, World, archive, caller, developer, example, instance, reason, region, version,
};

const STATUSES: [&str; 4] = ["SUCCEEDED", "FAILED", "IN_PROGRESS", "DELETE_FAILED"];

/// Whether a filter lets a row through, as this test sees it.
type Keeps = Box<dyn Fn(&TargetRow) -> bool>;

/// Writes instances with whatever makes orders differ: names that share beginnings, times that are equal, nothing attempted.
async fn scatter(world: &World, count: usize, seed: u64) -> Vec<TargetRow> {
    let connection = world.connected(PRODUCTION, "prd").await;
    let written = world.app.write("scatter", move |unit| {
        Box::pin(async move {
            let mut random = StdRng::seed_from_u64(seed);
            let mut taken = BTreeSet::new();
            let mut rows = Vec::new();
            while rows.len() < count {
                let mut one = |words: &[&str]| words[random.random_range(0..words.len())].to_owned();
                let service = one(&["a", "a-b", "B", "api", "web", "z_9"]);
                let name = one(&["a", "b", "b-c", "C", "dev", "prd", "prd-2", "x"]);
                if !taken.insert((service.clone(), name.clone())) {
                    continue;
                }
                let fresh = Fresh {
                    id: unit.fresh_id(),
                    target: instance(&service, &name),
                    environment: Some(one(&["prd", "stg", "Dev"]).parse().unwrap()),
                    account: PRODUCTION.parse().unwrap(),
                    region: region(),
                    connection,
                    template: Some(one(&["web", "minimal-svc", "Zed"]).parse().unwrap()),
                    version: version(&one(&["1.0", "1.1", "2.0"])),
                    spec: String::new(),
                    warnings: Vec::new(),
                };
                let status = one(&STATUSES);
                let mut at = || Timestamp::from_micros(random.random_range(1_000_000..1_000_008) * 1_000_000);
                let mut row = TargetRow::fresh(fresh, at());
                row.status = status;
                let attempted = at();
                if random.random_bool(0.7) {
                    row.attempted = Some((unit.fresh_id(), attempted));
                }
                targets::insert(unit.tx, &row).await?;
                rows.push(row);
            }
            Ok(rows)
        })
    });
    written.await.unwrap()
}

fn names(row: &TargetRow) -> (String, String) {
    match &row.target {
        Target::Instance(service, name) => (service.to_string(), name.to_string()),
        other => panic!("{other} is no instance"),
    }
}

/// What a list is sorted by, as this test sees it: times as numbers, everything else as text.
fn key(row: &TargetRow, sort: SortBy) -> (i64, String, String, String) {
    let (service, name) = names(row);
    let text = |text: String| (0, text, service.clone(), name.clone());
    let time = |at: Timestamp| (at.as_micros(), String::new(), service.clone(), name.clone());
    match sort {
        SortBy::ServiceName => text(String::new()),
        SortBy::Name => (0, name.clone(), service.clone(), String::new()),
        SortBy::DeploymentStatus => text(row.status.clone()),
        SortBy::TemplateName => text(row.template.as_ref().unwrap().to_string()),
        SortBy::EnvironmentName => text(row.environment.as_ref().unwrap().to_string()),
        SortBy::LastDeploymentAttemptedAt => time(last_attempt(row)),
        SortBy::CreatedAt => time(row.created_at),
    }
}

fn sorted(rows: &[TargetRow], sort: SortBy, direction: Direction) -> Vec<(String, String)> {
    let mut rows: Vec<&TargetRow> = rows.iter().collect();
    rows.sort_by_key(|row| key(row, sort));
    if direction == Direction::Descending {
        rows.reverse();
    }
    rows.into_iter().map(names).collect()
}

async fn page(
    world: &World,
    list: &InstanceList,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<TargetRow>, AppError> {
    world
        .app
        .list_instances(&developer(), list.clone(), after, limit)
        .await
}

/// All pages, joined.
async fn joined(world: &World, list: &InstanceList, size: u32) -> Vec<(String, String)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let rows = page(world, list, after, size).await.unwrap();
        all.extend(rows.iter().map(names));
        after = rows.last().map(|row| Place::of(row, list.sort));
        if rows.len() < size as usize {
            return all;
        }
    }
}

fn filtered(filters: &[(FilterBy, &str)]) -> InstanceList {
    InstanceList {
        filters: filters
            .iter()
            .map(|(by, value)| (*by, (*value).to_owned()))
            .collect(),
        ..InstanceList::default()
    }
}

scenarios! {
    async fn pages_joined_are_the_whole_list_in_every_order(world: World) {
        let rows = scatter(&world, 37, 20_261_129).await;
        for sort in SortBy::ALL {
            for direction in [Direction::Ascending, Direction::Descending] {
                let list = InstanceList { sort, direction, ..InstanceList::default() };
                let expected = sorted(&rows, sort, direction);
                for size in [1, 2, 5, 36, 37, 100] {
                    assert_eq!(joined(&world, &list, size).await, expected, "{sort:?} {direction:?} by {size}");
                }
                let of_api = InstanceList { filters: vec![(FilterBy::ServiceName, "api".to_owned())], ..list.clone() };
                let expected: Vec<_> = expected.into_iter().filter(|(service, _)| service == "api").collect();
                assert_eq!(joined(&world, &of_api, 2).await, expected, "{sort:?} {direction:?} of one service");
            }
        }
        let standard = page(&world, &InstanceList::default(), None, 100).await.unwrap();
        assert_eq!(standard.iter().map(names).collect::<Vec<_>>(), sorted(&rows, SortBy::ServiceName, Direction::Ascending));
    }

    async fn every_filter_keeps_what_it_says(world: World) {
        let rows = scatter(&world, 40, 7).await;
        world.template(TemplateKind::Service, "web", true).await;
        let bundle = archive(&example("minimal-svc-no-pipeline"));
        world.environment_template().await;
        let one = world.register(TemplateKind::Service, "web", None, bundle.clone(), &["minimal-env:1"]).await.unwrap();
        assert_eq!(one.row.version, version("1.0"));
        world.published(TemplateKind::Service, "web", Some(1), bundle, &["minimal-env:1"]).await;

        let moment = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let is = |row: &TargetRow, template: &str| row.template.as_ref().unwrap().as_str() == template;
        let cases: Vec<(Vec<(FilterBy, &str)>, Keeps)> = vec![
            (vec![(FilterBy::Name, "dev")], Box::new(|row| names(row).1 == "dev")),
            (vec![(FilterBy::ServiceName, "a")], Box::new(|row| names(row).0 == "a")),
            (vec![(FilterBy::EnvironmentName, "stg")], Box::new(|row| row.environment.as_ref().unwrap().as_str() == "stg")),
            (vec![(FilterBy::TemplateName, "Zed")], Box::new(move |row| is(row, "Zed"))),
            (vec![(FilterBy::DeploymentStatus, "FAILED")], Box::new(|row| row.status == "FAILED")),
            (vec![(FilterBy::CreatedAtBefore, "1000004")], Box::new(move |row| row.created_at < moment(1_000_004))),
            (vec![(FilterBy::CreatedAtAfter, "1970-01-12T13:46:44Z")], Box::new(move |row| row.created_at > moment(1_000_004))),
            (vec![(FilterBy::LastDeploymentAttemptedAtBefore, "1000004")], Box::new(move |row| last_attempt(row) < moment(1_000_004))),
            (vec![(FilterBy::LastDeploymentAttemptedAtAfter, "1000004.0")], Box::new(move |row| last_attempt(row) > moment(1_000_004))),
            (
                vec![(FilterBy::DeployedTemplateVersionStatus, "PUBLISHED")],
                Box::new(move |row| is(row, "web") && row.version == version("1.1")),
            ),
            (
                vec![(FilterBy::DeployedTemplateVersionStatus, "DRAFT")],
                Box::new(move |row| is(row, "web") && row.version == version("1.0")),
            ),
            (
                vec![(FilterBy::DeployedTemplateVersionStatus, "BEHIND_MINOR"), (FilterBy::TemplateName, "web")],
                Box::new(move |row| is(row, "web") && row.version == version("1.0")),
            ),
            (
                vec![(FilterBy::DeploymentStatus, "SUCCEEDED"), (FilterBy::EnvironmentName, "prd"), (FilterBy::CreatedAtAfter, "1000001")],
                Box::new(move |row| {
                    row.status == "SUCCEEDED" && row.environment.as_ref().unwrap().as_str() == "prd" && row.created_at > moment(1_000_001)
                }),
            ),
            (vec![(FilterBy::Name, "a"), (FilterBy::Name, "b")], Box::new(|_| false)),
        ];
        for (filters, keeps) in cases {
            let kept: Vec<TargetRow> = rows.iter().filter(|row| keeps(row)).cloned().collect();
            let expected = sorted(&kept, SortBy::ServiceName, Direction::Ascending);
            let list = filtered(&filters);
            assert_eq!(joined(&world, &list, 3).await, expected, "{filters:?}");
        }
        assert_eq!(reason(page(&world, &filtered(&[(FilterBy::DeploymentStatus, "FINE")]), None, 9).await), "INVALID_FILTER");
        let unknown = InstanceList { service: Some("nothing".parse().unwrap()), ..InstanceList::default() };
        assert_eq!(reason(page(&world, &unknown, None, 9).await), "NOT_FOUND");
        let owner = caller(Role::Owner, Some(PRODUCTION));
        let error = world.app.list_instances(&owner, InstanceList::default(), None, 9).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
    }
}
