use aws_credential_types::Credentials;
use hadron_proto::proof::{MAX_SKEW, sign};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};

use super::super::testing::{
    ACCOUNT, FakeSts, KEY, Memory, Mood, ROLE, ROLE_ID, account, agent_credentials, region, start,
};
use super::*;

struct World {
    store: Memory,
    fake: FakeSts,
    clock: Clock,
    hub: Enrolment<Memory>,
    connection: ConnectionId,
}

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn ca(hub: &str) -> Arc<Ca> {
    Arc::new(Ca::generate(hub.parse().unwrap(), Serial::from_random([9; 16]), start()).unwrap())
}

impl World {
    async fn new() -> Self {
        let (store, fake, clock) = (Memory::default(), FakeSts::start().await, Clock::manual(start()));
        let connection = store.add_connection();
        let hub = Enrolment::new(
            store.clone(),
            ca("hub-1"),
            fake.strict_client(),
            clock.clone(),
            LeafLife::default(),
            Rules::default(),
        );
        Self {
            store,
            fake,
            clock,
            hub,
            connection,
        }
    }

    fn dev(self, rules: Rules) -> Self {
        let hub = Enrolment::new(
            self.store.clone(),
            ca("dev-1"),
            self.fake.client(),
            self.clock.clone(),
            LeafLife::default(),
            rules,
        );
        Self { hub, ..self }
    }

    async fn begin(&self, key: &KeyPair) -> Begun {
        self.hub
            .begin(&begin_request(Some(self.connection), key), None, SOURCE)
            .await
            .unwrap()
    }

    async fn finish(&self, request: &wire::FinishEnrolmentRequest) -> Result<Issued, EnrolmentError> {
        self.hub.finish(request, SOURCE).await
    }

    /// The whole exchange with these credentials.
    async fn enrol(&self, credentials: &Credentials) -> Result<Issued, EnrolmentError> {
        let key = KeyPair::generate().unwrap();
        let begun = self.begin(&key).await;
        self.finish(&finish_request(&begun, &key, credentials, self.clock.now()))
            .await
    }

    fn open(&self) -> usize {
        self.store.with(|rows| rows.challenges.len())
    }

    fn given(&self) -> usize {
        self.store.with(|rows| rows.enrolled.len())
    }
}

fn spki(key: &KeyPair) -> [u8; 32] {
    *hadron_proto::vocab::Digest::of(&key.subject_public_key_info()).as_bytes()
}

fn begin_request(connection: Option<ConnectionId>, key: &KeyPair) -> wire::BeginEnrolmentRequest {
    wire::BeginEnrolmentRequest {
        connection_id: connection.map(|id| id.to_string()).unwrap_or_default(),
        account_id: ACCOUNT.to_owned(),
        region: region().to_string(),
        spki_sha256: spki(key).to_vec(),
    }
}

fn csr(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default()
        .serialize_request(key)
        .unwrap()
        .der()
        .to_vec()
}

fn finish_request(
    begun: &Begun,
    key: &KeyPair,
    credentials: &Credentials,
    now: Timestamp,
) -> wire::FinishEnrolmentRequest {
    let binding = Binding::Enrol {
        nonce: begun.nonce,
        hub_id: begun.hub_id.clone(),
        spki_sha256: spki(key),
    };
    let proof = sign(credentials, &region(), now, &binding).unwrap();
    wire::FinishEnrolmentRequest {
        proof: Some(proof.to_wire(begun.challenge_id.to_string())),
        csr_der: csr(key),
    }
}

#[tokio::test]
async fn an_agent_of_the_right_role_gets_a_certificate() {
    let world = World::new().await;
    let issued = world.enrol(&agent_credentials()).await.unwrap();
    assert_eq!(
        (issued.name.account, issued.name.connection),
        (account(), world.connection)
    );
    assert_eq!(issued.valid_for, Duration::from_secs(3600));
    assert_eq!(issued.chain.len(), 1);
    world.store.with(|rows| {
        let enrolled = &rows.enrolled[0];
        assert_eq!(
            (enrolled.epoch, enrolled.role_id.as_str(), enrolled.agent),
            (7, ROLE_ID, issued.name.agent)
        );
        assert_eq!(
            rows.connections[&world.connection].pinned_role_id.as_deref(),
            Some(ROLE_ID)
        );
    });
    // The hub is asked by nobody for URL, method or headers: what STS saw is what the hub built.
    assert_eq!(world.fake.seen().len(), 1);
}

#[tokio::test]
async fn the_connection_is_found_by_account_and_region() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let begun = world
        .hub
        .begin(&begin_request(None, &key), None, SOURCE)
        .await
        .unwrap();
    let request = finish_request(&begun, &key, &agent_credentials(), start());
    assert_eq!(
        world.finish(&request).await.unwrap().name.connection,
        world.connection
    );
}

#[tokio::test]
async fn an_agent_keeps_its_id_within_its_connection() {
    let world = World::new().await;
    let agent = world.enrol(&agent_credentials()).await.unwrap().name.agent;
    let renew = async || {
        let key = KeyPair::generate().unwrap();
        let request = begin_request(Some(world.connection), &key);
        let begun = world
            .hub
            .begin(&request, Some(&agent.to_string()), SOURCE)
            .await
            .unwrap();
        world
            .finish(&finish_request(&begun, &key, &agent_credentials(), start()))
            .await
    };
    let again = renew().await.unwrap();
    assert_eq!(again.name.agent, agent);
    world
        .store
        .with(|rows| rows.agents.insert(agent, ConnectionId::from_parts(9, [9; 10])));
    assert_eq!(renew().await.unwrap_err().code(), Code::PermissionDenied);
}

/// AT-01, AT-06 to AT-08: whoever else signs is refused, and the challenge is gone.
#[tokio::test]
async fn other_identities_are_refused() {
    let world = World::new().await;
    let token = Some("dG9r");
    let role = |account: &str, role: &str| format!("arn:aws:sts::{account}:assumed-role/{role}/s");
    let others = [
        (role("222222222222", ROLE), "AROAOTHER:s"),
        (role(ACCOUNT, "some-lambda"), "AROAOTHER:s"),
        (role(ACCOUNT, "Hadron-Agent"), "AROAOTHER:s"),
        (role(ACCOUNT, "hadron-agent2"), "AROAOTHER:s"),
        (role(ACCOUNT, ROLE), "AROAOTHER:another-session"),
        (role(ACCOUNT, ROLE), "noid"),
        (format!("arn:aws:iam::{ACCOUNT}:user/{ROLE}"), "AIDAUSER"),
        (
            format!("arn:aws:iam::{ACCOUNT}:user/assumed-role/{ROLE}/s"),
            "AIDAUSER",
        ),
        (format!("arn:aws:iam::{ACCOUNT}:root"), ACCOUNT),
        (format!("arn:aws:sts::{ACCOUNT}:federated-user/{ROLE}"), "1:x"),
    ];
    for (number, (arn, user_id)) in others.iter().enumerate() {
        let key = format!("ASIAOTHEROTHEROTHER{number}");
        let error = world
            .enrol(&world.fake.know(&key, token, arn, user_id))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{arn}: {error}");
        assert_eq!(world.open(), 0, "{arn}");
    }
    // Partitions have account ids of their own.
    world
        .store
        .change(world.connection, |row| row.region = "cn-north-1".parse().unwrap());
    assert!(matches!(
        world.enrol(&agent_credentials()).await,
        Err(EnrolmentError::NoConnection { .. })
    ));
    assert_eq!(world.given(), 0);
}

/// AT-09
#[tokio::test]
async fn a_role_made_anew_needs_a_new_approval() {
    let world = World::new().await;
    world.enrol(&agent_credentials()).await.unwrap();
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/s");
    let other = world
        .fake
        .know("ASIAOTHEROTHEROTHER0", Some("dG9r"), &arn, "AROANEWNEWNEW:s");
    let error = world.enrol(&other).await.unwrap_err();
    assert!(
        error.is_alarm() && error.code() == Code::PermissionDenied,
        "{error}"
    );
    assert!(error.to_string().contains("AROANEWNEWNEW"), "{error}");
    // Pinned by another agent between check and record.
    world
        .store
        .change(world.connection, |row| row.pinned_role_id = None);
    world
        .store
        .with(|rows| rows.before_record = Some(|row| row.pinned_role_id = Some("AROANEW".to_owned())));
    assert!(world.enrol(&agent_credentials()).await.unwrap_err().is_alarm());
    assert_eq!(world.given(), 1);
}

/// AT-02 to AT-04, and the epoch.
#[tokio::test]
async fn only_an_accepted_and_unchanged_connection_counts() {
    let world = World::new().await;
    let id = world.connection;
    for (standing, code) in [
        (Standing::Pending, Code::FailedPrecondition),
        (Standing::Rejected, Code::PermissionDenied),
    ] {
        world.store.change(id, |row| row.standing = standing);
        let error = world.enrol(&agent_credentials()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(world.open(), 0);
        // A stranger learns nothing of that.
        let stranger = world.fake.know(
            "ASIAOTHEROTHEROTHER0",
            Some("dG9r"),
            "arn:aws:sts::222222222222:assumed-role/hadron-agent/s",
            "AROAOTHER:s",
        );
        assert!(matches!(
            world.enrol(&stranger).await,
            Err(EnrolmentError::NoConnection { .. })
        ));
    }
    world.store.change(id, |row| row.standing = Standing::Connected);

    // Rejected or revoked while STS was asked, between the check and the record.
    let changes: [fn(&mut ConnectionRow); 2] =
        [|row| row.standing = Standing::Rejected, |row| row.epoch += 1];
    for change in changes {
        world.store.with(|rows| rows.before_record = Some(change));
        assert!(matches!(
            world.enrol(&agent_credentials()).await,
            Err(EnrolmentError::Changed(_))
        ));
        world.store.change(id, |row| row.standing = Standing::Connected);
    }
    // Revoked between challenge and proof.
    let key = KeyPair::generate().unwrap();
    let begun = world.begin(&key).await;
    world.store.change(id, |row| row.epoch += 1);
    let error = world
        .finish(&finish_request(&begun, &key, &agent_credentials(), start()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Aborted);
    // Deleted between challenge and proof; and never there.
    let begun = world.begin(&key).await;
    world.store.with(|rows| rows.connections.clear());
    let error = world
        .finish(&finish_request(&begun, &key, &agent_credentials(), start()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let error = world.enrol(&agent_credentials()).await.unwrap_err();
    assert!(error.to_string().contains("hadron connection request"), "{error}");
    assert_eq!(world.given(), 0);
}

/// AT-19, AT-21, AT-26
#[tokio::test]
async fn a_challenge_is_good_once_and_for_a_minute() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let begun = world.begin(&key).await;
    let request = finish_request(&begun, &key, &agent_credentials(), start());
    world.finish(&request).await.unwrap();
    assert!(matches!(
        world.finish(&request).await,
        Err(EnrolmentError::NoChallenge)
    ));

    let begun = world.begin(&key).await;
    let request = finish_request(&begun, &key, &agent_credentials(), start());
    world.clock.advance(CHALLENGE_LIFE + Duration::from_secs(1));
    assert!(matches!(
        world.finish(&request).await,
        Err(EnrolmentError::NoChallenge)
    ));

    let begun = world.begin(&key).await;
    let request = finish_request(&begun, &key, &agent_credentials(), world.clock.now());
    let both = tokio::join!(world.finish(&request), world.finish(&request));
    assert_eq!(
        [both.0.is_ok(), both.1.is_ok()]
            .into_iter()
            .filter(|ok| *ok)
            .count(),
        1
    );
    assert_eq!(world.given(), 2);

    // Nobody's challenge, and a text that is none.
    for id in [
        &ChallengeId::from_random([1; 16]).to_string(),
        "",
        "x",
        &"F".repeat(32),
    ] {
        let mut other = request.clone();
        other.proof.as_mut().unwrap().challenge_id = id.to_owned();
        assert!(
            matches!(world.finish(&other).await, Err(EnrolmentError::NoChallenge)),
            "{id}"
        );
    }
}

#[tokio::test]
async fn whatever_fails_the_challenge_is_used_up() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    type Spoil = fn(&mut wire::FinishEnrolmentRequest);
    let spoils: [(Spoil, Code); 8] = [
        (|request| request.csr_der.clear(), Code::InvalidArgument),
        (
            |request| request.csr_der = csr(&KeyPair::generate().unwrap()),
            Code::InvalidArgument,
        ),
        (
            |request| request.proof.as_mut().unwrap().region = "evil.com/".to_owned(),
            Code::InvalidArgument,
        ),
        (
            |request| request.proof.as_mut().unwrap().session_token += "\r\nx: y",
            Code::InvalidArgument,
        ),
        (
            |request| request.proof.as_mut().unwrap().access_key_id = "AKIAEXAMPLEEXAMPLE33".to_owned(),
            Code::InvalidArgument,
        ),
        (
            |request| request.proof.as_mut().unwrap().signature = "0".repeat(64),
            Code::PermissionDenied,
        ),
        (
            |request| request.proof.as_mut().unwrap().region = "us-east-1".to_owned(),
            Code::PermissionDenied,
        ),
        (
            |request| request.proof.as_mut().unwrap().amz_date = "20261120T092759Z".to_owned(),
            Code::InvalidArgument,
        ),
    ];
    for (number, (spoil, code)) in spoils.into_iter().enumerate() {
        let begun = world.begin(&key).await;
        let good = finish_request(&begun, &key, &agent_credentials(), start());
        let mut bad = good.clone();
        spoil(&mut bad);
        let error = world.finish(&bad).await.unwrap_err();
        assert_eq!(error.code(), code, "{number}: {error}");
        assert!(
            matches!(world.finish(&good).await, Err(EnrolmentError::NoChallenge)),
            "{number}"
        );
    }
    // STS is away, or says something odd: to be tried again, but with a new challenge.
    for mood in [Mood::Redirect, Mood::Huge] {
        world.fake.mood(mood);
        let begun = world.begin(&key).await;
        let request = finish_request(&begun, &key, &agent_credentials(), start());
        assert_eq!(
            world.finish(&request).await.unwrap_err().code(),
            Code::Unavailable
        );
        world.fake.mood(Mood::Honest);
        assert!(matches!(
            world.finish(&request).await,
            Err(EnrolmentError::NoChallenge)
        ));
    }
    assert_eq!(world.given(), 0);
}

/// AT-20, AT-23: a proof made for another hub, another key, another challenge or a login.
#[tokio::test]
async fn a_proof_is_good_for_its_binding_only() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let begun = world.begin(&key).await;
    let (nonce, hub_id, spki_sha256) = (begun.nonce, begun.hub_id.clone(), spki(&key));
    let bindings = [
        Binding::Enrol {
            nonce,
            hub_id: "hub-2".parse().unwrap(),
            spki_sha256,
        },
        Binding::Enrol {
            nonce,
            hub_id: hub_id.clone(),
            spki_sha256: [0; 32],
        },
        Binding::Enrol {
            nonce: [0; 32],
            hub_id: hub_id.clone(),
            spki_sha256,
        },
        Binding::Login { nonce, hub_id },
    ];
    for binding in bindings {
        let begun = world.begin(&key).await;
        let binding = match binding {
            Binding::Enrol { nonce: [0, ..], .. } => binding,
            Binding::Enrol {
                hub_id, spki_sha256, ..
            } => Binding::Enrol {
                nonce: begun.nonce,
                hub_id,
                spki_sha256,
            },
            Binding::Login { hub_id, .. } => Binding::Login {
                nonce: begun.nonce,
                hub_id,
            },
        };
        let proof = sign(&agent_credentials(), &region(), start(), &binding).unwrap();
        let request = wire::FinishEnrolmentRequest {
            proof: Some(proof.to_wire(begun.challenge_id.to_string())),
            csr_der: csr(&key),
        };
        let error = world.finish(&request).await.unwrap_err();
        assert!(
            matches!(error, EnrolmentError::Sts(StsError::Refused { .. })),
            "{binding:?}: {error}"
        );
    }
}

/// AT-22
#[tokio::test]
async fn clocks_may_differ_by_two_minutes() {
    let world = World::new().await;
    for (at, fine) in [
        (start().plus(MAX_SKEW), true),
        (start().minus(MAX_SKEW), true),
        (start().plus(Duration::from_secs(360)), false),
        (start().minus(Duration::from_secs(360)), false),
    ] {
        let key = KeyPair::generate().unwrap();
        let begun = world.begin(&key).await;
        let answer = world
            .finish(&finish_request(&begun, &key, &agent_credentials(), at))
            .await;
        assert_eq!(answer.is_ok(), fine, "{at}");
    }
}

/// AT-25
#[tokio::test]
async fn challenges_are_bounded() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let request = begin_request(Some(world.connection), &key);
    let from = async |source: &str| world.hub.begin(&request, None, source.parse().unwrap()).await;
    for _ in 0..OPEN_PER_SOURCE {
        from("10.0.0.1").await.unwrap();
    }
    assert_eq!(
        from("10.0.0.1").await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    // One address cannot keep the agent at another one out.
    from("10.0.0.2").await.unwrap();
    for last in 3..14 {
        for _ in 0..OPEN_PER_SOURCE {
            let _ = from(&format!("10.0.0.{last}")).await;
        }
    }
    assert_eq!(world.open(), OPEN_PER_CLAIM as usize);
    assert_eq!(
        from("10.0.1.1").await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    world.clock.advance(CHALLENGE_LIFE);
    from("10.0.1.1").await.unwrap();
}

/// What the limits say is the same for connections that there are and for those that there are not, whichever way they are
/// claimed.
#[tokio::test]
async fn limits_tell_nobody_which_connections_there_are() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let place = |account: &str| wire::BeginEnrolmentRequest {
        connection_id: String::new(),
        account_id: account.to_owned(),
        ..begin_request(None, &key)
    };
    let claims = [
        begin_request(Some(world.connection), &key),
        begin_request(Some(ConnectionId::from_parts(5, [5; 10])), &key),
        place(ACCOUNT),
        place("444444444444"),
    ];
    let mut seen = Vec::new();
    for (number, claim) in claims.iter().enumerate() {
        let mut answers = Vec::new();
        // From addresses of their own, so that the limit of an address does not hide the other.
        for last in 0..OPEN_PER_CLAIM / OPEN_PER_SOURCE + 1 {
            let source = format!("10.1.{number}.{last}").parse().unwrap();
            for _ in 0..=OPEN_PER_SOURCE {
                let begun = world.hub.begin(claim, None, source).await;
                answers.push(begun.map(|_| ()).map_err(|error| error.to_string()));
            }
        }
        let given = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(given, OPEN_PER_CLAIM as usize, "{claim:?}");
        seen.push(answers);
    }
    assert!(seen.iter().all(|answers| *answers == seen[0]), "{seen:#?}");
    // Who knows both names of one connection learns nothing from using them in turn.
    let (by_id, by_place) = (
        Claim::Connection(world.connection),
        Claim::Place(account(), region()),
    );
    assert_ne!(by_id.counted_as(), by_place.counted_as());
    // What an address may ask for in a minute, whatever it claims.
    let mut given = 0;
    while world
        .hub
        .begin(
            &place(&format!("{:012}", 500 + given)),
            None,
            "10.0.9.9".parse().unwrap(),
        )
        .await
        .is_ok()
    {
        given += 1;
    }
    assert_eq!(given, PER_SOURCE_AND_MINUTE);
}

#[tokio::test]
async fn malformed_beginnings_are_named() {
    let world = World::new().await;
    let good = begin_request(Some(world.connection), &KeyPair::generate().unwrap());
    let wrong = [
        wire::BeginEnrolmentRequest {
            spki_sha256: vec![0; 31],
            ..good.clone()
        },
        wire::BeginEnrolmentRequest {
            connection_id: "job_1".to_owned(),
            ..good.clone()
        },
        wire::BeginEnrolmentRequest {
            connection_id: String::new(),
            account_id: "*".to_owned(),
            ..good.clone()
        },
        wire::BeginEnrolmentRequest {
            connection_id: String::new(),
            region: "x".to_owned(),
            ..good.clone()
        },
    ];
    for request in wrong {
        assert_eq!(
            world.hub.begin(&request, None, SOURCE).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    assert_eq!(
        world
            .hub
            .begin(&good, Some("x"), SOURCE)
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
    let none = wire::FinishEnrolmentRequest::default();
    assert_eq!(
        world.finish(&none).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

/// AT-27, and what an emulator may do that AWS may not.
#[tokio::test]
async fn emulated_keys_count_only_with_an_emulator() {
    let world = World::new().await;
    let root = world
        .fake
        .know(ACCOUNT, None, &format!("arn:aws:iam::{ACCOUNT}:root"), ACCOUNT);
    let error = world.enrol(&root).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    let akia = Credentials::new("AKIAEXAMPLEEXAMPLE33", "x", None, None, "test");
    assert!(world.enrol(&akia).await.unwrap_err().to_string().contains("AKIA"));
    // The form of the key is relaxed, the kind of identity is not.
    let world = world.dev(Rules::default());
    assert_eq!(
        world.enrol(&root).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let world = world.dev(Rules::root_agents(DevMode::for_tests()));
    let issued = world.enrol(&root).await.unwrap();
    assert!(issued.name.hub.is_dev());
    let stranger = world.fake.know(
        "222222222222",
        None,
        "arn:aws:iam::222222222222:root",
        "222222222222",
    );
    assert!(matches!(
        world.enrol(&stranger).await,
        Err(EnrolmentError::NoConnection { .. })
    ));
}

#[tokio::test]
async fn messages_hold_no_secret() {
    let world = World::new().await;
    let key = KeyPair::generate().unwrap();
    let begun = world.begin(&key).await;
    let mut request = finish_request(&begun, &key, &agent_credentials(), start());
    let signature = request.proof.as_ref().unwrap().signature.clone();
    request.proof.as_mut().unwrap().session_token += "\n";
    let text = format!("{:?}", world.finish(&request).await.unwrap_err());
    assert!(
        !text.contains(&signature) && !text.contains("FwoGZXIv") && !text.contains(KEY),
        "{text}"
    );
}
