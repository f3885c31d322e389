//! Reading bundles: what is accepted, and every attack that an archive can carry.

mod support;

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use hadron_templates::{Bundle, Faults, Limits};

const SCHEMA: &str = "schema/schema.yaml";

fn gz(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(tar).expect("a fixture that works");
    gzip.finish().expect("a fixture that works")
}

/// A tar with raw names, which the library's own builder would refuse to write.
fn entry(tar: &mut tar::Builder<Vec<u8>>, name: &[u8], kind: tar::EntryType, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
        header.set_link_name("/etc/passwd").expect("a fixture that works");
    }
    header.set_cksum();
    tar.append(&header, content).expect("a fixture that works");
}

fn tar_of(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        entry(&mut tar, name.as_bytes(), *kind, content.as_bytes());
    }
    tar.into_inner().expect("a fixture that works")
}

fn zip_of(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(*name, options).expect("a fixture that works");
        zip.write_all(content.as_bytes()).expect("a fixture that works");
    }
    zip.finish().expect("a fixture that works").into_inner()
}

fn read(bytes: &[u8]) -> Result<Bundle, Faults> {
    Bundle::from_archive(bytes, &Limits::default())
}

fn refused(bytes: &[u8], code: &str) -> String {
    let faults = read(bytes).expect_err(code);
    assert!(
        faults.errors().any(|fault| fault.code == code),
        "{code}: {faults}"
    );
    assert!(
        faults.iter().all(|fault| fault.help.is_some()),
        "every fault says what to do next: {faults}"
    );
    faults.to_string()
}

use tar::EntryType::{Directory, Regular};

#[test]
fn one_content_has_one_digest() {
    let files = [("a/b.txt", "one"), (SCHEMA, "two")];
    let tar = tar_of(&[
        ("./", Directory, ""),
        ("./a/", Directory, ""),
        ("./a/b.txt", Regular, "one"),
        ("./schema/schema.yaml", Regular, "two"),
    ]);
    let from_tar = read(&gz(&tar)).unwrap();
    let from_zip = read(&zip_of(&files)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    std::fs::write(dir.path().join(".git/config"), "x").unwrap();
    let from_dir = Bundle::read(dir.path(), &Limits::default()).unwrap();
    let repacked = read(&from_dir.to_archive()).unwrap();
    assert_eq!(
        [from_tar.digest(), from_zip.digest(), repacked.digest()],
        [from_dir.digest(); 3]
    );
    assert_eq!(from_dir.paths().collect::<Vec<_>>(), ["a/b.txt", SCHEMA]);
    assert_eq!(from_dir.get("a/b.txt"), Some(b"one".as_slice()));
    assert_eq!(from_dir.to_archive(), from_tar.to_archive());
    let archive = dir.path().join("bundle.tar.gz");
    std::fs::write(&archive, from_dir.to_archive()).unwrap();
    assert_eq!(
        Bundle::read(&archive, &Limits::default()).unwrap().digest(),
        from_dir.digest()
    );

    let other = read(&zip_of(&[("a/b.txt", "onet"), (SCHEMA, "wo")])).unwrap();
    assert_ne!(other.digest(), from_dir.digest());
}

#[test]
fn names_that_leave_the_bundle_are_refused() {
    let names: [&[u8]; 9] = [
        b"../x",
        b"a/../../x",
        b"/etc/passwd",
        b"a\\..\\x",
        b"C:/x",
        b"a//b",
        b"a\nb",
        b"dot./x",
        b"\xff\xfe",
    ];
    for name in names {
        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, SCHEMA.as_bytes(), Regular, b"x");
        entry(&mut tar, name, Regular, b"x");
        refused(&gz(&tar.into_inner().unwrap()), "bundle/bad-path");
    }
    for name in ["../x", "/x", "a\\b", "c:x"] {
        let text = refused(&zip_of(&[(SCHEMA, "x"), (name, "x")]), "bundle/bad-path");
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn links_and_devices_are_refused_by_name() {
    use tar::EntryType as T;
    for kind in [
        T::Symlink,
        T::Link,
        T::Char,
        T::Block,
        T::Fifo,
        T::GNUSparse,
        T::new(b'Z'),
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, SCHEMA.as_bytes(), Regular, b"x");
        entry(&mut tar, b"schema/evil", kind, b"");
        let faults = read(&gz(&tar.into_inner().unwrap())).unwrap_err();
        // A broken sparse header is met before its kind is.
        let codes = ["bundle/special-file", "bundle/damaged"];
        assert!(
            faults.errors().all(|fault| codes.contains(&fault.code)),
            "{faults}"
        );
        assert!(
            kind == T::GNUSparse || faults.to_string().contains("schema/evil"),
            "{faults}"
        );
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(SCHEMA, zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.add_symlink("evil", "/etc/passwd", zip::write::SimpleFileOptions::default())
        .unwrap();
    let text = refused(&zip.finish().unwrap().into_inner(), "bundle/special-file");
    assert!(text.contains("'evil' is a symbolic link"), "{text}");
}

#[cfg(unix)]
#[test]
fn directories_with_links_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    let faults = Bundle::from_dir(dir.path(), &Limits::default()).unwrap_err();
    assert_eq!(
        faults
            .errors()
            .filter(|fault| fault.code == "bundle/special-file")
            .count(),
        2,
        "{faults}"
    );
    let faults = Bundle::read(&dir.path().join("nothing"), &Limits::default()).unwrap_err();
    assert!(faults.to_string().contains("cannot read"), "{faults}");
}

#[test]
fn a_name_twice_is_refused() {
    let twice = tar_of(&[("a", Regular, "1"), ("a", Regular, "2")]);
    assert!(refused(&gz(&twice), "bundle/duplicate").contains("twice"));
    let folded = tar_of(&[("Schema/x", Regular, "1"), ("schema/y", Regular, "2")]);
    assert!(refused(&gz(&folded), "bundle/duplicate").contains("case"));
    let inside = tar_of(&[("a", Regular, "1"), ("a/b", Regular, "2")]);
    refused(&gz(&inside), "bundle/duplicate");

    // The library refuses to write a name twice, so one is renamed in the bytes.
    let mut zip = zip_of(&[("aaaa", "1"), ("bbbb", "2")]);
    for at in 0..zip.len() - 4 {
        if &zip[at..at + 4] == b"bbbb" {
            zip[at..at + 4].copy_from_slice(b"aaaa");
        }
    }
    refused(&zip, "bundle/duplicate");
}

#[test]
fn bombs_stop_at_the_cap() {
    let zeros = vec![0; 64 << 20];
    let mut tar = tar::Builder::new(Vec::new());
    entry(&mut tar, b"zeros", Regular, &zeros);
    let bomb = gz(&tar.into_inner().unwrap());
    assert!(bomb.len() < 1 << 20);
    refused(&bomb, "bundle/too-large-unpacked");

    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("zeros", zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(&zeros).unwrap();
    refused(&zip.finish().unwrap().into_inner(), "bundle/too-large-unpacked");

    let many: Vec<String> = (0..1_001).map(|n| format!("f{n}")).collect();
    let many: Vec<(&str, tar::EntryType, &str)> =
        many.iter().map(|name| (name.as_str(), Regular, "")).collect();
    refused(&gz(&tar_of(&many)), "bundle/too-many-files");
    refused(&vec![0x1f; (5 << 20) + 1], "bundle/too-large");
}

#[test]
fn damaged_archives_are_named() {
    refused(b"", "bundle/empty");
    refused(b"just text", "bundle/not-an-archive");
    refused(&gz(b""), "bundle/empty");
    refused(
        &gz(b"not a tar, but long enough to be one").repeat(1),
        "bundle/damaged",
    );
    let tar = tar_of(&[(SCHEMA, Regular, "text")]);
    assert!(refused(&tar, "bundle/not-an-archive").contains("uncompressed"));
    let whole = gz(&tar);
    for cut in [3, 10, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..cut], "bundle/damaged");
    }
    let cut_tar = gz(&tar[..512 + 2]);
    refused(&cut_tar, "bundle/damaged");
    let mut flipped = whole.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 0xff;
    refused(&flipped, "bundle/damaged");

    refused(
        &[whole.clone(), b"tail".to_vec()].concat(),
        "bundle/trailing-data",
    );
    refused(&[whole.clone(), whole.clone()].concat(), "bundle/trailing-data");
    refused(
        &gz(&[tar, tar_of(&[("hidden", Regular, "x")])].concat()),
        "bundle/trailing-data",
    );
    assert!(
        read(&[whole, vec![0; 100]].concat()).is_ok(),
        "padding with zeros is fine"
    );

    let zip = zip_of(&[(SCHEMA, "text")]);
    refused(&[zip.clone(), b"tail".to_vec()].concat(), "bundle/trailing-data");
    refused(
        &[b"PK\x03\x04 prefix".to_vec(), zip.clone()].concat(),
        "bundle/damaged",
    );
    for cut in [5, zip.len() / 2, zip.len() - 1] {
        assert!(read(&zip[..cut]).is_err());
    }
}

#[test]
fn a_wrapping_directory_is_explained() {
    let text = refused(
        &gz(&tar_of(&[
            ("v1/schema/schema.yaml", Regular, "x"),
            ("v1/a", Regular, "x"),
        ])),
        "bundle/wrapped",
    );
    insta::assert_snapshot!(text, @r"
    error[bundle/wrapped]: everything in the bundle is inside the directory 'v1'
     = help: pack from inside it: tar -C v1 -czf bundle.tar.gz .
    ");
}

#[test]
fn long_names_and_global_headers_are_read() {
    let name = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let files = BTreeMap::from([(name.clone(), "x".to_owned())]);
    let bundle = support::bundle(&files).unwrap();
    let again = read(&bundle.to_archive()).unwrap();
    assert_eq!(again.paths().collect::<Vec<_>>(), [name]);

    let mut tar = tar::Builder::new(Vec::new());
    entry(
        &mut tar,
        b"pax_global_header",
        tar::EntryType::XGlobalHeader,
        b"52 comment=0123456789012345678901234567890123456789\n",
    );
    entry(&mut tar, SCHEMA.as_bytes(), Regular, b"x");
    assert_eq!(read(&gz(&tar.into_inner().unwrap())).unwrap().paths().count(), 1);
}
