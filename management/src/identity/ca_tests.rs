use hadron_proto::vocab::{AgentId, ConnectionId};
use rcgen::{CertificateParams, KeyPair};
use x509_parser::oid_registry::{OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME};
use x509_parser::prelude::{GeneralName, ParsedExtension};

use super::super::testing::{account, start};
use super::*;

fn ca() -> Ca {
    Ca::generate("hub-1".parse().unwrap(), Serial::from_random([9; 16]), start()).unwrap()
}

fn name() -> AgentName {
    AgentName {
        hub: "hub-1".parse().unwrap(),
        account: account(),
        connection: ConnectionId::from_parts(1, [1; 10]),
        agent: AgentId::from_parts(2, [2; 10]),
    }
}

fn agent_key() -> AgentKey {
    let key = KeyPair::generate().unwrap();
    AgentKey::from_csr(
        CertificateParams::default()
            .serialize_request(&key)
            .unwrap()
            .der(),
    )
    .unwrap()
}

#[test]
fn an_agents_certificate_says_exactly_this() {
    let (ca, key, now) = (ca(), agent_key(), start());
    let leaf = ca
        .agent_leaf(
            &name(),
            &key,
            Serial::from_random([0xff; 16]),
            now,
            LeafLife::default(),
        )
        .unwrap();
    let (rest, found) = X509Certificate::from_der(&leaf.der).unwrap();
    assert!(rest.is_empty());
    assert!(found.subject().as_raw() == [0x30, 0], "the subject is empty");
    assert_eq!(found.tbs_certificate.subject_pki.raw, key.spki_der());
    let roots = ca.roots();
    let (_, root) = X509Certificate::from_der(&roots[0]).unwrap();
    assert_eq!(found.issuer().as_raw(), root.subject().as_raw());
    assert_eq!(found.raw_serial(), leaf.serial.as_bytes());
    assert_eq!(found.raw_serial().len(), 16);
    let micros = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
    assert_eq!(
        micros(found.validity().not_before.timestamp()),
        now.minus(Duration::from_secs(60))
    );
    assert_eq!(
        micros(found.validity().not_after.timestamp()),
        now.plus(Duration::from_secs(3600))
    );
    assert_eq!(
        (leaf.not_before, leaf.not_after),
        (now.minus(BACKDATE), now.plus(Duration::from_secs(3600)))
    );
    assert!(!found.is_ca());
    let basic = found
        .get_extension_unique(&OID_X509_EXT_BASIC_CONSTRAINTS)
        .unwrap()
        .unwrap();
    assert!(matches!(basic.parsed_extension(), ParsedExtension::BasicConstraints(basic) if !basic.ca));
    let eku = found.extended_key_usage().unwrap().unwrap().value;
    assert!(eku.client_auth && !eku.server_auth && !eku.any && eku.other.is_empty());
    let usage = found.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let names = found
        .get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME)
        .unwrap()
        .unwrap();
    assert!(
        names.critical,
        "RFC 5280 4.2.1.6: critical where the subject is empty"
    );
    let ParsedExtension::SubjectAlternativeName(names) = names.parsed_extension() else {
        panic!("no names")
    };
    assert!(matches!(&names.general_names[..], [GeneralName::URI(uri)] if *uri == name().to_string()));
}

#[test]
fn nothing_outlives_its_issuer() {
    let ca = ca();
    let end = start().plus(CA_LIFE);
    let late = end.minus(Duration::from_secs(10));
    let serial = Serial::from_random([1; 16]);
    let leaf = ca
        .agent_leaf(&name(), &agent_key(), serial, late, LeafLife::default())
        .unwrap();
    assert_eq!(leaf.not_after, end);
    let after = ca.agent_leaf(&name(), &agent_key(), serial, end, LeafLife::default());
    assert!(matches!(after, Err(CaError::Expired { .. })));
}

#[test]
fn a_servers_certificate_has_its_names_and_the_hubs() {
    let names = ["hub.example.com".to_owned(), "127.0.0.1".to_owned()];
    let (leaf, _) = ca()
        .server_leaf(&names, Serial::from_random([1; 16]), start(), CA_LIFE)
        .unwrap();
    let (_, found) = X509Certificate::from_der(&leaf.der).unwrap();
    let eku = found.extended_key_usage().unwrap().unwrap().value;
    assert!(eku.server_auth && !eku.client_auth);
    let names = &found
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names;
    assert!(matches!(
        names[..],
        [
            GeneralName::DNSName("hub.example.com"),
            GeneralName::IPAddress([127, 0, 0, 1]),
            GeneralName::URI("spiffe://hub-1/hub")
        ]
    ));
    let bad = ["no name\r\n".to_owned()];
    let refused = ca().server_leaf(&bad, Serial::from_random([1; 16]), start(), CA_LIFE);
    assert!(refused.is_err());
}

#[test]
fn serial_numbers_are_positive_and_full() {
    for bytes in [[0; 16], [0xff; 16], [0x80; 16]] {
        let serial = Serial::from_random(bytes);
        assert!((0x40..0x80).contains(&serial.as_bytes()[0]));
        assert_eq!(serial.hex().len(), 32);
    }
}

#[test]
fn the_life_of_certificates_has_bounds() {
    for (seconds, fine) in [(599, false), (600, true), (86_400, true), (86_401, false)] {
        assert_eq!(LeafLife::new(Duration::from_secs(seconds)).is_some(), fine);
    }
}

#[test]
fn the_ca_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let dev = Some(DevMode::for_tests());
    let first = Ca::load_or_create(directory.path(), dev, start()).unwrap();
    assert!(first.hub_id().is_dev());
    let again = Ca::load_or_create(directory.path(), dev, start()).unwrap();
    assert_eq!(
        (first.pin(), first.hub_id(), first.roots()),
        (again.pin(), again.hub_id(), again.roots())
    );
    // What the loaded one signs chains to the same root.
    let leaf = again
        .agent_leaf(
            &name(),
            &agent_key(),
            Serial::from_random([1; 16]),
            start(),
            LeafLife::default(),
        )
        .unwrap();
    let roots = first.roots();
    let (_, root) = X509Certificate::from_der(&roots[0]).unwrap();
    let (_, leaf) = X509Certificate::from_der(&leaf.der).unwrap();
    assert!(leaf.verify_signature(Some(root.public_key())).is_ok());
    assert_eq!(leaf.issuer().as_raw(), root.subject().as_raw());

    let path = directory.path().join(CA_FILE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let public = fs::read_to_string(directory.path().join(CA_CERTIFICATE_FILE)).unwrap();
    assert!(public.contains("BEGIN CERTIFICATE") && !public.contains("PRIVATE"));
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        2,
        "temporary files stay behind"
    );
    assert!(!format!("{first:?}").contains("PRIVATE"));

    let refused = Ca::load_or_create(directory.path(), None, start());
    assert!(matches!(refused, Err(CaError::Mode { dev: false, .. })));
    // One that has run out can still be replaced.
    Ca::load_or_create(directory.path(), dev, start().plus(CA_LIFE)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = Ca::load_or_create(directory.path(), dev, start());
    assert!(matches!(refused, Err(CaError::Exposed { mode: 0o640, .. })));
}

#[test]
fn a_damaged_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let other = Ca::generate("hub-1".parse().unwrap(), Serial::from_random([8; 16]), start()).unwrap();
    let key = ca().present().active.issuer.key().serialize_pem();
    for text in [
        String::new(),
        "x".to_owned(),
        key.clone(),
        other.roots_pem(),
        format!("{key}{}", other.roots_pem()),
    ] {
        let path = directory.path().join(CA_FILE);
        let _ = fs::remove_file(&path);
        write_private(&path, &text).unwrap();
        assert!(
            matches!(
                Ca::load_or_create(directory.path(), None, start()),
                Err(CaError::Damaged(_))
            ),
            "{text}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
