//! Access keys of the Proton API: whose signature counts, and what everybody else is told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use hadron_domain::authority::{Caller, Role};
use hadron_management::app::access_keys::{AccessKeys, Asked, NewKey, Refusal};
use hadron_management::app::keys::KeyId;
use hadron_management::identity::login::Principal;
use hadron_management::identity::seal::Seal;
use hadron_management::identity::sigv4::{Presented, Skew};
use hadron_management::reconcile;
use hadron_management::store::requests::{self, TokenRow};
use hadron_management::store::{StoreError, params};
use hadron_proto::vocab::{Digest, Timestamp};
use http::Request;

use crate::scenarios;
use crate::world::{
    MANAGEMENT, PRODUCTION, World, account, administrator, asked, auditor, developer, reason, region,
};

const BODY: &[u8] = b"{}";
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn person(account_id: &str, name: &str) -> Principal {
    Principal {
        account: account(account_id),
        arn: format!("arn:aws:iam::{account_id}:{name}"),
    }
}

/// Keys over the world's database, with a sealing key of their own.
struct Keys {
    keys: AccessKeys,
    _dir: tempfile::TempDir,
}

impl std::ops::Deref for Keys {
    type Target = AccessKeys;

    fn deref(&self) -> &AccessKeys {
        &self.keys
    }
}

fn keys(world: &World) -> Keys {
    let dir = tempfile::tempdir().unwrap();
    let seal = Arc::new(Seal::load_or_create(dir.path()).unwrap());
    let keys = AccessKeys::new(world.app.clone(), seal).unwrap();
    Keys { keys, _dir: dir }
}

/// A request that was signed with these credentials.
fn signed(id: &str, secret: &str, token: Option<&str>, at: Timestamp, target: &str) -> Presented {
    let identity = Credentials::new(id, secret, token.map(str::to_owned), None, "test").into();
    let seconds = u64::try_from(at.as_millis() / 1000).unwrap();
    let region = region();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.as_str())
        .name("proton")
        .time(std::time::UNIX_EPOCH + Duration::from_secs(seconds))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let mut request = Request::builder()
        .method("POST")
        .uri("/")
        .header("host", "hub")
        .header("x-amz-target", target)
        .body(())
        .unwrap();
    let headers = [("host", "hub"), ("x-amz-target", target)];
    let signable = SignableRequest::new(
        "POST",
        "https://hub/",
        headers.into_iter(),
        SignableBody::Bytes(BODY),
    )
    .unwrap();
    let (instructions, _) = http_request::sign(signable, &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Presented::read(&request.into_parts().0, BODY, region.as_str()).unwrap()
}

fn with(key: &NewKey, at: Timestamp) -> Presented {
    signed(&key.row.id, &key.secret, key.session_token.as_deref(), at, "List")
}

fn reads() -> Asked<'static> {
    Asked {
        source: SOURCE,
        operation: "ListEnvironments",
        mutating: false,
    }
}

fn changes() -> Asked<'static> {
    Asked {
        source: SOURCE,
        operation: "CreateEnvironment",
        mutating: true,
    }
}

async fn now(world: &World) -> Timestamp {
    world.test.db.now().await.unwrap()
}

/// Lets time pass for keys and signatures: the past is moved, on both databases.
async fn pass(world: &World, by: Duration) {
    let micros = i64::try_from(by.as_micros()).unwrap();
    let moved = world.test.db.write("time passes", move |tx| {
        Box::pin(async move {
            tx.execute(
                "UPDATE access_key SET expires_at = expires_at - $1, last_used_at = last_used_at - $1",
                &params![micros],
            )
            .await?;
            tx.execute("UPDATE replay SET expires_at = expires_at - $1", &params![micros])
                .await?;
            Ok::<_, StoreError>(())
        })
    });
    moved.await.unwrap();
}

/// Refused requests in the audit log: who, key, and why.
async fn refusals(world: &World) -> Vec<String> {
    world
        .rows(
            "SELECT principal AS topic, object AS key, detail AS more FROM audit WHERE outcome = 'denied' ORDER BY sequence",
            &[],
        )
        .await
}

fn is_signature(outcome: Result<hadron_domain::authority::Caller, Refusal>) -> String {
    match outcome {
        Err(Refusal::Signature) => Refusal::Signature.to_string(),
        other => panic!("{other:?}"),
    }
}

scenarios! {
    async fn keys_stand_for_whom_they_were_made(world: World) {
        let keys = keys(&world);
        let minted = keys.mint("ci", Some(Role::Developer), None).await.unwrap();
        assert!(minted.row.id.len() == 20 && minted.row.id.starts_with("HUBA"), "{}", minted.row.id);
        let caller = keys.authenticate(&with(&minted, now(&world).await), reads()).await.unwrap();
        assert_eq!((caller.principal.as_str(), caller.account, caller.role()), ("key:ci", None, Some(Role::Developer)));

        let owner = keys.issue(&person(PRODUCTION, "role/anything")).await.unwrap();
        let caller = keys.authenticate(&with(&owner, now(&world).await), reads()).await.unwrap();
        assert_eq!((caller.account, caller.role()), (Some(account(PRODUCTION)), Some(Role::Owner)));
        assert_eq!(caller.principal.as_str(), format!("arn:aws:iam::{PRODUCTION}:role/anything"));

        let admin = keys.issue(&person(MANAGEMENT, "role/admin")).await.unwrap();
        let caller = keys.authenticate(&with(&admin, now(&world).await), reads()).await.unwrap();
        assert_eq!((caller.account, caller.role()), (Some(account(MANAGEMENT)), Some(Role::Administrator)));
        assert_eq!(reason(keys.issue(&person(MANAGEMENT, "user/passer-by")).await), "NO_ROLE");

        // Secrets are in the database only in a form that opens in their own row.
        let stored = world.test.db.read("secret", |tx| Box::pin(async move {
            let rows = tx.query("SELECT secret FROM access_key", &[]).await?;
            rows.iter().map(|row| row.get::<Vec<u8>>("secret")).collect::<Result<Vec<_>, StoreError>>()
        })).await.unwrap();
        assert_eq!(stored.len(), 3);
        for secret in [&minted.secret, &owner.secret, &admin.secret] {
            assert!(stored.iter().all(|row| !row.windows(10).any(|part| part == &secret.as_bytes()[..10])));
        }
        let made = world.rows("SELECT action AS topic, principal AS key, detail AS more FROM audit WHERE outcome = 'done' ORDER BY sequence", &[]).await;
        assert!(made.contains(&"MintAccessKey key:ci developer".to_owned()), "{made:?}");
        assert!(made.contains(&format!("IssueAccessKey arn:aws:iam::{PRODUCTION}:role/anything owner")), "{made:?}");
    }

    async fn without_the_secret_everything_is_one_answer(world: World) {
        let keys = keys(&world);
        let at = now(&world).await;
        let minted = keys.mint("ci", Some(Role::Auditor), None).await.unwrap();
        let gone = keys.mint("gone", Some(Role::Auditor), None).await.unwrap();
        let old = keys.mint("old", Some(Role::Auditor), Some(Duration::from_secs(60))).await.unwrap();
        let mine = keys.issue(&person(PRODUCTION, "role/a")).await.unwrap();
        let other = keys.issue(&person(PRODUCTION, "role/b")).await.unwrap();
        assert_eq!(keys.disable("gone".to_owned()).await.unwrap(), std::slice::from_ref(&gone.row.id));
        pass(&world, Duration::from_secs(61)).await;

        let token = |token: Option<&str>| signed(&mine.row.id, &mine.secret, token, at, "List");
        let cases = [
            ("unknown key", signed("HUBAAAAAAAAAAAAAAAAA", &minted.secret, None, at, "List")),
            ("a key that is none", signed("AKIAIOSFODNN7EXAMPLE", "x", None, at, "List")),
            ("wrong secret", signed(&minted.row.id, "wrong", None, at, "List")),
            ("another key's secret", signed(&minted.row.id, &gone.secret, None, at, "List")),
            ("switched off", with(&gone, at)),
            ("expired", with(&old, at)),
            ("no session token", token(None)),
            ("an empty session token", token(Some(""))),
            ("another session token", token(other.session_token.as_deref())),
            ("a session token where there is none", signed(&minted.row.id, &minted.secret, Some("x"), at, "List")),
            ("wrong secret, and an old date", signed(&minted.row.id, "wrong", None, at.minus(Duration::from_secs(3600)), "List")),
        ];
        let count = cases.len();
        for (what, presented) in cases {
            eprintln!("{what}");
            is_signature(keys.authenticate(&presented, reads()).await);
        }
        // The audit log says what it was, and who it was where that is proven.
        let told = refusals(&world).await;
        assert_eq!(told.len(), count, "{told:#?}");
        assert!(told[0].starts_with("unknown HUBAAAAAAAAAAAAAAAAA unknown access key; from 127.0.0.1"), "{told:#?}");
        assert!(told[2].starts_with(&format!("unknown {} wrong secret", minted.row.id)), "{told:#?}");
        assert!(told[4].starts_with(&format!("key:gone {} the access key is switched off", gone.row.id)), "{told:#?}");
        assert!(told[5].starts_with(&format!("key:old {} the access key has expired", old.row.id)), "{told:#?}");
        // Those that are right go on.
        keys.authenticate(&with(&minted, at), reads()).await.unwrap();
        keys.authenticate(&with(&mine, at), reads()).await.unwrap();
    }

    async fn what_only_the_right_key_is_told(world: World) {
        let keys = keys(&world);
        let at = now(&world).await;
        let key = keys.issue(&person(PRODUCTION, "role/a")).await.unwrap();
        let hour = Duration::from_secs(3600);
        let late = keys.authenticate(&with(&key, at.minus(hour)), reads()).await;
        assert!(matches!(&late, Err(Refusal::Date(Skew::Expired { .. }))), "{late:?}");
        let early = keys.authenticate(&with(&key, at.plus(hour)), reads()).await;
        assert!(matches!(&early, Err(Refusal::Date(Skew::NotYet { .. }))), "{early:?}");
        pass(&world, hour).await;
        let ended = keys.authenticate(&with(&key, at), reads()).await;
        assert!(matches!(&ended, Err(Refusal::Expired(_))), "{ended:?}");
        let told = refusals(&world).await;
        let arn = format!("arn:aws:iam::{PRODUCTION}:role/a");
        assert!(told.len() == 3 && told.iter().all(|line| line.starts_with(&arn)), "{told:#?}");
        // Without the secret, an ended key is a wrong one.
        is_signature(keys.authenticate(&signed(&key.row.id, "x", key.session_token.as_deref(), at, "List"), reads()).await);
    }

    async fn a_change_counts_once(world: World) {
        let keys = keys(&world);
        let at = now(&world).await;
        let key = keys.mint("ci", Some(Role::Administrator), None).await.unwrap();
        let presented = with(&key, at);
        keys.authenticate(&presented, changes()).await.unwrap();
        let again = keys.authenticate(&presented, changes()).await;
        let Err(Refusal::Replayed { wait }) = again else { panic!("{again:?}") };
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        // The same request signed a second later is another one, and so is another request in the same second.
        keys.authenticate(&with(&key, at.plus(Duration::from_secs(1))), changes()).await.unwrap();
        keys.authenticate(&signed(&key.row.id, &key.secret, None, at, "Other"), changes()).await.unwrap();
        // Reading may be repeated.
        let reading = signed(&key.row.id, &key.secret, None, at, "Read");
        keys.authenticate(&reading, reads()).await.unwrap();
        keys.authenticate(&reading, reads()).await.unwrap();

        // Of many at once, one wins, also among replicas.
        let presented = with(&key, at.plus(Duration::from_secs(2)));
        let asked = futures::future::join_all((0..8).map(|_| keys.authenticate(&presented, changes()))).await;
        assert_eq!(asked.iter().filter(|one| one.is_ok()).count(), 1, "{asked:?}");

        // Somebody else's attempt with a known signature does not use it up.
        let third = with(&key, at.plus(Duration::from_secs(3)));
        let forged = signed(&key.row.id, "wrong", None, at.plus(Duration::from_secs(3)), "List");
        is_signature(keys.authenticate(&forged, changes()).await);
        keys.authenticate(&third, changes()).await.unwrap();

        // Long after, waiting does not help either, and then it is forgotten, when the date does not count any more.
        pass(&world, Duration::from_secs(300)).await;
        let again = keys.authenticate(&with(&key, at), changes()).await;
        assert!(matches!(&again, Err(Refusal::Replayed { wait }) if wait.is_zero()), "{again:?}");
        let kept = "SELECT 'x' AS topic, 'y' AS key, signature AS more FROM replay";
        reconcile::forget(world.app.clone()).await.unwrap();
        assert_eq!(world.rows(kept, &[]).await.len(), 5);
        pass(&world, Duration::from_secs(301)).await;
        reconcile::forget(world.app.clone()).await.unwrap();
        assert_eq!(world.rows(kept, &[]).await.len(), 0);
    }

    async fn minted_keys_are_listed_and_temporary_ones_are_forgotten(world: World) {
        let keys = keys(&world);
        assert_eq!(reason(keys.mint("a b", Some(Role::Auditor), None).await), "KEY_NAME");
        assert_eq!(reason(keys.mint("", Some(Role::Auditor), None).await), "KEY_NAME");
        assert_eq!(reason(keys.mint("own", Some(Role::Owner), None).await), "KEY_ROLE");
        let first = keys.mint("ci", Some(Role::Auditor), Some(Duration::from_secs(3600))).await.unwrap();
        assert_eq!(reason(keys.mint("ci", Some(Role::Auditor), None).await), "KEY_EXISTS");
        let temporary = keys.issue(&person(PRODUCTION, "role/a")).await.unwrap();
        assert!(temporary.row.expires_at.is_some_and(|end| end.as_micros() % 1_000_000 == 0));
        let listed = keys.minted().await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&first.row));

        // When it was used last is known to the minute.
        let used = async || keys.minted().await.unwrap()[0].last_used_at;
        let at = now(&world).await;
        keys.authenticate(&with(&first, at), reads()).await.unwrap();
        let once = used().await;
        assert!(once.is_some());
        keys.authenticate(&with(&first, at), reads()).await.unwrap();
        assert_eq!(used().await, once);
        pass(&world, Duration::from_secs(61)).await;
        let before = used().await;
        keys.authenticate(&with(&first, at), reads()).await.unwrap();
        assert!(used().await > before);

        // By name or by id, minted or temporary.
        assert_eq!(keys.disable(temporary.row.id.clone()).await.unwrap(), std::slice::from_ref(&temporary.row.id));
        is_signature(keys.authenticate(&with(&temporary, at), reads()).await);
        assert_eq!(keys.disable("ci".to_owned()).await.unwrap(), std::slice::from_ref(&first.row.id));
        assert!(keys.disable("ci".to_owned()).await.unwrap().is_empty());
        assert!(keys.disable(String::new()).await.unwrap().is_empty(), "temporary keys have no name to be named by");
        let second = keys.mint("ci", Some(Role::Auditor), None).await.unwrap();
        assert_ne!(second.row.id, first.row.id);

        pass(&world, Duration::from_secs(49 * 3600)).await;
        reconcile::forget(world.app.clone()).await.unwrap();
        let left = world.rows("SELECT id AS topic, name AS key, role AS more FROM access_key ORDER BY created_at, id", &[]).await;
        assert_eq!(left.len(), 2, "{left:?}");
        let ended = keys.authenticate(&with(&temporary, at), reads()).await;
        is_signature(ended);
    }

    async fn refusals_do_not_fill_the_disk(world: World) {
        let keys = keys(&world);
        let at = now(&world).await;
        let forged = signed("HUBAAAAAAAAAAAAAAAAA", "x", None, at, "List");
        for _ in 0..25 {
            is_signature(keys.authenticate(&forged, reads()).await);
        }
        assert_eq!(refusals(&world).await.len(), 20);
        // Another address has its own share, and its line tells how many were left out.
        let elsewhere = Asked { source: "10.0.0.9".parse().unwrap(), ..reads() };
        is_signature(keys.authenticate(&forged, elsewhere).await);
        let told = refusals(&world).await;
        assert!(told.len() == 21 && told[20].contains("from 10.0.0.9; 5 refused requests before it were not written down"), "{told:#?}");
        for host in 0..=255 {
            let asked = Asked { source: std::net::Ipv4Addr::new(10, 0, 1, host).into(), ..reads() };
            is_signature(keys.authenticate(&forged, asked).await);
        }
        assert_eq!(refusals(&world).await.len(), 200);
    }

    async fn access_why_explains_a_minted_key(world: World) {
        use hadron_domain::authority::{Action, Right};
        use hadron_management::app::bindings::Question;
        let keys = keys(&world);
        let key = keys.mint("ci", None, None).await.unwrap();
        keys.mint("night", Some(Role::Auditor), None).await.unwrap();
        for (scope, role) in [("service:web", Role::Developer), ("environment:prd", Role::Auditor)] {
            let right = Right::new(role, scope.parse().unwrap()).unwrap();
            world.app.grant_access(asked(&administrator(), "GrantAccess"), "key:ci".parse().unwrap(), right).await.unwrap();
        }
        let question = |principal: &str, action| Question {
            principal: Some(principal.to_owned()), action, account: None,
            environment: Some("prd".parse().unwrap()), service: Some("web".parse().unwrap()),
        };
        let explain = async |principal: &str, action| {
            let told = world.app.explain_access(&administrator(), question(principal, action)).await.unwrap();
            let rights: Vec<String> = told.rights.iter().map(|(right, origin, does)| format!("{right} ({origin}): {does}")).collect();
            (told.allowed, rights)
        };
        let (allowed, rights) = explain("key:ci", Action::WriteService).await;
        assert!(!allowed);
        assert_eq!(rights, [
            "developer of service:web (granted to key:ci): covers the service; the environment needs a right as well",
            "auditor of environment:prd (granted to key:ci): its role may not do this at all",
        ]);
        let (allowed, rights) = explain("key:ci", Action::ReadService).await;
        assert!(allowed && rights.iter().all(|right| right.ends_with(": allows it")), "{rights:?}");
        // What it was minted with is told as that.
        let (allowed, rights) = explain("key:night", Action::ReadPlaintext).await;
        assert!(!allowed);
        assert_eq!(rights, ["auditor (given: configuration, own account or minted): its role may not do this at all"]);
        // It may ask about itself, with the very rights that its signature brings; and one that is switched off has none but
        // those that were granted to its name.
        let caller = keys.authenticate(&with(&key, now(&world).await), reads()).await.unwrap();
        let own = world.app.explain_access(&caller, Question { principal: None, ..question("", Action::ReadService) }).await.unwrap();
        assert_eq!((own.principal.as_str(), own.allowed, own.rights.len()), ("key:ci", true, 2));
        keys.disable("night".to_owned()).await.unwrap();
        assert_eq!(explain("key:night", Action::ReadService).await, (false, Vec::new()));
        assert_eq!(explain("key:nobody", Action::ReadService).await, (false, Vec::new()));
    }

    async fn what_lets_somebody_in_is_listed_and_ended_by_whoever_decides_that(world: World) {
        let keys = keys(&world);
        let at = now(&world).await;
        let minted = keys.mint("ci", Some(Role::Auditor), None).await.unwrap();
        let temporary = keys.issue(&person(PRODUCTION, "role/a")).await.unwrap();
        keys.mint("old", Some(Role::Auditor), Some(Duration::from_secs(60))).await.unwrap();
        let gone = keys.mint("gone", None, None).await.unwrap();
        keys.disable("gone".to_owned()).await.unwrap();
        pass(&world, Duration::from_secs(61)).await;
        let digest = Digest::of(b"a token");
        let token = TokenRow {
            digest,
            name: "night".to_owned(),
            principal: "token:night".to_owned(),
            account: None,
            role: Some(Role::Developer),
            created_at: at,
            expires_at: None,
            disabled: false,
            groups: Vec::new(),
        };
        let stored = world.app.write("token", move |unit| {
            Box::pin(async move { Ok(requests::insert_token(unit.tx, &token).await?) })
        });
        stored.await.unwrap();

        let list = async || {
            let all = world.app.list_keys(&auditor(), 99).await.unwrap();
            all.into_iter().map(|key| (key.id, key.principal)).collect::<Vec<_>>()
        };
        let (token, access_key) = (KeyId::Token(digest), |key: &NewKey| KeyId::AccessKey(key.row.id.clone()));
        let all = list().await;
        assert_eq!(all.len(), 3, "those that are off or over are left out: {all:?}");
        for wanted in [(token.clone(), "token:night"), (access_key(&minted), "key:ci"), (access_key(&temporary), temporary.row.principal.as_str())] {
            assert!(all.iter().any(|(id, who)| *id == wanted.0 && who == wanted.1), "{wanted:?} in {all:?}");
        }

        let end = async |who: &Caller, id: &KeyId| world.app.end_key(asked(who, "EndKey"), id.clone()).await;
        assert_eq!(reason(end(&developer(), &token).await), "DENIED");
        assert!(world.app.caller_of("a token").await.is_ok());
        end(&administrator(), &token).await.unwrap();
        assert_eq!(reason(world.app.caller_of("a token").await), "UNAUTHENTICATED");
        end(&administrator(), &access_key(&temporary)).await.unwrap();
        is_signature(keys.authenticate(&with(&temporary, at), reads()).await);
        keys.authenticate(&with(&minted, at), reads()).await.unwrap();
        assert_eq!(list().await, [(access_key(&minted), "key:ci".to_owned())]);
        for again in [token, access_key(&temporary), access_key(&gone)] {
            assert_eq!(reason(end(&administrator(), &again).await), "NOT_FOUND");
        }
        let audited = world.rows("SELECT action AS topic, object AS key, outcome AS more FROM audit WHERE action = 'EndKey' ORDER BY sequence", &[]).await;
        assert!(audited.iter().any(|row| format!("{row:?}").contains("token night of token:night")), "{audited:?}");
        assert!(audited.iter().any(|row| format!("{row:?}").contains(&temporary.row.id)), "{audited:?}");
    }

    async fn another_sealing_key_opens_nothing(world: World) {
        let (right, wrong) = (keys(&world), keys(&world));
        let key = right.mint("ci", Some(Role::Auditor), None).await.unwrap();
        let presented = with(&key, now(&world).await);
        right.authenticate(&presented, reads()).await.unwrap();
        let refused = wrong.authenticate(&presented, reads()).await;
        assert!(matches!(&refused, Err(Refusal::Internal(error)) if error.story().contains("seal.key")), "{refused:?}");
    }
}
