//! Services, instances, pipelines and deployments as clients of Proton see them.

use hadron_management::api::proton::testing::Client;
use hadron_management::app::{App, Quotas, Settings};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, STAGING, World, administrator, archive, asked, developer, example, instance,
    pipeline, service_spec, settings,
};

const TYPE: hadron_domain::template::TemplateKind = hadron_domain::template::TemplateKind::Service;

async fn place(world: &World) -> [Agent; 3] {
    world.templates().await;
    let (_, prd) = world.environment(PRODUCTION, "prd").await;
    let (_, stg) = world.environment(STAGING, "stg").await;
    [prd, stg, world.management_agent().await]
}

/// Everything that can be done is done.
async fn everything(world: &World, agents: &[Agent]) {
    world.settle().await;
    for _ in 0..4 {
        for agent in agents {
            agent.succeed_all(world).await;
        }
    }
}

fn client(world: &World) -> Client {
    Client::new(world.app.clone(), developer())
}

fn two(image: &str) -> String {
    service_spec(
        Some("images_kept: 3"),
        &[
            ("blue", "prd", &format!("port: 80, image: {image}")),
            ("green", "stg", &format!("port: 81, image: {image}")),
        ],
    )
}

fn new_service(name: &str) -> Value {
    json!({
        "name": name,
        "templateName": "minimal-svc",
        "templateMajorVersion": "1",
        "spec": two("nginx"),
        "description": "a shop",
        "branchName": "main",
        "repositoryId": "acme/web",
        "repositoryConnectionArn": format!("arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/1"),
    })
}

async fn created(world: &World, agents: &[Agent], name: &str) -> Client {
    let client = client(world);
    client.done("CreateService", new_service(name)).await;
    everything(world, agents).await;
    client
}

/// The names of a list's members, page by page.
async fn all(client: &Client, operation: &str, list: &str, name: &str, input: Value) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), None::<Value>);
    loop {
        let mut input = input.clone();
        if let Some(token) = token {
            input["nextToken"] = token;
        }
        let page = client.done(operation, input).await;
        for item in page[list].as_array().unwrap() {
            names.push(item[name].as_str().unwrap().to_owned());
        }
        match page.get("nextToken") {
            Some(next) => token = Some(next.clone()),
            None => return names,
        }
    }
}

fn has(value: &Value, member: &str) -> bool {
    value.get(member).is_some()
}

scenarios! {
    async fn a_service_is_created_shown_changed_and_deleted(world: World) {
        let agents = place(&world).await;
        let client = client(&world);
        let made = client.done("CreateService", new_service("web")).await["service"].clone();
        assert_eq!(made["status"], "CREATE_IN_PROGRESS");
        assert_eq!(made["arn"], format!("arn:aws:proton:us-east-1:{MANAGEMENT}:service/web"));
        assert_eq!(made["pipeline"]["deploymentStatus"], "IN_PROGRESS", "before it was ever deployed");
        assert_eq!(made["pipeline"]["arn"], format!("arn:aws:proton:us-east-1:{MANAGEMENT}:service/web/pipeline"));
        assert!(!has(&made["pipeline"], "lastAttemptedDeploymentId") && !has(&made, "statusMessage"), "{made}");
        assert!(made["pipeline"]["lastDeploymentAttemptedAt"].is_number());

        // The same again is the same; something else under this name is not.
        let again = client.done("CreateService", new_service("web")).await;
        assert_eq!(again["service"]["createdAt"], made["createdAt"]);
        let mut other = new_service("web");
        other["description"] = json!("another shop");
        assert_eq!(client.refused("CreateService", other).await.0, "ConflictException");
        assert_eq!(client.refused("UpdateService", json!({"name": "web", "spec": two("x")})).await.0, "ConflictException");
        everything(&world, &agents).await;
        let shown = client.done("GetService", json!({"name": "web"})).await["service"].clone();
        assert_eq!((shown["status"].clone(), shown["pipeline"]["deploymentStatus"].clone()), (json!("ACTIVE"), json!("SUCCEEDED")));
        for (member, value) in [("branchName", "main"), ("repositoryId", "acme/web"), ("description", "a shop"), ("templateName", "minimal-svc")] {
            assert_eq!(shown[member], value);
        }
        assert!(shown["spec"].as_str().unwrap().contains("green"));

        let changed = client.done("UpdateService", json!({"name": "web", "description": "the shop"})).await;
        assert_eq!((&changed["service"]["status"], &changed["service"]["description"]), (&json!("ACTIVE"), &json!("the shop")));
        assert_eq!(client.refused("UpdateService", json!({"name": "web"})).await.0, "ValidationException");
        assert_eq!(client.refused("UpdateService", json!({"name": "nothing", "description": "x"})).await.0, "ResourceNotFoundException");
        let edited = two("${Proton::CURRENT_VAL}").replace("port: 80", "port: 90");
        assert_eq!(client.refused("UpdateService", json!({"name": "web", "spec": edited})).await.0, "ValidationException");
        let none = "proton: ServiceSpec\ninstances: {}\n";
        assert_eq!(client.refused("UpdateService", json!({"name": "web", "spec": none})).await.0, "ValidationException");
        let one = service_spec(Some("images_kept: 3"), &[("blue", "prd", "port: 80, image: nginx")]);
        let going = client.done("UpdateService", json!({"name": "web", "spec": one})).await["service"].clone();
        assert_eq!((&going["status"], &going["pipeline"]["deploymentStatus"]), (&json!("UPDATE_IN_PROGRESS"), &json!("IN_PROGRESS")));
        everything(&world, &agents).await;
        let shown = client.done("GetService", json!({"name": "web"})).await["service"].clone();
        assert_eq!((&shown["status"], &shown["pipeline"]["deploymentStatus"]), (&json!("ACTIVE"), &json!("SUCCEEDED")));

        let services = client.done("ListServices", json!({})).await["services"].clone();
        assert_eq!(services.as_array().unwrap().len(), 1);
        assert!(!has(&services[0], "spec") && !has(&services[0], "pipeline") && services[0]["status"] == "ACTIVE", "{services}");
        let gone = client.done("DeleteService", json!({"name": "web"})).await["service"].clone();
        assert_eq!(gone["status"], "DELETE_IN_PROGRESS");
        client.done("DeleteService", json!({"name": "web"})).await;
        everything(&world, &agents).await;
        assert_eq!(client.refused("GetService", json!({"name": "web"})).await.0, "ResourceNotFoundException");
        assert_eq!(client.refused("DeleteService", json!({"name": "web"})).await.0, "ResourceNotFoundException");
        // Its name is free again, and the request that made the old one makes a new one.
        let new = client.done("CreateService", new_service("web")).await;
        assert_eq!(new["service"]["status"], "CREATE_IN_PROGRESS");
    }

    async fn a_request_that_comes_twice_at_once_makes_one_service(world: World) {
        let [..] = place(&world).await;
        let client = client(&world);
        let (one, two) = tokio::join!(client.ask("CreateService", new_service("web")), client.ask("CreateService", new_service("web")));
        assert_eq!((one.status, two.status), (200, 200), "{} {}", one.body, two.body);
        assert_eq!(one.body["service"]["createdAt"], two.body["service"]["createdAt"]);
    }

    async fn wrong_services_are_refused_in_protons_words(world: World) {
        let [..] = place(&world).await;
        let client = client(&world);
        let refused = async |member: &str, value: Value| {
            let mut input = new_service("web");
            match value {
                Value::Null => drop(input.as_object_mut().unwrap().remove(member)),
                value => input[member] = value,
            }
            client.refused("CreateService", input).await.0
        };
        assert_eq!(refused("branchName", Value::Null).await, "ValidationException");
        assert_eq!(refused("templateMajorVersion", json!("2")).await, "ResourceNotFoundException");
        assert_eq!(refused("templateMinorVersion", json!("9")).await, "ResourceNotFoundException");
        assert_eq!(refused("templateName", json!("none")).await, "ResourceNotFoundException");
        assert_eq!(refused("templateName", json!("minimal-svc-no-pipeline")).await, "ValidationException");
        assert_eq!(refused("spec", json!("proton: ServiceSpec\ninstances: []\n")).await, "ValidationException");
        assert_eq!(refused("spec", json!(two("nginx").replace("prd", "nowhere"))).await, "ResourceNotFoundException");
        assert_eq!(refused("name", json!("a b")).await, "ValidationException");
        assert_eq!(client.done("ListServices", json!({})).await["services"], json!([]));
    }

    async fn instances_are_updated_as_pipelines_do_it(world: World) {
        let agents = place(&world).await;
        let [prd, ..] = &agents;
        let client = created(&world, &agents, "web").await;
        world.published(TYPE, "minimal-svc", Some(1), archive(&example("minimal-svc")), &["minimal-env:1"]).await;
        // The sample pipelines set the image on every instance and update one after the other.
        let update = json!({
            "name": "blue", "serviceName": "web", "deploymentType": "MINOR_VERSION", "spec": two("nginx:2"), "clientToken": "one",
        });
        let answer = client.done("UpdateServiceInstance", update.clone()).await["serviceInstance"].clone();
        assert_eq!((&answer["deploymentStatus"], &answer["templateMinorVersion"]), (&json!("IN_PROGRESS"), &json!("0")));
        assert_eq!(answer["lastClientRequestToken"], "one");
        assert_eq!(answer["arn"], format!("arn:aws:proton:us-east-1:{MANAGEMENT}:service/web/service-instance/blue"));
        let attempted = answer["lastAttemptedDeploymentId"].clone();
        let again = client.done("UpdateServiceInstance", update.clone()).await;
        assert_eq!(again["serviceInstance"]["lastAttemptedDeploymentId"], attempted, "the same token is the same request");
        let mut other = update.clone();
        other["deploymentType"] = json!("CURRENT_VERSION");
        let (code, message) = client.refused("UpdateServiceInstance", other.clone()).await;
        assert_eq!((code.as_str(), message.as_str()), ("ValidationException", "Idempotent parameter mismatch"));
        other["clientToken"] = json!("two");
        assert_eq!(client.refused("UpdateServiceInstance", other).await.0, "ConflictException", "it is busy");
        prd.succeed_all(&world).await;
        let shown = client.done("GetServiceInstance", json!({"name": "blue", "serviceName": "web"})).await["serviceInstance"].clone();
        assert_eq!((&shown["deploymentStatus"], &shown["templateMinorVersion"]), (&json!("SUCCEEDED"), &json!("1")));
        assert_eq!((&shown["environmentName"], &shown["lastSucceededDeploymentId"]), (&json!("prd"), &attempted));
        assert!(shown["spec"].as_str().unwrap().contains("nginx:2"));
        let green = client.done("GetServiceInstance", json!({"name": "green", "serviceName": "web"})).await["serviceInstance"].clone();
        assert_eq!(green["templateMinorVersion"], "0", "another instance of the same spec stays as it is");
        assert!(!green["spec"].as_str().unwrap().contains("nginx:2") && !has(&green, "lastClientRequestToken"), "{green}");

        let refused = async |more: Value| {
            let mut input = json!({"name": "blue", "serviceName": "web"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            client.refused("UpdateServiceInstance", input).await.0
        };
        assert_eq!(refused(json!({"deploymentType": "CURRENT_VERSION", "templateMinorVersion": "0"})).await, "ValidationException");
        assert_eq!(refused(json!({"deploymentType": "MINOR_VERSION", "templateMajorVersion": "2"})).await, "ValidationException");
        assert_eq!(refused(json!({"deploymentType": "MINOR_VERSION", "templateMinorVersion": "7"})).await, "ResourceNotFoundException");
        assert_eq!(refused(json!({"deploymentType": "MAJOR_VERSION", "templateMajorVersion": "1"})).await, "ValidationException");
        assert_eq!(refused(json!({"deploymentType": "NONE", "spec": two("x")})).await, "ValidationException");
        assert_eq!(refused(json!({"deploymentType": "SOME"})).await, "ValidationException");
        let same = client.done("UpdateServiceInstance", json!({"name": "blue", "serviceName": "web", "deploymentType": "NONE"})).await;
        assert_eq!(same["serviceInstance"]["deploymentStatus"], "SUCCEEDED");
        // A lower minor may be named, and alone it is one of the current major.
        let lower = json!({"name": "blue", "serviceName": "web", "deploymentType": "MINOR_VERSION", "templateMinorVersion": "0"});
        client.done("UpdateServiceInstance", lower).await;
        prd.succeed_all(&world).await;
        let shown = client.done("GetServiceInstance", json!({"name": "blue", "serviceName": "web"})).await;
        assert_eq!(shown["serviceInstance"]["templateMinorVersion"], "0");
    }

    async fn instances_are_added_with_a_version_of_their_own(world: World) {
        let agents = place(&world).await;
        let client = created(&world, &agents, "web").await;
        world.published(TYPE, "minimal-svc", Some(1), archive(&example("minimal-svc")), &["minimal-env:1"]).await;
        let add = |name: &str, more: Value| {
            let spec = service_spec(None, &[(name, "prd", "port: 8080")]);
            let mut input = json!({"name": name, "serviceName": "web", "spec": spec});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let made = client.done("CreateServiceInstance", add("red", json!({"templateMajorVersion": "1", "templateMinorVersion": "0", "clientToken": "t"}))).await;
        assert_eq!((&made["serviceInstance"]["templateMinorVersion"], &made["serviceInstance"]["lastClientRequestToken"]), (&json!("0"), &json!("t")));
        assert_eq!(made["serviceInstance"]["deploymentStatus"], "IN_PROGRESS");
        let again = client.done("CreateServiceInstance", add("red", json!({"templateMajorVersion": "1", "templateMinorVersion": "0", "clientToken": "t"}))).await;
        assert_eq!(again["serviceInstance"]["createdAt"], made["serviceInstance"]["createdAt"]);
        everything(&world, &agents).await;
        client.done("CreateServiceInstance", add("rose", json!({}))).await;
        everything(&world, &agents).await;
        client.done("CreateServiceInstance", add("ruby", json!({"templateMinorVersion": "0"}))).await;
        everything(&world, &agents).await;
        let minor = async |name: &str| {
            let shown = client.done("GetServiceInstance", json!({"name": name, "serviceName": "web"})).await["serviceInstance"].clone();
            assert_eq!(shown["deploymentStatus"], "SUCCEEDED");
            shown["templateMinorVersion"].as_str().unwrap().to_owned()
        };
        assert_eq!([minor("red").await, minor("rose").await, minor("ruby").await], ["0", "1", "0"]);
        assert_eq!(client.refused("CreateServiceInstance", add("red", json!({}))).await.0, "ConflictException");
        assert_eq!(client.refused("CreateServiceInstance", add("x", json!({"templateMajorVersion": "5"}))).await.0, "ResourceNotFoundException");
        assert_eq!(client.done("GetService", json!({"name": "web"})).await["service"]["status"], "ACTIVE");
    }

    async fn pipelines_are_updated_by_themselves(world: World) {
        let agents = place(&world).await;
        let [_, _, hub] = &agents;
        let client = created(&world, &agents, "web").await;
        let update = async |mode: &str, spec: String| {
            let input = json!({"serviceName": "web", "deploymentType": mode, "spec": spec});
            client.ask("UpdateServicePipeline", input).await
        };
        let spec = two("nginx").replace("images_kept: 3", "images_kept: 5");
        let answer = update("CURRENT_VERSION", spec.clone()).await;
        assert_eq!(answer.body["pipeline"]["deploymentStatus"], "IN_PROGRESS", "{}", answer.body);
        assert_eq!(update("CURRENT_VERSION", spec.clone()).await.error(), "ConflictException");
        let cancelled = client.done("CancelServicePipelineDeployment", json!({"serviceName": "web"})).await;
        assert_eq!(cancelled["pipeline"]["deploymentStatus"], "CANCELLED", "nobody had begun");
        assert_eq!(client.refused("CancelServicePipelineDeployment", json!({"serviceName": "web"})).await.0, "ConflictException");
        update("CURRENT_VERSION", spec.clone()).await;
        hub.succeed_all(&world).await;
        assert!(world.target(&pipeline("web")).await.spec.contains("images_kept: 5"));
        assert_eq!(update("NONE", spec).await.status, 200, "what is deployed asks for nothing");
        assert_eq!(update("NONE", two("nginx")).await.error(), "ValidationException");
        let outputs = client.done("ListServicePipelineOutputs", json!({"serviceName": "web"})).await;
        assert_eq!(outputs["outputs"].as_array().unwrap().len(), 3);
        let resources = client.done("ListServicePipelineProvisionedResources", json!({"serviceName": "web"})).await["provisionedResources"].clone();
        assert_eq!(resources[0]["provisioningEngine"], "CLOUDFORMATION");
        assert!(resources[0]["identifier"].as_str().unwrap().starts_with("arn:aws:cloudformation:"), "{resources}");

        world.app.delete_pipeline(asked(&developer(), "DeletePipeline"), "web".parse().unwrap(), Vec::new()).await.unwrap();
        hub.succeed_all(&world).await;
        assert!(!has(&client.done("GetService", json!({"name": "web"})).await["service"], "pipeline"));
        assert_eq!(client.refused("ListServicePipelineOutputs", json!({"serviceName": "web"})).await.0, "ResourceNotFoundException");
    }

    async fn lists_of_instances_go_by_pages_that_fit_their_filters(world: World) {
        let agents = place(&world).await;
        let client = created(&world, &agents, "web").await;
        let agents = &agents;
        created(&world, agents, "api").await;
        let names = async |input| all(&client, "ListServiceInstances", "serviceInstances", "arn", input).await;
        let short = |names: Vec<String>| -> Vec<String> {
            names.iter().map(|arn| arn.split("service/").nth(1).unwrap().replace("/service-instance", "")).collect()
        };
        assert_eq!(short(names(json!({"maxResults": 1})).await), ["api/blue", "api/green", "web/blue", "web/green"]);
        let by_name = json!({"sortBy": "name", "sortOrder": "DESCENDING", "maxResults": 3});
        assert_eq!(short(names(by_name).await), ["web/green", "api/green", "web/blue", "api/blue"]);
        assert_eq!(short(names(json!({"serviceName": "web"})).await), ["web/blue", "web/green"]);
        let prd = json!({"filters": [{"key": "environmentName", "value": "prd"}], "maxResults": 1});
        assert_eq!(short(names(prd.clone()).await), ["api/blue", "web/blue"]);
        let token = client.done("ListServiceInstances", prd).await["nextToken"].clone();
        let (code, _) = client.refused("ListServiceInstances", json!({"nextToken": token})).await;
        assert_eq!(code, "ValidationException", "a token of another list");
        for filter in [json!({"key": "createdAtAfter", "value": "soon"}), json!({"key": "name"}), json!({"value": "x"})] {
            assert_eq!(client.refused("ListServiceInstances", json!({"filters": [filter]})).await.0, "ValidationException");
        }
        assert_eq!(client.refused("ListServiceInstances", json!({"serviceName": "none"})).await.0, "ResourceNotFoundException");
        let one = client.done("ListServiceInstances", json!({"maxResults": 1})).await["serviceInstances"][0].clone();
        assert!(!has(&one, "spec") && one["templateName"] == "minimal-svc", "{one}");
    }

    async fn records_of_deployments_are_read_and_removed(world: World) {
        let agents = place(&world).await;
        let [prd, ..] = &agents;
        let client = created(&world, &agents, "web").await;
        let update = json!({"name": "blue", "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": two("nginx:2")});
        client.done("UpdateServiceInstance", update).await;
        prd.succeed_all(&world).await;
        let list = async |input| all(&client, "ListDeployments", "deployments", "id", input).await;
        assert_eq!(list(json!({"serviceName": "web", "maxResults": 1})).await.len(), 4);
        assert_eq!(list(json!({"environmentName": "prd"})).await.len(), 1);
        let ids = list(json!({"serviceName": "web", "serviceInstanceName": "blue"})).await;
        assert_eq!(ids.len(), 2);
        assert_eq!(client.refused("ListDeployments", json!({"serviceInstanceName": "blue"})).await.0, "ValidationException");
        let shown = client.done("GetDeployment", json!({"id": ids[0]})).await["deployment"].clone();
        assert_eq!(shown["arn"], format!("arn:aws:proton:us-east-1:{MANAGEMENT}:deployment/{}", ids[0]));
        assert_eq!(shown["targetArn"], format!("arn:aws:proton:us-east-1:{MANAGEMENT}:service/web/service-instance/blue"));
        for (member, value) in [
            ("targetResourceType", "SERVICE_INSTANCE"), ("deploymentStatus", "SUCCEEDED"), ("environmentName", "prd"),
            ("serviceName", "web"), ("serviceInstanceName", "blue"), ("lastSucceededDeploymentId", ids[1].as_str()),
        ] {
            assert_eq!(shown[member], value, "{member}");
        }
        assert!(shown["completedAt"].as_f64() >= shown["createdAt"].as_f64() && shown["lastModifiedAt"] == shown["completedAt"]);
        let states: Vec<&Value> = ["initialState", "targetState"].into_iter().map(|state| &shown[state]["serviceInstance"]).collect();
        assert!(states[0]["spec"].as_str().unwrap().contains("image: nginx\n"), "{shown}");
        assert!(states[1]["spec"].as_str().unwrap().contains("nginx:2"), "{shown}");
        let ids_of = |id: hadron_proto::vocab::DeploymentId| id.as_uuid().to_string();
        let pipeline_id = ids_of(world.target(&pipeline("web")).await.succeeded.unwrap().0);
        assert_eq!(states[1]["lastSuccessfulServicePipelineDeploymentId"], pipeline_id);
        assert!(has(states[1], "lastSuccessfulEnvironmentDeploymentId") && !has(states[1], "lastSuccessfulComponentDeploymentIds"));
        let first = client.done("GetDeployment", json!({"id": ids[1], "serviceName": "web"})).await["deployment"].clone();
        assert!(!has(&first, "initialState") && !has(&first, "lastAttemptedDeploymentId"), "{first}");
        assert_eq!(client.refused("GetDeployment", json!({"id": ids[1], "serviceName": "api"})).await.0, "ResourceNotFoundException");
        let of_pipeline = client.done("GetDeployment", json!({"id": pipeline_id})).await["deployment"].clone();
        assert_eq!((&of_pipeline["targetResourceType"], &of_pipeline["environmentName"]), (&json!("SERVICE_PIPELINE"), &json!("prd")));

        let outputs = client.done("ListServiceInstanceOutputs", json!({"serviceName": "web", "serviceInstanceName": "blue", "deploymentId": ids[1]})).await;
        assert_eq!(outputs["outputs"][0], json!({"key": "GreetingParameter", "valueString": "GreetingParameter of instance web/blue"}));
        assert!(!has(&outputs, "nextToken"));
        let foreign = json!({"serviceName": "web", "serviceInstanceName": "green", "deploymentId": ids[1]});
        assert_eq!(client.refused("ListServiceInstanceOutputs", foreign).await.0, "ResourceNotFoundException");
        let token = json!({"serviceName": "web", "serviceInstanceName": "blue", "nextToken": "QQ=="});
        assert_eq!(client.refused("ListServiceInstanceOutputs", token).await.0, "ValidationException", "there is one page only");
        let blue = json!({"serviceName": "web", "serviceInstanceName": "blue"});
        let stack = client.done("ListServiceInstanceProvisionedResources", blue.clone()).await["provisionedResources"][0].clone();
        assert_eq!(stack["name"], world.target(&instance("web", "blue")).await.stack_name);
        assert_eq!(client.refused("CancelServiceInstanceDeployment", blue.clone()).await.0, "ConflictException");

        let gone = client.done("DeleteDeployment", json!({"id": ids[1]})).await["deployment"].clone();
        assert_eq!(gone["id"], ids[1].as_str());
        assert_eq!(client.refused("GetDeployment", json!({"id": ids[1]})).await.0, "ResourceNotFoundException");
        assert_eq!(client.refused("DeleteDeployment", json!({"id": ids[1]})).await.0, "ResourceNotFoundException");
        let update = json!({"name": "blue", "serviceName": "web", "deploymentType": "CURRENT_VERSION"});
        let busy = client.done("UpdateServiceInstance", update).await["serviceInstance"]["lastAttemptedDeploymentId"].clone();
        assert_eq!(client.refused("DeleteDeployment", json!({"id": busy})).await.0, "ValidationException", "no conflict is declared");
        let cancelled = client.done("CancelServiceInstanceDeployment", blue).await;
        assert_eq!(cancelled["serviceInstance"]["deploymentStatus"], "CANCELLED");
    }

    async fn there_are_as_many_as_are_allowed(world: World) {
        let agents = place(&world).await;
        let quotas = Quotas { services: 1, instances_per_service: 3, ..Quotas::default() };
        let app = App::new(world.test.db.clone(), world.test.clock.clone(), Settings { quotas, ..settings() });
        let client = Client::new(app, administrator());
        client.done("CreateService", new_service("web")).await;
        everything(&world, &agents).await;
        assert_eq!(client.refused("CreateService", new_service("api")).await.0, "ServiceQuotaExceededException");
        client.done("CreateService", new_service("web")).await;
        let spec = |names: &[&str]| {
            let instances: Vec<(&str, &str, &str)> = names.iter().map(|name| (*name, if *name == "green" { "stg" } else { "prd" },
                match *name { "blue" => "port: 80, image: nginx", "green" => "port: 81, image: nginx", _ => "" })).collect();
            service_spec(Some("images_kept: 3"), &instances)
        };
        let update = |names: &[&str]| json!({"name": "web", "spec": spec(names)});
        assert_eq!(client.refused("UpdateService", update(&["blue", "green", "red", "rose"])).await.0, "ServiceQuotaExceededException");
        client.done("UpdateService", update(&["blue", "red", "rose"])).await;
        world.settle().await;
        agents[0].succeed_all(&world).await;
        agents[1].fail_one(&world, "the bucket is not empty").await;
        everything(&world, &agents).await;
        // The one that could not be deleted counts, and makes room by being removed.
        assert_eq!(client.done("GetService", json!({"name": "web"})).await["service"]["status"], "UPDATE_COMPLETE_CLEANUP_FAILED");
        assert_eq!(client.refused("UpdateService", update(&["blue", "red", "rose", "ruby"])).await.0, "ServiceQuotaExceededException");
        assert_eq!(client.refused("UpdateService", update(&["blue", "red", "ruby"])).await.0, "ServiceQuotaExceededException");
        client.done("UpdateService", update(&["blue", "red", "rose"])).await;
        everything(&world, &agents).await;
        assert_eq!(client.done("GetService", json!({"name": "web"})).await["service"]["status"], "ACTIVE");
    }
}
