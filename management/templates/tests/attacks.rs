//! Documents that are made to be expensive or to reach further than they may: each is refused, or read, in a moment.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use hadron_templates::{Bundle, Faults, InputType, Limits, Schema, ServiceSpec, Spec, SpecMap, complete};

/// Far more than any of them takes, on slow machines without optimisation.
const MOMENT: Duration = Duration::from_secs(5);

fn in_a_moment<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    let took = began.elapsed();
    assert!(took < MOMENT, "{what} took {took:?}");
    done
}

/// Refused with this code, in a moment.
fn refused<T>(what: &str, code: &str, work: impl FnOnce() -> Result<T, Faults>) {
    let Err(faults) = in_a_moment(what, work) else {
        panic!("{what} is taken")
    };
    assert!(
        faults.errors().any(|fault| fault.code == code),
        "{what}: {faults}"
    );
    for fault in faults.errors() {
        assert!(fault.help.is_some(), "{what} does not say how to go on: {fault}");
    }
}

fn schema_of(types: &str) -> String {
    format!("schema:\n  format: {{ openapi: '3.0.0' }}\n  environment_input_type: T\n  types:\n{types}")
}

fn schema(what: &str, code: &str, types: &str) {
    let text = schema_of(types);
    refused(what, code, || {
        Schema::parse("schema/schema.yaml", text.as_bytes())
    });
}

/// AT-67 to AT-71: what is small and would be large, and what another reader would take for something else.
#[test]
fn yaml_that_grows_or_pretends() {
    let bomb = |levels: usize| {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..levels {
            let list = vec![format!("*a{}", level - 1); 9].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        text
    };
    let deep = |open: &str, close: &str| format!("a: {}1{}\n", open.repeat(10_000), close.repeat(10_000));
    let blocks = (0..3_000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect::<String>();
    for (what, text, code) in [
        ("AT-67 aliases of aliases", bomb(9), "yaml/alias"),
        // The parser itself stops before the depth is counted.
        ("AT-68 lists in lists", deep("[", "]"), "yaml/malformed"),
        ("AT-68 maps in maps", deep("{a: ", "}"), "yaml/too-deep"),
        ("AT-68 blocks in blocks", blocks, "yaml/too-large"),
        (
            "AT-69 a key twice",
            "a: 1\na: 2\n".to_owned(),
            "yaml/duplicate-key",
        ),
        (
            "AT-70 merge keys",
            "a: &a { b: 1 }\nc: { <<: *a }\n".to_owned(),
            "yaml/alias",
        ),
        (
            "AT-71 two megabytes",
            format!("a: '{}'\n", "x".repeat(2 << 20)),
            "yaml/too-large",
        ),
    ] {
        refused(what, code, || Spec::parse("spec.yaml", &text));
        refused(what, code, || {
            Schema::parse("schema/schema.yaml", text.as_bytes())
        });
    }
    let anchors: String = (0..20_000).map(|n| format!("- &n{n} {n}\n")).collect();
    let many = in_a_moment("AT-71 many anchors", || Spec::parse("spec.yaml", &anchors));
    assert!(many.is_err(), "a list is no spec");
    let utf16: Vec<u8> = "schema: {}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(
        Schema::parse("schema/schema.yaml", &utf16).is_err(),
        "AT-71 UTF-16"
    );
    // An account id keeps its zero, and what YAML 1.1 took for a truth value is a text.
    let spec = "proton: ServiceSpec\ninstances:\n  - name: a\n    environment: prd\n    spec: { account: 012345678901, no: no }\n";
    let spec = ServiceSpec::parse("spec.yaml", spec).unwrap();
    let types =
        "    T: { type: object, properties: { account: { type: string }, 'no': { type: string } } }\n";
    let schema = Schema::parse("schema/schema.yaml", schema_of(types).as_bytes()).unwrap();
    let inputs = schema.inputs(InputType::Environment).unwrap();
    let values = complete(inputs, &spec.instances[0].inputs).unwrap().values;
    assert_eq!(
        (values["account"].as_str(), values["no"].as_str()),
        (Some("012345678901"), Some("no"))
    );
}

/// AT-72: patterns that take exponential time elsewhere, or gigabytes.
#[test]
fn patterns_are_matched_in_linear_time_or_not_at_all() {
    let property = |pattern: &str| {
        format!("    T: {{ type: object, properties: {{ a: {{ type: string, pattern: '{pattern}' }} }} }}\n")
    };
    for (what, pattern) in [
        ("look-ahead", "^(?=a)b$"),
        ("look-behind", "(?<!a)b"),
        ("back-reference", r"^(a+)\1$"),
        ("a million states", "a{1000}{1000}"),
        ("a billion states", "((a{1000}){1000}){1000}"),
    ] {
        schema(what, "schema/pattern", &property(pattern));
    }
    let text = schema_of(&property("^(a+)+$"));
    let schema = Schema::parse("schema/schema.yaml", text.as_bytes()).unwrap();
    let inputs = schema.inputs(InputType::Environment).unwrap();
    let given = serde_json::json!({ "a": format!("{}!", "a".repeat(10_000)) });
    let given = SpecMap::from_json(given.as_object().unwrap());
    let faults = in_a_moment("ten thousand and one", || complete(inputs, &given)).unwrap_err();
    assert!(
        faults.errors().any(|fault| fault.code == "spec/pattern"),
        "{faults}"
    );
}

/// AT-73 to AT-76: references that leave the file, that never end, that multiply; defaults that are none.
#[test]
fn schemas_stay_in_their_file_and_have_an_end() {
    let reference =
        |to: &str| format!("    T: {{ type: object, properties: {{ a: {{ $ref: '{to}' }} }} }}\n");
    for to in [
        "http://127.0.0.1:24050/schema.json",
        "https://example.com/#/T",
        "file:///etc/passwd",
        "//host/schema.yaml",
        "../other.yaml#/T",
        "/etc/passwd",
        "#/definitions/../../T",
    ] {
        schema(&format!("AT-73 {to}"), "schema/reference", &reference(to));
    }
    schema("AT-74 itself", "schema/recursive", &reference("#/T"));
    let circle = "    T: { type: object, properties: { a: { $ref: '#/U' } } }\n    U: { type: array, items: { $ref: '#/T' } }\n";
    schema("AT-74 by way of another", "schema/recursive", circle);
    let mut chain = "    T: { type: object, properties: { a: { $ref: '#/T0' } } }\n".to_owned();
    for n in 0..60 {
        chain.push_str(&format!("    T{n}: {{ $ref: '#/T{}' }}\n", n + 1));
    }
    chain.push_str("    T60: { type: string }\n");
    schema("AT-74 a long way", "schema/recursive", &chain);
    let wide: String = (0..10_001)
        .map(|n| format!("        p{n}: {{ type: string }}\n"))
        .collect();
    schema(
        "AT-75 ten thousand properties",
        "yaml/too-large",
        &format!("    T:\n      type: object\n      properties:\n{wide}"),
    );
    let mut doubling =
        "    T: { type: object, properties: { a: { $ref: '#/D0' }, b: { $ref: '#/D0' } } }\n".to_owned();
    for n in 0..30 {
        let next = n + 1;
        doubling.push_str(&format!(
            "    D{n}: {{ type: object, properties: {{ a: {{ $ref: '#/D{next}' }}, b: {{ $ref: '#/D{next}' }} }} }}\n"
        ));
    }
    doubling.push_str("    D30: { type: string }\n");
    schema("AT-75 twice as many with each", "schema/too-large", &doubling);
    let any: Vec<String> = (0..2_000)
        .map(|n| format!("{{ type: string, maxLength: {n} }}"))
        .collect();
    let any = format!(
        "    T: {{ type: object, properties: {{ a: {{ anyOf: [{}] }} }} }}\n",
        any.join(", ")
    );
    let text = schema_of(&any);
    let _ = in_a_moment("AT-75 one of two thousand", || {
        Schema::parse("schema/schema.yaml", text.as_bytes())
    });
    for (kind, default) in [
        ("number", "'x'"),
        ("integer", "1.5"),
        ("boolean", "maybe"),
        ("array", "a"),
        ("object", "1"),
    ] {
        let text = format!(
            "    T: {{ type: object, properties: {{ a: {{ type: {kind}, default: {default} }} }} }}\n"
        );
        let parsed = Schema::parse("schema/schema.yaml", schema_of(&text).as_bytes());
        assert!(parsed.is_err(), "AT-76 {kind}: {default}");
    }
}

/// An archive with one entry whose header says this.
fn entry(kind: u8, name: &str, size: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..124 + size.len()].copy_from_slice(size);
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[263..265].copy_from_slice(b"00");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = header.to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().div_ceil(512) * 512, 0);
    out
}

fn packed(entries: &[Vec<u8>]) -> Vec<u8> {
    use std::io::Write as _;
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    entries.iter().for_each(|entry| gz.write_all(entry).unwrap());
    gz.write_all(&[0; 1024]).unwrap();
    gz.finish().unwrap()
}

fn octal(size: usize) -> Vec<u8> {
    format!("{size:011o}").into_bytes()
}

/// AT-65: headers that say one thing here and another elsewhere.
#[test]
fn headers_of_archives_that_lie() {
    let pax = |record: &str| {
        // The length counts itself.
        let mut length = record.len() + 3;
        while format!("{length} {record}\n").len() != length {
            length += 1;
        }
        let record = format!("{length} {record}\n");
        entry(b'x', "pax", &octal(record.len()), record.as_bytes())
    };
    let file = || entry(b'0', "schema/schema.yaml", &octal(4), b"text");
    let read = |entries: &[Vec<u8>]| Bundle::from_archive(&packed(entries), &Limits::default());
    refused("a path in an extended header", "bundle/bad-path", || {
        read(&[pax("path=../../outside"), file()])
    });
    refused("an absolute one", "bundle/bad-path", || {
        read(&[pax("path=/etc/cron.d/mine"), file()])
    });
    for (what, entries) in [
        (
            "a size in an extended header",
            vec![pax("size=99999999999"), file()],
        ),
        ("a negative size", vec![entry(b'0', "a", &[0xff; 12], b"text")]),
        ("a huge size", vec![entry(b'0', "a", b"77777777777", b"text")]),
        ("a sparse file", vec![entry(b'S', "a", &octal(4), b"text")]),
        (
            "a name of a megabyte",
            vec![
                entry(b'L', "././@LongLink", &octal(1 << 20), &vec![b'a'; 1 << 20]),
                file(),
            ],
        ),
        (
            "a file without end",
            vec![entry(b'0', "a", &octal(1 << 20), b"text")],
        ),
    ] {
        let read = in_a_moment(what, || read(&entries));
        assert!(read.is_err(), "{what} is taken: {read:?}");
    }
    assert!(read(&[file()]).is_ok());
}
