//! The authority matrix over the operator API, by real calls: everybody who can be told apart sends every method with their
//! token through the generated server, about a thing of their own, a thing of somebody else's, and one that does not exist.
//! The answers stand in `operator_matrix.txt`, which somebody reads when one changes; `HADRON_BLESS=1` writes it anew.
//!
//! A cell is `may` (done), `denied`, `absent` (which is also what somebody is not to know of), `unknown` (without a token), or
//! the code of another refusal, which comes after the right was found. Every `denied` is in the audit log, once. Messages
//! are filled in by the names of their fields, from the descriptors: a new method is in the matrix without a line here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bytes::{BufMut as _, Bytes, BytesMut};
use hadron_domain::authority::Caller;
use hadron_management::api::authority::{Needs, OPERATOR};
use hadron_management::api::operator;
use hadron_management::app::App;
use hadron_management::store::requests as stored;
use hadron_management::store::requests::TokenRow;
use hadron_proto::vocab::{Digest, Timestamp};
use hadron_proto::wire;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::matrix::{Thing, copy, denied, people, things};
use crate::world::{ENVIRONMENT_SPEC, MANAGEMENT, World, administrator, asked, service_spec};

/// How long a stream may take to say its first word.
const SOON: std::time::Duration = std::time::Duration::from_millis(300);

/// A method: its path, its request, whether it answers with a stream.
struct Method {
    path: String,
    input: DescriptorProto,
    streams: bool,
}

fn methods() -> BTreeMap<(String, String), Method> {
    let set = FileDescriptorSet::decode(wire::DESCRIPTORS).unwrap();
    let messages: BTreeMap<String, DescriptorProto> = set
        .file
        .iter()
        .flat_map(|file| {
            let package = file.package().to_owned();
            file.message_type
                .iter()
                .map(move |message| (format!(".{package}.{}", message.name()), message.clone()))
        })
        .collect();
    let mut methods = BTreeMap::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                methods.insert(
                    (service.name().to_owned(), method.name().to_owned()),
                    Method {
                        path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                        input: messages[method.input_type()].clone(),
                        streams: method.server_streaming(),
                    },
                );
            }
        }
    }
    methods
}

/// What a field of this name is about.
fn value(service: &str, method: &str, field: &str, of: &Thing) -> Option<String> {
    let role = || format!("arn:aws:iam::{}:role/hadron-provisioning", of.account);
    let service_template = service == "ServiceService";
    Some(match field {
        "id" | "deployment_id" => match service {
            "ConnectionService" => of.connection.to_string(),
            _ => of.deployment.to_string(),
        },
        "name" => match service {
            _ if method.starts_with("Create") && of.name != "missing" => "new".to_owned(),
            "EnvironmentService" => of.environment.to_owned(),
            "ServiceService" => of.service.to_owned(),
            "InstanceService" => of.instance.to_owned(),
            "ComponentService" => of.component.to_owned(),
            "TemplateService" => of.template.to_owned(),
            "RepositoryService" => of.repository.to_owned(),
            _ => return None,
        },
        "environment_name" | "environment" => of.environment.to_owned(),
        "service_name" | "service" => of.service.to_owned(),
        "instance_name" | "instance" => of.instance.to_owned(),
        "component_name" => of.component.to_owned(),
        "template_name" if service_template => "minimal-svc-no-pipeline".to_owned(),
        "template_name" => of.template.to_owned(),
        "version" => "1.0".to_owned(),
        "connection_id" => of.connection.to_string(),
        "account_id" | "environment_account_id" | "confirm_account_id" => of.account.to_string(),
        "management_account_id" => MANAGEMENT.to_owned(),
        "role_arn" => role(),
        "codebuild_role_arn" => format!("arn:aws:iam::{}:role/builds", of.account),
        "principal" => "token:somebody".to_owned(),
        "role" => "developer".to_owned(),
        "scope" => format!("environment:{}", of.environment),
        "action" | "operation" => "WriteEnvironment".to_owned(),
        "spec" => match service {
            "EnvironmentService" => ENVIRONMENT_SPEC.to_owned(),
            "PipelineService" => service_spec(Some(""), &[("blue", of.environment, "")]),
            _ => service_spec(None, &[("new", of.environment, "")]),
        },
        "manifest" => crate::components::MANIFEST.to_owned(),
        "template_file" => crate::components::FREE.to_owned(),
        "provider" => "GITHUB".to_owned(),
        // Grants are listed by account here.
        "repository" if service == "GrantService" => return None,
        "repository" | "repository_name" => of.repository.to_owned(),
        "branch" => "main".to_owned(),
        "path" | "file_path" => "ops.yaml".to_owned(),
        "connection_arn" => format!(
            "arn:aws:codeconnections:us-east-1:{MANAGEMENT}:connection/0a1b2c3d-0000-4000-8000-0123456789ab"
        ),
        "resource" | "resource_arn" | "arn" => {
            format!(
                "arn:aws:proton:us-east-1:{MANAGEMENT}:environment/{}",
                of.environment
            )
        }
        "description" | "reason" | "resolved_reason" | "display_name" => "changed".to_owned(),
        "key" | "keys" => "team".to_owned(),
        _ => return None,
    })
}

fn follower(of: &Thing) -> wire::Follower {
    wire::Follower {
        follower: Some(wire::follower::Follower::Service(of.service.to_owned())),
    }
}

/// A request, put into bytes field by field.
fn request(service: &str, method: &str, input: &DescriptorProto, of: &Thing, id: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |number: i32, wire: u32, content: &[u8]| {
        prost::encoding::encode_varint(u64::from(number.cast_unsigned() << 3 | wire), &mut bytes);
        if wire == 2 {
            prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        }
        bytes.extend_from_slice(content);
    };
    // Of a choice only the first is given.
    let mut chosen = Vec::new();
    for field in &input.field {
        if let Some(choice) = field.oneof_index
            && !field.proto3_optional()
        {
            if chosen.contains(&choice) {
                continue;
            }
            chosen.push(choice);
        }
        let repeated = field.label() == Label::Repeated;
        match field.r#type() {
            Type::String if field.name() == "request_id" => {
                put(field.number(), 2, format!("matrix-{id}").as_bytes())
            }
            Type::String if repeated && field.name() != "keys" => {}
            Type::String => {
                if let Some(text) = value(service, method, field.name(), of) {
                    put(field.number(), 2, text.as_bytes());
                }
            }
            // The environment's of templates; the present version of deployments.
            Type::Enum if field.name() == "kind" => put(field.number(), 0, &[1]),
            Type::Enum => put(field.number(), 0, &[2]),
            Type::Message if field.name() == "follower" => {
                put(field.number(), 2, &follower(of).encode_to_vec())
            }
            Type::Message if field.name() == "sync" => {
                let sync = wire::Sync {
                    follower: Some(follower(of)),
                    provider: "GITHUB".to_owned(),
                    repository: of.repository.to_owned(),
                    branch: "main".to_owned(),
                    path: "ops.yaml".to_owned(),
                    ..Default::default()
                };
                put(field.number(), 2, &sync.encode_to_vec());
            }
            _ => {}
        }
    }
    bytes
}

/// The code of a call's answer, and what it says.
async fn call(app: &App, token: &str, method: &Method, message: &[u8]) -> (i32, Vec<u8>) {
    let routes = operator::routes(app, &CancellationToken::new());
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    let request = http::Request::post(&method.path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"))
        .body(tonic::body::Body::new(Full::new(framed.freeze())))
        .unwrap();
    let answer = routes.oneshot(request).await.unwrap();
    let code = |headers: &http::HeaderMap| -> Option<i32> {
        headers.get("grpc-status")?.to_str().ok()?.parse().ok()
    };
    if let Some(code) = code(answer.headers()) {
        return (code, Vec::new());
    }
    let mut body = answer.into_body();
    let mut said: Vec<u8> = Vec::new();
    loop {
        let frame = if method.streams {
            match tokio::time::timeout(SOON, body.frame()).await {
                Ok(frame) => frame,
                // It goes on for as long as somebody listens.
                Err(_) => return (0, said),
            }
        } else {
            body.frame().await
        };
        match frame {
            None => return (0, said),
            Some(Err(status)) => return (status.code().into(), said),
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    return (code, said);
                }
                if let Ok(data) = frame.into_data() {
                    let data: Bytes = data;
                    said.extend_from_slice(&data);
                    if method.streams && said.len() > 5 {
                        return (0, said);
                    }
                }
            }
        }
    }
}

/// What shows that a list has a thing in it.
fn mark(service: &str, of: &Thing) -> Option<String> {
    Some(match service {
        "ConnectionService" => of.connection.to_string(),
        "EnvironmentService" => of.environment.to_owned(),
        "ServiceService" | "PipelineService" => of.service.to_owned(),
        "InstanceService" => of.instance.to_owned(),
        "ComponentService" => of.component.to_owned(),
        "DeploymentService" => of.deployment.to_string(),
        "AgentService" | "GrantService" => of.account.to_string(),
        _ => return None,
    })
}

fn cell(service: &str, method: &str, of: &Thing, (code, said): &(i32, Vec<u8>)) -> String {
    let shows = |text: &str| said.windows(text.len()).any(|part| part == text.as_bytes());
    match tonic::Code::from_i32(*code) {
        tonic::Code::Ok if method.starts_with("List") => match mark(service, of) {
            Some(mark) if !shows(&mark) => "absent".to_owned(),
            _ => "may".to_owned(),
        },
        tonic::Code::Ok => "may".to_owned(),
        tonic::Code::PermissionDenied => "denied".to_owned(),
        tonic::Code::NotFound => "absent".to_owned(),
        tonic::Code::Unauthenticated => "unknown".to_owned(),
        other => format!("{other:?}"),
    }
}

/// A token for each of them, with their rights as bindings.
async fn tokens(world: &World) -> Vec<(String, Caller, String)> {
    let mut all = Vec::new();
    for (number, (name, who)) in people().into_iter().enumerate() {
        let token = format!(
            "hadron_{}",
            char::from(b'a' + u8::try_from(number).unwrap())
                .to_string()
                .repeat(43)
        );
        let principal = format!("token:{}", name.replace(' ', "-"));
        let row = TokenRow {
            digest: Digest::of(token.as_bytes()),
            name: name.replace(' ', "-"),
            principal: principal.clone(),
            account: who.account,
            role: None,
            created_at: Timestamp::from_micros(1),
            expires_at: None,
            disabled: false,
            groups: Vec::new(),
        };
        let insert = world.app.write("token", move |unit| {
            Box::pin(async move { Ok(stored::insert_token(unit.tx, &row).await?) })
        });
        insert.await.unwrap();
        for right in &who.rights {
            let request = asked(&administrator(), "GrantAccess");
            let granted = world
                .app
                .grant_access(request, principal.parse().unwrap(), right.clone());
            granted.await.unwrap();
        }
        all.push((name, who, token));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_by_real_calls_what_the_operator_matrix_says_and_every_refusal_is_audited() {
    let world = World::sqlite().await;
    let things = things(&world).await;
    let mut everybody = tokens(&world).await;
    let nobody = people().pop().unwrap().1;
    everybody.push(("a stranger".to_owned(), nobody, "hadron_no_token".to_owned()));
    let methods = methods();
    let (mut text, mut refusals, mut cells) = (String::new(), 0, 0);
    for (service, name, needs) in OPERATOR {
        // How people prove who they are is not behind these routes.
        if *service == "AuthService" {
            continue;
        }
        let method = &methods[&((*service).to_owned(), (*name).to_owned())];
        let _ = writeln!(text, "{service}.{name}");
        for (person, who, token) in &everybody {
            let mut line = Vec::new();
            for of in &things {
                let reads = ["Get", "List", "Watch", "Explain"]
                    .iter()
                    .any(|verb| name.starts_with(verb));
                let able = match needs {
                    Needs::Right(action) => who.may(*action).is_ok(),
                    _ => !who.rights.is_empty(),
                };
                let folder = tempfile::tempdir().unwrap();
                let app = if able && !reads {
                    copy(&world.test.place, folder.path(), &world.test.clock).await
                } else {
                    world.app.clone()
                };
                let before = denied(&app).await;
                let message = request(service, name, &method.input, of, cells);
                let answer = call(&app, token, method, &message).await;
                let cell = cell(service, name, of, &answer);
                let audited = denied(&app).await - before;
                assert_eq!(
                    audited,
                    usize::from(cell == "denied"),
                    "{service}.{name} by {person}, {}: {cell}",
                    of.name
                );
                if !able && matches!(needs, Needs::Right(_)) {
                    let refused = ["denied", "absent", "unknown", "InvalidArgument"].contains(&cell.as_str());
                    assert!(
                        refused,
                        "{service}.{name} by {person}, who has no right to it anywhere, {}: {cell}",
                        of.name
                    );
                }
                assert_ne!(cell, "Internal", "{service}.{name} by {person}, {}", of.name);
                refusals += audited;
                cells += 1;
                line.push(format!("{} {cell}", of.name));
                if able && !reads {
                    app.db().close().await;
                }
            }
            let _ = writeln!(text, "  {person:24} {}", line.join(", "));
        }
    }
    eprintln!("{cells} cells, {refusals} refusals, all of them in the audit log");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/operator_matrix.txt");
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
