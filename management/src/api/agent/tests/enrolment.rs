use hadron_domain::authority::Role;
use hadron_proto::proof::{Binding, sign};
use hadron_proto::wire::auth_service_client::AuthServiceClient;
use hadron_proto::wire::{self};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::clock::Clock;
use crate::identity::testing::agent_credentials;
use crate::store::{agents, connections};
use crate::testing::{MANAGEMENT, OTHER, Talk, World, asked, caller, hello, region};

#[tokio::test(flavor = "multi_thread")]
async fn only_an_accepted_connection_gets_a_certificate() {
    let world = World::new().await;
    let connection = world.request("333333333333", "prd").await;
    let pending = world
        .enrol(Some(connection), &agent_credentials(), None)
        .await
        .err()
        .unwrap();
    assert_eq!(pending.code(), Code::FailedPrecondition);
    assert_eq!(
        pending.get_details_error_info().unwrap().reason,
        "CONNECTION_PENDING"
    );
    world.accept(connection, "333333333333").await;
    let agent = world.enrol(None, &agent_credentials(), None).await.unwrap();
    assert_eq!(agent.connection, connection.to_string());

    let pinned = world.app().read("pinned", move |tx| {
        Box::pin(async move { Ok(connections::get(tx, connection).await?.unwrap().pinned_role_id) })
    });
    assert_eq!(pinned.await.unwrap().as_deref(), Some("AROAEXAMPLEEXAMPLE33"));

    // Another account knows the id of the connection, and that is all it has.
    let thief = world
        .enrol(Some(connection), &world.credentials_of(OTHER), None)
        .await
        .err()
        .unwrap();
    assert_eq!(thief.code(), Code::PermissionDenied);

    // A role of the same name with another id.
    let arn = "arn:aws:sts::333333333333:assumed-role/hadron-agent/i-9";
    let remade = world.sts.know(
        "ASIAREMADEREMADE33",
        Some("FwoGZXIvYXdzEXAMPLE+/=="),
        arn,
        "AROAREMADE:i-9",
    );
    let replaced = world.enrol(Some(connection), &remade, None).await.err().unwrap();
    assert_eq!(replaced.get_details_error_info().unwrap().reason, "ROLE_REPLACED");

    world.reject(connection).await;
    let rejected = world
        .enrol(Some(connection), &agent_credentials(), None)
        .await
        .err()
        .unwrap();
    assert_eq!(rejected.code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_stays_itself_with_its_next_certificate_but_not_over_an_epoch() {
    let world = World::new().await;
    let (connection, first) = world.agent().await;
    let mut talk = world.session(&first).await;
    let renewed = world
        .enrol(Some(connection), &agent_credentials(), Some(&first))
        .await
        .unwrap();
    assert_eq!(renewed.agent, first.agent);
    // The session of the old certificate goes on until a new one is opened.
    assert!(talk.is_quiet(std::time::Duration::from_millis(1_500)).await);
    world.session(&renewed).await;

    // Somebody revokes all that was given.
    let revoke = world.app().write("revoke", move |unit| {
        Box::pin(async move {
            let mut row = connections::get(unit.tx, connection).await?.unwrap();
            row.connection.epoch += 1;
            Ok(connections::put(unit.tx, &row).await?)
        })
    });
    revoke.await.unwrap();
    let next = world
        .enrol(Some(connection), &agent_credentials(), Some(&renewed))
        .await
        .unwrap();
    assert_ne!(next.agent, first.agent);
    world.session(&next).await;
    for old in [&first, &renewed] {
        let mut talk = Talk::begin(world.client(old).await).await.unwrap();
        talk.say(wire::agent_message::Message::Hello(hello())).await;
        assert_eq!(talk.end().await.unwrap_err().code(), Code::PermissionDenied);
    }

    // An agent id of another connection is not to be had.
    let other = world.connected(OTHER, "other").await;
    let thief = world
        .enrol(Some(other), &world.credentials_of(OTHER), Some(&next))
        .await
        .err()
        .unwrap();
    assert_eq!(thief.get_details_error_info().unwrap().reason, "WRONG_IDENTITY");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_account_needs_no_request_and_new_roles_void_what_was_given() {
    let mut world = World::new().await;
    let credentials = world.credentials_of(MANAGEMENT);
    let agent = world.enrol(None, &credentials, None).await.unwrap();
    world.session(&agent).await;
    world.restart(&[]).await;
    world.session(&agent).await;
    let role = format!("arn:aws:iam::{MANAGEMENT}:role/pipelines-and-more");
    world.restart(&[("management.provisioning_role", &role)]).await;
    let mut talk = Talk::begin(world.client(&agent).await).await.unwrap();
    talk.say(wire::agent_message::Message::Hello(hello())).await;
    assert_eq!(talk.end().await.unwrap_err().code(), Code::PermissionDenied);
    let next = world.enrol(None, &credentials, Some(&agent)).await.unwrap();
    world.session(&next).await;

    // The role was deleted and made anew: an administrator of the machine says so.
    let arn = format!("arn:aws:sts::{MANAGEMENT}:assumed-role/hadron-agent/i-2");
    let key = format!("ASIAEXAMPLE{MANAGEMENT}");
    let remade = world
        .sts
        .know(&key, Some("FwoGZXIvYXdzEXAMPLE+/=="), &arn, "AROAREMADE:i-2");
    assert!(world.enrol(None, &remade, None).await.is_err());
    world.app().trust_management_role().await.unwrap();
    world.enrol(None, &remade, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_of_one_source_are_bounded() {
    let world = World::new().await;
    let connection = world.connected("333333333333", "prd").await;
    let (_, channel) = world.channel(&world.hub().ready().enrol, None).await;
    let mut client = wire::enrolment_service_client::EnrolmentServiceClient::new(channel);
    let begin = wire::BeginEnrolmentRequest {
        connection_id: connection.to_string(),
        spki_sha256: vec![7; 32],
        ..Default::default()
    };
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(
            client
                .begin_enrolment(begin.clone())
                .await
                .map_or_else(|status| status.code(), |_| Code::Ok),
        );
    }
    assert_eq!(codes[..5], [Code::Ok; 5]);
    assert_eq!(codes[5], Code::ResourceExhausted);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_agents_are_remembered_until_they_are_forgotten() {
    let world = World::new().await;
    let (_, agent) = world.agent().await;
    let id = agent.agent.parse().unwrap();
    let row = world.app().read("agent", move |tx| {
        Box::pin(async move { Ok(agents::get(tx, id).await?) })
    });
    let row = row.await.unwrap().unwrap();
    assert_eq!(
        row.principal,
        "arn:aws:sts::333333333333:assumed-role/hadron-agent/i-0123"
    );
    assert!(row.key_fingerprint.starts_with("sha256:"));
    let caller = caller(Role::Administrator, None);
    let listed = world
        .app()
        .list_agents(&caller, None, String::new(), 10)
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
}

/// A fresh proof for a login, and where to send it.
async fn proof(
    world: &World,
    credentials: &aws_credential_types::Credentials,
) -> Result<(AuthServiceClient<tonic::transport::Channel>, wire::StsProof), Status> {
    let (connector, channel) = world.channel(&world.hub().ready().api, None).await;
    let mut client = AuthServiceClient::new(channel);
    let begun = client.begin_login(wire::BeginLoginRequest {}).await?.into_inner();
    let nonce = begun.nonce.as_slice().try_into().unwrap();
    let binding = Binding::Login {
        nonce,
        hub_id: connector.hub_id().unwrap(),
    };
    let proof = sign(credentials, &region(), Clock::system().now(), &binding).unwrap();
    Ok((client, proof.to_wire(begun.challenge_id)))
}

async fn login(
    world: &World,
    credentials: &aws_credential_types::Credentials,
) -> Result<wire::FinishLoginResponse, Status> {
    let (mut client, proof) = proof(world, credentials).await?;
    let finish = wire::FinishLoginRequest { proof: Some(proof) };
    Ok(client.finish_login(finish).await?.into_inner())
}

async fn who_am_i(world: &World, authorization: Option<&str>) -> Result<wire::WhoAmIResponse, Status> {
    let (_, channel) = world.channel(&world.hub().ready().api, None).await;
    let mut request = Request::new(wire::WhoAmIRequest {});
    if let Some(text) = authorization {
        request
            .metadata_mut()
            .insert("authorization", text.parse().unwrap());
    }
    Ok(AuthServiceClient::new(channel)
        .who_am_i(request)
        .await?
        .into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_as_who_they_are() {
    let admin = format!("arn:aws:iam::{MANAGEMENT}:role/hadron-agent");
    let world = World::with(&[("access.administrators", &admin)]).await;
    let given = login(&world, &world.credentials_of(MANAGEMENT)).await.unwrap();
    assert_eq!(
        (given.role.as_str(), given.principal.as_str()),
        ("administrator", admin.as_str())
    );
    let me = who_am_i(&world, Some(&format!("Bearer {}", given.token)))
        .await
        .unwrap();
    assert_eq!(
        (me.account_id.as_str(), me.management_account_id.as_str()),
        (MANAGEMENT, MANAGEMENT)
    );
    assert_eq!(me.hub_id, world.hub().ready().hub_id);

    let given = login(&world, &world.credentials_of(OTHER)).await.unwrap();
    assert_eq!((given.role.as_str(), given.account_id.as_str()), ("owner", OTHER));

    let arn = format!("arn:aws:iam::{MANAGEMENT}:user/eve");
    let eve = world.sts.know("AKIAEVEEVEEVEEVE0001", None, &arn, "AIDAEVE");
    let status = login(&world, &eve).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.get_details_error_info().unwrap().metadata["help"].contains("[access]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_proof_gives_an_access_key_instead_and_only_once() {
    let admin = format!("arn:aws:iam::{MANAGEMENT}:role/hadron-agent");
    let world = World::with(&[("access.administrators", &admin)]).await;
    let (mut client, proof) = proof(&world, &world.credentials_of(OTHER)).await.unwrap();
    let request = wire::IssueAccessKeyRequest { proof: Some(proof) };
    let key = client
        .issue_access_key(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((key.role.as_str(), key.account_id.as_str()), ("owner", OTHER));
    assert!(key.access_key_id.starts_with("HUBA") && key.access_key_id.len() == 20);
    assert!(key.secret_access_key.len() == 44 && key.session_token.len() == 44);
    let now = Clock::system().now().as_millis() / 1000;
    let left = key.expiration.unwrap().seconds - now;
    assert!((3_500..=3_600).contains(&left), "{left}");

    let again = client.issue_access_key(request).await.unwrap_err();
    assert_eq!(again.code(), Code::Aborted, "a challenge is used up");
    let forged = wire::IssueAccessKeyRequest { proof: None };
    assert_eq!(
        client.issue_access_key(forged).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    // Neither part of the key is a token.
    for text in [&key.session_token, &key.secret_access_key] {
        let status = who_am_i(&world, Some(&format!("Bearer {text}")))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    let arn = format!("arn:aws:iam::{MANAGEMENT}:user/eve");
    let eve = world.sts.know("AKIAEVEEVEEVEEVE0001", None, &arn, "AIDAEVE");
    let (mut client, proof) = self::proof(&world, &eve).await.unwrap();
    let request = wire::IssueAccessKeyRequest { proof: Some(proof) };
    let status = client.issue_access_key(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.get_details_error_info().unwrap().metadata["help"].contains("[access]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_token_opens() {
    let world = World::new().await;
    let given = login(&world, &world.credentials_of(OTHER)).await.unwrap();
    let good = format!("Bearer {}", given.token);
    who_am_i(&world, Some(&good)).await.unwrap();
    let flipped = format!("Bearer hadron_{}", "A".repeat(43));
    for wrong in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Basic x"),
        Some(given.token.as_str()),
        Some(&flipped),
    ] {
        let status = who_am_i(&world, wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{wrong:?}");
        assert!(
            status.get_details_error_info().unwrap().metadata["help"].contains("hadron login"),
            "{wrong:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_connection_is_gone_for_its_agents() {
    let world = World::new().await;
    let (connection, agent) = world.agent().await;
    let mut talk = world.session(&agent).await;
    let request = asked(caller(Role::Owner, Some("333333333333")), "DeleteConnection");
    world.app().delete_connection(request, connection).await.unwrap();
    assert_eq!(talk.end().await.unwrap_err().code(), Code::PermissionDenied);
    let gone = world
        .enrol(Some(connection), &agent_credentials(), None)
        .await
        .err()
        .unwrap();
    assert_eq!(gone.get_details_error_info().unwrap().reason, "NO_CONNECTION");
}
