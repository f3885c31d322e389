//! What is fuzzed, and what has to hold besides that nothing panics.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use hadron_agent::work::policy::{self, Change, Grant};
use hadron_domain::arn::ResourceArn;
use hadron_domain::audit::Signed;
use hadron_domain::authority::Scope;
use hadron_domain::template::CompatibleTemplate;
use hadron_management::api::proton::Operation;
use hadron_management::api::proton::testing::body_of;
use hadron_management::identity::sigv4::Presented;
use hadron_management::identity::tls::PeerIdentity;
use hadron_proto::proof::{Binding, KeyForm, ProofScalars, RawProof, StsRegion, rebuild};
use hadron_proto::spiffe::AgentName;
use hadron_proto::tls::only_uri;
use hadron_proto::vocab::{
    AccountId, BucketName, ConnectionId, DeploymentId, Digest, ImageUri, JobId, Partition, Region,
    RepositoryName, RoleArn, StackArn, TemplateVersion, Timestamp, TypePattern,
};
use hadron_templates::{
    Bundle, EnvironmentInputs, EnvironmentSpec, Faults, InputType, Limits, Schema, ServiceSpec, Spec,
    TemplateBundle, complete,
};
use rustls_pki_types::CertificateDer;

use super::messages::MESSAGES;
use super::{Outcome, Target};

const YAML: &[&str] = &[
    ": ",
    "\n",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "!Ref ",
    "!!binary ",
    "|\n",
    ">\n",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "\\",
    "#",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "\t",
    "\u{feff}",
    "\u{2028}",
    "no",
    "0o14",
    "1e3",
    ".nan",
    "~",
    "012345678901",
];
const SCHEMAS: &[&str] = &[
    "schema:",
    "format:",
    "openapi: \"3.0.0\"",
    "environment_input_type: T",
    "service_input_type: T",
    "pipeline_input_type: T",
    "types:",
    "type: object",
    "properties:",
    "required: [a]",
    "$ref: '#/T'",
    "pattern: '^a+$'",
    "enum: [a, b]",
    "default: 1",
    "items:",
    "minimum: 0",
    "maxLength: 3",
    "anyOf:",
    "additionalProperties: false",
    "\n      ",
    ": ",
    "{",
    "}",
];
const JINJA: &[&str] = &[
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{# ",
    " #}",
    "{%- ",
    " -%}",
    "environment.inputs.a",
    "environment.name",
    "| tojson",
    "| upper",
    "| replace('a', 'b')",
    "for x in [1, 2]",
    "endfor",
    "if true",
    "endif",
    "set x = 1",
    "raw",
    "endraw",
    "macro m()",
    "endmacro",
    "Resources:",
    "Type: AWS::SNS::Topic",
    "Fn::Sub",
    "!Sub '${A}'",
    "\n  ",
    ": ",
    "'",
    "\"",
];
const JSON: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"", "\\u0000", "\\ud800", "null", "true", "1e999", "\"name\"",
    "\"spec\"", "\"tags\"",
];

/// What is fuzzed.
pub const TARGETS: &[Target] = &[
    Target {
        name: "bundle",
        what: "Archives of bundles: only normal paths and no more than the caps",
        run: bundle,
        words: &[
            "../",
            "/",
            "schema/schema.yaml",
            "infrastructure/",
            "ustar",
            "PK\u{3}\u{4}",
            "\0",
        ],
    },
    Target {
        name: "manifest",
        what: "Manifests, in a bundle that is right otherwise",
        run: manifest,
        words: YAML,
    },
    Target {
        name: "schema",
        what: "Schemas",
        run: schema,
        words: SCHEMAS,
    },
    Target {
        name: "spec",
        what: "A schema and a spec for it: what is complete is complete once more",
        run: spec,
        words: SCHEMAS,
    },
    Target {
        name: "render",
        what: "Templates with an input: rendered or refused, with the same resources for any text",
        run: render,
        words: JINJA,
    },
    Target {
        name: "awsjson",
        what: "Bodies of Proton's operations: an error of the model, or what means the same when it is sent again",
        run: awsjson,
        words: JSON,
    },
    Target {
        name: "sigv4",
        what: "Headers of signed requests; AWS's own signer is believed, and nothing that was changed",
        run: sigv4,
        words: &[
            "AWS4-HMAC-SHA256 ",
            "Credential=",
            "SignedHeaders=",
            "Signature=",
            "host;",
            "x-amz-date",
            "/aws4_request",
            "us-east-1",
            "proton",
            ": ",
            "\n",
            ";",
            ",",
            "=",
        ],
    },
    Target {
        name: "proto",
        what: "Every message, both directions: what was read is read again the same, whatever unknown field is there",
        run: proto,
        words: &["\n", "\u{12}", "job_", "dpl_", "\u{8}"],
    },
    Target {
        name: "policy",
        what: "Pull policies: merging twice is merging once, statements of others stay, withdrawing undoes",
        run: merged,
        words: &[
            "\"Statement\"",
            "\"Sid\"",
            "\"HadronPull\"",
            "\"Principal\"",
            "\"AWS\"",
            "\"Version\"",
            "\"Effect\"",
            "\"Allow\"",
            "\"Action\"",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"*\"",
        ],
    },
    Target {
        name: "stsproof",
        what: "Scalars of proofs: the request to STS has a known host and no line break",
        run: stsproof,
        words: &[
            "us-east-1",
            "ASIAEXAMPLEEXAMPLE11",
            "20260101T000000Z",
            "\r\n",
            "\n",
            "/",
            "@",
            "#",
            "\0",
        ],
    },
    Target {
        name: "cert",
        what: "Certificates: at most one identity, of this hub",
        run: cert,
        words: &["spiffe://", "/account/", "/agent/", "%2F", "\u{86}"],
    },
    Target {
        name: "arn",
        what: "ARNs, Regions, accounts, repositories, images: written again they are read the same",
        run: arn,
        words: &[
            "arn:aws:iam::",
            ":role/",
            "333333333333",
            "us-east-1",
            "arn:aws-cn:",
            "stack/",
            ":",
            "/",
            "*",
            ".dkr.ecr.",
            "@sha256:",
            "environment/",
        ],
    },
    Target {
        name: "version",
        what: "Versions, ids, names, scopes and times: written again they are read the same",
        run: version,
        words: &[
            "1.0",
            "dpl_",
            "job_",
            "conn_",
            ":",
            "environment:",
            "service:",
            "hub",
            "2026-01-01T00:00:00Z",
            "+",
        ],
    },
    Target {
        name: "s3uri",
        what: "Buckets and resource type patterns of an agent's limits: written again they are read the same",
        run: s3uri,
        words: &["s3://", "bucket", ".", "-", "/", "..", "AWS::IAM::", "*"],
    },
    Target {
        name: "audit_line",
        what: "Lines of checkpoints: written again they are read the same",
        run: audit_line,
        words: &[
            "\"sequence\"",
            "\"hash\"",
            "\"key\"",
            "\"signature\"",
            "\"at\"",
            "{",
            "}",
            ":",
            ",",
        ],
    },
];

fn text(input: &[u8]) -> &str {
    std::str::from_utf8(input)
        .unwrap_or_else(|error| std::str::from_utf8(&input[..error.valid_up_to()]).unwrap_or_default())
}

/// The codes of faults: which rules an input broke. What people read of them has no control characters.
fn codes(faults: &Faults) -> Outcome {
    let shown = faults.to_string();
    assert!(
        !shown.contains(['\0', '\u{1b}']),
        "a fault shows a control character: {shown:?}"
    );
    let codes: BTreeSet<String> = faults.errors().map(|fault| fault.code.to_string()).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}

fn bundle(input: &[u8]) -> Outcome {
    let limits = Limits::default();
    // Either an archive as it came, or a tar to be packed: changes get to its entries that way.
    let archive = match input.split_first() {
        Some((b'1', tar)) => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let _ = std::io::Write::write_all(&mut gz, tar);
            gz.finish().unwrap_or_default()
        }
        Some((_, archive)) => archive.to_vec(),
        None => Vec::new(),
    };
    match Bundle::from_archive(&archive, &limits) {
        Err(faults) => codes(&faults),
        Ok(bundle) => {
            let mut bytes = 0;
            for path in bundle.paths() {
                let normal = !path.starts_with('/')
                    && !path.contains(['\\', '\0'])
                    && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
                assert!(normal, "the path {path:?} was taken");
                bytes += bundle.get(path).map_or(0, <[u8]>::len);
            }
            assert!(bytes <= limits.unpacked_bytes, "{bytes} bytes were taken");
            // What was read means the same when it is packed anew.
            let again = Bundle::from_archive(&bundle.to_archive(), &limits);
            assert!(
                again.is_ok_and(|again| again == bundle),
                "packed anew it is another one"
            );
            let (checked, faults) = TemplateBundle::check(bundle, None);
            format!("{} {}", checked.is_some(), codes(&faults))
        }
    }
}

const SCHEMA: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: T\n  types:\n    T: { type: object, properties: { a: { type: string, default: x }, n: { type: number } } }\n";
const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"cloudformation.yaml\"\n      rendering_engine: jinja\n      template_language: cloudformation\n";
const CODE: &str = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n";

fn files(manifest: &str, code: &str) -> Result<Bundle, Faults> {
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", manifest),
        ("infrastructure/cloudformation.yaml", code),
    ];
    let files = files.map(|(path, text)| (path, text.as_bytes().to_vec()));
    Bundle::from_files(files, &Limits::default())
}

fn manifest(input: &[u8]) -> Outcome {
    match files(text(input), CODE) {
        Err(faults) => codes(&faults),
        Ok(bundle) => {
            let (checked, faults) = TemplateBundle::check(bundle, None);
            format!("{} {}", checked.is_some(), codes(&faults))
        }
    }
}

fn schema(input: &[u8]) -> Outcome {
    match Schema::parse("schema/schema.yaml", input) {
        Err(faults) => codes(&faults),
        Ok(schema) => {
            let empty = EnvironmentSpec::default().inputs;
            let answers: Vec<String> = schema
                .all()
                .map(|(_, inputs)| match complete(inputs, &empty) {
                    Ok(completed) => format!("{}", completed.values.len().min(4)),
                    Err(faults) => codes(&faults),
                })
                .collect();
            answers.join(",")
        }
    }
}

/// Between the two parts of an input.
const BETWEEN: &str = "\n=====\n";

fn spec(input: &[u8]) -> Outcome {
    let input = text(input);
    let (schema, spec) = input.split_once(BETWEEN).unwrap_or((SCHEMA, input));
    let kind = match Spec::parse("spec.yaml", spec) {
        Ok(_) => "spec",
        Err(_) => "none",
    };
    if let Ok(service) = ServiceSpec::parse("spec.yaml", spec) {
        let again = ServiceSpec::parse("again.yaml", &service.to_text());
        assert!(
            again.is_ok_and(|again| again == service),
            "a service's spec written is another one:\n{}",
            service.to_text()
        );
    }
    let schema = match Schema::parse("schema/schema.yaml", schema.as_bytes()) {
        Ok(schema) => schema,
        Err(_) => return format!("no schema {kind}"),
    };
    match EnvironmentSpec::parse("spec.yaml", spec) {
        Err(faults) => codes(&faults),
        Ok(spec) => {
            let again = EnvironmentSpec::parse("again.yaml", &spec.to_text());
            assert!(
                again.is_ok_and(|again| again == spec),
                "a spec written is another one:\n{}",
                spec.to_text()
            );
            let Some(inputs) = schema.inputs(InputType::Environment) else {
                return "no inputs".to_owned();
            };
            match complete(inputs, &spec.inputs) {
                Err(faults) => codes(&faults),
                Ok(completed) => {
                    // With the defaults filled in nothing is missing and nothing is changed.
                    let full = hadron_templates::SpecMap::from_json(&completed.values);
                    let again = complete(inputs, &full);
                    let again = again.map(|again| again.values);
                    assert!(
                        again.as_ref().is_ok_and(|again| *again == completed.values),
                        "{:?} became {again:?}",
                        completed.values
                    );
                    format!("complete {}", completed.values.len().min(5))
                }
            }
        }
    }
}

/// Longer templates are for the processes that render, which bound memory.
const LONGEST_TEMPLATE: usize = 2_048;

fn render(input: &[u8]) -> Outcome {
    let input = text(&input[..input.len().min(LONGEST_TEMPLATE)]);
    let (code, value) = input.split_once(BETWEEN).unwrap_or((input, "x"));
    // Without loops an engine inside this process cannot be made to take all of its memory.
    if code.contains("for ") || code.contains("macro") || code.contains("**") || code.contains("range") {
        return "left to the workers".to_owned();
    }
    let bundle = match files(MANIFEST, code) {
        Ok(bundle) => bundle,
        Err(faults) => return codes(&faults),
    };
    let (checked, faults) = TemplateBundle::check(bundle, None);
    let Some(checked) = checked else {
        return codes(&faults);
    };
    let rendered = |value: &str| {
        checked.render_environment(&EnvironmentInputs {
            name: "prd".parse().expect("a name"),
            account_id: "012345678901".parse().ok(),
            region: "eu-west-1".parse().ok(),
            inputs: serde_json::Map::from_iter([("a".to_owned(), value.into()), ("n".to_owned(), 7.into())]),
        })
    };
    match (rendered(value), rendered("x")) {
        (Ok(own), Ok(plain)) => {
            // A developer's text is a value and never structure, unless the template's own logic asks for it.
            if !code.contains("{%") {
                assert_eq!(own.resources, plain.resources, "other resources with {value:?}");
            }
            format!("rendered {}", own.resources.len().min(4))
        }
        (Err(faults), _) | (_, Err(faults)) => codes(&faults),
    }
}

fn awsjson(input: &[u8]) -> Outcome {
    let Some((which, body)) = input.split_first() else {
        return String::new();
    };
    let operation = Operation::ALL[usize::from(*which) % Operation::ALL.len()];
    match body_of(operation, body) {
        Ok(value) => {
            assert!(value.is_object(), "{value}");
            let again = body_of(operation, value.to_string().as_bytes());
            assert!(
                again.as_ref().is_ok_and(|again| *again == value),
                "{operation:?}: {value} became {again:?}"
            );
            format!(
                "taken {}",
                value.as_object().map_or(0, |object| object.len().min(5))
            )
        }
        Err((status, body)) => {
            assert!((400..500).contains(&status), "{operation:?}: {status}");
            let body: serde_json::Value = serde_json::from_slice(&body).expect("an error is JSON");
            let name = body["__type"].as_str().expect("an error has a name").to_owned();
            let message = body["message"].as_str().unwrap_or_default();
            format!(
                "{name} {}",
                message
                    .chars()
                    .filter(|c| !c.is_ascii_digit())
                    .take(24)
                    .collect::<String>()
            )
        }
    }
}

const SECRET: &str = "secret-of-the-fuzzer";

fn head(method: &str, headers: &[(String, String)]) -> Option<http::request::Parts> {
    let mut request = http::Request::builder().method(method).uri("/");
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_str());
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fn signed(body: &[u8], more: &[(String, String)]) -> Option<Vec<(String, String)>> {
    let identity = Credentials::new("HUBAFUZZFUZZFUZZFUZZ", SECRET, None, None, "fuzz").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("proton")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000))
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let mut headers = vec![
        ("host".to_owned(), "hub.example".to_owned()),
        ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
        (
            "x-amz-target".to_owned(),
            "AwsProton20200720.GetService".to_owned(),
        ),
    ];
    headers.extend(more.iter().cloned());
    let all = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let signable =
        SignableRequest::new("POST", "https://hub.example/", all, SignableBody::Bytes(body)).ok()?;
    let (instructions, _) = http_request::sign(signable, &params).ok()?.into_parts();
    headers.extend(
        instructions
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Some(headers)
}

fn sigv4(input: &[u8]) -> Outcome {
    let (head_text, body) = match text(input).split_once("\n\n") {
        Some((head, body)) => (head, body.as_bytes()),
        None => (text(input), b"{}".as_slice()),
    };
    let lines: Vec<(String, String)> = head_text
        .lines()
        .take(80)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut outcome = "no request".to_owned();
    // As it came: nobody has this secret, so nothing may match.
    if let Some(parts) = head("POST", &lines) {
        outcome = match Presented::read(&parts, body, "us-east-1") {
            Ok(presented) => {
                assert!(!presented.matches(SECRET.as_bytes()), "a signature was guessed");
                "read".to_owned()
            }
            Err(refused) => refused
                .to_string()
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .take(40)
                .collect(),
        };
    }
    // Signed by AWS's own signer, with whatever of the headers is a client's own matter.
    let own: Vec<(String, String)> = lines
        .into_iter()
        .filter(|(name, value)| {
            let name = name.to_ascii_lowercase();
            name.starts_with("x-fuzz-")
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && value.bytes().all(|b| (b' '..=b'~').contains(&b))
        })
        .collect();
    let distinct: BTreeSet<String> = own.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    if distinct.len() != own.len() {
        return outcome;
    }
    if let Some(headers) = signed(body, &own)
        && let Some(parts) = head("POST", &headers)
    {
        let presented = Presented::read(&parts, body, "us-east-1");
        assert!(
            presented
                .as_ref()
                .is_ok_and(|presented| presented.matches(SECRET.as_bytes())),
            "AWS's signer is not believed: {presented:?} for {headers:?}"
        );
        let other = [body, b" "].concat();
        let changed = Presented::read(&parts, &other, "us-east-1");
        assert!(
            !changed.is_ok_and(|presented| presented.matches(SECRET.as_bytes())),
            "another body is believed"
        );
        outcome.push_str(" signed");
    }
    outcome
}

fn proto(input: &[u8]) -> Outcome {
    let [high, low, bytes @ ..] = input else {
        return String::new();
    };
    let (name, again) = MESSAGES[usize::from(u16::from_be_bytes([*high, *low])) % MESSAGES.len()];
    let Some(written) = again(bytes) else {
        return format!("{name} no");
    };
    assert_eq!(
        again(&written).as_ref(),
        Some(&written),
        "{name}, read again, is another one"
    );
    // Fields of later versions: a number and a text that nobody knows.
    let mut later = written.clone();
    later.extend([
        0xf8, 0xff, 0xff, 0xff, 0x07, 0x2a, 0xfa, 0xff, 0xff, 0xff, 0x07, 0x01, b'x',
    ]);
    assert_eq!(
        again(&later).as_ref(),
        Some(&written),
        "{name} with fields of a later version is another one"
    );
    format!("{name} {}", written.is_empty())
}

fn merged(input: &[u8]) -> Outcome {
    let input = text(input);
    let readers: BTreeSet<AccountId> = input
        .bytes()
        .take(usize::from(input.len() as u8 % 5))
        .filter_map(|byte| {
            format!("{:012}", 200_000_000_000_u64 + u64::from(byte))
                .parse()
                .ok()
        })
        .collect();
    let own: AccountId = "111111111111".parse().expect("an account");
    let grant = |readers: &BTreeSet<AccountId>| Grant::repository(Partition::Aws, own, readers.clone());
    let after = |found: Option<&str>, readers: &BTreeSet<AccountId>| {
        policy::merge(found, &grant(readers)).map(|change| match change {
            Change::Keep { .. } => found.map(str::to_owned),
            Change::Write { text, .. } => Some(text),
            Change::Delete => None,
        })
    };
    let once = match after(Some(input), &readers) {
        Err(refused) => {
            return format!("{refused:?}")
                .chars()
                .filter(|c| c.is_ascii_alphabetic())
                .take(16)
                .collect();
        }
        Ok(once) => once,
    };
    let Some(once) = once else {
        return "deleted".to_owned();
    };
    assert!(
        once.len() <= policy::MOST || once == input,
        "longer than ECR takes"
    );
    let twice = after(Some(&once), &readers);
    assert!(
        twice.as_ref().is_ok_and(|twice| twice.as_deref() == Some(&once)),
        "merged twice: {twice:?} instead of {once}"
    );
    let foreign = |text: &str| -> Vec<serde_json::Value> {
        let all = match statements(text) {
            serde_json::Value::Array(all) => all,
            serde_json::Value::Null => Vec::new(),
            one => vec![one],
        };
        all.into_iter().filter(|one| one["Sid"] != policy::SID).collect()
    };
    assert_eq!(
        foreign(input),
        foreign(&once),
        "statements of others were changed"
    );
    let wide = statements(&once)
        .as_array()
        .into_iter()
        .flatten()
        .any(|one| one["Sid"] == policy::SID && one.to_string().contains('*'));
    assert!(!wide || once == input, "our statement has a star: {once}");
    format!("written {}", readers.len())
}

/// The statements of a policy. Only they are read: elsewhere a policy may have numbers that no value holds, and keeps them.
fn statements(policy: &str) -> serde_json::Value {
    #[derive(serde::Deserialize)]
    struct Policy {
        #[serde(rename = "Statement", default)]
        statement: Option<Box<serde_json::value::RawValue>>,
    }
    let policy: Policy = serde_json::from_str(policy).expect("a policy is JSON");
    let text = policy.statement.as_deref().map_or("null", |raw| raw.get());
    serde_json::from_str(text).expect("statements are JSON")
}

fn stsproof(input: &[u8]) -> Outcome {
    let mut fields = text(input).splitn(5, '|');
    let mut next = || fields.next().unwrap_or_default();
    let raw = RawProof {
        region: next(),
        access_key_id: next(),
        amz_date: next(),
        signature: next(),
        session_token: next(),
    };
    let mut outcome = String::new();
    for form in [KeyForm::Temporary, KeyForm::AlsoLongLived, KeyForm::Any] {
        match ProofScalars::parse(&raw, form) {
            Err(refused) => {
                let shown = refused.to_string();
                assert!(
                    raw.session_token.len() < 8
                        || raw.region.contains(raw.session_token)
                        || !shown.contains(raw.session_token),
                    "the token is shown"
                );
                outcome.push_str(&shown.chars().take(14).collect::<String>());
            }
            Ok(proof) => {
                let binding = Binding::Login {
                    nonce: [7; 32],
                    hub_id: "hub-1".parse().expect("a hub's id"),
                };
                let request = rebuild(&proof, &binding);
                assert!(
                    StsRegion::all().any(|region| region.host() == request.host),
                    "{} is asked",
                    request.host
                );
                for (name, value) in &request.headers {
                    assert!(
                        value.bytes().all(|b| (b' '..=b'~').contains(&b)),
                        "{name}: {value:?}"
                    );
                }
                outcome.push_str("taken");
            }
        }
    }
    outcome
}

fn cert(input: &[u8]) -> Outcome {
    let certificate = CertificateDer::from(input.to_vec());
    let uri = only_uri(&certificate);
    let hub = "dev-0123456789abcdef0123456789abcdef"
        .parse()
        .expect("a hub's id");
    match (uri, PeerIdentity::read(&certificate, &hub)) {
        (Ok(uri), Ok(_)) => {
            let name: AgentName = uri.parse().expect("whose identity was read has a name");
            assert_eq!(name.hub, hub, "of another hub");
            assert_eq!(name.to_string(), uri, "a name that is written otherwise");
            "an agent".to_owned()
        }
        (Ok(_), Err(refused)) => refused.to_string().chars().take(20).collect(),
        (Err(refused), Err(_)) => refused.to_string().chars().take(60).collect(),
        (Err(refused), Ok(_)) => panic!("an identity without a name: {refused}"),
    }
}

/// Reads a text; what is written again is read the same.
fn round<T: FromStr + Display + PartialEq>(name: &str, text: &str) -> &'static str {
    let Ok(one) = text.parse::<T>() else { return "-" };
    let written = one.to_string();
    let Ok(again) = written.parse::<T>() else {
        panic!("{name} {text:?} is written as {written:?}, which cannot be read");
    };
    assert!(
        again == one,
        "{name} {text:?} is written as {written:?}, which is another one"
    );
    assert!(!written.contains(['\n', '\r', '\0']), "{name} {written:?}");
    "+"
}

fn arn(input: &[u8]) -> Outcome {
    let text = text(input);
    [
        round::<RoleArn>("role", text),
        round::<StackArn>("stack", text),
        round::<AccountId>("account", text),
        round::<Region>("Region", text),
        round::<RepositoryName>("repository", text),
        round::<ResourceArn>("resource", text),
        if ImageUri::parse(text).is_some() { "+" } else { "-" },
        round::<AgentName>("agent", text),
    ]
    .concat()
}

fn version(input: &[u8]) -> Outcome {
    let text = text(input);
    [
        round::<TemplateVersion>("version", text),
        round::<CompatibleTemplate>("template", text),
        round::<DeploymentId>("deployment", text),
        round::<JobId>("job", text),
        round::<ConnectionId>("connection", text),
        round::<Scope>("scope", text),
        round::<Timestamp>("time", text),
        round::<Digest>("digest", text),
    ]
    .concat()
}

fn s3uri(input: &[u8]) -> Outcome {
    let text = text(input);
    [
        round::<BucketName>("bucket", text),
        round::<TypePattern>("types", text),
    ]
    .concat()
}

fn audit_line(input: &[u8]) -> Outcome {
    match serde_json::from_slice::<Signed>(input) {
        Err(error) => error
            .to_string()
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .take(24)
            .collect(),
        Ok(signed) => {
            let written = serde_json::to_string(&signed).expect("a checkpoint is JSON");
            assert!(!written.contains('\n'), "more than a line");
            let again: Signed = serde_json::from_str(&written).expect("what was written can be read");
            assert_eq!(again, signed);
            let _ = signed.checkpoint.statement();
            "a checkpoint".to_owned()
        }
    }
}
