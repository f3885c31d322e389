//! Lists of service instances in every order that Proton knows. Their rows are [`targets`](super::targets).
//!
//! A page begins after the key of the last row of the page before: the value that the list is sorted by, then the
//! service's and the instance's name, all three in the same direction. Each order has an index of its own (migration 2),
//! so that a page costs what it holds, however many instances there are; what is filtered besides is compared row by row.

use hadron_domain::authority::Sight;
use hadron_domain::target::Target;
use hadron_proto::vocab::Timestamp;

use super::StoreError;
use super::db::{Tx, Value, params};
use super::sight::{self, seen};
use super::targets::{TargetRow, from_row, target_columns};

/// What a list of instances is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By the service's name, then by its own.
    #[default]
    ServiceName,
    /// By its own name.
    Name,
    /// By the word of its status.
    DeploymentStatus,
    /// By the template's name.
    TemplateName,
    /// By the environment's name.
    EnvironmentName,
    /// By the time of the last deployment; of its creation, where there was none.
    LastDeploymentAttemptedAt,
    /// By the time of its creation.
    CreatedAt,
}

impl SortBy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ServiceName,
        Self::Name,
        Self::DeploymentStatus,
        Self::TemplateName,
        Self::EnvironmentName,
        Self::LastDeploymentAttemptedAt,
        Self::CreatedAt,
    ];

    const fn is_time(self) -> bool {
        matches!(self, Self::LastDeploymentAttemptedAt | Self::CreatedAt)
    }
}

/// In which direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The lowest first.
    #[default]
    Ascending,
    /// The highest first.
    Descending,
}

/// Where a page ends: what its last row is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The value that the list is sorted by; microseconds for times.
    pub value: String,
    /// The service.
    pub service: String,
    /// The instance.
    pub name: String,
}

impl Place {
    /// The place of a row in a list that is sorted so.
    #[must_use]
    pub fn of(row: &TargetRow, sort: SortBy) -> Self {
        let (service, name) = match &row.target {
            Target::Instance(service, name) => (service.to_string(), name.to_string()),
            other => (String::new(), other.name()),
        };
        let value = match sort {
            SortBy::ServiceName => service.clone(),
            SortBy::Name => name.clone(),
            SortBy::DeploymentStatus => row.status.clone(),
            SortBy::TemplateName => row.template.as_ref().map(ToString::to_string).unwrap_or_default(),
            SortBy::EnvironmentName => row
                .environment
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            SortBy::LastDeploymentAttemptedAt => last_attempt(row).as_micros().to_string(),
            SortBy::CreatedAt => row.created_at.as_micros().to_string(),
        };
        Self { value, service, name }
    }

    /// Before the first row.
    fn start(sort: SortBy, direction: Direction) -> Self {
        // Names and words are below a tilde and above nothing.
        let (text, number) = match direction {
            Direction::Ascending => ("", i64::MIN),
            Direction::Descending => ("~", i64::MAX),
        };
        let value = if sort.is_time() {
            number.to_string()
        } else {
            text.to_owned()
        };
        Self {
            value,
            service: text.to_owned(),
            name: text.to_owned(),
        }
    }
}

/// When an instance was last deployed, as people are told: before its first deployment, when it was made.
#[must_use]
pub fn last_attempt(row: &TargetRow) -> Timestamp {
    row.attempted.map_or(row.created_at, |(_, at)| at)
}

/// Which instances to list; `None` asks for nothing in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this service.
    pub service: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// In this environment.
    pub environment: Option<String>,
    /// From this template.
    pub template: Option<String>,
    /// With this status.
    pub status: Option<String>,
    /// Deployed last after this.
    pub attempted_after: Option<Timestamp>,
    /// Deployed last before this.
    pub attempted_before: Option<Timestamp>,
    /// Made after this.
    pub created_after: Option<Timestamp>,
    /// Made before this.
    pub created_before: Option<Timestamp>,
}

/// `$columns` is what the list is sorted by, `$values` where the page begins; the rest says in which direction. Only that
/// may look like a range of an index: `|| ''` and `+ 0` keep planners from walking through another one and sorting then.
macro_rules! listed {
    ($columns:literal $beyond:literal $values:literal, $services:literal, $order:literal, $limit:literal, $sight:literal) => {
        concat!(
            "SELECT ",
            target_columns!(),
            " FROM target
              WHERE kind = 'instance' AND (",
            $columns,
            ") ",
            $beyond,
            " (",
            $values,
            ") AND ",
            $services,
            " AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              AND ",
            seen!($sight, "account" in "account", "environment" in "environment", "service" in "service"),
            " ORDER BY ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}

/// Both directions of one order that begins with `$column`.
macro_rules! by {
    ($direction:expr, $columns:literal, $backwards:literal) => {
        match $direction {
            Direction::Ascending => listed!(
                $columns ">" "$11, $12, $13",
                "service || '' >= $1 AND service || '' <= $2",
                $columns,
                "$14",
                "$15"
            ),
            Direction::Descending => listed!(
                $columns "<" "$11, $12, $13",
                "service || '' >= $1 AND service || '' <= $2",
                $backwards,
                "$14",
                "$15"
            ),
        }
    };
}

/// The statement of one order.
const fn statement(sort: SortBy, direction: Direction) -> &'static str {
    match (sort, direction) {
        (SortBy::ServiceName, Direction::Ascending) => listed!(
            "service, instance" ">" "$11, $12",
            "service || '' >= $1 AND service <= $2",
            "service, instance",
            "$13",
            "$14"
        ),
        (SortBy::ServiceName, Direction::Descending) => listed!(
            "service, instance" "<" "$11, $12",
            "service >= $1 AND service || '' <= $2",
            "service DESC, instance DESC",
            "$13",
            "$14"
        ),
        (SortBy::Name, Direction::Ascending) => listed!(
            "instance, service" ">" "$11, $12",
            "service || '' >= $1 AND service || '' <= $2",
            "instance, service",
            "$13",
            "$14"
        ),
        (SortBy::Name, Direction::Descending) => listed!(
            "instance, service" "<" "$11, $12",
            "service || '' >= $1 AND service || '' <= $2",
            "instance DESC, service DESC",
            "$13",
            "$14"
        ),
        (SortBy::DeploymentStatus, direction) => by!(
            direction,
            "status, service, instance",
            "status DESC, service DESC, instance DESC"
        ),
        (SortBy::TemplateName, direction) => by!(
            direction,
            "template_name, service, instance",
            "template_name DESC, service DESC, instance DESC"
        ),
        (SortBy::EnvironmentName, direction) => by!(
            direction,
            "environment, service, instance",
            "environment DESC, service DESC, instance DESC"
        ),
        // SQLite does not see a range of an expression in a comparison of rows, so it is told once more.
        (SortBy::LastDeploymentAttemptedAt, Direction::Ascending) => listed!(
            "COALESCE(attempted_at, created_at), service, instance" ">" "$11, $12, $13",
            "service || '' >= $1 AND service || '' <= $2 AND COALESCE(attempted_at, created_at) >= $11",
            "COALESCE(attempted_at, created_at), service, instance",
            "$14",
            "$15"
        ),
        (SortBy::LastDeploymentAttemptedAt, Direction::Descending) => listed!(
            "COALESCE(attempted_at, created_at), service, instance" "<" "$11, $12, $13",
            "service || '' >= $1 AND service || '' <= $2 AND COALESCE(attempted_at, created_at) <= $11",
            "COALESCE(attempted_at, created_at) DESC, service DESC, instance DESC",
            "$14",
            "$15"
        ),
        (SortBy::CreatedAt, direction) => by!(
            direction,
            "created_at, service, instance",
            "created_at DESC, service DESC, instance DESC"
        ),
    }
}

/// Instances in this order, after `after`.
///
/// # Errors
/// [`StoreError::Misuse`] when `after` is no place of such a list.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    sight: &Sight,
    sort: SortBy,
    direction: Direction,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<TargetRow>, StoreError> {
    let mut place = Place::start(sort, direction);
    if let (SortBy::ServiceName, Some(service)) = (sort, &filter.service) {
        // Nothing before its own instances has to be passed on the way.
        place.service.clone_from(service);
    }
    if let Some(after) = after {
        place.clone_from(after);
    }
    let text = |wanted: &Option<String>| wanted.clone().unwrap_or_default();
    let low = |at: Option<Timestamp>| at.map_or(i64::MIN, Timestamp::as_micros);
    let high = |at: Option<Timestamp>| at.map_or(i64::MAX, Timestamp::as_micros);
    let mut values: Vec<Value> = params![
        text(&filter.service),
        filter.service.as_deref().unwrap_or("~"),
        text(&filter.name),
        text(&filter.environment),
        text(&filter.template),
        text(&filter.status),
        low(filter.attempted_after),
        high(filter.attempted_before),
        low(filter.created_after),
        high(filter.created_before),
    ]
    .into();
    match sort {
        SortBy::ServiceName => values.extend(params![place.service, place.name]),
        SortBy::Name => values.extend(params![place.name, place.service]),
        SortBy::DeploymentStatus | SortBy::TemplateName | SortBy::EnvironmentName => {
            values.extend(params![place.value, place.service, place.name]);
        }
        SortBy::LastDeploymentAttemptedAt | SortBy::CreatedAt => {
            let at: i64 = place
                .value
                .parse()
                .map_err(|_| StoreError::misuse("listing instances", "a time is a whole number"))?;
            values.extend(params![at, place.service, place.name]);
        }
    }
    values.extend(params![limit, sight::words(sight)]);
    let sql = statement(sort, direction);
    tx.query(sql, &values).await?.iter().map(from_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::db::testing;

    #[tokio::test]
    async fn every_order_is_read_from_its_index() {
        let test = testing::sqlite().await;
        for (sort, index) in [
            (SortBy::ServiceName, "target_instance"),
            (SortBy::Name, "instance_name"),
            (SortBy::DeploymentStatus, "instance_status"),
            (SortBy::TemplateName, "instance_template"),
            (SortBy::EnvironmentName, "instance_environment"),
            (SortBy::LastDeploymentAttemptedAt, "instance_attempted"),
            (SortBy::CreatedAt, "instance_created"),
        ] {
            for direction in [Direction::Ascending, Direction::Descending] {
                let plan = testing::plan(&test.db, statement(sort, direction)).await;
                assert!(
                    plan.contains(&format!("INDEX {index} (")),
                    "{sort:?} {direction:?}: {plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{sort:?} {direction:?}: {plan}");
            }
        }
    }
}
