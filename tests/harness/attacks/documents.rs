//! Archives, YAML and schemas that are not what they seem: AT-57 to AT-76. Every one is registered as a version of a template
//! by somebody who may.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use tonic::Code;

use super::{Case, Ground};

pub(super) const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"cloudformation.yaml\"\n      rendering_engine: jinja\n      template_language: cloudformation\n";
pub(super) const SCHEMA: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: T\n  types:\n    T: { type: object, properties: { a: { type: string } } }\n";
const CODE: &str = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n";
const FILES: [(&str, &str); 3] = [
    ("schema/schema.yaml", SCHEMA),
    ("infrastructure/manifest.yaml", MANIFEST),
    ("infrastructure/cloudformation.yaml", CODE),
];

/// One entry of a tar archive, whatever its header says.
fn entry(kind: u8, name: &[u8], target: &[u8], size: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let name = &name[..name.len().min(100)];
    header[..name.len()].copy_from_slice(name);
    header[100..107].copy_from_slice(b"0000644");
    header[124..124 + size.len()].copy_from_slice(size);
    header[156] = kind;
    header[157..157 + target.len()].copy_from_slice(target);
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

fn octal(size: usize) -> Vec<u8> {
    format!("{size:011o}").into_bytes()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(b'0', name.as_bytes(), b"", &octal(content.len()), content)
}

fn gz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).context("gzip")?;
    gz.finish().context("gzip")
}

/// An archive of these entries.
fn packed(entries: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut tar: Vec<u8> = entries.concat();
    tar.extend([0; 1024]);
    gz(&tar)
}

/// An archive of these files.
pub(super) fn bundle(files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let entries: Vec<Vec<u8>> = files
        .iter()
        .map(|(name, text)| file(name, text.as_bytes()))
        .collect();
    packed(&entries)
}

/// The right files and something more.
fn with(more: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut entries: Vec<Vec<u8>> = FILES
        .iter()
        .map(|(name, text)| file(name, text.as_bytes()))
        .collect();
    entries.extend(more.iter().cloned());
    packed(&entries)
}

/// The right files, one of them replaced.
fn replaced(name: &str, text: &str) -> Result<Vec<u8>> {
    let files = FILES.map(|(each, right)| (each, if each == name { text } else { right }));
    bundle(&files)
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

/// What is registered, and words of which the refusal has one.
type Bad = (String, Vec<u8>, &'static [&'static str]);

fn bad(what: impl Into<String>, bundle: Vec<u8>, says: &'static [&'static str]) -> Bad {
    (what.into(), bundle, says)
}

/// Registers each; each has to be refused, and nothing is left of any.
async fn refused(ground: &mut Ground, case: &mut Case, all: Vec<Bad>) -> Result<()> {
    if ground
        .kept
        .insert("template attacked".to_owned(), String::new())
        .is_none()
    {
        ground.admin.template("attacked").await?;
    }
    let before = super::seen(ground).await?;
    for (what, bundle, says) in all {
        let answer = ground.admin.register("attacked", bundle).await;
        let right = answer.as_ref().err().is_some_and(|refused| {
            refused.code() == Code::InvalidArgument
                && says.iter().any(|word| refused.message().contains(word))
        });
        case.input(what, right, format!("{answer:?} (wanted one of {says:?})"));
    }
    let after = super::seen(ground).await?;
    case.hold("nothing is left", before == after, after);
    case.logged("Refused");
    Ok(())
}

const LEAVES: &[&str] = &[
    "leave its directory",
    "absolute",
    "not a relative path",
    "backslash",
    "name",
];
const LINK: &[&str] = &["link"];

/// AT-57
pub(super) async fn parents(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let names = [
        "../x",
        "../../outside.yaml",
        "infrastructure/../../x",
        "infrastructure/..",
        "a/../../../etc/cron.d/x",
    ];
    let all = names.map(|name| Ok(bad(name, with(&[file(name, b"x")])?, LEAVES)));
    refused(ground, case, all.into_iter().collect::<Result<_>>()?).await?;
    case.hold(
        "nothing was written",
        !ground.world.folder().join("outside.yaml").exists(),
        "outside.yaml is there",
    );
    Ok(())
}

/// AT-58
pub(super) async fn absolute(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let names = [
        "/etc/cron.d/mine",
        "C:\\x",
        "..\\outside.yaml",
        "infrastructure\\x.yaml",
        "\\\\host\\share\\x",
        "//x",
    ];
    let all = names.map(|name| {
        Ok(bad(
            name,
            with(&[file(name, b"x")])?,
            &[
                "leave its directory",
                "absolute",
                "relative",
                "backslash",
                "name",
                "'",
            ],
        ))
    });
    refused(ground, case, all.into_iter().collect::<Result<_>>()?).await
}

/// AT-59
pub(super) async fn symbolic_links(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let link = |name: &[u8], target: &[u8]| entry(b'2', name, target, &octal(0), b"");
    let all = vec![
        bad("to a file", with(&[link(b"extra.yaml", b"/etc/passwd")])?, LINK),
        bad(
            "to a directory, and a file through it",
            with(&[link(b"x", b"/tmp"), file("x/y", b"z")])?,
            LINK,
        ),
        bad(
            "inside",
            with(&[link(b"infrastructure/b.yaml", b"cloudformation.yaml")])?,
            LINK,
        ),
    ];
    refused(ground, case, all).await
}

/// AT-60
pub(super) async fn hard_links(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let link = |target: &[u8]| entry(b'1', b"extra.yaml", target, &octal(0), b"");
    let all = vec![
        bad("to a file inside", with(&[link(b"schema/schema.yaml")])?, LINK),
        bad("to a file outside", with(&[link(b"/etc/shadow")])?, LINK),
    ];
    refused(ground, case, all).await
}

/// AT-61
pub(super) async fn devices(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut all = Vec::new();
    for (what, kind) in [
        ("characters", b'3'),
        ("blocks", b'4'),
        ("a pipe", b'6'),
        ("contiguous", b'7'),
        ("no kind at all", b'Q'),
    ] {
        all.push(bad(
            what,
            with(&[entry(kind, b"extra.dev", b"", &octal(0), b"")])?,
            &["extra.dev"],
        ));
    }
    // A contiguous file is a file to some readers; then it is one file that is not needed.
    all.retain(|(what, ..)| what != "contiguous");
    refused(ground, case, all).await
}

/// AT-62
pub(super) async fn bombs(ground: &mut Ground, case: &mut Case) -> Result<()> {
    // One megabyte, packed so that it can be repeated: a gigabyte takes no longer to make.
    let mut block = Vec::with_capacity(64 * 1024);
    flate2::Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; 1024 * 1024], &mut block, flate2::FlushCompress::Full)
        .context("a megabyte")?;
    let mut zeros = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    zeros.extend(block.repeat(1024));
    zeros.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0x40]);
    let nested = gz(&zeros)?;
    let all = vec![
        bad("a gigabyte of zeros", zeros, &["unpacks to more than"]),
        bad("gzip in gzip", nested, &["archive", "unpacks", "tar"]),
        bad(
            "a zip whose entries overlap",
            overlapping()?,
            &["zip", "archive", "unpacks", "twice", "200"],
        ),
    ];
    refused(ground, case, all).await
}

/// A zip archive with many names for one compressed megabyte.
fn overlapping() -> Result<Vec<u8>> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(&vec![0; 1024 * 1024]).context("deflate")?;
    let packed = deflate.finish().context("deflate")?;
    let mut crc = flate2::Crc::new();
    crc.update(&vec![0; 1024 * 1024]);
    let fields = |name: &[u8]| -> Result<Vec<u8>> {
        let mut out = Vec::new();
        out.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
        out.extend(crc.sum().to_le_bytes());
        out.extend(u32::try_from(packed.len())?.to_le_bytes());
        out.extend((1024_u32 * 1024).to_le_bytes());
        out.extend(u16::try_from(name.len())?.to_le_bytes());
        out.extend([0, 0]);
        Ok(out)
    };
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(fields(b"f000")?);
    zip.extend(b"f000");
    zip.extend(&packed);
    let at = u32::try_from(zip.len())?;
    let count = 100_u16;
    for number in 0..count {
        let name = format!("f{number:03}");
        zip.extend(b"PK\x01\x02\x14\x00");
        zip.extend(fields(name.as_bytes())?);
        zip.extend([0; 10]);
        zip.extend(0_u32.to_le_bytes());
        zip.extend(name.as_bytes());
    }
    let size = u32::try_from(zip.len())? - at;
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend(count.to_le_bytes());
    zip.extend(count.to_le_bytes());
    zip.extend(size.to_le_bytes());
    zip.extend(at.to_le_bytes());
    zip.extend([0, 0]);
    Ok(zip)
}

/// AT-63
pub(super) async fn too_much(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let lines = |bytes: usize| {
        format!(
            "{CODE}{}",
            "# filling up with a comment line\n".repeat(bytes / 33 + 1)
        )
    };
    let many: Vec<Vec<u8>> = (0..11)
        .map(|n| file(&format!("infrastructure/f{n}.yaml"), CODE.as_bytes()))
        .collect();
    let named: String = (0..11)
        .map(|n| format!("    - file: \"f{n}.yaml\"\n      rendering_engine: jinja\n      template_language: cloudformation\n"))
        .collect();
    let mut eleven = vec![
        file("schema/schema.yaml", SCHEMA.as_bytes()),
        file(
            "infrastructure/manifest.yaml",
            format!("infrastructure:\n  templates:\n{named}").as_bytes(),
        ),
    ];
    eleven.extend(many);
    let schema = format!("{SCHEMA}{}", "# filling up with a comment line\n".repeat(1_600));
    let manifest = format!("{MANIFEST}{}", "# filling up with a comment line\n".repeat(1_600));
    let all = vec![
        bad(
            "5 MB and a byte",
            with(&[file("noise", &noise(5 * 1024 * 1024 + 1))])?,
            &["5242880"],
        ),
        bad("eleven files", packed(&eleven)?, &["more than one entry"]),
        bad(
            "200 KB and more in a file",
            replaced("infrastructure/cloudformation.yaml", &lines(204_900))?,
            &["204800", "200"],
        ),
        bad(
            "50 KB and more of schema",
            replaced("schema/schema.yaml", &schema)?,
            &["51200", "50"],
        ),
        bad(
            "50 KB and more of manifest",
            replaced("infrastructure/manifest.yaml", &manifest)?,
            &["51200", "50"],
        ),
    ];
    refused(ground, case, all).await
}

/// AT-64
pub(super) async fn twice(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let all = vec![
        bad(
            "a name twice",
            with(&[file("schema/schema.yaml", b"schema: {}")])?,
            &["twice", "already"],
        ),
        bad(
            "in other letters",
            with(&[file("Schema/Schema.yaml", b"schema: {}")])?,
            &["twice", "already", "case"],
        ),
        bad(
            "in another form of Unicode",
            with(&[
                file("infrastructure/\u{e9}.yaml", b"x"),
                file("infrastructure/e\u{301}.yaml", b"x"),
            ])?,
            &["twice", "already", "form", "name"],
        ),
        bad(
            "with a dot before it",
            with(&[file("./schema/schema.yaml", b"schema: {}")])?,
            &["twice", "already"],
        ),
    ];
    refused(ground, case, all).await
}

/// AT-65
pub(super) async fn lying_headers(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let pax = |record: &str| entry(b'x', b"pax", b"", &octal(record.len()), record.as_bytes());
    let long = vec![b'a'; 1024 * 1024];
    let all = vec![
        bad(
            "a name of a megabyte",
            with(&[
                entry(b'L', b"././@LongLink", b"", &octal(long.len()), &long),
                file("x", b"y"),
            ])?,
            &["name", "long", "archive", "larger"],
        ),
        bad(
            "another path in pax",
            with(&[pax("24 path=../outside.yaml\n"), file("x", b"y")])?,
            &["leave", "pax", "archive", "path"],
        ),
        bad(
            "another size in pax",
            with(&[pax("16 size=9999999\n"), file("x", b"y")])?,
            &["archive", "ends", "size", "damaged", "header"],
        ),
        bad(
            "a sparse file",
            with(&[entry(b'S', b"x.dev", b"", &octal(0), b"")])?,
            &["x.dev", "sparse"],
        ),
        bad(
            "a size below nothing",
            with(&[entry(b'0', b"x", b"", b"-0000000001", b"")])?,
            &["archive", "damaged", "size", "header"],
        ),
        bad(
            "a size of exabytes",
            with(&[entry(
                b'0',
                b"x",
                b"",
                b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                b"",
            )])?,
            &["archive", "damaged", "size", "unpacks", "header"],
        ),
        bad(
            "a size behind the end",
            with(&[entry(b'0', b"x", b"", &octal(1 << 30), b"y")])?,
            &["archive", "damaged", "ends", "unpacks"],
        ),
    ];
    refused(ground, case, all).await
}

/// AT-66
pub(super) async fn no_archives(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let whole = bundle(&FILES)?;
    let half = whole[..whole.len() / 2].to_vec();
    let all = vec![
        bad("cut off", half, &["archive", "damaged", "ends"]),
        bad(
            "a text",
            b"no archive at all".to_vec(),
            &["neither a .tar.gz nor a .zip"],
        ),
        bad("nothing", Vec::new(), &["the bundle is empty"]),
        bad(
            "an archive of nothing",
            packed(&[])?,
            &["schema", "manifest", "empty"],
        ),
        bad(
            "a picture",
            b"\x89PNG\r\n\x1a\n\0\0\0\0".to_vec(),
            &["neither a .tar.gz nor a .zip"],
        ),
        bad(
            "gzip of a text",
            gz(b"no archive at all")?,
            &["archive", "tar", "damaged"],
        ),
    ];
    refused(ground, case, all).await?;
    // Bytes behind a gzip stream are the next stream to some readers and nothing to others.
    let mut trailing = whole;
    trailing.extend(bundle(&[("schema/schema.yaml", "schema: {}")])?);
    let answer = ground.admin.register("attacked", trailing).await;
    let right = answer
        .as_ref()
        .err()
        .is_none_or(|refused| refused.code() == Code::InvalidArgument);
    case.input("another archive behind it", right, format!("{answer:?}"));
    Ok(())
}

/// Each a schema, a manifest, and a spec of an environment.
async fn yaml(
    ground: &mut Ground,
    case: &mut Case,
    what: &str,
    text: &str,
    says: &'static [&'static str],
) -> Result<()> {
    let all = vec![
        bad(
            format!("{what}, as schema"),
            replaced("schema/schema.yaml", text)?,
            says,
        ),
        bad(
            format!("{what}, as manifest"),
            replaced("infrastructure/manifest.yaml", text)?,
            says,
        ),
    ];
    refused(ground, case, all).await?;
    if ground
        .kept
        .insert("published attacked".to_owned(), String::new())
        .is_none()
    {
        let version = ground.admin.register("attacked", bundle(&FILES)?).await?;
        ground.admin.publish("attacked", &version).await?;
    }
    let answer = ground.admin.create("attacked", "attacked", "", text).await;
    let right = answer
        .as_ref()
        .err()
        .is_some_and(|refused| refused.code() == Code::InvalidArgument);
    case.input(format!("{what}, as spec"), right, format!("{answer:?}"));
    Ok(())
}

/// AT-67
pub(super) async fn aliases(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let list = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    yaml(ground, case, "aliases of aliases", &text, &["alias"]).await
}

/// AT-68
pub(super) async fn depth(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let lists = format!("a: {}1{}\n", "[".repeat(10_000), "]".repeat(10_000));
    yaml(
        ground,
        case,
        "lists in lists",
        &lists,
        &["YAML", "deep", "nested"],
    )
    .await?;
    let maps = format!("a: {}1{}\n", "{a: ".repeat(5_000), "}".repeat(5_000));
    yaml(ground, case, "maps in maps", &maps, &["YAML", "deep", "nested"]).await
}

/// AT-69
pub(super) async fn keys_twice(ground: &mut Ground, case: &mut Case) -> Result<()> {
    yaml(ground, case, "a key twice", "a: 1\na: 2\n", &["twice", "already"]).await
}

/// AT-70
pub(super) async fn merge_keys(ground: &mut Ground, case: &mut Case) -> Result<()> {
    yaml(
        ground,
        case,
        "a merge key",
        "a: &a { b: 1 }\nc: { <<: *a }\n",
        &["alias", "anchor"],
    )
    .await
}

/// AT-71
pub(super) async fn odd_texts(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let large = format!("a: '{}'\n", "x".repeat(2 << 20));
    yaml(
        ground,
        case,
        "two megabytes",
        &large,
        &["51200", "larger", "large"],
    )
    .await?;
    let anchors: String = (0..2_000).map(|n| format!("- &n{n} {n}\n")).collect();
    yaml(
        ground,
        case,
        "two thousand anchors",
        &anchors,
        &["'", "list", "map"],
    )
    .await?;
    let utf16: Vec<u8> = SCHEMA.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files = [
        file("schema/schema.yaml", &utf16),
        file("infrastructure/manifest.yaml", MANIFEST.as_bytes()),
        file("infrastructure/cloudformation.yaml", CODE.as_bytes()),
    ];
    refused(
        ground,
        case,
        vec![bad("UTF-16", packed(&files)?, &["UTF-8", "YAML", "schema"])],
    )
    .await
}

fn schema_of(types: &str) -> String {
    format!("schema:\n  format:\n    openapi: \"3.0.0\"\n  environment_input_type: T\n  types:\n{types}")
}

async fn schemas(
    ground: &mut Ground,
    case: &mut Case,
    all: Vec<(String, String, &'static [&'static str])>,
) -> Result<()> {
    let all = all
        .into_iter()
        .map(|(what, types, says)| {
            Ok(bad(
                what,
                replaced("schema/schema.yaml", &schema_of(&types))?,
                says,
            ))
        })
        .collect::<Result<_>>()?;
    refused(ground, case, all).await
}

/// AT-72
pub(super) async fn patterns(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let all = [
        "^(?=a)b$",
        "(?<!a)b",
        r"^(a+)\1$",
        "a{1000}{1000}",
        "((a{1000}){1000}){1000}",
    ]
    .map(|pattern| {
        let types = format!(
            "    T: {{ type: object, properties: {{ a: {{ type: string, pattern: '{pattern}' }} }} }}\n"
        );
        (pattern.to_owned(), types, &["pattern"] as &[&str])
    })
    .to_vec();
    schemas(ground, case, all).await?;
    // What takes exponential time elsewhere is matched in linear time here.
    let types = "    T: { type: object, properties: { a: { type: string, pattern: '^(a+)+$' } } }\n";
    if ground
        .kept
        .insert("template matched".to_owned(), String::new())
        .is_none()
    {
        ground.admin.template("matched").await?;
        let version = ground
            .admin
            .register("matched", replaced("schema/schema.yaml", &schema_of(types))?)
            .await?;
        ground.admin.publish("matched", &version).await?;
    }
    let spec = format!("proton: EnvironmentSpec\nspec:\n  a: {}!\n", "a".repeat(10_000));
    let began = std::time::Instant::now();
    let answer = ground.admin.create("attacked", "matched", "", &spec).await;
    case.refused("ten thousand and one", answer, Code::InvalidArgument, &["'a'"]);
    case.hold(
        "in a moment",
        began.elapsed().as_secs() < 5,
        format!("{:?}", began.elapsed()),
    );
    Ok(())
}

/// AT-73
pub(super) async fn references(ground: &mut Ground, case: &mut Case) -> Result<()> {
    // Who is asked for a schema there would tell.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a listener")?;
    listener.set_nonblocking(true).context("a listener")?;
    let asked = format!(
        "http://{}/schema.json",
        listener.local_addr().context("a listener")?
    );
    let all = [
        asked.as_str(),
        "https://example.com/#/T",
        "file:///etc/passwd",
        "//host/schema.yaml",
        "../other.yaml#/T",
        "/etc/passwd",
    ]
    .map(|to| {
        let types = format!("    T: {{ type: object, properties: {{ a: {{ $ref: '{to}' }} }} }}\n");
        (to.to_owned(), types, &["$ref", "reference"] as &[&str])
    })
    .to_vec();
    schemas(ground, case, all).await?;
    case.hold(
        "nobody was asked",
        listener.accept().is_err(),
        "the hub connected",
    );
    Ok(())
}

/// AT-74
pub(super) async fn circles(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let says: &[&str] = &["itself", "recursive", "$ref", "circle"];
    let own = "    T: { type: object, properties: { a: { $ref: '#/T' } } }\n".to_owned();
    let two = "    T: { type: object, properties: { a: { $ref: '#/U' } } }\n    U: { type: array, items: { $ref: '#/T' } }\n".to_owned();
    schemas(
        ground,
        case,
        vec![
            ("itself".to_owned(), own, says),
            ("by way of another".to_owned(), two, says),
        ],
    )
    .await
}

/// AT-75
pub(super) async fn many(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let wide: String = (0..10_001)
        .map(|n| format!("        p{n}: {{ type: string }}\n"))
        .collect();
    let wide = format!("    T:\n      type: object\n      properties:\n{wide}");
    let mut doubling =
        "    T: { type: object, properties: { a: { $ref: '#/D0' }, b: { $ref: '#/D0' } } }\n".to_owned();
    for n in 0..30 {
        let next = n + 1;
        doubling.push_str(&format!(
            "    D{n}: {{ type: object, properties: {{ a: {{ $ref: '#/D{next}' }}, b: {{ $ref: '#/D{next}' }} }} }}\n"
        ));
    }
    doubling.push_str("    D30: { type: string }\n");
    let all = vec![
        (
            "ten thousand properties".to_owned(),
            wide,
            &["51200", "large"] as &[&str],
        ),
        (
            "twice as many with each".to_owned(),
            doubling,
            &["large", "many", "more than"] as &[&str],
        ),
    ];
    schemas(ground, case, all).await
}

/// AT-76
pub(super) async fn defaults(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let all = [
        ("number", "'x'"),
        ("integer", "1.5"),
        ("boolean", "maybe"),
        ("array", "a"),
        ("object", "1"),
    ]
    .map(|(kind, default)| {
        let types = format!(
            "    T: {{ type: object, properties: {{ a: {{ type: {kind}, default: {default} }} }} }}\n"
        );
        (
            format!("{kind}: {default}"),
            types,
            &["default", "'a'"] as &[&str],
        )
    })
    .to_vec();
    schemas(ground, case, all).await
}
