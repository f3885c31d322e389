//! Inputs that a corpus begins with and that are better made than kept: archives, certificates, messages.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hadron_proto::wire;
use prost::Message as _;

const SCHEMA: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: T\n  types:\n    T: { type: object, properties: { a: { type: string, default: x }, n: { type: number } } }\n";
const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"cloudformation.yaml\"\n      rendering_engine: jinja\n      template_language: cloudformation\n";
const CODE: &str = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: {{ environment.inputs.a | tojson }}\n";

fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/cloudformation.yaml", CODE),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // Into memory, where nothing can fail.
        let _ = tar.append_data(&mut header, name, text.as_bytes());
    }
    tar.into_inner().unwrap_or_default()
}

fn certificate(names: &[&str]) -> Option<Vec<u8>> {
    let key = rcgen::KeyPair::generate().ok()?;
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .filter_map(|name| Some(rcgen::SanType::URI((*name).try_into().ok()?)))
        .collect();
    Some(params.self_signed(&key).ok()?.der().to_vec())
}

/// Seeds of a target.
pub(super) fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "bundle" => {
            let tar = tar();
            let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
            let _ = gz.write_all(&tar);
            // The second is what the target itself packs, so that changes reach the entries and not only the checksum.
            vec![
                [b"0".as_slice(), &gz.finish().unwrap_or_default()].concat(),
                [b"1".as_slice(), &tar].concat(),
            ]
        }
        "cert" => {
            let name = "spiffe://dev-0123456789abcdef0123456789abcdef/account/333333333333/connection/conn_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa/agent/agt_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa";
            [
                certificate(&[name]),
                certificate(&[name, "spiffe://x/y"]),
                certificate(&[]),
            ]
            .into_iter()
            .flatten()
            .collect()
        }
        "proto" => {
            let offer = wire::Offer {
                token: Some(wire::JobToken {
                    job_id: "job_0192aaaaaaaa7aaa8aaaaaaaaaaaaaaa".to_owned(),
                    fence: 7,
                }),
                work: Some(wire::offer::Work::ApplyStack(wire::ApplyStack {
                    stack_name: "AWSProton-x".to_owned(),
                    capabilities: vec!["CAPABILITY_IAM".to_owned()],
                    ..Default::default()
                })),
                ..Default::default()
            };
            let hub = wire::HubMessage {
                message: Some(wire::hub_message::Message::Offer(offer.clone())),
            };
            vec![offer.encode_to_vec(), hub.encode_to_vec()]
        }
        _ => Vec::new(),
    }
}
