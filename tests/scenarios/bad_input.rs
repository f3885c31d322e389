//! What cannot work is refused with its place and a way out, and nothing is left of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use hadron_proto::wire;
use hadron_tests::{World, paths};
use serde_json::{Value, json};

/// Everything that the hub shows to an administrator.
async fn shown(world: &World) -> Value {
    let mut all = json!({});
    for noun in [
        "template",
        "environment",
        "service",
        "instance",
        "pipeline",
        "deployment",
        "grant",
        "connection",
    ] {
        all[noun] = world.items(&[noun, "list"]).await.unwrap().into();
    }
    all
}

/// Calls to AWS that make, change or delete something. Whoever logs in asks STS, which changes nothing.
async fn changes(world: &World, since: u64) -> Vec<Value> {
    let calls = world.emulator.calls(since).await.unwrap();
    let reads = ["Get", "Describe", "List", "Batch", "AssumeRole"];
    let changes = |call: &Value| {
        let action = call["action"].as_str().unwrap_or_default();
        !reads.iter().any(|read| action.starts_with(read))
    };
    calls.into_iter().filter(changes).collect()
}

/// A copy of the minimal environment template in which one file is another.
fn bundle(world: &World, name: &str, file: &str, change: impl Fn(String) -> String) -> String {
    let from = paths::root().join("deploy/examples/minimal-env/v1");
    let to = world.folder().join("bundles").join(name);
    for each in [
        "schema/schema.yaml",
        "infrastructure/manifest.yaml",
        "infrastructure/cloudformation.yaml",
    ] {
        let text = std::fs::read_to_string(from.join(each)).unwrap();
        let text = if each == file { change(text) } else { text };
        std::fs::create_dir_all(to.join(each).parent().unwrap()).unwrap();
        std::fs::write(to.join(each), text).unwrap();
    }
    to.display().to_string()
}

/// An archive of the minimal environment template with one more entry.
fn archive(kind: tar::EntryType, name: &str, target: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    archive
        .append_dir_all("", paths::root().join("deploy/examples/minimal-env/v1"))
        .unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    // The library refuses such names, as it should; attackers do not use it.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    let content = b"mine";
    if kind.is_file() {
        header.set_size(content.len() as u64);
    } else {
        header.set_size(0);
        if !target.is_empty() {
            header.set_link_name(target).unwrap();
        }
    }
    header.set_cksum();
    archive
        .append(&header, if kind.is_file() { &content[..] } else { &[] })
        .unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

/// Bytes that no compression makes fewer.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(bytes).collect()
}

fn too_large() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&noise(5 * 1024 * 1024 + 1)).unwrap();
    gzip.finish().unwrap()
}

/// Something wrong, and what has to be said about it.
struct Wrong<'a> {
    what: &'a str,
    args: Vec<&'a str>,
    code: i32,
    /// The place, the reason, the remedy.
    says: &'a [&'a str],
}

async fn all_refused(world: &World, wrongs: Vec<Wrong<'_>>) {
    let before = (shown(world).await, world.emulator.last_call().await.unwrap());
    let mut amiss = Vec::new();
    for Wrong {
        what,
        args,
        code,
        says,
    } in wrongs
    {
        let ran = world.admin.run(&args).await.unwrap();
        if ran.code != code {
            amiss.push(format!("{what}: {} instead of {code}: {}", ran.code, ran.text()));
        }
        for word in says.iter().filter(|word| !ran.stderr.contains(**word)) {
            amiss.push(format!("{what}: no '{word}' in: {}", ran.text()));
        }
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
    assert_eq!(shown(world).await, before.0, "something was created");
    let made = changes(world, before.1).await;
    assert!(made.is_empty(), "AWS was told to change something: {made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_with_a_fault_is_refused_with_its_place_and_a_remedy() {
    let mut world = World::new().await.unwrap();
    let stack = "infrastructure/cloudformation.yaml";
    let undefined = bundle(&world, "undefined", stack, |text| {
        text.replace("inputs.greeting |", "inputs.greating |")
    });
    let jinja = bundle(&world, "jinja", stack, |text| {
        text.replace("| tojson }}", "| tojson }")
    });
    let schema = bundle(&world, "schema", "schema/schema.yaml", |text| {
        text.replace("  types:", "  types: [")
    });
    let manifest = bundle(&world, "manifest", "infrastructure/manifest.yaml", |text| {
        text.replace("jinja", "[jinja")
    });
    let engine = bundle(&world, "engine", "infrastructure/manifest.yaml", |text| {
        text.replace("jinja", "mustache")
    });
    let linked = bundle(&world, "linked", "", |text| text);
    std::os::unix::fs::symlink(
        "/etc/hostname",
        Path::new(&linked).join("infrastructure/extra.yaml"),
    )
    .unwrap();
    let traversal = world
        .file(
            "traversal.tar.gz",
            archive(tar::EntryType::Regular, "../../outside.yaml", ""),
        )
        .unwrap();
    let symlink = world
        .file(
            "symlink.tar.gz",
            archive(tar::EntryType::Symlink, "extra.yaml", "/etc/hostname"),
        )
        .unwrap();
    let large = world.file("large.tar.gz", too_large()).unwrap();
    let text = world.file("text.tar.gz", "no archive at all").unwrap();
    let good = bundle(&world, "good", "", |text| text);
    let long = "a".repeat(101);

    let create = |name, path| vec!["template", "create", name, "--kind", "environment", path];
    let wrong = |what, path, says| Wrong {
        what,
        args: create("vpc", path),
        code: 1,
        says,
    };
    let wrongs = vec![
        wrong(
            "undefined Jinja variable",
            &undefined,
            &[
                "infrastructure/cloudformation.yaml:13:17",
                "'environment.inputs.greating' is not defined",
                "did you mean 'greeting'?",
            ],
        ),
        wrong(
            "broken Jinja",
            &jinja,
            &["infrastructure/cloudformation.yaml:13:", "help:"],
        ),
        wrong(
            "broken YAML in the schema",
            &schema,
            &["schema/schema.yaml:7:", "not valid YAML", "indentation"],
        ),
        wrong(
            "broken YAML in the manifest",
            &manifest,
            &["infrastructure/manifest.yaml:", "not valid YAML", "help:"],
        ),
        wrong(
            "unknown rendering engine",
            &engine,
            &["infrastructure/manifest.yaml:", "mustache", "jinja"],
        ),
        wrong(
            "symbolic link in a directory",
            &linked,
            &["infrastructure/extra.yaml", "symbolic link", "regular file"],
        ),
        wrong(
            "path traversal in an archive",
            &traversal,
            &["../../outside.yaml", "leave its directory", "rename or remove"],
        ),
        wrong(
            "symbolic link in an archive",
            &symlink,
            &["extra.yaml", "link", "regular file"],
        ),
        wrong("over 5 MB", &large, &["5242880", "leave build results"]),
        wrong(
            "not an archive",
            &text,
            &["neither a .tar.gz nor a .zip", "tar -C"],
        ),
        wrong(
            "not there",
            "no/such/bundle",
            &["no/such/bundle", "check the path"],
        ),
        Wrong {
            what: "name of 101 characters",
            args: create(&long, &good),
            code: 2,
            says: &["101 characters", "at most 100"],
        },
        Wrong {
            what: "service template without environment template",
            args: vec![
                "template",
                "create",
                "svc",
                "--kind",
                "service",
                "deploy/examples/minimal-svc/v1",
            ],
            code: 2,
            says: &["--compatible-with NAME:MAJOR"],
        },
        Wrong {
            what: "for an environment template that does not exist",
            args: vec![
                "template",
                "create",
                "svc",
                "--kind",
                "service",
                "deploy/examples/minimal-svc/v1",
                "--compatible-with",
                "vpc:1",
            ],
            code: 3,
            says: &[
                "environment template 'vpc' does not exist",
                "hadron template list",
                "Removed service template svc again",
            ],
        },
        Wrong {
            what: "of the other kind",
            args: vec![
                "template",
                "create",
                "vpc",
                "--kind",
                "service",
                &good,
                "--compatible-with",
                "vpc:1",
            ],
            code: 1,
            says: &["service"],
        },
    ];
    all_refused(&world, wrongs).await;
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_work_is_refused_with_its_place_and_a_remedy() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    let strict = paths::root()
        .join("tests/fixtures/telling-env")
        .display()
        .to_string();
    world
        .admin
        .ok(&["template", "create", "strict", "--kind", "environment", &strict])
        .await
        .unwrap();
    world
        .admin
        .ok(&[
            "environment",
            "create",
            "dev",
            "--template",
            "minimal-env",
            "--spec",
            "deploy/examples/minimal-env/spec.yaml",
            "--wait",
        ])
        .await
        .unwrap();

    let spec = |name: &str, text: &str| world.file(&format!("{name}.yaml"), text).unwrap();
    let good = spec("good", "proton: EnvironmentSpec\nspec:\n  tier: staging\n");
    let missing = spec("missing", "proton: EnvironmentSpec\nspec:\n  fails: true\n");
    let mistyped = spec(
        "mistyped",
        "proton: EnvironmentSpec\nspec:\n  retention_days: many\n  tier: 7\n",
    );
    let range = spec("range", "proton: EnvironmentSpec\nspec:\n  retention_days: 400\n");
    let choice = spec("choice", "proton: EnvironmentSpec\nspec:\n  tier: moon\n");
    let broken = spec(
        "broken",
        "proton: EnvironmentSpec\nspec:\n  tier: staging\n bad: [\n",
    );
    let other = spec("other", "proton: ServiceSpec\ninstances: []\n");
    let empty = spec("empty", "");
    let port = spec(
        "port",
        "proton: ServiceSpec\ninstances:\n  - name: a\n    environment: dev\n    spec:\n      port: high\n",
    );
    let nowhere = spec(
        "nowhere",
        "proton: ServiceSpec\ninstances:\n  - name: a\n    environment: moon\n    spec: {}\n",
    );
    let twice = spec(
        "twice",
        "proton: ServiceSpec\ninstances:\n  - name: a\n    environment: dev\n  - name: a\n    environment: dev\n",
    );
    let plain = spec(
        "plain",
        "proton: ServiceSpec\ninstances:\n  - name: a\n    environment: dev\n    spec: {}\n",
    );
    let long = "a".repeat(101);
    let long_instance = spec(
        "long",
        &format!("proton: ServiceSpec\ninstances:\n  - name: {long}\n    environment: dev\n    spec: {{}}\n"),
    );

    let environment = |template, spec| {
        vec![
            "environment",
            "create",
            "prd",
            "--template",
            template,
            "--spec",
            spec,
        ]
    };
    let service = |spec| {
        vec![
            "service",
            "create",
            "web",
            "--template",
            "minimal-svc-no-pipeline",
            "--spec",
            spec,
        ]
    };
    let of = |what, args, code, says| Wrong {
        what,
        args,
        code,
        says,
    };
    let version = |version| {
        [
            environment("minimal-env", &good),
            vec!["--template-version", version],
        ]
        .concat()
    };
    let wrongs = vec![
        of(
            "unknown template",
            environment("vpc", &good),
            3,
            &["'vpc' does not exist", "hadron template list"],
        ),
        of(
            "nothing published",
            environment("strict", &good),
            5,
            &["'strict'", "hadron template publish"],
        ),
        of("unpublished major", version("7"), 3, &["7", "hadron template"]),
        of(
            "unpublished version",
            version("1.9"),
            3,
            &["1.9", "hadron template"],
        ),
        of("no version", version("newest"), 1, &["newest", "MAJOR.MINOR"]),
        of(
            "missing member",
            [environment("strict", &missing), vec!["--template-version", "1.0"]].concat(),
            1,
            &["'password' is missing", "spec:3:3", "add 'password:'"],
        ),
        of(
            "mistyped members, all at once",
            environment("minimal-env", &mistyped),
            1,
            &[
                "'retention_days'",
                "spec:3:19",
                "whole number",
                "'tier'",
                "spec:4:9",
                "help:",
            ],
        ),
        of(
            "out of range",
            environment("minimal-env", &range),
            1,
            &["'retention_days' is 400", "spec:3:19", "allowed: 1 to 365"],
        ),
        of(
            "not one of the choices",
            environment("minimal-env", &choice),
            1,
            &["spec:3:9", "development, staging and production"],
        ),
        of(
            "broken YAML",
            environment("minimal-env", &broken),
            1,
            &["spec:4:", "not valid YAML", "indentation"],
        ),
        of(
            "a service's spec",
            environment("minimal-env", &other),
            1,
            &["spec:1:", "EnvironmentSpec"],
        ),
        of(
            "an empty spec",
            environment("minimal-env", &empty),
            2,
            &["empty.yaml is empty"],
        ),
        of(
            "no file",
            environment("minimal-env", "no/such/file.yaml"),
            2,
            &["no/such/file.yaml"],
        ),
        of(
            "mistyped member of an instance",
            service(&port),
            1,
            &["'port'", "spec:6:13", "help:"],
        ),
        of(
            "unknown environment",
            service(&nowhere),
            3,
            &["'moon'", "hadron environment list"],
        ),
        of("an instance twice", service(&twice), 1, &["spec:5:", "'a'"]),
        of(
            "a pipeline without its source",
            vec![
                "service",
                "create",
                "web",
                "--template",
                "minimal-svc",
                "--spec",
                &plain,
            ],
            1,
            &["--branch", "--repository-connection"],
        ),
        of(
            "long name of an environment",
            vec![
                "environment",
                "create",
                &long,
                "--template",
                "minimal-env",
                "--spec",
                &good,
            ],
            2,
            &["101 characters", "at most 100"],
        ),
        of(
            "long name of a service",
            vec![
                "service",
                "create",
                &long,
                "--template",
                "minimal-svc",
                "--spec",
                &plain,
            ],
            2,
            &["101 characters", "at most 100"],
        ),
        of(
            "long name of an instance",
            service(&long_instance),
            1,
            &["spec:3:", "101 characters", "at most 100"],
        ),
        of(
            "an id that is none",
            vec!["deployment", "get", "dpl_1"],
            1,
            &["dpl_1"],
        ),
        of(
            "a deployment that is none",
            vec!["deployment", "get", "dpl_01a1fa5f94c3704aa4c1e448de6235f8"],
            3,
            &["does not exist", "hadron deployment list"],
        ),
        of(
            "unknown environment, change",
            vec!["environment", "update", "prd", "--minor"],
            3,
            &["'prd'", "hadron environment list"],
        ),
        of(
            "the environment again",
            vec![
                "environment",
                "create",
                "dev",
                "--template",
                "minimal-env",
                "--spec",
                &good,
            ],
            5,
            &["already exists", "hadron environment update dev"],
        ),
    ];
    all_refused(&world, wrongs).await;

    // As with Proton, a member that the schema does not know is no error, but it is said.
    let unknown = spec(
        "unknown",
        "proton: EnvironmentSpec\nspec:\n  tier: staging\n  colour: blue\n",
    );
    let ran = world
        .admin
        .ok(&[&environment("minimal-env", &unknown)[..], &["--wait"]].concat())
        .await
        .unwrap();
    assert!(ran.stderr.contains("'colour'"), "{}", ran.text());
    let shown = world.admin.json(&["environment", "get", "prd"]).await.unwrap();
    assert!(shown["warnings"].to_string().contains("'colour'"), "{shown}");
    assert_eq!(shown["deployment"]["status"], "SUCCEEDED");
    world.at_rest().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_itself_refuses_bundles_that_no_client_of_ours_would_send() {
    let mut world = World::new().await.unwrap();
    world.publish_examples().await.unwrap();
    let token = world.hub.token("attacker", "administrator").unwrap();
    let mut templates =
        wire::template_service_client::TemplateServiceClient::new(world.door().await.unwrap())
            .max_encoding_message_size(64 * 1024 * 1024);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..128 {
        bomb.write_all(&vec![0; 1024 * 1024]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let undefined: PathBuf = bundle(
        &world,
        "undefined",
        "infrastructure/cloudformation.yaml",
        |text| text.replace("inputs.greeting |", "inputs.greating |"),
    )
    .into();
    let mut faulty = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    faulty.append_dir_all("", undefined).unwrap();
    let faulty = faulty.into_inner().unwrap().finish().unwrap();
    use tar::EntryType as Entry;
    let cases: [(&str, Vec<u8>, &str); 10] = [
        (
            "path traversal",
            archive(Entry::Regular, "../../outside.yaml", ""),
            "leave its directory",
        ),
        (
            "absolute path",
            archive(Entry::Regular, "/etc/cron.d/mine", ""),
            "/etc/cron.d/mine",
        ),
        (
            "backslashes",
            archive(Entry::Regular, "..\\outside.yaml", ""),
            "outside.yaml",
        ),
        (
            "symbolic link",
            archive(Entry::Symlink, "extra.yaml", "/etc/passwd"),
            "link",
        ),
        (
            "hard link",
            archive(Entry::Link, "extra.yaml", "schema/schema.yaml"),
            "link",
        ),
        ("device", archive(Entry::Char, "extra.yaml", ""), "extra.yaml"),
        ("over 5 MB", too_large(), "5242880"),
        ("a bomb of zeros", bomb, "unpacks to more than 20971520 bytes"),
        (
            "undefined variable",
            faulty,
            "infrastructure/cloudformation.yaml:13:17",
        ),
        ("nothing", Vec::new(), "the bundle is empty"),
    ];
    let before = (shown(&world).await, world.emulator.last_call().await.unwrap());
    let mut amiss = Vec::new();
    for (number, (what, bundle, says)) in cases.into_iter().enumerate() {
        let mut request = tonic::Request::new(wire::CreateTemplateVersionRequest {
            request_id: format!("attack-{number}"),
            kind: wire::TemplateKind::Environment.into(),
            template_name: "minimal-env".to_owned(),
            bundle,
            ..Default::default()
        });
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        let Err(refused) = templates.create_template_version(request).await else {
            amiss.push(format!("{what}: taken"));
            continue;
        };
        if refused.code() != tonic::Code::InvalidArgument || !refused.message().contains(says) {
            amiss.push(format!("{what}: {:?}: {}", refused.code(), refused.message()));
        }
    }
    assert!(amiss.is_empty(), "{}", amiss.join("\n"));
    assert_eq!(shown(&world).await, before.0);
    assert!(changes(&world, before.1).await.is_empty());
    assert!(!world.folder().join("outside.yaml").exists());
    // It is alive and serves others.
    world
        .admin
        .ok(&["template", "get", "minimal-env", "--version", "1.0"])
        .await
        .unwrap();
    world.at_rest().await.unwrap();
}
