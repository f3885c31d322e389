//! TLS to a hub that is known by its CA, by file or by pin, and to nobody else.

use hadron_proto::tls::spki_digest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};

use crate::fake::Hub;
use crate::hadron::{bare, finish};

struct Ca {
    pem: String,
    pin: String,
    /// Leaf and CA, and the leaf's key.
    server: (String, String),
}

fn ca(hub_id: &str) -> Result<Ca, Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.subject_alt_names = vec![
        SanType::IpAddress("127.0.0.1".parse()?),
        SanType::URI(format!("spiffe://{hub_id}/hub").try_into()?),
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = params.signed_by(&key, &ca)?;
    let pin = spki_digest(ca.der())?.to_string();
    Ok(Ca {
        server: (format!("{}{}", leaf.pem(), ca.pem()), key.serialize_pem()),
        pem: ca.pem(),
        pin,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_ca_by_file_or_by_pin_and_no_other() {
    let (ours, theirs) = (ca("dev-hub").unwrap(), ca("dev-hub").unwrap());
    let hub = Hub::default();
    let url = format!("https://{}", hub.serve_as(Some(ours.server.clone())).await);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("ours.pem"), &ours.pem).unwrap();
    std::fs::write(home.path().join("theirs.pem"), &theirs.pem).unwrap();
    let pinned = format!("--hub-ca-pin {}", ours.pin);
    let strange = format!("--hub-ca-pin {}", theirs.pin);
    for (flags, code) in [
        ("--hub-ca ours.pem", 0),
        (&pinned, 0),
        ("--hub-ca theirs.pem", 9),
        (&strange, 9),
        ("", 2),
    ] {
        let mut command = bare(&format!("whoami --hub {url} {flags}"), home.path());
        command.env("HADRON_TOKEN", "good");
        let run = finish(command).await;
        assert_eq!(run.code, code, "{flags}: {}", run.err);
        if code == 9 {
            assert!(run.err.contains("certificate"), "{}", run.err);
            assert!(run.err.contains("more: hadron help HADRON-1002"), "{}", run.err);
        }
    }
    let told = hub
        .state()
        .log
        .iter()
        .filter(|call| call.starts_with("who_am_i"))
        .count();
    assert_eq!(told, 2, "nothing was sent to a hub that is not trusted");
    // A pin on the line wins over a file in the environment.
    let mut command = bare(&format!("whoami --hub {url} {pinned}"), home.path());
    command
        .env("HADRON_TOKEN", "good")
        .env("HADRON_HUB_CA", "theirs.pem");
    let run = finish(command).await;
    assert_eq!(run.code, 0, "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_passes_on_anothers_challenge_gets_no_proof() {
    // Its certificate says evil-hub, its challenge says dev-hub.
    let evil = ca("evil-hub").unwrap();
    let hub = Hub::default();
    let url = format!("https://{}", hub.serve_as(Some(evil.server.clone())).await);
    let home = tempfile::tempdir().unwrap();
    let mut command = bare(
        &format!("whoami --hub {url} --hub-ca-pin {}", evil.pin),
        home.path(),
    );
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    let run = finish(command).await;
    assert_eq!(run.code, 4, "{}", run.err);
    assert!(run.err.contains("certificate says otherwise"), "{}", run.err);
    assert!(
        !hub.state()
            .log
            .iter()
            .any(|call| call.starts_with("finish_login"))
    );
}
