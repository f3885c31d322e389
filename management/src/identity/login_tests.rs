use aws_credential_types::Credentials;
use hadron_proto::proof::sign;

use super::super::ca::Serial;
use super::super::testing::{ACCOUNT, FakeSts, Memory, ROLE, agent_credentials, region, start};
use super::*;

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

struct World {
    store: Memory,
    fake: FakeSts,
    clock: Clock,
    hub: Login<Memory>,
}

impl World {
    async fn new(dev: bool) -> Self {
        let (store, fake, clock) = (Memory::default(), FakeSts::start().await, Clock::manual(start()));
        let ca = Ca::generate("hub-1".parse().unwrap(), Serial::from_random([9; 16]), start()).unwrap();
        let (sts, rules) = if dev {
            (fake.client(), Rules::root(DevMode::for_tests()))
        } else {
            (fake.strict_client(), Rules::default())
        };
        let hub = Login::new(store.clone(), Arc::new(ca), sts, clock.clone(), rules);
        Self {
            store,
            fake,
            clock,
            hub,
        }
    }

    async fn log_in(&self, credentials: &Credentials) -> Result<Principal, LoginError> {
        let begun = self.hub.begin(SOURCE).await.unwrap();
        self.hub.finish(request(&begun, credentials).proof.as_ref()).await
    }
}

fn request(begun: &Begun, credentials: &Credentials) -> wire::FinishLoginRequest {
    let binding = Binding::Login {
        nonce: begun.nonce,
        hub_id: begun.hub_id.clone(),
    };
    let proof = sign(credentials, &region(), start(), &binding).unwrap();
    wire::FinishLoginRequest {
        proof: Some(proof.to_wire(begun.challenge_id.to_string())),
    }
}

#[tokio::test]
async fn users_and_roles_log_in_and_roots_do_not() {
    let world = World::new(false).await;
    let principal = world.log_in(&agent_credentials()).await.unwrap();
    assert_eq!(principal.arn, format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"));
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ann");
    let long_lived = world.fake.know("AKIAEXAMPLEEXAMPLE33", None, &user, "AIDAANN");
    assert_eq!(world.log_in(&long_lived).await.unwrap().arn, user);
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let root_key = world.fake.know("AKIAROOTROOTROOT0000", None, &root, ACCOUNT);
    assert_eq!(
        world.log_in(&root_key).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let federated = format!("arn:aws:sts::{ACCOUNT}:federated-user/x");
    let federated = world
        .fake
        .know("ASIAFEDERATED0000000", Some("dG9r"), &federated, "1:x");
    assert_eq!(
        world.log_in(&federated).await.unwrap_err().code(),
        Code::PermissionDenied
    );

    let world = World::new(true).await;
    let emulated = world.fake.know(ACCOUNT, None, &root, ACCOUNT);
    assert_eq!(world.log_in(&emulated).await.unwrap().arn, root);
}

#[tokio::test]
async fn a_challenge_is_good_once_and_for_logins() {
    let world = World::new(false).await;
    let begun = world.hub.begin(SOURCE).await.unwrap();
    let good = request(&begun, &agent_credentials());
    let mut bad = good.clone();
    bad.proof.as_mut().unwrap().signature = "0".repeat(64);
    assert_eq!(
        world.hub.finish(bad.proof.as_ref()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert!(matches!(
        world.hub.finish(good.proof.as_ref()).await,
        Err(LoginError::NoChallenge)
    ));

    let begun = world.hub.begin(SOURCE).await.unwrap();
    let enrolment = Purpose::Enrol {
        claim: super::super::enrolment::Claim::Place(ACCOUNT.parse().unwrap(), region()),
        spki_sha256: [0; 32],
        epoch: None,
        agent: None,
    };
    world
        .store
        .with(|rows| rows.challenges.get_mut(&begun.challenge_id).unwrap().purpose = enrolment);
    assert!(matches!(
        world
            .hub
            .finish(request(&begun, &agent_credentials()).proof.as_ref())
            .await,
        Err(LoginError::NoChallenge)
    ));
    // A proof for an enrolment says nothing of a login.
    let begun = world.hub.begin(SOURCE).await.unwrap();
    let binding = Binding::Enrol {
        nonce: begun.nonce,
        hub_id: begun.hub_id.clone(),
        spki_sha256: [0; 32],
    };
    let proof = sign(&agent_credentials(), &region(), start(), &binding).unwrap();
    let other = wire::FinishLoginRequest {
        proof: Some(proof.to_wire(begun.challenge_id.to_string())),
    };
    assert!(matches!(
        world.hub.finish(other.proof.as_ref()).await,
        Err(LoginError::Sts(StsError::Refused { .. }))
    ));
    while world.hub.begin(SOURCE).await.is_ok() {}
    assert_eq!(
        world.hub.begin(SOURCE).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
}

#[tokio::test]
async fn tokens_are_stored_as_digests_and_end() {
    let world = World::new(false).await;
    let tokens = TokenIssuer::new(world.store.clone(), world.clock.clone());
    let principal = world.log_in(&agent_credentials()).await.unwrap();
    let (token, row) = tokens.issue(&principal).await.unwrap();
    let text = token.reveal();
    assert!(text.starts_with(TOKEN_PREFIX) && text.len() == TOKEN_PREFIX.len() + 43);
    assert_eq!(row.hash, Digest::of(text.as_bytes()));
    assert!(!format!("{token:?}{row:?}").contains(&text[TOKEN_PREFIX.len()..]));
    assert_eq!(tokens.verify(text).await.unwrap(), row);
    let mut other = text.to_owned();
    other.replace_range(
        text.len() - 20..text.len() - 19,
        if text.ends_with('A') { "B" } else { "A" },
    );
    for wrong in [
        "",
        "hadron_",
        &other.replace("hadron_", "HADRON_"),
        &format!("{text}="),
        &format!("{text} "),
        &text[7..],
    ] {
        assert_eq!(
            tokens.verify(wrong).await.unwrap_err().code(),
            Code::Unauthenticated,
            "{wrong}"
        );
    }
    world.clock.advance(TOKEN_LIFE);
    assert!(matches!(tokens.verify(text).await, Err(LoginError::Token)));

    let (minted, row) = tokens.mint("ci.deploy", "administrator", None).await.unwrap();
    assert_eq!(
        (row.principal.as_str(), row.expires_at),
        ("token:ci.deploy", None)
    );
    assert_eq!(
        tokens.verify(minted.reveal()).await.unwrap().role.as_deref(),
        Some("administrator")
    );
    world.store.with(|rows| rows.tokens.remove(&row.hash));
    assert!(matches!(
        tokens.verify(minted.reveal()).await,
        Err(LoginError::Token)
    ));
    for name in ["", "a b", "a/b", "a\n", &"a".repeat(65)] {
        assert!(
            matches!(tokens.mint(name, "auditor", None).await, Err(LoginError::Mint(_))),
            "{name:?}"
        );
    }
}
