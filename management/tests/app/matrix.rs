//! The authority matrix: everybody who can be told apart, times all 87 operations of Proton's API, times a thing of their
//! own, a thing of somebody else's, and one that does not exist. The answers stand in `matrix.txt`, which somebody reads when
//! one changes; `HADRON_BLESS=1` writes it anew.
//!
//! A cell says `may` (whatever came of it afterwards), `masked` (the same, with values masked), `denied`, or `absent`, which is what a thing that does not exist
//! is, and one that the caller is not to know of. For lists it says whether the thing is in it. Every `denied` is in the audit
//! log, once. Calls that change something run on a copy of the database of their own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hadron_domain::authority::{Action, Caller, Place, Right, Role, Scope};
use hadron_management::api::authority::{Needs, proton};
use hadron_management::api::proton::Operation;
use hadron_management::api::proton::testing::{Answer, Client};
use hadron_management::app::App;
use hadron_management::app::repositories::NewRepository;
use hadron_management::app::sync::Following;
use hadron_management::store::db::{Db, SqliteOptions, testing};
use hadron_management::store::requests;
use hadron_management::store::sync::Follower;
use hadron_proto::vocab::{AccountId, ConnectionId, DeploymentId};
use serde_json::{Value, json};

use crate::world::{
    ENVIRONMENT_SPEC, MANAGEMENT, PRODUCTION, STAGING, World, account, administrator, asked, caller,
    developer, environment, instance, new_connection, owner, service_spec, settings,
};
use hadron_domain::repository::Provider;
use hadron_domain::template::TemplateKind;
use hadron_templates::MASK;

/// What calls are about.
pub(crate) struct Thing {
    pub(crate) name: &'static str,
    pub(crate) environment: &'static str,
    pub(crate) service: &'static str,
    pub(crate) instance: &'static str,
    pub(crate) component: &'static str,
    /// Templates and repositories are everybody's or nobody's.
    pub(crate) template: &'static str,
    pub(crate) repository: &'static str,
    pub(crate) account: AccountId,
    pub(crate) connection: ConnectionId,
    pub(crate) deployment: DeploymentId,
}

fn one(name: &str, account: Option<&str>, rights: &[(Role, &str)]) -> (String, Caller) {
    let rights = rights
        .iter()
        .map(|(role, scope)| Right::new(*role, scope.parse().unwrap()).unwrap())
        .collect();
    let who = Caller {
        rights,
        ..caller(Role::Auditor, account)
    };
    (name.to_owned(), who)
}

/// Everybody who can be told apart.
pub(crate) fn people() -> Vec<(String, Caller)> {
    let prd: &'static str = "environment:prd";
    vec![
        one("administrator", Some(MANAGEMENT), &[(Role::Administrator, "hub")]),
        one("administrator of prd", None, &[(Role::Administrator, prd)]),
        one("developer", None, &[(Role::Developer, "hub")]),
        one(
            "developer of web in prd",
            None,
            &[(Role::Developer, "service:web"), (Role::Developer, prd)],
        ),
        one("developer of web", None, &[(Role::Developer, "service:web")]),
        one(
            "owner",
            Some(PRODUCTION),
            &[(Role::Owner, "account:333333333333")],
        ),
        one("auditor", None, &[(Role::Auditor, "hub")]),
        one("auditor of web", None, &[(Role::Auditor, "service:web")]),
        one("nobody", None, &[]),
    ]
}

async fn connection(world: &World, account_id: &str, name: &str) -> ConnectionId {
    let mut new = new_connection(account_id, name);
    new.component_role = Some(
        format!("arn:aws:iam::{account_id}:role/components")
            .parse()
            .unwrap(),
    );
    let request = asked(&owner(account_id), "RequestConnection");
    let made = world.app.request_connection(request, new).await.unwrap();
    let id = made.connection.id;
    world.accept(id, account_id).await.unwrap();
    id
}

/// Two of everything, one in each account.
pub(crate) async fn things(world: &World) -> [Thing; 3] {
    world.templates().await;
    let mut made = Vec::new();
    let management = world.management_agent().await;
    let repository = NewRepository {
        provider: Provider::Github,
        name: "acme/app".parse().unwrap(),
        connection_arn: format!(
            "arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/0a1b2c3d-0000-4000-8000-0123456789ab"
        ),
        encryption_key: String::new(),
    };
    let request = asked(&administrator(), "LinkRepository");
    world.app.link_repository(request, repository).await.unwrap();
    for (name, account_id, environment_name, service, instance_name, component) in [
        ("own", PRODUCTION, "prd", "web", "blue", "side"),
        ("other", STAGING, "stg", "shop", "red", "aside"),
    ] {
        let connection = connection(world, account_id, environment_name).await;
        let agent = world.agent(connection).await;
        world
            .create_environment(environment_name, Some(connection))
            .await
            .unwrap();
        agent.succeed_all(world).await;
        let spec = service_spec(Some(""), &[(instance_name, environment_name, "")]);
        world.create_service(service, "minimal-svc", &spec).await.unwrap();
        agent.succeed_all(world).await;
        management.succeed_all(world).await;
        agent.succeed_all(world).await;
        management.succeed_all(world).await;
        let new = crate::components::free(component, environment_name);
        let request = asked(&developer(), "CreateComponent");
        world.app.create_component(request, new).await.unwrap();
        agent.succeed_all(world).await;
        let following = Following {
            follower: Follower::Service(service.parse().unwrap()),
            provider: Provider::Github,
            repository: "acme/app".parse().unwrap(),
            branch: "main".to_owned(),
            path: "ops.yaml".to_owned(),
        };
        world
            .app
            .follow(asked(&developer(), "Follow"), following)
            .await
            .unwrap();
        made.push(Thing {
            name,
            environment: environment_name,
            service,
            instance: instance_name,
            component,
            template: "minimal-env",
            repository: "acme/app",
            account: account(account_id),
            connection,
            deployment: world.last(&instance(service, instance_name)).await.deployment.id,
        });
        assert_eq!(
            world.target(&environment(environment_name)).await.status,
            "SUCCEEDED"
        );
    }
    let following = Following {
        follower: Follower::Template(TemplateKind::Environment, "minimal-env".parse().unwrap()),
        provider: Provider::Github,
        repository: "acme/app".parse().unwrap(),
        branch: "main".to_owned(),
        path: "here".to_owned(),
    };
    world
        .app
        .follow(asked(&administrator(), "Follow"), following)
        .await
        .unwrap();
    let missing = Thing {
        name: "missing",
        environment: "none",
        service: "none",
        instance: "none",
        component: "none",
        template: "none",
        repository: "acme/none",
        account: account("444444444444"),
        connection: ConnectionId::from_parts(1, [9; 10]),
        deployment: DeploymentId::from_parts(1, [9; 10]),
    };
    let [own, other] = <[Thing; 2]>::try_from(made).unwrap_or_else(|_| unreachable!("two of everything"));
    [own, other, missing]
}

/// What is asked for.
#[expect(clippy::too_many_lines, reason = "one arm for each operation")]
pub(crate) fn input(operation: Operation, of: &Thing) -> Value {
    use Operation as O;
    let connection = of.connection.as_uuid().to_string();
    let arn = format!(
        "arn:aws:proton:us-east-1:{MANAGEMENT}:environment/{}",
        of.environment
    );
    let repository = json!({"repositoryName": of.repository, "repositoryProvider": "GITHUB"});
    let and = |more: Value| {
        let mut all = repository.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let source = json!({"s3": {"bucket": "bundles", "key": "bundle.tar.gz"}});
    let spec = service_spec(None, &[("new", of.environment, "")]);
    let version = json!({"templateName": of.template, "majorVersion": "1", "minorVersion": "0"});
    match operation {
        O::AcceptEnvironmentAccountConnection
        | O::RejectEnvironmentAccountConnection
        | O::GetEnvironmentAccountConnection
        | O::DeleteEnvironmentAccountConnection => json!({"id": connection}),
        O::UpdateEnvironmentAccountConnection => {
            json!({"id": connection, "codebuildRoleArn": format!("arn:aws:iam::{}:role/builds", of.account)})
        }
        O::CreateEnvironmentAccountConnection => {
            json!({"environmentName": of.environment, "managementAccountId": MANAGEMENT})
        }
        O::ListEnvironmentAccountConnections => json!({"requestedBy": "MANAGEMENT_ACCOUNT"}),
        O::CancelEnvironmentDeployment
        | O::ListEnvironmentOutputs
        | O::ListEnvironmentProvisionedResources => json!({"environmentName": of.environment}),
        O::GetEnvironment | O::DeleteEnvironment => json!({"name": of.environment}),
        O::UpdateEnvironment => json!({"name": of.environment, "deploymentType": "CURRENT_VERSION"}),
        O::CreateEnvironment => {
            json!({"name": of.environment, "spec": ENVIRONMENT_SPEC, "templateName": "minimal-env",
            "templateMajorVersion": "1", "environmentAccountConnectionId": connection})
        }
        O::CancelServiceInstanceDeployment
        | O::GetServiceInstanceSyncStatus
        | O::ListServiceInstanceOutputs
        | O::ListServiceInstanceProvisionedResources => {
            json!({"serviceName": of.service, "serviceInstanceName": of.instance})
        }
        O::GetServiceInstance => json!({"serviceName": of.service, "name": of.instance}),
        O::UpdateServiceInstance => {
            json!({"serviceName": of.service, "name": of.instance, "deploymentType": "CURRENT_VERSION"})
        }
        O::CreateServiceInstance => json!({"serviceName": of.service, "name": "new", "spec": spec}),
        O::GetService | O::DeleteService => json!({"name": of.service}),
        O::UpdateService => json!({"name": of.service, "description": "changed"}),
        O::CreateService => {
            json!({"name": of.service, "spec": spec, "templateName": "minimal-svc-no-pipeline",
            "templateMajorVersion": "1"})
        }
        O::CancelServicePipelineDeployment
        | O::ListServicePipelineOutputs
        | O::ListServicePipelineProvisionedResources
        | O::GetServiceSyncBlockerSummary
        | O::GetServiceSyncConfig
        | O::DeleteServiceSyncConfig => json!({"serviceName": of.service}),
        O::UpdateServicePipeline => {
            json!({"serviceName": of.service, "deploymentType": "CURRENT_VERSION", "spec": service_spec(Some(""), &[("blue", of.environment, "")])})
        }
        O::CreateServiceSyncConfig | O::UpdateServiceSyncConfig => {
            and(json!({"serviceName": of.service, "branch": "main", "filePath": "ops.yaml"}))
        }
        O::UpdateServiceSyncBlocker => {
            json!({"id": of.deployment.as_uuid().to_string(), "resolvedReason": "seen"})
        }
        O::CancelComponentDeployment | O::ListComponentOutputs | O::ListComponentProvisionedResources => {
            json!({"componentName": of.component})
        }
        O::GetComponent | O::DeleteComponent => json!({"name": of.component}),
        O::UpdateComponent => {
            json!({"name": of.component, "deploymentType": "NONE", "description": "changed"})
        }
        O::CreateComponent => json!({"name": "new", "environmentName": of.environment,
            "manifest": crate::components::MANIFEST, "templateFile": crate::components::FREE}),
        O::GetDeployment | O::DeleteDeployment => json!({"id": of.deployment.as_uuid().to_string()}),
        O::CreateEnvironmentTemplate | O::CreateServiceTemplate => json!({"name": "new"}),
        O::GetEnvironmentTemplate | O::DeleteEnvironmentTemplate => json!({"name": of.template}),
        O::GetServiceTemplate | O::DeleteServiceTemplate => {
            json!({"name": of.template.replace("-env", "-svc")})
        }
        O::UpdateEnvironmentTemplate => json!({"name": of.template, "description": "changed"}),
        O::UpdateServiceTemplate => {
            json!({"name": of.template.replace("-env", "-svc"), "description": "changed"})
        }
        O::CreateEnvironmentTemplateVersion => json!({"templateName": of.template, "source": source}),
        O::CreateServiceTemplateVersion => {
            json!({"templateName": of.template.replace("-env", "-svc"), "source": source,
                "compatibleEnvironmentTemplates": [{"templateName": "minimal-env", "majorVersion": "1"}]})
        }
        O::GetEnvironmentTemplateVersion
        | O::DeleteEnvironmentTemplateVersion
        | O::UpdateEnvironmentTemplateVersion => version,
        O::GetServiceTemplateVersion | O::DeleteServiceTemplateVersion | O::UpdateServiceTemplateVersion => {
            json!({"templateName": of.template.replace("-env", "-svc"), "majorVersion": "1", "minorVersion": "0"})
        }
        O::ListEnvironmentTemplateVersions => json!({"templateName": of.template}),
        O::ListServiceTemplateVersions => json!({"templateName": of.template.replace("-env", "-svc")}),
        O::CreateTemplateSyncConfig | O::UpdateTemplateSyncConfig => {
            and(json!({"templateName": of.template, "templateType": "ENVIRONMENT", "branch": "main"}))
        }
        O::GetTemplateSyncConfig | O::DeleteTemplateSyncConfig => {
            json!({"templateName": of.template, "templateType": "ENVIRONMENT"})
        }
        O::GetTemplateSyncStatus => {
            json!({"templateName": of.template, "templateType": "ENVIRONMENT", "templateVersion": "1"})
        }
        O::CreateRepository => json!({"name": of.repository, "provider": "GITHUB",
            "connectionArn": format!("arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/0a1b2c3d-0000-4000-8000-0123456789ab")}),
        O::GetRepository | O::DeleteRepository => json!({"name": of.repository, "provider": "GITHUB"}),
        O::GetRepositorySyncStatus => and(json!({"branch": "main", "syncType": "TEMPLATE_SYNC"})),
        O::ListRepositorySyncDefinitions => and(json!({"syncType": "TEMPLATE_SYNC"})),
        O::ListTagsForResource | O::NotifyResourceDeploymentStatusChange => json!({"resourceArn": arn}),
        O::TagResource => json!({"resourceArn": arn, "tags": [{"key": "team", "value": "a"}]}),
        O::UntagResource => json!({"resourceArn": arn, "tagKeys": ["team"]}),
        O::UpdateAccountSettings => json!({"deletePipelineProvisioningRepository": true}),
        O::GetAccountSettings
        | O::GetResourcesSummary
        | O::ListComponents
        | O::ListDeployments
        | O::ListEnvironmentTemplates
        | O::ListEnvironments
        | O::ListRepositories
        | O::ListServiceInstances
        | O::ListServiceTemplates
        | O::ListServices => json!({}),
    }
}

/// How a list shows that a thing is in it; empty for what is no list of things that have a place.
fn listed(operation: Operation, of: &Thing) -> String {
    use Operation as O;
    match operation {
        O::ListEnvironments => format!("environment/{}\"", of.environment),
        O::ListServices => format!("service/{}\"", of.service),
        O::ListServiceInstances => format!("service-instance/{}\"", of.instance),
        O::ListComponents => format!("component/{}\"", of.component),
        O::ListDeployments => of.deployment.as_uuid().to_string(),
        O::ListEnvironmentAccountConnections => of.connection.as_uuid().to_string(),
        _ => String::new(),
    }
}

fn cell(operation: Operation, of: &Thing, answer: &Answer) -> &'static str {
    let mark = listed(operation, of);
    match answer.error() {
        "AccessDeniedException" => "denied",
        "ResourceNotFoundException" => "absent",
        "" if !mark.is_empty() && !answer.body.to_string().contains(&mark) => "absent",
        error => {
            assert_ne!(error, "InternalServerException", "{operation:?}: {}", answer.body);
            // As a whole, or as values within a document.
            if answer.body.to_string().contains(MASK) {
                "masked"
            } else {
                "may"
            }
        }
    }
}

/// A copy of the database, as it is when nobody writes.
pub(crate) async fn copy(place: &str, into: &Path, clock: &hadron_management::clock::Clock) -> App {
    for ending in ["", "-wal"] {
        let from = PathBuf::from(format!("{place}{ending}"));
        if from.exists() {
            std::fs::copy(from, into.join(format!("hub.db{ending}"))).unwrap();
        }
    }
    let db = Db::open_sqlite(&into.join("hub.db"), clock.clone(), SqliteOptions::default())
        .await
        .unwrap();
    App::new(testing::unlocked(db), clock.clone(), settings())
}

/// What the rules say, where the thing exists.
fn expected(who: &Caller, operation: Operation, action: Action, of: &Thing) -> bool {
    let service = || of.service.parse().unwrap();
    let ground = Place {
        account: Some(of.account),
        ..Place::environment(of.environment.parse().unwrap())
    };
    let name = operation.name();
    let place = if name.contains("AccountConnection") {
        Place::account(of.account)
    } else if name.contains("Sync") {
        Place::service(service())
    } else if name.contains("Environment") || name.contains("Component") || name.starts_with("Notify") {
        ground
    } else if name.contains("Instance") || name.contains("Deployment") && !name.contains("Pipeline") {
        Place {
            service: Some(service()),
            ..ground
        }
    } else if operation == Operation::DeleteService {
        // Its instance goes with it.
        Place {
            service: Some(service()),
            ..ground
        }
    } else {
        Place::service(service())
    };
    who.may_at(action, &place).is_ok()
}

pub(crate) async fn denied(app: &App) -> usize {
    let rows = app.read("denied calls", |tx| {
        Box::pin(async move {
            let row = tx
                .query_one("SELECT count(*) AS many FROM audit WHERE outcome = 'denied'", &[])
                .await?;
            Ok(row.get::<u64>("many")?)
        })
    });
    usize::try_from(rows.await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_what_the_matrix_says_and_every_refusal_is_audited() {
    let world = World::sqlite().await;
    let things = things(&world).await;
    let (mut text, mut refusals, mut cells) = (String::new(), 0, 0);
    for operation in Operation::ALL {
        let _ = writeln!(text, "{}", operation.name());
        for (name, who) in people() {
            let mut line = Vec::new();
            for of in &things {
                let changes = !operation.name().starts_with("Get") && !operation.name().starts_with("List");
                let able = match proton(operation) {
                    Needs::Right(action) => who.may(action).is_ok(),
                    _ => !who.rights.is_empty(),
                };
                // Whoever may nothing at all changes nothing.
                let folder = tempfile::tempdir().unwrap();
                let app = if changes && able {
                    copy(&world.test.place, folder.path(), &world.test.clock).await
                } else {
                    world.app.clone()
                };
                let before = denied(&app).await;
                let answer = Client::new(app.clone(), who.clone())
                    .ask(operation.name(), input(operation, of))
                    .await;
                let cell = cell(operation, of, &answer);
                let audited = denied(&app).await - before;
                assert_eq!(
                    audited,
                    usize::from(cell == "denied"),
                    "{operation:?} by {name}, {}",
                    of.name
                );
                if let Needs::Right(action) = proton(operation)
                    && of.name != "missing"
                    && !operation.name().starts_with("Create")
                {
                    let may = expected(&who, operation, action, of);
                    let unnamed = matches!(
                        operation,
                        // A blocker is known by its id alone, and there is none.
                        Operation::UpdateServiceSyncBlocker
                            // Asked from the side of the management account, which shows owners nothing.
                            | Operation::ListEnvironmentAccountConnections
                    );
                    assert!(
                        matches!(cell, "may" | "masked") == may || unnamed,
                        "{operation:?} by {name}, {}: {cell}, {}",
                        of.name,
                        answer.body
                    );
                }
                refusals += audited;
                cells += 1;
                line.push(format!("{} {cell}", of.name));
                if changes && able {
                    app.db().close().await;
                }
            }
            let _ = writeln!(text, "  {name:24} {}", line.join(", "));
        }
    }
    eprintln!("{cells} cells, {refusals} refusals, all of them in the audit log");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/matrix.txt");
    if std::env::var_os("HADRON_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden == text,
        "who may what has changed; if that is meant, write {} anew with HADRON_BLESS=1 and read the difference",
        file.display()
    );
}

/// A right that was granted counts at once, and so does one that was revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_counts_from_the_next_request_on() {
    let world = World::sqlite().await;
    let things = things(&world).await;
    let digest = hadron_proto::vocab::Digest::of(b"a token");
    let row = requests::TokenRow {
        digest,
        name: "ci".to_owned(),
        principal: "token:ci".to_owned(),
        account: None,
        role: None,
        created_at: hadron_proto::vocab::Timestamp::from_micros(1),
        expires_at: None,
        disabled: false,
        groups: Vec::new(),
    };
    let stored = world.app.write("token", move |unit| {
        Box::pin(async move { Ok(requests::insert_token(unit.tx, &row).await?) })
    });
    stored.await.unwrap();
    let ci = || async { world.app.caller_of("a token").await.unwrap() };
    let deploy = |who: Caller| {
        let client = world.proton(who);
        let input = input(Operation::UpdateServiceInstance, &things[0]);
        async move {
            client
                .ask("UpdateServiceInstance", input)
                .await
                .error()
                .to_owned()
        }
    };
    assert_eq!(ci().await.rights, []);
    assert_eq!(deploy(ci().await).await, "AccessDeniedException");
    let grant = |principal: &str, scope: &str| {
        let right = Right::new(Role::Developer, scope.parse().unwrap()).unwrap();
        let request = asked(&administrator(), "GrantAccess");
        world.app.grant_access(request, principal.parse().unwrap(), right)
    };
    assert!(grant("token:ci", "service:web").await.unwrap().1);
    assert!(!grant("token:ci", "service:web").await.unwrap().1);
    assert_eq!(deploy(ci().await).await, "AccessDeniedException");
    assert!(grant("token:ci", "environment:prd").await.unwrap().1);
    assert_eq!(deploy(ci().await).await, "");

    let question = |service: &str| hadron_management::app::bindings::Question {
        principal: Some("token:ci".to_owned()),
        action: Action::WriteService,
        account: None,
        environment: Some("prd".parse().unwrap()),
        service: Some(service.parse().unwrap()),
    };
    let told = world
        .app
        .explain_access(&administrator(), question("web"))
        .await
        .unwrap();
    assert!(told.allowed, "{told:?}");
    assert_eq!(told.rights.len(), 2);
    let told = world
        .app
        .explain_access(&administrator(), question("shop"))
        .await
        .unwrap();
    assert!(!told.allowed, "{told:?}");
    let curious = world.app.explain_access(&developer(), question("web")).await;
    assert_eq!(crate::world::reason(curious), "DENIED");
    assert!(
        world
            .app
            .explain_access(&ci().await, question("web"))
            .await
            .unwrap()
            .allowed
    );

    let request = asked(&administrator(), "RevokeAccess");
    let right = Right::new(Role::Developer, Scope::Environment("prd".parse().unwrap())).unwrap();
    let revoke = || {
        world
            .app
            .revoke_access(request.clone(), "token:ci".to_owned(), right.clone())
    };
    revoke().await.unwrap();
    assert_eq!(deploy(ci().await).await, "AccessDeniedException");
    assert_eq!(crate::world::reason(revoke().await), "NOT_FOUND");
    let left = world
        .app
        .list_access(&administrator(), Default::default(), 9)
        .await
        .unwrap();
    let left: Vec<String> = left
        .iter()
        .map(|row| format!("{} {}", row.principal, row.right))
        .collect();
    assert_eq!(left, ["token:ci developer of service:web"]);

    // A pattern means whoever it matches, and lets people in whom the configuration does not know.
    let arn = format!("arn:aws:iam::{MANAGEMENT}:role/payments-ann");
    let base = || world.app.base_role(account(MANAGEMENT), &arn);
    assert_eq!(crate::world::reason(base().await), "NO_ROLE");
    grant(
        &format!("arn:aws:iam::{MANAGEMENT}:role/payments-*"),
        "service:web",
    )
    .await
    .unwrap();
    assert_eq!(base().await.unwrap(), None);
    let foreign = grant(&format!("arn:aws-cn:iam::{MANAGEMENT}:role/x"), "service:web").await;
    assert_eq!(crate::world::reason(foreign), "OTHER_PARTITION");
}
