//! A hub without wires: the use cases over a database, people who call them, and what they usually set up first.

use std::path::PathBuf;
use std::time::Duration;

use hadron_domain::authority::{Caller, Role};
use hadron_domain::principal::Principal;
use hadron_domain::target::Target;
use hadron_domain::template::{TemplateKind, Wanted};
use hadron_management::api::proton::testing::Client;
use hadron_management::app::access::Access;
use hadron_management::app::connections::NewConnection;
use hadron_management::app::environments::{EnvironmentUpdate, NewEnvironment, Path, UpdateMode};
use hadron_management::app::instances::PartUpdate;
use hadron_management::app::services::{NewService, ServiceView};
use hadron_management::app::templates::{BundleSource, NewTemplate, NewVersion, VersionView};
use hadron_management::app::{App, AppError, Request, Settings};
use hadron_management::reconcile;
use hadron_management::store::db::testing::{self, TestDb};
use hadron_management::store::deployments::{self, DeploymentRow, EventRow};
use hadron_management::store::targets::{self, TargetRow};
use hadron_management::store::{StoreError, Value, params};
use hadron_proto::vocab::Partition;
use hadron_proto::vocab::{AccountId, ConnectionId, DeploymentId, Digest, Region, TemplateVersion};
use hadron_templates::{Bundle, Limits};

use crate::agent::Agent;

/// The management account.
pub(crate) const MANAGEMENT: &str = "111111111111";
/// Two environment accounts.
pub(crate) const PRODUCTION: &str = "333333333333";
pub(crate) const STAGING: &str = "444444444444";

/// How long a lease holds in this world.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) const ENVIRONMENT_SPEC: &str = "proton: EnvironmentSpec\nspec:\n  greeting: Good morning\n";

pub(crate) fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

pub(crate) fn region() -> Region {
    "us-east-1".parse().unwrap()
}

pub(crate) fn version(text: &str) -> TemplateVersion {
    text.parse().unwrap()
}

/// A service spec with these instances, each `(name, environment, inputs)`.
pub(crate) fn service_spec(pipeline: Option<&str>, instances: &[(&str, &str, &str)]) -> String {
    let mut text = "proton: ServiceSpec\n".to_owned();
    if let Some(inputs) = pipeline {
        text.push_str(&format!("pipeline: {{ {inputs} }}\n"));
    }
    text.push_str("instances:\n");
    for (name, environment, inputs) in instances {
        text.push_str(&format!(
            "  - name: {name}\n    environment: {environment}\n    spec: {{ {inputs} }}\n"
        ));
    }
    text
}

/// The files of one of the examples that are delivered with Hadron.
pub(crate) fn example(name: &str) -> Vec<(String, String)> {
    let root: PathBuf = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/examples")
        .join(name)
        .join("v1");
    let bundle = Bundle::read(&root, &Limits::default()).unwrap();
    let text = |path: &str| String::from_utf8(bundle.get(path).unwrap().to_vec()).unwrap();
    bundle.paths().map(|path| (path.to_owned(), text(path))).collect()
}

/// The archive of these files.
pub(crate) fn archive(files: &[(String, String)]) -> Vec<u8> {
    let files = files.iter().map(|(path, text)| (path, text.clone().into_bytes()));
    Bundle::from_files(files, &Limits::default())
        .unwrap()
        .to_archive()
}

/// The archive of an example with some files replaced or added.
pub(crate) fn example_with(name: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut files = example(name);
    files.retain(|(path, _)| more.iter().all(|(other, _)| path != other));
    files.extend(
        more.iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    );
    archive(&files)
}

/// A file of an example.
pub(crate) fn example_file(name: &str, path: &str) -> String {
    let files = example(name);
    let found = files.into_iter().find(|(other, _)| other == path);
    found.map(|(_, text)| text).unwrap()
}

/// The archive of an example in which one text was replaced.
pub(crate) fn changed_example(name: &str, old: &str, new: &str) -> Vec<u8> {
    let mut files = example(name);
    assert!(
        files.iter().any(|(_, text)| text.contains(old)),
        "{name} has no '{old}'"
    );
    for (_, text) in &mut files {
        *text = text.replace(old, new);
    }
    archive(&files)
}

pub(crate) struct World {
    pub(crate) test: TestDb,
    pub(crate) app: App,
}

/// The hub's settings in this world.
pub(crate) fn settings() -> Settings {
    Settings {
        hub_id: "hub".to_owned(),
        account: account(MANAGEMENT),
        region: region(),
        stack_prefix: hadron_proto::vocab::StackPrefix::proton(),
        agent_role_name: "hadron-agent".to_owned(),
        provisioning_role: Some(
            format!("arn:aws:iam::{MANAGEMENT}:role/provisioning")
                .parse()
                .unwrap(),
        ),
        pipeline_role: Some(
            format!("arn:aws:iam::{MANAGEMENT}:role/pipelines")
                .parse()
                .unwrap(),
        ),
        lease: LEASE,
        heartbeat: Duration::from_secs(10),
        grant_check: Duration::from_secs(900),
        events: hadron_management::app::events::Sinks::default(),
        audit_copy: None,
        quotas: hadron_management::app::Quotas::default(),
        templates: hadron_management::app::templates::Rules::default(),
        access: Access {
            account: account(MANAGEMENT),
            partition: Partition::Aws,
            administrators: vec![format!("arn:aws:iam::{MANAGEMENT}:role/admin").parse().unwrap()],
            developers: Vec::new(),
            auditors: Vec::new(),
            issuers: Vec::new(),
        },
    }
}

pub(crate) fn caller(role: Role, account: Option<&str>) -> Caller {
    Caller::new(
        Principal::new(format!("token:{}-{}", role.word(), account.unwrap_or("none"))),
        account.map(|account| account.parse().unwrap()),
        role,
    )
}

pub(crate) fn administrator() -> Caller {
    caller(Role::Administrator, Some(MANAGEMENT))
}

pub(crate) fn developer() -> Caller {
    caller(Role::Developer, None)
}

pub(crate) fn auditor() -> Caller {
    caller(Role::Auditor, None)
}

pub(crate) fn owner(account: &str) -> Caller {
    caller(Role::Owner, Some(account))
}

/// A request without an id.
pub(crate) fn asked(caller: &Caller, operation: &'static str) -> Request {
    Request {
        caller: caller.clone(),
        id: None,
        operation,
        hash: Digest::of(operation.as_bytes()),
        repeatable: false,
        tags: Vec::new(),
    }
}

/// A request with an id, and with content that its hash stands for.
pub(crate) fn identified(caller: &Caller, operation: &'static str, id: &str, content: &str) -> Request {
    Request {
        caller: caller.clone(),
        id: Some(id.to_owned()),
        operation,
        hash: Digest::of(content.as_bytes()),
        repeatable: false,
        tags: Vec::new(),
    }
}

/// A first version of a template, and nothing else said about it.
pub(crate) fn new_version(kind: TemplateKind, name: &str, source: BundleSource) -> NewVersion {
    NewVersion {
        kind,
        name: name.parse().unwrap(),
        major: None,
        source,
        description: String::new(),
        compatible: Vec::new(),
        components: false,
    }
}

/// The reason of an error that had to come.
pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T, AppError>) -> &'static str {
    outcome.expect_err("this had to be refused").reason
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::over(testing::sqlite().await).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::over(testing::postgres().await).await
    }

    /// The same hub, told other quotas.
    pub(crate) fn with_quotas(&self, quotas: hadron_management::app::Quotas) -> App {
        let settings = Settings { quotas, ..settings() };
        App::new(self.test.db.clone(), self.test.clock.clone(), settings)
    }

    async fn over(test: TestDb) -> Self {
        let app = App::new(test.db.clone(), test.clock.clone(), settings());
        app.seed_management().await.unwrap();
        Self { test, app }
    }

    /// Lets time pass. PostgreSQL goes by its own clock, so there the past is moved instead.
    pub(crate) async fn pass(&self, by: Duration) {
        self.test.clock.advance(by);
        if self.test.place.starts_with("host=") {
            let micros = i64::try_from(by.as_micros()).unwrap();
            // Hubs may be at work meanwhile, and lock single rows in their own order. So a table at a time, and whole: whoever
            // holds it waits for nobody.
            for (lock, turn_back) in [
                ("LOCK TABLE job IN EXCLUSIVE MODE", "UPDATE job SET at = at - $1"),
                (
                    "LOCK TABLE outbox IN EXCLUSIVE MODE",
                    "UPDATE outbox SET due_at = due_at - $1",
                ),
                (
                    "LOCK TABLE agent IN EXCLUSIVE MODE",
                    "UPDATE agent SET last_seen = last_seen - $1, not_after = not_after - $1",
                ),
                (
                    "LOCK TABLE token IN EXCLUSIVE MODE",
                    "UPDATE token SET expires_at = expires_at - $1",
                ),
                (
                    "LOCK TABLE idempotency IN EXCLUSIVE MODE",
                    "UPDATE idempotency SET created_at = created_at - $1",
                ),
            ] {
                let moved = self.test.db.write("time passes", move |tx| {
                    Box::pin(async move {
                        tx.execute(lock, &[]).await?;
                        tx.execute(turn_back, &params![micros]).await?;
                        Ok::<_, StoreError>(())
                    })
                });
                moved.await.unwrap();
            }
        }
    }

    /// Carries out everything that is to be done, until nothing is left.
    pub(crate) async fn settle(&self) {
        reconcile::drain(&self.app).await.unwrap();
        let left = self
            .rows(
                "SELECT topic, key, last_error AS more FROM outbox ORDER BY topic, key",
                &[],
            )
            .await;
        assert_eq!(
            left,
            Vec::<String>::new(),
            "effects that could not be carried out"
        );
        assert_eq!(
            testing::wrong_orders(),
            Vec::<String>::new(),
            "rows locked in a wrong order"
        );
    }

    /// Three text columns `topic`, `key` and `more` of a statement, for looks behind the scenes.
    pub(crate) async fn rows(&self, sql: &'static str, params: &[Value]) -> Vec<String> {
        let params = params.to_vec();
        let rows = self.test.db.read("rows", move |tx| {
            Box::pin(async move { tx.query(sql, &params).await })
        });
        let rows: Result<_, StoreError> = rows.await;
        let text = |row: &hadron_management::store::Row| {
            let part = |column: &str| row.get::<String>(column).unwrap();
            format!("{} {} {}", part("topic"), part("key"), part("more"))
        };
        rows.unwrap().iter().map(text).collect()
    }

    /// Audit lines of refused calls: who and what.
    pub(crate) async fn denied(&self) -> Vec<String> {
        self.rows(
            "SELECT principal AS topic, action AS key, object AS more FROM audit WHERE outcome = 'denied' ORDER BY sequence",
            &[],
        )
        .await
    }

    // --- connections

    pub(crate) async fn request(
        &self,
        owner_account: &str,
        environment: &str,
    ) -> Result<ConnectionId, AppError> {
        let new = new_connection(owner_account, environment);
        let request = asked(&owner(owner_account), "RequestConnection");
        self.app
            .request_connection(request, new)
            .await
            .map(|view| view.connection.id)
    }

    pub(crate) async fn accept(&self, id: ConnectionId, account_id: &str) -> Result<(), AppError> {
        let request = asked(&administrator(), "AcceptConnection");
        self.app
            .accept_connection(request, id, Some(account(account_id)))
            .await
            .map(drop)
    }

    pub(crate) async fn connected(&self, account: &str, environment: &str) -> ConnectionId {
        let id = self.request(account, environment).await.unwrap();
        self.accept(id, account).await.unwrap();
        id
    }

    /// An enrolled agent with an open session.
    pub(crate) async fn agent(&self, connection: ConnectionId) -> Agent {
        Agent::enrol(self, connection).await
    }

    /// An agent of the management account.
    pub(crate) async fn management_agent(&self) -> Agent {
        let connection = self.app.seed_management().await.unwrap();
        Agent::enrol(self, connection).await
    }

    // --- templates

    pub(crate) async fn template(&self, kind: TemplateKind, name: &str, no_pipeline: bool) {
        let request = asked(&administrator(), "CreateTemplate");
        let new = NewTemplate {
            no_pipeline,
            ..NewTemplate::named(kind, name.parse().unwrap())
        };
        self.app.create_template(request, new).await.unwrap();
    }

    pub(crate) async fn register(
        &self,
        kind: TemplateKind,
        name: &str,
        major: Option<u32>,
        bundle: Vec<u8>,
        compatible: &[&str],
    ) -> Result<VersionView, AppError> {
        let mut new = new_version(kind, name, BundleSource::Archive(bundle));
        new.major = major;
        new.compatible = compatible.iter().map(|text| text.parse().unwrap()).collect();
        self.app
            .create_version(asked(&administrator(), "CreateTemplateVersion"), new)
            .await
    }

    pub(crate) async fn publish(&self, kind: TemplateKind, name: &str, version: &str) {
        let request = asked(&administrator(), "PublishTemplateVersion");
        let (name, version) = (name.parse().unwrap(), version.parse().unwrap());
        self.app
            .publish_version(request, kind, name, version)
            .await
            .unwrap();
    }

    pub(crate) async fn published(
        &self,
        kind: TemplateKind,
        name: &str,
        major: Option<u32>,
        bundle: Vec<u8>,
        compatible: &[&str],
    ) -> TemplateVersion {
        let version = self
            .register(kind, name, major, bundle, compatible)
            .await
            .unwrap()
            .row
            .version;
        self.publish(kind, name, &version.to_string()).await;
        version
    }

    /// The environment template of the examples, published as 1.0.
    pub(crate) async fn environment_template(&self) {
        self.template(TemplateKind::Environment, "minimal-env", false)
            .await;
        let bundle = archive(&example("minimal-env"));
        self.published(TemplateKind::Environment, "minimal-env", None, bundle, &[])
            .await;
    }

    /// A template of environments that somebody else provisions, published as 1.0.
    pub(crate) async fn customer_managed_template(&self) {
        let request = asked(&administrator(), "CreateTemplate");
        let new = NewTemplate {
            customer_managed: true,
            ..NewTemplate::named(TemplateKind::Environment, "shared-env".parse().unwrap())
        };
        self.app.create_template(request, new).await.unwrap();
        self.published(
            TemplateKind::Environment,
            "shared-env",
            None,
            customer_managed("TopicArn"),
            &[],
        )
        .await;
    }

    /// The Proton API, asked by this caller.
    pub(crate) fn proton(&self, caller: Caller) -> Client {
        Client::new(self.app.clone(), caller)
    }

    /// All templates of the minimal examples, published as 1.0.
    pub(crate) async fn templates(&self) {
        self.environment_template().await;
        for (name, no_pipeline) in [("minimal-svc", false), ("minimal-svc-no-pipeline", true)] {
            self.template(TemplateKind::Service, name, no_pipeline).await;
            let bundle = archive(&example(name));
            self.published(TemplateKind::Service, name, None, bundle, &["minimal-env:1"])
                .await;
        }
    }

    // --- environments

    pub(crate) async fn create_environment(
        &self,
        name: &str,
        connection: Option<ConnectionId>,
    ) -> Result<TargetRow, AppError> {
        let new = new_environment(name, connection);
        self.app
            .create_environment(asked(&administrator(), "CreateEnvironment"), new)
            .await
    }

    /// An environment in an account of its own, with an agent that has deployed it.
    pub(crate) async fn environment(&self, account: &str, name: &str) -> (ConnectionId, Agent) {
        let connection = self.connected(account, name).await;
        let agent = self.agent(connection).await;
        self.create_environment(name, Some(connection)).await.unwrap();
        agent.succeed_all(self).await;
        assert_eq!(self.target(&environment(name)).await.status, "SUCCEEDED");
        (connection, agent)
    }

    /// The same, where the connection names a role for components as well.
    pub(crate) async fn environment_with_components(
        &self,
        account: &str,
        name: &str,
    ) -> (ConnectionId, Agent) {
        let mut new = new_connection(account, name);
        new.component_role = Some(format!("arn:aws:iam::{account}:role/components").parse().unwrap());
        let request = asked(&owner(account), "RequestConnection");
        let requested = self.app.request_connection(request, new).await.unwrap();
        let id = requested.connection.id;
        self.accept(id, account).await.unwrap();
        let agent = self.agent(id).await;
        self.create_environment(name, Some(id)).await.unwrap();
        agent.succeed_all(self).await;
        (id, agent)
    }

    pub(crate) async fn update_environment(&self, update: EnvironmentUpdate) -> Result<TargetRow, AppError> {
        self.app
            .update_environment(asked(&administrator(), "UpdateEnvironment"), update)
            .await
    }

    pub(crate) async fn delete_environment(&self, name: &str) -> Result<TargetRow, AppError> {
        let request = asked(&administrator(), "DeleteEnvironment");
        self.app
            .delete_environment(request, name.parse().unwrap(), Vec::new())
            .await
    }

    // --- services

    pub(crate) async fn create_service(
        &self,
        name: &str,
        template: &str,
        spec: &str,
    ) -> Result<ServiceView, AppError> {
        let made = self
            .app
            .create_service(
                asked(&developer(), "CreateService"),
                new_service(name, template, spec),
            )
            .await;
        if made.is_ok() {
            self.settle().await;
        }
        made
    }

    pub(crate) async fn update_service(&self, name: &str, spec: &str) -> Result<ServiceView, AppError> {
        let request = asked(&developer(), "UpdateService");
        let made = self
            .app
            .update_service(request, name.parse().unwrap(), Some(spec.to_owned()), None)
            .await;
        if made.is_ok() {
            self.settle().await;
        }
        made
    }

    pub(crate) async fn delete_service(&self, name: &str) -> Result<ServiceView, AppError> {
        let made = self
            .app
            .delete_service(asked(&developer(), "DeleteService"), name.parse().unwrap())
            .await;
        if made.is_ok() {
            self.settle().await;
        }
        made
    }

    pub(crate) async fn update_instance(
        &self,
        service: &str,
        name: &str,
        update: PartUpdate,
    ) -> Result<TargetRow, AppError> {
        let request = asked(&developer(), "UpdateServiceInstance");
        let made = self
            .app
            .update_instance(request, service.parse().unwrap(), name.parse().unwrap(), update)
            .await;
        if made.is_ok() {
            self.settle().await;
        }
        made
    }

    pub(crate) async fn service(&self, name: &str) -> ServiceView {
        self.app
            .get_service(&developer(), &name.parse().unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn service_status(&self, name: &str) -> &'static str {
        self.service(name).await.service.status.word()
    }

    // --- looks

    pub(crate) async fn find(&self, target: &Target) -> Option<TargetRow> {
        let target = target.clone();
        let row = self.app.read("target", move |tx| {
            Box::pin(async move { Ok(targets::get(tx, &target).await?) })
        });
        row.await.unwrap()
    }

    pub(crate) async fn target(&self, target: &Target) -> TargetRow {
        self.find(target)
            .await
            .unwrap_or_else(|| panic!("there is no {target}"))
    }

    pub(crate) async fn deployment(&self, id: DeploymentId) -> DeploymentRow {
        self.app.get_deployment(&developer(), id).await.unwrap()
    }

    /// The last deployment of a target.
    pub(crate) async fn last(&self, target: &Target) -> DeploymentRow {
        self.deployment(self.target(target).await.attempted.unwrap().0)
            .await
    }

    pub(crate) async fn active(&self) -> Vec<DeploymentRow> {
        let rows = self.app.read("active", |tx| {
            Box::pin(async move { Ok(deployments::active(tx).await?) })
        });
        rows.await.unwrap()
    }

    pub(crate) async fn events(&self, id: DeploymentId) -> Vec<EventRow> {
        self.app
            .deployment_events(&developer(), id, 0, 1000)
            .await
            .unwrap()
    }

    pub(crate) async fn cancel(&self, id: DeploymentId) -> Result<DeploymentRow, AppError> {
        let outcome = self
            .app
            .cancel_deployment(asked(&administrator(), "CancelDeployment"), id)
            .await;
        self.settle().await;
        outcome
    }

    /// Grants as `repository account STATE`.
    pub(crate) async fn grants(&self) -> Vec<String> {
        let grants = self.app.list_grants(&auditor()).await.unwrap();
        grants
            .iter()
            .map(|grant| format!("{} {} {}", grant.repository.name, grant.account, grant.state))
            .collect()
    }
}

/// A bundle that is only a schema: a parameter and what this output is called.
pub(crate) fn customer_managed(output: &str) -> Vec<u8> {
    let schema = format!(
        "schema:
  format: {{ openapi: '3.0.0' }}
  environment_input_type: Shared
  types:
    Shared:
      type: object
      required: [GreetingParameter]
      properties:
        GreetingParameter: {{ type: string }}
        {output}: {{ type: string }}
"
    );
    archive(&[("schema/schema.yaml".to_owned(), schema)])
}

/// An environment bundle whose manifest says this of its one template.
pub(crate) fn provisioned_by(manifest: &str, file: (&str, &str)) -> Vec<u8> {
    let schema = "schema:
  format: { openapi: '3.0.0' }
  environment_input_type: Any
  types:
    Any: { type: object, properties: { greeting: { type: string } } }
";
    let manifest = format!("infrastructure:\n  templates:\n    - {manifest}\n");
    archive(&[
        ("schema/schema.yaml".to_owned(), schema.to_owned()),
        ("infrastructure/manifest.yaml".to_owned(), manifest),
        (format!("infrastructure/{}", file.0), file.1.to_owned()),
    ])
}

/// What is given an environment of [`customer_managed`].
pub(crate) const SHARED_SPEC: &str =
    "proton: EnvironmentSpec\nspec:\n  GreetingParameter: /shared/greeting\n  TopicArn: '007'\n";

pub(crate) fn new_connection(account: &str, environment: &str) -> NewConnection {
    NewConnection {
        environment: environment.parse().unwrap(),
        management: Some(MANAGEMENT.parse().unwrap()),
        region: None,
        role: Some(
            format!("arn:aws:iam::{account}:role/provisioning")
                .parse()
                .unwrap(),
        ),
        component_role: None,
        codebuild_role: None,
        agent_role_name: None,
    }
}

pub(crate) fn new_environment(name: &str, connection: Option<ConnectionId>) -> NewEnvironment {
    NewEnvironment {
        name: name.parse().unwrap(),
        template: "minimal-env".parse().unwrap(),
        version: Wanted::Recommended,
        path: connection.map_or(Path::Configured, Path::Connection),
        component_role: None,
        codebuild_role: None,
        spec: ENVIRONMENT_SPEC.to_owned(),
        description: "for tests".to_owned(),
    }
}

pub(crate) fn environment_update(name: &str, mode: UpdateMode) -> EnvironmentUpdate {
    EnvironmentUpdate {
        name: name.parse().unwrap(),
        mode,
        spec: None,
        version: None,
        description: None,
        connection: None,
        roles: targets::EnvironmentRoles::default(),
        repository: None,
    }
}

pub(crate) fn new_service(name: &str, template: &str, spec: &str) -> NewService {
    let source = if template.ends_with("no-pipeline") {
        (String::new(), String::new(), String::new())
    } else {
        let link = format!("arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/1");
        ("main".to_owned(), "acme/web".to_owned(), link)
    };
    NewService {
        name: name.parse().unwrap(),
        template: template.parse().unwrap(),
        version: Wanted::Recommended,
        spec: spec.to_owned(),
        description: String::new(),
        source,
    }
}

/// Deploys the same version again, perhaps with another spec.
pub(crate) fn current(spec: Option<&str>) -> PartUpdate {
    PartUpdate {
        mode: UpdateMode::Current,
        spec: spec.map(str::to_owned),
        version: None,
    }
}

pub(crate) fn environment(name: &str) -> Target {
    Target::Environment(name.parse().unwrap())
}

pub(crate) fn instance(service: &str, name: &str) -> Target {
    Target::Instance(service.parse().unwrap(), name.parse().unwrap())
}

pub(crate) fn pipeline(service: &str) -> Target {
    Target::Pipeline(service.parse().unwrap())
}
