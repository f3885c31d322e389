//! Bundles are their publisher's, or are refused.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use hadron_templates::{
    Bundle, KeyFault, Limits, NotSigned, PublisherKey, Signature, SignedKind, SigningKey, Statement,
};

fn files(text: &str) -> Bundle {
    let files = [("schema/schema.yaml", "schema"), ("infrastructure/a.yaml", text)];
    let files = files.map(|(path, text)| (path, text.as_bytes().to_vec()));
    Bundle::from_files(files, &Limits::default()).unwrap()
}

fn statement(bundle: &Bundle) -> Statement {
    Statement {
        kind: SignedKind::Environment,
        template: "vpc".parse().unwrap(),
        major: 1,
        digest: bundle.digest(),
    }
}

#[test]
fn a_signature_goes_with_its_bundle_and_is_no_part_of_it() {
    let (key, file) = SigningKey::generate().unwrap();
    assert_eq!(SigningKey::from_file(&file).unwrap().public(), key.public());
    let bundle = files("one");
    assert_eq!(Signature::of(&bundle), Err(NotSigned::Missing));
    let signed = bundle.clone().signed(&key.sign(statement(&bundle)));
    assert_eq!(signed.digest(), bundle.digest());
    let back = Bundle::from_archive(&signed.to_archive(), &Limits::default()).unwrap();
    let signature = Signature::of(&back).unwrap();
    assert_eq!(
        (signature.key, &signature.statement),
        (key.public(), &statement(&bundle))
    );

    let name = "vpc".parse().unwrap();
    signature.is_for(SignedKind::Environment, &name, 1).unwrap();
    for (kind, name, major) in [
        (SignedKind::Service, "vpc", 1),
        (SignedKind::Environment, "other", 1),
        (SignedKind::Environment, "vpc", 2),
    ] {
        let other = signature.is_for(kind, &name.parse().unwrap(), major).unwrap_err();
        assert!(
            other
                .to_string()
                .contains("environment template vpc, major version 1"),
            "{other}"
        );
    }
}

#[test]
fn nothing_can_be_changed_about_it() {
    let (key, _) = SigningKey::generate().unwrap();
    let bundle = files("one");
    let signature = key.sign(statement(&bundle));
    // Other files.
    let moved = Signature::of(&files("two").signed(&signature));
    assert!(matches!(moved, Err(NotSigned::Changed { .. })), "{moved:?}");
    // Any byte of the signature's file.
    let file = signature.to_file();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let Ok(forged) = serde_json::from_slice::<Signature>(&changed) else {
            continue;
        };
        // What is told about a key that did not sign is not believed either.
        assert!(
            forged == signature || Signature::of(&bundle.clone().signed(&forged)).is_err(),
            "byte {at}: {}",
            String::from_utf8_lossy(&changed)
        );
    }
    // Somebody else's key in its place.
    let (other, _) = SigningKey::generate().unwrap();
    let text = String::from_utf8(file).unwrap();
    let text = text.replace(&key.public().to_string(), &other.public().to_string());
    let forged: Signature = serde_json::from_str(&text).unwrap();
    let refused = Signature::of(&bundle.signed(&forged));
    assert!(matches!(refused, Err(NotSigned::Forged(_))), "{refused:?}");
}

#[test]
fn keys_are_read_as_they_were_written() {
    let (key, _) = SigningKey::generate().unwrap();
    assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    for wrong in [
        "",
        "ed25519:",
        "ed25519:AAAA",
        "rsa:AAAA",
        &key.public().to_string()[1..],
    ] {
        assert!(wrong.parse::<PublisherKey>().is_err(), "{wrong}");
    }
    for wrong in ["", "# only this\n", "AAAA\n", "x\ny\n"] {
        assert_eq!(
            SigningKey::from_file(wrong).unwrap_err(),
            KeyFault::Damaged,
            "{wrong}"
        );
    }
}
