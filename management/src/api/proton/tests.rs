//! The frame over real HTTP, and behind the real listener.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use hadron_domain::authority::Role;
use hadron_proto::tls::{Trust, pinned_client_config};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::testing::{Client, open};
use super::*;
use crate::testing::{World, caller};

const JSON: &str = "application/x-amz-json-1.0";

/// The API on a socket; ends with the test's runtime.
async fn listen(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = open(world.app().clone(), caller(Role::Administrator, None));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Heard {
    status: u16,
    request_id: String,
    kind: String,
    body: Value,
}

async fn heard(request: reqwest::RequestBuilder) -> Heard {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], JSON);
    let request_id = answer.headers()["x-amzn-requestid"].to_str().unwrap().to_owned();
    uuid::Uuid::try_parse(&request_id).unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    Heard {
        status,
        request_id,
        kind: body["__type"].as_str().unwrap_or_default().to_owned(),
        body,
    }
}

fn post(address: SocketAddr, operation: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new()
        .post(format!("http://{address}/"))
        .header("content-type", JSON)
        .header("x-amz-target", format!("AwsProton20200720.{operation}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_http_are_answered_or_refused_with_an_id() {
    let world = World::new().await;
    let address = listen(&world).await;

    let fine = heard(post(address, "ListEnvironments").body("{}")).await;
    assert_eq!((fine.status, fine.body), (200, json!({"environments": []})));
    let missing = heard(post(address, "GetEnvironment").body(r#"{"name": "prd"}"#)).await;
    assert_eq!(missing.status, 400);
    assert_eq!(
        missing.kind,
        "com.amazonaws.proton.v20200720#ResourceNotFoundException"
    );
    assert!(missing.body["message"].as_str().unwrap().contains("'prd'"));
    assert_ne!(fine.request_id, missing.request_id);

    let validation = "com.amazonaws.proton.v20200720#ValidationException";
    let unknown = "com.amazon.coral.service#UnknownOperationException";
    let plain = || reqwest::Client::new().post(format!("http://{address}/"));
    for (request, status, kind, says) in [
        (
            post(address, "GetEnvironment").body("{"),
            400,
            validation,
            "no JSON",
        ),
        (
            post(address, "GetEnvironment").body("{}"),
            400,
            validation,
            "Value null at 'name'",
        ),
        (post(address, "MakeCoffee").body("{}"), 400, unknown, "MakeCoffee"),
        (
            post(address, "getEnvironment").body("{}"),
            400,
            unknown,
            "getEnvironment",
        ),
        (
            plain().header("content-type", JSON).body("{}"),
            400,
            unknown,
            "X-Amz-Target",
        ),
        (
            plain()
                .header("x-amz-target", "AwsProton20200720.ListServices")
                .header("content-type", "application/json"),
            400,
            validation,
            "Content-Type",
        ),
        (
            reqwest::Client::new().get(format!("http://{address}/")),
            405,
            unknown,
            "POST",
        ),
        (
            post(address, "CreateService").body(vec![b' '; 2 * 1024 * 1024]),
            400,
            validation,
            "1048576 bytes",
        ),
    ] {
        let answer = heard(request).await;
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (status, kind),
            "{}",
            answer.body
        );
        assert!(
            answer.body["message"].as_str().unwrap().contains(says),
            "{}",
            answer.body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_too_early_disturbs_nobody() {
    let world = World::new().await;
    let address = listen(&world).await;
    let mut cut = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: hub\r\ncontent-type: {JSON}\r\nx-amz-target: AwsProton20200720.ListServices\r\n\
         content-length: 100\r\n\r\n{{"
    );
    cut.write_all(head.as_bytes()).await.unwrap();
    cut.shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Whether an answer comes or the connection just ends is up to the server's HTTP.
    let _ = cut.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    assert_eq!(
        heard(post(address, "ListEnvironments").body("{}")).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_own_listener_answers_beside_grpc_and_lets_nobody_in_unsigned() {
    let world = World::new().await;
    let ready = world.hub().ready();
    let trust = Trust::from_pem(&std::fs::read_to_string(&ready.ca_file).unwrap()).unwrap();
    let tls = pinned_client_config(trust, None, None, &[b"http/1.1"]).unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .build()
        .unwrap();
    let request = client
        .post(format!("{}/", ready.api))
        .header("content-type", JSON)
        .header("x-amz-target", "AwsProton20200720.ListServices")
        .body("{}");
    let answer = heard(request).await;
    assert!((400..500).contains(&answer.status), "{}", answer.body);
    assert!(!answer.kind.is_empty(), "{}", answer.body);
    // Everything else is still gRPC's.
    let (_, channel) = world.channel(&ready.api, None).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let asked = tonic_health::pb::HealthCheckRequest::default();
    assert_eq!(health.check(asked).await.unwrap().into_inner().status, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_accepted_by_its_id_alone() {
    let world = World::new().await;
    let id = world.request("333333333333", "prd").await.as_uuid().to_string();
    let client = Client::new(world.app().clone(), caller(Role::Administrator, None));
    let body = client
        .done("AcceptEnvironmentAccountConnection", json!({ "id": id }))
        .await;
    let connection = &body["environmentAccountConnection"];
    assert_eq!(connection["status"], "CONNECTED");
    assert_eq!(connection["id"], json!(id));
    assert_eq!(
        connection["arn"],
        json!(format!(
            "arn:aws:proton:us-east-1:333333333333:environment-account-connection/{id}"
        ))
    );
    assert!(connection["requestedAt"].is_f64(), "{connection}");
    assert!(connection.get("codebuildRoleArn").is_none(), "{connection}");

    let stranger = Client::new(world.app().clone(), caller(Role::Owner, Some("333333333333")));
    let (error, _) = stranger
        .refused("AcceptEnvironmentAccountConnection", json!({ "id": id }))
        .await;
    assert_eq!(error, "AccessDeniedException");
}

#[test]
fn a_request_is_the_same_however_it_is_written() {
    let call = |input: Value| {
        let caller = caller(Role::Administrator, None);
        Call::new(caller, Operation::CreateServiceInstance, &input)
    };
    let one = call(
        json!({"name": "a", "serviceName": "s", "tags": [{"key": "k", "value": "v"}], "clientToken": "1"}),
    );
    let same = call(
        json!({"clientToken": "2", "tags": [{"value": "v", "key": "k"}], "serviceName": "s", "name": "a"}),
    );
    assert_eq!(one.hash, same.hash);
    let other = call(json!({"name": "b", "serviceName": "s", "tags": [{"key": "k", "value": "v"}]}));
    assert_ne!(one.hash, other.hash);
    let request = one.request(Some(String::new()));
    assert_eq!(
        (request.id, request.operation, request.repeatable),
        (None, "CreateServiceInstance", true)
    );
}

#[test]
fn lists_differ_by_what_they_filter_and_not_by_where_they_are() {
    let filters = |input: Value| {
        let caller = caller(Role::Administrator, None);
        Call::new(caller, Operation::ListComponents, &input).filters
    };
    let all = filters(json!({}));
    assert_eq!(all, filters(json!({"nextToken": "QQ==", "maxResults": 3})));
    assert_ne!(all, filters(json!({"environmentName": "prd"})));
}

#[test]
fn operations_are_what_the_model_says() {
    let names: BTreeSet<&str> = Operation::ALL.into_iter().map(Operation::name).collect();
    assert_eq!(names.len(), 87);
    for operation in Operation::ALL {
        assert_eq!(Operation::named(operation.name()), Some(operation));
        let reads = operation.name().starts_with("Get") || operation.name().starts_with("List");
        assert_eq!(operation.mutating(), !reads);
        assert_eq!(
            operation.pagination() == Pagination::None,
            !operation.name().starts_with("List"),
            "{operation:?}"
        );
        for code in [
            Code::AccessDenied,
            Code::Throttling,
            Code::InternalServer,
            Code::Validation,
        ] {
            assert!(operation.errors().contains(&code), "{operation:?}");
        }
    }
    let idempotent = Operation::ALL.into_iter().filter(|one| one.idempotent()).count();
    assert_eq!(idempotent, 29);
    let tokens = Operation::ALL
        .into_iter()
        .filter(|one| one.input().token().is_some())
        .count();
    assert_eq!(tokens, 7);
}
