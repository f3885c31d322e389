//! People who want more than their part allows: AT-91 to AT-96.

use anyhow::{Context as _, Result};
use hadron_proto::wire;
use serde_json::{Value, json};
use tonic::Code;

use super::client::{Caller, Key, Proton, key_of, minted};
use super::{Case, Ground};
use crate::{DEV, MANAGEMENT, PROD};

fn uuid(id: &str) -> String {
    let hex = id.rsplit('_').next().unwrap_or_default();
    if hex.len() != 32 {
        return id.to_owned();
    }
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// AT-91
pub(super) async fn developers_accept(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let id = ground.connection(DEV, "PENDING").await?;
    let proton = Proton::new(&ground.world, case.address)?;
    for role in ["developer", "auditor"] {
        let key = minted(&ground.world, &format!("at-91-{role}"), role)?;
        case.secret(key.secret.clone());
        for operation in [
            "AcceptEnvironmentAccountConnection",
            "RejectEnvironmentAccountConnection",
        ] {
            let answer = proton
                .call(&key, operation, &json!({"id": uuid(&id)}).to_string())
                .await?;
            let right =
                ["AccessDeniedException", "ResourceNotFoundException"].contains(&answer.error().as_str());
            case.input(format!("{operation} by {role}"), right, format!("{answer:?}"));
        }
        let caller = Caller::of(&ground.world, &format!("at-91-token-{role}"), role).await?;
        case.secret(caller.token.clone());
        let mut client =
            wire::connection_service_client::ConnectionServiceClient::new(caller.channel.clone());
        let request = caller.request(wire::AcceptConnectionRequest {
            id: id.clone(),
            confirm_account_id: DEV.to_owned(),
            ..Default::default()
        });
        let answer = client.accept_connection(request).await;
        let code = answer.as_ref().err().map(tonic::Status::code);
        case.input(
            format!("AcceptConnection by {role}"),
            matches!(code, Some(Code::PermissionDenied | Code::NotFound)),
            format!("{answer:?}"),
        );
    }
    let shown = ground.world.admin.json(&["connection", "get", &id]).await?;
    case.hold("still pending", shown["status"] == "PENDING", shown);
    case.logged("denied Accept");
    Ok(())
}

async fn owner_key(ground: &Ground, case: &mut Case, account: &str) -> Result<Key> {
    let key = key_of(&ground.world.owner(account).await?).await?;
    case.secret(key.secret.clone());
    case.secret(key.token.clone().unwrap_or_default());
    Ok(key)
}

/// AT-92
pub(super) async fn others_connections(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let theirs = uuid(&ground.connection(DEV, "PENDING").await?);
    let never = "0192aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa";
    let key = owner_key(ground, case, PROD).await?;
    let proton = Proton::new(&ground.world, case.address)?;
    for operation in [
        "GetEnvironmentAccountConnection",
        "DeleteEnvironmentAccountConnection",
        "UpdateEnvironmentAccountConnection",
        "AcceptEnvironmentAccountConnection",
    ] {
        let body = |id: &str| {
            let mut body = json!({"id": id});
            if operation.starts_with("Update") {
                body["roleArn"] = format!("arn:aws:iam::{PROD}:role/x").into();
            }
            body.to_string()
        };
        let one = proton.call(&key, operation, &body(&theirs)).await?;
        let other = proton.call(&key, operation, &body(never)).await?;
        let masked = |text: &str, id: &str| {
            let simple = format!("conn_{}", id.replace('-', ""));
            text.replace(id, "ID").replace(&simple, "ID")
        };
        let same = one.status == other.status && masked(&one.text, &theirs) == masked(&other.text, never);
        case.input(
            format!("{operation} of another account"),
            one.status != 200 && same,
            format!("{one:?} instead of {other:?}"),
        );
    }
    let listed = proton
        .call(
            &key,
            "ListEnvironmentAccountConnections",
            r#"{"requestedBy":"ENVIRONMENT_ACCOUNT"}"#,
        )
        .await?;
    case.input(
        "a list",
        listed.status == 200 && !listed.text.contains(&theirs),
        format!("{listed:?}"),
    );
    case.logged("Refused");
    Ok(())
}

/// AT-93
pub(super) async fn other_environments(ground: &mut Ground, case: &mut Case) -> Result<()> {
    ground.world.publish_examples().await?;
    let spec = "proton: EnvironmentSpec\nspec: {}\n";
    for name in ["allowed", "forbidden"] {
        let made = ground.admin.create(name, "minimal-env", "", spec).await?;
        ground.world.ended(&made).await?;
    }
    // May deploy service web into one of two environments.
    let role = "web-developer";
    let who = ground.world.somebody(MANAGEMENT, role).await?;
    let arn = format!("arn:aws:iam::{MANAGEMENT}:role/{role}");
    for scope in ["service:web", "environment:allowed"] {
        ground
            .world
            .admin
            .ok(&["access", "grant", &arn, "--role", "developer", "--scope", scope])
            .await?;
    }
    let key = key_of(&who).await?;
    case.secret(key.secret.clone());
    let proton = Proton::new(&ground.world, case.address)?;
    let service = |name: &str, environment: &str| {
        let spec = format!(
            "proton: ServiceSpec\ninstances:\n  - name: one\n    environment: {environment}\n    spec: {{}}\n"
        );
        json!({"name": name, "templateName": "minimal-svc-no-pipeline", "templateMajorVersion": "1", "spec": spec}).to_string()
    };
    for (what, body) in [
        ("by name", service("web", "forbidden")),
        ("another service", service("shop", "allowed")),
        (
            "by ARN",
            service(
                "web",
                &format!("arn:aws:proton:us-east-1:{MANAGEMENT}:environment/forbidden"),
            ),
        ),
    ] {
        let answer = proton.call(&key, "CreateService", &body).await?;
        case.input(what, answer.status != 200, format!("{answer:?}"));
    }
    let answer = proton
        .call(
            &key,
            "UpdateEnvironment",
            r#"{"name":"forbidden","deploymentType":"CURRENT_VERSION"}"#,
        )
        .await?;
    case.input(
        "the environment itself",
        answer.status != 200,
        format!("{answer:?}"),
    );
    // What is theirs they may; then the instance moves.
    let made = proton
        .call(&key, "CreateService", &service("web", "allowed"))
        .await?;
    case.hold("their own", made.status == 200, format!("{made:?}"));
    ground.world.active("web").await?;
    let moved = "proton: ServiceSpec\ninstances:\n  - name: one\n    environment: forbidden\n    spec: {}\n";
    for (operation, body) in [
        ("UpdateService", json!({"name": "web", "spec": moved})),
        (
            "UpdateServiceInstance",
            json!({"serviceName": "web", "name": "one", "deploymentType": "CURRENT_VERSION", "spec": moved}),
        ),
        (
            "CreateServiceInstance",
            json!({"serviceName": "web", "name": "two", "spec": moved.replace("one", "two")}),
        ),
    ] {
        let answer = proton.call(&key, operation, &body.to_string()).await?;
        case.input(
            format!("a moved instance by {operation}"),
            answer.status != 200,
            format!("{answer:?}"),
        );
    }
    let shown = ground.world.items(&["instance", "list"]).await?;
    let wrong = shown
        .iter()
        .any(|instance| instance.to_string().contains("forbidden"));
    case.hold("nothing is there", !wrong, format!("{shown:?}"));
    case.logged("denied");
    Ok(())
}

/// AT-94
pub(super) async fn auditors_write(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let key = minted(&ground.world, "at-94", "auditor")?;
    case.secret(key.secret.clone());
    let proton = Proton::new(&ground.world, case.address)?;
    for (operation, body) in [
        ("CreateEnvironmentTemplate", json!({"name": "evil"})),
        (
            "CreateEnvironment",
            json!({"name": "evil", "templateName": "minimal-env", "templateMajorVersion": "1", "spec": "proton: EnvironmentSpec\nspec: {}\n"}),
        ),
        ("DeleteEnvironment", json!({"name": "allowed"})),
        (
            "UpdateAccountSettings",
            json!({"deletePipelineProvisioningRepository": true}),
        ),
        ("DeleteServiceTemplate", json!({"name": "minimal-svc"})),
        (
            "TagResource",
            json!({"resourceArn": format!("arn:aws:proton:us-east-1:{MANAGEMENT}:environment/allowed"), "tags": [{"key": "a", "value": "b"}]}),
        ),
    ] {
        let answer = proton.call(&key, operation, &body.to_string()).await?;
        case.fault(operation, &answer, "AccessDeniedException", &[]);
    }
    case.logged("AccessDeniedException");
    case.logged("denied");
    Ok(())
}

/// AT-95
pub(super) async fn more_fields(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let key = owner_key(ground, case, "888888888888").await?;
    let proton = Proton::new(&ground.world, case.address)?;
    let base = json!({"environmentName": "mass", "managementAccountId": MANAGEMENT,
        "roleArn": "arn:aws:iam::888888888888:role/hadron-provisioning"});
    let with = |field: &str, value: Value| {
        let mut body = base.clone();
        body[field] = value;
        body.to_string()
    };
    let answer = proton
        .call(
            &key,
            "CreateEnvironmentAccountConnection",
            &with("roleArn", format!("arn:aws:iam::{PROD}:role/admin").into()),
        )
        .await?;
    case.input(
        "another account's role",
        answer.status != 200,
        format!("{answer:?}"),
    );
    let mut body = base.clone();
    for (field, value) in [
        ("status", "CONNECTED"),
        ("id", "0192aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa"),
        (
            "arn",
            "arn:aws:proton:us-east-1:111111111111:environment-account-connection/x",
        ),
        ("environmentAccountId", PROD),
        ("requestedBy", "arn:aws:iam::111111111111:root"),
    ] {
        body[field] = value.into();
    }
    let answer = proton
        .call(&key, "CreateEnvironmentAccountConnection", &body.to_string())
        .await?;
    let made = answer.json()["environmentAccountConnection"].clone();
    // Unknown members are ignored, as AWS does, or refused: none of them counts.
    let right = answer.error() == "ValidationException"
        || (made["status"] == "PENDING"
            && made["environmentAccountId"] == "888888888888"
            && made["id"] != "0192aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa");
    case.input("fields of the answer", right, format!("{answer:?}"));
    let admin = minted(&ground.world, "at-95", "administrator")?;
    case.secret(admin.secret.clone());
    let answer = proton
        .call(
            &admin,
            "CreateEnvironmentTemplate",
            &json!({"name": "mass", "recommendedVersion": "9.9", "arn": "x", "createdAt": 1}).to_string(),
        )
        .await?;
    let right = answer.error() == "ValidationException"
        || answer.json()["environmentTemplate"]["recommendedVersion"].is_null();
    case.input("a recommended version", right, format!("{answer:?}"));
    case.logged("Refused");
    Ok(())
}

/// AT-96
pub(super) async fn page_tokens(ground: &mut Ground, case: &mut Case) -> Result<()> {
    for name in ["page-a", "page-b", "page-c"] {
        ground.admin.template(name).await?;
    }
    let admin = minted(&ground.world, "at-96", "administrator")?;
    let auditor = minted(&ground.world, "at-96-auditor", "auditor")?;
    case.secret(admin.secret.clone());
    let proton = Proton::new(&ground.world, case.address)?;
    let first = proton
        .call(&admin, "ListEnvironmentTemplates", r#"{"maxResults":1}"#)
        .await?;
    let token = first.json()["nextToken"]
        .as_str()
        .context("a page token")?
        .to_owned();
    let mut flipped = token.clone();
    let last = flipped.pop();
    flipped.push(if last == Some('A') { 'B' } else { 'A' });
    let names = ["x", "", "eyJhIjoxfQ==", "' OR 1=1 --", "../../etc/passwd"];
    for forged in names.into_iter().chain([flipped.as_str()]) {
        let body = json!({"maxResults": 1, "nextToken": forged}).to_string();
        let answer = proton.call(&admin, "ListEnvironmentTemplates", &body).await?;
        // An empty one is the beginning to some clients; nothing else is taken.
        let right = answer.error() == "ValidationException" || (forged.is_empty() && answer.status == 200);
        case.input(format!("{forged:?}"), right, format!("{answer:?}"));
    }
    let elsewhere = json!({"maxResults": 1, "nextToken": token}).to_string();
    let answer = proton.call(&admin, "ListServiceTemplates", &elsewhere).await?;
    case.input(
        "a token of another list",
        answer.error() == "ValidationException",
        format!("{answer:?}"),
    );
    // Of another person: what it shows is what they may see anyway.
    let answer = proton
        .call(&auditor, "ListEnvironmentTemplates", &elsewhere)
        .await?;
    case.input(
        "a token of another person",
        answer.status == 200 || answer.error() == "ValidationException",
        format!("{answer:?}"),
    );
    case.logged("Refused");
    Ok(())
}
