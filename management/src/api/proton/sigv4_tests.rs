use std::sync::Arc;

use hadron_domain::authority::Role;

use super::*;
use crate::app::access_keys::NewKey;
use crate::clock::Clock;
use crate::identity::seal::Seal;
use crate::identity::sigv4::tests::Signing;
use crate::testing::World;

async fn verifier(world: &World) -> (Verifier, NewKey) {
    let seal = Seal::load(&world.dir.path().join("data")).unwrap();
    let keys = AccessKeys::new(world.app().clone(), Arc::new(seal)).unwrap();
    let key = keys.mint("ci", Some(Role::Developer), None).await.unwrap();
    (Verifier::new(keys), key)
}

fn signed(key: &NewKey, change: impl FnOnce(&mut Signing)) -> (Parts, Vec<u8>) {
    let mut signing = Signing {
        id: key.row.id.clone(),
        secret: key.secret.clone(),
        at: Clock::system().now(),
        region: "us-east-1",
        ..Signing::default()
    };
    change(&mut signing);
    let (mut parts, body) = signing.request();
    parts.extensions.insert(tls::Peer {
        address: "127.0.0.1:1".parse().unwrap(),
        identity: None,
    });
    (parts, body)
}

/// The answer as it goes out; how the error is kept is not this file's business.
fn told(outcome: Result<Caller, Fault>) -> String {
    format!("{:?}", outcome.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_names_that_clients_know() {
    let world = World::new().await;
    let (verifier, key) = verifier(&world).await;
    let (parts, body) = signed(&key, |_| {});
    let caller = verifier.verify(&parts, &body, false).await.unwrap();
    assert_eq!(caller.principal.as_str(), "key:ci");

    let hour = std::time::Duration::from_secs(3600);
    type Change = Box<dyn FnOnce(&mut Signing)>;
    let cases: [(&str, &str, Change); 4] = [
        (
            "InvalidSignatureException",
            "does not match",
            Box::new(|one| one.secret = "x".to_owned()),
        ),
        (
            "InvalidSignatureException",
            "Signature expired: ",
            Box::new(move |one| one.at = one.at.minus(hour)),
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: ",
            Box::new(move |one| one.at = one.at.plus(hour)),
        ),
        (
            "InvalidSignatureException",
            "this hub stands for 'us-east-1'",
            Box::new(|one| one.region = "eu-west-1"),
        ),
    ];
    for (name, text, change) in cases {
        let (parts, body) = signed(&key, change);
        let told = told(verifier.verify(&parts, &body, false).await);
        assert!(
            told.contains(name) && told.contains(text) && told.contains("400"),
            "{told}"
        );
    }
    let mut unsigned = parts.clone();
    unsigned.headers.remove("authorization");
    let missing = told(verifier.verify(&unsigned, &body, false).await);
    assert!(
        missing.contains("MissingAuthenticationTokenException"),
        "{missing}"
    );
    let mut bearer = parts.clone();
    bearer
        .headers
        .insert("authorization", "Bearer x".parse().unwrap());
    let incomplete = told(verifier.verify(&bearer, &body, false).await);
    assert!(
        incomplete.contains("IncompleteSignatureException"),
        "{incomplete}"
    );

    // Somebody who only looks is not written down; everybody else is, with the operation.
    let rows = world.app().read("audit", |tx| {
        Box::pin(async move {
            let rows = tx
                .query(
                    "SELECT action, detail FROM audit WHERE outcome = 'denied' ORDER BY sequence",
                    &[],
                )
                .await?;
            let line = |row: &crate::store::Row| Ok(format!("{} {}", row.str("action")?, row.str("detail")?));
            rows.iter()
                .map(line)
                .collect::<Result<Vec<String>, crate::app::AppError>>()
        })
    });
    let rows = rows.await.unwrap();
    assert_eq!(rows.len(), 5, "{rows:#?}");
    assert!(
        rows.iter().all(|row| row.starts_with("ListEnvironments ")),
        "{rows:#?}"
    );

    let mut nowhere = parts.clone();
    nowhere.extensions.clear();
    let fault = told(verifier.verify(&nowhere, &body, false).await);
    assert!(fault.contains("Internal"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_change_is_to_be_signed_again() {
    let world = World::new().await;
    let (verifier, key) = verifier(&world).await;
    let (parts, body) = signed(&key, |_| {});
    verifier.verify(&parts, &body, true).await.unwrap();
    let again = told(verifier.verify(&parts, &body, true).await);
    assert!(again.contains("Throttling"), "{again}");
    // By now a client's clock shows another second: what it signs is another request.
    let (parts, body) = signed(&key, |_| {});
    verifier.verify(&parts, &body, true).await.unwrap();
}
