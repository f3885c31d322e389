//! People and workloads whom an issuer of OpenID Connect knows, with a real issuer on this machine that does everything
//! wrong which a hostile one, or somebody in between, could do.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hadron_domain::authority::{Action, Right, Role};
use hadron_management::app::access::Access;
use hadron_management::app::enrolment::Records;
use hadron_management::app::{App, Settings};
use hadron_management::identity::login::TokenIssuer;
use hadron_management::identity::oidc::testing::{
    CLIENT, FakeIssuer, Jwks, SigningKey, forged, hmac_signed, seconds, signed,
};
use hadron_management::identity::oidc::token::Invalid;
use hadron_management::identity::oidc::{Answer, Begun, Identity, IssuerConfig, Issuers, OidcError, Purpose};
use serde_json::{Value, json};

use crate::world::{World, administrator, asked, reason, settings};

const AUDIENCE: &str = "hadron";

/// Somebody else each time, so that nobody asks too often.
fn source() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0001);
    IpAddr::V4(Ipv4Addr::from_bits(NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn people(issuer: &str) -> IssuerConfig {
    IssuerConfig {
        alias: "corp".parse().unwrap(),
        issuer: issuer.to_owned(),
        purpose: Purpose::People {
            client_id: CLIENT.to_owned(),
            client_secret: None,
            scopes: vec!["openid".to_owned(), "email".to_owned()],
            groups_claim: "groups".to_owned(),
        },
        name_claim: "sub".to_owned(),
        session: Duration::from_secs(3_600),
    }
}

fn workloads(issuer: &str, conditions: &[&str]) -> IssuerConfig {
    IssuerConfig {
        alias: "ci".parse().unwrap(),
        issuer: issuer.to_owned(),
        purpose: Purpose::Workloads {
            audience: AUDIENCE.to_owned(),
            conditions: conditions.iter().map(|text| text.parse().unwrap()).collect(),
        },
        name_claim: "sub".to_owned(),
        session: Duration::from_secs(900),
    }
}

/// A hub with one issuer for people and for workloads.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) app: App,
    pub(crate) issuer: FakeIssuer,
    pub(crate) issuers: Issuers<Records>,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let world = World::sqlite().await;
        let issuer = FakeIssuer::start(world.test.clock.clone()).await;
        let access = Access {
            issuers: vec!["corp".parse().unwrap(), "ci".parse().unwrap()],
            ..settings().access
        };
        let settings = Settings { access, ..settings() };
        let app = App::new(world.test.db.clone(), world.test.clock.clone(), settings);
        let all = vec![
            people(issuer.url()),
            workloads(issuer.url(), &["repository=acme/*"]),
        ];
        let issuers = issuers(&app, all);
        Self {
            world,
            app,
            issuer,
            issuers,
        }
    }

    /// As if the hub had been started anew, told this.
    fn told(&mut self, issuers_: Vec<IssuerConfig>) {
        self.issuers = issuers(&self.app, issuers_);
    }

    async fn begin(&self) -> Begun {
        self.issuers
            .begin("", "http://127.0.0.1:4711/callback", source())
            .await
            .unwrap()
    }

    /// What the browser brings back after the person has agreed.
    fn code(&self, begun: &Begun) -> String {
        let back = self.issuer.agree(&begun.url);
        let part = |name: &str| {
            back.query_pairs()
                .find(|(key, _)| key == name)
                .unwrap()
                .1
                .into_owned()
        };
        assert_eq!(part("state"), begun.state);
        part("code")
    }

    async fn finish(&self, begun: &Begun, code: &str) -> Result<Identity, OidcError> {
        let answer = Answer {
            state: &begun.state,
            code,
            verifier: &begun.verifier,
            issuer: Some(self.issuer.url()),
        };
        self.issuers.finish(answer, source()).await
    }

    /// A whole login of a person.
    async fn log_in(&self) -> Result<Identity, OidcError> {
        let begun = self.begin().await;
        let code = self.code(&begun);
        self.finish(&begun, &code).await
    }

    async fn exchange(&self, token: &str) -> Result<Identity, OidcError> {
        self.issuers.exchange("", token, source()).await
    }

    /// What a good token of a workload says.
    fn claims(&self) -> Value {
        let mut claims = self.issuer.claims(AUDIENCE);
        claims["sub"] = "repo:acme/web:ref:refs/heads/main".into();
        claims["repository"] = "acme/web".into();
        claims
    }

    fn now(&self) -> i64 {
        seconds(self.world.test.clock.now())
    }
}

pub(crate) fn issuers(app: &App, all: Vec<IssuerConfig>) -> Issuers<Records> {
    Issuers::new(Records::new(app.clone()), app.clock().clone(), all, true).unwrap()
}

fn invalid(found: Result<Identity, OidcError>) -> Invalid {
    match found.expect_err("this had to be refused") {
        OidcError::Token(invalid) => invalid,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_person_comes_in_by_a_code_that_counts_once() {
    let desk = Desk::new().await;
    let begun = desk.begin().await;
    // What goes through the browser does not finish the login.
    assert!(!begun.url.contains(&begun.verifier));
    let code = desk.code(&begun);
    let found = desk.finish(&begun, &code).await.unwrap();
    assert_eq!(found.principal, "oidc:corp:ann");
    assert_eq!(
        found.groups,
        ["oidc-group:corp:platform", "oidc-group:corp:Payments Team"]
    );
    assert!(matches!(desk.finish(&begun, &code).await, Err(OidcError::NoFlow)));

    // The code of before, in a login of now.
    let other = desk.begin().await;
    assert!(
        matches!(desk.finish(&other, &code).await, Err(OidcError::Refused(why)) if why == "invalid_grant")
    );
    // A code that was given for another login.
    let (one, two) = (desk.begin().await, desk.begin().await);
    let code = desk.code(&one);
    assert!(matches!(
        desk.finish(&two, &code).await,
        Err(OidcError::Refused(_))
    ));
    // Whoever saw state and code cannot finish it, and then nobody can.
    let begun = desk.begin().await;
    let code = desk.code(&begun);
    let thief = Begun {
        verifier: other.verifier.clone(),
        ..begun.clone()
    };
    assert!(matches!(
        desk.finish(&thief, &code).await,
        Err(OidcError::Verifier)
    ));
    assert!(matches!(desk.finish(&begun, &code).await, Err(OidcError::NoFlow)));
    // A state that nobody was given.
    let unknown = Begun {
        state: "a".repeat(43),
        ..begun
    };
    assert!(matches!(desk.finish(&unknown, "x").await, Err(OidcError::NoFlow)));
    // Another issuer answers, or does not say which it is although it always does.
    for issuer in [Some("https://evil.example"), None] {
        let begun = desk.begin().await;
        let code = desk.code(&begun);
        let answer = Answer {
            state: &begun.state,
            code: &code,
            verifier: &begun.verifier,
            issuer,
        };
        assert!(
            matches!(desk.issuers.finish(answer, source()).await, Err(OidcError::MixUp)),
            "{issuer:?}"
        );
    }
    // Too late.
    let begun = desk.begin().await;
    let code = desk.code(&begun);
    desk.world.pass(Duration::from_secs(600)).await;
    assert!(matches!(desk.finish(&begun, &code).await, Err(OidcError::NoFlow)));
    assert!(desk.log_in().await.is_ok());
}

#[tokio::test]
async fn a_hub_that_has_a_secret_shows_it() {
    let mut desk = Desk::new().await;
    desk.issuer.behaviour().secret = Some("s3cret & more".to_owned());
    assert!(matches!(desk.log_in().await, Err(OidcError::Refused(why)) if why == "invalid_client"));
    let mut config = people(desk.issuer.url());
    let Purpose::People { client_secret, .. } = &mut config.purpose else {
        unreachable!("it is for people")
    };
    // The issuer of these tests compares what it would have encoded itself.
    desk.issuer.behaviour().secret = Some("s3cret".to_owned());
    *client_secret = Some("s3cret".to_owned());
    desk.told(vec![config]);
    assert_eq!(desk.log_in().await.unwrap().principal, "oidc:corp:ann");
    assert!(!format!("{:?}", people(desk.issuer.url())).contains("s3cret"));
}

#[tokio::test]
async fn a_token_of_a_person_has_to_be_for_this_login() {
    let desk = Desk::new().await;
    let now = desk.now();
    for (claims, why) in [
        (json!({"nonce": "another"}), Invalid::Nonce),
        (json!({"nonce": null}), Invalid::Nonce),
        (json!({"aud": "another"}), Invalid::Audience),
        (json!({"aud": []}), Invalid::Audience),
        (json!({"aud": [CLIENT, "another"]}), Invalid::Party),
        (
            json!({"aud": [CLIENT, "another"], "azp": "another"}),
            Invalid::Party,
        ),
        (json!({"azp": "another"}), Invalid::Party),
        (json!({"iss": "https://evil.example"}), Invalid::Issuer),
        (json!({"iss": format!("{}/", desk.issuer.url())}), Invalid::Issuer),
        (json!({"exp": now - 61}), Invalid::Expired),
        (json!({"exp": now - 60}), Invalid::Expired),
        (json!({"exp": null}), Invalid::NoEnd),
        (json!({"exp": "tomorrow"}), Invalid::NoEnd),
        (json!({"nbf": now + 61}), Invalid::NotYet),
        (json!({"nbf": "soon"}), Invalid::NotYet),
        (json!({"iat": now + 3_600}), Invalid::NotYet),
    ] {
        desk.issuer.behaviour().claims = claims.as_object().unwrap().clone();
        assert_eq!(invalid(desk.log_in().await), why, "{claims}");
    }
    // Clocks may be a minute apart, and several audiences are fine where the hub is the one that asked.
    for claims in [
        json!({"exp": now - 59}),
        json!({"nbf": now + 60, "iat": now + 60}),
        json!({"aud": ["another", CLIENT], "azp": CLIENT}),
        json!({"exp": 1e10}),
    ] {
        desk.issuer.behaviour().claims = claims.as_object().unwrap().clone();
        assert!(desk.log_in().await.is_ok(), "{claims}");
    }
}

#[tokio::test]
async fn people_are_called_by_what_the_issuer_answers_for() {
    let mut desk = Desk::new().await;
    for name in [
        json!("*"),
        json!("a b"),
        json!(""),
        json!("line\nend"),
        json!(7),
        json!(null),
        json!("x".repeat(256)),
    ] {
        desk.issuer.behaviour().claims = json!({"sub": name}).as_object().unwrap().clone();
        assert!(
            matches!(desk.log_in().await, Err(OidcError::Name { .. })),
            "{name}"
        );
    }
    let mut config = people(desk.issuer.url());
    config.name_claim = "email".to_owned();
    let Purpose::People { groups_claim, .. } = &mut config.purpose else {
        unreachable!("it is for people")
    };
    *groups_claim = "realm_access.roles".to_owned();
    desk.told(vec![config]);
    let groups = json!({"roles": ["dev", "*", " x", "", 7, "Payments"]});
    desk.issuer.behaviour().claims = json!({"realm_access": groups}).as_object().unwrap().clone();
    let found = desk.log_in().await.unwrap();
    assert_eq!(found.principal, "oidc:corp:ann@example.com");
    assert_eq!(found.groups, ["oidc-group:corp:dev", "oidc-group:corp:Payments"]);
    for verified in [json!(false), json!(null), json!("true")] {
        desk.issuer.behaviour().claims = json!({"email_verified": verified}).as_object().unwrap().clone();
        assert!(
            matches!(desk.log_in().await, Err(OidcError::Name { .. })),
            "{verified}"
        );
    }
}

#[tokio::test]
async fn only_signatures_by_published_keys_count() {
    let desk = Desk::new().await;
    let claims = desk.claims();
    let good = desk.issuer.token(&claims);
    assert_eq!(
        desk.exchange(&good).await.unwrap().principal,
        "oidc:ci:repo:acme/web:ref:refs/heads/main"
    );

    let header = |more: Value| {
        let mut header = json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"});
        header
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        header
    };
    let unsigned = |more: Value| forged(&header(more), &claims, |_| Vec::new());
    for alg in ["none", "None", "NONE", ""] {
        assert_eq!(
            invalid(desk.exchange(&unsigned(json!({"alg": alg}))).await),
            Invalid::Algorithm,
            "{alg}"
        );
    }
    assert_eq!(
        invalid(desk.exchange(&unsigned(json!({}))).await),
        Invalid::Signature
    );
    // The public key as the secret of an HMAC, in each form that somebody might take it.
    let public = desk.issuer.behaviour().keys[0].1.public();
    let published = desk.issuer.behaviour().keys[0].1.published("key-1").to_string();
    let modulus = desk.issuer.behaviour().keys[0].1.published("key-1")["n"]
        .as_str()
        .unwrap()
        .to_owned();
    for secret in [public.as_slice(), published.as_bytes(), modulus.as_bytes(), b""] {
        assert_eq!(
            invalid(desk.exchange(&hmac_signed(secret, "key-1", &claims)).await),
            Invalid::Algorithm
        );
    }
    // Names of keys are names, and looked for nowhere else than among the published ones.
    let other = SigningKey::rsa();
    for kid in [
        "key-2",
        "../../../dev/null",
        "/proc/self/environ",
        "key-1\u{0}",
        "' OR 1=1 --",
        "https://evil.example/jwks",
    ] {
        assert_eq!(
            invalid(desk.exchange(&signed(&other, kid, &claims)).await),
            Invalid::UnknownKid,
            "{kid}"
        );
    }
    let without = forged(&json!({"alg": "RS256"}), &claims, |_| vec![1; 256]);
    assert_eq!(invalid(desk.exchange(&without).await), Invalid::NoKid);
    // Another key under the name of a published one, brought along in every way that there is.
    assert_eq!(
        invalid(desk.exchange(&signed(&other, "key-1", &claims)).await),
        Invalid::Signature
    );
    let brought = other.published("key-1");
    for more in [
        json!({"jwk": brought}),
        json!({"jku": "https://evil.example/jwks"}),
        json!({"x5u": "https://evil.example"}),
    ] {
        let token = signed(&other, "key-1", &claims);
        let token = format!(
            "{}.{}",
            unsigned(more.clone()).split('.').next().unwrap(),
            token.split_once('.').unwrap().1
        );
        assert_eq!(invalid(desk.exchange(&token).await), Invalid::Signature, "{more}");
    }
    // One bit of any part.
    for at in [good.find('.').unwrap() + 20, good.rfind('.').unwrap() + 20] {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let found = desk.issuers.exchange("ci", &changed, source()).await;
        assert!(matches!(found, Err(OidcError::Token(_))), "{found:?}");
    }
    for token in [
        "",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        &good[..good.rfind('.').unwrap()],
        &"x".repeat(20_000),
    ] {
        assert!(
            matches!(
                desk.issuers.exchange("ci", token, source()).await,
                Err(OidcError::Token(_))
            ),
            "{token}"
        );
    }
    // What proves nobody's identity although the issuer signed it.
    assert_eq!(
        invalid(desk.exchange(&unsigned(json!({"typ": "at+jwt"}))).await),
        Invalid::Form
    );
}

#[tokio::test]
async fn keys_are_for_one_algorithm_and_have_one_name() {
    let mut desk = Desk::new().await;
    let claims = desk.claims();
    desk.issuer.behaviour().keys = vec![
        ("p256".to_owned(), SigningKey::p256()),
        ("ed".to_owned(), SigningKey::ed25519()),
        ("rsa".to_owned(), SigningKey::rsa()),
        ("twice".to_owned(), SigningKey::p256()),
        ("twice".to_owned(), SigningKey::p256()),
    ];
    let again = vec![workloads(desk.issuer.url(), &["repository=acme/*"])];
    desk.told(again);
    let token = |at: usize| {
        let behaviour = desk.issuer.behaviour();
        let (kid, key) = &behaviour.keys[at];
        signed(key, kid, &claims)
    };
    for at in 0..3 {
        assert!(desk.exchange(&token(at)).await.is_ok(), "{at}");
    }
    for at in 3..5 {
        assert_eq!(invalid(desk.exchange(&token(at)).await), Invalid::UnknownKid);
    }
    let confused = forged(&json!({"alg": "ES256", "kid": "rsa"}), &claims, |_| vec![1; 64]);
    assert_eq!(invalid(desk.exchange(&confused).await), Invalid::OtherAlgorithm);
    let confused = forged(&json!({"alg": "RS256", "kid": "ed"}), &claims, |_| vec![1; 256]);
    assert_eq!(invalid(desk.exchange(&confused).await), Invalid::OtherAlgorithm);
    // ES256 needs 64 bytes; zeros are the signature that some libraries took for every key.
    let zeros = forged(&json!({"alg": "ES256", "kid": "p256"}), &claims, |_| vec![0; 64]);
    assert_eq!(invalid(desk.exchange(&zeros).await), Invalid::Signature);
}

#[tokio::test]
async fn new_keys_are_found_but_not_asked_for_at_every_token() {
    let desk = Desk::new().await;
    let claims = desk.claims();
    desk.exchange(&desk.issuer.token(&claims)).await.unwrap();
    assert_eq!(desk.issuer.behaviour().asked_for_keys, 1);
    desk.issuer.behaviour().keys = vec![("key-2".to_owned(), SigningKey::p256())];
    for _ in 0..10 {
        assert_eq!(
            invalid(desk.exchange(&desk.issuer.token(&claims)).await),
            Invalid::UnknownKid
        );
    }
    assert_eq!(desk.issuer.behaviour().asked_for_keys, 1);
    desk.world.pass(Duration::from_secs(60)).await;
    desk.exchange(&desk.issuer.token(&claims)).await.unwrap();
    assert_eq!(desk.issuer.behaviour().asked_for_keys, 2);
    // They still count while the issuer does not answer, but not for ever.
    desk.issuer.behaviour().jwks = Jwks::Broken;
    desk.world.pass(Duration::from_secs(2 * 3_600)).await;
    let claims = desk.claims();
    desk.exchange(&desk.issuer.token(&claims)).await.unwrap();
    desk.world.pass(Duration::from_secs(24 * 3_600)).await;
    let claims = desk.claims();
    let over = desk.exchange(&desk.issuer.token(&claims)).await;
    assert!(matches!(over, Err(OidcError::Unavailable { .. })), "{over:?}");
}

#[tokio::test]
async fn an_issuer_that_misbehaves_gets_nobody_in() {
    let mut desk = Desk::new().await;
    let claims = desk.claims();
    let token = desk.issuer.token(&claims);
    let again = || vec![workloads(desk.issuer.url(), &["repository=acme/*"])];
    let all = [Jwks::Huge, Jwks::Slow, Jwks::Redirected, Jwks::Broken];
    let hubs: Vec<_> = all.iter().map(|_| issuers(&desk.app, again())).collect();
    for (how, hub) in all.into_iter().zip(&hubs) {
        desk.issuer.behaviour().jwks = how;
        let found = hub.exchange("", &token, source()).await;
        assert!(
            matches!(found, Err(OidcError::Unavailable { .. })),
            "{how:?}: {found:?}"
        );
    }
    desk.issuer.behaviour().jwks = Jwks::Fine;
    for (description, said) in [
        (json!({"issuer": "https://evil.example"}), "of another issuer"),
        (
            json!({"issuer": format!("{}/", desk.issuer.url())}),
            "of another issuer",
        ),
        (json!({"jwks_uri": "http://evil.example/jwks"}), "does not call"),
        (
            json!({"jwks_uri": "https://169.254.169.254/latest/meta-data"}),
            "does not call",
        ),
        (
            json!({"jwks_uri": "http://169.254.169.254/latest/meta-data"}),
            "does not call",
        ),
        (json!({"jwks_uri": "https://[fd00:ec2::254]/"}), "does not call"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "does not call"),
        (
            json!({"token_endpoint": "http://evil.example/token"}),
            "does not call",
        ),
        (
            json!({"token_endpoint": "https://user:word@login.example/"}),
            "does not call",
        ),
        (
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            "does not call",
        ),
        (json!({"jwks_uri": null}), "cannot be read"),
    ] {
        desk.issuer.behaviour().description = description.as_object().unwrap().clone();
        let found = issuers(&desk.app, again())
            .exchange("", &token, source())
            .await
            .unwrap_err();
        assert!(found.to_string().contains(said), "{description}: {found}");
    }
    desk.issuer.behaviour().description.clear();
    desk.issuer.behaviour().moved = true;
    let found = issuers(&desk.app, again()).exchange("", &token, source()).await;
    assert!(matches!(found, Err(OidcError::Unavailable { .. })), "{found:?}");
    desk.issuer.behaviour().moved = false;
    let fresh = again();
    desk.told(fresh);
    assert!(desk.exchange(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_only_this_machine_can_reach_is_not_called() {
    let desk = Desk::new().await;
    // The configuration refuses such an address already; a name may lead there all the same.
    let config = workloads("https://localhost:1", &["repository=acme/*"]);
    let records = Records::new(desk.app.clone());
    let hub = Issuers::new(records, desk.app.clock().clone(), vec![config], false).unwrap();
    let mut claims = desk.claims();
    claims["iss"] = "https://localhost:1".into();
    let found = hub
        .exchange("", &desk.issuer.token(&claims), source())
        .await
        .unwrap_err();
    assert!(
        found.story().contains("leads to no address that may be called"),
        "{}",
        found.story()
    );
    let config = workloads(desk.issuer.url(), &["repository=acme/*"]);
    let records = Records::new(desk.app.clone());
    let hub = Issuers::new(records, desk.app.clock().clone(), vec![config], false).unwrap();
    let found = hub
        .exchange("", &desk.issuer.token(&desk.claims()), source())
        .await
        .unwrap_err();
    assert!(found.to_string().contains("does not call"), "{found}");
    assert_eq!(desk.issuer.behaviour().asked_for_keys, 0);
}

#[tokio::test]
async fn workloads_come_in_under_conditions_only() {
    let mut desk = Desk::new().await;
    let conditions = [
        "repository=acme/web",
        "environment=prd",
        "ref_protected=true",
        "runner.trusted=true",
    ];
    let config = workloads(desk.issuer.url(), &conditions);
    desk.told(vec![people(desk.issuer.url()), config.clone()]);
    let with = |more: Value| {
        let mut claims = desk.claims();
        for (key, value) in [
            ("environment", json!("prd")),
            ("ref_protected", json!(true)),
            ("runner", json!({"trusted": "true"})),
        ] {
            claims[key] = value;
        }
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        desk.issuer.token(&claims)
    };
    let found = desk.exchange(&with(json!({}))).await.unwrap();
    assert_eq!(
        (found.session, found.person, found.groups.len()),
        (Duration::from_secs(900), false, 0)
    );
    for more in [
        json!({"repository": "acme/web2"}),
        json!({"repository": "evil/acme/web"}),
        json!({"repository": ["acme/web"]}),
        json!({"environment": null}),
        json!({"ref_protected": false}),
        json!({"runner": {"trusted": "no"}}),
    ] {
        let found = desk.exchange(&with(more.clone())).await;
        assert!(
            matches!(found, Err(OidcError::Condition { .. })),
            "{more}: {found:?}"
        );
    }
    assert_eq!(
        invalid(desk.exchange(&with(json!({"aud": "sts.amazonaws.com"}))).await),
        Invalid::Audience
    );
    assert_eq!(
        invalid(desk.exchange(&with(json!({"iss": "https://evil.example"}))).await),
        Invalid::Issuer
    );
    // A person's token is no workload's, and the other way round.
    assert_eq!(
        invalid(
            desk.exchange(&desk.issuer.token(&desk.issuer.claims(CLIENT)))
                .await
        ),
        Invalid::Audience
    );
    let asked = desk.issuers.exchange("corp", &with(json!({})), source()).await;
    assert!(matches!(asked, Err(OidcError::Purpose { .. })), "{asked:?}");
    let asked = desk
        .issuers
        .begin("ci", "http://127.0.0.1:1/callback", source())
        .await;
    assert!(matches!(asked, Err(OidcError::Purpose { .. })), "{asked:?}");
    let asked = desk
        .issuers
        .begin("nobody", "http://127.0.0.1:1/callback", source())
        .await;
    assert!(matches!(asked, Err(OidcError::Unknown { .. })), "{asked:?}");
    // Two tables for one issuer have to be told apart by whoever asks.
    let mut second = config.clone();
    second.alias = "nightly".parse().unwrap();
    let token = with(json!({}));
    desk.told(vec![config, second]);
    assert!(matches!(
        desk.exchange(&token).await,
        Err(OidcError::Ambiguous { .. })
    ));
    let named = desk.issuers.exchange("nightly", &token, source()).await.unwrap();
    assert_eq!(named.principal, "oidc:nightly:repo:acme/web:ref:refs/heads/main");
}

#[tokio::test]
async fn a_device_waits_until_somebody_confirms_it() {
    let desk = Desk::new().await;
    let (alias, device) = desk.issuers.begin_device("", source()).await.unwrap();
    assert_eq!((alias.as_str(), device.user_code.as_str()), ("corp", "WDJB-MJHT"));
    let ask = || desk.issuers.finish_device("corp", &device.device_code, source());
    assert!(matches!(ask().await, Err(OidcError::Pending)));
    desk.issuer.behaviour().confirmed = true;
    assert_eq!(ask().await.unwrap().principal, "oidc:corp:ann");
    let other = desk
        .issuers
        .finish_device("corp", "another-device", source())
        .await;
    assert!(matches!(other, Err(OidcError::Refused(_))), "{other:?}");
}

#[tokio::test]
async fn one_address_begins_sixty_logins_in_a_minute() {
    let desk = Desk::new().await;
    let here = source();
    let begin = || desk.issuers.begin("", "http://127.0.0.1:1/callback", here);
    for _ in 0..60 {
        begin().await.unwrap();
    }
    assert!(matches!(begin().await, Err(OidcError::TooMany(_))));
    desk.world.pass(Duration::from_secs(60)).await;
    begin().await.unwrap();
}

/// Rights come from bindings to names and groups, count at once, and can be explained.
#[tokio::test]
async fn bindings_to_names_and_groups_give_rights() {
    let desk = Desk::new().await;
    let (app, tokens) = (
        &desk.app,
        TokenIssuer::new(Records::new(desk.app.clone()), desk.app.clock().clone()),
    );
    let person = desk.log_in().await.unwrap();
    let workload = desk.exchange(&desk.issuer.token(&desk.claims())).await.unwrap();
    for nobody in [&person, &workload] {
        assert_eq!(
            reason(app.role_of_known(&nobody.principal, &nobody.groups).await),
            "NO_ROLE"
        );
        assert!(tokens.issue_to(nobody).await.is_err());
    }
    let grant = |principal: &str, scope: &str| {
        let right = Right::new(Role::Developer, scope.parse().unwrap()).unwrap();
        app.grant_access(
            asked(&administrator(), "GrantAccess"),
            principal.parse().unwrap(),
            right,
        )
    };
    assert_eq!(reason(grant("oidc:corb:ann", "service:web").await), "NO_ISSUER");
    grant("oidc-group:corp:Payments Team", "service:web")
        .await
        .unwrap();
    grant("oidc:ci:repo:acme/*:ref:refs/heads/main", "environment:prd")
        .await
        .unwrap();
    grant("oidc:ci:repo:other/*", "hub").await.unwrap();
    let mut rights = Vec::new();
    for somebody in [&person, &workload] {
        let (token, _) = tokens.issue_to(somebody).await.unwrap();
        let caller = app.caller_of(token.reveal()).await.unwrap();
        assert_eq!(
            (caller.principal.as_str(), caller.account),
            (somebody.principal.as_str(), None)
        );
        rights.push(caller.rights.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    assert_eq!(
        rights,
        [["developer of service:web"], ["developer of environment:prd"]]
    );

    // Asked by somebody else, about the groups of the last login.
    let question = |principal: &str| hadron_management::app::bindings::Question {
        principal: Some(principal.to_owned()),
        action: Action::ReadService,
        account: None,
        environment: None,
        service: Some("web".parse().unwrap()),
    };
    let told = app
        .explain_access(&administrator(), question("oidc:corp:ann"))
        .await
        .unwrap();
    assert!(told.allowed, "{told:?}");
    assert_eq!(
        told.rights[0].1.to_string(),
        "granted to oidc-group:corp:Payments Team"
    );
    let told = app
        .explain_access(&administrator(), question(&workload.principal))
        .await
        .unwrap();
    assert!(!told.allowed);
    assert_eq!(
        told.rights[0].1.to_string(),
        "granted to oidc:ci:repo:acme/*:ref:refs/heads/main"
    );

    // Logging out ends the token, and only what a login gave.
    let (token, _) = tokens.issue_to(&person).await.unwrap();
    let caller = app.caller_of(token.reveal()).await.unwrap();
    app.log_out(&caller, token.reveal()).await.unwrap();
    assert_eq!(reason(app.caller_of(token.reveal()).await), "UNAUTHENTICATED");
    let (minted, _) = tokens.mint("ci", "developer", None).await.unwrap();
    let caller = app.caller_of(minted.reveal()).await.unwrap();
    assert_eq!(reason(app.log_out(&caller, minted.reveal()).await), "MINTED");
    assert!(app.caller_of(minted.reveal()).await.is_ok());
    // A session ends by itself as well.
    let (token, _) = tokens.issue_to(&workload).await.unwrap();
    desk.world.pass(Duration::from_secs(900)).await;
    assert_eq!(reason(app.caller_of(token.reveal()).await), "UNAUTHENTICATED");
}
