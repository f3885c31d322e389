//! What strangers send never panics, and what is promised for some texts holds for all.

mod support;

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use hadron_templates::{Bundle, EnvironmentSpec, Limits, Schema, ServiceSpec, Spec, TemplateBundle};
use proptest::prelude::*;

fn sample_archive(zip: bool) -> Vec<u8> {
    let bundle = Bundle::read(&support::fixtures().join("good/web"), &Limits::default())
        .expect("a fixture that works");
    if !zip {
        return bundle.to_archive();
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for path in bundle.paths() {
        zip.start_file(path, zip::write::SimpleFileOptions::default())
            .expect("a fixture that works");
        zip.write_all(bundle.get(path).expect("a fixture that works"))
            .expect("a fixture that works");
    }
    zip.finish().expect("a fixture that works").into_inner()
}

fn sample_tar() -> Vec<u8> {
    let mut tar = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(sample_archive(false).as_slice()),
        &mut tar,
    )
    .expect("a fixture that works");
    tar
}

/// Text of the characters that matter to YAML and Jinja.
fn wild() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("{{ "),
            Just(" }}"),
            Just("{% "),
            Just(" %}"),
            Just("{#"),
            Just("if"),
            Just("for x in "),
            Just("end"),
            Just("service"),
            Just("."),
            Just("inputs"),
            Just("|"),
            Just("tojson"),
            Just("("),
            Just(")"),
            Just("["),
            Just("]"),
            Just("{"),
            Just("}"),
            Just("'"),
            Just("\""),
            Just(": "),
            Just("- "),
            Just("\n"),
            Just("  "),
            Just("#"),
            Just("&a "),
            Just("*a"),
            Just("!Ref "),
            Just("~"),
            Just("1"),
            Just("é"),
            Just("\t"),
            Just("proton: EnvironmentSpec\n"),
            Just("spec:\n"),
            Just("schema:\n"),
            Just("\u{0}"),
            Just("\r"),
            Just("$ref"),
        ],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), magic in 0..3) {
        let magic: &[u8] = [b"".as_slice(), b"\x1f\x8b\x08", b"PK\x03\x04"][usize::try_from(magic).unwrap()];
        let _ = Bundle::from_archive(&[magic, bytes.as_slice()].concat(), &Limits::default());
    }

    #[test]
    fn mutated_archives_are_read_or_refused(zip in any::<bool>(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(), shorten in any::<bool>()) {
        let mut bytes = sample_archive(zip);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(bundle) = Bundle::from_archive(&bytes, &Limits::default()) {
            let _ = TemplateBundle::check(bundle, None);
        }
    }

    #[test]
    fn mutated_tars_are_read_or_refused(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut tar = sample_tar();
        for (at, byte) in changes {
            let at = at.index(tar.len());
            tar[at] = byte;
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar).unwrap();
        if let Ok(bundle) = Bundle::from_archive(&gzip.finish().unwrap(), &Limits::default()) {
            let bad = |path: &str| path.starts_with('/') || path.split('/').any(|part| matches!(part, "" | "." | ".."));
            prop_assert!(!bundle.paths().any(bad));
        }
    }

    #[test]
    fn any_text_is_a_spec_or_faults(text in wild()) {
        if let Err(faults) = Spec::parse("spec.yaml", &text) {
            prop_assert!(faults.is_error());
            let escaped = faults.to_string().contains('\0');
            prop_assert!(!escaped);
        }
        let _ = Schema::parse("schema.yaml", text.as_bytes());
    }

    #[test]
    fn specs_survive_writing(names in proptest::collection::btree_map("\\PC{1,12}", value(), 0..6)) {
        let values: serde_json::Map<String, serde_json::Value> = names.into_iter().collect();
        let mut spec = ServiceSpec::parse("x", "proton: ServiceSpec\ninstances: [ { name: a, environment: e } ]").unwrap();
        spec.instances[0].inputs = hadron_templates::SpecMap::from_json(&values);
        let written = spec.to_text();
        let again = ServiceSpec::parse("again.yaml", &written).map_err(|faults| TestCaseError::fail(format!("{faults}\n{written}")))?;
        prop_assert_eq!(&again, &spec, "{}", written);
        let environment = EnvironmentSpec { inputs: spec.instances[0].inputs.clone() };
        prop_assert_eq!(EnvironmentSpec::parse("again.yaml", &environment.to_text()).unwrap(), environment);
    }

    #[test]
    fn any_template_renders_or_faults(body in wild()) {
        let template = format!("Resources:\n  A: {{ Type: T }}\n{body}");
        if let Err(faults) = support::render(&template, None, "{}", None) {
            prop_assert!(faults.is_error());
        }
    }

    #[test]
    fn any_value_stays_one_value(text in "[a-z \\n:#'\"{}\\[\\],&*!|>%@`\\\\?<-]{0,12}", around in 0..4) {
        let around = ["{}", "'{}'", "\"{}\"", "[a, {}]"][usize::try_from(around).unwrap()];
        let around = around.replace("{}", "{{ service_instance.inputs.text }}");
        let template = format!("Resources:\n  A:\n    Type: T\n    Properties:\n      P: {around}\n      Q: x\n");
        let inputs = serde_json::json!({ "text": text }).to_string();
        if let Ok(rendered) = support::render(&template, None, &inputs, None) {
            prop_assert_eq!(&rendered.resources, &[("A".to_owned(), "T".to_owned())]);
            // One line for each key: nothing was added or taken.
            let keys = rendered.text.lines().filter(|line| line.starts_with("      P: ") || line.starts_with("      Q: ")).count();
            prop_assert_eq!(keys, 2, "{}", rendered.text);
        }
    }

    #[test]
    fn blocks_stand_in_one_column(depth in 0_usize..30, count in 1_usize..5, before in "[a-z]{0,5}") {
        let names: serde_json::Map<String, serde_json::Value> = (0..count).map(|n| (format!("K{n}"), format!("v{n}").into())).collect();
        let prefix = if before.is_empty() { String::new() } else { format!("{before}: ") };
        let pad = " ".repeat(depth + 8);
        let filter = "{{ service_instance.components.default.outputs | proton_cfn_lambda_function_formatted_env_vars }}";
        let template = format!("Resources:\n  A:\n    Type: T\n    P:\n{pad}# {prefix}\n{pad}{filter}\n");
        let rendered = support::render(&template, None, "{}", Some(&serde_json::Value::Object(names).to_string())).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        for n in 0..count {
            let line = format!("\n{pad}K{n}: v{n}\n");
            prop_assert!(format!("{}\n", rendered.text).contains(&line), "{}", rendered.text);
        }
    }
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
        "\\PC{0,12}".prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
        "(yes|no|on|null|true|~|0123|1e3|1.5|0x1f|- a|a: b|#|[a-c:# ]{0,5})"
            .prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("\\PC{1,6}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}
