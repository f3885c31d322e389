//! Traces and metrics over OTLP: one trace from the command line's call to the token that CloudFormation was given; nothing secret
//! in it; and a receiver that is away or hangs costs nothing but what it did not get.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hadron_tests::aws::Variables;
use hadron_tests::{PROD, World, wait};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// What was received so far.
#[derive(Clone, Debug, Default)]
struct Received(Arc<Mutex<(Vec<ExportTraceServiceRequest>, Vec<ExportMetricsServiceRequest>)>>);

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        assert_eq!(request.metadata().get("x-tenant").unwrap(), "hadron");
        self.0.lock().unwrap().0.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        assert_eq!(request.metadata().get("x-tenant").unwrap(), "hadron");
        self.0.lock().unwrap().1.push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

impl Received {
    /// Listens, and gives the address.
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        format!("http://{address}")
    }

    /// All spans, each with the name of the service that sent it.
    fn spans(&self) -> Vec<(String, Span)> {
        let received = self.0.lock().unwrap();
        let mut spans = Vec::new();
        for resource in received.0.iter().flat_map(|request| &request.resource_spans) {
            let attributes = &resource.resource.as_ref().unwrap().attributes;
            let service = attributes.iter().find(|each| each.key == "service.name").unwrap();
            let service = format!("{:?}", service.value);
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                spans.push((service.clone(), span.clone()));
            }
        }
        spans
    }

    /// The spans of this name.
    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans().into_iter().map(|(_, span)| span);
        spans.filter(|span| span.name == name).collect()
    }
}

fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|each| each.key == name);
    match found.and_then(|each| each.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}

fn variables(endpoint: &str) -> Variables {
    let set = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=hadron"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
    ];
    let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Variables::from(set)
}

/// A world whose hub and agent send to this address.
async fn world(endpoint: &str) -> World {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    let variables = variables(endpoint);
    world.hub.relaunch(&variables).unwrap();
    assert!(world.hub.ready_or_ended().await.unwrap(), "{}", world.logs());
    world.start_agent(PROD, "").await.unwrap();
    world.agent(PROD).restart_with(&variables).unwrap();
    world
}

fn spec(world: &World, greeting: &str) -> String {
    let text = format!("proton: EnvironmentSpec\nspec:\n  greeting: {greeting}\n");
    world.file("spec.yaml", text).unwrap()
}

async fn create(world: &World, connection: &str, spec: &str) {
    let create = [
        "environment",
        "create",
        "prd",
        "--template",
        "minimal-env",
        "--connection",
        connection,
        "--spec",
        spec,
        "--wait",
    ];
    world.admin.ok(&create).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_goes_from_the_call_to_the_token_of_cloudformation() {
    let received = Received::default();
    let mut world = world(&received.listen().await).await;
    let connection = world.connect(PROD, "prd").await.unwrap();
    let since = world.emulator.last_call().await.unwrap();
    let canary = format!(
        "canary{}",
        world
            .folder()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace('-', "")
    );
    let spec = spec(&world, &canary);
    create(&world, &connection, &spec).await;

    let executed = wait::until("the spans of the deployment", Duration::from_secs(30), || {
        let found = received.named("CloudFormation ExecuteChangeSet");
        // The last to end.
        let done = received.named("job apply_stack");
        async move {
            Ok((!done.is_empty())
                .then_some(found)
                .filter(|found| !found.is_empty()))
        }
    })
    .await
    .unwrap();
    assert_eq!(executed.len(), 1);
    let trace = &executed[0].trace_id;
    let spans = received.spans();
    let of_trace: Vec<_> = spans.iter().filter(|(_, span)| span.trace_id == *trace).collect();
    let step = |name: &str| {
        let found = of_trace.iter().find(|(_, span)| span.name == name);
        let names: Vec<&str> = of_trace.iter().map(|(_, span)| span.name.as_str()).collect();
        &found.unwrap_or_else(|| panic!("no {name} in {names:?}")).1
    };
    // From the call, by the offer of the hub, to the agent's job, and on to its requests and its calls of the hub.
    let call = step("operator EnvironmentService/CreateEnvironment");
    assert!(call.parent_span_id.is_empty());
    assert_eq!(attribute(call, "hadron.code"), "OK");
    let offer = step("offer job");
    assert_eq!(offer.parent_span_id, call.span_id);
    let job = step("job apply_stack");
    assert_eq!(job.parent_span_id, offer.span_id);
    assert_eq!(executed[0].parent_span_id, job.span_id);
    let authorise = step("agent AgentService/Authorise");
    assert_eq!(authorise.parent_span_id, job.span_id);
    let services: std::collections::BTreeSet<&str> =
        of_trace.iter().map(|(service, _)| service.as_str()).collect();
    assert!(
        services.iter().any(|name| name.contains("hadron-hub")),
        "{services:?}"
    );
    assert!(
        services.iter().any(|name| name.contains("hadron-agent")),
        "{services:?}"
    );

    // The token is the one that AWS was given.
    let token = attribute(&executed[0], "aws.client_request_token");
    let calls = world.emulator.calls(since).await.unwrap();
    let seen: Vec<_> = calls
        .iter()
        .filter(|call| call["params"]["ClientRequestToken"] == *token)
        .collect();
    assert!(!token.is_empty() && !seen.is_empty(), "'{token}' in {calls:?}");

    // What the spec says, and with what credentials it was deployed, is nobody's who takes spans.
    let all = format!("{spans:?}");
    let secret = &world.admin.variables()["AWS_SECRET_ACCESS_KEY"];
    for secret in [canary.as_str(), secret.as_str(), "Authorization", "Bearer"] {
        assert!(!all.contains(secret), "spans tell {secret}");
    }

    // The same numbers as on /metrics, what the agent asked AWS for among them.
    let text = wait::until("the numbers", Duration::from_secs(30), || {
        let requests = received.0.lock().unwrap().1.clone();
        async move {
            let last = requests
                .last()
                .map(|request| format!("{request:?}"))
                .unwrap_or_default();
            Ok(
                (last.contains("ExecuteChangeSet") && last.contains("hadron_deployments_total"))
                    .then_some(requests),
            )
        }
    })
    .await
    .unwrap();
    let last = text.last().unwrap();
    let metrics = last.resource_metrics[0].scope_metrics[0].metrics.iter();
    let names: Vec<&str> = metrics.clone().map(|metric| metric.name.as_str()).collect();
    for name in [
        "hadron_queue_depth",
        "hadron_call_seconds",
        "hadron_agents",
        "hadron_database_up",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let times = metrics
        .clone()
        .find(|metric| metric.name == "hadron_deployment_seconds");
    let Some(Data::Histogram(times)) = &times.unwrap().data else {
        panic!("{times:?}");
    };
    assert_eq!(times.data_points[0].count, 1);
    assert!(!format!("{last:?}").contains(&canary));
}

/// How long some calls take, together.
async fn works(world: &mut World) -> Duration {
    let connection = world.connect(PROD, "prd").await.unwrap();
    let spec = spec(world, "hello");
    create(world, &connection, &spec).await;
    let began = Instant::now();
    for _ in 0..5 {
        world.admin.ok(&["environment", "list"]).await.unwrap();
    }
    let took = began.elapsed();
    // And it ends in time.
    let began = Instant::now();
    world.hub.process().stop(Duration::from_secs(30)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(25));
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_away_costs_nothing_but_its_spans() {
    // A port on which nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut world = world(&endpoint).await;
    let took = works(&mut world).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    let told = std::fs::read_to_string(PathBuf::from(world.hub.folder()).join("hub.log")).unwrap();
    let warnings = told.matches("Metrics could not be sent").count();
    assert_eq!(warnings, 1, "said once, not each time: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_costs_nothing_but_its_spans() {
    // Takes connections, and never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let mut world = world(&endpoint).await;
    let took = works(&mut world).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    held.abort();
}

#[tokio::test]
async fn what_is_asked_for_in_a_way_that_is_not_known_is_refused_by_name() {
    let mut world = World::new().await.unwrap();
    let mut wrong = variables("http://127.0.0.1:4317");
    wrong.insert(
        "OTEL_EXPORTER_OTLP_PROTOCOL".to_owned(),
        "http/protobuf".to_owned(),
    );
    world.hub.relaunch(&wrong).unwrap();
    assert!(!world.hub.ready_or_ended().await.unwrap());
    let told = std::fs::read_to_string(PathBuf::from(world.hub.folder()).join("hub.log")).unwrap();
    assert!(told.contains("this program speaks grpc"), "{told}");
}
